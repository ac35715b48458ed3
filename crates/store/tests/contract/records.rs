use crate::planning::record_of;
use crate::world::{NOW, World, field, import, named, on_each};
use model::directory::Feed;
use model::records::Person;
use model::{Kind, PersonId, Status, Value};
use serde_json::json;
use store::{ImportedPerson, PersonEdit, PersonFilter, Store, StoreError};

fn person(first: &str, last: &str, email: &str) -> Person {
    let value = json!({
        "id": 0, "kind": "contact", "client": null, "site": null, "status": "active", "access": true,
        "username": email.split('@').next(), "email": email, "first_name": first, "last_name": last, "role": null,
        "fields": {"phone": "1"}, "root": false, "pinned": null, "tickets": 2, "invoices": 0, "stands_for": [], "version": 0
    });
    serde_json::from_value(value).expect("a person")
}

fn imported(remote: &str, person: Person) -> ImportedPerson {
    ImportedPerson { person, remote_id: remote.into(), remote_version: None }
}

fn people() -> Vec<ImportedPerson> {
    vec![
        imported("1", person("Ada", "Byron", "ada@acme.example")),
        imported("2", person("Élodie", "Çelik", "elodie@acme.example")),
        imported("3", person("100%", "Under_score", "odd@acme.example")),
    ]
}

fn filter(text: &str) -> PersonFilter {
    PersonFilter { text: Some(text.into()), limit: 10, ..PersonFilter::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_done_again_changes_nothing_and_a_dry_one_never_does() {
    on_each(async |store: Store| {
        let dry = import(&store, "csv", people(), "kim", true, NOW).await.expect("dry");
        assert_eq!((dry.created, store.people(&filter("")).await.expect("people").len()), (3, 0));
        assert_eq!(import(&store, "csv", people(), "kim", false, NOW).await.expect("import").created, 3);
        let again = import(&store, "csv", people(), "kim", false, NOW).await.expect("again");
        assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 3));
        let moved = vec![imported("1", person("Ada", "Lovelace", "ada@acme.example"))];
        assert_eq!(import(&store, "csv", moved, "kim", false, NOW).await.expect("update").updated, 1);
        let twice = vec![imported("9", person("A", "B", "a@b.example")), imported("9", person("A", "B", "a@b.example"))];
        assert!(matches!(import(&store, "csv", twice, "kim", false, NOW).await, Err(StoreError::Invalid(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_any_part_of_name_address_or_username_whatever_its_case() {
    on_each(async |store: Store| {
        import(&store, "csv", people(), "kim", false, NOW).await.expect("import");
        let found = async |text: &str| {
            let rows = store.people(&filter(text)).await.expect("people");
            rows.into_iter().map(|r| r.person.first_name.unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(found("BYR").await, ["Ada"]);
        assert_eq!(found("ÇELIK").await, ["Élodie"]);
        assert_eq!(found("acme.example").await.len(), 3);
        assert_eq!(found("100%").await, ["100%"], "a percent sign is a percent sign");
        assert_eq!(found("r_s").await, ["100%"], "an underscore is an underscore");
        assert_eq!(found("a%n").await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_in_name_order_and_by_filters() {
    on_each(async |store: Store| {
        import(&store, "csv", people(), "kim", false, NOW).await.expect("import");
        let mut page = PersonFilter { limit: 2, ..PersonFilter::default() };
        let first = store.people(&page).await.expect("people");
        page.after = Some(first[1].person.id);
        let second = store.people(&page).await.expect("people");
        let names: Vec<_> = first.iter().chain(&second).filter_map(|r| r.person.last_name.as_deref()).collect();
        assert_eq!(names, ["Byron", "Under_score", "Çelik"], "in the byte order of folded names");
        let none = [
            PersonFilter { kind: Some(Kind::Agent), limit: 9, ..PersonFilter::default() },
            PersonFilter { status: Some(Status::Inactive), limit: 9, ..PersonFilter::default() },
            PersonFilter { linked: Some(true), limit: 9, ..PersonFilter::default() },
            PersonFilter { client: Some(model::ClientId(7)), limit: 9, ..PersonFilter::default() },
        ];
        for filter in none {
            assert!(store.people(&filter).await.expect("people").is_empty(), "{filter:?}");
        }
        assert_eq!(store.export_people(PersonId(0), 2).await.expect("export").len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_one_by_name_and_sites_one_by_name_at_a_client() {
    on_each(async |store: Store| {
        let acme = store.create_client("Acme").await.expect("client");
        assert_eq!(store.create_client(" ACME ").await.expect("the same").id, acme.id);
        let globex = store.create_client("Globex").await.expect("client");
        let taken = model::records::Client { name: "acme".into(), ..globex };
        assert!(matches!(store.update_client(&taken).await, Err(StoreError::Conflict(_))));
        let leeds = store.create_site(acme.id, "Leeds").await.expect("site");
        assert_eq!(store.create_site(acme.id, "leeds ").await.expect("the same"), leeds);
        assert!(matches!(store.create_client("  ").await, Err(StoreError::Invalid(_))));
        assert!(matches!(store.create_site(model::ClientId(99), "x").await, Err(StoreError::NotFound { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_record_that_moved_on_is_refused() {
    on_each(async |store: Store| {
        let world = World::new(store).await;
        world.round(Feed::Users, true, vec![named("u-ada")]).await;
        world.apply(vec![world.create("u-ada", json!({"last_name": "Byron"})).await]).await;
        let id = record_of(&world, "u-ada").await;
        let edit = |name: &str, version| PersonEdit {
            set: [(field("last_name"), Value::from(name))].into(),
            version,
            ..PersonEdit::default()
        };
        let edited = world.store.edit_person(id, &edit("Lovelace", Some(1)), "kim", NOW).await.expect("edited");
        assert_eq!((edited.version, edited.last_name.as_deref()), (2, Some("Lovelace")));
        assert!(matches!(world.store.edit_person(id, &edit("King", Some(1)), "lee", NOW).await, Err(StoreError::Conflict(_))));
        let bad = PersonEdit { set: [(field("status"), Value::from("asleep"))].into(), ..PersonEdit::default() };
        let error = world.store.edit_person(id, &bad, "kim", NOW).await.expect_err("not a status");
        assert_eq!(error.to_string(), "the field status takes active, inactive or archived.");
        assert!(world.due().await.is_empty(), "a local edit stands until the user changes");
    })
    .await;
}
