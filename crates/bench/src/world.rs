//! What is measured stands here: a simulator in a process of its own, a database, a tenant connected and mapped.

use crate::measure::{self, Cost};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A policy under which nearly every user becomes a record and nothing waits for a person, so that all of the work is done.
const POLICY: &str = "\
preset: msp
scope: { guests: include, disabled: include, licensed_only: false, require: [], exclude: [] }
fields: { email: { source: mail_or_upn } }
guard: { max_removals: off, max_removal_share: off, max_rekeys: off, max_creates_share: off, max_agent_creates: off }
";

/// Beside that, a rule with a filter, which everybody has to be asked about and some meet.
const FEW: &str = "\
rules:
  - { id: some, order: 1, when: { filter: 'displayName.startsWith(\"A\")' }, then: { kind: contact, client: from_tenant, role: some } }
  - { id: everyone, name: Everyone becomes a contact, order: 100, when: {}, then: { kind: contact, client: from_tenant } }
";

/// Beside that, a role for everybody: each record would change.
const ALL: &str = "\
rules:
  - { id: everyone, name: Everyone becomes a contact, order: 100, when: {}, then: { kind: contact, client: from_tenant, role: all } }
";

/// A running simulator with one tenant, and the program's settings.
pub struct World {
    program: std::path::PathBuf,
    simulator: Child,
    url: String,
    tenant: Value,
    folder: TempDir,
    database: String,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl World {
    /// Starts the simulator, connects its tenant and maps it.
    pub fn start(program: &Path, database: &str, users: u32) -> Result<Self> {
        let users = users.to_string();
        let mut simulator = Command::new(program)
            .args(["simulate", "--listen", "127.0.0.1:0", "--tenants", "1", "--groups", "500", "--memberships", "2"])
            // The largest page Graph allows, and none of its oddities: here only speed counts.
            .args(["--page-size", "999", "--plain", "--users", &users])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(simulator.stdout.take().context("the simulator's output")?).read_line(&mut line)?;
        let announced: Value = serde_json::from_str(&line).context("the simulator's first line")?;
        sources::install_tls();
        let world = Self {
            program: program.to_owned(),
            simulator,
            url: format!("http://{}", announced["listen"].as_str().context("listen")?),
            tenant: announced["tenants"][0].clone(),
            folder: tempfile::tempdir()?,
            database: database.to_owned(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            http: reqwest::Client::builder().no_proxy().build()?,
        };
        let policy = world.folder.path().join("policy.yaml");
        std::fs::write(&policy, POLICY)?;
        let (id, client) = (world.text("tenant_id")?, world.text("client_id")?);
        world.done(&[
            "connections",
            "add",
            "bench",
            "--tenant",
            id,
            "--client-id",
            client,
            "--secret-env",
            "BENCH_SECRET",
            "--graph-url",
            &world.url,
            "--login-url",
            &world.url,
        ])?;
        world.done(&["tenants", "map", "bench", "--client", "Bench", "--create"])?;
        world.done(&["policy", "import", &policy.display().to_string()])?;
        Ok(world)
    }

    fn text(&self, key: &str) -> Result<&str> {
        self.tenant[key].as_str().with_context(|| format!("the tenant's {key}"))
    }

    fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("ROLLCALL_DATABASE__URL", &self.database)
            .env("ROLLCALL_MASTER_KEY_FILE", self.folder.path().join("master.key"))
            .env("BENCH_SECRET", self.text("client_secret")?);
        Ok(command)
    }

    fn done(&self, args: &[&str]) -> Result<()> {
        let out = self.command(args)?.output()?;
        ensure!(
            out.status.success(),
            "rollcall {args:?}: {}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(())
    }

    /// One sync, measured, and the requests it made.
    pub fn sync(&self) -> Result<(Cost, u64)> {
        self.control("DELETE", "/stats", None)?;
        let cost = measure::of(self.command(&["sync", "bench", "--yes", "--json"])?)?;
        let requests = self.control("GET", "/stats", None)?["requests"].as_u64().unwrap_or_default();
        Ok((cost, requests))
    }

    /// What two drafts would do, measured: a new rule for some, and another role for all. Nothing is kept.
    pub fn what_ifs(&self) -> Result<Vec<(&'static str, Cost, Value)>> {
        let mut measured = Vec::new();
        for (what, rules) in [("what-if: few", FEW), ("what-if: all", ALL)] {
            let file = self.folder.path().join("draft.yaml");
            std::fs::write(&file, format!("{POLICY}{rules}"))?;
            let file = file.display().to_string();
            let cost = measure::of(self.command(&["policy", "what-if", &file, "--json"])?)?;
            let counts = serde_json::from_str(&cost.stdout).context("what-if's counts")?;
            measured.push((what, cost, counts));
        }
        Ok(measured)
    }

    /// Why a user of the first plan is what they are, measured.
    pub fn explain(&self, first: &Cost) -> Result<Cost> {
        let report: Value = serde_json::from_str(&first.stdout).context("the first sync's report")?;
        let run = report["runs"][0]["run"]["id"].to_string();
        let shown = self.command(&["runs", "show", &run, "--json"])?.output()?;
        let plan: Value = serde_json::from_slice(&shown.stdout).context("the first plan")?;
        let user = plan["changes"][0]["source_id"].as_str().context("a user of the first plan")?;
        measure::of(self.command(&["explain", "bench", user, "--json"])?)
    }

    /// One percent of the users change.
    pub fn churn(&self) -> Result<()> {
        let path = format!("/tenants/{}/churn", self.text("tenant_id")?);
        self.control("POST", &path, Some(serde_json::json!({ "percent": 1 }))).map(|_| ())
    }

    /// What the floor needs to know. The secret goes by the environment.
    pub fn floor_args(&self, database: &str) -> Result<Vec<String>> {
        let args = [
            "--graph-url",
            &self.url,
            "--tenant",
            self.text("tenant_id")?,
            "--client-id",
            self.text("client_id")?,
            "--secret",
            self.text("client_secret")?,
            "--like",
            database,
        ];
        Ok(args.map(str::to_owned).to_vec())
    }

    fn control(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        self.runtime.block_on(async {
            let mut request = self.http.request(method.parse()?, format!("{}/_sim{path}", self.url));
            if let Some(body) = body {
                request = request.json(&body);
            }
            let text = request.send().await?.error_for_status()?.text().await?;
            Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
    }
}

/// How many changes a measured sync wrote.
pub fn changes(cost: &Cost) -> u64 {
    let report: Value = serde_json::from_str(&cost.stdout).unwrap_or_default();
    report["runs"][0]["run"]["counts"]["applied"].as_u64().unwrap_or_default()
}
