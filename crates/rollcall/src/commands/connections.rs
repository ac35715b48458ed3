//! `rollcall connections`: Microsoft tenants and the app registration each is read with.

use crate::house::{Files, House};
use crate::{exit, files, print};
use anyhow::{Context, Result, bail};
use secrecy::SecretString;
use std::path::PathBuf;
use sync::NewConnection;

/// Connections.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Connect a Microsoft tenant by its app registration
    Add(Add),
    /// List connections
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try a connection: each permission granted, missing or not needed
    Test {
        /// The connection's name, or the tenant's id or domain
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a connection and its secret; records, links and history stay
    Remove {
        /// The connection's name, or the tenant's id or domain
        name: String,
    },
}

/// Connects a Microsoft tenant. The secret is never an argument: it would stand in the shell's history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In the Entra admin centre: App registrations › New registration (single tenant), then
  API permissions › Microsoft Graph › Application permissions: User.Read.All, GroupMember.Read.All, Organization.Read.All
  (with scope.app_assigned also Application.Read.All, with a mapped date of sign-ins also AuditLog.Read.All)
  › Grant admin consent; remove the default User.Read. Then Certificates & secrets › New client secret; copy its Value.

Example:
  export ACME_SECRET=…
  rollcall connections add acme --tenant acme.example --client-id 11111111-2222-3333-4444-555555555555 --secret-env ACME_SECRET
  rollcall connections test acme")]
pub struct Add {
    /// A name of your choice
    name: String,
    /// The directory (tenant) id or one of its domains
    #[arg(long, value_name = "ID|DOMAIN")]
    tenant: String,
    /// The application (client) id
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The environment variable that holds the client secret
    #[arg(long, value_name = "VAR", required_unless_present = "secret_file", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// A file that holds the client secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Microsoft Graph of a national cloud, or of the simulator
    #[arg(long, value_name = "URL")]
    graph_url: Option<String>,
    /// The identity platform of a national cloud, or of the simulator
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::Add(args) => add(&house, args).await,
        Command::List { json } => list(&house, json).await,
        Command::Test { name, json } => test(&house, &name, json).await,
        Command::Remove { name } => {
            let connection = house.engine.connection_named(&name).await?;
            house.engine.remove_connection(connection.id, &house.actor()).await?;
            say!("Connection {} and its secret are gone. Its records, links and history stay.", print::plain(&connection.name));
            Ok(())
        }
    }
}

async fn add(house: &House, args: Add) -> Result<()> {
    let secret = secret(args.secret_env.as_deref(), args.secret_file.as_deref())?;
    let new = NewConnection {
        name: args.name,
        tenant: args.tenant,
        client_id: args.client_id,
        secret,
        graph_url: args.graph_url,
        login_url: args.login_url,
    };
    let connection = house.engine.add_connection(new, &house.actor()).await?;
    if args.json {
        return print::json(&connection);
    }
    say!("Connected {} to {}.", print::plain(&connection.name), print::plain(&connection.tenant));
    say!(
        "  Next: rollcall connections test {0}\n        rollcall tenants map {0} --client NAME --create",
        print::plain(&connection.name)
    );
    Ok(())
}

/// Reads a secret from a variable or a file, without the line end an editor adds.
pub fn secret(variable: Option<&str>, file: Option<&std::path::Path>) -> Result<SecretString> {
    let text = match (variable, file) {
        (Some(name), _) => std::env::var(name)
            .ok()
            .with_context(|| format!("The environment variable {name} is not set. Set it to the secret: export {name}=…"))?,
        (None, Some(path)) => {
            files::text(path, files::SECRET).with_context(|| format!("The secret could not be read from {}", path.display()))?
        }
        (None, None) => bail!("Give the secret by --secret-env VAR or --secret-file FILE."),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("The secret is empty. Copy the secret's Value (not its Secret ID) from Certificates & secrets.");
    }
    Ok(SecretString::from(text.to_owned()))
}

async fn list(house: &House, json: bool) -> Result<()> {
    let connections = house.engine.connections().await?;
    if json {
        return print::json(&connections);
    }
    print::table(
        &["Name", "Tenant", "Application", "Graph", "Status"],
        connections
            .iter()
            .map(|c| [c.name.clone(), c.tenant.clone(), c.client_id.clone(), c.graph_url.clone(), c.status.clone()]),
        "No connection yet. Connect a tenant: rollcall connections add --help",
    );
    Ok(())
}

async fn test(house: &House, name: &str, json: bool) -> Result<()> {
    let connection = house.engine.connection_named(name).await?;
    let test = house.engine.test_connection(connection.id).await?;
    if json {
        print::json(&test)?;
    } else {
        if let Some(organization) = &test.organization {
            say!("{} answers as {}.", print::plain(&connection.name), print::plain(organization));
        }
        if !test.permissions.is_empty() {
            print::table(
                &["Permission", "State", "Needed", "What for"],
                test.permissions.iter().map(|p| {
                    let needed = if p.mandatory { "yes" } else { "no" };
                    [p.permission.to_string(), p.state.to_string(), needed.to_owned(), p.purpose.to_string()]
                }),
                "",
            );
        }
        for missing in test.permissions.iter().filter(|p| p.state == "missing") {
            say!("{} is missing: {}.", missing.permission, print::plain(missing.detail.trim_end_matches('.')));
        }
        match &test.error {
            Some(error) => say!("{}", print::plain(&error.message)),
            None if test.ok => say!("Everything that is needed is granted."),
            None => say!(
                "A permission is missing. In the Entra admin centre: App registrations › your app › API permissions: add it, \
                 then Grant admin consent, then test again."
            ),
        }
    }
    if test.ok { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
}
