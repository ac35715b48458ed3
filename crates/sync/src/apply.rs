//! Apply: write a stored plan, batch by batch. The plan leaves no choice here; the store writes records, links and journal in one
//! transaction a batch, and remembers how far it came, so that a killed run goes on where it was.

use crate::engine::Job;
use crate::error::Result;
use crate::plan::keep_rule_groups;
use model::run::{RunKind, RunState};
use store::Run;

/// Changes written in one transaction: long enough for speed, short enough that others get to the database in between.
const BATCH: i64 = 1_000;

impl Job {
    /// Writes what is left of the run's plan.
    pub(crate) async fn apply(&mut self, run: &Run) -> Result<()> {
        let of = self.store.run_counts(run.id).await?.changes();
        let mut done = 0;
        loop {
            let outcome = self.store.apply_batch(&self.lease, run.id, BATCH, self.engine.now()).await?;
            done += i64::try_from(outcome.applied + outcome.failed + outcome.held_back).unwrap_or(i64::MAX);
            self.tell(RunState::Applying, done, Some(of)).await?;
            if outcome.done {
                break;
            }
        }
        if self.kind == RunKind::Revert {
            // Which groups its rules named was not looked at.
            return Ok(());
        }
        keep_rule_groups(&self.engine, &self.lease).await
    }
}
