//! A run from being asked for to its end: the state machine, and what people do to it.
//!
//! ```text
//! queued → collecting → planning → ready | held → applying → propagating → done
//!                                                 (or failed, rejected, superseded, stale)
//! ```
//!
//! Each state's work is idempotent and resumable: killed anywhere and started again by any process, a run ends as if nothing had
//! happened. What is done is decided by the stored state alone.

use crate::actor::Actor;
use crate::engine::{Engine, Heartbeat, Job, lease_ms};
use crate::error::{Error, Result};
use crate::hash::PlanHash;
use crate::passes::nothing_to_match_by;
use crate::plan::Planned;
use crate::progress::Teller;
use crate::report::RunReport;
use crate::usecases::revert::is_revert;
use model::plan::Hold;
use model::run::{RunKind, RunState};
use model::{RunId, TenantKey};
use planner::guard;
use std::time::Duration;
use store::{Lease, PlanFilter, Run, RunChange, RunFilter, RunVerdict, StoreError, Tenant};

/// A request for a run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Full, or what changed since the last read.
    pub kind: RunKind,
    /// Plan and show; write nothing.
    pub preview: bool,
    /// Approve the tenant's first plan at once; never what the guard holds.
    pub approve_first: bool,
    /// Who asks.
    pub actor: Actor,
}

/// How often a hold on a tenant that somebody else has is tried again.
const LEASE_POLL: Duration = Duration::from_millis(100);

/// How often a tenant is tried for whoever sits before a page: two seconds of [`LEASE_POLL`].
const MOMENT: usize = 20;

/// How many earlier runs are looked through for the same plan: a plan that waits or was rejected is among the latest.
const LOOK_BACK: i64 = 50;

/// Rows of a plan read at a time.
const PLAN_PAGE: i64 = 1_000;

/// How long another process's work on a tenant is waited for, milliseconds: a first sync of a million users takes minutes.
const PATIENCE_MS: i64 = 10 * 60 * 1_000;

/// Open runs in the order they are worked on: what is being written is written to its end, then what people decided about somebody,
/// then the others by their age.
fn in_turn(mut open: Vec<Run>) -> Vec<Run> {
    open.sort_by_key(|run| match run.state {
        RunState::Applying | RunState::Propagating => 0,
        _ if run.kind == RunKind::Review => 1,
        _ => 2,
    });
    open
}

/// How a planned run goes on.
enum Next {
    Apply,
    /// Approved in advance by the one who asked (`--yes`): a first plan that the guard lets pass.
    ApplyFirst,
    Wait,
    /// An older run waits with the very same plan.
    SameAs(RunId),
    /// The same plan was rejected before.
    RejectedBefore(RunId),
}

impl Engine {
    /// Asks for a run; workers pick it up. A run that is queued already serves for this one too.
    ///
    /// # Errors
    /// The store's.
    pub async fn request_run(&self, tenant: TenantKey, request: &RunRequest) -> Result<RunId> {
        let queued = self.store().open_runs(tenant).await?.into_iter().find(|r| {
            r.state == RunState::Queued && r.preview == request.preview && (r.kind == request.kind || r.kind == RunKind::Full)
        });
        let run = match queued {
            Some(run) => run.id,
            None => {
                let by = request.actor.to_string();
                self.store().create_run(tenant, request.kind, request.preview, &by, self.now()).await?.id
            }
        };
        self.queued().notify_one();
        Ok(run)
    }

    /// One run, here and now: finishes what a killed process left behind first.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process keeps working on the tenant; otherwise a run that fails is reported as such, with its
    /// error, and is no error here.
    pub async fn run_now(&self, tenant: TenantKey, request: RunRequest, teller: Teller) -> Result<RunReport> {
        let lease = self.hold(tenant).await?;
        let result = self.run_held(&lease, tenant, &request, &teller).await;
        self.store().release_lease(&lease).await?;
        self.report(result?).await
    }

