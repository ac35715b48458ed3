//! What a page offers is what its reader may do: walked over every page there is, for each role. The server's own check is walked too.

mod common;

use common::{App, Browser};
use http::{Method, StatusCode};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A server on which every page has something to offer: a run that waits, one that is done, an item in review, policies with versions.
async fn used(app: &App) -> i64 {
    let token = app.token(&["admin"]).await;
    let tenant = app.connected().await;
    let started = app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), &token, Some(json!({}))).await;
    app.work().await;
    let run = started.location().to_owned();
    let held = app.api(Method::GET, &run, &token, None).await.json();
    let approved = app.api(Method::POST, &format!("{run}/approve"), &token, Some(json!({ "hash": held["hash"] }))).await;
    assert_eq!(approved.status, StatusCode::ACCEPTED, "{}", approved.text);
    app.work().await;
    for text in ["guard: { max_removals: 20 }\n", "matching: { on_none: review }\nguard: { max_removals: 0 }\n"] {
        let saved =
            app.api(Method::PUT, &format!("/api/v1/tenants/{tenant}/policy"), &token, Some(json!({ "text": text }))).await;
        assert_eq!(saved.status, StatusCode::OK, "{}", saved.text);
    }
    // Somebody new with a mailbox, whom the policy leaves to a person; and somebody who goes, whose removal waits.
    let directory = app.entra.tenant(0).expect("a tenant").id;
    let people = app.api(Method::GET, &format!("/api/v1/tenants/{tenant}/users?outcome=synced"), &token, None).await.json();
    let gone = people["items"][0]["user_id"].as_str().expect("somebody").to_owned();
    let disabled = json!({ "accountEnabled": false });
    let new = json!({ "displayName": "Nia New", "givenName": "Nia", "surname": "New", "userPrincipalName": "nia@contoso.example",
        "mail": "nia@contoso.example", "accountEnabled": true,
        "assignedLicenses": [{ "skuId": "4b9405b0-7788-4568-add1-99614e613b69", "disabledPlans": [] }] });
    tokio::task::block_in_place(|| {
        app.entra.control(Method::PATCH, &format!("/tenants/{directory}/users/{gone}"), &disabled).expect("changed");
        app.entra.control(Method::POST, &format!("/tenants/{directory}/users"), &new).expect("made");
    });
    app.api(Method::POST, &format!("/api/v1/tenants/{tenant}/runs"), &token, Some(json!({}))).await;
    app.work().await;
    tenant
}

/// Forms of a page that send something, but for the way out: action by action.
fn forms(html: &str) -> BTreeSet<String> {
    let forms =
        html.split("<form ").skip(1).filter(|form| form.split('>').next().is_some_and(|tag| tag.contains("method=\"post\"")));
    let action =
        |form: &str| form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
    forms.map(action).filter(|action| action != "/sign-out").collect()
}

/// Links to other pages of ours.
fn links(html: &str) -> BTreeSet<String> {
    let hrefs = html.split("href=\"/").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    let ours = hrefs.filter(|href| !href.starts_with("assets/") && !href.starts_with("api/"));
    ours.map(|href| format!("/{}", href.replace("&#38;", "&").replace("&amp;", "&"))).collect()
}

