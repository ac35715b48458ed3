//! What the stories have in common: databases, one tenant under a lease, and short ways to say what a directory tells.

use model::directory::{Cursor, Event, Feed, GroupTold, MemberKind, Page, Removal, UserTold};
use model::plan::{Change, Decision, Effects, LinkState, Outcome, Standing, Verb};
use model::records::Fields;
use model::run::{RunKind, RunState};
use model::{Attributes, Field, Kind, RunId, SourceId, UserKey, Value};
use serde_json::json;
use store::{BatchOutcome, Care, Lease, NewTenant, PageCommit, PageStats, Pass, RunChange, Store, Tenant};

/// An instant; stories count from here, in milliseconds.
pub const NOW: i64 = 1_767_225_600_000;
/// A day.
pub const DAY: i64 = 24 * 60 * 60 * 1000;

/// Runs a story on each database.
pub async fn on_each<F: AsyncFnMut(Store)>(mut story: F) {
    for database in [testkit::databases::sqlite(), testkit::databases::postgres()] {
        let database = database.expect("a database for the test");
        let store = Store::open(database.url(), NOW).await.expect("a fresh database opens");
        story(store.clone()).await;
        store.close().await;
    }
}

/// Does something to a database behind the store's back.
pub async fn raw(url: &str, sql: &'static str) {
    use sqlx::Connection;
    match url.strip_prefix("sqlite://") {
        Some(path) => rusqlite::Connection::open(path).and_then(|c| c.execute_batch(sql)).expect("raw SQL"),
        None => {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
            sqlx::raw_sql(sql).execute(&mut connection).await.expect("raw SQL");
        }
    }
}

/// A tenant with a lease on it.
pub struct World {
    pub store: Store,
    pub tenant: Tenant,
    pub lease: Lease,
}

impl World {
    pub async fn new(store: Store) -> Self {
        let connection = store.add_connection("acme", "graph", &json!({}), NOW).await.expect("connection");
        let new = NewTenant {
            connection: connection.id,
            directory_id: "11111111-1111-1111-1111-111111111111".into(),
            domain: "acme.example".into(),
            name: "Acme".into(),
        };
        let tenant = store.add_tenant(&new, NOW).await.expect("tenant");
        let lease = store.acquire_lease(tenant.key, "test", NOW, DAY).await.expect("database").expect("a free lease");
        Self { store, tenant, lease }
    }

    /// Begins a round and tells it in one page.
    pub async fn round(&self, feed: Feed, full: bool, events: Vec<Event>) -> PageStats {
        let round = self.store.begin_round(&self.lease, feed, full).await.expect("round");
        let stats = self.page(feed, round, full, events).await;
        self.store.complete_round(&self.lease, feed, true, NOW).await.expect("end of round");
        stats
    }

    pub async fn page(&self, feed: Feed, round: i64, full: bool, events: Vec<Event>) -> PageStats {
        self.try_page(feed, round, full, Page { events, next: Cursor::Active("delta".into()) }).await.expect("page")
    }

    pub async fn try_page(&self, feed: Feed, round: i64, full: bool, page: Page) -> store::Result<PageStats> {
        let mut writing = self.store.write(&self.lease).await?;
        let stats = writing.page(PageCommit::new(feed, round, full, true, page)?).await?;
        writing.commit().await?;
        Ok(stats)
    }

    /// Source ids of the users who are due, sorted.
    pub async fn due(&self) -> Vec<String> {
        let none = std::collections::HashSet::new();
        let mut due = Vec::new();
        for facts in self.store.due_linked(self.tenant.key, i64::MAX, UserKey(0), 1000, &none).await.expect("due") {
            due.push(facts.id.to_string());
        }
        for facts in self.store.due_unlinked(self.tenant.key, i64::MAX, None, 1000, &none).await.expect("due") {
            due.push(facts.id.to_string());
        }
        due.sort();
        due
    }

    /// Nobody is due any more.
    pub async fn settle(&self) {
        let run = self.planning().await;
        self.store.begin_plan(&self.lease, run, NOW).await.expect("plan");
        self.store.settle_due(&self.lease, run).await.expect("settled");
        assert_eq!(self.due().await, Vec::<String>::new());
    }

    pub async fn key(&self, id: &str) -> UserKey {
        self.store.find_user(self.tenant.key, id).await.expect("database").expect("the user is known").key
    }

    /// A run that plans.
    pub async fn planning(&self) -> RunId {
        let run = self.store.create_run(self.tenant.key, RunKind::Full, false, "test", NOW).await.expect("run").id;
        for (from, to) in [(RunState::Queued, RunState::Collecting), (RunState::Collecting, RunState::Planning)] {
            self.store.advance_run(&self.lease, run, from, to, RunChange::default(), NOW).await.expect("advance");
        }
        run
    }

    /// Plans and applies decisions in one go.
    pub async fn apply(&self, decisions: Vec<Decision>) -> (RunId, BatchOutcome) {
        let run = self.plan(decisions).await;
        let outcome = self.apply_run(run, 2).await;
        (run, outcome)
    }

    pub async fn plan(&self, decisions: Vec<Decision>) -> RunId {
        let run = self.planning().await;
        self.store.begin_plan(&self.lease, run, NOW).await.expect("plan");
        self.keep(run, Pass::Unlinked, decisions, NOW).await;
        run
    }

