//! The time as a parameter. Product code never asks the machine: the program passes one clock down, and tests pass one they set.

use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Now, in milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

/// A clock that stands still until it is set or moved, to the millisecond. For tests and for planning at a stated time.
pub struct FixedClock {
    ms: AtomicI64,
}

impl FixedClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { ms: AtomicI64::new(now.as_millisecond()) }
    }

    /// Shows this time from now on.
    pub fn set(&self, now: Timestamp) {
        self.ms.store(now.as_millisecond(), Ordering::SeqCst);
    }

    /// Moves by so much.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        // Saturating, because a clock that cannot go further stays at the end of time.
        let _ = self.ms.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ms| Some(ms.saturating_add(by)));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        let ms = self.ms.load(Ordering::SeqCst);
        Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

impl fmt::Debug for FixedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedClock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::at("2026-01-01T00:00:00Z".parse().expect("a time"));
        assert_eq!(clock.now(), clock.now());
        clock.advance(SignedDuration::from_secs(90));
        assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30Z");
        assert_eq!(clock.now_ms(), clock.now().as_millisecond());
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
