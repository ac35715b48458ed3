//! Text that was written to do harm, or by nobody at all, is refused with a place; nothing panics, hangs or grows.

use policy::document::{Kind, parse, text_of};
use policy::scenario;
use policy::{Layer, load};
use proptest::prelude::*;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let fault = parse("p.yaml", text, Kind::Policy).expect_err("a fault");
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn aliases_are_copies_and_cannot_stand_for_more_than_a_file_may_hold() {
    let json = |text: &str| parse("p.yaml", text, Kind::Policy).expect("a document")[0].to_json();
    assert_eq!(json("a: &a { x: [1] }\nb: [*a, *a]\n")["b"], serde_json::json!([{"x": [1]}, {"x": [1]}]));
    let mut bomb = "a0: &a0 [xxxxxxxxxxxxxxxx]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let fault = parse("p.yaml", &bomb, Kind::Policy).expect_err("a bomb");
    assert_eq!(fault.message, "anchors and aliases make the document too large; write the values out");
    let nested: String = (0..40).map(|n| format!("&n{n} [")).collect();
    let text = format!("{nested}{}{}", "x".repeat(200_000), "]".repeat(40));
    assert!(parse("p.yaml", &text, Kind::Policy).is_err(), "anchors inside anchors are copies as well");
    refused("&a [*a]", "p.yaml:1:5: this alias stands inside the value it names; write the value out");
    refused("a: &a x\n*a : y\n", "p.yaml:2:1: a key must be a text, not a list or map; quote it if it starts with [ or {");
    assert!(parse("p.yaml", "a: &a x\n---\nb: *a\n", Kind::Policy).is_err(), "an anchor ends with its document");
}

#[test]
fn nothing_is_interpreted() {
    refused("a: !!binary aGk=", "p.yaml:1:4: tags (!) are not taken; quote the value if it is a text");
    refused("a: 1\nb: 2\na: 3\n", "p.yaml:3:1: the key \"a\" stands twice, first at line 1, column 1; keep one of them");
    refused("? [a]\n: b\n", "p.yaml:1:3: a key must be a text, not a list or map; quote it if it starts with [ or {");
    refused("a: .nan", "p.yaml:1:4: .nan is no number that can be kept; quote it if it is a text");
}

#[test]
fn depth_and_size_are_bounded() {
    refused(&"[".repeat(60), "p.yaml:1:49: nested deeper than 48 levels; no part of this format is");
    for open in ["[", "{a: ", "- ", "? "] {
        assert!(parse("p.yaml", &open.repeat(100_000), Kind::Policy).is_err(), "{open}");
    }
    let large = format!("# {}\n", "x".repeat(1 << 20));
    let fault = parse("p.yaml", &large, Kind::Policy).expect_err("too large");
    assert_eq!(fault.to_string(), "p.yaml:1:1: the file has 1048579 bytes and may have 1048576; split it");
    assert!(parse("p.yaml", &large, Kind::Scenarios).is_ok());
}

#[test]
fn large_and_wrong_is_told_in_a_hundred_faults() {
    let many: String = (0..40_000).map(|n| format!("x{n}: [1, 2]\n")).collect();
    let found = Layer::parse("p.yaml", &many).and_then(|layer| load(&[layer])).expect_err("faults");
    assert_eq!(found.len(), 100);
    let long = format!("{}: 1\n", "x".repeat(1_000_000));
    assert!(Layer::parse("p.yaml", &long).and_then(|layer| load(&[layer])).is_err());
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stand() {
    let fault = text_of("p.yaml", b"a: 1\nb: \xff\n").expect_err("not UTF-8");
    assert_eq!(fault.to_string(), "p.yaml:2:4: the file is not UTF-8 text from here on; save it as UTF-8");
    assert_eq!(text_of("p.yaml", "ä".as_bytes()).expect("text"), "ä");
}

#[test]
fn a_second_document_is_no_policy() {
    let found = Layer::parse("p.yaml", "preset: bms\n---\npreset: msp\n").expect_err("two documents");
    assert_eq!(found[0].to_string(), "p.yaml:3:1: a policy is one document; take the second one (after ---) out");
}

#[test]
fn scalars_follow_yamls_core_schema() {
    let json = |text: &str| parse("p.yaml", text, Kind::Policy).expect("a document")[0].to_json();
    assert_eq!(
        json("[no, off, yes, 2020-01-01T00:00:00Z, 1.5, 0x10, 0o10, ~, 'true', +1, 12e2, 1.2.3, 18446744073709551616]"),
        serde_json::json!([
            "no",
            "off",
            "yes",
            "2020-01-01T00:00:00Z",
            1.5,
            16,
            8,
            null,
            "true",
            1,
            1200.0,
            "1.2.3",
            18_446_744_073_709_551_616.0
        ])
    );
    assert_eq!(json("{\"json\": [true, null, \"x\"]}"), serde_json::json!({"json": [true, null, "x"]}));
}

const EXAMPLE: &str = include_str!("example.yaml");

/// Texts near the format: its own words and YAML's own signs, in any order.
fn nearly() -> impl Strategy<Value = String> {
    let words = [
        "preset",
        "scope",
        "rules",
        "fields",
        "lifecycle",
        "guard",
        "agent",
        "contact",
        "steps",
        "name",
        "policy",
        "entra",
        "users",
        "expect",
        "changes",
        "id",
        "when",
        "then",
        "bms",
        "off",
        "null",
        "true",
        "1",
        "-1",
        "2.5",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "'",
        "\"",
        "\\",
        "|",
        ">",
        "#",
        "&a ",
        "*a",
        "!t ",
        "? ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r",
        "\u{feff}",
        "\u{85}",
        "\u{0}",
        "é",
        "😀",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|parts| parts.concat())
}

fn judged(text: &str) {
    if let Ok(layer) = Layer::parse("p.yaml", text) {
        let _ = load(&[layer]);
    }
    let _ = scenario::parse("s.yaml", text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_at_all_panics(text in "\\PC*|(.|\\n){0,200}") {
        judged(&text);
    }

    #[test]
    fn no_text_near_the_format_panics(text in nearly()) {
        judged(&text);
    }

    #[test]
    fn no_scenario_with_a_slip_in_it_panics(
        at in any::<prop::sample::Index>(),
        gone in 0usize..12,
        instead in prop::sample::select(vec!["", "~", "[]", "{}", "-1", "'x'", "[[", "a: b", "\n", "null", "{ id: x }", "é"]),
    ) {
        let letters: Vec<char> = EXAMPLE.chars().collect();
        let from = at.index(letters.len());
        let to = (from + gone).min(letters.len());
        let text: String = letters[..from].iter().copied().chain(instead.chars()).chain(letters[to..].iter().copied()).collect();
        judged(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = text_of("p.yaml", &bytes) {
            judged(text);
        }
    }
}
