//! Who may work on a tenant: a lease with a fencing token. Every write of the engine proves that its lease is still the newest,
//! in the same transaction.

use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::{Store, values};
use model::TenantKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The right to work on a tenant, while nobody holds a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub tenant: TenantKey,
    /// The worker's name, unique to its process and task.
    pub holder: String,
    /// Counts up with every new lease of the tenant.
    pub fence: i64,
    committed: Committed,
}

/// The number of the last write under a lease that is committed, known to every copy of the lease.
#[derive(Debug, Clone, Default)]
struct Committed(Arc<AtomicI64>);

impl PartialEq for Committed {
    /// Says nothing about which lease it is.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Committed {}

impl Store {
    /// Takes a tenant's lease until `now + ttl` (milliseconds), if nobody else's is still running.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn acquire_lease(&self, tenant: TenantKey, holder: &str, now: i64, ttl: i64) -> Result<Option<Lease>> {
        let sql = "INSERT INTO leases (tenant_id, holder, fence, expires_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (tenant_id) DO UPDATE
                SET holder = excluded.holder, fence = leases.fence + 1, expires_at = excluded.expires_at
                WHERE leases.expires_at <= $4
             RETURNING fence";
        let mut tx = self.db.begin().await?;
        let row = tx.query_opt(sql, values![tenant, holder, now + ttl, now]).await?;
        tx.commit().await?;
        let lease =
            |row: Row| Ok(Lease { tenant, holder: holder.to_owned(), fence: row.get(0)?, committed: Committed::default() });
        row.map(lease).transpose()
    }

    /// Extends a lease until `now + ttl`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn renew_lease(&self, lease: &Lease, now: i64, ttl: i64) -> Result<()> {
        let sql = "UPDATE leases SET expires_at = $3 WHERE tenant_id = $1 AND fence = $2";
        let mut tx = self.db.begin().await?;
        let held = tx.execute(sql, values![lease.tenant, lease.fence, now + ttl]).await?;
        tx.commit().await?;
        if held == 0 { Err(StoreError::LeaseLost { tenant: lease.tenant.0 }) } else { Ok(()) }
    }

    /// Gives a lease back. One that is lost already is left alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE leases SET expires_at = 0 WHERE tenant_id = $1 AND fence = $2";
        tx.execute(sql, values![lease.tenant, lease.fence]).await?;
        tx.commit().await
    }

    /// Begins a transaction under a lease: of a run, which goes on from whatever is left of it.
    pub(crate) async fn begin_fenced(&self, lease: &Lease) -> Result<Tx> {
        fenced(self.db.begin_quick().await?, lease).await
    }

    /// The same for what must stay once it was told, as where a run has ended.
    pub(crate) async fn begin_fenced_for_good(&self, lease: &Lease) -> Result<Tx> {
        fenced(self.db.begin().await?, lease).await
    }
}

async fn fenced(mut tx: Tx, lease: &Lease) -> Result<Tx> {
    // A write, not a look: it holds the row until the end, so that nobody takes the lease over in between.
    let sql = "UPDATE leases SET writes = writes + 1 WHERE tenant_id = $1 AND fence = $2 RETURNING writes";
    let Some(row) = tx.query_opt(sql, values![lease.tenant, lease.fence]).await? else {
        return Err(StoreError::LeaseLost { tenant: lease.tenant.0 });
    };
    let write: i64 = row.get(0)?;
    let Committed(committed) = &lease.committed;
    // A server that died may have lost the last commits (see `Db::begin_quick`); to write what comes after them would leave a gap.
    if write <= committed.load(Ordering::Acquire) {
        return Err(StoreError::Forgotten { tenant: lease.tenant.0 });
    }
    tx.counting(committed.clone(), write);
    Ok(tx)
}
