//! Microsoft Graph v1.0, as far as directories are read and changed. One request in, one [`Reply`] out; nothing here knows about sockets.

mod batch;
mod delta;
mod filter;
mod list;
mod query;
mod read;
mod route;
mod search;
mod values;
mod write;

pub use query::decode;

/// Decodes a path segment.
#[must_use]
pub fn percent_decode(text: &str) -> String {
    decode(text, false)
}

use serde_json::{Map, Value};

use crate::directory::Refused;
use crate::faults::{Form, Verdict};
use crate::properties::{USER_BASIC, UserProp};
use crate::reply::{Fault, Reply};
use crate::sim::Sim;
use crate::tenant::{Life, Object, State, Tenant};
use query::{Query, Select};
use route::Route;

/// A request, borrowed from the connection or from a batch.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// HTTP method in capitals.
    pub method: &'a str,
    /// Path as sent, `/v1.0` included.
    pub path: &'a str,
    /// Query as sent, without the question mark.
    pub query: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// `ConsistencyLevel: eventual` was sent.
    pub eventual: bool,
    /// `Prefer: return=minimal` was sent.
    pub minimal: bool,
    /// The `client-request-id` header, or the request's own id.
    pub client_request_id: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Whether this is an item of a batch.
    pub in_batch: bool,
}

/// A request that passed sign-in, quota and permission checks.
struct Call<'a> {
    sim: &'a Sim,
    tenant: &'a Tenant,
    ask: &'a Ask<'a>,
    query: Query,
    now: i64,
    roles: &'a [String],
    empty_page: bool,
    expired: Option<Form>,
}

/// An answer and what the wire should do to it.
pub struct Answer {
    /// The answer.
    pub reply: Reply,
    /// What a fault does to it on its way.
    pub wire: Option<crate::faults::Wire>,
}

/// Answers a request of Graph.
#[must_use]
pub fn answer(sim: &Sim, ask: &Ask<'_>) -> Answer {
    let now = sim.clock.now_ms();
    let request_id = sim.next_request_id();
    let mut wire = None;
    let result = serve(sim, ask, now, &mut wire);
    Answer { reply: signed(result, now, request_id, ask.client_request_id), wire }
}

