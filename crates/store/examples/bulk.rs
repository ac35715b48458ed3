//! How fast the store takes a directory in: `cargo run --release -p store --example bulk [ADDRESS] [USERS]`.
//!
//! Without an address a temporary SQLite file is used. Prints one line a step with rows a second.

use anyhow::Result;
use model::directory::{Cursor, Event, Feed, GroupTold, MemberKind, Page, UserTold};
use model::plan::{Change, Decision, Effects, LinkState, Outcome, Standing, Verb};
use model::run::{RunKind, RunState};
use model::{Attributes, Field, Kind, RuleId, SourceId, UserKey, Value};
use serde_json::json;
use std::collections::HashSet;
use std::time::Instant;
use store::{Care, NewTenant, PageCommit, Pass, RunChange, Store};

/// Users a page, as Graph tells them at most.
const PAGE: usize = 999;
/// Users a planning batch and changes an applying one.
const BATCH: i64 = 5_000;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = tempfile::tempdir()?;
    let url = arguments.next().unwrap_or_else(|| format!("sqlite://{}", folder.path().join("bulk.db").display()));
    let users: usize = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let store = Store::open(&url, 0).await?;
    println!("{}, {users} users", store.describe().await?);
    let connection = store.add_connection("bulk", "graph", &json!({}), 0).await?;
    let new = NewTenant { connection: connection.id, directory_id: "d".into(), domain: "x.example".into(), name: "Bulk".into() };
    let tenant = store.add_tenant(&new, 0).await?.key;
    let lease = store.acquire_lease(tenant, "bulk", 0, i64::MAX / 2).await?.ok_or_else(|| anyhow::anyhow!("no lease"))?;

    for step in ["users, first round", "users, unchanged full round"] {
        let round = store.begin_round(&lease, Feed::Users, true).await?;
        let mut spent = 0.0;
        for from in (0..users).step_by(PAGE) {
            let events = (from..(from + PAGE).min(users)).map(user).collect();
            let started = Instant::now();
            commit(&store, &lease, Feed::Users, round, events).await?;
            spent += started.elapsed().as_secs_f64();
        }
        let started = Instant::now();
        store.absentees(tenant, UserKey(0), 1000).await?;
        store.complete_round(&lease, Feed::Users, false, 0).await?;
        report(step, users, spent + started.elapsed().as_secs_f64());
    }
    let round = store.begin_round(&lease, Feed::Groups, true).await?;
    let mut spent = 0.0;
    for group in 0..500 {
        let started = Instant::now();
        commit(&store, &lease, Feed::Groups, round, edges(group, users)).await?;
        spent += started.elapsed().as_secs_f64();
    }
    report("memberships, first round", users * 2, spent);

    let run = store.create_run(tenant, RunKind::Full, false, "bulk", 0).await?.id;
    advance(&store, &lease, run, RunState::Queued, RunState::Collecting).await?;
    advance(&store, &lease, run, RunState::Collecting, RunState::Planning).await?;
    let started = Instant::now();
    let seq = store.begin_plan(&lease, run, 0).await?;
    let relevant: HashSet<_> = HashSet::new();
    let (mut reading, mut storing, mut after) = (0.0, 0.0, None::<SourceId>);
    loop {
        let began = Instant::now();
        let due = store.due_unlinked(tenant, seq, after.as_ref(), BATCH, &relevant).await?;
        reading += began.elapsed().as_secs_f64();
        let Some(last) = due.last() else { break };
        after = Some(last.id.clone());
        let decisions = due.iter().map(|u| create(u.key, &u.id, &u.attributes)).collect();
        let began = Instant::now();
        let mut writing = store.write(&lease).await?;
        writing.decisions(run, "digest", Pass::Unlinked, decisions, 0).await?;
        writing.commit().await?;
        storing += began.elapsed().as_secs_f64();
    }
    report("due users read", users, reading);
    report("decisions stored", users, storing);
    let began = Instant::now();
    store.weights(run, 0).await?;
    report("weighed", users, began.elapsed().as_secs_f64());
    advance(&store, &lease, run, RunState::Planning, RunState::Applying).await?;
    let began = Instant::now();
    let mut pending = store.pending(run, store.applied_through(run).await?, BATCH).await?;
    while !pending.is_empty() {
        let after = pending.through();
        let mut writing = store.write(&lease).await?;
        writing.apply(run, pending, Care::Together, 0).await?;
        writing.commit().await?;
        pending = store.pending(run, after, BATCH).await?;
    }
    let mut writing = store.write(&lease).await?;
    writing.finish(run, BATCH, 0).await?;
    writing.commit().await?;
    report("creates applied", users, began.elapsed().as_secs_f64());
    report("planned and applied", users, started.elapsed().as_secs_f64());
    store.close().await;
    Ok(())
}

fn report(step: &str, rows: usize, seconds: f64) {
    println!("{step:32} {seconds:7.3} s {:10.0} rows/s", rows as f64 / seconds);
}

