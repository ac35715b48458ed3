//! Connections: an app registration in a Microsoft tenant, with its secret.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, ErrorView, Result};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sources::{Asks, PermissionCheck, PermissionState};
use store::{Connection, NewTenant, StoreError};

/// The name under which a connection's client secret is kept (C18).
const CLIENT_SECRET: &str = "microsoft_client_secret";

/// Longest name of a connection, in code points.
const NAME_LIMIT: usize = 100;

/// What a person gives to connect a tenant.
#[derive(Debug)]
pub struct NewConnection {
    /// A name of their choice.
    pub name: String,
    /// The directory's id or one of its domains (C06).
    pub tenant: String,
    /// The application (client) id.
    pub client_id: String,
    /// The client secret.
    pub secret: SecretString,
    /// Graph, for a national cloud.
    pub graph_url: Option<String>,
    /// The identity platform, for a national cloud.
    pub login_url: Option<String>,
}

/// What is stored of a connection beside its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConnectionSettings {
    pub tenant: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_url: Option<String>,
    /// When the secret was last set, milliseconds since 1970: a source made before that is made anew.
    pub secret_set_at: i64,
}

impl ConnectionSettings {
    pub(crate) fn of(connection: &Connection) -> Result<Self> {
        serde_json::from_value(connection.settings.clone())
            .map_err(|e| StoreError::Corrupt(format!("connections.settings of {}: {e}", connection.id)).into())
    }

    fn to_value(&self) -> serde_json::Value {
        serde_json::json!({
            "tenant": self.tenant, "client_id": self.client_id, "graph_url": self.graph_url, "login_url": self.login_url,
            "secret_set_at": self.secret_set_at,
        })
    }
}

/// A connection as it is shown: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionView {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The tenant as given.
    pub tenant: String,
    /// The application (client) id.
    pub client_id: String,
    /// Graph.
    pub graph_url: String,
    /// The identity platform.
    pub login_url: String,
    /// `connected`, or what is wrong in a word.
    pub status: String,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
}

/// What a connection test found (C08).
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionTest {
    /// Whether everything mandatory is granted.
    pub ok: bool,
    /// The organization's name, when it could be read.
    pub organization: Option<String>,
    /// Each permission: granted, missing or not needed (C07).
    pub permissions: Vec<PermissionView>,
    /// Why the test could not be finished.
    pub error: Option<ErrorView>,
}

/// One permission of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionView {
    /// Its name, such as `User.Read.All`.
    pub permission: String,
    /// What it is for.
    pub purpose: String,
    /// Whether nothing works without it.
    pub mandatory: bool,
    /// `granted`, `missing` or `not needed`.
    pub state: String,
    /// How that was found out, or what to do.
    pub detail: String,
}

impl PermissionView {
    /// Whether it has to be granted before a sync can work.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.mandatory && self.state == PermissionState::Missing.as_str()
    }

    fn of(check: PermissionCheck) -> Self {
        Self {
            permission: check.permission,
            purpose: check.purpose.to_owned(),
            mandatory: check.mandatory,
            state: check.state.as_str().to_owned(),
            detail: check.detail,
        }
    }
}

/// The permissions an app registration should have, before there is one to test (C07).
#[must_use]
pub fn needed_permissions() -> Vec<PermissionView> {
    let view = |(permission, purpose, mandatory): (&str, &str, bool)| PermissionView {
        permission: permission.to_owned(),
        purpose: purpose.to_owned(),
        mandatory,
        state: String::new(),
        detail: String::new(),
    };
    sources::graph::needed_permissions().map(view).collect()
}

impl Engine {
    /// Connects a tenant: signs in with what was given, learns whose directory it is, and only then stores anything.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or id that cannot be one, [`Error::Source`] when signing in fails, a conflict when the name or
    /// the directory is taken.
    pub async fn add_connection(&self, new: NewConnection, actor: &Actor) -> Result<ConnectionView> {
        let name = connection_name(&new.name)?;
        if self.store().find_connection(&name).await?.is_some() {
            return Err(StoreError::Conflict(format!("There is a connection named {name} already. Choose another name.")).into());
        }
        let now = self.now();
        let settings = ConnectionSettings {
            tenant: new.tenant.trim().to_lowercase(),
            client_id: new.client_id.trim().to_lowercase(),
            graph_url: new.graph_url.filter(|u| !u.trim().is_empty()),
            login_url: new.login_url.filter(|u| !u.trim().is_empty()),
            secret_set_at: now,
        };
        let source = self.new_source(self.graph_connection(&settings, new.secret.clone()))?;
        let organization = source.organization().await?;
        let domain = organization
            .domains
            .iter()
            .find(|d| d.is_default)
            .map(|d| d.name.clone())
            .unwrap_or_else(|| if model::ids::is_guid(&settings.tenant) { String::new() } else { settings.tenant.clone() });
        let directory_id = organization.id.as_str().to_owned();
        if let Ok(taken) = self.store().find_tenant(&directory_id).await {
            return Err(StoreError::Conflict(format!(
                "The directory {directory_id} is connected already, as {}. Remove that connection first, or use it.",
                taken.name
            ))
            .into());
        }
        let connection = self.store().add_connection(&name, "graph", &settings.to_value(), now).await?;
        let kept = self.store().set_secret(&self.key(), &store::connection_scope(&name), CLIENT_SECRET, &new.secret, now).await;
        let tenant = NewTenant { connection: connection.id, directory_id, domain, name: name.clone() };
        let added = match kept {
            Ok(()) => self.store().add_tenant(&tenant, now).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            // Half a connection would only confuse; what is stored of it goes again.
            self.store().remove_connection(connection.id).await?;
            return Err(error.into());
        }
        self.audit(actor, "connection.add", &name, serde_json::json!({ "tenant": settings.tenant })).await?;
        self.connection_view(&connection)
    }

