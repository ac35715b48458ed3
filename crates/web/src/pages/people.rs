//! `/people`: search, and one person with where each value comes from.

use crate::api::input::Id;
use crate::api::people::{KINDS, LINKED, STATUSES};
use crate::api::users::name_of;
use crate::auth::Viewer;
use crate::pages::form::Params;
use crate::pages::plan::{history_row, names};
use crate::pages::templates::{FieldRow, LinkCard, People, PersonPage, PersonRow, Select};
use crate::pages::{PageResult, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Mark, Names, Page, Pager, Section, label, show as value_of};
use axum::extract::State;
use model::policy::{Derived, Source, Step};
use model::reason::Reason;
use model::records::{Link, Pin};
use model::{ClientId, Field, PersonId, RunId, Status, Value};
use std::collections::{BTreeMap, BTreeSet};
use store::{ChangeState, PersonFilter, PersonView};

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
    let links = match &view.link {
        Some(link) => vec![link_card(&state, link).await?],
        None => Vec::new(),
    };
    Ok(render(&PersonPage {
        page,
        name,
        kind: if view.person.kind == model::Kind::Agent { "Agent" } else { "Contact" },
        client: view.client.clone(),
        status: Mark::status(view.person.status),
        marks: marks(&view),
        fields: fields(&view, &names, &Origins::of(&state, &view, &history).await),
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

/// Every field that holds something, with where its value comes from.
fn fields(view: &PersonView, names: &Names, origins: &Origins) -> Vec<FieldRow> {
    let person = &view.person;
    let standard = Field::STANDARD.iter().map(|name| Field::new(name));
    let custom = person.fields.keys().filter(|f| !Field::STANDARD.contains(&f.as_str())).cloned();
    let always = [Field::FIRST_NAME, Field::LAST_NAME, Field::EMAIL, Field::USERNAME, Field::STATUS];
    standard
        .chain(custom)
        .map(|field| (value_of(&field, &person.get(&field), names), field))
        .filter(|(value, field)| !value.is_empty() || always.contains(field))
        .map(|(value, field)| FieldRow { name: label(field.as_str()), origin: origin(view, &field, names, origins), value })
        .collect()
}

/// What is known of where values come from.
#[derive(Default)]
struct Origins {
    /// What sync wrote last, by field, and in which run.
    written: BTreeMap<Field, (Value, RunId)>,
    /// Fields whose last value was a default, because Entra held none.
    defaulted: BTreeSet<Field>,
    /// The attribute each field is mapped from.
    mapped: BTreeMap<Field, String>,
}

impl Origins {
    async fn of(state: &AppState, view: &PersonView, history: &[store::PlanRow]) -> Self {
        let mut origins = Self::default();
        for row in history.iter().filter(|row| row.state == ChangeState::Applied) {
            let default = |field: &Field| {
                row.change.reasons.iter().any(|r| matches!(r, Reason::Defaulted { field: defaulted } if defaulted == field))
            };
            for (field, value) in &row.change.set {
                if !origins.written.contains_key(field) {
                    origins.written.insert(field.clone(), (value.clone(), row.run));
                    if default(field) {
                        origins.defaulted.insert(field.clone());
                    }
                }
            }
        }
        // A policy that does not load (after a downgrade) only costs the attributes' names.
        if let Some(link) = &view.link
            && let Ok((loaded, _)) = state.engine().effective_policy(link.tenant).await
        {
            let mappings = loaded.policy.fields.of(view.person.kind).iter();
            origins.mapped = mappings.filter_map(|(f, m)| Some((f.clone(), attribute(m.source.as_ref()?)))).collect();
        }
        origins
    }
}

/// The attribute a mapping reads, as Graph names it.
fn attribute(source: &Source) -> String {
    match source {
        Source::Attribute(steps) => steps.iter().fold(String::new(), |path, step| match step {
            Step::Name(name) if path.is_empty() => name.clone(),
            Step::Name(name) => format!("{path}.{name}"),
            Step::Index(n) => format!("{path}[{n}]"),
        }),
        Source::Derived(Derived::FirstName) => "givenName".into(),
        Source::Derived(Derived::LastName) => "surname".into(),
        Source::Derived(Derived::MailOrGuest) => "mail".into(),
        Source::Derived(Derived::MailOrUpn) => "mail or userPrincipalName".into(),
        Source::Derived(Derived::UpnLocalPart | Derived::Upn) => "userPrincipalName".into(),
        Source::Derived(Derived::OtherAddresses) => "proxyAddresses".into(),
        Source::Expression(expression) => expression.text().into(),
        Source::Manager => "manager".into(),
    }
}

/// Where a field's value comes from.
fn origin(view: &PersonView, field: &Field, names: &Names, origins: &Origins) -> String {
    if pinned(view, field) {
        return "Pinned: sync leaves it".into();
    }
    let by_hand = || if view.target == store::EMBEDDED { "Kept here".into() } else { format!("Adopted from {}", view.target) };
    match origins.written.get(field) {
        Some((wrote, run)) if *wrote == view.person.get(field) && origins.defaulted.contains(field) => {
            format!("Default: Entra holds no value (run {run})")
        }
        Some((wrote, run)) if *wrote == view.person.get(field) => match origins.mapped.get(field) {
            Some(attribute) => format!("Entra: {attribute} (run {run})"),
            None => format!("Decided by the policy (run {run})"),
        },
        Some((wrote, run)) => match value_of(field, wrote, names) {
            empty if empty.is_empty() => format!("Edited here; run {run} had cleared it"),
            wrote => format!("Edited here; run {run} wrote “{wrote}”"),
        },
        None => by_hand(),
    }
}

fn pinned(view: &PersonView, field: &Field) -> bool {
    match &view.person.pinned {
        Some(Pin::All(all)) => *all,
        Some(Pin::Fields(fields)) => fields.contains(field),
        None => false,
    }
}

async fn link_card(state: &AppState, link: &Link) -> Result<LinkCard, ApiError> {
    let user = state.store().user(link.user).await?;
    let tenant = state.store().tenant(link.tenant).await?;
    // Explaining reads the policy, which may not load after a downgrade: the page is worth showing without it.
    let (why, next) = match state.engine().explain(link.tenant, link.source_id.as_str()).await {
        Ok(explained) => {
            let all = explained.stages.into_iter().filter(|s| s.stage != "Next").flat_map(|s| s.sentences);
            (all.collect(), if explained.next.is_empty() { vec!["Nothing now.".to_owned()] } else { explained.next })
        }
        Err(error) => (vec![error.to_string()], Vec::new()),
    };
    Ok(LinkCard {
        href: format!("/users/{}", link.user),
        user: name_of(&user),
        tenant: tenant.name,
        tenant_href: format!("/tenants/{}", link.tenant),
        mark: Mark::presence(user.presence),
        rule: link.rule.as_ref().map(|r| r.0.clone()),
        why,
        next,
    })
}
