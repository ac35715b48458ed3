//! Forms are accepted from our own pages only: a token bound to the session in every form, and the browser's own word about where
//! a request came from.

use http::{HeaderMap, Method, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The token that forms of a session carry: derived from the session's secret, so that only who holds the cookie can tell it, and
/// nothing more has to be stored.
#[must_use]
pub fn token(session_secret: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"rollcall csrf 1\0");
    hasher.update(session_secret.as_bytes());
    hex::encode(hasher.finalize())
}

/// Whether two tokens are the same, compared in constant time.
#[must_use]
pub fn equal(token: &str, given: &str) -> bool {
    token.as_bytes().ct_eq(given.as_bytes()).into()
}

/// Whether a request that changes something comes from our own pages, as far as the browser tells: `Sec-Fetch-Site` where it is
/// sent, else `Origin` against the public address or the host asked for. A program sends neither and is judged by its token.
#[must_use]
pub fn same_origin(method: &Method, headers: &HeaderMap, public_origin: &str) -> bool {
    if method.is_safe() {
        return true;
    }
    if let Some(site) = text(headers, "sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    let Some(origin) = text(headers, header::ORIGIN.as_str()) else { return true };
    if origin == public_origin {
        return true;
    }
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    !host.is_empty() && origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_form_from_another_site_is_refused() {
        let ours = "https://rollcall.example";
        let post = Method::POST;
        assert!(same_origin(&post, &headers(&[("origin", "https://rollcall.example")]), ours));
        assert!(same_origin(&post, &headers(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]), ours));
        assert!(!same_origin(&post, &headers(&[("origin", "https://evil.example"), ("host", "rollcall.example")]), ours));
        assert!(!same_origin(&post, &headers(&[("origin", "null"), ("host", "rollcall.example")]), ours));
        assert!(!same_origin(&post, &headers(&[("sec-fetch-site", "cross-site")]), ours));
        assert!(!same_origin(&post, &headers(&[("sec-fetch-site", "same-site")]), ours));
        assert!(same_origin(&Method::GET, &headers(&[("sec-fetch-site", "cross-site")]), ours), "reading is harmless");
    }

    #[test]
    fn a_token_belongs_to_its_session() {
        assert!(equal(&token("secret"), &token("secret")));
        assert!(!equal(&token("other"), &token("secret")));
        assert!(!equal(&token("secret"), ""));
    }
}
