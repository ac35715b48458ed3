//! The mirror: what the directory last told, page by page, and whom a change of it touches.
//!
//! Reading goes in rounds. [`begin_round`](crate::Store::begin_round) opens one, [`page`](crate::Writing::page) takes its pages,
//! [`absentees`](crate::Store::absentees) and [`mark_absent`](crate::Store::mark_absent) settle who was not told by a full one, [`complete_round`](crate::Store::complete_round) closes it.

mod groups;
mod page;
mod passes;
mod rounds;
mod selected;
pub(crate) mod touch;
pub(crate) mod users;

pub use page::{PageCommit, PageStats};
pub use passes::{APP_ASSIGNED, SIGN_INS};
pub use rounds::FeedState;
pub use users::{UserFilter, UserRow};

use crate::error::{Result, StoreError};
use model::directory::Presence;

/// How presence is stored.
pub(crate) fn presence_code(presence: Presence) -> i64 {
    match presence {
        Presence::Present => 0,
        Presence::Deleted => 1,
        Presence::Missing => 2,
        Presence::Unseen => 3,
    }
}

/// Reads [`presence_code`] back.
pub(crate) fn presence(code: i64) -> Result<Presence> {
    match code {
        0 => Ok(Presence::Present),
        1 => Ok(Presence::Deleted),
        2 => Ok(Presence::Missing),
        3 => Ok(Presence::Unseen),
        other => Err(StoreError::Corrupt(format!("mirror_users.presence is {other}"))),
    }
}

/// Edges of users.
pub(crate) const USER: i64 = 0;
/// Edges of groups.
pub(crate) const GROUP: i64 = 1;
/// In the log of edges: the group itself changed (its name or date), so everyone below it is touched.
pub(crate) const ITSELF: i64 = 2;
