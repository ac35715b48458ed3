//! Every template renders every sample: empty, full, and with names that mean harm.

use crate::pages::templates::*;
use crate::view::{Chip, DiffRow, Figure, Mark, Note, Page, Pager, When};
use askama::Template;

/// What somebody in a directory might be called.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE people; --",
        "\u{202e}nimda\u{202c} \u{2066}x",
        "{{ 7 * 7 }} {% raw %}",
        "javascript:alert(1)",
        "&amp;&lt;",
        "\u{0}\u{7}",
        "𝕬𝖉𝖆 🧑‍💻 İstanbul",
        "",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    names.push("a".repeat(10_000));
    names
}

fn page(name: &str) -> Page {
    let note = Some(Note { tone: "good", text: name.into() });
    let (operates, administers) = (true, true);
    Page {
        title: name.into(),
        who: name.into(),
        csrf: "c5rf".into(),
        to_review: 3,
        held: 1,
        note,
        operates,
        administers,
        ..Page::default()
    }
}

fn mark() -> Mark {
    Mark::new("good", "fine")
}

fn pager() -> Pager {
    Pager { first: Some("/first".into()), next: Some("/next?after=1&q=x".into()) }
}

fn figures(name: &str) -> Vec<Figure> {
    vec![Figure::new(1_234, name, "/x").tone("warn")]
}

fn diff(name: &str) -> Vec<DiffRow> {
    let row =
        |before: Option<&str>, after: &str| DiffRow { field: name.into(), before: before.map(Into::into), after: after.into() };
    vec![row(None, name), row(Some(name), ""), row(Some(name), name)]
}

fn history(name: &str) -> Vec<HistoryRow> {
    vec![HistoryRow {
        at: When::at(0),
        run: Some(1),
        by: name.into(),
        verb: mark(),
        status: Some(mark()),
        diff: diff(name),
        reasons: vec![name.into()],
    }]
}

fn chips(name: &str) -> Vec<Chip> {
    vec![Chip { href: "/x".into(), text: name.into(), count: "1".into(), current: true }]
}

fn tenant_rows(name: &str) -> Vec<TenantRow> {
    let row = |client: Option<&str>| TenantRow {
        id: 1,
        name: name.into(),
        domain: name.into(),
        client: client.map(Into::into),
        status: mark(),
        last_run: client.map(|_| (1, When::ago(0))),
        users: "1".into(),
        synced: "1".into(),
        review: "0".into(),
    };
    vec![row(Some(name)), row(None)]
}

fn held(name: &str) -> HeldRun {
    HeldRun { id: 1, tenant: name.into(), why: vec![name.into()], changes: name.into(), at: When::ago(0) }
}

fn draft(name: &str, empty: bool) -> DraftView {
    let text = || name.to_owned();
    let (changes, lost) = if empty { (Vec::new(), Vec::new()) } else { (vec![(text(), text(), String::new())], vec![text()]) };
    DraftView { action: "/policy".into(), text: text(), changes, lost }
}

fn role_row(name: &str) -> RoleRow {
    let text = || name.to_owned();
    RoleRow { name: text(), group: text(), id: text(), order: text(), kind: text(), role: text(), mode: text() }
}

fn board_row(name: &str) -> BoardRow {
    let text = || name.to_owned();
    BoardRow { name: text(), group: text(), id: text(), cab: text(), role: text() }
}

fn permissions(name: &str) -> Vec<PermissionRow> {
    let row = |mandatory| PermissionRow { name: name.into(), purpose: name.into(), mandatory, mark: mark() };
    vec![row(true), row(false)]
}

fn what_if(name: &str) -> WhatIfView {
    let text = || name.to_owned();
    WhatIfView {
        lead: text(),
        notes: vec![text()],
        figures: vec![("1".into(), text(), "good")],
        moves: vec![("1".into(), text(), text())],
        groups: vec![ImpactRow { count: "1".into(), verb: mark(), kind: "contact", rule: text(), fields: text() }],
        tenants: vec![TenantImpactRow {
            id: 1,
            name: text(),
            affected: "1".into(),
            changes: "1".into(),
            removals: "0".into(),
            holds: vec![text()],
        }],
        samples: vec![PlanRow {
            who: text(),
            href: Some("/people/1".into()),
            user_href: Some("/users/1".into()),
            kind: "contact",
            verb: mark(),
            status: None,
            error: None,
            diff: diff(name),
            reasons: vec![text()],
        }],
    }
}

