//! What the planner is told, read in batches with a fixed number of queries each.

mod answers;
mod due;
mod groups;

pub use groups::RuleGroup;
