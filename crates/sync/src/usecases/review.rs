//! Review: what waits for a person, and what they decide.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::Result;
use model::reason::ReviewWhy;
use model::{Kind, PersonId, RuleId, SourceId, TenantKey};
use serde::Serialize;
use std::collections::HashMap;
use store::{Review, ReviewFilter};

/// A review item as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewView {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: TenantKey,
    /// The tenant's name.
    pub tenant_name: String,
    /// `open`, `dismissed` or `resolved`.
    pub state: String,
    /// The user.
    pub source_id: SourceId,
    /// The user's name as the directory last told it.
    pub user_name: Option<String>,
    /// Why a person is needed.
    pub why: ReviewWhy,
    /// The same as a sentence.
    pub sentence: String,
    /// The rule that selects the user.
    pub rule: Option<RuleId>,
    /// The kind of record the rule wants.
    pub kind: Kind,
    /// Records it could be.
    pub candidates: Vec<CandidateView>,
    /// Which value met which record.
    pub evidence: Vec<String>,
    /// When it was opened, milliseconds since 1970.
    pub opened_at: i64,
}

/// A record a review item shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateView {
    /// The record.
    pub id: PersonId,
    /// Its name.
    pub name: String,
    /// Its main address.
    pub email: Option<String>,
    /// Its username.
    pub username: Option<String>,
    /// Agent or contact.
    pub kind: Kind,
    /// Its status.
    pub status: String,
}

impl Engine {
    /// Review items in the order they were opened.
    ///
    /// # Errors
    /// The store's.
    pub async fn review_items(&self, tenant: Option<TenantKey>, dismissed: bool, limit: u32) -> Result<Vec<ReviewView>> {
        let state = (!dismissed).then(|| "open".to_owned());
        let filter = ReviewFilter { tenant, state, why: None, after: 0, limit: i64::from(limit) };
        let items = self.store().reviews(&filter).await?;
        self.review_views(items).await
    }

    /// One review item.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn review_item(&self, id: i64) -> Result<ReviewView> {
        let item = self.store().review(id).await?;
        let missing = || store::StoreError::NotFound { what: "review item", id: id.to_string() }.into();
        self.review_views(vec![item]).await?.pop().ok_or_else(missing)
    }

    /// Items with their candidates, looked up together.
    ///
    /// # Errors
    /// The store's.
    pub async fn review_views(&self, items: Vec<Review>) -> Result<Vec<ReviewView>> {
        let tenants: HashMap<TenantKey, String> = self.store().tenants().await?.into_iter().map(|t| (t.key, t.name)).collect();
        let wanted: Vec<PersonId> = items.iter().flat_map(|i| i.item.candidates.iter().copied()).collect();
        let people: HashMap<PersonId, _> = self.store().people_by_id(&wanted).await?.into_iter().map(|p| (p.id, p)).collect();
        let views = items.into_iter().map(|review| {
            let item = review.item;
            let candidates = item.candidates.iter().filter_map(|id| people.get(id)).map(|person| CandidateView {
                id: person.id,
                name: person.display_name(),
                email: person.email.clone(),
                username: person.username.clone(),
                kind: person.kind,
                status: person.status.as_str().to_owned(),
            });
            ReviewView {
                id: review.id,
                tenant: review.tenant,
                tenant_name: tenants.get(&review.tenant).cloned().unwrap_or_default(),
                state: review.state,
                source_id: item.source_id,
                user_name: Some(review.user_name).filter(|n| !n.is_empty()),
                sentence: item.why.sentence().to_owned(),
                why: item.why,
                rule: item.rule,
                kind: item.kind,
                candidates: candidates.collect(),
                evidence: item.evidence.iter().map(ToString::to_string).collect(),
                opened_at: review.opened_at,
            }
        });
        Ok(views.collect())
    }

    /// Keeps the user out until somebody re-opens the item.
    ///
    /// # Errors
    /// The store's not-found, or a conflict when the item is not open.
    pub async fn review_dismiss(&self, id: i64, actor: &Actor) -> Result<()> {
        self.store().dismiss_review(id, &actor.to_string(), self.now()).await?;
        self.audit(actor, "review.dismiss", &id.to_string(), serde_json::Value::Null).await
    }

    /// Asks again at the next run.
    ///
    /// # Errors
    /// The store's not-found, or a conflict when the item is not dismissed.
    pub async fn review_reopen(&self, id: i64, actor: &Actor) -> Result<()> {
        self.store().reopen_review(id, &actor.to_string(), self.now()).await?;
        self.audit(actor, "review.reopen", &id.to_string(), serde_json::Value::Null).await
    }
}
