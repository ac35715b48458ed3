//! People as CSV, in the form import reads. Cells that a spreadsheet would run as a formula get an apostrophe in front, which import
//! takes off again.

use crate::error::Result;
use model::Value;
use model::records::{Field, Person};
use std::io::Write;

/// The columns that are written; custom fields have one column each in a form of their own and are joined in `fields`.
const COLUMNS: &[&str] = &[
    "external_id",
    "kind",
    "client",
    "site",
    "status",
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
    "root",
    "tickets",
    "invoices",
];

/// Writes people, one a line.
pub struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The output's.
    pub fn new(out: W) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS).map_err(std::io::Error::other)?;
        Ok(Self(writer))
    }

    /// Writes one person. Its own number is its external id.
    ///
    /// # Errors
    /// The output's.
    pub fn write(&mut self, person: &Person, client: Option<&str>, site: Option<&str>) -> Result<()> {
        let cells = COLUMNS.iter().map(|column| {
            let text = match *column {
                "external_id" => person.id.to_string(),
                "kind" => person.kind.to_string(),
                "client" => client.unwrap_or_default().to_owned(),
                "site" => site.unwrap_or_default().to_owned(),
                "root" => if person.root { "true" } else { "" }.to_owned(),
                "tickets" => person.tickets.to_string(),
                "invoices" => person.invoices.to_string(),
                field => cell(&person.get(&Field::new(field))),
            };
            guarded(text)
        });
        self.0.write_record(cells.collect::<Vec<_>>()).map_err(|e| std::io::Error::other(e).into())
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    /// The output's.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r'];

/// A cell no spreadsheet runs.
fn guarded(text: String) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text }
}

/// The cell as it was before [`guarded`].
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_written_so_that_no_spreadsheet_runs_it_and_reads_back_the_same() {
        for text in ["=1+1", "+44 117 496 0000", "-x", "@sum", "plain", "'quoted", ""] {
            let written = guarded(text.to_owned());
            assert!(!written.starts_with(FORMULA), "{written}");
            assert_eq!(unguarded(&written), text);
        }
    }
}
