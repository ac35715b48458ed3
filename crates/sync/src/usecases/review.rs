//! Review: what waits for a person, and what they decide. A choice acts at once: the store keeps it with the run that writes it, in
//! one transaction, and the run is worked on here and now; killed in between, whoever works next goes on with it.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, ErrorView, Result};
use crate::plan::tenant_facts;
use crate::progress::Teller;
use model::facts::{Answers, Choice, Resolution, ReviewFacts, UserFacts};
use model::plan::{Outcome, ReviewItem};
use model::reason::{Reason, ReviewWhy};
use model::records::Field;
use model::run::{RunKind, RunState};
use model::{Kind, PersonId, RuleId, RunId, SourceId, TenantKey, UserKey};
use planner::{Claims, Planner, Refusal};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use store::{Review, ReviewCandidate, ReviewDecision, ReviewFilter, Verdict};

/// Most items that are decided in one go: their plan is held in memory, and one person answers for it.
pub const BULK_MAX: usize = 1_000;

/// A review item as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewView {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: TenantKey,
    /// The tenant's name.
    pub tenant_name: String,
    /// `open`, `decided` (a run writes it), `resolved`, `dismissed`, or `closed` (its cause went away).
    pub state: String,
    /// The user's number.
    pub user: UserKey,
    /// The user.
    pub source_id: SourceId,
    /// The user's name as the directory last told it.
    pub user_name: Option<String>,
    /// Why a person is needed.
    pub why: ReviewWhy,
    /// The same as a sentence.
    pub sentence: String,
    /// The rule that selects the user.
    pub rule: Option<RuleId>,
    /// The kind of record the rule wants.
    pub kind: Kind,
    /// Records it could be.
    pub candidates: Vec<CandidateView>,
    /// What was found when it was asked: which value met which record, how alike names are, who signed in when.
    pub evidence: Vec<String>,
    /// The same as data.
    #[serde(skip)]
    pub reasons: Vec<Reason>,
    /// The other user this one yields to.
    pub other: Option<SourceId>,
    /// When it was opened, milliseconds since 1970.
    pub opened_at: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// Who decided about it last.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// What was chosen, by the kind of record.
    pub chosen: Vec<ChosenView>,
    /// The run that writes, or wrote, what was chosen.
    pub run: Option<RunId>,
}

/// A record a review item shows, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateView {
    /// The record.
    pub id: PersonId,
    /// Its name.
    pub name: String,
    /// Its main address.
    pub email: Option<String>,
    /// Its username.
    pub username: Option<String>,
    /// Agent or contact.
    pub kind: Kind,
    /// Its status.
    pub status: String,
    /// Its client's name.
    pub client: Option<String>,
    /// Tickets that name it.
    pub tickets: i64,
    /// Invoices that name it.
    pub invoices: i64,
    /// When its person last signed in, as the record says it.
    pub last_sign_in: Option<String>,
    /// The user's addresses that met it.
    pub met: Vec<String>,
    /// How alike its name and the user's are, percent; none when that was not looked at.
    pub alike: Option<u8>,
    /// The user it is linked to, by name.
    pub linked_to: Option<String>,
    /// That user's number.
    pub linked_user: Option<UserKey>,
}

/// What was chosen for one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChosenView {
    /// The kind of record.
    pub kind: Kind,
    /// The choice.
    #[serde(flatten)]
    pub choice: Choice,
}

/// What a person can do about an open item, and why not what they cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewChoices {
    /// Why no record can be created; none = it can.
    pub create: Option<String>,
    /// Why a candidate cannot be linked, by record; a candidate that is not here can.
    pub link: HashMap<PersonId, String>,
}

/// What somebody wants done about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewAction {
    /// Link this record; none = the item's only candidate.
    Link(Option<PersonId>),
    /// Create a new record.
    Create,
    /// Leave the user out.
    Dismiss,
    /// Ask again.
    Reopen,
}

impl ReviewAction {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewAction::Link(_) => "link",
            ReviewAction::Create => "create",
            ReviewAction::Dismiss => "dismiss",
            ReviewAction::Reopen => "reopen",
        }
    }
}

/// What became of one item of a request.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewOutcome {
    /// The item.
    pub item: i64,
    /// Whether the decision was taken: false = refused, and nothing of it was kept.
    pub ok: bool,
    /// Where the item stands now; none when there is no such item.
    pub state: Option<String>,
    /// The record the user has now.
    pub record: Option<PersonId>,
    /// The run that writes, or wrote, the choice.
    pub run: Option<RunId>,
    /// What that means, or why it was refused.
    pub sentence: String,
    /// The refusal, with a stable word.
    pub error: Option<ErrorView>,
}

