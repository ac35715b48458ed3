//! What can go wrong with a directory: one variant per thing a person can do about it.

use std::time::Duration;

/// Why a directory could not be read. The text is one sentence with the next step; ids for support are in [`SourceError::trace`].
/// Neither a secret nor a token is ever part of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The connection itself is wrong: an address that is none, or one that would send secrets in the clear.
    #[error("{what} {problem}")]
    BadConnection {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// AADSTS7000215, 7000218 and other `invalid_client`.
    #[error(
        "the client secret of app {client_id} is wrong: copy the secret's value (not its id) from Entra admin center › App \
         registrations › {client_id} › Certificates & secrets and save it with `rollcall secrets set`"
    )]
    WrongSecret {
        /// The app.
        client_id: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// AADSTS7000222.
    #[error(
        "the client secret of app {client_id} has expired: create a new one in Entra admin center › App registrations › \
         {client_id} › Certificates & secrets and save it with `rollcall secrets set`"
    )]
    SecretExpired {
        /// The app.
        client_id: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// AADSTS700016: no service principal of the app in the tenant.
    #[error(
        "app {client_id} is not known in tenant {tenant}: check the client id, and let an administrator of that tenant grant \
         consent to the app"
    )]
    AppNotInTenant {
        /// The app.
        client_id: String,
        /// The tenant as given.
        tenant: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// AADSTS90002 and the like.
    #[error(
        "tenant {tenant} was not found: check the tenant id or domain, and that the sign-in address {login} is the one of its cloud"
    )]
    TenantNotFound {
        /// The tenant as given.
        tenant: String,
        /// The login address's host.
        login: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// A permission was never consented, or consent was withdrawn.
    #[error(
        "app {client_id} lacks the permission {permission} in tenant {tenant}: add it in Entra admin center › App registrations › \
         {client_id} › API permissions › Microsoft Graph › Application permissions, then choose “Grant admin consent”"
    )]
    ConsentMissing {
        /// The permission that would do.
        permission: &'static str,
        /// The app.
        client_id: String,
        /// The tenant as given.
        tenant: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// AADSTS7000112: the tenant switched the app off.
    #[error(
        "app {client_id} is disabled in tenant {tenant}: an administrator of that tenant can enable it in Entra admin center › \
         Enterprise applications › {client_id} › Properties › Enabled for users to sign in"
    )]
    AppDisabled {
        /// The app.
        client_id: String,
        /// The tenant as given.
        tenant: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// No answer at all: name not found, refused, timed out, a certificate that is not trusted.
    #[error(
        "{host} cannot be reached ({detail}): check the address, the network, the proxy settings and the firewall, then try again"
    )]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the connection said.
        detail: String,
    },
    /// Told to slow down for longer than we wait, or too often.
    #[error(
        "Microsoft asks to slow down and try again in {} s: nothing needs to be done, the next run goes on from here", .retry_after.as_secs()
    )]
    Throttled {
        /// How long to wait before the next try.
        retry_after: Duration,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// Something answered that is not Microsoft Graph (or its identity platform), or not as documented.
    #[error("{host} did not answer like {service}: expected {expected}, got {got}; check the address and any proxy in between")]
    NotGraph {
        /// Host and port.
        host: String,
        /// `Microsoft Graph` or `the Microsoft identity platform`.
        service: &'static str,
        /// What was expected.
        expected: &'static str,
        /// What came: the parser's words and the first bytes, escaped.
        got: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// The stored position is no longer valid: read everything again, once, from [`model::directory::Cursor::Refresh`].
    #[error(
        "Microsoft no longer knows how far this directory was read ({code}): it is read in full again, which needs nothing from you"
    )]
    Resync {
        /// Graph's code, or the status where there was none.
        code: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// Refused although the permission seems to be there (a policy, a feature of another licence).
    #[error(
        "Microsoft Graph refuses {what} ({code}) although the app's permissions allow it: look for a restriction on app {client_id} \
         in tenant {tenant}, such as a Conditional Access policy for workload identities"
    )]
    PermissionDenied {
        /// What was asked for.
        what: &'static str,
        /// Graph's code.
        code: String,
        /// The app.
        client_id: String,
        /// The tenant as given.
        tenant: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// What only tenants with a premium licence are given.
    #[error(
        "Microsoft gives {what} only to tenants with Entra ID P1 or P2, and {tenant} has neither: add a licence, or take out of the policy \
         what needs it"
    )]
    NeedsPremium {
        /// What was asked for.
        what: &'static str,
        /// The tenant as given.
        tenant: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// A new token was refused as well.
    #[error(
        "Microsoft Graph at {host} does not accept tokens from {login} ({code}): check that both addresses belong to the same cloud \
         and that this machine's clock is right"
    )]
    TokenRejected {
        /// Graph's host.
        host: String,
        /// The login address's host.
        login: String,
        /// Graph's code.
        code: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
    /// A link points elsewhere; no token was sent there.
    #[error(
        "a link to {found} was given where only {expected} is allowed, and was not followed: if a proxy rewrites addresses, set the \
         connection's Graph address to the one in the links"
    )]
    ForeignLink {
        /// The connection's own origin.
        expected: String,
        /// The origin of the link.
        found: String,
    },
    /// Pages that lead in a circle, or on and on.
    #[error(
        "Microsoft Graph's list has no end ({got}): the next run reads it from its beginning; if it stays so, check the Graph address and \
         any proxy in between"
    )]
    Endless {
        /// How that was seen.
        got: String,
    },
    /// Any other refusal or failure.
    #[error(
        "{host} answered {status}{}{said} and did not recover: try again later, and if it stays, show Microsoft support the request id in the log",
        if .code.is_empty() { String::new() } else { format!(" {code}") }
    )]
    Server {
        /// Who answered.
        host: String,
        /// The code in the answer.
        code: String,
        /// HTTP status.
        status: u16,
        /// What it said beside the code, made fit for a message by [`said`]; empty when it said nothing.
        said: String,
        /// Ids for support.
        trace: Box<Trace>,
    },
}

