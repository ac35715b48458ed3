//! `/connections`.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, time};
use crate::api::input::{Body, Form, Id, Query, Text};
use crate::auth::{Admin, Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::Serialize;
use sync::{ConnectionTest, ConnectionView, NewConnection};
use utoipa::ToSchema;

/// A connection. Its secret is write-only.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connection {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The tenant as it was given: id or domain.
    pub tenant: String,
    /// The application (client) id.
    pub client_id: String,
    /// Microsoft Graph's address.
    pub graph_url: String,
    /// The identity platform's address.
    pub login_url: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl From<ConnectionView> for Connection {
    fn from(c: ConnectionView) -> Self {
        Self {
            id: c.id,
            name: c.name,
            tenant: c.tenant,
            client_id: c.client_id,
            graph_url: c.graph_url,
            login_url: c.login_url,
            created_at: time(c.created_at),
        }
    }
}

/// A connection to add. Rollcall signs in with it at once and stores it only when that works.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct ConnectionNew {
    /// A name of your choice.
    #[schema(min_length = 1, max_length = 100, pattern = "line")]
    name: String,
    /// The tenant's id or one of its domains.
    #[schema(min_length = 1, max_length = 253, pattern = "word")]
    tenant: String,
    /// The application (client) id of the app registration.
    #[schema(min_length = 1, max_length = 200, pattern = "word")]
    client_id: String,
    /// The client secret's value. It is stored encrypted and never given back.
    #[schema(min_length = 1, max_length = 1000, pattern = "word", write_only)]
    secret: String,
    /// Microsoft Graph, for a national cloud.
    #[schema(max_length = 300, pattern = "origin", nullable = false)]
    graph_url: Option<String>,
    /// The identity platform, for a national cloud.
    #[schema(max_length = 300, pattern = "origin", nullable = false)]
    login_url: Option<String>,
}

/// The rules of [`ConnectionNew`], for the API and the form alike.
pub const NAME: Text = Text::line(100);
/// See [`ConnectionNew`].
pub const TENANT: Text = Text { max: 253, form: Form::Word };
/// See [`ConnectionNew`].
pub const CLIENT_ID: Text = Text { max: 200, form: Form::Word };
/// See [`ConnectionNew`].
pub const SECRET: Text = Text { max: 1000, form: Form::Word };
/// See [`ConnectionNew`].
pub const ADDRESS: Text = Text { max: 300, form: Form::Origin };

/// What a test of a connection found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Test {
    /// Whether everything mandatory is granted.
    pub ok: bool,
    /// The organisation's name, when it could be read.
    pub organization: Option<String>,
    /// Each permission.
    pub permissions: Vec<Permission>,
    /// Why the test could not be finished.
    pub error: Option<TestError>,
}

/// One permission.
#[derive(Debug, Serialize, ToSchema)]
pub struct Permission {
    /// Its name, such as `User.Read.All`.
    pub permission: String,
    /// What it is for.
    pub purpose: String,
    /// Whether nothing works without it.
    pub mandatory: bool,
    /// `granted`, `missing` or `not needed`.
    pub state: String,
    /// How that was found out, or what to do.
    pub detail: String,
}

/// Why a test could not be finished.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestError {
    /// A stable word.
    pub code: String,
    /// A sentence with the next step.
    pub detail: String,
}

impl From<ConnectionTest> for Test {
    fn from(test: ConnectionTest) -> Self {
        let permission = |p: sync::PermissionView| Permission {
            permission: p.permission,
            purpose: p.purpose,
            mandatory: p.mandatory,
            state: p.state,
            detail: p.detail,
        };
        Self {
            ok: test.ok,
            organization: test.organization,
            permissions: test.permissions.into_iter().map(permission).collect(),
            error: test.error.map(|e| TestError { code: e.code, detail: e.message }),
        }
    }
}

/// All connections by name.
#[utoipa::path(
    get, path = "/api/v1/connections", tag = "connections", security(("token" = ["read"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Connection>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Connection>>, ApiError> {
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let mut all = state.engine().connections().await?;
    all.sort_by_key(|c| c.id);
    let rows = all.into_iter().filter(|c| c.id > after).take(usize::try_from(limit + 1).unwrap_or(0)).collect();
    Ok(Json(List::of(rows, limit, |c: &ConnectionView| c.id.to_string(), Connection::from)))
}

/// Adds a connection: signs in with it, learns whose directory it is, and only then stores it.
#[utoipa::path(
    post, path = "/api/v1/connections", tag = "connections", security(("token" = ["admin"]), ("session" = [])),
    request_body = ConnectionNew,
    responses(
        (status = 201, body = Connection, headers(("location" = String, description = "The connection"))),
        Known, Bodied, Contested
    )
)]
pub async fn add(admin: Admin, State(state): State<AppState>, mut body: Body) -> Result<impl IntoResponse, ApiError> {
    let new = NewConnection {
        name: body.text("name", &NAME),
        tenant: body.text("tenant", &TENANT),
        client_id: body.text("client_id", &CLIENT_ID),
        secret: body.text("secret", &SECRET).into(),
        graph_url: body.optional_text("graph_url", &ADDRESS),
        login_url: body.optional_text("login_url", &ADDRESS),
    };
    body.finish()?;
    let made = Connection::from(state.engine().add_connection(new, &admin.actor).await?);
    let location = [(header::LOCATION, format!("/api/v1/connections/{}", made.id))];
    Ok((StatusCode::CREATED, location, Json(made)))
}

/// A connection.
#[utoipa::path(
    get, path = "/api/v1/connections/{id}", tag = "connections", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The connection's number", minimum = 1)),
    responses((status = 200, body = Connection), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Connection>, ApiError> {
    Ok(Json(state.engine().connection(id).await?.into()))
}

/// Removes a connection with its secret and its tenant's mirror. Records and history stay.
#[utoipa::path(
    delete, path = "/api/v1/connections/{id}", tag = "connections", security(("token" = ["admin"]), ("session" = [])),
    params(("id" = i64, Path, description = "The connection's number", minimum = 1)),
    responses((status = 204, description = "Removed"), Known, Named)
)]
pub async fn remove(admin: Admin, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    state.engine().remove_connection(id, &admin.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries a connection: signs in anew and looks at each permission. What it finds wrong is its result, not an error.
#[utoipa::path(
    post, path = "/api/v1/connections/{id}/test", tag = "connections", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The connection's number", minimum = 1)),
    responses((status = 200, body = Test), Known, Named, Contested)
)]
pub async fn test(_: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<Test>, ApiError> {
    Ok(Json(state.engine().test_connection(id).await?.into()))
}
