//! Users who have no record, or lack one of two: match, link or create (M02, M04, M05; rulings 45, 48, 51 to 55, 57, 104).

use crate::claims::{Claims, Holder, Wish};
use crate::decide::{Plain, Planner, Selection, live, review_item, unresolved, wait_for};
use crate::hints::hints;
use crate::kind_change::{self, Leaving, Turn};
use crate::lifecycle;
use crate::linked::{exempt, taken, wait};
use crate::matching::{Found, Hit, Match, Search, Unclear};
use crate::merge::{Draft, Moment};
use crate::resolve::choice;
use crate::rules::Won;
use crate::scope;
use crate::source::Fault;
use crate::standing::{Lack, Standing};
use crate::username;
use crate::write::{email_key, is_same_name};
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::{Answers, Candidate, Choice, UserFacts};
use model::plan::{self, Change, Decision, Effects, LinkState, Outcome, ReportWhy, ReviewItem, Verb, Wait};
use model::policy::{OnInactive, OnLink, OnNone, RuleKind};
use model::reason::{Cause, KeptBecause, Reason, ReviewWhy};
use model::records::{Deactivated, Person};
use model::{Field, Fields, Kind, PersonId, SourceId, Status, UserKey, Value, text};

/// What is decided about one of a user's records that is not linked yet.
pub(crate) enum Part<'a> {
    Write(Box<Writing<'a>>),
    Review(Box<ReviewItem>, Vec<Wait>),
    /// A mandatory field is bad: nothing is created (ruling 104).
    Failed(Box<Draft>),
    /// The policy leaves users without a match out.
    Skip(Vec<Reason>),
    /// The archived record that would come back is pinned, or has become a root record: it stays, nothing is made in its place, and
    /// that is said.
    Stays(Box<Draft>),
}

/// A record to be linked or created, decided but not yet claimed.
pub(crate) struct Writing<'a> {
    pub(crate) kind: Kind,
    pub(crate) verb: Verb,
    /// The record; none for a new one.
    pub(crate) person: Option<&'a Person>,
    /// Somebody else whose link to it ends (ruling 54).
    pub(crate) unlink: Option<UserKey>,
    pub(crate) rule: model::RuleId,
    pub(crate) draft: Draft,
    pub(crate) effects: Effects,
    pub(crate) state: LinkState,
    pub(crate) stands_for: Vec<String>,
    /// The username it takes.
    pub(crate) name: Option<Wish>,
    /// Where the e-mail of a new record leads.
    pub(crate) email: Option<Hash>,
    /// A free record of the other kind that goes into the archive beside it (ruling 48).
    pub(crate) archive: Option<Match<'a>>,
}

