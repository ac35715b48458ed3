//! The properties of users and groups this simulator knows, by number, so that a `$select` is a bit mask.

/// Generates a field-less enum, its names and its parser from one list.
macro_rules! properties {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal $(array $array:tt)?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $text] $variant),+ }

        impl $name {
            /// All of them in the order they are written.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name on the wire, ready to be written: quoted, with its colon.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => concat!("\"", $text, "\":")),+ }
            }

            /// Name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Whether the value is a collection, which is empty rather than null.
            #[must_use]
            pub fn is_array(self) -> bool {
                match self { $(Self::$variant => false $(|| properties!(@true $array))?),+ }
            }

            /// The property of this name in any case.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|p| p.name().eq_ignore_ascii_case(name))
            }

            /// Its bit in a mask.
            #[must_use]
            pub const fn bit(self) -> u128 {
                1 << self as u8
            }
        }
    };
    (@true $t:tt) => { true };
}

properties! {
    /// A user's property.
    UserProp {
        Id = "id", DisplayName = "displayName", GivenName = "givenName", Surname = "surname", UserPrincipalName = "userPrincipalName", Mail = "mail", JobTitle = "jobTitle",
        OfficeLocation = "officeLocation", PreferredLanguage = "preferredLanguage", MobilePhone = "mobilePhone", BusinessPhones = "businessPhones" array 1,
        AccountEnabled = "accountEnabled", UserType = "userType", OtherMails = "otherMails" array 1, ProxyAddresses = "proxyAddresses" array 1, MailNickname = "mailNickname",
        Department = "department", CompanyName = "companyName", EmployeeId = "employeeId", EmployeeType = "employeeType", EmployeeHireDate = "employeeHireDate",
        EmployeeOrgData = "employeeOrgData", StreetAddress = "streetAddress", City = "city", State = "state", PostalCode = "postalCode", Country = "country",
        UsageLocation = "usageLocation", FaxNumber = "faxNumber", ImAddresses = "imAddresses" array 1, CreatedDateTime = "createdDateTime", DeletedDateTime = "deletedDateTime",
        LastPasswordChangeDateTime = "lastPasswordChangeDateTime", SignInSessionsValidFromDateTime = "signInSessionsValidFromDateTime", CreationType = "creationType",
        ExternalUserState = "externalUserState", ExternalUserStateChangeDateTime = "externalUserStateChangeDateTime", Identities = "identities" array 1,
        AssignedLicenses = "assignedLicenses" array 1, LicenseAssignmentStates = "licenseAssignmentStates" array 1, AssignedPlans = "assignedPlans" array 1,
        ProvisionedPlans = "provisionedPlans" array 1, OnPremisesSyncEnabled = "onPremisesSyncEnabled", OnPremisesImmutableId = "onPremisesImmutableId",
        OnPremisesSamAccountName = "onPremisesSamAccountName", OnPremisesDistinguishedName = "onPremisesDistinguishedName", OnPremisesDomainName = "onPremisesDomainName",
        OnPremisesSecurityIdentifier = "onPremisesSecurityIdentifier", OnPremisesUserPrincipalName = "onPremisesUserPrincipalName",
        OnPremisesLastSyncDateTime = "onPremisesLastSyncDateTime", OnPremisesExtensionAttributes = "onPremisesExtensionAttributes",
        OnPremisesProvisioningErrors = "onPremisesProvisioningErrors" array 1, SignInActivity = "signInActivity", IsResourceAccount = "isResourceAccount",
        ShowInAddressList = "showInAddressList", SecurityIdentifier = "securityIdentifier", EmployeeLeaveDateTime = "employeeLeaveDateTime",
        PasswordPolicies = "passwordPolicies", AgeGroup = "ageGroup", PreferredDataLocation = "preferredDataLocation", BadgeNumber = "badgeNumber", Manager = "manager",
        // Documented, and null for everybody here.
        AboutMe = "aboutMe", Birthday = "birthday", ConsentProvidedForMinor = "consentProvidedForMinor", DeviceEnrollmentLimit = "deviceEnrollmentLimit", HireDate = "hireDate",
        IdentityParentId = "identityParentId", Interests = "interests" array 1, IsManagementRestricted = "isManagementRestricted",
        LegalAgeGroupClassification = "legalAgeGroupClassification", MySite = "mySite", PasswordProfile = "passwordProfile", PastProjects = "pastProjects" array 1,
        PreferredName = "preferredName", Responsibilities = "responsibilities" array 1, Schools = "schools" array 1,
        ServiceProvisioningErrors = "serviceProvisioningErrors" array 1, Skills = "skills" array 1,
    }
}

