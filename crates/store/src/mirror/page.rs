//! One page of a feed, committed as one: rows, touches, who was seen, and the cursor to go on from.

use super::groups;
use super::users;
use crate::db::{Tx, Value};
use crate::error::{Result, StoreError};
use crate::lease::Lease;
use crate::{Store, values};
use model::directory::{Cursor, Event, Feed};

/// A page to commit.
#[derive(Debug)]
pub struct PageCommit<'a> {
    /// The feed.
    pub feed: Feed,
    /// The round under way, as [`Store::begin_round`] gave it.
    pub round: i64,
    /// Whether the round reads everything: then what is told of an object replaces what was known, else it is laid over it.
    pub full: bool,
    /// What the page tells.
    pub events: Vec<Event>,
    /// Where to go on.
    pub next: &'a Cursor,
    /// Whether changed memberships are logged for [`Store::touch_from_edges`]; not needed while everyone is due anyway.
    pub log_edges: bool,
}

/// What a page came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageStats {
    /// Users told.
    pub users: u64,
    /// Of those, new ones.
    pub new: u64,
    /// Of those, ones that differ from what was known.
    pub changed: u64,
    /// Of those, ones that do not.
    pub unchanged: u64,
    /// Users gone.
    pub removed: u64,
    /// Groups told.
    pub groups: u64,
    /// Memberships told.
    pub edges_added: u64,
    /// Memberships ended.
    pub edges_removed: u64,
}

impl Store {
    /// Commits a page. Committing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::Conflict`] when another round has begun since.
    pub async fn commit_page(&self, lease: &Lease, page: PageCommit<'_>) -> Result<PageStats> {
        let mut tx = self.begin_fenced(lease).await?;
        let cursor = Value::json(page.next)?;
        let sql = "UPDATE feeds SET cursor = $4 WHERE tenant_id = $1 AND feed = $2 AND round = $3";
        let params = vec![lease.tenant.into(), page.feed.as_str().into(), page.round.into(), cursor];
        if tx.execute(sql, params).await? == 0 {
            return Err(StoreError::Conflict("Another round of this feed has begun. Read its state again.".into()));
        }
        let mut stats = PageStats::default();
        let place = Place { tenant: lease.tenant, round: page.round, full: page.full, log_edges: page.log_edges };
        commit(&mut tx, place, page.events, &mut stats).await?;
        tx.commit().await?;
        Ok(stats)
    }
}

/// Where a page belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub tenant: model::TenantKey,
    pub round: i64,
    pub full: bool,
    pub log_edges: bool,
}

async fn commit(tx: &mut Tx, place: Place, events: Vec<Event>, stats: &mut PageStats) -> Result<()> {
    let mut people = users::Told::default();
    let mut edges = groups::Told::default();
    for event in events {
        match event {
            Event::User(user) => people.user(user),
            Event::UserRemoved { id, .. } => people.removed(id),
            Event::Group(group) => edges.group(group),
            Event::GroupRemoved { id } => edges.removed(id),
            Event::MemberAdded { group, member, kind } => edges.member(group, member, Some(kind)),
            Event::MemberRemoved { group, member } => edges.member(group, member, None),
        }
    }
    let change = users::commit(tx, place, people, stats).await?;
    if change != (0, 0) {
        let sql = "UPDATE feeds SET present = present + $2, round_new = round_new + $3 WHERE tenant_id = $1 AND feed = 'users'";
        tx.execute(sql, values![place.tenant, change.0, change.1]).await?;
    }
    groups::commit(tx, place, edges, stats).await
}
