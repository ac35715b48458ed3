//! `/people`: the PSA's agents and contacts.

use crate::api::answers::{Bodied, Contested, Known, List, Named, PAGE, PAGE_MAX, Queried};
use crate::api::input::{Body, Id, Query, Text, whole};
use crate::api::runs::Change;
use crate::auth::{Operator, Viewer};
use crate::problem::ApiError;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use model::records::Pin;
use model::{ClientId, Field, Fields, Kind, PersonId, SiteId, Status, TenantKey, Value, records};
use serde::Serialize;
use serde_json::Map;
use store::{PersonEdit, PersonFilter, PersonRow, PlanRow};
use utoipa::ToSchema;

/// An agent or a contact.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    /// Its number. It never changes.
    #[schema(minimum = 1)]
    pub id: i64,
    /// `agent` or `contact`.
    #[schema(value_type = PersonKind)]
    pub kind: &'static str,
    /// The client's number, for contacts.
    pub client: Option<i64>,
    /// The site's number.
    pub site: Option<i64>,
    /// `active`, `inactive` or `archived`.
    #[schema(value_type = PersonStatus)]
    pub status: &'static str,
    /// Whether the person may log in.
    pub access: bool,
    /// Log-in name.
    pub username: Option<String>,
    /// Main e-mail address.
    pub email: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Role.
    pub role: Option<String>,
    /// All other fields that hold a value, by name: phones, job title, further addresses, custom fields.
    pub fields: Map<String, Value>,
    /// The object id of the user it is linked to.
    pub linked_to: Option<String>,
    /// The tenant of that user.
    pub tenant: Option<i64>,
    /// The root user: exempt from any access change.
    pub root: bool,
    /// `true`, or the fields that sync leaves alone; null when none.
    pub pinned: Value,
    /// Tickets that name this person.
    #[schema(minimum = 0)]
    pub tickets: i64,
    /// Invoices that name this person.
    #[schema(minimum = 0)]
    pub invoices: i64,
    /// What the person stands for beyond itself.
    pub stands_for: Vec<String>,
    /// Counts up with every change, whoever made it.
    #[schema(minimum = 0)]
    pub version: i64,
}

/// What a person is in the PSA.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub enum PersonKind {
    /// Works in the PSA.
    Agent,
    /// A person at a client.
    Contact,
}

/// A record's status.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub enum PersonStatus {
    /// In use.
    Active,
    /// Deactivated.
    Inactive,
    /// Put aside by a kind change.
    Archived,
}

/// Whether a person is linked to a user.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a query parameter")]
pub enum LinkedWord {
    /// Linked.
    True,
    /// Not linked.
    False,
}

fn show(p: records::Person, linked: Option<(TenantKey, String)>) -> Person {
    let (tenant, linked_to) = linked.map_or((None, None), |(tenant, user)| (Some(tenant.0), Some(user)));
    Person {
        id: p.id.0,
        kind: p.kind.as_str(),
        client: p.client.map(|c| c.0),
        site: p.site.map(|s| s.0),
        status: p.status.as_str(),
        access: p.access,
        username: p.username,
        email: p.email,
        first_name: p.first_name,
        last_name: p.last_name,
        role: p.role,
        fields: p.fields.into_iter().map(|(f, v)| (f.as_str().to_owned(), v)).collect(),
        linked_to,
        tenant,
        root: p.root,
        pinned: p.pinned.map_or(Value::Null, |pin| serde_json::to_value(pin).unwrap_or_default()),
        tickets: p.tickets,
        invoices: p.invoices,
        stands_for: p.stands_for,
        version: p.version,
    }
}

/// The words of filters, for the API and the page alike.
pub const KINDS: &[(&str, Kind)] = &[("agent", Kind::Agent), ("contact", Kind::Contact)];
/// See [`KINDS`].
pub const STATUSES: &[(&str, Status)] =
    &[("active", Status::Active), ("inactive", Status::Inactive), ("archived", Status::Archived)];
/// See [`KINDS`].
pub const LINKED: &[(&str, bool)] = &[("true", true), ("false", false)];

