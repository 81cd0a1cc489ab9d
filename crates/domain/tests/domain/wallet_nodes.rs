//! Wallets on two nodes with one database and one verifier: of two calls that exclude each other one has its effect.

use std::time::Duration;

use domain::Refusal;
use domain::wallet::step_up::{Shown, StepUpRefusal};
use domain::wallet::{Newness, SigningAnswer};
use testkit::{Backing, Kit, TestDevice};

use crate::guarded_key::outcomes;
use crate::wallet::{Person, refused, shown, use_keys, with_key};

async fn two_nodes() -> (Kit, Kit) {
    let backing = Backing::memory();
    let patient = |seed| {
        let builder = Kit::builder().seed(seed);
        builder.policy(|policy| policy.limits.wait = Duration::from_secs(60))
    };
    let one = patient(1).store(backing.store()).build().await;
    let two = patient(2).store(backing.another_node());
    let two = two.clock(one.clock.clone()).courier(one.courier.clone());
    let two = two.issuer(one.issuer.clone());
    let two = two.verifier(one.verifier.clone()).build().await;
    (one, two)
}

#[tokio::test]
async fn of_enrolments_on_two_nodes_exactly_one_is_made() {
    let (one, two) = two_nodes().await;
    let here = Person::registered(&one, "anna").await;
    let there = Person::unregistered(&two, "anna").await;
    let (first, second) = tokio::join!(here.enrol("one"), there.enrol("two"));
    let late = if first.is_ok() { second } else { first };
    let late = refused(late);
    let expected = [StepUpRefusal::Enrolling, StepUpRefusal::Enrolled];
    assert!(expected.map(Refusal::StepUp).contains(&late), "{late:?}");
    assert_eq!(one.verifier.people(), 1);
    let state = there.wallets().enrolment(&there.bearer).await.unwrap();
    assert_eq!(state.since, Some(one.services.now()));
}

#[tokio::test]
async fn of_recoveries_on_two_nodes_with_one_scan_exactly_one_is_allowed() {
    let (one, two) = two_nodes().await;
    let here = with_key(&one).await;
    let there = Person::unregistered(&two, "anna").await;
    here.keep(&[("ab", "share")]).await.unwrap();
    let (first, second) = tokio::join!(
        here.recover(&["ab"], shown("scan", "me")),
        there.recover(&["ab"], shown("scan", "me"))
    );
    let late = if first.is_ok() { second } else { first };
    let failed = StepUpRefusal::Failed { for_client: None };
    assert_eq!(refused(late), Refusal::StepUp(failed));
    assert_eq!(outcomes(&one, "share.recover").await, ["done", "refused"]);
}

#[tokio::test]
async fn refusals_on_one_node_close_the_way_on_the_other() {
    let (one, two) = two_nodes().await;
    let here = with_key(&one).await;
    let there = Person::unregistered(&two, "anna").await;
    for number in 0..5 {
        let person = if number % 2 == 0 { &here } else { &there };
        let scan = format!("no {number}");
        person
            .recover(&["ab"], shown(&scan, "me"))
            .await
            .unwrap_err();
    }
    let until = one.services.now().plus(Duration::from_mins(15));
    for person in [&here, &there] {
        let refusal = refused(person.recover(&["ab"], shown("yes", "me")).await);
        assert_eq!(refusal, Refusal::Limited { until });
    }
}

#[tokio::test]
async fn of_registrations_of_one_device_on_two_nodes_exactly_one_is_new() {
    let (one, two) = two_nodes().await;
    let here = Person::registered(&one, "anna").await;
    let there = Person::registered(&two, "bert").await;
    let device = TestDevice::new(0);
    let anna = here.proof(&device, Shown::default()).await;
    let bert = there.proof(&device, Shown::default()).await;
    let (first, second) = tokio::join!(here.prove(anna), there.prove(bert));
    let (won, late) = if first.is_ok() {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!(won.unwrap(), Newness::New);
    assert_eq!(refused(late), Refusal::Conflict);
}

#[tokio::test]
async fn a_challenge_of_one_node_is_answered_once_over_both() {
    let (one, two) = two_nodes().await;
    let here = Person::registered(&one, "anna").await;
    let there = Person::unregistered(&two, "anna").await;
    let device = TestDevice::new(0);
    let proof = here.proof(&device, Shown::default()).await;
    let copy = domain::wallet::DeviceProof {
        device: proof.device.clone(),
        signature: proof.signature.clone(),
        name: None,
        shown: Shown::default(),
    };
    let (first, second) = tokio::join!(here.prove(proof), there.prove(copy));
    let late = if first.is_ok() { second } else { first };
    assert_eq!(refused(late), Refusal::Expired);
    assert_eq!(outcomes(&one, "device.add").await, ["done"]);
}

#[tokio::test]
async fn shares_and_keys_of_one_node_are_those_of_the_other() {
    let (one, two) = two_nodes().await;
    let here = with_key(&one).await;
    let there = Person::unregistered(&two, "anna").await;
    let (first, second) = ([("ab", "one")], [("ab", "two")]);
    let (kept, also) = tokio::join!(here.keep(&first), there.keep(&second));
    kept.unwrap();
    also.unwrap();
    let share = here.recover(&["ab"], shown("first scan", "me")).await;
    let same = there.recover(&["ab"], shown("second scan", "me")).await;
    assert_eq!(share.unwrap(), same.unwrap());
    let device = TestDevice::new(0);
    assert_eq!(use_keys(&two, &device, &["ab"]).await, SigningAnswer::Allow);
}
