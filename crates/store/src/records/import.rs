//! Adopting records that exist elsewhere.

use super::keys;
use super::people::{self, Remote};
use crate::audit;
use crate::db::Tx;
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::records::{EMBEDDED, clients};
use crate::{Store, values};
use model::records::Person;
use model::{ClientId, PersonId, SiteId};
use std::collections::HashMap;

/// In front of the number of a record that lives here, where a file names records by external ids.
pub const HERE: &str = "record:";

/// A record to adopt. Its id and version are ignored: the remote id says which record it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPerson {
    /// The record as it is there.
    pub person: Person,
    /// What it is called there.
    pub remote_id: String,
    /// Its version there, if it has one.
    pub remote_version: Option<String>,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportOutcome {
    /// New records.
    pub created: u64,
    /// Known records that differed.
    pub updated: u64,
    /// Known records that did not.
    pub unchanged: u64,
}

/// An import under way: clients, sites and people in one transaction. Dropping it keeps nothing.
pub struct Import {
    tx: Tx,
    target: String,
    by: String,
    now: i64,
}

impl Import {
    /// The client of a name, made if there is none; and whether it was made.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the name is empty.
    pub async fn client(&mut self, name: &str) -> Result<(ClientId, bool)> {
        let (client, made) = clients::find_or_make(&mut self.tx, name).await?;
        Ok((client.id, made))
    }

    /// The site of a name at a client, made if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn site(&mut self, client: ClientId, name: &str) -> Result<SiteId> {
        Ok(clients::find_or_make_site(&mut self.tx, client, name).await?.id)
    }

    /// The records that these ids name: the target's own, and `record:17` for a record that lives here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn known(&mut self, ids: Vec<String>) -> Result<HashMap<String, Person>> {
        let found = self.find(ids).await?;
        let people = people::load(&mut self.tx, found.values().copied().collect()).await?;
        Ok(found.into_iter().filter_map(|(name, id)| Some((name, people.get(&PersonId(id))?.clone()))).collect())
    }

    async fn find(&mut self, ids: Vec<String>) -> Result<HashMap<String, i64>> {
        let numbers: Vec<i64> = ids.iter().filter_map(|id| id.strip_prefix(HERE)?.parse().ok()).collect();
        let mut found: HashMap<String, i64> = HashMap::new();
        if !numbers.is_empty() {
            let sql = "SELECT id FROM people WHERE target = $1 AND id IN EACH_INT($2)";
            for row in self.tx.query(sql, values![EMBEDDED, numbers]).await? {
                let id: i64 = row.get(0)?;
                found.insert(format!("{HERE}{id}"), id);
            }
        }
        let sql = "SELECT remote_id, id FROM people WHERE target = $1 AND remote_id IN EACH_TEXT($2)";
        for row in self.tx.query(sql, values![self.target.as_str(), ids]).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
        Ok(found)
    }

    /// Adopts a batch of records: a known remote id is updated, another makes a record. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a remote id stands twice in the batch; [`StoreError::Constraint`].
    pub async fn people(&mut self, batch: Vec<ImportedPerson>) -> Result<ImportOutcome> {
        let mut outcome = ImportOutcome::default();
        let known = self.find(batch.iter().map(|p| p.remote_id.clone()).collect()).await?;
        let mut before = people::load(&mut self.tx, known.values().copied().collect()).await?;
        let mut told = HashMap::new();
        let (mut updates, mut creates) = (Vec::new(), Vec::new());
        for mut one in batch {
            if told.insert(one.remote_id.clone(), ()).is_some() {
                return Err(StoreError::Invalid(format!("The external id {} stands twice.", one.remote_id)));
            }
            match known.get(&one.remote_id).and_then(|id| before.remove(&PersonId(*id))) {
                Some(old) => {
                    one.person.id = old.id;
                    one.person.version = old.version;
                    if one.person == old {
                        outcome.unchanged += 1;
                        continue;
                    }
                    one.person.version += 1;
                    outcome.updated += 1;
                    updates.push((old, one.person));
                }
                None => {
                    outcome.created += 1;
                    creates.push(one);
                }
            }
        }
        let mut wakes = Vec::new();
        let fields = keys::fields(&mut self.tx).await?;
        let fresh = self.tx.fresh_ids("people", creates.len()).await?;
        let mut created = Vec::with_capacity(creates.len());
        for (mut one, id) in creates.into_iter().zip(fresh) {
            one.person.id = PersonId(id);
            one.person.version = 1;
            wakes.extend(people::wakes(None, &one.person, &fields));
            created
                .push((one.person, Remote { target: self.target.clone(), id: Some(one.remote_id), version: one.remote_version }));
        }
        people::insert(
            &mut self.tx,
            &created.iter().map(|(person, remote)| (person, remote)).collect::<Vec<_>>(),
            &self.by,
            self.now,
        )
        .await?;
        people::touched_by_hand(&mut self.tx, &updates).await?;
        wakes.extend(updates.iter().flat_map(|(old, new)| people::wakes(Some(old), new, &fields)));
        let updated: Vec<&Person> = updates.iter().map(|(_, new)| new).collect();
        let readdressed: Vec<PersonId> = updated.iter().map(|p| p.id).collect();
        people::update(&mut self.tx, &updated, &readdressed, &self.by, self.now).await?;
        touch::waiters(&mut self.tx, &wakes).await?;
        Ok(outcome)
    }

    /// Keeps everything, with an audit entry of these counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; nothing is kept then.
    pub async fn keep(mut self, counts: &model::Value) -> Result<()> {
        audit::append(&mut self.tx, &self.by, "records.import", &self.target, counts, self.now).await?;
        self.tx.commit().await
    }
}

impl Store {
    /// Begins an import of a target's records, by somebody.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_import(&self, target: &str, by: &str, now: i64) -> Result<Import> {
        Ok(Import { tx: self.db.begin().await?, target: target.to_owned(), by: by.to_owned(), now })
    }
}
