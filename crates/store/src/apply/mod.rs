//! Writing a stored plan, batch by batch: records, links, ledger and journal together.
//!
//! The plan leaves no choice here. A batch killed before its commit left nothing; one killed after it is not done again, because
//! the run remembers how far it came in the same transaction. A row that cannot be written fails alone.

mod finish;
mod rows;
mod write;

use crate::db::Tx;
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::mirror::touch;
use crate::{Store, Writing, values};
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
}

/// What becomes of the others when the database refuses a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Nothing is kept of the whole transaction, which is to be made again with [`Care::Singly`]. Nearly always no row is refused, and
    /// then this takes a sixth less time: SQLite need not remember what every page was like before the batch.
    Together,
    /// They are written, and the row fails alone.
    Singly,
}

/// Changes of a plan that are next to be written.
#[derive(Debug)]
pub struct Pending {
    rows: Vec<rows::Pending>,
    /// The change before the first.
    after: i64,
}

impl Pending {
    /// Whether every change of the plan is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The last of them: where the next ones begin.
    #[must_use]
    pub fn through(&self) -> i64 {
        self.rows.last().map_or(self.after, |row| row.id)
    }
}

impl Store {
    /// How far a run's plan is written: what [`Store::pending`] goes on from.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn applied_through(&self, run: RunId) -> Result<i64> {
        let row = self.db.query_opt("SELECT applied_through FROM runs WHERE id = $1", values![run]).await?;
        row.map_or_else(|| Err(StoreError::missing("run", run)), |row| row.get(0))
    }

    /// The next `limit` changes of a plan after one of them. A plan does not change once it is made, so they can be read while
    /// earlier ones are written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pending(&self, run: RunId, after: i64, limit: i64) -> Result<Pending> {
        let mut tx = self.db.read().await?;
        Ok(Pending { rows: rows::pending(&mut tx, run, after, limit).await?, after })
    }
}

impl Writing {
    /// Applies the changes of a run that are next.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run is not applying, or somebody else has applied them; with [`Care::Together`] one that
    /// [`StoreError::refuses_a_row`].
    pub async fn apply(&mut self, run: RunId, pending: Pending, care: Care, now: i64) -> Result<BatchOutcome> {
        let (through, place) = self.place(run, now).await?;
        if through != pending.after {
            return Err(StoreError::Conflict(format!("Run {run} is applied by somebody else.")));
        }
        let mut outcome = BatchOutcome::default();
        if !pending.is_empty() {
            batch(&mut self.tx, &self.lease, place, pending.rows, care, &mut outcome).await?;
        }
        Ok(outcome)
    }

    /// Does a piece of what is left once every change of a plan is written; true when nothing is left and the users the plan covers
    /// are settled.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run is not applying.
    pub async fn finish(&mut self, run: RunId, limit: i64, now: i64) -> Result<bool> {
        let (_, place) = self.place(run, now).await?;
        finish::step(&mut self.tx, &self.lease, place, limit).await
    }

    async fn place(&mut self, run: RunId, now: i64) -> Result<(i64, Place)> {
        let sql = "SELECT state, applied_through, decided_by, kind FROM runs WHERE id = $1";
        let row = self.tx.query_opt(sql, values![run]).await?.ok_or_else(|| StoreError::missing("run", run))?;
        if row.str(0)? != RunState::Applying.as_str() {
            return Err(StoreError::Conflict(format!("Run {run} is {} now, so nothing of it is applied.", row.str(0)?)));
        }
        let reverts = row.str(3)? == RunKind::Revert.as_str();
        Ok((row.get(1)?, Place { run, now, approved: row.get::<Option<String>>(2)?.is_some(), reverts }))
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

async fn batch(
    tx: &mut Tx,
    lease: &Lease,
    place: Place,
    pending: Vec<rows::Pending>,
    care: Care,
    outcome: &mut BatchOutcome,
) -> Result<()> {
    let through = pending.last().map_or(0, |row| row.id);
    let prepared = rows::prepare(tx, lease, place, pending).await?;
    let mut failed = prepared.failed;
    // Nearly always nobody waits for anything, and nobody has to be told.
    let wakes = !prepared.held_back.is_empty() || tx.query_opt("SELECT 1 FROM waits LIMIT 1", ()).await?.is_some();
    let written = write::all(tx, lease, place, prepared.ready, care, wakes, &mut failed).await?;
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
    touch::waiters(tx, &written.wakes).await?;
    tx.execute("UPDATE runs SET applied_through = $2 WHERE id = $1", values![place.run, through]).await.map(|_| ())
}
