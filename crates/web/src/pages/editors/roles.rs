//! What groups and roles give after the rule: group → role, group → board (CAB), the role of users without a manager, roles that make
//! agents inactive, and the licence each rule's agents get (R06 to R10).

use super::rules::{FOUND, group_names, sorted};
use super::{Desk, wording};
use crate::api::input::Id;
use crate::auth::{Admin, Caller, Viewer};
use crate::pages::form::Form;
use crate::pages::templates::{BoardRow, GroupChoice, LicenceRow, RoleRow, RolesPage};
use crate::pages::{PageResult, render};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::{TenantKey, Value};
use serde_json::{Map, json};
use std::collections::HashMap;
use sync::PolicyEdit;

/// The distance between the orders of mappings that are added one after the other.
const STRIDE: i64 = 10;

/// `GET /policy/roles`.
pub async fn default(viewer: Viewer, State(state): State<AppState>) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, None).await?, None).await
}

/// `GET /tenants/{id}/policy/roles`.
pub async fn tenant(viewer: Viewer, State(state): State<AppState>, Id(id): Id) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, Some(id)).await?, None).await
}

/// `POST /policy/roles`.
pub async fn edit_default(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, None, &form).await?;
    edit(&state, &admin, desk, &form).await
}

/// `POST /tenants/{id}/policy/roles`.
pub async fn edit_tenant(admin: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, Some(id), &form).await?;
    edit(&state, &admin, desk, &form).await
}

async fn edit(state: &AppState, caller: &Caller, mut desk: Desk, form: &Form) -> PageResult<Response> {
    let settings = desk.settings(state).await?;
    let change = read(form, &settings);
    // A search keeps what was typed in the form, and takes nothing yet.
    let taken = form.text("do") != "find" && desk.take(state, &change).await?;
    show(state, caller, desk, (!taken).then_some((form, change))).await
}

/// The group of a row that is added: the one that was chosen, else the name that was typed.
fn group_of(form: &Form, part: &str) -> Option<(&'static str, Value)> {
    match (form.text(&format!("new.{part}.group")), form.text(&format!("new.{part}.group_name"))) {
        ("", "") => None,
        ("", name) => Some(("group_name", json!(name))),
        (id, _) => Some(("group", json!(id))),
    }
}

fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |n| json!(n))
}

fn or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// Everything the form says, on top of what it does not show.
fn read(form: &Form, now: &Value) -> PolicyEdit {
    let list = |key: &str| now[key].as_array().cloned().unwrap_or_default();
    let kept = |name: &str| !form.text(&format!("{name}.here")).is_empty();
    let mut roles = Vec::new();
    for (at, before) in list("role_mappings").into_iter().enumerate() {
        let name = format!("role.{at}");
        if !kept(&name) {
            roles.push(before);
            continue;
        }
        if !form.text(&format!("{name}.remove")).is_empty() {
            continue;
        }
        let mut mapping = before;
        mapping["order"] = number(form.text(&format!("{name}.order")));
        for key in ["kind", "role", "mode"] {
            mapping[key] = json!(form.text(&format!("{name}.{key}")));
        }
        roles.push(mapping);
    }
    if let Some((by, group)) = group_of(form, "role").filter(|_| !form.text("new.role.role").is_empty()) {
        let ids: Vec<String> = roles.iter().filter_map(|m| m["id"].as_str().map(str::to_owned)).collect();
        let last = roles.iter().filter_map(|m| m["order"].as_i64()).max().unwrap_or(0);
        let order = match form.text("new.role.order") {
            "" => json!(last.saturating_add(STRIDE)),
            order => number(order),
        };
        let role = form.text("new.role.role");
        let mut mapping = Map::new();
        mapping.insert("id".into(), json!(super::rule_form::fresh_id(role, &ids)));
        mapping.insert("order".into(), order);
        mapping.insert(by.into(), group);
        mapping.insert("kind".into(), json!(form.text("new.role.kind")));
        mapping.insert("role".into(), json!(role));
        mapping.insert("mode".into(), json!(form.text("new.role.mode")));
        roles.push(Value::Object(mapping));
    }
    let mut boards = Vec::new();
    for (at, before) in list("cab_mappings").into_iter().enumerate() {
        let name = format!("cab.{at}");
        if !kept(&name) {
            boards.push(before);
        } else if form.text(&format!("{name}.remove")).is_empty() {
            let mut mapping = before;
            mapping["cab"] = json!(form.text(&format!("{name}.cab")));
            mapping["role"] = or_null(form.text(&format!("{name}.role")));
            boards.push(mapping);
        }
    }
    if let Some((by, group)) = group_of(form, "cab").filter(|_| !form.text("new.cab.cab").is_empty()) {
        let mut mapping = Map::new();
        mapping.insert(by.into(), group);
        mapping.insert("cab".into(), json!(form.text("new.cab.cab")));
        mapping.insert("role".into(), or_null(form.text("new.cab.role")));
        boards.push(Value::Object(mapping));
    }
    let whole = !form.text("here").is_empty();
    let inactive = form.raw("inactive_roles").lines().map(str::trim).filter(|l| !l.is_empty()).map(|l| json!(l)).collect();
    let without = json!({ "agent": or_null(form.text("without.agent")), "contact": or_null(form.text("without.contact")) });
    let mut rules = list("rules");
    for rule in &mut rules {
        let licence = form.text(&format!("licence.{}", wording::shown(&rule["id"])));
        if !licence.is_empty() {
            rule["then"]["licence_type"] = json!(licence);
        }
    }
    PolicyEdit {
        role_mappings: Some(roles),
        cab_mappings: Some(boards),
        role_without_manager: whole.then_some(without),
        inactive_roles: whole.then_some(inactive),
        rules: Some(rules),
        ..PolicyEdit::default()
    }
}

