//! Policy documents, a version for every save.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::{Store, values};
use model::{TenantKey, UserKey};

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Whose it is: `default`, `template:NAME` or `tenant:KEY`.
    pub scope: String,
    /// Counts up from 1 in each scope.
    pub version: i64,
    /// The document as written.
    pub text: String,
    /// The digest of the effective policy when it was saved.
    pub digest: String,
    /// Who saved it.
    pub author: String,
    /// When, milliseconds since 1970.
    pub saved_at: i64,
}

/// Users touched with one statement: some megabytes of it.
const TOUCHED: usize = 10_000;

const CONTESTED: &str = "Somebody else saved this policy at the same time. Look at it, then save again.";

const POLICY: &str = "SELECT scope, version, document, digest, author, saved_at FROM policies";

fn policy(row: &Row) -> Result<PolicyVersion> {
    Ok(PolicyVersion {
        scope: row.get(0)?,
        version: row.get(1)?,
        text: row.get(2)?,
        digest: row.get(3)?,
        author: row.get(4)?,
        saved_at: row.get(5)?,
    })
}

impl Store {
    /// Saves a document as the newest version of its scope; gives the version. A text equal to the newest is no new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody saved at the same instant.
    pub async fn save_policy(&self, scope: &str, text: &str, author: &str, digest: &str, now: i64) -> Result<i64> {
        let seen = self.policy(scope).await?.map(|p| p.version);
        self.save_policy_touching(scope, text, author, digest, seen, &[], now).await
    }

    /// The same, and touches the users whom it affects in the same transaction, so that no policy decides without them. `seen` is the
    /// newest version they were found by.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another version was saved since `seen`.
    #[expect(clippy::too_many_arguments, reason = "a version is made of all of them, and they meet nowhere else")]
    pub async fn save_policy_touching(
        &self,
        scope: &str,
        text: &str,
        author: &str,
        digest: &str,
        seen: Option<i64>,
        touched: &[(TenantKey, Vec<UserKey>)],
        now: i64,
    ) -> Result<i64> {
        let mut tx = self.db.begin().await?;
        let newest = tx.query_opt(&format!("{POLICY} WHERE scope = $1 ORDER BY version DESC LIMIT 1"), values![scope]).await?;
        let newest = newest.as_ref().map(policy).transpose()?;
        if newest.as_ref().map(|p| p.version) != seen {
            return Err(StoreError::Conflict(CONTESTED.into()));
        }
        if let Some(same) = newest.as_ref().filter(|p| p.text == text && p.digest == digest) {
            return Ok(same.version);
        }
        let version = newest.map_or(1, |p| p.version + 1);
        let sql = "INSERT INTO policies (scope, version, document, digest, author, saved_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (scope, version) DO NOTHING";
        if tx.execute(sql, values![scope, version, text, digest, author, now]).await? == 0 {
            return Err(StoreError::Conflict(CONTESTED.into()));
        }
        for (tenant, users) in touched {
            for users in users.chunks(TOUCHED) {
                let keys: Vec<i64> = users.iter().map(|user| user.0).collect();
                touch::users(&mut tx, *tenant, &keys).await?;
            }
        }
        tx.commit().await?;
        Ok(version)
    }

    /// The newest version of a scope's document.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn policy(&self, scope: &str) -> Result<Option<PolicyVersion>> {
        let sql = format!("{POLICY} WHERE scope = $1 ORDER BY version DESC LIMIT 1");
        self.db.query_opt(&sql, values![scope]).await?.as_ref().map(policy).transpose()
    }

    /// One version of a scope's document.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn policy_version(&self, scope: &str, version: i64) -> Result<PolicyVersion> {
        let row = self.db.query_opt(&format!("{POLICY} WHERE scope = $1 AND version = $2"), values![scope, version]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("policy version", version)), policy)
    }

    /// All versions of a scope's document, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn policy_versions(&self, scope: &str) -> Result<Vec<PolicyVersion>> {
        let sql = format!("{POLICY} WHERE scope = $1 ORDER BY version DESC");
        self.db.query(&sql, values![scope]).await?.iter().map(policy).collect()
    }
}
