//! Nobody gets further than they may: walked over the OpenAPI document, so that a new operation cannot be forgotten.

mod common;

use axum::body::Body;
use common::App;
use http::{Method, Request, StatusCode, header};
use serde_json::Value;

/// Every operation of the document: method, path with ids filled in, the scope it says it needs.
fn operations() -> Vec<(Method, String, String)> {
    let document: Value = serde_json::from_str(&web::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let scope = operation["security"][0]["token"][0].as_str().unwrap_or_else(|| panic!("{method} {path} names no scope"));
            operations.push((method, path.replace("{id}", "1"), scope.to_owned()));
        }
    }
    assert!(operations.len() > 30, "only {} operations are documented", operations.len());
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_everywhere() {
    let app = App::start().await;
    for (method, path, _) in operations() {
        for authorization in [None, Some("Bearer nonsense"), Some("Basic YTpi"), Some("Bearer ")] {
            let mut request = Request::builder().method(method.clone()).uri(&path);
            if let Some(value) = authorization {
                request = request.header(header::AUTHORIZATION, value);
            }
            let answer = app.send(request.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} let {authorization:?} in");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json()["code"], "unauthenticated");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let app = App::start().await;
    let (read, operate) = (app.token(&["read"]).await, app.token(&["operate"]).await);
    for (method, path, scope) in operations() {
        if method != Method::GET {
            assert_ne!(scope, "read", "{method} {path} changes something, so reading must not be enough");
        }
        let by_reader = app.api(method.clone(), &path, &read, None).await.status;
        assert_eq!(by_reader == StatusCode::FORBIDDEN, scope != "read", "{method} {path} for a reader: {by_reader}");
        if path.ends_with("/events") {
            continue;
        }
        let by_operator = app.api(method.clone(), &path, &operate, None).await.status;
        assert_eq!(by_operator == StatusCode::FORBIDDEN, scope == "admin", "{method} {path} for an operator: {by_operator}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_ask_strangers_to_sign_in() {
    let app = App::start().await;
    for path in ["/", "/tenants", "/tenants/1", "/people?q=ada", "/runs", "/review/1", "/policy", "/settings", "/connect"] {
        let answer = app.browser().get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("/sign-in"), "{path} leads to {}", answer.location());
    }
    assert_eq!(app.browser().get("/people?q=ada").await.location(), "/sign-in?next=%2Fpeople%3Fq%3Dada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_changes_things_through_the_api_only_with_its_token() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let page = ada.get("/settings").await;
    assert_eq!(ada.get("/api/v1/clients").await.status, StatusCode::OK);
    let json = [("content-type", "application/json")];
    let body = || Body::from(r#"{"name":"Acme"}"#);
    let without = ada.request(Method::POST, "/api/v1/clients", body(), &json).await;
    assert_eq!((without.status, without.json()["code"].clone()), (StatusCode::FORBIDDEN, "csrf".into()));
    let csrf = page.hidden("csrf");
    let with = ada.request(Method::POST, "/api/v1/clients", body(), &[json[0], ("x-csrf-token", &csrf)]).await;
    assert_eq!(with.status, StatusCode::CREATED, "{}", with.text);
}
