//! A pretended Microsoft inside the test's own process, on a free port, reached over HTTP like any other.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;
use simulator::{Options, Simulator};
use tokio::runtime::Runtime;

/// A running simulator with threads of its own, so that plain and async tests can use it alike. Stopped when dropped.
pub struct Entra {
    runtime: Option<Runtime>,
    simulator: Option<Simulator>,
    url: String,
    http: reqwest::Client,
}

/// How one of its tenants is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The directory's id.
    pub id: String,
    /// Its first domain.
    pub domain: String,
    /// The app registration's id.
    pub client_id: String,
    /// The app registration's secret.
    pub secret: String,
}

impl Entra {
    /// Starts one.
    ///
    /// # Errors
    /// What is wrong with the options, or that there is no free port.
    pub fn start(options: Options) -> Result<Self> {
        // A provider that is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let simulator = outside(|| runtime.block_on(Simulator::start(options)))?;
        let url = simulator.url();
        Ok(Self { runtime: Some(runtime), simulator: Some(simulator), url, http: reqwest::Client::builder().no_proxy().build()? })
    }

    /// Its origin, for login and Graph alike.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One of its tenants, counted from 0.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn tenant(&self, index: usize) -> Result<Tenant> {
        let announced = self.simulator.as_ref().context("runs until dropped")?.announcement();
        let tenant = &announced["tenants"][index];
        let text = |key: &str| {
            tenant[key].as_str().map(str::to_owned).with_context(|| format!("tenant {index} has no {key}: {announced}"))
        };
        Ok(Tenant {
            id: text("tenant_id")?,
            domain: text("domain")?,
            client_id: text("client_id")?,
            secret: text("client_secret")?,
        })
    }

    /// One request to the control API: `path` begins after `/_sim`. An empty answer is null.
    ///
    /// # Errors
    /// The status and body when it refuses.
    pub fn control(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let runtime = self.runtime.as_ref().context("runs until dropped")?;
        let request = self.http.request(method, format!("{}/_sim{path}", self.url)).json(body);
        outside(|| {
            runtime.block_on(async {
                let answer = request.send().await?;
                let (status, text) = (answer.status(), answer.text().await?);
                ensure!(status.is_success(), "the simulator answered {status} to {path}: {text}");
                Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
            })
        })
    }
}

impl Drop for Entra {
    fn drop(&mut self) {
        if let (Some(runtime), Some(simulator)) = (self.runtime.take(), self.simulator.take()) {
            outside(|| {
                runtime.block_on(simulator.shutdown());
                drop(runtime);
            });
        }
    }
}

/// Runs on a thread of its own, because a runtime may neither block nor be dropped inside another.
fn outside<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
