//! Planner and checker against each other: generated directories, records, policies and steps, from handfuls of values so that they
//! get in each other's way, and with values that have no place in a record. The checker never refuses what the planner plans, and
//! planning once more after applying finds nothing to do.

use checker::PlanFacts;
use planner::world::{Finished, run_scenario};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Names and addresses that collide, differ in case alone, or fit nowhere.
const ODD: [&str; 12] = [
    "ada",
    "Ada",
    "bob",
    "cyd ",
    "",
    " ",
    "a\u{7}b",
    "=1+1",
    "ﬁrst",
    "Straße",
    "x-much-too-long-for-a-phone-number-0123456789-0123456789",
    "ada@one.example",
];
const ADDRESSES: [&str; 9] = [
    "ada@one.example",
    "ADA@One.Example",
    "bob@one.example",
    "cyd@two.example",
    "ada@two.example",
    "no address",
    "a@b@c",
    "ada_one.example#EXT#@t.example",
    "",
];

fn pick(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(of)
}

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![6 => pick(&ODD[..4]), 1 => pick(&ODD)].prop_map(Value::from)
}

fn address() -> impl Strategy<Value = Value> {
    prop_oneof![8 => pick(&ADDRESSES[..5]), 1 => pick(&ADDRESSES)].prop_map(Value::from)
}

fn maybe(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![3 => value, 1 => Just(Value::Null)]
}

/// An object without the keys that are left out.
fn object(entries: Vec<(&str, Option<Value>)>) -> Value {
    let told = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(told.collect::<Map<_, _>>())
}

fn user(id: usize) -> impl Strategy<Value = Value> {
    let names = (maybe(odd()), maybe(odd()), maybe(odd()));
    let addresses = (maybe(address()), address(), prop::option::weighted(0.2, address()));
    let rest = (prop::bool::weighted(0.85), prop::bool::weighted(0.1), prop::option::weighted(0.4, 0..6usize), maybe(odd()));
    (names, addresses, rest).prop_map(
        move |((given, surname, title), (mail, upn, other), (enabled, guest, manager, department))| {
            object(vec![
                ("id", Some(json!(format!("u-{id}")))),
                ("givenName", Some(given)),
                ("surname", Some(surname)),
                ("jobTitle", Some(title)),
                ("department", Some(department)),
                ("mail", Some(mail)),
                ("userPrincipalName", Some(upn)),
                ("proxyAddresses", other.map(|o| json!([format!("smtp:{}", o.as_str().unwrap_or_default())]))),
                ("accountEnabled", Some(json!(enabled))),
                ("userType", Some(json!(if guest { "Guest" } else { "Member" }))),
                ("manager", manager.map(|m| json!({ "id": format!("u-{m}") }))),
            ])
        },
    )
}

fn users() -> impl Strategy<Value = Vec<Value>> {
    (1..6usize).prop_flat_map(|n| (0..n).map(user).collect::<Vec<_>>())
}

fn record(id: usize) -> impl Strategy<Value = Value> {
    let place = (any::<bool>(), 0..2usize, prop::option::weighted(0.55, 0..6usize));
    let keys =
        (prop::option::of(address()), prop::option::of(odd()), prop::option::weighted(0.2, address()), prop::option::of(odd()));
    let state = (
        prop_oneof![6 => Just("active"), 2 => Just("inactive"), 1 => Just("archived")],
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.8),
        prop::option::weighted(
            0.15,
            prop_oneof![Just(json!(true)), Just(json!(["email", "username"])), Just(json!(["status", "role"]))],
        ),
        prop_oneof![3 => Just(0), 1 => Just(2)],
        prop::bool::weighted(0.2),
    );
    (place, keys, state).prop_map(
        move |((agent, client, user), (email, username, more, role), (status, by_sync, root, access, pinned, tickets, badge))| {
            let text = |v: Option<Value>| v.filter(|v| v.as_str().is_some_and(|s| !s.chars().any(char::is_control)));
            object(vec![
                ("id", Some(json!(format!("p-{id}")))),
                ("kind", Some(json!(if agent { "agent" } else { "contact" }))),
                ("client", (!agent).then(|| json!(format!("c-{client}")))),
                ("last_name", Some(json!("Byron"))),
                ("email", text(email)),
                ("username", text(username)),
                ("role", text(role)),
                ("additional_emails", more.map(|m| json!([m]))),
                ("badge", badge.then(|| json!("ada"))),
                ("status", Some(json!(status))),
                ("access", Some(json!(access))),
                ("root", Some(json!(root))),
                ("tickets", Some(json!(tickets))),
                ("pinned", pinned),
                ("linked_to", user.map(|u| json!(format!("u-{u}")))),
                ("deactivated_by", by_sync.then(|| json!("sync"))),
            ])
        },
    )
}

