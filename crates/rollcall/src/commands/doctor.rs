//! `rollcall doctor`: checks what a run needs, and says what to do.

use crate::clock::SystemClock;
use crate::house::{self, Files, House};
use crate::{exit, print};
use anyhow::{Context, Result, bail};
use model::Clock;
use serde::Serialize;
use std::time::Duration;

/// Checks configuration, key, database, clock and connections.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Check {
    what: String,
    ok: bool,
    found: String,
}

/// Runs the command.
pub async fn run(files: Files, args: Args) -> Result<()> {
    let mut checks = Vec::new();
    let mut add = |what: &str, result: Result<String>| {
        let (ok, found) = match result {
            Ok(found) => (true, found),
            Err(error) => (false, format!("{error:#}")),
        };
        checks.push(Check { what: what.to_owned(), ok, found });
        ok
    };
    let loaded = files.load();
    let config_ok = match &loaded {
        Ok(_) => add("configuration", Ok("readable".into())),
        Err(error) => add("configuration", Err(anyhow::anyhow!("{error:#}"))),
    };
    if let (true, Ok(loaded)) = (config_ok, loaded) {
        crate::log::begin(&loaded.config, files.verbose);
        add("master key", house::check_key(&loaded.config.master_key_file));
        let store = house::open_store(&loaded.config).await;
        let database_ok = match &store {
            Ok(store) => add("database", store.describe().await.map_err(Into::into)),
            Err(error) => add("database", Err(anyhow::anyhow!("{error:#}"))),
        };
        if database_ok && let Ok(house) = House::with(loaded.config).await {
            for connection in house.engine.connections().await? {
                let what = format!("connection {}", connection.name);
                add("clock", clock(&connection.login_url, &connection.tenant).await);
                match house.engine.test_connection(connection.id).await {
                    Ok(test) if test.ok => {
                        add(&what, Ok(format!("answers as {}", test.organization.unwrap_or_default())));
                    }
                    Ok(test) => {
                        let missing: Vec<String> =
                            test.permissions.iter().filter(|p| p.is_missing()).map(|p| p.permission.to_string()).collect();
                        let said = test.error.map_or_else(
                            || format!("missing: {}. Add and grant them in Entra › App registrations.", missing.join(", ")),
                            |e| e.message,
                        );
                        add(&what, Err(anyhow::anyhow!(said)));
                    }
                    Err(error) => {
                        add(&what, Err(error.into()));
                    }
                }
            }
        }
    }
    let all_well = checks.iter().all(|c| c.ok);
    if args.json {
        print::json(&serde_json::json!({ "ok": all_well, "checks": checks }))?;
    } else {
        for check in &checks {
            say!("{} {}: {}", if check.ok { "✓" } else { "✗" }, print::plain(&check.what), print::plain(&check.found));
        }
    }
    if all_well { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
}

/// Tokens are refused from about five minutes of difference on; two leave time to mend it.
const SKEW_LIMIT_S: i64 = 120;

/// Compares this machine's clock with the one of the identity platform.
async fn clock(login_url: &str, tenant: &str) -> Result<String> {
    let url = format!("{}/{tenant}/v2.0/.well-known/openid-configuration", login_url.trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let answer = client.get(url).send().await.context("Microsoft's clock could not be asked")?;
    let date = answer.headers().get("date").and_then(|d| d.to_str().ok()).context("The answer told no time")?;
    let theirs = jiff::fmt::rfc2822::parse(date).context("The answer's time could not be read")?.timestamp();
    let skew = SystemClock.now().as_second() - theirs.as_second();
    if skew.abs() >= SKEW_LIMIT_S {
        bail!("{skew} s from Microsoft's, which makes it refuse tokens: set this machine's clock (timedatectl set-ntp true)");
    }
    Ok(format!("{skew} s from Microsoft's"))
}
