//! Reading typed values out of nodes. Each reader notes a fault and gives nothing when the node is not what it should be, so that one
//! pass finds every fault of a document.

use crate::document::{Data, Entry, Node};
use crate::expr::{self, Use};
use crate::fault::{Faults, Mark, either, nearest};
use jiff::Timestamp;
use model::{Expression, SourceId, text};

/// The keys a map takes.
pub(crate) struct Keys {
    /// What the map is called in sentences; dotted, empty for the whole document.
    pub(crate) of: &'static str,
    /// The keys it takes.
    pub(crate) known: &'static [&'static str],
}

impl Keys {
    /// Whether the node is a map; notes every key that the map does not take.
    pub(crate) fn check<'n>(&self, node: &'n Node, faults: &mut Faults) -> Option<&'n Node> {
        let entries = map(node, if self.of.is_empty() { "the document" } else { self.of }, faults)?;
        for Entry { key, at, .. } in entries {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            unknown_key(key, at, self.of, self.known, faults);
        }
        Some(node)
    }
}

/// Notes a key that nothing reads, with the one that was probably meant.
pub(crate) fn unknown_key(key: &str, at: &Mark, of: &str, known: &[&str], faults: &mut Faults) {
    let place = if of.is_empty() { String::new() } else { format!(" in {of}") };
    match nearest(key, known.iter().copied()) {
        Some(meant) => faults.add(at, format!("unknown key {key:?}{place}; did you mean {meant:?}?")),
        None if known.is_empty() => faults.add(at, format!("unknown key {key:?}{place}; take it out")),
        None => faults.add(at, format!("unknown key {key:?}{place}; it takes {}", either(known.iter().copied()))),
    }
}

/// The entries of a map.
pub(crate) fn map<'n>(node: &'n Node, what: &str, faults: &mut Faults) -> Option<&'n [Entry]> {
    match &node.data {
        Data::Map(entries) => Some(entries),
        _ => {
            faults.add(&node.at, format!("{what} must be a map of keys and values, not {}", node.shown()));
            None
        }
    }
}

/// The items of a list.
pub(crate) fn list<'n>(node: &'n Node, what: &str, faults: &mut Faults) -> Option<&'n [Node]> {
    match &node.data {
        Data::List(items) => Some(items),
        _ => {
            faults.add(&node.at, format!("{what} must be a list, not {}", node.shown()));
            None
        }
    }
}

/// The value under a key that must be there.
pub(crate) fn required<'n>(node: &'n Node, key: &str, what: &str, faults: &mut Faults) -> Option<&'n Node> {
    let found = node.get(key);
    if found.is_none() {
        faults.add(&node.at, format!("{what} needs {key:?}"));
    }
    found
}

/// A text that is not empty. A plain number counts as its own text, because ids and names may look like one.
pub(crate) fn text(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    match &node.data {
        Data::Text(s) if text::has_control(s) => {
            faults.add(&node.at, format!("{what} holds a control character; take it out"));
            None
        }
        Data::Text(s) if !text::trim(s).is_empty() => Some(s.clone()),
        Data::Text(_) => {
            faults.add(&node.at, format!("{what} must not be empty"));
            None
        }
        Data::Number { raw, .. } => Some(raw.clone()),
        _ => {
            faults.add(&node.at, format!("{what} must be a text, not {}", node.shown()));
            None
        }
    }
}

/// An id of a user, group or rule: a text, GUIDs in lower case (ruling 20).
pub(crate) fn id(node: &Node, what: &str, faults: &mut Faults) -> Option<SourceId> {
    text(node, what, faults).map(SourceId::new)
}

/// The id of a record: a text, in which a user's GUID may stand as in `new:<user>:agent`, in lower case there too (rulings 15 and 20).
pub(crate) fn record_id(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    text(node, what, faults).map(|id| composed(&id))
}

/// An id that may be put together from others by colons: GUIDs among them in lower case.
pub(crate) fn composed(id: &str) -> String {
    id.split(':').map(|part| SourceId::new(part).as_str().to_owned()).collect::<Vec<_>>().join(":")
}

/// A list of texts.
pub(crate) fn texts(node: &Node, what: &str, faults: &mut Faults) -> Option<Vec<String>> {
    let items = list(node, what, faults)?;
    let one = format!("each of {what}");
    let read: Vec<_> = items.iter().filter_map(|item| text(item, &one, faults)).collect();
    (read.len() == items.len()).then_some(read)
}

/// A list of ids.
pub(crate) fn ids(node: &Node, what: &str, faults: &mut Faults) -> Option<Vec<SourceId>> {
    Some(texts(node, what, faults)?.into_iter().map(SourceId::new).collect())
}

/// `true` or `false`.
pub(crate) fn boolean(node: &Node, what: &str, faults: &mut Faults) -> Option<bool> {
    match node.data {
        Data::Bool(b) => Some(b),
        _ => {
            faults.add(&node.at, format!("{what} must be true or false, not {}", node.shown()));
            None
        }
    }
}

/// A whole number of a range.
pub(crate) fn whole(node: &Node, what: &str, range: std::ops::RangeInclusive<i64>, faults: &mut Faults) -> Option<i64> {
    if let Data::Number { value, .. } = &node.data
        && let Some(n) = value.as_i64()
        && range.contains(&n)
    {
        return Some(n);
    }
    let (low, high) = (range.start(), range.end());
    faults.add(&node.at, format!("{what} must be a whole number from {low} to {high}, not {}", node.shown()));
    None
}

/// An instant: RFC 3339, with `Z` or an offset.
pub(crate) fn instant(node: &Node, what: &str, faults: &mut Faults) -> Option<Timestamp> {
    let read = if let Data::Text(s) = &node.data { s.parse::<Timestamp>().ok() } else { None };
    if read.is_none() {
        faults.add(&node.at, format!("{what} must be a time like 2026-01-31T12:00:00Z, not {}", node.shown()));
    }
    read
}

/// A condition in the expression language; an empty one is refused, because it may be a half-deleted one (ruling 29).
pub(crate) fn filter(node: &Node, what: &str, faults: &mut Faults) -> Option<Expression> {
    let Data::Text(written) = &node.data else {
        faults.add(&node.at, format!("{what} must be an expression such as 'department == \"Sales\"', not {}", node.shown()));
        return None;
    };
    if text::trim(written).is_empty() {
        faults.add(&node.at, format!("{what} is empty, which selects nobody; write a condition or take the key out"));
        return None;
    }
    let compiled = expr::compile(written, Use::Condition).map_err(|bad| faults.add(&node.at, format!("{what}: {bad}"))).ok();
    compiled.map(|(expression, _)| expression)
}

/// One of a set of words.
pub(crate) fn word<T: Clone>(node: &Node, what: &str, words: &[(&'static str, T)], faults: &mut Faults) -> Option<T> {
    let written = if let Data::Text(s) = &node.data { s.as_str() } else { "" };
    let found = words.iter().find(|(w, _)| *w == written).map(|(_, value)| value.clone());
    if found.is_none() {
        let takes = either(words.iter().map(|(w, _)| *w));
        let hint = nearest(written, words.iter().map(|(w, _)| *w)).map(|w| format!("; did you mean {w}?")).unwrap_or_default();
        faults.add(&node.at, format!("{what} must be {takes}, not {}{hint}", node.shown()));
    }
    found
}
