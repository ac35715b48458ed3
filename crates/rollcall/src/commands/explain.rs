//! `rollcall explain`: why is this user what they are?

use crate::house::{Files, House};
use crate::print;
use anyhow::Result;

/// Every stage's reasons for one user, from the stored state; nothing is read from Entra and nothing is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant: id, domain or the connection's name
    tenant: String,
    /// The user: object id, user principal name or e-mail address
    user: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(files: Files, args: Args) -> Result<()> {
    let house = House::open(&files).await?;
    let tenant = house.engine.tenant_named(&args.tenant).await?;
    let explanation = house.engine.explain(tenant.key, &args.user).await?;
    if args.json {
        return print::json(&explanation);
    }
    println!("{}  {}", print::plain(&explanation.name), explanation.source_id);
    for stage in &explanation.stages {
        println!("{}", stage.stage);
        for sentence in &stage.sentences {
            println!("  {}", print::plain(sentence));
        }
    }
    Ok(())
}
