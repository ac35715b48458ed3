//! Whether a stored plan still says what it would say now.

use super::stretch;
use crate::error::Result;
use crate::{Store, values};
use model::RunId;

impl Store {
    /// Whether anything a plan was decided from has changed since (ruling 88): a user in it was touched, or a record in it was
    /// changed by somebody. The policy is the caller's to compare.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn plan_is_stale(&self, run: RunId) -> Result<bool> {
        let (from, to) = stretch(run);
        let mut tx = self.db.read().await?;
        let sql = "SELECT 1 FROM changes c JOIN due d ON d.user_id = c.user_id
             WHERE c.id > $1 AND c.id <= $2 AND d.seq > (SELECT planned_seq FROM runs WHERE id = $3) LIMIT 1";
        if tx.query_opt(sql, values![from, to, run]).await?.is_some() {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM changes c LEFT JOIN people p ON p.id = c.person_id
             WHERE c.id > $1 AND c.id <= $2 AND c.person_id IS NOT NULL AND (p.version IS NULL OR p.version <> c.person_version) LIMIT 1";
        Ok(tx.query_opt(sql, values![from, to]).await?.is_some())
    }
}
