//! `/clients`: the PSA's clients.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried};
use crate::api::input::{Body, Id, Query};
use crate::api::tenants::CLIENT;
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use model::ClientId;
use model::records;
use serde::Serialize;
use utoipa::ToSchema;

/// A client.
#[derive(Debug, Serialize, ToSchema)]
pub struct Client {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether it is in use; rules do not place people at one that is not.
    pub active: bool,
}

impl From<records::Client> for Client {
    fn from(c: records::Client) -> Self {
        Self { id: c.id.0, name: c.name, active: c.active }
    }
}

/// A client to create.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct ClientNew {
    /// Its name; unlike any other's, whatever the case.
    #[schema(min_length = 1, max_length = 200, pattern = "line")]
    name: String,
}

/// All clients.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients", security(("token" = ["read"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Client>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Client>>, ApiError> {
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let mut all = state.store().clients().await?;
    all.sort_by_key(|c| c.id);
    all.retain(|c| c.id.0 > after);
    Ok(Json(List::of(all, limit, |c: &records::Client| c.id.to_string(), Client::from)))
}

/// Creates a client.
#[utoipa::path(
    post, path = "/api/v1/clients", tag = "clients", security(("token" = ["operate"]), ("session" = [])),
    request_body = ClientNew,
    responses(
        (status = 201, body = Client, headers(("location" = String, description = "The client"))),
        Known, Bodied, Contested
    )
)]
pub async fn create(operator: Operator, State(state): State<AppState>, mut body: Body) -> Result<impl IntoResponse, ApiError> {
    let name = body.text("name", &CLIENT);
    body.finish()?;
    if state.store().find_client(&name).await?.is_some() {
        return Err(ApiError::Conflict { code: "name_taken".into(), detail: format!("there is a client named {name} already") });
    }
    let made = Client::from(state.store().create_client(&name).await?);
    state.engine().audit(&operator.actor, "client.create", &made.name, serde_json::Value::Null).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/clients/{}", made.id))], Json(made)))
}

/// A client.
#[utoipa::path(
    get, path = "/api/v1/clients/{id}", tag = "clients", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The client's number", minimum = 1)),
    responses((status = 200, body = Client), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Client>, ApiError> {
    Ok(Json(state.store().client(ClientId(id)).await?.into()))
}
