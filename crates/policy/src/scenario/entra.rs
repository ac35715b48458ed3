//! Entra's side of a scenario: users and groups under Graph's own property names.

use super::{Entra, Group};
use crate::document::{Data, Entry, Node};
use crate::fault::{Faults, nearest};
use crate::reader::{Keys, id, ids, list, map, required, text, unknown_key};
use crate::source::{MANAGER, is_attribute, nearest_attribute};
use model::directory::{GroupTold, Sku, UserTold};
use model::{Attributes, SourceId, Value};

pub(crate) const ENTRA: Keys = Keys { of: "entra", known: &["users", "groups", "skus", "app_assigned"] };
const LICENCE: Keys = Keys { of: "a licence", known: &["skuId", "disabledPlans"] };
pub(crate) const RELATION: Keys = Keys { of: "manager", known: &["id"] };

/// Properties of a group that something is decided by.
pub(crate) const GROUP: [&str; 4] = ["id", "displayName", "createdDateTime", "members"];

/// Properties that Graph's groups have and nothing is decided by: taken, so that a group can be copied from Graph.
pub(crate) const GROUP_MORE: [&str; 12] = [
    "classification",
    "deletedDateTime",
    "description",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "onPremisesSyncEnabled",
    "securityEnabled",
    "securityIdentifier",
    "visibility",
];

/// Properties of a user that are read by passes of their own and count as no change (ruling 60).
pub(crate) const BESIDE: [&str; 4] = ["assignedPlans", "licenseAssignmentStates", "provisionedPlans", "signInActivity"];

/// Properties that Graph's users have and that are never read: taken and left out, so that a user can be copied from Graph.
pub(crate) const UNREAD: [&str; 36] = [
    "aboutMe",
    "ageGroup",
    "authorizationInfo",
    "birthday",
    "consentProvidedForMinor",
    "customSecurityAttributes",
    "deletedDateTime",
    "deviceEnrollmentLimit",
    "employeeLeaveDateTime",
    "externalUserStateChangeDateTime",
    "hireDate",
    "identities",
    "interests",
    "isLicenseReconciliationNeeded",
    "isManagementRestricted",
    "isResourceAccount",
    "lastPasswordChangeDateTime",
    "legalAgeGroupClassification",
    "mailboxSettings",
    "mySite",
    "onPremisesLastSyncDateTime",
    "onPremisesProvisioningErrors",
    "onPremisesSipInfo",
    "passwordPolicies",
    "passwordProfile",
    "pastProjects",
    "preferredDataLocation",
    "preferredName",
    "refreshTokensValidFromDateTime",
    "responsibilities",
    "schools",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "showInAddressList",
    "signInSessionsValidFromDateTime",
    "skills",
];

/// Attributes that are true or false.
const BOOLEANS: [&str; 2] = ["accountEnabled", "onPremisesSyncEnabled"];

/// Entra at the start.
pub(super) fn start(node: &Node, faults: &mut Faults) -> Entra {
    if ENTRA.check(node, faults).is_none() {
        return Entra::default();
    }
    told(node, faults)
}

/// Users, groups, licences and assignments of a node whose keys are checked.
pub(super) fn told(node: &Node, faults: &mut Faults) -> Entra {
    let mut items = |key| node.get(key).and_then(|n| list(n, key, faults)).unwrap_or_default();
    let (users, groups) = (items("users"), items("groups"));
    let users = users.iter().filter_map(|n| user(n, faults)).collect();
    let groups = groups.iter().filter_map(|n| group(n, faults)).collect();
    let skus = node.get("skus").and_then(|n| list(n, "skus", faults));
    let skus = skus.map(|skus| skus.iter().filter_map(|n| sku(n, faults)).collect());
    let app_assigned = node.get("app_assigned").filter(|n| !n.is_null()).and_then(|n| ids(n, "app_assigned", faults));
    Entra { users, groups, skus, app_assigned }
}

