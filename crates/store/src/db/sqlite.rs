//! SQLite through rusqlite: one writer, a few readers, write-ahead log.
//!
//! SQLite has no network to wait for: statements run on the calling task's thread, which tells the runtime that it blocks.

use super::{OnConflict, Row, Value};
use crate::error::{Result, StoreError};
use rusqlite::hooks::Wal;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Other processes (a `sync` beside a `serve`) write too; their longest transaction is a page or a batch, far below this.
const BUSY: Duration = Duration::from_secs(10);
/// The writer's cache in KiB: ten thousand new people among a hundred thousand touch some 20 MB of index pages. With less, index pages are
/// written and read back within one transaction.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// A reader's cache in KiB: caches are per connection and forgotten when somebody writes, so readers' are small.
const READER_CACHE_KIB: i64 = 2 * 1024;
/// Bytes of a page, of a file that is made new; one that exists keeps its own. A bulk load takes about 8 % less time than with 4,096: a
/// user's attributes are over a kilobyte, and fewer pages are looked for, read and written.
const PAGE_BYTES: i32 = 16 * 1024;
/// Pages of the log between checkpoints (80 MB): with the default of 1,000 a bulk load copies the same pages again and again.
const CHECKPOINT_PAGES: i32 = 80_000_000 / PAGE_BYTES;
/// Pages from which on the writer tries to have the log begin anew (800 MB). A checkpoint made beside a busy writer tidies the log up
/// without ever catching up with it: only one that the writer makes itself does, if nobody reads an old state just then.
const LOG_PAGES: i32 = 800_000_000 / PAGE_BYTES;
/// As much as the writer itself checkpoints (16 MB): what is more is done beside it first, so that it does not wait for the disk.
const TAIL_PAGES: i32 = 16_000_000 / PAGE_BYTES;
/// Concurrent readers. More only contend for two or four cores.
const READERS: usize = 4;
/// Distinct statements kept prepared on each connection: about as many as this crate has.
const STATEMENTS: usize = 160;

/// The connections to one file.
#[derive(Clone)]
pub struct Pool {
    writer: Arc<AsyncMutex<Connection>>,
    readers: Arc<Readers>,
    checkpoints: Arc<Checkpoints>,
}

/// Checkpoints of the log, on a thread beside the writer: most of their time is waiting for the disk, a sixth of a bulk load's.
struct Checkpoints {
    path: PathBuf,
    /// How long the log was when the last one began, in pages.
    begun_at: AtomicI32,
    /// How long it was when the writer last made one itself.
    tried_at: AtomicI32,
    under_way: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), begun_at: AtomicI32::new(0), tried_at: AtomicI32::new(0), under_way: Mutex::new(None) }
    }

    /// Told of how long the log is after each commit.
    fn committed(&self, log: &mut Wal, pages: i32) {
        if pages < self.begun_at.load(Ordering::Relaxed) {
            // A log that is shorter than it was has begun anew.
            self.begun_at.store(0, Ordering::Relaxed);
            self.tried_at.store(0, Ordering::Relaxed);
        }
        let grown = pages - self.begun_at.load(Ordering::Relaxed);
        let to_shorten = pages >= LOG_PAGES && pages - self.tried_at.load(Ordering::Relaxed) >= CHECKPOINT_PAGES;
        if grown < CHECKPOINT_PAGES && !to_shorten {
            return;
        }
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        self.begun_at.store(pages, Ordering::Relaxed);
        if to_shorten && (grown < TAIL_PAGES || pages >= 2 * LOG_PAGES) {
            self.tried_at.store(pages, Ordering::Relaxed);
            let _ = log.checkpoint_v2(CheckpointMode::PASSIVE);
            return;
        }
        let path = self.path.clone();
        let tidy = move || {
            // What fails here is done by the next one, or by the writer: nothing is lost, the log only stays long.
            if let Ok(connection) = connect(&path, READER_CACHE_KIB) {
                let _ = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
            }
        };
        *under_way = std::thread::Builder::new().name("checkpoint".into()).spawn(tidy).ok();
    }

    /// Waits for the one under way.
    fn finish(&self) {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = under_way {
            // It ends by itself, and a panic in it concerns nobody.
            let _ = thread.join();
        }
    }
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Opens or creates a file, and its folder.
    pub fn open(path: &str) -> Result<Self> {
        let path = Path::new(path);
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| StoreError::Unavailable(format!("the folder {} cannot be made: {e}.", folder.display())))?;
        }
        let mut writer = connect(path, WRITER_CACHE_KIB)?;
        let checkpoints = Arc::new(Checkpoints::new(path));
        let told = checkpoints.clone();
        let hook = move |log: &mut Wal, pages| {
            told.committed(log, pages);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(|e| StoreError::Unavailable(format!("{}: {}", path.display(), cause(&e))))?;
        Ok(Self {
            checkpoints,
            writer: Arc::new(AsyncMutex::new(writer)),
            readers: Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::new(Vec::new()),
                permits: Arc::new(Semaphore::new(READERS)),
            }),
        })
    }

    pub async fn begin(&self) -> Result<Tx> {
        let mut connection = Held::Writer(self.writer.clone().lock_owned().await);
        blocking(|| connection.get().execute_batch("BEGIN IMMEDIATE")).map_err(fault)?;
        Ok(Tx { connection, open: true })
    }

    pub async fn read(&self) -> Result<Tx> {
        let mut connection = self.reader().await?;
        blocking(|| connection.get().execute_batch("BEGIN")).map_err(fault)?;
        Ok(Tx { connection, open: true })
    }

    pub async fn read_one(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let mut connection = self.reader().await?;
        blocking(|| query(connection.get(), sql, &params))
    }

    pub async fn close(&self) {
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let writer = self.writer.lock().await;
        blocking(|| self.checkpoints.finish());
        // Only tidies up: what was committed is safe in the log already.
        let _ = blocking(|| writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
    }

    async fn reader(&self) -> Result<Held> {
        let permit = self.readers.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("it is being closed.".into()))?;
        let idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => blocking(|| connect(&self.readers.path, READER_CACHE_KIB))?,
        };
        Ok(Held::Reader { connection: Some(connection), home: self.readers.clone(), _permit: permit })
    }
}

