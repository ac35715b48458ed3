//! How drafts become changes: the username, effects for the guard, and sync's bookkeeping.

use crate::claims::{Claims, Holder, Readdressed};
use crate::decide::Planner;
use crate::merge::Draft;
use crate::standing::Standing;
use crate::username;
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::UserFacts;
use model::plan::{Effects, LinkState};
use model::reason::Cause;
use model::records::Person;
use model::{Field, Kind, Status, Value, text};

/// What became of a username.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// Written, or left as it is.
    Fine,
    /// It belongs to somebody else.
    Taken {
        /// What it could have been, best first.
        choices: Vec<String>,
        /// Who has the first of them.
        holder: Option<Holder>,
    },
}

impl Planner {
    /// The link's bookkeeping after everything due of a user was written.
    pub(crate) fn booking(&self, user: &UserFacts, kind: Kind, standing: &Standing<'_>) -> LinkState {
        LinkState {
            applied_hash: Some(user.change_hash),
            policy_digest: Some(self.mappings.of(kind).stamp().to_owned()),
            rule: Some(standing.rule.id.clone()),
            decided: standing.decided(),
            deactivated_by: None,
            grace_since: None,
            enabled_applied: Some(crate::scope::is_enabled(user)),
        }
    }

    /// Sees whether a key field of a record that held a value changes (ruling 85).
    pub(crate) fn rekeys(draft: &Draft) -> bool {
        let was = |field: &Field| draft.before.get(field).filter(|v| !text::is_empty(v));
        draft.set.iter().filter(|(field, _)| field.is_key()).any(|(field, new)| {
            was(field).is_some_and(|old| match (field.as_str(), old.as_str(), new.as_str()) {
                ("username", Some(old), Some(new)) => text::fold(old) != text::fold(new),
                _ => old != new,
            })
        })
    }

    /// Tells the claims which addresses a record gives up and takes with a draft.
    pub(crate) fn readdress(user: &UserFacts, record: &Person, draft: &Draft, claims: &mut Claims) {
        let was_archived = record.status == Status::Archived;
        let is_archived = draft.set.get(&Field::STATUS).is_some_and(|s| s == Status::Archived.as_str());
        let touched = draft.set.contains_key(&Field::EMAIL) || draft.set.contains_key(&Field::ADDITIONAL_EMAILS);
        if !touched && !was_archived && !is_archived {
            return;
        }
        let value = |field: &Field| draft.set.get(field).cloned().unwrap_or_else(|| record.get(field));
        // Nobody is matched by the addresses of an archived record.
        let keys = |archived: bool, email: &Value, more: &Value| if archived { Vec::new() } else { address_keys(email, more) };
        let before = keys(was_archived, &record.get(&Field::EMAIL), &record.get(&Field::ADDITIONAL_EMAILS));
        let after = keys(is_archived, &value(&Field::EMAIL), &value(&Field::ADDITIONAL_EMAILS));
        let client = draft.set.get(&Field::CLIENT).and_then(Value::as_i64).map(model::ClientId).or(record.client);
        let change = Readdressed {
            person: record.id,
            kind: record.kind,
            client,
            released: before.iter().filter(|k| !after.contains(k)).copied().collect(),
            taken: after.iter().filter(|k| !before.contains(k)).copied().collect(),
        };
        claims.readdress(user.key, &user.id, change);
    }

    /// What a removal means to the guard.
    pub(crate) fn removal(record: &Person, cause: Option<Cause>, effects: &mut Effects) -> Vec<String> {
        effects.removal = record.status == model::Status::Active;
        effects.cause = cause;
        let mut names = record.stands_for.clone();
        if record.tickets > 0 {
            names.push(if record.tickets == 1 { "1 ticket".to_owned() } else { format!("{} tickets", record.tickets) });
        }
        names
    }
}

/// The keys of a record's addresses.
pub(crate) fn address_keys(email: &Value, additional: &Value) -> Vec<Hash> {
    let more = additional.as_array().map(Vec::as_slice).unwrap_or_default();
    let all = email.as_str().into_iter().chain(more.iter().filter_map(Value::as_str));
    let mut keys: Vec<Hash> = all.filter_map(AddressKey::of).map(|k| Hash::of(k.as_str())).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether two usernames are one, but for case.
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    username::key(a) == username::key(b)
}

/// Where the e-mail of a draft leads.
pub(crate) fn email_key(draft: &Draft) -> Option<Hash> {
    let email = draft.set.get(&Field::EMAIL).and_then(Value::as_str)?;
    AddressKey::of(email).map(|k| Hash::of(k.as_str()))
}
