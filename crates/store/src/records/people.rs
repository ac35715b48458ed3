//! People as rows: reading, writing, and a person's own edits.

use crate::db::{OnConflict, Row, Tx, Value};
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::records::{EMBEDDED, keys, kind, kind_code, status, status_code};
use crate::{Store, values};
use model::address::AddressKey;
use model::plan::Wait;
use model::records::{Fields, Person};
use model::{Field, PersonId, text};
use std::collections::HashMap;

/// Columns to select from `people p`, for [`read`].
pub(crate) const COLUMNS: &str = "p.id, p.kind, p.client_id, p.site_id, p.status, p.access, p.username, p.email, p.first_name,
    p.last_name, p.role, p.fields, p.root, p.pinned, p.tickets, p.invoices, p.stands_for, p.version";

/// Reads a person whose columns begin at `at`.
pub(crate) fn read(row: &Row, at: usize) -> Result<Person> {
    Ok(Person {
        id: row.get(at)?,
        kind: kind(row.get(at + 1)?)?,
        client: row.get(at + 2)?,
        site: row.get(at + 3)?,
        status: status(row.get(at + 4)?)?,
        access: row.get(at + 5)?,
        username: row.get(at + 6)?,
        email: row.get(at + 7)?,
        first_name: row.get(at + 8)?,
        last_name: row.get(at + 9)?,
        role: row.get(at + 10)?,
        fields: row.json(at + 11)?,
        root: row.get(at + 12)?,
        pinned: row.json_opt(at + 13)?,
        tickets: row.get(at + 14)?,
        invoices: row.get(at + 15)?,
        stands_for: row.json_opt(at + 16)?.unwrap_or_default(),
        version: row.get(at + 17)?,
    })
}

const INSERT: &[&str] = &[
    "id",
    "kind",
    "client_id",
    "site_id",
    "status",
    "access",
    "username",
    "username_key",
    "email",
    "email_key",
    "first_name",
    "last_name",
    "name_key",
    "role",
    "fields",
    "root",
    "pinned",
    "tickets",
    "invoices",
    "stands_for",
    "version",
    "changed_by",
    "changed_at",
    "target",
    "remote_id",
    "remote_version",
];
/// Where some of them stand in a row.
const ID: usize = 0;
const USERNAME_KEY: usize = 7;
const CHANGED_AT: usize = 22;
/// A changed record stays where it is: all but the last three, which say where that is.
const UPDATE: &[&str] = INSERT.split_at(INSERT.len() - 3).0;

/// The key under which an e-mail address is found, as stored.
pub(crate) fn email_key(email: Option<&str>) -> Option<String> {
    email.and_then(AddressKey::of).map(|key| stored(key.as_str()))
}

/// Keys of addresses with a domain that is no domain begin it with U+0000, which PostgreSQL cannot store.
fn stored(key: &str) -> String {
    key.replace('\0', "\u{fffd}")
}

/// The key people are listed by: last name, first name, and what else identifies them.
pub(crate) fn name_key(person: &Person) -> String {
    let parts = [person.last_name.as_deref(), person.first_name.as_deref()];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if name.is_empty() { text::fold(&person.display_name()) } else { text::fold(&name) }
}

fn row(person: &Person, by: &str, now: i64) -> Result<Vec<Value>> {
    let stands_for = if person.stands_for.is_empty() { Value::Null } else { Value::json(&person.stands_for)? };
    Ok(vec![
        person.id.into(),
        kind_code(person.kind).into(),
        person.client.into(),
        person.site.into(),
        status_code(person.status).into(),
        person.access.into(),
        person.username.as_deref().into(),
        person.username.as_deref().map(text::fold).into(),
        person.email.as_deref().into(),
        email_key(person.email.as_deref()).into(),
        person.first_name.as_deref().into(),
        person.last_name.as_deref().into(),
        name_key(person).into(),
        person.role.as_deref().into(),
        Value::json(&person.fields)?,
        person.root.into(),
        person.pinned.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
        person.tickets.into(),
        person.invoices.into(),
        stands_for,
        person.version.into(),
        by.into(),
        now.into(),
    ])
}

