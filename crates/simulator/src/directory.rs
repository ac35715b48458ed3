//! Reading and changing a tenant's objects: what both Graph and the control API stand on.

use serde_json::{Map, Value};

use crate::people::groups::{Form, children, form, parents, write as write_group_value};
use crate::people::person::{Person, candidates, manager_of};
use crate::properties::{GroupProp, UserProp};
use crate::seed::put_guid;
use crate::tenant::{Change, Changed, EVERYTHING, Life, Object, State, Tenant};

/// What an unset property looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// `null`, as in reads of an object or list.
    Null,
    /// Left out, as in delta.
    Absent,
}

/// Thirty days, after which a soft-deleted object is gone for good.
const KEPT_MS: i64 = 30 * 86_400_000;

/// Names this tenant in a write that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No such object, or not in the needed state of life.
    NotFound(String),
    /// The value cannot be taken.
    Invalid(String),
    /// It is so already, or taken.
    Conflict(String),
}

impl Tenant {
    /// Appends the fields of a user, without the braces around them: `id` and every property of `mask`.
    pub fn put_user(&self, state: &State, out: &mut Vec<u8>, user: u32, mask: u128, unset: Unset) {
        out.extend_from_slice(b"\"id\":\"");
        put_guid(out, self.id_of(Object::User(user)));
        out.push(b'"');
        let changed = if state.users.is_empty() { None } else { state.users.get(&user) };
        let person = (user < self.users).then(|| Person::new(self, user));
        let mut rest = mask & !(UserProp::Id.bit() | UserProp::Manager.bit());
        while rest != 0 {
            let at = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let Some(prop) = UserProp::ALL.get(at).copied() else { break };
            let before = out.len();
            out.push(b',');
            if prop == UserProp::BadgeNumber {
                out.push(b'"');
                out.extend_from_slice(self.badge_number.as_bytes());
                out.extend_from_slice(b"\":");
            } else {
                out.extend_from_slice(prop.key().as_bytes());
            }
            let known = match changed.and_then(|c| c.values.get(&prop)) {
                Some(value) => put_value(out, value),
                None => person.as_ref().is_some_and(|p| p.write(out, prop)),
            };
            finish(out, before, known, prop.is_array(), unset);
        }
    }

    /// Appends the fields of a group, without the braces around them.
    pub fn put_group(&self, state: &State, out: &mut Vec<u8>, group: u32, mask: u128, unset: Unset) {
        out.extend_from_slice(b"\"id\":\"");
        put_guid(out, self.id_of(Object::Group(group)));
        out.push(b'"');
        let changed = state.group_changes.get(&group);
        for prop in GroupProp::ALL
            .iter()
            .copied()
            .skip(1)
            .filter(|p| p.bit() & mask != 0 && !matches!(p, GroupProp::Members | GroupProp::Owners))
        {
            let before = out.len();
            out.push(b',');
            out.extend_from_slice(prop.key().as_bytes());
            let known = match changed.and_then(|c| c.values.get(&prop)) {
                Some(value) => put_value(out, value),
                None => group < self.groups && write_group_value(self, out, group, prop),
            };
            finish(out, before, known, prop.is_array(), unset);
        }
    }

    /// A property's value as JSON; `Null` when unset.
    #[must_use]
    pub fn value(&self, state: &State, object: Object, name: &str) -> Value {
        let mut out = vec![b'{'];
        match object {
            Object::User(u) => {
                let Some(prop) = self.user_prop(name) else { return Value::Null };
                self.put_user(state, &mut out, u, prop.bit(), Unset::Null);
            }
            Object::Group(g) => {
                let Some(prop) = GroupProp::find(name) else { return Value::Null };
                self.put_group(state, &mut out, g, prop.bit(), Unset::Null);
            }
        }
        out.push(b'}');
        let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(&out) else { return Value::Null };
        map.into_iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map_or(Value::Null, |(_, v)| v)
    }

