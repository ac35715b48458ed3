//! A plan: what a run would do to whom, and why. A stored plan is also the journal of its being applied.

use crate::attributes::Hash;
use crate::reason::{Reason, ReviewWhy};
use crate::records::{Deactivated, Field, Fields, Kind};
use crate::{ClientId, PersonId, RuleId, RunId, SourceId, UserKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a change does. Weakest first; when several apply to one record the strongest names the change (ruling 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Fields of a linked record.
    Update,
    /// Access again for a record whose access sync revoked.
    GrantAccess,
    /// In use again, after sync deactivated it.
    Reactivate,
    /// Back from the archive.
    Restore,
    /// Role and log-in taken away; status stays.
    RevokeAccess,
    /// Out of use; every field, link and id is kept.
    Deactivate,
    /// Put aside by a kind change.
    Archive,
    /// An existing record is tied to the user, and updated if fields differ.
    Link,
    /// A new record.
    Create,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 9] = [
        Verb::Create,
        Verb::Link,
        Verb::Update,
        Verb::Deactivate,
        Verb::Reactivate,
        Verb::RevokeAccess,
        Verb::GrantAccess,
        Verb::Archive,
        Verb::Restore,
    ];

    /// The word used in scenarios, the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Link => "link",
            Verb::Update => "update",
            Verb::Deactivate => "deactivate",
            Verb::Reactivate => "reactivate",
            Verb::RevokeAccess => "revoke_access",
            Verb::GrantAccess => "grant_access",
            Verb::Archive => "archive",
            Verb::Restore => "restore",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }

    /// What people read.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Verb::Create => "Create",
            Verb::Link => "Link",
            Verb::Update => "Update",
            Verb::Deactivate => "Deactivate",
            Verb::Reactivate => "Reactivate",
            Verb::RevokeAccess => "Revoke access",
            Verb::GrantAccess => "Grant access",
            Verb::Archive => "Archive",
            Verb::Restore => "Restore",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change of one record. At most one per record and plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// The record's kind.
    pub kind: Kind,
    /// The user it follows from.
    pub user: UserKey,
    /// That user's source id.
    pub source_id: SourceId,
    /// The record; none for [`Verb::Create`].
    pub record: Option<PersonId>,
    /// The record's version the plan was made from (0 for a create): another one at apply means stale.
    pub record_version: i64,
    /// The winning rule, if one selects the user.
    pub rule: Option<RuleId>,
    /// The values that [`Change::set`] replaces, field by field.
    pub before: Fields,
    /// The new values: only fields that change; null clears. `status` and `access` stand here too; a record is created active and
    /// with access unless they say otherwise. The manager of a user whose
    /// record is created by the same plan is written as `user:<source id>`.
    pub set: Fields,
    /// Why, in the order of the way.
    pub reasons: Vec<Reason>,
    /// The link's bookkeeping once the change is applied; none when the change leaves the record unlinked.
    pub link: Option<LinkState>,
    /// A user whose link to this record ends with this change (ruling 54).
    pub unlink: Option<UserKey>,
    /// A site that does not exist yet and is found or made when the change is applied (R04): [`Change::set`] holds its name as `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_site: Option<NewSite>,
    /// What the guard weighs.
    pub effects: Effects,
    /// Names of what the record stands for beyond itself, if this takes it out of use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<String>,
}

/// A site to be found or made. Changes of one plan that mean the same site name it alike: as first seen (ruling 39).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewSite {
    /// The client it belongs to.
    pub client: ClientId,
    /// Its name.
    pub name: String,
}

/// What a change means to the guard, whatever its verb (ruling 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Takes an active record out of use, or access from it.
    pub removal: bool,
    /// Gives back what sync had taken.
    pub returns: bool,
    /// Changes a key field of a linked record that held a value (ruling 85).
    pub rekey: bool,
    /// Why it is a removal.
    pub cause: Option<crate::reason::Cause>,
}

/// Sync's bookkeeping for one link (ruling 89): what [`crate::records::Link`] keeps beside the ids.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkState {
    /// The user's change hash as applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_hash: Option<Hash>,
    /// The planner's own stamp of the field mappings as applied, so that a policy change re-evaluates only the fields whose mapping
    /// it touched (ruling 60). Opaque to everyone else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// The rule as applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// What sync decided and wrote, by field.
    #[serde(skip_serializing_if = "Fields::is_empty")]
    pub decided: Fields,
    /// Who took the record out of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deactivated_by: Option<Deactivated>,
    /// When a removal's grace began, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_since: Option<i64>,
    /// `accountEnabled` as applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_applied: Option<bool>,
}

/// Where a user stands after planning: written only when it differs from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How the user is accounted for.
    pub outcome: Outcome,
    /// The name of what excluded them (ruling 113).
    pub excluded_by: Option<String>,
    /// The winning rule.
    pub rule: Option<RuleId>,
}

