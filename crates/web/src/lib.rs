//! Shows and steers: the REST API under `/api/v1`, the pages, and who may do what.
//!
//! - `api` — one file a resource: wire types, handlers and their OpenAPI description side by side.
//! - `pages` — one file a page, with `get` and `post`; templates in `templates/`, styles and scripts in `assets/`.
//! - `auth` — sessions, API tokens, forms' tokens. A handler's arguments say who may call it.
//!
//! What it refuses to do: decide anything, write SQL, or speak to Microsoft. It asks [`sync::Engine`] and reads [`store::Store`].
//!
//! To add an operation: a handler with `#[utoipa::path]` in its resource's file, and a line in `api`'s list. To add a page: a
//! template, its struct in `pages/templates.rs`, a sample in `pages/samples.rs`, and a line in `pages`' list.

mod api;
pub mod assets;
mod auth;
mod headers;
mod pages;
mod problem;
mod state;
mod view;

pub use api::openapi;
pub use auth::password::{PasswordCost, PasswordError};
pub use state::{AppState, Metrics, Parts, Randomness};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use http::{StatusCode, header};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::trace::TraceLayer;

/// How long open requests may take to end once the server is asked to.
const LAST_CALL: Duration = Duration::from_secs(10);

/// Everything the server answers.
pub fn router(state: AppState) -> Router {
    let known =
        pages::routes().merge(api::routes()).layer(axum::middleware::from_fn_with_state(state.clone(), auth::caller::layer));
    let compress = CompressionLayer::new().compress_when(DefaultPredicate::new().and(NotForContentType::SSE));
    Router::new()
        .merge(known)
        .route("/assets/{name}", get(assets::serve))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .fallback(pages::nothing_here)
        .method_not_allowed_fallback(pages::wrong_method)
        .layer(DefaultBodyLimit::max(api::input::BODY_LIMIT))
        .layer(compress)
        .layer(axum::middleware::from_fn(headers::layer))
        .layer(CatchPanicLayer::custom(panicked))
        // Only the path: the query may hold a one-time link's token, or the name somebody searched for.
        .layer(TraceLayer::new_for_http().make_span_with(|request: &axum::extract::Request| {
            tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
        }))
        .with_state(state)
}

/// A server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The program was built without the pages' styles.
    #[error(transparent)]
    Assets(#[from] assets::MissingAssets),
    /// The socket failed.
    #[error("the server cannot go on listening: {0}")]
    Listen(#[from] std::io::Error),
}

/// Serves until `stop` is cancelled; open requests then have ten seconds to end.
///
/// # Errors
/// The styles are not part of this program, or the socket fails.
pub async fn serve(listener: TcpListener, state: AppState, stop: CancellationToken) -> Result<(), ServeError> {
    assets::check()?;
    let closing = state.closing().clone();
    let asked = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            closing.cancel();
        }
    };
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(asked).into_future();
    tokio::select! {
        ended = serving => ended?,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_CALL).await;
        } => {}
    }
    Ok(())
}

/// A one-time link for the first administrator, good for so many milliseconds; none when somebody has an account already.
///
/// # Errors
/// The store's.
pub async fn setup_link(state: &AppState, lasts: i64) -> Result<Option<String>, store::StoreError> {
    if !state.store().accounts().await?.is_empty() {
        return Ok(None);
    }
    new_account_link(state, lasts).await.map(Some)
}

/// A one-time link for one more administrator, good for so many milliseconds.
///
/// # Errors
/// The store's.
pub async fn new_account_link(state: &AppState, lasts: i64) -> Result<String, store::StoreError> {
    let secret = auth::secret::Secret::fresh(state, "");
    state.store().add_sign_in_link(&secret.hash(), None, state.now() + lasts).await?;
    Ok(state.link(&view::link("/setup", &[("token", secret.text())])))
}

/// `GET /health/ready`: whether the database answers.
async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    match state.store().health().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!("not ready: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}

/// `GET /metrics`: figures without names, in Prometheus' format.
async fn metrics(State(state): State<AppState>) -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics())
}

/// A bug of ours must not take the connection with it, nor tell its text to a stranger.
fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> axum::response::Response {
    let text = cause.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| cause.downcast_ref::<String>().cloned());
    let error = problem::ApiError::internal(&std::io::Error::other(text.unwrap_or_else(|| "a panic without words".into())));
    axum::response::IntoResponse::into_response(error)
}
