//! `/runs`: all, and one with live progress.

use crate::api::events;
use crate::api::input::Id;
use crate::auth::{Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{ReportRow, RunPage, RunRow, RunRows, Runs};
use crate::pages::tenants::named;
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Chip, Figure, Mark, Page, Pager, Section, When, by_verb, counts_line, label, link, thousands};
use axum::extract::State;
use axum::response::Redirect;
use model::run::{RunKind, RunState};
use model::{RunId, TenantKey, Value};
use store::{Run, RunFilter};
use sync::RunReport;

/// Runs on a page.
const ROWS: i64 = 50;
/// Reports shown on a run's page.
const REPORTS: i64 = 50;

/// What the list can be narrowed to.
const STATES: &[(&str, &str)] =
    &[("", "All"), ("held", "Waiting for approval"), ("ready", "Previews"), ("done", "Done"), ("failed", "Failed")];

/// `GET /runs`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult {
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Runs, "Runs").await? };
    let word = params.text("state");
    let tenant = params.number("tenant");
    let after = params.number("after");
    let filter = RunFilter {
        tenant: tenant.map(TenantKey),
        states: RunState::parse(word).into_iter().collect(),
        before: after.map(RunId),
        limit: ROWS + 1,
    };
    let mut runs = state.store().runs(&filter).await?;
    let more = runs.len() > usize::try_from(ROWS).unwrap_or(0);
    runs.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = runs.last().filter(|_| more).map(|r| r.id.to_string());
    let tenant = tenant.map(|t| t.to_string()).unwrap_or_default();
    let chips = STATES.iter().map(|(state, text)| Chip {
        href: link("/runs", &[("state", state), ("tenant", &tenant)]),
        text: (*text).into(),
        count: String::new(),
        current: *state == word,
    });
    let chips = chips.collect();
    let pager = Pager::new("/runs", &[("state", word), ("tenant", &tenant)], after.map(|_| ""), next.as_deref());
    let rows = run_rows(&state, runs, true).await?;
    Ok(render(&Runs { page, chips, rows, pager })?)
}

/// Runs as a table.
pub async fn run_rows(state: &AppState, runs: Vec<Run>, with_tenant: bool) -> Result<String, ApiError> {
    let mut rows = Vec::with_capacity(runs.len());
    for run in runs {
        let report = state.engine().run(run.id).await?;
        rows.push(RunRow {
            id: report.id.0,
            tenant: report.tenant_name.clone(),
            state: Mark::state(report.state),
            kind: kind(&report),
            changes: if report.state.is_over() || report.hash.is_some() { counts_line(&report.counts) } else { "…".into() },
            by: report.requested_by,
            at: When::ago(report.started_at),
        });
    }
    let teach = "A run reads a tenant's directory, plans what has to change, and writes it. Start one on a tenant's page.";
    Ok(render(&RunRows { runs: rows, with_tenant, teach })?.0)
}

fn kind(run: &RunReport) -> &'static str {
    match (run.kind, run.preview) {
        (RunKind::Revert, _) => "revert",
        (RunKind::Full, true) => "full preview",
        (RunKind::Full, false) => "full",
        (_, true) => "preview",
        (RunKind::Delta, false) => "changes",
        (RunKind::Incomplete, false) => "incomplete",
        (RunKind::Review, false) => "review",
    }
}

