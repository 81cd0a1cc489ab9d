//! Users of wallets and their devices: who may add one, what a challenge is good for, which addresses are told, and what
//! a signing server may do with a device's keys.

use std::time::Duration;

use domain::Refusal;
use domain::policy::Policy;
use domain::time::{days, hours};
use domain::wallet::step_up::{Shown, StepUpRefusal};
use domain::wallet::{
    DeviceProof, KeyNotice, KeyUse, KeyUseQuery, KeyUseStatus, Newness, SigningAnswer,
};
use serde_json::json;
use testkit::{Kit, TestDevice};

use crate::guarded_key::{events, outcomes};
use crate::wallet::{
    ANNA_MAIL, Person, caller, device_id, key_id, kit_with, refused, shown, use_keys,
};

/// Somebody with a device.
async fn with_device(kit: &Kit) -> (Person<'_>, TestDevice) {
    let anna = Person::registered(kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    kit.courier.forget();
    (anna, device)
}

fn named(proof: DeviceProof, name: Option<&str>) -> DeviceProof {
    DeviceProof {
        name: name.map(str::to_owned),
        ..proof
    }
}

#[tokio::test]
async fn of_parallel_registrations_of_one_user_exactly_one_is_new() {
    let kit = Kit::new().await;
    let anna = Person::unregistered(&kit, "anna").await;
    let wallets = anna.wallets();
    let (one, two) = tokio::join!(
        wallets.register_user(caller(), anna.bearer()),
        wallets.register_user(caller(), anna.bearer())
    );
    let mut newness = [one.unwrap(), two.unwrap()];
    newness.sort_by_key(|newness| *newness == Newness::Known);
    assert_eq!(newness, [Newness::New, Newness::Known]);
    assert_eq!(outcomes(&kit, "user.register").await, ["done"]);
}

#[tokio::test]
async fn two_subjects_of_one_issuer_are_two_users() {
    let kit = Kit::new().await;
    let (anna, _) = with_device(&kit).await;
    let bert = Person::registered(&kit, "bert").await;
    assert_eq!(anna.active().await, [true]);
    assert!(bert.active().await.is_empty());
}

#[tokio::test]
async fn a_device_keeps_its_name_when_it_is_added_again_without_one() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    for (name, expected) in [
        (None, "phone"),
        (Some("tablet"), "tablet"),
        (None, "tablet"),
    ] {
        let off = wallets.deactivate_device(&operator, caller(), device_id(&device));
        off.await.unwrap();
        let proof = named(anna.proof(&device, Shown::default()).await, name);
        assert_eq!(anna.prove(proof).await.unwrap(), Newness::New);
        let devices = wallets.devices(&anna.bearer).await.unwrap();
        assert_eq!(devices[0].name.as_deref(), Some(expected));
        assert_eq!(devices.len(), 1);
    }
}

#[tokio::test]
async fn a_device_that_is_registered_already_keeps_its_name_and_nobody_is_told() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    let proof = named(anna.proof(&device, Shown::default()).await, Some("tablet"));
    assert_eq!(anna.prove(proof).await.unwrap(), Newness::Known);
    let devices = anna.wallets().devices(&anna.bearer).await.unwrap();
    assert_eq!(devices[0].name.as_deref(), Some("phone"));
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn a_signature_of_another_device_is_wrong() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let (one, other) = (TestDevice::new(0), TestDevice::new(1));
    let proof = anna.proof(&one, Shown::default()).await;
    let forged = DeviceProof {
        signature: anna.proof(&other, Shown::default()).await.signature,
        ..proof
    };
    let refusal = refused(anna.prove(forged).await);
    assert_eq!(refusal, Refusal::BadProof { left: None });
    assert!(anna.active().await.is_empty());
}

#[tokio::test]
async fn a_challenge_is_for_one_user_and_one_device() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let device = TestDevice::new(0);
    let hers = anna.proof(&device, Shown::default()).await;
    let stolen = DeviceProof {
        device: hers.device.clone(),
        signature: hers.signature.clone(),
        name: None,
        shown: Shown::default(),
    };
    assert_eq!(refused(bert.prove(stolen).await), Refusal::Expired);
    assert_eq!(anna.prove(hers).await.unwrap(), Newness::New);
}

