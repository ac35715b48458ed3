//! A second pair of eyes on a finished plan. Reads every decision of a plan, with the records it touches, and refuses
//! contradictions: two log-ins for one user, a change to a root record's access, a removal from an incomplete read, guard figures that
//! are not those of the changes. A plan that is refused is never applied.
//!
//! The checker shares no code with the planner and depends on `model` alone: its rules are written from the product's rulings, so that
//! a mistake has to be made twice before it reaches a record. It decides nothing: it does not know the policy's rules and cannot
//! say what should have been planned, only that what was planned cannot be right.
//!
//! ```text
//! Checker::new(facts) ─► batch(users, answers, decisions) … forget_users(…) … ─► finish(weights, counts)
//! ```
//!
//! Batches may come in any order and size. What is kept of a change is some eighty bytes, so that a plan of a hundred thousand changes
//! costs eight megabytes while it is being made.

mod change;
mod contradiction;
mod effects;
mod ledger;
mod people;
mod values;
mod verbs;
mod whole;

pub use contradiction::{Contradiction, Fault, Figure, MOST, Place};

use contradiction::Found;
use ledger::Ledger;
use model::facts::{Answers, UserFacts};
use model::plan::{Change, Decision, Weights};
use model::policy::{OnKindChange, Policy, RuleKind};
use model::records::Person;
use model::run::{Counts, RunKind};
use model::{Field, Kind, RuleId, UserKey};
use people::{Record, Records, Tie};
use std::collections::{BTreeMap, HashSet};

/// What is the same for the whole plan.
#[derive(Debug, Clone)]
pub struct PlanFacts {
    /// The read it follows from.
    pub run: RunKind,
    /// Longest values by field, in code points (ruling 63).
    pub limits: BTreeMap<Field, usize>,
    /// Rules that make two records of one user, of which one has the log-in (ruling 45).
    pub two_records: HashSet<RuleId>,
    /// A change of kind leaves the old record and its log-in beside the new one (ruling 74).
    pub keeps_both: bool,
}

impl PlanFacts {
    /// The facts of a plan made by this policy from a read of this kind.
    #[must_use]
    pub fn new(policy: &Policy, run: RunKind) -> Self {
        let two_records = policy.rules.iter().filter(|r| r.then.kind == RuleKind::AgentAndContact).map(|r| r.id.clone());
        let keeps_both =
            [Kind::Agent, Kind::Contact].iter().any(|kind| policy.lifecycle.of(*kind).on_kind_change == OnKindChange::Both);
        Self { run, limits: policy.limits.clone(), two_records: two_records.collect(), keeps_both }
    }
}

/// Looks over one plan as it is made.
#[derive(Debug)]
pub struct Checker {
    facts: PlanFacts,
    ledger: Ledger,
    found: Found,
}

impl Checker {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(facts: PlanFacts) -> Self {
        Self { facts, ledger: Ledger::default(), found: Found::default() }
    }

    /// The same with room for so many users and a change of each.
    #[must_use]
    pub fn with_room(facts: PlanFacts, users: usize) -> Self {
        Self { ledger: Ledger::with_room(users), ..Self::new(facts) }
    }

    /// Reads a batch of decisions with what they were decided from: the users' facts and the answers given for the batch.
    pub fn batch(&mut self, users: &[UserFacts], answers: &Answers, decisions: &[Decision]) {
        let records = Records::new(users, answers);
        for decision in decisions {
            self.decision(decision, &records);
        }
    }

    /// Reads a change that takes another one back (undo). No policy made it, and it restores what was there whatever its form, so only
    /// what holds for every change is looked at. `linked` is the user whom the record is linked to now.
    pub fn taken_back(&mut self, change: &Change, person: &Person, linked: Option<UserKey>) {
        let number = self.ledger.next();
        let mut say = |fault| self.found.add(number, change, fault);
        let record = Record { person, tie: linked.map(|user| Tie { user, by_sync: false }) };
        change::form(change, Some(record), &mut say);
        change::root(change, Some(person), &mut say);
        effects::removal(change, Some(person), &mut say);
        let (users, answers) = (Vec::new(), Answers::default());
        self.ledger.change(change, Some(record), &Records::new(&users, &answers), false);
    }

    /// These users are decided again: what was read of them before is void.
    pub fn forget_users(&mut self, users: impl IntoIterator<Item = UserKey>) {
        self.ledger.forget_users(users);
    }

    /// What the whole plan contradicts itself in. `counts` are the run's, where a store has counted.
    ///
    /// # Errors
    /// Every contradiction found, in the order of the decisions; at most [`MOST`] of them.
    pub fn finish(mut self, weights: &Weights, counts: Option<&Counts>) -> Result<(), Vec<Contradiction>> {
        let plan = self.ledger.close();
        whole::records(&plan, &mut self.found);
        whole::usernames(&plan, &mut self.found);
        whole::emails(&plan, &mut self.found);
        whole::log_ins(&plan, &mut self.found);
        whole::managers(&plan, &mut self.found);
        whole::weights(&plan, weights, &mut self.found);
        whole::counts(&plan, counts, &mut self.found);
        let found = self.found.of(&plan);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn decision(&mut self, decision: &Decision, records: &Records<'_>) {
        self.ledger.forget_records(decision.replaces.iter().copied());
        let number = self.ledger.next();
        self.ledger.user(decision, records, &mut self.found);
        for change in &decision.changes {
            let mut say = |fault| self.found.add(number, change, fault);
            let record = change.record.and_then(|id| records.get(id));
            let person = record.map(|r| r.person);
            if let (Some(id), None) = (change.record, record) {
                say(Fault::UnknownRecord(id));
            }
            change::form(change, record, &mut say);
            change::empty(change, &mut say);
            verbs::fit(change, record, &mut say);
            change::tie(change, decision, record, &mut say);
            change::root(change, person, &mut say);
            change::pinned(change, person, &mut say);
            change::reviewed(change, decision, records, &mut say);
            values::fit(change, &self.facts.limits, &mut say);
            effects::agree(change, person, self.facts.run, &mut say);
            // A person's answer about one of two records is about the other as well, which stays beside it.
            let is_answered = |kind| records.chosen(change.user, kind).is_some();
            let beside = self.facts.keeps_both || is_answered(change.kind) || is_answered(change.kind.other());
            let one_log_in = !beside || change.rule.as_ref().is_some_and(|r| self.facts.two_records.contains(r));
            self.ledger.change(change, record, records, one_log_in);
        }
    }
}

/// A whole plan at once, for plans that are in memory: what it contradicts itself in, in sentences.
#[must_use]
pub fn objections(
    facts: PlanFacts,
    users: &[UserFacts],
    answers: &Answers,
    decisions: &[Decision],
    weights: &Weights,
) -> Vec<String> {
    let mut checker = Checker::new(facts);
    let records = Records::new(users, answers);
    // A decision that takes the place of another's change comes after it, as in a run.
    let (later, first): (Vec<&Decision>, Vec<&Decision>) = decisions.iter().partition(|d| !d.replaces.is_empty());
    first.into_iter().chain(later).for_each(|decision| checker.decision(decision, &records));
    match checker.finish(weights, None) {
        Ok(()) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    }
}
