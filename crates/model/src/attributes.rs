//! What a directory says of one user: a small sorted map from Graph's property names to values, and its hashes.

use crate::{Value, text};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use xxhash_rust::xxh3::Xxh3;

/// The version of [`READ_SET`], of what is kept of its values, and of how they are hashed. When a new version changes any of it,
/// stored hashes are re-based and nobody counts as changed (ruling 60).
pub const READ_SET_VERSION: i64 = 3;

/// The properties of a user that are read from every source, sorted by name: all profile properties a delta query can carry.
/// `$select` is this list; mapped directory extensions are added to it (ruling 60).
pub const READ_SET: &[&str] = &[
    "accountEnabled",
    "assignedLicenses",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "creationType",
    "department",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "faxNumber",
    "givenName",
    "id",
    "imAddresses",
    "jobTitle",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "proxyAddresses",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
];

/// Where each name of the read set stands, by a hash of it: a name is looked up thirty times a user, and searching the sorted list
/// took a third of a parser's time.
const PLACES: [u8; 256] = {
    let mut places = [NOWHERE; 256];
    let mut i = 0;
    while i < READ_SET.len() {
        let mut at = place_of(READ_SET[i].as_bytes());
        while places[at as usize] != NOWHERE {
            at = at.wrapping_add(1);
        }
        places[at as usize] = i as u8;
        i += 1;
    }
    places
};

/// No name stands here.
const NOWHERE: u8 = u8::MAX;

/// Spreads names over the table by length and three letters; equal places are told apart by looking on.
const fn place_of(name: &[u8]) -> u8 {
    let n = name.len();
    if n == 0 {
        return 0;
    }
    let letters = name[0].wrapping_mul(31).wrapping_add(name[n / 2].wrapping_mul(7)).wrapping_add(name[n - 1].wrapping_mul(3));
    letters.wrapping_add((n as u8).wrapping_mul(13))
}

/// A name's index in the read set.
#[must_use]
pub fn property(name: &str) -> Option<usize> {
    let mut at = place_of(name.as_bytes());
    // Ends, because the read set fills less than a quarter of the table.
    loop {
        let i = PLACES[usize::from(at)];
        if i == NOWHERE {
            return None;
        }
        if READ_SET[usize::from(i)] == name {
            return Some(usize::from(i));
        }
        at = at.wrapping_add(1);
    }
}

/// Properties that change without the person changing: kept in the mirror, left out of the change hash (ruling 60).
const VOLATILE: &[&str] = &["assignedLicenses", "assignedPlans", "licenseAssignmentStates", "provisionedPlans", "signInActivity"];

/// A user's attributes under Graph's names, sorted by name. Absent and null are kept apart, because Graph means different things
/// by them (contract b, delta rule 5): absent is "not told", null is "has none". `id` and annotations (`@odata…`) are not in it.
///
/// Of a value that has parts (`onPremisesExtensionAttributes`, `employeeOrgData`) those that are null are not kept: such a value is
/// told as a whole, so a part that is null and one that is absent say the same. Graph sends fifteen of them for nearly everybody.
#[derive(Clone, Default, PartialEq)]
pub struct Attributes {
    entries: Vec<(Cow<'static, str>, Value)>,
}

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes entries whose names come from [`READ_SET`] where they are in it. Entries in name order, each name once, cost nothing;
    /// others are sorted, and of two equal names the later wins.
    #[must_use]
    pub fn from_entries(mut entries: Vec<(Cow<'static, str>, Value)>) -> Self {
        entries.iter_mut().for_each(|(_, value)| without_null_parts(value));
        if entries.is_sorted_by(|(a, _), (b, _)| a < b) { Self { entries } } else { entries.into_iter().collect() }
    }

    /// The value of an attribute; null when it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        // Few names are of one length: to look at lengths one after the other is faster than to compare texts by halves.
        let found = self.entries.iter().find(|(n, _)| match n {
            Cow::Borrowed(n) => *n == name,
            Cow::Owned(n) => n == name,
        });
        found.map_or(NULL, |(_, value)| value)
    }

    /// The trimmed text of an attribute, if it is a non-empty text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str().map(text::trim).filter(|s| !s.is_empty())
    }

    /// The texts of a list attribute, without empty ones.
    pub fn texts<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let items = self.get(name).as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(text::trim).filter(|s| !s.is_empty())
    }

    /// Whether the attribute was told at all, be it as null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets one attribute.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, mut value: Value) {
        let name = name.into();
        without_null_parts(&mut value);
        match self.position(&name) {
            Ok(i) => self.entries[i].1 = value,
            Err(i) => self.entries.insert(i, (intern(name), value)),
        }
    }

    /// Lays a later telling over this one: what it names is replaced (null included), what it does not name stays.
    pub fn merge(&mut self, later: Attributes) {
        if self.entries.is_empty() {
            *self = later;
            return;
        }
        for (name, value) in later.entries {
            self.set(name, value);
        }
    }

    /// The attributes in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(n, v)| (n.as_ref(), v))
    }

    /// Hash over what counts as "the user changed in Entra" (F07, ruling 60): without sign-in and licence state, and with absent,
    /// null and empty lists alike. The manager and memberships are not attributes and so not in it.
    #[must_use]
    pub fn change_hash(&self) -> Hash {
        let mut h = Xxh3::new();
        let mut buffer = Vec::with_capacity(128);
        for (name, value) in &self.entries {
            let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if nothing || VOLATILE.contains(&name.as_ref()) {
                continue;
            }
            h.update(name.as_bytes());
            h.update(&[0]);
            match value {
                Value::String(s) => {
                    h.update(&[1]);
                    h.update(&(s.len() as u64).to_le_bytes());
                    h.update(s.as_bytes());
                }
                other => {
                    buffer.clear();
                    // Writing a JSON value into memory has no way to fail; serde_json's maps are sorted, so this is canonical.
                    let _ = serde_json::to_writer(&mut buffer, other);
                    h.update(&[2]);
                    h.update(&(buffer.len() as u64).to_le_bytes());
                    h.update(&buffer);
                }
            }
        }
        Hash(h.digest128().to_be_bytes())
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(n, _)| n.as_ref().cmp(name))
    }
}