    async fn run_held(&self, lease: &Lease, tenant: TenantKey, request: &RunRequest, teller: &Teller) -> Result<RunId> {
        for left in in_turn(self.store().open_runs(tenant).await?) {
            let same = left.preview == request.preview && (left.kind == request.kind || request.kind != RunKind::Full);
            match left.state {
                RunState::Applying | RunState::Propagating => {
                    self.work(lease, &left, false, teller).await?;
                }
                // A revert that was asked for stands for itself: its plan is made, and waits. What a person decided goes ahead.
                RunState::Queued | RunState::Planning if is_revert(&left) || left.kind == RunKind::Review => {
                    self.work(lease, &left, false, teller).await?;
                }
                RunState::Queued | RunState::Collecting | RunState::Planning if same => {
                    return self.work(lease, &left, request.approve_first, teller).await;
                }
                // What it had read is in the mirror; its plan is made again by this one.
                RunState::Queued | RunState::Collecting | RunState::Planning => {
                    self.end(lease, &left, RunState::Superseded, "Another run of this tenant took its place.").await?;
                }
                _ => {}
            }
        }
        let by = request.actor.to_string();
        let run = self.store().create_run(tenant, request.kind, request.preview, &by, self.now()).await?;
        self.work(lease, &run, request.approve_first, teller).await
    }

    /// Works on a run that is queued, under way or approved, until it ends or waits for a person.
    ///
    /// # Errors
    /// As for [`Engine::run_now`].
    pub async fn drive(&self, run: RunId, teller: Teller) -> Result<RunReport> {
        let stored = self.store().run(run).await?;
        let lease = self.hold(stored.tenant).await?;
        self.drive_under(&lease, run, teller).await
    }

    /// The same when nobody else has the tenant, or gives it back within a moment.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody keeps it; the run stands in the queue then.
    pub(crate) async fn drive_if_free(&self, run: RunId) -> Result<()> {
        let tenant = self.store().run(run).await?.tenant;
        for _ in 0..MOMENT {
            let (now, ttl) = (self.now(), lease_ms(self.settings()));
            if let Some(lease) = self.store().acquire_lease(tenant, &self.settings().holder, now, ttl).await? {
                return self.drive_under(&lease, run, Teller::silent()).await.map(|_| ());
            }
            tokio::time::sleep(LEASE_POLL).await;
        }
        Err(Error::Busy)
    }

    async fn drive_under(&self, lease: &Lease, run: RunId, teller: Teller) -> Result<RunReport> {
        // A worker may have done it while this one waited.
        let stored = self.store().run(run).await?;
        let waits = stored.state.is_over() || matches!(stored.state, RunState::Held | RunState::Ready);
        let result = if waits { Ok(run) } else { self.work(lease, &stored, false, &teller).await };
        self.store().release_lease(lease).await?;
        self.report(result?).await
    }

    /// Takes the next piece of work of a tenant, if nobody else has the tenant. What a worker does in a loop.
    ///
    /// # Errors
    /// The store's.
    pub async fn work_on(&self, tenant: TenantKey) -> Result<Option<RunId>> {
        let now = self.now();
        let Some(lease) = self.store().acquire_lease(tenant, &self.settings().holder, now, lease_ms(self.settings())).await?
        else {
            return Ok(None);
        };
        let open = in_turn(self.store().open_runs(tenant).await?);
        let result = match open.into_iter().find(|r| !matches!(r.state, RunState::Held | RunState::Ready)) {
            Some(run) => self.work(&lease, &run, false, &Teller::silent()).await.map(Some),
            None => Ok(None),
        };
        self.store().release_lease(&lease).await?;
        result
    }

    /// Holds a tenant, waiting for another process's hold to end or to lapse.
    async fn hold(&self, tenant: TenantKey) -> Result<Lease> {
        let ttl = lease_ms(self.settings());
        // A killed worker's hold lapses by itself; a live one renews its own and is waited for.
        let patience = self.now() + PATIENCE_MS.max(ttl * 2);
        loop {
            let now = self.now();
            if let Some(lease) = self.store().acquire_lease(tenant, &self.settings().holder, now, ttl).await? {
                return Ok(lease);
            }
            if now > patience {
                return Err(Error::Busy);
            }
            tokio::time::sleep(LEASE_POLL).await;
        }
    }

