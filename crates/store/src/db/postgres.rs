//! PostgreSQL through sqlx: a few connections, and arrays for everything in bulk.

use super::connections::{Held, Home};
use super::{OnConflict, Row, Value};
use crate::error::{Result, StoreError};
use sqlx::encode::IsNull;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column as _, Encode, Executor as _, Postgres, Row as _, Type, TypeInfo as _, ValueRef as _};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

/// Rows of one bulk statement: large enough that the round trip does not count, small enough for a flat memory.
const BULK: usize = 5_000;
/// The key of the advisory lock held while migrating: "rollcall" in ASCII.
const MIGRATION_LOCK: i64 = 0x726f_6c6c_6361_6c6c;

/// The connections to one database.
#[derive(Clone)]
pub struct Pool {
    home: Arc<Home>,
    columns: Columns,
}

/// The type of every column, by table and name: what an array of its values is cast to.
type Columns = Arc<RwLock<HashMap<(String, String), String>>>;

impl Pool {
    pub async fn open(url: &str) -> Result<Self> {
        // The error may repeat the address, which may hold a password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address("it cannot be read as a PostgreSQL address.".into()))?
            .application_name("rollcall");
        Ok(Self { home: Arc::new(Home::open(options).await?), columns: Arc::default() })
    }

    /// Forgets what is known of columns: they may be others now.
    pub fn forget_columns(&self) {
        self.columns.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub async fn begin(&self) -> Result<Tx> {
        self.begin_as("BEGIN").await
    }

    /// Does not wait until what it commits is on the disk: as with SQLite's log, a server that dies may lose the last of it, never an
    /// earlier one before a later one.
    pub async fn begin_quick(&self) -> Result<Tx> {
        self.begin_as("BEGIN; SET LOCAL synchronous_commit TO off").await
    }

    pub async fn read(&self) -> Result<Tx> {
        self.begin_as("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin_as(&self, how: &'static str) -> Result<Tx> {
        let mut held = self.home.acquire().await?;
        held.begin(how).await?;
        Ok(Tx { held, columns: self.columns.clone() })
    }

    pub async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let mut held = self.home.acquire().await?;
        query(&mut held, sql, params).await
    }

    pub async fn close(&self) {
        self.home.close().await;
    }
}

/// A transaction.
pub struct Tx {
    held: Held,
    columns: Columns,
}

impl Tx {
    pub async fn execute(&mut self, sql: &str, params: Vec<Value>) -> Result<u64> {
        let query = bind(AssertSqlSafe(translate(sql)), params);
        Ok(self.held.ask(|c| query.execute(c)).await?.rows_affected())
    }

    pub async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        query(&mut self.held, sql, params).await
    }

    pub async fn insert_many(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
        conflict: OnConflict,
    ) -> Result<u64> {
        let kinds = self.kinds(table, columns).await?;
        let arrays: Vec<String> = kinds.iter().enumerate().map(|(i, kind)| format!("${}::{kind}[]", i + 1)).collect();
        let sql =
            format!("INSERT INTO {table} ({}) SELECT * FROM UNNEST({}){}", columns.join(", "), arrays.join(", "), conflict.sql());
        self.in_bulk(&sql, &kinds, rows).await
    }

    pub async fn update_many(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<u64> {
        let kinds = self.kinds(table, columns).await?;
        let arrays: Vec<String> = kinds.iter().enumerate().map(|(i, kind)| format!("${}::{kind}[]", i + 1)).collect();
        let sets: Vec<String> = columns.iter().skip(1).map(|c| format!("{c} = new_values.{c}")).collect();
        let sql = format!(
            "UPDATE {table} SET {} FROM UNNEST({}) AS new_values({}) WHERE {table}.{key} = new_values.{key}",
            sets.join(", "),
            arrays.join(", "),
            columns.join(", "),
            key = columns[0],
        );
        self.in_bulk(&sql, &kinds, rows).await
    }

    pub async fn fresh_ids(&mut self, table: &str, n: usize) -> Result<Vec<i64>> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        // The sequence is found once, not for each id.
        let sql = "SELECT nextval(s.sequence) FROM
             (SELECT pg_get_serial_sequence($1, 'id')::regclass AS sequence OFFSET 0) s, generate_series(1, $2)";
        self.query(sql, vec![Value::from(table), Value::Int(n)]).await?.iter().map(|row| row.get(0)).collect()
    }

    pub async fn script(&mut self, sql: &str) -> Result<()> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.held.ask(|c| c.execute(sql)).await.map(|_| ())
    }

    pub async fn lock_schema(&mut self) -> Result<()> {
        self.query("SELECT 1 FROM pg_advisory_xact_lock($1)", vec![Value::Int(MIGRATION_LOCK)]).await.map(|_| ())
    }

    pub async fn commit(mut self) -> Result<()> {
        self.held.commit().await
    }

    async fn kinds(&mut self, table: &str, columns: &[&str]) -> Result<Vec<String>> {
        if self.columns.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let known = columns_of(&mut self.held).await?;
            *self.columns.write().unwrap_or_else(PoisonError::into_inner) = known;
        }
        let known = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        let kind = |column: &&str| {
            known
                .get(&(table.to_owned(), (*column).to_owned()))
                .cloned()
                .ok_or_else(|| StoreError::Corrupt(format!("table {table} has no column {column}")))
        };
        columns.iter().map(kind).collect()
    }

    async fn in_bulk(&mut self, sql: &str, kinds: &[String], mut rows: Vec<Vec<Value>>) -> Result<u64> {
        let mut written = 0;
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(BULK));
            let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
            for (i, kind) in kinds.iter().enumerate() {
                let column = rows.iter_mut().map(|row| std::mem::replace(&mut row[i], Value::Null));
                query = match kind.as_str() {
                    "bigint" => query.bind(column.map(int).collect::<Result<Vec<_>>>()?),
                    "bytea" => query.bind(column.map(bytes).collect::<Result<Vec<_>>>()?),
                    _ => query.bind(column.map(text).collect::<Result<Vec<_>>>()?),
                };
            }
            written += self.held.ask(|c| query.execute(c)).await?.rows_affected();
            rows = rest;
        }
        Ok(written)
    }
}

