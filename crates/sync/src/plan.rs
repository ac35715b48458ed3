//! Plan: decide for everyone who is due, store what was decided, and weigh the whole.
//!
//! Nothing here decides: the planner does, batch by batch, from facts the store answers. While one batch is decided the next ones are
//! read and the last ones stored. A killed run plans again from the committed mirror, which gives the same plan.

use crate::ahead::{Ahead, ahead};
use crate::engine::{Engine, Job};
use crate::error::{Error, Result};
use crate::hash::PlanHash;
use crate::keeping::Keeping;
use checker::{Checker, PlanFacts};
use model::attributes::Hash;
use model::facts::{Answers, TenantFacts, UserFacts};
use model::plan::{ClientFound, Hold, LostGroup, Weights};
use model::policy::{ClientRef, GroupRef, Policy};
use model::run::{RunKind, RunState};
use model::{ClientId, GroupKey, RunId, SourceId, TenantKey, UserKey, text};
use planner::{Batch, Claims, Planner, guard};
use sources::Select;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::{Lease, Pass, RuleGroup, Store, Tenant};
use tokio::sync::mpsc;

/// Users decided at once: large enough that a query's cost does not count, small enough that the batches in memory at any time (read,
/// decided, waiting, written) are a few megabytes.
const BATCH: i64 = 250;
/// Users for whose changes room is made when a plan begins, at most; for more it grows as they come.
const ROOM: usize = 1 << 20;

/// A plan that is stored.
#[derive(Debug)]
pub(crate) struct Planned {
    pub hash: String,
    pub holds: Vec<Hold>,
    pub weights: Weights,
    pub changes: i64,
}

/// What the passes of one plan share.
struct Passes<'p> {
    planner: &'p Planner,
    keeping: Keeping,
    claims: Claims,
    checker: Checker,
    hash: PlanHash,
    done: i64,
    of: i64,
}

/// Users who are due, read on another thread while earlier ones are decided: one batch may wait beside the one that is being read.
/// What is read of a user does not hang on what is decided of others.
struct Due {
    batches: mpsc::Receiver<Result<Vec<UserFacts>>>,
    _reading: Ahead<()>,
}

impl Due {
    fn read(store: &Store, tenant: TenantKey, seq: i64, which: Pass, relevant: &Arc<HashSet<GroupKey>>) -> Self {
        let (store, relevant) = (store.clone(), relevant.clone());
        let (sender, batches) = mpsc::channel(1);
        let reading = ahead(async move {
            let mut last: Option<(UserKey, SourceId)> = None;
            loop {
                let batch = match which {
                    Pass::Linked => {
                        let after = last.as_ref().map_or(UserKey(0), |(key, _)| *key);
                        store.due_linked(tenant, seq, after, BATCH, &relevant).await
                    }
                    _ => store.due_unlinked(tenant, seq, last.as_ref().map(|(_, id)| id), BATCH, &relevant).await,
                };
                last = batch.as_ref().ok().and_then(|users| users.last()).map(|user| (user.key, user.id.clone()));
                // An empty batch is the end, which nobody has to be told of; nor does anybody take one when the run was given up.
                let over = batch.as_ref().is_ok_and(Vec::is_empty);
                if over || sender.send(batch.map_err(Error::from)).await.is_err() || last.is_none() {
                    return;
                }
            }
        });
        Self { batches, _reading: reading }
    }

    /// The next batch; none after the last.
    async fn next(&mut self) -> Result<Option<Vec<UserFacts>>> {
        self.batches.recv().await.transpose()
    }
}

/// The directory extensions a policy names, which are read beside the read set (ruling 60).
pub(crate) fn select(policy: &Policy) -> Result<Select> {
    let names = policy.attributes().into_iter().filter(|name| name.starts_with("extension_"));
    Select::with_extensions(names)
        .map_err(|name| Error::Invalid(format!("The policy maps \"{name}\", which is not the name of a directory extension.")))
}

