//! Taking a planner's decisions in.

use super::stretch;
use crate::db::{OnConflict, Tx, Value};
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::records::kind_code;
use crate::records::links::Digests;
use crate::writing::{MANY, MIRROR, RECORDS};
use crate::{Store, Writing, values};
use model::plan::{Change, Decision, Outcome, Report, ReviewItem};
use model::{Field, RuleId, RunId, UserKey};
use std::collections::{HashMap, HashSet};

/// Which pass of planning decisions belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Linked users.
    Linked,
    /// Linked users decided once more after usernames were settled: the earlier decision goes.
    Again,
    /// Users without a link.
    Unlinked,
}

pub(super) const CHANGE: &[&str] = &[
    "id",
    "user_id",
    "person_id",
    "person_version",
    "verb",
    "kind",
    "rule",
    "removal",
    "returns",
    "rekey",
    "cause",
    "sets_username",
    "manager_ref",
    "unlink_user",
    "before_values",
    "set_values",
    "reasons",
    "link_after",
    "stands_for",
    "new_site",
];

/// How a manager who has no record yet stands in a change's new values.
const MANAGER_REF: &str = "user:";

impl Store {
    /// Begins planning a run: what an earlier attempt stored is wiped. Gives the number up to which touches are covered; touches
    /// that come later stay for the next plan.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::NotFound`].
    pub async fn begin_plan(&self, lease: &Lease, run: RunId, now: i64) -> Result<i64> {
        let mut tx = self.begin_fenced(lease).await?;
        wipe(&mut tx, run).await?;
        let sql = "UPDATE runs SET planned_seq = (SELECT touch_seq FROM tenants WHERE id = $2), planned_at = $3, users = 0,
                unchanged = 0, excluded = 0, in_review = 0, failed_users = 0, last_seq = 0, applied_through = $4
             WHERE id = $1 RETURNING planned_seq";
        let row = tx.query_opt(sql, values![run, lease.tenant, now, stretch(run).0]).await?;
        let row = row.ok_or_else(|| StoreError::missing("run", run))?;
        tx.commit().await?;
        if self.due_count(lease.tenant).await? > MANY {
            self.db.measure(&format!("{MIRROR}, {RECORDS}")).await?;
        }
        row.get(0)
    }

    /// Throws a plan away that will never be applied (superseded, stale), but for its counts and holds.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn drop_plan(&self, lease: &Lease, run: RunId) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        wipe(&mut tx, run).await?;
        tx.commit().await
    }

    /// Users of a run's plan, and the touches it covers, are settled without applying anything: for a plan without changes.
    /// Bookings are applied by [`Writing::finish`] as for any plan, so this is only for runs that end without it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn settle_due(&self, lease: &Lease, run: RunId) -> Result<()> {
        let mut tx = self.begin_fenced(lease).await?;
        settle(&mut tx, lease, run).await?;
        tx.commit().await
    }
}

impl Writing {
    /// Stores a batch of decisions: changes, reports and bookings of the run; standing, review items and waits of the users.
    /// `digest` is the effective policy's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn decisions(&mut self, run: RunId, digest: &str, pass: Pass, decisions: Vec<Decision>, now: i64) -> Result<()> {
        if decisions.is_empty() {
            return Ok(());
        }
        let (tx, lease) = (&mut self.tx, &self.lease);
        let users: Vec<i64> = decisions.iter().map(|d| d.user.0).collect();
        let mut tally = if pass == Pass::Again { undo(tx, run, &users).await? } else { Tally::default() };
        replace(tx, run, &decisions).await?;
        standings(tx, lease, digest, &decisions).await?;
        review_items(tx, lease, &users, &decisions, now).await?;
        waits(tx, lease, users, &decisions).await?;
        let (mut changes, mut bookings, mut reports, mut decided) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for decision in &decisions {
            let counted = Tally::of(decision);
            // Of users without a link only those can come again who wait, look for a manager, or name a new site.
            let may_come_again = || {
                let is_open = |c: &Change| c.new_site.is_some() || c.set.get(&Field::MANAGER).is_some_and(|m| m.is_string());
                decision.review.is_some() || decision.changes.iter().any(is_open)
            };
            if pass != Pass::Unlinked || may_come_again() {
                decided.push(values![run, decision.user, counted.code()]);
            }
            tally.add(&counted, 1);
        }
        let rows: usize = decisions.iter().map(|d| d.changes.len() + d.bookings.len() + d.reports.len()).sum();
        let sql = "UPDATE runs SET users = users + $2, unchanged = unchanged + $3, excluded = excluded + $4,
                in_review = in_review + $5, failed_users = failed_users + $6, last_seq = last_seq + $7
             WHERE id = $1 RETURNING last_seq";
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let params = values![run, tally.users, tally.unchanged, tally.excluded, tally.in_review, tally.failed, rows];
        let last = tx.query_opt(sql, params).await?.ok_or_else(|| StoreError::missing("run", run))?.get::<i64>(0)?;
        let mut id = stretch(run).0 + last - rows;
        for decision in decisions {
            for change in decision.changes {
                id += 1;
                changes.push(change_row(id, &change)?);
            }
            for (person, state) in decision.bookings {
                id += 1;
                bookings.push(vec![Value::Int(id), person.into(), decision.user.into(), Value::json(&state)?]);
            }
            for report in decision.reports {
                id += 1;
                reports.push(report_row(id, &report));
            }
        }
        tx.insert_many("changes", CHANGE, changes, OnConflict::Fail).await?;
        tx.insert_many("bookings", &["id", "person_id", "user_id", "link_after"], bookings, OnConflict::Fail).await?;
        tx.insert_many("reports", &["id", "user_id", "field", "why", "detail"], reports, OnConflict::Fail).await?;
        let recount = OnConflict::Do("(run_id, user_id) DO UPDATE SET counted = excluded.counted");
        tx.insert_many("decided", &["run_id", "user_id", "counted"], decided, recount).await.map(|_| ())
    }
}

