//! Writing prepared changes: all at once, or one by one where the database refuses one of them.

use super::rows::{Failed, HeldBack, Ready, writer};
use super::{Care, Place};
use crate::db::{OnConflict, Tx, Value};
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::records::keys;
use crate::records::links::{self, Digests};
use crate::records::people::{self, NewRow, Remote};
use crate::values;
use model::reason::Reason;
use model::records::Person;
use model::{PersonId, RuleId, Status};

#[derive(Debug, Default)]
pub(super) struct Written {
    pub applied: u64,
    pub wakes: Vec<(&'static str, String)>,
    /// Who got a record or another one, where somebody waits.
    users: Vec<i64>,
}

const OUTCOME: &[&str] = &["change_id", "person_id", "failed", "error", "at"];
const BULK: &str = "bulk";
const SINGLE: &str = "single";

/// Writes what is ready. Rows that the database refuses are added to `failed`, if they are written with care. `wakes`: somebody waits
/// for something, so that what may end a wait is told.
pub(super) async fn all(
    tx: &mut Tx,
    lease: &Lease,
    place: Place,
    mut ready: Vec<Ready>,
    care: Care,
    wakes: bool,
    failed: &mut Vec<Failed>,
) -> Result<Written> {
    let mut written = Written::default();
    if ready.is_empty() {
        return Ok(written);
    }
    let keys = if wakes { Some(keys::fields(tx).await?) } else { None };
    let keys = keys.as_deref();
    let all = match care {
        Care::Together => write(tx, lease, place, &mut ready).await.map(|()| true)?,
        Care::Singly => attempt(tx, lease, place, &mut ready, BULK).await?.is_none(),
    };
    if all {
        for one in &ready {
            written.note(one, keys);
        }
        written.tell_users(tx).await?;
        return Ok(written);
    }
    // Somebody in the batch is refused: one by one tells who.
    for mut one in ready {
        match attempt(tx, lease, place, std::slice::from_mut(&mut one), SINGLE).await? {
            None => written.note(&one, keys),
            Some(why) => failed.push(Failed { row: one.row, why }),
        }
    }
    written.tell_users(tx).await?;
    Ok(written)
}

impl Written {
    /// Counts a change, and notes what it may wake where somebody waits. `keys` are the fields people are matched by.
    fn note(&mut self, one: &Ready, keys: Option<&[model::Field]>) {
        self.applied += 1;
        let Some(keys) = keys else { return };
        self.wakes.extend(people::wakes(one.before.as_ref(), &one.after, keys));
        if one.before.is_none() || one.row.link.is_some() {
            self.users.push(one.row.user.0);
        }
    }

