//! Single objects, and what the tenant itself says about itself.

use serde_json::{Value, json};

use super::Call;
use super::query::{Place, Select, Type, expand, select};
use crate::directory::Unset;
use crate::people::companies::{SITES, SKUS};
use crate::properties::UserProp;
use crate::reply::{Fault, Reply};
use crate::seed::{Kind, guid, object_id};
use crate::tenant::{Life, Object, State, Tenant};

/// Most members that `$expand` brings along; there is no link to the others (contract section b).
const MOST_EXPANDED: u32 = 20;

/// Appends a whole object, with its type where the collection is mixed.
pub fn put_object(tenant: &Tenant, state: &State, out: &mut Vec<u8>, object: Object, select: Select, typed: bool, unset: Unset) {
    out.push(b'{');
    match object {
        Object::User(u) => {
            if typed {
                out.extend_from_slice(b"\"@odata.type\":\"#microsoft.graph.user\",");
            }
            tenant.put_user(state, out, u, select.user, unset);
        }
        Object::Group(g) => {
            if typed {
                out.extend_from_slice(b"\"@odata.type\":\"#microsoft.graph.group\",");
            }
            tenant.put_group(state, out, g, select.group, unset);
        }
    }
    out.push(b'}');
}

impl Call<'_> {
    /// One object with the context of its collection, `typed` where the answer's type is directoryObject.
    pub(super) fn entity(&self, state: &State, context: &str, object: Object, select: Select, typed: bool) -> Vec<u8> {
        let mut out = self.context(context, true);
        let start = out.len();
        put_object(self.tenant, state, &mut out, object, select, typed, Unset::Null);
        if let Some(brace) = out.get_mut(start) {
            *brace = b',';
        }
        out
    }

    pub(super) fn read_user(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select", "$expand"])?;
        let state = self.tenant.read();
        let wanted = self.readable(select(self.tenant, &self.query, Type::User, Place::Object)?)?;
        self.check_sign_in_activity(wanted.user & if wanted.explicit { u128::MAX } else { 0 })?;
        if wanted.explicit && wanted.user & UserProp::SignInActivity.bit() != 0 && crate::seed::parse_guid(key).is_none() {
            return Err(Fault::bad_request("Get By Key only supports UserId and the key has to be a valid Guid."));
        }
        let expanded = self.expanded(Type::User)?;
        let user = self.live_user(&state, key)?;
        let mut body = self.entity(&state, "users", Object::User(user), wanted, false);
        self.put_expanded(&state, &mut body, Object::User(user), expanded);
        Ok(Reply::json(200, body))
    }

    /// What is wanted of a manager or of members that come along.
    pub(super) fn expanded(&self, kind: Type) -> Result<Option<Select>, Fault> {
        let expanded = expand(self.tenant, &self.query, kind)?;
        if expanded.is_some() && kind == Type::User && self.only_basics() {
            return Err(Fault::denied());
        }
        self.check_sign_in_activity(expanded.filter(|e| e.explicit).map_or(0, |e| e.user))?;
        Ok(expanded)
    }

    /// Appends a user's manager or a group's first members to the object that has just been written.
    pub(super) fn put_expanded(&self, state: &State, out: &mut Vec<u8>, object: Object, expanded: Option<Select>) {
        let Some(select) = expanded else { return };
        let brace = out.pop();
        match object {
            Object::User(u) => {
                if let Some(m) = self.tenant.manager(state, u) {
                    out.extend_from_slice(b",\"manager\":");
                    put_object(self.tenant, state, out, Object::User(m), select, true, Unset::Null);
                }
            }
            Object::Group(g) => {
                out.extend_from_slice(b",\"members\":[");
                let mut shown = 0;
                self.tenant.members_from(state, g, 0, |m, _| {
                    if shown > 0 {
                        out.push(b',');
                    }
                    put_object(self.tenant, state, out, m, select, true, Unset::Null);
                    shown += 1;
                    shown < MOST_EXPANDED
                });
                out.push(b']');
            }
        }
        out.extend(brace);
    }

    pub(super) fn read_group(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select", "$expand"])?;
        let state = self.tenant.read();
        let wanted = select(self.tenant, &self.query, Type::Group, Place::Object)?;
        let expanded = self.expanded(Type::Group)?;
        let group = self.live_group(&state, key)?;
        let mut body = self.entity(&state, "groups", Object::Group(group), wanted, false);
        self.put_expanded(&state, &mut body, Object::Group(group), expanded);
        Ok(Reply::json(200, body))
    }

    pub(super) fn read_manager(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select"])?;
        let state = self.tenant.read();
        let user = self.live_user(&state, key)?;
        let wanted = select(self.tenant, &self.query, Type::User, Place::Object)?;
        let manager = self.tenant.manager(&state, user).ok_or_else(|| Fault::not_found("manager"))?;
        Ok(Reply::json(200, self.entity(&state, "directoryObjects", Object::User(manager), wanted, true)))
    }

    /// The soft-deleted object of an id.
    pub(super) fn deleted(&self, state: &State, key: &str) -> Result<Object, Fault> {
        crate::seed::parse_guid(key)
            .and_then(|id| self.tenant.object(state, id))
            .filter(|o| matches!(state.life(*o), Life::SoftDeleted(_)))
            .ok_or_else(|| Fault::not_found(key))
    }

    pub(super) fn read_deleted(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select"])?;
        let state = self.tenant.read();
        let object = self.deleted(&state, key)?;
        let wanted = select(self.tenant, &self.query, Type::Any, Place::Object)?;
        Ok(Reply::json(200, self.entity(&state, "directoryObjects", object, wanted, true)))
    }

    pub(super) fn license_details(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select"])?;
        let state = self.tenant.read();
        let user = self.live_user(&state, key)?;
        let licenses = self.tenant.value(&state, Object::User(user), "assignedLicenses");
        let details = licenses.as_array().into_iter().flatten().filter_map(|l| SKUS.iter().position(|s| l["skuId"] == s.id));
        let value: Vec<Value> = details
            .map(|s| json!({"id": guid(object_id(self.tenant.key ^ u64::from(user), Kind::Other, s as u32)), "skuId": SKUS[s].id, "skuPartNumber": SKUS[s].part, "servicePlans": plans(s)}))
            .collect();
        self.values(&format!("users('{}')/licenseDetails", guid(self.tenant.id_of(Object::User(user)))), value)
    }

    pub(super) fn skus(&self, id: Option<&str>) -> Result<Reply, Fault> {
        self.query.only(&["$select"])?;
        let tenant = self.tenant;
        let value = [tenant.main_sku, 3, 4].into_iter().map(|s| {
            // About 92 % of the accounts are employees with a licence, four fifths of them of the main product.
            let used = match s {
                4 => 0,
                3 => u64::from(tenant.users) * 16 / 100,
                _ => u64::from(tenant.users) * 64 / 100,
            };
            json!({
                "id": format!("{}_{}", guid(tenant.id), SKUS[s].id), "accountId": guid(tenant.id), "accountName": tenant.display_name, "skuId": SKUS[s].id, "skuPartNumber": SKUS[s].part,
                "capabilityStatus": "Enabled", "appliesTo": "User", "consumedUnits": used, "prepaidUnits": {"enabled": used + 10, "suspended": 0, "warning": 0, "lockedOut": 0},
                "servicePlans": plans(s), "subscriptionIds": [guid(object_id(tenant.key, Kind::Other, 100 + s as u32))],
            })
        });
        match id {
            None => self.values("subscribedSkus", value.collect()),
            Some(id) => {
                let found = value.into_iter().find(|s| s["id"].as_str().is_some_and(|i| i.eq_ignore_ascii_case(id)));
                self.one("subscribedSkus", found.ok_or_else(|| Fault::not_found(id))?)
            }
        }
    }

    pub(super) fn organization(&self, id: Option<&str>) -> Result<Reply, Fault> {
        self.query.only(&["$select"])?;
        let t = self.tenant;
        let site = &SITES[t.first_site];
        let mut plans: Vec<Value> = SKUS[t.main_sku].plans.iter().map(|(id, name)| json!({"assignedDateTime": "2019-04-01T09:00:00Z", "capabilityStatus": "Enabled", "service": name, "servicePlanId": id})).collect();
        plans.truncate(3);
        let full = json!({
            "id": guid(t.id), "deletedDateTime": null, "displayName": t.display_name, "tenantType": "AAD", "createdDateTime": "2015-03-02T10:11:12Z", "countryLetterCode": site.iso,
            "country": site.country, "city": site.city, "state": site.state, "street": site.street, "postalCode": site.postal, "preferredLanguage": "en", "businessPhones": [format!("{}00", site.phone)],
            "onPremisesSyncEnabled": if t.synced { json!(true) } else { Value::Null }, "assignedPlans": plans, "provisionedPlans": [], "marketingNotificationEmails": [],
            "technicalNotificationMails": [format!("it@{}", t.domain)], "securityComplianceNotificationMails": [], "securityComplianceNotificationPhones": [], "defaultUsageLocation": site.iso,
            "verifiedDomains": [
                {"name": t.domain, "isDefault": true, "isInitial": false, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"},
                {"name": t.initial_domain, "isDefault": false, "isInitial": true, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"}],
        });
        match id {
            None => self.values("organization", vec![full]),
            Some(id) if crate::seed::parse_guid(id) == Some(t.id) => self.one("organization", full),
            Some(id) => Err(Fault::not_found(id)),
        }
    }

    /// Who is assigned to the application: the portal's users as a group, and the head of the company.
    pub(super) fn app_roles(&self, key: &str) -> Result<Reply, Fault> {
        self.query.only(&["$select", "$top", "$skiptoken", "$filter", "$count"])?;
        let t = self.tenant;
        let principal = object_id(t.key, Kind::ServicePrincipal, 0);
        let named = match key.strip_prefix("appId=") {
            Some(app) => crate::seed::parse_guid(app) == Some(t.client_id),
            None => crate::seed::parse_guid(key) == Some(principal),
        };
        if !named {
            return Err(Fault::not_found(key));
        }
        if self.query.get("$filter").is_some() || self.query.get("$skiptoken").is_some() {
            return Err(Fault::unsupported("Unsupported Query."));
        }
        let state = t.read();
        let assigned = [(Object::User(0), "User"), (Object::Group(1), "Group")];
        let there = |o: &Object| match o {
            Object::User(u) => *u < t.users && state.user_life(*u) == Life::Live,
            Object::Group(g) => *g < t.groups && state.group_life(*g) == Life::Live,
        };
        let value = assigned.iter().filter(|(o, _)| there(o)).enumerate().map(|(i, (o, kind))| {
            json!({"id": format!("sim{}assignment{i}", t.index), "deletedDateTime": null, "appRoleId": "00000000-0000-0000-0000-000000000000", "createdDateTime": "2024-01-15T08:30:00Z",
                "principalDisplayName": t.value(&state, *o, "displayName"), "principalId": guid(t.id_of(*o)), "principalType": kind,
                "resourceDisplayName": "Rollcall", "resourceId": guid(principal)})
        });
        self.values("appRoleAssignments", value.collect())
    }

    /// A small collection of JSON values, narrowed by `$select`.
    fn values(&self, context: &str, mut value: Vec<Value>) -> Result<Reply, Fault> {
        for one in &mut value {
            self.narrow(one)?;
        }
        Ok(Reply::value(
            200,
            &json!({"@odata.context": format!("{}/v1.0/$metadata#{context}", self.sim.origin()), "value": value}),
        ))
    }

    /// One of a small collection, narrowed by `$select`.
    fn one(&self, context: &str, value: Value) -> Result<Reply, Fault> {
        let mut value = value;
        self.narrow(&mut value)?;
        let mut out = self.context(context, true);
        let start = out.len();
        out.extend_from_slice(value.to_string().as_bytes());
        if let Some(brace) = out.get_mut(start) {
            *brace = b',';
        }
        Ok(Reply::json(200, out))
    }

    fn narrow(&self, value: &mut Value) -> Result<(), Fault> {
        let (Some(select), Value::Object(map)) = (self.query.get("$select"), value) else { return Ok(()) };
        let names: Vec<&str> = select.split(',').map(str::trim).collect();
        if let Some(unknown) = names.iter().find(|n| !map.keys().any(|k| k.eq_ignore_ascii_case(n))) {
            return Err(Fault::new(
                400,
                "BadRequest",
                format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{}'.",
                    unknown.replace('"', "'")
                ),
            ));
        }
        map.retain(|k, _| k == "id" || names.iter().any(|n| n.eq_ignore_ascii_case(k)));
        Ok(())
    }
}

fn plans(sku: usize) -> Vec<Value> {
    SKUS[sku].plans.iter().map(|(id, name)| json!({"servicePlanId": id, "servicePlanName": name, "provisioningStatus": "Success", "appliesTo": "User"})).collect()
}
