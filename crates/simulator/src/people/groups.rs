//! Generated groups, and who is in them: computed both ways, from the user and from the group.

use super::names::GROUP_TOPICS;
use super::person::{Account, account, boolean, put_number, text};
use crate::clock::put_time;
use crate::properties::GroupProp;
use crate::seed::{Kind, hash, object_id, put_guid};
use crate::tenant::Tenant;

/// Groups every tenant has, in this order, as far as `--groups` reaches.
pub const NAMED: &[(&str, &str)] = &[
    ("All employees", "Everyone who works here"),
    ("Portal users", "May sign in to the customer portal"),
    ("Staff", "Technicians and coordinators"),
    ("Helpdesk", "First line support"),
    ("Guests", "Everyone invited from outside"),
    ("Company-wide", "Announcements to all"),
];

const ALL_EMPLOYEES: u32 = 0;
const PORTAL: u32 = 1;
const STAFF: u32 = 2;
const HELPDESK: u32 = 3;
const GUESTS: u32 = 4;
const COMPANY_WIDE: u32 = 5;
const FIRST_GENERATED: u32 = NAMED.len() as u32;

/// Form of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Security, members assigned by hand.
    Security,
    /// Security, members by rule.
    Dynamic,
    /// Microsoft 365.
    Unified,
    /// Distribution list.
    Distribution,
    /// Mail-enabled security.
    MailSecurity,
}

/// Form of the generated group with this index.
#[must_use]
pub fn form(index: u32) -> Form {
    match index {
        ALL_EMPLOYEES | GUESTS => Form::Dynamic,
        PORTAL | STAFF => Form::Security,
        HELPDESK => Form::Unified,
        COMPANY_WIDE => Form::Distribution,
        n => match n % 5 {
            0 => Form::Distribution,
            1 => Form::Unified,
            2 => Form::MailSecurity,
            _ => Form::Security,
        },
    }
}

/// Groups directly inside this group. Groups 8, 9 and 10 are inside each other in a circle.
#[must_use]
pub fn children(groups: u32, index: u32) -> Vec<u32> {
    let mut inside = match index {
        COMPANY_WIDE => vec![ALL_EMPLOYEES, GUESTS],
        STAFF => vec![HELPDESK],
        8 if groups > 10 => vec![9],
        9 if groups > 10 => vec![10],
        10 if groups > 10 => vec![8],
        n if n > 10 && n % 7 == 0 => vec![n + 1],
        _ => vec![],
    };
    inside.retain(|g| *g < groups);
    inside
}

/// Groups this group is directly inside.
#[must_use]
pub fn parents(groups: u32, index: u32) -> Vec<u32> {
    let mut above = vec![STAFF, COMPANY_WIDE, 8, 9, 10];
    above.extend(index.checked_sub(1).filter(|n| *n > 10));
    above.retain(|g| *g < groups && children(groups, *g).contains(&index));
    above
}

