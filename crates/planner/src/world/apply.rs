//! Carrying out a plan in the world, as a run would against a store.

use super::{Pending, Removal, World};
use model::plan::{Change, Verb};

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
        if let Some(row) = self.psa.people.get_mut(&person) {
            if change.verb != Verb::Create {
                row.person.version += 1;
            }
            for (field, value) in &change.set {
                // The planner writes only values of the field's form.
                let _ = row.person.set(field, value);
            }
        }
        if let Some(state) = &change.link {
            self.psa.link(person, change.user, &change.source_id, state.clone());
        }
        if change.effects.removal {
            self.ledger.push(Removal { person, at: self.now, approved, undone: false });
        }
        if change.effects.returns {
            self.ledger.iter_mut().filter(|r| r.person == person).for_each(|r| r.undone = true);
        }
    }
}
