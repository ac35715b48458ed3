//! `/runs/{id}/plan`: every change with its reasons, and approving or rejecting exactly that.

use crate::api::input::Id;
use crate::auth::{Operator, Viewer};
use crate::pages::form::{Form, Params};
use crate::pages::templates::{HistoryRow, Plan, PlanRow};
use crate::pages::tenants::named;
use crate::pages::{PageResult, go_saying, page, render};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Chip, Mark, Names, Page, Pager, Section, When, by_verb, change_diff, count, link, thousands};
use axum::extract::State;
use axum::response::Redirect;
use model::plan::Verb;
use model::run::{Counts, RunState};
use model::{Field, RunId};
use store::{ChangeState, PlanFilter};

/// Changes on a page: as many as one can read, few enough that a plan of 100,000 opens at once.
const ROWS: i64 = 50;

/// `GET /runs/{id}/plan`.
pub async fn show(viewer: Viewer, State(state): State<AppState>, Id(id): Id, params: Params) -> PageResult {
    let run = state.engine().run(RunId(id)).await?;
    let page = Page { note: params.note(), ..page(&state, &viewer, Section::Runs, format!("Plan of run {id}")).await? };
    let path = format!("/runs/{id}/plan");
    let (verb, q, failed) = (Verb::parse(params.text("verb")), params.text("q"), params.text("status") == "failed");
    let after = params.number("after");
    let filter = PlanFilter {
        verb,
        user_text: Some(q.to_owned()).filter(|q| !q.is_empty()),
        failed,
        after: after.unwrap_or(0),
        limit: ROWS + 1,
    };
    let mut rows = state.store().plan_rows(run.id, &filter).await?;
    let more = rows.len() > usize::try_from(ROWS).unwrap_or(0);
    rows.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|r| r.id.to_string());
    let verb_word = verb.map(Verb::as_str);
    let filters = [("verb", verb_word.unwrap_or("")), ("q", q), ("status", if failed { "failed" } else { "" })];
    let names = names(&state).await?;
    let waiting = matches!(run.state, RunState::Held | RunState::Ready);
    let all: i64 = by_verb(&run.counts).iter().map(|(_, n)| n).sum();
    let lead = match waiting {
        true => "Nothing of this has been written yet.".to_owned(),
        false => format!("{} of {} written.", thousands(run.counts.applied), count(all, "change", "changes")),
    };
    let (empty_head, empty_text) = match all {
        0 => ("Nothing to change", "Everybody is as Entra has them."),
        _ => ("Nothing fits", "No change fits the filter. Search by name, e-mail or username, or take a filter away."),
    };
    let template = Plan {
        id,
        tenant: named(&state, run.tenant).await?,
        heading: if waiting { "Plan" } else { "Changes" },
        state: Mark::state(run.state),
        lead,
        waiting,
        holds: run.holds.iter().map(ToString::to_string).collect(),
        stands_for: run.weights.as_ref().map(|w| w.stands_for.clone()).unwrap_or_default(),
        approve: run.hash.clone().filter(|_| waiting),
        total: count(all, "change to write", "changes to write"),
        chips: chips(&path, &run.counts, verb, q),
        verb: verb_word,
        q: q.to_owned(),
        rows: rows.into_iter().map(|row| plan_row(row, &names)).collect(),
        empty_head,
        empty_text,
        pager: Pager::new(&path, &filters, after.map(|_| ""), next.as_deref()),
        page,
    };
    Ok(render(&template)?)
}

fn chips(path: &str, counts: &Counts, chosen: Option<Verb>, q: &str) -> Vec<Chip> {
    let verbs = by_verb(counts);
    let all = Chip {
        href: link(path, &[("q", q)]),
        text: "All".into(),
        count: thousands(verbs.iter().map(|(_, n)| n).sum()),
        current: chosen.is_none(),
    };
    let of_verbs = verbs.into_iter().filter(|(_, n)| *n > 0).map(|(verb, n)| Chip {
        href: link(path, &[("verb", verb.as_str()), ("q", q)]),
        text: verb.label().into(),
        count: thousands(n),
        current: chosen == Some(verb),
    });
    std::iter::once(all).chain(of_verbs).collect()
}

/// The names of clients and sites, for the values of fields.
pub async fn names(state: &AppState) -> Result<Names, ApiError> {
    let clients = state.store().clients().await?.into_iter().map(|c| (c.id.0, c.name)).collect();
    let sites = state.store().sites().await?.into_iter().map(|s| (s.id.0, s.name)).collect();
    Ok(Names { clients, sites })
}

/// What became of a change.
fn status(state: &ChangeState) -> (Option<Mark>, Option<String>) {
    match state {
        ChangeState::Pending => (None, None),
        ChangeState::Applied => (Some(Mark::new("good", "written")), None),
        ChangeState::Failed(error) => (Some(Mark::new("bad", "failed")), Some(error.clone())),
        ChangeState::HeldBack(why) => (Some(Mark::new("warn", "in review")), Some(why.clone())),
    }
}

fn plan_row(row: store::PlanRow, names: &Names) -> PlanRow {
    let (status, error) = status(&row.state);
    let new_name =
        [Field::FIRST_NAME, Field::LAST_NAME].iter().filter_map(|f| row.change.set.get(f)?.as_str()).collect::<Vec<_>>();
    let who = if row.user_name.is_empty() { new_name.join(" ") } else { row.user_name.clone() };
    PlanRow {
        who,
        href: row.record.map(|r| format!("/people/{r}")),
        user_href: Some(format!("/users/{}", row.change.user)),
        kind: row.change.kind.as_str(),
        verb: Mark::verb(row.change.verb),
        status,
        error,
        diff: change_diff(&row.change, names),
        reasons: row.change.reasons.iter().map(ToString::to_string).collect(),
    }
}

/// A change in somebody's history.
pub fn history_row(row: store::PlanRow, names: &Names) -> HistoryRow {
    let (status, error) = status(&row.state);
    HistoryRow {
        at: row.at.map(When::at).unwrap_or_default(),
        run: Some(row.run.0),
        by: String::new(),
        verb: Mark::verb(row.change.verb),
        status: status.filter(|s| s.tone != "good"),
        diff: change_diff(&row.change, names),
        reasons: row.change.reasons.iter().map(ToString::to_string).chain(error).collect(),
    }
}

/// `POST /runs/{id}/approve`.
pub async fn approve(operator: Operator, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Redirect> {
    state.engine().approve(RunId(id), form.text("hash"), &operator.actor).await?;
    Ok(go_saying(&format!("/runs/{id}"), "approved"))
}

/// `POST /runs/{id}/reject`.
pub async fn reject(operator: Operator, State(state): State<AppState>, Id(id): Id, form: Form) -> PageResult<Redirect> {
    let reason: String = form.text("reason").chars().filter(|c| !c.is_control()).take(1000).collect();
    state.engine().reject(RunId(id), form.text("hash"), &reason, &operator.actor).await?;
    Ok(go_saying(&format!("/runs/{id}"), "rejected"))
}
