//! Links with sync's own bookkeeping, as rows.

use crate::db::{Row, Tx, Value};
use crate::error::{Result, StoreError};
use crate::records::kind_code;
use crate::values;
use model::plan::LinkState;
use model::reason::Cause;
use model::records::{Deactivated, Link};
use model::{Kind, PersonId, RuleId, SourceId, TenantKey, UserKey};
use std::collections::HashMap;

/// Columns to select from `links l` joined with `digests g`, for [`read`].
pub(crate) const COLUMNS: &str =
    "l.person_id, l.user_id, l.applied_hash, g.digest, l.rule, l.decided, l.out_by_sync, l.out_cause,
    l.grace_since, l.enabled_applied";
/// How many those are.
pub(crate) const WIDTH: usize = 10;

/// The columns of [`row`].
pub(crate) const ROW: &[&str] = &[
    "person_id",
    "tenant_id",
    "user_id",
    "kind",
    "slot",
    "applied_hash",
    "digest_id",
    "rule",
    "decided",
    "out_by_sync",
    "out_cause",
    "grace_since",
    "enabled_applied",
];

/// Writes a link over the one its record had.
pub(crate) const REPLACE: &str = "(person_id) DO UPDATE SET tenant_id = excluded.tenant_id, user_id = excluded.user_id,
    kind = excluded.kind, slot = excluded.slot, applied_hash = excluded.applied_hash, digest_id = excluded.digest_id,
    rule = excluded.rule, decided = excluded.decided, out_by_sync = excluded.out_by_sync, out_cause = excluded.out_cause,
    grace_since = excluded.grace_since, enabled_applied = excluded.enabled_applied";

/// Reads a link whose columns begin at `at`.
pub(crate) fn read(row: &Row, at: usize, tenant: TenantKey, source_id: SourceId) -> Result<Link> {
    let by_sync: Option<bool> = row.get(at + 6)?;
    let cause: Option<String> = row.get(at + 7)?;
    Ok(Link {
        tenant,
        user: row.get(at + 1)?,
        source_id,
        person: row.get(at)?,
        applied_hash: row.get(at + 2)?,
        policy_digest: row.get(at + 3)?,
        rule: row.get(at + 4)?,
        decided: row.json(at + 5)?,
        deactivated_by: match by_sync {
            Some(by_sync) => Some(Deactivated { by_sync, cause: cause.as_deref().map(read_cause).transpose()? }),
            None => None,
        },
        grace_since: row.get(at + 8)?,
        enabled_applied: row.get(at + 9)?,
    })
}

pub(crate) fn read_cause(word: &str) -> Result<Cause> {
    [Cause::InactiveRole, Cause::Unmapped, Cause::Disabled, Cause::Missing, Cause::Deleted]
        .into_iter()
        .find(|c| c.as_str() == word)
        .ok_or_else(|| StoreError::Corrupt(format!("links.out_cause is {word}")))
}

/// A row of a link. `live`: the record is not archived.
pub(crate) fn row(
    person: PersonId,
    tenant: TenantKey,
    user: UserKey,
    kind: Kind,
    live: bool,
    state: &LinkState,
    digests: &Digests,
) -> Result<Vec<Value>> {
    let out = state.deactivated_by.as_ref();
    Ok(vec![
        person.into(),
        tenant.into(),
        user.into(),
        kind_code(kind).into(),
        if live { 0 } else { person.0 }.into(),
        state.applied_hash.into(),
        state.policy_digest.as_ref().and_then(|d| digests.0.get(d)).copied().into(),
        state.rule.as_ref().map(RuleId::as_str).into(),
        Value::json(&state.decided)?,
        out.map(|o| o.by_sync).into(),
        out.and_then(|o| o.cause).map(Cause::as_str).into(),
        state.grace_since.into(),
        state.enabled_applied.into(),
    ])
}

/// Digests are long and few: each is stored once and named by a number.
#[derive(Debug, Default)]
pub(crate) struct Digests(HashMap<String, i64>);

impl Digests {
    /// The numbers of these digests; new ones get one.
    pub(crate) async fn of<'d>(tx: &mut Tx, digests: impl Iterator<Item = &'d str>) -> Result<Self> {
        let mut known = HashMap::new();
        for digest in digests {
            if known.contains_key(digest) {
                continue;
            }
            let sql = "SELECT id FROM digests WHERE digest = $1";
            let row = match tx.query_opt(sql, values![digest]).await? {
                Some(row) => Some(row),
                None => {
                    let sql = "INSERT INTO digests (digest) VALUES ($1)
                         ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest RETURNING id";
                    tx.query_opt(sql, values![digest]).await?
                }
            };
            let row = row.ok_or_else(|| StoreError::Corrupt("an insert into digests gave no id".into()))?;
            known.insert(digest.to_owned(), row.get(0)?);
        }
        Ok(Self(known))
    }

    /// The number of one of them.
    pub(crate) fn id(&self, digest: &str) -> Option<i64> {
        self.0.get(digest).copied()
    }
}
