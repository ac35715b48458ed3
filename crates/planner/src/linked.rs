//! Users who have a record: life cycle, fields, and what holds them back. The link holds, whatever the addresses say (M01).

use crate::claims::Claims;
use crate::decide::{Plain, Planner, Selection, causes, live, review_item, unresolved, wait_for};
use crate::kind_change::{Leaving, Turn};
use crate::lifecycle::{self, Effect};
use crate::matching::Unclear;
use crate::merge::{Draft, Moment};
use crate::rules::Won;
use crate::scope;
use crate::source::Fault;
use crate::standing::{Lack, Standing};
use crate::unlinked::{Part, Writing, is_second};
use crate::username;
use crate::write::{Named, is_same_name};
use model::directory::Presence;
use model::facts::{Answers, Linked, ReviewFacts, UserFacts};
use model::plan::{self, Change, Decision, Effects, LinkState, Outcome, ReportWhy, ReviewItem, Verb, Wait};
use model::policy::OnReturn;
use model::reason::{Cause, KeptBecause, Reason, ReviewWhy};
use model::records::Person;
use model::run::RunKind;
use model::{Field, Kind, PersonId, Status, Value, text};
use std::borrow::Cow;

/// What is common to all records of one user.
struct Of<'a> {
    user: &'a UserFacts,
    /// The winning rule, for users who are in the directory.
    won: Option<&'a Won<'a>>,
    selection: &'a Selection<'a>,
    /// How many of the decision's reasons are not about one record, and so belong to each of its changes.
    said: usize,
    enabled: bool,
    /// A review item stands in the way of everything but removals.
    blocked: bool,
}

