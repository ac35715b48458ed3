//! The settings reference says nothing that is not so.

use policy::expr::{Use, compile};
use policy::{Layer, load, scenario};

const REFERENCE: &str = include_str!("../../../docs/policy.md");

/// What is said to whom comes from where.
const PRESETS: [&str; 4] = [
    include_str!("../../../docs/presets/bms.md"),
    include_str!("../../../docs/presets/halo.md"),
    include_str!("../../../docs/presets/alga.md"),
    include_str!("../../../docs/presets/msp.md"),
];

#[test]
fn every_example_of_the_reference_is_accepted() {
    let pages = [REFERENCE].into_iter().chain(PRESETS);
    let blocks: Vec<&str> =
        pages.flat_map(|page| page.split("```yaml\n").skip(1)).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 12);
    for block in blocks {
        let faults = if block.starts_with("name:") {
            scenario::parse("docs/policy.md", block).err()
        } else {
            Layer::parse("docs/policy.md", block).and_then(|layer| load(&[layer])).err()
        };
        assert_eq!(faults, None, "{block}");
    }
}

#[test]
fn every_expression_of_the_reference_is_one() {
    let section = REFERENCE.split("## Expressions").nth(1).and_then(|rest| rest.split("```\n").nth(1)).expect("the examples");
    for line in section.lines() {
        compile(line, Use::Value).unwrap_or_else(|bad| panic!("{line}: {bad}"));
    }
}
