//! What the editors of a policy stand on: its settings as data, one part of it changed, who a rule selects, what mappings give for a
//! person, what limits would have stopped.

use crate::api::answers::{Bodied, Contested, Known, Named, Queried, time};
use crate::api::input::{Body, Id, Query, Text};
use crate::api::policies::pointed;
use crate::auth::{Admin, Caller, Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::{TenantKey, UserKey, Value};
use serde::Serialize;
use sync::{Draft, PolicyEdit, PolicyScope};
use utoipa::ToSchema;

/// A group of a directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// Its object id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Groups that a search found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Groups {
    /// By name; at most fifty.
    pub items: Vec<Group>,
}

/// Groups a search answers at most.
const GROUPS: i64 = 50;

/// Every setting of a policy, as data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Settings {
    /// The settings, under the names of a policy file.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// The version of the scope's own text; null where everything is inherited.
    pub version: Option<i64>,
}

/// A part of a policy to change. What is not given stays, with the comments of the text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct PolicyPatch {
    /// All rules, each as a policy file writes it.
    #[schema(nullable = false)]
    rules: Option<Vec<serde_json::Map<String, Value>>>,
    /// All mappings of groups to roles, likewise.
    #[schema(nullable = false)]
    role_mappings: Option<Vec<serde_json::Map<String, Value>>>,
    /// All mappings of groups to boards (CABs), likewise.
    #[schema(nullable = false)]
    cab_mappings: Option<Vec<serde_json::Map<String, Value>>>,
    /// The role of users without a manager: `agent` and `contact`, each a role or null.
    #[schema(value_type = Option<Object>, nullable = false)]
    role_without_manager: Option<Value>,
    /// Roles that make agents inactive.
    #[schema(nullable = false)]
    inactive_roles: Option<Vec<String>>,
    /// Mappings by kind and field; null takes one out.
    #[schema(value_type = Option<Object>, nullable = false)]
    fields: Option<Value>,
    /// Settings of the guard by name.
    #[schema(value_type = Option<Object>, nullable = false)]
    guard: Option<Value>,
    /// The version that was looked at: refused (409) when another was saved since. Not checked when absent.
    #[schema(minimum = 1, nullable = false)]
    version: Option<i64>,
    /// Nothing is saved; the answer says what would be.
    #[schema(nullable = false)]
    preview: Option<bool>,
}

/// A changed policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Patched {
    /// The text as it is, or would be, kept.
    pub text: String,
    /// The new version; null for a preview, or when nothing changed.
    pub version: Option<i64>,
    /// The settings that differ from before.
    pub changes: Vec<SettingChange>,
    /// Comments of the text that stood on changed lines and are gone.
    pub lost_comments: Vec<String>,
}

/// A setting that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingChange {
    /// Its path, dotted.
    pub path: String,
    /// Before.
    pub before: Value,
    /// After.
    pub after: Value,
}

/// A rule to count.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct RuleToCount {
    /// The rule, as a policy file writes it; one of the same id is replaced by it.
    rule: serde_json::Map<String, Value>,
}

/// Who a rule selects.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleCount {
    /// Users in scope who meet its conditions.
    pub matches: i64,
    /// Of those, users for whom no other rule goes before it.
    pub wins: i64,
    /// Users looked at: counting ends after a moment.
    pub looked_at: i64,
    /// Whether that was everybody; otherwise the counts are the least there are.
    pub complete: bool,
    /// Names of the first few who match.
    pub examples: Vec<String>,
    /// What the rule asks and was never read, as sentences: until it is, it counts as empty.
    pub notes: Vec<String>,
}

/// What the mappings give for one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappedValues {
    /// One for each mapping.
    pub items: Vec<MappedValue>,
}

/// What one mapping gives.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappedValue {
    /// `agent` or `contact`.
    pub kind: &'static str,
    /// The field.
    pub field: String,
    /// What Entra holds for it now.
    pub entra: Value,
    /// Why that cannot be written.
    pub unfit: Option<String>,
    /// Why nothing is known of it yet: the attribute was never read.
    pub unread: Option<String>,
    /// What the person's record holds.
    pub record: Value,
}

/// Limits to weigh the last month by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct GuardToWeigh {
    /// Settings of the guard that differ from what is kept.
    #[schema(value_type = Option<Object>, nullable = false)]
    guard: Option<Value>,
}

/// What limits would have stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct GuardReport {
    /// From when on.
    #[schema(format = DateTime)]
    pub since: String,
    /// Plans that were weighed.
    pub plans: i64,
    /// Whether that is all of them.
    pub complete: bool,
    /// Plans that were held then.
    pub held_then: i64,
    /// Tenants with limits of their own, by which their plans are weighed.
    pub own_limits: i64,
    /// Plans from before it was kept what all tenants weighed beside them: no limit over all tenants is told of these.
    pub without_fleet: i64,
    /// Plans that these limits hold, or that were held then, newest first.
    pub stopped: Vec<StoppedPlan>,
}