/// Records of which no two of one kind belong to one user.
fn records() -> impl Strategy<Value = Vec<Value>> {
    (0..7usize).prop_flat_map(|n| (0..n).map(record).collect::<Vec<_>>()).prop_map(|mut records| {
        let mut seen = std::collections::HashSet::new();
        for record in &mut records {
            let key = (record["kind"].to_string(), record["linked_to"].to_string());
            if record["linked_to"].is_string() && !seen.insert(key) {
                record.as_object_mut().expect("an object").remove("linked_to");
            }
        }
        records
    })
}

fn rule(id: usize) -> impl Strategy<Value = Value> {
    let when = (prop::option::weighted(0.7, 0..3usize), prop::option::weighted(0.2, Just("department == \"ada\"")));
    let then = (pick(&["agent", "contact", "agent_and_contact"]), prop::option::of(pick(&["c-0", "c-1", "nowhere"])));
    let more = (prop::option::of(pick(&["tech", "lead", "gone"])), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (when, then, more).prop_map(move |((group, filter), (kind, client), (role, site, defaults))| {
        json!({
            "id": format!("r-{id}"),
            "order": id,
            "when": object(vec![("groups", group.map(|g| json!([format!("g-{g}")]))), ("filter", filter.map(Value::from))]),
            "then": object(vec![
                ("kind", Some(json!(kind))),
                ("client", client.map(Value::from)),
                ("role", role.map(Value::from)),
                ("site_from", (site && kind == "contact").then(|| json!("department"))),
                ("cabs", (site && kind == "agent").then(|| json!(["board"]))),
                ("defaults", defaults.then(|| json!({ "job_title": "None", "cost_centre": 7 }))),
            ]),
        })
    })
}

fn lifecycle() -> impl Strategy<Value = Value> {
    let gone = || pick(&["deactivate", "ignore"]);
    let on = (gone(), gone(), gone(), pick(&["revoke_access", "deactivate", "ignore"]));
    let back = (pick(&["reactivate", "review", "ignore"]), pick(&["archive_and_recreate", "both", "review"]));
    (on, back, prop_oneof![Just(json!(0)), Just(json!("1h"))]).prop_map(
        |((deleted, disabled, missing, unmapped), (returns, kind), grace)| {
            json!({
                "on_deleted": deleted, "on_disabled": disabled, "on_missing": missing, "on_unmapped": unmapped,
                "on_return": returns, "on_kind_change": kind, "grace": grace,
            })
        },
    )
}

fn mapping(source: &'static str) -> impl Strategy<Value = Value> {
    let mode = pick(&["on_change", "always", "if_empty", "never"]);
    (mode, prop::option::weighted(0.2, odd()), any::<bool>()).prop_map(move |(mode, default, clears)| {
        let clears = clears && matches!(mode, "on_change" | "always");
        let default =
            default.filter(|d| d.as_str().is_some_and(|s| !s.trim().is_empty() && !s.contains('\u{7}') && s.len() < 50));
        object(vec![
            ("source", Some(json!(source))),
            ("overwrite", Some(json!(mode))),
            ("default", default),
            ("clear_when_empty", Some(json!(clears))),
        ])
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let matching = (
        prop::sample::select(vec![
            json!(["object_id", "email"]),
            json!(["email", "upn"]),
            json!(["employee_id", "email"]),
            json!(["object_id"]),
            json!(["upn"]),
            json!([{ "field": "badge", "source": "department" }, "email"]),
        ]),
        pick(&["create", "review", "skip"]),
        pick(&["overwrite", "fill_empty"]),
        pick(&["review", "link", "reactivate"]),
    );
    let names = (
        prop::option::weighted(0.4, pick(&["upn", "upn_local_part", "mail"])),
        prop::option::weighted(0.4, pick(&["mail", "mail_or_upn", "mail_or_guest"])),
        prop::bool::weighted(0.3),
    );
    let fields = (mapping("jobTitle"), mapping("department"), prop::bool::weighted(0.4), names);
    let more = (
        pick(&["review", "append_domain"]),
        any::<bool>(),
        any::<bool>(),
        prop::option::weighted(0.3, Just(json!({ "agent": "lead", "contact": "portal" }))),
        any::<bool>(),
    );
    let head = (pick(&["bms", "halo", "alga", "msp"]), lifecycle());
    let rules = (1..4usize).prop_flat_map(|n| (0..n).map(rule).collect::<Vec<_>>());
    (head, rules, matching, fields, more).prop_map(
        |((preset, lifecycle), rules, (keys, on_none, on_link, on_inactive), (title, custom, manager, (username, email, others)), (collision, guests, disabled, without, mapped))| {
            object(vec![
                ("preset", Some(json!(preset))),
                ("scope", Some(json!({
                    "licensed_only": false, "require": [], "exclude": [],
                    "guests": if guests { "include" } else { "exclude" }, "disabled": if disabled { "include" } else { "exclude" },
                }))),
                ("rules", Some(json!(rules))),
                ("matching", Some(json!({ "keys": keys, "on_none": on_none, "on_link": on_link, "on_inactive": on_inactive }))),
                ("fields", Some(object(vec![
                    ("job_title", Some(title)),
                    ("department", Some(custom)),
                    ("manager", manager.then(|| json!({ "source": "manager" }))),
                    ("username", username.map(|source| json!({ "source": source }))),
                    ("email", email.map(|source| json!({ "source": source }))),
                    ("additional_emails", others.then(|| json!({ "source": "other_addresses" }))),
                ]))),
                ("username", Some(json!({ "on_collision": collision }))),
                ("lifecycle", Some(lifecycle)),
                ("role_without_manager", without),
                ("inactive_roles", Some(json!(["gone"]))),
                ("role_mappings", mapped.then(|| json!([
                    { "id": "m-1", "order": 1, "group": "g-2", "kind": "agent", "role": "gone" },
                    { "id": "m-2", "order": 2, "group": "g-1", "kind": "agent", "role": "extra", "mode": "add" },
                ]))),
                ("cab_mappings", mapped.then(|| json!([{ "group": "g-0", "cab": "change-board" }]))),
                ("guard", Some(json!({ "max_removals": "off", "max_removal_share": "off", "max_rekeys": "off", "max_creates_share": "off", "max_agent_creates": "off" }))),
            ])
        },
    )
}

fn groups() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::collection::btree_set(0..6usize, 0..5), 3).prop_map(|groups| {
        let group = |(id, members): (usize, std::collections::BTreeSet<usize>)| {
            let members: Vec<String> = members.into_iter().map(|m| format!("u-{m}")).collect();
            json!({ "id": format!("g-{id}"), "displayName": format!("Group {id}"), "members": members })
        };
        Value::Array(groups.into_iter().enumerate().map(group).collect())
    })
}

/// What a person does to one record: it may be a new one.
fn edit() -> impl Strategy<Value = Value> {
    let plain = |v: &Value| v.as_str().is_some_and(|s| !s.chars().any(char::is_control));
    let pinned = prop_oneof![
        Just(json!(false)),
        Just(json!(true)),
        Just(json!(["username"])),
        Just(json!(["status", "email"])),
        Just(json!(["access", "role", "client"])),
    ];
    let names = (prop::option::weighted(0.3, odd()), prop::option::weighted(0.3, address()), prop::option::weighted(0.3, odd()));
    let state = (
        prop::option::weighted(0.6, pick(&["active", "inactive", "active", "inactive", "archived"])),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.3, pinned),
        prop::option::weighted(0.1, any::<bool>()),
    );
    (0..7usize, any::<bool>(), names, state).prop_map(
        move |(record, agent, (username, email, title), (status, access, pinned, root))| {
            let person = object(vec![
                ("id", Some(json!(format!("p-{record}")))),
                ("kind", Some(json!(if agent { "agent" } else { "contact" }))),
                ("client", (!agent).then(|| json!("c-0"))),
                ("last_name", Some(json!("Byron"))),
                ("username", username.filter(plain)),
                ("email", email.filter(plain)),
                ("job_title", title.filter(plain)),
                ("status", status.map(Value::from)),
                ("access", access.map(Value::from)),
                ("pinned", pinned),
                ("root", root.map(Value::from)),
            ]);
            json!({ "people": [person] })
        },
    )
}

