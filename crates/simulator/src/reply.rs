//! What is answered, before it becomes an HTTP response or an item of a batch.

use serde_json::{Value, json};

use crate::clock::iso;
use crate::directory::Refused;

/// Content type of every JSON answer of Graph (contract section f).
pub const GRAPH_JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the ones every answer carries.
    pub headers: Vec<(&'static str, String)>,
    /// Content type; none without a body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer of Graph with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![], content_type: Some(GRAPH_JSON), body }
    }

    /// An answer of Graph with a JSON value.
    #[must_use]
    pub fn value(status: u16, body: &Value) -> Self {
        Self::json(status, body.to_string().into_bytes())
    }

    /// A plain JSON answer, as of the identity platform and the control API.
    #[must_use]
    pub fn plain(status: u16, body: &Value) -> Self {
        Self { content_type: Some("application/json; charset=utf-8"), ..Self::value(status, body) }
    }

    /// 204.
    #[must_use]
    pub fn nothing() -> Self {
        Self { status: 204, headers: vec![], content_type: None, body: vec![] }
    }
}

/// An error of Graph.
#[derive(Debug, Clone)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// `error.code`.
    pub code: String,
    /// `error.message`.
    pub message: String,
    /// Headers that belong to it.
    pub headers: Vec<(&'static str, String)>,
}

impl Fault {
    /// Any error.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), headers: vec![] }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 400 `Request_BadRequest`.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    /// 400 `Request_UnsupportedQuery`.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    /// 404 for an object.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            404,
            "Request_ResourceNotFound",
            format!("Resource '{what}' does not exist or one of its queried reference-property objects are not present."),
        )
    }

    /// 403 of a missing permission.
    #[must_use]
    pub fn denied() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// 401, with the challenge.
    #[must_use]
    pub fn unauthorized(message: &str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message)
            .with("www-authenticate", "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"")
    }

    /// 429; without `retry_after` the header is left out.
    #[must_use]
    pub fn throttled(retry_after: Option<u64>) -> Self {
        let fault =
            Self::new(429, "TooManyRequests", "Too many requests. Please retry after the time given in the Retry-After header.");
        match retry_after {
            Some(seconds) => fault.with("retry-after", seconds.to_string()),
            None => fault,
        }
    }

    /// The answer, as section f shows it.
    #[must_use]
    pub fn reply(&self, now_ms: i64, request_id: &str, client_request_id: &str) -> Reply {
        let date = iso(now_ms / 1000);
        let body = json!({"error": {"code": self.code, "message": self.message, "innerError": {
            "date": date.trim_end_matches('Z'), "request-id": request_id, "client-request-id": client_request_id }}});
        Reply { headers: self.headers.clone(), ..Reply::value(self.status, &body) }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound(what) => Self::not_found(&what),
            Refused::Invalid(why) | Refused::Conflict(why) => Self::bad_request(why),
        }
    }
}
