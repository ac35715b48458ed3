//! The floor: the same pages fetched and parsed, and the same sets of rows inserted in bulk, with nothing else: no hash, no lookup, no
//! decision, no journal state. Fetching and inserting run side by side, as the fastest sync imaginable would.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use model::clock::FixedClock;
use model::directory::{Cursor, Feed};
use serde::{Deserialize, Serialize};
use sources::{Graph, GraphConnection, Select, Surroundings, TokioPause};
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use store::db::{Db, OnConflict, Value};
use testkit::databases;

/// What is fetched, and whose rows are written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Login and Graph
    #[arg(long)]
    graph_url: String,
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// The application
    #[arg(long)]
    client_id: String,
    /// Its secret: the simulator's, so no secret at all
    #[arg(long)]
    secret: String,
    /// A database that a first sync has just filled
    #[arg(long)]
    like: String,
}

/// How long it took.
#[derive(Debug, Serialize, Deserialize)]
pub struct Took {
    /// Both together, from the first request to the database that is closed.
    pub wall_ms: f64,
    /// Fetching and parsing.
    pub fetch_ms: f64,
    /// Inserting.
    pub insert_ms: f64,
    /// Requests for pages and the token.
    pub requests: u64,
    /// Rows inserted.
    pub rows: usize,
}

/// The tables a first sync leaves filled; those that only steer it are its own overhead and not part of the floor.
const TABLES: &[&str] =
    &["mirror_users", "mirror_groups", "memberships", "people", "person_addresses", "links", "standing", "changes", "outcomes"];

/// Rows a transaction, as many as the product writes at most.
const ROWS: usize = 10_000;

type Table = (&'static str, &'static [&'static str], Vec<Vec<Value>>);

/// Measures the floor.
///
/// # Errors
/// When the source or the database fails.
pub fn run(args: &Args) -> Result<Took> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let tables = read(&args.like).await?;
        let rows = tables.iter().map(|t| t.2.len()).sum();
        let fresh = if args.like.starts_with("sqlite:") { databases::sqlite()? } else { databases::postgres()? };
        // Makes the tables; what follows writes to them past the store.
        drop(Store::open(fresh.url(), 0).await?);
        let db = Db::open(fresh.url()).await?;

        let began = Instant::now();
        let ms = move || began.elapsed().as_secs_f64() * 1e3;
        let inserting = tokio::spawn(async move { insert(&db, tables).await.map(|()| ms()) });
        let requests = fetch(args).await?;
        let fetch_ms = ms();
        let insert_ms = inserting.await??;
        Ok(Took { wall_ms: ms(), fetch_ms, insert_ms, requests, rows })
    })
}

async fn fetch(args: &Args) -> Result<u64> {
    sources::install_tls();
    // Nothing here waits or expires, so a clock that stands still will do.
    let around = Surroundings::new(Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH)), Arc::new(TokioPause), 1);
    let source = Graph::new(around).source(GraphConnection {
        graph_url: args.graph_url.clone(),
        login_url: args.graph_url.clone(),
        tenant: args.tenant.clone(),
        client_id: args.client_id.clone(),
        secret: args.secret.clone().into(),
    })?;
    for feed in Feed::ALL {
        let mut cursor = Cursor::Refresh;
        while !matches!(cursor, Cursor::Active(_)) {
            cursor = source.page(feed, &cursor, &Select::default()).await?.next;
        }
    }
    Ok(source.stats().total_requests())
}

async fn insert(db: &Db, tables: Vec<Table>) -> Result<()> {
    for (table, columns, rows) in tables {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<_> = rows.by_ref().take(ROWS).collect();
            let mut tx = db.begin().await?;
            tx.insert_many(table, columns, batch, OnConflict::Fail).await?;
            tx.commit().await?;
        }
    }
    // The product does too when it ends, and its whole process is timed: the log is written into the file.
    db.close().await;
    Ok(())
}

/// All rows of the tables, in memory before anything is measured.
async fn read(url: &str) -> Result<Vec<Table>> {
    let db = Db::open(url).await?;
    let mut tables = Vec::new();
    for table in TABLES {
        let columns = columns(table)?;
        let sql = format!("SELECT {} FROM {table} ORDER BY 1", columns.join(", "));
        let rows: Vec<_> = db.query(&sql, ()).await?.into_iter().map(store::db::Row::into_values).collect();
        tables.push((*table, columns, rows));
    }
    ensure!(tables.iter().any(|t| t.0 == "people" && !t.2.is_empty()), "the database holds no people: sync first");
    Ok(tables)
}

/// A table's columns, as its migration names them.
fn columns(table: &str) -> Result<&'static [&'static str]> {
    let schema: &'static str = include_str!("../../store/migrations/0001_first.sql");
    let body = schema.split(&format!("CREATE TABLE {table} (\n")).nth(1).and_then(|rest| rest.split("\n)").next());
    let columns: Vec<&'static str> = body
        .with_context(|| format!("the first migration makes no table {table}"))?
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    // Kept for the length of the process, which is one measurement.
    Ok(Vec::leak(columns))
}
