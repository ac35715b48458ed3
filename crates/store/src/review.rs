//! Review items: questions to a person, one for each user at most, and what people decided about them.
//!
//! An item is `open`; a person's choice makes it `decided`, and the plan that writes the choice `resolved`. A `dismissed` item keeps
//! its user out. One whose cause went away is `closed`.

use crate::audit;
use crate::db::{Row, Tx, Value};
use crate::error::{Result, StoreError};
use crate::mirror::touch;
use crate::records::people;
use crate::{Store, values};
use model::directory::Presence;
use model::facts::{Choice, Resolution};
use model::plan::ReviewItem;
use model::reason::ReviewWhy;
use model::records::Person;
use model::{Kind, PersonId, RunId, SourceId, TenantKey, UserKey};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A review item as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant: TenantKey,
    /// `open`, `decided`, `resolved`, `dismissed` or `closed`.
    pub state: String,
    /// The question.
    pub item: ReviewItem,
    /// The user's name as last told.
    pub user_name: String,
    /// First asked, milliseconds since 1970.
    pub opened_at: i64,
    /// Last changed.
    pub changed_at: i64,
    /// Who decided about it last.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// What people chose, at most one for each kind of record.
    pub chosen: Vec<Resolution>,
    /// The run that writes, or wrote, what was chosen.
    pub run: Option<RunId>,
}

/// Which items to list, oldest first.
#[derive(Debug, Clone, Default)]
pub struct ReviewFilter {
    /// Of one tenant.
    pub tenant: Option<TenantKey>,
    /// In this state; none = open.
    pub state: Option<String>,
    /// For this reason.
    pub why: Option<ReviewWhy>,
    /// Only items after this number: the cursor.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

/// What a person does about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// This is the record, or a new one is wanted.
    Choose(Choice),
    /// The user stays out.
    Dismiss,
    /// It is asked again.
    Reopen,
}

impl Verdict {
    /// The word used everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Choose(Choice::Link(_)) => "link",
            Verdict::Choose(Choice::Create) => "create",
            Verdict::Dismiss => "dismiss",
            Verdict::Reopen => "reopen",
        }
    }

    fn record(self) -> Option<PersonId> {
        match self {
            Verdict::Choose(Choice::Link(record)) => Some(record),
            _ => None,
        }
    }
}

/// One thing somebody decided about an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewDecision {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub by: String,
    /// `link`, `create`, `dismiss` or `reopen`.
    pub action: String,
    /// The record that was chosen.
    pub record: Option<PersonId>,
    /// The run that writes it.
    pub run: Option<RunId>,
}

/// A record an item shows, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewCandidate {
    /// The record.
    pub person: Person,
    /// Its client's name.
    pub client: Option<String>,
    /// The user it is linked to: key, name, and whether they are in the directory.
    pub linked: Option<(UserKey, String, Presence)>,
}

const ITEM: &str = "SELECT r.id, r.tenant_id, r.user_id, u.source_id, r.state, r.why, r.rule, r.kind, r.candidates, r.evidence,
    r.other, r.opened_at, r.changed_at, r.decided_by, u.attributes, r.decided_at, r.resolution, r.run_id
    FROM review_items r JOIN mirror_users u ON u.id = r.user_id";

/// What a person chose, as it is kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Chosen {
    #[serde(flatten)]
    pub resolution: Resolution,
    /// It is told again after it was written (see [`Resolution::holds`]).
    pub stays: bool,
}

/// Reads a stored word back.
pub(crate) fn kind(word: &str) -> Result<Kind> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|e| StoreError::Corrupt(format!("review_items.kind: {e}")))
}

/// Reads a stored word back.
pub(crate) fn why(word: &str) -> Result<ReviewWhy> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|e| StoreError::Corrupt(format!("review_items.why: {e}")))
}

fn name_of(attributes: &model::Attributes, id: &SourceId) -> String {
    attributes.text("displayName").or_else(|| attributes.text("userPrincipalName")).unwrap_or(id.as_str()).to_owned()
}

