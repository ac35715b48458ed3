//! Connections (how a source is reached) and tenants (one directory each), and the client a tenant is mapped to.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::{Store, values};
use model::directory::Sku;
use model::{ClientId, RunId, TenantKey, Value};

/// How a source is reached. Its secrets are kept apart, under the connection's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Its key.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The source's kind, such as `graph`.
    pub kind: String,
    /// What the source needs to know; never a secret.
    pub settings: Value,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// One directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// Its key.
    pub key: TenantKey,
    /// The connection it is read through.
    pub connection: i64,
    /// The directory's own id.
    pub directory_id: String,
    /// The default domain.
    pub domain: String,
    /// The name people read.
    pub name: String,
    /// The client it is mapped to.
    pub client: Option<ClientId>,
    /// Whether it is synced by schedule.
    pub enabled: bool,
    /// Minutes between runs; none = by hand only.
    pub schedule_minutes: Option<i64>,
    /// When the next run is due, milliseconds since 1970.
    pub next_run_at: Option<i64>,
    /// The first run whose plan was applied; none = the next plan waits for a person (ruling 94).
    pub first_applied_run: Option<RunId>,
}

/// A tenant to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// The connection it is read through.
    pub connection: i64,
    /// The directory's own id.
    pub directory_id: String,
    /// The default domain.
    pub domain: String,
    /// The name people read.
    pub name: String,
}

/// Columns to select from `tenants t`, for [`tenant`].
pub(crate) const COLUMNS: &str = "t.id, t.connection_id, t.directory_id, t.domain, t.name, t.client_id, t.enabled, t.schedule_minutes, t.next_run_at, t.first_applied_run";
/// How many those are.
pub(crate) const WIDTH: usize = 10;
const TENANT: &str = "SELECT id, connection_id, directory_id, domain, name, client_id, enabled, schedule_minutes, next_run_at,
    first_applied_run FROM tenants";
const CONNECTION: &str = "SELECT id, name, kind, settings, created_at FROM connections";

pub(crate) fn tenant(row: &Row) -> Result<Tenant> {
    Ok(Tenant {
        key: row.get(0)?,
        connection: row.get(1)?,
        directory_id: row.get(2)?,
        domain: row.get(3)?,
        name: row.get(4)?,
        client: row.get(5)?,
        enabled: row.get(6)?,
        schedule_minutes: row.get(7)?,
        next_run_at: row.get(8)?,
        first_applied_run: row.get(9)?,
    })
}

fn connection(row: &Row) -> Result<Connection> {
    Ok(Connection { id: row.get(0)?, name: row.get(1)?, kind: row.get(2)?, settings: row.json(3)?, created_at: row.get(4)? })
}

