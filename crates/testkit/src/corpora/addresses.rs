//! Addresses made from the grammar of a mailbox (RFC 5321, 4.1.2 and 4.1.3, with RFC 6531, 3.3): every production is used, every
//! character of each class stands in one, and each faulty address breaks one rule that it names. The expectation comes from how an
//! address was made, never from reading it.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// An address, and what the grammar says of it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The address.
    pub text: String,
    /// Whether it is a mailbox.
    pub valid: bool,
    /// By which rule.
    pub rule: &'static str,
}

/// `atext` of RFC 5322 without letters and digits.
const SIGNS: &str = "!#$%&'*+-/=?^_`{|}~";

/// ASCII that no atom may hold (RFC 5322, `specials`, and the space).
const SPECIALS: &str = "()<>[]:;@\\,. \"";

/// `UTF8-non-ascii` of many kinds: letters of several scripts, marks, format characters, white space, an emoji, a private and an
/// unassigned one.
const WIDE: &str = "éßøıŁжλאعहไ漢한ａ\u{301}\u{200d}\u{ad}\u{202e}\u{a0}\u{2028}\u{3000}😀\u{e000}\u{fdd0}\u{10ffff}";

/// Labels as people register them, in several scripts (RFC 5890, U-labels).
const U_LABELS: [&str; 10] = ["bücher", "straße", "例え", "пример", "παράδειγμα", "مثال", "उदाहरण", "한국", "đorđe", "ça-va"];

/// Several hundred addresses, good ones and bad ones.
#[must_use]
pub fn all() -> Vec<Sample> {
    let mut random = ChaCha20Rng::seed_from_u64(5_321);
    let (locals, domains) = (locals(&mut random), domains(&mut random));
    let mut samples: Vec<Sample> = Vec::new();
    for (at, (local, rule)) in locals.iter().enumerate() {
        samples.push(Sample { text: format!("{local}@{}", domains[at % 7].0), valid: true, rule });
    }
    for (at, (domain, rule)) in domains.iter().enumerate() {
        samples.push(Sample { text: format!("{}@{domain}", locals[at * 5 % locals.len()].0), valid: true, rule });
    }
    samples.extend(faulty(&mut random).into_iter().map(|(text, rule)| Sample { text, valid: false, rule }));
    samples
}

fn pick(random: &mut impl Rng, from: &str) -> char {
    let all: Vec<char> = from.chars().collect();
    all[random.random_range(0..all.len())]
}

fn word(random: &mut impl Rng, from: &str, most: usize) -> String {
    (0..random.random_range(1..=most)).map(|_| pick(random, from)).collect()
}

fn letters() -> String {
    ('a'..='z').chain('A'..='Z').chain('0'..='9').collect()
}

/// Every form a local part has.
fn locals(random: &mut impl Rng) -> Vec<(String, &'static str)> {
    let atext = letters() + SIGNS;
    let mut made = vec![("ada".to_owned(), "Dot-string of one atom"), ("A".to_owned(), "Dot-string of one letter")];
    made.extend(atext.chars().map(|c| (format!("{c}"), "atext alone")));
    made.extend(SIGNS.chars().map(|c| (format!("a{c}{c}b.{c}"), "atext doubled, and as an atom")));
    made.extend(WIDE.chars().map(|c| (format!("a{c}b"), "UTF8-non-ascii in an atom")));
    for _ in 0..60 {
        let atoms: Vec<String> = (0..random.random_range(1..5)).map(|_| word(random, &(atext.clone() + "éжあ"), 6)).collect();
        made.push((atoms.join("."), "Dot-string"));
    }
    made.push(("x".repeat(64), "64 octets"));
    made.push((format!("{}.{}", "x".repeat(31), "y".repeat(32)), "64 octets in two atoms"));
    made.push(("é".repeat(32), "64 octets of two-byte letters"));
    made.push((format!("{}x", "漢".repeat(21)), "64 octets of three-byte letters"));
    made.push((format!("\"{}\"", "q".repeat(62)), "64 octets with the quotes"));
    made.push(("\"\"".to_owned(), "Quoted-string without content"));
    // qtextSMTP: 32, 33, 35 to 91, 93 to 126; quoted-pairSMTP: a backslash and 32 to 126.
    let printable = (' '..='~').collect::<Vec<_>>();
    let qtext = printable.iter().filter(|c| !matches!(c, '"' | '\\'));
    made.extend(qtext.map(|c| (format!("\"{c}\""), "qtextSMTP")));
    made.extend(printable.iter().map(|c| (format!("\"a\\{c}b\""), "quoted-pairSMTP")));
    made.extend(WIDE.chars().map(|c| (format!("\" {c} \""), "UTF8-non-ascii in a Quoted-string")));
    made
}

