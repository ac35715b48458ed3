//! What a directory says of one user: a small sorted map from Graph's property names to values, and its hashes.

mod names;

pub use names::{Name, Named, Place, READ_SET, READ_SET_VERSION, property};

use crate::{Value, text};
use names::{NOWHERE, Which};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::OnceLock;
use xxhash_rust::xxh3::Xxh3;

/// Properties that change without the person changing: kept in the mirror, left out of the change hash (ruling 60).
const VOLATILE: &[&str] = &["assignedLicenses", "assignedPlans", "licenseAssignmentStates", "provisionedPlans", "signInActivity"];

/// A user's attributes under Graph's names, sorted by name. Absent and null are kept apart, because Graph means different things
/// by them (contract b, delta rule 5): absent is "not told", null is "has none". `id` and annotations (`@odata…`) are not in it.
///
/// Of a value that has parts (`onPremisesExtensionAttributes`, `employeeOrgData`) those that are null are not kept: such a value is
/// told as a whole, so a part that is null and one that is absent say the same. Graph sends fifteen of them for nearly everybody.
///
/// What was read as text stays text, and a value is made of it when somebody asks: a policy reads a handful of the forty, and to make
/// the others and throw them away was about a tenth of the time of reading a tenant, and of planning it.
#[derive(Clone, Default)]
pub struct Attributes {
    /// The text that values are made of; empty when all are there.
    json: String,
    /// In name order, each name once.
    entries: Vec<Entry>,
    /// Where each of the read set stands among those of it that were told.
    ranks: Ranks,
}

/// For each name of the read set, how many of it were told before it; [`NOWHERE`] if it was not told itself.
#[derive(Clone)]
struct Ranks([u8; READ_SET.len()]);

impl Default for Ranks {
    fn default() -> Self {
        Self([NOWHERE; READ_SET.len()])
    }
}

impl Ranks {
    fn of(entries: &[Entry]) -> Self {
        let mut ranks = Self::default();
        let known = entries.iter().filter_map(|entry| match entry.name.0 {
            Which::Known(i) => Some(usize::from(i)),
            Which::Other(_) => None,
        });
        for (rank, i) in (0..).zip(known) {
            ranks.0[i] = rank;
        }
        ranks
    }
}

#[derive(Clone)]
struct Entry {
    name: Name,
    /// Where the value stands in the text, as it would be written and without a backslash, until it is made.
    place: (usize, usize),
    value: OnceLock<Value>,
}

impl Entry {
    fn new(name: Name, mut value: Value) -> Self {
        without_null_parts(&mut value);
        Self { name, place: (0, 0), value: value.into() }
    }

    fn late(name: Name, place: (usize, usize)) -> Self {
        Self { name, place, value: OnceLock::new() }
    }

    fn value(&self, json: &str) -> &Value {
        self.value.get_or_init(|| {
            let mut value = self.written(json).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            without_null_parts(&mut value);
            value
        })
    }

    fn into_value(self, json: &str) -> Value {
        self.value(json);
        self.value.into_inner().unwrap_or_default()
    }

    /// A value's JSON, if the value is not made yet.
    fn written<'j>(&self, json: &'j str) -> Option<&'j str> {
        if self.value.get().is_none() { json.get(self.place.0..self.place.1) } else { None }
    }

    /// A value's text, if it is one that is not made yet and stands in JSON as it is.
    fn plain<'j>(&self, json: &'j str) -> Option<&'j str> {
        self.written(json)?.strip_prefix('"')?.strip_suffix('"')
    }
}

/// A value as it is read.
#[derive(Debug)]
pub struct Read<'t>(As<'t>);

#[derive(Debug)]
enum As<'t> {
    /// A text that stands in JSON as it is, without escapes.
    Plain(&'t str),
    /// Any other.
    Value(Value),
}

impl From<Value> for Read<'_> {
    fn from(value: Value) -> Self {
        Self(As::Value(value))
    }
}

/// Attributes while they are read, one after the other.
#[derive(Default)]
pub struct Reading(Attributes);

impl Reading {
    /// Takes one; of two of the same name the later wins.
    pub fn take(&mut self, name: Name, value: Read<'_>) {
        let Attributes { json, entries, .. } = &mut self.0;
        if entries.capacity() == 0 {
            entries.reserve(READ_SET.len());
        }
        match value.0 {
            As::Plain(text) => {
                let begin = json.len();
                json.extend(["\"", text, "\""]);
                entries.push(Entry::late(name, (begin, json.len())));
            }
            As::Value(value) => entries.push(Entry::new(name, value)),
        }
    }

