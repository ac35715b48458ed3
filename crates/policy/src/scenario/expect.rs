//! What a step expects.

use super::{Expect, ExpectedChange, ExpectedReport, ExpectedReview};
use crate::document::{Data, Node};
use crate::fault::Faults;
use crate::read::{field_name, field_values};
use crate::reader::{Keys, boolean, composed, id, ids, list, map, record_id, required, text, texts, word};
use model::plan::{ReportWhy, Verb};
use model::reason::ReviewWhy;
use model::{Field, Kind, RuleId, SourceId};
use std::collections::BTreeMap;

pub(crate) const EXPECT: Keys = Keys { of: "expect", known: &["changes", "review", "held", "reports", "out_of_scope"] };
pub(crate) const CHANGE: Keys = Keys { of: "a change", known: &["do", "kind", "user", "rule", "record", "set", "keep"] };
pub(crate) const REVIEW: Keys = Keys { of: "a review item", known: &["user", "users", "why", "rule", "candidates"] };
pub(crate) const REPORT: Keys = Keys { of: "a report", known: &["user", "field", "why"] };

const KINDS: &[(&str, Kind)] = &[("agent", Kind::Agent), ("contact", Kind::Contact)];

pub(crate) const REVIEW_WHYS: [ReviewWhy; 10] = [
    ReviewWhy::AmbiguousMatch,
    ReviewWhy::MatchedInOtherClient,
    ReviewWhy::AlreadyLinked,
    ReviewWhy::InactiveMatch,
    ReviewWhy::DuplicateInSource,
    ReviewWhy::UsernameTaken,
    ReviewWhy::KindChange,
    ReviewWhy::ClientUnresolved,
    ReviewWhy::Returned,
    ReviewWhy::NoMatch,
];

pub(crate) const REPORT_WHYS: [ReportWhy; 12] = [
    ReportWhy::TooLong,
    ReportWhy::Malformed,
    ReportWhy::MandatoryEmpty,
    ReportWhy::NoSite,
    ReportWhy::KeptName,
    ReportWhy::Exempt,
    ReportWhy::Pinned,
    ReportWhy::Drift,
    ReportWhy::UnresolvedManager,
    ReportWhy::Waiting,
    ReportWhy::NotWritable,
    ReportWhy::Error,
];

pub(super) fn read(node: &Node, faults: &mut Faults) -> Option<Expect> {
    let node = EXPECT.check(node, faults)?;
    if node.entries().is_empty() {
        faults.add(&node.at, "expect: {} expects nothing; name changes, review or held, or take expect out");
    }
    Some(Expect {
        at: node.at.clone(),
        changes: all(node, "changes", change, faults),
        review: all(node, "review", review, faults),
        held: node.get("held").and_then(|n| boolean(n, "held", faults)).unwrap_or(false),
        reports: all(node, "reports", report, faults),
        out_of_scope: node.get("out_of_scope").and_then(|n| out_of_scope(n, faults)),
    })
}

/// The items of a list that may be left out.
fn all<T>(node: &Node, key: &str, one: fn(&Node, &mut Faults) -> Option<T>, faults: &mut Faults) -> Option<Vec<T>> {
    let items = list(node.get(key)?, key, faults)?;
    Some(items.iter().filter_map(|item| one(item, faults)).collect())
}

fn change(node: &Node, faults: &mut Faults) -> Option<ExpectedChange> {
    let node = CHANGE.check(node, faults)?;
    let verbs = Verb::ALL.map(|verb| (verb.as_str(), verb));
    let verb = required(node, "do", "a change", faults).and_then(|n| word(n, "do", &verbs, faults));
    let set = node.get("set").and_then(|n| map(n, "set", faults)).map(|entries| field_values(entries, faults));
    Some(ExpectedChange {
        at: node.at.clone(),
        kind: node.get("kind").and_then(|n| word(n, "kind", KINDS, faults)),
        user: user(node, faults),
        rule: rule(node, faults),
        record: given(node, "record").and_then(|n| record_id(n, "record", faults)),
        set: set.unwrap_or_default(),
        keep: node.get("keep").and_then(|n| fields(n, faults)).unwrap_or_default(),
        verb: verb?,
    })
}

fn review(node: &Node, faults: &mut Faults) -> Option<ExpectedReview> {
    let node = REVIEW.check(node, faults)?;
    let whys = REVIEW_WHYS.map(|why| (why.as_str(), why));
    let why = node.get("why").and_then(|n| word(n, "why", &whys, faults));
    let mut users = node.get("users").and_then(|n| ids(n, "users", faults)).unwrap_or_default();
    users.extend(user(node, faults));
    users.sort();
    users.dedup();
    if users.is_empty() {
        faults.add(&node.at, "a review item needs \"user\", or \"users\" when it stands for a rule");
    }
    let candidates = node.get("candidates").and_then(|n| texts(n, "candidates", faults));
    let candidates = candidates.map(|c| c.iter().map(|id| composed(id)).collect());
    Some(ExpectedReview { at: node.at.clone(), users, why, rule: rule(node, faults), candidates })
}

fn report(node: &Node, faults: &mut Faults) -> Option<ExpectedReport> {
    let node = REPORT.check(node, faults)?;
    let whys = REPORT_WHYS.map(|why| (why.as_str(), why));
    Some(ExpectedReport {
        at: node.at.clone(),
        user: user(node, faults),
        field: given(node, "field").and_then(|n| field_name(&text(n, "field", faults)?, &n.at, faults)),
        why: node.get("why").and_then(|n| word(n, "why", &whys, faults)),
    })
}

/// A key that is not there, or null, is not compared.
fn given<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.get(key).filter(|n| !n.is_null())
}

fn user(node: &Node, faults: &mut Faults) -> Option<SourceId> {
    node.get("user").and_then(|n| id(n, "user", faults))
}

fn rule(node: &Node, faults: &mut Faults) -> Option<RuleId> {
    given(node, "rule").and_then(|n| id(n, "rule", faults)).map(|id| RuleId::new(id.as_str()))
}

fn fields(node: &Node, faults: &mut Faults) -> Option<Vec<Field>> {
    let names = texts(node, "keep", faults)?;
    let Data::List(items) = &node.data else { return None };
    Some(names.iter().zip(items).filter_map(|(name, item)| field_name(name, &item.at, faults)).collect())
}

fn out_of_scope(node: &Node, faults: &mut Faults) -> Option<BTreeMap<String, Vec<SourceId>>> {
    let mut named = BTreeMap::new();
    for entry in map(node, "out_of_scope", faults)? {
        let mut users = ids(&entry.value, &format!("out_of_scope of {:?}", entry.key), faults).unwrap_or_default();
        users.sort();
        named.insert(entry.key.clone(), users);
    }
    Some(named)
}
