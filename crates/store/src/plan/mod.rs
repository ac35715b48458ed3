//! Plans: stored before they are applied, journal once they are.
//!
//! [`Store::begin_plan`](crate::Store::begin_plan) wipes what an interrupted planning left and fixes the touches the plan covers;
//! [`Writing::decisions`](crate::Writing::decisions) takes the planner's decisions batch by batch.
//! Where users stand, what waits for a person and who waits for what describe *deciding*, so they are written with the decisions;
//! records, links and their bookkeeping are written when the plan is applied.

mod decisions;
mod fleet;
mod read;
mod rejected;
mod revert;
mod split;
mod stale;
mod weigh;

pub(crate) use decisions::settle;
pub(crate) use rejected::{follow as follow_rejection, remember as remember_rejection};
pub(crate) use revert::remember;
pub(crate) use weigh::window;

pub use decisions::Pass;
pub use read::{ChangeState, PlanFilter, PlanRow};
pub use revert::{Written, WrittenBy};

use model::RunId;

/// A run's stretch of the tables whose ids are `run * 2^32 + seq`: ids above the first and up to the second.
pub(crate) fn stretch(run: RunId) -> (i64, i64) {
    (run.0 << 32, (run.0 << 32) | 0xffff_ffff)
}

/// The id of a change by its place in its run's plan: what a cursor over a plan goes by. Place 0 is before the first.
#[must_use]
pub fn place(run: RunId, seq: i64) -> i64 {
    stretch(run).0 + seq.clamp(0, 0xffff_ffff)
}
