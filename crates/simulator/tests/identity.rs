//! Sign-in and permissions over HTTP, held against contract sections a, f and i.

mod support;

use base64::Engine as _;
use serde_json::{Value, json};
use support::{World, read, small};

fn number(answer: &support::Answer) -> u64 {
    answer.json()["error_codes"][0].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_token_lives_sixty_to_ninety_minutes_and_says_who_it_is_for() {
    let mut world = World::start(small()).await;
    let domain = world.tenant["domain"].as_str().expect("domain").to_owned();
    let answer = world.ask_token(&domain, &world.form()).await.json();
    let life = answer["expires_in"].as_i64().expect("expires_in");
    assert!((3_599..5_400).contains(&life), "{life}");
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer.get("refresh_token").is_none());

    assert_eq!(world.get("/v1.0/organization").await.status, 200);
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 5_400})).await;
    let late = world.get("/v1.0/organization").await;
    assert_eq!((late.status, late.code().as_str()), (401, "InvalidAuthenticationToken"));
    assert!(late.header("www-authenticate").starts_with("Bearer"));
    world.sign_in().await;
    assert_eq!(world.get("/v1.0/organization").await.status, 200);
}

#[tokio::test]
async fn http_basic_carries_the_credentials_too() {
    let world = World::start(small()).await;
    let (id, secret) = (world.tenant["client_id"].as_str().expect("id"), world.tenant["client_secret"].as_str().expect("secret"));
    let form: Vec<_> = world.form().into_iter().filter(|(n, _)| !n.starts_with("client")).collect();
    let request =
        world.http.post(format!("{}/{}/oauth2/v2.0/token", world.url, world.id())).basic_auth(id, Some(secret)).form(&form);
    assert_eq!(read(request).await.status, 200);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    for scheme in ["Basic", "basic", "BASIC"] {
        let request = world.http.post(format!("{}/{}/oauth2/v2.0/token", world.url, world.id()));
        assert_eq!(read(request.header("authorization", format!("{scheme} {basic}")).form(&form)).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn every_refusal_has_its_number_and_status() {
    let world = World::start(small()).await;
    let with = |name: &'static str, value: &str| {
        let mut form: Vec<_> = world.form().into_iter().filter(|(n, _)| *n != name).collect();
        if !value.is_empty() {
            form.push((name, value.to_owned()));
        }
        form
    };
    let me = world.id();
    for (tenant, form, status, error, wanted) in [
        (me, with("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (me, with("client_secret", ""), 401, "invalid_client", 7_000_218),
        (me, with("client_id", "00000000-0000-0000-0000-000000000000"), 400, "unauthorized_client", 700_016),
        (me, with("scope", "https://example.contoso.com/activity.read"), 400, "invalid_scope", 70_011),
        (me, with("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        ("00000000-0000-0000-0000-000000000000", world.form(), 400, "invalid_request", 90_002),
        ("nobody.example", world.form(), 400, "invalid_request", 90_002),
        ("common", world.form(), 400, "invalid_request", 9_001_023),
    ] {
        let answer = world.ask_token(tenant, &form).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str().unwrap_or_default(), number(&answer)),
            (status, error, wanted),
            "{}",
            answer.text
        );
        assert!(answer.json()["error_description"].as_str().is_some_and(|d| d.starts_with(&format!("AADSTS{wanted}: "))));
        assert!(!answer.text.contains(world.tenant["client_secret"].as_str().expect("secret")));
    }
    let unknown = read(world.http.get(format!("{}/nobody.example/v2.0/.well-known/openid-configuration", world.url))).await;
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (400, Some("invalid_tenant")));
}

#[tokio::test]
async fn metadata_leads_to_the_token_endpoint_and_the_keys() {
    let world = World::start(small()).await;
    let metadata =
        read(world.http.get(format!("{}/{}/v2.0/.well-known/openid-configuration", world.url, world.id()))).await.json();
    assert!(metadata["issuer"].as_str().is_some_and(|i| i.contains(world.id())));
    assert!(metadata["token_endpoint"].as_str().is_some_and(|t| t.ends_with("/oauth2/v2.0/token")));
    let keys = read(world.http.get(metadata["jwks_uri"].as_str().expect("keys"))).await.json();
    assert_eq!((keys["keys"][0]["kty"].as_str(), keys["keys"][0]["e"].as_str()), (Some("RSA"), Some("AQAB")));
}

#[tokio::test]
async fn a_secret_expires_is_rotated_and_the_application_is_removed_while_someone_reads() {
    let mut world = World::start(small()).await;
    world.control("POST", "secret/expire", json!({})).await;
    assert_eq!(number(&world.ask_token(world.id(), &world.form()).await), 7_000_222);
    assert_eq!(world.get("/v1.0/users").await.status, 200, "a token already given stays good");
    let fresh = world.control("POST", "secret/rotate", json!({})).await;
    assert_eq!(number(&world.ask_token(world.id(), &world.form()).await), 7_000_215);
    world.tenant["client_secret"] = fresh["client_secret"].clone();
    world.sign_in().await;

    world.control("POST", "consent", json!({"app": false})).await;
    assert_eq!(number(&world.ask_token(world.id(), &world.form()).await), 700_016);
    let refused = world.get("/v1.0/users").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "Authorization_IdentityNotFound"));
}

#[tokio::test]
async fn a_permission_opens_what_it_names_and_a_new_one_needs_a_new_token() {
    let mut world = World::start(small()).await;
    world.control("POST", "consent", json!({"revoke": ["GroupMember.Read.All"]})).await;
    let refused = world.get("/v1.0/groups/delta").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "Authorization_RequestDenied"));
    assert_eq!(world.get("/v1.0/users/delta").await.status, 200);

    let user = world.get("/v1.0/users?$top=1").await.json()["value"][0]["id"].as_str().expect("id").to_owned();
    let patch = |w: &World| format!("{}/v1.0/users/{user}", w.url);
    assert_eq!(world.send("PATCH", &patch(&world), json!({"jobTitle": "x"})).await.status, 403);
    world.control("POST", "consent", json!({"grant": ["User.ReadWrite.All"]})).await;
    assert_eq!(
        world.send("PATCH", &patch(&world), json!({"jobTitle": "x"})).await.status,
        403,
        "the old token does not know yet"
    );
    world.sign_in().await;
    assert_eq!(world.send("PATCH", &patch(&world), json!({"jobTitle": "x"})).await.status, 204);
    assert_eq!(world.get(&format!("/v1.0/users/{user}?$select=jobTitle")).await.json()["jobTitle"], "x");
}

