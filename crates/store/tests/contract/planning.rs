use crate::world::{DAY, NOW, World, field, group, member, named, nested, on_each, quiet, user};
use model::address::AddressKey;
use model::attributes::Hash;
use model::directory::Feed;
use model::facts::Questions;
use model::plan::{Effects, Report, ReportWhy, ReviewItem, Verb};
use model::reason::ReviewWhy;
use model::run::RunState;
use model::{Field, Kind, PersonId, SourceId, UserKey};
use serde_json::json;
use std::collections::HashSet;
use store::{Pass, PlanFilter, ReviewFilter, RunChange, RunVerdict, Store, Verdict};

#[tokio::test(flavor = "multi_thread")]
async fn unlinked_users_come_in_the_byte_order_of_their_ids_whatever_the_batch() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let ids = ["u-10", "u-2", "u-B", "u-a", "u-é", "u-z"];
        world.round(Feed::Users, true, ids.iter().rev().map(|id| named(id)).collect()).await;
        for limit in [1, 2, 100] {
            let (mut told, mut after) = (Vec::new(), None::<SourceId>);
            loop {
                let due = world.store.due_unlinked(world.tenant.key, i64::MAX, after.as_ref(), limit, &HashSet::new()).await;
                let due = due.expect("due");
                let Some(last) = due.last() else { break };
                after = Some(last.id.clone());
                told.extend(due.into_iter().map(|u| u.id.to_string()));
            }
            assert_eq!(told, ["u-10", "u-2", "u-B", "u-a", "u-z", "u-é"], "batches of {limit}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_r01_facts_hold_direct_groups_and_the_tenants_nesting() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        let told = vec![
            group("g-staff", " Staff "),
            group("g-inner", "Inner"),
            group("g-other", "Other"),
            nested("g-staff", "g-inner"),
            member("g-inner", "u-ada"),
            member("g-other", "u-ada"),
        ];
        world.round(Feed::Groups, true, told).await;
        let (groups, nesting) = world.store.group_facts(world.tenant.key, &[], &["Staff".into()]).await.expect("groups");
        let names: HashSet<&str> = groups.iter().map(|g| g.name.trim()).collect();
        assert_eq!(
            names,
            HashSet::from(["Staff", "Inner"]),
            "names meet after trimming, and what is nested in them is told, for the reasons"
        );
        assert_eq!(groups[0].created, Some(1_577_836_800_000_000_000));
        assert_eq!(nesting.len(), 1);
        let relevant: HashSet<_> = [nesting[0].0, nesting[0].1].into();
        let due = world.store.due_unlinked(world.tenant.key, i64::MAX, None, 10, &relevant).await.expect("due");
        assert_eq!(due[0].groups, [nesting[0].1], "other reaches no named group");
        let all = world.store.user_facts(world.tenant.key, &[due[0].key]).await.expect("facts");
        assert_eq!(all[0].groups.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_m02_answers_name_records_by_main_and_further_addresses() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let ada = json!({"email": "Ada@Acme.Example", "username": "Ada", "additional_emails": ["countess@acme.example"]});
        world
            .apply(vec![world.create("u-ada", ada).await, world.create("u-bob", json!({"email": "bob@acme.example"})).await])
            .await;
        let key = |a: &str| AddressKey::of(a).expect("an address");
        let mut questions = Questions::default();
        for address in ["ada@acme.example", "COUNTESS@acme.example", "nobody@acme.example", "x@not a domain"] {
            questions.addresses.insert(key(address));
        }
        questions.usernames.insert("ada".into());
        questions.users.insert("u-bob".into());
        let answers = world.store.answer(world.tenant.key, &questions).await.expect("answers");
        assert_eq!(answers.addresses.len(), 2);
        let by_main = &answers.addresses[&key("ada@acme.example")][0];
        let by_more = &answers.addresses[&key("countess@acme.example")][0];
        assert_eq!(by_main.person.id, by_more.person.id);
        let link = by_main.linked.as_ref().expect("linked");
        assert_eq!((link.source_id.as_str(), link.tenant), ("u-ada", world.tenant.key));
        assert_eq!(answers.usernames["ada"].len(), 1);
        assert_eq!(answers.users[&SourceId::from("u-bob")][0].0, Kind::Contact);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_begun_again_holds_nothing_of_the_attempt_before() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let decisions = vec![world.create("u-ada", json!({"last_name": "Byron"})).await];
        let run = world.plan(decisions.clone()).await;
        world.store.begin_plan(&world.lease, run, NOW).await.expect("again");
        assert!(world.store.plan_rows(run, &all()).await.expect("rows").is_empty());
        world.keep(run, Pass::Unlinked, decisions, NOW).await;
        let rows = world.store.plan_rows(run, &all()).await.expect("rows");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].change.verb, Verb::Create);
        assert_eq!(rows[0].change.source_id.as_str(), "u-ada");
        let counts = world.store.run_counts(run).await.expect("counts");
        assert_eq!((counts.users, counts.create, counts.applied), (1, 1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deciding_a_user_again_replaces_the_decision_and_counts_once() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        world.apply(vec![world.create("u-ada", json!({"username": "ada"})).await]).await;
        let record = record_of(&world, "u-ada").await;
        let run = world.planning().await;
        world.store.begin_plan(&world.lease, run, NOW).await.expect("plan");
        let first = world.decide("u-ada", Verb::Update, Some(record.0), 1, json!({"username": "eve"})).await;
        let again = quiet(world.key("u-ada").await, "u-ada");
        let store = &world.store;
        world.keep(run, Pass::Linked, vec![first], NOW).await;
        world.keep(run, Pass::Again, vec![again], NOW).await;
        assert!(store.plan_rows(run, &all()).await.expect("rows").is_empty());
        let counts = store.run_counts(run).await.expect("counts");
        assert_eq!((counts.users, counts.unchanged, counts.update), (1, 1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_item_is_one_per_user_refreshed_and_closed_when_nothing_is_left_to_ask() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        let ask = async |why: Option<ReviewWhy>, at: i64| {
            let user = world.key("u-ada").await;
            let mut decision = quiet(user, "u-ada");
            decision.review = why.map(|why| ReviewItem {
                user,
                source_id: "u-ada".into(),
                why,
                rule: None,
                kind: Kind::Contact,
                candidates: vec![PersonId(7)],
                evidence: Vec::new(),
                other: None,
            });
            let run = world.planning().await;
            world.store.begin_plan(&world.lease, run, at).await.expect("plan");
            world.keep(run, Pass::Unlinked, vec![decision], at).await;
        };
        let open = async || world.store.reviews(&ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.expect("items");
        ask(Some(ReviewWhy::AmbiguousMatch), 1).await;
        ask(Some(ReviewWhy::AmbiguousMatch), 2).await;
        ask(Some(ReviewWhy::AlreadyLinked), 3).await;
        let items = open().await;
        assert_eq!(items.len(), 1);
        assert_eq!((items[0].item.why, items[0].opened_at, items[0].changed_at), (ReviewWhy::AlreadyLinked, 1, 3));
        let decide = async |verdict, at| {
            let asked = [(items[0].id, verdict)];
            world.store.decide_reviews(world.tenant.key, &asked, true, "kim", at).await.expect("a database").1.remove(0)
        };
        decide(Verdict::Dismiss, 4).await.expect("dismissed");
        ask(Some(ReviewWhy::AmbiguousMatch), 5).await;
        assert!(open().await.is_empty(), "dismissed stays dismissed");
        let facts = world.store.user_facts(world.tenant.key, &[world.key("u-ada").await]).await.expect("facts");
        assert!(facts[0].review.as_ref().expect("told to the planner").dismissed);
        assert!(decide(Verdict::Dismiss, 6).await.is_err(), "it is not open");
        decide(Verdict::Reopen, 7).await.expect("open again");
        ask(None, 8).await;
        assert!(open().await.is_empty(), "nothing is left to ask");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_is_written_when_it_changes_and_accounts_for_everyone() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let mut bob = quiet(world.key("u-bob").await, "u-bob");
        bob.standing.outcome = model::plan::Outcome::Excluded;
        bob.standing.excluded_by = Some("guests".into());
        bob.reports.push(Report {
            user: bob.user,
            source_id: "u-bob".into(),
            field: Some(field("phone")),
            why: ReportWhy::TooLong,
            detail: "60 of 50".into(),
        });
        let run = world.plan(vec![quiet(world.key("u-ada").await, "u-ada"), bob]).await;
        let counts = world.store.standing_counts(world.tenant.key).await.expect("counts");
        let told: Vec<_> = counts.iter().map(|c| (c.outcome.as_str(), c.excluded_by.as_deref(), c.users)).collect();
        assert_eq!(told, [("excluded", Some("guests"), 1), ("synced", None, 1)]);
        let reports = world.store.reports(run, 0, 10).await.expect("reports");
        assert_eq!((reports[0].1.why, reports[0].1.field.as_ref().map(Field::as_str)), (ReportWhy::TooLong, Some("phone")));
        let counts = world.store.run_counts(run).await.expect("counts");
        assert_eq!((counts.users, counts.unchanged, counts.excluded), (2, 1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_82_weights_count_removals_of_a_day_that_nobody_approved_and_that_did_not_come_back() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob"), named("u-cy")]).await;
        let mut creates = Vec::new();
        for id in ["u-ada", "u-bob", "u-cy"] {
            creates.push(world.create(id, json!({"last_name": id})).await);
        }
        let run = world.plan(creates).await;
        let weights = world.store.weights(run, NOW).await.expect("weights");
        assert_eq!((weights.changes, weights.creates, weights.linked, weights.first_plan), (3, 3, 0, true));
        world.apply_run(run, 2).await;
        let remove = async |id: &str, removal| {
            let record = record_of(&world, id).await;
            let version = world.store.person(record).await.expect("record").version;
            let status = if removal { "inactive" } else { "active" };
            let mut decision = world.decide(id, Verb::Update, Some(record.0), version, json!({"status": status})).await;
            decision.changes[0].effects = Effects { removal, returns: !removal, ..Effects::default() };
            decision
        };
        world.apply(vec![remove("u-ada", true).await, remove("u-bob", true).await]).await;
        world.apply(vec![remove("u-bob", false).await]).await;
        let run = world.plan(vec![remove("u-cy", true).await]).await;
        let weights = world.store.weights(run, NOW + 1).await.expect("weights");
        assert_eq!((weights.removals, weights.removals_in_window, weights.removed_in_window), (1, 1, 1));
        assert_eq!((weights.linked, weights.first_plan), (2, false));
        let weights = world.store.weights(run, NOW + DAY).await.expect("weights");
        assert_eq!(weights.removals_in_window, 0, "exactly a day ago is out");
        let by_rule = world.store.removals_by_rule(run).await.expect("by rule");
        assert!(by_rule.is_empty(), "the link keeps no rule here");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_111_a_rejected_set_is_spared_until_one_of_its_inputs_changes() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        world.apply(vec![world.create("u-ada", json!({})).await, world.create("u-bob", json!({})).await]).await;
        let mut removals = Vec::new();
        for id in ["u-ada", "u-bob"] {
            let record = record_of(&world, id).await;
            let mut decision = world.decide(id, Verb::Deactivate, Some(record.0), 1, json!({"status": "inactive"})).await;
            decision.changes[0].effects.removal = true;
            removals.push(decision);
        }
        let run = world.plan(removals).await;
        let held = RunChange { plan_hash: Some("abc".into()), policy_digest: Some("digest".into()), ..RunChange::default() };
        world.store.advance_run(&world.lease, run, RunState::Planning, RunState::Held, held, NOW).await.expect("held");
        let grounds = [(world.key("u-ada").await, Hash::of("staff")), (world.key("u-bob").await, Hash::of("none"))];
        assert_eq!(world.store.removed_users(run).await.expect("users"), grounds.map(|(user, _)| user));
        let reject = RunVerdict::Reject { reason: "they moved house", grounds: &grounds };
        world.store.decide_run(run, RunState::Held, reject, "abc", "kim", NOW).await.expect("rejected");
        let noted = world.store.audit(None, 10).await.expect("audit");
        assert_eq!((noted[0].action.as_str(), noted[0].actor.as_str()), ("run.reject", "kim"));
        let spared = async |digest| world.store.spared(world.tenant.key, digest).await.expect("spared").len();
        assert_eq!((spared("digest").await, spared("another").await), (2, 0));
        world.store.touch_users(world.tenant.key, &[grounds[1].0]).await.expect("touched");
        let due = world.store.rejected_due(world.tenant.key).await.expect("due");
        assert!(due.contains(&grounds[1]), "whoever is due is told with the grounds: {due:?}");
        world.round(Feed::Users, false, vec![user("u-ada", json!({"jobTitle": "Countess"}))]).await;
        assert_eq!(spared("digest").await, 0);
    })
    .await;
}

pub async fn record_of(world: &World, id: &str) -> PersonId {
    let key: UserKey = world.key(id).await;
    let facts = world.store.user_facts(world.tenant.key, &[key]).await.expect("facts");
    facts[0].links[0].person.id
}

pub fn all() -> PlanFilter {
    PlanFilter { limit: 1000, ..PlanFilter::default() }
}
