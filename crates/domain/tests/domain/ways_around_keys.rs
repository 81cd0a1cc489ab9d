//! Ways around the limits and locks of guarded keys, each of two calls that are correct by themselves.

use domain::Refusal;
use domain::guarded_key::{GuardedKeyId, ImportedContact, ImportedKey};
use domain::time::{days, hours};
use testkit::Kit;
use uuid::Uuid;

use crate::guarded_key::{ANNA, PIN, refused};
use crate::owner::Owner;

/// How many of twelve wrong codes are judged.
async fn judged(owner: &Owner, contact: &str, code: &str) -> usize {
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let mut judged = 0;
    for _ in 0..12 {
        let refusal = refused(owner.confirm(contact, wrong).await);
        judged += usize::from(matches!(refusal, Refusal::BadProof { .. }));
    }
    judged
}

#[tokio::test]
async fn x12_a_new_code_gives_no_tries_back() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let mut all = 0;
    for _ in 0..9 {
        if owner.add(PIN, ANNA).await.is_ok() {
            let code = kit.courier.code_to(ANNA).unwrap();
            all += judged(&owner, ANNA, &code).await;
        }
    }
    assert_eq!(all, 10);
}

#[tokio::test]
async fn x12_removing_and_adding_a_contact_gives_no_tries_back() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    assert_eq!(judged(&owner, ANNA, &code).await, 10);
    for _ in 0..3 {
        owner.remove(PIN, ANNA).await.ok();
        kit.clock.advance(hours(30));
        kit.run_jobs().await;
        let closed = refused(owner.add(PIN, ANNA).await);
        assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
    }
    kit.clock.advance(days(4));
    owner.add_verified(&kit, PIN, ANNA).await;
}

fn imported_contact() -> ImportedContact {
    ImportedContact {
        hash: testkit::scrypt(ANNA.as_bytes(), b"salt").to_vec(),
        verified: false,
        failed: 0,
        first_failure: None,
    }
}

fn imported_key() -> ImportedKey {
    ImportedKey {
        id: GuardedKeyId(Uuid::from_u128(7)),
        content: [7; 32],
        salt: b"salt".to_vec(),
        pin_hash: testkit::scrypt(PIN.as_bytes(), b"salt").to_vec(),
        failed: 0,
        first_failure: None,
    }
}

#[tokio::test]
async fn x12_importing_a_contact_or_key_again_gives_no_tries_back() {
    let kit = Kit::new().await;
    let (keys, operator) = (&kit.services.guarded_keys, kit.operator());
    let key = imported_key();
    let owner = Owner {
        services: kit.services.clone(),
        key: key.id,
    };
    keys.import_key(&operator, "test", key).await.unwrap();
    let contact = imported_contact();
    keys.import_contact(&operator, "test", contact)
        .await
        .unwrap();
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    assert_eq!(judged(&owner, ANNA, &code).await, 10);
    owner.remove(PIN, ANNA).await.unwrap();
    let contact = imported_contact();
    keys.import_contact(&operator, "test", contact)
        .await
        .unwrap();
    let closed = refused(owner.add(PIN, ANNA).await);
    assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");

    for _ in 0..10 {
        refused(owner.open("0000").await);
    }
    keys.delete_key(&operator, owner.key).await.unwrap();
    keys.import_key(&operator, "test", imported_key())
        .await
        .unwrap();
    let closed = refused(owner.open(PIN).await);
    assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
}

#[tokio::test]
async fn x2_a_code_that_was_sent_before_a_new_pin_verifies_nothing_after_it() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    let prepared = kit.courier.code_to(ANNA).unwrap();
    owner.change(PIN, "5678").await.unwrap();
    let refusal = refused(owner.confirm(ANNA, &prepared).await);
    assert_eq!(refusal, Refusal::WrongState);
    assert!(!owner.state(&kit).await.recoverable);
    owner.add_verified(&kit, "5678", ANNA).await;
}
