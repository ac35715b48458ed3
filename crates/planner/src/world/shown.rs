//! A plan as shown to a person: ids as texts, reasons as sentences.

use super::World;
use super::plan::Planned;
use model::plan::{Change, Outcome, ReportWhy, Verb};
use model::reason::{Reason, ReviewWhy};
use model::{Field, Kind, RuleId, SourceId, Value};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A step's plan and what goes with it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The changes, by user and record.
    pub changes: Vec<ShownChange>,
    /// Every review item that is open.
    pub review: Vec<ShownReview>,
    /// Whether the plan waits for a person.
    pub held: bool,
    /// Why it does, in sentences.
    pub holds: Vec<String>,
    /// What could not be done.
    pub reports: Vec<ShownReport>,
    /// Users out of scope, by the name of what excluded them.
    pub out_of_scope: BTreeMap<String, Vec<SourceId>>,
}

/// A change.
#[derive(Debug, Clone, Serialize)]
pub struct ShownChange {
    /// What is done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// The record's kind.
    pub kind: Kind,
    /// The user.
    pub user: SourceId,
    /// The winning rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The record; none for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The values that are replaced.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Value>,
    /// The new values.
    pub set: BTreeMap<String, Value>,
    /// The new site's name, which may stand for its id (ruling 17).
    #[serde(skip)]
    pub site_name: Option<String>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// What the record stands for beyond itself, if this takes it out of use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<String>,
}

/// An open review item.
#[derive(Debug, Clone, Serialize)]
pub struct ShownReview {
    /// The user, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<SourceId>,
    /// Everyone it is about.
    pub users: Vec<SourceId>,
    /// Why a person is needed.
    pub why: ReviewWhy,
    /// The rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// Records it could be.
    pub candidates: Vec<String>,
    /// What met what, in sentences.
    pub evidence: Vec<String>,
}

/// A report.
#[derive(Debug, Clone, Serialize)]
pub struct ShownReport {
    /// The user.
    pub user: SourceId,
    /// The field, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// Why.
    pub why: ReportWhy,
    /// What, where and how much.
    pub detail: String,
}

/// The plan of each step as JSON.
#[must_use]
pub fn plan_json(result: &super::ScenarioResult) -> Value {
    let step = |s: &super::StepResult| {
        let refused: Vec<String> = s.refused.iter().map(ToString::to_string).collect();
        let mut shown = json!({ "step": s.number, "at": s.at, "plan": s.shown });
        if !refused.is_empty() {
            shown["refused"] = refused.into();
        }
        shown
    };
    json!({ "scenario": result.name, "steps": result.steps.iter().map(step).collect::<Vec<_>>() })
}

impl World {
    pub(super) fn show(&self, planned: &Planned) -> Shown {
        let mut changes: Vec<ShownChange> = planned.pending.changes.iter().map(|c| self.show_change(c)).collect();
        changes.sort_by(|a, b| (&a.user, a.kind, &a.record).cmp(&(&b.user, b.kind, &b.record)));
        let mut out_of_scope: BTreeMap<String, Vec<SourceId>> = BTreeMap::new();
        for decision in planned.decisions.iter().filter(|d| d.standing.outcome == Outcome::Excluded) {
            if let Some(by) = &decision.standing.excluded_by {
                out_of_scope.entry(by.clone()).or_default().push(decision.source_id.clone());
            }
        }
        out_of_scope.values_mut().for_each(|users| users.sort());
        let mut reports: Vec<ShownReport> = planned
            .reports()
            .map(|r| ShownReport { user: r.source_id.clone(), field: r.field.clone(), why: r.why, detail: r.detail.clone() })
            .collect();
        reports.sort_by(|a, b| (&a.user, &a.field, a.why).cmp(&(&b.user, &b.field, b.why)));
        Shown {
            changes,
            review: self.show_reviews(),
            held: !planned.holds.is_empty(),
            holds: planned.holds.iter().map(ToString::to_string).collect(),
            reports,
            out_of_scope,
        }
    }

    /// A reason's sentence, with records called as in the scenario.
    pub(super) fn told(&self, reason: &Reason) -> String {
        reason.told(&|record| self.psa.name_of(record))
    }

    fn show_change(&self, change: &Change) -> ShownChange {
        let outward = |fields: &model::Fields| {
            fields.iter().map(|(f, v)| (f.to_string(), self.psa.outward(f.as_str(), v))).collect::<BTreeMap<_, _>>()
        };
        let site = change.set.get(&Field::SITE).and_then(Value::as_i64).map(model::SiteId);
        ShownChange {
            verb: change.verb,
            kind: change.kind,
            user: change.source_id.clone(),
            rule: change.rule.clone(),
            record: change.record.map(|r| self.psa.name_of(r)),
            before: outward(&change.before),
            set: outward(&change.set),
            site_name: site.and_then(|s| self.psa.sites.get(&s)).map(|s| s.name.clone()),
            reasons: change.reasons.iter().map(|reason| self.told(reason)).collect(),
            stands_for: change.stands_for.clone(),
        }
    }

    /// Open items; those of one rule whose client cannot be resolved are one (ruling 21).
    fn show_reviews(&self) -> Vec<ShownReview> {
        let mut shown: Vec<ShownReview> = Vec::new();
        for item in self.reviews.values().filter(|item| !self.dismissed.contains(&item.user)) {
            let one_for_rule = item.why == ReviewWhy::ClientUnresolved;
            if let Some(same) = shown.iter_mut().find(|s| one_for_rule && s.why == item.why && s.rule == item.rule) {
                same.users.push(item.source_id.clone());
                same.users.sort();
                same.user = None;
                continue;
            }
            shown.push(ShownReview {
                user: Some(item.source_id.clone()),
                users: vec![item.source_id.clone()],
                why: item.why,
                rule: item.rule.clone(),
                candidates: item.candidates.iter().map(|c| self.psa.name_of(*c)).collect(),
                evidence: item.evidence.iter().map(|reason| self.told(reason)).collect(),
            });
        }
        shown.sort_by(|a, b| a.users.cmp(&b.users));
        shown
    }
}
