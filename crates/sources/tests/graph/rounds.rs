//! Whole rounds against the simulator: what is read is what is there, through everything Graph documents and the wire does.

use crate::support::{World, connection, kind_of};
use model::SourceId;
use model::directory::{Cursor, Event, Feed, Page, Removal};
use serde_json::{Value, json};
use simulator::{Options, Simulator};
use sources::{Asks, PermissionState, Select, Source, SourceError};
use std::collections::{BTreeMap, BTreeSet};

/// One simulated tenant and a reader of it.
struct Place {
    simulator: Simulator,
    tenant: String,
    source: Source,
    world: World,
}

impl Place {
    async fn new(users: u32) -> Self {
        let options = Options { tenants: 1, users, groups: 12, page_size: 25, seed: 11, ..Options::default() };
        let simulator = Simulator::start(options).await.expect("a simulator");
        let told = simulator.announcement();
        let tenant = &told["tenants"][0];
        let text = |name: &str| tenant[name].as_str().expect("announced").to_owned();
        let world = World::new();
        let source = world.source(connection(&simulator.url(), &text("domain"), &text("client_id"), &text("client_secret")));
        Self { tenant: text("tenant_id"), source: Source::Graph(source), simulator, world }
    }

    /// Tells the simulator something; gives back its answer.
    async fn tell(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{}", self.simulator.url(), path.replace("TENANT", &format!("tenants/{}", self.tenant)));
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = client.request(method, url).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let text = answer.text().await.expect("a body");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn fault(&self, path: &str, fault: Value) {
        let mut whole = json!({"path": path, "times": 1});
        whole.as_object_mut().expect("an object").extend(fault.as_object().expect("an object").clone());
        self.tell("POST", "faults", whole).await;
    }

    async fn page(&self, feed: Feed, cursor: &Cursor) -> Result<Page, SourceError> {
        self.source.page(feed, cursor, &Select::default()).await
    }

    /// Reads a feed until its round ends.
    async fn round(&self, feed: Feed, mut cursor: Cursor) -> (Vec<Event>, Cursor) {
        let mut events = Vec::new();
        loop {
            let page = self.page(feed, &cursor).await.expect("a page");
            events.extend(page.events);
            cursor = page.next;
            if matches!(cursor, Cursor::Active(_)) {
                return (events, cursor);
            }
        }
    }
}

/// The simplest mirror: what applying events in order leaves.
#[derive(Debug, Default, PartialEq)]
struct Mirror {
    users: BTreeMap<String, model::Attributes>,
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Mirror {
    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::User(told) => self.users.entry(told.id.to_string()).or_default().merge(told.attributes),
                Event::UserRemoved { id, .. } => {
                    self.users.remove(id.as_str());
                    self.members.values_mut().for_each(|m| {
                        m.remove(id.as_str());
                    });
                }
                Event::Group(told) => {
                    self.members.entry(told.id.expect("an id").to_string()).or_default();
                }
                Event::GroupRemoved { id } => {
                    self.members.remove(id.as_str());
                }
                Event::MemberAdded { group, member, .. } => {
                    self.members.entry(group.to_string()).or_default().insert(member.to_string());
                }
                Event::MemberRemoved { group, member } => {
                    self.members.entry(group.to_string()).or_default().remove(member.as_str());
                }
            }
        }
    }
}

/// What the simulator says is true.
async fn truth(place: &Place) -> Mirror {
    let select = model::attributes::READ_SET.join(",");
    let state = place.tell("GET", &format!("TENANT/state?select={select}"), Value::Null).await;
    let mut truth = Mirror::default();
    for user in state["users"].as_array().expect("users") {
        let mut user = user.clone();
        let id = user.as_object_mut().expect("an object").remove("id").expect("an id");
        truth.users.insert(id.as_str().expect("text").to_owned(), serde_json::from_value(user).expect("attributes"));
    }
    for group in state["groups"].as_array().expect("groups") {
        let members =
            group["members"].as_array().expect("members").iter().map(|m| m.as_str().expect("text").to_owned()).collect();
        truth.members.insert(group["id"].as_str().expect("an id").to_owned(), members);
    }
    truth
}

#[tokio::test]
async fn a_first_round_and_later_ones_end_with_what_is_there() {
    let place = Place::new(150).await;
    let mut mirror = Mirror::default();
    let (users, after_users) = place.round(Feed::Users, Cursor::Refresh).await;
    let (groups, after_groups) = place.round(Feed::Groups, Cursor::Refresh).await;
    mirror.apply(users);
    mirror.apply(groups);
    assert_eq!(mirror, truth(&place).await);

    let id = |n: usize| mirror.users.keys().nth(n).expect("a user").clone();
    let (changed, gone, purged) = (id(0), id(1), id(2));
    place.tell("PATCH", &format!("TENANT/users/{changed}"), json!({"surname": "Lovelace", "jobTitle": null})).await;
    place.tell("DELETE", &format!("TENANT/users/{gone}"), json!({})).await;
    place.tell("POST", &format!("TENANT/users/{purged}/purge"), json!({})).await;
    place.tell("POST", "TENANT/churn", json!({"percent": 5})).await;
    let (users, _) = place.round(Feed::Users, after_users).await;
    let (groups, _) = place.round(Feed::Groups, after_groups).await;
    let removal = |id: &str| {
        users.iter().rev().find_map(|e| match e {
            Event::UserRemoved { id: who, removal } if who.as_str() == id => Some(*removal),
            _ => None,
        })
    };
    assert_eq!((removal(&gone), removal(&purged)), (Some(Removal::Soft), Some(Removal::Permanent)));
    mirror.apply(users);
    mirror.apply(groups);
    let truth = truth(&place).await;
    assert_eq!(mirror.users.keys().collect::<Vec<_>>(), truth.users.keys().collect::<Vec<_>>());
    for (id, attributes) in &truth.users {
        assert_eq!(mirror.users[id].change_hash(), attributes.change_hash(), "{id}");
    }
    assert_eq!(mirror.members, truth.members);

    let found = place.source.deleted_users(&[SourceId::new(gone.clone()), SourceId::new(purged), SourceId::new(changed)]).await;
    assert_eq!(found.expect("an answer"), [SourceId::new(gone)]);
}

