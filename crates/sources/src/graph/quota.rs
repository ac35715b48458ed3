//! The governor: paces requests in Graph's resource units, so that Graph need not refuse them (contract e).
//!
//! Two buckets are drawn from: the app's in the tenant, and the app's over all tenants. Both start from the documented figures
//! and are corrected by what answers say. Fairness needs no queue: who took much lately must leave as much again in the shared
//! bucket, so that others get through first; a person's request need leave nothing.

use super::tries::PATIENCE;
use crate::surroundings::Surroundings;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The app's units in one tenant: the documented 3,500 per 10 s of the smallest tenants. Delta pages cost 1, so that even a
/// million users never need more.
const TENANT: (f64, f64) = (3_500.0, 10_000.0);
/// The app's units over all tenants: 150,000 per 20 s.
const APP: (f64, f64) = (150_000.0, 20_000.0);
/// The share of a tenant's bucket that is kept for a person's requests.
const KEPT_FOR_PEOPLE: f64 = 0.05;
/// No pause is longer than this before looking again: what others take and give back changes the answer.
const LOOK_AGAIN_MS: f64 = 1_000.0;

/// Who waits for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// A schedule.
    #[default]
    Background,
    /// A person in front of a screen.
    Person,
}

/// Whose units: the app (with its cloud) and the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub app: String,
    pub tenant: String,
}

/// What an answer said about units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Told {
    /// `x-ms-resource-unit`.
    pub units: Option<u32>,
    /// `x-ms-throttle-limit-percentage`: 0.8 to 1.8, absent below.
    pub used: Option<f64>,
}

/// The governor of a process.
#[derive(Default)]
pub(crate) struct Governor {
    apps: Mutex<HashMap<String, App>>,
}

struct App {
    bucket: Bucket,
    tenants: HashMap<String, Tenant>,
}

struct Tenant {
    bucket: Bucket,
    /// Units taken lately from the app's bucket, fading over its window.
    lately: f64,
    lately_at: i64,
}

struct Bucket {
    size: f64,
    /// Units regained a millisecond at full pace.
    regain: f64,
    level: f64,
    at: i64,
    /// 1 = as documented; less after Graph said that the limit is near.
    pace: f64,
    closed_until: i64,
}

impl Governor {
    /// Waits until the units may be spent, and spends them. Gives back how long that took.
    ///
    /// # Errors
    /// How long it would still take, when that is longer than [`PATIENCE`] in all.
    pub async fn spend(
        &self,
        account: &Account,
        units: u32,
        priority: Priority,
        around: &Surroundings,
    ) -> Result<Duration, Duration> {
        let mut waited = Duration::ZERO;
        loop {
            let wait =
                self.with(account, around.now_ms(), |app, tenant, now| try_spend(app, tenant, now, f64::from(units), priority));
            let Some(ms) = wait else { return Ok(waited) };
            let still = Duration::from_secs_f64(ms / 1_000.0);
            if waited + still > PATIENCE {
                return Err(still);
            }
            let pause = Duration::from_secs_f64(ms.clamp(1.0, LOOK_AGAIN_MS) / 1_000.0);
            waited += pause;
            around.pause(pause).await;
        }
    }

    /// Corrects the books by what the answer to a request of `planned` units said.
    pub fn told(&self, account: &Account, planned: u32, told: Told, around: &Surroundings) {
        self.with(account, around.now_ms(), |app, tenant, _| {
            let more = f64::from(told.units.unwrap_or(planned)) - f64::from(planned);
            app.level -= more;
            tenant.bucket.level -= more;
            match told.used {
                Some(used) => tenant.bucket.near_limit(used),
                None => tenant.bucket.pace = (tenant.bucket.pace * 1.1).min(1.0),
            }
        });
    }

