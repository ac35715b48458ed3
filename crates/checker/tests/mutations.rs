//! A check that cannot fail is a defect: an honest plan that holds every verb passes, and for every contradiction there is a way to
//! spoil that plan which the checker finds, with a sentence that names the change, the record, the user and the ruling.

mod honest;

use checker::{Contradiction, Fault};
use honest::{Plan, honest};
use model::plan::{Change, Outcome};
use model::reason::{Reason, ReviewWhy};
use model::records::{Deactivated, Pin};
use model::run::RunKind;
use model::{Field, Kind, PersonId, Status, UserKey, Value};
use serde_json::json;
use std::collections::BTreeSet;

/// A fault's name, without what it is about.
fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::SecondChange => "second change",
        Fault::FieldSetTwice => "field set twice",
        Fault::Nameless => "nameless",
        Fault::UnknownRecord(_) => "unknown record",
        Fault::WrongKind(_) => "wrong kind",
        Fault::WrongVersion => "wrong version",
        Fault::WrongBefore(_) => "wrong before",
        Fault::NoDifference(_) => "no difference",
        Fault::Empty => "empty",
        Fault::VerbAndFields(_) => "verb and fields",
        Fault::Root(_) => "root",
        Fault::Pinned(_) => "pinned",
        Fault::IncompleteRead => "incomplete read",
        Fault::NotLinked => "not linked",
        Fault::LinkToArchived => "link to archived",
        Fault::LinkedElsewhere => "linked elsewhere",
        Fault::PersonsArchive => "person's archive",
        Fault::PersonsHand => "person's hand",
        Fault::TwoLogIns => "two log-ins",
        Fault::TwoOfAKind(_) => "two of a kind",
        Fault::UsernameTwice { .. } => "username twice",
        Fault::EmailTwice => "e-mail twice",
        Fault::InReview => "in review",
        Fault::UsernameInReview => "username in review",
        Fault::TooLong { .. } => "too long",
        Fault::Control(_) => "control character",
        Fault::Malformed(_) => "malformed",
        Fault::Missing(_) => "missing",
        Fault::UnknownManager => "unknown manager",
        Fault::Effects(_) => "effects",
        Fault::Marker => "marker",
        Fault::Unbooked => "unbooked",
        Fault::DecidedTwice => "decided twice",
        Fault::Uncounted => "uncounted",
        Fault::Weighed { .. } => "weighed",
    }
}

/// How many faults there are: one more of them wants one more mutation.
const FAULTS: usize = 35;

fn set(change: &mut Change, field: &Field, value: Value) {
    change.before.entry(field.clone()).or_insert(Value::Null);
    change.set.insert(field.clone(), value);
}

type Spoil = fn(&mut Plan);

