//! Where a connection leads: the addresses as given, checked and made whole.

use crate::SourceError;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// One app in one tenant, as a person entered it.
#[derive(Debug, Clone)]
pub struct GraphConnection {
    /// Microsoft Graph's address. `/v1.0` is added unless the path ends with it already.
    pub graph_url: String,
    /// The identity platform's address.
    pub login_url: String,
    /// Tenant id or one of its domains.
    pub tenant: String,
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret.
    pub secret: SecretString,
}

/// The clouds' Graph hosts (contract a). A token for one is no good at another, so each is its own scope.
const CLOUDS: &[&str] =
    &["graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"];

/// What a token is asked for where Graph is reached under a name of one's own (a gateway, the simulator): the worldwide cloud.
const DEFAULT_SCOPE: &str = "https://graph.microsoft.com/.default";

/// A connection whose addresses have been checked.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Graph with its version, without a slash at the end.
    base: String,
    /// Graph's address, for its origin.
    graph: Url,
    /// Where tokens come from.
    pub token_url: Url,
    /// What tokens are for.
    pub scope: String,
}

impl Endpoints {
    /// Checks a connection.
    ///
    /// # Errors
    /// [`SourceError::BadConnection`] names the setting and what it should be.
    pub fn of(connection: &GraphConnection) -> Result<Self, SourceError> {
        let bad = |what, problem: &str| Err(SourceError::BadConnection { what, problem: problem.to_owned() });
        let graph = address("the Graph address", &connection.graph_url)?;
        let login = address("the sign-in address", &connection.login_url)?;
        let tenant = connection.tenant.trim();
        if tenant.is_empty()
            || !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
            || tenant.starts_with('.')
        {
            return bad("the tenant", "is neither a tenant id nor a domain: enter one such as contoso.onmicrosoft.com");
        }
        if ["common", "organizations", "consumers"].iter().any(|word| tenant.eq_ignore_ascii_case(word)) {
            return bad("the tenant", "must be one tenant's id or domain, because an app signs in to one tenant at a time");
        }
        let client_id = connection.client_id.trim();
        if client_id.is_empty() || !client_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return bad("the client id", "is none: copy “Application (client) ID” from the app registration");
        }
        if connection.secret.expose_secret().is_empty() {
            return bad("the client secret", "is empty: save it with `rollcall secrets set`");
        }
        let path = graph.path().trim_end_matches('/');
        let path = if path.ends_with("/v1.0") { path.to_owned() } else { format!("{path}/v1.0") };
        let base = format!("{}{path}", graph.origin().ascii_serialization());
        let token =
            format!("{}{}/{tenant}/oauth2/v2.0/token", login.origin().ascii_serialization(), login.path().trim_end_matches('/'));
        let scope = match graph.host_str() {
            Some(host) if CLOUDS.contains(&host) => format!("https://{host}/.default"),
            _ => DEFAULT_SCOPE.to_owned(),
        };
        Ok(Self { base, token_url: address("the sign-in address", &token)?, graph, scope })
    }

    /// The address of something in Graph. Query texts are written by us, so a parse failure means the path is not one.
    pub fn graph(&self, path_and_query: &str) -> Result<Url, SourceError> {
        let text = format!("{}/{path_and_query}", self.base);
        Url::parse(&text)
            .map_err(|e| SourceError::BadConnection { what: "the Graph address", problem: format!("is not an address ({e})") })
    }

    /// A link as received, if it leads to the connection's own Graph; a token goes nowhere else.
    ///
    /// # Errors
    /// [`SourceError::ForeignLink`].
    pub fn link(&self, link: &str) -> Result<Url, SourceError> {
        let expected = self.graph.origin().ascii_serialization();
        let foreign = |found| SourceError::ForeignLink { expected: expected.clone(), found };
        let url = Url::parse(link).map_err(|_| foreign(crate::error::excerpt(link.as_bytes())))?;
        if url.origin() != self.graph.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(foreign(crate::error::word(&url.origin().ascii_serialization())));
        }
        Ok(url)
    }

    /// Graph's host and port, for messages.
    pub fn graph_host(&self) -> String {
        host_of(&self.graph)
    }

    /// The identity platform's host and port, for messages.
    pub fn login_host(&self) -> String {
        host_of(&self.token_url)
    }
}