impl Planner {
    /// Decides a user who has at least one record.
    pub(crate) fn linked(&self, user: &UserFacts, selection: &Selection<'_>, answers: &Answers, claims: &mut Claims) -> Decision {
        let standing = |outcome| plan::Standing { outcome, excluded_by: None, rule: None };
        if user.presence == Presence::Unseen {
            return Decision::plain(user, standing(Outcome::Gone));
        }
        let gone = user.presence != Presence::Present;
        let causes = causes(user, selection);
        let enabled = scope::is_enabled(user);
        let may_remove = self.may_remove(user);
        let mut decision = Decision::plain(user, standing(if gone { Outcome::Gone } else { Outcome::Synced }));
        let won = match selection {
            _ if gone => None,
            Selection::Rule(won) => Some(won),
            Selection::Excluded(by) => {
                decision.standing.outcome = Outcome::Excluded;
                decision.standing.excluded_by = Some(by.clone().into_owned());
                None
            }
            Selection::Fault(fault) => return Self::left_as_is(user, fault),
        };
        decision.standing.rule = won.map(|w| w.compiled.rule.id.clone());

        let given = |l: &Linked| {
            let standing = self.given(user, won, l, answers, claims);
            let causes = of_record(&causes, &standing);
            let effect = self.effect(&causes, enabled, l);
            (standing, causes, effect)
        };
        let given: Vec<(Given<'_>, Cow<'_, [Cause]>, Effect)> = live(user).map(given).collect();
        // A role that makes agents inactive takes out the agent, and nothing of the user's contact.
        let out: Vec<PersonId> = live(user)
            .zip(&given)
            .filter(|(_, (_, _, effect))| may_remove && effect.is_out())
            .map(|(linked, _)| linked.person.id)
            .collect();
        let is = |linked: &Linked, other: Option<&Linked>| other.is_some_and(|o| o.person.id == linked.person.id);
        let mut course = Course::default();
        let mut blocked = false;
        if let (Some(_), Some(item)) = (won, kept_out(user)) {
            claims.keep_back(user.key, &records(user));
            decision.standing.outcome = Outcome::InReview;
            decision.reasons.push(Reason::InReview { item: item.why });
            blocked = true;
        } else if let Some(won) = won {
            match self.obstacle(user, won, enabled, &out, answers, claims) {
                Ok(found) => {
                    live(user).filter(|linked| !is(linked, found.archive)).for_each(|linked| claims.stay(linked.person.id));
                    course = found;
                }
                Err(Obstacle::Later(course)) => {
                    if let Some(Linked { person, .. }) = course.archive
                        && let Some(name) = &person.username
                    {
                        claims.leave(user.key, &user.id, person.id, username::key(name));
                    }
                    // What else of this user changes is not certain before, and nothing of it may be claimed, but for the usernames:
                    // who gets which is settled among all linked users at once.
                    for (linked, (standing, causes, effect)) in live(user).zip(given).filter(|(l, _)| !is(l, course.archive)) {
                        let (_, effect) = self.unwanted(is(linked, course.beside), enabled, linked, causes, effect);
                        self.speak(user, won, linked, standing, self.allowed(user, effect), answers, claims);
                    }
                    claims.defer(user.key, &user.id);
                    return Decision::plain(user, decision.standing);
                }
                Err(Obstacle::Stays(draft)) => {
                    claims.keep_back(user.key, &records(user));
                    decision.reports.extend(draft.reports);
                    decision.reasons.extend(draft.reasons);
                    if out.is_empty() {
                        return decision;
                    }
                    blocked = true;
                }
                Err(Obstacle::Failed(draft)) => {
                    claims.keep_back(user.key, &records(user));
                    decision.standing.outcome = Outcome::Failed;
                    decision.reports.extend(draft.reports);
                    decision.reasons.extend(draft.reasons);
                    if out.is_empty() {
                        return decision;
                    }
                    blocked = true;
                }
                Err(Obstacle::Review(item, waits)) => {
                    claims.keep_back(user.key, &records(user));
                    decision.standing.outcome = Outcome::InReview;
                    decision.reasons.push(Reason::InReview { item: item.why });
                    decision.review = Some(*item);
                    decision.waits = waits;
                }
            }
        }
        let blocked = blocked || decision.review.is_some();
        let said = decision.reasons.len();
        let of = Of { user, won, selection, said, enabled, blocked };
        let stays = |linked: &Linked| !is(linked, course.archive) && !is(linked, course.left);
        for (linked, (standing, causes, effect)) in live(user).zip(given).filter(|(linked, _)| stays(linked)) {
            let (causes, effect) = self.unwanted(is(linked, course.beside), enabled, linked, causes, effect);
            self.record(&of, linked, standing, &causes, effect, answers, claims, &mut decision);
        }
        if let Some(won) = won {
            let at = decision.changes.len();
            for writing in course.parts {
                self.commit(user, won, writing, answers, claims, &mut decision);
            }
            if let Some(linked) = course.archive {
                // After a record that comes back, whose suffix is free again (ruling 73).
                self.archive(user, won, &Leaving::linked(linked), answers, claims, &mut decision);
            }
            for change in &mut decision.changes[at..] {
                let before = self.why(user, selection).into_iter().chain(decision.reasons[..said].iter().cloned());
                change.reasons.splice(0..0, before);
            }
        }
        if decision.review.is_some() && !gone && decision.standing.outcome == Outcome::Synced {
            decision.standing.outcome = Outcome::InReview;
        }
        if user.review.as_ref().is_some_and(|r| r.dismissed) {
            decision.review = None;
        }
        if decision.changes.is_empty() && decision.review.is_none() && decision.standing.outcome == Outcome::Synced {
            decision.reasons.push(Reason::UpToDate);
        }
        decision
    }

    fn effect(&self, causes: &[Cause], enabled: bool, linked: &Linked) -> Effect {
        lifecycle::effect(self.policy.lifecycle.of(linked.person.kind), causes, enabled, linked, self.tenant.now)
    }

