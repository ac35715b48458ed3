//! One struct for each template in `templates/`: what a page shows, display-ready.

use crate::view::{Chip, DiffRow, Figure, Mark, Page, Pager};
use askama::Template;

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident($file:literal) { $($field:ident: $kind:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Template, Debug, Clone)]
        #[template(path = $file)]
        pub(crate) struct $name { $(pub $field: $kind,)* })*
    };
}

/// A named link: id, words.
pub(crate) type Named = (i64, String);

pages! {
    /// Sign-in.
    SignIn("sign_in.html") { page: Page, any_account: bool, error: Option<String>, next: String, name: String, }
    /// The one-time link.
    Setup("setup.html") { page: Page, token: Option<String>, error: Option<String>, name: String, }
    /// Something is not there, or not allowed.
    ErrorPage("error.html") { page: Page, heading: String, detail: String, href: String, action: String, }
    /// The overview.
    Overview("overview.html") {
        page: Page, lead: String, tenants: Vec<TenantRow>, held: Vec<HeldRun>, figures: Vec<Figure>, tenant_rows: String,
    }
    /// Tenants as a table.
    TenantRows("tenant_rows.html") { tenants: Vec<TenantRow>, operates: bool, }
    /// All tenants.
    Tenants("tenants.html") { page: Page, empty: bool, rows: String, pager: Pager, }
    /// The form of a new connection.
    Connect("connect.html") {
        page: Page, error: Option<String>, fields: Vec<FormField>, permissions: Vec<PermissionRow>, yes: Mark,
    }
    /// A connection and its test.
    ConnectionPage("connection.html") {
        page: Page, id: i64, name: String, tenant_id: String, client_id: String, graph_url: Option<String>,
        login_url: Option<String>, tenant: Option<i64>, unmapped: bool, test: Option<TestResult>, clients: Vec<String>,
        client_guess: String,
    }
    /// A tenant.
    TenantPage("tenant.html") {
        page: Page, tenant: i64, name: String, domain: String, tenant_id: String, buttons: Vec<RunButton>,
        waits: Option<HeldRun>, figures: Vec<Figure>, client: Option<String>, clients: Vec<String>, client_guess: String,
        policy: Vec<String>, excluded: Vec<Figure>, runs: String, connection: Option<Named>, warnings: Vec<String>,
    }
    /// Runs as a table.
    RunRows("run_rows.html") { runs: Vec<RunRow>, with_tenant: bool, teach: &'static str, }
    /// All runs.
    Runs("runs.html") { page: Page, chips: Vec<Chip>, rows: String, pager: Pager, }
    /// One run.
    RunPage("run.html") {
        page: Page, id: i64, tenant: Named, state: Mark, state_word: &'static str, lead: String, over: bool, waiting: bool,
        has_plan: bool, plan_text: &'static str, failed: bool, revertible: bool, error: Option<String>, holds: Vec<String>, stands_for: Vec<String>,
        stage: String, figures: Vec<Figure>, reports: Vec<ReportRow>, reports_note: String, facts: Vec<(&'static str, String)>,
    }
    /// A plan.
    Plan("plan.html") {
        page: Page, id: i64, tenant: Named, heading: &'static str, state: Mark, lead: String, waiting: bool,
        holds: Vec<String>, stands_for: Vec<String>, approve: Option<String>, total: String, chips: Vec<Chip>,
        verb: Option<&'static str>, q: String, rows: Vec<PlanRow>, empty_head: &'static str, empty_text: &'static str,
        pager: Pager,
    }
    /// People.
    People("people.html") { page: Page, q: String, selects: Vec<Select>, rows: Vec<PersonRow>, filtered: bool, pager: Pager, }
    /// One person.
    PersonPage("person.html") {
        page: Page, name: String, kind: &'static str, client: Option<String>, status: Mark, marks: Vec<Mark>,
        fields: Vec<FieldRow>, links: Vec<LinkCard>, history: Vec<HistoryRow>,
    }
    /// Users of a tenant.
    Users("users.html") { page: Page, tenant: Named, lead: String, chips: Vec<Chip>, q: String, rows: Vec<UserRow>, pager: Pager, }
    /// One user.
    UserPage("user.html") {
        page: Page, tenant: Named, name: String, upn: String, mark: Mark, stages: Vec<Stage>, decided_by: String,
        otherwise: Vec<String>, next: Vec<String>, records: Vec<Named>, attributes: Vec<(String, String)>, history: Vec<HistoryRow>,
    }
    /// Review items.
    Review("review.html") {
        page: Page, chips: Vec<Chip>, selects: Vec<Select>, state: &'static str, total: i64, filtered: bool, rows: Vec<ReviewRow>,
        actions: Vec<(&'static str, &'static str)>, tenant: String, why: String, results: Vec<String>, pager: Pager,
    }
    /// One review item.
    ReviewPage("review_item.html") {
        page: Page, id: i64, user: String, tenant: Named, state: Mark, question: String, open: bool, reopen: bool,
        cannot_create: Option<String>, kind: &'static str, evidence: Vec<String>, columns: Vec<Column>, help: String,
        run: Option<i64>, history: Vec<DecidedRow>, error: Option<String>,
    }
    /// A policy.
    PolicyPage("policy.html") {
        page: Page, tenant: Option<Named>, heading: &'static str, lead: &'static str, own_heading: &'static str,
        action: String, text: String, effective: String, checked: bool, faults: Vec<(Option<String>, String)>,
        versions: Vec<VersionRow>, what_if: Option<WhatIfView>, counting: bool,
    }
    /// The tables of a what-if: a part of the policy's page.
    WhatIfTables("what_if_part.html") { w: WhatIfView, }
    /// The rules of a policy.
    RulesPage("rules.html") {
        page: Page, tenant: Option<Named>, action: String, draft: DraftView, inherited: bool, rows: Vec<RuleRow>,
        form: Option<RuleForm>, count: String, clients: Vec<String>, faults: Vec<(Option<String>, String)>,
    }
    /// Who matches a rule: a part of its page.
    CountView("count.html") { sentence: String, examples: Vec<String>, notes: Vec<String>, }
    /// Field mappings.
    MappingsPage("mappings.html") {
        page: Page, tenant: Option<Named>, action: String, draft: DraftView,
        kinds: Vec<(&'static str, &'static str, Vec<MappingRow>)>, person: Option<Named>, found: Vec<Named>, q: String,
        sources: Vec<&'static str>, fields: Vec<String>, new: NewMapping, faults: Vec<(Option<String>, String)>,
    }
    /// What groups and roles give.
    RolesPage("roles.html") {
        page: Page, tenant: Option<Named>, action: String, draft: DraftView, roles: Vec<RoleRow>, boards: Vec<BoardRow>,
        licences: Vec<LicenceRow>, without: (String, String), inactive: String, q: String, found: Vec<GroupChoice>,
        new_role: RoleRow, new_board: BoardRow, faults: Vec<(Option<String>, String)>,
    }
    /// The guard's limits.
    GuardPage("guard.html") {
        page: Page, tenant: Option<Named>, action: String, draft: DraftView, limits: Vec<GuardRow>, switches: Vec<GuardRow>,
        lead: String, whose: Vec<String>, rows: Vec<StoppedRow>, faults: Vec<(Option<String>, String)>,
    }
    /// Settings.
    Settings("settings.html") {
        page: Page, new_token: Option<String>, new_link: Option<String>, error: Option<String>, tokens: Vec<TokenRow>,
        accounts: Vec<(String, String)>, audit: Vec<AuditRow>, pager: Pager,
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name { $(pub $field: $kind,)* })*
    };
}

parts! {
    /// A tenant in a table.
    TenantRow {
        id: i64, name: String, domain: String, client: Option<String>, status: Mark, last_run: Option<Named>, users: String,
        synced: String, review: String,
    }
    /// A run that waits.
    HeldRun { id: i64, tenant: String, why: Vec<String>, changes: String, at: String, }
    /// A field of a form.
    FormField {
        name: &'static str, label: &'static str, kind: &'static str, value: String, hint: &'static str, fault: Option<String>,
        required: bool, max: usize,
    }
    /// A permission.
    PermissionRow { name: String, purpose: String, mandatory: bool, mark: Mark, }
    /// What a test of a connection found.
    TestResult { ok: bool, organization: Option<String>, sentences: Vec<String>, permissions: Vec<PermissionRow>, }
    /// A button that starts a run.
    RunButton {
        kind: &'static str, preview: &'static str, class: &'static str, icon: &'static str, text: &'static str,
        hint: Option<&'static str>,
    }
    /// A run in a table.
    RunRow { id: i64, tenant: String, state: Mark, kind: &'static str, by: String, changes: String, at: String, }
    /// Something not done.
    ReportRow { href: String, user: String, field: String, detail: String, }
    /// A change of a plan.
    PlanRow {
        who: String, href: Option<String>, user_href: Option<String>, kind: &'static str, verb: Mark, status: Option<Mark>,
        error: Option<String>, diff: Vec<DiffRow>, reasons: Vec<String>,
    }
    /// A choice of a filter.
    Select { name: &'static str, label: &'static str, options: Vec<(String, String)>, chosen: String, }
    /// A person in a table.
    PersonRow {
        id: i64, name: String, email: String, username: String, client: String, kind: &'static str, status: Mark, linked: bool,
    }
    /// A field of a person and where its value comes from.
    FieldRow { name: String, value: String, origin: String, }
    /// The user a person is linked to.
    LinkCard {
        href: String, user: String, tenant: String, tenant_href: String, mark: Mark, rule: Option<String>, stages: Vec<Stage>,
        otherwise: Vec<String>, next: Vec<String>,
    }
    /// One change in the history.
    HistoryRow {
        at: String, run: Option<i64>, by: String, verb: Mark, status: Option<Mark>, diff: Vec<DiffRow>, reasons: Vec<String>,
    }
    /// A user in a table.
    UserRow { id: i64, name: String, upn: String, mark: Mark, by: String, }
    /// One stage of an explanation.
    Stage { name: String, sentences: Vec<String>, }
    /// A review item in a table.
    ReviewRow {
        id: i64, user: String, question: String, candidates: Vec<Named>, more: usize, tenant: String, at: String,
    }
    /// One column of a comparison: a record, or the user (without a number).
    Column {
        record: Option<i64>, title: String, href: String, mark: Mark, notes: Vec<Mark>, facts: Vec<Fact>, refusal: Option<String>,
    }
    /// One line of a comparison.
    Fact { name: String, value: String, met: bool, }
    /// One thing somebody decided.
    DecidedRow { at: String, by: String, text: String, run: Option<i64>, }
    /// A version of a policy.
    VersionRow { number: i64, href: String, shown: bool, at: String, by: String, }
    /// A draft of a policy: where it is saved, its text, the settings it changes (path, before, after), comments it loses.
    DraftView { action: String, text: String, changes: Vec<(String, String, String)>, lost: Vec<String>, }
    /// A rule in the list.
    RuleRow {
        place: usize, id: String, name: String, order: String, who: String, becomes: String, enabled: bool, first: bool, last: bool,
        focus: &'static str,
    }
    /// A group to tick.
    GroupChoice { id: String, name: String, chosen: bool, }
    /// One rule's form.
    RuleForm {
        new: bool, id: String, name: String, order: String, enabled: bool, everyone: bool, groups: Vec<GroupChoice>, q: String,
        names: String, filter: String, guests: &'static str, kind: String, client: String, site: String, site_from: String,
        role: String, licence: String, cabs: String, defaults: Vec<(String, String, String)>, targets: Vec<String>, attributes: Vec<&'static str>,
        operators: Vec<(&'static str, &'static str)>,
    }
    /// A field's mapping, with a real person's values.
    MappingRow {
        name: String, field: String, label: String, source: String, overwrite: String,
        modes: Vec<(&'static str, &'static str)>, default: String, clear: bool, entra: String, unfit: Option<String>,
        unread: Option<String>, record: String,
    }
    /// What a new mapping can be.
    NewMapping { modes: Vec<(&'static str, &'static str)>, }
    /// A role that a group gives; `id` says how the policy names the group.
    RoleRow { name: String, group: String, id: String, order: String, kind: String, role: String, mode: String, }
    /// A board that a group gives.
    BoardRow { name: String, group: String, id: String, cab: String, role: String, }
    /// The licence that a rule's agents get.
    LicenceRow { id: String, rule: String, licence: String, }
    /// A limit, or a switch.
    GuardRow { key: &'static str, before: &'static str, after: &'static str, hint: &'static str, value: String, on: bool, }
    /// A plan that limits stop, or stopped.
    StoppedRow {
        run: i64, tenant: String, at: String, state: Mark, changes: String, removals: String, limits: &'static str, mark: Mark,
        why: Vec<String>,
    }
    /// An API token.
    TokenRow { id: i64, name: String, scopes: String, created: String, used: String, }
    /// One line of the audit log.
    AuditRow { at: String, who: String, what: String, }
}

/// What saving a draft would do.
#[derive(Debug, Clone)]
pub(crate) struct WhatIfView {
    /// The whole in a sentence.
    pub lead: String,
    /// What has to be known of the counts.
    pub notes: Vec<String>,
    /// Number, words, tone.
    pub figures: Vec<(String, String, &'static str)>,
    /// How many, from where, to where.
    pub moves: Vec<(String, String, String)>,
    /// Like changes together.
    pub groups: Vec<ImpactRow>,
    /// Tenants with changes.
    pub tenants: Vec<TenantImpactRow>,
    /// Some people.
    pub samples: Vec<PlanRow>,
}

/// Like changes.
#[derive(Debug, Clone)]
pub(crate) struct ImpactRow {
    pub count: String,
    pub verb: Mark,
    pub kind: &'static str,
    pub rule: String,
    pub fields: String,
}

/// A tenant with changes.
#[derive(Debug, Clone)]
pub(crate) struct TenantImpactRow {
    pub id: i64,
    pub name: String,
    pub affected: String,
    pub changes: String,
    pub removals: String,
    pub holds: Vec<String>,
}
