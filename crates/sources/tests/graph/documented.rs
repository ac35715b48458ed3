//! Every documented example and every error body seen in the wild, for the calls used here. They are not part of this repository:
//! `ROLLCALL_CONTRACTS` names the folder that holds them, and without it these tests say that they were skipped.

use crate::support::{Answer, Pretend, kind_of};
use model::directory::{Cursor, Feed};
use serde_json::Value;
use sources::{Select, Source};
use std::path::PathBuf;

fn fixture(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("ROLLCALL_CONTRACTS").map(PathBuf::from) else {
        println!("skipped: ROLLCALL_CONTRACTS does not name a folder with fixtures/graph/{name}");
        return None;
    };
    let text = std::fs::read_to_string(folder.join("fixtures/graph").join(name)).expect("the fixture");
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// Which of our calls a documented request is.
fn call_of(method: &str, url: &str) -> Option<&'static str> {
    let path = url.split_once("/v1.0/")?.1.split('?').next()?;
    (method == "GET").then_some(())?;
    ["users/delta", "groups/delta", "organization", "subscribedSkus", "directory/deletedItems/microsoft.graph.user"]
        .into_iter()
        .find(|c| *c == path)
}

#[tokio::test]
async fn every_documented_example_of_our_calls_parses() {
    let Some(examples) = fixture("documentation-examples.json") else { return };
    let mut seen = Vec::new();
    for example in examples["mocks"].as_array().expect("examples") {
        let (request, response) = (&example["request"], &example["response"]);
        let Some(call) = call_of(request["method"].as_str().unwrap_or("GET"), request["url"].as_str().unwrap_or_default()) else {
            continue;
        };
        seen.push(call);
        let body = response["body"].to_string();
        let has_ids = response["body"]["value"].as_array().expect("a value").iter().all(|o| o.get("id").is_some());
        let pretend =
            Pretend::graph(move |seen, _| Answer::text(200, &body.replace("https://graph.microsoft.com", &seen.home))).await;
        let source = pretend.source();
        match call {
            "users/delta" | "groups/delta" => {
                let feed = if call == "users/delta" { Feed::Users } else { Feed::Groups };
                let page = source.page(feed, &Cursor::Refresh, &Select::default()).await;
                match page {
                    Ok(page) => assert!(has_ids && !page.events.is_empty() && matches!(page.next, Cursor::Page(_)), "{page:?}"),
                    // Some examples leave the id out, which Graph never does: they parse, and are refused for just that.
                    Err(error) => assert!(!has_ids && error.to_string().contains("without an id"), "{error}"),
                }
            }
            "organization" => assert!(!source.organization().await.expect("an organization").id.as_str().is_empty()),
            "subscribedSkus" => assert_eq!(source.subscribed_skus().await.expect("licences").len(), 2),
            _ => assert_eq!(source.deleted_users(&["nobody".into()]).await.expect("an answer"), []),
        }
    }
    for call in ["users/delta", "groups/delta", "organization", "subscribedSkus"] {
        assert!(seen.contains(&call), "no example of {call} among {seen:?}");
    }
}

/// What a sign-in error body becomes, by its AADSTS number.
fn sign_in_kind(description: &str) -> &'static str {
    for (number, kind) in [
        ("AADSTS7000215", "wrong_secret"),
        ("AADSTS700016", "app_not_in_tenant"),
        ("AADSTS90002", "tenant_not_found"),
        ("AADSTS65001", "consent_missing"),
        ("AADSTS70011", "token_rejected"),
    ] {
        if description.starts_with(number) {
            return kind;
        }
    }
    panic!("a body this test does not know: {description}")
}

#[tokio::test]
async fn every_sign_in_error_seen_in_the_wild_is_understood() {
    let Some(bodies) = fixture("error-bodies.json") else { return };
    for example in bodies["token_endpoint"].as_array().expect("bodies") {
        let status = status_of(example);
        let body = example["body"].to_string();
        let pretend = Pretend::start(move |_, _| Answer::text(status, &body)).await;
        let description = example["body"]["error_description"].as_str().expect("a description");
        assert_eq!(kind_of(pretend.source().organization().await), sign_in_kind(description), "{description}");
    }
}

#[tokio::test]
async fn every_graph_error_seen_in_the_wild_is_understood() {
    let Some(bodies) = fixture("error-bodies.json") else { return };
    for example in bodies["graph"].as_array().expect("bodies") {
        let status = status_of(example);
        let body = example["body"].to_string();
        let pretend = Pretend::graph(move |_, _| Answer::text(status, &body)).await;
        let first = match status {
            401 => "token_rejected",
            403 if example["body"]["error"]["code"].as_str().is_some_and(|code| code.contains("NonPremiumTenant")) => {
                "needs_premium"
            }
            403 => "consent_missing",
            _ => "server",
        };
        let stored = if matches!(status, 400 | 404 | 410) { "resync" } else { first };
        let source = pretend.source();
        let link = Cursor::Active(format!("{}/v1.0/users/delta?$deltatoken=old", pretend.url));
        let read = async |source: &Source, cursor: &Cursor| kind_of(source.page(Feed::Users, cursor, &Select::default()).await);
        assert_eq!(read(&source, &Cursor::Refresh).await, first, "{example}");
        assert_eq!(read(&source, &link).await, stored, "{example}");
    }
}

/// The status; a question mark says that the body's source does not show it.
fn status_of(example: &Value) -> u16 {
    match &example["http"] {
        Value::Number(n) => n.as_u64().and_then(|n| n.try_into().ok()).expect("a status"),
        other => other.as_str().and_then(|s| s.split(' ').next()?.parse().ok()).expect("a status"),
    }
}
