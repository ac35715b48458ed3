//! Planning in the world: the same three functions as in a run, answered from memory.

use super::records::TENANT;
use super::{Pending, Seen, World};
use crate::guard::{self, RuleGroup};
use crate::{Batch, Claims, Planner};
use model::address::AddressKey;
use model::attributes::Hash;
use model::directory::Presence;
use model::facts::{Answers, Candidate, CandidateLink, GroupFacts, Questions, ReviewFacts, TenantFacts, UserFacts};
use model::plan::{Change, Decision, Hold, Report, Verb, Weights};
use model::policy::ClientRef;
use model::reason::Cause;
use model::run::RunKind;
use model::{ClientId, Field, GroupKey, Kind, PersonId, RuleId, SiteId, SourceId, Status, UserKey, Value, text};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Users of a batch: small, so that scenarios of any size go through more than one.
const BATCH: usize = 64;

/// Milliseconds of the window in which removals count together (ruling 82).
const WINDOW: i64 = 24 * 60 * 60 * 1000;

/// A plan with everything there is to say about it.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) pending: Pending,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) weights: Weights,
    /// What the source looked like.
    pub(crate) seen: Seen,
    /// What the decisions were made from.
    pub(crate) users: Vec<UserFacts>,
    pub(crate) answers: Answers,
}

/// Decisions of the two passes, with what they were made from.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) linked: Vec<Decision>,
    pub(crate) unlinked: Vec<Decision>,
    pub(crate) users: Vec<UserFacts>,
    pub(crate) answers: Answers,
}

impl Planned {
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.decisions.iter().flat_map(|d| &d.reports)
    }
}

/// What a removal was decided from: while none of it changes, a rejection stands (ruling 111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs {
    digest: String,
    change_hash: Hash,
    presence: Presence,
    grounds: Hash,
    /// The user's records, as they were when the removal was decided or as sync itself left them since.
    pub(super) records: Vec<(PersonId, i64)>,
}

impl World {
    /// Plans for everyone: a delta run decides the same as a full one, but for drift and missing users.
    pub(super) fn plan(&mut self, run: RunKind, first: bool, absentees: i64) -> Planned {
        let mut planner = self.planner(run);
        self.forget_rejection(&mut planner);
        let order: Vec<SourceId> = self.directory.users.keys().cloned().collect();
        let Decided { linked: mut decisions, unlinked, users, answers } = self.decide(&planner, &order, BATCH);
        decisions.extend(unlinked);
        let mut planned = self.gather(decisions);
        for decision in &planned.decisions {
            match &decision.review {
                Some(item) => self.reviews.insert(decision.user, item.clone()),
                // What was dismissed is remembered for as long as nobody re-opens it.
                None if self.dismissed.contains(&decision.user) => continue,
                None => self.reviews.remove(&decision.user),
            };
        }
        planned.seen = self.look_with(&planner);
        planned.weights = self.weigh(&planned.seen, &planned.pending, first, absentees);
        planned.holds = guard::weigh(&self.policy.policy.guard, &planned.weights);
        Planned { users, answers, ..planned }
    }

    /// What is to be written, from what was decided.
    pub(super) fn gather(&self, decisions: Vec<Decision>) -> Planned {
        // A record that another user takes over is not taken out of use first.
        let replaced: HashSet<PersonId> = decisions.iter().flat_map(|d| d.replaces.iter().copied()).collect();
        let mut pending = Pending::default();
        for decision in &decisions {
            let taken_over =
                |record: Option<PersonId>| record.is_some_and(|r| replaced.contains(&r) && !decision.replaces.contains(&r));
            pending.changes.extend(decision.changes.iter().filter(|c| !taken_over(c.record)).cloned());
            pending.bookings.extend(decision.bookings.iter().filter(|(r, _)| !taken_over(Some(*r))).cloned());
        }
        Planned { pending, decisions, ..Planned::default() }
    }

