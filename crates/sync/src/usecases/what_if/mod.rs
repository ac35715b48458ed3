//! What-if: who would change, and how, if a policy were saved. The same three functions of the planner as in a run decide it, over what
//! the store holds now, with claims of their own; nothing is written, and aggregates and samples are all that is kept.
//!
//! First everybody is looked at ([`look`]): users whom the difference between the two policies cannot affect are passed over. Then the
//! affected are decided in the order of a run: those with records, then the others by id. Facts are read ahead by other tasks, and
//! batches are decided one after the other, so that claims meet as they would in a run.
//!
//! Saving looks in the same way and touches exactly those whom this names.

mod look;
mod tally;

pub use tally::{ChangeGroup, Counted, GroupCount, Sample};

use crate::ahead::ahead;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::usecases::policies::PolicyScope;
use look::{Pair, Seen};
use model::facts::{Answers, UserFacts};
use model::{TenantKey, UserKey};
use planner::{Claims, guard};
use policy::Loaded;
use serde::Serialize;
use std::collections::VecDeque;
use store::{Store, Tenant};
use tally::Tally;

/// Users decided at once, as in a run.
const BATCH: usize = 500;

/// Batches read ahead: enough to keep a second core busy, few enough to stay at some megabytes.
const AHEAD: usize = 4;

/// What a change of policy would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WhatIf {
    /// Whether everything is counted; until then the counts grow.
    pub complete: bool,
    /// Users looked at so far.
    pub looked_at: i64,
    /// Users there are.
    pub of: i64,
    /// Users whom the change can affect: the ones saving would touch.
    pub affected: i64,
    /// Affected users decided so far.
    pub decided: i64,
    /// Who would change, and how.
    #[serde(flatten)]
    pub counted: Counted,
    /// Affected users by where they stand and would stand, the most first.
    pub moves: Vec<MoveCount>,
    /// Tenants with anybody affected.
    pub tenants: Vec<TenantImpact>,
    /// What has to be known of these counts, as sentences: what the document asks and was never read.
    pub notes: Vec<String>,
    /// Milliseconds until there were first counts.
    pub first_ms: Option<i64>,
    /// Milliseconds so far.
    pub took_ms: i64,
}

/// Affected users who would go the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveCount {
    /// The rule that selects them, or what leaves them out.
    pub from: String,
    /// The rule that would, or what would leave them out.
    pub to: String,
    /// How many.
    pub count: i64,
}

/// What the change would do in one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantImpact {
    /// The tenant.
    pub tenant: TenantKey,
    /// Its name.
    pub name: String,
    /// Users affected.
    pub affected: i64,
    /// Changes.
    pub changes: i64,
    /// Of those, such that take a record out of use.
    pub removals: i64,
    /// Why the plan would wait for approval, as sentences.
    pub holds: Vec<String>,
}

/// Ways shown; the counts cover all.
const MOVES: usize = 100;

/// Notes kept: a fleet says the same of each of its tenants.
const NOTES: usize = 20;

impl WhatIf {
    fn see(&mut self, seen: Seen) {
        self.looked_at += seen.looked_at;
        self.affected += seen.affected;
        for ((from, to), count) in seen.moves {
            match self.moves.iter_mut().find(|m| m.from == from && m.to == to) {
                Some(known) => known.count += count,
                None => self.moves.push(MoveCount { from, to, count }),
            }
        }
        self.moves.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
        self.moves.truncate(MOVES);
    }
}

impl Engine {
    /// What a document would do if it were saved, over the tenant or, for the default, over all of them. `tell` hears the counts as
    /// they grow, the first within some tens of milliseconds.
    ///
    /// # Errors
    /// [`crate::Error::Policy`] with every fault of the document; the store's.
    pub async fn what_if(&self, scope: PolicyScope, text: &str, mut tell: impl FnMut(&WhatIf) + Send) -> Result<WhatIf> {
        let mut report = WhatIf::default();
        let (began, clock) = (self.now(), self.clock().clone());
        let mut tell = |report: &mut WhatIf| {
            report.took_ms = clock.now_ms() - began;
            report.first_ms = report.first_ms.or(Some(report.took_ms));
            tell(report);
        };
        let pairs = self.pairs(scope, text).await?;
        for (tenant, _, _) in &pairs {
            report.of += self.store().cuts(tenant.key, 1).await?.0;
        }
        let mut notes: Vec<(String, Vec<String>)> = Vec::new();
        for (tenant, before, after) in pairs {
            let pair = Pair::ready(self, tenant, &before, &after).await?;
            for sentence in pair.unread.sentences() {
                match notes.iter_mut().find(|(said, _)| *said == sentence) {
                    Some((_, tenants)) => tenants.push(pair.tenant.name.clone()),
                    None => notes.push((sentence, vec![pair.tenant.name.clone()])),
                }
            }
            report.notes = notes.iter().take(NOTES).map(|(sentence, tenants)| noted(scope, sentence, tenants)).collect();
            self.what_if_in(&pair, &after, &mut report, &mut tell).await?;
        }
        report.complete = true;
        // Users who were never told of themselves are counted as there, and there is nothing to look at.
        report.looked_at = report.of;
        tell(&mut report);
        Ok(report)
    }

