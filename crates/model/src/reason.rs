//! Why: the reasons a decision carries. The preview, the run's report, `explain`, the inbound log and the UI all print these same
//! sentences; none of them recomputes or rewords.

use crate::otherwise::Missing;
use crate::plan::Verb;
use crate::records::{Field, Kind};
use crate::{PersonId, RuleId, RunId, SourceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What takes access or activity away, strongest first (ruling 68).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A role makes the agent inactive (R10).
    InactiveRole,
    /// In scope of no rule any more, or out of scope.
    Unmapped,
    /// `accountEnabled` is false.
    Disabled,
    /// A completed full read no longer holds the user.
    Missing,
    /// Deleted in Entra.
    Deleted,
}

impl Cause {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::InactiveRole => "inactive_role",
            Cause::Unmapped => "unmapped",
            Cause::Disabled => "disabled",
            Cause::Missing => "missing",
            Cause::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::InactiveRole => "their role makes agents inactive",
            Cause::Unmapped => "no rule selects them any more",
            Cause::Disabled => "disabled in Entra",
            Cause::Missing => "no longer in Entra",
            Cause::Deleted => "deleted in Entra",
        })
    }
}

/// Why a value that Entra holds was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptBecause {
    /// The mode is `on_change` and the user did not change in Entra: a local edit stands.
    LocalEdit,
    /// The mode is `never`.
    Never,
    /// The mode is `if_empty` and the record holds a value.
    NotEmpty,
    /// Entra holds nothing, and clearing is off.
    EmptyInEntra,
    /// The record or field is pinned.
    Pinned,
    /// `matching.on_link` is `fill_empty` and the record holds a value.
    FillEmpty,
    /// The value does not fit the field; a report says how.
    Unfit,
    /// The root user's username, role and status are never changed.
    Root,
    /// The username belongs to somebody else.
    UsernameTaken,
}

/// One reason of a decision, in the order of the way: scope, rule, match, fields, life cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Reason {
    /// Out of scope, by name.
    OutOfScope {
        /// What excluded them: one of the names of ruling 113.
        by: String,
    },
    /// Kept in scope although only licensed users are: the source does not tell licences (ruling 96).
    LicencesUnknown,
    /// The winning rule.
    RuleWon {
        /// Its id.
        rule: RuleId,
        /// Its name, for reading.
        name: String,
        /// Its order.
        order: i32,
        /// The oldest matching group it names, if it matched by one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// Group names from the user's own group up to the named one, when the membership is nested.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        via: Vec<String>,
    },
    /// A rule that also matched and lost.
    RuleLost {
        /// Its id.
        rule: RuleId,
        /// By what: order, group age, rule age, id.
        by: LostBy,
    },
    /// A rule that does not select this user. Told by explanations alone, never stored with a change.
    RuleMissed {
        /// Its id.
        rule: RuleId,
        /// Its name, for reading.
        name: String,
        /// What it asks and the user does not meet.
        missing: Vec<Missing>,
    },
    /// No enabled rule selects this user.
    NoRule,
    /// A group gives the role in the place of the rule's (R07).
    RoleByGroup {
        /// The role.
        role: String,
        /// The group.
        group: String,
        /// The mapping.
        mapping: RuleId,
    },
    /// Entra holds no manager and no group gives a role (R08).
    RoleWithoutManager {
        /// The role.
        role: String,
    },
    /// The role makes an agent inactive (R10).
    InactiveRole {
        /// The role.
        role: String,
    },
    /// The site of this name is created with the change (R04).
    SiteCreated {
        /// The name.
        name: String,
    },
    /// A filter or value of the policy cannot be computed for this user, who is left as they are (ruling 38).
    Unevaluable {
        /// Which one and why, in a sentence.
        detail: String,
    },
    /// Already linked: the link holds.
    Linked {
        /// The record.
        record: PersonId,
    },
    /// A key met one record.
    Matched {
        /// The key's name.
        key: String,
        /// The address or value that met.
        value: String,
        /// The record.
        record: PersonId,
        /// Further hits, named only.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<PersonId>,
    },
    /// No key met a record.
    NoMatch {
        /// The keys tried.
        keys: Vec<String>,
    },
    /// Fields that kept their value though Entra holds another.
    Kept {
        /// The field.
        field: Field,
        /// Why.
        because: KeptBecause,
    },
    /// A person resolved the review item by this record (ruling 13).
    ChosenRecord {
        /// The record.
        record: PersonId,
    },
    /// A person resolved the review item by a new record (ruling 13).
    ChosenNew,
    /// A default was used.
    Defaulted {
        /// The field.
        field: Field,
    },
    /// Life cycle: a cause acted.
    Removal {
        /// The cause.
        cause: Cause,
        /// What was done.
        verb: Verb,
    },
    /// Life cycle: a cause holds and waits for its grace to end (ruling 76).
    Waits {
        /// The cause.
        cause: Cause,
        /// What will be done.
        verb: Verb,
        /// When, milliseconds since 1970.
        until: i64,
    },
    /// Life cycle: a cause was seen and the policy ignores it.
    Ignored {
        /// The cause.
        cause: Cause,
    },
    /// The user is back.
    Returned {
        /// What had taken them out of use.
        cause: Option<Cause>,
    },
    /// A person put the record in this state: sync leaves it (ruling 78).
    PersonsDecision,
    /// The root user is exempt from any access change (R12).
    Exempt,
    /// Nothing differs.
    UpToDate,
    /// A hint for whoever decides, never a reason to link (M06): how alike the names are.
    NameAlike {
        /// The record.
        record: PersonId,
        /// From 0, nothing in common, to 100, the same but for case and accents.
        percent: u8,
    },
    /// A hint for whoever decides: when the user, or the person of a record, last signed in.
    SignedIn {
        /// The record; none for the user in Entra.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<PersonId>,
        /// As the directory, or the record, says it.
        at: String,
    },
    /// A review item holds this user back.
    InReview {
        /// Why it was raised.
        item: ReviewWhy,
    },
    /// The username was given up to, or kept by, somebody else.
    UsernameTaken {
        /// The username.
        username: String,
        /// Who has it.
        holder: Option<PersonId>,
    },
    /// The full `local@domain` was written because the short username is taken (F02).
    DomainAppended {
        /// The short username.
        username: String,
    },
    /// The link moved here from a user who is gone (ruling 54).
    LinkMoved {
        /// The former user.
        from: SourceId,
    },
    /// Out of the archive again (ruling 73).
    Restored,
    /// The kind of record the rule wants differs from the linked one.
    KindChange {
        /// What it is.
        from: Kind,
        /// What the rule wants.
        to: Kind,
    },
    /// The change takes an earlier one back.
    Reverts {
        /// The run that made it.
        run: RunId,
        /// What it did.
        verb: Verb,
    },
}

