//! What was asked of a directory: for the run's report.

use std::collections::BTreeMap;
use std::time::Duration;

/// Counts of one source since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent by route (`users/delta`, `token`, …), retries included.
    pub requests: BTreeMap<&'static str, u64>,
    /// Resource units as Graph counted them, or as documented where it did not say.
    pub resource_units: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// Requests that repeated an earlier one.
    pub retries: u64,
    /// Answers that told us to slow down.
    pub throttled: u64,
    /// Time spent waiting before requests: paced by the governor or told to wait.
    pub waited: Duration,
}

impl Stats {
    /// All requests.
    #[must_use]
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }
}
