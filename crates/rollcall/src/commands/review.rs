//! `rollcall review`: what waits for a person.

use crate::house::{Files, House};
use crate::print;
use anyhow::Result;

/// Review items.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What waits, why, and which records it could be
    List {
        /// Only this tenant's
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// How many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Also what was dismissed
        #[arg(long)]
        dismissed: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep the user out until somebody re-opens the item
    Dismiss {
        /// The item's number
        item: i64,
    },
    /// Ask again at the next run
    Reopen {
        /// The item's number
        item: i64,
    },
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::List { tenant, limit, dismissed, json } => {
            let tenant = match tenant {
                Some(name) => Some(house.engine.tenant_named(&name).await?.key),
                None => None,
            };
            let items = house.engine.review_items(tenant, dismissed, limit).await?;
            if json {
                return print::json(&items);
            }
            print::table(
                &["Item", "Tenant", "User", "Why", "Could be"],
                items.iter().map(|i| {
                    let candidates: Vec<String> = i.candidates.iter().map(|c| format!("{} ({})", c.name, c.id)).collect();
                    [
                        i.id.to_string(),
                        i.tenant_name.clone(),
                        i.user_name.clone().unwrap_or_else(|| i.source_id.to_string()),
                        i.why.sentence().to_owned(),
                        candidates.join("; "),
                    ]
                }),
                "Nobody waits for a decision.",
            );
            Ok(())
        }
        Command::Dismiss { item } => {
            house.engine.review_dismiss(item, &house.actor()).await?;
            println!("Item {item} is dismissed: the user stays out until somebody re-opens it (rollcall review reopen {item}).");
            Ok(())
        }
        Command::Reopen { item } => {
            house.engine.review_reopen(item, &house.actor()).await?;
            println!("Item {item} is open again; the next run looks at the user anew.");
            Ok(())
        }
    }
}
