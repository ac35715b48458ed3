//! `rollcall policy`: the policy as a file. `check`, `test`, `plan` and `schema` need no server, no database and no network.

use super::what_if;
use crate::house::{Files, House};
use crate::{exit, files, print};
use anyhow::{Context, Result, bail};
use planner::world::StepResult;
use policy::{Fault, Layer, Loaded};
use std::path::{Path, PathBuf};
use sync::PolicyScope;

/// Policies.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Judge policy files: every fault with its place
    Check {
        /// Policy files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run scenarios: what Entra and the records hold, what happens, and what must follow
    Test {
        /// Scenario files, and folders: of a folder every *.yaml and *.yml file in it and below it
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what each step of a scenario would do, instead of judging it
    Plan {
        /// A scenario file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of policy files, for editors
    Schema {
        /// Of scenario files instead
        #[arg(long)]
        scenario: bool,
    },
    /// Write out a policy: a tenant's own document, or the default's
    Export {
        /// The tenant; without one, the default policy
        tenant: Option<String>,
        /// Everything that decides, presets and defaults included
        #[arg(long)]
        effective: bool,
    },
    /// Keep a policy file as a new version
    Import {
        /// The policy file; - for standard input
        file: PathBuf,
        /// The tenant; without one, the default policy
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// Who would change, and how, if a policy file were kept: nothing is written
    WhatIf {
        /// The policy file; - for standard input
        file: PathBuf,
        /// For this tenant's own document; without one, for the default policy and every tenant
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The versions that were kept, newest first
    Versions {
        /// The tenant; without one, the default policy
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep an older version's text as the newest version
    Restore {
        /// The version's number
        #[arg(value_name = "VERSION")]
        number: i64,
        /// Of this tenant's own document; without one, of the default policy
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// What a policy file would change, setting by setting
    Diff {
        /// The policy file
        file: PathBuf,
        /// Against this tenant's policy; without one, the default policy
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    match command {
        Command::Check { files, json } => check(&files, json),
        Command::Test { files, json } => test(&files, json),
        Command::Plan { file, json } => plan(&file, json),
        Command::Schema { scenario } => {
            print::json(&if scenario { policy::schema::scenario() } else { policy::schema::policy() })
        }
        Command::Export { tenant, effective } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            let text = if effective {
                policy::effective(&house.engine.loaded_policy(scope).await?)
            } else {
                house.engine.policy_text(scope).await?
            };
            print::all(text.as_bytes());
            Ok(())
        }
        Command::Import { file, tenant } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            let saved = match house.engine.save_policy(scope, &read(&file)?, &house.actor()).await {
                Err(sync::Error::Policy(faults)) => return refuse(&file, &faults),
                saved => saved?,
            };
            kept(&saved);
            Ok(())
        }
        Command::WhatIf { file, tenant, json } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            what_if::run(&house, scope, &file, &read(&file)?, json).await
        }
        Command::Versions { tenant, json } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            let versions = house.engine.policy_versions(scope).await?;
            if json {
                let shown = versions.iter().map(|v| {
                    serde_json::json!({ "version": v.version, "author": v.author, "saved_at": v.saved_at, "digest": v.digest })
                });
                return print::json(&shown.collect::<Vec<_>>());
            }
            print::table(
                &["Version", "Saved", "By"],
                versions.iter().map(|v| [v.version.to_string(), print::time(v.saved_at), v.author.clone()]),
                "Nothing was kept here yet: everything is inherited.",
            );
            Ok(())
        }
        Command::Restore { number, tenant } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            kept(&house.engine.restore_policy(scope, number, &house.actor()).await?);
            Ok(())
        }
        Command::Diff { file, tenant, json } => {
            let house = House::open(&files).await?;
            let scope = scope(&house, tenant.as_deref()).await?;
            let after = match house.engine.check_policy(scope, &read(&file)?).await {
                Err(sync::Error::Policy(faults)) => return refuse(&file, &faults),
                after => after?,
            };
            let before = house.engine.loaded_policy(scope).await?;
            let lines = policy::diff(&before.policy, &after.policy);
            if json {
                return print::json(&lines);
            }
            if lines.is_empty() {
                say!("The file decides the same as the policy in force.");
            }
            for line in lines {
                say!("{}: {} → {}", line.path, print::plain(&line.before.to_string()), print::plain(&line.after.to_string()));
            }
            Ok(())
        }
    }
}

fn kept(saved: &sync::SavedPolicy) {
    for warning in &saved.warnings {
        aside!("warning: {}", print::plain(warning));
    }
    say!("Version {} is kept and decides from the next run on; it affects {} users.", saved.version, saved.affected);
}

async fn scope(house: &House, tenant: Option<&str>) -> Result<PolicyScope> {
    Ok(match tenant {
        Some(name) => PolicyScope::Tenant(house.engine.tenant_named(name).await?.key),
        None => PolicyScope::Default,
    })
}

pub(super) fn refuse(file: &Path, faults: &[Fault]) -> Result<()> {
    for fault in faults {
        aside!("{}: {}", file.display(), print::plain(&fault.to_string()));
    }
    aside!("{}; nothing was changed.", print::counted(faults.len(), "fault"));
    Err(exit::Ended(exit::FAILED).into())
}

fn read(file: &Path) -> Result<String> {
    let bytes = if file.as_os_str() == "-" {
        files::whole(std::io::stdin().lock(), files::DOCUMENT).context("Standard input could not be read")?
    } else {
        files::read(file, files::DOCUMENT).with_context(|| format!("{} could not be read", file.display()))?
    };
    match policy::document::text_of(&file.display().to_string(), &bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(fault) => bail!("{fault}"),
    }
}

fn check(files: &[PathBuf], json: bool) -> Result<()> {
    let mut results = Vec::new();
    let mut all_well = true;
    for file in files {
        let name = file.display().to_string();
        let loaded: Result<Loaded, Vec<Fault>> =
            Layer::parse(&name, &read(file)?).and_then(|layer| policy::load(std::slice::from_ref(&layer)));
        all_well &= loaded.is_ok();
        let (faults, warnings) = match &loaded {
            Ok(loaded) => (Vec::new(), loaded.warnings.clone()),
            Err(faults) => (faults.clone(), Vec::new()),
        };
        if !json {
            for fault in &faults {
                aside!("{}", print::plain(&fault.to_string()));
            }
            for warning in &warnings {
                aside!("warning: {}", print::plain(&warning.to_string()));
            }
            if let Ok(loaded) = &loaded {
                let rules = print::counted(loaded.policy.rules.len(), "rule");
                say!("{name}: fine; {rules} over preset {}, digest {}", loaded.preset, loaded.digest);
            }
        }
        results.push(serde_json::json!({
            "file": name, "ok": loaded.is_ok(), "digest": loaded.as_ref().ok().map(|l| &l.digest),
            "faults": faults, "warnings": warnings,
        }));
    }
    if json {
        print::json(&results)?;
    }
    if all_well { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
}

fn scenarios(file: &Path) -> Result<Result<Vec<policy::scenario::Scenario>, Vec<Fault>>> {
    Ok(policy::scenario::parse(&file.display().to_string(), &read(file)?))
}

/// What is meant by files and folders: the files, and of a folder the scenario files below it, in the order of their names.
fn files_of(meant: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in meant {
        if path.is_dir() {
            let before = files.len();
            below(path, DEEPEST, &mut files)?;
            if files.len() == before {
                bail!(
                    "There is no scenario file (*.yaml or *.yml) in {} or below it. Name another folder, or a file.",
                    path.display()
                );
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// How deep folders are looked through: deeper than anybody sorts their scenarios.
const DEEPEST: u32 = 32;

fn below(folder: &Path, levels: u32, files: &mut Vec<PathBuf>) -> Result<()> {
    let unread = || format!("The folder {} could not be read", folder.display());
    let entries = std::fs::read_dir(folder).with_context(unread)?;
    let mut entries = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().with_context(unread)?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_link = path.symlink_metadata().is_ok_and(|m| m.is_symlink());
        if path.is_dir() {
            // What a version control system keeps beside the files is not meant, nor is what a link leads to.
            if !is_hidden && !is_link && levels > 0 {
                below(&path, levels - 1, files)?;
            }
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn test(meant: &[PathBuf], json: bool) -> Result<()> {
    let files = files_of(meant)?;
    let (mut passed, mut failed, mut results) = (0_u32, 0_u32, Vec::new());
    for file in &files {
        let read = match scenarios(file) {
            Ok(read) => read,
            // One file that cannot be read keeps no other from being judged.
            Err(why) => {
                failed += 1;
                aside!("{}", print::plain(&format!("{why:#}")));
                results.push(
                    serde_json::json!({ "file": file.display().to_string(), "ok": false, "failures": [format!("{why:#}")] }),
                );
                continue;
            }
        };
        let scenarios = match read {
            Ok(scenarios) => scenarios,
            Err(faults) => {
                failed += 1;
                for fault in &faults {
                    aside!("{}", print::plain(&fault.to_string()));
                }
                results.push(serde_json::json!({ "file": file.display().to_string(), "ok": false, "faults": faults }));
                continue;
            }
        };
        for scenario in &scenarios {
            let result = planner::world::run_scenario(scenario, &mut objections);
            let ok = result.passed();
            if ok {
                passed += 1
            } else {
                failed += 1
            }
            let failures: Vec<String> = result.steps.iter().flat_map(StepResult::faults).map(ToString::to_string).collect();
            if !ok && !json {
                say!("FAIL {} ({})", print::plain(&result.name), result.at);
                for failure in &failures {
                    say!("{}", print::plain(failure));
                }
            }
            results.push(serde_json::json!({ "name": result.name, "at": result.at, "ok": ok, "failures": failures }));
        }
    }
    if json {
        print::json(&serde_json::json!({ "passed": passed, "failed": failed, "scenarios": results }))?;
    } else {
        let of = if files.len() > 1 { format!(" ({} files)", files.len()) } else { String::new() };
        say!("{passed} passed, {failed} failed{of}");
    }
    if failed == 0 { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
}

/// What the checker says of a finished plan.
fn objections(plan: &planner::world::Finished<'_>) -> Vec<String> {
    let facts = checker::PlanFacts::new(plan.policy, plan.run);
    checker::objections(facts, plan.users, plan.answers, plan.decisions, plan.weights)
}

fn plan(file: &Path, json: bool) -> Result<()> {
    let scenarios = match scenarios(file)? {
        Ok(scenarios) => scenarios,
        Err(faults) => {
            faults.iter().for_each(|fault| aside!("{}", print::plain(&fault.to_string())));
            return Err(exit::Ended(exit::FAILED).into());
        }
    };
    let results: Vec<_> = scenarios.iter().map(|s| planner::world::run_scenario(s, &mut objections)).collect();
    let plans: Vec<serde_json::Value> = results.iter().map(planner::world::plan_json).collect();
    if json {
        // One scenario is the usual case, and then there is no list to unwrap.
        match <[_; 1]>::try_from(plans) {
            Ok([plan]) => print::json(&plan)?,
            Err(plans) => print::json(&plans)?,
        }
    } else {
        for plan in plans {
            say!("{}", serde_json::to_string_pretty(&plan)?);
        }
    }
    // Expectations are not judged here, but a plan made without what a step asked for is not the plan that was meant.
    let mut all_done = true;
    for refused in results.iter().flat_map(|r| &r.steps).flat_map(|s| &s.refused) {
        aside!("{}", print::plain(&refused.to_string()));
        all_done = false;
    }
    if all_done { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
}
