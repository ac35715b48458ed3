//! Apply: write a stored plan, batch by batch. The plan leaves no choice here; the store writes records, links and journal in one
//! transaction, and remembers in it how far it came, so that a killed run goes on where it was.

use crate::ahead::ahead;
use crate::engine::Job;
use crate::error::Result;
use crate::plan::keep_rule_groups;
use model::run::{RunKind, RunState};
use store::{Filling, Run};

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
        while !next.is_empty() {
            let mut writing = self.store.write(&self.lease).await?;
            let mut written = 0;
            while !next.is_empty() && written < COMMIT {
                let (store, after) = (self.store.clone(), next.through());
                let following = ahead(async move { store.pending(run, after, BATCH).await });
                let outcome = writing.apply(run, next, self.engine.now()).await?;
                written += i64::try_from(outcome.applied + outcome.failed + outcome.held_back).unwrap_or(i64::MAX);
                next = following.await?;
            }
            done += written;
            if let Some(progress) = self.tell(RunState::Applying, done, Some(of)) {
                writing.progress(run, &progress).await?;
            }
            writing.commit().await?;
            if done == written {
                self.store.begun(Filling::Records, of).await?;
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
            _ => keep_rule_groups(&self.engine, &self.lease).await,
        }
    }
}
