//! Counting decisions without keeping them: groups of like changes, fields, questions to people, and a few samples of each group.
//! It holds some tens of bytes for each affected user, because a user may be decided again when names are settled.

use model::plan::{Change, Decision, Outcome, Verb, Weights};
use model::reason::{Cause, ReviewWhy};
use model::{Field, Fields, Kind, PersonId, RuleId, SourceId, UserKey};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Samples of one group.
const SAMPLES: usize = 3;
/// Samples altogether.
const ALL_SAMPLES: usize = 200;
/// Groups that are shown; the counts cover all.
const GROUPS: usize = 100;

/// Changes that do the same to the same fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ChangeGroup {
    /// What would be done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// To which kind of record.
    pub kind: Kind,
    /// By which rule.
    pub rule: Option<RuleId>,
    /// The fields that would get new values.
    pub fields: Vec<Field>,
    /// It takes records out of use.
    pub removal: bool,
}

/// A group with how many changes it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupCount {
    /// What they do.
    #[serde(flatten)]
    pub group: ChangeGroup,
    /// How many.
    pub count: i64,
}

/// One person as an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// The user.
    pub user: UserKey,
    /// Their object id.
    pub source_id: SourceId,
    /// Their name as the directory last told it.
    pub name: String,
    /// What would be done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// The kind of record.
    pub kind: Kind,
    /// The record; none for a new one.
    pub record: Option<PersonId>,
    /// The values that would be replaced.
    pub before: Fields,
    /// The new values.
    pub set: Fields,
    /// Why, as sentences.
    pub why: Vec<String>,
    /// Its group, for thinning out.
    #[serde(skip)]
    group: u32,
}

/// What was noted of one user.
#[derive(Debug, Default)]
struct Noted {
    groups: Vec<u32>,
    review: Option<ReviewWhy>,
    failed: bool,
}

/// The counts so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    numbers: HashMap<ChangeGroup, u32>,
    groups: Vec<(ChangeGroup, i64)>,
    users: HashMap<UserKey, Noted>,
    /// Records taken from users who are gone: somebody else may still take them over (ruling 54).
    retired: HashMap<PersonId, (UserKey, u32)>,
    review: BTreeMap<&'static str, i64>,
    failed: i64,
    rekeys: i64,
    returns: i64,
    samples: Vec<Sample>,
}

impl Tally {
    /// Takes a decision in, in place of an earlier one about the same user.
    pub fn note(&mut self, decision: &Decision, name: &str) {
        self.forget(decision.user);
        for record in &decision.replaces {
            if let Some((user, group)) = self.retired.remove(record) {
                self.count(group, -1);
                if let Some(noted) = self.users.get_mut(&user)
                    && let Some(at) = noted.groups.iter().position(|g| *g == group)
                {
                    noted.groups.swap_remove(at);
                }
                self.samples.retain(|s| s.record != Some(*record));
            }
        }
        let review = decision.review.as_ref().map(|item| item.why);
        let mut noted = Noted { review, failed: decision.standing.outcome == Outcome::Failed, ..Noted::default() };
        for change in &decision.changes {
            let group = self.number(change);
            self.count(group, 1);
            noted.groups.push(group);
            if let (Some(record), Some(Cause::Deleted | Cause::Missing)) = (change.record, change.effects.cause) {
                self.retired.insert(record, (decision.user, group));
            }
            self.sample(change, name, group);
            self.rekeys += i64::from(change.effects.rekey);
            self.returns += i64::from(change.effects.returns);
        }
        self.failed += i64::from(noted.failed);
        if let Some(why) = review {
            *self.review.entry(why.as_str()).or_default() += 1;
        }
        if !noted.groups.is_empty() || noted.review.is_some() || noted.failed {
            self.users.insert(decision.user, noted);
        }
    }

