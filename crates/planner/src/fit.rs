//! Whether a value fits its field: form, length, and when two values are no difference (rulings 46, 63 and 66).

use crate::source::{Fault, Yield};
use model::address::{self, AddressKey};
use model::expression::Unevaluable;
use model::plan::ReportWhy;
use model::records::Person;
use model::{Field, Value, text};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What kind of values a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One e-mail address.
    Email,
    /// A list of e-mail addresses.
    Emails,
    /// One text.
    Text,
    /// Whatever a custom field is given.
    Any,
}

impl Form {
    pub(crate) fn of(field: &Field) -> Self {
        if *field == Field::EMAIL {
            Form::Email
        } else if *field == Field::ADDITIONAL_EMAILS {
            Form::Emails
        } else if [Field::CABS, Field::EXTRA_ROLES].contains(field) {
            Form::Any
        } else if Field::STANDARD.contains(&field.as_str()) {
            Form::Text
        } else {
            Form::Any
        }
    }
}

/// A value ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted<'a> {
    Text(Cow<'a, str>),
    Texts(Vec<String>),
    Other(Cow<'a, Value>),
}

impl Wanted<'_> {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Wanted::Text(s) => Value::from(s.as_ref()),
            Wanted::Texts(list) => Value::from(list.clone()),
            Wanted::Other(value) => value.as_ref().clone(),
        }
    }
}

/// Why a value is not written, for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) why: ReportWhy,
    pub(crate) detail: String,
}

/// Brings a source's value into its field's form. Parts of a list that do not fit are left out and handed back beside the rest.
pub(crate) fn fit<'a>(
    field: &Field,
    form: Form,
    limit: Option<usize>,
    value: Yield<'a>,
) -> (Result<Option<Wanted<'a>>, Unfit>, Option<Unfit>) {
    if form == Form::Emails {
        let items: Vec<Cow<'_, str>> = match value {
            Yield::Nothing => return (Ok(None), None),
            Yield::Text(s) => vec![s],
            Yield::Texts(items) => items,
            Yield::Other(_) => return (Err(malformed(field, "it is not a list of e-mail addresses")), None),
            Yield::Fault(why) => return (Err(fault(field, &why)), None),
        };
        return fit_emails(field, limit, &items);
    }
    let fitted = match value {
        Yield::Nothing => Ok(None),
        Yield::Text(s) => fit_text(field, form, limit, s).map(Some),
        Yield::Texts(items) if form == Form::Any => match items.iter().find_map(|i| check(field, limit, i).err()) {
            Some(unfit) => Err(unfit),
            None => Ok(Some(Wanted::Texts(items.into_iter().map(Cow::into_owned).collect()))),
        },
        Yield::Texts(_) => Err(malformed(field, "Entra holds a list where one value is needed; map one of its elements")),
        Yield::Other(value) if form == Form::Any => Ok(Some(Wanted::Other(value))),
        Yield::Other(value) if value.is_boolean() || value.is_number() => {
            fit_text(field, form, limit, Cow::Owned(value.to_string())).map(Some)
        }
        Yield::Fault(why) => Err(fault(field, &why)),
        Yield::Other(_) => Err(malformed(field, "Entra holds a structure where one value is needed; map one of its parts")),
    };
    (fitted, None)
}

fn fit_text<'a>(field: &Field, form: Form, limit: Option<usize>, value: Cow<'a, str>) -> Result<Wanted<'a>, Unfit> {
    check(field, limit, &value)?;
    if form != Form::Email {
        return Ok(Wanted::Text(value));
    }
    if !address::is_valid(&value) {
        return Err(malformed(field, "it is not an e-mail address"));
    }
    let is_stored = value.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    Ok(Wanted::Text(if is_stored { value } else { Cow::Owned(address::stored(&value)) }))
}

fn fit_emails<'a>(
    field: &Field,
    limit: Option<usize>,
    items: &[Cow<'_, str>],
) -> (Result<Option<Wanted<'a>>, Unfit>, Option<Unfit>) {
    let mut keys = BTreeSet::new();
    let mut list = Vec::with_capacity(items.len());
    let mut left_out = None;
    for item in items {
        match fit_text(field, Form::Email, limit, Cow::Borrowed(item.as_ref())) {
            Ok(Wanted::Text(s)) => {
                if AddressKey::of(&s).is_some_and(|key| keys.insert(key)) {
                    list.push(s.into_owned());
                }
            }
            Ok(_) => {}
            Err(unfit) => left_out = Some(unfit),
        }
    }
    (Ok((!list.is_empty()).then_some(Wanted::Texts(list))), left_out)
}

