//! Writes under one lease that are kept together or not at all.
//!
//! A commit costs as much for a thousand rows as for ten thousand: every index has its rows all over, so nearly each of its pages is
//! written anew. Pages of a feed, batches of decisions and batches of a plan are therefore put into one transaction as long as they
//! are at hand, and a killed process goes on from the last one that was committed.

use crate::Store;
use crate::db::Tx;
use crate::error::Result;
use crate::lease::Lease;

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