/// The part of a path behind the version, which is written in any case.
#[must_use]
pub fn versioned(path: &str) -> Option<&str> {
    let (version, rest) = path.split_at_checked("/v1.0".len())?;
    (version.eq_ignore_ascii_case("/v1.0") && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

/// Answers a path that leads nowhere, `/beta` among them, in Graph's form.
#[must_use]
pub fn nowhere(sim: &Sim, client_request_id: &str) -> Reply {
    let fault = Fault::new(
        404,
        "ResourceNotFound",
        "Nothing is here: Graph is under /v1.0, sign-in under /{tenant}/oauth2/v2.0/token, the control API under /_sim.",
    );
    signed(Err(fault), sim.clock.now_ms(), sim.next_request_id(), client_request_id)
}

/// The answer with the headers that every answer of Graph carries.
fn signed(result: Result<Reply, Fault>, now: i64, request_id: String, client_request_id: &str) -> Reply {
    let echo = if client_request_id.is_empty() { request_id.clone() } else { client_request_id.to_owned() };
    let mut reply = result.unwrap_or_else(|fault| fault.reply(now, &request_id, &echo));
    reply.headers.push(("request-id", request_id));
    reply.headers.push(("client-request-id", echo));
    reply.headers.push((
        "x-ms-ags-diagnostic",
        r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM0"}}"#.to_owned(),
    ));
    reply.headers.push(("odata-version", "4.0".to_owned()));
    reply
}

fn serve(sim: &Sim, ask: &Ask<'_>, now: i64, wire: &mut Option<crate::faults::Wire>) -> Result<Reply, Fault> {
    let signed_in = sim.check_token(ask.authorization, now)?;
    let tenant = sim.tenant(signed_in.tenant);
    let (mut empty_page, mut expired) = (false, None);
    for verdict in sim.judge(tenant, ask.method, ask.path, ask.query) {
        match verdict {
            Verdict::Fail(fault) => {
                sim.stats.count("(fault)", 0, fault.status);
                return Err(if fault.status == 429 { throttled_by(tenant, fault, false, 1.0) } else { fault });
            }
            Verdict::EmptyPage => empty_page = true,
            Verdict::Expired(form) => expired = Some(form),
            Verdict::Wire(w) => *wire = Some(w),
        }
    }
    let route = Route::find(ask.method, ask.path)?;
    let query = Query::parse(ask.query);
    query.check()?;
    let cost = route.cost(ask.method, &query);
    // The envelope of a batch is free: its items are charged, and throttled, each.
    let charge = match route {
        Route::Batch => Ok(0.0),
        _ => sim.meters.charge(tenant, cost, route.writes(ask.method), sim.options.throttle, now),
    };
    let used = match charge {
        Ok(used) => used,
        Err(over) => {
            sim.stats.count(&route.label(), cost, 429);
            let fault = Fault::throttled(Some(over.wait)).with("x-ms-resource-unit", cost.to_string());
            return Err(throttled_by(tenant, fault, over.writes, over.used));
        }
    };
    let granted = tenant.read().granted();
    let roles: Vec<String> = signed_in.roles.iter().filter(|r| granted.contains(r)).cloned().collect();
    let allowed = route.permissions();
    let result = if tenant.read().consent_revoked {
        Err(Fault::new(
            403,
            "Authorization_IdentityNotFound",
            "The identity of the calling application could not be established.",
        ))
    } else if !allowed.is_empty() && !allowed.iter().any(|p| roles.iter().any(|r| r == p)) {
        Err(Fault::denied())
    } else {
        let call = Call { sim, tenant, ask, query, now, roles: &roles, empty_page, expired };
        call.dispatch(&route)
    };
    let meter = |headers: &mut Vec<(&'static str, String)>| {
        if route != Route::Batch {
            headers.push(("x-ms-resource-unit", cost.to_string()));
        }
        if used > 0.8 {
            headers.push(("x-ms-throttle-limit-percentage", format!("{used:.2}")));
        }
    };
    match result {
        Ok(mut reply) => {
            sim.stats.count(&route.label(), cost, reply.status);
            meter(&mut reply.headers);
            Ok(reply)
        }
        Err(mut fault) => {
            sim.stats.count(&route.label(), cost, fault.status);
            meter(&mut fault.headers);
            Err(fault)
        }
    }
}

/// A 429 with whose quota it was and how much of it is used: never less than all.
fn throttled_by(tenant: &Tenant, fault: Fault, writes: bool, used: f64) -> Fault {
    let kind = if writes { "Write" } else { "ReadWrite" };
    fault
        .with(
            "x-ms-throttle-scope",
            format!("Tenant_Application/{kind}/{}/{}", crate::seed::guid(tenant.client_id), crate::seed::guid(tenant.id)),
        )
        .with("x-ms-throttle-information", if writes { "WriteLimitExceeded" } else { "ResourceUnitLimitExceeded" })
        .with("x-ms-throttle-limit-percentage", format!("{:.2}", used.clamp(1.0, 1.8)))
}

impl Call<'_> {
    fn dispatch(&self, route: &Route) -> Result<Reply, Fault> {
        match (self.ask.method, route) {
            ("GET", Route::Users) => self.list_users(),
            ("GET", Route::Groups) => self.list_groups(),
            ("GET", Route::Count(users)) => self.count(*users),
            ("GET", Route::Delta(users)) => self.delta(*users),
            ("GET", Route::User(id)) => self.read_user(id),
            ("GET", Route::Group(id)) => self.read_group(id),
            ("GET", Route::Manager(id)) => self.read_manager(id),
            ("GET", Route::MemberOf(links)) => self.list_member_of(links),
            ("GET", Route::Members(links)) => self.list_members(links),
            ("GET", Route::LicenseDetails(id)) => self.license_details(id),
            ("GET", Route::DeletedItems(kind)) => self.list_deleted(*kind),
            ("GET", Route::DeletedItem(id)) => self.read_deleted(id),
            ("GET", Route::Organization(id)) => self.organization(id.as_deref()),
            ("GET", Route::Skus(id)) => self.skus(id.as_deref()),
            ("GET", Route::AppRoles(id)) => self.app_roles(id),
            ("POST", Route::Users) => self.create_user(),
            ("POST", Route::Groups) => self.create_group(),
            ("PATCH", Route::User(id)) => self.patch_user(id),
            ("PATCH", Route::Group(id)) => self.patch_group(id),
            ("DELETE", Route::User(id)) => self.delete_user(id),
            ("DELETE", Route::Group(id)) => self.delete_group(id),
            ("PUT" | "DELETE", Route::ManagerRef(id)) => self.set_manager(id),
            ("POST", Route::MembersRef(id)) => self.add_member(id),
            ("DELETE", Route::MemberRef { group, member }) => self.remove_member(group, member),
            ("DELETE", Route::DeletedItem(id)) => self.purge(id),
            ("POST", Route::Restore(id)) => self.restore(id),
            ("POST", Route::Batch) if self.ask.in_batch => {
                Err(Fault::new(400, "BadRequest", "A batch cannot be a request of a batch."))
            }
            ("POST", Route::Batch) => self.batch(),
            _ => Err(Fault::new(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
                .with("allow", route.methods())),
        }
    }

    fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r == role)
    }

    /// Whether the application may read users, but only their basics.
    fn only_basics(&self) -> bool {
        self.has(route::USER_BASIC) && !route::USERS.iter().any(|r| self.has(r))
    }

    /// What is left of the wanted properties of users for an application that may read only their basics.
    fn readable(&self, wanted: Select) -> Result<Select, Fault> {
        if !self.only_basics() {
            return Ok(wanted);
        }
        if wanted.explicit && wanted.user & !USER_BASIC != 0 {
            return Err(Fault::denied());
        }
        Ok(Select { user: wanted.user & USER_BASIC, ..wanted })
    }

    /// The beginning of a JSON answer: `{"@odata.context":"…`, with the selected properties in parentheses, and of one object or of many.
    fn context(&self, what: &str, one: bool) -> Vec<u8> {
        let select = self
            .query
            .get("$select")
            .filter(|s| !s.trim().is_empty())
            .map(|s| format!("({})", s.replace(|c: char| matches!(c, '"' | '\\') || c.is_whitespace() || c.is_control(), "")))
            .unwrap_or_default();
        let mut out = Vec::with_capacity(1 << 14);
        out.extend_from_slice(b"{\"@odata.context\":\"");
        let entity = if one { "/$entity" } else { "" };
        out.extend_from_slice(format!("{}/v1.0/$metadata#{what}{select}{entity}", self.sim.origin()).as_bytes());
        out.push(b'"');
        out
    }

    fn live_user(&self, state: &State, key: &str) -> Result<u32, Fault> {
        self.tenant.find_user(state, key).filter(|u| state.user_life(*u) == Life::Live).ok_or_else(|| Fault::not_found(key))
    }

    fn live_group(&self, state: &State, key: &str) -> Result<u32, Fault> {
        match crate::seed::parse_guid(key).and_then(|id| self.tenant.object(state, id)) {
            Some(Object::Group(g)) if state.group_life(g) == Life::Live => Ok(g),
            _ => Err(Fault::not_found(key)),
        }
    }

    fn body(&self) -> Result<Map<String, Value>, Fault> {
        match serde_json::from_slice(self.ask.body) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(Fault::new(
                400,
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }

    /// Sign-in activity needs a permission and a plan of its own (contract section b).
    fn check_sign_in_activity(&self, select: u128) -> Result<(), Fault> {
        if select & UserProp::SignInActivity.bit() == 0 {
            return Ok(());
        }
        if !self.has("AuditLog.Read.All") {
            return Err(Fault::denied());
        }
        if !self.tenant.premium {
            return Err(Fault::new(
                403,
                "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
                "Neither tenant is B2C or tenant doesn't have premium license",
            ));
        }
        Ok(())
    }
}

/// A refused write, seen from Graph: a value that is taken is a bad request there.
fn refused(why: Refused) -> Fault {
    why.into()
}
