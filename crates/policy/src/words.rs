//! The words of a policy file and what they mean. One list, so that what is written out can be read back.

use model::policy::{
    Derived, LicenceType, OnCollision, OnGone, OnInactive, OnKindChange, OnLink, OnNone, OnReturn, OnUnmapped, Overwrite,
    RoleMode, RuleKind,
};

/// A setting that is one of some words.
pub(crate) trait Word: Clone + PartialEq + 'static {
    /// Every word with its meaning, in the order they are offered.
    const WORDS: &'static [(&'static str, Self)];

    /// The word.
    fn word(&self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| value == self).map_or("", |(word, _)| word)
    }
}

macro_rules! words {
    ($($type:ty { $($word:literal = $value:ident),* $(,)? })*) => {
        $(impl Word for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, <$type>::$value)),*];
        })*
    };
}

words! {
    RuleKind { "agent" = Agent, "contact" = Contact, "agent_and_contact" = AgentAndContact }
    LicenceType { "named" = Named, "concurrent" = Concurrent }
    RoleMode { "replace" = Replace, "add" = Add }
    OnNone { "create" = Create, "review" = Review, "skip" = Skip }
    OnLink { "overwrite" = Overwrite, "fill_empty" = FillEmpty }
    OnInactive { "review" = Review, "link" = Link, "reactivate" = Reactivate }
    Overwrite { "on_change" = OnChange, "always" = Always, "if_empty" = IfEmpty, "never" = Never }
    OnCollision { "review" = Review, "append_domain" = AppendDomain }
    OnGone { "deactivate" = Deactivate, "ignore" = Ignore }
    OnUnmapped { "revoke_access" = RevokeAccess, "deactivate" = Deactivate, "ignore" = Ignore }
    OnReturn { "reactivate" = Reactivate, "review" = Review, "ignore" = Ignore }
    OnKindChange { "archive_and_recreate" = ArchiveAndRecreate, "both" = Both, "review" = Review }
    Derived {
        "first_name" = FirstName,
        "last_name" = LastName,
        "mail_or_guest" = MailOrGuest,
        "mail_or_upn" = MailOrUpn,
        "upn_local_part" = UpnLocalPart,
        "upn" = Upn,
        "other_addresses" = OtherAddresses,
    }
}
