//! Existing people from a CSV file: columns are told apart by name, every fault is named by its line, and a file with any fault
//! changes nothing.

use super::export::{CUSTOM, JSON};
use model::records::{Field, Fields, Kind, Status};
use model::{Value, address, text};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;

/// The columns a file may have, beside `custom:NAME` for any other field's text and `json:NAME` for a field's value as JSON.
/// `external_id` is the PSA's own id for the record, by which a second import finds it again; `record:17` is record 17 of this
/// installation, as export writes it.
pub const COLUMNS: &[(&str, &str)] = &[
    ("external_id", "the PSA's own id of the record; a second import finds the record by it"),
    ("kind", "agent or contact"),
    ("client", "the client's name; created when there is none of that name"),
    ("site", "the site's name at that client"),
    ("status", "active (default), inactive or archived"),
    ("access", "false after the person's access was revoked; true (default)"),
    ("username", "log-in name"),
    ("email", "main e-mail address"),
    ("additional_emails", "further addresses, separated by semicolons"),
    ("first_name", "given name"),
    ("last_name", "family name"),
    ("job_title", "job title"),
    ("phone", "office phone"),
    ("mobile", "mobile phone"),
    ("employee_id", "employee id"),
    ("role", "role"),
    ("manager", "the external id of the manager's record"),
    ("root", "true for the root user, who is exempt from any access change"),
    ("tickets", "how many tickets name this person"),
    ("invoices", "how many invoices name this person"),
];

/// Most faults that are kept: a file of the wrong form should not fill the screen.
const FAULTS_SHOWN: usize = 100;

/// One person as a file has it. What a file has no column for, it does not tell, and a record that is known keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPerson {
    /// The line it starts on, from 1.
    pub line: u64,
    /// How many earlier lines name the same kind of person by the same address: tells two lines without ids apart.
    pub repeat: u64,
    /// The PSA's own id.
    pub external_id: Option<String>,
    /// Agent or contact.
    pub kind: Kind,
    /// The client's name; told to be none for an agent.
    pub client: Option<Option<String>>,
    /// The site's name, or none.
    pub site: Option<Option<String>>,
    /// The manager's external id, or none.
    pub manager: Option<Option<String>>,
    /// Status.
    pub status: Option<Status>,
    /// Whether the person may log in.
    pub access: Option<bool>,
    /// All other fields; null where the cell is empty.
    pub fields: Fields,
    /// Root user.
    pub root: Option<bool>,
    /// Ticket count.
    pub tickets: Option<i64>,
    /// Invoice count.
    pub invoices: Option<i64>,
}

/// What is wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportFault {
    /// The line, from 1.
    pub line: u64,
    /// The column's name, if it is about one.
    pub column: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for ImportFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A file's people, or its faults (the first hundred, and how many there are).
#[derive(Debug, Default)]
pub struct Parsed {
    /// The people, in the file's order.
    pub people: Vec<ImportedPerson>,
    /// The faults.
    pub faults: Vec<ImportFault>,
    /// How many faults there are in all.
    pub fault_count: usize,
}

impl Parsed {
    /// One more fault; the first hundred are kept.
    pub fn fault(&mut self, line: u64, column: Option<&str>, message: impl Into<String>) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_SHOWN {
            self.faults.push(ImportFault { line, column: column.map(str::to_owned), message: message.into() });
        }
    }
}

