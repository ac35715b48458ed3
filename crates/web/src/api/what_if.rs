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
use futures::stream::{self, Stream, StreamExt};
use model::TenantKey;
use std::convert::Infallible;
use std::time::Duration;
use sync::{PolicyScope, WhatIf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
    let events = counting(&state, scope, text).map(|told| {
        Ok::<_, Infallible>(match told {
            Told::Progress(report) => event("progress", &report),
            Told::Result(report) => event("result", &report),
            Told::Problem(error) => event("problem", &serde_json::json!({ "detail": error.to_string() })),
        })
    });
    Ok(Sse::new(events).keep_alive(alive()))
}

/// What counting tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// The counts so far.
    Progress(Box<WhatIf>),
    /// All of them.
    Result(Box<WhatIf>),
    /// Why there will not be all of them.
    Problem(ApiError),
}

/// Counting under way; dropping it ends the counting.
struct Counting {
    now: watch::Receiver<WhatIf>,
    work: Option<JoinHandle<Result<WhatIf, sync::Error>>>,
    closing: CancellationToken,
    began: bool,
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}

/// Counts what a text would do, and tells of it: the first counts at once, then as they grow, and how it ended. Ends with whoever listens.
pub(crate) fn counting(state: &AppState, scope: PolicyScope, text: String) -> impl Stream<Item = Told> + use<> {
    let engine = state.engine().clone();
    let work = move |tell: watch::Sender<WhatIf>| async move {
        let grown = move |report: &WhatIf| {
            if !report.complete {
                tell.send_replace(report.clone());
            }
        };
        engine.what_if(scope, &text, grown).await
    };
    told(work, state.closing().clone())
}

fn told<W, F>(work: W, closing: CancellationToken) -> impl Stream<Item = Told> + use<W, F>
where
    W: FnOnce(watch::Sender<WhatIf>) -> F,
    F: Future<Output = Result<WhatIf, sync::Error>> + Send + 'static,
{
    let (tell, now) = watch::channel(WhatIf::default());
    let work = Some(tokio::spawn(work(tell)));
    stream::unfold(Counting { now, work, closing, began: false }, |mut counting| async move {
        counting.work.as_ref()?;
        if counting.began {
            tokio::select! {
                () = tokio::time::sleep(TELL_EVERY) => {}
                () = counting.closing.cancelled() => return None,
            }
        }
        counting.began = true;
        let grown = tokio::select! {
            grown = counting.now.changed() => grown.is_ok(),
            () = counting.closing.cancelled() => return None,
        };
        let told = if grown {
            Told::Progress(Box::new(counting.now.borrow_and_update().clone()))
        } else {
            match counting.work.take()?.await {
                Ok(Ok(report)) => Told::Result(Box::new(report)),
                Ok(Err(error)) => Told::Problem(error.into()),
                Err(error) => Told::Problem(ApiError::internal(&error)),
            }
        };
        Some((told, counting))
    })
}

/// A comment now and then, so that nothing in between takes a silent stream for a dead one.
pub(crate) fn alive() -> KeepAlive {
    KeepAlive::new().interval(Duration::from_secs(15))
}

pub(crate) fn event(name: &str, what: &impl serde::Serialize) -> Event {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn counts(looked_at: i64) -> WhatIf {
        WhatIf { looked_at, ..WhatIf::default() }
    }

    #[tokio::test]
    async fn whoever_goes_away_ends_the_counting() {
        let (alive, gone) = oneshot::channel::<()>();
        let endless = |tell: watch::Sender<WhatIf>| async move {
            let _alive = alive;
            tell.send_replace(counts(7));
            futures::future::pending().await
        };
        let mut told = Box::pin(told(endless, CancellationToken::new()));
        let first = told.next().await;
        assert!(matches!(&first, Some(Told::Progress(report)) if report.looked_at == 7), "{first:?}");
        drop(told);
        assert!(gone.await.is_err(), "what the work held is gone with it");
    }

    #[tokio::test]
    async fn a_server_that_ends_ends_the_stream() {
        let closing = CancellationToken::new();
        let endless = |tell: watch::Sender<WhatIf>| async move {
            let _open = tell;
            futures::future::pending().await
        };
        let mut told = Box::pin(told(endless, closing.clone()));
        closing.cancel();
        assert!(told.next().await.is_none());
    }

    #[tokio::test]
    async fn counts_come_first_and_the_end_last() {
        let (go, gone_on) = oneshot::channel::<()>();
        let work = |tell: watch::Sender<WhatIf>| async move {
            tell.send_replace(counts(1));
            gone_on.await.expect("somebody looks");
            tell.send_replace(counts(2));
            Err(sync::Error::Invalid("The database went away.".into()))
        };
        let mut told = Box::pin(told(work, CancellationToken::new()));
        let first = told.next().await;
        assert!(matches!(&first, Some(Told::Progress(report)) if report.looked_at == 1), "{first:?}");
        go.send(()).expect("the work waits");
        let rest: Vec<Told> = told.collect().await;
        assert!(matches!(&rest[0], Told::Progress(report) if report.looked_at == 2), "{rest:?}");
        assert!(matches!(rest[1..], [Told::Problem(_)]), "{rest:?}");
    }
}