/// What a person answers; where nothing is asked, or not that, it is refused and nothing happens.
fn answers() -> impl Strategy<Value = Value> {
    let one = (0..6usize, pick(&["link", "create", "dismiss", "reopen"]), 0..7usize).prop_map(|(user, action, record)| {
        let record = (action == "link").then(|| json!(format!("p-{record}")));
        object(vec![("user", Some(json!(format!("u-{user}")))), ("action", Some(json!(action))), ("record", record)])
    });
    prop::collection::vec(one, 1..4).prop_map(Value::from)
}

/// What happens between two plans.
fn step(hour: u32) -> impl Strategy<Value = Value> {
    let run = prop_oneof![4 => Just("full"), 2 => Just("delta"), 1 => Just("incomplete")];
    let told = (prop::option::of(users()), prop::option::weighted(0.3, groups()));
    let gone = (
        prop::collection::btree_set(0..6usize, 0..2),
        prop::collection::btree_set(0..6usize, 0..2),
        prop::collection::btree_set(0..6usize, 0..3),
    );
    let hand = (prop::option::weighted(0.4, edit()), prop::option::weighted(0.3, answers()));
    (run, told, gone, hand, prop::option::weighted(0.25, policy())).prop_map(
        move |(run, (users, groups), (deleted, missing, removed), (edit, resolve), policy)| {
            let ids =
                |ids: std::collections::BTreeSet<usize>| ids.into_iter().map(|u| json!(format!("u-{u}"))).collect::<Vec<_>>();
            object(vec![
                ("run", Some(json!(run))),
                ("now", Some(json!(format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)))),
                ("policy", policy),
                ("edit", edit),
                ("resolve", resolve),
                (
                    "entra",
                    Some(object(vec![
                        ("users", users.map(Value::from)),
                        ("groups", groups),
                        ("delete", Some(json!(ids(deleted)))),
                        ("missing", Some(json!(ids(missing)))),
                        ("remove_members", Some(json!({ "g-0": ids(removed) }))),
                    ])),
                ),
            ])
        },
    )
}

