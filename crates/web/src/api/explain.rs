//! `…/explain`: why a user, or a record, is what it is. The sentences are the engine's own; nothing is worded here.

use crate::api::answers::{Contested, Known, Named, time};
use crate::api::input::Id;
use crate::auth::Viewer;
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use model::{PersonId, TenantKey, UserKey, Value};
use serde::Serialize;
use sync::{FieldView, OtherwiseView, PastChange};
use utoipa::ToSchema;

/// Why a user is what they are: every stage's reasons, decided anew from what is stored. Nothing is read from Entra or written.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The user's number.
    #[schema(minimum = 1)]
    pub user: i64,
    /// The tenant.
    #[schema(minimum = 1)]
    pub tenant: i64,
    /// The user's object id.
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// Whether they are in the directory.
    pub presence: String,
    /// How the user is accounted for.
    pub outcome: &'static str,
    /// What excluded them.
    pub excluded_by: Option<String>,
    /// The winning rule.
    pub rule: Option<String>,
    /// The digest of the policy that decided.
    pub policy_digest: String,
    /// The version of the tenant's own policy text; null where everything is inherited.
    pub policy_version: Option<i64>,
    /// The reasons, in the order of the way.
    pub stages: Vec<ExplainedStage>,
    /// Numbers of the records the user is linked to.
    pub records: Vec<i64>,
    /// Every field of those records, with where its value comes from.
    pub fields: Vec<ExplainedField>,
    /// What would be decided if one thing were otherwise.
    pub otherwise: Vec<ExplainedOtherwise>,
    /// What the next run would do.
    pub next: Vec<String>,
    /// What sync did before, newest first.
    pub history: Vec<ExplainedChange>,
}

/// One stage of an explanation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedStage {
    /// Its name.
    pub stage: String,
    /// Its reasons, one sentence each.
    pub sentences: Vec<String>,
}

/// A field of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedField {
    /// The record.
    #[schema(minimum = 1)]
    pub record: i64,
    /// The field.
    pub field: String,
    /// Its value.
    pub value: Value,
    /// Where it comes from: `attribute`, `default`, `policy`, `edited`, `pinned`, `own`, `adopted`.
    pub origin: String,
    /// The same in a sentence, with why it is left as it is where Entra says otherwise.
    pub sentence: String,
}

/// What would be decided if one thing were otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedOtherwise {
    /// In a sentence.
    pub sentence: String,
    /// How the user would be accounted for.
    pub outcome: &'static str,
    /// What would leave them out.
    pub excluded_by: Option<String>,
    /// The rule that would win.
    pub rule: Option<String>,
}

/// An earlier change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedChange {
    /// The run that made it.
    #[schema(minimum = 1)]
    pub run: i64,
    /// What it did.
    #[serde(rename = "do")]
    pub verb: &'static str,
    /// To which kind of record.
    pub kind: &'static str,
    /// The record.
    pub record: Option<i64>,
    /// Why, as sentences.
    pub why: Vec<String>,
    /// `applied`, `failed` or `held_back`.
    pub state: &'static str,
    /// When.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// The version of the tenant's own policy it decided by.
    pub policy_version: Option<i64>,
    /// Who asked for the run.
    pub requested_by: Option<String>,
    /// Who approved it, where somebody had to.
    pub decided_by: Option<String>,
}

/// Why a record is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordExplanation {
    /// The record.
    #[schema(minimum = 1)]
    pub record: i64,
    /// Its name.
    pub name: String,
    /// Its fields, each with where its value comes from.
    pub fields: Vec<ExplainedField>,
    /// What sync does with a record that no user is linked to; null for a linked one.
    pub unlinked: Option<String>,
    /// The user it is linked to.
    pub user: Option<Explanation>,
    /// What sync did to it before, newest first.
    pub history: Vec<ExplainedChange>,
}

