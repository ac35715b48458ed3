//! Drafts of a policy as forms make them: one part changed, the rest of the text as its author wrote it. A draft is a text like any
//! other; keeping it is [`Engine::save_policy`], with the same checks as for a file.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::plan::tenant_facts;
use crate::usecases::policies::PolicyScope;
use model::run::RunKind;
use model::{Field, GroupKey, Kind, RuleId, SourceId, TenantKey, UserKey, Value};
use planner::Planner;
use policy::edit::{self, At};
use policy::{DiffLine, Fault, Loaded};
use serde::Serialize;
use serde_json::Map;
use std::collections::HashSet;
use std::time::Duration;

/// Users read at once when somebody counts.
const BATCH: i64 = 500;

/// How long counting may take. Somebody is typing meanwhile: what is counted by then is told as "at least".
const BUDGET: Duration = Duration::from_millis(300);

/// People named beside a count.
const EXAMPLES: usize = 5;

/// What a form changes. What is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct PolicyEdit {
    /// All rules, as a policy file writes them.
    pub rules: Option<Vec<Value>>,
    /// Mappings by kind and field; null takes one out.
    pub fields: Option<Value>,
    /// Settings of the guard by name.
    pub guard: Option<Value>,
}

/// A draft.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// Comments that would go.
    pub lost: Vec<String>,
    /// What it comes to.
    pub loaded: Loaded,
    /// In which settings that differs from what decides now.
    pub changes: Vec<DiffLine>,
}

/// Who a rule selects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// Users in scope who meet its conditions.
    pub matches: i64,
    /// Of those, users for whom no other rule goes before it.
    pub wins: i64,
    /// Users looked at.
    pub looked_at: i64,
    /// Whether that was everybody; otherwise the counts are the least there are.
    pub complete: bool,
    /// Names of the first few who match.
    pub examples: Vec<String>,
}

/// What one mapping gives for one person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MappedValue {
    /// The kind of record.
    pub kind: Kind,
    /// The field.
    pub field: Field,
    /// What Entra holds for it now; null for nothing.
    pub entra: Value,
    /// Why that cannot be written.
    pub unfit: Option<String>,
    /// What the person's record holds; null where there is no record, or nothing in it.
    pub record: Value,
}

impl Engine {
    /// Changes parts of a scope's own text, or of a draft of it, and judges the result. Nothing is kept.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault; a fault inside a rule points to the rule's place in the list that was given.
    pub async fn draft_policy(&self, scope: PolicyScope, text: Option<&str>, change: &PolicyEdit) -> Result<Draft> {
        let own = match text {
            Some(text) => text.to_owned(),
            None => self.policy_text(scope).await?,
        };
        let current = self.loaded_policy(scope).await?;
        let base = self.check_policy(scope, &own).await?;
        let effective = policy::effective_json(&base);
        let mut edited = edit::Edited { text: own.clone(), lost: Vec::new() };
        if let Some(rules) = &change.rules {
            let rules = rules_to_write(&own, rules, &effective)?;
            edited = edit::set_rules(&edited.text, &rules).map_err(Error::Policy)?;
        }
        let mut lost = std::mem::take(&mut edited.lost);
        for (path, value) in settings(change, &effective) {
            let path: Vec<At<'_>> = path.iter().map(|key| At::Key(key)).collect();
            let next = edit::set(&edited.text, &path, Some(&value)).map_err(Error::Policy)?;
            lost.extend(next.lost);
            edited.text = next.text;
        }
        let loaded = match self.check_policy(scope, &edited.text).await {
            Ok(loaded) => loaded,
            Err(Error::Policy(faults)) => return Err(Error::Policy(relative(faults, &edited.text, change.rules.as_deref()))),
            Err(other) => return Err(other),
        };
        let changes = policy::diff(&current.policy, &loaded.policy);
        Ok(Draft { text: edited.text, lost, loaded, changes })
    }

    /// What decides under a draft (none = under what is kept), as JSON: every setting, under the names of a policy file.
    ///
    /// # Errors
    /// [`Error::Policy`].
    pub async fn policy_settings(&self, scope: PolicyScope, text: Option<&str>) -> Result<Value> {
        let loaded = match text {
            Some(text) => self.check_policy(scope, text).await?,
            None => self.loaded_policy(scope).await?,
        };
        Ok(policy::effective_json(&loaded))
    }

