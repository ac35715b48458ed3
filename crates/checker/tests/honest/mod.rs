//! A plan that is as it should be, with every verb in it, and ways to reach into it.

use checker::{Checker, Contradiction, PlanFacts};
use model::attributes::Hash;
use model::directory::Presence;
use model::facts::{Answers, Candidate, CandidateLink, Linked, ReviewFacts, UserFacts};
use model::plan::{Change, Decision, Effects, LinkState, Outcome, ReviewItem, Standing, Verb, Weights};
use model::reason::ReviewWhy;
use model::records::{Deactivated, Link, Person};
use model::run::{Counts, RunKind};
use model::{Attributes, ClientId, Field, Fields, Kind, PersonId, SourceId, Status, TenantKey, UserKey, Value};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

pub struct Plan {
    pub run: RunKind,
    pub users: Vec<UserFacts>,
    pub answers: Answers,
    pub decisions: Vec<Decision>,
    pub weights: Weights,
    pub counts: Counts,
}

impl Plan {
    pub fn checker(&self) -> Checker {
        let limits = BTreeMap::from([(Field::PHONE, 50), (Field::new("badge"), 5)]);
        Checker::new(PlanFacts { run: self.run, limits, two_records: HashSet::new(), keeps_both: false })
    }

    pub fn check(&self) -> Vec<Contradiction> {
        let mut checker = self.checker();
        checker.batch(&self.users, &self.answers, &self.decisions);
        checker.finish(&self.weights, Some(&self.counts)).err().unwrap_or_default()
    }

    pub fn decision(&mut self, user: &str) -> &mut Decision {
        self.decisions.iter_mut().find(|d| d.source_id.as_str() == user).expect("a user of the plan")
    }

    pub fn change(&mut self, user: &str) -> &mut Change {
        &mut self.decision(user).changes[0]
    }

    pub fn second(&mut self, user: &str) -> &mut Change {
        &mut self.decision(user).changes[1]
    }

    pub fn link_after(&mut self, user: &str) -> &mut LinkState {
        self.change(user).link.as_mut().expect("a link")
    }

    pub fn repeat(&mut self, user: &str) {
        let changes = &mut self.decision(user).changes;
        changes.push(changes[0].clone());
    }

    pub fn record(&mut self, id: i64) -> &mut Person {
        &mut self.linked(id).person
    }

    fn linked(&mut self, id: i64) -> &mut Linked {
        let links = self.users.iter_mut().flat_map(|u| &mut u.links);
        links.into_iter().find(|l| l.person.id == PersonId(id)).expect("a linked record")
    }

    pub fn by_sync(&mut self, id: i64, by_sync: bool) {
        self.linked(id).link.deactivated_by = Some(Deactivated { by_sync, cause: None });
    }

    /// The record is nobody's, and stands among the answers.
    pub fn unlink(&mut self, id: i64) {
        let person = self.record(id).clone();
        self.users.iter_mut().for_each(|u| u.links.retain(|l| l.person.id != PersonId(id)));
        self.answers.records.insert(PersonId(id), Candidate { person: Arc::new(person), linked: None });
    }

    pub fn candidate(&mut self, id: i64) -> (&mut Person, &mut Option<CandidateLink>) {
        let candidate = self.answers.records.get_mut(&PersonId(id)).expect("a candidate");
        (Arc::make_mut(&mut candidate.person), &mut candidate.linked)
    }

    pub fn tie(&mut self, id: i64, user: UserKey, deactivated_by_sync: bool) {
        let source_id = SourceId::new("u-other");
        let link = CandidateLink { tenant: TenantKey(1), user, source_id, presence: Presence::Present, deactivated_by_sync };
        *self.candidate(id).1 = Some(link);
    }

    /// Somebody else's record has the username already.
    pub fn hold(&mut self, username: &str) {
        let mut person = person(700, Kind::Agent);
        person.username = Some(username.to_uppercase());
        let holder = Candidate { person: Arc::new(person), linked: None };
        self.answers.usernames.entry(username.into()).or_default().push(holder);
    }

    pub fn answer_username(&mut self, username: &str, id: i64) {
        let Linked { link, person } = self.linked(id).clone();
        let linked = CandidateLink {
            tenant: link.tenant,
            user: link.user,
            source_id: link.source_id,
            presence: Presence::Present,
            deactivated_by_sync: false,
        };
        let holder = Candidate { person: Arc::new(person), linked: Some(linked) };
        self.answers.usernames.entry(username.into()).or_default().push(holder);
    }

