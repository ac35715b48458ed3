//! Laying one document over another: maps merge key by key, everything else replaces (ruling 26).

use crate::document::{Data, Entry, Node};
use std::collections::HashMap;

/// The settings that may be given flat or per kind.
const PER_KIND: [&str; 2] = ["fields", "lifecycle"];

/// The kinds, as keys.
const KINDS: [&str; 2] = ["agent", "contact"];

/// The document with flat `fields` and `lifecycle` keys written out for both kinds (ruling 120). This is done to each document
/// before it is merged, so that a tenant's flat key wins over a template's key for one kind.
pub(crate) fn expand(root: &Node) -> Node {
    let mut root = root.clone();
    if let Data::Map(entries) = &mut root.data {
        for entry in entries.iter_mut().filter(|e| PER_KIND.contains(&e.key.as_str())) {
            if let Data::Map(settings) = &mut entry.value.data {
                *settings = by_kind(std::mem::take(settings), &entry.at);
            }
        }
    }
    root
}

fn by_kind(settings: Vec<Entry>, at: &crate::Mark) -> Vec<Entry> {
    let (own, flat): (Vec<_>, Vec<_>) = settings.into_iter().partition(|e| KINDS.contains(&e.key.as_str()));
    if flat.is_empty() {
        return own;
    }
    KINDS
        .iter()
        .map(|kind| {
            let both = Node { at: at.clone(), data: Data::Map(flat.clone()) };
            match own.iter().find(|e| e.key == *kind) {
                Some(e) => Entry { key: e.key.clone(), at: e.at.clone(), value: over(both, &e.value) },
                None => Entry { key: (*kind).to_owned(), at: at.clone(), value: both },
            }
        })
        .collect()
}

/// Lays `upper` over `lower`.
pub(crate) fn over(lower: Node, upper: &Node) -> Node {
    let (Data::Map(mut entries), Data::Map(uppers)) = (lower.data, &upper.data) else {
        return upper.clone();
    };
    let places: HashMap<String, usize> = entries.iter().enumerate().map(|(place, e)| (e.key.clone(), place)).collect();
    for upper in uppers {
        // Keys of one map are distinct, so what is appended here is never looked up.
        match places.get(&upper.key).and_then(|place| entries.get_mut(*place)) {
            Some(entry) => {
                let below = std::mem::replace(&mut entry.value, Node { at: upper.at.clone(), data: Data::Null });
                *entry = Entry { key: upper.key.clone(), at: upper.at.clone(), value: over(below, &upper.value) };
            }
            None => entries.push(upper.clone()),
        }
    }
    Node { at: upper.at.clone(), data: Data::Map(entries) }
}