    /// The causes and their effect once more for a record beside which another one stands: no rule selects its kind any more
    /// (ruling 74).
    fn unwanted<'c>(
        &self,
        is_beside: bool,
        enabled: bool,
        linked: &Linked,
        causes: Cow<'c, [Cause]>,
        effect: Effect,
    ) -> (Cow<'c, [Cause]>, Effect) {
        if !is_beside {
            return (causes, effect);
        }
        let causes: Vec<Cause> = causes.iter().copied().chain([Cause::Unmapped]).collect();
        let effect = self.effect(&causes, enabled, linked);
        (causes.into(), effect)
    }

    /// What of an effect may be: nothing that removes, where no removal may follow.
    fn allowed(&self, user: &UserFacts, effect: Effect) -> Effect {
        let removes = matches!(effect, Effect::Remove(..) | Effect::Waits(..));
        if removes && !self.may_remove(user) { Effect::None } else { effect }
    }

    /// What stands in the way of a selected user; otherwise the records that are still to be made or found for them, and what
    /// becomes of one whose kind no rule wants.
    fn obstacle<'a>(
        &'a self,
        user: &'a UserFacts,
        won: &Won<'a>,
        enabled: bool,
        out: &[PersonId],
        answers: &'a Answers,
        claims: &Claims,
    ) -> Result<Course<'a>, Obstacle<'a>> {
        let rule = &won.compiled.rule;
        let kinds = rule.then.kind.kinds();
        let review = |kind, unclear: Unclear, waits| {
            Obstacle::Review(Box::new(review_item(user, Some(rule.id.clone()), kind, unclear)), waits)
        };
        for kind in kinds {
            if let Err(wait) = won.compiled.place(*kind) {
                return Err(review(*kind, unresolved(), vec![wait.clone()]));
            }
        }
        let about = |why, linked: &Linked, evidence| Unclear { why, candidates: vec![linked.person.id], other: None, evidence };
        let mut course = Course::default();
        let mut making: Vec<Kind> = kinds.iter().copied().filter(|k| !live(user).any(|l| l.person.kind == *k)).collect();
        if let Some(extra) = live(user).find(|l| !kinds.contains(&l.person.kind)) {
            if out.contains(&extra.person.id) {
                return Ok(course);
            }
            if extra.person.root {
                return Err(Obstacle::Stays(exempt(user, &extra.person, &Field::STATUS)));
            }
            let to = extra.person.kind.other();
            match self.turn(user, &extra.person, to) {
                Turn::Ask => {
                    let evidence = vec![Reason::KindChange { from: extra.person.kind, to }];
                    let waits = vec![Wait::Person(extra.person.id)];
                    return Err(review(to, about(ReviewWhy::KindChange, extra, evidence), waits));
                }
                // Half a change of kind would leave two log-ins, or none.
                Turn::Archive if !self.may_remove(user) => {
                    course.left = Some(extra);
                    return Ok(course);
                }
                Turn::Archive if extra.person.pins(&Field::STATUS) => {
                    return Err(Obstacle::Stays(Draft::pinned_status(user, &extra.person, Status::Archived)));
                }
                Turn::Archive => course.archive = Some(extra),
                Turn::Beside => course.beside = Some(extra),
                Turn::Keep => making.clear(),
            }
        }
        let asks = |l: &&Linked| {
            let turns = [course.archive, course.beside].into_iter().flatten().any(|t| t.person.id == l.person.id);
            lifecycle::is_back(l).is_some()
                && !turns
                && !out.contains(&l.person.id)
                && self.policy.lifecycle.of(l.person.kind).on_return == OnReturn::Review
                && !lifecycle::is_answered(user, l)
        };
        if let Some(back) = live(user).find(asks).filter(|_| enabled) {
            let cause = lifecycle::is_back(back).flatten();
            let evidence = vec![Reason::Returned { cause }];
            let waits = vec![Wait::Person(back.person.id)];
            return Err(review(back.person.kind, about(ReviewWhy::Returned, back, evidence), waits));
        }
        if !enabled && !self.scope.creates_disabled() && !making.is_empty() {
            // A record that is not made is not in the place of another.
            course.archive = None;
            making.clear();
        }
        if !claims.settled() && (course.archive.is_some() || !making.is_empty()) {
            return Err(Obstacle::Later(Box::new(course)));
        }
        for kind in making {
            match self.part(user, won, kind, &[], answers, claims) {
                Part::Review(item, waits) => {
                    let (item, waits) = self.asked_on(user, won, (item, waits), &[], answers, claims);
                    return Err(Obstacle::Review(item, waits));
                }
                Part::Failed(draft) => return Err(Obstacle::Failed(draft)),
                Part::Stays(draft) => return Err(Obstacle::Stays(draft)),
                Part::Skip(_) => course.archive = None,
                Part::Write(writing) => course.parts.push(*writing),
            }
        }
        Ok(course)
    }

    /// What the winning rule gives a record of its kind.
    fn given<'a>(
        &'a self,
        user: &'a UserFacts,
        won: Option<&Won<'a>>,
        linked: &Linked,
        answers: &Answers,
        claims: &Claims,
    ) -> Given<'a> {
        let kind = linked.person.kind;
        let won = won.filter(|w| w.compiled.rule.then.kind.kinds().contains(&kind))?;
        match self.standing(user, won, kind, answers, claims) {
            Ok(standing) => Some(Ok(standing.meeting(&linked.person, &linked.link.decided))),
            Err(Lack::Fault(fault)) => Some(Err(fault)),
            Err(Lack::Unresolved(_)) => None,
        }
    }

    /// The mapped fields of a record, beside what the rule gives it. Nothing when a value cannot be computed for this user: what takes
    /// the record out of use is done all the same, and nothing else (ruling 38).
    fn merged<'a, 'w>(
        &self,
        user: &UserFacts,
        person: &Person,
        won: &'w Won<'a>,
        given: Given<'a>,
        moment: Moment<'_>,
        decision: &mut Decision,
    ) -> Option<(&'w Won<'a>, Option<Standing<'a>>, Draft)> {
        let mut fields = Draft::default();
        match given.transpose() {
            Ok(standing) => {
                let mappings = self.mappings.of(person.kind);
                mappings.merge(user, &won.compiled.rule, standing.as_ref(), Some(person), moment, &mut fields);
                if !fields.fault {
                    return Some((won, standing, fields));
                }
                fields.reports.retain(|r| r.why == ReportWhy::Error);
            }
            Err(fault) => fields.report(user, None, ReportWhy::Error, fault.detail),
        }
        decision.standing.outcome = Outcome::Failed;
        decision.reasons.extend(fields.reports.iter().map(|r| Reason::Unevaluable { detail: r.detail.clone() }));
        decision.reports.extend(fields.reports);
        None
    }

    /// Decides one record of a user.
    #[expect(clippy::too_many_arguments, reason = "what is decided of the record, beside what everybody is told")]
    fn record(
        &self,
        of: &Of<'_>,
        linked: &Linked,
        standing: Given<'_>,
        causes: &[Cause],
        effect: Effect,
        answers: &Answers,
        claims: &mut Claims,
        decision: &mut Decision,
    ) {
        let (user, person, link) = (of.user, &linked.person, &linked.link);
        let lifecycle = self.policy.lifecycle.of(person.kind);
        let allowed = self.allowed(user, effect);
        let (suppressed, effect) = (allowed != effect, allowed);
        let mut draft = Draft::default();
        let mut effects = Effects::default();
        let mut verb = Verb::Update;
        let mut stands_for = Vec::new();
        draft.reasons.push(Reason::Linked { record: person.id });
        match effect {
            Effect::Remove(cause, how) => {
                verb = how;
                if how == Verb::RevokeAccess {
                    draft.put(Some(person), &Field::ROLE, Value::Null);
                    draft.put(Some(person), &Field::ACCESS, Value::Bool(false));
                    if !text::is_empty(&person.get(&Field::EXTRA_ROLES)) {
                        draft.put(Some(person), &Field::EXTRA_ROLES, Value::from(Vec::<String>::new()));
                    }
                } else {
                    draft.put(Some(person), &Field::STATUS, Value::from(Status::Inactive.as_str()));
                }
                draft.reasons.push(Reason::Removal { cause, verb: how });
                stands_for = Self::removal(person, Some(cause), &mut effects);
                if matches!(cause, Cause::Deleted | Cause::Missing) {
                    claims.retire(person.id, cause);
                }
            }
            Effect::Persons(_) => draft.reasons.push(Reason::PersonsDecision),
            Effect::Exempt(_, how) => report_exempt(decision, user, linked, lifecycle::field_of(how)),
            Effect::None if !suppressed => {
                draft.reasons.extend(causes.iter().map(|cause| Reason::Ignored { cause: *cause }));
            }
            Effect::None | Effect::Out(_) | Effect::Waits(..) => {}
        }
        let waiting = lifecycle::waiting(lifecycle, causes, effect, linked, self.tenant.now);
        if let Some((cause, verb, until)) = waiting {
            wait(user, cause, verb, until, &mut draft);
            decision.waits.push(Wait::Until(until));
        }
        let mut state: Option<LinkState> = None;
        let mut back = false;
        let moment = self.moment(user, linked);
        let won = of.won.filter(|_| !of.blocked && follows(&standing, effect));
        if let Some((won, standing, fields)) = won.and_then(|won| self.merged(user, person, won, standing, moment, decision)) {
            let rule = &won.compiled.rule;
            let mappings = self.mappings.of(person.kind);
            let mut access = person.access || link.deactivated_by.as_ref().is_none_or(|d| !d.by_sync);
            let inactive = standing.as_ref().is_some_and(|s| s.rights.inactive.is_some());
            // Nor does anything come back for the reason that its removal may not be done now.
            if let Some(cause) = lifecycle::is_back(linked).filter(|_| of.enabled && !inactive && !suppressed) {
                let (how, on_return) = lifecycle::comeback(lifecycle, person);
                if on_return == OnReturn::Reactivate || lifecycle::is_answered(user, linked) {
                    // What is pinned out of use stays so, and gets neither role nor log-in.
                    let stays = person.status == Status::Inactive && person.pins(&Field::STATUS);
                    back = true;
                    verb = how;
                    access |= !stays;
                    effects.returns = true;
                    draft.reasons.push(Reason::Returned { cause });
                    if person.status == Status::Inactive {
                        draft.put(Some(person), &Field::STATUS, Value::from(Status::Active.as_str()));
                    }
                    // Of two records of one user only the agent has the log-in (ruling 45).
                    if !person.access && !stays && !is_second(won, person.kind) {
                        draft.put(Some(person), &Field::ACCESS, Value::Bool(true));
                    }
                }
            } else if person.status == Status::Inactive && of.enabled && person.root {
                report_exempt(decision, user, linked, &Field::STATUS);
            } else if person.status == Status::Inactive && of.enabled {
                draft.reasons.push(Reason::PersonsDecision);
            }
            draft.absorb(fields);
            let by_role = matches!(effect, Effect::Remove(Cause::InactiveRole, _));
            if let Some(standing) = &standing {
                // A role that makes agents inactive is told with what it does, also of an agent whose access had been taken (ruling 41).
                let (roles, told) = (access || by_role, back || by_role);
                standing.merge(user, Some(person), moment, &link.decided, roles, told, &mut draft);
            }
            let named = self.rename(user, linked, won, moment, answers, claims, &mut draft);
            if let Named::Taken { choices, holder } = named {
                let (mut item, waits) = taken(user, won, person.kind, &choices, holder);
                // Two who would be created alike are duplicates; whoever has a record keeps it, and waits for the name (ruling 53).
                item.why = ReviewWhy::UsernameTaken;
                decision.waits.extend(waits);
                decision.review.get_or_insert(item);
            }
            let stamp = mappings.stamp_with(&draft);
            let is_as_booked = link.applied_hash == Some(user.change_hash)
                && link.policy_digest.as_deref() == Some(&*stamp)
                && standing.as_ref().is_none_or(|s| link.rule.as_ref() == Some(&rule.id) && s.is_as_decided(&link.decided));
            if is_as_booked && self.tenant.run != RunKind::Full {
                draft.say_owed_once(mappings);
            }
            if !is_as_booked {
                let booked = match &standing {
                    Some(standing) => {
                        let mut booked = self.booking(user, person.kind, standing);
                        booked.policy_digest = Some(stamp.into_owned());
                        mappings.keep_left(person, &link.decided, &draft, &mut booked.decided);
                        booked
                    }
                    None => LinkState {
                        applied_hash: Some(user.change_hash),
                        policy_digest: Some(stamp.into_owned()),
                        rule: link.rule.clone(),
                        decided: link.decided.clone(),
                        ..LinkState::default()
                    },
                };
                state = Some(booked);
            }
        }
        // What the life cycle would have done to a pinned status or access is not done, and is said again next time.
        let differs = |field: &Field| draft.set.get(field).is_some_and(|value| *value != person.get(field));
        let is_done = match verb {
            Verb::Deactivate | Verb::Reactivate => differs(&Field::STATUS),
            Verb::RevokeAccess | Verb::GrantAccess => {
                differs(&Field::ROLE) || differs(&Field::ACCESS) || differs(&Field::EXTRA_ROLES)
            }
            _ => true,
        };
        if !is_done {
            (verb, effects, back) = (Verb::Update, Effects::default(), false);
            stands_for.clear();
            // Beside a change that is not done, nothing is said once more of what stays as it is.
            draft.set.retain(|field, value| *value != person.get(field));
            let set = &draft.set;
            draft.before.retain(|field, _| set.contains_key(field));
        }
        let stays = suppressed || !is_done;
        let marker = if stays { link.deactivated_by.clone() } else { lifecycle::marker(linked, effect, back, causes) };
        let is_present = user.presence == Presence::Present;
        let enabled_applied = if is_present && !stays { Some(of.enabled) } else { link.enabled_applied };
        let begun = || link.grace_since.or(Some(self.tenant.now));
        let grace_since = match effect {
            _ if stays => link.grace_since,
            _ if waiting.is_some() => begun(),
            // A grace that has run out stays so: a stronger cause that follows does not begin another (ruling 76).
            Effect::Out(_) | Effect::Remove(_, Verb::RevokeAccess) => link.grace_since,
            _ => None,
        };
        let is_as_before = state.is_none()
            && marker == link.deactivated_by
            && enabled_applied == link.enabled_applied
            && grace_since == link.grace_since;
        draft.report_pinned(user);
        decision.reports.append(&mut draft.reports);
        if is_as_before && draft.set.is_empty() {
            decision.reasons.append(&mut draft.reasons);
            return;
        }
        let mut state = state.unwrap_or_else(|| LinkState {
            applied_hash: link.applied_hash,
            policy_digest: link.policy_digest.clone(),
            rule: link.rule.clone(),
            decided: link.decided.clone(),
            ..LinkState::default()
        });
        if verb == Verb::RevokeAccess {
            // Sync has taken the roles, so whoever is selected again is given them anew, whoever gave the access back (ruling 60).
            state.decided.retain(|field, _| ![Field::ROLE, Field::EXTRA_ROLES].contains(field));
        }
        state.deactivated_by = marker;
        state.grace_since = grace_since;
        state.enabled_applied = enabled_applied;
        if draft.set.is_empty() {
            decision.reasons.append(&mut draft.reasons);
            decision.bookings.push((person.id, state));
            return;
        }
        if claims.settled() && self.is_met_by(person.kind).any(|field| draft.set.contains_key(&field)) {
            claims.touch_once(person.id, self.gives_up(person));
        }
        Self::readdress(user, person, &draft, claims);
        effects.rekey = Self::rekeys(&draft);
        let mut reasons = self.why(user, of.selection);
        reasons.extend_from_slice(&decision.reasons[..of.said]);
        reasons.append(&mut draft.reasons);
        decision.changes.push(Change {
            verb,
            kind: person.kind,
            user: user.key,
            source_id: user.id.clone(),
            record: Some(person.id),
            record_version: person.version,
            rule: of.won.map(|w| w.compiled.rule.id.clone()),
            before: draft.before,
            set: draft.set,
            reasons,
            link: Some(state),
            new_site: draft.new_site,
            unlink: None,
            effects,
            stands_for,
        });
    }

    fn moment<'l>(&self, user: &UserFacts, linked: &'l Linked) -> Moment<'l> {
        let link = &linked.link;
        Moment::Linked {
            changed: link.applied_hash != Some(user.change_hash),
            stamp: link.policy_digest.as_deref().unwrap_or_default(),
            full: self.tenant.run == RunKind::Full,
            decided: &link.decided,
        }
    }

    /// Says which usernames a record could have, of a user who is decided only when they are settled: whoever swaps names with them
    /// gets theirs in the same plan. Should nothing of the user be written after all, [`Claims::keep_back`] takes it back.
    #[expect(clippy::too_many_arguments, reason = "what is decided of the record, beside what everybody is told")]
    fn speak(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        linked: &Linked,
        standing: Given<'_>,
        effect: Effect,
        answers: &Answers,
        claims: &mut Claims,
    ) {
        if !follows(&standing, effect) {
            return;
        }
        let moment = self.moment(user, linked);
        let mut unsaid = Decision::plain(user, plan::Standing { outcome: Outcome::Synced, excluded_by: None, rule: None });
        if self.merged(user, &linked.person, won, standing, moment, &mut unsaid).is_some() {
            self.rename(user, linked, won, moment, answers, claims, &mut Draft::default());
        }
    }

    /// Brings the username of a linked record into its draft (rulings 52, 53).
    #[expect(clippy::too_many_arguments, reason = "the username is the one field that other users have a say in")]
    fn rename(
        &self,
        user: &UserFacts,
        linked: &Linked,
        won: &Won<'_>,
        moment: Moment<'_>,
        answers: &Answers,
        claims: &mut Claims,
        draft: &mut Draft,
    ) -> Named {
        let person = &linked.person;
        let Some(plan) = self.mappings.of(person.kind).username() else { return Named::Fine };
        let has = person.username.as_deref().map(text::trim).filter(|s| !s.is_empty());
        if has.is_some_and(|has| plan.is(user, has)) {
            return Named::Fine;
        }
        let choices = match username::choices(plan, user, &won.compiled.rule, self.policy.username_on_collision) {
            Ok(choices) => choices,
            Err(unfit) => {
                if plan.may_write(person, moment).is_ok() {
                    draft.kept(&Field::USERNAME, KeptBecause::Unfit);
                    draft.report(user, Some(&Field::USERNAME), unfit.why, unfit.detail);
                }
                return Named::Fine;
            }
        };
        let Some(first) = choices.first() else { return Named::Fine };
        let is_full = |has| choices.get(1).is_some_and(|full| is_same_name(full, has));
        if has == Some(first) || has.is_some_and(is_full) {
            return Named::Fine;
        }
        if person.root {
            draft.kept(&Field::USERNAME, KeptBecause::Root);
            return Named::Fine;
        }
        let asked = user.review.as_ref().filter(|r| r.why == ReviewWhy::UsernameTaken && r.kind == person.kind);
        if asked.is_some_and(|r| r.dismissed) {
            draft.owe(&Field::USERNAME, KeptBecause::UsernameTaken);
            return Named::Fine;
        }
        let pending = asked.is_some();
        match plan.may_write(person, moment) {
            Ok(()) => {}
            Err(KeptBecause::LocalEdit) if pending => {}
            Err(because) => {
                draft.kept(&Field::USERNAME, because);
                if because == KeptBecause::LocalEdit {
                    plan.drift(user, person, moment, &Value::from(first.as_str()), draft);
                }
                return Named::Fine;
            }
        }
        if person.pins(&Field::USERNAME) || has.is_some_and(|has| is_same_name(has, first)) {
            draft.put(Some(person), &Field::USERNAME, Value::from(first.as_str()));
            return Named::Fine;
        }
        let wishes = || choices.iter().map(|c| username::wish(user, c, &[person.id], answers)).collect::<Vec<_>>();
        let level = claims.wish(user.key, &user.id, person, has.map(username::key), wishes());
        match choices.get(level) {
            Some(name) => {
                if level > 0 {
                    draft.reasons.push(Reason::DomainAppended { username: first.clone() });
                }
                draft.put(Some(person), &Field::USERNAME, Value::from(name.as_str()));
                Named::Fine
            }
            None => {
                draft.owe(&Field::USERNAME, KeptBecause::UsernameTaken);
                let holder = claims.holder(user.key, &username::wish(user, first, &[person.id], answers));
                Named::Taken { choices, holder }
            }
        }
    }
}

