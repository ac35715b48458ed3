//! That the guard is told what a change does, and the link remembers it (rulings 8, 78, 85, 89, 109, 110).

use crate::change::is_same;
use crate::contradiction::{Fault, Figure};
use crate::people::{has_log_in, value_of};
use model::plan::{Change, Verb};
use model::records::Person;
use model::run::RunKind;
use model::{Field, Status, Value, text};

/// The effects against the fields.
pub(crate) fn agree(change: &Change, person: Option<&Person>, run: RunKind, say: &mut impl FnMut(Fault)) {
    let removal = self::removal(change, person, say);
    if (removal || change.effects.removal) && run == RunKind::Incomplete {
        say(Fault::IncompleteRead);
    }
    let returns = change.effects.returns;
    let is_right = match change.verb {
        Verb::Reactivate | Verb::GrantAccess => returns,
        Verb::Link => !returns || gives(change, person),
        Verb::Restore => true,
        _ => !returns,
    };
    if !is_right {
        say(Fault::Effects(Figure::Returns));
    }
    if rekeys(change, person) != change.effects.rekey {
        say(Fault::Effects(Figure::Rekeys));
    }
    let link = change.link.as_ref();
    if link.is_none() && matches!(change.verb, Verb::Create | Verb::Link) {
        say(Fault::Unbooked);
    }
    let by_sync = link.and_then(|l| l.deactivated_by.as_ref()).map(|d| d.by_sync);
    let takes = matches!(change.verb, Verb::Deactivate | Verb::RevokeAccess) || (change.verb == Verb::Link && removal);
    let gives_back = matches!(change.verb, Verb::Reactivate | Verb::GrantAccess);
    if link.is_some() && ((takes && by_sync != Some(true)) || (gives_back && by_sync == Some(true))) {
        say(Fault::Marker);
    }
}

/// Whether it is a removal, and is told as what it is.
pub(crate) fn removal(change: &Change, person: Option<&Person>, say: &mut impl FnMut(Fault)) -> bool {
    let removal = removes(change, person);
    if removal != change.effects.removal {
        say(Fault::Effects(Figure::Removals));
    }
    removal
}

/// Whether a change takes an active record out of use, or access from it (rulings 8, 32, 110).
fn removes(change: &Change, person: Option<&Person>) -> bool {
    let Some(person) = person.filter(|p| p.status == Status::Active) else { return false };
    let after = |field: &Field| change.set.get(field).cloned().unwrap_or_else(|| person.get(field));
    let out = after(&Field::STATUS).as_str() != Some(Status::Active.as_str());
    // A link may take a contact's log-in because the same user's agent has one: nobody is shut out (ruling 45).
    let shuts_out = change.verb != Verb::Link && has_log_in(person) && after(&Field::ACCESS).as_bool() == Some(false);
    out || change.verb == Verb::RevokeAccess || shuts_out
}

/// Whether it puts a record into use, or gives access to it.
fn gives(change: &Change, person: Option<&Person>) -> bool {
    let turns = |field: &Field, to: Value| change.set.get(field) == Some(&to) && value_of(person, field) != to;
    turns(&Field::STATUS, Value::from(Status::Active.as_str())) || turns(&Field::ACCESS, Value::Bool(true))
}

/// Whether a key field of a linked record that held a value changes; links, archives and restores do not count (ruling 85).
fn rekeys(change: &Change, person: Option<&Person>) -> bool {
    if matches!(change.verb, Verb::Create | Verb::Link | Verb::Archive | Verb::Restore) {
        return false;
    }
    let Some(person) = person else { return false };
    change.set.iter().filter(|(field, _)| field.is_key()).any(|(field, new)| {
        let old = person.get(field);
        let same_name = || match (old.as_str(), new.as_str()) {
            (Some(old), Some(new)) => *field == Field::USERNAME && text::fold(old) == text::fold(new),
            _ => false,
        };
        !text::is_empty(&old) && !is_same(field, &old, new) && !same_name()
    })
}
