//! `/people`: search, and one person with where each value comes from.

use crate::api::input::Id;
use crate::api::people::{KINDS, LINKED, STATUSES};
use crate::api::users::name_of;
use crate::auth::Viewer;
use crate::pages::form::Params;
use crate::pages::plan::{history_row, names};
use crate::pages::templates::{FieldRow, LinkCard, People, PersonPage, PersonRow, Select, Stage};
use crate::pages::{PageResult, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Mark, Names, Page, Pager, Section, label, show as value_of};
use axum::extract::State;
use model::records::{Link, Pin};
use model::{ClientId, Field, PersonId, Status};
use store::{PersonFilter, PersonView};
use sync::{Explanation, FieldView};

/// People on a page.
const ROWS: i64 = 50;
/// Changes shown on a person's page.
const HISTORY: i64 = 50;

/// `GET /people`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult {
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::People, "People").await? };
    let (q, kind, status, linked) = (params.text("q"), params.text("kind"), params.text("status"), params.text("linked"));
    let client = params.number("client");
    let after = params.number("after");
    let filter = PersonFilter {
        text: Some(q.to_owned()).filter(|q| !q.is_empty()),
        client: client.map(ClientId),
        tenant: None,
        kind: word(KINDS, kind),
        status: word(STATUSES, status),
        linked: word(LINKED, linked),
        after: after.map(PersonId),
        limit: ROWS + 1,
    };
    let mut people = state.store().people(&filter).await?;
    let more = people.len() > usize::try_from(ROWS).unwrap_or(0);
    people.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = people.last().filter(|_| more).map(|p| p.person.id.to_string());
    let client_word = client.map(|c| c.to_string()).unwrap_or_default();
    let filters = [("q", q), ("client", client_word.as_str()), ("kind", kind), ("status", status), ("linked", linked)];
    let pager = Pager::new("/people", &filters, after.map(|_| ""), next.as_deref());
    let rows = people.into_iter().map(|row| PersonRow {
        id: row.person.id.0,
        name: row.person.display_name(),
        email: row.person.email.unwrap_or_default(),
        username: row.person.username.unwrap_or_default(),
        client: row.client.unwrap_or_default(),
        kind: row.person.kind.as_str(),
        status: Mark::status(row.person.status),
        linked: row.linked.is_some(),
    });
    let selects = selects(&state, &client_word, kind, status, linked).await?;
    let filtered = filters.iter().any(|(_, v)| !v.is_empty()) || after.is_some();
    Ok(render(&People { page, q: q.to_owned(), selects, rows: rows.collect(), filtered, pager })?)
}

fn word<T: Copy>(words: &[(&str, T)], given: &str) -> Option<T> {
    words.iter().find(|(w, _)| *w == given).map(|(_, meaning)| *meaning)
}

async fn selects(state: &AppState, client: &str, kind: &str, status: &str, linked: &str) -> Result<Vec<Select>, ApiError> {
    let options = |words: &[(&str, &str)]| words.iter().map(|(v, t)| ((*v).to_owned(), (*t).to_owned())).collect::<Vec<_>>();
    let mut clients = options(&[("", "All clients")]);
    clients.extend(state.store().clients().await?.into_iter().map(|c| (c.id.to_string(), c.name)));
    let kinds = options(&[("", "All kinds"), ("agent", "Agents"), ("contact", "Contacts")]);
    let statuses = options(&[("", "Any status"), ("active", "Active"), ("inactive", "Inactive"), ("archived", "Archived")]);
    let links = options(&[("", "Linked or not"), ("true", "Linked to a user"), ("false", "Not linked")]);
    let select = |name, label, options, chosen: &str| Select { name, label, options, chosen: chosen.to_owned() };
    Ok(vec![
        select("client", "Client", clients, client),
        select("kind", "Kind", kinds, kind),
        select("status", "Status", statuses, status),
        select("linked", "Link", links, linked),
    ])
}

