//! Users of the mirror: writing what a page told, reading one or a page of them.

use super::page::{PageStats, Place};
use super::{presence, presence_code, touch};
use crate::db::{OnConflict, Row, Tx, Value};
use crate::error::{Result, StoreError};
use crate::{Store, values};
use model::attributes::{Hash, READ_SET_VERSION};
use model::directory::{Presence, UserTold};
use model::{Attributes, SourceId, TenantKey, UserKey, text};
use std::collections::HashMap;

/// What a page told of users, folded: of several events about one user the later lies over the earlier.
#[derive(Default)]
pub(super) struct Told {
    order: HashMap<SourceId, usize>,
    users: Vec<One>,
}

struct One {
    id: SourceId,
    /// None when the page only told that the user is gone.
    told: Option<Telling>,
    manager: Option<Option<SourceId>>,
    gone: bool,
}

enum Telling {
    /// To be laid over what is known.
    Part(Attributes),
    /// The whole of a user, as its row holds it.
    Whole(Written),
}

/// Attributes as a row holds them. Names are sorted in the JSON, so that its hash differs exactly when the row must be written.
struct Written {
    json: String,
    upn_key: Option<String>,
    row_hash: Hash,
    change_hash: Hash,
}

impl Written {
    fn of(attributes: &Attributes) -> Result<Self> {
        let json = attributes.to_json();
        let json = json.map_err(|e| StoreError::Invalid(format!("A user's attributes cannot be stored: {e}.")))?;
        Ok(Self {
            upn_key: attributes.text("userPrincipalName").map(text::fold),
            row_hash: Hash::of(&json),
            change_hash: attributes.change_hash(),
            json,
        })
    }
}

impl Telling {
    fn written(self) -> Result<Written> {
        match self {
            Telling::Part(attributes) => Written::of(&attributes),
            Telling::Whole(written) => Ok(written),
        }
    }
}

impl Told {
    pub fn user(&mut self, told: UserTold) {
        let one = self.one(told.id);
        one.gone = false;
        match &mut one.told {
            Some(Telling::Part(earlier)) => earlier.merge(told.attributes),
            other => *other = Some(Telling::Part(told.attributes)),
        }
        if told.manager.is_some() {
            one.manager = told.manager;
        }
    }

    pub fn removed(&mut self, id: SourceId) {
        self.one(id).gone = true;
    }

    /// What was told is the whole of each user: it is written out as rows hold it.
    pub fn write_out(&mut self) -> Result<()> {
        for one in &mut self.users {
            if let Some(telling) = one.told.take() {
                one.told = Some(Telling::Whole(telling.written()?));
            }
        }
        Ok(())
    }

    fn one(&mut self, id: SourceId) -> &mut One {
        let next = self.users.len();
        let at = *self.order.entry(id.clone()).or_insert(next);
        if at == next {
            self.users.push(One { id, told: None, manager: None, gone: false });
        }
        &mut self.users[at]
    }
}

struct Known {
    key: i64,
    presence: Presence,
    row_hash: Hash,
    change_hash: Hash,
    manager: Option<String>,
    first_round: i64,
    read_set: i64,
    attributes: Option<String>,
}

const ROW: &[&str] = &[
    "id",
    "tenant_id",
    "source_id",
    "presence",
    "attributes",
    "manager",
    "upn_key",
    "row_hash",
    "change_hash",
    "read_set",
    "first_round",
];
const UPDATE: &[&str] =
    &["id", "presence", "attributes", "manager", "upn_key", "row_hash", "change_hash", "read_set", "first_round"];

/// Writes what differs. Gives how the number of users held as present changed, and how many of them are new in this round.
pub(super) async fn commit(tx: &mut Tx, place: Place, told: Told, stats: &mut PageStats) -> Result<(i64, i64)> {
    if told.users.is_empty() {
        return Ok((0, 0));
    }
    let mut known = load(tx, place, told.users.iter().map(|one| one.id.as_str().to_owned()).collect()).await?;
    let mut batch = Batch::default();
    let mut new = Vec::new();
    for one in told.users {
        match known.remove(one.id.as_str()) {
            Some(known) => batch.known(place, one, known, stats)?,
            None if one.gone => {} // Nobody we ever knew is gone: nothing follows.
            None => new.push(one),
        }
    }
    // Neighbours in the index go in one after the other.
    new.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    stats.users += new.len() as u64;
    stats.new += new.len() as u64;
    batch.present += i64::try_from(new.len()).unwrap_or(0);
    batch.round_new += i64::try_from(new.len()).unwrap_or(0);
    let keys = tx.fresh_ids("mirror_users", new.len()).await?;
    let mut inserts = Vec::with_capacity(new.len());
    for (one, key) in new.into_iter().zip(keys) {
        let written = one.told.unwrap_or(Telling::Part(Attributes::new())).written()?;
        let manager = one.manager.flatten();
        inserts.push(vec![
            Value::Int(key),
            place.tenant.into(),
            Value::Text(one.id.as_str().to_owned()),
            Value::Int(presence_code(Presence::Present)),
            Value::Text(written.json),
            manager.as_ref().map(SourceId::as_str).into(),
            written.upn_key.into(),
            written.row_hash.into(),
            written.change_hash.into(),
            Value::Int(READ_SET_VERSION),
            Value::Int(place.round),
        ]);
        batch.due.push(key);
    }
    tx.insert_many("mirror_users", ROW, inserts, OnConflict::Fail).await?;
    tx.update_many("mirror_users", UPDATE, batch.updates).await?;
    tx.insert_many("seen", &["tenant_id", "user_id"], batch.seen, OnConflict::Skip).await?;
    for (key, old, now) in batch.rebased {
        let sql = "UPDATE links SET applied_hash = $3 WHERE user_id = $1 AND applied_hash = $2";
        tx.execute(sql, values![key, old, now]).await?;
    }
    if !batch.gone.is_empty() {
        let sql = "UPDATE mirror_users SET presence = 1 WHERE id IN EACH_INT($1)";
        tx.execute(sql, values![batch.gone.clone()]).await?;
        let sql = "DELETE FROM seen WHERE tenant_id = $1 AND user_id IN EACH_INT($2)";
        tx.execute(sql, values![place.tenant, batch.gone]).await?;
    }
    touch::users(tx, place.tenant, &batch.due).await?;
    Ok((batch.present, batch.round_new))
}

