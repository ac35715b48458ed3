//! How drafts become changes: standing fields (role, client, site), the username, effects for the guard, and sync's bookkeeping.

use crate::claims::{Claims, Holder, Readdressed};
use crate::decide::Planner;
use crate::merge::{Draft, Moment};
use crate::rules::Place;
use crate::username;
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::UserFacts;
use model::plan::{Effects, LinkState};
use model::policy::Rule;
use model::reason::KeptBecause;
use model::records::Person;
use model::{Field, Fields, Kind, Value, address, text};

/// What a rule gives beside the mapped fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) place: Place,
}

impl Standing<'_> {
    fn role(&self) -> Value {
        self.rule.then.role.as_deref().map_or(Value::Null, Value::from)
    }

    fn client(&self) -> Value {
        self.place.client.map_or(Value::Null, |c| Value::from(c.0))
    }

    fn site(&self) -> Value {
        self.place.site.map_or(Value::Null, |s| Value::from(s.0))
    }

    /// Role, client and site as decided, for the link.
    pub(crate) fn decided(&self) -> Fields {
        let all = [(Field::ROLE, self.role()), (Field::CLIENT, self.client()), (Field::SITE, self.site())];
        all.into_iter().filter(|(_, v)| !v.is_null()).collect()
    }

    /// Whether that is what was decided last.
    pub(crate) fn is_as_decided(&self, before: &Fields) -> bool {
        self.is_field_as_decided(&Field::ROLE, before)
            && self.is_field_as_decided(&Field::CLIENT, before)
            && self.is_field_as_decided(&Field::SITE, before)
    }

    fn is_field_as_decided(&self, field: &Field, before: &Fields) -> bool {
        let before = before.get(field).filter(|v| !v.is_null());
        match field.as_str() {
            "role" => before.and_then(Value::as_str) == self.rule.then.role.as_deref(),
            "client" => before.and_then(Value::as_i64) == self.place.client.map(|c| c.0),
            _ => before.and_then(Value::as_i64) == self.place.site.map(|s| s.0),
        }
    }

    /// Brings client, site and role into a draft. They follow `on_change` like fields, and a change of decision at once (rulings 60
    /// and 64). `access` says whether the role may be given: not to a record whose access is taken.
    #[expect(clippy::too_many_arguments, reason = "each decides one thing, and a bundle of them would have no name")]
    pub(crate) fn merge(
        &self,
        user: &UserFacts,
        record: Option<&Person>,
        moment: Moment<'_>,
        decided: &Fields,
        access: bool,
        returning: bool,
        draft: &mut Draft,
    ) {
        for (field, value) in [(Field::CLIENT, self.client()), (Field::SITE, self.site()), (Field::ROLE, self.role())] {
            if value.is_null() {
                continue;
            }
            let Some(person) = record else {
                draft.put(None, &field, value);
                continue;
            };
            let is_role = field == Field::ROLE;
            let same = person.get(&field) == value;
            if (same && !(is_role && returning)) || (is_role && !access) {
                continue;
            }
            if same {
                // Whoever comes back is told their role even where the record kept it (ruling 69).
                draft.put(record, &field, value);
                continue;
            }
            if is_role && person.root {
                draft.kept(&field, KeptBecause::Root);
                continue;
            }
            let empty = crate::fit::is_empty_in(person, &field);
            let because = match moment {
                Moment::Create | Moment::Link { fill_empty: false } => None,
                Moment::Link { fill_empty: true } => (!empty).then_some(KeptBecause::FillEmpty),
                Moment::Linked { changed, .. } => {
                    let due = changed || (is_role && returning) || !self.is_field_as_decided(&field, decided);
                    (!due).then_some(KeptBecause::LocalEdit)
                }
            };
            match because {
                None => {
                    if field == Field::CLIENT && person.site.is_some() && self.place.site.is_none() {
                        // A site belongs to its client: the old client's does not move along.
                        draft.put(record, &Field::SITE, Value::Null);
                    }
                    draft.put(record, &field, value);
                }
                Some(because) => {
                    draft.kept(&field, because);
                    if because == KeptBecause::LocalEdit && matches!(moment, Moment::Linked { full: true, .. }) {
                        let detail =
                            format!("{field}: the record was edited here; the rule's value comes back when the user changes.");
                        draft.report(user, Some(&field), model::plan::ReportWhy::Drift, detail);
                    }
                }
            }
        }
    }
}

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
        let touched = draft.set.contains_key(&Field::EMAIL) || draft.set.contains_key(&Field::ADDITIONAL_EMAILS);
        if !touched {
            return;
        }
        let value = |field: &Field| draft.set.get(field).cloned().unwrap_or_else(|| record.get(field));
        let before = address_keys(&record.get(&Field::EMAIL), &record.get(&Field::ADDITIONAL_EMAILS));
        let after = address_keys(&value(&Field::EMAIL), &value(&Field::ADDITIONAL_EMAILS));
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
    pub(crate) fn removal(record: &Person, cause: model::reason::Cause, effects: &mut Effects) -> Vec<String> {
        effects.removal = record.status == model::Status::Active;
        effects.cause = Some(cause);
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
    AddressKey::of(&address::stored(email)).map(|k| Hash::of(k.as_str()))
}
