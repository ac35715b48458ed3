//! The control API under `/_sim`: changes people, injects faults, moves time, tells the truth. See `docs/simulator.md`.

use serde_json::{Map, Value, json};

use crate::directory::{Refused, Unset};
use crate::faults::Fault;
use crate::graph::percent_decode;
use crate::properties::{GroupProp, USER_DEFAULT, UserProp};
use crate::reply::Reply;
use crate::seed::{guid, parse_guid};
use crate::sim::Sim;
use crate::tenant::{Life, Object, State, Tenant};

/// Why a control request was refused: status and sentence.
type Refusal = (u16, String);

/// Answers a control request. `/_sim/tenants/{id}/state` is streamed elsewhere.
#[must_use]
pub fn answer(sim: &Sim, method: &str, path: &str, body: &[u8]) -> Reply {
    match route(sim, method, path, body) {
        Ok(Value::Null) => Reply::nothing(),
        Ok(value) => Reply::plain(200, &value),
        Err((status, why)) => Reply::plain(status, &json!({"error": why})),
    }
}

fn route(sim: &Sim, method: &str, path: &str, body: &[u8]) -> Result<Value, Refusal> {
    let parts: Vec<String> = path.trim_start_matches("/_sim").split('/').filter(|p| !p.is_empty()).map(percent_decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method, parts.as_slice()) {
        ("GET", ["health"]) => Ok(json!({"ok": true})),
        ("GET", ["tenants"]) => Ok(json!({"tenants": sim.tenants().iter().map(|t| sim.describe(t)).collect::<Vec<_>>()})),
        ("GET", ["clock"]) => Ok(now(sim)),
        ("POST", ["clock"]) => {
            let seconds = object(body)?
                .get("advance_seconds")
                .and_then(Value::as_u64)
                .ok_or_else(|| bad("give advance_seconds, a whole number"))?;
            sim.clock.advance_ms(i64::try_from(seconds.min(1 << 40)).unwrap_or_default() * 1000);
            for tenant in sim.tenants() {
                tenant.purge_old(&mut tenant.write(), sim.clock.now_ms());
            }
            Ok(now(sim))
        }
        ("GET", ["faults"]) => Ok(json!({"faults": faults(sim).list()})),
        ("POST", ["faults"]) => {
            let many: Vec<Fault> = match serde_json::from_slice::<Value>(body) {
                Ok(Value::Array(list)) => serde_json::from_value(Value::Array(list)),
                Ok(one) => serde_json::from_value(one).map(|f| vec![f]),
                Err(e) => Err(e),
            }
            .map_err(|e| bad(&format!("not a fault: {e}")))?;
            let mut faults = faults(sim);
            Ok(json!({"ids": many.into_iter().map(|f| faults.add(f)).collect::<Vec<_>>()}))
        }
        ("DELETE", ["faults"]) => {
            faults(sim).clear(None);
            Ok(Value::Null)
        }
        ("DELETE", ["faults", id]) => {
            faults(sim).clear(Some(id.parse().map_err(|_| bad("a fault's id is a number"))?));
            Ok(Value::Null)
        }
        ("POST", ["oddities"]) => {
            sim.set_oddities(object(body)?.get("on").and_then(Value::as_bool).ok_or_else(|| bad("give on: true or false"))?);
            Ok(Value::Null)
        }
        ("GET", ["stats"]) => Ok(sim.stats.json()),
        ("DELETE", ["stats"]) => {
            sim.stats.clear();
            Ok(Value::Null)
        }
        (_, ["tenants", tenant, rest @ ..]) => {
            let tenant = sim.find_tenant(tenant).ok_or_else(|| (404, format!("no tenant {tenant}; see /_sim/tenants")))?;
            in_tenant(sim, tenant, method, rest, body)
        }
        _ => Err(nothing_there(method, path)),
    }
}

