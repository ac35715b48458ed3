//! What can go wrong in the store: one variant for each thing a caller can do about it.

use thiserror::Error;

/// An error of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The address of the database is not one we understand.
    #[error("The database address is not usable: {0} Write sqlite://PATH or postgres://USER@HOST/NAME.")]
    Address(String),
    /// The database cannot be reached or used now. Trying again later may help.
    #[error("The database cannot be used: {0}")]
    Unavailable(String),
    /// The database was written by a newer program.
    #[error(
        "This database was written by a newer Rollcall (schema {found}; this program knows {known}). Install the newer \
         program, or restore a backup made before the upgrade."
    )]
    TooNew {
        /// The database's schema number.
        found: i64,
        /// The newest one this program knows.
        known: i64,
    },
    /// A migration that was applied differs from the one this program carries.
    #[error(
        "Migration {number} of this database differs from the one this program carries. It was changed after it was applied: \
         install the program that wrote the database, or restore a backup."
    )]
    Drift {
        /// The migration's number.
        number: i64,
    },
    /// Another worker has taken the tenant over; this one must stop and write nothing more.
    #[error("Another worker has taken over tenant {tenant}; this one stops.")]
    LeaseLost {
        /// The tenant.
        tenant: i64,
    },
    /// The database was started again and has lost the last of what it had committed: what this worker knows is ahead of it.
    #[error(
        "The database was started again and has lost the last writes of tenant {tenant}; this worker stops. Nothing is half done: the next sync goes on from what is left."
    )]
    Forgotten {
        /// The tenant.
        tenant: i64,
    },
    /// What was asked for does not exist.
    #[error("There is no {what} {id}.")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// How it was named.
        id: String,
    },
    /// The thing is not in the state the caller believed; read again, then decide.
    #[error("{0}")]
    Conflict(String),
    /// The caller gave something that cannot be stored.
    #[error("{0}")]
    Invalid(String),
    /// A stored secret cannot be opened with the keys at hand.
    #[error(
        "The secret {name} cannot be opened with the master key at hand. Put back the key file it was sealed with; if that is lost, give \
         the secret anew with `rollcall secrets set`."
    )]
    Sealed {
        /// The secret's name; never its value.
        name: String,
    },
    /// A row does not hold what it should: table, column and what was found.
    #[error("The database holds a row that cannot be read ({0}). Restore a backup, or report this.")]
    Corrupt(String),
    /// A row contradicts a constraint of the database.
    #[error("The database refuses a row: {0}")]
    Constraint(String),
}

impl StoreError {
    /// There is none of these.
    pub(crate) fn missing(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// Whether it is a row that is at fault, and not the database or the run.
    #[must_use]
    pub fn refuses_a_row(&self) -> bool {
        matches!(self, Self::Constraint(_) | Self::Invalid(_))
    }
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
