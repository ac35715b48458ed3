//! `/runs`: asking for a run, looking at it and its plan, approving and rejecting.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, Sentence, time};
use crate::api::input::{Body, Form, Id, Query, Text};
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use model::plan::{Report, Verb};
use model::run::{Counts, RunKind, RunState};
use model::{RunId, TenantKey, Value};
use serde::Serialize;
use serde_json::Map;
use store::{ChangeState, PlanFilter, PlanRow, RunFilter};
use sync::{RunReport, RunRequest};
use utoipa::ToSchema;

/// A run: one read of a directory, the plan made from it, and what was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The tenant's number.
    #[schema(minimum = 1)]
    pub tenant: i64,
    /// The tenant's name.
    pub tenant_name: String,
    /// `full`, `delta`, `incomplete`, or `revert` for a run that takes an earlier one back.
    #[schema(value_type = ReadKind)]
    pub kind: &'static str,
    /// Where it stands.
    #[schema(value_type = State_)]
    pub state: &'static str,
    /// Whether it is over: nothing more will happen to it.
    pub over: bool,
    /// Whether only a preview was asked for.
    pub preview: bool,
    /// Who asked.
    pub requested_by: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it ended or came to wait.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// The plan's hash, by which it is approved or rejected.
    pub hash: Option<String>,
    /// Why it waits for approval.
    pub holds: Vec<Sentence>,
    /// Names of people whom the plan takes out of use and who stand for more than themselves; the first hundred.
    pub stands_for: Vec<String>,
    /// Who approved or rejected it.
    pub decided_by: Option<String>,
    /// Where everyone ended.
    pub counts: RunCounts,
    /// Why it failed, or what it yielded to.
    pub error: Option<String>,
    /// How far it is, while it is under way.
    pub progress: Option<Progress>,
    /// The run it takes back.
    pub reverts: Option<i64>,
    /// The run that took it back.
    pub reverted_by: Option<i64>,
}

/// How much a run reads.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word of the answer")]
pub enum ReadKind {
    /// Everything.
    Full,
    /// What changed since the last read.
    Delta,
    /// A read that did not complete.
    Incomplete,
    /// Nothing: it takes an earlier run back.
    Revert,
}

/// Where a run stands.
#[derive(ToSchema)]
#[schema(as = RunState, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word of the answer")]
pub enum State_ {
    /// Waits for a worker.
    Queued,
    /// Reads the directory.
    Collecting,
    /// Decides.
    Planning,
    /// A preview that nobody asked to apply.
    Ready,
    /// Waits for approval.
    Held,
    /// Writes.
    Applying,
    /// Passes records on.
    Propagating,
    /// Ended: applied.
    Done,
    /// Ended: failed.
    Failed,
    /// Ended: rejected.
    Rejected,
    /// Ended: a newer plan replaced it.
    Superseded,
    /// Ended: its inputs changed before it was approved.
    Stale,
}

/// How far a run is in its present state.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    /// Users read, decided, or changes written.
    #[schema(minimum = 0)]
    pub done: i64,
    /// Out of how many, when that is known.
    #[schema(minimum = 0)]
    pub of: Option<i64>,
}

/// Where everyone ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunCounts {
    /// Users the plan looked at.
    #[schema(minimum = 0)]
    users: i64,
    /// Records to create.
    #[schema(minimum = 0)]
    create: i64,
    /// Records to link.
    #[schema(minimum = 0)]
    link: i64,
    /// Records to update.
    #[schema(minimum = 0)]
    update: i64,
    /// Records to deactivate.
    #[schema(minimum = 0)]
    deactivate: i64,
    /// Records to reactivate.
    #[schema(minimum = 0)]
    reactivate: i64,
    /// Records whose access goes.
    #[schema(minimum = 0)]
    revoke_access: i64,
    /// Records whose access comes back.
    #[schema(minimum = 0)]
    grant_access: i64,
    /// Records to archive.
    #[schema(minimum = 0)]
    archive: i64,
    /// Records to restore.
    #[schema(minimum = 0)]
    restore: i64,
    /// Users with nothing to change.
    #[schema(minimum = 0)]
    unchanged: i64,
    /// Users out of scope or selected by no rule.
    #[schema(minimum = 0)]
    excluded: i64,
    /// Users who wait for a person.
    #[schema(minimum = 0)]
    in_review: i64,
    /// Users who failed.
    #[schema(minimum = 0)]
    failed: i64,
    /// Changes written so far.
    #[schema(minimum = 0)]
    applied: i64,
}

