//! A directory that has its bad days: refusals, lost positions, cut lines. A run goes on, or says what to do and leaves all as it was.

use super::*;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::simulator::Entra;

/// A tenant of sixty people on small pages, whose reading takes several requests.
fn sixty(on: On) -> Result<Story> {
    let options =
        simulator::Options { tenants: 1, users: 60, groups: 8, page_size: 10, seed: 11, ..simulator::Options::default() };
    Story::within(Path::new(PROGRAM), on, EVERYONE, Arc::new(Entra::start(options)?), 0)
}

both!(req_c10_a_wrong_secret_is_told_and_a_new_one_goes_on, EVERYONE, |s| {
    let ids = six(s)?;
    let before = s.dump()?;
    s.entra(Method::POST, "/secret/revoke", &Value::Null)?;
    let refused = s.sync(&[])?;
    ends(&refused, 1, "failed")?;
    ensure!(refused.error().contains("secret") && refused.error().contains("rollcall secrets set"), "{refused:?}");
    ensure!(s.dump()? == before, "all is as it was");
    let test = s.home.run(&["connections", "test", "acme"])?;
    ensure!(test.code == Some(1) && test.stdout.contains("rollcall secrets set"), "{test:?}");
    let new = s.entra(Method::POST, "/secret/rotate", &Value::Null)?;
    s.home.set("NEW_SECRET", new["client_secret"].as_str().unwrap_or_default());
    s.home.done(&["secrets", "set", "acme", "--secret-env", "NEW_SECRET"])?;
    s.home.done(&["connections", "test", "acme"])?;
    s.changes(&ids[0], json!({ "jobTitle": "Head clerk" }))?;
    ensure!(s.synced_well(&[])?.count("update") == 1, "it goes on where it was");
    Ok(())
});

#[test]
fn a_secret_that_expires_in_the_middle_is_told_and_a_new_one_goes_on_from_there() -> Result<()> {
    for on in [On::Sqlite, On::Postgres] {
        let undisturbed = sixty(on)?;
        undisturbed.synced_well(&["--yes"])?;
        let mut s = sixty(on)?;
        s.fault(json!({ "path": "/v1.0/users/delta*", "nth": [3], "action": { "do": "secret_expired" } }))?;
        s.fault(json!({ "path": "/v1.0/users/delta*", "nth": [4], "action": { "do": "access_token_expired" } }))?;
        let cut = s.sync(&["--yes"])?;
        ends(&cut, 1, "failed")?;
        ensure!(cut.error().contains("expired") && s.people()?.is_empty(), "{cut:?}");
        let new = s.entra(Method::POST, "/secret/rotate", &Value::Null)?;
        s.home.set("NEW_SECRET", new["client_secret"].as_str().unwrap_or_default());
        s.home.done(&["secrets", "set", "acme", "--secret-env", "NEW_SECRET"])?;
        let rest = s.synced_well(&["--yes"])?;
        let pages = rest.run["stats"]["requests"]["users/delta"].as_i64();
        ensure!(
            pages.is_some_and(|pages| pages < 5),
            "it goes on where it was, and does not read all seven pages again: {rest:?}"
        );
        ensure!(s.dump()? == undisturbed.dump()?, "the end is that of an undisturbed run");
    }
    Ok(())
}

both!(req_c07_consent_that_was_withdrawn_is_told_by_name, EVERYONE, |s| {
    six(s)?;
    let before = s.dump()?;
    s.entra(Method::POST, "/consent", &json!({ "revoke": ["User.Read.All"] }))?;
    let refused = s.sync(&[])?;
    ends(&refused, 1, "failed")?;
    ensure!(refused.error().contains("User.Read.All"), "{refused:?}");
    ensure!(s.dump()? == before, "all is as it was");
    let test = s.home.run(&["connections", "test", "acme"])?;
    ensure!(test.code == Some(1) && test.stdout.contains("missing"), "{test:?}");
    s.entra(Method::POST, "/consent", &json!({ "grant": ["User.Read.All"] }))?;
    ensure!(s.sync(&[])?.nothing(), "granted again, it goes on");
    s.entra(Method::POST, "/consent", &json!({ "app": false }))?;
    let removed = s.sync(&[])?;
    ends(&removed, 1, "failed")?;
    ensure!(s.dump()? == before, "all is as it was");
    Ok(())
});

/// A lost position is read anew in full: who went meanwhile is noticed, who came is made, nobody else is touched.
fn lost(s: &mut Story, form: &str) -> Result<()> {
    let ids = six(s)?;
    s.leaves(&ids[0])?;
    s.joins("gus", json!({}))?;
    s.fault(
        json!({ "path": "/v1.0/users/delta*?*deltatoken=*", "times": 1, "action": { "do": "expired_token", "form": form } }),
    )?;
    s.fault(
        json!({ "path": "/v1.0/groups/delta*?*deltatoken=*", "times": 1, "action": { "do": "expired_token", "form": form } }),
    )?;
    let synced = s.synced_well(&[])?;
    ensure!(synced.count("deactivate") == 1 && synced.count("create") == 1 && synced.count("update") == 0, "{synced:?}");
    s.changes(&ids[1], json!({ "jobTitle": "Head clerk" }))?;
    ensure!(s.synced_well(&[])?.count("update") == 1, "and the next delta follows from there");
    Ok(())
}

