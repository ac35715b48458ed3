//! `rollcall review`: what waits for a person, and what they decide.

use crate::exit;
use crate::house::{Files, House};
use crate::print;
use anyhow::{Result, bail};
use clap::Args;
use model::PersonId;
use model::reason::ReviewWhy;
use store::ReviewFilter;
use sync::{CandidateView, ReviewAction, ReviewOutcomes, ReviewView};

/// Review items.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What waits, why, and which records it could be
    List {
        #[command(flatten)]
        which: Which,
        /// How many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only items after this number
        #[arg(long, default_value_t = 0, value_name = "ITEM")]
        after: i64,
        /// In this state
        #[arg(long, default_value = "open", value_parser = ["open", "decided", "resolved", "dismissed", "closed"])]
        state: String,
        /// What was dismissed (short for --state dismissed)
        #[arg(long)]
        dismissed: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One item: the user, the candidates side by side, what was found, and who decided what
    Show {
        /// The item's number
        item: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// This record is the user: link it, at once and for good
    #[command(
        after_help = "Examples:\n  rollcall review link 12 --record 340\n  rollcall review link --all --why inactive_match --count 3   # each item's only candidate"
    )]
    Link {
        #[command(flatten)]
        items: Items,
        /// The record; without it the item's only candidate
        #[arg(long, value_name = "RECORD")]
        record: Option<i64>,
    },
    /// None of the records is the user: create a new one, at once and for good
    #[command(
        after_help = "Examples:\n  rollcall review create 12 15\n  rollcall review create --all --tenant acme --why no_match --count 40"
    )]
    Create {
        #[command(flatten)]
        items: Items,
    },
    /// Keep the user out until somebody re-opens the item
    Dismiss {
        #[command(flatten)]
        items: Items,
    },
    /// Ask again, or take a choice back that is not written yet
    Reopen {
        #[command(flatten)]
        items: Items,
    },
}

/// Which items.
#[derive(Debug, Args)]
pub struct Which {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only those for this reason, such as ambiguous_match
    #[arg(long, value_name = "WHY", value_parser = why)]
    why: Option<ReviewWhy>,
}

/// The items a decision is about.
#[derive(Debug, Args)]
pub struct Items {
    /// Their numbers
    #[arg(value_name = "ITEM", required_unless_present = "all")]
    items: Vec<i64>,
    /// Everything that fits --tenant and --why
    #[arg(long, conflicts_with = "items")]
    all: bool,
    #[command(flatten)]
    which: Which,
    /// With --all: how many there are; with another number nothing is decided
    #[arg(long, requires = "all")]
    count: Option<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn why(word: &str) -> Result<ReviewWhy, String> {
    let all = ReviewWhy::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", ");
    ReviewWhy::ALL.into_iter().find(|w| w.as_str() == word).ok_or_else(|| format!("one of: {all}"))
}

/// Runs the command.
pub async fn run(files: Files, command: Command) -> Result<()> {
    let house = House::open(&files).await?;
    match command {
        Command::List { which, limit, after, state, dismissed, json } => {
            let state = Some(if dismissed { "dismissed".to_owned() } else { state });
            let filter = ReviewFilter { state, after, limit: i64::from(limit), ..filter(&house, &which).await? };
            let items = house.engine.review_items(&filter).await?;
            if json {
                return print::json(&items);
            }
            list(&items);
            Ok(())
        }
        Command::Show { item, json } => show(&house, item, json).await,
        Command::Link { items, record } => {
            if record.is_some() && items.items.len() != 1 {
                bail!("--record goes with one item; without it each item's only candidate is linked");
            }
            decide(&house, items, ReviewAction::Link(record.map(PersonId))).await
        }
        Command::Create { items } => decide(&house, items, ReviewAction::Create).await,
        Command::Dismiss { items } => decide(&house, items, ReviewAction::Dismiss).await,
        Command::Reopen { items } => decide(&house, items, ReviewAction::Reopen).await,
    }
}

async fn filter(house: &House, which: &Which) -> Result<ReviewFilter> {
    let tenant = match &which.tenant {
        Some(name) => Some(house.engine.tenant_named(name).await?.key),
        None => None,
    };
    Ok(ReviewFilter { tenant, why: which.why, ..ReviewFilter::default() })
}

