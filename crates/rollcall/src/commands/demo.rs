//! `rollcall demo`: the main job on sample people, for somebody who looks at Rollcall for the first time.

use super::serve::{self, Role};
use crate::config::{self, Config};
use crate::house::{Files, House};
use anyhow::{Context, Result};
use model::run::RunKind;
use secrecy::SecretString;
use simulator::{Options, Simulator};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use store::UserFilter;
use sync::{Actor, NewConnection, PolicyScope, RunRequest, Teller, TenantView};
use tokio_util::sync::CancellationToken;

/// Starts a pretend Microsoft with three companies and a server on a database of its own, and prints the address and a one-time
/// sign-in link. Nothing outside this machine is contacted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep everything in this folder; without it, in a temporary one that goes at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the server listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// People in each company
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u32).range(40..=5_000))]
    users: u32,
}

/// The first company: its help desk works in the PSA, everyone else is a contact.
const OWN_POLICY: &str = "\
# Who works in the help desk becomes an agent; everyone else a contact.
preset: msp
rules:
  - { id: helpdesk, name: Help desk become agents, order: 10, when: { group_names: [Helpdesk] },
      then: { kind: agent, role: Technician } }
  - { id: employees, name: Everyone else is a contact, order: 100, when: { group_names: [All employees] },
      then: { kind: contact, client: from_tenant, role: Portal user } }
fields:
  last_name: { default: \"(no family name)\" }
";

/// Everyone's: family names are mandatory in a PSA, and some people have none.
const DEFAULT_POLICY: &str = "\
preset: msp
fields:
  last_name: { default: \"(no family name)\" }
";

/// Runs the command.
pub async fn run(_files: Files, args: Args) -> Result<()> {
    // Kept until the end: dropping it removes the folder.
    let (folder, temporary) = match &args.data {
        Some(folder) => (folder.clone(), None),
        None => {
            let made =
                tempfile::Builder::new().prefix("rollcall-demo-").tempdir().context("No temporary folder could be made")?;
            (made.path().to_path_buf(), Some(made))
        }
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("The folder {} could not be made", folder.display()))?;
    let listener = serve::listen(args.listen).await?;
    let address = listener.local_addr().context("The server's address is not known")?;
    let microsoft = Simulator::start(Options { users: args.users, ..Options::default() }).await?;
    let config = Config {
        listen: address,
        public_url: format!("http://{address}"),
        master_key_file: folder.join("master.key"),
        database: config::Database { url: format!("sqlite://{}", folder.join("rollcall.db").display()) },
        microsoft: config::Microsoft { graph_url: microsoft.url(), login_url: microsoft.url() },
        log: config::Log { level: "warn".into(), format: "text".into() },
        ..Config::default()
    };
    crate::log::begin(&config, 0);
    let house = House::with(config).await?;
    if house.engine.tenants().await?.is_empty() {
        aside!("Preparing three companies of {} people …", args.users);
        Story { house: &house, microsoft: &microsoft, http: reqwest::Client::new() }.tell().await?;
    } else {
        aside!("Going on with what is in {}.", folder.display());
        reconnect(&house, &microsoft).await?;
    }
    say!("Rollcall is at {} (Ctrl-C ends it).", house.config.public_url);
    let stop = CancellationToken::new();
    let serving = serve::serve(&house, Some(listener), Role::All, stop.clone(), open);
    let result = serve::until_interrupted(serving, stop).await;
    microsoft.shutdown().await;
    drop(temporary);
    result
}

/// Opens the pages in the visitor's browser, where there is a desktop to do it on; the link is printed either way.
fn open(link: &str) {
    if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some()) {
        use std::process::{Command, Stdio};
        // Whoever has no xdg-open follows the printed link.
        let _ = Command::new("xdg-open").arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }
}

/// A kept demo meets a simulator on another port: its connections follow.
async fn reconnect(house: &House, microsoft: &Simulator) -> Result<()> {
    for (connection, secret) in house.engine.connections().await?.into_iter().zip(secrets(microsoft)) {
        house.engine.set_secret(connection.id, &secret, &Actor::cli("demo")).await?;
    }
    Ok(())
}

fn secrets(microsoft: &Simulator) -> Vec<SecretString> {
    let announced = microsoft.announcement();
    let tenants = announced["tenants"].as_array().cloned().unwrap_or_default();
    tenants.iter().filter_map(|t| t["client_secret"].as_str()).map(|s| SecretString::from(s.to_owned())).collect()
}

/// What a visitor finds: a company in step with a little history, one whose first preview waits, and one whose guard has stopped a
/// mass deactivation; with people who wait for a decision.
struct Story<'d> {
    house: &'d House,
    microsoft: &'d Simulator,
    http: reqwest::Client,
}