    /// Runs the planner over users in any order and any batch size: first those with records, then the others by id.
    pub(crate) fn decide(&self, planner: &Planner, order: &[SourceId], batch: usize) -> Decided {
        let facts: Vec<UserFacts> = order.iter().filter_map(|id| self.facts(id, planner)).collect();
        let (linked, mut unlinked): (Vec<UserFacts>, Vec<UserFacts>) =
            facts.into_iter().partition(|f| f.links.iter().any(|l| l.person.status != Status::Archived));
        unlinked.sort_by(|a, b| a.id.cmp(&b.id));
        let index = Index::of(self, &planner.key_fields());
        let mut claims = Claims::default();
        let mut all = Answers::default();
        let mut run = |users: &[UserFacts], claims: &mut Claims| -> Vec<Decision> {
            let mut decisions = Vec::with_capacity(users.len());
            for users in users.chunks(batch.max(1)) {
                let looked = planner.batch(users);
                let answers = index.all(&looked, claims);
                decisions.extend(looked.decide(&answers, claims));
                all.extend(answers);
            }
            decisions
        };
        let find = |key: &UserKey| linked.iter().chain(&unlinked).find(|f| f.key == *key).cloned();
        let mut first = run(&linked, &mut claims);
        let mut second = Vec::new();
        // Settling after linked users, then after the others, then for as long as it frees anybody.
        let mut rest = Some(&unlinked);
        loop {
            let again: Vec<UserFacts> = claims.settle().iter().filter_map(find).collect();
            if again.is_empty() && rest.is_none() {
                break;
            }
            for decision in run(&again, &mut claims) {
                if let Some(before) = first.iter_mut().chain(&mut second).find(|d: &&mut Decision| d.user == decision.user) {
                    *before = decision;
                }
            }
            if let Some(unlinked) = rest.take() {
                second = run(unlinked, &mut claims);
                claims.everyone_decided();
            }
        }
        let users = linked.into_iter().chain(unlinked).collect();
        Decided { linked: first, unlinked: second, users, answers: all }
    }

    /// What the planner asks about some users, answered.
    pub(super) fn answers(&self, planner: &Planner, users: &[UserFacts]) -> Answers {
        Index::of(self, &planner.key_fields()).all(&planner.batch(users), &Claims::default())
    }

    /// The policy made ready for what the directory holds now.
    pub(crate) fn planner(&self, run: RunKind) -> Planner {
        let policy = &self.policy.policy;
        let groups = &self.directory.groups;
        let facts =
            groups.iter().map(|(id, g)| GroupFacts { key: g.key, id: id.clone(), name: g.name.clone(), created: g.created });
        let nested = groups
            .values()
            .flat_map(|outer| outer.members.iter().filter_map(|m| groups.get(m)).map(|inner| (outer.key, inner.key)));
        let named = policy.rules.iter().filter_map(|r| match &r.then.client {
            ClientRef::Named(reference) => Some(reference),
            ClientRef::FromTenant => None,
        });
        let mut sites = HashMap::new();
        for (id, site) in &self.psa.sites {
            sites.entry((site.client, text::fold(&site.name))).or_insert(*id);
        }
        for (id, site) in &self.psa.sites {
            sites.insert((site.client, text::fold(&site.id)), *id);
        }
        let tenant = TenantFacts {
            tenant: TENANT,
            domain: self.domain.clone(),
            client: self.client.as_deref().and_then(|c| self.psa.client(c)),
            now: self.now,
            run,
            skus: self.directory.licences(),
            groups: facts.collect(),
            nested: nested.collect(),
            clients: named.filter_map(|c| Some((c.clone(), self.psa.client(c)?))).collect(),
            sites,
            spared: self.rejected.iter().flat_map(|r| r.keys().copied()).collect(),
        };
        Planner::new(policy, &self.policy.digest, tenant)
    }

    /// One user as the planner is told of them.
    pub(crate) fn facts(&self, id: &SourceId, planner: &Planner) -> Option<UserFacts> {
        let user = self.directory.users.get(id)?;
        let review = self.reviews.get(&user.key).map(|item| ReviewFacts {
            why: item.why,
            kind: item.kind,
            dismissed: self.dismissed.contains(&user.key),
            candidates: item.candidates.clone(),
            other: item.other.clone(),
        });
        Some(UserFacts {
            key: user.key,
            id: id.clone(),
            attributes: user.attributes.clone(),
            change_hash: user.attributes.change_hash(),
            presence: user.presence,
            manager: user.manager.clone(),
            assigned: self.directory.assigned(id),
            groups: self.groups_of(id).filter(|g| planner.is_relevant(*g)).collect(),
            links: self.psa.of_user(user.key).filter_map(super::records::Row::linked).collect(),
            review,
            resolutions: self.resolutions.get(&user.key).into_iter().flatten().map(|c| c.resolution).collect(),
        })
    }