async fn advance(store: &Store, lease: &store::Lease, run: model::RunId, from: RunState, to: RunState) -> Result<()> {
    Ok(store.advance_run(lease, run, from, to, RunChange::default(), 0).await?)
}

async fn commit(store: &Store, lease: &store::Lease, feed: Feed, round: i64, events: Vec<Event>) -> Result<()> {
    let next = Cursor::Page(format!("https://graph.example/delta?$skiptoken={}", "x".repeat(400)));
    let mut writing = store.write(lease).await?;
    writing.page(PageCommit::new(feed, round, true, false, Page { events, next })?).await?;
    Ok(writing.commit().await?)
}

/// Ids in no order, as directories have them.
fn id(n: usize) -> SourceId {
    let h = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SourceId::new(format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", h >> 32, h >> 16 & 0xffff, h >> 4 & 0xfff, h & 0xfff, n))
}

fn user(n: usize) -> Event {
    let name = format!("user{n}");
    let attributes: Vec<(&'static str, Value)> = vec![
        ("accountEnabled", json!(true)),
        ("assignedLicenses", json!([{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "disabledPlans": []}])),
        ("businessPhones", json!(["+44 20 7946 0000"])),
        ("city", json!("London")),
        ("companyName", json!("Acme")),
        ("country", json!("United Kingdom")),
        ("createdDateTime", json!("2020-01-01T00:00:00Z")),
        ("department", json!("Engineering")),
        ("displayName", json!(format!("Given{n} Family{n}"))),
        ("employeeId", json!(n.to_string())),
        ("givenName", json!(format!("Given{n}"))),
        ("jobTitle", json!("Analyst")),
        ("mail", json!(format!("{name}@acme.example"))),
        ("mailNickname", json!(name)),
        ("mobilePhone", json!("+44 7700 900000")),
        ("officeLocation", json!("B2")),
        ("otherMails", json!([])),
        ("preferredLanguage", json!("en-GB")),
        ("proxyAddresses", json!([format!("SMTP:{name}@acme.example"), format!("smtp:{name}@acme.onmicrosoft.example")])),
        ("surname", json!(format!("Family{n}"))),
        ("usageLocation", json!("GB")),
        ("userPrincipalName", json!(format!("{name}@acme.example"))),
        ("userType", json!("Member")),
    ];
    Event::User(UserTold { id: id(n), attributes: attributes.into_iter().collect(), manager: Some(Some(id(n / 8))) })
}

fn edges(group: usize, users: usize) -> Vec<Event> {
    let id_of = |n: usize| SourceId::new(format!("00000000-0000-4000-8000-{n:012}"));
    let told = GroupTold { id: Some(id_of(group)), name: Some(format!("Group {group}")), created: None };
    let member = |n: usize| Event::MemberAdded { group: id_of(group), member: id(n), kind: MemberKind::User };
    let members = (0..users * 2 / 500).map(|i| member((group * 7919 + i * 31) % users));
    std::iter::once(Event::Group(told)).chain(members).collect()
}

fn create(user: UserKey, source_id: &SourceId, attributes: &Attributes) -> Decision {
    let rule = RuleId::new("everyone");
    let set: model::Fields = [
        ("first_name", "givenName"),
        ("last_name", "surname"),
        ("email", "mail"),
        ("username", "mailNickname"),
        ("job_title", "jobTitle"),
        ("mobile", "mobilePhone"),
    ]
    .into_iter()
    .map(|(field, attribute)| (Field::new(field), attributes.get(attribute).clone()))
    .collect();
    let link = LinkState {
        applied_hash: Some(attributes.change_hash()),
        policy_digest: Some("digest".into()),
        rule: Some(rule.clone()),
        decided: set.clone(),
        deactivated_by: None,
        grace_since: None,
        enabled_applied: Some(true),
    };
    let reasons = vec![
        model::reason::Reason::RuleWon { rule: rule.clone(), name: "Everyone".into(), order: 10, group: None, via: Vec::new() },
        model::reason::Reason::NoMatch { keys: vec!["object_id".into(), "email".into()] },
    ];
    let change = Change {
        verb: Verb::Create,
        kind: Kind::Contact,
        user,
        source_id: source_id.clone(),
        record: None,
        record_version: 0,
        rule: Some(rule.clone()),
        before: model::Fields::new(),
        set,
        reasons,
        link: Some(link),
        unlink: None,
        new_site: None,
        effects: Effects::default(),
        stands_for: Vec::new(),
    };
    Decision {
        user,
        source_id: source_id.clone(),
        standing: Standing { outcome: Outcome::Synced, excluded_by: None, rule: Some(rule) },
        reasons: Vec::new(),
        changes: vec![change],
        replaces: Vec::new(),
        bookings: Vec::new(),
        review: None,
        reports: Vec::new(),
        waits: Vec::new(),
    }
}
