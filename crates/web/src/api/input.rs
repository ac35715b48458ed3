//! Reading what a caller sends: bodies, query parameters and ids, each fault with its place, all faults at once.

use crate::auth::caller::Refused;
use crate::problem::{ApiError, Fault};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Largest body of an ordinary request in bytes; a policy text may have the whole of it.
pub const BODY_LIMIT: usize = 512 * 1024;

/// A JSON object sent as body, read member by member. [`Body::finish`] refuses what nobody asked for.
#[derive(Debug)]
pub struct Body {
    members: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Body {
    /// Reads a body's bytes.
    ///
    /// # Errors
    /// The text is not JSON (400), or not an object (422).
    pub fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| ApiError::BadRequest {
            code: "malformed_json",
            detail: format!("the body is not JSON: {e}"),
            faults: Vec::new(),
        })?;
        match value {
            Value::Object(members) => Ok(Self { members, faults: Vec::new() }),
            _ => Err(invalid_body(vec![Fault::at("", "The body must be a JSON object.")])),
        }
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str, rule: &Text) -> String {
        match self.members.remove(name) {
            None => {
                self.fault(name, "This member is required.");
                String::new()
            }
            Some(value) => self.take_text(name, &value, rule),
        }
    }

    /// A text that may be missing.
    pub fn optional_text(&mut self, name: &str, rule: &Text) -> Option<String> {
        let value = self.members.remove(name)?;
        Some(self.take_text(name, &value, rule))
    }

    fn take_text(&mut self, name: &str, value: &Value, rule: &Text) -> String {
        let Value::String(text) = value else {
            self.fault(name, "This must be a text.");
            return String::new();
        };
        if let Err(detail) = rule.check(text) {
            self.fault(name, detail);
        }
        model::text::trim(text).to_owned()
    }

    /// A text that must be there, exactly as sent.
    pub fn raw_text(&mut self, name: &str, rule: &Text) -> String {
        let raw = self.members.get(name).and_then(Value::as_str).map(str::to_owned);
        let checked = self.text(name, rule);
        raw.unwrap_or(checked)
    }

    /// One of a few words; `absent` when missing.
    pub fn choice<T: Copy>(&mut self, name: &str, words: &[(&str, T)], absent: T) -> T {
        let Some(value) = self.members.remove(name) else { return absent };
        match words.iter().find(|(word, _)| value.as_str() == Some(word)) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<_> = words.iter().map(|(w, _)| *w).collect();
                self.fault(name, format!("This must be one of: {}.", words.join(", ")));
                absent
            }
        }
    }

    /// A list of one to `words.len()` words, each of a few; one that stands there twice counts once.
    pub fn choices<T: Copy + PartialEq>(&mut self, name: &str, words: &[(&str, T)]) -> Vec<T> {
        let mut chosen = Vec::new();
        match self.members.remove(name) {
            Some(Value::Array(items)) if (1..=words.len()).contains(&items.len()) => {
                for (i, item) in items.iter().enumerate() {
                    match words.iter().find(|(word, _)| item.as_str() == Some(word)) {
                        Some((_, meaning)) if chosen.contains(meaning) => {}
                        Some((_, meaning)) => chosen.push(*meaning),
                        None => {
                            let words: Vec<_> = words.iter().map(|(w, _)| *w).collect();
                            self.fault(&format!("{name}/{i}"), format!("This must be one of: {}.", words.join(", ")));
                        }
                    }
                }
            }
            Some(_) => self.fault(name, format!("This must be a list of 1 to {} elements.", words.len())),
            None => self.fault(name, "This member is required."),
        }
        chosen
    }

    /// A switch; `absent` when missing.
    pub fn switch(&mut self, name: &str, absent: bool) -> bool {
        match self.members.remove(name) {
            None => absent,
            Some(Value::Bool(value)) => value,
            Some(_) => {
                self.fault(name, "This must be true or false.");
                absent
            }
        }
    }

    /// A whole number of at least `min`, if there.
    pub fn optional_integer(&mut self, name: &str, min: i64) -> Option<i64> {
        let value = self.members.remove(name)?;
        let number = whole(&value).filter(|n| *n >= min);
        if number.is_none() {
            self.fault(name, format!("This must be a whole number from {min}."));
        }
        number
    }

    /// Looks at a member without taking it.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Takes a member that was looked at.
    pub fn drop_member(&mut self, name: &str) {
        self.members.remove(name);
    }

    /// Notes a fault of a member.
    pub fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::at(pointer(name), detail));
    }

    /// Ends reading.
    ///
    /// # Errors
    /// All faults found (422), members nobody asked for among them.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let unknown: Vec<String> = self.members.keys().cloned().collect();
        for name in unknown {
            self.faults.push(Fault::at(pointer_to(&name), "This member is not known here."));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(invalid_body(self.faults)) }
    }
}

