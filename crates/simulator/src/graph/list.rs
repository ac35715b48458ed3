//! Collections: paging, `$select`, `$filter`, `$search`, `$orderby`, `$count`, `$expand`, and the rules of advanced queries.

use std::collections::BTreeSet;

use serde_json::Value;

use super::filter::Filter;
use super::query::{Place, Select, Type, filter, option_name, select};
use super::route::Links;
use super::search::Search;
use super::{Call, read::put_object};
use crate::directory::Unset;
use crate::properties::UserProp;
use crate::reply::{Fault, Reply};
use crate::tenant::{Life, Object, State};
use crate::token::{open, seal};

/// Page size without `$top`.
const DEFAULT_TOP: u64 = 100;

/// Marks tokens of lists, so that a delta token is not taken for one.
const LIST_TOKEN: u64 = 0x6c69_7374;

/// Calls back with objects from a cursor on, and the cursor behind each, until told to stop.
type Scan<'s> = &'s dyn Fn(u64, &mut dyn FnMut(Object, u64) -> bool);

/// A collection: what is in it, its context, and whether a cast narrowed it.
#[derive(Clone, Copy)]
struct Collection<'a> {
    kind: Type,
    context: &'a str,
    cast: bool,
}

/// What is asked of a collection, checked.
struct Wanted {
    select: Select,
    filter: Option<Filter>,
    search: Option<Search>,
    order: Option<(String, bool)>,
    top: u64,
    cursor: u64,
    first_page: bool,
    count: bool,
    expand: Option<Select>,
}