fn in_tenant(sim: &Sim, tenant: &Tenant, method: &str, parts: &[&str], body: &[u8]) -> Result<Value, Refusal> {
    let now = sim.clock.now_ms();
    let mut state = tenant.write();
    let state = &mut *state;
    match (method, parts) {
        ("GET", []) => {
            let mut value = json!({"tenant_id": guid(tenant.id), "domain": tenant.domain, "initial_domain": tenant.initial_domain, "display_name": tenant.display_name, "client_id": guid(tenant.client_id),
                "client_secret": tenant.secret(state.rotations), "users": tenant.users, "groups": tenant.groups, "created_users": state.created_users, "created_groups": state.created_groups});
            value["granted"] = json!(state.granted());
            value["changes"] = json!(state.log.len());
            Ok(value)
        }
        ("POST", ["users"]) => {
            let properties = object(body)?;
            let user = tenant.create_user(state, now, &properties).map_err(refusal)?;
            if let Some(manager) = properties.get("manager").and_then(Value::as_str) {
                let manager = user_of(tenant, state, manager)?;
                tenant.set_manager(state, now, user, Some(manager));
            }
            Ok(json!({"id": guid(tenant.id_of(Object::User(user)))}))
        }
        ("GET", ["users", key]) => {
            let user = user_of(tenant, state, key)?;
            let mut out = vec![b'{'];
            tenant.put_user(state, &mut out, user, u128::MAX, Unset::Absent);
            out.push(b'}');
            let mut value: Value = serde_json::from_slice(&out).unwrap_or_default();
            value["memberOf"] = tenant
                .groups_of(state, Object::User(user))
                .into_iter()
                .map(|g| json!(guid(tenant.id_of(Object::Group(g)))))
                .collect();
            value["manager"] = tenant.manager(state, user).map_or(Value::Null, |m| json!(guid(tenant.id_of(Object::User(m)))));
            value["life"] = json!(life(state.user_life(user)));
            Ok(value)
        }
        ("PATCH", ["users", key]) => {
            let user = user_of(tenant, state, key)?;
            let patch = object(body)?;
            tenant.patch_user(state, now, user, &patch).map_err(refusal)?;
            match patch.get("manager") {
                None => {}
                Some(Value::String(m)) => {
                    let manager = user_of(tenant, state, m)?;
                    tenant.set_manager(state, now, user, Some(manager));
                }
                Some(_) => tenant.set_manager(state, now, user, None),
            }
            Ok(Value::Null)
        }
        ("DELETE", [kind @ ("users" | "groups"), key]) => done(tenant.delete(state, now, object_of(tenant, state, kind, key)?)),
        ("POST", [kind @ ("users" | "groups"), key, "restore"]) => {
            done(tenant.restore(state, now, object_of(tenant, state, kind, key)?))
        }
        ("POST", [kind @ ("users" | "groups"), key, "purge"]) => {
            let object = object_of(tenant, state, kind, key)?;
            if state.life(object) == Life::Live {
                tenant.delete(state, now, object).map_err(refusal)?;
            }
            if state.life(object) == Life::Purged { Ok(Value::Null) } else { done(tenant.purge(state, now, object)) }
        }
        ("POST", ["groups"]) => {
            let group = tenant.create_group(state, now, &object(body)?).map_err(refusal)?;
            Ok(json!({"id": guid(tenant.id_of(Object::Group(group)))}))
        }
        ("PATCH", ["groups", key]) => match object_of(tenant, state, "groups", key)? {
            Object::Group(g) => done(tenant.patch_group(state, now, g, &object(body)?)),
            Object::User(_) => Err((404, format!("no group {key}"))),
        },
        ("POST", ["groups", key, "members"]) => {
            let Object::Group(group) = object_of(tenant, state, "groups", key)? else {
                return Err((404, format!("no group {key}")));
            };
            let body = object(body)?;
            for (field, linked) in [("add", true), ("remove", false)] {
                for key in body.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                    let member = any_object(tenant, state, key)?;
                    tenant.link(state, now, group, member, linked).map_err(refusal)?;
                }
            }
            Ok(Value::Null)
        }
        ("DELETE", ["groups", key, "members", member]) => {
            let Object::Group(group) = object_of(tenant, state, "groups", key)? else {
                return Err((404, format!("no group {key}")));
            };
            let member = any_object(tenant, state, member)?;
            done(tenant.link(state, now, group, member, false))
        }
        ("POST", ["churn"]) => {
            let percent = object(body)?
                .get("percent")
                .and_then(Value::as_f64)
                .filter(|p| (0.0..=100.0).contains(p))
                .ok_or_else(|| bad("give percent, between 0 and 100"))?;
            serde_json::to_value(crate::churn::churn(tenant, state, now, percent)).map_err(|e| bad(&e.to_string()))
        }
        ("POST", ["lag"]) => {
            let seconds =
                object(body)?.get("seconds").and_then(Value::as_u64).ok_or_else(|| bad("give seconds, a whole number"))?;
            state.lag_ms = i64::try_from(seconds.min(1 << 40)).unwrap_or_default() * 1000;
            Ok(Value::Null)
        }
        ("POST", ["secret", "expire"]) => {
            state.secret_expired = true;
            Ok(Value::Null)
        }
        ("POST", ["secret", what @ ("rotate" | "revoke")]) => {
            state.rotations += 1;
            state.secret_expired = false;
            Ok(if *what == "rotate" { json!({"client_secret": tenant.secret(state.rotations)}) } else { Value::Null })
        }
        ("POST", ["consent"]) => {
            let body = object(body)?;
            if let Some(app) = body.get("app").and_then(Value::as_bool) {
                state.consent_revoked = !app;
            }
            let names = |field: &str| -> Vec<String> {
                body.get(field)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|n| n.as_str().map(str::to_owned))
                    .collect()
            };
            let mut granted = state.granted();
            let (grant, revoke) = (names("grant"), names("revoke"));
            granted.retain(|g| !revoke.contains(g) && !grant.contains(g));
            granted.extend(grant);
            state.grants = Some(granted.clone());
            Ok(json!({"granted": granted, "app": !state.consent_revoked}))
        }
        _ => Err(nothing_there(method, &parts.join("/"))),
    }
}

