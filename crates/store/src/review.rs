//! Review items: questions to a person, one for each user at most.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::{Store, values};
use model::plan::ReviewItem;
use model::reason::ReviewWhy;
use model::{RuleId, TenantKey};

/// A review item as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: TenantKey,
    /// `open`, `dismissed` or `closed`.
    pub state: String,
    /// The question.
    pub item: ReviewItem,
    /// The user's name as last told.
    pub user_name: String,
    /// First asked, milliseconds since 1970.
    pub opened_at: i64,
    /// Last changed.
    pub changed_at: i64,
    /// Who dismissed or re-opened it.
    pub decided_by: Option<String>,
}

/// Which items to list, oldest first.
#[derive(Debug, Clone, Default)]
pub struct ReviewFilter {
    /// Of one tenant.
    pub tenant: Option<TenantKey>,
    /// In this state; none = open.
    pub state: Option<String>,
    /// For this reason.
    pub why: Option<ReviewWhy>,
    /// Only items after this number: the cursor.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

const ITEM: &str = "SELECT r.id, r.tenant_id, r.user_id, u.source_id, r.state, r.why, r.rule, r.kind, r.candidates, r.evidence,
    r.other, r.opened_at, r.changed_at, r.decided_by, u.attributes
    FROM review_items r JOIN mirror_users u ON u.id = r.user_id";

/// Reads a stored word back.
pub(crate) fn why(word: &str) -> Result<ReviewWhy> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|e| StoreError::Corrupt(format!("review_items.why: {e}")))
}

fn review(row: &Row) -> Result<Review> {
    let attributes: model::Attributes = row.json(14)?;
    let kind = serde_json::from_value(serde_json::Value::from(row.str(7)?));
    let source_id: model::SourceId = row.get(3)?;
    let name = attributes.text("displayName").or_else(|| attributes.text("userPrincipalName"));
    Ok(Review {
        id: row.get(0)?,
        tenant: row.get(1)?,
        state: row.get(4)?,
        user_name: name.unwrap_or(source_id.as_str()).to_owned(),
        item: ReviewItem {
            user: row.get(2)?,
            source_id,
            why: why(row.str(5)?)?,
            rule: row.get::<Option<String>>(6)?.map(RuleId),
            kind: kind.map_err(|e| StoreError::Corrupt(format!("review_items.kind: {e}")))?,
            candidates: row.json(8)?,
            evidence: row.json(9)?,
            other: row.get(10)?,
        },
        opened_at: row.get(11)?,
        changed_at: row.get(12)?,
        decided_by: row.get(13)?,
    })
}

impl Store {
    /// Review items, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<Review>> {
        let state = filter.state.as_deref().unwrap_or("open");
        let mut sql = format!("{ITEM} WHERE r.state = $1 AND r.id > $2");
        let mut params = values![state, filter.after, filter.limit];
        if let Some(tenant) = filter.tenant {
            params.push(tenant.into());
            sql += &format!(" AND r.tenant_id = ${}", params.len());
        }
        if let Some(why) = filter.why {
            params.push(why.as_str().into());
            sql += &format!(" AND r.why = ${}", params.len());
        }
        sql += " ORDER BY r.id LIMIT $3";
        self.db.query(&sql, params).await?.iter().map(review).collect()
    }

    /// One review item.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn review(&self, id: i64) -> Result<Review> {
        let row = self.db.query_opt(&format!("{ITEM} WHERE r.id = $1"), values![id]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("review item", id)), review)
    }

    /// How many items are open, of one tenant or of all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_reviews(&self, tenant: Option<TenantKey>) -> Result<i64> {
        let sql = match tenant {
            Some(_) => "SELECT COUNT(*) FROM review_items WHERE state = 'open' AND tenant_id = $1",
            None => "SELECT COUNT(*) FROM review_items WHERE state = 'open' AND $1 = 0",
        };
        let row = self.db.query_opt(sql, values![tenant.map_or(0, |t| t.0)]).await?;
        row.map_or(Ok(0), |row| row.get(0))
    }

    /// Dismisses an open item: its user stays out until somebody re-opens it. The user is planned again, so that where they stand
    /// follows.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not open any more.
    pub async fn dismiss_review(&self, id: i64, by: &str, now: i64) -> Result<()> {
        self.decide_review(id, "open", "dismissed", by, now).await
    }

    /// Re-opens a dismissed item: its user is planned again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not dismissed.
    pub async fn reopen_review(&self, id: i64, by: &str, now: i64) -> Result<()> {
        self.decide_review(id, "dismissed", "open", by, now).await
    }

    async fn decide_review(&self, id: i64, from: &str, to: &str, by: &str, now: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE review_items SET state = $3, decided_by = $4, changed_at = $5 WHERE id = $1 AND state = $2
             RETURNING tenant_id, user_id";
        match tx.query_opt(sql, values![id, from, to, by, now]).await? {
            Some(row) => touch::users(&mut tx, row.get(0)?, &[row.get(1)?]).await?,
            None => {
                let row = tx.query_opt("SELECT state FROM review_items WHERE id = $1", values![id]).await?;
                let state: String = row.ok_or_else(|| StoreError::missing("review item", id))?.get(0)?;
                return Err(StoreError::Conflict(format!("Review item {id} is {state} now, not {from}.")));
            }
        }
        tx.commit().await
    }
}