    /// Whether a scope's own text has a part of its own, rather than inheriting it.
    ///
    /// # Errors
    /// [`Error::Policy`] when the text has a fault of form.
    pub async fn is_own(&self, scope: PolicyScope, text: Option<&str>, part: &str) -> Result<bool> {
        let own = match text {
            Some(text) => text.to_owned(),
            None => self.policy_text(scope).await?,
        };
        Ok(edit::value(&own).map_err(Error::Policy)?.get(part).is_some())
    }

    /// Counts whom a rule of a draft selects, for no longer than a moment.
    ///
    /// # Errors
    /// [`Error::Policy`] for the draft; the store's.
    pub async fn count_rule(&self, tenant: TenantKey, text: Option<&str>, rule: &Value) -> Result<RuleCount> {
        let scope = PolicyScope::Tenant(tenant);
        let settings = self.policy_settings(scope, text).await?;
        let mut rules = settings["rules"].as_array().cloned().unwrap_or_default();
        match rules.iter_mut().find(|r| r["id"] == rule["id"]) {
            Some(same) => *same = rule.clone(),
            None => rules.push(rule.clone()),
        }
        let change = PolicyEdit { rules: Some(rules), ..PolicyEdit::default() };
        let draft = self.draft_policy(scope, text, &change).await?;
        let id = RuleId(rule["id"].as_str().unwrap_or_default().to_owned());
        let stored = self.store().tenant(tenant).await?;
        let facts = tenant_facts(self, &stored, &draft.loaded, RunKind::Delta).await?;
        let all = Planner::new(&draft.loaded.policy, &draft.loaded.digest, facts.clone());
        let mut lone = (*draft.loaded.policy).clone();
        lone.rules.retain(|rule| rule.id == id);
        lone.rules.iter_mut().for_each(|rule| rule.enabled = true);
        let lone = Planner::new(&lone, &draft.loaded.digest, facts);
        let mut count = RuleCount::default();
        // What is counted when the time is over stands: the count is kept outside of what is given up.
        let counting = self.count(tenant, &id, &all, &lone, &mut count);
        match tokio::time::timeout(BUDGET, counting).await {
            Ok(done) => done?,
            Err(_) => return Ok(count),
        }
        count.complete = true;
        Ok(count)
    }

    async fn count(&self, tenant: TenantKey, id: &RuleId, all: &Planner, lone: &Planner, count: &mut RuleCount) -> Result<()> {
        let relevant: HashSet<GroupKey> = all.relevant_groups().chain(lone.relevant_groups()).collect();
        let mut after: Option<SourceId> = None;
        loop {
            let glances = self.store().glances(tenant, after.as_ref(), None, BATCH, &relevant).await?;
            let Some(last) = glances.last() else { return Ok(()) };
            after = Some(last.user.id.clone());
            for glance in &glances {
                let (user, linked) = (&glance.user, !glance.held.is_empty());
                count.looked_at += 1;
                if lone.selected(user, linked).is_none() {
                    continue;
                }
                count.matches += 1;
                if all.selected(user, linked).as_ref() == Some(id) {
                    count.wins += 1;
                }
                if count.examples.len() < EXAMPLES {
                    let name = user.attributes.text("displayName").or_else(|| user.attributes.text("userPrincipalName"));
                    count.examples.push(name.unwrap_or(user.id.as_str()).to_owned());
                }
            }
            // The reading above waits for the database; this gives the clock its turn also where it answers at once.
            tokio::task::yield_now().await;
        }
    }