/// Host, and port where it is not the usual one.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether an address is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn address(what: &'static str, text: &str) -> Result<Url, SourceError> {
    let bad = |problem: &str| SourceError::BadConnection { what, problem: problem.to_owned() };
    let url = Url::parse(text.trim()).map_err(|_| bad("is not an address: write it as https://HOST"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(bad(
                "starts with http, which would send secrets in the clear: use https (http only works for this machine)",
            ));
        }
        _ => return Err(bad("must start with https://")),
    }
    if !url.has_host()
        || !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(bad("must be no more than https://HOST, with a path where a gateway needs one"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(graph: &str, login: &str, tenant: &str) -> GraphConnection {
        GraphConnection {
            graph_url: graph.to_owned(),
            login_url: login.to_owned(),
            tenant: tenant.to_owned(),
            client_id: "app".to_owned(),
            secret: "s3cret".into(),
        }
    }

    fn base_of(graph: &str) -> String {
        let e = Endpoints::of(&connection(graph, "https://login.microsoftonline.com", "contoso.com")).expect("endpoints");
        e.graph("users").expect("a url").to_string()
    }

    #[test]
    fn the_version_is_added_once_and_prefixes_stay() {
        assert_eq!(base_of("https://graph.microsoft.com"), "https://graph.microsoft.com/v1.0/users");
        assert_eq!(base_of("https://graph.microsoft.com/v1.0/"), "https://graph.microsoft.com/v1.0/users");
        assert_eq!(base_of("https://gate.example/graph/"), "https://gate.example/graph/v1.0/users");
        assert_eq!(base_of("http://127.0.0.1:4010"), "http://127.0.0.1:4010/v1.0/users");
    }

    #[test]
    fn each_cloud_is_its_own_scope() {
        let of = |g| Endpoints::of(&connection(g, "https://login.microsoftonline.us", "contoso.com")).expect("endpoints").scope;
        assert_eq!(of("https://graph.microsoft.us"), "https://graph.microsoft.us/.default");
        assert_eq!(of("http://localhost:9000"), "https://graph.microsoft.com/.default");
    }

    #[test]
    fn secrets_never_travel_in_the_clear_and_bad_settings_are_named() {
        let refused = |g: &str, l: &str, t: &str| Endpoints::of(&connection(g, l, t)).expect_err("refused").to_string();
        assert!(refused("http://graph.example", "https://login.example", "a.b").contains("the Graph address starts with http"));
        assert!(refused("https://g.example", "http://10.0.0.1", "a.b").contains("the sign-in address starts with http"));
        assert!(refused("https://g.example", "https://l.example", "a/../b").contains("the tenant is neither"));
        assert!(refused("https://g.example", "https://l.example", "Common").contains("one tenant at a time"));
        assert!(refused("https://u:p@g.example", "https://l.example", "a").contains("no more than https://HOST"));
        assert!(!format!("{:?}", connection("a", "b", "c")).contains("s3cret"));
    }

    #[test]
    fn a_link_must_stay_at_home() {
        let e = Endpoints::of(&connection("https://graph.microsoft.com", "https://login.example", "a")).expect("endpoints");
        assert!(e.link("https://graph.microsoft.com:443/v1.0/users/delta?$skiptoken=x").is_ok());
        for link in [
            "https://graph.microsoft.com.evil.example/",
            "http://graph.microsoft.com/",
            "https://graph.microsoft.com:8443/",
            "https://graph.microsoft.com@evil.example/",
            "https://me:pw@graph.microsoft.com/",
            "/v1.0/users",
            "",
        ] {
            assert_eq!(e.link(link).expect_err("refused").kind(), "foreign_link", "{link}");
        }
    }
}