/// Appends the JSON value of a group's property; false when it never had one.
#[must_use]
pub fn write(tenant: &Tenant, out: &mut Vec<u8>, index: u32, prop: GroupProp) -> bool {
    use GroupProp as P;
    let form = form(index);
    let mail_enabled = matches!(form, Form::Unified | Form::Distribution | Form::MailSecurity);
    let h = hash(tenant.key ^ 0x6770, u64::from(index));
    let synced = tenant.synced && matches!(form, Form::Security | Form::MailSecurity);
    // Spread over 2015 to 2024; the two groups of a pair share an instant, so that ties happen.
    let created = 1_420_070_400 + (hash(tenant.key ^ 0x6370, u64::from(index / 2)) % 284_000_000) as i64;
    match prop {
        P::Id => {
            out.push(b'"');
            put_guid(out, object_id(tenant.key, Kind::Group, index));
            out.push(b'"');
            true
        }
        P::DisplayName => {
            out.push(b'"');
            put_name(out, index);
            out.push(b'"');
            true
        }
        P::Description => match NAMED.get(index as usize) {
            Some((_, description)) => text(out, description),
            None => false,
        },
        P::CreatedDateTime | P::RenewedDateTime => {
            out.push(b'"');
            put_time(out, created);
            out.push(b'"');
            true
        }
        P::GroupTypes => {
            out.extend_from_slice(match form {
                Form::Unified => b"[\"Unified\"]".as_slice(),
                Form::Dynamic => b"[\"DynamicMembership\"]",
                Form::Security | Form::Distribution | Form::MailSecurity => b"[]",
            });
            true
        }
        P::MailEnabled => boolean(out, mail_enabled),
        P::SecurityEnabled => boolean(out, !matches!(form, Form::Unified | Form::Distribution)),
        P::MailNickname => {
            out.push(b'"');
            put_nickname(out, index);
            out.push(b'"');
            true
        }
        P::Mail => {
            mail_enabled && {
                out.push(b'"');
                put_nickname(out, index);
                out.push(b'@');
                out.extend_from_slice(tenant.domain.as_bytes());
                out.push(b'"');
                true
            }
        }
        P::ProxyAddresses => {
            out.push(b'[');
            if mail_enabled {
                out.extend_from_slice(b"\"SMTP:");
                put_nickname(out, index);
                out.push(b'@');
                out.extend_from_slice(tenant.domain.as_bytes());
                out.push(b'"');
            }
            out.push(b']');
            true
        }
        P::MembershipRule => {
            form == Form::Dynamic
                && text(
                    out,
                    if index == GUESTS { "(user.userType -eq \\\"Guest\\\")" } else { "(user.userType -eq \\\"Member\\\")" },
                )
        }
        P::MembershipRuleProcessingState => form == Form::Dynamic && text(out, "On"),
        P::Visibility => form == Form::Unified && text(out, if h.is_multiple_of(3) { "Private" } else { "Public" }),
        P::ResourceProvisioningOptions => {
            out.extend_from_slice(if form == Form::Unified && h.is_multiple_of(2) { b"[\"Team\"]".as_slice() } else { b"[]" });
            true
        }
        P::OnPremisesSyncEnabled => synced && boolean(out, true),
        P::OnPremisesSamAccountName => {
            synced && {
                out.push(b'"');
                put_nickname(out, index);
                out.push(b'"');
                true
            }
        }
        P::SecurityIdentifier => {
            out.extend_from_slice(b"\"S-1-12-1-");
            put_number(out, tenant.key >> 33);
            out.push(b'-');
            put_number(out, 1_000_000 + u64::from(index));
            out.push(b'"');
            true
        }
        P::CreationOptions | P::ResourceBehaviorOptions | P::OnPremisesProvisioningErrors | P::AssignedLicenses => {
            out.extend_from_slice(b"[]");
            true
        }
        P::DeletedDateTime
        | P::Classification
        | P::ExpirationDateTime
        | P::IsAssignableToRole
        | P::OnPremisesDomainName
        | P::OnPremisesLastSyncDateTime
        | P::OnPremisesNetBiosName
        | P::OnPremisesSecurityIdentifier
        | P::PreferredDataLocation
        | P::PreferredLanguage
        | P::Theme
        | P::UniqueName
        | P::Members
        | P::Owners
        | P::AccessType
        | P::AllowExternalSenders
        | P::AssignedLabels
        | P::AutoSubscribeNewMembers
        | P::HasMembersWithLicenseErrors
        | P::HideFromAddressLists
        | P::HideFromOutlookClients
        | P::InfoCatalogs
        | P::IsArchived
        | P::IsFavorite
        | P::IsManagementRestricted
        | P::IsSubscribedByMail
        | P::LicenseProcessingState
        | P::OnPremisesExtensionAttributes
        | P::OrganizationId
        | P::ServiceProvisioningErrors
        | P::UnseenConversationsCount
        | P::UnseenCount
        | P::UnseenMessagesCount
        | P::WelcomeMessageEnabled => false,
    }
}

fn put_name(out: &mut Vec<u8>, index: u32) {
    match NAMED.get(index as usize) {
        Some((name, _)) => out.extend_from_slice(name.as_bytes()),
        None => {
            let n = (index - FIRST_GENERATED) as usize;
            out.extend_from_slice(GROUP_TOPICS[n % GROUP_TOPICS.len()].as_bytes());
            if n >= GROUP_TOPICS.len() {
                out.push(b' ');
                put_number(out, (n / GROUP_TOPICS.len() + 1) as u64);
            }
        }
    }
}

fn put_nickname(out: &mut Vec<u8>, index: u32) {
    let start = out.len();
    put_name(out, index);
    let mut kept = start;
    for i in start..out.len() {
        if out[i].is_ascii_alphanumeric() {
            out[kept] = out[i].to_ascii_lowercase();
            kept += 1;
        }
    }
    out.truncate(kept);
}

/// Who is in which generated group. A user has one *slot* per membership: slot 0 goes by the kind of account (employees, guests), slot 1 to the
/// groups that policies name (portal 45 %, staff 15 %, helpdesk 4 %) or a generated one, every further slot to generated ones. Each slot past
/// the first is a permutation of the users cut into intervals, one a group, which is why it can be asked both ways.
#[derive(Debug)]
pub struct Memberships {
    users: u64,
    groups: u32,
    by_account: bool,
    slots: Vec<crate::seed::Shuffle>,
}

impl Memberships {
    /// The memberships of a tenant with so many users and groups and `each` memberships a user.
    #[must_use]
    pub fn new(key: u64, users: u32, groups: u32, each: u32) -> Self {
        let n = u64::from(users);
        let slots = if each == 0 { 0 } else { (each - 1).max(1) };
        Self {
            users: n,
            groups,
            by_account: each > 1,
            slots: (0..slots).map(|s| crate::seed::Shuffle::new(n, hash(key, 0x736c_6f74 + u64::from(s)))).collect(),
        }
    }

    /// Number of generated groups a slot distributes over.
    fn generated(&self, slot: usize) -> u64 {
        let all = u64::from(self.groups.saturating_sub(FIRST_GENERATED));
        (all + self.slots.len() as u64 - 1 - slot as u64) / self.slots.len() as u64
    }

