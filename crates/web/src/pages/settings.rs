//! `/settings`: API tokens, accounts, and what was done.

use crate::api::input::Id;
use crate::api::tokens::{NAME, drop_token, make};
use crate::auth::caller::Scope;
use crate::auth::{Admin, Caller};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{AuditRow, Settings, TokenRow};
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Page, Pager, Section, When, plain};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;

/// Lines of the audit log on a page.
const AUDIT: i64 = 30;
/// How long an invitation can be used: a day, so that it works across time zones and not for ever. Milliseconds.
const INVITE_MS: i64 = 24 * 60 * 60 * 1000;

/// What a page shows once.
#[derive(Default)]
struct Shown {
    token: Option<String>,
    link: Option<String>,
    error: Option<String>,
    before: Option<i64>,
}

/// `GET /settings`.
pub async fn show(admin: Admin, State(state): State<AppState>, params: Params) -> PageResult<Response> {
    let shown = Shown { before: params.number("after"), ..Shown::default() };
    let note = params.note();
    Ok(settings(&state, &admin, shown, |page| Page { note, ..page }).await?.into_response())
}

async fn settings(state: &AppState, caller: &Caller, shown: Shown, with: impl FnOnce(Page) -> Page) -> PageResult {
    let tokens = state.store().api_tokens().await?.into_iter().map(|t| TokenRow {
        id: t.id,
        name: t.name,
        scopes: t.scopes.join(", "),
        created: When::at(t.created_at),
        used: t.used_at.map_or_else(|| "never".to_owned(), When::ago),
    });
    let role = |role: &str, enabled: bool| if enabled { role.to_owned() } else { format!("{role}, switched off") };
    let accounts = state.store().accounts().await?.into_iter().map(|a| (a.name, role(&a.role, a.enabled)));
    let mut audit = state.store().audit(shown.before, AUDIT + 1).await?;
    let more = audit.len() > usize::try_from(AUDIT).unwrap_or(0);
    audit.truncate(usize::try_from(AUDIT).unwrap_or(0));
    let next = audit.last().filter(|_| more).map(|a| a.id.to_string());
    let audit =
        audit.into_iter().map(|a| AuditRow { at: When::ago(a.at), what: what(&a.action, &a.subject, &a.detail), who: a.actor });
    let template = Settings {
        page: with(page(state, caller, Section::Settings, "Settings").await?),
        new_token: shown.token,
        new_link: shown.link,
        error: shown.error,
        tokens: tokens.collect(),
        accounts: accounts.collect(),
        audit: audit.collect(),
        pager: Pager::new("/settings", &[], shown.before.map(|_| ""), next.as_deref()),
    };
    Ok(render(&template)?)
}

/// One thing that was done, as a line.
fn what(action: &str, subject: &str, detail: &model::Value) -> String {
    let action = action.replace(['.', '_'], " ");
    let detail = detail.as_object().map(|members| {
        let members = members.iter().map(|(name, value)| format!("{name}: {}", plain(value)));
        format!(" ({})", members.collect::<Vec<_>>().join(", "))
    });
    format!("{action}: {subject}{}", detail.unwrap_or_default())
}

/// `POST /settings/tokens`.
pub async fn add_token(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let name = form.text("name");
    let made = match (NAME.check(name), Scope::parse(form.text("scope"))) {
        (Err(detail), _) => Err(detail),
        (Ok(()), None) => Err("Choose what the token may do.".to_owned()),
        (Ok(()), Some(most)) => {
            let scopes: Vec<_> = Scope::WORDS.iter().map(|(_, s)| *s).filter(|s| *s <= most).collect();
            match make(&state, &admin, name, &scopes).await {
                Ok((_, secret)) => Ok(secret),
                Err(ApiError::Conflict { detail, .. }) => Err(detail),
                Err(other) => return Err(other.into()),
            }
        }
    };
    let (status, shown) = match made {
        Ok(secret) => (StatusCode::CREATED, Shown { token: Some(secret.text().to_owned()), ..Shown::default() }),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, Shown { error: Some(error), ..Shown::default() }),
    };
    Ok((status, settings(&state, &admin, shown, |page| page).await?).into_response())
}

/// `POST /settings/tokens/{id}/remove`.
pub async fn remove_token(admin: Admin, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    drop_token(&state, &admin, id).await?;
    Ok(go_saying("/settings", "removed"))
}

/// `POST /settings/invite`.
pub async fn invite(admin: Admin, State(state): State<AppState>, _: Form) -> PageResult<Response> {
    let path = crate::new_account_link(&state, INVITE_MS).await?;
    state.engine().audit(&admin.actor, "account.invite", "a new administrator", model::Value::Null).await?;
    let shown = Shown { link: Some(path), ..Shown::default() };
    Ok((StatusCode::CREATED, settings(&state, &admin, shown, |page| page).await?).into_response())
}