fn user(node: &Node, faults: &mut Faults) -> Option<UserTold> {
    let entries = map(node, "a user", faults)?;
    let id = required(node, "id", "a user", faults).and_then(|n| id(n, "a user's id", faults));
    let (mut attributes, mut manager) = (Attributes::new(), None);
    for Entry { key, at, value } in entries {
        if key == "id" || UNREAD.contains(&key.as_str()) || key.contains("@odata.") {
            continue;
        }
        if key == MANAGER {
            manager = self::manager(value, faults);
        } else if is_attribute(key) || BESIDE.contains(&key.as_str()) {
            if let Some(value) = attribute(key, value, faults) {
                attributes.set(key.clone(), value);
            }
        } else {
            let meant = nearest_attribute(key).map_or_else(
                || "name attributes as Graph does, such as displayName".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            faults.add(at, format!("users have no attribute {key:?}; {meant}"));
        }
    }
    Some(UserTold { id: id?, attributes, manager })
}

/// The value of an attribute as Graph would tell it. A plain number stands for its text, since Graph's are texts.
fn attribute(name: &str, node: &Node, faults: &mut Faults) -> Option<Value> {
    let json = node.to_json();
    let fits = match &node.data {
        Data::Null => true,
        _ if name.starts_with("extension_") || BESIDE.contains(&name) => true,
        Data::Bool(_) => !crate::source::has_parts(name),
        Data::Number { .. } | Data::Text(_) => !BOOLEANS.contains(&name) && !crate::source::has_parts(name),
        // An empty list counts as empty wherever it stands (ruling 33).
        Data::List(_) => !BOOLEANS.contains(&name) && (!crate::source::has_parts(name) || crate::source::is_list_attribute(name)),
        Data::Map(_) => crate::source::has_parts(name) && !crate::source::is_list_attribute(name),
    };
    if !fits {
        let takes = if BOOLEANS.contains(&name) {
            "true or false"
        } else if crate::source::is_list_attribute(name) {
            "a list"
        } else if crate::source::has_parts(name) {
            "a map"
        } else {
            "a text"
        };
        faults.add(&node.at, format!("{name} must be {takes} or null, not {}", node.shown()));
        return None;
    }
    if name.starts_with("extension_") {
        return Some(json);
    }
    if name == "assignedLicenses" && matches!(node.data, Data::List(_)) {
        return licences(node, faults);
    }
    Some(match &node.data {
        Data::Number { raw, .. } => Value::String(raw.clone()),
        // A list of such, as in businessPhones: [+4712].
        Data::List(items) => items.iter().map(plain).collect(),
        _ => json,
    })
}

/// A user's licences: each a map as Graph gives it, with the licence's id and what of it is switched off.
fn licences(node: &Node, faults: &mut Faults) -> Option<Value> {
    let items = list(node, "assignedLicenses", faults)?;
    let read = items.iter().map(|item| {
        let item = LICENCE.check(item, faults)?;
        let sku = required(item, "skuId", "a licence", faults).and_then(|n| id(n, "skuId", faults));
        let plans = item.get("disabledPlans").filter(|n| !n.is_null()).map(|n| ids(n, "disabledPlans", faults));
        let mut licence = serde_json::json!({ "skuId": sku? });
        if let Some(plans) = plans {
            licence["disabledPlans"] = serde_json::json!(plans?);
        }
        Some(licence)
    });
    // All are looked at, so that every fault is told.
    read.collect::<Vec<_>>().into_iter().collect()
}

/// An element as Graph would tell it: a plain number stands for the text it is written with.
fn plain(node: &Node) -> Value {
    match &node.data {
        Data::Number { raw, .. } => Value::String(raw.clone()),
        _ => node.to_json(),
    }
}

/// `{ id: … }` as `$expand=manager($select=id)` gives it, or null (ruling 11).
fn manager(node: &Node, faults: &mut Faults) -> Option<Option<SourceId>> {
    if node.is_null() {
        return Some(None);
    }
    if !matches!(node.data, Data::Map(_)) {
        faults
            .add(&node.at, format!("manager must be a map as Graph gives it; write manager: {{ id: … }}, not {}", node.shown()));
        return None;
    }
    let node = required(RELATION.check(node, faults)?, "id", "manager", faults)?;
    id(node, "manager.id", faults).map(Some)
}

fn group(node: &Node, faults: &mut Faults) -> Option<Group> {
    for Entry { key, at, .. } in map(node, "a group", faults)? {
        if !GROUP.contains(&key.as_str()) && !GROUP_MORE.contains(&key.as_str()) && !key.contains("@odata.") {
            match nearest(key, GROUP_MORE) {
                Some(meant) => faults.add(at, format!("groups have no property {key:?}; did you mean {meant}?")),
                None => unknown_key(key, at, "a group", &GROUP, faults),
            }
        }
    }
    let id = required(node, "id", "a group", faults).and_then(|n| id(n, "a group's id", faults))?;
    let mut given = |key| node.get(key).filter(|n| !n.is_null()).and_then(|n| raw_text(n, key, faults));
    let told = GroupTold { id: Some(id.clone()), name: given("displayName"), created: given("createdDateTime") };
    let members = node.get("members").and_then(|n| ids(n, "members", faults)).unwrap_or_default();
    if let (Some(at), Some(written)) = (node.get("createdDateTime"), &told.created)
        && written.parse::<jiff::Timestamp>().is_err()
    {
        faults.add(&at.at, format!("createdDateTime must be a time like 2020-01-01T00:00:00Z, not {written:?}"));
    }
    Some(Group { told, id, members })
}

/// A text as a directory may hold it: empty or with odd characters, which is what a scenario may be about.
fn raw_text(node: &Node, what: &str, faults: &mut Faults) -> Option<String> {
    match &node.data {
        Data::Text(s) => Some(s.clone()),
        _ => text(node, what, faults),
    }
}

fn sku(node: &Node, faults: &mut Faults) -> Option<Sku> {
    match serde_json::from_value(node.to_json()) {
        Ok(sku) => Some(sku),
        Err(why) => {
            faults.add(&node.at, format!("this is no subscribedSku as Graph tells it: {why}"));
            None
        }
    }
}