fn now(sim: &Sim) -> Value {
    json!({"now": crate::clock::iso(sim.clock.now_ms() / 1000)})
}

fn faults(sim: &Sim) -> std::sync::MutexGuard<'_, crate::faults::Faults> {
    sim.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn bad(why: &str) -> Refusal {
    (400, why.to_owned())
}

fn nothing_there(method: &str, path: &str) -> Refusal {
    (404, format!("the control API has no {method} {path}; docs/simulator.md lists what it has"))
}

fn refusal(why: Refused) -> Refusal {
    match why {
        Refused::NotFound(what) => (404, format!("{what} is not there, or not in the needed state (alive, or soft-deleted)")),
        Refused::Invalid(why) => (400, why),
        Refused::Conflict(why) => (409, why),
    }
}

fn done(result: Result<(), Refused>) -> Result<Value, Refusal> {
    result.map(|()| Value::Null).map_err(refusal)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|e| bad(&format!("the body must be a JSON object: {e}")))
}

fn life(life: Life) -> &'static str {
    match life {
        Life::Live => "live",
        Life::SoftDeleted(_) => "soft-deleted",
        Life::Purged => "purged",
    }
}

fn user_of(tenant: &Tenant, state: &State, key: &str) -> Result<u32, Refusal> {
    tenant.find_user(state, key).ok_or_else(|| (404, format!("no user {key}")))
}

