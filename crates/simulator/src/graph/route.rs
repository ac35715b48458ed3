//! Which paths exist, what they cost (contract section e) and which permissions open them (section i).

use super::query::{Query, Type, decode};
use crate::reply::Fault;

/// A path that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/users`
    Users,
    /// `/groups`
    Groups,
    /// `/users/$count` or `/groups/$count`
    Count(bool),
    /// `/users/delta` or `/groups/delta`
    Delta(bool),
    /// `/users/{id|upn}`
    User(String),
    /// `/groups/{id}`
    Group(String),
    /// `/users/{id}/manager`
    Manager(String),
    /// `/users/{id}/manager/$ref`
    ManagerRef(String),
    /// `/users/{id}/memberOf`, `/transitiveMemberOf`
    MemberOf {
        /// The user.
        user: String,
        /// Whether groups above groups are listed too.
        transitive: bool,
    },
    /// `/users/{id}/licenseDetails`
    LicenseDetails(String),
    /// `/groups/{id}/members`, `/transitiveMembers`, with or without a cast
    Members {
        /// The group.
        group: String,
        /// Whether members of members are listed too.
        transitive: bool,
        /// The cast.
        kind: Type,
    },
    /// `/groups/{id}/members/$ref`
    MembersRef(String),
    /// `/groups/{id}/members/{id}/$ref`
    MemberRef {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// `/directory/deletedItems/microsoft.graph.user|group`
    DeletedItems(Type),
    /// `/directory/deletedItems/{id}`
    DeletedItem(String),
    /// `/directory/deletedItems/{id}/restore`
    Restore(String),
    /// `/organization`, `/organization/{id}`
    Organization(Option<String>),
    /// `/subscribedSkus`
    Skus,
    /// `/servicePrincipals/{id}/appRoleAssignedTo`
    AppRoles(String),
    /// `/$batch`
    Batch,
}

/// Segments of a path: decoded, `name('key')` taken apart, `()` and `microsoft.graph.` before a function dropped.
fn segments(path: &str) -> Vec<String> {
    let mut out = vec![];
    for raw in path.trim_start_matches("/v1.0").split('/').filter(|s| !s.is_empty()) {
        let text = decode(raw, false);
        if let Some((name, key)) = text.split_once('(').filter(|(n, _)| matches!(*n, "users" | "groups" | "servicePrincipals"))
            && let Some(key) = key.strip_suffix(')')
        {
            out.push(name.to_owned());
            let key = key.strip_prefix("appId=").map_or_else(|| key.to_owned(), |k| format!("appId={k}"));
            out.push(key.replace('\'', ""));
            continue;
        }
        let text = text.strip_suffix("()").unwrap_or(&text);
        out.push(if text == "microsoft.graph.delta" { "delta".to_owned() } else { text.to_owned() });
    }
    out
}

impl Route {
    /// The route of a path.
    ///
    /// # Errors
    /// 400 as Graph answers for a path it does not know.
    pub fn find(method: &str, path: &str) -> Result<Self, Fault> {
        let segments = segments(path);
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let cast = |t: &str| match t {
            "microsoft.graph.user" => Some(Type::User),
            "microsoft.graph.group" => Some(Type::Group),
            _ => None,
        };
        let route = match parts.as_slice() {
            ["users"] => Self::Users,
            ["groups"] => Self::Groups,
            ["users", "$count"] => Self::Count(true),
            ["groups", "$count"] => Self::Count(false),
            ["users", "delta"] => Self::Delta(true),
            ["groups", "delta"] => Self::Delta(false),
            ["users", id] => Self::User((*id).to_owned()),
            ["groups", id] => Self::Group((*id).to_owned()),
            ["users", id, "manager"] => Self::Manager((*id).to_owned()),
            ["users", id, "manager", "$ref"] => Self::ManagerRef((*id).to_owned()),
            ["users", id, which @ ("memberOf" | "transitiveMemberOf")] | ["users", id, which @ ("memberOf" | "transitiveMemberOf"), "microsoft.graph.group"] =>
                Self::MemberOf { user: (*id).to_owned(), transitive: *which == "transitiveMemberOf" },
            ["users", id, "licenseDetails"] => Self::LicenseDetails((*id).to_owned()),
            ["groups", id, "members", "$ref"] => Self::MembersRef((*id).to_owned()),
            ["groups", id, "members", member, "$ref"] => Self::MemberRef { group: (*id).to_owned(), member: (*member).to_owned() },
            ["groups", id, which @ ("members" | "transitiveMembers")] => Self::Members { group: (*id).to_owned(), transitive: *which != "members", kind: Type::Any },
            ["groups", id, which @ ("members" | "transitiveMembers"), kind] if cast(kind).is_some() =>
                Self::Members { group: (*id).to_owned(), transitive: *which != "members", kind: cast(kind).unwrap_or(Type::Any) },
            ["directory", "deletedItems", kind] if cast(kind).is_some() => Self::DeletedItems(cast(kind).unwrap_or(Type::Any)),
            ["directory", "deletedItems", id] => Self::DeletedItem((*id).to_owned()),
            ["directory", "deletedItems", id, "restore"] => Self::Restore((*id).to_owned()),
            ["organization"] => Self::Organization(None),
            ["organization", id] => Self::Organization(Some((*id).to_owned())),
            ["subscribedSkus"] => Self::Skus,
            ["servicePrincipals", id, "appRoleAssignedTo"] => Self::AppRoles((*id).to_owned()),
            ["$batch"] => Self::Batch,
            ["me", ..] => return Err(Fault::new(400, "BadRequest", "/me request is only valid with delegated authentication flow.")),
            ["directory", "deletedItems"] => return Err(Fault::bad_request("The type cast is required: append /microsoft.graph.user or /microsoft.graph.group.")),
            _ => {
                let segment = parts.last().copied().unwrap_or_default();
                return Err(Fault::new(if method == "GET" { 400 } else { 404 }, "BadRequest", format!("Resource not found for the segment '{segment}'.")));
            }
        };
        Ok(route)
    }

