//! A delta page's text → events, in one pass and without an intermediate tree (contract b, delta rules 1 to 8).
//!
//! What is kept of a value is the value: a `mail` that is a number stays a number, because what is malformed is for the planner to
//! say. What is not asked for and annotations (`@odata…`) are skipped. Nothing here can panic on any text.

use crate::is_extension;
use model::attributes::{Name, Reading, property};
use model::directory::{Event, GroupTold, MemberKind, Removal, UserTold};
use model::{Attributes, SourceId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A delta page as it came.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct DeltaPage {
    /// What it tells, in its order.
    pub events: Vec<Event>,
    /// `@odata.nextLink`.
    pub next: Option<String>,
    /// `@odata.deltaLink`.
    pub delta: Option<String>,
    /// Objects without an id, which Graph never sends but its documentation's examples hold. They make no events.
    pub nameless: usize,
    /// Whether there was a `value` at all.
    pub has_value: bool,
}

/// Parses a page of `/users/delta`.
pub(crate) fn users(text: &[u8]) -> serde_json::Result<DeltaPage> {
    parse(text, |events, object: User| match (object.id, object.removed) {
        (None, _) => false,
        (Some(id), Some(removal)) => {
            events.push(Event::UserRemoved { id, removal });
            true
        }
        (Some(id), None) => {
            events.push(Event::User(UserTold { id, attributes: object.attributes, manager: object.manager }));
            true
        }
    })
}

/// Parses a page of `/groups/delta`.
pub(crate) fn groups(text: &[u8]) -> serde_json::Result<DeltaPage> {
    parse(text, |events, object: Group| {
        let Some(id) = object.id.filter(|id| !id.is_empty()).map(SourceId::new) else { return false };
        if object.removed.is_some() {
            events.push(Event::GroupRemoved { id });
            return true;
        }
        events.push(Event::Group(GroupTold { id: Some(id.clone()), name: object.name, created: object.created }));
        for member in object.members.unwrap_or_default() {
            let (group, kind) = (id.clone(), member.kind());
            match (member.removed, kind) {
                // Why a membership ended is not told (rule 7), and it is ended whatever its member was.
                (Some(_), _) => events.push(Event::MemberRemoved { group, member: SourceId::new(member.id) }),
                (None, Some(kind)) => events.push(Event::MemberAdded { group, member: SourceId::new(member.id), kind }),
                (None, None) => {}
            }
        }
        true
    })
}

fn parse<O: DeserializeOwned>(text: &[u8], mut take: impl FnMut(&mut Vec<Event>, O) -> bool) -> serde_json::Result<DeltaPage> {
    match parse_whole(text, &mut take) {
        // One person's broken name must not keep everybody else's page from being read.
        Err(error) => match without_halves(text) {
            Some(mended) => parse_whole(&mended, &mut take),
            None => Err(error),
        },
        page => page,
    }
}

fn parse_whole<O: DeserializeOwned>(text: &[u8], take: impl FnMut(&mut Vec<Event>, O) -> bool) -> serde_json::Result<DeltaPage> {
    let mut page = DeltaPage::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    PageSeed { page: &mut page, take, object: std::marker::PhantomData::<O> }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(page)
}

/// The text with U+0000 in the place of each half of a surrogate pair, which JSON can write and no text can hold; nothing when there is
/// none. The planner reports a value with a control character as malformed, where U+FFFD would pass for what Entra holds.
fn without_halves(text: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let (mut mended, mut at, mut found) = (Vec::with_capacity(text.len()), 0, false);
    while let Some(byte) = text.get(at) {
        let length = match (byte, unit(at)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            (b'\\', Some(0xd800..=0xdfff)) => {
                found = true;
                mended.extend(b"\\u0000");
                at += 6;
                continue;
            }
            (b'\\', _) => 2,
            _ => 1,
        };
        let end = (at + length).min(text.len());
        mended.extend(&text[at..end]);
        at = end;
    }
    found.then_some(mended)
}

struct PageSeed<'p, F, O> {
    page: &'p mut DeltaPage,
    take: F,
    object: std::marker::PhantomData<O>,
}

impl<'de, F, O> DeserializeSeed<'de> for PageSeed<'_, F, O>
where
    F: FnMut(&mut Vec<Event>, O) -> bool,
    O: Deserialize<'de>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de, F, O> Visitor<'de> for PageSeed<'_, F, O>
