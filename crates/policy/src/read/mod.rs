//! From the merged tree to the policy, section by section.

pub(crate) mod fields;
pub(crate) mod guard;
pub(crate) mod lifecycle;
pub(crate) mod mappings;
pub(crate) mod matching;
pub(crate) mod rules;
pub(crate) mod scope;
mod warnings;

pub(crate) use fields::{value_of_field as field_name, values as field_values};
pub(crate) use matching::word_of as key_word;
pub(crate) use rules::{FROM_TENANT, NO_CHANGE};
pub(crate) use warnings::warnings;

use crate::document::Node;
use crate::fault::Faults;
use crate::reader::{Keys, required, word};
use crate::value::limits;
use crate::words::Word;
use model::Field;
use model::policy::{OnCollision, PerKind, Policy};
use std::collections::BTreeSet;

/// The sections of a document.
pub(crate) const KEYS: Keys = Keys {
    of: "",
    known: &[
        "preset",
        "scope",
        "rules",
        "role_mappings",
        "cab_mappings",
        "role_without_manager",
        "inactive_roles",
        "matching",
        "fields",
        "username",
        "lifecycle",
        "guard",
    ],
};

pub(crate) const USERNAME: Keys = Keys { of: "username", known: &["on_collision"] };

/// The policy, and the fields whose mapping a document took away.
pub(crate) struct Read {
    pub(crate) policy: Policy,
    pub(crate) unmapped: PerKind<BTreeSet<Field>>,
}

/// Reads a merged document. Nothing when a fault was noted.
pub(crate) fn policy(root: &Node, faults: &mut Faults) -> Option<Read> {
    KEYS.check(root, faults)?;
    let mut section = |key| required(root, key, "the document", faults);
    let (scope, rules, matching) = (section("scope"), section("rules"), section("matching"));
    let (fields, username) = (section("fields"), section("username"));
    let (lifecycle, guard) = (section("lifecycle"), section("guard"));

    let scope = scope.and_then(|n| scope::read(n, faults));
    let rules = rules.and_then(|n| rules::read(n, faults));
    let matching = matching.and_then(|n| matching::read(n, faults));
    let fields = fields.and_then(|n| fields::read(n, faults));
    let username = username.and_then(|n| on_collision(n, faults));
    let lifecycle = lifecycle.and_then(|n| lifecycle::read(n, faults));
    let guard = guard.and_then(|n| guard::read(n, faults));

    let role_mappings = root.get("role_mappings").map_or(Some(Vec::new()), |n| mappings::roles(n, faults));
    let cab_mappings = root.get("cab_mappings").map_or(Some(Vec::new()), |n| mappings::cabs(n, faults));
    let without = root.get("role_without_manager").map_or(Some(PerKind::default()), |n| mappings::without_manager(n, faults));
    let inactive = root.get("inactive_roles").map_or(Some(Vec::new()), |n| mappings::inactive_roles(n, faults));

    let (fields, unmapped) = fields?;
    let policy = Policy {
        scope: scope?,
        rules: rules?,
        matching: matching?,
        fields,
        username_on_collision: username?,
        lifecycle: lifecycle?,
        guard: guard?,
        role_mappings: role_mappings?,
        cab_mappings: cab_mappings?,
        role_without_manager: without?,
        inactive_roles: inactive?,
        limits: limits(),
    };
    // Only once all else is right: a mapping with a fault of its own is not a missing one.
    if faults.is_empty() {
        scope::email_is_mapped(&policy, root, faults);
        matching::keys_have_sources(&policy, root, faults);
    }
    Some(Read { policy, unmapped })
}

fn on_collision(node: &Node, faults: &mut Faults) -> Option<OnCollision> {
    let node = required(USERNAME.check(node, faults)?, "on_collision", "username", faults)?;
    word(node, "username.on_collision", OnCollision::WORDS, faults)
}