impl Store {
    /// Adds a connection.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    pub async fn add_connection(&self, name: &str, kind: &str, settings: &Value, now: i64) -> Result<Connection> {
        let sql = "INSERT INTO connections (name, kind, settings, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO NOTHING RETURNING id";
        let mut tx = self.db.begin().await?;
        let row = tx.query_opt(sql, values![name, kind, settings.to_string(), now]).await?;
        tx.commit().await?;
        let Some(row) = row else {
            return Err(StoreError::Conflict(format!("There is a connection named {name} already. Choose another name.")));
        };
        Ok(Connection {
            id: row.get(0)?,
            name: name.to_owned(),
            kind: kind.to_owned(),
            settings: settings.clone(),
            created_at: now,
        })
    }

    /// Changes a connection's settings.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_connection(&self, id: i64, settings: &Value) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let changed = tx.execute("UPDATE connections SET settings = $2 WHERE id = $1", values![id, settings.to_string()]).await?;
        tx.commit().await?;
        if changed == 0 { Err(StoreError::missing("connection", id)) } else { Ok(()) }
    }

    /// All connections by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn connections(&self) -> Result<Vec<Connection>> {
        self.db.query(&format!("{CONNECTION} ORDER BY name"), ()).await?.iter().map(connection).collect()
    }

    /// A connection by its key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn connection(&self, id: i64) -> Result<Connection> {
        let row = self.db.query_opt(&format!("{CONNECTION} WHERE id = $1"), values![id]).await?;
        row.as_ref().map(connection).unwrap_or_else(|| Err(StoreError::missing("connection", id)))
    }

    /// A connection by its name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn find_connection(&self, name: &str) -> Result<Option<Connection>> {
        let row = self.db.query_opt(&format!("{CONNECTION} WHERE name = $1"), values![name]).await?;
        row.as_ref().map(connection).transpose()
    }

    /// Removes a connection with its tenants, their mirror, links and secrets. Records stay, unlinked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_connection(&self, id: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(row) = tx.query_opt("DELETE FROM connections WHERE id = $1 RETURNING name", values![id]).await? else {
            return Err(StoreError::missing("connection", id));
        };
        let name: String = row.get(0)?;
        let tenants = tx.query("SELECT id FROM tenants WHERE connection_id = $1", values![id]).await?;
        for row in tenants {
            let key: TenantKey = row.get(0)?;
            for sql in FORGET_TENANT {
                tx.execute(sql, values![key]).await?;
            }
        }
        let scope = connection_scope(&name);
        tx.execute("DELETE FROM secrets WHERE scope = $1", values![scope.as_str()]).await?;
        tx.execute("DELETE FROM data_keys WHERE scope = $1", values![scope]).await?;
        tx.commit().await
    }

    /// Adds a tenant, or gives the one that holds this directory its current domain and name.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another connection reads the directory already.
    pub async fn add_tenant(&self, new: &NewTenant, now: i64) -> Result<Tenant> {
        let sql = "INSERT INTO tenants (connection_id, directory_id, domain, name, enabled, created_at)
             VALUES ($1, $2, $3, $4, 0, $5)
             ON CONFLICT (directory_id) DO UPDATE SET domain = excluded.domain, name = excluded.name
                WHERE tenants.connection_id = excluded.connection_id
             RETURNING id";
        let mut tx = self.db.begin().await?;
        let params = values![new.connection, &new.directory_id, &new.domain, &new.name, now];
        let row = tx.query_opt(sql, params).await?;
        tx.commit().await?;
        match row {
            Some(row) => self.tenant(row.get(0)?).await,
            None => Err(StoreError::Conflict(format!(
                "The directory {} is read through another connection already. Remove that one first.",
                new.directory_id
            ))),
        }
    }

    /// A tenant by its key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn tenant(&self, key: TenantKey) -> Result<Tenant> {
        let row = self.db.query_opt(&format!("{TENANT} WHERE id = $1"), values![key]).await?;
        row.as_ref().map(tenant).unwrap_or_else(|| Err(StoreError::missing("tenant", key)))
    }

    /// A tenant as people name it: directory id, domain, or the connection's name where it has one tenant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when several answer to the name.
    pub async fn find_tenant(&self, named: &str) -> Result<Tenant> {
        let sql = format!(
            "{TENANT} WHERE directory_id = $1 OR lower(domain) = $1
             OR connection_id IN (SELECT id FROM connections WHERE name = $2) ORDER BY id LIMIT 2"
        );
        let rows = self.db.query(&sql, values![named.to_lowercase(), named]).await?;
        match rows.as_slice() {
            [row] => tenant(row),
            [] => Err(StoreError::missing("tenant", named)),
            _ => Err(StoreError::Conflict(format!("Several tenants answer to {named}. Name one by its domain or directory id."))),
        }
    }

    /// All tenants by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        self.db.query(&format!("{TENANT} ORDER BY name, id"), ()).await?.iter().map(tenant).collect()
    }

    /// Enabled tenants whose next run is due, the longest-waiting first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenants_to_run(&self, now: i64, limit: i64) -> Result<Vec<Tenant>> {
        let sql = format!("{TENANT} WHERE enabled = 1 AND next_run_at <= $1 ORDER BY next_run_at, id LIMIT $2");
        self.db.query(&sql, values![now, limit]).await?.iter().map(tenant).collect()
    }

    /// Maps a tenant to a client, or to none. Another client than before makes the next plan a first plan again (ruling 94), and
    /// touches every user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn map_tenant(&self, key: TenantKey, client: Option<ClientId>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(row) = tx.query_opt("SELECT client_id FROM tenants WHERE id = $1", values![key]).await? else {
            return Err(StoreError::missing("tenant", key));
        };
        if row.get::<Option<ClientId>>(0)? != client {
            let sql = "UPDATE tenants SET client_id = $2, first_applied_run = NULL WHERE id = $1";
            tx.execute(sql, values![key, client]).await?;
            crate::mirror::touch::everyone(&mut tx, key).await?;
        }
        tx.commit().await
    }

    /// Switches a tenant's schedule.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] before the first plan was applied (ruling 94).
    pub async fn schedule_tenant(
        &self,
        key: TenantKey,
        enabled: bool,
        minutes: Option<i64>,
        next_run_at: Option<i64>,
    ) -> Result<()> {
        if enabled && self.tenant(key).await?.first_applied_run.is_none() {
            return Err(StoreError::Conflict("A schedule can be switched on once the tenant's first plan was applied.".into()));
        }
        let sql = "UPDATE tenants SET enabled = $2, schedule_minutes = $3, next_run_at = $4 WHERE id = $1";
        let mut tx = self.db.begin().await?;
        let changed = tx.execute(sql, values![key, enabled, minutes, next_run_at]).await?;
        tx.commit().await?;
        if changed == 0 { Err(StoreError::missing("tenant", key)) } else { Ok(()) }
    }

    /// Sets when a tenant's next run is due.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_next_run(&self, key: TenantKey, at: Option<i64>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.execute("UPDATE tenants SET next_run_at = $2 WHERE id = $1", values![key, at]).await?;
        tx.commit().await
    }

    /// Keeps the tenant's licences as read at an instant; none = the source cannot tell them. Tells whether they differ from before.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn set_skus(&self, lease: &Lease, skus: Option<&[Sku]>, now: i64) -> Result<bool> {
        let text = skus.map(serde_json::to_string).transpose().map_err(|e| StoreError::Invalid(e.to_string()))?;
        let mut tx = self.begin_fenced(lease).await?;
        let row = tx.query_opt("SELECT skus, skus_read_at FROM tenants WHERE id = $1", values![lease.tenant]).await?;
        let row = row.ok_or_else(|| StoreError::missing("tenant", lease.tenant))?;
        let differs = row.get::<Option<String>>(0)? != text || row.get::<Option<i64>>(1)?.is_none();
        let sql = "UPDATE tenants SET skus = $2, skus_read_at = $3 WHERE id = $1";
        tx.execute(sql, values![lease.tenant, text, now]).await?;
        tx.commit().await?;
        Ok(differs)
    }

    /// When the tenant's licences were last read, milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn skus_read_at(&self, key: TenantKey) -> Result<Option<i64>> {
        let row = self.db.query_opt("SELECT skus_read_at FROM tenants WHERE id = $1", values![key]).await?;
        row.ok_or_else(|| StoreError::missing("tenant", key))?.get(0)
    }

    /// The tenant's licences as last told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn skus(&self, key: TenantKey) -> Result<Option<Vec<Sku>>> {
        let row = self.db.query_opt("SELECT skus FROM tenants WHERE id = $1", values![key]).await?;
        row.ok_or_else(|| StoreError::missing("tenant", key))?.json_opt(0)
    }
}