    fn groups_of<'a>(&'a self, id: &'a SourceId) -> impl Iterator<Item = GroupKey> + 'a {
        self.directory.groups.values().filter(|g| g.members.contains(id)).map(|g| g.key)
    }

    /// What a user's removal is decided from.
    pub(super) fn inputs(&self, key: UserKey, planner: &Planner) -> Option<Inputs> {
        let (id, user) = self.directory.by_key(key)?;
        let facts = self.facts(id, planner)?;
        Some(Inputs {
            digest: self.policy.digest.clone(),
            change_hash: facts.change_hash,
            presence: user.presence,
            grounds: planner.grounds(&facts),
            records: self.psa.of_user(key).map(|r| (r.person.id, r.person.version)).collect(),
        })
    }

    /// A rejection is for the removal set as a whole: once one of its inputs has changed, all of it is planned again.
    fn forget_rejection(&mut self, planner: &mut Planner) {
        let stands = |r: &std::collections::BTreeMap<UserKey, Inputs>| {
            r.iter().all(|(user, inputs)| self.inputs(*user, planner).as_ref() == Some(inputs))
        };
        if !self.rejected.as_ref().is_some_and(stands) {
            self.rejected = None;
            planner.spare_nobody();
        }
    }

    /// What the source looks like, for the next plan to be compared with.
    pub(super) fn look(&self) -> Seen {
        self.look_with(&self.planner(RunKind::Full))
    }

    /// The same, with a planner that is at hand.
    fn look_with(&self, planner: &Planner) -> Seen {
        let present = self.directory.present().map(|(id, _)| id.clone()).collect();
        Seen { present, groups: self.rule_groups(planner) }
    }

    fn rule_groups(&self, planner: &Planner) -> Vec<RuleGroup> {
        let group = |key: &GroupKey| self.directory.groups.values().find(|g| g.key == *key);
        let is_there = |m: &SourceId| self.directory.users.get(m).is_some_and(|u| u.presence == Presence::Present);
        let populated =
            |named: &GroupKey| planner.counted_in(*named).any(|g| group(&g).is_some_and(|g| g.members.iter().any(is_there)));
        let named = planner.named_groups().into_iter();
        named
            .map(|named| RuleGroup {
                name: named.groups.first().and_then(group).map_or_else(|| named.reference.clone(), |g| g.name.clone()),
                found: !named.groups.is_empty(),
                populated: named.groups.iter().any(populated),
                rule: named.rule,
                reference: named.reference,
            })
            .collect()
    }

    fn weigh(&self, seen: &Seen, pending: &Pending, first_plan: bool, absentees: i64) -> Weights {
        let changes = &pending.changes;
        let removals_of = |rule: &RuleId| {
            // Who is in no rule any more, or in one that wants another kind of record.
            let follows = |c: &&Change| c.effects.removal && c.effects.cause.is_none_or(|cause| cause == Cause::Unmapped);
            let of_rule = |c: &&Change| c.link.as_ref().and_then(|l| l.rule.as_ref()) == Some(rule);
            count(changes.iter().filter(follows).filter(of_rule).count())
        };
        Weights {
            mirror_before: count(self.seen.present.len()),
            mirror_after: count(self.directory.present().count()),
            absentees,
            lost_groups: guard::lost(&self.seen.groups, &seen.groups, removals_of),
            first_plan,
            ..self.weigh_alone(pending)
        }
    }

