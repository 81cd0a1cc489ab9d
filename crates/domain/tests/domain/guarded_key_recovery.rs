//! Recoveries of guarded keys: what a code, a contact, a link and a clock can do and cannot, and who hears of it.

use std::time::Duration;

use domain::guarded_key::{ImportedContact, ImportedKey};
use domain::policy::Policy;
use domain::port::courier::Delivery;
use domain::time::{days, hours};
use domain::{Caller, Refusal};
use testkit::Kit;
use uuid::Uuid;

use crate::guarded_key::{
    ANNA, PHONE, PIN, WRONG, events, outcomes, refused, with_contact, with_contact_and,
};
use crate::owner::{Owner, address, caller, outcome, secret};

const NEW: &str = "5678";

/// A key with two verified contacts.
async fn with_two() -> (Kit, Owner) {
    let (kit, owner) = with_contact().await;
    owner.add_verified(&kit, PIN, PHONE).await;
    kit.courier.forget();
    (kit, owner)
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// The link in the newest message to `contact` that has one.
fn token_to(kit: &Kit, contact: &str) -> String {
    let link = kit.courier.link_to(contact).unwrap();
    link.rsplit('/').next().unwrap().to_owned()
}

/// Ends the recovery whose lock of `contact` has opened.
async fn finish(kit: &Kit, owner: &Owner, contact: &str) {
    let code = owner.started(kit, contact).await;
    owner.recover(contact, &code, Some(NEW)).await.unwrap();
}

#[tokio::test]
async fn a_contact_that_was_never_verified_starts_no_recovery() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    kit.courier.forget();
    assert_eq!(refused(owner.start(ANNA).await), Refusal::UnknownSubject);
    assert!(kit.courier.letters().is_empty());
    assert!(outcomes(&kit, "recovery.start").await.is_empty());
}

#[tokio::test]
async fn the_lock_opens_at_the_millisecond_that_was_named() {
    let (kit, owner) = with_contact().await;
    let until = kit.services.now().plus(days(30));
    owner.armed(&kit, ANNA).await;
    kit.clock.set(until.minus(Duration::from_millis(1)));
    let code = owner.started(&kit, ANNA).await;
    let locked = refused(owner.recover(ANNA, &code, Some(NEW)).await);
    assert_eq!(locked, Refusal::TimeLocked { until });
    kit.clock.set(until);
    finish(&kit, &owner, ANNA).await;
    owner.open(NEW).await.unwrap();
}

#[tokio::test]
async fn an_open_lock_that_nobody_uses_is_void_after_thirty_more_days() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    let old = token_to(&kit, ANNA);
    kit.clock.advance(days(60));
    let keys = &kit.services.guarded_keys;
    let page = refused(keys.running_recovery(old.clone()).await);
    assert_eq!(page, Refusal::UnknownSubject);
    let until = kit.services.now().plus(days(30));
    let code = owner.started(&kit, ANNA).await;
    let armed = refused(owner.recover(ANNA, &code, Some(NEW)).await);
    assert_eq!(armed, Refusal::TimeLocked { until }, "it begins anew");
    let stopped = refused(keys.cancel_recovery("test", old).await);
    assert_eq!(stopped, Refusal::UnknownSubject, "the old link is dead");
    owner.cancel(&kit, ANNA).await.unwrap();
}

#[tokio::test]
async fn on_the_last_day_of_its_use_an_open_lock_still_works() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    let void = kit.services.now().plus(days(60));
    kit.clock.set(void.minus(Duration::from_millis(1)));
    finish(&kit, &owner, ANNA).await;
    owner.open(NEW).await.unwrap();
}

#[tokio::test]
async fn each_contact_has_a_lock_of_its_own() {
    let (kit, owner) = with_two().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let until = kit.services.now().plus(days(30));
    let code = owner.started(&kit, PHONE).await;
    let refusal = refused(owner.recover(PHONE, &code, Some(NEW)).await);
    assert_eq!(refusal, Refusal::TimeLocked { until }, "it did not wait");
    finish(&kit, &owner, ANNA).await;
    let states = owner.state(&kit).await.contacts;
    assert!(states.iter().all(|contact| contact.locked_until.is_none()));
    let stopped = refused(owner.cancel(&kit, PHONE).await);
    assert_eq!(stopped, Refusal::UnknownSubject, "it ended with the other");
}

