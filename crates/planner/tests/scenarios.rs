//! Runs every scenario under `tests/scenarios/`: one story a file, readable without knowing this code.

use checker::PlanFacts;
use planner::world::{Finished, run_scenario};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
}

/// Every scenario file of a folder and of the folders in it.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).expect("a folder of scenarios").map(|e| e.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths.flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] }).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files
}

#[test]
fn every_scenario_holds() {
    let files = files_of(&folder());
    assert!(!files.is_empty(), "there is no scenario in {}", folder().display());
    let mut failures = Vec::new();
    for file in &files {
        let name = file.file_name().expect("a name").to_string_lossy();
        failures.extend(faults_of(&name, &fs::read_to_string(file).expect("a readable scenario")));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_example_in_the_documentation_holds() {
    let page = include_str!("../../../docs/policy.md");
    let section = page.split("## Scenarios").nth(1).expect("the section about scenarios");
    let example = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its example");
    assert_eq!(faults_of("policy.md", example), Vec::<String>::new());
}

/// What is wrong with the scenarios of a text, or with what follows from them.
fn faults_of(name: &str, text: &str) -> Vec<String> {
    let scenarios = match policy::scenario::parse(name, text) {
        Ok(scenarios) => scenarios,
        Err(faults) => return faults.iter().map(ToString::to_string).collect(),
    };
    let mut found = Vec::new();
    for scenario in scenarios {
        let result = run_scenario(&scenario, &mut objections);
        let faults = result.steps.iter().flat_map(|s| s.faults().map(move |f| (s.number, f)));
        found.extend(faults.map(|(step, f)| format!("{} (step {step}) {f}", result.name)));
    }
    found
}

/// What the checker, which shares no code with the planner, says of a finished plan.
fn objections(plan: &Finished<'_>) -> Vec<String> {
    checker::objections(PlanFacts::new(plan.policy, plan.run), plan.users, plan.answers, plan.decisions, plan.weights)
}
