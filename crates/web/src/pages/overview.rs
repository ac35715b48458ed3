//! `/`: the whole at a glance, and what to do first.

use crate::auth::Viewer;
use crate::pages::form::Params;
use crate::pages::templates::{HeldRun, Overview, TenantRow, TenantRows};
use crate::pages::{PageResult, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Figure, Mark, Page, Section, When, count, counts_line, thousands};
use axum::extract::State;
use axum::response::Html;
use model::TenantKey;
use model::run::RunState;
use store::{RunFilter, StandingTotals};
use sync::{RunReport, TenantView};

/// Tenants shown on the overview; the others are a click away.
const TENANTS: usize = 20;
/// Plans shown as waiting.
const HELD: i64 = 20;

/// What waits for a person, for the menu.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// Review items.
    pub review: i64,
    /// Plans.
    pub held: i64,
}

/// Counts what waits for a person.
pub async fn waiting(state: &AppState) -> Result<Waiting, ApiError> {
    let filter = RunFilter { tenant: None, states: vec![RunState::Held], before: None, limit: 100 };
    let held = i64::try_from(state.store().runs(&filter).await?.len()).unwrap_or(0);
    Ok(Waiting { review: state.store().open_reviews(None).await?, held })
}

/// `GET /`.
pub async fn get(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult<Html<String>> {
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Overview, "Overview").await? };
    let figures = state.store().overview().await?;
    let shown = state.engine().tenants().await?.into_iter().take(TENANTS).collect();
    let tenants = rows(&state, shown).await?;
    let filter = RunFilter { tenant: None, states: vec![RunState::Held], before: None, limit: HELD };
    let mut held = Vec::new();
    for run in state.store().runs(&filter).await? {
        held.push(held_run(&state.engine().run(run.id).await?));
    }
    let tenant_rows = render(&TenantRows { tenants: tenants.clone(), operates: page.operates })?.0;
    let lead = match figures.tenants {
        0 => "Welcome to Rollcall.".to_owned(),
        n => format!("{} read, {} kept in step.", count(n, "tenant", "tenants"), count(figures.linked, "person", "people")),
    };
    let figures = vec![
        Figure::new(figures.users, "users in Entra", "/tenants"),
        Figure::new(figures.people, "people in the records", "/people"),
        Figure::new(figures.linked, "linked to a user", "/people?linked=true"),
        Figure::new(figures.in_review, "wait in review", "/review").tone("warn"),
        Figure::new(figures.held, "plans wait for approval", "/runs?state=held").tone("warn"),
    ];
    Ok(render(&Overview { page, lead, tenants, held, figures, tenant_rows })?)
}

/// A run that waits, in words.
pub fn held_run(run: &RunReport) -> HeldRun {
    HeldRun {
        id: run.id.0,
        tenant: run.tenant_name.clone(),
        why: run.holds.iter().map(ToString::to_string).collect(),
        changes: format!("Planned: {}.", counts_line(&run.counts)),
        at: When::ago(run.started_at),
    }
}

/// Tenants as rows of a table.
pub async fn rows(state: &AppState, tenants: Vec<TenantView>) -> Result<Vec<TenantRow>, ApiError> {
    let keys: Vec<TenantKey> = tenants.iter().map(|t| t.key).collect();
    let totals = state.store().standing_totals(&keys).await?;
    Ok(tenants.into_iter().map(|t| row(totals.get(&t.key).copied().unwrap_or_default(), t)).collect())
}

fn row(totals: StandingTotals, tenant: TenantView) -> TenantRow {
    let last = tenant.last_run.as_deref().and_then(RunState::parse);
    // A later look that found the same plan does not take the waiting one away.
    let waits = tenant.held_run.is_some();
    let status = match (last, tenant.client.is_some(), tenant.applied_before) {
        _ if waits => Mark::new("warn", "Waits for approval"),
        (Some(RunState::Failed), ..) => Mark::new("bad", "Last run failed"),
        (Some(state), ..) if !state.is_over() && state != RunState::Ready => Mark::state(state),
        (_, false, _) => Mark::new("warn", "Not mapped"),
        (None, ..) => Mark::new("", "Never read"),
        (_, _, false) => Mark::new("info", "Preview only"),
        _ => Mark::new("good", "In step"),
    };
    TenantRow {
        id: tenant.key.0,
        name: tenant.name,
        domain: tenant.domain.unwrap_or_default(),
        client: tenant.client_name,
        status,
        last_run: tenant.last_run_id.zip(tenant.last_run_at).map(|(id, at)| (id.0, When::ago(at))),
        users: thousands(totals.users),
        synced: thousands(totals.in_step),
        review: thousands(totals.in_review),
    }
}

/// How a tenant's users are accounted for.
#[derive(Debug, Default)]
pub struct Standings {
    /// All of them.
    pub all: i64,
    /// Outcome, what excluded them, how many.
    pub by: Vec<(String, Option<String>, i64)>,
}

impl Standings {
    /// How many have an outcome.
    pub fn of(&self, outcome: &str) -> i64 {
        self.by.iter().filter(|(o, ..)| o == outcome).map(|(.., n)| n).sum()
    }

    /// What excluded how many, most first.
    pub fn excluded(&self) -> Vec<(&str, i64)> {
        let mut by: Vec<(&str, i64)> = Vec::new();
        for (_, name, n) in self.by.iter().filter(|(o, ..)| o == "excluded") {
            let name = name.as_deref().unwrap_or("no rule");
            match by.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += n,
                None => by.push((name, *n)),
            }
        }
        by.sort_by_key(|(name, n)| (-n, *name));
        by
    }
}

/// Counts how a tenant's users are accounted for.
pub async fn standing(state: &AppState, tenant: TenantKey) -> Result<Standings, ApiError> {
    let counts = state.store().standing_counts(tenant).await?;
    let all = counts.iter().map(|c| c.users).sum();
    Ok(Standings { all, by: counts.into_iter().map(|c| (c.outcome, c.excluded_by, c.users)).collect() })
}
