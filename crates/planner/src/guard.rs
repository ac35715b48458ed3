//! The guard: weighs a whole plan and says why it must wait for a person. Integers only (ruling 25).

use model::attributes::Hash;
use model::plan::{Change, FleetWeights, Hold, LostGroup, Verb, Weights};
use model::policy::{Guard, Percent};
use model::{Field, Fields, RuleId, Status, UserKey, Value, text};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Removals or absentees below this are never a share worth stopping for: 1 of 5 people is 20 % (ruling 81).
const SHARE_FLOOR: i64 = 3;

/// Creates below this are everyday business whatever their share (ruling 97).
const CREATES_FLOOR: i64 = 25;

/// Removals that follow from one emptied group before it counts as lost (ruling 83), and "all of them" at the least (ruling 81).
const PAIR: i64 = 2;

/// Why a plan must wait for a person: every limit it crosses, none when it may be applied at once. What the
/// source lost holds even a plan without changes, so that somebody looks. That a tenant's first plan always waits is the run's own
/// concern (ruling 94).
#[must_use]
pub fn weigh(guard: &Guard, w: &Weights) -> Vec<Hold> {
    let mut holds = Vec::new();
    weigh_source(guard, w, &mut holds);
    weigh_removals(guard, w, &mut holds);
    let over = |share: Option<Percent>, part, floor| share.filter(|s| exceeded(*s, part, w.linked, floor));
    if let Some(limit) = over(guard.max_rekeys, w.rekeys, SHARE_FLOOR) {
        holds.push(Hold::Rekeys { records: w.rekeys, linked: w.linked, limit: limit.to_string() });
    }
    if w.first_plan {
        return holds;
    }
    if let Some(limit) = over(guard.max_creates_share, w.creates, CREATES_FLOOR) {
        holds.push(Hold::Creates { creates: w.creates, linked: w.linked, limit: limit.to_string() });
    }
    if let Some(limit) = guard.max_agent_creates.filter(|limit| w.agent_creates > *limit) {
        holds.push(Hold::AgentCreates { creates: w.agent_creates, limit });
    }
    holds
}

/// Removals of all tenants below this are a normal day (ruling 87).
pub const FLEET_FLOOR: i64 = 10;

/// Tenants whose plans trip their guards within an hour before everybody's wait (ruling 87).
const FLEET_TENANTS: i64 = 3;

/// Why a plan must wait because of the fleet of tenants (ruling 87). `own` are the holds of the plan itself, `w` its weights.
#[must_use]
pub fn weigh_fleet(guard: &Guard, own: &[Hold], w: &Weights, fleet: &FleetWeights) -> Vec<Hold> {
    let Some(share) = guard.fleet_max_removal_share.filter(|_| fleet.tenants > 1 && w.changes > 0) else { return Vec::new() };
    let mut holds = Vec::new();
    let removals = w.removals + fleet.removals_in_window - w.returns;
    if w.removals > 0 && removals >= FLEET_FLOOR && share.exceeded(removals, fleet.linked) {
        holds.push(Hold::FleetRemovals { removals, linked: fleet.linked, limit: share.to_string() });
    }
    let tenants = fleet.tripped + i64::from(!own.is_empty());
    if tenants >= FLEET_TENANTS {
        holds.push(Hold::FleetTenants { tenants });
    }
    if let (Some(run), true) = (fleet.stands, holds.is_empty()) {
        holds.push(Hold::FleetStands { run });
    }
    holds
}

/// What may be written of a plan that is held for its removals alone (ruling 86): links, new records, returns and updates that touch
/// no key field. Not half of a change of kind, and nothing that takes a username which a change that waits would give up. Told one
/// change after the other, so that a plan need not be in memory.
#[derive(Debug, Default)]
pub struct SafePart {
    changes: Vec<Weighed>,
    /// Users whose records change kind.
    turning: HashSet<UserKey>,
}

/// What is kept of a change.
#[derive(Debug)]
struct Weighed {
    user: UserKey,
    is_safe: bool,
    /// The usernames it takes and gives up, folded.
    takes: Option<Hash>,
    gives_up: Option<Hash>,
}

