//! Writes under one lease that are kept together or not at all.
//!
//! A commit costs as much for a thousand rows as for ten thousand: every index has its rows all over, so nearly each of its pages is
//! written anew. Pages of a feed, batches of decisions and batches of a plan are therefore put into one transaction as long as they
//! are at hand, and a killed process goes on from the last one that was committed.

use crate::Store;
use crate::db::Tx;
use crate::error::Result;
use crate::lease::Lease;

/// From so many rows on, what the database believes of a table is measured anew, which takes a fraction of a second.
pub(crate) const MANY: i64 = 10_000;

/// Tables and what of them is looked for: to measure what is only carried along takes most of the time.
pub(crate) const MIRROR: &str = "mirror_users (id, tenant_id, source_id, presence), memberships, due";
/// The same of records.
pub(crate) const RECORDS: &str =
    "people (id, kind, status, username_key, email_key), links (person_id, tenant_id, user_id, slot)";

/// What much is being written of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// What a directory tells.
    Mirror,
    /// A plan.
    Plan,
    /// Records and their links.
    Records,
}

/// Writes that are not committed yet. Dropping it undoes them.
///
/// On SQLite nobody else writes meanwhile, so it must never be held while waiting for a network, or for a write that goes past it.
pub struct Writing {
    pub(crate) tx: Tx,
    pub(crate) lease: Lease,
}

impl Store {
    /// Begins to write under a lease.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn write(&self, lease: &Lease) -> Result<Writing> {
        Ok(Writing { tx: self.begin_fenced(lease).await?, lease: lease.clone() })
    }

    /// To be called when the first of many rows are committed. A database that plans by what it has measured (PostgreSQL) otherwise
    /// believes a table to be empty for as long as it is being filled, and reads it from end to end for every batch.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn begun(&self, filling: Filling, rows: i64) -> Result<()> {
        if rows < MANY {
            return Ok(());
        }
        let tables = match filling {
            Filling::Mirror => format!("{MIRROR}, mirror_groups"),
            Filling::Plan => {
                "changes (id, user_id, person_id), standing, review_items (tenant_id, user_id, state), waits".to_owned()
            }
            Filling::Records => format!("{RECORDS}, outcomes (change_id, person_id)"),
        };
        self.db.measure(&tables).await
    }
}

impl Writing {
    /// Keeps everything written.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await
    }
}
