//! What limits would have stopped: the plans of the last month, weighed again by a draft of the guard. Each tenant's by the limits it has
//! under the draft, which are its own where it has any; and with them the limits over the fleet, by what the fleet weighed then.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::usecases::policies::PolicyScope;
use model::plan::{FleetWeights, Hold, Weights};
use model::policy::Guard;
use model::run::{RunKind, RunState};
use model::{RunId, TenantKey};
use planner::guard;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use store::{Run, RunFilter};

/// How far back is looked, in milliseconds: a month.
const SPAN: i64 = 30 * 24 * 60 * 60 * 1000;

/// Runs that are looked through at most: a month of a fleet that runs every few minutes is more than anybody reads.
const RUNS: usize = 2_000;

/// Runs read at once.
const PAGE: i64 = 200;

/// Tenants whose plans were held count together for this long, and a run that crossed a limit over the fleet stands for this long
/// (ruling 87), milliseconds.
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

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
    /// Tenants with limits of their own: those of the default do not decide for them alone.
    pub own_limits: i64,
    /// Plans that do not tell what the fleet weighed beside them, from before that was kept: no limit over the fleet is told of these.
    pub without_fleet: i64,
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
    /// Whose limits it was weighed by: `default`, or `tenant` where the tenant's own text has any.
    pub limits: &'static str,
    /// Why these limits hold it; empty when they let it through.
    pub holds: Vec<String>,
    /// Why it was held then; empty when it was not.
    pub held_then: Vec<String>,
    /// What became of it.
    pub state: RunState,
}

/// Whose limits a tenant is weighed by.
#[derive(Debug, Clone)]
struct Limits {
    guard: Guard,
    own: bool,
}

/// What these limits would have told of the fleet so far, told from the oldest plan on.
#[derive(Debug, Default)]
struct Fleet {
    /// Plans that their own limits held: when, and whose.
    tripped: Vec<(i64, TenantKey)>,
    /// The latest run that crossed a limit over the fleet, and when.
    stands: Option<(i64, RunId)>,
}

impl Fleet {
    /// What the fleet weighs beside a plan, had these limits been in force: what was kept, but for who was held.
    fn beside(&self, kept: &FleetWeights, tenant: TenantKey, at: i64) -> FleetWeights {
        let lately = self.tripped.iter().filter(|(then, other)| at - then < HOUR && *other != tenant);
        let others: HashSet<TenantKey> = lately.map(|(_, other)| *other).collect();
        FleetWeights {
            tripped: i64::try_from(others.len()).unwrap_or(i64::MAX),
            stands: self.stands.filter(|(then, _)| at - then < DAY).map(|(_, run)| run),
            ..kept.clone()
        }
    }

    fn note(&mut self, run: &Run, at: i64, own: &[Hold], fleet: &[Hold]) {
        if !own.is_empty() {
            self.tripped.retain(|(then, _)| at - then < HOUR);
            self.tripped.push((at, run.tenant));
        }
        if fleet.iter().any(|hold| matches!(hold, Hold::FleetRemovals { .. } | Hold::FleetTenants { .. })) {
            self.stands = Some((at, run.id));
        }
    }
}

/// Why a plan waits that is nobody's limit: the first one waits, and is warned of (M03).
fn is_first(hold: &Hold) -> bool {
    matches!(hold, Hold::FirstRun | Hold::NothingToMatchBy { .. })
}

impl Engine {
    /// Weighs the plans of the last month again: each tenant's by the limits it would have under a draft (none = under what is kept).
    ///
    /// # Errors
    /// [`crate::Error::Policy`] for the draft; the store's.
    pub async fn guard_report(&self, scope: PolicyScope, text: Option<&str>) -> Result<GuardReport> {
        let limits = self.limits(scope, text).await?;
        let tenant = match scope {
            PolicyScope::Tenant(tenant) => Some(tenant),
            PolicyScope::Default => None,
        };
        let mut report = GuardReport { since: self.now() - SPAN, complete: true, ..GuardReport::default() };
        report.own_limits = i64::try_from(limits.values().filter(|l| l.own).count()).unwrap_or(i64::MAX);
        let runs = self.weighed_runs(tenant, &mut report).await?;
        let fallback = Limits { guard: self.draft_of_default(scope, text).await?, own: false };
        let mut fleet = Fleet::default();
        for (run, weights) in runs.into_iter().rev() {
            let Limits { guard, own } = limits.get(&run.tenant).unwrap_or(&fallback);
            let at = run.planned_at.unwrap_or(run.created_at);
            let mut holds = guard::weigh(guard, &weights);
            let of_fleet = match &weights.fleet {
                // Of one tenant's plans the others' are not read: theirs stand as they were.
                Some(kept) if tenant.is_some() => guard::weigh_fleet(guard, &holds, &weights, kept),
                Some(kept) => guard::weigh_fleet(guard, &holds, &weights, &fleet.beside(kept, run.tenant, at)),
                None => {
                    report.without_fleet += i64::from(weights.changes > 0 && run.kind != RunKind::Revert);
                    Vec::new()
                }
            };
            if !run.preview {
                fleet.note(&run, at, &holds, &of_fleet);
            }
            holds.extend(of_fleet);
            let words = |holds: &[Hold]| holds.iter().map(ToString::to_string).collect::<Vec<_>>();
            let then: Vec<Hold> = run.holds.into_iter().filter(|hold| !is_first(hold)).collect();
            report.plans += 1;
            report.held_then += i64::from(!then.is_empty());
            if !holds.is_empty() || !then.is_empty() {
                report.stopped.push(StoppedPlan {
                    run: run.id,
                    tenant: run.tenant,
                    at,
                    changes: weights.changes,
                    removals: weights.removals,
                    limits: if *own { "tenant" } else { "default" },
                    holds: words(&holds),
                    held_then: words(&then),
                    state: run.state,
                });
            }
        }
        report.stopped.reverse();
        Ok(report)
    }

