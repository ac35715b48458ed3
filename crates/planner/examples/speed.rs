//! How many users a second one core decides: `cargo run --release -p planner --example speed [USERS]`. 20 rules, 12 mappings;
//! everybody created, then everybody looked at again with nothing to do. A batch's facts are made right before it is decided, as they
//! are read right before in a run.

use model::directory::Presence;
use model::facts::{Answers, GroupFacts, Linked, TenantFacts, UserFacts};
use model::plan::{ClientFound, Decision};
use model::records::{Link, Person};
use model::run::RunKind;
use model::{Attributes, ClientId, GroupKey, PersonId, SourceId, Status, TenantKey, UserKey, Value};
use planner::{Claims, Planner};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::time::Instant;

/// As many as a run decides at once.
const BATCH: usize = 250;

/// The allocator the program itself uses.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let users: i64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut text = String::from("preset: bms\nfields:\n");
    for (field, source) in [
        ("mobile", "mobilePhone"),
        ("city", "city"),
        ("department", "department"),
        ("office", "officeLocation"),
        ("company", "companyName"),
        ("employee_id", "employeeId"),
    ] {
        let _ = writeln!(text, "  {field}: {{ source: {source} }}");
    }
    text.push_str("rules:\n");
    for rule in 0..20 {
        let _ = writeln!(
            text,
            "  - {{ id: r{rule}, order: {rule}, when: {{ groups: [g-{rule}] }}, then: {{ kind: agent, role: r{rule} }} }}"
        );
    }
    let layer = policy::Layer::parse("speed", &text).expect("a policy");
    let loaded = policy::load(&[layer]).expect("a sound policy");
    let groups = (0..20).map(|g| GroupFacts {
        key: GroupKey(g),
        id: SourceId::new(format!("g-{g}")),
        name: format!("G {g}"),
        created: None,
    });
    let tenant = TenantFacts {
        tenant: TenantKey(1),
        domain: "acme.example".into(),
        client: Some(ClientFound { id: ClientId(1), active: true }),
        now: 0,
        run: RunKind::Full,
        skus: None,
        groups: groups.collect(),
        nested: Vec::new(),
        clients: HashMap::new(),
        sites: HashMap::new(),
        spared: HashSet::new(),
    };
    let planner = Planner::new(&loaded.policy, &loaded.digest, tenant);
    let (mut creating, mut looking) = (Meter::default(), Meter::default());
    let (mut claims, mut later) = (Claims::default(), Claims::default());
    later.settle();
    claims.settle();
    let mut changes = 0;
    for first in (0..users).step_by(BATCH) {
        let mut facts: Vec<UserFacts> = (first..users.min(first + BATCH as i64)).map(made).collect();
        let created = creating.time(facts.len(), || decide(&planner, &facts, &mut claims));
        link(&mut facts, created);
        let decisions = looking.time(facts.len(), || decide(&planner, &facts, &mut later));
        changes += decisions.iter().map(|d| d.changes.len() + d.bookings.len()).sum::<usize>();
    }
    println!("created   {:>9.0} users/s", creating.rate());
    println!("unchanged {:>9.0} users/s ({changes} changes)", looking.rate());
}

/// What a run does with a batch, but for the answers to its questions.
fn decide(planner: &Planner, facts: &[UserFacts], claims: &mut Claims) -> Vec<Decision> {
    let batch = planner.batch(facts);
    std::hint::black_box(batch.questions());
    std::hint::black_box(batch.further(&Answers::default(), claims, 0));
    batch.decide(&Answers::default(), claims)
}

/// Everybody has the record that was to be made for them.
fn link(facts: &mut [UserFacts], decisions: Vec<Decision>) {
    for (user, decision) in facts.iter_mut().zip(decisions) {
        let change = decision.changes.into_iter().next().expect("a record for everybody");
        let id = PersonId(user.key.0);
        let mut person = Person {
            id,
            kind: change.kind,
            client: None,
            site: None,
            status: Status::Active,
            access: true,
            username: None,
            email: None,
            first_name: None,
            last_name: None,
            role: None,
            fields: model::Fields::new(),
            root: false,
            pinned: None,
            tickets: 0,
            invoices: 0,
            stands_for: Vec::new(),
            version: 1,
        };
        change.set.iter().for_each(|(field, value)| person.set(field, value.clone()).expect("a value that fits"));
        let state = change.link.expect("a link");
        let link = Link {
            tenant: TenantKey(1),
            user: user.key,
            source_id: user.id.clone(),
            person: id,
            applied_hash: state.applied_hash,
            policy_digest: state.policy_digest,
            rule: state.rule,
            decided: state.decided,
            deactivated_by: None,
            grace_since: None,
            enabled_applied: state.enabled_applied,
        };
        user.links.push(Linked { link, person });
    }
}

/// Users and the time they took. A batch takes less than the kernel's tick, so processor time would be too coarse.
#[derive(Default)]
struct Meter {
    users: usize,
    seconds: f64,
}

impl Meter {
    fn time<T>(&mut self, users: usize, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.seconds += start.elapsed().as_secs_f64();
        self.users += users;
        done
    }

    fn rate(&self) -> f64 {
        self.users as f64 / self.seconds
    }
}

fn made(n: i64) -> UserFacts {
    let text = |s: String| Value::from(s);
    let attributes: Attributes = [
        ("accountEnabled", Value::Bool(true)),
        ("businessPhones", Value::from(vec!["+44 20 7946 0000"])),
        ("city", text("London".into())),
        ("companyName", text("Acme".into())),
        ("department", text("Sales".into())),
        ("displayName", text(format!("Ada{n} Byron"))),
        ("employeeId", text(n.to_string())),
        ("givenName", text(format!("Ada{n}"))),
        ("jobTitle", text("Analyst".into())),
        ("mail", text(format!("ada{n}@acme.example"))),
        ("mobilePhone", text("+44 7700 900000".into())),
        ("officeLocation", text("1/23".into())),
        ("proxyAddresses", Value::from(vec![format!("SMTP:ada{n}@acme.example"), format!("smtp:a{n}@acme.example")])),
        ("surname", text("Byron".into())),
        ("userPrincipalName", text(format!("ada{n}@acme.example"))),
        ("userType", text("Member".into())),
    ]
    .into_iter()
    .collect();
    UserFacts {
        key: UserKey(n),
        id: SourceId::new(format!("u-{n:09}")),
        change_hash: attributes.change_hash(),
        attributes,
        presence: Presence::Present,
        manager: None,
        groups: vec![GroupKey(n % 20), GroupKey((n + 7) % 20)],
        links: Vec::new(),
        review: None,
        resolutions: Vec::new(),
        assigned: false,
    }
}
