//! Writing a stored plan, batch by batch, one transaction each: records, links, ledger and journal together.
//!
//! The plan leaves no choice here. A batch killed before its commit left nothing; one killed after it is not done again, because
//! the run remembers how far it came in the same transaction. A row that cannot be written fails alone.

mod finish;
mod rows;
mod write;

use crate::Store;
use crate::db::Tx;
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::mirror::touch;
use crate::plan::stretch;
use crate::values;
use model::RunId;
use model::run::{RunKind, RunState};

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// Changes written.
    pub applied: u64,
    /// Changes refused, each with its reason in the journal.
    pub failed: u64,
    /// Changes that lost a race for a username and wait for a person (ruling 52).
    pub held_back: u64,
    /// Nothing of the plan is left to do; the users it covers are settled.
    pub done: bool,
}

impl Store {
    /// Applies the next `limit` changes of a run that is applying; call until done.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::Conflict`] when the run is not applying.
    pub async fn apply_batch(&self, lease: &Lease, run: RunId, limit: i64, now: i64) -> Result<BatchOutcome> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "SELECT state, applied_through, decided_by, kind FROM runs WHERE id = $1";
        let row = tx.query_opt(sql, values![run]).await?.ok_or_else(|| StoreError::missing("run", run))?;
        if row.str(0)? != RunState::Applying.as_str() {
            return Err(StoreError::Conflict(format!("Run {run} is {} now, so nothing of it is applied.", row.str(0)?)));
        }
        let reverts = row.str(3)? == RunKind::Revert.as_str();
        let place = Place { run, now, approved: row.get::<Option<String>>(2)?.is_some(), reverts };
        let pending = rows::pending(&mut tx, row.get(1)?, stretch(run).1, limit).await?;
        let mut outcome = BatchOutcome::default();
        if pending.is_empty() {
            outcome.done = finish::step(&mut tx, lease, place, limit).await?;
        } else {
            batch(&mut tx, lease, place, pending, &mut outcome).await?;
        }
        tx.commit().await?;
        Ok(outcome)
    }
}

#[derive(Clone, Copy)]
struct Place {
    run: RunId,
    now: i64,
    /// A person approved the plan, so its removals do not weigh on the next (ruling 82).
    approved: bool,
    /// The run takes another one back.
    reverts: bool,
}

async fn batch(tx: &mut Tx, lease: &Lease, place: Place, pending: Vec<rows::Pending>, outcome: &mut BatchOutcome) -> Result<()> {
    let through = pending.last().map_or(0, |row| row.id);
    let prepared = rows::prepare(tx, lease, place, pending).await?;
    let mut failed = prepared.failed;
    let written = write::all(tx, lease, place, prepared.ready, &mut failed).await?;
    outcome.applied = written.applied;
    outcome.failed = failed.len() as u64;
    outcome.held_back = prepared.held_back.len() as u64;
    write::journal_failures(tx, place, &failed).await?;
    write::hold_back(tx, lease, place, &prepared.held_back).await?;
    // A user with a failed change is planned again next time.
    let mut again: Vec<i64> = failed.iter().map(|f| f.row.user.0).collect();
    again.sort_unstable();
    again.dedup();
    touch::users(tx, lease.tenant, &again).await?;
    if tx.query_opt("SELECT 1 FROM waits LIMIT 1", ()).await?.is_some() {
        touch::waiters(tx, &written.wakes).await?;
    }
    tx.execute("UPDATE runs SET applied_through = $2 WHERE id = $1", values![place.run, through]).await.map(|_| ())
}
