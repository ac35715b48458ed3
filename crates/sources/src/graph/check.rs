//! The connection test: which permissions are there. A token names them (it is read for words, never trusted); a small request for
//! each says whether Graph agrees.

use super::request::{Ask, Route, allows, json};
use super::tenant::{APP_ASSIGNED, SIGN_INS, SUBSCRIBED_SKUS};
use super::{GraphSource, READ_GROUPS, READ_USERS};
use crate::{Asks, PermissionCheck, PermissionState, SourceError};
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
    /// Nothing works without it, where it is asked for at all.
    mandatory: bool,
    /// What comes of doing without it.
    without: &'static str,
    /// Whether what is synced asks for it.
    asked: fn(Asks) -> bool,
    route: &'static Route,
    /// The cheapest request that only works with it; `{app}` stands for the client id.
    probe: &'static str,
}

/// The permissions asked for, those that every sync needs first.
const NEEDS: &[Need] = &[
    Need {
        purpose: "read users, their managers and deleted users",
        mandatory: true,
        without: "nothing works",
        asked: |_| true,
        route: &Route { name: "users", what: "reading users", units: 1, permissions: READ_USERS },
        probe: "users?$select=id&$top=1",
    },
    Need {
        purpose: "read groups and their members",
        mandatory: true,
        without: "nothing works",
        asked: |_| true,
        route: &Route { name: "groups", what: "reading groups", units: 1, permissions: READ_GROUPS },
        probe: "groups?$select=id&$top=1",
    },
    Need {
        purpose: "read the tenant's name, domains and licences",
        mandatory: false,
        without: "everything works but scope.licensed_only, which then keeps everybody and says so",
        asked: |_| true,
        route: &SUBSCRIBED_SKUS,
        probe: "subscribedSkus?$select=skuId",
    },
    Need {
        purpose: "read who is assigned to this app, where the policy says scope.app_assigned",
        mandatory: true,
        without: "every run fails rather than taking everybody for unassigned; with scope.app_assigned off, everything works",
        asked: |asks| asks.app_assigned,
        route: &APP_ASSIGNED,
        probe: "servicePrincipals(appId='{app}')/appRoleAssignedTo?$top=1",
    },
    Need {
        purpose: "read the dates of sign-ins, where the policy maps one",
        mandatory: false,
        without: "everything works but those dates, which stay as they are",
        asked: |asks| asks.sign_ins,
        route: &SIGN_INS,
        probe: "users?$select=id,signInActivity&$top=1",
    },
];

/// The permissions an app should have, as shown to whoever registers it (C07): name, purpose, whether nothing works without it
/// whatever the policy says.
pub fn needed() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let always = |need: &Need| need.mandatory && (need.asked)(Asks::default());
    NEEDS.iter().map(move |need| (need.route.permissions[0], need.purpose, always(need)))
}

impl GraphSource {
    /// Which permissions are there, which are missing, and which are granted but not needed, by what is `asked` of the directory.
    ///
    /// # Errors
    /// See [`SourceError`]; a missing permission is no error here.
    pub async fn check(&self, asks: Asks) -> Result<Vec<PermissionCheck>, SourceError> {
        // Consent shows only in a new token (contract a), and who tests has often just granted it: never judge by an old one.
        let (mut token, is_new) = self.token(None).await?;
        if !is_new {
            (token, _) = self.token(Some(&token)).await?;
        }
        let mut checks = Vec::new();
        for need in NEEDS.iter().filter(|need| (need.asked)(asks)) {
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
                checks.push(line(PermissionState::Missing, self.how_to_grant(need)));
                continue;
            }
            let url = self.endpoints.graph(&need.probe.replace("{app}", self.connection.client_id.trim()))?;
            let ask = Ask { route: need.route, url, stored: false, expected: "a list", token: Some(&token) };
            checks.push(match self.get(ask, json::<Listed>).await {
                Ok(Listed { .. }) => line(PermissionState::Granted, granted_through(asked, need.route, roles)),
                Err(SourceError::ConsentMissing { .. }) => line(PermissionState::Missing, self.how_to_grant(need)),
                Err(error @ (SourceError::PermissionDenied { .. } | SourceError::NeedsPremium { .. })) => {
                    line(PermissionState::Missing, format!("{} Without it {}.", error, need.without))
                }
                Err(error) => return Err(error),
            });
        }
        for role in token.roles.iter().flat_map(|roles| roles.iter()) {
            let uses: Vec<&Need> = NEEDS.iter().filter(|n| n.route.permissions.contains(&role.as_str())).collect();
            if uses.iter().any(|need| (need.asked)(asks)) {
                continue;
            }
            let idle = "granted to the app; it can be taken away if nothing else needs it";
            checks.push(PermissionCheck {
                permission: role.clone(),
                purpose: uses.first().map_or("not used by Rollcall", |need| need.purpose),
                mandatory: false,
                state: PermissionState::NotNeeded,
                detail: if uses.is_empty() { idle.to_owned() } else { format!("the policy does not ask for it now; {idle}") },
            });
        }
        Ok(checks)
    }

    fn how_to_grant(&self, need: &Need) -> String {
        format!(
            "add {} in Entra admin center › App registrations › {} › API permissions › Microsoft Graph › Application permissions, \
             then choose “Grant admin consent”. Without it {}",
            need.route.permissions[0], self.connection.client_id, need.without
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
