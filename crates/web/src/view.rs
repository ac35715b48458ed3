//! What templates are made of: small display-ready values, the same on every page.

use model::directory::Presence;
use model::plan::{Change, Outcome, Verb};
use model::records::{Fields, Status};
use model::run::RunState;
use model::{Field, Value};
use std::collections::HashMap;
use std::fmt;

/// What every page knows: its title, where it is in the menu, and who looks at it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The title of the window.
    pub title: String,
    /// The menu entry that is current.
    pub at: Section,
    /// Who is signed in.
    pub who: String,
    /// The token of every form.
    pub csrf: String,
    /// Review items that wait.
    pub to_review: i64,
    /// Plans that wait.
    pub held: i64,
    /// They may start, approve and decide; who may not is not shown the buttons. The server asks again whatever a page shows.
    pub operates: bool,
    /// They may connect, change policies and let others in.
    pub administers: bool,
    /// One sentence about what was just done.
    pub note: Option<Note>,
}

/// The menu's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// `/`.
    #[default]
    Overview,
    /// `/tenants`.
    Tenants,
    /// `/people`.
    People,
    /// `/runs`.
    Runs,
    /// `/review`.
    Review,
    /// `/policy`.
    Policy,
    /// `/settings`.
    Settings,
}

/// One entry of the menu.
#[derive(Debug)]
pub struct MenuItem {
    /// Where it leads.
    pub href: &'static str,
    /// Its words.
    pub text: &'static str,
    /// Its icon in `icons.svg`.
    pub icon: &'static str,
    /// Whether the page is of this section.
    pub current: bool,
    /// How much waits there.
    pub tally: i64,
}

impl Page {
    /// The menu.
    #[must_use]
    pub fn menu(&self) -> Vec<MenuItem> {
        let item = |section, href, text, icon, tally| MenuItem { href, text, icon, current: self.at == section, tally };
        let mut menu = vec![
            item(Section::Overview, "/", "Overview", "overview", 0),
            item(Section::Tenants, "/tenants", "Tenants", "tenants", 0),
            item(Section::People, "/people", "People", "people", 0),
            item(Section::Runs, "/runs", "Runs", "runs", self.held),
            item(Section::Review, "/review", "Review", "review", self.to_review),
            item(Section::Policy, "/policy", "Policy", "policy", 0),
        ];
        if self.administers {
            menu.push(item(Section::Settings, "/settings", "Settings", "settings", 0));
        }
        menu
    }
}

/// A sentence on top of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `good`, `warn`, `bad`, or empty.
    pub tone: &'static str,
    /// The sentence.
    pub text: String,
}

impl Note {
    /// The icon that goes with the tone.
    #[must_use]
    pub fn icon(&self) -> &'static str {
        match self.tone {
            "good" => "check",
            "warn" | "bad" => "alert",
            _ => "info",
        }
    }
}

/// A coloured word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// `good`, `warn`, `bad`, `info`, or empty.
    pub tone: &'static str,
    /// The word.
    pub text: &'static str,
}

impl Mark {
    /// A coloured word.
    #[must_use]
    pub const fn new(tone: &'static str, text: &'static str) -> Self {
        Self { tone, text }
    }

    /// A run's state.
    #[must_use]
    pub fn state(state: RunState) -> Self {
        match state {
            RunState::Queued => Self::new("info", "Queued"),
            RunState::Collecting => Self::new("info", "Reading"),
            RunState::Planning => Self::new("info", "Planning"),
            RunState::Ready => Self::new("info", "Preview"),
            RunState::Held => Self::new("warn", "Waits for approval"),
            RunState::Applying => Self::new("info", "Writing"),
            RunState::Propagating => Self::new("info", "Passing on"),
            RunState::Done => Self::new("good", "Done"),
            RunState::Failed => Self::new("bad", "Failed"),
            RunState::Rejected => Self::new("", "Rejected"),
            RunState::Superseded => Self::new("", "Superseded"),
            RunState::Stale => Self::new("", "Out of date"),
        }
    }