    /// What the mappings of a draft give for one person, beside what their record holds.
    ///
    /// # Errors
    /// [`Error::Policy`] for the draft; the store's.
    pub async fn mapped_values(&self, user: UserKey, scope: PolicyScope, text: Option<&str>) -> Result<Vec<MappedValue>> {
        let row = self.store().user(user).await?;
        let loaded = match (text, scope) {
            (Some(text), _) => self.check_policy(scope, text).await?,
            (None, scope) => self.loaded_policy(scope).await?,
        };
        let tenant = self.store().tenant(row.tenant).await?;
        let facts = tenant_facts(self, &tenant, &loaded, RunKind::Delta).await?;
        let planner = Planner::new(&loaded.policy, &loaded.digest, facts);
        let user = self.store().user_facts(row.tenant, &[row.key]).await?.pop();
        let user = user.ok_or_else(|| Error::Invalid("The user is not in the directory any more. Choose another one.".into()))?;
        let mut values = Vec::new();
        for kind in [Kind::Agent, Kind::Contact] {
            let record = user.links.iter().map(|l| &l.person).find(|p| p.kind == kind);
            for (field, entra) in planner.values(&user, kind) {
                let (entra, unfit) = match entra {
                    Ok(value) => (value, None),
                    Err(why) => (Value::Null, Some(why)),
                };
                let record = record.map_or(Value::Null, |person| person.get(&field));
                values.push(MappedValue { kind, field, entra, unfit, record });
            }
        }
        Ok(values)
    }
}

/// The rules as they are to be written: of a rule that the text has, only the keys that differ from what it comes to now.
fn rules_to_write(own: &str, rules: &[Value], effective: &Value) -> Result<Vec<Value>> {
    let written = edit::value(own).map_err(Error::Policy)?;
    let find = |list: &Value, rule: &Value| -> Option<Map<String, Value>> {
        let found = list.as_array()?.iter().find(|r| r["id"].is_string() && r["id"] == rule["id"])?;
        found.as_object().cloned()
    };
    let write = |rule: &Value| {
        let Some(given) = rule.as_object() else { return rule.clone() };
        let comes_to = find(&effective["rules"], rule).unwrap_or_default();
        let Some(mut kept) = find(&written["rules"], rule) else { return compact(given) };
        for (key, value) in given {
            if comes_to.get(key) != Some(value) {
                kept.insert(key.clone(), value.clone());
            }
        }
        for key in comes_to.keys().filter(|key| !given.contains_key(*key)) {
            kept.remove(key);
        }
        Value::Object(kept)
    };
    Ok(rules.iter().map(write).collect())
}

/// A rule without what goes without saying.
fn compact(rule: &Map<String, Value>) -> Value {
    let mut short = rule.clone();
    short.retain(|key, value| {
        let says_nothing = match key.as_str() {
            "created" => value.is_null(),
            "enabled" => *value == Value::Bool(true),
            "name" => rule.get("id") == Some(value),
            _ => false,
        };
        !says_nothing
    });
    if let Some(Value::Object(then)) = short.get_mut("then") {
        then.retain(|key, value| match key.as_str() {
            "client" => value != "from_tenant",
            "licence_type" => value != "no_change",
            _ => true,
        });
    }
    Value::Object(short)
}

/// Single settings of mappings and of the guard that differ from what they come to now, each with its path.
fn settings(change: &PolicyEdit, effective: &Value) -> Vec<(Vec<String>, Value)> {
    let mut found = Vec::new();
    for (kind, mappings) in change.fields.iter().filter_map(Value::as_object).flatten() {
        for (field, mapping) in mappings.as_object().into_iter().flatten() {
            let now = effective["fields"][kind].get(field).unwrap_or(&Value::Null);
            if now != mapping {
                found.push((vec!["fields".to_owned(), kind.clone(), field.clone()], mapping.clone()));
            }
        }
    }
    for (key, value) in change.guard.iter().filter_map(Value::as_object).flatten() {
        if effective["guard"].get(key) != Some(value) {
            found.push((vec!["guard".to_owned(), key.clone()], value.clone()));
        }
    }
    found
}

/// Faults of rules point into the list that was given: the text keeps its own order.
fn relative(mut faults: Vec<Fault>, text: &str, rules: Option<&[Value]>) -> Vec<Fault> {
    let (Some(rules), Ok(written)) = (rules, edit::value(text)) else { return faults };
    for fault in &mut faults {
        let Some(rest) = fault.pointer.strip_prefix("/rules/") else { continue };
        let (at, below) = rest.split_once('/').map_or((rest, ""), |(at, below)| (at, below));
        let id = at.parse::<usize>().ok().and_then(|at| written["rules"].get(at)).map(|rule| &rule["id"]);
        if let Some(place) = id.and_then(|id| rules.iter().position(|rule| rule["id"] == *id)) {
            let below = if below.is_empty() { String::new() } else { format!("/{below}") };
            fault.pointer = format!("/rules/{place}{below}");
        }
    }
    faults
}
