//! Nested membership: from which groups the groups that rules name can be reached. Built once for a run; cycles survive.

use model::GroupKey;
use model::facts::TenantFacts;
use std::collections::{HashMap, HashSet, VecDeque};

/// From a direct membership to the named groups it leads to.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// By the group a user is a direct member of: the named groups above it, itself included.
    up: HashMap<GroupKey, Vec<Step>>,
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
        let mut up: HashMap<GroupKey, Vec<Step>> = HashMap::new();
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