/// Touches covered by a plan are done with.
pub(crate) async fn settle(tx: &mut Tx, lease: &Lease, run: RunId) -> Result<()> {
    // Whoever is planned anew is as Entra has them again: a revert holds them no longer. A run that reverts covers no touches, and one
    // of review plans the users it was made for and no others. Whose changes wait in a plan that is held stays due (rulings 3 and 86).
    const COVERED: &str = "SELECT d.user_id FROM due d JOIN runs r ON r.id = $2
         WHERE d.tenant_id = $1 AND d.seq <= r.planned_seq AND r.kind <> 'revert'
           AND (r.kind <> 'review' OR EXISTS (SELECT 1 FROM review_items i WHERE i.user_id = d.user_id AND i.run_id = r.id))
           AND NOT EXISTS (SELECT 1 FROM runs h JOIN changes c ON c.id > h.id * 4294967296 AND c.id < (h.id + 1) * 4294967296
            WHERE h.tenant_id = $1 AND h.state = 'held' AND h.id <> $2 AND c.user_id = d.user_id)";
    // Few are reverted or asked about, and everybody may be due: one by one, each is looked for among these.
    let sql = format!("DELETE FROM reverted WHERE tenant_id = $1 AND EXISTS ({COVERED} AND d.user_id = reverted.user_id)");
    tx.execute(&sql, values![lease.tenant, run]).await?;
    // Whoever was chosen a record has it now; who failed, or is out of scope meanwhile, has it coming.
    let sql = format!(
        "UPDATE review_items SET state = 'resolved', changed_at = COALESCE((SELECT planned_at FROM runs WHERE id = $2), changed_at)
         WHERE tenant_id = $1 AND state = 'decided' AND EXISTS ({COVERED} AND d.user_id = review_items.user_id)
           AND EXISTS (SELECT 1 FROM standing s WHERE s.user_id = review_items.user_id AND s.outcome = 'synced')"
    );
    tx.execute(&sql, values![lease.tenant, run]).await?;
    let sql = format!("DELETE FROM due WHERE tenant_id = $1 AND user_id IN ({COVERED})");
    tx.execute(&sql, values![lease.tenant, run]).await?;
    tx.execute("DELETE FROM decided WHERE run_id = $1", values![run]).await.map(|_| ())
}

pub(super) async fn wipe(tx: &mut Tx, run: RunId) -> Result<()> {
    let (from, to) = stretch(run);
    for table in ["changes", "bookings", "reports"] {
        tx.execute(&format!("DELETE FROM {table} WHERE id > $1 AND id <= $2"), values![from, to]).await?;
    }
    tx.execute("DELETE FROM outcomes WHERE change_id > $1 AND change_id <= $2", values![from, to]).await?;
    tx.execute("DELETE FROM decided WHERE run_id = $1", values![run]).await.map(|_| ())
}

/// Takes back what was stored of these users in this run; gives what their counting has to be corrected by.
async fn undo(tx: &mut Tx, run: RunId, users: &[i64]) -> Result<Tally> {
    let (from, to) = stretch(run);
    for table in ["changes", "bookings", "reports"] {
        let sql = format!("DELETE FROM {table} WHERE id > $1 AND id <= $2 AND user_id IN EACH_INT($3)");
        tx.execute(&sql, values![from, to, users.to_vec()]).await?;
    }
    let mut tally = Tally::default();
    let sql = "SELECT counted FROM decided WHERE run_id = $1 AND user_id IN EACH_INT($2)";
    for row in tx.query(sql, values![run, users.to_vec()]).await? {
        tally.add(&Tally::from_code(row.get(0)?), -1);
    }
    Ok(tally)
}