/// What is found, how the plan is spoilt, and what the sentence says.
const MUTATIONS: &[(&str, Spoil, &str)] = &[
    (
        "second change",
        |p| p.repeat("u-update"),
        "Update of contact record 30 for user u-update: another change of this plan is about the same record (ruling 8).",
    ),
    ("field set twice", |p| p.repeat("u-update"), "sets the same field"),
    ("nameless", |p| p.change("u-create").record = Some(PersonId(30)), "a create names no record"),
    ("nameless", |p| p.change("u-update").record = None, "Update of contact for user u-update"),
    ("unknown record", |p| p.change("u-update").record = Some(PersonId(999)), "record 999 is none that planning was told of"),
    ("wrong kind", |p| p.change("u-update").kind = Kind::Agent, "the record is a contact"),
    ("wrong version", |p| p.change("u-update").record_version += 1, "another version"),
    (
        "wrong before",
        |p| {
            p.change("u-update").before.insert(Field::JOB_TITLE, json!("Queen"));
        },
        "job_title is said to replace",
    ),
    (
        "wrong before",
        |p| {
            p.change("u-create").before.insert(Field::EMAIL, json!("a@b.example"));
        },
        "email is said to replace",
    ),
    (
        "no difference",
        |p| set(p.change("u-update"), &Field::FIRST_NAME, json!("Given")),
        "first_name is set to what the record holds",
    ),
    ("no difference", |p| set(p.change("u-update"), &Field::EMAIL, json!("OLD30@ACME.example")), "email is set to what"),
    ("no difference", |p| set(p.change("u-create"), &Field::PHONE, Value::Null), "phone is set to what"),
    ("empty", |p| p.change("u-update").set.clear(), "it sets nothing"),
    (
        "verb and fields",
        |p| {
            p.change("u-deactivate").set.insert(Field::STATUS, json!("archived"));
        },
        "a deactivation sets the status inactive",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-deactivate").set.remove(&Field::STATUS);
        },
        "a deactivation sets the status inactive",
    ),
    ("verb and fields", |p| set(p.change("u-deactivate"), &Field::ACCESS, json!(false)), "keeps everything but the status"),
    ("verb and fields", |p| set(p.change("u-update"), &Field::STATUS, json!("inactive")), "an update leaves status and access"),
    ("verb and fields", |p| set(p.change("u-update"), &Field::ACCESS, json!(false)), "an update leaves status and access"),
    (
        "verb and fields",
        |p| {
            p.change("u-revoke").set.remove(&Field::ACCESS);
        },
        "revoking access takes the log-in",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-revoke").set.remove(&Field::ROLE);
        },
        "revoking access takes every role",
    ),
    ("verb and fields", |p| set(p.change("u-revoke"), &Field::STATUS, json!("inactive")), "without touching the status"),
    (
        "verb and fields",
        |p| {
            p.change("u-reactivate").set.remove(&Field::STATUS);
        },
        "a reactivation sets the status active",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-grant").set.clear();
        },
        "granting access gives",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-archive").set.remove(&Field::STATUS);
        },
        "archiving sets the status archived",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-archive").set.remove(&Field::ACCESS);
        },
        "what is archived loses its log-in",
    ),
    (
        "verb and fields",
        |p| {
            p.change("u-restore").set.remove(&Field::STATUS);
        },
        "a restored record is archived no more",
    ),
    ("verb and fields", |p| set(p.change("u-create"), &Field::STATUS, json!("archived")), "nothing is created into the archive"),
    ("verb and fields", |p| p.record(30).status = Status::Archived, "nothing but a restore changes it"),
    (
        "root",
        |p| p.record(40).root = true,
        "Deactivate of agent record 40 for user u-deactivate: status of a root record is never changed by sync (R12, ruling 77).",
    ),
    ("root", |p| p.record(50).root = true, "role of a root record"),
    (
        "root",
        |p| {
            p.record(30).root = true;
            set(p.change("u-update"), &Field::USERNAME, json!("other"));
        },
        "username of a root record",
    ),
    ("pinned", |p| p.record(30).pinned = Some(Pin::All(true)), "job_title is pinned"),
    ("pinned", |p| p.record(30).pinned = Some(Pin::Fields(vec![Field::JOB_TITLE])), "job_title is pinned"),
    (
        "incomplete read",
        |p| p.run = RunKind::Incomplete,
        "Deactivate of agent record 40 for user u-deactivate: a removal never follows from an incomplete read",
    ),
    (
        "not linked",
        |p| p.unlink(40),
        "Deactivate of agent record 40 for user u-deactivate: the record is not linked to this user",
    ),
    ("not linked", |p| p.unlink(30), "Update of contact record 30"),
    (
        "link to archived",
        |p| p.candidate(20).0.status = Status::Archived,
        "Link of contact record 20 for user u-link: the record is archived",
    ),
    (
        "linked elsewhere",
        |p| p.tie(20, UserKey(99), false),
        "Link of contact record 20 for user u-link: the record is linked to another user",
    ),
    (
        "linked elsewhere",
        |p| {
            p.tie(20, UserKey(99), true);
            p.change("u-link").unlink = Some(UserKey(98));
        },
        "linked to another user",
    ),
    (
        "person's archive",
        |p| p.by_sync(90, false),
        "Restore of contact record 90 for user u-restore: only what sync itself archived",
    ),
    ("person's archive", |p| p.record(90).status = Status::Inactive, "only what sync itself archived"),
    (
        "person's hand",
        |p| p.by_sync(60, false),
        "Reactivate of agent record 60 for user u-reactivate: a person took the record out of use",
    ),
    (
        "two log-ins",
        |p| {
            p.second("u-both").set.remove(&Field::ACCESS);
        },
        "Create of contact for user u-both: the user would have two log-ins (ruling 45).",
    ),
    ("two of a kind", |p| p.second("u-both").kind = Kind::Agent, "the user would have two agent records"),
    (
        "username twice",
        |p| {
            p.change("u-create").set.insert(Field::USERNAME, json!("BOTH"));
        },
        "the same username",
    ),
    ("username twice", |p| p.hold("create"), "record 700 has the same username (ruling 52)"),
    (
        "e-mail twice",
        |p| {
            p.change("u-create").set.insert(Field::EMAIL, json!("Both@acme.example"));
        },
        "this plan creates a record with the same e-mail for another user (ruling 51)",
    ),
    (
        "in review",
        |p| p.ask("u-update", ReviewWhy::AmbiguousMatch),
        "Update of contact record 30 for user u-update: the user waits for a person",
    ),
    ("in review", |p| p.ask("u-create", ReviewWhy::UsernameTaken), "Create of agent for user u-create: the user waits"),
    (
        "username in review",
        |p| {
            p.ask("u-update", ReviewWhy::UsernameTaken);
            set(p.change("u-update"), &Field::USERNAME, json!("taken"));
        },
        "a person is asked about the username",
    ),
    ("too long", |p| set(p.change("u-update"), &Field::PHONE, json!("0".repeat(51))), "phone is longer than the 50 characters"),
    (
        "too long",
        |p| set(p.change("u-update"), &Field::new("badge"), json!(["x".repeat(6)])),
        "badge is longer than the 5 characters",
    ),
    ("control character", |p| set(p.change("u-update"), &Field::MOBILE, json!("1\u{7}")), "mobile holds a control character"),
    (
        "control character",
        |p| set(p.change("u-update"), &Field::new("badge"), json!({ "a": ["\u{85}"] })),
        "badge holds a control character",
    ),
    (
        "malformed",
        |p| {
            p.change("u-create").set.insert(Field::EMAIL, json!("no address"));
        },
        "email is not a value of its form",
    ),
    (
        "malformed",
        |p| {
            p.change("u-deactivate").set.insert(Field::STATUS, json!("gone"));
        },
        "status is not a value",
    ),
    ("malformed", |p| set(p.change("u-update"), &Field::EXTRA_ROLES, json!(["b", "a"])), "extra_roles is not a value"),
    ("malformed", |p| set(p.change("u-update"), &Field::CLIENT, json!("acme")), "client is not a value"),
    ("malformed", |p| set(p.change("u-update"), &Field::JOB_TITLE, json!({ "a": 1 })), "job_title is not a value"),
    (
        "missing",
        |p| {
            p.change("u-create").set.remove(&Field::LAST_NAME);
        },
        "a record is created without last_name",
    ),
    (
        "missing",
        |p| {
            p.change("u-create").set.insert(Field::USERNAME, json!(" "));
        },
        "a record is created without username",
    ),
    (
        "missing",
        |p| {
            p.second("u-both").set.remove(&Field::CLIENT);
        },
        "a record is created without client",
    ),
    (
        "unknown manager",
        |p| set(p.change("u-create"), &Field::MANAGER, json!("user:u-nobody")),
        "the manager is a user for whom this plan writes no record",
    ),
    ("effects", |p| p.change("u-deactivate").effects.removal = false, "whether it counts among the removals"),
    ("effects", |p| p.change("u-update").effects.removal = true, "among the removals"),
    ("effects", |p| p.change("u-archive").effects.removal = false, "among the removals"),
    ("effects", |p| p.change("u-grant").effects.returns = false, "among the returns"),
    ("effects", |p| p.change("u-create").effects.returns = true, "among the returns"),
    (
        "effects",
        |p| {
            p.change("u-update").set.insert(Field::EMAIL, json!("new@acme.example"));
            p.change("u-update").before.insert(Field::EMAIL, json!("old30@acme.example"));
        },
        "among the changes of a key field",
    ),
    ("effects", |p| p.change("u-link").effects.rekey = true, "among the changes of a key field"),
    ("marker", |p| p.link_after("u-deactivate").deactivated_by = None, "the link would not remember"),
    (
        "marker",
        |p| p.link_after("u-reactivate").deactivated_by = Some(Deactivated { by_sync: true, cause: None }),
        "the link would not remember",
    ),
    ("unbooked", |p| p.change("u-create").link = None, "the link would forget"),
    (
        "decided twice",
        |p| {
            let again = p.decision("u-update").clone();
            p.decisions.push(again);
        },
        "the user was decided twice",
    ),
    (
        "uncounted",
        |p| p.decision("u-unchanged").standing.outcome = Outcome::InReview,
        "The decision for user u-unchanged: the user is neither",
    ),
    ("weighed", |p| p.weights.removals -= 1, "The plan as a whole: it holds"),
    ("weighed", |p| p.weights.returns += 1, "returns, and"),
    ("weighed", |p| p.weights.creates -= 1, "creates, and"),
    ("weighed", |p| p.weights.agent_creates -= 1, "creates of agents, and"),
    ("weighed", |p| p.weights.rekeys += 1, "changes of a key field, and"),
    ("weighed", |p| p.weights.changes += 1, "changes, and"),
    ("weighed", |p| p.counts.users += 1, "users, and"),
    ("weighed", |p| p.counts.unchanged += 1, "unchanged users, and"),
    ("weighed", |p| p.counts.excluded += 1, "excluded users, and"),
    ("weighed", |p| p.counts.in_review += 1, "users in review, and"),
    ("weighed", |p| p.counts.failed += 1, "failed users, and"),
    ("weighed", |p| p.counts.archive += 1, "changes of the kind archive, and"),
];

