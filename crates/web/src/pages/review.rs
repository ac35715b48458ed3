//! `/review`: what waits for a person, candidates side by side, and what they decide.

use crate::api::input::Id;
use crate::auth::{Caller, Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::plan::names;
use crate::pages::templates::{Column, DecidedRow, Fact, Review, ReviewPage, ReviewRow, Select};
use crate::pages::{PageError, PageResult, go, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Chip, Mark, Names, Note, Page, Pager, Section, When, label, link as address, show as value_of, thousands};
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use model::reason::ReviewWhy;
use model::records::Person;
use model::{Field, PersonId, TenantKey};
use std::collections::HashMap;
use store::ReviewFilter;
use sync::{CandidateView, ReviewAction, ReviewChoices, ReviewView};

/// Items on a page.
const ROWS: i64 = 50;
/// Candidates named in a row of the list; all of them stand on the item's page.
const NAMED: usize = 3;

const STATES: [(&str, &str); 5] = [
    ("open", "Waiting"),
    ("decided", "Being written"),
    ("resolved", "Resolved"),
    ("dismissed", "Dismissed"),
    ("closed", "Settled by itself"),
];

/// Fields that are compared, in this order.
const COMPARED: [Field; 9] = [
    Field::FIRST_NAME,
    Field::LAST_NAME,
    Field::EMAIL,
    Field::ADDITIONAL_EMAILS,
    Field::USERNAME,
    Field::JOB_TITLE,
    Field::PHONE,
    Field::ROLE,
    Field::EMPLOYEE_ID,
];

/// What of a user is compared: Graph's name, and the words.
const OF_USER: [(&str, &str); 9] = [
    ("givenName", "First name"),
    ("surname", "Last name"),
    ("mail", "E-mail"),
    ("proxyAddresses", "Other addresses"),
    ("userPrincipalName", "Principal name"),
    ("jobTitle", "Job title"),
    ("companyName", "Company"),
    ("department", "Department"),
    ("employeeId", "Employee ID"),
];

fn state_mark(state: &str) -> Mark {
    match state {
        "open" => Mark::new("warn", "waits"),
        "decided" => Mark::new("info", "being written"),
        "dismissed" => Mark::new("", "dismissed"),
        "resolved" => Mark::new("good", "resolved"),
        _ => Mark::new("good", "settled"),
    }
}

/// A reason in few words, for the filter.
fn short(why: ReviewWhy) -> &'static str {
    match why {
        ReviewWhy::AmbiguousMatch => "Several records",
        ReviewWhy::MatchedInOtherClient => "Another client's record",
        ReviewWhy::AlreadyLinked => "Linked to somebody else",
        ReviewWhy::InactiveMatch => "Inactive record",
        ReviewWhy::DuplicateInSource => "Same address twice in Entra",
        ReviewWhy::UsernameTaken => "Username taken",
        ReviewWhy::KindChange => "Other kind of record",
        ReviewWhy::ClientUnresolved => "Client not found",
        ReviewWhy::Returned => "Back again",
        ReviewWhy::NoMatch => "No record",
    }
}

/// What a list shows.
struct Shown {
    state: &'static str,
    tenant: Option<TenantKey>,
    why: Option<ReviewWhy>,
}

impl Shown {
    fn of(state: &str, tenant: Option<i64>, why: &str) -> Self {
        let state = STATES.iter().map(|(s, _)| *s).find(|s| *s == state).unwrap_or("open");
        let why = ReviewWhy::ALL.into_iter().find(|w| w.as_str() == why);
        Self { state, tenant: tenant.map(TenantKey), why }
    }

    fn filter(&self) -> ReviewFilter {
        ReviewFilter { tenant: self.tenant, state: Some(self.state.to_owned()), why: self.why, after: 0, limit: 0 }
    }

    fn href(&self, state: &str, note: &str) -> String {
        let tenant = self.tenant.map(|t| t.to_string()).unwrap_or_default();
        let why = self.why.map_or("", ReviewWhy::as_str);
        address("/review", &[("state", state), ("tenant", &tenant), ("why", why), ("note", note)])
    }
}

/// `GET /review`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, params: Params) -> PageResult {
    let shown = Shown::of(params.text("state"), params.number("tenant"), params.text("why"));
    listed(&state, &viewer, &shown, params.number("after"), params.note(), Vec::new()).await
}

