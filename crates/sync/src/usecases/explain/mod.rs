//! Explain: why a user, or a record, is what it is, from the stored state. The planner decides the one user again on what the store
//! holds, and once more for each thing that could be otherwise; its reasons are shown as they are. Nothing is read from Entra and
//! nothing is written, and everything is looked up by key, so that it costs the same in a directory of any size.

mod fields;
mod past;

pub use fields::{FieldView, Origin, attribute_of};
pub use past::PastChange;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::plan::tenant_facts;
use crate::usecases::unread::Unread;
use model::address::AddressKey;
use model::directory::Presence;
use model::facts::{Questions, UserFacts};
use model::otherwise::Otherwise;
use model::plan::{Decision, Outcome};
use model::policy::Guard;
use model::reason::{Reason, Stage};
use model::run::{RunKind, RunState};
use model::{ClientId, PersonId, RuleId, RunId, SourceId, TenantKey, UserKey};
use planner::{Claims, Planner};
use policy::Loaded;
use serde::Serialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use store::{Tenant, UserRow};

/// Why a user is what they are.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The tenant.
    pub tenant: TenantKey,
    /// The user's number.
    pub user: UserKey,
    /// The user's object id.
    pub source_id: SourceId,
    /// The user's name.
    pub name: String,
    /// Whether they are in the directory: present, deleted, missing or unseen.
    pub presence: String,
    /// How the user is accounted for.
    pub outcome: Outcome,
    /// What excluded them, if they are.
    pub excluded_by: Option<String>,
    /// The winning rule.
    pub rule: Option<String>,
    /// The policy's digest that decided.
    pub policy_digest: String,
    /// The version of the tenant's own policy text; none where everything is inherited.
    pub policy_version: Option<i64>,
    /// The reasons, stage by stage, in the order of the way.
    pub stages: Vec<StageView>,
    /// Records the user is linked to.
    pub records: Vec<PersonId>,
    /// Every field of those records, with where its value comes from.
    pub fields: Vec<FieldView>,
    /// What would be decided if one thing were otherwise.
    pub otherwise: Vec<OtherwiseView>,
    /// What the next run would do, from what is known now.
    pub next: Vec<String>,
    /// What sync did before, the latest first.
    pub history: Vec<PastChange>,
}

/// One stage of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageView {
    /// The stage's name.
    pub stage: String,
    /// Its reasons, one sentence each.
    pub sentences: Vec<String>,
}

/// Something that could be otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherwiseView {
    /// In a sentence.
    pub sentence: String,
    /// The same as data.
    #[serde(flatten)]
    pub detail: Otherwise,
}

/// Why a record is what it is.
#[derive(Debug, Clone, Serialize)]
pub struct RecordExplanation {
    /// The record.
    pub record: PersonId,
    /// Its name.
    pub name: String,
    /// Its fields, each with where its value comes from.
    pub fields: Vec<FieldView>,
    /// What sync does with a record that no user is linked to, in a sentence; none for a linked one.
    pub unlinked: Option<String>,
    /// The explanation of the user it is linked to.
    pub user: Option<Explanation>,
    /// What sync did to it before, the latest first.
    pub history: Vec<PastChange>,
}

/// What is said of a record that no user is linked to.
const UNLINKED: &str =
    "No user is linked to this record. Sync never touches it; it becomes a candidate when a matching key of a user meets it.";

/// Everything one explanation is made of.
struct Case {
    tenant: Tenant,
    row: UserRow,
    loaded: Loaded,
    version: Option<i64>,
    planner: Planner,
    user: UserFacts,
    decision: Decision,
    /// What the policy asks and was never read.
    unread: Unread,
    /// A person took a run back, and that stands.
    reverted: Option<Reverted>,
}

/// A run that left the user other than Entra has them.
#[derive(Debug, Clone, Copy)]
struct Reverted {
    by: RunId,
    /// The run it took back.
    of: Option<RunId>,
    /// Something happened since, so that the next run decides about the user again.
    due: bool,
}

impl Engine {
    /// Explains a user, named by object id, user principal name or e-mail address.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the mirror holds no such user.
    pub async fn explain(&self, tenant: TenantKey, user: &str) -> Result<Explanation> {
        let row = self.named_user(tenant, user.trim()).await?;
        self.explain_row(row).await
    }

