//! Rules and settings in words.

use crate::view::label;
use model::Value;
use std::collections::HashMap;

/// Whom a rule selects. `groups` tells names by object id.
pub(super) fn who(rule: &Value, groups: &HashMap<String, String>) -> String {
    let when = &rule["when"];
    let mut parts = Vec::new();
    let list = |key: &str| when[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    let quoted = |names: Vec<String>| names.iter().map(|n| format!("“{n}”")).collect::<Vec<_>>().join(" or ");
    let by_id: Vec<String> = list("groups").map(|id| groups.get(id).cloned().unwrap_or_else(|| id.to_owned())).collect();
    let by_name: Vec<String> = list("group_names").map(str::to_owned).collect();
    for names in [by_id, by_name].into_iter().filter(|n| !n.is_empty()) {
        parts.push(format!("in the group {}", quoted(names)));
    }
    if let Some(filter) = when["filter"].as_str() {
        parts.push(format!("where {filter}"));
    }
    let guests = match when["include_guests"].as_bool() {
        Some(true) => ", guests too",
        Some(false) => ", no guests",
        None => "",
    };
    let mut words = if parts.is_empty() { "everyone".to_owned() } else { parts.join(" and ") };
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words + guests
}

/// What a rule makes of them.
pub(super) fn becomes(rule: &Value) -> String {
    let then = &rule["then"];
    let kind = match then["kind"].as_str() {
        Some("agent") => "an agent",
        Some("agent_and_contact") => "an agent and a contact",
        _ => "a contact",
    };
    let client = match then["client"].as_str() {
        None | Some("from_tenant") => " of the tenant's client".to_owned(),
        Some(name) => format!(" of {name}"),
    };
    let client = if then["kind"] == "agent" && then["client"].as_str().is_none_or(|c| c == "from_tenant") {
        String::new()
    } else {
        client
    };
    let more = [("site", "at"), ("site_from", "at the site named by"), ("role", "as")];
    let more = more.iter().filter_map(|(key, word)| then[*key].as_str().map(|value| format!(", {word} {value}")));
    let mut words = format!("{kind}{client}{}", more.collect::<String>());
    let boards: Vec<&str> = then["cabs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !boards.is_empty() {
        words += &format!(", on {} {}", if boards.len() == 1 { "the board" } else { "the boards" }, boards.join(", "));
    }
    if let Some(defaults) = then["defaults"].as_object().filter(|d| !d.is_empty()) {
        let fields: Vec<String> = defaults.keys().map(|field| label(field)).collect();
        words += &format!(", with a default for {}", fields.join(", "));
    }
    words
}

/// Lists whose items are told as one line when they are new, or gone: the list, the key every item has, and what an item is called.
const LISTS: [(&str, &str, &str); 3] =
    [("rules", "id", "rule"), ("role_mappings", "id", "role"), ("cab_mappings", "cab", "board")];

/// The settings that differ: path, before, after. A rule or mapping that is new, or gone, is one line.
pub(super) fn differences(lines: &[sync::PolicyChange]) -> Vec<(String, String, String)> {
    // Of a line within an item: the item's own path, whether the line is that of the key every item has, and the word for the item.
    let within = |path: &str| {
        let (item, key) = path.split_once("].").map(|(item, key)| (format!("{item}]"), key.to_owned()))?;
        let (_, first, word) = LISTS.iter().find(|(list, ..)| item.starts_with(&format!("{list}[")))?;
        Some((item, key == *first, *word))
    };
    let whole: Vec<(String, bool)> = lines
        .iter()
        .filter_map(|line| within(&line.path).filter(|(_, first, _)| *first).map(|(item, ..)| (item, line)))
        .filter(|(_, line)| line.before.is_null() || line.after.is_null())
        .map(|(item, line)| (item, line.before.is_null()))
        .collect();
    let mut told = Vec::new();
    for line in lines {
        let item = within(&line.path).filter(|(item, ..)| whole.iter().any(|(known, _)| known == item));
        match item {
            Some((item, true, word)) if line.before.is_null() => told.push((item, String::new(), format!("a new {word}"))),
            Some((item, true, word)) => told.push((item, format!("a {word}"), String::new())),
            Some(_) => {}
            // A list that was empty, or is now, reads as nothing on both sides; its items are told.
            None if shown(&line.before).is_empty() && shown(&line.after).is_empty() => {}
            None => told.push((line.path.clone(), shown(&line.before), shown(&line.after))),
        }
    }
    told
}

/// A setting's value for reading.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_reads_as_two_sentences() {
        let groups = HashMap::from([("g-1".to_owned(), "Service desk".to_owned())]);
        let rule = json!({
            "when": { "groups": ["g-1", "g-2"], "filter": "department == \"IT\"", "include_guests": false },
            "then": { "kind": "agent", "role": "technician" }
        });
        assert_eq!(who(&rule, &groups), "In the group “Service desk” or “g-2” and where department == \"IT\", no guests");
        assert_eq!(becomes(&rule), "an agent, as technician");
        let site = json!({ "then": { "kind": "contact", "site_from": "officeLocation", "cabs": ["change"], "defaults": { "phone": "1" } } });
        assert_eq!(
            becomes(&site),
            "a contact of the tenant's client, at the site named by officeLocation, on the board change, with a default for Phone"
        );
        assert_eq!(who(&json!({ "when": {} }), &groups), "Everyone");
        assert_eq!(
            becomes(&json!({ "then": { "kind": "contact", "client": "from_tenant" } })),
            "a contact of the tenant's client"
        );
    }
}
