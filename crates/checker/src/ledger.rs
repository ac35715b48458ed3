//! What is kept of a plan while it is made: a few dozen bytes a change.
//!
//! Decisions that are made again void what was read of them before. Nothing is searched for and taken out: a mark says up to which
//! decision a user's or a record's entries are void, and closing the ledger drops them.

use crate::contradiction::{Fault, Found, Place};
use crate::people::{Record, Records, has_log_in, is_log_in, value_of};
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::Choice;
use model::plan::{Change, Decision, Outcome, Verb};
use model::{Field, Kind, PersonId, SourceId, Status, UserKey, text};
use std::collections::HashMap;

/// A hashed key. 64 bits: among 300,000 keys of a plan two differ and look the same once in a few hundred million plans, and then a
/// run is refused that need not be; nobody is harmed.
type Key = u64;

/// How a manager without a record stands in a change's new values.
const MANAGER_REF: &str = "user:";

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The decision it belongs to.
    pub(crate) number: u32,
    pub(crate) user: UserKey,
    pub(crate) id: Id,
    pub(crate) record: Option<PersonId>,
    pub(crate) verb: Verb,
    pub(crate) kind: Kind,
    /// One bit for each field it sets; custom fields share bits.
    pub(crate) fields: u64,
    /// It has another username after, or none.
    pub(crate) renames: bool,
    pub(crate) removal: bool,
    pub(crate) returns: bool,
    pub(crate) rekey: bool,
    /// Its user may have one log-in alone.
    pub(crate) one_log_in: bool,
    /// The record was this user's and had access before, or is a root record, or pinned: that is not the plan's doing.
    pub(crate) had_log_in: bool,
    /// And after.
    pub(crate) log_in_after: bool,
    /// The record is not archived after.
    pub(crate) live: bool,
    /// The record was linked to this user before.
    pub(crate) was_linked: bool,
}

/// A source id in as little as it needs: most are GUIDs.
#[derive(Debug, Clone)]
pub(crate) enum Id {
    Guid([u8; 16]),
    Text(Box<str>),
}

impl Id {
    fn of(id: &SourceId) -> Self {
        let text = id.as_str();
        let mut bytes = [0; 16];
        let mut digits = text.bytes().filter(|b| *b != b'-');
        let mut read = || {
            for byte in &mut bytes {
                *byte = (char::from(digits.next()?).to_digit(16)? << 4 | char::from(digits.next()?).to_digit(16)?) as u8;
            }
            Some(())
        };
        match model::ids::is_guid(text).then(&mut read).flatten() {
            Some(()) => Id::Guid(bytes),
            None => Id::Text(text.into()),
        }
    }

    pub(crate) fn text(&self) -> SourceId {
        match self {
            Id::Guid(bytes) => {
                let mut text = String::with_capacity(36);
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
                }
                SourceId::new(text)
            }
            Id::Text(text) => SourceId::new(&**text),
        }
    }
}

/// A record that holds a username a change takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) place: u32,
    pub(crate) record: PersonId,
    pub(crate) name: Key,
}

/// How one user counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) unchanged: bool,
    pub(crate) excluded: bool,
    pub(crate) in_review: bool,
    pub(crate) failed: bool,
}

/// Everything read so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    plan: Plan,
    /// Decisions read so far.
    number: u32,
}

/// A plan in short.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) entries: Vec<Entry>,
    /// Usernames that changes give to records in use, with the entry's place.
    pub(crate) names: Vec<(Key, u32)>,
    /// Records that had one of those names before the plan.
    pub(crate) holders: Vec<Holder>,
    /// E-mails of created records.
    pub(crate) emails: Vec<(Key, u32)>,
    /// Managers given as users, by their hashed id.
    pub(crate) managers: Vec<(Key, u32)>,
    /// Users whose plan leaves another record of theirs as it is: its kind, and whether it is a log-in.
    pub(crate) others: Vec<(UserKey, u32, Kind, bool)>,
    /// Users who were decided.
    pub(crate) users: Vec<(UserKey, u32, Counted)>,
    void_users: HashMap<UserKey, u32>,
    void_records: HashMap<PersonId, u32>,
}

