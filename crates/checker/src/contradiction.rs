//! What can be wrong with a plan, in sentences.

use crate::ledger::Plan;
use model::plan::{Change, Decision, Verb};
use model::{Field, Kind, PersonId, SourceId, UserKey};
use std::fmt;

/// Contradictions that are handed out: the first ones tell what is wrong.
pub const MOST: usize = 100;

/// Contradictions that are kept while a plan is made, those of decisions that are made again among them: a plan that is wrong
/// throughout must not fill the memory.
const KEPT: usize = 10_000;

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The change, where it is about one.
    pub place: Option<Place>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {} ({}).", self.fault, self.fault.ruling()),
            None => write!(f, "The plan as a whole: {} ({}).", self.fault, self.fault.ruling()),
        }
    }
}

/// Which change, or which user when there is no change to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it does; none when it is about the user.
    pub verb: Option<Verb>,
    /// The record's kind.
    pub kind: Option<Kind>,
    /// The record; none for a create.
    pub record: Option<PersonId>,
    /// The user.
    pub user: SourceId,
}

impl Place {
    pub(crate) fn of(change: &Change) -> Self {
        Self { verb: Some(change.verb), kind: Some(change.kind), record: change.record, user: change.source_id.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verb, self.kind) {
            (Some(verb), Some(kind)) => write!(f, "{} of {kind}", verb.label())?,
            _ => f.write_str("The decision")?,
        }
        if let Some(record) = self.record {
            write!(f, " record {record}")?;
        }
        write!(f, " for user {}", self.user)
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another change of this plan is about the same record.
    SecondChange,
    /// Another change of this plan sets the same field of the same record.
    FieldSetTwice,
    /// A create names a record, or another verb names none.
    Nameless,
    /// The record is not among those that planning was told of.
    UnknownRecord(PersonId),
    /// The change is of one kind, the record of the other.
    WrongKind(Kind),
    /// The record has another version than the change was made from.
    WrongVersion,
    /// What the change says it replaces is not what the record holds.
    WrongBefore(Field),
    /// The new value is the one the record holds.
    NoDifference(Field),
    /// Nothing is set.
    Empty,
    /// The verb says one thing and the fields another.
    VerbAndFields(&'static str),
    /// A root record's username, role, status or access.
    Root(Field),
    /// The record, or this field of it, is pinned.
    Pinned(Field),
    /// A removal after an incomplete read.
    IncompleteRead,
    /// Of a record that is not linked to this user.
    NotLinked,
    /// A link to an archived record.
    LinkToArchived,
    /// A link to a record of another user.
    LinkedElsewhere,
    /// What a person archived is brought back.
    PersonsArchive,
    /// What a person took out of use is put back.
    PersonsHand,
    /// The user would have two log-ins.
    TwoLogIns,
    /// The user would have two records of one kind.
    TwoOfAKind(Kind),
    /// The username is another record's too.
    UsernameTwice {
        /// The other record; none when the same plan creates it.
        other: Option<PersonId>,
    },
    /// Another user's record is created with the same e-mail.
    EmailTwice,
    /// The user waits for a person.
    InReview,
    /// The username is what a person is asked about.
    UsernameInReview,
    /// More characters than the field takes.
    TooLong {
        /// The field.
        field: Field,
        /// What fits, in code points.
        limit: usize,
    },
    /// A control character.
    Control(Field),
    /// Not a value of the field's form.
    Malformed(Field),
    /// A created record lacks what it must have.
    Missing(Field),
    /// The manager is a user who gets no record in this plan.
    UnknownManager,
    /// What the guard is told of the change is not what the change does.
    Effects(Figure),
    /// The link does not remember who took the record out of use.
    Marker,
    /// A record without a link after the change.
    Unbooked,
    /// The user was decided twice.
    DecidedTwice,
    /// The user is counted nowhere.
    Uncounted,
    /// A figure of the whole plan is not that of its changes.
    Weighed {
        /// Which.
        figure: Figure,
        /// As counted here.
        counted: i64,
        /// As weighed or stored.
        given: i64,
    },
}

/// A figure of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// All changes.
    Changes,
    /// Records taken out of use, or access from them.
    Removals,
    /// Removals of records that are linked only to be taken out of use.
    RemovalsOfUnlinked,
    /// What sync gives back.
    Returns,
    /// Linked records with a key field changed.
    Rekeys,
    /// Records created.
    Creates,
    /// Agents created.
    AgentCreates,
    /// Users looked at.
    Users,
    /// Users with nothing to change.
    Unchanged,
    /// Users out of scope or selected by no rule.
    Excluded,
    /// Users who wait for a person.
    InReview,
    /// Users who failed.
    Failed,
    /// Changes of one verb.
    Of(Verb),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Figure::Changes => "changes",
            Figure::Removals => "removals",
            Figure::RemovalsOfUnlinked => "removals of records that it links",
            Figure::Returns => "returns",
            Figure::Rekeys => "changes of a key field",
            Figure::Creates => "creates",
            Figure::AgentCreates => "creates of agents",
            Figure::Users => "users",
            Figure::Unchanged => "unchanged users",
            Figure::Excluded => "excluded users",
            Figure::InReview => "users in review",
            Figure::Failed => "failed users",
            Figure::Of(verb) => return write!(f, "changes of the kind {verb}"),
        })
    }
}

