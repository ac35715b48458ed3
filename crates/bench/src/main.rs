//! `make bench`: what a sync costs, beside the least that any sync must cost. Not part of the program.

mod measure;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Measures.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one command and print what it cost
    Measure {
        /// The command
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Measure { command } => {
            println!("{}", serde_json::to_string(&measure::child(&command)?)?);
            Ok(())
        }
    }
}