    /// Explains a record: the user it is linked to, or that it is linked to nobody.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn explain_record(&self, record: PersonId) -> Result<RecordExplanation> {
        let view = self.store().person_view(record).await?;
        let name = view.person.display_name();
        let Some(link) = &view.link else {
            let past = self.past(record, &[]).await?;
            let fields = fields::of(&view, None, None, &past);
            let unlinked = Some(UNLINKED.to_owned());
            return Ok(RecordExplanation { record, name, fields, unlinked, user: None, history: past });
        };
        let row = self.store().user(link.user).await?;
        let mut user = self.explain_row(row).await?;
        let (fields, others): (Vec<_>, Vec<_>) = std::mem::take(&mut user.fields).into_iter().partition(|f| f.record == record);
        user.fields = others;
        let history: Vec<_> = user.history.iter().filter(|past| past.change.person == Some(record)).cloned().collect();
        Ok(RecordExplanation { record, name, fields, unlinked: None, user: Some(user), history })
    }

    async fn explain_row(&self, row: UserRow) -> Result<Explanation> {
        let case = self.case(row).await?;
        let mut history = Vec::new();
        for linked in &case.user.links {
            history.extend(self.past(linked.person.id, &history).await?);
        }
        history.sort_by_key(|past| std::cmp::Reverse((past.change.run, past.change.seq)));
        let mut fields = Vec::new();
        for linked in &case.user.links {
            let view = self.store().person_view(linked.person.id).await?;
            fields.extend(fields::of(&view, Some(&case.loaded.policy), Some(&case.decision), &history));
        }
        let otherwise = self.otherwise(&case).await?;
        let stages = self.stages(&case).await?;
        let (row, decision) = (&case.row, &case.decision);
        Ok(Explanation {
            tenant: row.tenant,
            user: row.key,
            name: name_of(row),
            source_id: row.source_id.clone(),
            presence: row.presence.as_str().to_owned(),
            outcome: decision.standing.outcome,
            excluded_by: decision.standing.excluded_by.clone(),
            rule: decision.standing.rule.as_ref().map(ToString::to_string),
            policy_digest: case.loaded.digest.clone(),
            policy_version: case.version,
            stages,
            records: case.user.links.iter().map(|l| l.person.id).collect(),
            fields,
            otherwise,
            next: next(&case),
            history,
        })
    }

    /// A user as people name them. An e-mail address is looked up among the records, which know their users, never by reading through
    /// the directory.
    async fn named_user(&self, tenant: TenantKey, named: &str) -> Result<UserRow> {
        if let Some(row) = self.store().find_user(tenant, named).await? {
            return Ok(row);
        }
        if let Some(key) = AddressKey::of(named) {
            let questions = Questions { addresses: [key].into(), ..Questions::default() };
            let answers = self.store().answer(tenant, &questions).await?;
            let linked = answers.candidates().filter_map(|c| c.linked.as_ref()).find(|l| l.tenant == tenant).map(|l| l.user);
            if let Some(user) = linked {
                return Ok(self.store().user(user).await?);
            }
        }
        Err(Error::Unknown {
            what: "user",
            name: named.to_owned(),
            next: "Name one by object id or user principal name, as Entra shows it; if they are new, sync first.",
        })
    }

    /// Decides the user on what is stored.
    async fn case(&self, row: UserRow) -> Result<Case> {
        let store = self.store();
        let tenant = store.tenant(row.tenant).await?;
        let (loaded, version) = self.effective_policy(row.tenant).await?;
        // What a rule that is off names is looked up too, so that it can be told by name.
        let mut wide = loaded.clone();
        let mut policy = (*loaded.policy).clone();
        policy.rules.iter_mut().for_each(|rule| rule.enabled = true);
        wide.policy = Arc::new(policy);
        let facts = tenant_facts(self, &tenant, &wide, RunKind::Delta).await?;
        let unread = Unread::of(store, row.tenant, &loaded.policy).await?;
        let planner = Planner::new(&unread.judged(&loaded), &loaded.digest, facts);
        let unknown =
            || Error::Invalid(format!("The user {} could not be decided. Sync the tenant, then ask again.", row.source_id));
        let user = store.user_facts(row.tenant, &[row.key]).await?.pop().ok_or_else(unknown)?;
        let users = std::slice::from_ref(&user);
        let batch = planner.batch(users);
        let mut answers = store.answer(row.tenant, &batch.questions()).await?;
        for round in 0.. {
            let Some(more) = batch.further(&answers, &Claims::default(), round) else { break };
            answers.extend(store.answer(row.tenant, &more).await?);
        }
        drop(batch);
        let decision = planner.decide_alone(&user, &answers).ok_or_else(unknown)?;
        let reverted = match store.held_by_revert(row.tenant, row.key).await? {
            Some((by, due)) => Some(Reverted { by, of: store.run(by).await?.reverts, due }),
            None => None,
        };
        Ok(Case { tenant, row, loaded, version, planner, user, decision, unread, reverted })
    }

    /// What would be decided if one thing were otherwise.
    async fn otherwise(&self, case: &Case) -> Result<Vec<OtherwiseView>> {
        let alternatives = case.planner.alternatives(&case.user);
        let mut questions = Questions::default();
        for alternative in &alternatives {
            let Questions { addresses, usernames, users, records, keys, sites } = alternative.questions(&case.planner);
            questions.addresses.extend(addresses);
            questions.usernames.extend(usernames);
            questions.users.extend(users);
            questions.records.extend(records);
            questions.keys.extend(keys);
            questions.sites.extend(sites);
        }
        let answers = self.store().answer(case.row.tenant, &questions).await?;
        let mut clients: HashMap<ClientId, Option<String>> = HashMap::new();
        let mut views: Vec<OtherwiseView> = Vec::new();
        for alternative in alternatives {
            let Some(mut detail) = alternative.decide(&case.planner, &answers) else { continue };
            if let Some(client) = detail.client {
                if let Entry::Vacant(unknown) = clients.entry(client) {
                    unknown.insert(self.store().client(client).await.ok().map(|c| c.name));
                }
                detail.client_name = clients.get(&client).cloned().flatten();
            }
            let sentence = detail.to_string();
            if views.iter().all(|v| v.sentence != sentence) {
                views.push(OtherwiseView { sentence, detail });
            }
        }
        Ok(views)
    }

    async fn stages(&self, case: &Case) -> Result<Vec<StageView>> {
        let (user, decision) = (&case.user, &case.decision);
        let mut reasons = case.planner.standing_of(user);
        let of_changes = decision.changes.iter().flat_map(|c| &c.reasons);
        let more = decision.reasons.iter().chain(of_changes).chain(decision.review.iter().flat_map(|r| &r.evidence));
        for reason in more {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        if user.presence == Presence::Present {
            let told = |id: &RuleId| {
                reasons.iter().any(|r| matches!(r, Reason::RuleWon { rule, .. } | Reason::RuleLost { rule, .. } if rule == id))
            };
            let missed =
                case.planner.missed(user).into_iter().filter(|r| !matches!(r, Reason::RuleMissed { rule, .. } if told(rule)));
            let missed: Vec<Reason> = missed.collect();
            reasons.extend(missed);
        }
        // A link holds, so the decision of today does not say which key once met the record: the change that made the link does.
        let mut linked_by: Vec<String> = Vec::new();
        for linked in &user.links {
            for reason in self.store().linking(linked.person.id).await?.map(|row| row.change.reasons).unwrap_or_default() {
                let says = reason.stage() == Stage::Match && !matches!(reason, Reason::Linked { .. });
                if says && !reasons.contains(&reason) {
                    linked_by.push(reason.to_string());
                }
            }
        }
        let entra = match case.row.presence {
            Presence::Present => "In the directory.",
            Presence::Deleted => "Deleted in Entra.",
            Presence::Missing => "No longer in Entra: the last complete read did not hold the user.",
            Presence::Unseen => "Named by a group or as a manager, but never told by Entra itself.",
        };
        let mut views = vec![StageView { stage: "Entra".into(), sentences: vec![entra.into()] }];
        for stage in [Stage::Scope, Stage::Rule, Stage::Match, Stage::Fields, Stage::Lifecycle] {
            let mut sentences: Vec<String> = reasons.iter().filter(|r| r.stage() == stage).map(ToString::to_string).collect();
            match stage {
                Stage::Scope
                    if sentences.is_empty() && decision.standing.excluded_by.is_none() && user.presence == Presence::Present =>
                {
                    sentences.push("In scope.".into());
                    sentences.extend(case.unread.sentences());
                }
                Stage::Scope => sentences.extend(case.unread.sentences()),
                Stage::Fields => sentences.extend(decision.reports.iter().map(|r| r.detail.clone())),
                _ => {}
            }
            views.push(StageView { stage: stage.label().to_owned(), sentences });
            if stage == Stage::Match {
                views.push(StageView { stage: "Match, when it was linked".into(), sentences: std::mem::take(&mut linked_by) });
            }
        }
        views.push(StageView { stage: "Guard".into(), sentences: self.at_the_guard(case).await? });
        let mut asked: Vec<String> = reasons.iter().filter(|r| r.stage() == Stage::Review).map(ToString::to_string).collect();
        if let Some(item) = decision.review.as_ref().filter(|_| asked.is_empty()) {
            asked.push(item.why.sentence().to_owned());
        }
        if let Some(item) = user.review.as_ref().filter(|item| item.dismissed) {
            asked = vec![format!(
                "A person has dismissed this question, and sync leaves it at that until the item is opened again (rollcall review reopen): {}",
                item.why.sentence()
            )];
        }
        views.push(StageView { stage: Stage::Review.label().to_owned(), sentences: asked });
        views.retain(|view| !view.sentences.is_empty());
        views.extend(case.reverted.map(|by| StageView { stage: "Undo".into(), sentences: vec![left_alone(by)] }));
        let next = next(case);
        let sentences = if next.is_empty() { vec!["Sync would change nothing now.".into()] } else { next };
        views.push(StageView { stage: "Next".into(), sentences });
        Ok(views)
    }

    /// What the guard has to do with this user: plans that wait and hold a change of theirs, a rejection, what a removal counts towards.
    async fn at_the_guard(&self, case: &Case) -> Result<Vec<String>> {
        let mut sentences = Vec::new();
        let waiting = self.store().open_runs(case.row.tenant).await?.into_iter().filter(|r| r.state == RunState::Held);
        for run in waiting {
            for row in self.store().plan_of_user(run.id, case.row.key).await? {
                let verb = row.change.verb.label().to_lowercase();
                sentences.push(format!("Run {} waits for a person, and with it this: {verb} the {}.", run.id, row.change.kind));
            }
            if !sentences.is_empty() {
                sentences.extend(run.holds.iter().map(ToString::to_string));
            }
        }
        if self.store().spared(case.row.tenant, &case.loaded.digest).await?.contains(&case.row.key) {
            sentences.push(
                "A person rejected a removal of this user; it is not planned again until something it follows from changes."
                    .into(),
            );
        }
        if case.decision.changes.iter().any(|c| c.effects.removal) {
            sentences.push(removal_counts(&case.loaded.policy.guard));
        }
        if case.tenant.first_applied_run.is_none()
            && !case.decision.changes.is_empty()
            && case.loaded.policy.guard.approve_first_run
        {
            sentences.push(model::plan::Hold::FirstRun.to_string());
        }
        Ok(sentences)
    }
}

