//! PINs of guarded keys: how often one may be tried, what parallel tries and changes lead to, and what a moved clock
//! does.

use std::time::Duration;

use domain::guarded_key::ImportedKey;
use domain::policy::Policy;
use domain::proof::operator::{Operator, OperatorRight};
use domain::secret::SecretText;
use domain::time::{days, hours};
use domain::{Caller, Error, Refusal, Timestamp};
use testkit::Kit;
use tokio::task::JoinSet;

use crate::guarded_key::{
    ANNA, PHONE, PIN, WRONG, events, outcomes, refused, with_contact, with_contact_and,
};
use crate::owner::{Outcome, Owner, caller, outcome, pin};

const NEW: &str = "5678";
const BAD: &str = "0000";

fn exhausted(until: Timestamp) -> Refusal {
    Refusal::Exhausted { until }
}

async fn fail(owner: &Owner, times: usize) {
    for number in 0..times {
        assert_eq!(refused(owner.open(BAD).await), WRONG, "try {number}");
    }
}

#[tokio::test]
async fn of_many_parallel_wrong_pins_exactly_ten_are_judged() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let until = kit.services.now().plus(days(7));
    let mut tries = JoinSet::new();
    for _ in 0..16 {
        let owner = owner.clone();
        tries.spawn(async move { outcome(owner.open(BAD).await) });
    }
    let answers = tries.join_all().await;
    let count = |wanted: &Outcome| answers.iter().filter(|answer| *answer == wanted).count();
    assert_eq!(count(&Outcome::Refused(WRONG)), 10);
    assert_eq!(count(&Outcome::Refused(exhausted(until))), 6);
    assert_eq!(outcomes(&kit, "key.open").await, ["wrong"; 10]);
}

#[tokio::test]
async fn parallel_right_pins_all_get_the_same_key() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let mut tries = JoinSet::new();
    for _ in 0..12 {
        let owner = owner.clone();
        tries.spawn(async move { owner.open(PIN).await.unwrap() });
    }
    let contents = tries.join_all().await;
    assert!(contents.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(owner.state(&kit).await.failed_guesses, 0);
}

#[tokio::test]
async fn of_parallel_changes_of_one_pin_exactly_one_is_made() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let content = owner.open(PIN).await.unwrap();
    let (one, two) = tokio::join!(owner.change(PIN, "1111"), owner.change(PIN, "2222"));
    // Either may come first; the other is judged by the new PIN.
    let (won, lost, late) = if one.is_ok() {
        ("1111", "2222", two)
    } else {
        ("2222", "1111", one)
    };
    assert_eq!(refused(late), WRONG);
    assert_eq!(owner.open(won).await.unwrap(), content);
    assert_eq!(refused(owner.open(lost).await), WRONG);
    assert_eq!(outcomes(&kit, "key.change_pin").await, ["done", "wrong"]);
}

#[tokio::test]
async fn a_key_that_is_opened_while_its_pin_is_changed_is_returned_or_the_pin_is_wrong() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let content = owner.open(PIN).await.unwrap();
    let (changed, opened) = tokio::join!(owner.change(PIN, NEW), owner.open(PIN));
    changed.unwrap();
    match opened {
        Ok(opened) => assert_eq!(opened, content),
        late => assert_eq!(refused(late), WRONG),
    }
    assert_eq!(owner.open(NEW).await.unwrap(), content);
}

#[tokio::test]
async fn a_key_that_is_deleted_while_it_is_opened_is_returned_or_unknown() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let operator = kit.operator();
    let keys = &kit.services.guarded_keys;
    let (deleted, opened) = tokio::join!(keys.delete_key(&operator, owner.key), owner.open(PIN));
    deleted.unwrap();
    if opened.is_err() {
        assert_eq!(refused(opened), Refusal::UnknownSubject);
    }
    assert_eq!(refused(owner.open(PIN).await), Refusal::UnknownSubject);
    assert_eq!(keys.count_keys(&operator).await.unwrap(), 0);
}

#[tokio::test]
async fn a_right_pin_gives_all_tries_back() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    // Thirty wrong PINs a week are judged, whatever is right in between.
    for _ in 0..2 {
        fail(&owner, 9).await;
        owner.open(PIN).await.unwrap();
        let state = owner.state(&kit).await;
        assert_eq!((state.failed_guesses, state.failed_in_a_row), (0, 0));
    }
    fail(&owner, 9).await;
    owner.change(PIN, NEW).await.unwrap();
    assert_eq!(owner.state(&kit).await.failed_guesses, 0);
}

