//! Rejected removals: remembered until one of their inputs changes (ruling 111).

use super::stretch;
use crate::error::Result;
use crate::{Store, values};
use model::{RunId, TenantKey, UserKey};
use std::collections::HashSet;

impl Store {
    /// Remembers the removals of a plan that a person rejected, with what they were decided from.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn remember_rejection(&self, run: RunId, policy_digest: &str) -> Result<()> {
        let (from, to) = stretch(run);
        let mut tx = self.db.begin().await?;
        tx.execute("DELETE FROM rejected WHERE tenant_id = (SELECT tenant_id FROM runs WHERE id = $1)", values![run]).await?;
        let sql = "INSERT INTO rejected (tenant_id, user_id, person_id, person_version, change_hash, presence, policy_digest)
             SELECT u.tenant_id, u.id, c.person_id, c.person_version, u.change_hash, u.presence, $3
             FROM changes c JOIN mirror_users u ON u.id = c.user_id
             WHERE c.id > $1 AND c.id <= $2 AND c.removal = 1 AND c.person_id IS NOT NULL";
        tx.execute(sql, values![from, to, policy_digest]).await?;
        tx.commit().await
    }

    /// Users whose removal a person rejected: the whole set while none of its inputs has changed, else nobody.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn spared(&self, tenant: TenantKey, policy_digest: &str) -> Result<HashSet<UserKey>> {
        let sql = "SELECT r.user_id,
                CASE WHEN u.change_hash = r.change_hash AND u.presence = r.presence AND p.version = r.person_version
                    AND r.policy_digest = $2 THEN 1 ELSE 0 END
             FROM rejected r LEFT JOIN mirror_users u ON u.id = r.user_id LEFT JOIN people p ON p.id = r.person_id
             WHERE r.tenant_id = $1";
        let mut spared = HashSet::new();
        for row in self.db.query(sql, values![tenant, policy_digest]).await? {
            if !row.get::<bool>(1)? {
                return Ok(HashSet::new());
            }
            spared.insert(row.get(0)?);
        }
        Ok(spared)
    }
}
