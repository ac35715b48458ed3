//! One question to Graph until it is answered: paced, with a token, tried again where that helps, and refusals put into words.

use super::GraphSource;
use super::quota::Told;
use super::token::{Asker, Token};
use super::tries::{Setback, Tries};
use super::wire::{Broken, CLIENT_REQUEST_ID, Reply, THROTTLE_PRIORITY};
use crate::error::{said, word};
use crate::{Priority, SourceError};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

/// The service's name in errors.
pub(crate) const SERVICE: &str = "Microsoft Graph";

/// The smallest tenants' units of a window (contract e).
const MOST_UNITS: u32 = 3_500;

/// How an answer's body is read.
pub(crate) type Parse<T> = fn(&[u8]) -> serde_json::Result<T>;

/// Reads a body that is one JSON value.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

/// Graph's code for what a tenant without a premium licence is not given (contract b, sign-ins).
const NON_PREMIUM: &str = "Authentication_RequestFromNonPremiumTenantOrB2CTenant";

/// A kind of question.
#[derive(Debug)]
pub(crate) struct Route {
    /// Its name in the statistics.
    pub name: &'static str,
    /// What it does, for messages.
    pub what: &'static str,
    /// Resource units before anything is known (contract e; delta calls count as "everything else").
    pub units: u32,
    /// Permissions of which any one allows it; the first is the one we ask for.
    pub permissions: &'static [&'static str],
}

/// A question.
pub(crate) struct Ask<'a> {
    pub route: &'static Route,
    pub url: Url,
    /// Whether the address is a link Graph gave earlier, so that a refusal means that the position is lost (contract b, rule 12).
    pub stored: bool,
    /// What is expected, for messages.
    pub expected: &'static str,
    /// Where to stop trying with another token: a connection test has just got one.
    pub token: Option<&'a Token>,
}

/// What Graph's error body says.
struct GraphFault {
    code: String,
    message: String,
    /// The more telling code, which the documentation's error page puts into the inner part.
    inner_code: Option<String>,
    request_id: Option<String>,
    client_request_id: Option<String>,
}

impl GraphFault {
    /// Reads a body, each member for itself; both spellings of the inner part occur, even in one body. None when it is no error of
    /// Graph's.
    fn read(body: &[u8]) -> Option<Self> {
        let told: serde_json::Value = serde_json::from_slice(body).ok()?;
        let error = told.get("error").filter(|error| error.is_object())?;
        let text = |of: &serde_json::Value, name: &str| of[name].as_str().map(str::to_owned);
        let inner = |name: &str| text(&error["innerError"], name).or_else(|| text(&error["innererror"], name));
        Some(Self {
            code: text(error, "code").unwrap_or_default(),
            message: text(error, "message").unwrap_or_default(),
            inner_code: inner("code"),
            request_id: inner("request-id"),
            client_request_id: inner("client-request-id"),
        })
    }
}

/// What to do after one try.
enum After {
    Final(Box<SourceError>),
    Again(Setback, Box<SourceError>),
    NewToken(Box<SourceError>),
}