    /// The state machine. Returns the run that now stands for what was asked: another one when the plan is the same as one that
    /// waits already.
    async fn work(&self, lease: &Lease, run: &Run, approve_first: bool, teller: &Teller) -> Result<RunId> {
        let _alive = Heartbeat::start(self, lease);
        let span = tracing::info_span!("run", id = %run.id, tenant = %run.tenant);
        let result = tracing::Instrument::instrument(self.work_inside(lease, run, approve_first, teller), span).await;
        match result {
            Ok(id) => Ok(id),
            // Somebody else has the tenant now, or the next worker will, and goes on with the run; it is not this one's to fail.
            Err(Error::Store(error @ (StoreError::LeaseLost { .. } | StoreError::Forgotten { .. }))) => Err(error.into()),
            Err(error) => {
                tracing::error!(run = %run.id, code = error.code(), "{error}");
                let stored = self.store().run(run.id).await?;
                if !stored.state.is_over() {
                    self.end(lease, &stored, RunState::Failed, &error.to_string()).await?;
                }
                Ok(run.id)
            }
        }
    }

    async fn work_inside(&self, lease: &Lease, run: &Run, approve_first: bool, teller: &Teller) -> Result<RunId> {
        let tenant = self.store().tenant(run.tenant).await?;
        let mut run = run.clone();
        if is_revert(&run) && matches!(run.state, RunState::Queued | RunState::Planning) {
            return self.plan_revert(lease, &run, teller).await;
        }
        if run.state == RunState::Queued {
            let review = run.kind == RunKind::Review;
            let to = if review { RunState::Planning } else { RunState::Collecting };
            self.advance(lease, &mut run, to, RunChange::default()).await?;
        }
        let (loaded, policy_version) = match run.state {
            RunState::Collecting | RunState::Planning => self.effective_policy(tenant.key).await?,
            // The plan is made; what decided it is stored with it.
            _ => {
                let mut job = self.job(tenant, lease, &run, None, teller).await?;
                return self.finish(&mut job, &mut run).await;
            }
        };
        let mut job = self.job(tenant, lease, &run, Some(&loaded.policy), teller).await?;
        if run.state == RunState::Collecting {
            let started_at = run.started_at.unwrap_or(run.created_at);
            job.collect(started_at).await?;
            job.refresh_licences(&loaded.policy).await?;
            job.refresh_assignments(&loaded.policy).await?;
            job.refresh_sign_ins(&loaded.policy).await?;
            let stats = Some(crate::report::source_stats(&job.source.stats()));
            self.advance(lease, &mut run, RunState::Planning, RunChange { stats, ..RunChange::default() }).await?;
        }
        let before_first = job.tenant.first_applied_run.is_none() && loaded.policy.guard.approve_first_run;
        if before_first && run.kind == RunKind::Review {
            // The client was changed since: everybody is looked at first (ruling 94).
            self.end(lease, &run, RunState::Superseded, "What was decided is part of the tenant's first plan.").await?;
            return Ok(run.id);
        }
        let mut planned = job.plan(&loaded).await?;
        let first = before_first && planned.changes > 0;
        if first && !approve_first && !run.preview {
            planned.holds.push(Hold::FirstRun);
        }
        if job.tenant.first_applied_run.is_none() && planned.changes > 0 {
            match nothing_to_match_by(self.store(), &job.tenant, &loaded.policy).await? {
                // Whoever looks at the plan reads it there; where nobody does, it was said before the sync was asked for.
                Some(warning) if run.preview || (first && !approve_first) => planned.holds.push(warning),
                Some(warning) => tracing::warn!("{warning}"),
                None => {}
            }
        }
        let next = self.next(&job, &run, &planned, first).await?;
        let change = RunChange {
            policy_version,
            policy_digest: Some(loaded.digest.clone()),
            plan_hash: Some(planned.hash.clone()),
            holds: Some(planned.holds.clone()),
            weights: Some(planned.weights.clone()),
            decided_by: matches!(next, Next::ApplyFirst).then(|| run.requested_by.clone()),
            ..RunChange::default()
        };
        match next {
            Next::Apply | Next::ApplyFirst => {
                self.supersede_waiting(lease, &run).await?;
                self.advance(lease, &mut run, RunState::Applying, change).await?;
                self.finish(&mut job, &mut run).await
            }
            Next::Wait => {
                self.supersede_waiting(lease, &run).await?;
                if !run.preview {
                    self.note_trips(lease, &run, &planned.holds).await?;
                    let has_safe_part = run.kind != RunKind::Review
                        && loaded.policy.guard.apply_safe_part
                        && planned.holds.iter().all(Hold::is_removals);
                    if has_safe_part {
                        return self.apply_safe_part(&mut job, &mut run, change).await;
                    }
                }
                let state = if run.preview { RunState::Ready } else { RunState::Held };
                self.advance(lease, &mut run, state, change).await?;
                Ok(run.id)
            }
            Next::SameAs(other) => {
                let note = format!("The plan is the same as run {other}'s, which still waits.");
                self.advance(lease, &mut run, RunState::Superseded, RunChange { error: Some(note), ..change }).await?;
                Ok(other)
            }
            Next::RejectedBefore(other) => {
                let note = format!(
                    "The plan is the same as run {other}'s, which was rejected. It is asked again when its inputs change."
                );
                self.advance(lease, &mut run, RunState::Rejected, RunChange { error: Some(note), ..change }).await?;
                Ok(run.id)
            }
        }
    }

