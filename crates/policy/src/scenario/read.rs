//! From a file's documents to scenarios.

use super::{Action, Entra, EntraStep, Resolve, START, Scenario, Step, Tenant, Verdict, entra, expect, records};
use crate::Loaded;
use crate::document::{self, Data, Kind, Node};
use crate::fault::{Fault, Faults};
use crate::layers::merged;
use crate::merge::{expand, over};
use crate::reader::{Keys, boolean, id, ids, instant, list, map, record_id, required, text, word};
use jiff::Timestamp;
use model::SourceId;
use model::run::RunKind;
use std::sync::Arc;

pub(crate) const SCENARIO: Keys = Keys { of: "", known: &["name", "policy", "tenant", "entra", "records", "steps"] };
pub(crate) const TENANT: Keys = Keys { of: "tenant", known: &["id", "domain", "client"] };
pub(crate) const STEP: Keys =
    Keys { of: "a step", known: &["now", "run", "approve", "reject", "resolve", "policy", "edit", "entra", "expect"] };
pub(crate) const RESOLVE: Keys = Keys { of: "a resolve", known: &["user", "action", "record"] };
pub(crate) const ENTRA_STEP: Keys =
    Keys { of: "entra", known: &["users", "groups", "skus", "app_assigned", "delete", "missing", "remove_members"] };

/// How a step's read went (ruling 2).
const RUNS: &[(&str, RunKind)] = &[("full", RunKind::Full), ("delta", RunKind::Delta), ("incomplete", RunKind::Incomplete)];

/// The tenant of a scenario that is not about its tenant.
const SOME_TENANT: (&str, &str) = ("00000000-0000-0000-0000-000000000001", "tenant.example");

/// Reads a file of scenarios: one a document, several documents separated by `---`. Policies are merged and checked as well.
///
/// # Errors
/// Every fault found, in the order of their places; for a fault of form (not YAML, too large) that one alone.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, Vec<Fault>> {
    let documents = document::parse(file, text, Kind::Scenarios).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut scenarios = Vec::with_capacity(documents.len());
    // `---` at the end of a file opens an empty document, which is nobody's mistake.
    for root in documents.iter().filter(|root| !root.is_null()) {
        let mut found = Faults::default();
        let scenario = scenario(root, &mut found);
        if found.is_empty() {
            scenarios.extend(scenario);
        }
        faults.extend(found.into_vec(&[root]));
    }
    if faults.is_empty() && scenarios.is_empty() {
        let message = "the file holds no scenario; begin one with name: and steps:".to_owned();
        faults.push(Fault { file: file.into(), line: 1, column: 1, pointer: String::new(), message });
    }
    if faults.is_empty() { Ok(scenarios) } else { Err(faults) }
}

fn scenario(root: &Node, faults: &mut Faults) -> Option<Scenario> {
    let root = SCENARIO.check(root, faults)?;
    let name = required(root, "name", "a scenario", faults).and_then(|n| name(n, faults));
    let tenant = root.get("tenant").map_or(Some(some_tenant()), |n| tenant(n, faults));
    let entra = root.get("entra").map_or_else(Entra::default, |n| entra::start(n, faults));
    let records = root.get("records").map(|n| records::start(n, faults)).unwrap_or_default();
    let nodes = required(root, "steps", "a scenario", faults).and_then(|n| list(n, "steps", faults));
    if let (Some([]), Some(at)) = (nodes, root.get("steps")) {
        faults.add(&at.at, "steps is empty; a scenario shows something in at least one step");
    }
    let mut state = State { root, now: None, policy: None };
    let policy = state.lay(root.get("policy"), faults);
    let steps = nodes?.iter().filter_map(|node| step(node, &mut state, faults)).collect();
    Some(Scenario { at: root.at.clone(), name: name?, policy: policy?, tenant: tenant?, entra, records, steps })
}

/// A scenario's name, in one line however it was written: `name: >` leaves a line break behind it.
fn name(node: &Node, faults: &mut Faults) -> Option<String> {
    let Data::Text(written) = &node.data else { return text(node, "name", faults) };
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    text(&Node { at: node.at.clone(), data: Data::Text(line) }, "name", faults)
}

/// What goes on from step to step.
struct State<'n> {
    root: &'n Node,
    /// The time of the step before; none before the first, whose own time may be any.
    now: Option<Timestamp>,
    /// The policies so far, laid over each other.
    policy: Option<Node>,
}

impl State<'_> {
    /// Lays a policy over those so far and loads the whole.
    fn lay(&mut self, own: Option<&Node>, faults: &mut Faults) -> Option<Arc<Loaded>> {
        let own = own.filter(|node| !node.is_null());
        let layers: Vec<_> = self.policy.iter().chain(own).collect();
        let loaded = merged(&layers, &[self.root], faults);
        if let Some(own) = own {
            let own = expand(own);
            self.policy = Some(match self.policy.take() {
                Some(lower) => over(lower, &own),
                None => own,
            });
        }
        loaded.map(Arc::new)
    }
}

