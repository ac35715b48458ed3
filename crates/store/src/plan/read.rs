//! Reading plans: for the hash, the preview, pages and the journal.

use super::stretch;
use crate::db::Row;
use crate::error::{Result, StoreError};
use crate::records::kind;
use crate::{Store, values};
use model::plan::{Change, Effects, Report, Verb};
use model::{Field, PersonId, RunId, UserKey, text};

/// A change of a plan with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRow {
    /// Its place: ids of one plan count up. The cursor for the next page.
    pub id: i64,
    /// The run.
    pub run: RunId,
    /// What is, was or would be done.
    pub change: Change,
    /// What became of it.
    pub state: ChangeState,
    /// The record: the change's own, or the one a create made.
    pub record: Option<PersonId>,
    /// The user's name as the directory last told it.
    pub user_name: String,
    /// When it was applied or failed, milliseconds since 1970.
    pub at: Option<i64>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeState {
    /// Not applied (yet).
    Pending,
    /// Written.
    Applied,
    /// Refused, with the reason.
    Failed(String),
    /// Lost a race for its username; a review item asks a person.
    HeldBack(String),
}

/// Which rows of a plan to read, in the plan's order.
#[derive(Debug, Clone, Default)]
pub struct PlanFilter {
    /// With this verb.
    pub verb: Option<Verb>,
    /// Of users whose name, principal name or id contains this.
    pub user_text: Option<String>,
    /// Only those that failed.
    pub failed: bool,
    /// Only rows after this id: the cursor.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

pub(super) const ROWS: &str =
    "SELECT c.id, c.user_id, u.source_id, c.person_id, c.person_version, c.verb, c.kind, c.rule, c.removal, c.returns,
    c.rekey, c.cause, c.unlink_user, c.before_values, c.set_values, c.reasons, c.link_after, c.stands_for, o.person_id, o.failed,
    o.error, o.at, u.attributes, c.new_site
    FROM changes c LEFT JOIN outcomes o ON o.change_id = c.id LEFT JOIN mirror_users u ON u.id = c.user_id";

pub(super) fn read(row: &Row) -> Result<PlanRow> {
    let id: i64 = row.get(0)?;
    let verb = row.str(5)?;
    let cause: Option<String> = row.get(11)?;
    let record: Option<PersonId> = row.get(3)?;
    let change = Change {
        verb: Verb::parse(verb).ok_or_else(|| StoreError::Corrupt(format!("changes.verb is {verb}")))?,
        kind: kind(row.get(6)?)?,
        user: row.get(1)?,
        // A user of a removed tenant has no mirror row any more; the journal stays readable.
        source_id: row.get::<Option<_>>(2)?.unwrap_or_else(|| "".into()),
        record,
        record_version: row.get(4)?,
        rule: row.get(7)?,
        before: row.json(13)?,
        set: row.json(14)?,
        reasons: row.json(15)?,
        link: row.json_opt(16)?,
        unlink: row.get(12)?,
        new_site: row.json_opt(23)?,
        effects: Effects {
            removal: row.get(8)?,
            returns: row.get(9)?,
            rekey: row.get(10)?,
            cause: cause.as_deref().map(crate::records::links::read_cause).transpose()?,
        },
        stands_for: row.json_opt(17)?.unwrap_or_default(),
    };
    let state = match (row.get::<Option<i64>>(19)?, row.get::<Option<String>>(20)?.unwrap_or_default()) {
        (None, _) => ChangeState::Pending,
        (Some(0), _) => ChangeState::Applied,
        (Some(1), error) => ChangeState::Failed(error),
        (Some(_), error) => ChangeState::HeldBack(error),
    };
    let attributes: Option<model::Attributes> = row.json_opt(22)?;
    let name = attributes.as_ref().and_then(|a| a.text("displayName").or_else(|| a.text("userPrincipalName")).map(str::to_owned));
    Ok(PlanRow {
        id,
        run: RunId(id >> 32),
        user_name: name.unwrap_or_else(|| change.source_id.as_str().to_owned()),
        record: record.or(row.get(18)?),
        change,
        state,
        at: row.get(21)?,
    })
}

impl Store {
    /// Rows of a plan, in its order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn plan_rows(&self, run: RunId, filter: &PlanFilter) -> Result<Vec<PlanRow>> {
        let (from, to) = stretch(run);
        let mut sql = format!("{ROWS} WHERE c.id > $1 AND c.id <= $2");
        let mut params = values![from.max(filter.after), to, filter.limit];
        if let Some(verb) = filter.verb {
            params.push(verb.as_str().into());
            sql += &format!(" AND c.verb = ${}", params.len());
        }
        if let Some(text) = filter.user_text.as_deref().map(text::fold).filter(|t| !t.is_empty()) {
            params.push(crate::records::search::pattern(&text).into());
            let n = params.len();
            sql += &format!(" AND (u.upn_key LIKE ${n} ESCAPE '\\' OR u.source_id LIKE ${n} ESCAPE '\\'");
            sql += &format!(" OR lower(u.attributes) LIKE ${n} ESCAPE '\\')");
        }
        if filter.failed {
            sql += " AND o.failed = 1";
        }
        sql += " ORDER BY c.id LIMIT $3";
        self.db.query(&sql, params).await?.iter().map(read).collect()
    }

    /// A user's rows of a plan.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn plan_of_user(&self, run: RunId, user: UserKey) -> Result<Vec<PlanRow>> {
        let (from, to) = stretch(run);
        let sql = format!("{ROWS} WHERE c.user_id = $3 AND c.id > $1 AND c.id <= $2 ORDER BY c.id");
        self.db.query(&sql, values![from, to, user]).await?.iter().map(read).collect()
    }

    /// What was done to a record, newest first, before the row `before` (none = from the newest).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn history(&self, person: PersonId, before: Option<i64>, limit: i64) -> Result<Vec<PlanRow>> {
        let sql = format!("{ROWS} WHERE o.person_id = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3");
        self.db.query(&sql, values![person, before.unwrap_or(i64::MAX), limit]).await?.iter().map(read).collect()
    }

    /// The change that last tied a record to its user: the latest that created, linked or restored it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn linking(&self, person: PersonId) -> Result<Option<PlanRow>> {
        let sql = format!(
            "{ROWS} WHERE o.person_id = $1 AND o.failed = 0 AND c.verb IN ('create', 'link', 'restore') ORDER BY c.id DESC LIMIT 1"
        );
        self.db.query_opt(&sql, values![person]).await?.as_ref().map(read).transpose()
    }

    /// What a run could not do, field by field, after the row `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reports(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<(i64, Report)>> {
        let (from, to) = stretch(run);
        let sql = "SELECT r.id, r.user_id, u.source_id, r.field, r.why, r.detail FROM reports r
             LEFT JOIN mirror_users u ON u.id = r.user_id WHERE r.id > $1 AND r.id <= $2 ORDER BY r.id LIMIT $3";
        let read = |row: &Row| {
            let why = serde_json::from_value(serde_json::Value::from(row.str(4)?));
            let report = Report {
                user: row.get(1)?,
                source_id: row.get::<Option<_>>(2)?.unwrap_or_else(|| "".into()),
                field: row.get::<Option<String>>(3)?.map(|f| Field::new(&f)),
                why: why.map_err(|e| StoreError::Corrupt(format!("reports.why: {e}")))?,
                detail: row.get(5)?,
            };
            Ok((row.get(0)?, report))
        };
        self.db.query(sql, values![from.max(after), to, limit]).await?.iter().map(read).collect()
    }
}
