//! Judging a step: what was expected against what was planned, with a place and a readable difference.

use super::shown::{Shown, ShownChange, ShownReport, ShownReview};
use model::plan::Verb;
use model::{SourceId, Value, text};
use policy::Mark;
use policy::scenario::{Expect, ExpectedChange, ExpectedReport, ExpectedReview};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where the expectation stands, as file:line:column.
    pub at: String,
    /// What was expected and what came instead; may have several lines.
    pub message: String,
}

impl Failure {
    pub(super) fn at(mark: &Mark, message: &str) -> Self {
        Self { at: mark.to_string(), message: message.to_owned() }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Compares everything that is judged.
pub(super) fn judge(expect: &Expect, shown: &Shown) -> Vec<Failure> {
    let mut failures = Vec::new();
    if let Some(expected) = &expect.changes {
        compare("change", expected, &shown.changes, &expect.at, |e| &e.at, why_not, &mut failures);
    }
    if let Some(expected) = &expect.review {
        compare("review item", expected, &shown.review, &expect.at, |e| &e.at, why_not_review, &mut failures);
    }
    if let Some(expected) = &expect.reports {
        compare("report", expected, &shown.reports, &expect.at, |e| &e.at, why_not_report, &mut failures);
    }
    if expect.held != shown.held {
        let message = if shown.held {
            format!("the plan is held, and was expected not to be: {}", shown.holds.join(" "))
        } else {
            "the plan was expected to be held, and is not".to_owned()
        };
        failures.push(Failure::at(&expect.at, &message));
    }
    if let Some(expected) = &expect.out_of_scope {
        compare_scope(expected, &shown.out_of_scope, &expect.at, &mut failures);
    }
    failures
}

/// Pairs expectations with what came, so that as many as possible are met; the rest fails with the nearest miss.
fn compare<E, G: Display>(
    what: &str,
    expected: &[E],
    got: &[G],
    at: &Mark,
    mark: impl Fn(&E) -> &Mark,
    why_not: impl Fn(&E, &G) -> Vec<String>,
    failures: &mut Vec<Failure>,
) {
    let meets: Vec<Vec<usize>> = expected
        .iter()
        .map(|e| got.iter().enumerate().filter(|(_, g)| why_not(e, g).is_empty()).map(|(i, _)| i).collect())
        .collect();
    let mut owner: Vec<Option<usize>> = vec![None; got.len()];
    for at in 0..expected.len() {
        pair(at, &meets, &mut owner, &mut vec![false; got.len()]);
    }
    let mut left: Vec<usize> = (0..got.len()).filter(|i| owner[*i].is_none()).collect();
    for (i, e) in expected.iter().enumerate().filter(|(i, _)| !owner.contains(&Some(*i))) {
        // The nearest of those left over is what most likely was meant; one that has nothing in common is not.
        let near =
            left.iter().copied().map(|g| (why_not(e, &got[g]), g)).filter(|(why, _)| !why.iter().any(|w| w.starts_with("user")));
        let message = match near.min_by_key(|(why, _)| why.len()) {
            Some((why, g)) => {
                left.retain(|l| *l != g);
                format!("this {what} was not planned as expected:\n  got {}\n  {}", got[g], why.join("\n  "))
            }
            None => format!("this {what} was expected and is not there"),
        };
        failures.push(Failure::at(mark(&expected[i]), &message));
    }
    for g in left {
        failures.push(Failure::at(at, &format!("a {what} that was not expected:\n  got {}", got[g])));
    }
}

/// Finds a partner for one expectation, moving others aside where they have another choice.
fn pair(expected: usize, meets: &[Vec<usize>], owner: &mut [Option<usize>], tried: &mut Vec<bool>) -> bool {
    for got in &meets[expected] {
        if std::mem::replace(&mut tried[*got], true) {
            continue;
        }
        if owner[*got].is_none_or(|other| pair(other, meets, owner, tried)) {
            owner[*got] = Some(expected);
            return true;
        }
    }
    false
}

fn differs<T: PartialEq + Display>(name: &str, expected: Option<&T>, got: Option<&T>, out: &mut Vec<String>) {
    if let Some(expected) = expected.filter(|e| got != Some(e)) {
        let got = got.map_or_else(|| "none".to_owned(), ToString::to_string);
        out.push(format!("{name}: expected {expected}, got {got}"));
    }
}

fn why_not(expected: &ExpectedChange, got: &ShownChange) -> Vec<String> {
    let mut out = Vec::new();
    differs("user", expected.user.as_ref(), Some(&got.user), &mut out);
    differs("do", Some(&expected.verb), Some(&got.verb), &mut out);
    differs("kind", expected.kind.as_ref(), Some(&got.kind), &mut out);
    differs("rule", expected.rule.as_ref(), got.rule.as_ref(), &mut out);
    differs("record", expected.record.as_ref(), got.record.as_ref(), &mut out);
    for (field, value) in &expected.set {
        let planned = got.set.get(field.as_str());
        if !is_set(field.as_str(), value, planned, got) {
            let planned = planned.map_or_else(|| "not set".to_owned(), ToString::to_string);
            out.push(format!("{field}: expected {value}, got {planned}"));
        }
    }
    for field in expected.keep.iter().filter(|f| got.set.contains_key(f.as_str())) {
        out.push(format!("{field}: expected to be kept, got {}", got.set[field.as_str()]));
    }
    out
}

/// Whether a new value is as expected. A site may be named by its name, in whatever form it is written (ruling 39); a new record is
/// active, with access, and otherwise empty where nothing else is said.
fn is_set(field: &str, expected: &Value, planned: Option<&Value>, got: &ShownChange) -> bool {
    match planned {
        Some(planned) if planned == expected || is_number_of(expected, planned) => true,
        Some(planned) if field == "site" => expected.as_str().is_some_and(|name| {
            let names = [planned.as_str(), got.site_name.as_deref()];
            names.into_iter().flatten().any(|site| text::nfc(site) == text::nfc(name))
        }),
        Some(_) => false,
        None if got.verb == Verb::Create => match field {
            "status" => expected == "active",
            "access" => *expected == Value::Bool(true),
            _ => text::is_empty(expected),
        },
        None => false,
    }
}

/// Whether a plain number stands for the text that was planned, as in `cost_centre: 4711`: which fields hold texts is not seen in YAML.
fn is_number_of(expected: &Value, planned: &Value) -> bool {
    matches!((expected, planned), (Value::Number(number), Value::String(text)) if number.to_string() == *text)
}

fn why_not_review(expected: &ExpectedReview, got: &ShownReview) -> Vec<String> {
    let mut out = Vec::new();
    let sorted = |users: &[SourceId]| {
        let mut users: Vec<&str> = users.iter().map(SourceId::as_str).collect();
        users.sort_unstable();
        users.join(", ")
    };
    differs("users", Some(&sorted(&expected.users)), Some(&sorted(&got.users)), &mut out);
    if let Some(why) = expected.why.filter(|why| *why != got.why) {
        out.push(format!("why: expected {}, got {}", why.as_str(), got.why.as_str()));
    }
    differs("rule", expected.rule.as_ref(), got.rule.as_ref(), &mut out);
    if let Some(candidates) = &expected.candidates {
        let sorted = |ids: &[String]| {
            let mut ids = ids.to_vec();
            ids.sort();
            ids.dedup();
            ids.join(", ")
        };
        differs("candidates", Some(&sorted(candidates)), Some(&sorted(&got.candidates)), &mut out);
    }
    out
}

fn why_not_report(expected: &ExpectedReport, got: &ShownReport) -> Vec<String> {
    let mut out = Vec::new();
    differs("user", expected.user.as_ref(), Some(&got.user), &mut out);
    differs("field", expected.field.as_ref(), got.field.as_ref(), &mut out);
    if let Some(why) = expected.why.filter(|why| *why != got.why) {
        out.push(format!("why: expected {}, got {}", why.as_str(), got.why.as_str()));
    }
    out
}

fn compare_scope(
    expected: &BTreeMap<String, Vec<SourceId>>,
    got: &BTreeMap<String, Vec<SourceId>>,
    at: &Mark,
    failures: &mut Vec<Failure>,
) {
    let shown = |users: Option<&Vec<SourceId>>| {
        let mut users: Vec<&str> = users.into_iter().flatten().map(SourceId::as_str).collect();
        users.sort_unstable();
        if users.is_empty() { "nobody".to_owned() } else { users.join(", ") }
    };
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
    for name in names {
        let (wanted, is) = (shown(expected.get(name)), shown(got.get(name)));
        if wanted != is {
            failures.push(Failure::at(at, &format!("out of scope by {name:?}: expected {wanted}, got {is}")));
        }
    }
}

impl Display for ShownChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = String::new();
        for (field, value) in &self.set {
            let comma = if set.is_empty() { "" } else { ", " };
            write!(set, "{comma}{field}: {value}")?;
        }
        write!(f, "{{ do: {}, kind: {}, user: {}", self.verb, self.kind, self.user)?;
        if let Some(record) = &self.record {
            write!(f, ", record: {record}")?;
        }
        write!(f, ", set: {{ {set} }} }}")
    }
}

impl Display for ShownReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(SourceId::as_str).collect();
        write!(f, "{{ users: [{}], why: {}, candidates: [{}] }}", users.join(", "), self.why.as_str(), self.candidates.join(", "))
    }
}

impl Display for ShownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ user: {}", self.user)?;
        if let Some(field) = &self.field {
            write!(f, ", field: {field}")?;
        }
        write!(f, ", why: {} }} {}", self.why.as_str(), self.detail)
    }
}
