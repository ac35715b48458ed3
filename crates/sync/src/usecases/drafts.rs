//! Drafts of a policy as forms make them: one part changed, the rest of the text as its author wrote it. A draft is a text like any
//! other; keeping it is [`Engine::save_policy`], with the same checks as for a file.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::plan::tenant_facts;
use crate::usecases::policies::PolicyScope;
use crate::usecases::unread::Unread;
use model::run::RunKind;
use model::{Field, GroupKey, Kind, RuleId, SourceId, TenantKey, UserKey, Value};
use planner::Planner;
use policy::edit::{self, At};
use policy::{DiffLine, Fault, Loaded};
use serde::Serialize;
use serde_json::Map;
use std::collections::{BTreeSet, HashSet};
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
    /// All role mappings, likewise.
    pub role_mappings: Option<Vec<Value>>,
    /// All CAB mappings, likewise.
    pub cab_mappings: Option<Vec<Value>>,
    /// The role of users without a manager by kind of record, null for none.
    pub role_without_manager: Option<Value>,
    /// Roles that make agents inactive.
    pub inactive_roles: Option<Vec<Value>>,
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
    /// What the rule asks and was never read, as sentences.
    pub notes: Vec<String>,
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
    /// Why nothing is known of it: the attribute was never read.
    pub unread: Option<String>,
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
        let mut lost = Vec::new();
        for (list, items, same) in lists(change) {
            // The order of a list never matters (ruling 19).
            let now = effective[list].as_array().map(Vec::as_slice).unwrap_or_default();
            if now.len() == items.len() && items.iter().all(|item| now.contains(item)) {
                continue;
            }
            let items = to_write(&own, list, items, &effective, same)?;
            edited = edit::set_items(&edited.text, list, &items, same).map_err(Error::Policy)?;
            lost.append(&mut edited.lost);
        }
        for (path, value) in settings(change, &effective) {
            let path: Vec<At<'_>> = path.iter().map(|key| At::Key(key)).collect();
            let next = edit::set(&edited.text, &path, Some(&value)).map_err(Error::Policy)?;
            lost.extend(next.lost);
            edited.text = next.text;
        }
        let loaded = match self.check_policy(scope, &edited.text).await {
            Ok(loaded) => loaded,
            Err(Error::Policy(faults)) => return Err(Error::Policy(relative(faults, &edited.text, change))),
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
        let id = RuleId::new(rule["id"].as_str().unwrap_or_default().to_owned());
        let stored = self.store().tenant(tenant).await?;
        let facts = tenant_facts(self, &stored, &draft.loaded, RunKind::Delta).await?;
        let unread = Unread::of(self.store(), tenant, &draft.loaded.policy).await?;
        let policy = unread.judged(&draft.loaded);
        let all = Planner::new(&policy, &draft.loaded.digest, facts.clone());
        let mut lone = (*policy).clone();
        lone.rules.retain(|rule| rule.id == id);
        lone.rules.iter_mut().for_each(|rule| rule.enabled = true);
        let filters = lone.rules.iter().filter_map(|rule| rule.when.filter.as_ref());
        let named: BTreeSet<String> = filters.flat_map(|filter| filter.attributes()).cloned().collect();
        let lone = Planner::new(&lone, &draft.loaded.digest, facts);
        let mut count = RuleCount { notes: unread.about(&named), ..RuleCount::default() };
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
        let unread = Unread::of(self.store(), row.tenant, &loaded.policy).await?;
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
                let mut names = BTreeSet::new();
                let source = loaded.policy.fields.of(kind).get(&field).and_then(|mapping| mapping.source.as_ref());
                source.inspect(|source| source.attributes(&mut names));
                values.push(MappedValue { kind, unread: unread.why_empty(&names), field, entra, unfit, record });
            }
        }
        Ok(values)
    }
}

/// Whether two maps are the same item of a list.
type Same = fn(&Value, &Value) -> bool;

/// The lists of maps that are changed as a whole, with what makes two of their items the same.
fn lists(change: &PolicyEdit) -> Vec<(&'static str, &[Value], Same)> {
    let all: [(_, _, Same); 3] = [
        ("rules", &change.rules, edit::same_id),
        ("role_mappings", &change.role_mappings, edit::same_id),
        ("cab_mappings", &change.cab_mappings, same_board),
    ];
    all.into_iter().filter_map(|(list, items, same)| items.as_deref().map(|items| (list, items, same))).collect()
}

/// CAB mappings have no id: they are the same when they say the same, whether or not they say that there is no role.
fn same_board(a: &Value, b: &Value) -> bool {
    ["group", "group_name", "cab", "role"].iter().all(|key| a[*key] == b[*key])
}

/// The items of a list as they are to be written: of one that the text has, only the keys that differ from what it comes to now.
fn to_write(own: &str, list: &str, items: &[Value], effective: &Value, same: Same) -> Result<Vec<Value>> {
    let written = edit::value(own).map_err(Error::Policy)?;
    let find = |items: &Value, item: &Value| -> Option<Map<String, Value>> {
        let found = items.as_array()?.iter().find(|other| same(other, item))?;
        found.as_object().cloned()
    };
    let write = |item: &Value| {
        let Some(given) = item.as_object() else { return item.clone() };
        let comes_to = find(&effective[list], item).unwrap_or_default();
        let Some(mut kept) = find(&written[list], item) else { return compact(given) };
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
    Ok(items.iter().map(write).collect())
}

/// A rule or mapping without what goes without saying.
fn compact(item: &Map<String, Value>) -> Value {
    let mut short = item.clone();
    short.retain(|key, value| {
        let says_nothing = match key.as_str() {
            "created" | "role" => value.is_null(),
            "enabled" => *value == Value::Bool(true),
            "mode" => value == "replace",
            "name" => item.get("id") == Some(value),
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

/// Single settings that differ from what they come to now, each with its path.
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
    // Always for both kinds: a bare role in what is inherited (ruling 41) would give way to a map as a whole.
    let whole = [
        ("role_without_manager", change.role_without_manager.clone()),
        ("inactive_roles", change.inactive_roles.clone().map(Value::Array)),
    ];
    for (key, value) in whole {
        if let Some(value) = value.filter(|value| effective[key] != *value) {
            found.push((vec![key.to_owned()], value));
        }
    }
    found
}

/// Faults of rules and mappings point into the list that was given: the text keeps its own order.
fn relative(mut faults: Vec<Fault>, text: &str, change: &PolicyEdit) -> Vec<Fault> {
    let Ok(written) = edit::value(text) else { return faults };
    for (list, items, same) in lists(change) {
        for fault in &mut faults {
            let Some(rest) = fault.pointer.strip_prefix(&format!("/{list}/")) else { continue };
            let (at, below) = rest.split_once('/').map_or((rest, ""), |(at, below)| (at, below));
            let item = at.parse::<usize>().ok().and_then(|at| written[list].get(at));
            if let Some(place) = item.and_then(|item| items.iter().position(|given| same(given, item))) {
                let below = if below.is_empty() { String::new() } else { format!("/{below}") };
                fault.pointer = format!("/{list}/{place}{below}");
            }
        }
    }
    faults
}
