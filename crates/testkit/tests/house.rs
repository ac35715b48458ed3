//! Holds ARCHITECTURE.md against the code: what it names exists, and who may depend on whom is as it says.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace's folder")
}

fn page() -> String {
    std::fs::read_to_string(top().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Package name → packages it needs to be built and to run (not those its tests need), over the whole lock file.
struct Packages {
    ours: BTreeSet<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Packages {
    fn read() -> Self {
        let out = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "host-tuple"])
            .current_dir(top())
            .output()
            .expect("cargo metadata");
        assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
        let metadata: Value = serde_json::from_slice(&out.stdout).expect("JSON from cargo metadata");
        let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
        let names: BTreeMap<String, String> = list(&metadata["packages"])
            .iter()
            .map(|p| (p["id"].as_str().unwrap_or_default().to_owned(), p["name"].as_str().unwrap_or_default().to_owned()))
            .collect();
        let ours = list(&metadata["workspace_members"]).iter().filter_map(|id| names.get(id.as_str()?).cloned()).collect();
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let of = needs.entry(names[node["id"].as_str().unwrap_or_default()].clone()).or_default();
            for dep in list(&node["deps"]) {
                if list(&dep["dep_kinds"]).iter().any(|k| k["kind"] != "dev") {
                    of.insert(names[dep["pkg"].as_str().unwrap_or_default()].clone());
                }
            }
        }
        Self { ours, needs }
    }

    fn ours_needed_by(&self, name: &str) -> BTreeSet<String> {
        self.needs[name].intersection(&self.ours).cloned().collect()
    }

    /// Everything reachable from a package.
    fn reach(&self, name: &str) -> BTreeSet<String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(next) = open.pop() {
            for dep in &self.needs[&next] {
                if seen.insert(dep.clone()) {
                    open.push(dep.clone());
                }
            }
        }
        seen
    }
}

#[test]
fn the_page_names_every_crate_and_only_what_exists() {
    let page = page();
    let described: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("| `crates/")?.split('`').next().map(str::to_owned)).collect();
    assert_eq!(described, Packages::read().ours, "ARCHITECTURE.md's table and the workspace's members differ");
    for path in quoted(&page).iter().filter(|w| w.contains('/') && !w.contains(' ')) {
        assert!(top().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
    }
}

#[test]
fn crates_depend_on_each_other_only_as_the_page_says() {
    let page = page();
    let packages = Packages::read();
    let section = page.split("## Who may depend on whom").nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    let rule = section.replace('\n', " ");
    let rule = rule.split('.').next().unwrap_or_default();

    let mut named: BTreeSet<String> = BTreeSet::new();
    for clause in rule.split(';') {
        let (who, whom) = clause.split_once(" on ").unwrap_or_else(|| panic!("no \"on\" in {clause:?}"));
        let may: BTreeSet<String> = match whom.trim() {
            "all of them" => named.clone(),
            "those but the simulator" => named.iter().filter(|n| *n != "simulator").cloned().collect(),
            "nothing of ours" => BTreeSet::new(),
            other => quoted(other).into_iter().collect(),
        };
        for name in quoted(who) {
            let needs = packages.ours_needed_by(&name);
            let more: Vec<_> = needs.difference(&may).collect();
            assert!(more.is_empty(), "{name} depends on {more:?}; ARCHITECTURE.md lets it depend on {may:?}");
            named.insert(name);
        }
    }
    let helpers: BTreeSet<String> = packages.ours.difference(&named).cloned().collect();
    assert_eq!(helpers, BTreeSet::from(["bench".to_owned(), "testkit".to_owned()]), "a crate the rule says nothing about");
    for name in &named {
        let helped: Vec<_> = packages.reach(name).intersection(&helpers).cloned().collect();
        assert!(helped.is_empty(), "{name} is part of the program and needs {helped:?}, which are for tests and measuring only");
    }
}

#[test]
fn the_planner_cannot_reach_a_database_the_network_or_a_runtime() {
    let page = page();
    let reach = Packages::read().reach("planner");
    let sentence = page.replace('\n', " ");
    let sentence =
        sentence.split("The planner cannot reach ").nth(1).expect("the sentence").split('.').next().unwrap_or_default();
    let forbidden: Vec<&str> = sentence.split([',', ' ']).filter(|w| !w.is_empty() && *w != "or").collect();
    assert_eq!(forbidden, ["sqlx", "rusqlite", "reqwest", "tokio"], "the sentence lists what is forbidden");
    for name in forbidden {
        assert!(!reach.contains(name), "planner reaches {name}");
    }
}
