//! The groups a policy names, and nested membership: from which groups those can be reached. Built once for a run; cycles survive.

use model::facts::{GroupFacts, TenantFacts};
use model::policy::GroupRef;
use model::{GroupKey, SourceId, text};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// The age of "matched without a group": after every group (ruling 37).
pub(crate) const NO_GROUP: i128 = i128::MAX;

/// The age of a group whose date is unknown: younger than every known date, older than no group at all (ruling 37).
const UNKNOWN_DATE: i128 = i128::MAX - 1;

/// The named groups a user is in, each with the user's own group that leads there.
pub(crate) type MemberOf = Vec<(GroupKey, GroupKey)>;

/// The tenant's groups by what a policy calls them.
#[derive(Debug)]
pub(crate) struct Known {
    facts: BTreeMap<GroupKey, GroupFacts>,
    by_id: HashMap<SourceId, GroupKey>,
    by_name: HashMap<String, Vec<GroupKey>>,
}

impl Known {
    pub(crate) fn new(tenant: &TenantFacts) -> Self {
        let mut by_name: HashMap<String, Vec<GroupKey>> = HashMap::new();
        for group in &tenant.groups {
            by_name.entry(text::nfc(&group.name)).or_default().push(group.key);
        }
        Self {
            facts: tenant.groups.iter().map(|g| (g.key, g.clone())).collect(),
            by_id: tenant.groups.iter().map(|g| (g.id.clone(), g.key)).collect(),
            by_name,
        }
    }

    /// The group of an object id.
    pub(crate) fn by_id(&self, id: &SourceId) -> Option<GroupKey> {
        self.by_id.get(id).copied()
    }

    /// All groups of an exact name, after NFC and trim (ruling 35).
    pub(crate) fn by_name(&self, name: &str) -> &[GroupKey] {
        self.by_name.get(&text::nfc(name)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The groups a mapping means.
    pub(crate) fn named(&self, group: &GroupRef) -> Vec<GroupKey> {
        match group {
            GroupRef::Id(id) => self.by_id(id).into_iter().collect(),
            GroupRef::Name(name) => self.by_name(name).to_vec(),
        }
    }

    /// A group's name.
    pub(crate) fn name(&self, group: GroupKey) -> Option<&str> {
        self.facts.get(&group).map(|f| f.name.as_str())
    }

    /// When a group was created, in a form in which the older is the lower.
    pub(crate) fn age(&self, group: GroupKey) -> i128 {
        self.facts.get(&group).and_then(|g| g.created).unwrap_or(UNKNOWN_DATE)
    }

    /// The older of two groups is the lower; of two of one age that with the lower id.
    pub(crate) fn older(&self, a: GroupKey, b: GroupKey) -> Ordering {
        let id = |g| self.facts.get(&g).map(|f| &f.id);
        self.age(a).cmp(&self.age(b)).then_with(|| id(a).cmp(&id(b)))
    }

    /// The oldest of these groups in which a user is (ruling 36).
    pub(crate) fn oldest_of(&self, groups: &[GroupKey], member_of: &MemberOf) -> Option<GroupKey> {
        let hits = groups.iter().copied().filter(|g| member_of.iter().any(|(named, _)| named == g));
        hits.min_by(|a, b| self.older(*a, *b))
    }
}

/// From a direct membership to the named groups it leads to.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// By the group a user is a direct member of: the named groups above it, itself included.
    up: BTreeMap<GroupKey, Vec<Step>>,
}

/// One way up: the named group, and the next group on the shortest way to it (itself, when it is the named one).
#[derive(Debug, Clone, Copy)]
struct Step {
    named: GroupKey,
    next: GroupKey,
}

impl Reach {
    /// Searches downwards from every named group over the nested memberships.
    pub(crate) fn build(named: impl IntoIterator<Item = GroupKey>, tenant: &TenantFacts) -> Self {
        let mut inner: HashMap<GroupKey, Vec<GroupKey>> = HashMap::new();
        for (outer, member) in &tenant.nested {
            inner.entry(*outer).or_default().push(*member);
        }
        // Of two ways of one length the same is found whatever order the memberships came in.
        inner.values_mut().for_each(|members| members.sort_unstable());
        let mut up: BTreeMap<GroupKey, Vec<Step>> = BTreeMap::new();
        for named in named {
            let mut seen = HashSet::from([named]);
            let mut queue = VecDeque::from([named]);
            up.entry(named).or_default().push(Step { named, next: named });
            while let Some(group) = queue.pop_front() {
                for member in inner.get(&group).into_iter().flatten() {
                    if seen.insert(*member) {
                        up.entry(*member).or_default().push(Step { named, next: group });
                        queue.push_back(*member);
                    }
                }
            }
        }
        Self { up }
    }

    /// Adds the named groups that a direct membership in `group` leads to, each with the direct membership it is reached by: the
    /// named group itself where the user is in it, else the lowest key, so that the order of memberships says nothing.
    pub(crate) fn collect(&self, group: GroupKey, into: &mut Vec<(GroupKey, GroupKey)>) {
        for step in self.up.get(&group).into_iter().flatten() {
            match into.iter_mut().find(|(named, _)| *named == step.named) {
                None => into.push((step.named, group)),
                Some((named, own)) if *own != *named && (group == *named || group < *own) => *own = group,
                Some(_) => {}
            }
        }
    }

    /// Whether a membership in this group can matter to any rule.
    pub(crate) fn relevant(&self, group: GroupKey) -> bool {
        self.up.contains_key(&group)
    }

    /// The groups whose members count as a named group's: itself, and those nested below it.
    pub(crate) fn below(&self, named: GroupKey) -> impl Iterator<Item = GroupKey> {
        self.up.iter().filter(move |(_, steps)| steps.iter().any(|step| step.named == named)).map(|(group, _)| *group)
    }

    /// All groups in which a membership can matter.
    pub(crate) fn all(&self) -> impl Iterator<Item = GroupKey> {
        self.up.keys().copied()
    }

    /// The groups from a user's own up to the named one, both included; only the named one for a direct membership.
    pub(crate) fn path(&self, own: GroupKey, named: GroupKey) -> Vec<GroupKey> {
        let mut path = vec![own];
        let mut at = own;
        while at != named {
            let Some(step) = self.up.get(&at).and_then(|steps| steps.iter().find(|s| s.named == named)) else {
                break;
            };
            at = step.next;
            path.push(at);
        }
        path
    }
}
