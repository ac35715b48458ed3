//! The embedded driver: workers inside the server, and the schedule that gives them work. Any number of processes may do this on
//! one database; leases keep two from working on one tenant.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::Result;
use crate::run::RunRequest;
use model::TenantKey;
use model::run::{RunKind, RunState};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How often workers look for runs that another process queued.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tenants looked at in one go.
const BATCH: i64 = 100;

/// How long until a tenant whose run failed is tried again, milliseconds (C10): for ever, every 120 seconds.
const RETRY_MS: i64 = 120_000;

impl Engine {
    /// Works until told to stop: queues scheduled runs, and works on what is queued. On stopping, runs under way go on from their
    /// last page or batch when somebody takes them up again.
    pub async fn work_until(&self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings().workers));
        let busy: Arc<Mutex<HashSet<TenantKey>>> = Arc::default();
        while !stop.is_cancelled() {
            if let Err(error) = self.look(&slots, &busy, &stop).await {
                tracing::error!(code = error.code(), "looking for work failed, trying again: {error}");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.queued().notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self, slots: &Arc<Semaphore>, busy: &Arc<Mutex<HashSet<TenantKey>>>, stop: &CancellationToken) -> Result<()> {
        self.queue_scheduled().await?;
        for tenant in self.store().tenants_with_work(BATCH).await? {
            if !lock(busy).insert(tenant) {
                continue;
            }
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                lock(busy).remove(&tenant);
                break;
            };
            let (engine, busy, stop) = (self.clone(), busy.clone(), stop.clone());
            tokio::spawn(async move {
                let worked = tokio::select! {
                    () = stop.cancelled() => Ok(None),
                    worked = engine.work_on(tenant) => worked,
                };
                if let Err(error) = worked {
                    tracing::error!(%tenant, code = error.code(), "{error}");
                }
                lock(&busy).remove(&tenant);
                drop(slot);
                // There may be more where this came from.
                engine.queued().notify_one();
            });
        }
        Ok(())
    }

    /// Queues a run for each tenant whose time has come.
    ///
    /// # Errors
    /// The store's.
    pub async fn queue_scheduled(&self) -> Result<()> {
        let now = self.now();
        for tenant in self.store().tenants_to_run(now, BATCH).await? {
            let request = RunRequest { kind: RunKind::Delta, preview: false, approve_first: false, actor: Actor::schedule() };
            self.request_run(tenant.key, &request).await?;
            let failed = self
                .store()
                .runs(&store::RunFilter { tenant: Some(tenant.key), states: Vec::new(), before: None, limit: 2 })
                .await?
                .iter()
                .any(|r| r.state == RunState::Failed);
            let interval = i64::try_from(self.settings().interval.as_millis()).unwrap_or(i64::MAX / 4);
            let wait = if failed { interval.min(RETRY_MS) } else { interval };
            self.store().set_next_run(tenant.key, Some(now + wait)).await?;
        }
        Ok(())
    }
}

fn lock(busy: &Mutex<HashSet<TenantKey>>) -> std::sync::MutexGuard<'_, HashSet<TenantKey>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}
