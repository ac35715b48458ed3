//! What holds in every world: rules that are algebraic, tried on generated directories, records and policies.

use crate::impact::{Held, Impact};
use crate::world::{Decided, Planned, World};
use checker::PlanFacts;
use model::policy::OnKindChange;
use model::run::RunKind;
use model::{Kind, SourceId, Status};
use policy::scenario::Scenario;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Names, addresses and groups come from a handful each, so that they collide often.
#[derive(Debug, Clone)]
struct Made {
    policy: usize,
    kind: usize,
    /// What becomes of a record whose kind the rules do not want any more.
    turn: usize,
    collision: bool,
    /// Managers, sites from values, roles and boards by group, and one more matching key.
    rich: bool,
    users: Vec<MadeUser>,
    records: Vec<MadeRecord>,
    later: Vec<(usize, MadeUser)>,
    gone: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
struct MadeUser {
    name: usize,
    mail: Option<usize>,
    upn: usize,
    other: Option<usize>,
    enabled: bool,
    guest: bool,
    groups: u8,
    manager: Option<usize>,
    number: Option<usize>,
    city: usize,
}

#[derive(Debug, Clone)]
struct MadeRecord {
    agent: bool,
    client: usize,
    email: usize,
    more: Option<usize>,
    username: Option<usize>,
    number: Option<usize>,
    status: usize,
    by_sync: bool,
    root: bool,
    pinned: bool,
    tickets: bool,
    user: Option<usize>,
}

fn user() -> impl Strategy<Value = MadeUser> {
    let flags = (prop::bool::weighted(0.85), prop::bool::weighted(0.1), 0u8..4);
    let more = (prop::option::of(0..9usize), prop::option::weighted(0.3, 0..3usize), 0..4usize);
    (0..4usize, prop::option::of(0..6usize), 0..8usize, prop::option::weighted(0.2, 0..6usize), flags, more).prop_map(
        |(name, mail, upn, other, (enabled, guest, groups), (manager, number, city))| MadeUser {
            name,
            mail,
            upn,
            other,
            enabled,
            guest,
            groups,
            manager,
            number,
            city,
        },
    )
}

fn record() -> impl Strategy<Value = MadeRecord> {
    let place = (any::<bool>(), 0..2usize);
    let keys =
        (0..6usize, prop::option::weighted(0.2, 0..6usize), prop::option::of(0..6usize), prop::option::weighted(0.3, 0..3usize));
    let rare = || prop::bool::weighted(0.1);
    let state = (prop_oneof![6 => Just(0usize), 2 => Just(1), 2 => Just(2)], any::<bool>(), rare(), rare(), rare());
    (place, keys, state, prop::option::weighted(0.6, 0..8usize)).prop_map(
        |((agent, client), (email, more, username, number), (status, by_sync, root, pinned, tickets), user)| MadeRecord {
            agent,
            client,
            email,
            more,
            username,
            number,
            status,
            by_sync,
            root,
            pinned,
            tickets,
            user,
        },
    )
}

fn made() -> impl Strategy<Value = Made> {
    let world = (prop::collection::vec(user(), 1..8), prop::collection::vec(record(), 0..8));
    let later = prop::collection::vec((0..9usize, user()), 0..6);
    let gone = prop::collection::btree_set(0..8usize, 0..3);
    ((0..3usize, 0..3usize, 0..TURNS.len()), any::<[bool; 2]>(), world, later, gone).prop_map(
        |((policy, kind, turn), [collision, rich], (users, records), later, gone)| Made {
            policy,
            kind,
            turn,
            collision,
            rich,
            users,
            records,
            later,
            gone,
        },
    )
}

const KINDS: [&str; 3] = ["agent", "contact", "agent_and_contact"];
const TURNS: [&str; 3] = ["archive_and_recreate", "both", "review"];
const CITIES: [&str; 4] = ["Leeds", "LEEDS", "York", "null"];
const NAMES: [&str; 4] = ["Byron", "Stone", "Reed", "Hill"];

fn address(n: usize) -> String {
    format!("{}@{}.example", ["ada", "bob", "cyd"][n % 3], ["one", "two"][(n / 3) % 2])
}

fn user_yaml(id: usize, u: &MadeUser) -> String {
    let mut text = format!("{{ id: u-{id}, surname: {}, accountEnabled: {}", NAMES[u.name], u.enabled);
    let mail = u.mail.map_or("null".to_owned(), address);
    let other = u.other.map_or(String::new(), address);
    let kind = if u.guest { "Guest" } else { "Member" };
    let _ = write!(text, ", userPrincipalName: {}, mail: {mail}, otherMails: [{other}], userType: {kind}", address(u.upn));
    let manager = u.manager.map_or("null".to_owned(), |m| format!("{{ id: u-{m} }}"));
    let number = u.number.map_or("null".to_owned(), |n| n.to_string());
    let _ = write!(text, ", manager: {manager}, employeeId: {number}, city: {} }}", CITIES[u.city]);
    text
}

impl Made {
    /// The world as a scenario file of three steps: as it is, after later changes in Entra, and with the groups as they were first.
    fn scenario(&self) -> Scenario {
        let preset = ["bms", "alga", "msp"][self.policy];
        let collision = if self.collision { "append_domain" } else { "review" };
        let mut text = format!("name: made\npolicy:\n  preset: {preset}\n  scope: {{ licensed_only: false, require: [] }}\n");
        let _ = writeln!(text, "  username: {{ on_collision: {collision} }}");
        let _ = writeln!(text, "  lifecycle: {{ on_kind_change: {} }}", TURNS[self.turn]);
        let _ = writeln!(
            text,
            "  rules:\n    - {{ id: a, order: 1, when: {{ groups: [g-0] }}, then: {{ kind: {}, role: x }} }}",
            KINDS[self.kind]
        );
        let second = KINDS[(self.kind + usize::from(self.collision)) % 3];
        let site = if self.rich { ", site_from: city" } else { "" };
        let _ = writeln!(
            text,
            "    - {{ id: b, order: 2, when: {{ groups: [g-1] }}, then: {{ kind: {second}, client: c0{site} }} }}"
        );
        if self.rich {
            text.push_str("  fields: { manager: { source: manager }, employee_id: { source: employeeId } }\n");
            text.push_str("  matching: { keys: [object_id, employee_id, email, upn] }\n");
            text.push_str("  role_mappings:\n    - { id: p, order: 1, group: g-1, kind: agent, role: parked }\n");
            text.push_str("    - { id: q, order: 2, group: g-1, kind: contact, role: duty, mode: add }\n");
            text.push_str(
                "  cab_mappings: [ { group: g-1, cab: board } ]\n  inactive_roles: [parked]\n  role_without_manager: boss\n",
            );
        }
        text.push_str("tenant: { id: t, domain: one.example, client: c0 }\nentra:\n  users:\n");
        let last: BTreeMap<usize, &MadeUser> = self.users.iter().enumerate().collect();
        for (id, user) in &last {
            let _ = writeln!(text, "    - {}", user_yaml(*id, user));
        }
        let members = |group: u8, users: &BTreeMap<usize, &MadeUser>| {
            let ids = users.iter().filter(|(_, u)| u.groups & (1 << group) != 0).map(|(id, _)| format!("u-{id}"));
            ids.collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(text, "  groups:\n    - {{ id: g-0, displayName: A, members: [{}] }}", members(0, &last));
        let _ = writeln!(text, "    - {{ id: g-1, displayName: B, members: [{}] }}", members(1, &last));
        text.push_str("records:\n  clients: [ { id: c0, name: Zero }, { id: c1, name: One } ]\n  people:\n");
        // A list is never empty: somebody nobody means stands in it.
        text.push_str("    - { id: p-else, kind: contact, client: c1, last_name: Else, email: else@else.example }\n");
        let mut linked = BTreeSet::new();
        for (id, r) in self.records.iter().enumerate() {
            let kind = if r.agent { "agent" } else { "contact" };
            let _ = write!(text, "    - {{ id: p-{id}, kind: {kind}, last_name: Byron, email: {}", address(r.email));
            if !r.agent {
                let _ = write!(text, ", client: c{}", r.client);
            }
            if let Some(more) = r.more {
                let _ = write!(text, ", additional_emails: [{}]", address(more));
            }
            if let Some(name) = r.username {
                let _ = write!(text, ", username: {}", ["ada", "bob", "cyd", "Ada", "ada@one.example", "bob@two.example"][name]);
            }
            if let Some(number) = r.number {
                let _ = write!(text, ", employee_id: {number}");
            }
            let _ = write!(text, ", status: {}, root: {}", ["active", "inactive", "archived"][r.status], r.root);
            if r.pinned {
                text.push_str(", pinned: [status, username]");
            }
            if r.tickets {
                text.push_str(", tickets: 1");
            }
            // Of a kind a user has one live record, and what sync put into the archive beside it.
            let is_tied = |user: &usize| if r.status == 2 { r.by_sync } else { linked.insert((*user, r.agent)) };
            if let Some(user) = r.user.filter(is_tied) {
                let _ = write!(text, ", linked_to: u-{user}");
                if r.by_sync && r.status != 0 {
                    text.push_str(", deactivated_by: sync");
                }
            }
            text.push_str(" }\n");
        }
        text.push_str("steps:\n  - expect: { held: false }\n  - entra:\n");
        let later: BTreeMap<usize, &MadeUser> = self.later.iter().map(|(id, u)| (*id, u)).collect();
        let users: Vec<String> = later.iter().map(|(id, u)| user_yaml(*id, u)).collect();
        let _ = writeln!(text, "      users: [ {} ]", users.join(", "));
        let _ = writeln!(text, "      groups: [ {{ id: g-0, members: [{}] }} ]", members(0, &later));
        let gone: Vec<String> = self.gone.iter().filter(|g| !later.contains_key(g)).map(|g| format!("u-{g}")).collect();
        let _ = writeln!(text, "      delete: [{}]\n    expect: {{ held: false }}", gone.join(", "));
        let everybody = (0..9).map(|id| format!("u-{id}")).collect::<Vec<_>>().join(", ");
        let (a, b) = (members(0, &last), members(1, &last));
        let _ = writeln!(text, "  - entra:\n      remove_members: {{ g-0: [{everybody}], g-1: [{everybody}] }}");
        let _ = writeln!(
            text,
            "      groups: [ {{ id: g-0, members: [{a}] }}, {{ id: g-1, members: [{b}] }} ]\n    expect: {{ held: false }}"
        );
        let mut scenarios = policy::scenario::parse("made.yaml", &text).unwrap_or_else(|f| panic!("{f:?}\n{text}"));
        scenarios.remove(0)
    }
}

/// The world before each step, with those before it applied: states in which anything can be true.
fn worlds(made: &Made) -> Vec<World> {
    let scenario = made.scenario();
    let first = World::new(&scenario);
    let after = |world: &World, step: usize| {
        let mut world = world.clone();
        plan_and_apply(&mut world);
        world.change(&scenario.steps[step].entra);
        world
    };
    let second = after(&first, 1);
    let third = after(&second, 2);
    vec![first, second, third]
}

fn plan(world: &mut World, run: RunKind) -> Planned {
    world.plan_as(run)
}

fn plan_and_apply(world: &mut World) -> Planned {
    let planned = plan(world, RunKind::Full);
    world.apply_all(&planned);
    planned
}

fn changes(planned: &Planned) -> Vec<String> {
    planned.pending.changes.iter().map(|c| format!("{c:?}")).collect()
}

/// As many as cost some seconds; `PROPTEST_CASES` asks for more.
const CASES: u32 = 300;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(CASES), ..ProptestConfig::default() })]

    #[test]
    fn planning_again_after_applying_yields_nothing(made in made()) {
        for mut world in worlds(&made) {
            let first = plan_and_apply(&mut world);
            let again = plan(&mut world, RunKind::Full);
            prop_assert!(again.pending.changes.is_empty(), "first {:#?}\nagain {:#?}", first.pending.changes, again.pending.changes);
        }
    }

    #[test]
    fn req_checker_never_refuses_what_the_planner_made(made in made()) {
        for mut world in worlds(&made) {
            for run in [RunKind::Incomplete, RunKind::Delta, RunKind::Full] {
                let planned = plan(&mut world, run);
                let facts = PlanFacts::new(&world.policy.policy, run);
                let said = checker::objections(facts, &planned.users, &planned.answers, &planned.decisions, &planned.weights);
                prop_assert!(said.is_empty(), "{}\n{:#?}", said.join("\n"), planned.pending.changes);
                world.apply_all(&planned);
            }
        }
    }

    #[test]
    fn arrival_and_batches_decide_nothing(made in made(), seed in any::<u64>(), batch in 1..9usize) {
        for mut world in worlds(&made) {
            let planner = world.planner(RunKind::Full);
            let ids: Vec<SourceId> = world.directory.users.keys().cloned().collect();
            let mut shuffled = ids.clone();
            shuffled.sort_by_key(|id| model::attributes::Hash::of(&format!("{seed}{id}")));
            let sorted = |decided: Decided| {
                let mut all: Vec<model::plan::Decision> = decided.linked.into_iter().chain(decided.unlinked).collect();
                all.sort_by(|a, b| a.source_id.cmp(&b.source_id));
                all
            };
            let one = sorted(world.decide(&planner, &ids, 1000));
            let other = sorted(world.decide(&planner, &shuffled, batch));
            prop_assert_eq!(one, other);
            plan(&mut world, RunKind::Full);
        }
    }

    #[test]
    fn a_delta_run_decides_as_a_full_one(made in made()) {
        for world in worlds(&made) {
            let full = plan(&mut world.clone(), RunKind::Full);
            let delta = plan(&mut world.clone(), RunKind::Delta);
            // Reasons speak of drift alike; only reports of it belong to full runs.
            prop_assert_eq!(changes(&full), changes(&delta));
        }
    }

    #[test]
    fn req_l03_nothing_is_removed_after_an_incomplete_read(made in made()) {
        for mut world in worlds(&made) {
            let planned = plan(&mut world, RunKind::Incomplete);
            prop_assert!(planned.pending.changes.iter().all(|c| !c.effects.removal), "{:#?}", planned.pending.changes);
        }
    }

    #[test]
    fn one_change_a_record_and_one_standing_a_user(made in made()) {
        for mut world in worlds(&made) {
            let planned = plan(&mut world, RunKind::Full);
            let records: Vec<_> = planned.pending.changes.iter().filter_map(|c| c.record).collect();
            prop_assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), records.len());
            let users: BTreeSet<_> = planned.decisions.iter().map(|d| &d.source_id).collect();
            prop_assert_eq!(users.len(), planned.decisions.len());
            prop_assert_eq!(users.len(), world.directory.users.len());
        }
    }

    #[test]
    fn req_r12_the_root_keeps_status_role_access_and_username(made in made()) {
        for mut world in worlds(&made) {
            let planned = plan(&mut world, RunKind::Full);
            let roots: BTreeSet<_> = world.psa.people.values().filter(|r| r.person.root).map(|r| r.person.id).collect();
            for change in planned.pending.changes.iter().filter(|c| c.record.is_some_and(|r| roots.contains(&r))) {
                let active = |f: &str| change.set.get(&model::Field::new(f)).is_some_and(|v| v == "active" || v == true);
                let touched = change.set.keys().any(|f| matches!(f.as_str(), "role" | "username"));
                let out = change.set.keys().any(|f| matches!(f.as_str(), "status" | "access") && !active(f.as_str()));
                prop_assert!(!touched && !out && !change.effects.removal, "{:#?}", change);
            }
        }
    }

    #[test]
    fn f02_usernames_of_records_in_use_stay_apart(made in made()) {
        let mut world = World::new(&made.scenario());
        let lifecycles = &world.policy.policy.lifecycle;
        let both = [Kind::Agent, Kind::Contact].iter().any(|kind| lifecycles.of(*kind).on_kind_change == OnKindChange::Both);
        // Names that several records hold; with `apart`, only where they are different users'. Under `both` a record that was met
        // stays nobody's beside the one made for its user, and has the same name.
        let count = |world: &World, apart: bool| {
            let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            let stays = |linked: bool| apart && both && !linked;
            let in_use = world.psa.people.values().filter(|r| r.person.status != Status::Archived && !stays(r.link.is_some()));
            for row in in_use {
                if let Some(name) = &row.person.username {
                    let user = row.link.as_ref().filter(|_| apart).map(|l| l.source_id.to_string());
                    let who = user.unwrap_or_else(|| row.person.id.to_string());
                    held.entry(model::text::fold(name)).or_default().insert(who);
                }
            }
            held.into_iter().filter(|(_, who)| who.len() > 1).map(|(name, _)| name).collect::<BTreeSet<_>>()
        };
        let before = count(&world, false);
        plan_and_apply(&mut world);
        let after = count(&world, true);
        prop_assert!(after.is_subset(&before), "before {before:?}, after {after:?}");
    }

    #[test]
    fn req_m06_a_name_alone_never_links(mut made in made()) {
        made.rich = false;
        for record in &mut made.records {
            // No user has any of these addresses, all have the records' name.
            (record.user, record.more) = (None, None);
        }
        let mut world = World::new(&made.scenario());
        for row in world.psa.people.values_mut() {
            row.person.email = Some(format!("nobody{}@nowhere.example", row.person.id));
        }
        let planned = plan(&mut world, RunKind::Full);
        prop_assert!(planned.pending.changes.iter().all(|c| c.verb == model::plan::Verb::Create));
    }

    /// What is shown before a policy is saved, and who is touched by saving: nobody is left out for whom something changes.
    #[test]
    fn whom_a_policy_change_cannot_affect_it_does_not_change(
        made in made(), policy in 0..3usize, kind in 0..3usize, collision in any::<bool>(),
    ) {
        let other = World::new(&Made { policy, kind, collision, ..made.clone() }.scenario());
        for mut world in worlds(&made) {
            plan_and_apply(&mut world);
            let before = world.planner(RunKind::Delta);
            world.policy = other.policy.clone();
            let after = world.planner(RunKind::Delta);
            let impact = Impact::new(&before, &after);
            let ids: Vec<SourceId> = world.directory.users.keys().cloned().collect();
            let affected: Vec<SourceId> = ids
                .iter()
                .filter(|id| {
                    let mut user = world.facts(id, &before).expect("a known user");
                    user.groups.extend(world.facts(id, &after).expect("a known user").groups);
                    let live = user.links.iter().filter(|l| l.person.status != Status::Archived);
                    let held: Vec<Held> = live
                        .map(|l| Held { kind: l.person.kind, marked: l.link.deactivated_by.is_some() })
                        .collect();
                    impact.on(&user, &held).is_some()
                })
                .cloned()
                .collect();
            let changed = |ids: &[SourceId]| -> BTreeSet<SourceId> {
                let decided = world.decide(&after, ids, 3);
                let all = decided.linked.into_iter().chain(decided.unlinked).filter(|d| !d.changes.is_empty());
                all.map(|d| d.source_id).collect()
            };
            // Whoever waits for a person may be freed by what others give up; applying touches them then.
            let waits = |id: &SourceId| world.facts(id, &after).is_some_and(|user| user.review.is_some());
            for id in changed(&ids) {
                prop_assert!(affected.contains(&id) || waits(&id), "{id} changes and was not named: {affected:?}");
            }
        }
    }
}
