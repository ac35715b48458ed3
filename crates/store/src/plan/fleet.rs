//! What all tenants weigh together (ruling 87).

use super::stretch;
use super::weigh::WINDOW;
use crate::error::Result;
use crate::lease::Lease;
use crate::{Store, values};
use model::plan::FleetWeights;
use model::{RunId, TenantKey};

/// Tenants tripped within this long count together (ruling 87), milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

impl Store {
    /// Weighs the fleet beside a run's plan. Linked records are counted only from `floor` removals up, the plan's `removals` among
    /// them: below it nobody asks, and counting them reads every link there is.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn fleet_weights(
        &self,
        tenant: TenantKey,
        run: RunId,
        removals: i64,
        floor: i64,
        now: i64,
    ) -> Result<FleetWeights> {
        let (from, to) = stretch(run);
        let mut tx = self.db.read().await?;
        let mut fleet = FleetWeights::default();
        if let Some(row) = tx.query_opt("SELECT COUNT(*) FROM tenants", ()).await? {
            fleet.tenants = row.get(0)?;
        }
        let sql = "SELECT COUNT(DISTINCT tenant_id) FROM trips WHERE at > $1 AND at <= $2 AND fleet = 0 AND tenant_id <> $3";
        if let Some(row) = tx.query_opt(sql, values![now - HOUR, now, tenant]).await? {
            fleet.tripped = row.get(0)?;
        }
        let sql = "SELECT MAX(run_id) FROM trips WHERE at > $1 AND at <= $2 AND fleet = 1 AND run_id <> $3";
        if let Some(row) = tx.query_opt(sql, values![now - WINDOW, now, run]).await? {
            fleet.stands = row.get(0)?;
        }
        if removals == 0 {
            return Ok(fleet);
        }
        let sql = "SELECT COUNT(DISTINCT m.person_id) FROM removals m
             WHERE m.at > $1 AND m.at <= $2 AND m.undone = 0 AND m.approved = 0 AND NOT EXISTS (SELECT 1 FROM changes c
                WHERE c.person_id = m.person_id AND c.id > $3 AND c.id <= $4 AND c.removal = 1)";
        if let Some(row) = tx.query_opt(sql, values![now - WINDOW, now, from, to]).await? {
            fleet.removals_in_window = row.get(0)?;
        }
        if removals + fleet.removals_in_window >= floor {
            let sql = "SELECT COUNT(*) FROM links l JOIN people p ON p.id = l.person_id WHERE l.slot = 0 AND p.status = 0";
            if let Some(row) = tx.query_opt(sql, ()).await? {
                fleet.linked = row.get(0)?;
            }
        }
        Ok(fleet)
    }

    /// Remembers for a day that a run's plan was held, by its own tenant's limits or by those over the fleet.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn note_trip(&self, lease: &Lease, run: RunId, fleet: bool, now: i64) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        tx.execute("DELETE FROM trips WHERE at <= $1", values![now - WINDOW]).await?;
        let sql =
            "INSERT INTO trips (run_id, fleet, tenant_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT (run_id, fleet) DO NOTHING";
        tx.execute(sql, values![run, fleet, lease.tenant, now]).await?;
        tx.commit().await
    }
}