    /// The user property of this name; the tenant's own extension included.
    #[must_use]
    pub fn user_prop(&self, name: &str) -> Option<UserProp> {
        if name.eq_ignore_ascii_case(&self.badge_number) {
            Some(UserProp::BadgeNumber)
        } else {
            UserProp::find(name).filter(|p| *p != UserProp::BadgeNumber)
        }
    }

    /// The user of an id or user principal name, alive or soft-deleted.
    #[must_use]
    pub fn find_user(&self, state: &State, key: &str) -> Option<u32> {
        if let Some(id) = crate::seed::parse_guid(key) {
            return match self.object(state, id)? {
                Object::User(u) => Some(u),
                Object::Group(_) => None,
            };
        }
        let wanted = key.to_lowercase();
        if let Some(u) = state.names.get(&wanted) {
            return Some(*u);
        }
        candidates(self, &wanted)
            .into_iter()
            .filter(|u| !state.users.get(u).is_some_and(|c| c.values.contains_key(&UserProp::UserPrincipalName)))
            .find(|u| {
                let name = self.value(state, Object::User(*u), "userPrincipalName");
                name.as_str().is_some_and(|n| n.to_lowercase() == wanted)
            })
    }

    /// The manager of a user, if alive.
    #[must_use]
    pub fn manager(&self, state: &State, user: u32) -> Option<u32> {
        let generated = if user < self.users { manager_of(user) } else { None };
        state.users.get(&user).and_then(|c| c.manager).unwrap_or(generated).filter(|m| state.user_life(*m) == Life::Live)
    }

    /// Whether the object is now a direct member of the group, both being alive.
    #[must_use]
    pub fn is_member(&self, state: &State, group: u32, object: Object) -> bool {
        state.life(object) == Life::Live && state.group_life(group) == Life::Live && self.is_linked(state, group, object)
    }

    fn is_linked(&self, state: &State, group: u32, object: Object) -> bool {
        match state.members.get(&group).and_then(|m| m.get(&object)) {
            Some(linked) => *linked,
            None => match object {
                Object::User(u) => {
                    let mut found = false;
                    self.memberships.groups_of(u, |g| found |= g == group);
                    found
                }
                Object::Group(g) => group < self.groups && children(self.groups, group).contains(&g),
            },
        }
    }

    /// Direct members from a cursor on; the callback gets each with the cursor of the next one and says whether to go on. Members are the
    /// generated groups and users in it, then those added since: a cursor stays good while others change the group.
    pub fn members_from(&self, state: &State, group: u32, cursor: u64, mut each: impl FnMut(Object, u64) -> bool) {
        if state.group_life(group) != Life::Live {
            return;
        }
        let changes = state.members.get(&group);
        let shown = |o: Object| state.life(o) == Life::Live && !changes.is_some_and(|c| c.contains_key(&o));
        let inside = if group < self.groups { children(self.groups, group) } else { vec![] };
        let (nested, places) = (inside.len() as u64, self.memberships.places(group));
        for at in cursor..nested + places {
            let object = if at < nested {
                Some(Object::Group(inside[at as usize]))
            } else {
                self.memberships.member_at(group, at - nested).map(Object::User)
            };
            if let Some(o) = object.filter(|o| shown(*o))
                && !each(o, at + 1)
            {
                return;
            }
        }
        for (object, linked) in changes.into_iter().flatten() {
            let at = nested + places + added_place(*object);
            if at >= cursor && *linked && state.life(*object) == Life::Live && !each(*object, at + 1) {
                return;
            }
        }
    }

    /// Groups the object is directly in.
    #[must_use]
    pub fn groups_of(&self, state: &State, object: Object) -> Vec<u32> {
        let mut groups = vec![];
        match object {
            Object::User(u) => self.memberships.groups_of(u, |g| groups.push(g)),
            Object::Group(g) if g < self.groups => groups = parents(self.groups, g),
            Object::Group(_) => {}
        }
        if let Some(changes) = state.member_of.get(&object) {
            groups.retain(|g| !changes.contains_key(g));
            groups.extend(changes.iter().filter(|(_, linked)| **linked).map(|(g, _)| *g));
        }
        groups.retain(|g| state.group_life(*g) == Life::Live);
        groups.sort_unstable();
        groups
    }