/// People by name: all, or those found by a text and filters.
#[utoipa::path(
    get, path = "/api/v1/people", tag = "people", security(("token" = ["read"]), ("session" = [])),
    params(
        ("q" = Option<String>, Query, description = "Name, e-mail or username contains this, whatever its case",
            min_length = 1, max_length = 200, pattern = "line"),
        ("client" = Option<i64>, Query, description = "Of this client", minimum = 1),
        ("tenant" = Option<i64>, Query, description = "Linked to a user of this tenant", minimum = 1),
        ("kind" = Option<PersonKind>, Query, description = "Of this kind"),
        ("status" = Option<PersonStatus>, Query, description = "In this status"),
        ("linked" = Option<LinkedWord>, Query, description = "Linked to a user, or not"),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Person>), Known, Queried)
)]
pub async fn list(_: Viewer, State(state): State<AppState>, mut query: Query) -> Result<Json<List<Person>>, ApiError> {
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    let filter = PersonFilter {
        text: query.text("q", &Text::line(200)),
        client: query.integer("client", 1, i64::MAX).map(ClientId),
        tenant: query.integer("tenant", 1, i64::MAX).map(TenantKey),
        kind: query.choice("kind", KINDS),
        status: query.choice("status", STATUSES),
        linked: query.choice("linked", LINKED),
        after: query.integer("cursor", 1, i64::MAX).map(PersonId),
        limit: limit + 1,
    };
    query.finish()?;
    let rows = state.store().people(&filter).await?;
    let row = |r: PersonRow| show(r.person, r.linked.map(|(t, u)| (t, u.as_str().to_owned())));
    Ok(Json(List::of(rows, limit, |r: &PersonRow| r.person.id.to_string(), row)))
}

/// A person.
#[utoipa::path(
    get, path = "/api/v1/people/{id}", tag = "people", security(("token" = ["read"]), ("session" = [])),
    params(("id" = i64, Path, description = "The person's number", minimum = 1)),
    responses((status = 200, body = Person), Known, Named)
)]
pub async fn get(_: Viewer, State(state): State<AppState>, Id(id): Id) -> Result<Json<Person>, ApiError> {
    Ok(Json(one(&state, PersonId(id)).await?))
}

async fn one(state: &AppState, id: PersonId) -> Result<Person, ApiError> {
    let view = state.store().person_view(id).await?;
    Ok(show(view.person, view.link.map(|l| (l.tenant, l.source_id.as_str().to_owned()))))
}

/// A person's own edit. Only members that are given change; null clears. Such an edit stands until the user changes in Entra (or for
/// good, where the field is pinned).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read member by member to name every fault")]
pub struct PersonPatch {
    /// The version that was looked at: refused (409) when the record changed since. Not checked when absent.
    #[schema(minimum = 0, nullable = false)]
    version: Option<i64>,
    /// Given name.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    first_name: Option<String>,
    /// Family name.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    last_name: Option<String>,
    /// Log-in name.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    username: Option<String>,
    /// Main e-mail address.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    email: Option<String>,
    /// Role.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    role: Option<String>,
    /// Phone.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    phone: Option<String>,
    /// Mobile phone.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    mobile: Option<String>,
    /// Job title.
    #[schema(min_length = 1, max_length = 500, pattern = "line")]
    job_title: Option<String>,
    /// The client's number.
    #[schema(minimum = 1)]
    client: Option<i64>,
    /// The site's number.
    #[schema(minimum = 1)]
    site: Option<i64>,
    /// The status; a person's decision that sync does not undo.
    #[schema(nullable = false)]
    status: Option<PersonStatus>,
    /// Whether the person may log in.
    #[schema(nullable = false)]
    access: Option<bool>,
    /// The root user: exempt from any access change.
    #[schema(nullable = false)]
    root: Option<bool>,
    /// Whether sync leaves the whole record alone.
    #[schema(nullable = false)]
    pinned: Option<bool>,
}

const PATCH_TEXTS: [&str; 8] = ["first_name", "last_name", "username", "email", "role", "phone", "mobile", "job_title"];
const PATCH_TEXT: Text = Text::line(500);

