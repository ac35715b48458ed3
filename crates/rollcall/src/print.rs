//! How results look: a table for people, JSON for programs, both on stdout. Logs and progress go to stderr.

use anyhow::{Context, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::Write;

/// Prints one JSON value, indented.
pub fn json(value: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).context("Writing the result failed")?;
    writeln!(out).context("Writing the result failed")
}

/// Prints rows under headings; nothing but `empty` when there are none.
pub fn table<R: IntoIterator<Item = String>>(headings: &[&str], rows: impl IntoIterator<Item = R>, empty: &str) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().copied());
    let mut any = false;
    for row in rows {
        any = true;
        table.add_row(row.into_iter().map(|cell| plain(&cell)));
    }
    if any { println!("{table}") } else { println!("{empty}") }
}

/// Text from outside, made safe for a terminal: control and direction characters are shown, not obeyed.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A time people read: UTC to the second.
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}
