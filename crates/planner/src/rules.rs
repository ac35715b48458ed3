//! Which rule wins: the enabled, matching one with the lowest order, then the oldest group, then the oldest rule, then the lowest id
//! (R01). A total order, so that two runs never disagree.

use crate::groups::{Known, MemberOf, NO_GROUP, Reach};
use crate::keys::Probe;
use crate::source::{self, Fault};
use model::facts::{TenantFacts, UserFacts};
use model::plan::{ClientFound, Wait};
use model::policy::{ClientRef, PerKind, Policy, Rule};
use model::reason::{LostBy, Reason};
use model::{ClientId, GroupKey, Kind, RuleId, SiteId, text};
use std::collections::BTreeMap;

/// The instant of rules without `created`: the same for all of them, and before any real one (ruling 19).
const UNDATED: i128 = 0;

/// The enabled rules, made ready for one tenant.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Compiled>,
    /// The places of the rules that name a group, so that only those are asked that can select the user.
    by_group: BTreeMap<GroupKey, Vec<usize>>,
    /// The places of the rules that ask for no group.
    of_anybody: Vec<usize>,
    reach: Reach,
    known: Known,
}

/// One enabled rule.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    /// Guests may be selected (ruling 31).
    guests: bool,
    /// Guests who are assigned to the application may be selected (ruling 115).
    assigned_guests: bool,
    groups: Option<Vec<GroupKey>>,
    names: Option<Vec<GroupKey>>,
    /// The client and site of its agents and its contacts; what they wait for where a reference leads nowhere.
    agent: Result<Place, Wait>,
    contact: Result<Place, Wait>,
}

/// Where a rule puts its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) client: Option<ClientId>,
    pub(crate) site: Option<SiteId>,
    /// The client whose site is meant, where the rule takes the site from a value (R04).
    pub(crate) sites_of: Option<ClientId>,
}

impl Compiled {
    /// Where records of a kind go, or the client or site that cannot be resolved (ruling 40).
    pub(crate) fn place(&self, kind: Kind) -> Result<Place, &Wait> {
        match kind {
            Kind::Agent => &self.agent,
            Kind::Contact => &self.contact,
        }
        .as_ref()
        .map(|place| *place)
    }
}

