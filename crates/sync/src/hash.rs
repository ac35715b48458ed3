//! The plan's hash: what a person approves by.

use model::plan::Change;
use model::{PersonId, UserKey};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// SHA-256 over the digests of a plan's changes. A digest is SHA-256 over a change as canonical JSON (its maps are sorted) with what
/// it was decided from; digests are sorted before they go in, so that the order of deciding does not show. There is no run id and
/// no time in it: the same plan made again has the same hash. It holds 48 bytes a change until it is finished.
#[derive(Debug, Default)]
pub(crate) struct PlanHash(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    digest: [u8; 32],
    user: UserKey,
    record: Option<PersonId>,
}

/// The digest of a change.
#[derive(Debug)]
pub(crate) struct Digested(Entry);

impl PlanHash {
    /// Over nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with room for so many changes.
    pub fn with_room(changes: usize) -> Self {
        Self(Vec::with_capacity(changes))
    }

    /// The digest of one change, to be taken in later.
    pub fn digest(change: &Change, policy_digest: &str) -> Digested {
        Digested(Entry { digest: digest(change, policy_digest), user: change.user, record: change.record })
    }

    /// Takes a change in by its digest.
    pub fn add_digest(&mut self, Digested(entry): Digested) {
        self.0.push(entry);
    }

    /// Takes a change in.
    pub fn add(&mut self, change: &Change, policy_digest: &str) {
        self.0.push(Entry { digest: digest(change, policy_digest), user: change.user, record: change.record });
    }

    /// Takes out what was decided for these users: they are decided again.
    pub fn forget_users(&mut self, users: impl Iterator<Item = UserKey>) {
        let users: HashSet<UserKey> = users.collect();
        self.0.retain(|entry| !users.contains(&entry.user));
    }

    /// Takes out changes of these records: others take their place.
    pub fn forget_records(&mut self, records: &[PersonId]) {
        if !records.is_empty() {
            self.0.retain(|entry| !entry.record.is_some_and(|r| records.contains(&r)));
        }
    }

    /// The hash, hexadecimal.
    pub fn finish(mut self) -> String {
        self.0.sort_unstable_by_key(|entry| entry.digest);
        let mut whole = Sha256::new();
        for entry in &self.0 {
            whole.update(entry.digest);
        }
        hex::encode(whole.finalize())
    }
}

/// The digest of one change: what of it a person approves, and what it was decided from.
fn digest(change: &Change, policy_digest: &str) -> [u8; 32] {
    let decided_from = (change.link.as_ref().and_then(|l| l.applied_hash), change.record_version, policy_digest);
    let what = (change.verb, change.kind, &change.source_id, change.record, &change.rule, &change.before, &change.set);
    // Plain data always serialises into memory; were it not so, the hash would only differ, which refuses approval.
    let json = serde_json::to_vec(&(what, decided_from)).unwrap_or_default();
    Sha256::digest(json).into()
}
