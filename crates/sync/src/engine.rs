//! The engine: everything a command, a page or an API call can ask for goes through it.

use crate::error::{Error, Result};
use crate::progress::{Progress, Teller};
use crate::usecases::connections::ConnectionSettings;
use model::run::{RunKind, RunState};
use model::{Clock, RunId};
use sources::{Graph, GraphConnection, Select, Source};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{Connection, Lease, MasterKey, Run, Store, Tenant};
use tokio::sync::Notify;

/// How the engine works in this process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Microsoft Graph, where a connection names none.
    pub graph_url: String,
    /// The identity platform, where a connection names none.
    pub login_url: String,
    /// How long a hold on a tenant lasts without a sign of life.
    pub lease: Duration,
    /// How often a scheduled tenant is read.
    pub interval: Duration,
    /// Tenants side by side.
    pub workers: usize,
    /// This process, unlike any other that may work on the same database.
    pub holder: String,
}

/// The engine. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Store,
    key: Mutex<MasterKey>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    graph: Arc<Graph>,
    /// Sources by connection with the settings they were made from, so that tokens and quotas outlive a run.
    sources: Mutex<HashMap<i64, (String, Source)>>,
    /// Rings when a run was queued in this process, so that a worker need not wait for its next look.
    queued: Notify,
}

impl Engine {
    /// Puts the engine together. `seed` is chance from the system: it spreads retries and names requests.
    #[must_use]
    pub fn new(store: Store, key: MasterKey, clock: Arc<dyn Clock>, settings: Settings, seed: u64) -> Self {
        let surroundings = sources::Surroundings::new(clock.clone(), Arc::new(sources::TokioPause), seed);
        let graph = Graph::new(surroundings);
        let (key, sources, queued) = (Mutex::new(key), Mutex::new(HashMap::new()), Notify::new());
        Self(Arc::new(Inner { store, key, clock, settings, graph, sources, queued }))
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The clock everything goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// How the engine works in this process.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn key(&self) -> MasterKey {
        self.0.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace_key(&self, key: MasterKey) {
        *self.0.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(crate) fn queued(&self) -> &Notify {
        &self.0.queued
    }

    /// The source a connection leads to. It is kept, with its tokens, until the connection's settings or secret change.
    pub(crate) async fn source(&self, connection: &Connection) -> Result<Source> {
        let settings = ConnectionSettings::of(connection)?;
        let secret = self.secret_of(connection).await?;
        let made_from = format!("{}\u{0}{}", connection.settings, settings.secret_set_at);
        let mut sources = self.0.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, source)) = sources.get(&connection.id)
            && *from == made_from
        {
            return Ok(source.clone());
        }
        let source = Source::Graph(self.0.graph.source(self.graph_connection(&settings, secret))?);
        sources.insert(connection.id, (made_from, source.clone()));
        Ok(source)
    }

    /// A source for settings that are not stored (yet).
    pub(crate) fn graph_connection(&self, settings: &ConnectionSettings, secret: secrecy::SecretString) -> GraphConnection {
        GraphConnection {
            graph_url: settings.graph_url.clone().unwrap_or_else(|| self.0.settings.graph_url.clone()),
            login_url: settings.login_url.clone().unwrap_or_else(|| self.0.settings.login_url.clone()),
            tenant: settings.tenant.clone(),
            client_id: settings.client_id.clone(),
            secret,
        }
    }

    pub(crate) fn new_source(&self, connection: GraphConnection) -> Result<Source> {
        Ok(Source::Graph(self.0.graph.source(connection)?))
    }

    pub(crate) fn forget_source(&self, connection: i64) {
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }
}

/// One run being worked on: the hold on its tenant, and what its stages share.
pub(crate) struct Job {
    pub engine: Engine,
    pub store: Store,
    pub tenant: Tenant,
    pub lease: Lease,
    pub run: RunId,
    pub kind: RunKind,
    pub source: Source,
    pub select: Select,
    pub teller: Teller,
    /// Users read so far.
    pub read: i64,
    /// Whether anybody of the tenant was decided on before: until then everyone is due anyway.
    pub planned_before: bool,
    /// The groups that rules name, as the plan found them, once it was made here.
    pub rule_groups: Option<Vec<store::RuleGroup>>,
    told_at: i64,
}

/// Renews a tenant's hold for as long as it lives: reading may have to wait for minutes, and a page or a batch takes what it takes.
pub(crate) struct Heartbeat(tokio::task::JoinHandle<()>);

impl Heartbeat {
    pub(crate) fn start(engine: &Engine, lease: &Lease) -> Self {
        let (engine, lease) = (engine.clone(), lease.clone());
        Self(tokio::spawn(async move {
            let ttl = lease_ms(engine.settings());
            loop {
                tokio::time::sleep(engine.settings().lease / 3).await;
                // A lost hold is told by the next write of the run itself, which is the one that must stop.
                if let Err(error) = engine.store().renew_lease(&lease, engine.now(), ttl).await {
                    tracing::warn!(tenant = %lease.tenant, "the hold on the tenant could not be renewed: {error}");
                }
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How often a run's progress is kept for others to see, milliseconds: often enough to look alive.
const TELL_EVERY: i64 = 500;

impl Job {
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own, and this is their only meeting place")]
    pub(crate) fn new(
        engine: Engine,
        tenant: Tenant,
        lease: Lease,
        run: &Run,
        source: Source,
        select: Select,
        teller: Teller,
        planned_before: bool,
    ) -> Self {
        Self {
            store: engine.store().clone(),
            engine,
            tenant,
            lease,
            run: run.id,
            kind: run.kind,
            source,
            select,
            teller,
            read: 0,
            planned_before,
            rule_groups: None,
            told_at: 0,
        }
    }

    /// Tells progress to whoever listens in this process; gives it back now and then to be kept in the database, for the pages.
    pub(crate) fn tell(&mut self, state: RunState, done: i64, of: Option<i64>) -> Option<serde_json::Value> {
        self.teller.tell(Progress { run: self.run, state, done, of });
        let now = self.engine.now();
        let due = now - self.told_at >= TELL_EVERY;
        due.then(|| {
            self.told_at = now;
            serde_json::json!({ "done": done, "of": of })
        })
    }
}

/// A lease's length in milliseconds.
pub(crate) fn lease_ms(settings: &Settings) -> i64 {
    i64::try_from(settings.lease.as_millis()).unwrap_or(i64::MAX / 4)
}

impl Engine {
    /// A tenant as people name it: id, domain, or the connection's name.
    pub(crate) async fn find_tenant(&self, named: &str) -> Result<Tenant> {
        self.store().find_tenant(named).await.map_err(|error| match error {
            store::StoreError::NotFound { .. } => {
                Error::Unknown { what: "tenant", name: named.to_owned(), next: "See what there is: rollcall tenants list" }
            }
            other => other.into(),
        })
    }
}