/// The rule that won for one user.
#[derive(Debug)]
pub(crate) struct Won<'a> {
    pub(crate) compiled: &'a Compiled,
    /// The oldest matching group it names, and the user's own group that leads there.
    group: Option<(GroupKey, GroupKey)>,
    lost: Vec<(&'a RuleId, LostBy)>,
    /// The named groups the user is in.
    pub(crate) member_of: MemberOf,
    /// What the records are looked for by that the rule wants and the user does not have, or why that cannot be computed.
    pub(crate) probes: PerKind<Result<Vec<Probe<'a>>, Fault>>,
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
    /// Makes the enabled rules ready. `more` are groups that mappings name.
    pub(crate) fn new(policy: &Policy, tenant: &TenantFacts, known: Known, more: impl IntoIterator<Item = GroupKey>) -> Self {
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
                    assigned_guests: policy.scope.app_assigned && rule.when.include_guests.unwrap_or(true),
                    groups: ids.map(|ids| ids.iter().filter_map(|id| known.by_id(id)).collect()),
                    names: names.map(|names| names.iter().flat_map(|n| known.by_name(n)).copied().collect()),
                    agent: place(rule, Kind::Agent, tenant),
                    contact: place(rule, Kind::Contact, tenant),
                }
            })
            .collect();
        rules.sort_by(|a, b| a.rule.order.cmp(&b.rule.order).then_with(|| a.rule.id.cmp(&b.rule.id)));
        let mut named: Vec<GroupKey> = rules.iter().flat_map(|r| r.groups.iter().chain(&r.names)).flatten().copied().collect();
        named.extend(more);
        named.sort_unstable();
        named.dedup();
        let reach = Reach::build(named, tenant);
        let mut by_group: BTreeMap<GroupKey, Vec<usize>> = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            rule.groups.iter().chain(&rule.names).flatten().for_each(|group| by_group.entry(*group).or_default().push(at));
        }
        let asks_no_group = |rule: &Compiled| rule.groups.is_none() && rule.names.is_none();
        let of_anybody = (0..rules.len()).filter(|at| asks_no_group(&rules[*at])).collect();
        Self { rules, by_group, of_anybody, reach, known }
    }

    /// The tenant's groups.
    pub(crate) fn known(&self) -> &Known {
        &self.known
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

    /// Chooses the winning rule. A filter that cannot be computed is this user's error where the choice hangs on it: not where a
    /// rule of a better key wins, nor where the rule would not take the guest in any case (ruling 38).
    pub(crate) fn choose(&self, user: &UserFacts, guest: bool) -> Result<Chosen<'_>, Fault> {
        let mut member_of = MemberOf::new();
        for group in &user.groups {
            self.reach.collect(*group, &mut member_of);
        }
        let mut guests_excluded = false;
        let mut won: Option<(Key, &Compiled, Option<GroupKey>)> = None;
        let mut faulty: Option<(Key, &RuleId, Fault)> = None;
        let mut lost: Vec<(&RuleId, LostBy)> = Vec::new();
        for compiled in self.candidates(&member_of) {
            let Some(group) = self.in_groups(compiled, &member_of) else { continue };
            let takes = !guest || compiled.guests || (compiled.assigned_guests && user.assigned);
            let key = Key {
                order: compiled.rule.order,
                group: group.map_or(NO_GROUP, |g| self.known.age(g)),
                created: compiled.rule.created.unwrap_or(UNDATED),
            };
            match compiled.rule.when.filter.as_ref().map_or(Ok(true), |f| f.holds(source::subject(user))) {
                Ok(true) if takes => {}
                Ok(holds) => {
                    guests_excluded |= holds;
                    continue;
                }
                Err(why) => {
                    // Rules come by order and id, so of equal keys the first one counts.
                    if takes && faulty.as_ref().is_none_or(|(best, _, _)| key < *best) {
                        let fault = Fault::of_filter(&format!("rule \"{}\"", compiled.rule.name), &why);
                        faulty = Some((key, &compiled.rule.id, fault));
                    }
                    continue;
                }
            }
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
        if let Some((key, id, fault)) = faulty
            && won.as_ref().is_none_or(|(best, winner, _)| (key, id) < (*best, &winner.rule.id))
        {
            return Err(fault);
        }
        Ok(match won {
            Some((_, compiled, group)) => {
                let own = |named| member_of.iter().find(|(n, _)| *n == named).map(|(_, own)| (named, *own));
                let probes = PerKind { agent: Ok(Vec::new()), contact: Ok(Vec::new()) };
                Chosen::Won(Won { compiled, group: group.and_then(own), lost, member_of, probes })
            }
            None if guests_excluded => Chosen::GuestsExcluded,
            None => Chosen::NoRule,
        })
    }

    /// The rules of whose groups the user is in one, or that ask for none: in the order of rules.
    fn candidates(&self, member_of: &MemberOf) -> impl Iterator<Item = &Compiled> {
        let mut places = self.of_anybody.clone();
        for (named, _) in member_of {
            places.extend_from_slice(self.by_group.get(named).map(Vec::as_slice).unwrap_or_default());
        }
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|at| &self.rules[at])
    }

    /// Whether the user is in a group of each list given; then the oldest group that made it so, if any.
    #[expect(clippy::option_option, reason = "matching without a group is not the same as not matching")]
    fn in_groups(&self, compiled: &Compiled, member_of: &MemberOf) -> Option<Option<GroupKey>> {
        let mut oldest: Option<GroupKey> = None;
        for named in [&compiled.groups, &compiled.names].into_iter().flatten() {
            let best = self.known.oldest_of(named, member_of)?;
            oldest = Some(oldest.map_or(best, |o| if self.known.older(best, o).is_lt() { best } else { o }));
        }
        Some(oldest)
    }

    /// Adds why this rule won and why the others lost.
    pub(crate) fn explain(&self, won: &Won<'_>, reasons: &mut Vec<Reason>) {
        let name = |g: &GroupKey| self.known.name(*g).map(str::to_owned);
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
fn place(rule: &Rule, kind: Kind, tenant: &TenantFacts) -> Result<Place, Wait> {
    let usable = |found: Option<&ClientFound>| found.filter(|c| c.active).map(|c| c.id);
    let named = match &rule.then.client {
        ClientRef::Named(reference) => {
            Some(usable(tenant.clients.get(reference)).ok_or_else(|| Wait::Client(reference.clone()))?)
        }
        ClientRef::FromTenant => None,
    };
    let of_tenant = || usable(tenant.client.as_ref()).ok_or_else(|| Wait::Client(FROM_TENANT.to_owned()));
    let client = match kind {
        Kind::Agent => named,
        Kind::Contact => Some(named.map_or_else(of_tenant, Ok)?),
    };
    let site_client = || client.map_or_else(of_tenant, Ok);
    let site = match &rule.then.site {
        None => None,
        Some(reference) => {
            let client = site_client()?;
            let found = tenant.sites.get(&(client, text::fold(reference)));
            Some(*found.or_else(|| tenant.sites.get(&(client, reference.clone()))).ok_or_else(|| Wait::Site(reference.clone()))?)
        }
    };
    let sites_of = rule.then.site_from.as_ref().map(|_| site_client()).transpose()?;
    Ok(Place { client, site, sites_of })
}

/// How a policy says "the client the tenant is mapped to".
pub(crate) const FROM_TENANT: &str = "from_tenant";
