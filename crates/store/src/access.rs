//! Who may use the product: accounts, sessions, one-time sign-in links, API tokens.
//!
//! Tokens are never stored: callers hash them (SHA-256 of a random token) and the hash is what is looked up.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::{Store, values};
use model::text;

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its key.
    pub id: i64,
    /// The name signed in with.
    pub name: String,
    /// What the account may do, such as `admin`.
    pub role: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether it has a password.
    pub has_password: bool,
}

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub account: Account,
    /// When it was opened, milliseconds since 1970.
    pub opened_at: i64,
    /// When it was last used before this time, milliseconds since 1970, to the minute.
    pub used_at: i64,
    /// When it ends, milliseconds since 1970.
    pub expires_at: i64,
}

/// An API token; the token itself is known to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its key.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Made, milliseconds since 1970.
    pub created_at: i64,
    /// When it ends; none = never.
    pub expires_at: Option<i64>,
    /// Last used.
    pub used_at: Option<i64>,
}

const ACCOUNT: &str = "a.id, a.name, a.role, a.enabled, CASE WHEN a.password_hash IS NULL THEN 0 ELSE 1 END";
const TOKEN: &str = "id, name, scopes, created_at, expires_at, used_at";
/// A session's or token's use is noted at most once a minute, so that reading a page does not write.
const NOTE_EVERY: i64 = 60_000;

fn account(row: &Row) -> Result<Account> {
    Ok(Account { id: row.get(0)?, name: row.get(1)?, role: row.get(2)?, enabled: row.get(3)?, has_password: row.get(4)? })
}

fn token(row: &Row) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: row.json(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        used_at: row.get(5)?,
    })
}