impl Job {
    /// Makes the plan of the run, and weighs it.
    pub(crate) async fn plan(&mut self, loaded: &policy::Loaded) -> Result<Planned> {
        let facts = self.tenant_facts(loaded).await?;
        let spares = !facts.spared.is_empty();
        let mut planner = Planner::new(&loaded.policy, &loaded.digest, facts);
        self.store.keep_keys(&planner.key_fields()).await?;
        if self.kind != RunKind::Review {
            self.touch(&planner).await?;
            if !spares || self.has_lapsed(&planner).await? {
                planner.spare_nobody();
                self.store.touch_lapsed(&self.lease).await?;
            }
        }
        let seq = self.store.begin_plan(&self.lease, self.run, self.engine.now()).await?;
        if self.kind == RunKind::Review {
            return self.plan_decided(&planner, &loaded.policy).await;
        }
        let relevant: Arc<HashSet<GroupKey>> = Arc::new(planner.relevant_groups().collect());
        let tenant = self.tenant.key;
        let of = self.store.due_count(tenant).await?;
        let keeping = Keeping::new(&self.store, &self.lease, self.run, planner.digest(), of);
        // Memory that is set aside and not used is not there.
        let room = usize::try_from(of).unwrap_or(ROOM).min(ROOM);
        let checker = Checker::with_room(PlanFacts::new(&loaded.policy, self.kind), room);
        let (claims, hash) = (Claims::with_room(room), PlanHash::with_room(room));
        let mut pass = Passes { planner: &planner, keeping, claims, checker, hash, done: 0, of };

        let mut due = Due::read(&self.store, tenant, seq, Pass::Linked, &relevant);
        while let Some(batch) = due.next().await? {
            self.decide(&mut pass, Pass::Linked, batch).await?;
        }

        // Who of them gets which username is known only now; these are decided again, in the order given.
        self.settle(&mut pass).await?;

        let mut due = Due::read(&self.store, tenant, seq, Pass::Unlinked, &relevant);
        while let Some(batch) = due.next().await? {
            self.decide(&mut pass, Pass::Unlinked, batch).await?;
        }
        pass.claims.everyone_decided();
        // Whom a fresh link no longer blocks is decided again too.
        self.settle(&mut pass).await?;
        pass.keeping.settle().await?;
        let Passes { hash, checker, .. } = pass;
        self.weigh(&planner, &loaded.policy, hash.finish(), checker).await
    }

