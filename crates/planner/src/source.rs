//! What a mapping's source yields for a user: attributes by path, and the derived values of ruling 27.

use model::expression::{Subject, Unevaluable};
use model::facts::UserFacts;
use model::policy::{Derived, Source, Step};
use model::{Attributes, Value, address, text};
use std::borrow::Cow;

/// A source's value for one user, trimmed where it is a text (ruling 66).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yield<'a> {
    /// Empty as ruling 33 has it.
    Nothing,
    Text(Cow<'a, str>),
    /// A list of texts, without empty ones.
    Texts(Vec<Cow<'a, str>>),
    /// Anything else, as it came.
    Other(Cow<'a, Value>),
    /// It cannot be computed for this user (ruling 38).
    Fault(Unevaluable),
}

/// A filter or value of the policy that cannot be computed for one user, who is then left as they are (ruling 38).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which one and why, in a sentence.
    pub(crate) detail: String,
}

impl Fault {
    /// A condition, of `what`.
    pub(crate) fn of_filter(what: &str, why: &Unevaluable) -> Self {
        Self { detail: format!("The filter of {what} cannot be computed for this user: {why}. The user is left as they are.") }
    }

    /// A value, for `what`.
    pub(crate) fn of_value(what: &str, why: &Unevaluable) -> Self {
        Self { detail: format!("{what}: the expression cannot be computed for this user: {why}. The user is left as they are.") }
    }
}

/// What expressions see of a user (ruling 23).
pub(crate) fn subject(user: &UserFacts) -> Subject<'_> {
    Subject { id: &user.id, attributes: &user.attributes, manager: user.manager.as_ref() }
}

/// A date that stands for "never" where sign-ins are told.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The value of a source. The manager's is not among the attributes: see [`crate::managers`].
pub(crate) fn of<'a>(source: &Source, user: &'a UserFacts) -> Yield<'a> {
    let user = match source {
        Source::Expression(expression) => {
            return match expression.value(subject(user)) {
                Ok(value) => computed(value),
                Err(why) => Yield::Fault(why),
            };
        }
        Source::Manager => return Yield::Nothing,
        Source::Attribute(path) if matches!(path.as_slice(), [Step::Name(name)] if name.as_str() == "id") => {
            return Yield::Text(Cow::Borrowed(user.id.as_str()));
        }
        Source::Attribute(_) | Source::Derived(_) => &user.attributes,
    };
    match source {
        Source::Attribute(path) => match of_attribute(path, user) {
            Yield::Text(date) if date == NEVER && source.is_sign_in() => Yield::Nothing,
            value => value,
        },
        Source::Expression(_) | Source::Manager => Yield::Nothing,
        Source::Derived(Derived::OtherAddresses) => {
            Yield::Texts(proxy_addresses(user).filter(|a| !text::trim(a).is_empty()).map(Cow::Borrowed).collect())
        }
        Source::Derived(derived) => match derive(*derived, user) {
            Some(value) => match trimmed(value) {
                value if value.is_empty() => Yield::Nothing,
                value => Yield::Text(value),
            },
            None => Yield::Nothing,
        },
    }
}

/// Whether a source's value is this text, letter by letter.
pub(crate) fn is(source: &Source, user: &UserFacts, text: &str) -> bool {
    // Most mappings name an attribute, and it says the same: a text that is neither empty nor in need of trimming is its own value.
    if let Source::Attribute(path) = source
        && let [Step::Name(name)] = path.as_slice()
        && name.as_str() != "id"
        && user.attributes.str(name) == Some(text)
        && !text.is_empty()
        && text::trim(text).len() == text.len()
    {
        return text != NEVER || !source.is_sign_in();
    }
    matches!(of(source, user), Yield::Text(value) if value == text)
}

/// The value of a source, if it is a text.
pub(crate) fn text_of<'a>(source: &Source, user: &'a UserFacts) -> Result<Option<Cow<'a, str>>, Unevaluable> {
    match of(source, user) {
        Yield::Text(value) => Ok(Some(value)),
        Yield::Fault(why) => Err(why),
        _ => Ok(None),
    }
}

/// A computed value as a mapping takes it.
fn computed(value: Value) -> Yield<'static> {
    match of_value(&value) {
        Yield::Nothing => Yield::Nothing,
        Yield::Text(text) => Yield::Text(Cow::Owned(text.into_owned())),
        Yield::Texts(texts) => Yield::Texts(texts.into_iter().map(|t| Cow::Owned(t.into_owned())).collect()),
        Yield::Other(_) => Yield::Other(Cow::Owned(value)),
        Yield::Fault(why) => Yield::Fault(why),
    }
}

fn trimmed(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(s) => Cow::Borrowed(text::trim(s)),
        Cow::Owned(s) if text::trim(&s).len() == s.len() => Cow::Owned(s),
        Cow::Owned(s) => Cow::Owned(text::trim(&s).to_owned()),
    }
}

fn of_attribute<'a>(path: &[Step], user: &'a Attributes) -> Yield<'a> {
    match path {
        [Step::Name(name)] => user.str(name).map_or_else(|| of_value(user.get(name)), of_text),
        path => of_value(follow(path, user)),
    }
}

