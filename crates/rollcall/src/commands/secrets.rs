//! `rollcall secrets`: set, list names, rotate the master key. A secret's value is never printed.

use crate::house::{Files, House};
use crate::print;
use anyhow::Result;
use std::path::PathBuf;

/// Secrets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set a connection's client secret, after it was renewed in Entra
    Set {
        /// The connection's name
        connection: String,
        /// The environment variable that holds the secret
        #[arg(long, value_name = "VAR", required_unless_present = "secret_file", conflicts_with = "secret_file")]
        secret_env: Option<String>,
        /// A file that holds the secret
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// List the names of stored secrets
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new master key and wrap every stored secret's key with it; the old key file is kept beside it
    Rotate,
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::Set { connection, secret_env, secret_file } => {
            let secret = super::connections::secret(secret_env.as_deref(), secret_file.as_deref())?;
            let connection = house.engine.connection_named(&connection).await?;
            house.engine.set_secret(connection.id, &secret, &house.actor()).await?;
            say!("The secret of {0} is set. Try it: rollcall connections test {0}", print::plain(&connection.name));
            Ok(())
        }
        Command::List { json } => {
            let names = house.engine.secret_names().await?;
            if json {
                return print::json(&names);
            }
            print::table(&["Secret", "Of"], names.iter().map(|n| [n.name.clone(), n.of.clone()]), "No secret is stored yet.");
            Ok(())
        }
        Command::Rotate => {
            let kept = house.rotate_master_key().await?;
            say!(
                "Every stored secret is wrapped with the new master key. The old key is in {}: keep it as long as",
                kept.display()
            );
            say!("backups made before today are kept, and stop other Rollcall processes that still hold it.");
            Ok(())
        }
    }
}
