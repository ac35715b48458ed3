//! What operations answer: the error groups they share, pages of lists, and the wire forms that several resources use.

use crate::problem::Problem;
use crate::view;
use model::plan::Hold;
use model::reason::Reason;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoResponses, ToSchema};

/// Default length of a page.
pub const PAGE: i64 = 50;
/// Longest page.
pub const PAGE_MAX: i64 = 200;

/// What every operation may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used, by the OpenAPI document")]
pub enum Known {
    /// No valid API token or session.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The caller may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Something went wrong on our side.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
}

/// What an operation on one thing may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used, by the OpenAPI document")]
pub enum Named {
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// What an operation with query parameters may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used, by the OpenAPI document")]
pub enum Queried {
    /// A query parameter is wrong; `errors` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
}

/// What an operation with a body may answer besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used, by the OpenAPI document")]
pub enum Bodied {
    /// The body is not JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// The body is larger than 512 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body's content type is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
    /// Members of the body are wrong; `errors` names each.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(Problem),
}

/// What an operation may answer that the state of things can stand against.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used, by the OpenAPI document")]
pub enum Contested {
    /// The state of things does not allow it; `detail` says the next step.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The page's elements.
    pub items: Vec<T>,
    /// Cursor of the next page; null on the last one.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A page out of `limit + 1` rows that were asked for: the one too many tells that there is a next page, which begins after the
    /// last one shown.
    pub fn of<R>(mut rows: Vec<R>, limit: i64, cursor: impl Fn(&R) -> String, show: impl FnMut(R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(show).collect(), next }
    }
}

/// A sentence with its stable word and its figures.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sentence {
    /// Which sentence this is; stable.
    pub why: String,
    /// The sentence, as the pages and the command line print it.
    pub sentence: String,
    /// What it speaks of, by name.
    pub detail: Map<String, Value>,
}

impl Sentence {
    fn of(value: Result<Value, serde_json::Error>, sentence: String) -> Self {
        let mut detail = match value {
            Ok(Value::Object(detail)) => detail,
            _ => Map::new(),
        };
        let why = detail.remove("why").and_then(|w| w.as_str().map(str::to_owned)).unwrap_or_default();
        Self { why, sentence, detail }
    }
}

impl From<&Reason> for Sentence {
    fn from(reason: &Reason) -> Self {
        Self::of(serde_json::to_value(reason), reason.to_string())
    }
}

impl From<&Hold> for Sentence {
    fn from(hold: &Hold) -> Self {
        Self::of(serde_json::to_value(hold), hold.to_string())
    }
}

/// A time as the API writes it.
#[must_use]
pub fn time(ms: i64) -> String {
    view::rfc3339(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_another_follows() {
        let page = List::of(vec![1, 2, 3], 2, ToString::to_string, |n| n);
        assert_eq!((page.items, page.next.as_deref()), (vec![1, 2], Some("2")));
        let last = List::of(vec![1, 2], 2, ToString::to_string, |n| n);
        assert_eq!(last.next, None);
    }

    #[test]
    fn a_reason_is_a_word_a_sentence_and_figures() {
        let sentence = Sentence::from(&Reason::OutOfScope { by: "guests".into() });
        assert_eq!((sentence.why.as_str(), sentence.sentence.as_str()), ("out_of_scope", "Out of scope: guests."));
        assert_eq!(sentence.detail["by"], "guests");
    }
}
