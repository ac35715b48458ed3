//! What an open review item asks is asked on for as long as the same user or record is in the way, though something else is by now as
//! well: a person who thinks about a question does not find another in its place (ruling 51).

use crate::claims::Claims;
use crate::decide::{Planner, live, review_item, wait_for};
use crate::hints::hints;
use crate::kind_change::Turn;
use crate::matching::{Found, Unclear};
use crate::rules::Won;
use crate::unlinked::first_with_address;
use crate::username;
use model::facts::{Answers, ReviewFacts, UserFacts};
use model::plan::{ReviewItem, Wait};
use model::reason::ReviewWhy;
use model::{Kind, PersonId, SourceId};

type Asked = (Box<ReviewItem>, Vec<Wait>);

impl Planner {
    /// The item that is open already, where what it asks stands still; else the one that is asked now. `own`: records that are linked
    /// to the same user.
    pub(crate) fn asked_on(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        now: Asked,
        own: &[PersonId],
        answers: &Answers,
        claims: &Claims,
    ) -> Asked {
        let Some(open) = user.review.as_ref().filter(|open| !open.dismissed && open.why != now.0.why) else { return now };
        let is_wanted = won.compiled.rule.then.kind.kinds().contains(&open.kind);
        if now.0.why == ReviewWhy::ClientUnresolved || !is_wanted || live(user).any(|l| l.person.kind == open.kind) {
            return now;
        }
        let still = match open.why {
            ReviewWhy::UsernameTaken | ReviewWhy::DuplicateInSource => {
                let by_name = self.name_in_the_way(user, won, open, own, answers, claims);
                by_name.or_else(|| self.address_in_the_way(user, won, open, answers, claims))
            }
            ReviewWhy::AmbiguousMatch
            | ReviewWhy::MatchedInOtherClient
            | ReviewWhy::AlreadyLinked
            | ReviewWhy::InactiveMatch
            | ReviewWhy::KindChange => self.record_in_the_way(user, won, open, answers, claims),
            ReviewWhy::ClientUnresolved | ReviewWhy::Returned | ReviewWhy::NoMatch => None,
        };
        let Some((mut item, waits)) = still else { return now };
        let hints = hints(user, self.match_keys.of(open.kind), &item.candidates, &item.evidence, answers);
        item.evidence.extend(hints);
        (Box::new(item), waits)
    }

    /// All usernames the user could have belong to others, and the first still to who was in the way.
    fn name_in_the_way(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        open: &ReviewFacts,
        own: &[PersonId],
        answers: &Answers,
        claims: &Claims,
    ) -> Option<(ReviewItem, Vec<Wait>)> {
        let plan = self.mappings.of(open.kind).username()?;
        let choices = username::choices(plan, user, &won.compiled.rule, self.policy.username_on_collision).ok()?;
        let holders: Option<Vec<_>> =
            choices.iter().map(|name| claims.holder(user.key, &username::wish(user, name, own, answers))).collect();
        let first = holders?.into_iter().next()?;
        let still = is_same(open, first.record.as_slice(), first.user.as_ref());
        still.then(|| self.name_taken(user, won, open.kind, &choices, Some(first), own))
    }

    /// The user who went first still has the address.
    fn address_in_the_way(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        open: &ReviewFacts,
        answers: &Answers,
        claims: &Claims,
    ) -> Option<(ReviewItem, Vec<Wait>)> {
        let email = self.mappings.of(open.kind).email(user);
        let (other, record) = first_with_address(user, email.as_deref(), answers, claims)?;
        Some(self.duplicate(user, won, open.kind, other, record))
    }

    /// The user still meets a record that was in the way.
    fn record_in_the_way(
        &self,
        user: &UserFacts,
        won: &Won<'_>,
        open: &ReviewFacts,
        answers: &Answers,
        claims: &Claims,
    ) -> Option<(ReviewItem, Vec<Wait>)> {
        let standing = self.standing(user, won, open.kind, answers, claims).ok()?;
        let search = self.search(won, open.kind, &standing);
        let unclear = if open.why == ReviewWhy::KindChange {
            let found = search.other_kind(user, answers, claims)?;
            (self.turn(user, &found.candidate.person, open.kind) == Turn::Ask).then(|| found.kind_change(open.kind))?
        } else {
            match search.run(user, answers, claims).ok()? {
                Found::Unclear(unclear) => unclear,
                Found::One(_) | Found::OtherKind(_) | Found::Nobody => return None,
            }
        };
        is_same(open, &unclear.candidates, unclear.other.as_ref()).then(|| self.item(user, won, open.kind, unclear))
    }

    fn item(&self, user: &UserFacts, won: &Won<'_>, kind: Kind, unclear: Unclear) -> (ReviewItem, Vec<Wait>) {
        let mut waits = self.match_keys.of(kind).waits(user);
        waits.extend(unclear.candidates.iter().map(|p| Wait::Person(*p)));
        waits.extend(wait_for(unclear.other.as_ref()));
        (review_item(user, Some(won.compiled.rule.id.clone()), kind, unclear), waits)
    }
}

/// Whether a user or record that is in the way now was so when the item was raised.
fn is_same(open: &ReviewFacts, candidates: &[PersonId], other: Option<&SourceId>) -> bool {
    (open.other.is_some() && open.other.as_ref() == other) || open.candidates.iter().any(|c| candidates.contains(c))
}
