//! The canonical dump: what a database means, without the numbers it happens to use. Two databases that mean the same dump the
//! same text, be they SQLite or PostgreSQL, interrupted on the way or not.
//!
//! Left out: surrogate ids (each is replaced by what identifies the thing), times, run ids, fences, cursors, sealed secrets.

use crate::Store;
use crate::db::{Row, Value};
use crate::error::{Result, StoreError};
use std::collections::HashMap;
use std::io::Write;

/// A person, as something that is the same in every database.
const PERSON: &str = "COALESCE(p.email_key, '') || '/' || COALESCE(p.username_key, '') || '/' || p.name_key || '/'
    || CAST(p.kind AS TEXT) || '/' || COALESCE(p.remote_id, '')";

impl Store {
    /// Writes the canonical dump: one line a row, tables in a fixed order, rows sorted. It is a tool for comparing test
    /// databases: a table's lines are held in memory to be sorted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also when the writer fails.
    pub async fn dump(&self, out: &mut (impl Write + Send)) -> Result<()> {
        let sections = [
            ("tenant", "SELECT t.directory_id, t.domain, t.name, c.name, t.enabled, CASE WHEN t.first_applied_run IS NULL THEN 0 ELSE 1 END
                FROM tenants t LEFT JOIN clients c ON c.id = t.client_id".to_owned()),
            ("user", "SELECT t.directory_id, u.source_id, u.presence, u.attributes, u.manager, s.outcome, s.excluded_by, s.rule
                FROM mirror_users u JOIN tenants t ON t.id = u.tenant_id LEFT JOIN standing s ON s.user_id = u.id".to_owned()),
            ("group", "SELECT t.directory_id, g.source_id, g.name, g.created, g.present FROM mirror_groups g
                JOIN tenants t ON t.id = g.tenant_id".to_owned()),
            ("member", "SELECT g.source_id, COALESCE(u.source_id, i.source_id), m.kind FROM memberships m
                JOIN mirror_groups g ON g.id = m.group_id LEFT JOIN mirror_users u ON m.kind = 0 AND u.id = m.member_id
                LEFT JOIN mirror_groups i ON m.kind = 1 AND i.id = m.member_id".to_owned()),
            ("client", "SELECT name, active, target, remote_id FROM clients".to_owned()),
            ("site", "SELECT c.name, s.name FROM sites s JOIN clients c ON c.id = s.client_id".to_owned()),
            ("person", format!("SELECT {PERSON}, c.name, s.name, p.status, p.access, p.username, p.email, p.first_name, p.last_name,
                p.role, p.root, p.pinned, p.tickets, p.invoices, p.stands_for, p.target, p.version, u.source_id, l.rule, l.slot,
                l.out_by_sync, l.out_cause, l.enabled_applied, l.applied_hash, p.fields, l.decided
                FROM people p LEFT JOIN clients c ON c.id = p.client_id LEFT JOIN sites s ON s.id = p.site_id
                LEFT JOIN links l ON l.person_id = p.id LEFT JOIN mirror_users u ON u.id = l.user_id")),
            ("address", format!("SELECT a.address_key, {PERSON} FROM person_addresses a JOIN people p ON p.id = a.person_id")),
            ("review", "SELECT u.source_id, r.state, r.why, r.rule, r.kind, r.other FROM review_items r
                JOIN mirror_users u ON u.id = r.user_id".to_owned()),
            ("wait", "SELECT u.source_id, w.kind, CASE WHEN w.kind IN ('person', 'until') THEN '' ELSE w.wait_key END FROM waits w
                JOIN mirror_users u ON u.id = w.user_id".to_owned()),
            ("due", "SELECT t.directory_id, u.source_id FROM due d JOIN tenants t ON t.id = d.tenant_id
                JOIN mirror_users u ON u.id = d.user_id".to_owned()),
            ("change", format!("SELECT t.directory_id, u.source_id, c.verb, c.kind, c.rule, c.removal, c.returns, c.rekey, c.cause,
                c.before_values, c.set_values, CASE WHEN o.change_id IS NULL THEN 0 ELSE 1 END, o.failed, COALESCE({PERSON}, '')
                FROM changes c LEFT JOIN mirror_users u ON u.id = c.user_id LEFT JOIN tenants t ON t.id = u.tenant_id
                LEFT JOIN outcomes o ON o.change_id = c.id LEFT JOIN people p ON p.id = COALESCE(o.person_id, c.person_id)")),
            ("rule group", "SELECT t.directory_id, r.rule, r.named, g.source_id, r.peopled FROM rule_groups r
                JOIN tenants t ON t.id = r.tenant_id JOIN mirror_groups g ON g.id = r.group_id".to_owned()),
            ("rejected", "SELECT t.directory_id, u.source_id, r.presence FROM rejected r JOIN tenants t ON t.id = r.tenant_id
                JOIN mirror_users u ON u.id = r.user_id".to_owned()),
            ("report", "SELECT u.source_id, r.field, r.why, r.detail FROM reports r LEFT JOIN mirror_users u ON u.id = r.user_id"
                .to_owned()),
            ("reverted", "SELECT u.source_id FROM reverted r JOIN mirror_users u ON u.id = r.user_id".to_owned()),
            ("removal", format!("SELECT {PERSON}, m.approved, m.undone FROM removals m JOIN people p ON p.id = m.person_id")),
            ("policy", "SELECT version, document, digest FROM policies WHERE scope NOT LIKE 'tenant:%'".to_owned()),
        ];
        let names = Names {
            clients: self.names("SELECT id, name FROM clients").await?,
            sites: self.names("SELECT id, name FROM sites").await?,
            people: self.names(&format!("SELECT p.id, {PERSON} FROM people p")).await?,
        };
        for (name, sql) in sections {
            let mut lines = Vec::new();
            for row in self.db.query(&sql, ()).await? {
                lines.push(names.line(name, row));
            }
            lines.sort_unstable();
            for line in lines {
                writeln!(out, "{line}").map_err(|e| StoreError::Unavailable(format!("the dump cannot be written: {e}.")))?;
            }
        }
        Ok(())
    }

    async fn names(&self, sql: &str) -> Result<HashMap<i64, String>> {
        self.db.query(sql, ()).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

/// What ids inside stored JSON stand for.
struct Names {
    clients: HashMap<i64, String>,
    sites: HashMap<i64, String>,
    people: HashMap<i64, String>,
}

impl Names {
    fn line(&self, section: &str, row: Row) -> String {
        let mut line = section.to_owned();
        for value in row.into_values() {
            line.push('\t');
            match value {
                Value::Null => line.push('-'),
                Value::Int(n) => line.push_str(&n.to_string()),
                Value::Bytes(bytes) => line.push_str(&hex::encode(bytes)),
                // One row is one line, whatever stands in it. A name may begin like an object and be none.
                Value::Text(text) => line.push_str(&self.json(&text).unwrap_or_else(|| text.escape_debug().to_string())),
                Value::Ints(_) | Value::Texts(_) => {}
            }
        }
        line
    }

    /// A JSON object with the ids of clients, sites and managers replaced by names; nothing for any other text.
    fn json(&self, text: &str) -> Option<String> {
        let mut object: serde_json::Map<String, serde_json::Value> =
            text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()?;
        for (field, names) in [("client", &self.clients), ("site", &self.sites), ("manager", &self.people)] {
            if let Some(value) = object.get_mut(field)
                && let Some(name) = value.as_i64().and_then(|id| names.get(&id))
            {
                *value = name.as_str().into();
            }
        }
        Some(serde_json::Value::Object(object).to_string())
    }
}
