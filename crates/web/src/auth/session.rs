//! Sessions and API tokens: finding the caller behind a cookie or a bearer token.

use crate::auth::caller::{Caller, Scope};
use crate::auth::{cookie, csrf, secret};
use crate::problem::ApiError;
use crate::state::AppState;
use http::{HeaderMap, HeaderValue, header};
use sync::{Actor, ActorKind};

/// A session nobody used for so long has ended: a day off ends it, a lunch does not. Milliseconds.
const IDLE_MS: i64 = 12 * 60 * 60 * 1000;
/// No session lasts longer, used or not. Milliseconds.
const ABSOLUTE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Who calls: a bearer token first, else the session's cookie, else nobody.
///
/// # Errors
/// A bearer token that is not valid is an error, also beside a good cookie.
pub async fn find(state: &AppState, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        return by_token(state, authorization).await.map(Some);
    }
    match cookie::read(headers, cookie::SESSION) {
        Some(value) => by_session(state, value).await,
        None => Ok(None),
    }
}

async fn by_token(state: &AppState, authorization: &HeaderValue) -> Result<Caller, ApiError> {
    let refused =
        || ApiError::Unauthenticated("this API token is not valid, has ended or was removed; create a new one under Settings");
    let text = authorization.to_str().map_err(|_| refused())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > 200 {
        return Err(refused());
    }
    let found = state.store().api_token(&secret::hash(token.trim()), state.now()).await?.ok_or_else(refused)?;
    let scope = found.scopes.iter().filter_map(|word| Scope::parse(word)).max().ok_or_else(refused)?;
    Ok(Caller { actor: Actor { kind: ActorKind::Token, name: found.name }, scope, csrf: None })
}

async fn by_session(state: &AppState, value: &str) -> Result<Option<Caller>, ApiError> {
    let (hash, now) = (secret::hash(value), state.now());
    // Sessions are stored with their absolute end, which use does not move.
    let Some(session) = state.store().session(&hash, now, now).await? else { return Ok(None) };
    if now - session.used_at >= IDLE_MS {
        state.store().end_session(&hash).await?;
        return Ok(None);
    }
    let account = session.account;
    let scope = Scope::parse(&account.role).unwrap_or(Scope::Read);
    let actor = Actor { kind: ActorKind::Account, name: account.name };
    Ok(Some(Caller { actor, scope, csrf: Some(csrf::token(value)) }))
}

/// Opens a session for an account; gives the cookie.
///
/// # Errors
/// The store's.
pub async fn open(state: &AppState, account: i64) -> Result<HeaderValue, ApiError> {
    let (secret, now) = (secret::Secret::fresh(state, ""), state.now());
    state.store().add_session(&secret.hash(), account, now, now + ABSOLUTE_MS).await?;
    cookie_of(cookie::set(cookie::SESSION, secret.text(), ABSOLUTE_MS / 1000, state.secure()))
}

/// Ends the session of a request; gives the cookie that takes its own away.
///
/// # Errors
/// The store's.
pub async fn close(state: &AppState, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    if let Some(value) = cookie::read(headers, cookie::SESSION) {
        state.store().end_session(&secret::hash(value)).await?;
    }
    cookie_of(cookie::set(cookie::SESSION, "", 0, state.secure()))
}

fn cookie_of(value: Option<HeaderValue>) -> Result<HeaderValue, ApiError> {
    value.ok_or_else(|| ApiError::internal(&std::io::Error::other("a cookie could not be written")))
}
