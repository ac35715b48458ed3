//! The connections to one PostgreSQL server, and where they rest.

use super::postgres::fault;
use crate::error::{Result, StoreError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use std::future::Future;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections of one process. A small server allows 100; several processes share it.
const CONNECTIONS: usize = 8;
/// How long a caller waits for one of them in all, be it that all are taken or that the server is starting.
const ACQUIRE: Duration = Duration::from_secs(15);
/// How often the server is tried while it is starting, at first and at last.
const TRIES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// After so long a connection may be dead without our knowing, so it is asked.
const IDLE: Duration = Duration::from_secs(2);
/// How long its answer is waited for.
const ANSWER: Duration = Duration::from_secs(3);
/// After so long it is not asked any more: something on the way may have forgotten it, and then nobody answers at all.
const RESTED: Duration = Duration::from_secs(4 * 60);
/// How long a transaction that was given up stays open unless its connection is used again: reading ends so, and is nearly always
/// followed by something else at once, which then needs no connection of its own.
const GIVEN_UP: Duration = Duration::from_millis(2);

/// Where connections rest. Whoever wants one gets the one that was used last, which has its statements prepared and its catalogues
/// read. sqlx's own pool gives the one that rested longest, after asking each whether it lives when it comes back: a sync that
/// finds nothing to do then prepares its statements on two or three of them.
pub(super) struct Home {
    options: PgConnectOptions,
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
    /// Its transaction was given up, and nobody has told the server.
    open: bool,
}

impl Home {
    /// With the first connection, which tells at once what is wrong.
    pub(super) async fn open(options: PgConnectOptions) -> Result<Self> {
        let home = Home { options, idle: Mutex::default(), permits: Arc::new(Semaphore::new(CONNECTIONS)) };
        let connection = match timeout(ACQUIRE, home.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(sqlx::Error::Io(io))) => {
                let server = format!("{}:{}", home.options.get_host(), home.options.get_port());
                let why = format!("the server {server} cannot be reached: {io}. Check address and network.");
                return Err(StoreError::Unavailable(why));
            }
            Ok(Err(error)) => return Err(fault(error)),
            Err(_) => {
                let why = "the server did not answer within 15 seconds. Check address and network.";
                return Err(StoreError::Unavailable(why.into()));
            }
        };
        home.put(connection, false);
        Ok(home)
    }

    /// Those in use end when whoever has them is done.
    pub(super) async fn close(&self) {
        self.permits.close();
        while let Some(idle) = self.take(|_| true) {
            // It says goodbye; the server would find out by itself.
            let _ = idle.connection.close().await;
        }
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // A statement is planned for the tables as they are: a plan kept from when a table was empty reads it from end to end for every
        // batch of the first sync that fills it.
        //
        // Rows are asked for by their keys, some hundreds at once. Were a page out of turn as dear as on a disk with a moving head, which
        // the server takes for granted, it would read a table of 100,000 from end to end for each such question, and with several
        // processes.
        connection.execute("SET plan_cache_mode = force_custom_plan; SET random_page_cost = 1.1").await?;
        Ok(connection)
    }

    /// The same, and waits while the server is starting or has no room.
    async fn connect_patiently(&self) -> Result<PgConnection> {
        let [mut pause, longest] = TRIES;
        loop {
            match self.connect().await {
                Err(error) if is_passing(&error) => tokio::time::sleep(pause).await,
                other => return other.map_err(fault),
            }
            pause = longest.min(pause * 2);
        }
    }

    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Held> {
        let late = "no connection became free within 15 seconds. Check that the server answers.";
        timeout(ACQUIRE, self.next()).await.unwrap_or_else(|_| Err(StoreError::Unavailable(late.into())))
    }

    async fn next(self: &Arc<Self>) -> Result<Held> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Unavailable("it is being closed.".into()))?;
        let connection = loop {
            let Some(idle) = self.take(|_| true) else { break self.connect_patiently().await? };
            // One that does not answer is dropped, and the next one is asked.
            if let Some(connection) = idle.ready().await {
                break connection;
            }
        };
        Ok(Held { connection: Some(connection), open: false, state: State::Sound, home: self.clone(), permit: Some(permit) })
    }

    /// Takes out the connection that was used last, of those that fulfil a condition.
    fn take(&self, which: impl Fn(&Idle) -> bool) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().rposition(which).map(|at| idle.remove(at))
    }

    fn put(&self, connection: PgConnection, open: bool) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.permits.is_closed() {
            idle.push(Idle { connection, since: Instant::now(), open });
        }
    }

    /// Ends transactions that were given up, but for those whose connections somebody uses again before.
    async fn end_open(self: Arc<Self>) {
        tokio::time::sleep(GIVEN_UP).await;
        let Ok(_permit) = self.permits.clone().acquire_owned().await else { return };
        while let Some(idle) = self.take(|idle| idle.open) {
            if let Some(connection) = idle.ready().await {
                self.put(connection, false);
            }
        }
    }
}