/// `GET /runs/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let run = state.engine().run(RunId(id)).await?;
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Runs, format!("Run {id}")).await? };
    let waiting = matches!(run.state, RunState::Held | RunState::Ready);
    let has_plan = run.hash.is_some();
    let number = |name: &str| run.progress.as_ref().and_then(|p| p.get(name)).and_then(Value::as_i64).unwrap_or(0);
    let stage = events::sentence(run.state.as_str(), number("done"), number("of"));
    let reports = state.store().reports(run.id, 0, REPORTS + 1).await?;
    let reports_note = match reports.len() > usize::try_from(REPORTS).unwrap_or(0) {
        true => format!("the first {REPORTS}; all of them through the API"),
        false => String::new(),
    };
    let reports = reports.into_iter().take(usize::try_from(REPORTS).unwrap_or(0)).map(|(_, r)| ReportRow {
        href: format!("/users/{}", r.user),
        user: r.source_id.as_str().to_owned(),
        field: r.field.map(|f| label(f.as_str())).unwrap_or_default(),
        detail: r.detail,
    });
    let reports = reports.collect();
    let template = RunPage {
        id,
        tenant: named(&state, run.tenant).await?,
        state: Mark::state(run.state),
        state_word: run.state.as_str(),
        lead: format!("Asked for by <bdi>{}</bdi> {}", escaped(&run.requested_by), When::ago(run.started_at)),
        over: run.state.is_over(),
        waiting,
        has_plan,
        plan_text: if waiting { "Look at the plan" } else { "Look at the changes" },
        failed: run.state == RunState::Failed,
        revertible: matches!(run.state, RunState::Done | RunState::Failed) && run.counts.applied > 0 && run.reverted_by.is_none(),
        error: run.error.clone(),
        holds: run.holds.iter().map(ToString::to_string).collect(),
        stands_for: run.weights.as_ref().map(|w| w.stands_for.clone()).unwrap_or_default(),
        stage,
        figures: figures(&run),
        reports,
        reports_note,
        facts: facts(&run),
        page,
    };
    Ok(render(&template)?)
}

/// `POST /runs/{id}/revert`: plans what takes the run back, and goes to that plan's run.
pub async fn revert(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    let asked = state.engine().request_revert(RunId(id), &operator.actor).await?;
    Ok(go_saying(&format!("/runs/{asked}"), "reverting"))
}

fn figures(run: &RunReport) -> Vec<Figure> {
    let plan = |parameters: &[(&str, &str)]| link(&format!("/runs/{}/plan", run.id), parameters);
    let mut figures: Vec<_> = by_verb(&run.counts)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(verb, n)| {
            let removal = matches!(Mark::verb(verb).tone, "bad");
            Figure::new(n, format!("to {}", verb.label().to_lowercase()), plan(&[("verb", verb.as_str())])).tone(if removal {
                "bad"
            } else {
                ""
            })
        })
        .collect();
    let users = |outcome| link(&format!("/tenants/{}/users", run.tenant), &[("outcome", outcome)]);
    if run.counts.users > 0 || !figures.is_empty() {
        figures.push(Figure::new(run.counts.unchanged, "unchanged", users("synced")));
        figures.push(Figure::new(run.counts.excluded, "left out", users("excluded")));
        figures.push(Figure::new(run.counts.in_review, "in review", "/review").tone("warn"));
        figures.push(Figure::new(run.counts.failed, "failed", plan(&[("status", "failed")])).tone("bad"));
    }
    figures
}

fn facts(run: &RunReport) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Kind", kind(run).to_owned()), ("Began", When::at(run.started_at))];
    if let Some(at) = run.ended_at {
        facts.push((if run.state == RunState::Ready { "Ready" } else { "Ended" }, When::at(at)));
    }
    facts.push(("Users looked at", thousands(run.counts.users)));
    facts.push(("Changes written", thousands(run.counts.applied)));
    for (name, run) in [("Takes back", run.reverts), ("Taken back by", run.reverted_by)] {
        facts.extend(run.map(|run| (name, format!("<a href=\"/runs/{run}\">Run {run}</a>"))));
    }
    if let Some(by) = &run.decided_by {
        facts.push(("Decided by", format!("<bdi>{}</bdi>", escaped(by))));
    }
    if let Some(requests) = run.stats.as_ref().and_then(|s| s.get("requests")).and_then(Value::as_i64) {
        facts.push(("Requests to Microsoft", thousands(requests)));
    }
    if let Some(hash) = &run.hash {
        facts.push(("Plan", format!("<span class=\"mono\">{}</span>", escaped(hash))));
    }
    facts
}

/// Escapes a text that stands inside HTML made here.
fn escaped(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html).map(|t| t.to_string()).unwrap_or_default()
}
