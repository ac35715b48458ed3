//! A server that answers what a test tells it, and surroundings in which waiting takes no time.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::FixedClock;
use serde_json::{Value, json};
use sources::{Graph, GraphConnection, GraphSource, Pause, Source, SourceError, Surroundings};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The planted secret: no error may show it.
pub const SECRET: &str = "pl4nted~s3cret";
/// The planted token: nor this.
pub const TOKEN: &str = "pl4nted-t0ken";
/// The app.
pub const APP: &str = "00000000-0000-0000-0000-00000000000a";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub bearer: String,
    /// The server's own origin.
    pub home: String,
    pub high_priority: bool,
}

impl Seen {
    pub fn is_token(&self) -> bool {
        self.path.ends_with("/oauth2/v2.0/token")
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
}

pub fn error(status: u16, code: &str, message: &str) -> Answer {
    answer(
        status,
        &json!({"error": {"code": code, "message": message, "innerError": {"request-id": "r-1", "client-request-id": "c-1"}}}),
    )
}

pub fn aadsts(status: u16, error: &str, number: u32) -> Answer {
    let text = format!("AADSTS{number}: Something.\r\nTrace ID: 1");
    answer(
        status,
        &json!({"error": error, "error_description": text, "error_codes": [number], "trace_id": "t-1", "correlation_id": "c-1"}),
    )
}

impl Answer {
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }
}

/// A token that lives this many seconds and names these roles, the `nth` of its kind.
pub fn token(nth: usize, lives: i64, roles: &[&str]) -> Answer {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"roles": roles}).to_string());
    answer(200, &json!({"token_type": "Bearer", "expires_in": lives, "access_token": format!("{TOKEN}.{claims}.{nth}")}))
}

/// A pretended Microsoft that answers by a function of the request and of how many of its kind (token, other) came before it.
pub struct Pretend {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Pretend {
    pub async fn start(answers: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (log, answers) = (seen.clone(), Arc::new(answers));
        let router = axum::Router::new().fallback(move |request: Request<Body>| {
            let (log, answers) = (log.clone(), answers.clone());
            async move {
                let header =
                    |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
                let one = Seen {
                    method: request.method().to_string(),
                    path: request.uri().path().to_owned(),
                    query: request.uri().query().unwrap_or_default().to_owned(),
                    bearer: header("authorization"),
                    home: format!("http://{}", header("host")),
                    high_priority: header("x-ms-throttle-priority") == "High",
                };
                let nth = {
                    let mut log = log.lock().expect("the log");
                    let nth = log.iter().filter(|s| s.is_token() == one.is_token()).count();
                    log.push(one.clone());
                    nth
                };
                let Answer { status, headers, body } = answers(&one, nth);
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(body)).expect("a response")
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// As [`Pretend::start`], with tokens given to whoever asks.
    pub async fn graph(answers: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |seen, nth| if seen.is_token() { token(nth, 3599, &[]) } else { answers(seen, nth) }).await
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").iter().filter(|s| !s.is_token()).cloned().collect()
    }

    pub fn tokens(&self) -> usize {
        self.seen.lock().expect("the log").iter().filter(|s| s.is_token()).count()
    }

    pub fn connection(&self) -> GraphConnection {
        connection(&self.url, "contoso.example", APP, SECRET)
    }

    /// A source in a world of its own.
    pub fn source(&self) -> Source {
        Source::Graph(World::new().source(self.connection()))
    }
}

pub fn connection(url: &str, tenant: &str, client_id: &str, secret: &str) -> GraphConnection {
    GraphConnection {
        graph_url: url.to_owned(),
        login_url: url.to_owned(),
        tenant: tenant.to_owned(),
        client_id: client_id.to_owned(),
        secret: secret.into(),
    }
}

/// Time that moves only when somebody waits, and the Graph client in it.
pub struct World {
    pub clock: Arc<FixedClock>,
    pub graph: Arc<Graph>,
    start: jiff::Timestamp,
}

struct Moves(Arc<FixedClock>);

impl Pause for Moves {
    fn pause(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        self.0.advance(how_long.try_into().expect("a short pause"));
        tokio::task::yield_now().boxed()
    }
}

impl World {
    pub fn new() -> Self {
        let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let clock = Arc::new(FixedClock::at(start));
        let graph = Graph::new(Surroundings::new(clock.clone(), Arc::new(Moves(clock.clone())), 1));
        Self { clock, graph, start }
    }

    pub fn source(&self, connection: GraphConnection) -> GraphSource {
        self.graph.source(connection).expect("a connection that can be right")
    }

    /// Seconds waited since the world began.
    pub fn waited(&self) -> f64 {
        use model::Clock as _;
        (self.clock.now_ms() - self.start.as_millisecond()) as f64 / 1000.0
    }
}

/// An error's kind, after looking that it keeps its secrets and is a sentence.
pub fn kind_of<T: std::fmt::Debug>(result: Result<T, SourceError>) -> &'static str {
    let error = result.expect_err("an error");
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    for planted in [SECRET, TOKEN] {
        assert!(!text.contains(planted) && !debug.contains(planted), "{text}\n{debug}");
    }
    assert!(text.len() > 40 && !text.contains('\n'), "not a sentence with a next step: {text}");
    error.kind()
}
