//! A story: one tenant of the pretended Microsoft, with nobody in it but whom the story puts there, and the program beside it.
//!
//! All stories of a test binary share one simulator (a tenant each) and one PostgreSQL cluster (a database each).

use crate::binary::{Ended, Home, Running};
use crate::databases::{self, Database};
use crate::dump;
use crate::kill::On;
use crate::simulator::{Entra, Tenant};
use anyhow::{Context, Result, ensure};
use model::records::{Fields, Person};
use model::{Field, PersonId};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::Options;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use store::{PersonEdit, PersonFilter, Store};

/// The connection's name in every story.
pub const ACME: &str = "acme";

/// Tenants of a shared simulator: it announces no more.
const TENANTS: u32 = 100;

/// People a story has at most: what is listed in one go.
const PEOPLE: i64 = 1_000;

/// One tenant, one database, one program.
pub struct Story {
    /// The program.
    pub home: Home,
    /// How the tenant is connected to.
    pub tenant: Tenant,
    /// The pretended Microsoft.
    pub entra: Arc<Entra>,
    database: Database,
}

/// What a sync said.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The exit code.
    pub code: Option<i32>,
    /// The run as JSON.
    pub run: Value,
    /// What was logged.
    pub logged: String,
}

impl Synced {
    /// The run's number, as an argument.
    #[must_use]
    pub fn id(&self) -> String {
        self.run["id"].to_string()
    }

    /// The state it ended in.
    #[must_use]
    pub fn state(&self) -> &str {
        self.run["state"].as_str().unwrap_or_default()
    }

    /// The plan's hash.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.run["hash"].as_str().unwrap_or_default()
    }

    /// One of the counts.
    #[must_use]
    pub fn count(&self, of: &str) -> i64 {
        self.run["counts"][of].as_i64().unwrap_or(-1)
    }

    /// Why it failed.
    #[must_use]
    pub fn error(&self) -> &str {
        self.run["error"].as_str().unwrap_or_default()
    }

    /// Whether it went through and there was nothing to change.
    #[must_use]
    pub fn nothing(&self) -> bool {
        const VERBS: [&str; 9] =
            ["create", "link", "update", "deactivate", "reactivate", "revoke_access", "grant_access", "archive", "restore"];
        self.code == Some(0) && VERBS.iter().all(|verb| self.count(verb) == 0)
    }
}

impl Story {
    /// A tenant without anybody, connected and mapped to the client Acme, under a policy.
    ///
    /// # Errors
    /// What the program or the simulator said.
    pub fn begin(program: &Path, on: On, policy: &str) -> Result<Self> {
        /// One after the other as each is used up.
        static SHARED: [OnceLock<Result<Arc<Entra>, String>>; 10] = [const { OnceLock::new() }; 10];
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let options = Options { tenants: TENANTS, users: 0, groups: 0, memberships: 0, seed: 7, ..Options::default() };
        let tenants = usize::try_from(TENANTS)?;
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = SHARED.get(next / tenants).context("a thousand stories have a tenant each")?;
        let shared = shared.get_or_init(|| Entra::start(options).map(Arc::new).map_err(|e| format!("{e:#}")));
        let entra = shared.as_ref().map_err(|e| anyhow::anyhow!("{e}"))?;
        Self::within(program, on, policy, entra.clone(), next % tenants)
    }

    /// The same in a simulator of the story's own.
    ///
    /// # Errors
    /// As for [`Story::begin`].
    pub fn within(program: &Path, on: On, policy: &str, entra: Arc<Entra>, index: usize) -> Result<Self> {
        let mut story = Self::unconnected(program, on, entra, index)?;
        let add = story.adding(ACME);
        story.home.done(&add)?;
        story.home.done(&["tenants", "map", ACME, "--client", "Acme", "--create"])?;
        story.policy(policy)?;
        Ok(story)
    }

    /// The program and a tenant that it does not know yet.
    ///
    /// # Errors
    /// When there is no such tenant, or no database.
    pub fn unconnected(program: &Path, on: On, entra: Arc<Entra>, index: usize) -> Result<Self> {
        let database = match on {
            On::Sqlite => databases::sqlite()?,
            On::Postgres => databases::postgres()?,
        };
        let mut home = Home::new(program, Some(database.url()))?;
        let tenant = entra.tenant(index)?;
        home.set("ENTRA_SECRET", &tenant.secret);
        home.done(&["migrate"])?;
        Ok(Self { home, tenant, entra, database })
    }

    /// The words that connect the tenant.
    #[must_use]
    pub fn adding(&self, name: &str) -> Vec<String> {
        let url = self.entra.url();
        ["connections", "add", name, "--tenant", &self.tenant.id, "--client-id", &self.tenant.client_id, "--secret-env"]
            .into_iter()
            .chain(["ENTRA_SECRET", "--graph-url", url, "--login-url", url])
            .map(str::to_owned)
            .collect()
    }

    /// The database's address.
    #[must_use]
    pub fn database(&self) -> &str {
        self.database.url()
    }

    /// Keeps a policy for the tenant.
    ///
    /// # Errors
    /// What the program said to it.
    pub fn policy(&mut self, text: &str) -> Result<()> {
        let file = self.file("policy.yaml", text)?;
        self.home.done(&["policy", "import", &file, "--tenant", ACME]).map(|_| ())
    }

