//! Undo: an applied run taken back by a plan of its own. The inverse of every change is planned from the journal, records that
//! somebody touched since are left and named, and the plan is shown, weighed, approved by its hash and applied like any other.
//! Nothing is read from the directory. A revert is a run, so it can be reverted too.

use crate::actor::Actor;
use crate::engine::{Engine, Job};
use crate::error::{Error, Result};
use crate::hash::PlanHash;
use crate::progress::Teller;
use crate::report::RunReport;
use checker::{Checker, PlanFacts};
use model::attributes::Hash;
use model::plan::{Change, Report, ReportWhy};
use model::run::{RunKind, RunState};
use model::{PersonId, RunId};
use planner::guard;
use planner::inverse::{self, ArchivedNames, Done, Left};
use std::collections::{HashMap, HashSet};
use store::{Lease, Run, RunChange, Written, WrittenBy};

/// Changes taken back at once: a few megabytes with their records.
const BATCH: i64 = 500;

impl Engine {
    /// Asks for the plan that takes a run back; workers make it. It then waits until somebody approves it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the run wrote nothing, or is not over; the store's not-found.
    pub async fn request_revert(&self, run: RunId, actor: &Actor) -> Result<RunId> {
        let stored = self.store().run(run).await?;
        if !matches!(stored.state, RunState::Done | RunState::Failed) {
            return Err(Error::Invalid(format!(
                "Run {run} is {}, so there is nothing of it to revert. Only a run that was applied can be reverted.",
                stored.state
            )));
        }
        if self.store().run_counts(run).await?.applied == 0 {
            return Err(Error::Invalid(format!("Run {run} wrote nothing, so there is nothing of it to revert.")));
        }
        let queued = |r: &Run| r.state == RunState::Queued && r.reverts == Some(run);
        let asked = match self.store().open_runs(stored.tenant).await?.into_iter().find(queued) {
            Some(asked) => asked.id,
            None => self.store().create_revert(stored.tenant, run, &actor.to_string(), self.now()).await?.id,
        };
        self.audit(actor, "run.revert", &run.to_string(), serde_json::json!({ "plan": asked })).await?;
        self.queued().notify_one();
        Ok(asked)
    }

    /// The same, here and now: gives the plan, which waits for approval.
    ///
    /// # Errors
    /// As for [`Engine::request_revert`] and [`Engine::drive`].
    pub async fn revert_now(&self, run: RunId, actor: &Actor, teller: Teller) -> Result<RunReport> {
        let asked = self.request_revert(run, actor).await?;
        self.drive(asked, teller).await
    }

    /// Makes the plan of a run that takes another one back, and leaves it for a person.
    pub(crate) async fn plan_revert(&self, lease: &Lease, run: &Run, teller: &Teller) -> Result<RunId> {
        let mut run = run.clone();
        if run.state == RunState::Queued {
            self.advance(lease, &mut run, RunState::Planning, RunChange::default()).await?;
        }
        let reverts =
            run.reverts.ok_or_else(|| Error::Invalid(format!("Run {} does not say which run it takes back.", run.id)))?;
        let done = self.store().run(reverts).await?;
        let tenant = self.store().tenant(run.tenant).await?;
        let (loaded, policy_version) = self.effective_policy(tenant.key).await?;
        let mut job = self.job(tenant, lease, &run, None, teller).await?;
        let mut checker = Checker::new(PlanFacts::new(&loaded.policy, RunKind::Revert));
        let hash = job.take_back(&done, &mut checker).await?;
        let mut weights = self.store().weights(run.id, self.now()).await?;
        checker.finish(&weights, None).map_err(|found| Error::contradicts(&found))?;
        // Nothing was read for it, so what the last read found says nothing of it.
        (weights.mirror_before, weights.mirror_after, weights.absentees) = (0, 0, 0);
        let holds = guard::weigh(&loaded.policy.guard, &weights);
        let note = format!("Run {} planned anew.", run.id);
        for older in self.store().open_runs(run.tenant).await? {
            if older.id < run.id && older.reverts == Some(reverts) && older.state == RunState::Ready {
                self.end(lease, &older, RunState::Superseded, &note).await?;
            }
        }
        let change = RunChange {
            policy_version,
            policy_digest: Some(loaded.digest),
            plan_hash: Some(hash),
            holds: Some(holds),
            weights: Some(weights),
            ..RunChange::default()
        };
        self.advance(lease, &mut run, RunState::Ready, change).await?;
        Ok(run.id)
    }
}

