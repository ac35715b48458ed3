//! What a draft of a policy would do, beside the draft.

use crate::pages::plan::names;
use crate::pages::templates::{ImpactRow, PlanRow, TenantImpactRow, WhatIfView};
use crate::problem::ApiError;
use crate::state::AppState;
use crate::view::{Mark, diff, label, thousands};
use model::plan::Verb;
use sync::WhatIf;

/// Rows shown of each table; all of them through the API.
const ROWS: usize = 25;

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
        rule: g.group.rule.map(|r| r.0).unwrap_or_default(),
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
        lead: match (report.affected, counted.changes) {
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
