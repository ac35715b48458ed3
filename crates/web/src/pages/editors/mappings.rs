//! Which attribute goes where: one row a field, with what Entra and the record hold of a real person beside it.

use super::{Desk, wording};
use crate::api::input::Id;
use crate::api::users::name_of;
use crate::auth::{Admin, Caller, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{MappingRow, MappingsPage, Named, NewMapping};
use crate::pages::{PageResult, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::label;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::{Field, Kind, TenantKey, UserKey, Value};
use serde_json::{Map, json};
use store::UserFilter;
use sync::{MappedValue, PolicyEdit};

/// The kinds of record, the more numerous first.
const KINDS: [Kind; 2] = [Kind::Contact, Kind::Agent];

/// People a search shows.
const FOUND: i64 = 10;

/// Sources to choose from; any other can be typed.
const SOURCES: [&str; 24] = [
    "first_name",
    "last_name",
    "mail_or_guest",
    "mail_or_upn",
    "upn",
    "upn_local_part",
    "other_addresses",
    "manager",
    "displayName",
    "givenName",
    "surname",
    "mail",
    "userPrincipalName",
    "jobTitle",
    "department",
    "companyName",
    "officeLocation",
    "mobilePhone",
    "businessPhones[0]",
    "employeeId",
    "employeeType",
    "city",
    "country",
    "userType",
];

/// `GET /policy/fields`.
pub async fn default(viewer: Viewer, State(state): State<AppState>) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, None).await?, None, Vec::new(), None).await
}

/// `GET /tenants/{id}/policy/fields`.
pub async fn tenant(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, Some(id)).await?, params.number("user"), Vec::new(), None).await
}

/// `POST /policy/fields`.
pub async fn edit_default(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, None, &form).await?;
    edit(&state, &admin, desk, &form).await
}

/// `POST /tenants/{id}/policy/fields`.
pub async fn edit_tenant(admin: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, Some(id), &form).await?;
    edit(&state, &admin, desk, &form).await
}

async fn edit(state: &AppState, caller: &Caller, mut desk: Desk, form: &Form) -> PageResult<Response> {
    let settings = desk.settings(state).await?;
    let (what, id) = form.text("do").split_once(':').unwrap_or((form.text("do"), ""));
    let user = if what == "person" { id.parse().ok() } else { form.text("user").parse().ok() };
    let found = match (&desk.tenant, form.text("q")) {
        (Some((tenant, _)), q) if what == "find" && !q.is_empty() => {
            let users = state.store().search_users(TenantKey(*tenant), q, FOUND).await?;
            users.iter().map(|u| (u.key.0, name_of(u))).collect()
        }
        _ => Vec::new(),
    };
    let change = PolicyEdit { fields: Some(read(form, &settings["fields"])), ..PolicyEdit::default() };
    let taken = desk.take(state, &change).await?;
    let given = (!taken).then_some(form);
    show(state, caller, desk, user, found, given).await
}

/// The mappings as the form says them, on top of what it does not show.
fn read(form: &Form, now: &Value) -> Value {
    let mut kinds = Map::new();
    for kind in KINDS {
        let mut mappings = now[kind.as_str()].as_object().cloned().unwrap_or_default();
        let fields: Vec<String> = mappings.keys().cloned().collect();
        for field in fields {
            let name = |part: &str| format!("{kind}.{field}.{part}");
            // A row that the form did not hold stays as it is.
            if form.text(&name("here")).is_empty() {
                continue;
            }
            let before = mappings.get(&field).cloned().unwrap_or_default();
            let mapping = mapping(|part| form.text(&name(part)), &before);
            mappings.insert(field, mapping);
        }
        let target = form.text(&format!("new.{kind}.target"));
        if !target.is_empty() {
            let mapping = mapping(|part| form.text(&format!("new.{kind}.{part}")), &Value::Null);
            mappings.insert(target.to_owned(), mapping);
        }
        kinds.insert(kind.to_string(), Value::Object(mappings));
    }
    Value::Object(kinds)
}

