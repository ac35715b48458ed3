//! Identifiers. Inside, rows are named by integers; what a directory calls an object (its source id) is text and appears once.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

key!(/** A tenant row: one Entra directory. */ TenantKey);
key!(/** A user row of the mirror. */ UserKey);
key!(/** A group row of the mirror. */ GroupKey);
key!(/** A client (customer company) of the PSA. */ ClientId);
key!(/** A site of a client. */ SiteId);
key!(/** A person record of the PSA: an agent or a contact. */ PersonId);
key!(/** One run of one tenant. */ RunId);

/// What a directory calls one of its objects: text, with GUIDs in lower case and everything else as given (rulings 20 and 99).
///
/// Order is the byte order of that text, which is what "lowest object id" means everywhere. A clone is the same text, not a copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// Takes an id as received; a GUID in any case becomes lower case.
    pub fn new(raw: impl AsRef<str>) -> Self {
        let raw = raw.as_ref();
        let is_lower = !raw.bytes().any(|b| b.is_ascii_uppercase());
        Self(if is_lower || !is_guid(raw) { raw.into() } else { raw.to_ascii_lowercase().into() })
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for SourceId {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::new)
    }
}

/// Whether a text has the form of a GUID: 8-4-4-4-12 hexadecimal digits.
#[must_use]
pub fn is_guid(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 36
        && b.iter().enumerate().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => *c == b'-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// A rule's id inside its policy: text chosen by its author, compared as bytes (ruling 19). A clone is the same text, not a copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// Takes an id as its author wrote it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
