//! Change advisory boards: what rules and groups give adds up, what a person gave stays (R09, ruling 42).

use crate::groups::{Known, MemberOf};
use model::policy::{CabMapping, Policy, Rule};
use model::records::Person;
use model::{Field, Fields, GroupKey, Value};
use std::collections::BTreeMap;

/// The field for the roles people have on their boards: an object from board to role.
pub(crate) const ROLES_FIELD: Field = Field::named("cab_roles");

/// In a link's bookkeeping: boards that sync would have given and that the record had by a person's hand, so that they are not
/// withdrawn.
const BY_HAND: &str = "cabs_by_hand";

/// The mappings from groups to boards, made ready.
#[derive(Debug)]
pub(crate) struct Boards {
    given: Vec<(CabMapping, Vec<GroupKey>)>,
}

/// The boards of one user, sorted, each with the role on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seats<'a> {
    wanted: BTreeMap<&'a str, Option<&'a str>>,
    by_hand: Vec<String>,
}

impl Boards {
    pub(crate) fn new(policy: &Policy, known: &Known) -> Self {
        let given = policy.cab_mappings.iter().map(|m| (m.clone(), known.named(&m.group)));
        Self { given: given.collect() }
    }

    /// The groups that mappings name.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupKey> {
        self.given.iter().flat_map(|(_, groups)| groups.iter().copied())
    }

    /// The boards of a user: the rule's and those of groups.
    pub(crate) fn of<'a>(&'a self, rule: &'a Rule, member_of: &MemberOf) -> Seats<'a> {
        let mut wanted: BTreeMap<&str, Option<&str>> = rule.then.cabs.iter().map(|cab| (cab.as_str(), None)).collect();
        let is_in = |groups: &[GroupKey]| member_of.iter().any(|(named, _)| groups.contains(named));
        for (mapping, _) in self.given.iter().filter(|(_, groups)| is_in(groups)) {
            let role = wanted.entry(&mapping.cab).or_default();
            // Of several roles on one board the first by name, so that the order of mappings says nothing.
            *role = match (*role, mapping.role.as_deref()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Seats { wanted, by_hand: Vec::new() }
    }
}

impl Seats<'_> {
    /// Notes which of them the record has by a person's hand: sync neither gave them nor will withdraw them.
    pub(crate) fn meet(&mut self, record: &Person, decided: &Fields) {
        if self.wanted.is_empty() {
            return;
        }
        let given = given(decided);
        let own = list(record.fields.get(&Field::CABS));
        self.by_hand = own.filter(|cab| self.wanted.contains_key(*cab) && !given.contains(cab)).map(str::to_owned).collect();
        self.by_hand.sort_unstable();
    }

    /// The record's boards once these are given and what sync gave before is withdrawn; sorted, each once.
    pub(crate) fn cabs(&self, record: Option<&Person>, decided: &Fields) -> Value {
        let given = given(decided);
        let own = list(record.and_then(|r| r.fields.get(&Field::CABS)));
        let mut all: Vec<&str> = own.filter(|cab| !given.contains(cab)).chain(self.wanted.keys().copied()).collect();
        all.sort_unstable();
        all.dedup();
        Value::from(all)
    }

    /// The roles on them, likewise; null when there are none.
    pub(crate) fn roles(&self, record: Option<&Person>, decided: &Fields) -> Value {
        let given = given(decided);
        let own = record.and_then(|r| r.fields.get(&ROLES_FIELD)).and_then(Value::as_object);
        let kept = own.into_iter().flatten().filter(|(cab, _)| !given.contains(&cab.as_str()));
        let mut all: serde_json::Map<String, Value> = kept.map(|(cab, role)| (cab.clone(), role.clone())).collect();
        all.extend(self.wanted.iter().filter_map(|(cab, role)| Some(((*cab).to_owned(), Value::from((*role)?)))));
        if all.is_empty() { Value::Null } else { Value::Object(all) }
    }

    /// For the link's bookkeeping: what was decided, and what of it is a person's.
    pub(crate) fn decided(&self, into: &mut Fields) {
        if self.wanted.is_empty() {
            return;
        }
        into.insert(Field::CABS, Value::from(self.wanted.keys().copied().collect::<Vec<_>>()));
        if self.wanted.values().any(Option::is_some) {
            into.insert(ROLES_FIELD, self.roles(None, &Fields::new()));
        }
        if !self.by_hand.is_empty() {
            into.insert(Field::new(BY_HAND), Value::from(self.by_hand.clone()));
        }
    }

    /// Whether that is what was decided last.
    pub(crate) fn is_as_decided(&self, before: &Fields) -> bool {
        let same_cabs = list(before.get(&Field::CABS)).eq(self.wanted.keys().copied());
        if !same_cabs || self.wanted.is_empty() {
            return same_cabs;
        }
        let roles = before.get(&ROLES_FIELD).and_then(Value::as_object);
        self.wanted.iter().all(|(cab, role)| roles.and_then(|r| r.get(*cab)).and_then(Value::as_str) == *role)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }
}

/// The boards that sync gave, by its own bookkeeping.
fn given(decided: &Fields) -> Vec<&str> {
    let by_hand: Vec<&str> = list(decided.get(&Field::new(BY_HAND))).collect();
    list(decided.get(&Field::CABS)).filter(|cab| !by_hand.contains(cab)).collect()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