    /// A file in the home.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.home.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Somebody joins, as `name@domain`; `more` are further properties, or other values. Gives the object id.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn joins(&self, name: &str, more: Value) -> Result<String> {
        let address = self.address(name);
        let mut user = json!({
            "userPrincipalName": address, "mail": address, "displayName": name, "givenName": name, "surname": "Smith",
            "jobTitle": "Clerk",
        });
        if let (Some(user), Value::Object(more)) = (user.as_object_mut(), more) {
            user.extend(more);
        }
        let made = self.entra(Method::POST, "/users", &user)?;
        made["id"].as_str().map(str::to_owned).context("a new user has an id")
    }

    /// A new group with these members. Gives the object id.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn group(&self, name: &str, members: &[&str]) -> Result<String> {
        let made = self.entra(Method::POST, "/groups", &json!({ "displayName": name }))?;
        self.entra(Method::POST, &format!("/groups/{name}/members"), &json!({ "add": members }))?;
        made["id"].as_str().map(str::to_owned).context("a new group has an id")
    }

    /// Changes a user.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn changes(&self, user: &str, properties: Value) -> Result<()> {
        self.entra(Method::PATCH, &format!("/users/{user}"), &properties).map(|_| ())
    }

    /// Soft-deletes a user.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn leaves(&self, user: &str) -> Result<()> {
        self.entra(Method::DELETE, &format!("/users/{user}"), &Value::Null).map(|_| ())
    }

    /// A request to the tenant's part of the control API.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn entra(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        self.entra.control(method, &format!("/tenants/{}{path}", self.tenant.id), body)
    }

    /// Lets something go wrong for this tenant.
    ///
    /// # Errors
    /// What the simulator said.
    pub fn fault(&self, mut fault: Value) -> Result<()> {
        fault["tenant"] = json!(self.tenant.id);
        self.entra.control(Method::POST, "/faults", &fault).map(|_| ())
    }

    /// An address in the tenant's domain.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.tenant.domain).to_lowercase()
    }

    /// `rollcall sync`, with more arguments.
    ///
    /// # Errors
    /// When what it printed is not one run.
    pub fn sync(&self, more: &[&str]) -> Result<Synced> {
        let ended = self.home.run(&[&["sync", ACME, "--json"][..], more].concat())?;
        Self::synced(ended)
    }

    /// Starts `rollcall sync` and leaves it running.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn syncing(&self, more: &[&str]) -> Result<Running> {
        self.home.start(&[&["sync", ACME, "--json"][..], more].concat())
    }

    /// What a sync that was started said.
    ///
    /// # Errors
    /// When what it printed is not one run.
    pub fn synced(ended: Ended) -> Result<Synced> {
        let mut said = ended.json()?;
        let run = said["runs"][0]["run"].take();
        ensure!(run.is_object(), "a sync tells of its run: {ended:?}");
        Ok(Synced { code: ended.code, run, logged: ended.stderr })
    }

    /// A sync that must end well.
    ///
    /// # Errors
    /// What it said when it did not.
    pub fn synced_well(&self, more: &[&str]) -> Result<Synced> {
        let synced = self.sync(more)?;
        ensure!(synced.code == Some(0) && synced.state() == "done", "a sync that should end well: {synced:?}");
        Ok(synced)
    }

    /// Does something with the store, as another program beside this one would.
    ///
    /// # Errors
    /// The store's.
    pub fn store<T>(&self, work: impl AsyncFnOnce(&Store) -> Result<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open(self.database(), 0).await?;
            let result = work(&store).await;
            store.close().await;
            result
        })
    }

    /// Everybody in the records.
    ///
    /// # Errors
    /// The store's.
    pub fn people(&self) -> Result<Vec<Person>> {
        self.store(async |store| {
            let rows = store.people(&PersonFilter { limit: PEOPLE, ..PersonFilter::default() }).await?;
            Ok(rows.into_iter().map(|row| row.person).collect())
        })
    }

    /// The one record whose username is, or whose e-mail address begins with, a name.
    ///
    /// # Errors
    /// When there is none, or more.
    pub fn person(&self, name: &str) -> Result<Person> {
        let address = self.address(name);
        let mut found: Vec<Person> =
            self.people()?.into_iter().filter(|p| p.email.as_deref().is_some_and(|e| e.eq_ignore_ascii_case(&address))).collect();
        ensure!(found.len() == 1, "one record with {address}, but: {found:?}");
        found.pop().context("one record")
    }

    /// A person edits a record by hand.
    ///
    /// # Errors
    /// The store's.
    pub fn edits(&self, person: PersonId, set: &Value) -> Result<()> {
        let set: Fields = set.as_object().into_iter().flatten().map(|(name, value)| (Field::new(name), value.clone())).collect();
        self.store(async |store| {
            Ok(store.edit_person(person, &PersonEdit { set, ..PersonEdit::default() }, "a person", 0).await?)
        })
        .map(|_| ())
    }

    /// The canonical dump.
    ///
    /// # Errors
    /// The store's.
    pub fn dump(&self) -> Result<String> {
        dump::dump(self.database())
    }
}
