//! The PSA's side: clients, sites, people, and how a person is linked to a user.

use crate::attributes::Hash;
use crate::{ClientId, PersonId, RuleId, SiteId, SourceId, TenantKey, UserKey, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// A field of a person, by the name it has in policies, the REST API and the store: one of [`Field::STANDARD`] or a custom field.
/// Fields are in the order of their names.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Field(Name);

/// Most fields of most people are standard ones, which are compared as numbers. No custom field has the name of a standard one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    /// A place in [`SORTED`].
    Standard(u8),
    /// How many of [`SORTED`] come before it, and the name.
    Custom(u8, Cow<'static, str>),
}

/// Values of fields, by name.
pub type Fields = BTreeMap<Field, Value>;

macro_rules! standard_fields {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        impl Field {
            $($(#[$doc])* pub const $constant: Field = Field::named($name);)*

            /// The standard fields' names, in the order they are shown.
            pub const STANDARD: &'static [&'static str] = &[$($name),*];
        }
    };
}

standard_fields! {
    /// Given name.
    FIRST_NAME = "first_name";
    /// Family name; mandatory (ruling 104).
    LAST_NAME = "last_name";
    /// Log-in name; mandatory for agents.
    USERNAME = "username";
    /// Main e-mail address.
    EMAIL = "email";
    /// Further e-mail addresses: a list.
    ADDITIONAL_EMAILS = "additional_emails";
    /// Office phone.
    PHONE = "phone";
    /// Mobile phone.
    MOBILE = "mobile";
    /// Job title.
    JOB_TITLE = "job_title";
    /// Employee id.
    EMPLOYEE_ID = "employee_id";
    /// Member or guest, as mapped (R15).
    USER_TYPE = "user_type";
    /// The manager's record id.
    MANAGER = "manager";
    /// Last sign-in.
    LAST_SIGN_IN = "last_sign_in";
    /// The client's id.
    CLIENT = "client";
    /// The site's id.
    SITE = "site";
    /// Role: what the person may do.
    ROLE = "role";
    /// Further roles: a sorted list.
    EXTRA_ROLES = "extra_roles";
    /// Agent licence type: named or concurrent.
    LICENCE_TYPE = "licence_type";
    /// Change advisory boards: a sorted list of ids.
    CABS = "cabs";
    /// active, inactive or archived.
    STATUS = "status";
    /// Whether the person may log in.
    ACCESS = "access";
}

/// The standard fields' names in their own order.
const SORTED: [&str; Field::STANDARD.len()] = {
    let mut sorted = [""; Field::STANDARD.len()];
    let mut i = 0;
    while i < sorted.len() {
        let (mut rank, mut j) = (0, 0);
        while j < sorted.len() {
            rank += is_before(Field::STANDARD[j].as_bytes(), Field::STANDARD[i].as_bytes()) as usize;
            j += 1;
        }
        sorted[rank] = Field::STANDARD[i];
        i += 1;
    }
    sorted
};

/// Whether a text sorts before another, where constants are made.
const fn is_before(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

impl Field {
    /// A field by name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "there are twenty of them")]
        match SORTED.binary_search(&name) {
            Ok(place) => Self(Name::Standard(place as u8)),
            Err(place) => Self(Name::Custom(place as u8, Cow::Owned(name.to_owned()))),
        }
    }

    /// The same for a name that is known when the program is built.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        let mut place = 0;
        while place < SORTED.len() && is_before(SORTED[place].as_bytes(), name.as_bytes()) {
            place += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are twenty of them")]
        let at = place as u8;
        if place < SORTED.len() && !is_before(name.as_bytes(), SORTED[place].as_bytes()) {
            Self(Name::Standard(at))
        } else {
            Self(Name::Custom(at, Cow::Borrowed(name)))
        }
    }

    /// The field's name.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Standard(place) => SORTED[usize::from(*place)],
            Name::Custom(_, name) => name,
        }
    }

    /// Whether the field holds an e-mail address or a list of them.
    #[must_use]
    pub fn is_address(&self) -> bool {
        *self == Self::EMAIL || *self == Self::ADDITIONAL_EMAILS
    }

    /// Whether a change of this field changes how the record is found: e-mail, username, client (guard, ruling 85).
    #[must_use]
    pub fn is_key(&self) -> bool {
        *self == Self::EMAIL || *self == Self::USERNAME || *self == Self::CLIENT
    }
}

