use crate::world::{NOW, on_each, raw};
use secrecy::{ExposeSecret, SecretString};
use store::{MasterKey, Store, StoreError};

const PLANTED: &str = "correct-horse-battery-staple";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_back_to_who_holds_the_key_and_to_nobody_else() {
    on_each(async |store: Store| {
        let key = MasterKey::new([7; 32]);
        store.set_secret(&key, "connection:acme", "client_secret", &SecretString::from(PLANTED), NOW).await.expect("sealed");
        let opened = store.secret(&key, "connection:acme", "client_secret").await.expect("database").expect("there");
        assert_eq!(opened.expose_secret(), PLANTED);
        assert_eq!(store.secret_names().await.expect("names"), [("connection:acme".to_owned(), "client_secret".to_owned())]);
        let error = store.secret(&MasterKey::new([8; 32]), "connection:acme", "client_secret").await.expect_err("another key");
        assert!(matches!(&error, StoreError::Sealed { .. }));
        assert!(!format!("{error} {error:?} {key:?} {opened:?}").contains(PLANTED));
        assert_eq!(store.check_master_key(&MasterKey::new([8; 32])).await.expect("checked").as_deref(), Some("connection:acme"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotating_the_master_key_keeps_every_secret() {
    on_each(async |store: Store| {
        let old = MasterKey::new([1; 32]);
        for scope in ["a", "b"] {
            store.set_secret(&old, scope, "s", &SecretString::from(PLANTED), NOW).await.expect("sealed");
        }
        let alone = MasterKey::new([2; 32]);
        assert!(matches!(store.rotate_master_key(&alone).await, Err(StoreError::Sealed { .. })), "it cannot open the old ones");
        let both = MasterKey::new([2; 32]).with_older([1; 32]);
        assert_eq!(store.rotate_master_key(&both).await.expect("rotated"), 2);
        assert_eq!(store.check_master_key(&alone).await.expect("checked"), None);
        let opened = store.secret(&alone, "b", "s").await.expect("database").expect("there");
        assert_eq!(opened.expose_secret(), PLANTED);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_master_key_each_secret_can_be_given_anew() {
    on_each(async |store: Store| {
        let (lost, fresh) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        for name in ["one", "two"] {
            store.set_secret(&lost, "a", name, &SecretString::from("before"), NOW).await.expect("sealed");
        }
        store.set_secret(&fresh, "a", "one", &SecretString::from(PLANTED), NOW).await.expect("sealed anew");
        let opened = store.secret(&fresh, "a", "one").await.expect("database").expect("there");
        assert_eq!(opened.expose_secret(), PLANTED);
        // The other one waits for its own turn, or for the key to be found again.
        assert!(matches!(store.secret(&fresh, "a", "two").await, Err(StoreError::Sealed { .. })));
        assert_eq!(store.check_master_key(&fresh).await.expect("checked").as_deref(), Some("a"));
        let found = MasterKey::new([2; 32]).with_older([1; 32]);
        assert_eq!(store.secret(&found, "a", "two").await.expect("database").expect("there").expose_secret(), "before");
        store.set_secret(&fresh, "a", "two", &SecretString::from(PLANTED), NOW).await.expect("sealed anew");
        assert_eq!(store.check_master_key(&fresh).await.expect("checked"), None, "nothing is left of the lost key");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_values_moved_to_another_name_do_not_open_and_the_text_is_nowhere_in_the_file() {
    let database = testkit::databases::sqlite().expect("a database");
    let store = Store::open(database.url(), NOW).await.expect("opens");
    let key = MasterKey::new([7; 32]);
    store.set_secret(&key, "a", "one", &SecretString::from(PLANTED), NOW).await.expect("sealed");
    store.set_secret(&key, "a", "two", &SecretString::from("other"), NOW).await.expect("sealed");
    raw(
        database.url(),
        "UPDATE secrets SET sealed = (SELECT s.sealed FROM secrets s WHERE s.name = 'one'),
            nonce = (SELECT s.nonce FROM secrets s WHERE s.name = 'one') WHERE name = 'two'",
    )
    .await;
    assert!(matches!(store.secret(&key, "a", "two").await, Err(StoreError::Sealed { .. })));
    store.close().await;
    let path = database.url().trim_start_matches("sqlite://");
    let bytes = std::fs::read(path).expect("the file");
    assert!(!bytes.windows(PLANTED.len()).any(|w| w == PLANTED.as_bytes()));
}