    /// A change's verb.
    #[must_use]
    pub fn verb(verb: Verb) -> Self {
        let tone = match verb {
            Verb::Create | Verb::Reactivate | Verb::GrantAccess | Verb::Restore => "good",
            Verb::Link => "info",
            Verb::Update => "",
            Verb::Deactivate | Verb::RevokeAccess | Verb::Archive => "bad",
        };
        Self::new(tone, verb.label())
    }

    /// A record's status.
    #[must_use]
    pub fn status(status: Status) -> Self {
        match status {
            Status::Active => Self::new("good", "active"),
            Status::Inactive => Self::new("bad", "inactive"),
            Status::Archived => Self::new("", "archived"),
        }
    }

    /// Where a user stands.
    #[must_use]
    pub fn outcome(outcome: Option<Outcome>) -> Self {
        match outcome {
            Some(Outcome::Synced) => Self::new("good", "in step"),
            Some(Outcome::Excluded) => Self::new("", "left out"),
            Some(Outcome::InReview) => Self::new("warn", "in review"),
            Some(Outcome::Gone) => Self::new("", "gone"),
            Some(Outcome::Failed) => Self::new("bad", "failed"),
            None => Self::new("info", "not decided yet"),
        }
    }

    /// Whether a user is in the directory.
    #[must_use]
    pub fn presence(presence: Presence) -> Self {
        match presence {
            Presence::Present => Self::new("good", "in Entra"),
            Presence::Deleted => Self::new("bad", "deleted in Entra"),
            Presence::Missing => Self::new("bad", "no longer in Entra"),
            Presence::Unseen => Self::new("", "only named by others"),
        }
    }
}

/// Links to other pages of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pager {
    /// The first page, when this is a later one.
    pub first: Option<String>,
    /// The next page, if there is one.
    pub next: Option<String>,
}

impl Pager {
    /// The pager of a list at `path` with these filters (empty ones are left out); `after` is the cursor this page began with.
    #[must_use]
    pub fn new(path: &str, filters: &[(&str, &str)], after: Option<&str>, next: Option<&str>) -> Self {
        Self {
            first: after.map(|_| link(path, filters)),
            next: next.map(|cursor| link(path, &[filters, &[("after", cursor)]].concat())),
        }
    }
}

/// An address with those of the parameters that are not empty.
#[must_use]
pub fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, v)| !v.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A number with its words, leading somewhere.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The number as shown.
    pub value: String,
    /// Its words.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// `warn`, `bad` or empty.
    pub tone: &'static str,
}

impl Figure {
    /// A number that leads somewhere.
    pub fn new(value: i64, label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { value: thousands(value), label: label.into(), href: href.into(), tone: "" }
    }

    /// Coloured when it is not zero.
    #[must_use]
    pub fn tone(mut self, tone: &'static str) -> Self {
        if self.value != "0" {
            self.tone = tone;
        }
        self
    }
}

/// A filter as a link.
#[derive(Debug, Clone)]
pub struct Chip {
    /// Where it leads.
    pub href: String,
    /// Its words.
    pub text: String,
    /// How many there are; empty when not counted.
    pub count: String,
    /// Whether it is chosen.
    pub current: bool,
}

/// One field of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffRow {
    /// The field.
    pub field: String,
    /// What it held, if it held anything.
    pub before: Option<String>,
    /// What it will hold; empty when cleared.
    pub after: String,
}

/// Names for the ids that fields hold (clients, sites).
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Clients by id.
    pub clients: HashMap<i64, String>,
    /// Sites by id.
    pub sites: HashMap<i64, String>,
}

/// A change's fields, before and after.
#[must_use]
pub fn diff(before: &Fields, set: &Fields, names: &Names) -> Vec<DiffRow> {
    set.iter()
        .map(|(field, after)| DiffRow {
            field: label(field.as_str()),
            before: before.get(field).map(|v| show(field, v, names)).filter(|s| !s.is_empty()),
            after: show(field, after, names),
        })
        .collect()
}

/// A whole change's fields.
#[must_use]
pub fn change_diff(change: &Change, names: &Names) -> Vec<DiffRow> {
    diff(&change.before, &change.set, names)
}

