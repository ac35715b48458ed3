//! Users who have no record, or lack one of two: match, link or create (M02, M04, M05; rulings 45, 48, 51 to 55, 57, 104).

use crate::claims::{Claims, Wish};
use crate::decide::{Plain, Planner, Selection, review_item, unresolved, wait_for};
use crate::lifecycle;
use crate::linked::taken;
use crate::matching::{self, Found, Match, Search, Unclear};
use crate::merge::{Draft, Moment};
use crate::rules::Won;
use crate::scope;
use crate::standing::Standing;
use crate::username;
use crate::write::{email_key, is_same_name};
use model::address::AddressKey;
use model::facts::{Answers, Candidate, UserFacts};
use model::plan::{self, Change, Decision, Effects, LinkState, Outcome, ReviewItem, Verb, Wait};
use model::policy::{OnLink, OnNone, RuleKind};
use model::reason::{Cause, KeptBecause, Reason, ReviewWhy};
use model::records::{Deactivated, Person};
use model::{Field, Kind, Status, Value, text};

/// What is decided about one of a user's records that is not linked yet.
pub(crate) enum Part<'a> {
    Write(Box<Writing<'a>>),
    Review(Box<ReviewItem>, Vec<Wait>),
    /// A mandatory field is bad: nothing is created (ruling 104).
    Failed(Box<Draft>),
    /// The policy leaves users without a match out.
    Skip(Vec<Reason>),
}

/// A record to be linked or created, decided but not yet claimed.
pub(crate) struct Writing<'a> {
    kind: Kind,
    verb: Verb,
    candidate: Option<&'a Candidate>,
    rule: model::RuleId,
    draft: Draft,
    effects: Effects,
    state: LinkState,
    stands_for: Vec<String>,
    /// The username it takes.
    name: Option<Wish>,
    /// The link moves here from a user who is gone.
    moved: bool,
}

impl Planner {
    /// Decides a user who has no record.
    pub(crate) fn unlinked(&self, user: &UserFacts, answers: &Answers, claims: &mut Claims) -> Decision {
        let selection = self.select(user);
        let mut decision = Decision::plain(user, plan::Standing { outcome: Outcome::Synced, excluded_by: None, rule: None });
        decision.reasons = self.explain(&selection);
        let won = match selection {
            Selection::Rule(won) => won,
            Selection::Excluded(by) => {
                decision.standing.outcome = Outcome::Excluded;
                decision.standing.excluded_by = Some(by.into_owned());
                return decision;
            }
        };
        decision.standing.rule = Some(won.compiled.rule.id.clone());
        if let Some(item) = user.review.as_ref().filter(|r| r.dismissed) {
            decision.standing.outcome = Outcome::InReview;
            decision.reasons.push(Reason::InReview { item: item.why });
            return decision;
        }
        let mut parts = Vec::new();
        for kind in won.compiled.rule.then.kind.kinds() {
            match self.part(user, &won, *kind, answers, claims) {
                Part::Review(item, waits) => {
                    decision.standing.outcome = Outcome::InReview;
                    decision.reasons.push(Reason::InReview { item: item.why });
                    decision.review = Some(*item);
                    decision.waits = waits;
                    return decision;
                }
                Part::Failed(draft) => {
                    decision.standing.outcome = Outcome::Failed;
                    decision.reasons.extend(draft.reasons);
                    decision.reports = draft.reports;
                    return decision;
                }
                Part::Skip(reasons) => {
                    decision.standing.outcome = Outcome::Excluded;
                    decision.reasons.extend(reasons);
                    return decision;
                }
                Part::Write(writing) => parts.push(writing),
            }
        }
        for writing in parts {
            let mut change = Self::commit(user, *writing, claims, &mut decision);
            change.reasons.splice(0..0, decision.reasons.iter().cloned());
            decision.changes.push(change);
        }
        decision
    }

