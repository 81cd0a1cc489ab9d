//! PIN-guarded keys: each use case through the service, each refusal, what is recorded and who is told.

use domain::guarded_key::{ContactState, GuardedKeyId, ImportedContact, ImportedKey, KeyState};
use domain::policy::Policy;
use domain::port::courier::Delivery;
use domain::time::days;
use domain::trail::audit::Event;
use domain::{Error, Refusal};
use testkit::Kit;
use uuid::Uuid;

use crate::owner::{Outcome, Owner, address, caller, outcome, pin, secret};

pub(crate) const PIN: &str = "1234";
pub(crate) const ANNA: &str = "anna@example.com";
pub(crate) const PHONE: &str = "+4915112345678";

pub(crate) const WRONG: Refusal = Refusal::BadProof { left: None };
const NO_PIN: Refusal = Refusal::Invalid {
    field: "new_pin",
    why: "missing or malformed",
};

pub(crate) fn refused<T>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

impl Owner {
    pub(crate) async fn state(&self, kit: &Kit) -> KeyState {
        let keys = &self.services.guarded_keys;
        keys.key_state(&kit.operator(), self.key).await.unwrap()
    }

    /// The only contact, as an operator sees it.
    pub(crate) async fn contact(&self, kit: &Kit) -> ContactState {
        let contacts = self.state(kit).await.contacts;
        assert_eq!(contacts.len(), 1);
        contacts.into_iter().next().unwrap()
    }

    /// Starts a recovery through `contact`, and returns the code that was sent.
    pub(crate) async fn started(&self, kit: &Kit, contact: &str) -> String {
        self.start(contact).await.unwrap();
        kit.courier.code_to(contact).unwrap()
    }

    /// Arms the recovery lock of `contact`.
    pub(crate) async fn armed(&self, kit: &Kit, contact: &str) {
        let code = self.started(kit, contact).await;
        let refusal = refused(self.recover(contact, &code, None).await);
        assert!(matches!(refusal, Refusal::TimeLocked { .. }), "{refusal:?}");
    }

    pub(crate) async fn cancel(&self, kit: &Kit, contact: &str) -> Result<(), Error> {
        let link = kit.courier.link_to(contact).unwrap();
        let token = link.rsplit('/').next().unwrap().to_owned();
        let keys = &self.services.guarded_keys;
        keys.cancel_recovery("test", token).await.map(|_| ())
    }
}

/// A key with one verified contact.
pub(crate) async fn with_contact() -> (Kit, Owner) {
    with_contact_and(|_| {}).await
}

pub(crate) async fn with_contact_and(change: impl FnOnce(&mut Policy)) -> (Kit, Owner) {
    let kit = Kit::builder().policy(change).build().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add_verified(&kit, PIN, ANNA).await;
    (kit, owner)
}

/// The events of one action. Those of one moment have no order.
pub(crate) async fn events(kit: &Kit, action: &str) -> Vec<Event> {
    let operators = &kit.services.operators;
    let events = operators.audit_events(&kit.operator(), None, 1000).await;
    let mut events = events.unwrap();
    events.retain(|event| event.action == action);
    events
}

/// The outcomes of the events of one action, sorted.
pub(crate) async fn outcomes(kit: &Kit, action: &str) -> Vec<String> {
    let events = events(kit, action).await.into_iter();
    let mut found: Vec<String> = events.map(|event| event.outcome).collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_key_is_returned_for_its_pin_and_stays_the_same() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let content = owner.open(PIN).await.unwrap();
    assert_eq!(owner.open(PIN).await.unwrap(), content);
    assert_eq!(outcomes(&kit, "key.open").await, ["done", "done"]);
}

#[tokio::test]
async fn two_keys_with_one_pin_have_different_contents() {
    let kit = Kit::new().await;
    let one = Owner::of(&kit, PIN).await.open(PIN).await.unwrap();
    let two = Owner::of(&kit, PIN).await.open(PIN).await.unwrap();
    assert_ne!(one, two);
}

