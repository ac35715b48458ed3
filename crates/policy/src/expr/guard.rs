//! What is refused before anything parses: too many brackets inside one another, too many parts. One pass, no recursion.

use super::BadExpression;

/// Deepest nesting, of brackets here and of the parsed tree later.
pub(super) const DEPTH: usize = 32;

/// Most names, numbers, texts and signs. 256 nodes of a tree need no more, brackets included.
const TOKENS: usize = 1_024;

/// Counts brackets and parts outside of quoted texts and comments.
pub(super) fn check(text: &str) -> Result<(), BadExpression> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut depth, mut tokens) = (0, 0usize, 0usize);
    while let Some(&c) = chars.get(at) {
        let start = at;
        at += 1;
        match c {
            c if c.is_whitespace() => continue,
            '/' if chars.get(at) == Some(&'/') => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
                continue;
            }
            '(' | '[' | '{' => {
                depth += 1;
                if depth > DEPTH {
                    return Err(BadExpression { character: start + 1, message: too_deep() });
                }
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '"' | '\'' => at = quoted(&chars, start, false),
            c if in_name(c) => {
                while chars.get(at).copied().is_some_and(in_name) {
                    at += 1;
                }
                let prefix: String = chars[start..at].iter().map(char::to_ascii_lowercase).collect();
                if matches!(chars.get(at), Some('"' | '\'')) && ["r", "b", "rb", "br"].contains(&prefix.as_str()) {
                    at = quoted(&chars, at, prefix.contains('r'));
                }
            }
            _ => {}
        }
        tokens += 1;
        if tokens > TOKENS {
            return Err(BadExpression { character: start + 1, message: too_many() });
        }
    }
    Ok(())
}

pub(super) fn too_deep() -> String {
    format!("the expression is nested deeper than {DEPTH} levels; write it flatter")
}

pub(super) fn too_many() -> String {
    "the expression has too many parts; make several rules of it, or a group".to_owned()
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Behind a quoted text that begins at `start`; behind everything when it does not end.
fn quoted(chars: &[char], start: usize, raw: bool) -> usize {
    let quote = chars[start];
    let triple = chars.get(start + 1) == Some(&quote) && chars.get(start + 2) == Some(&quote);
    let length = if triple { 3 } else { 1 };
    let mut at = start + length;
    while at < chars.len() {
        if chars[at] == '\\' && !raw {
            at += 2;
        } else if chars[at..].iter().take(length).filter(|c| **c == quote).count() == length {
            return at + length;
        } else {
            at += 1;
        }
    }
    chars.len()
}
