//! Existing records: adopted from a CSV file before a first sync, and written out again.

use crate::actor::Actor;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records::csv::{self as file, ImportFault, Parsed};
use crate::records::export::{self, Columns, Line};
use model::address::AddressKey;
use model::records::{Field, Kind, Person, Status};
use model::{ClientId, PersonId, SiteId, Value, text};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use store::{ExportRow, Import, ImportedPerson};

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
    /// Adopts people from a CSV file (P03). With any fault nothing is changed. Of a record that is known, what the file has no column
    /// for stays as it is.
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
        let mut parsed = file::parse(input, mapping);
        let people = std::mem::take(&mut parsed.people);
        let mut report = ImportReport { dry_run, ..ImportReport::default() };
        if parsed.fault_count == 0 {
            // One transaction: a file is adopted as a whole or not at all, also when this process is killed on the way.
            let mut import = self.store().begin_import(TARGET, &actor.to_string(), self.now()).await?;
            adopt(&mut import, &people, &mut parsed, &mut report).await?;
            if !dry_run && parsed.fault_count == 0 {
                import.keep(&serde_json::json!({ "created": report.created, "updated": report.updated })).await?;
            }
        }
        if parsed.fault_count > 0 {
            let Parsed { faults, fault_count, .. } = parsed;
            return Ok(ImportReport { faults, fault_count, dry_run, ..ImportReport::default() });
        }
        Ok(report)
    }

    /// Writes all people as CSV, in the form import reads, and tells how many.
    ///
    /// # Errors
    /// The store's, or the output's; [`Error::Refused`] when a record got a further field meanwhile.
    pub async fn export_people(&self, out: &mut (impl Write + Send)) -> Result<u64> {
        let sites: HashMap<SiteId, String> = self.store().sites().await?.into_iter().map(|s| (s.id, s.name)).collect();
        let mut columns = Columns::default();
        self.each_batch(|rows, _| {
            rows.iter().for_each(|row| columns.add(&row.person));
            Ok(())
        })
        .await?;
        let mut writer = export::Writer::new(out, columns)?;
        let mut count = 0;
        self.each_batch(|rows, managers| {
            count += rows.len() as u64;
            for row in rows {
                let person = &row.person;
                let manager = person.get(&Field::MANAGER).as_i64().and_then(|id| managers.get(&PersonId(id)));
                writer.write(&Line {
                    person,
                    external_id: external_id(person.id, &row.target, row.remote_id.as_deref()),
                    client: row.client.as_deref(),
                    site: person.site.and_then(|s| sites.get(&s)).map(String::as_str),
                    manager: manager.map(String::as_str),
                })?;
            }
            Ok(())
        })
        .await?;
        writer.finish()?;
        Ok(count)
    }

    /// Does something with all people, some thousands at a time, and with what their managers' records are known by.
    async fn each_batch(&self, mut work: impl FnMut(&[ExportRow], &HashMap<PersonId, String>) -> Result<()>) -> Result<()> {
        let mut after = PersonId(0);
        loop {
            let rows = self.store().export_people(after, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.person.id;
            let managers: Vec<PersonId> =
                rows.iter().filter_map(|row| row.person.get(&Field::MANAGER).as_i64()).map(PersonId).collect();
            let places = self.store().places(&managers).await?;
            let managers = places.into_iter().map(|(id, target, remote)| (id, external_id(id, &target, remote.as_deref())));
            work(&rows, &managers.collect())?;
        }
    }
}

/// What a record is known by to a later import: the id it was adopted with, or its number here.
fn external_id(id: PersonId, target: &str, remote_id: Option<&str>) -> String {
    match remote_id {
        Some(remote) if target == TARGET => remote.to_owned(),
        _ => format!("{}{id}", store::HERE),
    }
}

