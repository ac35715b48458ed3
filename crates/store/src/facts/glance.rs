//! A glance at everybody: what scope and rules ask of a user, and which records they have, without the records themselves. A fraction of
//! the cost of all facts, for looks at whole directories.

use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::facts::due;
use crate::mirror::presence;
use crate::plan::stretch;
use crate::records::kind;
use crate::{Store, values};
use model::attributes::Hash;
use model::facts::UserFacts;
use model::plan::Weights;
use model::{Attributes, GroupKey, Kind, RunId, SourceId, TenantKey, UserKey};
use std::collections::{HashMap, HashSet};

/// A user at a glance.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Key, id, attributes, presence, memberships in the relevant groups; no links, no review item.
    pub user: UserFacts,
    /// Their records that are not archived: the kind, and whether anything is remembered of who took it out of use.
    pub held: Vec<(Kind, bool)>,
    /// Whether a link, to an archived record too, stands in the books: such users are planned first.
    pub linked: bool,
}

impl Store {
    /// Users of a tenant, in the order of their source ids, after `after` and up to `to` (none = to the last).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn glances(
        &self,
        tenant: TenantKey,
        after: Option<&SourceId>,
        to: Option<&SourceId>,
        limit: i64,
        relevant: &HashSet<GroupKey>,
    ) -> Result<Vec<Glance>> {
        let mut tx = self.db.read().await?;
        let end = if to.is_some() { "AND source_id <= $4" } else { "AND $4 = ''" };
        let sql = format!(
            "SELECT id, source_id, attributes, presence, manager FROM mirror_users
             WHERE tenant_id = $1 AND source_id > $2 {end} AND presence <> 3 ORDER BY source_id LIMIT $3"
        );
        let (from, to) = (after.map_or("", SourceId::as_str), to.map_or("", SourceId::as_str));
        let mut rows = tx.query(&sql, values![tenant, from, limit, to]).await?;
        let keys: Vec<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let mut groups: HashMap<UserKey, Vec<GroupKey>> = HashMap::new();
        if !relevant.is_empty() && !keys.is_empty() {
            let sql = "SELECT member_id, group_id FROM memberships WHERE kind = 0 AND member_id IN EACH_INT($1)
                 ORDER BY member_id, group_id";
            for row in tx.query(sql, values![keys.clone()]).await? {
                let group = row.get(1)?;
                if relevant.contains(&group) {
                    groups.entry(row.get(0)?).or_default().push(group);
                }
            }
        }
        let assigned = if keys.is_empty() { HashSet::new() } else { due::assigned(&mut tx, &keys).await? };
        let mut links: HashMap<UserKey, Vec<(Kind, bool, bool)>> = HashMap::new();
        if !keys.is_empty() {
            let sql = "SELECT user_id, kind, slot, out_by_sync FROM links WHERE user_id IN EACH_INT($1)";
            for row in tx.query(sql, values![keys]).await? {
                let held = (kind(row.get(1)?)?, row.get::<i64>(2)? == 0, row.get::<Option<bool>>(3)?.is_some());
                links.entry(row.get(0)?).or_default().push(held);
            }
        }
        let glance = |row: &mut Row| {
            let key: UserKey = row.get(0)?;
            let links = links.remove(&key).unwrap_or_default();
            let attributes = Attributes::from_json(row.take_text(2)?);
            Ok(Glance {
                user: UserFacts {
                    key,
                    id: row.get(1)?,
                    attributes: attributes.map_err(|e| StoreError::Corrupt(format!("mirror_users.attributes of {key}: {e}")))?,
                    change_hash: Hash::of(""),
                    presence: presence(row.get(3)?)?,
                    manager: row.get(4)?,
                    assigned: assigned.contains(&key.0),
                    groups: groups.remove(&key).unwrap_or_default(),
                    links: Vec::new(),
                    review: None,
                    resolutions: Vec::new(),
                },
                linked: !links.is_empty(),
                held: links.into_iter().filter(|(_, live, _)| *live).map(|(kind, _, marked)| (kind, marked)).collect(),
            })
        };
        rows.iter_mut().map(glance).collect()
    }

    /// How many users a tenant has, and source ids that cut them into `parts` of about the same size.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn cuts(&self, tenant: TenantKey, parts: i64) -> Result<(i64, Vec<SourceId>)> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT COUNT(*) FROM mirror_users WHERE tenant_id = $1";
        let users: i64 = tx.query_opt(sql, values![tenant]).await?.map_or(Ok(0), |row| row.get(0))?;
        let mut cuts = Vec::new();
        for part in 1..parts {
            let sql = "SELECT source_id FROM mirror_users WHERE tenant_id = $1 ORDER BY source_id LIMIT 1 OFFSET $2";
            if let Some(row) = tx.query_opt(sql, values![tenant, users * part / parts]).await? {
                cuts.push(row.get(0)?);
            }
        }
        Ok((users, cuts))
    }

    /// What a tenant weighs without a plan: linked records, and the removals of the last 24 hours (see [`Store::weights`]).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn idle_weights(&self, tenant: TenantKey, now: i64) -> Result<Weights> {
        let first = self.tenant(tenant).await?.first_applied_run.is_none();
        let mut tx = self.db.read().await?;
        let mut weights = Weights { first_plan: first, ..Weights::default() };
        // No run has this number, so no change of a plan is left out.
        let none = stretch(RunId(0));
        crate::plan::window(&mut tx, tenant, now, none, &mut weights).await?;
        Ok(weights)
    }
}
