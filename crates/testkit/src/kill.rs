//! `kill -9` at seeded instants of a run, a restart, and the question whether the database then means what it would have meant.

use crate::binary::Home;
use crate::databases::{self, Database};
use crate::dump::{difference, dump};
use crate::simulator::Entra;
use anyhow::{Context, Result, bail, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::json;
use simulator::Options;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use store::{RunFilter, Store};

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A tenant's first run: everything read, planned and applied.
    FirstSync,
    /// A later run: what a tenth of the users changing brings.
    Delta,
    /// The applying of a first plan that waited for approval.
    Apply,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// A file.
    Sqlite,
    /// A cluster of the test's own.
    Postgres,
}

/// One series of kills.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// What is interrupted.
    pub stage: Stage,
    /// On which database.
    pub on: On,
    /// How many times.
    pub points: u32,
    /// Users in the tenant.
    pub users: u32,
    /// Decides the people and the instants.
    pub seed: u64,
}

/// How often a blow that came too late is tried again, earlier.
const TRIES: u32 = 20;

/// The tenant's name in all of this.
const TENANT: &str = "acme";

/// Agents and contacts, by group and without one, so that people change kind, lose access and come back. However many there are, a delta
/// is not held: what is interrupted is the whole of a run.
const POLICY: &str = "
preset: bms
guard: { max_removals: off, max_removal_share: off, max_rekeys: off, max_creates_share: off, max_agent_creates: off }
rules:
  - { id: staff, order: 10, when: { group_names: [Staff] }, then: { kind: agent, role: technician } }
  - { id: everyone, order: 20, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

/// In which state of the run the blows fell, and how often; `none` is before there was a run.
pub type Fell = BTreeMap<String, u32>;

impl Series {
    /// Kills and restarts the program at each instant, and compares each end with that of an undisturbed run. Tells where the blows fell.
    ///
    /// # Errors
    /// The first instant whose end differs, with the seed, the moment and the differing lines.
    pub fn run(&self, program: &Path) -> Result<Fell> {
        let entra = Entra::start(Options {
            tenants: 1,
            users: self.users,
            groups: 40,
            memberships: 2,
            // Small pages, so that there is much between two commits to be killed in.
            page_size: 100,
            seed: self.seed,
            ..Options::default()
        })?;
        let mut home = Home::new(program, None)?;
        let before = self.prepare(&mut home, &entra)?;
        let action = self.action(&home)?;

        let undisturbed = databases::copy(&before)?;
        home.set("ROLLCALL_DATABASE__URL", undisturbed.url());
        let began = Instant::now();
        home.done(&action)?;
        let length = began.elapsed();
        let expected = dump(undisturbed.url())?;
        ensure!(expected.lines().any(|l| l.starts_with("person")), "an undisturbed run leaves people:\n{expected:.500}");

        let mut instants = ChaCha8Rng::seed_from_u64(self.seed);
        let mut fell = Fell::new();
        for point in 0..self.points {
            let (after, database) =
                self.kill_at_work(&mut home, &before, &action, length.mul_f64(instants.random_range(0.0..1.0)))?;
            let state = last_run(database.url())?;
            let place = format!("{self:?}, point {point}, killed after {after:?} of {length:?}, the last run being {state}");
            *fell.entry(state).or_default() += 1;
            self.restart(&home, &action).with_context(|| format!("the restart failed: {place}"))?;
            let got = dump(database.url())?;
            if let Some(difference) = difference(&expected, &got) {
                bail!("{place}\n{difference}");
            }
        }
        Ok(fell)
    }

    /// A database in the state right before what is interrupted.
    fn prepare(&self, home: &mut Home, entra: &Entra) -> Result<Database> {
        let database = match self.on {
            On::Sqlite => databases::sqlite()?,
            On::Postgres => databases::postgres()?,
        };
        home.set("ROLLCALL_DATABASE__URL", database.url());
        let tenant = entra.tenant(0)?;
        home.set("ENTRA_SECRET", &tenant.secret);
        let connection = ["connections", "add", TENANT, "--tenant", &tenant.id, "--client-id", &tenant.client_id];
        home.done(
            &[&connection[..], &["--secret-env", "ENTRA_SECRET", "--graph-url", entra.url(), "--login-url", entra.url()]]
                .concat(),
        )?;
        home.done(&["tenants", "map", TENANT, "--client", "Acme", "--create"])?;
        let policy = home.folder().join("policy.yaml");
        std::fs::write(&policy, POLICY)?;
        home.done(&["policy", "import", &policy.display().to_string(), "--tenant", TENANT])?;
        match self.stage {
            Stage::FirstSync => {}
            Stage::Delta => {
                home.done(&["sync", TENANT, "--yes"])?;
                entra.control(Method::POST, &format!("/tenants/{}/churn", tenant.id), &json!({ "percent": 10 }))?;
            }
            Stage::Apply => {
                let held = home.run(&["sync", TENANT])?;
                ensure!(held.code == Some(3), "a first run waits for approval: {held:?}");
            }
        }
        Ok(database)
    }

    /// The command that is killed.
    fn action(&self, home: &Home) -> Result<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        if self.stage != Stage::Apply {
            return Ok(words(&["sync", TENANT, "--yes"]));
        }
        let runs = home.done(&["runs", "list", "--json"])?.json()?;
        let id = runs[0]["id"].to_string();
        let shown = home.done(&["runs", "show", &id, "--json"])?.json()?;
        let hash = shown["run"]["hash"].as_str().context("a held run has a hash")?;
        Ok(words(&["runs", "approve", &id, "--hash", hash]))
    }

    /// Starts the command on a fresh copy and kills it after a time. Where it had ended by then (the machine was busier when its length was
    /// measured), once more and earlier, so that every point counts.
    fn kill_at_work(
        &self,
        home: &mut Home,
        before: &Database,
        action: &[String],
        mut after: Duration,
    ) -> Result<(Duration, Database)> {
        for _ in 0..TRIES {
            let database = databases::copy(before)?;
            home.set("ROLLCALL_DATABASE__URL", database.url());
            let running = home.start(action)?;
            // The instant is what is being tested, so here, and only here, a test sleeps.
            std::thread::sleep(after);
            if running.kill()?.is_some() {
                return Ok((after, database));
            }
            after = after.mul_f64(0.7);
        }
        bail!("{self:?}: the program always ended before it could be killed")
    }

    /// What a person does after a crash: the same command again.
    fn restart(&self, home: &Home, action: &[String]) -> Result<()> {
        let again = home.run(action)?;
        // What was approved and is done cannot be approved again, and says so.
        let done_before = self.stage == Stage::Apply && again.stderr.contains("is done");
        ensure!(again.code == Some(0) || done_before, "{again:?}");
        Ok(())
    }
}

/// The state of the latest run in a database.
fn last_run(url: &str) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(url, 0).await?;
        let latest = RunFilter { tenant: None, states: Vec::new(), before: None, limit: 1 };
        let runs = store.runs(&latest).await?;
        store.close().await;
        Ok(runs.first().map_or_else(|| "none".to_owned(), |run| run.state.to_string()))
    })
}
