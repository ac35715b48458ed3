//! What would be decided if one thing were otherwise: which conditions of a rule a user does not meet, and what would follow if they
//! did. Like [`crate::reason`], these are printed everywhere in the same words.

use crate::plan::{Outcome, Verb};
use crate::reason::ReviewWhy;
use crate::records::Kind;
use crate::{ClientId, RuleId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A condition of a rule that a user does not meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "missing")]
pub enum Missing {
    /// The rule is switched off.
    Off,
    /// Not in any of the groups it names.
    Group {
        /// Their names; the id of one that the directory does not hold.
        named: Vec<String>,
    },
    /// Its filter does not hold.
    Filter {
        /// The filter as written.
        text: String,
    },
    /// Its filter cannot be computed for this user (ruling 38).
    Unevaluable {
        /// The filter as written.
        text: String,
    },
    /// The user is a guest, and it takes none.
    Guest,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Off => f.write_str("it is switched off"),
            Missing::Group { named } => write!(f, "they are not in the group {}", any_of(named)),
            Missing::Filter { text } => write!(f, "its filter does not hold: {text}"),
            Missing::Unevaluable { text } => write!(f, "its filter cannot be computed for this user: {text}"),
            Missing::Guest => f.write_str("they are a guest, and it takes none"),
        }
    }
}

/// Names of groups, the first few of them.
fn any_of(names: &[String]) -> String {
    /// More names than these make no sentence.
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = shown.join(" or ");
    if more == 0 { shown } else { format!("{shown} or {more} more") }
}

/// One thing that is imagined otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "if")]
pub enum Condition {
    /// The user were in a group.
    InGroup {
        /// Its name, or its id when the directory does not hold it.
        group: String,
    },
    /// The user were not in any of these groups.
    NotInGroup {
        /// Their names.
        groups: Vec<String>,
    },
    /// A rule's filter held.
    FilterHeld {
        /// The rule's name.
        rule: String,
    },
    /// A rule took guests.
    TakesGuests {
        /// The rule's name.
        rule: String,
    },
    /// A rule were switched on.
    RuleOn {
        /// The rule's name.
        rule: String,
    },
    /// A rule came before all others.
    RuleFirst {
        /// The rule's name.
        rule: String,
    },
    /// What leaves them out did not.
    NotExcluded {
        /// Its name (ruling 113).
        by: String,
    },
    /// The account were enabled, or disabled, in Entra.
    Enabled {
        /// Which.
        enabled: bool,
    },
    /// The user were deleted in Entra.
    Deleted,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::InGroup { group } => write!(f, "they were in the group \"{group}\""),
            Condition::NotInGroup { groups } => write!(f, "they were not in the group {}", any_of(groups)),
            Condition::FilterHeld { rule } => write!(f, "the filter of rule \"{rule}\" held for them"),
            Condition::TakesGuests { rule } => write!(f, "rule \"{rule}\" took guests"),
            Condition::RuleOn { rule } => write!(f, "rule \"{rule}\" were switched on"),
            Condition::RuleFirst { rule } => write!(f, "rule \"{rule}\" came first"),
            Condition::NotExcluded { by } => match by.strip_prefix("require:") {
                Some(attribute) => write!(f, "Entra held a value for {attribute}"),
                None => match by.as_str() {
                    "licence" => f.write_str("they had a licence that counts"),
                    "guests" => f.write_str("guests were taken in"),
                    "not assigned" => f.write_str("they were assigned to the application"),
                    named => write!(f, "\"{named}\" did not leave them out"),
                },
            },
            Condition::Enabled { enabled: true } => f.write_str("their account were enabled in Entra"),
            Condition::Enabled { enabled: false } => f.write_str("their account were disabled in Entra"),
            Condition::Deleted => f.write_str("they were deleted in Entra"),
        }
    }
}

