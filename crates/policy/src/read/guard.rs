//! `guard`: when a plan waits for a person.

use crate::document::Node;
use crate::fault::Faults;
use crate::reader::{Keys, boolean, required};
use crate::value::{count, share};
use model::policy::Guard;

pub(crate) const KEYS: Keys = Keys {
    of: "guard",
    known: &[
        "max_removals",
        "max_removal_share",
        "max_rekeys",
        "max_creates_share",
        "max_agent_creates",
        "approve_first_run",
        "apply_safe_part",
        "fleet_max_removal_share",
    ],
};

/// A share of what is there cannot be more than all of it.
const WHOLE: i64 = 100;

/// Creates may outnumber what is there many times over; ten times is as good as off.
const MANY: i64 = 1_000;

pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<Guard> {
    let node = KEYS.check(node, faults)?;
    let mut setting = |key| required(node, key, "guard", faults);
    let (removals, removal_share, rekeys) = (setting("max_removals"), setting("max_removal_share"), setting("max_rekeys"));
    let (creates_share, agent_creates) = (setting("max_creates_share"), setting("max_agent_creates"));
    let (first, safe_part, fleet) =
        (setting("approve_first_run"), setting("apply_safe_part"), setting("fleet_max_removal_share"));

    let max_removals = removals.and_then(|n| count(n, "guard.max_removals", faults));
    let max_removal_share = removal_share.and_then(|n| share(n, "guard.max_removal_share", WHOLE, faults));
    let max_rekeys = rekeys.and_then(|n| share(n, "guard.max_rekeys", WHOLE, faults));
    let max_creates_share = creates_share.and_then(|n| share(n, "guard.max_creates_share", MANY, faults));
    let max_agent_creates = agent_creates.and_then(|n| count(n, "guard.max_agent_creates", faults));
    let approve_first_run = first.and_then(|n| boolean(n, "guard.approve_first_run", faults));
    let apply_safe_part = safe_part.and_then(|n| boolean(n, "guard.apply_safe_part", faults));
    let fleet = fleet.and_then(|n| share(n, "guard.fleet_max_removal_share", WHOLE, faults));
    Some(Guard {
        max_removals: max_removals?,
        max_removal_share: max_removal_share?,
        max_rekeys: max_rekeys?,
        max_creates_share: max_creates_share?,
        max_agent_creates: max_agent_creates?,
        approve_first_run: approve_first_run?,
        apply_safe_part: apply_safe_part?,
        fleet_max_removal_share: fleet?,
    })
}
