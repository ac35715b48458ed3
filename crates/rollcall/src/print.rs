//! How results look: a table for people, JSON for programs, both on stdout. Logs and progress go to stderr.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

/// Prints a line of a result, as `println!` would; see [`line()`].
macro_rules! say {
    ($($words:tt)*) => { $crate::print::line(format_args!($($words)*)) };
}

/// Prints a line beside the results, as `eprintln!` would; see [`aside`].
macro_rules! aside {
    ($($words:tt)*) => { $crate::print::aside(format_args!($($words)*)) };
}

/// What first kept a result from being printed. One for the process, like the stream it speaks of.
static LOST: OnceLock<Error> = OnceLock::new();

/// Prints a line on stdout. Who reads may stop (`| head -1`): the work goes on and nothing is wrong. What else keeps a result from
/// being written, such as a full disk, is kept for [`lost`], for the work must not be left half done because of it.
pub fn line(text: Arguments<'_>) {
    all(format!("{text}\n").as_bytes());
}

/// Prints a line on stderr, if anybody listens.
pub fn aside(text: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Writes bytes to stdout as [`line()`] does.
pub fn all(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error);
    }
}

/// Stdout for what writes by itself, with the same manners as [`line()`].
pub struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What kept a result from being printed, if anything did.
pub fn lost() -> Option<&'static Error> {
    LOST.get()
}

/// Prints one JSON value, indented.
pub fn json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    all(&text);
    Ok(())
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
    if any { say!("{table}") } else { say!("{empty}") }
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

/// `1 fault`, `2 faults`.
pub fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A time people read: UTC to the second.
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}