/// Takes the parts out of a value that are null.
fn without_null_parts(value: &mut Value) {
    if let Value::Object(parts) = value {
        parts.retain(|_, part| !part.is_null());
    }
}

/// Borrows the read set's own text for its names, so that a parsed user allocates no names.
fn intern(name: Cow<'static, str>) -> Cow<'static, str> {
    property(&name).map_or(name, |i| Cow::Borrowed(READ_SET[i]))
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(iter: I) -> Self {
        let mut entries: Vec<_> = iter.into_iter().map(|(n, v)| (intern(n.into()), v)).collect();
        entries.iter_mut().for_each(|(_, value)| without_null_parts(value));
        // Stable, so that of two equal names the later stays last and wins below.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.reverse();
        entries.dedup_by(|later, kept| later.0 == kept.0);
        entries.reverse();
        Self { entries }
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.entries.len()))?;
        for (name, value) in &self.entries {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of user attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut entries: Vec<(Cow<'static, str>, Value)> = Vec::with_capacity(READ_SET.len());
                let mut sorted = true;
                while let Some(Name(name)) = map.next_key()? {
                    let mut value = map.next_value()?;
                    without_null_parts(&mut value);
                    sorted &= entries.last().is_none_or(|(last, _)| *last < name);
                    entries.push((name, value));
                }
                Ok(if sorted { Attributes { entries } } else { entries.into_iter().collect() })
            }
        }
        d.deserialize_map(Map)
    }
}

/// A property name, borrowed from the read set where it is one of it.
struct Name(Cow<'static, str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(property(name).map_or_else(|| Cow::Owned(name.to_owned()), |i| Cow::Borrowed(READ_SET[i]))))
            }
        }
        d.deserialize_str(Text)
    }
}

/// A 128-bit content hash (XXH3). Not cryptographic: it answers "did this change?", never "may I trust this?".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 16]);

impl Hash {
    /// Hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(text.as_bytes()).to_be_bytes())
    }

    /// Hexadecimal text, 32 digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads what [`Hash::to_hex`] wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a hash is 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(v: Value) -> Attributes {
        serde_json::from_value(v).expect("attributes")
    }

    #[test]
    fn the_read_set_is_sorted_because_lookups_search_it() {
        assert!(READ_SET.is_sorted());
    }

    #[test]
    fn each_name_of_the_read_set_is_found_and_no_other() {
        for (i, name) in READ_SET.iter().enumerate() {
            assert_eq!(property(name), Some(i), "{name}");
        }
        for name in ["", "Mail", "mails", "signInActivity", "é"] {
            assert_eq!(property(name), None, "{name}");
        }
    }

    #[test]
    fn req_f07_absent_null_and_order_do_not_count_as_change_but_values_do() {
        let a = parse(json!({"surname": "Byron", "mail": null, "businessPhones": []}));
        let b = parse(json!({"businessPhones": [], "surname": "Byron"}));
        assert_eq!(a.change_hash(), b.change_hash());
        assert_ne!(a.change_hash(), parse(json!({"surname": "Lovelace"})).change_hash());
        let signed_in = parse(json!({"surname": "Byron", "signInActivity": {"lastSignInDateTime": "2026-01-01T00:00:00Z"}}));
        assert_eq!(a.change_hash(), signed_in.change_hash());
    }

    #[test]
    fn parts_that_are_null_are_not_kept_however_a_value_comes() {
        let told = json!({"extensionAttribute1": null, "extensionAttribute2": "x"});
        let kept = json!({"extensionAttribute2": "x"});
        let name = "onPremisesExtensionAttributes";
        let parsed = parse(json!({ name: told }));
        let collected: Attributes = [(name, told.clone())].into_iter().collect();
        let mut set = Attributes::new();
        set.set(name, told.clone());
        let entries = Attributes::from_entries(vec![(name.into(), told)]);
        for attributes in [parsed, collected, set, entries] {
            assert_eq!(attributes.get(name), &kept);
        }
    }

    #[test]
    fn a_later_telling_replaces_only_what_it_names() {
        let mut a = parse(json!({"surname": "Byron", "jobTitle": "Analyst"}));
        a.merge(parse(json!({"jobTitle": null})));
        assert_eq!(a, parse(json!({"surname": "Byron", "jobTitle": null})));
    }

    #[test]
    fn of_two_equal_names_the_later_wins() {
        let a: Attributes = serde_json::from_str(r#"{"surname":"A","mail":"m","surname":"B"}"#).expect("attributes");
        assert_eq!(a.text("surname"), Some("B"));
    }
}
