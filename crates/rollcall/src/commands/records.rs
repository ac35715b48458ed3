//! `rollcall records`: adopt existing people from CSV, or write them out.

use crate::house::{Files, House};
use crate::{exit, print};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

/// Records.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Adopt existing clients and people from a CSV file, so that a first sync matches what is already there
    Import(Import),
    /// Write all people as CSV, in the form that import reads
    Export {
        /// The file to write; - for standard output
        file: PathBuf,
    },
}

/// Adopts existing clients and people from a CSV file. A file with any fault changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The first line names the columns: external_id, kind (agent|contact; needed), client, site, status, access, username, email,
additional_emails (a;b), first_name, last_name, job_title, phone, mobile, employee_id, role, manager (an external id), root,
tickets, invoices, custom:NAME (text), json:NAME (JSON). Give other names with --map, and leave a column out with
--map \"Notes=-\". Of a record that is known, what the file has no column for stays as it is.

Example:
  rollcall records import people.csv --map \"E-mail Address=email\" --map \"Company=client\" --dry-run")]
pub struct Import {
    /// The CSV file, UTF-8
    file: PathBuf,
    /// One of the file's columns is one of ours
    #[arg(long, value_name = "THEIRS=OURS")]
    map: Vec<String>,
    /// Say what would happen; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::Import(args) => import(&house, args).await,
        Command::Export { file } if file.as_os_str() == "-" => {
            let count = house.engine.export_people(&mut print::Out).await?;
            tracing::info!(count, "records written");
            Ok(())
        }
        Command::Export { file } => {
            let mut out = File::create(&file).with_context(|| format!("{} could not be created", file.display()))?;
            let count = house.engine.export_people(&mut out).await?;
            say!("{count} people written to {}.", file.display());
            Ok(())
        }
    }
}

async fn import(house: &House, args: Import) -> Result<()> {
    let mut mapping = BTreeMap::new();
    for pair in &args.map {
        let Some((theirs, ours)) = pair.rsplit_once('=') else {
            bail!("--map \"{pair}\" needs the form THEIRS=OURS, such as --map \"E-mail Address=email\".");
        };
        mapping.insert(theirs.trim().to_owned(), ours.trim().to_owned());
    }
    let file = File::open(&args.file).with_context(|| format!("{} could not be opened", args.file.display()))?;
    let report = house.engine.import_people(file, &mapping, args.dry_run, &house.actor()).await?;
    if args.json {
        print::json(&report)?;
    } else if report.fault_count > 0 {
        for fault in &report.faults {
            aside!("{}: {}", args.file.display(), print::plain(&fault.to_string()));
        }
        aside!("{}; nothing was changed. Mend the file and try again.", print::counted(report.fault_count, "fault"));
    } else {
        let would = if args.dry_run { "would be " } else { "" };
        say!(
            "{} people {would}created, {} {would}updated, {} unchanged; {} clients {would}created.",
            report.created,
            report.updated,
            report.unchanged,
            report.clients_created
        );
    }
    if report.fault_count > 0 { Err(exit::Ended(exit::FAILED).into()) } else { Ok(()) }
}
