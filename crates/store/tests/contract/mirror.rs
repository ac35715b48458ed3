use crate::world::{NOW, World, gone, group, managed, member, named, on_each, user};
use model::directory::{Cursor, Feed, Page, Presence};
use model::{UserKey, Value};
use serde_json::json;
use store::{PageCommit, Store, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_user_costs_no_write_and_is_not_due() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let first = world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        assert_eq!((first.new, first.changed, first.unchanged), (2, 0, 0));
        assert_eq!(world.due().await, ["u-ada", "u-bob"]);
        world.settle().await;
        let again = world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        assert_eq!((again.new, again.changed, again.unchanged), (0, 0, 2));
        assert!(world.due().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_lays_over_what_is_known_and_a_full_round_replaces_it() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![user("u-ada", json!({"surname": "Byron", "jobTitle": "Analyst"}))]).await;
        world.round(Feed::Users, false, vec![user("u-ada", json!({"jobTitle": null}))]).await;
        let ada = world.store.find_user(world.tenant.key, "u-ada").await.expect("database").expect("ada");
        assert_eq!(ada.attributes.get("surname"), &Value::from("Byron"), "absent is not told");
        assert!(ada.attributes.has("jobTitle") && ada.attributes.get("jobTitle").is_null(), "null is told");
        world.round(Feed::Users, true, vec![user("u-ada", json!({"surname": "Lovelace"}))]).await;
        let ada = world.store.find_user(world.tenant.key, "u-ada").await.expect("database").expect("ada");
        assert!(!ada.attributes.has("jobTitle"), "a full round tells the whole");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_events_about_one_user_in_a_page_the_later_wins() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let events = vec![named("u-ada"), gone("u-ada"), named("u-bob"), gone("u-bob"), named("u-bob"), gone("u-nobody")];
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob")]).await;
        let stats = world.round(Feed::Users, false, events).await;
        assert_eq!(stats.removed, 1);
        let presence = async |id| world.store.find_user(world.tenant.key, id).await.expect("database").map(|u| u.presence);
        assert_eq!(presence("u-ada").await, Some(Presence::Deleted));
        assert_eq!(presence("u-bob").await, Some(Presence::Present));
        assert_eq!(presence("u-nobody").await, None, "a tombstone of somebody unknown is nothing");
        let state = world.store.feed_state(world.tenant.key, Feed::Users).await.expect("state");
        assert_eq!(state.present, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_l04_a_restored_user_is_the_same_user_and_due() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        let key = world.key("u-ada").await;
        world.round(Feed::Users, false, vec![gone("u-ada")]).await;
        world.settle().await;
        world.round(Feed::Users, false, vec![named("u-ada")]).await;
        assert_eq!(world.key("u-ada").await, key);
        assert_eq!(world.due().await, ["u-ada"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_full_round_finds_absentees_and_new_users_are_not_among_them() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob"), named("u-cy")]).await;
        let round = world.store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        world.page(Feed::Users, round, true, vec![named("u-ada"), named("u-dee")]).await;
        world.page(Feed::Users, round, true, vec![named("u-ada"), gone("u-cy")]).await;
        let absent = world.store.absentees(world.tenant.key, UserKey(0), 10).await.expect("absentees");
        let ids: Vec<&str> = absent.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, ["u-bob"], "cy has a tombstone, dee is new");
        world.settle().await;
        world.store.mark_absent(&world.lease, &[absent[0].0], Presence::Missing).await.expect("marked");
        assert_eq!(world.due().await, ["u-bob"]);
        assert!(world.store.absentees(world.tenant.key, UserKey(0), 10).await.expect("absentees").is_empty());
        let state = world.store.complete_round(&world.lease, Feed::Users, true, NOW).await.expect("state");
        assert_eq!((state.mirror_before, state.present, state.absentees), (3, 2, 1), "shrinkage counts the merely absent");
        let absent = world.store.absentees(world.tenant.key, UserKey(0), 10).await.expect("absentees");
        assert!(absent.is_empty(), "outside a full round nobody is absent");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_committed_twice_is_as_committed_once() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let page = || vec![named("u-ada"), managed("u-bob", Some("u-ada")), gone("u-cy")];
        let round = world.store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        world.page(Feed::Users, round, true, page()).await;
        let before = dump(&world.store).await;
        let stats = world.page(Feed::Users, round, true, page()).await;
        assert_eq!((stats.new, stats.changed), (0, 0));
        assert_eq!(dump(&world.store).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_older_round_is_refused_and_leaves_nothing() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let old = world.store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        world.store.begin_round(&world.lease, Feed::Users, true).await.expect("another");
        let page = Page { events: vec![named("u-ada")], next: Cursor::Page("next".into()) };
        assert!(matches!(world.try_page(Feed::Users, old, true, page).await, Err(StoreError::Conflict(_))));
        assert_eq!(world.store.find_user(world.tenant.key, "u-ada").await.expect("database"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_told_before_their_users_wait_as_unseen_and_are_nobodys_absentees() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        world
            .round(Feed::Groups, true, vec![group("g-staff", "Staff"), member("g-staff", "u-ada"), member("g-staff", "u-new")])
            .await;
        let new = world.store.find_user(world.tenant.key, "u-new").await.expect("database").expect("a stub");
        assert_eq!(new.presence, Presence::Unseen);
        world.settle().await;
        let round = world.store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        let stats = world.page(Feed::Users, round, true, vec![named("u-ada"), named("u-new")]).await;
        assert_eq!(stats.changed, 1);
        assert_eq!(world.due().await, ["u-new"]);
        assert_eq!(world.key("u-new").await, new.key, "the membership hangs on the same row");
        assert!(world.store.absentees(world.tenant.key, UserKey(0), 10).await.expect("absentees").is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_by_id_and_by_principal_name_whatever_its_case() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        for name in ["u-ada", "U-Ada@Acme.Example"] {
            assert!(world.store.find_user(world.tenant.key, name).await.expect("database").is_some(), "{name}");
        }
    })
    .await;
}

pub async fn dump(store: &Store) -> String {
    let mut out = Vec::new();
    store.dump(&mut out).await.expect("dump");
    String::from_utf8(out).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_written_together_are_kept_together_or_not_at_all() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let round = world.store.begin_round(&world.lease, Feed::Users, true).await.expect("round");
        let page = |id: &str, next: &str| {
            let page = Page { events: vec![named(id)], next: Cursor::Page(next.into()) };
            PageCommit::new(Feed::Users, round, true, true, page).expect("page")
        };
        let mut killed = world.store.write(&world.lease).await.expect("writing");
        killed.page(page("u-ada", "2")).await.expect("first");
        killed.page(page("u-bob", "3")).await.expect("second");
        drop(killed);
        let state = world.store.feed_state(world.tenant.key, Feed::Users).await.expect("state");
        assert_eq!((state.cursor, state.present), (Cursor::Refresh, 0));
        assert_eq!(world.store.find_user(world.tenant.key, "u-ada").await.expect("database"), None);

        let mut writing = world.store.write(&world.lease).await.expect("writing");
        writing.page(page("u-ada", "2")).await.expect("first");
        writing.page(page("u-bob", "3")).await.expect("second");
        writing.commit().await.expect("committed");
        let state = world.store.feed_state(world.tenant.key, Feed::Users).await.expect("state");
        assert_eq!((state.cursor, state.present), (Cursor::Page("3".into()), 2));
    })
    .await;
}