/// Reads a CSV file with a header line, UTF-8 with or without a byte-order mark.
///
/// `mapping` gives the file's own header names for our columns, such as `E-mail Address` → `email`. Columns that are neither
/// ours nor mapped are refused by name, so that nothing is dropped in silence; map one to `-` to leave it out.
pub fn parse(input: impl Read, mapping: &BTreeMap<String, String>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(e) => {
            parsed.fault(1, None, csv_message(&e));
            return parsed;
        }
    };
    let columns = header_columns(&headers, mapping, &mut parsed);
    if parsed.fault_count > 0 {
        return parsed;
    }
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut repeats: HashMap<(Kind, Option<String>), u64> = HashMap::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                if record.iter().all(|cell| text::trim(cell).is_empty()) {
                    continue;
                }
                if record.len() != headers.len() {
                    let (has, wants) = (record.len(), headers.len());
                    parsed.fault(
                        line,
                        None,
                        format!("has {has} cells where the header names {wants}; check the quotes and separators"),
                    );
                    continue;
                }
                if let Some(mut person) = person(line, &columns, &record, &mut parsed) {
                    if let Some(id) = &person.external_id
                        && let Some(first) = seen.insert(id.clone(), line)
                    {
                        parsed.fault(
                            line,
                            Some("external_id"),
                            format!("\"{id}\" stands on line {first} too; each record needs its own"),
                        );
                        continue;
                    }
                    let named =
                        [Field::EMAIL, Field::USERNAME].into_iter().find_map(|f| person.fields.get(&f)?.as_str().map(text::fold));
                    let count = repeats.entry((person.kind, named)).or_insert(0);
                    person.repeat = *count;
                    *count += 1;
                    parsed.people.push(person);
                }
            }
            Err(e) => {
                parsed.fault(e.position().map_or(line, csv::Position::line), None, csv_message(&e));
                if matches!(e.kind(), csv::ErrorKind::Io(_)) {
                    break;
                }
            }
        }
    }
    parsed
}

fn csv_message(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8; save the file as UTF-8 and try again".into(),
        csv::ErrorKind::Io(e) => format!("cannot be read: {e}"),
        _ => format!("is not CSV: {error}"),
    }
}

/// Our column for each of the file's; none = left out on purpose.
fn header_columns(headers: &csv::StringRecord, mapping: &BTreeMap<String, String>, parsed: &mut Parsed) -> Vec<Option<String>> {
    let mut columns = Vec::with_capacity(headers.len());
    let mut taken: HashMap<String, String> = HashMap::new();
    for header in headers {
        let unguarded = super::export::unguarded(text::trim(header.trim_start_matches('\u{feff}')));
        let header = unguarded.as_str();
        let target = mapping.get(header).map_or_else(|| ours(header), Clone::clone);
        if target == "-" {
            columns.push(None);
            continue;
        }
        let custom = field_name(&target).is_some_and(|name| !text::trim(name).is_empty() && !text::has_control(name));
        if !custom && !COLUMNS.iter().any(|(name, _)| *name == target) {
            let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
            parsed.fault(
                1,
                Some(header),
                format!(
                    "is no column of ours; map it with --map \"{header}=COLUMN\" (or =- to leave it out). Columns: {}",
                    names.join(", ")
                ),
            );
        } else if let Some(other) = taken.insert(target.clone(), header.to_owned()) {
            parsed.fault(1, Some(header), format!("gives {target}, which \"{other}\" gives too"));
        }
        columns.push(Some(target));
    }
    for header in mapping.keys() {
        if !headers.iter().any(|h| text::trim(h.trim_start_matches('\u{feff}')) == header) {
            parsed.fault(1, Some(header), "is mapped, but the file has no such column");
        }
    }
    if !taken.contains_key("kind") {
        parsed.fault(1, Some("kind"), "is missing: every person is an agent or a contact");
    }
    columns
}

/// Our column of a header that is not mapped: its name in any case, but a custom field's letter for letter.
fn ours(header: &str) -> String {
    match header.split_once(':') {
        Some((prefix, name)) if field_name(&format!("{}:", prefix.to_lowercase())).is_some() => {
            format!("{}:{name}", prefix.to_lowercase())
        }
        _ => header.to_lowercase(),
    }
}

/// The field that a column of the form `custom:NAME` or `json:NAME` names.
fn field_name(column: &str) -> Option<&str> {
    column.strip_prefix(CUSTOM).or_else(|| column.strip_prefix(JSON))
}

