//! The identity platform: client credentials, metadata and keys (contract section a).

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::clock::iso;
use crate::reply::Reply;
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
    /// The form.
    pub body: &'a [u8],
}

/// An error with its AADSTS number.
struct Refusal {
    status: u16,
    error: &'static str,
    number: u32,
    text: String,
}

fn refuse(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Refusal {
    Refusal { status, error, number, text: text.into() }
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
            None => return refused(sim, &no_tenant(name, "invalid_tenant")),
        };
        return Reply::plain(200, &metadata(origin, name, &id));
    }
    if ask.method != "POST" {
        return refused(
            sim,
            &refuse(405, "invalid_request", 900_561, "The endpoint only accepts POST requests. Received a GET request."),
        );
    }
    match token(sim, name, ask) {
        Ok(value) => {
            sim.stats.count("token", 0, 200);
            let mut reply = Reply::plain(200, &value);
            reply.headers.push(("cache-control", "no-store, no-cache".to_owned()));
            reply
        }
        Err(refusal) => {
            sim.stats.count("token", 0, refusal.status);
            refused(sim, &refusal)
        }
    }
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

fn no_tenant(name: &str, error: &'static str) -> Refusal {
    refuse(
        400,
        error,
        90_002,
        format!(
            "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
        ),
    )
}

fn refused(sim: &Sim, refusal: &Refusal) -> Reply {
    let (trace, correlation) = (sim.next_request_id(), sim.next_request_id());
    let time = iso(sim.clock.now_ms() / 1000).replace('T', " ");
    let text = format!(
        "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {time}",
        refusal.number, refusal.text
    );
    let body = json!({"error": refusal.error, "error_description": text, "error_codes": [refusal.number], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("{}/error?code={}", sim.origin(), refusal.number)});
    Reply::plain(refusal.status, &body)
}

fn credentials(ask: &Ask<'_>, form: &HashMap<String, String>) -> (Option<String>, Option<String>) {
    let basic = ask
        .authorization
        .and_then(|a| a.strip_prefix("Basic "))
        .and_then(|b| base64::engine::general_purpose::STANDARD.decode(b.trim()).ok());
    if let Some(pair) = basic.and_then(|b| String::from_utf8(b).ok())
        && let Some((id, secret)) = pair.split_once(':')
    {
        let decode = |t: &str| url::form_urlencoded::parse(format!("x={t}").as_bytes()).next().map(|(_, v)| v.into_owned());
        return (decode(id), decode(secret));
    }
    (form.get("client_id").cloned(), form.get("client_secret").cloned())
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
    let resource = scope.strip_suffix("/.default").unwrap_or_default();
    if scope.contains(' ') || !(resource == "https://graph.microsoft.com" || resource == sim.origin()) {
        return Err(refuse(
            400,
            "invalid_scope",
            70_011,
            format!("The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid."),
        ));
    }
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
