//! Plans that wait for a person.

use super::*;
use serde_json::json;

both!(ruling_94_a_first_run_waits_and_is_approved_by_its_hash, EVERYONE, |s| {
    s.joins("ada", json!({}))?;
    s.joins("bea", json!({}))?;
    let first = s.sync(&[])?;
    ends(&first, 3, "held")?;
    ensure!(first.count("create") == 2 && first.count("applied") == 0, "{first:?}");
    ensure!(s.people()?.is_empty(), "nothing is written before somebody says yes");

    let before = s.dump()?;
    let wrong = s.home.run(&["runs", "approve", &first.id(), "--hash", "0000"])?;
    ensure!(wrong.code == Some(1) && wrong.stderr.contains("rollcall runs show"), "{wrong:?}");
    ensure!(s.dump()? == before, "a wrong hash changes nothing");

    s.home.done(&["runs", "approve", &first.id(), "--hash", first.hash()])?;
    ensure!(s.people()?.len() == 2, "{:?}", s.people()?);
    let again = s.home.run(&["runs", "approve", &first.id(), "--hash", first.hash()])?;
    ensure!(again.code == Some(1) && again.stderr.contains("is done"), "what is done is not done again: {again:?}");
    ensure!(s.sync(&[])?.nothing(), "nothing is left");
    Ok(())
});

both!(ruling_94_another_client_is_a_first_run_again, EVERYONE, |s| {
    six(s)?;
    s.home.done(&["tenants", "map", "acme", "--client", "Other", "--create"])?;
    let held = s.sync(&[])?;
    ends(&held, 3, "held")
});

both!(a_preview_shows_the_plan_and_writes_nothing, EVERYONE, |s| {
    s.joins("ada", json!({}))?;
    let shown = s.sync(&["--preview"])?;
    ends(&shown, 0, "ready")?;
    ensure!(shown.count("create") == 1 && s.people()?.is_empty(), "{shown:?}");
    let listed = s.home.done(&["runs", "show", &shown.id(), "--json"])?.json()?;
    ensure!(listed["changes"][0]["set"]["email"] == json!(s.address("ada")), "{listed}");
    s.home.done(&["runs", "approve", &shown.id(), "--hash", shown.hash()])?;
    ensure!(s.people()?.len() == 1, "what was previewed can be approved");
    Ok(())
});

both!(guard_a_mass_disable_is_held_even_with_yes_and_applied_when_approved, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.changes(id, json!({ "accountEnabled": false }))?;
    }
    let before = s.people()?;
    let held = s.sync(&["--yes"])?;
    ends(&held, 3, "held")?;
    ensure!(s.people()? == before, "nothing is removed before somebody says yes");
    s.home.done(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    ensure!(
        s.person("ada")?.status == model::Status::Inactive && s.person("dag")?.status == model::Status::Active,
        "exactly those"
    );
    ensure!(s.sync(&[])?.nothing(), "and it is done once");
    Ok(())
});

both!(guard_a_mass_deletion_is_held, EVERYONE, |s| {
    for id in six(s)? {
        s.leaves(&id)?;
    }
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    ensure!(held.count("deactivate") == 6 && held.logged.len() < 100_000, "{held:?}");
    let full = s.sync(&["--full"])?;
    ends(&full, 3, "held")?;
    ensure!(s.people()?.iter().all(|p| p.status == model::Status::Active), "nobody was removed");
    Ok(())
});

both!(guard_an_emptied_group_is_held, BY_GROUP, |s| {
    let ids = ["ada", "bea", "cem", "dag"].iter().map(|n| s.joins(n, json!({}))).collect::<Result<Vec<_>>>()?;
    s.group("Staff", &[&ids[0], &ids[1]])?;
    s.group("Portal", &[&ids[2], &ids[3]])?;
    s.synced_well(&["--yes"])?;
    s.entra(reqwest::Method::POST, "/groups/Portal/members", &json!({ "remove": [ids[2], ids[3]] }))?;
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    ensure!(held.run["holds"].to_string().contains("Portal"), "the reason names the group: {held:?}");
    Ok(())
});

