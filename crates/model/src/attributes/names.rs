//! The names of attributes: those that are read of every user, and any other.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// The version of [`READ_SET`], of what is kept of its values, and of how they are hashed. When a new version changes any of it,
/// stored hashes are re-based and nobody counts as changed (ruling 60).
pub const READ_SET_VERSION: i64 = 3;

/// The properties of a user that are read from every source, sorted by name: all profile properties a delta query can carry.
/// `$select` is this list; mapped directory extensions are added to it (ruling 60).
pub const READ_SET: &[&str] = &[
    "accountEnabled",
    "assignedLicenses",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "creationType",
    "department",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "faxNumber",
    "givenName",
    "id",
    "imAddresses",
    "jobTitle",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "proxyAddresses",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
];

/// Where each name of the read set stands, by a hash of it: a name is looked up thirty times a user, and searching the sorted list
/// took a third of a parser's time.
const PLACES: [u8; 256] = {
    let mut places = [NOWHERE; 256];
    let mut i = 0;
    while i < READ_SET.len() {
        let mut at = place_of(READ_SET[i].as_bytes());
        while places[at as usize] != NOWHERE {
            at = at.wrapping_add(1);
        }
        places[at as usize] = i as u8;
        i += 1;
    }
    places
};

// Each place of the read set fits.
const _: () = assert!(READ_SET.len() < NOWHERE as usize);

/// No name stands here.
pub(super) const NOWHERE: u8 = u8::MAX;

/// Spreads names over the table by length and three letters; equal places are told apart by looking on.
const fn place_of(name: &[u8]) -> u8 {
    let n = name.len();
    if n == 0 {
        return 0;
    }
    let letters = name[0].wrapping_mul(31).wrapping_add(name[n / 2].wrapping_mul(7)).wrapping_add(name[n - 1].wrapping_mul(3));
    letters.wrapping_add((n as u8).wrapping_mul(13))
}

/// A name, if it is one of the read set.
#[must_use]
pub fn property(name: &str) -> Option<Name> {
    known(name).map(|i| Name(Which::Known(i)))
}

/// A name's index in the read set.
fn known(name: &str) -> Option<u8> {
    let mut at = place_of(name.as_bytes());
    // Ends, because the read set fills less than a quarter of the table.
    loop {
        let i = PLACES[usize::from(at)];
        if i == NOWHERE {
            return None;
        }
        if READ_SET[usize::from(i)] == name {
            return Some(i);
        }
        at = at.wrapping_add(1);
    }
}

/// An attribute's name. Those of the read set are told apart and ordered by where they stand in it, which is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub(super) Which);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// At this index of [`READ_SET`].
    Known(u8),
    /// Any other: a directory extension, or a property read by a pass of its own.
    Other(Box<str>),
}

impl Name {
    /// The name as Graph has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Which::Known(i) => READ_SET[usize::from(*i)],
            Which::Other(name) => name,
        }
    }

    fn cmp_to(&self, other: &str, known: Option<u8>) -> Ordering {
        match (&self.0, known) {
            (Which::Known(a), Some(b)) => a.cmp(&b),
            _ => self.as_str().cmp(other),
        }
    }
}

/// What an attribute is looked up by: its name, or the name's place in the read set, if it was found before.
pub trait Named {
    #[doc(hidden)]
    fn place(&self) -> Place<'_>;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Place<'n> {
    /// At this index of [`READ_SET`].
    Known(u8),
    /// Not in it.
    Other(&'n str),
}

impl Named for str {
    fn place(&self) -> Place<'_> {
        known(self).map_or(Place::Other(self), Place::Known)
    }
}

impl Named for Name {
    fn place(&self) -> Place<'_> {
        match &self.0 {
            Which::Known(i) => Place::Known(*i),
            Which::Other(name) => Place::Other(name),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        property(name).unwrap_or_else(|| Name(Which::Other(name.into())))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        property(&name).unwrap_or_else(|| Name(Which::Other(name.into())))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let known = if let Which::Known(i) = other.0 { Some(i) } else { None };
        self.cmp_to(other.as_str(), known)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(name.into())
            }
        }
        d.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_read_set_is_sorted_because_attributes_are_in_its_order() {
        assert!(READ_SET.is_sorted());
    }

    #[test]
    fn each_name_of_the_read_set_is_found_and_no_other() {
        for (i, name) in READ_SET.iter().enumerate() {
            assert_eq!(known(name).map(usize::from), Some(i), "{name}");
        }
        for name in ["", "Mail", "mails", "signInActivity", "é"] {
            assert_eq!(known(name), None, "{name}");
        }
    }
}