    /// How the run goes on with the plan it has. `first`: it is one that waits for a person unless one approved it in advance.
    async fn next(&self, job: &Job, run: &Run, planned: &Planned, first: bool) -> Result<Next> {
        if run.preview {
            return Ok(Next::Wait);
        }
        if planned.holds.is_empty() {
            return Ok(if first { Next::ApplyFirst } else { Next::Apply });
        }
        let filter = RunFilter { tenant: Some(job.tenant.key), states: Vec::new(), before: Some(run.id), limit: LOOK_BACK };
        let earlier = self.store().runs(&filter).await?;
        let same = |r: &&Run| r.plan_hash.as_deref() == Some(planned.hash.as_str());
        if let Some(waiting) = earlier.iter().filter(|r| r.state == RunState::Held).find(same) {
            return Ok(Next::SameAs(waiting.id));
        }
        if run.kind == RunKind::Review {
            // Whoever decides once more what was rejected before means it.
            return Ok(Next::Wait);
        }
        let plans = earlier.iter().filter(|r| !is_revert(r) && r.kind != RunKind::Review);
        let last_decided = plans.into_iter().find(|r| matches!(r.state, RunState::Rejected | RunState::Done));
        match last_decided.filter(|r| r.state == RunState::Rejected).filter(same) {
            Some(rejected) => Ok(Next::RejectedBefore(rejected.id)),
            None => Ok(Next::Wait),
        }
    }

    /// Applies what is safe of a plan that is held for its removals; the rest waits as a plan with a hash of its own (ruling 86).
    async fn apply_safe_part(&self, job: &mut Job, run: &mut Run, change: RunChange) -> Result<RunId> {
        let digest = change.policy_digest.clone().unwrap_or_default();
        let (mut part, mut rows) = (guard::SafePart::default(), Vec::new());
        let mut after = 0;
        loop {
            let filter = PlanFilter { after, limit: PLAN_PAGE, ..PlanFilter::default() };
            let page = self.store().plan_rows(run.id, &filter).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in &page {
                part.add(&row.change);
                rows.push((row.id, PlanHash::digest(&row.change, &digest)));
            }
        }
        let (mut safe, mut rest, mut ids) = (PlanHash::new(), PlanHash::new(), Vec::new());
        for ((id, digest), is_safe) in rows.into_iter().zip(part.finish()) {
            if is_safe {
                ids.push(id);
                safe.add_digest(digest);
            } else {
                rest.add_digest(digest);
            }
        }
        let lease = job.lease.clone();
        if ids.is_empty() {
            self.advance(&lease, run, RunState::Held, change).await?;
            return Ok(run.id);
        }
        let held = RunChange { plan_hash: Some(rest.finish()), ..change };
        let id = self.store().split_plan(&lease, run.id, held, &ids, &safe.finish(), self.now()).await?;
        metrics::counter!("rollcall_runs_total", "state" => RunState::Held.as_str()).increment(1);
        tracing::info!(run = %run.id, safe = %id, changes = ids.len(), "the safe part is applied, the rest waits");
        let mut safe = self.store().run(id).await?;
        self.finish(job, &mut safe).await?;
        Ok(run.id)
    }

