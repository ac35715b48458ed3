//! `rollcall policy what-if`: who would change, and how, before a policy is kept.

use crate::commands::policy::refuse;
use crate::house::House;
use crate::print;
use anyhow::Result;
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::path::Path;
use sync::{PolicyScope, WhatIf};

/// Counts what the text would do, and prints it.
pub async fn run(house: &House, scope: PolicyScope, file: &Path, text: &str, json: bool) -> Result<()> {
    let live = std::io::stderr().is_terminal();
    let show = |now: &WhatIf| {
        if live && !now.complete {
            let WhatIf { looked_at, of, affected, decided, .. } = now;
            let line = format!("\r{looked_at} of {of} looked at, {affected} affected, {decided} of them decided …");
            // Progress is for whoever looks; nothing depends on it.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    };
    let report = match house.engine.what_if(scope, text, show).await {
        Err(sync::Error::Policy(faults)) => return refuse(file, &faults),
        report => report?,
    };
    if live {
        aside!("");
    }
    if json {
        return print::json(&report);
    }
    print(&report);
    Ok(())
}

fn print(report: &WhatIf) {
    let counted = &report.counted;
    say!(
        "Of {} users {} are affected; {} records would change, {} of them go out of use.",
        report.of,
        report.affected,
        counted.changes,
        counted.removals
    );
    for group in &counted.groups {
        let rule = group.group.rule.as_ref().map(|r| format!(" by rule {r}")).unwrap_or_default();
        let fields: Vec<&str> = group.group.fields.iter().map(model::Field::as_str).collect();
        say!(
            "{:>8}  {} {}{}: {}",
            group.count,
            group.group.verb.label(),
            group.group.kind,
            print::plain(&rule),
            print::plain(&fields.join(", "))
        );
    }
    for (why, count) in &counted.review {
        say!("{count:>8}  would wait for a person: {why}");
    }
    if counted.failed > 0 {
        say!("{:>8}  could not be decided", counted.failed);
    }
    for way in &report.moves {
        say!("{:>8}  {} → {}", way.count, print::plain(&way.from), print::plain(&way.to));
    }
    for tenant in report.tenants.iter().filter(|t| !t.holds.is_empty()) {
        for hold in &tenant.holds {
            say!("The plan of {} would wait for approval: {}", print::plain(&tenant.name), print::plain(hold));
        }
    }
    for note in &report.notes {
        say!("Mind: {}", print::plain(note));
    }
    for sample in &counted.samples {
        say!("{} {}  {}", sample.verb.label(), sample.kind, print::plain(&sample.name));
        for (field, after) in &sample.set {
            let before = sample.before.get(field).unwrap_or(&Value::Null);
            say!("          {field}: {} → {}", print::plain(&before.to_string()), print::plain(&after.to_string()));
        }
        for why in &sample.why {
            say!("          · {}", print::plain(why));
        }
    }
    say!("Nothing was written.");
}