fn world() -> impl Strategy<Value = Value> {
    let steps = (1..5u32).prop_flat_map(|n| (1..=n).map(|at| step(at * 7)).collect::<Vec<_>>());
    (policy(), users(), groups(), records(), steps).prop_map(|(policy, users, groups, records, mut steps)| {
        steps.insert(0, json!({ "run": "full" }));
        // Nothing happens any more: the first brings everything up to date, the second corrects what a link has left to the next full
        // run (ruling 105), the third has nothing left to do.
        steps.extend((0..3).map(|_| json!({ "run": "full" })));
        json!({
            "name": "made",
            "policy": policy,
            "tenant": { "id": "t", "domain": "one.example", "client": "c-0" },
            "entra": { "users": users, "groups": groups },
            "records": {
                "clients": [{ "id": "c-0", "name": "Zero" }, { "id": "c-1", "name": "One", "active": true }],
                "people": records,
            },
            "steps": steps,
        })
    })
}

fn objections(plan: &Finished<'_>) -> Vec<String> {
    checker::objections(PlanFacts::new(plan.policy, plan.run), plan.users, plan.answers, plan.decisions, plan.weights)
}

/// As many as cost some seconds; `PROPTEST_CASES` asks for more.
const CASES: u32 = 300;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(CASES), ..ProptestConfig::default() })]

    #[test]
    fn the_checker_never_refuses_what_the_planner_plans_and_twice_is_once(world in world()) {
        let scenarios = match policy::scenario::parse("made.json", &world.to_string()) {
            Ok(scenarios) => scenarios,
            Err(faults) => return Err(TestCaseError::reject(format!("{faults:?}"))),
        };
        let result = run_scenario(&scenarios[0], &mut objections);
        let failures = result.steps.iter().flat_map(|s| s.faults().map(move |f| format!("step {}: {f}", s.number)));
        let said: Vec<String> = failures.filter(|f| f.contains("contradicts")).collect();
        let told = || format!("{}\n{world}\n{}", said.join("\n"), planner::world::plan_json(&result));
        prop_assert!(said.is_empty(), "{}", told());
        let [.., before, last] = result.steps.as_slice() else { return Err(TestCaseError::fail("two steps at least")) };
        prop_assert!(before.shown.held || last.shown.changes.is_empty(), "{}", told());
    }
}
