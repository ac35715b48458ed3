use crate::world::{DAY, NOW, on_each};
use store::{Store, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_works_once_and_in_its_time() {
    on_each(async |store: Store| {
        store.add_sign_in_link(b"hash", None, NOW + 10).await.expect("kept");
        assert_eq!(store.peek_sign_in_link(b"hash", NOW).await.expect("database"), Some(None));
        assert_eq!(store.use_sign_in_link(b"hash", NOW).await.expect("database"), Some(None));
        assert_eq!(store.use_sign_in_link(b"hash", NOW).await.expect("database"), None, "once");
        store.add_sign_in_link(b"late", None, NOW + 10).await.expect("kept");
        assert_eq!(store.use_sign_in_link(b"late", NOW + 10).await.expect("database"), None, "too late");
        assert_eq!(store.use_sign_in_link(b"unknown", NOW).await.expect("database"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_by_time_by_hand_and_with_a_new_password() {
    on_each(async |store: Store| {
        let kim = store.add_account("Kim", "admin", NOW).await.expect("account");
        assert!(matches!(store.add_account("KIM", "admin", NOW).await, Err(StoreError::Conflict(_))));
        let begin = async |token: &[u8]| store.add_session(token, kim.id, NOW, NOW + DAY).await.expect("session");
        let holds = async |token: &[u8], at| store.session(token, at, at + DAY).await.expect("database").is_some();
        begin(b"one").await;
        assert!(holds(b"one", NOW + 1).await);
        assert!(holds(b"one", NOW + DAY - 1).await, "and its use extends it");
        assert!(holds(b"one", NOW + DAY + 1).await);
        assert!(!holds(b"one", NOW + 3 * DAY).await);
        begin(b"two").await;
        store.end_session(b"two").await.expect("ended");
        assert!(!holds(b"two", NOW).await);
        begin(b"three").await;
        store.set_password(kim.id, "argon2-hash").await.expect("set");
        assert!(!holds(b"three", NOW).await);
        let (account, hash) = store.account_to_sign_in("kim").await.expect("database").expect("kim");
        assert_eq!((account.has_password, hash.as_deref()), (true, Some("argon2-hash")));
        store.enable_account(kim.id, false).await.expect("disabled");
        assert!(store.account_to_sign_in("kim").await.expect("database").is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn api_tokens_hold_until_they_end_or_are_revoked() {
    on_each(async |store: Store| {
        let scopes = vec!["runs:read".to_owned()];
        let token = store.add_api_token("ci", b"hash", &scopes, NOW, Some(NOW + DAY)).await.expect("token");
        assert!(matches!(store.add_api_token("ci", b"other", &scopes, NOW, None).await, Err(StoreError::Conflict(_))));
        let found = store.api_token(b"hash", NOW + 1).await.expect("database").expect("it holds");
        assert_eq!(found.scopes, scopes);
        assert_eq!(store.api_tokens().await.expect("tokens")[0].used_at, Some(NOW + 1));
        assert_eq!(store.api_token(b"hash", NOW + DAY).await.expect("database"), None);
        store.remove_api_token(token.id).await.expect("revoked");
        assert_eq!(store.api_token(b"hash", NOW + 1).await.expect("database"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_tells_the_newest_first() {
    on_each(async |store: Store| {
        for n in 0..3 {
            store.append_audit("kim", "policy.save", &format!("p{n}"), &serde_json::json!({"n": n}), NOW).await.expect("kept");
        }
        let page = store.audit(None, 2).await.expect("entries");
        assert_eq!(page.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>(), ["p2", "p1"]);
        assert_eq!(store.audit(Some(page[1].id), 2).await.expect("entries").len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_keep_every_version() {
    on_each(async |store: Store| {
        assert_eq!(store.save_policy("default", "preset: msp", "kim", "d1", NOW).await.expect("saved"), 1);
        assert_eq!(store.save_policy("default", "preset: bms", "lee", "d2", NOW + 1).await.expect("saved"), 2);
        assert_eq!(store.save_policy("default", "preset: bms", "lee", "d2", NOW + 2).await.expect("the same"), 2);
        assert_eq!(store.policy("default").await.expect("database").expect("newest").text, "preset: bms");
        assert_eq!(store.policy_version("default", 1).await.expect("first").author, "kim");
        assert_eq!(store.policy_versions("default").await.expect("all").len(), 2);
        assert_eq!(store.policy("tenant:1").await.expect("database"), None);
    })
    .await;
}
