//! The one place that knows SQLite from PostgreSQL.
//!
//! SQL above this module is written once, for both, with these habits:
//! - placeholders are `$1`, `$2`, …; `$` stands for nothing else;
//! - `IN EACH_INT($1)` and `IN EACH_TEXT($1)` take a list as one parameter ([`Value::Ints`], [`Value::Texts`]);
//! - every integer is a BIGINT, a boolean is 0 or 1, a time is milliseconds since 1970, JSON is text, a hash is bytes;
//! - sums are cast (`CAST(SUM(x) AS BIGINT)`), because PostgreSQL makes them numeric.

mod connections;
mod postgres;
mod sqlite;
mod value;

pub use value::{Params, Row, Value};

use crate::error::{Result, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A database: a pool of connections.
#[derive(Clone)]
pub struct Db {
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

/// What happens when a row to insert meets one with the same key.
#[derive(Debug, Clone, Copy)]
pub enum OnConflict {
    /// The insert fails.
    Fail,
    /// The row is left out.
    Skip,
    /// The text after `ON CONFLICT`, such as `(id) DO UPDATE SET name = excluded.name`.
    Do(&'static str),
}

impl OnConflict {
    fn sql(self) -> String {
        match self {
            OnConflict::Fail => String::new(),
            OnConflict::Skip => " ON CONFLICT DO NOTHING".to_owned(),
            OnConflict::Do(action) => format!(" ON CONFLICT {action}"),
        }
    }
}

impl Db {
    /// Opens a database by its address: `sqlite://PATH` (created if absent) or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Address`] and [`StoreError::Unavailable`].
    pub async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            let path = path.split('?').next().unwrap_or(path);
            if path.is_empty() || path.contains(":memory:") {
                return Err(StoreError::Address(
                    "an SQLite database is a file, so that several connections can share it.".into(),
                ));
            }
            return Ok(Self { inner: Inner::Sqlite(sqlite::Pool::open(path)?) });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self { inner: Inner::Postgres(postgres::Pool::open(url).await?) });
        }
        // The address itself may hold a password, so it is not repeated.
        Err(StoreError::Address("it begins with neither sqlite:// nor postgres://.".into()))
    }

    /// Begins a transaction that writes. On SQLite there is one at a time. Dropping it undoes everything.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.inner {
            Inner::Sqlite(pool) => TxInner::Sqlite(pool.begin().await?),
            Inner::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner, count: None })
    }

    /// The same for what is done again when it is lost: a server that loses its power may forget the last of these, and what was begun
    /// after them, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_quick(&self) -> Result<Tx> {
        let inner = match &self.inner {
            // Is so in any case: its log is written, and comes to the disk with a checkpoint.
            Inner::Sqlite(pool) => TxInner::Sqlite(pool.begin().await?),
            Inner::Postgres(pool) => TxInner::Postgres(pool.begin_quick().await?),
        };
        Ok(Tx { inner, count: None })
    }

    /// Begins a transaction that only reads, from one snapshot.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        let inner = match &self.inner {
            Inner::Sqlite(pool) => TxInner::Sqlite(pool.read().await?),
            Inner::Postgres(pool) => TxInner::Postgres(pool.read().await?),
        };
        Ok(Tx { inner, count: None })
    }

    /// One query on its own.
    ///
    /// # Errors
    /// As for [`Tx::query`].
    pub async fn query(&self, sql: &str, params: impl Params) -> Result<Vec<Row>> {
        match &self.inner {
            Inner::Sqlite(pool) => pool.read_one(sql, params.into_values()).await,
            Inner::Postgres(pool) => pool.query(sql, params.into_values()).await,
        }
    }

    /// One query on its own, for its first row.
    ///
    /// # Errors
    /// As for [`Tx::query`].
    pub async fn query_opt(&self, sql: &str, params: impl Params) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The schema text in this database's words: `{ID}`, `{BYTES}` and the collation of texts.
    pub(crate) fn schema(&self, portable: &str) -> String {
        match &self.inner {
            Inner::Sqlite(_) => sqlite::schema(portable),
            Inner::Postgres(_) => postgres::schema(portable),
        }
    }

    /// Whether a table exists.
    pub(crate) async fn has_table(&self, name: &str) -> Result<bool> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
            Inner::Postgres(_) => {
                "SELECT 1 FROM pg_class
                 WHERE relname = $1 AND relkind = 'r' AND relnamespace = to_regnamespace(quote_ident(current_schema()))"
            }
        };
        Ok(self.query_opt(sql, vec![Value::from(name)]).await?.is_some())
    }

    /// Takes what is needed so that only one process migrates at a time; held until the transaction ends.
    pub(crate) async fn lock_schema(&self, tx: &mut Tx) -> Result<()> {
        match &mut tx.inner {
            // A writing transaction is already alone.
            TxInner::Sqlite(_) => Ok(()),
            TxInner::Postgres(tx) => tx.lock_schema().await,
        }
    }

    /// After the schema changed: what is known of columns is forgotten, and read when it is next needed.
    pub(crate) fn forget_schema(&self) {
        if let Inner::Postgres(pool) = &self.inner {
            pool.forget_columns();
        }
    }

    /// After much was written to these tables: what the database believes of them is measured anew, where it plans by that.
    /// Without it, a first plan right after a first read is made by tables believed empty.
    pub(crate) async fn measure(&self, tables: &str) -> Result<()> {
        match &self.inner {
            // SQLite has fixed orders where it matters, written into the queries.
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(_) => {
                let mut tx = self.begin().await?;
                tx.script(&format!("ANALYZE {tables}")).await?;
                tx.commit().await
            }
        }
    }

    /// What the database calls itself, for `doctor` and logs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn describe(&self) -> Result<String> {
        let sql = match &self.inner {
            Inner::Sqlite(_) => "SELECT 'SQLite ' || sqlite_version()",
            Inner::Postgres(_) => "SELECT 'PostgreSQL ' || current_setting('server_version')",
        };
        self.query(sql, ()).await?.first().map_or_else(|| Ok(String::new()), |row| row.get(0))
    }

    /// Closes every connection, after writing what is still in memory to disk.
    pub async fn close(&self) {
        match &self.inner {
            Inner::Sqlite(pool) => pool.close().await,
            Inner::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction. Nothing is kept unless [`Tx::commit`] is reached.
pub struct Tx {
    inner: TxInner,
    /// Where its number is noted once it is committed.
    count: Option<(Arc<AtomicI64>, i64)>,
}

enum TxInner {
    Sqlite(sqlite::Tx),
    Postgres(postgres::Tx),
}

impl Tx {
    /// Runs a statement and tells how many rows it touched.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] when a row is refused, [`StoreError::Unavailable`] otherwise.
    pub async fn execute(&mut self, sql: &str, params: impl Params) -> Result<u64> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.execute(sql, params.into_values()),
            TxInner::Postgres(tx) => tx.execute(sql, params.into_values()).await,
        }
    }

    /// Runs a query.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn query(&mut self, sql: &str, params: impl Params) -> Result<Vec<Row>> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.query(sql, params.into_values()),
            TxInner::Postgres(tx) => tx.query(sql, params.into_values()).await,
        }
    }

    /// Runs a query for its first row.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn query_opt(&mut self, sql: &str, params: impl Params) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Inserts rows in bulk and tells how many were written.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn insert_many(
        &mut self,
        table: &'static str,
        columns: &'static [&'static str],
        rows: Vec<Vec<Value>>,
        conflict: OnConflict,
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.insert_many(table, columns, rows, conflict),
            TxInner::Postgres(tx) => tx.insert_many(table, columns, rows, conflict).await,
        }
    }

    /// Updates rows in bulk by their `id`, the first column, and tells how many were written.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn update_many(
        &mut self,
        table: &'static str,
        columns: &'static [&'static str],
        rows: Vec<Vec<Value>>,
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.update_many(table, columns, rows),
            TxInner::Postgres(tx) => tx.update_many(table, columns, rows).await,
        }
    }

    /// Sets aside `n` fresh ids of a table whose rows are inserted in bulk. Ids are never given twice.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn fresh_ids(&mut self, table: &'static str, n: usize) -> Result<std::vec::IntoIter<i64>> {
        if n == 0 {
            return Ok(Vec::new().into_iter());
        }
        let ids = match &mut self.inner {
            TxInner::Sqlite(tx) => tx.fresh_ids(table, n)?,
            TxInner::Postgres(tx) => tx.fresh_ids(table, n).await?,
        };
        Ok(ids.into_iter())
    }

    /// Runs several statements without parameters.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.script(sql),
            TxInner::Postgres(tx) => tx.script(sql).await,
        }
    }

    /// Keeps everything done since the transaction began.
    ///
    /// # Errors
    /// As for [`Tx::execute`].
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit()?,
            TxInner::Postgres(tx) => tx.commit().await?,
        }
        if let Some((last, number)) = self.count {
            last.fetch_max(number, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Notes a number in `last` when this is committed.
    pub(crate) fn counting(&mut self, last: Arc<AtomicI64>, number: i64) {
        self.count = Some((last, number));
    }
}

/// Values of one row to insert or of one statement's parameters.
#[macro_export]
#[doc(hidden)]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}
