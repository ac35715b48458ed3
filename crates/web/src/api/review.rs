//! `/review`: what waits for a person.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried, Sentence, time};
use crate::api::input::{Body, Id, Query, whole};
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::facts::Choice;
use model::reason::ReviewWhy;
use model::{PersonId, TenantKey};
use serde::Serialize;
use store::ReviewFilter;
use sync::{BULK_MAX, CandidateView, ChosenView, ReviewAction, ReviewOutcome, ReviewView};
use utoipa::ToSchema;

/// A question to a person about one user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewItem {
    /// Its number.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The tenant.
    pub tenant: i64,
    /// The tenant's name.
    pub tenant_name: String,
    /// `open`; `decided` (a run writes the choice); `resolved` (written); `dismissed`; `closed` (its cause went away).
    pub state: String,
    /// Why a person is needed, in a stable word.
    pub why: &'static str,
    /// The question.
    pub question: String,
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
    /// The records it could be, as they are now.
    pub candidates: Vec<ReviewCandidate>,
    /// What was found when it was asked: which value met which record, how alike names are, who signed in when.
    pub evidence: Vec<Sentence>,
    /// The object id of the other user this one yields to.
    pub other: Option<String>,
    /// First asked.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// Last changed.
    #[schema(format = DateTime)]
    pub changed_at: String,
    /// Who decided about it last.
    pub decided_by: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// What was chosen, by the kind of record.
    pub chosen: Vec<ReviewChosen>,
    /// The run that writes, or wrote, what was chosen.
    pub run: Option<i64>,
}

/// A record a review item shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewCandidate {
    /// The record.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// `agent` or `contact`.
    pub kind: &'static str,
    /// `active`, `inactive` or `archived`.
    pub status: String,
    /// Its client's name.
    pub client: Option<String>,
    /// Its main address.
    pub email: Option<String>,
    /// Its username.
    pub username: Option<String>,
    /// Tickets that name it.
    pub tickets: i64,
    /// Invoices that name it.
    pub invoices: i64,
    /// When its person last signed in, as the record says it.
    pub last_sign_in: Option<String>,
    /// The user's addresses that met it.
    pub met: Vec<String>,
    /// How alike its name and the user's are, percent; null when that was not looked at.
    #[schema(minimum = 0, maximum = 100)]
    pub alike: Option<u8>,
    /// The name of the user it is linked to.
    pub linked_to: Option<String>,
    /// That user's number.
    pub linked_user: Option<i64>,
}

/// What was chosen for one kind of record.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewChosen {
    /// `agent` or `contact`.
    pub kind: &'static str,
    /// `link` or `create`.
    pub action: &'static str,
    /// The record that was chosen.
    pub record: Option<i64>,
}

impl From<ReviewView> for ReviewItem {
    fn from(r: ReviewView) -> Self {
        let candidate = |c: CandidateView| ReviewCandidate {
            id: c.id.0,
            name: c.name,
            kind: c.kind.as_str(),
            status: c.status,
            client: c.client,
            email: c.email,
            username: c.username,
            tickets: c.tickets,
            invoices: c.invoices,
            last_sign_in: c.last_sign_in,
            met: c.met,
            alike: c.alike,
            linked_to: c.linked_to,
            linked_user: c.linked_user.map(|u| u.0),
        };
        let chosen = |c: ChosenView| match c.choice {
            Choice::Link(record) => ReviewChosen { kind: c.kind.as_str(), action: "link", record: Some(record.0) },
            Choice::Create => ReviewChosen { kind: c.kind.as_str(), action: "create", record: None },
        };
        Self {
            id: r.id,
            tenant: r.tenant.0,
            tenant_name: r.tenant_name,
            state: r.state,
            why: r.why.as_str(),
            question: r.sentence,
            user: r.user.0,
            user_name: r.user_name.unwrap_or_else(|| r.source_id.as_str().to_owned()),
            user_id: r.source_id.as_str().to_owned(),
            rule: r.rule.map(|r| r.to_string()),
            kind: r.kind.as_str(),
            candidates: r.candidates.into_iter().map(candidate).collect(),
            evidence: r.reasons.iter().map(Sentence::from).collect(),
            other: r.other.map(|o| o.as_str().to_owned()),
            opened_at: time(r.opened_at),
            changed_at: time(r.changed_at),
            decided_by: r.decided_by,
            decided_at: r.decided_at.map(time),
            chosen: r.chosen.into_iter().map(chosen).collect(),
            run: r.run.map(|r| r.0),
        }
    }
}

