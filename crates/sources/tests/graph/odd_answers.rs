//! What Graph and the identity platform answer when things go wrong, and what becomes of it. Each server is written by hand, from the
//! documented and the observed forms.

use crate::support::{APP, Answer, Pretend, SECRET, World, aadsts, answer, connection, error, kind_of, token};
use model::SourceId;
use model::directory::{Cursor, Event, Feed};
use serde_json::{Value, json};
use sources::{Asks, PermissionState, Priority, Select, Source, SourceError};
use std::time::Duration;

fn last_page(seen_url: &str) -> Value {
    json!({"value": [{"id": "u1", "surname": "Byron"}], "@odata.deltaLink": format!("{seen_url}/v1.0/users/delta?$deltatoken=d1")})
}

/// A page of one user whose link leads back to the server.
fn page_of(home: &str, next: &str) -> Answer {
    answer(200, &json!({"value": [{"id": "u1"}], next: format!("{home}/v1.0/users/delta?$token=x")}))
}

async fn users(source: &Source, cursor: &Cursor) -> Result<model::directory::Page, SourceError> {
    source.page(Feed::Users, cursor, &Select::default()).await
}

fn link_of(pretend: &Pretend) -> Cursor {
    Cursor::Active(format!("{}/v1.0/users/delta?$deltatoken=old", pretend.url))
}

