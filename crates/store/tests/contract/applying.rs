use crate::mirror::dump;
use crate::planning::{all, record_of};
use crate::world::{NOW, World, field, import, named, on_each, quiet};
use model::directory::Feed;
use model::plan::{LinkState, Verb};
use model::records::Deactivated;
use model::run::RunState;
use model::{Kind, Status, Value};
use serde_json::json;
use store::{ChangeState, PersonEdit, PlanFilter, ReviewFilter, RunChange, Store, StoreError};

async fn three(store: Store) -> World {
    let world = World::new(store).await;
    world.round(Feed::Users, true, vec![named("u-ada"), named("u-bob"), named("u-cy")]).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_become_linked_records_with_a_journal_and_nobody_is_due() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let acme = world.store.create_client("Acme").await.expect("client");
        let set = json!({"first_name": "Ada", "last_name": "Byron", "client": acme.id.0, "phone": "1", "username": "ada"});
        let (run, outcome) = world.apply(vec![world.create("u-ada", set).await]).await;
        assert_eq!((outcome.applied, outcome.failed), (1, 0));
        let id = record_of(&world, "u-ada").await;
        let view = world.store.person_view(id).await.expect("view");
        assert_eq!(view.person.display_name(), "Ada Byron");
        assert_eq!((view.client.as_deref(), view.person.kind, view.person.status), (Some("Acme"), Kind::Contact, Status::Active));
        assert_eq!(view.link.expect("linked").policy_digest.as_deref(), Some("stamp"));
        assert_eq!(view.changed_by, format!("sync run {run}"));
        assert!(world.due().await.is_empty(), "the plan covered everyone");
        let rows = world.store.plan_rows(run, &all()).await.expect("journal");
        assert_eq!((&rows[0].state, rows[0].record, rows[0].at), (&ChangeState::Applied, Some(id), Some(NOW)));
        assert_eq!(world.store.history(id, None, 10).await.expect("history").len(), 1);
        let tenant = world.store.tenant(world.tenant.key).await.expect("tenant");
        assert_eq!(tenant.first_applied_run, Some(run));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_failure_is_that_users_and_the_counts_tell_the_truth() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let decisions = vec![
            world.create("u-ada", json!({"last_name": "Byron"})).await,
            world.create("u-bob", json!({"client": "not an id"})).await,
            world.decide("u-cy", Verb::Update, Some(4711), 1, json!({"last_name": "Cy"})).await,
        ];
        let run = world.plan(decisions).await;
        let outcome = world.apply_run(run, 100).await;
        assert_eq!((outcome.applied, outcome.failed), (1, 2));
        let counts = world.store.run_counts(run).await.expect("counts");
        assert_eq!((counts.applied, counts.failed), (1, 2));
        let failed = world.store.plan_rows(run, &PlanFilter { failed: true, ..all() }).await.expect("rows");
        assert!(
            matches!(&failed[0].state, ChangeState::Failed(why) if why == "the field client takes a client id."),
            "{failed:?}"
        );
        assert_eq!(world.due().await, ["u-bob", "u-cy"], "they are planned again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_the_database_refuses_fails_alone() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let mut twice = world.create("u-bob", json!({"last_name": "Bob"})).await;
        // A second live contact of one user contradicts the links' uniqueness.
        twice.changes.push(twice.changes[0].clone());
        let run = world.plan(vec![world.create("u-ada", json!({})).await, twice, world.create("u-cy", json!({})).await]).await;
        let outcome = world.apply_run(run, 100).await;
        assert_eq!((outcome.applied, outcome.failed), (3, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_edited_since_the_plan_is_left_alone() {
    on_each(async |store: Store| {
        let world = three(store).await;
        world.apply(vec![world.create("u-ada", json!({"job_title": "Analyst"})).await]).await;
        let id = record_of(&world, "u-ada").await;
        let run = world.plan(vec![world.decide("u-ada", Verb::Update, Some(id.0), 1, json!({"job_title": "Boss"})).await]).await;
        let edit = PersonEdit { set: [(field("job_title"), Value::from("Countess"))].into(), ..PersonEdit::default() };
        world.store.edit_person(id, &edit, "kim", NOW).await.expect("edited");
        let outcome = world.apply_run(run, 10).await;
        assert_eq!((outcome.applied, outcome.failed), (0, 1));
        let person = world.store.person(id).await.expect("record");
        assert_eq!(person.get(&field("job_title")), Value::from("Countess"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_52_a_username_lost_since_planning_becomes_a_question_not_an_error() {
    on_each(async |store: Store| {
        let world = three(store).await;
        world.apply(vec![world.create("u-cy", json!({"username": "cy", "job_title": "Old"})).await]).await;
        let cy = record_of(&world, "u-cy").await;
        let run = world
            .plan(vec![
                world.decide("u-cy", Verb::Update, Some(cy.0), 1, json!({"username": "ada", "job_title": "New"})).await,
                world.create("u-ada", json!({"username": "Ada2"})).await,
            ])
            .await;
        let person = |username: &str| store::ImportedPerson {
            person: model::records::Person {
                username: Some(username.into()),
                ..serde_json::from_value(blank_person()).expect("a person")
            },
            remote_id: username.into(),
            remote_version: None,
        };
        let imported = vec![person("ADA"), person("ada2")];
        import(&world.store, "csv", imported, "kim", false, NOW).await.expect("somebody else takes the names");
        let outcome = world.apply_run(run, 10).await;
        assert_eq!((outcome.applied, outcome.failed, outcome.held_back), (1, 0, 2));
        let person = world.store.person(cy).await.expect("record");
        assert_eq!(person.username.as_deref(), Some("cy"), "a linked record keeps its name");
        assert_eq!(person.get(&field("job_title")), Value::from("New"), "and takes everything else");
        let items = world.store.reviews(&ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.expect("items");
        assert_eq!(items.iter().map(|i| i.item.why.as_str()).collect::<Vec<_>>(), ["username_taken", "username_taken"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_55_a_swap_of_usernames_planned_as_one_is_written_as_one() {
    on_each(async |store: Store| {
        let world = three(store).await;
        world
            .apply(vec![
                world.create("u-ada", json!({"username": "a"})).await,
                world.create("u-bob", json!({"username": "b"})).await,
            ])
            .await;
        let (ada, bob) = (record_of(&world, "u-ada").await, record_of(&world, "u-bob").await);
        let run = world
            .plan(vec![
                world.decide("u-ada", Verb::Update, Some(ada.0), 1, json!({"username": "b"})).await,
                world.decide("u-bob", Verb::Update, Some(bob.0), 1, json!({"username": "a"})).await,
            ])
            .await;
        let outcome = world.apply_run(run, 1).await;
        assert_eq!((outcome.applied, outcome.held_back), (2, 0));
        assert_eq!(world.store.person(ada).await.expect("record").username.as_deref(), Some("b"));
        assert_eq!(world.store.person(bob).await.expect("record").username.as_deref(), Some("a"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_11_a_manager_made_by_the_same_plan_is_set_whatever_the_order_and_the_batch() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let run = world
            .plan(vec![
                world.create("u-ada", json!({"manager": "user:u-cy"})).await,
                world.create("u-bob", json!({"manager": "user:u-ada"})).await,
                world.create("u-cy", json!({"manager": "user:u-ada"})).await,
            ])
            .await;
        world.apply_run(run, 1).await;
        let manager = async |id| {
            let person = world.store.person(record_of(&world, id).await).await.expect("record");
            person.get(&field("manager")).as_i64()
        };
        let (ada, cy) = (record_of(&world, "u-ada").await, record_of(&world, "u-cy").await);
        assert_eq!(manager("u-ada").await, Some(cy.0));
        assert_eq!(manager("u-bob").await, Some(ada.0));
        assert_eq!(manager("u-cy").await, Some(ada.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_batch_by_batch_comes_to_the_same_as_all_at_once() {
    let mut dumps = Vec::new();
    for batch in [1, 2, 1000] {
        on_each(async |store: Store| {
            let world = three(store).await;
            let mut creates = Vec::new();
            for id in ["u-ada", "u-bob", "u-cy"] {
                let set = json!({"last_name": id, "email": format!("{id}@acme.example"), "additional_emails": [format!("{id}@x.example")]});
                creates.push(world.create(id, set).await);
            }
            let run = world.plan(creates).await;
            world.apply_run(run, batch).await;
            dumps.push(dump(&world.store).await);
        })
        .await;
    }
    assert!(dumps[0].lines().count() == 13, "{}", dumps[0]);
    for other in &dumps[1..] {
        assert_eq!(&dumps[0], other, "whatever the batch and the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_move_links_on_without_touching_records() {
    on_each(async |store: Store| {
        let world = three(store).await;
        world.apply(vec![world.create("u-ada", json!({"last_name": "Byron"})).await]).await;
        let id = record_of(&world, "u-ada").await;
        let mut decision = quiet(world.key("u-ada").await, "u-ada");
        let state = LinkState { enabled_applied: Some(true), policy_digest: Some("newer".into()), ..LinkState::default() };
        decision.bookings.push((id, state));
        world.apply(vec![decision]).await;
        let view = world.store.person_view(id).await.expect("view");
        let link = view.link.expect("linked");
        assert_eq!((link.enabled_applied, link.policy_digest.as_deref()), (Some(true), Some("newer")));
        assert_eq!(view.person.version, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_78_a_persons_hand_on_the_status_is_not_syncs_any_more() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let mut decision = world.create("u-ada", json!({"status": "inactive"})).await;
        let by_sync = Deactivated { by_sync: true, cause: Some(model::reason::Cause::Disabled) };
        decision.changes[0].link = Some(LinkState { deactivated_by: Some(by_sync), ..LinkState::default() });
        world.apply(vec![decision]).await;
        let id = record_of(&world, "u-ada").await;
        let edit = PersonEdit { set: [(field("status"), Value::from("active"))].into(), ..PersonEdit::default() };
        world.store.edit_person(id, &edit, "kim", NOW).await.expect("edited");
        let link = world.store.person_view(id).await.expect("view").link.expect("linked");
        let kept = Deactivated { by_sync: false, cause: Some(model::reason::Cause::Disabled) };
        assert_eq!(link.deactivated_by, Some(kept));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ruling_54_a_link_moves_to_the_user_who_came_instead() {
    on_each(async |store: Store| {
        let world = three(store).await;
        world.apply(vec![world.create("u-ada", json!({"email": "ada@acme.example"})).await]).await;
        let id = record_of(&world, "u-ada").await;
        let mut moved = world.decide("u-bob", Verb::Link, Some(id.0), 1, json!({"job_title": "Back"})).await;
        moved.changes[0].unlink = Some(world.key("u-ada").await);
        world.apply(vec![moved]).await;
        assert_eq!(record_of(&world, "u-bob").await, id);
        let ada = world.store.user_facts(world.tenant.key, &[world.key("u-ada").await]).await.expect("facts");
        assert!(ada[0].links.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_plan_is_applied_unless_its_run_is_applying() {
    on_each(async |store: Store| {
        let world = three(store).await;
        let run = world.plan(vec![world.create("u-ada", json!({})).await]).await;
        let (from, to) = (RunState::Planning, RunState::Held);
        world.store.advance_run(&world.lease, run, from, to, RunChange::default(), NOW).await.expect("held");
        let refused = world.apply_next(run, 10).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))));
    })
    .await;
}

fn blank_person() -> Value {
    json!({
        "id": 0, "kind": "contact", "client": null, "site": null, "status": "active", "access": true, "username": null,
        "email": null, "first_name": null, "last_name": null, "role": null, "fields": {}, "root": false, "pinned": null,
        "tickets": 0, "invoices": 0, "stands_for": [], "version": 0
    })
}