fn review(row: &Row) -> Result<Review> {
    let chosen: Vec<Chosen> = row.json_opt(16)?.unwrap_or_default();
    let source_id: SourceId = row.get(3)?;
    Ok(Review {
        id: row.get(0)?,
        tenant: row.get(1)?,
        state: row.get(4)?,
        user_name: name_of(&row.json(14)?, &source_id),
        item: ReviewItem {
            user: row.get(2)?,
            source_id,
            why: why(row.str(5)?)?,
            rule: row.get(6)?,
            kind: kind(row.str(7)?)?,
            candidates: row.json(8)?,
            evidence: row.json(9)?,
            other: row.get(10)?,
        },
        opened_at: row.get(11)?,
        changed_at: row.get(12)?,
        decided_by: row.get(13)?,
        decided_at: row.get(15)?,
        chosen: chosen.into_iter().map(|c| c.resolution).collect(),
        run: row.get(17)?,
    })
}

/// The conditions of a filter but its cursor; parameters follow those there are.
fn conditions(filter: &ReviewFilter, params: &mut Vec<Value>) -> String {
    params.push(filter.state.as_deref().unwrap_or("open").into());
    let mut sql = format!("r.state = ${}", params.len());
    if let Some(tenant) = filter.tenant {
        params.push(tenant.into());
        sql += &format!(" AND r.tenant_id = ${}", params.len());
    }
    if let Some(why) = filter.why {
        params.push(why.as_str().into());
        sql += &format!(" AND r.why = ${}", params.len());
    }
    sql
}

