//! Texts for names, titles, custom fields, rules, groups, clients and sites.

use std::collections::HashSet;

/// Code points around which lengths are made: the limits of fields (ruling 63).
const LIMITS: [usize; 4] = [50, 100, 150, 254];

/// All of them, each once: the Big List of Naughty Strings, and what it lacks.
#[must_use]
pub fn all() -> Vec<String> {
    let listed = naughty_strings::BLNS.iter().map(|text| (*text).to_owned());
    let mut seen = HashSet::new();
    listed.chain(made()).filter(|text| seen.insert(text.clone())).collect()
}

fn made() -> impl Iterator<Item = String> {
    controls().chain(unseen()).chain(formulas()).chain(long()).chain(written().into_iter().map(str::to_owned))
}

/// Every control character inside a text, and some at its ends, where a line, a field or a terminal's command would begin.
fn controls() -> impl Iterator<Item = String> {
    let inside = (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32).map(|c| format!("a{c}b"));
    let forged = [
        "Ada\n2026-01-01T00:00:00Z ERROR all is lost",
        "Ada\r\n{\"level\":\"ERROR\"}",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "\u{9b}31mred",
        "Ada\t",
        "\nAda",
        "\u{0}",
    ];
    inside.chain(forged.map(str::to_owned))
}

/// Characters nobody sees, that turn the direction, join, or are none: at the beginning, inside, at the end and alone.
fn unseen() -> impl Iterator<Item = String> {
    let spaces = "\u{a0}\u{1680}\u{2000}\u{2003}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";
    let formats = "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{e0001}\u{e0041}";
    let others = "\u{301}\u{340}\u{20dd}\u{fdd0}\u{fffd}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}\u{e000}\u{fff9}";
    let each = |c: char| [format!("{c}Ada"), format!("A{c}da"), format!("Ada{c}"), c.to_string()];
    format!("{spaces}{formats}{others}").chars().flat_map(each).collect::<Vec<_>>().into_iter()
}

/// What spreadsheets run: each beginning, as it is and behind what they skip or take off.
fn formulas() -> impl Iterator<Item = String> {
    let begins = ["=", "+", "-", "@", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}"];
    let before = ["", " ", "\u{a0}", "'", "''", "' ", " '", "\"", ";", "a;", "a,", "a;'", "a; "];
    let rest = ["cmd|' /C calc'!A0", ""];
    begins
        .into_iter()
        .flat_map(move |b| before.into_iter().flat_map(move |f| rest.into_iter().map(move |r| format!("{f}{b}{r}"))))
}

/// As long as a field takes, one code point more, and far more, of one to four bytes each and of two code points a letter.
fn long() -> impl Iterator<Item = String> {
    let lengths = LIMITS.into_iter().flat_map(|limit| [limit, limit + 1]).chain([5_000]);
    lengths.flat_map(|n| ["x", "é", "漢", "😀"].map(|c| c.repeat(n)).into_iter().chain(["e\u{301}".repeat(n / 2)]))
}

/// What markup, YAML, JSON, patterns, templates, shells and paths would read as theirs.
fn written() -> Vec<&'static str> {
    vec![
        // markup, in text, in attributes, in scripts, in titles and text areas
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "\"><script>alert(1)</script>",
        "' onmouseover='alert(1)",
        "\" autofocus onfocus=\"alert(1)",
        "</title><script>alert(1)</script>",
        "</textarea><script>alert(1)</script>",
        "</bdi></td></tr></table><h1>owned</h1>",
        "<!-- ",
        "-->",
        "]]>",
        "&lt;b&gt; &amp; &#60; &copy",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        // templates
        "{{7*7}}",
        "{% raw %}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        // YAML
        "- a",
        "? a",
        "a: b",
        "a #b",
        "# a",
        "&a",
        "*a",
        "!!str a",
        "%YAML 1.2",
        "---",
        "...",
        "| ",
        ">",
        "`a`",
        "~",
        "yes",
        "No",
        "null",
        "true",
        "0x1F",
        "0o7",
        "1_000",
        "1e3",
        "-1e400",
        ".inf",
        ".NaN",
        "12:30:45",
        "2026-01-01",
        "<<",
        "=",
        "[a, b]",
        "{a: b}",
        "'a'",
        "\"a\"",
        "it's \"a\"",
        "a\\nb",
        "\\",
        "\\u0041",
        // patterns of searches and of SQL
        "%",
        "_",
        "100%",
        "a_b",
        "\\%",
        "[a-z]*",
        "a'b",
        "'; DROP TABLE people; --",
        "\" OR 1=1 --",
        "$1",
        "?1",
        "NEAR(a b)",
        "a AND NOT b*",
        // paths, shells, formats
        "../../etc/passwd",
        "C:\\con",
        "$(reboot)",
        "`reboot`",
        "| reboot",
        "%s%n%d",
        "%00",
        "%0d%0aSet-Cookie: a=b",
        // values that look like ours
        "from_tenant",
        "user:1",
        "new:u:contact",
        "_Archived",
        "custom:",
        "00000000-0000-0000-0000-00000000000A",
    ]
}
