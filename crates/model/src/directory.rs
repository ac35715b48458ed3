//! What a source tells: pages of events about users, groups and memberships, with the cursor to go on from.

use crate::{Attributes, SourceId, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The two feeds of a directory that are read in rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// Users and their managers.
    Users,
    /// Groups and their direct members.
    Groups,
}

impl Feed {
    /// Both feeds, in the order they are read: users first, so that most members are known when groups name them.
    pub const ALL: [Feed; 2] = [Feed::Users, Feed::Groups];

    /// The feed's name in the store and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Feed::Users => "users",
            Feed::Groups => "groups",
        }
    }
}

/// Where reading of a feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at", content = "link")]
pub enum Cursor {
    /// Nothing to go on from: the next round reads everything.
    Refresh,
    /// In the middle of a round: the opaque link of its next page.
    Page(String),
    /// A round ended: the opaque link that tells what changed since.
    Active(String),
}

/// One page of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What the page tells, in its order: a later event about the same object wins.
    pub events: Vec<Event>,
    /// [`Cursor::Page`] when the round goes on, [`Cursor::Active`] when this was its last page.
    pub next: Cursor,
}

/// One thing a source told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A user as told now: attributes to lay over what is known.
    User(UserTold),
    /// A user is gone from the directory.
    UserRemoved {
        /// Who.
        id: SourceId,
        /// Whether it can still be restored.
        removal: Removal,
    },
    /// A group's own properties.
    Group(GroupTold),
    /// A group is gone.
    GroupRemoved {
        /// Which.
        id: SourceId,
    },
    /// A direct membership exists.
    MemberAdded {
        /// The group.
        group: SourceId,
        /// The member.
        member: SourceId,
        /// What the member is; other kinds (devices, contacts) are not told.
        kind: MemberKind,
    },
    /// A direct membership ended.
    MemberRemoved {
        /// The group.
        group: SourceId,
        /// The former member.
        member: SourceId,
    },
}

/// A user as one page told it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTold {
    /// The object id.
    pub id: SourceId,
    /// What was told; what is absent is not told.
    pub attributes: Attributes,
    /// The manager: absent = not told, `Some(None)` = has none.
    pub manager: Option<Option<SourceId>>,
}

/// A group as one page told it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupTold {
    /// The object id.
    pub id: Option<SourceId>,
    /// `displayName`, if told.
    pub name: Option<String>,
    /// `createdDateTime` as told (RFC 3339), if told.
    pub created: Option<String>,
}

/// How a user left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Soft-deleted: restorable within 30 days (`@removed.reason` `changed`).
    Soft,
    /// Gone for good (`deleted`).
    Permanent,
}

/// What a member of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A user.
    User,
    /// A group: a nested membership.
    Group,
}

/// Whether a user is in the directory, as far as the mirror knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// In the directory.
    Present,
    /// Deleted: a tombstone, or found among the deleted items.
    Deleted,
    /// A completed full read no longer held the user, and the deleted items do not either (ruling 79).
    Missing,
    /// Named by a membership or a manager, never told itself.
    Unseen,
}

impl Presence {
    /// The word used in the store and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Presence::Present => "present",
            Presence::Deleted => "deleted",
            Presence::Missing => "missing",
            Presence::Unseen => "unseen",
        }
    }
}

/// What a source can tell, so that nothing is concluded from what it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// A round can be complete: who was not told is absent.
    pub complete_rounds: bool,
    /// Deletions are told as such.
    pub tombstones: bool,
    /// Absent users can be looked up among deleted items.
    pub deleted_items: bool,
    /// Licences are told.
    pub licences: bool,
}

/// A licence of the tenant, as Graph's `subscribedSkus` tells it: what `scope.licensed_only` looks through (ruling 96).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sku {
    /// The licence's id.
    pub sku_id: String,
    /// Its part number, such as `SPE_E3`.
    #[serde(default)]
    pub sku_part_number: String,
    /// Its service plans.
    #[serde(default)]
    pub service_plans: Vec<ServicePlan>,
    /// Everything else that was told.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// One service plan of a licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePlan {
    /// The plan's id, named by `disabledPlans`.
    #[serde(default)]
    pub service_plan_id: String,
    /// The plan's name, such as `EXCHANGE_S_STANDARD`.
    #[serde(default)]
    pub service_plan_name: String,
    /// `Success` when it can be used.
    #[serde(default)]
    pub provisioning_status: String,
    /// Everything else that was told.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
