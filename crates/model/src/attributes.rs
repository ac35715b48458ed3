//! What a directory says of one user: a small sorted map from Graph's property names to values, and its hashes.

use crate::{Value, text};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
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
///
/// A user read back from the mirror keeps its JSON text, and a value is made of it when somebody asks: a policy reads a handful of the
/// forty, and a plan over a whole tenant took a quarter of its time to make the others and throw them away.
#[derive(Clone, Default)]
pub struct Attributes {
    /// The text that values are made of; empty when all are there.
    json: String,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    name: Cow<'static, str>,
    /// Where the value stands in the text, until it is made.
    place: (usize, usize),
    value: OnceLock<Value>,
}

impl Entry {
    fn new(name: Cow<'static, str>, value: Value) -> Self {
        Self { name, place: (0, 0), value: value.into() }
    }

    fn value<'e>(&'e self, json: &str) -> &'e Value {
        self.value.get_or_init(|| {
            let mut value =
                json.get(self.place.0..self.place.1).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            without_null_parts(&mut value);
            value
        })
    }

    fn into_value(self, json: &str) -> Value {
        self.value(json);
        self.value.into_inner().unwrap_or_default()
    }

    /// The text of a value that is not made yet and stands in JSON as it is.
    fn plain<'j>(&self, json: &'j str) -> Option<&'j str> {
        if self.value.get().is_some() {
            return None;
        }
        let text = json.get(self.place.0..self.place.1)?.strip_prefix('"')?.strip_suffix('"')?;
        (!text.contains('\\')).then_some(text)
    }
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
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            return entries.into_iter().collect();
        }
        Self { json: String::new(), entries: entries.into_iter().map(|(name, value)| Entry::new(name, value)).collect() }
    }

    /// Reads attributes from JSON text that was written from such. All of it is looked over, but values are made only when they are
    /// asked for. A number that no program can hold (`1e999`) is then null.
    ///
    /// # Errors
    /// When the text is not a JSON object.
    pub fn from_json(json: String) -> serde_json::Result<Self> {
        let Places(mut entries) = serde_json::from_str(&json)?;
        let begin = json.as_ptr() as usize;
        for entry in &mut entries {
            entry.place = (entry.place.0 - begin, entry.place.1 - begin);
        }
        if entries.is_sorted_by(|a, b| a.name < b.name) {
            return Ok(Self { json, entries });
        }
        Ok(entries.into_iter().map(|entry| (entry.name.clone(), entry.into_value(&json))).collect())
    }

    /// The value of an attribute; null when it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.entry(name).map_or(NULL, |entry| entry.value(&self.json))
    }

    /// The text of an attribute, if it is a text.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<&str> {
        let entry = self.entry(name)?;
        entry.plain(&self.json).or_else(|| entry.value(&self.json).as_str())
    }

    /// The trimmed text of an attribute, if it is a non-empty text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.str(name).map(text::trim).filter(|s| !s.is_empty())
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
            Ok(i) => self.entries[i].value = value.into(),
            Err(i) => self.entries.insert(i, Entry::new(intern(name), value)),
        }
    }

    /// Lays a later telling over this one: what it names is replaced (null included), what it does not name stays.
    pub fn merge(&mut self, later: Attributes) {
        if self.entries.is_empty() {
            *self = later;
            return;
        }
        for entry in later.entries {
            self.set(entry.name.clone(), entry.into_value(&later.json));
        }
    }

    /// The attributes in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|entry| (entry.name.as_ref(), entry.value(&self.json)))
    }

    /// Hash over what counts as "the user changed in Entra" (F07, ruling 60): without sign-in and licence state, and with absent,
    /// null and empty lists alike. The manager and memberships are not attributes and so not in it.
    #[must_use]
    pub fn change_hash(&self) -> Hash {
        let mut h = Xxh3::new();
        let mut buffer = Vec::with_capacity(128);
        for (name, value) in self.iter() {
            let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if nothing || VOLATILE.contains(&name) {
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

    fn entry(&self, name: &str) -> Option<&Entry> {
        // Few names are of one length: to look at lengths one after the other is faster than to compare texts by halves.
        self.entries.iter().find(|entry| match entry.name {
            Cow::Borrowed(n) => n == name,
            Cow::Owned(ref n) => n == name,
        })
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name.as_ref().cmp(name))
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
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
        let entry = |(name, mut value): (N, Value)| {
            without_null_parts(&mut value);
            Entry::new(intern(name.into()), value)
        };
        let mut entries: Vec<_> = iter.into_iter().map(entry).collect();
        // Stable, so that of two equal names the later stays last and wins below.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.reverse();
        entries.dedup_by(|later, kept| later.name == kept.name);
        entries.reverse();
        Self { json: String::new(), entries }
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.entries.len()))?;
        for (name, value) in self.iter() {
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
                while let Some(Name(name)) = map.next_key()? {
                    entries.push((name, map.next_value()?));
                }
                Ok(Attributes::from_entries(entries))
            }
        }
        d.deserialize_map(Map)
    }
}

