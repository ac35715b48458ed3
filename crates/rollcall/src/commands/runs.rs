//! `rollcall runs`: what ran, what waits, and what each plan would do or did.

use crate::house::{Files, House};
use crate::{exit, print};
use anyhow::Result;
use model::RunId;
use model::run::RunState;
use sync::{Paged, Teller};

/// Runs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The latest runs
    List {
        /// Only this tenant's
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One run: counts, why it is held, and its changes with before, after and reasons
    Show {
        /// The run's number
        run: i64,
        /// How many changes to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Apply a plan exactly as it was shown
    Approve {
        /// The run's number
        run: i64,
        /// The plan's hash, as `runs show` prints it
        #[arg(long)]
        hash: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say no; remembered until the inputs change
    Reject {
        /// The run's number
        run: i64,
        /// The plan's hash, as `runs show` prints it
        #[arg(long)]
        hash: String,
        /// Why, for those who look later
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Plan what takes an applied run back, and show it; it is written once somebody approves it
    Revert {
        /// The run's number
        run: i64,
        /// How many changes to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::List { tenant, limit, json } => {
            let tenant = match tenant {
                Some(name) => Some(house.engine.tenant_named(&name).await?.key),
                None => None,
            };
            let runs = house.engine.runs(tenant, limit).await?;
            if json {
                return print::json(&runs);
            }
            print::table(
                &["Run", "Tenant", "State", "Started", "By", "Changes", "Review", "Failed"],
                runs.iter().map(|r| {
                    [
                        r.id.to_string(),
                        r.tenant_name.clone(),
                        r.state.to_string(),
                        print::time(r.started_at),
                        r.requested_by.clone(),
                        r.counts.changes().to_string(),
                        r.counts.in_review.to_string(),
                        r.counts.failed.to_string(),
                    ]
                }),
                "Nothing has run yet. Start with: rollcall sync TENANT --preview",
            );
            Ok(())
        }
        Command::Show { run, limit, json } => show(&house, RunId(run), limit, json).await,
        Command::Approve { run, hash, json } => {
            house.engine.approve(RunId(run), &hash, &house.actor()).await?;
            let report = house.engine.drive(RunId(run), Teller::silent()).await?;
            if json {
                print::json(&report)?;
            } else {
                say!(
                    "Run {} is {}: {} changes written, {} failed.",
                    report.id,
                    report.state,
                    report.counts.applied,
                    report.counts.failed
                );
            }
            if report.state == RunState::Done { Ok(()) } else { Err(exit::Ended(exit::FAILED).into()) }
        }
        Command::Revert { run, limit, json } => {
            let plan = house.engine.revert_now(RunId(run), &house.actor(), Teller::silent()).await?;
            show(&house, plan.id, limit, json).await?;
            if plan.state != RunState::Ready {
                return Err(exit::Ended(exit::FAILED).into());
            }
            if json {
                return Ok(());
            }
            let (changes, left) = (plan.counts.changes(), plan.counts.unchanged);
            say!("{changes} changes take run {run} back; {left} are left as they are.");
            if let Some(hash) = plan.hash.filter(|_| changes > 0) {
                say!("Nothing is written yet. To write exactly this: rollcall runs approve {} --hash {hash}", plan.id);
            }
            Ok(())
        }
        Command::Reject { run, hash, reason } => {
            house.engine.reject(RunId(run), &hash, &reason, &house.actor()).await?;
            say!("Run {run} is rejected. The same plan is not asked again until its inputs change.");
            Ok(())
        }
    }
}

async fn show(house: &House, run: RunId, limit: u32, json: bool) -> Result<()> {
    let report = house.engine.run(run).await?;
    let changes = house.engine.run_changes(run, &Paged::first(limit)).await?;
    let not_done = house.engine.run_reports(run, limit).await?;
    if json {
        return print::json(&serde_json::json!({ "run": report, "changes": changes, "reports": not_done }));
    }
    say!("Run {} of {}: {}", report.id, print::plain(&report.tenant_name), report.state);
    if let Some(run) = report.reverts {
        say!("  takes back run {run}");
    }
    if let Some(run) = report.reverted_by {
        say!("  taken back by run {run}");
    }
    if let Some(hash) = &report.hash {
        say!("  hash {hash}");
    }
    for hold in &report.holds {
        say!("  Held: {}", print::plain(&hold.to_string()));
    }
    if let Some(error) = &report.error {
        say!("  {}", print::plain(error));
    }
    for change in &changes {
        let who = change.name.as_deref().unwrap_or(change.change.source_id.as_str());
        say!("{:>6}  {} {}  {}", change.seq, change.change.verb.label(), change.change.kind, print::plain(who));
        for (field, after) in &change.change.set {
            let before = change.change.before.get(field).unwrap_or(&serde_json::Value::Null);
            say!("          {field}: {} → {}", print::plain(&before.to_string()), print::plain(&after.to_string()));
        }
        for reason in &change.change.reasons {
            say!("          · {}", print::plain(&reason.to_string()));
        }
        if let Some(error) = &change.error {
            say!("          ! {}", print::plain(error));
        }
    }
    for report in &not_done {
        say!("     –  {}", print::plain(&report.detail));
    }
    let total = report.counts.changes();
    let shown = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    if total > shown {
        say!("… and {} more: --limit {total}", total - shown);
    }
    Ok(())
}
