//! Killed at random instants with `kill -9` and started again, the program leaves what an undisturbed run leaves, on both databases.
//!
//! `ROLLCALL_KILL_POINTS=100 ROLLCALL_KILL_USERS=8000 cargo test --test kill` (`make kill-all`) does it more often, and with so many people
//! that a plan is applied in several transactions. Every instant follows from the seed, but where
//! the program is at that instant depends on the machine.

use anyhow::{Context, Result};
use std::path::Path;
use testkit::kill::{On, Series, Stage};

/// How often each series kills when nobody says.
const POINTS: u32 = 6;

/// Users when nobody says.
const USERS: u32 = 2_000;

fn number(variable: &str, otherwise: u32) -> Result<u32> {
    match std::env::var(variable) {
        Ok(number) => number.parse().with_context(|| format!("{variable} is a number")),
        Err(_) => Ok(otherwise),
    }
}

fn series(stage: Stage, on: On) -> Result<()> {
    let (points, users) = (number("ROLLCALL_KILL_POINTS", POINTS)?, number("ROLLCALL_KILL_USERS", USERS)?);
    let fell = Series { stage, on, points, users, seed: 20_261_120 }.run(Path::new(env!("CARGO_BIN_EXE_rollcall")))?;
    println!("{stage:?} on {on:?}, {points} points at {users} users: the blows fell at {fell:?}");
    Ok(())
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