/// What can be done about an item, and what was.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewChoices {
    /// Why no record can be created; null when one can, and for items that are not open.
    pub cannot_create: Option<String>,
    /// Candidates that cannot be linked.
    pub cannot_link: Vec<ReviewRefusal>,
    /// Who decided what, and when; the latest first.
    pub history: Vec<ReviewDecided>,
}

/// Why a candidate cannot be linked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewRefusal {
    /// The record.
    pub record: i64,
    /// Why not, and what can be done.
    pub sentence: String,
}

/// One thing somebody decided about an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewDecided {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub by: String,
    /// `link`, `create`, `dismiss` or `reopen`.
    pub action: String,
    /// The record that was chosen.
    pub record: Option<i64>,
    /// The run that writes it.
    pub run: Option<i64>,
}

/// What became of one item of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewResult {
    /// The item.
    pub item: i64,
    /// Whether the decision was taken; false = refused, and nothing of it was kept.
    pub ok: bool,
    /// Where the item stands now; null when it was refused.
    pub state: Option<String>,
    /// The record the user has now.
    pub record: Option<i64>,
    /// The run that writes, or wrote, the choice. One that is held waits for approval.
    pub run: Option<i64>,
    /// What that means, or why it was refused and what can be done.
    pub sentence: String,
    /// The refusal's stable word.
    pub code: Option<String>,
}

impl From<ReviewOutcome> for ReviewResult {
    fn from(o: ReviewOutcome) -> Self {
        Self {
            item: o.item,
            ok: o.ok,
            state: o.state,
            record: o.record.map(|r| r.0),
            run: o.run.map(|r| r.0),
            sentence: o.sentence,
            code: o.error.map(|e| e.code),
        }
    }
}

/// What became of a request about several items. The counts add up to the items.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewResults {
    /// Settled as asked: written, dismissed, or open again.
    pub done: usize,
    /// Taken, and not written yet: held for approval, waiting for a run, or another question came up.
    pub waiting: usize,
    /// Refused.
    pub refused: usize,
    /// Each item, in the order of the request.
    pub outcomes: Vec<ReviewResult>,
}

/// The record to link.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct ReviewLink {
    /// Its number.
    #[schema(minimum = 1)]
    record: i64,
}

/// What to do about several items: those named, or everything that waits and fits `tenant` and `why`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct ReviewBulk {
    /// What to do about each.
    action: ReviewDo,
    /// The items, each with the record to link; without one its only candidate is linked.
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    items: Option<Vec<ReviewPick>>,
    /// Instead of `items`: those of this tenant.
    #[schema(nullable = false, minimum = 1)]
    tenant: Option<i64>,
    /// Instead of `items`: those for this reason.
    #[schema(nullable = false)]
    why: Option<Why>,
    /// With `tenant` or `why`: how many items you have seen. With any other number nothing is decided.
    #[schema(nullable = false, minimum = 1, maximum = 1000)]
    count: Option<i64>,
}

/// One item of a request about several.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct ReviewPick {
    /// The item's number.
    #[schema(minimum = 1)]
    id: i64,
    /// The record to link.
    #[schema(nullable = false, minimum = 1)]
    record: Option<i64>,
}

/// What can be done about an item.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word of the body")]
pub enum ReviewDo {
    /// The record is the user: it is linked, and updated.
    Link,
    /// None of them is: a new record is created.
    Create,
    /// The user stays out until the item is opened again.
    Dismiss,
    /// A dismissed item is asked again.
    Reopen,
}