    pub fn ask(&mut self, user: &str, why: ReviewWhy) {
        let decision = self.decision(user);
        let (kind, key, source_id) = (decision.changes[0].kind, decision.user, decision.source_id.clone());
        decision.review = Some(ReviewItem {
            user: key,
            source_id,
            why,
            rule: None,
            kind,
            candidates: Vec::new(),
            evidence: Vec::new(),
            other: None,
        });
        self.counts.in_review += 1;
    }
}

fn person(id: i64, kind: Kind) -> Person {
    Person {
        id: PersonId(id),
        kind,
        client: (kind == Kind::Contact).then_some(ClientId(1)),
        site: None,
        status: Status::Active,
        access: true,
        username: Some(format!("old{id}")),
        email: Some(format!("old{id}@acme.example")),
        first_name: Some("Given".into()),
        last_name: Some("Family".into()),
        role: Some("technician".into()),
        fields: Fields::new(),
        root: false,
        pinned: None,
        tickets: 0,
        invoices: 0,
        stands_for: Vec::new(),
        version: 7,
    }
}

/// The plan as it comes together.
struct Making(Plan);

impl Making {
    fn user(&mut self, name: &str, records: &[(&Person, Option<bool>)], outcome: Outcome) -> UserKey {
        let key = UserKey(i64::try_from(self.0.users.len()).expect("few users") + 1);
        let id = SourceId::new(name);
        let links = records.iter().map(|(person, by_sync)| {
            let link = Link {
                tenant: TenantKey(1),
                user: key,
                source_id: id.clone(),
                person: person.id,
                applied_hash: None,
                policy_digest: None,
                rule: None,
                decided: Fields::new(),
                deactivated_by: by_sync.map(|by_sync| Deactivated { by_sync, cause: None }),
                grace_since: None,
                enabled_applied: None,
            };
            Linked { link, person: (*person).clone() }
        });
        self.0.users.push(UserFacts {
            key,
            id: id.clone(),
            attributes: Attributes::new(),
            change_hash: Hash::default(),
            presence: Presence::Present,
            manager: None,
            groups: Vec::new(),
            links: links.collect(),
            review: None::<ReviewFacts>,
            resolutions: Vec::new(),
            assigned: false,
        });
        let standing = Standing { outcome, excluded_by: None, rule: None };
        self.0.decisions.push(Decision {
            user: key,
            source_id: id,
            standing,
            reasons: Vec::new(),
            changes: Vec::new(),
            replaces: Vec::new(),
            bookings: Vec::new(),
            review: None,
            reports: Vec::new(),
            waits: Vec::new(),
        });
        self.0.counts.users += 1;
        key
    }

    /// A change of the user who was added last.
    fn change(&mut self, verb: Verb, kind: Kind, record: Option<&Person>, set: Value, by_sync: Option<bool>) {
        let decision = self.0.decisions.last_mut().expect("a user");
        let set: Fields = set.as_object().expect("fields").iter().map(|(f, v)| (Field::new(f), v.clone())).collect();
        let removal = matches!(verb, Verb::Deactivate | Verb::RevokeAccess | Verb::Archive);
        let returns = matches!(verb, Verb::Reactivate | Verb::GrantAccess | Verb::Restore);
        let (weights, counts) = (&mut self.0.weights, &mut self.0.counts);
        weights.changes += 1;
        weights.removals += i64::from(removal);
        weights.returns += i64::from(returns);
        weights.creates += i64::from(verb == Verb::Create);
        weights.agent_creates += i64::from(verb == Verb::Create && kind == Kind::Agent);
        *match verb {
            Verb::Create => &mut counts.create,
            Verb::Link => &mut counts.link,
            Verb::Update => &mut counts.update,
            Verb::Deactivate => &mut counts.deactivate,
            Verb::Reactivate => &mut counts.reactivate,
            Verb::RevokeAccess => &mut counts.revoke_access,
            Verb::GrantAccess => &mut counts.grant_access,
            Verb::Archive => &mut counts.archive,
            Verb::Restore => &mut counts.restore,
        } += 1;
        decision.changes.push(Change {
            verb,
            kind,
            user: decision.user,
            source_id: decision.source_id.clone(),
            record: record.map(|r| r.id),
            record_version: record.map_or(0, |r| r.version),
            rule: None,
            before: record.map(|r| set.keys().map(|f| (f.clone(), r.get(f))).collect()).unwrap_or_default(),
            set,
            reasons: Vec::new(),
            link: Some(LinkState {
                deactivated_by: by_sync.map(|by_sync| Deactivated { by_sync, cause: None }),
                ..LinkState::default()
            }),
            unlink: None,
            new_site: None,
            effects: Effects { removal, returns, rekey: false, cause: None },
            stands_for: Vec::new(),
        });
    }
}

