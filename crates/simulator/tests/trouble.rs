//! Quota, faults, batches and lists over HTTP.

mod support;

use serde_json::json;
use simulator::{Options, Simulator, Throttle};
use support::{Mirror, World, client, small};

#[tokio::test]
async fn costs_are_shown_and_the_quota_ends_in_429_with_retry_after() {
    let world = World::start(Options { throttle: Throttle::S, ..small() }).await;
    for (path, units) in [
        ("/v1.0/users", "2"),
        ("/v1.0/users?$select=id", "1"),
        ("/v1.0/subscribedSkus", "3"),
        ("/v1.0/users/delta", "1"),
        ("/v1.0/users?$expand=manager($select=id)&$top=50", "3"),
    ] {
        assert_eq!(world.get(path).await.header("x-ms-resource-unit"), units, "{path}");
    }
    // Batches of twenty expensive questions use 3,500 units up quickly.
    let group = world.get("/v1.0/groups").await.json()["value"][6]["id"].as_str().expect("id").to_owned();
    let batch = json!({"requests": (0..20).map(|i| json!({"id": i.to_string(), "method": "GET", "url": format!("/groups/{group}/transitiveMembers")})).collect::<Vec<_>>()});
    let mut refused = None;
    for _ in 0..60 {
        let answer = world.send("POST", "/v1.0/$batch", batch.clone()).await;
        refused = answer.json()["responses"].as_array().into_iter().flatten().find(|r| r["status"] == 429).cloned();
        assert_eq!(answer.status, 200, "the envelope is never throttled");
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("an item was throttled inside a batch that was not");
    assert!(refused["headers"]["Retry-After"].as_str().is_some_and(|s| s.parse::<u64>().is_ok()));
    let plain = world.get("/v1.0/users").await;
    assert_eq!((plain.status, plain.code().as_str()), (429, "TooManyRequests"));
    assert!(plain.header("x-ms-throttle-scope").starts_with("Tenant_Application/"));
    assert_eq!(plain.header("x-ms-throttle-information"), "ResourceUnitLimitExceeded");
    assert!(plain.header("x-ms-throttle-limit-percentage").parse::<f64>().is_ok_and(|p| p >= 1.0));
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 30})).await;
    assert_eq!(world.get("/v1.0/users").await.status, 200, "the bucket drains with time");
    let stats = world.get("/_sim/stats").await.json();
    assert!(stats["throttled"].as_u64() > Some(1) && stats["routes"]["users"]["requests"].as_u64() > Some(3), "{stats}");
}

#[tokio::test]
async fn answers_are_broken_as_faults_say() {
    let world = World::start(Options { users: 400, ..small() }).await;
    let path = "/v1.0/users?$top=300";
    let whole = world.get(path).await.text;
    let arm = |action: serde_json::Value| json!({"path": "/v1.0/users", "times": 1, "action": action});
    for (action, status, retry) in [
        (json!({"do": "throttle", "retry_after": 7}), 429, "7"),
        (json!({"do": "throttle"}), 429, ""),
        (json!({"do": "status", "status": 503, "retry_after": 2}), 503, "2"),
        (json!({"do": "status", "status": 504}), 504, ""),
        (json!({"do": "access_token_expired"}), 401, ""),
    ] {
        world.fault(arm(action)).await;
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry));
        for header in ["x-ms-throttle-scope", "x-ms-throttle-information", "x-ms-throttle-limit-percentage"] {
            assert_eq!(answer.header(header).is_empty(), status != 429, "{header} of a {status}");
        }
    }
    for when in ["before_headers", "after_headers", "mid_body"] {
        world.fault(arm(json!({"do": "reset", "when": when}))).await;
        let sent = world.http.get(world.full_url(path)).bearer_auth(&world.token).send().await;
        match sent {
            Ok(response) => assert!(response.status() == 200 && response.text().await.is_err(), "{when}"),
            Err(_) => assert_eq!(when, "before_headers"),
        }
        assert_eq!(world.get(path).await.text, whole, "the next answer is whole");
    }
    for action in ["garbage", "truncate"] {
        world.fault(arm(json!({"do": action}))).await;
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.json().is_null()), (200, true), "{action}");
    }
    world.fault(arm(json!({"do": "slow", "chunk": 20_000, "ms": 1}))).await;
    assert_eq!(world.get(path).await.text, whole, "slow but whole");
}

