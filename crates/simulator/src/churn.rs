//! Seeded everyday life: people join, leave, marry, move.

use serde_json::{Map, Value, json};

use crate::people::names::{DEPARTMENTS, SCRIPTS};
use crate::seed::{Shuffle, hash};
use crate::tenant::{Life, Object, State, Tenant};

/// What a churn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Churned {
    /// New users.
    pub joined: u32,
    /// Soft-deleted users.
    pub left: u32,
    /// Users whose name, title or department changed.
    pub renamed: u32,
    /// Users who changed groups.
    pub moved: u32,
}

/// Changes so many percent of the tenant's generated users, each one once. The same seed and the same calls before give the same changes.
pub fn churn(tenant: &Tenant, state: &mut State, now: i64, percent: f64) -> Churned {
    let wanted = (f64::from(tenant.users) * percent.clamp(0.0, 100.0) / 100.0).ceil() as u32;
    state.churned += 1;
    let key = hash(tenant.key, 0x6368_7572 + state.churned);
    let order = Shuffle::new(u64::from(tenant.users), key);
    let mut done = Churned::default();
    for i in 0..wanted {
        let user = order.forward(u64::from(i)) as u32;
        let dice = hash(key, u64::from(i));
        if state.user_life(user) != Life::Live {
            if tenant.restore(state, now, Object::User(user)).is_ok() {
                done.joined += 1;
            }
            continue;
        }
        match dice % 100 {
            0..15 => done.left += u32::from(tenant.delete(state, now, Object::User(user)).is_ok()),
            15..30 => done.joined += u32::from(join(tenant, state, now, dice)),
            30..75 => done.renamed += u32::from(tenant.patch_user(state, now, user, &rename(dice)).is_ok()),
            _ => done.moved += u32::from(relocate(tenant, state, now, user, dice)),
        }
    }
    done
}

fn rename(dice: u64) -> Map<String, Value> {
    let script = &SCRIPTS[(dice >> 8) as usize % SCRIPTS.len()];
    let (department, titles) = DEPARTMENTS[(dice >> 16) as usize % DEPARTMENTS.len()];
    let change = match (dice >> 40) % 4 {
        0 => json!({"surname": script.family[(dice >> 24) as usize % script.family.len()].0}),
        1 => json!({"officeLocation": null}),
        2 => json!({"mobilePhone": format!("+44 7700 900{:03}", (dice >> 24) % 1000)}),
        _ => json!({"jobTitle": titles[(dice >> 24) as usize % titles.len()], "department": department}),
    };
    change.as_object().cloned().unwrap_or_default()
}

fn join(tenant: &Tenant, state: &mut State, now: i64, dice: u64) -> bool {
    let script = &SCRIPTS[(dice >> 8) as usize % SCRIPTS.len()];
    let given = script.given[(dice >> 16) as usize % script.given.len()];
    let family = script.family[(dice >> 24) as usize % script.family.len()];
    let address = format!("{}.{}.n{}@{}", given.1, family.1, state.created_users + 1, tenant.domain);
    let name = if script.family_first { format!("{} {}", family.0, given.0) } else { format!("{} {}", given.0, family.0) };
    let person = json!({"displayName": name, "givenName": given.0, "surname": family.0, "userPrincipalName": address, "mail": address, "accountEnabled": true, "jobTitle": "New starter",
        "proxyAddresses": [format!("SMTP:{address}")]});
    let Ok(user) = tenant.create_user(state, now, person.as_object().unwrap_or(&Map::new())) else { return false };
    // Newcomers start where most people are, and in one group of their own.
    for group in [0, 1] {
        if group < tenant.groups {
            let _ = tenant.link(state, now, group, Object::User(user), true);
        }
    }
    true
}

fn relocate(tenant: &Tenant, state: &mut State, now: i64, user: u32, dice: u64) -> bool {
    if tenant.groups == 0 {
        return false;
    }
    let object = Object::User(user);
    let groups = tenant.groups_of(state, object);
    if let Some(old) = groups.get((dice >> 16) as usize % groups.len().max(1)) {
        let _ = tenant.link(state, now, *old, object, false);
    }
    let start = (dice >> 24) as u32 % tenant.groups;
    let free = (0..tenant.groups)
        .map(|i| (start + i) % tenant.groups)
        .find(|g| !groups.contains(g) && state.group_life(*g) == Life::Live && !tenant.is_dynamic(*g));
    free.is_some_and(|g| tenant.link(state, now, g, object, true).is_ok())
}