    /// Start of the k-th generated group's interval: sizes grow with k, since real groups differ in size.
    fn start(&self, slot: usize, k: u64) -> u64 {
        let low = if slot == 0 && self.groups > HELPDESK { self.users * 64 / 100 } else { 0 };
        let count = self.generated(slot).max(1);
        low + ((u128::from(self.users - low) * u128::from(k) * u128::from(k)) / (u128::from(count) * u128::from(count))) as u64
    }

    fn named_interval(&self, group: u32) -> Option<(u64, u64)> {
        let cut = |percent: u64| self.users * percent / 100;
        match group {
            PORTAL => Some((0, cut(45))),
            STAFF => Some((cut(45), cut(60))),
            HELPDESK => Some((cut(60), cut(64))),
            _ => None,
        }
    }

    fn suits(group: u32, user: u32) -> bool {
        let account = account(user);
        match group {
            ALL_EMPLOYEES | STAFF | HELPDESK => account == Account::Employee,
            GUESTS => account == Account::Guest,
            _ => true,
        }
    }

    /// Calls back with each generated group of a generated user, each once.
    pub fn groups_of(&self, user: u32, mut found: impl FnMut(u32)) {
        if u64::from(user) >= self.users {
            return;
        }
        if self.by_account {
            for group in [ALL_EMPLOYEES, GUESTS] {
                if group < self.groups && Self::suits(group, user) {
                    found(group);
                }
            }
        }
        for (slot, shuffle) in self.slots.iter().enumerate() {
            let v = shuffle.forward(u64::from(user));
            if slot == 0
                && self.groups > HELPDESK
                && let Some(group) = [PORTAL, STAFF, HELPDESK]
                    .into_iter()
                    .find(|g| self.named_interval(*g).is_some_and(|(a, b)| (a..b).contains(&v)))
            {
                if Self::suits(group, user) {
                    found(group);
                }
                continue;
            }
            let count = self.generated(slot);
            let low = self.start(slot, 0);
            if count == 0 || v < low {
                continue;
            }
            let mut k = (((v - low) as f64 / (self.users - low).max(1) as f64).sqrt() * count as f64) as u64;
            k = k.min(count - 1);
            while k > 0 && self.start(slot, k) > v {
                k -= 1;
            }
            while k + 1 < count && self.start(slot, k + 1) <= v {
                k += 1;
            }
            found(FIRST_GENERATED + (k * self.slots.len() as u64) as u32 + slot as u32);
        }
    }

    /// Which places of a group may hold members: see [`Self::member_at`].
    #[must_use]
    pub fn places(&self, group: u32) -> u64 {
        match group {
            _ if group >= self.groups || self.slots.is_empty() => 0,
            ALL_EMPLOYEES | GUESTS => {
                if self.by_account {
                    self.users
                } else {
                    0
                }
            }
            PORTAL | STAFF | HELPDESK => {
                if self.groups > HELPDESK {
                    self.named_interval(group).map_or(0, |(a, b)| b - a)
                } else {
                    0
                }
            }
            COMPANY_WIDE => 0,
            _ => {
                let (slot, k) = self.slot_of(group);
                self.start(slot, k + 1) - self.start(slot, k)
            }
        }
    }

    fn slot_of(&self, group: u32) -> (usize, u64) {
        let n = u64::from(group - FIRST_GENERATED);
        ((n % self.slots.len() as u64) as usize, n / self.slots.len() as u64)
    }

    /// The user at a place of a group; some places are empty.
    #[must_use]
    pub fn member_at(&self, group: u32, place: u64) -> Option<u32> {
        let user = match group {
            ALL_EMPLOYEES | GUESTS => place as u32,
            PORTAL | STAFF | HELPDESK => self.slots.first()?.back(self.named_interval(group)?.0 + place) as u32,
            _ => {
                let (slot, k) = self.slot_of(group);
                self.slots.get(slot)?.back(self.start(slot, k) + place) as u32
            }
        };
        Self::suits(group, user).then_some(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_group_lists_exactly_the_users_that_say_they_are_in_it(key: u64, users in 0u32..700, groups in 0u32..60, each in 0u32..6) {
            let m = Memberships::new(key, users, groups, each);
            let mut from_users = BTreeSet::new();
            for u in 0..users {
                m.groups_of(u, |g| assert!(from_users.insert((g, u)), "listed twice"));
            }
            let from_groups: BTreeSet<_> = (0..groups).flat_map(|g| (0..m.places(g)).map(move |p| (g, p))).filter_map(|(g, p)| m.member_at(g, p).map(|u| (g, u))).collect();
            prop_assert_eq!(from_users, from_groups);
        }
    }

    #[test]
    fn parents_and_children_agree() {
        for g in 0..60 {
            for c in children(60, g) {
                assert!(parents(60, c).contains(&g));
            }
            for p in parents(60, g) {
                assert!(children(60, p).contains(&g));
            }
        }
    }
}
