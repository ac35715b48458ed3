//! A world in memory: a directory and a PSA that answer the planner's questions as a store would, and carry out its plans. Runs
//! scenarios, a policy's unit tests, without server, database or network.

mod apply;
mod directory;
mod edit;
mod judge;
mod plan;
mod records;
mod resolve;
mod shown;

pub use judge::Failure;
pub use shown::{Shown, ShownChange, ShownReport, ShownReview, plan_json};

use crate::guard::{self, RuleGroup};
use directory::Directory;
use model::facts::{Answers, Resolution, UserFacts};
use model::plan::{Change, Decision, Hold, LinkState, ReviewItem, Weights};
use model::policy::Policy;
use model::run::RunKind;
use model::{PersonId, SourceId, UserKey};
#[cfg(test)]
pub(crate) use plan::Decided;
pub(crate) use plan::Planned;
use policy::Loaded;
use policy::scenario::{Scenario, Step, Verdict};
use records::Psa;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// How a scenario went.
#[derive(Debug, Clone)]
pub struct ScenarioResult {
    /// Its name.
    pub name: String,
    /// Where it begins, as file:line:column.
    pub at: String,
    /// Its steps, in order.
    pub steps: Vec<StepResult>,
}

impl ScenarioResult {
    /// Whether every expectation was met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|s| s.faults().next().is_none())
    }
}

/// How a step went.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// Its number, from 1.
    pub number: usize,
    /// Where it stands, as file:line:column.
    pub at: String,
    /// The plan, as shown to a person.
    pub shown: Shown,
    /// What of the step could not be done, such as an answer that was refused; the rest of it was.
    pub refused: Vec<Failure>,
    /// Expectations that were not met; none when there were none.
    pub failures: Vec<Failure>,
}

impl StepResult {
    /// Everything that makes the step fail: what was refused, then expectations that were not met.
    pub fn faults(&self) -> impl Iterator<Item = &Failure> {
        self.refused.iter().chain(&self.failures)
    }
}

/// A finished plan with everything it was made from, for whoever looks over it before it is applied.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The policy that made it.
    pub policy: &'a Policy,
    /// The read it follows from.
    pub run: RunKind,
    /// Everyone who was decided, as the planner was told of them.
    pub users: &'a [UserFacts],
    /// The answers it was given.
    pub answers: &'a Answers,
    /// What was decided, user by user.
    pub decisions: &'a [Decision],
    /// What it weighs.
    pub weights: &'a Weights,
}

/// Somebody who looks over finished plans, and says in sentences what cannot be right. A step whose plan is objected to fails.
pub type Look<'a> = &'a mut dyn FnMut(&Finished<'_>) -> Vec<String>;

/// Runs a scenario: plans and applies step by step, judges what each step expects, and has every finished plan looked over.
#[must_use]
pub fn run_scenario(scenario: &Scenario, look: Look<'_>) -> ScenarioResult {
    let mut world = World::new(scenario);
    let steps = scenario.steps.iter().enumerate().map(|(at, step)| world.step(at + 1, step, look)).collect();
    ScenarioResult { name: scenario.name.clone(), at: scenario.at.to_string(), steps }
}

/// Everything there is.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) policy: Arc<Loaded>,
    pub(crate) domain: String,
    /// The client the tenant is mapped to, as written.
    pub(crate) client: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
    pub(crate) directory: Directory,
    pub(crate) psa: Psa,
    /// Review items that are open or dismissed.
    pub(crate) reviews: BTreeMap<UserKey, ReviewItem>,
    /// Users whose item a person dismissed: they stay out.
    pub(crate) dismissed: BTreeSet<UserKey>,
    /// What people chose, user by user: at most one choice for each kind of record.
    pub(crate) resolutions: BTreeMap<UserKey, Vec<Chosen>>,
    /// Removals of records, newest last.
    pub(crate) ledger: Vec<Removal>,
    /// The plan that waits for a person.
    pub(crate) held: Option<Pending>,
    /// Whose removal a person rejected, with what it was decided from.
    pub(crate) rejected: Option<BTreeMap<UserKey, plan::Inputs>>,
    /// What the last applied run saw.
    pub(crate) seen: Seen,
}

/// A person's choice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) resolution: Resolution,
    /// It is told again at every plan, once it is acted on.
    pub(crate) stays: bool,
}

/// A removal in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Removal {
    pub(crate) person: PersonId,
    pub(crate) at: i64,
    pub(crate) approved: bool,
    pub(crate) undone: bool,
}

/// What a plan writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    pub(crate) changes: Vec<Change>,
    pub(crate) bookings: Vec<(PersonId, LinkState)>,
}