#[tokio::test]
async fn the_window_begins_with_its_first_failure() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let until = kit.services.now().plus(days(7));
    fail(&owner, 9).await;
    kit.clock.advance(days(6));
    fail(&owner, 1).await;
    assert_eq!(refused(owner.open(PIN).await), exhausted(until));
    kit.clock.set(until.minus(Duration::from_millis(1)));
    assert_eq!(refused(owner.open(PIN).await), exhausted(until));
    kit.clock.set(until);
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn failures_of_a_window_that_has_passed_do_not_count_in_the_next() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    fail(&owner, 9).await;
    kit.clock.advance(days(7));
    fail(&owner, 9).await;
    let state = owner.state(&kit).await;
    assert_eq!((state.failed_guesses, state.failed_in_a_row), (9, 18));
    owner.open(PIN).await.unwrap();
}

#[tokio::test]
async fn an_exhausted_key_refuses_everything_that_needs_the_pin_and_compares_nothing() {
    let (kit, owner) = with_contact().await;
    let until = kit.services.now().plus(days(7));
    fail(&owner, 10).await;
    kit.courier.forget();
    for answer in [
        outcome(owner.open(PIN).await),
        outcome(owner.change(PIN, NEW).await),
        outcome(owner.add(PIN, PHONE).await),
        outcome(owner.remove(PIN, ANNA).await),
    ] {
        assert_eq!(answer, Outcome::Refused(exhausted(until)));
    }
    assert!(kit.courier.letters().is_empty());
    assert!(events(&kit, "key.change_pin").await.is_empty());
    assert!(events(&kit, "contact.remove").await.is_empty());
    assert_eq!(outcomes(&kit, "key.open").await.len(), 10, "one for each");
}

#[tokio::test]
async fn a_clock_that_is_set_back_gives_no_try_back() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let first = kit.services.now();
    kit.clock.advance(days(3));
    let until = kit.services.now().plus(days(7));
    fail(&owner, 10).await;
    for moment in [first, first.minus(days(30)), kit.services.now()] {
        kit.clock.set(moment);
        assert_eq!(refused(owner.open(PIN).await), exhausted(until));
        assert_eq!(refused(owner.open(BAD).await), exhausted(until));
    }
}

#[tokio::test]
async fn after_so_many_wrong_pins_in_a_row_only_a_recovery_helps() {
    let twelve = |policy: &mut Policy| policy.guarded_key.guesses.in_a_row = 12;
    let (kit, owner) = with_contact_and(twelve).await;
    let content = owner.open(PIN).await.unwrap();
    fail(&owner, 10).await;
    kit.clock.advance(days(7));
    fail(&owner, 2).await;
    let never = exhausted(Timestamp::NEVER);
    assert_eq!(refused(owner.open(PIN).await), never);
    kit.clock.advance(days(3650));
    assert_eq!(refused(owner.open(PIN).await), never);
    owner.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = owner.started(&kit, ANNA).await;
    owner.recover(ANNA, &code, Some(NEW)).await.unwrap();
    assert_eq!(owner.open(NEW).await.unwrap(), content);
    let state = owner.state(&kit).await;
    assert_eq!((state.failed_guesses, state.failed_in_a_row), (0, 0));
}

#[tokio::test]
async fn each_wrong_pin_is_recorded_with_its_number_and_its_network() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    fail(&owner, 2).await;
    owner.change(BAD, NEW).await.unwrap_err();
    let mut numbers = Vec::new();
    for action in ["key.open", "key.change_pin"] {
        for event in events(&kit, action).await {
            assert_eq!(event.outcome, "wrong");
            assert!(event.facts.values().any(|fact| *fact == caller().network));
            numbers.push(event.facts["failed"].clone());
        }
    }
    numbers.sort();
    assert_eq!(numbers, ["1", "2", "3"]);
}

#[tokio::test]
async fn an_event_names_a_key_by_its_alias_and_holds_no_pin() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, "7391526480").await;
    owner.open("7391526480").await.unwrap();
    owner.open("8264013579").await.unwrap_err();
    let alias = owner.state(&kit).await.alias;
    for event in events(&kit, "key.open").await {
        assert_eq!(event.subject, alias);
        let text = serde_json::to_string(&event).unwrap();
        let id = owner.key.0.to_string();
        for secret in ["7391526480", "8264013579", id.as_str()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_pin_may_be_replaced_by_itself_and_all_contacts_are_told() {
    let (kit, owner) = with_contact().await;
    owner.add_verified(&kit, PIN, PHONE).await;
    kit.courier.forget();
    owner.change(PIN, PIN).await.unwrap();
    owner.open(PIN).await.unwrap();
    for contact in [ANNA, PHONE] {
        assert_eq!(kit.courier.operations_to(contact), ["pin_changed"]);
    }
}

#[tokio::test]
async fn a_pin_is_compared_byte_for_byte() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, " 1234").await;
    for other in ["1234", "1234 ", "  1234", "１２３４"] {
        assert_eq!(refused(owner.open(other).await), WRONG, "{other:?}");
    }
    owner.open(" 1234").await.unwrap();
}

