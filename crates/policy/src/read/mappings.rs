//! `role_mappings`, `cab_mappings`, `role_without_manager`, `inactive_roles`: what groups and roles give after the rule (R07 to R10).

use crate::document::{Data, Node};
use crate::fault::Faults;
use crate::reader::{Keys, id, instant, list, required, text, texts, whole, word};
use crate::words::Word;
use model::policy::{CabMapping, GroupRef, PerKind, RoleMapping, RoleMode};
use model::{Kind, RuleId, SourceId};
use std::collections::HashMap;

pub(crate) const ROLE: Keys =
    Keys { of: "a role mapping", known: &["id", "order", "created", "group", "group_name", "kind", "role", "mode"] };
pub(crate) const CAB: Keys = Keys { of: "a CAB mapping", known: &["group", "group_name", "cab", "role"] };
pub(crate) const WITHOUT_MANAGER: Keys = Keys { of: "role_without_manager", known: &["agent", "contact"] };

const KINDS: &[(&str, Kind)] = &[("agent", Kind::Agent), ("contact", Kind::Contact)];

pub(super) fn roles(node: &Node, faults: &mut Faults) -> Option<Vec<RoleMapping>> {
    let items = list(node, "role_mappings", faults)?;
    let mut places: HashMap<RuleId, u32> = HashMap::with_capacity(items.len());
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        let Some(mapping) = role(item, faults) else { continue };
        if let Some(line) = places.insert(mapping.id.clone(), item.at.line) {
            let id = mapping.id.as_str();
            faults.add(&item.at, format!("the role mapping {id:?} stands twice, first at line {line}; give each its own id"));
        }
        read.push(mapping);
    }
    Some(read)
}

fn role(node: &Node, faults: &mut Faults) -> Option<RoleMapping> {
    let what = "a role mapping";
    let node = ROLE.check(node, faults)?;
    let id = required(node, "id", what, faults).and_then(|n| reference(n, "the id of a role mapping", faults)).map(RuleId::new);
    let order = required(node, "order", what, faults)
        .and_then(|n| whole(n, "the order of a role mapping", i32::MIN.into()..=i32::MAX.into(), faults))
        .and_then(|n| i32::try_from(n).ok());
    let created = match node.get("created").filter(|n| !n.is_null()) {
        Some(n) => instant(n, "created of a role mapping", faults).map(|at| Some(at.as_nanosecond())),
        None => Some(None),
    };
    let group = group(node, what, faults);
    let kind = required(node, "kind", what, faults).and_then(|n| word(n, "the kind of a role mapping", KINDS, faults));
    let role = required(node, "role", what, faults).and_then(|n| reference(n, "the role of a role mapping", faults));
    let mode =
        node.get("mode").map_or(Some(RoleMode::Replace), |n| word(n, "the mode of a role mapping", RoleMode::WORDS, faults));
    Some(RoleMapping { id: id?, order: order?, created: created?, group: group?, kind: kind?, role: role?, mode: mode? })
}

pub(super) fn cabs(node: &Node, faults: &mut Faults) -> Option<Vec<CabMapping>> {
    let items = list(node, "cab_mappings", faults)?;
    Some(items.iter().filter_map(|item| cab(item, faults)).collect())
}

fn cab(node: &Node, faults: &mut Faults) -> Option<CabMapping> {
    let node = CAB.check(node, faults)?;
    let group = group(node, "a CAB mapping", faults);
    let cab = required(node, "cab", "a CAB mapping", faults).and_then(|n| reference(n, "the cab of a CAB mapping", faults));
    let role = match node.get("role").filter(|n| !n.is_null()) {
        Some(n) => reference(n, "the role of a CAB mapping", faults).map(Some),
        None => Some(None),
    };
    Some(CabMapping { group: group?, cab: cab?, role: role? })
}

/// The one group a mapping names.
fn group(node: &Node, what: &str, faults: &mut Faults) -> Option<GroupRef> {
    match (node.get("group"), node.get("group_name")) {
        (Some(n), None) => id(n, "group", faults).map(GroupRef::Id),
        (None, Some(n)) => text(n, "group_name", faults).map(|name| GroupRef::Name(model::text::nfc(&name))),
        (given, _) => {
            let which = if given.is_some() { "names a group twice; keep one of" } else { "needs one of" };
            faults.add(&node.at, format!("{what} {which} \"group\", an object id, and \"group_name\", an exact name"));
            None
        }
    }
}

/// A role by kind; a bare text is that of contacts (ruling 41).
pub(super) fn without_manager(node: &Node, faults: &mut Faults) -> Option<PerKind<Option<String>>> {
    if !matches!(node.data, Data::Map(_)) {
        return Some(PerKind { agent: None, contact: optional(node, faults)? });
    }
    let node = WITHOUT_MANAGER.check(node, faults)?;
    let mut of = |kind: &str| node.get(kind).map_or(Some(None), |n| optional(n, faults));
    let (agent, contact) = (of("agent"), of("contact"));
    Some(PerKind { agent: agent?, contact: contact? })
}

/// A role, or none when null is written.
#[expect(clippy::option_option, reason = "no role is not the same as a fault")]
fn optional(node: &Node, faults: &mut Faults) -> Option<Option<String>> {
    if node.is_null() { Some(None) } else { reference(node, "role_without_manager", faults).map(Some) }
}

pub(super) fn inactive_roles(node: &Node, faults: &mut Faults) -> Option<Vec<String>> {
    let roles = texts(node, "inactive_roles", faults)?;
    Some(roles.into_iter().map(|role| SourceId::new(role).as_str().to_owned()).collect())
}

/// A reference to something of the records: GUIDs in lower case (ruling 20).
fn reference(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    id(node, what, faults).map(|id| id.as_str().to_owned())
}
