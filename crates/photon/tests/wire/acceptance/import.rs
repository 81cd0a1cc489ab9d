//! Item 11: keys of the original server, with the vectors of §10.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::guarded_key::{GuardedKeyId, ImportedContact, ImportedKey};
use domain::time::days;
use domain::{Error, Refusal, Timestamp};
use testkit::Backing;
use uuid::Uuid;

use crate::server::{Key, Server};

testkit::on_every_store!(
    an_imported_pin_opens_the_key_and_is_hashed_anew,
    an_imported_contact_is_found_by_its_hash,
    an_imported_contact_counts_as_the_one_it_is,
    who_knows_the_pin_meets_imported_contacts,
    removing_one_imported_contact_leaves_the_other_its_way,
    imported_counters_are_kept,
    a_key_is_imported_once,
);

const PIN_SALT: &str = "KhepHQfa0cNlA88ESlGfVuvWjkvCypkVbVdLseXGpRg=";
const PINS: [(&str, &str); 3] = [
    ("1234", "S4ysSX7HTDuI94BavlJV0EG2QKjYfiHseYrJ5J5fIK8="),
    ("5678", "Y5mBdHc6k0/xo8LlAT7XhjksPbVv/AvG8p8bteoPJxU="),
    ("pä ß", "ss3PvSuT7Vyn4lYun81T1Yb0uyBs06YsYpbH7Fdsl1U="),
];
const PHONE: &str = "+4917512345678";
const PHONE_SALT: &str = "tOJwVFGDzfUgkYnIqM4wg51oQ5/yZ56w0lE4lA0pIXU=";
const PHONE_HASH: &str = "ImS3Zs1tdXD/1O95aQ8kVvVXNxW1bwSg+Z/ov9WVaEw=";

fn bytes(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn original(id: &str, salt: &str, pin_hash: &str) -> ImportedKey {
    ImportedKey {
        id: GuardedKeyId(Uuid::parse_str(id).unwrap()),
        content: [42; 32],
        salt: bytes(salt),
        pin_hash: bytes(pin_hash),
        failed: 0,
        first_failure: None,
    }
}

fn phone(verified: bool, failed: u32, first_failure: Option<Timestamp>) -> ImportedContact {
    ImportedContact {
        hash: bytes(PHONE_HASH),
        verified,
        failed,
        first_failure,
    }
}

const ID: &str = "8bfd90a9-949b-42e6-aae4-1690ce339721";

async fn import(server: &Server, key: ImportedKey) -> Key {
    let id = key.id.0.to_string();
    server
        .kit
        .services
        .guarded_keys
        .import_key(&server.kit.operator(), "admin", key)
        .await
        .unwrap();
    server.key(&id)
}

async fn import_contact(server: &Server, contact: ImportedContact) {
    let services = &server.kit.services;
    services
        .guarded_keys
        .import_contact(&testkit::kit::operator(services), "admin", contact)
        .await
        .unwrap();
}

async fn an_imported_pin_opens_the_key_and_is_hashed_anew(backing: Backing) {
    let server = Server::over(&backing).await;
    for (number, (pin, hash)) in PINS.into_iter().enumerate() {
        let id = format!("8bfd90a9-949b-42e6-aae4-00000000000{number}");
        let key = import(&server, original(&id, PIN_SALT, hash)).await;
        let (wrong, _) = PINS[(number + 1) % PINS.len()];
        assert_eq!(key.fetch(wrong).await.status, 404);
        let state = key.state().await;
        assert!(state.imported && state.failed_guesses == 1);
        for _ in 0..2 {
            let answer = key.fetch(pin).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.member("encryptionKey"), STANDARD.encode([42; 32]));
            let state = key.state().await;
            assert!(
                !state.imported,
                "the old verifier, and the key in clear, are gone"
            );
            assert_eq!(
                state.failed_guesses, 1,
                "a stranger's guess counts until its window ends"
            );
        }
        assert_eq!(key.fetch(wrong).await.status, 404);
        assert_eq!(key.change_pin(pin, wrong).await.status, 200);
        assert_eq!(key.fetch(wrong).await.status, 200);
    }
    // Every endpoint that takes a PIN renews it.
    let key = import(&server, original(ID, PIN_SALT, PINS[0].1)).await;
    assert_eq!(key.change_pin("1234", "4321").await.status, 200);
    assert!(!key.state().await.imported);
    assert_eq!(key.fetch("1234").await.status, 404);
    assert_eq!(
        key.fetch("4321").await.member("encryptionKey"),
        STANDARD.encode([42; 32])
    );
}

async fn an_imported_contact_is_found_by_its_hash(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = import(&server, original(ID, PHONE_SALT, PINS[0].1)).await;
    import_contact(&server, phone(true, 0, None)).await;
    assert!(key.state().await.recoverable);
    assert_eq!(key.reset("a@b.co").await.status, 404);
    let opens = server.kit.services.now().plus(days(30));
    let answer = key.step(PHONE, "5678").await;
    assert_eq!(
        (answer.status.as_u16(), answer.member("delay")),
        (423, opens.rfc3339())
    );
    // Its address is known from now on, so it was told.
    assert_eq!(
        server.kit.courier.operations_to(PHONE),
        ["reset_pin", "recovery_started"]
    );
    server.kit.clock.set(opens.minus(Duration::from_millis(1)));
    assert_eq!(key.step(PHONE, "5678").await.status, 423);
    server.kit.clock.set(opens);
    assert_eq!(key.step(PHONE, "5678").await.status, 200);
    assert_eq!(
        key.fetch("5678").await.member("encryptionKey"),
        STANDARD.encode([42; 32])
    );
    assert_eq!(key.state().await.contacts.len(), 1);
}

