//! The world's PSA: clients, sites, people and their links. Ids are texts outside and numbers inside.

use model::facts::Linked;
use model::plan::{ClientFound, LinkState, NewSite};
use model::records::{Link, Person};
use model::{ClientId, Kind, PersonId, SiteId, SourceId, Status, TenantKey, UserKey, Value, text};
use std::collections::BTreeMap;

/// A world has one tenant.
pub(crate) const TENANT: TenantKey = TenantKey(1);

/// The records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Psa {
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) sites: BTreeMap<SiteId, Site>,
    pub(crate) people: BTreeMap<PersonId, Row>,
    names: BTreeMap<PersonId, String>,
    by_name: BTreeMap<String, PersonId>,
    keys: i64,
}

/// A client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) active: bool,
}

/// A site.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) client: ClientId,
    pub(crate) name: String,
}

/// A person with their link.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) person: Person,
    pub(crate) link: Option<Link>,
}

impl Row {
    pub(crate) fn linked(&self) -> Option<Linked> {
        Some(Linked { link: self.link.clone()?, person: self.person.clone() })
    }
}

impl Psa {
    pub(crate) fn key(&mut self) -> i64 {
        self.keys += 1;
        self.keys
    }

    /// A record's number by its text.
    pub(crate) fn person_id(&self, name: &str) -> Option<PersonId> {
        self.by_name.get(name).copied()
    }

    /// A record's text.
    pub(crate) fn name_of(&self, id: PersonId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Adds a record under its text.
    pub(crate) fn add(&mut self, name: &str, kind: Kind) -> &mut Row {
        let id = PersonId(self.key());
        self.names.insert(id, name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        let person = Person {
            id,
            kind,
            client: None,
            site: None,
            status: Status::Active,
            access: true,
            username: None,
            email: None,
            first_name: None,
            last_name: None,
            role: None,
            fields: BTreeMap::new(),
            root: false,
            pinned: None,
            tickets: 0,
            invoices: 0,
            stands_for: Vec::new(),
            version: 1,
        };
        self.people.entry(id).or_insert(Row { person, link: None })
    }

    /// A client by its id, else by its name (trimmed, case-folded).
    pub(crate) fn client(&self, reference: &str) -> Option<ClientFound> {
        let by_id = self.clients.iter().find(|(_, c)| c.id == reference);
        let by_name = || self.clients.iter().find(|(_, c)| text::fold(&c.name) == text::fold(reference));
        by_id.or_else(by_name).map(|(id, c)| ClientFound { id: *id, active: c.active })
    }

    /// A site by its own id.
    pub(crate) fn site(&self, id: &str) -> Option<SiteId> {
        self.sites.iter().find(|(_, s)| s.id == id).map(|(id, _)| *id)
    }

    /// The site of a name at a client, made if there is none; its text is its name, as far as that is free.
    pub(crate) fn make_site(&mut self, new: &NewSite) -> SiteId {
        let key = text::fold(&new.name);
        let found = self.sites.iter().find(|(_, s)| s.client == new.client && text::fold(&s.name) == key);
        if let Some((id, _)) = found {
            return *id;
        }
        let number = self.key();
        let free = self.site(&new.name).is_none();
        let id = if free { new.name.clone() } else { format!("{} ({number})", new.name) };
        self.sites.insert(SiteId(number), Site { id, client: new.client, name: new.name.clone() });
        SiteId(number)
    }

    /// A client's or site's text, in place of its number.
    pub(crate) fn outward(&self, field: &str, value: &Value) -> Value {
        let text = match (field, value.as_i64()) {
            ("client", Some(id)) => self.clients.get(&ClientId(id)).map(|c| c.id.clone()),
            ("site", Some(id)) => self.sites.get(&SiteId(id)).map(|s| s.id.clone()),
            ("manager", Some(id)) => Some(self.name_of(PersonId(id))),
            _ => None,
        };
        text.map_or_else(|| value.clone(), Value::from)
    }

    /// Records linked to a user.
    pub(crate) fn of_user(&self, user: UserKey) -> impl Iterator<Item = &Row> {
        self.people.values().filter(move |r| r.link.as_ref().is_some_and(|l| l.user == user))
    }

    /// Ties a record to a user, with sync's bookkeeping.
    pub(crate) fn link(&mut self, person: PersonId, user: UserKey, source_id: &SourceId, state: LinkState) {
        if let Some(row) = self.people.get_mut(&person) {
            let LinkState { applied_hash, policy_digest, rule, decided, deactivated_by, grace_since, enabled_applied } = state;
            row.link = Some(Link {
                tenant: TENANT,
                user,
                source_id: source_id.clone(),
                person,
                applied_hash,
                policy_digest,
                rule,
                decided,
                deactivated_by,
                grace_since,
                enabled_applied,
            });
        }
    }
}
