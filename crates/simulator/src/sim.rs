//! The simulator's heart: tenants, clock, faults, quota, tokens. Everything answers from here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::faults::{Action, Fault, Faults, Target, Verdict, Wire, usual};
use crate::meters::{Meters, Stats};
use crate::options::{Options, StartError};
use crate::reply::Fault as GraphError;
use crate::seed::{Kind, guid, object_id, parse_guid, read_object_id};
use crate::signer::Signer;
use crate::tenant::Tenant;

/// Tenants shown in the announcement.
const ANNOUNCED: usize = 100;

/// Checked tokens remembered; more than a test suite needs, and bounded.
const REMEMBERED_TOKENS: usize = 10_000;

/// Everything behind the address.
pub struct Sim {
    /// How it was started.
    pub options: Options,
    /// The tenants.
    tenants: Vec<Tenant>,
    domains: HashMap<String, u32>,
    /// The clock.
    pub clock: Clock,
    /// The faults in force.
    pub faults: Mutex<Faults>,
    /// Quota.
    pub meters: Meters,
    /// Statistics.
    pub stats: Stats,
    oddities: AtomicBool,
    origin: OnceLock<String>,
    signer: OnceLock<Option<Signer>>,
    requests: AtomicU64,
    /// Tokens handed out.
    pub issued: AtomicU64,
    checked: Mutex<HashMap<String, Arc<SignedIn>>>,
}

/// What a good token says.
#[derive(Debug)]
pub struct SignedIn {
    /// Tenant by index.
    pub tenant: u32,
    /// Roles in the token.
    pub roles: Vec<String>,
    expires: i64,
}

impl Sim {
    /// Everything but the listening.
    ///
    /// # Errors
    /// [`StartError::Faults`] when the faults file cannot be used.
    pub fn new(options: Options) -> Result<Self, StartError> {
        let mut faults = Faults::default();
        if let Some(path) = &options.faults {
            let wrong = |why: String| StartError::Faults { path: path.clone(), why };
            let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
            for fault in serde_json::from_str::<Vec<Fault>>(&text).map_err(|e| wrong(e.to_string()))? {
                faults.add(fault);
            }
        }
        let tenants: Vec<Tenant> = (0..options.tenants).map(|t| Tenant::generate(&options, t)).collect();
        let domains = tenants.iter().flat_map(|t| [(t.domain.clone(), t.index), (t.initial_domain.clone(), t.index)]).collect();
        Ok(Self {
            oddities: AtomicBool::new(options.oddities),
            options,
            tenants,
            domains,
            clock: Clock::start(),
            faults: Mutex::new(faults),
            meters: Meters::default(),
            stats: Stats::default(),
            origin: OnceLock::new(),
            signer: OnceLock::new(),
            requests: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            checked: Mutex::default(),
        })
    }

    /// Sets the origin links carry, once the address is known.
    pub fn set_origin(&self, origin: String) {
        let _ = self.origin.set(origin);
    }