    async fn what_if_in(
        &self,
        pair: &Pair,
        loaded: &Loaded,
        report: &mut WhatIf,
        tell: &mut (impl FnMut(&mut WhatIf) + Send),
    ) -> Result<()> {
        let (store, tenant) = (self.store(), pair.tenant.key);
        let affected_before = report.affected;
        let affected = look::look(store, pair, |seen| {
            report.see(seen);
            tell(report);
        })
        .await?;
        let mine = report.affected - affected_before;
        if mine == 0 {
            return Ok(());
        }
        let mut tally = Tally::default();
        let mut claims = Claims::default();
        let base = report.counted.clone();
        let mut show = |tally: &Tally, report: &mut WhatIf, decided: usize| {
            report.decided += i64::try_from(decided).unwrap_or(i64::MAX);
            report.counted = base.clone();
            tally.add_to(&mut report.counted);
            tell(report);
        };
        let passes = [&affected.linked, &affected.unlinked];
        for users in passes {
            let mut batches = users.chunks(BATCH).map(<[UserKey]>::to_vec);
            let mut reading = VecDeque::new();
            loop {
                while reading.len() < AHEAD
                    && let Some(batch) = batches.next()
                {
                    reading.push_back(ahead(read(store.clone(), pair.clone(), batch)));
                }
                let Some(next) = reading.pop_front() else { break };
                let (facts, answers) = next.await?;
                decide(pair, &facts, &answers, &mut claims, &mut tally);
                show(&tally, report, facts.len());
            }
            // As in a run: names are settled once everybody with a record has spoken, and again whenever somebody is freed.
            loop {
                let again = claims.settle();
                if again.is_empty() {
                    break;
                }
                for batch in again.chunks(BATCH) {
                    let (facts, answers) = read(store.clone(), pair.clone(), batch.to_vec()).await?;
                    decide(pair, &facts, &answers, &mut claims, &mut tally);
                }
                show(&tally, report, 0);
            }
        }
        let mut weights = store.idle_weights(tenant, self.now()).await?;
        tally.weigh(&mut weights);
        report.tenants.push(TenantImpact {
            tenant,
            name: pair.tenant.name.clone(),
            affected: mine,
            changes: weights.changes,
            removals: weights.removals,
            holds: guard::weigh(&loaded.policy.guard, &weights).iter().map(ToString::to_string).collect(),
        });
        Ok(())
    }

    /// Users of each tenant whom saving a document affects: whom it has to touch.
    pub(crate) async fn affected_by(&self, scope: PolicyScope, text: &str) -> Result<Vec<(TenantKey, Vec<UserKey>)>> {
        let mut touched = Vec::new();
        for (tenant, before, after) in self.pairs(scope, text).await? {
            let pair = Pair::ready(self, tenant, &before, &after).await?;
            let mut affected = look::look(self.store(), &pair, |_| {}).await?;
            affected.linked.append(&mut affected.unlinked);
            if !affected.linked.is_empty() {
                touched.push((pair.tenant.key, affected.linked));
            }
        }
        Ok(touched)
    }

    /// Each tenant a document would decide for, with its policy as it is and as it would be; tenants for whom both are the same are
    /// left out.
    async fn pairs(&self, scope: PolicyScope, text: &str) -> Result<Vec<(Tenant, Loaded, Loaded)>> {
        // A document that does not hold by itself says so, whoever inherits it.
        let own = self.check_policy(scope, text).await?;
        let tenants = match scope {
            PolicyScope::Tenant(tenant) => vec![self.store().tenant(tenant).await?],
            PolicyScope::Default => self.store().tenants().await?,
        };
        let mut pairs = Vec::new();
        for tenant in tenants {
            let (before, _) = self.effective_policy(tenant.key).await?;
            let after = match scope {
                PolicyScope::Tenant(_) => own.clone(),
                PolicyScope::Default => self.policy_over(text, tenant.key).await.map_err(|error| match error {
                    Error::Policy(faults) => Error::Invalid(format!(
                        "The own policy of {} would not hold over it: {}. Change one of them.",
                        tenant.name,
                        faults.first().map(ToString::to_string).unwrap_or_default()
                    )),
                    other => other,
                })?,
            };
            if before.digest != after.digest {
                pairs.push((tenant, before, after));
            }
        }
        Ok(pairs)
    }
}

/// A note; over the fleet with the tenants it is about.
fn noted(scope: PolicyScope, sentence: &str, tenants: &[String]) -> String {
    match (scope, tenants) {
        (PolicyScope::Tenant(_), _) => sentence.to_owned(),
        (PolicyScope::Default, [one]) => format!("{one}: {sentence}"),
        (PolicyScope::Default, more) => format!("In {} tenants: {sentence}", more.len()),
    }
}

async fn read(store: Store, pair: Pair, users: Vec<UserKey>) -> Result<(Vec<UserFacts>, Answers)> {
    let facts = store.facts_of(pair.tenant.key, &users, &pair.relevant).await?;
    let answers = crate::plan::answers(&store, pair.tenant.key, &pair.decides().batch(&facts), &Claims::default()).await?;
    Ok((facts, answers))
}

fn decide(pair: &Pair, facts: &[UserFacts], answers: &Answers, claims: &mut Claims, tally: &mut Tally) {
    for (decision, user) in pair.decides().decide(facts, answers, claims).iter().zip(facts) {
        let name = || user.attributes.text("displayName").or_else(|| user.attributes.text("userPrincipalName"));
        tally.note(decision, if decision.changes.is_empty() { "" } else { name().unwrap_or_default() });
    }
}
