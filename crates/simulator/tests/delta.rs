//! Delta rounds over HTTP, held against contract section b, rules 1 to 13.

mod support;

use serde_json::{Value, json};
use simulator::Options;
use support::{Mirror, World, small};

const SELECT: &str = "displayName,surname,mail,jobTitle,accountEnabled";
const USERS: &str = "/v1.0/users/delta?$select=displayName,surname,mail,jobTitle,accountEnabled";
const GROUPS: &str = "/v1.0/groups/delta?$select=displayName,members";

async fn read_all(world: &World) -> (Mirror, String, String) {
    let mut mirror = Mirror::default();
    let (users, _) = world.round(USERS, &mut mirror).await;
    let (groups, _) = world.round(GROUPS, &mut mirror).await;
    (mirror, users, groups)
}

#[tokio::test]
async fn a_first_round_ends_with_everyone_and_every_membership() {
    let world = World::start(small()).await;
    let (mirror, ..) = read_all(&world).await;
    let truth = world.truth(SELECT).await;
    assert_eq!(truth.users.len(), 90);
    assert_eq!(truth.groups.len(), 14);
    assert_eq!(mirror, truth);
}

#[tokio::test]
async fn rounds_after_churn_end_with_the_truth_again_and_again() {
    let world = World::start(small()).await;
    let (mut mirror, mut users, mut groups) = read_all(&world).await;
    for _ in 0..4 {
        let done = world.control("POST", "churn", json!({"percent": 30})).await;
        assert_eq!(["joined", "left", "renamed", "moved"].iter().map(|k| done[k].as_u64().unwrap_or(0)).sum::<u64>(), 27);
        (users, _) = world.round(&users, &mut mirror).await;
        (groups, _) = world.round(&groups, &mut mirror).await;
        assert_eq!(mirror, world.truth(SELECT).await);
    }
    let first = world.truth("*").await.users.keys().next().expect("someone").clone();
    world.control("DELETE", &format!("users/{first}"), json!({})).await;
    world.control("POST", &format!("users/{first}/restore"), json!({})).await;
    world.round(&users, &mut mirror).await;
    world.round(&groups, &mut mirror).await;
    assert_eq!(mirror, world.truth(SELECT).await);
}

#[tokio::test]
async fn a_round_begun_before_a_change_leaves_it_to_the_next() {
    let world = World::start(small()).await;
    let mut mirror = Mirror::default();
    let first = world.get(USERS).await.json();
    mirror.apply(&first);
    world.control("POST", "churn", json!({"percent": 50})).await;
    let (link, _) = world.round(first["@odata.nextLink"].as_str().expect("more"), &mut mirror).await;
    world.round(&link, &mut mirror).await;
    assert_eq!(mirror.users, world.truth(SELECT).await.users);
}

#[tokio::test]
async fn nothing_changed_is_one_empty_page_and_latest_starts_there() {
    let world = World::start(small()).await;
    let (_, users, groups) = read_all(&world).await;
    for link in
        [users, groups, "/v1.0/users/delta?$deltatoken=latest".to_owned(), "/v1.0/groups/delta()?$deltatoken=latest".to_owned()]
    {
        let page = world.get(&link).await.json();
        assert_eq!(page["value"], json!([]));
        assert!(page["@odata.deltaLink"].is_string() && page.get("@odata.nextLink").is_none());
    }
}

