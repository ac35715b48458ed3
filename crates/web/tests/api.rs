//! The REST API as programs use it.

mod common;

use axum::body::Body;
use common::App;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_program_from_start_to_applied() {
    let app = App::start().await;
    let token = app.token(&["operate"]).await;
    let tenant = app.connected().await;
    let started = app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), &token, Some(json!({}))).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text);
    let run = started.location().to_owned();
    app.work().await;
    let held = app.api(Method::GET, &run, &token, None).await.json();
    assert_eq!((&held["state"], &held["holds"][0]["why"]), (&json!("held"), &json!("first_run")));
    let events = app.api(Method::GET, &format!("{run}/events"), &token, None).await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert!(events.text.contains("event: progress") && events.text.contains("\"waits\":true"), "{}", events.text);

    let total = held["counts"]["create"].as_i64().unwrap();
    let (mut seen, mut path) = (0, format!("{run}/changes?limit=7"));
    loop {
        let page = app.api(Method::GET, &path, &token, None).await.json();
        seen += i64::try_from(page["items"].as_array().unwrap().len()).unwrap();
        assert!(page["items"][0]["reasons"][0]["sentence"].is_string());
        match page["next"].as_str() {
            Some(next) => path = format!("{run}/changes?limit=7&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, total, "pages hold every change once");

    let wrong = app.api(Method::POST, &format!("{run}/approve"), &token, Some(json!({ "hash": "00" }))).await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (StatusCode::CONFLICT, json!("wrong_hash")));
    let body = json!({ "hash": held["hash"] });
    assert_eq!(app.api(Method::POST, &format!("{run}/approve"), &token, Some(body.clone())).await.status, StatusCode::ACCEPTED);
    app.work().await;
    let done = app.api(Method::GET, &run, &token, None).await.json();
    assert_eq!((&done["state"], &done["counts"]["applied"]), (&json!("done"), &json!(total)));
    let again = app.api(Method::POST, &format!("{run}/approve"), &token, Some(body)).await;
    assert_eq!((again.status, again.json()["code"].clone()), (StatusCode::CONFLICT, json!("not_waiting")));

    let people = app.api(Method::GET, "/api/v1/people?linked=true&limit=3", &token, None).await.json();
    let person = people["items"][0]["id"].as_i64().unwrap();
    let history = app.api(Method::GET, &format!("/api/v1/people/{person}/history"), &token, None).await.json();
    assert_eq!(history["items"][0]["do"], "create");
    let edit = json!({ "job_title": "Countess", "version": people["items"][0]["version"] });
    let edited = app.api(Method::PATCH, &format!("/api/v1/people/{person}"), &token, Some(edit.clone())).await;
    assert_eq!(edited.json()["fields"]["job_title"], "Countess", "{}", edited.text);
    let stale =
        app.api(Method::PATCH, &format!("/api/v1/people/{person}"), &token, Some(json!({ "version": 0, "role": "x" }))).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "somebody else's edit is not lost");
    let users = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users?outcome=synced"), &token, None).await.json();
    let user = users["items"][0]["id"].as_i64().unwrap();
    let why = app.api(Method::GET, &format!("/api/v1/users/{user}/explain"), &token, None).await.json();
    assert_eq!(why["outcome"], "synced");
    assert!(!why["stages"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_with_a_code_and_places() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let send = |method: Method, path: &'static str, kind: Option<&'static str>, body: &'static str| {
        let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        app.send(request.body(Body::from(body)).unwrap())
    };
    let json = Some("application/json");
    let cases = [
        (send(Method::GET, "/api/v1/runs/x", None, "").await, 404, "not_found"),
        (send(Method::GET, "/api/v1/runs/999", None, "").await, 404, "not_found"),
        (send(Method::GET, "/api/v1/runs/99999999999999999999", None, "").await, 404, "not_found"),
        (send(Method::GET, "/api/v1/nothing", None, "").await, 404, "not_found"),
        (send(Method::GET, "/api/v1/runs?limit=0", None, "").await, 400, "invalid_query"),
        (send(Method::GET, "/api/v1/runs?limit=1&limit=2", None, "").await, 400, "invalid_query"),
        (send(Method::GET, "/api/v1/runs?colour=red", None, "").await, 400, "invalid_query"),
        (send(Method::GET, "/api/v1/people?cursor=%00", None, "").await, 400, "invalid_query"),
        (send(Method::GET, "/api/v1/people?q=%ff", None, "").await, 400, "invalid_query"),
        (send(Method::POST, "/api/v1/clients", None, "{}").await, 415, "not_json"),
        (send(Method::POST, "/api/v1/clients", Some("text/plain"), "{}").await, 415, "not_json"),
        (send(Method::POST, "/api/v1/clients", json, "{").await, 400, "malformed_json"),
        (send(Method::POST, "/api/v1/clients", json, "[]").await, 422, "invalid_body"),
        (send(Method::POST, "/api/v1/clients", json, r#"{"name":"\u0000"}"#).await, 422, "invalid_body"),
        (send(Method::DELETE, "/api/v1/overview", None, "").await, 405, "method_not_allowed"),
        (send(Method::DELETE, "/api/v1/connections/7", None, "").await, 404, "not_found"),
    ];
    for (answer, status, code) in cases {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{problem}");
    }
    let compressed = Request::post("/api/v1/clients")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip");
    let compressed = app.send(compressed.body(Body::from(r#"{"name":"Acme"}"#)).unwrap()).await;
    assert_eq!((compressed.status.as_u16(), &compressed.json()["code"]), (415, &json!("not_json")));
    let allow = send(Method::DELETE, "/api/v1/overview", None, "").await;
    assert!(allow.header("allow").contains("GET"), "a refused method says which are taken");
    let faults = send(Method::POST, "/api/v1/connections", json, r#"{"name":"","extra":1}"#).await.json();
    let pointers: Vec<_> = faults["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/tenant", "/client_id", "/secret", "/extra"]);
    let policy = send(Method::PUT, "/api/v1/policies/default", json, r#"{"text":"preset: msp\nscoop: 1\n"}"#).await;
    assert_eq!((policy.status, &policy.json()["code"]), (StatusCode::CONFLICT, &json!("policy_invalid")));
    let fault = &policy.json()["errors"][0];
    assert_eq!((&fault["pointer"], &fault["line"], &fault["column"]), (&json!("/text"), &json!(2), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let body = json!({ "text": "x".repeat(600_000) });
    let answer = app.api(Method::POST, "/api/v1/policies/check", &token, Some(body)).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (StatusCode::PAYLOAD_TOO_LARGE, json!("too_large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = app.entra.tenant(0).unwrap();
    let new = json!({ "name": "Contoso", "tenant": tenant.id, "client_id": tenant.client_id, "secret": tenant.secret });
    let mut wrong = new.clone();
    wrong["secret"] = json!("a-planted-secret");
    let refused = app.api(Method::POST, "/api/v1/connections", &token, Some(wrong)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(!refused.text.contains("a-planted-secret"));
    let made = app.api(Method::POST, "/api/v1/connections", &token, Some(new.clone())).await;
    assert_eq!((made.status, made.location()), (StatusCode::CREATED, "/api/v1/connections/1"), "{}", made.text);
    let twice = app.api(Method::POST, "/api/v1/connections", &token, Some(new)).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    for path in ["/api/v1/connections", "/api/v1/connections/1", "/api/v1/audit", "/api/v1/tenants"] {
        let answer = app.api(Method::GET, path, &token, None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.text.contains(&tenant.secret), "{path} gives the secret away");
    }
    let test = app.api(Method::POST, "/api/v1/connections/1/test", &token, None).await.json();
    assert_eq!(test["ok"], true, "{test}");
}

#[test]
fn the_document_is_stable_and_names_every_error() {
    assert_eq!(web::openapi(), web::openapi());
    let document: Value = serde_json::from_str(&web::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for reference in web::openapi().lines().filter_map(|l| l.split("\"$ref\": \"#").nth(1)) {
        let pointer = reference.trim_end_matches(['"', ',']);
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "nothing names {name}");
    }
    let mut ids = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            for status in ["401", "403", "500"] {
                assert!(responses.contains_key(status), "{method} {path} does not document {status}");
            }
            for (status, response) in responses {
                assert!(
                    response["description"].as_str().is_some_and(|d| !d.is_empty()),
                    "{method} {path} {status} is not described"
                );
                let problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(problem, status.as_str() >= "400", "{method} {path} {status}");
            }
            if let Some(schema) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() {
                let name = schema.rsplit('/').next().unwrap();
                assert_eq!(document["components"]["schemas"][name]["additionalProperties"], false, "{name} takes anything");
            }
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} names two operations");
        }
    }
}
