//! The socket: accepts, asks the right part for an answer, and does to it what faults want.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tower::Service;

use crate::churn::churn;
use crate::faults::{Moment, Verdict, Wire};
use crate::graph;
use crate::options::{Options, StartError};
use crate::reply::Reply;
use crate::sim::Sim;
use crate::{control, identity};

/// Largest body a request may have; a batch of twenty is far below.
const MAX_BODY: usize = 4 << 20;

/// Thrown to close a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed because a fault says so")]
pub struct Closed;

/// A running simulator. Dropping it stops it.
pub struct Simulator {
    sim: Arc<Sim>,
    addr: SocketAddr,
    handle: axum_server::Handle<SocketAddr>,
    server: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    life: Option<tokio::task::JoinHandle<()>>,
}

impl Simulator {
    /// Starts a simulator; it answers when this returns. Nothing is generated beforehand, so a million users start as fast as ten.
    ///
    /// # Errors
    /// [`StartError`]: an option out of bounds, an address that cannot be had, a faults file or certificate that cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let tls = tls_config(&options)?;
        let listen = options.listen;
        let cannot = |source| StartError::Listen { addr: listen, source };
        let listener = TcpListener::bind(listen).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let addr = listener.local_addr().map_err(cannot)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin =
            options.public_url.as_deref().map_or_else(|| format!("{scheme}://{addr}"), |u| u.trim_end_matches('/').to_owned());
        let every = options.churn;
        let sim = Arc::new(Sim::new(options)?);
        sim.set_origin(origin);
        let handle = axum_server::Handle::new();
        let make = Make(Answering(sim.clone()));
        let nodelay = axum_server::accept::NoDelayAcceptor::new();
        let server = match tls {
            None => {
                let server = axum_server::from_tcp(listener).map_err(cannot)?.acceptor(nodelay).handle(handle.clone());
                tokio::spawn(server.serve(make))
            }
            Some(config) => {
                let acceptor = axum_server::tls_rustls::RustlsAcceptor::new(config).acceptor(nodelay);
                let server = axum_server::from_tcp(listener).map_err(cannot)?.acceptor(acceptor).handle(handle.clone());
                tokio::spawn(server.serve(make))
            }
        };
        let life = every.map(|every| {
            let sim = sim.clone();
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_secs(every.every_seconds));
                ticks.tick().await;
                loop {
                    ticks.tick().await;
                    for tenant in sim.tenants() {
                        churn(tenant, &mut tenant.write(), sim.clock.now_ms(), every.percent);
                    }
                }
            })
        });
        Ok(Self { sim, addr, handle, server: Some(server), life })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The origin clients use, without a slash at its end: login and Graph share it.
    #[must_use]
    pub fn url(&self) -> String {
        self.sim.origin().to_owned()
    }

    /// What `rollcall simulate` prints as its first line: where it listens and the first 100 tenants with their credentials.
    #[must_use]
    pub fn announcement(&self) -> serde_json::Value {
        serde_json::json!({"listen": self.addr.to_string(), "tenants": self.sim.announced()})
    }

    /// Stops: open connections are closed.
    pub async fn shutdown(mut self) {
        self.handle.shutdown();
        if let Some(server) = self.server.take() {
            // The task ends by itself after the signal; how it ended changes nothing.
            let _ = server.await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(life) = self.life.take() {
            life.abort();
        }
    }
}

fn tls_config(options: &Options) -> Result<Option<axum_server::tls_rustls::RustlsConfig>, StartError> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    let wrong = |e: String| StartError::Tls(e);
    let chain = CertificateDer::pem_file_iter(cert).map_err(|e| wrong(format!("{}: {e}", cert.display())))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|e| wrong(format!("{}: {e}", cert.display())))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(format!("{}: {e}", key.display())))?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| wrong(e.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config))))
}

/// Gives each connection its service.
#[derive(Clone)]
struct Make(Answering);

impl Service<SocketAddr> for Make {
    type Response = Answering;
    type Error = Infallible;
    type Future = Ready<Result<Answering, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: SocketAddr) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

/// Answers requests. Unlike a router it may also refuse to answer, which closes the connection.
#[derive(Clone)]
struct Answering(Arc<Sim>);

