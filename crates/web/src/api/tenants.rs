//! `/tenants`: directories, and the client each is mapped to.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, time};
use crate::api::input::{Body, Id, Query, Text};
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use model::TenantKey;
use serde::Serialize;
use sync::TenantView;
use utoipa::ToSchema;

/// An Entra directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// Its name: the connection's.
    pub name: String,
    /// Its default domain.
    pub domain: Option<String>,
    /// The directory's own id.
    pub directory_id: Option<String>,
    /// The client it is mapped to.
    pub client: Option<i64>,
    /// That client's name.
    pub client_name: Option<String>,
    /// Whether it is synced by schedule.
    pub scheduled: bool,
    /// Whether a plan was ever applied; until then the next plan waits for a person.
    pub applied_before: bool,
    /// The latest run's number.
    pub last_run: Option<i64>,
    /// The latest run's state.
    pub last_run_state: Option<String>,
    /// When the latest run was asked for.
    #[schema(format = DateTime)]
    pub last_run_at: Option<String>,
    /// What to know before the first sync, as sentences: told of one tenant, not in lists; empty once a plan was applied.
    pub warnings: Vec<String>,
}

impl From<TenantView> for Tenant {
    fn from(t: TenantView) -> Self {
        Self {
            id: t.key.0,
            name: t.name,
            domain: t.domain,
            directory_id: t.tenant_id,
            client: t.client.map(|c| c.0),
            client_name: t.client_name,
            scheduled: t.scheduled,
            applied_before: t.applied_before,
            last_run: t.last_run_id.map(|r| r.0),
            last_run_state: t.last_run,
            last_run_at: t.last_run_at.map(time),
            warnings: Vec::new(),
        }
    }
}

/// The client to map a tenant to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct Mapping {
    /// The client's name.
    #[schema(min_length = 1, max_length = 200, pattern = "line")]
    client: String,
    /// Create the client when there is none of this name. False unless told.
    #[schema(nullable = false, default = false)]
    create: Option<bool>,
}

/// The rule of a client's name.
pub const CLIENT: Text = Text::line(200);

/// All tenants.
#[utoipa::path(
    get, path = "/api/v1/tenants", tag = "tenants", security(("token" = ["read"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Tenant>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Tenant>>, ApiError> {
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let mut keys: Vec<TenantKey> = state.store().tenants().await?.into_iter().map(|t| t.key).filter(|k| k.0 > after).collect();
    keys.sort_unstable();
    keys.truncate(usize::try_from(limit + 1).unwrap_or(0));
    let page = List::of(keys, limit, ToString::to_string, |key| key);
    let mut items = Vec::with_capacity(page.items.len());
    for key in page.items {
        items.push(Tenant::from(state.engine().tenant(key).await?));
    }
    Ok(Json(List { items, next: page.next }))
}

/// A tenant.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}", tag = "tenants", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    responses((status = 200, body = Tenant), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Tenant>, ApiError> {
    told(&state, id).await
}

async fn told(state: &AppState, id: i64) -> Result<Json<Tenant>, ApiError> {
    let tenant = Tenant::from(state.engine().tenant(TenantKey(id)).await?);
    let warnings = state.engine().first_sync_warnings(TenantKey(id)).await?;
    Ok(Json(Tenant { warnings, ..tenant }))
}

/// Maps a tenant to a client: its people belong there. The next plan waits for a person.
#[utoipa::path(
    put, path = "/api/v1/tenants/{id}/client", tag = "tenants", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    request_body = Mapping,
    responses((status = 200, body = Tenant), Known, Named, Bodied, Contested)
)]
pub async fn map(
    operator: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<Tenant>, ApiError> {
    let client = body.text("client", &CLIENT);
    let create = body.switch("create", false);
    body.finish()?;
    state.engine().map_tenant(TenantKey(id), &client, create, &operator.actor).await?;
    told(&state, id).await
}

/// Ends a tenant's mapping. Nobody is changed; users that rules place at the tenant's client wait in review.
#[utoipa::path(
    delete, path = "/api/v1/tenants/{id}/client", tag = "tenants", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The tenant's number", minimum = 1)),
    responses((status = 204, description = "Ended"), Known, Named)
)]
pub async fn unmap(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.engine().unmap_tenant(TenantKey(id), &operator.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
