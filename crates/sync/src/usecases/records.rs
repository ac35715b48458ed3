//! Existing records: adopted from a CSV file before a first sync, and written out again.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records::csv::{self as file, ImportFault};
use crate::records::export;
use model::records::{Field, Person};
use model::{ClientId, PersonId, SiteId, text};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use store::{Import, ImportedPerson};

/// The target that adopted records are filed under: a CSV file stands for the PSA it came from (P02).
const TARGET: &str = "csv";

/// People written, or read back, at once.
const BATCH: usize = 2_000;

/// What an import did, or would do.
#[derive(Debug, Default, Serialize)]
pub struct ImportReport {
    /// New people.
    pub created: u64,
    /// People known by their external id who differ.
    pub updated: u64,
    /// People known by their external id who do not.
    pub unchanged: u64,
    /// New clients.
    pub clients_created: u64,
    /// What is wrong with the file, the first hundred.
    pub faults: Vec<ImportFault>,
    /// How many faults there are. With any, nothing was changed.
    pub fault_count: usize,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

impl Engine {
    /// Adopts people from a CSV file (P03). With any fault nothing is changed.
    ///
    /// # Errors
    /// The store's. Faults of the file are part of the report.
    pub async fn import_people(
        &self,
        input: impl Read,
        mapping: &BTreeMap<String, String>,
        dry_run: bool,
        actor: &Actor,
    ) -> Result<ImportReport> {
        let parsed = file::parse(input, mapping);
        let mut report =
            ImportReport { dry_run, faults: parsed.faults, fault_count: parsed.fault_count, ..ImportReport::default() };
        if report.fault_count > 0 {
            return Ok(report);
        }
        // One transaction: a file is adopted as a whole or not at all, also when this process is killed on the way.
        let mut import = self.store().begin_import(TARGET, &actor.to_string(), self.now()).await?;
        let mut clients: HashMap<String, ClientId> = HashMap::new();
        let mut sites: HashMap<(ClientId, String), SiteId> = HashMap::new();
        for batch in parsed.people.chunks(BATCH) {
            let mut people = Vec::with_capacity(batch.len());
            for person in batch {
                let client = match &person.client {
                    Some(name) => Some(client(&mut import, &mut clients, name, &mut report).await?),
                    None => None,
                };
                let site = match (&person.site, client) {
                    (Some(name), Some(client)) => Some(site(&mut import, &mut sites, client, name).await?),
                    _ => None,
                };
                people.push(imported(person, client, site)?);
            }
            let outcome = import.people(people).await?;
            report.created += outcome.created;
            report.updated += outcome.updated;
            report.unchanged += outcome.unchanged;
        }
        if !dry_run {
            import.keep(&serde_json::json!({ "created": report.created, "updated": report.updated })).await?;
        }
        Ok(report)
    }

    /// Writes all people as CSV, in the form import reads, and tells how many.
    ///
    /// # Errors
    /// The store's, or the output's.
    pub async fn export_people(&self, out: &mut (impl Write + Send)) -> Result<u64> {
        let mut writer = export::Writer::new(out)?;
        let sites: HashMap<SiteId, String> = self.store().sites().await?.into_iter().map(|s| (s.id, s.name)).collect();
        let (mut after, mut count) = (PersonId(0), 0);
        loop {
            let rows = self.store().export_people(after, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            let Some(last) = rows.last() else { break };
            after = last.person.id;
            count += rows.len() as u64;
            for row in &rows {
                let site = row.person.site.and_then(|s| sites.get(&s)).map(String::as_str);
                writer.write(&row.person, row.client.as_deref(), site)?;
            }
        }
        writer.finish()?;
        Ok(count)
    }
}

/// The client of a name, asked of the store once.
async fn client(
    import: &mut Import,
    known: &mut HashMap<String, ClientId>,
    name: &str,
    report: &mut ImportReport,
) -> Result<ClientId> {
    let key = text::fold(name);
    if let Some(client) = known.get(&key) {
        return Ok(*client);
    }
    let (client, made) = import.client(name).await?;
    report.clients_created += u64::from(made);
    known.insert(key, client);
    Ok(client)
}

/// The site of a name at a client, asked of the store once.
async fn site(
    import: &mut Import,
    known: &mut HashMap<(ClientId, String), SiteId>,
    client: ClientId,
    name: &str,
) -> Result<SiteId> {
    let key = (client, text::fold(name));
    if let Some(site) = known.get(&key) {
        return Ok(*site);
    }
    let site = import.site(client, name).await?;
    known.insert(key, site);
    Ok(site)
}

fn imported(from: &file::ImportedPerson, client: Option<ClientId>, site: Option<SiteId>) -> Result<ImportedPerson> {
    let mut person = Person {
        id: PersonId(0),
        kind: from.kind,
        client,
        site,
        status: from.status,
        access: true,
        username: None,
        email: None,
        first_name: None,
        last_name: None,
        role: None,
        fields: BTreeMap::new(),
        root: from.root,
        pinned: None,
        tickets: from.tickets,
        invoices: from.invoices,
        stands_for: Vec::new(),
        version: 0,
    };
    for (field, value) in &from.fields {
        person.set(field, value).map_err(|e| Error::Invalid(format!("line {}: {e}", from.line)))?;
    }
    // Without an id of its own a record is known again by what names it; two lines that name the same person are two people.
    let remote_id = from.external_id.clone().unwrap_or_else(|| {
        let named = [Field::EMAIL, Field::USERNAME].into_iter().find_map(|f| from.fields.get(&f)?.as_str().map(text::fold));
        format!("{}:{}", from.kind, named.map_or_else(|| format!("line {}", from.line), |n| format!("{n}#{}", from.repeat)))
    });
    Ok(ImportedPerson { person, remote_id, remote_version: None })
}
