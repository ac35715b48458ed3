//! The forms of a policy document and of a scenario file as JSON Schemas (2020-12), for editors and other tools. The keys are those
//! the readers take; only what is said of each stands here, and a key of which nothing is said fails a test.
//!
//! A schema knows the form alone. What needs more than one place to be judged (an attribute that does not exist, an expression, a
//! rule id that stands twice) is judged by [`crate::load`].

mod document;
mod scenario;

pub use document::policy;
pub use scenario::scenario;

use crate::reader::Keys;
use crate::words::Word;
use serde_json::{Map, Value, json};

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A map with the keys a reader takes and no others.
fn object(keys: &Keys, needed: &[&str], of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.known.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    schema
}

/// A schema with what is to be known of it.
fn told(description: &str, mut schema: Value) -> Value {
    schema["description"] = json!(description);
    schema
}

/// A text; a plain number stands for its own text, because ids and names may look like one.
fn text() -> Value {
    json!({ "type": ["string", "number"], "minLength": 1 })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// A list that says nothing when it is empty, and is refused then.
fn filled(of: &Value) -> Value {
    json!({ "type": "array", "items": of, "minItems": 1 })
}

fn words<W: Word>() -> Value {
    one_of(W::WORDS.iter().map(|(word, _)| *word))
}

fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({ "enum": words.into_iter().collect::<Vec<_>>() })
}

fn or_null(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(Value::String(one)) => schema["type"] = json!([one.clone(), "null"]),
        _ => return json!({ "anyOf": [schema, { "type": "null" }] }),
    }
    schema
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn kind() -> Value {
    one_of(["agent", "contact"])
}
