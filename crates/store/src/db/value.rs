//! Values that go into and come out of a database.

use crate::error::{Result, StoreError};
use model::attributes::Hash;
use model::{ClientId, GroupKey, PersonId, RuleId, RunId, SiteId, SourceId, TenantKey, UserKey};
use serde::de::DeserializeOwned;

/// A value of a column or parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number, a boolean (0, 1), or a time in milliseconds since 1970.
    Int(i64),
    /// A text, or JSON.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list of numbers, as a parameter of `EACH_INT`.
    Ints(Vec<i64>),
    /// A list of texts, as a parameter of `EACH_TEXT`.
    Texts(Vec<String>),
}

macro_rules! from_key {
    ($($key:ident),*) => { $(
        impl From<$key> for Value {
            fn from(key: $key) -> Self {
                Value::Int(key.0)
            }
        }
        impl FromValue for $key {
            fn from_value(value: &Value) -> Option<Self> {
                i64::from_value(value).map($key)
            }
        }
    )* };
}
from_key!(ClientId, GroupKey, PersonId, RunId, SiteId, TenantKey, UserKey);

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Int(i64::from(b))
    }
}
impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Text(s.to_owned())
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Text(s)
    }
}
impl From<&String> for Value {
    fn from(s: &String) -> Self {
        Value::Text(s.clone())
    }
}
impl From<&SourceId> for Value {
    fn from(id: &SourceId) -> Self {
        Value::Text(id.as_str().to_owned())
    }
}
impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Value::Bytes(hash.0.to_vec())
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}
impl From<Vec<i64>> for Value {
    fn from(list: Vec<i64>) -> Self {
        Value::Ints(list)
    }
}
impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Value::Texts(list)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl Value {
    /// Writes something as JSON text.
    pub(crate) fn json(value: &impl serde::Serialize) -> Result<Self> {
        serde_json::to_string(value).map(Value::Text).map_err(|e| StoreError::Invalid(format!("A value cannot be stored: {e}.")))
    }
}

/// Parameters of a statement, in the order of their placeholders.
pub trait Params: Send {
    /// The values.
    fn into_values(self) -> Vec<Value>;
}

impl Params for () {
    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}
impl Params for Vec<Value> {
    fn into_values(self) -> Vec<Value> {
        self
    }
}

/// A row of a query's answer.
#[derive(Debug, Clone)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// The value of a column by its position.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is of another kind.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T> {
        self.0
            .get(column)
            .and_then(T::from_value)
            .ok_or_else(|| StoreError::Corrupt(format!("column {column} of an answer is not {}", std::any::type_name::<T>())))
    }

    /// All values in column order.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }

    /// A JSON column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not parse.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T> {
        match self.0.get(column) {
            Some(Value::Text(text)) => {
                serde_json::from_str(text).map_err(|e| StoreError::Corrupt(format!("column {column} of an answer: {e}")))
            }
            _ => Err(StoreError::Corrupt(format!("column {column} of an answer is not JSON"))),
        }
    }

    /// A JSON column that may be null.
    ///
    /// # Errors
    /// As for [`Row::json`].
    pub fn json_opt<T: DeserializeOwned>(&self, column: usize) -> Result<Option<T>> {
        if matches!(self.0.get(column), Some(Value::Null)) { Ok(None) } else { self.json(column).map(Some) }
    }

    /// Takes a text out without copying it.
    pub(crate) fn take_text(&mut self, column: usize) -> Result<String> {
        match self.0.get_mut(column) {
            Some(Value::Text(text)) => Ok(std::mem::take(text)),
            _ => Err(StoreError::Corrupt(format!("column {column} of an answer is not a text"))),
        }
    }

    /// A text column, without copying it.
    pub(crate) fn str(&self, column: usize) -> Result<&str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(StoreError::Corrupt(format!("column {column} of an answer is not a text"))),
        }
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// Reads a value; nothing when it is of another kind.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(*n) } else { None }
    }
}
impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(*n != 0) } else { None }
    }
}
impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(s) = value { Some(s.clone()) } else { None }
    }
}
impl FromValue for SourceId {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(s) = value { Some(SourceId::new(s)) } else { None }
    }
}
impl FromValue for RuleId {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(s) = value { Some(RuleId::new(s.as_str())) } else { None }
    }
}
impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(b) = value { Some(b.clone()) } else { None }
    }
}
impl FromValue for Hash {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(b) = value { b.as_slice().try_into().ok().map(Hash) } else { None }
    }
}
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if matches!(value, Value::Null) { Some(None) } else { T::from_value(value).map(Some) }
    }
}
