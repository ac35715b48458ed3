//! Rejected removals: remembered until one of their inputs changes (ruling 111).

use super::stretch;
use crate::db::Tx;
use crate::error::Result;
use crate::{Store, values};
use model::attributes::Hash;
use model::{RunId, TenantKey, UserKey};
use std::collections::{BTreeMap, HashSet};

/// Remembers the removals of a plan that a person rejected, with what they were decided from. A run of review asks its questions
/// again instead: what was chosen is not what was wanted. A run that takes another back removes nothing that a next plan would.
pub(crate) async fn remember(tx: &mut Tx, run: RunId, grounds: &[(UserKey, Hash)], now: i64) -> Result<()> {
    let row = tx.query_opt("SELECT kind FROM runs WHERE id = $1", values![run]).await?;
    match row.as_ref().map(|row| row.str(0)).transpose()? {
        Some("review") => {
            let sql = "UPDATE review_items SET state = 'open', resolution = NULL, changed_at = $2
                 WHERE run_id = $1 AND state = 'decided'";
            return tx.execute(sql, values![run, now]).await.map(|_| ());
        }
        Some("revert") => return Ok(()),
        _ => {}
    }
    let (from, to) = stretch(run);
    // An earlier rejection that still stands goes on standing beside this one; one that does not would take this one with it.
    let sql = "DELETE FROM rejected WHERE tenant_id = (SELECT tenant_id FROM runs WHERE id = $1) AND EXISTS (
             SELECT 1 FROM rejected r JOIN runs ON runs.id = $1
             LEFT JOIN mirror_users u ON u.id = r.user_id LEFT JOIN people p ON p.id = r.person_id
             WHERE r.tenant_id = runs.tenant_id
                 AND CASE WHEN u.change_hash = r.change_hash AND u.presence = r.presence AND p.version = r.person_version
                     AND r.policy_digest = runs.policy_digest THEN 0 ELSE 1 END = 1)";
    tx.execute(sql, values![run]).await?;
    let sql = "DELETE FROM rejected WHERE tenant_id = (SELECT tenant_id FROM runs WHERE id = $3)
         AND person_id IN (SELECT person_id FROM changes WHERE id > $1 AND id <= $2 AND removal = 1)";
    tx.execute(sql, values![from, to, run]).await?;
    let sql = "INSERT INTO rejected (tenant_id, user_id, person_id, person_version, change_hash, presence, policy_digest)
         SELECT u.tenant_id, u.id, c.person_id, c.person_version, u.change_hash, u.presence, r.policy_digest
         FROM changes c JOIN mirror_users u ON u.id = c.user_id JOIN runs r ON r.id = $3
         WHERE c.id > $1 AND c.id <= $2 AND c.removal = 1 AND c.person_id IS NOT NULL AND r.policy_digest IS NOT NULL";
    tx.execute(sql, values![from, to, run]).await?;
    // Few groups are named, so many users are removed on the same grounds.
    let mut alike: BTreeMap<[u8; 16], Vec<i64>> = BTreeMap::new();
    for (user, hash) in grounds {
        alike.entry(hash.0).or_default().push(user.0);
    }
    for (hash, users) in alike {
        let sql = "UPDATE rejected SET grounds = $2 WHERE user_id IN EACH_INT($3)
             AND tenant_id = (SELECT tenant_id FROM runs WHERE id = $1)";
        tx.execute(sql, values![run, Hash(hash), users]).await?;
    }
    Ok(())
}

/// What sync itself writes to a record is no reason to ask again: the rejection goes on with the version just written.
pub(crate) async fn follow(tx: &mut Tx, tenant: TenantKey, written: Vec<i64>) -> Result<()> {
    let sql = "UPDATE rejected SET person_version = person_version + 1 WHERE tenant_id = $1 AND person_id IN EACH_INT($2)
         AND person_version = (SELECT p.version FROM people p WHERE p.id = rejected.person_id) - 1";
    tx.execute(sql, values![tenant, written]).await.map(|_| ())
}

impl Store {
    /// Users whose removal a plan holds.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn removed_users(&self, run: RunId) -> Result<Vec<UserKey>> {
        let (from, to) = stretch(run);
        let sql = "SELECT DISTINCT user_id FROM changes
             WHERE id > $1 AND id <= $2 AND removal = 1 AND person_id IS NOT NULL ORDER BY user_id";
        self.db.query(sql, values![from, to]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Users whose removal a person rejected and who are due, with the grounds of that removal. Whose grounds change is due, so nobody
    /// else need be looked at.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn rejected_due(&self, tenant: TenantKey) -> Result<Vec<(UserKey, Hash)>> {
        let sql = "SELECT DISTINCT r.user_id, r.grounds FROM rejected r
             JOIN due d ON d.tenant_id = r.tenant_id AND d.user_id = r.user_id
             WHERE r.tenant_id = $1 AND r.grounds IS NOT NULL ORDER BY r.user_id";
        self.db.query(sql, values![tenant]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Users whose removal a person rejected: the whole set while none of its inputs has changed, else nobody. The grounds are for the
    /// planner to compare (see [`Store::rejected_due`]).
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
