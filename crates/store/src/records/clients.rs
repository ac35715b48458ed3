//! Clients and their sites.

use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::records::EMBEDDED;
use crate::{Store, values};
use model::records::{Client, Site};
use model::{ClientId, SiteId, text};

const CLIENT: &str = "SELECT id, name, active FROM clients";
const SITE: &str = "SELECT id, client_id, name FROM sites";

fn client(row: &Row) -> Result<Client> {
    Ok(Client { id: row.get(0)?, name: row.get(1)?, active: row.get(2)? })
}

fn site(row: &Row) -> Result<Site> {
    Ok(Site { id: row.get(0)?, client: row.get(1)?, name: row.get(2)? })
}

/// The client of a name, made if there is none; and whether it was made.
pub(crate) async fn find_or_make(tx: &mut Tx, name: &str) -> Result<(Client, bool)> {
    let key = text::fold(name);
    if key.is_empty() {
        return Err(StoreError::Invalid("A client needs a name.".into()));
    }
    let sql = "INSERT INTO clients (name, name_key, active, target) VALUES ($1, $2, 1, $3)
         ON CONFLICT (name_key) DO NOTHING RETURNING id";
    let made = tx.query_opt(sql, values![text::nfc(name), key.as_str(), EMBEDDED]).await?.is_some();
    if made {
        // Rules name clients by id or name, as written; nobody else would notice that one appeared.
        let sql = "SELECT DISTINCT wait_key FROM waits WHERE kind = 'client'";
        let waiting: Vec<String> = tx.query(sql, ()).await?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let named = waiting.into_iter().filter(|w| text::fold(w) == key).map(|w| ("client", w)).collect::<Vec<_>>();
        touch::waiters(tx, &named).await?;
    }
    let row = tx.query_opt(&format!("{CLIENT} WHERE name_key = $1"), values![key]).await?;
    Ok((row.as_ref().map_or_else(|| Err(StoreError::missing("client", name)), client)?, made))
}

impl Store {
    /// The client of a name (trimmed, NFC, case-folded), made if there is none. Whoever waits for a client of that name is touched.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the name is empty.
    pub async fn create_client(&self, name: &str) -> Result<Client> {
        let mut tx = self.db.begin().await?;
        let (client, _) = find_or_make(&mut tx, name).await?;
        tx.commit().await?;
        Ok(client)
    }

    /// A client by its name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn find_client(&self, name: &str) -> Result<Option<Client>> {
        let sql = format!("{CLIENT} WHERE name_key = $1");
        self.db.query_opt(&sql, values![text::fold(name)]).await?.as_ref().map(client).transpose()
    }

    /// A client by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn client(&self, id: ClientId) -> Result<Client> {
        let row = self.db.query_opt(&format!("{CLIENT} WHERE id = $1"), values![id]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("client", id)), client)
    }

    /// All clients by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn clients(&self) -> Result<Vec<Client>> {
        self.db.query(&format!("{CLIENT} ORDER BY name_key"), ()).await?.iter().map(client).collect()
    }

    /// Renames a client, or takes it out of use or back. Inactive clients resolve no rule (ruling 40).
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when another client has the name.
    pub async fn update_client(&self, client: &Client) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "SELECT 1 FROM clients WHERE name_key = $1 AND id <> $2";
        if tx.query_opt(sql, values![text::fold(&client.name), client.id]).await?.is_some() {
            return Err(StoreError::Conflict(format!("Another client is named {} already.", client.name)));
        }
        let sql = "UPDATE clients SET name = $2, name_key = $3, active = $4 WHERE id = $1";
        let params = values![client.id, text::nfc(&client.name), text::fold(&client.name), client.active];
        if tx.execute(sql, params).await? == 0 {
            return Err(StoreError::missing("client", client.id));
        }
        let rows = tx.query("SELECT id FROM tenants ORDER BY id", ()).await?;
        for row in rows {
            touch::everyone(&mut tx, row.get(0)?).await?;
        }
        tx.commit().await
    }

    /// The site of a name at a client, made if there is none. Whoever waits for a site of that name is touched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the client does not exist.
    pub async fn create_site(&self, client: ClientId, name: &str) -> Result<Site> {
        self.client(client).await?;
        let mut tx = self.db.begin().await?;
        let site = find_or_make_site(&mut tx, client, name).await?;
        tx.commit().await?;
        Ok(site)
    }

    /// All sites by id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sites(&self) -> Result<Vec<Site>> {
        self.db.query(&format!("{SITE} ORDER BY id"), ()).await?.iter().map(site).collect()
    }

    /// A site by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn site(&self, id: SiteId) -> Result<Site> {
        let row = self.db.query_opt(&format!("{SITE} WHERE id = $1"), values![id]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("site", id)), site)
    }
}

/// The site of a name at a client, found or made; there is never a second of the same name (ruling 39).
pub(crate) async fn find_or_make_site(tx: &mut Tx, client: ClientId, name: &str) -> Result<Site> {
    let key = text::fold(name);
    let find = format!("{SITE} WHERE client_id = $1 AND name_key = $2");
    if let Some(row) = tx.query_opt(&find, values![client, key.as_str()]).await? {
        return site(&row);
    }
    let sql = "INSERT INTO sites (client_id, name, name_key, target) VALUES ($1, $2, $3, $4)
         ON CONFLICT (client_id, name_key) DO NOTHING";
    let made = tx.execute(sql, values![client, text::nfc(name), key.as_str(), EMBEDDED]).await? > 0;
    let row = tx.query_opt(&find, values![client, key.as_str()]).await?;
    let site = row.as_ref().map_or_else(|| Err(StoreError::missing("site", name)), site)?;
    if made {
        // Rules name sites by id or name, as written; nobody else would notice that one appeared.
        let sql = "SELECT DISTINCT wait_key FROM waits WHERE kind = 'site'";
        let waiting: Vec<String> = tx.query(sql, ()).await?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let meant = |reference: &String| text::fold(reference) == key || *reference == site.id.to_string();
        let named = waiting.into_iter().filter(meant).map(|reference| ("site", reference)).collect::<Vec<_>>();
        touch::waiters(tx, &named).await?;
    }
    Ok(site)
}
