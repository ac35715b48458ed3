//! People as CSV, in the form import reads: what is written here and read back is the same, whatever it holds.
//!
//! A text stands in a column of its field's name, a custom field's in `custom:NAME`. What a plain cell cannot hold without doubt (a
//! number, a list, a text with white space at its ends) stands in `json:NAME` instead, as JSON. Cells that a spreadsheet would run as a
//! formula get an apostrophe in front, which import takes off again.

use crate::error::{Error, Result};
use model::Value;
use model::records::{Field, Person};
use std::collections::BTreeSet;
use std::io::Write;

/// The columns that every file has, beside those of the fields that somebody's record holds.
const COLUMNS: &[&str] = &[
    "external_id",
    "kind",
    "client",
    "site",
    "status",
    "access",
    "username",
    "email",
    "additional_emails",
    "first_name",
    "last_name",
    "job_title",
    "phone",
    "mobile",
    "employee_id",
    "role",
    "manager",
    "root",
    "tickets",
    "invoices",
];

/// Fields that have columns of their own beside [`COLUMNS`]' plain ones.
const ALWAYS: &[&str] = &["username", "email", "first_name", "last_name", "role"];

/// In front of a custom field's name.
pub(crate) const CUSTOM: &str = "custom:";

/// In front of a field's name where cells hold JSON.
pub(crate) const JSON: &str = "json:";

/// A person with the names that stand for numbers in a file.
#[derive(Debug)]
pub struct Line<'a> {
    /// The record.
    pub person: &'a Person,
    /// What the record is known by to a later import.
    pub external_id: String,
    /// The client's name.
    pub client: Option<&'a str>,
    /// The site's name.
    pub site: Option<&'a str>,
    /// What the manager's record is known by.
    pub manager: Option<&'a str>,
}

/// The columns that people need beyond those that every file has.
#[derive(Debug, Default)]
pub struct Columns(BTreeSet<String>);

impl Columns {
    /// Makes room for everything a person's record holds.
    pub fn add(&mut self, person: &Person) {
        for field in fields(person) {
            let column = column(&field, &person.get(&field));
            if !COLUMNS.contains(&column.as_str()) {
                self.0.insert(column);
            }
        }
    }
}

/// The fields of a person that have no column made for them alone.
fn fields(person: &Person) -> impl Iterator<Item = Field> {
    ALWAYS.iter().map(|name| Field::new(name)).chain(person.fields.keys().filter(|f| **f != Field::MANAGER).cloned())
}

/// Where a field's value stands.
fn column(field: &Field, value: &Value) -> String {
    let name = field.as_str();
    if plain(field, value).is_none() {
        format!("{JSON}{name}")
    } else if super::csv::COLUMNS.iter().any(|(known, _)| *known == name) {
        name.to_owned()
    } else {
        format!("{CUSTOM}{name}")
    }
}

/// A value as a plain cell, if it reads back as the same value.
fn plain(field: &Field, value: &Value) -> Option<String> {
    let is_clean = |text: &str| !text.is_empty() && model::text::trim(text) == text && !model::text::has_control(text);
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) if *field != Field::ADDITIONAL_EMAILS => is_clean(text).then(|| text.clone()),
        Value::Array(items) if *field == Field::ADDITIONAL_EMAILS && !items.is_empty() => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(|text| is_clean(text))).collect();
            let joined = items?.join(";");
            (super::csv::addresses(&joined).len() == value.as_array().map_or(0, Vec::len)).then_some(joined)
        }
        _ => None,
    }
}

/// Writes people, one a line.
pub struct Writer<W: Write> {
    out: csv::Writer<W>,
    columns: Vec<String>,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The output's.
    pub fn new(out: W, more: Columns) -> Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        let columns: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).chain(more.0).collect();
        out.write_record(columns.iter().map(|name| guarded(name))).map_err(std::io::Error::other)?;
        Ok(Self { out, columns })
    }

    /// Writes one person.
    ///
    /// # Errors
    /// The output's; [`Error::Refused`] when the person holds a field that none held when the file was begun.
    pub fn write(&mut self, line: &Line<'_>) -> Result<()> {
        let person = line.person;
        for field in fields(person) {
            let column = column(&field, &person.get(&field));
            if !self.columns.contains(&column) {
                return Err(Error::Refused(format!(
                    "Record {} got a value for {field} while the file was being written. Write it again.",
                    person.id
                )));
            }
        }
        let cells = self.columns.iter().map(|column| {
            let text = match column.as_str() {
                "external_id" => line.external_id.clone(),
                "kind" => person.kind.to_string(),
                "client" => line.client.unwrap_or_default().to_owned(),
                "site" => line.site.unwrap_or_default().to_owned(),
                "manager" => line.manager.unwrap_or_default().to_owned(),
                "status" => person.status.as_str().to_owned(),
                "access" => person.access.to_string(),
                "root" => person.root.to_string(),
                "tickets" => person.tickets.to_string(),
                "invoices" => person.invoices.to_string(),
                name => cell(person, name),
            };
            guarded(&text)
        });
        self.out.write_record(cells.collect::<Vec<_>>()).map_err(|e| std::io::Error::other(e).into())
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

/// What stands under a column of a field.
fn cell(person: &Person, column: &str) -> String {
    let json = column.strip_prefix(JSON);
    let field = Field::new(json.or(column.strip_prefix(CUSTOM)).unwrap_or(column));
    let value = person.get(&field);
    match (plain(&field, &value), json) {
        (Some(text), None) => text,
        (None, Some(_)) => value.to_string(),
        _ => String::new(),
    }
}

/// What a spreadsheet takes for the beginning of a formula; some take the full-width forms for the plain ones.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Where a cell ends for spreadsheets of countries that write numbers with a comma, whatever the quotes say.
const SEPARATOR: char = ';';

/// Whether a cell would be run: white space in front is skipped by some, and apostrophes are ours.
fn runs(cell: &str) -> bool {
    cell.trim_start_matches(|c: char| c.is_whitespace() && !FORMULA.contains(&c) || c == '\'').starts_with(FORMULA)
}

/// A text no spreadsheet runs any part of.
fn guarded(text: &str) -> String {
    let parts = text.split(SEPARATOR).map(|part| if runs(part) { format!("'{part}") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join(";")
}

/// The text as it was before [`guarded`].
pub(crate) fn unguarded(cell: &str) -> String {
    let parts = cell.split(SEPARATOR).map(|part| part.strip_prefix('\'').filter(|rest| runs(rest)).unwrap_or(part));
    parts.collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_written_so_that_no_spreadsheet_runs_it_and_reads_back_the_same() {
        for text in testkit::corpora::texts::all() {
            let written = guarded(&text);
            for part in written.split(';') {
                assert!(!part.trim_start().starts_with(FORMULA), "{text:?} is written as {written:?}");
            }
            assert_eq!(unguarded(&written), text, "{written:?}");
        }
        assert_eq!(guarded("O'Neil; -"), "O'Neil;' -");
        assert_eq!(guarded("plain"), "plain");
    }
}