impl From<Counts> for RunCounts {
    fn from(c: Counts) -> Self {
        let Counts { users, create, link, update, deactivate, reactivate, revoke_access, grant_access, archive, restore, .. } = c;
        let Counts { unchanged, excluded, in_review, failed, applied, .. } = c;
        Self {
            users,
            create,
            link,
            update,
            deactivate,
            reactivate,
            revoke_access,
            grant_access,
            archive,
            restore,
            unchanged,
            excluded,
            in_review,
            failed,
            applied,
        }
    }
}

impl From<RunReport> for Run {
    fn from(run: RunReport) -> Self {
        let progress = run.progress.as_ref().filter(|_| !run.state.is_over());
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_i64);
        Self {
            id: run.id.0,
            tenant: run.tenant.0,
            tenant_name: run.tenant_name,
            kind: run.kind.as_str(),
            state: run.state.as_str(),
            over: run.state.is_over(),
            preview: run.preview,
            requested_by: run.requested_by,
            started_at: time(run.started_at),
            ended_at: run.ended_at.map(time),
            hash: run.hash,
            holds: run.holds.iter().map(Sentence::from).collect(),
            stands_for: run.weights.map(|w| w.stands_for).unwrap_or_default(),
            decided_by: run.decided_by,
            counts: run.counts.into(),
            error: run.error,
            progress: progress.map(|p| Progress { done: number(p, "done").unwrap_or(0), of: number(p, "of") }),
            reverts: run.reverts.map(|r| r.0),
            reverted_by: run.reverted_by.map(|r| r.0),
        }
    }
}

/// A change of a plan, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Its place in the plan: later ones are larger.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The run.
    #[schema(minimum = 1)]
    pub run: i64,
    /// What is done: create, link, update, deactivate, reactivate, revoke_access, grant_access, archive or restore.
    #[serde(rename = "do")]
    pub verb: &'static str,
    /// `agent` or `contact`.
    pub kind: &'static str,
    /// The user's number.
    pub user: i64,
    /// The user's object id; empty when the tenant was removed.
    pub user_id: String,
    /// The user's name as the directory last told it.
    pub user_name: String,
    /// The record's number; null for a create that was not applied.
    pub record: Option<i64>,
    /// The winning rule.
    pub rule: Option<String>,
    /// The values replaced, by field.
    pub before: Map<String, Value>,
    /// The new values, by field; null clears.
    pub set: Map<String, Value>,
    /// Why, in the order of the way.
    pub reasons: Vec<Sentence>,
    /// `pending`, `applied`, `failed`, or `held_back` for a person to decide.
    pub status: &'static str,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was applied or failed.
    #[schema(format = DateTime)]
    pub at: Option<String>,
}

impl From<PlanRow> for Change {
    fn from(row: PlanRow) -> Self {
        let map = |fields: model::Fields| fields.into_iter().map(|(f, v)| (f.as_str().to_owned(), v)).collect();
        let (status, error) = match row.state {
            ChangeState::Pending => ("pending", None),
            ChangeState::Applied => ("applied", None),
            ChangeState::Failed(error) => ("failed", Some(error)),
            ChangeState::HeldBack(error) => ("held_back", Some(error)),
        };
        Self {
            id: row.id,
            run: row.run.0,
            verb: row.change.verb.as_str(),
            kind: row.change.kind.as_str(),
            user: row.change.user.0,
            user_id: row.change.source_id.as_str().to_owned(),
            user_name: row.user_name,
            record: row.record.map(|r| r.0),
            rule: row.change.rule.map(|r| r.to_string()),
            reasons: row.change.reasons.iter().map(Sentence::from).collect(),
            before: map(row.change.before),
            set: map(row.change.set),
            status,
            error,
            at: row.at.map(time),
        }
    }
}