    /// Sets properties of a user. Unknown names are refused; `null` clears.
    ///
    /// # Errors
    /// [`Refused`] when a name is unknown, a value has the wrong type, or the sign-in name is taken.
    pub fn patch_user(&self, state: &mut State, now: i64, user: u32, patch: &Map<String, Value>) -> Result<(), Refused> {
        let mut mask = 0;
        let mut values = vec![];
        for (name, value) in
            patch.iter().filter(|(n, _)| !n.starts_with('@') && n.as_str() != "passwordProfile" && n.as_str() != "manager")
        {
            let prop = self
                .user_prop(name)
                .filter(|p| !matches!(p, UserProp::Id | UserProp::Manager))
                .ok_or_else(|| Refused::Invalid(format!("Invalid property '{name}'.")))?;
            if value.is_array() != prop.is_array()
                || (prop == UserProp::AccountEnabled && !value.is_boolean() && !value.is_null())
                || (prop == UserProp::DisplayName && !value.is_string())
            {
                return Err(Refused::Invalid(format!("Invalid value specified for property '{name}' of resource 'User'.")));
            }
            mask |= prop.bit();
            values.push((prop, value.clone()));
        }
        let old = self.value(state, Object::User(user), "userPrincipalName").as_str().map(str::to_lowercase);
        if let Some(new) =
            values.iter().find(|(p, _)| *p == UserProp::UserPrincipalName).and_then(|(_, v)| v.as_str()).map(str::to_lowercase)
            && old.as_ref() != Some(&new)
        {
            if self.find_user(state, &new).is_some_and(|u| u != user && state.user_life(u) == Life::Live) {
                return Err(Refused::Conflict(
                    "Another object with the same value for property userPrincipalName already exists.".to_owned(),
                ));
            }
            if let Some(old) = old {
                state.names.remove(&old);
            }
            state.names.insert(new, user);
        }
        if mask != 0 {
            state.users.entry(user).or_default().values.extend(values);
            state.log.push((now, Change::User(user, mask)));
        }
        Ok(())
    }

    /// Makes a user; answers its index.
    ///
    /// # Errors
    /// As [`Self::patch_user`], and when `userPrincipalName` or `displayName` is missing.
    pub fn create_user(&self, state: &mut State, now: i64, properties: &Map<String, Value>) -> Result<u32, Refused> {
        for needed in ["userPrincipalName", "displayName"] {
            if !properties.get(needed).is_some_and(Value::is_string) {
                return Err(Refused::Invalid(format!("A value is required for property '{needed}' of resource 'User'.")));
            }
        }
        let user = self.users + state.created_users;
        let mut values = Changed::default();
        values.values.insert(UserProp::CreatedDateTime, Value::String(crate::clock::iso(now / 1000)));
        values.values.insert(UserProp::AccountEnabled, Value::Bool(true));
        values.values.insert(UserProp::UserType, Value::String("Member".to_owned()));
        state.users.insert(user, values);
        state.created_users += 1;
        let before = state.log.len();
        let result = self.patch_user(state, now, user, properties);
        state.log.truncate(before);
        match result {
            Ok(()) => {
                state.log.push((now, Change::User(user, EVERYTHING)));
                Ok(user)
            }
            Err(why) => {
                state.users.remove(&user);
                state.created_users -= 1;
                Err(why)
            }
        }
    }

    /// Sets or removes a user's manager.
    pub fn set_manager(&self, state: &mut State, now: i64, user: u32, manager: Option<u32>) {
        let previous = self.manager(state, user);
        let changed = state.users.entry(user).or_default();
        changed.manager = Some(manager);
        changed.previous_manager = previous;
        state.log.push((now, Change::User(user, UserProp::Manager.bit())));
    }

