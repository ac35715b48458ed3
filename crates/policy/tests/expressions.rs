//! The expression language: what it says of users, what it refuses, and that it agrees with CEL wherever nothing is null.

use model::{Attributes, SourceId, Subject, Value};
use policy::expr::{Use, compile};
use proptest::prelude::*;
use serde_json::json;

fn ada() -> Attributes {
    serde_json::from_value(json!({
        "accountEnabled": true,
        "assignedLicenses": [{"skuId": "sku-1", "disabledPlans": []}],
        "businessPhones": ["+44 20 7946 0000", "+44 20 7946 0001"],
        "city": "Zürich",
        "createdDateTime": "2020-05-01T12:00:00Z",
        "department": "Sales",
        "employeeId": "42",
        "employeeOrgData": {"division": "EMEA"},
        "extension_abc_level": 7,
        "jobTitle": null,
        "mail": "Ada@acme.example",
        "otherMails": [],
        "displayName": "Ada Byron",
    }))
    .expect("attributes")
}

#[track_caller]
fn value(text: &str) -> Result<Value, String> {
    let (expression, _) = compile(text, Use::Value).unwrap_or_else(|bad| panic!("{text}: {bad}"));
    let (ada, id, bob) = (ada(), SourceId::new("u-ada"), SourceId::new("u-bob"));
    expression.value(Subject { id: &id, attributes: &ada, manager: Some(&bob) }).map_err(|why| why.to_string())
}

#[track_caller]
fn holds(text: &str) -> Result<bool, String> {
    let (expression, _) = compile(text, Use::Condition).unwrap_or_else(|bad| panic!("{text}: {bad}"));
    let (ada, id, bob) = (ada(), SourceId::new("u-ada"), SourceId::new("u-bob"));
    expression.holds(Subject { id: &id, attributes: &ada, manager: Some(&bob) }).map_err(|why| why.to_string())
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let bad = compile(text, Use::Condition).map(|_| ()).expect_err(text);
    assert_eq!(format!("{}: {}", bad.character, bad.message), expected, "for {text}");
}

#[test]
fn r23_attributes_stand_under_their_graph_names_and_case_matters() {
    for yes in [
        "department == \"Sales\"",
        "department != 'sales'",
        "lower(department) == 'sales' && department.upper() == 'SALES'",
        "lower(city) == \"zürich\" && size(city) == 6",
        "department in ['Support', 'Sales'] && !(department in [])",
        "mail.endsWith('@acme.example') || mail.startsWith('bob')",
        "mail.matches('^[A-Z][a-z]+@') && matches(mail, 'acme')",
        "employeeOrgData.division == 'EMEA' && has(employeeOrgData.division) && !has(employeeOrgData.costCenter)",
        "has(city) && !has(state)",
        "businessPhones.exists(p, p.endsWith('1')) && !businessPhones.all(p, p.endsWith('1'))",
        "businessPhones.exists_one(p, p.endsWith('1')) && businessPhones.size() == 2",
        "'+44 20 7946 0000' in businessPhones && businessPhones[1] != businessPhones[0]",
        "assignedLicenses.exists(l, l.skuId == 'sku-1')",
        "manager.id == 'u-bob' && manager != null",
        "timestamp(createdDateTime) < timestamp('2021-01-01T00:00:00+02:00')",
        "int(employeeId) > 41 && int(employeeId) % 2 == 0 && double(employeeId) < 42.5",
        "extension_abc_level >= 7 && extension_abc_level == 7.0",
        "accountEnabled ? department == 'Sales' : false // a comment",
        "otherMails == [] && displayName.split(' ')[1] == 'Byron'",
    ] {
        assert_eq!(holds(yes), Ok(true), "{yes}");
    }
}

