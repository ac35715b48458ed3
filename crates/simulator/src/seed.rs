//! Everything pretended is a pure function of (seed, tenant, index): mixing, permutations and object ids that can be read back.

/// Scrambles 64 bits (the finaliser of SplitMix64). Invertible: see [`unmix`].
#[must_use]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The inverse of [`mix`].
#[must_use]
pub fn unmix(mut x: u64) -> u64 {
    x = x ^ (x >> 31) ^ (x >> 62);
    x = x.wrapping_mul(0x3196_42b2_d24d_8ec3);
    x = x ^ (x >> 27) ^ (x >> 54);
    x = x.wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

/// A number that depends on both arguments and looks random.
#[must_use]
pub fn hash(a: u64, b: u64) -> u64 {
    mix(a ^ mix(b.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

/// A permutation of `0..n` that can be asked both ways, so that "the groups of a user" and "the users of a group" need no table.
#[derive(Debug, Clone, Copy)]
pub struct Shuffle {
    n: u64,
    factor: u64,
    inverse: u64,
    offset: u64,
}

impl Shuffle {
    /// A permutation of `0..n` chosen by `key`. `n` of 0 counts as 1.
    #[must_use]
    pub fn new(n: u64, key: u64) -> Self {
        let n = n.max(1);
        // Near the golden section of n, neighbours end up far apart; the first factor coprime to n is invertible.
        let mut factor = (n as f64 * 0.618) as u64 + 1 + key % (n / 8 + 1);
        while gcd(factor, n) != 1 {
            factor += 1;
        }
        let factor = factor % n.max(2);
        Self { n, factor, inverse: modular_inverse(factor, n), offset: mix(key) % n }
    }

    /// Where `x` goes.
    #[must_use]
    pub fn forward(&self, x: u64) -> u64 {
        ((u128::from(x) * u128::from(self.factor) + u128::from(self.offset)) % u128::from(self.n)) as u64
    }

    /// Where `y` came from.
    #[must_use]
    pub fn back(&self, y: u64) -> u64 {
        let y = (y + self.n - self.offset) % self.n;
        ((u128::from(y) * u128::from(self.inverse)) % u128::from(self.n)) as u64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn modular_inverse(a: u64, n: u64) -> u64 {
    let (mut r, mut next_r) = (n as i128, i128::from(a % n));
    let (mut t, mut next_t) = (0i128, 1i128);
    while next_r != 0 {
        let q = r / next_r;
        (r, next_r) = (next_r, r - q * next_r);
        (t, next_t) = (next_t, t - q * next_t);
    }
    t.rem_euclid(n as i128) as u64
}

/// What an object id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A tenant.
    Tenant,
    /// An application (client id).
    App,
    /// The service principal of the application.
    ServicePrincipal,
    /// Anything else that needs an id.
    Other,
}

const KINDS: [Kind; 6] = [Kind::User, Kind::Group, Kind::Tenant, Kind::App, Kind::ServicePrincipal, Kind::Other];

/// A GUID of version 4 which only the holder of `key` can read back, so that no table of ids is needed.
#[must_use]
pub fn object_id(key: u64, kind: Kind, index: u32) -> u128 {
    let code = KINDS.iter().position(|k| *k == kind).unwrap_or_default() as u64;
    let a = mix(((code << 32) | u64::from(index)) ^ key);
    spread(a, hash(a, key))
}

/// What [`object_id`] was made of, or `None` for a foreign id.
#[must_use]
pub fn read_object_id(key: u64, id: u128) -> Option<(Kind, u32)> {
    let a = ((id >> 80) as u64) << 16 | ((id >> 64) as u64 & 0xfff) << 4 | ((id >> 58) as u64 & 0xf);
    let code = unmix(a) ^ key;
    let kind = *KINDS.get(usize::try_from(code >> 32).ok()?)?;
    (spread(a, hash(a, key)) == id).then_some((kind, code as u32))
}

/// 64 readable bits and 58 bits of check around the version and variant bits of a GUID.
fn spread(a: u64, check: u64) -> u128 {
    let high = u128::from(a >> 16) << 80;
    let version = 4u128 << 76;
    let middle = u128::from((a >> 4) & 0xfff) << 64;
    let low = 2u128 << 62 | u128::from(a & 0xf) << 58 | u128::from(check & 0x03ff_ffff_ffff_ffff);
    high | version | middle | low
}

/// Appends a GUID in its usual form (36 characters, lower case).
pub fn put_guid(out: &mut Vec<u8>, id: u128) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in id.to_be_bytes().into_iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// A GUID as text.
#[must_use]
pub fn guid(id: u128) -> String {
    let mut out = Vec::with_capacity(36);
    put_guid(&mut out, id);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads the usual form of a GUID, in any case.
#[must_use]
pub fn parse_guid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|i| bytes[*i] != b'-') {
        return None;
    }
    let mut id = 0u128;
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            continue;
        }
        id = id << 4 | u128::from(char::from(*b).to_digit(16)?);
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn mixing_can_be_undone(x: u64) {
            prop_assert_eq!(unmix(mix(x)), x);
        }

        #[test]
        fn a_shuffle_is_a_permutation_both_ways(n in 1u64..5000, key: u64, x: u64) {
            let s = Shuffle::new(n, key);
            let x = x % n;
            prop_assert!(s.forward(x) < n);
            prop_assert_eq!(s.back(s.forward(x)), x);
        }

        #[test]
        fn an_object_id_reads_back_and_nobody_elses_does(key: u64, index: u32) {
            let id = object_id(key, Kind::Group, index);
            prop_assert_eq!(parse_guid(&guid(id)), Some(id));
            prop_assert_eq!(read_object_id(key, id), Some((Kind::Group, index)));
            prop_assert_eq!(read_object_id(key ^ 1, id), None);
            prop_assert_eq!((id >> 76) & 15, 4);
        }
    }
}
