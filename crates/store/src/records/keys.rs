//! Records by the values of any field that some policy matches by (M03, ruling 59). Only such fields are kept, so that a house whose
//! policies match by e-mail alone pays nothing.

use crate::db::{OnConflict, Tx, Value};
use crate::error::Result;
use crate::records::people;
use crate::{Store, values};
use model::records::Person;
use model::{ClientId, Field, PersonId, text};

const ROW: &[&str] = &["field", "value_key", "person_id"];

/// Records taken into the index at once.
const BATCH: i64 = 1_000;

/// The fields that are kept.
pub(crate) async fn fields(tx: &mut Tx) -> Result<Vec<Field>> {
    let rows = tx.query("SELECT field FROM key_fields ORDER BY field", ()).await?;
    rows.iter().map(|row| Ok(Field::new(row.str(0)?))).collect()
}

fn rows<'p>(fields: &[Field], people: impl Iterator<Item = &'p Person>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for person in people {
        for field in fields {
            rows.extend(text::keys(&person.get(field)).into_iter().map(|key| values![field.as_str(), key, person.id]));
        }
    }
    rows
}

/// Takes new records in.
pub(crate) async fn index<'p>(tx: &mut Tx, people: impl Iterator<Item = &'p Person>) -> Result<()> {
    let fields = fields(tx).await?;
    if fields.is_empty() {
        return Ok(());
    }
    tx.insert_many("person_keys", ROW, rows(&fields, people), OnConflict::Skip).await.map(|_| ())
}

/// Takes changed records in, in the place of what they were.
pub(crate) async fn reindex(tx: &mut Tx, people: &[&Person]) -> Result<()> {
    let fields = fields(tx).await?;
    if fields.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = people.iter().map(|person| person.id.0).collect();
    tx.execute("DELETE FROM person_keys WHERE person_id IN EACH_INT($1)", values![ids]).await?;
    tx.insert_many("person_keys", ROW, rows(&fields, people.iter().copied()), OnConflict::Skip).await.map(|_| ())
}

impl Store {
    /// Makes sure that records can be found by these fields: one that is new among them is read from every record, once.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn keep_keys(&self, wanted: &[Field]) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let known = fields(&mut tx).await?;
        let new: Vec<Field> = wanted.iter().filter(|field| !known.contains(field)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut after = PersonId(0);
        loop {
            let sql = format!("SELECT {} FROM people p WHERE p.id > $1 ORDER BY p.id LIMIT $2", people::COLUMNS);
            let found = tx.query(&sql, values![after, BATCH]).await?;
            let found: Vec<Person> = found.iter().map(|row| people::read(row, 0)).collect::<Result<_>>()?;
            let Some(last) = found.last() else { break };
            after = last.id;
            tx.insert_many("person_keys", ROW, rows(&new, found.iter()), OnConflict::Skip).await?;
        }
        let names = new.iter().map(|field| values![field.as_str()]).collect();
        tx.insert_many("key_fields", &["field"], names, OnConflict::Skip).await?;
        tx.commit().await
    }

    /// How many records nobody is linked to: those of a client, and all agents. Archived ones are not counted.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn unlinked_records(&self, client: Option<ClientId>) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM people p WHERE p.status <> 2 AND (p.kind = 0 OR p.client_id = $1)
             AND NOT EXISTS (SELECT 1 FROM links l WHERE l.person_id = p.id)";
        self.db.query_opt(sql, values![client]).await?.map_or(Ok(0), |row| row.get(0))
    }
}