async fn decide(house: &House, items: Items, action: ReviewAction) -> Result<()> {
    let actor = house.actor();
    let done = if items.all {
        let state = (action == ReviewAction::Reopen).then(|| "dismissed".to_owned());
        let filter = ReviewFilter { state, ..filter(house, &items.which).await? };
        let Some(count) = items.count else {
            let there = house.engine.store().count_reviews(&filter).await?;
            bail!("The items that fit are {there}. Nothing was decided; to go on, say so: --count {there}");
        };
        house.engine.review_decide_all(&filter, action, count, true, &actor).await?
    } else {
        if items.which.tenant.is_some() || items.which.why.is_some() {
            bail!("--tenant and --why go with --all");
        }
        let wishes: Vec<_> = items.items.iter().map(|item| (*item, action)).collect();
        house.engine.review_decide_many(&wishes, true, &actor).await?
    };
    tell(&done, items.json)?;
    if done.refused > 0 {
        return Err(exit::Ended(exit::FAILED).into());
    }
    let held = done.outcomes.iter().any(|o| o.state.as_deref() == Some("decided"));
    if held { Err(exit::Ended(exit::HELD).into()) } else { Ok(()) }
}

fn tell(done: &ReviewOutcomes, json: bool) -> Result<()> {
    if json {
        return print::json(done);
    }
    for one in &done.outcomes {
        let mark = if one.ok { " " } else { "!" };
        say!("{mark} Item {}: {}", one.item, print::plain(&one.sentence));
    }
    if done.outcomes.len() > 1 {
        say!("{} done, {} waiting, {} refused.", done.done, done.waiting, done.refused);
    }
    Ok(())
}

fn list(items: &[ReviewView]) {
    print::table(
        &["Item", "Tenant", "User", "Why", "Could be"],
        items.iter().map(|i| {
            let candidates: Vec<String> = i.candidates.iter().map(|c| format!("{} ({})", c.name, c.id)).collect();
            [i.id.to_string(), i.tenant_name.clone(), name(i), i.sentence.clone(), candidates.join("; ")]
        }),
        "Nobody waits for a decision.",
    );
}

fn name(item: &ReviewView) -> String {
    item.user_name.clone().unwrap_or_else(|| item.source_id.to_string())
}

async fn show(house: &House, id: i64, json: bool) -> Result<()> {
    let item = house.engine.review_item(id).await?;
    let choices = if item.state == "open" { house.engine.review_choices(id).await? } else { sync::ReviewChoices::default() };
    let history = house.engine.review_history(id).await?;
    if json {
        let mut refused: Vec<_> = choices.link.iter().collect();
        refused.sort();
        let refused: Vec<_> =
            refused.into_iter().map(|(record, why)| serde_json::json!({ "record": record, "sentence": why })).collect();
        let history = history
            .iter()
            .map(|d| serde_json::json!({ "at": d.at, "by": d.by, "action": d.action, "record": d.record, "run": d.run }));
        return print::json(&serde_json::json!({
            "item": item,
            "cannot_create": choices.create,
            "cannot_link": refused,
            "history": history.collect::<Vec<_>>(),
        }));
    }
    say!("Item {id}, {}: {} of {}", item.state, print::plain(&name(&item)), print::plain(&item.tenant_name));
    say!("  {}", print::plain(&item.sentence));
    for sentence in &item.evidence {
        say!("  · {}", print::plain(sentence));
    }
    let candidate = |c: &CandidateView| {
        [
            c.id.to_string(),
            c.name.clone(),
            format!("{} {}", c.status, c.kind),
            c.client.clone().unwrap_or_default(),
            c.email.clone().unwrap_or_default(),
            c.met.join("; "),
            c.alike.map(|p| format!("{p} %")).unwrap_or_default(),
            c.last_sign_in.clone().unwrap_or_default(),
            c.tickets.to_string(),
            choices
                .link
                .get(&c.id)
                .cloned()
                .or_else(|| c.linked_to.as_ref().map(|n| format!("linked to {n}")))
                .unwrap_or_default(),
        ]
    };
    let headings = ["Record", "Name", "Kind", "Client", "E-mail", "Met by", "Name alike", "Signed in", "Tickets", "Note"];
    print::table(&headings, item.candidates.iter().map(candidate), "No record comes into question.");
    if let Some(why) = &choices.create {
        say!("  No new record: {}", print::plain(why));
    }
    for decision in &history {
        let record = decision.record.map(|r| format!(" record {r}")).unwrap_or_default();
        let run = decision.run.map(|r| format!(" (run {r})")).unwrap_or_default();
        say!("  {}  {}: {}{record}{run}", print::time(decision.at), print::plain(&decision.by), decision.action);
    }
    Ok(())
}
