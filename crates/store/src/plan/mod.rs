//! Plans: stored before they are applied, journal once they are.

use model::RunId;

/// A run's stretch of the tables whose ids are `run * 2^32 + seq`: ids above the first and up to the second.
pub(crate) fn stretch(run: RunId) -> (i64, i64) {
    (run.0 << 32, (run.0 << 32) | 0xffff_ffff)
}