/// Where a record comes from, if not from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub target: String,
    pub id: Option<String>,
    pub version: Option<String>,
}

impl Remote {
    pub(crate) fn here() -> Self {
        Self { target: EMBEDDED.to_owned(), id: None, version: None }
    }
}

/// A new record as it will be written, but for its id and the time, which are known only then. It can be made long before, on
/// another thread than the one that writes.
#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    row: Vec<Value>,
    addresses: Vec<String>,
}

impl NewRow {
    pub(crate) fn of(person: &Person, remote: &Remote, by: &str) -> Result<Self> {
        let mut row = row(person, by, 0)?;
        row.extend(values![remote.target.as_str(), remote.id.as_deref(), remote.version.as_deref()]);
        Ok(Self { row, addresses: more_addresses(person).collect() })
    }

    /// The folded username.
    pub(crate) fn username_key(&self) -> Option<&str> {
        match &self.row[USERNAME_KEY] {
            Value::Text(key) => Some(key),
            _ => None,
        }
    }
}

/// Writes new records, each with where it comes from.
pub(crate) async fn insert(tx: &mut Tx, people: &[(&Person, &Remote)], by: &str, now: i64) -> Result<()> {
    let made = people.iter().map(|(person, remote)| Ok((*person, NewRow::of(person, remote, by)?))).collect::<Result<_>>()?;
    insert_made(tx, made, now).await
}

/// Writes new records whose rows are made already; each has its id by now.
pub(crate) async fn insert_made(tx: &mut Tx, made: Vec<(&Person, NewRow)>, now: i64) -> Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(made.len());
    let mut addresses = Vec::new();
    let mut people = Vec::with_capacity(made.len());
    for (person, NewRow { mut row, addresses: more }) in made {
        row[ID] = person.id.into();
        row[CHANGED_AT] = now.into();
        rows.push(row);
        addresses.extend(more.into_iter().map(|key| values![key, person.id]));
        people.push(person);
    }
    tx.insert_many("people", INSERT, rows, OnConflict::Fail).await?;
    tx.insert_many("person_addresses", &["address_key", "person_id"], addresses, OnConflict::Skip).await?;
    keys::index(tx, people.into_iter()).await
}

/// Writes changed records; `readdressed` names those whose further addresses may differ.
pub(crate) async fn update(tx: &mut Tx, people: &[&Person], readdressed: &[PersonId], by: &str, now: i64) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let rows = people.iter().map(|person| row(person, by, now)).collect::<Result<Vec<_>>>()?;
    tx.update_many("people", UPDATE, rows).await?;
    keys::reindex(tx, people).await?;
    if readdressed.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = readdressed.iter().map(|id| id.0).collect();
    tx.execute("DELETE FROM person_addresses WHERE person_id IN EACH_INT($1)", values![keys]).await?;
    let addresses = people
        .iter()
        .filter(|p| readdressed.contains(&p.id))
        .flat_map(|p| more_addresses(p).map(|key| values![key, p.id]))
        .collect();
    tx.insert_many("person_addresses", &["address_key", "person_id"], addresses, OnConflict::Skip).await.map(|_| ())
}

fn more_addresses(person: &Person) -> impl Iterator<Item = String> {
    let more = person.fields.get(&Field::ADDITIONAL_EMAILS).and_then(|v| v.as_array());
    more.into_iter().flatten().filter_map(|v| v.as_str()).filter_map(|a| email_key(Some(a)))
}

/// A person's hand on status or access takes a record out of what sync itself took out of use (ruling 78).
pub(crate) async fn touched_by_hand(tx: &mut Tx, edits: &[(Person, Person)]) -> Result<()> {
    for (before, after) in edits {
        if after.status != before.status || after.access != before.access {
            let id = after.id;
            tx.execute("UPDATE links SET out_by_sync = 0 WHERE person_id = $1", values![id]).await?;
            let slot = if after.status == model::Status::Archived { id.0 } else { 0 };
            tx.execute("UPDATE links SET slot = $2 WHERE person_id = $1 AND slot <> $2", values![id, slot]).await?;
        }
    }
    Ok(())
}

