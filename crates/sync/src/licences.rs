//! The tenant's licences: read only when the policy asks for them, and then when somebody is due or once a day. Every request counts
//! in a cycle where nothing changed; but nobody may lose their record because a product was bought after the last look.

use crate::engine::Job;
use crate::error::Result;
use model::policy::Policy;
use model::run::RunKind;
use sources::SourceError;

/// How old what is known of licences may be, milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000;

impl Job {
    /// Reads the licences if the policy looks at them and they are not known well enough.
    pub(crate) async fn refresh_licences(&mut self, policy: &Policy) -> Result<()> {
        if !policy.scope.licensed_only {
            return Ok(());
        }
        let now = self.engine.now();
        let known = self.store.skus_read_at(self.tenant.key).await?;
        let fresh = known.is_some_and(|at| now - at < DAY);
        if self.kind != RunKind::Full && fresh && self.store.due_count(self.tenant.key).await? == 0 {
            return Ok(());
        }
        let skus = match self.source.subscribed_skus().await {
            Ok(skus) => Some(skus),
            // Without the permission the source cannot tell; users are kept and their reasons say so (rulings 96 and 106).
            Err(SourceError::ConsentMissing { permission, .. }) => {
                tracing::warn!(tenant = %self.tenant.name, permission, "licences cannot be read, so nobody is left out for having none");
                None
            }
            Err(error) => return Err(error.into()),
        };
        if self.store.set_skus(&self.lease, skus.as_deref(), now).await? && self.planned_before {
            // Who has a licence is decided from these: everyone is looked at again.
            self.store.touch_all(self.tenant.key).await?;
        }
        Ok(())
    }
}
