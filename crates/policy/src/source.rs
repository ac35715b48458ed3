//! Where a field's value comes from, as written: an attribute under its Graph name, a part of one, or a derived value by its name.

use crate::document::{Data, Node};
use crate::expr::{self, Use, Yields};
use crate::fault::{Faults, either, nearest};
use crate::words::Word;
use model::Field;
use model::attributes::READ_SET;
use model::policy::{Derived, SIGN_IN, Source, Step};

/// Attributes that hold a list.
const LISTS: [&str; 5] = ["assignedLicenses", "businessPhones", "imAddresses", "otherMails", "proxyAddresses"];

/// Attributes that hold an object.
const OBJECTS: [&str; 2] = ["employeeOrgData", "onPremisesExtensionAttributes"];

/// Attributes that are true or false.
pub(crate) const TRUTHS: [&str; 2] = ["accountEnabled", "onPremisesSyncEnabled"];

/// The dates of sign-ins that are read (ruling 107).
const SIGN_IN_PARTS: [&str; 3] = ["lastSignInDateTime", "lastNonInteractiveSignInDateTime", "lastSuccessfulSignInDateTime"];

/// The relation that is read beside the attributes (ruling 121).
pub(crate) const MANAGER: &str = "manager";

/// What marks a text as an expression rather than a path.
const EXPRESSION: &[char] = &['(', ')', '"', '\'', '?', '+', '&', '|', '=', '<', '>', '!', '{', '}', ',', ' '];

/// The object id's name: a source like any other (F03), though no attribute that could be missing.
pub(crate) const OBJECT_ID: &str = "id";

/// Whether a name is an attribute that is read of every user: the read set or a directory extension. The object id stands beside
/// them, because it is never told anew.
pub(crate) fn is_attribute(name: &str) -> bool {
    name != OBJECT_ID && (READ_SET.binary_search(&name).is_ok() || is_extension(name))
}

/// `extension_<application id>_<name>`.
pub(crate) fn is_extension(name: &str) -> bool {
    name.strip_prefix("extension_")
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(app, own)| !app.is_empty() && !own.is_empty() && app.chars().chain(own.chars()).all(in_name))
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether an attribute holds a list.
pub(crate) fn is_list_attribute(name: &str) -> bool {
    LISTS.contains(&name)
}

/// Whether an attribute is more than one value: a list or an object.
pub(crate) fn has_parts(name: &str) -> bool {
    LISTS.contains(&name) || OBJECTS.contains(&name)
}

/// A text in an attribute that has parts: `employeeOrgData.division`, `onPremisesExtensionAttributes.extensionAttribute3`.
pub(crate) fn is_part(name: &str) -> bool {
    match name.split_once('.') {
        Some(("employeeOrgData", part)) => ["costCenter", "division"].contains(&part),
        Some(("onPremisesExtensionAttributes", part)) => is_extension_attribute(part),
        _ => false,
    }
}

/// The attribute that was probably meant.
pub(crate) fn nearest_attribute(name: &str) -> Option<&'static str> {
    nearest(name, READ_SET.iter().copied().filter(|a| *a != OBJECT_ID))
}

/// Reads a mapping's source.
pub(crate) fn source(node: &Node, target: &Field, faults: &mut Faults) -> Option<Source> {
    let what = format!("the source of {target}");
    let Data::Text(written) = &node.data else {
        faults.add(&node.at, format!("{what} must be an attribute's name such as jobTitle, not {}", node.shown()));
        return None;
    };
    if (written == MANAGER) != (*target == Field::MANAGER) {
        faults.add(&node.at, format!("{what}: only the field manager has the source manager, and it has no other"));
        return None;
    }
    let (source, yields) = named(written).map_err(|why| faults.add(&node.at, format!("{what}: {why}"))).ok()?;
    if yields == Yields::Many && Field::STANDARD.contains(&target.as_str()) && *target != Field::ADDITIONAL_EMAILS {
        faults.add(
            &node.at,
            format!("{what}: {written} is a list and {target} takes one value; name one of it, as in {written}[0]"),
        );
        return None;
    }
    Some(source)
}

/// A source that names a text: a record's field has none, so that no list is refused for it.
pub(crate) fn text_source(node: &Node, what: &str, faults: &mut Faults) -> Option<Source> {
    let Data::Text(written) = &node.data else {
        faults.add(&node.at, format!("{what} must be an attribute's name or an expression, not {}", node.shown()));
        return None;
    };
    let (source, yields) = named(written).map_err(|why| faults.add(&node.at, format!("{what}: {why}"))).ok()?;
    if yields == Yields::Truth {
        faults.add(
            &node.at,
            format!("{what}: {written} is true or false, which names nothing; name a text, or write one for each: {written} ? \"A\" : \"B\""),
        );
        return None;
    }
    if yields == Yields::Many || source == Source::Manager || source.is_sign_in() {
        faults.add(&node.at, format!("{what}: {written} is not one text; name another source, such as officeLocation"));
        return None;
    }
    Some(source)
}