/// Control characters are refused anywhere; length is counted in code points.
fn check(field: &Field, limit: Option<usize>, value: &str) -> Result<(), Unfit> {
    if text::has_control(value) {
        return Err(malformed(field, "it holds a control character"));
    }
    // Bytes bound code points from above, so that most values are not counted.
    if let Some(limit) = limit.filter(|limit| value.len() > *limit) {
        let length = value.chars().count();
        if length > limit {
            let detail = format!("{field}: {length} characters, where {limit} fit. Shorten it in Entra.");
            return Err(Unfit { why: ReportWhy::TooLong, detail });
        }
    }
    Ok(())
}

fn fault(field: &Field, why: &Unevaluable) -> Unfit {
    Unfit { why: ReportWhy::Error, detail: Fault::of_value(field.as_str(), why).detail }
}

fn malformed(field: &Field, what: &str) -> Unfit {
    Unfit { why: ReportWhy::Malformed, detail: format!("{field}: {what}.") }
}

/// Where a record keeps a field's text: found by name once for a policy, not for each user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Username,
    Email,
    FirstName,
    LastName,
    Role,
    /// Among all other fields.
    Other,
}

impl Column {
    pub(crate) fn of(field: &Field) -> Self {
        match *field {
            Field::USERNAME => Column::Username,
            Field::EMAIL => Column::Email,
            Field::FIRST_NAME => Column::FirstName,
            Field::LAST_NAME => Column::LastName,
            Field::ROLE => Column::Role,
            _ => Column::Other,
        }
    }

    /// The record's text in the field, where it holds one.
    pub(crate) fn text<'p>(self, person: &'p Person, field: &Field) -> Option<&'p str> {
        match self {
            Column::Username => person.username.as_deref(),
            Column::Email => person.email.as_deref(),
            Column::FirstName => person.first_name.as_deref(),
            Column::LastName => person.last_name.as_deref(),
            Column::Role => person.role.as_deref(),
            Column::Other => person.fields.get(field).and_then(Value::as_str),
        }
    }
}

/// A record's text in a field, where it holds one.
pub(crate) fn text_in<'p>(person: &'p Person, field: &Field) -> Option<&'p str> {
    Column::of(field).text(person, field)
}

/// Whether a record's field is empty.
pub(crate) fn is_empty_in(person: &Person, field: &Field) -> bool {
    match *field {
        Field::USERNAME | Field::EMAIL | Field::FIRST_NAME | Field::LAST_NAME | Field::ROLE => {
            text_in(person, field).is_none_or(|s| text::trim(s).is_empty())
        }
        Field::CLIENT => person.client.is_none(),
        Field::SITE => person.site.is_none(),
        Field::STATUS | Field::ACCESS => false,
        _ => person.fields.get(field).is_none_or(text::is_empty),
    }
}

/// Whether a record's field says the same already, as the field's form compares.
pub(crate) fn same(person: &Person, field: &Field, form: Form, wanted: &Wanted<'_>) -> bool {
    match (form, wanted) {
        (Form::Email, Wanted::Text(wanted)) => {
            let now = text_in(person, field).unwrap_or_default();
            now == wanted || AddressKey::of(now).is_some_and(|key| Some(key) == AddressKey::of(wanted))
        }
        (Form::Emails, Wanted::Texts(wanted)) => {
            let keys = |items: &mut dyn Iterator<Item = &str>| items.filter_map(AddressKey::of).collect::<BTreeSet<_>>();
            let now = person.fields.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            keys(&mut now.iter().filter_map(Value::as_str)) == keys(&mut wanted.iter().map(String::as_str))
        }
        (_, Wanted::Text(wanted)) => text_in(person, field).is_some_and(|now| text::trim(now) == wanted.as_ref()),
        (_, wanted) => person.get(field) == wanted.to_value(),
    }
}
