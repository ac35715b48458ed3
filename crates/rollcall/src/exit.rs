//! How the program ends: the exit codes scripts rely on.

use crate::print;
use std::process::ExitCode;

/// Everything was done.
pub const DONE: u8 = 0;
/// Something failed; the message says what and what to do.
pub const FAILED: u8 = 1;
/// The command line was not understood.
pub const USAGE: u8 = 2;
/// A plan waits for approval (with `--strict`, also: somebody waits in review).
pub const HELD: u8 = 3;

/// An ending that is not a failure of the program: what was asked for ended with this code, and everything was said.
#[derive(Debug)]
pub struct Ended(pub u8);

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ended with exit code {}", self.0)
    }
}

impl std::error::Error for Ended {}

/// The exit code of a result; a failure is printed to stderr as one line with its causes.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => match print::lost() {
            None => ExitCode::from(DONE),
            Some(error) => {
                aside!(
                    "rollcall: Everything was done, but the result could not be written ({error}). Make room and ask for it again."
                );
                ExitCode::from(FAILED)
            }
        },
        Err(error) => match error.downcast_ref::<Ended>() {
            Some(Ended(code)) => ExitCode::from(*code),
            None => {
                aside!("rollcall: {}", print::plain(&format!("{error:#}")));
                ExitCode::from(FAILED)
            }
        },
    }
}
