//! A policy: its own text, what is in effect, its versions; saving and checking.

use crate::api::input::Id;
use crate::api::policies::TEXT;
use crate::auth::{Admin, Caller, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{PolicyPage, VersionRow, WhatIfView};
use crate::pages::what_if;
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Note, Page, Section, When, link};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::TenantKey;
use sync::PolicyScope;

/// Versions shown.
const VERSIONS: usize = 50;

/// What a page shows besides what is stored.
#[derive(Default)]
struct Shown {
    /// The text in the form, if it is another than the stored one.
    text: Option<String>,
    /// It was checked and is sound.
    checked: bool,
    /// What is wrong with it: place and sentence.
    faults: Vec<(Option<String>, String)>,
    /// What saving it would do.
    what_if: Option<WhatIfView>,
    /// What saving it would do is counted while the page is looked at.
    counting: bool,
    /// A sentence on top.
    note: Option<Note>,
}

/// `GET /policy`.
pub async fn default(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult<Response> {
    answer(&state, &viewer, PolicyScope::Default, &params).await
}

/// `GET /tenants/{id}/policy`.
pub async fn tenant(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult<Response> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    answer(&state, &viewer, PolicyScope::Tenant(tenant), &params).await
}

async fn answer(state: &AppState, caller: &Caller, scope: PolicyScope, params: &Params) -> PageResult<Response> {
    let text = match params.number("version") {
        Some(version) => Some(state.store().policy_version(&scope.key(), version).await?.text),
        None => None,
    };
    show(state, caller, scope, Shown { text, note: params.note(), ..Shown::default() }).await
}

async fn show(state: &AppState, caller: &Caller, scope: PolicyScope, shown: Shown) -> PageResult<Response> {
    let stored = state.store().policy(&scope.key()).await?;
    let effective = match scope {
        PolicyScope::Default => state.engine().loaded_policy(scope).await,
        PolicyScope::Tenant(tenant) => state.engine().effective_policy(tenant).await.map(|(loaded, _)| loaded),
    };
    let effective = effective.map_or_else(|error| format!("# {error}"), |loaded| sync::effective_text(&loaded));
    let (tenant, section, path) = match scope {
        PolicyScope::Default => (None, Section::Policy, "/policy".to_owned()),
        PolicyScope::Tenant(key) => {
            let tenant = state.store().tenant(key).await?;
            (Some((key.0, tenant.name)), Section::Tenants, format!("/tenants/{key}/policy"))
        }
    };
    let title = tenant.as_ref().map_or_else(|| "Policy".to_owned(), |(_, name)| format!("Policy of {name}"));
    let shown_text = shown.text.clone();
    let versions = state.store().policy_versions(&scope.key()).await?.into_iter().take(VERSIONS).map(|v| VersionRow {
        number: v.version,
        href: link(&path, &[("version", &v.version.to_string())]),
        shown: shown_text.as_deref() == Some(v.text.as_str()),
        at: When::at(v.saved_at),
        by: v.author,
    });
    let versions = versions.collect();
    let status = if shown.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let template = PolicyPage {
        page: Page { note: shown.note, ..page(state, caller, section, title).await? },
        heading: if tenant.is_some() { "Policy" } else { "Default policy" },
        lead: match tenant {
            Some(_) => "What decides for this tenant: its own text over the default of all tenants.",
            None => "What decides for every tenant, unless its own policy says otherwise.",
        },
        own_heading: if tenant.is_some() { "This tenant's own text" } else { "The default's text" },
        tenant,
        action: path,
        text: shown.text.or(stored.map(|p| p.text)).unwrap_or_default(),
        effective,
        checked: shown.checked,
        faults: shown.faults,
        versions,
        what_if: shown.what_if,
        counting: shown.counting,
    };
    Ok((status, render(&template)?).into_response())
}

/// `POST /policy`.
pub async fn save_default(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    save(&state, &admin, PolicyScope::Default, &form).await
}

/// `POST /tenants/{id}/policy`.
pub async fn save_tenant(admin: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    save(&state, &admin, PolicyScope::Tenant(tenant), &form).await
}

/// What was done with a text.
enum Done {
    Checked,
    /// The page counts by itself.
    Counting,
    /// For browsers without scripts: counted to the end before there is a page.
    Counted(Box<sync::WhatIf>),
    Restored,
    Saved,
}

async fn save(state: &AppState, caller: &Caller, scope: PolicyScope, form: &Form) -> PageResult<Response> {
    // Browsers send line ends as CR LF; a policy keeps the ones it was written with.
    let text = form.raw("text").replace("\r\n", "\n");
    if let Err(detail) = TEXT.check(&text) {
        let fault = (None, detail);
        return show(state, caller, scope, Shown { text: Some(text), faults: vec![fault], ..Shown::default() }).await;
    }
    let engine = state.engine();
    let path = match scope {
        PolicyScope::Default => "/policy".to_owned(),
        PolicyScope::Tenant(key) => format!("/tenants/{key}/policy"),
    };
    let result = match form.text("do") {
        "check" => engine.check_policy(scope, &text).await.map(|_| Done::Checked),
        "what-if" => engine.check_policy(scope, &text).await.map(|_| Done::Counting),
        "what-if-whole" => engine.what_if(scope, &text, |_| {}).await.map(|report| Done::Counted(Box::new(report))),
        "restore" => {
            let version = form.text("version").parse().unwrap_or_default();
            engine.restore_policy(scope, version, &caller.actor).await.map(|_| Done::Restored)
        }
        _ => engine.save_policy(scope, &text, &caller.actor).await.map(|_| Done::Saved),
    };
    match result {
        Ok(Done::Checked) => show(state, caller, scope, Shown { text: Some(text), checked: true, ..Shown::default() }).await,
        Ok(Done::Counting) => show(state, caller, scope, Shown { text: Some(text), counting: true, ..Shown::default() }).await,
        Ok(Done::Counted(report)) => {
            let what_if = Some(what_if::view(state, *report).await?);
            show(state, caller, scope, Shown { text: Some(text), what_if, ..Shown::default() }).await
        }
        Ok(Done::Restored) => Ok(go_saying(&path, "restored").into_response()),
        Ok(Done::Saved) => Ok(go_saying(&path, "saved").into_response()),
        Err(sync::Error::Policy(faults)) => {
            let faults = faults.into_iter().map(|f| (place(&f), f.message)).collect();
            show(state, caller, scope, Shown { text: Some(text), faults, ..Shown::default() }).await
        }
        Err(other) => Err(ApiError::from(other).into()),
    }
}

fn place(fault: &sync::PolicyFault) -> Option<String> {
    (fault.line > 0).then(|| format!("line {}, column {}:", fault.line, fault.column))
}
