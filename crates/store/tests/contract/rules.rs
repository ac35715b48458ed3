//! What rules, fields and matching keys need of the store: sites made with a change, records found by any field, sign-ins, assignments.

use crate::world::{World, field, group, member, named, on_each};
use model::directory::Feed;
use model::facts::Questions;
use model::plan::{NewSite, Wait};
use model::{PersonId, SourceId};
use serde_json::json;
use std::collections::HashSet;
use store::{PersonFilter, Store};

#[tokio::test(flavor = "multi_thread")]
async fn req_r04_a_site_is_made_once_with_the_changes_that_need_it() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        let users = ["u-1", "u-2", "u-3"];
        world.round(Feed::Users, true, users.map(named).to_vec()).await;
        let acme = world.store.create_client("Acme").await.expect("client").id;
        let mut waiting = crate::world::quiet(world.key("u-3").await, "u-3");
        waiting.waits = vec![Wait::Site("LEEDS".into())];
        let mut decisions = vec![waiting];
        for id in &users[..2] {
            let mut one = world.create(id, json!({ "last_name": id, "client": acme.0, "site": "Leeds" })).await;
            one.changes[0].new_site = Some(NewSite { client: acme, name: "Leeds".into() });
            decisions.push(one);
        }
        let run = world.plan(decisions).await;
        // One change a batch: the second finds what the first has made.
        let outcome = world.apply_run(run, 1).await;
        assert_eq!((outcome.applied, outcome.failed), (2, 0));
        let sites = world.store.sites().await.expect("sites");
        assert_eq!(sites.iter().map(|s| (s.client, s.name.as_str())).collect::<Vec<_>>(), [(acme, "Leeds")]);
        let people = world.store.people(&PersonFilter { limit: 9, ..PersonFilter::default() }).await.expect("people");
        assert!(people.iter().all(|p| p.person.site == Some(sites[0].id)), "{people:?}");
        let keys = [world.key("u-1").await];
        let facts = world.store.user_facts(world.tenant.key, &keys).await.expect("facts");
        assert_eq!(
            facts[0].links[0].link.decided.get(&field("site")),
            Some(&json!(sites[0].id.0)),
            "so that nothing is left to do"
        );
        assert_eq!(world.due().await, ["u-3"], "who waits for a site of that name is looked at again");
        let asked = Questions { sites: [(acme, "leeds".to_owned()), (acme, "york".to_owned())].into(), ..Questions::default() };
        let answers = world.store.answer(world.tenant.key, &asked).await.expect("answers");
        assert_eq!(answers.sites.into_iter().collect::<Vec<_>>(), [((acme, "leeds".to_owned()), sites[0].id)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_m03_records_are_found_by_the_fields_that_some_policy_matches_by() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-1"), named("u-2")]).await;
        let first = world.create("u-1", json!({ "last_name": "One", "employee_id": " AB7 " })).await;
        world.apply(vec![first]).await;
        let asks = |value: &str| Questions { keys: [(field("employee_id"), value.to_owned())].into(), ..Questions::default() };
        let found = async |world: &World, value: &str| -> Vec<PersonId> {
            let answers = world.store.answer(world.tenant.key, &asks(value)).await.expect("answers");
            answers.keys.into_values().flatten().map(|c| c.person.id).collect()
        };
        assert!(found(&world, "ab7").await.is_empty(), "nobody has asked for this field yet");
        world.store.keep_keys(&[field("employee_id")]).await.expect("kept");
        world.store.keep_keys(&[field("employee_id")]).await.expect("kept already");
        let one = found(&world, "ab7").await;
        assert_eq!(one.len(), 1);
        // From now on records are kept as they come and change.
        let second = world.create("u-2", json!({ "last_name": "Two", "employee_id": 7 })).await;
        world.apply(vec![second]).await;
        assert_eq!(found(&world, "7").await.len(), 1);
        let edit = store::PersonEdit { set: [(field("employee_id"), json!("9"))].into(), ..store::PersonEdit::default() };
        world.store.edit_person(one[0], &edit, "kim", crate::world::NOW).await.expect("edited");
        assert_eq!((found(&world, "ab7").await, found(&world, "9").await), (Vec::new(), one));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_f08_sign_ins_are_told_as_an_attribute_and_touch_who_has_a_record() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-1"), named("u-2")]).await;
        let first = world.create("u-1", json!({ "last_name": "One" })).await;
        world.apply(vec![first]).await;
        world.settle().await;
        let at = |day: &str| json!({ "lastSignInDateTime": format!("2026-01-{day}T08:00:00Z") });
        let told: Vec<(SourceId, _)> = vec![("u-1".into(), at("01")), ("u-2".into(), at("02")), ("u-9".into(), at("03"))];
        assert_eq!(world.store.tell_sign_ins(&world.lease, &told).await.expect("told"), 2);
        assert_eq!(world.due().await, ["u-1"]);
        world.settle().await;
        assert_eq!(world.store.tell_sign_ins(&world.lease, &told).await.expect("told"), 0, "nothing is new");
        assert!(world.due().await.is_empty());
        let keys = [world.key("u-1").await];
        let facts = world.store.user_facts(world.tenant.key, &keys).await.expect("facts");
        assert_eq!(facts[0].attributes.get("signInActivity"), &at("01"));
        // A full round tells nothing of sign-ins, and takes nothing away.
        world.round(Feed::Users, true, vec![named("u-1"), named("u-2")]).await;
        let facts = world.store.user_facts(world.tenant.key, &keys).await.expect("facts");
        assert_eq!(facts[0].attributes.get("signInActivity"), &at("01"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_c13_assignments_count_direct_members_and_touch_whom_they_concern() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-1"), named("u-2"), named("u-3")]).await;
        world.round(Feed::Groups, true, vec![group("g-1", "One"), member("g-1", "u-2")]).await;
        world.settle().await;
        let keys = async |world: &World, users: &[&str], groups: &[&str]| -> HashSet<i64> {
            let ids = |ids: &[&str]| ids.iter().map(|id| SourceId::from(*id)).collect::<Vec<_>>();
            let keys = world.store.keys_of(world.tenant.key, &ids(users), &ids(groups)).await.expect("keys");
            keys.into_iter().collect()
        };
        let assigned = keys(&world, &["u-1"], &["g-1"]).await;
        assert_eq!(world.store.set_app_assigned(&world.lease, &assigned).await.expect("kept"), 2);
        assert_eq!(world.due().await, ["u-1", "u-2"]);
        world.settle().await;
        assert_eq!(world.store.set_app_assigned(&world.lease, &assigned).await.expect("kept"), 0);
        let all = [world.key("u-1").await, world.key("u-2").await, world.key("u-3").await];
        let facts = world.store.user_facts(world.tenant.key, &all).await.expect("facts");
        assert_eq!(facts.iter().map(|f| f.assigned).collect::<Vec<_>>(), [true, true, false]);
        let assigned = keys(&world, &["u-1", "u-3"], &[]).await;
        assert_eq!(world.store.set_app_assigned(&world.lease, &assigned).await.expect("kept"), 2);
        assert_eq!(world.due().await, ["u-2", "u-3"]);
    })
    .await;
}
