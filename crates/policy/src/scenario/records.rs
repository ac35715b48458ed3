//! The records' side of a scenario, under the names of the REST API.

use super::{Client, Person, Records, Site};
use crate::document::{Data, Entry, Node};
use crate::fault::Faults;
use crate::read::{field_name, field_values};
use crate::reader::{Keys, boolean, id, list, map, record_id, required, text, texts, whole, word};
use model::records::Pin;
use model::{Kind, Status};

pub(crate) const RECORDS: Keys = Keys { of: "records", known: &["clients", "sites", "people"] };
pub(crate) const CLIENT: Keys = Keys { of: "a client", known: &["id", "name", "active", "status"] };
pub(crate) const SITE: Keys = Keys { of: "a site", known: &["id", "client", "name"] };

/// What a person entry has beside fields.
pub(crate) const PERSON: [&str; 13] = [
    "id",
    "kind",
    "linked_to",
    "client",
    "site",
    "status",
    "access",
    "root",
    "tickets",
    "invoices",
    "pinned",
    "stands_for",
    "deactivated_by",
];

const KINDS: &[(&str, Kind)] = &[("agent", Kind::Agent), ("contact", Kind::Contact)];
pub(crate) const STATUSES: &[(&str, Status)] =
    &[("active", Status::Active), ("inactive", Status::Inactive), ("archived", Status::Archived)];
/// An archived client resolves no rule either (ruling 40).
const ACTIVE: &[(&str, bool)] = &[("active", true), ("inactive", false), ("archived", false)];
const BY: &[(&str, bool)] = &[("sync", true), ("person", false)];

/// The records at the start: every entry must say what it is.
pub(super) fn start(node: &Node, faults: &mut Faults) -> Records {
    let mut records = read(node, faults);
    for site in records.sites.iter().filter(|site| site.client.is_none()) {
        faults.add(&site.at, "a site needs \"client\", the client's id");
    }
    for (number, person) in records.people.iter_mut().enumerate() {
        if person.kind.is_none() {
            faults.add(&person.at, "a person needs \"kind\": agent or contact");
        }
        // A record that no step names needs no name of its own.
        person.id.get_or_insert_with(|| format!("people[{number}]"));
    }
    let ids = [
        records.clients.iter().map(|c| (&c.at, Some(c.id.as_str()))).collect::<Vec<_>>(),
        records.sites.iter().map(|s| (&s.at, Some(s.id.as_str()))).collect(),
        records.people.iter().map(|p| (&p.at, p.id.as_deref())).collect(),
    ];
    for ids in ids {
        let mut seen = std::collections::HashSet::new();
        for (at, id) in ids {
            if !seen.insert(id) {
                faults.add(at, format!("the id {:?} stands twice; give each its own", id.unwrap_or_default()));
            }
        }
    }
    records
}

/// What a person edits: every entry must say which record it is (ruling 15).
pub(super) fn edit(node: &Node, faults: &mut Faults) -> Records {
    let records = read(node, faults);
    for person in records.people.iter().filter(|p| p.id.is_none() && !matches!(p.linked_to, Some(Some(_)))) {
        faults.add(&person.at, "which record is this? name it by id, or by linked_to");
    }
    records
}

fn read(node: &Node, faults: &mut Faults) -> Records {
    let Some(node) = RECORDS.check(node, faults) else { return Records::default() };
    let mut items = |key| node.get(key).and_then(|n| list(n, key, faults)).unwrap_or_default();
    let (clients, sites, people) = (items("clients"), items("sites"), items("people"));
    Records {
        clients: clients.iter().filter_map(|n| client(n, faults)).collect(),
        sites: sites.iter().filter_map(|n| site(n, faults)).collect(),
        people: people.iter().filter_map(|n| person(n, faults)).collect(),
    }
}

fn key(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    let node = required(node, "id", what, faults)?;
    id(node, &format!("the id of {what}"), faults).map(|id| id.as_str().to_owned())
}

