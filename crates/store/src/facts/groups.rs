//! The groups a policy names, and how groups are nested.

use crate::db::{OnConflict, Row};
use crate::error::Result;
use crate::lease::Lease;
use crate::mirror::touch;
use crate::{Store, values};
use model::facts::GroupFacts;
use model::{GroupKey, RuleId, SourceId, TenantKey, text};
use std::collections::{HashMap, HashSet};

/// A group that a rule named when a plan was last applied (ruling 83).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleGroup {
    /// The rule.
    pub rule: RuleId,
    /// The group as the rule names it: id or name.
    pub named: String,
    /// The group it resolved to.
    pub group: GroupKey,
    /// Whether anybody was in it.
    pub peopled: bool,
}

/// A group, from its id, source id, name and date.
pub(crate) fn group(row: &Row) -> Result<GroupFacts> {
    let created: Option<String> = row.get(3)?;
    let created = created.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(|t| t.as_nanosecond());
    Ok(GroupFacts { key: row.get(0)?, id: row.get(1)?, name: row.get(2)?, created })
}

/// These groups and all that are nested in them, however deep; circles end.
fn below(named: impl Iterator<Item = GroupKey>, nested: &[(GroupKey, GroupKey)]) -> HashSet<GroupKey> {
    let mut inner: HashMap<GroupKey, Vec<GroupKey>> = HashMap::new();
    for (outer, member) in nested {
        inner.entry(*outer).or_default().push(*member);
    }
    let mut found: HashSet<GroupKey> = named.collect();
    let mut open: Vec<GroupKey> = found.iter().copied().collect();
    while let Some(group) = open.pop() {
        open.extend(inner.get(&group).into_iter().flatten().filter(|member| found.insert(**member)));
    }
    found
}

impl Store {
    /// The groups of a tenant that a policy names by id or by name (compared after NFC and trim, ruling 35), those nested in them
    /// (reasons name the group somebody is in), and all nested memberships of the tenant (outer, inner).
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn group_facts(
        &self,
        tenant: TenantKey,
        ids: &[SourceId],
        names: &[String],
    ) -> Result<(Vec<GroupFacts>, Vec<(GroupKey, GroupKey)>)> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT id, source_id, name, created FROM mirror_groups WHERE tenant_id = $1 AND present = 1 ORDER BY id";
        let wanted: Vec<String> = names.iter().map(|n| text::nfc(n)).collect();
        let groups = tx.query(sql, values![tenant]).await?.iter().map(group).collect::<Result<Vec<_>>>()?;
        let nested: Vec<(GroupKey, GroupKey)> =
            touch::nested(&mut tx, tenant).await?.into_iter().map(|(outer, inner)| (GroupKey(outer), GroupKey(inner))).collect();
        let named =
            |facts: &GroupFacts| ids.contains(&facts.id) || (!wanted.is_empty() && wanted.contains(&text::nfc(&facts.name)));
        let within = below(groups.iter().filter(|facts| named(facts)).map(|facts| facts.key), &nested);
        Ok((groups.into_iter().filter(|facts| within.contains(&facts.key)).collect(), nested))
    }

    /// Groups by their keys, present or not.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn groups_by_key(&self, keys: &[GroupKey]) -> Result<Vec<GroupFacts>> {
        let sql = "SELECT id, source_id, name, created FROM mirror_groups WHERE id IN EACH_INT($1) ORDER BY id";
        let keys: Vec<i64> = keys.iter().map(|k| k.0).collect();
        self.db.query(sql, values![keys]).await?.iter().map(group).collect()
    }

    /// Which of these groups have at least one user as a direct member.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn peopled_groups(&self, keys: &[GroupKey]) -> Result<Vec<GroupKey>> {
        let sql = "SELECT g.id FROM mirror_groups g
             WHERE g.id IN EACH_INT($1) AND EXISTS (SELECT 1 FROM memberships m WHERE m.group_id = g.id AND m.kind = 0)
             ORDER BY g.id";
        let keys: Vec<i64> = keys.iter().map(|k| k.0).collect();
        self.db.query(sql, values![keys]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// The groups the rules named when a plan of the tenant was last applied.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn rule_groups(&self, tenant: TenantKey) -> Result<Vec<RuleGroup>> {
        let sql = "SELECT rule, named, group_id, peopled FROM rule_groups WHERE tenant_id = $1 ORDER BY rule, named, group_id";
        let read = |row: &Row| Ok(RuleGroup { rule: row.get(0)?, named: row.get(1)?, group: row.get(2)?, peopled: row.get(3)? });
        self.db.query(sql, values![tenant]).await?.iter().map(read).collect()
    }

    /// Keeps the groups the rules name, once their plan is applied.
    ///
    /// # Errors
    /// [`crate::StoreError::LeaseLost`].
    pub async fn set_rule_groups(&self, lease: &Lease, groups: &[RuleGroup]) -> Result<()> {
        if self.rule_groups(lease.tenant).await? == groups {
            return Ok(());
        }
        let mut tx = self.begin_fenced(lease).await?;
        tx.execute("DELETE FROM rule_groups WHERE tenant_id = $1", values![lease.tenant]).await?;
        let row = |g: &RuleGroup| values![lease.tenant, g.rule.as_str(), &g.named, g.group, g.peopled];
        let columns = &["tenant_id", "rule", "named", "group_id", "peopled"];
        tx.insert_many("rule_groups", columns, groups.iter().map(row).collect(), OnConflict::Skip).await?;
        tx.commit().await
    }
}
