//! The policy document's schema.

use super::{DIALECT, boolean, filled, instant, kind, list, object, one_of, or_null, text, told, words};
use crate::presets::PRESETS;
use crate::read::{self, fields, guard, lifecycle, mappings, matching, rules, scope};
use crate::reader::Keys;
use model::policy::{
    LicenceType, OnCollision, OnGone, OnInactive, OnKindChange, OnLink, OnNone, OnReturn, OnUnmapped, Overwrite, RoleMode,
    RuleKind,
};
use serde_json::{Value, json};

/// The JSON Schema of a policy document: every key with what it means and takes.
#[must_use]
pub fn policy() -> Value {
    let mut schema = body();
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("A policy of Rollcall");
    schema["description"] = json!(
        "Who is looked at, who becomes what, which record is whose, which fields are written, and when a plan waits for a person."
    );
    schema
}

/// The schema without its head, for a document inside another.
pub(super) fn body() -> Value {
    let mut schema = object(&read::KEYS, &[], section);
    // An empty document is the preset alone.
    schema["type"] = json!(["object", "null"]);
    schema
}

fn section(key: &str) -> Value {
    match key {
        "preset" => told(
            "What lies under this document; msp when no document of the chain names one.",
            one_of(PRESETS.iter().map(|(name, _)| *name)),
        ),
        "scope" => told("Who is looked at.", object(&scope::KEYS, &[], scope_key)),
        "rules" => told("Who becomes what. The lowest order wins; the place in the list never matters (R01).", list(&rule())),
        "role_mappings" => told("Roles by group, after the rule (R07).", list(&role_mapping())),
        "cab_mappings" => told("Change advisory boards by group, after the rule (R09).", list(&cab_mapping())),
        "role_without_manager" => told(
            "The role of users without a manager whom no group gave one (R08); a bare text is that of contacts.",
            json!({ "anyOf": [or_null(text()), object(&mappings::WITHOUT_MANAGER, &[], |_| or_null(text()))] }),
        ),
        "inactive_roles" => told("Roles that make an agent inactive (R10).", list(&text())),
        "matching" => told("Which record is whose.", object(&matching::KEYS, &[], matching_key)),
        "fields" => told("Which attribute goes where, for both kinds or under agent and contact.", all_fields()),
        "username" => told(
            "Usernames.",
            object(&read::USERNAME, &[], |_| told("When the username belongs to somebody else (F02).", words::<OnCollision>())),
        ),
        "lifecycle" => {
            told("What follows from leaving and coming back, for both kinds or under agent and contact.", all_lifecycle())
        }
        "guard" => told("When a plan waits for a person.", object(&guard::KEYS, &[], guard_key)),
        _ => Value::Null,
    }
}

fn scope_key(key: &str) -> Value {
    let include = || one_of(["exclude", "include"]);
    match key {
        "guests" => told("Users whom Entra calls guests; a rule's include_guests overrides.", include()),
        "disabled" => told("Whether a user who is disabled already may be created.", include()),
        "licensed_only" => told("Only users with a licence.", boolean()),
        "licences" => told(
            "Which licences count; without it any does.",
            object(&scope::LICENCES, &[], |key| match key {
                "plans" => told("Service plans by glob pattern; !NAME excludes.", list(&text())),
                "ignore_skus" => told("Licences that never count, by part number or id.", list(&text())),
                _ => Value::Null,
            }),
        ),
        "app_assigned" => told(
            "Users assigned to our enterprise application are in scope, guest or not, and members only when assigned (C13).",
            boolean(),
        ),
        "require" => {
            told("Attributes that must not be empty, by Graph's names; email is what the e-mail mapping yields.", list(&text()))
        }
        "exclude" => {
            let mut entry = object(&scope::EXCLUDE, &["name"], |key| match key {
                "name" => told("What users are counted under.", text()),
                "local_parts" => {
                    told("What stands before the @ of mail or UPN: this, or this and one of . _ - and more.", filled(&text()))
                }
                "filter" => expression("Whom it excludes"),
                _ => Value::Null,
            });
            entry["oneOf"] = json!([{ "required": ["local_parts"] }, { "required": ["filter"] }]);
            told("Named exclusions.", list(&entry))
        }
        _ => Value::Null,
    }
}

