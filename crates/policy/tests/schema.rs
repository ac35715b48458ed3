//! The published schemas say what the readers take: every preset and scenario is valid, every key is described, and what one
//! refuses as unknown the other refuses as well.

use policy::document::{Kind, parse};
use policy::{Layer, PRESETS, load, schema};
use regex::Regex;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Whether a value is what a schema says: the words of JSON Schema that ours use, and no others.
fn valid(schema: &Value, value: &Value) -> bool {
    let Some(words) = schema.as_object() else { panic!("no schema: {schema}") };
    words.iter().all(|(word, says)| match word.as_str() {
        "$schema" | "title" | "description" | "format" => true,
        "type" => says.as_array().map_or_else(|| is(says, value), |any| any.iter().any(|one| is(one, value))),
        "enum" => says.as_array().expect("a list").contains(value),
        "const" => says == value,
        "anyOf" => says.as_array().expect("a list").iter().any(|one| valid(one, value)),
        "oneOf" => says.as_array().expect("a list").iter().filter(|one| valid(one, value)).count() == 1,
        "not" => !valid(says, value),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(says, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= says.as_u64().expect("a number")),
        "minLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 >= says.as_u64().expect("a number")),
        "maxLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 <= says.as_u64().expect("a number")),
        "minimum" => value.as_f64().is_none_or(|n| n >= says.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|n| n <= says.as_f64().expect("a number")),
        "pattern" => value.as_str().is_none_or(|s| pattern(says).is_match(s)),
        "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= says.as_u64().expect("a number")),
        "required" => value
            .as_object()
            .is_none_or(|map| says.as_array().expect("a list").iter().all(|k| map.contains_key(k.as_str().expect("a key")))),
        "propertyNames" => value.as_object().is_none_or(|map| {
            map.keys().filter(|k| words.get("properties").and_then(|p| p.get(*k)).is_none()).all(|k| valid(says, &json!(k)))
        }),
        "properties" => value.as_object().is_none_or(|map| map.iter().all(|(k, v)| says.get(k).is_none_or(|of| valid(of, v)))),
        "patternProperties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(k, v)| {
                says.as_object().expect("a map").iter().all(|(p, of)| !pattern(&json!(p)).is_match(k) || valid(of, v))
            })
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let named = |k: &str| words.get("properties").is_some_and(|p| p.get(k).is_some());
            let patterned = |k: &str| {
                words
                    .get("patternProperties")
                    .and_then(Value::as_object)
                    .is_some_and(|p| p.keys().any(|p| pattern(&json!(p)).is_match(k)))
            };
            let others = map.iter().filter(|(k, _)| !named(k) && !patterned(k));
            others.into_iter().all(|(_, v)| if says.is_boolean() { says == true } else { valid(says, v) })
        }),
        other => panic!("the schemas use {other}, which this does not judge"),
    })
}

fn pattern(says: &Value) -> Regex {
    Regex::new(says.as_str().expect("a pattern")).expect("a pattern")
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        other => panic!("no type: {other}"),
    }
}

fn json_of(text: &str, kind: Kind) -> Vec<Value> {
    let documents = parse("p.yaml", text, kind).expect("documents");
    documents.iter().filter(|d| !d.is_null()).map(policy::document::Node::to_json).collect()
}

#[test]
fn every_preset_and_every_whole_policy_is_valid() {
    let schema = schema::policy();
    for (name, text) in PRESETS {
        assert!(json_of(text, Kind::Policy).iter().all(|d| valid(&schema, d)), "{name}");
        let layer = Layer::parse("p.yaml", &format!("preset: {name}")).expect("a document");
        let whole = policy::effective(&load(&[layer]).expect("a policy"));
        assert!(json_of(&whole, Kind::Policy).iter().all(|d| valid(&schema, d)), "{whole}");
    }
}

#[test]
fn every_scenario_is_valid() {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|e| e == "yaml") {
                found.push(entry);
            }
        }
    }
    let (schema, mut files) = (schema::scenario(), Vec::new());
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios"), &mut files);
    assert!(files.len() > 50, "the scenarios are where they were");
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        for scenario in json_of(&text, Kind::Scenarios) {
            assert!(valid(&schema, &scenario), "{}: {}", file.display(), scenario["name"]);
        }
    }
}

