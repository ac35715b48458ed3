//! Who is due: users whose facts changed since they were last planned.
//!
//! Every touch carries the tenant's next sequence number, so that a plan made up to number N settles exactly the touches up to N,
//! and one that arrives while the plan waits survives it.

use super::{GROUP, ITSELF, USER};
use crate::db::{OnConflict, Tx};
use crate::error::Result;
use crate::lease::Lease;
use crate::{Store, values};
use model::{GroupKey, TenantKey, UserKey};
use std::collections::{HashMap, HashSet};

const DUE: &[&str] = &["tenant_id", "user_id", "seq"];
const AGAIN: OnConflict = OnConflict::Do("(tenant_id, user_id) DO UPDATE SET seq = excluded.seq");
pub(crate) const EDGE_CHANGE: &[&str] = &["tenant_id", "group_id", "member_id", "kind"];

/// The number of the next touch.
pub(crate) async fn next_seq(tx: &mut Tx, tenant: TenantKey) -> Result<i64> {
    let sql = "UPDATE tenants SET touch_seq = touch_seq + 1 WHERE id = $1 RETURNING touch_seq";
    tx.query_opt(sql, values![tenant]).await?.map_or(Ok(1), |row| row.get(0))
}

/// Touches users by their keys, which are distinct.
pub(crate) async fn users(tx: &mut Tx, tenant: TenantKey, keys: &[i64]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let seq = next_seq(tx, tenant).await?;
    let rows = keys.iter().map(|key| values![tenant, *key, seq]).collect();
    tx.insert_many("due", DUE, rows, AGAIN).await.map(|_| ())
}

/// Touches everyone a query names. It selects tenant, user and `$2`, the number, for the tenant `$1`.
async fn select(tx: &mut Tx, tenant: TenantKey, query: &str) -> Result<u64> {
    let seq = next_seq(tx, tenant).await?;
    let sql = format!(
        "INSERT INTO due (tenant_id, user_id, seq) {query} ON CONFLICT (tenant_id, user_id) DO UPDATE SET seq = excluded.seq"
    );
    tx.execute(&sql, values![tenant, seq]).await
}

/// Touches every user of a tenant that was ever told.
pub(crate) async fn everyone(tx: &mut Tx, tenant: TenantKey) -> Result<u64> {
    let query = "SELECT tenant_id, id, CAST($2 AS BIGINT) FROM mirror_users WHERE tenant_id = $1 AND presence <> 3";
    select(tx, tenant, query).await
}