/// `GET /people/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let view = state.store().person_view(PersonId(id)).await?;
    let name = view.person.display_name();
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::People, name.clone()).await? };
    let names = names(&state).await?;
    let history = state.store().history(view.person.id, None, HISTORY).await?;
    // Explaining reads the policy, which may not load after a downgrade: the page is worth showing without it.
    let (explained, user, unexplained) = match state.engine().explain_record(view.person.id).await {
        Ok(e) => (Some(e.fields), e.user, None),
        Err(error) => (None, None, Some(error.to_string())),
    };
    let links = match &view.link {
        Some(link) => vec![link_card(&state, link, user, unexplained).await?],
        None => Vec::new(),
    };
    Ok(render(&PersonPage {
        page,
        name,
        kind: if view.person.kind == model::Kind::Agent { "Agent" } else { "Contact" },
        client: view.client.clone(),
        status: Mark::status(view.person.status),
        marks: marks(&view),
        fields: fields(&view, &names, explained),
        links,
        history: history.into_iter().map(|row| history_row(row, &names)).collect(),
    })?)
}

fn marks(view: &PersonView) -> Vec<Mark> {
    let person = &view.person;
    let pinned = !matches!(person.pinned, None | Some(Pin::All(false)));
    let facts = [
        (person.root, Mark::new("info", "root user")),
        (pinned, Mark::new("info", "pinned")),
        (!person.access && person.status == Status::Active, Mark::new("bad", "access revoked")),
        (person.tickets > 0, Mark::new("", "has tickets")),
        (person.invoices > 0, Mark::new("", "has invoices")),
    ];
    facts.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect()
}

/// Every field that holds something, with where its value comes from; by the record alone when it cannot be explained.
fn fields(view: &PersonView, names: &Names, explained: Option<Vec<FieldView>>) -> Vec<FieldRow> {
    let told = |f: FieldView| FieldRow { name: label(f.field.as_str()), value: f.shown, origin: f.sentence };
    if let Some(fields) = explained {
        return fields.into_iter().map(told).collect();
    }
    let person = &view.person;
    let standard = Field::STANDARD.iter().map(|name| Field::new(name));
    let custom = person.fields.keys().filter(|f| !Field::STANDARD.contains(&f.as_str())).cloned();
    let row = |field: Field| FieldRow {
        name: label(field.as_str()),
        value: value_of(&field, &person.get(&field), names),
        origin: String::new(),
    };
    standard.chain(custom).map(row).filter(|row| !row.value.is_empty()).collect()
}

async fn link_card(
    state: &AppState,
    link: &Link,
    explained: Option<Explanation>,
    unexplained: Option<String>,
) -> Result<LinkCard, ApiError> {
    let user = state.store().user(link.user).await?;
    let tenant = state.store().tenant(link.tenant).await?;
    let (stages, otherwise, next) = match explained {
        Some(e) => why(e),
        None => (vec![Stage { name: "Policy".into(), sentences: unexplained.into_iter().collect() }], Vec::new(), Vec::new()),
    };
    Ok(LinkCard {
        href: format!("/users/{}", link.user),
        user: name_of(&user),
        tenant: tenant.name,
        tenant_href: format!("/tenants/{}", link.tenant),
        mark: Mark::presence(user.presence),
        rule: link.rule.as_ref().map(ToString::to_string),
        stages,
        otherwise,
        next,
    })
}

/// An explanation as pages lay it out: stages, what could be otherwise, what is next.
pub fn why(e: Explanation) -> (Vec<Stage>, Vec<String>, Vec<String>) {
    let stages = e.stages.into_iter().filter(|s| s.stage != "Next");
    let stages = stages.map(|s| Stage { name: s.stage, sentences: s.sentences }).collect();
    let otherwise = e.otherwise.into_iter().map(|o| o.sentence).collect();
    (stages, otherwise, if e.next.is_empty() { vec!["Nothing now.".to_owned()] } else { e.next })
}
