//! The policy document: reading it with positions, presets, inheritance, its digest, and the file format of scenarios.
//!
//! A document is a YAML text. [`Layer::parse`] turns it into a tree that knows where each part stands; [`load`] lays the layers of a
//! chain (preset → default → template → tenant) over each other and checks the whole. Nothing of a document is ever ignored: what
//! this version does not carry out is refused by name.

pub mod document;
pub mod edit;
pub mod expr;
mod fault;
mod layers;
mod merge;
mod presets;
mod read;
mod reader;
pub mod scenario;
pub mod schema;
mod source;
mod value;
mod words;
mod written;

pub use fault::{Fault, Mark};
pub use layers::{Layer, Loaded, load};
pub use presets::{DEFAULT as DEFAULT_PRESET, PRESETS};
pub use written::{DiffLine, diff, digest, effective, effective_json};
