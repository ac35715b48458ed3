//! Remembers everything, on SQLite or PostgreSQL: the one crate that knows a database.
//!
//! What it does:
//! - [`Store::open`] opens and migrates; [`Store::health`] tells whether it answers.
//! - **Leases** ([`Lease`]): [`Store::acquire_lease`]; every write of the engine takes the lease and fails with
//!   [`StoreError::LeaseLost`] once somebody holds a newer one.
//! - **Mirror** ([`mirror`]): [`Store::begin_round`], [`Writing::page`], [`Store::absentees`], [`Store::mark_absent`],
//!   [`Store::complete_round`]; [`Store::touch_from_edges`] and its like say who is due.
//! - **Runs** ([`runs`]): [`Store::create_run`], [`Store::advance_run`], [`Store::decide_run`], [`Store::runs`].
//!
//! What it refuses to do: decide anything, read a clock (the time comes in as milliseconds since 1970), or tell a secret to
//! whoever did not ask for it by name.
//!
//! To add a table: a new file in `migrations/`, a line in `migrate.rs`, and SQL in the module whose noun it is. SQL is written once
//! for both databases; the habits that make it so stand in `db/mod.rs`.

mod access;
mod apply;
mod audit;
pub mod db;
mod dump;
mod error;
pub mod facts;
mod lease;
mod migrate;
pub mod mirror;
mod overview;
pub mod plan;
mod policies;
pub mod records;
mod review;
pub mod runs;
mod secrets;
pub mod tenants;
mod views;
mod writing;

pub use access::{Account, ApiToken, Session};
pub use apply::{BatchOutcome, Care, Pending};
pub use audit::AuditEntry;
pub use error::{Result, StoreError};
pub use facts::{Glance, RuleGroup};
pub use lease::Lease;
pub use mirror::{APP_ASSIGNED, FeedState, PageCommit, PageStats, SIGN_INS, UserFilter, UserRow};
pub use overview::{Overview, StandingCount, StandingTotals, TenantGlance};
pub use plan::{ChangeState, Pass, PlanFilter, PlanRow, Written, WrittenBy, place};
pub use policies::PolicyVersion;
pub use records::{
    EMBEDDED, ExportRow, HERE, Import, ImportOutcome, ImportedPerson, PersonEdit, PersonFilter, PersonRow, PersonView,
};
pub use review::{Review, ReviewCandidate, ReviewDecision, ReviewFilter, Verdict};
pub use runs::{Run, RunChange, RunFilter, RunVerdict};
pub use secrets::MasterKey;
pub use tenants::{Connection, NewTenant, Tenant, connection_scope};
pub use writing::{Filling, Writing};

use db::Db;

/// A database that remembers. Cheap to clone; clones share its connections.
#[derive(Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens a database (`sqlite://PATH`, made if absent, or `postgres://…`) and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Unavailable`], [`StoreError::TooNew`], [`StoreError::Drift`].
    pub async fn open(url: &str, now: i64) -> Result<Self> {
        let db = Db::open(url).await?;
        migrate::migrate(&db, now).await?;
        Ok(Self { db })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn health(&self) -> Result<()> {
        self.db.query("SELECT 1", ()).await.map(|_| ())
    }

    /// The database's own name and version, for people.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn describe(&self) -> Result<String> {
        self.db.describe().await
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
