//! Numbers for people: how everyone is accounted for.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::tenants::{self, Tenant};
use crate::{Store, values};
use model::run::RunState;
use model::{RunId, TenantKey};
use std::collections::HashMap;

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

/// A tenant's users in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StandingTotals {
    /// Users looked at.
    pub users: i64,
    /// Of those, users whose record is as was decided.
    pub in_step: i64,
    /// Users who wait for a person.
    pub in_review: i64,
}

/// A tenant at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantGlance {
    /// The tenant.
    pub tenant: Tenant,
    /// The client's name.
    pub client: Option<String>,
    /// The latest run: its number, its state, and when it was asked for, milliseconds since 1970.
    pub last_run: Option<(RunId, RunState, i64)>,
    /// The latest plan that waits.
    pub held: Option<RunId>,
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

    /// How many users of each of these tenants were looked at, are in step, and wait for a person.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn standing_totals(&self, tenants: &[TenantKey]) -> Result<HashMap<TenantKey, StandingTotals>> {
        let keys: Vec<i64> = tenants.iter().map(|t| t.0).collect();
        let mut totals: HashMap<TenantKey, StandingTotals> = HashMap::new();
        let sql = "SELECT tenant_id, COUNT(*), COUNT(CASE WHEN outcome = 'in_review' THEN 1 END) FROM standing
             WHERE tenant_id IN EACH_INT($1) GROUP BY tenant_id";
        for row in self.db.query(sql, values![keys.clone()]).await? {
            totals.insert(row.get(0)?, StandingTotals { users: row.get(1)?, in_step: 0, in_review: row.get(2)? });
        }
        // Where users stand says what was decided. In step is who has a record by it, and nothing that waits in a held plan.
        let sql = "SELECT l.tenant_id, COUNT(DISTINCT l.user_id) FROM links l JOIN standing s ON s.user_id = l.user_id
             WHERE l.tenant_id IN EACH_INT($1) AND l.slot = 0 AND s.outcome = 'synced' GROUP BY l.tenant_id";
        for row in self.db.query(sql, values![keys.clone()]).await? {
            totals.entry(row.get(0)?).or_default().in_step = row.get(1)?;
        }
        let sql = "SELECT h.tenant_id, COUNT(DISTINCT c.user_id) FROM runs h
             JOIN changes c ON c.id > h.id * 4294967296 AND c.id < (h.id + 1) * 4294967296
             JOIN links l ON l.user_id = c.user_id AND l.slot = 0 JOIN standing s ON s.user_id = c.user_id AND s.outcome = 'synced'
             WHERE h.tenant_id IN EACH_INT($1) AND h.state = 'held' GROUP BY h.tenant_id";
        for row in self.db.query(sql, values![keys]).await? {
            totals.entry(row.get(0)?).or_default().in_step -= row.get::<i64>(1)?;
        }
        Ok(totals)
    }

    /// Every tenant by name, with its client's name, its latest run and a plan that waits.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn tenant_glances(&self) -> Result<Vec<TenantGlance>> {
        let sql = format!(
            "SELECT {}, c.name, r.id, r.state, r.created_at, h.id FROM tenants t LEFT JOIN clients c ON c.id = t.client_id
             LEFT JOIN runs r ON r.id = (SELECT MAX(id) FROM runs WHERE tenant_id = t.id)
             LEFT JOIN (SELECT tenant_id, MAX(id) AS id FROM runs WHERE state = 'held' GROUP BY tenant_id) h ON h.tenant_id = t.id
             ORDER BY t.name, t.id",
            tenants::COLUMNS
        );
        let read = |row: &Row| {
            let at = tenants::WIDTH;
            let state: Option<String> = row.get(at + 2)?;
            let unknown = |word: &str| StoreError::Corrupt(format!("runs.state is {word}"));
            Ok(TenantGlance {
                tenant: tenants::tenant(row)?,
                client: row.get(at)?,
                last_run: match (row.get(at + 1)?, state) {
                    (Some(id), Some(word)) => Some((id, RunState::parse(&word).ok_or_else(|| unknown(&word))?, row.get(at + 3)?)),
                    _ => None,
                },
                held: row.get(at + 4)?,
            })
        };
        self.db.query(&sql, ()).await?.iter().map(read).collect()
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
