//! One generated person and how each property of theirs is written.

use super::companies::{SITES, SKUS, Site};
use super::names::{DEPARTMENTS, Name, PARTNERS, SCRIPTS, SERVICES, SHARED};
use crate::clock::put_time;
use crate::properties::UserProp;
use crate::seed::{Kind, mix, object_id, put_guid};
use crate::tenant::Tenant;

/// What kind of account it is. Decided by the index alone, so that each kind can be numbered without counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Someone who works there.
    Employee,
    /// A guest of a partner company.
    Guest,
    /// A shared mailbox: disabled, with mail.
    Shared,
    /// A service account: no mail, no person's name.
    Service,
}

/// Kind of the account with this index. Index 0 is always an employee: the head of the company.
#[must_use]
pub fn account(index: u32) -> Account {
    if index % 32 == 31 {
        Account::Shared
    } else if index % 64 == 15 {
        Account::Service
    } else if index % 12 == 7 {
        Account::Guest
    } else {
        Account::Employee
    }
}

/// How many pairs of names there are; the pair of a user repeats after so many.
#[must_use]
pub fn name_pairs() -> u64 {
    SCRIPTS.iter().map(|s| (s.given.len() * s.family.len()) as u64).sum()
}

/// The manager of an employee: a tree eight wide, by index.
#[must_use]
pub fn manager_of(index: u32) -> Option<u32> {
    if index == 0 || account(index) != Account::Employee {
        return None;
    }
    let mut boss = (index - 1) / 8;
    while account(boss) != Account::Employee {
        boss -= 1;
    }
    Some(boss)
}

/// Users whose sign-in name may be this one (lower case); the caller compares. Reads the name backwards instead of searching everyone.
#[must_use]
pub fn candidates(tenant: &Tenant, sign_in_name: &str) -> Vec<u32> {
    let local = match sign_in_name.split_once("#ext#") {
        Some((before, _)) => before.rsplit_once('_').map_or(before, |(l, _)| l),
        None => sign_in_name.split_once('@').map_or(sign_in_name, |(l, _)| l),
    };
    let mut found: Vec<u64> = vec![];
    for (table, every, place) in [(SHARED, 32, 31), (SERVICES, 64, 15)] {
        for (i, (_, address)) in table.iter().enumerate() {
            if let Some(round) = local.strip_prefix(address).and_then(round_of) {
                found.push((i as u64 + round * table.len() as u64) * every + place);
            }
        }
    }
    if let Some((given, rest)) = local.split_once('.') {
        let (namesake, rest) = rest.strip_prefix("m.").map_or((0, rest), |r| (1, r));
        let digits = rest.len() - rest.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (family, number) = rest.split_at(rest.len() - digits);
        let mut before = 0u64;
        for s in SCRIPTS {
            let place = |table: &[Name], name: &str| table.iter().position(|n| n.1 == name).map(|p| p as u64);
            if let (Some(g), Some(f), Some(round)) = (place(s.given, given), place(s.family, family), round_of(number)) {
                found.push(tenant.name_order.back(before + f * s.given.len() as u64 + g) + round * name_pairs() + namesake);
            }
            before += (s.given.len() * s.family.len()) as u64;
        }
    }
    found.into_iter().filter_map(|i| u32::try_from(i).ok()).filter(|i| *i < tenant.users).collect()
}

/// How often the names had been given out before, from the number behind an address: none is 0, `2` is 1.
fn round_of(number: &str) -> Option<u64> {
    if number.is_empty() { Some(0) } else { number.parse::<u32>().ok()?.checked_sub(1).map(u64::from) }
}

/// A person, computed.
pub struct Person<'a> {
    tenant: &'a Tenant,
    index: u32,
    h: u64,
    account: Account,
    given: Name,
    family: Name,
    language: &'static str,
    family_first: bool,
    round: u64,
    namesake: bool,
}