/// A field's name for people: `first_name` is "First name".
#[must_use]
pub fn label(field: &str) -> String {
    let known = match field {
        "email" => "E-mail",
        "additional_emails" => "Further e-mails",
        "employee_id" => "Employee ID",
        "cabs" => "CABs",
        "access" => "May sign in",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let mut letters = field.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>().replace('_', " "))
}

/// A field's value for people; empty for nothing.
#[must_use]
pub fn show(field: &Field, value: &Value, names: &Names) -> String {
    let named = |map: &HashMap<i64, String>| value.as_i64().and_then(|id| map.get(&id).cloned());
    match field.as_str() {
        "client" => named(&names.clients).unwrap_or_else(|| plain(value)),
        "site" => named(&names.sites).unwrap_or_else(|| plain(value)),
        _ => plain(value),
    }
}

/// Any value for people; empty for nothing.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(n) => n.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// A number with thin thousands: 1 234 567.
#[must_use]
pub fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A time as HTML: UTC for those without scripts, rewritten to the reader's zone by `app.js`. Shown as "… ago" when asked.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// Show how long ago.
    pub ago: bool,
}

impl When {
    /// The time itself.
    #[must_use]
    pub fn at(ms: i64) -> String {
        Self { ms, ago: false }.to_string()
    }

    /// How long ago.
    #[must_use]
    pub fn ago(ms: i64) -> String {
        Self { ms, ago: true }.to_string()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = jiff::Timestamp::from_millisecond(self.ms) else { return f.write_str("unknown") };
        let ago = if self.ago { " data-ago" } else { "" };
        let (exact, shown) = (time.strftime("%Y-%m-%dT%H:%M:%SZ"), time.strftime("%Y-%m-%d %H:%M UTC"));
        write!(f, "<time datetime=\"{exact}\"{ago}>{shown}</time>")
    }
}

/// RFC 3339 with milliseconds, as the REST API writes times.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
}

/// "3 people", "1 person".
#[must_use]
pub fn count(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// "12 to create, 3 to update" in the order of life, or "nothing to change".
#[must_use]
pub fn counts_line(counts: &model::run::Counts) -> String {
    let parts: Vec<_> = by_verb(counts)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(verb, n)| format!("{} to {}", thousands(n), verb.label().to_lowercase()))
        .collect();
    if parts.is_empty() { "nothing to change".into() } else { parts.join(", ") }
}

/// A run's counts verb by verb.
#[must_use]
pub fn by_verb(counts: &model::run::Counts) -> [(Verb, i64); 9] {
    [
        (Verb::Create, counts.create),
        (Verb::Link, counts.link),
        (Verb::Update, counts.update),
        (Verb::Deactivate, counts.deactivate),
        (Verb::Reactivate, counts.reactivate),
        (Verb::RevokeAccess, counts.revoke_access),
        (Verb::GrantAccess, counts.grant_access),
        (Verb::Archive, counts.archive),
        (Verb::Restore, counts.restore),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(thousands(-12), "-12");
        assert_eq!(When::at(0), "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00 UTC</time>");
        assert_eq!(When::at(i64::MAX), "unknown");
        assert_eq!(rfc3339(1), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn links_leave_empty_filters_out() {
        assert_eq!(link("/people", &[("q", "a b&c"), ("kind", "")]), "/people?q=a+b%26c");
        assert_eq!(link("/people", &[]), "/people");
    }

    #[test]
    fn a_change_shows_names_instead_of_ids() {
        let names = Names { clients: HashMap::from([(7, "Acme".to_owned())]), ..Names::default() };
        let set = Fields::from([(Field::CLIENT, Value::from(7)), (Field::EMAIL, Value::Null)]);
        let before = Fields::from([(Field::EMAIL, Value::from("a@x"))]);
        let rows = diff(&before, &set, &names);
        assert_eq!(rows[0], DiffRow { field: "Client".into(), before: None, after: "Acme".into() });
        assert_eq!(rows[1], DiffRow { field: "E-mail".into(), before: Some("a@x".into()), after: String::new() });
    }
}
