//! The program: reads the command line and the configuration, and is the only place where things are wired together.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic when nobody reads any more: `say!` and `aside!` do not")]

// First, for its macros.
#[macro_use]
mod print;

mod clock;
mod commands;
mod config;
mod exit;
mod files;
mod house;
mod log;
mod metrics;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads beside the runtime's own for what blocks: SQLite's writer and four readers, and a password's hash. More would only be started
/// and left by turns, each with memory of its own that is slow to come back.
const BLOCKING_THREADS: usize = 6;

fn main() -> ExitCode {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::DONE };
            // Nothing is left to do when even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().max_blocking_threads(BLOCKING_THREADS).build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::code(Err(anyhow::Error::new(error).context("The program could not start its threads"))),
    };
    let result = runtime.block_on(commands::run(cli));
    // Background work (a worker mid-page) is crash-safe by design, so ending does not wait for it.
    runtime.shutdown_background();
    exit::code(result)
}
