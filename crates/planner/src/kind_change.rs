//! The rules want the other kind of record than the user has: archive and recreate, both, or a question; and the way back out of the
//! archive (M07; rulings 45, 48, 71 to 75, 77, 101).

use crate::claims::Claims;
use crate::decide::{Batch, Planner, live};
use crate::fit::{self, Form, Wanted};
use crate::linked::{exempt, taken};
use crate::matching::Match;
use crate::merge::{Draft, Moment};
use crate::rules::Won;
use crate::standing::Standing;
use crate::unlinked::{Part, Writing, is_second};
use crate::username;
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::{Answers, Candidate, Choice, Linked, Questions, UserFacts};
use model::plan::{Change, Decision, Effects, LinkState, ReportWhy, Verb};
use model::policy::OnKindChange;
use model::reason::Reason;
use model::records::{Deactivated, Link, Person};
use model::{Field, Kind, Status, UserKey, Value, text};
use std::collections::{BTreeMap, HashMap};

/// What is put behind the names of an archived record; from the second on with a number (ruling 71).
const SUFFIX: &str = "_Archived";

/// The fields that carry it.
const NAMES: [Field; 2] = [Field::USERNAME, Field::EMAIL];

/// How many suffixes are asked for at first: nearly always the first one is free. Every further round asks for as many again as were
/// asked for before it.
const ROUND: u32 = 8;

/// How often that is doubled at most: millions of records of one name, more than any PSA holds.
const MOST_ROUNDS: u32 = 20;

/// What a change of kind comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A person says.
    Ask,
    /// The old record goes into the archive, one of the other kind takes its place.
    Archive,
    /// One of the other kind beside it; the old one is what no rule selects any more (ruling 74).
    Beside,
    /// A person chose to keep the record as it is.
    Keep,
}

/// A record on its way into the archive.
pub(crate) struct Leaving<'a> {
    pub(crate) person: &'a Person,
    /// Its link; none when the user is tied to it only now (ruling 101).
    pub(crate) link: Option<&'a Link>,
    /// Somebody else whose link to it ends (ruling 54).
    pub(crate) unlink: Option<UserKey>,
}

impl<'a> Leaving<'a> {
    /// A record that is linked to the user.
    pub(crate) fn linked(linked: &'a Linked) -> Self {
        Self { person: &linked.person, link: Some(&linked.link), unlink: None }
    }

    /// A record that the user matched.
    pub(crate) fn found(found: &Match<'a>) -> Self {
        let unlink = found.candidate.linked.as_ref().filter(|_| found.moved).map(|l| l.user);
        Self { person: &found.candidate.person, link: None, unlink }
    }
}

/// A record of the user's that sync itself archived, and so may bring back (ruling 73).
pub(crate) fn restorable(user: &UserFacts, kind: Kind) -> Option<&Linked> {
    let by_sync = |l: &&Linked| l.link.deactivated_by.as_ref().is_some_and(|d| d.by_sync);
    let archived = user.links.iter().filter(|l| l.person.kind == kind && l.person.status == Status::Archived);
    archived.filter(by_sync).max_by_key(|l| l.person.id)
}

/// The name a field had before its record went into the archive: kept in the link, else what stands before the suffix.
fn plain(linked: &Linked, field: &Field) -> Option<String> {
    let kept = linked.link.decided.get(field).and_then(Value::as_str).map(str::to_owned);
    kept.or_else(|| {
        let now = linked.person.get(field);
        let (plain, counter) = now.as_str()?.rsplit_once(SUFFIX)?;
        counter.bytes().all(|b| b.is_ascii_digit()).then(|| plain.to_owned())
    })
}

fn suffixed(name: &str, counter: u32) -> String {
    if counter == 1 { format!("{name}{SUFFIX}") } else { format!("{name}{SUFFIX}{counter}") }
}

/// The keys under which the names of a record would be found.
pub(crate) fn keys(username: Option<&str>, email: Option<&str>) -> impl Iterator<Item = Hash> {
    let email = email.and_then(AddressKey::of).map(|key| Hash::of(key.as_str()));
    username.map(username::key).into_iter().chain(email)
}

/// The names of a record that are suffixed; none of one that keeps its name for its tickets or invoices (ruling 72).
fn names(person: &Person) -> [Option<&str>; 2] {
    if person.tickets > 0 || person.invoices > 0 {
        return [None, None];
    }
    [&person.username, &person.email].map(|name| name.as_deref().filter(|n| !text::trim(n).is_empty()))
}

