//! The whole way as a person walks it: connect, preview, look, approve, and see why.

mod common;

use common::{App, Browser};
use http::{Method, StatusCode};
use serde_json::json;

async fn ok(browser: &mut Browser<'_>, path: &str) -> common::Answer {
    let page = browser.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn req_c07_connecting_shows_the_permissions_and_names_what_is_wrong() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let form = ok(&mut ada, "/connect").await;
    assert!(form.text.contains("User.Read.All") && form.text.contains("Mandatory"), "the table of permissions");
    let tenant = app.entra.tenant(0).unwrap();
    let with = |secret: &'static str| {
        [
            ("name", "Contoso".to_owned()),
            ("tenant", tenant.id.clone()),
            ("client_id", tenant.client_id.clone()),
            ("secret", secret.to_owned()),
        ]
    };
    let empty = ada.post("/connect", &form, &[("name", "Contoso")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(empty.text.contains("aria-invalid=\"true\"") && empty.text.contains("value=\"Contoso\""), "shown again, as typed");

    let fields = with("not-the-secret");
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let wrong = ada.post("/connect", &form, &fields).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("secret"), "one message with the next step");
    assert!(!wrong.text.contains("not-the-secret"), "a secret is never shown again");
    assert!(app.engine.connections().await.unwrap().is_empty(), "nothing was stored");

    let secret = tenant.secret.clone();
    let mut fields = fields;
    fields.retain(|(n, _)| *n != "secret");
    fields.push(("secret", &secret));
    let made = ada.post("/connect", &form, &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert!(made.text.contains("The connection works.") && made.text.contains("which client is this?"));
    assert!(!made.text.contains(&secret));
    let mapped = ada.post("/tenants/1/map", &made, &[("client", "Contoso Ltd"), ("create", "yes")]).await;
    assert_eq!(mapped.location(), "/tenants/1?note=mapped");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_preview_to_the_reason_on_a_persons_page() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let tenant = app.connected().await;
    let page = ok(&mut ada, &format!("/tenants/{tenant}")).await;
    assert!(page.text.contains("Nothing was read yet"), "an empty tenant teaches");
    let started = ada.post(&format!("/tenants/{tenant}/runs"), &page, &[("kind", "delta"), ("preview", "no")]).await;
    let run = started.location().to_owned();
    let live = ok(&mut ada, &run).await;
    assert!(live.text.contains("data-run-events") && live.text.contains("live.js"), "progress is followed");
    app.work().await;

    let held = ok(&mut ada, &run).await;
    assert!(held.text.contains("Waits for approval") && held.text.contains("the first plan for this tenant"), "{}", held.text);
    assert!(ok(&mut ada, "/").await.text.contains("Plans that wait for you"));
    let plan = ok(&mut ada, &format!("{run}/plan")).await;
    assert!(plan.text.contains("Create") && plan.text.contains("class=\"why\""), "changes with their reasons");
    assert!(app.engine.store().overview().await.unwrap().people == 0, "nothing was written by looking");
    for query in ["?verb=create", "?q=a", "?verb=update", "?verb=nonsense&q=%25%00&after=x&status=failed"] {
        ok(&mut ada, &format!("{run}/plan{query}")).await;
    }

    let hash = plan.hidden("hash");
    let wrong = ada.post(&format!("{run}/approve"), &plan, &[("hash", "0000")]).await;
    assert_eq!(wrong.status, StatusCode::CONFLICT, "only what was shown can be approved");
    let approved = ada.post(&format!("{run}/approve"), &plan, &[("hash", &hash)]).await;
    assert_eq!(approved.location(), format!("{run}?note=approved"), "{}", approved.text);
    app.work().await;
    assert!(ok(&mut ada, &run).await.text.contains("Done"));

    let people = app.engine.store().overview().await.unwrap().people;
    assert!(people > 0);
    let list = ok(&mut ada, "/people?kind=contact&linked=true").await;
    let href = list.text.split("href=\"/people/").nth(1).and_then(|r| r.split('"').next()).expect("somebody").to_owned();
    let person = ok(&mut ada, &format!("/people/{href}")).await;
    for shown in ["Entra: ", "Why", "What sync would do next", "Nothing now.", "History", "Create"] {
        assert!(person.text.contains(shown), "{shown} is missing on the person's page");
    }
    let user = person.text.split("href=\"/users/").nth(1).and_then(|r| r.split('"').next()).expect("a user").to_owned();
    assert!(ok(&mut ada, &format!("/users/{user}")).await.text.contains("What Entra holds"));

    let store = app.engine.store();
    let row = store.user(model::UserKey(user.parse().unwrap())).await.unwrap();
    let id = row.source_id.as_str().to_owned();
    let directory = app.entra.tenant(0).unwrap().id;
    let change = json!({ "jobTitle": "Countess of <Lovelace>" });
    tokio::task::block_in_place(|| app.entra.control(Method::PATCH, &format!("/tenants/{directory}/users/{id}"), &change))
        .unwrap();
    let page = ok(&mut ada, &format!("/tenants/{tenant}")).await;
    ada.post(&format!("/tenants/{tenant}/runs"), &page, &[("kind", "delta"), ("preview", "no")]).await;
    app.work().await;
    let person = ok(&mut ada, &format!("/people/{href}")).await;
    assert!(person.text.contains("Countess of &#60;Lovelace&#62;"), "the change arrived, escaped: {}", person.text);
    assert!(person.text.contains("Entra: jobTitle (run 2)"), "and its origin is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_used_server_renders() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let tenant = app.connected().await;
    let page = ok(&mut ada, "/settings").await;
    ada.post(&format!("/tenants/{tenant}/runs"), &page, &[("kind", "full"), ("preview", "yes")]).await;
    app.work().await;
    let paths =
        ["/", "/tenants", "/people", "/runs", "/runs?state=held", "/review", "/policy", "/settings", "/connect", "/users/1"];
    for path in paths {
        ok(&mut ada, path).await;
    }
    let parts = ["", "/users", "/users?outcome=excluded", "/users?q=a", "/policy"];
    for part in parts {
        ok(&mut ada, &format!("/tenants/{tenant}{part}")).await;
    }
    ok(&mut ada, "/connections/1").await;
    for missing in ["/nothing", "/people/999", "/people/x", "/runs/0", "/runs/99999999999999999999", "/users/7777", "/review/1"] {
        let page = ada.get(missing).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{missing}");
        assert!(page.text.contains("There is nothing here") && page.text.contains("<!doctype html>"), "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_fault_is_shown_again_with_its_place() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let page = ok(&mut ada, "/policy").await;
    assert!(page.text.contains("What is in effect") && page.text.contains("preset: msp"));
    let bad = ada.post("/policy", &page, &[("text", "preset: msp\nscoop: {}\n"), ("do", "save")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.text.contains("line 2, column 1") && bad.text.contains("scoop: {}"), "{}", bad.text);
    let checked = ada.post("/policy", &page, &[("text", "preset: bms\r\n"), ("do", "check")]).await;
    assert!(checked.text.contains("This policy is sound."));
    assert!(app.engine.store().policy_versions("default").await.unwrap().is_empty(), "checking keeps nothing");
    let saved = ada.post("/policy", &page, &[("text", "preset: bms\r\n"), ("do", "save")]).await;
    assert_eq!(saved.location(), "/policy?note=saved");
    assert_eq!(app.engine.store().policy("default").await.unwrap().unwrap().text, "preset: bms\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let page = ok(&mut ada, "/settings").await;
    let made = ada.post("/settings/tokens", &page, &[("name", "reporting"), ("scope", "read")]).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let token = made.text.split("rollcall_").nth(1).and_then(|r| r.split('<').next()).expect("a token");
    let token = format!("rollcall_{token}");
    assert_eq!(app.api(Method::GET, "/api/v1/overview", &token, None).await.status, StatusCode::OK);
    let again = ok(&mut ada, "/settings").await;
    assert!(again.text.contains("reporting") && !again.text.contains(&token));
    let twice = ada.post("/settings/tokens", &again, &[("name", "reporting"), ("scope", "read")]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    ada.post("/settings/tokens/1/remove", &again, &[]).await;
    assert_eq!(app.api(Method::GET, "/api/v1/overview", &token, None).await.status, StatusCode::UNAUTHORIZED);
}
