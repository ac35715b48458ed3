//! What the planner is told, read in batches with a fixed number of queries each.

mod answers;
mod due;
mod glance;
mod groups;

pub use glance::Glance;
pub use groups::RuleGroup;
pub(crate) use groups::group;
