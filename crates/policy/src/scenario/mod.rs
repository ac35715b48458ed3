//! Scenarios: a policy's unit tests. What Entra holds, what the records hold, and step by step what is expected to follow.
//!
//! This is the file format only; whoever runs the steps asks the planner. Record ids are texts here, chosen by the author; a
//! record that sync created is called `new:<user>:<kind>` (ruling 15).

pub(crate) mod entra;
pub(crate) mod expect;
pub(crate) mod read;
pub(crate) mod records;

pub use read::parse;

use crate::Loaded;
use crate::fault::Mark;
use jiff::Timestamp;
use model::directory::{GroupTold, Sku, UserTold};
use model::plan::{ReportWhy, Verb};
use model::reason::ReviewWhy;
use model::records::Pin;
use model::run::RunKind;
use model::{Field, Fields, Kind, RuleId, SourceId, Status};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The clock of a first step without `now`: 2026-01-01T00:00:00Z (ruling 1).
pub const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it begins.
    pub at: Mark,
    /// What it shows.
    pub name: String,
    /// The policy at the start: the scenario's own over its preset.
    pub policy: Arc<Loaded>,
    /// The tenant.
    pub tenant: Tenant,
    /// Entra at the start.
    pub entra: Entra,
    /// The records at the start.
    pub records: Records,
    /// What happens.
    pub steps: Vec<Step>,
}

/// The tenant of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: SourceId,
    /// Its default domain.
    pub domain: String,
    /// The client it is mapped to, by id or name as a rule would name it; none = not mapped.
    pub client: Option<String>,
}

/// What Entra holds at the start, or what a step lays over it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entra {
    /// Users as told; a step's are laid over what is known, so that what is absent stays and null clears.
    pub users: Vec<UserTold>,
    /// Groups; a step's are laid over likewise.
    pub groups: Vec<Group>,
    /// The tenant's licences, as Graph's `subscribedSkus`; none = not told (in a step: as before).
    pub skus: Option<Vec<Sku>>,
    /// Users assigned to our enterprise application; none = not told (in a step: as before, ruling 115).
    pub app_assigned: Option<Vec<SourceId>>,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group's own properties; the id is always there.
    pub told: GroupTold,
    /// Its object id, as in `told`.
    pub id: SourceId,
    /// Users or groups that are direct members; a step's are added (ruling 9). Unknown ids are to be ignored (ruling 10).
    pub members: Vec<SourceId>,
}

/// What the PSA holds at the start, or what a person edits in a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Clients; in an edit laid over the one with the same id.
    pub clients: Vec<Client>,
    /// Sites, likewise.
    pub sites: Vec<Site>,
    /// People.
    pub people: Vec<Person>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Where it stands.
    pub at: Mark,
    /// Its id.
    pub id: String,
    /// Its name; none = the id at the start, as before in an edit.
    pub name: Option<String>,
    /// Whether it is active; none = active at the start, as before in an edit.
    pub active: Option<bool>,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Where it stands.
    pub at: Mark,
    /// Its id.
    pub id: String,
    /// Its client's id; always there at the start.
    pub client: Option<String>,
    /// Its name; none as for a client.
    pub name: Option<String>,
}

/// A person record at the start, or a person's edit of one. What is `None` is not said: its usual value at the start, as before in
/// an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// Where it stands.
    pub at: Mark,
    /// The record's id. At the start always there; in an edit an unknown one adds a record (ruling 15).
    pub id: Option<String>,
    /// Its kind. At the start always there; in an edit it tells two records of one user apart.
    pub kind: Option<Kind>,
    /// The linked user: at the start the link, in an edit without `id` the record's name. `Some(None)` unlinks.
    pub linked_to: Option<Option<SourceId>>,
    /// The client's id; `Some(None)` clears.
    pub client: Option<Option<String>>,
    /// The site's id; `Some(None)` clears.
    pub site: Option<Option<String>>,
    /// Status.
    pub status: Option<Status>,
    /// Whether the person may log in.
    pub access: Option<bool>,
    /// All other fields, null clearing: username, email, role, manager (a record id), custom ones, …
    pub fields: Fields,
    /// The root user (R12).
    pub root: Option<bool>,
    /// Tickets that name this person; `true` was read as 1 (ruling 18).
    pub tickets: Option<i64>,
    /// Invoices that name this person.
    pub invoices: Option<i64>,
    /// What of the record is pinned; `Some(None)` nothing any more.
    pub pinned: Option<Option<Pin>>,
    /// What the person stands for beyond themselves (main contact, approver, …).
    pub stands_for: Option<Vec<String>>,
    /// Whether sync itself took the record out of use; none = a person did (ruling 14).
    pub deactivated_by_sync: Option<bool>,
}

