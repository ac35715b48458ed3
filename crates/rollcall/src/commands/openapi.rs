//! `rollcall openapi`: the REST API's description.

use anyhow::Result;

/// Runs the command.
pub fn run() -> Result<()> {
    say!("{}", web::openapi());
    Ok(())
}
