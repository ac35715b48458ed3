//! How texts are trimmed, folded and compared. One place, so that a key means the same in the planner, the store and the UI.

use crate::Value;
use unicode_normalization::UnicodeNormalization;

/// Trims Unicode `White_Space` from both ends (ruling 56).
#[must_use]
pub fn trim(text: &str) -> &str {
    // Nearly every text begins and ends with an ASCII letter, digit or mark, and there is nothing to do.
    match text.as_bytes() {
        [one] | [one, .., _] if !one.is_ascii_graphic() => text.trim_matches(char::is_whitespace),
        [.., last] if last.is_ascii_graphic() => text,
        _ => text.trim_matches(char::is_whitespace),
    }
}

/// The key under which two texts are the same for matching: trimmed, full default case folding, NFC (rulings 56 and 59).
#[must_use]
pub fn fold(text: &str) -> String {
    let text = trim(text);
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    caseless::default_case_fold_str(&text.nfc().collect::<String>()).nfc().collect()
}

/// The keys under which a field's value is found by matching (ruling 59): a text, number or truth value folded, each of a list's by
/// itself; none for what is empty or has parts.
#[must_use]
pub fn keys(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(s) => Some(fold(s)),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let keys = match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        value => one(value).into_iter().collect::<Vec<_>>(),
    };
    keys.into_iter().filter(|key| !key.is_empty()).collect()
}

/// NFC of a trimmed text: how names of groups, sites and clients are compared where case counts (ruling 35).
#[must_use]
pub fn nfc(text: &str) -> String {
    let text = trim(text);
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// Whether a value is empty: null, "", white space only, [], or a list of such (ruling 33). `false` and 0 are values.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => trim(s).is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        _ => false,
    }
}

/// Whether a text holds a control character (C0, C1 or DEL), which no field accepts (ruling 63).
#[must_use]
pub fn has_control(text: &str) -> bool {
    // In ASCII, control characters are those below the space, and DEL; all bytes at once, without a branch for each.
    let plain = text.bytes().fold(true, |plain, b| plain & (0x20..0x7f).contains(&b));
    !plain && text.chars().any(char::is_control)
}
