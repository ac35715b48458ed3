//! Read directories: pages of events about users, groups and memberships, and what a tenant is.
//!
//! A source tells; it never decides and never remembers. Where reading stands is a [`model::directory::Cursor`] that the caller
//! stores together with the page it came with. Every error is a [`SourceError`]: one variant per thing a person can do about it.
//! To add a source: a folder beside `graph/`, a variant of [`Source`], and its page in `docs/connectors/`.

mod error;
pub mod graph;
mod stats;
mod surroundings;
mod watch;

pub use error::{SourceError, Trace};
pub use graph::{Graph, GraphConnection, GraphSource, Priority};
pub use stats::Stats;
pub use surroundings::{Pause, Surroundings, TokioPause};
pub use watch::Watch;

use model::directory::{Capabilities, Cursor, Feed, Page, Sku};
use model::{SourceId, Value};

/// A directory of one tenant.
#[derive(Debug, Clone)]
pub enum Source {
    /// Microsoft Graph.
    Graph(GraphSource),
}

impl Source {
    /// What it can tell, so that nothing is concluded from what it cannot.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Graph(source) => source.capabilities(),
        }
    }

    /// Reads the next page of a feed. The page's `next` is the cursor to go on from; the caller stores it with the page.
    ///
    /// In a round begun at [`Cursor::Refresh`] the first telling of an object is all there is of it (what it does not name, it has
    /// not); in later rounds a telling names what changed, or more. The same object may be told several times in a round, and
    /// changes may be told again in later rounds: applying a page twice must give the same mirror.
    ///
    /// # Errors
    /// [`SourceError::Resync`] when a stored cursor is no longer valid; otherwise see [`SourceError`].
    pub async fn page(&self, feed: Feed, cursor: &Cursor, select: &Select) -> Result<Page, SourceError> {
        match self {
            Self::Graph(source) => source.page(feed, cursor, select).await,
        }
    }

    /// Which of these users are among the deleted but restorable ones (ruling 79). Only the ids asked for are kept in memory.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn deleted_users(&self, ids: &[SourceId]) -> Result<Vec<SourceId>, SourceError> {
        match self {
            Self::Graph(source) => source.deleted_users(ids).await,
        }
    }

    /// Whose directory it is.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn organization(&self) -> Result<Organization, SourceError> {
        match self {
            Self::Graph(source) => source.organization().await,
        }
    }

    /// The tenant's licences.
    ///
    /// # Errors
    /// See [`SourceError`]; [`SourceError::ConsentMissing`] when they may not be read, which a caller can live without (ruling 106).
    pub async fn subscribed_skus(&self) -> Result<Vec<Sku>, SourceError> {
        match self {
            Self::Graph(source) => source.subscribed_skus().await,
        }
    }

    /// The next page of who is assigned to our enterprise application (C13), and where the one after it is; begun with none. The list
    /// is read whole each time.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn app_assigned(&self, from: Option<&str>) -> Result<(Vec<Assigned>, Option<String>), SourceError> {
        match self {
            Self::Graph(source) => source.app_assigned(from).await,
        }
    }

    /// The next page of users with their dates of sign-ins (F08), as Graph's `signInActivity`, null for none; and where the one after it
    /// is; begun with none.
    ///
    /// # Errors
    /// See [`SourceError`]; [`SourceError::ConsentMissing`] and [`SourceError::PermissionDenied`] when they may not be read, which a
    /// caller can live without.
    pub async fn sign_ins(&self, from: Option<&str>) -> Result<(Vec<(SourceId, Value)>, Option<String>), SourceError> {
        match self {
            Self::Graph(source) => source.sign_ins(from).await,
        }
    }

    /// Which permissions are there, which are missing, and which are not needed by what is asked of the directory.
    ///
    /// # Errors
    /// See [`SourceError`]: when not even a token can be had, or the directory cannot be reached. A missing permission is no error.
    pub async fn check(&self, asks: Asks) -> Result<Vec<PermissionCheck>, SourceError> {
        match self {
            Self::Graph(source) => source.check(asks).await,
        }
    }

    /// What was asked of the directory through this source so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match self {
            Self::Graph(source) => source.stats(),
        }
    }
}

/// Who is assigned to our enterprise application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// A user.
    User(SourceId),
    /// A group: its direct members are.
    Group(SourceId),
}

/// What is read of a user beyond [`model::attributes::READ_SET`]: mapped directory extensions (ruling 60).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    extensions: Vec<String>,
}

impl Select {
    /// The read set and these directory extensions (`extension_{appId}_{name}`), sorted and without repeats. Gives back the
    /// first name that is none: anything else could change the meaning of the query it is written into.
    ///
    /// # Errors
    /// The name that is not a directory extension's.
    pub fn with_extensions(names: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut extensions: Vec<String> = names.into_iter().collect();
        extensions.sort_unstable();
        extensions.dedup();
        match extensions.iter().position(|name| !is_extension(name)) {
            Some(i) => Err(extensions.swap_remove(i)),
            None => Ok(Self { extensions }),
        }
    }

    /// The extensions.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// Whether a property's name is that of a directory extension.
pub(crate) fn is_extension(name: &str) -> bool {
    name.strip_prefix("extension_")
        .is_some_and(|rest| !rest.is_empty() && rest.len() <= 256 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Whose directory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The tenant id.
    pub id: SourceId,
    /// The organization's name; empty when it may not be read.
    pub display_name: String,
    /// Its verified domains; none when they may not be read.
    pub domains: Vec<Domain>,
}

/// A verified domain of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The domain's name.
    pub name: String,
    /// Whether new users get it.
    pub is_default: bool,
    /// Whether it is the tenant's first one (`….onmicrosoft.com`).
    pub is_initial: bool,
}

/// What is asked of a directory beyond users and groups, because a policy says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    /// Who is assigned to our enterprise application (C13).
    pub app_assigned: bool,
    /// Dates of sign-ins (F08).
    pub sign_ins: bool,
}

/// One line of a connection test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionCheck {
    /// The permission's name, such as `User.Read.All`.
    pub permission: String,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// Whether nothing works without it.
    pub mandatory: bool,
    /// Whether it is there.
    pub state: PermissionState,
    /// How that was found out, or what to do.
    pub detail: String,
}

/// Whether a permission is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionState {
    /// Granted, itself or through a wider one.
    Granted,
    /// Missing.
    Missing,
    /// Granted, but never used here.
    NotNeeded,
}

impl PermissionState {
    /// The words shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Missing => "missing",
            Self::NotNeeded => "not needed",
        }
    }
}

/// Chooses the cryptography TLS is spoken with, for the whole process. Called by [`Graph::new`]; calling it again changes nothing.
pub fn install_tls() {
    // An error only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directory_extensions_get_into_a_query() {
        let select =
            Select::with_extensions(["extension_b_x".to_owned(), "extension_a_y".to_owned(), "extension_b_x".to_owned()]);
        assert_eq!(select.expect("a select").extensions(), ["extension_a_y", "extension_b_x"]);
        for bad in ["mail", "extension_", "extension_a&$expand=x", "extension_ä"] {
            assert_eq!(Select::with_extensions([bad.to_owned()]), Err(bad.to_owned()));
        }
    }
}
