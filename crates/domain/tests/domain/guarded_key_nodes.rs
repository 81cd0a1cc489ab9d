//! PIN-guarded keys on two nodes with one database: nothing is remembered in the memory of one, and no limit doubles.

use std::time::Duration;

use domain::Refusal;
use domain::time::days;
use testkit::{Backing, Kit};
use tokio::task::JoinSet;

use crate::guarded_key::{ANNA, PHONE, PIN, WRONG, outcomes, refused};
use crate::owner::{Outcome, Owner, outcome};

/// Two nodes, and a key that both know.
async fn two_nodes() -> (Kit, Kit, Owner, Owner) {
    let backing = Backing::memory();
    let patient = |seed| {
        let builder = Kit::builder().seed(seed);
        builder.policy(|policy| policy.limits.wait = Duration::from_secs(60))
    };
    let one = patient(1).store(backing.store()).build().await;
    let two = patient(2).store(backing.another_node());
    let two = two.clock(one.clock.clone()).courier(one.courier.clone());
    let two = two.build().await;
    let here = Owner::of(&one, PIN).await;
    let there = here.at(&two);
    (one, two, here, there)
}

#[tokio::test]
async fn two_nodes_together_judge_no_more_than_ten_wrong_pins() {
    let (kit, _two, here, there) = two_nodes().await;
    let mut tries = JoinSet::new();
    for number in 0..18 {
        let owner = if number % 2 == 0 { &here } else { &there };
        let owner = owner.clone();
        tries.spawn(async move { outcome(owner.open("0000").await) });
    }
    let answers = tries.join_all().await;
    let wrong = Outcome::Refused(WRONG);
    let judged = answers.iter().filter(|answer| **answer == wrong).count();
    assert_eq!(judged, 10, "{answers:?}");
    assert_eq!(outcomes(&kit, "key.open").await, ["wrong"; 10]);
    for owner in [&here, &there] {
        let closed = refused(owner.open(PIN).await);
        assert!(matches!(closed, Refusal::Exhausted { .. }), "{closed:?}");
    }
}

#[tokio::test]
async fn a_pin_that_is_changed_on_another_node_is_judged_as_the_old_or_the_new_one() {
    let (_one, _two, here, there) = two_nodes().await;
    let content = here.open(PIN).await.unwrap();
    let mut current = PIN.to_owned();
    for round in 0..6 {
        let new = format!("new {round}");
        let (changed, opened, fresh) = tokio::join!(
            here.change(&current, &new),
            there.open(&current),
            there.open(&new)
        );
        changed.unwrap();
        for answer in [opened, fresh] {
            match answer {
                Ok(opened) => assert_eq!(opened, content),
                late => assert_eq!(refused(late), WRONG),
            }
        }
        assert_eq!(there.open(&new).await.unwrap(), content);
        assert_eq!(refused(there.open(&current).await), WRONG);
        current = new;
    }
}

#[tokio::test]
async fn of_changes_of_one_pin_on_two_nodes_exactly_one_is_made() {
    let (kit, _two, here, there) = two_nodes().await;
    let (one, two) = tokio::join!(here.change(PIN, "1111"), there.change(PIN, "2222"));
    let (won, late) = if one.is_ok() {
        ("1111", two)
    } else {
        ("2222", one)
    };
    assert_eq!(refused(late), WRONG);
    here.open(won).await.unwrap();
    there.open(won).await.unwrap();
    assert_eq!(outcomes(&kit, "key.change_pin").await, ["done", "wrong"]);
}

#[tokio::test]
async fn a_code_that_one_node_sent_is_used_up_once_over_both() {
    let (kit, _two, here, there) = two_nodes().await;
    here.add(PIN, ANNA).await.unwrap();
    let code = kit.courier.code_to(ANNA).unwrap();
    let (one, two) = tokio::join!(here.confirm(ANNA, &code), there.confirm(ANNA, &code));
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), Refusal::WrongState);
    assert_eq!(outcomes(&kit, "contact.confirm").await, ["done"]);
}

#[tokio::test]
async fn additions_on_two_nodes_keep_both_contacts() {
    let (kit, _two, here, there) = two_nodes().await;
    let (one, two) = tokio::join!(here.add(PIN, ANNA), there.add(PIN, PHONE));
    one.unwrap();
    two.unwrap();
    for contact in [ANNA, PHONE] {
        let code = kit.courier.code_to(contact).unwrap();
        there.confirm(contact, &code).await.unwrap();
    }
    assert_eq!(here.state(&kit).await.contacts.len(), 2);
}

#[tokio::test]
async fn a_lock_that_one_node_armed_runs_on_the_other() {
    let (kit, two, here, there) = two_nodes().await;
    here.add_verified(&kit, PIN, ANNA).await;
    here.armed(&kit, ANNA).await;
    let until = kit.services.now().plus(days(30));
    let code = there.started(&two, ANNA).await;
    let locked = refused(there.recover(ANNA, &code, Some("5678")).await);
    assert_eq!(locked, Refusal::TimeLocked { until });
    kit.clock.set(until);
    let code = here.started(&kit, ANNA).await;
    there.recover(ANNA, &code, Some("5678")).await.unwrap();
    here.open("5678").await.unwrap();
}

#[tokio::test]
async fn of_recoveries_on_two_nodes_with_one_code_exactly_one_sets_its_pin() {
    let (kit, _two, here, there) = two_nodes().await;
    here.add_verified(&kit, PIN, ANNA).await;
    here.armed(&kit, ANNA).await;
    kit.clock.advance(days(30));
    let code = here.started(&kit, ANNA).await;
    let (one, two) = tokio::join!(
        here.recover(ANNA, &code, Some("1111")),
        there.recover(ANNA, &code, Some("2222"))
    );
    let (won, late) = if one.is_ok() {
        ("1111", two)
    } else {
        ("2222", one)
    };
    assert_eq!(refused(late), Refusal::WrongState);
    there.open(won).await.unwrap();
}

#[tokio::test]
async fn reminders_are_sent_once_over_two_nodes() {
    let (kit, two, here, _there) = two_nodes().await;
    here.add_verified(&kit, PIN, ANNA).await;
    here.armed(&kit, ANNA).await;
    kit.courier.forget();
    for _ in 0..30 {
        kit.clock.advance(days(1));
        tokio::join!(kit.run_jobs(), two.run_jobs());
    }
    let told = kit.courier.operations_to(ANNA);
    assert_eq!(told, ["recovery_reminder", "recovery_reminder"]);
}
