//! Records at the start of a scenario, and what a person edits between plans (rulings 14, 15, 78).

use super::World;
use super::judge::Failure;
use super::plan::Index;
use super::records::{Client, Row, Site};
use crate::Claims;
use model::plan::LinkState;
use model::records::Deactivated;
use model::{ClientId, Kind, PersonId, SiteId, SourceId, Status};
use policy::scenario::{self, Records};

impl World {
    /// The records at the start. Those with `linked_to` count as applied with the initial Entra state (ruling 14).
    pub(super) fn begin(&mut self, records: &Records) {
        self.places(records);
        let mut links = Vec::new();
        for entry in &records.people {
            let name = entry.id.as_deref().unwrap_or_default();
            let id = self.psa.add(name, entry.kind.unwrap_or(Kind::Contact)).person.id;
            self.write(id, entry);
            if let Some(Some(user)) = &entry.linked_to {
                links.push((id, user.clone(), entry.deactivated_by_sync == Some(true)));
            }
        }
        self.adopt(&links);
    }

    /// A person's edits.
    pub(super) fn edit(&mut self, records: &Records) -> Vec<Failure> {
        self.places(records);
        let mut failures = Vec::new();
        for entry in &records.people {
            match self.target(entry) {
                Ok(id) => {
                    let touches_status = entry.status.is_some() || entry.access.is_some();
                    self.write(id, entry);
                    let Some(row) = self.psa.people.get_mut(&id) else { continue };
                    row.person.version += 1;
                    if let Some(link) = row.link.as_mut().filter(|_| touches_status) {
                        let cause = link.deactivated_by.as_ref().and_then(|d| d.cause);
                        link.deactivated_by = Some(Deactivated { by_sync: entry.deactivated_by_sync == Some(true), cause });
                    }
                    if row.person.status == Status::Active && touches_status {
                        // Back by a person's hand: it no longer counts as removed.
                        self.ledger.iter_mut().filter(|r| r.person == id).for_each(|r| r.undone = true);
                    }
                    match &entry.linked_to {
                        Some(None) => row.link = None,
                        Some(Some(user)) if entry.id.is_some() && row.link.as_ref().map(|l| &l.source_id) != Some(user) => {
                            let user = user.clone();
                            self.adopt(&[(id, user, entry.deactivated_by_sync == Some(true))]);
                        }
                        _ => {}
                    }
                }
                Err(message) => failures.push(Failure::at(&entry.at, &message)),
            }
        }
        failures
    }

    /// Which record an edit means: by id (an unknown one is a new record), or by the user it is linked to (ruling 15).
    fn target(&mut self, entry: &scenario::Person) -> Result<PersonId, String> {
        if let Some(name) = &entry.id {
            if let Some(row) = self.psa.person_id(name).and_then(|id| self.psa.people.get(&id)) {
                return match entry.kind {
                    Some(kind) if kind != row.person.kind => {
                        Err(format!("{name} is of kind {}, and a record never changes its kind; take kind out", row.person.kind))
                    }
                    _ => Ok(row.person.id),
                };
            }
            let Some(kind) = entry.kind else {
                return Err(format!("there is no record {name:?}; give the new one its kind: agent or contact"));
            };
            return Ok(self.psa.add(name, kind).person.id);
        }
        let Some(Some(user)) = &entry.linked_to else {
            return Err("which record is this? name it by id, or by linked_to".into());
        };
        let is_meant = |row: &&Row| {
            row.person.status != Status::Archived
                && row.link.as_ref().is_some_and(|l| l.source_id == *user)
                && entry.kind.is_none_or(|kind| kind == row.person.kind)
        };
        let found: Vec<PersonId> = self.psa.people.values().filter(is_meant).map(|r| r.person.id).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(format!("no record is linked to {user} at this point")),
            _ => Err(format!("{user} has two records; say which kind is meant")),
        }
    }

    fn places(&mut self, records: &Records) {
        for entry in &records.clients {
            let found = self.psa.clients.iter().find(|(_, c)| c.id == entry.id).map(|(id, _)| *id);
            let id = found.unwrap_or_else(|| ClientId(self.psa.key()));
            let client = self.psa.clients.entry(id).or_insert_with(|| Client {
                id: entry.id.clone(),
                name: entry.id.clone(),
                active: true,
            });
            if let Some(name) = &entry.name {
                client.name.clone_from(name);
            }
            client.active = entry.active.unwrap_or(client.active);
        }
        for entry in &records.sites {
            let client = entry.client.as_deref().and_then(|c| self.psa.client(c)).map(|c| c.id);
            match self.psa.site(&entry.id).and_then(|id| self.psa.sites.get_mut(&id)) {
                Some(site) => {
                    site.client = client.unwrap_or(site.client);
                    if let Some(name) = &entry.name {
                        site.name.clone_from(name);
                    }
                }
                None => {
                    let Some(client) = client else { continue };
                    let id = SiteId(self.psa.key());
                    let name = entry.name.clone().unwrap_or_else(|| entry.id.clone());
                    self.psa.sites.insert(id, Site { id: entry.id.clone(), client, name });
                }
            }
        }
    }

    /// Writes what an entry says into a record.
    fn write(&mut self, id: PersonId, entry: &scenario::Person) {
        let client = entry.client.as_ref().map(|c| c.as_deref().and_then(|c| self.psa.client(c)).map(|c| c.id));
        let site = entry.site.as_ref().map(|s| s.as_deref().and_then(|s| self.psa.site(s)));
        let Some(row) = self.psa.people.get_mut(&id) else { return };
        let person = &mut row.person;
        person.client = client.unwrap_or(person.client);
        person.site = site.unwrap_or(person.site);
        person.status = entry.status.unwrap_or(person.status);
        person.access = entry.access.unwrap_or(person.access);
        person.root = entry.root.unwrap_or(person.root);
        person.tickets = entry.tickets.unwrap_or(person.tickets);
        person.invoices = entry.invoices.unwrap_or(person.invoices);
        if let Some(pinned) = &entry.pinned {
            person.pinned.clone_from(pinned);
        }
        if let Some(names) = &entry.stands_for {
            person.stands_for.clone_from(names);
        }
        for (field, value) in &entry.fields {
            // The file's reader has checked the values' forms.
            let _ = person.set(field, value.clone());
        }
    }

    /// Ties records to users as applied with what Entra holds now; `true`: sync itself took the record out of use.
    fn adopt(&mut self, links: &[(PersonId, SourceId, bool)]) {
        if links.is_empty() {
            return;
        }
        // All are tied before any is taken as applied: one may be the other's manager, and scope looks at who has a record.
        for (person, user, _) in links {
            let key = self.directory.user(user).key;
            self.psa.link(*person, key, user, LinkState::default());
        }
        let planner = self.planner(model::run::RunKind::Full);
        let index = Index::of(self, &planner.key_fields());
        let mut states = Vec::with_capacity(links.len());
        for (person, user, by_sync) in links {
            let (Some(facts), Some(row)) = (self.facts(user, &planner), self.psa.people.get(person)) else { continue };
            let answers = index.all(&planner.batch(std::slice::from_ref(&facts)), &Claims::default());
            states.push((*person, facts.key, user, planner.adopt(&facts, &row.person, *by_sync, &answers)));
        }
        for (person, key, user, state) in states {
            self.psa.link(person, key, user, state);
        }
    }
}