/// How a user is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// In step with the records, or will be once the plan is applied.
    Synced,
    /// Out of scope, or selected by no rule.
    Excluded,
    /// Waits for a person.
    InReview,
    /// Gone from the directory.
    Gone,
    /// Could not be decided or written.
    Failed,
}

impl Outcome {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Synced => "synced",
            Outcome::Excluded => "excluded",
            Outcome::InReview => "in_review",
            Outcome::Gone => "gone",
            Outcome::Failed => "failed",
        }
    }
}

/// All that was decided for one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The user.
    pub user: UserKey,
    /// Their source id.
    pub source_id: SourceId,
    /// Where they stand.
    pub standing: Standing,
    /// Why, when there is no change to carry it: unchanged, in review. Why scope and rules put the user there comes before it, and is
    /// told by the planner when somebody asks.
    pub reasons: Vec<Reason>,
    /// The changes: none, one, or one per record of the user.
    pub changes: Vec<Change>,
    /// Records whose earlier change in this same plan (the removal from a user who is gone) one of `changes` takes the place of:
    /// the earlier row, and the earlier user's booking for it, go (rulings 8 and 54).
    pub replaces: Vec<PersonId>,
    /// Links whose bookkeeping moves on without a change of their record.
    pub bookings: Vec<(PersonId, LinkState)>,
    /// The open review item, if a person is needed. None closes an open one that sync itself raised.
    pub review: Option<ReviewItem>,
    /// What could not be done, field by field.
    pub reports: Vec<Report>,
    /// What a change of would make this user due again.
    pub waits: Vec<Wait>,
}

/// A question to a person about one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// The user.
    pub user: UserKey,
    /// Their source id.
    pub source_id: SourceId,
    /// Why a person is needed.
    pub why: ReviewWhy,
    /// The rule that selects the user. Items of [`ReviewWhy::ClientUnresolved`] with one rule are shown as one.
    pub rule: Option<RuleId>,
    /// The kind of record the rule wants.
    pub kind: Kind,
    /// Records it could be, in id order.
    pub candidates: Vec<PersonId>,
    /// Which value met which record, in words of [`Reason`].
    pub evidence: Vec<Reason>,
    /// The other user this one yields to, for duplicates in the source.
    pub other: Option<SourceId>,
}

/// Something that was not done, and why (ruling 16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The user.
    pub user: UserKey,
    /// Their source id.
    pub source_id: SourceId,
    /// The field, if it is about one.
    pub field: Option<Field>,
    /// Why.
    pub why: ReportWhy,
    /// What, where and how much, for a person: never a secret, and values shortened.
    pub detail: String,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportWhy {
    /// Longer than the field takes.
    TooLong,
    /// Not a value of the field's form.
    Malformed,
    /// A mandatory field would be empty.
    MandatoryEmpty,
    /// No site could be told from the value.
    NoSite,
    /// An archived record keeps its name because of its tickets or invoices.
    KeptName,
    /// The root user is exempt.
    Exempt,
    /// Pinned.
    Pinned,
    /// The record was edited since sync last wrote it.
    Drift,
    /// The manager has no record yet.
    UnresolvedManager,
    /// A removal waits for its grace.
    Waiting,
    /// The target cannot store it.
    NotWritable,
    /// Somebody changed the record since the run that is to be taken back, so it is left as it is.
    Touched,
    /// This user's own error.
    Error,
}

impl ReportWhy {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReportWhy::TooLong => "too_long",
            ReportWhy::Malformed => "malformed",
            ReportWhy::MandatoryEmpty => "mandatory_empty",
            ReportWhy::NoSite => "no_site",
            ReportWhy::KeptName => "kept_name",
            ReportWhy::Exempt => "exempt",
            ReportWhy::Pinned => "pinned",
            ReportWhy::Drift => "drift",
            ReportWhy::UnresolvedManager => "unresolved_manager",
            ReportWhy::Waiting => "waiting",
            ReportWhy::NotWritable => "not_writable",
            ReportWhy::Touched => "touched",
            ReportWhy::Error => "error",
        }
    }
}

/// What a waiting user waits for: a change to this key touches them again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "for", content = "key")]
pub enum Wait {
    /// A record's link, status, addresses or username.
    Person(PersonId),
    /// An address key becoming free or held.
    Address(String),
    /// A folded username.
    Username(String),
    /// A client by the reference a rule uses.
    Client(String),
    /// A site by the reference a rule uses.
    Site(String),
    /// A value of a field that is a matching key: the field and the folded value.
    Key(Field, String),
    /// A record of another user: a manager, or the one this user yields to.
    User(SourceId),
    /// The clock, milliseconds since 1970.
    Until(i64),
}

