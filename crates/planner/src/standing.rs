//! What a rule and groups give beside the mapped fields: client, site, role, licence type, boards; and the manager, whose record is
//! somebody else's (rulings 11, 39 to 43, 60, 64).

use crate::boards::{ROLES_FIELD, Seats};
use crate::claims::Claims;
use crate::decide::Planner;
use crate::fit::{self, Form, Wanted};
use crate::managers::Manager;
use crate::merge::{Draft, Moment};
use crate::roles::Rights;
use crate::rules::{Place, Won};
use crate::source::{self, Fault, Yield};
use model::facts::{Answers, UserFacts};
use model::plan::{NewSite, ReportWhy, Wait};
use model::policy::Rule;
use model::reason::{KeptBecause, Reason};
use model::records::Person;
use model::{ClientId, Field, Fields, Kind, SiteId, SourceId, Value, text};

/// The longest name of a site, in code points: what ruling 63 says of names.
const LONGEST_SITE: usize = 100;

/// What one record of a user is given.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) rights: Rights<'a>,
    pub(crate) manager: Option<(&'a SourceId, Manager)>,
    place: Place,
    site: Site,
    /// The folded name, of a site that a value names.
    site_key: Option<String>,
    /// Why no site could be told.
    no_site: Option<(ReportWhy, String)>,
    licence: Option<&'static str>,
    seats: Seats<'a>,
    /// Dates of sign-ins, which are written whenever they change (ruling 107).
    sign_ins: Vec<(&'a Field, Value)>,
}

/// The site a record belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Site {
    /// The rule says nothing of one.
    NotGiven,
    Known(SiteId),
    New(NewSite),
}

/// Why nothing can be given.
#[derive(Debug)]
pub(crate) enum Lack {
    /// The client or site leads nowhere (ruling 40).
    Unresolved(Wait),
    /// A value cannot be computed for this user (ruling 38).
    Fault(Fault),
}

impl Planner {
    /// What a record of a kind is given by the winning rule and by groups.
    pub(crate) fn standing<'s>(
        &'s self,
        user: &'s UserFacts,
        won: &Won<'s>,
        kind: Kind,
        answers: &Answers,
        claims: &Claims,
    ) -> Result<Standing<'s>, Lack> {
        let rule: &'s Rule = &won.compiled.rule;
        let place = won.compiled.place(kind).map_err(|wait| Lack::Unresolved(wait.clone()))?;
        let (site, site_key, no_site) = site(user, rule, place, answers, claims).map_err(Lack::Fault)?;
        let manager = user.manager.as_ref().filter(|_| self.mappings.of(kind).maps_manager());
        let told = |id| answers.users.get(id).map(Vec::as_slice).unwrap_or_default();
        Ok(Standing {
            rule,
            rights: self.roles.of(kind, rule, self.rules.known(), &won.member_of, user.manager.is_some()),
            manager: manager.map(|id| (id, claims.manager(id, told(id)))),
            place,
            site,
            site_key,
            no_site,
            licence: rule.then.licence_type.filter(|_| kind == Kind::Agent).map(model::policy::LicenceType::as_str),
            seats: self.boards.of(rule, &won.member_of),
            sign_ins: self.mappings.of(kind).sign_ins(user),
        })
    }

    /// The site that a user's value names, to be asked for: its client and folded name.
    pub(crate) fn asked_site(user: &UserFacts, won: &Won<'_>, kind: Kind) -> Option<(ClientId, String)> {
        let source = won.compiled.rule.then.site_from.as_ref()?;
        let client = won.compiled.place(kind).ok()?.sites_of?;
        match site_name(source::of(source, user)) {
            Ok(Some(name)) => Some((client, text::fold(&name))),
            _ => None,
        }
    }
}

/// The name a value gives to a site; the report where it is none.
fn site_name(value: Yield<'_>) -> Result<Option<String>, (ReportWhy, String)> {
    match fit::fit(&Field::SITE, Form::Text, Some(LONGEST_SITE), value).0 {
        Ok(Some(Wanted::Text(name))) => Ok(Some(name.into_owned())),
        Ok(_) => Ok(None),
        Err(unfit) => Err((unfit.why, unfit.detail)),
    }
}

