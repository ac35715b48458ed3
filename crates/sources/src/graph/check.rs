//! The connection test: which permissions are there. A token names them (it is read for words, never trusted); a small request for
//! each says whether Graph agrees.

use super::request::{Ask, Route, allows, json};
use super::tenant::SUBSCRIBED_SKUS;
use super::{GraphSource, READ_GROUPS, READ_USERS};
use crate::{PermissionCheck, PermissionState, SourceError};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A list of whatever it is: that it came is the answer.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "value")]
    _value: Vec<IgnoredAny>,
}

/// One thing an app should be allowed to do.
struct Need {
    purpose: &'static str,
    mandatory: bool,
    route: &'static Route,
    /// The cheapest request that only works with it.
    probe: &'static str,
}

/// The permissions asked for, the mandatory ones first.
const NEEDS: &[Need] = &[
    Need {
        purpose: "read users, their managers and deleted users",
        mandatory: true,
        route: &Route { name: "users", what: "reading users", units: 1, permissions: READ_USERS },
        probe: "users?$select=id&$top=1",
    },
    Need {
        purpose: "read groups and their members",
        mandatory: true,
        route: &Route { name: "groups", what: "reading groups", units: 1, permissions: READ_GROUPS },
        probe: "groups?$select=id&$top=1",
    },
    Need {
        purpose: "read the tenant's name, domains and licences",
        mandatory: false,
        route: &SUBSCRIBED_SKUS,
        probe: "subscribedSkus?$select=skuId",
    },
];

/// The permissions an app should have, as shown to whoever registers it (C07): name, purpose, whether nothing works without it.
pub fn needed() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    NEEDS.iter().map(|need| (need.route.permissions[0], need.purpose, need.mandatory))
}

impl GraphSource {
    /// Which permissions are there, which are missing, and which are granted but not needed.
    ///
    /// # Errors
    /// See [`SourceError`]; a missing permission is no error here.
    pub async fn check(&self) -> Result<Vec<PermissionCheck>, SourceError> {
        // Consent shows only in a new token (contract a), and who tests has often just granted it: never judge by an old one.
        let (mut token, is_new) = self.token(None).await?;
        if !is_new {
            (token, _) = self.token(Some(&token)).await?;
        }
        let mut checks = Vec::new();
        for need in NEEDS {
            let asked = need.route.permissions[0];
            let line = |state, detail| PermissionCheck {
                permission: asked.to_owned(),
                purpose: need.purpose,
                mandatory: need.mandatory,
                state,
                detail,
            };
            let roles = token.roles.as_deref();
            if roles.is_some_and(|roles| !allows(need.route, roles)) {
                checks.push(line(PermissionState::Missing, self.how_to_grant(asked)));
                continue;
            }
            let url = self.endpoints.graph(need.probe)?;
            let ask = Ask { route: need.route, url, stored: false, expected: "a list", token: Some(&token) };
            checks.push(match self.get(ask, json::<Listed>).await {
                Ok(Listed { .. }) => line(PermissionState::Granted, granted_through(asked, need.route, roles)),
                Err(SourceError::ConsentMissing { .. }) => line(PermissionState::Missing, self.how_to_grant(asked)),
                Err(error @ SourceError::PermissionDenied { .. }) => line(PermissionState::Missing, error.to_string()),
                Err(error) => return Err(error),
            });
        }
        for role in token
            .roles
            .iter()
            .flat_map(|roles| roles.iter())
            .filter(|role| !NEEDS.iter().any(|n| n.route.permissions.contains(&role.as_str())))
        {
            checks.push(PermissionCheck {
                permission: role.clone(),
                purpose: "not used by Rollcall",
                mandatory: false,
                state: PermissionState::NotNeeded,
                detail: "granted to the app; it can be taken away if nothing else needs it".to_owned(),
            });
        }
        Ok(checks)
    }

    fn how_to_grant(&self, permission: &str) -> String {
        format!(
            "add {permission} in Entra admin center › App registrations › {} › API permissions › Microsoft Graph › Application \
             permissions, then choose “Grant admin consent”",
            self.connection.client_id
        )
    }
}

fn granted_through(asked: &str, route: &Route, roles: Option<&[String]>) -> String {
    let Some(roles) = roles else { return "Graph answers; the token does not say which permissions it holds".to_owned() };
    match roles.iter().find(|role| route.permissions.contains(&role.as_str()) && *role != asked) {
        Some(wider) if !roles.iter().any(|role| role == asked) => format!("through {wider}"),
        _ => "named in the token, and Graph answers".to_owned(),
    }
}
