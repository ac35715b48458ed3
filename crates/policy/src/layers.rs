//! The chain of documents and what it comes to.

use crate::document::{self, Data, Kind, Node};
use crate::fault::{Fault, Faults};
use crate::{merge, presets, read, written};
use model::Field;
use model::policy::{PerKind, Policy};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One document of the chain: a default, a template, a tenant's own, or what a scenario lays over them.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Nothing when the document is empty.
    root: Option<Node>,
}

impl Layer {
    /// Reads a policy document's text, YAML or JSON. `file` is what its faults are reported under. Only its form is judged here;
    /// what it says is judged by [`load`], together with what it is laid over.
    ///
    /// # Errors
    /// The fault of form, or that the text holds several documents.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut documents = document::parse(file, text, Kind::Policy).map_err(|fault| vec![fault])?;
        if let Some(second) = documents.get(1) {
            let mut faults = Faults::default();
            faults.add(&second.at, "a policy is one document; take the second one (after ---) out");
            return Err(faults.into_vec(&[]));
        }
        Ok(Self { root: documents.pop().filter(|root| !root.is_null()) })
    }
}

/// A chain of documents, merged and checked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What decides.
    pub policy: Arc<Policy>,
    /// SHA-256 over the policy, 64 hexadecimal digits: two policies with the same digest decide the same.
    pub digest: String,
    /// The preset's name.
    pub preset: &'static str,
    /// What is allowed and yet likely to be a mistake.
    pub warnings: Vec<Fault>,
    /// Fields whose mapping a document took away: written out by [`crate::effective`], so that it
    /// stays away when the chain still maps it.
    pub(crate) unmapped: PerKind<BTreeSet<Field>>,
}

/// Merges a chain of documents, the most general first, over the preset that the most special of them names, and checks the whole.
///
/// # Errors
/// Every fault found, in the order of their places.
pub fn load(layers: &[Layer]) -> Result<Loaded, Vec<Fault>> {
    let mut faults = Faults::default();
    let roots: Vec<_> = layers.iter().filter_map(|layer| layer.root.as_ref()).collect();
    merged(&roots, &roots, &mut faults).ok_or_else(|| faults.into_vec(&roots))
}

/// The same for documents that may stand inside others: `within` is what pointers are told from. Nothing when a fault was noted.
pub(crate) fn merged(layers: &[&Node], within: &[&Node], faults: &mut Faults) -> Option<Loaded> {
    let named = layers.iter().rev().find_map(|root| root.get("preset"));
    let (preset, under) = presets::chosen(named, faults);
    let under = under.as_ref().map_err(|fault| faults.add(&fault.into(), fault.message.as_str())).ok()?;

    let mut whole = under.clone();
    for root in layers {
        if matches!(root.data, Data::Map(_)) {
            whole = merge::over(whole, &merge::expand(root));
        } else {
            faults.add(&root.at, format!("the document must be a map of keys and values, not {}", root.shown()));
        }
    }
    let read = read::policy(&whole, faults).filter(|_| faults.is_empty())?;
    let mut notes = Faults::default();
    read::warnings(&read.policy, &whole, &mut notes);
    Some(Loaded {
        digest: written::digest(&read.policy),
        policy: Arc::new(read.policy),
        preset,
        warnings: notes.into_vec(within),
        unmapped: read.unmapped,
    })
}
