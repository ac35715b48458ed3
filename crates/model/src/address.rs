//! E-mail addresses: the key they are matched by, the address inside a guest's `#EXT#` name, and what a valid address is.

use crate::text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The key under which two e-mail addresses are the same: trimmed, local part case-folded and NFC, domain by UTS-46
/// (non-transitional) to ASCII. There is no dot- or plus-stripping. A domain that is not valid IDNA is lower-cased as it is and
/// marked, so that it never equals a converted one (ruling 56).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressKey(String);

impl AddressKey {
    /// The key of an address, or nothing when the text has no local part or no domain.
    #[must_use]
    pub fn of(address: &str) -> Option<Self> {
        let address = text::trim(address);
        let (local, domain) = address.rsplit_once('@')?;
        if local.is_empty() || domain.is_empty() {
            return None;
        }
        if address.is_ascii() && !domain.contains("xn--") && plain_domain(domain) {
            return Some(Self(address.to_ascii_lowercase()));
        }
        let domain = match idna::domain_to_ascii_strict(domain) {
            Ok(ascii) if !ascii.is_empty() => ascii,
            // U+0000 cannot stand in a converted domain, so the two kinds never meet.
            _ => format!("\u{0}{}", domain.to_lowercase()),
        };
        Some(Self(format!("{}@{domain}", text::fold(local))))
    }

    /// The key's text, for storing and comparing; not for showing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters, digits, inner hyphens and single dots only: what UTS-46 would only lower-case.
fn plain_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an address is well-formed by RFC 6531 (ruling 124): control characters are refused, format characters allowed, and a
/// quoted local part or an address literal is accepted. At most 254 characters.
#[must_use]
pub fn is_valid(address: &str) -> bool {
    !text::has_control(address) && email_address::EmailAddress::from_str(address).is_ok()
}

/// How an address is stored in a record: trimmed, NFC, lower-cased, the domain in the form received (ruling 46).
#[must_use]
pub fn stored(address: &str) -> String {
    text::nfc(address).to_lowercase()
}

/// The address inside a guest's name: `ada_byron_gmail.com#EXT#@tenant` is `ada_byron@gmail.com`. `#EXT#` in any case, the last
/// underscore is the `@` (ruling 58). Nothing when the name has no `#EXT#`.
#[must_use]
pub fn guest_address(user_principal_name: &str) -> Option<String> {
    let at = user_principal_name.to_ascii_lowercase().find("#ext#")?;
    let (local, domain) = user_principal_name[..at].rsplit_once('_')?;
    (!local.is_empty() && !domain.is_empty()).then(|| format!("{local}@{domain}"))
}

/// The parts of an address around its last `@`.
#[must_use]
pub fn split(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(a: &str) -> String {
        AddressKey::of(a).map(|k| k.as_str().to_owned()).unwrap_or_default()
    }

    #[test]
    fn req_m02_addresses_meet_whatever_their_case_form_or_script() {
        assert_eq!(key(" Ada@Acme.Example "), key("ada@acme.example"));
        assert_eq!(key("STRASSE@x.example"), key("straße@x.example"), "the local part folds fully");
        assert_ne!(key("a@straße.example"), key("a@strasse.example"), "IDNA 2008 keeps them apart");
        assert_eq!(key("a@bücher.example"), key("a@xn--bcher-kva.example"));
        assert_eq!(key("e\u{301}va@x.example"), key("\u{c9}va@x.example"));
        assert_ne!(key("a.b@x.example"), key("ab@x.example"), "no dot-stripping");
        assert_ne!(key("a+b@x.example"), key("a@x.example"), "no plus-stripping");
        assert_eq!(AddressKey::of("no-at-sign"), None);
        assert_eq!(AddressKey::of("@x.example"), None);
    }

    #[test]
    fn req_m02_a_guests_own_address_stands_before_ext() {
        assert_eq!(guest_address("ada_byron_gmail.com#EXT#@t.example").as_deref(), Some("ada_byron@gmail.com"));
        assert_eq!(guest_address("ada_gmail.com#ext#@t.example").as_deref(), Some("ada@gmail.com"));
        assert_eq!(guest_address("ada@t.example"), None);
    }

    #[test]
    fn valid_addresses_follow_rfc_6531() {
        for good in ["ada@acme.example", "öst@bücher.example", "o'neil+x@a.example", "\"a b\"@a.example"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "ada", "a@b@c", "ada @acme.example", "a\u{7}@x.example", "a@", "@x"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