impl Wait {
    /// The kind's word and the key's text, as stored.
    #[must_use]
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Wait::Person(id) => ("person", id.to_string()),
            Wait::Address(key) => ("address", key.clone()),
            Wait::Username(key) => ("username", key.clone()),
            Wait::Client(key) => ("client", key.clone()),
            Wait::Site(key) => ("site", key.clone()),
            Wait::Key(field, key) => ("key", format!("{field}={key}")),
            Wait::User(id) => ("user", id.as_str().to_owned()),
            Wait::Until(ms) => ("until", ms.to_string()),
        }
    }
}

/// What a whole plan weighs: aggregates the store computes over stored changes, the ledger of removals, and the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Weights {
    /// All changes of the plan.
    pub changes: i64,
    /// Active, linked, non-archived records before the plan (ruling 80). Not counted (0) for a plan without changes of a directory that
    /// is not empty: nothing is weighed against it.
    pub linked: i64,
    /// Records removed in the last 24 hours, approved or not, that are not among `linked` any more: they count in the denominator
    /// of removals (rulings 80 and 110).
    pub removed_in_window: i64,
    /// Removals this plan makes.
    pub removals: i64,
    /// Of those, removals of records that are linked only to be taken out of use (rulings 57 and 101): not among `linked`.
    #[serde(default)]
    pub removals_of_unlinked: i64,
    /// Returns this plan makes; they subtract (ruling 109).
    pub returns: i64,
    /// Records removed in the last 24 hours that no approval covered, less those returned or reverted since and those that this plan
    /// removes once more: a record counts once (rulings 82 and 110).
    pub removals_in_window: i64,
    /// Records created.
    pub creates: i64,
    /// Agents created.
    pub agent_creates: i64,
    /// Linked records with a key field changed.
    pub rekeys: i64,
    /// Users the mirror held as present before the read.
    pub mirror_before: i64,
    /// Users present after it.
    pub mirror_after: i64,
    /// Of those gone, users that were merely absent, not tombstoned (ruling 84).
    pub absentees: i64,
    /// Groups that rules name and that are lost or emptied (ruling 83).
    pub lost_groups: Vec<LostGroup>,
    /// Whether this would be the tenant's first applied plan (rulings 94, 97, 116).
    pub first_plan: bool,
    /// Names of records the plan removes that stand for more than themselves; the first hundred.
    pub stands_for: Vec<String>,
    /// What the fleet weighed beside it; none for a plan without changes, which the fleet never holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetWeights>,
}

/// What the fleet of tenants weighs beside one plan (ruling 87).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FleetWeights {
    /// How many tenants there are: one alone is no fleet.
    pub tenants: i64,
    /// Removals of the last 24 hours of all tenants that no approval covered, less those undone, without those this plan makes again.
    pub removals_in_window: i64,
    /// Active linked records of all tenants, before the plan.
    pub linked: i64,
    /// Other tenants whose own plans were held within the last hour.
    pub tripped: i64,
    /// The latest run that crossed a limit over the fleet within the last 24 hours.
    pub stands: Option<RunId>,
}

/// A rule's group that cannot be found any more, or has lost all its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostGroup {
    /// Its name, or its id when the name was never known.
    pub group: String,
    /// The rule that names it.
    pub rule: RuleId,
    /// It still exists but is empty: counts when 2 or more removals follow from it.
    pub emptied: bool,
    /// Removals of users whom that rule had selected.
    pub removals: i64,
}

/// Why a plan is held, with the figures that crossed the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Hold {
    /// More removals than `guard.max_removals`.
    TooManyRemovals {
        /// With the window's.
        removals: i64,
        /// The limit.
        limit: i64,
    },
    /// A larger share of the linked records than `guard.max_removal_share`.
    RemovalShare {
        /// With the window's.
        removals: i64,
        /// Active linked records.
        linked: i64,
        /// The limit as written, percent.
        limit: String,
    },
    /// Every linked record would be removed.
    AllRemoved {
        /// How many.
        removals: i64,
    },
    /// The source told of nobody.
    EmptySource {
        /// Users it had told of before.
        before: i64,
    },
    /// A rule's group is lost or emptied.
    LostGroup(LostGroup),
    /// The source shrank by more than the share.
    Shrunk {
        /// Users absent without a tombstone.
        absent: i64,
        /// Users before.
        before: i64,
        /// The limit as written, percent.
        limit: String,
    },
    /// Too many key fields would change.
    Rekeys {
        /// Records.
        records: i64,
        /// Active linked records.
        linked: i64,
        /// The limit as written, percent.
        limit: String,
    },
    /// Too many records would be created.
    Creates {
        /// Records.
        creates: i64,
        /// Active linked records.
        linked: i64,
        /// The limit as written, percent.
        limit: String,
    },
    /// Too many agents would be created.
    AgentCreates {
        /// Agents.
        creates: i64,
        /// The limit.
        limit: i64,
    },
    /// More of all tenants' linked records than `guard.fleet_max_removal_share` (ruling 87).
    FleetRemovals {
        /// With the window's, of all tenants.
        removals: i64,
        /// Linked records of all tenants.
        linked: i64,
        /// The limit as written, percent.
        limit: String,
    },
    /// Too many tenants' plans were held within an hour (ruling 87).
    FleetTenants {
        /// How many, with this one.
        tenants: i64,
    },
    /// The limits over the fleet were crossed within the last 24 hours (ruling 87).
    FleetStands {
        /// The run that crossed them.
        run: RunId,
    },
    /// The tenant's first plan waits for a person (ruling 94). Raised by runs, not by the planner.
    FirstRun,
    /// Before a tenant's first plan: there are records nobody is linked to, and the policy matches by nothing but the object id, so
    /// people who have one would get a second (M03). Raised by runs, beside [`Hold::FirstRun`].
    NothingToMatchBy {
        /// Records of the tenant's client, and agents, that nobody is linked to.
        records: i64,
    },
}