/// Touches users, of any tenant, who wait for one of these keys.
pub(crate) async fn waiters(tx: &mut Tx, keys: &[(&str, String)]) -> Result<u64> {
    let mut by_kind: HashMap<&str, Vec<String>> = HashMap::new();
    for (kind, key) in keys {
        by_kind.entry(kind).or_default().push(key.clone());
    }
    let mut by_tenant: HashMap<TenantKey, HashSet<i64>> = HashMap::new();
    for (kind, keys) in by_kind {
        let sql = "SELECT tenant_id, user_id FROM waits WHERE kind = $1 AND wait_key IN EACH_TEXT($2)";
        for row in tx.query(sql, values![kind, keys]).await? {
            by_tenant.entry(row.get(0)?).or_default().insert(row.get(1)?);
        }
    }
    let mut touched = 0;
    for (tenant, keys) in by_tenant {
        touched += keys.len() as u64;
        users(tx, tenant, &keys.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(touched)
}

impl Store {
    /// Touches users by their keys.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn touch_users(&self, tenant: TenantKey, keys: &[UserKey]) -> Result<()> {
        let keys: HashSet<i64> = keys.iter().map(|k| k.0).collect();
        let mut tx = self.db.begin().await?;
        users(&mut tx, tenant, &keys.into_iter().collect::<Vec<_>>()).await?;
        tx.commit().await
    }

    /// Touches every user of a tenant: its policy or mapping changed.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn touch_all(&self, tenant: TenantKey) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let touched = everyone(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(touched)
    }

    /// Touches every linked user: a full run looks for drift. Users whom a revert left other than Entra has them are passed over.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn touch_linked(&self, lease: &Lease) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let query = "SELECT DISTINCT l.tenant_id, l.user_id, CAST($2 AS BIGINT) FROM links l WHERE l.tenant_id = $1
             AND NOT EXISTS (SELECT 1 FROM reverted r WHERE r.tenant_id = $1 AND r.user_id = l.user_id)";
        let touched = select(&mut tx, lease.tenant, query).await?;
        tx.commit().await?;
        Ok(touched)
    }

    /// Touches users who wait for one of these keys (see [`model::plan::Wait::parts`]), in whatever tenant.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn touch_waiters(&self, keys: &[(&str, String)]) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let touched = waiters(&mut tx, keys).await?;
        tx.commit().await?;
        Ok(touched)
    }

    /// Touches users whose waiting for an instant is over.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn touch_ripe(&self, lease: &Lease, now: i64) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "SELECT DISTINCT user_id FROM waits
             WHERE tenant_id = $1 AND kind = 'until' AND CAST(wait_key AS BIGINT) <= $2";
        let rows = tx.query(sql, values![lease.tenant, now]).await?;
        let keys: Vec<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        users(&mut tx, lease.tenant, &keys).await?;
        tx.commit().await?;
        Ok(keys.len() as u64)
    }

    /// Touches the users of a rejection that no longer stands, and forgets it: its removals are planned again as a whole, not only
    /// those of the user who changed (ruling 111).
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn touch_lapsed(&self, lease: &Lease) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let rows = tx.query("DELETE FROM rejected WHERE tenant_id = $1 RETURNING user_id", values![lease.tenant]).await?;
        let keys: HashSet<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        users(&mut tx, lease.tenant, &keys.iter().copied().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(keys.len() as u64)
    }

    /// Consumes the log of changed memberships: touches the users whom a change at or below one of the `named` groups concerns,
    /// and tells how many. Groups that reach none of them touch nobody. `named` holds the groups the policy names now and those it
    /// named when it was last applied, so that a renamed or lost group still touches its members.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn touch_from_edges(&self, lease: &Lease, named: &[GroupKey]) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "DELETE FROM edge_changes WHERE tenant_id = $1 RETURNING group_id, member_id, kind";
        let logged = tx.query(sql, values![lease.tenant]).await?;
        if logged.is_empty() {
            return Ok(0);
        }
        let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
        for (outer, inner) in nested(&mut tx, lease.tenant).await? {
            below.entry(outer).or_default().push(inner);
        }
        let mut changes = Vec::with_capacity(logged.len());
        for row in &logged {
            let (group, member, kind): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if kind == GROUP {
                // A removed edge still led somewhere when the users below it were last planned.
                below.entry(group).or_default().push(member);
            }
            changes.push((group, member, kind));
        }
        let relevant = reach(named.iter().map(|g| g.0), &below);
        let (mut people, mut roots) = (HashSet::new(), Vec::new());
        for (group, member, kind) in changes {
            match kind {
                _ if !relevant.contains(&group) => {}
                USER => {
                    people.insert(member);
                }
                GROUP => roots.push(member),
                _ => roots.push(group),
            }
        }
        let groups: Vec<i64> = reach(roots.into_iter(), &below).into_iter().collect();
        if !groups.is_empty() {
            let sql = "SELECT DISTINCT member_id FROM memberships WHERE kind = 0 AND group_id IN EACH_INT($1)";
            for row in tx.query(sql, values![groups]).await? {
                people.insert(row.get(0)?);
            }
        }
        users(&mut tx, lease.tenant, &people.iter().copied().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(people.len() as u64)
    }

    /// How many users of a tenant are due.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn due_count(&self, tenant: TenantKey) -> Result<i64> {
        let row = self.db.query_opt("SELECT COUNT(*) FROM due WHERE tenant_id = $1", values![tenant]).await?;
        row.map_or(Ok(0), |row| row.get(0))
    }
}

/// Nested memberships of a tenant: (outer, inner).
pub(crate) async fn nested(tx: &mut Tx, tenant: TenantKey) -> Result<Vec<(i64, i64)>> {
    let sql = "SELECT m.group_id, m.member_id FROM mirror_groups g JOIN memberships m ON m.group_id = g.id AND m.kind = 1
         WHERE g.tenant_id = $1";
    tx.query(sql, values![tenant]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Logs that a group itself changed.
pub(crate) fn itself(tenant: TenantKey, group: i64) -> Vec<crate::db::Value> {
    values![tenant, group, 0, ITSELF]
}

/// Everything at or below the roots. Cycles end the search, they do not trap it.
fn reach(roots: impl Iterator<Item = i64>, below: &HashMap<i64, Vec<i64>>) -> HashSet<i64> {
    let mut found = HashSet::new();
    let mut open: Vec<i64> = roots.collect();
    while let Some(group) = open.pop() {
        if found.insert(group) {
            open.extend(below.get(&group).into_iter().flatten());
        }
    }
    found
}
