//! What is read of users beside the feeds: dates of sign-ins (ruling 107) and who is assigned to our application (C13). Neither is a
//! change of the user; whoever they decide something about is touched.

use super::touch;
use crate::db::OnConflict;
use crate::error::Result;
use crate::lease::Lease;
use crate::{Store, values};
use model::{SourceId, TenantKey, Value};
use std::collections::{HashMap, HashSet};

/// The pass that reads dates of sign-ins.
pub const SIGN_INS: &str = "sign_ins";

/// The pass that reads who is assigned to our application.
pub const APP_ASSIGNED: &str = "app_assigned";

impl Store {
    /// When a pass was last completed, milliseconds since 1970.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn pass_read_at(&self, tenant: TenantKey, pass: &str) -> Result<Option<i64>> {
        let sql = "SELECT read_at FROM passes WHERE tenant_id = $1 AND pass = $2";
        self.db.query_opt(sql, values![tenant, pass]).await?.map(|row| row.get(0)).transpose()
    }

    /// A pass is completed.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn set_pass_read(&self, lease: &Lease, pass: &str, now: i64) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "INSERT INTO passes (tenant_id, pass, read_at) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, pass) DO UPDATE SET read_at = excluded.read_at";
        tx.execute(sql, values![lease.tenant, pass, now]).await?;
        tx.commit().await
    }

    /// What a pass read is not kept up any more: nobody is to rely on it.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn forget_pass(&self, lease: &Lease, pass: &str) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        tx.execute("DELETE FROM passes WHERE tenant_id = $1 AND pass = $2", values![lease.tenant, pass]).await?;
        tx.commit().await
    }

    /// Takes a page of sign-ins in, as Graph's `signInActivity`, null for none. Who has a record and signed in since is touched. Tells how
    /// many differ from before.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn tell_sign_ins(&self, lease: &Lease, told: &[(SourceId, Value)]) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let ids: Vec<String> = told.iter().map(|(id, _)| id.as_str().to_owned()).collect();
        let sql = "SELECT u.source_id, u.id, s.activity, l.person_id IS NOT NULL FROM mirror_users u
             LEFT JOIN sign_ins s ON s.user_id = u.id LEFT JOIN links l ON l.user_id = u.id AND l.slot = 0
             WHERE u.tenant_id = $1 AND u.source_id IN EACH_TEXT($2)";
        let mut known: HashMap<SourceId, (i64, Option<String>, bool)> = HashMap::new();
        for row in tx.query(sql, values![lease.tenant, ids]).await? {
            let linked: bool = row.get(3)?;
            let one = known.entry(row.get(0)?).or_insert((row.get(1)?, row.get(2)?, linked));
            one.2 |= linked;
        }
        let (mut rows, mut due) = (Vec::new(), Vec::new());
        for (id, activity) in told {
            let Some((key, before, linked)) = known.get(id) else { continue };
            let activity = activity.to_string();
            if before.as_deref().unwrap_or("null") == activity {
                continue;
            }
            rows.push(values![*key, lease.tenant, activity]);
            due.extend(linked.then_some(*key));
        }
        let changed = rows.len() as u64;
        let over = OnConflict::Do("(user_id) DO UPDATE SET activity = excluded.activity");
        tx.insert_many("sign_ins", &["user_id", "tenant_id", "activity"], rows, over).await?;
        touch::users(&mut tx, lease.tenant, &due).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// The mirror's keys of users, and of the direct members of groups.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn keys_of(&self, tenant: TenantKey, users: &[SourceId], groups: &[SourceId]) -> Result<Vec<i64>> {
        let texts = |ids: &[SourceId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        let sql = "SELECT id FROM mirror_users WHERE tenant_id = $1 AND source_id IN EACH_TEXT($2)
             UNION SELECT m.member_id FROM mirror_groups g JOIN memberships m ON m.group_id = g.id AND m.kind = 0
                 WHERE g.tenant_id = $1 AND g.source_id IN EACH_TEXT($3)";
        let rows = self.db.query(sql, values![tenant, texts(users), texts(groups)]).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Keeps who is assigned to our application, by the mirror's keys; whoever is and was not, or the other way round, is touched. Tells
    /// how many those are.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn set_app_assigned(&self, lease: &Lease, assigned: &HashSet<i64>) -> Result<u64> {
        let mut tx = self.begin_fenced(lease).await?;
        let rows = tx.query("SELECT user_id FROM app_assigned WHERE tenant_id = $1", values![lease.tenant]).await?;
        let before: HashSet<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let gone: Vec<i64> = before.difference(assigned).copied().collect();
        let new: Vec<i64> = assigned.difference(&before).copied().collect();
        if gone.is_empty() && new.is_empty() {
            return Ok(0);
        }
        tx.execute("DELETE FROM app_assigned WHERE user_id IN EACH_INT($1)", values![gone.clone()]).await?;
        let rows = new.iter().map(|user| values![*user, lease.tenant]).collect();
        tx.insert_many("app_assigned", &["user_id", "tenant_id"], rows, OnConflict::Skip).await?;
        let changed: Vec<i64> = gone.into_iter().chain(new).collect();
        touch::users(&mut tx, lease.tenant, &changed).await?;
        tx.commit().await?;
        Ok(changed.len() as u64)
    }
}