/// What the last applied run saw of the source, for the guard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) present: BTreeSet<SourceId>,
    pub(crate) groups: Vec<RuleGroup>,
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut world = Self {
            policy: scenario.policy.clone(),
            domain: scenario.tenant.domain.clone(),
            client: scenario.tenant.client.clone(),
            now: policy::scenario::START.as_millisecond(),
            directory: Directory::default(),
            psa: Psa::default(),
            reviews: BTreeMap::new(),
            dismissed: BTreeSet::new(),
            resolutions: BTreeMap::new(),
            ledger: Vec::new(),
            held: None,
            rejected: None,
            seen: Seen::default(),
        };
        world.directory.told(&scenario.entra);
        world.begin(&scenario.records);
        world.seen = world.look();
        world
    }

    /// Carries out one step, in the order of ruling 112.
    fn step(&mut self, number: usize, step: &Step, look: Look<'_>) -> StepResult {
        let mut refused = Vec::new();
        self.now = step.now.as_millisecond();
        match (step.verdict, self.held.take()) {
            (None, held) => self.held = held,
            (Some(Verdict::Approve), Some(plan)) => self.apply(&plan, true),
            (Some(Verdict::Reject), Some(plan)) => self.reject(&plan),
            (Some(_), None) => refused.push(Failure::at(&step.at, "no plan is held, so there is nothing to approve or reject")),
        }
        refused.extend(self.resolve(&step.resolve, look));
        if let Some(policy) = &step.policy {
            self.policy = policy.clone();
        }
        refused.extend(self.edit(&step.edit));
        self.directory.change(&step.entra);
        let absentees = self.directory.read(step.run, &self.seen.present);
        let planned = self.plan(step.run, number == 1, absentees);
        let objections = look(&self.finished(step.run, &planned));
        refused.extend(objections.iter().map(|o| Failure::at(&step.at, &format!("the plan contradicts itself: {o}"))));
        let shown = self.show(&planned);
        let failures = step.expect.as_ref().map(|expect| judge::judge(expect, &shown)).unwrap_or_default();
        self.conclude(planned);
        StepResult { number, at: step.at.to_string(), shown, refused, failures }
    }

    fn finished<'a>(&'a self, run: RunKind, planned: &'a Planned) -> Finished<'a> {
        let Planned { decisions, users, answers, weights, .. } = planned;
        Finished { policy: &self.policy.policy, run, users, answers, decisions, weights }
    }

    /// Applies a plan that nothing holds.
    fn conclude(&mut self, planned: Planned) {
        if planned.holds.is_empty() {
            self.write_plan(&planned.pending, false);
            self.seen = planned.seen;
            self.held = None;
            return;
        }
        let Planned { pending, holds, .. } = planned;
        let has_safe_part = self.policy.policy.guard.apply_safe_part && holds.iter().all(Hold::is_removals);
        if !has_safe_part {
            self.held = Some(pending);
            return;
        }
        // What waits is a plan of its own (ruling 86), which the next step shows (ruling 108).
        let (mut safe, mut rest) = (Pending { bookings: pending.bookings, ..Pending::default() }, Pending::default());
        let mut part = guard::SafePart::default();
        pending.changes.iter().for_each(|change| part.add(change));
        for (change, is_safe) in pending.changes.into_iter().zip(part.finish()) {
            if is_safe { &mut safe } else { &mut rest }.changes.push(change);
        }
        self.write_plan(&safe, false);
        self.held = Some(rest);
    }

    fn reject(&mut self, plan: &Pending) {
        let users: HashSet<UserKey> = plan.changes.iter().filter(|c| c.effects.removal).map(|c| c.user).collect();
        let mut rejected = self.rejected.take().unwrap_or_default();
        let planner = self.planner(RunKind::Full);
        rejected.extend(users.iter().filter_map(|user| Some((*user, self.inputs(*user, &planner)?))));
        self.rejected = Some(rejected);
        self.seen = self.look();
    }
}

#[cfg(test)]
impl World {
    /// Entra changes and everything of it is read.
    pub(crate) fn change(&mut self, step: &policy::scenario::EntraStep) {
        self.directory.change(step);
        self.directory.read(model::run::RunKind::Full, &self.seen.present);
    }

    /// A plan from a read of this kind.
    pub(crate) fn plan_as(&mut self, run: model::run::RunKind) -> Planned {
        self.plan(run, false, 0)
    }

    /// Applies a plan, held or not.
    pub(crate) fn apply_all(&mut self, planned: &Planned) {
        self.apply(&planned.pending, true);
    }
}