impl Job {
    /// Stores the inverse of everything a run wrote; gives the plan's hash.
    async fn take_back(&mut self, done: &Run, checker: &mut Checker) -> Result<String> {
        let now = self.engine.now();
        self.store.begin_revert(&self.lease, self.run, now).await?;
        let of = self.store.run_counts(done.id).await?.applied;
        let (mut hash, mut given, mut after, mut told) = (PlanHash::new(), HashSet::new(), 0, 0);
        loop {
            let batch = self.store.written(done, after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = last.row.id;
            let names = self.names(done.id, &batch, &mut given).await?;
            let (mut changes, mut reports) = (Vec::new(), Vec::new());
            for written in &batch {
                match take_back(done.id, written, &names) {
                    Ok(Some(change)) => {
                        hash.add(&change, "");
                        if let Some(record) = &written.record {
                            checker.taken_back(&change, record, written.link.as_ref().map(|(user, _)| *user));
                        }
                        changes.push(change);
                    }
                    Ok(None) => {}
                    Err((why, detail)) => reports.push(Report {
                        user: written.row.change.user,
                        source_id: written.row.change.source_id.clone(),
                        field: None,
                        why,
                        detail,
                    }),
                }
            }
            told += i64::try_from(batch.len()).unwrap_or(i64::MAX);
            self.store.store_revert(&self.lease, self.run, batch.len(), &changes, &reports).await?;
            if let Some(progress) = self.tell(RunState::Planning, told, Some(of)) {
                let mut writing = self.store.write(&self.lease).await?;
                writing.progress(self.run, &progress).await?;
                writing.commit().await?;
            }
        }
        Ok(hash.finish())
    }

    /// The names of those records that are archived: for each the lowest suffix that no record has and this plan has not given.
    async fn names(&self, run: RunId, batch: &[Written], given: &mut HashSet<Hash>) -> Result<HashMap<PersonId, ArchivedNames>> {
        let mut names = HashMap::new();
        let of = |w: &'_ Written| w.record.clone().filter(|r| inverse::archives(&done(run, w, r)));
        let mut open: Vec<_> = batch.iter().filter_map(of).collect();
        let mut n = 0;
        while !open.is_empty() {
            n += 1;
            let wanted: Vec<ArchivedNames> = open.iter().map(|record| ArchivedNames::of(record, n)).collect();
            let usernames: Vec<String> = wanted.iter().filter_map(|w| w.username.clone()).collect();
            let emails: Vec<String> = wanted.iter().filter_map(|w| w.email.clone()).collect();
            let (usernames, emails) = self.store.taken_names(&usernames, &emails).await?;
            let mut again = Vec::new();
            for (record, wanted) in std::mem::take(&mut open).into_iter().zip(wanted) {
                let keeps = wanted.username == record.username && wanted.email == record.email;
                let taken = wanted.username.as_deref().is_some_and(|u| usernames.contains(&model::text::fold(u)))
                    || wanted.email.as_ref().is_some_and(|e| emails.contains(e))
                    || wanted.keys().iter().any(|key| given.contains(key));
                if taken && !keeps {
                    again.push(record);
                    continue;
                }
                given.extend(wanted.keys());
                names.insert(record.id, wanted);
            }
            open = again;
        }
        Ok(names)
    }
}

fn done<'a>(run: RunId, written: &'a Written, record: &'a model::records::Person) -> Done<'a> {
    let change = &written.row.change;
    Done { run, change, record, link: written.link.as_ref(), origin: written.origin.as_ref() }
}

/// The inverse of one change; nothing where everything is as before already; else why it is left, in words.
fn take_back(
    run: RunId,
    written: &Written,
    names: &HashMap<PersonId, ArchivedNames>,
) -> Result<Option<Change>, (ReportWhy, String)> {
    let Some(record) = &written.record else {
        return Err((ReportWhy::Touched, "The record does not exist any more.".to_owned()));
    };
    let who = record.display_name();
    if !inverse::is_as_left(&written.row.change, record, written.by == WrittenBy::ThisRun) {
        let by = match &written.by {
            WrittenBy::ThisRun => String::new(),
            WrittenBy::Other(by) => format!(" by {by}"),
        };
        return Err((ReportWhy::Touched, format!("{who} (record {}) was changed since{by}, so it is left as it is.", record.id)));
    }
    let names = names.get(&record.id).cloned().unwrap_or_default();
    let change = match inverse::of(&done(run, written, record), &names) {
        Ok(change) => change,
        Err(Left::Nothing) => return Ok(None),
        Err(Left::Exempt) => {
            return Err((ReportWhy::Exempt, format!("{who} is the root user and exempt from any access change.")));
        }
    };
    let in_use = change.set.get(&model::Field::STATUS).map_or(record.status.as_str(), |s| s.as_str().unwrap_or_default());
    if let Some(other) = written.other.filter(|_| change.link.is_some() && in_use != "archived") {
        let detail = format!("{who} (record {}) is left as it is: the user has record {other} now.", record.id);
        return Err((ReportWhy::Touched, detail));
    }
    Ok(Some(change))
}

/// A run that takes back, rather than one that reads and decides.
pub(crate) fn is_revert(run: &Run) -> bool {
    run.kind == RunKind::Revert
}
