//! The look at everybody: who can be affected by a change of policy, told apart by the planner's [`Impact`]. Several tasks look at a part
//! of the directory each, so that both reading and looking use the cores there are.

use crate::ahead::{Ahead, ahead};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::tenant_facts;
use crate::usecases::unread::Unread;
use model::run::RunKind;
use model::{GroupKey, SourceId, UserKey};
use planner::Planner;
use planner::impact::{Held, Impact, Stand};
use policy::Loaded;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use store::{Store, Tenant};
use tokio::sync::mpsc;

/// Users a task reads at once: a few megabytes, and some tens of milliseconds, so that first counts are there at once.
const BATCH: i64 = 1_000;

/// What those are counted under who are not assigned to the application (ruling 113), and what is said instead while nobody knows.
const NOT_ASSIGNED: &str = "not assigned";
const UNKNOWN: &str = "not known yet: who is assigned to the application";

/// Tasks that look at parts of one directory: more than this would keep a small server from its other work.
const PARTS: usize = 4;

/// A tenant's policy as it is and as it would be, made ready.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub tenant: Tenant,
    pub before: Arc<Planner>,
    pub after: Arc<Planner>,
    /// The two by what is known now, where they ask what was never read (see [`Unread`]): what is shown is decided by these.
    pub judged: Option<(Arc<Planner>, Arc<Planner>)>,
    /// What the policy as it would be asks and nobody has read.
    pub unread: Unread,
    /// Groups in which a membership can matter to one of them.
    pub relevant: Arc<HashSet<GroupKey>>,
}

impl Pair {
    pub async fn ready(engine: &Engine, tenant: Tenant, before: &Loaded, after: &Loaded) -> Result<Self> {
        let unread = Unread::of(engine.store(), tenant.key, &after.policy).await?;
        let unread_before = Unread::of(engine.store(), tenant.key, &before.policy).await?;
        let make = async |loaded: &Loaded, unread: &Unread| -> Result<(Planner, Planner)> {
            let facts = tenant_facts(engine, &tenant, loaded, RunKind::Delta).await?;
            let judged = Planner::new(&unread.judged(loaded), &loaded.digest, facts.clone());
            Ok((Planner::new(&loaded.policy, &loaded.digest, facts), judged))
        };
        let ((before, judged_before), (after, judged_after)) = (make(before, &unread_before).await?, make(after, &unread).await?);
        let relevant = before.relevant_groups().chain(after.relevant_groups()).collect();
        let judged = (unread.assignments || unread_before.assignments).then(|| (Arc::new(judged_before), Arc::new(judged_after)));
        Ok(Self { tenant, before: Arc::new(before), after: Arc::new(after), judged, unread, relevant: Arc::new(relevant) })
    }

    /// What decides what is shown.
    pub fn decides(&self) -> &Planner {
        self.judged.as_ref().map_or(&self.after, |(_, after)| after)
    }
}

/// Who is affected.
#[derive(Debug, Default)]
pub(super) struct Affected {
    /// Users who have a record.
    pub linked: Vec<UserKey>,
    /// Users who have none, in the order of their source ids: as planning takes them.
    pub unlinked: Vec<UserKey>,
}

/// What a task has seen since it last told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Users looked at.
    pub looked_at: i64,
    /// Of those, the affected.
    pub affected: i64,
    /// Where the affected stood and would stand.
    pub moves: BTreeMap<(String, String), i64>,
}

/// Looks at everybody of a tenant; `tell` hears of each batch.
pub(super) async fn look(store: &Store, pair: &Pair, mut tell: impl FnMut(Seen)) -> Result<Affected> {
    if Impact::new(&pair.before, &pair.after).is_nothing() {
        return Ok(Affected::default());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, PARTS);
    let (_, cuts) = store.cuts(pair.tenant.key, i64::try_from(cores).unwrap_or(1)).await?;
    let (sender, mut seen) = mpsc::channel(PARTS);
    let mut from: Option<SourceId> = None;
    let mut parts: Vec<Ahead<Result<Affected>>> = Vec::new();
    for to in cuts.into_iter().map(Some).chain([None]) {
        let work = part(store.clone(), pair.clone(), from, to.clone(), sender.clone());
        parts.push(ahead(work));
        from = to;
    }
    drop(sender);
    // Ends when every part has: each holds a sender.
    while let Some(one) = seen.recv().await {
        tell(one);
    }
    let mut all = Affected::default();
    for part in parts {
        let part = part.await?;
        all.linked.extend(part.linked);
        all.unlinked.extend(part.unlinked);
    }
    Ok(all)
}

async fn part(
    store: Store,
    pair: Pair,
    from: Option<SourceId>,
    to: Option<SourceId>,
    tell: mpsc::Sender<Seen>,
) -> Result<Affected> {
    let impact = Impact::new(&pair.before, &pair.after);
    let judged = pair.judged.as_ref().map(|(before, after)| Impact::new(before, after));
    let mut affected = Affected::default();
    let mut after = from;
    loop {
        let batch = store.glances(pair.tenant.key, after.as_ref(), to.as_ref(), BATCH, &pair.relevant).await?;
        let Some(last) = batch.last() else { return Ok(affected) };
        after = Some(last.user.id.clone());
        let mut seen = Seen { looked_at: i64::try_from(batch.len()).unwrap_or(i64::MAX), ..Seen::default() };
        let mut held: Vec<Held> = Vec::new();
        for glance in batch {
            held.clear();
            held.extend(glance.held.iter().map(|(kind, marked)| Held { kind: *kind, marked: *marked }));
            // Saving touches whoever either of them names: the run reads what is not known and decides by it.
            let known = judged.as_ref().and_then(|judged| judged.on(&glance.user, &held));
            let Some(moved) = known.or_else(|| impact.on(&glance.user, &held)) else { continue };
            seen.affected += 1;
            let named = |stand: Stand| match stand {
                Stand::Out(by) if by == NOT_ASSIGNED && judged.is_some() => UNKNOWN.to_owned(),
                stand => stand.to_string(),
            };
            *seen.moves.entry((named(moved.from), named(moved.to))).or_default() += 1;
            if glance.linked { affected.linked.push(glance.user.key) } else { affected.unlinked.push(glance.user.key) }
        }
        // Nobody listens any more when whoever asked has gone; then the task is ended with them.
        let _ = tell.send(seen).await;
    }
}
