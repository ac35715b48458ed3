//! What taking a run back needs to know of it, and the plan that does so.
//!
//! A run of kind `revert` plans from the journal of another one, not from what users are now: it stores changes and reports alone, and
//! neither where users stand nor who waits. Users it leaves other than Entra has them are remembered (`reverted`), so that a full
//! run's look for drift does not put them back the next night.

use super::decisions::{change_row, report_row, wipe};
use super::read::{ROWS, read};
use super::{PlanRow, stretch};
use crate::db::{OnConflict, Tx, Value};
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::records::{links, people};
use crate::runs::{RUN, Run, run};
use crate::{Store, values};
use model::plan::{Change, LinkState, Report};
use model::records::Person;
use model::run::{RunKind, RunState};
use model::{Kind, PersonId, RunId, TenantKey, UserKey, text};
use std::collections::{HashMap, HashSet};

/// A change that was written, with what became of its record since.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The change.
    pub row: PlanRow,
    /// The record as it is; none when it is gone.
    pub record: Option<Person>,
    /// Who changed the record last.
    pub by: WrittenBy,
    /// The record's link as it is: its user and the bookkeeping.
    pub link: Option<(UserKey, LinkState)>,
    /// Another record in use of the same user and kind, which leaves no room for this one.
    pub other: Option<PersonId>,
    /// Where the run took another one back: what that one had done to this record.
    pub origin: Option<Change>,
}

/// Who changed a record last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenBy {
    /// The run itself.
    ThisRun,
    /// Somebody else, by name: a person, an import, another run.
    Other(String),
}

/// As records name a run that changed them.
fn name_of(run: RunId) -> String {
    format!("sync run {run}")
}

