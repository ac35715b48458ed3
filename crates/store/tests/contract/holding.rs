use crate::planning::{all, record_of};
use crate::world::{DAY, NOW, World, named, on_each};
use model::directory::Feed;
use model::plan::{Decision, Hold, Verb};
use model::run::RunState;
use serde_json::json;
use store::{NewTenant, RunChange, RunVerdict, Store};

/// An hour, in milliseconds.
const HOUR: i64 = DAY / 24;

async fn removal(world: &World, id: &str) -> Decision {
    let record = record_of(world, id).await;
    let version = world.store.person_view(record).await.expect("view").person.version;
    let mut decision = world.decide(id, Verb::Deactivate, Some(record.0), version, json!({"status": "inactive"})).await;
    decision.changes[0].effects.removal = true;
    decision
}

#[tokio::test(flavor = "multi_thread")]
async fn r86_the_safe_part_is_applied_under_its_own_hash_while_the_rest_waits_and_its_users_stay_due() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, ["u-ada", "u-bob"].map(named).into()).await;
        world.apply(vec![world.create("u-ada", json!({"last_name": "Ada"})).await]).await;
        world
            .round(Feed::Users, true, ["u-ada", "u-bob"].map(|id| crate::world::user(id, json!({"displayName": "X"}))).into())
            .await;
        let run =
            world.plan(vec![removal(&world, "u-ada").await, world.create("u-bob", json!({"last_name": "Bob"})).await]).await;
        let rows = world.store.plan_rows(run, &all()).await.expect("rows");
        let safe: Vec<i64> = rows.iter().filter(|r| r.change.verb == Verb::Create).map(|r| r.id).collect();
        let held = RunChange {
            plan_hash: Some("rest".into()),
            holds: Some(vec![Hold::AllRemoved { removals: 1 }]),
            ..RunChange::default()
        };
        let part = world.store.split_plan(&world.lease, run, held, &safe, "safe", NOW).await.expect("split");
        let (rest, part_run) = (world.store.run(run).await.expect("run"), world.store.run(part).await.expect("run"));
        assert_eq!((rest.state, rest.plan_hash.as_deref()), (RunState::Held, Some("rest")));
        assert_eq!((part_run.state, part_run.plan_hash.as_deref()), (RunState::Applying, Some("safe")));
        while world.apply_next(part, 10).await.expect("applied").is_some() {}
        record_of(&world, "u-bob").await;
        assert_eq!(world.due().await, ["u-ada"], "whose change waits is looked at again");
        let verbs =
            async |run| world.store.plan_rows(run, &all()).await.expect("rows").iter().map(|r| r.change.verb).collect::<Vec<_>>();
        assert_eq!((verbs(run).await, verbs(part).await), (vec![Verb::Deactivate], vec![Verb::Create]));
        // Approved, the rest is applied as it was shown.
        assert!(!world.store.plan_is_stale(run).await.expect("stale"));
        world.store.decide_run(run, RunState::Held, RunVerdict::Approve, "rest", "kim", NOW).await.expect("approved");
        while world.apply_next(run, 10).await.expect("applied").is_some() {}
        assert!(world.due().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r87_the_fleet_weighs_what_all_tenants_removed_within_a_day_and_who_tripped_within_an_hour() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let other = NewTenant {
            connection: world.tenant.connection,
            directory_id: "22222222-2222-2222-2222-222222222222".into(),
            domain: "other.example".into(),
            name: "Other".into(),
        };
        let other = world.store.add_tenant(&other, NOW).await.expect("tenant");
        world.round(Feed::Users, true, ["u-ada", "u-bob", "u-cyd"].map(named).into()).await;
        let mut made = Vec::new();
        for id in ["u-ada", "u-bob", "u-cyd"] {
            made.push(world.create(id, json!({"last_name": id})).await);
        }
        world.apply(made).await;
        world.apply(vec![removal(&world, "u-ada").await]).await;
        let run = world.plan(vec![removal(&world, "u-bob").await]).await;
        let weigh = async |now| world.store.fleet_weights(other.key, run, 1, 2, now).await.expect("weights");
        let fleet = weigh(NOW).await;
        assert_eq!((fleet.tenants, fleet.removals_in_window, fleet.linked), (2, 1, 2));
        assert_eq!((fleet.tripped, fleet.stands), (0, None));
        assert_eq!(weigh(NOW + DAY).await.removals_in_window, 0, "exactly a day ago is out");
        let few = world.store.fleet_weights(other.key, run, 1, 10, NOW).await.expect("weights");
        assert_eq!(few.linked, 0, "below the floor nobody counts");
        world.store.note_trip(&world.lease, run, false, NOW).await.expect("noted");
        world.store.note_trip(&world.lease, run, false, NOW).await.expect("noted once");
        assert_eq!(weigh(NOW).await.tripped, 1);
        assert_eq!(weigh(NOW + HOUR).await.tripped, 0);
        world.store.note_trip(&world.lease, run, true, NOW).await.expect("noted");
        let later = world.plan(Vec::new()).await;
        let after = async |now| world.store.fleet_weights(other.key, later, 0, 10, now).await.expect("weights").stands;
        assert_eq!(after(NOW + DAY - 1).await, Some(run));
        assert_eq!(after(NOW + DAY).await, None);
    })
    .await;
}