/// One step. Its parts act in the order of the fields (ruling 112).
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands.
    pub at: Mark,
    /// The clock from here on.
    pub now: Timestamp,
    /// What happens to the plan that is held.
    pub verdict: Option<Verdict>,
    /// Which review items a person resolves, in order (ruling 13).
    pub resolve: Vec<Resolve>,
    /// The effective policy from here on, when the step changes it.
    pub policy: Option<Arc<Loaded>>,
    /// What a person edits.
    pub edit: Records,
    /// What changes in Entra.
    pub entra: EntraStep,
    /// How the source is read for this step's plan.
    pub run: RunKind,
    /// What is expected; none = not judged.
    pub expect: Option<Expect>,
}

/// What a person does about a user's review item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// Where it stands.
    pub at: Mark,
    /// The user.
    pub user: SourceId,
    /// What is done.
    pub action: Action,
}

/// The ways to resolve an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This record, by its id, is the user.
    Link(String),
    /// A new record.
    Create,
    /// The user stays out.
    Dismiss,
    /// Asked again.
    Reopen,
}

/// What a person says about the held plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is applied.
    Approve,
    /// It is not, and that is remembered.
    Reject,
}

/// What changes in Entra in a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntraStep {
    /// Memberships that end, before anything else (ruling 9): group, members.
    pub remove_members: Vec<(SourceId, Vec<SourceId>)>,
    /// Users and groups told anew.
    pub told: Entra,
    /// Users and groups deleted, with a tombstone.
    pub delete: Vec<SourceId>,
    /// Users gone without a tombstone: only a completed full read sees it (ruling 2).
    pub missing: Vec<SourceId>,
}

/// What a step expects. `None` is not judged (ruling 4).
#[derive(Debug, Clone)]
pub struct Expect {
    /// Where it stands.
    pub at: Mark,
    /// All changes of the plan, in any order, held or not.
    pub changes: Option<Vec<ExpectedChange>>,
    /// All review items open after the step's planning.
    pub review: Option<Vec<ExpectedReview>>,
    /// Whether the plan is held; left out = it is not.
    pub held: bool,
    /// All reports.
    pub reports: Option<Vec<ExpectedReport>>,
    /// All users out of scope, by the name of what excluded them (ruling 113).
    pub out_of_scope: Option<BTreeMap<String, Vec<SourceId>>>,
}

/// An expected change. What is `None` is not compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedChange {
    /// Where it stands.
    pub at: Mark,
    /// What is done.
    pub verb: Verb,
    /// The record's kind.
    pub kind: Option<Kind>,
    /// The user.
    pub user: Option<SourceId>,
    /// The winning rule.
    pub rule: Option<RuleId>,
    /// The record.
    pub record: Option<String>,
    /// Fields that must be among the new values, exactly; null = cleared.
    pub set: Fields,
    /// Fields that must not be among the new values (ruling 7).
    pub keep: Vec<Field>,
}

/// An expected review item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedReview {
    /// Where it stands.
    pub at: Mark,
    /// The users it is about: one, or those of an item that stands for a rule (ruling 21).
    pub users: Vec<SourceId>,
    /// Why, compared when given.
    pub why: Option<ReviewWhy>,
    /// The rule, compared when given.
    pub rule: Option<RuleId>,
    /// Records it could be, compared as a set when given.
    pub candidates: Option<Vec<String>>,
}

/// An expected report. What is `None` is not compared (ruling 113).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedReport {
    /// Where it stands.
    pub at: Mark,
    /// The user.
    pub user: Option<SourceId>,
    /// The field.
    pub field: Option<Field>,
    /// Why.
    pub why: Option<ReportWhy>,
}
