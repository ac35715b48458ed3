//! From a plan's rows to the records they make: everything that can be known before writing.

use super::Place;
use crate::db::Tx;
use crate::error::Result;
use crate::lease::Lease;
use crate::plan::stretch;
use crate::records::people::{self, NewRow, Remote};
use crate::records::{clients, kind};
use crate::values;
use model::address::AddressKey;
use model::plan::{LinkState, NewSite};
use model::records::{Fields, Person};
use model::{Field, Kind, PersonId, RuleId, RunId, Status, UserKey, Value, text};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A change that is to be applied.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub id: i64,
    pub user: UserKey,
    pub record: Option<PersonId>,
    pub record_version: i64,
    pub kind: Kind,
    pub rule: Option<RuleId>,
    pub removal: bool,
    pub returns: bool,
    pub sets_username: bool,
    pub manager_ref: Option<String>,
    pub new_site: Option<NewSite>,
    /// For a new record these are used up: it is made already.
    pub set: Fields,
    pub made: Option<Result<Made, String>>,
    pub link: Option<LinkState>,
}

/// A new record without its id, which it gets when it is written; or why there can be none.
#[derive(Debug, Clone)]
pub(super) struct Made {
    person: Person,
    row: NewRow,
}

/// A change with the record it makes.
#[derive(Debug)]
pub(super) struct Ready {
    pub row: Pending,
    pub before: Option<Person>,
    pub after: Person,
    /// A new record's row, if it stands as it was made.
    pub new_row: Option<NewRow>,
}

impl Ready {
    /// The folded username, if the change takes one.
    fn username_key(&self) -> Option<Cow<'_, str>> {
        if !self.row.sets_username || self.after.status == Status::Archived {
            return None;
        }
        match &self.new_row {
            Some(row) => row.username_key().map(Cow::Borrowed),
            None => self.after.username.as_deref().map(text::fold).map(Cow::Owned),
        }
    }
}

/// A change that cannot be applied, and why.
#[derive(Debug)]
pub(super) struct Failed {
    pub row: Pending,
    pub why: String,
}

/// A change whose username somebody else has taken since it was planned.
#[derive(Debug)]
pub(super) struct HeldBack {
    pub row: Pending,
    pub username: String,
    pub holder: PersonId,
    /// The record was written all the same, without the username.
    pub written: bool,
}

/// A record that holds a username which a change takes.
struct Holder {
    person: PersonId,
    /// Whom it is linked to.
    user: Option<UserKey>,
    kind: Kind,
    /// The form of its e-mail by which it is matched.
    address: Option<String>,
}

impl Holder {
    /// Whether a new record is made beside this one: of the other kind, linked to nobody, and of the same address, it was matched with
    /// the user when the plan was made. Where the policy wanted it archived or asked about, the plan would say so (ruling 48).
    fn is_beside(&self, made: &Ready) -> bool {
        let address = made.after.email.as_deref().and_then(AddressKey::of);
        made.before.is_none()
            && self.user.is_none()
            && self.kind != made.after.kind
            && address.is_some_and(|made| self.address.as_deref() == Some(made.as_str()))
    }
}

#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub ready: Vec<Ready>,
    pub failed: Vec<Failed>,
    pub held_back: Vec<HeldBack>,
}

/// The changes of a run after one of them. New records are made here, which is most of the work and may be done while others are
/// written.
pub(super) async fn pending(tx: &mut Tx, run: RunId, after: i64, limit: i64) -> Result<Vec<Pending>> {
    let sql = "SELECT c.id, c.user_id, c.person_id, c.person_version, c.kind, c.rule, c.removal, c.returns, c.sets_username,
            c.manager_ref, c.set_values, c.link_after, c.new_site
         FROM changes c
         WHERE c.id > $1 AND c.id <= $2 ORDER BY c.id LIMIT $3";
    let (by, here) = (writer(run), Remote::here());
    let mut rows = Vec::new();
    for row in tx.query(sql, values![after, stretch(run).1, limit]).await? {
        let mut change = Pending {
            id: row.get(0)?,
            user: row.get(1)?,
            record: row.get(2)?,
            record_version: row.get(3)?,
            kind: kind(row.get(4)?)?,
            rule: row.get(5)?,
            removal: row.get(6)?,
            returns: row.get(7)?,
            sets_username: row.get(8)?,
            manager_ref: row.get(9)?,
            set: row.json(10)?,
            made: None,
            link: row.json_opt(11)?,
            new_site: row.json_opt(12)?,
        };
        if change.record.is_none() {
            change.made = Some(change.make(&here, &by));
        }
        rows.push(change);
    }
    Ok(rows)
}

