//! What a policy may say and its author hardly meant.

use crate::document::Node;
use crate::fault::Faults;
use model::policy::{MatchKey, OnNone, Overwrite, Policy};
use model::{Field, Kind};

/// Notes what is allowed and yet likely to be a mistake.
pub(crate) fn warnings(policy: &Policy, root: &Node, notes: &mut Faults) {
    let at = |section| root.get(section).map_or(&root.at, |n| &n.at);
    if !policy.rules.iter().any(|rule| rule.enabled) {
        notes.add(at("rules"), "no rule is enabled, so nobody is synced; add one, for instance for a group");
    }
    if policy.matching.keys.iter().all(|key| *key == MatchKey::ObjectId) && policy.matching.on_none == OnNone::Create {
        let text = "without the key email a person who already has a record gets a second one; add email to matching.keys (M03)";
        notes.add(at("matching"), text);
    }
    for kind in [Kind::Agent, Kind::Contact] {
        let wanted = policy.rules.iter().any(|rule| rule.enabled && rule.then.kind.kinds().contains(&kind));
        let mandatory: &[Field] = if kind == Kind::Agent { &[Field::LAST_NAME, Field::USERNAME] } else { &[Field::LAST_NAME] };
        for (field, mapping) in policy.fields.of(kind) {
            if mapping.clear_when_empty && !matches!(mapping.overwrite, Overwrite::OnChange | Overwrite::Always) {
                let text =
                    format!("clear_when_empty of {field} does nothing for {kind}s; it needs overwrite on_change or always");
                notes.add(at("fields"), text);
            }
        }
        for field in mandatory.iter().filter(|f| wanted && !policy.fields.of(kind).contains_key(f)) {
            let text = format!("rules make {kind}s, which need {field}, and nothing is mapped to it; map fields.{kind}.{field}");
            notes.add(at("rules"), text);
        }
    }
}