/// What became of a request about several items. The counts add up to the items.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReviewOutcomes {
    /// Settled as asked: written, dismissed, or open again.
    pub done: usize,
    /// Taken, but not written yet: held for approval, waiting for a run, or another question came up.
    pub waiting: usize,
    /// Refused.
    pub refused: usize,
    /// Each item, in the order of the request.
    pub outcomes: Vec<ReviewOutcome>,
}

impl Engine {
    /// Review items in the order they were opened.
    ///
    /// # Errors
    /// The store's.
    pub async fn review_items(&self, filter: &ReviewFilter) -> Result<Vec<ReviewView>> {
        let items = self.store().reviews(filter).await?;
        self.review_views(items).await
    }

    /// One review item.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn review_item(&self, id: i64) -> Result<ReviewView> {
        let item = self.store().review(id).await?;
        let missing = || store::StoreError::NotFound { what: "review item", id: id.to_string() }.into();
        self.review_views(vec![item]).await?.pop().ok_or_else(missing)
    }

    /// What people decided about an item, the latest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn review_history(&self, id: i64) -> Result<Vec<ReviewDecision>> {
        /// More than anybody reads; an item is decided about once or twice.
        const SHOWN: i64 = 100;
        Ok(self.store().review_decisions(id, SHOWN).await?)
    }

    /// Items with their candidates, looked up together.
    async fn review_views(&self, items: Vec<Review>) -> Result<Vec<ReviewView>> {
        let tenants: HashMap<TenantKey, String> = self.store().tenants().await?.into_iter().map(|t| (t.key, t.name)).collect();
        let wanted: Vec<PersonId> = items.iter().flat_map(|i| i.item.candidates.iter().copied()).collect();
        let people = self.store().review_candidates(&wanted).await?;
        let view = |review: Review| view(review, &tenants, &people);
        Ok(items.into_iter().map(view).collect())
    }

    /// Decides about one item, and writes what was chosen. `patient`: waits for another process that works on the tenant; otherwise
    /// its run is left to whoever works next.
    ///
    /// # Errors
    /// The store's not-found; [`Error::Refused`] and the store's conflict when the decision cannot be taken.
    pub async fn review_decide(&self, item: i64, action: ReviewAction, patient: bool, actor: &Actor) -> Result<ReviewOutcome> {
        let mut decided = self.decide_all(&[(item, action)], patient, actor).await?;
        match decided.pop() {
            Some((_, outcome)) => outcome,
            None => Err(store::StoreError::NotFound { what: "review item", id: item.to_string() }.into()),
        }
    }

    /// Decides about several items: each for itself, and those of one tenant in one plan that is weighed as a whole.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than [`BULK_MAX`]; otherwise only the store's. What is refused is told item by item.
    pub async fn review_decide_many(
        &self,
        wishes: &[(i64, ReviewAction)],
        patient: bool,
        actor: &Actor,
    ) -> Result<ReviewOutcomes> {
        if wishes.len() > BULK_MAX {
            return Err(Error::Invalid(format!(
                "At most {BULK_MAX} items are decided in one go, and these are {}. Take them in parts.",
                wishes.len()
            )));
        }
        let mut all = ReviewOutcomes::default();
        for (item, outcome) in self.decide_all(wishes, patient, actor).await? {
            let outcome = outcome.unwrap_or_else(|error| ReviewOutcome {
                item,
                ok: false,
                state: None,
                record: None,
                run: None,
                sentence: error.to_string(),
                error: Some(error.view()),
            });
            match outcome.state.as_deref() {
                _ if !outcome.ok => all.refused += 1,
                Some("resolved" | "dismissed" | "closed") => all.done += 1,
                Some("open") if wishes.contains(&(item, ReviewAction::Reopen)) => all.done += 1,
                _ => all.waiting += 1,
            }
            all.outcomes.push(outcome);
        }
        Ok(all)
    }

    /// Decides about everything a filter holds, if it holds as many items as whoever asks has seen.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are more or fewer; otherwise as for [`Engine::review_decide_many`].
    pub async fn review_decide_all(
        &self,
        filter: &ReviewFilter,
        action: ReviewAction,
        seen: i64,
        patient: bool,
        actor: &Actor,
    ) -> Result<ReviewOutcomes> {
        let filter = ReviewFilter { after: 0, limit: i64::try_from(BULK_MAX).unwrap_or(i64::MAX) + 1, ..filter.clone() };
        let count = self.store().count_reviews(&filter).await?;
        if count != seen {
            return Err(Error::Refused(format!(
                "The items that fit are {count} now, and you spoke of {seen}. Nothing was decided. Look at them again, then name their number."
            )));
        }
        let items = self.store().reviews(&filter).await?;
        let wishes: Vec<(i64, ReviewAction)> = items.into_iter().map(|i| (i.id, action)).collect();
        self.review_decide_many(&wishes, patient, actor).await
    }

    async fn decide_all(
        &self,
        wishes: &[(i64, ReviewAction)],
        patient: bool,
        actor: &Actor,
    ) -> Result<Vec<(i64, Result<ReviewOutcome>)>> {
        let ids: Vec<i64> = wishes.iter().map(|(id, _)| *id).collect();
        let items: HashMap<i64, Review> = self.store().reviews_by_id(&ids).await?.into_iter().map(|r| (r.id, r)).collect();
        let mut results: Vec<(i64, Result<Option<RunId>>)> = Vec::with_capacity(wishes.len());
        let mut by_tenant: BTreeMap<TenantKey, Vec<(usize, Verdict)>> = BTreeMap::new();
        for (at, (id, action)) in wishes.iter().enumerate() {
            let verdict = match items.get(id) {
                Some(review) => verdict(review, *action).map(|verdict| (review.tenant, verdict)),
                None => Err(store::StoreError::NotFound { what: "review item", id: id.to_string() }.into()),
            };
            let result = verdict.map(|(tenant, verdict)| {
                by_tenant.entry(tenant).or_default().push((at, verdict));
                None
            });
            results.push((*id, result));
        }
        for (tenant, mut verdicts) in by_tenant {
            self.refuse(tenant, &mut verdicts, wishes, &items, &mut results).await?;
            let run = self.decide_in(tenant, &verdicts, wishes, actor, &mut results).await?;
            if let Some(run) = run {
                self.drive_at_once(run, patient).await?;
            }
        }
        self.outcomes(results).await
    }

    /// Takes out what cannot be followed.
    async fn refuse(
        &self,
        tenant: TenantKey,
        verdicts: &mut Vec<(usize, Verdict)>,
        wishes: &[(i64, ReviewAction)],
        items: &HashMap<i64, Review>,
        results: &mut [(i64, Result<Option<RunId>>)],
    ) -> Result<()> {
        let asked = verdicts.iter().filter_map(|(at, verdict)| match verdict {
            Verdict::Choose(choice) => items.get(&wishes[*at].0).filter(|r| r.state == "open").map(|r| (r, *choice)),
            _ => None,
        });
        let asked: Vec<(&Review, Choice)> = asked.collect();
        let refused = self.refusals(tenant, &asked).await?;
        verdicts.retain(|(at, verdict)| {
            let Verdict::Choose(choice) = verdict else { return true };
            let id = wishes[*at].0;
            match refused.iter().find(|(item, chosen, _)| *item == id && chosen == choice) {
                Some((.., why)) => {
                    results[*at].1 = Err(Error::Refused(why.clone()));
                    false
                }
                None => true,
            }
        });
        Ok(())
    }

    async fn decide_in(
        &self,
        tenant: TenantKey,
        verdicts: &[(usize, Verdict)],
        wishes: &[(i64, ReviewAction)],
        actor: &Actor,
        results: &mut [(i64, Result<Option<RunId>>)],
    ) -> Result<Option<RunId>> {
        if verdicts.is_empty() {
            return Ok(None);
        }
        let asked: Vec<(i64, Verdict)> = verdicts.iter().map(|(at, verdict)| (wishes[*at].0, *verdict)).collect();
        // Before a tenant's first plan is approved nothing of it is written (ruling 94): the choice is part of that plan.
        let at_once = self.store().tenant(tenant).await?.first_applied_run.is_some()
            || !self.effective_policy(tenant).await?.0.policy.guard.approve_first_run;
        let by = actor.to_string();
        let (run, decided) = self.store().decide_reviews(tenant, &asked, at_once, &by, self.now()).await?;
        for ((at, verdict), one) in verdicts.iter().zip(decided) {
            results[*at].1 = one.map(|()| run.filter(|_| matches!(verdict, Verdict::Choose(_)))).map_err(Error::from);
        }
        Ok(run)
    }

    /// Works on a run of review now, if nobody else has the tenant, or once they have done.
    async fn drive_at_once(&self, run: RunId, patient: bool) -> Result<()> {
        let worked = match patient {
            true => self.drive(run, Teller::silent()).await.map(|_| ()),
            false => self.drive_if_free(run).await,
        };
        match worked {
            // It stands in the queue, and the decision with it.
            Err(Error::Busy) => {
                self.queued().notify_one();
                Ok(())
            }
            other => other,
        }
    }

    /// Tells where each item stands now.
    async fn outcomes(&self, results: Vec<(i64, Result<Option<RunId>>)>) -> Result<Vec<(i64, Result<ReviewOutcome>)>> {
        let ids: Vec<i64> = results.iter().filter(|(_, r)| r.is_ok()).map(|(id, _)| *id).collect();
        let items: HashMap<i64, Review> = self.store().reviews_by_id(&ids).await?.into_iter().map(|r| (r.id, r)).collect();
        let mut runs: HashMap<RunId, store::Run> = HashMap::new();
        for run in items.values().filter_map(|r| r.run) {
            if let std::collections::hash_map::Entry::Vacant(slot) = runs.entry(run) {
                slot.insert(self.store().run(run).await?);
            }
        }
        let mut users: BTreeMap<TenantKey, Vec<UserKey>> = BTreeMap::new();
        for review in items.values() {
            users.entry(review.tenant).or_default().push(review.item.user);
        }
        let mut records: HashMap<(UserKey, Kind), PersonId> = HashMap::new();
        for (tenant, users) in users {
            for facts in self.store().user_facts(tenant, &users).await? {
                let live = facts.links.iter().filter(|l| l.person.status != model::Status::Archived);
                records.extend(live.map(|l| ((facts.key, l.person.kind), l.person.id)));
            }
        }
        let tell = |(id, result): (i64, Result<Option<RunId>>)| {
            let outcome = result.and_then(|run| {
                let missing = || store::StoreError::NotFound { what: "review item", id: id.to_string() };
                let review = items.get(&id).ok_or_else(missing)?;
                let user = review.item.user;
                let record = [review.item.kind, review.item.kind.other()].iter().find_map(|k| records.get(&(user, *k)).copied());
                Ok(ReviewOutcome {
                    item: id,
                    ok: true,
                    state: Some(review.state.clone()),
                    record: record.filter(|_| review.state == "resolved"),
                    sentence: stands(review, record, review.run.and_then(|r| runs.get(&r))),
                    run: run.or(review.run),
                    error: None,
                })
            });
            (id, outcome)
        };
        Ok(results.into_iter().map(tell).collect())
    }

    /// What can be done about an open item, asked of the planner on what is stored now.
    ///
    /// # Errors
    /// The store's.
    pub async fn review_choices(&self, id: i64) -> Result<ReviewChoices> {
        let review = self.store().review(id).await?;
        let links = review.item.candidates.iter().map(|record| (&review, Choice::Link(*record)));
        let asked: Vec<(&Review, Choice)> = links.chain([(&review, Choice::Create)]).collect();
        let mut choices = ReviewChoices::default();
        for (_, choice, why) in self.refusals(review.tenant, &asked).await? {
            match choice {
                Choice::Link(record) => _ = choices.link.insert(record, why),
                Choice::Create => choices.create = Some(why),
            }
        }
        Ok(choices)
    }
}