impl GraphSource {
    /// Asks until there is an answer that parses, or an error that stays.
    pub(super) async fn get<T>(&self, ask: Ask<'_>, parse: Parse<T>) -> Result<T, SourceError> {
        let around = &self.graph.around;
        let mut tries = Tries::default();
        let (mut token, mut token_is_new) = match ask.token {
            Some(token) => (token.clone(), true),
            None => self.token(None).await?,
        };
        let mut fresh = false;
        loop {
            let waited = self.graph.governor.spend(&self.account, ask.route.units, self.priority, around).await;
            // Another request of this tenant was told to stay away for long: that holds for this one too.
            let waited = waited.map_err(|retry_after| SourceError::Throttled { retry_after, trace: Box::default() })?;
            self.count(|stats| stats.waited += waited);
            let answer = self.try_once(&ask, &token, fresh).await;
            let after = match answer {
                Ok(reply) if reply.status == 200 => match parse(&reply.body) {
                    Ok(value) => return Ok(value),
                    Err(fault) => self.garbage(&ask, &reply, &fault),
                },
                Ok(reply) => self.refused(&ask, &reply, &token, &tries),
                Err(broken) => {
                    let setback = match broken {
                        Broken::NoConnection(_) => Setback::NoConnection,
                        Broken::BrokeOff(_) => Setback::Failed,
                        Broken::TooLarge => return Err(broken.into_error(self.endpoints.graph_host(), SERVICE)),
                    };
                    After::Again(setback, Box::new(broken.into_error(self.endpoints.graph_host(), SERVICE)))
                }
            };
            let error = match after {
                After::Final(error) => return Err(*error),
                After::NewToken(error) if token_is_new => return Err(*error),
                After::NewToken(error) => {
                    // Perhaps somebody else got it a moment ago: newer than the refused one, it is the one extra try all the same.
                    token = self.token(Some(&token)).await?.0;
                    token_is_new = true;
                    error
                }
                After::Again(setback, error) => {
                    let Some(pause) = tries.next(setback, around) else { return Err(*error) };
                    // After a 503 or a broken connection the next try opens a new one (contract f).
                    fresh =
                        !matches!(setback, Setback::ToldToWait(_)) || matches!(*error, SourceError::Server { status: 503, .. });
                    self.count(|stats| stats.waited += pause);
                    around.pause(pause).await;
                    error
                }
            };
            let trace = error.trace().cloned().unwrap_or_default();
            tracing::debug!(
                route = ask.route.name,
                tenant = self.connection.tenant,
                kind = error.kind(),
                request_id = trace.request_id,
                client_request_id = trace.client_request_id,
                "asking Graph again"
            );
            self.count(|stats| stats.retries += 1);
        }
    }

    /// The token to use, and whether it was got just now.
    pub(super) async fn token(&self, refused: Option<&Token>) -> Result<(Token, bool), SourceError> {
        let count = |bytes| {
            self.count(|stats| {
                *stats.requests.entry("token").or_default() += 1;
                stats.bytes += bytes;
            });
        };
        let asker = Asker {
            connection: &self.connection,
            endpoints: &self.endpoints,
            wire: &self.graph.wire,
            around: &self.graph.around,
            count: &count,
        };
        self.graph.tokens.get(asker, refused).await
    }

    async fn try_once(&self, ask: &Ask<'_>, token: &Token, fresh: bool) -> Result<Reply, Broken> {
        let id = self.graph.around.request_id();
        let answer = self
            .graph
            .wire
            .exchange(&ask.url, fresh, |client| {
                let request = client.get(ask.url.clone()).bearer_auth(token.value.expose_secret()).header(CLIENT_REQUEST_ID, &id);
                match self.priority {
                    Priority::Person => request.header(THROTTLE_PRIORITY, "High"),
                    Priority::Background => request,
                }
            })
            .await;
        let told = answer.as_ref().map_or(Told::default(), |reply| Told {
            // No request costs more than all there is in a window; a figure beyond that is none.
            units: reply.header("x-ms-resource-unit").and_then(|v| v.trim().parse().ok()).filter(|units| *units <= MOST_UNITS),
            used: reply
                .header("x-ms-throttle-limit-percentage")
                .and_then(|v| v.trim().parse().ok())
                .filter(|used: &f64| used.is_finite()),
        });
        self.graph.governor.told(&self.account, ask.route.units, told, &self.graph.around);
        self.count(|stats| {
            *stats.requests.entry(ask.route.name).or_default() += 1;
            stats.resource_units += u64::from(told.units.unwrap_or(ask.route.units));
            stats.bytes += answer.as_ref().map_or(0, |reply| reply.body.len() as u64);
        });
        answer
    }

    /// A 200 that does not parse. Where the text just ends, the rest was lost on the way and the page is asked for again.
    fn garbage(&self, ask: &Ask<'_>, reply: &Reply, fault: &serde_json::Error) -> After {
        let error = Box::new(SourceError::NotGraph {
            host: self.endpoints.graph_host(),
            service: SERVICE,
            expected: ask.expected,
            got: format!("{} (line {}, column {})", reply.describe(), fault.line(), fault.column()),
            trace: reply.trace(),
        });
        if fault.is_eof() && !reply.body.is_empty() { After::Again(Setback::Failed, error) } else { After::Final(error) }
    }

