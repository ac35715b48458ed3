//! Rules by group, nested ones too, and why somebody is what they are.

use super::*;
use model::Kind;
use reqwest::Method;
use serde_json::json;

both!(req_r01_the_lowest_order_wins_and_a_move_changes_the_kind, BY_GROUP, |s| {
    let ids = ["ada", "bea", "cem"].iter().map(|n| s.joins(n, json!({}))).collect::<Result<Vec<_>>>()?;
    s.group("Staff", &[&ids[0]])?;
    s.group("Portal", &[&ids[0], &ids[1]])?;
    s.synced_well(&["--yes"])?;
    let people = s.people()?;
    ensure!(people.len() == 2, "who is in no group is nobody's: {people:?}");
    ensure!(people.iter().any(|p| p.kind == Kind::Agent && p.username.as_deref() == Some("ada")), "{people:?}");
    let contact = s.person("bea")?;
    ensure!(contact.kind == Kind::Contact && contact.role.as_deref() == Some("portal-user"), "{contact:?}");
    s.entra(Method::POST, "/groups/Portal/members", &json!({ "add": [ids[2]] }))?;
    ensure!(s.synced_well(&[])?.count("create") == 1, "a membership alone makes somebody a contact");
    Ok(())
});

both!(req_r11_out_of_all_groups_loses_access_and_gets_it_back, BY_GROUP, |s| {
    let ids = ["ada", "bea", "cem", "dag"].iter().map(|n| s.joins(n, json!({}))).collect::<Result<Vec<_>>>()?;
    s.group("Staff", &ids.iter().map(String::as_str).collect::<Vec<_>>())?;
    s.synced_well(&["--yes"])?;
    s.entra(Method::POST, "/groups/Staff/members", &json!({ "remove": [ids[0]] }))?;
    ensure!(s.synced_well(&[])?.count("revoke_access") == 1, "out of the group");
    let ada = s.person("ada")?;
    ensure!(!ada.access && ada.role.is_none() && ada.status == model::Status::Active, "{ada:?}");
    s.entra(Method::POST, "/groups/Staff/members", &json!({ "add": [ids[0]] }))?;
    ensure!(s.synced_well(&[])?.count("grant_access") == 1, "back in");
    let ada = s.person("ada")?;
    ensure!(ada.access && ada.role.as_deref() == Some("technician"), "{ada:?}");
    Ok(())
});

both!(nested_groups_select_in_a_circle_too, BY_GROUP, |s| {
    let ids = ["ada", "bea", "cem"].iter().map(|n| s.joins(n, json!({}))).collect::<Result<Vec<_>>>()?;
    let inner = s.group("Inner", &[&ids[0]])?;
    let helpdesk = s.group("Helpdesk", &[&inner])?;
    let staff = s.group("Staff", &[&helpdesk, &ids[1]])?;
    // Round and round: Staff holds Helpdesk holds Inner holds Staff.
    s.entra(Method::POST, "/groups/Inner/members", &json!({ "add": [staff] }))?;
    s.synced_well(&["--yes"])?;
    ensure!(s.people()?.len() == 2, "{:?}", s.people()?);
    let why = s.home.done(&["explain", "acme", &s.address("ada")])?.stdout;
    ensure!(why.contains("\"Staff\", by way of Inner → Helpdesk"), "through which group: {why}");
    s.entra(Method::POST, "/groups/Inner/members", &json!({ "add": [ids[2]] }))?;
    ensure!(s.synced_well(&[])?.count("create") == 1, "somebody joins three groups down");
    s.entra(Method::POST, "/groups/Staff/members", &json!({ "remove": [helpdesk] }))?;
    let cut = s.sync(&[])?;
    ensure!(cut.count("revoke_access") == 2, "a group between is taken out, and who was below it with it: {cut:?}");
    Ok(())
});

both!(explain_prints_the_reasons_of_every_stage, BY_GROUP, |s| {
    let ada = s.joins("ada", json!({}))?;
    let bea = s.joins("bea", json!({}))?;
    s.group("Staff", &[&ada])?;
    s.synced_well(&["--yes"])?;
    let before = s.dump()?;
    let why = s.home.done(&["explain", "acme", &s.address("ada"), "--json"])?.json()?;
    ensure!(why["rule"] == json!("staff") && why["source_id"] == json!(ada), "{why}");
    ensure!(why["stages"].as_array().is_some_and(|stages| stages.len() >= 2), "{why}");
    ensure!(why.to_string().contains("Staff"), "the group is named: {why}");
    let why = s.home.done(&["explain", "acme", &bea, "--json"])?.json()?;
    ensure!(why["excluded_by"] == json!("no rule"), "{why}");
    let nobody = s.home.run(&["explain", "acme", "nobody@nowhere.example"])?;
    ensure!(nobody.code == Some(1) && nobody.stderr.contains("nobody@nowhere.example"), "{nobody:?}");
    ensure!(s.dump()? == before, "explaining writes nothing");
    Ok(())
});