    /// All of them.
    #[must_use]
    pub fn done(self) -> Attributes {
        self.0.in_order()
    }
}

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads attributes from text that [`Self::to_json`] wrote. All of it is looked over, but most values are made only when they are
    /// asked for. A list or object with a number in it that no program can hold (`[1e999]`), which nothing here writes, is then null.
    ///
    /// # Errors
    /// When the text is not a JSON object, or a text or number in it cannot be held.
    pub fn from_json(json: String) -> serde_json::Result<Self> {
        let Places(mut entries) = serde_json::from_str(&json)?;
        let begin = json.as_ptr() as usize;
        for entry in entries.iter_mut().filter(|entry| entry.value.get().is_none()) {
            entry.place = (entry.place.0 - begin, entry.place.1 - begin);
        }
        Ok(Self { json, entries, ranks: Ranks::default() }.in_order())
    }

    /// Writes attributes as JSON: names in order, and the same attributes always the same way.
    ///
    /// # Errors
    /// None that is known: every value can be written.
    pub fn to_json(&self) -> serde_json::Result<String> {
        // As long as what was read; names take about half of it again.
        let mut json = Vec::with_capacity(self.json.len() + self.entries.len() * 24 + 2);
        for entry in &self.entries {
            json.push(if json.is_empty() { b'{' } else { b',' });
            match &entry.name.0 {
                // Names of the read set have nothing to escape.
                Which::Known(_) => {
                    json.push(b'"');
                    json.extend_from_slice(entry.name.as_str().as_bytes());
                    json.push(b'"');
                }
                Which::Other(name) => serde_json::to_writer(&mut json, name)?,
            }
            json.push(b':');
            match entry.written(&self.json) {
                Some(text) => json.extend_from_slice(text.as_bytes()),
                None => serde_json::to_writer(&mut json, entry.value(&self.json))?,
            }
        }
        if json.is_empty() {
            json.push(b'{');
        }
        json.push(b'}');
        String::from_utf8(json).map_err(serde::ser::Error::custom)
    }

    fn in_order(mut self) -> Self {
        let entries = &mut self.entries;
        if !entries.is_sorted_by(|a, b| a.name < b.name) {
            // Stable, so that of two equal names the later stays last and wins below.
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries.reverse();
            entries.dedup_by(|later, kept| later.name == kept.name);
            entries.reverse();
        }
        self.ranks = Ranks::of(&self.entries);
        self
    }

    /// The value of an attribute; null when it is absent.
    #[must_use]
    pub fn get<N: Named + ?Sized>(&self, name: &N) -> &Value {
        const NULL: &Value = &Value::Null;
        self.entry(name).map_or(NULL, |entry| entry.value(&self.json))
    }

    /// The text of an attribute, if it is a text.
    #[must_use]
    pub fn str<N: Named + ?Sized>(&self, name: &N) -> Option<&str> {
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
        self.entry(name).is_some()
    }

    /// Sets one attribute.
    pub fn set(&mut self, name: impl Into<Name>, value: Value) {
        let entry = Entry::new(name.into(), value);
        match self.entries.binary_search_by(|e| e.name.cmp(&entry.name)) {
            Ok(i) => self.entries[i] = entry,
            Err(i) => {
                self.entries.insert(i, entry);
                self.ranks = Ranks::of(&self.entries);
            }
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
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.value(&self.json)))
    }

    /// Hash over what counts as "the user changed in Entra" (F07, ruling 60): without sign-in and licence state, and with absent,
    /// null and empty lists alike. The manager and memberships are not attributes and so not in it.
    #[must_use]
    pub fn change_hash(&self) -> Hash {
        let mut h = Xxh3::new();
        let mut buffer = Vec::with_capacity(128);
        for entry in &self.entries {
            let name = entry.name.as_str();
            if VOLATILE.contains(&name) {
                continue;
            }
            let (kind, bytes) = match entry.plain(&self.json) {
                Some(text) => (1, text.as_bytes()),
                None => match entry.value(&self.json) {
                    Value::Null => continue,
                    Value::Array(items) if items.is_empty() => continue,
                    Value::String(text) => (1, text.as_bytes()),
                    other => {
                        buffer.clear();
                        // Writing a JSON value into memory has no way to fail; serde_json's maps are sorted, so this is canonical.
                        let _ = serde_json::to_writer(&mut buffer, other);
                        (2, buffer.as_slice())
                    }
                },
            };
            h.update(name.as_bytes());
            h.update(&[0, kind]);
            h.update(&(bytes.len() as u64).to_le_bytes());
            h.update(bytes);
        }
        Hash(h.digest128().to_be_bytes())
    }

    fn entry<N: Named + ?Sized>(&self, name: &N) -> Option<&Entry> {
        let i = match name.place() {
            Place::Known(i) => i,
            Place::Other(name) => {
                return self.entries.iter().find(|entry| matches!(&entry.name.0, Which::Other(other) if **other == *name));
            }
        };
        let rank = self.ranks.0[usize::from(i)];
        if rank == NOWHERE {
            return None;
        }
        // Whatever else was told may stand before it, but nearly always nothing else was.
        let others = self.entries.get(usize::from(rank)..)?;
        others.iter().find(|entry| entry.name.0 == Which::Known(i))
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Takes the parts out of a value that are null.
fn without_null_parts(value: &mut Value) {
    if let Value::Object(parts) = value
        && parts.values().any(Value::is_null)
    {
        parts.retain(|_, part| !part.is_null());
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<Name>> FromIterator<(N, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(iter: I) -> Self {
        let entries = iter.into_iter().map(|(name, value)| Entry::new(name.into(), value)).collect();
        Self { json: String::new(), entries, ranks: Ranks::default() }.in_order()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.entries.len()))?;
        for entry in &self.entries {
            match entry.plain(&self.json) {
                Some(text) => map.serialize_entry(entry.name.as_str(), text)?,
                None => map.serialize_entry(entry.name.as_str(), entry.value(&self.json))?,
            }
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
                let mut reading = Reading::default();
                while let Some(name) = map.next_key()? {
                    reading.take(name, map.next_value()?);
                }
                Ok(reading.done())
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
                while let Some(name) = map.next_key()? {
                    let text = map.next_value::<&RawValue>()?.get();
                    // Escapes and numbers can be well written and name what nothing can hold: these tell it now.
                    if text.contains('\\') || text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
                        let value = serde_json::from_str(text).map_err(serde::de::Error::custom)?;
                        entries.push(Entry::new(name, value));
                        continue;
                    }
                    let begin = text.as_ptr() as usize;
                    entries.push(Entry::late(name, (begin, begin + text.len())));
                }
                Ok(Places(entries))
            }
        }
        d.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Read<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Read<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            // Only a text without escapes can be lent.
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Read<'de>, E> {
                Ok(if needs_escapes(text) { Value::from(text).into() } else { Read(As::Plain(text)) })
            }

            fn visit_str<E>(self, text: &str) -> Result<Read<'de>, E> {
                Ok(Value::from(text).into())
            }

            fn visit_unit<E>(self) -> Result<Read<'de>, E> {
                Ok(Value::Null.into())
            }

            fn visit_bool<E>(self, value: bool) -> Result<Read<'de>, E> {
                Ok(Value::from(value).into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Read<'de>, E> {
                Ok(Value::from(value).into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Read<'de>, E> {
                Ok(Value::from(value).into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Read<'de>, E> {
                Ok(Value::from(value).into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Read<'de>, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(seq)).map(Read::from)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Read<'de>, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(map)).map(Read::from)
            }
        }
        d.deserialize_any(Any)
    }
}

/// Whether a text stands in JSON otherwise than as it is.
fn needs_escapes(text: &str) -> bool {
    text.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\')
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
        let mut reading = Reading::default();
        reading.take(name.into(), told.into());
        for attributes in [parsed, collected, set, reading.done()] {
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
        let json = written.to_json().expect("JSON");
        assert_eq!(json, serde_json::to_string(&written).expect("JSON"));
        let read = || Attributes::from_json(json.clone()).expect("attributes");
        assert_eq!(read(), written);
        assert_eq!(read().to_json().expect("JSON"), json);
        let told: Attributes = serde_json::from_str(&json).expect("attributes");
        assert_eq!((told.to_json().expect("JSON"), told.change_hash()), (json.clone(), written.change_hash()));
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
        for text in [
            "",
            "{",
            "[]",
            r#"{"mail":}"#,
            r#"{"mail":"a" "b"}"#,
            r#"{"mail":"\x"}"#,
            r#"{"a":01}"#,
            r#"{"a":1}x"#,
            r#"{"a":1e999}"#,
            r#"{"mail":"\ud800"}"#,
            r#"{"otherMails":["\ud800"]}"#,
        ] {
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
