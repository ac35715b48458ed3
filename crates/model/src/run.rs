//! A run: its states, kinds and counts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The states of a run (ruling 100).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for a worker.
    Queued,
    /// Reads the source into the mirror.
    Collecting,
    /// Decides.
    Planning,
    /// A stored preview nobody asked to apply.
    Ready,
    /// Waits for a person's approval.
    Held,
    /// Writes the plan.
    Applying,
    /// Passes records on.
    Propagating,
    /// Ended: applied.
    Done,
    /// Ended: failed, with the error.
    Failed,
    /// Ended: a person said no.
    Rejected,
    /// Ended: a newer plan replaced it.
    Superseded,
    /// Ended: its inputs changed before it was approved.
    Stale,
}

impl RunState {
    /// Every state, in the order of a run's life.
    pub const ALL: [RunState; 12] = [
        RunState::Queued,
        RunState::Collecting,
        RunState::Planning,
        RunState::Ready,
        RunState::Held,
        RunState::Applying,
        RunState::Propagating,
        RunState::Done,
        RunState::Failed,
        RunState::Rejected,
        RunState::Superseded,
        RunState::Stale,
    ];

    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Collecting => "collecting",
            RunState::Planning => "planning",
            RunState::Ready => "ready",
            RunState::Held => "held",
            RunState::Applying => "applying",
            RunState::Propagating => "propagating",
            RunState::Done => "done",
            RunState::Failed => "failed",
            RunState::Rejected => "rejected",
            RunState::Superseded => "superseded",
            RunState::Stale => "stale",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Rejected | Self::Superseded | Self::Stale)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Everything: looks for missing users and drift.
    Full,
    /// What changed since the last read.
    Delta,
    /// A read that did not complete: nothing is concluded from absence (ruling 2).
    Incomplete,
    /// Nothing is read: users whom a person decided about in review are planned from what the mirror holds (ruling 13).
    Review,
    /// Nothing: it takes back what an earlier run did.
    Revert,
}

impl RunKind {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunKind::Full => "full",
            RunKind::Delta => "delta",
            RunKind::Incomplete => "incomplete",
            RunKind::Review => "review",
            RunKind::Revert => "revert",
        }
    }
}

/// Where everyone ended: the counts of a run, which together account for every user it looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Users the plan looked at.
    pub users: i64,
    /// Changes by verb.
    pub create: i64,
    /// See [`crate::plan::Verb::Link`].
    pub link: i64,
    /// See [`crate::plan::Verb::Update`].
    pub update: i64,
    /// See [`crate::plan::Verb::Deactivate`].
    pub deactivate: i64,
    /// See [`crate::plan::Verb::Reactivate`].
    pub reactivate: i64,
    /// See [`crate::plan::Verb::RevokeAccess`].
    pub revoke_access: i64,
    /// See [`crate::plan::Verb::GrantAccess`].
    pub grant_access: i64,
    /// See [`crate::plan::Verb::Archive`].
    pub archive: i64,
    /// See [`crate::plan::Verb::Restore`].
    pub restore: i64,
    /// Users with nothing to change.
    pub unchanged: i64,
    /// Users out of scope or selected by no rule.
    pub excluded: i64,
    /// Users who wait for a person.
    pub in_review: i64,
    /// Users who failed, each with its reason.
    pub failed: i64,
    /// Changes written so far.
    pub applied: i64,
}

impl Counts {
    /// All changes of the plan.
    #[must_use]
    pub fn changes(&self) -> i64 {
        self.create
            + self.link
            + self.update
            + self.deactivate
            + self.reactivate
            + self.revoke_access
            + self.grant_access
            + self.archive
            + self.restore
    }
}