impl Fault {
    /// The rule that is broken.
    #[must_use]
    pub fn ruling(&self) -> &'static str {
        match self {
            Fault::SecondChange | Fault::FieldSetTwice | Fault::VerbAndFields(_) | Fault::Empty => "ruling 8",
            Fault::Nameless | Fault::UnknownRecord(_) => "ruling 6",
            Fault::WrongKind(_) => "ruling 64",
            Fault::WrongVersion | Fault::WrongBefore(_) => "ruling 88",
            Fault::NoDifference(_) => "rulings 46 and 66",
            Fault::Root(_) => "R12, ruling 77",
            Fault::Pinned(_) => "ruling 7",
            Fault::IncompleteRead => "L03, ruling 2",
            Fault::NotLinked => "L01",
            Fault::LinkToArchived => "ruling 71",
            Fault::LinkedElsewhere => "rulings 50 and 54",
            Fault::PersonsArchive => "ruling 73",
            Fault::PersonsHand => "ruling 78",
            Fault::TwoLogIns | Fault::TwoOfAKind(_) => "ruling 45",
            Fault::UsernameTwice { .. } => "ruling 52",
            Fault::EmailTwice => "ruling 51",
            Fault::InReview => "ruling 92",
            Fault::UsernameInReview => "ruling 53",
            Fault::TooLong { .. } | Fault::Control(_) => "ruling 63",
            Fault::Malformed(_) => "rulings 18 and 124",
            Fault::Missing(_) => "rulings 40 and 104",
            Fault::UnknownManager => "ruling 11",
            Fault::Effects(Figure::Rekeys) => "ruling 85",
            Fault::Effects(Figure::Returns) => "ruling 109",
            Fault::Effects(_) => "rulings 8 and 110",
            Fault::Marker => "rulings 78 and 89",
            Fault::Unbooked => "ruling 89",
            Fault::DecidedTwice | Fault::Uncounted => "ruling 113",
            Fault::Weighed { .. } => "rulings 80 and 94",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::SecondChange => f.write_str("another change of this plan is about the same record"),
            Fault::FieldSetTwice => f.write_str("another change of this plan sets the same field of the same record"),
            Fault::Nameless => f.write_str("a create names no record, and everything else names one"),
            Fault::UnknownRecord(id) => write!(f, "record {id} is none that planning was told of"),
            Fault::WrongKind(kind) => write!(f, "the record is a {kind}, and no change makes one kind of the other"),
            Fault::WrongVersion => f.write_str("the change was made from another version of the record"),
            Fault::WrongBefore(field) => write!(f, "{field} is said to replace a value that the record does not hold"),
            Fault::NoDifference(field) => write!(f, "{field} is set to what the record holds already"),
            Fault::Empty => f.write_str("it sets nothing"),
            Fault::VerbAndFields(what) => f.write_str(what),
            Fault::Root(field) => write!(f, "{field} of a root record is never changed by sync"),
            Fault::Pinned(field) => write!(f, "{field} is pinned"),
            Fault::IncompleteRead => f.write_str("a removal never follows from an incomplete read"),
            Fault::NotLinked => f.write_str("the record is not linked to this user, and is not being linked"),
            Fault::LinkToArchived => f.write_str("the record is archived, and an archived record is never linked"),
            Fault::LinkedElsewhere => f.write_str("the record is linked to another user, who keeps it"),
            Fault::PersonsArchive => f.write_str("only what sync itself archived for this user is restored"),
            Fault::PersonsHand => f.write_str("a person took the record out of use, and that stands"),
            Fault::TwoLogIns => f.write_str("the user would have two log-ins"),
            Fault::TwoOfAKind(kind) => write!(f, "the user would have two {kind} records"),
            Fault::UsernameTwice { other: Some(other) } => write!(f, "record {other} has the same username"),
            Fault::UsernameTwice { other: None } => f.write_str("a record that this plan creates gets the same username"),
            Fault::EmailTwice => f.write_str("this plan creates a record with the same e-mail for another user"),
            Fault::InReview => {
                f.write_str("the user waits for a person, and nothing but a removal is written until that is decided")
            }
            Fault::UsernameInReview => f.write_str("a person is asked about the username, so it is not written"),
            Fault::TooLong { field, limit } => write!(f, "{field} is longer than the {limit} characters it takes"),
            Fault::Control(field) => write!(f, "{field} holds a control character"),
            Fault::Malformed(field) => write!(f, "{field} is not a value of its form"),
            Fault::Missing(field) => write!(f, "a record is created without {field}, which it must have"),
            Fault::UnknownManager => f.write_str("the manager is a user for whom this plan writes no record"),
            Fault::Effects(figure) => write!(f, "whether it counts among the {figure} is told wrongly to the guard"),
            Fault::Marker => f.write_str("the link would not remember whether sync itself took the record out of use"),
            Fault::Unbooked => f.write_str("the link would forget what was written"),
            Fault::DecidedTwice => f.write_str("the user was decided twice"),
            Fault::Uncounted => {
                f.write_str("the user is neither changed nor unchanged, excluded, in review or failed, so no figure counts them")
            }
            Fault::Weighed { figure, counted, given } => {
                write!(f, "it holds {counted} {figure}, and {given} are stored and weighed")
            }
        }
    }
}