impl Call<'_> {
    pub(super) fn list_users(&self) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        self.list(&state, collection(Type::User), &|from, each| self.users_from(&state, from, each))
    }

    pub(super) fn list_groups(&self) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        self.list(&state, collection(Type::Group), &|from, each| self.groups_from(&state, from, each))
    }

    pub(super) fn count(&self, users: bool) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        if users {
            self.count_of(&state, Type::User, &|from, each| self.users_from(&state, from, each))
        } else {
            self.count_of(&state, Type::Group, &|from, each| self.groups_from(&state, from, each))
        }
    }

    fn users_from(&self, state: &State, from: u64, each: &mut dyn FnMut(Object, u64) -> bool) {
        for u in from as u32..self.tenant.users + state.created_users {
            if state.user_life(u) == Life::Live && !each(Object::User(u), u64::from(u) + 1) {
                return;
            }
        }
    }

    fn groups_from(&self, state: &State, from: u64, each: &mut dyn FnMut(Object, u64) -> bool) {
        for g in from as u32..self.tenant.groups + state.created_groups {
            if state.group_life(g) == Life::Live && !each(Object::Group(g), u64::from(g) + 1) {
                return;
            }
        }
    }

    /// The objects at the other end of links, listed or counted.
    fn linked(&self, state: &State, links: &Links, scan: Scan<'_>) -> Result<Reply, Fault> {
        if links.count {
            return self.count_of(state, links.kind, scan);
        }
        self.list(state, Collection { cast: links.kind != Type::Any, ..collection(links.kind) }, scan)
    }

    pub(super) fn list_members(&self, links: &Links) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let group = self.live_group(&state, &links.key)?;
        if links.transitive {
            let all = self.transitive_members(&state, group);
            return self.linked(&state, links, &|from, each| walk(&all, from, each));
        }
        self.linked(&state, links, &|from, each| self.tenant.members_from(&state, group, from, each))
    }

    fn transitive_members(&self, state: &State, group: u32) -> Vec<Object> {
        let (mut all, mut open) = (BTreeSet::new(), vec![group]);
        while let Some(g) = open.pop() {
            self.tenant.members_from(state, g, 0, |m, _| {
                if all.insert(m)
                    && let Object::Group(inner) = m
                {
                    open.push(inner);
                }
                true
            });
        }
        all.into_iter().collect()
    }

    pub(super) fn list_member_of(&self, links: &Links) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let member = if links.of == Type::Group {
            Object::Group(self.live_group(&state, &links.key)?)
        } else {
            Object::User(self.live_user(&state, &links.key)?)
        };
        let mut found: BTreeSet<u32> = self.tenant.groups_of(&state, member).into_iter().collect();
        let mut open: Vec<u32> = if links.transitive { found.iter().copied().collect() } else { vec![] };
        while let Some(g) = open.pop() {
            open.extend(self.tenant.groups_of(&state, Object::Group(g)).into_iter().filter(|p| found.insert(*p)));
        }
        let all: Vec<Object> = found.into_iter().map(Object::Group).collect();
        self.linked(&state, links, &|from, each| walk(&all, from, each))
    }

    pub(super) fn list_deleted(&self, kind: Type) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let gone = |l: Life| matches!(l, Life::SoftDeleted(_));
        let mut all: Vec<Object> = match kind {
            Type::Group => state.group_changes.iter().filter(|(_, c)| gone(c.life)).map(|(g, _)| Object::Group(*g)).collect(),
            Type::User | Type::Any => state.users.iter().filter(|(_, c)| gone(c.life)).map(|(u, _)| Object::User(*u)).collect(),
        };
        all.sort_unstable();
        self.list(&state, collection(kind), &|from, each| walk(&all, from, each))
    }

    fn count_of(&self, state: &State, kind: Type, scan: Scan<'_>) -> Result<Reply, Fault> {
        self.query.only(&["$filter", "$search"])?;
        if !self.ask.eventual {
            return Err(Fault::bad_request("$count is not currently supported."));
        }
        let (filter, search) = (filter(&self.query, kind)?, self.search(kind)?);
        let mut n = 0u64;
        scan(0, &mut |o, _| {
            n += u64::from(is(o, kind) && self.matches(state, o, filter.as_ref(), search.as_ref()));
            true
        });
        Ok(Reply { content_type: Some("text/plain"), ..Reply::json(200, n.to_string().into_bytes()) })
    }

    fn matches(&self, state: &State, object: Object, filter: Option<&Filter>, search: Option<&Search>) -> bool {
        let value = |name: &str| self.tenant.value(state, object, name);
        filter.is_none_or(|f| f.holds(&value)) && search.is_none_or(|s| s.holds(&value))
    }

    fn search(&self, kind: Type) -> Result<Option<Search>, Fault> {
        let Some(text) = self.query.get("$search") else { return Ok(None) };
        if !self.ask.eventual {
            return Err(Fault::unsupported(
                "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
            ));
        }
        Search::parse(text, kind).map(Some).map_err(Fault::bad_request)
    }

    fn wanted(&self, Collection { kind, cast, .. }: Collection<'_>) -> Result<Wanted, Fault> {
        self.query.only(&["$top", "$skiptoken", "$filter", "$search", "$count", "$orderby", "$select", "$expand"])?;
        let mut select = select(self.tenant, &self.query, kind, Place::List)?;
        if kind == Type::User {
            select = self.readable(select)?;
        }
        self.check_sign_in_activity(select.user)?;
        let most = if select.explicit && select.user & UserProp::SignInActivity.bit() != 0 { 500 } else { 999 };
        let top = match self.query.get("$top") {
            None => DEFAULT_TOP,
            Some(t) => t.parse().ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                Fault::unsupported(format!("Invalid page size specified: '{t}'. Must be between 1 and {most} inclusive."))
            })?,
        };
        let advanced = self.ask.eventual && self.query.counts();
        let filter = filter(&self.query, kind)?;
        let order = match self.query.get("$orderby") {
            None => None,
            Some(o) => {
                let (name, direction) = o.trim().split_once(' ').unwrap_or((o.trim(), "asc"));
                let name =
                    ["displayName", "userPrincipalName", "deletedDateTime"].into_iter().find(|n| n.eq_ignore_ascii_case(name));
                let name = name.ok_or_else(|| Fault::unsupported("Sorting not supported for current query."))?;
                Some((name.to_owned(), direction.trim().eq_ignore_ascii_case("desc")))
            }
        };
        let needs = filter.as_ref().is_some_and(Filter::is_advanced) || (filter.is_some() && order.is_some());
        let cast_with_more = cast && (filter.is_some() || order.is_some() || self.query.get("$select").is_some());
        if (needs || cast_with_more) && !advanced {
            return Err(Fault::unsupported("Unsupported Query."));
        }
        let expand = self.expanded(kind)?;
        let (cursor, first_page) = match self.query.get("$skiptoken") {
            None => (0, true),
            Some(t) => match open(self.tenant.key, t).as_deref() {
                Some([LIST_TOKEN, cursor]) if self.expired.is_none() => (*cursor, false),
                _ => {
                    return Err(Fault::new(
                        400,
                        "Directory_ExpiredPageToken",
                        "The specified page token value has expired and can no longer be included in your request.",
                    ));
                }
            },
        };
        Ok(Wanted { select, filter, search: self.search(kind)?, order, top, cursor, first_page, count: advanced, expand })
    }

    fn list(&self, state: &State, collection: Collection<'_>, scan: Scan<'_>) -> Result<Reply, Fault> {
        let wanted = self.wanted(collection)?;
        let Collection { kind, context, .. } = collection;
        let fits = |o: Object| {
            is(o, kind)
                && ((wanted.filter.is_none() && wanted.search.is_none())
                    || self.matches(state, o, wanted.filter.as_ref(), wanted.search.as_ref()))
        };
        let mut page: Vec<Object> = vec![];
        let mut next = None;
        let mut count = None;
        if let Some((property, descending)) = &wanted.order {
            let mut all: Vec<(String, Object)> = vec![];
            scan(0, &mut |o, _| {
                if fits(o) {
                    all.push((self.tenant.value(state, o, property).as_str().unwrap_or_default().to_lowercase(), o));
                }
                true
            });
            all.sort();
            if *descending {
                all.reverse();
            }
            count = Some(all.len() as u64);
            let end = (wanted.cursor + wanted.top).min(all.len() as u64);
            page.extend(all.get(wanted.cursor as usize..end as usize).into_iter().flatten().map(|(_, o)| *o));
            next = (end < all.len() as u64).then_some(end);
        } else if !self.empty_page {
            let mut last = wanted.cursor;
            scan(wanted.cursor, &mut |o, after| {
                if !fits(o) {
                    return true;
                }
                if page.len() as u64 == wanted.top {
                    next = Some(last);
                    return false;
                }
                page.push(o);
                last = after;
                true
            });
        } else {
            next = Some(wanted.cursor);
        }
        if wanted.count && wanted.first_page && count.is_none() {
            let mut n = 0;
            scan(0, &mut |o, _| {
                n += u64::from(fits(o));
                true
            });
            count = Some(n);
        }
        let mut out = self.context(context, false);
        if wanted.count && wanted.first_page {
            out.extend_from_slice(format!(",\"@odata.count\":{}", count.unwrap_or_default()).as_bytes());
        }
        if let Some(cursor) = next {
            let kept = self
                .ask
                .query
                .split('&')
                .filter(|p| !p.is_empty() && option_name(p.split_once('=').map_or(*p, |(name, _)| name)) != "$skiptoken");
            let mut query: Vec<String> = kept.map(str::to_owned).collect();
            query.push(format!("$skiptoken={}", seal(self.tenant.key, &[LIST_TOKEN, cursor])));
            let link = format!("{}{}?{}", self.sim.origin(), self.ask.path, query.join("&"));
            out.extend_from_slice(b",\"@odata.nextLink\":");
            out.extend_from_slice(Value::String(link).to_string().as_bytes());
        }
        out.extend_from_slice(b",\"value\":[");
        for (i, object) in page.into_iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            put_object(self.tenant, state, &mut out, object, wanted.select, kind == Type::Any, Unset::Null);
            self.put_expanded(state, &mut out, object, wanted.expand);
        }
        out.extend_from_slice(b"]}");
        Ok(Reply::json(200, out))
    }
}

/// The whole collection of a kind.
fn collection(kind: Type) -> Collection<'static> {
    let context = match kind {
        Type::User => "users",
        Type::Group => "groups",
        Type::Any => "directoryObjects",
    };
    Collection { kind, context, cast: false }
}

fn is(object: Object, kind: Type) -> bool {
    match kind {
        Type::User => matches!(object, Object::User(_)),
        Type::Group => matches!(object, Object::Group(_)),
        Type::Any => true,
    }
}

fn walk(all: &[Object], from: u64, each: &mut dyn FnMut(Object, u64) -> bool) {
    for (i, o) in all.iter().enumerate().skip(from as usize) {
        if !each(*o, i as u64 + 1) {
            return;
        }
    }
}
