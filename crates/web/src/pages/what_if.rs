//! What a draft of a policy would do, beside the draft.

use crate::api::input::Id;
use crate::api::policies::TEXT;
use crate::api::what_if::{Told, alive, counting, event};
use crate::auth::Admin;
use crate::pages::form::Form;
use crate::pages::plan::names;
use crate::pages::templates::{ImpactRow, PlanRow, TenantImpactRow, WhatIfTables, WhatIfView};
use crate::pages::{PageResult, render};
use crate::problem::{ApiError, sentence};
use crate::state::AppState;
use crate::view::{Mark, diff, label, thousands};
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use model::TenantKey;
use model::plan::Verb;
use serde_json::json;
use std::convert::Infallible;
use sync::{PolicyScope, WhatIf};

/// Rows shown of each table; all of them through the API.
const ROWS: usize = 25;

/// `POST /policy/what-if`: the counts as they grow, as parts of the page.
pub async fn default(_: Admin, State(state): State<AppState>, form: Form) -> PageResult<Response> {
    stream(state, PolicyScope::Default, &form).await
}

/// `POST /tenants/{id}/policy/what-if`.
pub async fn tenant(_: Admin, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Response> {
    let tenant = state.store().tenant(TenantKey(id)).await?.key;
    stream(state, PolicyScope::Tenant(tenant), &form).await
}

/// Each event holds a sentence for whoever listens to the page, and the tables for whoever looks at it, as HTML made here: the script
/// of the page only puts them in their places.
async fn stream(state: AppState, scope: PolicyScope, form: &Form) -> PageResult<Response> {
    let text = form.raw("text").replace("\r\n", "\n");
    TEXT.check(&text).map_err(|detail| ApiError::Unprocessable { code: "invalid".into(), detail, faults: Vec::new() })?;
    state.engine().check_policy(scope, &text).await?;
    let events = counting(&state, scope, text).then(move |told| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(part(&state, told).await) }
    });
    Ok(Sse::new(events).keep_alive(alive()).into_response())
}

async fn part(state: &AppState, told: Told) -> Event {
    let (name, report) = match told {
        Told::Progress(report) => ("progress", report),
        Told::Result(report) => ("result", report),
        Told::Problem(error) => return event("problem", &json!({ "lead": sentence(&error.to_string()) })),
    };
    let shown = async {
        let w = view(state, *report).await?;
        let lead = w.lead.clone();
        Ok::<_, ApiError>(json!({ "lead": lead, "html": render(&WhatIfTables { w })?.0 }))
    };
    match shown.await {
        Ok(part) => event(name, &part),
        Err(error) => event("problem", &json!({ "lead": sentence(&error.to_string()) })),
    }
}

/// Display-ready.
pub async fn view(state: &AppState, report: WhatIf) -> Result<WhatIfView, ApiError> {
    let names = names(state).await?;
    let counted = report.counted;
    let mut figures: Vec<(String, String, &'static str)> = Verb::ALL
        .into_iter()
        .filter_map(|verb| counted.verbs.get(verb.as_str()).map(|n| (verb, *n)))
        .map(|(verb, n)| (thousands(n), format!("to {}", verb.label().to_lowercase()), Mark::verb(verb).tone))
        .collect();
    let review: i64 = counted.review.values().sum();
    for (n, words, tone) in [(review, "would wait for a person", "warn"), (counted.failed, "could not be decided", "bad")] {
        if n > 0 {
            figures.push((thousands(n), words.to_owned(), tone));
        }
    }
    let groups = counted.groups.into_iter().take(ROWS).map(|g| ImpactRow {
        count: thousands(g.count),
        verb: Mark::verb(g.group.verb),
        kind: g.group.kind.as_str(),
        rule: g.group.rule.map(|r| r.to_string()).unwrap_or_default(),
        fields: g.group.fields.iter().map(|f| label(f.as_str())).collect::<Vec<_>>().join(", "),
    });
    let samples = counted.samples.into_iter().take(ROWS).map(|s| PlanRow {
        who: if s.name.is_empty() { s.source_id.as_str().to_owned() } else { s.name },
        href: s.record.map(|r| format!("/people/{r}")),
        user_href: Some(format!("/users/{}", s.user)),
        kind: s.kind.as_str(),
        verb: Mark::verb(s.verb),
        status: None,
        error: None,
        diff: diff(&s.before, &s.set, &names),
        reasons: s.why,
    });
    let tenants = report.tenants.into_iter().filter(|t| t.changes > 0).take(ROWS).map(|t| TenantImpactRow {
        id: t.tenant.0,
        name: t.name,
        affected: thousands(t.affected),
        changes: thousands(t.changes),
        removals: thousands(t.removals),
        holds: t.holds,
    });
    Ok(WhatIfView {
        notes: report.notes,
        lead: match (report.affected, counted.changes) {
            (affected, changes) if !report.complete => format!(
                "Counting: {} of {} users looked at, {} affected, {} of them decided, {} records would change so far.",
                thousands(report.looked_at),
                thousands(report.of),
                thousands(affected),
                thousands(report.decided),
                thousands(changes)
            ),
            (0, _) => "Nobody would be affected.".to_owned(),
            (affected, 0) => {
                format!(
                    "{} of {} users would be looked at again, and nothing would change.",
                    thousands(affected),
                    thousands(report.of)
                )
            }
            (affected, changes) => format!(
                "{} of {} users would be looked at again; {} records would change, {} of them go out of use. Nothing is written yet.",
                thousands(affected),
                thousands(report.of),
                thousands(changes),
                thousands(counted.removals)
            ),
        },
        figures,
        moves: report.moves.into_iter().take(ROWS).map(|m| (thousands(m.count), m.from, m.to)).collect(),
        groups: groups.collect(),
        tenants: tenants.collect(),
        samples: samples.collect(),
    })
}
