//! Collect: read both feeds of a directory into the mirror, page by page.
//!
//! A page and the cursor behind it are committed together, so that a killed run goes on from its last page. While pages are written
//! the next ones are fetched; a handful is in memory at most.

use crate::ahead::{Ahead, ahead};
use crate::engine::Job;
use crate::error::{Error, Result};
use model::directory::{Cursor, Feed, Page, Presence};
use model::run::{RunKind, RunState};
use model::{SourceId, UserKey};
use sources::{SourceError, Watch};
use std::collections::HashSet;
use store::{FeedState, Filling, PageCommit};
use tokio::sync::mpsc;

/// Absent users asked about at once.
const ABSENTEES: i64 = 1_000;
/// Pages prepared ahead, of about a thousand users and a megabyte each. One more waits to be prepared.
const PAGES: usize = 3;
/// Users and memberships in one transaction: long enough for speed, short enough (a fraction of a second) that others get to the
/// database in between.
const COMMIT: u64 = 8_000;

/// Pages of a round, as they come in.
struct Pages {
    receiver: mpsc::Receiver<Result<PageCommit>>,
    /// An error that waits until the pages before it are committed.
    error: Option<Error>,
    _tasks: [Ahead<()>; 2],
}

impl Pages {
    /// The next page, waited for; none after the last.
    async fn next(&mut self) -> Result<Option<PageCommit>> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.receiver.recv().await.transpose(),
        }
    }

    /// The next page, if it is there already.
    fn ready(&mut self) -> Option<PageCommit> {
        match self.receiver.try_recv().ok()? {
            Ok(page) => Some(page),
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

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
                // Going on from where it stands would lead into the same circle.
                Err(error @ Error::Source(SourceError::Endless { .. })) => {
                    self.begin(feed, true).await?;
                    return Err(error);
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
        let mut pages = self.pages(feed, state);
        let mut unmeasured = state.round == 1 && matches!(state.cursor, Cursor::Refresh);
        let mut page = pages.next().await?;
        while let Some(first) = page {
            let mut writing = self.store.write(&self.lease).await?;
            let (mut written, mut ready) = (0, Some(first));
            // Pages that are there already go into the same transaction; nothing is waited for inside it.
            while let Some(one) = ready {
                let told = writing.page(one).await?;
                written += told.users + told.edges_added;
                self.read += i64::try_from(told.users).unwrap_or(i64::MAX);
                ready = if written < COMMIT { pages.ready() } else { None };
            }
            if let Some(progress) = self.tell(RunState::Collecting, self.read, None) {
                writing.progress(self.run, &progress).await?;
            }
            writing.commit().await?;
            // Nothing was known before a tenant's first round, and how much comes nobody says.
            if std::mem::take(&mut unmeasured) {
                self.store.begun(Filling::Mirror, i64::MAX).await?;
            }
            page = pages.next().await?;
        }
        Ok(())
    }

    /// Fetches and parses the pages of a round on one thread, and prepares them on another, while earlier ones are written.
    fn pages(&self, feed: Feed, state: &FeedState) -> Pages {
        let (source, select, mut cursor) = (self.source.clone(), self.select.clone(), state.cursor.clone());
        let (round, full, log_edges) = (state.round, state.full, self.log_edges());
        let (fetched, mut coming) = mpsc::channel(1);
        let (sender, receiver) = mpsc::channel(PAGES);
        let fetching = ahead(async move {
            let mut watch = Watch::default();
            loop {
                let page = async {
                    let page = source.page(feed, &cursor, &select).await?;
                    if let Cursor::Page(link) = &page.next {
                        watch.page(link, !page.events.is_empty())?;
                    }
                    Ok(page)
                };
                let page: Result<Page> = page.await;
                if let Ok(page) = &page {
                    cursor = page.next.clone();
                }
                let last = page.is_err() || !matches!(cursor, Cursor::Page(_));
                // Nobody takes it any more: the run has failed or was given up.
                if fetched.send(page).await.is_err() || last {
                    return;
                }
            }
        });
        let preparing = ahead(async move {
            while let Some(page) = coming.recv().await {
                let page = page.and_then(|page| Ok(PageCommit::new(feed, round, full, log_edges, page)?));
                let failed = page.is_err();
                if sender.send(page).await.is_err() || failed {
                    return;
                }
            }
        });
        Pages { receiver, error: None, _tasks: [fetching, preparing] }
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
