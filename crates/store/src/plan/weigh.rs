//! What a stored plan weighs, by aggregates over its rows, the ledger of removals and the links.

use super::stretch;
use crate::db::Tx;
use crate::error::{Result, StoreError};
use crate::{Store, values};
use model::plan::Weights;
use model::{RuleId, RunId, TenantKey};
use std::collections::HashMap;

/// Removals count for this long (ruling 82), milliseconds.
pub(super) const WINDOW: i64 = 24 * 60 * 60 * 1000;

impl Store {
    /// Weighs a run's plan at an instant. Lost groups are the caller's to add: they compare the policy with what it named before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn weights(&self, run: RunId, now: i64) -> Result<Weights> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT r.tenant_id, t.first_applied_run FROM runs r JOIN tenants t ON t.id = r.tenant_id WHERE r.id = $1";
        let row = tx.query_opt(sql, values![run]).await?.ok_or_else(|| StoreError::missing("run", run))?;
        let tenant: TenantKey = row.get(0)?;
        let mut weights = Weights { first_plan: row.get::<Option<RunId>>(1)?.is_none(), ..Weights::default() };
        let (from, to) = stretch(run);
        let sql = "SELECT COUNT(*), COUNT(CASE WHEN removal = 1 THEN 1 END), COUNT(CASE WHEN returns = 1 THEN 1 END),
                COUNT(CASE WHEN rekey = 1 THEN 1 END), COUNT(CASE WHEN verb = 'create' THEN 1 END),
                COUNT(CASE WHEN verb = 'create' AND kind = 0 THEN 1 END),
                COUNT(CASE WHEN removal = 1 AND verb = 'link' THEN 1 END)
             FROM changes WHERE id > $1 AND id <= $2";
        if let Some(row) = tx.query_opt(sql, values![from, to]).await? {
            weights.changes = row.get(0)?;
            weights.removals = row.get(1)?;
            weights.returns = row.get(2)?;
            weights.rekeys = row.get(3)?;
            weights.creates = row.get(4)?;
            weights.agent_creates = row.get(5)?;
            weights.removals_of_unlinked = row.get(6)?;
        }
        let sql = "SELECT mirror_before, present, absentees FROM feeds WHERE tenant_id = $1 AND feed = 'users'";
        if let Some(row) = tx.query_opt(sql, values![tenant]).await? {
            weights.mirror_before = row.get(0)?;
            weights.mirror_after = row.get(1)?;
            weights.absentees = row.get(2)?;
        }
        // Against a plan without changes nothing is weighed, unless the directory is empty: then whether anybody was linked is all there is
        // to know. Most cycles are such, and counting everybody is most of what they would cost.
        if weights.changes > 0 || weights.mirror_after == 0 {
            window(&mut tx, tenant, now, (from, to), &mut weights).await?;
        }
        let sql = "SELECT p.first_name, p.last_name, p.email, p.id FROM changes c JOIN people p ON p.id = c.person_id
             WHERE c.id > $1 AND c.id <= $2 AND c.removal = 1 AND c.stands_for IS NOT NULL ORDER BY c.id LIMIT 100";
        for row in tx.query(sql, values![from, to]).await? {
            let (first, last): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
            let name = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let email: Option<String> = row.get(2)?;
            let fallback = || format!("record {}", row.get::<i64>(3).unwrap_or_default());
            weights.stands_for.push(if name.is_empty() { email.unwrap_or_else(fallback) } else { name });
        }
        Ok(weights)
    }

    /// How many removals of a plan concern users whom each rule had selected when it was last applied (ruling 83).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn removals_by_rule(&self, run: RunId) -> Result<HashMap<RuleId, i64>> {
        let (from, to) = stretch(run);
        let sql = "SELECT l.rule, COUNT(*) FROM changes c JOIN links l ON l.person_id = c.person_id
             WHERE c.id > $1 AND c.id <= $2 AND c.removal = 1 AND l.rule IS NOT NULL GROUP BY l.rule";
        self.db.query(sql, values![from, to]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

/// The linked records, and the removals of the last 24 hours but for those of records that the plan in `stretch` removes again.
pub(crate) async fn window(tx: &mut Tx, tenant: TenantKey, now: i64, stretch: (i64, i64), weights: &mut Weights) -> Result<()> {
    let (from, to) = stretch;
    let sql = "SELECT COUNT(*) FROM links l JOIN people p ON p.id = l.person_id WHERE l.tenant_id = $1 AND p.status = 0";
    if let Some(row) = tx.query_opt(sql, values![tenant]).await? {
        weights.linked = row.get(0)?;
    }
    // The window is open at its far end: exactly 24 hours ago is out (ruling 82).
    let sql = "SELECT COUNT(CASE WHEN approved = 0 AND NOT EXISTS (SELECT 1 FROM changes c
                WHERE c.person_id = m.person_id AND c.id > $4 AND c.id <= $5 AND c.removal = 1) THEN 1 END),
            COUNT(DISTINCT CASE WHEN NOT EXISTS (SELECT 1 FROM links l JOIN people p ON p.id = l.person_id
                WHERE l.person_id = m.person_id AND l.tenant_id = $1 AND p.status = 0) THEN m.person_id END)
         FROM removals m WHERE m.tenant_id = $1 AND m.at > $2 AND m.at <= $3 AND m.undone = 0";
    if let Some(row) = tx.query_opt(sql, values![tenant, now - WINDOW, now, from, to]).await? {
        weights.removals_in_window = row.get(0)?;
        weights.removed_in_window = row.get(1)?;
    }
    Ok(())
}
