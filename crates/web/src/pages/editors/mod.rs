//! Editors of a policy's parts: rules, field mappings, roles and boards, the guard. Each works on a draft, the text of the scope's own document, which
//! travels in the form: nothing is stored before the policy's own page has shown what it would do and somebody has saved it there.

pub(crate) mod guard;
pub(crate) mod mappings;
pub(crate) mod roles;
pub(crate) mod rule_form;
pub(crate) mod rules;
mod wording;

use crate::api::policies::TEXT;
use crate::auth::Caller;
use crate::pages::form::Form;
use crate::pages::page;
use crate::pages::templates::{DraftView, Named};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Page, Section};
use model::{TenantKey, Value};
use sync::{Draft, PolicyEdit, PolicyScope};

/// Where an editor works.
pub(crate) struct Desk {
    /// Whose policy.
    pub scope: PolicyScope,
    /// The tenant, if it is one's.
    pub tenant: Option<Named>,
    /// The policy's own page.
    pub policy: String,
    /// The draft's text.
    pub text: String,
    /// What was found wrong, place and sentence.
    pub faults: Vec<(Option<String>, String)>,
    /// Comments that the last step cost.
    pub lost: Vec<String>,
}

impl Desk {
    /// The desk of a scope (no tenant = the default of all), with the stored text on it.
    pub async fn of(state: &AppState, tenant: Option<i64>) -> Result<Self, ApiError> {
        let (scope, tenant, policy) = match tenant {
            Some(id) => {
                let tenant = state.store().tenant(TenantKey(id)).await?;
                (PolicyScope::Tenant(tenant.key), Some((id, tenant.name)), format!("/tenants/{id}/policy"))
            }
            None => (PolicyScope::Default, None, "/policy".to_owned()),
        };
        let text = state.engine().policy_text(scope).await?;
        Ok(Self { scope, tenant, policy, text, faults: Vec::new(), lost: Vec::new() })
    }

    /// The same with the draft that a form carries.
    pub async fn with(state: &AppState, tenant: Option<i64>, form: &Form) -> Result<Self, ApiError> {
        let mut desk = Self::of(state, tenant).await?;
        let text = form.raw("text").replace("\r\n", "\n");
        match TEXT.check(&text) {
            Ok(()) => desk.text = text,
            Err(detail) => desk.faults.push((None, detail)),
        }
        desk.lost = form.raw("lost").lines().map(str::to_owned).collect();
        Ok(desk)
    }

    /// What the draft comes to, setting by setting.
    pub async fn settings(&mut self, state: &AppState) -> Result<Value, ApiError> {
        match state.engine().policy_settings(self.scope, Some(&self.text)).await {
            Ok(settings) => Ok(settings),
            Err(sync::Error::Policy(faults)) => {
                self.complain(faults);
                // The stored text, which was sound when it was kept, so that there is something to go on from.
                self.text = state.engine().policy_text(self.scope).await?;
                Ok(state.engine().policy_settings(self.scope, None).await?)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Takes a change into the draft; what is wrong with it is told on the page. Whether it was taken.
    pub async fn take(&mut self, state: &AppState, change: &PolicyEdit) -> Result<bool, ApiError> {
        match state.engine().draft_policy(self.scope, Some(&self.text), change).await {
            Ok(draft) => {
                self.text = draft.text;
                self.lost.extend(draft.lost);
                Ok(true)
            }
            Err(sync::Error::Policy(faults)) => {
                self.complain(faults);
                Ok(false)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What the draft differs in, for the card that every editor ends with.
    pub async fn view(&self, state: &AppState) -> Result<DraftView, ApiError> {
        let nothing = PolicyEdit::default();
        let changes = match state.engine().draft_policy(self.scope, Some(&self.text), &nothing).await {
            Ok(Draft { changes, .. }) => wording::differences(&changes),
            Err(_) => Vec::new(),
        };
        Ok(DraftView { action: self.policy.clone(), text: self.text.clone(), changes, lost: self.lost.clone() })
    }

    /// The frame of an editor's page.
    pub async fn page(&self, state: &AppState, caller: &Caller, title: &str) -> Result<Page, ApiError> {
        let (section, title) = match &self.tenant {
            Some((_, name)) => (Section::Tenants, format!("{title} of {name}")),
            None => (Section::Policy, title.to_owned()),
        };
        page(state, caller, section, title).await
    }

    fn complain(&mut self, faults: Vec<sync::PolicyFault>) {
        // Each names its rule or setting; a place in a text that is not on the page would only puzzle.
        self.faults.extend(faults.into_iter().map(|f| (None, f.message)));
    }
}