#[tokio::test]
async fn an_unknown_key_is_refused_before_anything_is_hashed_or_recorded() {
    let kit = Kit::new().await;
    let nobody = Owner {
        services: kit.services.clone(),
        key: GuardedKeyId(Uuid::from_u128(7)),
    };
    for result in [
        outcome(nobody.open(PIN).await),
        outcome(nobody.change(PIN, "5678").await),
        outcome(nobody.add(PIN, ANNA).await),
        outcome(nobody.remove(PIN, ANNA).await),
        outcome(nobody.confirm(ANNA, "123456").await),
        outcome(nobody.start(ANNA).await),
        outcome(nobody.recover(ANNA, "123456", None).await),
    ] {
        assert_eq!(result, Outcome::Refused(Refusal::UnknownSubject));
    }
    assert!(outcomes(&kit, "key.open").await.is_empty());
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn ten_wrong_pins_exhaust_the_budget_for_a_week() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let first = kit.services.now();
    for _ in 0..10 {
        assert_eq!(refused(owner.open("0000").await), WRONG);
    }
    let until = first.plus(days(7));
    assert_eq!(refused(owner.open(PIN).await), Refusal::Exhausted { until });
    let state = owner.state(&kit).await;
    assert_eq!(state.exhausted_until, Some(until.rfc3339()));
    kit.clock.advance(days(7));
    owner.open(PIN).await.unwrap();
    assert_eq!(owner.state(&kit).await.failed_guesses, 0);
}

#[tokio::test]
async fn a_new_pin_replaces_the_old_one_and_every_contact_is_told() {
    let (kit, owner) = with_contact().await;
    let content = owner.open(PIN).await.unwrap();
    kit.courier.forget();
    owner.change(PIN, "5678").await.unwrap();
    assert_eq!(refused(owner.open(PIN).await), WRONG);
    assert_eq!(owner.open("5678").await.unwrap(), content);
    assert_eq!(kit.courier.operations_to(ANNA), ["pin_changed"]);
}

