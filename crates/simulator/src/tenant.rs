//! A pretended tenant: who it is (computed), and what was changed in it since the start (kept).

use std::collections::{BTreeMap, HashMap};
use std::sync::RwLock;

use serde_json::Value;

use crate::options::Options;
use crate::people::companies::{COMPANIES, TRADES, WORDS};
use crate::people::groups::Memberships;
use crate::people::person::name_pairs;
use crate::properties::{GroupProp, UserProp};
use crate::seed::{Kind, Shuffle, guid, hash, object_id};

/// Application permissions granted at the start: what a reader of a directory needs, and nothing that writes.
pub const DEFAULT_GRANTS: &[&str] =
    &["User.Read.All", "GroupMember.Read.All", "Organization.Read.All", "AuditLog.Read.All", "Application.Read.All"];

/// A tenant. Everything but `state` follows from (seed, index).
pub struct Tenant {
    /// Place in the simulator's list.
    pub index: u32,
    /// Key of everything generated in it.
    pub key: u64,
    /// Tenant id.
    pub id: u128,
    /// Company name.
    pub display_name: String,
    /// Default verified domain.
    pub domain: String,
    /// `….onmicrosoft.com` domain.
    pub initial_domain: String,
    /// The one application registered here.
    pub client_id: u128,
    /// Name of the directory extension the application registered.
    pub badge_number: String,
    /// First of the company's two offices.
    pub first_site: usize,
    /// Whether employees come from an on-premises directory.
    pub synced: bool,
    /// Whether sign-in activity may be read (a plan with Entra ID P1).
    pub premium: bool,
    /// The product most people have.
    pub main_sku: usize,
    /// Order in which pairs of names are given out.
    pub name_order: Shuffle,
    /// Users generated.
    pub users: u32,
    /// Groups generated.
    pub groups: u32,
    /// Who is in which generated group.
    pub memberships: Memberships,
    /// What changed.
    pub state: RwLock<State>,
    /// Change lists of the rounds being read, so that each page need not go through the log again.
    pub rounds: crate::delta::RoundCache,
}

/// A user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// User by index.
    User(u32),
    /// Group by index.
    Group(u32),
}

/// Where an object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Life {
    /// In the directory.
    #[default]
    Live,
    /// Soft-deleted at this time (milliseconds since 1970); restorable for 30 days.
    SoftDeleted(i64),
    /// Gone for good.
    Purged,
}

/// What differs from the generated object.
#[derive(Debug, Clone)]
pub struct Changed<P> {
    /// Values set since; `Null` is a value that was cleared.
    pub values: BTreeMap<P, Value>,
    /// Where it is in its life.
    pub life: Life,
    /// Manager set since: `Some(None)` was removed.
    pub manager: Option<Option<u32>>,
    /// The manager before the last change, whom delta reports as removed.
    pub previous_manager: Option<u32>,
}

impl<P> Default for Changed<P> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), life: Life::Live, manager: None, previous_manager: None }
    }
}

/// One entry of the change log that delta reads from.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Properties of a user changed.
    User(u32, u128),
    /// Properties of a group changed.
    Group(u32, u128),
    /// A direct membership began or ended.
    Member(u32, Object),
}

/// All bits: an object that appeared, disappeared or came back.
pub const EVERYTHING: u128 = u128::MAX;

/// What was changed since the start.
#[derive(Default)]
pub struct State {
    /// Users that differ, by index; those from `Tenant::users` on were created.
    pub users: HashMap<u32, Changed<UserProp>>,
    /// Groups that differ.
    pub group_changes: HashMap<u32, Changed<GroupProp>>,
    /// Users created since.
    pub created_users: u32,
    /// Groups created since.
    pub created_groups: u32,
    /// Memberships that differ: added or removed.
    pub members: HashMap<u32, BTreeMap<Object, bool>>,
    /// The same from the member's side.
    pub member_of: HashMap<Object, BTreeMap<u32, bool>>,
    /// The change log, oldest first, with the time of each entry in milliseconds since 1970.
    pub log: Vec<(i64, Change)>,
    /// How many times churn was asked for; part of its seed.
    pub churned: u64,
    /// Delay before a change shows in delta.
    pub lag_ms: i64,
    /// Every sign-in name changed or created since, lower case.
    pub names: HashMap<String, u32>,
    /// Number of secret rotations so far.
    pub rotations: u32,
    /// Whether the secret has expired.
    pub secret_expired: bool,
    /// Whether the application was removed from the tenant.
    pub consent_revoked: bool,
    /// Permissions granted; `None` means [`DEFAULT_GRANTS`].
    pub grants: Option<Vec<String>>,
}