fn connect(path: &Path, cache_kib: i64) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -cache_kib)?;
        // Checkpoints are made beside the writer. A log that has begun anew gives the disk back that it does not need.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", i64::from(CHECKPOINT_PAGES) * i64::from(PAGE_BYTES))?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    open().map_err(|e| StoreError::Unavailable(format!("{}: {}", path.display(), cause(&e))))
}

/// A connection while it is used.
enum Held {
    Writer(OwnedMutexGuard<Connection>),
    Reader { connection: Option<Connection>, home: Arc<Readers>, _permit: OwnedSemaphorePermit },
}

impl Held {
    #[expect(clippy::expect_used, reason = "the connection is taken out in drop alone")]
    fn get(&mut self) -> &mut Connection {
        match self {
            Held::Writer(guard) => guard,
            Held::Reader { connection, .. } => connection.as_mut().expect("a reader in use has its connection"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Held::Reader { connection, home, .. } = self
            && let Some(connection) = connection.take()
        {
            home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// A transaction on one connection.
pub struct Tx {
    connection: Held,
    open: bool,
}

impl Tx {
    pub fn execute(&mut self, sql: &str, params: Vec<Value>) -> Result<u64> {
        blocking(|| {
            let connection = self.connection.get();
            let mut statement = connection.prepare_cached(&translate(sql)).map_err(fault)?;
            let changed = statement.execute(rusqlite::params_from_iter(params.iter())).map_err(fault)?;
            Ok(changed as u64)
        })
    }

    pub fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        blocking(|| query(self.connection.get(), sql, &params))
    }

    pub fn insert_many(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>, conflict: OnConflict) -> Result<u64> {
        // One row a step of one prepared statement: without a driver between, this is as fast as many rows a statement.
        let places: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES ({}){}", columns.join(", "), places.join(", "), conflict.sql());
        blocking(|| self.each(&sql, rows))
    }

    pub fn update_many(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<u64> {
        let sets: Vec<String> = columns.iter().enumerate().skip(1).map(|(i, c)| format!("{c} = ?{}", i + 1)).collect();
        let sql = format!("UPDATE {table} SET {} WHERE {} = ?1", sets.join(", "), columns[0]);
        blocking(|| self.each(&sql, rows))
    }

    fn each(&mut self, sql: &str, rows: Vec<Vec<Value>>) -> Result<u64> {
        let connection = self.connection.get();
        let mut statement = connection.prepare_cached(sql).map_err(fault)?;
        let mut written = 0;
        // What is bound stays bound from row to row, and many columns are null in nearly all of them.
        let mut bound = vec![false; statement.parameter_count()];
        for row in rows {
            if row.len() != bound.len() {
                return Err(StoreError::Invalid(format!("A row of {} values was given for {} columns.", row.len(), bound.len())));
            }
            for (i, (value, bound)) in row.iter().zip(&mut bound).enumerate() {
                let is_null = matches!(value, Value::Null);
                if *bound || !is_null {
                    statement.raw_bind_parameter(i + 1, value).map_err(fault)?;
                }
                *bound = !is_null;
            }
            written += statement.raw_execute().map_err(fault)? as u64;
        }
        Ok(written)
    }

    pub fn fresh_ids(&mut self, table: &str, n: usize) -> Result<Vec<i64>> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let sql = "INSERT INTO id_counters (name, last) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET last = id_counters.last + excluded.last RETURNING last";
        let rows = self.query(sql, vec![Value::from(table), Value::Int(n)])?;
        let last: i64 = rows.first().map_or(Ok(n), |row| row.get(0))?;
        Ok((last - n + 1..=last).collect())
    }

    pub fn script(&mut self, sql: &str) -> Result<()> {
        blocking(|| self.connection.get().execute_batch(sql)).map_err(fault)
    }

    pub fn commit(mut self) -> Result<()> {
        let done = blocking(|| self.connection.get().execute_batch("COMMIT")).map_err(fault);
        self.open = done.is_err();
        done
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            // A failed statement may have ended the transaction already; then there is nothing to undo.
            let _ = blocking(|| self.connection.get().execute_batch("ROLLBACK"));
        }
    }
}

fn query(connection: &mut Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&translate(sql)).map_err(fault)?;
    let columns = statement.column_count();
    let mut answer = statement.query(rusqlite::params_from_iter(params.iter())).map_err(fault)?;
    let mut rows = Vec::new();
    while let Some(row) = answer.next().map_err(fault)? {
        let mut values = Vec::with_capacity(columns);
        for i in 0..columns {
            values.push(match row.get_ref(i).map_err(fault)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => Value::Int(n),
                ValueRef::Text(t) => Value::Text(match std::str::from_utf8(t) {
                    Ok(text) => text.to_owned(),
                    Err(_) => String::from_utf8_lossy(t).into_owned(),
                }),
                ValueRef::Blob(b) => Value::Bytes(b.to_vec()),
                ValueRef::Real(_) => return Err(StoreError::Corrupt(format!("column {i} of an answer is a fraction"))),
            });
        }
        rows.push(Row(values));
    }
    Ok(rows)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let json = |text: serde_json::Result<String>| {
            text.map(|t| ToSqlOutput::Owned(rusqlite::types::Value::Text(t)))
                .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
        };
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(n) => ToSqlOutput::Borrowed(ValueRef::Integer(*n)),
            Value::Text(s) => ToSqlOutput::Borrowed(ValueRef::Text(s.as_bytes())),
            Value::Bytes(b) => ToSqlOutput::Borrowed(ValueRef::Blob(b)),
            Value::Ints(list) => json(serde_json::to_string(list))?,
            Value::Texts(list) => json(serde_json::to_string(list))?,
        })
    }
}

