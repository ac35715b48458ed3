//! Explaining, and changing a policy's parts: by program and by page.

mod common;

use common::App;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// A tenant whose first plan is applied; its number.
async fn synced(app: &App, token: &str) -> i64 {
    let tenant = app.connected().await;
    let started = app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), token, Some(json!({}))).await;
    let run = started.location().to_owned();
    app.work().await;
    let held = app.api(Method::GET, &run, token, None).await.json();
    let approved = app.api(Method::POST, &format!("{run}/approve"), token, Some(json!({ "hash": held["hash"] }))).await;
    assert_eq!(approved.status, StatusCode::ACCEPTED, "{}", approved.text);
    app.work().await;
    tenant
}

fn stage<'v>(why: &'v Value, name: &str) -> Vec<&'v str> {
    let stages = why["stages"].as_array().expect("a list").iter();
    stages
        .filter(|s| s["stage"] == name)
        .flat_map(|s| s["sentences"].as_array().expect("a list"))
        .filter_map(Value::as_str)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_and_their_record_are_explained_in_the_same_words() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let groups = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/groups"), &token, None).await.json();
    let group = &groups["items"][0];
    let settings = format!("/api/v1/tenants/{tenant}/policy/settings");
    let mut rules =
        app.api(Method::GET, &settings, &token, None).await.json()["settings"]["rules"].as_array().expect("a list").clone();
    rules.push(json!({
        "id": "desk", "name": "Service desk", "order": 1000, "when": { "groups": [group["id"]], "filter": "department == \"Nowhere\"" },
        "then": { "kind": "agent" }
    }));
    let saved = app.api(Method::PATCH, &settings, &token, Some(json!({ "rules": rules }))).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text);

    let person = app.api(Method::GET, "/api/v1/people?linked=true&limit=1", &token, None).await.json()["items"][0].clone();
    let by_record = app.api(Method::GET, &format!("/api/v1/people/{}/explain", person["id"]), &token, None).await.json();
    let user = by_record["user"]["user_id"].as_str().unwrap();
    let by_user = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users/{user}/explain"), &token, None).await.json();
    assert_eq!(by_user["stages"], by_record["user"]["stages"], "one explanation, whoever is asked about");
    let email = person["fields"]["email"].as_str().or(person["email"].as_str()).unwrap();
    let by_email = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users/{email}/explain"), &token, None).await.json();
    assert_eq!(by_email["user_id"], by_user["user_id"], "found by the address of the record");

    let rule = stage(&by_user, "Rule");
    assert!(rule.iter().any(|s| s.contains("won")), "{rule:?}");
    let missed = rule.iter().find(|s| s.contains("\"Service desk\" does not select this user")).expect("the rule that lost");
    assert!(missed.contains("its filter does not hold: department == \"Nowhere\""), "{missed}");
    assert!(
        stage(&by_user, "Match, when it was linked").iter().any(|s| s.contains("No record matched")),
        "how the record came about: {by_user}"
    );
    let otherwise: Vec<&str> =
        by_user["otherwise"].as_array().expect("a list").iter().filter_map(|o| o["sentence"].as_str()).collect();
    let desk = otherwise.iter().find(|s| s.contains("Service desk")).unwrap_or_else(|| panic!("{otherwise:?}"));
    assert!(desk.contains("the filter of rule \"Service desk\" held for them") && desk.contains("came first"), "{desk}");
    assert!(
        otherwise.iter().any(|s| s.starts_with("If they were deleted in Entra") && s.contains("deactivate")),
        "{otherwise:?}"
    );
    let fields = by_record["fields"].as_array().expect("a list");
    let title = fields.iter().find(|f| f["field"] == "last_name").unwrap();
    assert_eq!(title["origin"], "attribute");
    assert!(title["sentence"].as_str().unwrap().starts_with("Entra: "), "{title}");
    let first = &by_record["history"][0];
    assert!(first["run"].is_i64() && first["requested_by"].is_string() && first["decided_by"].is_string(), "{first}");

    let edit = json!({ "last_name": "Changed here" });
    app.api(Method::PATCH, &format!("/api/v1/people/{}", person["id"]), &token, Some(edit)).await;
    let edited = app.api(Method::GET, &format!("/api/v1/people/{}/explain", person["id"]), &token, None).await.json();
    let edited = edited["fields"].as_array().expect("a list").iter().find(|f| f["field"] == "last_name").unwrap().clone();
    assert_eq!(edited["origin"], "edited");
    assert!(edited["sentence"].as_str().unwrap().contains("a local edit stands until the user changes in Entra"), "{edited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_policy_changes_and_the_rest_stays_as_it_was_written() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let own = "# agreed in May\nguard:\n  max_removals: 20   # Ada asked\n\nrules:\n  # all of them\n  - { id: all, order: 10, when: {}, then: { kind: contact } }\n";
    let policy = format!("/api/v1/tenants/{tenant}/policy");
    let put = app.api(Method::PUT, &policy, &token, Some(json!({ "text": own }))).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    let settings = format!("{policy}/settings");
    let patch = |body: Value| app.api(Method::PATCH, &settings, &token, Some(body));

    let preview = patch(json!({ "guard": { "max_rekeys": 5 }, "preview": true })).await.json();
    assert_eq!((preview["version"].clone(), preview["lost_comments"].clone()), (Value::Null, json!([])));
    assert_eq!(preview["changes"][0]["path"], "guard.max_rekeys");
    let done =
        patch(json!({ "guard": { "max_rekeys": 5 }, "fields": { "contact": { "phone": null } }, "version": 1 })).await.json();
    assert_eq!(done["version"], 2, "{done}");
    let text = done["text"].as_str().unwrap();
    assert!(text.starts_with("# agreed in May\nguard:\n  max_removals: 20   # Ada asked\n  max_rekeys: 5\n"), "{text}");
    assert!(text.contains("  # all of them\n  - { id: all,"), "{text}");
    let stale = patch(json!({ "guard": { "max_rekeys": 6 }, "version": 1 })).await;
    assert_eq!((stale.status, stale.json()["code"].clone()), (StatusCode::CONFLICT, json!("policy_changed")));
    let same = patch(json!({ "guard": { "max_rekeys": 5 } })).await.json();
    assert_eq!(
        (same["version"].clone(), same["changes"].clone()),
        (Value::Null, json!([])),
        "what changes nothing is no version"
    );

    let wrong = patch(json!({ "rules": [
        { "id": "all", "order": 10, "when": {}, "then": { "kind": "contact" } },
        { "id": "bad", "order": 20, "when": { "filter": "department ==" }, "then": { "kind": "contact" } },
    ] }))
    .await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (StatusCode::CONFLICT, "policy_invalid".into()), "{}", wrong.text);
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/rules/1/when/filter", "{}", wrong.text);

    let rule = json!({ "id": "all", "order": 10, "when": { "filter": "accountEnabled" }, "then": { "kind": "contact" } });
    let count = app.api(Method::POST, &format!("{policy}/rules/count"), &token, Some(json!({ "rule": rule }))).await;
    let count = count.json();
    assert!(count["matches"].as_i64().unwrap() > 0 && count["complete"] == json!(true), "{count}");
    assert_eq!(count["matches"], count["wins"], "there is no other rule");
    let weigh =
        app.api(Method::POST, &format!("{policy}/guard/weigh"), &token, Some(json!({ "guard": { "max_removals": 0 } }))).await;
    assert!(weigh.json()["plans"].as_i64().unwrap() > 0, "{}", weigh.text);
    let user = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users?outcome=synced"), &token, None).await.json();
    let mapped = app.api(Method::GET, &format!("/api/v1/users/{}/mapped", user["items"][0]["id"]), &token, None).await.json();
    let name =
        mapped["items"].as_array().expect("a list").iter().find(|v| v["field"] == "last_name" && v["kind"] == "contact").unwrap();
    assert_eq!(name["entra"], name["record"], "what was synced is what Entra holds: {name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_drafted_on_a_page_and_saved_on_the_policys_own() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let mut ada = app.admin().await;
    let path = format!("/tenants/{tenant}/policy/rules");
    let page = ada.get(&path).await;
    assert!(page.text.contains("This tenant inherits these rules"), "{}", page.text);
    let form = ada.post(&path, &page, &[("text", ""), ("do", "add")]).await;
    let fields = [
        ("text", ""),
        ("editing", ""),
        ("name", "Service desk"),
        ("order", "5"),
        ("enabled", "on"),
        ("kind", "agent"),
        ("role", "technician"),
    ];
    let refused = ada.post(&path, &form, &[&fields[..], &[("do", "apply")]].concat()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("needs &#34;when&#34;") || refused.text.contains("when"), "nobody is selected by mistake");
    let built = [("b_attribute", "department"), ("b_operator", "is"), ("b_value", "IT"), ("do", "condition")];
    let with = ada.post(&path, &form, &[&fields[..], &built].concat()).await;
    assert!(with.text.contains("department == &#34;IT&#34;"), "{}", with.text);
    let filter = [("filter", "department == \"IT\""), ("do", "apply")];
    let draft = ada.post(&path, &form, &[&fields[..], &filter].concat()).await;
    assert_eq!(draft.status, StatusCode::OK, "{}", draft.text);
    assert!(
        draft.text.contains("Service desk") && draft.text.contains("rules[service-desk]") && draft.text.contains("a new rule"),
        "{}",
        draft.text
    );
    let stored = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/policy"), &token, None).await.json();
    assert_eq!(stored["version"], Value::Null, "a draft is nowhere but on the page");

    let counted = ada.post(&format!("{path}/count"), &form, &[&fields[..], &filter].concat()).await;
    assert!(counted.text.contains("users match"), "{}", counted.text);
    for (part, fields) in
        [("fields", vec![("do", "apply")]), ("guard", vec![("do", "apply"), ("max_removals", "7"), ("approve_first_run", "on")])]
    {
        let path = format!("/tenants/{tenant}/policy/{part}");
        let page = ada.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let draft = ada.post(&path, &page, &[&[("text", "")], &fields[..]].concat()).await;
        assert_eq!(draft.status, StatusCode::OK, "{}", draft.text);
    }
    for part in ["rules", "fields", "roles", "guard"] {
        let page = ada.get(&format!("/policy/{part}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn req_r04_a_rule_names_sites_by_a_value_boards_and_defaults() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let own = "# by Ada\nrules:\n  # everybody\n  - id: all\n    order: 10\n    when: {}\n    then: { kind: contact, defaults: { additional_emails: [a@x.example] } }\n";
    let policy = format!("/api/v1/tenants/{tenant}/policy");
    app.api(Method::PUT, &policy, &token, Some(json!({ "text": own }))).await;
    let mut ada = app.admin().await;
    let path = format!("/tenants/{tenant}/policy/rules");
    let page = ada.get(&path).await;
    let form = ada.post(&path, &page, &[("text", own), ("do", "edit:all")]).await;
    assert!(
        form.text.contains("name=\"site_from\"") && form.text.contains("name=\"default.additional_emails\""),
        "{}",
        form.text
    );
    let fields = [
        ("text", own),
        ("editing", "all"),
        ("rule_id", "all"),
        ("name", "all"),
        ("order", "10"),
        ("enabled", "on"),
        ("everyone", "on"),
        ("kind", "contact"),
        ("site_from", "officeLocation"),
        ("cabs", "change\r\nrelease"),
        ("do", "apply"),
        ("default.additional_emails", "a@x.example"),
        ("default_field", "phone"),
        ("default_value", "+44 1"),
    ];
    let draft = ada.post(&path, &form, &fields).await;
    assert_eq!(draft.status, StatusCode::OK, "{}", draft.text);
    let text = draft.hidden("text").replace("&#34;", "\"").replace("&#39;", "'");
    assert!(text.starts_with("# by Ada\nrules:\n  # everybody\n  - id: all\n"), "comments stay where they stood: {text}");
    let saved = app.api(Method::PUT, &policy, &token, Some(json!({ "text": text }))).await;
    assert_eq!(saved.status, StatusCode::OK, "{} {text}", saved.text);
    let settings = app.api(Method::GET, &format!("{policy}/settings"), &token, None).await.json();
    let then = &settings["settings"]["rules"][0]["then"];
    assert_eq!((&then["site_from"], &then["cabs"]), (&json!("officeLocation"), &json!(["change", "release"])), "{then}");
    assert_eq!(then["defaults"], json!({ "additional_emails": ["a@x.example"], "phone": "+44 1" }), "a list stays a list");
    let both = ada.post(&path, &form, &[&fields[..], &[("site", "Head office")]].concat()).await;
    assert_eq!(both.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(both.text.contains("keep one of them") && both.text.contains("value=\"Head office\""), "as it was typed");
}

#[tokio::test(flavor = "multi_thread")]
async fn req_r07_req_r09_groups_give_roles_and_boards_on_a_page() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let own = "# the desk\nrole_mappings:\n  # asked for in May\n  - { id: lead, order: 10, group_name: Leads, kind: agent, role: lead }\nguard: { max_removals: 9 } # as agreed\n";
    let policy = format!("/api/v1/tenants/{tenant}/policy");
    let put = app.api(Method::PUT, &policy, &token, Some(json!({ "text": own }))).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    let group = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/groups"), &token, None).await.json()["items"][0].clone();
    let (id, name) = (group["id"].as_str().unwrap(), group["name"].as_str().unwrap());
    let mut ada = app.admin().await;
    let path = format!("/tenants/{tenant}/policy/roles");
    let page = ada.get(&path).await;
    assert!(page.text.contains("value=\"lead\"") && page.text.contains("by its exact name"), "{}", page.text);
    let shown = [
        ("text", own),
        ("here", "on"),
        ("role.0.here", "on"),
        ("role.0.order", "10"),
        ("role.0.kind", "agent"),
        ("role.0.role", "lead"),
        ("role.0.mode", "replace"),
    ];
    let found = ada.post(&path, &page, &[&shown[..], &[("q", name), ("do", "find")]].concat()).await;
    assert!(found.text.contains(&format!("<option value=\"{id}\">")), "chosen by name: {}", found.text);
    let added = [
        ("new.role.group", id),
        ("new.role.kind", "contact"),
        ("new.role.role", "approver"),
        ("new.role.mode", "add"),
        ("new.cab.group_name", "Board"),
        ("new.cab.cab", "change"),
        ("new.cab.role", "chair"),
        ("without.contact", "orphan"),
        ("inactive_roles", "left\r\nparked"),
        ("do", "apply"),
    ];
    let draft = ada.post(&path, &found, &[&shown[..], &added].concat()).await;
    assert_eq!(draft.status, StatusCode::OK, "{}", draft.text);
    assert!(draft.text.contains(name), "the group stands there by its name");
    let text = draft.hidden("text").replace("&#34;", "\"").replace("&#39;", "'");
    let kept = "# the desk\nrole_mappings:\n  # asked for in May\n  - { id: lead, order: 10, group_name: Leads, kind: agent, role: lead }\n";
    assert!(text.starts_with(kept) && text.contains("# as agreed"), "what nobody changed stays as it was written: {text}");
    let saved = app.api(Method::PUT, &policy, &token, Some(json!({ "text": text }))).await;
    assert_eq!(saved.status, StatusCode::OK, "{} {text}", saved.text);
    let all = app.api(Method::GET, &format!("{policy}/settings"), &token, None).await.json()["settings"].clone();
    let role = all["role_mappings"].as_array().unwrap().iter().find(|m| m["role"] == "approver").expect("the new one").clone();
    assert_eq!(
        (&role["group"], &role["mode"], &role["order"], &role["id"]),
        (&json!(id), &json!("add"), &json!(20), &json!("approver"))
    );
    assert_eq!(all["cab_mappings"], json!([{ "group_name": "Board", "cab": "change", "role": "chair" }]));
    assert_eq!(all["role_without_manager"], json!({ "agent": null, "contact": "orphan" }));
    assert_eq!(all["inactive_roles"], json!(["left", "parked"]));

    let settings = format!("{policy}/settings");
    let patch = |body: Value| app.api(Method::PATCH, &settings, &token, Some(body));
    let wrong = patch(json!({ "cab_mappings": [{ "cab": "change" }] })).await;
    assert_eq!((wrong.status, wrong.json()["code"].clone()), (StatusCode::CONFLICT, "policy_invalid".into()), "{}", wrong.text);
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/cab_mappings/0", "{}", wrong.text);
    let gone = patch(json!({ "cab_mappings": [], "role_without_manager": { "agent": null, "contact": null } })).await.json();
    assert!(gone["text"].as_str().is_some_and(|t| t.contains("cab_mappings: []") && t.starts_with("# the desk")), "{gone}");
    let page = ada.get(&path).await;
    let text = page.hidden("text").replace("&#34;", "\"").replace("&#39;", "'");
    let removed = ada
        .post(
            &path,
            &page,
            &[("text", text.as_str()), ("here", "on"), ("role.0.here", "on"), ("role.0.remove", "on"), ("do", "apply")],
        )
        .await;
    assert!(removed.text.contains("role_mappings[lead]"), "{}", removed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_is_weighed_by_its_own_limits() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let mut ada = app.admin().await;
    let page = ada.get("/policy/guard").await;
    assert!(page.text.contains("No tenant has limits of its own, so these decide for all of them."), "{}", page.text);
    let strict = [("text", ""), ("max_agent_creates", ""), ("max_creates_share", ""), ("max_rekeys", "0"), ("do", "apply")];
    let weighed = ada.post("/policy/guard", &page, &strict).await;
    assert_eq!(weighed.status, StatusCode::OK, "{}", weighed.text);

    app.api(
        Method::PUT,
        &format!("/api/v1/tenants/{tenant}/policy"),
        &token,
        Some(json!({ "text": "guard: { max_rekeys: 50 }\n" })),
    )
    .await;
    let page = ada.get("/policy/guard").await;
    assert!(page.text.contains("1 tenant has limits of its own; its plans are weighed by those."), "{}", page.text);
    let own = ada.get(&format!("/tenants/{tenant}/policy/guard")).await;
    assert!(own.text.contains("These are this tenant&#39;s own limits"), "{}", own.text);
    let report =
        app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/policy/guard/weigh"), &token, Some(json!({}))).await.json();
    assert_eq!(
        (&report["own_limits"], &report["without_fleet"]),
        (&json!(1), &json!(0)),
        "what the fleet weighed is kept with each plan: {report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_87_limits_over_all_tenants_tell_what_they_would_have_stopped() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    app.connects(1, "Fabrikam").await;
    let users = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users?outcome=synced"), &token, None).await.json();
    let directory = app.entra.tenant(0).expect("a tenant").id;
    for user in users["items"].as_array().expect("a list").iter().take(12) {
        let path = format!("/tenants/{directory}/users/{}", user["user_id"].as_str().expect("an id"));
        tokio::task::block_in_place(|| app.entra.control(Method::PATCH, &path, &json!({ "accountEnabled": false })))
            .expect("changed");
    }
    app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), &token, Some(json!({}))).await;
    app.work().await;
    let weigh = async |guard: Value| {
        let path = format!("/api/v1/tenants/{tenant}/policy/guard/weigh");
        let report = app.api(Method::POST, &path, &token, Some(json!({ "guard": guard }))).await.json();
        let stopped = report["stopped"].as_array().expect("a list").iter().find(|s| s["removals"] == 12).cloned();
        stopped.unwrap_or_else(|| panic!("{report}"))
    };
    let off = json!({ "max_removals": "off", "max_removal_share": "off", "fleet_max_removal_share": "off" });
    assert_eq!(weigh(off.clone()).await["holds"], json!([]), "no limit, no hold");
    let mut fleet = off;
    fleet["fleet_max_removal_share"] = json!(1);
    let stopped = weigh(fleet).await;
    assert!(stopped["holds"][0].as_str().is_some_and(|h| h.contains("linked people of all tenants")), "{stopped}");
    assert_eq!(stopped["limits"], "tenant");
    let mut ada = app.admin().await;
    let page = ada.get("/policy/guard").await;
    let limits = [("text", ""), ("fleet_max_removal_share", "1"), ("do", "apply")];
    let shown = ada.post("/policy/guard", &page, &limits).await;
    assert!(shown.text.contains("linked people of all tenants") && shown.text.contains("the default&#39;s"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_60_an_attribute_that_was_never_read_says_so_where_it_is_used() {
    let app = App::start().await;
    let token = app.token(&["admin"]).await;
    let tenant = synced(&app, &token).await;
    let badge = format!("extension_{}_badgeNumber", app.entra.tenant(0).expect("a tenant").client_id.replace('-', ""));
    let mut ada = app.admin().await;
    let path = format!("/tenants/{tenant}/policy/fields");
    let page = ada.get(&path).await;
    let new = [
        ("text", ""),
        ("new.contact.target", "badge"),
        ("new.contact.source", badge.as_str()),
        ("new.contact.overwrite", "on_change"),
        ("do", "apply"),
    ];
    let draft = ada.post(&path, &page, &new).await;
    assert_eq!(draft.status, StatusCode::OK, "{}", draft.text);
    assert!(draft.text.contains("Not read yet; the next full read brings it"), "{}", draft.text);
    let rule =
        json!({ "id": "badged", "order": 1, "when": { "filter": format!("{badge} != null") }, "then": { "kind": "contact" } });
    let count = format!("/api/v1/tenants/{tenant}/policy/rules/count");
    let count = app.api(Method::POST, &count, &token, Some(json!({ "rule": rule }))).await.json();
    assert_eq!(count["matches"], 0, "{count}");
    assert!(count["notes"][0].as_str().is_some_and(|note| note.contains(&format!("{badge} is not read yet"))), "{count}");
}
