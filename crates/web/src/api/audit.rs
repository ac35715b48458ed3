//! `/audit`: who did what.

use crate::api::answers::{Known, List, PAGE, PAGE_MAX, Queried, time};
use crate::api::input::Query;
use crate::auth::Admin;
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::Value;
use serde::Serialize;
use utoipa::ToSchema;

/// One thing somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub actor: String,
    /// What was done, in a stable word such as `run.approve`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it; never a secret.
    pub detail: Value,
}

/// What people and programs did, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", security(("token" = ["admin"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<AuditEntry>), Known, Queried)
)]
pub async fn list(_: Admin, State(state): State<AppState>, mut query: Query) -> Result<Json<List<AuditEntry>>, ApiError> {
    let before = query.integer("cursor", 1, i64::MAX);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let rows = state.store().audit(before, limit + 1).await?;
    let show = |e: store::AuditEntry| AuditEntry {
        id: e.id,
        at: time(e.at),
        actor: e.actor,
        action: e.action,
        subject: e.subject,
        detail: e.detail,
    };
    Ok(Json(List::of(rows, limit, |e| e.id.to_string(), show)))
}
