//! `/tenants`: all, one, its mapping, and starting a run.

use crate::api::input::Id;
use crate::api::tenants::CLIENT;
use crate::auth::{Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::overview::{held_run, rows, standing};
use crate::pages::runs::run_rows;
use crate::pages::templates::{RunButton, TenantPage, TenantRows, Tenants};
use crate::pages::{PageResult, go, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Figure, Page, Pager, Section, link};
use axum::extract::State;
use axum::response::Redirect;
use model::TenantKey;
use model::policy::{ClientRef, OnGone, OnUnmapped, Policy};
use model::run::RunKind;
use store::RunFilter;
use sync::RunRequest;

/// Tenants on a page.
const ROWS: usize = 50;
/// Runs shown on a tenant's page.
const RUNS: i64 = 5;

/// `GET /tenants`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult {
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Tenants, "Tenants").await? };
    let mut all = state.engine().tenants().await?;
    all.sort_by_key(|t| t.key);
    let after = params.number("after");
    let empty = all.is_empty();
    let mut rest = all.into_iter().filter(|t| after.is_none_or(|a| t.key.0 > a)).peekable();
    let shown: Vec<_> = rest.by_ref().take(ROWS).collect();
    let next = rest.peek().and_then(|_| shown.last()).map(|t| t.key.to_string());
    let tenants = rows(&state, shown).await?;
    let pager = Pager::new("/tenants", &[], after.map(|_| ""), next.as_deref());
    let table = render(&TenantRows { tenants, operates: page.operates })?.0;
    Ok(render(&Tenants { page, empty, rows: table, pager })?)
}

/// `GET /tenants/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let tenant = state.engine().tenant(TenantKey(id)).await?;
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Tenants, tenant.name.clone()).await? };
    let standings = standing(&state, tenant.key).await?;
    let totals = state.store().standing_totals(&[tenant.key]).await?;
    let in_step = totals.get(&tenant.key).map_or(0, |t| t.in_step);
    let users = |outcome| link(&format!("/tenants/{id}/users"), &[("outcome", outcome)]);
    let figures = if standings.all == 0 {
        Vec::new()
    } else {
        vec![
            Figure::new(standings.all, "users looked at", users("")),
            Figure::new(in_step, "in step", users("synced")),
            Figure::new(standings.of("in_review"), "in review", link("/review", &[("tenant", &id.to_string())])).tone("warn"),
            Figure::new(standings.of("excluded"), "left out", users("excluded")),
            Figure::new(standings.of("gone"), "gone from Entra", users("gone")),
            Figure::new(standings.of("failed"), "failed", users("failed")).tone("bad"),
        ]
    };
    let excluded = standings
        .excluded()
        .into_iter()
        .map(|(name, n)| Figure::new(n, name, link(&format!("/tenants/{id}/users"), &[("outcome", "excluded"), ("by", name)])));
    let waits = match tenant.held_run {
        Some(run) => Some(held_run(&state.engine().run(run).await?)),
        None => None,
    };
    let filter = RunFilter { tenant: Some(tenant.key), states: Vec::new(), before: None, limit: RUNS };
    let runs = run_rows(&state, state.store().runs(&filter).await?, false).await?;
    let policy = match state.engine().effective_policy(tenant.key).await {
        Ok((loaded, _)) => summary(&loaded.policy, loaded.preset),
        Err(error) => vec![error.to_string()],
    };
    let row = state.store().tenant(tenant.key).await?;
    let connection = state.store().connections().await?.into_iter().find(|c| c.id == row.connection).map(|c| (c.id, c.name));
    Ok(render(&TenantPage {
        page,
        tenant: id,
        client_guess: if tenant.client.is_some() { String::new() } else { tenant.name.clone() },
        name: tenant.name,
        domain: tenant.domain.unwrap_or_default(),
        tenant_id: tenant.tenant_id.unwrap_or_default(),
        buttons: buttons(tenant.applied_before),
        waits,
        figures,
        client: tenant.client_name,
        clients: clients(&state).await?,
        policy,
        excluded: excluded.collect(),
        runs,
        connection,
        warnings: state.engine().first_sync_warnings(TenantKey(id)).await?,
    })?)
}