    /// Name in the statistics.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Count(true) => "users/$count",
            Self::Count(false) => "groups/$count",
            Self::Delta(true) => "users/delta",
            Self::Delta(false) => "groups/delta",
            Self::User(_) => "users/{id}",
            Self::Group(_) => "groups/{id}",
            Self::Manager(_) => "users/{id}/manager",
            Self::ManagerRef(_) => "users/{id}/manager/$ref",
            Self::MemberOf { transitive: false, .. } => "users/{id}/memberOf",
            Self::MemberOf { .. } => "users/{id}/transitiveMemberOf",
            Self::LicenseDetails(_) => "users/{id}/licenseDetails",
            Self::Members { transitive: false, .. } => "groups/{id}/members",
            Self::Members { .. } => "groups/{id}/transitiveMembers",
            Self::MembersRef(_) | Self::MemberRef { .. } => "groups/{id}/members/$ref",
            Self::DeletedItems(_) => "directory/deletedItems",
            Self::DeletedItem(_) => "directory/deletedItems/{id}",
            Self::Restore(_) => "directory/deletedItems/{id}/restore",
            Self::Organization(_) => "organization",
            Self::Skus => "subscribedSkus",
            Self::AppRoles(_) => "servicePrincipals/{id}/appRoleAssignedTo",
            Self::Batch => "$batch",
        }
        .to_owned()
    }

    /// Whether the path is only there to change something.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::ManagerRef(_) | Self::MembersRef(_) | Self::MemberRef { .. } | Self::Restore(_))
    }

    /// Resource units of a read.
    #[must_use]
    pub fn cost(&self, query: &Query) -> u64 {
        let base = match self {
            Self::Users | Self::MemberOf { .. } | Self::LicenseDetails(_) => 2i64,
            Self::Members { transitive: false, .. } | Self::Skus => 3,
            Self::Members { .. } => 5,
            _ => 1,
        };
        let top = query.get("$top").and_then(|t| t.parse::<i64>().ok());
        let cost = base - i64::from(query.get("$select").is_some()) + i64::from(query.get("$expand").is_some()) - i64::from(top.is_some_and(|t| t < 20));
        cost.max(1) as u64
    }
}

impl Route {
    /// Application permissions, any of which opens the path for reading; empty for a batch, whose items are checked each.
    #[must_use]
    pub fn permissions(&self) -> &'static [&'static str] {
        const USERS: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
        const GROUPS: &[&str] =
            &["GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
        const MEMBER_OF: &[&str] = &["GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
        const ORGANIZATION: &[&str] = &["Organization.Read.All", "User.Read.All", "Directory.Read.All"];
        const SKUS: &[&str] = &["LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All"];
        const LICENSES: &[&str] = &["LicenseAssignment.Read.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
        const APPS: &[&str] = &["Application.Read.All", "Directory.Read.All"];
        const DELETED: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "User.DeleteRestore.All", "Directory.Read.All"];
        match self {
            Self::Users | Self::Count(true) | Self::Delta(true) | Self::User(_) | Self::Manager(_) | Self::ManagerRef(_) => USERS,
            Self::Groups | Self::Count(false) | Self::Delta(false) | Self::Group(_) | Self::Members { .. } | Self::MembersRef(_) | Self::MemberRef { .. } => GROUPS,
            Self::MemberOf { .. } => MEMBER_OF,
            Self::LicenseDetails(_) => LICENSES,
            Self::DeletedItems(_) | Self::DeletedItem(_) | Self::Restore(_) => DELETED,
            Self::Organization(_) => ORGANIZATION,
            Self::Skus => SKUS,
            Self::AppRoles(_) => APPS,
            Self::Batch => &[],
        }
    }
}
