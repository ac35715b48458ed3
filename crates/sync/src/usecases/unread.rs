//! What a policy asks of a directory that was not read for it yet. A draft may name a directory extension, dates of sign-ins, or who is
//! assigned to the application before any run has asked Entra for them: then there is nothing to judge by, and whatever is shown of the
//! draft has to say so.

use crate::error::Result;
use model::TenantKey;
use model::directory::Feed;
use model::policy::{Policy, SIGN_IN};
use policy::Loaded;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{APP_ASSIGNED, SIGN_INS, Store};

/// What is not known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Directory extensions the policy names and no round has asked for (ruling 60).
    extensions: Vec<String>,
    /// Dates of sign-ins (ruling 107).
    sign_ins: bool,
    /// Who is assigned to the application (C13).
    pub assignments: bool,
}

impl Unread {
    /// What a policy asks of a tenant that is not known. Of a tenant that was never read nothing is known, which its pages say anyway.
    pub async fn of(store: &Store, tenant: TenantKey, policy: &Policy) -> Result<Self> {
        let mut extensions: Vec<String> = policy.attributes().into_iter().filter(|name| name.starts_with("extension_")).collect();
        let asks = policy.scope.app_assigned || policy.maps_sign_in() || !extensions.is_empty();
        if !asks || store.feed_state(tenant, Feed::Users).await?.round == 0 {
            return Ok(Self::default());
        }
        if !extensions.is_empty() {
            let selected = store.selected(tenant, Feed::Users).await?;
            extensions.retain(|name| !selected.split(',').any(|known| known == name));
        }
        Ok(Self {
            extensions,
            sign_ins: policy.maps_sign_in() && store.pass_read_at(tenant, SIGN_INS).await?.is_none(),
            assignments: policy.scope.app_assigned && store.pass_read_at(tenant, APP_ASSIGNED).await?.is_none(),
        })
    }

    /// What is to be said, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut said: Vec<String> = self.extensions.iter().map(|name| format!("{name} is {NOT_READ}")).collect();
        if self.sign_ins {
            said.push("Dates of sign-ins are not read yet; the next run reads them. Until then they count as empty.".into());
        }
        if self.assignments {
            said.push(
                "Who is assigned to the application is not known yet; the next run reads it. Until then nobody is counted as left \
                 out for it."
                    .into(),
            );
        }
        said
    }

    /// The same as far as it concerns somebody who asks for these attributes.
    pub fn about(&self, attributes: &BTreeSet<String>) -> Vec<String> {
        let extensions = self.extensions.iter().filter(|name| attributes.contains(*name)).cloned().collect();
        Self { extensions, sign_ins: self.sign_ins && attributes.contains(SIGN_IN), assignments: self.assignments }.sentences()
    }

    /// Why a value made of these attributes is empty, if one of them was never read.
    pub fn why_empty<'n>(&self, attributes: impl IntoIterator<Item = &'n String>) -> Option<String> {
        let unread = |name: &&String| self.extensions.contains(name) || (self.sign_ins && *name == SIGN_IN);
        attributes.into_iter().find(unread).map(|_| format!("{}{}", NOT_READ[..1].to_uppercase(), &NOT_READ[1..]))
    }

    /// The policy by what is known: without the condition nobody can be judged by. Without it everybody would count as not assigned.
    pub fn judged(&self, loaded: &Loaded) -> Arc<Policy> {
        if !self.assignments {
            return loaded.policy.clone();
        }
        let mut policy = (*loaded.policy).clone();
        policy.scope.app_assigned = false;
        Arc::new(policy)
    }
}

/// What is said of an attribute without which a round has been read: such a round is read anew, whole, by the next run.
const NOT_READ: &str = "not read yet; the next full read brings it, and the next run is one. Until then it counts as empty.";