    /// The runs of the last month that were weighed, newest first.
    async fn weighed_runs(&self, tenant: Option<TenantKey>, report: &mut GuardReport) -> Result<Vec<(Run, Weights)>> {
        let mut filter = RunFilter { tenant, states: Vec::new(), before: None, limit: PAGE };
        let (mut found, mut seen) = (Vec::new(), 0);
        loop {
            let runs = self.store().runs(&filter).await?;
            let Some(last) = runs.last() else { return Ok(found) };
            filter.before = Some(last.id);
            for mut run in runs {
                if run.created_at < report.since {
                    return Ok(found);
                }
                seen += 1;
                if seen > RUNS {
                    report.complete = false;
                    return Ok(found);
                }
                if let Some(weights) = run.weights.take() {
                    found.push((run, weights));
                }
            }
        }
    }

    /// The limits each tenant would have under a draft. A tenant whose own text would not hold over the draft is weighed by the draft
    /// alone: saving says what is wrong.
    async fn limits(&self, scope: PolicyScope, text: Option<&str>) -> Result<HashMap<TenantKey, Limits>> {
        let mut limits = HashMap::new();
        if let PolicyScope::Tenant(tenant) = scope {
            let own = self.is_own(scope, text, "guard").await?;
            limits.insert(tenant, Limits { guard: self.draft_of_default(scope, text).await?, own });
            return Ok(limits);
        }
        for tenant in self.store().tenants().await? {
            // Whoever has no text of their own has the default's limits.
            let theirs = PolicyScope::Tenant(tenant.key);
            if !self.is_own(theirs, None, "guard").await.unwrap_or(false) {
                continue;
            }
            let loaded = match text {
                Some(text) => self.policy_over(text, tenant.key).await,
                None => self.loaded_policy(theirs).await,
            };
            match loaded {
                Ok(loaded) => drop(limits.insert(tenant.key, Limits { guard: loaded.policy.guard.clone(), own: true })),
                Err(Error::Policy(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(limits)
    }

    async fn draft_of_default(&self, scope: PolicyScope, text: Option<&str>) -> Result<Guard> {
        let loaded = match text {
            Some(text) => self.check_policy(scope, text).await?,
            None => self.loaded_policy(scope).await?,
        };
        Ok(loaded.policy.guard.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r87_the_fleet_is_weighed_by_whom_these_limits_would_have_held() {
        let mut fleet = Fleet::default();
        let kept = FleetWeights { tenants: 9, removals_in_window: 4, linked: 100, tripped: 7, stands: Some(RunId(1)) };
        let (one, two) = (TenantKey(1), TenantKey(2));
        let quiet = fleet.beside(&kept, one, 0);
        assert_eq!((quiet.tripped, quiet.stands, quiet.removals_in_window), (0, None, 4), "nobody was held by these");
        fleet.tripped = vec![(0, one), (10, one), (20, two)];
        fleet.stands = Some((20, RunId(5)));
        assert_eq!(fleet.beside(&kept, one, 30).tripped, 1, "its own does not count");
        assert_eq!(fleet.beside(&kept, TenantKey(3), 30).tripped, 2);
        let later = fleet.beside(&kept, TenantKey(3), HOUR + 15);
        assert_eq!((later.tripped, later.stands), (1, Some(RunId(5))), "for an hour, and for a day");
        assert_eq!(fleet.beside(&kept, one, DAY + 20).stands, None);
    }
}