properties! {
    /// A group's property.
    GroupProp {
        Id = "id", DeletedDateTime = "deletedDateTime", Classification = "classification", CreatedDateTime = "createdDateTime", CreationOptions = "creationOptions" array 1, Description = "description",
        DisplayName = "displayName", ExpirationDateTime = "expirationDateTime", GroupTypes = "groupTypes" array 1, IsAssignableToRole = "isAssignableToRole", Mail = "mail",
        MailEnabled = "mailEnabled", MailNickname = "mailNickname", MembershipRule = "membershipRule", MembershipRuleProcessingState = "membershipRuleProcessingState",
        OnPremisesDomainName = "onPremisesDomainName", OnPremisesLastSyncDateTime = "onPremisesLastSyncDateTime", OnPremisesNetBiosName = "onPremisesNetBiosName",
        OnPremisesSamAccountName = "onPremisesSamAccountName", OnPremisesSecurityIdentifier = "onPremisesSecurityIdentifier", OnPremisesSyncEnabled = "onPremisesSyncEnabled",
        PreferredDataLocation = "preferredDataLocation", PreferredLanguage = "preferredLanguage", ProxyAddresses = "proxyAddresses" array 1, RenewedDateTime = "renewedDateTime",
        ResourceBehaviorOptions = "resourceBehaviorOptions" array 1, ResourceProvisioningOptions = "resourceProvisioningOptions" array 1, SecurityEnabled = "securityEnabled",
        SecurityIdentifier = "securityIdentifier", Theme = "theme", UniqueName = "uniqueName", Visibility = "visibility", OnPremisesProvisioningErrors = "onPremisesProvisioningErrors" array 1,
        AssignedLicenses = "assignedLicenses" array 1, Members = "members", Owners = "owners",
        // Documented, and null for every group here.
        AccessType = "accessType", AllowExternalSenders = "allowExternalSenders", AssignedLabels = "assignedLabels" array 1, AutoSubscribeNewMembers = "autoSubscribeNewMembers",
        HasMembersWithLicenseErrors = "hasMembersWithLicenseErrors", HideFromAddressLists = "hideFromAddressLists", HideFromOutlookClients = "hideFromOutlookClients",
        InfoCatalogs = "infoCatalogs" array 1, IsArchived = "isArchived", IsFavorite = "isFavorite", IsManagementRestricted = "isManagementRestricted",
        IsSubscribedByMail = "isSubscribedByMail", LicenseProcessingState = "licenseProcessingState", OnPremisesExtensionAttributes = "onPremisesExtensionAttributes",
        OrganizationId = "organizationId", ServiceProvisioningErrors = "serviceProvisioningErrors" array 1, UnseenConversationsCount = "unseenConversationsCount",
        UnseenCount = "unseenCount", UnseenMessagesCount = "unseenMessagesCount", WelcomeMessageEnabled = "welcomeMessageEnabled",
    }
}

const fn mask_of(props: &[UserProp]) -> u128 {
    let mut mask = 0;
    let mut i = 0;
    while i < props.len() {
        mask |= props[i].bit();
        i += 1;
    }
    mask
}

/// What a user shows without `$select` (the eleven documented default properties).
pub const USER_DEFAULT: u128 = mask_of(&[
    UserProp::Id,
    UserProp::DisplayName,
    UserProp::GivenName,
    UserProp::Surname,
    UserProp::UserPrincipalName,
    UserProp::Mail,
    UserProp::JobTitle,
    UserProp::OfficeLocation,
    UserProp::PreferredLanguage,
    UserProp::MobilePhone,
    UserProp::BusinessPhones,
]);

/// What an application that may read only the basics of users sees of them; the others are left out, and cannot be selected.
pub const USER_BASIC: u128 = mask_of(&[
    UserProp::Id,
    UserProp::DisplayName,
    UserProp::GivenName,
    UserProp::Surname,
    UserProp::UserPrincipalName,
    UserProp::Mail,
]);

/// What a group shows without `$select`: nearly everything that is not a relationship.
pub const GROUP_DEFAULT: u128 =
    ((1 << GroupProp::Members as u8) - 1) & !(GroupProp::AssignedLicenses.bit() | GroupProp::UniqueName.bit());

/// User properties that live outside the directory: in a list they answer 501 (contract section b).
pub const NOT_IN_LISTS: &[&str] = &[
    "aboutMe",
    "birthday",
    "hireDate",
    "interests",
    "mySite",
    "pastProjects",
    "preferredName",
    "responsibilities",
    "schools",
    "skills",
    "mailboxSettings",
];