type Sited = (Site, Option<String>, Option<(ReportWhy, String)>);

fn site(user: &UserFacts, rule: &Rule, place: Place, answers: &Answers, claims: &Claims) -> Result<Sited, Fault> {
    let (Some(source), Some(client)) = (&rule.then.site_from, place.sites_of) else {
        return Ok((place.site.map_or(Site::NotGiven, Site::Known), None, None));
    };
    let value = match source::of(source, user) {
        Yield::Fault(why) => return Err(Fault::of_value(&format!("the site of rule \"{}\"", rule.name), &why)),
        value => value,
    };
    let name = match site_name(value) {
        Ok(Some(name)) => name,
        Ok(None) => {
            let detail = "site: Entra holds no value that names a site, so none is given. Fill it in Entra.".to_owned();
            return Ok((Site::NotGiven, None, Some((ReportWhy::NoSite, detail))));
        }
        Err(report) => return Ok((Site::NotGiven, None, Some(report))),
    };
    let key = text::fold(&name);
    if let Some(site) = answers.sites.get(&(client, key.clone())) {
        return Ok((Site::Known(*site), Some(key), None));
    }
    let name = claims.site_name(client, &key, &user.id, &name).to_owned();
    Ok((Site::New(NewSite { client, name }), Some(key), None))
}

