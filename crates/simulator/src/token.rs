//! Opaque tokens of links. They carry everything a later page needs, with a check, so that the simulator keeps nothing per reader.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a delta token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Round {
    /// Of users, otherwise of groups.
    pub users: bool,
    /// Of a deltaLink, otherwise of a nextLink.
    pub delta_link: bool,
    /// Whether this is the first, full round.
    pub initial: bool,
    /// Whether only changed properties are wanted (`Prefer: return=minimal`).
    pub minimal: bool,
    /// Properties wanted.
    pub select: u128,
    /// Objects wanted; all when empty.
    pub ids: Vec<u32>,
    /// Log entries before this one are known to the reader.
    pub since: u64,
    /// Log entries from this one on belong to the next round.
    pub until: u64,
    /// Next object of the round.
    pub cursor: u64,
    /// Next member of that object.
    pub member: u64,
    /// Number of the page.
    pub page: u64,
    /// Hours between the simulator's start and the token's making.
    pub hours: u64,
}

impl Round {
    /// Writes the token. `key` is the tenant's, so that no other tenant can read it.
    #[must_use]
    pub fn seal(&self, key: u64) -> String {
        let flags =
            u64::from(self.users) | u64::from(self.delta_link) << 1 | u64::from(self.initial) << 2 | u64::from(self.minimal) << 3;
        let mut numbers = vec![
            flags,
            self.select as u64,
            (self.select >> 64) as u64,
            self.since,
            self.until,
            self.cursor,
            self.member,
            self.page,
            self.hours,
        ];
        numbers.extend(self.ids.iter().map(|i| u64::from(*i)));
        seal(key, &numbers)
    }

    /// Reads a token; `None` when it is not one of this tenant's.
    #[must_use]
    pub fn open(key: u64, token: &str) -> Option<Self> {
        let numbers = open(key, token)?;
        let [flags, low, high, since, until, cursor, member, page, hours, ids @ ..] = numbers.as_slice() else { return None };
        Some(Self {
            users: flags & 1 != 0,
            delta_link: flags & 2 != 0,
            initial: flags & 4 != 0,
            minimal: flags & 8 != 0,
            select: u128::from(*low) | u128::from(*high) << 64,
            ids: ids.iter().map(|i| *i as u32).collect(),
            since: *since,
            until: *until,
            cursor: *cursor,
            member: *member,
            page: *page,
            hours: *hours,
        })
    }
}

/// Writes numbers as an opaque text with a check.
#[must_use]
pub fn seal(key: u64, numbers: &[u64]) -> String {
    let mut bytes = Vec::with_capacity(numbers.len() * 3 + 8);
    for n in numbers {
        let mut n = *n;
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
    }
    let check = xxh3_64_with_seed(&bytes, key);
    bytes.extend_from_slice(&check.to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`seal`] wrote.
#[must_use]
pub fn open(key: u64, token: &str) -> Option<Vec<u64>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, check) = bytes.split_last_chunk::<8>()?;
    if xxh3_64_with_seed(body, key).to_le_bytes() != *check {
        return None;
    }
    let (mut numbers, mut n, mut shift) = (vec![], 0u64, 0);
    for b in body {
        n |= u64::from(b & 0x7f).checked_shl(shift)?;
        shift += 7;
        if b & 0x80 == 0 {
            numbers.push(n);
            (n, shift) = (0, 0);
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_reads_back_for_its_tenant_only(key: u64, select: u128, since: u64, cursor: u64, ids in proptest::collection::vec(any::<u32>(), 0..50)) {
            let round = Round { users: true, select, since, cursor, ids, ..Round::default() };
            let token = round.seal(key);
            prop_assert_eq!(Round::open(key, &token), Some(round));
            prop_assert_eq!(Round::open(key ^ 1, &token), None);
        }
    }
}
