//! Recovery contacts: what is sent to whom and how often, what a code is good for, and what parallel calls lead to.

use std::time::Duration;

use domain::message::Channel;
use domain::policy::Policy;
use domain::time::{days, hours};
use domain::{Caller, Refusal};
use testkit::Kit;

use crate::guarded_key::{
    ANNA, PHONE, PIN, WRONG, events, outcomes, refused, with_contact, with_contact_and,
};
use crate::owner::{Outcome, Owner, address, caller, outcome, pin, secret};

const BERT: &str = "bert@example.com";

/// Six digits that are not `code`.
fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn kit_with(change: impl FnOnce(&mut Policy)) -> Kit {
    Kit::builder().policy(change).build().await
}

/// A key, and the code that was sent to its first and unverified contact.
async fn unverified(kit: &Kit) -> (Owner, String) {
    let owner = Owner::of(kit, PIN).await;
    owner.add(PIN, ANNA).await.unwrap();
    (owner, kit.courier.code_to(ANNA).unwrap())
}

fn limited(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Limited { .. })
}

#[tokio::test]
async fn a_code_says_what_it_is_for_and_how_long_it_is_valid() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    owner.add(PIN, PHONE).await.unwrap();
    let letters = kit.courier.letters_to(PHONE);
    let message = &letters[0].message;
    assert_eq!(message.channel, Channel::Sms);
    assert_eq!(message.operation, "verify_contact");
    assert_eq!(message.facts["valid"], "3600s");
    assert_eq!(message.link, None);
    owner.add_verified(&kit, PIN, ANNA).await;
    owner.start(ANNA).await.unwrap();
    let letters = kit.courier.letters_to(ANNA);
    let message = &letters.last().unwrap().message;
    assert_eq!(message.channel, Channel::Email);
    assert_eq!(message.operation, "reset_pin");
}

#[tokio::test]
async fn one_contact_gets_only_so_many_codes_in_an_hour() {
    let two = |policy: &mut Policy| policy.guarded_key.sends_per_contact[0].count = 2;
    let kit = kit_with(two).await;
    let owner = Owner::of(&kit, PIN).await;
    let until = kit.services.now().plus(hours(1));
    owner.add(PIN, ANNA).await.unwrap();
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    let third = refused(owner.add(PIN, ANNA).await);
    assert_eq!(third, Refusal::Limited { until });
    owner.confirm(ANNA, &code).await.unwrap();
    assert!(limited(&refused(owner.start(ANNA).await)));
    owner.add(PIN, PHONE).await.unwrap();
    kit.clock.advance(hours(1));
    owner.start(ANNA).await.unwrap();
}

#[tokio::test]
async fn one_address_gets_only_so_many_codes_over_all_keys() {
    let one = |policy: &mut Policy| policy.guarded_key.sends_per_address.count = 1;
    let kit = kit_with(one).await;
    let (first, code) = unverified(&kit).await;
    let second = Owner::of(&kit, PIN).await;
    assert!(limited(&refused(second.add(PIN, ANNA).await)));
    first.confirm(ANNA, &code).await.unwrap();
    kit.clock.advance(days(1));
    second.add(PIN, ANNA).await.unwrap();
}

#[tokio::test]
async fn the_limits_over_all_surfaces_hold_for_codes_to_contacts() {
    type Change = fn(&mut Policy);
    let changes: [Change; 3] = [
        |policy| policy.limits.network_messages.count = 1,
        |policy| policy.limits.day_messages.count = 1,
        |policy| policy.guarded_key.sends_in_all.count = 1,
    ];
    for change in changes {
        let kit = kit_with(change).await;
        let (owner, code) = unverified(&kit).await;
        assert!(limited(&refused(owner.add(PIN, PHONE).await)));
        assert_eq!(kit.courier.code_to(PHONE), None);
        owner.confirm(ANNA, &code).await.unwrap();
        kit.clock.advance(days(1));
        owner.add(PIN, PHONE).await.unwrap();
    }
}