#[tokio::test]
async fn a_code_to_one_contact_recovers_nothing_through_another() {
    let (kit, owner) = with_two().await;
    for contact in [ANNA, PHONE] {
        owner.armed(&kit, contact).await;
    }
    kit.clock.advance(days(30));
    let anna = owner.started(&kit, ANNA).await;
    let phone = owner.started(&kit, PHONE).await;
    if anna != phone {
        let crossed = owner.recover(PHONE, &anna, Some(NEW)).await;
        assert_eq!(refused(crossed), WRONG);
    }
    owner.recover(PHONE, &phone, Some(NEW)).await.unwrap();
}

#[tokio::test]
async fn a_newer_code_replaces_the_older_one() {
    let (kit, owner) = with_contact().await;
    let old = owner.started(&kit, ANNA).await;
    let new = owner.started(&kit, ANNA).await;
    assert_ne!(old, new);
    assert_eq!(refused(owner.recover(ANNA, &old, None).await), WRONG);
    let armed = refused(owner.recover(ANNA, &new, None).await);
    assert!(matches!(armed, Refusal::TimeLocked { .. }), "{armed:?}");
}

#[tokio::test]
async fn a_code_that_met_a_lock_is_used_up() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, None).await.unwrap_err();
    let again = refused(owner.recover(ANNA, &code, None).await);
    assert_eq!(again, Refusal::WrongState);
    kit.clock.advance(days(10));
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, None).await.unwrap_err();
    let again = refused(owner.recover(ANNA, &code, None).await);
    assert_eq!(again, Refusal::WrongState);
    assert_eq!(outcomes(&kit, "recovery.prove").await, ["locked", "locked"]);
}

#[tokio::test]
async fn an_expired_code_neither_arms_nor_opens_a_lock() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    kit.clock.advance(hours(1));
    let late = refused(owner.recover(ANNA, &code, None).await);
    assert_eq!(late, Refusal::Expired);
    assert_eq!(owner.contact(&kit).await.locked_until, None);
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    kit.clock.advance(hours(1));
    let late = refused(owner.recover(ANNA, &code, Some(NEW)).await);
    assert_eq!(late, Refusal::Expired);
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn wrong_codes_do_not_touch_a_running_lock() {
    let (kit, owner) = with_contact().await;
    let until = kit.services.now().plus(days(30));
    owner.armed(&kit, ANNA).await;
    let code = owner.started(&kit, ANNA).await;
    for _ in 0..9 {
        let wrong = owner.recover(ANNA, other_than(&code), Some(NEW)).await;
        assert_eq!(refused(wrong), WRONG);
    }
    let locked = refused(owner.recover(ANNA, &code, Some(NEW)).await);
    assert_eq!(locked, Refusal::TimeLocked { until });
}

#[tokio::test]
async fn at_an_open_lock_wrong_codes_count_with_and_without_a_new_pin() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    for number in 0..10 {
        let new = (number % 2 == 0).then_some(NEW);
        let wrong = owner.recover(ANNA, other_than(&code), new).await;
        assert_eq!(refused(wrong), WRONG);
    }
    for new in [None, Some(NEW)] {
        let closed = refused(owner.recover(ANNA, &code, new).await);
        assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
    }
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn a_recovery_forgets_the_wrong_pins_before_it() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    for _ in 0..10 {
        owner.open("0000").await.unwrap_err();
    }
    finish(&kit, &owner, ANNA).await;
    let state = owner.state(&kit).await;
    assert_eq!((state.failed_guesses, state.exhausted_until), (0, None));
    owner.open(NEW).await.unwrap();
}

#[tokio::test]
async fn a_key_stays_recoverable_after_a_recovery() {
    let (kit, owner) = with_contact().await;
    let content = owner.open(PIN).await.unwrap();
    for _ in 0..2 {
        owner.armed(&kit, ANNA).await;
        kit.clock.advance(days(30));
        finish(&kit, &owner, ANNA).await;
        assert!(owner.state(&kit).await.recoverable);
    }
    assert_eq!(owner.open(NEW).await.unwrap(), content);
}