fn expression(what: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 2048, "description": format!("{what}: a condition over the user's attributes, such as department == \"Sales\".") })
}

fn order() -> Value {
    told("The lowest wins.", json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }))
}

fn created() -> Value {
    told("Breaks ties after order and the group's age; kept through edits.", or_null(instant()))
}

fn rule() -> Value {
    object(&rules::RULE, &["id", "order", "when", "then"], |key| match key {
        "id" => told("Yours, unique.", text()),
        "name" => told("For reading; the id when left out.", text()),
        "order" => order(),
        "enabled" => told("A disabled rule selects nobody.", boolean()),
        "created" => created(),
        "when" => told(
            "Whom it selects; everything given must hold. {} is everyone.",
            object(&rules::WHEN, &[], |key| match key {
                "groups" => told("Any of these groups, by object id; nested membership counts.", filled(&text())),
                "group_names" => told("Any of these groups, by exact name.", filled(&text())),
                "filter" => expression("Who is selected"),
                "include_guests" => told("With guests, or without; else as scope.guests says.", boolean()),
                _ => Value::Null,
            }),
        ),
        "then" => then(),
        _ => Value::Null,
    })
}

fn then() -> Value {
    let mut then = object(&rules::THEN, &["kind"], |key| match key {
        "kind" => told("Which records.", words::<RuleKind>()),
        "client" => told("from_tenant, the client the tenant is mapped to, or a client's id or name.", text()),
        "site" => told("A site of the client, by id or name.", text()),
        "site_from" => told(
            "What names a site to find or make under the client: an attribute or an expression.",
            or_null(json!({ "type": "string", "minLength": 1 })),
        ),
        "role" => told("The role.", text()),
        "licence_type" => told(
            "The licence type of agents.",
            or_null(one_of([LicenceType::Named.as_str(), LicenceType::Concurrent.as_str(), rules::NO_CHANGE])),
        ),
        "cabs" => told("Change advisory boards, by id.", list(&text())),
        "defaults" => told("Values for empty fields, before the mappings' own defaults.", by_field(&json!({}))),
        _ => Value::Null,
    });
    then["not"] = json!({ "required": ["site", "site_from"] });
    then
}

fn role_mapping() -> Value {
    let mut mapping = object(&mappings::ROLE, &["id", "order", "kind", "role"], |key| match key {
        "id" => told("Yours, unique.", text()),
        "order" => order(),
        "created" => created(),
        "kind" => told("Whose records.", kind()),
        "role" => told("The role.", text()),
        "mode" => told("Instead of the rule's role, or beside it.", words::<RoleMode>()),
        group => self::group(group),
    });
    mapping["oneOf"] = one_group();
    mapping
}

fn cab_mapping() -> Value {
    let mut mapping = object(&mappings::CAB, &["cab"], |key| match key {
        "cab" => told("The board's id.", text()),
        "role" => told("The role on it.", or_null(text())),
        group => self::group(group),
    });
    mapping["oneOf"] = one_group();
    mapping
}

fn group(key: &str) -> Value {
    match key {
        "group" => told("A group by object id; nested membership counts.", text()),
        "group_name" => told("A group by exact name.", text()),
        _ => Value::Null,
    }
}

fn one_group() -> Value {
    json!([{ "required": ["group"] }, { "required": ["group_name"] }])
}