async fn an_imported_contact_counts_as_the_one_it_is(backing: Backing) {
    for verified in [true, false] {
        let server = Server::over(&backing).await;
        let id = Uuid::from_u128(0x8bfd_90a9_949b_42e6_aae4_1690_ce33_9700 | u128::from(verified));
        let key = import(&server, original(&id.to_string(), PHONE_SALT, PINS[0].1)).await;
        import_contact(&server, phone(verified, 0, None)).await;
        let answer = key.reset(PHONE).await.status;
        assert_eq!(answer, if verified { 200 } else { 404 });
        assert_eq!(key.verify(PHONE, "123456").await.status, 404);
        assert_eq!(key.state().await.contacts.len(), 1);
        assert_eq!(key.state().await.contacts[0].verified, verified);
    }
}

/// The key whose PIN and contacts have one salt, as the original kept them.
async fn with_contacts(server: &Server, contacts: &[&str]) -> Key {
    let key = import(server, original(ID, PIN_SALT, PINS[0].1)).await;
    for contact in contacts {
        let hash = testkit::scrypt(contact.as_bytes(), &bytes(PIN_SALT)).to_vec();
        let contact = ImportedContact {
            hash,
            ..phone(true, 0, None)
        };
        import_contact(server, contact).await;
    }
    key
}

async fn who_knows_the_pin_meets_imported_contacts(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = with_contacts(&server, &["a@b.co", "b@b.co"]).await;
    assert_eq!(key.add("9999", "a@b.co").await.status, 404);
    assert_eq!(key.add("1234", "a@b.co").await.status, 409);
    assert_eq!(key.remove("1234", "c@b.co").await.status, 404);
    assert_eq!(key.remove("1234", "a@b.co").await.status, 200);
    assert_eq!(key.reset("a@b.co").await.status, 404);
    assert_eq!(key.add("1234", "a@b.co").await.status, 201);
}

/// Contacts that have not appeared yet are nobody's rows; they must find the way open all the same.
async fn removing_one_imported_contact_leaves_the_other_its_way(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = with_contacts(&server, &["a@b.co", "b@b.co"]).await;
    assert_eq!(key.remove("1234", "a@b.co").await.status, 200);
    assert_eq!(key.step("b@b.co", "5678").await.status, 423);
    server.kit.clock.advance(days(30));
    let answer = key.step("b@b.co", "5678").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        key.fetch("5678").await.member("encryptionKey"),
        STANDARD.encode([42; 32])
    );
}

async fn imported_counters_are_kept(backing: Backing) {
    let server = Server::over(&backing).await;
    let now = server.kit.services.now();
    let first = now.minus(days(2));
    let mut key = original(ID, PIN_SALT, PINS[0].1);
    (key.failed, key.first_failure) = (7, Some(first));
    let key = import(&server, key).await;
    for _ in 0..3 {
        assert_eq!(key.fetch("9999").await.status, 404);
    }
    let answer = key.fetch("1234").await;
    assert_eq!(
        (answer.status.as_u16(), answer.member("delay")),
        (429, first.plus(days(7)).rfc3339())
    );
    server.kit.clock.set(first.plus(days(7)));
    assert_eq!(key.fetch("1234").await.status, 200);

    // A full count, and one whose window is over.
    let id = "8bfd90a9-949b-42e6-aae4-1690ce339722";
    let mut key = original(id, PIN_SALT, PINS[0].1);
    let now = server.kit.services.now();
    (key.failed, key.first_failure) = (250, Some(now.minus(days(1))));
    let key = import(&server, key).await;
    let answer = key.fetch("1234").await;
    assert_eq!(
        (answer.status.as_u16(), answer.member("delay")),
        (429, now.plus(days(6)).rfc3339())
    );
    let id = "8bfd90a9-949b-42e6-aae4-1690ce339723";
    let mut key = original(id, PIN_SALT, PINS[0].1);
    (key.failed, key.first_failure) = (10, Some(now.minus(days(7))));
    let key = import(&server, key).await;
    assert_eq!(key.fetch("1234").await.status, 200);

    // The same for the codes of a contact.
    let id = "8bfd90a9-949b-42e6-aae4-1690ce339724";
    let key = import(&server, original(id, PHONE_SALT, PINS[0].1)).await;
    import_contact(&server, phone(true, 8, Some(now.minus(days(3))))).await;
    assert_eq!(key.reset(PHONE).await.status, 200);
    for _ in 0..2 {
        assert_eq!(
            key.confirm(PHONE, key.wrong_code(PHONE), "5678")
                .await
                .status,
            404
        );
    }
    let answer = key.confirm(PHONE, &key.code(PHONE), "5678").await;
    assert_eq!(
        (answer.status.as_u16(), answer.member("delay")),
        (429, now.plus(days(4)).rfc3339())
    );
}

async fn a_key_is_imported_once(backing: Backing) {
    let server = Server::over(&backing).await;
    let services = &server.kit.services;
    let key = import(&server, original(ID, PIN_SALT, PINS[0].1)).await;
    let again = services
        .guarded_keys
        .import_key(
            &testkit::kit::operator(services),
            "admin",
            original(ID, PIN_SALT, PINS[1].1),
        )
        .await;
    assert!(matches!(again, Err(Error::Refused(Refusal::Conflict))));
    assert_eq!(key.fetch("1234").await.status, 200);
    assert_eq!(
        services
            .guarded_keys
            .count_keys(&testkit::kit::operator(services))
            .await
            .unwrap(),
        1
    );
    import_contact(&server, phone(true, 0, None)).await;
    let again = services
        .guarded_keys
        .import_contact(
            &testkit::kit::operator(services),
            "admin",
            phone(false, 0, None),
        )
        .await;
    assert!(matches!(again, Err(Error::Refused(Refusal::Conflict))));
}
