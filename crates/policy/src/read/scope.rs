//! `scope`: who is looked at.

use crate::document::{Data, Node};
use crate::fault::Faults;
use crate::reader::{Keys, boolean, filter, list, required, text, texts, word};
use crate::source::{is_attribute, is_part, nearest_attribute};
use model::Field;
use model::policy::{Exclude, ExcludeBy, Licences, Policy, Scope};
use std::collections::HashMap;

pub(crate) const KEYS: Keys =
    Keys { of: "scope", known: &["guests", "disabled", "licensed_only", "licences", "app_assigned", "require", "exclude"] };
pub(crate) const LICENCES: Keys = Keys { of: "scope.licences", known: &["plans", "ignore_skus"] };
pub(crate) const EXCLUDE: Keys = Keys { of: "scope.exclude", known: &["name", "local_parts", "filter"] };

const EXCLUDE_OR_INCLUDE: &[(&str, bool)] = &[("exclude", false), ("include", true)];

/// The pseudo-attribute of `scope.require`: the value the e-mail mapping yields, well-formed (ruling 34).
const EMAIL: &str = "email";

/// Names under which users are counted for other reasons (ruling 113): an entry of that name could not be told from them.
const TAKEN: [&str; 5] = ["licence", "not assigned", "guests", "disabled", "no rule"];

pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<Scope> {
    let node = KEYS.check(node, faults)?;
    let mut setting = |key| required(node, key, "scope", faults);
    let (guests, disabled, licensed_only) = (setting("guests"), setting("disabled"), setting("licensed_only"));
    let (require, exclude) = (setting("require"), setting("exclude"));

    let app_assigned = node.get("app_assigned").map_or(Some(false), |n| boolean(n, "scope.app_assigned", faults));
    let guests = guests.and_then(|n| word(n, "scope.guests", EXCLUDE_OR_INCLUDE, faults));
    let disabled = disabled.and_then(|n| word(n, "scope.disabled", EXCLUDE_OR_INCLUDE, faults));
    let licensed_only = licensed_only.and_then(|n| boolean(n, "scope.licensed_only", faults));
    let licences = node.get("licences").map_or(Some(Licences::default()), |n| licences(n, faults));
    let require = require.and_then(|n| required_attributes(n, faults));
    let exclude = exclude.and_then(|n| exclusions(n, faults));
    Some(Scope {
        guests: guests?,
        disabled: disabled?,
        licensed_only: licensed_only?,
        licences: licences?,
        app_assigned: app_assigned?,
        require: require?,
        exclude: exclude?,
    })
}

fn licences(node: &Node, faults: &mut Faults) -> Option<Licences> {
    let node = LICENCES.check(node, faults)?;
    let mut of = |key, what| node.get(key).map_or(Some(Vec::new()), |n| texts(n, what, faults));
    let (plans, skus) = (of("plans", "scope.licences.plans"), of("ignore_skus", "scope.licences.ignore_skus"));
    // A licence is named by its part number or by its id, which is a GUID.
    let ignore_skus = skus?.into_iter().map(|sku| model::SourceId::new(sku).as_str().to_owned()).collect();
    Some(Licences { plans: plans?, ignore_skus })
}

fn required_attributes(node: &Node, faults: &mut Faults) -> Option<Vec<String>> {
    let names = texts(node, "scope.require", faults)?;
    let Data::List(items) = &node.data else { return None };
    for (name, item) in names.iter().zip(items) {
        if name == EMAIL || is_attribute(name) || is_part(name) {
            continue;
        }
        let meant = match nearest_attribute(name) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "name one by its Graph name, such as userPrincipalName, or email for the value mapped to e-mail".to_owned(),
        };
        faults.add(&item.at, format!("scope.require: users have no attribute {name:?}; {meant}"));
    }
    Some(names)
}

/// `require: [email]` asks for what the e-mail mapping yields, so there must be one. Told where the mapping was taken away, if a
/// document did that, else where it is required.
pub(super) fn email_is_mapped(policy: &Policy, root: &Node, faults: &mut Faults) {
    let mapped = [&policy.fields.agent, &policy.fields.contact]
        .iter()
        .any(|fields| fields.get(&Field::EMAIL).is_some_and(|m| m.source.is_some()));
    if mapped || !policy.scope.require.iter().any(|name| name == EMAIL) {
        return;
    }
    let at = |path: [&str; 3]| path.iter().try_fold(root, |node, key| node.get(key)).map(|node| &node.at);
    let required = || root.get("scope").and_then(|scope| scope.get("require")).map(|node| &node.at);
    if let Some(at) = at(["fields", "contact", "email"]).or_else(|| at(["fields", "agent", "email"])).or_else(required) {
        let message = "scope.require names email, but no source is mapped to it, so nobody would be in scope; map fields.email";
        faults.add(at, message);
    }
}

fn exclusions(node: &Node, faults: &mut Faults) -> Option<Vec<Exclude>> {
    let items = list(node, "scope.exclude", faults)?;
    let mut names: HashMap<String, u32> = HashMap::new();
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        let Some(exclude) = exclusion(item, faults) else { continue };
        if let Some(line) = names.insert(exclude.name.clone(), item.at.line) {
            faults.add(
                &item.at,
                format!("scope.exclude has {:?} twice, first at line {line}; give each its own name", exclude.name),
            );
        }
        read.push(exclude);
    }
    Some(read)
}

fn exclusion(node: &Node, faults: &mut Faults) -> Option<Exclude> {
    let node = EXCLUDE.check(node, faults)?;
    let name_node = required(node, "name", "an entry of scope.exclude", faults);
    let name = name_node.and_then(|n| text(n, "the name of an exclusion", faults));
    if let (Some(at), Some(name)) = (name_node, &name)
        && (TAKEN.contains(&name.as_str()) || name.starts_with("require:"))
    {
        faults.add(&at.at, format!("users are counted under {name:?} for another reason; choose another name"));
    }
    let by = match (node.get("filter"), node.get("local_parts")) {
        (Some(node), None) => filter(node, "an exclusion's filter", faults).map(ExcludeBy::Filter),
        (None, Some(node)) => local_parts(node, faults).map(ExcludeBy::LocalParts),
        (Some(_), Some(_)) => {
            faults.add(&node.at, "an entry of scope.exclude has a filter or local_parts; make two entries of it");
            None
        }
        (None, None) => {
            faults.add(&node.at, "an entry of scope.exclude needs \"filter\" or \"local_parts\"");
            None
        }
    };
    Some(Exclude { name: name?, by: by? })
}

fn local_parts(parts_node: &Node, faults: &mut Faults) -> Option<Vec<String>> {
    let parts = texts(parts_node, "local_parts", faults)?;
    if parts.is_empty() {
        faults.add(&parts_node.at, "local_parts must name at least one; take the entry out if it excludes nobody");
    }
    if let Some(part) = parts.iter().find(|p| p.contains('@')) {
        faults.add(
            &parts_node.at,
            format!("local_parts are what stands before the @; write {:?}", part.split('@').next().unwrap_or("")),
        );
    }
    Some(parts)
}
