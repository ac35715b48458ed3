//! What follows a change in Entra, and what stays as a person left it.

use super::*;
use model::Status;
use serde_json::json;
use std::sync::Arc;
use testkit::simulator::Entra;

both!(a_second_run_is_empty_and_writes_nothing, EVERYONE, |s| {
    six(s)?;
    let before = s.dump()?;
    let second = s.sync(&[])?;
    ensure!(second.nothing() && second.count("users") == 0, "nobody is looked at: {second:?}");
    ensure!(s.dump()? == before, "nothing is written");
    let full = s.sync(&["--full"])?;
    ensure!(full.nothing(), "a full run from the same state decides the same: {full:?}");
    ensure!(s.dump()? == before, "nothing is written by a full run either");
    Ok(())
});

/// On people as they are: with oddities, page by page.
#[test]
fn a_no_change_cycle_takes_three_requests() -> Result<()> {
    for on in [On::Sqlite, On::Postgres] {
        let options = simulator::Options { tenants: 1, users: 150, groups: 12, page_size: 20, ..simulator::Options::default() };
        let entra = Arc::new(Entra::start(options)?);
        let s = Story::within(Path::new(PROGRAM), on, EVERYONE, entra, 0)?;
        s.synced_well(&["--yes"])?;
        s.entra.control(reqwest::Method::DELETE, "/stats", &json!(null))?;
        ensure!(s.sync(&[])?.nothing(), "nothing changed");
        let asked = s.entra.control(reqwest::Method::GET, "/stats", &json!(null))?;
        ensure!(asked["requests"].as_i64().is_some_and(|n| n <= 3), "a token and two delta pages: {asked}");
    }
    Ok(())
}

both!(req_f07_a_local_edit_stands_until_entra_changes, EVERYONE, |s| {
    let ids = six(s)?;
    let ada = s.person("ada")?;
    s.edits(ada.id, &json!({ "job_title": "Countess" }))?;
    ensure!(s.sync(&[])?.nothing(), "the edit stands");
    let full = s.sync(&["--full"])?;
    ensure!(full.nothing(), "in a full run too: {full:?}");
    ensure!(s.person("ada")?.get(&model::Field::JOB_TITLE) == json!("Countess"), "the edit stands");
    s.changes(&ids[0], json!({ "surname": "Lovelace" }))?;
    let synced = s.synced_well(&[])?;
    ensure!(synced.count("update") == 1, "{synced:?}");
    let ada = s.person("ada")?;
    ensure!(
        ada.last_name.as_deref() == Some("Lovelace") && ada.get(&model::Field::JOB_TITLE) == json!("Clerk"),
        "Entra's values: {ada:?}"
    );
    Ok(())
});

both!(req_l01_deleted_and_restored_is_the_same_person, EVERYONE, |s| {
    let ids = six(s)?;
    let ada = s.person("ada")?;
    s.leaves(&ids[0])?;
    let gone = s.synced_well(&[])?;
    ensure!(gone.count("deactivate") == 1 && s.person("ada")?.status == Status::Inactive, "{gone:?}");
    ensure!(s.sync(&[])?.nothing(), "once");
    s.entra(reqwest::Method::POST, &format!("/users/{}/restore", ids[0]), &json!(null))?;
    let back = s.synced_well(&[])?;
    ensure!(back.count("reactivate") == 1, "{back:?}");
    let again = s.person("ada")?;
    ensure!((again.id, again.status, again.role.clone()) == (ada.id, Status::Active, ada.role), "the same record: {again:?}");
    Ok(())
});

both!(req_l01_deleted_and_restored_between_two_runs_is_no_change, EVERYONE, |s| {
    let ids = six(s)?;
    let before = s.people()?;
    s.leaves(&ids[0])?;
    s.entra(reqwest::Method::POST, &format!("/users/{}/restore", ids[0]), &json!(null))?;
    let synced = s.synced_well(&[])?;
    ensure!(synced.count("deactivate") == 0 && s.people()? == before, "{synced:?}");
    Ok(())
});

