//! Delta rounds (contract section b, rules 1 to 13): pages of what exists, then of what changed. Rounds always show the state of the moment,
//! so everything they repeat or replay is safe to apply again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::directory::Unset;
use crate::properties::{GroupProp, UserProp};
use crate::seed::{hash, put_guid};
use crate::tenant::{Change, Life, Object, State, Tenant};
use crate::token::Round;

/// Members a page of groups may carry, as a multiple of the page size; groups with more are split over pages.
const MEMBERS_PER_OBJECT: u64 = 5;

/// One in so many later pages is empty.
const EMPTY_EVERY: u64 = 24;
/// One in so many later pages repeats an object of the page before.
const REPEAT_EVERY: u64 = 8;

/// A changed object of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    index: u32,
    mask: u128,
    members: Vec<Object>,
}

/// Which change list is meant: users?, since, until, select, ids.
type RoundKey = (bool, u64, u64, u128, Vec<u32>);

/// Change lists of the last few rounds.
#[derive(Default)]
pub struct RoundCache(Mutex<Vec<(RoundKey, Arc<Vec<Row>>)>>);

/// Rounds a tenant's readers are in at one time; more only cost time.
const CACHED_ROUNDS: usize = 4;

impl RoundCache {
    fn get(&self, key: RoundKey, make: impl FnOnce() -> Vec<Row>) -> Arc<Vec<Row>> {
        let mut cache = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, rows)) = cache.iter().find(|(k, _)| *k == key) {
            return rows.clone();
        }
        let rows = Arc::new(make());
        if cache.len() == CACHED_ROUNDS {
            cache.remove(0);
        }
        cache.push((key, rows.clone()));
        rows
    }
}

/// How pages are made.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// Objects on a page.
    pub size: u64,
    /// Whether to show what the contract allows but few expect.
    pub oddities: bool,
    /// Make this page empty, because a fault says so.
    pub empty: bool,
}

/// Opens the round a deltaLink leads to.
#[must_use]
pub fn begin(tenant: &Tenant, state: &State, now_ms: i64, link: &Round, minimal: bool, oddities: bool) -> Round {
    let until = state.visible(now_ms).max(link.since);
    // A round that has something to say may say some of the last one again.
    let replay = if oddities && until > link.since { (hash(tenant.key, link.since) % 4).min(link.since) } else { 0 };
    Round {
        delta_link: false,
        initial: false,
        minimal,
        since: link.since - replay,
        until,
        cursor: 0,
        member: 0,
        page: 0,
        ..link.clone()
    }
}

/// Appends the objects of a page to `out` and answers the round of the next link: a nextLink's or the deltaLink's.
#[must_use]
pub fn page(tenant: &Tenant, state: &State, round: &Round, paging: Paging, out: &mut Vec<u8>) -> Round {
    let dice = hash(tenant.key ^ round.until, round.page);
    let mut writer = Writer { tenant, state, round, out, paging, objects: 0, members: 0 };
    let mut next = Round { page: round.page + 1, ..round.clone() };
    let later = paging.oddities && round.page > 0;
    if paging.empty || (later && dice.is_multiple_of(EMPTY_EVERY)) {
        return next;
    }
    let repeat = later && dice % REPEAT_EVERY == 3 && round.member == 0 && round.cursor > 0;
    let finished = if round.initial {
        if repeat {
            writer.initial(round.cursor - 1, u64::MAX);
        }
        writer.initial_page(&mut next)
    } else {
        let rows = tenant
            .rounds
            .get((round.users, round.since, round.until, round.select, round.ids.clone()), || changes(tenant, state, round));
        if repeat && let Some(row) = rows.get(round.cursor as usize - 1) {
            writer.row(row, 0, 1);
        }
        writer.changed_page(&rows, &mut next)
    };
    if finished {
        Round {
            delta_link: true,
            initial: false,
            minimal: false,
            since: round.until,
            until: 0,
            cursor: 0,
            member: 0,
            page: 0,
            ..next
        }
    } else {
        next
    }
}