/// An integer, also when written as `1.0`, which JSON Schema takes for an integer.
pub fn whole(value: &Value) -> Option<i64> {
    if let Some(n) = value.as_i64() {
        return Some(n);
    }
    // Beyond 2^53 a float does not say which integer it means.
    let f = value.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
    (f.fract() == 0.0 && f.abs() <= 9_007_199_254_740_992.0).then_some(f as i64)
}

/// The pointer of a path written with slashes between members, none of which holds one itself.
fn pointer(path: &str) -> String {
    format!("/{path}")
}

/// The pointer of a member with any name (RFC 6901 escapes), shortened where a caller sent something absurd.
fn pointer_to(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    format!("/{}", short.replace('~', "~0").replace('/', "~1"))
}

/// The body's content is wrong.
#[must_use]
pub fn invalid_body(faults: Vec<Fault>) -> ApiError {
    let detail = match faults.len() {
        1 => "one member of the body is wrong; `errors` names it".to_owned(),
        n => format!("{n} members of the body are wrong; `errors` names each"),
    };
    ApiError::Unprocessable { code: "invalid_body".into(), detail, faults }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) || is_encoded(request.headers()) {
            return Err(ApiError::NotJson);
        }
        Self::parse(&bytes(request).await?)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether a body is said to be compressed, which is not undone here: it would not be what it looks like.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A request's whole body, up to [`BODY_LIMIT`].
async fn bytes(request: Request) -> Result<axum::body::Bytes, ApiError> {
    use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
    match axum::body::Bytes::from_request(request, &()).await {
        Ok(bytes) => Ok(bytes),
        Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))) => {
            Err(ApiError::TooLarge { limit: BODY_LIMIT })
        }
        Err(_) => Err(ApiError::BadRequest {
            code: "incomplete_body",
            detail: "the body ended before it was complete".into(),
            faults: Vec::new(),
        }),
    }
}

/// What a text must be like. The OpenAPI document states the same with `minLength`, `maxLength` and `pattern`.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Longest, in code points.
    pub max: usize,
    /// What it may be made of.
    pub form: Form,
}

/// The forms texts take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line with something to read in it: no control characters ([`LINE`]).
    Line,
    /// Any text without NUL.
    Lines,
    /// Visible ASCII without spaces ([`WORD`]).
    Word,
    /// An `http` or `https` origin ([`ORIGIN`]).
    Origin,
    /// Hexadecimal digits ([`HEX`]).
    Hex,
}

/// Pattern of [`Form::Line`]: at least one visible character, no control characters.
pub const LINE: &str = "^[^\\u0000-\\u001F\\u007F-\\u009F]*[^\\u0000-\\u0020\\u007F-\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000][^\\u0000-\\u001F\\u007F-\\u009F]*$";
/// Pattern of [`Form::Word`].
pub const WORD: &str = "^[!-~]+$";
/// Pattern of [`Form::Origin`].
pub const ORIGIN: &str = "^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$";
/// Pattern of [`Form::Hex`].
pub const HEX: &str = "^[0-9a-f]+$";

impl Text {
    /// One line of at most `max` code points.
    #[must_use]
    pub const fn line(max: usize) -> Self {
        Self { max, form: Form::Line }
    }

    /// A text of at most `max` code points.
    #[must_use]
    pub const fn lines(max: usize) -> Self {
        Self { max, form: Form::Lines }
    }

    /// Whether a text is like this; else a sentence.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, text: &str) -> Result<(), String> {
        if text.chars().count() > self.max {
            return Err(format!("This is longer than {} characters.", self.max));
        }
        match self.form {
            Form::Line if model::text::has_control(text) => Err("This holds a control character.".into()),
            Form::Line if model::text::trim(text).is_empty() => Err("This must not be empty.".into()),
            Form::Lines if text.contains('\0') => Err("This holds a NUL character.".into()),
            Form::Word if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) => {
                Err("This must be letters, digits and signs without spaces.".into())
            }
            Form::Hex if text.is_empty() || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                Err("This must be lower-case hexadecimal digits.".into())
            }
            Form::Origin if !is_origin(text) => {
                Err("This must be an address such as https://graph.microsoft.com, without a path.".into())
            }
            _ => Ok(()),
        }
    }
}

