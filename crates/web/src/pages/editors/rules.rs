//! The rules of a policy as an ordered list: added, edited, switched, put in order, without a mouse and without a script.

use super::{Desk, rule_form, wording};
use crate::api::input::Id;
use crate::auth::{Admin, Caller, Viewer};
use crate::pages::form::Form;
use crate::pages::templates::{CountView, RuleForm, RuleRow, RulesPage};
use crate::pages::{PageResult, render};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use model::{TenantKey, Value};
use serde_json::json;
use std::collections::HashMap;
use sync::PolicyEdit;

/// Groups a search shows.
pub(super) const FOUND: i64 = 20;

/// The distance between the orders of rules that are numbered anew, so that one can be put between two.
const STRIDE: i64 = 10;

/// `GET /policy/rules`.
pub async fn default(viewer: Viewer, State(state): State<AppState>) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, None).await?, None, None).await
}

/// `GET /tenants/{id}/policy/rules`.
pub async fn tenant(viewer: Viewer, State(state): State<AppState>, Id(id): Id) -> PageResult<Response> {
    show(&state, &viewer, Desk::of(&state, Some(id)).await?, None, None).await
}

/// `POST /policy/rules`.
pub async fn edit_default(admin: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, None, &form).await?;
    edit(&state, &admin, desk, &form).await
}

/// `POST /tenants/{id}/policy/rules`.
pub async fn edit_tenant(admin: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let desk = Desk::with(&state, Some(id), &form).await?;
    edit(&state, &admin, desk, &form).await
}