/// What was found so far, by the number of its decision: decisions that are made again take their faults with them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    faults: Vec<(u32, UserKey, Option<PersonId>, Contradiction)>,
}

impl Found {
    pub(crate) fn add(&mut self, number: u32, change: &Change, fault: Fault) {
        if self.faults.len() < KEPT {
            let place = Some(Place::of(change));
            self.faults.push((number, change.user, change.record, Contradiction { place, fault }));
        }
    }

    pub(crate) fn user(&mut self, number: u32, decision: &Decision, fault: Fault) {
        if self.faults.len() < KEPT {
            let place = Place { verb: None, kind: None, record: None, user: decision.source_id.clone() };
            self.faults.push((number, decision.user, None, Contradiction { place: Some(place), fault }));
        }
    }

    /// About the finished plan: nothing takes these back.
    pub(crate) fn settled(&mut self, place: Option<Place>, fault: Fault) {
        if self.faults.len() < KEPT {
            self.faults.push((u32::MAX, UserKey(i64::MIN), None, Contradiction { place, fault }));
        }
    }

    pub(crate) fn of(self, plan: &Plan) -> Vec<Contradiction> {
        let stands = |number, user, record| number == u32::MAX || plan.is_alive(number, user, record);
        self.faults
            .into_iter()
            .filter(|(number, user, record, _)| stands(*number, *user, *record))
            .map(|(.., c)| c)
            .take(MOST)
            .collect()
    }
}
