//! The query options of a request, read and checked.

use super::filter::Filter;
use crate::properties::{GROUP_DEFAULT, GroupProp, NOT_IN_LISTS, USER_DEFAULT, UserProp};
use crate::reply::Fault;
use crate::tenant::Tenant;

/// Decodes `%41` (and nothing else: `+` is a plus in Graph's URLs as in any path; in queries it is a space).
#[must_use]
pub fn decode(text: &str, plus_is_space: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(a), Some(b)) => {
                out.push((a * 16 + b) as u8);
                i += 3;
                continue;
            }
            (b'+', ..) if plus_is_space => out.push(b' '),
            (b, ..) => out.push(b),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// System options. Graph takes them without the `$` too.
const SYSTEM: &[&str] =
    &["$top", "$skip", "$select", "$filter", "$count", "$orderby", "$search", "$expand", "$skiptoken", "$deltatoken"];

/// Query options by name, `$` included. What is no system option is a client's own and ignored, as Graph ignores it.
#[derive(Debug, Default, Clone)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a query string.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let pair = |p: &str| {
            let (name, value) = p.split_once('=').unwrap_or((p, ""));
            (option_name(name), decode(value, true))
        };
        Self { pairs: raw.split('&').filter(|p| !p.is_empty()).map(pair).collect() }
    }

    /// An option's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Refuses system options that are not in the list.
    ///
    /// # Errors
    /// 400 naming the option.
    pub fn only(&self, allowed: &[&str]) -> Result<(), Fault> {
        for (name, _) in &self.pairs {
            if name.starts_with('$') && !allowed.iter().any(|a| a.eq_ignore_ascii_case(name)) {
                return Err(Fault::unsupported(format!("The query option '{name}' is not supported for this request.")));
            }
        }
        Ok(())
    }

    /// Refuses what no request may carry: an option given twice, a `$count` that is neither true nor false.
    ///
    /// # Errors
    /// 400 naming the option.
    pub fn check(&self) -> Result<(), Fault> {
        for (at, (name, value)) in self.pairs.iter().enumerate() {
            if !name.starts_with('$') {
                continue;
            }
            if self.pairs[..at].iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
                return Err(Fault::bad_request(format!(
                    "Query option '{name}' was specified more than once, but it must be specified at most once."
                )));
            }
            if name == "$count" && !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
                return Err(Fault::bad_request(format!(
                    "Invalid value '{value}' for $count query option found. Valid values are 'true' or 'false'."
                )));
            }
        }
        Ok(())
    }

    /// `$count=true`.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.get("$count").is_some_and(|c| c.eq_ignore_ascii_case("true"))
    }
}

/// An option's name decoded, a system option's as it is listed.
#[must_use]
pub fn option_name(raw: &str) -> String {
    let name = decode(raw, true);
    let bare = name.strip_prefix('$').unwrap_or(&name);
    match SYSTEM.iter().find(|s| s[1..].eq_ignore_ascii_case(bare)) {
        Some(system) => (*system).to_owned(),
        None => name,
    }
}

/// What kind of objects are read, for their properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Users.
    User,
    /// Groups.
    Group,
    /// Either, as members are.
    Any,
}

/// Properties wanted of users and of groups.
#[derive(Debug, Clone, Copy)]
pub struct Select {
    /// Of users.
    pub user: u128,
    /// Of groups.
    pub group: u128,
    /// Whether `$select` was given.
    pub explicit: bool,
}

/// Where a `$select` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Of one object.
    Object,
    /// Of a collection.
    List,
    /// Of a delta round, which takes relationships too.
    Delta,
}

/// Reads `$select`.
///
/// # Errors
/// 400 for an unknown property, or a relationship outside delta; 501 for a property that lists do not carry.
pub fn select(tenant: &Tenant, query: &Query, kind: Type, place: Place) -> Result<Select, Fault> {
    properties(tenant, query.get("$select"), kind, place)
}

fn properties(tenant: &Tenant, text: Option<&str>, kind: Type, place: Place) -> Result<Select, Fault> {
    let Some(text) = text.filter(|s| !s.trim().is_empty()) else {
        return Ok(Select { user: USER_DEFAULT, group: GROUP_DEFAULT, explicit: false });
    };
    let mut wanted = Select { user: UserProp::Id.bit(), group: GroupProp::Id.bit(), explicit: true };
    for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let outside = kind != Type::Group && NOT_IN_LISTS.iter().any(|n| n.eq_ignore_ascii_case(name));
        if place != Place::Object && outside {
            return Err(Fault::new(501, "NotImplemented", "This operation target is not yet supported."));
        }
        let property = |related: bool| place == Place::Delta || !related;
        let user = tenant.user_prop(name).filter(|p| property(*p == UserProp::Manager));
        let group = GroupProp::find(name).filter(|p| property(matches!(p, GroupProp::Members | GroupProp::Owners)));
        let fits = match kind {
            Type::User => user.is_some(),
            Type::Group => group.is_some(),
            Type::Any => user.is_some() || group.is_some(),
        };
        if !fits {
            let resource = if kind == Type::Group { "group" } else { "user" };
            return Err(Fault::new(
                400,
                "BadRequest",
                format!(
                    "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{resource}'."
                ),
            ));
        }
        wanted.user |= user.map_or(0, UserProp::bit);
        wanted.group |= group.map_or(0, GroupProp::bit);
    }
    Ok(wanted)
}

/// Reads `$expand`: a user's `manager` or a group's `members`, with or without `($select=…)`; answers what is wanted of those.
///
/// # Errors
/// 400 for anything else.
pub fn expand(tenant: &Tenant, query: &Query, kind: Type) -> Result<Option<Select>, Fault> {
    let Some(text) = query.get("$expand").map(str::trim) else { return Ok(None) };
    let (name, inner) = match text.split_once('(') {
        None => (text, None),
        Some((name, inner)) => {
            (name.trim_end(), Some(inner.strip_suffix(')').and_then(inner_select).ok_or_else(|| not_expanded(text))?))
        }
    };
    let related = match kind {
        Type::User if name.eq_ignore_ascii_case("manager") => Type::User,
        Type::Group if name.eq_ignore_ascii_case("members") => Type::Any,
        _ => return Err(not_expanded(text)),
    };
    properties(tenant, inner, related, Place::List).map(Some)
}

/// The properties of `$select=a,b`, when it says nothing else.
fn inner_select(text: &str) -> Option<&str> {
    let (option, names) = text.split_once('=')?;
    let plain = !names.trim().is_empty() && !names.contains(['=', ';', '(', ')']);
    (plain && option_name(option.trim()) == "$select").then_some(names)
}

fn not_expanded(text: &str) -> Fault {
    Fault::new(
        400,
        "BadRequest",
        format!(
            "Parsing OData Select and Expand failed: '{text}' cannot be expanded here. Write manager or manager($select=…) of users, members or members($select=…) of groups."
        ),
    )
}

/// Reads `$filter`.
///
/// # Errors
/// 400 with Graph's words.
pub fn filter(query: &Query, kind: Type) -> Result<Option<Filter>, Fault> {
    query.get("$filter").map(|f| Filter::parse(f, kind).map_err(Fault::unsupported)).transpose()
}
