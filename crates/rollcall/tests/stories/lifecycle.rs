//! Changes of kind, grace, and what of a held plan is safe.

use super::*;
use model::{Kind, Status};
use serde_json::json;

/// How often a sync is asked for again while a short grace runs out: each takes far longer than nothing.
const TRIES: usize = 200;

both!(req_m07_a_change_of_kind_archives_and_the_way_back_restores, BY_GROUP, |s| {
    let ada = s.joins("ada", json!({}))?;
    let bea = s.joins("bea", json!({}))?;
    s.group("Staff", &[&ada, &bea])?;
    s.group("Portal", &[&ada])?;
    s.synced_well(&["--yes"])?;
    let agent = s.person("ada")?;
    s.entra(reqwest::Method::POST, "/groups/Staff/members", &json!({ "remove": [ada] }))?;
    let turned = s.synced_well(&[])?;
    ensure!((turned.count("archive"), turned.count("create"), turned.count("failed")) == (1, 1, 0), "{turned:?}");
    let all = s.people()?;
    let archived = all.iter().find(|p| p.id == agent.id).expect("the agent is kept");
    ensure!(archived.status == Status::Archived && archived.username.as_deref() == Some("ada_Archived"), "{archived:?}");
    let contact = s.person("ada")?;
    ensure!(contact.kind == Kind::Contact && contact.username.as_deref() == Some("ada"), "{contact:?}");
    ensure!(s.sync(&["--full"])?.nothing(), "nothing is left");

    s.entra(reqwest::Method::POST, "/groups/Staff/members", &json!({ "add": [ada] }))?;
    let back = s.synced_well(&[])?;
    ensure!((back.count("restore"), back.count("archive"), back.count("failed")) == (1, 1, 0), "{back:?}");
    let restored = s.person("ada")?;
    ensure!(restored.id == agent.id && restored.status == Status::Active && restored.role == agent.role, "{restored:?}");
    ensure!(s.people()?.len() == 3, "no third record of Ada's");
    ensure!(s.sync(&["--full"])?.nothing(), "nothing is left");
    Ok(())
});

/// A second is long enough to be seen waiting, and short enough to be waited for.
const SHORT_GRACE: &str = "
preset: bms
lifecycle: { grace: 1s }
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

both!(ruling_76_a_grace_ripens_by_itself, SHORT_GRACE, |s| {
    let ids = six(s)?;
    s.changes(&ids[0], json!({ "accountEnabled": false }))?;
    let waits = s.synced_well(&[])?;
    ensure!(waits.count("deactivate") == 0 && s.person("ada")?.status == Status::Active, "it waits: {waits:?}");
    // Nothing changes in Entra any more: that the time is over is enough.
    for _ in 0..TRIES {
        if s.synced_well(&[])?.count("deactivate") == 1 {
            ensure!(s.person("ada")?.status == Status::Inactive, "it is done");
            return Ok(());
        }
    }
    anyhow::bail!("the grace never ended")
});

/// What is safe of a held plan need not wait.
const SAFE_PART: &str = "
preset: bms
guard: { apply_safe_part: true }
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

both!(ruling_86_the_safe_part_is_applied_and_the_rest_approved_by_its_own_hash, SAFE_PART, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.changes(id, json!({ "accountEnabled": false }))?;
    }
    s.changes(&ids[4], json!({ "surname": "Jones" }))?;
    s.joins("gus", json!({}))?;
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    ensure!((held.count("deactivate"), held.count("create"), held.count("update")) == (3, 0, 0), "only the rest waits: {held:?}");
    ensure!(s.person("eva")?.last_name.as_deref() == Some("Jones") && s.people()?.len() == 7, "the safe part is written");
    let again = s.sync(&[])?;
    ends(&again, 3, "held")?;
    ensure!(again.hash() == held.hash(), "the rest is the same plan again: {again:?}");
    s.home.done(&["runs", "approve", &again.id(), "--hash", again.hash()])?;
    ensure!(s.people()?.iter().filter(|p| p.status == Status::Inactive).count() == 3, "exactly those");
    ensure!(s.sync(&["--full"])?.nothing(), "nothing is left");
    Ok(())
});

both!(ruling_111_what_sync_writes_itself_is_no_reason_to_ask_again, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..3] {
        s.changes(id, json!({ "accountEnabled": false, "surname": "Jones" }))?;
    }
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    s.home.done(&["runs", "reject", &held.id(), "--hash", held.hash(), "--reason", "they stay"])?;
    // The names follow, the people stay.
    let rest = s.synced_well(&["--full"])?;
    ensure!((rest.count("update"), rest.count("deactivate")) == (3, 0), "{rest:?}");
    ensure!(s.sync(&["--full"])?.nothing(), "and nobody is asked again");
    s.changes(&ids[0], json!({ "jobTitle": "Countess" }))?;
    // One of them changes: all are asked again, not only the one who changed and would slip through alone.
    let again = s.sync(&[])?;
    ends(&again, 3, "held")?;
    ensure!(again.count("deactivate") == 3, "{again:?}");
    Ok(())
});

both!(ruling_111_a_group_that_somebody_leaves_is_a_reason_to_ask_again, BY_GROUP, |s| {
    let ids = ["ada", "bea", "cem", "dag", "eva", "fay"].iter().map(|n| s.joins(n, json!({}))).collect::<Result<Vec<_>>>()?;
    s.group("Portal", &ids.iter().map(String::as_str).collect::<Vec<_>>())?;
    s.group("Staff", &[&ids[5]])?;
    s.group("Choir", &[&ids[5]])?;
    s.synced_well(&["--yes"])?;
    for id in &ids[..3] {
        s.changes(id, json!({ "accountEnabled": false }))?;
    }
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    s.home.done(&["runs", "reject", &held.id(), "--hash", held.hash(), "--reason", "they stay"])?;
    ensure!(s.sync(&[])?.nothing() && s.sync(&["--full"])?.nothing(), "nobody is asked again");
    // A group that the policy does not name is none of its business.
    s.entra(reqwest::Method::POST, "/groups/Choir/members", &json!({ "add": [ids[1]] }))?;
    ensure!(s.sync(&[])?.nothing(), "a choir decides nothing");
    // One of them leaves a group that it names: all are asked again.
    s.entra(reqwest::Method::POST, "/groups/Portal/members", &json!({ "remove": [ids[1]] }))?;
    let again = s.sync(&[])?;
    ends(&again, 3, "held")?;
    ensure!(again.count("deactivate") == 3, "{again:?}");
    s.home.done(&["runs", "reject", &again.id(), "--hash", again.hash(), "--reason", "they stay all the same"])?;
    ensure!(s.sync(&[])?.nothing() && s.sync(&["--full"])?.nothing(), "nobody is asked again");
    Ok(())
});