both!(resync_410_gone_with_a_location, EVERYONE, |s| { lost(s, "gone") });
both!(resync_400_sync_state_not_found, EVERYONE, |s| { lost(s, "sync_state_not_found") });
both!(resync_410_resync_required, EVERYONE, |s| { lost(s, "resync_required") });
both!(resync_400_delta_link_older, EVERYONE, |s| { lost(s, "delta_link_older") });

#[test]
fn refusals_and_cut_lines_on_the_way_change_nothing_about_the_end() -> Result<()> {
    for on in [On::Sqlite, On::Postgres] {
        let undisturbed = sixty(on)?;
        undisturbed.synced_well(&["--yes"])?;
        let s = sixty(on)?;
        for fault in [
            json!({ "path": "/v1.0/users/delta*", "nth": [2], "action": { "do": "throttle", "retry_after": 1 } }),
            json!({ "path": "/v1.0/users/delta*", "nth": [4], "action": { "do": "status", "status": 503 } }),
            json!({ "path": "/v1.0/users/delta*", "nth": [6], "action": { "do": "reset", "when": "mid_body" } }),
            json!({ "path": "/v1.0/groups/delta*", "nth": [1], "action": { "do": "reset", "when": "before_headers" } }),
            json!({ "path": "/v1.0/groups/delta*", "nth": [3], "action": { "do": "empty_page" } }),
            json!({ "path": "*/oauth2/v2.0/token", "nth": [1], "action": { "do": "status", "status": 504 } }),
        ] {
            s.fault(fault)?;
        }
        s.synced_well(&["--yes"])?;
        ensure!(s.dump()? == undisturbed.dump()?, "the end is that of an undisturbed run");
    }
    Ok(())
}

#[test]
fn a_delta_told_in_pieces_ends_where_a_full_read_ends() -> Result<()> {
    for on in [On::Sqlite, On::Postgres] {
        let s = sixty(on)?;
        s.synced_well(&["--yes"])?;
        for _ in 0..3 {
            s.entra(Method::POST, "/churn", &json!({ "percent": 5 }))?;
            let synced = s.sync(&[])?;
            if synced.state() == "held" {
                s.home.done(&["runs", "approve", &synced.id(), "--hash", synced.hash()])?;
            }
        }
        let full = s.sync(&["--full"])?;
        ensure!(full.nothing(), "a full run finds nothing more to do: {full:?}");
    }
    Ok(())
}

both!(garbage_is_refused_and_leaves_all_as_it_was, EVERYONE, |s| {
    let ids = six(s)?;
    s.changes(&ids[0], json!({ "jobTitle": "Head clerk" }))?;
    let before = s.dump()?;
    s.fault(json!({ "path": "/v1.0/users/delta*", "times": 1, "action": { "do": "garbage" } }))?;
    let refused = s.sync(&[])?;
    ends(&refused, 1, "failed")?;
    ensure!(
        refused.error().contains("did not answer like Microsoft Graph") && s.dump()? == before,
        "all is as it was: {refused:?}"
    );
    // Half a page is asked for again.
    s.fault(json!({ "path": "/v1.0/users/delta*", "times": 1, "action": { "do": "truncate" } }))?;
    ensure!(s.synced_well(&[])?.count("update") == 1, "the change is not lost");
    Ok(())
});

both!(req_c07_permissions_that_the_policy_asks_for_are_tested_too, EVERYONE, |s| {
    let tested = |s: &Story| s.home.run(&["connections", "test", "acme", "--json"]);
    let line = |test: &Value, name: &str| -> Value {
        test["permissions"].as_array().into_iter().flatten().find(|p| p["permission"] == name).cloned().unwrap_or_default()
    };
    s.entra(Method::POST, "/consent", &json!({ "revoke": ["Application.Read.All", "AuditLog.Read.All"] }))?;
    let plain = tested(s)?;
    let test = plain.json()?;
    ensure!(plain.code == Some(0) && line(&test, "Application.Read.All").is_null(), "nobody asks for it: {test}");

    s.policy(&format!(
        "{EVERYONE}scope: {{ app_assigned: true }}\nfields: {{ contact: {{ last_sign_in: {{ source: signInActivity.lastSignInDateTime }} }} }}\n"
    ))?;
    let refused = tested(s)?;
    let test = refused.json()?;
    ensure!(refused.code == Some(1) && test["ok"] == false, "{test}");
    let app = line(&test, "Application.Read.All");
    ensure!(app["state"] == "missing" && app["mandatory"] == true, "{app}");
    ensure!(app["detail"].as_str().is_some_and(|d| d.contains("with scope.app_assigned off, everything works")), "{app}");
    let dates = line(&test, "AuditLog.Read.All");
    ensure!(dates["state"] == "missing" && dates["mandatory"] == false, "{dates}");
    let told = s.home.run(&["connections", "test", "acme"])?.stdout;
    ensure!(told.contains("AuditLog.Read.All is missing: ") && told.contains("everything works but those dates"), "{told}");

    s.entra(Method::POST, "/consent", &json!({ "grant": ["Application.Read.All"] }))?;
    let most = tested(s)?;
    let test = most.json()?;
    ensure!(
        most.code == Some(0) && line(&test, "Application.Read.All")["state"] == "granted",
        "only the dates are missing: {test}"
    );
    Ok(())
});
