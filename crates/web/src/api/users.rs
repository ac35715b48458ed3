//! `/users`: who a directory holds, where they stand, and why.

use crate::api::answers::{Known, List, Named, PAGE, PAGE_MAX, Queried};
use crate::api::input::{Form, Id, Query, Text};
use crate::auth::Viewer;
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::{SourceId, TenantKey, UserKey, Value};
use serde::Serialize;
use serde_json::Map;
use store::{UserFilter, UserRow};
use utoipa::ToSchema;

/// A user of a directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The tenant.
    #[schema(minimum = 1)]
    pub tenant: i64,
    /// The object id.
    pub user_id: String,
    /// Its name.
    pub name: String,
    /// `present`, `deleted`, `missing` or `unseen`.
    pub presence: &'static str,
    /// What the directory told, under Graph's names.
    pub attributes: Map<String, Value>,
    /// The manager's object id.
    pub manager: Option<String>,
    /// How the user is accounted for; null before the first plan.
    pub standing: Option<Standing>,
}

/// How a user is accounted for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Standing {
    /// `synced`, `excluded`, `in_review`, `gone` or `failed`.
    pub outcome: String,
    /// The name of what excluded them.
    pub excluded_by: Option<String>,
    /// The winning rule.
    pub rule: Option<String>,
}

/// A user's name for people.
pub fn name_of(user: &UserRow) -> String {
    let name = user.attributes.text("displayName").or_else(|| user.attributes.text("userPrincipalName"));
    name.unwrap_or(user.source_id.as_str()).to_owned()
}

impl From<UserRow> for User {
    fn from(user: UserRow) -> Self {
        Self {
            id: user.key.0,
            tenant: user.tenant.0,
            name: name_of(&user),
            user_id: user.source_id.as_str().to_owned(),
            presence: user.presence.as_str(),
            attributes: user.attributes.iter().map(|(n, v)| (n.to_owned(), v.clone())).collect(),
            manager: user.manager.map(|m| m.as_str().to_owned()),
            standing: user.standing.map(|(outcome, excluded_by, rule)| Standing { outcome, excluded_by, rule }),
        }
    }
}

/// How a user is accounted for, as a filter.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum OutcomeWord {
    /// In step with the records.
    Synced,
    /// Out of scope, or selected by no rule.
    Excluded,
    /// Waits for a person.
    InReview,
    /// Gone from the directory.
    Gone,
    /// Could not be decided or written.
    Failed,
}

/// The words of outcomes, for the API and the page alike.
pub const OUTCOMES: &[(&str, &str)] =
    &[("synced", "synced"), ("excluded", "excluded"), ("in_review", "in_review"), ("gone", "gone"), ("failed", "failed")];

/// What object ids are like, for cursors: they come from the directory and go back to it.
const CURSOR: Text = Text { max: 200, form: Form::Word };

/// A tenant's users, in the order of their object ids.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/users", tag = "users", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The tenant's number", minimum = 1),
        ("outcome" = Option<OutcomeWord>, Query, description = "Accounted for like this"),
        ("excluded_by" = Option<String>, Query, description = "Excluded by what has this name",
            min_length = 1, max_length = 200, pattern = "line"),
        ("rule" = Option<String>, Query, description = "Selected by this rule", min_length = 1, max_length = 200, pattern = "line"),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before",
            min_length = 1, max_length = 200, pattern = "word"),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<User>), Known, Named, Queried)
)]
pub async fn list(
    _: Viewer,
    State(state): State<AppState>,
    Id(tenant): Id,
    mut query: Query,
) -> Result<Json<List<User>>, ApiError> {
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    let filter = UserFilter {
        outcome: query.choice("outcome", OUTCOMES).map(str::to_owned),
        excluded_by: query.text("excluded_by", &Text::line(200)),
        rule: query.text("rule", &Text::line(200)),
        after: query.text("cursor", &CURSOR).map(SourceId::new),
        limit: limit + 1,
    };
    query.finish()?;
    let tenant = state.store().tenant(TenantKey(tenant)).await?.key;
    let rows = state.store().users(tenant, &filter).await?;
    Ok(Json(List::of(rows, limit, |u: &UserRow| u.source_id.as_str().to_owned(), User::from)))
}

/// A user.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The user's number", minimum = 1)),
    responses((status = 200, body = User), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<User>, ApiError> {
    Ok(Json(state.store().user(UserKey(id)).await?.into()))
}
