//! Numbers for people: how everyone is accounted for.

use crate::error::Result;
use crate::{Store, values};
use model::TenantKey;

/// How many users share an outcome, an exclusion and a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingCount {
    /// A word of [`model::plan::Outcome`].
    pub outcome: String,
    /// What excluded them.
    pub excluded_by: Option<String>,
    /// The rule that selects them.
    pub rule: Option<String>,
    /// How many.
    pub users: i64,
}

/// Numbers over everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overview {
    /// Tenants.
    pub tenants: i64,
    /// Users held as present.
    pub users: i64,
    /// Records that are not archived.
    pub people: i64,
    /// Of those, agents.
    pub agents: i64,
    /// Records linked to a user.
    pub linked: i64,
    /// Review items open.
    pub in_review: i64,
    /// Plans that wait for a person.
    pub held: i64,
}

impl Store {
    /// Whether anybody of a tenant was decided on before.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn has_standing(&self, tenant: TenantKey) -> Result<bool> {
        Ok(self.db.query_opt("SELECT 1 FROM standing WHERE tenant_id = $1 LIMIT 1", values![tenant]).await?.is_some())
    }

    /// How a tenant's users are accounted for.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn standing_counts(&self, tenant: TenantKey) -> Result<Vec<StandingCount>> {
        let sql = "SELECT outcome, excluded_by, rule, COUNT(*) FROM standing WHERE tenant_id = $1
             GROUP BY outcome, excluded_by, rule ORDER BY outcome, excluded_by, rule";
        let rows = self.db.query(sql, values![tenant]).await?;
        rows.iter()
            .map(|r| Ok(StandingCount { outcome: r.get(0)?, excluded_by: r.get(1)?, rule: r.get(2)?, users: r.get(3)? }))
            .collect()
    }

    /// Numbers over everything.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn overview(&self) -> Result<Overview> {
        let sql = "SELECT (SELECT COUNT(*) FROM tenants),
            (SELECT CAST(COALESCE(SUM(present), 0) AS BIGINT) FROM feeds WHERE feed = 'users'),
            (SELECT COUNT(*) FROM people WHERE status <> 2), (SELECT COUNT(*) FROM people WHERE status <> 2 AND kind = 0),
            (SELECT COUNT(*) FROM links WHERE slot = 0), (SELECT COUNT(*) FROM review_items WHERE state = 'open'),
            (SELECT COUNT(*) FROM runs WHERE state = 'held')";
        let Some(r) = self.db.query_opt(sql, ()).await? else { return Ok(Overview::default()) };
        Ok(Overview {
            tenants: r.get(0)?,
            users: r.get(1)?,
            people: r.get(2)?,
            agents: r.get(3)?,
            linked: r.get(4)?,
            in_review: r.get(5)?,
            held: r.get(6)?,
        })
    }
}
