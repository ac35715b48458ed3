//! What can go wrong in a use case, with a stable code and a sentence that says the next step.

use model::{RunId, run::RunState};
use serde::Serialize;
use sources::SourceError;
use store::StoreError;
use thiserror::Error;

/// An error of the engine.
#[derive(Debug, Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory, or the way to it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What was named does not exist.
    #[error("There is no {what} \"{name}\". {next}")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// As it was named.
        name: String,
        /// What to do.
        next: &'static str,
    },
    /// The caller's input cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// What a person asked for does not fit the state of things; the sentence says what does.
    #[error("{0}")]
    Refused(String),
    /// The policy cannot be used.
    #[error("The policy of this tenant cannot be used: {}", faults(.0))]
    Policy(Vec<policy::Fault>),
    /// Another process is at this tenant.
    #[error(
        "Another Rollcall process is working on this tenant. It was waited for; try again when it is done: rollcall runs list"
    )]
    Busy,
    /// A run is not in a state in which this can be done.
    #[error("Run {run} is {state}, so it cannot be {verb}. Only a plan that waits (held or ready) can.")]
    NotWaiting {
        /// The run.
        run: RunId,
        /// Its state.
        state: RunState,
        /// What was asked.
        verb: &'static str,
    },
    /// The hash that was approved is not the plan's.
    #[error(
        "Run {run} holds another plan than the one named. Look at it again (rollcall runs show {run}) and use the hash shown there."
    )]
    WrongHash {
        /// The run.
        run: RunId,
    },
    /// The plan's inputs changed since it was made.
    #[error(
        "The plan of run {run} is stale: people in it changed since it was made. Nothing was written. Plan again: rollcall sync, or for a revert rollcall runs revert"
    )]
    Stale {
        /// The run.
        run: RunId,
    },
    /// The plan cannot be right, in sentences.
    #[error(
        "The plan contradicts itself, so nothing of it was applied: {} The records are as they were. Run a full sync; if it is refused again, report these sentences.",
        sentences(.0)
    )]
    Contradiction(Vec<String>),
    /// A file or stream.
    #[error("Reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// A plan that the checker refuses; every contradiction is logged, as the run's error holds the first few.
    pub(crate) fn contradicts(found: &[checker::Contradiction]) -> Self {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        for sentence in &found {
            tracing::error!("a plan contradicts itself: {sentence}");
        }
        Self::Contradiction(found)
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Store(StoreError::NotFound { .. }) | Error::Unknown { .. } => "not_found",
            Error::Store(StoreError::Conflict(_)) => "conflict",
            Error::Store(StoreError::Invalid(_)) | Error::Invalid(_) => "invalid",
            Error::Store(StoreError::LeaseLost { .. }) | Error::Busy => "busy",
            Error::Store(_) => "store",
            Error::Source(error) => error.kind(),
            Error::Refused(_) => "refused",
            Error::Policy(_) => "policy_invalid",
            Error::NotWaiting { .. } => "not_waiting",
            Error::WrongHash { .. } => "wrong_hash",
            Error::Stale { .. } => "stale",
            Error::Contradiction(_) => "contradiction",
            Error::Io(_) => "io",
        }
    }

    /// The error as it is shown and stored.
    #[must_use]
    pub fn view(&self) -> ErrorView {
        ErrorView { code: self.code().to_owned(), message: self.to_string() }
    }
}

/// The first ten: they say what is wrong, and the log has all of them.
fn sentences(found: &[String]) -> String {
    let more = found.len().saturating_sub(10);
    let shown = found.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(" ");
    if more > 0 { format!("{shown} And {more} more.") } else { shown }
}

fn faults(faults: &[policy::Fault]) -> String {
    let shown: Vec<String> = faults.iter().take(3).map(ToString::to_string).collect();
    let more = faults.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}

/// An error as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorView {
    /// A stable word.
    pub code: String,
    /// A sentence with the next step.
    pub message: String,
}

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
