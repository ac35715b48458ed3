//! Microsoft Graph: a thin client that survives what Graph documents and what it really does (`docs/connectors/microsoft-graph.md`).
//!
//! One [`Graph`] serves a process: it shares connections, tokens and the quota governor among all tenants. A [`GraphSource`] is one
//! app in one tenant. Links are opaque and are followed only on the connection's own origin.

mod check;
mod connection;
mod page;
mod quota;
mod request;
mod tenant;
mod token;
mod tries;
mod wire;

pub use check::needed as needed_permissions;
pub use connection::GraphConnection;
pub use quota::Priority;

use crate::surroundings::Surroundings;
use crate::{Select, SourceError, Stats};
use connection::Endpoints;
use model::attributes::READ_SET;
use model::directory::{Capabilities, Cursor, Feed, Page};
use page::DeltaPage;
use quota::{Account, Governor};
use request::{Ask, Parse, Route, SERVICE};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use token::Tokens;
use url::Url;
use wire::Wire;

/// Any of these lets an app read all users' profiles.
const READ_USERS: &[&str] = &["User.Read.All", "Directory.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
/// Any of these lets an app read groups and their members.
const READ_GROUPS: &[&str] = &[
    "GroupMember.Read.All",
    "GroupMember.ReadBasic.All",
    "Group.ReadBasic.All",
    "Group.Read.All",
    "Directory.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
];
/// Any of these lets an app read the tenant's licences; all but the last also its name and domains.
const READ_ORGANIZATION: &[&str] = &[
    "Organization.Read.All",
    "Directory.Read.All",
    "Organization.ReadWrite.All",
    "Directory.ReadWrite.All",
    "LicenseAssignment.Read.All",
];

const USERS_DELTA: Route = Route { name: "users/delta", what: "reading users", units: 1, permissions: READ_USERS };
const GROUPS_DELTA: Route = Route { name: "groups/delta", what: "reading groups", units: 1, permissions: READ_GROUPS };

/// What all connections of a process share.
pub struct Graph {
    around: Surroundings,
    wire: Wire,
    tokens: Tokens,
    governor: Governor,
}

impl Graph {
    /// Sets up what connections share. Nothing is contacted yet.
    #[must_use]
    pub fn new(around: Surroundings) -> Arc<Self> {
        crate::install_tls();
        Arc::new(Self { around, wire: Wire::default(), tokens: Tokens::default(), governor: Governor::default() })
    }

    /// One app in one tenant. Nothing is contacted yet.
    ///
    /// # Errors
    /// [`SourceError::BadConnection`] when a setting cannot be right.
    pub fn source(self: &Arc<Self>, connection: GraphConnection) -> Result<GraphSource, SourceError> {
        let endpoints = Endpoints::of(&connection)?;
        let account = Account {
            app: format!("{} {}", endpoints.login_host(), connection.client_id).to_ascii_lowercase(),
            tenant: connection.tenant.trim().to_ascii_lowercase(),
        };
        Ok(GraphSource {
            graph: self.clone(),
            connection: Arc::new(connection),
            endpoints: Arc::new(endpoints),
            account,
            priority: Priority::default(),
            stats: Arc::default(),
        })
    }
}

/// One app in one tenant. Clones share their statistics.
#[derive(Clone)]
pub struct GraphSource {
    graph: Arc<Graph>,
    connection: Arc<GraphConnection>,
    endpoints: Arc<Endpoints>,
    account: Account,
    priority: Priority,
    stats: Arc<Mutex<Stats>>,
}

impl fmt::Debug for GraphSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphSource")
            .field("connection", &self.connection)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl GraphSource {
    /// The same source for somebody who waits: goes ahead of the schedule's requests.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Graph tells everything.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { complete_rounds: true, tombstones: true, deleted_items: true, licences: true }
    }

    /// The next page of a feed; see [`crate::Source::page`].
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn page(&self, feed: Feed, cursor: &Cursor, select: &Select) -> Result<Page, SourceError> {
        let (route, parse): (&Route, Parse<DeltaPage>) = match feed {
            Feed::Users => (&USERS_DELTA, page::users),
            Feed::Groups => (&GROUPS_DELTA, page::groups),
        };
        let (url, stored) = match cursor {
            Cursor::Refresh => (self.first_page(feed, select)?, false),
            Cursor::Page(link) | Cursor::Active(link) => (self.endpoints.link(link)?, true),
        };
        let ask = Ask { route, url, stored, expected: "a page of changes with one link to go on from", token: None };
        let told = self.get(ask, parse).await?;
        self.complete(told)
    }

    /// What was asked so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn first_page(&self, feed: Feed, select: &Select) -> Result<Url, SourceError> {
        match feed {
            Feed::Users => {
                let mut names: Vec<&str> = READ_SET.to_vec();
                names.extend(select.extensions().iter().map(String::as_str));
                names.push("manager");
                self.endpoints.graph(&format!("users/delta?$select={}", names.join(",")))
            }
            Feed::Groups => self.endpoints.graph("groups/delta?$select=id,displayName,createdDateTime,members"),
        }
    }

    /// A page is complete with a `value`, an id on every object, and exactly one link. An object without an id cannot be kept, and
    /// dropping it would make it look deleted, so such a page is refused as a whole.
    fn complete(&self, told: DeltaPage) -> Result<Page, SourceError> {
        let refuse = |got: String| {
            Err(SourceError::NotGraph {
                host: self.endpoints.graph_host(),
                service: SERVICE,
                expected: "a page of changes with one link to go on from",
                got,
                trace: Box::default(),
            })
        };
        if !told.has_value {
            return refuse("an object without “value”".to_owned());
        }
        if told.nameless > 0 {
            return refuse(format!("{} objects without an id", told.nameless));
        }
        let next = match (told.next, told.delta) {
            (Some(link), None) => Cursor::Page(link),
            (None, Some(link)) => Cursor::Active(link),
            (Some(_), Some(_)) => return refuse("both a nextLink and a deltaLink".to_owned()),
            (None, None) => return refuse("neither a nextLink nor a deltaLink".to_owned()),
        };
        // Refused now rather than stored: the position before it stays good.
        if let Cursor::Page(link) | Cursor::Active(link) = &next {
            self.endpoints.link(link)?;
        }
        Ok(Page { events: told.events, next })
    }

    fn count(&self, add: impl FnOnce(&mut Stats)) {
        add(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
