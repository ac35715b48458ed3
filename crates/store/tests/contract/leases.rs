use crate::world::{NOW, World, on_each, raw};
use model::directory::Feed;
use store::{Store, StoreError};
use testkit::databases;

const TTL: i64 = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_who_want_one_tenant_exactly_one_gets_it() {
    on_each(async |store: Store| {
        let tenant = World::new(store.clone()).await.tenant.key;
        let later = NOW + crate::world::DAY;
        for round in 0..20 {
            let now = later + round * TTL;
            let (a, b) = tokio::join!(store.acquire_lease(tenant, "a", now, TTL), store.acquire_lease(tenant, "b", now, TTL));
            let won = [a.expect("database"), b.expect("database")].into_iter().flatten().count();
            assert_eq!(won, 1, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_writes_nothing_more() {
    on_each(async |store: Store| {
        let world = World::new(store.clone()).await;
        let late = NOW + 2 * crate::world::DAY;
        assert_eq!(store.acquire_lease(world.tenant.key, "other", NOW + 1, TTL).await.expect("database"), None);
        let newer = store.acquire_lease(world.tenant.key, "other", late, TTL).await.expect("database").expect("it ran out");
        assert!(newer.fence > world.lease.fence);
        let refused = store.begin_round(&world.lease, Feed::Users, true).await;
        assert!(matches!(refused, Err(StoreError::LeaseLost { .. })));
        assert!(matches!(store.renew_lease(&world.lease, late, TTL).await, Err(StoreError::LeaseLost { .. })));
        store.release_lease(&world.lease).await.expect("giving a lost lease back does no harm");
        store.renew_lease(&newer, late, TTL).await.expect("the newer one holds");
        assert_eq!(store.begin_round(&newer, Feed::Users, true).await.expect("and writes"), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_was_given_back_is_free_at_once() {
    on_each(async |store: Store| {
        let world = World::new(store.clone()).await;
        store.release_lease(&world.lease).await.expect("released");
        assert!(store.acquire_lease(world.tenant.key, "other", NOW, TTL).await.expect("database").is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_notices_that_the_database_has_lost_what_it_had_committed() {
    for database in [databases::sqlite(), databases::postgres()] {
        let database = database.expect("a database for the test");
        let store = Store::open(database.url(), NOW).await.expect("a fresh database opens");
        let world = World::new(store.clone()).await;
        let round = store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        world.page(Feed::Users, round, true, Vec::new()).await;
        // As after a loss of power: the last commit is gone.
        raw(database.url(), "UPDATE leases SET writes = writes - 1").await;
        let refused = store.begin_round(&world.lease, Feed::Users, true).await;
        assert!(matches!(refused, Err(StoreError::Forgotten { .. })), "{refused:?}");
        // A writer that gives up what it began has lost nothing.
        let late = NOW + 2 * crate::world::DAY;
        let next = store.acquire_lease(world.tenant.key, "next", late, TTL).await.expect("database").expect("it ran out");
        for _ in 0..3 {
            drop(store.write(&next).await.expect("it may write"));
        }
        store.begin_round(&next, Feed::Users, true).await.expect("and goes on");
        store.close().await;
    }
}