#[test]
fn r23_values_are_what_a_field_takes() {
    for (text, expected) in [
        ("givenName == null ? displayName : givenName", json!("Ada Byron")),
        ("department + ' / ' + city", json!("Sales / Zürich")),
        ("businessPhones.map(p, p.replace(' ', ''))", json!(["+442079460000", "+442079460001"])),
        ("businessPhones.filter(p, p.contains('0001')).map(p, p.contains('9'), upper(p))", json!(["+44 20 7946 0001"])),
        ("businessPhones.join('; ')", json!("+44 20 7946 0000; +44 20 7946 0001")),
        ("mail.substring(0, mail.indexOf('@')).lower()", json!("ada")),
        ("city.substring(1)", json!("ürich")),
        ("city.lastIndexOf('h') - city.indexOf('ü')", json!(4)),
        ("city.upperAscii() + city.lowerAscii()", json!("ZüRICHzürich")),
        ("'x' + string(extension_abc_level) + string(1.5) + string(true)", json!("x71.5true")),
        ("accountEnabled", json!(true)),
        ("  department.trim()  ", json!("Sales")),
        ("manager.id", json!("u-bob")),
        ("double('1.5') * 2.0", json!(3.0)),
        ("-size('abc') + 1", json!(-2)),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn r38_null_is_harmless_whatever_is_done_with_it() {
    for no in [
        "jobTitle == 'x'",
        "jobTitle.startsWith('x') || jobTitle.contains('') || jobTitle.matches('')",
        "department.startsWith(jobTitle)",
        "jobTitle < 'x' || jobTitle >= 'x' || size(jobTitle) > 0",
        "lower(jobTitle) == '' || jobTitle in ['x'] || 'x' in faxNumber.split(',')",
        "onPremisesSyncEnabled",
        "employeeOrgData.costCenter == 'x' || onPremisesExtensionAttributes.extensionAttribute1 == 'x'",
        "imAddresses.exists(a, true) || imAddresses[0] == 'x' || 'x' in imAddresses",
        "extension_abc_none.part == 'x'",
        "extension_abc_none",
    ] {
        assert_eq!(holds(no), Ok(false), "{no}");
    }
    assert_eq!(holds("!onPremisesSyncEnabled"), Ok(true), "who was never synced on premises is a cloud user");
    assert_eq!(holds("!jobTitle.contains('x') && jobTitle == null && imAddresses.all(a, false)"), Ok(true));
    for none in [
        "jobTitle + ' x'",
        "lower(jobTitle)",
        "size(jobTitle)",
        "imAddresses.join(' ')",
        "imAddresses[0]",
        "int(jobTitle) + 1",
        "jobTitle.split(' ')[0]",
    ] {
        assert_eq!(value(none), Ok(Value::Null), "{none}");
    }
}

#[test]
fn r38_what_remains_is_an_error_of_the_user() {
    for (text, why) in [
        ("otherMails[0] == 'x'", "[0] is beyond the end of a list of 0"),
        ("businessPhones[0 - 1] == 'x'", "[-1] is beyond the end of a list of 2"),
        ("timestamp(department) < timestamp(createdDateTime)", "a value is no time"),
        ("int(department) > 1", "a value is no whole number"),
        ("extension_abc_level.contains('7')", "a function of texts is given something else"),
        ("extension_abc_level < 'a'", "values of two kinds are compared"),
        ("extension_abc_level", "a condition is neither true nor false"),
        ("1 / size(otherMails) > 0", "a number is too large, or divided by 0"),
        ("department.substring(3, 1) == ''", "substring() ends before it begins"),
        ("department.substring(9) == ''", "substring() is asked for place 9 of 5"),
    ] {
        assert_eq!(holds(text), Err(why.to_owned()), "{text}");
    }
    assert_eq!(holds("otherMails[0] == 'x' || true"), Ok(true), "one side that decides is enough");
    assert_eq!(holds("int(department) > 1 && false"), Ok(false));
    assert_eq!(holds("businessPhones.exists(p, int(p) > 0 || p.endsWith('1'))"), Ok(true));
}

#[test]
fn what_can_never_be_is_refused_when_saved() {
    for (text, expected) in [
        ("deprtment == \"x\"", "1: users have no attribute \"deprtment\"; did you mean department?"),
        ("city == 'ü' && deprtment == 'x'", "16: users have no attribute \"deprtment\"; did you mean department?"),
        (
            "user.department == 'x'",
            "1: users have no attribute \"user\"; a user's attributes stand by themselves, as in department",
        ),
        ("'g' in groups", "8: users have no attribute \"groups\"; expressions know no groups; name them under when.groups"),
        (
            "signInActivity != null",
            "1: users have no attribute \"signInActivity\"; dates of sign-ins are mapped to a field, and nothing is decided by them",
        ),
        ("department.contain('x')", "19: there is no function \"contain\"; did you mean contains()?"),
        ("department.contains()", "20: contains() takes 1 arguments and has 0"),
        ("department.contains(1)", "21: contains() takes a text here, and this is a whole number"),
        ("contains(department, 'x')", "9: write x.contains() instead of contains(x)"),
        ("department == 3", "12: a text never equals a whole number; compare values of one kind"),
        ("accountEnabled == 'true'", "16: true or false never equals a text; compare values of one kind"),
        ("department > 3", "12: a text cannot be less or more than a whole number; compare values of one kind"),
        ("otherMails == 'x'", "12: a list never equals a text; compare values of one kind"),
        ("'x' in department", "5: in needs a list behind it, not a text; for texts there is contains()"),
        ("department in [1, 2]", "12: the list holds other values than a text; compare values of one kind"),
        (
            "department",
            "1: a condition is true or false, and this is a text; compare it with something, as in department == \"Sales\"",
        ),
        ("department && true", "12: what stands before && must be true or false, and is a text"),
        ("!department", "1: what stands behind ! must be true or false, and is a text"),
        ("department.division == 'x'", "11: a text has no part \"division\""),
        ("employeeOrgData.divison == 'x'", "16: there is no part \"divison\" here; there are costCenter and division"),
        ("size(city) * 1.5 > 3.0", "12: * cannot take a whole number and a number; write 1.0 for 1, or use double()"),
        ("department + 1 == 'x'", "12: + cannot take a text and a whole number; turn a number into a text with string()"),
        ("businessPhones.contains('x')", "1: contains() takes a text here, and this is a list"),
        ("mail.matches('(')", "14: the pattern is no regular expression; write for instance \"^[a-z]+@\""),
        ("mail.matches(department)", "14: the pattern of matches() must be written out as a text"),
        (
            "otherMails.exists(m, otherMails.exists(n, n == m))",
            "39: exists() stands inside another one; only one list can be gone through at a time",
        ),
        ("otherMails.exists(city, true)", "18: \"city\" is an attribute; choose another name for the element"),
        (
            "has('department')",
            "4: has() takes an attribute or a part of one, as in has(department) or has(employeeOrgData.division)",
        ),
        ("{'a': 1} == null", "1: maps are not part of this language; use a list or conditions"),
        ("department ==", "14: this is no expression: it ends too early; write for instance department == \"Sales\""),
        (
            "department = 'x'",
            "12: this is no expression: \"= 'x'\" cannot stand here; write for instance department == \"Sales\"",
        ),
        (
            "city == 'ü' and true",
            "13: this is no expression: \"and true\" cannot stand here; write for instance department == \"Sales\"",
        ),
        (
            "department == 'x' and true",
            "19: this is no expression: \"and true\" cannot stand here; write for instance department == \"Sales\"",
        ),
    ] {
        refused(text, expected);
    }
}

#[test]
fn hostile_expressions_are_refused_before_they_cost_anything() {
    let terms = vec!["city == 'x'"; 10_000].join(" || ");
    refused(&terms, "1: the expression has 149996 bytes and may have 2048; make several rules of it, or a group");
    refused(
        &format!("{}true{}", "(".repeat(1_000), ")".repeat(1_000)),
        "33: the expression is nested deeper than 32 levels; write it flatter",
    );
    refused(&"(".repeat(2_000), "33: the expression is nested deeper than 32 levels; write it flatter");
    refused(
        &format!("{}'x'{} == []", "[".repeat(40), "]".repeat(40)),
        "33: the expression is nested deeper than 32 levels; write it flatter",
    );
    refused(&"+1".repeat(1_000), "1025: the expression has too many parts; make several rules of it, or a group");
    let texts = |n: usize| format!("city in [{}]", vec!["'a'"; n].join(","));
    assert!(compile(&texts(200), Use::Condition).is_ok());
    assert!(compile(&texts(300), Use::Condition).is_err());
    for hostile in [
        "!".repeat(2_000),
        "-".repeat(1_000) + "1",
        format!("true{}", " ? true : true".repeat(140)),
        format!("city{}", ".a".repeat(500)),
        format!("otherMails{}", "[0]".repeat(300)),
        format!("'a'{} == ''", "+'a'".repeat(200)),
        "'".repeat(2_047),
        "\"\\".repeat(1_000),
        "r'\\' + ((((".to_owned(),
        "/".repeat(2_000),
        "\0".repeat(100),
        "\u{202e}department == 'x'".to_owned(),
        "départment == 'x'".to_owned(),
        "true ? ".repeat(290),
        "`department` == 'x'".to_owned(),
        "b'\\xff' == b'a'".to_owned(),
        "1u == 1u".to_owned(),
        "type(city) == string".to_owned(),
        "Person{name: city}.name == 'x'".to_owned(),
        "city.?x == 'x'".to_owned(),
        "999999999999999999999 > 1".to_owned(),
        "city.matches('((a{1000}){1000}){1000}')".to_owned(),
        "@not_strictly_false(true)".to_owned(),
    ] {
        assert!(compile(&hostile, Use::Condition).is_err(), "{hostile}");
    }
}

#[test]
fn hostile_users_cost_no_more_than_one_error() {
    let long = "a".repeat(60_000);
    let many = vec!["x".repeat(1_000); 2_000];
    let user: Attributes =
        serde_json::from_value(json!({ "city": long, "otherMails": many, "imAddresses": many[..900] })).expect("attributes");
    for (text, why) in [
        ("city + city == ''", "a text grows too long"),
        ("city.replace('', 'bbbb').replace('', 'cccc') == ''", "a text grows too long"),
        ("otherMails.exists(m, m == 'y')", "a list has more than 1000 elements"),
        ("(imAddresses + imAddresses).size() > 0", "a list has more than 1000 elements"),
        ("city.split('').size() > 0", "a list has more than 1000 elements"),
        ("imAddresses.join(city) == ''", "a text grows too long"),
        ("imAddresses.map(a, a + city.substring(1)).size() == 0", "the expression takes too long for this user"),
        ("imAddresses.map(a, city.upper() + a).size() == 0", "the expression takes too long for this user"),
        ("imAddresses.exists(a, city.matches('(a|b|ab)*c'))", "the expression takes too long for this user"),
    ] {
        let (expression, _) = compile(text, Use::Condition).expect(text);
        let told = expression.holds(Subject { id: &SourceId::new("u"), attributes: &user, manager: None });
        assert_eq!(told.map_err(|e| e.to_string()), Err(why.to_owned()), "{text}");
    }
}

/// Conditions and values over attributes that are all there, which CEL's own interpreter can judge as well.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("department".to_owned()),
        Just("city".to_owned()),
        Just("mail".to_owned()),
        Just("'Sales'".to_owned()),
        Just("''".to_owned()),
        Just("'ü'".to_owned()),
        Just("string(size(otherMails))".to_owned()),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| (inner.clone(), inner).prop_map(|(a, b)| format!("({a} + {b})")))
}

