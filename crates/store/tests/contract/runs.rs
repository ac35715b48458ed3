use crate::world::{NOW, World, named, on_each};
use model::directory::Feed;
use model::plan::Hold;
use model::run::{RunKind, RunState};
use serde_json::json;
use store::{RunChange, RunFilter, RunVerdict, Store, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_moves_only_from_the_state_it_is_in() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let run = world.store.create_run(world.tenant.key, RunKind::Delta, false, "schedule", NOW).await.expect("run");
        let move_on =
            async |from, to| world.store.advance_run(&world.lease, run.id, from, to, RunChange::default(), NOW + 1).await;
        move_on(RunState::Queued, RunState::Collecting).await.expect("it was queued");
        let again = move_on(RunState::Queued, RunState::Collecting).await;
        assert!(matches!(again, Err(StoreError::Conflict(why)) if why.contains("is collecting now, not queued")));
        let failed = RunChange { error: Some("The client secret has expired.".into()), ..RunChange::default() };
        let (from, to) = (RunState::Collecting, RunState::Failed);
        world.store.advance_run(&world.lease, run.id, from, to, failed, NOW + 2).await.expect("failed");
        let run = world.store.run(run.id).await.expect("run");
        assert_eq!((run.state, run.started_at, run.ended_at), (RunState::Failed, Some(NOW + 1), Some(NOW + 2)));
        assert_eq!(run.error.as_deref(), Some("The client secret has expired."));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_approved_by_the_hash_that_was_shown() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        let run = world.plan(vec![world.create("u-ada", json!({})).await]).await;
        let held = RunChange { plan_hash: Some("abc".into()), holds: Some(vec![Hold::FirstRun]), ..RunChange::default() };
        world.store.advance_run(&world.lease, run, RunState::Planning, RunState::Held, held, NOW).await.expect("held");
        let approve = async |hash| world.store.decide_run(run, RunState::Held, RunVerdict::Approve, hash, "kim", NOW + 5).await;
        assert!(matches!(approve("other").await, Err(StoreError::Conflict(_))));
        approve("abc").await.expect("approved");
        assert!(matches!(approve("abc").await, Err(StoreError::Conflict(_))), "once");
        let run = world.store.run(run).await.expect("run");
        assert_eq!((run.decided_by.as_deref(), run.decided_at, run.holds), (Some("kim"), Some(NOW + 5), vec![Hold::FirstRun]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_newest_first_page_by_page() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(world.store.create_run(world.tenant.key, RunKind::Full, true, "kim", NOW).await.expect("run").id);
        }
        let mut filter = RunFilter { tenant: Some(world.tenant.key), limit: 2, ..RunFilter::default() };
        let mut told = Vec::new();
        loop {
            let page = world.store.runs(&filter).await.expect("runs");
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id);
            told.extend(page.iter().map(|r| r.id));
        }
        made.reverse();
        assert_eq!(told, made);
        filter.before = None;
        filter.states = vec![RunState::Done];
        assert!(world.store.runs(&filter).await.expect("runs").is_empty());
        assert_eq!(world.store.tenants_with_work(10).await.expect("work"), [world.tenant.key]);
        assert_eq!(world.store.open_runs(world.tenant.key).await.expect("open").len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_94_a_schedule_waits_for_the_first_applied_plan_and_a_new_client_for_another() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let key = world.tenant.key;
        let schedule = async || world.store.schedule_tenant(key, true, Some(60), Some(NOW)).await;
        assert!(matches!(schedule().await, Err(StoreError::Conflict(_))));
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        world.apply(vec![world.create("u-ada", json!({})).await]).await;
        schedule().await.expect("after the first plan");
        assert_eq!(world.store.tenants_to_run(NOW, 10).await.expect("due").len(), 1);
        let acme = world.store.create_client("Acme").await.expect("client");
        world.store.map_tenant(key, Some(acme.id)).await.expect("mapped");
        let tenant = world.store.tenant(key).await.expect("tenant");
        assert_eq!((tenant.client, tenant.first_applied_run), (Some(acme.id), None));
        assert_eq!(world.due().await, ["u-ada"], "the mapping concerns everyone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_connection_takes_its_tenant_along_and_leaves_the_records() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        world.apply(vec![world.create("u-ada", json!({"last_name": "Byron"})).await]).await;
        let id = crate::planning::record_of(&world, "u-ada").await;
        world.store.remove_connection(world.tenant.connection).await.expect("removed");
        assert!(world.store.tenants().await.expect("tenants").is_empty());
        let view = world.store.person_view(id).await.expect("the record stays");
        assert_eq!(view.link, None);
        assert_eq!(world.store.history(id, None, 10).await.expect("history").len(), 1, "and so does its journal");
    })
    .await;
}
