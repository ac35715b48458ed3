//! Groups and direct memberships of the mirror.

use super::page::{PageStats, Place};
use super::{GROUP, USER, touch, users};
use crate::db::{OnConflict, Tx, Value};
use crate::error::Result;
use crate::values;
use model::SourceId;
use model::directory::{GroupTold, MemberKind};
use std::collections::{HashMap, HashSet};

/// What a page told of groups, while it is folded in its order.
#[derive(Default)]
pub(super) struct Folding {
    groups: HashMap<String, One>,
    /// Group and member: the member's kind, or none when the membership ended.
    edges: HashMap<(String, String), Option<MemberKind>>,
}

#[derive(Default)]
struct One {
    told: Option<GroupTold>,
    /// The page told, before anything else of it that counts, that the group is gone.
    cleared: bool,
    gone: bool,
}

impl Folding {
    pub fn group(&mut self, group: GroupTold) {
        let Some(id) = &group.id else { return };
        let one = self.groups.entry(id.as_str().to_owned()).or_default();
        one.gone = false;
        match &mut one.told {
            Some(earlier) => {
                earlier.name = group.name.or(earlier.name.take());
                earlier.created = group.created.or(earlier.created.take());
            }
            none => *none = Some(group),
        }
    }

    pub fn removed(&mut self, id: SourceId) {
        let id = id.as_str().to_owned();
        self.edges.retain(|(group, _), _| *group != id);
        *self.groups.entry(id).or_default() = One { told: None, cleared: true, gone: true };
    }

    pub fn member(&mut self, group: SourceId, member: SourceId, kind: Option<MemberKind>) {
        self.edges.insert((group.as_str().to_owned(), member.as_str().to_owned()), kind);
    }

    /// Lists what memberships name, so that each name is looked up once.
    pub fn listed(self) -> Told {
        let (mut names, mut people) = (Vec::new(), Vec::new());
        for ((group, member), kind) in &self.edges {
            names.push((group.as_str(), kind.is_some()));
            // An ended membership does not say what the member was.
            if *kind != Some(MemberKind::User) {
                names.push((member, kind.is_some()));
            }
            if *kind != Some(MemberKind::Group) {
                people.push((member.as_str(), kind.is_some()));
            }
        }
        let (names, people) = (Named::of(names), Named::of(people));
        let edges = self.edges.iter();
        let edges = edges.map(|((group, member), kind)| Edge {
            group: names.place(group),
            user: people.place(member),
            nested: names.place(member),
            kind: *kind,
        });
        Told { edges: edges.collect(), names, people, groups: self.groups }
    }
}

/// What a page told of groups.
#[derive(Default)]
pub(super) struct Told {
    groups: HashMap<String, One>,
    /// Groups that memberships name, as groups or as members.
    names: Named,
    /// Members that are users, or may have been.
    people: Named,
    edges: Vec<Edge>,
}

/// Source ids that memberships name, sorted, each once. Beside it: whether some membership began, so that there must be a row to hang
/// it on.
#[derive(Default)]
struct Named(Vec<(String, bool)>);

impl Named {
    fn of(mut ids: Vec<(&str, bool)>) -> Self {
        ids.sort_unstable();
        // One of each is kept, and says true if any does.
        ids.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            kept.1 |= same && later.1;
            same
        });
        Self(ids.into_iter().map(|(id, begins)| (id.to_owned(), begins)).collect())
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(id)).ok()
    }
}

/// A membership, by the places of what it names.
struct Edge {
    group: Option<usize>,
    user: Option<usize>,
    nested: Option<usize>,
    /// None when it ended.
    kind: Option<MemberKind>,
}

struct Known {
    key: i64,
    name: String,
    created: Option<String>,
    present: bool,
}

const ROW: &[&str] = &["id", "tenant_id", "source_id", "name", "created", "present", "round"];
const UPDATE: &[&str] = &["id", "name", "created", "present", "round"];
const EDGE: &[&str] = &["member_id", "kind", "group_id", "round"];
const TOLD_AGAIN: OnConflict = OnConflict::Do("(member_id, kind, group_id) DO UPDATE SET round = excluded.round");

