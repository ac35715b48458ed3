//! Which fields change: mappings, overwrite modes, defaults, clearing (F01, F05 to F07; rulings 44, 60 to 66, 95, 104, 105).

use crate::fit::{self, Column, Form, Unfit, Wanted};
use crate::managers::Manager;
use crate::source::{self, Yield};
use crate::standing::Standing;
use model::address::AddressKey;
use model::attributes::Hash;
use model::facts::UserFacts;
use model::plan::{NewSite, Report, ReportWhy};
use model::policy::{Derived, Mapping, Overwrite, Policy, Rule, Source};
use model::reason::{KeptBecause, Reason};
use model::records::Person;
use model::{Field, Fields, Kind, Status, Value};
use std::borrow::Cow;

/// The mappings of one kind, made ready.
#[derive(Debug)]
pub(crate) struct Mappings {
    kind: Kind,
    plans: Vec<FieldPlan>,
    /// The place of the username's among them.
    username: Option<usize>,
    maps_manager: bool,
    /// Whether a list leaves the user's own address out.
    maps_others: bool,
    /// All plans' stamps, one after the other: kept in a link, it tells which mappings a policy change touched.
    stamp: String,
}

/// One mapping.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) field: Field,
    mapping: Mapping,
    column: Column,
    form: Form,
    limit: Option<usize>,
    mandatory: bool,
    /// The value is the manager's record.
    is_manager: bool,
    /// The value is a date of a sign-in.
    is_sign_in: bool,
    stamp: String,
}

/// How much of a value a report shows, in characters: enough to know it by.
const SHOWN: usize = 100;

/// Hexadecimal digits of a mapping's stamp: 24 bits, so that a change goes unnoticed once in 16 million.
const STAMP: usize = 6;

/// When a record is merged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment<'a> {
    /// It is created.
    Create,
    /// It is tied to its user.
    Link {
        /// Only empty fields are written.
        fill_empty: bool,
    },
    /// It was tied to its user before.
    Linked {
        /// The user changed in Entra since the last apply.
        changed: bool,
        /// The mappings last applied.
        stamp: &'a str,
        /// Everything was read: drift is looked for.
        full: bool,
        /// What sync itself decided last for fields that follow no attribute.
        decided: &'a Fields,
    },
}

impl Moment<'_> {
    /// Whether the user, or the record's being theirs, is new since the last apply.
    pub(crate) fn changed(self) -> bool {
        !matches!(self, Moment::Linked { changed: false, .. })
    }

    fn fills_only(self) -> bool {
        matches!(self, Moment::Link { fill_empty: true })
    }

    /// Whether a mapping is to be evaluated now, rather than a local edit left to stand.
    fn is_due(self, plan: &FieldPlan) -> bool {
        match self {
            Moment::Create | Moment::Link { .. } => true,
            Moment::Linked { changed, stamp, full, .. } => {
                changed || !holds(stamp, &plan.stamp) || (full && plan.mapping.overwrite == Overwrite::Always)
            }
        }
    }
}

impl<'a> Moment<'a> {
    /// The moment for a field that follows something else than the user's attributes: due when what is decided for it changes.
    fn following(self, field: &Field, standing: &Standing<'_>) -> Moment<'a> {
        match self {
            Moment::Linked { stamp, full, decided, .. } if !standing.is_field_as_decided(field, decided) => {
                Moment::Linked { changed: true, stamp, full, decided }
            }
            other => other,
        }
    }
}

/// Whether a link's stamp holds a mapping's.
fn holds(all: &str, one: &str) -> bool {
    all.as_bytes().chunks(STAMP).any(|chunk| chunk == one.as_bytes())
}

/// The change of one record as it comes together.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) before: Fields,
    pub(crate) set: Fields,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) reports: Vec<Report>,
    /// A mandatory field is bad at creation: nothing is created.
    pub(crate) failed: bool,
    /// Fields that would have been written and are pinned.
    pinned: Vec<(Field, Value)>,
    /// Fields that were due and are kept, for a pin or because the username is taken: they stay due until that ends.
    owed: Vec<Field>,
    /// A value cannot be computed for this user: nothing of the draft is written (ruling 38).
    pub(crate) fault: bool,
    /// A site to be made with the change.
    pub(crate) new_site: Option<NewSite>,
}