impl Standing<'_> {
    /// Notes what the record has by a person's hand; to be said of every record that exists already.
    #[must_use]
    pub(crate) fn meeting(mut self, record: &Person, decided: &Fields) -> Self {
        self.seats.meet(record, decided);
        self
    }

    /// The client whose records may be linked.
    pub(crate) fn client(&self) -> Option<ClientId> {
        self.place.client
    }

    /// A field's value as given; null when nothing is given.
    fn value(&self, field: &Field) -> Value {
        match *field {
            Field::CLIENT => self.place.client.map_or(Value::Null, |c| Value::from(c.0)),
            Field::SITE => match &self.site {
                Site::NotGiven => Value::Null,
                Site::Known(site) => Value::from(site.0),
                Site::New(new) => Value::from(new.name.as_str()),
            },
            Field::ROLE => self.rights.role.map_or(Value::Null, Value::from),
            Field::LICENCE_TYPE => self.licence.map_or(Value::Null, Value::from),
            Field::MANAGER => self.manager.map_or(Value::Null, |(id, manager)| manager.value(id)),
            _ => self.sign_ins.iter().find(|(f, _)| *f == field).map_or(Value::Null, |(_, value)| value.clone()),
        }
    }

    /// All that is decided by rule, groups and the user's manager, for the link.
    pub(crate) fn decided(&self) -> Fields {
        let single = [Field::CLIENT, Field::SITE, Field::ROLE, Field::LICENCE_TYPE, Field::MANAGER];
        let mut all = Fields::new();
        for field in single {
            let value = self.value(&field);
            if !value.is_null() {
                all.insert(field, value);
            }
        }
        if let (Site::New(_), Some(key)) = (&self.site, &self.site_key) {
            // The change that makes it puts its number here. Where the record keeps its own site none does, and what others may make
            // under the same name, however they write it, is what was decided.
            all.insert(Field::SITE, Value::from(key.as_str()));
        }
        all.extend(self.sign_ins.iter().map(|(field, value)| ((*field).clone(), value.clone())));
        if self.rights.is_lent() {
            all.insert(LENT_ROLE, Value::Bool(true));
        }
        if let Some(extra) = self.rights.extra.as_ref().filter(|extra| !extra.is_empty()) {
            all.insert(Field::EXTRA_ROLES, Value::from(extra.clone()));
        }
        self.seats.decided(&mut all);
        all
    }

    /// Whether that is what was decided last.
    pub(crate) fn is_as_decided(&self, before: &Fields) -> bool {
        const FIELDS: &[Field] =
            &[Field::CLIENT, Field::SITE, Field::ROLE, Field::LICENCE_TYPE, Field::EXTRA_ROLES, Field::CABS, Field::MANAGER];
        FIELDS.iter().all(|field| self.is_field_as_decided(field, before))
            && self.sign_ins.iter().all(|(field, _)| self.is_field_as_decided(field, before))
    }

    /// The same for one field.
    pub(crate) fn is_field_as_decided(&self, field: &Field, before: &Fields) -> bool {
        let was = before.get(field).filter(|v| !v.is_null());
        match *field {
            Field::ROLE => was.and_then(Value::as_str) == self.rights.role,
            Field::CLIENT => was.and_then(Value::as_i64) == self.place.client.map(|c| c.0),
            Field::SITE => match &self.site {
                Site::NotGiven => was.is_none(),
                Site::Known(site) => was.and_then(Value::as_i64) == Some(site.0) || self.is_site_as_named(before),
                Site::New(_) => self.is_site_as_named(before),
            },
            Field::LICENCE_TYPE => was.and_then(Value::as_str) == self.licence,
            Field::EXTRA_ROLES => {
                let was = was.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let now = self.rights.extra.as_deref().unwrap_or_default();
                was.iter().map(Value::as_str).eq(now.iter().map(|role| Some(*role)))
            }
            Field::CABS if was.is_none() => self.seats.is_empty(),
            Field::CABS => self.seats.is_as_decided(before),
            _ => *was.unwrap_or(&Value::Null) == self.value(field),
        }
    }

    /// Whether the site is the one that was decided last by its name, for a record that kept its own; somebody else may have made it since.
    fn is_site_as_named(&self, before: &Fields) -> bool {
        let was = before.get(&Field::SITE).and_then(Value::as_str);
        was.is_some() && was == self.site_key.as_deref() && self.is_field_as_decided(&Field::CLIENT, before)
    }

    /// Brings client, site, role, licence type and boards into a draft. They follow `on_change` like fields, and a change of
    /// decision at once (rulings 60 and 64). `access` says whether roles may be given: not to a record whose access is taken.
    /// `tells_role` has the role named even where the record has it: of who comes back (ruling 69), or goes by their role (41).
    #[expect(clippy::too_many_arguments, reason = "each decides one thing, and a bundle of them would have no name")]
    pub(crate) fn merge(
        &self,
        user: &UserFacts,
        record: Option<&Person>,
        moment: Moment<'_>,
        decided: &Fields,
        access: bool,
        tells_role: bool,
        draft: &mut Draft,
    ) {
        self.rights.explain(&mut draft.reasons);
        let giving = Giving { standing: self, user, record, moment, decided, tells_role };
        for field in [&Field::CLIENT, &Field::SITE, &Field::LICENCE_TYPE] {
            let value = self.value(field);
            if !value.is_null() {
                giving.one(field, value, draft);
            }
        }
        if access {
            self.give_roles(&giving, draft);
        }
        self.give_boards(&giving, draft);
        let is_news = moment.changed() || !self.is_field_as_decided(&Field::SITE, decided);
        if let Some((why, detail)) = self.no_site.as_ref().filter(|_| is_news) {
            draft.report(user, Some(&Field::SITE), *why, detail.clone());
        }
    }

    fn give_roles(&self, giving: &Giving<'_>, draft: &mut Draft) {
        if let Some(role) = self.rights.role {
            let has_it = giving.record.is_some_and(|r| r.role.as_deref() == Some(role));
            if !has_it || giving.tells_role {
                giving.one(&Field::ROLE, Value::from(role), draft);
            }
        } else if giving.is_lent_still() {
            giving.one(&Field::ROLE, Value::Null, draft);
        }
        let was_given = giving.decided.get(&Field::EXTRA_ROLES).is_some_and(|v| !text::is_empty(v));
        let Some(extra) = self.rights.extra.clone().or_else(|| was_given.then(Vec::new)) else { return };
        let is_empty = giving.record.is_none_or(|r| fit::is_empty_in(r, &Field::EXTRA_ROLES));
        if !(is_empty && extra.is_empty()) {
            giving.one(&Field::EXTRA_ROLES, Value::from(extra), draft);
        }
    }

    fn give_boards(&self, giving: &Giving<'_>, draft: &mut Draft) {
        if self.seats.is_empty() && !giving.decided.contains_key(&Field::CABS) {
            return;
        }
        for (field, value) in [
            (&Field::CABS, self.seats.cabs(giving.record, giving.decided)),
            (&ROLES_FIELD, self.seats.roles(giving.record, giving.decided)),
        ] {
            let is_empty = giving.record.is_none_or(|r| fit::is_empty_in(r, field));
            if !(is_empty && text::is_empty(&value)) {
                giving.one(field, value, draft);
            }
        }
    }
}