impl Hold {
    /// Whether only removals are the cause, so that what is safe of the plan need not wait (ruling 86).
    #[must_use]
    pub fn is_removals(&self) -> bool {
        matches!(
            self,
            Hold::TooManyRemovals { .. } | Hold::RemovalShare { .. } | Hold::AllRemoved { .. } | Hold::FleetRemovals { .. }
        )
    }

    /// Whether it is raised by the fleet rather than by the tenant's own plan.
    #[must_use]
    pub fn is_fleet(&self) -> bool {
        matches!(self, Hold::FleetRemovals { .. } | Hold::FleetTenants { .. } | Hold::FleetStands { .. })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::TooManyRemovals { removals, limit } => {
                write!(f, "{removals} people would lose their record's use or access within 24 hours; the limit is {limit}.")
            }
            Hold::RemovalShare { removals, linked: 0, limit } => write!(
                f,
                "{removals} people would lose their record's use or access, and nobody was linked before; the limit is {limit} %."
            ),
            Hold::RemovalShare { removals, linked, limit } => {
                write!(f, "{removals} of {linked} linked people would lose their record's use or access; the limit is {limit} %.")
            }
            Hold::AllRemoved { removals } => write!(f, "All {removals} linked people would lose their record's use or access."),
            Hold::EmptySource { before } => {
                write!(f, "Entra answered with an empty directory, where it had told of {before} users before.")
            }
            Hold::LostGroup(LostGroup { group, rule, emptied: false, .. }) => {
                write!(f, "The group \"{group}\" that rule \"{rule}\" names cannot be found any more.")
            }
            Hold::LostGroup(LostGroup { group, rule, removals, .. }) => {
                write!(
                    f,
                    "The group \"{group}\" that rule \"{rule}\" names has lost all its members ({removals} removals follow)."
                )
            }
            Hold::Shrunk { absent, before, limit } => {
                write!(f, "{absent} of {before} users are absent without having been deleted; the limit is {limit} %.")
            }
            Hold::Rekeys { records, linked, limit } => {
                write!(
                    f,
                    "E-mail, username or client would change on {records} of {linked} linked people; the limit is {limit} %."
                )
            }
            Hold::Creates { creates, linked, limit } => {
                write!(f, "{creates} people would be created beside {linked} linked ones; the limit is {limit} %.")
            }
            Hold::AgentCreates { creates, limit } => write!(f, "{creates} agents would be created; the limit is {limit}."),
            Hold::FleetRemovals { removals, linked, limit } => {
                write!(
                    f,
                    "{removals} of {linked} linked people of all tenants would have lost their record's use or access within 24 hours; the limit is {limit} %."
                )
            }
            Hold::FleetTenants { tenants } => {
                write!(f, "The plans of {tenants} tenants were held within an hour, so something larger may be wrong.")
            }
            Hold::FleetStands { run } => {
                write!(f, "Run {run} crossed the limits over all tenants within the last 24 hours; every plan since then waits.")
            }
            Hold::NothingToMatchBy { records } => write!(
                f,
                "{records} records are linked to nobody, and the policy matches by the object id alone: people who have one of them \
                 would get a second. Add a key such as email to matching.keys."
            ),
            Hold::FirstRun => {
                f.write_str("This is the first plan for this tenant; a person looks at it before anything is written.")
            }
        }
    }
}

/// Where a client named by a rule or by the tenant's mapping leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFound {
    /// The client.
    pub id: ClientId,
    /// Inactive clients resolve nothing (ruling 40).
    pub active: bool,
}