both!(the_same_plan_at_the_next_poll_keeps_the_held_one, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.leaves(id)?;
    }
    let held = s.sync(&[])?;
    let poll = s.sync(&[])?;
    ends(&poll, 3, "held")?;
    ensure!((poll.id(), poll.hash()) == (held.id(), held.hash()), "one plan waits, not two: {held:?} {poll:?}");
    s.leaves(&ids[3])?;
    let other = s.sync(&[])?;
    ends(&other, 3, "held")?;
    ensure!(other.id() != held.id() && other.count("deactivate") == 4, "another plan takes its place: {other:?}");
    let old = s.home.run(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    ensure!(old.code == Some(1) && old.stderr.contains("superseded"), "{old:?}");
    Ok(())
});

both!(a_plan_whose_records_were_edited_is_refused_as_stale, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.leaves(id)?;
    }
    let held = s.sync(&[])?;
    s.edits(s.person("ada")?.id, &json!({ "job_title": "Countess" }))?;
    let before = s.people()?;
    let refused = s.home.run(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("stale"), "{refused:?}");
    ensure!(s.people()? == before, "nothing was written");
    let again = s.sync(&[])?;
    ends(&again, 3, "held")?;
    ensure!(again.hash() != held.hash(), "it is another plan: {again:?}");
    s.home.done(&["runs", "approve", &again.id(), "--hash", again.hash()])?;
    ensure!(s.person("ada")?.status == model::Status::Inactive, "the plan that was shown is applied");
    Ok(())
});

both!(a_plan_under_another_policy_is_refused_as_stale, EVERYONE, |s| {
    s.joins("ada", json!({}))?;
    let held = s.sync(&[])?;
    s.policy(&EVERYONE.replace("portal-user", "visitor"))?;
    let refused = s.home.run(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("stale"), "{refused:?}");
    ensure!(s.people()?.is_empty(), "nothing was written");
    s.synced_well(&["--yes"])?;
    ensure!(s.person("ada")?.role.as_deref() == Some("visitor"), "the next plan follows the new policy");
    Ok(())
});

both!(a_plan_overtaken_by_a_change_in_entra_is_refused, EVERYONE, |s| {
    let ada = s.joins("ada", json!({}))?;
    s.joins("bea", json!({}))?;
    let held = s.sync(&[])?;
    s.changes(&ada, json!({ "surname": "Lovelace" }))?;
    // A preview reads what changed; the plan that waited is not what would be decided now.
    let newer = s.sync(&["--preview"])?;
    ensure!(newer.hash() != held.hash(), "{newer:?}");
    let refused = s.home.run(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    ensure!(refused.code == Some(1), "{refused:?}");
    ensure!(s.people()?.is_empty(), "nothing was written");
    Ok(())
});

both!(ruling_111_a_rejection_is_remembered_until_its_inputs_change, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.leaves(id)?;
    }
    let held = s.sync(&[])?;
    s.home.done(&["runs", "reject", &held.id(), "--hash", held.hash(), "--reason", "they only moved house"])?;
    let quiet = s.sync(&[])?;
    ensure!(quiet.code == Some(0) && quiet.count("deactivate") <= 0, "the same removals are not asked for again: {quiet:?}");
    s.changes(&ids[5], json!({ "jobTitle": "Head clerk" }))?;
    let rest = s.synced_well(&[])?;
    ensure!(rest.count("update") == 1 && rest.count("deactivate") == 0, "the others go on: {rest:?}");
    ensure!(s.people()?.iter().all(|p| p.status == model::Status::Active), "nobody was removed");
    s.leaves(&ids[3])?;
    let more = s.sync(&[])?;
    ensure!(more.count("deactivate") >= 1, "somebody new who left is judged: {more:?}");
    Ok(())
});
