//! How often somebody may try to sign in: a bucket per address and name, and a wider one per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

/// Wrong passwords for one name from one address within [`WINDOW_MS`]: enough for a forgetful person, useless for guessing.
const PER_NAME: u32 = 8;
/// Wrong passwords from one address within [`WINDOW_MS`], whatever the name: an office behind one address still gets in.
const PER_ADDRESS: u32 = 60;
/// Five minutes.
const WINDOW_MS: i64 = 5 * 60 * 1000;
/// Buckets kept at most. Beyond it the oldest half goes: an attacker with that many addresses is not stopped by a map.
const MAX_BUCKETS: usize = 20_000;

/// Counts of failed attempts, in memory of this process.
#[derive(Debug, Default)]
pub struct Attempts {
    buckets: Mutex<HashMap<(IpAddr, Option<String>), Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    since: i64,
    failures: u32,
}

impl Attempts {
    /// Whether one more attempt is allowed at `now` (milliseconds since 1970); else how many seconds to wait.
    ///
    /// # Errors
    /// Seconds until the next attempt is allowed.
    pub fn check(&self, address: IpAddr, name: &str, now: i64) -> Result<(), u64> {
        let buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (key, limit) in keys(address, name) {
            if let Some(bucket) = buckets.get(&key)
                && now - bucket.since < WINDOW_MS
                && bucket.failures >= limit
            {
                return Err(((WINDOW_MS - (now - bucket.since)) / 1000).max(1).unsigned_abs());
            }
        }
        Ok(())
    }

    /// Remembers a failed attempt.
    pub fn failed(&self, address: IpAddr, name: &str, now: i64) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (key, _) in keys(address, name) {
            let bucket = buckets.entry(key).or_insert(Bucket { since: now, failures: 0 });
            if now - bucket.since >= WINDOW_MS {
                *bucket = Bucket { since: now, failures: 0 };
            }
            bucket.failures += 1;
        }
        if buckets.len() > MAX_BUCKETS {
            let mut ages: Vec<_> = buckets.values().map(|b| b.since).collect();
            ages.sort_unstable();
            let middle = ages[ages.len() / 2];
            buckets.retain(|_, b| b.since > middle);
        }
    }

    /// Forgets a name's failures after it signed in.
    pub fn succeeded(&self, address: IpAddr, name: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        buckets.remove(&(address, Some(model::text::fold(name))));
    }
}

fn keys(address: IpAddr, name: &str) -> [((IpAddr, Option<String>), u32); 2] {
    [((address, Some(model::text::fold(name))), PER_NAME), ((address, None), PER_ADDRESS)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_one_name_stops_after_eight_and_starts_again_later() {
        let (attempts, here) = (Attempts::default(), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..PER_NAME {
            assert_eq!(attempts.check(here, "Ada", 0), Ok(()));
            attempts.failed(here, "Ada", 0);
        }
        assert_eq!(attempts.check(here, "ada ", 1000), Err(299), "however the name is written");
        assert_eq!(attempts.check(here, "bob", 1000), Ok(()));
        assert_eq!(attempts.check(IpAddr::from([192, 0, 2, 2]), "ada", 1000), Ok(()), "another address is not locked out");
        assert_eq!(attempts.check(here, "ada", WINDOW_MS), Ok(()));
    }

    #[test]
    fn spraying_names_from_one_address_stops_too() {
        let (attempts, here) = (Attempts::default(), IpAddr::from([192, 0, 2, 1]));
        for n in 0..PER_ADDRESS {
            attempts.failed(here, &format!("name {n}"), 0);
        }
        assert!(attempts.check(here, "somebody else", 1).is_err());
    }
}
