//! Progress of a run, for a bar on a terminal, a line in a log, or a page.

use model::RunId;
use model::run::RunState;
use serde::Serialize;
use std::sync::Arc;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The run.
    pub run: RunId,
    /// What it is doing.
    pub state: RunState,
    /// Users read, decided or changes written so far in this state.
    pub done: i64,
    /// Out of how many, when that is known.
    pub of: Option<i64>,
}

/// Where progress is told to. Cheap to clone; telling never waits.
#[derive(Clone)]
pub struct Teller(Arc<dyn Fn(Progress) + Send + Sync>);

impl Teller {
    /// Tells a function.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Tells.
    pub fn tell(&self, progress: Progress) {
        (self.0)(progress);
    }
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Teller")
    }
}
