//! The effective policy: what a policy document means once it is read, merged and checked. Presets are data in this form.

use crate::attributes::Name;
use crate::reason::Cause;
use crate::records::{Field, Kind};
use crate::{Expression, RuleId, SourceId, Value};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that decides. Two policies with the same digest decide the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// Who is looked at.
    pub scope: Scope,
    /// Who becomes what.
    pub rules: Vec<Rule>,
    /// Which record is whose.
    pub matching: Matching,
    /// Which attribute goes where, by kind.
    pub fields: PerKind<BTreeMap<Field, Mapping>>,
    /// What happens when two users want one username.
    pub username_on_collision: OnCollision,
    /// What follows from leaving and coming back, by kind.
    pub lifecycle: PerKind<Lifecycle>,
    /// When a plan waits for a person.
    pub guard: Guard,
    /// Roles by group, applied after the rule (R07).
    pub role_mappings: Vec<RoleMapping>,
    /// Change advisory boards by group, applied after the rule (R09).
    pub cab_mappings: Vec<CabMapping>,
    /// The role of users of whom the directory knows no manager and whom no group gave a role (R08), by kind.
    pub role_without_manager: PerKind<Option<String>>,
    /// Roles that make an agent inactive (R10), in the order written.
    pub inactive_roles: Vec<String>,
    /// Longest values by field, in code points (ruling 63).
    pub limits: BTreeMap<Field, usize>,
}

impl Policy {
    /// The source of a matching key's field for records of a kind (ruling 59): the key's own, else the field's mapping, else, for the
    /// employee id, the attribute of that name. None when nothing says where the value comes from.
    #[must_use]
    pub fn key_source<'p>(&'p self, field: &Field, own: Option<&'p Source>, kind: Kind) -> Option<Cow<'p, Source>> {
        let mapped = || self.fields.of(kind).get(field).and_then(|mapping| mapping.source.as_ref());
        let known = || (*field == Field::EMPLOYEE_ID).then(|| Source::Attribute(vec![Step::Name("employeeId".into())]));
        own.or_else(mapped).map(Cow::Borrowed).or_else(|| known().map(Cow::Owned))
    }

    /// Every user attribute the policy names, sorted: what must be read beside the read set, when it is not in it (ruling 60).
    #[must_use]
    pub fn attributes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mapped = [&self.fields.agent, &self.fields.contact].into_iter().flat_map(BTreeMap::values);
        let sources = mapped.filter_map(|mapping| mapping.source.as_ref());
        let keys = self.matching.keys.iter().filter_map(|key| match key {
            MatchKey::Field { source, .. } => source.as_ref(),
            MatchKey::ObjectId | MatchKey::Email | MatchKey::Upn => None,
        });
        let sites = self.rules.iter().filter_map(|rule| rule.then.site_from.as_ref());
        sources.chain(keys).chain(sites).for_each(|source| source.attributes(&mut names));
        let excluding = self.scope.exclude.iter().filter_map(|exclude| match &exclude.by {
            ExcludeBy::Filter(filter) => Some(filter),
            ExcludeBy::LocalParts(_) => None,
        });
        let selecting = self.rules.iter().filter_map(|rule| rule.when.filter.as_ref());
        names.extend(excluding.chain(selecting).flat_map(Expression::attributes).cloned());
        names.extend(self.scope.require.iter().cloned());
        names
    }

    /// Whether a mapping writes a date of a sign-in, which costs a pass of its own (ruling 107).
    #[must_use]
    pub fn maps_sign_in(&self) -> bool {
        let mut mapped = [&self.fields.agent, &self.fields.contact].into_iter().flat_map(BTreeMap::values);
        mapped.any(|mapping| mapping.source.as_ref().is_some_and(Source::is_sign_in))
    }
}

/// A setting that may differ between agents and contacts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PerKind<T> {
    /// For agents.
    pub agent: T,
    /// For contacts.
    pub contact: T,
}

impl<T> PerKind<T> {
    /// The setting of a kind.
    pub fn of(&self, kind: Kind) -> &T {
        match kind {
            Kind::Agent => &self.agent,
            Kind::Contact => &self.contact,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Agent => &mut self.agent,
            Kind::Contact => &mut self.contact,
        }
    }
}

