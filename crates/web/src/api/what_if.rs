//! What a policy text would do before it is saved, counted while one looks; and older versions brought back.

use crate::api::answers::{Bodied, Contested, Known, Named};
use crate::api::input::{Body, Id};
use crate::api::policies::{PolicyText, PolicyToCheck, TEXT};
use crate::auth::{Admin, Caller, Operator};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use model::TenantKey;
use std::convert::Infallible;
use std::time::Duration;
use sync::{PolicyScope, WhatIf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often counts are sent while they grow: often enough to look alive, seldom enough for a page to keep up.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Whose text it would be.
pub(crate) async fn scope(state: &AppState, tenant: Option<i64>) -> Result<PolicyScope, ApiError> {
    Ok(match tenant {
        Some(id) => PolicyScope::Tenant(state.store().tenant(TenantKey(id)).await?.key),
        None => PolicyScope::Default,
    })
}

/// Who would change, and how, if a policy text were saved: over a tenant, or over all of them for the default. Nothing is written. The
/// answer is a stream: `progress` events with the counts as they grow, then one `result` (or `problem`). Each holds users looked at,
/// affected and decided, changes by verb and by field, groups of like changes, and samples with before, after and reasons. A text with
/// faults is refused before the stream begins (409), each fault with line and column.
#[utoipa::path(
    post, path = "/api/v1/policies/what-if", tag = "policies", security(("token" = ["operate"]), ("session" = [])),
    request_body = PolicyToCheck,
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        Known, Named, Bodied, Contested
    )
)]
pub async fn what_if(_: Operator, State(state): State<AppState>, mut body: Body) -> Result<impl IntoResponse, ApiError> {
    let text = body.raw_text("text", &TEXT);
    let tenant = body.optional_integer("tenant", 1);
    body.finish()?;
    let scope = scope(&state, tenant).await?;
    state.engine().check_policy(scope, &text).await?;
    Ok(Sse::new(counting(state, scope, text)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Counting under way; dropping it ends the counting.
struct Counting {
    now: watch::Receiver<WhatIf>,
    work: Option<JoinHandle<Result<WhatIf, sync::Error>>>,
    began: bool,
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}

fn counting(state: AppState, scope: PolicyScope, text: String) -> impl Stream<Item = Result<Event, Infallible>> {
    let (tell, now) = watch::channel(WhatIf::default());
    let engine = state.engine().clone();
    let work = tokio::spawn(async move {
        let mut tell = Some(tell);
        let report = engine
            .what_if(scope, &text, |report| {
                if let Some(tell) = tell.as_ref().filter(|_| !report.complete) {
                    tell.send_replace(report.clone());
                }
            })
            .await;
        tell.take();
        report
    });
    stream::unfold(Counting { now, work: Some(work), began: false }, |mut counting| async move {
        counting.work.as_ref()?;
        if counting.began {
            tokio::time::sleep(TELL_EVERY).await;
        }
        counting.began = true;
        let event = if counting.now.changed().await.is_ok() {
            let report = counting.now.borrow_and_update().clone();
            event("progress", &report)
        } else {
            let ended = counting.work.take()?.await;
            match ended {
                Ok(Ok(report)) => event("result", &report),
                Ok(Err(error)) => event("problem", &serde_json::json!({ "detail": ApiError::from(error).to_string() })),
                Err(error) => event("problem", &serde_json::json!({ "detail": ApiError::internal(&error).to_string() })),
            }
        };
        Some((Ok(event), counting))
    })
}

fn event(name: &str, what: &impl serde::Serialize) -> Event {
    // Our own types always serialise; an event that could not would come as one without data.
    Event::default().event(name).json_data(what).unwrap_or_default()
}

async fn restore(state: &AppState, caller: &Caller, scope: PolicyScope, version: i64) -> Result<Json<PolicyText>, ApiError> {
    state.engine().restore_policy(scope, version, &caller.actor).await?;
    let saved = state.store().policy(&scope.key()).await?;
    let version = saved.as_ref().map(|p| p.version);
    Ok(Json(PolicyText { text: saved.map(|p| p.text).unwrap_or_default(), version }))
}

/// Brings an older version of the default policy back, as the newest version.
#[utoipa::path(
    post, path = "/api/v1/policies/default/versions/{id}/restore", tag = "policies",
    security(("token" = ["admin"]), ("session" = [])),
    params(("id" = i64, Path, description = "The version's number", minimum = 1)),
    responses((status = 200, body = PolicyText), Known, Named, Contested)
)]
pub async fn restore_default(admin: Admin, State(state): State<AppState>, Id(id): Id) -> Result<Json<PolicyText>, ApiError> {
    restore(&state, &admin, PolicyScope::Default, id).await
}

/// Brings an older version of a tenant's own policy back, as the newest version.
#[utoipa::path(
    post, path = "/api/v1/tenants/{id}/policy/versions/{version}/restore", tag = "policies",
    security(("token" = ["admin"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The tenant's number", minimum = 1),
        ("version" = i64, Path, description = "The version's number", minimum = 1),
    ),
    responses((status = 200, body = PolicyText), Known, Named, Contested)
)]
pub async fn restore_tenant(
    admin: Admin,
    State(state): State<AppState>,
    Path((id, version)): Path<(String, String)>,
) -> Result<Json<PolicyText>, ApiError> {
    let number = |text: &str, what| text.parse::<i64>().ok().filter(|n| *n > 0).ok_or_else(|| ApiError::not_found(what, text));
    let tenant = state.store().tenant(TenantKey(number(&id, "tenant")?)).await?.key;
    restore(&state, &admin, PolicyScope::Tenant(tenant), number(&version, "policy version")?).await
}
