//! A what-if as it is counted: the stream a program reads, and the one the policy's page reads.

mod common;

use common::{Answer, App};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// A tenant whose first plan is applied; its number.
async fn synced(app: &App, token: &str) -> i64 {
    let tenant = app.connected().await;
    let started = app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), token, Some(json!({}))).await;
    let run = started.location().to_owned();
    app.work().await;
    let held = app.api(Method::GET, &run, token, None).await.json();
    app.api(Method::POST, &format!("{run}/approve"), token, Some(json!({ "hash": held["hash"] }))).await;
    app.work().await;
    tenant
}

/// The events of a stream, each with its name and what it holds.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    let blocks = answer.text.split("\n\n").filter(|block| block.contains("event: "));
    let of = |block: &str, field: &str| -> String {
        block.lines().filter_map(|line| line.strip_prefix(field)).map(str::trim_start).collect::<Vec<_>>().join("\n")
    };
    blocks.map(|b| (of(b, "event:"), serde_json::from_str(&of(b, "data:")).expect("JSON"))).collect()
}

const NOBODY: &str = "rules: []\nlifecycle: { contact: { grace: 0 } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_begins_with_first_counts_and_ends_with_the_result() {
    let app = App::start().await;
    let token = app.token(&["operate"]).await;
    let tenant = synced(&app, &token).await;
    let body = json!({ "text": NOBODY, "tenant": tenant });
    let answer = app.api(Method::POST, "/api/v1/policies/what-if", &token, Some(body.clone())).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events = events(&answer);
    let (last, before) = events.split_last().expect("events");
    assert!(!before.is_empty() && before.iter().all(|(name, _)| name == "progress"), "{events:?}");
    let first = &before[0].1;
    assert!(first["looked_at"].as_i64() > Some(0) && first["of"].as_i64() > Some(0), "the first event has counts: {first}");
    assert_eq!(first["complete"], false);
    let grows = |key: &str| events.windows(2).all(|pair| pair[0].1[key].as_i64() <= pair[1].1[key].as_i64());
    assert!(grows("looked_at") && grows("decided") && grows("took_ms"), "counts only grow: {events:?}");
    assert_eq!((last.0.as_str(), &last.1["complete"]), ("result", &json!(true)));
    assert!(last.1["removals"].as_i64() > Some(0) && last.1["affected"] == last.1["decided"], "{}", last.1);

    let wrong = app.api(Method::POST, "/api/v1/policies/what-if", &token, Some(json!({ "text": "rules: 7\n" }))).await;
    assert_eq!(
        (wrong.status, wrong.json()["code"].clone()),
        (StatusCode::CONFLICT, json!("policy_invalid")),
        "no stream for a fault"
    );
    let reader = app.token(&["read"]).await;
    assert_eq!(app.api(Method::POST, "/api/v1/policies/what-if", &reader, Some(body)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_wrong_on_the_way_ends_the_stream_in_words() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    // The tenant's own text leans on a source that the default gives: under another default it would not hold.
    let default = "preset: msp\nfields: { contact: { badge: { source: employeeId } } }\n";
    let own = "fields: { contact: { badge: { overwrite: always } } }\n";
    for (path, text) in [("/api/v1/policies/default".to_owned(), default), (format!("/api/v1/tenants/{tenant}/policy"), own)] {
        let saved = app.api(Method::PUT, &path, &token, Some(json!({ "text": text }))).await;
        assert_eq!(saved.status, StatusCode::OK, "{}", saved.text);
    }
    let answer = app.api(Method::POST, "/api/v1/policies/what-if", &token, Some(json!({ "text": "preset: msp\n" }))).await;
    assert_eq!(answer.status, StatusCode::OK, "the text itself is sound: {}", answer.text);
    let events = events(&answer);
    let (name, problem) = events.last().expect("an event");
    assert_eq!(name, "problem", "{events:?}");
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("Contoso") && d.contains("would not hold")), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_first_counts_at_once_and_the_whole_without_scripts() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let mut ada = app.admin().await;
    let path = format!("/tenants/{tenant}/policy");
    let page = ada.get(&path).await;
    assert!(!page.text.contains("what-if.js"), "nothing is counted unasked");
    let counting = ada.post(&path, &page, &[("text", NOBODY), ("do", "what-if")]).await;
    assert_eq!(counting.status, StatusCode::OK, "{}", counting.text);
    assert!(counting.text.contains(&format!("data-what-if=\"{path}/what-if\"")) && counting.text.contains("what-if.js"));
    assert!(counting.text.contains("aria-live=\"polite\"") && counting.text.contains("rules: []"), "the draft is in the form");
    let streamed = ada.post(&format!("{path}/what-if"), &page, &[("text", NOBODY)]).await;
    assert_eq!((streamed.status, streamed.header("content-type")), (StatusCode::OK, "text/event-stream"));
    let parts = events(&streamed);
    let first = parts[0].1["lead"].as_str().expect("a sentence");
    assert!(parts[0].0 == "progress" && first.starts_with("Counting: "), "{parts:?}");
    let (name, last) = parts.last().expect("an event");
    assert!(name == "result" && last["lead"].as_str().is_some_and(|lead| lead.contains("go out of use")), "{last}");
    assert!(last["html"].as_str().is_some_and(|html| html.contains("<table") && !html.contains("<script")), "{last}");
    let whole = ada.post(&path, &page, &[("text", NOBODY), ("do", "what-if-whole")]).await;
    assert!(whole.text.contains("go out of use") && !whole.text.contains("data-what-if"), "{}", whole.text);

    let faulty = ada.post(&path, &page, &[("text", "rules: 7\n"), ("do", "what-if")]).await;
    assert_eq!(faulty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let without = ada.post_raw(&format!("{path}/what-if"), &[("text", NOBODY)], &[]).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN, "the form's token is asked for here too");
}