impl SafePart {
    /// The next change of the plan.
    pub fn add(&mut self, change: &Change) {
        let archives = change.set.get(&Field::STATUS).is_some_and(|s| *s == Status::Archived.as_str());
        if archives || change.verb == Verb::Restore {
            self.turning.insert(change.user);
        }
        let name = |fields: &Fields| fields.get(&Field::USERNAME).and_then(Value::as_str).map(|n| Hash::of(&text::fold(n)));
        let (takes, gives_up) = (name(&change.set), name(&change.before));
        self.changes.push(Weighed { user: change.user, is_safe: is_safe(change), takes, gives_up });
    }

    /// Which of the changes are safe, in the order they were told.
    #[must_use]
    pub fn finish(self) -> Vec<bool> {
        let Self { changes, turning } = self;
        let mut safe: Vec<bool> = changes.iter().map(|c| c.is_safe && !turning.contains(&c.user)).collect();
        loop {
            let kept: HashSet<Hash> = changes.iter().zip(&safe).filter(|(_, s)| !**s).filter_map(|(c, _)| c.gives_up).collect();
            let waits = |i: &usize| safe[*i] && changes[*i].takes.is_some_and(|name| kept.contains(&name));
            let waiting: Vec<usize> = (0..changes.len()).filter(waits).collect();
            if waiting.is_empty() {
                return safe;
            }
            waiting.into_iter().for_each(|i| safe[i] = false);
        }
    }
}

fn is_safe(change: &Change) -> bool {
    !change.effects.removal
        && match change.verb {
            Verb::Create | Verb::Link | Verb::Reactivate | Verb::GrantAccess => true,
            Verb::Update => !change.set.keys().any(Field::is_key),
            Verb::Restore | Verb::RevokeAccess | Verb::Deactivate | Verb::Archive => false,
        }
}

/// What the read itself says: an empty or shrunken directory, groups that are lost (rulings 81, 83, 84).
fn weigh_source(guard: &Guard, w: &Weights, holds: &mut Vec<Hold>) {
    if w.mirror_after == 0 && w.mirror_before > 0 && w.linked > 0 {
        holds.push(Hold::EmptySource { before: w.mirror_before });
    }
    let lost = w.lost_groups.iter().filter(|g| !g.emptied || g.removals >= PAIR);
    holds.extend(lost.cloned().map(Hold::LostGroup));
    if let Some(limit) = guard.max_removal_share.filter(|s| exceeded(*s, w.absentees, w.mirror_before, SHARE_FLOOR)) {
        holds.push(Hold::Shrunk { absent: w.absentees, before: w.mirror_before, limit: limit.to_string() });
    }
}

/// Removals: this plan's and those of the last 24 hours nobody approved, less what comes back (rulings 80 to 82, 109, 110).
fn weigh_removals(guard: &Guard, w: &Weights, holds: &mut Vec<Hold>) {
    if w.removals == 0 {
        return;
    }
    let removals = w.removals + w.removals_in_window - w.returns;
    let linked = w.linked + w.removed_in_window;
    if let Some(limit) = guard.max_removals.filter(|limit| removals > *limit) {
        holds.push(Hold::TooManyRemovals { removals, limit });
    }
    if let Some(limit) = guard.max_removal_share.filter(|s| exceeded(*s, removals, linked, SHARE_FLOOR)) {
        holds.push(Hold::RemovalShare { removals, linked, limit: limit.to_string() });
    }
    // Records that are linked only to be taken out of use (ruling 101) are removals, and no linked ones: all of none is not all.
    let (in_window, now) = (removals - w.removals_of_unlinked, w.removals - w.removals_of_unlinked);
    let all_in_window = linked >= PAIR && in_window >= linked;
    let all_that_are_left = w.linked >= PAIR && now - w.returns >= w.linked;
    if all_in_window || all_that_are_left {
        holds.push(Hold::AllRemoved { removals: in_window.max(now) });
    }
}

/// Whether `part` of `whole` is over a share, from `floor` up; a share of 0 means that any part is over it (ruling 25).
fn exceeded(share: Percent, part: i64, whole: i64, floor: i64) -> bool {
    let floor = if share.0 == 0 { 1 } else { floor };
    part >= floor && share.exceeded(part, whole)
}

/// A group that an enabled rule names, as one run saw it: kept with the last applied run, to be compared with the next (ruling 83).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleGroup {
    /// The rule.
    pub rule: RuleId,
    /// The id or the name, as the rule says it.
    pub reference: String,
    /// Its name for people; the reference when the directory does not hold it.
    pub name: String,
    /// The directory holds it.
    pub found: bool,
    /// It has people in it, be it through groups nested below.
    pub populated: bool,
}