    /// Plans the users a run of review was made for, and nobody else: as many as somebody decides about in one go.
    async fn plan_decided(&mut self, planner: &Planner, policy: &Policy) -> Result<Planned> {
        let keys = self.store.review_users(self.run).await?;
        let of = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let keeping = Keeping::new(&self.store, &self.lease, self.run, planner.digest(), of);
        let checker = Checker::new(PlanFacts::new(policy, self.kind));
        let mut pass = Passes { planner, keeping, claims: Claims::default(), checker, hash: PlanHash::new(), done: 0, of };
        let users = self.store.user_facts(self.tenant.key, &keys).await?;
        let (linked, mut unlinked): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| !user.links.is_empty());
        unlinked.sort_by(|a, b| a.id.cmp(&b.id));
        for (which, users) in [(Pass::Linked, linked), (Pass::Unlinked, unlinked)] {
            if !users.is_empty() {
                self.decide(&mut pass, which, users).await?;
            }
            self.settle(&mut pass).await?;
        }
        pass.keeping.settle().await?;
        let Passes { hash, checker, .. } = pass;
        self.weigh(planner, policy, hash.finish(), checker).await
    }

    /// Decides again whoever the claims say, until they say nobody.
    async fn settle(&mut self, pass: &mut Passes<'_>) -> Result<()> {
        loop {
            let again = pass.claims.settle();
            if again.is_empty() {
                return Ok(());
            }
            // What was decided of them is part of what is read of them now.
            pass.keeping.settle().await?;
            for keys in again.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
                let batch = self.store.user_facts(self.tenant.key, keys).await?;
                self.decide(pass, Pass::Again, batch).await?;
            }
        }
    }

    /// Decides one batch and stores what was decided.
    async fn decide(&mut self, pass: &mut Passes<'_>, which: Pass, batch: Vec<UserFacts>) -> Result<()> {
        let looked = pass.planner.batch(&batch);
        let answers = answers(&self.store, self.tenant.key, &looked, &pass.claims).await?;
        let decisions = looked.decide(&answers, &mut pass.claims);
        if which == Pass::Again {
            pass.hash.forget_users(batch.iter().map(|user| user.key));
            pass.checker.forget_users(batch.iter().map(|user| user.key));
        }
        pass.checker.batch(&batch, &answers, &decisions);
        for decision in &decisions {
            pass.hash.forget_records(&decision.replaces);
            for change in &decision.changes {
                pass.hash.add(change, pass.planner.digest());
            }
        }
        if which != Pass::Again {
            pass.done += i64::try_from(batch.len()).unwrap_or(i64::MAX);
        }
        let progress = self.tell(RunState::Planning, pass.done, Some(pass.of));
        pass.keeping.keep(which, decisions, self.engine.now(), progress).await
    }

    /// Whether a rejected removal has lost its grounds: its user came into a group or left one, say.
    async fn has_lapsed(&self, planner: &Planner) -> Result<bool> {
        let tenant = self.tenant.key;
        let rejected: HashMap<UserKey, Hash> = self.store.rejected_due(tenant).await?.into_iter().collect();
        Ok(grounds_of(&self.store, tenant, planner, rejected.keys().copied().collect())
            .await?
            .iter()
            .any(|(user, now)| rejected.get(user).is_some_and(|then| then != now)))
    }

    /// Who is due beside those whom the read itself touched.
    async fn touch(&mut self, planner: &Planner) -> Result<()> {
        let mut named: HashSet<GroupKey> = planner.named_groups().into_iter().flat_map(|n| n.groups).collect();
        named.extend(self.store.rule_groups(self.tenant.key).await?.into_iter().map(|g| g.group));
        let named: Vec<GroupKey> = named.into_iter().collect();
        self.store.touch_from_edges(&self.lease, &named).await?;
        self.store.touch_ripe(&self.lease, self.engine.now()).await?;
        if self.kind == RunKind::Full {
            // Only a full run looks for drift, so it looks at everyone who has a record.
            self.store.touch_linked(&self.lease).await?;
        }
        Ok(())
    }

    async fn weigh(&mut self, planner: &Planner, policy: &Policy, hash: String, checker: Checker) -> Result<Planned> {
        let mut weights = self.store.weights(self.run, self.engine.now()).await?;
        let counts = self.store.run_counts(self.run).await?;
        checker.finish(&weights, Some(&counts)).map_err(|found| Error::contradicts(&found))?;
        if self.kind == RunKind::Review {
            // Nothing was read: what the last read lost is not this plan's doing.
            (weights.mirror_before, weights.absentees) = (weights.mirror_after, 0);
        } else {
            let found = rule_groups(&self.store, planner).await?;
            weights.lost_groups = self.lost_groups(planner, &found).await?;
            self.rule_groups = Some(found);
        }
        let mut holds = guard::weigh(&policy.guard, &weights);
        if weights.changes > 0 {
            // Also where the fleet has no limit: kept with the plan, it tells later what a limit would have stopped.
            let (tenant, now) = (self.tenant.key, self.engine.now());
            let fleet = self.store.fleet_weights(tenant, self.run, weights.removals, guard::FLEET_FLOOR, now).await?;
            holds.extend(guard::weigh_fleet(&policy.guard, &holds, &weights, &fleet));
            weights.fleet = Some(fleet);
        }
        Ok(Planned { hash, holds, changes: weights.changes, weights })
    }

    /// Groups that resolved when a plan was last decided on and do not now, or had members and have none (ruling 83). `found` are those
    /// that resolve now.
    async fn lost_groups(&self, planner: &Planner, found: &[RuleGroup]) -> Result<Vec<LostGroup>> {
        let before = self.store.rule_groups(self.tenant.key).await?;
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<GroupKey> = before.iter().map(|b| b.group).collect();
        let names: HashMap<GroupKey, String> =
            self.store.groups_by_key(&keys).await?.into_iter().map(|g| (g.key, g.name)).collect();
        let before: Vec<guard::RuleGroup> = before
            .into_iter()
            .map(|b| guard::RuleGroup {
                rule: b.rule,
                name: names.get(&b.group).filter(|n| !n.is_empty()).unwrap_or(&b.named).clone(),
                reference: b.named,
                found: true,
                populated: b.peopled,
            })
            .collect();
        let peopled: HashSet<GroupKey> = found.iter().filter(|g| g.peopled).map(|g| g.group).collect();
        let now: Vec<guard::RuleGroup> = planner
            .named_groups()
            .into_iter()
            .map(|n| guard::RuleGroup {
                rule: n.rule,
                name: n.reference.clone(),
                reference: n.reference,
                found: !n.groups.is_empty(),
                populated: n.groups.iter().any(|g| peopled.contains(g)),
            })
            .collect();
        let removals = self.store.removals_by_rule(self.run).await?;
        Ok(guard::lost(&before, &now, |rule| removals.get(rule).copied().unwrap_or(0)))
    }

    /// Keeps which groups the rules name, as the plan found them; where it was made earlier, as they are now.
    pub(crate) async fn keep_rule_groups(&mut self) -> Result<()> {
        match self.rule_groups.take() {
            Some(groups) => Ok(self.store.set_rule_groups(&self.lease, &groups).await?),
            None => keep_rule_groups(&self.engine, &self.lease).await,
        }
    }

    /// What is the same for every user of the run.
    pub(crate) async fn tenant_facts(&self, loaded: &policy::Loaded) -> Result<TenantFacts> {
        tenant_facts(&self.engine, &self.tenant, loaded, self.kind).await
    }
}

