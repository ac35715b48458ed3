//! Collect: read both feeds of a directory into the mirror, page by page.
//!
//! A page and the cursor behind it are committed together, so that a killed run goes on from its last page. While one page is
//! written the next one is fetched; at most those two are in memory.

use crate::ahead::ahead;
use crate::engine::Job;
use crate::error::{Error, Result};
use model::directory::{Cursor, Feed, Page, Presence};
use model::run::{RunKind, RunState};
use model::{SourceId, UserKey};
use sources::SourceError;
use std::collections::HashSet;
use store::{FeedState, PageCommit};

/// Absent users asked about at once.
const ABSENTEES: i64 = 1_000;

impl Job {
    /// Reads both feeds to the end of their rounds. Groups come second, so that most members are known when groups name them.
    pub(crate) async fn collect(&mut self, started_at: i64) -> Result<()> {
        for feed in Feed::ALL {
            let state = self.round(feed, started_at).await?;
            let Some(state) = state else { continue };
            match self.read_round(feed, state).await {
                // The token is too old or the tenant moved: drop it, read everything, reconcile absentees. Once: a source that
                // refuses a fresh round too has another trouble, which its own error names.
                Err(Error::Source(SourceError::Resync { code, .. })) => {
                    tracing::info!(tenant = %self.tenant.name, feed = feed.as_str(), code, "the source asks for a full read");
                    let state = self.begin(feed, true).await?;
                    self.read_round(feed, state).await?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// The round to read: the one under way, a new one, or none when this run has completed it already.
    async fn round(&mut self, feed: Feed, started_at: i64) -> Result<Option<FeedState>> {
        let state = self.store.feed_state(self.tenant.key, feed).await?;
        // A link carries its query: what the policy newly maps is only told by a round that asks for it.
        let asks_anew =
            feed == Feed::Users && state.round > 0 && self.store.selected(self.tenant.key, feed).await? != self.selected();
        if asks_anew {
            return self.begin(feed, true).await.map(Some);
        }
        let full = self.kind == RunKind::Full;
        if state.round > 0 && state.round_done_at.is_none() && (state.full || !full) {
            return Ok(Some(state));
        }
        if full && state.full && state.round_done_at.is_some_and(|done| done >= started_at) {
            return Ok(None);
        }
        let full = full || state.cursor == Cursor::Refresh;
        self.begin(feed, full).await.map(Some)
    }

    async fn begin(&mut self, feed: Feed, full: bool) -> Result<FeedState> {
        self.store.begin_round(&self.lease, feed, full).await?;
        if feed == Feed::Users && full {
            self.store.set_selected(&self.lease, feed, &self.selected()).await?;
        }
        Ok(self.store.feed_state(self.tenant.key, feed).await?)
    }

    fn selected(&self) -> String {
        self.select.extensions().join(",")
    }

    async fn read_round(&mut self, feed: Feed, state: FeedState) -> Result<()> {
        // A round whose last page is in and that was killed before its end was drawn has no page left to read.
        let all_in = matches!(state.cursor, Cursor::Active(_)) && state.full;
        if !all_in {
            self.read_pages(feed, &state).await?;
        }
        if state.full && feed == Feed::Users && self.source.capabilities().complete_rounds {
            self.reconcile().await?;
        }
        let now = self.engine.now();
        self.store.complete_round(&self.lease, feed, self.log_edges(), now).await?;
        Ok(())
    }

    async fn read_pages(&mut self, feed: Feed, state: &FeedState) -> Result<()> {
        let (source, select, store, lease) = (self.source.clone(), self.select.clone(), self.store.clone(), self.lease.clone());
        let log_edges = self.log_edges();
        let mut page = source.page(feed, &state.cursor, &select).await?;
        loop {
            let Page { events, next } = page;
            // The next page is fetched and parsed on another thread while this one is written.
            let following = matches!(next, Cursor::Page(_)).then(|| {
                let (source, select, next) = (source.clone(), select.clone(), next.clone());
                ahead(async move { source.page(feed, &next, &select).await })
            });
            let commit = PageCommit { feed, round: state.round, full: state.full, events, next: &next, log_edges };
            let told = store.commit_page(&lease, commit).await?;
            self.read += i64::try_from(told.users).unwrap_or(i64::MAX);
            self.tell(RunState::Collecting, self.read, None).await?;
            match following {
                Some(following) => page = following.await?,
                None => return Ok(()),
            }
        }
    }

    /// Changed memberships are logged once the tenant was planned; before that everyone is due anyway.
    fn log_edges(&self) -> bool {
        self.planned_before
    }

    /// After a complete read: who was not told is gone. Deleted items are asked first, because a deletion that a delta read tells
    /// as a tombstone is mere absence to a full one (ruling 79).
    async fn reconcile(&mut self) -> Result<()> {
        let mut after = UserKey(0);
        loop {
            let absent = self.store.absentees(self.tenant.key, after, ABSENTEES).await?;
            let Some((last, _)) = absent.last() else { return Ok(()) };
            after = *last;
            let ids: Vec<SourceId> = absent.iter().map(|(_, id)| id.clone()).collect();
            let deleted: HashSet<SourceId> = if self.source.capabilities().deleted_items {
                self.source.deleted_users(&ids).await?.into_iter().collect()
            } else {
                HashSet::new()
            };
            let (deleted, missing): (Vec<_>, Vec<_>) = absent.iter().partition(|(_, id)| deleted.contains(id));
            let keys = |users: Vec<&(UserKey, SourceId)>| users.into_iter().map(|(key, _)| *key).collect::<Vec<_>>();
            self.store.mark_absent(&self.lease, &keys(deleted), Presence::Deleted).await?;
            self.store.mark_absent(&self.lease, &keys(missing), Presence::Missing).await?;
        }
    }
}
