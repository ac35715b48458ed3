//! Changes made through Graph: batches, quota, and what cannot be written.

mod support;

use serde_json::{Value, json};
use simulator::{Options, Throttle};
use support::{World, small};

/// A world whose application may write everything.
async fn writing(options: Options) -> World {
    let mut world = World::start(options).await;
    world.control("POST", "consent", json!({"grant": ["User.ReadWrite.All", "Group.ReadWrite.All"]})).await;
    world.sign_in().await;
    world
}

async fn user(world: &World, n: usize) -> Value {
    world.get("/v1.0/users?$top=20&$select=id,jobTitle,userPrincipalName").await.json()["value"][n].clone()
}

fn patch(id: &str, user: &Value, title: &str) -> Value {
    let url = format!("/users/{}", user["id"].as_str().unwrap_or_default());
    json!({"id": id, "method": "PATCH", "url": url, "headers": {"Content-Type": "application/json"}, "body": {"jobTitle": title}})
}

#[tokio::test]
async fn a_batch_that_is_refused_has_changed_nothing() {
    let world = writing(small()).await;
    let before = user(&world, 3).await;
    let good = patch("a", &before, "changed by half a batch");
    let with = |id: &str, name: &str, value: Value| {
        let mut item = json!({"id": id, "method": "GET", "url": "/organization"});
        item[name] = value;
        item
    };
    for wrong in [
        with("A", "method", json!("GET")),
        with("b", "method", json!("FETCH")),
        with("b", "url", json!("")),
        with("b", "url", json!("https://graph.microsoft.com/v1.0/users")),
        with("b", "body", json!({})),
        with("b", "headers", json!({"x": 1})),
        with("b", "method", json!("PATCH")),
        json!({"id": "b", "method": "POST", "url": "/users", "headers": {"content-type": "application/json"}, "body": [1]}),
        with("b", "dependsOn", json!(["nobody"])),
        with("b", "dependsOn", json!("a")),
        with("b", "dependsOn", json!([1])),
        with("b", "dependsOn", json!(["b"])),
        json!("b"),
    ] {
        let answer = world.send("POST", "/v1.0/$batch", json!({"requests": [good, wrong]})).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
        assert_eq!(user(&world, 3).await, before, "{wrong}");
    }
}

#[tokio::test]
async fn an_item_waits_for_a_later_one_and_each_has_its_own_request_id() {
    let world = writing(small()).await;
    let someone = user(&world, 3).await;
    let mut read =
        json!({"id": "read", "method": "get", "url": format!("/users/{}?$select=jobTitle", someone["id"].as_str().expect("id"))});
    read["dependsOn"] = json!(["WRITE"]);
    read["headers"] = json!({"client-request-id": "22222222-2222-4333-8444-555555555555"});
    let missing = json!({"id": "missing", "method": "GET", "url": "/users/nobody@x.example"});
    let after = json!({"id": "after", "method": "GET", "url": "/organization", "dependsOn": ["missing"]});
    let answer =
        world.send("POST", "/v1.0/$batch", json!({"requests": [read, after, patch("write", &someone, "Later"), missing]})).await;
    let responses = answer.json()["responses"].clone();
    let of = |id: &str| responses.as_array().into_iter().flatten().find(|r| r["id"] == id).cloned().unwrap_or_default();
    assert_eq!((&of("read")["status"], &of("read")["body"]["jobTitle"]), (&json!(200), &json!("Later")));
    assert_eq!(of("read")["headers"]["client-request-id"], "22222222-2222-4333-8444-555555555555");
    assert_eq!((&of("after")["status"], &of("missing")["status"]), (&json!(424), &json!(404)));
    let inner = &of("after")["body"]["error"]["innerError"];
    assert!(inner["request-id"].as_str().is_some_and(|r| !r.is_empty()), "{inner}");
    assert_eq!(inner["request-id"], of("after")["headers"]["request-id"]);
    assert!(of("read")["headers"]["Content-Type"].is_string());
    let nested = json!({"requests": [{"id": "1", "method": "POST", "url": "/$batch", "headers": {"Content-Type": "application/json"}, "body": {"requests": []}}]});
    assert_eq!(world.send("POST", "/v1.0/$batch", nested).await.json()["responses"][0]["status"], 400);
}