/// What the planner asks about these users, answered. `claims` are those they are decided with.
pub(crate) async fn answers(store: &Store, tenant: TenantKey, users: &Batch<'_>, claims: &Claims) -> Result<Answers> {
    let mut answers = store.answer(tenant, &users.questions()).await?;
    for round in 0.. {
        let Some(more) = users.further(&answers, claims, round) else { break };
        answers.extend(store.answer(tenant, &more).await?);
    }
    Ok(answers)
}

/// What the removals of a plan hang on: kept with a rejection, which stands for as long (ruling 111).
pub(crate) async fn grounds(engine: &Engine, tenant: TenantKey, run: RunId) -> Result<Vec<(UserKey, Hash)>> {
    let store = engine.store();
    let users = store.removed_users(run).await?;
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let (loaded, _) = engine.effective_policy(tenant).await?;
    let facts = tenant_facts(engine, &store.tenant(tenant).await?, &loaded, RunKind::Delta).await?;
    grounds_of(store, tenant, &Planner::new(&loaded.policy, &loaded.digest, facts), users).await
}

async fn grounds_of(store: &Store, tenant: TenantKey, planner: &Planner, users: Vec<UserKey>) -> Result<Vec<(UserKey, Hash)>> {
    let relevant: HashSet<GroupKey> = planner.relevant_groups().collect();
    let mut grounds = Vec::with_capacity(users.len());
    for users in users.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
        let facts = store.facts_of(tenant, users, &relevant).await?;
        grounds.extend(facts.iter().map(|user| (user.key, planner.grounds(user))));
    }
    Ok(grounds)
}

