//! Explain: why a user is what they are, from the stored state. The planner decides the one user again on what the store holds, and
//! its reasons are shown as they are; nothing is read from Entra and nothing is written.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::plan::tenant_facts;
use crate::report::ChangeView;
use model::directory::Presence;
use model::plan::{Decision, Outcome};
use model::reason::{Reason, Stage};
use model::run::RunKind;
use model::{PersonId, SourceId, TenantKey};
use planner::{Claims, Planner};
use serde::Serialize;

/// Earlier changes that are shown.
const HISTORY: i64 = 20;

/// Why a user is what they are.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The tenant.
    pub tenant: TenantKey,
    /// The user's object id.
    pub source_id: SourceId,
    /// The user's name.
    pub name: String,
    /// Whether they are in the directory: present, deleted, missing or unseen.
    pub presence: String,
    /// How the user is accounted for.
    pub outcome: Outcome,
    /// What excluded them, if they are.
    pub excluded_by: Option<String>,
    /// The winning rule.
    pub rule: Option<String>,
    /// The policy's digest that decided.
    pub policy_digest: String,
    /// The reasons, stage by stage, in the order of the way.
    pub stages: Vec<StageView>,
    /// Records the user is linked to.
    pub records: Vec<PersonId>,
    /// What the next run would do, from what is known now.
    pub next: Vec<String>,
    /// What sync did before, the latest first.
    pub history: Vec<ChangeView>,
}

/// One stage of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageView {
    /// The stage's name.
    pub stage: String,
    /// Its reasons, one sentence each.
    pub sentences: Vec<String>,
}

impl Engine {
    /// Explains a user, named by object id, user principal name or e-mail address.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the mirror holds no such user.
    pub async fn explain(&self, tenant: TenantKey, user: &str) -> Result<Explanation> {
        let store = self.store();
        let stored = store.tenant(tenant).await?;
        let row = store.find_user(tenant, user.trim()).await?.ok_or_else(|| Error::Unknown {
            what: "user",
            name: user.to_owned(),
            next: "Name one by object id or user principal name, as Entra shows it; if they are new, sync first.",
        })?;
        let (loaded, _) = self.effective_policy(tenant).await?;
        let facts = tenant_facts(self, &stored, &loaded, RunKind::Delta).await?;
        let planner = Planner::new(&loaded.policy, &loaded.digest, facts);
        let users = store.user_facts(tenant, &[row.key]).await?;
        let answers = store.answer(tenant, &planner.questions(&users)).await?;
        let mut claims = Claims::default();
        claims.everyone_decided();
        let mut decisions = planner.decide(&users, &answers, &mut claims);
        if !claims.settle().is_empty() {
            decisions = planner.decide(&users, &answers, &mut claims);
        }
        let decision = decisions.pop().ok_or_else(|| Error::Invalid(format!("The user {user} could not be decided.")))?;
        let mut history = Vec::new();
        for linked in users.iter().flat_map(|u| &u.links) {
            let rows = store.history(linked.person.id, None, HISTORY).await?;
            history.extend(rows.into_iter().map(ChangeView::of));
        }
        let name = row.attributes.text("displayName").or_else(|| row.attributes.text("userPrincipalName"));
        Ok(Explanation {
            tenant,
            name: name.unwrap_or(row.source_id.as_str()).to_owned(),
            source_id: row.source_id.clone(),
            presence: row.presence.as_str().to_owned(),
            outcome: decision.standing.outcome,
            excluded_by: decision.standing.excluded_by.clone(),
            rule: decision.standing.rule.as_ref().map(|r| r.0.clone()),
            policy_digest: loaded.digest,
            stages: stages(row.presence, &decision),
            records: users.iter().flat_map(|u| u.links.iter().map(|l| l.person.id)).collect(),
            next: next(&decision),
            history,
        })
    }
}

fn stages(presence: Presence, decision: &Decision) -> Vec<StageView> {
    let mut reasons: Vec<&Reason> = decision.reasons.iter().collect();
    for reason in decision.changes.iter().flat_map(|c| &c.reasons).chain(decision.review.iter().flat_map(|r| &r.evidence)) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let entra = match presence {
        Presence::Present => "In the directory.",
        Presence::Deleted => "Deleted in Entra.",
        Presence::Missing => "No longer in Entra: the last complete read did not hold the user.",
        Presence::Unseen => "Named by a group or as a manager, but never told by Entra itself.",
    };
    let mut views = vec![StageView { stage: "Entra".into(), sentences: vec![entra.into()] }];
    for stage in [Stage::Scope, Stage::Rule, Stage::Match, Stage::Fields, Stage::Lifecycle, Stage::Review] {
        let mut sentences: Vec<String> = reasons.iter().filter(|r| r.stage() == stage).map(ToString::to_string).collect();
        if stage == Stage::Review
            && let Some(item) = &decision.review
            && sentences.is_empty()
        {
            sentences.push(item.why.sentence().to_owned());
        }
        if stage == Stage::Fields {
            sentences.extend(decision.reports.iter().map(|r| r.detail.clone()));
        }
        if !sentences.is_empty() {
            views.push(StageView { stage: stage.label().to_owned(), sentences });
        }
    }
    let next = next(decision);
    views.push(StageView {
        stage: "Next".into(),
        sentences: if next.is_empty() { vec!["Sync would change nothing now.".into()] } else { next },
    });
    views
}

fn next(decision: &Decision) -> Vec<String> {
    let say = |change: &model::plan::Change| {
        let fields: Vec<String> = change
            .set
            .iter()
            .map(|(field, after)| {
                let before = change.before.get(field).filter(|v| !v.is_null());
                before.map_or_else(|| format!("{field} = {after}"), |before| format!("{field}: {before} → {after}"))
            })
            .collect();
        let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
        format!("{} this {}{fields}.", change.verb.label(), change.kind)
    };
    decision.changes.iter().map(say).collect()
}