impl<B> Service<Request<B>> for Answering
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Closed;
    type Future = BoxFuture<'static, Result<Response<Body>, Closed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sim = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match to_bytes(Body::new(body), MAX_BODY).await {
                Ok(body) => body,
                Err(_) => {
                    return respond(
                        &sim,
                        Reply::plain(413, &serde_json::json!({"error": "the body is larger than 4 MiB"})),
                        None,
                    );
                }
            };
            let path = parts.uri.path();
            let query = parts.uri.query().unwrap_or_default();
            let method = parts.method.as_str();
            if let Some(response) = stream_state(&sim, method, path, query) {
                return Ok(response);
            }
            let (reply, wire) = answer(&sim, method, path, query, &parts.headers, &body);
            respond(&sim, reply, wire)
        })
    }
}

fn answer(sim: &Sim, method: &str, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> (Reply, Option<Wire>) {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let authorization = header("authorization");
    let client_request_id = header("client-request-id").unwrap_or_default();
    if graph::versioned(path).is_some() {
        let ask = graph::Ask {
            method,
            path,
            query,
            authorization,
            eventual: header("consistencylevel").is_some_and(|c| c.eq_ignore_ascii_case("eventual")),
            minimal: header("prefer").is_some_and(|p| p.contains("return=minimal")),
            client_request_id,
            body,
            in_batch: false,
        };
        let answer = graph::answer(sim, &ask);
        return (answer.reply, answer.wire);
    }
    if path.starts_with("/_sim") {
        return (control::answer(sim, method, path, body), None);
    }
    if let Some(name) = identity::tenant_of(path) {
        let ask = identity::Ask { method, path, authorization, client_request_id, body };
        let mut wire = None;
        if let Some(tenant) = sim.find_tenant(name) {
            for verdict in sim.judge(tenant, method, path, query) {
                match verdict {
                    Verdict::Fail(fault) => return (identity::failed(sim, &ask, &fault), None),
                    Verdict::Wire(w) => wire = Some(w),
                    Verdict::EmptyPage | Verdict::Expired(_) => {}
                }
            }
        }
        return (identity::answer(sim, &ask), wire);
    }
    (graph::nowhere(sim, client_request_id), None)
}

/// `/_sim/tenants/{id}/state`, piece by piece.
fn stream_state(sim: &Arc<Sim>, method: &str, path: &str, query: &str) -> Option<Response<Body>> {
    let key = path.strip_prefix("/_sim/tenants/")?.strip_suffix("/state").filter(|_| method == "GET")?;
    let tenant = sim.find_tenant(key)?;
    let (index, mask) = (tenant.index, control::state_mask(tenant, query));
    let pieces = stream::unfold((sim.clone(), 0u32), move |(sim, step)| async move {
        let piece = control::state_piece(sim.tenant(index), step, mask)?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), (sim, step + 1)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    Some(response)
}

/// Bodies of broken answers end in this error.
fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection is closed because a fault says so")
}

/// A body that ends in the error after this much of it.
fn broken_after(first: Bytes) -> Body {
    // The pause before each piece lets what went before, the headers too, reach the wire before the connection goes.
    Body::from_stream(stream::iter([Ok(first), Err(broken())]).then(|piece| async move {
        tokio::task::yield_now().await;
        piece
    }))
}

fn respond(sim: &Sim, mut reply: Reply, wire: Option<Wire>) -> Result<Response<Body>, Closed> {
    let whole = std::mem::take(&mut reply.body);
    let body = match wire {
        Some(Wire::Reset(Moment::BeforeHeaders)) => return Err(Closed),
        Some(Wire::Reset(Moment::AfterHeaders)) => broken_after(Bytes::new()),
        Some(Wire::Reset(Moment::MidBody)) => broken_after(Bytes::from(whole).split_to_half()),
        Some(Wire::Slow(chunk, ms)) => {
            let pieces: Vec<Bytes> = whole.chunks(chunk).map(Bytes::copy_from_slice).collect();
            Body::from_stream(stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok::<_, Infallible>(piece)
            }))
        }
        Some(Wire::Garbage) => Body::from("<html><body>\u{fffd}\u{0} upstream said: }{][\"</body></html>"),
        Some(Wire::Truncate) => Body::from(Bytes::from(whole).split_to_half()),
        None => Body::from(whole),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(content_type) = reply.content_type {
        headers.insert("content-type", HeaderValue::from_static(content_type));
    }
    if let Ok(date) = HeaderValue::from_str(&crate::clock::http_date(sim.clock.now_ms() / 1000)) {
        headers.insert("date", date);
    }
    Ok(response)
}

/// The first half of some bytes.
trait Half {
    /// The first half.
    fn split_to_half(self) -> Bytes;
}

impl Half for Bytes {
    fn split_to_half(self) -> Bytes {
        self.slice(..self.len() / 2)
    }
}