/// In a link's bookkeeping: the role came from a group, or from having no manager, and goes again with what gave it.
const LENT_ROLE: Field = Field::named("role_lent");

/// Giving one record its fields.
struct Giving<'g> {
    standing: &'g Standing<'g>,
    user: &'g UserFacts,
    record: Option<&'g Person>,
    moment: Moment<'g>,
    decided: &'g Fields,
    tells_role: bool,
}

impl Giving<'_> {
    /// Whether the record still has the role that a group lent it. A person's own choice of another role is theirs.
    fn is_lent_still(&self) -> bool {
        let lent = self.decided.get(&LENT_ROLE).and_then(Value::as_bool) == Some(true);
        let given = self.decided.get(&Field::ROLE).and_then(Value::as_str);
        lent && given.is_some() && self.record.is_some_and(|r| r.role.as_deref() == given)
    }

    fn one(&self, field: &Field, value: Value, draft: &mut Draft) {
        let Some(person) = self.record else { return self.put(field, value, draft) };
        let is_role = matches!(*field, Field::ROLE | Field::EXTRA_ROLES);
        let is_told = is_role && self.tells_role;
        let now = person.get(field);
        let same = if matches!(value, Value::Array(_)) { same_set(&now, &value) } else { now == value };
        if same {
            if is_told && *field == Field::ROLE {
                self.put(field, value, draft);
            }
            return;
        }
        if is_role && person.root {
            draft.kept(field, KeptBecause::Root);
            return;
        }
        let because = match self.moment {
            Moment::Create | Moment::Link { fill_empty: false } => None,
            Moment::Link { fill_empty: true } => (!fit::is_empty_in(person, field)).then_some(KeptBecause::FillEmpty),
            Moment::Linked { changed, .. } => {
                let follows = if *field == ROLES_FIELD { &Field::CABS } else { field };
                let due = changed || is_told || !self.standing.is_field_as_decided(follows, self.decided);
                (!due).then_some(KeptBecause::LocalEdit)
            }
        };
        match because {
            None => {
                if *field == Field::CLIENT && person.site.is_some() && self.standing.site == Site::NotGiven {
                    // A site belongs to its client: the old client's does not move along.
                    draft.put(self.record, &Field::SITE, Value::Null);
                }
                self.put(field, value, draft);
            }
            Some(because) => {
                draft.kept(field, because);
                if because == KeptBecause::LocalEdit && matches!(self.moment, Moment::Linked { full: true, .. }) {
                    draft.drifted(self.user, person, field, &value, "the rule's");
                }
            }
        }
    }

    fn put(&self, field: &Field, value: Value, draft: &mut Draft) {
        let is_pinned = self.record.is_some_and(|record| record.pins(field));
        if let (Site::New(new), &Field::SITE, false) = (&self.standing.site, field, is_pinned) {
            draft.reasons.push(Reason::SiteCreated { name: new.name.clone() });
            draft.new_site = Some(new.clone());
        }
        draft.put(self.record, field, value);
    }
}

/// Whether two lists hold the same, in whatever order.
fn same_set(a: &Value, b: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        texts.sort_unstable();
        texts.dedup();
        texts.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    sorted(a) == sorted(b)
}