impl Draft {
    /// Sets a field, remembering what it replaces; a pinned one is left, and only told.
    pub(crate) fn put(&mut self, record: Option<&Person>, field: &Field, value: Value) {
        if let Some(record) = record {
            if record.pins(field) {
                self.owe(field, KeptBecause::Pinned);
                self.pinned.push((field.clone(), value));
                return;
            }
            self.before.insert(field.clone(), record.get(field));
        }
        self.set.insert(field.clone(), value);
    }

    /// Takes another draft of the same record in.
    pub(crate) fn absorb(&mut self, mut other: Draft) {
        self.before.append(&mut other.before);
        self.set.append(&mut other.set);
        self.reasons.append(&mut other.reasons);
        self.reports.append(&mut other.reports);
        self.failed |= other.failed;
        self.fault |= other.fault;
        self.new_site = self.new_site.take().or(other.new_site);
        self.pinned.append(&mut other.pinned);
        self.owed.append(&mut other.owed);
    }

    /// The fields that a link with only empty fields filled left as they were (ruling 95).
    fn left(&self) -> impl Iterator<Item = &Field> {
        self.reasons.iter().filter_map(|reason| match reason {
            Reason::Kept { field, because: KeptBecause::FillEmpty } => Some(field),
            _ => None,
        })
    }

    /// What is said of a record whose status is pinned and would become this: nothing else of it is written.
    pub(crate) fn pinned_status(user: &UserFacts, person: &Person, status: Status) -> Box<Self> {
        let mut draft = Box::<Self>::default();
        draft.put(Some(person), &Field::STATUS, Value::from(status.as_str()));
        draft.report_pinned(user);
        draft
    }

    pub(crate) fn kept(&mut self, field: &Field, because: KeptBecause) {
        self.reasons.push(Reason::Kept { field: field.clone(), because });
    }

    /// Keeps a field that is due as it is: it stays due.
    pub(crate) fn owe(&mut self, field: &Field, because: KeptBecause) {
        self.kept(field, because);
        self.owed.push(field.clone());
    }

    pub(crate) fn report(&mut self, user: &UserFacts, field: Option<&Field>, why: ReportWhy, detail: String) {
        self.reports.push(Report { user: user.key, source_id: user.id.clone(), field: field.cloned(), why, detail });
    }

    /// Reports that a record says otherwise than Entra or its rule (`whose`), which sync leaves for now: a pinned field as pinned,
    /// because its difference is no edit and does not end when the user changes.
    pub(crate) fn drifted(&mut self, user: &UserFacts, person: &Person, field: &Field, value: &Value, whose: &str) {
        if person.pins(field) {
            self.pinned.push((field.clone(), value.clone()));
            return;
        }
        let detail = format!("{field}: the record was edited here; {whose} value comes back when the user changes.");
        self.report(user, Some(field), ReportWhy::Drift, detail);
    }

    /// Leaves out what was said of pinned fields when they became due, and is so still.
    pub(crate) fn say_owed_once(&mut self, mappings: &Mappings) {
        let owed = std::mem::take(&mut self.owed);
        self.pinned.retain(|(field, _)| !(owed.contains(field) && mappings.plans.iter().any(|p| p.field == *field)));
    }

    /// Reports what the pinned fields would have become.
    pub(crate) fn report_pinned(&mut self, user: &UserFacts) {
        for (field, value) in std::mem::take(&mut self.pinned) {
            let value: String = value.as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(SHOWN).collect();
            let detail = format!("{field} is pinned; without that it would have become {value:?}.");
            self.report(user, Some(&field), ReportWhy::Pinned, detail);
        }
    }

    fn unfit(&mut self, user: &UserFacts, field: &Field, unfit: Unfit) {
        self.fault |= unfit.why == ReportWhy::Error;
        self.report(user, Some(field), unfit.why, unfit.detail);
    }
}

