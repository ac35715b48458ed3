//! Decisions on their way into the store: written on a task of their own while the next ones are made.

use crate::ahead::{Ahead, ahead};
use crate::error::Result;
use model::RunId;
use model::plan::Decision;
use store::{Filling, Lease, Pass, Store, Writing};
use tokio::sync::mpsc;

/// Users whose decisions are put into one transaction: long enough for speed, short enough (a fraction of a second) that others get
/// to the database in between.
const COMMIT: usize = 4_000;
/// Batches that may wait to be written beside the one that is.
const WAITING: usize = 2;

/// Users whose decisions are handed to the store at once, where so many wait.
const TOGETHER: usize = 1_000;

/// A batch of decisions, with what a progress bar is to show after it.
struct Batch {
    pass: Pass,
    decisions: Vec<Decision>,
    now: i64,
    progress: Option<serde_json::Value>,
}

impl Batch {
    /// Takes another batch in, or gives it back: too large together, or not to be stored at once.
    fn take_in(&mut self, more: Batch) -> Option<Batch> {
        let fits = self.decisions.len() + more.decisions.len() <= TOGETHER;
        // What takes the place of an earlier change must find that one stored.
        let replaces = more.decisions.iter().any(|decision| !decision.replaces.is_empty());
        if more.pass != self.pass || !fits || replaces {
            return Some(more);
        }
        self.decisions.extend(more.decisions);
        self.now = more.now;
        self.progress = more.progress.or(self.progress.take());
        None
    }
}

/// Keeps the decisions of one plan. Dropping it gives up what is not committed.
pub(crate) struct Keeping {
    store: Store,
    lease: Lease,
    run: RunId,
    digest: String,
    /// How many users are decided in all.
    of: i64,
    under_way: Option<(mpsc::Sender<Batch>, Ahead<Result<()>>)>,
}

impl Keeping {
    pub(crate) fn new(store: &Store, lease: &Lease, run: RunId, digest: &str, of: i64) -> Self {
        Self { store: store.clone(), lease: lease.clone(), run, digest: digest.to_owned(), of, under_way: None }
    }

    /// Hands decisions over. Waits only while earlier ones are still being written.
    pub(crate) async fn keep(
        &mut self,
        pass: Pass,
        decisions: Vec<Decision>,
        now: i64,
        progress: Option<serde_json::Value>,
    ) -> Result<()> {
        let (sender, _) = match &mut self.under_way {
            Some(under_way) => under_way,
            none => none.insert({
                let (sender, receiver) = mpsc::channel(WAITING);
                let writing = write(self.store.clone(), self.lease.clone(), self.run, self.digest.clone(), self.of, receiver);
                (sender, ahead(writing))
            }),
        };
        if sender.send(Batch { pass, decisions, now, progress }).await.is_err() {
            // The task ends early only with an error, which settling tells.
            return self.settle().await;
        }
        Ok(())
    }

    /// Waits until everything handed over is committed.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        match self.under_way.take() {
            Some((sender, task)) => {
                drop(sender);
                task.await
            }
            None => Ok(()),
        }
    }
}

async fn write(
    store: Store,
    lease: Lease,
    run: RunId,
    digest: String,
    of: i64,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<()> {
    let mut open: Option<(Writing, usize)> = None;
    let mut unmeasured = true;
    let mut left = None;
    loop {
        let next = match left.take() {
            Some(batch) => Some(batch),
            None => batches.recv().await,
        };
        let Some(mut batch) = next else { break };
        while left.is_none()
            && let Ok(more) = batches.try_recv()
        {
            left = batch.take_in(more);
        }
        let (mut writing, mut users) = match open.take() {
            Some(open) => open,
            None => (store.write(&lease).await?, 0),
        };
        users += batch.decisions.len();
        writing.decisions(run, &digest, batch.pass, batch.decisions, batch.now).await?;
        if let Some(progress) = batch.progress {
            writing.progress(run, &progress).await?;
        }
        if users < COMMIT {
            open = Some((writing, users));
        } else {
            writing.commit().await?;
            if std::mem::take(&mut unmeasured) {
                store.begun(Filling::Plan, of).await?;
            }
        }
    }
    match open {
        Some((writing, _)) => Ok(writing.commit().await?),
        None => Ok(()),
    }
}
