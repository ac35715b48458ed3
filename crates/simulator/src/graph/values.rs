//! What a value written through Graph must be: its type, and its documented length. The control API takes more, so that tests can make people
//! whom no administrator could.

use serde_json::{Map, Value};

use crate::clock::read_time;
use crate::reply::Fault;

/// Longest texts, in characters (contract section b).
const LENGTHS: &[(&str, usize)] = &[
    ("displayName", 256),
    ("givenName", 64),
    ("surname", 64),
    ("jobTitle", 128),
    ("officeLocation", 128),
    ("mobilePhone", 64),
    ("mailNickname", 64),
    ("department", 64),
    ("companyName", 64),
    ("employeeId", 16),
    ("streetAddress", 1024),
    ("city", 128),
    ("state", 128),
    ("postalCode", 40),
    ("country", 128),
];

/// Refuses values that their properties cannot have. `known` gives a property's name as it is documented, and nothing for one there is not:
/// the writing refuses that.
pub fn check(resource: &str, body: &Map<String, Value>, known: impl Fn(&str) -> Option<&'static str>) -> Result<(), Fault> {
    for (name, value) in body.iter().filter(|(n, _)| !n.contains('@')) {
        if known(name).is_some_and(|known| !fits(known, value)) {
            return Err(Fault::bad_request(format!("Invalid value specified for property '{name}' of resource '{resource}'.")));
        }
    }
    Ok(())
}

fn fits(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("displayName" | "userPrincipalName" | "manager" | "members" | "owners", Value::Null) => false,
        (_, Value::Null) => true,
        ("manager" | "members" | "owners", _) => true,
        ("userPrincipalName", value) => value.as_str().is_some_and(|t| t.contains('@')),
        ("usageLocation", value) => value.as_str().is_some_and(|t| t.len() == 2 && t.bytes().all(|b| b.is_ascii_alphabetic())),
        (
            "accountEnabled"
            | "onPremisesSyncEnabled"
            | "isResourceAccount"
            | "showInAddressList"
            | "isManagementRestricted"
            | "mailEnabled"
            | "securityEnabled"
            | "isAssignableToRole",
            value,
        ) => value.is_boolean(),
        ("onPremisesExtensionAttributes", Value::Object(map)) => {
            map.values().all(|v| v.is_null() || v.as_str().is_some_and(|t| t.chars().count() <= 1024))
        }
        ("employeeOrgData", Value::Object(map)) => map.values().all(|v| v.is_null() || v.is_string()),
        ("employeeOrgData" | "onPremisesExtensionAttributes", _) => false,
        ("signInActivity" | "passwordProfile", value) => value.is_object(),
        ("deviceEnrollmentLimit", value) => value.is_i64(),
        ("businessPhones", Value::Array(phones)) => phones.len() <= 1 && phones.iter().all(Value::is_string),
        ("otherMails", Value::Array(mails)) => {
            mails.len() <= 250 && mails.iter().all(|m| m.as_str().is_some_and(|t| t.chars().count() <= 250))
        }
        ("imAddresses" | "proxyAddresses" | "groupTypes", Value::Array(texts)) => texts.iter().all(Value::is_string),
        (_, Value::Array(_)) => true,
        (name, value) if name.ends_with("DateTime") || matches!(name, "birthday" | "hireDate" | "employeeHireDate") => {
            value.as_str().is_some_and(|t| read_time(t).is_some())
        }
        (name, value) => value
            .as_str()
            .is_some_and(|t| LENGTHS.iter().find(|(n, _)| *n == name).is_none_or(|(_, most)| t.chars().count() <= *most)),
    }
}
