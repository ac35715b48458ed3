//! What users of one run take and release: usernames, addresses, records. In memory, one for each run, a few dozen bytes for each
//! key that changes hands; keys that nobody touches are not in it.
//!
//! Usernames of linked users are settled as in a stable marriage (Gale and Shapley): every user proposes the names they could have,
//! best first and their old one last; a name takes the lowest object id, and gives in to one who has to keep it. The outcome
//! does not depend on the order of proposals, so swaps and chains work and two runs never disagree (rulings 52, 53, 55, 123).

use crate::keys::UPN;
use crate::managers::{Manager, Managers};
use crate::username;
use model::attributes::Hash;
use model::plan::{Change, Wait};
use model::reason::Cause;
use model::records::Person;
use model::{ClientId, Kind, PersonId, SourceId, UserKey, text};
use std::collections::{HashMap, HashSet};

/// The claims of a run so far.
#[derive(Debug, Default)]
pub struct Claims {
    /// Users who appear below, by their place here.
    users: Vec<(SourceId, UserKey)>,
    places: HashMap<UserKey, u32>,
    names: HashMap<Hash, Name>,
    movers: Vec<Mover>,
    by_record: HashMap<PersonId, u32>,
    /// Records that are to go into the archive, of users who are decided when names are settled.
    leaving: HashSet<PersonId>,
    released: HashSet<(Hash, PersonId)>,
    taken: HashMap<Hash, Vec<Taken>>,
    created: HashMap<Hash, u32>,
    linked: HashMap<PersonId, u32>,
    /// Free records whose username a user takes as well, because they were matched with them.
    beside: HashMap<PersonId, Vec<u32>>,
    retired: HashMap<PersonId, Cause>,
    /// Sites that this plan makes, by client and folded name.
    sites: HashMap<(ClientId, String), Site>,
    managers: Managers,
    again: HashSet<UserKey>,
    /// Users in review, with what they wait for.
    blocked: Vec<(UserKey, Vec<Wait>)>,
    /// What records linked since the last settling have changed.
    touched: HashSet<Wait>,
    /// Records that have told already what they give up.
    told: HashSet<PersonId>,
    /// Records on their way into the archive, and the suffixed names they take there.
    archived: HashSet<PersonId>,
    suffixed: HashMap<Hash, PersonId>,
    /// Suffixed names that records give up on their way back.
    freed: HashSet<(Hash, PersonId)>,
    settled: bool,
}

/// Who wants or holds a username by this plan.
#[derive(Debug, Default)]
struct Name {
    /// Records that hold it now, as the store told, with the users they are linked to.
    holders: Vec<(PersonId, Option<SourceId>)>,
    /// Who gets it, and by which record; none for a record to be created.
    owner: Option<(u32, Option<PersonId>)>,
    /// A second record of the same user who gets it.
    also: Option<PersonId>,
}

/// A linked record whose username would change.
#[derive(Debug)]
struct Mover {
    user: u32,
    record: PersonId,
    /// The username it has, if any.
    old: Option<Hash>,
    /// The usernames it could have, best first.
    wishes: Vec<Hash>,
    /// Which wish it gets; past the last, it keeps the old one.
    level: usize,
    /// The level its decision was made with.
    assumed: usize,
    /// What others find it as by its username; none where it is known by a user principal name of its own.
    known: Option<(Kind, Option<ClientId>)>,
}

/// How a record is found by its username.
fn known(record: &Person) -> Option<(Kind, Option<ClientId>)> {
    text::is_empty(&record.get(&UPN)).then_some((record.kind, record.client))
}

/// A record that takes an address by this plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) person: PersonId,
    pub(crate) kind: Kind,
    pub(crate) client: Option<ClientId>,
    user: u32,
}

/// A site that is to be made, called as its first user has it.
#[derive(Debug)]
struct Site {
    name: String,
    first: u32,
    users: Vec<u32>,
}

/// Who stands in the way of a username.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) record: Option<PersonId>,
    pub(crate) user: Option<SourceId>,
    /// Only a record this plan creates has it.
    pub(crate) created: bool,
}

/// A username a user could have, with the records of others that hold it now, and the user's own that do.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) key: Hash,
    pub(crate) holders: Vec<(PersonId, Option<SourceId>)>,
    pub(crate) own: Vec<PersonId>,
}