#[tokio::test]
async fn what_happens_on_the_wire_changes_nothing_but_the_time_it_takes() {
    let place = Place::new(250).await;
    let (users, _) = place.round(Feed::Users, Cursor::Refresh).await;
    let mut calm = Mirror::default();
    calm.apply(users);
    let path = "/v1.0/users/delta*";
    // Every other request, so that each page comes in the end.
    for fault in [
        json!({"nth": [1], "action": {"do": "reset", "when": "before_headers"}}),
        json!({"nth": [3], "action": {"do": "reset", "when": "after_headers"}}),
        json!({"nth": [5], "action": {"do": "reset", "when": "mid_body"}}),
        json!({"nth": [7], "action": {"do": "truncate"}}),
        json!({"nth": [9], "action": {"do": "status", "status": 503, "retry_after": 2}}),
        json!({"nth": [11], "action": {"do": "status", "status": 504}}),
        json!({"nth": [13], "action": {"do": "throttle", "retry_after": 9}}),
        json!({"nth": [15], "action": {"do": "throttle"}}),
        json!({"nth": [17], "action": {"do": "access_token_expired"}}),
        json!({"nth": [19], "action": {"do": "slow", "chunk": 700, "ms": 1}}),
        json!({"nth": [21], "action": {"do": "empty_page"}}),
    ] {
        place.fault(path, fault).await;
    }
    let (users, _) = place.round(Feed::Users, Cursor::Refresh).await;
    let mut stormy = Mirror::default();
    stormy.apply(users);
    assert_eq!(stormy, calm);
    let stats = place.source.stats();
    assert!(stats.retries >= 8 && stats.throttled == 2, "{stats:?}");
    assert!(place.world.waited() >= 11.0);
}

#[tokio::test]
async fn a_lost_position_in_each_form_is_followed_by_a_full_round() {
    let place = Place::new(30).await;
    let (_, active) = place.round(Feed::Users, Cursor::Refresh).await;
    for form in ["gone", "sync_state_not_found", "resync_required", "delta_link_older"] {
        place.fault("/v1.0/users/delta*", json!({"action": {"do": "expired_token", "form": form}})).await;
        assert_eq!(kind_of(place.page(Feed::Users, &active).await), "resync", "{form}");
        place.tell("DELETE", "faults", json!({})).await;
    }
    let (events, _) = place.round(Feed::Users, Cursor::Refresh).await;
    assert!(events.len() >= 30);
}

#[tokio::test]
async fn a_secret_that_expires_and_consent_that_goes_are_told_apart() {
    let place = Place::new(10).await;
    let organization = place.source.organization().await.expect("an organization");
    assert_eq!(organization.id.as_str(), place.tenant);
    assert!(organization.domains.iter().any(|d| d.is_default) && !organization.display_name.is_empty());
    assert!(!place.source.subscribed_skus().await.expect("licences").is_empty());

    let again = |secret: &str| {
        let told = place.simulator.announcement();
        let id = told["tenants"][0]["client_id"].as_str().expect("an id").to_owned();
        Source::Graph(World::new().source(connection(&place.simulator.url(), &place.tenant, &id, secret)))
    };
    let secret = place.simulator.announcement()["tenants"][0]["client_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(kind_of(again("not the secret").organization().await), "wrong_secret");
    place.tell("POST", "TENANT/secret/expire", json!({})).await;
    assert_eq!(kind_of(again(&secret).organization().await), "secret_expired");
    let rotated = place.tell("POST", "TENANT/secret/rotate", json!({})).await;
    let secret = rotated["client_secret"].as_str().expect("a secret").to_owned();
    again(&secret).organization().await.expect("an organization");

    place
        .tell("POST", "TENANT/consent", json!({"revoke": ["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"]}))
        .await;
    let checks = again(&secret).check(Asks::default()).await.expect("an answer");
    let groups = checks.iter().find(|c| c.permission == "GroupMember.Read.All").expect("a line");
    assert_eq!(groups.state, PermissionState::Missing);
    let users = checks.iter().find(|c| c.permission == "User.Read.All").expect("a line");
    assert_eq!(users.state, PermissionState::Granted);
    let error = again(&secret).page(Feed::Groups, &Cursor::Refresh, &Select::default()).await.expect_err("an error");
    assert!(matches!(error, SourceError::ConsentMissing { permission: "GroupMember.Read.All", .. }), "{error:?}");

    place.tell("POST", "TENANT/consent", json!({"app": false})).await;
    assert_eq!(kind_of(again(&secret).organization().await), "app_not_in_tenant");
}