async fn listed(
    state: &AppState,
    caller: &Caller,
    shown: &Shown,
    after: Option<i64>,
    note: Option<Note>,
    results: Vec<String>,
) -> PageResult {
    let page = Page { note, ..page(state, caller, Section::Review, "Review").await? };
    let filter = ReviewFilter { after: after.unwrap_or(0), limit: ROWS + 1, ..shown.filter() };
    let total = state.store().count_reviews(&filter).await?;
    let by_why = state.store().reviews_by_why(&filter).await?;
    let mut items = state.engine().review_items(&filter).await?;
    let more = items.len() > usize::try_from(ROWS).unwrap_or(0);
    items.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = items.last().filter(|_| more).map(|i| i.id.to_string());
    let chips = STATES.iter().map(|(s, text)| Chip {
        href: shown.href(s, ""),
        text: (*text).into(),
        count: if *s == shown.state { thousands(total) } else { String::new() },
        current: *s == shown.state,
    });
    let chips = chips.collect();
    let tenant = shown.tenant.map(|t| t.to_string()).unwrap_or_default();
    let why = shown.why.map_or("", ReviewWhy::as_str);
    let pager =
        Pager::new("/review", &[("state", shown.state), ("tenant", &tenant), ("why", why)], after.map(|_| ""), next.as_deref());
    let mut tenants = vec![(String::new(), "All tenants".to_owned())];
    tenants.extend(state.store().tenants().await?.into_iter().map(|t| (t.key.to_string(), t.name)));
    let mut whys = vec![(String::new(), "Any reason".to_owned())];
    let count = |why: ReviewWhy| by_why.iter().find(|(w, _)| *w == why).map_or(0, |(_, n)| *n);
    let listed = ReviewWhy::ALL.into_iter().filter(|w| count(*w) > 0 || Some(*w) == shown.why);
    whys.extend(listed.map(|w| (w.as_str().to_owned(), format!("{} ({})", short(w), count(w)))));
    let selects = vec![
        Select { name: "tenant", label: "Tenant", options: tenants, chosen: tenant.clone() },
        Select { name: "why", label: "Question", options: whys, chosen: why.to_owned() },
    ];
    let actions = match shown.state {
        _ if !page.operates => Vec::new(),
        "open" => vec![("link", "Link the only candidate"), ("create", "Create new records"), ("dismiss", "Dismiss")],
        "dismissed" | "decided" => vec![("reopen", "Open again")],
        _ => Vec::new(),
    };
    let rows = items.into_iter().map(|i| ReviewRow {
        id: i.id,
        user: i.user_name.unwrap_or_else(|| i.source_id.as_str().to_owned()),
        question: i.sentence,
        more: i.candidates.len().saturating_sub(NAMED),
        candidates: i.candidates.into_iter().take(NAMED).map(|c| (c.id.0, c.name)).collect(),
        tenant: i.tenant_name,
        at: When::ago(i.opened_at),
    });
    let rows = rows.collect();
    let filtered = shown.tenant.is_some() || shown.why.is_some() || after.is_some();
    let why = why.to_owned();
    let state = shown.state;
    Ok(render(&Review { page, chips, selects, state, total, filtered, rows, actions, tenant, why, results, pager })?)
}

fn action(word: &str) -> Option<ReviewAction> {
    let all = [ReviewAction::Link(None), ReviewAction::Create, ReviewAction::Dismiss, ReviewAction::Reopen];
    all.into_iter().find(|a| a.as_str() == word)
}

