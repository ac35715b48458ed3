//! `rollcall simulate`: the Microsoft Graph and identity platform simulator on its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use simulator::{Churn, Options, Simulator, Throttle};

/// Pretends to be Microsoft: sign-in and Graph on one address, with seeded sample tenants.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rollcall simulate --listen 127.0.0.1:9000                 three companies of 120 people
  rollcall simulate --users 100000 --groups 500 --memberships 2
  rollcall simulate --faults faults.json --throttle s       with trouble; docs/simulator.md has the format

The first line on standard output is JSON: the address, and each tenant's id, domain, client id and secret.
The control API (change people, inject faults, move time) is under /_sim; see docs/simulator.md.")]
pub struct SimulateArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Number of tenants
    #[arg(long, value_name = "N", default_value_t = 3)]
    tenants: u32,
    /// Users in each tenant
    #[arg(long, value_name = "N", default_value_t = 120)]
    users: u32,
    /// Groups in each tenant
    #[arg(long, value_name = "N", default_value_t = 16)]
    groups: u32,
    /// Direct memberships of each user
    #[arg(long, value_name = "N", default_value_t = 3)]
    memberships: u32,
    /// Objects on a delta page, 1 to 999
    #[arg(long, value_name = "N", default_value_t = 200)]
    page_size: u32,
    /// Decides everything that looks random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Enforce the quota of a small, medium or large tenant
    #[arg(long, value_enum, default_value = "off")]
    throttle: Throttle,
    /// Change so many percent of the people every so many seconds, for example 1/60
    #[arg(long, value_name = "PERCENT/SECONDS")]
    churn: Option<Churn>,
    /// Faults that are active from the start (JSON)
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Origin to put into links, when clients come through a proxy
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate chain to serve https with
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key to serve https with
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Leave out what the contract allows but few expect: empty pages, repeats, replays
    #[arg(long)]
    plain: bool,
}

impl SimulateArgs {
    fn options(self) -> Options {
        Options {
            listen: self.listen,
            tenants: self.tenants,
            users: self.users,
            groups: self.groups,
            memberships: self.memberships,
            page_size: self.page_size,
            seed: self.seed,
            throttle: self.throttle,
            churn: self.churn,
            faults: self.faults,
            public_url: self.public_url,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            oddities: !self.plain,
        }
    }
}

/// Serves until interrupted (Ctrl-C).
pub async fn run(args: SimulateArgs) -> anyhow::Result<()> {
    let simulator = Simulator::start(args.options()).await?;
    say!("{}", simulator.announcement());
    tokio::signal::ctrl_c().await?;
    simulator.shutdown().await;
    Ok(())
}