fn mapping<'f>(text: impl Fn(&str) -> &'f str, before: &Value) -> Value {
    let overwrite = text("overwrite");
    if overwrite == "off" {
        return Value::Null;
    }
    let default = match text("default") {
        "" => Value::Null,
        // A list or a number stays one for as long as nobody changes it.
        same if wording::shown(&before["default"]) == same => before["default"].clone(),
        other => json!(other),
    };
    json!({
        "source": if text("source").is_empty() { Value::Null } else { json!(text("source")) },
        "overwrite": if overwrite.is_empty() { "on_change" } else { overwrite },
        "default": default,
        "clear_when_empty": !text("clear").is_empty(),
    })
}

/// Whose values are shown: the one who was chosen, else the first who is in step.
async fn person(state: &AppState, desk: &Desk, user: Option<i64>) -> Result<Option<Named>, ApiError> {
    let Some((tenant, _)) = desk.tenant else { return Ok(None) };
    if let Some(user) = user {
        let row = state.store().user(UserKey(user)).await?;
        if row.tenant == TenantKey(tenant) {
            return Ok(Some((user, name_of(&row))));
        }
    }
    let filter = |outcome: Option<&str>| UserFilter { outcome: outcome.map(str::to_owned), limit: 1, ..UserFilter::default() };
    let mut first = state.store().users(TenantKey(tenant), &filter(Some("synced"))).await?;
    if first.is_empty() {
        first = state.store().users(TenantKey(tenant), &filter(None)).await?;
    }
    Ok(first.first().map(|row| (row.key.0, name_of(row))))
}

async fn show(
    state: &AppState,
    caller: &Caller,
    mut desk: Desk,
    user: Option<i64>,
    found: Vec<Named>,
    given: Option<&Form>,
) -> PageResult<Response> {
    let settings = desk.settings(state).await?;
    let person = person(state, &desk, user).await?;
    let values = match &person {
        Some((user, _)) => match state.engine().mapped_values(UserKey(*user), desk.scope, Some(&desk.text)).await {
            Ok(values) => values,
            Err(error) => {
                desk.faults.push((None, error.to_string()));
                Vec::new()
            }
        },
        None => Vec::new(),
    };
    // After a fault the form shows what was typed, not what is kept.
    let typed = given.map(|form| read(form, &settings["fields"]));
    let shown = typed.as_ref().unwrap_or(&settings["fields"]);
    let kinds = KINDS.into_iter().map(|kind| {
        let mappings = shown[kind.as_str()].as_object().cloned().unwrap_or_default();
        let rows = mappings.iter().map(|(field, mapping)| row(kind, field, mapping, &values)).collect();
        (kind.as_str(), if kind == Kind::Agent { "Agents" } else { "Contacts" }, rows)
    });
    let kinds = kinds.collect();
    let status = if desk.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = render(&MappingsPage {
        page: desk.page(state, caller, "Fields").await?,
        draft: desk.view(state).await?,
        action: format!("{}/fields", desk.policy),
        kinds,
        person,
        found,
        q: given.map_or(String::new(), |form| form.text("q").to_owned()),
        sources: SOURCES.to_vec(),
        fields: Field::STANDARD.iter().map(|f| (*f).to_owned()).collect(),
        new: NewMapping { modes: MODES.to_vec() },
        tenant: desk.tenant,
        faults: desk.faults,
    })?;
    Ok((status, page).into_response())
}

/// When a field is written, in words.
const MODES: [(&str, &str); 5] = [
    ("on_change", "on change in Entra"),
    ("always", "always"),
    ("if_empty", "only while empty"),
    ("never", "at creation only"),
    ("off", "not at all"),
];

fn row(kind: Kind, field: &str, mapping: &Value, values: &[MappedValue]) -> MappingRow {
    let value = values.iter().find(|v| v.kind == kind && v.field.as_str() == field);
    MappingRow {
        name: format!("{kind}.{field}"),
        field: field.to_owned(),
        label: label(field),
        source: wording::shown(&mapping["source"]),
        overwrite: if mapping.is_null() { "off".into() } else { wording::shown(&mapping["overwrite"]) },
        modes: MODES.to_vec(),
        default: wording::shown(&mapping["default"]),
        clear: mapping["clear_when_empty"].as_bool().unwrap_or(false),
        entra: value.map(|v| wording::shown(&v.entra)).unwrap_or_default(),
        unfit: value.and_then(|v| v.unfit.clone()),
        unread: value.and_then(|v| v.unread.clone()),
        record: value.map(|v| wording::shown(&v.record)).unwrap_or_default(),
    }
}
