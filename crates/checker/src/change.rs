//! What holds for every change, whatever it does: that it is about the record it names, that something differs, and that the record
//! is this user's, not a root record's access, not pinned and not waiting for a person.

use crate::contradiction::Fault;
use crate::people::{Record, Records};
use model::address::AddressKey;
use model::plan::{Change, Decision, Verb};
use model::reason::{Reason, ReviewWhy};
use model::records::Person;
use model::{Field, Status, Value, text};
use std::collections::BTreeSet;

/// Fields that decide whether somebody can get in, and as what.
const ACCESS: [Field; 4] = [Field::STATUS, Field::ACCESS, Field::ROLE, Field::EXTRA_ROLES];

/// The change names its record, is of its kind and version, and sets what differs from what the record holds (rulings 6, 46, 66).
pub(crate) fn form(change: &Change, record: Option<Record<'_>>, say: &mut impl FnMut(Fault)) {
    if (change.verb == Verb::Create) != change.record.is_none() {
        say(Fault::Nameless);
    }
    let Some(person) = record.map(|r| r.person) else {
        for (field, value) in &change.set {
            if change.verb == Verb::Create && value.is_null() {
                say(Fault::NoDifference(field.clone()));
            }
        }
        for (field, value) in change.before.iter().filter(|_| change.verb == Verb::Create) {
            if !value.is_null() {
                say(Fault::WrongBefore(field.clone()));
            }
        }
        return;
    };
    if change.kind != person.kind {
        say(Fault::WrongKind(person.kind));
    }
    if change.record_version != person.version {
        say(Fault::WrongVersion);
    }
    for (field, value) in &change.set {
        let now = person.get(field);
        let before = change.before.get(field).unwrap_or(&Value::Null);
        if *before != now {
            say(Fault::WrongBefore(field.clone()));
        }
        if is_same(field, &now, value) && !restates(change.verb, field) {
            say(Fault::NoDifference(field.clone()));
        }
    }
}

/// A change sets something; a link may tie a record that needs nothing else.
pub(crate) fn empty(change: &Change, say: &mut impl FnMut(Fault)) {
    if change.set.is_empty() && change.verb != Verb::Link {
        say(Fault::Empty);
    }
}

/// Who loses access or gets it back is told all of it, also what stays as it is (rulings 41, 69, 70, 73).
fn restates(verb: Verb, field: &Field) -> bool {
    !matches!(verb, Verb::Create | Verb::Update) && [Field::ACCESS, Field::ROLE, Field::EXTRA_ROLES].contains(field)
}

/// Whether two values are no difference: addresses by their key, texts but for white space around the record's (rulings 46, 66).
pub(crate) fn is_same(field: &Field, now: &Value, new: &Value) -> bool {
    if now == new || (text::is_empty(now) && text::is_empty(new)) {
        return true;
    }
    let keys = |value: &Value| -> Option<BTreeSet<AddressKey>> {
        value.as_array()?.iter().map(|v| v.as_str().and_then(AddressKey::of)).collect()
    };
    match (now.as_str(), new.as_str()) {
        (Some(now), Some(new)) if *field == Field::EMAIL => {
            AddressKey::of(now).is_some_and(|key| AddressKey::of(new) == Some(key)) || text::trim(now) == new
        }
        (Some(now), Some(new)) => text::trim(now) == new,
        _ if *field == Field::ADDITIONAL_EMAILS => keys(now).is_some_and(|now| keys(new) == Some(now)),
        _ => false,
    }
}

/// Sync changes and removes only records it is linked to, or links in the same plan (life cycle; rulings 50, 54, 73, 78).
pub(crate) fn tie(change: &Change, decision: &Decision, record: Option<Record<'_>>, say: &mut impl FnMut(Fault)) {
    let Some(record) = record else { return };
    let tie = record.tie.filter(|t| t.user == change.user);
    let archived = record.person.status == Status::Archived;
    match change.verb {
        Verb::Create => {}
        Verb::Link => {
            if archived {
                say(Fault::LinkToArchived);
            }
            let moves = |from: crate::people::Tie| {
                let out_of_use = from.by_sync || decision.replaces.contains(&record.person.id);
                from.user != change.user && change.unlink == Some(from.user) && out_of_use
            };
            if record.tie.is_some_and(|from| !moves(from)) {
                say(Fault::LinkedElsewhere);
            }
        }
        Verb::Restore => {
            if !archived || !tie.is_some_and(|t| t.by_sync) {
                say(Fault::PersonsArchive);
            }
        }
        _ => {
            if tie.is_none() {
                say(Fault::NotLinked);
            }
            if archived {
                say(Fault::VerbAndFields("the record is archived, and nothing but a restore changes it"));
            }
            let gives_back = matches!(change.verb, Verb::Reactivate | Verb::GrantAccess);
            if gives_back && tie.is_some_and(|t| !t.by_sync) {
                say(Fault::PersonsHand);
            }
        }
    }
}

/// A root record's username, role, status and access are never changed (R12, ruling 77).
pub(crate) fn root(change: &Change, person: Option<&Person>, say: &mut impl FnMut(Fault)) {
    if !person.is_some_and(|p| p.root) {
        return;
    }
    for field in change.set.keys().filter(|f| ACCESS.contains(f) || **f == Field::USERNAME) {
        say(Fault::Root(field.clone()));
    }
}

/// What a person pinned stays as it is.
pub(crate) fn pinned(change: &Change, person: Option<&Person>, say: &mut impl FnMut(Fault)) {
    let is_pinned = |field: &Field| person.is_some_and(|p| p.pins(field));
    for field in change.set.keys().filter(|f| is_pinned(f)) {
        say(Fault::Pinned(field.clone()));
    }
}

/// Nothing is written for a user with an open item, except removals; a question about the username of a linked user is about the
/// username alone (rulings 53, 92).
pub(crate) fn reviewed(change: &Change, decision: &Decision, records: &Records<'_>, say: &mut impl FnMut(Fault)) {
    let Some(item) = &decision.review else { return };
    let names_username = |reason: &Reason| matches!(reason, Reason::UsernameTaken { .. });
    let about_username = item.why == ReviewWhy::UsernameTaken || item.evidence.iter().any(names_username);
    if about_username && records.live_of(decision.user).next().is_some() {
        if change.kind == item.kind && change.set.contains_key(&Field::USERNAME) {
            say(Fault::UsernameInReview);
        }
        return;
    }
    let removes = matches!(change.verb, Verb::Deactivate | Verb::RevokeAccess);
    if !removes || change.set.keys().any(|field| !ACCESS.contains(field)) {
        say(Fault::InReview);
    }
}
