//! What would be decided if one thing were otherwise: each losing rule with what it asks and the user does not meet, and the decision
//! once that is met. Nothing here decides: the planner is asked again, with facts or a policy altered as little as can be.

use crate::claims::Claims;
use crate::decide::{Planner, Selection};
use crate::{scope, source};
use model::directory::Presence;
use model::facts::{Answers, Questions, UserFacts};
use model::otherwise::{Condition, Missing, Otherwise};
use model::plan::Decision;
use model::policy::{Policy, Rule};
use model::reason::Reason;
use model::{Field, GroupKey, Kind, RuleId, Value};

/// Rules told of beside the winner, in their order: a policy of hundreds of rules must not make an explanation of hundreds of sentences.
const RULES: usize = 12;

/// The groups one list of a rule names: each as the rule says it, and what the mirror holds of it.
type References = Vec<(String, Vec<GroupKey>)>;

/// One imagined state, ready to be decided.
#[derive(Debug)]
pub struct Alternative {
    conditions: Vec<Condition>,
    /// The policy altered; none = the facts alone are.
    planner: Option<Planner>,
    user: UserFacts,
}

/// What a rule needs before it would be the one.
struct Step {
    conditions: Vec<Condition>,
    /// As in [`Alternative`].
    planner: Option<Planner>,
    user: UserFacts,
}

impl Alternative {
    /// What must be known to decide it.
    #[must_use]
    pub fn questions(&self, asked: &Planner) -> Questions {
        self.planner.as_ref().unwrap_or(asked).questions(std::slice::from_ref(&self.user))
    }

    /// Decides it, by the planner it was made from where the policy is the same; `answers` are those to [`Alternative::questions`].
    #[must_use]
    pub fn decide(self, asked: &Planner, answers: &Answers) -> Option<Otherwise> {
        let planner = self.planner.as_ref().unwrap_or(asked);
        let decision = planner.decide_alone(&self.user, answers)?;
        let rule = decision.standing.rule.as_ref().and_then(|id| planner.policy.rules.iter().find(|rule| rule.id == *id));
        Some(Otherwise {
            conditions: self.conditions,
            outcome: decision.standing.outcome,
            excluded_by: decision.standing.excluded_by.clone(),
            rule_name: rule.map(|rule| rule.name.clone()),
            kinds: rule.map(|rule| rule.then.kind.kinds().to_vec()).unwrap_or_default(),
            client: rule.and_then(|rule| planner.client_of(&rule.id, *rule.then.kind.kinds().last()?)),
            client_name: None,
            review: decision.review.as_ref().map(|item| item.why),
            changes: decision.changes.iter().map(|change| (change.verb, change.kind)).collect(),
            rule: decision.standing.rule,
        })
    }
}

impl Planner {
    /// Decides one user as if nobody else were due. What waits for others to speak is decided as if they had nothing to say.
    #[must_use]
    pub fn decide_alone(&self, user: &UserFacts, answers: &Answers) -> Option<Decision> {
        let users = std::slice::from_ref(user);
        let mut claims = Claims::default();
        claims.everyone_decided();
        let mut decisions = self.decide(users, answers, &mut claims);
        if !claims.settle().is_empty() {
            decisions = self.decide(users, answers, &mut claims);
        }
        decisions.pop()
    }

    /// The rule that wins for a user, if any does; whether the user has a record is told apart from their facts.
    #[must_use]
    pub fn selected(&self, user: &UserFacts, linked: bool) -> Option<RuleId> {
        self.select_as(user, linked).rule().map(|rule| rule.id.clone())
    }

    /// What each mapping of a kind gives for a user, or why that cannot be written.
    #[must_use]
    pub fn values(&self, user: &UserFacts, kind: Kind) -> Vec<(Field, Result<Value, String>)> {
        self.mappings.of(kind).values(user)
    }

    /// Why the rules that did not win did not even match: one reason for each, in the order of the rules, the first dozen.
    #[must_use]
    pub fn missed(&self, user: &UserFacts) -> Vec<Reason> {
        let all = self.with_every_rule();
        let missed = ordered(&self.policy).into_iter().filter_map(|rule| {
            let missing = all.missing(user, rule);
            (!missing.is_empty()).then(|| Reason::RuleMissed { rule: rule.id.clone(), name: rule.name.clone(), missing })
        });
        missed.take(RULES).collect()
    }