#[tokio::test]
async fn a_wrong_pin_changes_nothing_and_tells_nobody() {
    let (kit, owner) = with_contact().await;
    kit.courier.forget();
    assert_eq!(refused(owner.change("0000", "5678").await), WRONG);
    assert_eq!(refused(owner.add("0000", PHONE).await), WRONG);
    assert_eq!(refused(owner.remove("0000", ANNA).await), WRONG);
    assert!(kit.courier.letters().is_empty());
    assert_eq!(owner.state(&kit).await.failed_guesses, 3);
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn one_network_may_make_only_so_many_keys() {
    let one = |policy: &mut Policy| policy.guarded_key.new_keys_per_network.count = 1;
    let kit = Kit::builder().policy(one).build().await;
    Owner::of(&kit, PIN).await;
    let keys = &kit.services.guarded_keys;
    let refusal = refused(keys.create_key(caller(), pin(PIN)).await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
    assert_eq!(keys.count_keys(&kit.operator()).await.unwrap(), 1);
}

#[tokio::test]
async fn the_first_verified_contact_makes_a_key_recoverable_and_the_last_removal_ends_that() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    assert!(!owner.state(&kit).await.recoverable);
    let code = kit.courier.code_to(ANNA).unwrap();
    owner.confirm(ANNA, &code).await.unwrap();
    assert!(owner.state(&kit).await.recoverable);
    owner.add_verified(&kit, PIN, PHONE).await;
    owner.remove(PIN, ANNA).await.unwrap();
    assert!(owner.state(&kit).await.recoverable);
    owner.remove(PIN, PHONE).await.unwrap();
    assert!(!owner.state(&kit).await.recoverable);
}

#[tokio::test]
async fn the_other_contacts_are_told_of_a_new_and_of_a_removed_one() {
    let (kit, owner) = with_contact().await;
    kit.courier.forget();
    owner.add_verified(&kit, PIN, PHONE).await;
    assert_eq!(kit.courier.operations_to(ANNA), ["contact_added"]);
    assert_eq!(kit.courier.operations_to(PHONE), ["verify_contact"]);
    owner.remove(PIN, PHONE).await.unwrap();
    let told = ["contact_added", "contact_removed"];
    assert_eq!(kit.courier.operations_to(ANNA), told);
    assert_eq!(kit.courier.operations_to(PHONE), ["verify_contact"]);
}

#[tokio::test]
async fn a_verified_contact_cannot_be_added_again_and_an_unverified_one_gets_a_new_code() {
    let (kit, owner) = with_contact().await;
    assert_eq!(refused(owner.add(PIN, ANNA).await), Refusal::Conflict);
    owner.add(PIN, PHONE).await.unwrap();
    let first = kit.courier.code_to(PHONE).unwrap();
    owner.add(PIN, PHONE).await.unwrap();
    let second = kit.courier.code_to(PHONE).unwrap();
    assert_ne!(first, second);
    assert_eq!(refused(owner.confirm(PHONE, &first).await), WRONG);
    owner.confirm(PHONE, &second).await.unwrap();
    assert_eq!(
        outcomes(&kit, "contact.add").await,
        ["done", "done", "done", "refused"]
    );
}

#[tokio::test]
async fn a_key_has_room_for_only_so_many_contacts() {
    let one = |policy: &mut Policy| policy.guarded_key.contacts_per_key = 1;
    let (kit, owner) = with_contact_and(one).await;
    let refusal = refused(owner.add(PIN, PHONE).await);
    assert_eq!(refusal, Refusal::TooLarge { limit: 1 });
    assert_eq!(kit.courier.code_to(PHONE), None);
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn a_refused_send_leaves_the_pin_right_and_the_contact_away() {
    let few = |policy: &mut Policy| policy.guarded_key.sends_per_network.count = 1;
    let (kit, owner) = with_contact_and(few).await;
    owner.open("0000").await.unwrap_err();
    let refusal = refused(owner.add(PIN, PHONE).await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
    let state = owner.state(&kit).await;
    assert_eq!(state.contacts.len(), 1);
    assert_eq!(state.failed_guesses, 0, "the correct PIN has cleared it");
}

#[tokio::test]
async fn a_code_works_once_and_only_for_what_it_was_sent_for() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    let recovery = refused(owner.recover(ANNA, &code, None).await);
    assert_eq!(recovery, Refusal::WrongState);
    owner.confirm(ANNA, &code).await.unwrap();
    assert_eq!(
        refused(owner.confirm(ANNA, &code).await),
        Refusal::WrongState
    );
    assert_eq!(outcomes(&kit, "contact.confirm").await, ["done"]);
}

#[tokio::test]
async fn an_expired_code_is_told_apart_and_the_next_one_works() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    assert!(owner.contact(&kit).await.code_outstanding);
    kit.clock.advance(domain::time::hours(1));
    assert!(!owner.contact(&kit).await.code_outstanding);
    assert_eq!(refused(owner.confirm(ANNA, &code).await), Refusal::Expired);
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    owner.confirm(ANNA, &code).await.unwrap();
}

#[tokio::test]
async fn ten_wrong_codes_close_a_contact_and_the_pin_still_opens_the_key() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..10 {
        assert_eq!(refused(owner.recover(ANNA, wrong, None).await), WRONG);
    }
    let until = kit.services.now().plus(days(7));
    let exhausted = Refusal::Exhausted { until };
    assert_eq!(refused(owner.recover(ANNA, &code, None).await), exhausted);
    assert_eq!(refused(owner.start(ANNA).await), exhausted);
    assert_eq!(outcomes(&kit, "recovery.prove").await.len(), 10);
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn nobody_learns_which_contacts_a_key_has_by_asking_often() {
    let few = |policy: &mut Policy| policy.guarded_key.unknown_contacts_per_key.count = 2;
    let (kit, owner) = with_contact_and(few).await;
    kit.courier.forget();
    for _ in 0..2 {
        let refusal = refused(owner.start("nobody@example.com").await);
        assert_eq!(refusal, Refusal::UnknownSubject);
    }
    let refusal = refused(owner.start("nobody@example.com").await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
    assert!(kit.courier.letters().is_empty());
    owner.start(ANNA).await.unwrap();
}

#[tokio::test]
async fn a_recovery_takes_thirty_days_and_two_codes_and_replaces_the_pin() {
    let (kit, owner) = with_contact().await;
    let content = owner.open(PIN).await.unwrap();
    let code = owner.started(&kit, ANNA).await;
    let until = kit.services.now().plus(days(30));
    let locked = Refusal::TimeLocked { until };
    assert_eq!(
        refused(owner.recover(ANNA, &code, Some("5678")).await),
        locked
    );
    owner.open(PIN).await.unwrap();
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    assert_eq!(refused(owner.recover(ANNA, &code, None).await), NO_PIN);
    owner.recover(ANNA, &code, Some("5678")).await.unwrap();
    assert_eq!(owner.open("5678").await.unwrap(), content);
    assert_eq!(refused(owner.open(PIN).await), WRONG);
    assert_eq!(
        outcomes(&kit, "recovery.prove").await,
        ["locked", "recovered"]
    );
    let told = kit.courier.operations_to(ANNA);
    assert!(told.contains(&"recovery_started".to_owned()));
    assert!(told.contains(&"pin_reset".to_owned()));
}

#[tokio::test]
async fn a_second_code_before_the_opening_neither_shortens_nor_restarts_the_lock() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    let until = kit.services.now().plus(days(30));
    kit.clock.advance(days(10));
    let code = owner.started(&kit, ANNA).await;
    let refusal = refused(owner.recover(ANNA, &code, Some("5678")).await);
    assert_eq!(refusal, Refusal::TimeLocked { until });
    assert_eq!(
        owner.contact(&kit).await.locked_until,
        Some(until.rfc3339())
    );
}

#[tokio::test]
async fn a_correct_code_without_a_new_pin_is_neither_counted_nor_used_up() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    for _ in 0..20 {
        assert_eq!(refused(owner.recover(ANNA, &code, None).await), NO_PIN);
    }
    owner.recover(ANNA, &code, Some("5678")).await.unwrap();
}