#[tokio::test]
async fn every_contact_is_told_of_a_started_recovery_with_a_link_of_its_own() {
    let (kit, owner) = with_two().await;
    let until = kit.services.now().plus(days(30)).rfc3339();
    owner.armed(&kit, ANNA).await;
    let mut links = Vec::new();
    for contact in [ANNA, PHONE] {
        let letters = kit.courier.letters_to(contact);
        let message = &letters.last().unwrap().message;
        assert_eq!(message.operation, "recovery_started");
        assert_eq!(message.facts["until"], until);
        assert_eq!(message.code, None);
        links.push(message.link.clone().unwrap());
    }
    assert_ne!(links[0], links[1]);
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, None).await.unwrap_err();
    let told = kit.courier.operations_to(PHONE);
    assert_eq!(told, ["recovery_started"], "a lock is told of once");
}

#[tokio::test]
async fn every_contact_is_told_of_a_new_pin_after_a_recovery() {
    let (kit, owner) = with_two().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    kit.courier.forget();
    finish(&kit, &owner, ANNA).await;
    assert_eq!(kit.courier.operations_to(ANNA), ["reset_pin", "pin_reset"]);
    assert_eq!(kit.courier.operations_to(PHONE), ["pin_reset"]);
}

#[tokio::test]
async fn the_code_is_sent_in_the_language_of_the_contact_whoever_asks_for_it() {
    let (kit, owner) = with_contact().await;
    kit.courier.forget();
    let stranger = Caller {
        language: "fr".to_owned(),
        ..caller()
    };
    let keys = &kit.services.guarded_keys;
    let started = keys.start_recovery(stranger, owner.key, address(ANNA));
    started.await.unwrap();
    assert_eq!(kit.courier.letters()[0].message.language, "en");
}

#[tokio::test]
async fn an_alert_that_reaches_one_contact_later_moves_the_opening_by_as_much() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    kit.courier.deliver_by_jobs();
    owner.recover(ANNA, &code, None).await.unwrap_err();
    kit.clock.advance(days(2));
    kit.run_jobs().await;
    let until = kit.services.now().plus(days(30));
    let shown = owner.contact(&kit).await.locked_until;
    assert_eq!(shown, Some(until.rfc3339()));
    kit.courier.deliver_at_once();
    kit.clock.set(until.minus(Duration::from_millis(1)));
    let code = owner.started(&kit, ANNA).await;
    let locked = refused(owner.recover(ANNA, &code, Some(NEW)).await);
    assert_eq!(locked, Refusal::TimeLocked { until });
    kit.clock.set(until);
    finish(&kit, &owner, ANNA).await;
}

#[tokio::test]
async fn one_accepted_alert_of_several_is_enough() {
    let (kit, owner) = with_two().await;
    let code = owner.started(&kit, ANNA).await;
    kit.courier
        .answer_by(|letter| match letter.message.to.as_str() {
            PHONE => Delivery::Accepted,
            _ => Delivery::Refused("no such mailbox".to_owned()),
        });
    owner.recover(ANNA, &code, None).await.unwrap_err();
    kit.courier.answer(Delivery::Accepted);
    kit.clock.advance(days(30));
    finish(&kit, &owner, ANNA).await;
}

#[tokio::test]
async fn a_stopped_recovery_a_new_pin_and_an_ended_one_bring_no_reminders() {
    for ending in ["stop", "pin", "remove", "delete"] {
        let (kit, owner) = with_two().await;
        owner.armed(&kit, ANNA).await;
        match ending {
            "stop" => owner.cancel(&kit, PHONE).await.unwrap(),
            "pin" => owner.change(PIN, NEW).await.unwrap(),
            "remove" => owner.remove(PIN, ANNA).await.unwrap(),
            _ => {
                let keys = &kit.services.guarded_keys;
                keys.delete_key(&kit.operator(), owner.key).await.unwrap();
            }
        }
        kit.courier.forget();
        for _ in 0..31 {
            kit.clock.advance(days(1));
            kit.run_jobs().await;
        }
        let operations = kit.courier.operations_to(PHONE);
        assert!(operations.is_empty(), "{ending}: {operations:?}");
    }
}

