//! `rollcall tenants`: tenants and the client each belongs to.

use crate::house::{Files, House};
use crate::print;
use anyhow::Result;

/// Tenants.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List tenants with their client and their last run
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One tenant: mapping, counts, who is excluded by what
    Show {
        /// Id, domain or the connection's name
        tenant: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say which client a tenant's people belong to
    Map {
        /// Id, domain or the connection's name
        tenant: String,
        /// The client's name
        #[arg(long, value_name = "NAME")]
        client: String,
        /// Create the client if there is none of that name
        #[arg(long)]
        create: bool,
    },
    /// Switch a tenant's schedule on or off; it is on from its first approved plan
    Schedule {
        /// Id, domain or the connection's name
        tenant: String,
        /// on or off
        #[arg(value_parser = ["on", "off"])]
        switch: String,
    },
    /// Take the mapping away: nobody is changed, and nobody is synced until it is mapped again
    Unmap {
        /// Id, domain or the connection's name
        tenant: String,
    },
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::List { json } => {
            let tenants = house.engine.tenants().await?;
            if json {
                return print::json(&tenants);
            }
            print::table(
                &["Name", "Domain", "Tenant id", "Client", "Last run"],
                tenants.iter().map(|t| {
                    [
                        t.name.clone(),
                        t.domain.clone().unwrap_or_default(),
                        t.tenant_id.clone().unwrap_or_default(),
                        t.client_name.clone().unwrap_or_else(|| "not mapped".into()),
                        t.last_run.clone().unwrap_or_else(|| "never".into()),
                    ]
                }),
                "No tenant yet. Connect one: rollcall connections add --help",
            );
            Ok(())
        }
        Command::Show { tenant, json } => {
            let tenant = house.engine.tenant_named(&tenant).await?;
            let overview = house.engine.tenant_overview(tenant.key).await?;
            let warnings = house.engine.first_sync_warnings(tenant.key).await?;
            if json {
                return print::json(&serde_json::json!({ "tenant": tenant, "standing": overview, "warnings": warnings }));
            }
            say!("{}  {}", print::plain(&tenant.name), tenant.tenant_id.as_deref().unwrap_or("(not read yet)"));
            say!("  client: {}", print::plain(tenant.client_name.as_deref().unwrap_or("not mapped")));
            say!("  last run: {}", tenant.last_run.as_deref().unwrap_or("never"));
            for warning in &warnings {
                say!("  before the first sync: {}", print::plain(warning));
            }
            print::table(
                &["Outcome", "By", "People"],
                overview.iter().map(|s| [s.outcome.clone(), s.by.clone().unwrap_or_default(), s.count.to_string()]),
                "  Nobody was looked at yet: rollcall sync --preview",
            );
            Ok(())
        }
        Command::Map { tenant, client, create } => {
            let tenant = house.engine.tenant_named(&tenant).await?;
            let mapped = house.engine.map_tenant(tenant.key, &client, create, &house.actor()).await?;
            say!("{} belongs to {}.", print::plain(&tenant.name), print::plain(&mapped.name));
            say!("  Next: rollcall sync {} --preview", print::plain(&tenant.name));
            Ok(())
        }
        Command::Schedule { tenant, switch } => {
            let tenant = house.engine.tenant_named(&tenant).await?;
            house.engine.schedule_tenant(tenant.key, switch == "on", &house.actor()).await?;
            say!("The schedule of {} is {switch}.", print::plain(&tenant.name));
            Ok(())
        }
        Command::Unmap { tenant } => {
            let tenant = house.engine.tenant_named(&tenant).await?;
            house.engine.unmap_tenant(tenant.key, &house.actor()).await?;
            say!("{} belongs to no client now. Nobody was changed.", print::plain(&tenant.name));
            Ok(())
        }
    }
}