#[tokio::test]
async fn a_lock_without_an_accepted_alert_does_not_open() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    kit.courier.answer(Delivery::Refused("away".to_owned()));
    let refusal = refused(owner.recover(ANNA, &code, None).await);
    assert!(matches!(refusal, Refusal::TimeLocked { .. }), "{refusal:?}");
    kit.courier.answer(Delivery::Accepted);
    kit.clock.advance(days(31));
    let code = owner.started(&kit, ANNA).await;
    let until = kit.services.now().plus(days(30));
    let refusal = refused(owner.recover(ANNA, &code, Some("5678")).await);
    assert_eq!(refusal, Refusal::TimeLocked { until });
}

#[tokio::test]
async fn reminders_leave_seven_days_and_one_day_before_the_opening() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.courier.forget();
    let mut reminded = Vec::new();
    for day in 1..=30 {
        kit.clock.advance(days(1));
        kit.run_jobs().await;
        for letter in kit.courier.letters_to(ANNA) {
            reminded.push((day, letter.message.facts["left"].clone()));
        }
        kit.courier.forget();
    }
    let expected = [(23, "7".to_owned()), (29, "1".to_owned())];
    assert_eq!(reminded, expected);
}

#[tokio::test]
async fn every_contact_can_stop_a_recovery_with_its_link_and_all_are_told() {
    let (kit, owner) = with_contact().await;
    owner.add_verified(&kit, PIN, PHONE).await;
    owner.armed(&kit, ANNA).await;
    kit.courier.answer(Delivery::Accepted);
    owner.cancel(&kit, PHONE).await.unwrap();
    assert_eq!(owner.state(&kit).await.contacts[0].locked_until, None);
    for contact in [ANNA, PHONE] {
        let told = kit.courier.operations_to(contact);
        assert_eq!(told.last().unwrap(), "recovery_cancelled", "{contact}");
    }
    let again = refused(owner.cancel(&kit, ANNA).await);
    assert_eq!(again, Refusal::UnknownSubject);
    assert_eq!(outcomes(&kit, "recovery.cancel").await, ["done"]);
}

