//! The one place that asks the machine for the time.

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl model::clock::Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}
