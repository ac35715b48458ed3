//! `rollcall serve`: the server.

use crate::house::{self, Files, House};
use crate::print;
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Pages, API, schedule and workers.
    All,
    /// Pages and API only.
    Web,
    /// Schedule and workers only.
    Worker,
}

/// Runs the server until interrupted. On the first start it prints a one-time link by which the first administrator signs in.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What this process does
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
    /// Show the effective configuration with secrets masked and where each value came from, and stop
    #[arg(long)]
    print_config: bool,
}

/// How long a one-time sign-in link is good for, milliseconds: a working day.
const LINK_TTL_MS: i64 = 8 * 60 * 60 * 1_000;

/// Runs the command.
pub async fn run(files: Files, args: Args) -> Result<()> {
    if args.print_config {
        return files.load()?.print(print::Out).context("Writing the configuration failed");
    }
    let house = House::open(&files).await?;
    let listener = if args.role == Role::Worker { None } else { Some(listen(house.config.listen).await?) };
    let stop = CancellationToken::new();
    let serving = serve(&house, listener, args.role, stop.clone(), |_| {});
    until_interrupted(serving, stop).await
}

/// Waits for a server to end, and asks it to when somebody interrupts.
pub async fn until_interrupted(serving: impl Future<Output = Result<()>>, stop: CancellationToken) -> Result<()> {
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended,
        () = interrupted() => {
            tracing::info!("stopping; runs under way go on from where they are when Rollcall starts again");
            stop.cancel();
            serving.await
        }
    }
}

/// Opens the port, or says what to do about it.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be listened on. Another program may have it: choose another with ROLLCALL_LISTEN or `listen` in rollcall.toml")
    })
}

/// Serves until told to stop. `first` is told the first sign-in's link, if there is one.
pub async fn serve(
    house: &House,
    listener: Option<TcpListener>,
    role: Role,
    stop: CancellationToken,
    first: impl FnOnce(&str),
) -> Result<()> {
    let worker = (role != Role::Web).then(|| {
        let (engine, stop) = (house.engine.clone(), stop.clone());
        tokio::spawn(async move { engine.work_until(stop).await })
    });
    if let Some(listener) = listener {
        let state = state(house)?;
        if let Some(link) = web::setup_link(&state, LINK_TTL_MS).await? {
            say!("First sign-in (once, within 8 hours): {link}");
            first(&link);
        }
        tracing::info!(url = %house.config.public_url, "serving");
        web::serve(listener, state, stop.clone()).await.context("Serving failed")?;
    } else {
        stop.cancelled().await;
    }
    if let Some(worker) = worker {
        worker.await.context("The workers ended early")?;
    }
    Ok(())
}

/// What the pages and the API need.
pub fn state(house: &House) -> Result<web::AppState> {
    let public_url = house
        .config
        .public_url
        .parse()
        .with_context(|| format!("public_url = \"{}\" is not an address", house.config.public_url))?;
    let auth = &house.config.auth;
    let parts = web::Parts {
        engine: house.engine.clone(),
        public_url,
        password_cost: web::PasswordCost { memory_kib: auth.argon2_memory_kib, passes: auth.argon2_passes },
        randomness: Arc::new(|bytes: &mut [u8]| {
            // A server that cannot make an unguessable token must not make a guessable one.
            assert!(house::fill(bytes).is_ok(), "the system gives no random bytes");
        }),
        metrics: crate::metrics::recorder(),
    };
    Ok(web::AppState::new(parts)?)
}

/// Ends on Ctrl-C or a polite kill.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
