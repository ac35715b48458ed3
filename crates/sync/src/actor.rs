//! Who asked for something: kept with runs, approvals, reviews and in the audit log.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Somebody or something that acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// Its name: an account's, a token's, the operating system user's; empty for the schedule.
    pub name: String,
}

/// What kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Somebody at the command line.
    Cli,
    /// Somebody signed in to the pages.
    Account,
    /// A program with an API token.
    Token,
    /// The scheduler.
    Schedule,
}

impl Actor {
    /// Somebody at the command line.
    #[must_use]
    pub fn cli(name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Cli, name: name.into() }
    }

    /// The scheduler.
    #[must_use]
    pub fn schedule() -> Self {
        Self { kind: ActorKind::Schedule, name: String::new() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ActorKind::Cli => write!(f, "{} (command line)", self.name),
            ActorKind::Account => f.write_str(&self.name),
            ActorKind::Token => write!(f, "{} (API token)", self.name),
            ActorKind::Schedule => f.write_str("schedule"),
        }
    }
}
