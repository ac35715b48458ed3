//! Leaving and coming back: which cause acts on a linked record, and what a person's own hand keeps (L01 to L04, R11, R12; rulings
//! 32, 68 to 70, 77, 78).

use model::facts::{Choice, Linked, UserFacts};
use model::plan::Verb;
use model::policy::{Lifecycle, OnGone, OnReturn, OnUnmapped};
use model::reason::Cause;
use model::records::{Deactivated, Person};
use model::{Field, Status};

/// What the causes mean for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing takes the record out of use.
    None,
    /// This does, now.
    Remove(Cause, Verb),
    /// This will, at this instant (milliseconds since 1970), unless the user comes back before (rulings 76 and 103).
    Waits(Cause, Verb, i64),
    /// This would, and the record is out of use already.
    Out(Cause),
    /// This would, had a person not put the record back.
    Persons(Cause),
    /// This would, were it not the root record (R12).
    Exempt(Cause, Verb),
}

impl Effect {
    /// Whether a cause holds that takes the record out of use, or has.
    pub(crate) fn is_out(self) -> bool {
        matches!(self, Effect::Remove(..) | Effect::Out(_))
    }
}

/// What a cause does by policy; none when it is ignored.
fn verb(lifecycle: &Lifecycle, cause: Cause) -> Option<Verb> {
    let gone = |on| (on == OnGone::Deactivate).then_some(Verb::Deactivate);
    match cause {
        Cause::Deleted => gone(lifecycle.on_deleted),
        Cause::Missing => gone(lifecycle.on_missing),
        Cause::Disabled => gone(lifecycle.on_disabled),
        // The policy lists the role, so there is nothing else to ask (R10).
        Cause::InactiveRole => Some(Verb::Deactivate),
        Cause::Unmapped => match lifecycle.on_unmapped {
            OnUnmapped::RevokeAccess => Some(Verb::RevokeAccess),
            OnUnmapped::Deactivate => Some(Verb::Deactivate),
            OnUnmapped::Ignore => None,
        },
    }
}

/// The field by which a removal is told: what it is about to change, or would have changed.
pub(crate) fn field_of(verb: Verb) -> &'static Field {
    const ACCESS: &Field = &Field::ACCESS;
    const STATUS: &Field = &Field::STATUS;
    if verb == Verb::RevokeAccess { ACCESS } else { STATUS }
}

/// Whether disabling a user takes their record out of use.
pub(crate) fn disabled_deactivates(lifecycle: &Lifecycle) -> bool {
    verb(lifecycle, Cause::Disabled).is_some()
}

/// The strongest cause that the policy does not ignore, and what follows from it for a record (ruling 68). Of causes with a grace
/// the strongest one that is due acts; while none is, the strongest waits.
pub(crate) fn effect(lifecycle: &Lifecycle, causes: &[Cause], enabled: bool, linked: &Linked, now: i64) -> Effect {
    let acting = || causes.iter().filter_map(|c| verb(lifecycle, *c).map(|v| (*c, v)));
    let Some((strongest, verb)) = acting().max_by_key(|(c, _)| *c) else { return Effect::None };
    let person = &linked.person;
    if is_out(person, verb) {
        return Effect::Out(strongest);
    }
    if person.root {
        return Effect::Exempt(strongest, verb);
    }
    if stands(strongest, enabled, linked) {
        return Effect::Persons(strongest);
    }
    let due = |(cause, verb): &(Cause, Verb)| ripe(lifecycle, *cause, linked, now) <= now && !is_out(person, *verb);
    match acting().filter(due).max_by_key(|(c, _)| *c) {
        Some((cause, verb)) => Effect::Remove(cause, verb),
        None => Effect::Waits(strongest, verb, ripe(lifecycle, strongest, linked, now)),
    }
}

