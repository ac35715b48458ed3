//! Runs: one row each, with guarded state changes.

use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::{Store, Writing, values};
use model::attributes::Hash;
use model::plan::{Hold, Weights};
use model::run::{Counts, RunKind, RunState};
use model::{RunId, TenantKey, UserKey, Value};

/// A run as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The tenant.
    pub tenant: TenantKey,
    /// How much it reads.
    pub kind: RunKind,
    /// Where it stands.
    pub state: RunState,
    /// Whether it only plans.
    pub preview: bool,
    /// Who asked for it: a person, `schedule`, a token's name.
    pub requested_by: String,
    /// Asked for, milliseconds since 1970.
    pub created_at: i64,
    /// First worked on.
    pub started_at: Option<i64>,
    /// Over.
    pub ended_at: Option<i64>,
    /// The policy's version it decided by.
    pub policy_version: Option<i64>,
    /// The effective policy's digest.
    pub policy_digest: Option<String>,
    /// The touches its plan covers; see [`Store::begin_plan`].
    pub planned_seq: Option<i64>,
    /// The instant it planned for, milliseconds since 1970.
    pub planned_at: Option<i64>,
    /// The plan's hash.
    pub plan_hash: Option<String>,
    /// Why it is held.
    pub holds: Vec<Hold>,
    /// What the plan weighed.
    pub weights: Option<Weights>,
    /// Who approved or rejected it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// What reading and planning took: requests, pages, milliseconds by stage.
    pub stats: Option<Value>,
    /// What a progress bar shows.
    pub progress: Option<Value>,
    /// The run it takes back, for [`RunKind::Revert`].
    pub reverts: Option<RunId>,
}

/// What may change together with a run's state. What is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct RunChange {
    /// The policy's version.
    pub policy_version: Option<i64>,
    /// The policy's digest.
    pub policy_digest: Option<String>,
    /// The plan's hash.
    pub plan_hash: Option<String>,
    /// Why it is held.
    pub holds: Option<Vec<Hold>>,
    /// What the plan weighed.
    pub weights: Option<Weights>,
    /// Who approved or rejected it; the time is the change's.
    pub decided_by: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it took.
    pub stats: Option<Value>,
    /// What a progress bar shows.
    pub progress: Option<Value>,
}

/// What a person says to a plan that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunVerdict<'a> {
    /// It is applied as it was shown.
    Approve,
    /// It is not, and the same is not asked again.
    Reject {
        /// Why, for whoever looks at it later.
        reason: &'a str,
        /// What the planner says the removals of its users hang on (`Planner::grounds`).
        grounds: &'a [(UserKey, Hash)],
    },
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of one tenant.
    pub tenant: Option<TenantKey>,
    /// In these states; empty = any.
    pub states: Vec<RunState>,
    /// Only runs before this one: the cursor.
    pub before: Option<RunId>,
    /// How many at most.
    pub limit: i64,
}

pub(crate) const RUN: &str = "SELECT id, tenant_id, kind, state, preview, requested_by, created_at, started_at, ended_at, policy_version,
    policy_digest, planned_seq, planned_at, plan_hash, holds, weights, decided_by, decided_at, error, stats, progress, reverts FROM runs";

pub(crate) fn run(row: &Row) -> Result<Run> {
    let state = row.str(3)?;
    Ok(Run {
        id: row.get(0)?,
        tenant: row.get(1)?,
        kind: match row.str(2)? {
            "full" => RunKind::Full,
            "delta" => RunKind::Delta,
            "review" => RunKind::Review,
            "revert" => RunKind::Revert,
            _ => RunKind::Incomplete,
        },
        state: RunState::parse(state).ok_or_else(|| StoreError::Corrupt(format!("runs.state is {state}")))?,
        preview: row.get(4)?,
        requested_by: row.get(5)?,
        created_at: row.get(6)?,
        started_at: row.get(7)?,
        ended_at: row.get(8)?,
        policy_version: row.get(9)?,
        policy_digest: row.get(10)?,
        planned_seq: row.get(11)?,
        planned_at: row.get(12)?,
        plan_hash: row.get(13)?,
        holds: row.json_opt(14)?.unwrap_or_default(),
        weights: row.json_opt(15)?,
        decided_by: row.get(16)?,
        decided_at: row.get(17)?,
        error: row.get(18)?,
        stats: row.json_opt(19)?,
        progress: row.json_opt(20)?,
        reverts: row.get(21)?,
    })
}

impl Writing {
    /// Keeps what a progress bar shows; no state change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn progress(&mut self, id: RunId, progress: &Value) -> Result<()> {
        self.tx.execute("UPDATE runs SET progress = $2 WHERE id = $1", values![id, progress.to_string()]).await.map(|_| ())
    }
}

