//! Connections to PostgreSQL: whoever gives up, and a server that ends them, leaves the others what they need.

use std::time::Duration;
use store::db::Db;
use store::values;
use testkit::databases;
use tokio::time::timeout;

/// As many as one process has.
const MOST: i64 = 8;

async fn backends(db: &Db) -> i64 {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'";
    db.query(sql, ()).await.expect("counted")[0].get(0).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_given_up_midway_leaves_its_answer_to_nobody_and_keeps_its_place_until_it_ends() {
    let database = databases::postgres().expect("a database");
    let db = Db::open(database.url()).await.expect("opened");
    for _ in 0..2 * MOST {
        timeout(Duration::from_millis(30), db.query("SELECT 1 FROM pg_sleep(1)", ())).await.expect_err("given up");
    }
    assert!(backends(&db).await <= MOST, "queries that go on at the server count");
    for n in 0..2 * MOST {
        let rows = db.query("SELECT CAST($1 AS BIGINT)", values![n]).await.expect("answered");
        assert_eq!(rows[0].get::<i64>(0).expect("a number"), n);
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_given_up_ends_though_nobody_asks_for_its_connection() {
    let database = databases::postgres().expect("a database");
    let db = Db::open(database.url()).await.expect("opened");
    let (mut waits, mut gives_up) = (db.begin().await.expect("one"), db.begin().await.expect("another"));
    let lock = "SELECT 1 FROM pg_advisory_xact_lock(7)";
    gives_up.query(lock, ()).await.expect("locked");
    drop(gives_up);
    timeout(Duration::from_secs(10), waits.query(lock, ())).await.expect("the lock is free").expect("locked");
    waits.commit().await.expect("committed");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ends_cost_a_failure_each_at_most() {
    let database = databases::postgres().expect("a database");
    let db = Db::open(database.url()).await.expect("opened");
    let mut all = Vec::new();
    for _ in 0..MOST {
        all.push(db.begin().await.expect("begun"));
    }
    let mut last = all.pop().expect("the last");
    for one in all {
        one.commit().await.expect("at rest, and believed alive");
    }
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    last.query(end, ()).await.expect("ended");
    // The server ends them in its own time, and tells a transaction that looks again what it told before.
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Whoever asks now gets those that were ended, for the one that lives is taken.
    let mut failures = 0;
    for _ in 0..3 * MOST {
        failures += i64::from(db.query("SELECT 1", ()).await.is_err());
    }
    assert!(failures < MOST, "{failures} failures");
    db.query("SELECT 1", ()).await.expect("all is well again");
    drop(last);
    db.close().await;
}
