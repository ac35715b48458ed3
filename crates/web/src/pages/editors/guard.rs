//! The guard's limits in plain words, and what they would have stopped in the last month.

use super::{Desk, wording};
use crate::api::input::Id;
use crate::auth::{Admin, Caller, Viewer};
use crate::pages::form::Form;
use crate::pages::templates::{GuardPage, GuardRow, StoppedRow};
use crate::pages::{PageResult, render};
use crate::state::AppState;
use crate::view::{Mark, When, count, thousands};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::Value;
use serde_json::{Map, json};
use sync::PolicyEdit;

/// Plans shown.
const ROWS: usize = 50;

/// A limit: its key, the words before the field, those after it, and a hint.
const LIMITS: [(&str, &str, &str, &str); 6] = [
    (
        "max_removals",
        "At most",
        "people may lose their record's use or access within 24 hours",
        "Deactivated, archived or access revoked. One more, and the plan waits.",
    ),
    (
        "max_removal_share",
        "At most",
        "% of the linked people may",
        "Counts from 3 removals up. The same share tells when a directory has shrunk.",
    ),
    ("max_rekeys", "At most", "% may get another e-mail, username or client", "Counts from 3 people up."),
    (
        "max_creates_share",
        "At most",
        "% may be created beside the linked ones",
        "Counts from 25 new people up; not for the first plan.",
    ),
    ("max_agent_creates", "At most", "agents may be created", "Not for the first plan."),
    (
        "fleet_max_removal_share",
        "Over all tenants together, at most",
        "% may be removed within 24 hours",
        "Counts from 10 removals up.",
    ),
];

/// Switches: their key, and what they mean.
const SWITCHES: [(&str, &str, &str); 2] = [
    ("approve_first_run", "A tenant's first plan waits for a person", "However small it is."),
    (
        "apply_safe_part",
        "What is safe in a held plan is applied at once",
        "New people, links and harmless updates go on while removals wait.",
    ),
];

/// `GET /policy/guard`.
pub async fn default(viewer: Viewer, State(state): State<AppState>) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, None).await?, None).await
}

/// `GET /tenants/{id}/policy/guard`.
pub async fn tenant(viewer: Viewer, State(state): State<AppState>, Id(id): Id) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, Some(id)).await?, None).await
}

/// `POST /policy/guard`.
pub async fn edit_default(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, None, &form).await?;
    edit(&state, &admin, desk, &form).await
}

/// `POST /tenants/{id}/policy/guard`.
pub async fn edit_tenant(admin: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, Some(id), &form).await?;
    edit(&state, &admin, desk, &form).await
}

async fn edit(state: &AppState, caller: &Caller, mut desk: Desk, form: &Form) -> PageResult<Response> {
    let typed = read(form);
    let taken = desk.take(state, &PolicyEdit { guard: Some(typed.clone()), ..PolicyEdit::default() }).await?;
    show(state, caller, desk, (!taken).then_some(typed)).await
}

/// The limits as the form says them; an empty field is "off".
fn read(form: &Form) -> Value {
    let mut guard = Map::new();
    for (key, ..) in LIMITS {
        let text = form.text(key).trim_end_matches('%').trim();
        let value = match text {
            "" => json!("off"),
            whole if whole.parse::<i64>().is_ok() => json!(whole.parse::<i64>().unwrap_or_default()),
            other if key.ends_with("_share") || key == "max_rekeys" => json!(format!("{other}%")),
            other => json!(other),
        };
        guard.insert(key.to_owned(), value);
    }
    for (key, ..) in SWITCHES {
        guard.insert(key.to_owned(), json!(!form.text(key).is_empty()));
    }
    Value::Object(guard)
}

async fn show(state: &AppState, caller: &Caller, mut desk: Desk, typed: Option<Value>) -> PageResult<Response> {
    let settings = desk.settings(state).await?;
    let guard = typed.as_ref().unwrap_or(&settings["guard"]);
    let report = state.engine().guard_report(desk.scope, Some(&desk.text)).await?;
    let limits = LIMITS.into_iter().map(|(key, before, after, hint)| {
        let value = match &guard[key] {
            Value::String(off) if off == "off" => String::new(),
            other => wording::shown(other).trim_end_matches('%').to_owned(),
        };
        GuardRow { key, before, after, hint, value, on: true }
    });
    let switches = SWITCHES.into_iter().map(|(key, words, hint)| GuardRow {
        key,
        before: words,
        after: "",
        hint,
        value: String::new(),
        on: guard[key].as_bool().unwrap_or(false),
    });
    let now = report.stopped.iter().filter(|s| !s.holds.is_empty()).count();
    let lead = match (report.plans, now) {
        (0, _) => {
            "No plan was made in the last 30 days. Once there are some, this page says which of them these limits would stop."
                .to_owned()
        }
        (plans, now) => format!(
            "{}{} plans of the last 30 days: these limits would stop {now} of them; {} were held then.",
            if report.complete { "" } else { "The latest " },
            thousands(plans),
            report.held_then
        ),
    };
    let own = match (&desk.tenant, report.own_limits) {
        (Some(_), 0) => "This tenant has no limits of its own yet: what you change here becomes its own.".to_owned(),
        (Some(_), _) => "These are this tenant's own limits; what it does not set, it has from the default.".to_owned(),
        (None, 0) => "No tenant has limits of its own, so these decide for all of them.".to_owned(),
        (None, n) => format!(
            "{} limits of {} own; {} plans are weighed by those.",
            count(n, "tenant has", "tenants have"),
            if n == 1 { "its" } else { "their" },
            if n == 1 { "its" } else { "their" }
        ),
    };
    let blind = (report.without_fleet > 0).then(|| {
        format!(
            "For {} nothing was kept of what all tenants together weighed; the limit over all tenants is not counted there.",
            count(report.without_fleet, "plan", "plans")
        )
    });
    let mut rows = Vec::new();
    for stopped in report.stopped.into_iter().take(ROWS) {
        let tenant = state.store().tenant(stopped.tenant).await.map_or_else(|_| format!("tenant {}", stopped.tenant), |t| t.name);
        let (mark, why) = match (stopped.holds.is_empty(), stopped.held_then.is_empty()) {
            (true, _) => (Mark::new("", "would go through"), stopped.held_then),
            (false, true) => (Mark::new("warn", "would be stopped"), stopped.holds),
            (false, false) => (Mark::new("warn", "stopped, as then"), stopped.holds),
        };
        rows.push(StoppedRow {
            run: stopped.run.0,
            tenant,
            at: When::at(stopped.at),
            state: Mark::state(stopped.state),
            changes: thousands(stopped.changes),
            removals: thousands(stopped.removals),
            limits: if stopped.limits == "tenant" { "its own" } else { "the default's" },
            mark,
            why,
        });
    }
    let status = if desk.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = render(&GuardPage {
        page: desk.page(state, caller, "Guard").await?,
        draft: desk.view(state).await?,
        action: format!("{}/guard", desk.policy),
        limits: limits.collect(),
        switches: switches.collect(),
        lead,
        whose: std::iter::once(own).chain(blind).collect(),
        rows,
        tenant: desk.tenant,
        faults: desk.faults,
    })?;
    Ok((status, page).into_response())
}
