//! `/tokens`: API tokens for programs.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, time};
use crate::api::input::{Body, Id, Query, Text};
use crate::auth::caller::Scope;
use crate::auth::secret::{Secret, TOKEN_PREFIX};
use crate::auth::{Admin, Caller};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use store::ApiToken;
use utoipa::ToSchema;

/// An API token; never the token itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it may do; each includes the ones before.
    #[schema(value_type = Vec<TokenScope>)]
    pub scopes: Vec<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    pub used_at: Option<String>,
}

/// A token just created: the only time it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenCreated {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The token. Keep it now: only its hash is stored.
    pub token: String,
}

/// What a token may do.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes words of the body and the answer")]
pub enum TokenScope {
    /// Look.
    Read,
    /// Start, approve and reject runs, decide review items, edit people and clients.
    Operate,
    /// Connections, policies, tokens and accounts.
    Admin,
}

/// A token to create.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct TokenNew {
    /// A name that says who uses it.
    #[schema(min_length = 1, max_length = 100, pattern = "line")]
    name: String,
    /// What it may do; each includes the ones before.
    #[schema(min_items = 1, max_items = 3)]
    scopes: Vec<TokenScope>,
}

/// The rule of a token's name.
pub const NAME: Text = Text::line(100);

impl From<ApiToken> for Token {
    fn from(t: ApiToken) -> Self {
        Self { id: t.id, name: t.name, scopes: t.scopes, created_at: time(t.created_at), used_at: t.used_at.map(time) }
    }
}

/// Makes a token.
///
/// # Errors
/// A conflict when the name is taken.
pub async fn make(state: &AppState, caller: &Caller, name: &str, scopes: &[Scope]) -> Result<(i64, Secret), ApiError> {
    let secret = Secret::fresh(state, TOKEN_PREFIX);
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    let words: Vec<String> = scopes.into_iter().map(|s| s.word().to_owned()).collect();
    let token = state.store().add_api_token(name, &secret.hash(), &words, state.now(), None).await?;
    state.engine().audit(&caller.actor, "token.create", name, serde_json::json!({ "scopes": words })).await?;
    Ok((token.id, secret))
}

/// All tokens.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", security(("token" = ["admin"]), ("session" = [])),
    params(
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Token>), Known, Queried)
)]
pub async fn list(_: Admin, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Token>>, ApiError> {
    let after = query.integer("cursor", 0, i64::MAX).unwrap_or(0);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let mut all = state.store().api_tokens().await?;
    all.sort_by_key(|t| t.id);
    let rows = all.into_iter().filter(|t| t.id > after).take(usize::try_from(limit + 1).unwrap_or(0)).collect();
    Ok(Json(List::of(rows, limit, |t: &ApiToken| t.id.to_string(), Token::from)))
}

/// Creates a token and shows it this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", security(("token" = ["admin"]), ("session" = [])),
    request_body = TokenNew,
    responses((status = 201, body = TokenCreated), Known, Bodied, Contested)
)]
pub async fn create(admin: Admin, State(state): State<AppState>, mut body: Body) -> Result<impl IntoResponse, ApiError> {
    let name = body.text("name", &NAME);
    let scopes = body.choices("scopes", Scope::WORDS);
    body.finish()?;
    let (id, secret) = make(&state, &admin, &name, &scopes).await?;
    Ok((StatusCode::CREATED, Json(TokenCreated { id, name, token: secret.text().to_owned() })))
}

/// Removes a token; whoever uses it is refused from now on.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens", security(("token" = ["admin"]), ("session" = [])),
    params(("id" = i64, Path, description = "The token's number", minimum = 1)),
    responses((status = 204, description = "Removed"), Known, Named)
)]
pub async fn remove(admin: Admin, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    drop_token(&state, &admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a token.
///
/// # Errors
/// Not found.
pub async fn drop_token(state: &AppState, caller: &Caller, id: i64) -> Result<(), ApiError> {
    state.store().remove_api_token(id).await?;
    Ok(state.engine().audit(&caller.actor, "token.remove", &id.to_string(), serde_json::Value::Null).await?)
}
