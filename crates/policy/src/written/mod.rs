//! A policy as a document again: what is exported as the effective policy, what its digest is taken over, and what two versions are
//! compared by.

mod yaml;

pub(crate) use yaml::{emit, emit_at};

use crate::layers::Loaded;
use crate::read::{FROM_TENANT, NO_CHANGE, key_word};
use crate::source;
use crate::value::written_duration;
use crate::words::Word;
use jiff::Timestamp;
use model::policy::{
    CabMapping, ClientRef, ExcludeBy, Grace, GroupRef, Guard, Lifecycle, Mapping, MatchKey, PerKind, Policy, RoleMapping, Rule,
    RuleKind, Scope, Then, When,
};
use model::{Field, Kind, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A document in the order it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// A value that stands on one line.
    Leaf(Value),
    /// A list.
    List(Vec<Tree>),
    /// Keys and values.
    Map(Vec<(String, Tree)>),
}

/// The whole policy as one YAML document with every setting in a fixed order. Laid over the chain it came from, or over a preset
/// alone, it gives the same digest.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let mut sections = vec![("preset".to_owned(), leaf(loaded.preset))];
    sections.extend(document(&loaded.policy, &loaded.unmapped));
    yaml::emit(&Tree::Map(sections))
}

/// The same as JSON: what forms are filled from.
#[must_use]
pub fn effective_json(loaded: &Loaded) -> Value {
    json_of(&Tree::Map(document(&loaded.policy, &loaded.unmapped)))
}

/// SHA-256, in hexadecimal, over the policy in canonical JSON. The place of a rule in the list does not matter (ruling 19), nor does
/// how the settings were spread over the chain.
#[must_use]
pub fn digest(policy: &Policy) -> String {
    hex::encode(Sha256::digest(canonical(policy).to_string().as_bytes()))
}

/// Maps of `serde_json` are sorted by key, so this is canonical once rules and role mappings are in the order of their ids.
fn canonical(policy: &Policy) -> Value {
    let nothing = PerKind::default();
    let mut json = json_of(&Tree::Map(document(policy, &nothing)));
    for list in ["rules", "role_mappings"] {
        if let Some(Value::Array(items)) = json.get_mut(list) {
            items.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
        }
    }
    json
}

/// One setting in which two policies differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DiffLine {
    /// The setting, dotted; rules by their id: `rules[staff].then.role`.
    pub path: String,
    /// Before; null when it was not there.
    pub before: Value,
    /// After; null when it is not there any more.
    pub after: Value,
}

/// What changes from one policy to another, setting by setting, in the order of the paths.
#[must_use]
pub fn diff(before: &Policy, after: &Policy) -> Vec<DiffLine> {
    let (mut from, mut to) = (settings(before), settings(after));
    let paths: BTreeSet<String> = from.keys().chain(to.keys()).cloned().collect();
    let lines = paths.into_iter().filter_map(|path| {
        let (before, after) = (from.remove(&path).unwrap_or(Value::Null), to.remove(&path).unwrap_or(Value::Null));
        (before != after).then_some(DiffLine { path, before, after })
    });
    lines.collect()
}

/// Every setting by its path. Lists of plain values are one setting each.
fn settings(policy: &Policy) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    flatten(&Tree::Map(document(policy, &PerKind::default())), String::new(), &mut found);
    found
}

fn flatten(tree: &Tree, path: String, found: &mut BTreeMap<String, Value>) {
    match tree {
        Tree::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(value, below, found);
            }
        }
        Tree::List(items) if !items.is_empty() && items.iter().all(|item| matches!(item, Tree::Map(_))) => {
            for item in items {
                flatten(item, format!("{path}[{}]", name_of(item)), found);
            }
        }
        other => {
            found.insert(path, json_of(other));
        }
    }
}

/// What an item of a list is called: a rule's or role mapping's id, an exclusion's name, a matching key's field; a CAB mapping is
/// called by its group and board.
fn name_of(item: &Tree) -> String {
    let Tree::Map(entries) = item else { return String::new() };
    let text = |value: &Tree| json_of(value).as_str().map(str::to_owned);
    let named = entries.iter().find(|(key, _)| ["id", "name", "field"].contains(&key.as_str()));
    match named {
        Some((_, value)) => text(value).unwrap_or_default(),
        None => {
            entries.iter().filter(|(key, _)| key != "role").filter_map(|(_, value)| text(value)).collect::<Vec<_>>().join(" → ")
        }
    }
}

fn json_of(tree: &Tree) -> Value {
    match tree {
        Tree::Leaf(value) => value.clone(),
        Tree::List(items) => items.iter().map(json_of).collect(),
        Tree::Map(entries) => Value::Object(entries.iter().map(|(k, v)| (k.clone(), json_of(v))).collect()),
    }
}

fn leaf(value: impl Into<Value>) -> Tree {
    Tree::Leaf(value.into())
}

