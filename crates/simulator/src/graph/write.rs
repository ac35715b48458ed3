//! Changes made through Graph. They show in delta like everybody's.

use serde_json::{Map, Value};

use super::query::{Place, Select, Type, select};
use super::{Call, refused, values};
use crate::properties::{GroupProp, UserProp};
use crate::reply::{Fault, Reply};
use crate::tenant::{Life, Object};

impl Call<'_> {
    fn needs(&self, any: &[&str]) -> Result<(), Fault> {
        if any.iter().any(|p| self.has(p)) { Ok(()) } else { Err(Fault::denied()) }
    }

    fn may_write_users(&self) -> Result<(), Fault> {
        self.needs(&["User.ReadWrite.All", "Directory.ReadWrite.All"])
    }

    fn may_write_groups(&self) -> Result<(), Fault> {
        self.needs(&["Group.ReadWrite.All", "Directory.ReadWrite.All"])
    }

    /// The body of a user's writing, its values being such as users have.
    fn user_body(&self) -> Result<Map<String, Value>, Fault> {
        let body = self.body()?;
        values::check("User", &body, |name| self.tenant.user_prop(name).map(UserProp::name))?;
        Ok(body)
    }

    fn group_body(&self) -> Result<Map<String, Value>, Fault> {
        let body = self.body()?;
        values::check("Group", &body, |name| GroupProp::find(name).map(GroupProp::name))?;
        Ok(body)
    }

    fn whole(&self) -> Result<Select, Fault> {
        select(self.tenant, &self.query, Type::Any, Place::Object)
    }

    pub(super) fn create_user(&self) -> Result<Reply, Fault> {
        self.may_write_users()?;
        let body = self.user_body()?;
        let mut state = self.tenant.write();
        let user = self.tenant.create_user(&mut state, self.now, &body).map_err(refused)?;
        Ok(Reply::json(201, self.entity(&state, "users", Object::User(user), self.whole()?, false)))
    }

    pub(super) fn patch_user(&self, key: &str) -> Result<Reply, Fault> {
        self.may_write_users()?;
        let body = self.user_body()?;
        let mut state = self.tenant.write();
        let user = self.live_user(&state, key)?;
        self.tenant.patch_user(&mut state, self.now, user, &body).map_err(refused)?;
        Ok(Reply::nothing())
    }

    pub(super) fn delete_user(&self, key: &str) -> Result<Reply, Fault> {
        self.may_write_users()?;
        let mut state = self.tenant.write();
        let user = self.live_user(&state, key)?;
        self.tenant.delete(&mut state, self.now, Object::User(user)).map_err(refused)?;
        Ok(Reply::nothing())
    }

    pub(super) fn create_group(&self) -> Result<Reply, Fault> {
        self.may_write_groups()?;
        let body = self.group_body()?;
        let mut state = self.tenant.write();
        let group = self.tenant.create_group(&mut state, self.now, &body).map_err(refused)?;
        Ok(Reply::json(201, self.entity(&state, "groups", Object::Group(group), self.whole()?, false)))
    }

    pub(super) fn patch_group(&self, key: &str) -> Result<Reply, Fault> {
        self.may_write_groups()?;
        let body = self.group_body()?;
        let mut state = self.tenant.write();
        let group = self.live_group(&state, key)?;
        self.tenant.patch_group(&mut state, self.now, group, &body).map_err(refused)?;
        Ok(Reply::nothing())
    }

    pub(super) fn delete_group(&self, key: &str) -> Result<Reply, Fault> {
        self.may_write_groups()?;
        let mut state = self.tenant.write();
        let group = self.live_group(&state, key)?;
        self.tenant.delete(&mut state, self.now, Object::Group(group)).map_err(refused)?;
        Ok(Reply::nothing())
    }

    /// The object an `@odata.id` points to.
    fn referenced(&self, state: &crate::tenant::State) -> Result<Object, Fault> {
        let body = self.body()?;
        let url =
            body.get("@odata.id").and_then(Value::as_str).ok_or_else(|| Fault::bad_request("The request needs an @odata.id."))?;
        let id = url.rsplit('/').next().unwrap_or_default();
        crate::seed::parse_guid(id)
            .and_then(|id| self.tenant.object(state, id))
            .filter(|o| state.life(*o) == Life::Live)
            .ok_or_else(|| Fault::not_found(id))
    }

    pub(super) fn set_manager(&self, key: &str) -> Result<Reply, Fault> {
        self.may_write_users()?;
        let mut state = self.tenant.write();
        let user = self.live_user(&state, key)?;
        let manager = if self.ask.method == "DELETE" {
            self.tenant.manager(&state, user).ok_or_else(|| Fault::not_found("manager"))?;
            None
        } else {
            match self.referenced(&state)? {
                Object::User(m) => Some(m),
                Object::Group(_) => return Err(Fault::bad_request("A manager must be a user.")),
            }
        };
        self.tenant.set_manager(&mut state, self.now, user, manager);
        Ok(Reply::nothing())
    }

    fn may_change_members(&self, group: u32) -> Result<(), Fault> {
        self.needs(&["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"])?;
        if self.tenant.is_dynamic(group) {
            return Err(Fault::bad_request("Insufficient privileges: the members of a dynamic group are set by its rule."));
        }
        Ok(())
    }

    pub(super) fn add_member(&self, group: &str) -> Result<Reply, Fault> {
        let mut state = self.tenant.write();
        let group = self.live_group(&state, group)?;
        self.may_change_members(group)?;
        let member = self.referenced(&state)?;
        self.tenant.link(&mut state, self.now, group, member, true).map_err(refused)?;
        Ok(Reply::nothing())
    }

    pub(super) fn remove_member(&self, group: &str, member: &str) -> Result<Reply, Fault> {
        let mut state = self.tenant.write();
        let group = self.live_group(&state, group)?;
        self.may_change_members(group)?;
        let member = crate::seed::parse_guid(member)
            .and_then(|id| self.tenant.object(&state, id))
            .ok_or_else(|| Fault::not_found(member))?;
        self.tenant.link(&mut state, self.now, group, member, false).map_err(refused)?;
        Ok(Reply::nothing())
    }

    fn may_restore(&self) -> Result<(), Fault> {
        self.needs(&["User.DeleteRestore.All", "User.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"])
    }

    pub(super) fn restore(&self, key: &str) -> Result<Reply, Fault> {
        self.may_restore()?;
        let mut state = self.tenant.write();
        let object = self.deleted(&state, key)?;
        self.tenant.restore(&mut state, self.now, object).map_err(refused)?;
        Ok(Reply::json(200, self.entity(&state, "directoryObjects", object, self.whole()?, true)))
    }

    pub(super) fn purge(&self, key: &str) -> Result<Reply, Fault> {
        self.may_restore()?;
        let mut state = self.tenant.write();
        let object = self.deleted(&state, key)?;
        self.tenant.purge(&mut state, self.now, object).map_err(refused)?;
        Ok(Reply::nothing())
    }
}