/// What would be decided if something were otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otherwise {
    /// What is imagined: all of these together, and nothing else.
    pub conditions: Vec<Condition>,
    /// How the user would be accounted for.
    pub outcome: Outcome,
    /// What would leave them out.
    pub excluded_by: Option<String>,
    /// The rule that would win.
    pub rule: Option<RuleId>,
    /// Its name.
    pub rule_name: Option<String>,
    /// The kinds of record it makes.
    pub kinds: Vec<Kind>,
    /// The client its contacts belong to.
    pub client: Option<ClientId>,
    /// The client's name, where whoever asked has looked it up.
    pub client_name: Option<String>,
    /// Why a person would be asked.
    pub review: Option<ReviewWhy>,
    /// What sync would do to which kind of record.
    pub changes: Vec<(Verb, Kind)>,
}

impl fmt::Display for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, condition) in self.conditions.iter().enumerate() {
            write!(f, "{}{condition}", if i == 0 { "If " } else { " and " })?;
        }
        f.write_str(": ")?;
        match (&self.excluded_by, &self.rule_name) {
            (Some(by), _) if by == "no rule" => f.write_str("no rule would select them")?,
            (Some(by), _) => write!(f, "they would be left out by \"{by}\"")?,
            (None, Some(rule)) => {
                let kinds: Vec<&str> =
                    self.kinds.iter().map(|kind| if *kind == Kind::Agent { "an agent" } else { "a contact" }).collect();
                write!(f, "{} by the rule \"{rule}\"", self.place(&kinds))?;
            }
            (None, None) => f.write_str("they would be gone from the directory")?,
        }
        if let Some(why) = self.review {
            let sentence = why.sentence();
            let sentence = sentence.split_inclusive(". ").next().unwrap_or(sentence).trim_end().trim_end_matches('.');
            write!(f, ", and a person would be asked ({sentence})")?;
        }
        let changes: Vec<String> = self.changes.iter().map(|(verb, kind)| done_to(*verb, *kind)).collect();
        if changes.is_empty() { f.write_str(".") } else { write!(f, ". Sync would {}.", changes.join(" and ")) }
    }
}

impl Otherwise {
    /// What they would be, and where: "a contact of Acme".
    fn place(&self, kinds: &[&str]) -> String {
        let what = kinds.join(" and ");
        match (&self.client_name, self.client) {
            (Some(name), _) => format!("{what} of {name}"),
            (None, Some(client)) => format!("{what} of client {client}"),
            (None, None) => what,
        }
    }
}

/// What is done to a record, as part of a sentence.
fn done_to(verb: Verb, kind: Kind) -> String {
    let a = if kind == Kind::Agent { "an agent" } else { "a contact" };
    match verb {
        Verb::Create => format!("create {a}"),
        Verb::Link => format!("link {a} that exists"),
        Verb::Update => format!("update the {kind}"),
        Verb::GrantAccess => format!("give the {kind} access again"),
        Verb::Reactivate => format!("reactivate the {kind}"),
        Verb::Restore => format!("restore the {kind} from the archive"),
        Verb::RevokeAccess => format!("revoke the access of the {kind}"),
        Verb::Deactivate => format!("deactivate the {kind}"),
        Verb::Archive => format!("archive the {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_reads_as_a_sentence() {
        let mut otherwise = Otherwise {
            conditions: vec![Condition::InGroup { group: "Portal".into() }],
            outcome: Outcome::Synced,
            excluded_by: None,
            rule: Some(RuleId::new("portal")),
            rule_name: Some("Portal users".into()),
            kinds: vec![Kind::Contact],
            client: Some(ClientId(1)),
            client_name: Some("Acme".into()),
            review: None,
            changes: vec![(Verb::Create, Kind::Contact)],
        };
        let sentence = "If they were in the group \"Portal\": a contact of Acme by the rule \"Portal users\". \
            Sync would create a contact.";
        assert_eq!(otherwise.to_string(), sentence);
        otherwise.excluded_by = Some("licence".into());
        otherwise.changes.clear();
        assert_eq!(otherwise.to_string(), "If they were in the group \"Portal\": they would be left out by \"licence\".");
    }

    #[test]
    fn many_groups_are_named_by_the_first_few() {
        let missing = Missing::Group { named: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec() };
        assert_eq!(missing.to_string(), "they are not in the group \"a\" or \"b\" or \"c\" or 2 more");
    }
}
