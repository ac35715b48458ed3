//! `/runs/{id}/events`: a run's progress as server-sent events.

use crate::api::answers::{Known, Named};
use crate::api::input::Id;
use crate::api::runs::Run;
use crate::auth::Viewer;
use crate::problem::ApiError;
use crate::state::AppState;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use model::RunId;
use model::run::RunState;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

/// How often a run's row is looked at. Any process may be working on it, so the row is what is watched; twice a second looks alive and
/// costs one small read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A run's progress: one `progress` event at once and one whenever something changed, each holding the run's state, counts, how far
/// it is, and a sentence. The stream ends when the run is over or waits for a person.
#[utoipa::path(
    get, path = "/api/v1/runs/{id}/events", tag = "runs", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The run's number", minimum = 1)),
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream"), Known, Named)
)]
pub async fn stream(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<impl IntoResponse, ApiError> {
    let id = state.store().run(RunId(id)).await?.id;
    Ok(Sse::new(progress(state, id)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Watch {
    state: AppState,
    run: RunId,
    told: Option<Value>,
    ended: bool,
}

fn progress(state: AppState, run: RunId) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Watch { state, run, told: None, ended: false }, |mut watch| async move {
        if watch.ended {
            return None;
        }
        loop {
            let run = match watch.state.engine().run(watch.run).await {
                Ok(run) => run,
                // A removed run, or a database that went away: the page asks again by itself.
                Err(error) => {
                    tracing::warn!(run = watch.run.0, "progress cannot be read: {error}");
                    return None;
                }
            };
            let waits = matches!(run.state, RunState::Held | RunState::Ready);
            let now = told(Run::from(run), waits);
            if watch.told.as_ref() != Some(&now) {
                watch.ended = now["over"] == true || waits;
                let event = Event::default().event("progress").data(now.to_string());
                watch.told = Some(now);
                return Some((Ok(event), watch));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = watch.state.closing().cancelled() => return None,
            }
        }
    })
}

fn told(run: Run, waits: bool) -> Value {
    let (done, total) = run.progress.as_ref().map_or((0, 0), |p| (p.done, p.of.unwrap_or(0)));
    json!({
        "id": run.id, "state": run.state, "over": run.over, "waits": waits, "counts": run.counts, "done": done, "total": total,
        "sentence": sentence(run.state, done, total),
    })
}

/// Where a run is, in words.
pub fn sentence(state: &str, done: i64, total: i64) -> String {
    let of = match (done, total) {
        (0, _) => String::new(),
        (done, 0) => format!(": {}", crate::view::thousands(done)),
        (done, total) => format!(": {} of {}", crate::view::thousands(done), crate::view::thousands(total)),
    };
    match state {
        "queued" => "Waits for a worker to be free.".into(),
        "collecting" => format!("Reads users and groups from Microsoft Entra{of}."),
        "planning" => format!("Decides what every user becomes{of}."),
        "applying" => format!("Writes the plan{of}."),
        "propagating" => format!("Passes the records on{of}."),
        "held" => "Waits for approval.".into(),
        "ready" => "The preview is ready.".into(),
        _ => "Over.".into(),
    }
}