#[tokio::test]
async fn an_empty_page_in_the_middle_loses_nobody() {
    let world = World::start(small()).await;
    world.fault(json!({"path": "/v1.0/users/delta", "nth": [2, 3, 5], "action": {"do": "empty_page"}})).await;
    let mut mirror = Mirror::default();
    let (_, pages) = world.round("/v1.0/users/delta?$select=id", &mut mirror).await;
    assert!(pages[1].contains("\"value\":[]") && pages[2].contains("\"value\":[]"));
    assert_eq!(mirror.users.len(), 90);
}

#[tokio::test]
async fn faults_come_from_a_file_and_can_take_the_secret_away_mid_run() {
    let file = std::env::temp_dir().join(format!("simulator-faults-{}.json", std::process::id()));
    std::fs::write(&file, r#"[{"path":"/v1.0/users/delta","nth":[2],"action":{"do":"secret_expired"}}]"#).expect("written");
    let world = World::start(Options { faults: Some(file.clone()), ..small() }).await;
    std::fs::remove_file(&file).expect("removed");
    let mut mirror = Mirror::default();
    world.round("/v1.0/users/delta", &mut mirror).await;
    assert!(world.ask_token(world.id(), &world.form()).await.text.contains("AADSTS7000222"));
}

#[tokio::test]
async fn a_fault_that_no_answer_can_be_is_refused() {
    let world = World::start(small()).await;
    for wrong in [
        json!({"path": "*", "action": {"do": "status", "status": 101}}),
        json!({"path": "*", "action": {"do": "status", "status": 999}}),
        json!({"path": "*", "probability": 1.5, "action": {"do": "garbage"}}),
    ] {
        let answer = world.send("POST", "/_sim/faults", wrong).await;
        assert!(answer.status == 400 && answer.text.contains("must be between"), "{}", answer.text);
    }
    assert_eq!(world.get("/v1.0/organization").await.status, 200);
}

#[tokio::test]
async fn whatever_a_select_holds_the_answer_is_json() {
    let world = World::start(small()).await;
    for select in ["id,%0Amail", "%0a", "id,%09displayName", "%20id%20"] {
        for path in ["/v1.0/users", "/v1.0/users/delta", "/v1.0/groups"] {
            let answer = world.get(&format!("{path}?$select={select}")).await;
            assert!(answer.status == 200 && answer.json()["value"].is_array(), "{path} {select}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_batch_answers_each_and_fails_what_depends_on_a_failure() {
    let world = World::start(small()).await;
    let answer = world.send("POST", "/v1.0/$batch", json!({"requests": [
        {"id": "a", "method": "GET", "url": "/users?$top=1"}, {"id": "b", "method": "GET", "url": "/users/nobody@x.example", "dependsOn": ["a"]}, {"id": "c", "method": "GET", "url": "/organization", "dependsOn": ["b"]},
    ]})).await;
    let statuses: Vec<_> = answer.json()["responses"].as_array().into_iter().flatten().map(|r| r["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(404), Some(424)]);
    let request = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/organization"});
    for wrong in [
        json!({"requests": (0..21).map(request).collect::<Vec<_>>()}),
        json!({"requests": [request(1), request(1)]}),
        json!({}),
        json!({"requests": [{"id": "1", "method": "PATCH", "url": "/users/x", "body": {}}]}),
    ] {
        assert_eq!(world.send("POST", "/v1.0/$batch", wrong).await.status, 400);
    }
}

#[tokio::test]
async fn lists_page_filter_sort_and_count_and_refuse_what_needs_advanced_mode() {
    let world = World::start(small()).await;
    let eventual = [("consistencylevel", "eventual")];
    let (mut link, mut seen) = ("/v1.0/users?$top=17&$select=id".to_owned(), vec![]);
    loop {
        let page = world.get(&link).await.json();
        seen.extend(page["value"].as_array().into_iter().flatten().map(|u| u["id"].clone()));
        match page["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 90);
    let guests = world.get("/v1.0/users?$filter=userType eq 'Guest'&$select=userPrincipalName").await.json();
    assert!(
        guests["value"].as_array().is_some_and(
            |v| !v.is_empty() && v.iter().all(|u| u["userPrincipalName"].as_str().is_some_and(|n| n.contains("#EXT#")))
        )
    );
    for needs in [
        "$filter=userType ne 'Guest'",
        "$filter=not(accountEnabled eq true)",
        "$filter=endswith(mail,'example')",
        "$filter=accountEnabled eq true&$orderby=displayName",
        "$search=\"displayName:a\"",
        "$top=1000",
        "$skip=5",
        "$filter=aboutMe eq 'x'",
        "$expand=drives",
        "$select=manager",
        "$select=unheardOf",
    ] {
        let answer = world.get(&format!("/v1.0/users?{needs}")).await;
        assert_eq!(answer.status, 400, "{needs}: {}", answer.text);
        assert!(!answer.header("request-id").is_empty());
    }
    let sorted =
        world.get_with("/v1.0/users?$count=true&$filter=userType ne 'Guest'&$orderby=displayName&$top=5", &eventual).await.json();
    assert_eq!(sorted["@odata.count"].as_u64().map(|n| n + guests["value"].as_array().map_or(0, |v| v.len() as u64)), Some(90));
    assert_eq!(world.get_with("/v1.0/users/$count", &eventual).await.text, "90");
    assert_eq!(world.get("/v1.0/users/$count").await.code(), "Request_BadRequest");
    assert_eq!(world.get("/v1.0/users?$select=skills").await.status, 501);
    let guest = guests["value"][0]["userPrincipalName"].as_str().expect("upn").replace('#', "%23");
    assert_eq!(world.get(&format!("/v1.0/users/{guest}")).await.status, 200);
}

#[tokio::test]
async fn nested_groups_are_followed_through_their_circle() {
    let world = World::start(small()).await;
    let groups = world.get("/v1.0/groups?$top=50").await.json()["value"].clone();
    let id = |n: usize| groups[n]["id"].as_str().expect("id").to_owned();
    let ids = |page: serde_json::Value| {
        page["value"].as_array().into_iter().flatten().filter_map(|m| m["id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let inside = ids(world.get(&format!("/v1.0/groups/{}/transitiveMembers?$top=999", id(8))).await.json());
    assert!([8, 9, 10].iter().all(|g| inside.contains(&id(*g))), "each is inside itself by way of the others");
    let direct = ids(world.get(&format!("/v1.0/groups/{}/members?$top=999", id(8))).await.json());
    assert!(direct.contains(&id(9)) && !direct.contains(&id(10)));
}

#[tokio::test]
async fn a_request_id_is_echoed_and_a_start_that_cannot_work_says_why() {
    let world = World::start(small()).await;
    let answer = world.get_with("/v1.0/users/none", &[("client-request-id", "11111111-2222-4333-8444-555555555555")]).await;
    assert_eq!(answer.header("client-request-id"), "11111111-2222-4333-8444-555555555555");
    assert_eq!(answer.json()["error"]["innerError"]["client-request-id"], "11111111-2222-4333-8444-555555555555");
    assert!(!answer.header("x-ms-ags-diagnostic").is_empty() && answer.header("odata-version") == "4.0");
    let taken = Simulator::start(Options { listen: world.simulator.addr(), ..small() }).await.err().expect("refused");
    assert!(taken.to_string().contains("choose another address"), "{taken}");
    let wrong = Simulator::start(Options { page_size: 1000, ..small() }).await.err().expect("refused");
    assert!(wrong.to_string().contains("--page-size"), "{wrong}");
    let addr = world.simulator.addr();
    world.simulator.shutdown().await;
    assert!(client().get(format!("http://{addr}/_sim/health")).send().await.is_err(), "it stopped");
}
