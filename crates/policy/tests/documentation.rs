//! The settings reference says nothing that is not so.

use policy::{Layer, load, scenario};

const REFERENCE: &str = include_str!("../../../docs/policy.md");

#[test]
fn every_example_of_the_reference_is_accepted() {
    let blocks: Vec<&str> = REFERENCE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 7);
    for block in blocks {
        let faults = if block.starts_with("name:") {
            scenario::parse("docs/policy.md", block).err()
        } else {
            Layer::parse("docs/policy.md", block).and_then(|layer| load(&[layer])).err()
        };
        assert_eq!(faults, None, "{block}");
    }
}