    /// Remembers that a plan was held, for the limits over the fleet (ruling 87).
    async fn note_trips(&self, lease: &Lease, run: &Run, holds: &[Hold]) -> Result<()> {
        let is_first = |hold: &Hold| matches!(hold, Hold::FirstRun | Hold::NothingToMatchBy { .. });
        if holds.iter().any(|hold| !hold.is_fleet() && !is_first(hold)) {
            self.store().note_trip(lease, run.id, false, self.now()).await?;
        }
        if holds.iter().any(|hold| matches!(hold, Hold::FleetRemovals { .. } | Hold::FleetTenants { .. })) {
            self.store().note_trip(lease, run.id, true, self.now()).await?;
        }
        Ok(())
    }

    /// Applies, passes on, and closes.
    async fn finish(&self, job: &mut Job, run: &mut Run) -> Result<RunId> {
        if run.state == RunState::Applying {
            job.apply(run).await?;
            self.advance(&job.lease.clone(), run, RunState::Propagating, RunChange::default()).await?;
        }
        if run.state == RunState::Propagating {
            // Nothing takes records further yet: the embedded records are the PSA.
            let tenant = self.store().tenant(job.tenant.key).await?;
            if tenant.first_applied_run == Some(run.id) && !tenant.enabled {
                // From the first approved plan on, changes reach the records by themselves (L05, ruling 94). Asked of the stored state
                // and before the run is done, so that a run that was killed on the way does it when it goes on.
                self.schedule_tenant(job.tenant.key, true, &Actor::schedule()).await?;
            }
            self.advance(&job.lease.clone(), run, RunState::Done, RunChange::default()).await?;
            let counts = self.store().run_counts(run.id).await?;
            metrics::counter!("rollcall_changes_applied_total").increment(counts.applied.unsigned_abs());
            tracing::info!(
                applied = counts.applied,
                unchanged = counts.unchanged,
                excluded = counts.excluded,
                in_review = counts.in_review,
                failed = counts.failed,
                "done"
            );
        }
        Ok(run.id)
    }

    pub(crate) async fn job(
        &self,
        tenant: Tenant,
        lease: &Lease,
        run: &Run,
        policy: Option<&model::policy::Policy>,
        teller: &Teller,
    ) -> Result<Job> {
        let connection = self.store().connection(tenant.connection).await?;
        let source = self.source(&connection).await?;
        let select = policy.map(crate::plan::select).transpose()?.unwrap_or_default();
        let planned_before = self.store().has_standing(tenant.key).await?;
        Ok(Job::new(self.clone(), tenant, lease.clone(), run, source, select, teller.clone(), planned_before))
    }

    pub(crate) async fn advance(&self, lease: &Lease, run: &mut Run, to: RunState, change: RunChange) -> Result<()> {
        let now = self.now();
        self.store().advance_run(lease, run.id, run.state, to, change, now).await?;
        tracing::debug!(run = %run.id, from = %run.state, to = %to, "run moved on");
        if to.is_over() || matches!(to, RunState::Held | RunState::Ready) {
            metrics::counter!("rollcall_runs_total", "state" => to.as_str()).increment(1);
        }
        run.state = to;
        run.started_at = run.started_at.or(Some(now));
        Ok(())
    }

    pub(crate) async fn end(&self, lease: &Lease, run: &Run, state: RunState, why: &str) -> Result<()> {
        metrics::counter!("rollcall_runs_total", "state" => state.as_str()).increment(1);
        let change = RunChange { error: Some(why.to_owned()), ..RunChange::default() };
        Ok(self.store().advance_run(lease, run.id, run.state, state, change, self.now()).await?)
    }

