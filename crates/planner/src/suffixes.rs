//! Many records of one name go into the archive in one plan (ruling 71).

use crate::world::World;
use model::plan::{Decision, Verb};
use model::run::RunKind;
use model::{Field, SourceId};
use std::collections::BTreeSet;
use std::fmt::Write;

/// How many share a name: more than are asked about in the first two rounds together.
const MANY: usize = 30;

/// The counters that records in the archive have already: one that the first round asks for, and two that it does not.
const USED: [usize; 3] = [3, 12, 29];

/// Thirty agents of one username and one e-mail each, whom the rules make contacts.
fn world() -> World {
    let mut text = "name: many\npolicy:\n  preset: bms\n  rules: [ { id: all, order: 1, when: {}, then: { kind: contact } } ]\n\
         tenant: { id: t, domain: acme.example, client: acme }\nentra:\n  users:\n"
        .to_owned();
    for n in 0..MANY {
        let _ = writeln!(text, "    - {{ id: u-{n:02}, surname: No{n}, userPrincipalName: n{n}@acme.example }}");
    }
    text.push_str("records:\n  clients: [ { id: acme, name: Acme } ]\n  people:\n");
    for n in 0..MANY {
        let _ = writeln!(
            text,
            "    - {{ id: p-{n}, kind: agent, username: desk, email: desk@acme.example, last_name: No{n}, linked_to: u-{n:02} }}"
        );
    }
    for n in USED {
        let _ =
            writeln!(text, "    - {{ id: old-{n}, kind: agent, username: Desk_Archived{n}, last_name: Old, status: archived }}");
    }
    text.push_str("steps:\n  - expect: { held: true }\n");
    let scenarios = policy::scenario::parse("many.yaml", &text).expect("a sound scenario");
    World::new(&scenarios[0])
}

/// Who gets which name in the archive.
fn archived(decisions: Vec<Decision>) -> Vec<(SourceId, String)> {
    let changes = decisions.into_iter().flat_map(|d| d.changes).filter(|c| c.verb == Verb::Archive);
    let mut names: Vec<(SourceId, String)> = changes
        .map(|c| {
            let of = |field: &Field| c.set.get(field).and_then(|v| v.as_str()).map(str::to_owned).expect("a suffixed name");
            let (username, email) = (of(&Field::USERNAME), of(&Field::EMAIL));
            assert_eq!(username.strip_prefix("desk"), email.strip_prefix("desk@acme.example"), "one counter for both");
            (c.source_id, username)
        })
        .collect();
    names.sort();
    names
}

#[test]
fn ruling_71_thirty_of_one_name_get_thirty_suffixes_whatever_the_order_of_arrival() {
    let world = world();
    let planner = world.planner(RunKind::Full);
    let ids: Vec<SourceId> = world.directory.users.keys().cloned().collect();
    let decide = |order: &[SourceId], batch: usize| {
        let decided = world.decide(&planner, order, batch);
        archived(decided.linked.into_iter().chain(decided.unlinked).collect())
    };
    let first = decide(&ids, 1000);
    assert_eq!(first.len(), MANY);
    let apart: BTreeSet<&String> = first.iter().map(|(_, name)| name).collect();
    assert_eq!(apart.len(), MANY, "each has a name of its own: {first:?}");
    for used in USED {
        assert!(!apart.contains(&format!("desk_Archived{used}")), "that one is taken: {first:?}");
    }
    // The lowest that are free, in the order of the object ids.
    let free = (1..)
        .filter(|n| !USED.contains(n))
        .map(|n| if n == 1 { "desk_Archived".to_owned() } else { format!("desk_Archived{n}") });
    let expected: Vec<String> = free.take(MANY).collect();
    assert_eq!(first.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>(), expected);
    for (seed, batch) in [(1, 1), (2, 7), (3, 8), (4, 13), (5, 64)] {
        let mut order = ids.clone();
        order.sort_by_key(|id| model::attributes::Hash::of(&format!("{seed}{id}")));
        assert_eq!(decide(&order, batch), first, "batches of {batch}");
    }
}
