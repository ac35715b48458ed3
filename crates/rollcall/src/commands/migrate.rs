//! `rollcall migrate`: bring the database's tables to this version.

use crate::house::{self, Files};
use anyhow::Result;

/// Runs the command.
pub async fn run(files: Files) -> Result<()> {
    let loaded = files.load()?;
    crate::log::begin(&loaded.config, files.verbose);
    let store = house::open_store(&loaded.config).await?;
    say!("The database has this version's tables ({}).", store.describe().await?);
    Ok(())
}