/// `POST /review`: decides about the items that were ticked, or about all that fit.
pub async fn bulk(operator: Operator, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    let number = |name: &str| form.text(name).parse::<i64>().ok().filter(|n| *n > 0);
    let shown = Shown::of(form.text("state"), number("tenant"), form.text("why"));
    let Some(action) = action(form.text("action")) else {
        return Err(PageError(ApiError::Conflict {
            code: "no_action".into(),
            detail: "say what is to be done with the items; go back and press one of the buttons".into(),
        }));
    };
    let ticked = form.ticked("item-");
    let done = if form.text("all") == "yes" {
        let seen = number("count").unwrap_or(0);
        state.engine().review_decide_all(&shown.filter(), action, seen, false, &operator.actor).await
    } else if ticked.is_empty() {
        Err(sync::Error::Refused("No item was chosen. Tick the ones you mean, then press the button again.".into()))
    } else {
        let wishes: Vec<_> = ticked.into_iter().map(|id| (id, action)).collect();
        state.engine().review_decide_many(&wishes, false, &operator.actor).await
    };
    let told = match done {
        Ok(done) if done.refused + done.waiting == 0 => {
            return Ok(go(shown.href(shown.state, "several")).into_response());
        }
        Ok(done) => {
            /// Sentences shown; the rest is counted.
            const TOLD: usize = 20;
            let odd: Vec<_> =
                done.outcomes.iter().filter(|o| !o.ok || matches!(o.state.as_deref(), Some("decided" | "open"))).collect();
            let mut told = vec![format!("{} done, {} waiting, {} refused.", done.done, done.waiting, done.refused)];
            told.extend(odd.iter().take(TOLD).map(|o| format!("Item {}: {}", o.item, o.sentence)));
            if odd.len() > TOLD {
                told.push(format!("And {} more.", odd.len() - TOLD));
            }
            told
        }
        Err(refused @ (sync::Error::Refused(_) | sync::Error::Invalid(_))) => vec![refused.to_string()],
        Err(other) => return Err(other.into()),
    };
    Ok(listed(&state, &operator, &shown, None, None, told).await?.into_response())
}

/// `GET /review/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    shown(&state, &viewer, id, params.note(), None).await
}

async fn shown(state: &AppState, caller: &Caller, id: i64, note: Option<Note>, error: Option<String>) -> PageResult {
    let item = state.engine().review_item(id).await?;
    let open = item.state == "open";
    let choices = if open { state.engine().review_choices(id).await? } else { ReviewChoices::default() };
    let name = item.user_name.clone().unwrap_or_else(|| item.source_id.as_str().to_owned());
    let page = Page { note, ..page(state, caller, Section::Review, name.clone()).await? };
    let history = state.engine().review_history(id).await?.into_iter().map(|d| DecidedRow {
        at: When::at(d.at),
        text: match (d.action.as_str(), d.record) {
            ("link", Some(record)) => format!("link record {record}"),
            ("create", _) => "create a new record".into(),
            ("dismiss", _) => "leave the user out".into(),
            (other, _) => other.to_owned(),
        },
        by: d.by,
        run: d.run.map(|r| r.0),
    });
    Ok(render(&ReviewPage {
        page,
        id,
        tenant: (item.tenant.0, item.tenant_name.clone()),
        state: state_mark(&item.state),
        question: item.sentence.clone(),
        open,
        reopen: matches!(item.state.as_str(), "dismissed" | "decided"),
        cannot_create: choices.create.clone(),
        kind: item.kind.as_str(),
        evidence: item.evidence.clone(),
        columns: columns(state, &item, &choices, &name).await?,
        help: help(&item).into(),
        run: item.run.map(|r| r.0),
        history: history.collect(),
        user: name,
        error,
    })?)
}

fn help(item: &ReviewView) -> &'static str {
    match item.state.as_str() {
        "open" => {
            "A choice acts at once and holds: later e-mail changes do not ask again. The item also settles by itself when its cause \
             goes away: a record is mended, a client is mapped, or a name becomes free."
        }
        "decided" if item.run.is_none() => {
            "Somebody has chosen. The tenant's first plan is not approved yet; the next sync makes the choice part of it."
        }
        "decided" => "Somebody has chosen, and a run writes it. When its plan is held, it waits for approval there.",
        "dismissed" => "Sync leaves this user alone. Open the item again to have the next run look at them anew.",
        "resolved" => "What was chosen is written, and holds. To take it back, revert the run that wrote it.",
        _ => "The cause went away, and sync went on by itself.",
    }
}

/// The user on the left, then each record that comes into question.
async fn columns(state: &AppState, item: &ReviewView, choices: &ReviewChoices, name: &str) -> Result<Vec<Column>, ApiError> {
    let names = names(state).await?;
    let user = state.store().user(item.user).await?;
    let met: Vec<&str> = item.candidates.iter().flat_map(|c| &c.met).map(|m| m.split_once(' ').map_or("", |(a, _)| a)).collect();
    let mut facts: Vec<Fact> = OF_USER
        .iter()
        .map(|(attribute, words)| {
            let value = crate::view::plain(user.attributes.get(*attribute));
            Fact { name: (*words).to_owned(), value, met: met.contains(attribute) }
        })
        .collect();
    let signed_in = item.reasons.iter().find_map(|reason| match reason {
        model::reason::Reason::SignedIn { record: None, at } => Some(at.clone()),
        _ => None,
    });
    facts.push(Fact { name: "Last sign-in".into(), value: signed_in.unwrap_or_default(), met: false });
    let mut columns = vec![Column {
        record: None,
        title: name.to_owned(),
        href: format!("/users/{}", item.user),
        mark: Mark::presence(user.presence),
        notes: Vec::new(),
        facts,
        refusal: None,
    }];
    let ids: Vec<PersonId> = item.candidates.iter().map(|c| c.id).collect();
    let people: HashMap<PersonId, Person> = state.store().people_by_id(&ids).await?.into_iter().map(|p| (p.id, p)).collect();
    for candidate in &item.candidates {
        if let Some(person) = people.get(&candidate.id) {
            columns.push(column(candidate, person, choices, &names));
        }
    }
    Ok(columns)
}