/// Whether other records have one of the names that a counter would give, archived ones among them.
fn is_used(person: &Person, counter: u32, answers: &Answers, claims: &Claims) -> bool {
    let [username, email] = names(person).map(|name| name.map(|n| suffixed(n, counter)));
    let other = |candidates: Option<&Vec<Candidate>>, key: Hash| {
        candidates.into_iter().flatten().any(|c| c.person.id != person.id && !claims.is_freed(key, c.person.id))
    };
    let by_username = username.as_deref().is_some_and(|name| {
        other(answers.usernames.get(&text::fold(name)), username::key(name)) || claims.is_suffixed(username::key(name), person.id)
    });
    let by_email = email.as_deref().and_then(AddressKey::of).is_some_and(|key| {
        let hash = Hash::of(key.as_str());
        other(answers.addresses.get(&key), hash) || claims.is_suffixed(hash, person.id)
    });
    by_username || by_email
}

impl Batch<'_> {
    /// What must be known beside the answers to [`Batch::questions`], asked in rounds from 0 until there is nothing more to ask:
    /// which suffixed names are in use already. Only users whose records change kind need it. `claims` are those the batch is
    /// decided with: of one plan every record gets a counter of its own, so as many must be known to be free as there are records
    /// that may want one.
    #[must_use]
    pub fn further(&self, answers: &Answers, claims: &Claims, round: u32) -> Option<Questions> {
        let archives = |kind| self.planner.policy.lifecycle.of(kind).on_kind_change == OnKindChange::ArchiveAndRecreate;
        if round > MOST_ROUNDS || (!archives(Kind::Agent) && !archives(Kind::Contact)) {
            return None;
        }
        let (from, to) = (round.checked_sub(1).map_or(0, |before| ROUND << before), ROUND << round);
        let leaving = self.leaving(answers, archives);
        let mut wanted: HashMap<Hash, usize> = HashMap::new();
        for person in &leaving {
            let [username, email] = names(person);
            keys(username, email).for_each(|key| *wanted.entry(key).or_default() += 1);
        }
        // Those of one name ask the same.
        let apart: BTreeMap<[Option<&str>; 2], &Person> = leaving.iter().map(|person| (names(person), *person)).collect();
        let mut questions = Questions::default();
        for ([username, email], person) in apart {
            let rivals: usize = keys(username, email).map(|key| wanted.get(&key).map_or(0, |all| all - 1)).sum();
            let free = (1..=from).filter(|n| !is_used(person, *n, answers, claims)).take(rivals + 1).count();
            if free > rivals || (username.is_none() && email.is_none()) {
                continue;
            }
            for counter in (from + 1)..=to {
                questions.usernames.extend(username.map(|n| text::fold(&suffixed(n, counter))));
                questions.addresses.extend(email.and_then(|n| AddressKey::of(&suffixed(n, counter))));
            }
        }
        (questions != Questions::default()).then_some(questions)
    }

    /// The records that may go into the archive: of the kind that no rule wants, linked to a user or met by one.
    fn leaving<'r>(&'r self, answers: &'r Answers, archives: impl Fn(Kind) -> bool) -> Vec<&'r Person> {
        let mut leaving: Vec<&Person> = Vec::new();
        let mut told = answers.addresses.values().chain(answers.keys.values()).chain(answers.usernames.values()).flatten();
        let found = told.any(|c| c.person.status != Status::Archived && archives(c.person.kind));
        for (user, won) in self.selected() {
            let kinds = won.compiled.rule.then.kind.kinds();
            leaving.extend(live(user).map(|l| &l.person).filter(|p| archives(p.kind) && !kinds.contains(&p.kind)));
            if let ([kind], true) = (kinds, found) {
                let probes = self.planner.match_keys.of(*kind).probes(user).unwrap_or_default();
                let met = probes.iter().flat_map(|probe| probe.candidates(answers));
                let other = met.filter(|c| c.person.kind != *kind && archives(c.person.kind) && c.usable());
                leaving.extend(other.map(|c| c.person.as_ref()));
            }
        }
        leaving.sort_by_key(|person| person.id);
        leaving.dedup_by_key(|person| person.id);
        leaving
    }
}