/// How a selected user goes on.
#[derive(Default)]
struct Course<'a> {
    /// Records still to be made, found or brought back.
    parts: Vec<Writing<'a>>,
    /// A record of the other kind that goes into the archive.
    archive: Option<&'a Linked>,
    /// One that will go there once removals may follow, and is left as it is until then.
    left: Option<&'a Linked>,
    /// One that stays, though no rule selects its kind (ruling 74).
    beside: Option<&'a Linked>,
}

/// What the winning rule gives one record: nothing where it selects nobody of its kind.
type Given<'a> = Option<Result<Standing<'a>, Fault>>;

/// Whether a record is kept up to date. One whose kind no rule selects is, for as long as nothing takes it out of use (ruling 74).
fn follows(standing: &Given<'_>, effect: Effect) -> bool {
    standing.is_some() || matches!(effect, Effect::None | Effect::Exempt(..))
}

/// What holds against one record: against its user, and an agent's role that makes agents inactive (ruling 41).
fn of_record<'c>(causes: &'c [Cause], given: &Given<'_>) -> Cow<'c, [Cause]> {
    match given {
        Some(Ok(standing)) if standing.rights.inactive.is_some() => {
            causes.iter().copied().chain([Cause::InactiveRole]).collect::<Vec<_>>().into()
        }
        _ => causes.into(),
    }
}