    /// All connections by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn connections(&self) -> Result<Vec<ConnectionView>> {
        self.store().connections().await?.iter().map(|c| self.connection_view(c)).collect()
    }

    /// A connection by its name, or by its tenant's id or domain.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn connection_named(&self, name: &str) -> Result<ConnectionView> {
        let connection = match self.store().find_connection(name).await? {
            Some(connection) => connection,
            None => {
                let unknown = || Error::Unknown {
                    what: "connection",
                    name: name.to_owned(),
                    next: "See what there is: rollcall connections list",
                };
                let tenant = self.find_tenant(name).await.map_err(|_| unknown())?;
                self.store().connection(tenant.connection).await?
            }
        };
        self.connection_view(&connection)
    }

    /// A connection by its number.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn connection(&self, id: i64) -> Result<ConnectionView> {
        self.connection_view(&self.store().connection(id).await?)
    }

    /// Tries a connection: signs in anew, and looks at each permission that the policies in force ask for.
    ///
    /// # Errors
    /// Only the store's: what the test finds is its result.
    pub async fn test_connection(&self, id: i64) -> Result<ConnectionTest> {
        let connection = self.store().connection(id).await?;
        // A test must not be answered from a token that was granted before consent changed.
        self.forget_source(id);
        let source = self.source(&connection).await?;
        let permissions: Vec<PermissionView> = match source.check(self.asks_of(id).await?).await {
            Ok(checks) => checks.into_iter().map(PermissionView::of).collect(),
            Err(error) => {
                let error = Some(Error::from(error).view());
                return Ok(ConnectionTest { ok: false, organization: None, permissions: Vec::new(), error });
            }
        };
        let organization = source.organization().await.ok().map(|o| o.display_name).filter(|n| !n.is_empty());
        let ok = !permissions.iter().any(PermissionView::is_missing);
        Ok(ConnectionTest { ok, organization, permissions, error: None })
    }

    /// What the policies of a connection's tenants ask of it. One that does not load asks nothing: its own pages say what is wrong.
    async fn asks_of(&self, connection: i64) -> Result<Asks> {
        let mut asks = Asks::default();
        for tenant in self.store().tenants().await?.into_iter().filter(|t| t.connection == connection) {
            if let Ok((loaded, _)) = self.effective_policy(tenant.key).await {
                asks.app_assigned |= loaded.policy.scope.app_assigned;
                asks.sign_ins |= loaded.policy.maps_sign_in();
            }
        }
        Ok(asks)
    }

    /// Forgets a connection, its secret and its mirror. Records and history stay.
    ///
    /// # Errors
    /// The store's not-found.
    pub async fn remove_connection(&self, id: i64, actor: &Actor) -> Result<()> {
        let connection = self.store().connection(id).await?;
        self.store().remove_connection(id).await?;
        self.forget_source(id);
        self.audit(actor, "connection.remove", &connection.name, serde_json::Value::Null).await
    }

    /// Sets a connection's client secret.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_secret(&self, id: i64, secret: &SecretString, actor: &Actor) -> Result<()> {
        let connection = self.store().connection(id).await?;
        let now = self.now();
        self.store().set_secret(&self.key(), &store::connection_scope(&connection.name), CLIENT_SECRET, secret, now).await?;
        let settings = ConnectionSettings { secret_set_at: now, ..ConnectionSettings::of(&connection)? };
        self.store().update_connection(id, &settings.to_value()).await?;
        self.forget_source(id);
        self.audit(actor, "secret.set", &connection.name, serde_json::Value::Null).await
    }

    pub(crate) async fn secret_of(&self, connection: &Connection) -> Result<SecretString> {
        let scope = store::connection_scope(&connection.name);
        self.store().secret(&self.key(), &scope, CLIENT_SECRET).await?.ok_or_else(|| {
            Error::Invalid(format!(
                "The connection {0} has no client secret. Set it: rollcall secrets set {0} --secret-env VAR",
                connection.name
            ))
        })
    }

    fn connection_view(&self, connection: &Connection) -> Result<ConnectionView> {
        let settings = ConnectionSettings::of(connection)?;
        Ok(ConnectionView {
            id: connection.id,
            name: connection.name.clone(),
            tenant: settings.tenant,
            client_id: settings.client_id,
            graph_url: settings.graph_url.unwrap_or_else(|| self.settings().graph_url.clone()),
            login_url: settings.login_url.unwrap_or_else(|| self.settings().login_url.clone()),
            status: "connected".into(),
            created_at: connection.created_at,
        })
    }
}

fn connection_name(raw: &str) -> Result<String> {
    let name = model::text::nfc(raw);
    if name.is_empty() || name.chars().count() > NAME_LIMIT || model::text::has_control(&name) {
        return Err(Error::Invalid(format!("A connection's name has 1 to {NAME_LIMIT} characters and no control characters.")));
    }
    Ok(name)
}