#[tokio::test]
async fn absent_is_not_null_and_minimal_shows_only_what_changed() {
    let world = World::start(small()).await;
    let (mirror, link, _) = read_all(&world).await;
    assert!(mirror.users.values().any(|u| !u.contains_key("mail")), "someone never had mail");
    assert!(mirror.users.values().all(|u| u.values().all(|v| !v.is_null())), "nothing was cleared yet");
    let someone = mirror
        .users
        .iter()
        .find(|(_, u)| u.contains_key("jobTitle") && u.contains_key("mail"))
        .expect("someone with a title")
        .0
        .clone();
    world.control("PATCH", &format!("users/{someone}"), json!({"jobTitle": null})).await;

    let row = |page: Value| {
        page["value"].as_array().and_then(|v| v.iter().find(|u| u["id"] == someone.as_str()).cloned()).expect("the changed user")
    };
    let full = row(world.get(&link).await.json());
    assert_eq!(full["jobTitle"], Value::Null);
    assert!(full.get("jobTitle").is_some() && full["displayName"].is_string());
    let minimal = row(world.get_with(&link, &[("prefer", "return=minimal")]).await.json());
    assert_eq!(minimal, json!({"id": someone, "jobTitle": null}));
}

#[tokio::test]
async fn the_token_carries_the_selection_and_only_selected_changes_count() {
    let world = World::start(Options { oddities: false, ..small() }).await;
    let mut mirror = Mirror::default();
    let (link, pages) = world.round("/v1.0/users/delta?$select=surname", &mut mirror).await;
    assert!(pages.len() > 10);
    assert!(mirror.users.values().all(|u| u.keys().all(|k| k == "id" || k == "surname")));
    let someone = mirror.users.keys().next().expect("someone").clone();
    world.control("PATCH", &format!("users/{someone}"), json!({"jobTitle": "Countess"})).await;
    assert_eq!(world.get(&link).await.json()["value"], json!([]));
    world.control("PATCH", &format!("users/{someone}"), json!({"surname": "Lovelace"})).await;
    assert_eq!(world.get(&link).await.json()["value"], json!([{"id": someone, "surname": "Lovelace"}]));
    assert_eq!(world.get(&format!("{link}&$select=mail")).await.code(), "Request_UnsupportedQuery");
    assert_eq!(world.get("/v1.0/users/delta?$deltatoken=nonsense").await.status, 400);
}

#[tokio::test]
async fn deletion_is_changed_then_deleted_and_restoring_brings_the_whole_user_back() {
    let world = World::start(small()).await;
    let (mirror, link, _) = read_all(&world).await;
    let someone = mirror.users.keys().nth(3).expect("someone").clone();
    let row = |page: Value| page["value"].as_array().and_then(|v| v.iter().rfind(|u| u["id"] == someone.as_str()).cloned());
    let path = format!("users/{someone}");
    world.control("DELETE", &path, json!({})).await;
    assert_eq!(row(world.get(&link).await.json()), Some(json!({"id": someone, "@removed": {"reason": "changed"}})));
    assert_eq!(world.get(&format!("/v1.0/users/{someone}")).await.code(), "Request_ResourceNotFound");
    assert_eq!(
        row(world.get("/v1.0/directory/deletedItems/microsoft.graph.user").await.json()).expect("listed")["id"],
        someone.as_str()
    );

    world.control("POST", &format!("{path}/restore"), json!({})).await;
    let back = row(world.get(&link).await.json()).expect("back");
    assert!(back.get("@removed").is_none() && back["displayName"].is_string());

    world.control("DELETE", &path, json!({})).await;
    let after_delete = world.get(&link).await.json()["@odata.deltaLink"].as_str().expect("link").to_owned();
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 6 * 86_400})).await;
    let mut world = world;
    world.sign_in().await;
    assert_eq!(world.get(&after_delete).await.json()["@odata.deltaLink"].as_str().map(|l| l.contains("deltatoken")), Some(true));
    let fresh =
        world.get("/v1.0/users/delta?$deltatoken=latest").await.json()["@odata.deltaLink"].as_str().expect("link").to_owned();
    world.control("POST", &format!("{path}/purge"), json!({})).await;
    assert_eq!(row(world.get(&fresh).await.json()), Some(json!({"id": someone, "@removed": {"reason": "deleted"}})));
}