/// Our SQL in SQLite's words. A few hundred nanoseconds a statement, so it is not remembered.
fn translate(sql: &str) -> String {
    sql.replace("EACH_INT($", "(SELECT value FROM json_each(?")
        .replace("EACH_TEXT($", "(SELECT value FROM json_each(?")
        .replace('$', "?")
        .close_each()
}

/// `EACH_INT($1)` has one closing bracket, its SQLite form two.
trait CloseEach {
    fn close_each(self) -> String;
}

impl CloseEach for String {
    fn close_each(self) -> String {
        let mut out = String::with_capacity(self.len() + 8);
        let mut rest = self.as_str();
        while let Some(at) = rest.find("json_each(?") {
            let (head, tail) = rest.split_at(at + "json_each(?".len());
            out.push_str(head);
            let end = tail.find(')').map_or(tail.len(), |i| i + 1);
            out.push_str(&tail[..end]);
            out.push(')');
            rest = &tail[end..];
        }
        out.push_str(rest);
        out
    }
}

pub fn schema(portable: &str) -> String {
    portable
        .replace("{ID}", "INTEGER PRIMARY KEY AUTOINCREMENT")
        .replace("{BULK_ID}", "INTEGER PRIMARY KEY")
        .replace("{KEY}", "INTEGER PRIMARY KEY")
        .replace("{BYTES}", "BLOB")
        .replace("{NARROW}", "WITHOUT ROWID")
}

fn fault(e: rusqlite::Error) -> StoreError {
    match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::Constraint(e.to_string()),
        _ => StoreError::Unavailable(cause(&e)),
    }
}

/// What stands against using the file, and what to do about it.
fn cause(e: &rusqlite::Error) -> String {
    let words = match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has been writing for more than 10 seconds. Try again."
        }
        Some(ErrorCode::DiskFull) => "the disk is full. Free some space, then try again.",
        Some(ErrorCode::ReadOnly) => "the file may not be written. Check its owner and mode, and those of its folder.",
        Some(ErrorCode::NotADatabase) => "the file is not an SQLite database. Check the path.",
        Some(ErrorCode::CannotOpen) => {
            "the file cannot be opened. Check that the path leads to a file, and its owner and mode and those of its folder."
        }
        Some(ErrorCode::SystemIoFailure) => {
            return format!(
                "reading or writing the file failed ({e}). Check the disk, and that the path leads to an ordinary file."
            );
        }
        _ => return format!("{e}."),
    };
    words.to_owned()
}

/// Runs something that blocks for the length of a statement.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