#[tokio::test]
async fn after_a_stop_the_delay_begins_anew() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(29));
    owner.cancel(&kit, ANNA).await.unwrap();
    kit.clock.advance(days(1));
    let code = owner.started(&kit, ANNA).await;
    let until = kit.services.now().plus(days(30));
    let refusal = refused(owner.recover(ANNA, &code, Some("5678")).await);
    assert_eq!(refusal, Refusal::TimeLocked { until });
}

#[tokio::test]
async fn a_page_shows_the_running_recovery_and_changes_nothing() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    let link = kit.courier.link_to(ANNA).unwrap();
    let token = link.rsplit('/').next().unwrap().to_owned();
    let keys = &kit.services.guarded_keys;
    for _ in 0..2 {
        let shown = keys.running_recovery(token.clone()).await.unwrap();
        assert_eq!(shown.armed, kit.services.now());
        assert_eq!(shown.opens, kit.services.now().plus(days(30)));
        assert_eq!(shown.language, "en");
    }
    let unknown = refused(keys.running_recovery("00".to_owned()).await);
    assert_eq!(unknown, Refusal::UnknownSubject);
}

#[tokio::test]
async fn the_pin_ends_a_recovery_that_a_thief_started() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    owner.change(PIN, "5678").await.unwrap();
    assert_eq!(owner.contact(&kit).await.locked_until, None);
    let stopped = refused(owner.cancel(&kit, ANNA).await);
    assert_eq!(stopped, Refusal::UnknownSubject);
}

#[tokio::test]
async fn removing_a_contact_ends_the_recovery_that_runs_through_it() {
    let (kit, owner) = with_contact().await;
    owner.add_verified(&kit, PIN, PHONE).await;
    owner.armed(&kit, ANNA).await;
    owner.remove(PIN, ANNA).await.unwrap();
    let stopped = refused(owner.cancel(&kit, PHONE).await);
    assert_eq!(stopped, Refusal::UnknownSubject);
    let gone = refused(owner.remove(PIN, ANNA).await);
    assert_eq!(gone, Refusal::UnknownSubject);
}

#[tokio::test]
async fn of_parallel_recoveries_with_one_code_exactly_one_sets_its_pin() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    let (one, two) = tokio::join!(
        owner.recover(ANNA, &code, Some("1111")),
        owner.recover(ANNA, &code, Some("2222")),
    );
    let won = [&one, &two].map(Result::is_ok);
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let (right, wrong) = if won[0] {
        ("1111", "2222")
    } else {
        ("2222", "1111")
    };
    owner.open(right).await.unwrap();
    assert_eq!(refused(owner.open(wrong).await), WRONG);
}

#[tokio::test]
async fn without_stored_addresses_nobody_is_told_and_the_lock_opens_all_the_same() {
    let silent = |policy: &mut Policy| policy.guarded_key.store_addresses = false;
    let (kit, owner) = with_contact_and(silent).await;
    owner.armed(&kit, ANNA).await;
    let sent = ["verify_contact", "reset_pin"];
    assert_eq!(kit.courier.operations_to(ANNA), sent);
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, Some("5678")).await.unwrap();
}

#[tokio::test]
async fn a_deleted_key_is_gone_with_its_contacts() {
    let (kit, owner) = with_contact().await;
    let keys = &kit.services.guarded_keys;
    keys.delete_key(&kit.operator(), owner.key).await.unwrap();
    assert_eq!(refused(owner.open(PIN).await), Refusal::UnknownSubject);
    assert_eq!(refused(owner.start(ANNA).await), Refusal::UnknownSubject);
    let again = keys.delete_key(&kit.operator(), owner.key).await;
    assert_eq!(refused(again), Refusal::UnknownSubject);
    let state = keys.key_state(&kit.operator(), owner.key).await;
    assert_eq!(refused(state), Refusal::UnknownSubject);
    assert_eq!(outcomes(&kit, "key.delete").await, ["done"]);
}

