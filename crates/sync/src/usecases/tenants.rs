//! Tenants: which client each belongs to, and when it is synced.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::passes::nothing_to_match_by;
use model::records::Client;
use model::run::RunState;
use model::{ClientId, RunId, TenantKey};
use serde::Serialize;
use store::{RunFilter, Tenant, TenantGlance};

/// How many of a tenant's users stand where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingView {
    /// synced, excluded, in_review, gone or failed.
    pub outcome: String,
    /// What excluded them.
    pub by: Option<String>,
    /// The winning rule.
    pub rule: Option<String>,
    /// How many.
    pub count: i64,
}

/// A tenant as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantView {
    /// Its number.
    pub key: TenantKey,
    /// The connection's name.
    pub name: String,
    /// Its default domain.
    pub domain: Option<String>,
    /// The directory's own id.
    pub tenant_id: Option<String>,
    /// The client it belongs to.
    pub client: Option<ClientId>,
    /// That client's name.
    pub client_name: Option<String>,
    /// Whether it is synced by schedule.
    pub scheduled: bool,
    /// The latest run's number.
    pub last_run_id: Option<RunId>,
    /// The latest run's state, in a word.
    pub last_run: Option<String>,
    /// When the latest run was asked for, milliseconds since 1970.
    pub last_run_at: Option<i64>,
    /// Whether a plan was ever applied.
    pub applied_before: bool,
    /// The latest run whose plan waits for approval.
    pub held_run: Option<RunId>,
}

impl TenantView {
    fn of(glance: TenantGlance) -> Self {
        let TenantGlance { tenant, client, last_run, held } = glance;
        let given = |text: String| Some(text).filter(|t| !t.is_empty());
        Self {
            key: tenant.key,
            name: tenant.name,
            domain: given(tenant.domain),
            tenant_id: given(tenant.directory_id),
            client: tenant.client,
            client_name: client,
            scheduled: tenant.enabled,
            last_run_id: last_run.map(|(id, ..)| id),
            last_run: last_run.map(|(_, state, _)| state.to_string()),
            last_run_at: last_run.map(|(.., at)| at),
            applied_before: tenant.first_applied_run.is_some(),
            held_run: held,
        }
    }
}

impl Engine {
    /// All tenants by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn tenants(&self) -> Result<Vec<TenantView>> {
        Ok(self.store().tenant_glances().await?.into_iter().map(TenantView::of).collect())
    }

    /// A tenant by id, domain, or the connection's name.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn tenant_named(&self, named: &str) -> Result<TenantView> {
        let tenant = self.find_tenant(named).await?;
        self.tenant_shown(tenant).await
    }

    /// A tenant by its number.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn tenant(&self, key: TenantKey) -> Result<TenantView> {
        let tenant = self.store().tenant(key).await?;
        self.tenant_shown(tenant).await
    }

    async fn tenant_shown(&self, tenant: Tenant) -> Result<TenantView> {
        let client = match tenant.client {
            Some(id) => Some(self.store().client(id).await?.name),
            None => None,
        };
        let filter = RunFilter { tenant: Some(tenant.key), states: Vec::new(), before: None, limit: 1 };
        let last_run = self.store().runs(&filter).await?.into_iter().next().map(|r| (r.id, r.state, r.created_at));
        let held = self.waiting_run(tenant.key).await?;
        Ok(TenantView::of(TenantGlance { tenant, client, last_run, held }))
    }

    /// What a person should know before a tenant's first sync, as sentences; nothing once a plan was applied, or where the policy does
    /// not load (its own pages say why).
    ///
    /// # Errors
    /// The store's.
    pub async fn first_sync_warnings(&self, key: TenantKey) -> Result<Vec<String>> {
        let tenant = self.store().tenant(key).await?;
        if tenant.first_applied_run.is_some() {
            return Ok(Vec::new());
        }
        let Ok((loaded, _)) = self.effective_policy(key).await else { return Ok(Vec::new()) };
        let warning = nothing_to_match_by(self.store(), &tenant, &loaded.policy).await?;
        Ok(warning.iter().map(ToString::to_string).collect())
    }

    /// Says which client a tenant's people belong to. The next plan is a first plan again, which a person approves (ruling 94).
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such client and `create` is off; [`Error::Invalid`] for a name that cannot be one.
    pub async fn map_tenant(&self, key: TenantKey, client: &str, create: bool, actor: &Actor) -> Result<Client> {
        let tenant = self.store().tenant(key).await?;
        let name = model::text::nfc(client);
        if name.is_empty() || name.chars().count() > 200 || model::text::has_control(&name) {
            return Err(Error::Invalid("A client's name has 1 to 200 characters and no control characters.".into()));
        }
        let client = match self.store().find_client(&name).await? {
            Some(client) => client,
            None if create => self.store().create_client(&name).await?,
            None => {
                return Err(Error::Unknown {
                    what: "client",
                    name,
                    next: "Create it in the same go with --create, or import existing ones: rollcall records import --help",
                });
            }
        };
        self.store().map_tenant(key, Some(client.id)).await?;
        self.audit(actor, "tenant.map", &tenant.name, serde_json::json!({ "client": client.name })).await?;
        Ok(client)
    }

    /// Takes a tenant's client away. Nobody is changed; until it is mapped again its users wait in review.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn unmap_tenant(&self, key: TenantKey, actor: &Actor) -> Result<()> {
        let tenant = self.store().tenant(key).await?;
        self.store().map_tenant(key, None).await?;
        self.audit(actor, "tenant.unmap", &tenant.name, serde_json::Value::Null).await
    }

    /// Switches a tenant's schedule on or off. On only after its first plan was applied (S02, ruling 94).
    ///
    /// # Errors
    /// A conflict before the first plan was applied.
    pub async fn schedule_tenant(&self, key: TenantKey, on: bool, actor: &Actor) -> Result<()> {
        let tenant = self.store().tenant(key).await?;
        let minutes = i64::try_from(self.settings().interval.as_secs().div_ceil(60)).unwrap_or(i64::MAX);
        let next = on.then(|| self.now());
        self.store().schedule_tenant(key, on, on.then_some(minutes), next).await?;
        let what = if on { "tenant.schedule_on" } else { "tenant.schedule_off" };
        self.audit(actor, what, &tenant.name, serde_json::Value::Null).await
    }

    /// Where a tenant's users stand, in numbers: everyone is in exactly one of them.
    ///
    /// # Errors
    /// The store's.
    pub async fn tenant_overview(&self, key: TenantKey) -> Result<Vec<StandingView>> {
        let counts = self.store().standing_counts(key).await?;
        let view = |c: store::StandingCount| StandingView { outcome: c.outcome, by: c.excluded_by, rule: c.rule, count: c.users };
        Ok(counts.into_iter().map(view).collect())
    }

    /// Whether a tenant's latest plan waits for a person, and which run it is.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting_run(&self, key: TenantKey) -> Result<Option<RunId>> {
        let filter = RunFilter { tenant: Some(key), states: vec![RunState::Held], before: None, limit: 1 };
        Ok(self.store().runs(&filter).await?.into_iter().next().map(|r| r.id))
    }
}
