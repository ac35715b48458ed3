//! The safe part of a plan that is held for its removals (ruling 86): a plan of its own, applied while the rest waits.

use super::stretch;
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::runs::{RunChange, transition};
use crate::{Store, values};
use model::RunId;
use model::run::RunState;

/// Rows moved by one statement.
const PAGE: usize = 1_000;

impl Store {
    /// Has a planned run wait, and moves these rows of its plan, with its bookings, into a run of their own that is ready to be
    /// applied. All at once: a run that is killed on the way plans again, or goes on with both.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::NotFound`]; [`StoreError::Conflict`] when the run is not planning.
    pub async fn split_plan(
        &self,
        lease: &Lease,
        run: RunId,
        held: RunChange,
        rows: &[i64],
        hash: &str,
        now: i64,
    ) -> Result<RunId> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "INSERT INTO runs (tenant_id, kind, state, preview, requested_by, created_at, started_at, policy_version,
                policy_digest, planned_seq, planned_at, plan_hash)
             SELECT tenant_id, kind, 'applying', 0, requested_by, $2, $2, policy_version, policy_digest, planned_seq, planned_at, $3
             FROM runs WHERE id = $1 RETURNING id";
        transition(&mut tx, run, RunState::Planning, RunState::Held, held, now).await?;
        let row = tx.query_opt(sql, values![run, now, hash]).await?.ok_or_else(|| StoreError::missing("run", run))?;
        let safe: RunId = row.get(0)?;
        let ((from, to), (start, _)) = (stretch(run), stretch(safe));
        for rows in rows.chunks(PAGE) {
            let sql = "UPDATE changes SET id = id - $2 + $3 WHERE id IN EACH_INT($1)";
            tx.execute(sql, values![rows.to_vec(), from, start]).await?;
        }
        let sql = "UPDATE bookings SET id = id - $1 + $3 WHERE id > $1 AND id <= $2";
        tx.execute(sql, values![from, to, start]).await?;
        tx.execute("UPDATE runs SET applied_through = $2 WHERE id = $1", values![safe, start]).await?;
        tx.commit().await?;
        Ok(safe)
    }
}
