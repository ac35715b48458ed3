//! What the planner is told: the tenant as a whole, each user of a batch, and the answers to what a batch asks.

use crate::address::AddressKey;
use crate::attributes::Hash;
use crate::directory::{Presence, Sku};
use crate::plan::ClientFound;
use crate::reason::ReviewWhy;
use crate::records::{Kind, Link, Person, Status};
use crate::run::RunKind;
use crate::{Attributes, ClientId, GroupKey, PersonId, SiteId, SourceId, TenantKey, UserKey};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What is the same for every user of a run.
#[derive(Debug, Clone)]
pub struct TenantFacts {
    /// The tenant.
    pub tenant: TenantKey,
    /// Its default domain.
    pub domain: String,
    /// The client it is mapped to.
    pub client: Option<ClientFound>,
    /// Milliseconds since 1970.
    pub now: i64,
    /// What kind of read this follows.
    pub run: RunKind,
    /// The tenant's licences; none when the source cannot tell them (ruling 106).
    pub skus: Option<Vec<Sku>>,
    /// Groups the policy names, by id or by name, that the mirror holds; those nested below them too, for their names alone.
    pub groups: Vec<GroupFacts>,
    /// Nested memberships (outer group, inner group) among all groups of the tenant.
    pub nested: Vec<(GroupKey, GroupKey)>,
    /// Clients the policy refers to, by the reference as written.
    pub clients: HashMap<String, ClientFound>,
    /// Sites the policy refers to, by client and folded name or by id as text.
    pub sites: HashMap<(ClientId, String), SiteId>,
    /// Users whose removal a person has rejected and nothing of whose inputs has changed since: no removal of theirs is planned
    /// (ruling 111). Either the whole rejected set is here or none of it.
    pub spared: HashSet<UserKey>,
}

/// A group of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its mirror key.
    pub key: GroupKey,
    /// Its object id.
    pub id: SourceId,
    /// `displayName`.
    pub name: String,
    /// `createdDateTime`, nanoseconds since 1970; none when unknown, which counts as younger than every known date (ruling 37).
    pub created: Option<i128>,
}

/// One user of a batch.
#[derive(Debug, Clone)]
pub struct UserFacts {
    /// The mirror key.
    pub key: UserKey,
    /// The source id.
    pub id: SourceId,
    /// What Entra holds.
    pub attributes: Attributes,
    /// The mirror's change hash (F07).
    pub change_hash: Hash,
    /// Whether they are in the directory.
    pub presence: Presence,
    /// The manager's source id.
    pub manager: Option<SourceId>,
    /// Groups the user is a direct member of, at least those from which a group named by the policy can be reached.
    pub groups: Vec<GroupKey>,
    /// Records linked to the user, at most one live one per kind, with those sync archived.
    pub links: Vec<Linked>,
    /// A review item of this user that is open or was decided to stay out.
    pub review: Option<ReviewFacts>,
}

/// A record with its link.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The link.
    pub link: Link,
    /// The record.
    pub person: Person,
}

/// What is known of a user's review item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewFacts {
    /// Why it was raised.
    pub why: ReviewWhy,
    /// Dismissed: the user stays out until someone re-opens it.
    pub dismissed: bool,
    /// The candidates it showed.
    pub candidates: Vec<PersonId>,
    /// The other user it yields to.
    pub other: Option<SourceId>,
}

/// What a batch needs to know, asked of the store in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Which records have these addresses (main or additional)?
    pub addresses: BTreeSet<AddressKey>,
    /// Which non-archived records of the whole PSA have these folded usernames?
    pub usernames: BTreeSet<String>,
    /// Which records are linked to these users (managers)?
    pub users: BTreeSet<SourceId>,
}

/// The answers.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Records by address. A record may stand under several.
    pub addresses: HashMap<AddressKey, Vec<Candidate>>,
    /// Records by folded username.
    pub usernames: HashMap<String, Vec<Candidate>>,
    /// Live records by linked user.
    pub users: HashMap<SourceId, Vec<(Kind, PersonId)>>,
}

/// A record as matching sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The whole record, for merging.
    pub person: std::sync::Arc<Person>,
    /// The user it is linked to, if any.
    pub linked: Option<CandidateLink>,
}

/// Whom a candidate is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateLink {
    /// The tenant of that user.
    pub tenant: TenantKey,
    /// The user.
    pub user: UserKey,
    /// Their source id.
    pub source_id: SourceId,
    /// Whether that user is still in the directory.
    pub presence: Presence,
    /// Whether sync itself deactivated the record (ruling 54).
    pub deactivated_by_sync: bool,
}

impl Candidate {
    /// Whether the record can be linked at all: archived ones never are.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.person.status != Status::Archived
    }
}