/// A source by what is written: a derived value's name, an attribute's path, or an expression.
fn named(written: &str) -> Result<(Source, Yields), String> {
    if let Some((_, derived)) = Derived::WORDS.iter().find(|(word, _)| *word == written) {
        let yields = if *derived == Derived::OtherAddresses { Yields::Many } else { Yields::One };
        return Ok((Source::Derived(*derived), yields));
    }
    if written == MANAGER {
        return Ok((Source::Manager, Yields::One));
    }
    // The manager's id is no attribute of the user, but expressions see it.
    if written.contains(EXPRESSION) || written.strip_prefix(MANAGER).is_some_and(|rest| rest.starts_with('.')) {
        let compiled = expr::compile(written, Use::Value).map_err(|bad| bad.to_string())?;
        return Ok((Source::Expression(compiled.0), compiled.1));
    }
    let steps = path(written)?;
    let yields = match steps.as_slice() {
        [Step::Name(name)] if LISTS.contains(&name.as_str()) => Yields::Many,
        [Step::Name(name)] if TRUTHS.contains(&name.as_str()) => Yields::Truth,
        _ => Yields::One,
    };
    Ok((Source::Attribute(steps), yields))
}

/// `name`, `name[0]`, `name.part`.
fn path(written: &str) -> Result<Vec<Step>, String> {
    let end = written.find(|c| !in_name(c)).unwrap_or(written.len());
    let (name, mut rest) = written.split_at(end);
    if name == SIGN_IN {
        let part = rest.strip_prefix('.').filter(|part| SIGN_IN_PARTS.contains(part));
        let part = part
            .ok_or_else(|| format!("{SIGN_IN} has the parts {}; write {SIGN_IN}.{}", either(SIGN_IN_PARTS), SIGN_IN_PARTS[0]))?;
        return Ok(vec![Step::Name(name.into()), Step::Name(part.into())]);
    }
    if written == OBJECT_ID {
        return Ok(vec![Step::Name(OBJECT_ID.into())]);
    }
    if !is_attribute(name) {
        return Err(match () {
            () if name == OBJECT_ID => format!("the object id is one text; write {OBJECT_ID}"),
            () if name.is_empty() => format!("{written:?} does not begin with an attribute's name"),
            () => match nearest(name, Derived::WORDS.iter().map(|(w, _)| *w)).or_else(|| nearest_attribute(name)) {
                Some(meant) => format!("users have no attribute {name:?}; did you mean {meant}?"),
                None => format!(
                    "users have no attribute {name:?}; name one by its Graph name, such as jobTitle, or {}",
                    either(Derived::WORDS.iter().map(|(w, _)| *w))
                ),
            },
        });
    }
    let mut steps = vec![Step::Name(name.into())];
    while !rest.is_empty() {
        let (step, after) = step(rest)
            .ok_or_else(|| format!("{rest:?} after {name} is neither .part nor [0]; write for instance businessPhones[0]"))?;
        steps.push(step);
        rest = after;
    }
    shape(name, &steps)?;
    Ok(steps)
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(inner) = rest.strip_prefix('[') {
        let (index, after) = inner.split_once(']')?;
        let plain = !index.is_empty() && index.len() <= 4 && index.bytes().all(|b| b.is_ascii_digit());
        return plain.then(|| index.parse().ok()).flatten().map(|i| (Step::Index(i), after));
    }
    let inner = rest.strip_prefix('.')?;
    let end = inner.find(|c| !in_name(c)).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    (!name.is_empty()).then(|| (Step::Name(name.into()), after))
}

/// Refuses a path that could never hold a value of one field.
fn shape(name: &str, steps: &[Step]) -> Result<(), String> {
    let said = Err;
    match steps.get(1) {
        None if OBJECTS.contains(&name) => said(format!("{name} has parts; name one, as in {}", example(name))),
        None => Ok(()),
        Some(Step::Name(part)) if LISTS.contains(&name) => {
            said(format!("{name} is a list; write {name}[0] instead of .{}", part.as_str()))
        }
        Some(Step::Index(_)) if OBJECTS.contains(&name) => {
            said(format!("{name} has parts, not numbers, as in {}", example(name)))
        }
        Some(Step::Name(part)) if name == "onPremisesExtensionAttributes" && !is_extension_attribute(part.as_str()) => {
            said(format!("{name} has the parts extensionAttribute1 to extensionAttribute15, not {:?}", part.as_str()))
        }
        Some(Step::Name(part)) if name == "employeeOrgData" && !["costCenter", "division"].contains(&part.as_str()) => {
            said(format!("{name} has the parts costCenter and division, not {:?}", part.as_str()))
        }
        // An extension may hold a list; a licence is an object.
        Some(_) if LISTS.contains(&name) || OBJECTS.contains(&name) || is_extension(name) => Ok(()),
        Some(_) => said(format!("{name} is one value and has no parts; write {name} alone")),
    }
}

pub(crate) fn is_extension_attribute(part: &str) -> bool {
    part.strip_prefix("extensionAttribute").and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=15).contains(&n))
}

fn example(name: &str) -> String {
    format!("{name}.{}", if name == "employeeOrgData" { "division" } else { "extensionAttribute1" })
}

/// A source as it is written.
pub(crate) fn written(source: &Source) -> String {
    match source {
        Source::Derived(derived) => derived.word().to_owned(),
        Source::Expression(expression) => expression.text().to_owned(),
        Source::Manager => MANAGER.to_owned(),
        Source::Attribute(steps) => steps.iter().enumerate().fold(String::new(), |text, (i, step)| match step {
            Step::Name(name) if i == 0 => name.as_str().to_owned(),
            Step::Name(name) => format!("{text}.{}", name.as_str()),
            Step::Index(index) => format!("{text}[{index}]"),
        }),
    }
}