/// A group by id or, for convenience, by display name.
fn object_of(tenant: &Tenant, state: &State, kind: &str, key: &str) -> Result<Object, Refusal> {
    if kind == "users" {
        return user_of(tenant, state, key).map(Object::User);
    }
    if let Some(object @ Object::Group(_)) = parse_guid(key).and_then(|id| tenant.object(state, id)) {
        return Ok(object);
    }
    (0..tenant.groups + state.created_groups)
        .map(Object::Group)
        .find(|g| state.life(*g) == Life::Live && tenant.value(state, *g, "displayName") == key)
        .ok_or_else(|| (404, format!("no group {key}")))
}

fn any_object(tenant: &Tenant, state: &State, key: &str) -> Result<Object, Refusal> {
    parse_guid(key).and_then(|id| tenant.object(state, id)).map_or_else(|| user_of(tenant, state, key).map(Object::User), Ok)
}

/// Users a piece of the streamed state holds.
const PIECE: u32 = 2_000;

/// One piece of a tenant's state: what a perfect reader ends with. `step` counts from 0; `None` is the end.
/// `mask` are the user properties wanted (never-set ones are left out, cleared ones are null, as in delta).
#[must_use]
pub fn state_piece(tenant: &Tenant, step: u32, mask: u128) -> Option<Vec<u8>> {
    let state = tenant.read();
    let users = tenant.users + state.created_users;
    let pieces = users.div_ceil(PIECE);
    let groups = tenant.groups + state.created_groups;
    let mut out = vec![];
    if step == 0 {
        out.extend_from_slice(format!("{{\"tenant_id\":\"{}\",\"users\":[", guid(tenant.id)).as_bytes());
    }
    if step < pieces {
        let range = step * PIECE..((step + 1) * PIECE).min(users);
        // Commas go before all but the first living user of the whole state.
        let mut any = step > 0 && (0..range.start).any(|u| state.user_life(u) == Life::Live);
        for u in range.filter(|u| state.user_life(*u) == Life::Live) {
            out.extend_from_slice(if any { b",{".as_slice() } else { b"{" });
            tenant.put_user(&state, &mut out, u, mask, Unset::Absent);
            out.push(b'}');
            any = true;
        }
        return Some(out);
    }
    let group = step - pieces;
    if group == 0 {
        out.extend_from_slice(b"],\"groups\":[");
    }
    if group < groups {
        let any = (0..group).any(|g| state.group_life(g) == Life::Live);
        if state.group_life(group) == Life::Live {
            out.extend_from_slice(if any { b",{".as_slice() } else { b"{" });
            tenant.put_group(
                &state,
                &mut out,
                group,
                GroupProp::DisplayName.bit() | GroupProp::CreatedDateTime.bit(),
                Unset::Absent,
            );
            let mut members = vec![];
            tenant.members_from(&state, group, 0, |m, _| {
                members.push(guid(tenant.id_of(m)));
                true
            });
            members.sort();
            out.extend_from_slice(b",\"members\":");
            out.extend_from_slice(json!(members).to_string().as_bytes());
            out.push(b'}');
        }
        return Some(out);
    }
    if group > groups {
        return None;
    }
    let mut deleted: Vec<String> = state
        .users
        .iter()
        .filter(|(_, c)| matches!(c.life, Life::SoftDeleted(_)))
        .map(|(u, _)| guid(tenant.id_of(Object::User(*u))))
        .collect();
    deleted.sort();
    out.extend_from_slice(b"],\"deleted_users\":");
    out.extend_from_slice(json!(deleted).to_string().as_bytes());
    out.push(b'}');
    Some(out)
}

/// The user properties a state is asked for: `select=a,b`, or those of a delta without `$select`, or `select=*` for all.
#[must_use]
pub fn state_mask(tenant: &Tenant, query: &str) -> u128 {
    let wanted =
        url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == "select" || n == "$select").map(|(_, v)| v.into_owned());
    match wanted.as_deref() {
        None => USER_DEFAULT,
        Some("*") => !UserProp::SignInActivity.bit(),
        Some(list) => list.split(',').filter_map(|n| tenant.user_prop(n.trim())).fold(UserProp::Id.bit(), |m, p| m | p.bit()),
    }
}