/// Names of clients that can be mapped to.
pub async fn clients(state: &AppState) -> Result<Vec<String>, ApiError> {
    Ok(state.store().clients().await?.into_iter().filter(|c| c.active).map(|c| c.name).collect())
}

/// What can be started: a preview first, until something was applied once.
fn buttons(applied_before: bool) -> Vec<RunButton> {
    let button = |kind, preview, class, icon, text, hint| RunButton { kind, preview, class, icon, text, hint };
    let preview = if applied_before { "btn-quiet" } else { "btn-primary" };
    let sync = if applied_before { "btn-primary" } else { "btn-quiet" };
    vec![
        button("delta", "yes", preview, "eye", "Preview", Some("Reads and plans; writes nothing")),
        button(
            "delta",
            "no",
            sync,
            "sync",
            "Sync now",
            Some("Reads what changed, plans, and writes what the guard lets through"),
        ),
        button("full", "no", "btn-quiet", "sync", "Full sync", Some("Reads everything; finds missing users and drift")),
    ]
}

/// A policy in a few sentences.
fn summary(policy: &Policy, preset: &str) -> Vec<String> {
    let mut sentences = vec![format!("Builds on the preset “{preset}”.")];
    let enabled: Vec<_> = policy.rules.iter().filter(|r| r.enabled).collect();
    sentences.push(match enabled.as_slice() {
        [] => "No rule is enabled: nobody is selected.".into(),
        [rule] => {
            let client = match &rule.then.client {
                ClientRef::FromTenant => "the tenant's client".to_owned(),
                ClientRef::Named(name) => name.clone(),
            };
            format!("One rule, “{}”, selects people for {client}.", rule.name)
        }
        rules => format!("{} rules decide who becomes what; the lowest order wins.", rules.len()),
    });
    if !policy.scope.guests {
        sentences.push("Guests are left out.".into());
    }
    if policy.scope.licensed_only {
        sentences.push("Only users with a licence are looked at.".into());
    }
    let contact = &policy.lifecycle.contact;
    let gone = |on| if on == OnGone::Deactivate { "deactivated" } else { "left as they are" };
    sentences.push(format!(
        "Contacts deleted in Entra are {}, disabled ones are {}.",
        gone(contact.on_deleted),
        gone(contact.on_disabled)
    ));
    sentences.push(match contact.on_unmapped {
        OnUnmapped::RevokeAccess => "Contacts whom no rule selects any more lose their access.".into(),
        OnUnmapped::Deactivate => "Contacts whom no rule selects any more are deactivated.".into(),
        OnUnmapped::Ignore => "Contacts whom no rule selects any more are left as they are.".into(),
    });
    sentences
}

/// `POST /tenants/{id}/map`.
pub async fn map(operator: Operator, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Redirect> {
    let client = form.text("client");
    CLIENT.check(client).map_err(|detail| ApiError::Unprocessable { code: "invalid".into(), detail, faults: Vec::new() })?;
    state.engine().map_tenant(TenantKey(id), client, form.text("create") == "yes", &operator.actor).await?;
    Ok(go_saying(&format!("/tenants/{id}"), "mapped"))
}

/// `POST /tenants/{id}/unmap`.
pub async fn unmap(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    state.engine().unmap_tenant(TenantKey(id), &operator.actor).await?;
    Ok(go_saying(&format!("/tenants/{id}"), "unmapped"))
}

/// `POST /tenants/{id}/runs`.
pub async fn start_run(operator: Operator, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Redirect> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    let kind = if form.text("kind") == "full" { RunKind::Full } else { RunKind::Delta };
    let preview = form.text("preview") == "yes";
    let request = RunRequest { kind, preview, approve_first: false, actor: operator.actor.clone() };
    let run = state.engine().request_run(tenant, &request).await?;
    Ok(go(format!("/runs/{run}")))
}

/// What every page of a tenant's parts shows in its crumbs.
pub async fn named(state: &AppState, tenant: TenantKey) -> Result<(i64, String), ApiError> {
    // A tenant may be gone while its runs stay as history.
    let name = state.store().tenant(tenant).await.map_or_else(|_| format!("tenant {tenant}"), |t| t.name);
    Ok((tenant.0, name))
}