/// By what a matching rule lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostBy {
    /// A lower order won.
    Order,
    /// An older group won.
    GroupAge,
    /// An older rule won.
    RuleAge,
    /// A lower id won.
    Id,
}

/// Why a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewWhy {
    /// Several records could be this user.
    AmbiguousMatch,
    /// The record that matched belongs to another client.
    MatchedInOtherClient,
    /// The record that matched is linked to another user.
    AlreadyLinked,
    /// Only inactive records matched.
    InactiveMatch,
    /// Another user of this run would be created with the same e-mail or username.
    DuplicateInSource,
    /// The username belongs to another record.
    UsernameTaken,
    /// The rule wants the other kind of record.
    KindChange,
    /// The rule's client or site cannot be resolved.
    ClientUnresolved,
    /// The user is back, and a person decides whether the record is.
    Returned,
    /// No record matched, and the policy asks.
    NoMatch,
}

impl ReviewWhy {
    /// Every reason, in the order people are shown them.
    pub const ALL: [ReviewWhy; 10] = [
        ReviewWhy::AmbiguousMatch,
        ReviewWhy::MatchedInOtherClient,
        ReviewWhy::AlreadyLinked,
        ReviewWhy::InactiveMatch,
        ReviewWhy::DuplicateInSource,
        ReviewWhy::UsernameTaken,
        ReviewWhy::KindChange,
        ReviewWhy::ClientUnresolved,
        ReviewWhy::Returned,
        ReviewWhy::NoMatch,
    ];

    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewWhy::AmbiguousMatch => "ambiguous_match",
            ReviewWhy::MatchedInOtherClient => "matched_in_other_client",
            ReviewWhy::AlreadyLinked => "already_linked",
            ReviewWhy::InactiveMatch => "inactive_match",
            ReviewWhy::DuplicateInSource => "duplicate_in_source",
            ReviewWhy::UsernameTaken => "username_taken",
            ReviewWhy::KindChange => "kind_change",
            ReviewWhy::ClientUnresolved => "client_unresolved",
            ReviewWhy::Returned => "returned",
            ReviewWhy::NoMatch => "no_match",
        }
    }

    /// One sentence for the person who is asked.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            ReviewWhy::AmbiguousMatch => "Several records could be this user. Choose the right one, or create a new record.",
            ReviewWhy::MatchedInOtherClient => {
                "A record of another client has this address. Link it only if the person really moved; otherwise create a new one."
            }
            ReviewWhy::AlreadyLinked => {
                "The record with this address is linked to another user. Link another record, create a new one, or dismiss this user."
            }
            ReviewWhy::InactiveMatch => "Only inactive records have this address. Link one, or create a new one.",
            ReviewWhy::DuplicateInSource => {
                "Another user would be created with the same e-mail or username. Create this one too, or dismiss it."
            }
            ReviewWhy::UsernameTaken => {
                "This username belongs to another record. Link that one if it is the same person; otherwise free the name, and sync \
                 goes on by itself."
            }
            ReviewWhy::KindChange => {
                "The rules now want the other kind of record for this user. Link to keep the record as it is, or create one of the \
                 other kind."
            }
            ReviewWhy::ClientUnresolved => {
                "The rule's client or site cannot be found. Map the tenant to a client, or mend the rule; sync then goes on by itself."
            }
            ReviewWhy::Returned => "The user is back. Link to use the record again, or dismiss the user to leave it out of use.",
            ReviewWhy::NoMatch => "No record matched, and the policy asks before creating one. Create it, or link the right one.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|record| record.to_string())
    }
}

