//! Managers as records (F04, ruling 11): a user's manager may have a record, get one by this very plan, or have none yet.
//!
//! Which of these holds is certain only when everybody is decided. Until then a manager without a record is taken to get one, which
//! on a first run is nearly always so; [`crate::Claims::settle`] then names those for whom it turned out otherwise.

use model::attributes::Hash;
use model::plan::{Change, Verb};
use model::{Field, Kind, PersonId, SourceId, Value};
use std::collections::{HashMap, HashSet};

/// What a user's manager comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// This record.
    Record(PersonId),
    /// The record this plan creates for them: written as `user:<id>`, and put in its place when the plan is applied.
    Created,
    /// They have no record: the field is empty, and the user is looked at again once they have.
    Unresolved,
}

/// How a manager who is created by the same plan stands in a change.
const CREATED: &str = "user:";

impl Manager {
    /// The field's value; null when it is empty.
    pub(crate) fn value(self, id: &SourceId) -> Value {
        match self {
            Manager::Record(record) => Value::from(record.0),
            Manager::Created => Value::from(format!("{CREATED}{id}")),
            Manager::Unresolved => Value::Null,
        }
    }
}

/// What is known of managers in one run. By the hash of their source ids: a few dozen bytes for each record that is made.
#[derive(Debug, Default)]
pub(crate) struct Managers {
    /// Records that this plan makes (none yet) or ties to users.
    made: HashMap<(Hash, Kind), Option<PersonId>>,
    /// Records that this plan takes from their users.
    lost: HashSet<PersonId>,
    asked: HashMap<Hash, Asked>,
    everyone_decided: bool,
}

/// Who has one manager.
#[derive(Debug, Default)]
struct Asked {
    /// The manager's live records before this plan.
    told: Vec<(Kind, PersonId)>,
    /// Users by their places, with what was assumed for each.
    by: HashMap<u32, Manager>,
}

impl Managers {
    /// What a manager comes to, as far as is known by now; of two records it is the agent's. `told` are their live records before
    /// this plan.
    pub(crate) fn of(&self, id: &SourceId, told: &[(Kind, PersonId)]) -> Manager {
        let none = if self.everyone_decided { Manager::Unresolved } else { Manager::Created };
        self.record(Hash::of(id.as_str()), told).unwrap_or(none)
    }

    fn record(&self, id: Hash, told: &[(Kind, PersonId)]) -> Option<Manager> {
        [Kind::Agent, Kind::Contact].into_iter().find_map(|kind| {
            let made = self.made.get(&(id, kind)).map(|record| record.map_or(Manager::Created, Manager::Record));
            let told = || told.iter().find(|(k, record)| *k == kind && !self.lost.contains(record));
            made.or_else(|| told().map(|(_, record)| Manager::Record(*record)))
        })
    }

    /// A user was decided with this manager; should it turn out otherwise, they are decided again.
    pub(crate) fn ask(&mut self, user: u32, id: &SourceId, told: &[(Kind, PersonId)]) -> Manager {
        let manager = self.of(id, told);
        let asked = self.asked.entry(Hash::of(id.as_str())).or_insert_with(|| Asked { told: told.to_vec(), by: HashMap::new() });
        asked.by.insert(user, manager);
        manager
    }

    /// A user was decided anew and does not look for a manager any more.
    pub(crate) fn forget(&mut self, user: u32, id: &SourceId) {
        if let Some(asked) = self.asked.get_mut(&Hash::of(id.as_str())) {
            asked.by.remove(&user);
        }
    }

    /// Takes in what a decision does to its user's records, in the place of an earlier one.
    pub(crate) fn note(&mut self, id: &SourceId, changes: &[Change]) {
        if changes.iter().all(|c| c.verb == Verb::Update) && self.made.is_empty() {
            return;
        }
        let id = Hash::of(id.as_str());
        for kind in [Kind::Agent, Kind::Contact] {
            self.made.remove(&(id, kind));
        }
        for change in changes {
            // The link moved here from somebody who is gone (ruling 54).
            self.lost.extend(change.record.filter(|_| change.unlink.is_some()));
            let archived = change.set.get(&Field::STATUS).is_some_and(|s| s == "archived");
            match change.verb {
                Verb::Create => {
                    self.made.insert((id, change.kind), None);
                }
                Verb::Link | Verb::Restore if !archived => {
                    self.made.insert((id, change.kind), change.record);
                }
                Verb::Archive => self.lost.extend(change.record),
                _ => {}
            }
        }
    }

    /// Everybody was decided at least once: who has no record by now gets none.
    pub(crate) fn close(&mut self) {
        self.everyone_decided = true;
    }

    /// Users, by their places, who were decided with another manager than they have. Each is named once: whoever is decided again asks
    /// again, unless something else of them has changed so that their manager does not matter.
    pub(crate) fn mistaken(&mut self) -> Vec<u32> {
        if !self.everyone_decided {
            return Vec::new();
        }
        let mut mistaken = Vec::new();
        let mut asked = std::mem::take(&mut self.asked);
        for (id, asked) in &mut asked {
            let is = self.record(*id, &asked.told).unwrap_or(Manager::Unresolved);
            mistaken.extend(asked.by.extract_if(|_, assumed| *assumed != is).map(|(user, _)| user));
        }
        self.asked = asked;
        mistaken
    }
}
