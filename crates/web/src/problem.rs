//! RFC 9457 problem details: the one shape of every error of the REST API.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// An error as the API tells it (RFC 9457). `code` is stable and meant for programs; `detail` says what to do next.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells the kinds apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// Which error this is; never changes its meaning.
    #[schema(pattern = "^[a-z0-9_]+$")]
    pub code: String,
    /// What happened and what to do next.
    pub detail: String,
    /// Each fault of the request, if it is about its content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// Name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// Line in the text that the pointer names, from 1 (policy texts).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub line: Option<u32>,
    /// Column in that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub column: Option<u32>,
    /// What is wrong, as a sentence.
    pub detail: String,
}

impl Fault {
    /// A fault of a member of the body.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, line: None, column: None, detail: detail.into() }
    }

    /// A fault of a query parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), line: None, column: None, detail: detail.into() }
    }
}

/// Everything a request can fail with; one variant per thing the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No valid token or session.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Known, but not allowed.
    #[error("{detail}")]
    Forbidden {
        /// Stable code.
        code: &'static str,
        /// What is needed.
        detail: String,
    },
    /// No such thing.
    #[error("{0}")]
    NotFound(String),
    /// The state of the thing does not allow it.
    #[error("{detail}")]
    Conflict {
        /// Stable code.
        code: String,
        /// What stands against it and the next step.
        detail: String,
    },
    /// The request cannot be read.
    #[error("{detail}")]
    BadRequest {
        /// Stable code.
        code: &'static str,
        /// What is wrong.
        detail: String,
        /// Fault by fault.
        faults: Vec<Fault>,
    },
    /// The request can be read and its content is wrong.
    #[error("{detail}")]
    Unprocessable {
        /// Stable code.
        code: String,
        /// What is wrong.
        detail: String,
        /// Fault by fault.
        faults: Vec<Fault>,
    },
    /// A policy that does not hold over what it inherits.
    #[error("the policy has faults; `errors` names each with its place")]
    Policy(Vec<Fault>),
    /// The method does not exist on this path.
    #[error("this address does not take this method")]
    MethodNotAllowed,
    /// The body is not JSON by its content type.
    #[error("send the body as JSON, with `Content-Type: application/json` and without `Content-Encoding`")]
    NotJson,
    /// The body is larger than accepted.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many attempts.
    #[error("too many attempts; try again in {seconds} seconds")]
    TooMany {
        /// When to come again, seconds.
        seconds: u64,
    },
    /// Our own fault. The cause goes to the log, never to the caller.
    #[error("something went wrong on our side; the log names the cause under the id {id}")]
    Internal {
        /// The id under which the log has it.
        id: String,
    },
}

impl ApiError {
    /// Our own fault: logs the cause and keeps it from the caller. The id is a hash of the text, so that equal causes meet.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        let id = model::attributes::Hash::of(&text).to_hex()[..8].to_owned();
        tracing::error!(id, cause = text, "a request failed on our side");
        Self::Internal { id }
    }

    /// No thing of this kind under that name.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("there is no {what} {name}, or it was removed"))
    }

    fn parts(&self) -> (StatusCode, String, &[Fault]) {
        match self {
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated".into(), &[]),
            Self::Forbidden { code, .. } => (StatusCode::FORBIDDEN, (*code).into(), &[]),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found".into(), &[]),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code.clone(), &[]),
            Self::BadRequest { code, faults, .. } => (StatusCode::BAD_REQUEST, (*code).into(), faults),
            Self::Unprocessable { code, faults, .. } => (StatusCode::UNPROCESSABLE_ENTITY, code.clone(), faults),
            // Not 422: whether a text holds depends on the documents stored above it, not on its shape.
            Self::Policy(faults) => (StatusCode::CONFLICT, "policy_invalid".into(), faults),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed".into(), &[]),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json".into(), &[]),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large".into(), &[]),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".into(), &[]),
            Self::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal".into(), &[]),
        }
    }

    /// The status this error is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// The error as a problem document.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, code, faults) = self.parts();
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code,
            detail: sentence(&self.to_string()),
            errors: faults.to_vec(),
        }
    }
}

/// A first capital and a full stop: errors are written as clauses, people read sentences.
#[must_use]
pub fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut text: String = first.to_uppercase().chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status(), [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        match &self {
            Self::Unauthenticated(_) => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooMany { seconds } => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            _ => {}
        }
        response
    }
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> Self {
        use store::StoreError;
        match error {
            StoreError::NotFound { what, id } => Self::not_found(what, id),
            StoreError::Conflict(detail) => Self::Conflict { code: "conflict".into(), detail },
            // What the shape of a request lets through and the store refuses is about the state of things.
            StoreError::Invalid(detail) => Self::Conflict { code: "invalid".into(), detail },
            other => Self::internal(&other),
        }
    }
}

impl From<sync::Error> for ApiError {
    fn from(error: sync::Error) -> Self {
        use sync::Error;
        let code = error.code().to_owned();
        match error {
            Error::Store(inner) => inner.into(),
            Error::Policy(faults) => Self::Policy(crate::api::policies::faults(&faults)),
            Error::Io(inner) => Self::internal(&inner),
            // All others are about the state of things, ours or the directory's: each says its next step.
            other => Self::Conflict { code, detail: other.to_string() },
        }
    }
}