/// Every page that can be reached by links, with the forms it offers.
async fn walk(browser: &mut Browser<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec!["/".to_owned()]);
    while let Some(path) = todo.pop() {
        // One user, person and filter is like another; what is offered does not depend on it.
        let many = ["/users/", "/people/", "/people?", "/users?"].iter().any(|kind| path.contains(kind));
        let like =
            |known: &String| many && known.rsplit_once(['/', '?']).map(|k| k.0) == path.rsplit_once(['/', '?']).map(|k| k.0);
        if found.keys().any(|known| *known == path || like(known)) {
            continue;
        }
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "a link leads to {path}, which answers {}: {}", page.status, page.text);
        todo.extend(links(&page.text));
        found.insert(path, forms(&page.text));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn req_i03_each_role_is_offered_what_it_may_do_and_nothing_else() {
    let app = App::start().await;
    let tenant = used(&app).await;
    let mut offered: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut browsers = BTreeMap::new();
    for role in ["read", "operate", "admin"] {
        let mut browser = app.somebody(role).await;
        let pages = walk(&mut browser).await;
        for part in ["", "/rules", "/fields", "/roles", "/guard"] {
            for policy in [format!("/tenants/{tenant}/policy{part}"), format!("/policy{part}")] {
                assert!(pages.contains_key(&policy), "{role} does not get to {policy}: {:?}", pages.keys());
            }
        }
        offered.insert(role, pages.into_values().flatten().collect());
        browsers.insert(role, browser);
    }
    assert!(offered["read"].is_empty(), "a viewer is offered {:?}", offered["read"]);
    for (part, least) in [
        ("/approve", "operate"),
        ("/reject", "operate"),
        ("/revert", "operate"),
        ("/map", "operate"),
        ("/unmap", "operate"),
        ("/runs", "operate"),
        ("/test", "operate"),
        ("/dismiss", "operate"),
        ("/review", "operate"),
        ("/policy", "admin"),
        ("/policy/rules", "admin"),
        ("/policy/fields", "admin"),
        ("/policy/roles", "admin"),
        ("/policy/guard", "admin"),
        ("/remove", "admin"),
        ("/settings/tokens", "admin"),
        ("/settings/invite", "admin"),
    ] {
        let has = |role: &str| offered[role].iter().any(|action| action.ends_with(part));
        assert!(has("admin"), "an administrator is offered everything, also {part}: {:?}", offered["admin"]);
        assert_eq!(has("operate"), least == "operate", "{part} for an operator: {:?}", offered["operate"]);
    }
    // The server asks again: what is offered is let in (and then refused for its token), what is not is refused for the role.
    for (role, browser) in &mut browsers {
        for action in &offered["admin"] {
            let answer = browser.post_raw(action, &[("csrf", "made up")], &[]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{action} took a made-up token");
            let for_role = answer.text.contains("this needs the scope") || answer.text.contains("This needs the scope");
            assert_eq!(!for_role, offered[role].contains(action), "{action} for {role}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_why_there_is_nothing_to_press() {
    let app = App::start().await;
    let tenant = used(&app).await;
    let mut vera = app.somebody("read").await;
    for (path, reason) in [
        (format!("/tenants/{tenant}"), "Only an operator can start a run."),
        ("/connections/1".to_owned(), "Only an administrator can remove this connection."),
        (format!("/tenants/{tenant}/policy"), "Only an administrator can change the policy."),
        (format!("/tenants/{tenant}/policy/guard"), "Only an administrator can change the policy."),
        ("/review".to_owned(), "Only an operator can decide about these."),
        ("/runs/2/plan".to_owned(), "Only an operator can approve or reject it."),
    ] {
        let page = vera.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains(reason), "{path} does not say “{reason}”: {}", page.text);
        assert!(
            !page.text.contains("href=\"/settings\"") && !page.text.contains("href=\"/connect\""),
            "{path} leads where she may not go"
        );
    }
    for part in ["fields", "roles"] {
        let page = vera.get(&format!("/tenants/{tenant}/policy/{part}")).await;
        let controls =
            page.text.split(['<']).filter(|tag| ["input ", "select ", "textarea "].iter().any(|kind| tag.starts_with(kind)));
        let open: Vec<&str> = controls.filter(|tag| !tag.contains(" disabled") && !tag.contains("type=\"hidden\"")).collect();
        assert!(open.is_empty(), "{part}: {open:?}");
    }
    let guard = vera.get(&format!("/tenants/{tenant}/policy/guard")).await;
    assert!(
        guard.text.contains("<fieldset class=\"fields\" disabled aria-describedby=\"only\">")
            && guard.text.contains("id=\"only\"")
    );
}
