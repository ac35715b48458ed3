//! Values with a notation of their own: shares, limits, and the values a field takes.

use crate::document::{Data, Node};
use crate::fault::Faults;
use crate::reader;
use model::policy::{LicenceType, Percent};
use model::{Field, Value, address, text};
use std::collections::BTreeMap;

/// A limit that may be `off`; the outer option is empty after a fault.
pub(crate) type Limit<T> = Option<Option<T>>;

/// Whether a node says `off`. In YAML 1.2 that is a text, not a boolean.
fn off(node: &Node) -> bool {
    matches!(&node.data, Data::Text(s) if s == "off")
}

/// A count, or `off` (ruling 25: 0 = any holds).
pub(crate) fn count(node: &Node, what: &str, faults: &mut Faults) -> Limit<i64> {
    if off(node) {
        return Some(None);
    }
    if let Data::Number { value, .. } = &node.data
        && let Some(n) = value.as_i64()
        && (0..=MOST_COUNT).contains(&n)
    {
        return Some(Some(n));
    }
    faults.add(&node.at, format!("{what} must be a whole number from 0 to {MOST_COUNT}, or off, not {}", node.shown()));
    None
}

/// Larger than any directory, so that a larger limit is a slip for `off`.
const MOST_COUNT: i64 = 100_000_000;

/// A share in percent, or `off`: `10`, `2.5` or `10%`, read exactly, never by way of a float (ruling 25).
pub(crate) fn share(node: &Node, what: &str, most: i64, faults: &mut Faults) -> Limit<Percent> {
    if off(node) {
        return Some(None);
    }
    let written = match &node.data {
        Data::Number { raw, .. } => Some(raw.as_str()),
        Data::Text(s) => s.strip_suffix('%').map(str::trim_end),
        _ => None,
    };
    match written.and_then(percent).filter(|p| *p <= Percent::whole(most)) {
        Some(percent) => Some(Some(percent)),
        None => {
            let shown = node.shown();
            faults.add(&node.at, format!("{what} must be a percentage from 0 to {most} such as 10 or 2.5, or off, not {shown}"));
            None
        }
    }
}

/// `10` or `2.5`: at most six digits before the point and four after it.
fn percent(text: &str) -> Option<Percent> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str, most| !s.is_empty() && s.len() <= most && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 6) || !digits(part, 4) {
        return None;
    }
    Some(Percent(whole.parse::<i64>().ok()? * 10_000 + format!("{part:0<4}").parse::<i64>().ok()?))
}

/// A duration in milliseconds: `90s`, `15m`, `72h`, `3d`, or a plain 0 (ruling 25).
pub(crate) fn duration(node: &Node, what: &str, faults: &mut Faults) -> Option<i64> {
    let written = match &node.data {
        Data::Number { raw, .. } if raw == "0" => return Some(0),
        Data::Text(written) => written.as_str(),
        _ => "",
    };
    let read = UNITS.iter().find_map(|(unit, length)| {
        let digits = written.strip_suffix(unit).filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok()?.checked_mul(*length).filter(|ms| *ms <= LONGEST)
    });
    if read.is_none() {
        let days = LONGEST / DAY;
        faults.add(
            &node.at,
            format!("{what} must be 0 or a time of at most {days}d, such as 90s, 15m, 72h or 3d, not {}", node.shown()),
        );
    }
    read
}

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Units of a duration, in milliseconds, the longest first.
const UNITS: [(&str, i64); 4] = [("d", DAY), ("h", 60 * 60 * 1_000), ("m", 60 * 1_000), ("s", 1_000)];

/// Longest grace. Whoever wants people to stay for longer than ten years wants `ignore`.
const LONGEST: i64 = 3_650 * DAY;

/// A duration as it is written: in the longest unit that divides it.
pub(crate) fn written_duration(milliseconds: i64) -> Option<String> {
    let divides = UNITS.iter().find(|(_, length)| milliseconds % length == 0).filter(|_| milliseconds != 0);
    divides.map(|(unit, length)| format!("{}{unit}", milliseconds / length))
}

/// The longest values by field, in code points (ruling 63).
pub(crate) fn limits() -> BTreeMap<Field, usize> {
    [
        (Field::FIRST_NAME, 100),
        (Field::LAST_NAME, 100),
        (Field::JOB_TITLE, 150),
        (Field::EMAIL, 254),
        (Field::ADDITIONAL_EMAILS, 254),
        (Field::USERNAME, 254),
        (Field::PHONE, 50),
        (Field::MOBILE, 50),
    ]
    .into()
}

/// What a new agent's licence type can be. A default that changes nothing is one that is left out.
const LICENCES: [(&str, LicenceType); 2] = [("named", LicenceType::Named), ("concurrent", LicenceType::Concurrent)];

/// A default for a field: a value the field takes, or nothing when null is written.
pub(crate) fn default(node: &Node, field: &Field, what: &str, faults: &mut Faults) -> Option<Value> {
    match &node.data {
        Data::Null => None,
        Data::Map(_) => {
            faults.add(&node.at, format!("{what} must be a value, not a map"));
            None
        }
        _ if *field == Field::ADDITIONAL_EMAILS => {
            let items = reader::list(node, what, faults)?;
            for item in items {
                fits(item, field, what, faults);
            }
            Some(node.to_json())
        }
        _ if *field == Field::LICENCE_TYPE => {
            let word = reader::word(node, what, &LICENCES, faults)?;
            Some(Value::from(word.as_str()))
        }
        _ if Field::STANDARD.contains(&field.as_str()) => {
            let text = reader::text(node, what, faults)?;
            fits(node, field, what, faults);
            Some(Value::String(text))
        }
        _ => Some(node.to_json()),
    }
}

/// Notes a text that its field would refuse, while the policy is written rather than at every user.
fn fits(node: &Node, field: &Field, what: &str, faults: &mut Faults) {
    let Data::Text(value) = &node.data else {
        if !matches!(node.data, Data::Number { .. }) || field.is_address() {
            faults.add(&node.at, format!("{what} must be a text, not {}", node.shown()));
        }
        return;
    };
    if let Some(most) = limits().get(field)
        && value.chars().count() > *most
    {
        faults.add(&node.at, format!("{what} is longer than the {most} characters {field} takes; shorten it"));
    }
    if field.is_address() && !address::is_valid(text::trim(value)) {
        faults.add(&node.at, format!("{what} must be an e-mail address, not {}", node.shown()));
    }
}
