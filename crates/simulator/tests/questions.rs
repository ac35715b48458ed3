//! What can be asked of Graph, and in which spellings, over HTTP.

mod support;

use serde_json::{Value, json};
use support::{World, small};

const EVENTUAL: &[(&str, &str)] = &[("consistencylevel", "eventual")];

fn values(page: &Value) -> Vec<Value> {
    page["value"].as_array().cloned().unwrap_or_default()
}

/// Ids of the first groups and users of the tenant.
async fn ids(world: &World, what: &str) -> Vec<String> {
    let page = world.get(&format!("/v1.0/{what}?$select=id&$top=100")).await.json();
    values(&page).iter().filter_map(|o| o["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_search_joins_its_clauses_and_refuses_what_it_does_not_understand() {
    let world = World::start(small()).await;
    let everybody = values(&world.get("/v1.0/users?$top=999").await.json());
    let contains = |u: &Value, name: &str, part: &str| u[name].as_str().is_some_and(|t| t.to_lowercase().contains(part));
    let expected = |fits: &dyn Fn(&Value) -> bool| everybody.iter().filter(|u| fits(u)).count();
    let either = expected(&|u| contains(u, "displayName", "he") || contains(u, "mail", "a"));
    let both = expected(&|u| contains(u, "displayName", "e") && contains(u, "mail", "a"));
    let but = expected(&|u| contains(u, "displayName", "e") && !contains(u, "mail", "a"));
    assert!(either > 0 && both > 0 && but > 0);
    for (search, found) in [
        ("\"displayName:he\" OR \"mail:a\"", either),
        ("\"DISPLAYNAME:he\" or \"Mail:A\"", either),
        ("\"displayName:e\" AND \"mail:a\"", both),
        ("\"displayName:e\" and not \"mail:a\"", but),
        ("(\"displayName:he\") OR (\"mail:a\")", either),
    ] {
        let answer = world.get_with(&format!("/v1.0/users?$top=999&$search={search}"), EVENTUAL).await;
        assert_eq!(values(&answer.json()).len(), found, "{search}: {}", answer.text);
        assert_eq!(world.get_with(&format!("/v1.0/users/$count?$search={search}"), EVENTUAL).await.text, found.to_string());
    }
    for wrong in
        ["displayName:he", "\"a\" \"b\"", "\"a\" XOR \"b\"", "\"jobTitle:a\"", "\"mail:\"", "\"a\" OR", "\"description:a\""]
    {
        let answer = world.get_with(&format!("/v1.0/users?$search={wrong}"), EVENTUAL).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_context_says_what_was_selected_on_every_page() {
    let world = World::start(small()).await;
    let user = ids(&world, "users").await[0].clone();
    let one = world.get(&format!("/v1.0/users/{user}?$select=id,mail")).await.json();
    assert_eq!(one["@odata.context"], format!("{}/v1.0/$metadata#users(id,mail)/$entity", world.url));
    let whole = world.get(&format!("/v1.0/users/{user}")).await.json();
    assert_eq!(whole["@odata.context"], format!("{}/v1.0/$metadata#users/$entity", world.url));
    let first = world.get("/v1.0/users?$select=id&$top=30").await.json();
    let second = world.get(first["@odata.nextLink"].as_str().expect("a second page")).await.json();
    assert_eq!(first["@odata.context"], format!("{}/v1.0/$metadata#users(id)", world.url));
    assert_eq!(second["@odata.context"], first["@odata.context"]);
}

#[tokio::test]
async fn a_manager_and_members_come_along_as_they_are_selected() {
    let world = World::start(small()).await;
    let with_manager =
        |page: &Value| values(page).into_iter().find(|u| u["manager"].is_object()).expect("somebody with a manager");
    let someone = with_manager(&world.get("/v1.0/users?$expand=manager($select=id,mail)&$select=id&$top=90").await.json());
    let keys = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    assert_eq!(keys(&someone["manager"]), ["@odata.type", "id", "mail"]);
    let id = someone["id"].as_str().expect("id");
    let alone = world.get(&format!("/v1.0/users/{id}?$expand=manager($select=id,mail)")).await.json();
    assert_eq!(alone["manager"], someone["manager"]);
    let whole = with_manager(&world.get("/v1.0/users?$expand=Manager&$top=90").await.json());
    assert!(whole["manager"].get("userPrincipalName").is_some());

    let groups = values(&world.get("/v1.0/groups?$expand=members($select=id,displayName)&$select=id").await.json());
    assert_eq!(groups.iter().map(|g| g["members"].as_array().map_or(0, Vec::len)).max(), Some(20), "never more than twenty");
    let group = groups.iter().find(|g| g["members"].as_array().is_some_and(|m| !m.is_empty())).expect("a group with members");
    assert_eq!(keys(&group["members"][0]), ["@odata.type", "displayName", "id"]);
    let id = group["id"].as_str().expect("id");
    assert_eq!(
        world.get(&format!("/v1.0/groups/{id}?$expand=members($select=id,displayName)")).await.json()["members"],
        group["members"]
    );
    assert!(values(&world.get("/v1.0/groups?$expand=members").await.json()).iter().all(|g| g["members"].is_array()));

    for wrong in [
        "manager($select=unheardOf)",
        "manager($top=1)",
        "manager($select=id",
        "members",
        "manager,memberOf",
        "manager($select=)",
    ] {
        assert_eq!(world.get(&format!("/v1.0/users?$expand={wrong}")).await.status, 400, "{wrong}");
    }
    for wrong in ["manager", "members($select=unheardOf)", "owners"] {
        assert_eq!(world.get(&format!("/v1.0/groups?$expand={wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn links_are_counted_as_they_are_listed() {
    let world = World::start(small()).await;
    let (groups, users) = (ids(&world, "groups").await, ids(&world, "users").await);
    let advanced = |path: &str| format!("{path}?$count=true&$top=999");
    for path in [
        format!("groups/{}/members", groups[2]),
        format!("groups/{}/transitiveMembers", groups[2]),
        format!("groups/{}/members/microsoft.graph.user", groups[2]),
        format!("groups/{}/transitiveMembers/microsoft.graph.group", groups[8]),
        format!("users/{}/memberOf", users[0]),
        format!("users/{}/transitiveMemberOf", users[0]),
        format!("users/{}/memberOf/microsoft.graph.group", users[0]),
        format!("groups/{}/memberOf", groups[3]),
        format!("groups/{}/transitiveMemberOf", groups[9]),
    ] {
        let listed = values(&world.get_with(&advanced(&format!("/v1.0/{path}")), EVENTUAL).await.json()).len();
        assert!(listed > 0, "{path}");
        let count = world.get_with(&format!("/v1.0/{path}/$count"), EVENTUAL).await;
        assert_eq!((count.text.as_str(), count.header("content-type")), (listed.to_string().as_str(), "text/plain"), "{path}");
        assert_eq!(world.get(&format!("/v1.0/{path}/$count")).await.code(), "Request_BadRequest", "{path}");
    }
    let sku = values(&world.get("/v1.0/subscribedSkus").await.json())[0].clone();
    let one = world.get(&format!("/v1.0/subscribedSkus/{}", sku["id"].as_str().expect("id"))).await.json();
    assert_eq!(one["skuPartNumber"], sku["skuPartNumber"]);
}

#[tokio::test]
async fn paths_and_options_are_taken_in_every_spelling_graph_takes() {
    let world = World::start(small()).await;
    let first = values(&world.get("/v1.0/users?$top=1").await.json())[0].clone();
    let (id, upn) = (first["id"].as_str().expect("id"), first["userPrincipalName"].as_str().expect("upn").replace('#', "%23"));
    for path in [
        format!("/V1.0/USERS/{id}"),
        format!("/v1.0/users('{id}')"),
        format!("/v1.0/Users(id='{id}')"),
        format!("/v1.0/users('{upn}')"),
        format!("/v1.0/users(userPrincipalName='{upn}')"),
    ] {
        assert_eq!(world.get(&path).await.json()["id"], id, "{path}");
    }
    for path in [
        "/v1.0/Users/Delta",
        "/v1.0/directory/deleteditems/Microsoft.Graph.User",
        "/v1.0/SubscribedSkus",
        &format!("/v1.0/users/{id}/memberof"),
        "/v1.0/users/Microsoft.Graph.Delta()",
    ] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
    let page = world.get("/v1.0/users?top=5&select=id").await.json();
    assert_eq!(page, world.get("/v1.0/users?%24Top=5&$SELECT=id").await.json().clone().with_link(&page));
    assert_eq!(values(&page).len(), 5);
    let next =
        world.get(page["@odata.nextLink"].as_str().expect("more").replace("$skiptoken", "skiptoken").as_str()).await.json();
    assert!(values(&next).len() == 5 && values(&next)[0] != values(&page)[0]);
    assert_eq!(world.get("/v1.0/users?mine=1&top=1").await.status, 200, "a client's own option is ignored");
    for wrong in ["skip=1", "$top=1&$top=2", "$top=1&top=2", "$count=abc", "filter=aboutMe eq 'x'", "expand=drives"] {
        assert_eq!(world.get(&format!("/v1.0/users?{wrong}")).await.status, 400, "{wrong}");
    }
}

/// Two pages of one listing differ in their links, which repeat the spelling they were asked in.
trait WithLink {
    fn with_link(self, other: &Value) -> Value;
}

impl WithLink for Value {
    fn with_link(mut self, other: &Value) -> Value {
        self["@odata.nextLink"] = other["@odata.nextLink"].clone();
        self
    }
}

#[tokio::test]
async fn a_filter_that_could_find_nobody_is_refused() {
    let world = World::start(small()).await;
    let old = values(&world.get("/v1.0/users?$filter=createdDateTime lt 2020-01-01T00:00:00Z&$top=999").await.json()).len();
    let new = values(&world.get("/v1.0/users?$filter=createdDateTime ge 2020-01-01&$top=999").await.json()).len();
    let unknown = world.get_with("/v1.0/users?$filter=createdDateTime eq null&$count=true", EVENTUAL).await.json();
    assert!(old > 0 && new > 0);
    assert_eq!(old + new + values(&unknown).len(), 90, "everybody was created before or after, or nobody knows when");
    let start = world.get("/v1.0/users?$filter=proxyAddresses/any(a:startswith(a,'smtp:'))&$top=999").await.json();
    assert!(!values(&start).is_empty());
    assert!(!values(&world.get("/v1.0/groups?$filter=groupTypes/Any(c:c eq 'Unified')").await.json()).is_empty());
    let end = "proxyAddresses/any(a:endswith(a,'example'))";
    assert_eq!(world.get(&format!("/v1.0/users?$filter={end}")).await.status, 400, "endswith needs advanced mode");
    assert_eq!(world.get_with(&format!("/v1.0/users?$filter={end}&$count=true"), EVENTUAL).await.status, 200);
    for wrong in [
        "users?$filter=accountEnabled eq 'true'",
        "users?$filter=displayName eq true",
        "users?$filter=securityEnabled eq true",
        "users?$filter=createdDateTime ge 'yesterday'",
        "groups?$filter=userPrincipalName eq 'a'",
        "groups?$filter=groupTypes eq 'Unified'",
    ] {
        let answer = world.get(&format!("/v1.0/{wrong}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "Request_UnsupportedQuery"), "{wrong}: {}", answer.text);
    }
    let wrong = world.get_with("/v1.0/users?$filter=endswith(displayName,'a')&$count=true", EVENTUAL).await;
    assert_eq!(wrong.code(), "Request_UnsupportedQuery");
}

#[tokio::test]
async fn a_documented_property_that_nobody_has_is_null() {
    let world = World::start(small()).await;
    let user = world
        .get(&format!("/v1.0/users/{}?$select=aboutMe,skills,deviceEnrollmentLimit", ids(&world, "users").await[0]))
        .await
        .json();
    assert_eq!((&user["aboutMe"], &user["skills"], &user["deviceEnrollmentLimit"]), (&Value::Null, &json!([]), &Value::Null));
    assert!(user.get("aboutMe").is_some() && user.get("deviceEnrollmentLimit").is_some());
    let groups = values(&world.get("/v1.0/groups?$select=id,assignedLabels,isArchived").await.json());
    assert!(groups.iter().all(|g| g["assignedLabels"] == json!([]) && g.get("isArchived").is_some_and(Value::is_null)));
    assert!(values(&world.get("/v1.0/groups").await.json()).iter().all(|g| g.get("isArchived").is_none()), "not by default");
    assert_eq!(world.get("/v1.0/groups?$select=unheardOf").await.status, 400);
}

#[tokio::test]
async fn what_is_nowhere_or_not_allowed_is_said_in_graphs_form() {
    let world = World::start(small()).await;
    for path in ["/beta/users", "/v2.0/users", "/v1.0beta", "/v1.0/unheardOf"] {
        let answer = world.get(path).await;
        assert!(answer.status == 404 || answer.status == 400, "{path}");
        assert!(!answer.code().is_empty() && answer.json()["error"]["message"].is_string(), "{path}: {}", answer.text);
        assert!(!answer.header("request-id").is_empty(), "{path}");
    }
    for (method, path, allow) in
        [("DELETE", "/v1.0/users", "GET, POST"), ("PUT", "/v1.0/organization", "GET"), ("PATCH", "/v1.0/$batch", "POST")]
    {
        let answer = world.send(method, path, json!({})).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
}
