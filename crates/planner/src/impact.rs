//! Whom a change of policy can affect: a cheap look at everybody, so that only those are decided whose decision can come out
//! otherwise. It may name somebody for whom nothing changes; it never leaves out one for whom something does. What it does not know
//! how to compare affects everyone.
//!
//! Users who wait for a person are not named for what another user gives up: applying touches whoever waits (see
//! [`model::plan::Wait`]), as it does between any two runs.

use crate::decide::{Planner, Selection, is_gone};
use crate::scope;
use model::facts::UserFacts;
use model::policy::{PerKind, Policy};
use model::{Kind, UserKey};

/// A record in use or out of it that a user is linked to, as far as a glance tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its kind.
    pub kind: Kind,
    /// Something is remembered of who took it out of use, or put it back.
    pub marked: bool,
}

/// What tells two policies apart for one tenant.
#[derive(Debug)]
pub struct Impact<'p> {
    before: &'p Planner,
    after: &'p Planner,
    /// Something differs that only deciding can judge.
    everyone: bool,
    /// What is written into records of the kind differs.
    fields: PerKind<bool>,
    /// What leaving and coming back means for the kind differs.
    lifecycle: PerKind<bool>,
    /// How records are found or named differs.
    matching: bool,
    naming: bool,
    /// Whether disabled users get records differs.
    disabled: bool,
}

/// Where scope and rules put a user: equal places lead to equal decisions, all else being equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stand {
    /// Left out, under this name.
    Out(String),
    /// Selected by this rule.
    Rule(String),
    /// Not in the directory.
    Gone,
}

impl std::fmt::Display for Stand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stand::Out(by) => write!(f, "left out: {by}"),
            Stand::Rule(rule) => write!(f, "rule {rule}"),
            Stand::Gone => f.write_str("not in the directory"),
        }
    }
}

/// What a change of policy means for where one user stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// By the policy before.
    pub from: Stand,
    /// By the policy after.
    pub to: Stand,
}

impl<'p> Impact<'p> {
    /// Compares two policies, both made ready for the same tenant.
    #[must_use]
    pub fn new(before: &'p Planner, after: &'p Planner) -> Self {
        let (old, new) = (&before.policy, &after.policy);
        let email = |p: &Policy| p.scope.require.iter().any(|r| r == "email");
        let all_fields = old.limits != new.limits || email(old) != email(new);
        // Everything that is compared below is made equal; what still differs was not thought of, so it concerns everybody.
        let rest = Policy {
            scope: old.scope.clone(),
            rules: old.rules.clone(),
            matching: old.matching.clone(),
            fields: old.fields.clone(),
            username_on_collision: old.username_on_collision,
            lifecycle: old.lifecycle.clone(),
            guard: old.guard.clone(),
            limits: old.limits.clone(),
            ..new.clone()
        };
        Self {
            everyone: rest != *old,
            fields: PerKind {
                agent: all_fields || old.fields.agent != new.fields.agent,
                contact: all_fields || old.fields.contact != new.fields.contact,
            },
            lifecycle: PerKind {
                agent: old.lifecycle.agent != new.lifecycle.agent,
                contact: old.lifecycle.contact != new.lifecycle.contact,
            },
            matching: old.matching != new.matching,
            naming: old.username_on_collision != new.username_on_collision,
            disabled: old.scope.disabled != new.scope.disabled,
            before,
            after,
        }
    }

    /// Whether the policies decide the same for everybody.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.before.digest() == self.after.digest()
    }

    /// Whether the user's decision can come out otherwise, and where they stand before and after. `user` needs no links; `held` are
    /// their records that are not archived.
    #[must_use]
    pub fn on(&self, user: &UserFacts, held: &[Held]) -> Option<Move> {
        let linked = !held.is_empty();
        if is_gone(user) {
            let affected =
                linked && (self.everyone || self.is_spared(user.key) || held.iter().any(|h| *self.lifecycle.of(h.kind)));
            return affected.then_some(Move { from: Stand::Gone, to: Stand::Gone });
        }
        let before = self.before.select_as(user, linked);
        let after = self.after.select_as(user, linked);
        let affected = self.everyone || self.is_spared(user.key) || !same(&before, &after) || self.by_state(&after, user, held);
        affected.then(|| Move { from: stand(&before), to: stand(&after) })
    }

    /// A rejected removal stands only while the policy is the same (ruling 111).
    fn is_spared(&self, user: UserKey) -> bool {
        self.before.tenant.spared.contains(&user) || self.after.tenant.spared.contains(&user)
    }

    /// For a user whom both policies put in the same place.
    fn by_state(&self, place: &Selection<'_>, user: &UserFacts, held: &[Held]) -> bool {
        let enabled = scope::is_enabled(user);
        let Selection::Rule(won) = place else {
            return held.iter().any(|h| *self.lifecycle.of(h.kind));
        };
        let kinds = won.compiled.rule.then.kind.kinds();
        let holds = |kind: Kind| held.iter().any(|h| h.kind == kind);
        let other = held.iter().any(|h| !kinds.contains(&h.kind));
        let lives = |h: &Held| *self.lifecycle.of(h.kind) && (!enabled || h.marked || other);
        held.iter().any(lives)
            || kinds.iter().any(|kind| {
                let missing = !holds(*kind);
                *self.fields.of(*kind)
                    || self.naming
                    || (missing && (self.matching || *self.lifecycle.of(*kind) || (self.disabled && !enabled)))
            })
            || held.iter().any(|h| other && (*self.fields.of(h.kind) || self.matching))
    }
}

/// Whether two selections give the same.
fn same(before: &Selection<'_>, after: &Selection<'_>) -> bool {
    match (before, after) {
        (Selection::Excluded(a), Selection::Excluded(b)) => a == b,
        (Selection::Fault(a), Selection::Fault(b)) => a == b,
        (Selection::Rule(a), Selection::Rule(b)) => {
            let (a, b) = (a.compiled, b.compiled);
            let places = [Kind::Agent, Kind::Contact].into_iter().all(|kind| a.place(kind) == b.place(kind));
            a.rule.id == b.rule.id && a.rule.then == b.rule.then && places
        }
        _ => false,
    }
}

fn stand(selection: &Selection<'_>) -> Stand {
    match selection {
        Selection::Excluded(by) => Stand::Out(by.clone().into_owned()),
        Selection::Fault(_) => Stand::Out("error".to_owned()),
        Selection::Rule(won) => Stand::Rule(won.compiled.rule.id.to_string()),
    }
}
