//! Users who are due, with everything the planner needs to know of each.

use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::mirror::presence;
use crate::records::{links, people};
use crate::review::Chosen;
use crate::{Store, values};
use model::Attributes;
use model::facts::{Linked, Resolution, ReviewFacts, UserFacts};
use model::policy::SIGN_IN;
use model::{GroupKey, SourceId, TenantKey, UserKey};
use std::collections::{HashMap, HashSet};

impl Store {
    /// Due users with a link, in key order after `after`. `seq` is the plan's, from [`Store::begin_plan`]. Direct memberships are
    /// told for the `relevant` groups (those from which a group named by the policy can be reached).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn due_linked(
        &self,
        tenant: TenantKey,
        seq: i64,
        after: UserKey,
        limit: i64,
        relevant: &HashSet<GroupKey>,
    ) -> Result<Vec<UserFacts>> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT d.user_id FROM due d
             WHERE d.tenant_id = $1 AND d.user_id > $2 AND d.seq <= $3
               AND EXISTS (SELECT 1 FROM links l WHERE l.user_id = d.user_id)
             ORDER BY d.user_id LIMIT $4";
        let rows = tx.query(sql, values![tenant, after, seq, limit]).await?;
        facts(&mut tx, tenant, keys(&rows)?, Some(relevant)).await
    }

    /// Due users without a link, strictly in the order of their source ids, after `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn due_unlinked(
        &self,
        tenant: TenantKey,
        seq: i64,
        after: Option<&SourceId>,
        limit: i64,
        relevant: &HashSet<GroupKey>,
    ) -> Result<Vec<UserFacts>> {
        let mut tx = self.db.read().await?;
        let after = after.map_or("", SourceId::as_str);
        // Told no further than it matters: this is asked for every batch.
        let due = "SELECT user_id FROM due WHERE tenant_id = $1 AND seq <= $2 LIMIT $3";
        let due = keys(&tx.query(due, values![tenant, seq, limit + 1]).await?)?;
        let free = "NOT EXISTS (SELECT 1 FROM links l WHERE l.user_id = u.id)";
        // Few: look each up and sort. Many: walk the mirror's own order and stop at the limit, since sorting them all for every
        // batch would be quadratic; SQLite joins in the order of a CROSS JOIN, PostgreSQL decides by its statistics.
        let rows = if i64::try_from(due.len()).unwrap_or(i64::MAX) <= limit {
            let sql = format!(
                "SELECT u.id FROM mirror_users u WHERE u.id IN EACH_INT($1) AND u.source_id > $2 AND {free} ORDER BY u.source_id"
            );
            tx.query(&sql, values![due, after]).await?
        } else {
            let sql = format!(
                "SELECT u.id FROM mirror_users u CROSS JOIN due d
                 WHERE d.user_id = u.id AND d.tenant_id = $1 AND u.tenant_id = $1 AND u.source_id > $2 AND d.seq <= $3 AND {free}
                 ORDER BY u.source_id LIMIT $4"
            );
            tx.query(&sql, values![tenant, after, seq, limit]).await?
        };
        facts(&mut tx, tenant, keys(&rows)?, Some(relevant)).await
    }

    /// The same as [`Store::user_facts`], with memberships of the `relevant` groups alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn facts_of(&self, tenant: TenantKey, users: &[UserKey], relevant: &HashSet<GroupKey>) -> Result<Vec<UserFacts>> {
        let mut tx = self.db.read().await?;
        facts(&mut tx, tenant, users.iter().map(|u| u.0).collect(), Some(relevant)).await
    }

    /// Everything the planner needs to know of these users, in the order given: to decide again, and to explain.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn user_facts(&self, tenant: TenantKey, users: &[UserKey]) -> Result<Vec<UserFacts>> {
        let mut tx = self.db.read().await?;
        facts(&mut tx, tenant, users.iter().map(|u| u.0).collect(), None).await
    }
}

fn keys(rows: &[Row]) -> Result<Vec<i64>> {
    rows.iter().map(|row| row.get(0)).collect()
}