/// `scope`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scope {
    /// Guests are in scope unless a rule says otherwise (rulings 30 and 31).
    pub guests: bool,
    /// A disabled user may be created (ruling 32).
    pub disabled: bool,
    /// Only users with a licence (ruling 96).
    pub licensed_only: bool,
    /// What counts as a licence.
    pub licences: Licences,
    /// Users assigned to our enterprise application are in scope, guest or not, and members only when assigned (C13, rulings 98
    /// and 115).
    pub app_assigned: bool,
    /// Attributes that must not be empty; `email` is the value the e-mail mapping yields (ruling 34).
    pub require: Vec<String>,
    /// Named exclusions, in order.
    pub exclude: Vec<Exclude>,
}

/// `scope.licences`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Licences {
    /// Glob patterns of service plan names, `!NAME` excluding; empty = any licence counts.
    pub plans: Vec<String>,
    /// Licences that do not count, by skuId or skuPartNumber.
    pub ignore_skus: Vec<String>,
}

/// A named exclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclude {
    /// The name users are counted under.
    pub name: String,
    /// Whom it excludes.
    pub by: ExcludeBy,
}

/// What an exclusion looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcludeBy {
    /// The local part of `mail` or of the UPN equals one of these, or starts with it and goes on with one of `._-`; case is
    /// ignored (rulings 27 and 117).
    LocalParts(Vec<String>),
    /// A condition over the user.
    Filter(Expression),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its name; the id when none is given.
    pub name: String,
    /// Lowest wins.
    pub order: i32,
    /// Disabled rules select nobody.
    pub enabled: bool,
    /// Its creation, nanoseconds since 1970; absent = the same instant as every other absent one (ruling 19).
    pub created: Option<i128>,
    /// Whom it selects; everything given must hold.
    pub when: When,
    /// What they become.
    pub then: Then,
}

/// `when`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct When {
    /// Any of these groups, by object id, nested membership included; none = not asked.
    pub groups: Option<Vec<SourceId>>,
    /// Any of these groups, by exact name after NFC and trim (ruling 35); none = not asked.
    pub group_names: Option<Vec<String>>,
    /// A condition over the user; none = not asked.
    pub filter: Option<Expression>,
    /// With guests, without, or as `scope.guests` says.
    pub include_guests: Option<bool>,
}

/// `then`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Then {
    /// Which records.
    pub kind: RuleKind,
    /// The client; none = the tenant's.
    pub client: ClientRef,
    /// A site of the client, by id or name; never together with `site_from`.
    pub site: Option<String>,
    /// What names a site to find or create under the client (ruling 39).
    pub site_from: Option<Source>,
    /// The role.
    pub role: Option<String>,
    /// The licence type of agents; none = left as it is (`no_change`, ruling 43).
    pub licence_type: Option<LicenceType>,
    /// Change advisory boards, by id, sorted; they add up with those of groups (ruling 42).
    pub cabs: Vec<String>,
    /// Values for empty fields, over the mapping's own defaults (ruling 44).
    pub defaults: BTreeMap<Field, Value>,
}

/// An agent's licence type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceType {
    /// Bound to this agent.
    Named,
    /// Shared with other agents.
    Concurrent,
}

impl LicenceType {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LicenceType::Named => "named",
            LicenceType::Concurrent => "concurrent",
        }
    }
}

/// A group that a mapping names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRef {
    /// By object id.
    Id(SourceId),
    /// By exact name after NFC and trim (ruling 35).
    Name(String),
}

/// `role_mappings`: a group gives a role (R07, rulings 24 and 41).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleMapping {
    /// Its id.
    pub id: RuleId,
    /// Lowest wins; then as for rules.
    pub order: i32,
    /// Its creation, nanoseconds since 1970, as for rules.
    pub created: Option<i128>,
    /// The group; nested membership counts.
    pub group: GroupRef,
    /// Whose records.
    pub kind: Kind,
    /// The role.
    pub role: String,
    /// Instead of the rule's role, or beside it.
    pub mode: RoleMode,
}

/// `role_mappings[].mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleMode {
    /// The role takes the place of the rule's.
    Replace,
    /// The role is one of `extra_roles`.
    Add,
}

/// `cab_mappings`: a group gives a place on a change advisory board (R09, ruling 42).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CabMapping {
    /// The group; nested membership counts.
    pub group: GroupRef,
    /// The board's id.
    pub cab: String,
    /// The role on it.
    pub role: Option<String>,
}