/// What changed in the round's part of the log, in no particular order.
fn changes(tenant: &Tenant, state: &State, round: &Round) -> Vec<Row> {
    let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
    let window = state.log.get(round.since as usize..(round.until as usize).min(state.log.len())).unwrap_or_default();
    let wants_members = round.select & GroupProp::Members.bit() != 0;
    for (_, change) in window {
        let (index, mask, member) = match change {
            Change::User(u, mask) if round.users => (*u, *mask, None),
            Change::Group(g, mask) if !round.users => (*g, *mask, None),
            Change::Member(g, m) if !round.users && wants_members => (*g, 0, Some(*m)),
            _ => continue,
        };
        if (member.is_none() && mask & round.select == 0) || (!round.ids.is_empty() && !round.ids.contains(&index)) {
            continue;
        }
        let row = rows.entry(index).or_insert_with(|| Row { index, mask: 0, members: vec![] });
        row.mask |= mask;
        row.members.extend(member);
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    for row in &mut rows {
        row.members.sort_unstable();
        row.members.dedup();
    }
    rows.sort_by_key(|r| hash(tenant.key ^ round.until, u64::from(r.index)));
    rows
}

struct Writer<'a> {
    tenant: &'a Tenant,
    state: &'a State,
    round: &'a Round,
    out: &'a mut Vec<u8>,
    paging: Paging,
    objects: u64,
    members: u64,
}