/// What is to be done about an item, in the store's words.
fn verdict(review: &Review, action: ReviewAction) -> Result<Verdict> {
    Ok(match action {
        ReviewAction::Link(Some(record)) => Verdict::Choose(Choice::Link(record)),
        ReviewAction::Link(None) => match review.item.candidates.as_slice() {
            [record] => Verdict::Choose(Choice::Link(*record)),
            several => {
                let found =
                    if several.is_empty() { "is no candidate".into() } else { format!("are {} candidates", several.len()) };
                return Err(Error::Refused(format!("There {found}. Name the record to link.")));
            }
        },
        ReviewAction::Create => Verdict::Choose(Choice::Create),
        ReviewAction::Dismiss => Verdict::Dismiss,
        ReviewAction::Reopen => Verdict::Reopen,
    })
}

/// Where an item stands after a decision, as a sentence.
fn stands(review: &Review, record: Option<PersonId>, run: Option<&store::Run>) -> String {
    match (review.state.as_str(), record) {
        ("resolved", Some(record)) => {
            let created = review.chosen.iter().any(|c| c.kind == review.item.kind && c.choice == Choice::Create);
            if created { format!("Created record {record}.") } else { format!("Linked to record {record}.") }
        }
        ("resolved", None) => "Written.".into(),
        ("dismissed", _) => "Dismissed. Sync leaves this user out until somebody re-opens the item.".into(),
        ("open", _) if review.chosen.is_empty() => "Open. The next sync looks at this user anew.".into(),
        ("open", _) => format!("Kept, but another question comes first: {}", review.item.why.sentence()),
        ("closed", _) => "The cause went away meanwhile; sync goes on by itself.".into(),
        _ => pending(run),
    }
}