impl Story<'_> {
    async fn tell(&self) -> Result<()> {
        let actor = Actor::cli("demo");
        let engine = &self.house.engine;
        engine.save_policy(PolicyScope::Default, DEFAULT_POLICY, &actor).await?;
        let mut tenants = Vec::new();
        let announced = self.microsoft.announcement();
        for sample in announced["tenants"].as_array().into_iter().flatten() {
            tenants.push(self.connect(sample, &actor).await?);
        }
        let [own, waiting, held, ..] = tenants.as_slice() else { return Ok(()) };
        engine.save_policy(PolicyScope::Tenant(own.key), OWN_POLICY, &actor).await?;

        self.sync(own, true).await?;
        self.day_goes_by(own).await?;
        self.sync(own, false).await?;

        self.sync(held, true).await?;
        self.many_leave(held).await?;
        self.sync(held, false).await?;

        // A look without a trace, so that the records people kept by hand can be made from who is there.
        self.preview(waiting).await?;
        let csv = self.kept_by_hand(waiting).await?;
        engine.import_people(csv.as_bytes(), &BTreeMap::new(), false, &actor).await?;
        self.sync(waiting, false).await
    }

    async fn connect(&self, sample: &serde_json::Value, actor: &Actor) -> Result<TenantView> {
        let text = |key: &str| sample[key].as_str().unwrap_or_default().to_owned();
        let domain = text("domain");
        let engine = &self.house.engine;
        let new = NewConnection {
            name: domain.split('.').next().unwrap_or(&domain).to_owned(),
            tenant: text("tenant_id"),
            client_id: text("client_id"),
            secret: SecretString::from(text("client_secret")),
            graph_url: None,
            login_url: None,
        };
        let connection = engine.add_connection(new, actor).await?;
        let organization = engine.test_connection(connection.id).await?.organization.unwrap_or_else(|| connection.name.clone());
        let tenant = engine.tenant_named(&connection.name).await?;
        engine.map_tenant(tenant.key, &organization, true, actor).await?;
        Ok(engine.tenant(tenant.key).await?)
    }

    async fn sync(&self, tenant: &TenantView, approve_first: bool) -> Result<()> {
        self.run(tenant, false, approve_first).await
    }

    async fn preview(&self, tenant: &TenantView) -> Result<()> {
        self.run(tenant, true, false).await
    }

    async fn run(&self, tenant: &TenantView, preview: bool, approve_first: bool) -> Result<()> {
        let request = RunRequest { kind: RunKind::Delta, preview, approve_first, actor: Actor::cli("demo") };
        self.house.engine.run_now(tenant.key, request, Teller::silent()).await?;
        Ok(())
    }

    /// A normal day in Entra: a new title, a new name, a leaver.
    async fn day_goes_by(&self, tenant: &TenantView) -> Result<()> {
        let users = self.synced(tenant, 40).await?;
        let changes = [
            serde_json::json!({ "jobTitle": "Head of Operations" }),
            serde_json::json!({ "surname": "Lovelace", "displayName": "Ada Lovelace", "givenName": "Ada" }),
            serde_json::json!({ "accountEnabled": false }),
            serde_json::json!({ "businessPhones": ["+44 117 496 0100"], "department": "Operations" }),
        ];
        // Spread over the list, so that not only the first names of the alphabet have a story.
        for (user, change) in users.iter().step_by(7).zip(changes) {
            self.patch(tenant, user, &change).await?;
        }
        Ok(())
    }

    /// Somebody disables a fifth of a company: what the guard is there for.
    async fn many_leave(&self, tenant: &TenantView) -> Result<()> {
        let users = self.synced(tenant, 1_000).await?;
        let share = users.len() / 5;
        for user in users.iter().take(share) {
            self.patch(tenant, user, &serde_json::json!({ "accountEnabled": false })).await?;
        }
        Ok(())
    }

    async fn synced(&self, tenant: &TenantView, limit: i64) -> Result<Vec<store::UserRow>> {
        let filter = UserFilter { outcome: Some("synced".into()), limit, ..UserFilter::default() };
        Ok(self.house.engine.store().users(tenant.key, &filter).await?)
    }

    async fn patch(&self, tenant: &TenantView, user: &store::UserRow, change: &serde_json::Value) -> Result<()> {
        let tenant = tenant.tenant_id.as_deref().unwrap_or_default();
        let url = format!("{}/_sim/tenants/{tenant}/users/{}", self.microsoft.url(), user.source_id);
        self.http.patch(url).json(change).send().await?.error_for_status().context("The simulator refused a change")?;
        Ok(())
    }

    /// A CSV of contacts as a help desk keeps them over the years: most right, some twice, one gone inactive, one at another client.
    async fn kept_by_hand(&self, tenant: &TenantView) -> Result<String> {
        let client = tenant.client_name.clone().unwrap_or_default();
        let mut csv = String::from("external_id,kind,client,status,email,first_name,last_name,job_title,tickets\n");
        let users = self.synced(tenant, 30).await?;
        for (n, user) in users.iter().enumerate() {
            let told = &user.attributes;
            let Some(mail) = told.text("mail") else { continue };
            let (first, last) = (told.text("givenName").unwrap_or_default(), told.text("surname").unwrap_or_default());
            let id = 1_000 + n;
            // Writing into a text has no way to fail.
            let _ = match n {
                3 | 11 => writeln!(
                    csv,
                    "{id},contact,\"{client}\",active,{mail},{first},{last},,4\n{id}-old,contact,\"{client}\",active,{mail},{last},{first},,0"
                ),
                6 => writeln!(csv, "{id},contact,\"{client}\",inactive,{mail},{first},{last},,9"),
                9 => writeln!(csv, "{id},contact,Quarry Bakeries,active,{mail},{first},{last},Consultant,2"),
                _ if n % 3 == 0 => writeln!(csv, "{id},contact,\"{client}\",active,{mail},{first},{last},,{}", n % 5),
                _ => Ok(()),
            };
        }
        Ok(csv)
    }
}
