//! Secrets: names only; values go in and never come out.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::Result;
use serde::Serialize;
use store::MasterKey;

/// A stored secret, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretName {
    /// Its name.
    pub name: String,
    /// What it belongs to, such as `connection:acme`.
    pub of: String,
}

impl Engine {
    /// The names of stored secrets.
    ///
    /// # Errors
    /// The store's.
    pub async fn secret_names(&self) -> Result<Vec<SecretName>> {
        Ok(self.store().secret_names().await?.into_iter().map(|(of, name)| SecretName { name, of }).collect())
    }

    /// Wraps every stored secret's key with a new master key. `key` is the new one and knows the old one.
    ///
    /// # Errors
    /// The store's.
    pub async fn rotate_master_key(&self, key: MasterKey, actor: &Actor) -> Result<()> {
        let wrapped = self.store().rotate_master_key(&key).await?;
        self.replace_key(key);
        self.audit(actor, "secrets.rotate", "master key", serde_json::json!({ "keys": wrapped })).await
    }
}