#[tokio::test]
async fn a_short_delay_has_only_the_reminder_that_fits() {
    let short = |policy: &mut Policy| policy.guarded_key.lock = days(2);
    let (kit, owner) = with_contact_and(short).await;
    owner.armed(&kit, ANNA).await;
    kit.courier.forget();
    for _ in 0..3 {
        kit.clock.advance(days(1));
        kit.run_jobs().await;
    }
    let letters = kit.courier.letters_to(ANNA);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message.operation, "recovery_reminder");
    assert_eq!(letters[0].message.facts["left"], "1");
    assert!(letters[0].message.link.is_some());
}

#[tokio::test]
async fn a_link_in_a_reminder_stops_the_recovery_too() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.courier.forget();
    kit.clock.advance(days(23));
    kit.run_jobs().await;
    assert_eq!(kit.courier.operations_to(ANNA), ["recovery_reminder"]);
    owner.cancel(&kit, ANNA).await.unwrap();
    assert_eq!(owner.contact(&kit).await.locked_until, None);
}

#[tokio::test]
async fn a_reminder_is_sent_once_even_if_two_nodes_look() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.courier.forget();
    kit.clock.advance(days(23));
    let keys = &kit.services.guarded_keys;
    let (one, two) = tokio::join!(keys.remind(), keys.remind());
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    kit.run_jobs().await;
    assert_eq!(kit.courier.operations_to(ANNA), ["recovery_reminder"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_opens_no_lock_earlier() {
    let (kit, owner) = with_contact().await;
    let armed = kit.services.now();
    let until = armed.plus(days(30));
    owner.armed(&kit, ANNA).await;
    for moment in [armed.minus(days(100)), armed, armed.plus(days(29))] {
        kit.clock.set(moment);
        let code = owner.started(&kit, ANNA).await;
        let locked = refused(owner.recover(ANNA, &code, Some(NEW)).await);
        assert_eq!(locked, Refusal::TimeLocked { until });
    }
    kit.clock.set(until);
    finish(&kit, &owner, ANNA).await;
}

#[tokio::test]
async fn of_parallel_proofs_with_one_code_exactly_one_arms_a_lock() {
    let (kit, owner) = with_two().await;
    let code = owner.started(&kit, ANNA).await;
    let (one, two) = tokio::join!(
        owner.recover(ANNA, &code, None),
        owner.recover(ANNA, &code, None)
    );
    let refusals = [refused(one), refused(two)];
    let until = kit.services.now().plus(days(30));
    assert!(refusals.contains(&Refusal::TimeLocked { until }));
    assert!(refusals.contains(&Refusal::WrongState), "{refusals:?}");
    let told = kit.courier.operations_to(PHONE);
    assert_eq!(told, ["recovery_started"], "once");
}

#[tokio::test]
async fn a_stop_and_a_recovery_at_once_end_as_one_of_the_two() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    let (recovered, stopped) = tokio::join!(
        owner.recover(ANNA, &code, Some(NEW)),
        owner.cancel(&kit, ANNA)
    );
    // Either may come first, and exactly one has its effect.
    if recovered.is_ok() {
        assert_eq!(refused(stopped), Refusal::UnknownSubject);
        owner.open(NEW).await.unwrap();
    } else {
        stopped.unwrap();
        assert_eq!(refused(recovered), Refusal::WrongState);
        owner.open(PIN).await.unwrap();
    }
}

#[tokio::test]
async fn of_parallel_stops_exactly_one_is_made() {
    let (kit, owner) = with_two().await;
    owner.armed(&kit, ANNA).await;
    kit.courier.forget();
    owner.armed(&kit, PHONE).await;
    let keys = &kit.services.guarded_keys;
    let token = token_to(&kit, ANNA);
    let (one, two) = tokio::join!(
        keys.cancel_recovery("test", token.clone()),
        keys.cancel_recovery("test", token)
    );
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), Refusal::UnknownSubject);
    assert_eq!(outcomes(&kit, "recovery.cancel").await, ["done"]);
    let states = owner.state(&kit).await.contacts;
    let running = states
        .iter()
        .filter(|contact| contact.locked_until.is_some());
    assert_eq!(
        running.count(),
        1,
        "the lock of the other contact still runs"
    );
}