impl Ord for Field {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Name::Standard(a), Name::Standard(b)) => a.cmp(b),
            (Name::Standard(a), Name::Custom(b, _)) => {
                if a < b {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Name::Custom(a, _), Name::Standard(b)) => {
                if b < a {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Name::Custom(a, x), Name::Custom(b, y)) => a.cmp(b).then_with(|| x.cmp(y)),
        }
    }
}

impl PartialOrd for Field {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({:?})", self.as_str())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(d)?;
        Ok(Field::new(&name))
    }
}

/// What a person is in the PSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Works in the PSA.
    Agent,
    /// A person at a client.
    Contact,
}

impl Kind {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Agent => "agent",
            Kind::Contact => "contact",
        }
    }

    /// The other kind.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Kind::Agent => Kind::Contact,
            Kind::Contact => Kind::Agent,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record's status, for both kinds (ruling 18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Deactivated; everything is kept.
    Inactive,
    /// Put aside by a kind change; never a candidate for matching.
    Archived,
}

impl Status {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Inactive => "inactive",
            Status::Archived => "archived",
        }
    }
}

/// A person record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The record id. It never changes, so tickets and other links stay (M02).
    pub id: PersonId,
    /// Agent or contact.
    pub kind: Kind,
    /// The client, for contacts.
    pub client: Option<ClientId>,
    /// The site of the client.
    pub site: Option<SiteId>,
    /// Status.
    pub status: Status,
    /// Whether the person may log in; false after access was revoked.
    pub access: bool,
    /// Log-in name.
    pub username: Option<String>,
    /// Main e-mail address.
    pub email: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Role.
    pub role: Option<String>,
    /// All other fields that hold a value: phones, job title, further addresses, custom fields, …
    pub fields: Fields,
    /// The root user: exempt from any access change (R12).
    pub root: bool,
    /// Pinned wholly, or by field: sync reports and leaves it.
    pub pinned: Option<Pin>,
    /// Open and closed tickets that name this person.
    pub tickets: i64,
    /// Invoices that name this person.
    pub invoices: i64,
    /// Roles beyond the person itself (main contact, invoice receiver, approver): named before a removal.
    pub stands_for: Vec<String>,
    /// Counts up with every change of the record, whoever made it: what a stored plan is checked against.
    pub version: i64,
}

impl Person {
    /// The value of any field by name; null when it has none.
    #[must_use]
    pub fn get(&self, field: &Field) -> Value {
        fn text(s: &Option<String>) -> Value {
            s.as_deref().map_or(Value::Null, Value::from)
        }
        match *field {
            Field::CLIENT => self.client.map_or(Value::Null, |c| Value::from(c.0)),
            Field::SITE => self.site.map_or(Value::Null, |s| Value::from(s.0)),
            Field::STATUS => Value::from(self.status.as_str()),
            Field::ACCESS => Value::Bool(self.access),
            Field::USERNAME => text(&self.username),
            Field::EMAIL => text(&self.email),
            Field::FIRST_NAME => text(&self.first_name),
            Field::LAST_NAME => text(&self.last_name),
            Field::ROLE => text(&self.role),
            _ => self.fields.get(field).cloned().unwrap_or(Value::Null),
        }
    }

    /// Sets any field by name, null clearing it. An id or word of the wrong form is refused with the field's name.
    ///
    /// # Errors
    /// The field and what it takes.
    pub fn set(&mut self, field: &Field, value: Value) -> Result<(), BadField> {
        let bad = |takes| BadField { field: field.clone(), takes };
        let text = |value, takes| match value {
            Value::Null => Ok(None),
            Value::String(s) => Ok(Some(s)),
            _ => Err(bad(takes)),
        };
        let id = |value: &Value, takes| match value {
            Value::Null => Ok(None),
            v => v.as_i64().map(Some).ok_or_else(|| bad(takes)),
        };
        match *field {
            Field::CLIENT => self.client = id(&value, "a client id")?.map(ClientId),
            Field::SITE => self.site = id(&value, "a site id")?.map(SiteId),
            Field::STATUS => {
                self.status = match value.as_str() {
                    Some("active") => Status::Active,
                    Some("inactive") => Status::Inactive,
                    Some("archived") => Status::Archived,
                    _ => return Err(bad("active, inactive or archived")),
                }
            }
            Field::ACCESS => self.access = value.as_bool().ok_or_else(|| bad("true or false"))?,
            Field::USERNAME => self.username = text(value, "a text")?,
            Field::EMAIL => self.email = text(value, "a text")?,
            Field::FIRST_NAME => self.first_name = text(value, "a text")?,
            Field::LAST_NAME => self.last_name = text(value, "a text")?,
            Field::ROLE => self.role = text(value, "a text")?,
            _ if value.is_null() => {
                self.fields.remove(field);
            }
            _ => {
                self.fields.insert(field.clone(), value);
            }
        }
        Ok(())
    }

