//! Users of a tenant, and one user with every reason.

use crate::api::input::Id;
use crate::api::users::name_of;
use crate::auth::Viewer;
use crate::pages::form::Params;
use crate::pages::overview::standing;
use crate::pages::people::why;
use crate::pages::plan::{history_row, names};
use crate::pages::templates::{HistoryRow, Stage, UserPage, UserRow, Users};
use crate::pages::tenants::named;
use crate::pages::{PageResult, page, render};
use crate::state::AppState;
use crate::view::{Chip, Mark, Names, Page, Pager, Section, link, plain, thousands};
use axum::extract::State;
use model::plan::Outcome;
use model::{SourceId, TenantKey, UserKey};
use store::UserFilter;
use sync::{Explanation, PastChange};

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
    let explained = state.engine().explain(user.tenant, user.source_id.as_str()).await;
    let records = explained.as_ref().map(|e| e.records.clone()).unwrap_or_default();
    let decided_by = explained.as_ref().map(policy_words).unwrap_or_default();
    let past = explained.as_ref().map(|e| e.history.clone()).unwrap_or_default();
    let (stages, otherwise, next) = match explained {
        Ok(e) => why(e),
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
        decided_by,
        otherwise,
        next,
        records: linked,
        attributes,
        history: history.into_iter().map(|row| past_row(row, &names, &past)).collect(),
    })?)
}

/// Which policy an explanation was made by.
fn policy_words(e: &Explanation) -> String {
    let digest = e.policy_digest.get(..12).unwrap_or_default();
    match e.policy_version {
        Some(version) => format!("By version {version} of the tenant's policy ({digest})."),
        None => format!("By the inherited policy ({digest})."),
    }
}

/// A change with who asked for it and the policy that decided.
pub fn past_row(row: store::PlanRow, names: &Names, past: &[PastChange]) -> HistoryRow {
    let of_run = past.iter().find(|p| p.change.run == row.run);
    let by = of_run.map(|p| {
        let asked = p.requested_by.clone().unwrap_or_default();
        let approved = p.decided_by.as_ref().map(|by| format!(", approved by {by}")).unwrap_or_default();
        let version = p.policy_version.map(|v| format!(", policy version {v}")).unwrap_or_default();
        format!("{asked}{approved}{version}")
    });
    HistoryRow { by: by.unwrap_or_default(), ..history_row(row, names) }
}