    /// Notes that somebody may have waited for these users' records: managers are waited for by their source ids.
    async fn tell_users(&mut self, tx: &mut Tx) -> Result<()> {
        if self.users.is_empty() {
            return Ok(());
        }
        let sql = "SELECT source_id FROM mirror_users WHERE id IN EACH_INT($1)";
        for mut row in tx.query(sql, values![std::mem::take(&mut self.users)]).await? {
            self.wakes.push(("user", row.take_text(0)?));
        }
        Ok(())
    }
}

/// Writes some rows, or none of them and gives the database's reason.
async fn attempt(tx: &mut Tx, lease: &Lease, place: Place, rows: &mut [Ready], name: &str) -> Result<Option<String>> {
    tx.execute(&format!("SAVEPOINT {name}"), ()).await?;
    match write(tx, lease, place, rows).await {
        Ok(()) => {
            tx.execute(&format!("RELEASE SAVEPOINT {name}"), ()).await?;
            Ok(None)
        }
        Err(StoreError::Constraint(why) | StoreError::Invalid(why)) => {
            tx.execute(&format!("ROLLBACK TO SAVEPOINT {name}"), ()).await?;
            tx.execute(&format!("RELEASE SAVEPOINT {name}"), ()).await?;
            Ok(Some(format!("The database refused the record: {why}")))
        }
        Err(other) => Err(other),
    }
}

async fn write(tx: &mut Tx, lease: &Lease, place: Place, rows: &mut [Ready]) -> Result<()> {
    let (by, here) = (writer(place.run), Remote::here());
    let new_rows: Vec<_> = rows.iter_mut().map(|one| one.new_row.take()).collect();
    let rows = &*rows;
    let (mut created, mut changed, mut readdressed) = (Vec::new(), Vec::new(), Vec::new());
    for (one, new_row) in rows.iter().zip(new_rows) {
        match &one.before {
            None => created.push((&one.after, new_row.map_or_else(|| NewRow::of(&one.after, &here, &by), Ok)?)),
            Some(before) => {
                if before.fields.get(&model::Field::ADDITIONAL_EMAILS) != one.after.fields.get(&model::Field::ADDITIONAL_EMAILS) {
                    readdressed.push(one.after.id);
                }
                changed.push(&one.after);
            }
        }
    }
    people::insert_made(tx, created, place.now).await?;
    people::update(tx, &changed, &readdressed, &by, place.now).await?;
    if !changed.is_empty() {
        crate::plan::follow_rejection(tx, lease.tenant, changed.iter().map(|p| p.id.0).collect()).await?;
    }
    write_links(tx, lease, rows).await?;
    ledger(tx, lease, place, rows).await?;
    let outcomes = rows.iter().map(|r| values![r.row.id, r.after.id, 0, Value::Null, place.now]).collect();
    tx.insert_many("outcomes", OUTCOME, outcomes, OnConflict::Fail).await.map(|_| ())
}

async fn write_links(tx: &mut Tx, lease: &Lease, rows: &[Ready]) -> Result<()> {
    let stamps = rows.iter().filter_map(|r| r.row.link.as_ref()?.policy_digest.as_deref());
    let digests = Digests::of(tx, stamps).await?;
    let (mut linked, mut unlinked) = (Vec::new(), Vec::new());
    for one in rows {
        let Person { id, kind, status, .. } = one.after;
        match &one.row.link {
            Some(state) => {
                let live = status != Status::Archived;
                linked.push(links::row(id, lease.tenant, one.row.user, kind, live, state, &digests)?);
            }
            None => unlinked.push(id.0),
        }
    }
    if !unlinked.is_empty() {
        tx.execute("DELETE FROM links WHERE person_id IN EACH_INT($1)", values![unlinked]).await?;
    }
    tx.insert_many("links", links::ROW, linked, OnConflict::Do(links::REPLACE)).await.map(|_| ())
}

/// Removals are remembered for a day, returns strike them out (rulings 82 and 109).
async fn ledger(tx: &mut Tx, lease: &Lease, place: Place, rows: &[Ready]) -> Result<()> {
    let removals: Vec<_> = rows
        .iter()
        .filter(|r| r.row.removal)
        .map(|r| values![lease.tenant, r.after.id, place.now, place.run, place.approved, false])
        .collect();
    let columns = &["tenant_id", "person_id", "at", "run_id", "approved", "undone"];
    tx.insert_many("removals", columns, removals, OnConflict::Fail).await?;
    let returns: Vec<i64> = rows.iter().filter(|r| r.row.returns).map(|r| r.after.id.0).collect();
    if !returns.is_empty() {
        tx.execute("UPDATE removals SET undone = 1 WHERE undone = 0 AND person_id IN EACH_INT($1)", values![returns]).await?;
    }
    Ok(())
}

/// Journals what was not written.
pub(super) async fn journal_failures(tx: &mut Tx, place: Place, failed: &[Failed]) -> Result<()> {
    let rows = failed.iter().map(|f| values![f.row.id, f.row.record, 1, f.why.as_str(), place.now]).collect();
    tx.insert_many("outcomes", OUTCOME, rows, OnConflict::Fail).await.map(|_| ())
}

/// Opens a review item for each lost username.
pub(super) async fn hold_back(tx: &mut Tx, lease: &Lease, place: Place, held_back: &[HeldBack]) -> Result<()> {
    if held_back.is_empty() {
        return Ok(());
    }
    let (mut items, mut waits, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for one in held_back {
        let evidence = vec![Reason::UsernameTaken { username: one.username.clone(), holder: Some(one.holder) }];
        let candidates: Vec<PersonId> = vec![one.holder];
        items.push(vec![
            lease.tenant.into(),
            one.row.user.into(),
            "open".into(),
            "username_taken".into(),
            one.row.rule.as_ref().map(RuleId::as_str).into(),
            one.row.kind.as_str().into(),
            Value::json(&candidates)?,
            Value::json(&evidence)?,
            place.now.into(),
            place.now.into(),
        ]);
        waits.push(values![one.row.user, "username", model::text::fold(&one.username), lease.tenant]);
        if !one.written {
            let why = format!("The username {} was taken by record {} meanwhile; a person is asked.", one.username, one.holder);
            outcomes.push(values![one.row.id, Value::Null, 2, why, place.now]);
        }
    }
    let columns = &["tenant_id", "user_id", "state", "why", "rule", "kind", "candidates", "evidence", "opened_at", "changed_at"];
    let over = OnConflict::Do(
        "(user_id) DO UPDATE SET state = 'open', why = excluded.why, rule = excluded.rule, kind = excluded.kind,
            candidates = excluded.candidates, evidence = excluded.evidence, changed_at = excluded.changed_at",
    );
    tx.insert_many("review_items", columns, items, over).await?;
    tx.insert_many("waits", &["user_id", "kind", "wait_key", "tenant_id"], waits, OnConflict::Skip).await?;
    tx.insert_many("outcomes", OUTCOME, outcomes, OnConflict::Fail).await?;
    let n = i64::try_from(held_back.len()).unwrap_or(i64::MAX);
    tx.execute("UPDATE runs SET in_review = in_review + $2 WHERE id = $1", values![place.run, n]).await.map(|_| ())
}
