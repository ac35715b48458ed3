//! The real router over a real database and the simulator, without a socket: requests go straight in.
#![expect(dead_code, reason = "each test file uses its own part of this")]

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use http::{Method, Request, Response, StatusCode, header};
use model::clock::FixedClock;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{MasterKey, Store};
use sync::{Engine, Settings};
use testkit::databases::{Database, sqlite};
use testkit::simulator::Entra;
use tower::ServiceExt;
use web::{AppState, Parts, PasswordCost};

/// A server under test.
pub struct App {
    pub router: Router,
    pub state: AppState,
    pub engine: Engine,
    pub clock: Arc<FixedClock>,
    pub entra: Entra,
    _database: Database,
}

impl App {
    /// A server on an empty database, with two simulated tenants of 40 users each to connect to.
    pub async fn start() -> Self {
        let database = sqlite().expect("a database");
        let clock = Arc::new(FixedClock::at("2026-01-01T00:00:00Z".parse().expect("a time")));
        let options = simulator::Options { tenants: 2, users: 40, groups: 4, ..simulator::Options::default() };
        let entra = tokio::task::spawn_blocking(move || Entra::start(options)).await.expect("a thread").expect("a simulator");
        let store = Store::open(database.url(), 0).await.expect("a store");
        let settings = Settings {
            graph_url: entra.url().to_owned(),
            login_url: entra.url().to_owned(),
            lease: Duration::from_secs(15),
            interval: Duration::from_secs(180),
            workers: 1,
            holder: "test".into(),
        };
        let engine = Engine::new(store, master_key(), clock.clone(), settings, 7);
        let random = Mutex::new(rand_chacha::ChaCha20Rng::seed_from_u64(7));
        let parts = Parts {
            engine: engine.clone(),
            public_url: "http://rollcall.example".parse().expect("an address"),
            password_cost: PasswordCost::LOWEST,
            randomness: Arc::new(move |bytes| random.lock().expect("no panic holds it").fill_bytes(bytes)),
            metrics: Arc::new(String::new),
        };
        let state = AppState::new(parts).expect("a state");
        let router = web::router(state.clone()).layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711))));
        Self { router, state, engine, clock, entra, _database: database }
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.expect("the router never fails");
        Answer::of(answer).await
    }

    /// Makes an API token with these scopes, straight in the store.
    pub async fn token(&self, scopes: &[&str]) -> String {
        use sha2::Digest;
        let token = format!("rollcall_test_{}", scopes.join("_"));
        let hash = sha2::Sha256::digest(token.as_bytes());
        let scopes: Vec<String> = scopes.iter().map(|s| (*s).to_owned()).collect();
        self.engine.store().add_api_token(&token, &hash, &scopes, 0, None).await.expect("a token");
        token
    }

    /// A request of a program.
    pub async fn api(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a request")).await
    }

    /// A browser that is not signed in.
    pub fn browser(&self) -> Browser<'_> {
        Browser { app: self, cookies: Vec::new() }
    }

    /// A browser of an administrator who came in through the one-time link.
    pub async fn admin(&self) -> Browser<'_> {
        let link = web::setup_link(&self.state, 60_000).await.expect("a store").expect("nobody has an account yet");
        let mut browser = self.browser();
        let page = browser.get(link.strip_prefix("http://rollcall.example").expect("our address")).await;
        let form = [("name", "Ada"), ("password", "correct horse battery"), ("again", "correct horse battery")];
        let token = page.hidden("token");
        let done = browser.post("/setup", &page, &[&form[..], &[("token", &token)]].concat()).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        browser
    }

    /// A browser of somebody with a role: `read`, `operate` or `admin`.
    pub async fn somebody(&self, role: &str) -> Browser<'_> {
        use sha2::Digest;
        let account = self.engine.store().add_account(role, role, 0).await.expect("an account");
        let token = format!("link-of-{role}");
        let hash = sha2::Sha256::digest(token.as_bytes());
        self.engine.store().add_sign_in_link(&hash, Some(account.id), i64::MAX).await.expect("a link");
        let mut browser = self.browser();
        let page = browser.get(&format!("/setup?token={token}")).await;
        let form = [
            ("token", token.as_str()),
            ("name", role),
            ("password", "correct horse battery"),
            ("again", "correct horse battery"),
        ];
        let done = browser.post("/setup", &page, &form).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        browser
    }

    /// Connects the simulator's first tenant and maps it to a client; gives the tenant's number.
    pub async fn connected(&self) -> i64 {
        self.connects(0, "Contoso").await
    }

    /// Connects one of the simulator's tenants under a name, and maps it to a client; gives the tenant's number.
    pub async fn connects(&self, index: usize, name: &str) -> i64 {
        let tenant = self.entra.tenant(index).expect("a tenant");
        let new = sync::NewConnection {
            name: name.into(),
            tenant: tenant.id,
            client_id: tenant.client_id,
            secret: tenant.secret.into(),
            graph_url: None,
            login_url: None,
        };
        let actor = sync::Actor::cli("test");
        self.engine.add_connection(new, &actor).await.expect("a connection");
        let key = self.engine.tenant_named(name).await.expect("the tenant").key;
        self.engine.map_tenant(key, &format!("{name} Ltd"), true, &actor).await.expect("mapped");
        key.0
    }

    /// Does the work that is queued.
    pub async fn work(&self) {
        for tenant in self.engine.tenants().await.expect("tenants") {
            while self.engine.work_on(tenant.key).await.expect("work").is_some() {}
        }
    }
}

fn master_key() -> MasterKey {
    MasterKey::new([9; 32])
}

/// An answer, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    async fn of(answer: Response<Body>) -> Self {
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.expect("a whole body");
        Self { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let at = self.text.find(&marker).unwrap_or_else(|| panic!("no field {name} in {}", self.text)) + marker.len();
        self.text[at..].split('"').next().unwrap_or_default().to_owned()
    }

    /// Where a redirect leads.
    pub fn location(&self) -> &str {
        self.header("location")
    }
}

/// A browser: keeps cookies, sends forms as browsers do.
pub struct Browser<'a> {
    pub app: &'a App,
    pub cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    pub async fn get(&mut self, path: &str) -> Answer {
        self.request(Method::GET, path, Body::empty(), &[]).await
    }

    /// Sends a form that was on `page`.
    pub async fn post(&mut self, path: &str, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let csrf = page.hidden("csrf");
        self.post_raw(path, &[&[("csrf", csrf.as_str())], fields].concat(), &[("origin", "http://rollcall.example")]).await
    }

    pub async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.request(Method::POST, path, Body::from(body), &[&kind[..], headers].concat()).await
    }

    pub async fn request(&mut self, method: Method, path: &str, body: Body, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "rollcall.example");
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.app.send(request.body(body).expect("a request")).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.retain(|(n, _)| n != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}