/// What keeps a selected user from being brought up to date.
enum Obstacle<'a> {
    /// It must first be known what all linked users release and take; with what is to become of the records there are.
    Later(Box<Course<'a>>),
    /// The record that would go into the archive, or come back from it, is pinned, or a root record, which is left alone altogether
    /// (ruling 77).
    Stays(Box<Draft>),
    Review(Box<ReviewItem>, Vec<Wait>),
    /// The record still to be made lacks a mandatory field.
    Failed(Box<Draft>),
}

/// The item about a username that belongs to somebody else, and what it waits for.
pub(crate) fn taken(
    user: &UserFacts,
    won: &Won<'_>,
    kind: Kind,
    choices: &[String],
    holder: Option<crate::claims::Holder>,
) -> (ReviewItem, Vec<Wait>) {
    let record = holder.as_ref().and_then(|h| h.record);
    let created = holder.as_ref().is_some_and(|h| h.created);
    let other = holder.and_then(|h| h.user);
    let mut waits: Vec<Wait> = choices.iter().map(|c| Wait::Username(text::fold(c))).collect();
    let username = choices.first().cloned().unwrap_or_default();
    waits.extend(record.map(Wait::Person));
    waits.extend(wait_for(other.as_ref()));
    let unclear = Unclear {
        why: if created { ReviewWhy::DuplicateInSource } else { ReviewWhy::UsernameTaken },
        candidates: record.into_iter().collect(),
        other,
        evidence: vec![Reason::UsernameTaken { username, holder: record }],
    };
    (review_item(user, Some(won.compiled.rule.id.clone()), kind, unclear), waits)
}

