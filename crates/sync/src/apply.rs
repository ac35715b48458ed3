//! Apply: write a stored plan, batch by batch. The plan leaves no choice here; the store writes records, links and journal in one
//! transaction, and remembers in it how far it came, so that a killed run goes on where it was.

use crate::ahead::ahead;
use crate::engine::Job;
use crate::error::{Error, Result};
use model::RunId;
use model::run::{RunKind, RunState};
use store::{Care, Filling, Pending, Run};

/// Changes in memory at once; while they are written as many more are read.
const BATCH: i64 = 1_000;
/// Changes written in one transaction: long enough for speed, short enough (a fraction of a second) that others get to the database
/// in between.
const COMMIT: i64 = 10_000;

impl Job {
    /// Writes what is left of the run's plan.
    pub(crate) async fn apply(&mut self, run: &Run) -> Result<()> {
        let of = self.store.run_counts(run.id).await?.changes();
        let (run, mut done) = (run.id, 0);
        let mut next = self.store.pending(run, self.store.applied_through(run).await?, BATCH).await?;
        let mut care = Care::Together;
        while !next.is_empty() {
            match self.write_next(run, next, care, (done, of)).await {
                Ok((written, following)) => {
                    done += written;
                    next = following;
                    care = Care::Together;
                }
                // Nothing of the transaction was kept. Once more, then the row fails alone.
                Err(Error::Store(error)) if error.refuses_a_row() && care == Care::Together => {
                    care = Care::Singly;
                    next = self.store.pending(run, self.store.applied_through(run).await?, BATCH).await?;
                }
                Err(error) => return Err(error),
            }
        }
        loop {
            let mut writing = self.store.write(&self.lease).await?;
            let over = writing.finish(run, BATCH, self.engine.now()).await?;
            writing.commit().await?;
            if over {
                break;
            }
        }
        match self.kind {
            // Which groups the rules name was not looked at.
            RunKind::Revert | RunKind::Review => Ok(()),
            _ => self.keep_rule_groups().await,
        }
    }

    /// Writes the changes that are next in one transaction. Gives how many these were, and those after them. `done` of `of` are written.
    async fn write_next(&mut self, run: RunId, next: Pending, care: Care, (done, of): (i64, i64)) -> Result<(i64, Pending)> {
        let (mut next, mut written) = (next, 0);
        let mut writing = self.store.write(&self.lease).await?;
        while !next.is_empty() && written < COMMIT {
            let (store, after) = (self.store.clone(), next.through());
            let following = ahead(async move { store.pending(run, after, BATCH).await });
            let outcome = writing.apply(run, next, care, self.engine.now()).await?;
            written += i64::try_from(outcome.applied + outcome.failed + outcome.held_back).unwrap_or(i64::MAX);
            next = following.await?;
        }
        if let Some(progress) = self.tell(RunState::Applying, done + written, Some(of)) {
            writing.progress(run, &progress).await?;
        }
        writing.commit().await?;
        if done == 0 {
            self.store.begun(Filling::Records, of).await?;
        }
        Ok((written, next))
    }
}
