//! Rounds of a feed: where reading stands, and what a completed one concludes about who was not told.

use super::{presence_code, touch};
use crate::db::{OnConflict, Row, Value};
use crate::error::Result;
use crate::lease::Lease;
use crate::{Store, values};
use model::directory::{Cursor, Feed, Presence};
use model::{SourceId, TenantKey, UserKey};

/// Where a feed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// What to read next.
    pub cursor: Cursor,
    /// The round under way, or the last one; counts up, 0 before the first.
    pub round: i64,
    /// Whether that round reads everything.
    pub full: bool,
    /// Users held as present now (feed `users` only).
    pub present: i64,
    /// Users held as present when the round began.
    pub mirror_before: i64,
    /// Users the round found absent without a tombstone.
    pub absentees: i64,
    /// When that round was completed, milliseconds since 1970; none while it is under way.
    pub round_done_at: Option<i64>,
}

impl FeedState {
    fn fresh() -> Self {
        Self { cursor: Cursor::Refresh, round: 0, full: true, present: 0, mirror_before: 0, absentees: 0, round_done_at: None }
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            cursor: row.json(0)?,
            round: row.get(1)?,
            full: row.get(2)?,
            present: row.get(3)?,
            mirror_before: row.get(4)?,
            absentees: row.get(5)?,
            round_done_at: row.get(6)?,
        })
    }
}

impl Store {
    /// Where a feed stands.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn feed_state(&self, tenant: TenantKey, feed: Feed) -> Result<FeedState> {
        let sql = "SELECT cursor, round, complete, present, mirror_before, absentees, round_done_at FROM feeds
             WHERE tenant_id = $1 AND feed = $2";
        let row = self.db.query_opt(sql, values![tenant, feed.as_str()]).await?;
        row.as_ref().map_or_else(|| Ok(FeedState::fresh()), FeedState::read)
    }

    /// Begins a round and gives its number: a full one forgets the cursor and who was seen, another goes on from the cursor.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn begin_round(&self, lease: &Lease, feed: Feed, full: bool) -> Result<i64> {
        let mut tx = self.begin_fenced(lease).await?;
        let refresh = Value::json(&Cursor::Refresh)?;
        let sql = "INSERT INTO feeds (tenant_id, feed, cursor, round, complete, present, mirror_before, round_new, absentees)
             VALUES ($1, $2, $3, 1, $4, 0, 0, 0, 0)
             ON CONFLICT (tenant_id, feed) DO UPDATE SET round = feeds.round + 1, complete = excluded.complete,
                mirror_before = feeds.present, round_new = 0, absentees = 0, round_done_at = NULL,
                cursor = CASE WHEN excluded.complete = 1 THEN excluded.cursor ELSE feeds.cursor END
             RETURNING round";
        let row = tx.query_opt(sql, vec![lease.tenant.into(), feed.as_str().into(), refresh, full.into()]).await?;
        if full && feed == Feed::Users {
            tx.execute("DELETE FROM seen WHERE tenant_id = $1", values![lease.tenant]).await?;
        }
        tx.commit().await?;
        row.map_or(Ok(1), |row| row.get(0))
    }

    /// Users held as present that the full round under way has not told, in key order from `after` on. Ask once all pages are in;
    /// outside a full round nobody is absent.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn absentees(&self, tenant: TenantKey, after: UserKey, limit: i64) -> Result<Vec<(UserKey, SourceId)>> {
        let mut tx = self.db.read().await?;
        // Everyone accounted for is the usual case, and telling that needs no look at the mirror's fat rows.
        let sql = "SELECT f.present - f.round_new - (SELECT COUNT(*) FROM seen WHERE tenant_id = $1), f.round FROM feeds f
             WHERE f.tenant_id = $1 AND f.feed = 'users' AND f.complete = 1 AND f.round_done_at IS NULL";
        let Some(row) = tx.query_opt(sql, values![tenant]).await? else { return Ok(Vec::new()) };
        if row.get::<i64>(0)? == 0 {
            return Ok(Vec::new());
        }
        let sql = "SELECT u.id, u.source_id FROM mirror_users u
             WHERE u.tenant_id = $1 AND u.presence = 0 AND u.first_round <> $2 AND u.id > $3
               AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.tenant_id = $1 AND s.user_id = u.id)
             ORDER BY u.id LIMIT $4";
        let rows = tx.query(sql, values![tenant, row.get::<i64>(1)?, after, limit]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Marks absent users as deleted (found among the deleted items) or missing, and touches them.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn mark_absent(&self, lease: &Lease, users: &[UserKey], presence: Presence) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        let keys: Vec<i64> = users.iter().map(|u| u.0).collect();
        let sql = "UPDATE mirror_users SET presence = $1 WHERE presence = 0 AND id IN EACH_INT($2)";
        let gone = i64::try_from(tx.execute(sql, values![presence_code(presence), keys.clone()]).await?).unwrap_or(0);
        let sql = "UPDATE feeds SET present = present - $2, absentees = absentees + $3 WHERE tenant_id = $1 AND feed = 'users'";
        // Found among the deleted items is as good as a tombstone: only what is merely missing is shrinkage (ruling 84).
        let absent = if presence == Presence::Missing { gone } else { 0 };
        tx.execute(sql, values![lease.tenant, gone, absent]).await?;
        touch::users(&mut tx, lease.tenant, &keys).await?;
        tx.commit().await
    }

    /// Closes a round. After a full round of groups, groups and memberships it did not tell are gone.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn complete_round(&self, lease: &Lease, feed: Feed, log_edges: bool, now: i64) -> Result<FeedState> {
        let mut tx = self.begin_fenced(lease).await?;
        let sql = "UPDATE feeds SET round_done_at = $3 WHERE tenant_id = $1 AND feed = $2 RETURNING round, complete";
        if let Some(row) = tx.query_opt(sql, values![lease.tenant, feed.as_str(), now]).await? {
            let (round, full): (i64, bool) = (row.get(0)?, row.get(1)?);
            match feed {
                Feed::Groups if full => {
                    let sql = "DELETE FROM memberships
                         WHERE round <> $2 AND group_id IN (SELECT id FROM mirror_groups WHERE tenant_id = $1)
                         RETURNING group_id, member_id, kind";
                    let gone = tx.query(sql, values![lease.tenant, round]).await?;
                    let sql = "UPDATE mirror_groups SET present = 0 WHERE tenant_id = $1 AND round <> $2 AND present = 1";
                    tx.execute(sql, values![lease.tenant, round]).await?;
                    if log_edges {
                        let edges: Result<Vec<_>> = gone
                            .iter()
                            .map(|r| Ok(values![lease.tenant, r.get::<i64>(0)?, r.get::<i64>(1)?, r.get::<i64>(2)?]))
                            .collect();
                        tx.insert_many("edge_changes", touch::EDGE_CHANGE, edges?, OnConflict::Fail).await?;
                    }
                }
                Feed::Users if full => {
                    tx.execute("DELETE FROM seen WHERE tenant_id = $1", values![lease.tenant]).await?;
                }
                _ => {}
            }
        }
        tx.commit().await?;
        self.feed_state(lease.tenant, feed).await
    }
}
