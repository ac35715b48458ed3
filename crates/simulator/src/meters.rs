//! Resource units (contract section e), and statistics of what was asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::options::Throttle;
use crate::tenant::Tenant;

/// Length of the reading quota's window.
const WINDOW_MS: i64 = 10_000;
/// Writes an application may make in a tenant in 150 s.
const WRITES: u64 = 3_000;
const WRITE_WINDOW_MS: i64 = 150_000;

#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    used: f64,
    at_ms: i64,
}

impl Bucket {
    /// Drains what has flowed off since, adds the cost, and says how full the bucket is.
    fn pour(&mut self, cost: u64, limit: u64, window_ms: i64, now: i64) -> f64 {
        let flowed = (now - self.at_ms).max(0) as f64 * limit as f64 / window_ms as f64;
        // Rejected calls count too, but nobody waits longer than two windows.
        self.used = ((self.used - flowed).max(0.0) + cost as f64).min(2.0 * limit as f64);
        self.at_ms = now;
        self.used / limit as f64
    }
}

/// A quota that is used up.
#[derive(Debug, Clone, Copy)]
pub struct Exceeded {
    /// Seconds until there is room.
    pub wait: u64,
    /// How much of it is used (1.0 = all).
    pub used: f64,
    /// Whether it is the one of writes.
    pub writes: bool,
}

/// The quota of the application in every tenant.
#[derive(Debug, Default)]
pub struct Meters(Mutex<HashMap<u32, (Bucket, Bucket)>>);

impl Meters {
    /// Charges a request. Answers how much of the quota is used (1.0 = all).
    ///
    /// # Errors
    /// [`Exceeded`] when there is no room. A full bucket of writes does not stop who only reads.
    pub fn charge(&self, tenant: &Tenant, cost: u64, writes: bool, throttle: Throttle, now: i64) -> Result<f64, Exceeded> {
        let Some(limit) = throttle.units() else { return Ok(0.0) };
        let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (read, write) = buckets.entry(tenant.index).or_default();
        let used = read.pour(cost, limit, WINDOW_MS, now);
        let written = write.pour(u64::from(writes), WRITES, WRITE_WINDOW_MS, now);
        let exceeded = |used: f64, window: i64, writes: bool| {
            let wait = ((used - 1.0) * window as f64 / 1000.0).ceil().max(1.0) as u64;
            Err(Exceeded { wait, used, writes })
        };
        match (used > 1.0, writes && written > 1.0) {
            (true, _) => exceeded(used, WINDOW_MS, false),
            (_, true) => exceeded(written, WRITE_WINDOW_MS, true),
            _ => Ok(if writes { used.max(written) } else { used }),
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Route {
    requests: u64,
    units: u64,
    throttled: u64,
    errors: u64,
}

/// What was asked since the start.
#[derive(Debug, Default)]
pub struct Stats(Mutex<BTreeMap<String, Route>>);

impl Stats {
    /// Counts a request.
    pub fn count(&self, route: &str, units: u64, status: u16) {
        let mut routes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Route::default());
        }
        if let Some(r) = routes.get_mut(route) {
            r.requests += 1;
            r.units += units;
            r.throttled += u64::from(status == 429);
            r.errors += u64::from(status >= 400);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    /// The counts as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let routes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let sum = |f: fn(&Route) -> u64| routes.values().map(f).sum::<u64>();
        let by_route: serde_json::Map<String, Value> = routes
            .iter()
            .map(|(n, r)| {
                (
                    n.clone(),
                    json!({"requests": r.requests, "resource_units": r.units, "throttled": r.throttled, "errors": r.errors}),
                )
            })
            .collect();
        json!({"requests": sum(|r| r.requests), "resource_units": sum(|r| r.units), "throttled": sum(|r| r.throttled), "errors": sum(|r| r.errors), "routes": by_route})
    }
}