#[tokio::test]
async fn a_challenge_is_used_up_by_its_success() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    let proof = anna.proof(&device, Shown::default()).await;
    let again = DeviceProof {
        device: proof.device.clone(),
        signature: proof.signature.clone(),
        name: None,
        shown: Shown::default(),
    };
    assert_eq!(anna.prove(proof).await.unwrap(), Newness::Known);
    assert_eq!(refused(anna.prove(again).await), Refusal::Expired);
}

#[tokio::test]
async fn one_user_may_try_to_add_a_device_only_so_often() {
    let two = |policy: &mut Policy| policy.wallet.registrations.count = 2;
    let kit = kit_with(two).await;
    let (anna, device) = with_device(&kit).await;
    let until = kit.services.now().plus(Duration::from_mins(1));
    anna.add(&device, Shown::default()).await.unwrap();
    let late = anna.proof(&TestDevice::new(1), Shown::default()).await;
    assert_eq!(refused(anna.prove(late).await), Refusal::Limited { until });
    let bert = Person::registered(&kit, "bert").await;
    let other = bert.add(&TestDevice::new(2), Shown::default()).await;
    assert_eq!(other.unwrap(), Newness::New);
    kit.clock.set(until);
    let added = anna.add(&TestDevice::new(1), Shown::default()).await;
    assert_eq!(added.unwrap(), Newness::New);
}

#[tokio::test]
async fn of_two_users_who_add_one_device_at_once_exactly_one_has_it() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let device = TestDevice::new(0);
    let hers = anna.proof(&device, Shown::default()).await;
    let his = bert.proof(&device, Shown::default()).await;
    let (one, two) = tokio::join!(anna.prove(hers), bert.prove(his));
    let (won, late) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap(), Newness::New);
    assert_eq!(refused(late), Refusal::Conflict);
    let owned = anna.active().await.len() + bert.active().await.len();
    assert_eq!(owned, 1);
}

#[tokio::test]
async fn of_two_devices_that_are_added_at_once_a_single_one_stays_active() {
    let single = |policy: &mut Policy| policy.wallet.single_device = true;
    let kit = kit_with(single).await;
    let anna = Person::registered(&kit, "anna").await;
    let first = anna.proof(&TestDevice::new(0), Shown::default()).await;
    let second = anna.proof(&TestDevice::new(1), Shown::default()).await;
    let (one, two) = tokio::join!(anna.prove(first), anna.prove(second));
    assert_eq!((one.unwrap(), two.unwrap()), (Newness::New, Newness::New));
    let active = anna.active().await;
    assert_eq!(active.iter().filter(|active| **active).count(), 1);
    assert_eq!(active.len(), 2);
}

#[tokio::test]
async fn an_enrolled_owner_needs_no_step_up_for_a_device_that_is_active() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    anna.enrol("first").await.unwrap();
    let again = anna.add(&device, Shown::default()).await;
    assert_eq!(again.unwrap(), Newness::Known);
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let off = wallets.deactivate_device(&operator, caller(), device_id(&device));
    off.await.unwrap();
    let refusal = refused(anna.add(&device, Shown::default()).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::Missing));
    let back = anna.add(&device, shown("second", "me")).await;
    assert_eq!(back.unwrap(), Newness::New);
}

#[tokio::test]
async fn a_step_up_is_asked_for_only_after_the_signature_was_right() {
    let kit = Kit::new().await;
    let (anna, _) = with_device(&kit).await;
    anna.enrol("first").await.unwrap();
    let asked = kit.verifier.asked().len();
    let proof = anna.proof(&TestDevice::new(1), shown("second", "me")).await;
    let wrong = DeviceProof {
        signature: TestDevice::new(1).sign("something else"),
        ..proof
    };
    let refusal = refused(anna.prove(wrong).await);
    assert_eq!(refusal, Refusal::BadProof { left: None });
    assert_eq!(kit.verifier.asked().len(), asked);
    let added = anna.add(&TestDevice::new(1), shown("second", "me")).await;
    assert_eq!(added.unwrap(), Newness::New, "the scan was not used up");
}