fn matching_key(key: &str) -> Value {
    match key {
        "keys" => {
            let own = object(&matching::KEY, &["field", "source"], |key| match key {
                "field" => told("A field of the record.", json!({ "type": "string", "minLength": 1 })),
                "source" => told("The user's side: an attribute or an expression.", json!({ "type": "string", "minLength": 1 })),
                _ => Value::Null,
            });
            let field = json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" });
            told(
                "object_id, email, upn or a field, in order; the first with a candidate decides. A link always holds.",
                filled(&json!({ "anyOf": [field, own] })),
            )
        }
        "on_none" => told("When no key meets a record.", words::<OnNone>()),
        "on_link" => told("Which fields a fresh link writes.", words::<OnLink>()),
        "on_inactive" => told("When only inactive records are met.", words::<OnInactive>()),
        _ => Value::Null,
    }
}

/// A map from fields to something, without those that rules and the life cycle decide.
fn by_field(of: &Value) -> Value {
    let decided: Vec<&str> = fields::DECIDED.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$", "not": { "enum": decided } }, "additionalProperties": of })
}

/// What may stand flat and by kind.
fn both(kinds: &Keys, mut flat: Value) -> Value {
    let one = flat.clone();
    for kind in kinds.known {
        flat["properties"][*kind] = told(&format!("For {kind}s alone."), one.clone());
    }
    flat
}

fn all_fields() -> Value {
    let mapping = object(&fields::MAPPING, &[], |key| match key {
        "source" => told(
            "An attribute, a part of one, a derived value, manager, or an expression.",
            or_null(json!({ "type": "string", "minLength": 1 })),
        ),
        "overwrite" => told("When the field is written.", words::<Overwrite>()),
        "default" => told("The value when Entra holds none, for an empty field; null for no default.", json!({})),
        "clear_when_empty" => told("Clear the field when Entra holds nothing; needs on_change or always.", boolean()),
        _ => Value::Null,
    });
    both(&fields::KINDS, by_field(&or_null(mapping)))
}

fn all_lifecycle() -> Value {
    let duration = || json!({ "anyOf": [{ "const": 0 }, { "type": "string", "pattern": "^[0-9]+[smhd]$" }] });
    let flat = object(&lifecycle::KEYS, &[], |key| match key {
        "on_deleted" => told("Deleted in Entra.", words::<OnGone>()),
        "on_disabled" => told("Disabled in Entra.", words::<OnGone>()),
        "on_missing" => told("A complete read no longer holds the user.", words::<OnGone>()),
        "on_unmapped" => told("Out of scope, or no rule selects them any more.", words::<OnUnmapped>()),
        "on_return" => told("Back, after sync itself took the record out of use.", words::<OnReturn>()),
        "on_kind_change" => told("The rules want the other kind of record.", words::<OnKindChange>()),
        "grace" => told(
            "How long a cause must hold before it acts: 0, 90s, 15m, 72h or 3d, for every cause or by cause.",
            json!({ "anyOf": [duration(), object(&lifecycle::GRACE, &[], |cause| told(&format!("The grace of {cause}."), duration()))] }),
        ),
        _ => Value::Null,
    });
    both(&lifecycle::KINDS, flat)
}

fn guard_key(key: &str) -> Value {
    let off = || json!({ "const": "off" });
    let count = || json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 100_000_000 }, off()] });
    let share = |most| json!({ "anyOf": [{ "type": "number", "minimum": 0, "maximum": most }, { "type": "string", "pattern": "^[0-9]{1,6}([.][0-9]{1,4})?\\s*%$" }, off()] });
    match key {
        "max_removals" => told("Records deactivated, archived or revoked within 24 hours.", count()),
        "max_removal_share" => {
            told("The same as a percentage of active linked records; also how far a source may shrink.", share(100))
        }
        "max_rekeys" => told("Records whose e-mail, username or client changes, in percent.", share(100)),
        "max_creates_share" => told("Records created, in percent, from 25 up.", share(1_000)),
        "max_agent_creates" => told("Agents created.", count()),
        "approve_first_run" => told("A tenant's first plan waits, however small.", boolean()),
        "apply_safe_part" => told("What is harmless in a plan held for its removals is applied at once.", boolean()),
        "fleet_max_removal_share" => {
            told("Removals of all tenants within 24 hours, in percent of all linked records, from 10 up.", share(100))
        }
        _ => Value::Null,
    }
}