/// What records a rule makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// An agent.
    Agent,
    /// A contact.
    Contact,
    /// Both, one user with two records (ruling 45).
    AgentAndContact,
}

impl RuleKind {
    /// The kinds of record, agents first.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            RuleKind::Agent => &[Kind::Agent],
            RuleKind::Contact => &[Kind::Contact],
            RuleKind::AgentAndContact => &[Kind::Agent, Kind::Contact],
        }
    }
}

/// A rule's client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRef {
    /// The client the tenant is mapped to (`from_tenant`, and what is meant when a contact rule names none).
    FromTenant,
    /// A client by id or name.
    Named(String),
}

/// `matching`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matching {
    /// The keys, in order. The object id always holds, listed or not (ruling 59).
    pub keys: Vec<MatchKey>,
    /// When no key meets a record.
    pub on_none: OnNone,
    /// Which fields a fresh link writes (ruling 95).
    pub on_link: OnLink,
    /// When only inactive records are met (ruling 57).
    pub on_inactive: OnInactive,
}

/// A matching key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKey {
    /// The Entra object id: the link.
    ObjectId,
    /// E-mail, address by address.
    Email,
    /// The user principal name, against the field `upn` or, failing that, the username plus the tenant's own domain (ruling 59).
    Upn,
    /// A record's field, compared as text after NFC, trim and case folding; an empty value never matches (ruling 59).
    Field {
        /// The record's field.
        field: Field,
        /// The user's side, when it is not the field's mapping.
        source: Option<Source>,
    },
}

/// `matching.on_none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNone {
    /// A new record.
    Create,
    /// Ask.
    Review,
    /// Leave the user out.
    Skip,
}

/// `matching.on_link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLink {
    /// Each field by its own mode.
    Overwrite,
    /// Only fields that are empty in the record.
    FillEmpty,
}

/// `matching.on_inactive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInactive {
    /// Ask.
    Review,
    /// Link and leave it inactive.
    Link,
    /// Link and reactivate.
    Reactivate,
}

/// A field's mapping.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapping {
    /// Where the value comes from; none = only the default.
    pub source: Option<Source>,
    /// When it is written.
    pub overwrite: Overwrite,
    /// The value when Entra holds none (F05).
    pub default: Option<Value>,
    /// Clear the field when Entra holds nothing.
    pub clear_when_empty: bool,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An attribute, or a part of one: names and indexes from the outside in, as in `businessPhones[0]`.
    Attribute(Vec<Step>),
    /// A value derived by a rule of its own; named, so that a file can say it.
    Derived(Derived),
    /// A value computed from the attributes.
    Expression(Expression),
    /// The record of the user's manager; only for the field `manager` (ruling 121).
    Manager,
}

impl Source {
    /// Whether the value is a date of a sign-in, which is read and written by a pass of its own (ruling 107).
    #[must_use]
    pub fn is_sign_in(&self) -> bool {
        matches!(self, Source::Attribute(steps) if matches!(steps.first(), Some(Step::Name(name)) if name.as_str() == SIGN_IN))
    }

    /// Adds the attributes the source names. Derived values read none but those of every user.
    pub fn attributes(&self, names: &mut BTreeSet<String>) {
        match self {
            Source::Attribute(steps) => names.extend(steps.first().and_then(|step| match step {
                Step::Name(name) => Some(name.as_str().to_owned()),
                Step::Index(_) => None,
            })),
            Source::Expression(expression) => names.extend(expression.attributes().iter().cloned()),
            Source::Derived(_) | Source::Manager => {}
        }
    }
}

/// The attribute that holds the dates of sign-ins (ruling 107).
pub const SIGN_IN: &str = "signInActivity";

/// One step into an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// A property.
    Name(Name),
    /// An element of a list.
    Index(usize),
}

/// The derived values (ruling 27).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Derived {
    /// `givenName`; without givenName and surname, `displayName` up to its last space.
    FirstName,
    /// `surname`; without givenName and surname, `displayName` from its last space on.
    LastName,
    /// `mail`, else a guest's own address.
    MailOrGuest,
    /// `mail`, else a guest's own address, else the UPN unless its domain is `*.onmicrosoft.com`.
    MailOrUpn,
    /// The UPN's local part, of the decoded guest address for guests.
    UpnLocalPart,
    /// The whole UPN, the decoded guest address for guests.
    Upn,
    /// The `smtp:` addresses other than the e-mail itself.
    OtherAddresses,
}