/// Who is said to have written what a run writes.
pub(super) fn writer(run: RunId) -> String {
    format!("sync run {run}")
}

impl Pending {
    /// The new record that the change makes, with its values used up.
    fn make(&mut self, from: &Remote, by: &str) -> Result<Made, String> {
        let mut person = blank(self.kind);
        self.write_into(&mut person)?;
        let row = NewRow::of(&person, from, by).map_err(|e| e.to_string())?;
        Ok(Made { person, row })
    }

    /// Gives a record the values that are to be set, but for those that are found only when it is written.
    fn write_into(&mut self, person: &mut Person) -> Result<(), String> {
        for (field, value) in std::mem::take(&mut self.set) {
            if field == Field::MANAGER && self.manager_ref.is_some() {
                continue; // Found when it is written, once it is known which records its batch makes.
            }
            if field == Field::SITE && self.new_site.is_some() {
                continue; // Found or made when it is written.
            }
            person.set(&field, value).map_err(|e| format!("{e}."))?;
        }
        person.version += 1;
        Ok(())
    }
}

pub(super) async fn prepare(tx: &mut Tx, lease: &Lease, place: Place, pending: Vec<Pending>) -> Result<Prepared> {
    let mut known = people::load(tx, pending.iter().filter_map(|row| row.record.map(|id| id.0)).collect()).await?;
    let creates = pending.iter().filter(|row| row.record.is_none()).count();
    let mut fresh = tx.fresh_ids("people", creates).await?;
    let mut prepared = Prepared::default();
    for mut row in pending {
        match ready(&mut row, &mut known, &mut fresh) {
            Ok((before, after, new_row)) => prepared.ready.push(Ready { row, before, after, new_row }),
            Err(why) => prepared.failed.push(Failed { row, why }),
        }
    }
    sites(tx, &mut prepared.ready).await?;
    managers(tx, lease, &mut prepared.ready).await?;
    usernames(tx, place, &mut prepared).await?;
    Ok(prepared)
}

/// A change with the record before and after it; or why there is none.
fn ready(
    row: &mut Pending,
    known: &mut HashMap<PersonId, Person>,
    fresh: &mut impl Iterator<Item = i64>,
) -> Result<(Option<Person>, Person, Option<NewRow>), String> {
    let Some(id) = row.record else {
        let Made { mut person, row } = row.made.take().ok_or("The record was not made.")??;
        person.id = PersonId(fresh.next().ok_or("No id could be given to the record.")?);
        return Ok((None, person, Some(row)));
    };
    let before = known.remove(&id).ok_or_else(|| format!("Record {id} does not exist any more."))?;
    if before.version != row.record_version {
        return Err(format!("Record {id} was changed since the plan was made. The next run plans it again."));
    }
    let mut after = before.clone();
    row.write_into(&mut after)?;
    Ok((Some(before), after, None))
}

/// A record that is not made yet.
fn blank(kind: Kind) -> Person {
    Person {
        id: PersonId(0),
        kind,
        client: None,
        site: None,
        status: Status::Active,
        access: true,
        username: None,
        email: None,
        first_name: None,
        last_name: None,
        role: None,
        fields: Fields::new(),
        root: false,
        pinned: None,
        tickets: 0,
        invoices: 0,
        stands_for: Vec::new(),
        version: 0,
    }
}

/// Puts the sites that changes name in their places: made by the first, found by all others, in this batch or an earlier one (R04).
async fn sites(tx: &mut Tx, ready: &mut [Ready]) -> Result<()> {
    for one in ready {
        let Some(new) = &one.row.new_site else { continue };
        let site = clients::find_or_make_site(tx, new.client, &new.name).await?;
        one.after.site = Some(site.id);
        one.new_row = None;
        if let Some(link) = &mut one.row.link {
            link.decided.insert(Field::SITE, Value::from(site.id.0));
        }
    }
    Ok(())
}