/// How a record to be created came about.
enum Making<'a> {
    /// Nobody has any of the user's addresses.
    NoMatch,
    /// A person chose a new record (ruling 13).
    Chosen,
    /// In the place of a record of the other kind, or beside it (ruling 48).
    InPlaceOf(Match<'a>),
    Beside(Match<'a>),
}

impl Planner {
    /// Decides a user who has no record.
    pub(crate) fn unlinked(
        &self,
        user: &UserFacts,
        selection: &Selection<'_>,
        answers: &Answers,
        claims: &mut Claims,
    ) -> Decision {
        let mut decision = Decision::plain(user, plan::Standing { outcome: Outcome::Synced, excluded_by: None, rule: None });
        if !claims.settled() {
            // Only archived records are linked to them: making one comes after all linked users have spoken.
            claims.defer(user.key, &user.id);
            return decision;
        }
        let won = match selection {
            Selection::Rule(won) => won,
            Selection::Excluded(by) => {
                decision.standing.outcome = Outcome::Excluded;
                decision.standing.excluded_by = Some(by.clone().into_owned());
                return decision;
            }
            Selection::Fault(fault) => return Self::left_as_is(user, fault),
        };
        decision.standing.rule = Some(won.compiled.rule.id.clone());
        if let Some(item) = user.review.as_ref().filter(|r| r.dismissed) {
            decision.standing.outcome = Outcome::InReview;
            decision.reasons.push(Reason::InReview { item: item.why });
            return decision;
        }
        let mut parts = Vec::new();
        let own = self.own(user, won, answers, claims);
        for kind in won.compiled.rule.then.kind.kinds() {
            match self.part(user, won, *kind, &own, answers, claims) {
                Part::Review(item, waits) => {
                    let (item, waits) = self.asked_on(user, won, (item, waits), &own, answers, claims);
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
                Part::Stays(draft) => {
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
            self.commit(user, won, *writing, answers, claims, &mut decision);
        }
        for change in &mut decision.changes {
            let mut reasons = self.why(user, selection);
            reasons.append(&mut change.reasons);
            change.reasons = reasons;
        }
        decision
    }

    /// The records that are to be linked to a user who becomes both: neither is in the way of the other's username (ruling 45).
    fn own(&self, user: &UserFacts, won: &Won<'_>, answers: &Answers, claims: &Claims) -> Vec<PersonId> {
        if won.compiled.rule.then.kind != RuleKind::AgentAndContact {
            return Vec::new();
        }
        let found = |kind: &Kind| {
            let chosen = choice(user, won, *kind, answers);
            if let Some(Choice::Link(record)) = chosen {
                return Some(record);
            }
            // A record that comes back from the archive is theirs already, and no other of its kind will be.
            if chosen.is_none() && kind_change::restorable(user, *kind).is_some() {
                return None;
            }
            let standing = self.standing(user, won, *kind, answers, claims).ok()?;
            match self.search(won, *kind, &standing).run(user, answers, claims) {
                Ok(Found::One(found)) => Some(found.candidate.person.id),
                // What is unclear, or cannot be computed, holds both parts back.
                Ok(_) | Err(_) => None,
            }
        };
        won.compiled.rule.then.kind.kinds().iter().filter_map(found).collect()
    }

    pub(crate) fn search<'a>(&'a self, won: &'a Won<'_>, kind: Kind, standing: &Standing<'_>) -> Search<'a> {
        Search {
            policy: &self.policy,
            probes: won.probes.of(kind),
            tenant: self.tenant.tenant,
            kind,
            client: standing.client(),
            other_kind: standing.rule.then.kind != RuleKind::AgentAndContact,
        }
    }

    /// Decides one record of a user. Nothing is claimed yet: a second part may still hold both (ruling 45). `own`: records that other
    /// parts link to the same user.
    pub(crate) fn part<'a>(
        &'a self,
        user: &'a UserFacts,
        won: &Won<'a>,
        kind: Kind,
        own: &[PersonId],
        answers: &'a Answers,
        claims: &Claims,
    ) -> Part<'a> {
        match self.found(user, won, kind, own, answers, claims) {
            Part::Review(mut item, waits) => {
                let hints = hints(user, self.match_keys.of(kind), &item.candidates, &item.evidence, answers);
                item.evidence.extend(hints);
                Part::Review(item, waits)
            }
            part => part,
        }
    }

    fn found<'a>(
        &self,
        user: &'a UserFacts,
        won: &Won<'_>,
        kind: Kind,
        own: &[PersonId],
        answers: &'a Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let rule = &won.compiled.rule;
        let review = |unclear: Unclear, mut waits: Vec<Wait>| {
            waits.extend(unclear.candidates.iter().map(|p| Wait::Person(*p)));
            waits.extend(wait_for(unclear.other.as_ref()));
            Part::Review(Box::new(review_item(user, Some(rule.id.clone()), kind, unclear)), waits)
        };
        let standing = match self.standing(user, won, kind, answers, claims) {
            Ok(standing) => standing,
            Err(Lack::Unresolved(wait)) => return review(unresolved(), vec![wait]),
            Err(Lack::Fault(fault)) => return failed(user, &fault),
        };
        match choice(user, won, kind, answers) {
            Some(Choice::Create) => return self.create(user, won, kind, &standing, Making::Chosen, own, answers, claims),
            Some(Choice::Link(record)) => {
                if let Some(found) = self.chosen(user, record, answers, claims) {
                    return self.link(user, won, kind, standing, found, own, answers, claims);
                }
            }
            None => {}
        }
        if let Some(linked) = kind_change::restorable(user, kind) {
            return self.restore(user, won, linked, standing, answers, claims);
        }
        let keys = self.match_keys.of(kind);
        let mut search = self.search(won, kind, &standing);
        // The record of the other kind that is theirs is known by its link; a free one beside it is another matter (ruling 48).
        search.other_kind &= !live(user).any(|l| l.person.kind != kind);
        let waits = || keys.waits(user);
        let tried = || Reason::NoMatch { keys: keys.names() };
        let found = match search.run(user, answers, claims) {
            Ok(found) => found,
            Err(fault) => return failed(user, &fault),
        };
        match found {
            Found::Unclear(unclear) => review(unclear, waits()),
            Found::One(found) => self.link(user, won, kind, standing, found, own, answers, claims),
            Found::OtherKind(found) => {
                let person = &found.candidate.person;
                // A root record is left alone altogether, and one whose status is pinned too; neither is to have a second log-in.
                let making = match self.turn(user, person, kind) {
                    Turn::Archive if self.may_remove(user) && !person.root && !person.pins(&Field::STATUS) => {
                        Making::InPlaceOf(found)
                    }
                    Turn::Beside if !person.root => Making::Beside(found),
                    _ => return review(found.kind_change(kind), waits()),
                };
                self.create(user, won, kind, &standing, making, own, answers, claims)
            }
            Found::Nobody => match self.policy.matching.on_none {
                OnNone::Create => self.create(user, won, kind, &standing, Making::NoMatch, own, answers, claims),
                OnNone::Skip => Part::Skip(vec![tried()]),
                OnNone::Review => {
                    let evidence = vec![tried()];
                    review(Unclear { why: ReviewWhy::NoMatch, candidates: Vec::new(), other: None, evidence }, waits())
                }
            },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is wanted, how it came about, and what is known of others")]
    fn create<'a>(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        standing: &Standing<'_>,
        making: Making<'a>,
        own: &[PersonId],
        answers: &Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let rule = standing.rule;
        let mut draft = Draft::default();
        let chosen = matches!(making, Making::Chosen);
        let mut own = own.to_vec();
        let archive = match making {
            Making::NoMatch => {
                draft.reasons.push(Reason::NoMatch { keys: self.match_keys.of(kind).names() });
                None
            }
            Making::Chosen => {
                draft.reasons.push(Reason::ChosenNew);
                // A record of the other kind was matched with the user; the new one is made beside it (rulings 13 and 48). What somebody
                // was linked to until now stays theirs by name.
                let asked = user.review.as_ref().filter(|item| item.why == ReviewWhy::KindChange);
                let is_somebodys = |id: &PersonId| answers.candidates().any(|c| c.person.id == *id && c.linked.is_some());
                own.extend(asked.into_iter().flat_map(|item| &item.candidates).filter(|id| !is_somebodys(id)));
                None
            }
            Making::InPlaceOf(found) => {
                draft.reasons.extend(found.kind_change(kind).evidence);
                own.push(found.candidate.person.id);
                Some(found)
            }
            Making::Beside(found) => {
                draft.reasons.extend(found.kind_change(kind).evidence);
                // What somebody was linked to until now stays theirs by name.
                own.extend((!found.moved).then_some(found.candidate.person.id));
                None
            }
        };
        let mut state = self.booking(user, kind, standing);
        self.mappings.of(kind).merge(user, standing.rule, Some(standing), None, Moment::Create, &mut draft);
        standing.merge(user, None, Moment::Create, &Fields::new(), true, false, &mut draft);
        if let Some(cause) = self.is_out(user, standing, kind) {
            draft.put(None, &Field::STATUS, Value::from(Status::Inactive.as_str()));
            state.deactivated_by = Some(Deactivated { by_sync: true, cause: Some(cause) });
        }
        if rule.then.kind == RuleKind::AgentAndContact && kind == Kind::Contact {
            // Of two records of one user only the agent has the log-in (ruling 45).
            draft.put(None, &Field::ACCESS, Value::Bool(false));
        }
        let name = match self.new_name(user, won, kind, None, &own, Moment::Create, answers, claims, &mut draft) {
            Ok(name) => name,
            Err((item, waits)) if !draft.failed => return Part::Review(item, waits),
            Err(_) => None,
        };
        if draft.failed || draft.fault {
            return Part::Failed(Box::new(draft));
        }
        let email_key = email_key(&draft);
        let created = || email_key.and_then(|key| claims.created_with(key, user.key)).map(|other| (other, None));
        let twin = || created().or_else(|| first_with_address(user, email(&draft), answers, claims));
        if let Some((other, record)) = if chosen { None } else { twin() } {
            let (item, waits) = self.duplicate(user, won, kind, other, record);
            return Part::Review(Box::new(item), waits);
        }
        Part::Write(Box::new(Writing {
            kind,
            verb: Verb::Create,
            person: None,
            unlink: None,
            rule: rule.id.clone(),
            draft,
            effects: Effects::default(),
            state,
            stands_for: Vec::new(),
            name,
            email: email_key,
            archive,
        }))
    }

    /// The item about somebody else of the same address who goes first, and what it waits for (ruling 51).
    pub(crate) fn duplicate(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        other: &SourceId,
        record: Option<PersonId>,
    ) -> (ReviewItem, Vec<Wait>) {
        let waits = wait_for(Some(other)).into_iter();
        let waits = waits.chain(self.match_keys.of(kind).waits(user)).chain(record.map(Wait::Person)).collect();
        let unclear = Unclear {
            why: ReviewWhy::DuplicateInSource,
            candidates: record.into_iter().collect(),
            other: Some(other.clone()),
            evidence: Vec::new(),
        };
        (review_item(user, Some(won.compiled.rule.id.clone()), kind, unclear), waits)
    }

    /// The record that a person chose, unless somebody else has it by now, or the user themselves as their other one.
    fn chosen<'a>(&self, user: &UserFacts, record: PersonId, answers: &'a Answers, claims: &Claims) -> Option<Match<'a>> {
        let candidate = answers.records.get(&record)?;
        let hit = Hit::of(user, self.tenant.tenant, candidate, claims);
        let is_theirs = live(user).any(|l| l.person.id == record);
        if !candidate.usable() || !hit.is_free() || is_theirs {
            return None;
        }
        let by_policy = self.policy.matching.on_inactive == OnInactive::Reactivate;
        // Somebody who is back was asked about, and the answer is yes.
        let reactivate = hit.moved || by_policy;
        Some(Match { candidate, reason: Reason::ChosenRecord { record }, reactivate, moved: hit.moved })
    }

    #[expect(clippy::too_many_arguments, reason = "what is wanted, what was found, and what is known of others")]
    fn link<'a>(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        wanted: Kind,
        standing: Standing<'_>,
        found: Match<'a>,
        own: &[PersonId],
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
        let standing = standing.meeting(person, &Fields::new());
        let mut state = self.booking(user, kind, &standing);
        let mut effects = Effects::default();
        let mut stands_for = Vec::new();
        // A record that this plan was about to take out of use from a user who is gone is still active.
        let active = person.status == Status::Active;
        let retired = claims.is_retired(person.id);
        // No removal follows from an incomplete read; the next complete one makes up for it.
        let may_go = !person.root && (!active || self.may_remove(user));
        let mut out_by = self.is_out(user, &standing, kind).filter(|_| may_go);
        let grace_of = |cause| self.policy.lifecycle.of(kind).grace.of(cause);
        if out_by.is_some_and(|cause| grace_of(cause) > 0) && kind == Kind::Agent && standing.rights.inactive.is_some() {
            // A role that makes agents inactive does not wait for what else is a cause (ruling 103).
            out_by = Some(Cause::InactiveRole);
        }
        let grace = out_by.map_or(0, grace_of);
        if let Some(cause) = out_by.filter(|_| grace > 0 && active && !retired) {
            // Being linked is no reason to be out of use sooner than anybody else (ruling 76).
            state.grace_since = Some(self.tenant.now);
            wait(user, cause, Verb::Deactivate, self.tenant.now.saturating_add(grace), &mut draft);
            out_by = None;
        }
        let out = out_by.is_some();
        if person.root && active && self.is_out(user, &standing, kind).is_some() {
            let said = exempt(user, person, &Field::STATUS);
            draft.reasons.extend(said.reasons);
            draft.reports.extend(said.reports);
        }
        // A record in use stays so where it is pinned, and where no removal may follow: it is the next complete read's to do.
        let pinned = person.pins(&Field::STATUS);
        let held = active && (pinned || !self.may_remove(user));
        let stays_out = !held && (out || ((!found.reactivate || person.root || pinned) && (!active || retired)));
        match (active, stays_out) {
            (true, true) => {
                let cause = out_by.unwrap_or(Cause::Deleted);
                draft.put(Some(person), &Field::STATUS, Value::from(Status::Inactive.as_str()));
                draft.reasons.push(Reason::Removal { cause, verb: Verb::Deactivate });
                stands_for = Self::removal(person, Some(cause), &mut effects);
                state.deactivated_by = Some(Deactivated { by_sync: true, cause: Some(cause) });
            }
            (false, false) => {
                draft.put(Some(person), &Field::STATUS, Value::from(Status::Active.as_str()));
                effects.returns = found.moved;
                draft.reasons.push(Reason::Returned { cause: None });
            }
            (false, true) => {
                if pinned && found.reactivate && !out && !person.root {
                    draft.put(Some(person), &Field::STATUS, Value::from(Status::Active.as_str()));
                }
                let by_sync = found.moved || (out && found.reactivate);
                state.deactivated_by = Some(Deactivated { by_sync, cause: out_by });
            }
            (true, false) if pinned && out => draft.put(Some(person), &Field::STATUS, Value::from(Status::Inactive.as_str())),
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
        self.mappings.of(kind).merge(user, standing.rule, Some(&standing), Some(person), moment, &mut draft);
        if draft.fault {
            return Part::Failed(Box::new(draft));
        }
        let access = person.access || !found.moved || returning;
        if kind == wanted {
            standing.merge(user, Some(person), moment, &Fields::new(), access, returning, &mut draft);
        }
        let name = match self.new_name(user, won, kind, Some(person), own, moment, answers, claims, &mut draft) {
            Ok(name) => name,
            Err((item, waits)) => return Part::Review(item, waits),
        };
        let mappings = self.mappings.of(kind);
        state.policy_digest = Some(mappings.stamp_with(&draft).into_owned());
        mappings.book_left(person, &draft, &mut state.decided);
        Part::Write(Box::new(Writing {
            kind,
            verb: Verb::Link,
            person: Some(person),
            unlink: found.candidate.linked.as_ref().filter(|_| found.moved).map(|l| l.user),
            rule: standing.rule.id.clone(),
            draft,
            effects,
            state,
            stands_for,
            name,
            email: None,
            archive: None,
        }))
    }

    /// A user who is disabled already gets an inactive record, where the policy says that disabling deactivates (ruling 32); so does
    /// an agent whose role makes agents inactive (ruling 41).
    pub(crate) fn is_out(&self, user: &UserFacts, standing: &Standing<'_>, kind: Kind) -> Option<Cause> {
        let disabled = !scope::is_enabled(user) && lifecycle::disabled_deactivates(self.policy.lifecycle.of(kind));
        let by_role = standing.rights.inactive.filter(|_| kind == Kind::Agent);
        disabled.then_some(Cause::Disabled).or(by_role.map(|_| Cause::InactiveRole))
    }

    /// Brings the username into the draft of a record that is created or linked, and says which one it takes. A user whose username
    /// belongs to somebody else is a question to a person, and nothing is written (ruling 53).
    #[expect(clippy::too_many_arguments, reason = "the username is the one field that other users have a say in")]
    pub(crate) fn new_name(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        record: Option<&Person>,
        own: &[PersonId],
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
            if person.pins(&Field::USERNAME) {
                draft.put(record, &Field::USERNAME, Value::from(first.as_str()));
                return Ok(None);
            }
        }
        let own: Vec<PersonId> = own.iter().copied().chain(record.map(|r| r.id)).collect();
        // The name that somebody who is decided once more took before is theirs: others were refused it.
        for level in claims.took(user.key, &choices).into_iter().chain(0..choices.len()) {
            let name = &choices[level];
            let wish = username::wish(user, name, &own, answers);
            if claims.holder(user.key, &wish).is_none() {
                if level > 0 {
                    draft.reasons.push(Reason::DomainAppended { username: first.clone() });
                }
                draft.put(record, &Field::USERNAME, Value::from(name.as_str()));
                return Ok(Some(wish));
            }
        }
        let holder = claims.holder(user.key, &username::wish(user, first, &own, answers));
        let (item, waits) = self.name_taken(user, won, kind, &choices, holder, &own);
        Err((Box::new(item), waits))
    }

    /// As [`taken`], of a user whose record is still to be made or linked. In whose way a username is hangs on which records are the
    /// user's own, so a change to those, or to what they are met by, may free them as well (rulings 55 and 92).
    pub(crate) fn name_taken(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        kind: Kind,
        choices: &[String],
        holder: Option<Holder>,
        own: &[PersonId],
    ) -> (ReviewItem, Vec<Wait>) {
        let (item, mut waits) = taken(user, won, kind, choices, holder);
        waits.extend(own.iter().map(|record| Wait::Person(*record)));
        waits.extend(won.compiled.rule.then.kind.kinds().iter().flat_map(|kind| self.match_keys.of(*kind).waits(user)));
        (item, waits)
    }

    /// Claims what a record takes and releases, and adds its change; one that goes into the archive beside it comes after.
    pub(crate) fn commit(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        writing: Writing<'_>,
        answers: &Answers,
        claims: &mut Claims,
        decision: &mut Decision,
    ) {
        let Writing { kind, verb, person, unlink, rule, mut draft, effects, state, stands_for, name, email, archive } = writing;
        if let Some(wish) = name {
            let old = person.map(|p| (p, p.username.as_deref().map(username::key)));
            claims.take_first(user.key, &user.id, old, &[wish]);
        }
        match person {
            Some(person) => {
                Self::readdress(user, person, &draft, claims);
                claims.touch_once(person.id, self.gives_up(person));
                if verb == Verb::Restore {
                    claims.restore(person.id, kind_change::keys(person.username.as_deref(), person.email.as_deref()));
                } else {
                    claims.link(person.id, user.key, &user.id);
                }
                if claims.is_retired(person.id) {
                    decision.replaces.push(person.id);
                }
            }
            None => {
                if let Some(key) = email {
                    claims.create(key, user.key, &user.id);
                }
            }
        }
        if let Some(since) = state.grace_since {
            let grace = self.policy.lifecycle.of(kind).grace.of(Cause::Disabled);
            decision.waits.push(Wait::Until(since.saturating_add(grace)));
        }
        draft.report_pinned(user);
        decision.reports.extend(draft.reports);
        decision.changes.push(Change {
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
            new_site: draft.new_site,
            unlink,
            effects,
            stands_for,
        });
        if let Some(found) = archive {
            self.archive(user, won, &Leaving::found(&found), answers, claims, decision);
        }
    }

    /// The fields of a record that others may meet it by, or find in their way.
    pub(crate) fn is_met_by(&self, kind: Kind) -> impl Iterator<Item = Field> {
        [Field::EMAIL, Field::ADDITIONAL_EMAILS, Field::USERNAME].into_iter().chain(self.match_keys.of(kind).fields())
    }

    /// What waiting users may find changed once a record is linked: all it can be met by, and the record itself.
    pub(crate) fn gives_up(&self, person: &Person) -> impl Iterator<Item = Wait> {
        let more = person.fields.get(&Field::ADDITIONAL_EMAILS).and_then(Value::as_array);
        let addresses = person.email.as_deref().into_iter().chain(more.into_iter().flatten().filter_map(Value::as_str));
        let addresses = addresses.filter_map(AddressKey::of).map(|k| Wait::Address(k.as_str().to_owned()));
        let username = person.username.as_deref().map(|u| Wait::Username(text::fold(u)));
        let keys = self.match_keys.of(person.kind).fields().flat_map(|field| {
            let values = text::keys(&person.get(&field)).into_iter();
            values.map(move |value| Wait::Key(field.clone(), value))
        });
        addresses.chain(username).chain(keys).chain([Wait::Person(person.id)])
    }
}

