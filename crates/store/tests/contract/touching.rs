use crate::world::{World, group, left, managed, member, named, nested, on_each};
use model::directory::{Event, Feed};
use model::plan::Wait;
use model::{GroupKey, SourceId};
use store::Store;

async fn groups(world: &World, ids: &[&str]) -> Vec<GroupKey> {
    let ids: Vec<SourceId> = ids.iter().map(|id| SourceId::from(*id)).collect();
    let (facts, _) = world.store.group_facts(world.tenant.key, &ids, &[]).await.expect("groups");
    facts.into_iter().map(|g| g.key).collect()
}

/// staff holds ada and the group inner; inner holds bob; other holds cy.
async fn directory(store: Store) -> World {
    let world = World::new(store).await;
    world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob"), named("u-cy")]).await;
    let told = vec![
        group("g-staff", "Staff"),
        group("g-inner", "Inner"),
        group("g-other", "Other"),
        member("g-staff", "u-ada"),
        nested("g-staff", "g-inner"),
        member("g-inner", "u-bob"),
        member("g-other", "u-cy"),
    ];
    world.round(Feed::Groups, true, told).await;
    world.store.touch_from_edges(&world.lease, &[]).await.expect("log consumed");
    world.settle().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn req_r01_a_membership_touches_its_user_only_where_a_named_group_is_reached() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff"]).await;
        world.round(Feed::Groups, false, vec![member("g-inner", "u-cy"), member("g-other", "u-ada")]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-cy"], "inner is below staff, other is not");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nested_membership_that_ends_touches_everyone_below_it() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff"]).await;
        let events = vec![left("g-staff", "g-inner"), left("g-inner", "u-bob"), member("g-inner", "u-cy")];
        world.round(Feed::Groups, false, events).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-bob", "u-cy"], "bob left in the same round and was below it before");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_told_again_touches_nobody() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff", "g-inner", "g-other"]).await;
        world.round(Feed::Groups, false, vec![member("g-staff", "u-ada"), left("g-staff", "u-cy")]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert!(world.due().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round_of_groups_ends_what_it_does_not_tell() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff", "g-other"]).await;
        world.round(Feed::Groups, true, vec![group("g-staff", "Staff"), member("g-staff", "u-ada")]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-bob", "u-cy"]);
        assert_eq!(groups(&world, &["g-staff", "g-other"]).await.len(), 1, "other is gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_group_touches_its_members_and_a_removed_one_too() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff", "g-other"]).await;
        world.round(Feed::Groups, false, vec![group("g-staff", "Personnel")]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-ada", "u-bob"], "nested members as well");
        world.settle().await;
        world.round(Feed::Groups, false, vec![Event::GroupRemoved { id: "g-other".into() }]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-cy"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_hold_each_other_do_not_trap_anybody() {
    on_each(async |store: Store| {
        let world = directory(store).await;
        let named = groups(&world, &["g-staff"]).await;
        world.round(Feed::Groups, false, vec![nested("g-inner", "g-staff")]).await;
        world.store.touch_from_edges(&world.lease, &named).await.expect("touched");
        assert_eq!(world.due().await, ["u-ada", "u-bob"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manager_makes_a_user_due() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![managed("u-ada", Some("u-bob")), managed("u-bob", None)]).await;
        world.settle().await;
        world.round(Feed::Users, false, vec![managed("u-ada", None), managed("u-bob", None)]).await;
        assert_eq!(world.due().await, ["u-ada"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_key_is_touched_by_it_and_by_nothing_else() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let mut ada = crate::world::quiet(world.key("u-ada").await, "u-ada");
        ada.waits = vec![Wait::Username("ada".into()), Wait::Until(500)];
        let mut bob = crate::world::quiet(world.key("u-bob").await, "u-bob");
        bob.waits = vec![Wait::Client("Acme".into())];
        world.apply(vec![ada, bob]).await;
        assert!(world.due().await.is_empty());
        assert_eq!(world.store.touch_waiters(&[("username", "eve".into())]).await.expect("touched"), 0);
        assert_eq!(world.store.touch_waiters(&[("username", "ada".into())]).await.expect("touched"), 1);
        assert_eq!(world.due().await, ["u-ada"]);
        world.settle().await;
        assert_eq!(world.store.touch_ripe(&world.lease, 499).await.expect("touched"), 0);
        assert_eq!(world.store.touch_ripe(&world.lease, 500).await.expect("touched"), 1);
        world.settle().await;
        world.store.create_client(" ACME ").await.expect("client");
        assert_eq!(world.due().await, ["u-bob"], "a client that appears touches who waits for its name");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_that_comes_while_a_plan_waits_survives_it() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let run = world.planning().await;
        world.store.begin_plan(&world.lease, run, crate::world::NOW).await.expect("plan");
        world.store.touch_users(world.tenant.key, &[world.key("u-bob").await]).await.expect("touched");
        world.store.settle_due(&world.lease, run).await.expect("settled");
        assert_eq!(world.due().await, ["u-bob"]);
    })
    .await;
}
