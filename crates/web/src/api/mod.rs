//! The REST API under `/api/v1`: one file a resource, each handler beside its documentation. `docs/api-design.md` holds the
//! conventions.

pub(crate) mod answers;
pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod connections;
pub(crate) mod editors;
pub(crate) mod events;
mod exact;
pub(crate) mod explain;
pub(crate) mod input;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod policies;
pub(crate) mod review;
pub(crate) mod runs;
pub(crate) mod tenants;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod what_if;

use crate::problem::{Fault, Problem};
use crate::state::AppState;
use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall",
        description = "Keeps a PSA's agents and contacts in step with Microsoft Entra ID. Every answer that is not a success is a \
            problem document (RFC 9457) with a stable `code`. Lists are paged by opaque cursor.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    modifiers(&Schemes),
    // What only error answers and query parameters name is not collected by itself.
    components(schemas(
        Problem,
        Fault,
        people::LinkedWord,
        people::PersonKind,
        people::PersonStatus,
        review::ItemState,
        review::Why,
        runs::ChangeStatus,
        runs::ChangeVerb,
        runs::State_,
        users::OutcomeWord
    )),
    tags(
        (name = "overview", description = "The whole at a glance"),
        (name = "connections", description = "App registrations through which tenants are read"),
        (name = "tenants", description = "Entra directories and the clients they are mapped to"),
        (name = "users", description = "Who a directory holds, where they stand and why"),
        (name = "clients", description = "The PSA's clients"),
        (name = "people", description = "The PSA's agents and contacts"),
        (name = "runs", description = "Reading, planning and applying"),
        (name = "review", description = "What waits for a person"),
        (name = "policies", description = "What decides"),
        (name = "tokens", description = "API tokens"),
        (name = "audit", description = "Who did what"),
    )
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = SecurityScheme::Http(
            Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("An API token, as created under Settings")).build(),
        );
        let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            crate::auth::cookie::SESSION,
            "The pages' session. Changes need its `X-CSRF-Token` header too",
        )));
        components.add_security_scheme("token", token);
        components.add_security_scheme("session", session);
    }
}

fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(overview::get))
        .routes(routes!(connections::list, connections::add))
        .routes(routes!(connections::get, connections::remove))
        .routes(routes!(connections::test))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::get))
        .routes(routes!(tenants::map, tenants::unmap))
        .routes(routes!(users::list))
        .routes(routes!(users::get))
        .routes(routes!(explain::user))
        .routes(routes!(explain::named))
        .routes(routes!(explain::record))
        .routes(routes!(clients::list, clients::create))
        .routes(routes!(clients::get))
        .routes(routes!(people::list))
        .routes(routes!(people::get, people::edit))
        .routes(routes!(people::history))
        .routes(routes!(runs::list))
        .routes(routes!(runs::start))
        .routes(routes!(runs::get))
        .routes(routes!(runs::changes))
        .routes(routes!(runs::reports))
        .routes(routes!(runs::approve))
        .routes(routes!(runs::reject))
        .routes(routes!(runs::revert))
        .routes(routes!(events::stream))
        .routes(routes!(review::list))
        .routes(routes!(review::get))
        .routes(routes!(review::choices))
        .routes(routes!(review::link))
        .routes(routes!(review::create))
        .routes(routes!(review::bulk))
        .routes(routes!(review::dismiss))
        .routes(routes!(review::reopen))
        .routes(routes!(policies::get_default, policies::put_default))
        .routes(routes!(policies::default_versions))
        .routes(routes!(policies::check))
        .routes(routes!(what_if::what_if))
        .routes(routes!(what_if::restore_default))
        .routes(routes!(what_if::restore_tenant))
        .routes(routes!(policies::get_tenant, policies::put_tenant))
        .routes(routes!(policies::effective))
        .routes(routes!(policies::tenant_versions))
        .routes(routes!(editors::groups))
        .routes(routes!(editors::tenant_settings, editors::patch_tenant))
        .routes(routes!(editors::default_settings, editors::patch_default))
        .routes(routes!(editors::count))
        .routes(routes!(editors::weigh))
        .routes(routes!(editors::mapped))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::remove))
        .routes(routes!(audit::list))
}

/// The API's routes, its own description among them.
pub(crate) fn routes() -> Router<AppState> {
    let (router, document) = documented().split_for_parts();
    let text: std::sync::Arc<str> = pretty(&document).into();
    router.route(
        "/api/v1/openapi.json",
        get(move || std::future::ready(([(http::header::CONTENT_TYPE, "application/json")], text.to_string()))),
    )
}

/// The OpenAPI 3.1 document, pretty and in a stable order.
#[must_use]
pub fn openapi() -> String {
    pretty(&documented().split_for_parts().1)
}

fn pretty(document: &utoipa::openapi::OpenApi) -> String {
    // A description of our own types has no way to fail to serialize; an empty text would fail every test that reads it.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    exact::make(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}