fn of_text(text: &str) -> Yield<'_> {
    match text::trim(text) {
        "" => Yield::Nothing,
        text => Yield::Text(Cow::Borrowed(text)),
    }
}

/// A value as a mapping takes it.
pub(crate) fn of_value(value: &Value) -> Yield<'_> {
    match value {
        Value::String(s) => of_text(s),
        other if text::is_empty(other) => Yield::Nothing,
        Value::Array(items) if items.iter().all(|i| i.is_string() || text::is_empty(i)) => Yield::Texts(
            items.iter().filter_map(Value::as_str).map(text::trim).filter(|s| !s.is_empty()).map(Cow::Borrowed).collect(),
        ),
        other => Yield::Other(Cow::Borrowed(other)),
    }
}

/// Walks a path; what is not there is null.
fn follow<'a>(path: &[Step], user: &'a Attributes) -> &'a Value {
    const NULL: &Value = &Value::Null;
    let Some((Step::Name(first), rest)) = path.split_first() else { return NULL };
    rest.iter().fold(user.get(first), |value, step| match step {
        Step::Name(name) => value.get(name.as_str()).unwrap_or(NULL),
        Step::Index(i) => value.get(i).unwrap_or(NULL),
    })
}

fn derive(derived: Derived, user: &Attributes) -> Option<Cow<'_, str>> {
    match derived {
        // The display name stands in where there is neither a first nor a last name.
        Derived::FirstName => match user.text("givenName") {
            Some(first) => Some(Cow::Borrowed(first)),
            None if user.text("surname").is_some() => None,
            None => at_last_space(user.text("displayName")?).map(|(first, _)| Cow::Borrowed(text::trim(first))),
        },
        Derived::LastName => match user.text("surname") {
            Some(last) => Some(Cow::Borrowed(last)),
            None if user.text("givenName").is_some() => None,
            None => user.text("displayName").map(|name| Cow::Borrowed(at_last_space(name).map_or(name, |(_, last)| last))),
        },
        Derived::MailOrGuest => mail_or_guest(user),
        Derived::MailOrUpn => mail_or_guest(user).or_else(|| {
            let name = user.text("userPrincipalName")?;
            // A name with #EXT# that hides no address is a name of this directory, not an address.
            (!is_onmicrosoft(name) && !has_ext(name)).then_some(Cow::Borrowed(name))
        }),
        Derived::UpnLocalPart => own_name(user).map(|name| match name {
            Cow::Borrowed(name) => Cow::Borrowed(address::split(name).map_or(name, |(local, _)| local)),
            Cow::Owned(name) => Cow::Owned(address::split(&name).map_or(name.as_str(), |(local, _)| local).to_owned()),
        }),
        Derived::Upn => own_name(user),
        // A list, which `of` yields itself.
        Derived::OtherAddresses => None,
    }
}

/// A name's parts around its last space of any script: Japanese names are told with U+3000. A control character is no space, but a
/// fault to be reported.
fn at_last_space(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once(|c: char| c.is_whitespace() && !c.is_control())
}

fn mail_or_guest(user: &Attributes) -> Option<Cow<'_, str>> {
    let guest = || user.text("userPrincipalName").and_then(address::guest_address).map(Cow::Owned);
    user.text("mail").map(Cow::Borrowed).or_else(guest)
}

/// The user principal name; for a guest the address inside it (rulings 30 and 52).
pub(crate) fn own_name(user: &Attributes) -> Option<Cow<'_, str>> {
    let name = user.text("userPrincipalName")?;
    Some(if has_ext(name) { address::guest_address(name).map_or(Cow::Borrowed(name), Cow::Owned) } else { Cow::Borrowed(name) })
}

/// The `smtp:` addresses, the prefix in any case, in the order told (ruling 58).
pub(crate) fn proxy_addresses(user: &Attributes) -> impl Iterator<Item = &str> {
    user.texts("proxyAddresses").filter_map(|entry| match entry.split_at_checked(5) {
        Some((prefix, address)) if prefix.eq_ignore_ascii_case("smtp:") => Some(text::trim(address)),
        _ => None,
    })
}

pub(crate) fn has_ext(name: &str) -> bool {
    name.contains('#') && name.to_ascii_lowercase().contains("#ext#")
}

/// Whether an address lies in a tenant's initial domain.
pub(crate) fn is_onmicrosoft(address: &str) -> bool {
    address::split(address).is_some_and(|(_, domain)| {
        let domain = domain.to_ascii_lowercase();
        domain == "onmicrosoft.com" || domain.ends_with(".onmicrosoft.com")
    })
}

/// The addresses a user is matched by, in order: `mail`, the name (a guest's own address), `smtp:` addresses, other mails.
pub(crate) fn match_addresses(user: &Attributes) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    let name = own_name(user).filter(|n| !has_ext(n));
    user.text("mail")
        .map(|a| ("mail", Cow::Borrowed(a)))
        .into_iter()
        .chain(name.map(|a| ("userPrincipalName", a)))
        .chain(proxy_addresses(user).map(|a| ("proxyAddresses", Cow::Borrowed(a))))
        .chain(user.texts("otherMails").map(|a| ("otherMails", Cow::Borrowed(a))))
}