/// What a removal counts towards, with the limits as they stand.
fn removal_counts(guard: &Guard) -> String {
    let count = guard.max_removals.map(|n| format!("{n} records in 24 hours"));
    let share = guard.max_removal_share.map(|share| format!("{share} % of the linked ones"));
    let limits: Vec<String> = [count, share].into_iter().flatten().collect();
    match limits.is_empty() {
        true => "What sync would do takes the record out of use; the guard's limits for that are off.".into(),
        false => format!(
            "What sync would do takes the record out of use, which counts towards the guard's limits: {}.",
            limits.join(", ")
        ),
    }
}

/// A user's name for people.
fn name_of(row: &UserRow) -> String {
    let name = row.attributes.text("displayName").or_else(|| row.attributes.text("userPrincipalName"));
    name.unwrap_or(row.source_id.as_str()).to_owned()
}

/// What an undo means for what comes after it.
fn left_alone(Reverted { by, of, due }: Reverted) -> String {
    let of = of.map_or_else(|| "an earlier run".to_owned(), |of| format!("run {of}"));
    let then = match due {
        true => "Something changed since, so the next run decides about them again.",
        false => {
            "Full runs do not count that as drift and leave it; it stands until something of the user changes in Entra, or a \
             policy that concerns them does."
        }
    };
    format!("A person took back what {of} had done to this user (run {by}). {then}")
}

fn next(case: &Case) -> Vec<String> {
    let decision = &case.decision;
    let say = |change: &model::plan::Change| {
        let fields: Vec<String> = change
            .set
            .iter()
            .map(|(field, after)| {
                let before = change.before.get(field).filter(|v| !v.is_null());
                before.map_or_else(|| format!("{field} = {after}"), |before| format!("{field}: {before} → {after}"))
            })
            .collect();
        let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
        format!("{} this {}{fields}.", change.verb.label(), change.kind)
    };
    let mut said: Vec<String> = decision.changes.iter().map(say).collect();
    if let Some(Reverted { by, due: false, .. }) = case.reverted {
        said.iter_mut().for_each(|would| *would = format!("After such a change it would: {would}"));
        said.insert(0, format!("Nothing for now: run {by} put this user back, and that stands until something of them changes."));
    }
    said
}