/// A key of another server, with the PIN 1234 and a verified contact.
async fn imported(kit: &Kit, failed: u32) -> Owner {
    let salt = b"salt".to_vec();
    let key = ImportedKey {
        id: GuardedKeyId(Uuid::from_u128(7)),
        content: [7; 32],
        salt: salt.clone(),
        pin_hash: testkit::scrypt(PIN.as_bytes(), &salt).to_vec(),
        failed,
        first_failure: None,
    };
    let contact = ImportedContact {
        hash: testkit::scrypt(ANNA.as_bytes(), &salt).to_vec(),
        verified: true,
        failed: 0,
        first_failure: None,
    };
    let (keys, operator) = (&kit.services.guarded_keys, kit.operator());
    let id = key.id;
    keys.import_key(&operator, "test", key).await.unwrap();
    keys.import_contact(&operator, "test", contact)
        .await
        .unwrap();
    Owner {
        services: kit.services.clone(),
        key: id,
    }
}

#[tokio::test]
async fn an_imported_key_opens_with_its_old_pin_and_is_hashed_anew() {
    let kit = Kit::new().await;
    let owner = imported(&kit, 0).await;
    assert!(owner.state(&kit).await.imported);
    assert_eq!(refused(owner.open("0000").await), WRONG);
    let content = owner.open(PIN).await.unwrap();
    assert_eq!(content.0.expose(), &[7; 32]);
    assert!(!owner.state(&kit).await.imported);
    assert_eq!(owner.open(PIN).await.unwrap(), content);
}

#[tokio::test]
async fn failures_on_the_other_server_count_here() {
    let kit = Kit::new().await;
    let owner = imported(&kit, 9).await;
    assert_eq!(refused(owner.open("0000").await), WRONG);
    let refusal = refused(owner.open(PIN).await);
    assert!(matches!(refusal, Refusal::Exhausted { .. }), "{refusal:?}");
}

#[tokio::test]
async fn an_imported_contact_recovers_its_key_once_it_appears() {
    let kit = Kit::new().await;
    let owner = imported(&kit, 0).await;
    assert!(owner.state(&kit).await.contacts.is_empty());
    owner.armed(&kit, ANNA).await;
    assert!(owner.contact(&kit).await.verified);
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, Some("5678")).await.unwrap();
    let content = owner.open("5678").await.unwrap();
    assert_eq!(content.0.expose(), &[7; 32]);
}

#[tokio::test]
async fn a_key_is_imported_once() {
    let kit = Kit::new().await;
    let owner = imported(&kit, 0).await;
    let again = ImportedKey {
        id: owner.key,
        content: [8; 32],
        salt: Vec::new(),
        pin_hash: Vec::new(),
        failed: 0,
        first_failure: None,
    };
    let keys = &kit.services.guarded_keys;
    let refusal = refused(keys.import_key(&kit.operator(), "test", again).await);
    assert_eq!(refusal, Refusal::Conflict);
    let content = owner.open(PIN).await.unwrap();
    assert_eq!(content.0.expose(), &[7; 32]);
    assert_eq!(outcomes(&kit, "key.import").await, ["done"]);
}

#[tokio::test]
async fn a_contact_of_one_key_is_unknown_to_another() {
    let (kit, _owner) = with_contact().await;
    let other = Owner::of(&kit, PIN).await;
    let keys = &kit.services.guarded_keys;
    let started = keys.start_recovery(caller(), other.key, address(ANNA));
    assert_eq!(refused(started.await), Refusal::UnknownSubject);
    let confirmed = keys.confirm_contact(caller(), other.key, address(ANNA), secret("123456"));
    assert_eq!(refused(confirmed.await), Refusal::UnknownSubject);
}
