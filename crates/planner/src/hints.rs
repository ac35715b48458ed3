//! Hints for whoever decides about a review item: how alike names are, and who signed in when. They never decide anything (M06).

use crate::keys::{MatchKeys, Probe};
use model::facts::{Answers, Candidate, UserFacts};
use model::reason::Reason;
use model::records::Person;
use model::{Field, PersonId, Value, text};
use unicode_normalization::UnicodeNormalization;

/// Candidates that hints are given for. More of them have the same address only where something else is wrong, and an item is kept
/// for as long as nobody has decided.
const HINTED: usize = 10;

/// What is worth knowing of the candidates of an item.
pub(crate) fn hints(
    user: &UserFacts,
    keys: &MatchKeys,
    candidates: &[PersonId],
    evidence: &[Reason],
    answers: &Answers,
) -> Vec<Reason> {
    let mut hints = Vec::new();
    let probes = keys.probes(user).unwrap_or_default();
    let signed_in = user.attributes.get("signInActivity").get("lastSignInDateTime").and_then(Value::as_str);
    hints.extend(signed_in.map(|at| Reason::SignedIn { record: None, at: day(at) }));
    let name = name_of(user);
    for id in candidates.iter().take(HINTED) {
        let Some(person) = find(&probes, *id, evidence, answers) else { continue };
        if let Some(name) = &name {
            hints.push(Reason::NameAlike { record: *id, percent: alike(name, &person.display_name()) });
        }
        let signed_in = person.get(&Field::LAST_SIGN_IN);
        hints.extend(signed_in.as_str().map(|at| Reason::SignedIn { record: Some(*id), at: day(at) }));
    }
    hints
}

/// A candidate among what this user's own questions were answered with.
fn find<'a>(probes: &[Probe<'_>], id: PersonId, evidence: &[Reason], answers: &'a Answers) -> Option<&'a Person> {
    let by_key = probes.iter().flat_map(|probe| probe.candidates(answers));
    let by_username = evidence.iter().filter_map(|reason| match reason {
        Reason::UsernameTaken { username, .. } => answers.usernames.get(&text::fold(username)),
        _ => None,
    });
    let mut all = by_key.chain(by_username.flatten()).chain(answers.records.get(&id));
    all.find(|c: &&Candidate| c.person.id == id).map(|c| &*c.person)
}

fn name_of(user: &UserFacts) -> Option<String> {
    let parts = [user.attributes.text("givenName"), user.attributes.text("surname")];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if name.is_empty() { user.attributes.text("displayName").map(str::to_owned) } else { Some(name) }
}

/// A time as people compare it: its day.
fn day(at: &str) -> String {
    at.char_indices().nth("2026-01-01".len()).map_or(at, |(end, _)| &at[..end]).to_owned()
}

/// How alike two names are, percent, whatever their case, accents and the order of their words.
fn alike(a: &str, b: &str) -> u8 {
    let (a, b) = (words(a), words(b));
    let share = strsim::jaro_winkler(&a, &b).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of one, made percent")]
    let percent = (share * 100.0).floor() as u8;
    percent
}

/// A name's words, folded, without accents, in order.
fn words(name: &str) -> String {
    let plain: String = text::fold(name).nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect();
    let mut words: Vec<&str> = plain.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.sort_unstable();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_m06_names_are_alike_whatever_their_case_accents_and_order() {
        assert_eq!(alike("José Müller", "MULLER, Jose"), 100);
        assert!(alike("Ada Byron", "Ada Lovelace") > 50);
        assert!(alike("Ada Byron", "Zoë Quist") < 50);
        assert_eq!(alike("", "Ada"), 0);
        assert_eq!(day("2026-03-04T05:06:07Z"), "2026-03-04");
        assert_eq!(day("never"), "never");
    }
}
