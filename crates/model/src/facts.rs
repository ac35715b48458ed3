//! What the planner is told: the tenant as a whole, each user of a batch, and the answers to what a batch asks.

use crate::address::AddressKey;
use crate::attributes::Hash;
use crate::directory::{Presence, Sku};
use crate::plan::ClientFound;
use crate::reason::ReviewWhy;
use crate::records::{Kind, Link, Person, Status};
use crate::run::RunKind;
use crate::{Attributes, ClientId, Field, GroupKey, PersonId, SiteId, SourceId, TenantKey, UserKey};
use serde::{Deserialize, Serialize};
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
    /// Whether they are assigned to our enterprise application (C13); asked only where `scope.app_assigned` is on.
    pub assigned: bool,
    /// Groups the user is a direct member of, at least those from which a group named by the policy can be reached.
    pub groups: Vec<GroupKey>,
    /// Records linked to the user, at most one live one per kind, with those sync archived.
    pub links: Vec<Linked>,
    /// A review item of this user that is open or was decided to stay out.
    pub review: Option<ReviewFacts>,
    /// What people decided about items of this user, for as long as it holds (see [`Resolution`]): at most one for each kind of record,
    /// since a user who gets two records may be asked about both (ruling 45).
    pub resolutions: Vec<Resolution>,
}

impl UserFacts {
    /// What a person chose for the user's record of this kind.
    #[must_use]
    pub fn chosen(&self, kind: Kind) -> Option<Choice> {
        self.resolutions.iter().find(|r| r.kind == kind).map(|r| r.choice)
    }
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
    /// The kind of record it asks for.
    pub kind: Kind,
    /// Dismissed: the user stays out until someone re-opens it.
    pub dismissed: bool,
    /// The candidates it showed.
    pub candidates: Vec<PersonId>,
    /// The other user it yields to.
    pub other: Option<SourceId>,
}

/// A person's answer to a review item: `link` and `create` act at once and hold (ruling 13). How it is carried out:
///
/// 1. whoever takes the answer asks `Planner::refusal` whether it can be followed at all, with the facts of the one user and the
///    answers to [`Questions`] asked with this resolution in [`UserFacts::resolutions`];
/// 2. the user is decided alone, with the resolution in their facts, and the one-user plan is weighed by the guard and applied;
/// 3. the item is resolved, and a resolution that [holds](Resolution::holds) stays with the user: the planner is told of it at every
///    later run, so that what a person chose is not asked again (a new record stays the answer although an address meets another
///    client's later on; a record of the other kind that was chosen is kept). Re-opening the item is what takes it back.
///
/// `dismiss` is no resolution but [`ReviewFacts::dismissed`]: it keeps the user out until the item is re-opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The kind of record the item asked for.
    pub kind: Kind,
    /// What was chosen.
    pub choice: Choice,
}

impl Resolution {
    /// Whether the answer must be told again at later runs, once it is acted on. `why` is the item's, `chosen` the kind of the record
    /// that was chosen. A record of the wanted kind is linked, and the link holds by itself; a return is answered for this one time. Of
    /// a change of kind it says what becomes of the other record, which stays there to be asked about (ruling 74).
    #[must_use]
    pub fn holds(&self, why: ReviewWhy, chosen: Option<Kind>) -> bool {
        match why {
            ReviewWhy::Returned => false,
            ReviewWhy::KindChange => true,
            _ => chosen != Some(self.kind),
        }
    }
}

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action", content = "record")]
pub enum Choice {
    /// This record is the user.
    Link(PersonId),
    /// None of those there are: a new one.
    Create,
}

/// What a batch needs to know, asked of the store in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Which records have these addresses (main or additional)?
    pub addresses: BTreeSet<AddressKey>,
    /// Which records of the whole PSA, archived ones among them, have these folded usernames?
    pub usernames: BTreeSet<String>,
    /// Which records are linked to these users (managers)?
    pub users: BTreeSet<SourceId>,
    /// Which records are these (a person chose them)?
    pub records: BTreeSet<PersonId>,
    /// Which non-archived records hold these values in these fields, folded as by [`crate::text::keys`] (matching keys, ruling 59)?
    pub keys: BTreeSet<(Field, String)>,
    /// Which sites of these clients have these names, folded (R04)?
    pub sites: BTreeSet<(ClientId, String)>,
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
    /// Records by id; one that does not exist is not here.
    pub records: HashMap<PersonId, Candidate>,
    /// Records by field and folded value, in id order.
    pub keys: HashMap<(Field, String), Vec<Candidate>>,
    /// Sites by client and folded name.
    pub sites: HashMap<(ClientId, String), SiteId>,
}

impl Answers {
    /// Every record that answers a question, some of them more than once.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        let Self { addresses, usernames, users: _, records, keys, sites: _ } = self;
        addresses.values().chain(usernames.values()).chain(keys.values()).flatten().chain(records.values())
    }

    /// Takes further answers in.
    pub fn extend(&mut self, other: Answers) {
        let Self { addresses, usernames, users, records, keys, sites } = other;
        self.keys.extend(keys);
        self.sites.extend(sites);
        self.addresses.extend(addresses);
        self.usernames.extend(usernames);
        self.users.extend(users);
        self.records.extend(records);
    }
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
