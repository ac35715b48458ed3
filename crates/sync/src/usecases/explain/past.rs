//! What sync did to a record before: each change with the run that made it, the policy that decided, and who asked.

use crate::engine::Engine;
use crate::error::Result;
use crate::report::ChangeView;
use model::PersonId;
use model::run::RunKind;
use serde::Serialize;

/// Earlier changes of one record that are told.
const HISTORY: i64 = 50;

/// An earlier change.
#[derive(Debug, Clone, Serialize)]
pub struct PastChange {
    /// What was done, and why.
    #[serde(flatten)]
    pub change: ChangeView,
    /// What kind of run did it.
    pub run_kind: Option<RunKind>,
    /// The version of the tenant's own policy it decided by.
    pub policy_version: Option<i64>,
    /// The digest of the policy it decided by.
    pub policy_digest: Option<String>,
    /// Who asked for the run.
    pub requested_by: Option<String>,
    /// Who approved it, where somebody had to.
    pub decided_by: Option<String>,
}

impl Engine {
    /// What was done to a record, the latest first. Runs that `known` tells of are not read again.
    pub(super) async fn past(&self, record: PersonId, known: &[PastChange]) -> Result<Vec<PastChange>> {
        let mut past: Vec<PastChange> = Vec::new();
        for row in self.store().history(record, None, HISTORY).await? {
            let id = row.run;
            let change = ChangeView::of(row);
            let told = past.iter().chain(known).find(|p| p.change.run == id);
            let told = match told {
                Some(told) => PastChange { change, ..told.clone() },
                // Runs stay for as long as their changes do; one that is gone costs only who asked for it.
                None => match self.store().run(id).await {
                    Ok(run) => PastChange {
                        change,
                        run_kind: Some(run.kind),
                        policy_version: run.policy_version,
                        policy_digest: run.policy_digest,
                        requested_by: Some(run.requested_by),
                        decided_by: run.decided_by,
                    },
                    Err(_) => PastChange {
                        change,
                        run_kind: None,
                        policy_version: None,
                        policy_digest: None,
                        requested_by: None,
                        decided_by: None,
                    },
                },
            };
            past.push(told);
        }
        Ok(past)
    }
}
