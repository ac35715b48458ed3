//! Who is looked at: named exclusions, required attributes, licences, guests. What excludes a user has a name to count them under,
//! and the first of those names in the order of ruling 113 wins.

use crate::source::{self, Fault};
use model::directory::Sku;
use model::facts::{TenantFacts, UserFacts};
use model::policy::{ExcludeBy, Mapping, Policy, Scope};
use model::reason::Reason;
use model::{Attributes, Field, Value, address, text};
use std::borrow::Cow;

/// The required attribute that stands for the e-mail a mapping yields (ruling 34).
const EMAIL: &str = "email";

/// The scope of a policy, made ready for one tenant.
#[derive(Debug)]
pub(crate) struct ScopeCheck {
    scope: Scope,
    /// What the scope requires, by name, each with the steps that lead to it.
    required: Vec<(String, Vec<String>)>,
    email: Option<Mapping>,
    skus: Option<Vec<Sku>>,
}

impl ScopeCheck {
    pub(crate) fn new(policy: &Policy, tenant: &TenantFacts) -> Self {
        let email = policy.fields.contact.get(&Field::EMAIL).or_else(|| policy.fields.agent.get(&Field::EMAIL));
        let steps = |name: &String| (name.clone(), name.split('.').map(str::to_owned).collect());
        Self {
            required: policy.scope.require.iter().map(steps).collect(),
            scope: policy.scope.clone(),
            email: email.cloned(),
            skus: tenant.skus.clone(),
        }
    }

    /// What excludes a user before rules are asked, by the name they are counted under. Exclusions are asked in order, up to the first
    /// that holds or cannot be computed (ruling 38).
    pub(crate) fn excluded_by(&self, user: &UserFacts) -> Result<Option<Cow<'_, str>>, Fault> {
        for exclude in &self.scope.exclude {
            let holds = match &exclude.by {
                ExcludeBy::LocalParts(parts) => has_local_part(parts, &user.attributes),
                ExcludeBy::Filter(filter) => filter
                    .holds(source::subject(user))
                    .map_err(|why| Fault::of_filter(&format!("the exclusion \"{}\"", exclude.name), &why))?,
            };
            if holds {
                return Ok(Some(Cow::Borrowed(&exclude.name)));
            }
        }
        for (name, steps) in &self.required {
            if !self.has(user, name, steps)? {
                return Ok(Some(Cow::Owned(format!("require:{name}"))));
            }
        }
        if self.scope.licensed_only && self.licensed(&user.attributes) == Some(false) {
            return Ok(Some(Cow::Borrowed("licence")));
        }
        let unassigned = self.scope.app_assigned && !user.assigned && !is_guest(&user.attributes);
        Ok(unassigned.then_some(Cow::Borrowed("not assigned")))
    }

    /// Whether a disabled user may be created.
    pub(crate) fn creates_disabled(&self) -> bool {
        self.scope.disabled
    }

    /// Says so when a user is kept in scope only because the source does not tell licences (ruling 96).
    pub(crate) fn explain(&self, reasons: &mut Vec<Reason>) {
        if self.scope.licensed_only && self.skus.is_none() {
            reasons.push(Reason::LicencesUnknown);
        }
    }

    fn has(&self, user: &UserFacts, name: &str, steps: &[String]) -> Result<bool, Fault> {
        if name == EMAIL {
            return match &self.email {
                None => Ok(user.attributes.text("mail").is_some_and(address::is_valid)),
                Some(mapping) => self.email_of(user, mapping),
            };
        }
        let Some((first, rest)) = steps.split_first() else { return Ok(false) };
        Ok(!text::is_empty(rest.iter().fold(user.attributes.get(first.as_str()), |value, step| &value[step])))
    }

    /// The mapping yields a well-formed address; a bare `*.onmicrosoft.com` name does not count.
    fn email_of(&self, user: &UserFacts, mapping: &Mapping) -> Result<bool, Fault> {
        let value = mapping.source.as_ref().map(|s| source::text_of(s, user)).transpose();
        let value = value.map_err(|why| Fault::of_value(EMAIL, &why))?.flatten();
        let Some(value) = value else { return Ok(false) };
        let is_bare_name = user.attributes.text("userPrincipalName") == Some(text::trim(&value))
            && user.attributes.text("mail") != Some(text::trim(&value))
            && source::is_onmicrosoft(&value);
        Ok(!is_bare_name && address::is_valid(text::trim(&value)))
    }

    /// Whether one of the user's licences counts; none when the source cannot tell licences (rulings 96 and 106).
    pub(crate) fn licensed(&self, user: &Attributes) -> Option<bool> {
        let skus = self.skus.as_ref()?;
        let assigned = user.get("assignedLicenses").as_array().map(Vec::as_slice).unwrap_or_default();
        Some(assigned.iter().any(|licence| self.counts(licence, skus)))
    }

    fn counts(&self, licence: &Value, skus: &[Sku]) -> bool {
        let id = licence["skuId"].as_str().unwrap_or_default();
        let sku = skus.iter().find(|s| s.sku_id.eq_ignore_ascii_case(id));
        let ignored = |name: &str| self.scope.licences.ignore_skus.iter().any(|i| i.eq_ignore_ascii_case(name));
        if ignored(id) || sku.is_some_and(|s| ignored(&s.sku_part_number)) {
            return false;
        }
        let plans = &self.scope.licences.plans;
        // Without the tenant's licences nothing tells which plans one carries: then any counts.
        if plans.is_empty() || skus.is_empty() {
            return true;
        }
        let disabled = licence["disabledPlans"].as_array().map(Vec::as_slice).unwrap_or_default();
        sku.is_some_and(|s| {
            s.service_plans.iter().any(|plan| {
                !disabled.iter().filter_map(Value::as_str).any(|d| d.eq_ignore_ascii_case(&plan.service_plan_id))
                    && plan.provisioning_status != "Disabled"
                    && wanted(plans, &plan.service_plan_name)
            })
        })
    }
}

