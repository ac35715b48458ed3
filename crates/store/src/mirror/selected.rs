//! What a feed's cursor was asked for beyond the read set: a link carries its query, so another query needs a full round.

use crate::error::Result;
use crate::lease::Lease;
use crate::{Store, values};
use model::TenantKey;
use model::directory::Feed;

impl Store {
    /// The extensions the feed's round reads, as [`Store::set_selected`] was told; empty before the first round.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn selected(&self, tenant: TenantKey, feed: Feed) -> Result<String> {
        let sql = "SELECT selected FROM feeds WHERE tenant_id = $1 AND feed = $2";
        self.db.query_opt(sql, values![tenant, feed.as_str()]).await?.map_or(Ok(String::new()), |row| row.get(0))
    }

    /// Keeps which extensions the round under way reads.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn set_selected(&self, lease: &Lease, feed: Feed, selected: &str) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "UPDATE feeds SET selected = $3 WHERE tenant_id = $1 AND feed = $2";
        tx.execute(sql, values![lease.tenant, feed.as_str(), selected]).await?;
        tx.commit().await
    }
}
