//! `rollcall explain`: why is this user, or this record, what it is?

use crate::house::{Files, House};
use crate::print;
use anyhow::Result;
use model::PersonId;
use sync::{Explanation, FieldView, PastChange};

/// Every stage's reasons for one user or record, from the stored state; nothing is read from Entra and nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall explain acme ada@acme.example      the user, by user principal name, e-mail address or object id
  rollcall explain --record 4711              the record of that number, and the user it is linked to
  rollcall explain acme ada@acme.example --json")]
pub struct Args {
    /// The tenant: id, domain or the connection's name
    #[arg(required_unless_present = "record")]
    tenant: Option<String>,
    /// The user: object id, user principal name or e-mail address
    #[arg(required_unless_present = "record")]
    user: Option<String>,
    /// A record by its number, instead of a user
    #[arg(long, value_name = "RECORD", conflicts_with_all = ["tenant", "user"])]
    record: Option<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(files: Files, args: Args) -> Result<()> {
    let house = House::open(&files).await?;
    if let Some(record) = args.record {
        let explanation = house.engine.explain_record(PersonId(record)).await?;
        if args.json {
            return print::json(&explanation);
        }
        say!("{}  record {}", print::plain(&explanation.name), explanation.record);
        if let Some(sentence) = &explanation.unlinked {
            say!("{}", print::plain(sentence));
        }
        fields(&explanation.fields);
        match &explanation.user {
            Some(user) => told(user),
            None => history(&explanation.history),
        }
        return Ok(());
    }
    let tenant = house.engine.tenant_named(args.tenant.as_deref().unwrap_or_default()).await?;
    let explanation = house.engine.explain(tenant.key, args.user.as_deref().unwrap_or_default()).await?;
    if args.json {
        return print::json(&explanation);
    }
    told(&explanation);
    Ok(())
}

/// A user, stage by stage.
fn told(explanation: &Explanation) {
    say!("{}  {}", print::plain(&explanation.name), explanation.source_id);
    let version = explanation.policy_version.map_or_else(|| "inherited".to_owned(), |v| format!("version {v}"));
    say!("Policy: {version}, {}", explanation.policy_digest.get(..12).unwrap_or_default());
    for stage in &explanation.stages {
        section(&stage.stage, stage.sentences.iter().map(String::as_str));
    }
    fields(&explanation.fields);
    section("Otherwise", explanation.otherwise.iter().map(|o| o.sentence.as_str()));
    history(&explanation.history);
}

fn section<'a>(heading: &str, sentences: impl Iterator<Item = &'a str>) {
    for (i, sentence) in sentences.enumerate() {
        if i == 0 {
            say!("{heading}");
        }
        say!("  {}", print::plain(sentence));
    }
}

fn fields(fields: &[FieldView]) {
    let lines: Vec<String> = fields.iter().map(|f| format!("{} = {}  ({})", f.field, f.shown, f.sentence)).collect();
    section("Values", lines.iter().map(String::as_str));
}

fn history(history: &[PastChange]) {
    let line = |past: &PastChange| {
        let change = &past.change;
        let mut line = format!("run {}: {} the {}", change.run, change.change.verb.label().to_lowercase(), change.change.kind);
        if let Some(at) = change.at {
            line = format!("{} {line}", print::time(at));
        }
        if change.state != "applied" {
            line += &format!(" ({})", change.state.replace('_', " "));
        }
        if let Some(by) = &past.requested_by {
            line += &format!(", asked for by {by}");
        }
        if let Some(by) = &past.decided_by {
            line += &format!(", approved by {by}");
        }
        if let Some(version) = past.policy_version {
            line += &format!(", policy version {version}");
        }
        line
    };
    let lines: Vec<String> = history.iter().map(line).collect();
    section("Before", lines.iter().map(String::as_str));
}
