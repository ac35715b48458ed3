//! A run as it is shown: what the command line, the pages and the API say of it.

use crate::engine::Engine;
use crate::error::Result;
use model::plan::{Change, Verb};
use model::plan::{Hold, Report, Weights};
use model::run::{Counts, RunKind, RunState};
use model::{PersonId, RunId, TenantKey, Value};
use serde::Serialize;
use store::{ChangeState, PlanFilter, PlanRow, Run, RunFilter};

/// A run with its counts.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Its number.
    pub id: RunId,
    /// The tenant.
    pub tenant: TenantKey,
    /// The tenant's name.
    pub tenant_name: String,
    /// What kind of read it follows.
    pub kind: RunKind,
    /// Where it is.
    pub state: RunState,
    /// Whether only a preview was asked for.
    pub preview: bool,
    /// Who asked.
    pub requested_by: String,
    /// When, milliseconds since 1970.
    pub started_at: i64,
    /// When it ended or came to wait.
    pub ended_at: Option<i64>,
    /// The plan's hash: what a person approves by.
    pub hash: Option<String>,
    /// Why it is held.
    pub holds: Vec<Hold>,
    /// What the guard weighed.
    pub weights: Option<Weights>,
    /// Who approved or rejected.
    pub decided_by: Option<String>,
    /// Where everyone ended.
    pub counts: Counts,
    /// Open review items of the tenant.
    pub review_open: i64,
    /// Why it failed, or what it yielded to.
    pub error: Option<String>,
    /// What was asked of the source.
    pub stats: Option<Value>,
    /// How far it is, while it is under way.
    pub progress: Option<Value>,
    /// The run it takes back.
    pub reverts: Option<RunId>,
    /// The last run that took it back, once that was applied.
    pub reverted_by: Option<RunId>,
}

/// A change of a plan as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeView {
    /// Its place in the plan: the cursor for the next page.
    pub seq: i64,
    /// The run.
    pub run: RunId,
    /// The user's name as the directory last told it.
    pub name: Option<String>,
    /// What is, was or would be done.
    #[serde(flatten)]
    pub change: Change,
    /// The reasons as sentences.
    pub why: Vec<String>,
    /// `pending`, `applied`, `failed` or `held_back`.
    pub state: &'static str,
    /// Why it was not written.
    pub error: Option<String>,
    /// The record: the change's own, or the one a create made.
    pub person: Option<PersonId>,
    /// When it was applied or failed, milliseconds since 1970.
    pub at: Option<i64>,
}

impl ChangeView {
    /// A stored change as it is shown.
    #[must_use]
    pub fn of(row: PlanRow) -> Self {
        let (state, error) = match row.state {
            ChangeState::Pending => ("pending", None),
            ChangeState::Applied => ("applied", None),
            ChangeState::Failed(why) => ("failed", Some(why)),
            ChangeState::HeldBack(why) => ("held_back", Some(why)),
        };
        Self {
            seq: row.id & 0xffff_ffff,
            run: row.run,
            name: Some(row.user_name).filter(|n| !n.is_empty()),
            why: row.change.reasons.iter().map(ToString::to_string).collect(),
            change: row.change,
            state,
            error,
            person: row.record,
            at: row.at,
        }
    }
}

/// Which changes of a plan to read.
#[derive(Debug, Clone, Default)]
pub struct Paged {
    /// Only those with this verb.
    pub verb: Option<Verb>,
    /// Only those of users whose name or id contains this.
    pub text: Option<String>,
    /// Only those that failed.
    pub failed: bool,
    /// Only those after this place.
    pub after: i64,
    /// How many at most.
    pub limit: u32,
}

impl Paged {
    /// The first so many.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// How many plans to take a run back are looked through for one that was applied: people plan a few, and apply one.
const REVERTS: i64 = 20;

impl Engine {
    /// Changes of a run's plan, in the plan's order.
    ///
    /// # Errors
    /// The store's.
    pub async fn run_changes(&self, run: RunId, paged: &Paged) -> Result<Vec<ChangeView>> {
        let filter = PlanFilter {
            verb: paged.verb,
            user_text: paged.text.clone(),
            failed: paged.failed,
            after: store::place(run, paged.after),
            limit: i64::from(paged.limit),
        };
        Ok(self.store().plan_rows(run, &filter).await?.into_iter().map(ChangeView::of).collect())
    }

    /// What a run could not do, or left, field by field: the first so many.
    ///
    /// # Errors
    /// The store's.
    pub async fn run_reports(&self, run: RunId, limit: u32) -> Result<Vec<Report>> {
        Ok(self.store().reports(run, 0, i64::from(limit)).await?.into_iter().map(|(_, report)| report).collect())
    }

    /// A run with its counts.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn run(&self, id: RunId) -> Result<RunReport> {
        self.report(id).await
    }

    /// The latest runs, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn runs(&self, tenant: Option<TenantKey>, limit: u32) -> Result<Vec<RunReport>> {
        let filter = RunFilter { tenant, states: Vec::new(), before: None, limit: i64::from(limit) };
        let mut reports = Vec::new();
        for run in self.store().runs(&filter).await? {
            reports.push(self.reported(run).await?);
        }
        Ok(reports)
    }

    pub(crate) async fn report(&self, id: RunId) -> Result<RunReport> {
        let run = self.store().run(id).await?;
        self.reported(run).await
    }

    async fn reported(&self, run: Run) -> Result<RunReport> {
        let counts = self.store().run_counts(run.id).await?;
        let review_open = self.store().open_reviews(Some(run.tenant)).await?;
        let reverted_by = self.store().reverts_of(run.id, REVERTS).await?.into_iter().find(|r| r.state == RunState::Done);
        // A tenant may be gone while its runs stay as history.
        let tenant_name = self.store().tenant(run.tenant).await.map_or_else(|_| format!("tenant {}", run.tenant), |t| t.name);
        Ok(RunReport {
            id: run.id,
            tenant: run.tenant,
            tenant_name,
            kind: run.kind,
            state: run.state,
            preview: run.preview,
            requested_by: run.requested_by,
            started_at: run.started_at.unwrap_or(run.created_at),
            ended_at: run.ended_at,
            hash: run.plan_hash,
            holds: run.holds,
            weights: run.weights,
            decided_by: run.decided_by,
            counts,
            review_open,
            error: run.error,
            stats: run.stats,
            progress: run.progress,
            reverts: run.reverts,
            reverted_by: reverted_by.map(|r| r.id),
        })
    }
}

/// What was asked of a source, as it is kept with a run.
pub(crate) fn source_stats(stats: &sources::Stats) -> Value {
    serde_json::json!({
        "requests": stats.requests,
        "resource_units": stats.resource_units,
        "bytes": stats.bytes,
        "retries": stats.retries,
        "throttled": stats.throttled,
        "waited_ms": stats.waited.as_millis() as u64,
    })
}