fn person(line: u64, columns: &[Option<String>], record: &csv::StringRecord, parsed: &mut Parsed) -> Option<ImportedPerson> {
    let before = parsed.fault_count;
    let mut person = ImportedPerson {
        line,
        repeat: 0,
        external_id: None,
        kind: Kind::Contact,
        client: None,
        site: None,
        manager: None,
        status: None,
        access: None,
        fields: Fields::new(),
        root: None,
        tickets: None,
        invoices: None,
    };
    let mut kind = None;
    for (column, cell) in columns.iter().zip(record) {
        let (Some(column), cell) = (column, super::export::unguarded(text::trim(cell))) else { continue };
        if text::has_control(&cell) {
            parsed.fault(line, Some(column), "holds a control character; no field accepts one");
            continue;
        }
        let told = Some(cell.clone()).filter(|cell| !cell.is_empty());
        let cell = cell.as_str();
        match column.as_str() {
            "client" => person.client = Some(told),
            "site" => person.site = Some(told),
            "manager" => person.manager = Some(told),
            // A field may stand in two columns, as a text and as JSON; then one of the cells is empty.
            name if cell.is_empty() => {
                let field = Field::new(field_name(name).unwrap_or(name));
                if !NOT_FIELDS.contains(&field.as_str()) {
                    person.fields.entry(field).or_insert(Value::Null);
                }
            }
            "external_id" => person.external_id = told,
            "kind" => match cell.to_lowercase().as_str() {
                "agent" => kind = Some(Kind::Agent),
                "contact" => kind = Some(Kind::Contact),
                _ => parsed.fault(line, Some(column), format!("is \"{}\"; write agent or contact", short(cell))),
            },
            "status" => match cell.to_lowercase().as_str() {
                "active" => person.status = Some(Status::Active),
                "inactive" => person.status = Some(Status::Inactive),
                "archived" => person.status = Some(Status::Archived),
                _ => parsed.fault(line, Some(column), format!("is \"{}\"; write active, inactive or archived", short(cell))),
            },
            "root" | "access" => match truth(cell) {
                Some(truth) if column == "root" => person.root = Some(truth),
                Some(truth) => person.access = Some(truth),
                None => parsed.fault(line, Some(column), format!("is \"{}\"; write true or false", short(cell))),
            },
            "tickets" | "invoices" => match cell.parse::<i64>() {
                Ok(n) if n >= 0 && column == "tickets" => person.tickets = Some(n),
                Ok(n) if n >= 0 => person.invoices = Some(n),
                _ => parsed.fault(line, Some(column), format!("is \"{}\"; write a whole number from 0 up", short(cell))),
            },
            "email" if !address::is_valid(cell) => {
                parsed.fault(line, Some(column), format!("\"{}\" is not an e-mail address", short(cell)));
            }
            "additional_emails" => {
                let all = addresses(cell);
                match all.iter().find(|a| !address::is_valid(a)) {
                    Some(bad) => parsed.fault(line, Some(column), format!("\"{}\" is not an e-mail address", short(bad))),
                    None => {
                        let value = if all.is_empty() { Value::Null } else { Value::from(all) };
                        person.fields.insert(Field::ADDITIONAL_EMAILS, value);
                    }
                }
            }
            name => {
                let value = match name.starts_with(JSON) {
                    true => serde_json::from_str(cell).ok().filter(|value| !holds_control(value)),
                    false => Some(Value::from(cell)),
                };
                let field = Field::new(field_name(name).unwrap_or(name));
                if NOT_FIELDS.contains(&field.as_str()) {
                    parsed.fault(line, Some(column), format!("has a column of its own, {field}"));
                } else if let Some(value) = value {
                    person.fields.insert(field, value);
                } else {
                    parsed.fault(line, Some(column), "is not JSON, or holds a control character; no field accepts one");
                }
            }
        }
    }
    match kind {
        Some(kind) => person.kind = kind,
        None if parsed.fault_count == before => parsed.fault(line, Some("kind"), "is empty; write agent or contact"),
        None => {}
    }
    let homeless = person.client.is_none() && person.external_id.is_none() || person.client == Some(None);
    if person.kind == Kind::Contact && homeless && kind.is_some() {
        parsed.fault(line, Some("client"), "is empty: a contact belongs to a client");
    }
    if matches!(person.site, Some(Some(_))) && !matches!(person.client, Some(Some(_))) {
        parsed.fault(line, Some("site"), "is given without a client");
    }
    (parsed.fault_count == before).then_some(person)
}

/// Columns that are not fields of a record under their own name, or not plain texts.
const NOT_FIELDS: &[&str] =
    &["external_id", "kind", "client", "site", "manager", "status", "access", "root", "tickets", "invoices"];

