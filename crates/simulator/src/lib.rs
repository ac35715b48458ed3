//! A pretended Microsoft: identity platform and Microsoft Graph over HTTP, for tests, demonstrations and benchmarks. Never used by the product's
//! own code. Everything in it is generated from a seed, so a million users cost nothing to keep; what is changed through Graph or the control
//! API is kept in an overlay with a change log, which delta reads. See `docs/simulator.md`.
//!
//! It refuses what it does not know with the error Graph documents; it never ignores one of Graph's options silently.

mod churn;
mod clock;
mod control;
mod delta;
mod directory;
mod faults;
mod graph;
mod identity;
mod meters;
mod options;
mod people;
mod properties;
mod reply;
mod seed;
mod server;
mod signer;
mod sim;
mod tenant;
mod token;

pub use options::{Churn, Options, StartError, Throttle};
pub use server::Simulator;