/// A state of an item.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum ItemState {
    /// Waits.
    Open,
    /// A person has chosen, and a run writes it.
    Decided,
    /// What was chosen is written.
    Resolved,
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
pub const STATES: &[(&str, &str)] =
    &[("open", "open"), ("decided", "decided"), ("resolved", "resolved"), ("dismissed", "dismissed"), ("closed", "closed")];

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
    let whys: Vec<_> = ReviewWhy::ALL.iter().map(|w| (w.as_str(), *w)).collect();
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    let filter = ReviewFilter {
        tenant: query.integer("tenant", 1, i64::MAX).map(TenantKey),
        state: query.choice("state", STATES).map(str::to_owned),
        why: query.choice("why", &whys),
        after: query.integer("cursor", 0, i64::MAX).unwrap_or(0),
        limit: limit + 1,
    };
    query.finish()?;
    let rows = state.engine().review_items(&filter).await?;
    Ok(Json(List::of(rows, limit, |r: &ReviewView| r.id.to_string(), ReviewItem::from)))
}

/// A review item.
#[utoipa::path(
    get, path = "/api/v1/review/{id}", tag = "review", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewItem), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewItem>, ApiError> {
    Ok(Json(state.engine().review_item(id).await?.into()))
}

/// What can be done about an item as things stand now, and what was decided about it before.
#[utoipa::path(
    get, path = "/api/v1/review/{id}/choices", tag = "review", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewChoices), Known, Named)
)]
pub async fn choices(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewChoices>, ApiError> {
    let choices = match state.store().review(id).await?.state.as_str() {
        "open" => state.engine().review_choices(id).await?,
        _ => sync::ReviewChoices::default(),
    };
    let mut cannot_link: Vec<_> =
        choices.link.into_iter().map(|(record, sentence)| ReviewRefusal { record: record.0, sentence }).collect();
    cannot_link.sort_by_key(|r| r.record);
    let history = state.engine().review_history(id).await?;
    let history = history.into_iter().map(|d| ReviewDecided {
        at: time(d.at),
        by: d.by,
        action: d.action,
        record: d.record.map(|r| r.0),
        run: d.run.map(|r| r.0),
    });
    Ok(Json(ReviewChoices { cannot_create: choices.create, cannot_link, history: history.collect() }))
}

async fn decide(state: &AppState, operator: &Operator, id: i64, action: ReviewAction) -> Result<Json<ReviewResult>, ApiError> {
    Ok(Json(state.engine().review_decide(id, action, false, &operator.actor).await?.into()))
}

/// Links a record to the item's user, at once and for good. The plan is weighed like any other; when it is held, the item waits for
/// its approval. When somebody else works on the tenant, the run is queued and goes ahead of the others.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/link", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    request_body = ReviewLink,
    responses((status = 200, body = ReviewResult), Known, Named, Bodied, Contested)
)]
pub async fn link(
    operator: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<ReviewResult>, ApiError> {
    let record = body.optional_integer("record", 1);
    if record.is_none() {
        body.fault("record", "This member is required: the number of the record to link.");
    }
    body.finish()?;
    decide(&state, &operator, id, ReviewAction::Link(record.map(PersonId))).await
}

/// Creates a new record for the item's user, at once and for good; otherwise as for linking.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/create", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewResult), Known, Named, Contested)
)]
pub async fn create(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewResult>, ApiError> {
    decide(&state, &operator, id, ReviewAction::Create).await
}

/// Dismisses an open item: its user is left out until somebody opens it again.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/dismiss", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewResult), Known, Named, Contested)
)]
pub async fn dismiss(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewResult>, ApiError> {
    decide(&state, &operator, id, ReviewAction::Dismiss).await
}

/// Opens a dismissed item again, or takes a choice back that is not written yet: its user is planned anew.
#[utoipa::path(
    post, path = "/api/v1/review/{id}/reopen", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The item's number", minimum = 1)),
    responses((status = 200, body = ReviewResult), Known, Named, Contested)
)]
pub async fn reopen(operator: Operator, State(state): State<AppState>, Id(id): Id) -> Result<Json<ReviewResult>, ApiError> {
    decide(&state, &operator, id, ReviewAction::Reopen).await
}