fn client(node: &Node, faults: &mut Faults) -> Option<Client> {
    let node = CLIENT.check(node, faults)?;
    let active = match (node.get("active"), node.get("status")) {
        (Some(n), _) => boolean(n, "active", faults),
        (None, Some(n)) => word(n, "a client's status", ACTIVE, faults),
        (None, None) => None,
    };
    let name = node.get("name").and_then(|n| text(n, "a client's name", faults));
    Some(Client { at: node.at.clone(), id: key(node, "a client", faults)?, name, active })
}

fn site(node: &Node, faults: &mut Faults) -> Option<Site> {
    let node = SITE.check(node, faults)?;
    let client = node.get("client").and_then(|n| id(n, "a site's client", faults)).map(|id| id.as_str().to_owned());
    let name = node.get("name").and_then(|n| text(n, "a site's name", faults));
    Some(Site { at: node.at.clone(), id: key(node, "a site", faults)?, client, name })
}

fn person(node: &Node, faults: &mut Faults) -> Option<Person> {
    let entries = map(node, "a person", faults)?;
    let named = |key: &str| node.get(key);
    // Null clears or unlinks; a value is an id.
    let mut reference = |key| {
        let node = named(key)?;
        if node.is_null() { Some(None) } else { id(node, key, faults).map(Some) }
    };
    let (linked_to, client, site) = (reference("linked_to"), reference("client"), reference("site"));
    let own = |id: Option<Option<model::SourceId>>| id.map(|id| id.map(|id| id.as_str().to_owned()));
    Some(Person {
        at: node.at.clone(),
        id: named("id").and_then(|n| record_id(n, "a person's id", faults)),
        kind: named("kind").and_then(|n| word(n, "kind", KINDS, faults)),
        linked_to,
        client: own(client),
        site: own(site),
        status: named("status").and_then(|n| word(n, "status", STATUSES, faults)),
        access: named("access").and_then(|n| boolean(n, "access", faults)),
        fields: fields(entries, faults),
        root: named("root").and_then(|n| boolean(n, "root", faults)),
        tickets: named("tickets").and_then(|n| number(n, "tickets", faults)),
        invoices: named("invoices").and_then(|n| number(n, "invoices", faults)),
        pinned: named("pinned").and_then(|n| pin(n, faults)),
        stands_for: named("stands_for").and_then(|n| texts(n, "stands_for", faults)),
        deactivated_by_sync: named("deactivated_by").and_then(|n| word(n, "deactivated_by", BY, faults)),
    })
}

/// A person's fields: every key that is nothing else.
fn fields(entries: &[Entry], faults: &mut Faults) -> model::Fields {
    let fields: Vec<_> = entries.iter().filter(|e| !PERSON.contains(&e.key.as_str())).collect();
    field_values(fields, faults)
}

/// `true`, or a list of fields; `false`, null and an empty list for nothing.
fn pin(node: &Node, faults: &mut Faults) -> Option<Option<Pin>> {
    match &node.data {
        Data::Null => Some(None),
        Data::Bool(all) => Some(all.then_some(Pin::All(true))),
        Data::List(items) => {
            let names = texts(node, "pinned", faults)?;
            let fields: Vec<_> = names.iter().zip(items).filter_map(|(name, item)| field_name(name, &item.at, faults)).collect();
            Some((!fields.is_empty()).then_some(Pin::Fields(fields)))
        }
        _ => {
            faults.add(&node.at, format!("pinned must be true or a list of fields, not {}", node.shown()));
            None
        }
    }
}

/// A number of tickets or invoices; `true` is 1 (ruling 18).
fn number(node: &Node, what: &str, faults: &mut Faults) -> Option<i64> {
    match node.data {
        Data::Bool(some) => Some(i64::from(some)),
        _ => whole(node, what, 0..=i64::from(u32::MAX), faults),
    }
}
