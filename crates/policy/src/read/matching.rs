//! `matching`: which record is whose.

use super::fields::value_of_field;
use crate::document::{Data, Node};
use crate::fault::{Faults, either};
use crate::reader::{Keys, list, required, text, word};
use crate::source;
use crate::words::Word;
use model::policy::{MatchKey, Matching, OnInactive, OnLink, OnNone, Policy};
use model::{Field, Kind};

pub(crate) const KEYS: Keys = Keys { of: "matching", known: &["keys", "on_none", "on_link", "on_inactive"] };
pub(crate) const KEY: Keys = Keys { of: "a matching key", known: &["field", "source"] };

/// Keys that are more than a record's field.
const NAMED: [(&str, MatchKey); 3] = [("object_id", MatchKey::ObjectId), ("email", MatchKey::Email), ("upn", MatchKey::Upn)];

/// Fields that say nothing of who somebody is: what follows rules, and lists, which are no text to compare.
const NO_KEYS: [Field; 10] = [
    Field::ADDITIONAL_EMAILS,
    Field::MANAGER,
    Field::CLIENT,
    Field::SITE,
    Field::ROLE,
    Field::EXTRA_ROLES,
    Field::LICENCE_TYPE,
    Field::CABS,
    Field::STATUS,
    Field::ACCESS,
];

pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<Matching> {
    let node = KEYS.check(node, faults)?;
    let mut setting = |key| required(node, key, "matching", faults);
    let (keys, on_none) = (setting("keys"), setting("on_none"));
    let (on_link, on_inactive) = (setting("on_link"), setting("on_inactive"));

    let keys = keys.and_then(|n| self::keys(n, faults));
    let on_none = on_none.and_then(|n| word(n, "matching.on_none", OnNone::WORDS, faults));
    let on_link = on_link.and_then(|n| word(n, "matching.on_link", OnLink::WORDS, faults));
    let on_inactive = on_inactive.and_then(|n| word(n, "matching.on_inactive", OnInactive::WORDS, faults));
    Some(Matching { keys: keys?, on_none: on_none?, on_link: on_link?, on_inactive: on_inactive? })
}

fn keys(node: &Node, faults: &mut Faults) -> Option<Vec<MatchKey>> {
    let items = list(node, "matching.keys", faults)?;
    if items.is_empty() {
        faults.add(&node.at, "matching.keys is empty; a link always holds, so write [object_id] for nothing else");
    }
    let mut keys: Vec<MatchKey> = Vec::with_capacity(items.len());
    for item in items {
        let Some(key) = key(item, faults) else { continue };
        if keys.contains(&key) {
            faults.add(&item.at, format!("matching.keys has {} twice", written(&key)));
        } else {
            keys.push(key);
        }
    }
    Some(keys)
}

/// A key names a record's field, whose mapping is the user's side, or a field with a source of its own (ruling 59).
fn key(node: &Node, faults: &mut Faults) -> Option<MatchKey> {
    match &node.data {
        Data::Text(written) => match NAMED.iter().find(|(word, _)| word == written) {
            Some((_, key)) => Some(key.clone()),
            None if written.is_empty() => {
                let known = either(NAMED.iter().map(|(word, _)| *word));
                faults.add(&node.at, format!("matching.keys: a key is empty; write {known}, or a field"));
                None
            }
            None => Some(MatchKey::Field { field: field(written, node, faults)?, source: None }),
        },
        Data::Map(_) => {
            KEY.check(node, faults)?;
            let name = required(node, "field", "a matching key", faults);
            let field = name.and_then(|n| text(n, "the field of a matching key", faults).and_then(|t| field(&t, n, faults)));
            let source = required(node, "source", "a matching key", faults)
                .and_then(|n| source::text_source(n, "the source of a matching key", faults));
            Some(MatchKey::Field { field: field?, source: Some(source?) })
        }
        _ => {
            faults.add(
                &node.at,
                format!("a matching key must be a field's name, or a map of field and source, not {}", node.shown()),
            );
            None
        }
    }
}

fn field(written: &str, node: &Node, faults: &mut Faults) -> Option<Field> {
    let words = NAMED.iter().map(|(word, _)| *word);
    if let Some(meant) = crate::fault::nearest(written, words.chain([Field::EMPLOYEE_ID.as_str()])).filter(|m| *m != written) {
        faults.add(&node.at, format!("matching.keys: there is no key {written:?}; did you mean {meant}?"));
        return None;
    }
    let field = value_of_field(written, &node.at, faults)?;
    if NO_KEYS.contains(&field) {
        faults.add(&node.at, format!("{field} does not tell who somebody is; name another field, such as employee_id"));
        return None;
    }
    Some(field)
}

/// Every key needs a value on the user's side, or it would never match anybody.
pub(super) fn keys_have_sources(policy: &Policy, root: &Node, faults: &mut Faults) {
    let Some(node) = root.get("matching").and_then(|n| n.get("keys")) else { return };
    for key in &policy.matching.keys {
        let MatchKey::Field { field, source } = key else { continue };
        let known = [Kind::Agent, Kind::Contact].iter().any(|kind| policy.key_source(field, source.as_ref(), *kind).is_some());
        if !known {
            let message = format!(
                "matching.keys names {field}, and nothing is mapped to it; map fields.{field}, or write {{ field: {field}, source: … }}"
            );
            faults.add(&node.at, message);
        }
    }
}

/// A key as it is called in sentences: by its field.
fn written(key: &MatchKey) -> &str {
    match key {
        MatchKey::Field { field, .. } => field.as_str(),
        named => word_of(named).unwrap_or_default(),
    }
}

/// The word of a key that is more than a field.
pub(crate) fn word_of(key: &MatchKey) -> Option<&'static str> {
    NAMED.iter().find(|(_, named)| named == key).map(|(word, _)| *word)
}