/// `POST /tenants/{id}/policy/rules/count`: who matches the rule in the form, as part of the page.
pub async fn count(_: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult {
    let mut desk = Desk::with(&state, Some(id), &form).await?;
    let rules = sorted(&desk.settings(&state).await?);
    Ok(render(&count_of(&state, &desk, &in_form(&form, &rules)).await?)?)
}

async fn count_of(state: &AppState, desk: &Desk, rule: &Value) -> Result<CountView, ApiError> {
    let Some((tenant, _)) = desk.tenant else {
        let sentence = "Open a tenant's rules to count who matches there.".into();
        return Ok(CountView { sentence, examples: Vec::new(), notes: Vec::new() });
    };
    match state.engine().count_rule(TenantKey(tenant), Some(&desk.text), rule).await {
        Ok(count) => {
            let at_least = if count.complete { "" } else { "At least " };
            let of = if count.complete {
                format!("{} users", count.looked_at)
            } else {
                format!("the first {} users", count.looked_at)
            };
            let sentence = format!("{at_least}{} of {of} match, and {} of them get this rule.", count.matches, count.wins);
            Ok(CountView { sentence, examples: count.examples, notes: count.notes })
        }
        Err(sync::Error::Policy(faults)) => {
            let sentence = faults.into_iter().next().map_or_else(String::new, |f| f.message);
            Ok(CountView { sentence, examples: Vec::new(), notes: Vec::new() })
        }
        Err(other) => Err(other.into()),
    }
}

/// The rules in the order in which they are asked.
pub(super) fn sorted(settings: &Value) -> Vec<Value> {
    let mut rules = settings["rules"].as_array().cloned().unwrap_or_default();
    rules.sort_by(|a, b| a["order"].as_i64().cmp(&b["order"].as_i64()).then_with(|| a["id"].as_str().cmp(&b["id"].as_str())));
    rules
}

/// The rule in the form, on top of the one it edits.
fn in_form(form: &Form, rules: &[Value]) -> Value {
    let before = rules.iter().find(|r| r["id"] == form.text("editing")).filter(|_| !form.text("editing").is_empty());
    let ids: Vec<String> = rules.iter().filter_map(|r| r["id"].as_str().map(str::to_owned)).collect();
    rule_form::read(form, before, &ids)
}

/// Puts one rule a place further up or down. Only the two change their order where they can; equal orders are numbered anew.
fn moved(mut rules: Vec<Value>, at: usize, to: usize) -> Vec<Value> {
    let orders: Vec<Option<i64>> = rules.iter().map(|r| r["order"].as_i64()).collect();
    rules.swap(at, to);
    if orders[at] == orders[to] {
        for (place, rule) in rules.iter_mut().enumerate() {
            rule["order"] = json!((i64::try_from(place).unwrap_or(0) + 1) * STRIDE);
        }
    } else {
        rules[at]["order"] = json!(orders[at]);
        rules[to]["order"] = json!(orders[to]);
    }
    rules
}

async fn edit(state: &AppState, caller: &Caller, mut desk: Desk, form: &Form) -> PageResult<Response> {
    let rules = sorted(&desk.settings(state).await?);
    let (what, id) = form.text("do").split_once(':').unwrap_or((form.text("do"), ""));
    let at = rules.iter().position(|r| r["id"] == id && !id.is_empty());
    let mut focus = None;
    let mut open = None;
    let changed = match (what, at) {
        ("up", Some(at)) if at > 0 => Some(moved(rules.clone(), at, at - 1)),
        ("down", Some(at)) if at + 1 < rules.len() => Some(moved(rules.clone(), at, at + 1)),
        ("on" | "off", Some(at)) => {
            let mut rules = rules.clone();
            rules[at]["enabled"] = json!(what == "on");
            Some(rules)
        }
        ("remove", Some(at)) => {
            let mut rules = rules.clone();
            rules.remove(at);
            Some(rules)
        }
        ("edit", Some(at)) => {
            open = Some((rules[at].clone(), false));
            None
        }
        ("add", _) => {
            let last = rules.iter().filter_map(|r| r["order"].as_i64()).max().unwrap_or(0);
            open = Some((json!({ "order": last.saturating_add(STRIDE), "then": { "kind": "contact" } }), true));
            None
        }
        ("apply", _) => {
            let rule = in_form(form, &rules);
            let mut rules = rules.clone();
            match rules.iter_mut().find(|r| r["id"] == rule["id"]).filter(|_| !form.text("editing").is_empty()) {
                Some(same) => *same = rule,
                None => rules.push(rule),
            }
            Some(rules)
        }
        ("find" | "condition", _) => {
            let mut rule = in_form(form, &rules);
            if what == "condition" {
                let filter = rule_form::with_condition(
                    form.text("filter"),
                    form.text("b_attribute"),
                    form.text("b_operator"),
                    form.text("b_value"),
                );
                if rule["when"].is_null() {
                    rule["when"] = json!({});
                }
                if !filter.is_empty() {
                    rule["when"]["filter"] = json!(filter);
                }
            }
            open = Some((rule, form.text("editing").is_empty()));
            None
        }
        _ => None,
    };
    if let Some(rules) = changed {
        let change = PolicyEdit { rules: Some(rules), ..PolicyEdit::default() };
        if desk.take(state, &change).await? {
            focus = Some((what.to_owned(), id.to_owned()));
        } else if what == "apply" {
            open = Some((in_form(form, &sorted(&desk.settings(state).await?)), form.text("editing").is_empty()));
        }
    }
    let open = match open {
        Some((rule, new)) => Some(opened(state, &desk, &rule, new, form.text("q")).await?),
        None => None,
    };
    show(state, caller, desk, open, focus).await
}

async fn opened(state: &AppState, desk: &Desk, rule: &Value, new: bool, q: &str) -> Result<RuleForm, ApiError> {
    let names = names(state, desk, std::slice::from_ref(rule)).await?;
    let found = match desk.tenant {
        Some((tenant, _)) if !q.is_empty() => state.store().search_groups(TenantKey(tenant), q, FOUND).await?,
        _ => Vec::new(),
    };
    let found = found.into_iter().map(|g| (g.id.as_str().to_owned(), g.name)).collect();
    Ok(rule_form::of(rule, &names, found, q, new))
}

/// Names of the groups that rules name by id.
async fn names(state: &AppState, desk: &Desk, rules: &[Value]) -> Result<HashMap<String, String>, ApiError> {
    let ids = rules.iter().flat_map(|r| r["when"]["groups"].as_array().into_iter().flatten());
    group_names(state, desk, ids.filter_map(Value::as_str).map(str::to_owned).collect()).await
}

/// Names of groups by object id, as far as the tenant's directory holds them.
pub(super) async fn group_names(state: &AppState, desk: &Desk, ids: Vec<String>) -> Result<HashMap<String, String>, ApiError> {
    let Some((tenant, _)) = desk.tenant else { return Ok(HashMap::new()) };
    let ids: Vec<model::SourceId> = ids.iter().map(model::SourceId::new).collect();
    let named = state.store().groups_by_id(TenantKey(tenant), &ids).await?;
    Ok(named.into_iter().map(|g| (g.id.as_str().to_owned(), g.name)).collect())
}

async fn show(
    state: &AppState,
    caller: &Caller,
    mut desk: Desk,
    form: Option<RuleForm>,
    focus: Option<(String, String)>,
) -> PageResult<Response> {
    let rules = sorted(&desk.settings(state).await?);
    let names = names(state, &desk, &rules).await?;
    let last = rules.len().saturating_sub(1);
    // After a step the same button has the focus again, or its neighbour where the rule has arrived at an end.
    let focused = |id: &str, button: &str, at: usize| {
        focus.as_ref().is_some_and(|(what, of)| {
            let wanted = match what.as_str() {
                "up" if at == 0 => "down",
                "down" if at == last => "up",
                "on" => "off",
                "off" => "on",
                other => other,
            };
            of == id && wanted == button
        })
    };
    let rows = rules.iter().enumerate().map(|(at, rule)| {
        let id = rule["id"].as_str().unwrap_or_default().to_owned();
        let enabled = rule["enabled"].as_bool().unwrap_or(true);
        let focus = ["up", "down", "on", "off"].into_iter().find(|button| focused(&id, button, at)).unwrap_or("");
        RuleRow {
            place: at + 1,
            name: rule["name"].as_str().unwrap_or_default().to_owned(),
            order: wording::shown(&rule["order"]),
            who: wording::who(rule, &names),
            becomes: wording::becomes(rule),
            enabled,
            first: at == 0,
            last: at == last,
            focus,
            id,
        }
    });
    let rows = rows.collect();
    let own = state.engine().is_own(desk.scope, Some(&desk.text), "rules").await.unwrap_or(true);
    let clients = state.store().clients().await?.into_iter().map(|c| c.name).collect();
    let status = if desk.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let count = match &form {
        Some(_) if desk.tenant.is_some() => format!("/tenants/{}/policy/rules/count", desk.tenant.as_ref().map_or(0, |t| t.0)),
        _ => String::new(),
    };
    let page: Html<String> = render(&RulesPage {
        page: desk.page(state, caller, "Rules").await?,
        draft: desk.view(state).await?,
        action: format!("{}/rules", desk.policy),
        inherited: !own,
        rows,
        form,
        count,
        clients,
        tenant: desk.tenant,
        faults: desk.faults,
    })?;
    Ok((status, page).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_changes_as_few_orders_as_can_be() {
        let rule = |id: &str, order: i64| json!({ "id": id, "order": order });
        let rules = vec![rule("a", 5), rule("b", 7), rule("c", 90)];
        assert_eq!(moved(rules, 2, 1), [rule("a", 5), rule("c", 7), rule("b", 90)]);
        let equal = vec![rule("a", 5), rule("b", 5)];
        assert_eq!(moved(equal, 1, 0), [rule("b", 10), rule("a", 20)]);
    }
}