/// What is the same for every user of a tenant, as the store has it now.
pub(crate) async fn tenant_facts(engine: &Engine, tenant: &Tenant, loaded: &policy::Loaded, run: RunKind) -> Result<TenantFacts> {
    let (store, policy) = (engine.store(), &loaded.policy);
    let when = || policy.rules.iter().filter(|r| r.enabled).map(|r| &r.when);
    let mut ids: Vec<SourceId> = when().flat_map(|w| w.groups.iter().flatten().cloned()).collect();
    let mut names: Vec<String> = when().flat_map(|w| w.group_names.iter().flatten().cloned()).collect();
    let mapped = policy.role_mappings.iter().map(|m| &m.group).chain(policy.cab_mappings.iter().map(|m| &m.group));
    for group in mapped {
        match group {
            GroupRef::Id(id) => ids.push(id.clone()),
            GroupRef::Name(name) => names.push(name.clone()),
        }
    }
    let (mut groups, nested) = store.group_facts(tenant.key, &ids, &names).await?;
    // Groups on the way up are named in reasons.
    let named: HashSet<GroupKey> = groups.iter().map(|g| g.key).collect();
    let between: HashSet<GroupKey> =
        nested.iter().flat_map(|(outer, inner)| [*outer, *inner]).filter(|k| !named.contains(k)).collect();
    groups.extend(store.groups_by_key(&between.into_iter().collect::<Vec<_>>()).await?);
    let mut clients = HashMap::new();
    let mut sites = HashMap::new();
    for rule in &policy.rules {
        let client = match &rule.then.client {
            ClientRef::Named(reference) => {
                let found = named_client(store, reference).await?;
                clients.extend(found.map(|found| (reference.clone(), found)));
                found.map(|c| c.id)
            }
            ClientRef::FromTenant => tenant.client,
        };
        if let (Some(client), Some(reference)) = (client, &rule.then.site) {
            for site in store.sites().await?.into_iter().filter(|s| s.client == client) {
                if site.id.to_string() == *reference {
                    sites.insert((client, reference.clone()), site.id);
                }
                sites.entry((client, text::fold(&site.name))).or_insert(site.id);
            }
        }
    }
    let client = match tenant.client {
        Some(id) => Some(store.client(id).await?).map(|c| ClientFound { id: c.id, active: c.active }),
        None => None,
    };
    Ok(TenantFacts {
        tenant: tenant.key,
        domain: tenant.domain.clone(),
        client,
        now: engine.now(),
        run,
        skus: store.skus(tenant.key).await?,
        groups,
        nested,
        clients,
        sites,
        spared: store.spared(tenant.key, &loaded.digest).await?,
    })
}

/// Keeps which groups the rules of a tenant name now, and whether anybody is in them: what a later plan is compared with.
pub(crate) async fn keep_rule_groups(engine: &Engine, lease: &Lease) -> Result<()> {
    let store = engine.store();
    let tenant = store.tenant(lease.tenant).await?;
    let (loaded, _) = engine.effective_policy(tenant.key).await?;
    let facts = tenant_facts(engine, &tenant, &loaded, RunKind::Delta).await?;
    let groups = rule_groups(store, &Planner::new(&loaded.policy, &loaded.digest, facts)).await?;
    Ok(store.set_rule_groups(lease, &groups).await?)
}

/// The groups that rules name, sorted, and whether anybody is in them.
async fn rule_groups(store: &Store, planner: &Planner) -> Result<Vec<RuleGroup>> {
    let keys: Vec<GroupKey> = planner.relevant_groups().collect();
    let peopled: HashSet<GroupKey> = store.peopled_groups(&keys).await?.into_iter().collect();
    let mut groups = Vec::new();
    for one in planner.named_groups() {
        for group in one.groups {
            let (rule, named) = (one.rule.clone(), one.reference.clone());
            groups.push(RuleGroup { rule, named, group, peopled: planner.counted_in(group).any(|g| peopled.contains(&g)) });
        }
    }
    groups.sort_by(|a, b| (&a.rule, &a.named, a.group).cmp(&(&b.rule, &b.named, b.group)));
    groups.dedup();
    Ok(groups)
}

/// A client as a policy names it: by its number, or by its name.
async fn named_client(store: &Store, reference: &str) -> Result<Option<ClientFound>> {
    let client = match store.find_client(reference).await? {
        Some(client) => Some(client),
        None => match reference.parse::<i64>() {
            Ok(number) => store.client(ClientId(number)).await.ok(),
            Err(_) => None,
        },
    };
    Ok(client.map(|c| ClientFound { id: c.id, active: c.active }))
}
