//! The pages: one file each, with `get` and `post`. A bad form is shown again with its errors; a good one redirects.

pub(crate) mod connect;
pub(crate) mod door;
pub(crate) mod editors;
pub(crate) mod form;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod review;
pub(crate) mod runs;
#[cfg(test)]
mod samples;
pub(crate) mod settings;
pub(crate) mod templates;
pub(crate) mod tenants;
pub(crate) mod users;
pub(crate) mod what_if;

use crate::auth::Caller;
use crate::auth::caller::Scope;
use crate::problem::{ApiError, sentence};
use crate::state::AppState;
use crate::view::{Note, Page, Section, link};
use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;

/// Every page there is.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(overview::get))
        .route("/setup", get(door::setup).post(door::set_up))
        .route("/sign-in", get(door::sign_in).post(door::signed_in))
        .route("/sign-out", post(door::sign_out))
        .route("/connect", get(connect::form).post(connect::connect))
        .route("/connections/{id}", get(connect::show))
        .route("/connections/{id}/test", post(connect::test))
        .route("/connections/{id}/remove", post(connect::remove))
        .route("/tenants", get(tenants::list))
        .route("/tenants/{id}", get(tenants::show))
        .route("/tenants/{id}/map", post(tenants::map))
        .route("/tenants/{id}/unmap", post(tenants::unmap))
        .route("/tenants/{id}/runs", post(tenants::start_run))
        .route("/tenants/{id}/users", get(users::list))
        .route("/tenants/{id}/policy", get(policy::tenant).post(policy::save_tenant))
        .route("/tenants/{id}/policy/what-if", post(what_if::tenant))
        .route("/tenants/{id}/policy/rules", get(editors::rules::tenant).post(editors::rules::edit_tenant))
        .route("/tenants/{id}/policy/rules/count", post(editors::rules::count))
        .route("/tenants/{id}/policy/fields", get(editors::mappings::tenant).post(editors::mappings::edit_tenant))
        .route("/tenants/{id}/policy/roles", get(editors::roles::tenant).post(editors::roles::edit_tenant))
        .route("/tenants/{id}/policy/guard", get(editors::guard::tenant).post(editors::guard::edit_tenant))
        .route("/policy/what-if", post(what_if::default))
        .route("/policy/rules", get(editors::rules::default).post(editors::rules::edit_default))
        .route("/policy/fields", get(editors::mappings::default).post(editors::mappings::edit_default))
        .route("/policy/roles", get(editors::roles::default).post(editors::roles::edit_default))
        .route("/policy/guard", get(editors::guard::default).post(editors::guard::edit_default))
        .route("/users/{id}", get(users::show))
        .route("/people", get(people::list))
        .route("/people/{id}", get(people::show))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/plan", get(plan::show))
        .route("/runs/{id}/approve", post(plan::approve))
        .route("/runs/{id}/reject", post(plan::reject))
        .route("/runs/{id}/revert", post(runs::revert))
        .route("/review", get(review::list).post(review::bulk))
        .route("/review/{id}", get(review::show))
        .route("/review/{id}/link", post(review::link))
        .route("/review/{id}/create", post(review::create))
        .route("/review/{id}/dismiss", post(review::dismiss))
        .route("/review/{id}/reopen", post(review::reopen))
        .route("/policy", get(policy::default).post(policy::save_default))
        .route("/settings", get(settings::show))
        .route("/settings/tokens", post(settings::add_token))
        .route("/settings/tokens/{id}/remove", post(settings::remove_token))
        .route("/settings/invite", post(settings::invite))
}

/// What a page handler answers.
pub(crate) type PageResult<T = Html<String>> = Result<T, PageError>;

