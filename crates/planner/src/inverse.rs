//! The change that takes another one back. Nothing is ever deleted, so every change has an inverse:
//!
//! | it did | taken back by |
//! |---|---|
//! | create | archive: status, log-in and name go as in a change of kind (rulings 71 and 72); the link stays with the archived record |
//! | link | the values before; the record is nobody's again, or its earlier user's (ruling 54) |
//! | deactivate, revoke access | the values before; in use by a person's hand, which stands until Entra changes (ruling 78) |
//! | reactivate, grant access, restore | the values before; out of use by sync's hand, so that a change in Entra brings it back |
//! | update, archive | the values before |
//! | a change of a revert | what the first run had done, with the link as that run left it |

use model::attributes::Hash;
use model::plan::{Change, Effects, LinkState, Verb};
use model::reason::{Cause, Reason};
use model::records::{Deactivated, Fields, Person};
use model::{Field, RunId, Status, UserKey, Value, text};

/// A change that was written, and what is known of its record now.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// The run that wrote it.
    pub run: RunId,
    /// The change.
    pub change: &'a Change,
    /// Its record as it is now.
    pub record: &'a Person,
    /// The record's link as it is now: the user and sync's bookkeeping.
    pub link: Option<&'a (UserKey, LinkState)>,
    /// When that run took another one back: what that one had done to the record.
    pub origin: Option<&'a Change>,
}

/// Why a change is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Everything is as before already.
    Nothing,
    /// It would take a root record out of use (R12).
    Exempt,
}

/// The names an archived record gets: the lowest suffix that nobody has (ruling 71).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchivedNames {
    /// The username.
    pub username: Option<String>,
    /// The main e-mail address.
    pub email: Option<String>,
}

impl ArchivedNames {
    /// The names of a record with the counter `n`, from 1. A record with tickets or invoices keeps its own (ruling 72).
    #[must_use]
    pub fn of(record: &Person, n: u32) -> Self {
        if record.tickets > 0 || record.invoices > 0 {
            return Self { username: record.username.clone(), email: record.email.clone() };
        }
        let suffixed = |name: &Option<String>| {
            let name = name.as_deref().filter(|n| !n.is_empty())?;
            Some(if n > 1 { format!("{name}_Archived{n}") } else { format!("{name}_Archived") })
        };
        Self { username: suffixed(&record.username), email: suffixed(&record.email) }
    }

    /// What tells two such names apart: for remembering which a plan has given.
    #[must_use]
    pub fn keys(&self) -> Vec<Hash> {
        let key = |kind: &str, name: &Option<String>| name.as_deref().map(|n| Hash::of(&format!("{kind}:{}", text::fold(n))));
        [key("username", &self.username), key("email", &self.email)].into_iter().flatten().collect()
    }
}

/// Whether taking it back archives the record, which then needs names.
#[must_use]
pub fn archives(done: &Done<'_>) -> bool {
    done.origin.is_none() && done.change.verb == Verb::Create
}

/// The change that takes this one back.
///
/// # Errors
/// [`Left`] when nothing is to be done, or must not be.
pub fn of(done: &Done<'_>, names: &ArchivedNames) -> Result<Change, Left> {
    let Done { run, change, record, .. } = *done;
    let mut set = if archives(done) { archive(names) } else { before(change, record) };
    set.retain(|field, value| record.get(field) != *value);
    let (user, link) = link_after(done, &set);
    let relinks = match (done.link, &link) {
        (None, None) => false,
        (Some((now, state)), Some(after)) => *now != user || state != after,
        _ => true,
    };
    if set.is_empty() && !relinks {
        return Err(Left::Nothing);
    }
    let was_out = |field: &Field, out: &Value| set.get(field).is_some_and(|v| v == out);
    let active = record.status == Status::Active;
    let leaves = set.get(&Field::STATUS).is_some_and(|s| s.as_str() != Some(Status::Active.as_str()));
    let removal = active && (leaves || was_out(&Field::ACCESS, &Value::Bool(false)));
    if removal && record.root {
        return Err(Left::Exempt);
    }
    let verb = verb(record, &set, done.link.is_none() && link.is_some());
    let comes_back = set.get(&Field::STATUS).is_some_and(|s| s.as_str() == Some(Status::Active.as_str()))
        || was_out(&Field::ACCESS, &Value::Bool(true));
    let effects = Effects {
        removal,
        returns: comes_back && change.effects.removal,
        rekey: verb == Verb::Update && done.link.is_some() && rekeys(record, &set),
        cause: None,
    };
    let unlink = done.link.map(|(now, _)| *now).filter(|now| link.is_some() && *now != user);
    Ok(Change {
        verb,
        kind: record.kind,
        user,
        source_id: change.source_id.clone(),
        record: Some(record.id),
        record_version: record.version,
        rule: link.as_ref().and_then(|l| l.rule.clone()),
        before: set.keys().map(|field| (field.clone(), record.get(field))).collect(),
        reasons: vec![Reason::Reverts { run, verb: change.verb }],
        stands_for: if removal { stands_for(record) } else { Vec::new() },
        set,
        link,
        // What sync put in its place has been there before.
        new_site: None,
        unlink,
        effects,
    })
}

