//! The door: the one-time link that makes the first account, sign-in and sign-out.

use crate::auth::{Viewer, cookie, csrf, password, secret, session};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{Setup, SignIn};
use crate::pages::{PageError, go, go_saying, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::Page;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use std::net::SocketAddr;

/// Longest account name, in code points.
pub const NAME_LIMIT: usize = 100;

/// How long a browser may look at the sign-in form before its token is too old, seconds.
const DOOR_SECONDS: i64 = 24 * 60 * 60;

/// `GET /sign-in`.
pub async fn sign_in(
    State(state): State<AppState>,
    viewer: Option<Viewer>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, PageError> {
    let (page, fresh) = door_page(&state, viewer, &headers, "Sign in");
    let page = Page { note: params.note(), ..page };
    let any_account = !state.store().accounts().await?.is_empty();
    let next = local(params.text("next")).to_owned();
    let form = SignIn { page, any_account, error: None, next, name: String::new() };
    Ok(with_cookies(render(&form)?, fresh))
}

/// `POST /sign-in`.
pub async fn signed_in(
    State(state): State<AppState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    viewer: Option<Viewer>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, PageError> {
    let (name, now, address) = (form.text("name").to_owned(), state.now(), from.ip());
    if let Err(seconds) = state.attempts().check(address, &name, now) {
        let wait = format!("Too many attempts. Wait {} and try again.", minutes(seconds));
        return again(&state, viewer, &headers, &form, StatusCode::TOO_MANY_REQUESTS, wait).await;
    }
    let password = form.raw("password").to_owned();
    let found = match name.chars().count() {
        1..=NAME_LIMIT => state.store().account_to_sign_in(&name).await?,
        _ => None,
    };
    let (account, stored) = found.map_or((None, None), |(account, stored)| (Some(account), stored));
    let fits = password.len() <= password::MAX_LENGTH
        && state.passwords().verify(password, stored).await.map_err(|e| ApiError::internal(&e))?;
    let Some(account) = account.filter(|_| fits) else {
        state.attempts().failed(address, &name, now);
        tracing::warn!(%address, "somebody failed to sign in");
        let error = "The name or the password is wrong.".to_owned();
        return again(&state, viewer, &headers, &form, StatusCode::UNPROCESSABLE_ENTITY, error).await;
    };
    state.attempts().succeeded(address, &name);
    let cookie = session::open(&state, account.id).await?;
    Ok(with_cookies(go(local(form.raw("next"))), vec![cookie]))
}

async fn again(
    state: &AppState,
    viewer: Option<Viewer>,
    headers: &HeaderMap,
    form: &Form,
    status: StatusCode,
    error: String,
) -> Result<Response, PageError> {
    let (page, fresh) = door_page(state, viewer, headers, "Sign in");
    let (next, name) = (local(form.raw("next")).to_owned(), form.text("name").to_owned());
    let form = SignIn { page, any_account: true, error: Some(error), next, name };
    Ok(with_cookies((status, render(&form)?), fresh))
}

/// `POST /sign-out`.
pub async fn sign_out(State(state): State<AppState>, headers: HeaderMap, _: Form) -> Result<Response, PageError> {
    let gone = session::close(&state, &headers).await?;
    Ok(with_cookies(go_saying("/sign-in", "signed-out"), vec![gone]))
}

/// `GET /setup?token=…`.
pub async fn setup(
    State(state): State<AppState>,
    viewer: Option<Viewer>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, PageError> {
    let (page, fresh) = door_page(&state, viewer, &headers, "Create your account");
    let token = params.text("token");
    let link = state.store().peek_sign_in_link(&secret::hash(token), state.now()).await?;
    let open = link.is_some();
    let name = name_of_link(&state, link.flatten()).await?;
    let status = if open { StatusCode::OK } else { StatusCode::GONE };
    let form = Setup { page, token: open.then(|| token.to_owned()), error: None, name };
    Ok(with_cookies((status, render(&form)?), fresh))
}

/// `POST /setup`.
pub async fn set_up(
    State(state): State<AppState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    viewer: Option<Viewer>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, PageError> {
    let (name, token, now) = (form.text("name"), form.text("token"), state.now());
    if let Err(seconds) = state.attempts().check(from.ip(), "", now) {
        return Err(PageError(ApiError::TooMany { seconds }));
    }
    let link = state.store().peek_sign_in_link(&secret::hash(token), now).await?;
    let Some(for_account) = link else {
        state.attempts().failed(from.ip(), "", now);
        let (page, fresh) = door_page(&state, viewer, &headers, "Create your account");
        let form = Setup { page, token: None, error: None, name: String::new() };
        return Ok(with_cookies((StatusCode::GONE, render(&form)?), fresh));
    };
    let known = state.store().accounts().await?;
    let taken = known.iter().any(|a| Some(a.id) != for_account && model::text::fold(&a.name) == model::text::fold(name));
    let fault = fault_of(name, form.raw("password"), form.raw("again"))
        .or_else(|| taken.then(|| "There is an account of this name already. Choose another name.".to_owned()));
    if let Some(error) = fault {
        let (page, fresh) = door_page(&state, viewer, &headers, "Create your account");
        let form = Setup { page, token: Some(token.to_owned()), error: Some(error), name: name.to_owned() };
        return Ok(with_cookies((StatusCode::UNPROCESSABLE_ENTITY, render(&form)?), fresh));
    }
    let salt = state.random::<16>();
    let hash = state.passwords().hash(form.raw("password").to_owned(), salt).await.map_err(|e| ApiError::internal(&e))?;
    // Whoever uses the link first has it; a second form of the same link ends here.
    if state.store().use_sign_in_link(&secret::hash(token), now).await?.is_none() {
        return Err(PageError(ApiError::Conflict {
            code: "link_used".into(),
            detail: "this link was used a moment ago; sign in instead".into(),
        }));
    }
    let account = match known.into_iter().find(|a| Some(a.id) == for_account) {
        Some(account) => account,
        None => state.store().add_account(name, "admin", now).await?,
    };
    state.store().set_password(account.id, &hash).await?;
    tracing::info!("an account was made with a one-time link");
    let cookie = session::open(&state, account.id).await?;
    Ok(with_cookies(go_saying("/", "welcome"), vec![cookie]))
}

/// The name of the account a link was made for; empty for a new one.
async fn name_of_link(state: &AppState, account: Option<i64>) -> Result<String, ApiError> {
    let Some(id) = account else { return Ok(String::new()) };
    Ok(state.store().accounts().await?.into_iter().find(|a| a.id == id).map(|a| a.name).unwrap_or_default())
}

/// What is wrong with a new account's name or password, as a sentence.
fn fault_of(name: &str, password: &str, again: &str) -> Option<String> {
    let length = name.chars().count();
    if length == 0 || length > NAME_LIMIT || model::text::has_control(name) {
        return Some(format!("Choose a name of 1 to {NAME_LIMIT} characters."));
    }
    if password.chars().count() < password::MIN_LENGTH {
        return Some(format!("The password is too short: at least {} characters.", password::MIN_LENGTH));
    }
    if password.len() > password::MAX_LENGTH {
        return Some("The password is too long.".into());
    }
    if model::text::fold(password) == model::text::fold(name) {
        return Some("The password is the name. Choose another password.".into());
    }
    (password != again).then(|| "The two passwords differ. Type them again.".into())
}

/// A page for somebody who is not signed in, with a token bound to their browser, and the cookie that does so if it is new.
fn door_page(state: &AppState, viewer: Option<Viewer>, headers: &HeaderMap, title: &str) -> (Page, Vec<http::HeaderValue>) {
    let page = |csrf| Page { title: title.into(), csrf, ..Page::default() };
    // Somebody who is signed in may look at the door too; their forms' token is their session's.
    if let Some(csrf) = viewer.and_then(|v| v.csrf.clone()) {
        return (page(csrf), Vec::new());
    }
    if let Some(known) = cookie::read(headers, cookie::DOOR) {
        return (page(csrf::token(known)), Vec::new());
    }
    let fresh = secret::Secret::fresh(state, "");
    let set = cookie::set(cookie::DOOR, fresh.text(), DOOR_SECONDS, state.secure());
    (page(csrf::token(fresh.text())), set.into_iter().collect())
}

fn with_cookies(response: impl IntoResponse, cookies: Vec<http::HeaderValue>) -> Response {
    let mut response = response.into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Where to go after signing in: one of our own paths, whatever the query says.
fn local(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if ours { next } else { "/" }
}

fn minutes(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        1 => "a minute".into(),
        n => format!("{n} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        assert_eq!(local("/people?q=a"), "/people?q=a");
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn a_weak_or_mistyped_password_is_refused_in_words() {
        let ok = "correct horse battery";
        assert_eq!(fault_of("Ada", ok, ok), None);
        assert!(fault_of("Ada", "short", "short").is_some_and(|f| f.contains("12")));
        assert!(fault_of("Ada", ok, "other").is_some());
        assert!(fault_of("", ok, ok).is_some());
        assert!(fault_of("Ada Lovelace King", "ada lovelace king", "ada lovelace king").is_some());
    }
}