/// Something a run could not do.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotDone {
    /// The user's number.
    pub user: i64,
    /// The user's object id.
    pub user_id: String,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// Why, in a stable word.
    pub why: &'static str,
    /// Why, for a person.
    pub detail: String,
}

impl From<Report> for NotDone {
    fn from(report: Report) -> Self {
        Self {
            user: report.user.0,
            user_id: report.source_id.as_str().to_owned(),
            field: report.field.map(|f| f.as_str().to_owned()),
            why: report.why.as_str(),
            detail: report.detail,
        }
    }
}

/// What to run.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct RunNew {
    /// `delta` (what changed since the last read; the default) or `full` (everything, and drift).
    #[schema(nullable = false, default = "delta")]
    kind: Option<RunNewKind>,
    /// Plan and show; write nothing. False unless told.
    #[schema(nullable = false, default = false)]
    preview: Option<bool>,
}

/// How much to read.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word of the body")]
pub enum RunNewKind {
    /// What changed since the last read.
    Delta,
    /// Everything.
    Full,
}

/// A plan to approve.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct Approval {
    /// The hash of the plan that was looked at.
    #[schema(min_length = 1, max_length = 128, pattern = "hex")]
    hash: String,
}

/// A plan to reject.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct Rejection {
    /// The hash of the plan that was looked at.
    #[schema(min_length = 1, max_length = 128, pattern = "hex")]
    hash: String,
    /// Why, for whoever looks at it later.
    #[schema(min_length = 1, max_length = 1000, pattern = "line")]
    reason: String,
}

const HASH: Text = Text { max: 128, form: Form::Hex };
const REASON: Text = Text::line(1000);

/// Every state with its word, for filters.
pub fn state_words() -> Vec<(&'static str, RunState)> {
    RunState::ALL.into_iter().map(|s| (s.as_str(), s)).collect()
}

/// Runs, newest first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", security(("token" = ["read"]), ("session" = [])),
    params(
        ("tenant" = Option<i64>, Query, description = "Of this tenant", minimum = 1),
        ("state" = Option<State_>, Query, description = "In this state"),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Run>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Run>>, ApiError> {
    let tenant = query.integer("tenant", 1, i64::MAX).map(TenantKey);
    let states = query.choice("state", &state_words()).into_iter().collect();
    let before = query.integer("cursor", 1, i64::MAX).map(RunId);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let rows = state.store().runs(&RunFilter { tenant, states, before, limit: limit + 1 }).await?;
    let ids: Vec<RunId> = rows.iter().map(|r| r.id).collect();
    let page = List::of(ids, limit, ToString::to_string, |id| id);
    let mut items = Vec::with_capacity(page.items.len());
    for id in page.items {
        items.push(Run::from(state.engine().run(id).await?));
    }
    Ok(Json(List { items, next: page.next }))
}

/// Asks for a run. It is queued, and workers pick it up; a run of the same kind that is queued already serves for this request too.
#[utoipa::path(
    post, path = "/api/v1/tenants/{id}/runs", tag = "runs", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = RunNew,
    responses(
        (status = 202, body = Run, headers(("location" = String, description = "The run"))),
        Known, Named, Bodied
    )
)]
pub async fn start(
    operator: Operator,
    State(state): State<AppState>,
    Id(tenant): Id,
    mut body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let kind = body.choice("kind", &[("delta", RunKind::Delta), ("full", RunKind::Full)], RunKind::Delta);
    let preview = body.switch("preview", false);
    body.finish()?;
    let tenant = state.store().tenant(TenantKey(tenant)).await?.key;
    let request = RunRequest { kind, preview, approve_first: false, actor: operator.actor.clone() };
    let id = state.engine().request_run(tenant, &request).await?;
    let run = Run::from(state.engine().run(id).await?);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/api/v1/runs/{id}"))], Json(run)))
}

/// A run.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}", tag = "runs", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    responses((status = 200, body = Run), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.engine().run(RunId(id)).await?.into()))
}

