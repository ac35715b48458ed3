//! The audit log: who did what to what, and when.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::Result;
use model::Value;

impl Engine {
    /// Notes what somebody did. `detail` never holds a secret.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit(&self, actor: &Actor, action: &str, subject: &str, detail: Value) -> Result<()> {
        Ok(self.store().append_audit(&actor.to_string(), action, subject, &detail, self.now()).await?)
    }
}