    /// Soft-deletes; a security or distribution group is gone at once.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it is not alive.
    pub fn delete(&self, state: &mut State, now: i64, object: Object) -> Result<(), Refused> {
        if state.life(object) != Life::Live {
            return Err(self.not_found(object));
        }
        self.log_links(state, now, object);
        let deleted = Value::String(crate::clock::iso(now / 1000));
        match object {
            Object::User(u) => {
                let changed = state.users.entry(u).or_default();
                changed.life = Life::SoftDeleted(now);
                changed.values.insert(UserProp::DeletedDateTime, deleted);
                state.log.push((now, Change::User(u, EVERYTHING)));
            }
            Object::Group(g) => {
                let restorable =
                    self.value(state, object, "groupTypes").as_array().is_some_and(|t| t.iter().any(|t| t == "Unified"));
                let changed = state.group_changes.entry(g).or_default();
                changed.life = if restorable { Life::SoftDeleted(now) } else { Life::Purged };
                changed.values.insert(GroupProp::DeletedDateTime, deleted);
                state.log.push((now, Change::Group(g, EVERYTHING)));
            }
        }
        Ok(())
    }

    /// Brings a soft-deleted object back, with its memberships.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it is not soft-deleted, [`Refused::Conflict`] when somebody else has the sign-in name by now.
    pub fn restore(&self, state: &mut State, now: i64, object: Object) -> Result<(), Refused> {
        if !matches!(state.life(object), Life::SoftDeleted(_)) {
            return Err(self.not_found(object));
        }
        match object {
            Object::User(u) => {
                if let Some(name) = self.value(state, object, "userPrincipalName").as_str().map(str::to_lowercase) {
                    if self.find_user(state, &name).is_some_and(|other| other != u && state.user_life(other) == Life::Live) {
                        return Err(Refused::Conflict(
                            "Another object with the same value for property userPrincipalName already exists.".to_owned(),
                        ));
                    }
                    // Somebody deleted since may have had it in between.
                    state.names.insert(name, u);
                }
                let changed = state.users.entry(u).or_default();
                changed.life = Life::Live;
                changed.values.remove(&UserProp::DeletedDateTime);
                state.log.push((now, Change::User(u, EVERYTHING)));
            }
            Object::Group(g) => {
                let changed = state.group_changes.entry(g).or_default();
                changed.life = Life::Live;
                changed.values.remove(&GroupProp::DeletedDateTime);
                state.log.push((now, Change::Group(g, EVERYTHING)));
                let mut members = vec![];
                self.members_from(state, g, 0, |m, _| {
                    members.push(m);
                    true
                });
                state.log.extend(members.into_iter().map(|m| (now, Change::Member(g, m))));
            }
        }
        self.log_links(state, now, object);
        Ok(())
    }

    /// Removes a soft-deleted object for good.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it is not soft-deleted.
    pub fn purge(&self, state: &mut State, now: i64, object: Object) -> Result<(), Refused> {
        if !matches!(state.life(object), Life::SoftDeleted(_)) {
            return Err(self.not_found(object));
        }
        match object {
            Object::User(u) => {
                state.users.entry(u).or_default().life = Life::Purged;
                state.log.push((now, Change::User(u, EVERYTHING)));
            }
            Object::Group(g) => {
                state.group_changes.entry(g).or_default().life = Life::Purged;
                state.log.push((now, Change::Group(g, EVERYTHING)));
            }
        }
        Ok(())
    }

    /// Purges what was soft-deleted more than 30 days ago.
    pub fn purge_old(&self, state: &mut State, now: i64) {
        let old = |life: Life| matches!(life, Life::SoftDeleted(at) if at + KEPT_MS <= now);
        let mut due: Vec<Object> = state.users.iter().filter(|(_, c)| old(c.life)).map(|(u, _)| Object::User(*u)).collect();
        due.extend(state.group_changes.iter().filter(|(_, c)| old(c.life)).map(|(g, _)| Object::Group(*g)));
        due.sort_unstable();
        for object in due {
            let _ = self.purge(state, now, object);
        }
    }

