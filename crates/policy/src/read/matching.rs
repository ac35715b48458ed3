//! `matching`: which record is whose.

use crate::document::{Data, Node};
use crate::fault::{Faults, either, nearest};
use crate::reader::{Keys, list, required, word};
use crate::words::Word;
use model::policy::{MatchKey, Matching, OnInactive, OnLink, OnNone};

const KEYS: Keys = Keys { of: "matching", known: &["keys", "on_none", "on_link", "on_inactive"], not_yet: &[] };

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
    let mut keys = Vec::with_capacity(items.len());
    for item in items {
        match key(item, faults) {
            Some(key) if keys.contains(&key) => faults.add(&item.at, format!("matching.keys has {} twice", key.word())),
            Some(key) => keys.push(key),
            None => {}
        }
    }
    Some(keys)
}

/// A key names a record's field, or a field with a source of its own (ruling 59); two of them are carried out.
fn key(node: &Node, faults: &mut Faults) -> Option<MatchKey> {
    let written = match &node.data {
        Data::Text(s) => s.as_str(),
        Data::Map(_) => {
            faults.not_yet(&node.at, "a matching key with a source");
            return None;
        }
        _ => {
            faults.add(&node.at, format!("a matching key must be a word, not {}", node.shown()));
            return None;
        }
    };
    let known = MatchKey::WORDS.iter().map(|(w, _)| *w);
    if let Some((_, key)) = MatchKey::WORDS.iter().find(|(w, _)| *w == written) {
        return Some(key.clone());
    }
    match nearest(written, known.clone()) {
        Some(meant) => faults.add(&node.at, format!("matching.keys: there is no key {written:?}; did you mean {meant}?")),
        None if written.is_empty() => faults.add(&node.at, format!("matching.keys: a key is empty; write {}", either(known))),
        None => faults.not_yet(&node.at, written),
    }
    None
}