where
    F: FnMut(&mut Vec<Event>, O) -> bool,
    O: Deserialize<'de>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page: an object with “value”")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "value" => {
                    self.page.has_value = true;
                    map.next_value_seed(Objects { page: &mut *self.page, take: &mut self.take, object: self.object })?;
                }
                "@odata.nextLink" => self.page.next = map.next_value()?,
                "@odata.deltaLink" => self.page.delta = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Objects<'p, 'f, F, O> {
    page: &'p mut DeltaPage,
    take: &'f mut F,
    object: std::marker::PhantomData<O>,
}

impl<'de, F, O> DeserializeSeed<'de> for Objects<'_, '_, F, O>
where
    F: FnMut(&mut Vec<Event>, O) -> bool,
    O: Deserialize<'de>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, F, O> Visitor<'de> for Objects<'_, '_, F, O>
where
    F: FnMut(&mut Vec<Event>, O) -> bool,
    O: Deserialize<'de>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(object) = seq.next_element::<O>()? {
            self.page.nameless += usize::from(!(self.take)(&mut self.page.events, object));
        }
        Ok(())
    }
}

/// A user as one page has it.
struct User {
    id: Option<SourceId>,
    removed: Option<Removal>,
    attributes: Attributes,
    manager: Option<Option<SourceId>>,
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct UserVisitor;
        impl<'de> Visitor<'de> for UserVisitor {
            type Value = User;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<User, A::Error> {
                let (mut id, mut removed, mut manager) = (None, None, None);
                let mut reading = Reading::default();
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Id => id = Some(map.next_value::<String>()?).filter(|id| !id.is_empty()).map(SourceId::new),
                        Key::Attribute(name) => reading.take(name, map.next_value()?),
                        Key::Removed => removed = map.next_value::<Option<Removed>>()?.map(|r| r.removal()),
                        Key::Manager => manager = manager_of(map.next_value()?).or(manager),
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(User { id, removed, attributes: reading.done(), manager })
            }
        }
        d.deserialize_map(UserVisitor)
    }
}

/// A property's name, as far as it means something here.
enum Key {
    Id,
    Attribute(Name),
    Removed,
    Manager,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "id" => Key::Id,
                    "@removed" => Key::Removed,
                    "manager@delta" => Key::Manager,
                    _ => match property(name) {
                        Some(name) => Key::Attribute(name),
                        None if is_extension(name) => Key::Attribute(name.into()),
                        None => Key::Other,
                    },
                })
            }
        }
        d.deserialize_str(KeyVisitor)
    }
}

/// A group as one page has it.
#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "@removed", default)]
    removed: Option<Removed>,
    #[serde(rename = "displayName", default)]
    name: Option<String>,
    #[serde(rename = "createdDateTime", default)]
    created: Option<String>,
    #[serde(rename = "members@delta", default)]
    members: Option<Vec<Link>>,
}

/// One end of a membership or of a manager relation.
#[derive(Deserialize)]
struct Link {
    #[serde(rename = "@odata.type", default)]
    kind: Option<String>,
    id: String,
    #[serde(rename = "@removed", default)]
    removed: Option<Removed>,
}

impl Link {
    /// What a member is; nothing for kinds that are nobody (devices, contacts, service principals). Graph names the type always;
    /// were it missing, the member counts as a user: one that never shows up as a user changes nothing, a lost one would.
    fn kind(&self) -> Option<MemberKind> {
        match self.kind.as_deref().map(|k| k.trim_start_matches("#microsoft.graph.")) {
            None | Some("user" | "agentUser") => Some(MemberKind::User),
            Some("group") => Some(MemberKind::Group),
            Some(_) => None,
        }
    }
}

/// `manager@delta`: what holds after its entries in their order. Nothing is told by an empty list.
fn manager_of(links: Option<Vec<Link>>) -> Option<Option<SourceId>> {
    let links = links?;
    // A change of manager comes as one removed and one added, in either order: whoever is added is the manager.
    let added = links.iter().rev().find(|l| l.removed.is_none());
    match added {
        Some(link) => Some(Some(SourceId::new(link.id.as_str()))),
        None if links.is_empty() => None,
        None => Some(None),
    }
}