#[tokio::test]
async fn a_send_that_is_refused_uses_no_other_limit_up() {
    let tight = |policy: &mut Policy| {
        policy.guarded_key.sends_per_network.count = 1;
        policy.guarded_key.sends_per_contact[1].count = 1;
    };
    let kit = kit_with(tight).await;
    let (owner, _) = unverified(&kit).await;
    for _ in 0..3 {
        assert!(limited(&refused(owner.add(PIN, PHONE).await)));
    }
    kit.clock.advance(hours(1));
    owner.add(PIN, PHONE).await.unwrap();
    kit.clock.advance(hours(1));
    let again = refused(owner.add(PIN, PHONE).await);
    assert!(limited(&again), "now its own limit is used up");
}

#[tokio::test]
async fn other_networks_are_not_kept_from_sending() {
    let one = |policy: &mut Policy| policy.guarded_key.sends_per_network.count = 1;
    let kit = kit_with(one).await;
    let (owner, _) = unverified(&kit).await;
    assert!(limited(&refused(owner.add(PIN, PHONE).await)));
    let elsewhere = Caller {
        network: "192.0.2.0/24".to_owned(),
        ..caller()
    };
    let keys = &kit.services.guarded_keys;
    let added = keys.add_contact(elsewhere, owner.key, pin(PIN), address(PHONE));
    added.await.unwrap();
    assert!(kit.courier.code_to(PHONE).is_some());
}

#[tokio::test]
async fn ten_wrong_codes_close_a_verification_until_the_window_ends() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    for _ in 0..10 {
        assert_eq!(refused(owner.confirm(ANNA, other_than(&code)).await), WRONG);
    }
    let until = kit.services.now().plus(days(7));
    let closed = Refusal::Exhausted { until };
    assert_eq!(refused(owner.confirm(ANNA, &code).await), closed);
    assert_eq!(refused(owner.add(PIN, ANNA).await), closed);
    kit.clock.set(until);
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    owner.confirm(ANNA, &code).await.unwrap();
}

#[tokio::test]
async fn a_code_is_valid_until_the_millisecond_before_its_end_and_late_ones_count() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    let end = kit.services.now().plus(hours(1));
    kit.clock.set(end);
    for _ in 0..10 {
        assert_eq!(refused(owner.confirm(ANNA, &code).await), Refusal::Expired);
    }
    let exhausted = refused(owner.confirm(ANNA, &code).await);
    assert!(matches!(exhausted, Refusal::Exhausted { .. }));
    kit.clock.advance(days(7));
    owner.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    let end = kit.services.now().plus(hours(1));
    kit.clock.set(end.minus(Duration::from_millis(1)));
    owner.confirm(ANNA, &code).await.unwrap();
}

#[tokio::test]
async fn a_code_of_one_contact_or_key_is_wrong_for_every_other() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    let other = Owner::of(&kit, PIN).await;
    for (owner, contact) in [(&owner, PHONE), (&other, ANNA), (&other, PHONE)] {
        owner.add(PIN, contact).await.unwrap();
        let own = kit.courier.code_to(contact).unwrap();
        if own != code {
            assert_eq!(refused(owner.confirm(contact, &code).await), WRONG);
        }
        owner.confirm(contact, &own).await.unwrap();
    }
    owner.confirm(ANNA, &code).await.unwrap();
}

#[tokio::test]
async fn of_parallel_confirmations_with_one_code_exactly_one_is_made() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    let (one, two) = tokio::join!(owner.confirm(ANNA, &code), owner.confirm(ANNA, &code));
    let (won, late) = if one.is_ok() { (one, two) } else { (two, one) };
    won.unwrap();
    assert_eq!(refused(late), Refusal::WrongState);
    assert_eq!(outcomes(&kit, "contact.confirm").await, ["done"]);
    assert!(owner.contact(&kit).await.verified);
}

#[tokio::test]
async fn parallel_additions_of_one_address_make_one_contact_and_one_code_is_valid() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let (one, two) = tokio::join!(owner.add(PIN, ANNA), owner.add(PIN, ANNA));
    one.unwrap();
    two.unwrap();
    assert!(!owner.contact(&kit).await.verified);
    let letters = kit.courier.letters_to(ANNA).into_iter();
    let codes: Vec<String> = letters.filter_map(|letter| letter.message.code).collect();
    let mut valid = 0;
    for code in codes {
        valid += usize::from(owner.confirm(ANNA, &code).await.is_ok());
    }
    assert_eq!(valid, 1);
}