#[tokio::test]
async fn each_sign_in_refusal_is_what_a_person_can_do_about_it() {
    for (status, oauth, number, kind) in [
        (401, "invalid_client", 7_000_215, "wrong_secret"),
        (401, "invalid_client", 7_000_218, "wrong_secret"),
        (401, "invalid_client", 7_000_222, "secret_expired"),
        (400, "unauthorized_client", 700_016, "app_not_in_tenant"),
        (400, "unauthorized_client", 7_000_112, "app_disabled"),
        (400, "invalid_request", 90_002, "tenant_not_found"),
        (400, "invalid_tenant", 90_002, "tenant_not_found"),
        (400, "invalid_grant", 65_001, "consent_missing"),
        (400, "invalid_resource", 500_011, "token_rejected"),
        (400, "invalid_scope", 70_011, "token_rejected"),
        // Numbers come and go; what OAuth calls a refusal stays.
        (401, "invalid_client", 7_000_299, "wrong_secret"),
        (400, "unauthorized_client", 7_000_399, "app_not_in_tenant"),
    ] {
        let pretend = Pretend::start(move |_, _| aadsts(status, oauth, number)).await;
        assert_eq!(kind_of(pretend.source().organization().await), kind, "AADSTS{number}");
        assert_eq!(pretend.tokens(), 1, "a refusal is not asked for twice");
        assert_eq!(pretend.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_refusal_is_understood_by_what_of_it_is_as_documented() {
    for (body, kind) in [
        (json!({"error": "invalid_client", "error_description": null, "error_codes": ["7000222"]}), "secret_expired"),
        (json!({"error": "invalid_grant", "error_codes": null, "suberror": "consent_required"}), "consent_missing"),
        (json!({"error": "invalid_client", "error_description": "AADSTS7000215: No.", "error_codes": [-1]}), "wrong_secret"),
        (json!({"error": 5, "error_codes": [7_000_215]}), "not_graph"),
    ] {
        let pretend = Pretend::start(move |_, _| answer(401, &body)).await;
        assert_eq!(kind_of(pretend.source().organization().await), kind);
    }
}

#[tokio::test]
async fn an_expired_secret_says_where_to_make_a_new_one() {
    let pretend = Pretend::start(|_, _| aadsts(401, "invalid_client", 7_000_222)).await;
    let error = pretend.source().organization().await.expect_err("an error");
    let text = error.to_string();
    assert!(text.contains("Certificates & secrets") && text.contains(APP) && text.contains("rollcall secrets set"), "{text}");
    assert_eq!(error.trace().and_then(|t| t.request_id.as_deref()), Some("t-1"));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_busy_sign_in_is_asked_again() {
    let pretend = Pretend::start(|seen, nth| match (seen.is_token(), nth) {
        (true, 0) => aadsts(503, "temporarily_unavailable", 90_033),
        (true, 1) => Answer::text(504, "").with("retry-after", "3"),
        (true, n) => token(n, 3599, &[]),
        (false, _) => answer(200, &json!({"value": [{"id": "T", "displayName": "Contoso"}]})),
    })
    .await;
    let world = World::new();
    let organization = world.source(pretend.connection()).organization().await.expect("an organization");
    assert_eq!((organization.id.as_str(), organization.display_name.as_str()), ("T", "Contoso"));
    assert_eq!(pretend.tokens(), 3);
    assert!(world.waited() >= 3.0);
}

#[tokio::test]
async fn what_is_not_the_identity_platform_is_said_to_be_so() {
    for odd in [
        Answer::text(200, "<html>Welcome to the hotel</html>"),
        Answer::text(404, "nothing here"),
        answer(200, &json!({"access_token": "x"})),
        answer(200, &json!({"access_token": "x", "expires_in": 0})),
        answer(200, &json!({"access_token": "", "expires_in": 3599})),
        answer(200, &json!({"access_token": "a\r\nx-other: b", "expires_in": 3599})),
        Answer::text(302, "").with("location", "http://127.0.0.1:1/elsewhere"),
    ] {
        let pretend = Pretend::start(move |_, _| odd.clone()).await;
        assert_eq!(kind_of(pretend.source().organization().await), "not_graph");
    }
}

#[tokio::test]
async fn a_page_needs_exactly_one_link_that_stays_at_home() {
    for (next, kind) in [
        (json!({}), "not_graph"),
        (json!({"@odata.nextLink": "HOME/a", "@odata.deltaLink": "HOME/b"}), "not_graph"),
        (json!({"@odata.nextLink": "http://evil.example/v1.0/users/delta?$skiptoken=1"}), "foreign_link"),
        (json!({"@odata.deltaLink": "http://localhost:1/v1.0/users/delta"}), "foreign_link"),
        (json!({"@odata.deltaLink": "HOME@evil.example/"}), "foreign_link"),
        (json!({"@odata.deltaLink": ""}), "foreign_link"),
    ] {
        let pretend = Pretend::graph(move |seen, _| {
            let mut page = next.clone();
            page["value"] = json!([]);
            Answer::text(200, &page.to_string().replace("HOME", &seen.home))
        })
        .await;
        assert_eq!(kind_of(users(&pretend.source(), &Cursor::Refresh).await), kind);
    }
}

#[tokio::test]
async fn a_stored_link_to_elsewhere_is_not_followed() {
    let pretend = Pretend::graph(|_, _| answer(200, &json!({}))).await;
    let elsewhere = Cursor::Active("https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x".to_owned());
    let error = users(&pretend.source(), &elsewhere).await.expect_err("an error");
    assert!(error.to_string().contains("a link to https://graph.microsoft.com was given"), "{error}");
    assert_eq!(error.kind(), "foreign_link");
    assert_eq!((pretend.requests().len(), pretend.tokens()), (0, 0));
}

#[tokio::test]
async fn garbage_is_shown_escaped_and_short() {
    for odd in [
        Answer::text(200, "<html>\u{1b}[31mlogin to continue</html>"),
        Answer::text(200, ""),
        answer(200, &json!({"@odata.deltaLink": "x"})),
        answer(200, &json!({"value": "none"})),
        answer(200, &json!({"value": [{"displayName": "no id"}], "@odata.deltaLink": "x"})),
        Answer::text(404, "<html>no such page</html>"),
        Answer::text(407, "proxy authentication required"),
        Answer::text(403, "blocked by the firewall"),
        Answer::text(301, "").with("location", "http://127.0.0.1:1/"),
    ] {
        let pretend = Pretend::graph(move |_, _| odd.clone()).await;
        let result = users(&pretend.source(), &Cursor::Refresh).await;
        let text = result.as_ref().expect_err("an error").to_string();
        assert!(!text.contains('\u{1b}') && text.len() < 600, "{text}");
        assert_eq!(kind_of(result), "not_graph");
        assert_eq!(pretend.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_lost_position_is_told_as_such_in_every_known_form() {
    for odd in [
        Answer::text(410, "").with("location", "http://127.0.0.1/v1.0/users/delta?$deltatoken="),
        error(400, "syncStateNotFound", "The sync state generation is not found."),
        error(400, "SYNCSTATENOTFOUND", "The sync state generation is not found."),
        error(410, "resyncRequired", "Resync required."),
        error(409, "resyncRequired", "Resync required."),
        error(400, "Request_UnsupportedQuery", "DeltaLink older than 30 days is not supported."),
        error(400, "Request_UnsupportedQuery", "Sync must reach steady state within 30 days."),
        error(400, "Directory_ExpiredPageToken", "The specified page token value has expired."),
        error(404, "Request_ResourceNotFound", "Resource does not exist."),
    ] {
        let pretend = Pretend::graph(move |_, _| odd.clone()).await;
        let source = pretend.source();
        let Cursor::Active(link) = link_of(&pretend) else { unreachable!() };
        assert_eq!(kind_of(users(&source, &Cursor::Active(link.clone())).await), "resync");
        assert_eq!(kind_of(users(&source, &Cursor::Page(link)).await), "resync");
        // The same words to a first request say nothing about a position: there is none to lose.
        assert_ne!(kind_of(users(&source, &Cursor::Refresh).await), "resync");
    }
}

#[tokio::test]
async fn a_proxy_in_between_does_not_cost_the_position() {
    for status in [400, 404] {
        let pretend = Pretend::graph(move |_, _| Answer::text(status, "<html>no such site</html>")).await;
        assert_eq!(kind_of(users(&pretend.source(), &link_of(&pretend)).await), "not_graph");
    }
}

#[tokio::test]
async fn a_token_that_graph_does_not_take_is_replaced_once() {
    let pretend =
        Pretend::graph(|_, _| error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."))
            .await;
    assert_eq!(kind_of(pretend.source().organization().await), "token_rejected");
    assert_eq!((pretend.tokens(), pretend.requests().len()), (1, 1), "a token got a moment ago is not replaced");
    let world = World::new();
    let pretend = Pretend::graph(|seen, nth| match nth {
        0 => answer(200, &json!({"value": [{"id": "t"}]})),
        _ if seen.bearer.ends_with(".0") => error(401, "InvalidAuthenticationToken", "Access token has expired."),
        _ => answer(200, &json!({"value": [{"id": "t"}]})),
    })
    .await;
    let source = world.source(pretend.connection());
    source.organization().await.expect("the first answer");
    source.organization().await.expect("an answer with another token");
    assert_eq!((pretend.tokens(), pretend.requests().len()), (2, 3));
}

#[tokio::test]
async fn fresh_consent_shows_in_a_new_token_and_missing_consent_is_named() {
    let denied = || error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    let world = World::new();
    let pretend = Pretend::start(move |seen, nth| match seen.is_token() {
        true => token(nth, 3599, if nth == 1 { &["GroupMember.Read.All"] } else { &[] }),
        false if seen.path.ends_with("/organization") => answer(200, &json!({"value": [{"id": "t"}]})),
        false if seen.path.ends_with("/groups/delta") && seen.bearer.ends_with(".1") => {
            answer(200, &json!({"value": [], "@odata.deltaLink": format!("{}/v1.0/groups/delta?$deltatoken=1", seen.home)}))
        }
        false => denied(),
    })
    .await;
    let source = world.source(pretend.connection());
    source.organization().await.expect("an organization");
    source.page(Feed::Groups, &Cursor::Refresh, &Select::default()).await.expect("a page, with the new token");
    assert_eq!(pretend.tokens(), 2);
    let error = source.page(Feed::Users, &Cursor::Refresh, &Select::default()).await.expect_err("an error");
    assert!(matches!(error, SourceError::ConsentMissing { permission: "User.Read.All", .. }), "{error:?}");
    assert_eq!(kind_of::<()>(Err(error)), "consent_missing");
}

#[tokio::test]
async fn a_refusal_in_spite_of_the_permission_is_another_thing() {
    let pretend = Pretend::start(|seen, nth| {
        if seen.is_token() { token(nth, 3599, &["Directory.Read.All"]) } else { error(403, "Authorization_RequestDenied", "No.") }
    })
    .await;
    assert_eq!(kind_of(users(&pretend.source(), &Cursor::Refresh).await), "permission_denied");
}

#[tokio::test]
async fn retry_after_is_honoured_and_has_an_end() {
    let world = World::new();
    let pretend = Pretend::graph(|_, nth| match nth {
        0 => error(429, "TooManyRequests", "Slow down.").with("retry-after", "7"),
        _ => answer(200, &json!({"value": [{"id": "t"}]})),
    })
    .await;
    let source = world.source(pretend.connection());
    source.organization().await.expect("an organization");
    assert!((7.0..8.5).contains(&world.waited()), "{}", world.waited());
    let stats = source.stats();
    assert_eq!((stats.throttled, stats.retries, stats.requests["organization"], stats.requests["token"]), (1, 1, 2, 1));

    let pretend = Pretend::graph(|_, _| error(429, "TooManyRequests", "Slow down.").with("retry-after", "3600")).await;
    let source = pretend.source();
    for _ in 0..2 {
        let error = source.organization().await.expect_err("an error");
        assert!(
            matches!(error, SourceError::Throttled { retry_after, .. } if retry_after == Duration::from_secs(3600)),
            "{error:?}"
        );
        assert!(error.is_retryable());
        assert_eq!(pretend.requests().len(), 1, "the second is not even sent");
    }
}

#[tokio::test]
async fn a_proxys_date_is_a_retry_after_too_and_no_figure_closes_a_tenant_for_ever() {
    let world = World::new();
    let pretend = Pretend::graph(|_, nth| match nth {
        // By the clock of whoever says so: it is five hours ahead of ours here.
        0 => Answer::text(503, "")
            .with("date", "Thu, 01 Jan 2026 05:00:00 GMT")
            .with("retry-after", "Thu, 01 Jan 2026 05:00:09 GMT"),
        1 => Answer::text(429, "").with("retry-after", "Wed, 31 Dec 2025 23:59:59 GMT"),
        2 => answer(200, &json!({"value": [{"id": "t"}]})).with("x-ms-resource-unit", "4294967295"),
        3 => answer(200, &json!({"value": [{"id": "t"}]})),
        4 => Answer::text(429, "").with("retry-after", "1"),
        _ => Answer::text(429, "").with("retry-after", "18446744073709551615"),
    })
    .await;
    let source = world.source(pretend.connection());
    source.organization().await.expect("an answer after both dates");
    assert!((9.0..13.0).contains(&world.waited()), "{}", world.waited());
    source.organization().await.expect("an answer: no request costs four billion units");
    let error = source.organization().await.expect_err("an error");
    assert!(matches!(error, SourceError::Throttled { retry_after, .. } if retry_after == Duration::from_secs(3600)), "{error:?}");
}

#[tokio::test]
async fn what_microsoft_said_stands_in_the_error_and_a_body_with_both_inner_parts_is_read() {
    let both = json!({"error": {"code": "BadRequest", "message": "Could not find a property named 'extension_x'.",
        "innerError": {"request-id": "r-1"}, "innererror": {"client-request-id": "c-1"}}});
    let pretend = Pretend::graph(move |_, _| answer(400, &both)).await;
    let error = pretend.source().organization().await.expect_err("an error");
    assert_eq!(error.kind(), "server");
    assert!(error.to_string().contains("(“Could not find a property named"), "{error}");
    assert_eq!(error.trace().and_then(|t| t.client_request_id.clone()).as_deref(), Some("c-1"));
}

#[tokio::test]
async fn req_f08_a_tenant_without_a_premium_licence_is_told_so_and_asked_once() {
    let pretend = Pretend::graph(|_, _| {
        error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C nor P1.")
    })
    .await;
    assert_eq!(kind_of(pretend.source().sign_ins(None).await), "needs_premium");
    assert_eq!((pretend.tokens(), pretend.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_list_that_leads_in_a_circle_is_left() {
    let pretend = Pretend::graph(|seen, nth| {
        let next = format!("{}/v1.0/x?$skiptoken={}", seen.home, nth % 3);
        answer(200, &json!({"value": [{"id": "a"}], "@odata.nextLink": next}))
    })
    .await;
    assert_eq!(kind_of(pretend.source().deleted_users(&["b".into()]).await), "endless");
    assert!(pretend.requests().len() < 12, "{}", pretend.requests().len());
}

#[tokio::test]
async fn without_retry_after_pauses_grow_until_it_is_given_up() {
    for status in [429, 500, 502, 503, 504, 509] {
        let world = World::new();
        let pretend = Pretend::graph(move |_, _| Answer::text(status, "")).await;
        let error = world.source(pretend.connection()).organization().await.expect_err("an error");
        assert_eq!(error.kind(), if status == 429 { "throttled" } else { "server" });
        assert!(error.is_retryable());
        assert_eq!(pretend.requests().len(), 6, "{status}");
        assert!((7.0..20.0).contains(&world.waited()), "{}", world.waited());
    }
}

#[tokio::test]
async fn a_page_that_ends_too_early_is_asked_for_again() {
    let pretend = Pretend::graph(|seen, nth| {
        let whole = last_page(&seen.home).to_string();
        Answer::text(200, if nth == 0 { &whole[..whole.len() / 2] } else { &whole })
    })
    .await;
    let source = pretend.source();
    let page = users(&source, &Cursor::Refresh).await.expect("a page");
    assert_eq!(page.events.len(), 1);
    assert_eq!(source.stats().retries, 1);
}

#[tokio::test]
async fn the_first_page_asks_for_the_read_set_and_later_ones_only_follow() {
    let pretend = Pretend::graph(|seen, _| {
        page_of(&seen.home, if seen.query.contains("$select") { "@odata.nextLink" } else { "@odata.deltaLink" })
    })
    .await;
    let world = World::new();
    let source = world.source(pretend.connection()).with_priority(Priority::Person);
    let select = Select::with_extensions(["extension_0a_costCentre".to_owned()]).expect("an extension");
    let first = source.page(Feed::Users, &Cursor::Refresh, &select).await.expect("a page");
    assert!(matches!(first.next, Cursor::Page(_)));
    let second = source.page(Feed::Users, &first.next, &select).await.expect("a page");
    assert!(matches!(second.next, Cursor::Active(_)));
    let requests = pretend.requests();
    assert!(
        requests[0].query.starts_with("$select=accountEnabled,")
            && requests[0].query.ends_with(",extension_0a_costCentre,manager")
    );
    assert_eq!(requests[1].query, "$token=x");
    assert!(requests.iter().all(|r| r.path == "/v1.0/users/delta" && r.high_priority && r.method == "GET"));
}

#[tokio::test]
async fn tokens_are_kept_renewed_in_time_and_not_shared_between_secrets() {
    let pretend =
        Pretend::start(
            |seen, nth| {
                if seen.is_token() { token(nth, 3600, &[]) } else { answer(200, &json!({"value": [{"id": "t"}]})) }
            },
        )
        .await;
    let world = World::new();
    let source = world.source(pretend.connection());
    for _ in 0..3 {
        source.organization().await.expect("an organization");
    }
    assert_eq!(pretend.tokens(), 1);
    world.clock.advance(jiff::SignedDuration::from_mins(54));
    source.organization().await.expect("an organization");
    assert_eq!(pretend.tokens(), 1);
    world.clock.advance(jiff::SignedDuration::from_mins(2));
    source.organization().await.expect("an organization");
    assert_eq!(pretend.tokens(), 2, "renewed before the hour is over");
    world
        .source(connection(&pretend.url, "contoso.example", APP, "another secret"))
        .organization()
        .await
        .expect("an organization");
    assert_eq!(pretend.tokens(), 3, "a token got with another secret says nothing about this one");
}

#[tokio::test]
async fn many_who_need_a_token_at_once_ask_for_one() {
    let pretend = Pretend::graph(|_, _| answer(200, &json!({"value": [{"id": "t"}]}))).await;
    let world = World::new();
    let source = world.source(pretend.connection());
    let all = futures::future::join_all((0..20).map(|_| source.organization())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((pretend.tokens(), pretend.requests().len()), (1, 20));
}

#[tokio::test]
async fn nobody_listening_is_said_after_three_tries() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    };
    let world = World::new();
    let source = world.source(connection(&format!("http://127.0.0.1:{port}"), "contoso.example", APP, SECRET));
    let error = source.organization().await.expect_err("an error");
    assert!(error.to_string().starts_with(&format!("127.0.0.1:{port} cannot be reached (")), "{error}");
    assert_eq!(kind_of::<()>(Err(error)), "unreachable");
    assert!(world.waited() < 3.0);
}

#[tokio::test]
async fn deleted_users_are_looked_for_page_by_page_and_no_further_than_needed() {
    let pretend = Pretend::graph(|seen, _| {
        let next = format!("{}/v1.0/directory/deletedItems/microsoft.graph.user?$skiptoken=", seen.home);
        answer(
            200,
            &match seen.query.as_str() {
                "$select=id&$top=999" => json!({"value": [{"id": "A"}, {"id": "b"}], "@odata.nextLink": format!("{next}2")}),
                "$skiptoken=2" => json!({"value": [{"id": "c"}], "@odata.nextLink": format!("{next}3")}),
                _ => json!({"value": [{"id": "d"}]}),
            },
        )
    })
    .await;
    let source = pretend.source();
    let ids = |names: &[&str]| names.iter().map(|n| SourceId::new(*n)).collect::<Vec<_>>();
    assert_eq!(source.deleted_users(&ids(&["c", "A"])).await.expect("an answer"), ids(&["A", "c"]));
    assert_eq!(pretend.requests().len(), 2);
    assert_eq!(source.deleted_users(&ids(&["d", "z"])).await.expect("an answer"), ids(&["d"]));
    assert_eq!(pretend.requests().len(), 5);
    assert_eq!(source.deleted_users(&[]).await.expect("an answer"), []);
    assert_eq!(pretend.requests().len(), 5);
}

#[tokio::test]
async fn req_c13_f08_assignments_and_sign_ins_are_read_page_by_page() {
    let pretend = Pretend::graph(|seen, _| {
        let next = format!("{}/v1.0/more?$skiptoken=2", seen.home);
        answer(
            200,
            &match seen.query.as_str() {
                "$top=999" => json!({"value": [
                    {"principalId": "U1", "principalType": "User"},
                    {"principalId": "g1", "principalType": "Group"},
                    {"principalId": "s1", "principalType": "ServicePrincipal"},
                ], "@odata.nextLink": next}),
                "$select=id,signInActivity&$top=500" => json!({"value": [
                    {"id": "u1", "signInActivity": {"lastSignInDateTime": "2026-01-01T00:00:00Z"}},
                    {"id": "u2"},
                ]}),
                _ => json!({"value": [{"principalId": "u2", "principalType": "User"}]}),
            },
        )
    })
    .await;
    let source = pretend.source();
    let (first, next) = source.app_assigned(None).await.expect("an answer");
    assert_eq!(first, [sources::Assigned::User("U1".into()), sources::Assigned::Group("g1".into())]);
    let (second, last) = source.app_assigned(next.as_deref()).await.expect("an answer");
    assert_eq!((second, last), (vec![sources::Assigned::User("u2".into())], None));
    assert!(pretend.requests()[0].path.contains("appRoleAssignedTo"), "{:?}", pretend.requests()[0].path);
    let (told, last) = source.sign_ins(None).await.expect("an answer");
    let at = json!({"lastSignInDateTime": "2026-01-01T00:00:00Z"});
    assert_eq!((told, last), (vec![("u1".into(), at), ("u2".into(), serde_json::Value::Null)], None));
}

#[tokio::test]
async fn a_deleted_users_listing_that_expires_is_begun_again_once() {
    let pretend = Pretend::graph(|seen, nth| match (seen.query.contains("$skiptoken"), nth) {
        (true, 1) => error(400, "Directory_ExpiredPageToken", "The specified page token value has expired."),
        (true, _) => answer(200, &json!({"value": [{"id": "b"}]})),
        (false, _) => {
            answer(200, &json!({"value": [{"id": "a"}], "@odata.nextLink": format!("{}/v1.0/x?$skiptoken=1", seen.home)}))
        }
    })
    .await;
    let found = pretend.source().deleted_users(&["a".into(), "b".into()]).await.expect("an answer");
    assert_eq!(found, ["a".into(), "b".into()]);
    assert_eq!(pretend.requests().len(), 4);
}

fn states(checks: &[sources::PermissionCheck]) -> Vec<(&str, bool, PermissionState)> {
    checks.iter().map(|c| (c.permission.as_str(), c.mandatory, c.state)).collect()
}

#[tokio::test]
async fn the_connection_test_names_exactly_what_is_missing() {
    let pretend = Pretend::start(|seen, nth| {
        if seen.is_token() {
            return token(nth, 3599, &["User.Read.All", "Group.Read.All", "Mail.Read"]);
        }
        answer(200, &json!({"value": []}))
    })
    .await;
    let source = pretend.source();
    let checks = source.check(Asks::default()).await.expect("an answer");
    assert_eq!(
        states(&checks),
        [
            ("User.Read.All", true, PermissionState::Granted),
            ("GroupMember.Read.All", true, PermissionState::Granted),
            ("Organization.Read.All", false, PermissionState::Missing),
            ("Mail.Read", false, PermissionState::NotNeeded),
        ]
    );
    assert_eq!(checks[1].detail, "through Group.Read.All");
    assert!(checks[2].detail.contains("add Organization.Read.All") && checks[2].detail.contains("Grant admin consent"));
    assert_eq!(pretend.requests().len(), 2, "what the token does not allow is not asked");
    // A second test never judges by the old token, because consent shows only in a new one.
    source.check(Asks::default()).await.expect("an answer");
    assert_eq!(pretend.tokens(), 2);
}

#[tokio::test]
async fn the_connection_test_believes_graph_more_than_the_token() {
    let pretend = Pretend::start(|seen, _| match seen.path.as_str() {
        p if p.ends_with("/token") => {
            answer(200, &json!({"token_type": "Bearer", "expires_in": "3599", "access_token": "opaque"}))
        }
        "/v1.0/users" => answer(200, &json!({"value": [{"id": "u"}]})),
        _ => error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    })
    .await;
    let checks = pretend.source().check(Asks::default()).await.expect("an answer");
    assert_eq!(
        states(&checks),
        [
            ("User.Read.All", true, PermissionState::Granted),
            ("GroupMember.Read.All", true, PermissionState::Missing),
            ("Organization.Read.All", false, PermissionState::Missing),
        ]
    );
}

#[tokio::test]
async fn licences_and_their_plans_are_read() {
    let pretend = Pretend::graph(|seen, _| {
        assert_eq!(seen.path, "/v1.0/subscribedSkus");
        answer(200, &json!({"value": [{"skuId": "s", "skuPartNumber": "SPE_E3", "capabilityStatus": "Enabled",
            "servicePlans": [{"servicePlanId": "p", "servicePlanName": "EXCHANGE_S_ENTERPRISE", "provisioningStatus": "Success"}]}]}))
    })
    .await;
    let skus = pretend.source().subscribed_skus().await.expect("licences");
    assert_eq!(
        (skus[0].sku_part_number.as_str(), skus[0].service_plans[0].service_plan_name.as_str()),
        ("SPE_E3", "EXCHANGE_S_ENTERPRISE")
    );
}

#[tokio::test]
async fn events_arrive_in_the_order_of_the_page() {
    let pretend = Pretend::graph(|seen, _| {
        let link = format!("{}/v1.0/users/delta?$deltatoken=d", seen.home);
        answer(200, &json!({"value": [{"id": "u", "surname": "A"}, {"id": "u", "@removed": {"reason": "changed"}}, {"id": "u", "surname": "B"}],
            "@odata.deltaLink": link}))
    })
    .await;
    let page = users(&pretend.source(), &Cursor::Refresh).await.expect("a page");
    assert!(
        matches!(page.events.as_slice(), [Event::User(_), Event::UserRemoved { .. }, Event::User(last)] if last.attributes.text("surname") == Some("B"))
    );
}
