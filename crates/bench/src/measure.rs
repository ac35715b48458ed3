//! What one process costs: wall time, processor time and its largest memory, as the kernel counted them.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a process cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cost {
    /// From start to end, in milliseconds.
    pub wall_ms: f64,
    /// Processor time of all its threads, user and system, in milliseconds.
    pub cpu_ms: f64,
    /// Its largest resident memory, in MiB.
    pub peak_mib: f64,
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
}

/// Runs a command to its end and prints its [`Cost`] as JSON.
///
/// The kernel tells the largest memory only over *all* children a process has waited for, so each measurement is a process of its own
/// with exactly one child (see [`of`]).
///
/// # Errors
/// When the command does not start.
pub fn child(command: &[OsString]) -> Result<Cost> {
    let (program, args) = command.split_first().context("name a command to measure")?;
    let began = Instant::now();
    let out = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let wall = began.elapsed();
    let out = out.with_context(|| format!("{} does not start", program.to_string_lossy()))?;
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let ms = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 * 1e3 + t.tv_usec() as f64 / 1e3;
    Ok(Cost {
        wall_ms: wall.as_secs_f64() * 1e3,
        cpu_ms: ms(used.user_time()) + ms(used.system_time()),
        // Linux counts it in KiB.
        peak_mib: used.max_rss() as f64 / 1024.0,
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
    })
}

/// Measures a command through a process of its own.
///
/// # Errors
/// When it ends with anything but 0.
pub fn of(mut command: Command) -> Result<Cost> {
    let mut measured = Command::new(std::env::current_exe()?);
    measured.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(name, value),
            None => measured.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let out = measured.stderr(Stdio::piped()).output()?;
    let cost: Cost =
        serde_json::from_slice(&out.stdout).with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&out.stderr)))?;
    if cost.code != 0 {
        bail!(
            "{:?} ended with {}: {}\n{}",
            command.stdin(Stdio::null()),
            cost.code,
            cost.stdout,
            String::from_utf8_lossy(&out.stderr)
        );
    }
    Ok(cost)
}
