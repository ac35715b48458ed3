//! What a source needs of its surroundings and tests replace: the time, waiting, and chance.

use futures::future::BoxFuture;
use model::Clock;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Waits. A test's pause moves its clock instead.
pub trait Pause: Send + Sync {
    /// Resolves after this long.
    fn pause(&self, how_long: Duration) -> BoxFuture<'static, ()>;
}

/// Waits on tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioPause;

impl Pause for TokioPause {
    fn pause(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(how_long))
    }
}

/// The time, waiting, and chance.
#[derive(Clone)]
pub struct Surroundings {
    clock: Arc<dyn Clock>,
    pause: Arc<dyn Pause>,
    chance: Arc<Mutex<StdRng>>,
}

impl Surroundings {
    /// Puts them together. Chance (spread of retries, request ids) follows from the seed and decides nothing that matters.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, pause: Arc<dyn Pause>, seed: u64) -> Self {
        Self { clock, pause, chance: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))) }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Waits.
    pub(crate) async fn pause(&self, how_long: Duration) {
        if !how_long.is_zero() {
            self.pause.pause(how_long).await;
        }
    }

    /// A number from 0 up to, not including, 1.
    pub(crate) fn chance(&self) -> f64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// A fresh id to find a request by.
    pub(crate) fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}
