//! Usernames: the form they are stored in and what happens when one is taken (F02; rulings 52, 53, 123).

use crate::claims::Wish;
use crate::fit::{Unfit, Wanted};
use crate::merge::FieldPlan;
use crate::source;
use model::attributes::Hash;
use model::facts::{Answers, UserFacts};
use model::policy::{OnCollision, Rule};
use model::{PersonId, Status, text};

/// The usernames a user could have, best first; none when Entra holds nothing to make one from.
pub(crate) fn choices(plan: &FieldPlan, user: &UserFacts, rule: &Rule, on_collision: OnCollision) -> Result<Vec<String>, Unfit> {
    let first = match plan.wanted(user, None).0? {
        Some(wanted) => wanted,
        None => match plan.default(rule) {
            Some(default) => default,
            None => return Ok(Vec::new()),
        },
    };
    let Wanted::Text(first) = first else { return Ok(Vec::new()) };
    let first = first.into_owned();
    let full = match on_collision {
        OnCollision::AppendDomain if !first.contains('@') => full_name(user, &first),
        _ => None,
    };
    Ok(match full {
        Some(full) => vec![first, full],
        None => vec![first],
    })
}

/// The short username with the domain of the user's own name behind it.
fn full_name(user: &UserFacts, short: &str) -> Option<String> {
    let own = source::own_name(&user.attributes)?;
    let (_, domain) = own.rsplit_once('@')?;
    Some(format!("{short}@{domain}"))
}

/// The key under which usernames collide: case-folded.
pub(crate) fn key(username: &str) -> Hash {
    Hash::of(&text::fold(username))
}

/// A choice with the records of others that hold it. One user's own records never collide (ruling 45), nor do archived ones and those
/// the user was matched with; `own` names the ones that are not linked to them yet.
pub(crate) fn wish(user: &UserFacts, name: &str, own: &[PersonId], answers: &Answers) -> Wish {
    let folded = text::fold(name);
    let (mut holders, mut mine) = (Vec::new(), Vec::new());
    for held in answers.usernames.get(&folded).into_iter().flatten().filter(|c| c.person.status != Status::Archived) {
        if own.contains(&held.person.id) {
            mine.push(held.person.id);
        } else if held.linked.as_ref().is_none_or(|l| l.user != user.key) {
            holders.push((held.person.id, held.linked.as_ref().map(|l| l.source_id.clone())));
        }
    }
    Wish { key: Hash::of(&folded), holders, own: mine }
}