fn column(candidate: &CandidateView, person: &Person, choices: &ReviewChoices, names: &Names) -> Column {
    let addresses: Vec<String> =
        candidate.met.iter().filter_map(|m| m.split_once(' ')).map(|(_, address)| model::text::fold(address)).collect();
    let mut facts: Vec<Fact> = COMPARED
        .iter()
        .map(|field| {
            let value = value_of(field, &person.get(field), names);
            let met = field.is_address() && addresses.iter().any(|a| model::text::fold(&value).contains(a.as_str()));
            Fact { name: label(field.as_str()), value, met }
        })
        .collect();
    let mut fact = |name: &str, value: String| facts.push(Fact { name: name.to_owned(), value, met: false });
    fact("Client", candidate.client.clone().unwrap_or_default());
    fact("Met by", candidate.met.join(", "));
    fact("Name alike", candidate.alike.map(|p| format!("{p} %")).unwrap_or_default());
    fact("Last sign-in", candidate.last_sign_in.clone().unwrap_or_default());
    fact("Tickets", candidate.tickets.to_string());
    fact("Invoices", candidate.invoices.to_string());
    fact("Linked to", candidate.linked_to.clone().unwrap_or_default());
    let kind = if person.kind == model::Kind::Agent { "agent" } else { "contact" };
    let mut notes = vec![Mark::new("", kind)];
    if candidate.tickets > 0 {
        notes.push(Mark::new("info", "has tickets"));
    }
    if person.root {
        notes.push(Mark::new("info", "root user"));
    }
    Column {
        record: Some(candidate.id.0),
        title: candidate.name.clone(),
        href: format!("/people/{}", candidate.id),
        mark: Mark::status(person.status),
        notes,
        facts,
        refusal: choices.link.get(&candidate.id).cloned(),
    }
}

/// Decides about one item; what is refused stands on the item's page.
async fn decide(state: &AppState, operator: &Operator, id: i64, action: ReviewAction) -> PageResult<Response> {
    let page = format!("/review/{id}");
    match state.engine().review_decide(id, action, false, &operator.actor).await {
        Ok(outcome) => {
            let note = match outcome.state.as_deref() {
                Some("open") if action == ReviewAction::Reopen => "reopened",
                Some("open") => "open",
                Some("decided") => "decided",
                Some("dismissed") => "dismissed",
                _ => "resolved",
            };
            Ok(go_saying(&page, note).into_response())
        }
        Err(refused @ (sync::Error::Refused(_) | sync::Error::Store(store::StoreError::Conflict(_)))) => {
            let page: Html<String> = shown(state, operator, id, None, Some(refused.to_string())).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /review/{id}/link`.
pub async fn link(operator: Operator, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    match form.text("record").parse::<i64>().ok().filter(|n| *n > 0) {
        Some(record) => decide(&state, &operator, id, ReviewAction::Link(Some(PersonId(record)))).await,
        None => {
            let error = "A record is named by its number, as it stands in the address of the person's page.".to_owned();
            let page = shown(&state, &operator, id, None, Some(error)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// `POST /review/{id}/create`.
pub async fn create(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Response> {
    decide(&state, &operator, id, ReviewAction::Create).await
}

/// `POST /review/{id}/dismiss`.
pub async fn dismiss(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Response> {
    decide(&state, &operator, id, ReviewAction::Dismiss).await
}

/// `POST /review/{id}/reopen`.
pub async fn reopen(operator: Operator, State(state): State<AppState>, Id(id): Id, _: Form) -> PageResult<Response> {
    decide(&state, &operator, id, ReviewAction::Reopen).await
}
