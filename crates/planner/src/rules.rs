//! Which rule wins: the enabled, matching one with the lowest order, then the oldest group, then the oldest rule, then the lowest id
//! (R01). A total order, so that two runs never disagree.

use crate::groups::Reach;
use model::facts::{GroupFacts, TenantFacts, UserFacts};
use model::plan::ClientFound;
use model::policy::{ClientRef, Policy, Rule};
use model::reason::{LostBy, Reason};
use model::{ClientId, GroupKey, Kind, RuleId, SiteId, SourceId, text};
use std::collections::HashMap;

/// The age of "matched without a group": after every group (ruling 37).
const NO_GROUP: i128 = i128::MAX;

/// The age of a group whose date is unknown: younger than every known date, older than no group at all (ruling 37).
const UNKNOWN_DATE: i128 = i128::MAX - 1;

/// The instant of rules without `created`: the same for all of them, and before any real one (ruling 19).
const UNDATED: i128 = 0;

/// The enabled rules, made ready for one tenant.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Compiled>,
    reach: Reach,
    groups: HashMap<GroupKey, GroupFacts>,
}

/// One enabled rule.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    /// Guests may be selected (ruling 31).
    guests: bool,
    groups: Option<Vec<GroupKey>>,
    names: Option<Vec<GroupKey>>,
    /// The client and site of its agents and its contacts; the reference that leads nowhere otherwise.
    agent: Result<Place, String>,
    contact: Result<Place, String>,
}

/// Where a rule puts its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) client: Option<ClientId>,
    pub(crate) site: Option<SiteId>,
}

impl Compiled {
    /// Where records of a kind go, or the reference of the client or site that cannot be resolved (ruling 40).
    pub(crate) fn place(&self, kind: Kind) -> Result<Place, &str> {
        match kind {
            Kind::Agent => &self.agent,
            Kind::Contact => &self.contact,
        }
        .as_ref()
        .map(|place| *place)
        .map_err(String::as_str)
    }
}

/// The rule that won for one user.
#[derive(Debug)]
pub(crate) struct Won<'a> {
    pub(crate) compiled: &'a Compiled,
    /// The oldest matching group it names, and the user's own group that leads there.
    group: Option<(GroupKey, GroupKey)>,
    lost: Vec<(&'a RuleId, LostBy)>,
}

/// What rules say of a user.
#[derive(Debug)]
pub(crate) enum Chosen<'a> {
    Won(Won<'a>),
    /// No rule, though one would have taken this guest as a member.
    GuestsExcluded,
    NoRule,
}

impl Rules {
    pub(crate) fn new(policy: &Policy, tenant: &TenantFacts) -> Self {
        let by_id: HashMap<&SourceId, GroupKey> = tenant.groups.iter().map(|g| (&g.id, g.key)).collect();
        let mut by_name: HashMap<String, Vec<GroupKey>> = HashMap::new();
        for group in &tenant.groups {
            by_name.entry(text::nfc(&group.name)).or_default().push(group.key);
        }
        let mut rules: Vec<Compiled> = policy
            .rules
            .iter()
            .filter(|rule| rule.enabled)
            .map(|rule| {
                let ids = rule.when.groups.as_ref();
                let names = rule.when.group_names.as_ref();
                Compiled {
                    rule: rule.clone(),
                    guests: rule.when.include_guests.unwrap_or(policy.scope.guests),
                    groups: ids.map(|ids| ids.iter().filter_map(|id| by_id.get(id).copied()).collect()),
                    names: names
                        .map(|names| names.iter().filter_map(|n| by_name.get(&text::nfc(n))).flatten().copied().collect()),
                    agent: place(rule, Kind::Agent, tenant),
                    contact: place(rule, Kind::Contact, tenant),
                }
            })
            .collect();
        rules.sort_by(|a, b| a.rule.order.cmp(&b.rule.order).then_with(|| a.rule.id.cmp(&b.rule.id)));
        let mut named: Vec<GroupKey> = rules.iter().flat_map(|r| r.groups.iter().chain(&r.names)).flatten().copied().collect();
        named.sort_unstable();
        named.dedup();
        let reach = Reach::build(named, tenant);
        let groups = tenant.groups.iter().map(|g| (g.key, g.clone())).collect();
        Self { rules, reach, groups }
    }

    /// An enabled rule by its id.
    pub(crate) fn find(&self, id: &RuleId) -> Option<&Compiled> {
        self.rules.iter().find(|c| c.rule.id == *id)
    }