    /// A request was refused: nobody asks again before `wait` is over, in the tenant or, where the app as a whole is meant, anywhere.
    pub fn refused(&self, account: &Account, scope: Option<&str>, wait: Duration, around: &Surroundings) {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.with(account, around.now_ms(), |app, tenant, now| {
            let whole_app = scope.is_some_and(|s| s.split('/').next().is_some_and(|s| s.eq_ignore_ascii_case("Application")));
            let bucket = if whole_app { app } else { &mut tenant.bucket };
            bucket.closed_until = bucket.closed_until.max(now.saturating_add(wait));
            bucket.near_limit(1.0);
        });
    }

    fn with<T>(&self, account: &Account, now: i64, act: impl FnOnce(&mut Bucket, &mut Tenant, i64) -> T) -> T {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let app =
            apps.entry(account.app.clone()).or_insert_with(|| App { bucket: Bucket::full(APP, now), tenants: HashMap::new() });
        let tenant = app.tenants.entry(account.tenant.clone()).or_insert_with(|| Tenant {
            bucket: Bucket::full(TENANT, now),
            lately: 0.0,
            lately_at: now,
        });
        app.bucket.refill(now);
        tenant.bucket.refill(now);
        let passed = (now - tenant.lately_at).max(0) as f64;
        tenant.lately *= (-passed / APP.1).exp();
        tenant.lately_at = now;
        act(&mut app.bucket, tenant, now)
    }
}

/// Spends, or says how many milliseconds to wait before asking again.
fn try_spend(app: &mut Bucket, tenant: &mut Tenant, now: i64, units: f64, priority: Priority) -> Option<f64> {
    let (leave_app, leave_tenant) = match priority {
        Priority::Person => (0.0, 0.0),
        Priority::Background => (tenant.lately.min(app.size / 2.0), tenant.bucket.size * KEPT_FOR_PEOPLE),
    };
    let wait = app.wait(now, units + leave_app).max(tenant.bucket.wait(now, units + leave_tenant));
    if wait > 0.0 {
        return Some(wait);
    }
    app.level -= units;
    tenant.bucket.level -= units;
    tenant.lately += units;
    None
}

impl Bucket {
    fn full((size, window_ms): (f64, f64), now: i64) -> Self {
        Self { size, regain: size / window_ms, level: size, at: now, pace: 1.0, closed_until: i64::MIN }
    }

    fn refill(&mut self, now: i64) {
        let passed = (now - self.at).max(0) as f64;
        self.level = (self.level + passed * self.regain * self.pace).min(self.size);
        self.at = now;
    }

    /// Milliseconds until this much is there.
    fn wait(&self, now: i64, needed: f64) -> f64 {
        let closed = self.closed_until.saturating_sub(now).max(0) as f64;
        closed.max((needed - self.level) / (self.regain * self.pace)).max(0.0)
    }

