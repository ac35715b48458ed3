//! PostgreSQL through sqlx: a few connections, and arrays for everything in bulk.

use super::{OnConflict, Row, Value};
use crate::error::{Result, StoreError};
use sqlx::encode::IsNull;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgConnection, PgRow, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Encode, Executor as _, Postgres, Row as _, Type,
    TypeInfo as _, ValueRef as _,
};
use std::collections::HashMap;
use std::future::Future;
use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections of one process. A small server allows 100; several processes share it.
const CONNECTIONS: usize = 8;
/// How long a caller waits for one of them in all, be it that all are taken or that the server is starting.
const ACQUIRE: Duration = Duration::from_secs(15);
/// How often the server is tried while it is starting, at first and at last.
const TRIES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// After so long a connection may be dead without our knowing, so it is asked.
const IDLE: Duration = Duration::from_secs(2);
/// How long its answer is waited for.
const ANSWER: Duration = Duration::from_secs(3);
/// After so long it is not asked any more: something on the way may have forgotten it, and then nobody answers at all.
const RESTED: Duration = Duration::from_secs(4 * 60);
/// Rows of one bulk statement: large enough that the round trip does not count, small enough for a flat memory.
const BULK: usize = 5_000;
/// How long a transaction that was given up stays open unless its connection is used again: reading ends so, and is nearly always
/// followed by something else at once, which then needs no connection of its own.
const GIVEN_UP: Duration = Duration::from_millis(2);
/// The key of the advisory lock held while migrating: "rollcall" in ASCII.
const MIGRATION_LOCK: i64 = 0x726f_6c6c_6361_6c6c;

/// The connections to one database.
#[derive(Clone)]
pub struct Pool {
    home: Arc<Home>,
    columns: Columns,
}

/// Where connections rest. Whoever wants one gets the one that was used last, which has its statements prepared and its catalogues
/// read. sqlx's own pool gives the one that rested longest, after asking each whether it lives when it comes back: a sync that
/// found nothing to do then spent half of its time on getting two or three of them going.
struct Home {
    options: PgConnectOptions,
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
    /// Its transaction was given up, and nobody has told the server.
    open: bool,
}

/// The type of every column, by table and name: what an array of its values is cast to.
type Columns = Arc<RwLock<HashMap<(String, String), String>>>;

impl Home {
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // A statement is planned for the tables as they are: a plan kept from when a table was empty reads it from end to end for every
        // batch of the first sync that fills it.
        connection.execute("SET plan_cache_mode = force_custom_plan").await?;
        Ok(connection)
    }

    /// The same, and waits while the server is starting or has no room.
    async fn connect_patiently(&self) -> Result<PgConnection> {
        let [mut pause, longest] = TRIES;
        loop {
            match self.connect().await {
                Err(error) if is_passing(&error) => tokio::time::sleep(pause).await,
                other => return other.map_err(fault),
            }
            pause = longest.min(pause * 2);
        }
    }

    async fn acquire(self: &Arc<Self>) -> Result<Held> {
        let late = "no connection became free within 15 seconds. Check that the server answers.";
        timeout(ACQUIRE, self.next()).await.unwrap_or_else(|_| Err(StoreError::Unavailable(late.into())))
    }

    async fn next(self: &Arc<Self>) -> Result<Held> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("it is being closed.".into()))?;
        let connection = loop {
            let Some(idle) = self.take(|_| true) else { break self.connect_patiently().await? };
            // One that does not answer is dropped, and the next one is asked.
            if let Some(connection) = idle.ready().await {
                break connection;
            }
        };
        Ok(Held { connection: Some(connection), open: false, state: State::Sound, home: self.clone(), permit: Some(permit) })
    }

    /// Takes out the connection that was used last, of those that fulfil a condition.
    fn take(&self, which: impl Fn(&Idle) -> bool) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().rposition(which).map(|at| idle.remove(at))
    }

    fn put(&self, connection: PgConnection, open: bool) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.permits.is_closed() {
            idle.push(Idle { connection, since: Instant::now(), open });
        }
    }

    /// Ends transactions that were given up, but for those whose connections somebody uses again before.
    async fn end_open(self: Arc<Self>) {
        tokio::time::sleep(GIVEN_UP).await;
        let Ok(_permit) = self.permits.clone().acquire_owned().await else { return };
        while let Some(idle) = self.take(|idle| idle.open) {
            if let Some(connection) = idle.ready().await {
                self.put(connection, false);
            }
        }
    }
}

impl Idle {
    /// The connection, without a transaction; none when it is dead.
    async fn ready(mut self) -> Option<PgConnection> {
        let rested = self.since.elapsed();
        if rested > RESTED {
            return None;
        }
        if self.open || rested > IDLE {
            timeout(ANSWER, end(&mut self.connection, self.open)).await.ok()?.ok()?;
        }
        Some(self.connection)
    }
}