/// Groups that the last applied run found and that are gone now, or had members and have none. A group that was never found is a
/// matter for a warning. `removals` tells how many removals follow for users whom a rule had selected.
#[must_use]
pub fn lost(before: &[RuleGroup], now: &[RuleGroup], removals: impl Fn(&RuleId) -> i64) -> Vec<LostGroup> {
    let then = |g: &RuleGroup| before.iter().find(|b| b.rule == g.rule && b.reference == g.reference && b.found);
    now.iter()
        .filter_map(|group| {
            let then = then(group)?;
            let emptied = group.found;
            let is_lost = !group.found || (then.populated && !group.populated);
            is_lost.then(|| LostGroup {
                group: then.name.clone(),
                rule: group.rule.clone(),
                emptied,
                removals: removals(&group.rule),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::RunId;
    use proptest::prelude::*;

    fn guard() -> Guard {
        Guard {
            max_removals: Some(50),
            max_removal_share: Some(Percent::whole(10)),
            max_rekeys: Some(Percent::whole(20)),
            max_creates_share: Some(Percent::whole(25)),
            max_agent_creates: Some(10),
            approve_first_run: true,
            apply_safe_part: false,
            fleet_max_removal_share: Some(Percent::whole(1)),
        }
    }

    fn fleet(removals: i64, linked: i64) -> FleetWeights {
        FleetWeights { tenants: 1_000, removals_in_window: removals, linked, ..FleetWeights::default() }
    }

    fn plan(removals: i64) -> Weights {
        Weights { changes: removals.max(1), removals, linked: 500, ..Weights::default() }
    }

    #[test]
    fn r87_more_than_a_hundredth_of_the_fleet_holds_from_ten_removals_up() {
        let holds = |removals, before, linked| weigh_fleet(&guard(), &[], &plan(removals), &fleet(before, linked));
        assert!(holds(1, 8, 100).is_empty(), "nine of a hundred are a few");
        assert_eq!(holds(1, 9, 100), [Hold::FleetRemovals { removals: 10, linked: 100, limit: "1".into() }]);
        assert!(holds(1, 9, 1_000).is_empty(), "exactly a hundredth is not more than it");
        assert!(holds(0, 90, 100).is_empty(), "a plan that removes nobody does not cross the line");
        assert!(weigh_fleet(&guard(), &[], &plan(40), &FleetWeights { tenants: 1, ..fleet(0, 500) }).is_empty());
        let off = Guard { fleet_max_removal_share: None, ..guard() };
        assert!(weigh_fleet(&off, &[], &plan(40), &fleet(90, 100)).is_empty());
    }

    #[test]
    fn r87_three_tenants_tripped_within_an_hour_hold_this_plan_and_later_ones() {
        let own = [Hold::EmptySource { before: 5 }];
        let tripped = |n| FleetWeights { tripped: n, ..fleet(0, 1_000) };
        assert!(weigh_fleet(&guard(), &own, &plan(0), &tripped(1)).is_empty());
        assert_eq!(weigh_fleet(&guard(), &own, &plan(0), &tripped(2)), [Hold::FleetTenants { tenants: 3 }]);
        assert_eq!(weigh_fleet(&guard(), &[], &plan(0), &tripped(3)), [Hold::FleetTenants { tenants: 3 }]);
        let later = FleetWeights { stands: Some(RunId(7)), ..fleet(0, 1_000) };
        assert_eq!(weigh_fleet(&guard(), &[], &plan(0), &later), [Hold::FleetStands { run: RunId(7) }]);
        let quiet = Weights { changes: 0, ..plan(0) };
        assert!(weigh_fleet(&guard(), &[], &quiet, &later).is_empty(), "nothing to hold");
    }

    proptest! {
        #[test]
        fn r25_a_share_is_compared_exactly_and_more_removals_never_hold_less(
            removals in 1..200i64, linked in 1..2_000i64, window in 0..50i64, more in 1..50i64,
        ) {
            let weights = |removals| Weights { changes: removals, removals, linked, removals_in_window: window, ..Weights::default() };
            let holds = weigh(&guard(), &weights(removals));
            let over = holds.iter().any(|h| matches!(h, Hold::RemovalShare { .. }));
            prop_assert_eq!(over, removals + window >= 3 && (removals + window) * 100 > 10 * linked);
            if !holds.is_empty() {
                prop_assert!(!weigh(&guard(), &weights(removals + more)).is_empty());
            }
        }
    }
}