impl Planner {
    /// What becomes of a record whose kind the rules do not want.
    pub(crate) fn turn(&self, user: &UserFacts, record: &Person, to: Kind) -> Turn {
        let has_both = live(user).any(|l| l.person.kind == to);
        // What was said of the two of them while both were wanted says nothing of which one stays.
        let chosen = user.chosen(to).filter(|c| *c != Choice::Link(record.id) || !has_both);
        // The record itself was made by such an answer, beside the one that is wanted now.
        let stays_beside = || user.chosen(record.kind) == Some(Choice::Create) && has_both;
        match self.policy.lifecycle.of(record.kind).on_kind_change {
            _ if chosen == Some(Choice::Link(record.id)) => Turn::Keep,
            OnKindChange::ArchiveAndRecreate => Turn::Archive,
            OnKindChange::Both => Turn::Beside,
            OnKindChange::Review if chosen.is_some() || stays_beside() => Turn::Beside,
            OnKindChange::Review => Turn::Ask,
        }
    }

    /// Puts a record into the archive: its names get the lowest suffix that is free for both, its log-in goes. Who holds tickets or
    /// invoices keeps the names, so that the history can be found by them.
    pub(crate) fn archive(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        leaving: &Leaving<'_>,
        answers: &Answers,
        claims: &mut Claims,
        decision: &mut Decision,
    ) {
        let Leaving { person, link, unlink } = *leaving;
        let mut draft = Draft::default();
        if link.is_some() {
            draft.reasons.push(Reason::Linked { record: person.id });
        }
        draft.reasons.push(Reason::KindChange { from: person.kind, to: person.kind.other() });
        draft.put(Some(person), &Field::STATUS, Value::from(Status::Archived.as_str()));
        if person.access {
            draft.put(Some(person), &Field::ACCESS, Value::Bool(false));
        }
        let mut decided = link.map(|l| l.decided.clone()).unwrap_or_default();
        let named = names(person);
        if named == [None, None] {
            let kept = person.username.is_some() || person.email.is_some();
            if kept {
                let what = if person.tickets > 0 { "tickets" } else { "invoices" };
                let detail = format!("{} keeps its username and e-mail in the archive: it has {what}.", person.display_name());
                let field = if person.username.is_some() { &Field::USERNAME } else { &Field::EMAIL };
                draft.report(user, Some(field), ReportWhy::KeptName, detail);
            }
        } else {
            let counter = (1..).find(|n| !is_used(person, *n, answers, claims)).unwrap_or(1);
            for (field, name) in NAMES.iter().zip(named) {
                if let Some(name) = name {
                    draft.put(Some(person), field, Value::from(suffixed(name, counter)));
                    decided.insert(field.clone(), Value::from(name));
                }
            }
        }
        let mut effects = Effects::default();
        let stands_for = Self::removal(person, None, &mut effects);
        let set = |field: &Field| draft.set.get(field).and_then(Value::as_str);
        claims.archive(person.id, keys(set(&Field::USERNAME), set(&Field::EMAIL)));
        Self::readdress(user, person, &draft, claims);
        claims.touch_once(person.id, self.gives_up(person));
        if link.is_none() {
            claims.link(person.id, user.key, &user.id);
            if claims.is_retired(person.id) {
                decision.replaces.push(person.id);
            }
        }
        draft.report_pinned(user);
        decision.reports.append(&mut draft.reports);
        let state = LinkState {
            applied_hash: link.map_or(Some(user.change_hash), |l| l.applied_hash),
            policy_digest: link.and_then(|l| l.policy_digest.clone()),
            rule: link.and_then(|l| l.rule.clone()),
            decided,
            deactivated_by: Some(Deactivated { by_sync: true, cause: None }),
            grace_since: None,
            enabled_applied: Some(crate::scope::is_enabled(user)),
        };
        decision.changes.push(Change {
            verb: if link.is_some() { Verb::Archive } else { Verb::Link },
            kind: person.kind,
            user: user.key,
            source_id: user.id.clone(),
            record: Some(person.id),
            record_version: person.version,
            rule: Some(won.compiled.rule.id.clone()),
            before: draft.before,
            set: draft.set,
            reasons: draft.reasons,
            link: Some(state),
            unlink,
            effects,
            stands_for,
            new_site: None,
        });
    }