#[tokio::test]
async fn large_groups_are_split_over_pages_and_merge_to_the_whole() {
    let world = World::start(Options { users: 400, page_size: 3, ..small() }).await;
    let mut mirror = Mirror::default();
    let (_, pages) = world.round(GROUPS, &mut mirror).await;
    let all_employees = mirror.groups.iter().max_by_key(|(_, m)| m.len()).expect("a group").0.clone();
    let showings = pages.iter().filter(|p| p.contains(&format!("{{\"id\":\"{all_employees}\""))).count();
    assert!(showings > 10, "{showings}");
    assert_eq!(mirror.groups, world.truth("id").await.groups);
}

#[tokio::test]
async fn a_filter_names_ids_and_nothing_else() {
    let world = World::start(small()).await;
    let truth = world.truth("id").await;
    let ids: Vec<&String> = truth.users.keys().take(60).collect();
    let filter = |n: usize| ids.iter().take(n).map(|i| format!("id eq '{i}'")).collect::<Vec<_>>().join(" or ");
    let mut mirror = Mirror::default();
    let (link, _) = world.round(&format!("/v1.0/users/delta?$filter={}", filter(9)), &mut mirror).await;
    assert_eq!(mirror.users.keys().collect::<Vec<_>>(), ids[..9]);
    world.control("PATCH", &format!("users/{}", ids[20]), json!({"displayName": "Nobody asked"})).await;
    assert_eq!(world.get(&link).await.json()["value"], json!([]));
    for wrong in [filter(51), "displayName eq 'x'".into(), format!("id eq '{}' and accountEnabled eq true", ids[0])] {
        assert_eq!(world.get(&format!("/v1.0/users/delta?$filter={wrong}")).await.code(), "Request_UnsupportedQuery");
    }
    for wrong in ["$top=5", "$orderby=displayName", "$expand=manager", "$select=signInActivity"] {
        assert_eq!(world.get(&format!("/v1.0/users/delta?{wrong}")).await.status, 400, "{wrong}");
    }
    let nobody = world.get("/v1.0/users/delta?$filter=id eq '00000000-0000-4000-8000-000000000000'").await.json();
    assert_eq!(nobody["value"], json!([]));
}

#[tokio::test]
async fn a_manager_changes_and_goes() {
    let world = World::start(Options { oddities: false, ..small() }).await;
    let (mut mirror, link) = (Mirror::default(), "/v1.0/users/delta?$select=displayName,manager");
    let (link, pages) = world.round(link, &mut mirror).await;
    assert!(pages.iter().any(|p| p.contains("manager@delta")));
    let (boss, someone) = (mirror.users.keys().next().expect("one").clone(), mirror.users.keys().nth(1).expect("two").clone());
    let old = world.control("GET", &format!("users/{someone}"), json!({})).await["manager"].clone();
    world.control("PATCH", &format!("users/{someone}"), json!({"manager": boss})).await;
    let page = world.get(&link).await.json();
    let shown = page["value"][0]["manager@delta"].as_array().expect("managers").clone();
    assert!(shown.contains(&json!({"@odata.type": "#microsoft.graph.user", "id": boss})));
    if old.is_string() {
        assert!(shown.iter().any(|m| m["id"] == old && m["@removed"]["reason"] == "deleted"));
    }
    world.control("PATCH", &format!("users/{someone}"), json!({"manager": null})).await;
    let gone = world.get(&format!("/v1.0/users/{someone}/manager")).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "Request_ResourceNotFound"));
    assert!(gone.text.contains("Resource 'manager' does not exist"));
}

#[tokio::test]
async fn an_old_token_is_refused_after_seven_days_and_in_every_form_on_demand() {
    let mut world = World::start(small()).await;
    let (_, link, _) = read_all(&world).await;
    let forms = [
        ("gone", 410, "Gone"),
        ("sync_state_not_found", 400, "syncStateNotFound"),
        ("resync_required", 410, "resyncRequired"),
        ("delta_link_older", 400, "Request_UnsupportedQuery"),
    ];
    for (form, status, code) in forms {
        world
            .fault(
                json!({"path": "/v1.0/users/delta?*deltatoken=*", "times": 1, "action": {"do": "expired_token", "form": form}}),
            )
            .await;
        let answer = world.get(&link).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        if form == "gone" {
            assert!(answer.header("location").ends_with("/v1.0/users/delta?$deltatoken="));
            assert_eq!(world.get(answer.header("location")).await.status, 200);
        }
        assert_eq!(world.get(&link).await.status, 200, "once only");
    }
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 7 * 86_400 + 7_200})).await;
    world.sign_in().await;
    let answer = world.get(&link).await;
    assert!(answer.text.contains("DeltaLink older than 30 days is not supported."), "{}", answer.text);
}

