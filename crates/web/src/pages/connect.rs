//! Connecting a tenant: the form with the permissions it needs, the test, and the way to the client.

use crate::api::connections::{ADDRESS, CLIENT_ID, NAME, SECRET, TENANT};
use crate::api::input::{Id, Text};
use crate::auth::{Admin, Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{Connect, ConnectionPage, FormField, PermissionRow, TestResult};
use crate::pages::tenants::clients;
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::{ApiError, sentence};
use crate::state::AppState;
use crate::view::{Mark, Note, Page, Section};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use sync::{ConnectionTest, NewConnection, PermissionView};

/// `GET /connect`.
pub async fn form(admin: Admin, State(state): State<AppState>) -> PageResult<Response> {
    answer(&state, &admin, None, fields(&|_| String::new())).await
}

/// `POST /connect`.
pub async fn connect(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let mut fields = fields(&|name| form.text(name).to_owned());
    for field in &mut fields {
        let value = form.text(field.name);
        if value.is_empty() && !field.required {
            continue;
        }
        field.fault = rule(field.name).check(value).err();
    }
    if fields.iter().any(|f| f.fault.is_some()) {
        let error = "Some fields are not right yet; each says what is missing.".to_owned();
        return answer(&state, &admin, Some(error), fields).await;
    }
    let given = |name: &str| Some(form.text(name).to_owned()).filter(|t| !t.is_empty());
    let new = NewConnection {
        name: form.text("name").to_owned(),
        tenant: form.text("tenant").to_owned(),
        client_id: form.text("client_id").to_owned(),
        secret: form.text("secret").to_owned().into(),
        graph_url: given("graph_url"),
        login_url: given("login_url"),
    };
    match state.engine().add_connection(new, &admin.actor).await {
        Ok(made) => show_tested(&state, &admin, made.id, Some("connected")).await,
        Err(error) => match ApiError::from(error) {
            internal @ ApiError::Internal { .. } => Err(internal.into()),
            other => answer(&state, &admin, Some(sentence(&other.to_string())), fields).await,
        },
    }
}

async fn answer(state: &AppState, admin: &Admin, error: Option<String>, fields: Vec<FormField>) -> PageResult<Response> {
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let permissions = sync::needed_permissions().into_iter().map(permission).collect();
    let page = page(state, admin, Section::Tenants, "Connect a tenant").await?;
    let yes = Mark::new("info", "yes");
    Ok((status, render(&Connect { page, error, fields, permissions, yes })?).into_response())
}

fn rule(name: &str) -> &'static Text {
    match name {
        "name" => &NAME,
        "tenant" => &TENANT,
        "client_id" => &CLIENT_ID,
        "secret" => &SECRET,
        _ => &ADDRESS,
    }
}

/// The form's fields. What was given is shown again, but for the secret.
fn fields(value: &dyn Fn(&str) -> String) -> Vec<FormField> {
    let field = |name: &'static str, label, kind, hint, required| FormField {
        name,
        label,
        kind,
        value: if kind == "password" { String::new() } else { value(name) },
        hint,
        fault: None,
        required,
        max: rule(name).max,
    };
    vec![
        field("name", "Name", "text", "How you call this tenant, such as the customer's name.", true),
        field("tenant", "Tenant", "text", "Directory (tenant) ID, or one of its domains.", true),
        field("client_id", "Client ID", "text", "Application (client) ID of the app registration.", true),
        field(
            "secret",
            "Client secret",
            "password",
            "The secret's value, not its ID. Stored encrypted, never shown again.",
            true,
        ),
        field("graph_url", "Graph address", "text", "Only for national clouds, such as https://graph.microsoft.us.", false),
        field(
            "login_url",
            "Sign-in address",
            "text",
            "Only for national clouds, such as https://login.microsoftonline.us.",
            false,
        ),
    ]
}

fn permission(p: PermissionView) -> PermissionRow {
    let mark = match p.state.as_str() {
        "granted" => Mark::new("good", "granted"),
        "missing" if p.mandatory => Mark::new("bad", "missing"),
        "missing" => Mark::new("warn", "missing"),
        _ => Mark::new("", "not needed"),
    };
    let purpose = if p.detail.is_empty() { p.purpose } else { format!("{}. {}", p.purpose, p.detail) };
    PermissionRow { name: p.permission, purpose: sentence(&purpose), mandatory: p.mandatory, mark }
}

/// `GET /connections/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult<Response> {
    shown(&state, &viewer, id, None, params.note()).await
}

/// `POST /connections/{id}/test`.
pub async fn test(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Response> {
    show_tested(&state, &operator, id, None).await
}

async fn show_tested(state: &AppState, caller: &crate::auth::Caller, id: i64, note: Option<&str>) -> PageResult<Response> {
    let test = state.engine().test_connection(id).await?;
    shown(state, caller, id, Some(result(test)), super::note(note)).await
}

fn result(test: ConnectionTest) -> TestResult {
    let missing: Vec<_> = test.permissions.iter().filter(|p| p.is_missing()).map(|p| p.permission.clone()).collect();
    let mut sentences: Vec<String> = test.error.iter().map(|e| sentence(&e.message)).collect();
    if !missing.is_empty() {
        sentences.push(format!(
            "Missing: {}. Add them under API permissions as application permissions, choose “Grant admin consent”, and test again.",
            missing.join(", ")
        ));
    }
    let permissions = test.permissions.into_iter().map(permission).collect();
    TestResult { ok: test.ok, organization: test.organization, sentences, permissions }
}

async fn shown(
    state: &AppState,
    caller: &crate::auth::Caller,
    id: i64,
    test: Option<TestResult>,
    note: Option<Note>,
) -> PageResult<Response> {
    let connection = state.engine().connection(id).await?;
    let tenant = state.store().tenants().await?.into_iter().find(|t| t.connection == id);
    let page = Page { note, ..page(state, caller, Section::Tenants, connection.name.clone()).await? };
    Ok(render(&ConnectionPage {
        page,
        id,
        client_guess: connection.name.clone(),
        name: connection.name,
        tenant_id: connection.tenant,
        client_id: connection.client_id,
        graph_url: Some(connection.graph_url),
        login_url: Some(connection.login_url),
        unmapped: tenant.as_ref().is_some_and(|t| t.client.is_none()),
        tenant: tenant.map(|t| t.key.0),
        test,
        clients: clients(state).await?,
    })?
    .into_response())
}

/// `POST /connections/{id}/remove`.
pub async fn remove(admin: Admin, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Redirect> {
    state.engine().remove_connection(id, &admin.actor).await?;
    Ok(go_saying("/tenants", "removed"))
}
