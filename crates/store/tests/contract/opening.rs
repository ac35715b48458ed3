use crate::world::{NOW, on_each, raw};
use store::{Store, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_opens_again_with_what_it_held() {
    for database in [testkit::databases::sqlite(), testkit::databases::postgres()] {
        let database = database.expect("a database");
        let store = Store::open(database.url(), NOW).await.expect("opens");
        store.create_client("Acme").await.expect("client");
        store.close().await;
        let again = Store::open(database.url(), NOW).await.expect("opens again");
        assert_eq!(again.clients().await.expect("clients")[0].name, "Acme");
        again.health().await.expect("it answers");
        again.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_at_once() {
    for database in [testkit::databases::sqlite(), testkit::databases::postgres()] {
        let database = database.expect("a database");
        let open = || Store::open(database.url(), NOW);
        let (a, b, c) = tokio::join!(open(), open(), open());
        for store in [a, b, c] {
            store.expect("each of them opens").health().await.expect("and answers");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_the_future_is_refused_with_a_sentence_and_left_alone() {
    for database in [testkit::databases::sqlite(), testkit::databases::postgres()] {
        let database = database.expect("a database");
        let store = Store::open(database.url(), NOW).await.expect("opens");
        store.close().await;
        raw(database.url(), "INSERT INTO schema_migrations (number, checksum, applied_at) VALUES (99, 'unknown', 0)").await;
        let error = Store::open(database.url(), NOW).await.err().expect("refused");
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("Install the newer"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_migration_is_refused() {
    for database in [testkit::databases::sqlite(), testkit::databases::postgres()] {
        let database = database.expect("a database");
        let store = Store::open(database.url(), NOW).await.expect("opens");
        store.close().await;
        raw(database.url(), "UPDATE schema_migrations SET checksum = 'edited' WHERE number = 1").await;
        let error = Store::open(database.url(), NOW).await.err().expect("refused");
        assert!(matches!(error, StoreError::Drift { number: 1 }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_refused_without_repeating_it() {
    let error = Store::open("mysql://root:hunter2@host/db", NOW).await.err().expect("refused");
    assert!(matches!(error, StoreError::Address(_)));
    assert!(!error.to_string().contains("hunter2"), "an address may hold a password");
    let error = Store::open("postgres://root:hunter2@127.0.0.1:1/db", NOW).await.err().expect("nobody listens there");
    assert!(matches!(error, StoreError::Unavailable(_)));
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "these are notes, and long enough to be taken for a database's header by nobody at all")
        .expect("a file");
    let error = Store::open(&format!("sqlite://{}", file.display()), NOW).await.err().expect("refused");
    assert!(error.to_string().contains("not an SQLite database"), "{error}");
    assert!(std::fs::read_to_string(&file).expect("still there").starts_with("these are notes"));
}

#[tokio::test]
async fn a_store_works_on_a_runtime_of_one_thread_too() {
    on_each(async |store: Store| {
        store.create_client("Acme").await.expect("client");
        assert_eq!(store.clients().await.expect("clients").len(), 1);
    })
    .await;
}
