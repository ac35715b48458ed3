//! The identity platform: client credentials, metadata and keys (contract section a).

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::faults::usual;
use crate::reply::{Fault, Reply};
use crate::seed::{Kind, guid, hash, object_id, parse_guid};
use crate::sim::Sim;
use crate::tenant::Tenant;

/// A request to the identity platform.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// The `Authorization` header: HTTP Basic carries client id and secret.
    pub authorization: Option<&'a str>,
    /// The `client-request-id` header, which answers repeat; empty when none was sent.
    pub client_request_id: &'a str,
    /// The form.
    pub body: &'a [u8],
}

/// An error with its AADSTS number.
struct Refusal {
    status: u16,
    error: String,
    number: u32,
    text: String,
}

fn refuse(status: u16, error: &str, number: u32, text: impl Into<String>) -> Refusal {
    Refusal { status, error: error.to_owned(), number, text: text.into() }
}

/// The tenant segment of a path of the identity platform, if it is one.
#[must_use]
pub fn tenant_of(path: &str) -> Option<&str> {
    let (tenant, rest) = path.trim_start_matches('/').split_once('/')?;
    let known = [
        "oauth2/v2.0/token",
        "v2.0/.well-known/openid-configuration",
        ".well-known/openid-configuration",
        "discovery/v2.0/keys",
        "discovery/instance",
    ];
    known.contains(&rest).then_some(tenant)
}

/// Answers a request of the identity platform.
#[must_use]
pub fn answer(sim: &Sim, ask: &Ask<'_>) -> Reply {
    let name = tenant_of(ask.path).unwrap_or_default();
    let origin = sim.origin();
    if ask.path.ends_with("/discovery/instance") {
        return Reply::plain(
            200,
            &json!({"tenant_discovery_endpoint": format!("{origin}/{name}/v2.0/.well-known/openid-configuration"), "api-version": "1.1", "metadata": []}),
        );
    }
    if ask.path.ends_with("/keys") {
        return Reply::plain(200, &json!({"keys": sim.signer().map(crate::signer::Signer::jwk).into_iter().collect::<Vec<_>>()}));
    }
    if ask.path.ends_with("openid-configuration") {
        let common = matches!(name, "common" | "organizations" | "consumers");
        let id = match sim.find_tenant(name) {
            Some(t) => guid(t.id),
            None if common => "{tenantid}".to_owned(),
            None => return refused(sim, ask, &no_tenant(name, "invalid_tenant")),
        };
        return Reply::plain(200, &metadata(origin, name, &id));
    }
    if ask.method != "POST" {
        let text = format!("The endpoint only accepts POST requests. Received a {} request.", ask.method);
        let mut reply = refused(sim, ask, &refuse(405, "invalid_request", 900_561, text));
        reply.headers.push(("allow", "POST".to_owned()));
        return reply;
    }
    match token(sim, name, ask) {
        Ok(value) => {
            sim.stats.count("token", 0, 200);
            let mut reply = Reply::plain(200, &value);
            reply.headers.push(("cache-control", "no-store, no-cache".to_owned()));
            reply.headers.extend(echo(ask));
            reply
        }
        Err(refusal) => {
            sim.stats.count("token", 0, refusal.status);
            refused(sim, ask, &refusal)
        }
    }
}

/// What a fault makes of a request: its status, and its code and message where it gives them, in the form of a refusal.
#[must_use]
pub fn failed(sim: &Sim, ask: &Ask<'_>, fault: &Fault) -> Reply {
    let usual = usual(fault.status, None, None, None);
    let error = if fault.code == usual.code { "temporarily_unavailable" } else { &fault.code };
    let numbered = fault.message.strip_prefix("AADSTS").and_then(|m| m.split_once(':'));
    let (number, text) = match numbered.and_then(|(number, text)| Some((number.parse().ok()?, text.trim_start().to_owned()))) {
        Some(given) => given,
        None if fault.message == usual.message => {
            (90_033, format!("A transient error has occurred. Please try again. {}", fault.message))
        }
        None => (90_033, fault.message.clone()),
    };
    sim.stats.count("token", 0, fault.status);
    let mut reply = refused(sim, ask, &refuse(fault.status, error, number, text));
    reply.headers.extend(fault.headers.iter().cloned());
    reply
}

/// The id a client gave its request, as answers repeat it.
fn echo(ask: &Ask<'_>) -> Option<(&'static str, String)> {
    (!ask.client_request_id.is_empty()).then(|| ("client-request-id", ask.client_request_id.to_owned()))
}

fn metadata(origin: &str, name: &str, id: &str) -> Value {
    let base = format!("{origin}/{name}");
    json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"), "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"), "response_modes_supported": ["query", "fragment", "form_post"], "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["code", "id_token", "code id_token", "id_token token"], "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{origin}/{id}/v2.0"), "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"), "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"], "msgraph_host": origin.split("://").nth(1).unwrap_or_default(),
    })
}

fn no_tenant(name: &str, error: &str) -> Refusal {
    refuse(
        400,
        error,
        90_002,
        format!(
            "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
        ),
    )
}

