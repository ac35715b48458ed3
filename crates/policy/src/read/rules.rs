//! `rules`: who becomes what.

use super::fields;
use crate::document::Node;
use crate::fault::Faults;
use crate::reader::{Keys, boolean, filter, id, ids, instant, list, map, required, text, texts, whole, word};
use crate::words::Word;
use crate::{source, value};
use model::policy::{ClientRef, LicenceType, Rule, RuleKind, Then, When};
use model::{Field, RuleId, Value};
use std::collections::{BTreeMap, HashMap};

pub(crate) const RULE: Keys = Keys { of: "a rule", known: &["id", "name", "order", "enabled", "created", "when", "then"] };
pub(crate) const WHEN: Keys = Keys { of: "when", known: &["groups", "group_names", "filter", "include_guests"] };
pub(crate) const THEN: Keys =
    Keys { of: "then", known: &["kind", "client", "site", "site_from", "role", "licence_type", "cabs", "defaults"] };

/// How a rule says that it leaves the licence type as it is (ruling 43).
pub(crate) const NO_CHANGE: &str = "no_change";

const LICENCES: &[(&str, Option<LicenceType>)] =
    &[("named", Some(LicenceType::Named)), ("concurrent", Some(LicenceType::Concurrent)), (NO_CHANGE, None)];

/// How a rule names the client the tenant is mapped to.
pub(crate) const FROM_TENANT: &str = "from_tenant";

pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<Vec<Rule>> {
    let items = list(node, "rules", faults)?;
    let mut places: HashMap<RuleId, u32> = HashMap::with_capacity(items.len());
    let mut rules = Vec::with_capacity(items.len());
    for item in items {
        // The id alone is read first, so that a rule with another fault still counts as a duplicate.
        let id =
            RULE.check(item, faults).and_then(|n| required(n, "id", "a rule", faults)).and_then(|n| id(n, "a rule's id", faults));
        let id = id.map(|id| RuleId::new(id.as_str()));
        if let Some(id) = &id
            && let Some(line) = places.insert(id.clone(), item.at.line)
        {
            faults.add(
                &item.at,
                format!("the rule id {:?} stands twice, first at line {line}; give each rule its own", id.as_str()),
            );
        }
        rules.extend(rule(item, id, faults));
    }
    Some(rules)
}

fn rule(node: &Node, id: Option<RuleId>, faults: &mut Faults) -> Option<Rule> {
    map(node, "a rule", faults)?;
    let what = id.as_ref().map_or("a rule".to_owned(), |id| format!("rule {:?}", id.as_str()));
    let name = node.get("name").map(|n| text(n, &format!("the name of {what}"), faults));
    let order = required(node, "order", &what, faults)
        .and_then(|n| whole(n, &format!("the order of {what}"), i32::MIN.into()..=i32::MAX.into(), faults))
        .and_then(|n| i32::try_from(n).ok());
    let enabled = node.get("enabled").map_or(Some(true), |n| boolean(n, &format!("enabled of {what}"), faults));
    let created = match node.get("created").filter(|n| !n.is_null()) {
        Some(n) => Some(instant(n, &format!("created of {what}"), faults)?.as_nanosecond()),
        None => None,
    };
    let when = match node.get("when") {
        Some(n) => self::when(n, &what, faults),
        None => {
            faults.add(&node.at, format!("{what} needs \"when\"; write when: {{}} to select everyone"));
            None
        }
    };
    let then = required(node, "then", &what, faults).and_then(|n| self::then(n, &what, faults));
    let id = id?;
    let name = name.unwrap_or_else(|| Some(id.to_string()));
    Some(Rule { name: name?, order: order?, enabled: enabled?, created, when: when?, then: then?, id })
}

fn when(node: &Node, rule: &str, faults: &mut Faults) -> Option<When> {
    if node.is_null() {
        faults.add(&node.at, format!("when of {rule} is empty; write when: {{}} to select everyone"));
        return None;
    }
    let node = WHEN.check(node, faults)?;
    // An empty list may be a half-deleted rule that must not come to mean everyone (ruling 29).
    let mut filled = |key| {
        let list = node.get(key)?;
        if crate::reader::list(list, key, faults)?.is_empty() {
            let message = format!("{key} of {rule} is an empty list, which selects nobody; name a group or take the key out");
            faults.add(&list.at, message);
        }
        Some(list)
    };
    let (groups, names) = (filled("groups"), filled("group_names"));
    let groups = groups.map(|n| ids(n, "groups", faults));
    let names = names.map(|n| texts(n, "group_names", faults));
    let guests = node.get("include_guests").map(|n| boolean(n, "include_guests", faults));
    let names = names.map(|names| names.map(|names| names.iter().map(|name| model::text::nfc(name)).collect()));
    let filter = inside(node.get("filter").map(|n| filter(n, &format!("filter of {rule}"), faults)));
    Some(When { groups: inside(groups)?, group_names: inside(names)?, filter: filter?, include_guests: inside(guests)? })
}

/// Not given is fine; given and faulty is not.
fn inside<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn then(node: &Node, rule: &str, faults: &mut Faults) -> Option<Then> {
    let node = THEN.check(node, faults)?;
    let kind = required(node, "kind", &format!("then of {rule}"), faults).and_then(|n| word(n, "kind", RuleKind::WORDS, faults));
    let mut reference = |key| inside(node.get(key).map(|n| id(n, key, faults).map(|id| id.as_str().to_owned())));
    let (client, site, role) = (reference("client"), reference("site"), reference("role"));
    let defaults = node.get("defaults").map_or(Some(BTreeMap::new()), |n| defaults(n, kind, rule, faults));
    let client = match client? {
        Some(name) if name != FROM_TENANT => ClientRef::Named(name),
        _ => ClientRef::FromTenant,
    };
    let site_from = inside(node.get("site_from").filter(|n| !n.is_null()).map(|n| source::text_source(n, "site_from", faults)));
    if let (Some(_), Some(at)) = (node.get("site"), node.get("site_from")) {
        faults.add(&at.at, format!("then of {rule} has site and site_from; keep one of them"));
    }
    let licence = node.get("licence_type").filter(|n| !n.is_null());
    if let (Some(at), Some(RuleKind::Contact)) = (licence, kind) {
        faults.add(&at.at, format!("{rule} makes contacts, and only agents have a licence type; take licence_type out"));
    }
    let licence_type = licence.map_or(Some(None), |n| word(n, "licence_type", LICENCES, faults));
    let cabs = node.get("cabs").map_or(Some(Vec::new()), |n| ids(n, "cabs", faults));
    let mut cabs: Vec<String> = cabs?.iter().map(|id| id.as_str().to_owned()).collect();
    cabs.sort();
    cabs.dedup();
    Some(Then {
        kind: kind?,
        client,
        site: site?,
        site_from: site_from?,
        role: role?,
        licence_type: licence_type?,
        cabs,
        defaults: defaults?,
    })
}

fn defaults(node: &Node, kind: Option<RuleKind>, rule: &str, faults: &mut Faults) -> Option<BTreeMap<Field, Value>> {
    let mut read = BTreeMap::new();
    for entry in map(node, "defaults", faults)? {
        let Some(field) = fields::name(&entry.key, &entry.at, faults) else { continue };
        if let (true, Some(RuleKind::Contact)) = (field == Field::LICENCE_TYPE, kind) {
            faults.add(&entry.at, format!("{rule} makes contacts, and only agents have a licence type; take its default out"));
            continue;
        }
        if let Some(value) = value::default(&entry.value, &field, &format!("the default of {field}"), faults) {
            read.insert(field, value);
        }
    }
    Some(read)
}