impl Store {
    /// Asks for a run that takes another one back: it only plans, until somebody approves what it shows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_revert(&self, tenant: TenantKey, reverts: RunId, requested_by: &str, now: i64) -> Result<Run> {
        let sql = "INSERT INTO runs (tenant_id, kind, state, preview, requested_by, created_at, reverts)
             VALUES ($1, $2, $3, 1, $4, $5, $6) RETURNING id";
        let (kind, state) = (RunKind::Revert.as_str(), RunState::Queued.as_str());
        let mut tx = self.db.begin().await?;
        let row = tx.query_opt(sql, values![tenant, kind, state, requested_by, now, reverts]).await?;
        tx.commit().await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("an insert into runs gave no id".into()))?;
        self.run(row.get(0)?).await
    }

    /// Runs that take this one back, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reverts_of(&self, of: RunId, limit: i64) -> Result<Vec<Run>> {
        let sql = format!("{RUN} WHERE reverts = $1 ORDER BY id DESC LIMIT $2");
        self.db.query(&sql, values![of, limit]).await?.iter().map(run).collect()
    }

    /// Begins the plan of a revert: what an earlier attempt stored is wiped.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn begin_revert(&self, lease: &Lease, run: RunId, now: i64) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        wipe(&mut tx, run).await?;
        let sql = "UPDATE runs SET planned_seq = (SELECT touch_seq FROM tenants WHERE id = $2), planned_at = $3, users = 0,
                unchanged = 0, excluded = 0, in_review = 0, failed_users = 0, last_seq = 0, applied_through = $4 WHERE id = $1";
        tx.execute(sql, values![run, lease.tenant, now, stretch(run).0]).await?;
        tx.commit().await
    }

    /// Changes that a run wrote, in its plan's order after `after`, each with its record as it is now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn written(&self, run: &Run, after: i64, limit: i64) -> Result<Vec<Written>> {
        let mut tx = self.db.read().await?;
        let (from, to) = stretch(run.id);
        let sql = format!("{ROWS} WHERE c.id > $1 AND c.id <= $2 AND o.failed = 0 ORDER BY c.id LIMIT $3");
        let rows: Vec<PlanRow> =
            tx.query(&sql, values![from.max(after), to, limit]).await?.iter().map(read).collect::<Result<_>>()?;
        let records: Vec<i64> = rows.iter().filter_map(|r| r.record).map(|r| r.0).collect();
        let mut people = people::load(&mut tx, records.clone()).await?;
        let mut by = changed_by(&mut tx, &records, &name_of(run.id)).await?;
        let mut links = links_of(&mut tx, run.tenant, &records).await?;
        let mut origins = match run.reverts {
            Some(origin) => origins(&mut tx, origin, &records).await?,
            None => HashMap::new(),
        };
        let users: Vec<i64> = rows.iter().flat_map(|r| [Some(r.change.user), r.change.unlink]).flatten().map(|u| u.0).collect();
        let live = live(&mut tx, users).await?;
        let written = rows.into_iter().map(|row| {
            let record = row.record.unwrap_or(PersonId(0));
            let origin = origins.remove(&record);
            let user =
                origin.as_ref().filter(|o| o.link.is_some()).map(|o| o.user).or(row.change.unlink).unwrap_or(row.change.user);
            Written {
                record: people.remove(&record),
                by: by.remove(&record).unwrap_or(WrittenBy::ThisRun),
                link: links.remove(&record),
                other: live.get(&(user, row.change.kind)).copied().filter(|other| *other != record),
                origin,
                row,
            }
        });
        Ok(written.collect())
    }

    /// Which of these folded usernames and which of these addresses (as they stand in records) some record has, archived ones too.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn taken_names(&self, usernames: &[String], emails: &[String]) -> Result<(HashSet<String>, HashSet<String>)> {
        let mut tx = self.db.read().await?;
        let mut taken = HashSet::new();
        let keys: Vec<String> = usernames.iter().map(|u| text::fold(u)).collect();
        for mut row in
            tx.query("SELECT DISTINCT username_key FROM people WHERE username_key IN EACH_TEXT($1)", values![keys]).await?
        {
            taken.insert(row.take_text(0)?);
        }
        let by_key: HashMap<String, &String> =
            emails.iter().filter_map(|e| people::email_key(Some(e)).map(|key| (key, e))).collect();
        let keys: Vec<String> = by_key.keys().cloned().collect();
        let mut taken_emails = HashSet::new();
        for row in tx.query("SELECT DISTINCT email_key FROM people WHERE email_key IN EACH_TEXT($1)", values![keys]).await? {
            taken_emails.extend(by_key.get(row.str(0)?).map(|e| (*e).clone()));
        }
        Ok((taken, taken_emails))
    }

    /// Stores a stretch of a revert's plan: `users` were looked at.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn store_revert(
        &self,
        lease: &Lease,
        run: RunId,
        users: usize,
        changes: &[Change],
        reports: &[Report],
    ) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (rows, left) = (count(changes.len() + reports.len()), count(users.saturating_sub(changes.len())));
        let sql = "UPDATE runs SET users = users + $2, unchanged = unchanged + $3, last_seq = last_seq + $4
             WHERE id = $1 RETURNING last_seq";
        let row = tx.query_opt(sql, values![run, count(users), left, rows]).await?;
        let last = row.ok_or_else(|| StoreError::missing("run", run))?.get::<i64>(0)?;
        let mut id = stretch(run).0 + last - rows;
        let mut next = || {
            id += 1;
            id
        };
        let changes = changes.iter().map(|change| change_row(next(), change)).collect::<Result<Vec<_>>>()?;
        let reports = reports.iter().map(|report| report_row(next(), report)).collect();
        tx.insert_many("changes", super::decisions::CHANGE, changes, OnConflict::Fail).await?;
        tx.insert_many("reports", &["id", "user_id", "field", "why", "detail"], reports, OnConflict::Fail).await?;
        tx.commit().await
    }

    /// The run that left a user other than Entra has them, while that stands; and whether the user is due all the same, so that the
    /// next run ends it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn held_by_revert(&self, tenant: TenantKey, user: UserKey) -> Result<Option<(RunId, bool)>> {
        let sql = "SELECT r.run_id, d.user_id IS NOT NULL FROM reverted r
             LEFT JOIN due d ON d.tenant_id = r.tenant_id AND d.user_id = r.user_id
             WHERE r.tenant_id = $1 AND r.user_id = $2";
        self.db.query_opt(sql, values![tenant, user]).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }
}

