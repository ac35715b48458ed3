//! The records that planning was told of: those linked to the users of a batch, and those that answered its questions.

use model::facts::{Answers, Candidate, Choice, UserFacts};
use model::records::Person;
use model::{Field, Kind, PersonId, Status, UserKey, Value, text};
use std::collections::HashMap;

/// A record as it is before the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) person: &'a Person,
    pub(crate) tie: Option<Tie>,
}

/// Whom a record is linked to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tie {
    pub(crate) user: UserKey,
    /// Sync itself took the record out of use.
    pub(crate) by_sync: bool,
}

/// Every record of a batch, by id.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    by_id: HashMap<PersonId, Record<'a>>,
    users: HashMap<UserKey, &'a UserFacts>,
    answers: &'a Answers,
}

impl<'a> Records<'a> {
    pub(crate) fn new(users: &'a [UserFacts], answers: &'a Answers) -> Self {
        let mut by_id = HashMap::new();
        by_id.extend(answers.candidates().map(|c| (c.person.id, of_candidate(c))));
        for linked in users.iter().flat_map(|u| &u.links) {
            let by_sync = linked.link.deactivated_by.as_ref().is_some_and(|d| d.by_sync);
            let tie = Some(Tie { user: linked.link.user, by_sync });
            by_id.insert(linked.person.id, Record { person: &linked.person, tie });
        }
        Self { by_id, users: users.iter().map(|u| (u.key, u)).collect(), answers }
    }

    pub(crate) fn get(&self, id: PersonId) -> Option<Record<'a>> {
        self.by_id.get(&id).copied()
    }

    /// The records linked to a user before the plan, but for archived ones.
    pub(crate) fn live_of(&self, user: UserKey) -> impl Iterator<Item = &'a Person> {
        let links = self.users.get(&user).map(|u| u.links.as_slice()).unwrap_or_default();
        links.iter().map(|l| &l.person).filter(|p| p.status != Status::Archived)
    }

    /// Whether a person has said that this user stays out.
    pub(crate) fn is_dismissed(&self, user: UserKey) -> bool {
        self.users.get(&user).and_then(|u| u.review.as_ref()).is_some_and(|r| r.dismissed)
    }

    /// What a person has answered: a new record, or one there is. A record of the other kind stays beside either (ruling 13).
    pub(crate) fn chosen(&self, user: UserKey, kind: Kind) -> Option<Choice> {
        self.users.get(&user).and_then(|u| u.chosen(kind))
    }

    /// The records in use that were told to have a username, by its folded form.
    pub(crate) fn holders(&self, folded: &str) -> impl Iterator<Item = Record<'a>> {
        let holders = self.answers.usernames.get(folded).map(Vec::as_slice).unwrap_or_default();
        holders.iter().filter(|c| c.person.status != Status::Archived).map(of_candidate)
    }
}

fn of_candidate(candidate: &Candidate) -> Record<'_> {
    let tie = candidate.linked.as_ref().map(|l| Tie { user: l.user, by_sync: l.deactivated_by_sync });
    Record { person: &candidate.person, tie }
}

/// Whether somebody can log in with a record: it is in use, may be used, and has a name to log in with (ruling 70).
pub(crate) fn is_log_in(status: &Value, access: &Value, username: &Value) -> bool {
    status.as_str() == Some(Status::Active.as_str()) && access.as_bool() == Some(true) && !text::is_empty(username)
}

/// The same of a record as it is.
pub(crate) fn has_log_in(person: &Person) -> bool {
    person.status == Status::Active && person.access && person.username.as_deref().is_some_and(|u| !text::trim(u).is_empty())
}

/// The value a field of a record holds; nothing in a record that is being created, but for its being in use.
pub(crate) fn value_of(person: Option<&Person>, field: &Field) -> Value {
    match person {
        Some(person) => person.get(field),
        None if *field == Field::STATUS => Value::from(Status::Active.as_str()),
        None if *field == Field::ACCESS => Value::Bool(true),
        None => Value::Null,
    }
}
