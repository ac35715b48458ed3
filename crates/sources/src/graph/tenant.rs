//! What a tenant is and has beside its feeds: its name and domains, its licences, its deleted users.

use super::request::{Ask, Route, SERVICE, json};
use super::{GraphSource, READ_ORGANIZATION, READ_USERS};
use crate::{Domain, Organization, SourceError};
use model::SourceId;
use model::directory::Sku;
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
        let mut skus = Vec::new();
        let mut next = Some(self.endpoints.graph("subscribedSkus")?);
        while let Some(url) = next {
            next = self
                .collection(&SUBSCRIBED_SKUS, url, "a list of licences", |page: Vec<Sku>| {
                    skus.extend(page);
                    true
                })
                .await?;
        }
        Ok(skus)
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
        let mut found = Vec::new();
        // 999 is the largest page Graph gives; one of ids alone is about 50 KB.
        let first = "directory/deletedItems/microsoft.graph.user?$select=id&$top=999";
        let mut next = if wanted.is_empty() { None } else { Some(self.endpoints.graph(first)?) };
        while let Some(url) = next {
            next = self
                .collection(&DELETED_USERS, url, "a list of deleted users", |page: Vec<IdOnly>| {
                    for IdOnly { id } in page {
                        if wanted.remove(&id) {
                            found.push(id);
                        }
                    }
                    !wanted.is_empty()
                })
                .await?;
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
        let stored = url.query_pairs().any(|(name, _)| name == "$skiptoken");
        let ask = Ask { route, url, stored, expected, token: None };
        let page = self.get(ask, json::<Collection<T>>).await?;
        let next = page.next.map(|link| self.endpoints.link(&link)).transpose()?;
        Ok(if take(page.value) { next } else { None })
    }
}
