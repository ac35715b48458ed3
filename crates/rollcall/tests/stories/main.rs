//! Stories through the program itself: the binary as a process, the pretended Microsoft over HTTP, on both databases.
//!
//! Names carry what each holds: a requirement (`req_r12`), a ruling (`ruling_94`).

use anyhow::{Result, ensure};
use std::path::Path;
use testkit::kill::On;
use testkit::story::{Story, Synced};

/// Tells a story on both databases.
macro_rules! both {
    ($(#[$doc:meta])* $name:ident, $policy:expr, |$story:ident| $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            fn tell($story: &mut Story) -> Result<()> $body

            #[test]
            fn on_sqlite() -> Result<()> {
                tell(&mut begin(On::Sqlite, $policy)?)
            }

            #[test]
            fn on_postgresql() -> Result<()> {
                tell(&mut begin(On::Postgres, $policy)?)
            }
        }
    };
}

mod adopting;
mod approving;
mod corpora;
mod directory;
mod following;
mod groups;
mod input;
mod lifecycle;
mod reverting;
mod reviewing;
mod secrecy;
mod together;
mod what_if;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_rollcall");

/// Everybody becomes a contact of the mapped client.
const EVERYONE: &str = "
preset: bms
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
";

/// Who is in Staff becomes an agent, who is in Portal a contact.
const BY_GROUP: &str = "
preset: bms
rules:
  - { id: staff, order: 10, when: { group_names: [Staff] }, then: { kind: agent, client: from_tenant, role: technician } }
  - { id: portal, order: 20, when: { group_names: [Portal] }, then: { kind: contact, client: from_tenant, role: portal-user } }
";

fn begin(on: On, policy: &str) -> Result<Story> {
    Story::begin(Path::new(PROGRAM), on, policy)
}

/// Six people, so that one who goes is no mass removal, and their first plan applied. Gives the object ids.
fn six(story: &Story) -> Result<Vec<String>> {
    let ids = ["ada", "bea", "cem", "dag", "eva", "fay"]
        .iter()
        .map(|name| story.joins(name, serde_json::json!({})))
        .collect::<Result<_>>()?;
    let first = story.synced_well(&["--yes"])?;
    ensure!(first.count("applied") == 6, "six people become six records: {first:?}");
    Ok(ids)
}

/// That a sync ended in a state, with an exit code.
fn ends(synced: &Synced, code: i32, state: &str) -> Result<()> {
    ensure!(synced.code == Some(code) && synced.state() == state, "not {state} with {code}: {synced:?}");
    Ok(())
}