impl Writer<'_> {
    fn comma(&mut self) {
        if self.objects > 0 {
            self.out.push(b',');
        }
        self.objects += 1;
    }

    fn budget(&self) -> u64 {
        (self.paging.size * MEMBERS_PER_OBJECT).saturating_sub(self.members)
    }

    /// Writes objects until the page is full; true when the round is over.
    fn initial_page(&mut self, next: &mut Round) -> bool {
        let existing = if self.round.users {
            self.tenant.users + self.state.created_users
        } else {
            self.tenant.groups + self.state.created_groups
        };
        let total = if self.round.ids.is_empty() { u64::from(existing) } else { self.round.ids.len() as u64 };
        while self.objects < self.paging.size && next.cursor < total && self.budget() > 0 {
            match self.initial(next.cursor, next.member) {
                Some(member) => {
                    next.member = member;
                    return false;
                }
                None => {
                    next.cursor += 1;
                    next.member = 0;
                }
            }
        }
        next.cursor >= total
    }

    /// Writes one existing object, or its tombstone; answers where its members go on when they did not fit. A member cursor past every
    /// member writes the object alone.
    fn initial(&mut self, cursor: u64, member: u64) -> Option<u64> {
        let index = if self.round.ids.is_empty() { cursor as u32 } else { *self.round.ids.get(cursor as usize)? };
        let existing = if self.round.users {
            self.tenant.users + self.state.created_users
        } else {
            self.tenant.groups + self.state.created_groups
        };
        if index >= existing {
            return None;
        }
        if self.round.users {
            match self.state.user_life(index) {
                Life::Live => {
                    self.comma();
                    self.out.push(b'{');
                    self.tenant.put_user(self.state, self.out, index, self.round.select, Unset::Absent);
                    if self.round.select & UserProp::Manager.bit() != 0
                        && let Some(m) = self.tenant.manager(self.state, index)
                    {
                        self.manager(Some(m), None);
                    }
                    self.out.push(b'}');
                }
                Life::SoftDeleted(_) => self.tombstone(Object::User(index), "changed"),
                Life::Purged => {}
            }
            return None;
        }
        match self.state.group_life(index) {
            Life::Live => {}
            Life::SoftDeleted(_) => {
                self.tombstone(Object::Group(index), "changed");
                return None;
            }
            Life::Purged => return None,
        }
        self.comma();
        self.out.push(b'{');
        self.tenant.put_group(self.state, self.out, index, self.round.select, Unset::Absent);
        let mut goes_on = None;
        if self.round.select & GroupProp::Members.bit() != 0 && member != u64::MAX {
            let (mut left, mut first) = (self.budget(), true);
            let (tenant, out) = (self.tenant, &mut *self.out);
            let mut written = 0;
            tenant.members_from(self.state, index, member, |object, after| {
                if left == 0 {
                    return false;
                }
                out.extend_from_slice(if first { b",\"members@delta\":[".as_slice() } else { b"," });
                first = false;
                put_member(tenant, out, object, false);
                left -= 1;
                written += 1;
                if left == 0 {
                    goes_on = Some(after);
                }
                left > 0
            });
            if !first {
                out.push(b']');
            }
            self.members += written;
        }
        self.out.push(b'}');
        goes_on
    }

    fn changed_page(&mut self, rows: &[Row], next: &mut Round) -> bool {
        while let Some(row) = rows.get(next.cursor as usize) {
            if self.objects >= self.paging.size || self.budget() == 0 {
                return false;
            }
            let from = next.member as usize;
            let to = (from + self.budget() as usize).min(row.members.len());
            self.row(row, from, to);
            if to < row.members.len() {
                next.member = to as u64;
                return false;
            }
            next.cursor += 1;
            next.member = 0;
        }
        true
    }

    /// Writes a changed object with its members `from..to`.
    fn row(&mut self, row: &Row, from: usize, to: usize) {
        let object = if self.round.users { Object::User(row.index) } else { Object::Group(row.index) };
        match self.state.life(object) {
            Life::SoftDeleted(_) => return self.tombstone(object, "changed"),
            Life::Purged => return self.tombstone(object, "deleted"),
            Life::Live => {}
        }
        self.comma();
        self.out.push(b'{');
        let mask = if self.round.minimal { self.round.select & row.mask } else { self.round.select };
        match object {
            Object::User(u) => {
                self.tenant.put_user(self.state, self.out, u, mask, Unset::Absent);
                if self.round.select & row.mask & UserProp::Manager.bit() != 0 {
                    let now = self.tenant.manager(self.state, u);
                    let before = self.state.users.get(&u).and_then(|c| c.previous_manager).filter(|b| Some(*b) != now);
                    if now.is_some() || before.is_some() {
                        self.manager(now, before);
                    }
                }
            }
            Object::Group(g) => {
                self.tenant.put_group(self.state, self.out, g, mask, Unset::Absent);
                let members = row.members.get(from..to.min(row.members.len())).unwrap_or_default();
                for (i, m) in members.iter().enumerate() {
                    self.out.extend_from_slice(if i == 0 { b",\"members@delta\":[".as_slice() } else { b"," });
                    put_member(self.tenant, self.out, *m, !self.tenant.is_member(self.state, g, *m));
                }
                if !members.is_empty() {
                    self.out.push(b']');
                }
                self.members += members.len() as u64;
            }
        }
        self.out.push(b'}');
    }

    fn tombstone(&mut self, object: Object, reason: &str) {
        self.comma();
        self.out.extend_from_slice(b"{\"id\":\"");
        put_guid(self.out, self.tenant.id_of(object));
        self.out.extend_from_slice(b"\",\"@removed\":{\"reason\":\"");
        self.out.extend_from_slice(reason.as_bytes());
        self.out.extend_from_slice(b"\"}}");
    }

    fn manager(&mut self, now: Option<u32>, before: Option<u32>) {
        self.out.extend_from_slice(b",\"manager@delta\":[");
        if let Some(b) = before {
            put_member(self.tenant, self.out, Object::User(b), true);
        }
        if let Some(n) = now {
            if before.is_some() {
                self.out.push(b',');
            }
            put_member(self.tenant, self.out, Object::User(n), false);
        }
        self.out.push(b']');
    }
}

fn put_member(tenant: &Tenant, out: &mut Vec<u8>, object: Object, removed: bool) {
    out.extend_from_slice(match object {
        Object::User(_) => b"{\"@odata.type\":\"#microsoft.graph.user\",\"id\":\"".as_slice(),
        Object::Group(_) => b"{\"@odata.type\":\"#microsoft.graph.group\",\"id\":\"",
    });
    put_guid(out, tenant.id_of(object));
    out.extend_from_slice(if removed { b"\",\"@removed\":{\"reason\":\"deleted\"}}".as_slice() } else { b"\"}" });
}