/// Earlier rows of this plan that a decision takes the place of: a record has at most one change in a plan (rulings 8 and 54).
async fn replace(tx: &mut Tx, run: RunId, decisions: &[Decision]) -> Result<()> {
    let persons: Vec<i64> = decisions.iter().flat_map(|d| d.replaces.iter().map(|p| p.0)).collect();
    if persons.is_empty() {
        return Ok(());
    }
    let (from, to) = stretch(run);
    for table in ["changes", "bookings"] {
        let sql = format!("DELETE FROM {table} WHERE person_id IN EACH_INT($3) AND id > $1 AND id <= $2");
        tx.execute(&sql, values![from, to, persons.clone()]).await?;
    }
    Ok(())
}

/// Writes where users stand, where that differs from before.
async fn standings(tx: &mut Tx, lease: &Lease, digest: &str, decisions: &[Decision]) -> Result<()> {
    let users: Vec<i64> = decisions.iter().map(|d| d.user.0).collect();
    let mut known: HashMap<i64, (String, Option<String>, Option<String>)> = HashMap::new();
    let sql = "SELECT user_id, outcome, excluded_by, rule FROM standing WHERE user_id IN EACH_INT($1)";
    for mut row in tx.query(sql, values![users]).await? {
        known.insert(row.get(0)?, (row.take_text(1)?, row.get(2)?, row.get(3)?));
    }
    let digests = Digests::of(tx, std::iter::once(digest)).await?;
    let mut rows = Vec::new();
    for decision in decisions {
        let standing = &decision.standing;
        let rule = standing.rule.as_ref().map(RuleId::as_str);
        let same = known.get(&decision.user.0).is_some_and(|(outcome, excluded_by, known_rule)| {
            outcome == standing.outcome.as_str() && *excluded_by == standing.excluded_by && known_rule.as_deref() == rule
        });
        if !same {
            let row = values![
                decision.user,
                lease.tenant,
                standing.outcome.as_str(),
                standing.excluded_by.as_deref(),
                rule,
                digests.id(digest),
            ];
            rows.push((decision.user, row));
        }
    }
    // Neighbours in the table go in one after the other.
    rows.sort_unstable_by_key(|(user, _)| *user);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    let columns = &["user_id", "tenant_id", "outcome", "excluded_by", "rule", "digest_id"];
    let over = OnConflict::Do(
        "(user_id) DO UPDATE SET outcome = excluded.outcome, excluded_by = excluded.excluded_by, rule = excluded.rule,
            digest_id = excluded.digest_id",
    );
    tx.insert_many("standing", columns, rows, over).await.map(|_| ())
}

/// Opens, refreshes and closes review items. What a person dismissed stays dismissed.
async fn review_items(tx: &mut Tx, lease: &Lease, users: &[i64], decisions: &[Decision], now: i64) -> Result<()> {
    let mut open: HashSet<UserKey> = HashSet::new();
    let sql = "SELECT user_id FROM review_items WHERE user_id IN EACH_INT($1) AND state = 'open'";
    for row in tx.query(sql, values![users.to_vec()]).await? {
        open.insert(row.get(0)?);
    }
    let mut rows = Vec::new();
    for decision in decisions {
        match &decision.review {
            Some(item) => {
                open.remove(&decision.user);
                rows.push(review_row(lease, item, now)?);
            }
            None => continue,
        }
    }
    let columns =
        &["tenant_id", "user_id", "state", "why", "rule", "kind", "candidates", "evidence", "other", "opened_at", "changed_at"];
    // An item that says the same as before is not written again; a closed one opens anew. What a person chose for a kind of record
    // stays beside the question, until it is written or somebody decides otherwise.
    let refresh = OnConflict::Do(
        "(user_id) DO UPDATE SET state = 'open', why = excluded.why, rule = excluded.rule, kind = excluded.kind,
            candidates = excluded.candidates, evidence = excluded.evidence, other = excluded.other,
            opened_at = CASE WHEN review_items.state = 'open' THEN review_items.opened_at ELSE excluded.opened_at END,
            changed_at = excluded.changed_at
         WHERE review_items.state <> 'dismissed' AND (review_items.state <> 'open' OR review_items.why <> excluded.why
            OR review_items.candidates <> excluded.candidates OR review_items.evidence <> excluded.evidence
            OR COALESCE(review_items.rule, '') <> COALESCE(excluded.rule, '') OR review_items.kind <> excluded.kind
            OR COALESCE(review_items.other, '') <> COALESCE(excluded.other, ''))",
    );
    tx.insert_many("review_items", columns, rows, refresh).await?;
    if !open.is_empty() {
        let gone: Vec<i64> = open.into_iter().map(|user| user.0).collect();
        let sql = "UPDATE review_items SET state = CASE WHEN resolution IS NULL THEN 'closed' ELSE 'decided' END, changed_at = $2
             WHERE user_id IN EACH_INT($1) AND state = 'open'";
        tx.execute(sql, values![gone, now]).await?;
    }
    Ok(())
}