/// The item that a person has dismissed: the user stays out until it is opened again, whatever has become of its cause, and nothing is
/// done but what takes a record out of use. A username is left to whoever has it, and the rest goes on (rulings 53 and 92).
fn kept_out(user: &UserFacts) -> Option<&ReviewFacts> {
    user.review.as_ref().filter(|item| item.dismissed && item.why != ReviewWhy::UsernameTaken)
}

fn records(user: &UserFacts) -> Vec<PersonId> {
    live(user).map(|l| l.person.id).collect()
}

/// Says that a removal waits for its grace to end.
pub(crate) fn wait(user: &UserFacts, cause: Cause, verb: Verb, until: i64, draft: &mut Draft) {
    let reason = Reason::Waits { cause, verb, until };
    draft.report(user, Some(lifecycle::field_of(verb)), ReportWhy::Waiting, reason.to_string());
    draft.reasons.push(reason);
}

/// What is said of a record that is left alone because it is the root's, by the field that stays as it is (R12).
pub(crate) fn exempt(user: &UserFacts, person: &Person, field: &Field) -> Box<Draft> {
    let mut draft = Box::<Draft>::default();
    draft.reasons.push(Reason::Exempt);
    let detail = format!("{} is the root user and exempt from any access change.", person.display_name());
    draft.report(user, Some(field), ReportWhy::Exempt, detail);
    draft
}

fn report_exempt(decision: &mut Decision, user: &UserFacts, linked: &Linked, field: &Field) {
    let said = exempt(user, &linked.person, field);
    decision.reasons.extend(said.reasons);
    decision.reports.extend(said.reports);
}