    /// Whether the field is pinned: sync says what it would have written and leaves it.
    #[must_use]
    pub fn pins(&self, field: &Field) -> bool {
        match &self.pinned {
            None => false,
            Some(Pin::All(all)) => *all,
            Some(Pin::Fields(fields)) => fields.contains(field),
        }
    }

    /// The name people read: first and last name, else e-mail, else username.
    #[must_use]
    pub fn display_name(&self) -> String {
        let name = [self.first_name.as_deref(), self.last_name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return name;
        }
        self.email.clone().or_else(|| self.username.clone()).unwrap_or_else(|| format!("record {}", self.id))
    }
}

/// A value that a field does not take.
#[derive(Debug, thiserror::Error)]
#[error("the field {field} takes {takes}")]
pub struct BadField {
    /// The field.
    pub field: Field,
    /// What it takes.
    pub takes: &'static str,
}

/// What of a record is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pin {
    /// The whole record (`true`).
    All(bool),
    /// These fields.
    Fields(Vec<Field>),
}

/// A client (customer company).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// Inactive clients resolve no rule (ruling 40).
    pub active: bool,
}

/// A site of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// The client it belongs to.
    pub client: ClientId,
    /// Its name as first seen.
    pub name: String,
}

/// The tie between a user and a record, with sync's own bookkeeping (ruling 89). A user has at most one live link per kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The tenant.
    pub tenant: TenantKey,
    /// The user.
    pub user: UserKey,
    /// The user's source id.
    pub source_id: SourceId,
    /// The record.
    pub person: PersonId,
    /// The user's change hash when it was last applied (F07); none when nothing was applied yet.
    pub applied_hash: Option<Hash>,
    /// The planner's stamp of the field mappings last applied (see [`crate::plan::LinkState`]).
    pub policy_digest: Option<String>,
    /// The rule last applied.
    pub rule: Option<RuleId>,
    /// What sync itself last decided for the fields that follow rules and memberships rather than attributes (role, site, client,
    /// licence_type, cabs, manager), and the values it last wrote to mapped fields: what a change of decision is told by.
    pub decided: Fields,
    /// Who deactivated or revoked the record, if it is.
    pub deactivated_by: Option<Deactivated>,
    /// When a cause for removal began to wait for its grace, milliseconds since 1970.
    pub grace_since: Option<i64>,
    /// `accountEnabled` when it was last applied: a person's reactivation stands until this changes (ruling 78).
    pub enabled_applied: Option<bool>,
}

/// Who set a record's status or access last, and for what cause. While `by_sync` is true the record is out of use by sync's own
/// hand and may come back by it. A person's edit of status or access turns `by_sync` to false and keeps the cause: that a record is
/// active although its cause still holds is then that person's decision, and stands (ruling 78).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivated {
    /// By sync; a person's own hand is not undone by sync (ruling 78).
    pub by_sync: bool,
    /// The cause, when by sync.
    pub cause: Option<crate::reason::Cause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_of_their_names_be_they_standard_or_not() {
        let mut names: Vec<&str> = Field::STANDARD.iter().copied().chain(["", "acme", "email2", "last", "zz"]).collect();
        let mut fields: Vec<Field> = names.iter().map(|name| Field::new(name)).collect();
        names.sort_unstable();
        fields.sort_unstable();
        assert_eq!(fields.iter().map(Field::as_str).collect::<Vec<_>>(), names);
        let json = serde_json::to_string(&fields).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<Field>>(&json).expect("fields"), fields);
    }

    #[test]
    fn a_field_is_the_same_however_its_name_was_known() {
        assert_eq!(Field::named("email"), Field::EMAIL);
        assert_eq!(Field::new("email"), Field::EMAIL);
        assert_eq!(Field::named("cab_roles"), Field::new("cab_roles"));
        assert_ne!(Field::new("emails"), Field::EMAIL);
    }
}