pub(crate) fn review_row(lease: &Lease, item: &ReviewItem, now: i64) -> Result<Vec<Value>> {
    Ok(vec![
        lease.tenant.into(),
        item.user.into(),
        "open".into(),
        item.why.as_str().into(),
        item.rule.as_ref().map(RuleId::as_str).into(),
        item.kind.as_str().into(),
        Value::json(&item.candidates)?,
        Value::json(&item.evidence)?,
        item.other.as_ref().map(|id| id.as_str()).into(),
        now.into(),
        now.into(),
    ])
}

async fn waits(tx: &mut Tx, lease: &Lease, users: Vec<i64>, decisions: &[Decision]) -> Result<()> {
    tx.execute("DELETE FROM waits WHERE user_id IN EACH_INT($1)", values![users]).await?;
    let mut rows = Vec::new();
    for decision in decisions {
        for wait in &decision.waits {
            let (kind, key) = wait.parts();
            rows.push(values![decision.user, kind, key.replace('\0', "\u{fffd}"), lease.tenant]);
        }
    }
    tx.insert_many("waits", &["user_id", "kind", "wait_key", "tenant_id"], rows, OnConflict::Skip).await.map(|_| ())
}

pub(super) fn change_row(id: i64, change: &Change) -> Result<Vec<Value>> {
    let manager = change.set.get(&Field::MANAGER).and_then(|v| v.as_str()).and_then(|v| v.strip_prefix(MANAGER_REF));
    Ok(vec![
        Value::Int(id),
        change.user.into(),
        change.record.into(),
        change.record_version.into(),
        change.verb.as_str().into(),
        kind_code(change.kind).into(),
        change.rule.as_ref().map(RuleId::as_str).into(),
        change.effects.removal.into(),
        change.effects.returns.into(),
        change.effects.rekey.into(),
        change.effects.cause.map(|c| c.as_str()).into(),
        change.set.contains_key(&Field::USERNAME).into(),
        manager.into(),
        change.unlink.into(),
        Value::json(&change.before)?,
        Value::json(&change.set)?,
        Value::json(&change.reasons)?,
        change.link.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
        if change.stands_for.is_empty() { Value::Null } else { Value::json(&change.stands_for)? },
        change.new_site.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
    ])
}

pub(super) fn report_row(id: i64, report: &Report) -> Vec<Value> {
    values![id, report.user, report.field.as_ref().map(Field::as_str), report.why.as_str(), report.detail.as_str()]
}

/// How users count in a run.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    users: i64,
    unchanged: i64,
    excluded: i64,
    in_review: i64,
    failed: i64,
}

impl Tally {
    fn of(decision: &Decision) -> Self {
        let mut tally = Self { users: 1, ..Self::default() };
        let quiet = decision.changes.is_empty();
        tally.in_review = i64::from(decision.review.is_some());
        match decision.standing.outcome {
            Outcome::Failed => tally.failed = 1,
            Outcome::Excluded if quiet => tally.excluded = 1,
            // Somebody whom a person has dismissed waits for nobody: nothing is to change.
            Outcome::Synced | Outcome::Gone | Outcome::InReview if quiet && decision.review.is_none() => tally.unchanged = 1,
            _ => {}
        }
        tally
    }

    fn code(self) -> i64 {
        self.unchanged | self.excluded << 1 | self.in_review << 2 | self.failed << 3
    }

    fn from_code(code: i64) -> Self {
        let bit = |n: i64| code >> n & 1;
        Self { users: 1, unchanged: bit(0), excluded: bit(1), in_review: bit(2), failed: bit(3) }
    }

    fn add(&mut self, other: &Self, sign: i64) {
        self.users += sign * other.users;
        self.unchanged += sign * other.unchanged;
        self.excluded += sign * other.excluded;
        self.in_review += sign * other.in_review;
        self.failed += sign * other.failed;
    }
}
