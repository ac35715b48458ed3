//! What is read of a directory beside its feeds, and only where the policy asks for it: who is assigned to our application (C13), and
//! dates of sign-ins (F08, ruling 107).

use crate::engine::Job;
use crate::error::Result;
use model::plan::Hold;
use model::policy::{MatchKey, Policy};
use model::run::RunKind;
use sources::{Assigned, SourceError, Watch};
use std::collections::HashSet;
use store::{APP_ASSIGNED, SIGN_INS, Store, Tenant};

/// How old what is known of sign-ins may be, milliseconds: they change every day, and all pages of the directory must be read for
/// them.
const DAY: i64 = 24 * 60 * 60 * 1_000;

impl Job {
    /// Reads who is assigned to our application. Without that nobody could be told to be in scope, so a refusal fails the run rather
    /// than emptying the scope.
    pub(crate) async fn refresh_assignments(&mut self, policy: &Policy) -> Result<()> {
        if !policy.scope.app_assigned {
            if self.store.pass_read_at(self.tenant.key, APP_ASSIGNED).await?.is_some() {
                self.store.forget_pass(&self.lease, APP_ASSIGNED).await?;
            }
            return Ok(());
        }
        let mut assigned: HashSet<i64> = HashSet::new();
        let (mut from, mut watch): (Option<String>, _) = (None, Watch::default());
        let mut begun_again = false;
        loop {
            let (page, next) = match self.source.app_assigned(from.as_deref()).await {
                // The token of a page has expired: the list is begun again, once.
                Err(SourceError::Resync { .. }) if !begun_again => {
                    (begun_again, from, watch) = (true, None, Watch::default());
                    assigned.clear();
                    continue;
                }
                page => page?,
            };
            let (mut users, mut groups) = (Vec::new(), Vec::new());
            let told = !page.is_empty();
            for one in page {
                match one {
                    Assigned::User(id) => users.push(id),
                    Assigned::Group(id) => groups.push(id),
                }
            }
            assigned.extend(self.store.keys_of(self.tenant.key, &users, &groups).await?);
            let Some(link) = next else { break };
            watch.page(&link, told)?;
            from = Some(link);
        }
        self.store.set_app_assigned(&self.lease, &assigned).await?;
        Ok(self.store.set_pass_read(&self.lease, APP_ASSIGNED, self.engine.now()).await?)
    }

    /// Reads the dates of sign-ins, with a full run or once a day. A tenant that may not be asked for them goes without, and one that is
    /// asked to slow down for long tries again with its next run: nobody's log-in hangs on them.
    pub(crate) async fn refresh_sign_ins(&mut self, policy: &Policy) -> Result<()> {
        if !policy.maps_sign_in() {
            return Ok(());
        }
        let now = self.engine.now();
        let known = self.store.pass_read_at(self.tenant.key, SIGN_INS).await?;
        if self.kind != RunKind::Full && known.is_some_and(|at| now - at < DAY) {
            return Ok(());
        }
        let (mut from, mut watch): (Option<String>, _) = (None, Watch::default());
        let mut begun_again = false;
        loop {
            let (page, next) = match self.source.sign_ins(from.as_deref()).await {
                Ok(page) => page,
                Err(
                    error @ (SourceError::ConsentMissing { .. }
                    | SourceError::PermissionDenied { .. }
                    | SourceError::NeedsPremium { .. }),
                ) => {
                    tracing::warn!(tenant = %self.tenant.name, %error, "dates of sign-ins cannot be read and stay as they are");
                    break;
                }
                // The token of a page has expired: the list is begun again, once.
                Err(SourceError::Resync { .. }) if !begun_again => {
                    (begun_again, from, watch) = (true, None, Watch::default());
                    continue;
                }
                Err(error @ (SourceError::Throttled { .. } | SourceError::Resync { .. })) => {
                    tracing::warn!(tenant = %self.tenant.name, %error, "dates of sign-ins are read with the next run");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            self.store.tell_sign_ins(&self.lease, &page).await?;
            let Some(link) = next else { break };
            watch.page(&link, !page.is_empty())?;
            from = Some(link);
        }
        Ok(self.store.set_pass_read(&self.lease, SIGN_INS, now).await?)
    }
}

/// Before a tenant's first sync: whether there are records that only the object id could be matched to, which no record holds yet
/// (M03).
pub(crate) async fn nothing_to_match_by(store: &Store, tenant: &Tenant, policy: &Policy) -> Result<Option<Hold>> {
    if policy.matching.keys.iter().any(|key| *key != MatchKey::ObjectId) {
        return Ok(None);
    }
    let records = store.unlinked_records(tenant.client).await?;
    Ok((records > 0).then_some(Hold::NothingToMatchBy { records }))
}
