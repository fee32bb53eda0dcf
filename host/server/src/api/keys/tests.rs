//! Keys: kept as hashes, good until they are revoked, and over a restart.

use ringback_core::model::{Secret, keys};
use ringback_store::{Direction, Memory, Store};

use super::{Error, Keys, Scope};

#[tokio::test]
async fn a_key_is_kept_as_a_hash_and_known_after_a_restart() {
    let store = Memory::new();
    let keys = Keys::load(&store, &[]).await.unwrap();
    assert_eq!(keys.len(), 0);
    let (record, plain) = keys
        .create(&store, "crm", &[Scope::Send, Scope::Read, Scope::Send])
        .await
        .unwrap();
    assert!(plain.starts_with(&format!("rb_{}_", record.id)) && plain.len() == 3 + 12 + 1 + 64);
    assert_eq!(record.scopes, [Scope::Send, Scope::Read]);
    let (from, to) = keys::table(b'g');
    let stored = store
        .scan(&from, &to, 10, Direction::Forward)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&stored[0].1.value).into_owned();
    assert!(!text.contains(&plain[16..]), "{text}");
    let again = Keys::load(&store, &[]).await.unwrap();
    let holder = again.check(&plain).unwrap();
    assert_eq!((&holder.id, &holder.scopes), (&record.id, &record.scopes));
    assert!(again.stands(&holder));
    again.revoke(&store, &record.id).await.unwrap();
    again.revoke(&store, &record.id).await.unwrap();
    assert!(again.check(&plain).is_none() && !again.stands(&holder));
    assert!(
        Keys::load(&store, &[])
            .await
            .unwrap()
            .check(&plain)
            .is_none()
    );
    assert!(matches!(
        again.revoke(&store, "none").await,
        Err(Error::Unknown(_))
    ));
}

#[tokio::test]
async fn configured_and_temporary_keys_leave_no_record() {
    let store = Memory::new();
    let keys = Keys::load(&store, &[Secret::new("one"), Secret::new("two")])
        .await
        .unwrap();
    let (record, plain) = keys.for_this_start("demo", &[Scope::Admin]);
    assert_eq!(keys.len(), 3);
    let two = keys.check("two").unwrap();
    assert_eq!(two.scopes, [Scope::Admin]);
    assert_ne!(Some(&two), keys.check("one").as_ref());
    assert!(keys.stands(&two) && keys.check("three").is_none());
    let swapped = Keys::load(&store, &[Secret::new("two"), Secret::new("one")])
        .await
        .unwrap();
    assert_eq!(swapped.check("two"), Some(two));
    assert!(swapped.check(&plain).is_none(), "it ends with the process");
    assert!(keys.check(&plain).is_some());
    keys.revoke(&store, &record.id).await.unwrap();
    assert!(keys.check(&plain).is_none());
    assert_eq!(store.state().revision(), 0);
}

#[tokio::test]
async fn a_wrong_secret_of_a_known_id_is_wrong() {
    let store = Memory::new();
    let keys = Keys::load(&store, &[]).await.unwrap();
    let (record, plain) = keys.create(&store, "a", &[Scope::Read]).await.unwrap();
    for wrong in [
        "",
        "rb_",
        "rb__",
        &plain[..plain.len() - 1],
        &format!("rb_{}_", record.id),
        &format!("{plain}0"),
    ] {
        assert!(keys.check(wrong).is_none(), "{wrong}");
    }
}