impl Store {
    /// Review items, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<Review>> {
        let mut params = values![filter.after, filter.limit];
        let sql = format!("{ITEM} WHERE r.id > $1 AND {} ORDER BY r.id LIMIT $2", conditions(filter, &mut params));
        self.db.query(&sql, params).await?.iter().map(review).collect()
    }

    /// How many items a filter holds, whatever its cursor and limit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_reviews(&self, filter: &ReviewFilter) -> Result<i64> {
        let mut params = Vec::new();
        let sql = format!("SELECT COUNT(*) FROM review_items r WHERE {}", conditions(filter, &mut params));
        self.db.query_opt(&sql, params).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// How many items of a filter have each reason, whatever reason, cursor and limit the filter names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reviews_by_why(&self, filter: &ReviewFilter) -> Result<Vec<(ReviewWhy, i64)>> {
        let mut params = Vec::new();
        let filter = ReviewFilter { why: None, ..filter.clone() };
        let sql = format!(
            "SELECT r.why, COUNT(*) FROM review_items r WHERE {} GROUP BY r.why ORDER BY r.why",
            conditions(&filter, &mut params)
        );
        self.db.query(&sql, params).await?.iter().map(|row| Ok((why(row.str(0)?)?, row.get(1)?))).collect()
    }

    /// One review item.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn review(&self, id: i64) -> Result<Review> {
        let row = self.db.query_opt(&format!("{ITEM} WHERE r.id = $1"), values![id]).await?;
        row.as_ref().map_or_else(|| Err(StoreError::missing("review item", id)), review)
    }

    /// Items by their numbers, in number order; numbers of none are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reviews_by_id(&self, ids: &[i64]) -> Result<Vec<Review>> {
        let sql = format!("{ITEM} WHERE r.id IN EACH_INT($1) ORDER BY r.id");
        self.db.query(&sql, values![ids.to_vec()]).await?.iter().map(review).collect()
    }

    /// How many items are open, of one tenant or of all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn open_reviews(&self, tenant: Option<TenantKey>) -> Result<i64> {
        self.count_reviews(&ReviewFilter { tenant, ..ReviewFilter::default() }).await
    }

    /// Records as items show them, by id; ids of nobody are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn review_candidates(&self, ids: &[PersonId]) -> Result<HashMap<PersonId, ReviewCandidate>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT c.name, l.user_id, u.source_id, u.attributes, u.presence, {} FROM people p
             LEFT JOIN clients c ON c.id = p.client_id LEFT JOIN links l ON l.person_id = p.id
             LEFT JOIN mirror_users u ON u.id = l.user_id WHERE p.id IN EACH_INT($1)",
            people::COLUMNS
        );
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let mut found = HashMap::new();
        for row in self.db.query(&sql, values![ids]).await? {
            let user: Option<UserKey> = row.get(1)?;
            let linked = user.map(|user| {
                let name = name_of(&row.json(3)?, &row.get(2)?);
                Ok::<_, StoreError>((user, name, crate::mirror::presence(row.get(4)?)?))
            });
            let candidate = ReviewCandidate { client: row.get(0)?, linked: linked.transpose()?, person: people::read(&row, 5)? };
            found.insert(candidate.person.id, candidate);
        }
        Ok(found)
    }

    /// What people decided about an item, the latest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn review_decisions(&self, id: i64, limit: i64) -> Result<Vec<ReviewDecision>> {
        let sql =
            "SELECT at, actor, action, person_id, run_id FROM review_decisions WHERE item_id = $1 ORDER BY id DESC LIMIT $2";
        let read = |row: &Row| {
            let (at, by, action) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(ReviewDecision { at, by, action, record: row.get(3)?, run: row.get(4)? })
        };
        self.db.query(sql, values![id, limit]).await?.iter().map(read).collect()
    }

    /// The users whose items a run was made for, in key order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn review_users(&self, run: RunId) -> Result<Vec<UserKey>> {
        let sql = "SELECT user_id FROM review_items WHERE run_id = $1 ORDER BY user_id";
        self.db.query(sql, values![run]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Takes what a person decided about items of one tenant, all in one transaction with the audit entries and, for choices that
    /// are to be written at once (`at_once`), the run that writes them. Their users are touched, so that whatever plans next follows
    /// the decision. Each item has its own result, in the order given; the run is given when there is one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]. An item's own: [`StoreError::NotFound`], also for one of another tenant, and
    /// [`StoreError::Conflict`] when it is not in a state for this.
    pub async fn decide_reviews(
        &self,
        tenant: TenantKey,
        verdicts: &[(i64, Verdict)],
        at_once: bool,
        by: &str,
        now: i64,
    ) -> Result<(Option<RunId>, Vec<Result<()>>)> {
        let mut tx = self.db.begin().await?;
        let run = match at_once && verdicts.iter().any(|(_, v)| matches!(v, Verdict::Choose(_))) {
            true => Some(crate::runs::insert(&mut tx, tenant, model::run::RunKind::Review, false, by, now).await?),
            false => None,
        };
        let (mut results, mut touched, mut chosen) = (Vec::new(), HashSet::new(), 0);
        for (id, verdict) in verdicts {
            let is_choice = matches!(verdict, Verdict::Choose(_));
            let place = Place { tenant, run: run.filter(|_| is_choice), by, now };
            match decide(&mut tx, place, *id, *verdict).await {
                Ok(user) => {
                    touched.insert(user.0);
                    chosen += i64::from(is_choice);
                    results.push(Ok(()));
                }
                Err(error @ (StoreError::NotFound { .. } | StoreError::Conflict(_))) => results.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        touch::users(&mut tx, tenant, &touched.into_iter().collect::<Vec<_>>()).await?;
        let run = match run {
            // Every choice was refused: there is nothing to write.
            Some(run) if chosen == 0 => {
                tx.execute("DELETE FROM runs WHERE id = $1", values![run]).await?;
                None
            }
            run => run,
        };
        tx.commit().await?;
        Ok((run, results))
    }
}

/// Where a decision is taken.
#[derive(Clone, Copy)]
struct Place<'a> {
    tenant: TenantKey,
    run: Option<RunId>,
    by: &'a str,
    now: i64,
}

/// One decision; gives the item's user.
async fn decide(tx: &mut Tx, place: Place<'_>, id: i64, verdict: Verdict) -> Result<UserKey> {
    let sql = "SELECT i.user_id, i.state, i.kind, i.resolution, i.run_id, r.state, i.why FROM review_items i
         LEFT JOIN runs r ON r.id = i.run_id WHERE i.id = $1 AND i.tenant_id = $2";
    let row = tx.query_opt(sql, values![id, place.tenant]).await?.ok_or_else(|| StoreError::missing("review item", id))?;
    let (user, state): (UserKey, String) = (row.get(0)?, row.get(1)?);
    let mut chosen: Vec<Chosen> = row.json_opt(3)?.unwrap_or_default();
    let refuse = |state: &str, next: &str| Err(StoreError::Conflict(format!("Review item {id} is {state}. {next}")));
    match (verdict, state.as_str()) {
        (Verdict::Choose(_) | Verdict::Dismiss, "open") | (Verdict::Choose(_) | Verdict::Reopen, "dismissed") => {}
        (Verdict::Reopen, "decided") => take_back(tx, id, row.get(4)?, row.get(5)?, place.now).await?,
        // What is told at every run can be taken back; what made a link is in the link.
        (Verdict::Reopen, "resolved") if chosen.iter().any(|c| c.stays && matches!(c.resolution.choice, Choice::Link(_))) => {}
        (Verdict::Reopen, "resolved") => {
            let next = "To take it back, revert the run that wrote it: rollcall runs revert --help";
            return refuse("resolved, and what was chosen is written", next);
        }
        (Verdict::Reopen, "open") => return refuse("open already", "Link or create a record for the user, or dismiss them."),
        (_, "decided") => return refuse("decided already", "To decide otherwise, re-open it first."),
        (_, "dismissed") => return refuse("dismissed", "Re-open it first."),
        (_, "resolved") => return refuse("resolved", "The user has their record."),
        _ => return refuse("closed: its cause went away", "Sync went on by itself; look at the user."),
    }
    let to = match verdict {
        Verdict::Choose(choice) => {
            let resolution = Resolution { kind: kind(row.str(2)?)?, choice };
            let of = match choice {
                Choice::Link(record) => {
                    let found = tx.query_opt("SELECT kind FROM people WHERE id = $1", values![record]).await?;
                    let found = found.ok_or_else(|| StoreError::missing("record", record))?;
                    Some(crate::records::kind(found.get(0)?)?)
                }
                Choice::Create => None,
            };
            let stays = resolution.holds(why(row.str(6)?)?, of);
            chosen.retain(|c| c.resolution.kind != resolution.kind);
            chosen.push(Chosen { resolution, stays });
            "decided"
        }
        Verdict::Dismiss => {
            chosen.clear();
            "dismissed"
        }
        Verdict::Reopen => {
            chosen.clear();
            "open"
        }
    };
    let resolution = if chosen.is_empty() { Value::Null } else { Value::json(&chosen)? };
    let sql =
        "UPDATE review_items SET state = $2, resolution = CAST($3 AS TEXT), decided_by = $4, decided_at = $5, changed_at = $5,
         run_id = CAST($6 AS BIGINT) WHERE id = $1";
    tx.execute(sql, values![id, to, resolution, place.by, place.now, place.run]).await?;
    let sql = "INSERT INTO review_decisions (item_id, at, actor, action, person_id, run_id)
         VALUES ($1, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT))";
    tx.execute(sql, values![id, place.now, place.by, verdict.as_str(), verdict.record(), place.run]).await?;
    let detail = serde_json::json!({ "record": verdict.record(), "run": place.run });
    audit::append(tx, place.by, &format!("review.{}", verdict.as_str()), &id.to_string(), &detail, place.now).await?;
    Ok(user)
}

/// Ends the run that was to write a decision, where nothing of it is written yet. One that writes several decisions plans the others
/// again with the next sync.
async fn take_back(tx: &mut Tx, id: i64, run: Option<RunId>, state: Option<String>, now: i64) -> Result<()> {
    match (run, state.as_deref()) {
        (Some(run), Some("queued" | "held" | "ready")) => {
            let sql = "UPDATE runs SET state = 'superseded', ended_at = $2, error = $3 WHERE id = $1";
            tx.execute(sql, values![run, now, format!("Review item {id} was opened again.")]).await.map(|_| ())
        }
        (Some(run), Some("collecting" | "planning" | "applying" | "propagating")) => {
            Err(StoreError::Conflict(format!("Review item {id} is being written by run {run}. Look again when it is done.")))
        }
        _ => Ok(()),
    }
}
