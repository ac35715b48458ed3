//! What is wrong with a document, where, and what to do about it.

use crate::document::Node;
use std::fmt;
use std::sync::Arc;

/// A place in a document: what a fault, and a failed expectation, is reported at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The file's name as the caller gave it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Tells a map from its own first key, which stand at the same place. Counted through the file.
    pub(crate) id: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One fault of a document: a sentence that says what is wrong and what to do, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Fault {
    /// The file's name as the caller gave it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// JSON pointer (RFC 6901) into the document as it was written; empty for the whole document.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl From<&Fault> for Mark {
    fn from(fault: &Fault) -> Self {
        Self { file: fault.file.clone(), line: fault.line, column: fault.column, id: 0 }
    }
}

/// Faults reported at most: a file that is wrong everywhere is not a policy, and a longer list helps nobody.
const MOST: usize = 100;

/// Collects faults; the same one at the same place is kept once, because a flat key stands for both kinds.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<(Mark, String)>,
}

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(&mut self, at: &Mark, message: impl Into<String>) {
        let message = message.into();
        if self.found.len() < MOST && !self.found.iter().any(|(a, m)| a == at && *m == message) {
            self.found.push((at.clone(), message));
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The faults in the order of their places, with pointers looked up in the documents they came from.
    pub(crate) fn into_vec(self, roots: &[&Node]) -> Vec<Fault> {
        let mut faults: Vec<_> = self
            .found
            .into_iter()
            .map(|(at, message)| {
                let pointer = roots.iter().find_map(|root| root.pointer_to(&at)).unwrap_or_default();
                Fault { file: at.file, line: at.line, column: at.column, pointer, message }
            })
            .collect();
        faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        faults
    }
}

/// The known word nearest to a mistyped one, if one is near enough to be meant.
pub(crate) fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // Two slips are a typing mistake; in a short word they are another word.
    let allowed = if written.len() <= 5 { 1 } else { 2 };
    // Asked first, because a distance costs the product of both lengths and the text may be anybody's.
    let as_long = |word: &&str| word.len().abs_diff(written.len()) <= allowed;
    let near = known.into_iter().filter(as_long).map(|word| {
        let folded = written.to_lowercase().replace('-', "_");
        (strsim::damerau_levenshtein(&folded, &word.to_lowercase()), word)
    });
    near.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// "a, b or c".
pub(crate) fn either<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