/// Ends what a connection is in the middle of: the rest of an answer, and its transaction if one is open.
async fn end(connection: &mut PgConnection, open: bool) -> Result<(), sqlx::Error> {
    if open { connection.execute("ROLLBACK").await.map(|_| ()) } else { connection.ping().await }
}

/// A connection while it is used.
struct Held {
    connection: Option<PgConnection>,
    /// A transaction is open.
    open: bool,
    state: State,
    home: Arc<Home>,
    permit: Option<OwnedSemaphorePermit>,
}

enum State {
    /// It has answered everything that it was asked.
    Sound,
    /// An answer is on its way. Whoever stops waiting for it leaves it so.
    Asked,
    /// It cannot be used any more.
    Broken,
}

impl Held {
    /// Asks the server something.
    async fn ask<'c, T, F>(&'c mut self, what: impl FnOnce(&'c mut PgConnection) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let connection = self.connection.as_mut().ok_or_else(|| StoreError::Unavailable("the connection was lost.".into()))?;
        self.state = State::Asked;
        let answer = what(connection).await;
        self.state = if answer.as_ref().err().is_some_and(breaks) { State::Broken } else { State::Sound };
        answer.map_err(fault)
    }

    async fn begin(&mut self, how: &'static str) -> Result<()> {
        self.open = true;
        self.ask(|c| c.execute(how)).await.map(|_| ())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(mut connection), home, open) = (self.connection.take(), self.home.clone(), self.open) else { return };
        let runtime = tokio::runtime::Handle::try_current();
        match (&self.state, runtime) {
            (State::Sound, runtime) => {
                home.put(connection, open);
                if let (true, Ok(runtime)) = (open, runtime) {
                    runtime.spawn(home.end_open());
                }
            }
            (State::Asked, Ok(runtime)) => {
                // The server goes on with it, so nobody else gets a connection in its place before it has ended.
                let permit = self.permit.take();
                runtime.spawn(async move {
                    if end(&mut connection, open).await.is_ok() {
                        home.put(connection, false);
                    }
                    drop(permit);
                });
            }
            (State::Asked | State::Broken, _) => {}
        }
    }
}

/// Whether an error leaves the connection it came by unusable.
fn breaks(error: &sqlx::Error) -> bool {
    match error {
        // Class 57P: the server ends the connection after saying so.
        sqlx::Error::Database(d) => d.code().is_some_and(|code| code.starts_with("57P")),
        sqlx::Error::RowNotFound => false,
        _ => true,
    }
}

/// Whether a connection may succeed soon: the server is not there yet, is starting, or has no room just now.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(io) => {
            matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
        }
        sqlx::Error::Database(d) => d.code().is_some_and(|code| matches!(code.as_ref(), "57P03" | "53300")),
        _ => false,
    }
}

impl Pool {
    pub async fn open(url: &str) -> Result<Self> {
        // The error may repeat the address, which may hold a password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address("it cannot be read as a PostgreSQL address.".into()))?
            .application_name("rollcall");
        let home = Home { options, idle: Mutex::default(), permits: Arc::new(Semaphore::new(CONNECTIONS)) };
        // Whoever opens a database wants to know at once what is wrong.
        let connection = match timeout(ACQUIRE, home.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(sqlx::Error::Io(io))) => {
                let server = format!("{}:{}", home.options.get_host(), home.options.get_port());
                let why = format!("the server {server} cannot be reached: {io}. Check address and network.");
                return Err(StoreError::Unavailable(why));
            }
            Ok(Err(error)) => return Err(fault(error)),
            Err(_) => {
                let why = "the server did not answer within 15 seconds. Check address and network.";
                return Err(StoreError::Unavailable(why.into()));
            }
        };
        home.put(connection, false);
        Ok(Self { home: Arc::new(home), columns: Arc::default() })
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

    /// Connections in use end when whoever has them is done.
    pub async fn close(&self) {
        self.home.permits.close();
        while let Some(idle) = self.home.take(|_| true) {
            // It says goodbye; the server would find out by itself.
            let _ = idle.connection.close().await;
        }
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
        self.held.ask(|c| c.execute("COMMIT")).await?;
        self.held.open = false;
        Ok(())
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

fn fault(e: sqlx::Error) -> StoreError {
    match &e {
        sqlx::Error::Database(d) => {
            let state = d.code().unwrap_or_default().into_owned();
            match state.as_str() {
                // Class 22: a value the server cannot hold; class 23: a constraint.
                s if s.starts_with("22") || s.starts_with("23") => StoreError::Constraint(d.message().to_owned()),
                "28P01" | "28000" => {
                    StoreError::Unavailable("the user name or password was refused. Check the database address.".into())
                }
                "3D000" => StoreError::Unavailable("the database does not exist. Create it, or check its name.".into()),
                _ => StoreError::Unavailable(format!("{} (PostgreSQL error {state}).", d.message())),
            }
        }
        sqlx::Error::Io(io) => StoreError::Unavailable(format!("the server cannot be reached: {io}. Check address and network.")),
        _ => StoreError::Unavailable(format!("{e}.")),
    }
}
