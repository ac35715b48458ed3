//! What people and programs ask of the engine, beside runs: one file a subject.

pub mod audit;
pub mod connections;
pub mod drafts;
pub mod explain;
pub mod guard;
pub mod policies;
pub mod records;
pub mod revert;
pub mod review;
pub mod secrets;
pub mod tenants;
pub(crate) mod unread;
pub mod what_if;
