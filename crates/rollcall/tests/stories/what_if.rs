//! What-if: who would change, and how, before a policy is saved; saving shows the same and touches exactly those.

use super::*;
use serde_json::{Value, json};

/// Everybody a contact, and who is in Portal by a rule of their own.
const PORTAL_FIRST: &str = "
preset: bms
rules:
  - { id: portal, order: 1, when: { group_names: [Portal] }, then: { kind: contact, client: from_tenant, role: portal-admin } }
  - { id: everyone, order: 2, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

/// Everybody a contact, and nothing held that is only large.
const EVERYONE_LAST: &str = "
preset: bms
rules:
  - { id: everyone, order: 2, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

fn what_if(s: &Story, text: &str) -> Result<Value> {
    let file = s.file("draft.yaml", text)?;
    s.home.done(&["policy", "what-if", &file, "--tenant", "acme", "--json"])?.json()
}

fn due(s: &Story) -> Result<i64> {
    s.store(async |store| {
        let mut due = 0;
        for tenant in store.tenants().await? {
            due += store.due_count(tenant.key).await?;
        }
        Ok(due)
    })
}

both!(what_if_counts_groups_and_shows_samples_and_saving_touches_exactly_those, EVERYONE_LAST, |s| {
    let ids = six(s)?;
    s.group("Portal", &[&ids[0], &ids[1]])?;
    s.synced_well(&[])?;
    let before = s.dump()?;

    let shown = what_if(s, PORTAL_FIRST)?;
    ensure!(s.dump()? == before, "asking writes nothing");
    ensure!(shown["complete"] == true && shown["looked_at"] == 6 && shown["affected"] == 2 && shown["changes"] == 2, "{shown}");
    ensure!(
        shown["moves"] == json!([{ "from": "rule everyone", "to": "rule portal", "count": 2 }])
            && shown["verbs"] == json!({ "update": 2 })
            && shown["fields"] == json!({ "role": 2 }),
        "{shown}"
    );
    let group = &shown["groups"][0];
    ensure!(group["do"] == "update" && group["rule"] == "portal" && group["count"] == 2, "{shown}");
    let sample = &shown["samples"][0];
    ensure!(
        sample["before"]["role"] == "portal-user" && sample["set"]["role"] == "portal-admin" && sample["why"][0].is_string(),
        "{sample}"
    );
    ensure!(due(s)? == 0, "nobody is due");

    let file = s.file("draft.yaml", PORTAL_FIRST)?;
    let saved = s.home.done(&["policy", "import", &file, "--tenant", "acme"])?;
    ensure!(saved.stdout.contains("affects 2 users"), "{}", saved.stdout);
    ensure!(due(s)? == 2, "exactly those two");
    let run = s.synced_well(&[])?;
    ensure!(run.count("update") == 2 && run.count("users") == 2, "the plan is what was shown: {run:?}");

    let back = s.home.done(&["policy", "versions", "acme", "--json"])?.json()?;
    let older = back[1]["version"].to_string();
    let restored = s.home.done(&["policy", "restore", &older, "--tenant", "acme"])?;
    ensure!(restored.stdout.contains("affects 2 users"), "{}", restored.stdout);
    let run = s.synced_well(&[])?;
    ensure!(run.count("update") == 2, "and back: {run:?}");
    Ok(())
});

both!(what_if_says_what_the_guard_would_say, EVERYONE_LAST, |s| {
    let ids = six(s)?;
    s.group("Portal", &[&ids[0]])?;
    s.synced_well(&[])?;
    let only_portal = PORTAL_FIRST.lines().filter(|l| !l.contains("everyone")).collect::<Vec<_>>().join("\n");
    let shown = what_if(s, &only_portal)?;
    ensure!(shown["removals"] == 5 && shown["verbs"]["revoke_access"] == 5, "{shown}");
    ensure!(shown["tenants"][0]["holds"][0].as_str().is_some_and(|h| !h.is_empty()), "{shown}");
    ensure!(shown["moves"][0] == json!({ "from": "rule everyone", "to": "left out: no rule", "count": 5 }), "{shown}");
    Ok(())
});

both!(what_if_of_guard_settings_affects_nobody, EVERYONE_LAST, |s| {
    six(s)?;
    let shown = what_if(s, &format!("{EVERYONE_LAST}guard: {{ max_removals: 7 }}\n"))?;
    ensure!(shown["affected"] == 0 && shown["changes"] == 0 && shown["complete"] == true, "{shown}");
    let wrong = s.file("wrong.yaml", "preset: bms\nrules: 7\n")?;
    let refused = s.home.run(&["policy", "what-if", &wrong, "--tenant", "acme"])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("rules"), "{refused:?}");
    Ok(())
});

both!(what_if_of_a_new_mapping_writes_that_field_alone, EVERYONE_LAST, |s| {
    six(s)?;
    let shown = what_if(s, &format!("{EVERYONE_LAST}fields: {{ job_title: {{ source: displayName }} }}\n"))?;
    ensure!(shown["affected"] == 6 && shown["fields"] == json!({ "job_title": 6 }), "{shown}");
    Ok(())
});

both!(what_if_of_the_default_goes_over_the_fleet, EVERYONE_LAST, |s| {
    six(s)?;
    let file = s.file("default.yaml", "preset: bms\nlifecycle: { on_disabled: ignore }\n")?;
    let shown = s.home.done(&["policy", "what-if", &file, "--json"])?.json()?;
    ensure!(shown["of"] == 6 && shown["complete"] == true, "{shown}");
    Ok(())
});

both!(ruling_60_what_if_says_of_an_extension_that_it_was_never_read, EVERYONE_LAST, |s| {
    six(s)?;
    let badge = format!("extension_{}_badgeNumber", s.tenant.client_id.replace('-', ""));
    let badged = format!("{EVERYONE_LAST}fields: {{ contact: {{ badge: {{ source: {badge} }} }} }}\n");
    let shown = what_if(s, &badged)?;
    let note = shown["notes"][0].as_str().unwrap_or_default();
    ensure!(note.starts_with(&format!("{badge} is not read yet; the next full read brings it")), "{shown}");
    let file = s.file("draft.yaml", &badged)?;
    let told = s.home.done(&["policy", "what-if", &file, "--tenant", "acme"])?.stdout;
    ensure!(told.contains(&format!("Mind: {badge} is not read yet")), "{told}");
    s.home.done(&["policy", "import", &file, "--tenant", "acme"])?;
    s.sync(&[])?;
    let known = what_if(s, &badged.replace("badge: {", "badge: { overwrite: always,"))?;
    ensure!(known["notes"] == json!([]), "the run after saving has read it: {known}");
    Ok(())
});

both!(req_c13_what_if_predicts_no_removals_by_assignments_nobody_has_read, EVERYONE_LAST, |s| {
    six(s)?;
    let assigned = format!("{EVERYONE_LAST}scope: {{ app_assigned: true }}\n");
    let shown = what_if(s, &assigned)?;
    ensure!(shown["removals"] == 0 && shown["changes"] == 0, "nobody can say who is assigned: {shown}");
    ensure!(shown["affected"] == 6, "and yet saving has all of them looked at again: {shown}");
    ensure!(shown["moves"][0]["to"] == "not known yet: who is assigned to the application", "{shown}");
    ensure!(shown["notes"][0].as_str().is_some_and(|n| n.contains("not known yet; the next run reads it")), "{shown}");

    let file = s.file("draft.yaml", &assigned)?;
    let saved = s.home.done(&["policy", "import", &file, "--tenant", "acme"])?;
    ensure!(saved.stdout.contains("affects 6 users") && due(s)? == 6, "exactly those: {}", saved.stdout);
    let why = s.home.done(&["explain", "acme", &s.address("ada")])?.stdout;
    ensure!(why.contains("not known yet") && !why.to_lowercase().contains("deactivate this"), "nor does explaining guess: {why}");
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    ensure!(held.count("revoke_access") + held.count("deactivate") == 6, "the run has read it, and the guard asks: {held:?}");
    let known = what_if(s, &format!("{assigned}matching: {{ on_none: review }}\n"))?;
    ensure!(known["notes"] == json!([]), "{known}");
    Ok(())
});
