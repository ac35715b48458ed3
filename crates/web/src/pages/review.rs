//! `/review`: what waits for a person, candidates side by side.

use crate::api::input::Id;
use crate::auth::{Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::plan::names;
use crate::pages::templates::{Column, Review, ReviewPage, ReviewRow};
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Chip, Mark, Names, Page, Pager, Section, When, label, link, show as value_of};
use axum::extract::State;
use axum::response::Redirect;
use model::{Field, PersonId, TenantKey};
use std::collections::HashMap;
use store::{ReviewFilter, StoreError};

/// Items on a page.
const ROWS: i64 = 50;

const STATES: [(&str, &str); 3] = [("open", "Waiting"), ("dismissed", "Dismissed"), ("closed", "Settled by itself")];

/// Fields that are compared, in this order.
const COMPARED: [Field; 9] = [
    Field::FIRST_NAME,
    Field::LAST_NAME,
    Field::EMAIL,
    Field::USERNAME,
    Field::CLIENT,
    Field::JOB_TITLE,
    Field::PHONE,
    Field::ROLE,
    Field::EMPLOYEE_ID,
];

fn state_mark(state: &str) -> Mark {
    match state {
        "open" => Mark::new("warn", "waits"),
        "dismissed" => Mark::new("", "dismissed"),
        _ => Mark::new("good", "settled"),
    }
}

/// `GET /review`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult {
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Review, "Review").await? };
    let chosen = STATES.iter().map(|(s, _)| *s).find(|s| *s == params.text("state")).unwrap_or("open");
    let (tenant, after) = (params.number("tenant"), params.number("after"));
    let filter = ReviewFilter {
        tenant: tenant.map(TenantKey),
        state: Some(chosen.to_owned()),
        why: None,
        after: after.unwrap_or(0),
        limit: ROWS + 1,
    };
    let mut items = state.store().reviews(&filter).await?;
    let more = items.len() > usize::try_from(ROWS).unwrap_or(0);
    items.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = items.last().filter(|_| more).map(|i| i.id.to_string());
    let tenant = tenant.map(|t| t.to_string()).unwrap_or_default();
    let chips = STATES.iter().map(|(s, text)| Chip {
        href: link("/review", &[("state", s), ("tenant", &tenant)]),
        text: (*text).into(),
        count: String::new(),
        current: *s == chosen,
    });
    let chips = chips.collect();
    let pager = Pager::new("/review", &[("state", chosen), ("tenant", &tenant)], after.map(|_| ""), next.as_deref());
    let tenants: HashMap<TenantKey, String> = state.store().tenants().await?.into_iter().map(|t| (t.key, t.name)).collect();
    let rows = items.into_iter().map(|i| ReviewRow {
        id: i.id,
        user: i.user_name,
        question: i.item.why.sentence(),
        tenant: tenants.get(&i.tenant).cloned().unwrap_or_default(),
        state: state_mark(&i.state),
        at: When::ago(i.opened_at),
    });
    Ok(render(&Review { page, chips, rows: rows.collect(), pager })?)
}

/// `GET /review/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let review = state.store().review(id).await?;
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Review, review.user_name.clone()).await? };
    let names = names(&state).await?;
    let user = state.store().user(review.item.user).await?;
    let attribute = |name: &str| user.attributes.text(name).unwrap_or_default().to_owned();
    let facts = [
        ("givenName", "First name"),
        ("surname", "Last name"),
        ("mail", "Mail"),
        ("userPrincipalName", "Principal name"),
        ("companyName", "Company"),
        ("jobTitle", "Job title"),
        ("employeeId", "Employee ID"),
    ];
    let mut columns = vec![Column {
        title: review.user_name.clone(),
        href: Some(format!("/users/{}", review.item.user)),
        mark: Mark::presence(user.presence),
        facts: facts.iter().map(|(name, label)| ((*label).to_owned(), attribute(name))).collect(),
    }];
    for candidate in &review.item.candidates {
        if let Some(column) = candidate_column(&state, *candidate, &names).await? {
            columns.push(column);
        }
    }
    let action = match review.state.as_str() {
        "open" => Some(("dismiss", "Dismiss: leave this user out")),
        "dismissed" => Some(("reopen", "Open again")),
        _ => None,
    };
    let help = match review.state.as_str() {
        "open" => {
            "The item settles by itself when its cause goes away: a record is mended, a client is mapped, or a name becomes free. \
             Dismissing leaves the user out until somebody opens the item again."
        }
        "dismissed" => "Sync leaves this user alone. Open the item again to have the next run look at them anew.",
        _ => "The cause went away, and sync went on by itself.",
    };
    Ok(render(&ReviewPage {
        page,
        id,
        user: review.user_name,
        state: state_mark(&review.state),
        question: review.item.why.sentence(),
        action,
        evidence: review.item.evidence.iter().map(ToString::to_string).collect(),
        columns,
        help,
    })?)
}

/// A candidate's column; none when the record is gone since.
async fn candidate_column(state: &AppState, id: PersonId, names: &Names) -> Result<Option<Column>, ApiError> {
    let person = match state.store().person(id).await {
        Ok(person) => person,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let facts = COMPARED.iter().map(|field| (label(field.as_str()), value_of(field, &person.get(field), names)));
    let mut facts: Vec<_> = facts.collect();
    facts.push(("Tickets".into(), person.tickets.to_string()));
    Ok(Some(Column {
        title: person.display_name(),
        href: Some(format!("/people/{id}")),
        mark: Mark::status(person.status),
        facts,
    }))
}

/// `POST /review/{id}/dismiss`.
pub async fn dismiss(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    state.engine().review_dismiss(id, &operator.actor).await?;
    Ok(go_saying(&format!("/review/{id}"), "dismissed"))
}

/// `POST /review/{id}/reopen`.
pub async fn reopen(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    state.engine().review_reopen(id, &operator.actor).await?;
    Ok(go_saying(&format!("/review/{id}"), "reopened"))
}
