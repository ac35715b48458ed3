//! Which role a user has: the rule's, a group's in its place or beside it, or that of users without a manager (R07, R08, R10;
//! rulings 24, 41 and 122).

use crate::groups::{Known, MemberOf};
use model::policy::{PerKind, Policy, RoleMapping, RoleMode, Rule};
use model::reason::Reason;
use model::{GroupKey, Kind, RuleId};

/// The role mappings and what goes with them, made ready.
#[derive(Debug)]
pub(crate) struct Roles {
    given: PerKind<Vec<Given>>,
    without_manager: PerKind<Option<String>>,
    inactive: Vec<String>,
}

/// A role that a group gives.
#[derive(Debug)]
struct Given {
    mapping: RoleMapping,
    groups: Vec<GroupKey>,
}

/// What a user's records may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights<'a> {
    pub(crate) role: Option<&'a str>,
    /// Further roles, sorted; none when nothing in the policy ever adds one to this kind.
    pub(crate) extra: Option<Vec<&'a str>>,
    /// One of the roles makes an agent inactive (R10).
    pub(crate) inactive: Option<&'a str>,
    from: From<'a>,
}

/// What mappings are compared by: order, the group's age, the mapping's own, id. The lowest wins.
type Precedence<'a> = (i32, i128, i128, &'a RuleId);

/// Where a role comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From<'a> {
    Rule,
    Group(&'a RoleMapping, &'a str),
    NoManager,
}

impl Roles {
    pub(crate) fn new(policy: &Policy, known: &Known) -> Self {
        let of = |kind| {
            let own = policy.role_mappings.iter().filter(|m| m.kind == kind);
            own.map(|m| Given { mapping: m.clone(), groups: known.named(&m.group) }).collect::<Vec<_>>()
        };
        Self {
            given: PerKind { agent: of(Kind::Agent), contact: of(Kind::Contact) },
            without_manager: policy.role_without_manager.clone(),
            inactive: policy.inactive_roles.clone(),
        }
    }

    /// The groups that mappings name.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupKey> {
        self.given.agent.iter().chain(&self.given.contact).flat_map(|g| g.groups.iter().copied())
    }

    /// Every mapping with the groups it means.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&RoleMapping, &[GroupKey])> {
        self.given.agent.iter().chain(&self.given.contact).map(|g| (&g.mapping, g.groups.as_slice()))
    }

    /// What a record of a kind may do. Of several groups that give a role in place of the rule's, the lowest order wins; then as
    /// among rules the oldest group, the oldest mapping, the lowest id.
    pub(crate) fn of<'a>(
        &'a self,
        kind: Kind,
        rule: &'a Rule,
        known: &'a Known,
        member_of: &MemberOf,
        has_manager: bool,
    ) -> Rights<'a> {
        let given = self.given.of(kind);
        let adds = given.iter().any(|g| g.mapping.mode == RoleMode::Add);
        let mut extra = Vec::new();
        let mut best: Option<(Precedence<'_>, &RoleMapping, GroupKey)> = None;
        for one in given {
            let Some(group) = known.oldest_of(&one.groups, member_of) else { continue };
            let mapping = &one.mapping;
            match mapping.mode {
                RoleMode::Add => extra.push(mapping.role.as_str()),
                RoleMode::Replace => {
                    let key = (mapping.order, known.age(group), mapping.created.unwrap_or(0), &mapping.id);
                    if best.as_ref().is_none_or(|(lowest, _, _)| key < *lowest) {
                        best = Some((key, mapping, group));
                    }
                }
            }
        }
        extra.sort_unstable();
        extra.dedup();
        let without = self.without_manager.of(kind).as_deref().filter(|_| !has_manager && extra.is_empty());
        let (role, from) = match (best, without) {
            (Some((_, mapping, group)), _) => {
                (Some(mapping.role.as_str()), From::Group(mapping, known.name(group).unwrap_or_default()))
            }
            (None, Some(role)) => (Some(role), From::NoManager),
            (None, None) => (rule.then.role.as_deref(), From::Rule),
        };
        let all = || role.into_iter().chain(extra.iter().copied());
        let inactive = if kind == Kind::Agent { all().find(|r| self.inactive.iter().any(|i| i == r)) } else { None };
        Rights { role, inactive, extra: adds.then_some(extra), from }
    }
}

impl Rights<'_> {
    /// Whether the role is none of the rule's own: what gives it may end while the rule stays.
    pub(crate) fn is_lent(&self) -> bool {
        self.role.is_some() && self.from != From::Rule
    }

    /// Says where a role comes from that is not the rule's own.
    pub(crate) fn explain(&self, reasons: &mut Vec<Reason>) {
        match (self.from, self.role) {
            (From::Group(mapping, group), _) => reasons.push(Reason::RoleByGroup {
                role: mapping.role.clone(),
                group: group.to_owned(),
                mapping: mapping.id.clone(),
            }),
            (From::NoManager, Some(role)) => reasons.push(Reason::RoleWithoutManager { role: role.to_owned() }),
            _ => {}
        }
        if let Some(role) = self.inactive {
            reasons.push(Reason::InactiveRole { role: role.to_owned() });
        }
    }
}
