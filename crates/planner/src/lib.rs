//! Decides what a sync would do, and why. Pure and synchronous: no I/O, no async, no clock; "now" comes in as data.
//!
//! A run asks in batches, in this order, whatever the batches' size:
//!
//! 1. all due users who have a link, in any order: [`Planner::questions`], answer them from the store, [`Planner::decide`];
//! 2. [`Claims::settle`], which says who of them must be decided again, now that it is known who gets which username: the new
//!    decisions replace the ones made before, in the order given;
//! 3. all due users without a link, in the byte order of their source ids, and then [`Claims::everyone_decided`];
//! 4. [`Claims::settle`] again, and those it names are decided again in that order, until it names nobody.
//!
//! Then the plan is weighed as a whole by [`guard::weigh`].

mod asked;
mod boards;
mod claims;
mod decide;
mod fit;
mod groups;
pub mod guard;
mod hints;
pub mod impact;
pub mod inverse;
mod keys;
mod kind_change;
mod lifecycle;
mod linked;
mod managers;
mod matching;
mod merge;
mod otherwise;
#[cfg(test)]
mod properties;
mod resolve;
mod roles;
mod rules;
mod scope;
mod source;
mod standing;
#[cfg(test)]
mod suffixes;
mod unlinked;
mod username;
pub mod world;
mod write;

pub use claims::Claims;
pub use decide::{Batch, NamedGroup, Planner};
pub use otherwise::Alternative;
pub use resolve::Refusal;