/// Edits a person by hand.
#[utoipa::path(
    patch, path = "/api/v1/people/{id}", tag = "people", security(("token" = ["operate"]), ("session" = [])),
    params(("id" = i64, Path, description = "The person's number", minimum = 1)),
    request_body = PersonPatch,
    responses((status = 200, body = Person), Known, Named, Bodied, Contested)
)]
pub async fn edit(
    operator: Operator,
    State(state): State<AppState>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<Person>, ApiError> {
    let mut edit = PersonEdit { version: body.optional_integer("version", 0), ..PersonEdit::default() };
    for name in PATCH_TEXTS {
        match body.peek(name) {
            Some(Value::Null) => {
                body.drop_member(name);
                edit.set.insert(Field::new(name), Value::Null);
            }
            Some(_) => {
                let text = body.text(name, &PATCH_TEXT);
                edit.set.insert(Field::new(name), Value::from(text));
            }
            None => {}
        }
    }
    reference(&mut body, "client", &mut edit.set);
    reference(&mut body, "site", &mut edit.set);
    if body.peek("status").is_some() {
        let words: Vec<_> = STATUSES.iter().map(|(w, _)| (*w, *w)).collect();
        let status = body.choice("status", &words, "active");
        edit.set.insert(Field::STATUS, Value::from(status));
    }
    if body.peek("access").is_some() {
        edit.set.insert(Field::ACCESS, Value::Bool(body.switch("access", true)));
    }
    edit.root = body.peek("root").is_some().then(|| body.switch("root", false));
    edit.pinned = body.peek("pinned").is_some().then(|| body.switch("pinned", false).then_some(Pin::All(true)));
    body.finish()?;
    check_references(&state, &edit.set).await?;
    state.store().edit_person(PersonId(id), &edit, &operator.actor.to_string(), state.now()).await?;
    let names: Vec<&str> = edit.set.keys().map(Field::as_str).collect();
    let detail = serde_json::json!({ "fields": names });
    state.engine().audit(&operator.actor, "person.edit", &id.to_string(), detail).await?;
    Ok(Json(one(&state, PersonId(id)).await?))
}

/// A client's or site's number, or null.
fn reference(body: &mut Body, name: &str, set: &mut Fields) {
    let value = match body.peek(name) {
        None => return,
        Some(Value::Null) => Some(Value::Null),
        Some(value) => whole(value).filter(|n| *n > 0).map(Value::from),
    };
    body.drop_member(name);
    match value {
        Some(value) => {
            set.insert(Field::new(name), value);
        }
        None => body.fault(name, "This must be a number from 1, or null."),
    }
}

/// A record never names a client or site that does not exist.
async fn check_references(state: &AppState, set: &Fields) -> Result<(), ApiError> {
    let gone = |what: &str, id: i64| ApiError::Conflict {
        code: "reference_not_found".into(),
        detail: format!("there is no {what} {id}; name an existing one"),
    };
    if let Some(id) = set.get(&Field::CLIENT).and_then(Value::as_i64) {
        state.store().client(ClientId(id)).await.map_err(|e| if missing(&e) { gone("client", id) } else { e.into() })?;
    }
    if let Some(id) = set.get(&Field::SITE).and_then(Value::as_i64) {
        state.store().site(SiteId(id)).await.map_err(|e| if missing(&e) { gone("site", id) } else { e.into() })?;
    }
    Ok(())
}

fn missing(error: &store::StoreError) -> bool {
    matches!(error, store::StoreError::NotFound { .. })
}

/// What sync did to a person, newest first.
#[utoipa::path(
    get, path = "/api/v1/people/{id}/history", tag = "people", security(("token" = ["read"]), ("session" = [])),
    params(
        ("id" = i64, Path, description = "The person's number", minimum = 1),
        ("cursor" = Option<i64>, Query, description = "Where the page begins: `next` of the page before", minimum = 1),
        ("limit" = Option<i64>, Query, description = "Length of a page, 50 unless told", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = List<Change>), Known, Named, Queried)
)]
pub async fn history(
    _: Viewer,
    State(state): State<AppState>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<List<Change>>, ApiError> {
    let before = query.integer("cursor", 1, i64::MAX);
    let limit = query.integer("limit", 1, PAGE_MAX).unwrap_or(PAGE);
    query.finish()?;
    let person = state.store().person(PersonId(id)).await?.id;
    let rows = state.store().history(person, before, limit + 1).await?;
    Ok(Json(List::of(rows, limit, |r: &PlanRow| r.id.to_string(), Change::from)))
}