    /// Older plans of the tenant that nobody decided on are replaced by this one. A revert is not: it says what it takes back, whatever
    /// was read since, and is refused as stale where its records were changed.
    async fn supersede_waiting(&self, lease: &Lease, run: &Run) -> Result<()> {
        if run.kind == RunKind::Review {
            return Ok(()); // It is about its own users; the plans of the others wait on.
        }
        let note = format!("Run {} planned anew.", run.id);
        for older in self.store().open_runs(run.tenant).await? {
            if older.id < run.id && matches!(older.state, RunState::Held | RunState::Ready) && !is_revert(&older) {
                self.end(lease, &older, RunState::Superseded, &note).await?;
            }
        }
        Ok(())
    }

    /// Approves a plan that waits: exactly the one whose hash is named. It is refused as stale when its inputs changed.
    ///
    /// # Errors
    /// [`Error::NotWaiting`], [`Error::WrongHash`], [`Error::Stale`].
    pub async fn approve(&self, run: RunId, hash: &str, actor: &Actor) -> Result<()> {
        let stored = self.store().run(run).await?;
        if matches!(stored.state, RunState::Applying | RunState::Propagating) && stored.plan_hash.as_deref() == Some(hash) {
            // Approved already, and killed before the end: what was said holds, and saying it again goes on with it.
            self.queued().notify_one();
            return Ok(());
        }
        let stored = self.waiting(run, hash, "approved").await?;
        let lease = self.hold(stored.tenant).await?;
        let result = self.approve_held(&lease, run, hash, actor).await;
        self.store().release_lease(&lease).await?;
        result?;
        self.queued().notify_one();
        Ok(())
    }

    async fn approve_held(&self, lease: &Lease, run: RunId, hash: &str, actor: &Actor) -> Result<()> {
        // Looked at again under the hold: somebody may have decided while this one waited.
        let stored = self.waiting(run, hash, "approved").await?;
        let (loaded, _) = self.effective_policy(stored.tenant).await?;
        // A revert does not ask the policy.
        let same_policy = is_revert(&stored) || stored.policy_digest.as_deref() == Some(loaded.digest.as_str());
        if !same_policy || self.store().plan_is_stale(run).await? {
            self.end(lease, &stored, RunState::Stale, "Its inputs changed before it was approved.").await?;
            return Err(Error::Stale { run });
        }
        let by = actor.to_string();
        Ok(self.store().decide_run(run, stored.state, RunVerdict::Approve, hash, &by, self.now()).await?)
    }

    /// Rejects a plan that waits. The same plan is not asked again until its inputs change.
    ///
    /// # Errors
    /// [`Error::NotWaiting`], [`Error::WrongHash`].
    pub async fn reject(&self, run: RunId, hash: &str, reason: &str, actor: &Actor) -> Result<()> {
        let stored = self.waiting(run, hash, "rejected").await?;
        let lease = self.hold(stored.tenant).await?;
        let result = self.reject_held(&lease, run, hash, reason, actor).await;
        self.store().release_lease(&lease).await?;
        result
    }

    async fn reject_held(&self, lease: &Lease, run: RunId, hash: &str, reason: &str, actor: &Actor) -> Result<()> {
        let stored = self.waiting(run, hash, "rejected").await?;
        let grounds = crate::plan::grounds(self, stored.tenant, run).await?;
        let (verdict, by) = (RunVerdict::Reject { reason, grounds: &grounds }, actor.to_string());
        self.store().decide_run(run, stored.state, verdict, hash, &by, self.now()).await?;
        if is_revert(&stored) || stored.kind == RunKind::Review {
            return Ok(());
        }
        // Whoever rejects has seen what was lost; it is not held against the next plan again.
        crate::plan::keep_rule_groups(self, lease).await
    }

    async fn waiting(&self, run: RunId, hash: &str, verb: &'static str) -> Result<Run> {
        let stored = self.store().run(run).await?;
        if !matches!(stored.state, RunState::Held | RunState::Ready) {
            return Err(Error::NotWaiting { run, state: stored.state, verb });
        }
        if stored.plan_hash.as_deref() != Some(hash) {
            return Err(Error::WrongHash { run });
        }
        Ok(stored)
    }
}