/// `@removed`.
#[derive(Deserialize)]
struct Removed {
    #[serde(default)]
    reason: Option<String>,
}

impl Removed {
    /// `deleted` is for good; anything else, `changed` above all, leaves the way back open.
    fn removal(&self) -> Removal {
        if self.reason.as_deref() == Some("deleted") { Removal::Permanent } else { Removal::Soft }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Value;
    use model::directory::Event;
    use proptest::prelude::*;
    use serde_json::json;

    fn page(objects: &Value) -> Vec<u8> {
        json!({"@odata.context": "…", "value": objects, "@odata.deltaLink": "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=d"})
            .to_string()
            .into_bytes()
    }

    fn user_events(objects: &Value) -> Vec<Event> {
        users(&page(objects)).expect("a page").events
    }

    fn told(objects: &Value) -> UserTold {
        match user_events(objects).pop() {
            Some(Event::User(told)) => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn absent_is_not_null_and_only_what_was_asked_for_is_kept() {
        let text = r##"{"value":[{"@odata.type":"#microsoft.graph.user","surname":"Byron","mail":null,"id":"AAAAAAAA-0000-0000-0000-00000000000F",
            "aboutMe":"poet","extension_0a_costCentre":"7","givenName":"Ada","mail@odata.type":"x"}],"@odata.nextLink":"https://x/"}"##;
        let page = users(text.as_bytes()).expect("a page");
        assert_eq!(page.next.as_deref(), Some("https://x/"));
        let Some(Event::User(told)) = page.events.first() else { panic!("{:?}", page.events) };
        assert_eq!(told.id.as_str(), "aaaaaaaa-0000-0000-0000-00000000000f");
        let names: Vec<&str> = told.attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["extension_0a_costCentre", "givenName", "mail", "surname"]);
        assert!(told.attributes.has("mail") && told.attributes.get("mail").is_null() && !told.attributes.has("jobTitle"));
        assert_eq!(told.manager, None);
    }

    #[test]
    fn a_tombstone_says_whether_there_is_a_way_back() {
        let gone = |reason: Value| user_events(&json!([{"id": "u", "@removed": reason, "displayName": "left over"}]));
        let removed = |removal| vec![Event::UserRemoved { id: "u".into(), removal }];
        assert_eq!(gone(json!({"reason": "changed"})), removed(Removal::Soft));
        assert_eq!(gone(json!({"reason": "deleted"})), removed(Removal::Permanent));
        assert_eq!(gone(json!({})), removed(Removal::Soft));
    }

    #[test]
    fn a_manager_is_told_changed_or_taken_away() {
        let manager = |links: Value| told(&json!([{"id": "u", "manager@delta": links}])).manager;
        let gone = json!({"reason": "deleted"});
        assert_eq!(manager(json!([{"@odata.type": "#microsoft.graph.user", "id": "boss"}])), Some(Some("boss".into())));
        assert_eq!(manager(json!([{"id": "boss", "@removed": gone}])), Some(None));
        assert_eq!(manager(json!([{"id": "new"}, {"id": "old", "@removed": gone}])), Some(Some("new".into())));
        assert_eq!(manager(json!([{"id": "old", "@removed": gone}, {"id": "new"}])), Some(Some("new".into())));
        assert_eq!(manager(json!([])), None);
        assert_eq!(manager(Value::Null), None);
    }

    #[test]
    fn memberships_come_and_go_and_devices_are_nobody() {
        let events = groups(&page(&json!([
            {"id": "g", "displayName": "Staff", "createdDateTime": "2020-01-01T00:00:00Z", "members@delta": [
                {"@odata.type": "#microsoft.graph.user", "id": "u1"},
                {"@odata.type": "#microsoft.graph.group", "id": "g2"},
                {"@odata.type": "#microsoft.graph.device", "id": "d"},
                {"@odata.type": "#microsoft.graph.orgContact", "id": "c"},
                {"@odata.type": "#microsoft.graph.user", "id": "u2", "@removed": {"reason": "deleted"}},
            ]},
            {"id": "g", "members@delta": [{"id": "u3"}]},
            {"id": "g3", "@removed": {"reason": "changed"}},
        ])))
        .expect("a page")
        .events;
        let added = |member: &str, kind| Event::MemberAdded { group: "g".into(), member: member.into(), kind };
        assert_eq!(
            events,
            [
                Event::Group(GroupTold {
                    id: Some("g".into()),
                    name: Some("Staff".into()),
                    created: Some("2020-01-01T00:00:00Z".into())
                }),
                added("u1", MemberKind::User),
                added("g2", MemberKind::Group),
                Event::MemberRemoved { group: "g".into(), member: "u2".into() },
                // A split group repeats with further members; what it does not name again is not told.
                Event::Group(GroupTold { id: Some("g".into()), name: None, created: None }),
                added("u3", MemberKind::User),
                Event::GroupRemoved { id: "g3".into() },
            ]
        );
    }

    #[test]
    fn malformed_values_are_kept_for_the_planner_to_judge() {
        let told = told(
            &json!([{"id": "u", "mail": 5, "otherMails": "not a list", "accountEnabled": "yes", "surname": "x".repeat(100_000)}]),
        );
        assert_eq!(told.attributes.get("mail"), &json!(5));
        assert_eq!(told.attributes.get("otherMails"), &json!("not a list"));
        assert_eq!(told.attributes.text("surname").map(str::len), Some(100_000));
    }

    #[test]
    fn ruling_63_half_a_surrogate_pair_spoils_its_own_value_alone() {
        let text = br#"{"value":[{"id":"u","surname":"a\ud83d\ude00","givenName":"\ud800","jobTitle":"x\udc00\\ud800","mail":"\ud83dx"},{"id":"v","surname":"B"}]}"#;
        let page = users(text).expect("a page");
        let told: Vec<&UserTold> =
            page.events.iter().filter_map(|e| if let Event::User(told) = e { Some(told) } else { None }).collect();
        let texts = ["surname", "givenName", "jobTitle", "mail"].map(|name| told[0].attributes.text(name));
        assert_eq!(texts, [Some("a😀"), Some("\0"), Some("x\0\\ud800"), Some("\0x")]);
        assert_eq!(told[1].attributes.text("surname"), Some("B"));
        assert!(groups(br#"{"value":[{"id":"g","displayName":"\udfff"}]}"#).is_ok());
        assert!(users(br#"{"value":[{"id":"u","surname":"\ud8"#).is_err() && users(br#"{"value":["\ud800"]}"#).is_err());
    }

    #[test]
    fn the_later_of_two_equal_keys_wins_and_empty_pages_are_pages() {
        let text = br#"{"value":[{"id":"u","mail":"a","mail":"b","extension_a_b":1,"extension_a_b":2}]}"#;
        let Event::User(told) = &users(text).expect("a page").events[0] else { panic!("no user") };
        assert_eq!((told.attributes.text("mail"), told.attributes.get("extension_a_b")), (Some("b"), &json!(2)));
        assert_eq!(user_events(&json!([])), []);
    }

    #[test]
    fn what_is_no_page_is_an_error_and_never_a_panic() {
        let deep = format!("{{\"value\":[{{\"id\":\"u\",\"employeeOrgData\":{}1{}}}]}}", "[".repeat(5_000), "]".repeat(5_000));
        for text in [
            "",
            "null",
            "[]",
            "<html>",
            "{\"value\":{}}",
            "{\"value\":[5]}",
            "{\"value\":[{\"id\":7}]}",
            "{\"value\":[]}x",
            deep.as_str(),
        ] {
            assert!(users(text.as_bytes()).is_err(), "{text:.40}");
            assert!(groups(text.as_bytes()).is_err() || text == deep, "{text:.40}");
        }
        assert!(users(b"{\"value\":[{\"id\":\"u\",\"displ").is_err_and(|e| e.is_eof()));
    }

    #[test]
    fn an_object_without_an_id_is_counted_and_makes_no_event() {
        let page = users(&page(&json!([{"displayName": "Adele Vance"}, {"id": ""}, {"id": "u"}]))).expect("a page");
        assert_eq!((page.nameless, page.events.len()), (2, 1));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(noise in proptest::collection::vec(any::<u8>(), 0..64), at in 0_usize..400, cut in 0_usize..40) {
            let mut text = page(&json!([{"id": "u", "mail": "é", "manager@delta": [{"id": "m", "@removed": {}}], "@removed": null}]));
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, noise);
            let _ = users(&text);
            let _ = groups(&text);
        }
    }
}
