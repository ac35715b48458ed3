//! What a chain of documents comes to, and that what is written out reads back the same.

use model::policy::{OnGone, OnUnmapped, Overwrite, Percent};
use model::{Field, SourceId};
use policy::{Layer, Loaded, PRESETS, diff, effective, load};
use proptest::prelude::*;

fn chain(texts: &[&str]) -> Loaded {
    let layers: Vec<_> = texts.iter().map(|text| Layer::parse("p.yaml", text).expect("a document")).collect();
    load(&layers).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn presets_are_what_the_documentation_says() {
    for (name, _) in PRESETS {
        let loaded = chain(&[&format!("preset: {name}")]);
        assert_eq!(loaded.preset, name);
        insta::assert_snapshot!(name, effective(&loaded));
    }
}

#[test]
fn the_effective_policy_reads_back_as_itself_whatever_lies_under_it() {
    let mine = "
preset: bms
fields:
  phone: ~
  mobile: { source: mobilePhone, default: '+44 1', overwrite: if_empty }
  contact: { additional_emails: { default: [a@b.example] }, note: { default: \"a: 'b' #c\\n\\u2028 \\\\ é\" } }
guard: { max_removals: off, max_rekeys: 2.5 }
rules:
  - { id: z, order: -1, created: 2020-01-01T02:00:00.5+02:00, when: { groups: [AAAAAAAA-0000-0000-0000-00000000000A] },
      then: { kind: agent_and_contact, client: 'true', site: 'Head: Office', role: tech, defaults: { priority: 3 } } }
  - { id: '12', name: 'No. 12', order: 5, enabled: false, when: { group_names: [' Staff '], include_guests: true },
      then: { kind: contact } }
";
    let loaded = chain(&[mine]);
    let written = effective(&loaded);
    assert_eq!(chain(&[&written]).digest, loaded.digest, "{written}");
    assert_eq!(effective(&chain(&[&written])), written);
    let elsewhere =
        chain(&["preset: msp\nfields: { contact: { phone: { overwrite: always } } }\nguard: { max_removals: 1 }", &written]);
    assert_eq!(elsewhere.digest, loaded.digest, "what lies under a whole document decides nothing");
    insta::assert_snapshot!("effective", written);
}

#[test]
fn maps_merge_key_by_key_and_lists_replace() {
    let loaded = chain(&[
        "scope: { guests: include, require: [mail] }\nmatching: { on_none: review }",
        "scope: { require: [userPrincipalName, department] }",
    ]);
    assert!(loaded.policy.scope.guests, "a key of the same map that the second document does not name stays");
    assert_eq!(loaded.policy.scope.require, ["userPrincipalName", "department"]);
    assert_eq!(chain(&["rules: []"]).policy.rules, [], "a list replaces the preset's");
}

#[test]
fn the_most_special_document_names_the_preset() {
    assert_eq!(chain(&["preset: bms", "preset: alga", "scope: { guests: include }"]).preset, "alga");
}

#[test]
fn flat_keys_stand_for_both_kinds_before_anything_is_merged() {
    let loaded = chain(&[
        "preset: alga\nlifecycle: { contact: { on_deleted: ignore, on_unmapped: deactivate } }",
        "lifecycle: { on_deleted: deactivate, agent: { on_deleted: ignore } }",
    ]);
    let lifecycle = &loaded.policy.lifecycle;
    assert_eq!(lifecycle.contact.on_deleted, OnGone::Deactivate, "the tenant's flat key wins over the template's for one kind");
    assert_eq!(lifecycle.agent.on_deleted, OnGone::Ignore, "within one document the kind's own key wins");
    assert_eq!(lifecycle.contact.on_unmapped, OnUnmapped::Deactivate);
}

#[test]
fn req_f06_a_field_is_switched_on_or_off_alone() {
    let loaded = chain(&["preset: alga\nfields: { job_title: { overwrite: on_change }, agent: { phone: ~ } }"]);
    let fields = &loaded.policy.fields;
    assert_eq!(fields.contact[&Field::JOB_TITLE].overwrite, Overwrite::OnChange);
    assert!(fields.contact[&Field::JOB_TITLE].source.is_some(), "the source is still the preset's");
    assert_eq!(fields.contact[&Field::PHONE].overwrite, Overwrite::Never);
    assert!(!fields.agent.contains_key(&Field::PHONE));
}

#[test]
fn shares_are_exact() {
    let guard = |text: &str| chain(&[&format!("guard: {{ max_removal_share: {text} }}")]).policy.guard.max_removal_share;
    assert_eq!(guard("10"), Some(Percent(100_000)));
    assert_eq!(guard("2.5"), Some(Percent(25_000)));
    assert_eq!(guard("0.0001%"), Some(Percent(1)));
    assert_eq!(guard("0"), Some(Percent(0)));
    assert_eq!(guard("off"), None);
}

#[test]
fn guids_are_one_id_in_any_case() {
    let loaded = chain(&[
        "rules: [{ id: r, order: 1, when: { groups: [AAAAAAAA-0000-0000-0000-00000000000A, Staff] }, then: { kind: contact } }]",
    ]);
    let groups = loaded.policy.rules[0].when.groups.clone().expect("groups");
    assert_eq!(groups, [SourceId::new("aaaaaaaa-0000-0000-0000-00000000000a"), SourceId::new("Staff")]);
}

#[test]
fn the_digest_is_of_what_is_decided_not_of_how_it_is_written() {
    let rules = |ids: [&str; 2]| {
        let rule = |id| format!("{{ id: {id}, order: 1, when: {{}}, then: {{ kind: contact }} }}");
        chain(&[&format!("rules: [{}, {}]", rule(ids[0]), rule(ids[1]))]).digest
    };
    assert_eq!(rules(["a", "b"]), rules(["b", "a"]), "the place in the list does not matter");
    assert_ne!(rules(["a", "b"]), rules(["a", "c"]));
    assert_eq!(chain(&["{\"preset\": \"msp\", \"scope\": {\"guests\": \"exclude\"}}"]).digest, chain(&[]).digest);
    assert_eq!(chain(&[]).digest.len(), 64);
}

#[test]
fn a_difference_names_settings_as_they_are_written() {
    let before = chain(&["rules: [{ id: staff, order: 1, when: {}, then: { kind: contact, role: user } }]"]);
    let after = chain(&["guard: { max_removals: off }\nrules: [{ id: staff, order: 2, when: {}, then: { kind: contact } }]"]);
    let lines = diff(&before.policy, &after.policy);
    insta::assert_json_snapshot!("difference", lines);
    assert_eq!(diff(&before.policy, &before.policy), []);
}

/// Documents that use every section, written at random.
fn documents() -> impl Strategy<Value = String> {
    let pick = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
    let field = (
        pick(&["first_name", "email", "phone", "mobile", "employee_id", "cost_centre", "user_type"]),
        pick(&[
            "mail",
            "jobTitle",
            "businessPhones[0]",
            "upn",
            "onPremisesExtensionAttributes.extensionAttribute7",
            "mail_or_upn",
        ]),
        pick(&["on_change", "always", "if_empty", "never"]),
        prop::option::of("[a-z]{1,8}@[a-z]{1,8}\\.example"),
    );
    let fields = prop::collection::btree_map(field.0, (field.1, field.2, field.3), 0..4);
    let rule = ("[ -~]{1,8}", any::<i32>(), any::<bool>(), prop::option::of(0i64..4_000_000_000), prop::option::of("\\PC{1,12}"));
    let rules = prop::collection::btree_map("[a-zA-Z0-9._:#-]{1,6}", rule, 0..4);
    let presets = pick(&["msp", "bms", "alga"]);
    let (life, share) = (pick(&["deactivate", "ignore"]), pick(&["off", "0", "7", "2.5", "33.3333"]));
    (presets, fields, rules, life, share).prop_map(|(preset, fields, rules, life, share)| {
        let quoted = |s: &str| serde_json::to_string(s).unwrap_or_default();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, (source, overwrite, default))| {
                let default = default.as_deref().map_or("~".to_owned(), quoted);
                format!("{name}: {{ source: \"{source}\", overwrite: {overwrite}, default: {default} }}")
            })
            .collect();
        let rules: Vec<_> = rules
            .iter()
            .map(|(id, (name, order, enabled, created, role))| {
                let created = created.map_or("~".to_owned(), |s| {
                    jiff::Timestamp::from_second(s).map(|t| t.to_string()).unwrap_or_default()
                });
                let role = role.as_deref().map(str::trim).filter(|r| !r.is_empty()).map_or(String::new(), |r| format!(", role: {}", quoted(r)));
                let name = if name.trim().is_empty() { "x" } else { name };
                format!(
                    "{{ id: {}, name: {}, order: {order}, enabled: {enabled}, created: {created}, when: {{}}, then: {{ kind: contact{role} }} }}",
                    quoted(id),
                    quoted(name),
                )
            })
            .collect();
        format!(
            "preset: {preset}\nfields: {{ {} }}\nrules: [{}]\nlifecycle: {{ on_missing: {life} }}\nguard: {{ max_rekeys: {share} }}\n",
            fields.join(", "),
            rules.join(", ")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn export_and_import_are_inverse(text in documents()) {
        let loaded = chain(&[&text]);
        let written = effective(&loaded);
        let back = chain(&[&written]);
        prop_assert_eq!(&back.digest, &loaded.digest, "{}", written);
        prop_assert_eq!(diff(&back.policy, &loaded.policy), vec![]);
    }
}