/// The scope under which a connection's secrets are kept.
#[must_use]
pub fn connection_scope(name: &str) -> String {
    format!("connection:{name}")
}

/// Everything of a tenant, dependents first. The journal and the records stay.
const FORGET_TENANT: &[&str] = &[
    "DELETE FROM memberships WHERE group_id IN (SELECT id FROM mirror_groups WHERE tenant_id = $1)",
    "DELETE FROM links WHERE tenant_id = $1",
    "DELETE FROM standing WHERE tenant_id = $1",
    "DELETE FROM waits WHERE tenant_id = $1",
    "DELETE FROM review_decisions WHERE item_id IN (SELECT id FROM review_items WHERE tenant_id = $1)",
    "DELETE FROM review_items WHERE tenant_id = $1",
    "DELETE FROM rejected WHERE tenant_id = $1",
    "DELETE FROM rule_groups WHERE tenant_id = $1",
    "DELETE FROM reverted WHERE tenant_id = $1",
    "DELETE FROM app_assigned WHERE tenant_id = $1",
    "DELETE FROM sign_ins WHERE tenant_id = $1",
    "DELETE FROM passes WHERE tenant_id = $1",
    "DELETE FROM removals WHERE tenant_id = $1",
    "DELETE FROM due WHERE tenant_id = $1",
    "DELETE FROM seen WHERE tenant_id = $1",
    "DELETE FROM edge_changes WHERE tenant_id = $1",
    "DELETE FROM mirror_groups WHERE tenant_id = $1",
    "DELETE FROM mirror_users WHERE tenant_id = $1",
    "DELETE FROM feeds WHERE tenant_id = $1",
    "DELETE FROM leases WHERE tenant_id = $1",
    "DELETE FROM tenants WHERE id = $1",
];
