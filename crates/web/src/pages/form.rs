//! What a page's form sent: fields by name, accepted only with the session's token.

use crate::auth::{Caller, cookie, csrf};
use crate::pages::PageError;
use crate::problem::ApiError;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use std::collections::HashMap;
use std::convert::Infallible;

/// A form's fields. Taking one of these is what checks its token.
#[derive(Debug)]
pub struct Form(HashMap<String, String>);

impl Form {
    /// A field's text, trimmed; empty when it was not sent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        model::text::trim(self.raw(name))
    }

    /// The numbers of fields named `prefix` and a number, in number order: rows that were ticked.
    #[must_use]
    pub fn ticked(&self, prefix: &str) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.0.keys().filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// What follows a prefix in the names of fields that were sent, sorted: boxes that are ticked.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.keys().filter_map(|name| name.strip_prefix(prefix)).collect();
        names.sort_unstable();
        names
    }

    /// A field's text exactly as sent: passwords and policy texts.
    #[must_use]
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        // A browser without a session is known by the cookie that its sign-in form was made for.
        let expected = match request.extensions().get::<Caller>() {
            Some(caller) => caller.csrf.clone(),
            None => cookie::read(request.headers(), cookie::DOOR).map(csrf::token),
        };
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|_| ApiError::BadRequest {
            code: "incomplete_body",
            detail: "the form did not arrive whole; send it again".into(),
            faults: Vec::new(),
        })?;
        let fields: HashMap<String, String> = url::form_urlencoded::parse(&bytes).into_owned().collect();
        let given = fields.get("csrf").map_or("", String::as_str);
        if !expected.is_some_and(|token| csrf::equal(&token, given)) {
            return Err(PageError(ApiError::Forbidden {
                code: "csrf",
                detail: "this form is too old or was not made by this page; load the page again and send it once more".into(),
            }));
        }
        Ok(Self(fields))
    }
}

/// A page's query parameters, forgiving: what is not understood is left out.
#[derive(Debug)]
pub struct Params(HashMap<String, String>);

impl Params {
    /// A parameter's text, at most 200 characters of it; empty when absent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let text = model::text::trim(self.0.get(name).map_or("", String::as_str));
        text.char_indices().nth(200).map_or(text, |(at, _)| &text[..at])
    }

    /// A parameter that is a positive number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok().filter(|n| *n > 0)
    }

    /// The sentence this page was asked to begin with.
    #[must_use]
    pub fn note(&self) -> Option<crate::view::Note> {
        super::note(self.0.get("note").map(String::as_str))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}
