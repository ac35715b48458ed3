//! Drives a run: collect → plan → weigh → apply → propagate, with leases, schedules and the journal; and everything else people and
//! programs ask for, as use cases of one [`Engine`].
//!
//! What it refuses to do: decide (the planner does), know a database (the store does), or speak to Microsoft (sources do).

mod actor;
mod ahead;
mod apply;
mod collect;
mod driver;
mod engine;
mod error;
mod hash;
mod keeping;
mod licences;
mod passes;
mod plan;
mod progress;
pub mod records;
mod report;
mod run;
mod usecases;

pub use actor::{Actor, ActorKind};
pub use engine::{Engine, Settings};
pub use error::{Error, ErrorView, Result};
/// What pages and the API say of policies.
pub use policy::{DiffLine as PolicyChange, Fault as PolicyFault, effective as effective_text};
pub use progress::{Progress, Teller};
pub use report::{ChangeView, Paged, RunReport};
pub use run::RunRequest;
pub use usecases::connections::{ConnectionTest, ConnectionView, NewConnection, PermissionView, needed_permissions};
pub use usecases::drafts::{Draft, MappedValue, PolicyEdit, RuleCount};
pub use usecases::explain::{
    Explanation, FieldView, Origin, OtherwiseView, PastChange, RecordExplanation, StageView, attribute_of,
};
pub use usecases::guard::{GuardReport, StoppedPlan};
pub use usecases::policies::{PolicyScope, SavedPolicy};
pub use usecases::records::ImportReport;
pub use usecases::review::{
    BULK_MAX, CandidateView, ChosenView, ReviewAction, ReviewChoices, ReviewOutcome, ReviewOutcomes, ReviewView,
};
pub use usecases::secrets::SecretName;
pub use usecases::tenants::{StandingView, TenantView};
pub use usecases::what_if::{ChangeGroup, Counted, GroupCount, MoveCount, Sample, TenantImpact, WhatIf};
