//! `/review`: what waits for a person.

use crate::api::answers::{Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, Sentence, time};
use crate::api::input::{Id, Query};
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::TenantKey;
use model::reason::ReviewWhy;
use serde::Serialize;
use store::{Review, ReviewFilter};
use utoipa::ToSchema;

/// A question to a person about one user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewItem {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The tenant.
    pub tenant: i64,
    /// `open`, `dismissed` or `closed`.
    pub state: String,
    /// Why a person is needed, in a stable word.
    pub why: &'static str,
    /// The question.
    pub question: &'static str,
    /// The user's number.
    pub user: i64,
    /// The user's object id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// The rule that selects the user.
    pub rule: Option<String>,
    /// The kind of record the rule wants: `agent` or `contact`.
    pub kind: &'static str,
    /// Numbers of the records it could be.
    pub candidates: Vec<i64>,
    /// What met what.
    pub evidence: Vec<Sentence>,
    /// The object id of the other user this one yields to.
    pub other: Option<String>,
    /// First asked.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// Last changed.
    #[schema(format = DateTime)]
    pub changed_at: String,
    /// Who dismissed or re-opened it.
    pub decided_by: Option<String>,
}

impl From<Review> for ReviewItem {
    fn from(r: Review) -> Self {
        Self {
            id: r.id,
            tenant: r.tenant.0,
            state: r.state,
            why: r.item.why.as_str(),
            question: r.item.why.sentence(),
            user: r.item.user.0,
            user_id: r.item.source_id.as_str().to_owned(),
            user_name: r.user_name,
            rule: r.item.rule.map(|r| r.0),
            kind: r.item.kind.as_str(),
            candidates: r.item.candidates.iter().map(|c| c.0).collect(),
            evidence: r.item.evidence.iter().map(Sentence::from).collect(),
            other: r.item.other.map(|o| o.as_str().to_owned()),
            opened_at: time(r.opened_at),
            changed_at: time(r.changed_at),
            decided_by: r.decided_by,
        }
    }
}

/// A state of an item.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum ItemState {
    /// Waits.
    Open,
    /// Its user stays out until it is opened again.
    Dismissed,
    /// Settled by itself.
    Closed,
}

/// Why a person is asked.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum Why {
    /// Several records could be this user.
    AmbiguousMatch,
    /// The record that matched belongs to another client.
    MatchedInOtherClient,
    /// The record that matched is linked to another user.
    AlreadyLinked,
    /// Only inactive records matched.
    InactiveMatch,
    /// Another user would be created with the same e-mail or username.
    DuplicateInSource,
    /// The username belongs to another record.
    UsernameTaken,
    /// The rule wants the other kind of record.
    KindChange,
    /// The rule's client or site cannot be resolved.
    ClientUnresolved,
    /// The user is back.
    Returned,
    /// No record matched, and the policy asks.
    NoMatch,
}

/// The words of states, for the API and the page alike.
pub const STATES: &[(&str, &str)] = &[("open", "open"), ("dismissed", "dismissed"), ("closed", "closed")];

const WHYS: [ReviewWhy; 10] = [
    ReviewWhy::AmbiguousMatch,
    ReviewWhy::MatchedInOtherClient,
    ReviewWhy::AlreadyLinked,
    ReviewWhy::InactiveMatch,
    ReviewWhy::DuplicateInSource,
    ReviewWhy::UsernameTaken,
    ReviewWhy::KindChange,
    ReviewWhy::ClientUnresolved,
    ReviewWhy::Returned,
    ReviewWhy::NoMatch,
];

/// Review items, oldest first; open ones unless told.
#[utoipa::path(
    get, path = "/api/v1/review", tag = "review", security(("token" = ["read"]), ("session" = [])),
    params(
        ("tenant" = Option<i64>, Query, description = "Of this tenant", minimum = 1),
        ("state" = Option<ItemState>, Query, description = "In this state; open unless told"),
        ("why" = Option<Why>, Query, description = "For this reason"),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 0),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<ReviewItem>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<ReviewItem>>, ApiError> {
    let whys: Vec<_> = WHYS.iter().map(|w| (w.as_str(), *w)).collect();
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    let filter = ReviewFilter {
        tenant: query.integer("tenant", 1, i64::MAX).map(TenantKey),
        state: query.choice("state", STATES).map(str::to_owned),
        why: query.choice("why", &whys),
        after: query.integer("cursor", 0, i64::MAX).unwrap_or(0),
        limit: limit + 1,
    };
    query.finish()?;
    let rows = state.store().reviews(&filter).await?;
    Ok(Json(List::of(rows, limit, |r: &Review| r.id.to_string(), ReviewItem::from)))
}

/// A review item.
#[utoipa::path(
    get, path = "/api/v1/review/{id}", tag = "review", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewItem), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewItem>, ApiError> {
    Ok(Json(state.store().review(id).await?.into()))
}

/// Dismisses an open item: its user is left out until somebody opens it again.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/dismiss", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewItem), Known, Named, Contested)
)]
pub async fn dismiss(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewItem>, ApiError> {
    state.engine().review_dismiss(id, &operator.actor).await?;
    Ok(Json(state.store().review(id).await?.into()))
}

/// Opens a dismissed item again: its user is planned anew.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/reopen", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewItem), Known, Named, Contested)
)]
pub async fn reopen(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewItem>, ApiError> {
    state.engine().review_reopen(id, &operator.actor).await?;
    Ok(Json(state.store().review(id).await?.into()))
}
