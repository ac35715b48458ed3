//! HTTP as Graph needs it: clients, one exchange with a bounded answer, and nothing about what it means.

use super::connection::is_loopback;
use crate::error::excerpt;
use crate::{SourceError, Trace};
use reqwest::header::{HeaderMap, HeaderName};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The largest answer that is read, decompressed. Graph's pages are 1–2 MB; this only stops something that is not Graph, before what
/// it holds takes several times as much memory.
const LARGEST_BODY: usize = 16 << 20;
/// Errors are read this far; what Graph says is under 2 KB.
const LARGEST_ERROR: usize = 64 << 10;
/// A reachable host answers a connection within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A page may be long in coming, but not silent for longer than this.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// The whole of an answer must be there within this: 2 MB of page at 100 kbit/s. One that trickles would else hold a run for ever.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(180);
/// Who is told to stay away for longer than this asks again all the same: one more refusal costs little, and a mistaken figure would
/// else close a tenant until the program is started again.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// An idle connection is kept this long: shorter than common load balancers' four minutes, so that we close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// Through the proxy the environment names, if any.
    Outside,
    /// This machine, never through a proxy.
    Loopback,
    /// This machine in plain http: needs no certificate store, which a fresh machine may lack.
    Plain,
}

/// The process's HTTP clients, made when first needed.
#[derive(Default)]
pub(crate) struct Wire {
    clients: Mutex<HashMap<(Way, bool), reqwest::Client>>,
}

/// A whole answer.
pub(crate) struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, decompressed; cut short when the status is an error.
    pub body: Vec<u8>,
}

/// No whole answer.
pub(crate) enum Broken {
    /// The host could not be reached, or did not answer in time; the connection's words.
    NoConnection(String),
    /// It was reached, and the answer broke off.
    BrokeOff(String),
    /// The answer was larger than anything Graph sends.
    TooLarge,
}

impl Reply {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Retry-After`, which Graph gives in whole seconds (contract e); a proxy in between may give a date instead (RFC 9110).
    pub fn retry_after(&self, now_ms: i64) -> Option<Duration> {
        let told = self.header("retry-after")?.trim();
        let wait = match told.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let date = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
                // By the clock of whoever answered, where they tell it: ours may go wrong.
                let now_ms = self.header("date").and_then(date).map_or(now_ms, |at| at.as_millisecond());
                Duration::from_millis(u64::try_from(date(told)?.as_millisecond().saturating_sub(now_ms)).unwrap_or(0))
            }
        };
        Some(wait.min(LONGEST_WAIT))
    }

    /// Graph's ids for support.
    pub fn trace(&self) -> Box<Trace> {
        let id = |name| self.header(name).map(crate::error::word);
        Box::new(Trace { request_id: id("request-id"), client_request_id: id("client-request-id") })
    }

    /// The answer in words: status and first bytes.
    pub fn describe(&self) -> String {
        if self.body.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {} and {}", self.status, excerpt(&self.body))
        }
    }
}

impl Wire {
    /// Sends one request and reads the whole answer. `fresh` opens a new connection, as Microsoft asks for after a 503.
    pub async fn exchange(
        &self,
        url: &Url,
        fresh: bool,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Reply, Broken> {
        let client = self.client(url, fresh).map_err(|e| Broken::NoConnection(innermost(&e)))?;
        let mut response = build(&client).send().await.map_err(|e| {
            let words = innermost(&e);
            if e.is_connect() || e.is_timeout() { Broken::NoConnection(words) } else { Broken::BrokeOff(words) }
        })?;
        let status = response.status().as_u16();
        let ok = response.status().is_success();
        let limit = if ok { LARGEST_BODY } else { LARGEST_ERROR };
        let announced = response.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(announced.min(4 << 20));
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
                Ok(Some(_)) if ok => return Err(Broken::TooLarge),
                Ok(Some(chunk)) => {
                    body.extend_from_slice(&chunk[..limit - body.len()]);
                    break;
                }
                Ok(None) => break,
                // The status of an error says enough without the rest of its text.
                Err(_) if !ok => break,
                Err(e) if e.is_timeout() => return Err(Broken::NoConnection(innermost(&e))),
                Err(e) => return Err(Broken::BrokeOff(innermost(&e))),
            }
        }
        Ok(Reply { status, headers: std::mem::take(response.headers_mut()), body })
    }

    fn client(&self, url: &Url, fresh: bool) -> reqwest::Result<reqwest::Client> {
        let way = match (is_loopback(url), url.scheme()) {
            (true, "http") => Way::Plain,
            (true, _) => Way::Loopback,
            (false, _) => Way::Outside,
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(way, fresh)) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("Rollcall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .timeout(WHOLE_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Neither Graph nor the identity platform redirects these calls; a redirect would carry a token or secret elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        if fresh {
            builder = builder.pool_max_idle_per_host(0);
        }
        builder = match way {
            Way::Outside => builder,
            Way::Loopback => builder.no_proxy(),
            Way::Plain => builder.no_proxy().tls_certs_only([]),
        };
        let client = builder.build()?;
        clients.insert((way, fresh), client.clone());
        Ok(client)
    }
}

impl Broken {
    /// The error when this stays after every try.
    pub fn into_error(self, host: String, service: &'static str) -> SourceError {
        match self {
            Self::NoConnection(detail) | Self::BrokeOff(detail) => SourceError::Unreachable { host, detail },
            Self::TooLarge => SourceError::NotGraph {
                host,
                service,
                expected: "a page",
                got: format!("more than {} MiB", LARGEST_BODY >> 20),
                trace: Box::default(),
            },
        }
    }
}

/// The last cause's words, which say what happened; the outer ones only say that something did, and where.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    crate::error::word(&cause.to_string())
}

/// The request header that asks for a place in Graph's queue.
pub(crate) const THROTTLE_PRIORITY: HeaderName = HeaderName::from_static("x-ms-throttle-priority");
/// The request header by which a request is found again.
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
