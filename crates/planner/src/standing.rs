//! What a rule gives beside the mapped fields: client, site and role (rulings 39 to 43, 60, 64).

use crate::merge::{Draft, Moment};
use crate::rules::Place;
use model::facts::UserFacts;
use model::policy::Rule;
use model::reason::KeptBecause;
use model::records::Person;
use model::{Field, Fields, Value};

/// What a rule gives beside the mapped fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) place: Place,
}

impl Standing<'_> {
    fn role(&self) -> Value {
        self.rule.then.role.as_deref().map_or(Value::Null, Value::from)
    }

    fn client(&self) -> Value {
        self.place.client.map_or(Value::Null, |c| Value::from(c.0))
    }

    fn site(&self) -> Value {
        self.place.site.map_or(Value::Null, |s| Value::from(s.0))
    }

    /// Role, client and site as decided, for the link.
    pub(crate) fn decided(&self) -> Fields {
        let all = [(Field::ROLE, self.role()), (Field::CLIENT, self.client()), (Field::SITE, self.site())];
        all.into_iter().filter(|(_, v)| !v.is_null()).collect()
    }

    /// Whether that is what was decided last.
    pub(crate) fn is_as_decided(&self, before: &Fields) -> bool {
        self.is_field_as_decided(&Field::ROLE, before)
            && self.is_field_as_decided(&Field::CLIENT, before)
            && self.is_field_as_decided(&Field::SITE, before)
    }

    fn is_field_as_decided(&self, field: &Field, before: &Fields) -> bool {
        let before = before.get(field).filter(|v| !v.is_null());
        match field.as_str() {
            "role" => before.and_then(Value::as_str) == self.rule.then.role.as_deref(),
            "client" => before.and_then(Value::as_i64) == self.place.client.map(|c| c.0),
            _ => before.and_then(Value::as_i64) == self.place.site.map(|s| s.0),
        }
    }

    /// Brings client, site and role into a draft. They follow `on_change` like fields, and a change of decision at once (rulings 60
    /// and 64). `access` says whether the role may be given: not to a record whose access is taken.
    #[expect(clippy::too_many_arguments, reason = "each decides one thing, and a bundle of them would have no name")]
    pub(crate) fn merge(
        &self,
        user: &UserFacts,
        record: Option<&Person>,
        moment: Moment<'_>,
        decided: &Fields,
        access: bool,
        returning: bool,
        draft: &mut Draft,
    ) {
        for (field, value) in [(Field::CLIENT, self.client()), (Field::SITE, self.site()), (Field::ROLE, self.role())] {
            if value.is_null() {
                continue;
            }
            let Some(person) = record else {
                draft.put(None, &field, value);
                continue;
            };
            let is_role = field == Field::ROLE;
            let same = person.get(&field) == value;
            if (same && !(is_role && returning)) || (is_role && !access) {
                continue;
            }
            if same {
                // Whoever comes back is told their role even where the record kept it (ruling 69).
                draft.put(record, &field, value);
                continue;
            }
            if is_role && person.root {
                draft.kept(&field, KeptBecause::Root);
                continue;
            }
            let empty = crate::fit::is_empty_in(person, &field);
            let because = match moment {
                Moment::Create | Moment::Link { fill_empty: false } => None,
                Moment::Link { fill_empty: true } => (!empty).then_some(KeptBecause::FillEmpty),
                Moment::Linked { changed, .. } => {
                    let due = changed || (is_role && returning) || !self.is_field_as_decided(&field, decided);
                    (!due).then_some(KeptBecause::LocalEdit)
                }
            };
            match because {
                None => {
                    if field == Field::CLIENT && person.site.is_some() && self.place.site.is_none() {
                        // A site belongs to its client: the old client's does not move along.
                        draft.put(record, &Field::SITE, Value::Null);
                    }
                    draft.put(record, &field, value);
                }
                Some(because) => {
                    draft.kept(&field, because);
                    if because == KeptBecause::LocalEdit && matches!(moment, Moment::Linked { full: true, .. }) {
                        let detail =
                            format!("{field}: the record was edited here; the rule's value comes back when the user changes.");
                        draft.report(user, Some(&field), model::plan::ReportWhy::Drift, detail);
                    }
                }
            }
        }
    }
}