#[tokio::test]
async fn parallel_additions_keep_the_limit_of_contacts() {
    let one = |policy: &mut Policy| policy.guarded_key.contacts_per_key = 1;
    let kit = kit_with(one).await;
    let owner = Owner::of(&kit, PIN).await;
    let (one, two) = tokio::join!(owner.add(PIN, ANNA), owner.add(PIN, PHONE));
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), Refusal::TooLarge { limit: 1 });
    assert_eq!(owner.state(&kit).await.contacts.len(), 1);
    assert_eq!(kit.courier.letters().len(), 1);
}

#[tokio::test]
async fn a_full_key_takes_a_new_contact_after_one_was_removed() {
    let one = |policy: &mut Policy| policy.guarded_key.contacts_per_key = 1;
    let (kit, owner) = with_contact_and(one).await;
    let full = Refusal::TooLarge { limit: 1 };
    assert_eq!(refused(owner.add(PIN, PHONE).await), full);
    owner.remove(PIN, ANNA).await.unwrap();
    owner.add_verified(&kit, PIN, PHONE).await;
    let channel = owner.contact(&kit).await.channel;
    assert_eq!(channel, Some(Channel::Sms));
}

#[tokio::test]
async fn a_contact_is_removed_with_its_code_and_not_with_its_failures() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    for _ in 0..10 {
        owner.confirm(ANNA, other_than(&code)).await.unwrap_err();
    }
    owner.remove(PIN, ANNA).await.unwrap();
    let gone = refused(owner.confirm(ANNA, &code).await);
    assert_eq!(gone, Refusal::UnknownSubject);
    let closed = refused(owner.add(PIN, ANNA).await);
    assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
    kit.clock.advance(days(7));
    owner.add_verified(&kit, PIN, ANNA).await;
    assert!(owner.contact(&kit).await.verified);
}

#[tokio::test]
async fn nobody_is_told_that_an_unverified_contact_was_removed() {
    let (kit, owner) = with_contact().await;
    owner.add(PIN, PHONE).await.unwrap();
    kit.courier.forget();
    owner.remove(PIN, PHONE).await.unwrap();
    assert!(kit.courier.letters().is_empty());
    assert!(owner.state(&kit).await.recoverable);
}

#[tokio::test]
async fn an_unverified_contact_gets_no_notices() {
    let (kit, owner) = with_contact().await;
    owner.add(PIN, PHONE).await.unwrap();
    kit.courier.forget();
    owner.change(PIN, "5678").await.unwrap();
    owner.armed(&kit, ANNA).await;
    assert!(kit.courier.letters_to(PHONE).is_empty());
    let told = ["pin_changed", "reset_pin", "recovery_started"];
    assert_eq!(kit.courier.operations_to(ANNA), told);
}

#[tokio::test]
async fn notices_name_a_contact_masked_and_in_no_other_way() {
    let (kit, owner) = with_contact().await;
    kit.courier.forget();
    owner.add_verified(&kit, PIN, BERT).await;
    owner.remove(PIN, BERT).await.unwrap();
    let letters = kit.courier.letters_to(ANNA);
    assert_eq!(letters.len(), 2);
    for letter in letters {
        let named = &letter.message.facts["contact"];
        assert!(named.contains('*') && named != BERT, "{named}");
        assert!(!letter.text.contains(BERT), "{}", letter.text);
    }
}

#[tokio::test]
async fn a_contact_gets_its_messages_in_the_language_in_which_it_was_added() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let german = Caller {
        language: "de".to_owned(),
        ..caller()
    };
    let keys = &kit.services.guarded_keys;
    let added = keys.add_contact(german, owner.key, pin(PIN), address(ANNA));
    added.await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    owner.confirm(ANNA, &code).await.unwrap();
    owner.start(ANNA).await.unwrap();
    owner.change(PIN, "5678").await.unwrap();
    for letter in kit.courier.letters_to(ANNA) {
        assert_eq!(
            letter.message.language, "de",
            "{}",
            letter.message.operation
        );
    }
}

#[tokio::test]
async fn addresses_are_compared_byte_for_byte() {
    let (kit, owner) = with_contact().await;
    for other in ["Anna@example.com", "anna@example.com ", "anna@EXAMPLE.com"] {
        assert_eq!(refused(owner.start(other).await), Refusal::UnknownSubject);
        let removed = owner.remove(PIN, other).await;
        assert_eq!(refused(removed), Refusal::UnknownSubject);
    }
    owner.add(PIN, "Anna@example.com").await.unwrap();
    assert_eq!(owner.state(&kit).await.contacts.len(), 2);
}