    fn forget(&mut self, user: UserKey) {
        let Some(noted) = self.users.remove(&user) else { return };
        for group in noted.groups {
            self.count(group, -1);
        }
        self.failed -= i64::from(noted.failed);
        if let Some(why) = noted.review {
            *self.review.entry(why.as_str()).or_default() -= 1;
        }
        self.samples.retain(|s| s.user != user);
    }

    fn count(&mut self, group: u32, by: i64) {
        if let Some((_, count)) = self.groups.get_mut(group as usize) {
            *count += by;
        }
    }

    fn number(&mut self, change: &Change) -> u32 {
        let group = ChangeGroup {
            verb: change.verb,
            kind: change.kind,
            rule: change.rule.clone(),
            fields: change.set.keys().cloned().collect(),
            removal: change.effects.removal,
        };
        if let Some(number) = self.numbers.get(&group) {
            return *number;
        }
        let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.numbers.insert(group.clone(), number);
        self.groups.push((group, 0));
        number
    }

    fn sample(&mut self, change: &Change, name: &str, group: u32) {
        if self.samples.len() >= ALL_SAMPLES || self.samples.iter().filter(|s| s.group == group).count() >= SAMPLES {
            return;
        }
        self.samples.push(Sample {
            user: change.user,
            source_id: change.source_id.clone(),
            name: name.to_owned(),
            verb: change.verb,
            kind: change.kind,
            record: change.record,
            before: change.before.clone(),
            set: change.set.clone(),
            why: change.reasons.iter().map(ToString::to_string).collect(),
            group,
        });
    }

    /// What a plan of these changes would weigh, on top of what the tenant weighs without one.
    pub fn weigh(&self, weights: &mut Weights) {
        for (group, count) in &self.groups {
            weights.changes += count;
            weights.removals += if group.removal { *count } else { 0 };
            weights.removals_of_unlinked += if group.removal && group.verb == Verb::Link { *count } else { 0 };
            let creates = if group.verb == Verb::Create { *count } else { 0 };
            weights.creates += creates;
            weights.agent_creates += if group.kind == Kind::Agent { creates } else { 0 };
        }
        weights.rekeys += self.rekeys;
        weights.returns += self.returns;
    }

    /// Adds these counts to a report's.
    pub fn add_to(&self, counts: &mut Counted) {
        for (group, count) in self.groups.iter().filter(|(_, count)| *count > 0) {
            *counts.verbs.entry(group.verb.as_str()).or_default() += count;
            counts.changes += count;
            counts.removals += if group.removal { *count } else { 0 };
            for field in &group.fields {
                *counts.fields.entry(field.as_str().to_owned()).or_default() += count;
            }
            match counts.groups.iter_mut().find(|g| g.group == *group) {
                Some(known) => known.count += count,
                None => counts.groups.push(GroupCount { group: group.clone(), count: *count }),
            }
        }
        for (why, count) in self.review.iter().filter(|(_, count)| **count > 0) {
            *counts.review.entry(why).or_default() += count;
        }
        counts.failed += self.failed;
        counts.groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.group.verb.cmp(&b.group.verb)));
        counts.groups.truncate(GROUPS);
        let room = ALL_SAMPLES.saturating_sub(counts.samples.len());
        counts.samples.extend(self.samples.iter().take(room).cloned());
    }
}

/// Who would change, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counted {
    /// Changes altogether.
    pub changes: i64,
    /// Of those, such that take a record out of use.
    pub removals: i64,
    /// Changes by verb.
    pub verbs: BTreeMap<&'static str, i64>,
    /// Changes by the field they give a new value.
    pub fields: BTreeMap<String, i64>,
    /// Like changes together, the largest group first; the first hundred.
    pub groups: Vec<GroupCount>,
    /// Users who would wait for a person, by why.
    pub review: BTreeMap<&'static str, i64>,
    /// Users who could not be decided.
    pub failed: i64,
    /// A few people of each group.
    pub samples: Vec<Sample>,
}