/// A plan that limits hold, or that was held then.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoppedPlan {
    /// The run.
    #[schema(minimum = 1)]
    pub run: i64,
    /// The tenant.
    #[schema(minimum = 1)]
    pub tenant: i64,
    /// When it was planned.
    #[schema(format = DateTime)]
    pub at: String,
    /// Its changes.
    pub changes: i64,
    /// Of those, removals.
    pub removals: i64,
    /// Whose limits it was weighed by: `default`, or `tenant` where the tenant has its own.
    pub limits: &'static str,
    /// Why these limits hold it; empty when they let it through.
    pub holds: Vec<String>,
    /// Why it was held then; empty when it was not.
    pub held_then: Vec<String>,
    /// What became of it.
    pub state: &'static str,
}

async fn own(state: &AppState, id: i64) -> Result<PolicyScope, ApiError> {
    Ok(PolicyScope::Tenant(state.store().tenant(TenantKey(id)).await?.key))
}

/// Groups of a tenant whose name or object id contains a text.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/groups", tag = "tenants", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The tenant's number", minimum = 1),
        ("q" = Option<String>, Query, description = "Part of a name or id; all groups when absent",
            min_length = 1, max_length = 200, pattern = "line"),
    ),
    responses((status = 200, body = Groups), Known, Named, Queried)
)]
pub async fn groups(_: Viewer, State(state): State<AppState>, Id(id): Id, mut query: Query) -> Result<Json<Groups>, ApiError> {
    let q = query.text("q", &Text::line(200)).unwrap_or_default();
    query.finish()?;
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    let found = state.store().search_groups(tenant, &q, GROUPS).await?;
    let items = found.into_iter().map(|g| Group { id: g.id.as_str().to_owned(), name: g.name }).collect();
    Ok(Json(Groups { items }))
}

async fn read(state: &AppState, scope: PolicyScope) -> Result<Json<Settings>, ApiError> {
    let version = state.store().policy(&scope.key()).await?.map(|p| p.version);
    Ok(Json(Settings { settings: state.engine().policy_settings(scope, None).await?, version }))
}

/// Every setting of a tenant's policy, as data.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/policy/settings", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    responses((status = 200, body = Settings), Known, Named, Contested)
)]
pub async fn tenant_settings(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Settings>, ApiError> {
    read(&state, own(&state, id).await?).await
}

/// Every setting of the default policy, as data.
#[utoipa::path(
    get, path = "/api/v1/policies/default/settings", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = Settings), Known, Contested)
)]
pub async fn default_settings(_: Viewer, State(state): State<AppState>) -> Result<Json<Settings>, ApiError> {
    read(&state, PolicyScope::Default).await
}

/// Changes a part of a tenant's own policy and keeps it as a new version. Faults point into the body.
#[utoipa::path(
    patch, path = "/api/v1/tenants/{id}/policy/settings", tag = "policies", security(("token" = ["admin"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = PolicyPatch,
    responses((status = 200, body = Patched), Known, Named, Bodied, Contested)
)]
pub async fn patch_tenant(
    admin: Admin,
    State(state): State<AppState>,
    Id(id): Id,
    body: Body,
) -> Result<Json<Patched>, ApiError> {
    let scope = own(&state, id).await?;
    patch(&state, &admin, scope, body).await
}

/// Changes a part of the default policy and keeps it as a new version. Faults point into the body.
#[utoipa::path(
    patch, path = "/api/v1/policies/default/settings", tag = "policies", security(("token" = ["admin"]), ("session" = [])),
    request_body = PolicyPatch,
    responses((status = 200, body = Patched), Known, Bodied, Contested)
)]
pub async fn patch_default(admin: Admin, State(state): State<AppState>, body: Body) -> Result<Json<Patched>, ApiError> {
    patch(&state, &admin, PolicyScope::Default, body).await
}

/// A member that must be a map.
fn object(body: &mut Body, name: &str) -> Option<Value> {
    let value = body.peek(name).cloned()?;
    body.drop_member(name);
    if !value.is_object() {
        body.fault(name, "This must be an object.");
    }
    Some(value)
}

/// A member that must be a list of such items.
fn list(body: &mut Body, name: &str, is: fn(&Value) -> bool, fault: &str) -> Option<Vec<Value>> {
    let value = body.peek(name).cloned()?;
    body.drop_member(name);
    match value {
        Value::Array(items) if items.iter().all(is) => Some(items),
        _ => {
            body.fault(name, fault);
            None
        }
    }
}