fn step(node: &Node, state: &mut State<'_>, faults: &mut Faults) -> Option<Step> {
    let node = STEP.check(node, faults)?;
    if let Some(at) = node.get("now")
        && let Some(now) = instant(at, "now", faults)
    {
        if let Some(before) = state.now.filter(|before| now < *before) {
            faults.add(&at.at, format!("now goes back behind {before}; the clock of a scenario only goes on"));
        }
        state.now = Some(now);
    }
    let now = *state.now.get_or_insert(START);
    let run = node.get("run").map_or(Some(RunKind::Full), |n| word(n, "run", RUNS, faults));
    let verdict = verdict(node, faults);
    let resolve = node.get("resolve").and_then(|n| list(n, "resolve", faults)).unwrap_or_default();
    let resolve: Vec<Resolve> = resolve.iter().filter_map(|n| resolution(n, faults)).collect();
    let policy = node.get("policy").map(|own| state.lay(Some(own), faults));
    let edit = node.get("edit").map(|n| records::edit(n, faults)).unwrap_or_default();
    let entra = node.get("entra").map(|n| entra_step(n, faults)).unwrap_or_default();
    let expect = node.get("expect").map(|n| expect::read(n, faults));
    // Not given is fine; given and faulty is not.
    let policy = policy.map_or(Some(None), |read| read.map(Some));
    let expect = expect.map_or(Some(None), |read| read.map(Some));
    Some(Step { at: node.at.clone(), now, verdict, resolve, policy: policy?, edit, entra, run: run?, expect: expect? })
}

fn some_tenant() -> Tenant {
    Tenant { id: SourceId::new(SOME_TENANT.0), domain: SOME_TENANT.1.to_owned(), client: None }
}

fn tenant(node: &Node, faults: &mut Faults) -> Option<Tenant> {
    let node = TENANT.check(node, faults)?;
    let other = some_tenant();
    Some(Tenant {
        id: node.get("id").map_or(Some(other.id), |n| id(n, "tenant.id", faults))?,
        domain: node.get("domain").map_or(Some(other.domain), |n| text(n, "tenant.domain", faults))?,
        client: match node.get("client").filter(|n| !n.is_null()) {
            Some(n) => Some(id(n, "tenant.client", faults)?.as_str().to_owned()),
            None => None,
        },
    })
}

fn verdict(node: &Node, faults: &mut Faults) -> Option<Verdict> {
    let mut said = |key| node.get(key).and_then(|n| boolean(n, key, faults)).unwrap_or(false);
    match (said("approve"), said("reject")) {
        (true, false) => Some(Verdict::Approve),
        (false, true) => Some(Verdict::Reject),
        (false, false) => None,
        (true, true) => {
            faults.add(&node.at, "a plan is either approved or rejected; keep one of approve and reject");
            None
        }
    }
}

/// A link names its record, the other actions none.
fn resolution(node: &Node, faults: &mut Faults) -> Option<Resolve> {
    let node = RESOLVE.check(node, faults)?;
    let words = ["link", "create", "dismiss", "reopen"].map(|w| (w, w));
    let user = required(node, "user", "a resolve", faults).and_then(|n| id(n, "user", faults));
    let action = required(node, "action", "a resolve", faults).and_then(|n| word(n, "action", &words, faults));
    let record = node.get("record").filter(|n| !n.is_null());
    let action = match (action?, record) {
        ("link", record) => {
            let Some(record) = record else {
                faults.add(&node.at, "a link names the record it is about: { user, action: link, record }");
                return None;
            };
            Action::Link(record_id(record, "record", faults)?)
        }
        (word, Some(record)) => {
            faults.add(&record.at, format!("{word} takes no record; only link does"));
            return None;
        }
        ("create", None) => Action::Create,
        ("dismiss", None) => Action::Dismiss,
        _ => Action::Reopen,
    };
    Some(Resolve { at: node.at.clone(), user: user?, action })
}

fn entra_step(node: &Node, faults: &mut Faults) -> EntraStep {
    let Some(node) = ENTRA_STEP.check(node, faults) else { return EntraStep::default() };
    let mut named = |key| node.get(key).and_then(|n| ids(n, key, faults)).unwrap_or_default();
    let (delete, missing) = (named("delete"), named("missing"));
    let mut remove_members = Vec::new();
    if let Some(node) = node.get("remove_members") {
        for entry in map(node, "remove_members", faults).unwrap_or_default() {
            let members = ids(&entry.value, &format!("remove_members of {}", entry.key), faults).unwrap_or_default();
            remove_members.push((SourceId::new(entry.key.as_str()), members));
        }
    }
    EntraStep { remove_members, told: entra::told(node, faults), delete, missing }
}
