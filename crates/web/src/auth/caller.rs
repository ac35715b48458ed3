//! The caller of a request and the authority types that handlers take.

use crate::auth::csrf;
use crate::auth::session;
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::link;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use std::convert::Infallible;
use sync::Actor;

/// What a caller may do; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look.
    Read,
    /// Start, approve and reject runs, decide review items, edit people and clients.
    Operate,
    /// Connections, policies, tokens and accounts.
    Admin,
}

impl Scope {
    /// Every scope with its word.
    pub const WORDS: &[(&'static str, Scope)] = &[("read", Scope::Read), ("operate", Scope::Operate), ("admin", Scope::Admin)];

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, s)| *s)
    }
}

/// Somebody we know.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who acts, for the journal.
    pub actor: Actor,
    /// What they may do.
    pub scope: Scope,
    /// The token their forms carry; none for programs.
    pub csrf: Option<String>,
}

/// Finds out who calls and refuses changes that come from other sites. Runs once for every request but assets and health.
pub async fn layer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    if !csrf::same_origin(request.method(), request.headers(), state.origin()) {
        return refuse(
            api,
            ApiError::Forbidden {
                code: "cross_site",
                detail: "this request was sent by another site; open Rollcall itself and try again there".into(),
            },
        );
    }
    let caller = match session::find(&state, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return refuse(api, error),
    };
    if let Some(caller) = caller {
        if let Some(token) = caller.csrf.as_deref().filter(|_| api && !request.method().is_safe()) {
            let given = request.headers().get("x-csrf-token").and_then(|v| v.to_str().ok()).unwrap_or_default();
            if !csrf::equal(token, given) {
                let detail = "a session changes things through the API only with its `X-CSRF-Token` header; programs use a token";
                return refuse(api, ApiError::Forbidden { code: "csrf", detail: detail.into() });
            }
        }
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn refuse(api: bool, error: ApiError) -> Response {
    if api { error.into_response() } else { crate::pages::PageError::from(error).into_response() }
}

/// Why an authority could not be obtained: a problem for programs, the way to the sign-in page for people.
pub enum Refused {
    /// For programs.
    Api(ApiError),
    /// For people who are not signed in.
    SignIn(String),
    /// For people who may not.
    Page(ApiError),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Api(error) => error.into_response(),
            Refused::SignIn(to) => Redirect::to(&to).into_response(),
            Refused::Page(error) => crate::pages::PageError::from(error).into_response(),
        }
    }
}

fn obtain(parts: &Parts, needed: Scope) -> Result<Caller, Refused> {
    let path = parts.uri.path();
    let api = path.starts_with("/api/");
    match parts.extensions.get::<Caller>() {
        None if api => Err(Refused::Api(ApiError::Unauthenticated(
            "send an API token as `Authorization: Bearer …`; an administrator creates one under Settings",
        ))),
        None => {
            // Only pages can be gone back to; what a form would have done is not done later by surprise.
            let next =
                if parts.method == http::Method::GET { parts.uri.path_and_query().map_or("/", |p| p.as_str()) } else { "/" };
            Err(Refused::SignIn(link("/sign-in", &[("next", if next == "/" { "" } else { next })])))
        }
        Some(caller) if caller.scope >= needed => Ok(caller.clone()),
        Some(caller) => {
            let detail = format!(
                "this needs the scope `{}`, and the caller has `{}`; an administrator can create a token with more",
                needed.word(),
                caller.scope.word()
            );
            let error = ApiError::Forbidden { code: "insufficient_scope", detail };
            Err(if api { Refused::Api(error) } else { Refused::Page(error) })
        }
    }
}

macro_rules! authority {
    ($($(#[$doc:meta])* $name:ident($scope:ident);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(Caller);

        impl std::ops::Deref for $name {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = Refused;

            async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Refused> {
                obtain(parts, Scope::$scope).map(Self)
            }
        }
    )*};
}

authority! {
    /// May look.
    Viewer(Read);
    /// May run, approve, decide and edit.
    Operator(Operate);
    /// May connect, set policies and let others in.
    Admin(Admin);
}

impl OptionalFromRequestParts<AppState> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Option<Self>, Infallible> {
        Ok(obtain(parts, Scope::Read).ok().map(Self))
    }
}