    /// Makes a group; answers its index.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when `displayName` is missing or a name is unknown.
    pub fn create_group(&self, state: &mut State, now: i64, properties: &Map<String, Value>) -> Result<u32, Refused> {
        if !properties.get("displayName").is_some_and(Value::is_string) {
            return Err(Refused::Invalid("A value is required for property 'displayName' of resource 'Group'.".to_owned()));
        }
        let group = self.groups + state.created_groups;
        let mut changed = Changed::default();
        changed.values.insert(GroupProp::CreatedDateTime, Value::String(crate::clock::iso(now / 1000)));
        changed.values.insert(GroupProp::SecurityEnabled, Value::Bool(true));
        changed.values.insert(GroupProp::MailEnabled, Value::Bool(false));
        for (name, value) in properties.iter().filter(|(n, _)| !n.contains('@')) {
            let prop = group_prop(name, value)?;
            changed.values.insert(prop, value.clone());
        }
        state.created_groups += 1;
        state.group_changes.insert(group, changed);
        state.log.push((now, Change::Group(group, EVERYTHING)));
        Ok(group)
    }

    /// Sets properties of a group.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when a name is unknown or a value has the wrong type.
    pub fn patch_group(&self, state: &mut State, now: i64, group: u32, patch: &Map<String, Value>) -> Result<(), Refused> {
        let mut values = vec![];
        for (name, value) in patch.iter().filter(|(n, _)| !n.contains('@')) {
            values.push((group_prop(name, value)?, value.clone()));
        }
        let mask = values.iter().fold(0, |m, (p, _)| m | p.bit());
        if mask != 0 {
            state.group_changes.entry(group).or_default().values.extend(values);
            state.log.push((now, Change::Group(group, mask)));
        }
        Ok(())
    }

    /// Adds or removes a direct member.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when it is a member already (or is not one), or the members come from a rule.
    pub fn link(&self, state: &mut State, now: i64, group: u32, object: Object, linked: bool) -> Result<(), Refused> {
        if self.is_member(state, group, object) == linked {
            return Err(if linked {
                Refused::Invalid(
                    "One or more added object references already exist for the following modified properties: 'members'."
                        .to_owned(),
                )
            } else {
                self.not_found(object)
            });
        }
        state.members.entry(group).or_default().insert(object, linked);
        state.member_of.entry(object).or_default().insert(group, linked);
        state.log.push((now, Change::Member(group, object)));
        Ok(())
    }

    /// Whether Graph would refuse to change the members by hand.
    #[must_use]
    pub fn is_dynamic(&self, group: u32) -> bool {
        group < self.groups && form(group) == Form::Dynamic
    }

    /// A deleted or restored member leaves or joins its groups as delta shows it.
    fn log_links(&self, state: &mut State, now: i64, object: Object) {
        let groups = self.groups_of(state, object);
        state.log.extend(groups.into_iter().map(|g| (now, Change::Member(g, object))));
    }

    fn not_found(&self, object: Object) -> Refused {
        Refused::NotFound(crate::seed::guid(self.id_of(object)))
    }
}

fn group_prop(name: &str, value: &Value) -> Result<GroupProp, Refused> {
    let prop = GroupProp::find(name)
        .filter(|p| !matches!(p, GroupProp::Id | GroupProp::Members | GroupProp::Owners))
        .ok_or_else(|| Refused::Invalid(format!("Invalid property '{name}'.")))?;
    if value.is_array() != prop.is_array() {
        return Err(Refused::Invalid(format!("Invalid value specified for property '{name}' of resource 'Group'.")));
    }
    Ok(prop)
}

/// Place of an added member after the generated ones: users before groups, by index, as the map orders them.
fn added_place(object: Object) -> u64 {
    match object {
        Object::User(u) => u64::from(u),
        Object::Group(g) => (1 << 32) + u64::from(g),
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) -> bool {
    serde_json::to_writer(out, value).is_ok()
}

fn finish(out: &mut Vec<u8>, before: usize, known: bool, array: bool, unset: Unset) {
    if known {
        return;
    }
    match unset {
        Unset::Absent => out.truncate(before),
        Unset::Null => out.extend_from_slice(if array { b"[]".as_slice() } else { b"null" }),
    }
}
