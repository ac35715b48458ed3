//! The file format of scenarios.

use model::directory::Sku;
use model::plan::Verb;
use model::reason::ReviewWhy;
use model::run::RunKind;
use model::{Field, Kind, SourceId, Status, Value};
use policy::scenario::{Scenario, Verdict, parse};

fn one(text: &str) -> Scenario {
    let mut found = parse("s.yaml", text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn faults(text: &str) -> Vec<String> {
    parse("s.yaml", text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// A step in a scenario of its own; its text begins in column 5 of line 3.
fn step(text: &str) -> String {
    format!("name: x\nsteps:\n  - {text}\n")
}

const EXAMPLE: &str = include_str!("example.yaml");

#[test]
fn the_documented_example_reads_as_it_stands() {
    let s = one(EXAMPLE);
    assert_eq!(s.name, "lowest order wins, and a local edit stands until Entra changes");
    assert_eq!(s.policy.preset, "bms");
    assert_eq!(s.policy.policy.rules.len(), 2);
    assert_eq!(s.tenant.client.as_deref(), Some("acme"));
    assert_eq!(s.entra.groups[0].members, [SourceId::new("u-ada")]);
    assert_eq!(s.entra.groups[1].told.created.as_deref(), Some("2019-01-01T00:00:00Z"));
    let ada = &s.entra.users[0];
    assert_eq!(ada.attributes.text("mail"), Some("Ada@Acme.example"));
    assert_eq!(ada.attributes.get("accountEnabled"), &Value::Bool(true));
    assert_eq!(ada.manager, None, "not told");
    assert_eq!(s.records.clients[0].name.as_deref(), Some("Acme"));
    assert_eq!(s.steps.len(), 3);

    let expect = s.steps[0].expect.as_ref().expect("expectations");
    let create = &expect.changes.as_ref().expect("changes")[0];
    assert_eq!((create.verb, create.kind), (Verb::Create, Some(Kind::Agent)));
    assert_eq!(create.set[&Field::ROLE], "technician");
    assert_eq!(create.at.to_string(), "s.yaml:21:11", "a failed expectation is reported here");
    assert_eq!(expect.review, None, "left out is not judged");
    assert!(!expect.held, "left out is not held");

    let edit = &s.steps[1].edit.people[0];
    assert_eq!((edit.id.as_deref(), edit.linked_to.clone()), (None, Some(Some(SourceId::new("u-ada")))));
    assert_eq!(edit.fields[&Field::JOB_TITLE], "Countess");
    assert_eq!(s.steps[1].expect.as_ref().and_then(|e| e.changes.as_ref()).map(Vec::len), Some(0));

    let told = &s.steps[2].entra.told.users[0];
    assert_eq!(told.attributes.iter().collect::<Vec<_>>(), [("surname", &Value::from("Lovelace"))]);
    assert!(s.steps.iter().all(|step| step.run == RunKind::Full && step.now == policy::scenario::START));
}

#[test]
fn every_part_of_the_format_has_its_place() {
    let s = one(r#"
name: everything
tenant: { id: AAAAAAAA-0000-0000-0000-000000000001, domain: acme.example }
entra:
  users:
    - { id: u-1, manager: { id: u-2 }, employeeId: 0042, mail: null, signInActivity: { lastSignInDateTime: x }, ageGroup: Adult }
    - { id: u-2, manager: null, extension_0123456789abcdef0123456789abcdef_floor: 3, businessPhones: ["1"] }
  groups:
    - { id: g, displayName: Staff, createdDateTime: null, members: [u-1, g2], securityEnabled: true }
  skus:
    - { skuId: s1, skuPartNumber: SPE_E3, servicePlans: [{ servicePlanName: TEAMS1, provisioningStatus: Success }] }
records:
  clients: [{ id: 7, name: Acme, status: inactive }]
  sites: [{ id: s, client: 7, name: Leeds }]
  people:
    - { kind: contact, client: 7, linked_to: u-1, status: inactive, deactivated_by: sync, tickets: true, invoices: 3, phone: 123 }
    - { id: root, kind: agent, root: true, access: false, role: admin, manager: p, stands_for: [approver], cost_centre: 9 }
steps:
  - now: 2026-02-01T00:00:00Z
    run: incomplete
    edit:
      clients: [{ id: 7, active: true }]
      people: [{ id: root, email: null, linked_to: null, client: ~ }, { id: p9, kind: contact }]
    entra:
      remove_members: { g: [u-1] }
      users: [{ id: u-1, department: IT }]
      delete: [g]
      missing: [u-2]
    expect:
      held: true
      changes:
        - { do: link, kind: contact, user: u-1, record: root, rule: r, set: { role: null, status: inactive }, keep: [email] }
      review:
        - { user: u-1, why: ambiguous_match, candidates: [root, p9] }
        - { rule: r, why: client_unresolved, users: [u-2, u-1] }
      reports: [{ user: u-1, field: phone, why: too_long }, { why: drift }]
      out_of_scope: { "require:mail": [u-2], no rule: [] }
  - approve: true
    policy: { scope: { guests: include } }
  - reject: true
    now: 2026-02-01T00:00:00Z
    run: delta
"#);
    assert_eq!(s.tenant.id.as_str(), "aaaaaaaa-0000-0000-0000-000000000001");
    assert_eq!(s.policy.preset, "msp", "no policy is the recommended one");
    let (first, second) = (&s.entra.users[0], &s.entra.users[1]);
    assert_eq!(first.manager, Some(Some(SourceId::new("u-2"))));
    assert_eq!(second.manager, Some(None));
    assert_eq!(first.attributes.get("employeeId"), "0042", "Graph's values are texts, however YAML reads them");
    assert!(first.attributes.has("mail") && first.attributes.get("mail").is_null());
    assert!(first.attributes.has("signInActivity"));
    assert!(!first.attributes.has("ageGroup"), "never read, so never known");
    assert_eq!(second.attributes.get("extension_0123456789abcdef0123456789abcdef_floor"), 3);
    assert_eq!(s.entra.groups[0].told.created, None);
    let sku: &Sku = &s.entra.skus.as_ref().expect("told")[0];
    assert_eq!(sku.service_plans[0].service_plan_name, "TEAMS1");

    assert_eq!((s.records.clients[0].id.as_str(), s.records.clients[0].active), ("7", Some(false)));
    assert_eq!(s.records.sites[0].client.as_deref(), Some("7"));
    let (contact, root) = (&s.records.people[0], &s.records.people[1]);
    assert_eq!((contact.id.as_deref(), contact.kind), (Some("people[0]"), Some(Kind::Contact)));
    assert_eq!((contact.status, contact.deactivated_by_sync), (Some(Status::Inactive), Some(true)));
    assert_eq!((contact.tickets, contact.invoices), (Some(1), Some(3)));
    assert_eq!(contact.fields[&Field::PHONE], "123");
    assert_eq!((root.root, root.access), (Some(true), Some(false)));
    assert_eq!(root.fields[&Field::new("cost_centre")], 9);
    assert_eq!(root.stands_for.as_deref(), Some(&["approver".to_owned()][..]));

    let [one, two, three] = &s.steps[..] else { panic!("three steps") };
    assert_eq!(one.run, RunKind::Incomplete);
    assert_eq!(one.edit.people[0].linked_to, Some(None), "unlinked");
    assert_eq!(one.edit.people[0].client, Some(None), "cleared");
    assert_eq!(one.edit.people[0].fields[&Field::EMAIL], Value::Null);
    assert_eq!(one.entra.remove_members, [(SourceId::new("g"), vec![SourceId::new("u-1")])]);
    assert_eq!((one.entra.delete.len(), one.entra.missing.len()), (1, 1));
    let expect = one.expect.as_ref().expect("expectations");
    assert!(expect.held);
    assert_eq!(expect.changes.as_ref().expect("changes")[0].keep, [Field::EMAIL]);
    let review = expect.review.as_ref().expect("review");
    assert_eq!(review[0].why, Some(ReviewWhy::AmbiguousMatch));
    assert_eq!(review[1].users, [SourceId::new("u-1"), SourceId::new("u-2")]);
    assert_eq!(expect.reports.as_ref().expect("reports")[1].user, None);
    assert_eq!(expect.out_of_scope.as_ref().expect("names")["no rule"], []);

    assert_eq!((two.verdict, three.verdict), (Some(Verdict::Approve), Some(Verdict::Reject)));
    assert!(two.policy.as_ref().expect("a new policy").policy.scope.guests);
    assert_eq!(two.now, one.now, "the clock stands still between steps that do not name it");
    assert!(three.policy.is_none());
}

#[test]
fn a_file_holds_one_scenario_a_document() {
    let found = parse("s.yaml", "name: a\nsteps: [{}]\n---\nname: b\nsteps: [{}]\n---\n").expect("scenarios");
    let names: Vec<_> = found.iter().map(|s| (s.name.as_str(), s.at.line)).collect();
    assert_eq!(names, [("a", 1), ("b", 4)]);
    assert_eq!(faults(""), ["s.yaml:1:1: the file holds no scenario; begin one with name: and steps:"]);
}

#[test]
fn policies_of_steps_add_up() {
    let s = one(
        "name: x\npolicy: { preset: bms, scope: { guests: include } }\nsteps:\n- policy: { scope: { disabled: include } }\n- policy: { scope: { guests: exclude } }\n",
    );
    let scope = |i: usize| s.steps[i].policy.as_ref().expect("a policy").policy.scope.clone();
    assert_eq!((scope(0).guests, scope(0).disabled), (true, true));
    assert_eq!((scope(1).guests, scope(1).disabled), (false, true));
    assert_ne!(s.policy.digest, s.steps[0].policy.as_ref().expect("a policy").digest);
}

#[test]
fn faults_of_policies_inside_keep_their_place_and_pointer() {
    let text = "name: x\npolicy: { preset: bmz }\nsteps:\n- policy: { scope: { guest: include } }\n- expect: { held: false }\n";
    let found = parse("s.yaml", text).expect_err("faults");
    let told: Vec<_> = found.iter().map(|f| (f.to_string(), f.pointer.as_str())).collect();
    assert_eq!(
        told,
        [
            ("s.yaml:2:19: preset must be msp, bms, halo or alga, not \"bmz\"; did you mean bms?".to_owned(), "/policy/preset"),
            ("s.yaml:4:22: unknown key \"guest\" in scope; did you mean \"guests\"?".to_owned(), "/steps/0/policy/scope/guest"),
        ]
    );
}

#[test]
fn what_a_scenario_may_not_say_is_refused_in_its_place() {
    for (text, expected) in [
        ("{ expect: {} }", "3:15: expect: {} expects nothing; name changes, review or held, or take expect out"),
        ("{ resolve: [{ user: u, action: link }] }", "3:17: a link names the record it is about: { user, action: link, record }"),
        ("{ edit: { people: [{ id: p, pinned: role }] } }", "3:41: pinned must be true or a list of fields, not \"role\""),
        ("{ edit: { people: [{ email: a@b.example }] } }", "3:24: which record is this? name it by id, or by linked_to"),
        ("{ approve: true, reject: true }", "3:5: a plan is either approved or rejected; keep one of approve and reject"),
        (
            "{}\n  - { now: 2025-01-01T00:00:00Z }",
            "4:12: now goes back behind 2026-01-01T00:00:00Z; the clock of a scenario only goes on",
        ),
        ("{ now: tomorrow }", "3:12: now must be a time like 2026-01-31T12:00:00Z, not \"tomorrow\""),
        ("{ run: partial }", "3:12: run must be full, delta or incomplete, not \"partial\""),
        ("{ expects: {} }", "3:7: unknown key \"expects\" in a step; did you mean \"expect\"?"),
        (
            "{ entra: { users: [{ id: u, displayname: Ada }] } }",
            "3:33: users have no attribute \"displayname\"; did you mean displayName?",
        ),
        (
            "{ entra: { users: [{ id: u, manager: u-2 }] } }",
            "3:42: manager must be a map as Graph gives it; write manager: { id: … }, not \"u-2\"",
        ),
        (
            "{ entra: { users: [{ id: u, accountEnabled: no }] } }",
            "3:49: accountEnabled must be true or false or null, not \"no\"",
        ),
        ("{ entra: { users: [{ id: u, businessPhones: '1' }] } }", "3:49: businessPhones must be a list or null, not \"1\""),
        ("{ entra: { users: [{ displayName: u }] } }", "3:24: a user needs \"id\""),
        ("{ entra: { groups: [{ id: g, member: [] }] } }", "3:34: unknown key \"member\" in a group; did you mean \"members\"?"),
        (
            "{ expect: { changes: [{ do: updat }] } }",
            "3:33: do must be create, link, update, deactivate, reactivate, revoke_access, grant_access, archive or restore, not \"updat\"; did you mean update?",
        ),
        (
            "{ expect: { changes: [{ do: update, set: { fist_name: x } }] } }",
            "3:48: unknown field \"fist_name\"; did you mean first_name?",
        ),
        (
            "{ expect: { review: [{ why: no_match }] } }",
            "3:26: a review item needs \"user\", or \"users\" when it stands for a rule",
        ),
        ("{ expect: { held: maybe } }", "3:23: held must be true or false, not \"maybe\""),
    ] {
        assert_eq!(faults(&step(text)), [format!("s.yaml:{expected}")], "for {text}");
    }
    let start = |records: &str| faults(&format!("name: x\nrecords: {records}\nsteps: [{{}}]\n"));
    assert_eq!(start("{ people: [{ id: p }] }"), ["s.yaml:2:21: a person needs \"kind\": agent or contact"]);
    assert_eq!(start("{ sites: [{ id: s }] }"), ["s.yaml:2:20: a site needs \"client\", the client's id"]);
    assert_eq!(
        start("{ people: [{ id: p, kind: agent }, { id: p, kind: agent }] }"),
        ["s.yaml:2:45: the id \"p\" stands twice; give each its own"]
    );
    assert_eq!(faults("name: x\nsteps: []\n"), ["s.yaml:2:8: steps is empty; a scenario shows something in at least one step"]);
    assert_eq!(faults("steps: [{}]\n"), ["s.yaml:1:1: a scenario needs \"name\""]);
}

#[test]
fn req_f03_values_of_standard_fields_have_their_form_and_custom_ones_any() {
    let person = |fields: &str| {
        faults(&format!("name: x\nrecords:\n  people:\n    - {{ id: p, kind: agent, {fields} }}\nsteps: [{{}}]\n"))
    };
    assert_eq!(person("cabs: hand"), ["s.yaml:4:35: cabs must be a list of texts, or null, not \"hand\""]);
    assert_eq!(person("additional_emails: [1, [x]]"), ["s.yaml:4:52: each of additional_emails must be a text, not a list"]);
    assert_eq!(person("phone: [1]"), ["s.yaml:4:36: phone must be one value, or null, not a list"]);
    assert_eq!(person("first_name: { a: b }"), ["s.yaml:4:41: first_name must be one value, or null, not a map"]);
    assert_eq!(person("cabs: [a], extra_roles: null, phone: 12, floors: [1, { a: b }]"), [""; 0]);
}

#[test]
fn req_r96_licences_are_as_graph_gives_them() {
    let user = |licences: &str| {
        faults(&format!("name: x\nentra: {{ users: [{{ id: u, assignedLicenses: {licences} }}] }}\nsteps: [{{}}]\n"))
    };
    assert_eq!(user("[k1]"), ["s.yaml:2:46: a licence must be a map of keys and values, not \"k1\""]);
    assert_eq!(user("[{ skuid: k1 }]").len(), 2);
    assert_eq!(user("[{ disabledPlans: [] }]"), ["s.yaml:2:46: a licence needs \"skuId\""]);
    assert_eq!(user("[{ skuId: k, disabledPlans: p }]"), ["s.yaml:2:73: disabledPlans must be a list, not \"p\""]);
    assert_eq!(user("[{ skuId: k, disabledPlans: [p] }]"), [""; 0]);
    assert_eq!(user("null"), [""; 0]);
}

#[test]
fn req_r20_guids_are_lower_case_inside_the_names_of_new_records_too() {
    let guid = "AAAAAAAA-0000-0000-0000-000000000001";
    let text = format!(
        "name: x\nsteps:\n  - edit: {{ people: [{{ id: \"new:{guid}:agent\", manager: \"user:{guid}\" }}] }}\n    resolve: [{{ user: u, action: link, record: \"new:{guid}:agent\" }}]\n    expect: {{ review: [{{ user: u, candidates: [\"new:{guid}:agent\"] }}] }}\n"
    );
    let step = &one(&text).steps[0];
    let (new, low) = (format!("new:{}:agent", guid.to_lowercase()), guid.to_lowercase());
    assert_eq!(step.edit.people[0].id.as_deref(), Some(new.as_str()));
    assert_eq!(step.edit.people[0].fields[&Field::MANAGER], format!("user:{low}"));
    assert!(matches!(&step.resolve[0].action, policy::scenario::Action::Link(record) if *record == new));
    let review = step.expect.as_ref().and_then(|e| e.review.as_ref()).expect("a review");
    assert_eq!(review[0].candidates, Some(vec![new]));
}