impl Plan {
    /// Whether no later decision made what was read with the decision of this number void.
    pub(crate) fn is_alive(&self, number: u32, user: UserKey, record: Option<PersonId>) -> bool {
        self.void_users.get(&user).is_none_or(|until| number > *until)
            && record.and_then(|r| self.void_records.get(&r)).is_none_or(|until| number > *until)
    }

    fn holds(&self, place: u32) -> bool {
        self.entries.get(place as usize).is_some_and(|e| self.is_alive(e.number, e.user, e.record))
    }

    /// The changes that stand, with their places.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter(|(_, e)| self.is_alive(e.number, e.user, e.record))
    }

    pub(crate) fn place(&self, at: u32) -> Option<Place> {
        let entry = self.entries.get(at as usize)?;
        Some(Place { verb: Some(entry.verb), kind: Some(entry.kind), record: entry.record, user: entry.id.text() })
    }
}

impl Ledger {
    /// Empty, with room for so many users and a change of each.
    pub(crate) fn with_room(users: usize) -> Self {
        let plan = Plan {
            entries: Vec::with_capacity(users),
            names: Vec::with_capacity(users),
            emails: Vec::with_capacity(users),
            users: Vec::with_capacity(users),
            ..Plan::default()
        };
        Self { plan, number: 0 }
    }

    /// The next decision is read; gives its number.
    pub(crate) fn next(&mut self) -> u32 {
        self.number = self.number.saturating_add(1);
        self.number
    }

    pub(crate) fn forget_users(&mut self, users: impl IntoIterator<Item = UserKey>) {
        let until = self.number;
        self.plan.void_users.extend(users.into_iter().map(|user| (user, until)));
    }

    pub(crate) fn forget_records(&mut self, records: impl IntoIterator<Item = PersonId>) {
        let until = self.number;
        self.plan.void_records.extend(records.into_iter().map(|record| (record, until)));
    }

    /// A user's decision as it counts.
    pub(crate) fn user(&mut self, decision: &Decision, records: &Records<'_>, found: &mut Found) {
        let number = self.number;
        let quiet = decision.changes.is_empty();
        let outcome = decision.standing.outcome;
        let counted = Counted {
            unchanged: quiet && decision.review.is_none() && !matches!(outcome, Outcome::Failed | Outcome::Excluded),
            excluded: quiet && outcome == Outcome::Excluded,
            in_review: decision.review.is_some(),
            failed: outcome == Outcome::Failed,
        };
        if outcome == Outcome::InReview && quiet && decision.review.is_none() && !records.is_dismissed(decision.user) {
            found.user(number, decision, Fault::Uncounted);
        }
        self.plan.users.push((decision.user, number, counted));
        if quiet {
            return;
        }
        let changed = |person: PersonId| decision.changes.iter().any(|c| c.record == Some(person));
        let others = records.live_of(decision.user).filter(|p| !changed(p.id));
        self.plan.others.extend(others.map(|p| (decision.user, number, p.kind, has_log_in(p))));
    }