/// The values a change replaced.
fn before(change: &Change, record: &Person) -> Fields {
    let value = |field: &Field| change.before.get(field).cloned().unwrap_or(Value::Null);
    let back = change.set.keys().map(|field| (field.clone(), value(field)));
    // Status and access are never empty: a change that named them without saying what was there left them as they are.
    back.filter(|(field, value)| !(value.is_null() && [Field::STATUS, Field::ACCESS].contains(field)))
        .filter(|(field, value)| record.get(field) != *value)
        .collect()
}

fn archive(names: &ArchivedNames) -> Fields {
    let text = |name: &Option<String>| name.as_deref().map_or(Value::Null, Value::from);
    let mut set = Fields::new();
    set.insert(Field::STATUS, Value::from(Status::Archived.as_str()));
    set.insert(Field::ACCESS, Value::Bool(false));
    set.insert(Field::USERNAME, text(&names.username));
    set.insert(Field::EMAIL, text(&names.email));
    set
}

/// The link once the change is taken back, and the user it is with.
fn link_after(done: &Done<'_>, set: &Fields) -> (UserKey, Option<LinkState>) {
    let change = done.change;
    if let Some(origin) = done.origin {
        // As the first run left it; what was booked meanwhile is newer than what that run knew.
        let link = origin.link.clone().map(|left| match done.link {
            Some((user, now)) if *user == origin.user => LinkState { deactivated_by: left.deactivated_by, ..now.clone() },
            _ => left,
        });
        let user = if link.is_some() { origin.user } else { change.user };
        return (user, link);
    }
    let now = || done.link.map(|(_, state)| state.clone()).or_else(|| change.link.clone());
    match (change.verb, change.unlink) {
        (Verb::Link, None) => (change.user, None),
        (Verb::Link, Some(earlier)) => {
            let deactivated_by = Some(Deactivated { by_sync: true, cause: Some(Cause::Deleted) });
            (earlier, Some(LinkState { deactivated_by, ..LinkState::default() }))
        }
        (Verb::Create, _) => (change.user, now().map(|state| LinkState { deactivated_by: by_sync(None), ..state })),
        _ => (change.user, now().map(|state| LinkState { deactivated_by: marker(done, set, &state), ..state })),
    }
}

fn by_sync(cause: Option<Cause>) -> Option<Deactivated> {
    Some(Deactivated { by_sync: true, cause })
}

/// Who put the record where it is once the change is taken back.
fn marker(done: &Done<'_>, set: &Fields, now: &LinkState) -> Option<Deactivated> {
    let out = match (set.get(&Field::STATUS).and_then(Value::as_str), set.get(&Field::ACCESS).and_then(Value::as_bool)) {
        (None, None) => return now.deactivated_by.clone(),
        (Some(status), _) => status != Status::Active.as_str(),
        (None, Some(access)) => !access,
    };
    if out {
        return by_sync(done.change.effects.cause);
    }
    // A person's hand remembers what it overrides (ruling 78); an archived record was overridden by nothing.
    done.change.effects.cause.map(|cause| Deactivated { by_sync: false, cause: Some(cause) })
}

/// The strongest verb for what is set (ruling 8).
fn verb(record: &Person, set: &Fields, links: bool) -> Verb {
    let status = set.get(&Field::STATUS).and_then(Value::as_str);
    let access = set.get(&Field::ACCESS).and_then(Value::as_bool);
    if links {
        return Verb::Link;
    }
    match status {
        Some("archived") => Verb::Archive,
        Some("inactive") => Verb::Deactivate,
        _ if access == Some(false) => Verb::RevokeAccess,
        Some(_) if record.status == Status::Archived => Verb::Restore,
        Some(_) => Verb::Reactivate,
        None if access == Some(true) => Verb::GrantAccess,
        None => Verb::Update,
    }
}

/// Whether a key field that holds a value changes (ruling 85).
fn rekeys(record: &Person, set: &Fields) -> bool {
    set.iter().any(|(field, new)| {
        let old = record.get(field);
        field.is_key()
            && !text::is_empty(&old)
            && match (field.as_str(), old.as_str(), new.as_str()) {
                ("username", Some(old), Some(new)) => text::fold(old) != text::fold(new),
                _ => old != *new,
            }
    })
}

fn stands_for(record: &Person) -> Vec<String> {
    let mut names = record.stands_for.clone();
    match record.tickets {
        0 => {}
        1 => names.push("1 ticket".to_owned()),
        n => names.push(format!("{n} tickets")),
    }
    names
}

/// Whether a record is as a change left it: written by that run last, and by nobody since. `by_run`: the run changed it last. A manager
/// whose own record came late is written once more by the run itself.
#[must_use]
pub fn is_as_left(change: &Change, record: &Person, by_run: bool) -> bool {
    let left = change.record_version + 1;
    let late = change.set.get(&Field::MANAGER).and_then(Value::as_str).is_some_and(|m| m.starts_with("user:"));
    by_run && (record.version == left || (late && record.version == left + 1))
}