    /// Stores decisions as planning does.
    pub async fn keep(&self, run: RunId, pass: Pass, decisions: Vec<Decision>, now: i64) {
        let mut writing = self.store.write(&self.lease).await.expect("writing");
        writing.decisions(run, "digest", pass, decisions, now).await.expect("stored");
        writing.commit().await.expect("committed");
    }

    pub async fn apply_run(&self, run: RunId, batch: i64) -> BatchOutcome {
        let (from, to) = (RunState::Planning, RunState::Applying);
        self.store.advance_run(&self.lease, run, from, to, RunChange::default(), NOW).await.expect("advance");
        let mut all = BatchOutcome::default();
        while let Some(one) = self.apply_next(run, batch).await.expect("applied") {
            all.applied += one.applied;
            all.failed += one.failed;
            all.held_back += one.held_back;
        }
        all
    }

    /// Applies the next changes of a run, or what is left once all are written; none when nothing is left.
    pub async fn apply_next(&self, run: RunId, batch: i64) -> store::Result<Option<BatchOutcome>> {
        match self.apply_with(run, batch, Care::Together).await {
            Err(error) if error.refuses_a_row() => self.apply_with(run, batch, Care::Singly).await,
            other => other,
        }
    }

    async fn apply_with(&self, run: RunId, batch: i64, care: Care) -> store::Result<Option<BatchOutcome>> {
        let pending = self.store.pending(run, self.store.applied_through(run).await?, batch).await?;
        let mut writing = self.store.write(&self.lease).await?;
        let outcome = if pending.is_empty() {
            (!writing.finish(run, batch, NOW).await?).then(BatchOutcome::default)
        } else {
            Some(writing.apply(run, pending, care, NOW).await?)
        };
        writing.commit().await?;
        Ok(outcome)
    }

    /// What the planner would say for a new contact.
    pub async fn create(&self, id: &str, set: Value) -> Decision {
        self.decide(id, Verb::Create, None, 0, set).await
    }

    pub async fn decide(&self, id: &str, verb: Verb, record: Option<i64>, version: i64, set: Value) -> Decision {
        let user = self.key(id).await;
        let set: Fields = serde_json::from_value(set).expect("fields");
        let change = Change {
            verb,
            kind: Kind::Contact,
            user,
            source_id: id.into(),
            record: record.map(model::PersonId),
            record_version: version,
            rule: Some(model::RuleId::new("everyone")),
            before: Fields::new(),
            set,
            reasons: Vec::new(),
            link: Some(LinkState { policy_digest: Some("stamp".into()), ..LinkState::default() }),
            unlink: None,
            new_site: None,
            effects: Effects::default(),
            stands_for: Vec::new(),
        };
        let mut decision = quiet(user, id);
        decision.changes.push(change);
        decision
    }
}

/// A decision that changes nothing.
pub fn quiet(user: UserKey, id: &str) -> Decision {
    Decision {
        user,
        source_id: id.into(),
        standing: Standing { outcome: Outcome::Synced, excluded_by: None, rule: Some(model::RuleId::new("everyone")) },
        reasons: Vec::new(),
        changes: Vec::new(),
        replaces: Vec::new(),
        bookings: Vec::new(),
        review: None,
        reports: Vec::new(),
        waits: Vec::new(),
    }
}

pub fn attributes(value: Value) -> Attributes {
    serde_json::from_value(value).expect("attributes")
}

pub fn user(id: &str, told: Value) -> Event {
    Event::User(UserTold { id: id.into(), attributes: attributes(told), manager: None })
}

pub fn named(id: &str) -> Event {
    user(id, json!({ "displayName": id, "userPrincipalName": format!("{id}@acme.example") }))
}

pub fn managed(id: &str, manager: Option<&str>) -> Event {
    let manager = Some(manager.map(SourceId::from));
    Event::User(UserTold { id: id.into(), attributes: attributes(json!({ "displayName": id })), manager })
}

pub fn gone(id: &str) -> Event {
    Event::UserRemoved { id: id.into(), removal: Removal::Soft }
}

pub fn group(id: &str, name: &str) -> Event {
    let created = Some("2020-01-01T00:00:00Z".to_owned());
    Event::Group(GroupTold { id: Some(id.into()), name: Some(name.into()), created })
}

pub fn member(group: &str, member: &str) -> Event {
    Event::MemberAdded { group: group.into(), member: member.into(), kind: MemberKind::User }
}

pub fn nested(outer: &str, inner: &str) -> Event {
    Event::MemberAdded { group: outer.into(), member: inner.into(), kind: MemberKind::Group }
}

pub fn left(group: &str, member: &str) -> Event {
    Event::MemberRemoved { group: group.into(), member: member.into() }
}

pub fn field(name: &str) -> Field {
    Field::new(name)
}

/// Adopts people, or tells what would happen.
pub async fn import(
    store: &Store,
    target: &str,
    people: Vec<store::ImportedPerson>,
    by: &str,
    dry: bool,
    now: i64,
) -> store::Result<store::ImportOutcome> {
    let mut import = store.begin_import(target, by, now).await?;
    let outcome = import.people(people).await?;
    if !dry {
        import.keep(&json!({ "created": outcome.created })).await?;
    }
    Ok(outcome)
}
