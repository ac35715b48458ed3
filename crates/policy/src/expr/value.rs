//! Values while an expression is evaluated: borrowed from the user, or from the expression, wherever they can be.

use jiff::Timestamp;
use model::Value;
use serde_json::{Map, Number};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    Time(Timestamp),
    /// A list or an object as the directory told it.
    Told(&'a Value),
    /// The user's manager, by source id.
    Manager(&'a str),
    List(Vec<Val<'a>>),
}

impl<'a> Val<'a> {
    /// A value as the directory told it.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Number(n) => n.as_i64().map(Val::Int).or_else(|| n.as_f64().map(Val::Double)).unwrap_or(Val::Null),
            Value::String(s) => Val::Text(Cow::Borrowed(s)),
            Value::Array(_) | Value::Object(_) => Val::Told(value),
        }
    }

    /// The elements of a list; none for what is no list.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Val::List(items) => Some(items.len()),
            Val::Told(Value::Array(items)) => Some(items.len()),
            _ => None,
        }
    }

    /// One element of a list.
    pub(super) fn element(&self, at: usize) -> Option<Val<'a>> {
        match self {
            Val::List(items) => items.get(at).cloned(),
            Val::Told(Value::Array(items)) => items.get(at).map(Val::of),
            _ => None,
        }
    }

    /// The parts of an object.
    pub(super) fn parts(&self) -> Option<&'a Map<String, Value>> {
        if let Val::Told(Value::Object(parts)) = self { Some(parts) } else { None }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Val::Null)
    }

    /// Equality of values: never between kinds, but for numbers.
    pub(super) fn equals(&self, other: &Val<'_>) -> bool {
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Text(a), Val::Text(b)) => a == b,
            (Val::Time(a), Val::Time(b)) => a == b,
            (Val::Manager(a), Val::Manager(b)) => a == b,
            (Val::Told(a), Val::Told(b)) if a == b => true,
            (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => self.compare(other) == Some(Ordering::Equal),
            _ => match (self.length(), other.length()) {
                (Some(a), Some(b)) if a == b => (0..a).all(|i| match (self.element(i), other.element(i)) {
                    (Some(a), Some(b)) => a.equals(&b),
                    _ => false,
                }),
                _ => false,
            },
        }
    }

    /// The order of two values of a kind that has one.
    pub(super) fn compare(&self, other: &Val<'_>) -> Option<Ordering> {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
            (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
            (Val::Int(a), Val::Double(b)) => between(*a, *b),
            (Val::Double(a), Val::Int(b)) => between(*b, *a).map(Ordering::reverse),
            (Val::Text(a), Val::Text(b)) => Some(a.as_ref().cmp(b.as_ref())),
            (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The value as a field takes it.
    pub(super) fn into_json(self) -> Value {
        match self {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(b),
            Val::Int(i) => Value::from(i),
            // Neither infinite nor "not a number" is a value that a field could keep.
            Val::Double(d) => Number::from_f64(d).map_or(Value::Null, Value::Number),
            Val::Text(s) => Value::String(s.into_owned()),
            Val::Time(at) => Value::String(at.to_string()),
            Val::Told(value) => value.clone(),
            Val::Manager(id) => Value::String(id.to_owned()),
            Val::List(items) => items.into_iter().map(Val::into_json).collect(),
        }
    }
}

/// A whole number against a decimal one, exactly: a large one is not rounded to be compared.
fn between(whole: i64, decimal: f64) -> Option<Ordering> {
    /// 2^63, the first number too large for a whole one.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if decimal.is_nan() {
        return None;
    }
    if decimal >= END {
        return Some(Ordering::Less);
    }
    if decimal < -END {
        return Some(Ordering::Greater);
    }
    let floor = decimal.floor();
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie between the ends")]
    let below = floor as i64;
    Some(whole.cmp(&below).then(if decimal > floor { Ordering::Less } else { Ordering::Equal }))
}
