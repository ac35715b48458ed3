//! `/overview`: the whole at a glance.

use crate::api::answers::Known;
use crate::auth::Viewer;
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Figures over everything.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// Tenants.
    #[schema(minimum = 0)]
    pub tenants: i64,
    /// Users present in their directories.
    #[schema(minimum = 0)]
    pub users: i64,
    /// Records that are not archived.
    #[schema(minimum = 0)]
    pub people: i64,
    /// Of those, agents.
    #[schema(minimum = 0)]
    pub agents: i64,
    /// Records linked to a user.
    #[schema(minimum = 0)]
    pub linked: i64,
    /// Review items that wait for a person.
    #[schema(minimum = 0)]
    pub in_review: i64,
    /// Plans that wait for approval.
    #[schema(minimum = 0)]
    pub held: i64,
}

/// Figures over everything.
#[utoipa::path(
    get, path = "/api/v1/overview", tag = "overview", security(("token" = ["read"]), ("session" = [])),
    responses((status = 200, body = Overview), Known)
)]
pub async fn get(_: Viewer, State(state): State<AppState>) -> Result<Json<Overview>, ApiError> {
    let o = state.store().overview().await?;
    let store::Overview { tenants, users, people, agents, linked, in_review, held } = o;
    Ok(Json(Overview { tenants, users, people, agents, linked, in_review, held }))
}
