//! Which record a user without one is: value by value, and never by name (M02, M03, M06; rulings 46 to 51, 54, 57, 59, 118).

use crate::claims::Claims;
use crate::keys::Probe;
use crate::source::Fault;
use crate::username;
use model::directory::Presence;
use model::facts::{Answers, Candidate, UserFacts};
use model::policy::{OnInactive, OnReturn, Policy};
use model::reason::{Reason, ReviewWhy};
use model::{ClientId, Kind, PersonId, SourceId, Status, TenantKey};

/// What matching found.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// This record.
    One(Match<'a>),
    /// A free record, but of the other kind (ruling 48).
    OtherKind(Match<'a>),
    /// A person must say.
    Unclear(Unclear),
    /// Nobody has any of the user's values.
    Nobody,
}

/// A record to be linked.
#[derive(Debug)]
pub(crate) struct Match<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) reason: Reason,
    /// The record comes back into use with the link.
    pub(crate) reactivate: bool,
    /// The link moves here from a user who is gone (ruling 54).
    pub(crate) moved: bool,
}

impl Match<'_> {
    /// The question to a person that a record of the other kind is (ruling 48).
    pub(crate) fn kind_change(&self, to: Kind) -> Unclear {
        let evidence = vec![self.reason.clone(), Reason::KindChange { from: to.other(), to }];
        Unclear { why: ReviewWhy::KindChange, candidates: vec![self.candidate.person.id], other: None, evidence }
    }
}

/// Why no record can be chosen.
#[derive(Debug)]
pub(crate) struct Unclear {
    pub(crate) why: ReviewWhy,
    pub(crate) candidates: Vec<PersonId>,
    pub(crate) other: Option<SourceId>,
    pub(crate) evidence: Vec<Reason>,
}

/// What is being looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) policy: &'a Policy,
    /// The user's values, in order, or why they cannot be computed.
    pub(crate) probes: &'a Result<Vec<Probe<'a>>, Fault>,
    pub(crate) tenant: TenantKey,
    pub(crate) kind: Kind,
    pub(crate) client: Option<ClientId>,
    /// A free record of the other kind is a hit as well: the rule wants one kind only (rulings 45 and 48).
    pub(crate) other_kind: bool,
}

/// A record that holds a value, once this plan is applied so far.
#[derive(Debug)]
pub(crate) struct Hit<'a> {
    person: PersonId,
    kind: Kind,
    client: Option<ClientId>,
    active: bool,
    /// The user it is linked to, who stands in the way.
    other: Option<SourceId>,
    /// It was linked to a user who is gone, and sync itself took it out of use.
    pub(crate) moved: bool,
    candidate: Option<&'a Candidate>,
}

impl<'a> Hit<'a> {
    /// A record that the store told of, once this plan is applied so far.
    pub(crate) fn of(user: &UserFacts, tenant: TenantKey, candidate: &'a Candidate, claims: &Claims) -> Self {
        let person = &candidate.person;
        let retired = claims.is_retired(person.id);
        let gone = |p| matches!(p, Presence::Deleted | Presence::Missing);
        let moved = candidate.linked.as_ref().is_some_and(|l| {
            l.tenant == tenant && gone(l.presence) && (retired || (l.deactivated_by_sync && person.status == Status::Inactive))
        });
        let linked = candidate.linked.as_ref().filter(|l| !moved && l.user != user.key).map(|l| l.source_id.clone());
        Self {
            person: person.id,
            kind: person.kind,
            client: person.client,
            active: person.status == Status::Active && !retired,
            other: claims.linked_to(person.id).filter(|id| **id != user.id).cloned().or(linked),
            moved,
            candidate: Some(candidate),
        }
    }

    /// The user who stands in the way.
    pub(crate) fn linked_to(&self) -> Option<&SourceId> {
        self.other.as_ref()
    }

    pub(crate) fn is_free(&self) -> bool {
        self.other.is_none()
    }
}

/// A value of the user with what it met.
struct Met<'a> {
    key: String,
    shown: String,
    hits: Vec<Hit<'a>>,
}

