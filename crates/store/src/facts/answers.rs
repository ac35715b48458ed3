//! Answers to what a batch asks about the records of the whole PSA.

use crate::db::{Row, Tx};
use crate::error::Result;
use crate::mirror::presence;
use crate::records::{kind, people};
use crate::{Store, values};
use model::address::AddressKey;
use model::facts::{Answers, Candidate, CandidateLink, Questions};
use model::{Field, PersonId, SourceId, TenantKey};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

impl Store {
    /// Answers a batch's questions: a query for each kind of question, not for each key.
    ///
    /// # Errors
    /// [`crate::StoreError::Unavailable`].
    pub async fn answer(&self, tenant: TenantKey, questions: &Questions) -> Result<Answers> {
        let mut answers = Answers::default();
        let mut tx = self.db.read().await?;
        if !questions.addresses.is_empty() {
            by_address(&mut tx, questions, &mut answers).await?;
        }
        if !questions.usernames.is_empty() {
            let keys: Vec<String> = questions.usernames.iter().cloned().collect();
            let sql = candidates("p.username_key", "p.username_key IN EACH_TEXT($1)");
            for row in tx.query(&sql, values![keys]).await? {
                let candidate = candidate(&row)?;
                answers.usernames.entry(row.get(0)?).or_default().push(candidate);
            }
        }
        if !questions.keys.is_empty() {
            by_key(&mut tx, questions, &mut answers).await?;
        }
        if !questions.sites.is_empty() {
            let names: BTreeSet<String> = questions.sites.iter().map(|(_, name)| name.clone()).collect();
            let sql = "SELECT client_id, name_key, id FROM sites WHERE name_key IN EACH_TEXT($1)";
            for row in tx.query(sql, values![names.into_iter().collect::<Vec<_>>()]).await? {
                answers.sites.insert((row.get(0)?, row.get(1)?), row.get(2)?);
            }
        }
        if !questions.users.is_empty() {
            let keys: Vec<String> = questions.users.iter().map(|id| id.as_str().to_owned()).collect();
            let sql = "SELECT u.source_id, l.kind, l.person_id FROM mirror_users u
                 JOIN links l ON l.user_id = u.id AND l.slot = 0
                 WHERE u.tenant_id = $1 AND u.source_id IN EACH_TEXT($2) ORDER BY l.person_id";
            for row in tx.query(sql, values![tenant, keys]).await? {
                let live = (kind(row.get(1)?)?, row.get::<PersonId>(2)?);
                answers.users.entry(row.get::<SourceId>(0)?).or_default().push(live);
            }
        }
        if !questions.records.is_empty() {
            let keys: Vec<i64> = questions.records.iter().map(|id| id.0).collect();
            let sql = candidates("p.id", "p.id IN EACH_INT($1)");
            for row in tx.query(&sql, values![keys]).await? {
                answers.records.insert(row.get(0)?, candidate(&row)?);
            }
        }
        Ok(answers)
    }
}

async fn by_address(tx: &mut Tx, questions: &Questions, answers: &mut Answers) -> Result<()> {
    // A key is asked as stored (the store replaces what a database cannot hold) and answered as asked.
    let asked: HashMap<String, &AddressKey> =
        questions.addresses.iter().map(|key| (key.as_str().replace('\0', "\u{fffd}"), key)).collect();
    let keys: Vec<String> = asked.keys().cloned().collect();
    let main = candidates("p.email_key", "p.email_key IN EACH_TEXT($1)");
    let more = candidates("a.address_key", "a.address_key IN EACH_TEXT($1)").replacen(
        "FROM people p",
        "FROM person_addresses a JOIN people p ON p.id = a.person_id",
        1,
    );
    for sql in [main, more] {
        for row in tx.query(&sql, values![keys.clone()]).await? {
            let Some(key) = asked.get(row.str(0)?) else { continue };
            let candidate = candidate(&row)?;
            let found = answers.addresses.entry((*key).clone()).or_default();
            if found.iter().all(|c| c.person.id != candidate.person.id) {
                found.push(candidate);
            }
        }
    }
    for found in answers.addresses.values_mut() {
        found.sort_by_key(|c| c.person.id);
    }
    Ok(())
}

/// Records by the values of fields that are matching keys: a query for each such field, of which a policy has few.
async fn by_key(tx: &mut Tx, questions: &Questions, answers: &mut Answers) -> Result<()> {
    let mut by_field: BTreeMap<&Field, Vec<String>> = BTreeMap::new();
    for (field, key) in &questions.keys {
        by_field.entry(field).or_default().push(key.clone());
    }
    let sql = candidates("k.value_key", "k.field = $1 AND k.value_key IN EACH_TEXT($2) AND p.status <> 2").replacen(
        "FROM people p",
        "FROM person_keys k JOIN people p ON p.id = k.person_id",
        1,
    );
    for (field, keys) in by_field {
        for row in tx.query(&sql, values![field.as_str(), keys]).await? {
            let candidate = candidate(&row)?;
            answers.keys.entry((field.clone(), row.get(0)?)).or_default().push(candidate);
        }
    }
    Ok(())
}

/// A query for candidates: the key they were found by, the link, the record.
fn candidates(key: &str, condition: &str) -> String {
    format!(
        "SELECT {key}, l.tenant_id, l.user_id, u.source_id, u.presence, l.out_by_sync, {} FROM people p
         LEFT JOIN links l ON l.person_id = p.id LEFT JOIN mirror_users u ON u.id = l.user_id
         WHERE {condition} ORDER BY p.id",
        people::COLUMNS
    )
}

fn candidate(row: &Row) -> Result<Candidate> {
    let tenant: Option<TenantKey> = row.get(1)?;
    let linked = tenant
        .map(|tenant| {
            Ok::<_, crate::StoreError>(CandidateLink {
                tenant,
                user: row.get(2)?,
                source_id: row.get(3)?,
                presence: presence(row.get(4)?)?,
                deactivated_by_sync: row.get::<Option<bool>>(5)? == Some(true),
            })
        })
        .transpose()?;
    Ok(Candidate { person: Arc::new(people::read(row, 6)?), linked })
}