impl Store {
    /// Asks for a run.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_run(&self, tenant: TenantKey, kind: RunKind, preview: bool, requested_by: &str, now: i64) -> Result<Run> {
        let mut tx = self.db.begin().await?;
        let id = insert(&mut tx, tenant, kind, preview, requested_by, now).await?;
        tx.commit().await?;
        self.run(id).await
    }

    /// A run by its number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn run(&self, id: RunId) -> Result<Run> {
        let row = self.db.query_opt(&format!("{RUN} WHERE id = $1"), values![id]).await?;
        row.as_ref().map(run).unwrap_or_else(|| Err(StoreError::missing("run", id)))
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let states: Vec<String> = if filter.states.is_empty() { RunState::ALL.as_slice() } else { &filter.states }
            .iter()
            .map(|s| s.as_str().to_owned())
            .collect();
        let tenant = if filter.tenant.is_some() { "tenant_id = $4" } else { "$4 = 0" };
        let sql = format!("{RUN} WHERE {tenant} AND id < $1 AND state IN EACH_TEXT($2) ORDER BY id DESC LIMIT $3");
        let before = filter.before.map_or(i64::MAX, |r| r.0);
        let params = values![before, states, filter.limit, filter.tenant.map_or(0, |t| t.0)];
        self.db.query(&sql, params).await?.iter().map(run).collect()
    }

    /// The tenant's runs that are not over, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_runs(&self, tenant: TenantKey) -> Result<Vec<Run>> {
        let open: Vec<String> = RunState::ALL.iter().filter(|s| !s.is_over()).map(|s| s.as_str().to_owned()).collect();
        let sql = format!("{RUN} WHERE tenant_id = $1 AND state IN EACH_TEXT($2) ORDER BY id");
        self.db.query(&sql, values![tenant, open]).await?.iter().map(run).collect()
    }

    /// Tenants that have runs to work on (queued or under way, so that a killed one is resumed), the oldest run first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenants_with_work(&self, limit: i64) -> Result<Vec<TenantKey>> {
        let sql = "SELECT tenant_id, MIN(id) FROM runs
             WHERE state IN ('queued', 'collecting', 'planning', 'applying', 'propagating')
             GROUP BY tenant_id ORDER BY 2 LIMIT $1";
        self.db.query(sql, values![limit]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Moves a run on, by the worker that holds the tenant.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::Conflict`] when the run is not in `from`.
    pub async fn advance_run(
        &self,
        lease: &Lease,
        id: RunId,
        from: RunState,
        to: RunState,
        change: RunChange,
        now: i64,
    ) -> Result<()> {
        let rests = to.is_over() || matches!(to, RunState::Ready | RunState::Held);
        let mut tx = if rests { self.begin_fenced_for_good(lease).await? } else { self.begin_fenced(lease).await? };
        transition(&mut tx, id, from, to, change, now).await?;
        tx.commit().await
    }

    /// Moves a run on by a person's hand: approve (`held` or `ready` to `applying`), reject. The audit entry, and what a rejection has
    /// to remember, are of the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run is not in `from`, or its plan has another hash than the one the person saw.
    pub async fn decide_run(
        &self,
        id: RunId,
        from: RunState,
        verdict: RunVerdict<'_>,
        seen_hash: &str,
        by: &str,
        now: i64,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(row) = tx.query_opt("SELECT plan_hash FROM runs WHERE id = $1", values![id]).await? else {
            return Err(StoreError::missing("run", id));
        };
        if row.get::<Option<String>>(0)?.as_deref() != Some(seen_hash) {
            return Err(StoreError::Conflict(format!(
                "The plan of run {id} has another hash. Look at the plan again, then decide."
            )));
        }
        let change = RunChange { decided_by: Some(by.to_owned()), ..RunChange::default() };
        let (action, to, detail) = match verdict {
            RunVerdict::Approve => ("run.approve", RunState::Applying, serde_json::json!({ "hash": seen_hash })),
            RunVerdict::Reject { reason, .. } => {
                ("run.reject", RunState::Rejected, serde_json::json!({ "hash": seen_hash, "reason": reason }))
            }
        };
        transition(&mut tx, id, from, to, change, now).await?;
        if let RunVerdict::Reject { grounds, .. } = verdict {
            crate::plan::remember_rejection(&mut tx, id, grounds, now).await?;
        }
        crate::audit::append(&mut tx, by, action, &id.to_string(), &detail, now).await?;
        tx.commit().await
    }

    /// The counts of a run: what its plan holds, and what was written so far.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn run_counts(&self, id: RunId) -> Result<Counts> {
        let sql = "SELECT users, unchanged, excluded, in_review, failed_users,
                (SELECT COUNT(*) FROM outcomes WHERE change_id > $2 AND change_id <= $3 AND failed = 0),
                (SELECT COUNT(*) FROM outcomes WHERE change_id > $2 AND change_id <= $3 AND failed = 1)
             FROM runs WHERE id = $1";
        let (from, to) = crate::plan::stretch(id);
        let row = self.db.query_opt(sql, values![id, from, to]).await?.ok_or_else(|| StoreError::missing("run", id))?;
        let mut counts = Counts {
            users: row.get(0)?,
            unchanged: row.get(1)?,
            excluded: row.get(2)?,
            in_review: row.get(3)?,
            applied: row.get(5)?,
            failed: row.get::<i64>(4)? + row.get::<i64>(6)?,
            ..Counts::default()
        };
        let sql = "SELECT verb, COUNT(*) FROM changes WHERE id > $1 AND id <= $2 GROUP BY verb";
        for row in self.db.query(sql, values![from, to]).await? {
            let n: i64 = row.get(1)?;
            match row.str(0)? {
                "create" => counts.create = n,
                "link" => counts.link = n,
                "update" => counts.update = n,
                "deactivate" => counts.deactivate = n,
                "reactivate" => counts.reactivate = n,
                "revoke_access" => counts.revoke_access = n,
                "grant_access" => counts.grant_access = n,
                "archive" => counts.archive = n,
                _ => counts.restore = n,
            }
        }
        Ok(counts)
    }
}

/// Queues a run.
pub(crate) async fn insert(tx: &mut Tx, tenant: TenantKey, kind: RunKind, preview: bool, by: &str, now: i64) -> Result<RunId> {
    let sql = "INSERT INTO runs (tenant_id, kind, state, preview, requested_by, created_at)
         VALUES ($1, $2, 'queued', $3, $4, $5) RETURNING id";
    let row = tx.query_opt(sql, values![tenant, kind.as_str(), preview, by, now]).await?;
    row.ok_or_else(|| StoreError::Corrupt("an insert into runs gave no id".into()))?.get(0)
}

/// Changes a run's state, if it is in `from`.
pub(crate) async fn transition(tx: &mut Tx, id: RunId, from: RunState, to: RunState, change: RunChange, now: i64) -> Result<()> {
    let json = |v: Option<serde_json::Result<String>>| v.transpose().map_err(|e| StoreError::Invalid(e.to_string()));
    let holds = json(change.holds.as_ref().map(serde_json::to_string))?;
    let weights = json(change.weights.as_ref().map(serde_json::to_string))?;
    let (stats, progress) = (change.stats.map(|v| v.to_string()), change.progress.map(|v| v.to_string()));
    let ended = to.is_over() || to == RunState::Ready;
    let decided_at = change.decided_by.as_ref().map(|_| now);
    let sql = "UPDATE runs SET state = $3,
            started_at = COALESCE(started_at, CAST($4 AS BIGINT)), ended_at = CAST($5 AS BIGINT),
            policy_version = COALESCE(CAST($6 AS BIGINT), policy_version), policy_digest = COALESCE(CAST($7 AS TEXT), policy_digest),
            plan_hash = COALESCE(CAST($8 AS TEXT), plan_hash), holds = COALESCE(CAST($9 AS TEXT), holds),
            weights = COALESCE(CAST($10 AS TEXT), weights), decided_by = COALESCE(CAST($11 AS TEXT), decided_by),
            decided_at = COALESCE(CAST($12 AS BIGINT), decided_at), error = COALESCE(CAST($13 AS TEXT), error),
            stats = COALESCE(CAST($14 AS TEXT), stats), progress = COALESCE(CAST($15 AS TEXT), progress)
        WHERE id = $1 AND state = $2";
    let params = values![
        id,
        from.as_str(),
        to.as_str(),
        now,
        ended.then_some(now),
        change.policy_version,
        change.policy_digest,
        change.plan_hash,
        holds,
        weights,
        change.decided_by,
        decided_at,
        change.error,
        stats,
        progress,
    ];
    if tx.execute(sql, params).await? == 1 {
        return Ok(());
    }
    match tx.query_opt("SELECT state FROM runs WHERE id = $1", values![id]).await? {
        Some(row) => Err(StoreError::Conflict(format!("Run {id} is {} now, not {from}. Look at it again.", row.str(0)?))),
        None => Err(StoreError::missing("run", id)),
    }
}