/// Every template with a name in every place a name can stand, and with nothing at all.
fn samples(name: &str, empty: bool) -> Vec<(&'static str, String)> {
    fn of<T>(empty: bool, list: Vec<T>) -> Vec<T> {
        if empty { Vec::new() } else { list }
    }
    let text = || name.to_owned();
    let some = || (!empty).then(|| name.to_owned());
    let named = || (1, name.to_owned());
    let clients = || of(empty, vec![name.to_owned()]);
    let mut pages: Vec<(&'static str, String)> = Vec::new();
    macro_rules! sample {
        ($($template:ident { $($fields:tt)* })*) => {
            $(pages.push((stringify!($template), $template { $($fields)* }.render().expect(stringify!($template))));)*
        };
    }
    sample! {
        SignIn { page: page(name), any_account: !empty, error: some(), next: text(), name: text() }
        Setup { page: page(name), token: some(), error: some(), name: text() }
        ErrorPage { page: page(name), heading: text(), detail: text(), href: "/".into(), action: text() }
        Overview {
            page: page(name), lead: text(), tenants: of(empty, tenant_rows(name)), held: of(empty, vec![held(name)]),
            figures: figures(name), tenant_rows: TenantRows { tenants: tenant_rows(name), operates: !empty }.render().expect("rows"),
        }
        Tenants {
            page: page(name), empty, rows: TenantRows { tenants: tenant_rows(name), operates: !empty }.render().expect("rows"), pager: pager(),
        }
        Connect {
            page: page(name), error: some(), permissions: permissions(name), yes: mark(),
            fields: vec![FormField {
                name: "name", label: "Name", kind: "text", value: text(), hint: "How", fault: some(), required: !empty, max: 100,
            }],
        }
        ConnectionPage {
            page: page(name), id: 1, name: text(), tenant_id: text(), client_id: text(), graph_url: some(), login_url: some(),
            tenant: (!empty).then_some(1), unmapped: !empty, clients: clients(), client_guess: text(),
            test: (!empty).then(|| TestResult {
                ok: false, organization: some(), sentences: vec![text()], permissions: permissions(name),
            }),
        }
        TenantPage {
            page: page(name), tenant: 1, name: text(), domain: text(), tenant_id: text(), waits: (!empty).then(|| held(name)),
            buttons: vec![RunButton {
                kind: "delta", preview: "no", class: "btn-primary", icon: "sync", text: "Sync", hint: Some("What it does"),
            }],
            figures: of(empty, figures(name)), client: some(), clients: clients(), client_guess: text(), policy: vec![text()],
            excluded: of(empty, figures(name)), connection: (!empty).then(named), warnings: of(empty, vec![text()]),
            runs: RunRows { runs: Vec::new(), with_tenant: false, teach: "None." }.render().expect("rows"),
        }
        RunRows {
            runs: of(empty, vec![RunRow {
                id: 1, tenant: text(), state: mark(), kind: "full", by: text(), changes: text(), at: When::ago(0),
            }]),
            with_tenant: true, teach: "None.",
        }
        Runs { page: page(name), chips: chips(name), rows: String::new(), pager: pager() }
        RunPage {
            page: page(name), id: 1, tenant: named(), state: mark(), state_word: "planning", lead: When::ago(0), over: !empty,
            waiting: false, has_plan: !empty, plan_text: "Look", failed: true, revertible: !empty, error: some(), holds: of(empty, vec![text()]),
            stands_for: of(empty, vec![text()]), stage: text(), figures: of(empty, figures(name)),
            reports: of(empty, vec![ReportRow { href: "/users/1".into(), user: text(), field: text(), detail: text() }]),
            reports_note: text(), facts: vec![("Began", When::at(0))],
        }
        Plan {
            page: page(name), id: 1, tenant: named(), heading: "Plan", state: mark(), lead: text(), waiting: true,
            holds: of(empty, vec![text()]), stands_for: of(empty, vec![text()]), approve: some(), total: text(),
            chips: chips(name), verb: (!empty).then_some("create"), q: text(), empty_head: "None", empty_text: "None.",
            rows: of(empty, vec![PlanRow {
                who: text(), href: (!empty).then(|| "/people/1".into()), user_href: (!empty).then(|| "/users/1".into()), kind: "contact", verb: mark(), status: Some(mark()), error: some(),
                diff: diff(name), reasons: vec![text()],
            }]),
            pager: pager(),
        }
        People {
            page: page(name), q: text(), filtered: !empty, pager: pager(),
            selects: vec![Select { name: "kind", label: "Kind", options: vec![(text(), text())], chosen: text() }],
            rows: of(empty, vec![PersonRow {
                id: 1, name: text(), email: text(), username: text(), client: text(), kind: "agent", status: mark(), linked: true,
            }]),
        }
        PersonPage {
            page: page(name), name: text(), kind: "Agent", client: some(), status: mark(), marks: vec![mark()],
            fields: vec![FieldRow { name: text(), value: text(), origin: text() }], history: of(empty, history(name)),
            links: of(empty, vec![LinkCard {
                href: "/users/1".into(), user: text(), tenant: text(), tenant_href: "/tenants/1".into(), mark: mark(),
                rule: some(), stages: of(empty, vec![Stage { name: text(), sentences: vec![text()] }]),
                otherwise: of(empty, vec![text()]), next: vec![text()],
            }]),
        }
        RulesPage {
            page: page(name), tenant: (!empty).then(named), action: "/policy/rules".into(), draft: draft(name, empty),
            inherited: empty, count: if empty { String::new() } else { "/tenants/1/policy/rules/count".into() },
            clients: clients(), faults: of(empty, vec![(None, text()), (some(), text())]),
            rows: of(empty, vec![RuleRow {
                place: 1, id: text(), name: text(), order: text(), who: text(), becomes: text(), enabled: false, first: true,
                last: false, focus: "down",
            }]),
            form: (!empty).then(|| RuleForm {
                new: false, id: text(), name: text(), order: text(), enabled: true, everyone: true,
                groups: vec![GroupChoice { id: text(), name: text(), chosen: true }], q: text(), names: text(), filter: text(),
                guests: "yes", kind: "agent".into(), client: text(), site: text(), site_from: text(), role: text(),
                licence: "named".into(), cabs: text(), defaults: vec![("phone".into(), text(), text())],
                targets: vec![text()],
                attributes: vec!["department"], operators: vec![("is", "is")],
            }),
        }
        CountView { sentence: text(), examples: of(empty, vec![text()]), notes: of(empty, vec![text()]) }
        MappingsPage {
            page: page(name), tenant: (!empty).then(named), action: "/policy/fields".into(), draft: draft(name, empty),
            person: (!empty).then(named), found: of(empty, vec![named()]), q: text(), sources: vec!["mail"],
            fields: vec![text()], new: NewMapping { modes: vec![("never", "never")] },
            faults: of(empty, vec![(some(), text())]),
            kinds: vec![("agent", "Agents", of(empty, vec![MappingRow {
                name: text(), field: text(), label: text(), source: text(), overwrite: "never".into(),
                modes: vec![("never", "never")], default: text(), clear: true, entra: text(), unfit: some(), unread: some(),
                record: text(),
            }]))],
        }
        RolesPage {
            page: page(name), tenant: (!empty).then(named), action: "/policy/roles".into(), draft: draft(name, empty),
            roles: of(empty, vec![role_row(name)]), boards: of(empty, vec![board_row(name)]), without: (text(), text()),
            licences: of(empty, vec![LicenceRow { id: text(), rule: text(), licence: "named".into() }]), inactive: text(),
            q: text(), found: of(empty, vec![GroupChoice { id: text(), name: text(), chosen: false }]),
            new_role: role_row(name), new_board: board_row(name), faults: of(empty, vec![(some(), text())]),
        }
        GuardPage {
            page: page(name), tenant: (!empty).then(named), action: "/policy/guard".into(), draft: draft(name, empty),
            limits: vec![GuardRow { key: "max_removals", before: "At most", after: "%", hint: "", value: text(), on: true }],
            switches: vec![GuardRow { key: "s", before: "So", after: "", hint: "", value: text(), on: true }], lead: text(),
            whose: of(empty, vec![text()]),
            faults: of(empty, vec![(some(), text())]),
            rows: of(empty, vec![StoppedRow {
                run: 1, tenant: text(), at: When::at(0), state: mark(), changes: "1".into(), removals: "1".into(), limits: "its own",
                mark: mark(), why: vec![text()],
            }]),
        }
        Users {
            page: page(name), tenant: named(), lead: text(), chips: chips(name), q: text(), pager: pager(),
            rows: of(empty, vec![UserRow { id: 1, name: text(), upn: text(), mark: mark(), by: text() }]),
        }
        UserPage {
            page: page(name), tenant: named(), name: text(), upn: text(), mark: mark(), next: vec![text()], decided_by: text(),
            otherwise: of(empty, vec![text()]), stages: of(empty, vec![Stage { name: text(), sentences: vec![text()] }]), records: of(empty, vec![named()]),
            attributes: vec![(text(), text())], history: of(empty, history(name)),
        }
        Review {
            page: page(name), chips: chips(name), pager: pager(), state: "open", total: 3, filtered: !empty, tenant: text(), why: text(),
            selects: vec![Select { name: "why", label: "Why", options: vec![(text(), text())], chosen: text() }],
            actions: of(empty, vec![("dismiss", "Dismiss")]), results: of(empty, vec![text()]),
            rows: of(empty, vec![ReviewRow {
                id: 1, user: text(), question: text(), candidates: vec![named()], more: 2, tenant: text(), at: When::ago(0),
            }]),
        }
        ReviewPage {
            page: page(name), id: 1, user: text(), tenant: named(), state: mark(), question: text(), open: !empty, reopen: empty,
            cannot_create: some(), kind: "contact", evidence: of(empty, vec![text()]), help: text(), run: (!empty).then_some(1),
            history: of(empty, vec![DecidedRow { at: When::at(0), by: text(), text: text(), run: Some(1) }]), error: some(),
            columns: vec![
                Column {
                    record: None, title: text(), href: "/users/1".into(), mark: mark(), notes: vec![mark()],
                    facts: vec![Fact { name: text(), value: text(), met: true }], refusal: None,
                },
                Column {
                    record: Some(1), title: text(), href: "/people/1".into(), mark: mark(), notes: vec![mark()],
                    facts: vec![Fact { name: text(), value: text(), met: false }], refusal: some(),
                },
            ],
        }
        PolicyPage {
            page: page(name), tenant: (!empty).then(named), heading: "Policy", lead: "What decides.", own_heading: "Own",
            action: "/policy".into(), text: text(), effective: text(), checked: !empty,
            faults: of(empty, vec![(Some("line 1".into()), text())]),
            versions: of(empty, vec![VersionRow { number: 1, href: "/policy?version=1".into(), shown: true, at: When::at(0), by: text() }]),
            counting: empty, what_if: (!empty).then(|| what_if(name)),
        }
        WhatIfTables { w: what_if(name) }
        Settings {
            page: page(name), new_token: some(), new_link: some(), error: some(), accounts: vec![(text(), text())], pager: pager(),
            tokens: of(empty, vec![TokenRow { id: 1, name: text(), scopes: text(), created: When::at(0), used: When::ago(0) }]),
            audit: of(empty, vec![AuditRow { at: When::ago(0), who: text(), what: text() }]),
        }
    }
    pages
}

#[test]
fn every_template_renders_every_sample_and_no_name_becomes_markup() {
    for name in hostile() {
        for empty in [false, true] {
            for (template, html) in samples(&name, empty) {
                for harm in ["<script>alert", "<img src=x", "onerror=alert(1)>", "href=\"javascript:"] {
                    assert!(!html.contains(harm), "{template} lets {harm} through");
                }
                assert!(
                    !html.contains("style=\"") && !html.contains("<style"),
                    "{template} has a style that the browser would refuse"
                );
                assert!(
                    !html.contains("onclick") && !html.contains("hx-on"),
                    "{template} has a script that the browser would refuse"
                );
            }
        }
    }
}

#[test]
fn every_form_carries_its_token_and_every_field_a_label() {
    for (template, html) in samples("Ada", false) {
        let forms = html.matches("method=\"post\"").count();
        assert_eq!(forms, html.matches("name=\"csrf\" value=\"c5rf\"").count(), "{template}");
        for field in html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            let own = field.contains("type=\"hidden\"") || field.contains("type=\"checkbox\"");
            let id = field.split("id=\"").nth(1).and_then(|r| r.split('"').next()).unwrap_or_default();
            let named = field.contains("aria-label=\"");
            assert!(own || named || html.contains(&format!("for=\"{id}\"")), "{template}: no label for {field}");
        }
    }
}

#[test]
fn a_page_can_be_walked_without_a_mouse() {
    for (template, html) in samples("Ada", false).into_iter().filter(|(_, html)| html.contains("<!doctype")) {
        assert!(
            html.contains("href=\"#main\"") && html.contains("<main id=\"main\""),
            "{template} has no skip link or main landmark"
        );
        assert_eq!(html.matches("<h1").count(), 1, "{template} has not exactly one main heading");
        assert!(html.contains("<html lang=\"en\">") && html.contains("<title>"), "{template}");
    }
}
