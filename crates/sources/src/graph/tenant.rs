//! What a tenant is and has beside its feeds: its name and domains, its licences, its deleted users.

use super::request::{Ask, Route, SERVICE, json};
use super::{GraphSource, READ_ORGANIZATION, READ_USERS};
use crate::{Assigned, Domain, Organization, SourceError, Watch};
use model::directory::Sku;
use model::{SourceId, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use url::Url;

const ORGANIZATION: Route = Route {
    name: "organization",
    what: "reading the organization",
    units: 1,
    // User.Read.All suffices for id and name, so with the mandatory permissions this is never refused.
    permissions: &["Organization.Read.All", "User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
};
pub(super) const SUBSCRIBED_SKUS: Route =
    Route { name: "subscribedSkus", what: "reading the tenant's licences", units: 3, permissions: READ_ORGANIZATION };
const DELETED_USERS: Route =
    Route { name: "directory/deletedItems", what: "reading deleted users", units: 1, permissions: READ_USERS };

pub(super) const APP_ASSIGNED: Route = Route {
    name: "servicePrincipals/appRoleAssignedTo",
    what: "reading who is assigned to the enterprise application",
    units: 1,
    permissions: &["Application.Read.All", "Directory.Read.All", "Application.ReadWrite.All", "Directory.ReadWrite.All"],
};
pub(super) const SIGN_INS: Route =
    Route { name: "users (sign-ins)", what: "reading the dates of sign-ins", units: 2, permissions: &["AuditLog.Read.All"] };

/// A page of a plain collection.
#[derive(Deserialize)]
struct Collection<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationTold {
    id: SourceId,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    verified_domains: Option<Vec<DomainTold>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DomainTold {
    name: String,
    #[serde(default)]
    is_default: Option<bool>,
    #[serde(default)]
    is_initial: Option<bool>,
}

#[derive(Deserialize)]
struct IdOnly {
    id: SourceId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentTold {
    #[serde(default)]
    principal_id: Option<SourceId>,
    #[serde(default)]
    principal_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedInTold {
    id: SourceId,
    #[serde(default)]
    sign_in_activity: Option<Value>,
}

impl GraphSource {
    /// Whose directory it is.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn organization(&self) -> Result<Organization, SourceError> {
        let url = self.endpoints.graph("organization?$select=id,displayName,verifiedDomains")?;
        let ask = Ask { route: &ORGANIZATION, url, stored: false, expected: "one organization", token: None };
        let page = self.get(ask, json::<Collection<OrganizationTold>>).await?;
        let told = page.value.into_iter().next().ok_or_else(|| SourceError::NotGraph {
            host: self.endpoints.graph_host(),
            service: SERVICE,
            expected: "one organization",
            got: "none".to_owned(),
            trace: Box::default(),
        })?;
        let domain = |d: DomainTold| Domain {
            name: d.name,
            is_default: d.is_default.unwrap_or(false),
            is_initial: d.is_initial.unwrap_or(false),
        };
        Ok(Organization {
            id: told.id,
            display_name: told.display_name.unwrap_or_default(),
            domains: told.verified_domains.unwrap_or_default().into_iter().map(domain).collect(),
        })
    }

    /// The tenant's licences.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn subscribed_skus(&self) -> Result<Vec<Sku>, SourceError> {
        let (mut skus, mut watch) = (Vec::new(), Watch::default());
        let mut next = Some(self.endpoints.graph("subscribedSkus")?);
        while let Some(url) = next {
            let known = skus.len();
            next = self
                .collection(&SUBSCRIBED_SKUS, url, "a list of licences", |page: Vec<Sku>| {
                    skus.extend(page);
                    true
                })
                .await?;
            if let Some(url) = &next {
                watch.page(url.as_str(), skus.len() > known)?;
            }
        }
        Ok(skus)
    }

    /// The next page of who is assigned to our enterprise application, and where the one after it is. Groups are told as groups; of
    /// theirs only direct members are assigned (contract b, app assignment). There is no delta: the list is read whole each time.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn app_assigned(&self, from: Option<&str>) -> Result<(Vec<Assigned>, Option<String>), SourceError> {
        let first = format!("servicePrincipals(appId='{}')/appRoleAssignedTo?$top=999", self.connection.client_id.trim());
        let url = from.map_or_else(|| self.endpoints.graph(&first), |link| self.endpoints.link(link))?;
        let mut assigned = Vec::new();
        let take = |page: Vec<AssignmentTold>| {
            assigned.extend(page.into_iter().filter_map(|told| {
                let id = told.principal_id?;
                match told.principal_type.as_deref() {
                    Some("User") => Some(Assigned::User(id)),
                    Some("Group") => Some(Assigned::Group(id)),
                    _ => None,
                }
            }));
            true
        };
        let next = self.collection(&APP_ASSIGNED, url, "a list of assignments", take).await?;
        Ok((assigned, next.map(String::from)))
    }

    /// The next page of users with their dates of sign-ins, and where the one after it is. Users who never signed in have none.
    ///
    /// # Errors
    /// See [`SourceError`]; [`SourceError::ConsentMissing`], [`SourceError::PermissionDenied`] and, for tenants without a premium licence,
    /// [`SourceError::NeedsPremium`] when they may not be read.
    pub async fn sign_ins(&self, from: Option<&str>) -> Result<(Vec<(SourceId, Value)>, Option<String>), SourceError> {
        // 500 is the largest page Graph gives with sign-ins in it.
        let first = || self.endpoints.graph("users?$select=id,signInActivity&$top=500");
        let url = from.map_or_else(first, |link| self.endpoints.link(link))?;
        let mut signed_in = Vec::new();
        let take = |page: Vec<SignedInTold>| {
            let told = page.into_iter().map(|told| (told.id, told.sign_in_activity.unwrap_or(Value::Null)));
            signed_in.extend(told);
            true
        };
        let next = self.collection(&SIGN_INS, url, "a list of users with their sign-ins", take).await?;
        Ok((signed_in, next.map(String::from)))
    }

    /// Which of these are among the deleted users. Pages are looked through and let go; a listing whose page token expires on the way
    /// is begun again once.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn deleted_users(&self, ids: &[SourceId]) -> Result<Vec<SourceId>, SourceError> {
        match self.look_for_deleted(ids).await {
            Err(SourceError::Resync { .. }) => self.look_for_deleted(ids).await,
            other => other,
        }
    }

    async fn look_for_deleted(&self, ids: &[SourceId]) -> Result<Vec<SourceId>, SourceError> {
        let mut wanted: HashSet<&SourceId> = ids.iter().collect();
        let (mut found, mut watch) = (Vec::new(), Watch::default());
        // 999 is the largest page Graph gives; one of ids alone is about 50 KB.
        let first = "directory/deletedItems/microsoft.graph.user?$select=id&$top=999";
        let mut next = if wanted.is_empty() { None } else { Some(self.endpoints.graph(first)?) };
        while let Some(url) = next {
            let mut told = false;
            next = self
                .collection(&DELETED_USERS, url, "a list of deleted users", |page: Vec<IdOnly>| {
                    told = !page.is_empty();
                    for IdOnly { id } in page {
                        if wanted.remove(&id) {
                            found.push(id);
                        }
                    }
                    !wanted.is_empty()
                })
                .await?;
            if let Some(url) = &next {
                watch.page(url.as_str(), told)?;
            }
        }
        Ok(found)
    }

    /// One page of a collection; gives back where the next one is, if there is one and `take` wants more.
    async fn collection<T: DeserializeOwned>(
        &self,
        route: &'static Route,
        url: Url,
        expected: &'static str,
        take: impl FnOnce(Vec<T>) -> bool,
    ) -> Result<Option<Url>, SourceError> {
        // Only links from Graph hold a page token.
        let stored = url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("$skiptoken"));
        let ask = Ask { route, url, stored, expected, token: None };
        let page = self.get(ask, json::<Collection<T>>).await?;
        let next = page.next.map(|link| self.endpoints.link(&link)).transpose()?;
        Ok(if take(page.value) { next } else { None })
    }
}
