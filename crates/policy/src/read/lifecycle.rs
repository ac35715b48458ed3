//! `lifecycle`: what follows from leaving and coming back, by kind.

use crate::document::{Data, Node};
use crate::fault::Faults;
use crate::reader::{Keys, required, word};
use crate::value::duration;
use crate::words::Word;
use model::Kind;
use model::policy::{Grace, Lifecycle, OnGone, OnKindChange, OnReturn, OnUnmapped, PerKind};

pub(crate) const KINDS: Keys = Keys { of: "lifecycle", known: &["agent", "contact"] };
pub(crate) const KEYS: Keys = Keys {
    of: "lifecycle",
    known: &["on_deleted", "on_disabled", "on_missing", "on_unmapped", "on_return", "on_kind_change", "grace"],
};
pub(crate) const GRACE: Keys = Keys { of: "lifecycle.grace", known: &["on_deleted", "on_disabled", "on_missing", "on_unmapped"] };

/// Reads the expanded section.
pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<PerKind<Lifecycle>> {
    let node = KINDS.check(node, faults)?;
    let agent = of_kind(node, Kind::Agent, faults);
    let contact = of_kind(node, Kind::Contact, faults);
    Some(PerKind { agent: agent?, contact: contact? })
}

fn of_kind(node: &Node, kind: Kind, faults: &mut Faults) -> Option<Lifecycle> {
    let node = KEYS.check(required(node, kind.as_str(), "lifecycle", faults)?, faults)?;
    let on_deleted = one(node, "on_deleted", OnGone::WORDS, faults);
    let on_disabled = one(node, "on_disabled", OnGone::WORDS, faults);
    let on_missing = one(node, "on_missing", OnGone::WORDS, faults);
    let on_unmapped = one(node, "on_unmapped", OnUnmapped::WORDS, faults);
    let on_return = one(node, "on_return", OnReturn::WORDS, faults);
    let on_kind_change = one(node, "on_kind_change", OnKindChange::WORDS, faults);
    let grace = node.get("grace").map_or(Some(Grace::default()), |n| grace(n, faults));
    Some(Lifecycle {
        on_deleted: on_deleted?,
        on_disabled: on_disabled?,
        on_missing: on_missing?,
        on_unmapped: on_unmapped?,
        on_return: on_return?,
        on_kind_change: on_kind_change?,
        grace: grace?,
    })
}

/// One duration for every cause, or one by cause; causes left out do not wait (ruling 103).
fn grace(node: &Node, faults: &mut Faults) -> Option<Grace> {
    if !matches!(node.data, Data::Map(_)) {
        let all = duration(node, "lifecycle.grace", faults)?;
        return Some(Grace { on_deleted: all, on_disabled: all, on_missing: all, on_unmapped: all });
    }
    GRACE.check(node, faults)?;
    let mut of = |key| node.get(key).map_or(Some(0), |n| duration(n, &format!("lifecycle.grace.{key}"), faults));
    let (deleted, disabled, missing, unmapped) = (of("on_deleted"), of("on_disabled"), of("on_missing"), of("on_unmapped"));
    Some(Grace { on_deleted: deleted?, on_disabled: disabled?, on_missing: missing?, on_unmapped: unmapped? })
}

fn one<T: Clone>(node: &Node, key: &str, words: &[(&'static str, T)], faults: &mut Faults) -> Option<T> {
    word(required(node, key, "lifecycle", faults)?, &format!("lifecycle.{key}"), words, faults)
}
