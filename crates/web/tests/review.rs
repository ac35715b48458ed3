//! Review as programs see it, from the question to what was written.

mod common;

use common::App;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::UserFilter;

/// Two records of the mapped client have one user's address, and the tenant's first plan waits. Gives the item.
async fn asked(app: &App, token: &str, tenant: i64) -> Value {
    run(app, token, tenant, json!({ "preview": true })).await;
    let filter = UserFilter { outcome: Some("synced".into()), limit: 50, ..UserFilter::default() };
    let users = app.engine.store().users(model::TenantKey(tenant), &filter).await.expect("users");
    let mail = users.iter().find_map(|u| u.attributes.text("mail")).expect("somebody with an address");
    let rows =
        format!("external_id,kind,client,email,last_name\n1,contact,Contoso Ltd,{mail},One\n2,contact,Contoso Ltd,{mail},Two\n");
    app.engine.import_people(rows.as_bytes(), &BTreeMap::new(), false, &sync::Actor::cli("test")).await.expect("adopted");
    run(app, token, tenant, json!({})).await;
    let items = app.api(Method::GET, "/api/v1/review?why=ambiguous_match", token, None).await.json();
    assert_eq!(items["items"].as_array().map(Vec::len), Some(1), "{items}");
    items["items"][0].clone()
}

async fn run(app: &App, token: &str, tenant: i64, body: Value) -> Value {
    let started = app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), token, Some(body)).await;
    app.work().await;
    app.api(Method::GET, started.location(), token, None).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_94_a_choice_before_the_first_plan_is_kept_and_becomes_part_of_what_follows() {
    let app = App::start().await;
    let token = app.token(&["operate"]).await;
    let tenant = app.connected().await;
    let item = asked(&app, &token, tenant).await;
    let at = format!("/api/v1/review/{}", item["id"]);
    assert_eq!(item["candidates"].as_array().map(Vec::len), Some(2), "{item}");
    assert!(item["candidates"][0]["met"][0].is_string() && item["candidates"][0]["client"] == "Contoso Ltd", "{item}");
    assert!(item["evidence"].as_array().unwrap().iter().any(|e| e["why"] == "name_alike"), "{item}");
    let choices = app.api(Method::GET, &format!("{at}/choices"), &token, None).await.json();
    assert_eq!((&choices["cannot_create"], &choices["cannot_link"], &choices["history"]), (&Value::Null, &json!([]), &json!([])));

    let post = async |path: &str, body: Option<Value>| app.api(Method::POST, path, &token, body).await;
    assert_eq!(post(&format!("{at}/link"), Some(json!({}))).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = post(&format!("{at}/link"), Some(json!({ "record": 4711 }))).await;
    assert_eq!((nobody.status, &nobody.json()["code"]), (StatusCode::CONFLICT, &json!("refused")));

    let record = item["candidates"][1]["id"].clone();
    let taken = post(&format!("{at}/link"), Some(json!({ "record": record }))).await.json();
    assert_eq!((&taken["ok"], &taken["state"], &taken["run"]), (&json!(true), &json!("decided"), &Value::Null), "{taken}");
    assert!(taken["sentence"].as_str().unwrap().contains("first plan"), "{taken}");
    assert_eq!(post(&format!("{at}/create"), None).await.status, StatusCode::CONFLICT, "decided is decided");

    let runs = app.api(Method::GET, &format!("/api/v1/runs?tenant={tenant}&state=held"), &token, None).await.json();
    let held = &runs["items"][0];
    let approve = json!({ "hash": held["hash"] });
    let approved = post(&format!("/api/v1/runs/{}/approve", held["id"]), Some(approve)).await;
    assert_eq!(approved.status, StatusCode::ACCEPTED, "{}", approved.text);
    app.work().await;
    run(&app, &token, tenant, json!({})).await;
    let now = app.api(Method::GET, &at, &token, None).await.json();
    assert_eq!((&now["state"], &now["chosen"][0]["record"]), (&json!("resolved"), &record), "{now}");
    let person = app.api(Method::GET, &format!("/api/v1/people/{record}"), &token, None).await.json();
    assert!(!person["linked_to"].is_null() || !person["link"].is_null(), "{person}");
    let history = app.api(Method::GET, &format!("{at}/choices"), &token, None).await.json()["history"].clone();
    assert_eq!((history.as_array().map(Vec::len), &history[0]["action"]), (Some(1), &json!("link")), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_are_each_told_and_only_as_many_as_were_seen() {
    let app = App::start().await;
    let token = app.token(&["operate"]).await;
    let tenant = app.connected().await;
    let item = asked(&app, &token, tenant).await;
    let decide = async |body: Value| app.api(Method::POST, "/api/v1/review/decide", &token, Some(body)).await;
    for wrong in [
        json!({}),
        json!({ "action": "adopt", "count": 1 }),
        json!({ "action": "dismiss" }),
        json!({ "action": "dismiss", "items": [] }),
        json!({ "action": "dismiss", "items": [{ "id": 1, "extra": true }] }),
        json!({ "action": "create", "items": [{ "id": 1, "record": 2 }] }),
        json!({ "action": "dismiss", "items": [{ "id": 1 }], "count": 1 }),
    ] {
        let refused = decide(wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", refused.text);
    }
    let more = decide(json!({ "action": "dismiss", "tenant": tenant, "count": 7 })).await;
    assert_eq!(more.status, StatusCode::CONFLICT, "{}", more.text);
    assert!(more.json()["detail"].as_str().unwrap().contains("are 1 now"), "{}", more.text);

    let both = decide(json!({ "action": "dismiss", "items": [{ "id": item["id"] }, { "id": 4711 }] })).await.json();
    assert_eq!((&both["done"], &both["waiting"], &both["refused"]), (&json!(1), &json!(0), &json!(1)), "{both}");
    assert_eq!(
        (&both["outcomes"][0]["state"], &both["outcomes"][1]["code"]),
        (&json!("dismissed"), &json!("not_found")),
        "{both}"
    );
    let again = decide(json!({ "action": "reopen", "why": "ambiguous_match", "count": 1 })).await.json();
    assert_eq!((&again["done"], &again["outcomes"][0]["state"]), (&json!(1), &json!("open")), "{again}");
}