/// Why a choice is not written yet.
fn pending(run: Option<&store::Run>) -> String {
    let Some(run) = run else {
        return "Kept. The tenant's first plan is not approved yet; the next sync makes the choice part of it.".into();
    };
    let id = run.id;
    match run.state {
        RunState::Held | RunState::Ready => format!("Kept. Run {id} waits for approval before it is written."),
        RunState::Failed => {
            let why = run.error.as_deref().unwrap_or("see its page");
            format!("Kept, but run {id} failed: {why} The next sync writes it.")
        }
        RunState::Done => format!("Kept, but it could not be written: run {id} says why. The next sync tries again."),
        RunState::Superseded | RunState::Stale | RunState::Rejected => "Kept. The next sync makes it part of its plan.".into(),
        _ => format!("Kept. Run {id} writes it as soon as the sync under way is done."),
    }
}

fn view(review: Review, tenants: &HashMap<TenantKey, String>, people: &HashMap<PersonId, ReviewCandidate>) -> ReviewView {
    let item = review.item;
    let candidates = item.candidates.iter().filter_map(|id| people.get(id)).map(|c| candidate(c, &item.evidence));
    ReviewView {
        id: review.id,
        tenant: review.tenant,
        tenant_name: tenants.get(&review.tenant).cloned().unwrap_or_default(),
        state: review.state,
        user: item.user,
        user_name: Some(review.user_name).filter(|n| !n.is_empty()),
        sentence: item.why.sentence().to_owned(),
        why: item.why,
        rule: item.rule,
        kind: item.kind,
        candidates: candidates.collect(),
        evidence: item.evidence.iter().map(ToString::to_string).collect(),
        reasons: item.evidence,
        source_id: item.source_id,
        other: item.other,
        opened_at: review.opened_at,
        changed_at: review.changed_at,
        decided_by: review.decided_by,
        decided_at: review.decided_at,
        chosen: review.chosen.into_iter().map(|Resolution { kind, choice }| ChosenView { kind, choice }).collect(),
        run: review.run,
    }
}