/// What Microsoft's support asks for. Goes to the log, not into the sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// `request-id`, or the identity platform's `trace_id`.
    pub request_id: Option<String>,
    /// `client-request-id`, or the identity platform's `correlation_id`.
    pub client_request_id: Option<String>,
}

impl SourceError {
    /// A stable word for logs, the API and tests.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadConnection { .. } => "bad_connection",
            Self::WrongSecret { .. } => "wrong_secret",
            Self::SecretExpired { .. } => "secret_expired",
            Self::AppNotInTenant { .. } => "app_not_in_tenant",
            Self::TenantNotFound { .. } => "tenant_not_found",
            Self::ConsentMissing { .. } => "consent_missing",
            Self::AppDisabled { .. } => "app_disabled",
            Self::Unreachable { .. } => "unreachable",
            Self::Throttled { .. } => "throttled",
            Self::NotGraph { .. } => "not_graph",
            Self::Resync { .. } => "resync",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::NeedsPremium { .. } => "needs_premium",
            Self::TokenRejected { .. } => "token_rejected",
            Self::ForeignLink { .. } => "foreign_link",
            Self::Endless { .. } => "endless",
            Self::Server { .. } => "server",
        }
    }

    /// Whether the same call may succeed later although nobody did anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Throttled { .. } => true,
            Self::Server { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Ids for support, where Microsoft answered at all.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        match self {
            Self::WrongSecret { trace, .. }
            | Self::SecretExpired { trace, .. }
            | Self::AppNotInTenant { trace, .. }
            | Self::TenantNotFound { trace, .. }
            | Self::ConsentMissing { trace, .. }
            | Self::AppDisabled { trace, .. }
            | Self::Throttled { trace, .. }
            | Self::NotGraph { trace, .. }
            | Self::Resync { trace, .. }
            | Self::PermissionDenied { trace, .. }
            | Self::NeedsPremium { trace, .. }
            | Self::TokenRejected { trace, .. }
            | Self::Server { trace, .. } => Some(trace),
            Self::BadConnection { .. } | Self::Unreachable { .. } | Self::ForeignLink { .. } | Self::Endless { .. } => None,
        }
    }
}

/// A foreign text made fit for a message: at most 120 characters, control characters escaped.
#[must_use]
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 120;
    let head = &bytes[..bytes.len().min(SHOWN)];
    let text: String = String::from_utf8_lossy(head).chars().flat_map(char::escape_debug).collect();
    if bytes.len() > SHOWN { format!("“{text}…” ({} bytes)", bytes.len()) } else { format!("“{text}”") }
}

/// A foreign sentence, to stand in brackets behind a code; nothing where there is none.
#[must_use]
pub(crate) fn said(text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!(" ({})", excerpt(text.trim().as_bytes())) }
}

/// A foreign code or id made fit for a message: at most 100 visible characters.
#[must_use]
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_escaped_and_bounded() {
        assert_eq!(excerpt(b"a\x1b[31m\r\n\""), r#"“a\u{1b}[31m\r\n\"”"#);
        assert!(excerpt(&vec![b'x'; 9_000_000]).len() < 200);
        assert_eq!(word("Request_\u{0}BadRequest\n"), "Request_BadRequest");
    }
}