#[tokio::test]
async fn every_write_counts_and_a_full_quota_of_writes_stops_only_writing() {
    let world = writing(Options { throttle: Throttle::L, ..small() }).await;
    let (someone, other) = (user(&world, 3).await, user(&world, 4).await);
    let url = format!("/v1.0/users/{}", someone["id"].as_str().expect("id"));
    assert_eq!(world.send("PATCH", &url, json!({"jobTitle": "x"})).await.header("x-ms-resource-unit"), "1");
    let batch = json!({"requests": (0..20).map(|i| patch(&i.to_string(), &other, "y")).collect::<Vec<_>>()});
    let mut refused = None;
    for _ in 0..400 {
        let answer = world.send("POST", "/v1.0/$batch", batch.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        refused = answer.json()["responses"].as_array().into_iter().flatten().find(|r| r["status"] == 429).cloned();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("more than 3,000 writes are too many");
    assert_eq!(refused["headers"]["x-ms-throttle-information"], "WriteLimitExceeded");
    assert!(refused["headers"]["Retry-After"].is_string());
    assert_eq!(world.send("POST", "/v1.0/users", json!({})).await.status, 429);
    assert_eq!(world.get("/v1.0/organization").await.status, 200, "who reads goes on");
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 60})).await;
    assert_eq!(world.send("PATCH", &url, json!({"jobTitle": "z"})).await.status, 204);
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_or_length_changes_nothing() {
    let world = writing(small()).await;
    let before = user(&world, 3).await;
    let url = format!("/v1.0/users/{}", before["id"].as_str().expect("id"));
    for (name, wrong) in [
        ("displayName", json!("x".repeat(257))),
        ("displayName", Value::Null),
        ("givenName", json!("x".repeat(65))),
        ("employeeId", json!("12345678901234567")),
        ("jobTitle", json!("x".repeat(129))),
        ("department", json!(7)),
        ("accountEnabled", json!("true")),
        ("businessPhones", json!(["1", "2"])),
        ("otherMails", json!([1])),
        ("otherMails", json!("a@x.example")),
        ("usageLocation", json!("Austria")),
        ("employeeHireDate", json!("soon")),
        ("userPrincipalName", Value::Null),
        ("onPremisesExtensionAttributes", json!({"extensionAttribute1": 5})),
        ("unheardOf", json!("x")),
    ] {
        let answer = world.send("PATCH", &url, json!({"jobTitle": "changed by half", name: wrong})).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "Request_BadRequest"), "{name}: {}", answer.text);
        let new = json!({"displayName": "N", "userPrincipalName": "new@x.example", name: wrong});
        assert_eq!(world.send("POST", "/v1.0/users", new).await.status, 400, "{name}");
        assert_eq!(user(&world, 3).await, before, "{name}");
    }
    assert_eq!(world.get("/v1.0/users/new@x.example").await.status, 404);
    let most = json!({"displayName": "é".repeat(256), "employeeId": "1234567890123456", "businessPhones": ["1"], "usageLocation": "AT", "surname": null});
    assert_eq!(world.send("PATCH", &url, most).await.status, 204);
    for wrong in
        [json!({"displayName": "x".repeat(257)}), json!({"displayName": "g", "mailEnabled": "no"}), json!({"displayName": 5})]
    {
        assert_eq!(world.send("POST", "/v1.0/groups", wrong).await.code(), "Request_BadRequest");
    }
}

#[tokio::test]
async fn who_lost_the_sign_in_name_meanwhile_is_not_restored() {
    let world = writing(small()).await;
    let gone = user(&world, 3).await;
    let (id, upn) = (gone["id"].as_str().expect("id"), gone["userPrincipalName"].as_str().expect("upn"));
    world.send("DELETE", &format!("/v1.0/users/{id}"), json!({})).await;
    let new =
        world.send("POST", "/v1.0/users", json!({"displayName": "New", "userPrincipalName": upn.to_uppercase()})).await.json();
    let restore = format!("/v1.0/directory/deletedItems/{id}/restore");
    let refused = world.send("POST", &restore, json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "Request_BadRequest"));
    world.send("DELETE", &format!("/v1.0/users/{}", new["id"].as_str().expect("id")), json!({})).await;
    assert_eq!(world.send("POST", &restore, json!({})).await.status, 200);
    assert_eq!(world.get(&format!("/v1.0/users/{}", upn.replace('#', "%23"))).await.json()["id"], id, "and has the name again");
}
