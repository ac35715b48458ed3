//! What only the finished plan tells: that its changes do not get in each other's way, and that its figures are theirs.

use crate::contradiction::{Fault, Figure, Found, Place};
use crate::ledger::{Entry, Plan, key};
use model::plan::{Verb, Weights};
use model::run::Counts;
use model::{Kind, PersonId, UserKey};
use std::collections::{BTreeMap, HashMap, HashSet};

/// At most one change a record (ruling 8).
pub(crate) fn records(plan: &Plan, found: &mut Found) {
    let mut of_record: Vec<(PersonId, u32, u64)> =
        plan.changes().filter_map(|(place, e)| Some((e.record?, place, e.fields))).collect();
    of_record.sort_unstable();
    for two in of_record.windows(2).filter(|two| two[0].0 == two[1].0) {
        found.settled(plan.place(two[1].1), Fault::SecondChange);
        if two[0].2 & two[1].2 != 0 {
            found.settled(plan.place(two[1].1), Fault::FieldSetTwice);
        }
    }
}

/// No two records in use end with one username, unless they are one user's (rulings 45, 52).
pub(crate) fn usernames(plan: &Plan, found: &mut Found) {
    let user_of = |place: u32| plan.entries.get(place as usize).map(|e| e.user);
    let mut names = plan.names.clone();
    names.sort_unstable();
    for two in names.windows(2).filter(|two| two[0].0 == two[1].0 && user_of(two[0].1) != user_of(two[1].1)) {
        let other = plan.entries.get(two[0].1 as usize).and_then(|e| e.record);
        found.settled(plan.place(two[1].1), Fault::UsernameTwice { other });
    }
    if plan.holders.is_empty() {
        return;
    }
    let changed: HashMap<PersonId, (u32, &Entry)> =
        plan.changes().filter_map(|(place, e)| Some((e.record?, (place, e)))).collect();
    for holder in &plan.holders {
        let gives_up = changed.get(&holder.record).is_some_and(|(place, entry)| {
            let keeps = !entry.renames || names.binary_search(&(holder.name, *place)).is_ok();
            !entry.live || !keeps || Some(entry.user) == user_of(holder.place)
        });
        if !gives_up {
            found.settled(plan.place(holder.place), Fault::UsernameTwice { other: Some(holder.record) });
        }
    }
}

/// No two users' records are created with one e-mail (ruling 51).
pub(crate) fn emails(plan: &Plan, found: &mut Found) {
    let user_of = |place: u32| plan.entries.get(place as usize).map(|e| e.user);
    let mut emails = plan.emails.clone();
    emails.sort_unstable();
    for two in emails.windows(2).filter(|two| two[0].0 == two[1].0 && user_of(two[0].1) != user_of(two[1].1)) {
        found.settled(plan.place(two[1].1), Fault::EmailTwice);
    }
}

/// What a user has once the plan is applied.
#[derive(Default)]
struct Has {
    agents: u32,
    contacts: u32,
    log_ins: u32,
    agent_log_ins: u32,
    /// The first change that gives the user a record, and a log-in.
    gains: Option<(u32, Kind)>,
    gains_log_in: Option<u32>,
}

/// One record of a kind and one log-in for each user (ruling 45). What a person's hand has made so already is not the plan's doing.
pub(crate) fn log_ins(plan: &Plan, found: &mut Found) {
    let mut users: HashMap<UserKey, Has> = HashMap::new();
    let mut count = |user: UserKey, kind: Kind, log_in: bool| {
        let has = users.entry(user).or_default();
        *(if kind == Kind::Agent { &mut has.agents } else { &mut has.contacts }) += 1;
        has.log_ins += u32::from(log_in);
        has.agent_log_ins += u32::from(log_in && kind == Kind::Agent);
    };
    let in_use = || plan.changes().filter(|(_, e)| e.live);
    in_use().for_each(|(_, e)| count(e.user, e.kind, e.log_in_after));
    plan.others.iter().for_each(|(user, _, kind, log_in)| count(*user, *kind, *log_in));
    for (place, entry) in in_use() {
        let Some(has) = users.get_mut(&entry.user) else { continue };
        let most = if entry.kind == Kind::Agent { has.agents } else { has.contacts };
        if !entry.was_linked && most > 1 {
            has.gains.get_or_insert((place, entry.kind));
        }
        let gains = entry.log_in_after && !entry.had_log_in;
        // An agent may be made beside a contact who could log in before; what a plan never does is to give the contact a second one.
        if entry.one_log_in && gains && has.log_ins > 1 && (entry.kind == Kind::Contact || has.agent_log_ins > 1) {
            has.gains_log_in.get_or_insert(place);
        }
    }
    let mut gains: Vec<(u32, Fault)> = Vec::new();
    for has in users.into_values() {
        gains.extend(has.gains.map(|(place, kind)| (place, Fault::TwoOfAKind(kind))));
        gains.extend(has.gains_log_in.map(|place| (place, Fault::TwoLogIns)));
    }
    gains.sort_by_key(|(place, _)| *place);
    gains.into_iter().for_each(|(place, fault)| found.settled(plan.place(place), fault));
}