/// [`ORIGIN`] by hand.
fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let host_ok = host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.ends_with(|c: char| c.is_ascii_alphanumeric());
    host_ok
        && port.is_none_or(|p| {
            !p.starts_with('0') && (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok()
        })
}

/// Query parameters, read one by one. [`Query::finish`] refuses what nobody asked for.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Query {
    /// Takes a parameter; given twice is a fault.
    pub fn text(&mut self, name: &str, rule: &Text) -> Option<String> {
        let value = self.take(name)?;
        if let Err(detail) = rule.check(&value) {
            self.faults.push(Fault::parameter(name, detail));
        }
        Some(value)
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let value = self.take(name)?;
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(w, _)| *w).collect();
            self.faults.push(Fault::parameter(name, format!("This must be one of: {}.", words.join(", "))));
        }
        found
    }

    /// A whole number from `min` to `max`.
    pub fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.take(name)?;
        let number = digits(&value).filter(|n| (min..=max).contains(n));
        if number.is_none() {
            self.faults.push(Fault::parameter(name, format!("This must be a whole number from {min} to {max}.")));
        }
        number
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(n, _)| n == name)?;
        let (_, value) = self.pairs.remove(at);
        if self.pairs.iter().any(|(n, _)| n == name) {
            self.pairs.retain(|(n, _)| n != name);
            self.faults.push(Fault::parameter(name, "This parameter stands here twice."));
        }
        Some(value)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// All faults found (400), parameters nobody asked for among them.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in &self.pairs {
            let name: String = name.chars().take(100).collect();
            self.faults.push(Fault::parameter(name, "This parameter is not known here."));
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(ApiError::BadRequest {
            code: "invalid_query",
            detail: "a query parameter is wrong; `errors` names it".into(),
            faults: self.faults,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        // Bytes that are no UTF-8 would come out as U+FFFD: what was meant by them is not known, so nothing is looked for.
        let mut faults = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let bytes: Vec<u8> = percent_decode_str(pair).collect();
            if std::str::from_utf8(&bytes).is_err() {
                let name = pair.split('=').next().unwrap_or_default();
                let name = percent_decode_str(name).decode_utf8_lossy().chars().take(100).collect::<String>();
                faults.push(Fault::parameter(name, "This is not UTF-8."));
            }
        }
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { pairs, faults })
    }
}

/// A number without sign or other decoration.
fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The id at the end of a path, as in `/runs/{id}`: anything that is no id names nothing (404).
#[derive(Debug, Clone, Copy)]
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let api = parts.uri.path().starts_with("/api/");
        let missing = || {
            let error = ApiError::NotFound("there is nothing at this address".into());
            if api { Refused::Api(error) } else { Refused::Page(error) }
        };
        let path = axum::extract::RawPathParams::from_request_parts(parts, state).await.map_err(|_| missing())?;
        let (_, text) = path.iter().find(|(name, _)| *name == "id").ok_or_else(missing)?;
        digits(text).filter(|n| *n > 0).map(Id).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_body_is_named_at_once() {
        let mut body = Body::parse(br#"{"name": "", "age": "old", "more/~": 1}"#).unwrap();
        body.text("name", &Text::line(10));
        body.optional_integer("age", 0);
        body.text("missing", &Text::line(10));
        let problem = body.finish().unwrap_err().problem();
        assert_eq!(problem.status, 422);
        let pointers: Vec<_> = problem.errors.iter().filter_map(|f| f.pointer.as_deref()).collect();
        assert_eq!(pointers, ["/name", "/age", "/missing", "/more~1~0"]);
    }

    #[test]
    fn a_body_that_is_not_an_object_is_refused() {
        assert_eq!(Body::parse(b"{").unwrap_err().status(), 400);
        assert_eq!(Body::parse(b"[]").unwrap_err().status(), 422);
    }

    #[test]
    fn one_point_zero_is_one() {
        assert_eq!(whole(&serde_json::json!(1.0)), Some(1));
        assert_eq!(whole(&serde_json::json!(1.5)), None);
        assert_eq!(whole(&serde_json::json!("1")), None);
    }

    #[test]
    fn only_plain_origins_are_origins() {
        for good in ["https://graph.microsoft.com", "http://127.0.0.1:9000", "http://localhost:65535"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "https://", "ftp://x", "https://x/", "https://x:0", "https://x:99999", "https://a@b", "https://-x"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
