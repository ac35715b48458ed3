//! Looking people up: lists with a text and filters, one person with everything around it.

use super::people::{COLUMNS, read};
use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::records::{kind_code, links, status_code};
use crate::{Store, values};
use model::records::{Link, Person};
use model::{ClientId, Kind, PersonId, SourceId, Status, TenantKey, text};

/// Which people to list, by name.
#[derive(Debug, Clone, Default)]
pub struct PersonFilter {
    /// Name, e-mail or username contains this, whatever its case.
    pub text: Option<String>,
    /// Of this client.
    pub client: Option<ClientId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this status.
    pub status: Option<Status>,
    /// Linked to a user, or not.
    pub linked: Option<bool>,
    /// Linked to a user of this tenant.
    pub tenant: Option<TenantKey>,
    /// Only people after this one: the cursor.
    pub after: Option<PersonId>,
    /// How many at most.
    pub limit: i64,
}

/// A person in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonRow {
    /// The record.
    pub person: Person,
    /// The client's name.
    pub client: Option<String>,
    /// The tenant and source id of the linked user.
    pub linked: Option<(TenantKey, SourceId)>,
}

/// A person to write out.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRow {
    /// The record.
    pub person: Person,
    /// The client's name.
    pub client: Option<String>,
    /// Where the record lives.
    pub target: String,
    /// What it is called there.
    pub remote_id: Option<String>,
}

/// A person with what surrounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonView {
    /// The record.
    pub person: Person,
    /// The client's name.
    pub client: Option<String>,
    /// The site's name.
    pub site: Option<String>,
    /// The link with sync's bookkeeping.
    pub link: Option<Link>,
    /// Where the record lives.
    pub target: String,
    /// What it is called there.
    pub remote_id: Option<String>,
    /// Who changed it last.
    pub changed_by: String,
    /// When, milliseconds since 1970.
    pub changed_at: i64,
}

/// A LIKE pattern for "contains this", with `\` escaping what LIKE would read otherwise.
pub(crate) fn pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

impl Store {
    /// People by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn people(&self, filter: &PersonFilter) -> Result<Vec<PersonRow>> {
        let mut sql = format!(
            "SELECT {COLUMNS}, c.name, l.tenant_id, u.source_id FROM people p LEFT JOIN clients c ON c.id = p.client_id
             LEFT JOIN links l ON l.person_id = p.id LEFT JOIN mirror_users u ON u.id = l.user_id WHERE 1 = 1"
        );
        let mut params = values![filter.limit];
        let mut condition = |condition: &str, value: crate::db::Value| {
            params.push(value);
            sql += &condition.replace("$$", &format!("${}", params.len()));
        };
        if let Some(text) = filter.text.as_deref().map(text::fold).filter(|t| !t.is_empty()) {
            condition(
                " AND (p.name_key LIKE $$ ESCAPE '\\' OR p.email_key LIKE $$ ESCAPE '\\' OR p.username_key LIKE $$ ESCAPE '\\')",
                pattern(&text).into(),
            );
        }
        if let Some(client) = filter.client {
            condition(" AND p.client_id = $$", client.into());
        }
        if let Some(kind) = filter.kind {
            condition(" AND p.kind = $$", kind_code(kind).into());
        }
        if let Some(status) = filter.status {
            condition(" AND p.status = $$", status_code(status).into());
        }
        if let Some(tenant) = filter.tenant {
            condition(" AND l.tenant_id = $$", tenant.into());
        }
        if let Some(after) = filter.after {
            condition(" AND (p.name_key, p.id) > (SELECT a.name_key, a.id FROM people a WHERE a.id = $$)", after.into());
        }
        match filter.linked {
            Some(true) => sql += " AND l.person_id IS NOT NULL",
            Some(false) => sql += " AND l.person_id IS NULL",
            None => {}
        }
        sql += " ORDER BY p.name_key, p.id LIMIT $1";
        self.db.query(&sql, params).await?.iter().map(person_row).collect()
    }

    /// People by their ids, in id order; ids of nobody are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn people_by_id(&self, ids: &[PersonId]) -> Result<Vec<Person>> {
        let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.id IN EACH_INT($1) ORDER BY p.id");
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.db.query(&sql, values![ids]).await?.iter().map(|row| read(row, 0)).collect()
    }

    /// Every person in id order after `after`, for writing them out without holding them all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn export_people(&self, after: PersonId, limit: i64) -> Result<Vec<ExportRow>> {
        let sql = format!(
            "SELECT {COLUMNS}, c.name, p.target, p.remote_id FROM people p LEFT JOIN clients c ON c.id = p.client_id
             WHERE p.id > $1 ORDER BY p.id LIMIT $2"
        );
        let export = |row: &Row| {
            Ok(ExportRow { person: read(row, 0)?, client: row.get(18)?, target: row.get(19)?, remote_id: row.get(20)? })
        };
        self.db.query(&sql, values![after, limit]).await?.iter().map(export).collect()
    }

    /// Where these records live: target, and what each is called there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn places(&self, ids: &[PersonId]) -> Result<Vec<(PersonId, String, Option<String>)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows = self.db.query("SELECT id, target, remote_id FROM people WHERE id IN EACH_INT($1)", values![ids]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }

    /// One person with everything around it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn person_view(&self, id: PersonId) -> Result<PersonView> {
        let sql = format!(
            "SELECT {}, u.source_id, l.tenant_id, c.name, s.name, p.target, p.remote_id, p.changed_by, p.changed_at, {COLUMNS}
             FROM people p LEFT JOIN clients c ON c.id = p.client_id LEFT JOIN sites s ON s.id = p.site_id
             LEFT JOIN links l ON l.person_id = p.id LEFT JOIN mirror_users u ON u.id = l.user_id
             LEFT JOIN digests g ON g.id = l.digest_id WHERE p.id = $1",
            links::COLUMNS
        );
        let row = self.db.query_opt(&sql, values![id]).await?.ok_or_else(|| StoreError::missing("record", id))?;
        let at = links::WIDTH;
        let linked: Option<SourceId> = row.get(at)?;
        Ok(PersonView {
            link: linked.map(|user| links::read(&row, 0, row.get(at + 1)?, user)).transpose()?,
            client: row.get(at + 2)?,
            site: row.get(at + 3)?,
            target: row.get(at + 4)?,
            remote_id: row.get(at + 5)?,
            changed_by: row.get(at + 6)?,
            changed_at: row.get(at + 7)?,
            person: read(&row, at + 8)?,
        })
    }
}

fn person_row(row: &Row) -> Result<PersonRow> {
    let tenant: Option<TenantKey> = row.get(19)?;
    Ok(PersonRow {
        person: read(row, 0)?,
        client: row.get(18)?,
        linked: tenant.map(|t| Ok::<_, StoreError>((t, row.get(20)?))).transpose()?,
    })
}
