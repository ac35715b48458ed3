//! What a person may answer to a review item (ruling 13).

use crate::claims::Claims;
use crate::decide::{Planner, Selection, is_gone, live};
use crate::matching::Hit;
use crate::rules::Won;
use model::facts::{Answers, Choice, Resolution, UserFacts};
use model::reason::ReviewWhy;
use model::{Kind, PersonId, SourceId};

/// Why an answer cannot be followed; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no item.
    #[error("Nothing is asked about {0}. Look at the open review items.")]
    NoItem(SourceId),
    /// The item is about the policy, not about records.
    #[error(
        "The rule's client or site cannot be found, so no record can be chosen. Map the tenant to a client, or mend the rule."
    )]
    ClientUnresolved,
    /// Out of scope, gone, or selected by no rule.
    #[error("No rule selects {0} any more, so there is no record to choose. Dismiss the item, or let the next run close it.")]
    NotSelected(SourceId),
    /// There is no such record.
    #[error("Record {0} does not exist. Choose one of the candidates.")]
    NoRecord(PersonId),
    /// Archived records are never linked.
    #[error("Record {0} is archived, and archived records are never linked. Choose another one, or create a new record.")]
    Archived(PersonId),
    /// Somebody else has the record.
    #[error("Record {record} is linked to {user}. Unlink it there first, or choose another one.")]
    LinkedElsewhere {
        /// The record.
        record: PersonId,
        /// Who has it.
        user: SourceId,
    },
    /// The user has a record of this kind.
    #[error("{user} has record {record} already. A user has one {kind} at most.")]
    HasRecord {
        /// The user.
        user: SourceId,
        /// Their record.
        record: PersonId,
        /// Its kind.
        kind: Kind,
    },
}

/// What a person chose for the user's record of a kind. A record of the other kind answers for its own where the rule wants both: who
/// is told that another record has the username may say that it is the user's second one (rulings 13 and 45).
pub(crate) fn choice(user: &UserFacts, won: &Won<'_>, kind: Kind, answers: &Answers) -> Option<Choice> {
    let wanted = won.compiled.rule.then.kind.kinds();
    let of = |resolution: &Resolution| match resolution.choice {
        Choice::Link(record) => {
            let own = live(user).find(|l| l.person.id == record).map(|l| &l.person);
            let found = own.or_else(|| answers.records.get(&record).map(|c| c.person.as_ref()));
            found.map(|p| p.kind).filter(|kind| wanted.contains(kind)).unwrap_or(resolution.kind)
        }
        Choice::Create => resolution.kind,
    };
    let answers = user.resolutions.iter().filter(|r| of(r) == kind);
    answers.max_by_key(|r| r.kind == kind).map(|r| r.choice)
}

impl Planner {
    /// Why the answer in [`UserFacts::resolutions`] to the item of its kind cannot be followed; none when it can. `answers` are those to
    /// [`Planner::questions`] about this user.
    #[must_use]
    pub fn refusal(&self, user: &UserFacts, answers: &Answers) -> Option<Refusal> {
        let Some((item, choice)) = user.review.as_ref().and_then(|item| Some((item, user.chosen(item.kind)?))) else {
            return Some(Refusal::NoItem(user.id.clone()));
        };
        if item.why == ReviewWhy::ClientUnresolved {
            return Some(Refusal::ClientUnresolved);
        }
        if is_gone(user) || matches!(self.select(user), Selection::Excluded(_)) {
            return Some(Refusal::NotSelected(user.id.clone()));
        }
        let own = |kind| live(user).find(|l| l.person.kind == kind);
        let has_one = |kind| own(kind).map(|l| Refusal::HasRecord { user: user.id.clone(), record: l.person.id, kind });
        let Choice::Link(record) = choice else { return has_one(item.kind) };
        if let Some(linked) = live(user).find(|l| l.person.id == record) {
            // Their own record, which is asked about: it comes back, or stays what it is. Another of theirs is no answer.
            let is_asked = item.candidates.contains(&record);
            return if is_asked { None } else { has_one(linked.person.kind) };
        }
        let Some(candidate) = answers.records.get(&record) else { return Some(Refusal::NoRecord(record)) };
        if !candidate.usable() {
            return Some(Refusal::Archived(record));
        }
        if let Some(user) = Hit::of(user, self.tenant.tenant, candidate, &Claims::default()).linked_to() {
            return Some(Refusal::LinkedElsewhere { record, user: user.clone() });
        }
        has_one(candidate.person.kind).or_else(|| has_one(item.kind))
    }
}
