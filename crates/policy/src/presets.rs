//! The presets that ship, as documents in the same language as everybody's. Nothing branches on a preset's name.

use crate::document::{self, Kind, Node};
use crate::fault::{Fault, Faults, either, nearest};
use crate::merge::expand;
use crate::reader::text;
use std::sync::LazyLock;

/// What lies under a document that names no preset.
pub const DEFAULT: &str = "msp";

/// The presets' names and texts.
pub const PRESETS: [(&str, &str); 4] = [
    ("msp", include_str!("../presets/msp.yaml")),
    ("bms", include_str!("../presets/bms.yaml")),
    ("halo", include_str!("../presets/halo.yaml")),
    ("alga", include_str!("../presets/alga.yaml")),
];

/// A preset ready to be merged over: parsed once, flat keys written out for both kinds.
pub(crate) type Preset = (&'static str, Result<Node, Fault>);

static PARSED: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    PRESETS
        .iter()
        .map(|(name, text)| {
            let file = format!("preset {name}");
            let documents = document::parse(&file, text, Kind::Policy);
            (*name, documents.and_then(|mut d| d.pop().ok_or_else(|| empty(&file))).map(|root| expand(&root)))
        })
        .collect()
});

fn empty(file: &str) -> Fault {
    Fault { file: file.into(), line: 1, column: 1, pointer: String::new(), message: "the preset is empty".to_owned() }
}

/// The preset that a document's `preset` names; the default when it is not given or is not one, which is noted.
pub(crate) fn chosen(node: Option<&Node>, faults: &mut Faults) -> &'static Preset {
    let presets = &*PARSED;
    let default = &presets[0];
    let Some(node) = node else { return default };
    let Some(name) = text(node, "preset", faults) else { return default };
    if let Some(preset) = presets.iter().find(|(n, _)| *n == name) {
        return preset;
    }
    let names = || presets.iter().map(|(n, _)| *n);
    let hint = nearest(&name, names()).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    faults.add(&node.at, format!("preset must be {}, not {name:?}{hint}", either(names())));
    default
}