    /// What a plan weighs by itself, whatever the source lost.
    pub(super) fn weigh_alone(&self, pending: &Pending) -> Weights {
        let changes = &pending.changes;
        let with = |wanted: fn(&Change) -> bool| count(changes.iter().filter(|c| wanted(c)).count());
        let is_counted =
            |id: &PersonId| self.psa.people.get(id).is_some_and(|r| r.link.is_some() && r.person.status == Status::Active);
        let window = || self.ledger.iter().filter(|r| !r.undone && r.at > self.now - WINDOW && r.at <= self.now);
        let gone: BTreeSet<PersonId> = window().map(|r| r.person).filter(|p| !is_counted(p)).collect();
        let again = |p: &PersonId| changes.iter().any(|c| c.effects.removal && c.record == Some(*p));
        let unapproved: BTreeSet<PersonId> = window().filter(|r| !r.approved).map(|r| r.person).filter(|p| !again(p)).collect();
        let here = count(self.directory.present().count());
        Weights {
            changes: count(changes.len()),
            linked: count(self.psa.people.keys().filter(|id| is_counted(id)).count()),
            removed_in_window: count(gone.len()),
            removals: with(|c| c.effects.removal),
            removals_of_unlinked: with(|c| c.effects.removal && c.verb == Verb::Link),
            returns: with(|c| c.effects.returns),
            removals_in_window: count(unapproved.len()),
            creates: with(|c| c.verb == Verb::Create),
            agent_creates: with(|c| c.verb == Verb::Create && c.kind == Kind::Agent),
            rekeys: with(|c| c.effects.rekey),
            mirror_before: here,
            mirror_after: here,
            stands_for: changes.iter().flat_map(|c| c.stands_for.iter().cloned()).take(100).collect(),
            ..Weights::default()
        }
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The records by what the planner asks for; archived ones too, as a store has them.
#[derive(Default)]
pub(super) struct Index {
    addresses: HashMap<AddressKey, Vec<Candidate>>,
    usernames: HashMap<String, Vec<Candidate>>,
    /// Live records by their values in the fields that are matching keys.
    keys: HashMap<(Field, String), Vec<Candidate>>,
    sites: HashMap<(ClientId, String), SiteId>,
    users: HashMap<SourceId, Vec<(Kind, PersonId)>>,
    records: HashMap<PersonId, Candidate>,
}

impl Index {
    pub(super) fn of(world: &World, fields: &[Field]) -> Self {
        let mut index = Self::default();
        for (id, site) in &world.psa.sites {
            index.sites.entry((site.client, text::fold(&site.name))).or_insert(*id);
        }
        for row in world.psa.people.values() {
            let linked = row.link.as_ref().map(|l| CandidateLink {
                tenant: l.tenant,
                user: l.user,
                source_id: l.source_id.clone(),
                presence: world.directory.users.get(&l.source_id).map_or(Presence::Missing, |u| u.presence),
                deactivated_by_sync: l.deactivated_by.as_ref().is_some_and(|d| d.by_sync),
            });
            let candidate = Candidate { person: Arc::new(row.person.clone()), linked };
            let more = row.person.fields.get(&Field::ADDITIONAL_EMAILS).and_then(Value::as_array);
            let more = more.into_iter().flatten().filter_map(Value::as_str);
            let keys: BTreeSet<AddressKey> =
                row.person.email.as_deref().into_iter().chain(more).filter_map(AddressKey::of).collect();
            for key in keys {
                index.addresses.entry(key).or_default().push(candidate.clone());
            }
            if let Some(username) = row.person.username.as_deref() {
                index.usernames.entry(text::fold(username)).or_default().push(candidate.clone());
            }
            for field in fields.iter().filter(|_| row.person.status != Status::Archived) {
                for key in text::keys(&row.person.get(field)) {
                    index.keys.entry((field.clone(), key)).or_default().push(candidate.clone());
                }
            }
            index.records.insert(row.person.id, candidate);
            if let Some(link) = row.link.as_ref().filter(|_| row.person.status != Status::Archived) {
                index.users.entry(link.source_id.clone()).or_default().push((row.person.kind, row.person.id));
            }
        }
        index
    }

    /// Everything the planner asks about some users.
    pub(super) fn all(&self, users: &Batch<'_>, claims: &Claims) -> Answers {
        let mut answers = self.answer(&users.questions());
        for round in 0.. {
            let Some(more) = users.further(&answers, claims, round) else { break };
            answers.extend(self.answer(&more));
        }
        answers
    }

    fn answer(&self, questions: &Questions) -> Answers {
        let addresses = questions.addresses.iter().filter_map(|k| Some((k.clone(), self.addresses.get(k)?.clone())));
        let usernames = questions.usernames.iter().filter_map(|k| Some((k.clone(), self.usernames.get(k)?.clone())));
        let users = questions.users.iter().filter_map(|k| Some((k.clone(), self.users.get(k)?.clone())));
        let records = questions.records.iter().filter_map(|id| Some((*id, self.records.get(id)?.clone())));
        let keys = questions.keys.iter().filter_map(|k| Some((k.clone(), self.keys.get(k)?.clone())));
        let sites = questions.sites.iter().filter_map(|k| Some((k.clone(), *self.sites.get(k)?)));
        Answers {
            keys: keys.collect(),
            sites: sites.collect(),
            addresses: addresses.collect(),
            usernames: usernames.collect(),
            users: users.collect(),
            records: records.collect(),
        }
    }
}