/// Whether a plan's name fits one of the patterns and none of those with `!`.
fn wanted(plans: &[String], name: &str) -> bool {
    let (no, yes): (Vec<&str>, Vec<&str>) = plans.iter().map(String::as_str).partition(|p| p.starts_with('!'));
    let meets = |pattern: &str| glob(pattern.to_ascii_uppercase().as_bytes(), name.to_ascii_uppercase().as_bytes());
    (yes.is_empty() || yes.into_iter().any(meets)) && !no.into_iter().any(|p| meets(&p[1..]))
}

/// `*` stands for any text, `?` for one byte. Linear in practice: only the last `*` is ever gone back to.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    p = star + 1;
                    n = from + 1;
                    back = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Whether the local part of `mail` or of the UPN is one of the names, alone or followed by one of `._-` (rulings 27 and 117).
fn has_local_part(parts: &[String], user: &Attributes) -> bool {
    let name = source::own_name(user);
    [user.text("mail"), name.as_deref()].into_iter().flatten().any(|address| {
        let local = text::fold(address.rsplit_once('@').map_or(address, |(local, _)| local));
        parts.iter().any(|part| {
            let part = text::fold(part);
            local.strip_prefix(&part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_', '-']))
        })
    })
}

/// Guest exactly when `userType` says so (ruling 30).
pub(crate) fn is_guest(user: &Attributes) -> bool {
    user.get("userType").as_str().is_some_and(|t| t.eq_ignore_ascii_case("guest"))
}

/// Null and absent count as enabled (ruling 32).
pub(crate) fn is_enabled(user: &UserFacts) -> bool {
    user.attributes.get("accountEnabled").as_bool() != Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_globs() {
        assert!(glob(b"EXCHANGE_S_*", b"EXCHANGE_S_STANDARD"));
        assert!(!glob(b"EXCHANGE_S_*", b"MCOEXCHANGE_S_X"));
        assert!(glob(b"*A*B", b"xAxBxB"));
        assert!(!glob(b"TEAMS1", b"TEAMS12"));
        let plans = ["EXCHANGE_S_*".to_owned(), "!EXCHANGE_S_FOUNDATION".to_owned()];
        assert!(wanted(&plans, "EXCHANGE_S_STANDARD"));
        assert!(!wanted(&plans, "EXCHANGE_S_FOUNDATION"));
    }

    #[test]
    fn a_pattern_for_bot_does_not_hit_abbott() {
        let bots = ["bot".to_owned()];
        let user = |mail: &str| [("mail", Value::from(mail))].into_iter().collect::<Attributes>();
        assert!(has_local_part(&bots, &user("Bot@x.example")));
        assert!(has_local_part(&bots, &user("bot-7@x.example")));
        assert!(!has_local_part(&bots, &user("abbott@x.example")));
        assert!(!has_local_part(&bots, &user("bottom@x.example")));
    }
}