    /// What could be otherwise for this user: out of scope and not, each losing rule's conditions met, the winning rule's groups left,
    /// the account disabled or deleted. Bounded by a constant, whatever the policy holds.
    #[must_use]
    pub fn alternatives(&self, user: &UserFacts) -> Vec<Alternative> {
        if user.presence != Presence::Present {
            return Vec::new();
        }
        let all = self.with_every_rule();
        let mut steps = Vec::new();
        let winner = match self.select(user) {
            Selection::Rule(won) => Some(won.compiled.rule.clone()),
            Selection::Excluded(by) => {
                steps.extend(self.lifted(user, &by));
                None
            }
            Selection::Fault(_) => None,
        };
        let others = ordered(&self.policy).into_iter().filter(|rule| winner.as_ref().is_none_or(|w| w.id != rule.id));
        steps.extend(others.take(RULES).map(|rule| self.met(&all, user, rule)));
        if let Some(rule) = &winner {
            steps.extend(all.left(user, rule));
            let mut gone = user.clone();
            gone.presence = Presence::Deleted;
            let disabled = scope::is_enabled(user).then(|| enabled(user, false));
            steps.extend(disabled);
            steps.push(Step { conditions: vec![Condition::Deleted], planner: None, user: gone });
        }
        steps.into_iter().map(|Step { conditions, planner, user }| Alternative { conditions, planner, user }).collect()
    }

    /// The same with every rule on: what a rule that is off asks is worth telling too.
    fn with_every_rule(&self) -> Planner {
        let mut policy = self.policy.clone();
        policy.rules.iter_mut().for_each(|rule| rule.enabled = true);
        self.by(&policy)
    }

    /// The same by another policy.
    fn by(&self, policy: &Policy) -> Planner {
        Planner::new(policy, self.digest(), self.tenant.clone())
    }

    /// The named groups a user is in, each with the user's own group that leads there.
    fn member_of(&self, user: &UserFacts) -> Vec<(GroupKey, GroupKey)> {
        let mut groups = Vec::new();
        for group in &user.groups {
            self.rules.reach().collect(*group, &mut groups);
        }
        groups
    }

    /// The groups a rule names: for each of its two lists, the reference and what the mirror holds of it.
    fn named_by(&self, rule: &Rule) -> [Option<References>; 2] {
        let named = self.named_groups();
        let find = |reference: String| {
            let of = named.iter().find(|n| n.rule == rule.id && n.reference == reference);
            let keys = of.map(|n| n.groups.clone()).unwrap_or_default();
            (reference, keys)
        };
        let ids = rule.when.groups.as_ref().map(|ids| ids.iter().map(|id| find(id.to_string())).collect());
        let names = rule.when.group_names.as_ref().map(|names| names.iter().map(|name| find(name.clone())).collect());
        [ids, names]
    }

    /// A group as people know it.
    fn group_name(&self, reference: &str, keys: &[GroupKey]) -> String {
        let known = keys.first().and_then(|key| self.tenant.groups.iter().find(|g| g.key == *key));
        known.map_or_else(|| reference.to_owned(), |g| g.name.clone())
    }