pub(super) async fn commit(tx: &mut Tx, place: Place, told: Told, stats: &mut PageStats) -> Result<()> {
    if told.groups.is_empty() && told.edges.is_empty() {
        return Ok(());
    }
    let mut names: Vec<String> = told.names.0.iter().map(|(id, _)| id.clone()).chain(told.groups.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    let known = load(tx, place, names).await?;
    let mut log = Vec::new();
    let keys = write_groups(tx, place, &told, known, &mut log, stats).await?;
    write_edges(tx, place, told, &keys, &mut log, stats).await?;
    if place.log_edges {
        tx.insert_many("edge_changes", touch::EDGE_CHANGE, log, OnConflict::Fail).await?;
    }
    Ok(())
}

async fn load(tx: &mut Tx, place: Place, ids: Vec<String>) -> Result<HashMap<String, Known>> {
    let sql = "SELECT source_id, id, name, created, present FROM mirror_groups
         WHERE tenant_id = $1 AND source_id IN EACH_TEXT($2)";
    let mut known = HashMap::new();
    for mut row in tx.query(sql, values![place.tenant, ids]).await? {
        let one = Known { key: row.get(1)?, name: row.take_text(2)?, created: row.get(3)?, present: row.get(4)? };
        known.insert(row.take_text(0)?, one);
    }
    Ok(known)
}

/// Writes the groups and gives the key of every group the page named.
async fn write_groups(
    tx: &mut Tx,
    place: Place,
    told: &Told,
    known: HashMap<String, Known>,
    log: &mut Vec<Vec<Value>>,
    stats: &mut PageStats,
) -> Result<HashMap<String, i64>> {
    let (mut updates, mut cleared) = (Vec::new(), Vec::new());
    let mut new: Vec<(&str, Option<&GroupTold>)> = Vec::new();
    for (id, one) in &told.groups {
        let Some(known) = known.get(id) else {
            if !one.gone {
                new.push((id, one.told.as_ref()));
                stats.groups += 1;
            }
            continue;
        };
        if one.cleared {
            cleared.push(known.key);
        }
        if one.gone {
            updates.push(values![known.key, known.name.as_str(), known.created.clone(), false, place.round]);
            continue;
        }
        stats.groups += 1;
        let told = one.told.as_ref();
        let name = told.and_then(|t| t.name.clone()).unwrap_or_else(|| known.name.clone());
        let created = told.and_then(|t| t.created.clone()).or_else(|| known.created.clone());
        let changed = name != known.name || created != known.created || !known.present;
        if changed {
            log.push(touch::itself(place.tenant, known.key));
        }
        if changed || place.full {
            updates.push(values![known.key, name, created, true, place.round]);
        }
    }
    // Groups that memberships name and nothing told yet: a row to hang them on, present once told.
    for (id, begins) in &told.names.0 {
        if *begins && !known.contains_key(id) && !told.groups.contains_key(id) {
            new.push((id, None));
        }
    }
    new.sort_by_key(|(id, _)| *id);
    new.dedup_by_key(|(id, _)| *id);
    let fresh = tx.fresh_ids("mirror_groups", new.len()).await?;
    let mut keys: HashMap<String, i64> = known.into_iter().map(|(id, k)| (id, k.key)).collect();
    let mut inserts = Vec::with_capacity(new.len());
    for ((id, told_of), key) in new.into_iter().zip(fresh) {
        let name = told_of.and_then(|t| t.name.as_deref()).unwrap_or("");
        let created = told_of.and_then(|t| t.created.as_deref());
        inserts.push(values![key, place.tenant, id, name, created, told_of.is_some(), place.round]);
        keys.insert(id.to_owned(), key);
    }
    tx.insert_many("mirror_groups", ROW, inserts, OnConflict::Fail).await?;
    tx.update_many("mirror_groups", UPDATE, updates).await?;
    if !cleared.is_empty() {
        let sql = "DELETE FROM memberships WHERE group_id IN EACH_INT($1) OR (kind = 1 AND member_id IN EACH_INT($1))
             RETURNING group_id, member_id, kind";
        for row in tx.query(sql, values![cleared]).await? {
            log.push(values![place.tenant, row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?]);
            stats.edges_removed += 1;
        }
    }
    Ok(keys)
}

async fn write_edges(
    tx: &mut Tx,
    place: Place,
    told: Told,
    groups: &HashMap<String, i64>,
    log: &mut Vec<Vec<Value>>,
    stats: &mut PageStats,
) -> Result<()> {
    let groups: Vec<Option<i64>> = told.names.0.iter().map(|(id, _)| groups.get(id).copied()).collect();
    let people = members(tx, place, told.people).await?;
    let key = |keys: &[Option<i64>], place: Option<usize>| keys.get(place?).copied().flatten();
    let (mut added, mut removed) = (Vec::with_capacity(told.edges.len()), Vec::new());
    for edge in told.edges {
        let Some(group) = key(&groups, edge.group) else { continue };
        let user = || key(&people, edge.user).map(|user| (user, USER, group));
        let nested = || key(&groups, edge.nested).map(|nested| (nested, GROUP, group));
        match edge.kind {
            Some(MemberKind::User) => added.extend(user()),
            Some(MemberKind::Group) => added.extend(nested()),
            None => removed.extend(user().into_iter().chain(nested())),
        }
    }
    // In key order, so that neighbours in the index are written together.
    added.sort_unstable();
    stats.edges_added += added.len() as u64;
    if place.log_edges {
        let members: HashSet<i64> = added.iter().map(|(member, ..)| *member).collect();
        let sql = "SELECT member_id, kind, group_id FROM memberships WHERE member_id IN EACH_INT($1)";
        let rows = tx.query(sql, values![members.into_iter().collect::<Vec<_>>()]).await?;
        let known: HashSet<(i64, i64, i64)> =
            rows.iter().map(|r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).collect::<Result<_>>()?;
        let fresh = added.iter().filter(|edge| !known.contains(edge));
        log.extend(fresh.map(|(member, kind, group)| values![place.tenant, *group, *member, *kind]));
    }
    let rows = added.into_iter().map(|(member, kind, group)| values![member, kind, group, place.round]).collect();
    tx.insert_many("memberships", EDGE, rows, TOLD_AGAIN).await?;
    for (member, kind, group) in removed {
        let sql = "DELETE FROM memberships WHERE member_id = $1 AND kind = $2 AND group_id = $3";
        if tx.execute(sql, values![member, kind, group]).await? == 1 {
            log.push(values![place.tenant, group, member, kind]);
            stats.edges_removed += 1;
        }
    }
    Ok(())
}

/// The keys of these users, in their order; unknown ones whose membership began are made as unseen.
async fn members(tx: &mut Tx, place: Place, people: Named) -> Result<Vec<Option<i64>>> {
    let ids: Vec<String> = people.0.iter().map(|(id, _)| id.clone()).collect();
    // In the order of the index, which is also theirs.
    let sql = "SELECT source_id, id FROM mirror_users WHERE tenant_id = $1 AND source_id IN EACH_TEXT($2) ORDER BY source_id";
    let mut known = tx.query(sql, values![place.tenant, ids]).await?.into_iter().peekable();
    let mut keys = Vec::with_capacity(people.0.len());
    let mut unknown = Vec::new();
    for (id, begins) in people.0 {
        match known.next_if(|row| row.str(0).is_ok_and(|found| found == id)) {
            Some(row) => keys.push(Some(row.get(1)?)),
            None => {
                if begins {
                    unknown.push((keys.len(), id));
                }
                keys.push(None);
            }
        }
    }
    let (places, ids): (Vec<usize>, Vec<String>) = unknown.into_iter().unzip();
    for (at, (_, key)) in places.into_iter().zip(users::stubs(tx, place, ids).await?) {
        keys[at] = Some(key);
    }
    Ok(keys)
}
