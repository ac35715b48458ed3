//! What people and tokens did: appended, never changed.

use crate::db::Tx;
use crate::error::Result;
use crate::{Store, values};
use model::Value;

/// One thing somebody did.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What, such as `connection.add`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More; never a secret.
    pub detail: Value,
}

/// Appends an entry in the transaction of what it tells of.
pub(crate) async fn append(tx: &mut Tx, actor: &str, action: &str, subject: &str, detail: &Value, now: i64) -> Result<()> {
    let sql = "INSERT INTO audit (at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(sql, values![now, actor, action, subject, detail.to_string()]).await.map(|_| ())
}

impl Store {
    /// Appends an entry.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn append_audit(&self, actor: &str, action: &str, subject: &str, detail: &Value, now: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        append(&mut tx, actor, action, subject, detail, now).await?;
        tx.commit().await
    }

    /// Entries, newest first, before the number `before` (none = from the newest).
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn audit(&self, before: Option<i64>, limit: i64) -> Result<Vec<AuditEntry>> {
        let sql = "SELECT id, at, actor, action, subject, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let rows = self.db.query(sql, values![before.unwrap_or(i64::MAX), limit]).await?;
        rows.iter()
            .map(|r| {
                Ok(AuditEntry {
                    id: r.get(0)?,
                    at: r.get(1)?,
                    actor: r.get(2)?,
                    action: r.get(3)?,
                    subject: r.get(4)?,
                    detail: r.json(5)?,
                })
            })
            .collect()
    }
}
