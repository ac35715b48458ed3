//! Collections: paging, `$select`, `$filter`, `$search`, `$orderby`, `$count`, `$expand`, and the rules of advanced queries.

use std::collections::BTreeSet;

use serde_json::Value;

use super::filter::Filter;
use super::query::{Place, Select, Type, filter, select};
use super::{Call, read::put_object};
use crate::directory::Unset;
use crate::properties::UserProp;
use crate::reply::{Fault, Reply};
use crate::seed::put_guid;
use crate::tenant::{Life, Object, State};
use crate::token::{open, seal};

/// Page size without `$top`.
const DEFAULT_TOP: u64 = 100;

/// Marks tokens of lists, so that a delta token is not taken for one.
const LIST_TOKEN: u64 = 0x6c69_7374;

/// Calls back with objects from a cursor on, and the cursor behind each, until told to stop.
type Scan<'s> = &'s dyn Fn(u64, &mut dyn FnMut(Object, u64) -> bool);

/// What is asked of a collection, checked.
struct Wanted {
    select: Select,
    filter: Option<Filter>,
    search: Vec<(Option<String>, String)>,
    order: Option<(String, bool)>,
    top: u64,
    cursor: u64,
    first_page: bool,
    count: bool,
    expand_manager: bool,
}

impl Call<'_> {
    pub(super) fn list_users(&self) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let total = self.tenant.users + state.created_users;
        self.list(&state, Type::User, "users", &|from, each| {
            for u in from as u32..total {
                if state.user_life(u) == Life::Live && !each(Object::User(u), u64::from(u) + 1) {
                    return;
                }
            }
        })
    }

    pub(super) fn list_groups(&self) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let total = self.tenant.groups + state.created_groups;
        self.list(&state, Type::Group, "groups", &|from, each| {
            for g in from as u32..total {
                if state.group_life(g) == Life::Live && !each(Object::Group(g), u64::from(g) + 1) {
                    return;
                }
            }
        })
    }

    pub(super) fn list_members(&self, group: &str, transitive: bool, kind: Type) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let group = self.live_group(&state, group)?;
        let context = if kind == Type::User { "users" } else { "directoryObjects" };
        if transitive {
            let all = self.transitive_members(&state, group);
            return self.list(&state, kind, context, &|from, each| walk(&all, from, each));
        }
        self.list(&state, kind, context, &|from, each| self.tenant.members_from(&state, group, from, each))
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

    pub(super) fn list_member_of(&self, user: &str, transitive: bool) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let user = self.live_user(&state, user)?;
        let mut found: BTreeSet<u32> = self.tenant.groups_of(&state, Object::User(user)).into_iter().collect();
        let mut open: Vec<u32> = if transitive { found.iter().copied().collect() } else { vec![] };
        while let Some(g) = open.pop() {
            open.extend(self.tenant.groups_of(&state, Object::Group(g)).into_iter().filter(|p| found.insert(*p)));
        }
        let all: Vec<Object> = found.into_iter().map(Object::Group).collect();
        self.list(&state, Type::Any, "directoryObjects", &|from, each| walk(&all, from, each))
    }

    pub(super) fn list_deleted(&self, kind: Type) -> Result<Reply, Fault> {
        let state = self.tenant.read();
        let gone = |l: Life| matches!(l, Life::SoftDeleted(_));
        let mut all: Vec<Object> = match kind {
            Type::Group => state.group_changes.iter().filter(|(_, c)| gone(c.life)).map(|(g, _)| Object::Group(*g)).collect(),
            Type::User | Type::Any => state.users.iter().filter(|(_, c)| gone(c.life)).map(|(u, _)| Object::User(*u)).collect(),
        };
        all.sort_unstable();
        self.list(&state, kind, if kind == Type::Group { "groups" } else { "users" }, &|from, each| walk(&all, from, each))
    }

    pub(super) fn count(&self, users: bool) -> Result<Reply, Fault> {
        self.query.only(&["$filter", "$search"])?;
        if !self.ask.eventual {
            return Err(Fault::bad_request("$count is not currently supported."));
        }
        let state = self.tenant.read();
        let (filter, search) = (filter(&self.query)?, self.search()?);
        let mut n = 0u64;
        let mut one = |o: Object| n += u64::from(self.matches(&state, o, filter.as_ref(), &search));
        if users {
            (0..self.tenant.users + state.created_users)
                .filter(|u| state.user_life(*u) == Life::Live)
                .for_each(|u| one(Object::User(u)));
        } else {
            (0..self.tenant.groups + state.created_groups)
                .filter(|g| state.group_life(*g) == Life::Live)
                .for_each(|g| one(Object::Group(g)));
        }
        Ok(Reply { content_type: Some("text/plain"), ..Reply::json(200, n.to_string().into_bytes()) })
    }

    fn matches(&self, state: &State, object: Object, filter: Option<&Filter>, search: &[(Option<String>, String)]) -> bool {
        let value = |name: &str| self.tenant.value(state, object, name);
        let contains = |name: &str, part: &str| value(name).as_str().is_some_and(|t| t.to_lowercase().contains(part));
        filter.is_none_or(|f| f.holds(&value))
            && search.iter().all(|(property, part)| match property {
                Some(p) => contains(p, part),
                None => ["displayName", "mail", "userPrincipalName"].iter().any(|p| contains(p, part)),
            })
    }

    /// `$search="property:text"`, several joined by AND.
    fn search(&self) -> Result<Vec<(Option<String>, String)>, Fault> {
        let Some(text) = self.query.get("$search") else { return Ok(vec![]) };
        if !self.ask.eventual {
            return Err(Fault::unsupported(
                "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
            ));
        }
        let clause = |part: &str| {
            let inner = part.trim().strip_prefix('"')?.strip_suffix('"')?;
            match inner.split_once(':') {
                Some((p, t))
                    if ["displayName", "mail", "userPrincipalName", "description", "mailNickname", "givenName", "surname"]
                        .contains(&p) =>
                {
                    Some((Some(p.to_owned()), t.to_lowercase()))
                }
                Some(_) => None,
                None => Some((None, inner.to_lowercase())),
            }
        };
        text.split(" AND ")
            .map(|p| {
                clause(p).ok_or_else(|| {
                    Fault::bad_request("Syntax error in the $search clause: write \"property:text\" in quotation marks.")
                })
            })
            .collect()
    }

    fn wanted(&self, kind: Type, context: &str) -> Result<Wanted, Fault> {
        self.query.only(&["$top", "$skiptoken", "$filter", "$search", "$count", "$orderby", "$select", "$expand"])?;
        let select = select(self.tenant, &self.query, kind, Place::List)?;
        self.check_sign_in_activity(select.user)?;
        let most = if select.explicit && select.user & UserProp::SignInActivity.bit() != 0 { 500 } else { 999 };
        let top = match self.query.get("$top") {
            None => DEFAULT_TOP,
            Some(t) => t.parse().ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                Fault::unsupported(format!("Invalid page size specified: '{t}'. Must be between 1 and {most} inclusive."))
            })?,
        };
        let advanced = self.ask.eventual && self.query.counts();
        let filter = filter(&self.query)?;
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
        let cast_with_more = context == "users"
            && self.ask.path.contains("embers/")
            && (filter.is_some() || order.is_some() || self.query.get("$select").is_some());
        if (needs || cast_with_more) && !advanced {
            return Err(Fault::unsupported("Unsupported Query."));
        }
        let expand_manager = match self.query.get("$expand").map(|e| e.replace(' ', "")) {
            None => false,
            Some(e) if kind == Type::User && matches!(e.as_str(), "manager" | "manager($select=id)") => true,
            Some(e) => {
                return Err(Fault::new(
                    400,
                    "BadRequest",
                    format!("Parsing OData Select and Expand failed: '{}' cannot be expanded here.", e.replace('"', "'")),
                ));
            }
        };
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
        Ok(Wanted { select, filter, search: self.search()?, order, top, cursor, first_page, count: advanced, expand_manager })
    }

    fn list(&self, state: &State, kind: Type, context: &str, scan: Scan<'_>) -> Result<Reply, Fault> {
        let wanted = self.wanted(kind, context)?;
        let fits = |o: Object| {
            let right = match kind {
                Type::User => matches!(o, Object::User(_)),
                Type::Group => matches!(o, Object::Group(_)),
                Type::Any => true,
            };
            right
                && ((wanted.filter.is_none() && wanted.search.is_empty())
                    || self.matches(state, o, wanted.filter.as_ref(), &wanted.search))
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
        let mut out = self.context(context);
        if wanted.count && wanted.first_page {
            out.extend_from_slice(format!(",\"@odata.count\":{}", count.unwrap_or_default()).as_bytes());
        }
        if let Some(cursor) = next {
            let kept = self.ask.query.split('&').filter(|p| {
                !p.is_empty() && !p.to_lowercase().starts_with("$skiptoken") && !p.to_lowercase().starts_with("%24skiptoken")
            });
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
            if let Object::User(u) = object
                && wanted.expand_manager
                && let Some(m) = self.tenant.manager(state, u)
            {
                out.pop();
                out.extend_from_slice(b",\"manager\":{\"@odata.type\":\"#microsoft.graph.user\",\"id\":\"");
                put_guid(&mut out, self.tenant.id_of(Object::User(m)));
                out.extend_from_slice(b"\"}}");
            }
        }
        out.extend_from_slice(b"]}");
        Ok(Reply::json(200, out))
    }
}

fn walk(all: &[Object], from: u64, each: &mut dyn FnMut(Object, u64) -> bool) {
    for (i, o) in all.iter().enumerate().skip(from as usize) {
        if !each(*o, i as u64 + 1) {
            return;
        }
    }
}