/// A manager named as a user gets a record in this plan (ruling 11).
pub(crate) fn managers(plan: &Plan, found: &mut Found) {
    if plan.managers.is_empty() {
        return;
    }
    let written: HashSet<u64> = plan.changes().map(|(_, e)| key(e.id.text().as_str())).collect();
    for (_, place) in plan.managers.iter().filter(|(manager, _)| !written.contains(manager)) {
        found.settled(plan.place(*place), Fault::UnknownManager);
    }
}

/// What the guard weighs is what the changes are (rulings 80, 94, 97, 109).
pub(crate) fn weights(plan: &Plan, weights: &Weights, found: &mut Found) {
    let counted = |wanted: &dyn Fn(&Entry) -> bool| number(plan.changes().filter(|(_, e)| wanted(e)).count());
    let is_create = |e: &Entry| e.verb == Verb::Create;
    let figures = [
        (Figure::Changes, counted(&|_| true), weights.changes),
        (Figure::Removals, counted(&|e| e.removal), weights.removals),
        (Figure::RemovalsOfUnlinked, counted(&|e| e.removal && e.verb == Verb::Link), weights.removals_of_unlinked),
        (Figure::Returns, counted(&|e| e.returns), weights.returns),
        (Figure::Rekeys, counted(&|e| e.rekey), weights.rekeys),
        (Figure::Creates, counted(&is_create), weights.creates),
        (Figure::AgentCreates, counted(&|e| is_create(e) && e.kind == Kind::Agent), weights.agent_creates),
    ];
    compare(&figures, found);
}

/// Every user is counted once and somewhere, and the stored counts are these.
pub(crate) fn counts(plan: &Plan, counts: Option<&Counts>, found: &mut Found) {
    let mut users: Vec<UserKey> = plan.users.iter().map(|(user, ..)| *user).collect();
    users.sort_unstable();
    let twice = users.windows(2).filter(|two| two[0] == two[1]).count();
    if twice > 0 {
        let names: BTreeMap<UserKey, Place> =
            plan.changes().filter_map(|(place, e)| Some((e.user, plan.place(place)?))).collect();
        let first = users.windows(2).find(|two| two[0] == two[1]).and_then(|two| names.get(&two[0]));
        found.settled(first.cloned(), Fault::DecidedTwice);
    }
    let Some(given) = counts else { return };
    let of = |wanted: &dyn Fn(&crate::ledger::Counted) -> bool| number(plan.users.iter().filter(|(.., c)| wanted(c)).count());
    let mut figures = vec![
        (Figure::Users, number(plan.users.len()), given.users),
        (Figure::Unchanged, of(&|c| c.unchanged), given.unchanged),
        (Figure::Excluded, of(&|c| c.excluded), given.excluded),
        (Figure::InReview, of(&|c| c.in_review), given.in_review),
        (Figure::Failed, of(&|c| c.failed), given.failed),
    ];
    let by_verb = [
        (Verb::Create, given.create),
        (Verb::Link, given.link),
        (Verb::Update, given.update),
        (Verb::Deactivate, given.deactivate),
        (Verb::Reactivate, given.reactivate),
        (Verb::RevokeAccess, given.revoke_access),
        (Verb::GrantAccess, given.grant_access),
        (Verb::Archive, given.archive),
        (Verb::Restore, given.restore),
    ];
    figures.extend(by_verb.into_iter().map(|(verb, given)| {
        let counted = plan.changes().filter(|(_, e)| e.verb == verb).count();
        (Figure::Of(verb), number(counted), given)
    }));
    compare(&figures, found);
}

fn compare(figures: &[(Figure, i64, i64)], found: &mut Found) {
    for (figure, counted, given) in figures.iter().filter(|(_, counted, given)| counted != given) {
        found.settled(None, Fault::Weighed { figure: *figure, counted: *counted, given: *given });
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