fn truth(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn holds_control(value: &Value) -> bool {
    match value {
        Value::String(text) => text::has_control(text),
        Value::Array(items) => items.iter().any(holds_control),
        Value::Object(members) => members.iter().any(|(name, value)| text::has_control(name) || holds_control(value)),
        _ => false,
    }
}

/// The addresses of a cell. A semicolon inside a quoted local part does not end one.
pub(super) fn addresses(cell: &str) -> Vec<&str> {
    let (mut all, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in cell.char_indices() {
        match c {
            ';' if !quoted => {
                all.push(&cell[from..at]);
                from = at + 1;
            }
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            // A quote only opens where an address begins.
            '"' if quoted || text::trim(&cell[from..at]).is_empty() => quoted = !quoted,
            _ => {}
        }
    }
    all.push(&cell[from..]);
    all.into_iter().map(text::trim).filter(|a| !a.is_empty()).collect()
}

/// A value fit for a message.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(text: &str) -> Parsed {
        parse(text.as_bytes(), &BTreeMap::new())
    }

    #[test]
    fn req_p03_a_file_of_existing_people_is_read() {
        let parsed = import(
            "\u{feff}kind,client,Email,first_name,last_name,external_id,custom:badge\nagent,,ada@acme.example,Ada,Byron,17,A-1\n",
        );
        assert_eq!(parsed.faults, []);
        let ada = &parsed.people[0];
        assert_eq!((ada.kind, ada.line, ada.external_id.as_deref()), (Kind::Agent, 2, Some("17")));
        assert_eq!(ada.fields[&Field::new("badge")], Value::from("A-1"));
        assert_eq!(ada.fields[&Field::EMAIL], Value::from("ada@acme.example"));
    }

    #[test]
    fn every_fault_names_its_line_and_column() {
        let parsed = import(
            "kind,client,email,tickets\nagnet,,a@b.example,1\ncontact,,a@b.example,1\ncontact,Acme,nope,x\n\"contact\",Acme\n",
        );
        let faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 2, column kind: is \"agnet\"; write agent or contact",
                "line 3, column client: is empty: a contact belongs to a client",
                "line 4, column email: \"nope\" is not an e-mail address",
                "line 4, column tickets: is \"x\"; write a whole number from 0 up",
                "line 5: has 2 cells where the header names 4; check the quotes and separators",
            ]
        );
        assert!(parsed.people.is_empty());
    }

    #[test]
    fn an_unknown_column_is_refused_unless_mapped() {
        assert!(import("kind,Mail\n").faults[0].message.contains("--map \"Mail=COLUMN\""));
        let mapping = BTreeMap::from([("Mail".to_owned(), "email".to_owned()), ("Notes".to_owned(), "-".to_owned())]);
        let parsed = parse("kind,Mail,Notes\nagent,ada@acme.example,x\n".as_bytes(), &mapping);
        assert_eq!(parsed.faults, []);
        assert_eq!(parsed.people[0].fields.len(), 1);
    }

    #[test]
    fn a_custom_fields_name_and_what_a_file_does_not_tell_stay_as_they_are() {
        let parsed = import("kind,external_id,Custom:Badge No,json:seats,phone\nagent,7,x,[2],\n");
        assert_eq!(parsed.faults, []);
        let one = &parsed.people[0];
        let told: Vec<(&str, &Value)> = one.fields.iter().map(|(f, v)| (f.as_str(), v)).collect();
        assert_eq!(told, [("Badge No", &Value::from("x")), ("phone", &Value::Null), ("seats", &serde_json::json!([2]))]);
        assert_eq!((one.status, &one.client), (None, &None));
        let refused =
            import("kind,external_id,json:seats,custom:status\nagent,7,[2,\nagent,8,\"\"\"a\\u0007\"\"\"\nagent,9,,active\n");
        assert_eq!(refused.fault_count, 3, "{:?}", refused.faults);
    }

    #[test]
    fn a_semicolon_between_quotes_does_not_end_an_address() {
        let cell = r#""a;b"@x.example; c@x.example;;"d\";e"@x.example"#;
        assert_eq!(addresses(cell), [r#""a;b"@x.example"#, "c@x.example", r#""d\";e"@x.example"#]);
    }

    #[test]
    fn two_lines_with_one_external_id_are_a_fault() {
        let parsed = import("kind,external_id\nagent,7\nagent,7\n");
        assert_eq!(
            parsed.faults[0].to_string(),
            "line 3, column external_id: \"7\" stands on line 2 too; each record needs its own"
        );
    }
}