/// Entries of a JSON text with the addresses of their values in it.
struct Places(Vec<Entry>);

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Places;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of user attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
                let mut entries = Vec::with_capacity(READ_SET.len());
                while let Some(Name(name)) = map.next_key()? {
                    let text = map.next_value::<&RawValue>()?.get();
                    let begin = text.as_ptr() as usize;
                    entries.push(Entry { name, place: (begin, begin + text.len()), value: OnceLock::new() });
                }
                Ok(Places(entries))
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
    fn attributes_read_back_are_those_that_were_written_whatever_is_asked_first() {
        let written = parse(json!({
            "accountEnabled": true, "businessPhones": ["1", "\"2\""], "city": null, "employeeId": "007", "jobTitle": "a \\ b \u{1F600}\n",
            "onPremisesExtensionAttributes": {"extensionAttribute1": "x", "extensionAttribute2": null}, "otherMails": [],
            "extension_0_a": 1.5, "mail": "", "surname": " Byron "
        }));
        let read = || Attributes::from_json(serde_json::to_string(&written).expect("JSON")).expect("attributes");
        assert_eq!(read(), written);
        assert_eq!(read().change_hash(), written.change_hash());
        assert_eq!(serde_json::to_value(read()).expect("JSON"), serde_json::to_value(&written).expect("JSON"));
        for (name, value) in written.iter() {
            let read = read();
            assert_eq!((read.str(name), read.text(name), read.has(name)), (value.as_str(), written.text(name), true), "{name}");
            assert_eq!(read.get(name), value);
            assert_eq!(read.str(name), value.as_str(), "{name} once it is made");
        }
        let mut changed = read();
        changed.merge(Attributes::from_json(r#"{"mail":"m","surname":null}"#.into()).expect("attributes"));
        assert_eq!(
            (changed.text("mail"), changed.get("surname"), changed.text("employeeId")),
            (Some("m"), &Value::Null, Some("007"))
        );
        changed.set("employeeId", json!("008"));
        assert_eq!(changed.text("employeeId"), Some("008"));
    }

    #[test]
    fn a_text_that_is_no_json_object_is_refused_and_odd_ones_are_read_as_any_other() {
        for text in ["", "{", "[]", r#"{"mail":}"#, r#"{"mail":"a" "b"}"#, r#"{"mail":"\x"}"#, r#"{"a":01}"#, r#"{"a":1}x"#] {
            assert!(Attributes::from_json(text.into()).is_err(), "{text}");
        }
        let odd = r#" { "surname" : "A", "mail": [ "x" ] , "surname" : "B" } "#;
        assert_eq!(Attributes::from_json(odd.into()).expect("attributes"), parse(json!({"mail": ["x"], "surname": "B"})));
    }

    #[test]
    fn of_two_equal_names_the_later_wins() {
        let a: Attributes = serde_json::from_str(r#"{"surname":"A","mail":"m","surname":"B"}"#).expect("attributes");
        assert_eq!(a.text("surname"), Some("B"));
    }
}