#[tokio::test]
async fn a_token_opens_its_own_tenant_and_a_changed_one_nothing() {
    let mut world = World::start(small()).await;
    let second = world.simulator.announcement()["tenants"][1].clone();
    let mine = world.get("/v1.0/organization").await.json()["value"][0]["id"].clone();
    let user = world.get("/v1.0/users?$top=1").await.json()["value"][0]["id"].as_str().expect("id").to_owned();
    world.tenant = second;
    world.sign_in().await;
    assert_ne!(world.get("/v1.0/organization").await.json()["value"][0]["id"], mine);
    assert_eq!(world.get(&format!("/v1.0/users/{user}")).await.status, 404);
    for wrong in [String::new(), "abc".into(), format!("{}x", world.token), world.token.replacen('.', ".e30", 1)] {
        world.token = wrong;
        assert_eq!(world.get("/v1.0/users").await.status, 401);
    }
}

#[tokio::test]
async fn sign_in_activity_needs_its_permission_and_a_plan() {
    let world = World::start(small()).await;
    let ask = "/v1.0/users?$select=id,signInActivity";
    assert_eq!(world.get(ask).await.status, 200);
    assert_eq!(world.get(&format!("{ask}&$top=501")).await.status, 400);
    world.control("POST", "consent", json!({"revoke": ["AuditLog.Read.All"]})).await;
    assert_eq!(world.get(ask).await.code(), "Authorization_RequestDenied");
    assert_eq!(
        world.get("/v1.0/subscribedSkus").await.json()["value"][0]["servicePlans"]
            .as_array()
            .map(|p| p.iter().any(|p| p["servicePlanName"] == "AAD_PREMIUM")),
        Some(true)
    );
    assert_ne!(world.get("/v1.0/organization").await.json()["value"], Value::Null);
}

#[tokio::test]
async fn a_scope_is_taken_as_each_of_microsofts_libraries_sends_it() {
    let world = World::start(small()).await;
    let with = |scope: &str| {
        let mut form: Vec<_> = world.form().into_iter().filter(|(n, _)| *n != "scope").collect();
        form.push(("scope", scope.to_owned()));
        form
    };
    for scope in [
        "https://graph.microsoft.com/.default openid offline_access profile",
        "openid profile offline_access https://graph.microsoft.com/.default",
        "email https://graph.microsoft.com/.default ",
        "https://Graph.Microsoft.COM/.default",
        "00000003-0000-0000-c000-000000000000/.default",
    ] {
        let answer = world.ask_token(world.id(), &with(scope)).await;
        assert_eq!(answer.status, 200, "{scope}: {}", answer.text);
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        let request = world.http.get(world.full_url("/v1.0/organization")).bearer_auth(token);
        assert_eq!(read(request).await.status, 200, "{scope}");
    }
    for scope in [
        "",
        "openid profile",
        "https://graph.microsoft.com/.default https://graph.microsoft.com/.default",
        "https://graph.microsoft.com/.default User.Read",
        "https://graph.microsoft.com/User.Read",
        "https://vault.azure.net/.default",
    ] {
        assert_eq!(number(&world.ask_token(world.id(), &with(scope)).await), 70_011, "{scope}");
    }
}