impl Claims {
    /// No claims yet, with room for those of so many new users: what grows by doubling copies everything, and then holds up to twice
    /// what it needs.
    #[must_use]
    pub fn with_room(users: usize) -> Self {
        Self {
            users: Vec::with_capacity(users),
            places: HashMap::with_capacity(users),
            names: HashMap::with_capacity(users),
            created: HashMap::with_capacity(users),
            ..Self::default()
        }
    }

    /// Returns the users whose decisions must be replaced by deciding them again, in this order.
    ///
    /// Called first when all linked users were decided: it settles who of them keeps which username (rulings 52, 53 and 55). Called
    /// again after every further round of decisions: it names those whom a record linked since no longer blocks, until there is
    /// nobody left. So planning once more after applying finds nothing to do.
    pub fn settle(&mut self) -> Vec<UserKey> {
        if self.settled {
            let touched = std::mem::take(&mut self.touched);
            let (free, blocked): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.blocked).into_iter().partition(|(_, waits)| waits.iter().any(|w| touched.contains(w)));
            self.blocked = blocked;
            self.again.extend(free.into_iter().map(|(user, _)| user));
        } else {
            self.marry();
            self.settled = true;
            for mover in &self.movers {
                if mover.level != mover.assumed {
                    self.again.insert(self.users[mover.user as usize].1);
                }
            }
        }
        for user in self.managers.mistaken() {
            self.again.insert(self.users[user as usize].1);
        }
        // Those are decided anew, and say anew what blocks them.
        self.blocked.retain(|(user, _)| !self.again.contains(user));
        let again = std::mem::take(&mut self.again);
        let mut again: Vec<(&SourceId, UserKey)> =
            again.iter().map(|key| (&self.users[self.places[key] as usize].0, *key)).collect();
        again.sort();
        again.into_iter().map(|(_, key)| key).collect()
    }

    /// Whether [`Claims::settle`] has been: from then on what is claimed is certain.
    pub(crate) fn settled(&self) -> bool {
        self.settled
    }

    /// Everybody who is due was decided at least once: managers who have no record by now get none in this plan. To be said before
    /// the last settling.
    pub fn everyone_decided(&mut self) {
        self.managers.close();
    }

    /// Has a user decided again after settling.
    pub(crate) fn defer(&mut self, user: UserKey, id: &SourceId) {
        self.place(user, id);
        self.again.insert(user);
    }

    /// A review item holds a user back until one of these changes.
    pub(crate) fn block(&mut self, user: UserKey, id: &SourceId, waits: &[Wait]) {
        self.place(user, id);
        self.blocked.push((user, waits.to_vec()));
    }

    /// A record that was free has been linked: whoever waits for it, or for a key it gives up, may go on.
    pub(crate) fn touch(&mut self, waits: impl IntoIterator<Item = Wait>) {
        self.touched.extend(waits);
    }

    /// As [`Claims::touch`], once for a record: whoever is decided again does not wake others, and so themselves, without end.
    pub(crate) fn touch_once(&mut self, record: PersonId, waits: impl IntoIterator<Item = Wait>) {
        if self.told.insert(record) {
            self.touch(waits);
        }
    }

    fn place(&mut self, user: UserKey, id: &SourceId) -> u32 {
        *self.places.entry(user).or_insert_with(|| {
            self.users.push((id.clone(), user));
            // A directory has no four thousand million users.
            u32::try_from(self.users.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn id_of(&self, place: u32) -> &SourceId {
        &self.users[place as usize].0
    }

    // Usernames.

    /// A linked record would change its username. Says which wish to assume for now: before settling, the first that nobody holds;
    /// after it, the one it was given. Past the last wish means that it keeps what it has.
    pub(crate) fn wish(&mut self, user: UserKey, id: &SourceId, person: &Person, old: Option<Hash>, wishes: Vec<Wish>) -> usize {
        let record = person.id;
        if self.settled {
            if let Some(at) = self.by_record.get(&record).map(|at| *at as usize) {
                let (level, lost) = (self.movers[at].level, self.movers[at].wishes.len());
                let free = wishes.iter().position(|w| self.holder(user, w).is_none());
                if let (true, Some(free)) = (level >= lost, free) {
                    // It lost when names were settled, and a record linked since has given one up.
                    let place = self.place(user, id);
                    self.names.entry(wishes[free].key).or_default().owner = Some((place, Some(record)));
                    self.movers[at].level = free;
                }
                return self.movers[at].level;
            }
            return self.take_first(user, id, Some((person, old)), &wishes);
        }
        let user = self.place(user, id);
        let assumed = wishes.iter().position(|w| w.holders.is_empty()).unwrap_or(wishes.len());
        if assumed == wishes.len() {
            // Who is in the way is known for certain only when all have spoken.
            self.again.insert(self.users[user as usize].1);
        }
        let keys = wishes.iter().map(|w| w.key).collect();
        for wish in wishes {
            if !wish.holders.is_empty() {
                // Each user leaves out their own records, so what they tell adds up.
                let known = &mut self.names.entry(wish.key).or_default().holders;
                wish.holders.into_iter().for_each(|holder| {
                    if !known.contains(&holder) {
                        known.push(holder);
                    }
                });
            }
        }
        let at = u32::try_from(self.movers.len()).unwrap_or(u32::MAX);
        self.by_record.entry(record).or_insert_with(|| {
            self.movers.push(Mover { user, record, old, wishes: keys, level: 0, assumed, known: known(person) });
            at
        });
        assumed
    }

    /// A record that is on its way into the archive gives its username up, as one that moves to another does: said while the users who
    /// have records speak. Should it stay after all, [`Claims::stay`] takes that back.
    pub(crate) fn leave(&mut self, user: UserKey, id: &SourceId, record: PersonId, name: Hash) {
        if self.settled || self.by_record.contains_key(&record) {
            return;
        }
        let user = self.place(user, id);
        // What it is called in the archive is nobody's.
        let wishes = vec![Hash::of(&format!("\u{1}{record}"))];
        self.leaving.insert(record);
        self.by_record.insert(record, u32::try_from(self.movers.len()).unwrap_or(u32::MAX));
        self.movers.push(Mover { user, record, old: Some(name), wishes, level: 0, assumed: 0, known: None });
    }

    /// A record that was to leave stays, and asks for names like any other: whoever was promised its own is decided again.
    pub(crate) fn stay(&mut self, record: PersonId) {
        if self.settled
            && self.leaving.remove(&record)
            && let Some(at) = self.by_record.get(&record).copied()
        {
            let user = self.movers[at as usize].user;
            self.give_back(&[at], user);
            self.by_record.remove(&record);
        }
    }

    /// Takes the first wish that nobody has, at once; for users who are decided one after the other.
    pub(crate) fn take_first(
        &mut self,
        user: UserKey,
        id: &SourceId,
        record: Option<(&Person, Option<Hash>)>,
        wishes: &[Wish],
    ) -> usize {
        let level = wishes.iter().position(|w| self.holder(user, w).is_none()).unwrap_or(wishes.len());
        if let Some(wish) = wishes.get(level) {
            let user = self.place(user, id);
            let name = self.names.entry(wish.key).or_default();
            let by = record.map(|(person, _)| person.id);
            match name.owner {
                // A record of theirs that has it stands for both: should the name be lost, it asks for the next one.
                Some((owner, Some(first))) if owner == user => name.also = name.also.or(by.filter(|r| *r != first)),
                _ => name.owner = Some((user, by)),
            }
            for own in &wish.own {
                self.beside.entry(*own).or_default().push(user);
            }
            if let Some((person, old)) = record {
                let record = person.id;
                let at = u32::try_from(self.movers.len()).unwrap_or(u32::MAX);
                self.by_record.insert(record, at);
                // All of them: whoever is decided again asks for the place among them.
                let wishes = wishes.iter().map(|wish| wish.key).collect();
                self.movers.push(Mover { user, record, old, wishes, level, assumed: level, known: known(person) });
            }
        }
        level
    }

    /// Which of these names a user who is decided once more has taken already.
    pub(crate) fn took(&self, user: UserKey, names: &[String]) -> Option<usize> {
        let place = self.places.get(&user)?;
        let is_own =
            |name: &String| self.names.get(&username::key(name)).and_then(|n| n.owner).is_some_and(|(by, _)| by == *place);
        names.iter().position(is_own)
    }

    /// Who stands in the way of a wish, given what is settled and taken so far.
    pub(crate) fn holder(&self, user: UserKey, wish: &Wish) -> Option<Holder> {
        // A record that this plan ties to the same user is their own: it is not in their way (ruling 45).
        let is_own = |p: &PersonId| self.linked.get(p).is_some_and(|by| self.users[*by as usize].1 == user);
        let stays = wish.holders.iter().find(|(p, _)| !self.gives_up(*p, wish.key) && !is_own(p));
        if let Some((record, other)) = stays {
            return Some(Holder { record: Some(*record), user: other.clone(), created: false });
        }
        // A record that was matched with the user and is another's by this plan is in the way like any of theirs.
        let lost = |p: &&PersonId| self.linked.contains_key(p) && !is_own(p) && !self.gives_up(**p, wish.key);
        if let Some(record) = wish.own.iter().find(lost) {
            return Some(Holder { record: Some(*record), user: self.linked_to(*record).cloned(), created: false });
        }
        let (owner, record) = self.names.get(&wish.key)?.owner?;
        let (id, key) = &self.users[owner as usize];
        (*key != user).then(|| Holder { record, user: Some(id.clone()), created: record.is_none() })
    }

    /// Whether this plan puts a record into the archive, where nobody finds it.
    pub(crate) fn is_archived(&self, record: PersonId) -> bool {
        self.archived.contains(&record)
    }

    /// Whether a record that holds a name moves to another one.
    pub(crate) fn gives_up(&self, record: PersonId, name: Hash) -> bool {
        self.archived.contains(&record)
            || self
                .by_record
                .get(&record)
                .map(|m| &self.movers[*m as usize])
                .is_some_and(|m| m.old == Some(name) && m.level < m.wishes.len())
    }

    fn marry(&mut self) {
        self.propose((0..u32::try_from(self.movers.len()).unwrap_or(u32::MAX)).collect());
    }

    /// Movers ask for what they wish, best first, until each has a name or keeps their own.
    fn propose(&mut self, mut asking: Vec<u32>) {
        while let Some(at) = asking.pop() {
            let mover = &self.movers[at as usize];
            let (user, record) = (mover.user, mover.record);
            let Some(key) = mover.wishes.get(mover.level).copied() else {
                // It keeps its old name, and whoever was promised that one must ask for their next.
                let promised = mover.old.and_then(|old| self.names.get_mut(&old));
                if let Some(name) = promised.filter(|n| n.owner.is_some_and(|(owner, _)| owner != user)) {
                    asking.extend(dismiss(name, &self.by_record, &mut self.movers));
                }
                continue;
            };
            let name = self.names.entry(key).or_default();
            let id = &self.users[user as usize].0;
            let held = name.holders.iter().any(|(holder, linked)| {
                let moving = self.by_record.get(holder).map(|m| &self.movers[*m as usize]);
                linked.as_ref() != Some(id) && !moving.is_some_and(|m| m.old == Some(key) && m.level < m.wishes.len())
            });
            match name.owner {
                _ if held => {
                    self.movers[at as usize].level += 1;
                    asking.push(at);
                }
                None => name.owner = Some((user, Some(record))),
                Some((owner, _)) if owner == user => name.also = Some(record),
                Some((owner, _)) if self.users[user as usize].0 < self.users[owner as usize].0 => {
                    asking.extend(dismiss(name, &self.by_record, &mut self.movers));
                    name.owner = Some((user, Some(record)));
                }
                Some(_) => {
                    self.movers[at as usize].level += 1;
                    asking.push(at);
                }
            }
        }
    }

    /// Nothing of a user is written after all, which showed only when names had been settled: their records keep usernames and
    /// addresses, and whoever was promised one of them is decided again.
    pub(crate) fn keep_back(&mut self, user: UserKey, records: &[PersonId]) {
        let Some(place) = self.places.get(&user).copied() else { return };
        let own: Vec<u32> = (0..).zip(&self.movers).filter(|(_, mover)| mover.user == place).map(|(at, _)| at).collect();
        self.give_back(&own, place);
        self.taken.values_mut().for_each(|by| by.retain(|t| t.user != place));
        self.released.retain(|(_, person)| !records.contains(person));
        self.archived.retain(|person| !records.contains(person));
        self.suffixed.retain(|_, person| !records.contains(person));
    }

    /// These movers, a user's, get nothing of what they wished and keep what they have.
    fn give_back(&mut self, movers: &[u32], place: u32) {
        let before: Vec<usize> = self.movers.iter().map(|m| m.level).collect();
        let mut asking = Vec::new();
        for at in movers.iter().map(|at| *at as usize) {
            let Mover { record, old, .. } = self.movers[at];
            let Some(wished) = self.movers[at].wishes.get(self.movers[at].level).copied() else { continue };
            self.movers[at].level = self.movers[at].wishes.len();
            if let Some(name) = self.names.get_mut(&wished) {
                name.owner = name.owner.filter(|owner| *owner != (place, Some(record)));
                name.also = name.also.filter(|also| *also != record);
            }
            let promised = old.and_then(|old| self.names.get_mut(&old));
            if let Some(name) = promised.filter(|n| n.owner.is_some_and(|(owner, _)| owner != place)) {
                // Whoever would be created with it has no other name to ask for until they are decided again.
                let created = name.owner.filter(|(_, record)| record.is_none()).map(|(owner, _)| owner);
                self.again.extend(created.map(|owner| self.users[owner as usize].1));
                asking.extend(dismiss(name, &self.by_record, &mut self.movers));
            }
        }
        self.propose(asking);
        for (mover, before) in self.movers.iter().zip(before) {
            if mover.level != before && mover.user != place {
                self.again.insert(self.users[mover.user as usize].1);
            }
        }
    }

    // Addresses and records.

    /// A record of a linked user gives up some addresses and takes others.
    pub(crate) fn readdress(&mut self, user: UserKey, id: &SourceId, change: Readdressed) {
        let Readdressed { person, kind, client, released, taken } = change;
        let user = self.place(user, id);
        self.released.extend(released.into_iter().map(|key| (key, person)));
        for key in taken {
            let by = self.taken.entry(key).or_default();
            let taken = Taken { person, kind, client, user };
            if !by.contains(&taken) {
                by.push(taken);
            }
        }
    }

    /// Whether a record gives up an address.
    pub(crate) fn has_released(&self, key: Hash, person: PersonId) -> bool {
        self.released.contains(&(key, person))
    }

    /// Records that take an address.
    pub(crate) fn takers(&self, key: Hash) -> impl Iterator<Item = (&Taken, &SourceId, UserKey)> {
        self.taken.get(&key).into_iter().flatten().map(|t| {
            let (id, key) = &self.users[t.user as usize];
            (t, id, *key)
        })
    }

    /// The record of another user that gets this username, where it is known by that (ruling 59).
    pub(crate) fn named(&self, name: Hash) -> Option<(Taken, &SourceId, UserKey)> {
        let (owner, record) = self.names.get(&name)?.owner?;
        let (person, (id, key)) = (record?, &self.users[owner as usize]);
        let (kind, client) = self.movers[*self.by_record.get(&person)? as usize].known?;
        Some((Taken { person, kind, client, user: owner }, id, *key))
    }

    /// Another user for whom a record with this e-mail is created.
    pub(crate) fn created_with(&self, email: Hash, user: UserKey) -> Option<&SourceId> {
        let (id, key) = &self.users[*self.created.get(&email)? as usize];
        (*key != user).then_some(id)
    }

    /// A record with this e-mail is created for a user.
    pub(crate) fn create(&mut self, email: Hash, user: UserKey, id: &SourceId) {
        let user = self.place(user, id);
        self.created.entry(email).or_insert(user);
    }

    /// The user to whom this plan links a record.
    pub(crate) fn linked_to(&self, person: PersonId) -> Option<&SourceId> {
        self.linked.get(&person).map(|user| self.id_of(*user))
    }

    /// This plan links a record to a user. Whoever took its username because it was matched with them is decided again.
    pub(crate) fn link(&mut self, person: PersonId, user: UserKey, id: &SourceId) {
        let user = self.place(user, id);
        self.linked.insert(person, user);
        let others = self.beside.remove(&person).into_iter().flatten().filter(|other| *other != user);
        self.again.extend(others.map(|other| self.users[other as usize].1));
    }

    /// This plan puts a record into the archive, under these names.
    pub(crate) fn archive(&mut self, person: PersonId, names: impl IntoIterator<Item = Hash>) {
        self.archived.insert(person);
        self.suffixed.extend(names.into_iter().map(|name| (name, person)));
    }

    /// Whether another record takes this name into the archive.
    pub(crate) fn is_suffixed(&self, name: Hash, person: PersonId) -> bool {
        self.suffixed.get(&name).is_some_and(|other| *other != person)
    }

    /// This plan brings a record back, and with it gives these names up.
    pub(crate) fn restore(&mut self, person: PersonId, names: impl IntoIterator<Item = Hash>) {
        self.freed.extend(names.into_iter().map(|name| (name, person)));
    }

    /// Whether a record gives a suffixed name up.
    pub(crate) fn is_freed(&self, name: Hash, person: PersonId) -> bool {
        self.freed.contains(&(name, person))
    }

    // Sites and managers.

    /// What a new site is called: as the user with the lowest object id has it (ruling 39).
    pub(crate) fn site_name<'s>(&'s self, client: ClientId, key: &str, id: &SourceId, own: &'s str) -> &'s str {
        match self.sites.get(&(client, key.to_owned())) {
            Some(site) if self.id_of(site.first) < id => &site.name,
            _ => own,
        }
    }

    /// This plan makes a site for a user. Whoever called it otherwise is decided again.
    pub(crate) fn make_site(&mut self, client: ClientId, name: &str, user: UserKey, id: &SourceId) {
        let place = self.place(user, id);
        let key = (client, text::fold(name));
        let site = self.sites.entry(key).or_insert_with(|| Site { name: name.to_owned(), first: place, users: Vec::new() });
        if *id < self.users[site.first as usize].0 {
            site.first = place;
            if site.name != name {
                name.clone_into(&mut site.name);
                self.again.extend(site.users.iter().map(|user| self.users[*user as usize].1));
            }
        }
        site.users.push(place);
    }

    /// What a user's manager comes to.
    pub(crate) fn manager(&self, id: &SourceId, told: &[(Kind, PersonId)]) -> Manager {
        self.managers.of(id, told)
    }

    /// A user was decided with this manager.
    pub(crate) fn ask_manager(
        &mut self,
        user: UserKey,
        own: &SourceId,
        manager: &SourceId,
        told: &[(Kind, PersonId)],
    ) -> Manager {
        let place = self.place(user, own);
        self.managers.ask(place, manager, told)
    }

    /// A user was decided anew and does not look for a manager any more.
    pub(crate) fn forget_manager(&mut self, user: UserKey, manager: &SourceId) {
        if let Some(place) = self.places.get(&user) {
            self.managers.forget(*place, manager);
        }
    }

    /// A decision makes records for its user, or takes them: their reports may look for them.
    pub(crate) fn note_records(&mut self, id: &SourceId, changes: &[Change]) {
        self.managers.note(id, changes);
    }

    /// This plan takes a record out of use because its user is gone: it is a candidate for somebody else (rulings 54 and 55).
    pub(crate) fn retire(&mut self, person: PersonId, cause: Cause) {
        self.retired.insert(person, cause);
    }

    /// Whether this plan takes a record out of use because its user is gone.
    pub(crate) fn is_retired(&self, person: PersonId) -> bool {
        self.retired.contains_key(&person)
    }
}

/// Sends the owners of a name on to their next wish.
fn dismiss(name: &mut Name, by_record: &HashMap<PersonId, u32>, movers: &mut [Mover]) -> Vec<u32> {
    let records = [name.owner.take().and_then(|(_, record)| record), name.also.take()];
    let owners: Vec<u32> = records.into_iter().flatten().filter_map(|r| by_record.get(&r).copied()).collect();
    owners.iter().for_each(|m| movers[*m as usize].level += 1);
    owners
}

/// Addresses that change hands with one record.
#[derive(Debug)]
pub(crate) struct Readdressed {
    pub(crate) person: PersonId,
    pub(crate) kind: Kind,
    pub(crate) client: Option<ClientId>,
    pub(crate) released: Vec<Hash>,
    pub(crate) taken: Vec<Hash>,
}