#[tokio::test]
async fn an_owner_is_told_at_every_address_that_the_issuer_has_verified_lately() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    kit.clock.advance(days(60));
    let email = json!({"email": "new@example.com", "email_verified": true});
    let newer = Person::with_claims(&kit, "anna", &email).await;
    let known = newer.wallets().register_user(caller(), newer.bearer());
    assert_eq!(known.await.unwrap(), Newness::Known);
    newer
        .add(&TestDevice::new(0), Shown::default())
        .await
        .unwrap();
    for address in [ANNA_MAIL, "new@example.com"] {
        assert_eq!(kit.courier.operations_to(address), ["device_added"]);
    }
    kit.clock.advance(days(30));
    let newer = Person::with_claims(&kit, "anna", &json!({})).await;
    newer
        .add(&TestDevice::new(1), Shown::default())
        .await
        .unwrap();
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["device_added"]);
    assert_eq!(kit.courier.operations_to("new@example.com").len(), 2);
    drop(anna);
}

#[tokio::test]
async fn an_address_that_the_issuer_has_not_verified_is_never_written_to() {
    for claims in [
        json!({"email": ANNA_MAIL, "email_verified": false}),
        json!({"email": ANNA_MAIL}),
        json!({}),
    ] {
        let kit = Kit::new().await;
        let anna = Person::with_claims(&kit, "anna", &claims).await;
        let registered = anna.wallets().register_user(caller(), anna.bearer());
        registered.await.unwrap();
        anna.add(&TestDevice::new(0), Shown::default())
            .await
            .unwrap();
        assert!(kit.courier.letters().is_empty(), "{claims}");
    }
}

#[tokio::test]
async fn every_end_of_a_registration_is_recorded_with_the_alias_of_its_device() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    anna.enrol("first").await.unwrap();
    anna.add(&TestDevice::new(1), shown("no", "me"))
        .await
        .unwrap_err();
    anna.add(&TestDevice::new(1), shown("away", "me"))
        .await
        .unwrap_err();
    anna.add(&TestDevice::new(1), Shown::default())
        .await
        .unwrap_err();
    let expected = ["done", "refused", "refused", "verifier unreachable"];
    assert_eq!(outcomes(&kit, "device.add").await, expected);
    for event in events(&kit, "device.add").await {
        let text = serde_json::to_string(&event).unwrap();
        for name in [device.id().as_str(), "anna", "phone"] {
            assert!(!text.contains(name), "{text}");
        }
        assert!(event.facts.contains_key("device"));
    }
}

fn notice(device: &TestDevice, key: &str) -> KeyNotice {
    KeyNotice {
        device: device_id(device),
        key: key_id(key),
        instance: "ab".repeat(32),
    }
}

#[tokio::test]
async fn a_device_that_is_unknown_or_switched_off_makes_no_key() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let make =
        |device: &TestDevice| wallets.allow_making(caller(), device_id(device), "ab".repeat(32));
    let unknown = TestDevice::new(1);
    assert_eq!(make(&unknown).await.unwrap(), SigningAnswer::Reject);
    assert_eq!(make(&device).await.unwrap(), SigningAnswer::Allow);
    let off = wallets.deactivate_device(&operator, caller(), device_id(&device));
    off.await.unwrap();
    assert_eq!(make(&device).await.unwrap(), SigningAnswer::Reject);
    let noted = wallets.note_key(caller(), notice(&device, "ab")).await;
    assert_eq!(noted.unwrap(), SigningAnswer::Reject);
    assert_eq!(outcomes(&kit, "key.make").await, ["done"]);
    assert!(outcomes(&kit, "key.note").await.is_empty());
}

#[tokio::test]
async fn a_permission_that_is_given_again_lasts_an_hour_from_then() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    let wallets = anna.wallets();
    for _ in 0..2 {
        let allowed = wallets.allow_making(caller(), device_id(&device), "ab".repeat(32));
        assert_eq!(allowed.await.unwrap(), SigningAnswer::Allow);
        kit.clock.advance(Duration::from_mins(40));
    }
    let noted = wallets.note_key(caller(), notice(&device, "ab")).await;
    assert_eq!(noted.unwrap(), SigningAnswer::Allow);
    kit.clock.advance(Duration::from_mins(20));
    let late = wallets.note_key(caller(), notice(&device, "cd")).await;
    assert_eq!(late.unwrap(), SigningAnswer::Reject);
}