impl Tenant {
    /// The tenant with this index.
    #[must_use]
    pub fn generate(options: &Options, index: u32) -> Self {
        let key = hash(options.seed, 0x7465_6e61 + u64::from(index));
        let (display_name, label, first_site) = match COMPANIES.get(index as usize) {
            Some((name, label, site)) => ((*name).to_owned(), (*label).to_owned(), *site),
            None => {
                let n = index as usize - COMPANIES.len();
                let (word, trade) = (WORDS[n % WORDS.len()], TRADES[n / WORDS.len() % TRADES.len()]);
                let round = n / (WORDS.len() * TRADES.len());
                let tail = if round > 0 { format!(" {}", round + 1) } else { String::new() };
                let name = format!("{word} {trade}{tail}");
                let label = name.to_lowercase().replace(' ', "-");
                (name, label, (key >> 20) as usize % crate::people::companies::SITES.len())
            }
        };
        let client_id = object_id(options.seed, Kind::App, index);
        // Every fifth company bought products without Entra ID P1.
        let premium = index % 5 != 3;
        Self {
            index,
            key,
            id: object_id(options.seed, Kind::Tenant, index),
            domain: format!("{label}.example"),
            initial_domain: format!("{}.onmicrosoft.example", label.replace('-', "")),
            display_name,
            client_id,
            badge_number: format!("extension_{}_badgeNumber", guid(client_id).replace('-', "")),
            first_site,
            synced: index % 3 == 1,
            premium,
            main_sku: if premium { index as usize % 2 } else { 2 },
            name_order: Shuffle::new(name_pairs(), hash(key, 0x6e61)),
            users: options.users,
            groups: options.groups,
            memberships: Memberships::new(key, options.users, options.groups, options.memberships),
            state: RwLock::default(),
            rounds: crate::delta::RoundCache::default(),
        }
    }

    /// Id of a user or group of this tenant.
    #[must_use]
    pub fn id_of(&self, object: Object) -> u128 {
        match object {
            Object::User(u) => object_id(self.key, Kind::User, u),
            Object::Group(g) => object_id(self.key, Kind::Group, g),
        }
    }

    /// The object behind an id, whether it is alive or not.
    #[must_use]
    pub fn object(&self, state: &State, id: u128) -> Option<Object> {
        match crate::seed::read_object_id(self.key, id)? {
            (Kind::User, u) if u < self.users + state.created_users => Some(Object::User(u)),
            (Kind::Group, g) if g < self.groups + state.created_groups => Some(Object::Group(g)),
            _ => None,
        }
    }

    /// The client secret after so many rotations. Looks like Microsoft's (40 characters) and says that it is not.
    #[must_use]
    pub fn secret(&self, rotations: u32) -> String {
        let a = hash(self.key, 0x7365_6372 + u64::from(rotations));
        format!("sim8Q~{a:016x}{:016x}~s", hash(a, 1))
    }

    /// The state for reading. A panic elsewhere while it was held leaves it usable: every change is complete in itself.
    pub fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The state for changing.
    pub fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// Where a user is in its life.
    #[must_use]
    pub fn user_life(&self, user: u32) -> Life {
        self.users.get(&user).map_or(Life::Live, |c| c.life)
    }

    /// Where a group is in its life.
    #[must_use]
    pub fn group_life(&self, group: u32) -> Life {
        self.group_changes.get(&group).map_or(Life::Live, |c| c.life)
    }

    /// Where an object is in its life.
    #[must_use]
    pub fn life(&self, object: Object) -> Life {
        match object {
            Object::User(u) => self.user_life(u),
            Object::Group(g) => self.group_life(g),
        }
    }

    /// How many log entries delta may show at this time.
    #[must_use]
    pub fn visible(&self, now_ms: i64) -> u64 {
        let until = now_ms - self.lag_ms;
        self.log.partition_point(|(at, _)| *at <= until) as u64
    }

    /// Whether a permission is granted now.
    #[must_use]
    pub fn granted(&self) -> Vec<String> {
        self.grants.clone().unwrap_or_else(|| DEFAULT_GRANTS.iter().map(|g| (*g).to_owned()).collect())
    }
}
