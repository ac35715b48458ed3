//! The nouns of Rollcall: tenants, users, groups, people, clients, policy, plan, run.
//!
//! Everything here is plain data with the rules that belong to one value alone (what an e-mail address is, when two usernames
//! are the same). There is no I/O, no async, no clock and no randomness in this crate, and it depends on nothing of ours, so that
//! every other crate may use it.

pub mod address;
pub mod attributes;
pub mod clock;
pub mod directory;
pub mod expression;
pub mod facts;
pub mod ids;
pub mod otherwise;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod records;
pub mod run;
pub mod text;

pub use attributes::Attributes;
pub use clock::Clock;
pub use expression::{Expression, Subject, Unevaluable};
pub use ids::{ClientId, GroupKey, PersonId, RuleId, RunId, SiteId, SourceId, TenantKey, UserKey};
pub use records::{Field, Fields, Kind, Status};
/// A field's or attribute's value: the same JSON value in the store, the REST API and a policy file.
pub use serde_json::Value;