impl Reason {
    /// The same sentence, with each record called as `name` says: a scenario's records have names of their own.
    #[must_use]
    pub fn told(&self, name: &dyn Fn(PersonId) -> String) -> String {
        struct Told<'r>(&'r Reason, &'r dyn Fn(PersonId) -> String);
        impl fmt::Display for Told<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, self.1)
            }
        }
        Told(self, name).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, name_of: &dyn Fn(PersonId) -> String) -> fmt::Result {
        match self {
            Reason::OutOfScope { by } => write!(f, "Out of scope: {by}."),
            Reason::LicencesUnknown => f.write_str("Kept in scope: the source does not tell who has a licence."),
            Reason::RuleWon { name, order, group, via, .. } => {
                write!(f, "Rule \"{name}\" (order {order}) won")?;
                if let Some(group) = group {
                    write!(f, " through the group \"{group}\"")?;
                }
                if !via.is_empty() {
                    write!(f, ", by way of {}", via.join(" → "))?;
                }
                f.write_str(".")
            }
            Reason::RuleLost { rule, by } => {
                let by = match by {
                    LostBy::Order => "its order is higher",
                    LostBy::GroupAge => "its group is younger",
                    LostBy::RuleAge => "it was created later",
                    LostBy::Id => "its id sorts later",
                };
                write!(f, "Rule \"{rule}\" matched too and lost: {by}.")
            }
            Reason::RuleMissed { name, missing, .. } => {
                let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
                write!(f, "Rule \"{name}\" does not select this user: {}.", missing.join("; "))
            }
            Reason::NoRule => f.write_str("No enabled rule selects this user."),
            Reason::RoleByGroup { role, group, mapping } => {
                write!(f, "The group \"{group}\" gives the role {role} (role mapping \"{mapping}\").")
            }
            Reason::RoleWithoutManager { role } => {
                write!(f, "Entra holds no manager and no group gives a role, so the role is {role}.")
            }
            Reason::InactiveRole { role } => write!(f, "The role {role} makes an agent inactive."),
            Reason::SiteCreated { name } => write!(f, "The site \"{name}\" does not exist yet and is created."),
            Reason::Unevaluable { detail } => f.write_str(detail),
            Reason::Linked { record } => write!(f, "Linked to record {} before; a link holds.", name_of(*record)),
            Reason::Matched { key, value, record, also } => {
                write!(f, "Matched record {} by {key}: {value}.", name_of(*record))?;
                if !also.is_empty() {
                    let also: Vec<_> = also.iter().map(|record| name_of(*record)).collect();
                    write!(f, " Also met, not used: {}.", also.join(", "))?;
                }
                Ok(())
            }
            Reason::NoMatch { keys } => write!(f, "No record matched by {}.", keys.join(", ")),
            Reason::Kept { field, because } => {
                let because = match because {
                    KeptBecause::LocalEdit => "a local edit stands until the user changes in Entra",
                    KeptBecause::Never => "the policy never overwrites it",
                    KeptBecause::NotEmpty => "it holds a value and is only filled when empty",
                    KeptBecause::EmptyInEntra => "Entra holds no value",
                    KeptBecause::Pinned => "it is pinned",
                    KeptBecause::FillEmpty => "linking fills only empty fields",
                    KeptBecause::Unfit => "Entra's value does not fit",
                    KeptBecause::Root => "the root user is exempt",
                    KeptBecause::UsernameTaken => "the username belongs to somebody else",
                };
                write!(f, "{field} kept: {because}.")
            }
            Reason::ChosenRecord { record } => write!(f, "A person chose record {}.", name_of(*record)),
            Reason::ChosenNew => f.write_str("A person chose a new record."),
            Reason::Defaulted { field } => write!(f, "{field}: Entra holds no value, so the default was used."),
            Reason::Removal { cause, verb } => write!(f, "{}: {cause}.", verb.label()),
            Reason::Waits { cause, verb, until } => {
                let until = jiff::Timestamp::from_millisecond(*until).unwrap_or(jiff::Timestamp::MAX);
                write!(f, "{} at {until:.0}, unless the user is back before: {cause}.", verb.label())
            }
            Reason::Ignored { cause } => write!(f, "Left as it is though {cause}: the policy ignores that."),
            Reason::Returned { cause: Some(cause) } => write!(f, "The user is back (was: {cause})."),
            Reason::Returned { cause: None } => f.write_str("The user is back."),
            Reason::PersonsDecision => f.write_str("A person put the record in this state; sync leaves it."),
            Reason::Exempt => f.write_str("The root user is exempt from any access change."),
            Reason::UpToDate => f.write_str("Everything is as Entra has it."),
            Reason::NameAlike { record, percent } => {
                write!(f, "The name of record {} is {percent} % like the user's.", name_of(*record))
            }
            Reason::SignedIn { record: Some(record), at } => write!(f, "Record {} last signed in on {at}.", name_of(*record)),
            Reason::SignedIn { record: None, at } => write!(f, "The user last signed in on {at}."),
            Reason::InReview { item } => write!(f, "Waits for a person: {}", item.sentence()),
            Reason::UsernameTaken { username, holder } => match holder {
                Some(holder) => write!(f, "The username {username} belongs to record {}.", name_of(*holder)),
                None => write!(f, "The username {username} goes to another user of this run."),
            },
            Reason::DomainAppended { username } => {
                write!(f, "The username {username} is taken, so the full name with its domain is used.")
            }
            Reason::LinkMoved { from } => write!(f, "The link moved here from user {from}, who is gone from Entra."),
            Reason::Reverts { run, verb } => write!(f, "Takes back what run {run} did: {}.", verb.label().to_lowercase()),
            Reason::Restored => f.write_str("Brought back from the archive."),
            Reason::KindChange { from, to } => {
                let a = |kind| if kind == Kind::Agent { "an agent" } else { "a contact" };
                write!(f, "The rules want {}; this record is {}.", a(*to), a(*from))
            }
        }
    }
}

