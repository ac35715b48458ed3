//! Addresses by the hundred: which are accepted, and which are the same. What is expected comes from the grammar they were made by, from
//! Unicode's own test file for domain names, and from its table of look-alikes; never from our parser.

use model::address::{self, AddressKey};
use std::collections::BTreeMap;
use std::process::Command;
use testkit::corpora::{addresses, confusables};
use unicode_normalization::UnicodeNormalization;

fn key(text: &str) -> Option<String> {
    AddressKey::of(text).map(|k| k.as_str().to_owned())
}

/// All that went wrong at once, since one says little.
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn ruling_124_what_the_grammar_makes_is_accepted_and_what_breaks_a_rule_of_it_is_not() {
    let samples = addresses::all();
    let good = samples.iter().filter(|s| s.valid).count();
    assert!(good > 400 && samples.len() - good > 300, "{good} of {}", samples.len());
    let wrong: Vec<String> = samples
        .iter()
        .filter(|s| address::is_valid(&s.text) != s.valid)
        .map(|s| format!("{} should be {}: {}", s.text.escape_debug(), if s.valid { "accepted" } else { "refused" }, s.rule))
        .collect();
    none(&wrong);
}

#[test]
fn ruling_56_an_address_keeps_its_key_in_another_case_form_or_script() {
    let mut wrong = Vec::new();
    let mut check = |one: &str, other: &str, same: bool| {
        if (key(one) == key(other)) != same {
            wrong.push(format!(
                "{} and {} should be {}",
                one.escape_debug(),
                other.escape_debug(),
                if same { "one" } else { "two" }
            ));
        }
    };
    for sample in addresses::all().iter().filter(|s| s.valid) {
        let Some((local, domain)) = sample.text.rsplit_once('@') else { continue };
        check(&sample.text, &format!(" \u{3000}{}\u{a0}\t", sample.text), true);
        // The small dotless i is the one letter whose capital is another letter's capital too.
        check(&sample.text, &format!("{}@{domain}", local.to_uppercase()), !local.contains('ı'));
        check(&sample.text, &format!("{local}@{}", domain.to_ascii_uppercase()), true);
        check(&sample.text, &format!("{}@{domain}", local.nfd().collect::<String>()), true);
        check(&sample.text, &format!("x{}", sample.text), false);
        check(&sample.text, &format!("{}x", sample.text), false);
        check(&sample.text, &format!("{local}+x@{domain}"), false);
        check(&sample.text, &format!("{local}.@{domain}"), false);
        check(&sample.text, &format!("{local}\u{200d}@{domain}"), false);
    }
    none(&wrong);
}

#[test]
fn ruling_56_what_looks_alike_is_not_the_same() {
    let pairs = confusables::pairs();
    assert!(pairs.len() > 1_000, "{}", pairs.len());
    // The only characters outside ASCII whose case folding is a letter of it (CaseFolding.txt, C): the Kelvin sign and the long s.
    let folds = BTreeMap::from([('\u{212a}', 'k'), ('\u{17f}', 's')]);
    let mut wrong = Vec::new();
    for (plain, like) in pairs {
        let (one, other) = (format!("a{plain}b@acme.example"), format!("a{like}b@acme.example"));
        if (key(&one) == key(&other)) != (folds.get(&like) == Some(&plain)) {
            wrong.push(format!("{one} and {other} (U+{:04X})", u32::from(like)));
        }
        // A name in the name system is what it maps to (UTS #46), which for one character is its compatibility form in small letters.
        let maps = like.nfkc().collect::<String>().to_lowercase().nfkc().eq([plain]);
        let (one, other) = (format!("ada@a{plain}b.example"), format!("ada@a{like}b.example"));
        if (key(&one) == key(&other)) != maps {
            wrong.push(format!(
                "{one} and {other} (U+{:04X}), which maps to {:?}",
                u32::from(like),
                like.nfkc().collect::<String>()
            ));
        }
    }
    none(&wrong);
}

/// One line of Unicode's file: a domain as written, what it is in the name system, and whether it may be there.
struct Line {
    source: String,
    unicode: String,
    ascii: String,
    faults: Vec<String>,
}

/// `IdnaTestV2.txt`, as it comes with the package that converts domains for us.
fn unicodes_own() -> Vec<Line> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "host-tuple"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON from cargo metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let manifest = packages.iter().find(|p| p["name"] == "idna").and_then(|p| p["manifest_path"].as_str()).expect("idna");
    let file = std::path::Path::new(manifest).with_file_name("tests").join("IdnaTestV2.txt");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let lines = text.lines().map(|l| l.split_once('#').map_or(l, |(before, _)| before)).filter(|l| !l.trim().is_empty());
    lines.filter_map(line).collect()
}

/// Columns: source; toUnicode (empty: the source); its status; toAsciiN (empty: toUnicode); its status (empty: the one before); …
fn line(text: &str) -> Option<Line> {
    let cells: Vec<&str> = text.split(';').map(str::trim).collect();
    let or = |cell: &str, other: &str| if cell.is_empty() { other.to_owned() } else { cell.to_owned() };
    let source = unescaped(cells[0])?;
    let unicode = or(&unescaped(cells[1])?, &source);
    let ascii = or(&unescaped(cells[3])?, &unicode);
    let status = or(cells[4], cells[2]);
    let faults = status.trim_matches(['[', ']']).split(',').map(|f| f.trim().to_owned()).filter(|f| !f.is_empty()).collect();
    Some(Line { source, unicode, ascii, faults })
}

/// `\uXXXX`; nothing for half a surrogate pair, which no text of ours can hold. `""` is the empty text.
fn unescaped(cell: &str) -> Option<String> {
    let cell = if cell == "\"\"" { "" } else { cell };
    let mut parts = cell.split("\\u");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(4)?;
        text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        text.push_str(rest);
    }
    Some(text)
}

/// Whether a text holds a letter that Unicode has added since the file was made: there it is a fault.
fn is_new(text: &str) -> bool {
    text.chars().any(|c| ('\u{323b0}'..='\u{3ffff}').contains(&c))
}

#[test]
fn ruling_56_domains_convert_as_unicodes_own_test_file_says() {
    let (mut same, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in unicodes_own() {
        let at = |domain: &str| format!("ada@{domain}");
        // Hyphens in the third and fourth place are no fault of a mailbox, and its limits of length are other ones.
        if line.faults.is_empty() {
            let keys = [&line.source, &line.unicode, &line.ascii].map(|d| key(&at(d)));
            if keys[0] != keys[1] || keys[0] != keys[2] || keys[0] != Some(at(&line.ascii)) {
                wrong.push(format!("{} {} {}: {keys:?}", line.source.escape_debug(), line.unicode, line.ascii));
            }
            if !address::is_valid(&at(&line.source)) {
                wrong.push(format!("{} is refused", line.source.escape_debug()));
            }
            same += 1;
        } else if !line.source.is_ascii() && !is_new(&line.source) && line.faults.iter().any(|f| f != "V2" && f != "A4_1") {
            if address::is_valid(&at(&line.source)) {
                wrong.push(format!("{} is accepted in spite of {:?}", line.source.escape_debug(), line.faults));
            }
            refused += 1;
        }
    }
    assert!(same > 500 && refused > 1_000, "{same} {refused}");
    none(&wrong);
}
