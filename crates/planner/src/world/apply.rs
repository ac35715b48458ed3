//! Carrying out a plan in the world, as a run would against a store.

use super::{Pending, Removal, World};
use model::plan::{Change, Verb};
use model::{Field, SourceId, Status, Value};

impl World {
    /// Writes a plan into the records; what it removes goes into the ledger.
    pub(super) fn apply(&mut self, plan: &Pending, approved: bool) {
        self.write_plan(plan, approved);
        self.seen = self.look();
    }

    /// The records' part of that. A plan of one user says nothing about what the source looks like.
    pub(super) fn write_plan(&mut self, plan: &Pending, approved: bool) {
        for change in &plan.changes {
            self.apply_change(change, approved);
        }
        self.late_managers(plan);
        for (person, state) in &plan.bookings {
            let link = self.psa.people.get(person).and_then(|r| r.link.as_ref()).map(|l| (l.user, l.source_id.clone()));
            if let Some((user, id)) = link {
                self.psa.link(*person, user, &id, state.clone());
            }
        }
    }

    fn apply_change(&mut self, change: &Change, approved: bool) {
        let created = || format!("new:{}:{}", change.source_id, change.kind);
        let person = change.record.unwrap_or_else(|| self.psa.add(&created(), change.kind).person.id);
        let mut set = change.set.clone();
        let mut link = change.link.clone();
        if let Some(site) = &change.new_site {
            // Found by whoever comes after the first.
            let id = Value::from(self.psa.make_site(site).0);
            set.insert(Field::SITE, id.clone());
            link.iter_mut().for_each(|l| drop(l.decided.insert(Field::SITE, id.clone())));
        }
        if let Some(row) = self.psa.people.get_mut(&person) {
            if change.verb != Verb::Create {
                row.person.version += 1;
                let records = self.rejected.iter_mut().flat_map(|r| r.values_mut()).flat_map(|inputs| &mut inputs.records);
                // What sync itself writes is no reason to ask again (ruling 111).
                records.filter(|(id, seen)| *id == person && *seen + 1 == row.person.version).for_each(|(_, seen)| *seen += 1);
            }
            for (field, value) in &set {
                // The planner writes only values of the field's form.
                let _ = row.person.set(field, value.clone());
            }
        }
        if let Some(state) = link {
            self.psa.link(person, change.user, &change.source_id, state);
        }
        if change.effects.removal {
            self.ledger.push(Removal { person, at: self.now, approved, undone: false });
        }
        if change.effects.returns {
            self.ledger.iter_mut().filter(|r| r.person == person).for_each(|r| r.undone = true);
        }
    }

    /// Puts the records that came to be with a plan in the place of `user:<id>` (ruling 11).
    fn late_managers(&mut self, plan: &Pending) {
        for change in &plan.changes {
            let Some(manager) = change.set.get(&Field::MANAGER).and_then(Value::as_str) else { continue };
            let manager = SourceId::new(manager.strip_prefix("user:").unwrap_or(manager));
            let live = self.psa.people.values().filter(|r| r.person.status != Status::Archived);
            let of_manager = live.filter(|r| r.link.as_ref().is_some_and(|l| l.source_id == manager));
            let record = of_manager.min_by_key(|r| r.person.kind).map(|r| Value::from(r.person.id.0));
            let own = change.record.or_else(|| self.psa.person_id(&format!("new:{}:{}", change.source_id, change.kind)));
            let Some(row) = own.and_then(|id| self.psa.people.get_mut(&id)) else { continue };
            // A record id is a value of the field's form.
            let _ = row.person.set(&Field::MANAGER, record.clone().unwrap_or(Value::Null));
            if let (Some(link), Some(record)) = (&mut row.link, record) {
                link.decided.insert(Field::MANAGER, record);
            }
        }
    }
}