    /// Graph says that this share of the limit is used (1 = refusals begin): believe it about the level, and slow down.
    fn near_limit(&mut self, used: f64) {
        let used = if used.is_finite() { used.clamp(0.0, 2.0) } else { 1.0 };
        self.level = self.level.min(self.size * (1.0 - used).max(0.0));
        if used >= 0.8 {
            self.pace = self.pace.min((1.3 - used).clamp(0.1, 0.5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pause;
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use model::clock::FixedClock;
    use std::sync::Arc;

    /// A pause that moves the clock and is over.
    struct Moves(Arc<FixedClock>);

    impl Pause for Moves {
        fn pause(&self, how_long: Duration) -> BoxFuture<'static, ()> {
            self.0.advance(how_long.try_into().expect("a short pause"));
            std::future::ready(()).boxed()
        }
    }

    fn around() -> Surroundings {
        let clock = Arc::new(FixedClock::at(jiff::Timestamp::UNIX_EPOCH));
        Surroundings::new(clock.clone(), Arc::new(Moves(clock)), 1)
    }

    fn account(tenant: &str) -> Account {
        Account { app: "app".to_owned(), tenant: tenant.to_owned() }
    }

    fn spend(g: &Governor, tenant: &str, units: u32, priority: Priority, around: &Surroundings) -> Duration {
        g.spend(&account(tenant), units, priority, around).now_or_never().expect("pauses are instant").expect("within patience")
    }

    #[test]
    fn a_tenant_is_paced_to_its_documented_rate_before_graph_refuses() {
        let (g, around) = (Governor::default(), around());
        for _ in 0..7_000 {
            spend(&g, "a", 1, Priority::Background, &around);
        }
        let took = around.now_ms();
        assert!((9_500..11_500).contains(&took), "7,000 units took {took} ms; 3,500 are there and 3,500 come in 10 s");
    }

    #[test]
    fn a_person_goes_first_in_a_tenant_that_is_busy() {
        let (g, around) = (Governor::default(), around());
        for _ in 0..3_400 {
            spend(&g, "a", 1, Priority::Background, &around);
        }
        assert_eq!(spend(&g, "a", 2, Priority::Person, &around), Duration::ZERO);
        assert!(spend(&g, "a", 2, Priority::Background, &around) > Duration::ZERO);
    }

    #[test]
    fn near_the_limit_it_slows_down_and_recovers() {
        let (g, around) = (Governor::default(), around());
        g.told(&account("a"), 1, Told { units: Some(1), used: Some(1.0) }, &around);
        let slow = spend(&g, "a", 100, Priority::Background, &around);
        assert!(slow > Duration::from_millis(500), "{slow:?}");
        for _ in 0..50 {
            g.told(&account("a"), 1, Told::default(), &around);
        }
        around_advance(&around, 10_000);
        assert_eq!(spend(&g, "a", 100, Priority::Background, &around), Duration::ZERO);
    }

    #[test]
    fn a_refusal_closes_the_tenant_but_not_its_neighbours_unless_the_app_is_meant() {
        let (g, around) = (Governor::default(), around());
        g.refused(&account("a"), Some("Tenant_Application/Read/app/a"), Duration::from_secs(7), &around);
        assert_eq!(spend(&g, "b", 1, Priority::Background, &around), Duration::ZERO);
        assert!(spend(&g, "a", 1, Priority::Background, &around) >= Duration::from_secs(7));
        g.refused(&account("a"), Some("Application/Read/app/a"), Duration::from_secs(7), &around);
        assert!(spend(&g, "b", 1, Priority::Person, &around) >= Duration::from_secs(7));
    }

    #[test]
    fn a_long_refusal_is_told_at_once_instead_of_waited_for() {
        let (g, around) = (Governor::default(), around());
        g.refused(&account("a"), None, Duration::from_secs(3_600), &around);
        let told = g.spend(&account("a"), 1, Priority::Person, &around).now_or_never().expect("pauses are instant");
        assert_eq!(told, Err(Duration::from_secs(3_600)));
        assert_eq!(around.now_ms(), 0);
    }

    #[test]
    fn who_took_much_lets_others_through_first() {
        let (g, around) = (Governor::default(), around());
        spend(&g, "heavy", 3_000, Priority::Background, &around);
        // Others leave little in the shared bucket.
        g.with(&account("x"), around.now_ms(), |app, _, _| app.level = 2_000.0);
        assert_eq!(spend(&g, "light", 1, Priority::Background, &around), Duration::ZERO);
        assert!(spend(&g, "heavy", 1, Priority::Background, &around) > Duration::ZERO);
    }

    #[test]
    fn what_an_answer_really_cost_is_what_is_booked() {
        let (g, around) = (Governor::default(), around());
        spend(&g, "a", 1, Priority::Background, &around);
        g.told(&account("a"), 1, Told { units: Some(3_400), used: None }, &around);
        assert!(spend(&g, "a", 1, Priority::Background, &around) > Duration::ZERO);
    }

    fn around_advance(around: &Surroundings, ms: u64) {
        around.pause(Duration::from_millis(ms)).now_or_never().expect("pauses are instant");
    }
}
