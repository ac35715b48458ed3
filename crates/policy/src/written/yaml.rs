//! Writing a tree as YAML in block style, lists of plain values on one line.

use super::Tree;
use model::Value;
use std::fmt::Write;

/// The text of a document. Every text that could be read as anything else, or that holds a character YAML escapes, is quoted.
pub(crate) fn emit(tree: &Tree) -> String {
    emit_at(tree, 0)
}

/// The same for a part that stands at a column, its first line without the indentation.
pub(crate) fn emit_at(tree: &Tree, column: usize) -> String {
    let mut out = String::new();
    match tree {
        Tree::Map(entries) if !entries.is_empty() => map(entries, column, &mut out),
        other => {
            inline(other, &mut out);
            out.push('\n');
        }
    }
    out
}

fn map(entries: &[(String, Tree)], indent: usize, out: &mut String) {
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            pad(indent, out);
        }
        text(key, out);
        out.push(':');
        match value {
            Tree::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(indent + 2, out);
                map(inner, indent + 2, out);
            }
            Tree::List(items) if items.iter().any(|item| !matches!(item, Tree::Leaf(_))) => {
                out.push('\n');
                for item in items {
                    pad(indent + 2, out);
                    out.push_str("- ");
                    match item {
                        Tree::Map(inner) if !inner.is_empty() => map(inner, indent + 4, out),
                        other => {
                            inline(other, out);
                            out.push('\n');
                        }
                    }
                }
            }
            other => {
                out.push(' ');
                inline(other, out);
                out.push('\n');
            }
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn inline(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Leaf(Value::String(s)) => text(s, out),
        Tree::Leaf(value) => out.push_str(&value.to_string()),
        Tree::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                inline(item, out);
            }
            out.push(']');
        }
        Tree::Map(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                text(key, out);
                out.push_str(": ");
                inline(value, out);
            }
            out.push('}');
        }
    }
}

/// A text: plain when it is a word that YAML reads as a text, else in double quotes.
fn text(s: &str, out: &mut String) {
    const WORDS: [&str; 9] = ["null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"];
    let plain = s.starts_with(|c: char| c.is_ascii_alphabetic())
        && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@'))
        && !WORDS.contains(&s);
    if plain {
        out.push_str(s);
        return;
    }
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Spaces that a reader could take for the end of a line, and everything YAML does not call printable.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') || is_nonchar(c) => {
                // Writing into a String has no way to fail.
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn is_nonchar(c: char) -> bool {
    matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe
}
