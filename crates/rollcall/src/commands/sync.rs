//! `rollcall sync`: one run, in the foreground.

use crate::house::{Files, House};
use crate::{exit, print};
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use model::plan::Verb;
use model::run::{RunKind, RunState};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;
use sync::{Progress, RunReport, RunRequest, Teller};

/// Reads what changed in Entra, decides, and writes: one run a tenant.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rollcall sync acme.example --preview     what would change, and nothing written
  rollcall sync acme.example --yes         the first run, approved at once
  rollcall sync --all                      every mapped tenant: what a schedule would do

Exit codes: 0 done, 1 failed, 2 usage, 3 held for approval (with --strict also when somebody waits in review).")]
pub struct Args {
    /// Tenants: id, domain or the connection's name
    #[arg(value_name = "TENANT", required_unless_present = "all", conflicts_with = "all")]
    tenants: Vec<String>,
    /// Every tenant that is mapped to a client
    #[arg(long)]
    all: bool,
    /// Read everything again: looks for missing users and for records that drifted
    #[arg(long)]
    full: bool,
    /// Plan and show; write nothing
    #[arg(long)]
    preview: bool,
    /// Approve a tenant's first run; never what the guard holds
    #[arg(long, conflicts_with = "preview")]
    yes: bool,
    /// Exit with 3 also when somebody waits in review
    #[arg(long)]
    strict: bool,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(files: Files, args: Args) -> Result<()> {
    let house = House::open(&files).await?;
    let tenants = if args.all {
        let all = house.engine.tenants().await?;
        if all.is_empty() {
            bail!("There is no tenant yet. Connect one first: rollcall connections add --help");
        }
        let (mapped, unmapped): (Vec<_>, Vec<_>) = all.into_iter().partition(|t| t.client.is_some());
        for tenant in unmapped {
            aside!("{0}: left out, because it is not mapped to a client: rollcall tenants map {0} --client NAME", tenant.name);
        }
        mapped
    } else {
        let mut named = Vec::new();
        for name in &args.tenants {
            named.push(house.engine.tenant_named(name).await?);
        }
        named
    };
    let (mut reports, mut failed, mut held, mut in_review) = (Vec::new(), false, false, false);
    for tenant in tenants {
        let request = RunRequest {
            kind: if args.full { RunKind::Full } else { RunKind::Delta },
            preview: args.preview,
            approve_first: args.yes,
            actor: house.actor(),
        };
        for warning in house.engine.first_sync_warnings(tenant.key).await? {
            aside!("warning: {}: {}", print::plain(&tenant.name), print::plain(&warning));
        }
        let bar = Bar::new(&tenant.name);
        let outcome = house.engine.run_now(tenant.key, request, bar.teller()).await;
        bar.finish();
        match outcome {
            Ok(report) => {
                failed |= report.state == RunState::Failed;
                held |= report.state == RunState::Held;
                in_review |= report.review_open > 0;
                if !args.json {
                    show(&tenant.name, &report);
                }
                reports.push(serde_json::json!({ "tenant": tenant.name, "run": report }));
            }
            Err(error) => {
                failed = true;
                aside!("rollcall: {}: {}", print::plain(&tenant.name), print::plain(&error.to_string()));
                reports.push(
                    serde_json::json!({ "tenant": tenant.name, "error": { "code": error.code(), "message": error.to_string() } }),
                );
            }
        }
    }
    if args.json {
        print::json(&serde_json::json!({ "runs": reports }))?;
    }
    match (failed, held || (args.strict && in_review)) {
        (true, _) => Err(exit::Ended(exit::FAILED).into()),
        (false, true) => Err(exit::Ended(exit::HELD).into()),
        (false, false) => Ok(()),
    }
}

fn show(tenant: &str, report: &RunReport) {
    let c = &report.counts;
    let verbs = [
        (Verb::Create, c.create),
        (Verb::Link, c.link),
        (Verb::Update, c.update),
        (Verb::Deactivate, c.deactivate),
        (Verb::Reactivate, c.reactivate),
        (Verb::RevokeAccess, c.revoke_access),
        (Verb::GrantAccess, c.grant_access),
        (Verb::Archive, c.archive),
        (Verb::Restore, c.restore),
    ];
    let changes: Vec<String> = verbs.iter().filter(|(_, n)| *n > 0).map(|(verb, n)| format!("{n} {verb}")).collect();
    let changes = if changes.is_empty() { "nothing to change".to_owned() } else { changes.join(", ") };
    say!("{tenant}: run {} is {}: {changes}.", report.id, report.state);
    say!(
        "  {} users looked at: {} unchanged, {} excluded, {} waiting for a person, {} failed.",
        c.users,
        c.unchanged,
        c.excluded,
        c.in_review,
        c.failed
    );
    if let Some(error) = &report.error {
        say!("  {}", print::plain(error));
    }
    for hold in &report.holds {
        let word = if report.state == RunState::Ready { "Mind" } else { "Held" };
        say!("  {word}: {}", print::plain(&hold.to_string()));
    }
    match report.state {
        RunState::Held => say!(
            "  Look: rollcall runs show {id}\n  Then: rollcall runs approve {id} --hash {hash}   (or: rollcall runs reject {id})",
            id = report.id,
            hash = report.hash.as_deref().unwrap_or_default()
        ),
        RunState::Ready => say!("  Look: rollcall runs show {}", report.id),
        _ => {}
    }
    if report.review_open > 0 {
        say!("  {} people wait for a decision: rollcall review list", report.review_open);
    }
}

/// A bar on a terminal, a line a state elsewhere; both on stderr.
struct Bar {
    bar: Option<ProgressBar>,
    name: String,
}

impl Bar {
    fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_message(format!("{name}: starting"));
            bar
        });
        Self { bar, name: name.to_owned() }
    }

    fn teller(&self) -> Teller {
        let (bar, name) = (self.bar.clone(), self.name.clone());
        let last = Mutex::new(None);
        Teller::new(move |p: Progress| {
            let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let entered = *last != Some(p.state);
            *last = Some(p.state);
            let Some(bar) = &bar else {
                if entered {
                    aside!("{name}: {}", p.state);
                }
                return;
            };
            if entered {
                // The templates are constants, so a fault in one shows in the first run of the tests.
                let template =
                    if p.of.is_some() { "{msg} {wide_bar} {human_pos}/{human_len}" } else { "{spinner} {msg} {human_pos}" };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_message(format!("{name}: {}", p.state));
            }
            if let Some(of) = p.of {
                bar.set_length(of.unsigned_abs());
            }
            bar.set_position(p.done.unsigned_abs());
        })
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