    /// Decides one record of a user. Nothing is claimed yet: a second part may still hold both (ruling 45).
    pub(crate) fn part<'a>(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        answers: &'a Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let rule = &won.compiled.rule;
        let review = |unclear: Unclear, mut waits: Vec<Wait>| {
            waits.extend(unclear.candidates.iter().map(|p| Wait::Person(*p)));
            waits.extend(wait_for(unclear.other.as_ref()));
            Part::Review(Box::new(review_item(user, Some(rule.id.clone()), kind, unclear)), waits)
        };
        let place = match won.compiled.place(kind) {
            Ok(place) => place,
            Err(reference) => return review(unresolved(), vec![Wait::Client(reference.to_owned())]),
        };
        let search = Search {
            policy: &self.policy,
            tenant: self.tenant.tenant,
            kind,
            client: place.client,
            other_kind: rule.then.kind != RuleKind::AgentAndContact,
        };
        let waits = || matching::keys(user).map(|k| Wait::Address(k.as_str().to_owned())).collect();
        let tried = || Reason::NoMatch { keys: vec!["email".into()] };
        match search.run(user, answers, claims) {
            Found::Unclear(unclear) => review(unclear, waits()),
            Found::One(found) => self.link(user, won, Standing { rule, place }, found, answers, claims),
            Found::Nobody => match self.policy.matching.on_none {
                OnNone::Create => self.create(user, won, kind, Standing { rule, place }, answers, claims),
                OnNone::Skip => Part::Skip(vec![tried()]),
                OnNone::Review => {
                    let evidence = vec![tried()];
                    review(Unclear { why: ReviewWhy::NoMatch, candidates: Vec::new(), other: None, evidence }, waits())
                }
            },
        }
    }

    fn create<'a>(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        standing: Standing<'_>,
        answers: &Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let rule = standing.rule;
        let mut draft = Draft::default();
        draft.reasons.push(Reason::NoMatch { keys: vec!["email".into()] });
        let mut state = self.booking(user, kind, &standing);
        self.mappings.of(kind).merge(user, rule, None, Moment::Create, &mut draft);
        standing.merge(user, None, Moment::Create, &state.decided, true, false, &mut draft);
        if self.is_out(user, kind) {
            draft.put(None, &Field::STATUS, Value::from(Status::Inactive.as_str()));
            state.deactivated_by = Some(Deactivated { by_sync: true, cause: Some(Cause::Disabled) });
        }
        if rule.then.kind == RuleKind::AgentAndContact && kind == Kind::Contact {
            // Of two records of one user only the agent has the log-in (ruling 45).
            draft.put(None, &Field::ACCESS, Value::Bool(false));
        }
        let name = match self.new_name(user, won, kind, None, Moment::Create, answers, claims, &mut draft) {
            Ok(name) => name,
            Err((item, waits)) if !draft.failed => return Part::Review(item, waits),
            Err(_) => None,
        };
        if draft.failed {
            return Part::Failed(Box::new(draft));
        }
        if let Some(other) = email_key(&draft).and_then(|key| claims.created_with(key, user.key)) {
            let waits = wait_for(Some(other)).into_iter();
            let waits = waits.chain(matching::keys(user).map(|k| Wait::Address(k.as_str().to_owned()))).collect();
            let unclear = Unclear {
                why: ReviewWhy::DuplicateInSource,
                candidates: Vec::new(),
                other: Some(other.clone()),
                evidence: Vec::new(),
            };
            return Part::Review(Box::new(review_item(user, Some(rule.id.clone()), kind, unclear)), waits);
        }
        Part::Write(Box::new(Writing {
            kind,
            verb: Verb::Create,
            candidate: None,
            rule: rule.id.clone(),
            draft,
            effects: Effects::default(),
            state,
            stands_for: Vec::new(),
            name,
            moved: false,
        }))
    }

    fn link<'a>(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        standing: Standing<'_>,
        found: Match<'a>,
        answers: &Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let person: &'a Person = &found.candidate.person;
        let kind = person.kind;
        let moment = Moment::Link { fill_empty: self.policy.matching.on_link == OnLink::FillEmpty };
        let mut draft = Draft::default();
        draft.reasons.push(found.reason);
        if let Some(from) = found.candidate.linked.as_ref().filter(|_| found.moved) {
            draft.reasons.push(Reason::LinkMoved { from: from.source_id.clone() });
        }
        let mut state = self.booking(user, kind, &standing);
        let mut effects = Effects::default();
        let mut stands_for = Vec::new();
        // A record that this plan was about to take out of use from a user who is gone is still active.
        let active = person.status == Status::Active;
        let retired = claims.is_retired(person.id);
        let out = self.is_out(user, kind) && !person.root;
        let stays_out = out || ((!found.reactivate || person.root) && (!active || retired));
        match (active, stays_out) {
            (true, true) => {
                let cause = if out { Cause::Disabled } else { Cause::Deleted };
                draft.put(Some(person), &Field::STATUS, Value::from(Status::Inactive.as_str()));
                draft.reasons.push(Reason::Removal { cause, verb: Verb::Deactivate });
                stands_for = Self::removal(person, cause, &mut effects);
                state.deactivated_by = Some(Deactivated { by_sync: true, cause: Some(cause) });
            }
            (false, false) => {
                draft.put(Some(person), &Field::STATUS, Value::from(Status::Active.as_str()));
                effects.returns = found.moved;
                draft.reasons.push(Reason::Returned { cause: None });
            }
            (false, true) => {
                let by_sync = found.moved || (out && found.reactivate);
                state.deactivated_by = Some(Deactivated { by_sync, cause: out.then_some(Cause::Disabled) });
            }
            (true, false) => {}
        }
        let returning = found.moved && !stays_out;
        if returning && !person.access && !person.root && !is_second(won, kind) {
            draft.put(Some(person), &Field::ACCESS, Value::Bool(true));
        }
        if is_second(won, kind) && person.access && !person.root {
            // Of two records of one user only the agent has the log-in (ruling 45). The user keeps theirs, so it is no removal.
            draft.put(Some(person), &Field::ACCESS, Value::Bool(false));
        }
        self.mappings.of(kind).merge(user, standing.rule, Some(person), moment, &mut draft);
        let access = person.access || !found.moved || returning;
        standing.merge(user, Some(person), moment, &state.decided, access, returning, &mut draft);
        let name = match self.new_name(user, won, kind, Some(person), moment, answers, claims, &mut draft) {
            Ok(name) => name,
            Err((item, waits)) => return Part::Review(item, waits),
        };
        Part::Write(Box::new(Writing {
            kind,
            verb: Verb::Link,
            candidate: Some(found.candidate),
            rule: standing.rule.id.clone(),
            draft,
            effects,
            state,
            stands_for,
            name,
            moved: found.moved,
        }))
    }

    /// A user who is disabled already gets an inactive record, where the policy says that disabling deactivates (ruling 32).
    fn is_out(&self, user: &UserFacts, kind: Kind) -> bool {
        !scope::is_enabled(user) && lifecycle::disabled_deactivates(self.policy.lifecycle.of(kind))
    }

    /// Brings the username into the draft of a record that is created or linked, and says which one it takes. A user whose username
    /// belongs to somebody else is a question to a person, and nothing is written (ruling 53).
    #[expect(clippy::too_many_arguments, reason = "the username is the one field that other users have a say in")]
    fn new_name(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        record: Option<&Person>,
        moment: Moment<'_>,
        answers: &Answers,
        claims: &Claims,
        draft: &mut Draft,
    ) -> Result<Option<Wish>, (Box<ReviewItem>, Vec<Wait>)> {
        let Some(plan) = self.mappings.of(kind).username() else { return Ok(None) };
        let choices = match username::choices(plan, user, &won.compiled.rule, self.policy.username_on_collision) {
            Ok(choices) => choices,
            Err(unfit) => {
                draft.report(user, Some(&Field::USERNAME), unfit.why, unfit.detail);
                draft.failed |= record.is_none() && plan.is_mandatory();
                return Ok(None);
            }
        };
        let Some(first) = choices.first() else {
            if record.is_none() && plan.is_mandatory() {
                plan.missing(user, draft);
            }
            return Ok(None);
        };
        if let Some(person) = record {
            let has = person.username.as_deref().map(text::trim).filter(|s| !s.is_empty());
            let is_full = |has| choices.get(1).is_some_and(|full| is_same_name(full, has));
            if has == Some(first) || has.is_some_and(is_full) {
                return Ok(None);
            }
            let because = if person.root { Err(KeptBecause::Root) } else { plan.may_write(person, moment) };
            if let Err(because) = because {
                draft.kept(&Field::USERNAME, because);
                return Ok(None);
            }
        }
        for (level, name) in choices.iter().enumerate() {
            let wish = username::wish(user, name, record.map(|r| r.id), answers);
            if claims.holder(user.key, &wish).is_none() {
                if level > 0 {
                    draft.reasons.push(Reason::DomainAppended { username: first.clone() });
                }
                draft.put(record, &Field::USERNAME, Value::from(name.as_str()));
                return Ok(Some(wish));
            }
        }
        let holder = claims.holder(user.key, &username::wish(user, first, record.map(|r| r.id), answers));
        let (item, waits) = taken(user, won, kind, &choices, holder);
        Err((Box::new(item), waits))
    }

    /// Claims what a record takes and releases, and makes its change.
    pub(crate) fn commit(user: &UserFacts, writing: Writing<'_>, claims: &mut Claims, decision: &mut Decision) -> Change {
        let Writing { kind, verb, candidate, rule, draft, effects, state, stands_for, name, moved } = writing;
        let person = candidate.map(|c| &*c.person);
        if let Some(wish) = name {
            let old = person.map(|p| (p.id, p.username.as_deref().map(username::key)));
            claims.take_first(user.key, &user.id, old, &[wish]);
        }
        match person {
            Some(person) => {
                Self::readdress(user, person, &draft, claims);
                claims.touch(gives_up(person));
                claims.link(person.id, user.key, &user.id);
                if claims.is_retired(person.id) {
                    decision.replaces.push(person.id);
                }
            }
            None => {
                if let Some(key) = email_key(&draft) {
                    claims.create(key, user.key, &user.id);
                }
            }
        }
        decision.reports.extend(draft.reports);
        Change {
            verb,
            kind,
            user: user.key,
            source_id: user.id.clone(),
            record: person.map(|p| p.id),
            record_version: person.map_or(0, |p| p.version),
            rule: Some(rule),
            before: draft.before,
            set: draft.set,
            reasons: draft.reasons,
            link: Some(state),
            unlink: candidate.and_then(|c| c.linked.as_ref()).filter(|_| moved).map(|l| l.user),
            effects,
            stands_for,
        }
    }
}

/// What waiting users may find changed once a record is linked.
fn gives_up(person: &Person) -> impl Iterator<Item = Wait> {
    let more = person.fields.get(&Field::ADDITIONAL_EMAILS).and_then(Value::as_array);
    let addresses = person.email.as_deref().into_iter().chain(more.into_iter().flatten().filter_map(Value::as_str));
    let addresses = addresses.filter_map(AddressKey::of).map(|k| Wait::Address(k.as_str().to_owned()));
    let username = person.username.as_deref().map(|u| Wait::Username(text::fold(u)));
    addresses.chain(username).chain([Wait::Person(person.id)])
}

fn is_second(won: &Won<'_>, kind: Kind) -> bool {
    won.compiled.rule.then.kind == RuleKind::AgentAndContact && kind == Kind::Contact
}