#[derive(Default)]
struct Batch {
    updates: Vec<Vec<Value>>,
    seen: Vec<Vec<Value>>,
    gone: Vec<i64>,
    due: Vec<i64>,
    rebased: Vec<(i64, Hash, Hash)>,
    present: i64,
    round_new: i64,
}

impl Batch {
    fn known(&mut self, place: Place, one: One, known: Known, stats: &mut PageStats) -> Result<()> {
        if one.gone {
            if matches!(known.presence, Presence::Present | Presence::Missing) {
                self.gone.push(known.key);
                self.due.push(known.key);
                stats.removed += 1;
            }
            if known.presence == Presence::Present {
                self.present -= 1;
                self.round_new -= i64::from(known.first_round == place.round);
            }
            return Ok(());
        }
        stats.users += 1;
        // A full round tells the whole of a user, so what it leaves out is gone; otherwise it lies over what was known.
        let (written, manager) = match one.told {
            Some(Telling::Whole(written)) => (written, one.manager.flatten().map(|m| m.as_str().to_owned())),
            told => {
                let mut before = match known.attributes {
                    Some(text) => Attributes::from_json(text)
                        .map_err(|e| StoreError::Corrupt(format!("mirror_users.attributes of {}: {e}", known.key)))?,
                    None => Attributes::new(),
                };
                if let Some(Telling::Part(told)) = told {
                    before.merge(told);
                }
                let manager = one.manager.map_or_else(|| known.manager.clone(), |m| m.map(|m| m.as_str().to_owned()));
                (Written::of(&before)?, manager)
            }
        };
        let first_told = known.presence == Presence::Unseen;
        if known.presence != Presence::Present {
            self.present += 1;
            self.round_new += i64::from(first_told || known.first_round == place.round);
        }
        let first_round = if first_told { place.round } else { known.first_round };
        if place.full && first_round != place.round {
            self.seen.push(values![place.tenant, known.key]);
        }
        let Written { row_hash, change_hash, .. } = written;
        let same_row = row_hash == known.row_hash && known.read_set == READ_SET_VERSION;
        if same_row && known.presence == Presence::Present && manager == known.manager {
            stats.unchanged += 1;
            return Ok(());
        }
        let widened = known.read_set != READ_SET_VERSION;
        if widened && change_hash != known.change_hash {
            // Attributes that are read for the first time are not a change of the user (ruling 60).
            self.rebased.push((known.key, known.change_hash, change_hash));
        }
        // Licences are no change of the user for `on_change`, but they may decide about scope: whoever's row changed is looked at.
        let changed = (row_hash != known.row_hash && !widened) || known.presence != Presence::Present || manager != known.manager;
        if changed {
            self.due.push(known.key);
        }
        stats.changed += 1;
        self.updates.push(vec![
            Value::Int(known.key),
            Value::Int(presence_code(Presence::Present)),
            Value::Text(written.json),
            manager.into(),
            written.upn_key.into(),
            row_hash.into(),
            change_hash.into(),
            Value::Int(READ_SET_VERSION),
            Value::Int(first_round),
        ]);
        Ok(())
    }
}

async fn load(tx: &mut Tx, place: Place, ids: Vec<String>) -> Result<HashMap<String, Known>> {
    // A full round compares hashes alone; only what is laid over needs the attributes themselves.
    let attributes = if place.full { "NULL" } else { "attributes" };
    let sql = format!(
        "SELECT source_id, id, presence, row_hash, change_hash, manager, first_round, read_set, {attributes}
         FROM mirror_users WHERE tenant_id = $1 AND source_id IN EACH_TEXT($2)"
    );
    let rows = tx.query(&sql, values![place.tenant, ids]).await?;
    let mut known = HashMap::with_capacity(rows.len());
    for mut row in rows {
        let attributes = if place.full { None } else { Some(row.take_text(8)?) };
        let one = Known {
            key: row.get(1)?,
            presence: presence(row.get(2)?)?,
            row_hash: row.get(3)?,
            change_hash: row.get(4)?,
            manager: row.get(5)?,
            first_round: row.get(6)?,
            read_set: row.get(7)?,
            attributes,
        };
        known.insert(row.take_text(0)?, one);
    }
    Ok(known)
}