/// Decides about several items, each for itself: the ones named, or everything open that fits, if it is as many as you have seen.
/// The choices of one tenant make one plan, which is weighed as a whole.
#[utoipa::path(
    post, path = "/api/v1/review/decide", tag = "review", security(("token" = ["operate"]), ("session" = [])),
    request_body = ReviewBulk,
    responses((status = 200, body = ReviewResults), Known, Bodied, Contested)
)]
pub async fn bulk(operator: Operator, State(state): State<AppState>, mut body: Body) -> Result<Json<ReviewResults>, ApiError> {
    let words = [
        ("link", ReviewAction::Link(None)),
        ("create", ReviewAction::Create),
        ("dismiss", ReviewAction::Dismiss),
        ("reopen", ReviewAction::Reopen),
    ];
    if body.peek("action").is_none() {
        body.fault("action", "This member is required.");
    }
    let action = body.choice("action", &words, ReviewAction::Dismiss);
    let items = picks(&mut body, action);
    let tenant = body.optional_integer("tenant", 1);
    let whys: Vec<_> = ReviewWhy::ALL.iter().map(|w| (w.as_str(), Some(*w))).collect();
    let why = body.choice("why", &whys, None);
    let count = body.optional_integer("count", 1);
    match (&items, count) {
        (Some(_), _) if tenant.is_some() || why.is_some() || count.is_some() => {
            body.fault("items", "Either name items, or give tenant and why with a count.");
        }
        (None, None) => body.fault("count", "Without items, this is required: how many items you have seen."),
        _ => {}
    }
    body.finish()?;
    let engine = state.engine();
    let done = match items {
        Some(items) => engine.review_decide_many(&items, false, &operator.actor).await?,
        None => {
            let asked = (action == ReviewAction::Reopen).then(|| "dismissed".to_owned());
            let filter = ReviewFilter { tenant: tenant.map(TenantKey), state: asked, why, ..ReviewFilter::default() };
            engine.review_decide_all(&filter, action, count.unwrap_or(0), false, &operator.actor).await?
        }
    };
    Ok(Json(ReviewResults {
        done: done.done,
        waiting: done.waiting,
        refused: done.refused,
        outcomes: done.outcomes.into_iter().map(ReviewResult::from).collect(),
    }))
}

/// The items a body names.
fn picks(body: &mut Body, action: ReviewAction) -> Option<Vec<(i64, ReviewAction)>> {
    let listed = body.peek("items")?.clone();
    body.drop_member("items");
    let Some(listed) = listed.as_array().filter(|l| (1..=BULK_MAX).contains(&l.len())) else {
        body.fault("items", format!("This must be a list of 1 to {BULK_MAX} elements."));
        return None;
    };
    let mut wishes = Vec::with_capacity(listed.len());
    for (at, one) in listed.iter().enumerate() {
        let members = one.as_object().into_iter().flatten();
        let unknown: Vec<_> = members.filter(|(name, _)| !matches!(name.as_str(), "id" | "record")).collect();
        let record = one.get("record").map(|r| whole(r).filter(|n| *n > 0));
        match (one.get("id").and_then(whole).filter(|n| *n > 0), record) {
            (Some(id), None) if unknown.is_empty() => wishes.push((id, action)),
            (Some(id), Some(Some(record))) if unknown.is_empty() && matches!(action, ReviewAction::Link(_)) => {
                wishes.push((id, ReviewAction::Link(Some(PersonId(record)))));
            }
            _ => {
                let form = "This must be an object with the item's number as id and, to link, the record's as record.";
                body.fault(&format!("items/{at}"), form);
            }
        }
    }
    Some(wishes)
}