impl Search<'_> {
    /// Looks for a user's record: value by value, the first that meets a record decides. A record that is somebody else's is no
    /// candidate: where another value of the same key meets a free one, that is it (ruling 50).
    pub(crate) fn run<'a>(&self, user: &UserFacts, answers: &'a Answers, claims: &Claims) -> Result<Found<'a>, Fault> {
        let met = self.met(user, answers, claims)?;
        for at in 0..met.len() {
            match self.same_kind(&met, at) {
                None => {}
                Some(Found::Unclear(unclear)) if unclear.why == ReviewWhy::AlreadyLinked => {
                    let later = (at + 1..met.len()).take_while(|later| met[*later].key == met[at].key);
                    let free = later.filter_map(|later| self.same_kind(&met, later)).find(|f| matches!(f, Found::One(_)));
                    return Ok(free.unwrap_or(Found::Unclear(unclear)));
                }
                Some(found) => return Ok(found),
            }
        }
        Ok((0..met.len()).find_map(|at| self.of_other_kind(&met, at)).unwrap_or(Found::Nobody))
    }

    /// The free record of the other kind that the user meets, whatever they meet among records of the kind that is looked for.
    pub(crate) fn other_kind<'a>(&self, user: &UserFacts, answers: &'a Answers, claims: &Claims) -> Option<Match<'a>> {
        let met = self.met(user, answers, claims).ok()?;
        match (0..met.len()).find_map(|at| self.of_other_kind(&met, at))? {
            Found::OtherKind(found) => Some(found),
            _ => None,
        }
    }

    /// The user's values that records hold, in order.
    fn met<'a>(&self, user: &UserFacts, answers: &'a Answers, claims: &Claims) -> Result<Vec<Met<'a>>, Fault> {
        let mut met: Vec<Met<'a>> = Vec::new();
        for probe in self.probes.as_ref().map_err(Fault::clone)? {
            let hits = self.hits(user, probe, answers, claims);
            if !hits.is_empty() {
                met.push(Met { key: probe.key.to_string(), shown: probe.shown(), hits });
            }
        }
        Ok(met)
    }

    /// Records with a value: as the store told, less what linked users' changes release, plus what they take (ruling 55).
    fn hits<'a>(&self, user: &UserFacts, probe: &Probe<'_>, answers: &'a Answers, claims: &Claims) -> Vec<Hit<'a>> {
        let hash = probe.hash();
        // Whoever is decided once more has claimed their own record already.
        let is_own = |c: &Candidate| claims.linked_to(c.person.id) == Some(&user.id);
        let is_given_up = |c: &Candidate| {
            let (id, person) = (c.person.id, &c.person);
            claims.has_released(hash, id) || claims.is_archived(id) || probe.is_renamed(person, claims)
        };
        let told = probe
            .candidates(answers)
            .into_iter()
            .filter(|c| c.usable() && (is_own(c) || !is_given_up(c)) && c.linked.as_ref().is_none_or(|l| l.user != user.key));
        let mut hits: Vec<Hit<'a>> = told.map(|c| Hit::of(user, self.tenant, c, claims)).collect();
        let takers = claims.takers(hash).map(|(taken, id, by)| (taken.clone(), id, by));
        let named = probe.usernames().filter_map(|name| claims.named(username::key(name)));
        for (taken, id, by) in takers.chain(named) {
            if by != user.key && !hits.iter().any(|h| h.person == taken.person) {
                hits.push(Hit {
                    person: taken.person,
                    kind: taken.kind,
                    client: taken.client,
                    active: true,
                    other: Some(id.clone()),
                    moved: false,
                    candidate: None,
                });
            }
        }
        hits.sort_by_key(|h| h.person);
        hits
    }

    fn is_own(&self, hit: &Hit<'_>) -> bool {
        self.kind == Kind::Agent || hit.client == self.client
    }

    fn same_kind<'a>(&self, met: &[Met<'a>], at: usize) -> Option<Found<'a>> {
        let here = &met[at];
        let same: Vec<&Hit<'a>> = here.hits.iter().filter(|h| h.kind == self.kind).collect();
        let own: Vec<&Hit<'a>> = same.iter().copied().filter(|h| h.is_free() && self.is_own(h)).collect();
        let (active, inactive): (Vec<&Hit<'a>>, Vec<&Hit<'a>>) = own.into_iter().partition(|h| h.active);
        let unclear = |why, hits: &[&Hit<'a>]| Some(Found::Unclear(unclear(why, here, hits)));
        let matching = &self.policy.matching;
        match (active.as_slice(), inactive.as_slice()) {
            ([one], _) => self.link(met, at, one, false).map(Found::One),
            ([_, _, ..], _) => unclear(ReviewWhy::AmbiguousMatch, &active),
            ([], [one]) if one.moved => match self.policy.lifecycle.of(self.kind).on_return {
                OnReturn::Review => unclear(ReviewWhy::Returned, &inactive),
                on_return => self.link(met, at, one, on_return == OnReturn::Reactivate).map(Found::One),
            },
            // Of several who were taken out of use by sync itself none is the one to bring back (rulings 102 and 118).
            ([], [_, _, ..]) if inactive.iter().all(|h| h.moved) => unclear(ReviewWhy::AmbiguousMatch, &inactive),
            ([], [_, ..]) if matching.on_inactive == OnInactive::Review => unclear(ReviewWhy::InactiveMatch, &inactive),
            ([], [one]) => self.link(met, at, one, matching.on_inactive == OnInactive::Reactivate).map(Found::One),
            ([], [_, _, ..]) => unclear(ReviewWhy::AmbiguousMatch, &inactive),
            ([], []) => {
                let (elsewhere, linked): (Vec<&Hit<'a>>, Vec<&Hit<'a>>) = same.into_iter().partition(|h| h.is_free());
                if !linked.is_empty() {
                    unclear(ReviewWhy::AlreadyLinked, &linked)
                } else if !elsewhere.is_empty() {
                    unclear(ReviewWhy::MatchedInOtherClient, &elsewhere)
                } else {
                    None
                }
            }
        }
    }

    /// One record of the other kind has the address: the rules want another kind of record for this person (ruling 48).
    fn of_other_kind<'a>(&self, met: &[Met<'a>], at: usize) -> Option<Found<'a>> {
        let here = &met[at];
        let others: Vec<&Hit<'a>> = here.hits.iter().filter(|h| h.kind != self.kind).collect();
        let free: Vec<&Hit<'a>> = others.iter().copied().filter(|h| h.is_free()).collect();
        match (free.as_slice(), others.as_slice()) {
            // Who becomes both has the other kind matched on its own; only somebody else's record is in the way (ruling 51).
            ([_, ..], _) if !self.other_kind => None,
            ([one], _) => self.link(met, at, one, false).map(Found::OtherKind),
            ([_, _, ..], _) => Some(Found::Unclear(unclear(ReviewWhy::AmbiguousMatch, here, &free))),
            ([], [_, ..]) => Some(Found::Unclear(unclear(ReviewWhy::AlreadyLinked, here, &others))),
            ([], []) => None,
        }
    }

    fn link<'a>(&self, met: &[Met<'a>], at: usize, hit: &Hit<'a>, reactivate: bool) -> Option<Match<'a>> {
        // Only records the store told of are free, so there is a candidate to every one of them.
        let candidate = hit.candidate?;
        let earlier = met[..at].iter().flat_map(|m| &m.hits).filter(|h| h.kind == hit.kind);
        let mut also: Vec<PersonId> = met[at..].iter().flat_map(|m| &m.hits).chain(earlier).map(|h| h.person).collect();
        also.retain(|p| *p != hit.person);
        also.sort_unstable();
        also.dedup();
        let Met { key, shown, .. } = &met[at];
        let reason = Reason::Matched { key: key.clone(), value: shown.clone(), record: hit.person, also };
        Some(Match { candidate, reason, reactivate, moved: hit.moved })
    }
}

fn unclear(why: ReviewWhy, met: &Met<'_>, hits: &[&Hit<'_>]) -> Unclear {
    let Met { key, shown, .. } = met;
    let matched = |h: &&Hit<'_>| Reason::Matched { key: key.clone(), value: shown.clone(), record: h.person, also: Vec::new() };
    Unclear {
        why,
        candidates: hits.iter().map(|h| h.person).collect(),
        other: hits.iter().find_map(|h| h.other.clone()),
        evidence: hits.iter().map(matched).collect(),
    }
}
