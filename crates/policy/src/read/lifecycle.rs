//! `lifecycle`: what follows from leaving and coming back, by kind.

use crate::document::Node;
use crate::fault::Faults;
use crate::reader::{Keys, required, word};
use crate::words::Word;
use model::Kind;
use model::policy::{Lifecycle, OnGone, OnKindChange, OnReturn, OnUnmapped, PerKind};

const KINDS: Keys = Keys { of: "lifecycle", known: &["agent", "contact"], not_yet: &[] };
const KEYS: Keys = Keys {
    of: "lifecycle",
    known: &["on_deleted", "on_disabled", "on_missing", "on_unmapped", "on_return", "on_kind_change", "grace"],
    not_yet: &[],
};

/// Reads the expanded section; `preset` is the same section of the preset.
pub(super) fn read(node: &Node, preset: Option<&Node>, faults: &mut Faults) -> Option<PerKind<Lifecycle>> {
    let node = KINDS.check(node, faults)?;
    let agent = of_kind(node, Kind::Agent, preset, faults);
    let contact = of_kind(node, Kind::Contact, preset, faults);
    Some(PerKind { agent: agent?, contact: contact? })
}

fn of_kind(node: &Node, kind: Kind, preset: Option<&Node>, faults: &mut Faults) -> Option<Lifecycle> {
    let node = KEYS.check(required(node, kind.as_str(), "lifecycle", faults)?, faults)?;
    let on_deleted = one(node, "on_deleted", OnGone::WORDS, faults);
    let on_disabled = one(node, "on_disabled", OnGone::WORDS, faults);
    let on_missing = one(node, "on_missing", OnGone::WORDS, faults);
    let on_unmapped = one(node, "on_unmapped", OnUnmapped::WORDS, faults);
    let on_return = one(node, "on_return", OnReturn::WORDS, faults);
    let on_kind_change = one(node, "on_kind_change", OnKindChange::WORDS, faults);
    let shipped = |key| preset.and_then(|p| p.get(kind.as_str())).and_then(|p| p.get(key));
    if let (Some(word), Some(at)) = (on_kind_change, node.get("on_kind_change")) {
        kind_change(word, at, shipped("on_kind_change"), faults);
    }
    // Nothing waits for a grace: only the presets' own, which is none, may be repeated.
    if let Some(entry) = node.entry("grace")
        && shipped("grace").is_none_or(|n| n.data != entry.value.data)
    {
        faults.not_yet(&entry.at, "grace");
    }
    Some(Lifecycle {
        on_deleted: on_deleted?,
        on_disabled: on_disabled?,
        on_missing: on_missing?,
        on_unmapped: on_unmapped?,
        on_return: on_return?,
        on_kind_change: on_kind_change?,
    })
}

fn one<T: Clone>(node: &Node, key: &str, words: &[(&'static str, T)], faults: &mut Faults) -> Option<T> {
    word(required(node, key, "lifecycle", faults)?, &format!("lifecycle.{key}"), words, faults)
}

/// Only asking a person is carried out; a preset's own value may be repeated, so that an exported policy can be read back.
fn kind_change(word: OnKindChange, at: &Node, shipped: Option<&Node>, faults: &mut Faults) {
    if word != OnKindChange::Review && shipped.is_none_or(|n| n.data != at.data) {
        faults.not_yet(&at.at, word.word());
    }
}