fn candidate(of: &ReviewCandidate, evidence: &[Reason]) -> CandidateView {
    let person = &of.person;
    let met = evidence.iter().filter_map(|reason| match reason {
        Reason::Matched { value, record, .. } if *record == person.id => Some(value.clone()),
        _ => None,
    });
    let alike = evidence.iter().find_map(|reason| match reason {
        Reason::NameAlike { record, percent } if *record == person.id => Some(*percent),
        _ => None,
    });
    CandidateView {
        id: person.id,
        name: person.display_name(),
        email: person.email.clone(),
        username: person.username.clone(),
        kind: person.kind,
        status: person.status.as_str().to_owned(),
        client: of.client.clone(),
        tickets: person.tickets,
        invoices: person.invoices,
        last_sign_in: person.get(&Field::LAST_SIGN_IN).as_str().map(str::to_owned),
        met: met.collect(),
        alike,
        linked_to: of.linked.as_ref().map(|(_, name, _)| name.clone()),
        linked_user: of.linked.as_ref().map(|(user, ..)| *user),
    }
}

impl Engine {
    /// Which choices cannot be followed, and why: the planner says so, on what is stored now. Each is looked at alone.
    async fn refusals(&self, tenant: TenantKey, asked: &[(&Review, Choice)]) -> Result<Vec<(i64, Choice, String)>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.store().tenant(tenant).await?;
        let (loaded, _) = self.effective_policy(tenant).await?;
        let facts = tenant_facts(self, &stored, &loaded, RunKind::Review).await?;
        let planner = Planner::new(&loaded.policy, &loaded.digest, facts);
        let mut keys: Vec<UserKey> = asked.iter().map(|(review, _)| review.item.user).collect();
        keys.sort_unstable();
        keys.dedup();
        let known = self.store().user_facts(tenant, &keys).await?;
        let mut users = Vec::with_capacity(asked.len());
        for (review, choice) in asked {
            if let Some(user) = known.iter().find(|u| u.key == review.item.user) {
                users.push((*review, *choice, answered(user, review, *choice)));
            }
        }
        let all: Vec<UserFacts> = users.iter().map(|(.., user)| user.clone()).collect();
        let answers = crate::plan::answers(self.store(), tenant, &planner.batch(&all), &Claims::default()).await?;
        let records = answers.records.keys().copied().collect::<Vec<_>>();
        let people = self.store().review_candidates(&records).await?;
        let say = |refusal: Refusal| match &refusal {
            // People know each other by name.
            Refusal::LinkedElsewhere { record, .. } => match people.get(record).and_then(|c| c.linked.as_ref()) {
                Some((_, name, _)) => {
                    format!("Record {record} is linked to {name} already. Choose another record, or create a new one.")
                }
                None => refusal.to_string(),
            },
            _ => refusal.to_string(),
        };
        let mut refused = Vec::new();
        for (review, choice, user) in &users {
            let why = match stranger(review, *choice, &planner, &answers) {
                Some(why) => Some(why),
                None => planner.refusal(user, &answers).map(&say).or_else(|| stuck(&planner, review, user, &answers)),
            };
            refused.extend(why.map(|why| (review.id, *choice, why)));
        }
        Ok(refused)
    }
}

