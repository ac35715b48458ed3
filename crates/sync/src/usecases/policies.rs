//! Policies: the chain of documents of a tenant, checked before it is kept, every version kept.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, Result};
use model::TenantKey;
use policy::{Fault, Layer, Loaded};
use serde::Serialize;

/// What a tenant without any document of its own or default is decided by: what we recommend to somebody who comes from none of
/// the products.
const FIRST_DEFAULT: &str = "preset: msp\n";

/// Whose document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyScope {
    /// Every tenant's, unless its own says otherwise.
    Default,
    /// One tenant's own.
    Tenant(TenantKey),
}

impl PolicyScope {
    /// The scope's name in the store.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            PolicyScope::Default => "default".into(),
            PolicyScope::Tenant(tenant) => format!("tenant:{tenant}"),
        }
    }

    /// The name its faults are reported under.
    fn file(self) -> &'static str {
        match self {
            PolicyScope::Default => "default policy",
            PolicyScope::Tenant(_) => "policy",
        }
    }
}

/// A saved version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedPolicy {
    /// The version's number in its scope.
    pub version: i64,
    /// The digest of what it comes to.
    pub digest: String,
    /// Users whom the change can affect: the next run looks at them again.
    pub affected: usize,
    /// What is allowed and yet likely to be a mistake.
    pub warnings: Vec<String>,
}

impl Engine {
    /// What decides for a tenant now, with the number of its own document's version.
    ///
    /// # Errors
    /// [`Error::Policy`] when what is stored does not load (after a downgrade, say).
    pub async fn effective_policy(&self, tenant: TenantKey) -> Result<(Loaded, Option<i64>)> {
        let own = self.store().policy(&PolicyScope::Tenant(tenant).key()).await?;
        let layers = self.layers(Some(own.as_ref().map_or("", |p| p.text.as_str()))).await?;
        let loaded = policy::load(&layers).map_err(Error::Policy)?;
        Ok((loaded, own.map(|p| p.version)))
    }

    /// What a scope's documents come to now.
    ///
    /// # Errors
    /// [`Error::Policy`].
    pub async fn loaded_policy(&self, scope: PolicyScope) -> Result<Loaded> {
        match scope {
            PolicyScope::Tenant(tenant) => Ok(self.effective_policy(tenant).await?.0),
            PolicyScope::Default => policy::load(&self.layers(None).await?).map_err(Error::Policy),
        }
    }

    /// The text of a scope's own document; empty when it has none.
    ///
    /// # Errors
    /// The store's.
    pub async fn policy_text(&self, scope: PolicyScope) -> Result<String> {
        Ok(self.store().policy(&scope.key()).await?.map(|p| p.text).unwrap_or_default())
    }

    /// Judges a document as it would be laid over what it inherits; nothing is kept.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault.
    pub async fn check_policy(&self, scope: PolicyScope, text: &str) -> Result<Loaded> {
        let layers = match scope {
            PolicyScope::Default => vec![parse(scope, text)?],
            PolicyScope::Tenant(_) => self.layers(Some(text)).await?,
        };
        policy::load(&layers).map_err(Error::Policy)
    }

    /// Keeps a document as a new version, and makes everyone it can affect due, and nobody else.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault; nothing is kept then.
    pub async fn save_policy(&self, scope: PolicyScope, text: &str, actor: &Actor) -> Result<SavedPolicy> {
        let loaded = self.check_policy(scope, text).await?;
        let seen = self.store().policy(&scope.key()).await?.map(|p| p.version);
        let touched = self.affected_by(scope, text).await?;
        let (author, store) = (actor.to_string(), self.store());
        let version = store.save_policy_touching(&scope.key(), text, &author, &loaded.digest, seen, &touched, self.now()).await?;
        let affected = touched.iter().map(|(_, users)| users.len()).sum();
        self.audit(actor, "policy.save", &scope.key(), serde_json::json!({ "version": version, "affected": affected })).await?;
        let warnings = loaded.warnings.iter().map(Fault::to_string).collect();
        Ok(SavedPolicy { version, digest: loaded.digest, affected, warnings })
    }

    /// Keeps an older version's text as the newest version.
    ///
    /// # Errors
    /// The store's not-found; as for [`Engine::save_policy`], since what it inherits may have changed meanwhile.
    pub async fn restore_policy(&self, scope: PolicyScope, version: i64, actor: &Actor) -> Result<SavedPolicy> {
        let older = self.store().policy_version(&scope.key(), version).await?;
        let saved = self.save_policy(scope, &older.text, actor).await?;
        self.audit(actor, "policy.restore", &scope.key(), serde_json::json!({ "version": saved.version, "from": version }))
            .await?;
        Ok(saved)
    }

    /// The versions of a scope's document, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn policy_versions(&self, scope: PolicyScope) -> Result<Vec<store::PolicyVersion>> {
        Ok(self.store().policy_versions(&scope.key()).await?)
    }

    /// What would decide for a tenant under another default.
    pub(crate) async fn policy_over(&self, default: &str, tenant: TenantKey) -> Result<Loaded> {
        let own = self.store().policy(&PolicyScope::Tenant(tenant).key()).await?;
        let own = own.as_ref().map_or("", |p| p.text.as_str());
        let layers = [parse(PolicyScope::Default, default)?, parse(PolicyScope::Tenant(tenant), own)?];
        policy::load(&layers).map_err(Error::Policy)
    }

    async fn layers(&self, own: Option<&str>) -> Result<Vec<Layer>> {
        let default = self.store().policy(&PolicyScope::Default.key()).await?;
        let default = default.as_ref().map_or(FIRST_DEFAULT, |p| p.text.as_str());
        let mut layers = vec![parse(PolicyScope::Default, default)?];
        if let Some(own) = own {
            layers.push(Layer::parse("policy", own).map_err(Error::Policy)?);
        }
        Ok(layers)
    }
}

fn parse(scope: PolicyScope, text: &str) -> Result<Layer> {
    Layer::parse(scope.file(), text).map_err(Error::Policy)
}