/// A page cannot be shown: the error, told to a person.
#[derive(Debug)]
pub struct PageError(pub ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let heading = match &self.0 {
            ApiError::NotFound(_) => "There is nothing here",
            ApiError::Forbidden { .. } => "You may not do this",
            ApiError::Conflict { .. } => "That does not work now",
            ApiError::Internal { .. } => "Something went wrong on our side",
            _ => "That could not be read",
        };
        let page = templates::ErrorPage {
            page: Page { title: heading.into(), ..Page::default() },
            heading: heading.into(),
            detail: sentence(&self.0.to_string()),
            href: "/".into(),
            action: "Go to the overview".into(),
        };
        (status, render(&page).unwrap_or_else(|_| Html(heading.to_owned()))).into_response()
    }
}

/// Renders a template.
pub(crate) fn render(template: &impl Template) -> Result<Html<String>, ApiError> {
    template.render().map(Html).map_err(|e| ApiError::internal(&e))
}

/// `303 See Other`: what a form that worked answers.
pub(crate) fn go(to: impl AsRef<str>) -> Redirect {
    Redirect::to(to.as_ref())
}

/// Goes to a page and says there what was done.
pub(crate) fn go_saying(to: &str, note: &str) -> Redirect {
    Redirect::to(&link(to, &[("note", note)]))
}

/// Sentences that a redirect may ask the next page to show. Only these, so that a link cannot put words into our mouth.
const NOTES: &[(&str, &str, &str)] = &[
    ("approved", "good", "Approved. The plan is being written."),
    ("rejected", "", "Rejected. Nothing was written."),
    ("reverting", "", "This is what takes the run back. Nothing is written until somebody approves it."),
    ("mapped", "good", "The tenant is mapped to the client. The next plan waits for you before anything is written."),
    ("unmapped", "", "The mapping has ended. Nobody was changed."),
    ("resolved", "good", "Written. Sync goes on with this record by itself."),
    ("decided", "warn", "Your choice is kept and not written yet; below stands what it waits for."),
    ("open", "warn", "Your choice is kept, and another question came up first."),
    ("several", "good", "Done, for all of them."),
    ("dismissed", "", "Dismissed. Sync leaves this user alone until somebody opens the item again."),
    ("reopened", "good", "Open again. The next sync looks at this user anew."),
    ("saved", "good", "Saved as a new version. The next run decides by it."),
    ("restored", "good", "The older version is the newest one again. The next run decides by it."),
    ("removed", "", "Removed."),
    ("connected", "good", "Connected. The secret is stored encrypted."),
    ("signed-out", "", "You are signed out."),
    ("welcome", "good", "Welcome. Your account is ready."),
];

/// What every page of a signed-in person knows.
pub(crate) async fn page(state: &AppState, caller: &Caller, at: Section, title: impl Into<String>) -> Result<Page, ApiError> {
    let waiting = overview::waiting(state).await?;
    Ok(Page {
        title: title.into(),
        at,
        who: caller.actor.name.clone(),
        csrf: caller.csrf.clone().unwrap_or_default(),
        to_review: waiting.review,
        held: waiting.held,
        operates: caller.scope >= Scope::Operate,
        administers: caller.scope >= Scope::Admin,
        note: None,
    })
}

/// The note a query asks for, if it is one of ours.
pub(crate) fn note(code: Option<&str>) -> Option<Note> {
    let (_, tone, text) = NOTES.iter().find(|(name, ..)| Some(*name) == code)?;
    Some(Note { tone, text: (*text).to_owned() })
}

/// The answer to an address that is no page.
pub(crate) async fn nothing_here(uri: http::Uri) -> Response {
    let error = ApiError::NotFound("there is nothing at this address; go back, or start from the overview".into());
    if uri.path().starts_with("/api/") { error.into_response() } else { PageError(error).into_response() }
}

/// The answer to a method an address does not take.
pub(crate) async fn wrong_method(uri: http::Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return ApiError::MethodNotAllowed.into_response();
    }
    (StatusCode::METHOD_NOT_ALLOWED, PageError(ApiError::MethodNotAllowed)).into_response()
}
