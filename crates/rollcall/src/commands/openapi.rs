//! `rollcall openapi`: the REST API's description.

use anyhow::Result;

/// Runs the command.
pub fn run() -> Result<()> {
    println!("{}", web::openapi());
    Ok(())
}
