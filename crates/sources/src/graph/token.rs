//! App tokens: one for each cloud, tenant, app and scope, kept until shortly before they expire (contract a).

use super::connection::{Endpoints, GraphConnection};
use super::tries::{Setback, Tries};
use super::wire::{Broken, Reply, Wire};
use crate::error::word;
use crate::surroundings::Surroundings;
use crate::{SourceError, Trace};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A token is renewed this long before it expires, so that it outlives the slowest page asked with it.
const MARGIN_MS: i64 = 5 * 60 * 1000;
/// The service's name in errors.
const SERVICE: &str = "the Microsoft identity platform";

/// A token in use.
#[derive(Clone)]
pub(crate) struct Token {
    /// What Graph is shown.
    pub value: Arc<SecretString>,
    /// Permissions the token names, where it can be read. It is read without being verified, so this serves only for words.
    pub roles: Option<Arc<[String]>>,
    renew_at: i64,
}

/// The tokens of a process.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<Option<Slot>>>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    token_url: String,
    client_id: String,
    scope: String,
}

struct Slot {
    token: Token,
    /// A token got with another secret says nothing about this one.
    secret: SecretString,
}

/// Who asks for tokens, and how.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub connection: &'a GraphConnection,
    pub endpoints: &'a Endpoints,
    pub wire: &'a Wire,
    pub around: &'a Surroundings,
    /// Told of every request sent, with the bytes of its answer.
    pub count: &'a (dyn Fn(u64) + Sync),
}

impl Tokens {
    /// The token to use now, and whether it was got just now. `refused` is one that Graph did not take: another is got, unless
    /// somebody else got one meanwhile. Only one request for the same token is under way at a time; others wait for its answer.
    pub async fn get(&self, asker: Asker<'_>, refused: Option<&Token>) -> Result<(Token, bool), SourceError> {
        let key = Key {
            token_url: asker.endpoints.token_url.as_str().to_ascii_lowercase(),
            client_id: asker.connection.client_id.clone(),
            scope: asker.endpoints.scope.clone(),
        };
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let mut slot = slot.lock().await;
        let secret = &asker.connection.secret;
        if let Some(Slot { token, secret: with }) = &*slot
            && with.expose_secret() == secret.expose_secret()
            && asker.around.now_ms() < token.renew_at
            && refused.is_none_or(|r| !Arc::ptr_eq(&r.value, &token.value))
        {
            return Ok((token.clone(), false));
        }
        let token = ask(asker).await?;
        *slot = Some(Slot { token: token.clone(), secret: secret.clone() });
        Ok((token, true))
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Seconds,
}

/// Seconds as a number, or as text, which older endpoints write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i64),
    Text(String),
}

impl Seconds {
    fn get(&self) -> Option<i64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Text(t) => t.parse().ok(),
        }
        .filter(|n| *n > 0)
    }
}

async fn ask(asker: Asker<'_>) -> Result<Token, SourceError> {
    let Asker { connection, endpoints, wire, around, count } = asker;
    let mut tries = Tries::default();
    let mut fresh = false;
    loop {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", connection.client_id.trim()),
            ("client_secret", connection.secret.expose_secret()),
            ("scope", &endpoints.scope),
        ];
        let answer =
            wire.exchange(&endpoints.token_url, fresh, |client| client.post(endpoints.token_url.clone()).form(&form)).await;
        count(answer.as_ref().map_or(0, |reply| reply.body.len() as u64));
        let (setback, error) = match answer {
            Ok(reply) if reply.status == 200 => return granted(&reply, endpoints, around),
            Ok(reply) => match refused(&reply, asker, &tries) {
                Refused::Final(error) => return Err(*error),
                Refused::Again(setback, error) => (setback, *error),
            },
            Err(broken) => {
                let setback = match broken {
                    Broken::NoConnection(_) => Setback::NoConnection,
                    Broken::BrokeOff(_) => Setback::Failed,
                    Broken::TooLarge => return Err(broken.into_error(endpoints.login_host(), SERVICE)),
                };
                (setback, broken.into_error(endpoints.login_host(), SERVICE))
            }
        };
        let Some(pause) = tries.next(setback, around) else { return Err(error) };
        tracing::debug!(host = endpoints.login_host(), kind = error.kind(), "asking for a token again");
        fresh = true;
        around.pause(pause).await;
    }
}

fn granted(reply: &Reply, endpoints: &Endpoints, around: &Surroundings) -> Result<Token, SourceError> {
    // The body holds a token, so it is described by its size alone.
    let not_a_token = || SourceError::NotGraph {
        host: endpoints.login_host(),
        service: SERVICE,
        expected: "a token with its time to live",
        got: format!("HTTP 200 and {} bytes without them", reply.body.len()),
        trace: reply.trace(),
    };
    let granted: Granted = serde_json::from_slice(&reply.body).map_err(|_| not_a_token())?;
    // What cannot stand in a header is no token (RFC 6750), and what is empty is none either.
    if granted.access_token.is_empty() || !granted.access_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(not_a_token());
    }
    let lives_ms = granted.expires_in.get().and_then(|s| s.checked_mul(1000)).ok_or_else(not_a_token)?;
    // Tokens may live ten minutes only; of those, a margin of five would be half.
    let use_ms = (lives_ms - MARGIN_MS).max(lives_ms / 5 * 4);
    let roles = roles_of(&granted.access_token);
    Ok(Token { value: Arc::new(granted.access_token.into()), roles, renew_at: around.now_ms().saturating_add(use_ms) })
}