    /// A change in short.
    pub(crate) fn change(&mut self, change: &Change, record: Option<Record<'_>>, records: &Records<'_>, one_log_in: bool) {
        let place = u32::try_from(self.plan.entries.len()).unwrap_or(u32::MAX);
        let person = record.map(|r| r.person);
        let after = |field: &Field| change.set.get(field).cloned().unwrap_or_else(|| value_of(person, field));
        let (status, username) = (after(&Field::STATUS), after(&Field::USERNAME));
        let live = status.as_str() != Some(Status::Archived.as_str());
        let was_archived = person.is_some_and(|p| p.status == Status::Archived);
        let was_linked = record.and_then(|r| r.tie).is_some_and(|t| t.user == change.user) && !was_archived;
        let folded = |name: &str| Some(text::fold(name)).filter(|folded| !folded.is_empty());
        let had = person.filter(|_| !was_archived).and_then(|p| p.username.as_deref()).and_then(folded);
        let has = username.as_str().filter(|_| live).and_then(folded);
        // A name that only changes its case was shared before, if it is shared.
        let renames = had != has;
        if let Some(name) = has.filter(|_| renames) {
            let key = key(&name);
            self.plan.names.push((key, place));
            let is_own = |r: &Record<'_>| Some(r.person.id) == change.record || r.tie.is_some_and(|t| t.user == change.user);
            // A record of the other kind that a new one is made beside was matched with the user: its name is not in the way (ruling 48).
            let makes_beside = change.verb == Verb::Create && !one_log_in;
            let is_beside = |r: &Record<'_>| makes_beside && r.tie.is_none() && r.person.kind != change.kind;
            let holders = records.holders(&name).filter(|r| !is_own(r) && !is_beside(r));
            self.plan.holders.extend(holders.map(|r| Holder { place, record: r.person.id, name: key }));
        }
        // A person who has said that somebody is new has said so of their address as well (ruling 13).
        if change.verb == Verb::Create
            && records.chosen(change.user, change.kind) != Some(Choice::Create)
            && let Some(email) = change.set.get(&Field::EMAIL).and_then(|v| v.as_str()).and_then(AddressKey::of)
        {
            self.plan.emails.push((key(email.as_str()), place));
        }
        let manager = change.set.get(&Field::MANAGER).and_then(|v| v.as_str()).and_then(|v| v.strip_prefix(MANAGER_REF));
        self.plan.managers.extend(manager.map(|id| (key(SourceId::new(id).as_str()), place)));
        self.plan.entries.push(Entry {
            number: self.number,
            user: change.user,
            id: Id::of(&change.source_id),
            record: change.record,
            verb: change.verb,
            kind: change.kind,
            fields: change.set.keys().fold(0, |bits, field| bits | bit(field)),
            renames,
            removal: change.effects.removal,
            returns: change.effects.returns,
            rekey: change.effects.rekey,
            one_log_in,
            had_log_in: person.is_some_and(|p| p.root || p.pins(&Field::ACCESS) || (was_linked && p.access)),
            log_in_after: is_log_in(&status, &after(&Field::ACCESS), &username),
            live,
            was_linked,
        });
    }

    /// Drops what is void.
    pub(crate) fn close(&mut self) -> Plan {
        let mut plan = std::mem::take(&mut self.plan);
        let names = std::mem::take(&mut plan.names);
        let holders = std::mem::take(&mut plan.holders);
        let emails = std::mem::take(&mut plan.emails);
        let managers = std::mem::take(&mut plan.managers);
        let others = std::mem::take(&mut plan.others);
        let users = std::mem::take(&mut plan.users);
        plan.names = names.into_iter().filter(|(_, place)| plan.holds(*place)).collect();
        plan.holders = holders.into_iter().filter(|h| plan.holds(h.place)).collect();
        plan.emails = emails.into_iter().filter(|(_, place)| plan.holds(*place)).collect();
        plan.managers = managers.into_iter().filter(|(_, place)| plan.holds(*place)).collect();
        plan.others = others.into_iter().filter(|(user, number, ..)| plan.is_alive(*number, *user, None)).collect();
        plan.users = users.into_iter().filter(|(user, number, _)| plan.is_alive(*number, *user, None)).collect();
        plan
    }
}

/// The hashed form of a key.
pub(crate) fn key(text: &str) -> Key {
    let [a, b, c, d, e, f, g, h, ..] = Hash::of(text).0;
    Key::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A standard field has a bit of its own.
fn bit(field: &Field) -> u64 {
    let own = Field::STANDARD.iter().position(|name| *name == field.as_str()).and_then(|at| u64::try_from(at).ok());
    let standard = Field::STANDARD.len() as u64;
    1 << own.unwrap_or_else(|| standard + key(field.as_str()) % (64 - standard))
}
