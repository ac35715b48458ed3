//! Answers to review items that cannot be followed: the step says why, and nothing has changed (rulings 13 and 112).

use planner::world::run_scenario;

const WORLD: &str = "
name: refused
policy: { preset: alga, rules: [ { id: all, order: 1, when: {}, then: { kind: contact } } ] }
tenant: { id: t, domain: acme.example, client: acme }
entra:
  users:
    - { id: u-ada, surname: Byron, mail: ada@acme.example }
    - { id: u-bob, surname: Stone, mail: bob@acme.example }
records:
  clients: [ { id: acme, name: Acme } ]
  people:
    - { id: a1, kind: contact, client: acme, email: ada@acme.example, last_name: Byron }
    - { id: a2, kind: contact, client: acme, email: ada@acme.example, last_name: Byron }
    - { id: b, kind: contact, client: acme, email: bob@acme.example, last_name: Stone, linked_to: u-bob }
    - { id: old, kind: contact, client: acme, email: old@acme.example, last_name: Old, status: archived }
steps:
  - expect: { changes: [], review: [ { user: u-ada, why: ambiguous_match } ] }
";

/// What the second step says to an answer; the item is open afterwards all the same.
fn said(answer: &str) -> String {
    let text = format!(
        "{WORLD}  - resolve: [ {answer} ]\n    expect: {{ changes: [], review: [ {{ user: u-ada, why: ambiguous_match }} ] }}\n"
    );
    let scenarios = policy::scenario::parse("refused.yaml", &text).expect("a sound scenario");
    let result = run_scenario(&scenarios[0], &mut |_| Vec::new());
    let failures: Vec<_> = result.steps[1].faults().collect();
    assert_eq!(failures.len(), 1, "{answer}: {failures:?}");
    assert!(failures[0].at.starts_with("refused.yaml:18:"), "{}", failures[0].at);
    failures[0].message.clone()
}

#[test]
fn r13_what_cannot_be_followed_is_refused_with_the_reason_and_nothing_changes() {
    for (answer, why) in [
        ("{ user: u-ada, action: link, record: b }", "is linked to u-bob"),
        ("{ user: u-ada, action: link, record: old }", "is archived"),
        ("{ user: u-ada, action: link, record: nobody }", "there is no record \"nobody\""),
        ("{ user: u-bob, action: create }", "nothing is asked about u-bob"),
        ("{ user: u-bob, action: dismiss }", "nothing is asked about them"),
        ("{ user: u-ada, action: reopen }", "no item that was dismissed or resolved"),
        ("{ user: u-nobody, action: create }", "nothing is asked about them"),
    ] {
        let said = said(answer);
        assert!(said.contains(why), "{answer}: {said}");
    }
}

#[test]
fn r13_a_record_that_is_the_users_own_already_is_no_answer_to_what_is_asked_of_the_other_one() {
    let text = "
name: refused
policy: { preset: alga, matching: { on_none: review }, rules: [ { id: all, order: 1, when: {}, then: { kind: agent_and_contact } } ] }
tenant: { id: t, domain: acme.example, client: acme }
entra: { users: [ { id: u-ada, surname: Byron, mail: ada@acme.example } ] }
records:
  clients: [ { id: acme, name: Acme } ]
  people: [ { id: a, kind: contact, client: acme, email: ada@acme.example, last_name: Byron, linked_to: u-ada } ]
steps:
  - expect: { changes: [], review: [ { user: u-ada, why: no_match } ] }
  - resolve: [ { user: u-ada, action: link, record: a } ]
    expect: { changes: [], review: [ { user: u-ada, why: no_match } ] }
";
    let scenarios = policy::scenario::parse("own.yaml", text).expect("a sound scenario");
    let result = run_scenario(&scenarios[0], &mut |_| Vec::new());
    let said: Vec<_> = result.steps[1].faults().map(|f| f.message.clone()).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("has record") && said[0].contains("one contact at most"), "{said:?}");
}