/// A stage of a user's way, in order: how explanations are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Is this user looked at?
    Scope,
    /// Which rule wins?
    Rule,
    /// Which record is it?
    Match,
    /// Which fields change?
    Fields,
    /// What follows from leaving and coming back?
    Lifecycle,
    /// Is a person needed?
    Review,
}

impl Stage {
    /// What people read.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Stage::Scope => "Scope",
            Stage::Rule => "Rule",
            Stage::Match => "Match",
            Stage::Fields => "Fields",
            Stage::Lifecycle => "Life cycle",
            Stage::Review => "Review",
        }
    }
}

impl Reason {
    /// The stage it belongs to.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Reason::OutOfScope { .. } | Reason::LicencesUnknown => Stage::Scope,
            Reason::RuleWon { .. } | Reason::RuleLost { .. } | Reason::RuleMissed { .. } | Reason::NoRule => Stage::Rule,
            Reason::Unevaluable { .. } | Reason::RoleByGroup { .. } | Reason::RoleWithoutManager { .. } => Stage::Rule,
            Reason::Linked { .. } | Reason::Matched { .. } | Reason::NoMatch { .. } | Reason::LinkMoved { .. } => Stage::Match,
            Reason::ChosenRecord { .. } | Reason::ChosenNew => Stage::Match,
            Reason::Kept { .. }
            | Reason::Defaulted { .. }
            | Reason::UpToDate
            | Reason::SiteCreated { .. }
            | Reason::UsernameTaken { .. }
            | Reason::DomainAppended { .. } => Stage::Fields,
            Reason::Removal { .. }
            | Reason::Ignored { .. }
            | Reason::Waits { .. }
            | Reason::Returned { .. }
            | Reason::InactiveRole { .. }
            | Reason::PersonsDecision
            | Reason::Exempt
            | Reason::Reverts { .. }
            | Reason::Restored
            | Reason::KindChange { .. } => Stage::Lifecycle,
            Reason::NameAlike { .. } | Reason::SignedIn { .. } | Reason::InReview { .. } => Stage::Review,
        }
    }
}