both!(req_l02_disabled_and_enabled, EVERYONE, |s| {
    let ids = six(s)?;
    s.changes(&ids[1], json!({ "accountEnabled": false, "jobTitle": "Retired" }))?;
    ensure!(s.synced_well(&[])?.count("deactivate") == 1, "one change, with the title in it");
    ensure!(s.person("bea")?.status == Status::Inactive, "{:?}", s.person("bea")?);
    s.changes(&ids[1], json!({ "accountEnabled": true }))?;
    ensure!(s.synced_well(&[])?.count("reactivate") == 1 && s.person("bea")?.status == Status::Active, "back");
    Ok(())
});

both!(ruling_78_a_persons_own_deactivation_stands, EVERYONE, |s| {
    let ids = six(s)?;
    s.edits(s.person("cem")?.id, &json!({ "status": "inactive" }))?;
    s.changes(&ids[2], json!({ "jobTitle": "Head clerk" }))?;
    s.synced_well(&[])?;
    let cem = s.person("cem")?;
    ensure!(cem.status == Status::Inactive && cem.get(&model::Field::JOB_TITLE) == json!("Head clerk"), "{cem:?}");
    Ok(())
});

both!(ruling_79_a_full_run_asks_the_deleted_items, &format!("{EVERYONE}lifecycle: {{ on_missing: ignore }}\n"), |s| {
    let ids = six(s)?;
    s.leaves(&ids[0])?;
    s.entra(reqwest::Method::POST, &format!("/users/{}/purge", ids[1]), &json!(null))?;
    let full = s.synced_well(&["--full"])?;
    ensure!(full.count("deactivate") == 1, "{full:?}");
    ensure!(s.person("ada")?.status == Status::Inactive, "found among the deleted, so deleted");
    ensure!(s.person("bea")?.status == Status::Active, "found nowhere, so missing, which this policy ignores");
    Ok(())
});

both!(req_l03_missing_is_noticed_by_a_full_run, EVERYONE, |s| {
    let ids = six(s)?;
    s.entra(reqwest::Method::POST, &format!("/users/{}/purge", ids[1]), &json!(null))?;
    let full = s.synced_well(&["--full"])?;
    ensure!(full.count("deactivate") == 1 && s.person("bea")?.status == Status::Inactive, "{full:?}");
    Ok(())
});

/// A mailbox, as every pretended tenant has bought it.
const STANDARD: &str = "4b9405b0-7788-4568-add1-99614e613b69";
/// A product without mailbox and Teams.
const FLOW: &str = "f30db892-07e9-47e9-837c-80727f46fd3d";

both!(ruling_96_licences_decide_under_msp, "preset: msp\nlifecycle: { contact: { grace: 0 } }\n", |s| {
    let licences = |sku: &str| json!({ "assignedLicenses": [{ "skuId": sku, "disabledPlans": [] }] });
    let ids = ["ada", "bea", "cem", "dag", "eva"].iter().map(|n| s.joins(n, licences(STANDARD))).collect::<Result<Vec<_>>>()?;
    let fay = s.joins("fay", licences(FLOW))?;
    s.synced_well(&["--yes"])?;
    ensure!(s.people()?.len() == 5, "who has neither a mailbox nor Teams is not a person: {:?}", s.people()?);
    let why = s.home.done(&["explain", "acme", &s.address("fay")])?;
    ensure!(why.stdout.to_lowercase().contains("licen"), "{why:?}");
    s.changes(&fay, licences(STANDARD))?;
    let came = s.synced_well(&[])?;
    ensure!(came.count("create") == 1, "a licence came: {came:?} {}", s.home.done(&["explain", "acme", &fay])?.stdout);
    s.changes(&ids[0], licences(FLOW))?;
    s.synced_well(&[])?;
    ensure!(s.person("ada")?.status == Status::Inactive, "a licence went: {:?}", s.person("ada")?);
    Ok(())
});
