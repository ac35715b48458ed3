//! What limits would have stopped: the plans of the last month, weighed again by a draft of the guard.

use crate::engine::Engine;
use crate::error::Result;
use crate::usecases::policies::PolicyScope;
use model::plan::Hold;
use model::run::RunState;
use model::{RunId, TenantKey};
use serde::Serialize;
use store::RunFilter;

/// How far back is looked, in milliseconds: a month.
const SPAN: i64 = 30 * 24 * 60 * 60 * 1000;

/// Runs that are looked through at most: a month of a fleet that runs every few minutes is more than anybody reads.
const RUNS: usize = 2_000;

/// Runs read at once.
const PAGE: i64 = 200;

/// What limits would have stopped.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GuardReport {
    /// From when on, milliseconds since 1970.
    pub since: i64,
    /// Plans that were weighed.
    pub plans: i64,
    /// Whether that is all of them.
    pub complete: bool,
    /// Plans that were held then.
    pub held_then: i64,
    /// Plans that these limits hold, or that were held then, the latest first.
    pub stopped: Vec<StoppedPlan>,
}

/// A plan that these limits hold, or that was held then.
#[derive(Debug, Clone, Serialize)]
pub struct StoppedPlan {
    /// The run.
    pub run: RunId,
    /// The tenant.
    pub tenant: TenantKey,
    /// When it was planned, milliseconds since 1970.
    pub at: i64,
    /// Its changes.
    pub changes: i64,
    /// Of those, removals.
    pub removals: i64,
    /// Why these limits hold it; empty when they let it through.
    pub holds: Vec<String>,
    /// Why it was held then; empty when it was not.
    pub held_then: Vec<String>,
    /// What became of it.
    pub state: RunState,
}

impl Engine {
    /// Weighs the plans of the last month again, by the guard of a draft (none = of what is kept).
    ///
    /// # Errors
    /// [`crate::Error::Policy`] for the draft; the store's.
    pub async fn guard_report(&self, scope: PolicyScope, text: Option<&str>) -> Result<GuardReport> {
        let loaded = match text {
            Some(text) => self.check_policy(scope, text).await?,
            None => self.loaded_policy(scope).await?,
        };
        let guard = &loaded.policy.guard;
        let tenant = match scope {
            PolicyScope::Tenant(tenant) => Some(tenant),
            PolicyScope::Default => None,
        };
        let mut report = GuardReport { since: self.now() - SPAN, complete: true, ..GuardReport::default() };
        let mut filter = RunFilter { tenant, states: Vec::new(), before: None, limit: PAGE };
        let mut seen = 0;
        loop {
            let runs = self.store().runs(&filter).await?;
            let Some(last) = runs.last() else { return Ok(report) };
            filter.before = Some(last.id);
            for run in runs {
                if run.created_at < report.since {
                    return Ok(report);
                }
                seen += 1;
                if seen > RUNS {
                    report.complete = false;
                    return Ok(report);
                }
                let Some(weights) = run.weights else { continue };
                report.plans += 1;
                let words = |holds: &[Hold]| holds.iter().map(ToString::to_string).collect::<Vec<_>>();
                // The first plan's wait is no limit's doing.
                let then: Vec<Hold> = run.holds.into_iter().filter(|h| !matches!(h, Hold::FirstRun)).collect();
                let holds = words(&planner::guard::weigh(guard, &weights));
                report.held_then += i64::from(!then.is_empty());
                if !holds.is_empty() || !then.is_empty() {
                    report.stopped.push(StoppedPlan {
                        run: run.id,
                        tenant: run.tenant,
                        at: run.planned_at.unwrap_or(run.created_at),
                        changes: weights.changes,
                        removals: weights.removals,
                        holds,
                        held_then: words(&then),
                        state: run.state,
                    });
                }
            }
        }
    }
}
