//! Killed at random instants with `kill -9` and started again, the program leaves what an undisturbed run leaves, on both databases.
//!
//! `ROLLCALL_KILL_POINTS=100 cargo test --test kill` (or `make kill-all`) does it more often. Every instant follows from the seed, but where
//! the program is at that instant depends on the machine.

use anyhow::{Context, Result};
use std::path::Path;
use testkit::kill::{On, Series, Stage};

/// How often each series kills when nobody says.
const POINTS: u32 = 6;

fn series(stage: Stage, on: On) -> Result<()> {
    let points = match std::env::var("ROLLCALL_KILL_POINTS") {
        Ok(points) => points.parse().context("ROLLCALL_KILL_POINTS is a number")?,
        Err(_) => POINTS,
    };
    Series { stage, on, points, users: 2_000, seed: 20_261_120 }.run(Path::new(env!("CARGO_BIN_EXE_rollcall")))
}

#[test]
fn a_first_sync_survives_on_sqlite() -> Result<()> {
    series(Stage::FirstSync, On::Sqlite)
}

#[test]
fn a_first_sync_survives_on_postgresql() -> Result<()> {
    series(Stage::FirstSync, On::Postgres)
}

#[test]
fn a_delta_survives_on_sqlite() -> Result<()> {
    series(Stage::Delta, On::Sqlite)
}

#[test]
fn a_delta_survives_on_postgresql() -> Result<()> {
    series(Stage::Delta, On::Postgres)
}

#[test]
fn an_approved_plan_survives_on_sqlite() -> Result<()> {
    series(Stage::Apply, On::Sqlite)
}

#[test]
fn an_approved_plan_survives_on_postgresql() -> Result<()> {
    series(Stage::Apply, On::Postgres)
}