/// The `roles` of a token that happens to be a JWT. Graph's tokens are opaque by contract, so this may fail and prove nothing.
fn roles_of(token: &str) -> Option<Arc<[String]>> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        roles: Vec<String>,
    }
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    Some(claims.roles.into_iter().map(|role| word(&role)).collect())
}

enum Refused {
    Final(Box<SourceError>),
    Again(Setback, Box<SourceError>),
}

/// What a token error says: HTTP status, OAuth `error`, and the AADSTS number.
#[derive(Default)]
struct OAuthError {
    error: String,
    error_description: String,
    error_codes: Vec<u64>,
    suberror: Option<String>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
}

impl OAuthError {
    /// Reads a body, each member for itself: one that is not as documented must not hide what the others say.
    fn read(body: &[u8]) -> Self {
        let told: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        let number = |code: &serde_json::Value| code.as_u64().or_else(|| code.as_str()?.parse().ok());
        Self {
            error: text("error").unwrap_or_default(),
            error_description: text("error_description").unwrap_or_default(),
            error_codes: told["error_codes"].as_array().into_iter().flatten().filter_map(number).collect(),
            suberror: text("suberror"),
            trace_id: text("trace_id"),
            correlation_id: text("correlation_id"),
        }
    }

    fn number(&self) -> u64 {
        let told = || {
            let (_, rest) = self.error_description.split_once("AADSTS")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        self.error_codes.first().copied().or_else(told).unwrap_or(0)
    }
}

fn refused(reply: &Reply, asker: Asker<'_>, tries: &Tries) -> Refused {
    let Asker { connection, endpoints, around, .. } = asker;
    let body = OAuthError::read(&reply.body);
    let (client_id, tenant) = (connection.client_id.clone(), connection.tenant.clone());
    let mut trace = reply.trace();
    if body.trace_id.is_some() {
        *trace =
            Trace { request_id: body.trace_id.as_deref().map(word), client_request_id: body.correlation_id.as_deref().map(word) };
    }
    let number = body.number();
    let code = if number == 0 { word(&body.error) } else { format!("AADSTS{number}") };
    let busy = matches!(reply.status, 429 | 500 | 502 | 503 | 504 | 509)
        || body.error == "temporarily_unavailable"
        || matches!(number, 90033 | 90055 | 90024 | 50196);
    if busy {
        let told = reply.retry_after(around.now_ms());
        let setback = told.map_or(Setback::Failed, Setback::ToldToWait);
        let error = if reply.status == 429 {
            SourceError::Throttled { retry_after: told.unwrap_or(tries.after_giving_up()), trace }
        } else {
            SourceError::Server { host: endpoints.login_host(), code, status: reply.status, said: String::new(), trace }
        };
        return Refused::Again(setback, Box::new(error));
    }
    if body.error.is_empty() {
        return Refused::Final(Box::new(SourceError::NotGraph {
            host: endpoints.login_host(),
            service: SERVICE,
            expected: "a token",
            got: reply.describe(),
            trace,
        }));
    }
    let consent = body.suberror.as_deref() == Some("consent_required") || body.error == "consent_required";
    Refused::Final(Box::new(match (number, body.error.as_str()) {
        (7000222, _) => SourceError::SecretExpired { client_id, trace },
        (7000215 | 7000218, _) => SourceError::WrongSecret { client_id, trace },
        (700016 | 7000229, _) => SourceError::AppNotInTenant { client_id, tenant, trace },
        (7000112, _) => SourceError::AppDisabled { client_id, tenant, trace },
        (90002 | 900021 | 900023 | 9001023, _) | (_, "invalid_tenant") => {
            SourceError::TenantNotFound { tenant, login: endpoints.login_host(), trace }
        }
        (65001 | 65004 | 90094, _) => SourceError::ConsentMissing { permission: "User.Read.All", client_id, tenant, trace },
        _ if consent => SourceError::ConsentMissing { permission: "User.Read.All", client_id, tenant, trace },
        // What it says in words is not repeated: the request held the secret, and whatever answers may echo it.
        // Numbers come and go; what OAuth calls it stays (contract a).
        (_, "invalid_client") => SourceError::WrongSecret { client_id, trace },
        (_, "unauthorized_client") => SourceError::AppNotInTenant { client_id, tenant, trace },
        (_, "invalid_resource" | "invalid_scope") => {
            SourceError::TokenRejected { host: endpoints.graph_host(), login: endpoints.login_host(), code, trace }
        }
        _ => SourceError::Server { host: endpoints.login_host(), code, status: reply.status, said: String::new(), trace },
    }))
}