/// A user as the planner would be told of them once the choice is taken.
fn answered(user: &UserFacts, review: &Review, choice: Choice) -> UserFacts {
    let (item, mut user) = (&review.item, user.clone());
    user.review = Some(ReviewFacts {
        why: item.why,
        kind: item.kind,
        dismissed: false,
        candidates: item.candidates.clone(),
        other: item.other.clone(),
    });
    user.resolutions.retain(|r| r.kind != item.kind);
    user.resolutions.push(Resolution { kind: item.kind, choice });
    user
}

/// Why a record that is none of the candidates cannot be linked: it is of another kind, or at another client, than the rule wants.
fn stranger(review: &Review, choice: Choice, planner: &Planner, answers: &Answers) -> Option<String> {
    let (item, Choice::Link(record)) = (&review.item, choice) else { return None };
    let person = &answers.records.get(&record)?.person;
    if item.candidates.contains(&record) {
        return None;
    }
    if person.kind != item.kind {
        let (is, wants) = (person.kind, item.kind);
        return Some(format!(
            "Record {record} is of the kind {is}, and the rule wants {wants}. Choose another record, or create one."
        ));
    }
    let client = planner.client_of(item.rule.as_ref()?, item.kind)?;
    let elsewhere = person.kind == Kind::Contact && person.client.is_some_and(|c| c != client);
    elsewhere.then(|| {
        format!(
            "Record {record} belongs to another client than the rule's. Move it to that client first, choose another record, or create \
             one."
        )
    })
}

/// Why a choice would lead nowhere, although it is allowed: decided alone, its user would not be in step. A question about the user's
/// other record is no reason; the choice is kept for when that is answered (ruling 45).
fn stuck(planner: &Planner, review: &Review, user: &UserFacts, answers: &Answers) -> Option<String> {
    let mut claims = Claims::default();
    let one = std::slice::from_ref(user);
    if user.links.is_empty() {
        claims.settle();
    }
    let mut decisions = planner.decide(one, answers, &mut claims);
    if !claims.settle().is_empty() {
        decisions = planner.decide(one, answers, &mut claims);
    }
    let decision = decisions.pop()?;
    let other_part = decision.review.as_ref().is_some_and(|item| item.kind != review.item.kind);
    if decision.standing.outcome == Outcome::Synced || other_part {
        return None;
    }
    let evidence = decision.review.iter().flat_map(|item| &item.evidence).map(ToString::to_string);
    // An item keeps its first question for as long as the same record is in the way (ruling 51); what is in the way now is the evidence.
    let is_new = |item: &&ReviewItem| item.why != review.item.why || item.evidence.is_empty();
    let question = decision.review.iter().filter(is_new).map(|item| item.why.sentence().to_owned());
    let said: Vec<String> = question.chain(evidence).chain(decision.reports.iter().map(|r| r.detail.clone())).collect();
    Some(format!("That does not settle it. {}", said.join(" ")))
}
