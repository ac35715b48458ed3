use crate::world::{NOW, World, named, on_each, quiet};
use model::directory::Feed;
use model::facts::Choice;
use model::plan::{Decision, Outcome, ReviewItem};
use model::reason::ReviewWhy;
use model::run::{RunKind, RunState};
use model::{Kind, PersonId, RunId};
use serde_json::json;
use store::{Pass, ReviewFilter, RunChange, RunVerdict, Store, StoreError, Verdict};

/// Ada and Bob have records, and sync asks about Cy and Dee.
async fn world(store: Store) -> (World, Vec<i64>) {
    let world = World::new(store).await;
    world.round(Feed::Users, true, ["u-ada", "u-bob", "u-cy", "u-dee"].map(named).to_vec()).await;
    let mut decisions = vec![world.create("u-ada", json!({})).await, world.create("u-bob", json!({})).await];
    for id in ["u-cy", "u-dee"] {
        decisions.push(asks(&world, id, ReviewWhy::AmbiguousMatch).await);
    }
    world.apply(decisions).await;
    let items = world.store.reviews(&ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.expect("items");
    (world, items.into_iter().map(|i| i.id).collect())
}

async fn asks(world: &World, id: &str, why: ReviewWhy) -> Decision {
    let user = world.key(id).await;
    let mut decision = quiet(user, id);
    decision.standing.outcome = Outcome::InReview;
    let (rule, candidates) = (None, vec![PersonId(1)]);
    decision.review = Some(ReviewItem {
        user,
        source_id: id.into(),
        why,
        rule,
        kind: Kind::Contact,
        candidates,
        evidence: Vec::new(),
        other: None,
    });
    decision
}

async fn state(world: &World, item: i64) -> String {
    world.store.review(item).await.expect("the item").state
}

async fn decide(world: &World, asked: &[(i64, Verdict)], at: i64) -> (Option<RunId>, Vec<Result<(), StoreError>>) {
    world.store.decide_reviews(world.tenant.key, asked, true, "kim", at).await.expect("a database")
}

const CREATE: Verdict = Verdict::Choose(Choice::Create);

/// Plans a run of review as the engine does, from its queue to its end.
async fn write(world: &World, run: RunId, decisions: Vec<Decision>) {
    let (queued, planning) = (RunState::Queued, RunState::Planning);
    world.store.advance_run(&world.lease, run, queued, planning, RunChange::default(), NOW).await.expect("advance");
    world.store.begin_plan(&world.lease, run, NOW).await.expect("plan");
    world.keep(run, Pass::Unlinked, decisions, NOW).await;
    world.apply_run(run, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_13_a_choice_is_kept_with_its_run_and_told_until_it_is_written() {
    on_each(async |store: Store| {
        let (world, items) = world(store).await;
        let before = world.store.tenant(world.tenant.key).await.expect("tenant").first_applied_run;
        let (run, results) = decide(&world, &[(items[0], CREATE)], NOW + 5).await;
        let run = run.expect("a run writes it");
        results.into_iter().for_each(|r| r.expect("taken"));
        assert_eq!(state(&world, items[0]).await, "decided");
        let facts = world.store.user_facts(world.tenant.key, &[world.key("u-cy").await]).await.expect("facts");
        assert_eq!(facts[0].resolutions.first().map(|r| (r.kind, r.choice)), Some((Kind::Contact, Choice::Create)));
        assert!(facts[0].review.is_none(), "nothing is asked any more");
        assert_eq!(world.store.review_users(run).await.expect("users"), [world.key("u-cy").await]);
        assert_eq!(world.store.run(run).await.expect("run").kind, RunKind::Review);

        // Somebody else is due as well: they are no matter of this run.
        world.store.touch_users(world.tenant.key, &[world.key("u-bob").await]).await.expect("touched");
        write(&world, run, vec![world.create("u-cy", json!({})).await]).await;
        assert_eq!(state(&world, items[0]).await, "resolved");
        assert_eq!(state(&world, items[1]).await, "open", "the other question stays");
        assert_eq!(world.due().await, ["u-bob"]);
        assert_eq!(world.store.tenant(world.tenant.key).await.expect("tenant").first_applied_run, before);

        let history = world.store.review_decisions(items[0], 10).await.expect("history");
        assert_eq!((history.len(), history[0].by.as_str(), history[0].action.as_str()), (1, "kim", "create"));
        assert_eq!((history[0].at, history[0].run), (NOW + 5, Some(run)));
        let noted = world.store.audit(None, 10).await.expect("audit");
        assert_eq!((noted[0].action.as_str(), noted[0].subject.as_str()), ("review.create", items[0].to_string().as_str()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_items_are_decided_each_for_itself() {
    on_each(async |store: Store| {
        let (world, items) = world(store).await;
        let asked = [(items[0], CREATE), (items[0], Verdict::Dismiss), (4711, CREATE), (items[1], Verdict::Dismiss)];
        let (run, results) = decide(&world, &asked, NOW).await;
        assert!(run.is_some());
        assert!(results[0].is_ok() && results[3].is_ok());
        assert!(matches!(&results[1], Err(StoreError::Conflict(why)) if why.contains("re-open")), "{:?}", results[1]);
        assert!(matches!(results[2], Err(StoreError::NotFound { .. })));
        assert_eq!((state(&world, items[0]).await, state(&world, items[1]).await), ("decided".into(), "dismissed".into()));

        let (none, refused) = decide(&world, &[(items[0], CREATE)], NOW).await;
        assert!(none.is_none() && refused[0].is_err(), "what was refused leaves no run behind");
        let open = world.store.open_runs(world.tenant.key).await.expect("runs");
        assert_eq!(open.iter().filter(|r| r.kind == RunKind::Review).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_is_taken_back_before_it_is_written_and_a_rejected_one_is_asked_again() {
    on_each(async |store: Store| {
        let (world, items) = world(store).await;
        let (run, _) = decide(&world, &[(items[0], CREATE)], NOW).await;
        decide(&world, &[(items[0], Verdict::Reopen)], NOW).await.1.remove(0).expect("taken back");
        assert_eq!(world.store.run(run.expect("a run")).await.expect("run").state, RunState::Superseded);
        let item = world.store.review(items[0]).await.expect("item");
        assert_eq!((item.state.as_str(), item.chosen.len()), ("open", 0));

        let (run, _) = decide(&world, &[(items[0], CREATE)], NOW).await;
        let run = run.expect("a run");
        let held = RunChange { plan_hash: Some("abc".into()), ..RunChange::default() };
        world.store.advance_run(&world.lease, run, RunState::Queued, RunState::Held, held, NOW).await.expect("held");
        let reject = RunVerdict::Reject { reason: "not now", grounds: &[] };
        world.store.decide_run(run, RunState::Held, reject, "abc", "kim", NOW).await.expect("rejected");
        let item = world.store.review(items[0]).await.expect("item");
        assert_eq!((item.state.as_str(), item.chosen.len()), ("open", 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_45_what_was_chosen_for_one_kind_waits_for_the_other() {
    on_each(async |store: Store| {
        let (world, items) = world(store).await;
        decide(&world, &[(items[0], CREATE)], NOW).await;
        // The user's other record is in question as well.
        let mut other = asks(&world, "u-cy", ReviewWhy::InactiveMatch).await;
        other.review.as_mut().expect("an item").kind = Kind::Agent;
        world.plan(vec![other]).await;
        let item = world.store.review(items[0]).await.expect("item");
        assert_eq!((item.state.as_str(), item.item.kind, item.chosen.len()), ("open", Kind::Agent, 1));
        let link = Verdict::Choose(Choice::Link(PersonId(1)));
        decide(&world, &[(items[0], link)], NOW).await.1.remove(0).expect("taken");
        let facts = world.store.user_facts(world.tenant.key, &[world.key("u-cy").await]).await.expect("facts");
        let kinds: Vec<Kind> = facts[0].resolutions.iter().map(|r| r.kind).collect();
        assert_eq!(kinds, [Kind::Contact, Kind::Agent], "both are told");
    })
    .await;
}