    fn refused(&self, ask: &Ask<'_>, reply: &Reply, token: &Token, tries: &Tries) -> After {
        let fault = GraphFault::read(&reply.body);
        let mut trace = reply.trace();
        if let Some(told) = &fault {
            let kept = |header: Option<String>, told: &Option<String>| header.or_else(|| told.as_deref().map(word));
            trace.request_id = kept(trace.request_id.take(), &told.request_id);
            trace.client_request_id = kept(trace.client_request_id.take(), &told.client_request_id);
        }
        // Whoever answers has seen the token, and may echo it.
        let harmless = |f: &&GraphFault| !f.message.contains(token.value.expose_secret());
        let said = fault.as_ref().filter(harmless).map(|f| said(&f.message)).unwrap_or_default();
        let code = fault.as_ref().map(|f| word(&f.code)).unwrap_or_default();
        let host = self.endpoints.graph_host();
        let status = reply.status;
        let server =
            |trace| Box::new(SourceError::Server { host: host.clone(), code: code.clone(), status, said: said.clone(), trace });
        match status {
            429 => {
                let told = reply.retry_after(self.graph.around.now_ms());
                self.count(|stats| stats.throttled += 1);
                let wait = told.unwrap_or(Duration::ZERO);
                let scope = reply.header("x-ms-throttle-scope");
                self.graph.governor.refused(&self.account, scope, wait, &self.graph.around);
                let retry_after = told.unwrap_or_else(|| tries.after_giving_up());
                After::Again(
                    told.map_or(Setback::Failed, Setback::ToldToWait),
                    Box::new(SourceError::Throttled { retry_after, trace }),
                )
            }
            500 | 502 | 503 | 504 | 509 => {
                let told = reply.retry_after(self.graph.around.now_ms());
                After::Again(told.map_or(Setback::Failed, Setback::ToldToWait), server(trace))
            }
            // A 400 or 404 that is not Graph's own (a proxy's page) says nothing about the position, which is kept.
            400 | 404 | 410 if ask.stored && (status == 410 || fault.is_some()) => {
                let code = if code.is_empty() { format!("HTTP {status}") } else { code };
                After::Final(Box::new(SourceError::Resync { code, trace }))
            }
            // A lost position may also come with another 40x; its code tells (contract b, rule 12).
            402..=499 if ask.stored && fault.as_ref().is_some_and(is_lost_position) => {
                After::Final(Box::new(SourceError::Resync { code, trace }))
            }
            401 if fault.is_some() || reply.header("www-authenticate").is_some() => {
                After::NewToken(Box::new(SourceError::TokenRejected { host, login: self.endpoints.login_host(), code, trace }))
            }
            403 if code.eq_ignore_ascii_case(NON_PREMIUM) => {
                let tenant = self.connection.tenant.clone();
                After::Final(Box::new(SourceError::NeedsPremium { what: ask.route.what, tenant, trace }))
            }
            403 if fault.is_some() => {
                let (client_id, tenant) = (self.connection.client_id.clone(), self.connection.tenant.clone());
                let named = token.roles.as_deref().is_some_and(|roles| allows(ask.route, roles));
                After::NewToken(Box::new(if named {
                    SourceError::PermissionDenied { what: ask.route.what, code, client_id, tenant, trace }
                } else {
                    SourceError::ConsentMissing { permission: ask.route.permissions[0], client_id, tenant, trace }
                }))
            }
            _ if fault.as_ref().is_some_and(|f| !f.code.is_empty()) => After::Final(server(trace)),
            _ => After::Final(Box::new(SourceError::NotGraph {
                host,
                service: SERVICE,
                expected: ask.expected,
                got: reply.describe(),
                trace,
            })),
        }
    }
}

/// Whether any of these permissions allows the route.
pub(super) fn allows(route: &Route, roles: &[String]) -> bool {
    roles.iter().any(|role| route.permissions.contains(&role.as_str()))
}

/// `syncStateNotFound` and `resyncRequired`, in any case, at either place.
fn is_lost_position(fault: &GraphFault) -> bool {
    let inner = fault.inner_code.as_deref().unwrap_or_default();
    [fault.code.as_str(), inner].iter().any(|code| {
        ["syncStateNotFound", "resyncRequired", "Directory_ExpiredPageToken"].iter().any(|known| code.eq_ignore_ascii_case(known))
    })
}
