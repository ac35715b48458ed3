//! Every fault says what is wrong, where, and what to do; all of them are said at once.

use policy::{Layer, load};

/// The faults of a document over its preset, as a person reads them.
fn faults(text: &str) -> Vec<String> {
    let found = Layer::parse("p.yaml", text).and_then(|layer| load(&[layer])).map(|_| ());
    found.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// A document with one rule, around what is to be judged in it.
fn rule(of: &str) -> String {
    format!("rules:\n  - {{ id: r, order: 1, when: {{}}, then: {{ kind: contact }}, {of} }}\n")
}

#[track_caller]
fn one(text: &str, expected: &str) {
    assert_eq!(faults(text), [expected], "for the document:\n{text}");
}

#[test]
fn an_empty_document_is_the_recommended_preset() {
    assert_eq!(faults(""), [""; 0]);
    assert_eq!(faults("# nothing but a comment\n"), [""; 0]);
    assert_eq!(load(&[]).expect("the preset alone").preset, "msp");
}

#[test]
fn unknown_keys_are_refused_with_the_one_that_was_meant() {
    one("scop: {}", "p.yaml:1:1: unknown key \"scop\"; did you mean \"scope\"?");
    one("scope:\n  guest: include", "p.yaml:2:3: unknown key \"guest\" in scope; did you mean \"guests\"?");
    one("username: { anything: 1 }", "p.yaml:1:13: unknown key \"anything\" in username; it takes on_collision");
    one("lifecycle: { on_delete: ignore }", "p.yaml:1:14: unknown key \"on_delete\" in lifecycle; did you mean \"on_deleted\"?");
}

#[test]
fn all_faults_are_told_in_the_order_of_their_places() {
    let text = "preset: bmz\nscope:\n  guests: maybe\n  require: [mial]\nguard:\n  max_removals: -1\n";
    assert_eq!(
        faults(text),
        [
            "p.yaml:1:9: preset must be msp, bms or alga, not \"bmz\"; did you mean bms?",
            "p.yaml:3:11: scope.guests must be exclude or include, not \"maybe\"",
            "p.yaml:4:13: scope.require: users have no attribute \"mial\"; did you mean mail?",
            "p.yaml:6:17: guard.max_removals must be a whole number from 0 to 100000000, or off, not -1",
        ]
    );
}

#[test]
fn a_fault_carries_the_json_pointer_of_what_was_written() {
    let text = "lifecycle: { on_deleted: never }\nrules:\n  - { id: a/b, order: x, when: {}, then: { kind: contact } }\n";
    let found = Layer::parse("p.yaml", text).and_then(|l| load(&[l])).expect_err("faults");
    let pointers: Vec<_> = found.iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(pointers, ["/lifecycle/on_deleted", "/rules/0/order"], "a flat key is one fault, not one for each kind");
}

#[test]
fn what_a_later_version_carries_out_is_refused_by_name() {
    for (text, key, column) in [
        ("preset: halo", "preset halo", 9),
        ("role_mappings: []", "role_mappings", 1),
        ("cab_mappings: []", "cab_mappings", 1),
        ("role_without_manager: guest", "role_without_manager", 1),
        ("inactive_roles: []", "inactive_roles", 1),
        ("scope: { app_assigned: true }", "app_assigned", 24),
        ("scope: { exclude: [{ name: bots, filter: 'x' }] }", "filter", 34),
        ("guard: { apply_safe_part: true }", "apply_safe_part", 27),
        ("guard: { fleet_max_removal_share: 1 }", "fleet_max_removal_share", 10),
        ("lifecycle: { grace: 3d }", "grace", 14),
        ("lifecycle: { contact: { grace: 24h } }", "grace", 25),
        ("lifecycle: { on_kind_change: both }", "both", 30),
        ("matching: { keys: [object_id, upn] }", "upn", 31),
        ("matching: { keys: [{ field: employee_id, source: employeeId }] }", "a matching key with a source", 20),
        ("fields: { cabs: { default: [a] } }", "cabs", 11),
        ("fields: { manager: { source: manager } }", "manager", 11),
        ("fields: { boss: { source: manager.displayName } }", "manager", 27),
        ("fields: { job_title: { source: 'lower(jobTitle)' } }", "expression as a source", 32),
        ("fields: { x: { source: signInActivity.lastSignInDateTime } }", "signInActivity", 24),
    ] {
        one(text, &format!("p.yaml:1:{column}: not supported yet: {key}"));
    }
    let filter = "rules:\n- { id: r, order: 1, then: { kind: agent }, when: { filter: x } }";
    one(filter, "p.yaml:2:53: not supported yet: filter");
    for key in ["site_from", "licence_type", "cabs"] {
        let text = format!("rules:\n- {{ id: r, order: 1, when: {{}}, then: {{ kind: agent, {key}: x }} }}");
        one(&text, &format!("p.yaml:2:53: not supported yet: {key}"));
    }
}

#[test]
fn a_presets_own_value_may_be_repeated_though_it_may_not_be_chosen() {
    assert_eq!(faults("preset: bms\nlifecycle: { on_kind_change: archive_and_recreate }"), [""; 0]);
    assert_eq!(faults("preset: bms\nlifecycle: { on_kind_change: review }"), [""; 0]);
    one(
        "preset: alga\nlifecycle: { on_kind_change: archive_and_recreate }",
        "p.yaml:2:30: not supported yet: archive_and_recreate",
    );
    assert_eq!(faults("scope: { app_assigned: false }\nguard: { apply_safe_part: false }\nlifecycle: { grace: 0 }"), [""; 0]);
}

#[test]
fn req_r01_rules_need_what_decides_between_them() {
    one("rules: [{ id: r, when: {}, then: { kind: agent } }]", "p.yaml:1:9: rule \"r\" needs \"order\"");
    one(&rule("enabled: yes"), "p.yaml:2:68: enabled of rule \"r\" must be true or false, not \"yes\"");
    one(
        "rules: [{ id: r, order: 1.5, when: {}, then: { kind: agent } }]",
        "p.yaml:1:25: the order of rule \"r\" must be a whole number from -2147483648 to 2147483647, not 1.5",
    );
    one(
        "rules:\n- { id: r, order: 1, when: {}, then: { kind: agent } }\n- { id: r, order: 1, when: {}, then: { kind: agent } }\n",
        "p.yaml:3:3: the rule id \"r\" stands twice, first at line 2; give each rule its own",
    );
    one(
        &rule("created: 2020-01-01"),
        "p.yaml:2:68: created of rule \"r\" must be a time like 2026-01-31T12:00:00Z, not \"2020-01-01\"",
    );
    one("rules:", "p.yaml:1:6: rules must be a list, not nothing");
}

#[test]
fn a_half_deleted_condition_never_selects_everyone() {
    let with = |when: &str| format!("rules:\n- {{ id: r, order: 1, {when}then: {{ kind: agent }} }}");
    one(&with(""), "p.yaml:2:3: rule \"r\" needs \"when\"; write when: {} to select everyone");
    one(&with("when: ~, "), "p.yaml:2:28: when of rule \"r\" is empty; write when: {} to select everyone");
    one(
        &with("when: { groups: [] }, "),
        "p.yaml:2:38: groups of rule \"r\" is an empty list, which selects nobody; name a group or take the key out",
    );
    one(&with("when: { group_names: [''] }, "), "p.yaml:2:44: each of group_names must not be empty");
    assert_eq!(faults(&with("when: {}, ")), [""; 0]);
}

#[test]
fn req_f01_sources_are_attributes_that_users_have() {
    let with = |field: &str, source: &str| format!("fields: {{ {field}: {{ source: '{source}' }} }}");
    for good in [
        "mail",
        "userPrincipalName",
        "otherMails[0]",
        "mail_or_upn",
        "onPremisesExtensionAttributes.extensionAttribute1",
        "extension_0123456789abcdef0123456789abcdef_costCentre",
    ] {
        assert_eq!(faults(&with("email", good)), [""; 0], "{good}");
    }
    one(&with("email", "email"), "p.yaml:1:28: the source of email: users have no attribute \"email\"; did you mean mail?");
    one(
        &with("phone", "businessPhones"),
        "p.yaml:1:28: the source of phone: businessPhones is a list and phone takes one value; name one of it, as in \
         businessPhones[0]",
    );
    one(
        &with("phone", "businessPhones.first"),
        "p.yaml:1:28: the source of phone: businessPhones is a list; write businessPhones[0] instead of .first",
    );
    one(
        &with("phone", "mobilePhone[0]"),
        "p.yaml:1:28: the source of phone: mobilePhone is one value and has no parts; write mobilePhone alone",
    );
    one(
        &with("phone", "businessPhones[x]"),
        "p.yaml:1:28: the source of phone: \"[x]\" after businessPhones is neither .part nor [0]; write for instance businessPhones[0]",
    );
    one(
        &with("phone", "onPremisesExtensionAttributes.extensionAttribute16"),
        "p.yaml:1:28: the source of phone: onPremisesExtensionAttributes has the parts extensionAttribute1 to \
         extensionAttribute15, not \"extensionAttribute16\"",
    );
    one(&with("phone", "id"), "p.yaml:1:28: the source of phone: the object id is the link itself and cannot be mapped");
}

#[test]
fn fields_that_something_else_decides_cannot_be_mapped() {
    one("fields: { role: { default: x } }", "p.yaml:1:11: role is decided by the rule's then.role, not by a mapping or default");
    one("fields: { emial: { source: mail } }", "p.yaml:1:11: unknown field \"emial\"; did you mean email?");
    one(
        "fields: { Cost Centre: { source: mail } }",
        "p.yaml:1:11: \"Cost Centre\" is no field's name; write a custom field in lower case, as in cost_centre",
    );
    assert_eq!(faults("fields: { cost_centre: { source: department }, phone2: { source: 'businessPhones[1]' } }"), [""; 0]);
    one(
        "fields: { cost_centre: { overwrite: never } }",
        "p.yaml:1:24: the mapping of cost_centre needs a source or a default; write cost_centre: null to leave the field alone",
    );
}

#[test]
fn req_f05_defaults_must_fit_their_field() {
    one("fields: { email: { default: nobody } }", "p.yaml:1:29: the default of email must be an e-mail address, not \"nobody\"");
    let long = "x".repeat(51);
    let found = faults(&format!("fields: {{ phone: {{ default: {long} }} }}"));
    assert_eq!(found, ["p.yaml:1:29: the default of phone is longer than the 50 characters phone takes; shorten it"]);
    one(
        "fields: { phone: { overwrite: if_empty, clear_when_empty: true } }",
        "p.yaml:1:59: clear_when_empty of phone needs overwrite on_change or always",
    );
    one(
        "rules: [{ id: r, order: 1, when: {}, then: { kind: agent, defaults: { client: acme } } }]",
        "p.yaml:1:71: client is decided by the rule's then.client, not by a mapping or default",
    );
}

#[test]
fn requiring_email_needs_a_mapping_that_yields_it() {
    one(
        "fields: { email: ~ }\nscope: { require: [email] }",
        "p.yaml:1:18: scope.require names email, but no source is mapped to it, so nobody would be in scope; map fields.email",
    );
}

#[test]
fn shares_and_limits_say_what_they_take() {
    for good in ["10", "2.5", "0", "10%", "'10 %'", "0.0001", "off", "100"] {
        assert_eq!(faults(&format!("guard: {{ max_removal_share: {good} }}")), [""; 0], "{good}");
    }
    for bad in ["-1", "101", "0.00001", "1e1", "ten", "true", "~", ".5", "'10'"] {
        let found = faults(&format!("guard: {{ max_removal_share: {bad} }}"));
        assert_eq!(found.len(), 1, "{bad}");
        assert!(found[0].contains("must be a percentage from 0 to 100 such as 10 or 2.5, or off, not "), "{}", found[0]);
    }
    assert_eq!(faults("guard: { max_removals: off, max_agent_creates: 0 }"), [""; 0]);
}

#[test]
fn matching_keys_are_told_apart() {
    one(
        "matching: { keys: [] }",
        "p.yaml:1:19: matching.keys is empty; a link always holds, so write [object_id] for nothing else",
    );
    one("matching: { keys: [email, email] }", "p.yaml:1:27: matching.keys has email twice");
    one("matching: { keys: [emial] }", "p.yaml:1:20: matching.keys: there is no key \"emial\"; did you mean email?");
}

#[test]
fn exclusions_are_named_and_name_somebody() {
    one(
        "scope: { exclude: [{ name: bots, local_parts: [] }] }",
        "p.yaml:1:47: local_parts must name at least one; take the entry out if it excludes nobody",
    );
    one(
        "scope: { exclude: [{ name: guests, local_parts: [x] }] }",
        "p.yaml:1:28: users are counted under \"guests\" for another reason; choose another name",
    );
    one("scope: { exclude: [{ local_parts: [x] }] }", "p.yaml:1:20: an entry of scope.exclude needs \"name\"");
}

#[test]
fn warnings_say_what_was_hardly_meant() {
    let warnings = |text: &str| -> Vec<String> {
        let loaded = Layer::parse("p.yaml", text).and_then(|l| load(&[l])).expect("a policy");
        loaded.warnings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(warnings("preset: msp"), [""; 0]);
    assert_eq!(
        warnings("preset: alga\nmatching: { keys: [object_id] }\nrules: [{ id: r, order: 1, when: {}, then: { kind: agent } }]"),
        [
            "p.yaml:2:11: without the key email a person who already has a record gets a second one; add email to matching.keys \
             (M03)",
            "p.yaml:3:8: rules make agents, which need username, and nothing is mapped to it; map fields.agent.username",
        ]
    );
}
