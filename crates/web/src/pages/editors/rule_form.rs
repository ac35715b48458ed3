//! The form of one rule: from a rule to its fields and back, and a condition built without typing the language.

use super::wording::shown;
use crate::pages::form::Form;
use crate::pages::templates::{GroupChoice, RuleForm};
use crate::view::label;
use model::{Field, Value};
use serde_json::{Map, json};
use std::collections::HashMap;

/// Attributes a condition is most often about; any other can be typed.
pub(super) const ATTRIBUTES: [&str; 12] = [
    "department",
    "jobTitle",
    "companyName",
    "officeLocation",
    "city",
    "country",
    "employeeType",
    "userType",
    "displayName",
    "mail",
    "userPrincipalName",
    "usageLocation",
];

/// What a condition asks: the word in the form, what people read, and the expression, `$` standing for the attribute and `%` for the
/// value.
pub(super) const OPERATORS: [(&str, &str, &str); 7] = [
    ("is", "is", "$ == %"),
    ("is-not", "is not", "$ != %"),
    ("is-any-case", "is, in any case", "lower($) == lower(%)"),
    ("contains", "contains", "$.contains(%)"),
    ("starts", "starts with", "$.startsWith(%)"),
    ("ends", "ends with", "$.endsWith(%)"),
    ("empty", "is empty", "$ == null || $ == \"\""),
];

/// The form of a rule. `groups` tells names by object id, `found` what a search found.
pub(super) fn of(rule: &Value, groups: &HashMap<String, String>, found: Vec<(String, String)>, q: &str, new: bool) -> RuleForm {
    let text = |value: &Value| shown(value);
    let lines = |value: &Value| value.as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join("\n");
    let chosen: Vec<String> = rule["when"]["groups"].as_array().into_iter().flatten().map(shown).collect();
    let mut choices: Vec<GroupChoice> = chosen
        .iter()
        .map(|id| GroupChoice { id: id.clone(), name: groups.get(id).cloned().unwrap_or_else(|| id.clone()), chosen: true })
        .collect();
    choices.extend(found.into_iter().filter(|(id, _)| !chosen.contains(id)).map(|(id, name)| GroupChoice {
        id,
        name,
        chosen: false,
    }));
    let guests = match rule["when"]["include_guests"].as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    let client = text(&rule["then"]["client"]);
    let defaults = rule["then"]["defaults"].as_object().into_iter().flatten();
    let everyone = rule["when"].as_object().is_some_and(|when| when.keys().all(|key| key == "include_guests"));
    RuleForm {
        new,
        id: text(&rule["id"]),
        name: text(&rule["name"]),
        order: text(&rule["order"]),
        enabled: rule["enabled"].as_bool().unwrap_or(true),
        everyone,
        groups: choices,
        q: q.to_owned(),
        names: lines(&rule["when"]["group_names"]),
        filter: text(&rule["when"]["filter"]),
        guests,
        kind: rule["then"]["kind"].as_str().unwrap_or("contact").to_owned(),
        client: if client == "from_tenant" { String::new() } else { client },
        site: text(&rule["then"]["site"]),
        site_from: text(&rule["then"]["site_from"]),
        role: text(&rule["then"]["role"]),
        licence: rule["then"]["licence_type"].as_str().unwrap_or("no_change").to_owned(),
        cabs: lines(&rule["then"]["cabs"]),
        defaults: defaults.map(|(field, value)| (field.clone(), label(field), shown(value))).collect(),
        targets: targets(),
        attributes: ATTRIBUTES.to_vec(),
        operators: OPERATORS.iter().map(|(word, label, _)| (*word, *label)).collect(),
    }
}

/// Fields that a default can fill: those that no rule, board or life cycle decides.
fn targets() -> Vec<String> {
    let decided = ["client", "site", "role", "status", "access", "cabs", "extra_roles"];
    Field::STANDARD.iter().filter(|field| !decided.contains(field)).map(|field| (*field).to_owned()).collect()
}