/// Takes a file's people over, batch by batch. Managers who stand further down are filled in at the end.
async fn adopt(
    import: &mut Import,
    people: &[file::ImportedPerson],
    parsed: &mut Parsed,
    report: &mut ImportReport,
) -> Result<()> {
    let mut clients: HashMap<String, ClientId> = HashMap::new();
    let mut sites: HashMap<(ClientId, String), SiteId> = HashMap::new();
    let mut later: Vec<&file::ImportedPerson> = Vec::new();
    for batch in people.chunks(BATCH) {
        let known = import.known(names(batch)).await?;
        let mut adopted = Vec::with_capacity(batch.len());
        for one in batch {
            let remote_id = remote_id(one);
            let old = known.get(&remote_id);
            if let Some(old) = old.filter(|old| remote_id.starts_with(store::HERE) && !is_same(old, one)) {
                let name = old.display_name();
                let message = format!(
                    "{remote_id} is {name} here, who has another name, e-mail and username, or another kind; take the id out if the file comes from another installation"
                );
                parsed.fault(one.line, Some("external_id"), message);
                continue;
            }
            let client = match &one.client {
                Some(Some(name)) => Some(Some(client(import, &mut clients, name, report).await?)),
                Some(None) => Some(None),
                None => None,
            };
            let site = match (&one.site, client) {
                (Some(Some(name)), Some(Some(client))) => Some(Some(site(import, &mut sites, client, name).await?)),
                (Some(_), _) => Some(None),
                (None, _) => None,
            };
            let mut person = laid_over(old, one)?;
            person.client = client.unwrap_or(person.client);
            person.site = site.unwrap_or(person.site);
            if person.kind == Kind::Contact && person.client.is_none() {
                parsed.fault(one.line, Some("client"), "is missing: a contact belongs to a client, and this one is new");
                continue;
            }
            match &one.manager {
                Some(Some(manager)) => match known.get(manager) {
                    Some(manager) => set(&mut person, one, &Field::MANAGER, &Value::from(manager.id.0))?,
                    None => later.push(one),
                },
                Some(None) => set(&mut person, one, &Field::MANAGER, &Value::Null)?,
                None => {}
            }
            adopted.push(ImportedPerson { person, remote_id, remote_version: None });
        }
        let outcome = import.people(adopted).await?;
        report.created += outcome.created;
        report.updated += outcome.updated;
        report.unchanged += outcome.unchanged;
    }
    for batch in later.chunks(BATCH) {
        let known = import.known(names(batch.iter().copied())).await?;
        let mut managed = Vec::with_capacity(batch.len());
        for one in batch {
            let (id, manager) = (remote_id(one), one.manager.clone().flatten().unwrap_or_default());
            match (known.get(&id), known.get(&manager)) {
                (Some(person), Some(manager)) => {
                    let mut person = person.clone();
                    set(&mut person, one, &Field::MANAGER, &Value::from(manager.id.0))?;
                    managed.push(ImportedPerson { person, remote_id: id, remote_version: None });
                }
                _ => parsed.fault(
                    one.line,
                    Some("manager"),
                    format!("names \"{manager}\", which no record has as its external id"),
                ),
            }
        }
        import.people(managed).await?;
    }
    Ok(())
}

/// The external ids of people and of their managers.
fn names<'p>(people: impl IntoIterator<Item = &'p file::ImportedPerson>) -> Vec<String> {
    let both = |one: &file::ImportedPerson| [Some(remote_id(one)), one.manager.clone().flatten()];
    let mut names: Vec<String> = people.into_iter().flat_map(both).flatten().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a line can be about a record that its number names: a file of another installation has other numbers.
fn is_same(old: &Person, one: &file::ImportedPerson) -> bool {
    let told = |field: &Field| one.fields.get(field).and_then(Value::as_str).map(str::to_owned);
    let fold = |field: &Field| told(field).map(|text| text::fold(&text));
    let username = fold(&Field::USERNAME).is_some_and(|name| old.username.as_deref().map(text::fold) == Some(name));
    let email = told(&Field::EMAIL).and_then(|e| AddressKey::of(&e));
    let email = email.is_some() && old.email.as_deref().and_then(AddressKey::of) == email;
    let name = told(&Field::FIRST_NAME) == old.first_name && told(&Field::LAST_NAME) == old.last_name;
    let tells = [Field::USERNAME, Field::EMAIL, Field::FIRST_NAME, Field::LAST_NAME].iter().any(|f| one.fields.contains_key(f));
    old.kind == one.kind && (username || email || name || !tells)
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

/// A record with what a line tells laid over what is known of it, but for client, site and manager.
fn laid_over(old: Option<&Person>, one: &file::ImportedPerson) -> Result<Person> {
    let mut person = old.cloned().unwrap_or_else(|| Person {
        id: PersonId(0),
        kind: one.kind,
        client: None,
        site: None,
        status: Status::Active,
        access: true,
        username: None,
        email: None,
        first_name: None,
        last_name: None,
        role: None,
        fields: BTreeMap::new(),
        root: false,
        pinned: None,
        tickets: 0,
        invoices: 0,
        stands_for: Vec::new(),
        version: 0,
    });
    person.kind = one.kind;
    person.status = one.status.unwrap_or(person.status);
    person.access = one.access.unwrap_or(person.access);
    person.root = one.root.unwrap_or(person.root);
    person.tickets = one.tickets.unwrap_or(person.tickets);
    person.invoices = one.invoices.unwrap_or(person.invoices);
    for (field, value) in &one.fields {
        set(&mut person, one, field, value)?;
    }
    Ok(person)
}

fn set(person: &mut Person, one: &file::ImportedPerson, field: &Field, value: &Value) -> Result<()> {
    person.set(field, value.clone()).map_err(|e| Error::Invalid(format!("line {}: {e}", one.line)))
}

/// The external id; without one a record is known again by what names it, and two lines that name the same person are two people.
fn remote_id(one: &file::ImportedPerson) -> String {
    let named = || [Field::EMAIL, Field::USERNAME].into_iter().find_map(|f| one.fields.get(&f)?.as_str().map(text::fold));
    let made =
        || format!("{}:{}", one.kind, named().map_or_else(|| format!("line {}", one.line), |n| format!("{n}#{}", one.repeat)));
    one.external_id.clone().unwrap_or_else(made)
}