#[tokio::test]
async fn a_change_of_the_pin_and_a_recovery_at_once_leave_exactly_one_new_pin() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    let (changed, recovered) = tokio::join!(
        owner.change(PIN, "1111"),
        owner.recover(ANNA, &code, Some("2222"))
    );
    match (&changed, &recovered) {
        (Ok(()), Err(_)) => {
            assert_eq!(refused(recovered), Refusal::WrongState);
            owner.open("1111").await.unwrap();
        }
        (Err(_), Ok(())) => {
            assert_eq!(refused(changed), WRONG);
            owner.open("2222").await.unwrap();
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_send_changes_neither_the_code_nor_the_lock() {
    let one = |policy: &mut Policy| policy.guarded_key.sends_per_contact[0].count = 2;
    let (kit, owner) = with_contact_and(one).await;
    let code = owner.started(&kit, ANNA).await;
    let limited = refused(owner.start(ANNA).await);
    assert!(matches!(limited, Refusal::Limited { .. }), "{limited:?}");
    let armed = refused(owner.recover(ANNA, &code, None).await);
    assert!(matches!(armed, Refusal::TimeLocked { .. }), "{armed:?}");
    assert_eq!(outcomes(&kit, "recovery.start").await, ["done"]);
}

#[tokio::test]
async fn the_limit_of_unknown_contacts_is_that_of_one_key_in_one_hour() {
    let one = |policy: &mut Policy| policy.guarded_key.unknown_contacts_per_key.count = 1;
    let (kit, owner) = with_contact_and(one).await;
    let other = Owner::of(&kit, PIN).await;
    let until = kit.services.now().plus(hours(1));
    for owner in [&owner, &other] {
        assert_eq!(
            refused(owner.start("x@b.co").await),
            Refusal::UnknownSubject
        );
        let limited = refused(owner.start("y@b.co").await);
        assert_eq!(limited, Refusal::Limited { until });
    }
    kit.clock.advance(hours(1));
    assert_eq!(
        refused(owner.start("y@b.co").await),
        Refusal::UnknownSubject
    );
}

#[tokio::test]
async fn what_happens_in_a_recovery_is_recorded_and_names_no_address() {
    let (kit, owner) = with_contact().await;
    let code = owner.started(&kit, ANNA).await;
    let wrong = owner.recover(ANNA, other_than(&code), None).await;
    assert_eq!(refused(wrong), WRONG);
    owner.recover(ANNA, &code, None).await.unwrap_err();
    owner.cancel(&kit, ANNA).await.unwrap();
    assert_eq!(outcomes(&kit, "recovery.start").await, ["done"]);
    let proofs = ["locked", "refused"];
    assert_eq!(outcomes(&kit, "recovery.prove").await, proofs);
    let alias = owner.contact(&kit).await.alias;
    for action in ["recovery.start", "recovery.prove", "recovery.cancel"] {
        for event in events(&kit, action).await {
            assert_eq!(event.facts["contact"], alias, "{action}");
            let text = serde_json::to_string(&event).unwrap();
            assert!(!text.contains(ANNA) && !text.contains(&code), "{text}");
        }
    }
}

#[tokio::test]
async fn a_recovery_with_an_unknown_link_or_code_tells_nothing_about_the_key() {
    let (kit, owner) = with_contact().await;
    owner.armed(&kit, ANNA).await;
    let keys = &kit.services.guarded_keys;
    let token = token_to(&kit, ANNA);
    for other in [String::new(), token.to_uppercase(), format!("{token}0")] {
        let page = refused(keys.running_recovery(other.clone()).await);
        assert_eq!(page, Refusal::UnknownSubject, "{other}");
        let stopped = refused(keys.cancel_recovery("test", other).await);
        assert_eq!(stopped, Refusal::UnknownSubject);
    }
    keys.running_recovery(token).await.unwrap();
}

/// A key of another server with a contact of `failed` wrong codes.
async fn imported(kit: &Kit, verified: bool, failed: u32) -> Owner {
    let salt = b"salt".to_vec();
    let owner = Owner {
        services: kit.services.clone(),
        key: domain::guarded_key::GuardedKeyId(Uuid::from_u128(7)),
    };
    let key = ImportedKey {
        id: owner.key,
        content: [7; 32],
        pin_hash: testkit::scrypt(PIN.as_bytes(), &salt).to_vec(),
        salt: salt.clone(),
        failed: 0,
        first_failure: None,
    };
    let contact = ImportedContact {
        hash: testkit::scrypt(ANNA.as_bytes(), &salt).to_vec(),
        verified,
        failed,
        first_failure: Some(kit.services.now()),
    };
    let (keys, operator) = (&kit.services.guarded_keys, kit.operator());
    keys.import_key(&operator, "test", key).await.unwrap();
    let imported = keys.import_contact(&operator, "test", contact).await;
    imported.unwrap();
    owner
}

#[tokio::test]
async fn an_imported_contact_that_was_not_verified_starts_no_recovery() {
    let kit = Kit::new().await;
    let owner = imported(&kit, false, 0).await;
    assert_eq!(refused(owner.start(ANNA).await), Refusal::UnknownSubject);
    owner.add_verified(&kit, PIN, ANNA).await;
    owner.start(ANNA).await.unwrap();
}

#[tokio::test]
async fn wrong_codes_on_the_other_server_count_here_also_after_the_contact_has_appeared() {
    let kit = Kit::new().await;
    let owner = imported(&kit, true, 9).await;
    let code = owner.started(&kit, ANNA).await;
    let wrong = owner.recover(ANNA, other_than(&code), None).await;
    assert_eq!(refused(wrong), WRONG);
    let until = kit.services.now().plus(days(7));
    let closed = refused(owner.recover(ANNA, &code, None).await);
    assert_eq!(closed, Refusal::Exhausted { until });
}

#[tokio::test]
async fn another_address_finds_no_imported_contact() {
    let kit = Kit::new().await;
    let owner = imported(&kit, true, 0).await;
    for other in [PHONE, "Anna@example.com"] {
        assert_eq!(refused(owner.start(other).await), Refusal::UnknownSubject);
    }
    assert!(owner.state(&kit).await.contacts.is_empty());
}

#[tokio::test]
async fn an_imported_contact_that_appears_in_two_calls_at_once_is_one_contact() {
    let kit = Kit::new().await;
    let owner = imported(&kit, true, 0).await;
    let (one, two) = tokio::join!(owner.start(ANNA), owner.start(ANNA));
    for answer in [outcome(one), outcome(two)] {
        assert_eq!(answer, crate::owner::Outcome::Done);
    }
    assert!(owner.contact(&kit).await.verified);
}

#[tokio::test]
async fn an_imported_key_stays_recoverable_when_its_only_known_contact_is_removed() {
    let kit = Kit::new().await;
    let owner = imported(&kit, true, 0).await;
    owner.start(ANNA).await.unwrap();
    owner.remove(PIN, ANNA).await.unwrap();
    assert!(owner.state(&kit).await.recoverable, "others may appear");
    assert_eq!(refused(owner.start(ANNA).await), Refusal::UnknownSubject);
}

#[tokio::test]
async fn a_contact_is_imported_once() {
    let kit = Kit::new().await;
    imported(&kit, true, 0).await;
    let again = ImportedContact {
        hash: testkit::scrypt(ANNA.as_bytes(), b"salt").to_vec(),
        verified: false,
        failed: 0,
        first_failure: None,
    };
    let keys = &kit.services.guarded_keys;
    let refusal = refused(keys.import_contact(&kit.operator(), "test", again).await);
    assert_eq!(refusal, Refusal::Conflict);
    assert_eq!(outcomes(&kit, "contact.import").await, ["done"]);
}

#[tokio::test]
async fn a_new_pin_is_never_set_without_a_code_that_was_sent() {
    let (kit, owner) = with_contact().await;
    let keys = &kit.services.guarded_keys;
    for text in ["", "000000", "123456"] {
        let new = Some(crate::owner::pin(NEW));
        let recovered = keys.recover(caller(), owner.key, address(ANNA), secret(text), new);
        assert_eq!(refused(recovered.await), Refusal::WrongState);
    }
    assert!(outcomes(&kit, "recovery.prove").await.is_empty());
    owner.open(PIN).await.unwrap();
}