/// The user of the same address who went first in an earlier run, with their record: as long as they have the address the item stays,
/// also where addresses are no matching key (ruling 51).
pub(crate) fn first_with_address<'a>(
    user: &'a UserFacts,
    email: Option<&str>,
    answers: &Answers,
    claims: &Claims,
) -> Option<(&'a SourceId, Option<PersonId>)> {
    let item = user.review.as_ref().filter(|item| item.why == ReviewWhy::DuplicateInSource && !item.dismissed)?;
    let other = item.other.as_ref()?;
    let address = email.and_then(AddressKey::of)?;
    let key = Hash::of(address.as_str());
    let is_theirs = |c: &&Candidate| c.usable() && c.linked.as_ref().is_some_and(|l| l.source_id == *other);
    let mut held = answers.addresses.get(&address).into_iter().flatten().filter(is_theirs).map(|c| c.person.id);
    held.find(|id| !claims.has_released(key, *id) && !claims.is_archived(*id)).map(|id| (other, Some(id)))
}

/// The e-mail that a draft gives.
fn email(draft: &Draft) -> Option<&str> {
    draft.set.get(&Field::EMAIL).and_then(Value::as_str)
}

/// A value cannot be computed for this user: nothing is written (ruling 38).
fn failed<'a>(user: &UserFacts, fault: &Fault) -> Part<'a> {
    let mut draft = Draft::default();
    draft.reasons.push(Reason::Unevaluable { detail: fault.detail.clone() });
    draft.report(user, None, ReportWhy::Error, fault.detail.clone());
    Part::Failed(Box::new(draft))
}

pub(crate) fn is_second(won: &Won<'_>, kind: Kind) -> bool {
    won.compiled.rule.then.kind == RuleKind::AgentAndContact && kind == Kind::Contact
}