fn map<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn leaves<T: Into<Value> + Clone>(items: &[T]) -> Tree {
    Tree::List(items.iter().cloned().map(leaf).collect())
}

/// Every section, in the order of a document.
fn document(policy: &Policy, unmapped: &PerKind<BTreeSet<Field>>) -> Vec<(String, Tree)> {
    let matching = map([
        ("keys", Tree::List(policy.matching.keys.iter().map(key).collect())),
        ("on_none", leaf(policy.matching.on_none.word())),
        ("on_link", leaf(policy.matching.on_link.word())),
        ("on_inactive", leaf(policy.matching.on_inactive.word())),
    ]);
    let kinds = [Kind::Agent, Kind::Contact];
    let fields = kinds.map(|kind| (kind.as_str(), fields(policy.fields.of(kind), unmapped.of(kind))));
    let lifecycle = kinds.map(|kind| (kind.as_str(), lifecycle(policy.lifecycle.of(kind))));
    let sections = [
        ("scope", scope(&policy.scope)),
        ("rules", Tree::List(policy.rules.iter().map(rule).collect())),
        ("role_mappings", Tree::List(policy.role_mappings.iter().map(role_mapping).collect())),
        ("cab_mappings", Tree::List(policy.cab_mappings.iter().map(cab_mapping).collect())),
        ("role_without_manager", map(kinds.map(|kind| (kind.as_str(), leaf(policy.role_without_manager.of(kind).clone()))))),
        ("inactive_roles", leaves(&policy.inactive_roles)),
        ("matching", matching),
        ("fields", map(fields)),
        ("username", map([("on_collision", leaf(policy.username_on_collision.word()))])),
        ("lifecycle", map(lifecycle)),
        ("guard", guard(&policy.guard)),
    ];
    sections.into_iter().map(|(key, tree)| (key.to_owned(), tree)).collect()
}

fn scope(scope: &Scope) -> Tree {
    let include = |included| leaf(if included { "include" } else { "exclude" });
    let exclude = scope.exclude.iter().map(|e| {
        let by = match &e.by {
            ExcludeBy::LocalParts(parts) => ("local_parts", leaves(parts)),
            ExcludeBy::Filter(filter) => ("filter", leaf(filter.text())),
        };
        map([("name", leaf(e.name.as_str())), by])
    });
    map([
        ("guests", include(scope.guests)),
        ("disabled", include(scope.disabled)),
        ("licensed_only", leaf(scope.licensed_only)),
        ("licences", map([("plans", leaves(&scope.licences.plans)), ("ignore_skus", leaves(&scope.licences.ignore_skus))])),
        ("app_assigned", leaf(scope.app_assigned)),
        ("require", leaves(&scope.require)),
        ("exclude", Tree::List(exclude.collect())),
    ])
}

fn key(key: &MatchKey) -> Tree {
    match key {
        MatchKey::Field { field, source: None } => leaf(field.as_str()),
        MatchKey::Field { field, source: Some(own) } => {
            map([("field", leaf(field.as_str())), ("source", leaf(source::written(own)))])
        }
        named => leaf(key_word(named)),
    }
}

fn group(group: &GroupRef) -> (&'static str, Tree) {
    match group {
        GroupRef::Id(id) => ("group", leaf(id.as_str())),
        GroupRef::Name(name) => ("group_name", leaf(name.as_str())),
    }
}

fn created(nanoseconds: Option<i128>) -> Tree {
    leaf(nanoseconds.and_then(|ns| Timestamp::from_nanosecond(ns).ok()).map(|at| at.to_string()))
}

fn role_mapping(mapping: &RoleMapping) -> Tree {
    map([
        ("id", leaf(mapping.id.as_str())),
        ("order", leaf(mapping.order)),
        ("created", created(mapping.created)),
        group(&mapping.group),
        ("kind", leaf(mapping.kind.as_str())),
        ("role", leaf(mapping.role.as_str())),
        ("mode", leaf(mapping.mode.word())),
    ])
}

fn cab_mapping(mapping: &CabMapping) -> Tree {
    map([group(&mapping.group), ("cab", leaf(mapping.cab.as_str())), ("role", leaf(mapping.role.clone()))])
}

/// Always with `created`, null when it is not known (ruling 19).
fn rule(rule: &Rule) -> Tree {
    map([
        ("id", leaf(rule.id.as_str())),
        ("name", leaf(rule.name.as_str())),
        ("order", leaf(rule.order)),
        ("enabled", leaf(rule.enabled)),
        ("created", created(rule.created)),
        ("when", when(&rule.when)),
        ("then", then(&rule.then)),
    ])
}