#[tokio::test]
async fn a_key_is_opened_after_the_costs_of_hashes_were_raised_and_still_has_its_pin() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let content = owner.open(PIN).await.unwrap();
    let dearer = Kit::builder().store(kit.store.clone()).seed(2);
    let dearer = dearer.policy(|policy| policy.hash.cost.memory_kib *= 2);
    let dearer = dearer.build().await;
    for kit in [&dearer, &kit, &dearer] {
        let owner = owner.at(kit);
        assert_eq!(refused(owner.open(BAD).await), WRONG);
        assert_eq!(owner.open(PIN).await.unwrap(), content);
        assert_eq!(owner.state(kit).await.failed_guesses, 0);
    }
}

/// A caller on another network.
fn elsewhere() -> Caller {
    Caller {
        network: "192.0.2.0/24".to_owned(),
        ..caller()
    }
}

#[tokio::test]
async fn the_limit_of_new_keys_is_that_of_one_network_in_one_hour() {
    let two = |policy: &mut Policy| policy.guarded_key.new_keys_per_network.count = 2;
    let kit = Kit::builder().policy(two).build().await;
    let keys = &kit.services.guarded_keys;
    let until = kit.services.now().plus(hours(1));
    for _ in 0..2 {
        keys.create_key(caller(), pin(PIN)).await.unwrap();
    }
    let limited = Refusal::Limited { until };
    assert_eq!(refused(keys.create_key(caller(), pin(PIN)).await), limited);
    keys.create_key(elsewhere(), pin(PIN)).await.unwrap();
    kit.clock.advance(hours(1));
    keys.create_key(caller(), pin(PIN)).await.unwrap();
    assert_eq!(keys.count_keys(&kit.operator()).await.unwrap(), 4);
    assert_eq!(outcomes(&kit, "key.create").await, ["done"; 4]);
}

#[tokio::test]
async fn of_parallel_new_keys_no_more_are_made_than_the_limit_allows() {
    let three = |policy: &mut Policy| policy.guarded_key.new_keys_per_network.count = 3;
    let kit = Kit::builder().policy(three).build().await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let keys = kit.services.guarded_keys.clone();
        calls.spawn(async move { keys.create_key(caller(), pin(PIN)).await.is_ok() });
    }
    let made = calls.join_all().await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 3);
    let keys = &kit.services.guarded_keys;
    assert_eq!(keys.count_keys(&kit.operator()).await.unwrap(), 3);
}

/// An operator with these rights only.
fn operator_with(kit: &Kit, rights: &[OperatorRight]) -> Operator {
    let operators = &kit.services.operators;
    let token = "the token of a limited operator";
    operators.accept_token(SecretText::new(token.to_owned()), "limited", rights);
    operators.authenticate(token).unwrap()
}

#[tokio::test]
async fn an_operator_who_may_only_read_changes_no_key() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let reader = operator_with(&kit, &[OperatorRight::Read]);
    let keys = &kit.services.guarded_keys;
    keys.key_state(&reader, owner.key).await.unwrap();
    assert_eq!(keys.count_keys(&reader).await.unwrap(), 1);
    let deleted = refused(keys.delete_key(&reader, owner.key).await);
    assert!(matches!(deleted, Refusal::Forbidden { .. }), "{deleted:?}");
    let key = ImportedKey {
        id: owner.key,
        content: [7; 32],
        salt: Vec::new(),
        pin_hash: Vec::new(),
        failed: 0,
        first_failure: None,
    };
    let imported = refused(keys.import_key(&reader, "test", key).await);
    assert!(matches!(imported, Refusal::Forbidden { .. }));
    owner.open(PIN).await.unwrap();
    assert!(outcomes(&kit, "key.delete").await.is_empty());
}

#[tokio::test]
async fn an_operator_who_may_not_read_sees_no_key() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    let other = operator_with(&kit, &[OperatorRight::Keys, OperatorRight::Support]);
    let keys = &kit.services.guarded_keys;
    let seen: Result<_, Error> = keys.key_state(&other, owner.key).await;
    assert!(matches!(refused(seen), Refusal::Forbidden { .. }));
    let counted = keys.count_keys(&other).await;
    assert!(matches!(refused(counted), Refusal::Forbidden { .. }));
}

#[tokio::test]
async fn the_failures_of_a_deleted_key_outlive_it_until_their_window_ends() {
    let kit = Kit::new().await;
    let owner = Owner::of(&kit, PIN).await;
    fail(&owner, 10).await;
    let (keys, operator) = (&kit.services.guarded_keys, kit.operator());
    keys.delete_key(&operator, owner.key).await.unwrap();
    let salt = b"salt".to_vec();
    let key = ImportedKey {
        id: owner.key,
        content: [7; 32],
        pin_hash: testkit::scrypt(PIN.as_bytes(), &salt).to_vec(),
        salt,
        failed: 0,
        first_failure: None,
    };
    keys.import_key(&operator, "test", key).await.unwrap();
    let closed = refused(owner.open(PIN).await);
    assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
    kit.clock.advance(days(7));
    assert_eq!(owner.open(PIN).await.unwrap().0.expose(), &[7; 32]);
}