impl Idle {
    /// The connection, without a transaction; none when it is dead.
    async fn ready(mut self) -> Option<PgConnection> {
        let rested = self.since.elapsed();
        if rested > RESTED {
            return None;
        }
        if self.open || rested > IDLE {
            timeout(ANSWER, end(&mut self.connection, self.open)).await.ok()?.ok()?;
        }
        Some(self.connection)
    }
}

/// Ends what a connection is in the middle of: the rest of an answer, and its transaction if one is open.
async fn end(connection: &mut PgConnection, open: bool) -> Result<(), sqlx::Error> {
    if open { connection.execute("ROLLBACK").await.map(|_| ()) } else { connection.ping().await }
}

/// A connection while it is used.
pub(super) struct Held {
    connection: Option<PgConnection>,
    /// A transaction is open.
    open: bool,
    state: State,
    home: Arc<Home>,
    permit: Option<OwnedSemaphorePermit>,
}

enum State {
    /// It has answered everything that it was asked.
    Sound,
    /// An answer is on its way. Whoever stops waiting for it leaves it so.
    Asked,
    /// It cannot be used any more.
    Broken,
}

impl Held {
    /// Asks the server something.
    pub(super) async fn ask<'c, T, F>(&'c mut self, what: impl FnOnce(&'c mut PgConnection) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let connection = self.connection.as_mut().ok_or_else(|| StoreError::Unavailable("the connection was lost.".into()))?;
        self.state = State::Asked;
        let answer = what(connection).await;
        self.state = if answer.as_ref().err().is_some_and(breaks) { State::Broken } else { State::Sound };
        answer.map_err(fault)
    }

    pub(super) async fn begin(&mut self, how: &'static str) -> Result<()> {
        self.open = true;
        self.ask(|c| c.execute(how)).await.map(|_| ())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.ask(|c| c.execute("COMMIT")).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(mut connection), home, open) = (self.connection.take(), self.home.clone(), self.open) else { return };
        let runtime = tokio::runtime::Handle::try_current();
        match (&self.state, runtime) {
            (State::Sound, runtime) => {
                home.put(connection, open);
                if let (true, Ok(runtime)) = (open, runtime) {
                    runtime.spawn(home.end_open());
                }
            }
            (State::Asked, Ok(runtime)) => {
                // The server goes on with it, so nobody else gets a connection in its place before it has ended.
                let permit = self.permit.take();
                runtime.spawn(async move {
                    if end(&mut connection, open).await.is_ok() {
                        home.put(connection, false);
                    }
                    drop(permit);
                });
            }
            (State::Asked | State::Broken, _) => {}
        }
    }
}

/// Whether an error leaves the connection it came by unusable.
fn breaks(error: &sqlx::Error) -> bool {
    match error {
        // Class 57P: the server ends the connection after saying so.
        sqlx::Error::Database(d) => d.code().is_some_and(|code| code.starts_with("57P")),
        sqlx::Error::RowNotFound => false,
        _ => true,
    }
}

/// Whether a connection may succeed soon: the server is not there yet, is starting, or has no room just now.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(io) => {
            matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
        }
        sqlx::Error::Database(d) => d.code().is_some_and(|code| matches!(code.as_ref(), "57P03" | "53300")),
        _ => false,
    }
}
