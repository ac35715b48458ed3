//! What a database means, as text that two databases can be compared by.

use anyhow::{Context, Result};
use store::Store;

/// The canonical dump of a database nobody writes to.
///
/// # Errors
/// When it cannot be read.
pub fn dump(url: &str) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        // The schema is there already, so the time it would be made at does not matter.
        let store = Store::open(url, 0).await?;
        let mut out = Vec::new();
        store.dump(&mut out).await?;
        String::from_utf8(out).context("the dump is not text")
    })
}

/// The lines in which two dumps differ, the first few of each; nothing when they are the same.
#[must_use]
pub fn difference(expected: &str, got: &str) -> Option<String> {
    // Dumps are sorted table by table, and a multiset difference is enough to see what happened.
    const SHOWN: usize = 12;
    if expected == got {
        return None;
    }
    let only = |a: &str, b: &str| {
        let mut counts = std::collections::HashMap::new();
        for line in b.lines() {
            *counts.entry(line).or_insert(0_i64) += 1;
        }
        let mut lines = Vec::new();
        for line in a.lines() {
            let left = counts.entry(line).or_insert(0);
            *left -= 1;
            if *left < 0 {
                lines.push(line.to_owned());
            }
        }
        lines
    };
    let show = |mark: char, lines: &[String]| {
        lines.iter().take(SHOWN).map(|l| format!("{mark} {l}\n")).collect::<String>()
            + &format!("{mark} ({} lines)\n", lines.len())
    };
    let text = show('-', &only(expected, got)) + &show('+', &only(got, expected));
    Some(format!("expected (-) and got (+) differ:\n{text}"))
}
