//! What is left once every change of a plan is written: bookings, managers whose records came late, and the users' settling.

use super::Place;
use super::rows::{managers_records, writer};
use crate::db::{Tx, Value};
use crate::error::Result;
use crate::lease::Lease;
use crate::plan::{remember, settle, stretch};
use crate::records::links::Digests;
use crate::records::people;
use crate::values;
use model::plan::LinkState;
use model::reason::Cause;
use model::{Field, PersonId, RuleId, UserKey};
use std::collections::HashMap;

const BOOKED: &[&str] =
    &["person_id", "applied_hash", "digest_id", "rule", "decided", "out_by_sync", "out_cause", "grace_since", "enabled_applied"];

/// One step; true when nothing is left.
pub(super) async fn step(tx: &mut Tx, lease: &Lease, place: Place, limit: i64) -> Result<bool> {
    if book(tx, place, limit).await? {
        return Ok(false);
    }
    late_managers(tx, lease, place, limit).await?;
    settle(tx, lease, place.run).await?;
    if place.reverts {
        remember(tx, lease, place.run).await?;
    }
    // What a person decided about somebody is not the first look at everybody (rulings 94 and 116).
    let sql = "UPDATE tenants SET first_applied_run = $2 WHERE id = $1 AND first_applied_run IS NULL
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = $2 AND r.kind = 'review')";
    tx.execute(sql, values![lease.tenant, place.run]).await?;
    Ok(true)
}

/// Moves the next bookings into their links; false when there were none.
async fn book(tx: &mut Tx, place: Place, limit: i64) -> Result<bool> {
    let (from, to) = stretch(place.run);
    let sql = "SELECT b.id, b.person_id, b.user_id, b.link_after, l.user_id FROM bookings b
         LEFT JOIN links l ON l.person_id = b.person_id WHERE b.id > $1 AND b.id <= $2 ORDER BY b.id LIMIT $3";
    let rows = tx.query(sql, values![from, to, limit]).await?;
    let Some(last) = rows.last() else { return Ok(false) };
    let last: i64 = last.get(0)?;
    let mut states = Vec::with_capacity(rows.len());
    for row in &rows {
        // A link that moved to somebody else since is not theirs to book on.
        if Some(row.get::<UserKey>(2)?) == row.get::<Option<UserKey>>(4)? {
            states.push((row.get::<PersonId>(1)?, row.json::<LinkState>(3)?));
        }
    }
    let digests = Digests::of(tx, states.iter().filter_map(|(_, s)| s.policy_digest.as_deref())).await?;
    let mut updates = Vec::with_capacity(states.len());
    for (person, state) in &states {
        let out = state.deactivated_by.as_ref();
        updates.push(vec![
            (*person).into(),
            state.applied_hash.into(),
            state.policy_digest.as_deref().and_then(|d| digests.id(d)).into(),
            state.rule.as_ref().map(RuleId::as_str).into(),
            Value::json(&state.decided)?,
            out.map(|o| o.by_sync).into(),
            out.and_then(|o| o.cause).map(Cause::as_str).into(),
            state.grace_since.into(),
            state.enabled_applied.into(),
        ]);
    }
    tx.update_many("links", BOOKED, updates).await?;
    tx.execute("DELETE FROM bookings WHERE id > $1 AND id <= $2", values![from, last]).await?;
    Ok(true)
}

/// Sets managers whose own records were made later in the same plan (ruling 11).
async fn late_managers(tx: &mut Tx, lease: &Lease, place: Place, limit: i64) -> Result<()> {
    let (mut after, to) = stretch(place.run);
    let sql = "SELECT c.manager_ref, o.person_id, c.id FROM changes c JOIN outcomes o ON o.change_id = c.id AND o.failed = 0
         WHERE c.manager_ref IS NOT NULL AND c.id > $1 AND c.id <= $2 ORDER BY c.id LIMIT $3";
    loop {
        let mut wanted = Vec::new();
        for mut row in tx.query(sql, values![after, to, limit]).await? {
            let person: PersonId = row.get(1)?;
            after = row.get(2)?;
            wanted.push((row.take_text(0)?, person));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        set_managers(tx, lease, place, wanted).await?;
    }
}

/// Sets these records' managers, given by the managers' source ids, where they have a record and are not set already.
async fn set_managers(tx: &mut Tx, lease: &Lease, place: Place, wanted: Vec<(String, PersonId)>) -> Result<()> {
    let records = managers_records(tx, lease, wanted.iter().map(|(id, _)| id.clone()).collect()).await?;
    let mut people = people::load(tx, wanted.iter().map(|(_, person)| person.0).collect()).await?;
    let (mut changed, mut resolved) = (Vec::new(), HashMap::new());
    for (manager, person) in wanted {
        if let (Some((_, Some(record))), Some(mut person)) = (records.get(&manager), people.remove(&person)) {
            let value = model::Value::from(record.0);
            if person.fields.get(&Field::MANAGER) != Some(&value) {
                person.fields.insert(Field::MANAGER, value.clone());
                person.version += 1;
                resolved.insert(person.id, value);
                changed.push(person);
            }
        }
    }
    book_managers(tx, &resolved).await?;
    people::update(tx, &changed.iter().collect::<Vec<_>>(), &[], &writer(place.run), place.now).await
}

/// Links remember the record that was decided on, so that the next plan finds nothing to do.
async fn book_managers(tx: &mut Tx, resolved: &HashMap<PersonId, model::Value>) -> Result<()> {
    let keys: Vec<i64> = resolved.keys().map(|person| person.0).collect();
    let sql = "SELECT person_id, decided FROM links WHERE person_id IN EACH_INT($1)";
    let mut updates = Vec::new();
    for row in tx.query(sql, values![keys]).await? {
        let person: PersonId = row.get(0)?;
        let mut decided: model::Fields = row.json(1)?;
        if let Some(manager) = resolved.get(&person) {
            decided.insert(Field::MANAGER, manager.clone());
            updates.push(vec![person.into(), Value::json(&decided)?]);
        }
    }
    tx.update_many("links", &["person_id", "decided"], updates).await.map(|_| ())
}
