//! A YAML document as a tree that knows where each part stands. JSON is YAML too.
//!
//! Read from text somebody else wrote, so bounded in size, depth and in what aliases add; tags and duplicate keys are refused
//! rather than interpreted, because each of them can make a document mean something else than it seems to.

mod parse;

pub use parse::{Kind, parse, text_of};

use crate::fault::Mark;
use serde_json::Value;

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub at: Mark,
    /// What it is.
    pub data: Data,
}

/// What a node is: the values of YAML's core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing: `null`, `~` or left out.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number {
        /// Its value.
        value: serde_json::Number,
        /// As it was written, because a share is read exactly and an id may look like a number.
        raw: String,
    },
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written, without duplicate keys.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub at: Mark,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a map under a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    /// The value of a map under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// Whether the node is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    /// The same as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number { value, .. } => Value::Number(value.clone()),
            Data::Text(s) => Value::String(s.clone()),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()),
        }
    }

    /// What the node is, for a sentence: `"maybe"`, `12`, `a list`.
    #[must_use]
    pub fn shown(&self) -> String {
        /// Longer texts are cut in messages; the place says where the rest is.
        const SHOWN: usize = 60;
        match &self.data {
            Data::Null => "nothing".to_owned(),
            Data::Bool(b) => b.to_string(),
            Data::Number { raw, .. } => raw.clone(),
            Data::Text(s) if s.chars().count() > SHOWN => format!("{:?}", s.chars().take(SHOWN).chain(['…']).collect::<String>()),
            Data::Text(s) => format!("{s:?}"),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }

    /// The JSON pointer (RFC 6901) to the node or key at a mark, if it stands in this tree.
    #[must_use]
    pub(crate) fn pointer_to(&self, at: &Mark) -> Option<String> {
        if self.at == *at {
            return Some(String::new());
        }
        match &self.data {
            Data::List(items) => {
                items.iter().enumerate().find_map(|(i, item)| item.pointer_to(at).map(|rest| format!("/{i}{rest}")))
            }
            Data::Map(entries) => entries.iter().find_map(|e| {
                let rest = if e.at == *at { Some(String::new()) } else { e.value.pointer_to(at) }?;
                Some(format!("/{}{rest}", e.key.replace('~', "~0").replace('/', "~1")))
            }),
            _ => None,
        }
    }
}