fn refused(sim: &Sim, ask: &Ask<'_>, refusal: &Refusal) -> Reply {
    let trace = sim.next_request_id();
    let correlation = match ask.client_request_id {
        "" => sim.next_request_id(),
        given => given.to_owned(),
    };
    let time = iso(sim.clock.now_ms() / 1000).replace('T', " ");
    let text = format!(
        "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {time}",
        refusal.number, refusal.text
    );
    let body = json!({"error": refusal.error, "error_description": text, "error_codes": [refusal.number], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("{}/error?code={}", sim.origin(), refusal.number)});
    let mut reply = Reply::plain(refusal.status, &body);
    reply.headers.extend(echo(ask));
    reply
}

fn credentials(ask: &Ask<'_>, form: &HashMap<String, String>) -> (Option<String>, Option<String>) {
    let basic = ask
        .authorization
        .and_then(|a| a.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, b)| base64::engine::general_purpose::STANDARD.decode(b.trim()).ok());
    if let Some(pair) = basic.and_then(|b| String::from_utf8(b).ok())
        && let Some((id, secret)) = pair.split_once(':')
    {
        let decode = |t: &str| url::form_urlencoded::parse(format!("x={t}").as_bytes()).next().map(|(_, v)| v.into_owned());
        return (decode(id), decode(secret));
    }
    (form.get("client_id").cloned(), form.get("client_secret").cloned())
}

/// Scopes that say what else is to come with a token. Microsoft's libraries send them with every request; here they change nothing.
const ALONGSIDE: &[&str] = &["openid", "profile", "offline_access", "email"];

/// Graph's application id, by which a scope may name it too.
const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";

/// The audience a scope asks for: exactly one `/.default`, of Graph.
fn resource<'s>(sim: &'s Sim, scope: &str) -> Option<&'s str> {
    let mut asked = scope.split_whitespace().filter(|s| !ALONGSIDE.iter().any(|a| a.eq_ignore_ascii_case(s)));
    let (Some(one), None) = (asked.next(), asked.next()) else { return None };
    let (resource, _) = one.rsplit_once('/').filter(|(_, name)| name.eq_ignore_ascii_case(".default"))?;
    let resource = resource.trim_end_matches('/');
    ["https://graph.microsoft.com", GRAPH_ID, sim.origin()].into_iter().find(|known| known.eq_ignore_ascii_case(resource))
}

fn token(sim: &Sim, name: &str, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(ask.body).into_owned().collect();
    let missing = |what: &str| {
        refuse(400, "invalid_request", 900_144, format!("The request body must contain the following parameter: '{what}'."))
    };
    match form.get("grant_type").map(String::as_str) {
        None => return Err(missing("grant_type")),
        Some("client_credentials") => {}
        Some(_) => return Err(refuse(400, "unsupported_grant_type", 70_003, "The app requested an unsupported grant type.")),
    }
    if matches!(name, "common" | "consumers" | "organizations") {
        return Err(refuse(
            400,
            "invalid_request",
            9_001_023,
            "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
        ));
    }
    let tenant = sim.find_tenant(name).ok_or_else(|| no_tenant(name, "invalid_request"))?;
    let (id, secret) = credentials(ask, &form);
    let id = id.ok_or_else(|| missing("client_id"))?;
    let scope = form.get("scope").ok_or_else(|| missing("scope"))?;
    let resource = resource(sim, scope).ok_or_else(|| {
        refuse(
            400,
            "invalid_scope",
            70_011,
            format!("The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid."),
        )
    })?;
    let state = tenant.read();
    if state.consent_revoked || parse_guid(&id) != Some(tenant.client_id) {
        return Err(refuse(
            400,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{id}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
                tenant.display_name
            ),
        ));
    }
    if form.contains_key("client_assertion") {
        return Err(refuse(
            401,
            "invalid_client",
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        ));
    }
    let secret = secret.ok_or_else(|| {
        refuse(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    })?;
    if secret != tenant.secret(state.rotations) {
        return Err(refuse(
            401,
            "invalid_client",
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{id}'."
            ),
        ));
    }
    if state.secret_expired {
        return Err(refuse(
            401,
            "invalid_client",
            7_000_222,
            format!(
                "The provided client secret keys for app '{id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
            ),
        ));
    }
    let granted = state.granted();
    drop(state);
    Ok(issue(sim, tenant, resource, &granted))
}

fn issue(sim: &Sim, tenant: &Tenant, audience: &str, granted: &[String]) -> Value {
    let n = sim.issued.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // 60 to 90 minutes, as documented.
    let life = 3_600 + (hash(tenant.key, n) % 1_800) as i64;
    let now = sim.clock.now_ms() / 1000;
    let id = guid(tenant.id);
    let principal = guid(object_id(tenant.key, Kind::ServicePrincipal, 0));
    let mut claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{id}/"), "iat": now - 300, "nbf": now - 300, "exp": now + life, "appid": guid(tenant.client_id), "appidacr": "1",
        "app_displayname": "Rollcall", "idtyp": "app", "oid": principal, "sub": principal, "tid": id, "ver": "1.0", "uti": guid(object_id(tenant.key, Kind::Other, n as u32)),
    });
    if !granted.is_empty() {
        claims["roles"] = json!(granted);
    }
    let token = sim.signer().map(|s| s.sign(&claims)).unwrap_or_default();
    json!({"token_type": "Bearer", "expires_in": life - 1, "ext_expires_in": life - 1, "access_token": token})
}