    /// What a rule asks and the user does not meet; nothing for a rule that matches.
    fn missing(&self, user: &UserFacts, rule: &Rule) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !rule.enabled {
            missing.push(Missing::Off);
        }
        let member_of = self.member_of(user);
        for list in self.named_by(rule).into_iter().flatten() {
            let is_in = list.iter().any(|(_, keys)| keys.iter().any(|k| member_of.iter().any(|(named, _)| named == k)));
            if !is_in {
                let named = list.iter().map(|(reference, keys)| self.group_name(reference, keys)).collect();
                missing.push(Missing::Group { named });
            }
        }
        if let Some(filter) = &rule.when.filter {
            let text = || filter.text().to_owned();
            match filter.holds(source::subject(user)) {
                Ok(true) => {}
                Ok(false) => missing.push(Missing::Filter { text: text() }),
                Err(_) => missing.push(Missing::Unevaluable { text: text() }),
            }
        }
        let assigned = self.policy.scope.app_assigned && user.assigned && rule.when.include_guests != Some(false);
        if scope::is_guest(&user.attributes) && !assigned && !rule.when.include_guests.unwrap_or(self.policy.scope.guests) {
            missing.push(Missing::Guest);
        }
        missing
    }

    /// What leaves the user out, lifted.
    fn lifted(&self, user: &UserFacts, by: &str) -> Option<Step> {
        if by == "no rule" {
            return None;
        }
        if by == "disabled" {
            return Some(enabled(user, true));
        }
        let mut policy = self.policy.clone();
        match by {
            "licence" => policy.scope.licensed_only = false,
            "guests" => policy.scope.guests = true,
            "not assigned" => policy.scope.app_assigned = false,
            _ => match by.strip_prefix("require:") {
                Some(attribute) => policy.scope.require.retain(|required| required != attribute),
                None => policy.scope.exclude.retain(|exclude| exclude.name != by),
            },
        }
        let conditions = vec![Condition::NotExcluded { by: by.to_owned() }];
        Some(Step { conditions, planner: Some(self.by(&policy)), user: user.clone() })
    }

    /// A rule's conditions met, by the user's facts where they can be, and, if it still loses, the rule put first.
    fn met(&self, all: &Planner, user: &UserFacts, rule: &Rule) -> Step {
        let mut user = user.clone();
        let mut conditions = Vec::new();
        let mut altered = rule.clone();
        let name = || rule.name.clone();
        let member_of = all.member_of(&user);
        let is_in = |keys: &[GroupKey]| keys.iter().any(|k| member_of.iter().any(|(named, _)| named == k));
        for (at, list) in all.named_by(rule).into_iter().enumerate() {
            let Some(list) = list.filter(|list| !list.iter().any(|(_, keys)| is_in(keys))) else { continue };
            let Some((reference, keys)) = list.iter().find(|(_, keys)| !keys.is_empty()).or(list.first()) else { continue };
            conditions.push(Condition::InGroup { group: all.group_name(reference, keys) });
            match keys.first() {
                Some(key) => user.groups.push(*key),
                // The directory holds no such group, so nobody can be in it: the condition itself goes.
                None if at == 0 => altered.when.groups = None,
                None => altered.when.group_names = None,
            }
        }
        for missing in all.missing(&user, &altered) {
            match missing {
                Missing::Off => {
                    altered.enabled = true;
                    conditions.push(Condition::RuleOn { rule: name() });
                }
                Missing::Filter { .. } | Missing::Unevaluable { .. } => {
                    altered.when.filter = None;
                    conditions.push(Condition::FilterHeld { rule: name() });
                }
                Missing::Guest => {
                    altered.when.include_guests = Some(true);
                    conditions.push(Condition::TakesGuests { rule: name() });
                }
                Missing::Group { .. } => {}
            }
        }
        let with = |altered: &Rule| {
            let mut policy = self.policy.clone();
            policy.rules.iter_mut().filter(|r| r.id == altered.id).for_each(|r| *r = altered.clone());
            self.by(&policy)
        };
        let mut planner = (altered != *rule).then(|| with(&altered));
        let wins = match planner.as_ref().unwrap_or(self).select(&user) {
            Selection::Rule(won) => won.compiled.rule.id == rule.id,
            // Being left out is the answer: putting the rule first would not change it.
            Selection::Excluded(_) | Selection::Fault(_) => true,
        };
        if !wins {
            altered.order = i32::MIN;
            altered.created = Some(i128::MIN);
            conditions.push(Condition::RuleFirst { rule: name() });
            planner = Some(with(&altered));
        }
        Step { conditions, planner, user }
    }

    /// The groups left through which a rule won.
    fn left(&self, user: &UserFacts, rule: &Rule) -> Option<Step> {
        let named: Vec<GroupKey> = self.named_by(rule).into_iter().flatten().flatten().flat_map(|(_, keys)| keys).collect();
        let leads = |group: &GroupKey| {
            let mut reached = Vec::new();
            self.rules.reach().collect(*group, &mut reached);
            reached.iter().any(|(n, _)| named.contains(n))
        };
        let (leading, staying): (Vec<GroupKey>, Vec<GroupKey>) = user.groups.iter().copied().partition(leads);
        if leading.is_empty() {
            return None;
        }
        let groups = self.tenant.groups.iter().filter(|g| leading.contains(&g.key)).map(|g| g.name.clone()).collect();
        let user = UserFacts { groups: staying, ..user.clone() };
        Some(Step { conditions: vec![Condition::NotInGroup { groups }], planner: None, user })
    }
}

/// Rules in the order in which they are asked, those that are off among them.
fn ordered(policy: &Policy) -> Vec<&Rule> {
    let mut rules: Vec<&Rule> = policy.rules.iter().collect();
    rules.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.id.cmp(&b.id)));
    rules
}

/// The account enabled or disabled.
fn enabled(user: &UserFacts, enabled: bool) -> Step {
    let mut user = user.clone();
    user.attributes.set("accountEnabled", Value::Bool(enabled));
    Step { conditions: vec![Condition::Enabled { enabled }], planner: None, user }
}
