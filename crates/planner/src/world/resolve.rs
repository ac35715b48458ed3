//! What a person answers to review items: each answer is a plan of its own, of one user, applied at once (rulings 13 and 112).

use super::judge::Failure;
use super::plan::{Decided, Planned};
use super::{Chosen, Look, World};
use crate::guard;
use model::UserKey;
use model::facts::{Choice, Resolution};
use model::plan::{Outcome, ReviewItem};
use model::reason::Reason;
use model::run::RunKind;
use policy::scenario::{Action, Resolve};

/// What an answer comes to.
enum Answered {
    /// This is written.
    Written(Box<Planned>),
    /// Nothing yet: this is asked about the user's other record.
    AskedAnew(Box<ReviewItem>),
}

impl World {
    /// Carries out a step's answers, in order.
    pub(super) fn resolve(&mut self, answers: &[Resolve], look: Look<'_>) -> Vec<Failure> {
        let mut refused = |one: &Resolve| self.answer(one, look).err().map(|why| Failure::at(&one.at, &why));
        answers.iter().filter_map(&mut refused).collect()
    }

    fn answer(&mut self, one: &Resolve, look: Look<'_>) -> Result<(), String> {
        let no_item = || format!("{} is not resolved: nothing is asked about them", one.user);
        let key = self.directory.users.get(&one.user).map(|u| u.key).ok_or_else(no_item)?;
        let is_asked = self.reviews.contains_key(&key);
        match &one.action {
            Action::Dismiss if is_asked && self.dismissed.insert(key) => {
                self.resolutions.remove(&key);
                Ok(())
            }
            Action::Dismiss => Err(no_item()),
            Action::Reopen if self.dismissed.remove(&key) || self.resolutions.remove(&key).is_some() => Ok(()),
            Action::Reopen => Err(format!("{} has no item that was dismissed or resolved", one.user)),
            Action::Create => self.choose(key, one, Choice::Create, look),
            Action::Link(name) => {
                let record = self.psa.person_id(name).ok_or_else(|| format!("there is no record {name:?}"))?;
                self.choose(key, one, Choice::Link(record), look)
            }
        }
    }

    /// One user's plan, with what a person chose. Where the other one of their two records is asked about now, the choice is kept, and
    /// both are written once that is answered too (ruling 45).
    fn choose(&mut self, key: UserKey, one: &Resolve, choice: Choice, look: Look<'_>) -> Result<(), String> {
        let item = self.reviews.get(&key).ok_or_else(|| format!("nothing is asked about {}", one.user))?;
        let (resolution, why) = (Resolution { kind: item.kind, choice }, item.why);
        let record = match choice {
            Choice::Link(record) => self.psa.people.get(&record).map(|r| r.person.kind),
            Choice::Create => None,
        };
        let before = self.resolutions.get(&key).cloned();
        let dismissed = self.dismissed.remove(&key);
        let chosen = self.resolutions.entry(key).or_default();
        chosen.retain(|c| c.resolution.kind != resolution.kind);
        chosen.push(Chosen { resolution, stays: resolution.holds(why, record) });
        match self.plan_one(one, look) {
            Ok(Answered::Written(planned)) => {
                self.write_plan(&planned.pending, false);
                self.reviews.remove(&key);
                if let Some(chosen) = self.resolutions.get_mut(&key) {
                    chosen.retain(|c| c.stays);
                }
                self.resolutions.retain(|_, chosen| !chosen.is_empty());
                Ok(())
            }
            Ok(Answered::AskedAnew(item)) => {
                self.reviews.insert(key, *item);
                Ok(())
            }
            Err(why) => {
                match before {
                    Some(before) => self.resolutions.insert(key, before),
                    None => self.resolutions.remove(&key),
                };
                if dismissed {
                    self.dismissed.insert(key);
                }
                Err(why)
            }
        }
    }

    fn plan_one(&self, one: &Resolve, look: Look<'_>) -> Result<Answered, String> {
        let planner = self.planner(RunKind::Review);
        let facts = self.facts(&one.user, &planner).ok_or_else(|| format!("there is no user {}", one.user))?;
        let answers = self.answers(&planner, std::slice::from_ref(&facts));
        if let Some(refusal) = planner.refusal(&facts, &answers) {
            return Err(refusal.to_string());
        }
        let Decided { linked, unlinked, users, answers } = self.decide(&planner, std::slice::from_ref(&one.user), 1);
        let decisions: Vec<_> = linked.into_iter().chain(unlinked).collect();
        let stuck = decisions.iter().find(|d| d.standing.outcome != Outcome::Synced);
        if let Some(stuck) = stuck {
            if let Some(item) = stuck.review.as_ref().filter(|item| facts.chosen(item.kind).is_none()) {
                return Ok(Answered::AskedAnew(Box::new(item.clone())));
            }
            let reports = stuck.reports.iter().map(|r| r.detail.clone());
            let selected = planner.standing_of(&facts);
            // What is asked now may go by the name of what was asked before; what is in the way is the evidence.
            let evidence: &[Reason] = stuck.review.as_ref().map_or(&[], |item| &item.evidence);
            let reasons = selected.iter().chain(&stuck.reasons).chain(evidence).map(|reason| self.told(reason));
            let why: Vec<String> = reasons.chain(reports).collect();
            return Err(format!("{} cannot be resolved like this: {}", one.user, why.join(" ")));
        }
        let planned = self.gather(decisions);
        let weights = self.weigh_alone(&planned.pending);
        let planned = Planned { users, answers, weights, ..planned };
        if let Some(objection) = look(&self.finished(RunKind::Review, &planned)).first() {
            return Err(format!("the plan contradicts itself: {objection}"));
        }
        let holds = guard::weigh(&self.policy.policy.guard, &planned.weights);
        match holds.first() {
            None => Ok(Answered::Written(Box::new(planned))),
            Some(hold) => Err(format!("the guard holds this: {hold}")),
        }
    }
}
