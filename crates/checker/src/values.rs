//! That new values are ones their fields take: of the right form, within their limits, without control characters (rulings 18, 42, 63,
//! 104, 122, 124).

use crate::contradiction::Fault;
use model::plan::{Change, Verb};
use model::{Field, Fields, Kind, Status, Value, address, text};
use std::collections::BTreeMap;

/// The new values of a change.
pub(crate) fn fit(change: &Change, limits: &BTreeMap<Field, usize>, say: &mut impl FnMut(Fault)) {
    for (field, value) in &change.set {
        let suffixed = is_suffixed(change, field);
        if !has_form(field, value, suffixed) {
            say(Fault::Malformed(field.clone()));
        }
        if any_text(value, &text::has_control) {
            say(Fault::Control(field.clone()));
        }
        if let Some(limit) = limits.get(field).copied().filter(|_| !suffixed)
            && any_text(value, &|text| text.len() > limit && text.chars().count() > limit)
        {
            say(Fault::TooLong { field: field.clone(), limit });
        }
    }
    if change.verb == Verb::Create {
        let lacks = |field: &Field| change.set.get(field).is_none_or(text::is_empty);
        let must = match change.kind {
            Kind::Agent => [Field::LAST_NAME, Field::USERNAME],
            Kind::Contact => [Field::LAST_NAME, Field::CLIENT],
        };
        for field in must.into_iter().filter(lacks) {
            say(Fault::Missing(field));
        }
    }
}

/// Username and e-mail of what is archived end in a suffix, which no limit applies to and no address has; what is restored gets back
/// what stood before the suffix, as it was (ruling 71).
fn is_suffixed(change: &Change, field: &Field) -> bool {
    if *field != Field::USERNAME && *field != Field::EMAIL {
        return false;
    }
    let archived = change.set.get(&Field::STATUS).and_then(Value::as_str) == Some(Status::Archived.as_str());
    let text = |fields: &Fields| fields.get(field).and_then(Value::as_str).map(str::to_owned);
    let own = || match (text(&change.before), text(&change.set)) {
        (Some(before), Some(after)) => before.starts_with(&after),
        _ => false,
    };
    archived || (change.verb == Verb::Restore && own())
}

fn has_form(field: &Field, value: &Value, suffixed: bool) -> bool {
    let is_text = value.is_null() || value.is_string();
    match field.as_str() {
        "status" => value.as_str().is_some_and(|s| ["active", "inactive", "archived"].contains(&s)),
        "access" => value.is_boolean(),
        "client" => value.is_null() || value.is_i64(),
        // A site that the change itself creates is named.
        "site" => value.is_null() || value.is_i64() || value.is_string(),
        "manager" => value.is_null() || value.is_i64() || value.is_string(),
        "email" => value.is_null() || value.as_str().is_some_and(|s| suffixed || address::is_valid(s)),
        "additional_emails" => texts(value).is_some_and(|list| list.iter().all(|s| address::is_valid(s))),
        "cabs" | "extra_roles" => texts(value).is_some_and(|list| list.is_sorted_by(|a, b| a < b)),
        name if Field::STANDARD.contains(&name) => is_text,
        _ => true,
    }
}

/// The texts of a list; none when it is something else. Nothing is an empty list.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether any text in a value is so; the names in a structure are texts too.
fn any_text(value: &Value, is_so: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_so(text),
        Value::Array(items) => items.iter().any(|v| any_text(v, is_so)),
        Value::Object(entries) => entries.iter().any(|(name, v)| is_so(name) || any_text(v, is_so)),
        _ => false,
    }
}
