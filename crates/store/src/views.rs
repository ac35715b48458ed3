//! Reading for pages: users looked up by a piece of text.

use crate::error::Result;
use crate::mirror::UserRow;
use crate::mirror::users::{USER, user};
use crate::records::search::pattern;
use crate::{Store, values};
use model::{TenantKey, text};

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
}
