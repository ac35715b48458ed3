//! `/$batch`: up to twenty requests in one, each answered, charged and throttled by itself. All of them are looked at before the first is
//! carried out: a batch that is refused has changed nothing.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Ask, Call, answer, signed, versioned};
use crate::reply::{Fault, GRAPH_JSON, Reply};

const MOST: usize = 20;

/// A request of a batch, found to be in order.
struct Item<'a> {
    id: &'a str,
    method: String,
    url: &'a str,
    headers: Option<&'a Map<String, Value>>,
    body: Option<&'a Value>,
    /// Places of the requests it depends on.
    waits: Vec<usize>,
}

impl Call<'_> {
    pub(super) fn batch(&self) -> Result<Reply, Fault> {
        let body = self.body()?;
        let requests = body.get("requests").and_then(Value::as_array).ok_or_else(|| wrong("Invalid batch payload format."))?;
        let items = items(requests)?;
        let mut replies: Vec<Option<Reply>> = items.iter().map(|_| None).collect();
        for at in order(&items)? {
            let item = &items[at];
            let failed = |w: &usize| replies[*w].as_ref().is_none_or(|r| r.status >= 400);
            let reply = if item.waits.iter().any(failed) { self.not_tried(item) } else { self.carry_out(item) };
            replies[at] = Some(reply);
        }
        let responses: Vec<Value> =
            items.iter().zip(replies).filter_map(|(item, reply)| Some(response(item.id, reply?))).collect();
        Ok(Reply::value(200, &json!({"responses": responses})))
    }

    fn carry_out(&self, item: &Item<'_>) -> Reply {
        let url = item.url.trim_start_matches('/');
        let path = format!("/{url}");
        let url = versioned(&path).map_or(url, |rest| rest.trim_start_matches('/'));
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let text = item.body.map(ToString::to_string).unwrap_or_default();
        let ask = Ask {
            method: &item.method,
            path: &format!("/v1.0/{path}"),
            query,
            eventual: item.header("consistencylevel").is_some_and(|c| c.eq_ignore_ascii_case("eventual")),
            minimal: item.header("prefer").is_some_and(|p| p.contains("return=minimal")),
            client_request_id: self.request_id_of(item),
            body: text.as_bytes(),
            in_batch: true,
            ..*self.ask
        };
        answer(self.sim, &ask).reply
    }

    /// 424, of a request that depends on one that failed.
    fn not_tried(&self, item: &Item<'_>) -> Reply {
        let fault = Fault::new(424, "FailedDependency", "A request this one depends on has failed.");
        signed(Err(fault), self.now, self.sim.next_request_id(), self.request_id_of(item))
    }

    fn request_id_of<'i>(&'i self, item: &Item<'i>) -> &'i str {
        item.header("client-request-id").unwrap_or(self.ask.client_request_id)
    }
}

impl<'a> Item<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers?.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str())
    }
}

fn wrong(why: impl Into<String>) -> Fault {
    Fault::new(400, "BadRequest", why)
}

/// Reads the requests, or refuses the batch as a whole.
fn items(requests: &[Value]) -> Result<Vec<Item<'_>>, Fault> {
    if requests.len() > MOST {
        return Err(wrong(format!("Number of batch request steps exceeds the maximum value of {MOST}.")));
    }
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut items = vec![];
    for (at, request) in requests.iter().enumerate() {
        let text = |name: &str| request[name].as_str().filter(|t| !t.trim().is_empty());
        let (Some(id), Some(method), Some(url)) = (text("id"), text("method"), text("url")) else {
            return Err(wrong("Invalid batch payload format: each request needs id, method and url."));
        };
        if places.insert(id.to_lowercase(), at).is_some() {
            return Err(wrong(format!("Request Id {id} has to be unique in a batch.")));
        }
        let method = method.to_uppercase();
        if !matches!(method.as_str(), "GET" | "POST" | "PATCH" | "PUT" | "DELETE") {
            return Err(wrong(format!("Invalid batch payload format: request {id} has the method '{method}'.")));
        }
        if url.contains("://") && !url.starts_with('/') {
            return Err(wrong(format!("Invalid batch payload format: the url of request {id} must be relative.")));
        }
        let headers = match request.get("headers") {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) if map.values().all(Value::is_string) => Some(map),
            Some(_) => return Err(wrong(format!("Invalid batch payload format: the headers of request {id} must be texts."))),
        };
        let item = Item { id, method, url, headers, body: request.get("body").filter(|b| !b.is_null()), waits: vec![] };
        let typed = item.body.is_none() || item.header("content-type").is_some();
        // Some POSTs, a restore among them, have nothing to say.
        let readable = item.body.map_or(!matches!(item.method.as_str(), "PATCH" | "PUT"), |b| b.is_object() || b.is_string());
        if !typed || !readable {
            return Err(wrong(format!("Write request id : {id} does not contain Content-Type header or body.")));
        }
        items.push(item);
    }
    for (item, request) in items.iter_mut().zip(requests) {
        item.waits = waits(item.id, &request["dependsOn"], &places)?;
    }
    Ok(items)
}

fn waits(id: &str, named: &Value, places: &HashMap<String, usize>) -> Result<Vec<usize>, Fault> {
    let named = match named {
        Value::Null => return Ok(vec![]),
        Value::Array(named) => named,
        _ => return Err(wrong(format!("Invalid batch payload format: dependsOn of request {id} must be a list of ids."))),
    };
    let place = |name: &Value| {
        let name = name
            .as_str()
            .ok_or_else(|| wrong(format!("Invalid batch payload format: dependsOn of request {id} must hold ids.")))?;
        places
            .get(&name.to_lowercase())
            .copied()
            .ok_or_else(|| wrong(format!("Request {id} depends on the request Id {name}, which is not in the batch.")))
    };
    named.iter().map(place).collect()
}

/// The order to carry them out in: as written, but each after what it depends on.
fn order(items: &[Item<'_>]) -> Result<Vec<usize>, Fault> {
    let mut order: Vec<usize> = vec![];
    while order.len() < items.len() {
        let ready = |at: &usize| !order.contains(at) && items[*at].waits.iter().all(|w| order.contains(w));
        match (0..items.len()).find(ready) {
            Some(at) => order.push(at),
            None => return Err(wrong("Requests of the batch depend on each other in a circle.")),
        }
    }
    Ok(order)
}

fn response(id: &str, reply: Reply) -> Value {
    let mut headers: Map<String, Value> = reply.headers.iter().map(|(n, v)| (canonical(n).to_owned(), json!(v))).collect();
    let mut response = json!({"id": id, "status": reply.status});
    if let Some(content_type) = reply.content_type {
        headers.insert("Content-Type".to_owned(), json!(content_type));
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        response["body"] =
            if content_type == GRAPH_JSON { serde_json::from_str(&text).unwrap_or(Value::Null) } else { Value::String(text) };
    }
    response["headers"] = Value::Object(headers);
    response
}

/// A header's name as it is written in JSON, where readers compare it letter by letter.
fn canonical(name: &'static str) -> &'static str {
    match name {
        "retry-after" => "Retry-After",
        "location" => "Location",
        "allow" => "Allow",
        "www-authenticate" => "WWW-Authenticate",
        "odata-version" => "OData-Version",
        other => other,
    }
}
