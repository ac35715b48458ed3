//! The program: reads the command line and the configuration, and is the only place where things are wired together.

mod clock;
mod commands;
mod config;
mod exit;
mod house;
mod metrics;
mod print;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::code(Err(anyhow::Error::new(error).context("The program could not start its threads"))),
    };
    let result = runtime.block_on(commands::run(cli));
    // Background work (a worker mid-page) is crash-safe by design, so ending does not wait for it.
    runtime.shutdown_background();
    exit::code(result)
}
