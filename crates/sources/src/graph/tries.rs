//! How often and how long a request is tried again.

use crate::surroundings::Surroundings;
use std::time::Duration;

/// Requests for one answer, the first included. With the pauses below that is about half a minute of patience for a failing server.
const ATTEMPTS: u32 = 6;
/// Of these, how many may fail to reach the host at all, or wait for it in vain: a wrong address should not take half a minute to be
/// called wrong, nor a server that never gets to the end a quarter of an hour.
const CONNECTS: u32 = 3;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long we wait for one answer in all because Microsoft says so. A longer wait is told to the caller, who has other tenants.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// What went wrong with one try, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setback {
    /// The host could not be reached, or did not answer in time.
    NoConnection,
    /// It was reached and failed.
    Failed,
    /// It said when to come back.
    ToldToWait(Duration),
}

/// The tries at one answer.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    failed: u32,
    unconnected: u32,
    told_to_wait: Duration,
}

impl Tries {
    /// How long to pause before the next try, or nothing when it is time to give up.
    pub fn next(&mut self, setback: Setback, surroundings: &Surroundings) -> Option<Duration> {
        self.failed += 1;
        self.unconnected += u32::from(setback == Setback::NoConnection);
        if self.failed >= ATTEMPTS || self.unconnected >= CONNECTS {
            return None;
        }
        let full = FIRST_PAUSE.saturating_mul(1 << (self.failed - 1)).min(LONGEST_PAUSE);
        let own = full.mul_f64(0.5 + 0.5 * surroundings.chance());
        match setback {
            Setback::ToldToWait(told) => {
                self.told_to_wait = self.told_to_wait.saturating_add(told);
                // A little more than told, spread, so that many waiters do not come back as one; and whoever says "at once", or names
                // a time that is past, is not asked at once over and over.
                (self.told_to_wait <= PATIENCE).then(|| (told + told.mul_f64(0.05 * surroundings.chance())).max(own))
            }
            Setback::NoConnection | Setback::Failed => Some(own),
        }
    }

    /// How long to wait once the tries are used up and nobody said how long: what the next pause would have been.
    pub fn after_giving_up(&self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.failed.min(16)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioPause;
    use model::clock::FixedClock;
    use std::sync::Arc;

    fn surroundings() -> Surroundings {
        Surroundings::new(Arc::new(FixedClock::at(jiff::Timestamp::UNIX_EPOCH)), Arc::new(TokioPause), 7)
    }

    #[test]
    fn pauses_grow_and_end() {
        let (mut tries, around) = (Tries::default(), surroundings());
        let pauses: Vec<_> = std::iter::from_fn(|| tries.next(Setback::Failed, &around)).collect();
        assert_eq!(pauses.len(), 5);
        for (i, pause) in pauses.iter().enumerate() {
            let full = FIRST_PAUSE * (1 << i);
            assert!(*pause >= full / 2 && *pause <= full, "{pauses:?}");
        }
    }

    #[test]
    fn a_host_that_is_not_there_is_tried_three_times() {
        let (mut tries, around) = (Tries::default(), surroundings());
        assert_eq!(std::iter::from_fn(|| tries.next(Setback::NoConnection, &around)).count(), 2);
    }

    #[test]
    fn whoever_is_told_to_come_back_at_once_waits_a_little_all_the_same() {
        let (mut tries, around) = (Tries::default(), surroundings());
        let pause = tries.next(Setback::ToldToWait(Duration::ZERO), &around).expect("a pause");
        assert!(pause >= FIRST_PAUSE / 2, "{pause:?}");
    }

    #[test]
    fn waiting_as_told_has_an_end_too() {
        let (mut tries, around) = (Tries::default(), surroundings());
        let told = Duration::from_secs(200);
        let first = tries.next(Setback::ToldToWait(told), &around).expect("a pause");
        assert!(first >= told && first <= told.mul_f64(1.05));
        assert_eq!(tries.next(Setback::ToldToWait(told), &around), None);
        let (mut tries, longest) = (Tries::default(), Setback::ToldToWait(Duration::MAX));
        assert!(tries.next(Setback::ToldToWait(Duration::from_secs(1)), &around).is_some());
        assert_eq!(tries.next(longest, &around), None);
    }
}
