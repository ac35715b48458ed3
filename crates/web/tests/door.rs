//! Coming in, staying in, going out.

mod common;

use common::App;
use http::StatusCode;
use jiff::SignedDuration;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_comes_in_by_a_link_that_works_once() {
    let app = App::start().await;
    let link = web::setup_link(&app.state, 60_000).await.unwrap().unwrap();
    let path = link.strip_prefix("http://rollcall.example").unwrap();
    let mut ada = app.browser();
    let page = ada.get(path).await;
    assert_eq!(page.status, StatusCode::OK);
    let token = page.hidden("token");

    let short = [("token", token.as_str()), ("name", "Ada"), ("password", "short"), ("again", "short")];
    let again = ada.post("/setup", &page, &short).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a bad form is shown again");
    assert!(again.text.contains("at least 12 characters") && again.text.contains("role=\"alert\""));

    let good =
        [("token", token.as_str()), ("name", "Ada"), ("password", "correct horse battery"), ("again", "correct horse battery")];
    let done = ada.post("/setup", &again, &good).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/?note=welcome"));
    assert!(ada.get("/").await.text.contains("Nothing is connected yet"), "an empty overview teaches");

    assert_eq!(app.browser().get(path).await.status, StatusCode::GONE, "the link worked once");
    assert_eq!(web::setup_link(&app.state, 60_000).await.unwrap(), None, "no more first links");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_too_old_says_what_to_do() {
    let app = App::start().await;
    let link = web::setup_link(&app.state, 60_000).await.unwrap().unwrap();
    app.clock.advance(SignedDuration::from_secs(61));
    let page = app.browser().get(link.strip_prefix("http://rollcall.example").unwrap()).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.text.contains("rollcall serve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out_with_cookies_that_scripts_cannot_read() {
    let app = App::start().await;
    let mut first = app.admin().await;
    let out = {
        let page = first.get("/").await;
        first.post("/sign-out", &page, &[]).await
    };
    assert_eq!(out.location(), "/sign-in?note=signed-out");
    assert_eq!(first.get("/").await.status, StatusCode::SEE_OTHER, "the session is gone on the server too");

    let mut ada = app.browser();
    let page = ada.get("/sign-in?next=%2Fpeople").await;
    let wrong = ada.post("/sign-in", &page, &[("name", "ada"), ("password", "wrong"), ("next", "/people")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = ada.post("/sign-in", &page, &[("name", "nobody"), ("password", "wrong")]).await;
    assert!(
        wrong.text.contains("The name or the password is wrong.") && nobody.text.contains("The name or the password is wrong.")
    );
    let right =
        ada.post("/sign-in", &wrong, &[("name", "ada"), ("password", "correct horse battery"), ("next", "/people")]).await;
    assert_eq!((right.status, right.location()), (StatusCode::SEE_OTHER, "/people"), "{}", right.text);
    let cookie = right.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_nobody_uses_it_and_after_a_week() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    for _ in 0..14 {
        app.clock.advance(SignedDuration::from_hours(11));
        assert_eq!(ada.get("/").await.status, StatusCode::OK);
    }
    app.clock.advance(SignedDuration::from_hours(15));
    assert_eq!(ada.get("/").await.status, StatusCode::SEE_OTHER, "a week has passed");

    let app = App::start().await;
    let mut bob = app.admin().await;
    app.clock.advance(SignedDuration::from_hours(13));
    assert_eq!(bob.get("/").await.status, StatusCode::SEE_OTHER, "nobody was there for half a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_stops_after_a_few() {
    let app = App::start().await;
    app.admin().await;
    let mut mallory = app.browser();
    let page = mallory.get("/sign-in").await;
    for _ in 0..8 {
        mallory.post("/sign-in", &page, &[("name", "Ada"), ("password", "guess")]).await;
    }
    let right = [("name", "Ada"), ("password", "correct horse battery")];
    assert_eq!(mallory.post("/sign-in", &page, &right).await.status, StatusCode::TOO_MANY_REQUESTS);
    app.clock.advance(SignedDuration::from_mins(6));
    assert_eq!(mallory.post("/sign-in", &page, &right).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_from_elsewhere_change_nothing() {
    let app = App::start().await;
    let mut ada = app.admin().await;
    let page = ada.get("/settings").await;
    let csrf = page.hidden("csrf");
    let fields = [("name", "evil"), ("scope", "admin")];
    let ours = [("origin", "http://rollcall.example")];
    let none = ada.post_raw("/settings/tokens", &fields, &ours).await;
    assert_eq!(none.status, StatusCode::FORBIDDEN, "no token");
    let wrong = ada.post_raw("/settings/tokens", &[&[("csrf", "00")], &fields[..]].concat(), &ours).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN, "another's token");
    let with = [&[("csrf", csrf.as_str())], &fields[..]].concat();
    for elsewhere in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = ada.post_raw("/settings/tokens", &with, &[elsewhere]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{elsewhere:?}");
    }
    assert!(app.engine.store().api_tokens().await.unwrap().is_empty());
    assert_eq!(ada.post_raw("/settings/tokens", &with, &ours).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_what_no_page_needs() {
    let app = App::start().await;
    for path in ["/sign-in", "/assets/app.css", "/api/v1/overview", "/nothing", "/health/live"] {
        let answer = app.browser().get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control") == "no-store", path != "/assets/app.css", "{path}");
    }
    assert_eq!(app.browser().get("/health/ready").await.text, "ready\n");
}
