//! What every handler may reach.

use crate::auth::attempts::Attempts;
use crate::auth::password::{PasswordCost, PasswordError, Passwords};
use std::sync::Arc;
use store::Store;
use sync::Engine;
use tokio_util::sync::CancellationToken;

/// Fills bytes that nobody can guess. The program passes the operating system's; tests pass a seeded one.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Writes the process's figures in Prometheus' text format.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the server is put together from.
pub struct Parts {
    /// The engine, and through it the store and the clock.
    pub engine: Engine,
    /// The address people use, such as `https://rollcall.example`; decides whether cookies are `Secure`.
    pub public_url: url::Url,
    /// How much work a password check is.
    pub password_cost: PasswordCost,
    /// Unguessable bytes.
    pub randomness: Randomness,
    /// Figures for `/metrics`.
    pub metrics: Metrics,
}

/// What every handler may reach. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    engine: Engine,
    public_url: url::Url,
    origin: String,
    passwords: Passwords,
    attempts: Attempts,
    randomness: Randomness,
    metrics: Metrics,
    closing: CancellationToken,
}

impl AppState {
    /// Puts it together.
    ///
    /// # Errors
    /// The password cost is outside what argon2 accepts.
    pub fn new(parts: Parts) -> Result<Self, PasswordError> {
        let passwords = Passwords::new(parts.password_cost)?;
        let origin = parts.public_url.origin().ascii_serialization();
        Ok(Self(Arc::new(Inner {
            engine: parts.engine,
            public_url: parts.public_url,
            origin,
            passwords,
            attempts: Attempts::default(),
            randomness: parts.randomness,
            metrics: parts.metrics,
            closing: CancellationToken::new(),
        })))
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn store(&self) -> &Store {
        self.0.engine.store()
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.engine.clock().now_ms()
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// Scheme, host and port of the public address.
    pub(crate) fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Whether cookies travel over https only.
    pub(crate) fn secure(&self) -> bool {
        self.0.public_url.scheme() == "https"
    }

    /// The public address of a path.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0.public_url.as_str().trim_end_matches('/'))
    }

    /// Cancelled when the server is asked to end: streams that would outlive it end with it.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    pub(crate) fn metrics(&self) -> String {
        (self.0.metrics)()
    }

    /// Bytes nobody can guess.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0.randomness)(&mut bytes);
        bytes
    }
}