/// Writes managers whose records exist, or come to exist with this batch. Others are resolved when the plan is finished.
async fn managers(tx: &mut Tx, lease: &Lease, ready: &mut [Ready]) -> Result<()> {
    let wanted: HashSet<String> = ready.iter().filter_map(|r| r.row.manager_ref.clone()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut records = HashMap::new();
    let mut here = HashMap::new();
    for (manager, (user, record)) in managers_records(tx, lease, wanted.into_iter().collect()).await? {
        match record {
            Some(record) => _ = records.insert(manager, record),
            None => _ = here.insert(user, manager),
        }
    }
    for one in ready.iter().filter(|r| r.row.link.is_some()) {
        if let Some(manager) = here.get(&one.row.user) {
            records.entry(manager.clone()).or_insert(one.after.id);
        }
    }
    for one in ready.iter_mut() {
        if let Some(record) = one.row.manager_ref.as_ref().and_then(|id| records.get(id)) {
            one.after.fields.insert(Field::MANAGER, Value::from(record.0));
            one.new_row = None;
            if let Some(link) = &mut one.row.link {
                link.decided.insert(Field::MANAGER, Value::from(record.0));
            }
        }
    }
    Ok(())
}

/// Users by source id, each with their live record if they are linked to one; of two, the agent's.
pub(super) async fn managers_records(
    tx: &mut Tx,
    lease: &Lease,
    ids: Vec<String>,
) -> Result<HashMap<String, (UserKey, Option<PersonId>)>> {
    let sql = "SELECT u.source_id, u.id, l.person_id FROM mirror_users u LEFT JOIN links l ON l.user_id = u.id AND l.slot = 0
         WHERE u.tenant_id = $1 AND u.source_id IN EACH_TEXT($2) ORDER BY l.kind";
    let mut records = HashMap::new();
    for mut row in tx.query(sql, values![lease.tenant, ids]).await? {
        let found = (row.get(1)?, row.get(2)?);
        records.entry(row.take_text(0)?).or_insert(found);
    }
    Ok(records)
}

/// Checks usernames against live records once more: between planning and now another tenant, or a person, may have taken one.
async fn usernames(tx: &mut Tx, place: Place, prepared: &mut Prepared) -> Result<()> {
    let keys: Vec<String> = prepared.ready.iter().filter_map(Ready::username_key).map(Cow::into_owned).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "SELECT p.username_key, p.id, l.user_id, p.kind, p.email_key FROM people p LEFT JOIN links l ON l.person_id = p.id
         WHERE p.username_key IN EACH_TEXT($1) AND p.status <> 2 ORDER BY p.id";
    let mut holders: HashMap<String, Vec<Holder>> = HashMap::new();
    for mut row in tx.query(sql, values![keys]).await? {
        let holder = Holder { person: row.get(1)?, user: row.get(2)?, kind: kind(row.get(3)?)?, address: row.get(4)? };
        holders.entry(row.take_text(0)?).or_default().push(holder);
    }
    if holders.is_empty() {
        return Ok(());
    }
    // A holder that this same plan gives another name, archives, or gives to the same user is not in the way: swaps, chains and two
    // records of one user are planned as one.
    let ids: Vec<i64> = holders.values().flatten().map(|holder| holder.person.0).collect();
    let (from, to) = stretch(place.run);
    let sql = "SELECT c.person_id, c.user_id, c.sets_username = 1 OR c.set_values LIKE '%\"status\":\"archived\"%' FROM changes c
         WHERE c.person_id IN EACH_INT($1) AND c.id > $2 AND c.id <= $3";
    let mut moving: HashSet<PersonId> = HashSet::new();
    let mut own: HashSet<(PersonId, UserKey)> = HashSet::new();
    for row in tx.query(sql, values![ids, from, to]).await? {
        let person: PersonId = row.get(0)?;
        own.insert((person, row.get(1)?));
        if row.get(2)? {
            moving.insert(person);
        }
    }
    let in_the_way = |r: &Ready| {
        let is_other =
            |h: &&Holder| h.person != r.after.id && h.user != Some(r.row.user) && !own.contains(&(h.person, r.row.user));
        let held = holders.get(r.username_key()?.as_ref())?;
        held.iter().filter(is_other).find(|h| !moving.contains(&h.person) && !h.is_beside(r)).map(|h| h.person)
    };
    let mut ready = Vec::with_capacity(prepared.ready.len());
    for mut one in std::mem::take(&mut prepared.ready) {
        let Some(holder) = in_the_way(&one) else {
            ready.push(one);
            continue;
        };
        let username = one.after.username.clone().unwrap_or_default();
        let written = one.before.is_some();
        prepared.held_back.push(HeldBack { row: one.row.clone(), username, holder, written });
        if let Some(before) = &one.before {
            // A linked record takes everything else and keeps its name (ruling 53).
            one.after.username.clone_from(&before.username);
            ready.push(one);
        }
    }
    prepared.ready = ready;
    Ok(())
}
