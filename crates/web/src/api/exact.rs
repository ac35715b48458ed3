//! Makes the generated OpenAPI document exactly true where attributes cannot say it.

use crate::api::input;
use http::StatusCode;
use serde_json::{Value, json};

/// Corrects a document in place.
pub fn make(document: &mut Value) {
    patterns(document);
    alternatives(document);
    let mut bodies = Vec::new();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|p| p.values_mut()) {
            for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(schema) = parameter.get_mut("schema") {
                    never_null(schema);
                }
            }
            // A description is required of every answer; where the handler's own says all, the status in words will do.
            for (status, answer) in operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten() {
                if let Some(answer) = answer.as_object_mut().filter(|a| !a.contains_key("description") && !a.contains_key("$ref"))
                {
                    let words = status.parse().ok().and_then(|s| StatusCode::from_u16(s).ok()?.canonical_reason());
                    answer.insert("description".into(), json!(words.unwrap_or_default()));
                }
                // A stream is a row of events; a schema would be taken for each of them.
                if let Some(stream) = answer.pointer_mut("/content/text~1event-stream").and_then(Value::as_object_mut) {
                    stream.remove("schema");
                }
            }
            // Handlers are named within their resource; operations over all of them.
            if let (Some(tag), Some(id)) = (operation.pointer("/tags/0").cloned(), operation.get_mut("operationId"))
                && let (Some(tag), Some(name)) = (tag.as_str(), id.as_str())
            {
                *id = json!(format!("{tag}_{name}"));
            }
            let body = operation.pointer("/requestBody/content/application~1json/schema/$ref").and_then(Value::as_str);
            bodies.extend(body.and_then(|r| r.rsplit('/').next()).map(str::to_owned));
        }
    }
    // Bodies are read member by member, and refuse what nobody asked for.
    for name in bodies {
        if let Some(schema) = document.pointer_mut(&format!("/components/schemas/{name}")).and_then(Value::as_object_mut) {
            schema.insert("additionalProperties".into(), json!(false));
        }
    }
    unused(document);
}

/// Takes out schemas that nothing names: the elements of lists, which stand written out in theirs.
fn unused(document: &mut Value) {
    loop {
        let text = document.to_string();
        let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if schemas.len() == before {
            return;
        }
    }
}

/// Attributes take patterns as literals only, so schemas name a form (`pattern = "line"`) and its pattern is written in here.
fn patterns(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(pattern)) = members.get_mut("pattern") {
                let forms = [("line", input::LINE), ("word", input::WORD), ("origin", input::ORIGIN), ("hex", input::HEX)];
                if let Some((_, written)) = forms.iter().find(|(name, _)| name == pattern) {
                    (*written).clone_into(pattern);
                }
            }
            members.values_mut().for_each(patterns);
        }
        Value::Array(items) => items.iter_mut().for_each(patterns),
        _ => {}
    }
}

/// Members of a body that exclude each other. Each is refused with a sentence; here a program can know it beforehand.
fn alternatives(document: &mut Value) {
    let named = json!({ "required": ["items"], "properties": { "tenant": false, "why": false, "count": false } });
    let fitting = json!({ "required": ["count"], "properties": { "items": false } });
    let linking = json!({ "properties": { "action": { "const": "link" } } });
    let recordless = json!({ "properties": { "items": { "items": { "properties": { "record": false } } } } });
    if let Some(pick) = document.pointer_mut("/components/schemas/ReviewPick").and_then(Value::as_object_mut) {
        pick.insert("additionalProperties".into(), json!(false));
    }
    if let Some(bulk) = document.pointer_mut("/components/schemas/ReviewBulk").and_then(Value::as_object_mut) {
        bulk.insert("allOf".into(), json!([{ "oneOf": [named, fitting] }, { "anyOf": [linking, recordless] }]));
    }
}

/// A query parameter may be absent, but it is never null.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type")
        && let Some(only) = types.as_array().and_then(|t| t.iter().find(|t| *t != "null").cloned())
    {
        *types = only;
    }
    let alternative = schema.get("oneOf").and_then(Value::as_array).and_then(|a| a.iter().find(|s| s["type"] != "null").cloned());
    if let Some(alternative) = alternative {
        *schema = alternative;
    }
}