async fn patch(state: &AppState, caller: &Caller, scope: PolicyScope, mut body: Body) -> Result<Json<Patched>, ApiError> {
    let rules = list(&mut body, "rules", Value::is_object, "This must be a list of objects, one a rule.");
    let one_each = "This must be a list of objects, one a mapping.";
    let role_mappings = list(&mut body, "role_mappings", Value::is_object, one_each);
    let cab_mappings = list(&mut body, "cab_mappings", Value::is_object, one_each);
    let inactive_roles = list(&mut body, "inactive_roles", Value::is_string, "This must be a list of roles.");
    let role_without_manager = object(&mut body, "role_without_manager");
    let (fields, guard) = (object(&mut body, "fields"), object(&mut body, "guard"));
    let version = body.optional_integer("version", 1);
    let preview = body.switch("preview", false);
    body.finish()?;
    let stored = state.store().policy(&scope.key()).await?;
    let current = stored.as_ref().map(|p| p.version);
    if version.is_some() && version != current {
        let current = current.map_or_else(|| "there is none yet".to_owned(), |v| format!("the latest is {v}"));
        return Err(ApiError::Conflict {
            code: "policy_changed".into(),
            detail: format!("another version was saved since ({current}); read the settings again and change those"),
        });
    }
    let text = stored.map(|p| p.text).unwrap_or_default();
    let change = PolicyEdit { rules, role_mappings, cab_mappings, role_without_manager, inactive_roles, fields, guard };
    let draft = match state.engine().draft_policy(scope, Some(&text), &change).await {
        Ok(draft) => draft,
        Err(sync::Error::Policy(faults)) => return Err(pointed(&faults)),
        Err(other) => return Err(other.into()),
    };
    let Draft { text: new, lost, changes, .. } = draft;
    let saved = match preview || new == text {
        true => None,
        false => Some(state.engine().save_policy(scope, &new, &caller.actor).await?.version),
    };
    let change = |c: sync::PolicyChange| SettingChange { path: c.path, before: c.before, after: c.after };
    Ok(Json(Patched { text: new, version: saved, changes: changes.into_iter().map(change).collect(), lost_comments: lost }))
}

/// Counts whom a rule would select, for no longer than a moment. Nothing is kept.
#[utoipa::path(
    post, path = "/api/v1/tenants/{id}/policy/rules/count", tag = "policies", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = RuleToCount,
    responses((status = 200, body = RuleCount), Known, Named, Bodied, Contested)
)]
pub async fn count(_: Operator, State(state): State<AppState>, Id(id): Id, mut body: Body) -> Result<Json<RuleCount>, ApiError> {
    let rule = object(&mut body, "rule");
    if rule.is_none() {
        body.fault("rule", "This member is required.");
    }
    body.finish()?;
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    match state.engine().count_rule(tenant, None, &rule.unwrap_or_default()).await {
        Ok(c) => Ok(Json(RuleCount {
            matches: c.matches,
            wins: c.wins,
            looked_at: c.looked_at,
            complete: c.complete,
            examples: c.examples,
            notes: c.notes,
        })),
        Err(sync::Error::Policy(mut faults)) => {
            // The rule stands among the others, and alone in the body.
            for fault in &mut faults {
                let below = fault.pointer.strip_prefix("/rules/").map(|rest| rest.split_once('/').map_or("", |(_, below)| below));
                if let Some(below) = below {
                    fault.pointer = format!("/rule/{below}").trim_end_matches('/').to_owned();
                }
            }
            Err(pointed(&faults))
        }
        Err(other) => Err(other.into()),
    }
}

/// What a tenant's mappings give for one person, beside what their record holds.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/mapped", tag = "users", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The user's number", minimum = 1)),
    responses((status = 200, body = MappedValues), Known, Named, Contested)
)]
pub async fn mapped(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<MappedValues>, ApiError> {
    let user = state.store().user(UserKey(id)).await?;
    let values = state.engine().mapped_values(user.key, PolicyScope::Tenant(user.tenant), None).await?;
    let show = |v: sync::MappedValue| MappedValue {
        kind: v.kind.as_str(),
        field: v.field.to_string(),
        entra: v.entra,
        unfit: v.unfit,
        unread: v.unread,
        record: v.record,
    };
    Ok(Json(MappedValues { items: values.into_iter().map(show).collect() }))
}

/// What limits of a tenant would have stopped in the last month, those over all tenants among them. Nothing is kept.
#[utoipa::path(
    post, path = "/api/v1/tenants/{id}/policy/guard/weigh", tag = "policies", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = GuardToWeigh,
    responses((status = 200, body = GuardReport), Known, Named, Bodied, Contested)
)]
pub async fn weigh(
    _: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<GuardReport>, ApiError> {
    let guard = object(&mut body, "guard");
    body.finish()?;
    let scope = own(&state, id).await?;
    let change = PolicyEdit { guard, ..PolicyEdit::default() };
    let draft = match state.engine().draft_policy(scope, None, &change).await {
        Ok(draft) => draft,
        Err(sync::Error::Policy(faults)) => return Err(pointed(&faults)),
        Err(other) => return Err(other.into()),
    };
    let report = state.engine().guard_report(scope, Some(&draft.text)).await?;
    let show = |s: sync::StoppedPlan| StoppedPlan {
        run: s.run.0,
        tenant: s.tenant.0,
        at: time(s.at),
        changes: s.changes,
        removals: s.removals,
        limits: s.limits,
        holds: s.holds,
        held_then: s.held_then,
        state: s.state.as_str(),
    };
    Ok(Json(GuardReport {
        since: time(report.since),
        plans: report.plans,
        complete: report.complete,
        held_then: report.held_then,
        own_limits: report.own_limits,
        without_fleet: report.without_fleet,
        stopped: report.stopped.into_iter().map(show).collect(),
    }))
}