    /// Memberships in which groups can matter.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The groups each enabled rule names, as the mirror holds them.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Rule, &[GroupKey], &[GroupKey])> {
        self.rules.iter().map(|r| (&r.rule, r.groups.as_deref().unwrap_or_default(), r.names.as_deref().unwrap_or_default()))
    }

    /// Chooses the winning rule.
    pub(crate) fn choose(&self, user: &UserFacts, guest: bool) -> Chosen<'_> {
        let mut member_of = Vec::new();
        for group in &user.groups {
            self.reach.collect(*group, &mut member_of);
        }
        let mut guests_excluded = false;
        let mut won: Option<(Key, &Compiled, Option<GroupKey>)> = None;
        let mut lost: Vec<(&RuleId, LostBy)> = Vec::new();
        for compiled in &self.rules {
            let Some(group) = self.matches(compiled, &member_of) else { continue };
            if guest && !compiled.guests {
                guests_excluded = true;
                continue;
            }
            let key = Key {
                order: compiled.rule.order,
                group: group.map_or(NO_GROUP, |g| self.age(g)),
                created: compiled.rule.created.unwrap_or(UNDATED),
            };
            match &mut won {
                None => won = Some((key, compiled, group)),
                Some((best, winner, by)) => {
                    // Rules come by order and id: an equal key is one with a higher id, which loses.
                    let (loser, margin) = if key < *best {
                        let margin = key.margin(best);
                        let loser = &winner.rule.id;
                        (*best, *winner, *by) = (key, compiled, group);
                        (loser, margin)
                    } else {
                        (&compiled.rule.id, best.margin(&key))
                    };
                    lost.push((loser, margin));
                }
            }
        }
        match won {
            Some((_, compiled, group)) => {
                let own = |named| member_of.iter().find(|(n, _)| *n == named).map(|(_, own)| (named, *own));
                Chosen::Won(Won { compiled, group: group.and_then(own), lost })
            }
            None if guests_excluded => Chosen::GuestsExcluded,
            None => Chosen::NoRule,
        }
    }

    /// Whether everything given in `when` holds; then the oldest group that made it so, if any.
    #[expect(clippy::option_option, reason = "matching without a group is not the same as not matching")]
    fn matches(&self, compiled: &Compiled, member_of: &[(GroupKey, GroupKey)]) -> Option<Option<GroupKey>> {
        let mut oldest: Option<GroupKey> = None;
        for named in [&compiled.groups, &compiled.names].into_iter().flatten() {
            let hits = named.iter().copied().filter(|n| member_of.iter().any(|(m, _)| m == n));
            let best = hits.min_by(|a, b| self.older(*a, *b))?;
            oldest = Some(oldest.map_or(best, |o| if self.older(best, o).is_lt() { best } else { o }));
        }
        Some(oldest)
    }

    fn older(&self, a: GroupKey, b: GroupKey) -> std::cmp::Ordering {
        let id = |g| self.groups.get(&g).map(|f| &f.id);
        self.age(a).cmp(&self.age(b)).then_with(|| id(a).cmp(&id(b)))
    }

    fn age(&self, group: GroupKey) -> i128 {
        self.groups.get(&group).and_then(|g| g.created).unwrap_or(UNKNOWN_DATE)
    }

    /// Adds why this rule won and why the others lost.
    pub(crate) fn explain(&self, won: &Won<'_>, reasons: &mut Vec<Reason>) {
        let name = |g: &GroupKey| self.groups.get(g).map(|f| f.name.clone());
        let via = match won.group {
            Some((named, own)) if named != own => {
                let path = self.reach.path(own, named);
                path[..path.len() - 1].iter().filter_map(name).collect()
            }
            _ => Vec::new(),
        };
        reasons.push(Reason::RuleWon {
            rule: won.compiled.rule.id.clone(),
            name: won.compiled.rule.name.clone(),
            order: won.compiled.rule.order,
            group: won.group.and_then(|(named, _)| name(&named)),
            via,
        });
        reasons.extend(won.lost.iter().map(|(rule, by)| Reason::RuleLost { rule: (*rule).clone(), by: *by }));
    }
}

/// What rules are compared by before their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    order: i32,
    group: i128,
    created: i128,
}

impl Key {
    /// By what the other one loses to this one.
    fn margin(&self, other: &Key) -> LostBy {
        if self.order != other.order {
            LostBy::Order
        } else if self.group != other.group {
            LostBy::GroupAge
        } else if self.created != other.created {
            LostBy::RuleAge
        } else {
            LostBy::Id
        }
    }
}

/// Where a rule puts its records of a kind. Contacts always have a client; agents only one that the rule names.
fn place(rule: &Rule, kind: Kind, tenant: &TenantFacts) -> Result<Place, String> {
    let usable = |found: Option<&ClientFound>| found.filter(|c| c.active).map(|c| c.id);
    let named = match &rule.then.client {
        ClientRef::Named(reference) => Some(usable(tenant.clients.get(reference)).ok_or_else(|| reference.clone())?),
        ClientRef::FromTenant => None,
    };
    let of_tenant = || usable(tenant.client.as_ref()).ok_or_else(|| FROM_TENANT.to_owned());
    let client = match kind {
        Kind::Agent => named,
        Kind::Contact => Some(named.map_or_else(of_tenant, Ok)?),
    };
    let site = match &rule.then.site {
        None => None,
        Some(reference) => {
            let client = client.map_or_else(of_tenant, Ok)?;
            let found = tenant.sites.get(&(client, text::fold(reference)));
            Some(*found.or_else(|| tenant.sites.get(&(client, reference.clone()))).ok_or_else(|| reference.clone())?)
        }
    };
    Ok(Place { client, site })
}

/// How a policy says "the client the tenant is mapped to".
pub(crate) const FROM_TENANT: &str = "from_tenant";