/// The changes of a run's plan, in its order; with what became of each.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/changes", tag = "runs", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The run's number", minimum = 1),
        ("do" = Option<ChangeVerb>, Query, description = "That do this"),
        ("q" = Option<String>, Query, description = "Of users whose name, principal name or object id contains this",
            min_length = 1, max_length = 200, pattern = "line"),
        ("status" = Option<ChangeStatus>, Query, description = "Only those that failed"),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Change>), Known, Named, Queried)
)]
pub async fn changes(
    _: Viewer,
    State(state): State<AppState>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<List<Change>>, ApiError> {
    let verbs: Vec<_> = Verb::ALL.iter().map(|v| (v.as_str(), *v)).collect();
    let verb = query.choice("do", &verbs);
    let user_text = query.text("q", &Text::line(200));
    let failed = query.choice("status", &[("failed", true)]).unwrap_or(false);
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let run = state.store().run(RunId(id)).await?.id;
    let rows = state.store().plan_rows(run, &PlanFilter { verb, user_text, failed, after, limit: limit + 1 }).await?;
    Ok(Json(List::of(rows, limit, |r: &PlanRow| r.id.to_string(), Change::from)))
}

/// What a change does.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum ChangeVerb {
    /// A new record.
    Create,
    /// An existing record is tied to the user.
    Link,
    /// Fields of a linked record.
    Update,
    /// Out of use.
    Deactivate,
    /// In use again.
    Reactivate,
    /// Role and log-in taken away.
    RevokeAccess,
    /// Access again.
    GrantAccess,
    /// Put aside by a kind change.
    Archive,
    /// Back from the archive.
    Restore,
}

/// What became of a change.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum ChangeStatus {
    /// Refused when it was written.
    Failed,
}

/// What a run could not do, user by user and field by field.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/reports", tag = "runs", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The run's number", minimum = 1),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<NotDone>), Known, Named, Queried)
)]
pub async fn reports(
    _: Viewer,
    State(state): State<AppState>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<List<NotDone>>, ApiError> {
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let run = state.store().run(RunId(id)).await?.id;
    let rows = state.store().reports(run, after, limit + 1).await?;
    Ok(Json(List::of(rows, limit, |(at, _): &(i64, Report)| at.to_string(), |(_, report)| report.into())))
}

/// Approves exactly the plan whose hash is named; it is refused when its inputs changed since.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/approve", tag = "runs", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    request_body = Approval,
    responses((status = 202, body = Run), Known, Named, Bodied, Contested)
)]
pub async fn approve(
    operator: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let hash = body.text("hash", &HASH);
    body.finish()?;
    state.engine().approve(RunId(id), &hash, &operator.actor).await?;
    Ok((StatusCode::ACCEPTED, Json(Run::from(state.engine().run(RunId(id)).await?))))
}

/// Rejects the plan whose hash is named. The same plan is not asked again until its inputs change.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/reject", tag = "runs", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    request_body = Rejection,
    responses((status = 200, body = Run), Known, Named, Bodied, Contested)
)]
pub async fn reject(
    operator: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<Run>, ApiError> {
    let hash = body.text("hash", &HASH);
    let reason = body.text("reason", &REASON);
    body.finish()?;
    state.engine().reject(RunId(id), &hash, &reason, &operator.actor).await?;
    Ok(Json(state.engine().run(RunId(id)).await?.into()))
}

/// Plans what takes an applied run back. Nothing is written: the plan waits, as a run of its own, until it is approved by its hash.
/// Records that somebody changed since are left as they are and named among that run's reports.
#[utoipa::path(
    post, path = "/api/v1/runs/{id}/revert", tag = "runs", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The number of the run to take back", minimum = 1)),
    responses(
        (status = 202, body = Run, headers(("location" = String, description = "The run that takes it back"))),
        Known, Named, Contested
    )
)]
pub async fn revert(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<impl IntoResponse, ApiError> {
    let asked = state.engine().request_revert(RunId(id), &operator.actor).await?;
    let run = Run::from(state.engine().run(asked).await?);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/api/v1/runs/{asked}"))], Json(run)))
}