#[test]
fn every_key_is_described() {
    fn described(schema: &Value, at: &str) {
        for (word, says) in schema.as_object().expect("a schema") {
            match says {
                Value::Object(properties) if word == "properties" => {
                    for (key, of) in properties {
                        assert!(of.is_object(), "nothing is said of {at}.{key}");
                        described(of, &format!("{at}.{key}"));
                    }
                }
                Value::Object(_) if ["items", "additionalProperties", "not", "propertyNames"].contains(&word.as_str()) => {
                    described(says, at)
                }
                Value::Array(any) if ["anyOf", "oneOf"].contains(&word.as_str()) => any.iter().for_each(|one| described(one, at)),
                _ => {}
            }
        }
    }
    described(&schema::policy(), "policy");
    described(&schema::scenario(), "scenario");
}

#[test]
fn what_is_unknown_is_refused_by_both() {
    let schema = schema::policy();
    let rule = |of: &str| format!("rules: [{{ id: r, order: 1, when: {{}}, then: {{ kind: agent }}, {of} }}]");
    let mut texts = vec![
        "scop: {}".to_owned(),
        "scope: { guest: include }".into(),
        "scope: { guests: maybe }".into(),
        "scope: { licences: { plan: [a] } }".into(),
        "scope: { exclude: [{ name: a }] }".into(),
        "scope: { exclude: [{ name: a, filter: 'true', local_parts: [b] }] }".into(),
        "rules: [{ id: r, when: {}, then: { kind: agent } }]".into(),
        "rules: [{ id: r, order: 1, then: { kind: agent } }]".into(),
        "rules: [{ id: r, order: 1, when: { groups: [] }, then: { kind: agent } }]".into(),
        "rules: [{ id: r, order: 1, when: { filter: '' }, then: { kind: agent } }]".into(),
        "rules: [{ id: r, order: 1, when: {}, then: { kind: agent, sites: a } }]".into(),
        "rules: [{ id: r, order: 1, when: {}, then: { kind: agent, site: a, site_from: city } }]".into(),
        "role_mappings: [{ id: m, order: 1, kind: agent, role: a }]".into(),
        "cab_mappings: [{ group: g, group_name: h, cab: c }]".into(),
        "role_without_manager: { agents: a }".into(),
        "matching: { keys: [] }".into(),
        "matching: { keys: [{ field: a }] }".into(),
        "fields: { role: { source: city } }".into(),
        "fields: { phone: { from: mobilePhone } }".into(),
        "fields: { Phone: { source: mobilePhone } }".into(),
        "username: { collision: review }".into(),
        "lifecycle: { on_delete: ignore }".into(),
        "lifecycle: { grace: 3 days }".into(),
        "lifecycle: { agent: { grace: { on_return: 3d } } }".into(),
        "guard: { max_removals: -1 }".into(),
        "guard: { max_rekeys: 101 }".into(),
        "preset: bmz".into(),
    ];
    texts.push(rule("priority: 1"));
    for text in texts {
        assert!(Layer::parse("p.yaml", &text).and_then(|l| load(&[l])).is_err(), "the reader takes {text}");
        assert!(json_of(&text, Kind::Policy).iter().all(|d| !valid(&schema, d)), "the schema takes {text}");
    }
    let schema = schema::scenario();
    for step in [
        "{ appprove: true }",
        "{ run: fully }",
        "{ expect: {} }",
        "{ entra: { users: [{ id: u, jobtitel: x }] } }",
        "{ resolve: [{ user: u }] }",
    ] {
        let text = format!("name: n\nsteps: [{step}]");
        assert!(policy::scenario::parse("s.yaml", &text).is_err(), "the reader takes {text}");
        assert!(json_of(&text, Kind::Scenarios).iter().all(|d| !valid(&schema, d)), "the schema takes {text}");
    }
}