fn numbers() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0..4i64).prop_map(|n| n.to_string()),
        texts().prop_map(|t| format!("size({t})")),
        Just("otherMails.size()".to_owned()),
        Just("1.5".to_owned())
    ];
    let sign = prop::sample::select(vec!["+", "-", "*"]);
    leaf.prop_recursive(2, 6, 2, move |inner| (inner.clone(), sign.clone(), inner).prop_map(|(a, s, b)| format!("({a} {s} {b})")))
}

fn conditions() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let test = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
    let macros = prop::sample::select(vec!["exists", "all", "exists_one"]);
    let leaf = prop_oneof![
        (texts(), sign.clone(), texts()).prop_map(|(a, s, b)| format!("{a} {s} {b}")),
        (numbers(), sign, numbers()).prop_map(|(a, s, b)| format!("{a} {s} {b}")),
        (texts(), test, texts()).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        (texts(), prop::collection::vec(texts(), 0..3)).prop_map(|(a, l)| format!("{a} in [{}]", l.join(", "))),
        (macros, texts()).prop_map(|(m, t)| format!("otherMails.{m}(x, x.contains({t}))")),
        texts().prop_map(|t| format!("otherMails.filter(x, x != {t}).map(x, x + {t}).size() > 1")),
        Just("accountEnabled".to_owned()),
        Just("otherMails[1] == mail".to_owned()),
        Just("has(employeeOrgData.division)".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_agrees_with_cel_wherever_nothing_is_null(
        text in conditions(),
        department in "[a-zSü]{0,3}",
        city in "[a-zSü]{0,2}",
        mails in prop::collection::vec("[a-zSü]{0,2}", 0..4),
        enabled: bool,
    ) {
        let told = json!({
            "department": department, "city": city, "mail": "Sü", "otherMails": mails, "accountEnabled": enabled,
            "employeeOrgData": { "division": "x" },
        });
        let Ok((expression, _)) = compile(&text, Use::Condition) else { return Ok(()) };
        let attributes: Attributes = serde_json::from_value(told.clone()).expect("attributes");
        let ours = expression.holds(Subject { id: &SourceId::new("u"), attributes: &attributes, manager: None });
        let mut context = cel::Context::default();
        for (name, value) in told.as_object().expect("an object") {
            context.add_variable(name.clone(), value.clone()).expect("a variable");
        }
        let theirs = cel::Program::compile(&text).expect("a program").execute(&context);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(cel::Value::Bool(ours), theirs, "{}", text),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{}: {:?} and {:?}", text, ours, theirs),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9.,()\\[\\]{}'\"\\\\!&|<>=+*/%?: \u{80}-\u{200}-]{0,80}") {
        let _ = compile(&text, Use::Condition);
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(prop::sample::select(vec![
        "department", "city", "otherMails", "manager", ".", "(", ")", "[", "]", "'x'", "0", "1.5", "==", "&&", "||", "!", "-", "+", "?", ":",
        "in", "exists", "map", "has", "size", "x", ",", "null", "true", "matches", "{", "}", "substring", "timestamp", "\"", "//", "\n",
    ]), 0..40)) {
        if let Ok((expression, _)) = compile(&words.join(" "), Use::Value) {
            let _ = expression.value(Subject { id: &SourceId::new("u"), attributes: &ada(), manager: None });
        }
    }
}
