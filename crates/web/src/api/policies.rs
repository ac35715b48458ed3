//! `/policies`: the text each tenant decides by, its versions, and a check that keeps nothing.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, time};
use crate::api::input::{BODY_LIMIT, Body, Id, Query, Text};
use crate::auth::{Admin, Caller, Viewer};
use crate::problem::{ApiError, Fault};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::TenantKey;
use serde::Serialize;
use store::PolicyVersion;
use sync::PolicyScope;
use utoipa::ToSchema;

/// A policy text may fill a body; what is longer is refused as too large before it is read.
pub const TEXT: Text = Text::lines(BODY_LIMIT);

/// A policy document.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyText {
    /// The text, YAML; empty when everything is inherited.
    pub text: String,
    /// Its version; null when nothing was saved here yet.
    pub version: Option<i64>,
}

/// What decides for a tenant: presets, defaults and its own text, merged.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectivePolicy {
    /// The preset it builds on.
    pub preset: String,
    /// SHA-256 of what decides: equal digests decide the same.
    pub digest: String,
    /// The version of the tenant's own text, if it has one.
    pub version: Option<i64>,
    /// The whole policy as YAML.
    pub text: String,
    /// What is allowed and yet likely to be a mistake.
    pub warnings: Vec<PolicyFault>,
}

/// A fault or a warning, with its place.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyFault {
    /// Line, from 1.
    #[schema(minimum = 0)]
    pub line: u32,
    /// Column in characters, from 1.
    #[schema(minimum = 0)]
    pub column: u32,
    /// JSON pointer into the document.
    pub pointer: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyCheck {
    /// Whether the text could be saved.
    pub ok: bool,
    /// Why not, with places.
    pub faults: Vec<PolicyFault>,
    /// What is allowed and yet likely to be a mistake.
    pub warnings: Vec<PolicyFault>,
}

/// A saved version.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedVersion {
    /// Its number in its scope.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Who saved it.
    pub author: String,
    /// When.
    #[schema(format = DateTime)]
    pub saved_at: String,
    /// The digest of what it came to.
    pub digest: String,
    /// The text.
    pub text: String,
}

/// A policy text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct PolicyNew {
    /// The text, YAML. Empty inherits everything.
    #[schema(pattern = "^[^\\u0000]*$")]
    text: String,
}

/// A policy text to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct PolicyToCheck {
    /// The text, YAML.
    #[schema(pattern = "^[^\\u0000]*$")]
    text: String,
    /// The tenant whose own text it would be; absent = the default of all tenants.
    #[schema(minimum = 1, nullable = false)]
    tenant: Option<i64>,
}

async fn read(state: &AppState, scope: PolicyScope) -> Result<Json<PolicyText>, ApiError> {
    let saved = state.store().policy(&scope.key()).await?;
    let version = saved.as_ref().map(|p| p.version);
    Ok(Json(PolicyText { text: saved.map(|p| p.text).unwrap_or_default(), version }))
}

async fn save(state: &AppState, caller: &Caller, scope: PolicyScope, mut body: Body) -> Result<Json<PolicyText>, ApiError> {
    let text = body.raw_text("text", &TEXT);
    body.finish()?;
    let saved = state.engine().save_policy(scope, &text, &caller.actor).await?;
    Ok(Json(PolicyText { text, version: Some(saved.version) }))
}

async fn versions(state: &AppState, scope: PolicyScope, mut query: Query) -> Result<Json<List<SavedVersion>>, ApiError> {
    let before = query.integer("cursor", 1, i64::MAX);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let mut rows = state.store().policy_versions(&scope.key()).await?;
    rows.retain(|v| before.is_none_or(|b| v.version < b));
    let show = |v: PolicyVersion| SavedVersion {
        version: v.version,
        author: v.author,
        saved_at: time(v.saved_at),
        digest: v.digest,
        text: v.text,
    };
    Ok(Json(List::of(rows, limit, |v| v.version.to_string(), show)))
}

/// The default policy of all tenants.
#[utoipa::path(
    get, path = "/api/v1/policies/default", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = PolicyText), Known)
)]
pub async fn get_default(_: Viewer, State(state): State<AppState>) -> Result<Json<PolicyText>, ApiError> {
    read(&state, PolicyScope::Default).await
}

/// Saves the default policy as a new version. A text with faults is refused (409), each fault with line and column.
#[utoipa::path(
    put, path = "/api/v1/policies/default", tag = "policies", security(("token" = ["admin"]), ("session" = [])),
    request_body = PolicyNew,
    responses((status = 200, body = PolicyText), Known, Bodied, Contested)
)]
pub async fn put_default(admin: Admin, State(state): State<AppState>, body: Body) -> Result<Json<PolicyText>, ApiError> {
    save(&state, &admin, PolicyScope::Default, body).await
}