#[tokio::test]
async fn of_two_users_who_note_one_key_at_once_exactly_one_owns_it() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let devices = [TestDevice::new(0), TestDevice::new(1)];
    anna.add(&devices[0], Shown::default()).await.unwrap();
    bert.add(&devices[1], Shown::default()).await.unwrap();
    let wallets = &kit.services.wallets;
    for device in &devices {
        let allowed = wallets.allow_making(caller(), device_id(device), "ab".repeat(32));
        allowed.await.unwrap();
    }
    let (one, two) = tokio::join!(
        wallets.note_key(caller(), notice(&devices[0], "ab")),
        wallets.note_key(caller(), notice(&devices[1], "ab"))
    );
    let answers = [one.unwrap(), two.unwrap()];
    assert!(answers.contains(&SigningAnswer::Allow));
    assert!(answers.contains(&SigningAnswer::Reject), "{answers:?}");
    let expected = ["another user's key", "done"];
    assert_eq!(outcomes(&kit, "key.note").await, expected);
}

#[tokio::test]
async fn a_key_is_used_by_every_active_device_of_its_user() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    anna.make_key(&device, "ab").await;
    let next = TestDevice::new(1);
    anna.add(&next, Shown::default()).await.unwrap();
    assert_eq!(use_keys(&kit, &next, &["AB"]).await, SigningAnswer::Allow);
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let off = wallets.deactivate_device(&operator, caller(), device_id(&device));
    off.await.unwrap();
    assert_eq!(use_keys(&kit, &next, &["ab"]).await, SigningAnswer::Allow);
    assert_eq!(
        use_keys(&kit, &device, &["ab"]).await,
        SigningAnswer::Reject
    );
    let expected = ["done", "done", "refused"];
    assert_eq!(outcomes(&kit, "key.use").await, expected);
}

#[tokio::test]
async fn a_decision_is_shown_with_what_came_with_it_until_it_is_forgotten() {
    let kit = kit_with(|policy| policy.wallet.decisions = hours(1)).await;
    let (anna, device) = with_device(&kit).await;
    let wanted = KeyUse {
        device: device_id(&device),
        keys: vec![key_id("CD"), key_id("ab")],
        instance: "ef".repeat(32),
        setup: Some(json!({"amount": 5})),
    };
    let at = kit.services.now();
    let wallets = anna.wallets();
    wallets.allow_use(caller(), wanted).await.unwrap();
    let query = || KeyUseQuery {
        limit: 10,
        after: None,
        key: None,
    };
    let page = wallets.decisions(&anna.bearer, query()).await.unwrap();
    let decision = &page.decisions[0];
    assert_eq!((decision.key.as_str(), decision.at), ("cd", at));
    assert_eq!(decision.status, KeyUseStatus::Rejected);
    assert_eq!(decision.device, device.id());
    assert_eq!(decision.instance, "ef".repeat(32));
    assert_eq!(decision.setup, Some(json!({"amount": 5})));
    kit.clock
        .set(at.plus(hours(1)).minus(Duration::from_millis(1)));
    let page = wallets.decisions(&anna.bearer, query()).await.unwrap();
    assert_eq!(page.decisions.len(), 1);
    kit.clock.set(at.plus(hours(1)));
    let page = wallets.decisions(&anna.bearer, query()).await.unwrap();
    assert!(page.decisions.is_empty());
}

#[tokio::test]
async fn decisions_about_one_key_are_found_among_many_others() {
    let kit = Kit::new().await;
    let (anna, device) = with_device(&kit).await;
    use_keys(&kit, &device, &["ab"]).await;
    for _ in 0..260 {
        use_keys(&kit, &device, &["cd"]).await;
    }
    use_keys(&kit, &device, &["ab", "cd"]).await;
    let wallets = anna.wallets();
    let mut after = None;
    let mut found = 0;
    loop {
        let query = KeyUseQuery {
            limit: 1,
            after,
            key: Some(key_id("ab")),
        };
        let page = wallets.decisions(&anna.bearer, query).await.unwrap();
        assert!(page.decisions.iter().all(|decision| decision.key == "ab"));
        found += page.decisions.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, 2);
}

#[tokio::test]
async fn nobody_reads_the_decisions_of_another_user() {
    let kit = Kit::new().await;
    let (_anna, device) = with_device(&kit).await;
    use_keys(&kit, &device, &["ab"]).await;
    let bert = Person::registered(&kit, "bert").await;
    let query = KeyUseQuery {
        limit: 10,
        after: None,
        key: None,
    };
    let page = bert.wallets().decisions(&bert.bearer, query).await.unwrap();
    assert!(page.decisions.is_empty());
}
