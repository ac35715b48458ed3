//! Sign-in and permissions over HTTP, held against contract sections a, f and i.

mod support;

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
