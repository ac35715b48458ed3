//! Characters that look like one another (UTS #39), from Unicode's tables.

use std::collections::HashMap;
use unicode_security::confusable_detection::skeleton;

/// Each small letter and digit of ASCII with every other character of one code point that looks like it.
#[must_use]
pub fn pairs() -> Vec<(char, char)> {
    let mut plain: HashMap<String, Vec<char>> = HashMap::new();
    for c in ('a'..='z').chain('0'..='9') {
        plain.entry(likeness(c)).or_default().push(c);
    }
    let like = |c: char| plain.get(&likeness(c)).into_iter().flatten().map(move |p| (*p, c));
    ('\u{80}'..=char::MAX).flat_map(like).collect()
}

/// What characters that look alike have in common.
fn likeness(c: char) -> String {
    skeleton(c.encode_utf8(&mut [0; 4])).collect()
}