fn sentences(found: &[Contradiction]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn an_honest_plan_passes() {
    assert_eq!(sentences(&honest().check()), Vec::<String>::new());
}

#[test]
fn every_contradiction_is_found_and_named() {
    let mut covered = BTreeSet::new();
    for (wanted, spoil, sentence) in MUTATIONS {
        let mut plan = honest();
        spoil(&mut plan);
        let found = plan.check();
        let said = sentences(&found);
        let hit = found.iter().zip(&said).find(|(f, s)| name(&f.fault) == *wanted && s.contains(sentence));
        assert!(hit.is_some(), "{wanted}: nothing says {sentence:?}, but:\n{}", said.join("\n"));
        covered.insert(*wanted);
    }
    assert_eq!(covered.len(), FAULTS, "a fault that no mutation shows: {covered:?}");
}

#[test]
fn decisions_that_are_made_again_take_their_faults_with_them() {
    let mut plan = honest();
    let good = plan.decisions.clone();
    plan.change("u-update").record_version += 1;
    plan.change("u-create").set.insert(Field::USERNAME, json!("both"));
    let mut checker = plan.checker();
    checker.batch(&plan.users, &plan.answers, &plan.decisions);
    checker.forget_users(good.iter().map(|d| d.user));
    checker.batch(&plan.users, &plan.answers, &good);
    assert_eq!(checker.finish(&plan.weights, Some(&plan.counts)), Ok(()));
}

#[test]
fn a_name_that_is_given_up_in_the_plan_is_free() {
    let mut plan = honest();
    // Record 30 has the name, and its own change takes another one.
    plan.record(30).username = Some("create".into());
    let update = plan.change("u-update");
    update.before.insert(Field::USERNAME, json!("create"));
    update.set.insert(Field::USERNAME, json!("update"));
    update.effects.rekey = true;
    plan.weights.rekeys += 1;
    plan.answer_username("create", 30);
    assert_eq!(sentences(&plan.check()), Vec::<String>::new());
}

#[test]
fn ruling_53_a_question_about_the_username_of_a_linked_user_leaves_the_rest() {
    let mut plan = honest();
    plan.ask("u-update", ReviewWhy::DuplicateInSource);
    let item = plan.decision("u-update").review.as_mut().expect("the item just put there");
    item.evidence = vec![Reason::UsernameTaken { username: "ada".into(), holder: None }];
    assert_eq!(sentences(&plan.check()), Vec::<String>::new());
}

#[test]
fn a_plan_that_is_wrong_throughout_tells_the_first_hundred() {
    let mut plan = honest();
    let one = plan.decision("u-update").clone();
    for n in 0..500 {
        let mut more = one.clone();
        more.user = UserKey(1_000 + n);
        plan.decisions.push(more);
    }
    assert_eq!(plan.check().len(), checker::MOST);
}