#[tokio::test]
async fn changes_show_late_when_there_is_lag() {
    let mut world = World::start(small()).await;
    let (mirror, link, _) = read_all(&world).await;
    world.control("POST", "lag", json!({"seconds": 600})).await;
    let someone = mirror.users.keys().next().expect("someone");
    world.control("PATCH", &format!("users/{someone}"), json!({"displayName": "Late"})).await;
    assert_eq!(world.get(&link).await.json()["value"], json!([]));
    world.send("POST", "/_sim/clock", json!({"advance_seconds": 601})).await;
    world.sign_in().await;
    assert_eq!(world.get(&link).await.json()["value"][0]["displayName"], "Late");
}

#[tokio::test]
async fn one_seed_gives_byte_equal_rounds_and_another_does_not() {
    let with = |seed| Options { seed, public_url: Some("http://graph.example:4010".into()), ..small() };
    let mut rounds = vec![];
    for seed in [5, 5, 6] {
        let world = World::start(with(seed)).await;
        let mut texts = vec![];
        for start in ["/v1.0/users/delta", "/v1.0/groups/delta"] {
            let mut link = start.to_owned();
            for lap in 0..3 {
                loop {
                    let page = world.get(&link.replace("http://graph.example:4010", "")).await;
                    let json = page.json();
                    texts.push(page.text);
                    match json["@odata.nextLink"].as_str() {
                        Some(next) => link = next.to_owned(),
                        None => break link = json["@odata.deltaLink"].as_str().expect("a link").to_owned(),
                    }
                }
                if lap == 0 {
                    world.control("POST", "churn", json!({"percent": 20})).await;
                }
            }
        }
        rounds.push(texts);
    }
    assert_eq!(rounds[0], rounds[1]);
    assert_ne!(rounds[0], rounds[2]);
}

#[tokio::test]
async fn empty_pages_repeats_and_replays_show_by_default_and_can_be_switched_off() {
    let world = World::start(Options { users: 400, page_size: 3, ..small() }).await;
    let look = async |link: &str| {
        let (link, pages) = world.round(link, &mut Mirror::default()).await;
        let ids: Vec<String> =
            pages.iter().flat_map(|p| p.split("{\"id\":\"").skip(1).map(|i| i[..36].to_owned()).collect::<Vec<_>>()).collect();
        let different: std::collections::BTreeSet<_> = ids.iter().cloned().collect();
        let empty = pages[..pages.len() - 1].iter().filter(|p| p.contains("\"value\":[]")).count();
        (link, empty, ids.len() - different.len(), different.len())
    };
    let (link, empty, repeated, people) = look("/v1.0/users/delta?$select=id,jobTitle").await;
    assert!(empty > 0 && repeated > 0 && people == 400, "{empty} {repeated} {people}");

    // A round that has something to say may say some of the last one again.
    let mut link = link;
    let mut shown = 0;
    for user in world.truth("id").await.users.keys().take(12) {
        world.control("PATCH", &format!("users/{user}"), json!({"jobTitle": "Changed"})).await;
        let (next, _, _, people) = look(&link).await;
        (link, shown) = (next, shown + people);
    }
    assert!(shown > 12, "{shown} shown for 12 changes");

    world.send("POST", "/_sim/oddities", json!({"on": false})).await;
    let (_, empty, repeated, people) = look("/v1.0/users/delta?$select=id").await;
    assert_eq!((empty, repeated, people), (0, 0, 400));
}
