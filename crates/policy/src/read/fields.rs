//! `fields`: which attribute goes where, by kind.

use crate::document::{Data, Entry, Node};
use crate::fault::{Faults, Mark, nearest};
use crate::reader::{Keys, boolean, composed, map, required, word};
use crate::words::Word;
use crate::{source, value};
use model::policy::{Mapping, Overwrite, PerKind};
use model::{Field, Fields, Kind, SourceId, Value};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const KINDS: Keys = Keys { of: "fields", known: &["agent", "contact"] };
pub(crate) const MAPPING: Keys = Keys { of: "a field's mapping", known: &["source", "overwrite", "default", "clear_when_empty"] };

/// Fields that follow rules, memberships and the life cycle, and what says so.
pub(crate) const DECIDED: [(&str, &str); 7] = [
    ("client", "the rule's then.client"),
    ("site", "the rule's then.site"),
    ("role", "the rule's then.role"),
    ("status", "lifecycle"),
    ("access", "lifecycle"),
    ("cabs", "the rule's then.cabs and cab_mappings"),
    ("extra_roles", "role_mappings"),
];

type Mappings = PerKind<BTreeMap<Field, Mapping>>;

/// Reads the expanded section: mappings, and fields whose mapping was taken away by `null`.
pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<(Mappings, PerKind<BTreeSet<Field>>)> {
    let node = KINDS.check(node, faults)?;
    let agent = of_kind(node, Kind::Agent, faults);
    let contact = of_kind(node, Kind::Contact, faults);
    let ((agent, no_agent), (contact, no_contact)) = (agent?, contact?);
    Some((PerKind { agent, contact }, PerKind { agent: no_agent, contact: no_contact }))
}

fn of_kind(node: &Node, kind: Kind, faults: &mut Faults) -> Option<(BTreeMap<Field, Mapping>, BTreeSet<Field>)> {
    let node = required(node, kind.as_str(), "fields", faults)?;
    let (mut mappings, mut removed) = (BTreeMap::new(), BTreeSet::new());
    for entry in map(node, &format!("fields.{kind}"), faults)? {
        let Some(field) = name(&entry.key, &entry.at, faults) else { continue };
        if entry.value.is_null() {
            removed.insert(field);
        } else if field == Field::LICENCE_TYPE && kind == Kind::Contact {
            faults.add(&entry.at, "only agents have a licence type; write it under fields.agent");
        } else if let Some(mapping) = mapping(&entry.value, &field, faults) {
            mappings.insert(field, mapping);
        }
    }
    Some((mappings, removed))
}

/// A field's name as a target of mappings and defaults.
pub(crate) fn name(key: &str, at: &Mark, faults: &mut Faults) -> Option<Field> {
    if let Some((_, by)) = DECIDED.iter().find(|(name, _)| *name == key) {
        faults.add(at, format!("{key} is decided by {by}, not by a mapping or default"));
        return None;
    }
    value_of_field(key, at, faults)
}

/// Any field's name: a standard one, or a custom one that is not a standard one mistyped.
pub(crate) fn value_of_field(key: &str, at: &Mark, faults: &mut Faults) -> Option<Field> {
    let field = Field::new(key);
    if Field::STANDARD.contains(&key) {
        return Some(field);
    }
    let named = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    // phone2 or phone_2 beside phone is a custom field, not a slip; so is employee_no beside employee_id.
    let numbered = Field::STANDARD.contains(&key.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_'));
    let is_slip = |meant: &&str| !named || strsim::damerau_levenshtein(key, meant) == 1;
    match nearest(key, Field::STANDARD.iter().copied()).filter(|_| !numbered).filter(is_slip) {
        Some(meant) => faults.add(at, format!("unknown field {key:?}; did you mean {meant}?")),
        None if named => return Some(field),
        None => faults.add(at, format!("{key:?} is no field's name; write a custom field in lower case, as in cost_centre")),
    }
    None
}

fn mapping(node: &Node, field: &Field, faults: &mut Faults) -> Option<Mapping> {
    let node = MAPPING.check(node, faults)?;
    let source_node = node.get("source").filter(|n| !n.is_null());
    let source = source_node.map(|n| source::source(n, field, faults));
    let overwrite_at = node.get("overwrite");
    let overwrite =
        overwrite_at.map_or(Some(Overwrite::OnChange), |n| word(n, &format!("overwrite of {field}"), Overwrite::WORDS, faults));
    let default = node.get("default").and_then(|n| value::default(n, field, &format!("the default of {field}"), faults));
    let clear = node.get("clear_when_empty");
    let clear = clear.map_or(Some(false), |n| boolean(n, &format!("clear_when_empty of {field}"), faults));
    if source_node.is_none() && default.is_none() && node.get("default").is_none_or(Node::is_null) {
        faults.add(
            &node.at,
            format!("the mapping of {field} needs a source or a default; write {field}: null to leave the field alone"),
        );
    }
    let source = match source {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Mapping { source, overwrite: overwrite?, default, clear_when_empty: clear? })
}

/// Fields whose values are ids or names of records: GUIDs among them are lower-cased like every other (ruling 20).
const REFERENCES: [Field; 4] = [Field::CLIENT, Field::SITE, Field::ROLE, Field::MANAGER];

/// Standard fields whose values are lists of texts.
const LISTS: [Field; 3] = [Field::ADDITIONAL_EMAILS, Field::CABS, Field::EXTRA_ROLES];

/// Values by field, as records and expectations of a scenario give them. A plain number in a standard field stands for its text.
pub(crate) fn values<'e>(entries: impl IntoIterator<Item = &'e Entry>, faults: &mut Faults) -> Fields {
    let mut values = Fields::new();
    for Entry { key, at, value } in entries {
        let Some(field) = value_of_field(key, at, faults) else { continue };
        if !fits(&field, value, faults) {
            continue;
        }
        let value = match &value.data {
            Data::Text(id) if field == Field::MANAGER => Value::String(composed(id)),
            Data::Text(id) if REFERENCES.contains(&field) => Value::String(SourceId::new(id.as_str()).as_str().to_owned()),
            Data::Number { raw, .. } if Field::STANDARD.contains(&key.as_str()) => Value::String(raw.clone()),
            _ => value.to_json(),
        };
        values.insert(field, value);
    }
    values
}

/// Whether a value has the form that its standard field takes (ruling 18); a custom field takes any.
fn fits(field: &Field, node: &Node, faults: &mut Faults) -> bool {
    let takes = match &node.data {
        Data::List(items) if LISTS.contains(field) => {
            let odd = items.iter().find(|item| !matches!(item.data, Data::Text(_) | Data::Number { .. }));
            if let Some(odd) = odd {
                faults.add(&odd.at, format!("each of {field} must be a text, not {}", odd.shown()));
            }
            return odd.is_none();
        }
        Data::Null => return true,
        _ if LISTS.contains(field) => "a list of texts, or null",
        Data::List(_) | Data::Map(_) if Field::STANDARD.contains(&field.as_str()) => "one value, or null",
        _ => return true,
    };
    faults.add(&node.at, format!("{field} must be {takes}, not {}", node.shown()));
    false
}
