//! A scenario's schema.

use super::{DIALECT, boolean, document, instant, kind, list, object, one_of, or_null, text, told};
use crate::scenario::{entra, expect, read, records};
use model::attributes::READ_SET;
use model::plan::Verb;
use serde_json::{Map, Value, json};

/// The JSON Schema of one scenario. A file holds several, one a YAML document.
#[must_use]
pub fn scenario() -> Value {
    let mut schema = object(&read::SCENARIO, &["name", "steps"], |key| match key {
        "name" => told("What it shows.", text()),
        "policy" => told("The policy at the start, over its preset.", document::body()),
        "tenant" => told(
            "The tenant.",
            object(&read::TENANT, &[], |key| match key {
                "id" => told("Its id.", text()),
                "domain" => told("Its default domain.", text()),
                "client" => told("The client it is mapped to, by id or name.", or_null(text())),
                _ => Value::Null,
            }),
        ),
        "entra" => told("What Entra holds at the start.", object(&entra::ENTRA, &[], entra_key)),
        "records" => told("What the PSA holds at the start.", all_records(&["kind"])),
        "steps" => told("What happens.", json!({ "type": "array", "minItems": 1, "items": step() })),
        _ => Value::Null,
    });
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("A scenario of Rollcall");
    schema["description"] = json!("A policy's unit test: what Entra and the records hold, what happens, and what must follow.");
    schema
}

fn step() -> Value {
    object(&read::STEP, &[], |key| match key {
        "now" => told("The clock from here on.", instant()),
        "run" => told("How the source is read.", one_of(["full", "delta", "incomplete"])),
        "approve" => told("The plan that is held is applied.", boolean()),
        "reject" => told("The plan that is held is not applied, and that is remembered.", boolean()),
        "resolve" => told(
            "A person's word on review items.",
            list(&object(&read::RESOLVE, &["user", "action"], |key| match key {
                "user" => told("The user.", text()),
                "action" => told("What is done.", one_of(["link", "create", "dismiss", "reopen"])),
                "record" => told("The record to link.", or_null(text())),
                _ => Value::Null,
            })),
        ),
        "policy" => told("Laid over the policy so far.", document::body()),
        "edit" => told("What a person edits.", all_records(&[])),
        "entra" => told("What changes in Entra.", object(&read::ENTRA_STEP, &[], entra_key)),
        "expect" => told("What must follow.", expected()),
        _ => Value::Null,
    })
}

fn entra_key(key: &str) -> Value {
    match key {
        "users" => told("Users under Graph's names; in a step laid over what is known.", list(&user())),
        "groups" => told("Groups; a step's members are added.", list(&group())),
        "skus" => told("The tenant's licences, as Graph's subscribedSkus.", list(&json!({ "type": "object" }))),
        "app_assigned" => {
            told("Users assigned to the enterprise application; a step's list replaces the one before.", or_null(list(&text())))
        }
        "delete" => told("Users and groups deleted, with a tombstone.", list(&text())),
        "missing" => told("Users gone without a tombstone.", list(&text())),
        "remove_members" => {
            told("Memberships that end, by group.", json!({ "type": "object", "additionalProperties": list(&text()) }))
        }
        _ => Value::Null,
    }
}

fn user() -> Value {
    let names = READ_SET.iter().copied().chain(entra::BESIDE).chain(entra::UNREAD);
    let mut properties: Map<String, Value> = names.map(|name| (name.to_owned(), json!({}))).collect();
    properties.insert("id".to_owned(), told("The object id.", text()));
    let manager = object(&entra::RELATION, &["id"], |_| told("The manager's object id.", text()));
    properties.insert("manager".to_owned(), or_null(manager));
    json!({
        "type": "object", "required": ["id"], "properties": properties,
        "patternProperties": { "^extension_[A-Za-z0-9]+_": {}, "@odata[.]": {} }, "additionalProperties": false,
    })
}

