//! A condition or value that a policy states in its expression language: its text, and whoever evaluates it. The language itself
//! lives with the policy document; here is only what every stage needs to hold one and to ask it.

use crate::{Attributes, SourceId, Value};
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// What an expression sees of one user: nothing of the clock, of groups or of other users (ruling 23).
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The user's own source id, seen as `id`.
    pub id: &'a SourceId,
    /// The user's attributes, under Graph's names.
    pub attributes: &'a Attributes,
    /// The manager's source id, seen as `manager.id`.
    pub manager: Option<&'a SourceId>,
}

/// A checked expression, ready to be asked about any number of users.
pub trait Evaluate: fmt::Debug + Send + Sync {
    /// Whether the condition holds; null is "no".
    ///
    /// # Errors
    /// What cannot be computed for this user, who is then left as they are (ruling 38).
    fn holds(&self, of: Subject<'_>) -> Result<bool, Unevaluable>;

    /// The value for this user, as JSON; null is "none".
    ///
    /// # Errors
    /// As for [`Evaluate::holds`].
    fn value(&self, of: Subject<'_>) -> Result<Value, Unevaluable>;

    /// The user attributes the expression reads, sorted.
    fn attributes(&self) -> &[String];
}

/// What cannot be computed for one user: an element beyond a list's end, a text where a number is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unevaluable(
    /// A clause that says what went wrong, without values of the user.
    pub String,
);

/// An expression of a policy. Two with the same text are the same.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    program: Arc<dyn Evaluate>,
}

impl Expression {
    /// An expression as it was written, with what evaluates it.
    #[must_use]
    pub fn new(text: &str, program: Arc<dyn Evaluate>) -> Self {
        Self { text: text.into(), program }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the condition holds for a user; null is "no".
    ///
    /// # Errors
    /// See [`Evaluate::holds`].
    pub fn holds(&self, of: Subject<'_>) -> Result<bool, Unevaluable> {
        self.program.holds(of)
    }

    /// The value for a user; null is "none".
    ///
    /// # Errors
    /// See [`Evaluate::holds`].
    pub fn value(&self, of: Subject<'_>) -> Result<Value, Unevaluable> {
        self.program.value(of)
    }

    /// The user attributes the expression reads, sorted.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        self.program.attributes()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}