/// Rows for users that were named and never told, by source id; gives their keys.
pub(super) async fn stubs(tx: &mut Tx, place: Place, ids: Vec<String>) -> Result<Vec<(String, i64)>> {
    let keys = tx.fresh_ids("mirror_users", ids.len()).await?;
    let nothing = Written::of(&Attributes::new())?;
    let mut rows = Vec::with_capacity(ids.len());
    let mut made = Vec::with_capacity(ids.len());
    for (id, key) in ids.into_iter().zip(keys) {
        rows.push(vec![
            Value::Int(key),
            place.tenant.into(),
            Value::Text(id.clone()),
            Value::Int(presence_code(Presence::Unseen)),
            Value::Text(nothing.json.clone()),
            Value::Null,
            Value::Null,
            nothing.row_hash.into(),
            nothing.change_hash.into(),
            Value::Int(READ_SET_VERSION),
            Value::Int(0),
        ]);
        made.push((id, key));
    }
    tx.insert_many("mirror_users", ROW, rows, OnConflict::Fail).await?;
    Ok(made)
}

/// A user as the mirror holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    /// The mirror key.
    pub key: UserKey,
    /// The tenant.
    pub tenant: TenantKey,
    /// The source id.
    pub source_id: SourceId,
    /// Whether they are in the directory.
    pub presence: Presence,
    /// What was told.
    pub attributes: Attributes,
    /// The manager's source id.
    pub manager: Option<SourceId>,
    /// How the user is accounted for, once planned: outcome, what excluded them, the rule.
    pub standing: Option<(String, Option<String>, Option<String>)>,
}

/// Which users to list, in source id order.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With this outcome (a word of [`model::plan::Outcome`]).
    pub outcome: Option<String>,
    /// Excluded by this name.
    pub excluded_by: Option<String>,
    /// Selected by this rule.
    pub rule: Option<String>,
    /// Only users after this source id: the cursor.
    pub after: Option<SourceId>,
    /// How many at most.
    pub limit: i64,
}

pub(crate) const USER: &str =
    "SELECT u.id, u.tenant_id, u.source_id, u.presence, u.attributes, u.manager, s.outcome, s.excluded_by, s.rule
    FROM mirror_users u LEFT JOIN standing s ON s.user_id = u.id";

pub(crate) fn user(row: &Row) -> Result<UserRow> {
    let outcome: Option<String> = row.get(6)?;
    Ok(UserRow {
        key: row.get(0)?,
        tenant: row.get(1)?,
        source_id: row.get(2)?,
        presence: presence(row.get(3)?)?,
        attributes: row.json(4)?,
        manager: row.get(5)?,
        standing: outcome.map(|o| Ok::<_, StoreError>((o, row.get(7)?, row.get(8)?))).transpose()?,
    })
}

impl Store {
    /// A user as people name it: source id or user principal name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn find_user(&self, tenant: TenantKey, named: &str) -> Result<Option<UserRow>> {
        let id = SourceId::new(named);
        let row = self.db.query_opt(&format!("{USER} WHERE u.tenant_id = $1 AND u.source_id = $2"), values![tenant, &id]).await?;
        if let Some(row) = row {
            return user(&row).map(Some);
        }
        let sql = format!("{USER} WHERE u.tenant_id = $1 AND u.upn_key = $2 ORDER BY u.presence, u.source_id LIMIT 1");
        self.db.query_opt(&sql, values![tenant, text::fold(named)]).await?.as_ref().map(user).transpose()
    }

    /// A user by its key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn user(&self, key: UserKey) -> Result<UserRow> {
        let row = self.db.query_opt(&format!("{USER} WHERE u.id = $1"), values![key]).await?;
        row.as_ref().map(user).unwrap_or_else(|| Err(StoreError::missing("user", key)))
    }

    /// Users by where they stand, in source id order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn users(&self, tenant: TenantKey, filter: &UserFilter) -> Result<Vec<UserRow>> {
        let mut sql = format!("{USER} WHERE u.tenant_id = $1 AND u.source_id > $2 AND u.presence <> 3");
        let after = filter.after.as_ref().map_or("", |id| id.as_str());
        let mut params = values![tenant, after, filter.limit];
        let given = [("s.outcome", &filter.outcome), ("s.excluded_by", &filter.excluded_by), ("s.rule", &filter.rule)];
        for (column, value) in given {
            if let Some(value) = value {
                params.push(value.into());
                sql += &format!(" AND {column} = ${}", params.len());
            }
        }
        sql += " ORDER BY u.source_id LIMIT $3";
        self.db.query(&sql, params).await?.iter().map(user).collect()
    }
}