async fn query(held: &mut Held, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
    let query = bind(AssertSqlSafe(translate(sql)), params);
    held.ask(|c| query.fetch_all(c)).await?.iter().map(read_row).collect()
}

async fn columns_of(held: &mut Held) -> Result<HashMap<(String, String), String>> {
    // Not from the information schema, whose views take several times as long.
    let sql = "SELECT c.relname::text, a.attname::text, a.atttypid::regtype::text
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind = 'r'
                 AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = query(held, sql, Vec::new()).await?;
    rows.iter().map(|row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).collect()
}

fn int(value: Value) -> Result<Option<i64>> {
    match value {
        Value::Null => Ok(None),
        Value::Int(n) => Ok(Some(n)),
        _ => Err(StoreError::Invalid("A number column was given something else.".into())),
    }
}

fn text(value: Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::Text(s) => Ok(Some(storable(s))),
        _ => Err(StoreError::Invalid("A text column was given something else.".into())),
    }
}

fn bytes(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::Null => Ok(None),
        Value::Bytes(b) => Ok(Some(b)),
        _ => Err(StoreError::Invalid("A bytes column was given something else.".into())),
    }
}

/// PostgreSQL's texts cannot hold U+0000, SQLite's can: U+0001 stands for it, so that a key still differs from its neighbours, and a
/// group's name from any that a policy can hold, since those have no control characters.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{1}") } else { text }
}

fn bind(sql: AssertSqlSafe<String>, params: Vec<Value>) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(sql);
    for value in params {
        query = match value {
            Value::Null => query.bind(Nothing),
            Value::Int(n) => query.bind(n),
            Value::Text(s) => query.bind(storable(s)),
            Value::Bytes(b) => query.bind(b),
            Value::Ints(list) => query.bind(list),
            Value::Texts(list) => query.bind(list.into_iter().map(storable).collect::<Vec<_>>()),
        };
    }
    query
}

/// A null of whatever type the server expects in its place.
struct Nothing;

impl Type<Postgres> for Nothing {
    fn type_info() -> PgTypeInfo {
        // Type 0 is the protocol's "unspecified".
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Nothing {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, sqlx::error::BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn read_row(row: &PgRow) -> Result<Row> {
    let mut values = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let kind = row.column(i).type_info().name();
        let null = row.try_get_raw(i).map_err(fault)?.is_null();
        values.push(match kind {
            _ if null => Value::Null,
            "INT8" => Value::Int(row.try_get(i).map_err(fault)?),
            "INT4" => Value::Int(i64::from(row.try_get::<i32, _>(i).map_err(fault)?)),
            "BOOL" => Value::Int(i64::from(row.try_get::<bool, _>(i).map_err(fault)?)),
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(i).map_err(fault)?),
            "BYTEA" => Value::Bytes(row.try_get(i).map_err(fault)?),
            other => return Err(StoreError::Corrupt(format!("column {i} of an answer is of the type {other}"))),
        });
    }
    Ok(Row(values))
}

/// Our SQL in PostgreSQL's words.
fn translate(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 32);
    let mut rest = sql;
    while let Some(at) = rest.find("IN EACH_") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (word, kind) = if rest.starts_with("IN EACH_INT(") { ("IN EACH_INT(", "bigint") } else { ("IN EACH_TEXT(", "text") };
        let end = rest.find(')').unwrap_or(rest.len() - 1);
        // An array and not a subquery of it: with that, a table that is not measured yet would be read from end to end.
        out.push_str(&format!("= ANY({}::{kind}[])", &rest[word.len()..end]));
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

pub fn schema(portable: &str) -> String {
    portable
        .replace("{ID}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
        .replace("{BULK_ID}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
        .replace("{KEY}", "BIGINT PRIMARY KEY")
        .replace("{BYTES}", "BYTEA")
        .replace("{NARROW}", "")
        // Texts sort by their bytes on every server, as they do in SQLite (ruling 20).
        .replace(" TEXT", " TEXT COLLATE \"C\"")
}

pub(super) fn fault(e: sqlx::Error) -> StoreError {
    match &e {
        sqlx::Error::Database(d) => {
            let state = d.code().unwrap_or_default().into_owned();
            match state.as_str() {
                // Class 22: a value the server cannot hold; class 23: a constraint.
                s if s.starts_with("22") || s.starts_with("23") => StoreError::Constraint(d.message().to_owned()),
                "28P01" | "28000" => {
                    StoreError::Unavailable("the user name or password was refused. Check the database address.".into())
                }
                // Class 57P: an operator's doing.
                s if s.starts_with("57P") => StoreError::Unavailable(format!(
                    "the server is being stopped or restarted ({}). Nothing is half done: try again once it runs.",
                    d.message()
                )),
                "3D000" => StoreError::Unavailable("the database does not exist. Create it, or check its name.".into()),
                _ => StoreError::Unavailable(format!("{} (PostgreSQL error {state}).", d.message())),
            }
        }
        sqlx::Error::Io(io) => StoreError::Unavailable(format!("the server cannot be reached: {io}. Check address and network.")),
        _ => StoreError::Unavailable(format!("{e}.")),
    }
}
