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
            "p.yaml:1:9: preset must be msp, bms, halo or alga, not \"bmz\"; did you mean bms?",
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
fn every_setting_of_the_format_is_read() {
    for good in [
        "preset: halo",
        "scope: { app_assigned: true, exclude: [{ name: bots, filter: 'department == \"Bots\"' }] }",
        "guard: { apply_safe_part: true, fleet_max_removal_share: off }",
        "lifecycle: { grace: 3d, on_kind_change: both }",
        "lifecycle: { contact: { grace: { on_unmapped: 90s, on_deleted: 0 } } }",
        "matching: { keys: [object_id, upn, employee_id, phone, { field: badge, source: faxNumber }] }",
        "fields: { manager: { source: manager }, last_sign_in: { source: signInActivity.lastSignInDateTime } }",
        "fields: { agent: { licence_type: { default: named } }, job_title: { source: 'lower(jobTitle)' } }",
        "role_mappings: [{ id: m, order: 1, group_name: Leads, kind: agent, role: lead, mode: add }]",
        "cab_mappings: [{ group: g, cab: change-board, role: approver }, { group_name: H, cab: change-board }]",
        "role_without_manager: staff\ninactive_roles: [leaver]",
        "role_without_manager: { agent: a, contact: ~ }",
    ] {
        assert_eq!(faults(good), [""; 0], "for the document:\n{good}");
    }
    let rule = "rules: [{ id: r, order: 1, when: { filter: 'department == \"x\"' },\
        then: { kind: agent, site_from: officeLocation, licence_type: no_change, cabs: [b, a] } }]";
    assert_eq!(faults(rule), [""; 0]);
}

#[test]
fn settings_after_the_rule_say_what_they_take() {
    one(
        "lifecycle: { grace: 3 days }",
        "p.yaml:1:21: lifecycle.grace must be 0 or a time of at most 3650d, such as 90s, 15m, 72h or 3d, not \"3 days\"",
    );
    one(
        "lifecycle: { grace: { on_return: 3d } }",
        "p.yaml:1:23: unknown key \"on_return\" in lifecycle.grace; it takes on_deleted, on_disabled, on_missing or on_unmapped",
    );
    one(
        "role_mappings: [{ id: m, order: 1, kind: agent, role: lead }]",
        "p.yaml:1:17: a role mapping needs one of \"group\", an object id, and \"group_name\", an exact name",
    );
    one(
        "cab_mappings: [{ group: g, group_name: G, cab: c }]",
        "p.yaml:1:16: a CAB mapping names a group twice; keep one of \"group\", an object id, and \"group_name\", an exact name",
    );
    let twice = "role_mappings:\n- { id: m, order: 1, group: g, kind: agent, role: a }\n- { id: m, order: 2, group: h, kind: agent, role: b }\n";
    one(twice, "p.yaml:3:3: the role mapping \"m\" stands twice, first at line 2; give each its own id");
    one(
        &rule("name: x").replace("kind: contact", "kind: contact, licence_type: named"),
        "p.yaml:2:71: rule \"r\" makes contacts, and only agents have a licence type; take licence_type out",
    );
    one(
        &rule("name: x").replace("kind: contact", "kind: contact, site: a, site_from: city"),
        "p.yaml:2:77: then of rule \"r\" has site and site_from; keep one of them",
    );
    one(
        "fields: { licence_type: { default: named } }",
        "p.yaml:1:11: only agents have a licence type; write it under fields.agent",
    );
    one(
        &rule("name: x").replace("kind: contact", "kind: contact, defaults: { licence_type: named }"),
        "p.yaml:2:69: rule \"r\" makes contacts, and only agents have a licence type; take its default out",
    );
}

#[test]
fn ruling_43_a_default_licence_type_is_one_of_those_there_are() {
    for (written, said) in
        [("name", "\"name\"; did you mean named?"), ("no_change", "\"no_change\""), ("7", "7"), ("[named]", "a list")]
    {
        one(
            &format!("fields: {{ agent: {{ licence_type: {{ default: {written} }} }} }}"),
            &format!("p.yaml:1:45: the default of licence_type must be named or concurrent, not {said}"),
        );
        one(
            &rule("name: x").replace("kind: contact", &format!("kind: agent, defaults: {{ licence_type: {written} }}")),
            &format!("p.yaml:2:81: the default of licence_type must be named or concurrent, not {said}"),
        );
    }
}

#[test]
fn req_r04_what_names_a_site_is_a_text() {
    for (written, column) in [("accountEnabled", 68), ("'department == \"Sales\"'", 68), ("'!onPremisesSyncEnabled'", 68)] {
        let text = rule("name: x").replace("kind: contact", &format!("kind: contact, site_from: {written}"));
        let said = written.trim_matches('\'');
        one(
            &text,
            &format!(
                "p.yaml:2:{column}: site_from: {said} is true or false, which names nothing; name a text, or write one for each: {said} ? \"A\" : \"B\""
            ),
        );
    }
    let chosen =
        rule("name: x").replace("kind: contact", "kind: contact, site_from: 'department == \"Sales\" ? \"Leeds\" : city'");
    assert_eq!(faults(&chosen), [""; 0]);
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
    one(&with("phone", "id[0]"), "p.yaml:1:28: the source of phone: the object id is one text; write id");
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
