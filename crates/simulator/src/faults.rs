//! Faults: what goes wrong, where, and how often. The same objects come from `--faults FILE` and from the control API.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::reply::Fault as GraphError;
use crate::seed::hash;

/// A fault: where it applies, how often, and what happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Path it applies to; `*` stands for anything. With a `?` in it, path and query are compared.
    pub path: String,
    /// Only for this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only in this tenant (id or domain).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Only for these matching requests, counted from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nth: Vec<u64>,
    /// At most so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// With this chance (0 to 1), drawn from the seed.
    #[serde(default, deserialize_with = "chance", skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What happens.
    pub action: Action,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Answer an error. Without `code` and `message` the usual ones of the status.
    Status {
        /// HTTP status, 200 to 599.
        #[serde(deserialize_with = "status")]
        status: u16,
        /// `error.code`.
        #[serde(default)]
        code: Option<String>,
        /// `error.message`.
        #[serde(default)]
        message: Option<String>,
        /// `Retry-After` in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answer 429; without `retry_after`, no such header.
    Throttle {
        /// `Retry-After` in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Close the connection.
    Reset {
        /// When.
        when: Moment,
    },
    /// Send the body in pieces with pauses.
    Slow {
        /// Bytes a piece.
        #[serde(default = "piece")]
        chunk: usize,
        /// Milliseconds between pieces.
        ms: u64,
    },
    /// Answer 200 with something that is no JSON.
    Garbage,
    /// Answer half of the body, properly ended.
    Truncate,
    /// Answer a page with no objects and a nextLink.
    EmptyPage,
    /// Answer a request that carries a token as if it had expired.
    ExpiredToken {
        /// In which of the four forms.
        form: Form,
    },
    /// From now on changes show in delta only after so many seconds.
    Lag {
        /// Seconds.
        seconds: u64,
    },
    /// From now on the client secret has expired; tokens already given stay good.
    SecretExpired,
    /// From now on the application is not known in the tenant.
    ConsentRevoked,
    /// Answer 401: the access token has expired.
    AccessTokenExpired,
}

/// When a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before anything is answered.
    BeforeHeaders,
    /// After the headers.
    AfterHeaders,
    /// In the middle of the body.
    MidBody,
}

/// The forms in which Graph says that a delta token is no longer good (contract section b, rule 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// 410 with `Location`.
    Gone,
    /// 400 `syncStateNotFound`.
    SyncStateNotFound,
    /// 410 `resyncRequired`.
    ResyncRequired,
    /// 400 `Request_UnsupportedQuery`, "DeltaLink older than 30 days is not supported."
    DeltaLinkOlder,
}

/// What happens to an answer on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The connection is closed.
    Reset(Moment),
    /// Pieces of so many bytes, so many milliseconds apart.
    Slow(usize, u64),
    /// The body is no JSON.
    Garbage,
    /// The body is cut.
    Truncate,
}

/// What a fault asks of the one who answers.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Answer this error.
    Fail(GraphError),
    /// Answer an empty page.
    EmptyPage,
    /// Answer that the token has expired.
    Expired(Form),
    /// Answer as usual, and let the wire do this.
    Wire(Wire),
}

fn piece() -> usize {
    1024
}

/// A status that an answer can end with: what is below 200 only announces one, and HTTP ends at 599.
fn status<'de, D: Deserializer<'de>>(d: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(d)?;
    if (200..600).contains(&status) { Ok(status) } else { Err(D::Error::custom("status must be between 200 and 599")) }
}

fn chance<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let chance = Option::<f64>::deserialize(d)?;
    if chance.is_none_or(|p| (0.0..=1.0).contains(&p)) {
        Ok(chance)
    } else {
        Err(D::Error::custom("probability must be between 0 and 1"))
    }
}

/// A fault with its counters.
#[derive(Debug, Clone, Serialize)]
pub struct Armed {
    /// Number given when it was added.
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// Requests that matched path, method and tenant.
    pub seen: u64,
    /// Times it struck.
    pub struck: u64,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Vec<Armed>,
    last_id: u64,
}

/// A request, as faults look at it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// Query.
    pub query: &'a str,
    /// Tenant id and domain.
    pub tenant: (&'a str, &'a str),
}

