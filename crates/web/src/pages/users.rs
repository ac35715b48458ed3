//! Users of a tenant, and one user with every reason.

use crate::api::input::Id;
use crate::api::users::name_of;
use crate::auth::Viewer;
use crate::pages::form::Params;
use crate::pages::overview::standing;
use crate::pages::plan::{history_row, names};
use crate::pages::templates::{Stage, UserPage, UserRow, Users};
use crate::pages::tenants::named;
use crate::pages::{PageResult, page, render};
use crate::state::AppState;
use crate::view::{Chip, Mark, Page, Pager, Section, link, plain, thousands};
use axum::extract::State;
use model::plan::Outcome;
use model::{SourceId, TenantKey, UserKey};
use store::UserFilter;

/// Users on a page.
const ROWS: i64 = 50;
/// Changes shown on a user's page.
const HISTORY: i64 = 20;

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Synced, "In step"),
    (Outcome::InReview, "In review"),
    (Outcome::Excluded, "Left out"),
    (Outcome::Gone, "Gone"),
    (Outcome::Failed, "Failed"),
];

fn outcome(word: &str) -> Option<Outcome> {
    OUTCOMES.into_iter().map(|(o, _)| o).find(|o| o.as_str() == word)
}

/// `GET /tenants/{id}/users`.
pub async fn list(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let tenant = state.store().tenant(TenantKey(id)).await?;
    let page =
        Page { note: params.note(), ..page(&state, &viewer, Section::Tenants, format!("Users of {}", tenant.name)).await? };
    let path = format!("/tenants/{id}/users");
    let (word, by, q, after) = (params.text("outcome"), params.text("by"), params.text("q"), params.text("after"));
    let mut users = match q.is_empty() {
        true => {
            let filter = UserFilter {
                outcome: outcome(word).map(|o| o.as_str().to_owned()),
                excluded_by: Some(by.to_owned()).filter(|b| !b.is_empty()),
                rule: None,
                after: Some(after).filter(|a| !a.is_empty()).map(SourceId::new),
                limit: ROWS + 1,
            };
            state.store().users(tenant.key, &filter).await?
        }
        false => state.store().search_users(tenant.key, q, ROWS).await?,
    };
    let more = users.len() > usize::try_from(ROWS).unwrap_or(0);
    users.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = users.last().filter(|_| more).map(|u| u.source_id.as_str().to_owned());
    let standings = standing(&state, tenant.key).await?;
    let all = Chip {
        href: path.clone(),
        text: "All".into(),
        count: thousands(standings.all),
        current: word.is_empty() && q.is_empty(),
    };
    let chips = OUTCOMES.into_iter().map(|(o, text)| Chip {
        href: link(&path, &[("outcome", o.as_str())]),
        text: text.into(),
        count: thousands(standings.of(o.as_str())),
        current: o.as_str() == word,
    });
    let chips = std::iter::once(all).chain(chips).collect();
    let lead = match by.is_empty() {
        true => "Everybody the directory holds, and where they stand.".to_owned(),
        false => format!("Left out by “{by}”."),
    };
    let rows = users.into_iter().map(|u| {
        let (stands, excluded, rule) = u.standing.clone().unwrap_or_default();
        UserRow {
            id: u.key.0,
            name: name_of(&u),
            upn: u.attributes.text("userPrincipalName").unwrap_or_default().to_owned(),
            mark: Mark::outcome(outcome(&stands)),
            by: excluded.or(rule.map(|r| format!("rule {r}"))).unwrap_or_default(),
        }
    });
    let pager = Pager::new(&path, &[("outcome", word), ("by", by)], Some(after).filter(|a| !a.is_empty()), next.as_deref());
    let tenant = (id, tenant.name);
    Ok(render(&Users { page, tenant, lead, chips, q: q.to_owned(), rows: rows.collect(), pager })?)
}

/// `GET /users/{id}`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let user = state.store().user(UserKey(id)).await?;
    let name = name_of(&user);
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Tenants, name.clone()).await? };
    let names = names(&state).await?;
    // Explaining reads the policy, which may not load after a downgrade: the page is worth showing without it.
    let (stages, next, records) = match state.engine().explain(user.tenant, user.source_id.as_str()).await {
        Ok(e) => {
            let stages = e.stages.into_iter().filter(|s| s.stage != "Next");
            let stages = stages.map(|s| Stage { name: s.stage, sentences: s.sentences }).collect();
            (stages, if e.next.is_empty() { vec!["Nothing now.".to_owned()] } else { e.next }, e.records)
        }
        Err(error) => (vec![Stage { name: "Policy".into(), sentences: vec![error.to_string()] }], Vec::new(), Vec::new()),
    };
    let mut linked = Vec::new();
    let mut history = Vec::new();
    for record in records {
        linked.push((record.0, state.store().person(record).await?.display_name()));
        history.extend(state.store().history(record, None, HISTORY).await?);
    }
    history.sort_by_key(|row| std::cmp::Reverse(row.id));
    let told = user.attributes.iter().map(|(name, value)| (name.to_owned(), plain(value))).filter(|(_, v)| !v.is_empty());
    let identity = std::iter::once(("id".to_owned(), user.source_id.as_str().to_owned()));
    let attributes = identity.chain(told).collect();
    Ok(render(&UserPage {
        page,
        tenant: named(&state, user.tenant).await?,
        upn: user.attributes.text("userPrincipalName").unwrap_or_default().to_owned(),
        name,
        mark: match &user.standing {
            Some((word, ..)) => Mark::outcome(outcome(word)),
            None => Mark::presence(user.presence),
        },
        stages,
        next,
        records: linked,
        attributes,
        history: history.into_iter().map(|row| history_row(row, &names)).collect(),
    })?)
}