#[tokio::test]
async fn without_stored_addresses_no_contact_hears_of_another() {
    let silent = |policy: &mut Policy| policy.guarded_key.store_addresses = false;
    let (kit, owner) = with_contact_and(silent).await;
    kit.courier.forget();
    owner.add_verified(&kit, PIN, PHONE).await;
    owner.change(PIN, "5678").await.unwrap();
    owner.remove("5678", PHONE).await.unwrap();
    assert!(kit.courier.letters_to(ANNA).is_empty());
    assert_eq!(kit.courier.operations_to(PHONE), ["verify_contact"]);
}

#[tokio::test]
async fn what_happens_to_contacts_is_recorded_without_their_addresses() {
    let (kit, owner) = with_contact().await;
    owner.confirm(ANNA, "000000").await.unwrap_err();
    owner.add(PIN, PHONE).await.unwrap();
    let code = kit.courier.code_to(PHONE).unwrap();
    owner.confirm(PHONE, other_than(&code)).await.unwrap_err();
    owner.remove(PIN, ANNA).await.unwrap();
    assert_eq!(outcomes(&kit, "contact.add").await, ["done", "done"]);
    let confirmed = outcomes(&kit, "contact.confirm").await;
    assert_eq!(confirmed, ["done", "refused"], "none where no code waits");
    assert_eq!(outcomes(&kit, "contact.remove").await, ["done"]);
    for action in ["contact.add", "contact.confirm", "contact.remove"] {
        for event in events(&kit, action).await {
            let text = serde_json::to_string(&event).unwrap();
            assert!(!text.contains(ANNA) && !text.contains(PHONE), "{text}");
            assert_eq!(event.subject, owner.state(&kit).await.alias);
        }
    }
}

#[tokio::test]
async fn a_refused_addition_or_removal_is_recorded_and_clears_wrong_pins() {
    let (kit, owner) = with_contact().await;
    owner.open("0000").await.unwrap_err();
    let removed = outcome(owner.remove(PIN, PHONE).await);
    assert_eq!(removed, Outcome::Refused(Refusal::UnknownSubject));
    assert_eq!(owner.state(&kit).await.failed_guesses, 0);
    owner.open("0000").await.unwrap_err();
    let added = outcome(owner.add(PIN, ANNA).await);
    assert_eq!(added, Outcome::Refused(Refusal::Conflict));
    assert_eq!(owner.state(&kit).await.failed_guesses, 0);
    assert_eq!(outcomes(&kit, "contact.remove").await, ["refused"]);
    assert_eq!(outcomes(&kit, "contact.add").await, ["done", "refused"]);
}

#[tokio::test]
async fn a_removal_and_a_confirmation_at_once_leave_no_verified_contact_behind_unasked() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    let (confirmed, removed) = tokio::join!(owner.confirm(ANNA, &code), owner.remove(PIN, ANNA));
    removed.unwrap();
    if confirmed.is_err() {
        assert_eq!(refused(confirmed), Refusal::UnknownSubject);
    }
    let state = owner.state(&kit).await;
    assert!(state.contacts.is_empty());
    assert!(!state.recoverable, "whichever came first");
}

#[tokio::test]
async fn a_clock_that_is_set_back_neither_ends_a_code_nor_verifies_twice() {
    let kit = Kit::new().await;
    let (owner, code) = unverified(&kit).await;
    kit.clock.set(kit.services.now().minus(days(1)));
    owner.confirm(ANNA, &code).await.unwrap();
    let again = owner.confirm(ANNA, &code).await;
    assert_eq!(refused(again), Refusal::WrongState);
}

#[tokio::test]
async fn a_contact_of_another_key_is_not_confirmed_by_a_code_for_it() {
    let kit = Kit::new().await;
    let (_, code) = unverified(&kit).await;
    let other = Owner::of(&kit, PIN).await;
    let keys = &kit.services.guarded_keys;
    let confirmed = keys.confirm_contact(caller(), other.key, address(ANNA), secret(&code));
    assert_eq!(refused(confirmed.await), Refusal::UnknownSubject);
}