/// Records by id.
pub(crate) async fn load(tx: &mut Tx, ids: Vec<i64>) -> Result<HashMap<PersonId, Person>> {
    let mut people = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(people);
    }
    let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.id IN EACH_INT($1)");
    for row in tx.query(&sql, values![ids]).await? {
        let person = read(&row, 0)?;
        people.insert(person.id, person);
    }
    Ok(people)
}

/// What a change of a record frees or takes, for whom waits on it: the record, its addresses, its username, and its values in
/// `fields`, those that are matching keys.
pub(crate) fn wakes(before: Option<&Person>, after: &Person, fields: &[Field]) -> Vec<(&'static str, String)> {
    let mut keys = vec![("person", after.id.to_string())];
    let name = |p: &Person| p.username.as_deref().map(text::fold);
    let mail = |p: &Person| email_key(p.email.as_deref());
    let live = |p: &Person| p.status != model::Status::Archived;
    for (kind, of) in [("username", &name as &dyn Fn(&Person) -> Option<String>), ("address", &mail)] {
        let old = before.filter(|p| live(p)).and_then(of);
        let new = Some(after).filter(|p| live(p)).and_then(of);
        if old != new {
            keys.extend(old.into_iter().chain(new).map(|key| (kind, key)));
        }
    }
    for field in fields {
        let of = |p: &Person| if live(p) { text::keys(&p.get(field)) } else { Vec::new() };
        let (old, new) = (before.map(of).unwrap_or_default(), of(after));
        if old != new {
            keys.extend(old.into_iter().chain(new).map(|value| Wait::Key(field.clone(), value).parts()));
        }
    }
    keys
}

/// A person's own edit of a record.
#[derive(Debug, Clone, Default)]
pub struct PersonEdit {
    /// New values; null clears.
    pub set: Fields,
    /// What is pinned from now on; `Some(None)` unpins.
    pub pinned: Option<Option<model::records::Pin>>,
    /// Whether the record is a root user.
    pub root: Option<bool>,
    /// The version the person looked at; none = whatever it is now.
    pub version: Option<i64>,
}

impl Store {
    /// A record by its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn person(&self, id: PersonId) -> Result<Person> {
        let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.id = $1");
        let row = self.db.query_opt(&sql, values![id]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("record", id)), |row| read(row, 0))
    }

    /// Edits a record by a person's hand. Touching status or access takes the record out of what sync itself took out of use
    /// (ruling 78). The linked user is not planned again for it: a local edit stands until the user changes (F07).
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the record was changed meanwhile; [`StoreError::Invalid`] naming the
    /// field that does not take its value.
    pub async fn edit_person(&self, id: PersonId, edit: &PersonEdit, by: &str, now: i64) -> Result<Person> {
        let mut tx = self.db.begin().await?;
        let before = load(&mut tx, vec![id.0]).await?.remove(&id).ok_or_else(|| StoreError::missing("record", id))?;
        if edit.version.is_some_and(|seen| seen != before.version) {
            return Err(StoreError::Conflict(format!("Record {id} was changed meanwhile. Look at it again, then edit.")));
        }
        let mut after = before.clone();
        for (field, value) in &edit.set {
            after.set(field, value.clone()).map_err(|e| StoreError::Invalid(format!("{e}.")))?;
        }
        if let Some(pinned) = &edit.pinned {
            after.pinned.clone_from(pinned);
        }
        after.root = edit.root.unwrap_or(after.root);
        if after == before {
            return Ok(before);
        }
        after.version += 1;
        update(&mut tx, &[&after], &[id], by, now).await?;
        touched_by_hand(&mut tx, &[(before.clone(), after.clone())]).await?;
        let fields = keys::fields(&mut tx).await?;
        touch::waiters(&mut tx, &wakes(Some(&before), &after, &fields)).await?;
        tx.commit().await?;
        Ok(after)
    }
}
