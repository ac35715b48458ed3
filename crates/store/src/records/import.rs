//! Adopting records that exist elsewhere.

use super::keys;
use super::people::{self, Remote};
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::{Store, values};
use model::PersonId;
use model::records::Person;
use std::collections::HashMap;

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

impl Store {
    /// Adopts a batch of records of a target, in one transaction: a known remote id is updated, another makes a record. Doing it
    /// again changes nothing. With `dry`, tells what would happen and keeps nothing.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a remote id stands twice in the batch; [`StoreError::Constraint`].
    pub async fn import_people(
        &self,
        target: &str,
        batch: Vec<ImportedPerson>,
        by: &str,
        dry: bool,
        now: i64,
    ) -> Result<ImportOutcome> {
        let mut outcome = ImportOutcome::default();
        let mut tx = self.db.begin().await?;
        let ids: Vec<String> = batch.iter().map(|p| p.remote_id.clone()).collect();
        let sql = "SELECT remote_id, id FROM people WHERE target = $1 AND remote_id IN EACH_TEXT($2)";
        let mut known: HashMap<String, i64> = HashMap::new();
        for row in tx.query(sql, values![target, ids]).await? {
            known.insert(row.get(0)?, row.get(1)?);
        }
        let mut before = people::load(&mut tx, known.values().copied().collect()).await?;
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
        let fields = keys::fields(&mut tx).await?;
        let fresh = tx.fresh_ids("people", creates.len()).await?;
        let mut created = Vec::with_capacity(creates.len());
        for (mut one, id) in creates.into_iter().zip(fresh) {
            one.person.id = PersonId(id);
            one.person.version = 1;
            wakes.extend(people::wakes(None, &one.person, &fields));
            created
                .push((one.person, Remote { target: target.to_owned(), id: Some(one.remote_id), version: one.remote_version }));
        }
        people::insert(&mut tx, &created, by, now).await?;
        wakes.extend(updates.iter().flat_map(|(old, new)| people::wakes(Some(old), new, &fields)));
        let updated: Vec<Person> = updates.into_iter().map(|(_, new)| new).collect();
        let readdressed: Vec<PersonId> = updated.iter().map(|p| p.id).collect();
        people::update(&mut tx, &updated, &readdressed, by, now).await?;
        touch::waiters(&mut tx, &wakes).await?;
        if !dry {
            tx.commit().await?;
        }
        Ok(outcome)
    }
}
