//! That a verb does what it says: each names the strongest of what its fields do, and none does more (ruling 8; rulings 32, 41, 69 to
//! 73, 101).

use crate::contradiction::Fault;
use crate::people::{Record, value_of};
use model::plan::{Change, Verb};
use model::{Field, Status, text};

/// The verb against the fields.
pub(crate) fn fit(change: &Change, record: Option<Record<'_>>, say: &mut impl FnMut(Fault)) {
    let person = record.map(|r| r.person);
    let after = |field: &Field| change.set.get(field).cloned().unwrap_or_else(|| value_of(person, field));
    let status = change.set.get(&Field::STATUS).and_then(|v| v.as_str());
    let access = change.set.get(&Field::ACCESS).and_then(|v| v.as_bool());
    let is = |wanted: Status| status == Some(wanted.as_str());
    // What a person pinned stays, whatever the verb is.
    let keeps = |field: &Field| person.is_some_and(|p| p.pins(field));
    let may_log_in = || after(&Field::ACCESS).as_bool() != Some(false) && !keeps(&Field::ACCESS);
    let has = |field: &Field| !text::is_empty(&after(field)) && !keeps(field);
    let fault = match change.verb {
        Verb::Create if is(Status::Archived) => Some("nothing is created into the archive"),
        Verb::Link if is(Status::Archived) && may_log_in() => Some("what is archived loses its log-in"),
        Verb::Update if status.is_some() || access.is_some() => Some("an update leaves status and access as they are"),
        Verb::Deactivate if !is(Status::Inactive) => Some("a deactivation sets the status inactive"),
        Verb::Deactivate if access.is_some() => Some("a deactivation keeps everything but the status"),
        Verb::Reactivate if !is(Status::Active) => Some("a reactivation sets the status active"),
        Verb::Reactivate | Verb::GrantAccess if access == Some(false) => Some("it gives back and takes access at once"),
        Verb::RevokeAccess if may_log_in() => Some("revoking access takes the log-in"),
        Verb::RevokeAccess if has(&Field::ROLE) || has(&Field::EXTRA_ROLES) => Some("revoking access takes every role"),
        Verb::RevokeAccess | Verb::GrantAccess if status.is_some() => {
            Some("access is given and taken without touching the status")
        }
        Verb::GrantAccess if access.is_none() && text::is_empty(&after(&Field::ROLE)) => {
            Some("granting access gives a log-in or a role")
        }
        Verb::Archive if !is(Status::Archived) => Some("archiving sets the status archived"),
        Verb::Archive if may_log_in() => Some("what is archived loses its log-in"),
        Verb::Restore if status.is_none() || is(Status::Archived) => Some("a restored record is archived no more"),
        _ => None,
    };
    if let Some(what) = fault {
        say(Fault::VerbAndFields(what));
    }
}