fn new(name: &str) -> Value {
    json!({ "last_name": "Family", "username": name, "email": format!("{name}@acme.example") })
}

/// One user for every verb, and one for every way to be counted without a change.
pub fn honest() -> Plan {
    let mut made = Making(Plan {
        run: RunKind::Full,
        users: Vec::new(),
        answers: Answers::default(),
        decisions: Vec::new(),
        weights: Weights::default(),
        counts: Counts::default(),
    });
    let synced = Outcome::Synced;

    made.user("u-create", &[], synced);
    made.change(Verb::Create, Kind::Agent, None, new("create"), None);

    let free = person(20, Kind::Contact);
    made.user("u-link", &[], synced);
    made.change(Verb::Link, Kind::Contact, Some(&free), json!({ "job_title": "Analyst" }), None);
    made.0.answers.records.insert(free.id, Candidate { person: Arc::new(free), linked: None });

    let record = person(30, Kind::Contact);
    made.user("u-update", &[(&record, None)], synced);
    made.change(Verb::Update, Kind::Contact, Some(&record), json!({ "job_title": "Countess" }), None);

    let record = person(40, Kind::Agent);
    made.user("u-deactivate", &[(&record, None)], Outcome::Gone);
    made.change(Verb::Deactivate, Kind::Agent, Some(&record), json!({ "status": "inactive" }), Some(true));

    let record = person(50, Kind::Agent);
    made.user("u-revoke", &[(&record, None)], Outcome::Excluded);
    made.change(Verb::RevokeAccess, Kind::Agent, Some(&record), json!({ "role": null, "access": false }), Some(true));

    let record = Person { status: Status::Inactive, ..person(60, Kind::Agent) };
    made.user("u-reactivate", &[(&record, Some(true))], synced);
    let set = json!({ "status": "active", "role": "technician" });
    made.change(Verb::Reactivate, Kind::Agent, Some(&record), set, None);

    let record = Person { access: false, role: None, ..person(70, Kind::Agent) };
    made.user("u-grant", &[(&record, Some(true))], synced);
    let set = json!({ "access": true, "role": "technician" });
    made.change(Verb::GrantAccess, Kind::Agent, Some(&record), set, None);

    let record = person(80, Kind::Agent);
    made.user("u-archive", &[(&record, None)], synced);
    let names =
        json!({ "status": "archived", "access": false, "username": "old80_Archived", "email": "old80@acme.example_Archived" });
    made.change(Verb::Archive, Kind::Agent, Some(&record), names, Some(true));
    let mut contact = new("old80");
    contact["client"] = json!(1);
    made.change(Verb::Create, Kind::Contact, None, contact, None);

    let record = Person { status: Status::Archived, access: false, ..person(90, Kind::Contact) };
    made.user("u-restore", &[(&record, Some(true))], synced);
    let set = json!({ "status": "active", "access": true, "username": "restore", "email": "restore@acme.example" });
    made.change(Verb::Restore, Kind::Contact, Some(&record), set, None);

    made.user("u-both", &[], synced);
    made.change(Verb::Create, Kind::Agent, None, new("both"), None);
    let mut second = new("both");
    second["client"] = json!(1);
    second["access"] = json!(false);
    second["manager"] = json!("user:u-create");
    made.change(Verb::Create, Kind::Contact, None, second, None);

    made.user("u-unchanged", &[], synced);
    made.user("u-excluded", &[], Outcome::Excluded);
    made.user("u-failed", &[], Outcome::Failed);
    let Making(mut plan) = made;
    (plan.counts.unchanged, plan.counts.excluded, plan.counts.failed) = (1, 1, 1);
    plan
}