    /// Brings a record back out of the archive: with Entra's values, the rule's role, and the names it had where Entra gives none
    /// (ruling 73).
    pub(crate) fn restore<'a>(
        &self,
        user: &'a UserFacts,
        won: &Won<'_>,
        linked: &'a Linked,
        standing: Standing<'_>,
        answers: &Answers,
        claims: &Claims,
    ) -> Part<'a> {
        let Linked { link, person } = linked;
        let kind = person.kind;
        // What is merged into is the record as it was before it was archived.
        let mut former = person.clone();
        former.username = plain(linked, &Field::USERNAME).or(former.username);
        former.email = plain(linked, &Field::EMAIL).or(former.email);
        let moment = Moment::Linked {
            changed: true,
            stamp: link.policy_digest.as_deref().unwrap_or_default(),
            full: false,
            decided: &link.decided,
        };
        let mut draft = Draft::default();
        draft.reasons.push(Reason::Linked { record: person.id });
        draft.reasons.push(Reason::Restored);
        let mut state = self.booking(user, kind, &standing);
        let standing = standing.meeting(person, &link.decided);
        let out_by = self.is_out(user, &standing, kind);
        let out = out_by.is_some();
        let status = if out { Status::Inactive } else { Status::Active };
        if person.root {
            // It has become a root record in the archive: nothing at all (ruling 77).
            return Part::Stays(exempt(user, person, &Field::STATUS));
        }
        if person.pins(&Field::STATUS) {
            return Part::Stays(Draft::pinned_status(user, person, status));
        }
        draft.put(Some(person), &Field::STATUS, Value::from(status.as_str()));
        if out {
            state.deactivated_by = Some(Deactivated { by_sync: true, cause: out_by });
        }
        // Of two records of one user only the agent has the log-in (ruling 45).
        let access = !is_second(won, kind);
        if person.access != access {
            draft.put(Some(person), &Field::ACCESS, Value::Bool(access));
        }
        self.mappings.of(kind).merge(user, standing.rule, Some(&standing), Some(&former), moment, &mut draft);
        if draft.fault {
            return Part::Failed(Box::new(draft));
        }
        standing.merge(user, Some(&former), moment, &link.decided, true, true, &mut draft);
        let mut name = match self.new_name(user, won, kind, Some(&former), &[], moment, answers, claims, &mut draft) {
            Ok(name) => name,
            Err((item, waits)) => return Part::Review(item, waits),
        };
        let pinned = person.pins(&Field::USERNAME);
        let returns_as = if pinned { &person.username } else { &former.username };
        if let (None, Some(plain)) = (&name, returns_as.as_deref().filter(|n| !text::trim(n).is_empty())) {
            // It goes back to the name it had, which somebody may have taken meanwhile: then what the policy says of collisions. A
            // pinned one stays what it is, and is no other's.
            let mapped = self.mappings.of(kind).username().filter(|_| !pinned);
            let mapped = mapped.and_then(|p| username::choices(p, user, standing.rule, self.policy.username_on_collision).ok());
            let mut names = vec![plain.to_owned()];
            names.extend(mapped.into_iter().filter(|c| c.first().is_some_and(|first| first == plain)).flatten().skip(1));
            let wish = |name: &String| username::wish(user, name, &[person.id], answers);
            let mut levels = claims.took(user.key, &names).into_iter().chain(0..names.len());
            let free = levels.find(|level| claims.holder(user.key, &wish(&names[*level])).is_none());
            let Some(free) = free else {
                let (item, waits) = taken(user, won, kind, &names, claims.holder(user.key, &wish(&names[0])));
                return Part::Review(Box::new(item), waits);
            };
            if free > 0 {
                draft.reasons.push(Reason::DomainAppended { username: plain.to_owned() });
                draft.put(Some(person), &Field::USERNAME, Value::from(names[free].as_str()));
            }
            name = Some(wish(&names[free]));
        }
        for field in &NAMES {
            let value = former.get(field);
            if !draft.set.contains_key(field) && value != person.get(field) {
                draft.put(Some(person), field, value);
            }
            // What somebody has put into the archived record meanwhile may be what it gets.
            let is_there =
                |v: &Value| v.as_str().is_some_and(|v| fit::same(person, field, Form::of(field), &Wanted::Text(v.into())));
            if draft.set.get(field).is_some_and(is_there) {
                draft.set.remove(field);
                draft.before.remove(field);
            } else if draft.set.contains_key(field) {
                draft.before.insert(field.clone(), person.get(field));
            }
        }
        let effects = Effects { returns: !out, ..Effects::default() };
        Part::Write(Box::new(Writing {
            kind,
            verb: Verb::Restore,
            person: Some(person),
            unlink: None,
            rule: standing.rule.id.clone(),
            draft,
            effects,
            state,
            stands_for: Vec::new(),
            name,
            email: None,
            archive: None,
        }))
    }

    /// The usernames that restoring asks for.
    pub(crate) fn former_names(user: &UserFacts, kind: Kind) -> Option<String> {
        restorable(user, kind).and_then(|l| plain(l, &Field::USERNAME).or_else(|| l.person.username.clone()))
    }
}