/// `fields.<target>.overwrite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overwrite {
    /// When the user changed in Entra since the last apply.
    OnChange,
    /// Also corrects drift at every full run.
    Always,
    /// Only while the field is empty, when Entra changed or at link or create (ruling 61).
    IfEmpty,
    /// At create only (ruling 61).
    Never,
}

/// `username.on_collision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCollision {
    /// Ask.
    Review,
    /// Use the full `local@domain`.
    AppendDomain,
}

/// `lifecycle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lifecycle {
    /// Deleted in Entra.
    pub on_deleted: OnGone,
    /// Disabled in Entra.
    pub on_disabled: OnGone,
    /// Absent from a completed full read.
    pub on_missing: OnGone,
    /// Out of scope, or no rule selects them any more.
    pub on_unmapped: OnUnmapped,
    /// Back, after sync itself deactivated or revoked.
    pub on_return: OnReturn,
    /// The rules want the other kind.
    pub on_kind_change: OnKindChange,
    /// How long each cause waits before it acts.
    pub grace: Grace,
}

/// `lifecycle.grace`: how long a cause must hold before it deactivates or revokes (rulings 76 and 103), in milliseconds; 0 = at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Grace {
    /// Deleted in the directory.
    pub on_deleted: i64,
    /// Disabled in the directory.
    pub on_disabled: i64,
    /// Absent from a completed full read.
    pub on_missing: i64,
    /// Out of scope, or no rule selects them any more.
    pub on_unmapped: i64,
}

impl Grace {
    /// The grace of a cause, in milliseconds.
    #[must_use]
    pub fn of(&self, cause: Cause) -> i64 {
        match cause {
            Cause::Deleted => self.on_deleted,
            Cause::Disabled => self.on_disabled,
            Cause::Missing => self.on_missing,
            Cause::Unmapped => self.on_unmapped,
            // A role that makes agents inactive does so at once (ruling 103).
            Cause::InactiveRole => 0,
        }
    }
}

/// Whether a cause acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGone {
    /// The record becomes inactive.
    Deactivate,
    /// Nothing.
    Ignore,
}

/// `lifecycle.on_unmapped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnmapped {
    /// Role and log-in are taken.
    RevokeAccess,
    /// The record becomes inactive.
    Deactivate,
    /// Nothing.
    Ignore,
}

/// `lifecycle.on_return`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReturn {
    /// In use again.
    Reactivate,
    /// Ask.
    Review,
    /// Nothing.
    Ignore,
}

/// `lifecycle.on_kind_change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnKindChange {
    /// The old record is archived, one of the other kind made or restored (M07).
    ArchiveAndRecreate,
    /// One of the other kind beside it (ruling 74).
    Both,
    /// Ask.
    Review,
}

/// `guard`: limits, each of which may be off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// Removals in 24 hours; none = off.
    pub max_removals: Option<i64>,
    /// Share of linked records removed; also the shrinkage share (ruling 119).
    pub max_removal_share: Option<Percent>,
    /// Share of linked records whose keys change.
    pub max_rekeys: Option<Percent>,
    /// Share of linked records created, from 25 creates up.
    pub max_creates_share: Option<Percent>,
    /// Agents created.
    pub max_agent_creates: Option<i64>,
    /// A tenant's first plan waits for a person (ruling 94).
    pub approve_first_run: bool,
    /// What is harmless in a held plan is applied (ruling 86).
    pub apply_safe_part: bool,
    /// Share of all tenants' linked records removed in 24 hours, from 10 removals up; none = no limits over the fleet (ruling 87).
    pub fleet_max_removal_share: Option<Percent>,
}

/// A whole or decimal percentage, kept exactly as an integer (ruling 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Percent(
    /// Ten-thousandths of a percent: 10 % is 100_000.
    pub i64,
);

impl Percent {
    /// Whole percents.
    #[must_use]
    pub const fn whole(percent: i64) -> Self {
        Self(percent * 10_000)
    }

    /// Whether `part` is more than this share of `whole`, compared exactly.
    #[must_use]
    pub fn exceeded(self, part: i64, whole: i64) -> bool {
        i128::from(part) * 1_000_000 > i128::from(self.0) * i128::from(whole)
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        if part == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{}", format!("{part:04}").trim_end_matches('0')) }
    }
}