/// Remembers whom a revert that was written left other than Entra has them; the revert of a revert strikes them out again.
pub(crate) async fn remember(tx: &mut Tx, lease: &Lease, run: RunId) -> Result<()> {
    let mut takes_back = false;
    let mut at = Some(run);
    while let Some(run) = at {
        let row = tx.query_opt("SELECT reverts FROM runs WHERE id = $1", values![run]).await?;
        at = row.map_or(Ok(None), |row| row.get(0))?;
        takes_back ^= at.is_some();
    }
    let (from, to) = stretch(run);
    let users = "SELECT DISTINCT c.user_id FROM changes c JOIN outcomes o ON o.change_id = c.id AND o.failed = 0
         WHERE c.id > $2 AND c.id <= $3";
    if takes_back {
        let sql = format!(
            "INSERT INTO reverted (tenant_id, user_id, run_id) SELECT CAST($1 AS BIGINT), w.user_id, CAST($4 AS BIGINT)
             FROM ({users}) AS w WHERE TRUE ON CONFLICT (tenant_id, user_id) DO UPDATE SET run_id = excluded.run_id"
        );
        tx.execute(&sql, values![lease.tenant, from, to, run]).await?;
        // What a person chose in review is taken back with what it wrote: the question stands again.
        let sql = "UPDATE review_items SET state = 'open', resolution = NULL
             WHERE state = 'resolved' AND run_id = (SELECT reverts FROM runs WHERE id = $1)";
        tx.execute(sql, values![run]).await?;
    } else {
        let sql = format!("DELETE FROM reverted WHERE tenant_id = $1 AND user_id IN ({users})");
        tx.execute(&sql, values![lease.tenant, from, to]).await?;
    }
    Ok(())
}

async fn changed_by(tx: &mut Tx, records: &[i64], run: &str) -> Result<HashMap<PersonId, WrittenBy>> {
    let mut found = HashMap::new();
    for mut row in tx.query("SELECT id, changed_by FROM people WHERE id IN EACH_INT($1)", values![records.to_vec()]).await? {
        let by = row.take_text(1)?;
        found.insert(row.get(0)?, if by == run { WrittenBy::ThisRun } else { WrittenBy::Other(by) });
    }
    Ok(found)
}

async fn links_of(tx: &mut Tx, tenant: TenantKey, records: &[i64]) -> Result<HashMap<PersonId, (UserKey, LinkState)>> {
    let sql = format!(
        "SELECT {} FROM links l LEFT JOIN digests g ON g.id = l.digest_id WHERE l.person_id IN EACH_INT($1)",
        links::COLUMNS
    );
    let mut found = HashMap::new();
    for row in tx.query(&sql, values![records.to_vec()]).await? {
        let link = links::read(&row, 0, tenant, "".into())?;
        let state = LinkState {
            applied_hash: link.applied_hash,
            policy_digest: link.policy_digest,
            rule: link.rule,
            decided: link.decided,
            deactivated_by: link.deactivated_by,
            grace_since: link.grace_since,
            enabled_applied: link.enabled_applied,
        };
        found.insert(link.person, (link.user, state));
    }
    Ok(found)
}

async fn origins(tx: &mut Tx, run: RunId, records: &[i64]) -> Result<HashMap<PersonId, Change>> {
    let (from, to) = stretch(run);
    let sql = format!("{ROWS} WHERE c.id > $1 AND c.id <= $2 AND o.failed = 0 AND o.person_id IN EACH_INT($3)");
    let mut found = HashMap::new();
    for row in tx.query(&sql, values![from, to, records.to_vec()]).await? {
        let row = read(&row)?;
        found.extend(row.record.map(|record| (record, row.change)));
    }
    Ok(found)
}

/// Records in use by user and kind.
async fn live(tx: &mut Tx, users: Vec<i64>) -> Result<HashMap<(UserKey, Kind), PersonId>> {
    let sql = "SELECT user_id, kind, person_id FROM links WHERE slot = 0 AND user_id IN EACH_INT($1)";
    let read = |row: &crate::db::Row| Ok(((row.get(0)?, crate::records::kind(row.get(1)?)?), row.get(2)?));
    tx.query(sql, vec![Value::from(users)]).await?.iter().map(read).collect()
}