/// A rule as its form says it, on top of what the form does not show. Without a condition it selects nobody unless "everyone" is ticked:
/// then `when` is left out, which is refused with its place.
pub(super) fn read(form: &Form, before: Option<&Value>, ids: &[String]) -> Value {
    let mut rule = before.and_then(Value::as_object).cloned().unwrap_or_default();
    let name = form.text("name");
    let id = match (before, form.text("rule_id")) {
        (Some(before), _) => shown(&before["id"]),
        (None, "") => fresh_id(name, ids),
        (None, id) => id.to_owned(),
    };
    rule.insert("name".into(), if name.is_empty() { json!(id) } else { json!(name) });
    rule.insert("id".into(), json!(id));
    let order = form.text("order");
    rule.insert("order".into(), order.parse::<i64>().map_or_else(|_| json!(order), |n| json!(n)));
    rule.insert("enabled".into(), json!(!form.text("enabled").is_empty()));
    let mut when = Map::new();
    let groups = form.under("group.");
    if !groups.is_empty() {
        when.insert("groups".into(), json!(groups));
    }
    let names: Vec<&str> = form.raw("names").lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if !names.is_empty() {
        when.insert("group_names".into(), json!(names));
    }
    let filter = form.text("filter");
    if !filter.is_empty() {
        when.insert("filter".into(), json!(filter));
    }
    let selects = !when.is_empty() || !form.text("everyone").is_empty();
    match form.text("guests") {
        "yes" => drop(when.insert("include_guests".into(), json!(true))),
        "no" => drop(when.insert("include_guests".into(), json!(false))),
        _ => {}
    }
    if selects {
        rule.insert("when".into(), Value::Object(when));
    } else {
        rule.remove("when");
    }
    let mut then = rule.get("then").and_then(Value::as_object).cloned().unwrap_or_default();
    let kind = form.text("kind");
    then.insert("kind".into(), json!(kind));
    let client = form.text("client");
    then.insert("client".into(), json!(if client.is_empty() { "from_tenant" } else { client }));
    for key in ["site", "site_from", "role"] {
        match form.text(key) {
            "" => drop(then.remove(key)),
            value => drop(then.insert(key.into(), json!(value))),
        }
    }
    let cabs: Vec<&str> = form.raw("cabs").lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    match cabs.is_empty() {
        true => drop(then.remove("cabs")),
        false => drop(then.insert("cabs".into(), json!(cabs))),
    }
    match defaults(form, &then) {
        none if none.is_empty() => drop(then.remove("defaults")),
        some => drop(then.insert("defaults".into(), Value::Object(some))),
    }
    if kind == "contact" {
        then.remove("licence_type");
    } else {
        then.insert(
            "licence_type".into(),
            json!(if form.text("licence").is_empty() { "no_change" } else { form.text("licence") }),
        );
    }
    rule.insert("then".into(), Value::Object(then));
    Value::Object(rule)
}

/// The defaults as the form says them. A list or a number stays one for as long as nobody changes it.
fn defaults(form: &Form, then: &Map<String, Value>) -> Map<String, Value> {
    let before = then.get("defaults").and_then(Value::as_object);
    let mut defaults = Map::new();
    let mut take = |field: &str, text: &str| {
        let same = before.and_then(|d| d.get(field)).filter(|value| shown(value) == text);
        if !field.is_empty() && !text.is_empty() {
            let new = match field == Field::ADDITIONAL_EMAILS.as_str() {
                true => text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect(),
                false => json!(text),
            };
            defaults.insert(field.to_owned(), same.cloned().unwrap_or(new));
        }
    };
    for field in form.under("default.") {
        take(field, form.text(&format!("default.{field}")));
    }
    take(form.text("default_field"), form.text("default_value"));
    defaults
}

/// The filter with one more condition, as the builder's fields say it.
pub(super) fn with_condition(filter: &str, attribute: &str, operator: &str, value: &str) -> String {
    let Some((_, _, pattern)) = OPERATORS.iter().find(|(word, ..)| *word == operator) else { return filter.to_owned() };
    if attribute.is_empty() {
        return filter.to_owned();
    }
    // JSON's escapes are the language's too.
    let condition = pattern.replace('%', &json!(value).to_string()).replace('$', attribute);
    let alone = |text: &str| if text.contains("||") { format!("({text})") } else { text.to_owned() };
    if filter.is_empty() { condition } else { format!("{} && {}", alone(filter), alone(&condition)) }
}

/// An id made from a name, unlike the others.
pub(super) fn fresh_id(name: &str, ids: &[String]) -> String {
    let mut id = String::new();
    for c in name.chars().flat_map(char::to_lowercase).take(40) {
        if c.is_ascii_alphanumeric() {
            id.push(c);
        } else if !id.ends_with('-') && !id.is_empty() {
            id.push('-');
        }
    }
    let id = id.trim_end_matches('-').to_owned();
    let id = if id.is_empty() { "rule".to_owned() } else { id };
    let taken = |id: &str| ids.iter().any(|other| other == id);
    if !taken(&id) {
        return id;
    }
    (2..).map(|n| format!("{id}-{n}")).find(|id| !taken(id)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_built_without_typing_the_language() {
        let one = with_condition("", "department", "is", "R&D \"north\"");
        assert_eq!(one, r#"department == "R&D \"north\"""#);
        let two = with_condition(&one, "city", "empty", "");
        assert_eq!(two, r#"department == "R&D \"north\"" && (city == null || city == "")"#);
        assert_eq!(with_condition("a == 1", "", "is", "x"), "a == 1");
    }

    #[test]
    fn an_id_is_made_from_the_name() {
        assert_eq!(fresh_id("Service Desk (UK)", &[]), "service-desk-uk");
        assert_eq!(fresh_id("技術", &["rule".into()]), "rule-2");
    }
}
