//! What the program can do: one list, one file a command.

use crate::house::Files;
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

mod connections;
mod demo;
mod doctor;
mod explain;
mod migrate;
mod openapi;
mod policy;
mod records;
mod review;
mod runs;
mod secrets;
mod serve;
mod simulate;
mod sync;
mod tenants;
mod what_if;

/// Keeps the people in a PSA true to Microsoft Entra ID: see the change before it happens, know why, take it back.
#[derive(Debug, Parser)]
#[command(
    name = "rollcall",
    version,
    propagate_version = true,
    after_help = "New here? `rollcall demo` shows everything on sample people, without contacting anything outside this machine.\n\
                  To start for real: `rollcall connections add`, `rollcall tenants map`, `rollcall sync --preview`, `rollcall serve`."
)]
pub struct Cli {
    /// Configuration file [default: ./rollcall.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
    /// Database, overriding the configuration: sqlite://PATH or postgres://…
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// Say more on stderr (-v: debug of our own parts, -vv: of everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything on sample people: simulator, server and a database in a folder of its own
    Demo(demo::Args),
    /// Run the server: pages, REST API, scheduler and workers
    Serve(serve::Args),
    /// Bring tenants up to date once, here and now
    Sync(sync::Args),
    /// Look at runs and their plans; approve or reject what waits
    #[command(subcommand)]
    Runs(runs::Command),
    /// What waits for a person's decision
    #[command(subcommand)]
    Review(review::Command),
    /// Why is this user what they are?
    Explain(explain::Args),
    /// Microsoft tenants and the app registration each is read with
    #[command(subcommand)]
    Connections(connections::Command),
    /// Tenants and the client each belongs to
    #[command(subcommand)]
    Tenants(tenants::Command),
    /// Secrets: set, list names, rotate the master key
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Existing records: adopt from CSV, or write out
    #[command(subcommand)]
    Records(records::Command),
    /// The policy as a file: check, test, plan, schema, export, import, diff, what-if, versions
    #[command(subcommand)]
    Policy(policy::Command),
    /// A pretend Microsoft: identity platform and Graph on this machine
    Simulate(simulate::SimulateArgs),
    /// Check configuration, key, database, clock and connections, and say what to do
    Doctor(doctor::Args),
    /// Print the REST API's OpenAPI 3.1 document
    Openapi,
    /// Bring the database's tables to this version
    Migrate,
}

/// Runs one command.
pub async fn run(cli: Cli) -> Result<()> {
    let files = Files { config: cli.config, database: cli.database, verbose: cli.verbose };
    match cli.command {
        Command::Demo(args) => Box::pin(demo::run(files, args)).await,
        Command::Serve(args) => serve::run(files, args).await,
        Command::Sync(args) => Box::pin(sync::run(files, args)).await,
        Command::Runs(command) => runs::run(files, command).await,
        Command::Review(command) => Box::pin(review::run(files, command)).await,
        Command::Explain(args) => explain::run(files, args).await,
        Command::Connections(command) => connections::run(files, command).await,
        Command::Tenants(command) => tenants::run(files, command).await,
        Command::Secrets(command) => secrets::run(files, command).await,
        Command::Records(command) => records::run(files, command).await,
        Command::Policy(command) => policy::run(files, command).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Doctor(args) => doctor::run(files, args).await,
        Command::Openapi => openapi::run(),
        Command::Migrate => migrate::run(files).await,
    }
}
