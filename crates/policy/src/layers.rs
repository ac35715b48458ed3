//! The chain of documents and what it comes to.

use crate::document::{self, Node};
use crate::fault::{Fault, Faults};
use model::policy::Policy;
use std::sync::Arc;

/// One document of the chain: a default, a template, a tenant's own, or what a scenario lays over them.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Nothing when the document is empty.
    root: Option<Node>,
}

/// A chain of documents, merged and checked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What decides.
    pub policy: Arc<Policy>,
    /// SHA-256 over the policy, 64 hexadecimal digits: two policies with the same digest decide the same.
    pub digest: String,
    /// The preset's name.
    pub preset: String,
    /// What is allowed and yet likely to be a mistake.
    pub warnings: Vec<Fault>,
}
