//! Forward-only migrations, carried inside the program.
//!
//! One portable text per migration; `db` puts it into each database's words. A migration that was released is never edited: its
//! checksum is kept with it, and a difference stops the program. To change the schema, add a file and a line to [`MIGRATIONS`].

use crate::db::{Db, Tx, Value};
use crate::error::{Result, StoreError};
use sha2::{Digest, Sha256};

/// Every migration, oldest first. Its number is its place, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_review.sql"),
    include_str!("../migrations/0003_undo.sql"),
    include_str!("../migrations/0004_fleet.sql"),
    include_str!("../migrations/0005_rules.sql"),
    include_str!("../migrations/0006_passes.sql"),
    include_str!("../migrations/0007_grounds.sql"),
];

/// The newest schema this program knows.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Brings the schema up to date. Safe when several processes do it at once. Tells how many migrations were applied.
///
/// # Errors
/// [`StoreError::TooNew`], [`StoreError::Drift`], [`StoreError::Unavailable`]; the database is then as it was.
pub async fn migrate(db: &Db, now: i64) -> Result<i64> {
    // A look without a lock: most starts have nothing to do, and must not wait for a writer.
    if db.has_table("schema_migrations").await? && verify(&db.query(APPLIED, ()).await?)? == NEWEST {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    db.lock_schema(&mut tx).await?;
    tx.script(BOOKKEEPING).await?;
    let applied = verify(&tx.query(APPLIED, ()).await?)?;
    for number in applied + 1..=NEWEST {
        apply(db, &mut tx, number, now).await?;
    }
    tx.commit().await?;
    db.forget_schema();
    Ok(NEWEST - applied)
}

const BOOKKEEPING: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
        number BIGINT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL);
    CREATE TABLE IF NOT EXISTS id_counters (name TEXT PRIMARY KEY, last BIGINT NOT NULL);";
const APPLIED: &str = "SELECT number, checksum FROM schema_migrations ORDER BY number";

async fn apply(db: &Db, tx: &mut Tx, number: i64, now: i64) -> Result<()> {
    let text = MIGRATIONS[usize::try_from(number - 1).unwrap_or(0)];
    tx.script(&db.schema(text)).await?;
    let row = vec![Value::Int(number), Value::Text(checksum(text)), Value::Int(now)];
    tx.execute("INSERT INTO schema_migrations (number, checksum, applied_at) VALUES ($1, $2, $3)", row).await.map(|_| ())
}

/// Compares what was applied with what this program carries, and tells how many were applied.
fn verify(applied: &[crate::db::Row]) -> Result<i64> {
    let mut last = 0;
    for row in applied {
        last = row.get(0)?;
        if last > NEWEST {
            continue;
        }
        let carried = usize::try_from(last - 1).ok().and_then(|i| MIGRATIONS.get(i));
        if carried.map(|text| checksum(text)) != Some(row.get(1)?) {
            return Err(StoreError::Drift { number: last });
        }
    }
    if last > NEWEST { Err(StoreError::TooNew { found: last, known: NEWEST }) } else { Ok(last) }
}

fn checksum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