/// When a cause acts, milliseconds since 1970. The grace began with the first of the causes; a stronger one does not begin it anew
/// (ruling 76).
fn ripe(lifecycle: &Lifecycle, cause: Cause, linked: &Linked, now: i64) -> i64 {
    linked.link.grace_since.unwrap_or(now).saturating_add(lifecycle.grace.of(cause))
}

/// What waits for its grace to end once an effect has acted: itself, or a stronger cause than the one that acts now.
pub(crate) fn waiting(
    lifecycle: &Lifecycle,
    causes: &[Cause],
    effect: Effect,
    linked: &Linked,
    now: i64,
) -> Option<(Cause, Verb, i64)> {
    match effect {
        Effect::Waits(cause, verb, until) => Some((cause, verb, until)),
        Effect::Remove(acted, Verb::RevokeAccess) => {
            let acting = causes.iter().filter_map(|c| verb(lifecycle, *c).map(|v| (*c, v))).filter(|(c, _)| *c > acted);
            acting.max_by_key(|(c, _)| *c).map(|(cause, verb)| (cause, verb, ripe(lifecycle, cause, linked, now)))
        }
        _ => None,
    }
}

/// Whether there is nothing left that a removal would take.
fn is_out(person: &Person, verb: Verb) -> bool {
    person.status != Status::Active || (verb == Verb::RevokeAccess && !has_access(person))
}

/// A role or a log-in: what revoking takes (ruling 70).
fn has_access(person: &Person) -> bool {
    person.role.is_some() || (person.access && person.username.is_some())
}

/// A person's reactivation stands until `accountEnabled` changes or the user is deleted (ruling 78).
fn stands(cause: Cause, enabled: bool, linked: &Linked) -> bool {
    let Some(marker) = linked.link.deactivated_by.as_ref().filter(|d| !d.by_sync) else { return false };
    let enabled_is_as_applied = linked.link.enabled_applied == Some(enabled);
    match cause {
        Cause::Deleted | Cause::Missing => marker.cause.is_some_and(|then| then >= cause),
        Cause::Disabled => enabled_is_as_applied,
        Cause::Unmapped | Cause::InactiveRole => marker.cause.is_some() && enabled_is_as_applied,
    }
}

/// Whether sync itself took the record out of use or its access away, so that the user's return gives it back; never where it has
/// become a root record since (ruling 77).
pub(crate) fn is_back(linked: &Linked) -> Option<Option<Cause>> {
    let by_sync = linked.link.deactivated_by.as_ref().filter(|d| d.by_sync)?;
    let out = linked.person.status == Status::Inactive || !linked.person.access;
    (out && linked.person.status != Status::Archived && !linked.person.root).then_some(by_sync.cause)
}

/// Whether a person was asked about this return and said yes (ruling 13).
pub(crate) fn is_answered(user: &UserFacts, linked: &Linked) -> bool {
    user.chosen(linked.person.kind) == Some(Choice::Link(linked.person.id))
}

/// What a return does by policy: the verb, and whether it is done, asked or left.
pub(crate) fn comeback(lifecycle: &Lifecycle, person: &Person) -> (Verb, OnReturn) {
    let verb = if person.status == Status::Inactive { Verb::Reactivate } else { Verb::GrantAccess };
    (verb, lifecycle.on_return)
}

/// Who put the record where it is, once this decision is applied; the same as before unless something says otherwise.
pub(crate) fn marker(linked: &Linked, effect: Effect, back: bool, causes: &[Cause]) -> Option<Deactivated> {
    let before = &linked.link.deactivated_by;
    match effect {
        Effect::Remove(cause, _) => Some(Deactivated { by_sync: true, cause: Some(cause) }),
        _ if back => None,
        _ => match before {
            // A person's hand remembers what it overrides, for as long as that holds.
            Some(d) if !d.by_sync => {
                let now = causes.iter().copied().max();
                let out = linked.person.status != Status::Active;
                let cause = if out || now.is_none() { now } else { d.cause };
                Some(Deactivated { by_sync: false, cause })
            }
            other => other.clone(),
        },
    }
}
