//! Where each value of a record comes from.

use super::PastChange;
use model::plan::{Decision, Verb};
use model::policy::{Derived, Policy, Source, Step};
use model::reason::Reason;
use model::records::{Person, Pin};
use model::{Field, PersonId, RunId, Value, text};
use serde::Serialize;
use std::fmt;
use store::PersonView;

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldView {
    /// The record.
    pub record: PersonId,
    /// The field.
    pub field: Field,
    /// Its value.
    pub value: Value,
    /// The value for reading: clients and sites by name.
    pub shown: String,
    /// Where the value comes from.
    pub origin: Origin,
    /// The same in a sentence, with why the field is left as it is where Entra says otherwise.
    pub sentence: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// An attribute of the user, as mapped.
    Attribute {
        /// The attribute, as Graph names it.
        attribute: String,
        /// The run that wrote it.
        run: RunId,
    },
    /// A default, because Entra held no value.
    Default {
        /// The run that wrote it.
        run: RunId,
    },
    /// A rule or the life cycle.
    Policy {
        /// The run that wrote it.
        run: RunId,
    },
    /// Somebody changed it after sync had written it.
    Edited {
        /// The run that had written it.
        run: RunId,
        /// What it had written, for reading.
        wrote: String,
    },
    /// Pinned: sync leaves it.
    Pinned,
    /// Never written by sync.
    Own,
    /// Taken over from another system.
    Adopted {
        /// Its name.
        target: String,
    },
}

impl Origin {
    /// The word used in the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Origin::Attribute { .. } => "attribute",
            Origin::Default { .. } => "default",
            Origin::Policy { .. } => "policy",
            Origin::Edited { .. } => "edited",
            Origin::Pinned => "pinned",
            Origin::Own => "own",
            Origin::Adopted { .. } => "adopted",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Attribute { attribute, run } => write!(f, "Entra: {attribute} (run {run})"),
            Origin::Default { run } => write!(f, "The policy's default, since Entra held no value (run {run})"),
            Origin::Policy { run } => write!(f, "Decided by the policy (run {run})"),
            Origin::Edited { run, wrote } if wrote.is_empty() => write!(f, "Edited here; run {run} had cleared it"),
            Origin::Edited { run, wrote } => write!(f, "Edited here; run {run} wrote “{wrote}”"),
            Origin::Pinned => f.write_str("Pinned: sync leaves it"),
            Origin::Own => f.write_str("Kept here"),
            Origin::Adopted { target } => write!(f, "Adopted from {target}"),
        }
    }
}

/// Every field of a record that holds something, and those by which people know it.
pub(super) fn of(view: &PersonView, policy: Option<&Policy>, decision: Option<&Decision>, past: &[PastChange]) -> Vec<FieldView> {
    let person = &view.person;
    let standard = Field::STANDARD.iter().map(|name| Field::new(name));
    let custom = person.fields.keys().filter(|f| !Field::STANDARD.contains(&f.as_str())).cloned();
    let always = [Field::FIRST_NAME, Field::LAST_NAME, Field::EMAIL, Field::USERNAME, Field::STATUS];
    let one = |field: Field| {
        let value = person.get(&field);
        if text::is_empty(&value) && !always.contains(&field) {
            return None;
        }
        let origin = origin(person, &field, &value, &view.target, policy, past);
        let kept = decision.and_then(|d| kept(d, person.id, &field));
        let sentence = kept.map_or_else(|| format!("{origin}."), |kept| format!("{origin}. {kept}"));
        Some(FieldView { record: person.id, shown: shown(&field, &value, view), field, value, origin, sentence })
    };
    standard.chain(custom).filter_map(one).collect()
}

fn origin(person: &Person, field: &Field, value: &Value, target: &str, policy: Option<&Policy>, past: &[PastChange]) -> Origin {
    let pinned = match &person.pinned {
        Some(Pin::All(all)) => *all,
        Some(Pin::Fields(fields)) => fields.contains(field),
        None => false,
    };
    if pinned {
        return Origin::Pinned;
    }
    let written = past.iter().filter(|p| p.change.person == Some(person.id) && p.change.state == "applied");
    let Some((wrote, by)) = written.filter_map(|p| p.change.change.set.get(field).map(|wrote| (wrote, &p.change))).next() else {
        let own = target == store::EMBEDDED;
        return if own { Origin::Own } else { Origin::Adopted { target: target.to_owned() } };
    };
    if wrote != value && !(text::is_empty(wrote) && text::is_empty(value)) {
        return Origin::Edited { run: by.run, wrote: plain(wrote) };
    }
    let defaulted = by.change.reasons.iter().any(|r| matches!(r, Reason::Defaulted { field: f } if f == field));
    let mapping = policy.and_then(|p| p.fields.of(person.kind).get(field)).and_then(|m| m.source.as_ref());
    match mapping {
        _ if defaulted => Origin::Default { run: by.run },
        // What archiving and reverting write is theirs, whatever the field is mapped from.
        Some(source) if by.change.verb != Verb::Archive => Origin::Attribute { attribute: attribute_of(source), run: by.run },
        _ => Origin::Policy { run: by.run },
    }
}

/// Why the field is left as it is where Entra says otherwise.
fn kept(decision: &Decision, record: PersonId, field: &Field) -> Option<Reason> {
    let of_record = decision.changes.iter().filter(|c| c.record == Some(record)).flat_map(|c| &c.reasons);
    // What is not part of a change tells of all records of the user; two of them seldom keep the same field.
    let kept = |r: &&Reason| matches!(r, Reason::Kept { field: f, .. } if f == field);
    of_record.chain(&decision.reasons).find(kept).cloned()
}

fn shown(field: &Field, value: &Value, view: &PersonView) -> String {
    let named = if *field == Field::CLIENT {
        view.client.clone()
    } else if *field == Field::SITE {
        view.site.clone()
    } else {
        None
    };
    named.unwrap_or_else(|| plain(value))
}

/// A value for reading.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

/// The attribute that a mapping reads, as Graph names it.
#[must_use]
pub fn attribute_of(source: &Source) -> String {
    match source {
        Source::Attribute(steps) => steps.iter().fold(String::new(), |path, step| match step {
            Step::Name(name) if path.is_empty() => name.as_str().to_owned(),
            Step::Name(name) => format!("{path}.{}", name.as_str()),
            Step::Index(n) => format!("{path}[{n}]"),
        }),
        Source::Derived(Derived::FirstName) => "givenName".into(),
        Source::Derived(Derived::LastName) => "surname".into(),
        Source::Derived(Derived::MailOrGuest) => "mail".into(),
        Source::Derived(Derived::MailOrUpn) => "mail or userPrincipalName".into(),
        Source::Derived(Derived::UpnLocalPart | Derived::Upn) => "userPrincipalName".into(),
        Source::Derived(Derived::OtherAddresses) => "proxyAddresses".into(),
        Source::Expression(expression) => expression.text().into(),
        Source::Manager => "manager".into(),
    }
}
