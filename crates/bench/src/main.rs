//! `make bench`: what a sync costs, beside the least that any sync must cost. Not part of the program.
//!
//! Every measured thing is a process of its own (the simulator too), so memory and processor time are that process's alone.

mod floor;
mod measure;
mod world;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use measure::Cost;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use testkit::databases;
use world::World;

/// The program uses the same allocator, and the floor is to be compared with it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure everything and print a table
    Run {
        /// The program to measure, a release build
        #[arg(long)]
        program: PathBuf,
        /// Directory sizes
        #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
        users: Vec<u32>,
    },
    /// Run one command and print what it cost, as JSON
    Measure {
        /// The command
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Fetch, parse and insert, and nothing else
    Floor(floor::Args),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Measure { command } => {
            println!("{}", serde_json::to_string(&measure::child(&command)?)?);
            Ok(())
        }
        Command::Floor(args) => {
            println!("{}", serde_json::to_string(&floor::run(&args)?)?);
            Ok(())
        }
        Command::Run { program, users } => {
            // It runs in folders of its own, where a path relative to this one leads nowhere.
            let program = program.canonicalize().with_context(|| format!("the program to measure, {}", program.display()))?;
            println!("{}", busy()?);
            println!(
                "{:<10} {:>7} {:<12} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7}",
                "database", "users", "what", "wall ms", "cpu ms", "peak MiB", "requests", "users/s", "×floor"
            );
            for users in users {
                for (name, database) in [("SQLite", databases::sqlite()?.url()), ("PostgreSQL", databases::postgres()?.url())] {
                    bench(&program, name, database, users)?;
                }
            }
            scenarios(&program)
        }
    }
}

/// How long ten thousand steps of scenarios take: the documented example, three steps each, over and over.
fn scenarios(program: &Path) -> Result<()> {
    const EXAMPLE: &str = include_str!("../../policy/tests/example.yaml");
    const FILES: usize = 10;
    const EACH: usize = 334;
    let folder = tempfile::tempdir()?;
    let text = vec![EXAMPLE; EACH].join("\n---\n");
    for file in 0..FILES {
        std::fs::write(folder.path().join(format!("{file}.yaml")), &text)?;
    }
    let mut command = Process::new(program);
    command.args(["policy", "test"]).arg(folder.path());
    let cost = measure::of(command)?;
    println!("policy test: {} steps of scenarios in {:.0} ms, {:.0} MiB", FILES * EACH * 3, cost.wall_ms, cost.peak_mib);
    Ok(())
}

/// How busy the machine is already: figures taken beside other work say little.
fn busy() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let one_minute = load.split_whitespace().next().unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores, load {one_minute} before the start (well under 1 for figures to trust)"))
}

/// One directory size on one database: the floor, then a first sync, a cycle in which nothing changed, one in which 1 % did, why one
/// user is what they are, and what-ifs.
fn bench(program: &Path, name: &str, database: &str, users: u32) -> Result<()> {
    let world = World::start(program, database, users)?;
    let row = |what: &str, cost: &Cost, requests: u64, of: u64, floor: Option<f64>| {
        println!(
            "{name:<10} {users:>7} {what:<12} {:>9.0} {:>9.0} {:>9.0} {requests:>9} {:>10.0} {:>7}",
            cost.wall_ms,
            cost.cpu_ms,
            cost.peak_mib,
            of as f64 / cost.wall_ms * 1e3,
            floor.map_or_else(String::new, |f| format!("{:.2}", cost.wall_ms / f)),
        );
    };

    let (first, requests) = world.sync()?;
    let told = u64::from(users);
    let changes = world::changes(&first);
    ensure!(changes * 10 >= told * 9, "a first sync writes a record for nearly everyone, not {changes} of {users}");

    // The floor writes the rows that the sync left, so it comes second and is printed first.
    let mut floor = Process::new(std::env::current_exe()?);
    floor.arg("floor").args(world.floor_args(database)?);
    let cost = measure::of(floor)?;
    let least: floor::Took = serde_json::from_str(&cost.stdout)?;
    row("floor", &Cost { wall_ms: least.wall_ms, ..cost }, least.requests, told, None);
    println!(
        "{:<31} of which fetching and parsing {:.0} ms, inserting {} rows {:.0} ms, at the same time",
        "", least.fetch_ms, least.rows, least.insert_ms
    );
    row("first sync", &first, requests, told, Some(least.wall_ms));

    let (nothing, requests) = world.sync()?;
    ensure!(world::changes(&nothing) == 0, "nothing changed, so nothing is written");
    row("no change", &nothing, requests, told, None);

    world.churn()?;
    let (some, requests) = world.sync()?;
    row("1 % changed", &some, requests, world::changes(&some), None);
    row("explain", &world.explain(&first)?, 0, 1, None);
    for (what, cost, counts) in world.what_ifs()? {
        row(what, &cost, 0, told, None);
        let number = |name: &str| counts[name].as_i64().unwrap_or(-1);
        println!(
            "{:<31} first counts after {} ms, all after {} ms; {} affected, {} change",
            "",
            number("first_ms"),
            number("took_ms"),
            number("affected"),
            number("changes")
        );
    }
    Ok(())
}
