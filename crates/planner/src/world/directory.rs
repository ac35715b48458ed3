//! The world's Entra: users, groups and memberships, and what a read of one kind or another sees of them.

use model::directory::{Presence, Sku, UserTold};
use model::run::RunKind;
use model::{Attributes, GroupKey, SourceId, UserKey};
use policy::scenario::{Entra, EntraStep};
use std::collections::{BTreeMap, BTreeSet};

/// The directory, with the mirror's view of who is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    pub(crate) users: BTreeMap<SourceId, User>,
    pub(crate) groups: BTreeMap<SourceId, Group>,
    pub(crate) skus: Option<Vec<Sku>>,
    /// Who is assigned to our application: users, or groups with their direct members (C13).
    app_assigned: BTreeSet<SourceId>,
    keys: i64,
}

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) key: UserKey,
    pub(crate) attributes: Attributes,
    pub(crate) manager: Option<SourceId>,
    /// As the mirror has it.
    pub(crate) presence: Presence,
    /// How the user left, if the source no longer holds them.
    left: Option<Presence>,
}

/// A group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    pub(crate) name: String,
    /// Nanoseconds since 1970.
    pub(crate) created: Option<i128>,
    pub(crate) members: BTreeSet<SourceId>,
}

impl Directory {
    fn key(&mut self) -> i64 {
        self.keys += 1;
        self.keys
    }

    /// Lays what was told over what is known.
    pub(crate) fn told(&mut self, entra: &Entra) {
        for UserTold { id, attributes, manager } in &entra.users {
            let user = self.user(id);
            user.left = None;
            user.presence = Presence::Present;
            user.attributes.merge(attributes.clone());
            if let Some(manager) = manager {
                user.manager.clone_from(manager);
            }
        }
        for told in &entra.groups {
            let key = GroupKey(self.key());
            let group = self.groups.entry(told.id.clone()).or_insert_with(|| Group {
                key,
                name: String::new(),
                created: None,
                members: BTreeSet::new(),
            });
            if let Some(name) = &told.told.name {
                group.name.clone_from(name);
            }
            if let Some(created) = told.told.created.as_deref().and_then(|c| c.parse::<jiff::Timestamp>().ok()) {
                group.created = Some(created.as_nanosecond());
            }
            group.members.extend(told.members.iter().cloned());
        }
        if let Some(skus) = &entra.skus {
            self.skus = Some(skus.clone());
        }
        if let Some(assigned) = &entra.app_assigned {
            self.app_assigned = assigned.iter().cloned().collect();
        }
    }

    /// Whether a user is assigned to our application; nested members of an assigned group are not.
    pub(crate) fn assigned(&self, id: &SourceId) -> bool {
        let is_member = |group: &SourceId| self.groups.get(group).is_some_and(|g| g.members.contains(id));
        self.app_assigned.contains(id) || self.app_assigned.iter().any(is_member)
    }

    /// The user of this id; one the directory does not hold was never told of, and is missing to the next full read.
    pub(crate) fn user(&mut self, id: &SourceId) -> &mut User {
        let key = UserKey(self.key());
        self.users.entry(id.clone()).or_insert_with(|| User {
            key,
            attributes: Attributes::new(),
            manager: None,
            presence: Presence::Unseen,
            left: Some(Presence::Missing),
        })
    }

    /// A step's changes, in the order of ruling 9.
    pub(crate) fn change(&mut self, step: &EntraStep) {
        for (group, members) in &step.remove_members {
            if let Some(group) = self.groups.get_mut(group) {
                group.members.retain(|m| !members.contains(m));
            }
        }
        self.told(&step.told);
        for id in &step.delete {
            self.groups.remove(id);
            if let Some(user) = self.users.get_mut(id) {
                user.left = Some(Presence::Deleted);
            }
        }
        for id in &step.missing {
            if let Some(user) = self.users.get_mut(id) {
                user.left = Some(Presence::Missing);
            }
        }
    }

    /// Reads the source into the mirror. A tombstone is seen by every complete read (a full one asks for deleted items, ruling 79), an
    /// absence by full reads alone, and an incomplete one concludes nothing. Hands back who of `before` is merely absent.
    pub(crate) fn read(&mut self, run: RunKind, before: &BTreeSet<SourceId>) -> i64 {
        for user in self.users.values_mut() {
            match (user.left, run) {
                (Some(Presence::Deleted), RunKind::Full | RunKind::Delta) => user.presence = Presence::Deleted,
                (Some(left), RunKind::Full) if matches!(user.presence, Presence::Present | Presence::Unseen) => {
                    user.presence = left;
                }
                _ => {}
            }
        }
        let absent = |id: &&SourceId| self.users.get(*id).is_some_and(|u| u.presence == Presence::Missing);
        i64::try_from(before.iter().filter(absent).count()).unwrap_or(i64::MAX)
    }

    /// Who is in the directory, as the mirror has it.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&SourceId, &User)> {
        self.users.iter().filter(|(_, u)| u.presence == Presence::Present)
    }

    /// A user by key.
    pub(crate) fn by_key(&self, key: UserKey) -> Option<(&SourceId, &User)> {
        self.users.iter().find(|(_, u)| u.key == key)
    }

    /// The tenant's licences; none when no user tells any (ruling 106).
    pub(crate) fn licences(&self) -> Option<Vec<Sku>> {
        let told = self.users.values().any(|u| !u.attributes.get("assignedLicenses").is_null());
        told.then(|| self.skus.clone().unwrap_or_default())
    }
}