impl From<FieldView> for ExplainedField {
    fn from(view: FieldView) -> Self {
        Self {
            record: view.record.0,
            field: view.field.to_string(),
            value: view.value,
            origin: view.origin.word().to_owned(),
            sentence: view.sentence,
        }
    }
}

impl From<OtherwiseView> for ExplainedOtherwise {
    fn from(view: OtherwiseView) -> Self {
        Self {
            sentence: view.sentence,
            outcome: view.detail.outcome.as_str(),
            excluded_by: view.detail.excluded_by,
            rule: view.detail.rule.map(|r| r.to_string()),
        }
    }
}

impl From<PastChange> for ExplainedChange {
    fn from(past: PastChange) -> Self {
        Self {
            run: past.change.run.0,
            verb: past.change.change.verb.as_str(),
            kind: past.change.change.kind.as_str(),
            record: past.change.person.map(|p| p.0),
            why: past.change.why,
            state: past.change.state,
            at: past.change.at.map(time),
            policy_version: past.policy_version,
            requested_by: past.requested_by,
            decided_by: past.decided_by,
        }
    }
}

impl From<sync::Explanation> for Explanation {
    fn from(e: sync::Explanation) -> Self {
        Self {
            user: e.user.0,
            tenant: e.tenant.0,
            user_id: e.source_id.as_str().to_owned(),
            name: e.name,
            presence: e.presence,
            outcome: e.outcome.as_str(),
            excluded_by: e.excluded_by,
            rule: e.rule,
            policy_digest: e.policy_digest,
            policy_version: e.policy_version,
            stages: e.stages.into_iter().map(|s| ExplainedStage { stage: s.stage, sentences: s.sentences }).collect(),
            records: e.records.iter().map(|r| r.0).collect(),
            fields: e.fields.into_iter().map(Into::into).collect(),
            otherwise: e.otherwise.into_iter().map(Into::into).collect(),
            next: e.next,
            history: e.history.into_iter().map(Into::into).collect(),
        }
    }
}

/// Why a user is what they are, from the stored state.
#[utoipa::path(
    get, path = "/api/v1/users/{id}/explain", tag = "users", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The user's number", minimum = 1)),
    responses((status = 200, body = Explanation), Known, Named, Contested)
)]
pub async fn user(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Explanation>, ApiError> {
    let user = state.store().user(UserKey(id)).await?;
    Ok(Json(state.engine().explain(user.tenant, user.source_id.as_str()).await?.into()))
}

/// Why a user of a tenant is what they are, the user named as people know them: object id, user principal name or e-mail address.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}/users/{user}/explain", tag = "users", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The tenant's number", minimum = 1),
        ("user" = String, Path, description = "Object id, user principal name or e-mail address"),
    ),
    responses((status = 200, body = Explanation), Known, Named, Contested)
)]
pub async fn named(
    _: Viewer,
    State(state): State<AppState>,
    Path((tenant, user)): Path<(String, String)>,
) -> Result<Json<Explanation>, ApiError> {
    let nothing = || ApiError::NotFound("there is no such tenant; list them under /api/v1/tenants".into());
    let tenant = tenant.parse().ok().filter(|n| *n > 0).ok_or_else(nothing)?;
    let tenant = state.store().tenant(TenantKey(tenant)).await?.key;
    Ok(Json(state.engine().explain(tenant, &user).await?.into()))
}

/// Why a record is what it is: its values with their origins, and the user it is linked to.
#[utoipa::path(
    get, path = "/api/v1/people/{id}/explain", tag = "people", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The person's number", minimum = 1)),
    responses((status = 200, body = RecordExplanation), Known, Named, Contested)
)]
pub async fn record(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<RecordExplanation>, ApiError> {
    let e = state.engine().explain_record(PersonId(id)).await?;
    Ok(Json(RecordExplanation {
        record: e.record.0,
        name: e.name,
        fields: e.fields.into_iter().map(Into::into).collect(),
        unlinked: e.unlinked,
        user: e.user.map(Into::into),
        history: e.history.into_iter().map(Into::into).collect(),
    }))
}
