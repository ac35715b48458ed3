//! `/$batch`: up to twenty requests in one, each answered, charged and throttled by itself.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Ask, Call, answer};
use crate::reply::{Fault, GRAPH_JSON, Reply};

const MOST: usize = 20;

impl Call<'_> {
    pub(super) fn batch(&self) -> Result<Reply, Fault> {
        let body = self.body()?;
        let requests = body
            .get("requests")
            .and_then(Value::as_array)
            .ok_or_else(|| Fault::new(400, "BadRequest", "Invalid batch payload format."))?;
        if requests.len() > MOST {
            return Err(Fault::new(
                400,
                "BadRequest",
                format!("Number of batch request steps exceeds the maximum value of {MOST}."),
            ));
        }
        let mut statuses: HashMap<&str, u16> = HashMap::new();
        let mut responses = vec![];
        for request in requests {
            let (Some(id), Some(method), Some(url)) =
                (request["id"].as_str(), request["method"].as_str(), request["url"].as_str())
            else {
                return Err(Fault::new(
                    400,
                    "BadRequest",
                    "Invalid batch payload format: each request needs id, method and url.",
                ));
            };
            if statuses.contains_key(id) {
                return Err(Fault::new(400, "BadRequest", format!("Request Id {id} has to be unique in a batch.")));
            }
            if request.get("body").is_some() && header(request, "content-type").is_none() {
                return Err(Fault::new(
                    400,
                    "BadRequest",
                    format!("Write request id : {id} does not contain Content-Type header or body."),
                ));
            }
            let waits: Vec<&str> = request["dependsOn"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let reply = if waits.iter().any(|w| statuses.get(w).is_none_or(|s| *s >= 400)) {
                Fault::new(424, "FailedDependency", "A request this one depends on has failed.").reply(
                    self.now,
                    "",
                    self.ask.client_request_id,
                )
            } else {
                let url = url.trim_start_matches('/').trim_start_matches("v1.0/");
                let (path, query) = url.split_once('?').unwrap_or((url, ""));
                let text = request.get("body").map(ToString::to_string).unwrap_or_default();
                let item = Ask {
                    method: &method.to_uppercase(),
                    path: &format!("/v1.0/{path}"),
                    query,
                    eventual: header(request, "consistencylevel").is_some_and(|c| c.eq_ignore_ascii_case("eventual")),
                    minimal: header(request, "prefer").is_some_and(|p| p.contains("return=minimal")),
                    body: text.as_bytes(),
                    in_batch: true,
                    ..*self.ask
                };
                answer(self.sim, &item).reply
            };
            statuses.insert(id, reply.status);
            let mut headers: serde_json::Map<String, Value> =
                reply.headers.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect();
            let mut item = json!({"id": id, "status": reply.status});
            if let Some(content_type) = reply.content_type {
                headers.insert("Content-Type".to_owned(), json!(content_type));
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                item["body"] = if content_type == GRAPH_JSON {
                    serde_json::from_str(&text).unwrap_or(Value::Null)
                } else {
                    Value::String(text)
                };
            }
            item["headers"] = Value::Object(headers);
            responses.push(item);
        }
        Ok(Reply::value(200, &json!({"responses": responses})))
    }
}

fn header<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request["headers"].as_object()?.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
}