impl Mappings {
    pub(crate) fn new(policy: &Policy, kind: Kind) -> Self {
        let mut plans: Vec<FieldPlan> = policy
            .fields
            .of(kind)
            .iter()
            .map(|(field, mapping)| FieldPlan::new(policy, kind, field.clone(), mapping.clone(), stamp(field, mapping)))
            .collect();
        // A mandatory field that nothing is mapped to can still have a rule's default, and must be missed without one.
        for field in [Field::LAST_NAME, Field::USERNAME, Field::EMAIL] {
            if is_mandatory(policy, kind, &field) && !plans.iter().any(|p| p.field == field) {
                let mapping = Mapping { source: None, overwrite: Overwrite::OnChange, default: None, clear_when_empty: false };
                plans.push(FieldPlan::new(policy, kind, field, mapping, String::new()));
            }
        }
        let is_others = |p: &FieldPlan| matches!(p.mapping.source, Some(Source::Derived(Derived::OtherAddresses)));
        Self {
            kind,
            username: plans.iter().position(|p| p.field == Field::USERNAME),
            maps_manager: plans.iter().any(|p| p.is_manager),
            maps_others: plans.iter().any(is_others),
            stamp: plans.iter().map(|p| p.stamp.as_str()).collect(),
            plans,
        }
    }

    /// What a link keeps to tell which mappings changed.
    pub(crate) fn stamp(&self) -> &str {
        &self.stamp
    }