/// Every form a domain has.
fn domains(random: &mut impl Rng) -> Vec<(String, &'static str)> {
    let ldh = letters() + "-";
    let mut made: Vec<(String, &'static str)> =
        ["acme.example", "a.b.c.example", "ACME.Example", "x1-y2.example", "0.example", "localhost", "xn--bcher-kva.example"]
            .map(|d| (d.to_owned(), "Domain"))
            .into();
    for _ in 0..40 {
        let labels: Vec<String> = (0..random.random_range(1..5)).map(|_| format!("a{}z", word(random, &ldh, 12))).collect();
        made.push((format!("{}.example", labels.join(".")), "Domain of several labels"));
    }
    made.push((format!("{}.example", "x".repeat(63)), "a label of 63 octets"));
    made.push((["x".repeat(63), "y".repeat(63), "z".repeat(63), "w".repeat(63)].join("."), "255 octets"));
    for label in U_LABELS {
        made.push((format!("{label}.example"), "U-label"));
        made.push((format!("mail.{label}.{label}"), "U-labels"));
    }
    for _ in 0..10 {
        let [a, b, c, d]: [u8; 4] = std::array::from_fn(|_| random.random());
        made.push((format!("[{a}.{b}.{c}.{d}]"), "IPv4-address-literal"));
        let groups: [u16; 8] = std::array::from_fn(|_| random.random());
        let hex: Vec<String> = groups.iter().map(|g| format!("{g:x}")).collect();
        made.push((format!("[IPv6:{}]", hex.join(":")), "IPv6-full"));
        made.push((format!("[IPv6:{}:{a}.{b}.{c}.{d}]", hex[..6].join(":")), "IPv6v4-full"));
        // At most six groups beside the "::", in either of its sides; four before an IPv4 address.
        let (left, right) = (random.random_range(0..4), random.random_range(0..3));
        made.push((format!("[IPv6:{}::{}]", hex[..left].join(":"), hex[8 - right..].join(":")), "IPv6-comp"));
        let tail = format!("{a}.{b}.{c}.{d}");
        made.push((format!("[IPv6:{}::{tail}]", hex[..left].join(":")), "IPv6v4-comp"));
    }
    made.extend(["[192.000.002.001]", "[0.0.0.0]", "[255.255.255.255]"].map(|d| (d.to_owned(), "Snum of one to three digits")));
    made.extend(["[IPv6:::]", "[IPv6:::1]", "[ipv6:2001:DB8::1]", "[IPv6:1:2:3:4:5:6::]"].map(|d| (d.to_owned(), "IPv6-comp")));
    made
}

/// One rule broken each, in every way it can be.
fn faulty(random: &mut impl Rng) -> Vec<(String, &'static str)> {
    let mut made = Vec::new();
    let mut add = |rule: &'static str, texts: &[&str]| made.extend(texts.iter().map(|t| ((*t).to_owned(), rule)));
    add(
        "no @",
        &[
            "",
            "ada",
            "acme.example",
            "ada.acme.example",
            "ada at acme.example",
            "ada\u{ff20}acme.example",
            "ada\u{fe6b}acme.example",
        ],
    );
    add("an empty part", &["@", "@acme.example", "ada@", "@@", "\"ada@acme.example\""]);
    add("two @ outside quotes", &["a@b@acme.example", "a@@acme.example", "@a@acme.example", "a@acme.example@"]);
    add(
        "an empty atom",
        &[".@acme.example", ".ada@acme.example", "ada.@acme.example", "a..b@acme.example", "a...b@acme.example"],
    );
    add(
        "words of an obsolete local part",
        &[
            "\"a\".b@acme.example",
            "a.\"b\"@acme.example",
            "\"a\"b@acme.example",
            "a\"b\"@acme.example",
            "\"a\"\"b\"@acme.example",
        ],
    );
    add(
        "comments and folding white space",
        &[
            "ada(comment)@acme.example",
            "(c)ada@acme.example",
            "ada@acme.example(c)",
            "ada @acme.example",
            "ada@ acme.example",
            "a da@acme.example",
            "ada@acme .example",
        ],
    );
    add(
        "a name beside the address",
        &[
            "Ada <ada@acme.example>",
            "<ada@acme.example>",
            "mailto:ada@acme.example",
            "smtp:ada@acme.example",
            "ada@acme.example, bea@acme.example",
            "ada@acme.example;bea@acme.example",
        ],
    );
    add(
        "a quote that does not end or ends early",
        &[
            "\"@acme.example",
            "\"ada@acme.example",
            "ada\"@acme.example",
            "\"a\"b\"@acme.example",
            "\"\"\"@acme.example",
            "\"a\\\"@acme.example",
            "\"\\\"@acme.example",
        ],
    );
    add("a quoted-pair of what is not ASCII", &["\"\\é\"@acme.example", "\"a\\😀b\"@acme.example"]);
    add(
        "an empty label",
        &[
            "ada@.",
            "ada@.acme.example",
            "ada@acme..example",
            "ada@acme.example.",
            "ada@acme.example..",
            "ada@acme\u{3002}\u{3002}example",
        ],
    );
    add(
        "a hyphen at a label's end",
        &["ada@-", "ada@-acme.example", "ada@acme-.example", "ada@acme.-example", "ada@acme.example-"],
    );
    add(
        "a sign in a label",
        &[
            "ada@ac_me.example",
            "ada@ac!me.example",
            "ada@ac me.example",
            "ada@acme,example",
            "ada@acme/example",
            "ada@acme.example/",
            "ada@acme:25",
            "ada@bü_cher.example",
            "ada@b ücher.example",
            "ada@ac\u{2024}\u{2024}me.example",
            "ada@\u{2100}.example",
        ],
    );
    add(
        "a literal that is none",
        &[
            "ada@[]",
            "ada@[",
            "ada@]",
            "ada@[1.2.3]",
            "ada@[1.2.3.4.5]",
            "ada@[256.1.1.1]",
            "ada@[1.2.3.4",
            "ada@1.2.3.4]",
            "ada@[1.2.3.+4]",
            "ada@[ 1.2.3.4]",
            "ada@[1.2.3.0004]",
            "ada@[1..2.3]",
            "ada@[0x1.2.3.4]",
            "ada@[acme.example]",
            "ada@[1.2.3.4].example",
            "ada@[1.2.3.4][1.2.3.4]",
        ],
    );
    add(
        "an IPv6 literal that is none",
        &[
            "ada@[::1]",
            "ada@[IPv6:]",
            "ada@[IPv6:1]",
            "ada@[IPv6::1]",
            "ada@[IPv6:1:2:3:4:5:6:7]",
            "ada@[IPv6:1:2:3:4:5:6:7:8:9]",
            "ada@[IPv6:1::2::3]",
            "ada@[IPv6:12345::1]",
            "ada@[IPv6:g::1]",
            "ada@[IPv6:::1%eth0]",
            "ada@[IPv6: ::1]",
            "ada@[IPv6:1:2:3:4:5:6:7::]",
            "ada@[IPv6:::2:3:4:5:6:7:8]",
            "ada@[IPv6:1:2:3:4:5:6:7:1.2.3.4]",
            "ada@[IPv6:::256.1.1.1]",
            "ada@[IPv5:::1]",
            "ada@[IPv6:1:2:3:4:5::1.2.3.4]",
        ],
    );
    add("a tag that is not registered", &["ada@[tag:content]", "ada@[x-mine:1]"]);
    for c in SPECIALS.chars().filter(|c| !matches!(c, '.' | '@')) {
        made.push((format!("a{c}b@acme.example"), "a special outside quotes"));
        made.push((format!("ada@ac{c}me.example"), "a special in a label"));
    }
    for c in (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32) {
        made.push((format!("a{c}b@acme.example"), "a control character in the local part"));
        made.push((format!("\"a{c}b\"@acme.example"), "a control character between quotes"));
        made.push((format!("ada@ac{c}me.example"), "a control character in the domain"));
    }
    for c in ['\u{2028}', '\u{2029}', '\u{fffd}', '\u{fdd0}', '\u{e000}', '\u{202e}', '\u{200e}', '\u{10ffff}'] {
        made.push((format!("ada@ac{c}me.example"), "a character no domain may hold"));
    }
    made.push((format!("{}@acme.example", "x".repeat(65)), "65 octets"));
    made.push((format!("{}@acme.example", "漢".repeat(22)), "66 octets of 22 letters"));
    made.push((format!("\"{}\"@acme.example", "q".repeat(63)), "65 octets with the quotes"));
    made.push((format!("ada@{}.example", "x".repeat(64)), "a label of 64 octets"));
    made.push((format!("ada@{}.example", "ü".repeat(64)), "a U-label longer than 63 octets as an A-label"));
    made.push((
        format!("ada@{}", ["x".repeat(63), "y".repeat(63), "z".repeat(63), "w".repeat(63), "v".to_owned()].join(".")),
        "257 octets",
    ));
    for _ in 0..40 {
        let local = word(random, &letters(), 10);
        let label = word(random, &letters(), 10);
        let bad = pick(random, SPECIALS.trim_matches(['.', '@']));
        if !matches!(bad, '.' | '@') {
            made.push((format!("{local}{bad}{label}@{label}.example"), "a special outside quotes"));
        }
        made.push((format!("{local}@{label}..{local}"), "an empty label"));
    }
    made
}