fn group() -> Value {
    let mut properties: Map<String, Value> = entra::GROUP_MORE.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    for name in entra::GROUP {
        properties.insert(
            name.to_owned(),
            match name {
                "id" => told("The object id.", text()),
                "members" => told("Users and groups that are direct members.", list(&text())),
                "createdDateTime" => told("Which group is older decides ties.", or_null(instant())),
                _ => told("The group's name.", or_null(json!({ "type": ["string", "number"] }))),
            },
        );
    }
    json!({ "type": "object", "required": ["id"], "properties": properties, "patternProperties": { "@odata[.]": {} }, "additionalProperties": false })
}

fn all_records(needed: &[&str]) -> Value {
    object(&records::RECORDS, &[], |key| match key {
        "clients" => told(
            "Clients.",
            list(&object(&records::CLIENT, &["id"], |key| match key {
                "id" | "name" => text(),
                "active" => boolean(),
                "status" => one_of(["active", "inactive", "archived"]),
                _ => Value::Null,
            })),
        ),
        "sites" => told("Sites.", list(&object(&records::SITE, &["id"], |_| text()))),
        "people" => told("People.", list(&person(needed))),
        _ => Value::Null,
    })
}

fn person(needed: &[&str]) -> Value {
    let properties: Map<String, Value> = records::PERSON.iter().map(|key| ((*key).to_owned(), person_key(key))).collect();
    // Every other key is a field, custom ones included.
    json!({
        "type": "object", "required": needed, "properties": properties,
        "patternProperties": { "^[a-z][a-z0-9_]*$": {} }, "additionalProperties": false,
    })
}

fn person_key(key: &str) -> Value {
    let number = || json!({ "anyOf": [{ "type": "boolean" }, { "type": "integer", "minimum": 0 }] });
    match key {
        "id" => told("The record's id.", text()),
        "kind" => told("Agent or contact.", kind()),
        "linked_to" => told("The linked user; null unlinks.", or_null(text())),
        "client" => told("The client's id.", or_null(text())),
        "site" => told("The site's id.", or_null(text())),
        "status" => told("The status.", one_of(records::STATUSES.iter().map(|(word, _)| *word))),
        "access" => told("Whether the person may log in.", boolean()),
        "root" => told("The root user (R12).", boolean()),
        "tickets" => told("Tickets that name this person.", number()),
        "invoices" => told("Invoices that name this person.", number()),
        "stands_for" => told("What the person stands for: main contact, approver, …", list(&text())),
        "deactivated_by" => told("Who took the record out of use.", one_of(["sync", "person"])),
        "pinned" => told("Pinned wholly, or by field.", json!({ "anyOf": [{ "type": ["boolean", "null"] }, list(&text())] })),
        _ => Value::Null,
    }
}

fn expected() -> Value {
    let fields = || json!({ "type": "object", "additionalProperties": {} });
    let mut expected = object(&expect::EXPECT, &[], |key| match key {
        "changes" => told(
            "All changes of the plan, held or not.",
            list(&object(&expect::CHANGE, &["do"], |key| match key {
                "do" => told("What is done.", one_of(Verb::ALL.map(Verb::as_str))),
                "kind" => told("The record's kind.", kind()),
                "user" => told("The user.", text()),
                "rule" | "record" => or_null(text()),
                "set" => told("New values, by field; null = cleared.", fields()),
                "keep" => told("Fields that are not among the new values.", list(&text())),
                _ => Value::Null,
            })),
        ),
        "review" => told(
            "All review items that are open.",
            list(&object(&expect::REVIEW, &[], |key| match key {
                "why" => told("Why.", one_of(expect::REVIEW_WHYS.map(|why| why.as_str()))),
                "users" | "candidates" => list(&text()),
                "user" => text(),
                "rule" => or_null(text()),
                _ => Value::Null,
            })),
        ),
        "held" => told("Whether the plan is held; left out, it must not be.", boolean()),
        "reports" => told(
            "All reports.",
            list(&object(&expect::REPORT, &[], |key| match key {
                "why" => told("Why.", one_of(expect::REPORT_WHYS.map(|why| why.as_str()))),
                "user" => text(),
                "field" => or_null(text()),
                _ => Value::Null,
            })),
        ),
        "out_of_scope" => told(
            "All users out of scope, by what excluded them.",
            json!({ "type": "object", "additionalProperties": list(&text()) }),
        ),
        _ => Value::Null,
    });
    expected["minProperties"] = json!(1);
    expected
}