fn when(when: &When) -> Tree {
    let mut given = Vec::new();
    if let Some(groups) = &when.groups {
        let ids: Vec<_> = groups.iter().map(|id| id.as_str()).collect();
        given.push(("groups".to_owned(), leaves(&ids)));
    }
    if let Some(names) = &when.group_names {
        given.push(("group_names".to_owned(), leaves(names)));
    }
    if let Some(filter) = &when.filter {
        given.push(("filter".to_owned(), leaf(filter.text())));
    }
    if let Some(guests) = when.include_guests {
        given.push(("include_guests".to_owned(), leaf(guests)));
    }
    Tree::Map(given)
}

fn then(then: &Then) -> Tree {
    let client = match &then.client {
        ClientRef::FromTenant => FROM_TENANT,
        ClientRef::Named(name) => name,
    };
    let mut given = vec![("kind".to_owned(), leaf(then.kind.word())), ("client".to_owned(), leaf(client))];
    for (key, value) in [("site", &then.site), ("role", &then.role)] {
        given.extend(value.as_deref().map(|value| (key.to_owned(), leaf(value))));
    }
    if let Some(from) = &then.site_from {
        given.push(("site_from".to_owned(), leaf(source::written(from))));
    }
    if then.kind != RuleKind::Contact {
        given.push(("licence_type".to_owned(), leaf(then.licence_type.map_or(NO_CHANGE, |licence| licence.as_str()))));
    }
    if !then.cabs.is_empty() {
        given.push(("cabs".to_owned(), leaves(&then.cabs)));
    }
    if !then.defaults.is_empty() {
        let defaults = then.defaults.iter().map(|(field, value)| (field.to_string(), tree_of(value)));
        given.push(("defaults".to_owned(), Tree::Map(defaults.collect())));
    }
    Tree::Map(given)
}

fn fields(mappings: &BTreeMap<Field, Mapping>, unmapped: &BTreeSet<Field>) -> Tree {
    let mapped = mappings.iter().map(|(field, mapping)| {
        let source = mapping.source.as_ref().map(source::written);
        let tree = map([
            ("source", leaf(source)),
            ("overwrite", leaf(mapping.overwrite.word())),
            ("default", mapping.default.as_ref().map_or(Tree::Leaf(Value::Null), tree_of)),
            ("clear_when_empty", leaf(mapping.clear_when_empty)),
        ]);
        (field.to_string(), tree)
    });
    let mut all: Vec<_> = mapped.chain(unmapped.iter().map(|field| (field.to_string(), Tree::Leaf(Value::Null)))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Tree::Map(all)
}

fn lifecycle(lifecycle: &Lifecycle) -> Tree {
    map([
        ("on_deleted", leaf(lifecycle.on_deleted.word())),
        ("on_disabled", leaf(lifecycle.on_disabled.word())),
        ("on_missing", leaf(lifecycle.on_missing.word())),
        ("on_unmapped", leaf(lifecycle.on_unmapped.word())),
        ("on_return", leaf(lifecycle.on_return.word())),
        ("on_kind_change", leaf(lifecycle.on_kind_change.word())),
        ("grace", grace(&lifecycle.grace)),
    ])
}

/// By cause, because a plain duration would be replaced as a whole by a map that is laid over it.
fn grace(grace: &Grace) -> Tree {
    let duration = |ms| written_duration(ms).map_or_else(|| leaf(0), leaf);
    map([
        ("on_deleted", duration(grace.on_deleted)),
        ("on_disabled", duration(grace.on_disabled)),
        ("on_missing", duration(grace.on_missing)),
        ("on_unmapped", duration(grace.on_unmapped)),
    ])
}

fn guard(guard: &Guard) -> Tree {
    let count = |limit: Option<i64>| limit.map_or_else(|| leaf("off"), leaf);
    // A whole percent is written as a number; a decimal one as a text with its sign, which no float can bend.
    let share = |limit: Option<model::policy::Percent>| match limit {
        None => leaf("off"),
        Some(share) if share.0 % 10_000 == 0 => leaf(share.0 / 10_000),
        Some(share) => leaf(format!("{share}%")),
    };
    map([
        ("max_removals", count(guard.max_removals)),
        ("max_removal_share", share(guard.max_removal_share)),
        ("max_rekeys", share(guard.max_rekeys)),
        ("max_creates_share", share(guard.max_creates_share)),
        ("max_agent_creates", count(guard.max_agent_creates)),
        ("approve_first_run", leaf(guard.approve_first_run)),
        ("apply_safe_part", leaf(guard.apply_safe_part)),
        ("fleet_max_removal_share", share(guard.fleet_max_removal_share)),
    ])
}

fn tree_of(value: &Value) -> Tree {
    match value {
        Value::Array(items) => Tree::List(items.iter().map(tree_of).collect()),
        Value::Object(entries) => Tree::Map(entries.iter().map(|(k, v)| (k.clone(), tree_of(v))).collect()),
        leaf => Tree::Leaf(leaf.clone()),
    }
}