/// Versions of the default policy, newest first.
#[utoipa::path(
    get, path = "/api/v1/policies/default/versions", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<SavedVersion>), Known, Queried)
)]
pub async fn default_versions(
    _: Viewer,
    State(state): State<AppState>,
    query: Query,
) -> Result<Json<List<SavedVersion>>, ApiError> {
    versions(&state, PolicyScope::Default, query).await
}

/// A tenant's own policy text.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/policy", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    responses((status = 200, body = PolicyText), Known, Named)
)]
pub async fn get_tenant(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<PolicyText>, ApiError> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    read(&state, PolicyScope::Tenant(tenant)).await
}

/// Saves a tenant's own policy as a new version. A text with faults is refused (409), each fault with line and column.
#[utoipa::path(
    put, path = "/api/v1/tenants/{id}/policy", tag = "policies", security(("token" = ["admin"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = PolicyNew,
    responses((status = 200, body = PolicyText), Known, Named, Bodied, Contested)
)]
pub async fn put_tenant(
    admin: Admin,
    State(state): State<AppState>,
    Id(id): Id,
    body: Body,
) -> Result<Json<PolicyText>, ApiError> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    save(&state, &admin, PolicyScope::Tenant(tenant), body).await
}

/// What decides for a tenant now.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/policy/effective", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    responses((status = 200, body = EffectivePolicy), Known, Named, Contested)
)]
pub async fn effective(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<EffectivePolicy>, ApiError> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    let (loaded, version) = state.engine().effective_policy(tenant).await?;
    Ok(Json(EffectivePolicy {
        preset: loaded.preset.to_owned(),
        digest: loaded.digest.clone(),
        version,
        text: sync::effective_text(&loaded),
        warnings: loaded.warnings.iter().map(place).collect(),
    }))
}

/// Versions of a tenant's own policy, newest first.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/policy/versions", tag = "policies", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The tenant's number", minimum = 1),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<SavedVersion>), Known, Named, Queried)
)]
pub async fn tenant_versions(
    _: Viewer,
    State(state): State<AppState>,
    Id(id): Id,
    query: Query,
) -> Result<Json<List<SavedVersion>>, ApiError> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    versions(&state, PolicyScope::Tenant(tenant), query).await
}

/// Judges a policy text as it would be laid over what it inherits. Nothing is kept; faults are the result, not an error.
#[utoipa::path(
    post, path = "/api/v1/policies/check", tag = "policies", security(("token" = ["operate"]), ("session" = [])),
    request_body = PolicyToCheck,
    responses((status = 200, body = PolicyCheck), Known, Named, Bodied)
)]
pub async fn check(
    _: crate::auth::Operator,
    State(state): State<AppState>,
    mut body: Body,
) -> Result<Json<PolicyCheck>, ApiError> {
    let text = body.raw_text("text", &TEXT);
    let tenant = body.optional_integer("tenant", 1);
    body.finish()?;
    let scope = match tenant {
        Some(id) => PolicyScope::Tenant(state.store().tenant(TenantKey(id)).await?.key),
        None => PolicyScope::Default,
    };
    Ok(Json(match state.engine().check_policy(scope, &text).await {
        Ok(loaded) => PolicyCheck { ok: true, faults: Vec::new(), warnings: loaded.warnings.iter().map(place).collect() },
        Err(sync::Error::Policy(faults)) => {
            PolicyCheck { ok: false, faults: faults.iter().map(place).collect(), warnings: Vec::new() }
        }
        Err(other) => return Err(other.into()),
    }))
}

fn place(fault: &sync::PolicyFault) -> PolicyFault {
    PolicyFault { line: fault.line, column: fault.column, pointer: fault.pointer.clone(), detail: fault.message.clone() }
}

/// A policy's faults as faults of the body's `text`.
pub fn faults(faults: &[sync::PolicyFault]) -> Vec<Fault> {
    let show = |f: &sync::PolicyFault| Fault {
        line: (f.line > 0).then_some(f.line),
        column: (f.column > 0).then_some(f.column),
        ..Fault::at("/text", f.message.clone())
    };
    faults.iter().map(show).collect()
}

/// A policy's faults as faults of a body that gives parts of it as data. Like those of a text they are 409: what a rule may be is for
/// the policy to say, and depends on what it inherits.
pub fn pointed(faults: &[sync::PolicyFault]) -> ApiError {
    ApiError::Policy(faults.iter().map(|f| Fault::at(f.pointer.clone(), f.message.clone())).collect())
}