    /// The same of a record that is written with a draft: a field that was due and is kept goes without, so that it is due still when
    /// what kept it ends.
    pub(crate) fn stamp_with(&self, draft: &Draft) -> Cow<'_, str> {
        if draft.owed.is_empty() {
            return Cow::Borrowed(&self.stamp);
        }
        self.plans.iter().filter(|p| !draft.owed.contains(&p.field)).map(|p| p.stamp.as_str()).collect::<String>().into()
    }

    /// Books what a link left in mapped fields: not until somebody edits one of them does it differ by a person's hand (ruling 114).
    pub(crate) fn book_left(&self, record: &Person, draft: &Draft, decided: &mut Fields) {
        for field in draft.left().filter(|f| self.plans.iter().any(|p| p.field == **f)) {
            decided.entry(field.clone()).or_insert_with(|| record.get(field));
        }
    }

    /// Keeps what was booked so, for as long as it is what the record holds.
    pub(crate) fn keep_left(&self, record: &Person, before: &Fields, draft: &Draft, decided: &mut Fields) {
        for (field, value) in before {
            let stands = !draft.set.contains_key(field) && record.get(field) == *value;
            if stands && self.plans.iter().any(|p| p.field == *field && !p.is_manager) {
                decided.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
    }

    /// The username's mapping.
    pub(crate) fn username(&self) -> Option<&FieldPlan> {
        self.username.map(|at| &self.plans[at])
    }

    /// Whether the manager is mapped.
    pub(crate) fn maps_manager(&self) -> bool {
        self.maps_manager
    }

    /// The dates of sign-ins a user's record would have.
    pub(crate) fn sign_ins(&self, user: &UserFacts) -> Vec<(&Field, Value)> {
        let mapped = self.plans.iter().filter(|p| p.is_sign_in);
        mapped.filter_map(|p| Some((&p.field, p.wanted(user, None).0.ok()??.to_value()))).collect()
    }

    /// What each mapping gives for a user, or why that cannot be written.
    pub(crate) fn values(&self, user: &UserFacts) -> Vec<(Field, Result<Value, String>)> {
        let value = |plan: &FieldPlan| match plan.wanted(user, None).0 {
            Ok(wanted) => Ok(wanted.map_or(Value::Null, |wanted| wanted.to_value())),
            Err(unfit) => Err(unfit.detail),
        };
        self.plans.iter().map(|plan| (plan.field.clone(), value(plan))).collect()
    }

    /// The e-mail a new record of this user would have.
    pub(crate) fn email(&self, user: &UserFacts) -> Option<String> {
        let plan = self.plans.iter().find(|p| p.field == Field::EMAIL)?;
        match plan.wanted(user, None).0 {
            Ok(Some(Wanted::Text(email))) => Some(email.into_owned()),
            _ => None,
        }
    }

    /// Brings all fields but the username into a draft. There is no standing for a record whose kind no rule selects (ruling 74).
    pub(crate) fn merge(
        &self,
        user: &UserFacts,
        rule: &Rule,
        standing: Option<&Standing<'_>>,
        record: Option<&Person>,
        moment: Moment<'_>,
        draft: &mut Draft,
    ) {
        let own = if self.maps_others { self.email(user) } else { None };
        let own = own.as_deref().and_then(AddressKey::of);
        if let Some(plan) = self.username().filter(|p| matches!(p.mapping.source, Some(Source::Expression(_))))
            && let Err(unfit) = plan.wanted(user, None).0
            && unfit.why == ReportWhy::Error
        {
            draft.unfit(user, &plan.field, unfit);
        }
        for plan in self.plans.iter().filter(|p| p.column != Column::Username) {
            match (plan.is_manager, standing) {
                (true, Some(standing)) => plan.merge_manager(user, standing, record, moment, draft),
                // Without a standing nothing tells whose record the manager's is.
                (true, None) => {}
                (false, _) => {
                    let standing = standing.filter(|_| plan.is_sign_in);
                    let moment = standing.map_or(moment, |standing| moment.following(&plan.field, standing));
                    plan.merge(user, rule, record, moment, own.as_ref(), draft);
                }
            }
        }
        for (field, value) in &rule.then.defaults {
            let empty = record.is_none_or(|r| fit::is_empty_in(r, field));
            if empty && !draft.set.contains_key(field) && !self.plans.iter().any(|p| p.field == *field) {
                draft.reasons.push(Reason::Defaulted { field: field.clone() });
                draft.put(record, field, value.clone());
            }
        }
        debug_assert!(self.plans.iter().all(|p| !p.mandatory || is_standing(&p.field)), "mandatory fields of {}", self.kind);
    }
}

fn is_standing(field: &Field) -> bool {
    [Field::LAST_NAME, Field::USERNAME, Field::EMAIL].contains(field)
}

/// Last name; username for agents; e-mail where the scope requires it (ruling 104).
fn is_mandatory(policy: &Policy, kind: Kind, field: &Field) -> bool {
    *field == Field::LAST_NAME
        || (*field == Field::USERNAME && kind == Kind::Agent)
        || (*field == Field::EMAIL && policy.scope.require.iter().any(|r| r == "email"))
}

fn stamp(field: &Field, mapping: &Mapping) -> String {
    // A mapping is plain data: writing it as JSON has no way to fail.
    let text = serde_json::to_string(&(field, mapping)).unwrap_or_default();
    let mut hex = Hash::of(&text).to_hex();
    hex.truncate(STAMP);
    hex
}

impl FieldPlan {
    fn new(policy: &Policy, kind: Kind, field: Field, mapping: Mapping, stamp: String) -> Self {
        Self {
            column: Column::of(&field),
            form: Form::of(&field),
            limit: policy.limits.get(&field).copied(),
            mandatory: is_mandatory(policy, kind, &field),
            is_manager: mapping.source == Some(Source::Manager),
            is_sign_in: mapping.source.as_ref().is_some_and(Source::is_sign_in),
            field,
            mapping,
            stamp,
        }
    }

    /// Entra's value in the field's form; beside it, what of a list was left out.
    pub(crate) fn wanted<'a>(
        &'a self,
        user: &'a UserFacts,
        own_email: Option<&AddressKey>,
    ) -> (Result<Option<Wanted<'a>>, Unfit>, Option<Unfit>) {
        fit::fit(&self.field, self.form, self.limit, self.value(user, own_email))
    }

    /// Entra's value as it comes.
    fn value<'a>(&'a self, user: &'a UserFacts, own_email: Option<&AddressKey>) -> Yield<'a> {
        let mut value = self.mapping.source.as_ref().map_or(Yield::Nothing, |s| source::of(s, user));
        if let (Yield::Texts(items), Some(own), Form::Emails) = (&mut value, own_email, self.form) {
            items.retain(|item| AddressKey::of(item).as_ref() != Some(own));
        }
        value
    }

    /// Whether Entra's value is this text, letter by letter.
    pub(crate) fn is(&self, user: &UserFacts, text: &str) -> bool {
        self.mapping.source.as_ref().is_some_and(|source| source::is(source, user, text))
    }

    /// The value for an empty field: the rule's before the mapping's (ruling 44).
    pub(crate) fn default<'a>(&'a self, rule: &'a Rule) -> Option<Wanted<'a>> {
        let value = rule.then.defaults.get(&self.field).or(self.mapping.default.as_ref())?;
        fit::fit(&self.field, self.form, self.limit, source::of_value(value)).0.ok().flatten()
    }

    pub(crate) fn is_mandatory(&self) -> bool {
        self.mandatory
    }

    fn merge(
        &self,
        user: &UserFacts,
        rule: &Rule,
        record: Option<&Person>,
        moment: Moment<'_>,
        own: Option<&AddressKey>,
        draft: &mut Draft,
    ) {
        if record.and_then(|person| self.column.text(person, &self.field)).is_some_and(|now| self.is(user, now)) {
            // What is stored letter by letter needs no look at its form: the way of nearly all fields of nearly all users.
            return;
        }
        let (wanted, left_out) = self.wanted(user, own);
        let Some(person) = record else { return self.create(user, rule, wanted, left_out, draft) };
        if let Some(unfit) = left_out.filter(|_| moment.is_due(self) && self.mapping.overwrite != Overwrite::Never) {
            draft.unfit(user, &self.field, unfit);
        }
        match wanted {
            Ok(Some(wanted)) => {
                if fit::same(person, &self.field, self.form, &wanted) {
                    return;
                }
                match self.may_write(person, moment) {
                    Ok(()) => draft.put(record, &self.field, wanted.to_value()),
                    Err(because) => {
                        draft.kept(&self.field, because);
                        if because == KeptBecause::LocalEdit {
                            self.drift(user, person, moment, &wanted.to_value(), draft);
                        }
                    }
                }
            }
            Ok(None) => self.nothing(user, rule, person, moment, draft),
            Err(unfit) if unfit.why == ReportWhy::Error => draft.unfit(user, &self.field, unfit),
            Err(unfit) => {
                if self.may_write(person, moment).is_ok() {
                    draft.kept(&self.field, KeptBecause::Unfit);
                    draft.unfit(user, &self.field, unfit);
                }
            }
        }
    }

    /// The manager's record (F04). It follows by itself when it changes, whether or not the user did (rulings 11 and 60).
    fn merge_manager(
        &self,
        user: &UserFacts,
        standing: &Standing<'_>,
        record: Option<&Person>,
        moment: Moment<'_>,
        draft: &mut Draft,
    ) {
        let moment = moment.following(&self.field, standing);
        let value = match standing.manager {
            None => Value::Null,
            Some((id, manager)) => manager.value(id),
        };
        let Some(person) = record else {
            if !value.is_null() {
                draft.put(None, &self.field, value);
            }
            return;
        };
        if matches!(standing.manager, Some((_, Manager::Unresolved))) {
            // What sync wrote is somebody who is not the manager any more; what a person wrote is theirs.
            let written = match moment {
                Moment::Linked { decided, .. } => decided.get(&self.field).is_some_and(|was| *was == person.get(&self.field)),
                Moment::Create | Moment::Link { .. } => false,
            };
            if written && self.may_write(person, moment).is_ok() {
                draft.put(record, &self.field, Value::Null);
            }
            return;
        }
        if value.is_null() {
            return self.nothing(user, standing.rule, person, moment, draft);
        }
        if person.get(&self.field) == value {
            return;
        }
        match self.may_write(person, moment) {
            Ok(()) => draft.put(record, &self.field, value),
            Err(because) => {
                draft.kept(&self.field, because);
                if because == KeptBecause::LocalEdit {
                    self.drift(user, person, moment, &value, draft);
                }
            }
        }
    }

    /// Whether Entra's value may be written into a record that says otherwise; else why not.
    pub(crate) fn may_write(&self, person: &Person, moment: Moment<'_>) -> Result<(), KeptBecause> {
        let empty = fit::is_empty_in(person, &self.field);
        match self.mapping.overwrite {
            Overwrite::Never => Err(KeptBecause::Never),
            _ if moment.fills_only() => {
                if empty {
                    Ok(())
                } else {
                    Err(KeptBecause::FillEmpty)
                }
            }
            Overwrite::IfEmpty if !empty => Err(KeptBecause::NotEmpty),
            _ if moment.is_due(self) => Ok(()),
            Overwrite::IfEmpty => Err(KeptBecause::NotEmpty),
            Overwrite::OnChange | Overwrite::Always => Err(KeptBecause::LocalEdit),
        }
    }

    /// A full run names records edited since sync last wrote them (ruling 114); dates of sign-ins drift by themselves (ruling 60).
    pub(crate) fn drift(&self, user: &UserFacts, person: &Person, moment: Moment<'_>, value: &Value, draft: &mut Draft) {
        let Moment::Linked { full: true, decided, .. } = moment else { return };
        // What a link left as it was is no edit, until somebody makes one. Of the manager it says what sync itself wrote.
        let was_left = !self.is_manager && decided.get(&self.field).is_some_and(|left| *left == person.get(&self.field));
        if !self.is_sign_in && !was_left {
            draft.drifted(user, person, &self.field, value, "Entra's");
        }
    }

    fn create(
        &self,
        user: &UserFacts,
        rule: &Rule,
        wanted: Result<Option<Wanted<'_>>, Unfit>,
        left_out: Option<Unfit>,
        draft: &mut Draft,
    ) {
        if let Some(unfit) = left_out {
            draft.unfit(user, &self.field, unfit);
        }
        match wanted {
            Ok(Some(wanted)) => draft.put(None, &self.field, wanted.to_value()),
            Ok(None) => match self.default(rule) {
                Some(default) => {
                    draft.reasons.push(Reason::Defaulted { field: self.field.clone() });
                    draft.put(None, &self.field, default.to_value());
                }
                None if self.mandatory => self.missing(user, draft),
                // Who is taken in without an address of their own is told of, since nothing stands in for it (ruling 27).
                None if self.mapping.source == Some(Source::Derived(Derived::MailOrGuest)) => {
                    let detail = format!("{}: Entra holds no address, so the record has none. Fill it in Entra.", self.field);
                    draft.report(user, Some(&self.field), ReportWhy::MandatoryEmpty, detail);
                }
                None => {}
            },
            Err(unfit) => {
                draft.unfit(user, &self.field, unfit);
                draft.failed |= self.mandatory;
            }
        }
    }

    /// A mandatory field would be empty at creation: that user's own error (ruling 104).
    pub(crate) fn missing(&self, user: &UserFacts, draft: &mut Draft) {
        let detail = format!("{} is mandatory and Entra holds no value. Fill it in Entra, or give it a default.", self.field);
        draft.report(user, Some(&self.field), ReportWhy::MandatoryEmpty, detail);
        draft.failed = true;
    }

    /// Entra holds no value for a field of an existing record: the default, clearing, or nothing (rulings 44 and 62).
    fn nothing(&self, user: &UserFacts, rule: &Rule, person: &Person, moment: Moment<'_>, draft: &mut Draft) {
        let overwrite = self.mapping.overwrite;
        let empty = fit::is_empty_in(person, &self.field);
        let clears = self.mapping.clear_when_empty
            && matches!(overwrite, Overwrite::OnChange | Overwrite::Always)
            && moment.is_due(self)
            && !moment.fills_only();
        if let Some(default) = self.default(rule).filter(|_| overwrite != Overwrite::Never) {
            if (empty || clears) && !fit::same(person, &self.field, self.form, &default) {
                draft.reasons.push(Reason::Defaulted { field: self.field.clone() });
                draft.put(Some(person), &self.field, default.to_value());
            }
        } else if clears && !empty {
            if self.mandatory {
                draft.kept(&self.field, KeptBecause::EmptyInEntra);
                let detail = format!("{} is mandatory and empty in Entra, so the record keeps its value.", self.field);
                draft.report(user, Some(&self.field), ReportWhy::MandatoryEmpty, detail);
            } else {
                draft.put(Some(person), &self.field, Value::Null);
            }
        } else if !empty && moment.is_due(self) {
            draft.kept(&self.field, KeptBecause::EmptyInEntra);
        }
    }
}
