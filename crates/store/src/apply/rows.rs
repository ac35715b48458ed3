//! From a plan's rows to the records they make: everything that can be known before writing.

use super::Place;
use crate::db::Tx;
use crate::error::Result;
use crate::lease::Lease;
use crate::plan::stretch;
use crate::records::{clients, kind, people};
use crate::values;
use model::address::AddressKey;
use model::plan::{LinkState, NewSite};
use model::records::{Fields, Person};
use model::{Field, Kind, PersonId, RuleId, Status, UserKey, Value, text};
use std::collections::{HashMap, HashSet};

/// A change that is to be applied.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub id: i64,
    pub user: UserKey,
    pub source_id: String,
    pub record: Option<PersonId>,
    pub record_version: i64,
    pub kind: Kind,
    pub rule: Option<RuleId>,
    pub removal: bool,
    pub returns: bool,
    pub sets_username: bool,
    pub manager_ref: Option<String>,
    pub new_site: Option<NewSite>,
    pub set: Fields,
    pub link: Option<LinkState>,
}

/// A change with the record it makes.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub row: Pending,
    pub before: Option<Person>,
    pub after: Person,
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

pub(super) async fn pending(tx: &mut Tx, after: i64, to: i64, limit: i64) -> Result<Vec<Pending>> {
    // Looked up one by one and not joined: right after planning PostgreSQL does not know how large the plan is.
    let sql = "SELECT c.id, c.user_id, (SELECT u.source_id FROM mirror_users u WHERE u.id = c.user_id), c.person_id,
            c.person_version, c.kind, c.rule, c.removal, c.returns, c.sets_username, c.manager_ref, c.set_values, c.link_after,
            c.new_site
         FROM changes c
         WHERE c.id > $1 AND c.id <= $2 ORDER BY c.id LIMIT $3";
    let mut rows = Vec::new();
    for row in tx.query(sql, values![after, to, limit]).await? {
        rows.push(Pending {
            id: row.get(0)?,
            user: row.get(1)?,
            source_id: row.get::<Option<_>>(2)?.unwrap_or_default(),
            record: row.get(3)?,
            record_version: row.get(4)?,
            kind: kind(row.get(5)?)?,
            rule: row.get::<Option<String>>(6)?.map(RuleId),
            removal: row.get(7)?,
            returns: row.get(8)?,
            sets_username: row.get(9)?,
            manager_ref: row.get(10)?,
            set: row.json(11)?,
            link: row.json_opt(12)?,
            new_site: row.json_opt(13)?,
        });
    }
    Ok(rows)
}

pub(super) async fn prepare(tx: &mut Tx, lease: &Lease, place: Place, pending: Vec<Pending>) -> Result<Prepared> {
    let mut known = people::load(tx, pending.iter().filter_map(|row| row.record.map(|id| id.0)).collect()).await?;
    let creates = pending.iter().filter(|row| row.record.is_none()).count();
    let mut fresh = tx.fresh_ids("people", creates).await?;
    let mut prepared = Prepared::default();
    for mut row in pending {
        match make(&mut row, &mut known, &mut fresh) {
            Ok((before, after)) => prepared.ready.push(Ready { row, before, after }),
            Err(why) => prepared.failed.push(Failed { row, why }),
        }
    }
    sites(tx, &mut prepared.ready).await?;
    managers(tx, lease, &mut prepared.ready).await?;
    usernames(tx, place, &mut prepared).await?;
    Ok(prepared)
}

/// The record before and after a change, whose new values it takes.
fn make(
    row: &mut Pending,
    known: &mut HashMap<PersonId, Person>,
    fresh: &mut impl Iterator<Item = i64>,
) -> Result<(Option<Person>, Person), String> {
    let (before, mut after) = match row.record {
        None => {
            let id = fresh.next().ok_or("No id could be given to the record.")?;
            (None, blank(PersonId(id), row.kind))
        }
        Some(id) => {
            let before = known.remove(&id).ok_or_else(|| format!("Record {id} does not exist any more."))?;
            if before.version != row.record_version {
                return Err(format!("Record {id} was changed since the plan was made. The next run plans it again."));
            }
            (Some(before.clone()), before)
        }
    };
    for (field, value) in std::mem::take(&mut row.set) {
        if field == Field::MANAGER && row.manager_ref.is_some() {
            continue; // Resolved below, once it is known which records this batch makes.
        }
        if field == Field::SITE && row.new_site.is_some() {
            continue; // Found or made below.
        }
        after.set(&field, value).map_err(|e| format!("{e}."))?;
    }
    after.version += 1;
    Ok((before, after))
}

fn blank(id: PersonId, kind: Kind) -> Person {
    Person {
        id,
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
    let mut records = managers_records(tx, lease, wanted.iter().cloned().collect()).await?;
    for one in ready.iter().filter(|r| r.row.link.is_some() && wanted.contains(&r.row.source_id)) {
        records.entry(one.row.source_id.clone()).or_insert(one.after.id);
    }
    for one in ready.iter_mut() {
        if let Some(record) = one.row.manager_ref.as_ref().and_then(|id| records.get(id)) {
            one.after.fields.insert(Field::MANAGER, Value::from(record.0));
            if let Some(link) = &mut one.row.link {
                link.decided.insert(Field::MANAGER, Value::from(record.0));
            }
        }
    }
    Ok(())
}

/// Live records by linked user; of two, the agent's.
pub(super) async fn managers_records(tx: &mut Tx, lease: &Lease, ids: Vec<String>) -> Result<HashMap<String, PersonId>> {
    let sql = "SELECT u.source_id, l.person_id FROM mirror_users u JOIN links l ON l.user_id = u.id AND l.slot = 0
         WHERE u.tenant_id = $1 AND u.source_id IN EACH_TEXT($2) ORDER BY l.kind";
    let mut records = HashMap::new();
    for mut row in tx.query(sql, values![lease.tenant, ids]).await? {
        let record = row.get(1)?;
        records.entry(row.take_text(0)?).or_insert(record);
    }
    Ok(records)
}

/// Checks usernames against live records once more: between planning and now another tenant, or a person, may have taken one.
async fn usernames(tx: &mut Tx, place: Place, prepared: &mut Prepared) -> Result<()> {
    let key = |r: &Ready| {
        (r.row.sets_username && r.after.status != Status::Archived).then(|| r.after.username.as_deref().map(text::fold)).flatten()
    };
    let keys: Vec<String> = prepared.ready.iter().filter_map(key).collect();
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
        let held = holders.get(&key(r)?)?;
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