impl Faults {
    /// Adds a fault; answers its number.
    pub fn add(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.armed.push(Armed { id: self.last_id, fault, seen: 0, struck: 0 });
        self.last_id
    }

    /// All faults, with counters.
    #[must_use]
    pub fn list(&self) -> &[Armed] {
        &self.armed
    }

    /// Removes one fault, or all.
    pub fn clear(&mut self, id: Option<u64>) {
        self.armed.retain(|a| id.is_some_and(|i| i != a.id));
    }

    /// Which actions strike this request.
    pub fn strike(&mut self, seed: u64, target: Target<'_>) -> Vec<Action> {
        let mut actions = vec![];
        for armed in &mut self.armed {
            let fault = &armed.fault;
            let whole = format!("{}?{}", target.path, target.query);
            let text = if fault.path.contains('?') { whole.as_str() } else { target.path };
            let same_tenant = fault
                .tenant
                .as_ref()
                .is_none_or(|t| t.eq_ignore_ascii_case(target.tenant.0) || t.eq_ignore_ascii_case(target.tenant.1));
            if !same_tenant
                || fault.method.as_ref().is_some_and(|m| !m.eq_ignore_ascii_case(target.method))
                || !matches_glob(&fault.path, text)
            {
                continue;
            }
            armed.seen += 1;
            let chosen = (fault.nth.is_empty() || fault.nth.contains(&armed.seen))
                && fault.times.is_none_or(|t| armed.struck < t)
                && fault.probability.is_none_or(|p| (hash(seed ^ armed.id, armed.seen) >> 11) as f64 / ((1u64 << 53) as f64) < p);
            if chosen {
                armed.struck += 1;
                actions.push(fault.action.clone());
            }
        }
        actions
    }
}

/// Whether `*` patterns match; everything else stands for itself.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return pattern == text;
    }
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The usual error of a status.
#[must_use]
pub fn usual(status: u16, code: Option<String>, message: Option<String>, retry_after: Option<u64>) -> GraphError {
    let (usual_code, usual_message) = match status {
        400 => ("Request_BadRequest", "Bad request."),
        401 => {
            let mut error =
                GraphError::unauthorized(message.as_deref().unwrap_or("Access token has expired or is not yet valid."));
            if let Some(code) = code {
                error.code = code;
            }
            return match retry_after {
                Some(seconds) => error.with("retry-after", seconds.to_string()),
                None => error,
            };
        }
        403 => ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        404 => (
            "Request_ResourceNotFound",
            "Resource does not exist or one of its queried reference-property objects are not present.",
        ),
        429 => ("TooManyRequests", "Too many requests."),
        503 => ("serviceNotAvailable", "The service is temporarily unavailable. Please retry after some time."),
        504 => {
            ("gatewayTimeout", "The server, while acting as a proxy, did not receive a timely response from the upstream server.")
        }
        _ => ("generalException", "An unspecified error has occurred."),
    };
    let error = GraphError::new(
        status,
        &code.unwrap_or_else(|| usual_code.to_owned()),
        message.unwrap_or_else(|| usual_message.to_owned()),
    );
    match retry_after {
        Some(seconds) => error.with("retry-after", seconds.to_string()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_anything_and_the_rest_itself() {
        for (pattern, text, matches) in [
            ("/v1.0/users*", "/v1.0/users/delta", true),
            ("/v1.0/*/delta", "/v1.0/groups/delta", true),
            ("/v1.0/*/delta", "/v1.0/groups", false),
            ("*", "", true),
            ("/a", "/ab", false),
            ("a*a", "a", false),
            ("*/delta?*deltatoken=*", "/v1.0/users/delta?$deltatoken=x", true),
        ] {
            assert_eq!(matches_glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_fault_strikes_the_nth_request_and_no_more_than_it_may() {
        let mut faults = Faults::default();
        let fault = |text: &str| serde_json::from_str::<Fault>(text).expect("a fault");
        faults.add(fault(r#"{"path":"/x","nth":[2,3],"times":1,"action":{"do":"garbage"}}"#));
        let target = Target { method: "GET", path: "/x", query: "", tenant: ("", "") };
        let struck: Vec<usize> = (0..4).map(|_| faults.strike(1, target).len()).collect();
        assert_eq!(struck, [0, 1, 0, 0]);
    }
}