impl Store {
    /// Makes an account without a password.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken, whatever its case.
    pub async fn add_account(&self, name: &str, role: &str, now: i64) -> Result<Account> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO accounts (name, name_key, role, enabled, created_at) VALUES ($1, $2, $3, 1, $4)
             ON CONFLICT (name_key) DO NOTHING RETURNING id";
        let row = tx.query_opt(sql, values![text::trim(name), text::fold(name), role, now]).await?;
        tx.commit().await?;
        let row = row.ok_or_else(|| StoreError::Conflict(format!("There is an account named {name} already.")))?;
        Ok(Account {
            id: row.get(0)?,
            name: text::trim(name).to_owned(),
            role: role.to_owned(),
            enabled: true,
            has_password: false,
        })
    }

    /// All accounts by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let rows = self.db.query(&format!("SELECT {ACCOUNT} FROM accounts a ORDER BY a.name_key"), ()).await?;
        rows.iter().map(account).collect()
    }

    /// An account by the name signed in with, and its password's hash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn account_to_sign_in(&self, name: &str) -> Result<Option<(Account, Option<String>)>> {
        let sql = format!("SELECT {ACCOUNT}, a.password_hash FROM accounts a WHERE a.name_key = $1 AND a.enabled = 1");
        let row = self.db.query_opt(&sql, values![text::fold(name)]).await?;
        row.map(|row| Ok((account(&row)?, row.get(5)?))).transpose()
    }

    /// Sets a password's hash and ends the account's sessions.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_password(&self, account: i64, hash: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if tx.execute("UPDATE accounts SET password_hash = $2 WHERE id = $1", values![account, hash]).await? == 0 {
            return Err(StoreError::missing("account", account));
        }
        tx.execute("DELETE FROM sessions WHERE account_id = $1", values![account]).await?;
        tx.commit().await
    }

    /// Lets an account sign in, or not any more: then its sessions end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn enable_account(&self, account: i64, enabled: bool) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if tx.execute("UPDATE accounts SET enabled = $2 WHERE id = $1", values![account, enabled]).await? == 0 {
            return Err(StoreError::missing("account", account));
        }
        if !enabled {
            tx.execute("DELETE FROM sessions WHERE account_id = $1", values![account]).await?;
        }
        tx.commit().await
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_session(&self, token_hash: &[u8], account: i64, now: i64, expires_at: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.execute("DELETE FROM sessions WHERE expires_at <= $1", values![now]).await?;
        let sql = "INSERT INTO sessions (token_hash, account_id, created_at, used_at, expires_at) VALUES ($1, $2, $3, $3, $4)";
        tx.execute(sql, values![token_hash.to_vec(), account, now, expires_at]).await?;
        tx.commit().await
    }

    /// The session of a token, if it holds; `extend_to` moves its end when it was not used for a minute.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn session(&self, token_hash: &[u8], now: i64, extend_to: i64) -> Result<Option<Session>> {
        let sql = format!(
            "SELECT {ACCOUNT}, s.used_at, s.expires_at, s.created_at FROM sessions s JOIN accounts a ON a.id = s.account_id
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND a.enabled = 1"
        );
        let Some(row) = self.db.query_opt(&sql, values![token_hash.to_vec(), now]).await? else { return Ok(None) };
        let (used_at, mut expires_at): (i64, i64) = (row.get(5)?, row.get(6)?);
        if now - used_at >= NOTE_EVERY {
            expires_at = expires_at.max(extend_to);
            let mut tx = self.db.begin().await?;
            let sql = "UPDATE sessions SET used_at = $2, expires_at = $3 WHERE token_hash = $1";
            tx.execute(sql, values![token_hash.to_vec(), now, expires_at]).await?;
            tx.commit().await?;
        }
        Ok(Some(Session { account: account(&row)?, opened_at: row.get(7)?, used_at, expires_at }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_session(&self, token_hash: &[u8]) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.execute("DELETE FROM sessions WHERE token_hash = $1", values![token_hash.to_vec()]).await?;
        tx.commit().await
    }

    /// Keeps a one-time sign-in link: for an account, or for whoever becomes the first admin.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_sign_in_link(&self, token_hash: &[u8], account: Option<i64>, expires_at: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO sign_in_links (token_hash, account_id, expires_at) VALUES ($1, $2, $3)";
        tx.execute(sql, values![token_hash.to_vec(), account, expires_at]).await?;
        tx.commit().await
    }

    /// Whether a sign-in link would work now; it is not used up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn peek_sign_in_link(&self, token_hash: &[u8], now: i64) -> Result<Option<Option<i64>>> {
        let sql = "SELECT account_id FROM sign_in_links WHERE token_hash = $1 AND expires_at > $2";
        self.db.query_opt(sql, values![token_hash.to_vec(), now]).await?.map(|row| row.get(0)).transpose()
    }

    /// Uses a sign-in link up: it works once, and only before its end. Gives the account it is for, if it is for one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn use_sign_in_link(&self, token_hash: &[u8], now: i64) -> Result<Option<Option<i64>>> {
        let mut tx = self.db.begin().await?;
        let sql = "DELETE FROM sign_in_links WHERE token_hash = $1 RETURNING account_id, expires_at";
        let row = tx.query_opt(sql, values![token_hash.to_vec()]).await?;
        tx.execute("DELETE FROM sign_in_links WHERE expires_at <= $1", values![now]).await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(None) };
        if row.get::<i64>(1)? > now { row.get(0).map(Some) } else { Ok(None) }
    }

    /// Keeps an API token by its hash.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    pub async fn add_api_token(
        &self,
        name: &str,
        token_hash: &[u8],
        scopes: &[String],
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<ApiToken> {
        let mut tx = self.db.begin().await?;
        let sql = format!(
            "INSERT INTO api_tokens (name, token_hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO NOTHING RETURNING {TOKEN}"
        );
        let scopes = crate::db::Value::json(&scopes)?;
        let row =
            tx.query_opt(&sql, vec![name.into(), token_hash.to_vec().into(), scopes, now.into(), expires_at.into()]).await?;
        tx.commit().await?;
        row.as_ref().map_or_else(|| Err(StoreError::Conflict(format!("There is a token named {name} already."))), token)
    }

    /// The token of a hash, if it holds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_token(&self, token_hash: &[u8], now: i64) -> Result<Option<ApiToken>> {
        let sql = format!("SELECT {TOKEN} FROM api_tokens WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)");
        let Some(row) = self.db.query_opt(&sql, values![token_hash.to_vec(), now]).await? else { return Ok(None) };
        let token = token(&row)?;
        if token.used_at.is_none_or(|used| now - used >= NOTE_EVERY) {
            let mut tx = self.db.begin().await?;
            tx.execute("UPDATE api_tokens SET used_at = $2 WHERE id = $1", values![token.id, now]).await?;
            tx.commit().await?;
        }
        Ok(Some(token))
    }

    /// All API tokens by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        self.db.query(&format!("SELECT {TOKEN} FROM api_tokens ORDER BY name"), ()).await?.iter().map(token).collect()
    }

    /// Revokes an API token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_api_token(&self, id: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let gone = tx.execute("DELETE FROM api_tokens WHERE id = $1", values![id]).await?;
        tx.commit().await?;
        if gone == 0 { Err(StoreError::missing("token", id)) } else { Ok(()) }
    }
}