/// The group of a mapping for people: its name, and its id where that is what the policy holds.
fn named(mapping: &Value, names: &HashMap<String, String>) -> (String, String) {
    match mapping["group"].as_str() {
        Some(id) => match names.get(id) {
            Some(name) => (name.clone(), id.to_owned()),
            None => (id.to_owned(), "not in the directory".to_owned()),
        },
        None => (wording::shown(&mapping["group_name"]), "by its exact name".to_owned()),
    }
}

async fn show(state: &AppState, caller: &Caller, mut desk: Desk, given: Option<(&Form, PolicyEdit)>) -> PageResult<Response> {
    let settings = desk.settings(state).await?;
    let (form, typed) = given.unzip();
    // After a search or a fault the form shows what was typed, not what is kept.
    let typed = typed.unwrap_or_default();
    let shown = |list: Option<Vec<Value>>, key: &str| list.or_else(|| settings[key].as_array().cloned()).unwrap_or_default();
    let kept = |key: &str, at: usize| settings[key].as_array().is_some_and(|kept| at < kept.len());
    let mappings = shown(typed.role_mappings, "role_mappings");
    let boards = shown(typed.cab_mappings, "cab_mappings");
    let ids = mappings.iter().chain(&boards).filter_map(|m| m["group"].as_str().map(str::to_owned)).collect();
    let names = group_names(state, &desk, ids).await?;
    let role_rows = mappings.iter().enumerate().filter(|(at, _)| kept("role_mappings", *at)).map(|(at, mapping)| {
        let (group, id) = named(mapping, &names);
        RoleRow {
            name: format!("role.{at}"),
            group,
            id,
            order: wording::shown(&mapping["order"]),
            kind: wording::shown(&mapping["kind"]),
            role: wording::shown(&mapping["role"]),
            mode: wording::shown(&mapping["mode"]),
        }
    });
    let board_rows = boards.iter().enumerate().filter(|(at, _)| kept("cab_mappings", *at)).map(|(at, mapping)| {
        let (group, id) = named(mapping, &names);
        BoardRow {
            name: format!("cab.{at}"),
            group,
            id,
            cab: wording::shown(&mapping["cab"]),
            role: wording::shown(&mapping["role"]),
        }
    });
    let licences = sorted(&json!({ "rules": shown(typed.rules, "rules") })).into_iter();
    let licences = licences.filter(|rule| rule["then"]["kind"] != "contact").map(|rule| LicenceRow {
        id: wording::shown(&rule["id"]),
        rule: wording::shown(&rule["name"]),
        licence: rule["then"]["licence_type"].as_str().unwrap_or("no_change").to_owned(),
    });
    let without = typed.role_without_manager.as_ref().unwrap_or(&settings["role_without_manager"]);
    let inactive = typed.inactive_roles.or_else(|| settings["inactive_roles"].as_array().cloned()).unwrap_or_default();
    let text = |name: &str| form.map_or(String::new(), |form| form.text(name).to_owned());
    let q = text("q");
    let status = if desk.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = render(&RolesPage {
        page: desk.page(state, caller, "Roles and boards").await?,
        draft: desk.view(state).await?,
        action: format!("{}/roles", desk.policy),
        roles: role_rows.collect(),
        boards: board_rows.collect(),
        licences: licences.collect(),
        without: (wording::shown(&without["agent"]), wording::shown(&without["contact"])),
        inactive: inactive.iter().map(wording::shown).collect::<Vec<_>>().join("\n"),
        found: found(state, &desk, &q, &[text("new.role.group"), text("new.cab.group")]).await?,
        new_role: RoleRow {
            name: "new.role".into(),
            group: text("new.role.group_name"),
            id: text("new.role.group"),
            order: text("new.role.order"),
            kind: text("new.role.kind"),
            role: text("new.role.role"),
            mode: text("new.role.mode"),
        },
        new_board: BoardRow {
            name: "new.cab".into(),
            group: text("new.cab.group_name"),
            id: text("new.cab.group"),
            cab: text("new.cab.cab"),
            role: text("new.cab.role"),
        },
        q,
        tenant: desk.tenant,
        faults: desk.faults,
    })?;
    Ok((status, page).into_response())
}

/// Groups to choose from: those a search found, and those that were chosen before it.
async fn found(state: &AppState, desk: &Desk, q: &str, chosen: &[String]) -> Result<Vec<GroupChoice>, ApiError> {
    let Some((tenant, _)) = desk.tenant else { return Ok(Vec::new()) };
    let mut choices: Vec<GroupChoice> = Vec::new();
    let ids: Vec<String> = chosen.iter().filter(|id| !id.is_empty()).cloned().collect();
    for (id, name) in group_names(state, desk, ids).await? {
        choices.push(GroupChoice { id, name, chosen: true });
    }
    if !q.is_empty() {
        for group in state.store().search_groups(TenantKey(tenant), q, FOUND).await? {
            let id = group.id.as_str().to_owned();
            if choices.iter().all(|choice| choice.id != id) {
                choices.push(GroupChoice { id, name: group.name, chosen: false });
            }
        }
    }
    Ok(choices)
}
