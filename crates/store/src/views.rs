//! Reading for pages: users and groups looked up by a piece of text.

use crate::error::Result;
use crate::facts::group;
use crate::mirror::UserRow;
use crate::mirror::users::{USER, user};
use crate::records::search::pattern;
use crate::{Store, values};
use model::facts::GroupFacts;
use model::{SourceId, TenantKey, text};

impl Store {
    /// Users of a tenant whose principal name, object id or any attribute contains a text, whatever its case; in source id order.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn search_users(&self, tenant: TenantKey, text: &str, limit: i64) -> Result<Vec<UserRow>> {
        let sql = format!(
            "{USER} WHERE u.tenant_id = $1 AND u.presence <> 3
             AND (u.upn_key LIKE $2 ESCAPE '\\' OR u.source_id LIKE $2 ESCAPE '\\' OR lower(u.attributes) LIKE $2 ESCAPE '\\')
             ORDER BY u.source_id LIMIT $3"
        );
        self.db.query(&sql, values![tenant, pattern(&text::fold(text)), limit]).await?.iter().map(user).collect()
    }

    /// Groups of a tenant whose name or object id contains a text, whatever its case; by name.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn search_groups(&self, tenant: TenantKey, text: &str, limit: i64) -> Result<Vec<GroupFacts>> {
        let sql = "SELECT id, source_id, name, created FROM mirror_groups WHERE tenant_id = $1 AND present = 1
             AND (lower(name) LIKE $2 ESCAPE '\\' OR source_id LIKE $2 ESCAPE '\\') ORDER BY name, source_id LIMIT $3";
        self.db.query(sql, values![tenant, pattern(&text::fold(text)), limit]).await?.iter().map(group).collect()
    }

    /// Groups of a tenant by their object ids; those the mirror does not hold are left out.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn groups_by_id(&self, tenant: TenantKey, ids: &[SourceId]) -> Result<Vec<GroupFacts>> {
        let sql = "SELECT id, source_id, name, created FROM mirror_groups
             WHERE tenant_id = $1 AND source_id IN EACH_TEXT($2) ORDER BY name, source_id";
        let ids: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
        self.db.query(sql, values![tenant, ids]).await?.iter().map(group).collect()
    }
}