async fn facts(tx: &mut Tx, tenant: TenantKey, keys: Vec<i64>, relevant: Option<&HashSet<GroupKey>>) -> Result<Vec<UserFacts>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut groups = memberships(tx, &keys, relevant).await?;
    let mut linked = linked(tx, tenant, &keys).await?;
    let mut reviews = reviews(tx, &keys).await?;
    let assigned = assigned(tx, &keys).await?;
    let mut sign_ins = sign_ins(tx, &keys).await?;
    // The tenant is compared here: named in the query, it would lead SQLite through an index of the whole tenant.
    let sql = "SELECT id, source_id, attributes, change_hash, presence, manager, tenant_id FROM mirror_users
         WHERE id IN EACH_INT($1)";
    let mut users = HashMap::with_capacity(keys.len());
    for mut row in tx.query(sql, values![keys.clone()]).await? {
        if row.get::<TenantKey>(6)? != tenant {
            continue;
        }
        let key: UserKey = row.get(0)?;
        let (review, resolutions) = reviews.remove(&key).unwrap_or_default();
        let mut attributes = Attributes::from_json(row.take_text(2)?)
            .map_err(|e| StoreError::Corrupt(format!("mirror_users.attributes of {key}: {e}")))?;
        if let Some(activity) = sign_ins.remove(&key.0) {
            attributes.set(SIGN_IN, activity);
        }
        let facts = UserFacts {
            key,
            id: row.get(1)?,
            attributes,
            change_hash: row.get(3)?,
            presence: presence(row.get(4)?)?,
            manager: row.get(5)?,
            assigned: assigned.contains(&key.0),
            groups: groups.remove(&key).unwrap_or_default(),
            links: linked.remove(&key).unwrap_or_default(),
            review,
            resolutions,
        };
        users.insert(key.0, facts);
    }
    Ok(keys.iter().filter_map(|key| users.remove(key)).collect())
}

/// The dates of sign-ins that a pass of its own has read, as the attribute they are told by.
async fn sign_ins(tx: &mut Tx, keys: &[i64]) -> Result<HashMap<i64, model::Value>> {
    let sql = "SELECT user_id, activity FROM sign_ins WHERE user_id IN EACH_INT($1)";
    let rows = tx.query(sql, values![keys.to_vec()]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.json(1)?))).collect()
}

/// Which of these users are assigned to our application.
pub(super) async fn assigned(tx: &mut Tx, keys: &[i64]) -> Result<HashSet<i64>> {
    let sql = "SELECT user_id FROM app_assigned WHERE user_id IN EACH_INT($1)";
    tx.query(sql, values![keys.to_vec()]).await?.iter().map(|row| row.get(0)).collect()
}

async fn memberships(tx: &mut Tx, keys: &[i64], relevant: Option<&HashSet<GroupKey>>) -> Result<HashMap<UserKey, Vec<GroupKey>>> {
    let mut groups: HashMap<UserKey, Vec<GroupKey>> = HashMap::new();
    if relevant.is_some_and(HashSet::is_empty) {
        return Ok(groups);
    }
    let sql = "SELECT member_id, group_id FROM memberships WHERE kind = 0 AND member_id IN EACH_INT($1)
         ORDER BY member_id, group_id";
    for row in tx.query(sql, values![keys.to_vec()]).await? {
        let group: GroupKey = row.get(1)?;
        if relevant.is_none_or(|relevant| relevant.contains(&group)) {
            groups.entry(row.get(0)?).or_default().push(group);
        }
    }
    Ok(groups)
}

async fn linked(tx: &mut Tx, tenant: TenantKey, keys: &[i64]) -> Result<HashMap<UserKey, Vec<Linked>>> {
    let sql = format!(
        "SELECT {}, u.source_id, {} FROM links l
         JOIN people p ON p.id = l.person_id JOIN mirror_users u ON u.id = l.user_id LEFT JOIN digests g ON g.id = l.digest_id
         WHERE l.user_id IN EACH_INT($1) ORDER BY l.user_id, l.kind, l.slot",
        links::COLUMNS,
        people::COLUMNS
    );
    let mut found: HashMap<UserKey, Vec<Linked>> = HashMap::new();
    for row in tx.query(&sql, values![keys.to_vec()]).await? {
        let source_id: SourceId = row.get(links::WIDTH)?;
        let link = links::read(&row, 0, tenant, source_id)?;
        found.entry(link.user).or_default().push(Linked { link, person: people::read(&row, links::WIDTH + 1)? });
    }
    Ok(found)
}

/// The review items that hold users back, and what people chose for them.
async fn reviews(tx: &mut Tx, keys: &[i64]) -> Result<HashMap<UserKey, (Option<ReviewFacts>, Vec<Resolution>)>> {
    let sql = "SELECT user_id, why, state, candidates, other, kind, resolution FROM review_items
         WHERE user_id IN EACH_INT($1) AND (state IN ('open', 'dismissed') OR resolution IS NOT NULL)";
    let mut found = HashMap::new();
    for row in tx.query(sql, values![keys.to_vec()]).await? {
        let state = row.str(2)?;
        let facts = ReviewFacts {
            why: crate::review::why(row.str(1)?)?,
            dismissed: state == "dismissed",
            candidates: row.json(3)?,
            other: row.get(4)?,
            kind: crate::review::kind(row.str(5)?)?,
        };
        let asked = matches!(state, "open" | "dismissed");
        let chosen: Vec<Chosen> = row.json_opt(6)?.unwrap_or_default();
        // What was written holds by the link it made, but for what says so of itself.
        let told = chosen.into_iter().filter(|c| c.stays || state != "resolved").map(|c| c.resolution);
        found.insert(row.get(0)?, (asked.then_some(facts), told.collect()));
    }
    Ok(found)
}
