//! Our cookies: the session's, and the one that ties the sign-in form to a browser before there is a session.

use http::{HeaderMap, HeaderValue, header};

/// The session's cookie.
pub const SESSION: &str = "rollcall_session";
/// The cookie of a browser that is not signed in: its forms' tokens are bound to it.
pub const DOOR: &str = "rollcall_door";

/// A cookie of a request.
#[must_use]
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, v)| *n == name && !v.is_empty() && v.len() <= 200)
        .map(|(_, v)| v)
}

/// Sets a cookie for `seconds`; 0 takes it away. The value is ours: URL-safe base64.
#[must_use]
pub fn set(name: &str, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_never_readable_by_scripts() {
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("a=1; rollcall_session=xyz; b=2"))]);
        assert_eq!(read(&headers, SESSION), Some("xyz"));
        assert_eq!(read(&headers, DOOR), None);
        let set = set(SESSION, "xyz", 60, true).unwrap();
        assert_eq!(set, "rollcall_session=xyz; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }
}