/// 2016-01-01, when the oldest accounts were made; the youngest are nine years younger.
const FIRST_ACCOUNT: i64 = 1_451_606_400;
const NINE_YEARS: u64 = 283_824_000;

impl<'a> Person<'a> {
    /// The person with this index.
    #[must_use]
    pub fn new(tenant: &'a Tenant, index: u32) -> Self {
        // Every 41st bears the name of the one before: duplicate display names happen.
        let namesake = index % 41 == 40;
        let source = u64::from(index) - u64::from(namesake);
        let pairs = name_pairs();
        let mut pair = tenant.name_order.forward(source % pairs) as usize;
        let mut script = &SCRIPTS[0];
        for s in SCRIPTS {
            let size = s.given.len() * s.family.len();
            script = s;
            if pair < size {
                break;
            }
            pair -= size;
        }
        Self {
            tenant,
            index,
            h: crate::seed::hash(tenant.key, u64::from(index)),
            account: account(index),
            given: script.given[pair % script.given.len()],
            family: script.family[pair / script.given.len() % script.family.len()],
            language: script.language,
            family_first: script.family_first,
            round: source / pairs,
            namesake,
        }
    }

    fn site(&self) -> &'static Site {
        &SITES[(self.tenant.first_site + (self.h >> 40) as usize % 2) % SITES.len()]
    }

    fn chance(&self, salt: u64, percent: u64) -> bool {
        mix(self.h ^ salt.wrapping_mul(0x9e37_79b9)) % 100 < percent
    }

    /// Product of the account, by place in [`SKUS`]; about one employee in twelve has none.
    #[must_use]
    pub fn sku(&self) -> Option<usize> {
        match self.account {
            Account::Employee if !self.chance(1, 8) => Some(if self.chance(2, 20) { 3 } else { self.tenant.main_sku }),
            Account::Employee | Account::Guest | Account::Service | Account::Shared => None,
        }
    }

    /// The part of the address before `@`, in the owner's spelling (some write themselves with capitals).
    fn put_local(&self, out: &mut Vec<u8>, capital: bool) {
        let start = out.len();
        match self.account {
            Account::Employee | Account::Guest => {
                out.extend_from_slice(self.given.1.as_bytes());
                out.push(b'.');
                if self.namesake {
                    out.extend_from_slice(b"m.");
                }
                let family = out.len();
                out.extend_from_slice(self.family.1.as_bytes());
                if capital {
                    out[start].make_ascii_uppercase();
                    out[family].make_ascii_uppercase();
                }
                if self.round > 0 {
                    put_number(out, self.round + 1);
                }
            }
            Account::Shared => put_numbered(out, SHARED, self.index / 32),
            Account::Service => put_numbered(out, SERVICES, self.index / 64),
        }
    }

    fn put_domain(&self, out: &mut Vec<u8>) {
        out.push(b'@');
        out.extend_from_slice(if self.account == Account::Service {
            self.tenant.initial_domain.as_bytes()
        } else {
            self.tenant.domain.as_bytes()
        });
    }

    fn partner(&self) -> (&'static str, &'static str) {
        PARTNERS[(self.h >> 8) as usize % PARTNERS.len()]
    }

    fn has_mail(&self) -> bool {
        match self.account {
            Account::Employee => self.index % 17 != 9,
            Account::Guest | Account::Shared => true,
            Account::Service => false,
        }
    }

    fn put_mail(&self, out: &mut Vec<u8>) {
        self.put_local(out, self.index % 11 == 3);
        if self.account == Account::Guest {
            out.push(b'@');
            out.extend_from_slice(self.partner().1.as_bytes());
        } else {
            self.put_domain(out);
        }
    }

    fn put_upn(&self, out: &mut Vec<u8>) {
        self.put_local(out, self.index % 13 == 5);
        if self.account == Account::Guest {
            out.push(b'_');
            out.extend_from_slice(self.partner().1.as_bytes());
            out.extend_from_slice(b"#EXT#@");
            out.extend_from_slice(self.tenant.initial_domain.as_bytes());
        } else {
            self.put_domain(out);
        }
    }

    fn put_display_name(&self, out: &mut Vec<u8>) {
        let (first, second) = if self.family_first { (self.family.0, self.given.0) } else { (self.given.0, self.family.0) };
        match self.account {
            Account::Employee | Account::Guest => {
                out.extend_from_slice(first.as_bytes());
                out.push(b' ');
                out.extend_from_slice(second.as_bytes());
                if self.account == Account::Guest && self.chance(3, 50) {
                    out.extend_from_slice(b" (");
                    out.extend_from_slice(self.partner().0.as_bytes());
                    out.push(b')');
                }
            }
            Account::Shared => put_title(out, SHARED, self.index / 32),
            Account::Service => put_title(out, SERVICES, self.index / 64),
        }
    }

    fn put_phone(&self, out: &mut Vec<u8>, salt: u64) {
        out.extend_from_slice(self.site().phone.as_bytes());
        let n = mix(self.h ^ salt);
        out.extend_from_slice(&[b'0' + (n % 10) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n / 100 % 10) as u8]);
    }

    fn created(&self) -> i64 {
        FIRST_ACCOUNT + (mix(self.h ^ 77) % NINE_YEARS) as i64
    }

    fn synced(&self) -> bool {
        self.tenant.synced && self.account == Account::Employee
    }

    /// Appends the JSON value of a property. False, with nothing appended, when this person never had one.
    #[must_use]
    pub fn write(&self, out: &mut Vec<u8>, prop: UserProp) -> bool {
        use UserProp as P;
        let employee = self.account == Account::Employee;
        let human = employee || self.account == Account::Guest;
        let (department, titles) = DEPARTMENTS[(self.h >> 16) as usize % DEPARTMENTS.len()];
        let has_job = employee && !self.chance(4, 6);
        match prop {
            P::Id => {
                out.push(b'"');
                put_guid(out, object_id(self.tenant.key, Kind::User, self.index));
                out.push(b'"');
                true
            }
            P::DisplayName => quoted(out, |o| self.put_display_name(o)),
            P::GivenName => human && !self.chance(5, 3) && text(out, self.given.0),
            P::Surname => human && !self.chance(6, 3) && text(out, self.family.0),
            P::UserPrincipalName => quoted(out, |o| self.put_upn(o)),
            P::Mail => self.has_mail() && quoted(out, |o| self.put_mail(o)),
            P::JobTitle => {
                has_job
                    && if self.index == 0 {
                        text(out, "Managing Director")
                    } else {
                        text(out, titles[(self.h >> 24) as usize % titles.len()])
                    }
            }
            P::Department => has_job && text(out, department),
            P::OfficeLocation => employee && !self.chance(7, 15) && text(out, self.site().office),
            P::PreferredLanguage => employee && self.chance(8, 40) && text(out, self.language),
            P::MobilePhone => employee && self.chance(9, 60) && quoted(out, |o| self.put_phone(o, 21)),
            P::BusinessPhones => {
                out.push(b'[');
                if employee && self.chance(10, 70) {
                    let _ = quoted(out, |o| self.put_phone(o, 22));
                }
                out.push(b']');
                true
            }
            P::AccountEnabled => {
                boolean(out, human && !(self.index != 0 && self.chance(11, 4)) || self.account == Account::Service)
            }
            P::UserType => text(out, if self.account == Account::Guest { "Guest" } else { "Member" }),
            P::OtherMails => {
                out.push(b'[');
                if self.account == Account::Guest {
                    let _ = quoted(out, |o| self.put_mail(o));
                }
                out.push(b']');
                true
            }
            P::ProxyAddresses => {
                out.push(b'[');
                if self.has_mail() {
                    let _ = quoted(out, |o| {
                        o.extend_from_slice(b"SMTP:");
                        self.put_mail(o);
                    });
                    if employee && self.chance(12, 30) {
                        out.push(b',');
                        let _ = quoted(out, |o| {
                            o.extend_from_slice(b"smtp:");
                            self.put_local(o, false);
                            o.push(b'@');
                            o.extend_from_slice(self.tenant.initial_domain.as_bytes());
                        });
                    }
                }
                out.push(b']');
                true
            }
            P::MailNickname => quoted(out, |o| self.put_local(o, false)),
            P::CompanyName => match self.account {
                Account::Employee => {
                    self.chance(13, 80) && quoted(out, |o| o.extend_from_slice(self.tenant.display_name.as_bytes()))
                }
                Account::Guest => text(out, self.partner().0),
                Account::Shared | Account::Service => false,
            },
            P::EmployeeId => {
                employee
                    && self.chance(14, 85)
                    && quoted(out, |o| {
                        o.push(b'E');
                        put_number(o, 10_000 + u64::from(self.index));
                    })
            }
            P::EmployeeType => {
                employee && self.chance(15, 70) && text(out, if self.chance(16, 12) { "Contractor" } else { "Employee" })
            }
            P::EmployeeHireDate => {
                employee && self.chance(17, 60) && quoted(out, |o| put_time(o, self.created() / 86_400 * 86_400))
            }
            P::EmployeeOrgData => {
                employee && self.chance(18, 50) && {
                    out.extend_from_slice(b"{\"division\":\"");
                    out.extend_from_slice(department.as_bytes());
                    out.extend_from_slice(b"\",\"costCenter\":\"CC-");
                    put_number(out, 100 + (self.h >> 20) % 40);
                    out.extend_from_slice(b"\"}");
                    true
                }
            }
            P::StreetAddress => employee && self.chance(19, 70) && text(out, self.site().street),
            P::City => employee && self.chance(19, 70) && text(out, self.site().city),
            P::State => employee && self.chance(19, 70) && text(out, self.site().state),
            P::PostalCode => employee && self.chance(19, 70) && text(out, self.site().postal),
            P::Country => employee && self.chance(19, 70) && text(out, self.site().country),
            P::UsageLocation => employee && text(out, self.site().iso),
            P::CreatedDateTime => !self.h.is_multiple_of(37) && quoted(out, |o| put_time(o, self.created())),
            P::LastPasswordChangeDateTime | P::SignInSessionsValidFromDateTime => {
                quoted(out, |o| put_time(o, self.created() + 3600))
            }
            P::CreationType => self.account == Account::Guest && text(out, "Invitation"),
            P::ExternalUserState => {
                self.account == Account::Guest && text(out, if self.chance(20, 15) { "PendingAcceptance" } else { "Accepted" })
            }
            P::ExternalUserStateChangeDateTime => {
                self.account == Account::Guest && quoted(out, |o| put_time(o, self.created() + 86_400))
            }
            P::Identities => {
                out.extend_from_slice(b"[{\"signInType\":\"userPrincipalName\",\"issuer\":\"");
                out.extend_from_slice(self.tenant.initial_domain.as_bytes());
                out.extend_from_slice(b"\",\"issuerAssignedId\":\"");
                self.put_upn(out);
                out.extend_from_slice(b"\"}]");
                true
            }
            P::AssignedLicenses => {
                out.push(b'[');
                if let Some(sku) = self.sku() {
                    out.extend_from_slice(b"{\"disabledPlans\":[],\"skuId\":\"");
                    out.extend_from_slice(SKUS[sku].id.as_bytes());
                    out.extend_from_slice(b"\"}");
                }
                out.push(b']');
                true
            }
            P::LicenseAssignmentStates => {
                out.push(b'[');
                if let Some(sku) = self.sku() {
                    out.extend_from_slice(b"{\"skuId\":\"");
                    out.extend_from_slice(SKUS[sku].id.as_bytes());
                    out.extend_from_slice(b"\",\"disabledPlans\":[],\"assignedByGroup\":null,\"state\":\"Active\",\"error\":\"None\",\"lastUpdatedDateTime\":\"");
                    put_time(out, self.created() + 7200);
                    out.extend_from_slice(b"\"}");
                }
                out.push(b']');
                true
            }
            P::OnPremisesSyncEnabled => self.synced() && boolean(out, true),
            P::OnPremisesImmutableId => {
                self.synced()
                    && quoted(out, |o| {
                        put_number(o, self.h | 1 << 63);
                        o.extend_from_slice(b"==");
                    })
            }
            P::OnPremisesSamAccountName => {
                self.synced()
                    && quoted(out, |o| {
                        o.push(b'u');
                        put_number(o, 1000 + u64::from(self.index));
                    })
            }
            P::OnPremisesDomainName => {
                self.synced()
                    && quoted(out, |o| {
                        o.extend_from_slice(b"corp.");
                        o.extend_from_slice(self.tenant.domain.as_bytes());
                    })
            }
            P::OnPremisesDistinguishedName => {
                self.synced()
                    && quoted(out, |o| {
                        o.extend_from_slice(b"CN=");
                        self.put_display_name(o);
                        o.extend_from_slice(b",OU=People,DC=corp");
                    })
            }
            P::OnPremisesUserPrincipalName => self.synced() && quoted(out, |o| self.put_upn(o)),
            P::OnPremisesSecurityIdentifier | P::SecurityIdentifier => {
                (prop == P::SecurityIdentifier || self.synced())
                    && quoted(out, |o| {
                        o.extend_from_slice(if prop == P::SecurityIdentifier { b"S-1-12-1-" } else { b"S-1-5-21-" });
                        put_number(o, self.tenant.key >> 33);
                        o.push(b'-');
                        put_number(o, 1000 + u64::from(self.index));
                    })
            }
            P::OnPremisesLastSyncDateTime => self.synced() && quoted(out, |o| put_time(o, FIRST_ACCOUNT + NINE_YEARS as i64)),
            P::OnPremisesExtensionAttributes => self.write_extension_attributes(out),
            P::SignInActivity => {
                human
                    && !self.chance(23, 10)
                    && {
                        out.extend_from_slice(b"{\"lastSignInDateTime\":\"");
                        put_time(out, FIRST_ACCOUNT + NINE_YEARS as i64 + (self.h % 9_000_000) as i64);
                        out.extend_from_slice(b"\",\"lastSignInRequestId\":\"\",\"lastNonInteractiveSignInDateTime\":\"0001-01-01T00:00:00Z\",\"lastNonInteractiveSignInRequestId\":\"\"}");
                        true
                    }
            }
            P::BadgeNumber => {
                employee
                    && self.chance(25, 30)
                    && quoted(out, |o| {
                        o.extend_from_slice(b"B-");
                        put_number(o, 5000 + u64::from(self.index));
                    })
            }
            P::ImAddresses | P::AssignedPlans | P::ProvisionedPlans | P::OnPremisesProvisioningErrors => {
                out.extend_from_slice(b"[]");
                true
            }
            P::FaxNumber
            | P::DeletedDateTime
            | P::IsResourceAccount
            | P::ShowInAddressList
            | P::EmployeeLeaveDateTime
            | P::PasswordPolicies
            | P::AgeGroup
            | P::PreferredDataLocation
            | P::Manager
            | P::AboutMe
            | P::Birthday
            | P::ConsentProvidedForMinor
            | P::DeviceEnrollmentLimit
            | P::HireDate
            | P::IdentityParentId
            | P::Interests
            | P::IsManagementRestricted
            | P::LegalAgeGroupClassification
            | P::MySite
            | P::PasswordProfile
            | P::PastProjects
            | P::PreferredName
            | P::Responsibilities
            | P::Schools
            | P::ServiceProvisioningErrors
            | P::Skills => false,
        }
    }

    fn write_extension_attributes(&self, out: &mut Vec<u8>) -> bool {
        out.push(b'{');
        for n in 1..=15u64 {
            if n > 1 {
                out.push(b',');
            }
            out.extend_from_slice(b"\"extensionAttribute");
            put_number(out, n);
            out.extend_from_slice(b"\":");
            match n {
                1 if self.account == Account::Employee && self.chance(24, 50) => {
                    let _ = text(out, ["VIP", "Standard", "Kiosk"][(self.h >> 30) as usize % 3]);
                }
                _ => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
        true
    }
}

fn put_numbered(out: &mut Vec<u8>, table: &[(&str, &str)], ordinal: u32) {
    let (place, round) = (ordinal as usize % table.len(), ordinal as usize / table.len());
    out.extend_from_slice(table[place].1.as_bytes());
    if round > 0 {
        put_number(out, round as u64 + 1);
    }
}

fn put_title(out: &mut Vec<u8>, table: &[(&str, &str)], ordinal: u32) {
    let (place, round) = (ordinal as usize % table.len(), ordinal as usize / table.len());
    out.extend_from_slice(table[place].0.as_bytes());
    if round > 0 {
        out.push(b' ');
        put_number(out, round as u64 + 1);
    }
}

/// Appends a decimal number.
pub fn put_number(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = 20;
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn quoted(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) -> bool {
    out.push(b'"');
    body(out);
    out.push(b'"');
    true
}

/// Appends a text of the tables, which need no escaping.
pub fn text(out: &mut Vec<u8>, value: &str) -> bool {
    quoted(out, |o| o.extend_from_slice(value.as_bytes()))
}

/// Appends `true` or `false`.
pub fn boolean(out: &mut Vec<u8>, value: bool) -> bool {
    out.extend_from_slice(if value { b"true" } else { b"false" });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn family_names_in_latin_letters_occur_once_so_addresses_are_unique() {
        let mut seen = HashSet::new();
        for s in SCRIPTS {
            let given: HashSet<_> = s.given.iter().map(|n| n.1).collect();
            assert_eq!(given.len(), s.given.len(), "{}", s.language);
            for (_, latin) in s.family {
                assert!(seen.insert(latin), "{latin} occurs twice");
            }
        }
    }

    #[test]
    fn no_table_holds_a_character_that_json_escapes() {
        let names = SCRIPTS.iter().flat_map(|s| s.given.iter().chain(s.family)).flat_map(|n| [n.0, n.1]);
        let rest = SHARED.iter().chain(SERVICES).chain(PARTNERS).flat_map(|n| [n.0, n.1]);
        let sites = SITES.iter().flat_map(|s| [s.office, s.street, s.city, s.state, s.postal, s.country, s.phone]);
        for t in names.chain(rest).chain(sites) {
            assert!(!t.chars().any(|c| c == '"' || c == '\\' || c < ' '), "{t}");
        }
    }

    #[test]
    fn everyone_is_found_by_their_sign_in_name_which_is_theirs_alone() {
        let options = crate::options::Options { users: 5_000, seed: 11, ..Default::default() };
        let tenant = Tenant::generate(&options, 1);
        let mut seen = HashSet::new();
        for user in 0..5_000 {
            let mut out = vec![];
            Person::new(&tenant, user).put_upn(&mut out);
            let name = String::from_utf8(out).expect("text");
            assert!(seen.insert(name.to_lowercase()), "{name} occurs twice");
            assert_eq!(tenant.find_user(&tenant.read(), &name.to_uppercase()), Some(user), "{name}");
        }
        for nobody in ["", "@", "a.b@c", "ada.byron99999999999999999999@x", "svc-backup0@x", "info18446744073709551615@x"] {
            assert_eq!(tenant.find_user(&tenant.read(), nobody), None);
        }
    }

    #[test]
    fn the_hierarchy_ends_at_the_head_of_the_company() {
        for start in 0..2000 {
            let (mut at, mut steps) = (start, 0);
            while let Some(boss) = manager_of(at) {
                assert!(boss < at);
                at = boss;
                steps += 1;
            }
            assert!(steps < 12);
        }
    }
}
