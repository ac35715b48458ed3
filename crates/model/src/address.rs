//! E-mail addresses: the key they are matched by, the address inside a guest's `#EXT#` name, and what a valid address is.

use crate::text;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use std::fmt;

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
        let (local, domain) = split(address)?;
        if local.is_empty() || domain.is_empty() {
            return None;
        }
        if plain_domain(domain) && address.is_ascii() {
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

/// Labels only, none of which is encoded: what UTS-46 would only lower-case.
fn plain_domain(domain: &str) -> bool {
    domain.len() <= 253 && are_labels(domain) && !(domain.contains('-') && domain.contains("xn--"))
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Longest local part, in octets (RFC 5321, 4.5.3.1.1).
const LOCAL_OCTETS: usize = 64;

/// Longest domain, in octets (RFC 5321, 4.5.3.1.2).
const DOMAIN_OCTETS: usize = 255;

/// Longest label of a domain, in octets (RFC 1035, 2.3.4).
const LABEL_OCTETS: usize = 63;

/// Whether an address is a mailbox by RFC 6531 (ruling 124): control characters are refused, every other character outside ASCII
/// is allowed, format characters and combining marks among them; a quoted local part or an address literal is accepted, a name
/// beside the address is not.
#[must_use]
pub fn is_valid(address: &str) -> bool {
    let Some((local, domain)) = split(address) else { return false };
    !text::has_control(address) && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    if local.len() > LOCAL_OCTETS {
        return false;
    }
    match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => is_quoted(quoted),
        None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom)),
    }
}

/// `atext` of RFC 5322 and, by RFC 6531, everything outside ASCII.
fn is_atom(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// What stands between quotes: a quote or a backslash only after a backslash, and after one only ASCII.
fn is_quoted(quoted: &str) -> bool {
    let mut escaped = false;
    for c in quoted.chars() {
        escaped = match c {
            _ if escaped && !c.is_ascii() => return false,
            _ if escaped => false,
            '\\' => true,
            '"' => return false,
            _ => false,
        };
    }
    !escaped
}

fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return is_literal(literal);
    }
    if domain.is_ascii() {
        return domain.len() <= DOMAIN_OCTETS && are_labels(domain);
    }
    // What is written in other scripts must have a form that the name system can carry, and no hyphen at the ends of a label in either.
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore);
    ascii.is_ok_and(|ascii| ascii.len() <= DOMAIN_OCTETS && are_labels(&ascii))
}

/// Letters, digits and inner hyphens, at most 63 (RFC 1035, 2.3.4), and single dots between them.
fn are_labels(domain: &str) -> bool {
    // Byte by byte, since this is asked several times about every user: how long the label is by now, and what came last.
    let (mut length, mut last) = (0, b'.');
    for byte in domain.bytes() {
        match byte {
            b'.' if length > 0 && last != b'-' => length = 0,
            b'-' if length > 0 => length += 1,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => length += 1,
            _ => return false,
        }
        if length > LABEL_OCTETS {
            return false;
        }
        last = byte;
    }
    length > 0 && last != b'-'
}

/// An address of the network in the place of a domain: `192.0.2.1` or `IPv6:2001:db8::1` (RFC 5321, 4.1.3).
fn is_literal(literal: &str) -> bool {
    match literal.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => is_ipv6(&literal[5..]),
        _ => is_ipv4(literal),
    }
}

/// Four numbers up to 255 of one to three digits each; unlike to the standard library, zeros may lead (`Snum`).
fn is_ipv4(text: &str) -> bool {
    let is_number = |n: &str| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()) && n.parse::<u8>().is_ok();
    text.split('.').count() == 4 && text.split('.').all(is_number)
}

/// Eight groups of one to four hexadecimal digits, the last two perhaps as an IPv4 address; `::` stands for two or more groups, where the
/// standard library would let it stand for one.
fn is_ipv6(text: &str) -> bool {
    // How many groups a part has, or nothing when one of them is none. Only the very last may be an IPv4 address, which counts as two.
    let groups = |part: &str, last: bool| -> Option<usize> {
        let items: Vec<&str> = part.split(':').filter(|_| !part.is_empty()).collect();
        let is_group = |g: &str| (1..=4).contains(&g.len()) && g.bytes().all(|b| b.is_ascii_hexdigit());
        let (count, fits) = match items.split_last() {
            Some((ipv4, before)) if last && is_ipv4(ipv4) => (before.len() + 2, before.iter().all(|g| is_group(g))),
            _ => (items.len(), items.iter().all(|g| is_group(g))),
        };
        fits.then_some(count)
    };
    match text.split_once("::") {
        Some((left, right)) => groups(left, false).zip(groups(right, true)).is_some_and(|(l, r)| l + r <= 6),
        None => groups(text, true) == Some(8),
    }
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
    // Addresses are short, and a search made for long texts would cost more than it saves.
    let at = address.bytes().rposition(|byte| byte == b'@')?;
    Some((&address[..at], &address[at + 1..]))
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
        assert_eq!(key("a@A-b.x1.Example"), "a@a-b.x1.example");
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
        let good = [
            "ada@acme.example",
            "o'neil+x@a.example",
            "\"a b\"@a.example",
            "\"a@b\\\"\"@a.example",
            "ada@[192.0.2.1]",
            "ada@[IPv6:2001:db8::1]",
            "ada@localhost",
            "öst@bücher.example",
            "jose\u{301}@bu\u{308}cher.example",
            "a\u{200d}b\u{202e}@a.example",
            "👩\u{200d}💻@a.example",
            "用户@例子.广告",
        ];
        for good in good {
            assert!(is_valid(good), "{good:?}");
        }
        let bad = [
            "",
            "ada",
            "@",
            "a@",
            "@x",
            "a@b@c",
            "ada @acme.example",
            "Ada <ada@acme.example>",
            "a,b@x.example",
            ".a@x.example",
            "a..b@x.example",
            "a.@x.example",
            "a@b..example",
            "a@x.example.",
            "a@-b.example",
            "a@b_c.example",
            "a@[1.2.3]",
            "\"a\"b\"@a.example",
            "a\u{7}@x.example",
            "a\u{85}@x.example",
        ];
        for bad in bad {
            assert!(!is_valid(bad), "{bad:?}");
        }
        assert!(is_valid(&format!("{}@x.example", "a".repeat(64))) && !is_valid(&format!("{}@x.example", "a".repeat(65))));
    }

    /// A label by itself, said plainly.
    fn is_label(label: &str) -> bool {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    }

    proptest::proptest! {
        #[test]
        fn a_domain_is_read_as_its_labels_would_be(domain in "([a-cA-Cx0n_-]{0,4}[.-]{0,2}){0,5}(xn--)?(a{60,64})?") {
            proptest::prop_assert_eq!(are_labels(&domain), domain.split('.').all(is_label));
        }
    }
}