#[tokio::test]
async fn a_refusal_can_be_traced_and_a_fault_words_it() {
    let world = World::start(small()).await;
    let id = "33333333-2222-4333-8444-555555555555";
    let ask = |form: Vec<(&'static str, String)>| {
        let url = format!("{}/{}/oauth2/v2.0/token", world.url, world.id());
        read(world.http.post(url).header("client-request-id", id).form(&form))
    };
    assert_eq!(ask(world.form()).await.header("client-request-id"), id);
    let refused = ask(vec![]).await;
    assert_eq!((refused.header("client-request-id"), refused.json()["correlation_id"].as_str()), (id, Some(id)));

    let arm = |action: Value| json!({"path": "*/oauth2/v2.0/token", "times": 1, "action": action});
    world
        .fault(arm(
            json!({"do": "status", "status": 400, "code": "invalid_grant", "message": "AADSTS53003: Access has been blocked."}),
        ))
        .await;
    let blocked = ask(world.form()).await;
    assert_eq!((blocked.status, blocked.json()["error"].as_str(), number(&blocked)), (400, Some("invalid_grant"), 53_003));
    let text = blocked.json()["error_description"].as_str().expect("a description").to_owned();
    assert!(text.starts_with("AADSTS53003: Access has been blocked.\r\nTrace ID: ") && text.contains(id), "{text}");
    assert!(blocked.json()["trace_id"].as_str().is_some_and(|t| !t.is_empty()));
    world.fault(arm(json!({"do": "status", "status": 503, "retry_after": 4}))).await;
    let busy = ask(world.form()).await;
    assert_eq!((busy.status, busy.json()["error"].as_str(), number(&busy)), (503, Some("temporarily_unavailable"), 90_033));
    assert_eq!((busy.header("retry-after"), busy.json()["correlation_id"].as_str()), ("4", Some(id)));
    let get = read(world.http.get(format!("{}/{}/oauth2/v2.0/token", world.url, world.id()))).await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn the_least_permission_of_each_question_is_enough_for_it_alone() {
    let mut world = World::start(small()).await;
    let user = world.get("/v1.0/users?$top=1").await.json()["value"][0]["id"].as_str().expect("id").to_owned();
    let group = world.get("/v1.0/groups?$top=1").await.json()["value"][0]["id"].as_str().expect("id").to_owned();
    let mut before =
        vec!["User.Read.All", "GroupMember.Read.All", "Organization.Read.All", "AuditLog.Read.All", "Application.Read.All"];
    for (permission, opened, closed) in [
        (
            "User.ReadBasic.All",
            vec!["users".to_owned(), format!("users/{user}"), "users?$select=id,mail".to_owned()],
            vec![
                "users/delta".to_owned(),
                "users?$select=department".to_owned(),
                "users?$expand=manager".to_owned(),
                "groups".to_owned(),
            ],
        ),
        (
            "Group.ReadBasic.All",
            vec!["groups".to_owned(), "groups/delta".to_owned(), format!("users/{user}/memberOf")],
            vec![format!("groups/{group}/members"), "users".to_owned()],
        ),
        (
            "GroupMember.ReadBasic.All",
            vec![
                format!("groups/{group}/members"),
                format!("groups/{group}/transitiveMembers"),
                format!("users/{user}/memberOf"),
            ],
            vec!["groups".to_owned(), format!("users/{user}/transitiveMemberOf")],
        ),
    ] {
        world.control("POST", "consent", json!({"grant": [permission], "revoke": before})).await;
        world.sign_in().await;
        before = vec![permission];
        for path in opened {
            assert_eq!(world.get(&format!("/v1.0/{path}")).await.status, 200, "{permission}: {path}");
        }
        for path in closed {
            assert_eq!(world.get(&format!("/v1.0/{path}")).await.code(), "Authorization_RequestDenied", "{permission}: {path}");
        }
    }
}