    /// The origin links carry, without a slash at its end.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.origin.get().map_or("", String::as_str)
    }

    /// Whether delta shows its oddities.
    #[must_use]
    pub fn oddities(&self) -> bool {
        self.oddities.load(Ordering::Relaxed)
    }

    /// Switches the oddities.
    pub fn set_oddities(&self, on: bool) {
        self.oddities.store(on, Ordering::Relaxed);
    }

    /// The tenants.
    #[must_use]
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// A tenant by index, which comes from a token or the list itself.
    #[must_use]
    pub fn tenant(&self, index: u32) -> &Tenant {
        &self.tenants[index as usize]
    }

    /// A tenant by id or domain.
    #[must_use]
    pub fn find_tenant(&self, key: &str) -> Option<&Tenant> {
        let index = match parse_guid(key) {
            Some(id) => match read_object_id(self.options.seed, id)? {
                (Kind::Tenant, t) => t,
                _ => return None,
            },
            None => *self.domains.get(&key.to_lowercase())?,
        };
        self.tenants.get(index as usize)
    }

    /// The signing key, built when first needed.
    #[must_use]
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.get_or_init(Signer::new).as_ref()
    }

    /// A new request id; the n-th is the same in every simulator of the seed.
    #[must_use]
    pub fn next_request_id(&self) -> String {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        guid(object_id(self.options.seed ^ 0x7265_7175 ^ (n >> 32), Kind::Other, n as u32))
    }

    /// Holds an access token against what Graph asks of one.
    ///
    /// # Errors
    /// 401 in the words of contract section f.
    pub fn check_token(&self, authorization: Option<&str>, now_ms: i64) -> Result<Arc<SignedIn>, GraphError> {
        let token = authorization
            .and_then(|a| a.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, t)| t.trim())
            .unwrap_or_default();
        if token.is_empty() {
            return Err(GraphError::unauthorized("Access token is empty."));
        }
        let mut checked = self.checked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = checked.get(token).cloned();
        let signed_in = match known {
            Some(s) => s,
            None => {
                let s = Arc::new(self.read_token(token)?);
                if checked.len() >= REMEMBERED_TOKENS {
                    checked.clear();
                }
                checked.insert(token.to_owned(), s.clone());
                s
            }
        };
        if signed_in.expires <= now_ms / 1000 {
            return Err(GraphError::unauthorized("Lifetime validation failed, the token is expired."));
        }
        Ok(signed_in)
    }

    fn read_token(&self, token: &str) -> Result<SignedIn, GraphError> {
        let claims = self
            .signer()
            .and_then(|s| s.verify(token))
            .ok_or_else(|| GraphError::unauthorized("CompactToken parsing failed with error code: 80049217"))?;
        if !matches!(claims["aud"].as_str(), Some(a) if a == "https://graph.microsoft.com" || a == "00000003-0000-0000-c000-000000000000" || a == self.origin())
        {
            return Err(GraphError::unauthorized("Access token validation failure. Invalid audience."));
        }
        let tenant = claims["tid"]
            .as_str()
            .and_then(|t| self.find_tenant(t))
            .ok_or_else(|| GraphError::unauthorized("Access token validation failure."))?;
        let roles = claims["roles"].as_array().into_iter().flatten().filter_map(|r| r.as_str().map(str::to_owned)).collect();
        Ok(SignedIn { tenant: tenant.index, roles, expires: claims["exp"].as_i64().unwrap_or_default() })
    }

    /// What the faults in force do to a request. Those that change the tenant have done so when this returns.
    pub fn judge(&self, tenant: &Tenant, method: &str, path: &str, query: &str) -> Vec<Verdict> {
        let mut faults = self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if faults.list().is_empty() {
            return vec![];
        }
        let id = guid(tenant.id);
        let actions = faults.strike(self.options.seed, Target { method, path, query, tenant: (&id, &tenant.domain) });
        drop(faults);
        let mut verdicts = vec![];
        for action in actions {
            verdicts.push(match action {
                Action::Status { status, code, message, retry_after } => Verdict::Fail(usual(status, code, message, retry_after)),
                Action::Throttle { retry_after } => Verdict::Fail(GraphError::throttled(retry_after)),
                Action::AccessTokenExpired => Verdict::Fail(usual(401, None, None, None)),
                Action::EmptyPage => Verdict::EmptyPage,
                Action::ExpiredToken { form } => Verdict::Expired(form),
                Action::Reset { when } => Verdict::Wire(Wire::Reset(when)),
                Action::Slow { chunk, ms } => Verdict::Wire(Wire::Slow(chunk.max(1), ms)),
                Action::Garbage => Verdict::Wire(Wire::Garbage),
                Action::Truncate => Verdict::Wire(Wire::Truncate),
                Action::Lag { seconds } => {
                    tenant.write().lag_ms = i64::try_from(seconds.min(1 << 40)).unwrap_or_default() * 1000;
                    continue;
                }
                Action::SecretExpired => {
                    tenant.write().secret_expired = true;
                    continue;
                }
                Action::ConsentRevoked => {
                    tenant.write().consent_revoked = true;
                    continue;
                }
            });
        }
        verdicts
    }

    /// How a tenant is announced.
    #[must_use]
    pub fn describe(&self, tenant: &Tenant) -> Value {
        let rotations = tenant.read().rotations;
        json!({"tenant_id": guid(tenant.id), "domain": tenant.domain, "client_id": guid(tenant.client_id), "client_secret": tenant.secret(rotations), "users": tenant.users, "groups": tenant.groups})
    }

    /// The first tenants, for the announcement.
    #[must_use]
    pub fn announced(&self) -> Vec<Value> {
        self.tenants.iter().take(ANNOUNCED).map(|t| self.describe(t)).collect()
    }
}
