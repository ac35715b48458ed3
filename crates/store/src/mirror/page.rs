//! One page of a feed, committed as one: rows, touches, who was seen, and the cursor to go on from.

use super::groups;
use super::users;
use crate::db::{Tx, Value};
use crate::error::{Result, StoreError};
use crate::values;
use crate::writing::Writing;
use model::directory::{Cursor, Event, Feed, Page};

/// A page to commit: folded, hashed and written out as rows hold it, which needs no database and can be done while another page is
/// written.
pub struct PageCommit {
    feed: Feed,
    round: i64,
    full: bool,
    log_edges: bool,
    people: users::Told,
    edges: groups::Told,
    next: Cursor,
}

impl PageCommit {
    /// Prepares a page of a feed for the `round` under way, as [`crate::Store::begin_round`] gave it. In a `full` round what is told
    /// of an object replaces what was known, else it is laid over it. `log_edges`: changed memberships are logged for
    /// [`crate::Store::touch_from_edges`]; not needed while everyone is due anyway.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a value cannot be stored.
    pub fn new(feed: Feed, round: i64, full: bool, log_edges: bool, page: Page) -> Result<Self> {
        let mut people = users::Told::default();
        let mut edges = groups::Folding::default();
        for event in page.events {
            match event {
                Event::User(user) => people.user(user),
                Event::UserRemoved { id, .. } => people.removed(id),
                Event::Group(group) => edges.group(group),
                Event::GroupRemoved { id } => edges.removed(id),
                Event::MemberAdded { group, member, kind } => edges.member(group, member, Some(kind)),
                Event::MemberRemoved { group, member } => edges.member(group, member, None),
            }
        }
        if full {
            people.write_out()?;
        }
        Ok(Self { feed, round, full, log_edges, people, edges: edges.listed(), next: page.next })
    }
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

impl Writing {
    /// Writes a page. Writing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another round has begun since.
    pub async fn page(&mut self, page: PageCommit) -> Result<PageStats> {
        let (tx, lease) = (&mut self.tx, &self.lease);
        let cursor = Value::json(&page.next)?;
        let sql = "UPDATE feeds SET cursor = $4 WHERE tenant_id = $1 AND feed = $2 AND round = $3";
        let params = vec![lease.tenant.into(), page.feed.as_str().into(), page.round.into(), cursor];
        if tx.execute(sql, params).await? == 0 {
            return Err(StoreError::Conflict("Another round of this feed has begun. Read its state again.".into()));
        }
        let mut stats = PageStats::default();
        let place = Place { tenant: lease.tenant, round: page.round, full: page.full, log_edges: page.log_edges };
        commit(tx, place, page.people, page.edges, &mut stats).await?;
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

async fn commit(tx: &mut Tx, place: Place, people: users::Told, edges: groups::Told, stats: &mut PageStats) -> Result<()> {
    let change = users::commit(tx, place, people, stats).await?;
    if change != (0, 0) {
        let sql = "UPDATE feeds SET present = present + $2, round_new = round_new + $3 WHERE tenant_id = $1 AND feed = 'users'";
        tx.execute(sql, values![place.tenant, change.0, change.1]).await?;
    }
    groups::commit(tx, place, edges, stats).await
}
