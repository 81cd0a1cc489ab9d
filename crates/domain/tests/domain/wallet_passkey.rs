//! Passkeys of wallet owners: what one allows, what it is bound to, and what is refused.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::error::PasskeyRefusal;
use domain::policy::Policy;
use domain::wallet::Newness;
use domain::wallet::step_up::passkey::{Assertion, NewPasskey, Step};
use domain::wallet::step_up::{Shown, StepUpRefusal};
use domain::{Error, Refusal};
use serde_json::Value;
use testkit::{Kit, TestDevice, TestPasskey};

use crate::guarded_key::outcomes;
use crate::wallet::{ANNA_MAIL, Person, caller, device_id, key_id, kit_with, refused, shown};

fn offered(policy: &mut Policy) {
    policy.wallet.passkeys = Some(TestPasskey::policy());
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let text = value["response"][name].as_str().unwrap();
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// What a client makes of a challenge for a new passkey.
fn made(passkey: &mut TestPasskey, challenge: &[u8]) -> NewPasskey {
    let made = passkey.create(&URL_SAFE_NO_PAD.encode(challenge));
    NewPasskey {
        client_data: bytes(&made, "clientDataJSON"),
        attestation: bytes(&made, "attestationObject"),
        transports: vec!["internal".to_owned()],
    }
}

/// What a client makes of a challenge for an existing passkey.
fn signed(passkey: &mut TestPasskey, challenge: &[u8]) -> Assertion {
    let signed = passkey.get(&URL_SAFE_NO_PAD.encode(challenge));
    let id = signed["id"].as_str().unwrap();
    Assertion {
        credential: URL_SAFE_NO_PAD.decode(id).unwrap(),
        client_data: bytes(&signed, "clientDataJSON"),
        authenticator_data: bytes(&signed, "authenticatorData"),
        signature: bytes(&signed, "signature"),
        handle: None,
    }
}

fn by_passkey(assertion: Assertion) -> Shown {
    Shown {
        evidence: None,
        passkey: Some(assertion),
    }
}

fn failed() -> Refusal {
    PasskeyRefusal::Failed.into()
}

impl Person<'_> {
    async fn offer(&self) -> Result<[u8; 32], Error> {
        let offered = self.wallets().offer_passkey(self.bearer()).await;
        offered.map(|offer| offer.challenge)
    }

    async fn enrol_by(&self, passkey: &mut TestPasskey) -> Result<(), Error> {
        let challenge = self.offer().await?;
        self.enrol_new(made(passkey, &challenge)).await
    }

    async fn enrol_new(&self, new: NewPasskey) -> Result<(), Error> {
        let wallets = self.wallets();
        wallets.enrol_passkey(caller(), self.bearer(), new).await
    }

    /// The challenge for a step.
    async fn call(&self, step: Step<'_>) -> Result<[u8; 32], Error> {
        let called = self.wallets().call_for_passkey(self.bearer(), step).await;
        called.map(|call| call.challenge)
    }

    /// Recovers the share of the key `ab` with the passkey.
    async fn recover_by(&self, passkey: &mut TestPasskey) -> Result<Vec<Option<String>>, Error> {
        let challenge = self.call(Step::Recovery(&[key_id("ab")])).await?;
        let assertion = signed(passkey, &challenge);
        self.recover(&["ab"], by_passkey(assertion)).await
    }
}

/// Somebody enrolled with a passkey, who has a device and a share of the key `ab`.
async fn enrolled(kit: &Kit) -> (Person<'_>, TestPasskey) {
    let anna = Person::registered(kit, "anna").await;
    let (device, mut passkey) = (TestDevice::new(0), TestPasskey::new(1));
    anna.add(&device, Shown::default()).await.unwrap();
    anna.make_key(&device, "ab").await;
    anna.enrol_by(&mut passkey).await.unwrap();
    anna.keep(&[("ab", "share")]).await.unwrap();
    kit.courier.forget();
    (anna, passkey)
}

#[tokio::test]
async fn a_passkey_is_enrolled_and_its_owner_is_told() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let state = anna.wallets().passkey_state(&anna.bearer).await.unwrap();
    assert_eq!(state.since, None);
    anna.enrol_by(&mut TestPasskey::new(1)).await.unwrap();
    let state = anna.wallets().passkey_state(&anna.bearer).await.unwrap();
    assert_eq!(state.since, Some(kit.services.now()));
    let face = anna.wallets().enrolment(&anna.bearer).await.unwrap();
    assert_eq!(face.since, None, "a passkey is no face");
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["passkey_enrolled"]);
    assert_eq!(outcomes(&kit, "passkey.enrol").await, ["done"]);
    assert!(kit.verifier.asked().is_empty());
}

#[tokio::test]
async fn where_no_passkeys_are_offered_none_is_enrolled() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    assert!(anna.wallets().passkeys().is_none());
    let refusal = refused(anna.enrol_by(&mut TestPasskey::new(1)).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NoVerifier));
    assert!(outcomes(&kit, "passkey.enrol").await.is_empty());
}

#[tokio::test]
async fn whoever_is_not_registered_gets_no_challenge() {
    let kit = kit_with(offered).await;
    let nobody = Person::unregistered(&kit, "nobody").await;
    let unknown = Refusal::UnknownSubject;
    assert_eq!(refused(nobody.offer().await), unknown);
    assert_eq!(refused(nobody.call(Step::Enrolment).await), unknown);
    let state = nobody.wallets().passkey_state(&nobody.bearer).await;
    assert_eq!(refused(state), unknown);
    let new = made(&mut TestPasskey::new(1), &[7; 32]);
    assert_eq!(refused(nobody.enrol_new(new).await), unknown);
}

#[tokio::test]
async fn a_second_passkey_is_refused_also_with_a_challenge_from_before_the_first() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let early = anna.offer().await.unwrap();
    anna.enrol_by(&mut TestPasskey::new(1)).await.unwrap();
    let enrolled = Refusal::from(PasskeyRefusal::Enrolled);
    assert_eq!(refused(anna.offer().await), enrolled);
    let new = made(&mut TestPasskey::new(2), &early);
    assert_eq!(refused(anna.enrol_new(new).await), enrolled);
    assert_eq!(outcomes(&kit, "passkey.enrol").await, ["done", "refused"]);
}

#[tokio::test]
async fn nobody_has_a_face_and_a_passkey() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    anna.enrol("face").await.unwrap();
    let enrolled = Refusal::from(PasskeyRefusal::Enrolled);
    assert_eq!(refused(anna.offer().await), enrolled);
    let bert = Person::registered(&kit, "bert").await;
    bert.enrol_by(&mut TestPasskey::new(1)).await.unwrap();
    let refusal = refused(bert.enrol("another").await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::Enrolled));
}

#[tokio::test]
async fn of_a_face_and_a_passkey_that_are_enrolled_at_once_exactly_one_is() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let challenge = anna.offer().await.unwrap();
    let new = made(&mut TestPasskey::new(1), &challenge);
    let (face, passkey) = tokio::join!(anna.enrol("face"), anna.enrol_new(new));
    assert_ne!(face.is_ok(), passkey.is_ok(), "{face:?} {passkey:?}");
    let of_face = anna.wallets().enrolment(&anna.bearer).await.unwrap();
    assert_eq!(of_face.since.is_some(), face.is_ok());
    let of_passkey = anna.wallets().passkey_state(&anna.bearer).await.unwrap();
    assert_eq!(of_passkey.since.is_some(), passkey.is_ok());
    assert_eq!(kit.verifier.people(), usize::from(face.is_ok()));
}

#[tokio::test]
async fn of_two_passkeys_that_are_enrolled_at_once_exactly_one_is() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let mut news = Vec::new();
    for number in [1, 2] {
        let challenge = anna.offer().await.unwrap();
        news.push(made(&mut TestPasskey::new(number), &challenge));
    }
    let (second, first) = (news.pop().unwrap(), news.pop().unwrap());
    let (one, two) = tokio::join!(anna.enrol_new(first), anna.enrol_new(second));
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), PasskeyRefusal::Enrolled.into());
}

#[tokio::test]
async fn a_challenge_for_a_new_passkey_works_until_it_expires() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let challenge = anna.offer().await.unwrap();
    let end = kit.services.now().plus(Duration::from_secs(300));
    kit.clock.set(end);
    let new = made(&mut TestPasskey::new(1), &challenge);
    assert_eq!(refused(anna.enrol_new(new).await), Refusal::Expired);
    let challenge = anna.offer().await.unwrap();
    let end = kit.services.now().plus(Duration::from_secs(300));
    kit.clock.set(end.minus(Duration::from_millis(1)));
    let new = made(&mut TestPasskey::new(1), &challenge);
    anna.enrol_new(new).await.unwrap();
}

#[tokio::test]
async fn a_wrong_new_passkey_uses_its_challenge_up() {
    type Spoil = fn(&mut TestPasskey);
    let wrongs: [Spoil; 3] = [
        |passkey| passkey.origin = "https://evil.example".to_owned(),
        |passkey| passkey.flags = 0x01,
        |passkey| passkey.flags = 0x04,
    ];
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    for spoil in wrongs {
        let challenge = anna.offer().await.unwrap();
        let mut wrong = TestPasskey::new(1);
        spoil(&mut wrong);
        let refusal = refused(anna.enrol_new(made(&mut wrong, &challenge)).await);
        assert_eq!(refusal, failed());
        let right = made(&mut TestPasskey::new(1), &challenge);
        assert_eq!(refused(anna.enrol_new(right).await), Refusal::Expired);
    }
    assert_eq!(outcomes(&kit, "passkey.enrol").await, ["refused"; 6]);
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn what_is_no_passkey_at_all_answers_no_challenge() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let challenge = anna.offer().await.unwrap();
    for client_data in [Vec::new(), b"{}".to_vec(), b"garbage".to_vec()] {
        let garbage = NewPasskey {
            client_data,
            attestation: b"garbage".to_vec(),
            transports: Vec::new(),
        };
        assert_eq!(refused(anna.enrol_new(garbage).await), Refusal::Expired);
    }
    let right = made(&mut TestPasskey::new(1), &challenge);
    anna.enrol_new(right).await.unwrap();
}

#[tokio::test]
async fn a_challenge_of_another_user_is_worth_nothing() {
    let kit = kit_with(offered).await;
    let (anna, mut hers) = enrolled(&kit).await;
    let bert = Person::registered(&kit, "bert").await;
    let challenge = bert.offer().await.unwrap();
    let new = made(&mut TestPasskey::new(2), &challenge);
    bert.enrol_new(new).await.unwrap();
    let step = [key_id("ab")];
    let his = bert.call(Step::Recovery(&step)).await.unwrap();
    let shown = by_passkey(signed(&mut hers, &his));
    assert_eq!(
        refused(anna.recover(&["ab"], shown).await),
        Refusal::Expired
    );
}

#[tokio::test]
async fn a_share_comes_back_after_the_passkey_was_shown_and_its_owner_is_told() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let shares = anna.recover_by(&mut passkey).await.unwrap();
    assert_eq!(shares, [Some("share".to_owned())]);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["shares_recovered"]);
    assert_eq!(outcomes(&kit, "share.recover").await, ["done"]);
}

#[tokio::test]
async fn an_assertion_works_once() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let challenge = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
    let first = signed(&mut passkey, &challenge);
    let again = signed(&mut passkey, &challenge);
    anna.recover(&["ab"], by_passkey(first)).await.unwrap();
    let refusal = refused(anna.recover(&["ab"], by_passkey(again)).await);
    assert_eq!(refusal, Refusal::Expired);
}

#[tokio::test]
async fn of_parallel_recoveries_with_one_challenge_exactly_one_is_allowed() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let challenge = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
    let one = by_passkey(signed(&mut passkey, &challenge));
    let two = by_passkey(signed(&mut passkey, &challenge));
    let (one, two) = tokio::join!(anna.recover(&["ab"], one), anna.recover(&["ab"], two));
    let (won, late) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap(), [Some("share".to_owned())]);
    assert_eq!(refused(late), Refusal::Expired);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["shares_recovered"]);
}

#[tokio::test]
async fn a_challenge_is_for_the_step_that_was_named_and_for_no_other() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let (first, second) = (TestDevice::new(1), TestDevice::new(2));
    let ids = [device_id(&first), device_id(&second)];
    let challenge = anna.call(Step::NewDevice(&ids[0])).await.unwrap();
    let shown = by_passkey(signed(&mut passkey, &challenge));
    assert_eq!(refused(anna.recover(&["ab"], shown).await), failed());
    let challenge = anna.call(Step::NewDevice(&ids[0])).await.unwrap();
    let shown = by_passkey(signed(&mut passkey, &challenge));
    assert_eq!(refused(anna.add(&second, shown).await), failed());
    let challenge = anna.call(Step::Recovery(&[key_id("cd")])).await.unwrap();
    let shown = by_passkey(signed(&mut passkey, &challenge));
    assert_eq!(refused(anna.recover(&["ab", "cd"], shown).await), failed());
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn the_order_of_the_keys_of_a_recovery_does_not_matter() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let step = [key_id("ab"), key_id("cd")];
    let challenge = anna.call(Step::Recovery(&step)).await.unwrap();
    let shown = by_passkey(signed(&mut passkey, &challenge));
    let shares = anna.recover(&["cd", "ab", "cd"], shown).await.unwrap();
    assert_eq!(shares, [None, Some("share".to_owned())]);
}

#[tokio::test]
async fn a_new_device_is_added_after_the_passkey_was_shown() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let device = TestDevice::new(1);
    let missing = refused(anna.add(&device, Shown::default()).await);
    assert_eq!(missing, PasskeyRefusal::Missing.into());
    let id = device_id(&device);
    let challenge = anna.call(Step::NewDevice(&id)).await.unwrap();
    let shown = by_passkey(signed(&mut passkey, &challenge));
    assert_eq!(anna.add(&device, shown).await.unwrap(), Newness::New);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["device_added"]);
}

#[tokio::test]
async fn a_face_does_not_stand_in_for_a_passkey() {
    let kit = kit_with(offered).await;
    let (anna, _) = enrolled(&kit).await;
    let refusal = refused(anna.recover(&["ab"], shown("scan", "me")).await);
    assert_eq!(refusal, PasskeyRefusal::Missing.into());
    assert!(kit.verifier.asked().is_empty());
}

#[tokio::test]
async fn a_wrong_assertion_is_refused_and_uses_its_challenge_up() {
    type Spoil = fn(&mut TestPasskey);
    let wrongs: [(&str, Spoil); 4] = [
        ("another passkey", |passkey| *passkey = TestPasskey::new(2)),
        ("another origin", |passkey| {
            passkey.origin = "https://evil.example".to_owned();
        }),
        ("nobody was verified", |passkey| passkey.flags = 0x01),
        ("a copy", |passkey| passkey.count = 0),
    ];
    for (name, spoil) in wrongs {
        let kit = kit_with(offered).await;
        let (anna, mut passkey) = enrolled(&kit).await;
        let challenge = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
        spoil(&mut passkey);
        let wrong = by_passkey(signed(&mut passkey, &challenge));
        assert_eq!(
            refused(anna.recover(&["ab"], wrong).await),
            failed(),
            "{name}"
        );
        let mut right = TestPasskey::new(1);
        right.count = 10;
        let again = by_passkey(signed(&mut right, &challenge));
        let refusal = refused(anna.recover(&["ab"], again).await);
        assert_eq!(refusal, Refusal::Expired, "{name}");
        anna.recover_by(&mut right).await.unwrap();
        let events = outcomes(&kit, "share.recover").await;
        assert_eq!(events, ["done", "refused", "refused"], "{name}");
    }
}

#[tokio::test]
async fn an_assertion_that_names_another_user_is_refused() {
    let kit = kit_with(offered).await;
    let anna = Person::registered(&kit, "anna").await;
    let offer = anna.wallets().offer_passkey(anna.bearer()).await.unwrap();
    assert_eq!(offer.subject, "anna");
    let mut passkey = TestPasskey::new(1);
    let new = made(&mut passkey, &offer.challenge);
    anna.enrol_new(new).await.unwrap();
    for (handle, allowed) in [
        (Some(vec![0; 16]), false),
        (Some(Vec::new()), false),
        (Some(offer.handle.to_vec()), true),
        (None, true),
    ] {
        let challenge = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
        let assertion = Assertion {
            handle: handle.clone(),
            ..signed(&mut passkey, &challenge)
        };
        let answer = anna.recover(&["ab"], by_passkey(assertion)).await;
        assert_eq!(answer.is_ok(), allowed, "{handle:?}");
    }
}

#[tokio::test]
async fn five_refused_assertions_close_the_way_for_a_quarter_of_an_hour() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let until = kit.services.now().plus(Duration::from_mins(15));
    for _ in 0..5 {
        let refusal = refused(anna.recover_by(&mut TestPasskey::new(2)).await);
        assert_eq!(refusal, failed());
    }
    let limited = Refusal::Limited { until };
    assert_eq!(refused(anna.recover_by(&mut passkey).await), limited);
    kit.clock.set(until.minus(Duration::from_millis(1)));
    assert_eq!(refused(anna.recover_by(&mut passkey).await), limited);
    kit.clock.set(until);
    anna.recover_by(&mut passkey).await.unwrap();
}

#[tokio::test]
async fn an_assertion_without_a_challenge_costs_no_attempt() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    for number in 0..8 {
        let shown = by_passkey(signed(&mut TestPasskey::new(2), &[number; 32]));
        let refusal = refused(anna.recover(&["ab"], shown).await);
        assert_eq!(refusal, Refusal::Expired);
    }
    anna.recover_by(&mut passkey).await.unwrap();
}

#[tokio::test]
async fn a_right_assertion_does_not_forget_the_wrong_ones() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    for _ in 0..4 {
        anna.recover_by(&mut TestPasskey::new(2)).await.unwrap_err();
    }
    anna.recover_by(&mut passkey).await.unwrap();
    anna.recover_by(&mut TestPasskey::new(2)).await.unwrap_err();
    let limited = refused(anna.recover_by(&mut passkey).await);
    assert!(matches!(limited, Refusal::Limited { .. }), "{limited:?}");
}

#[tokio::test]
async fn one_user_gets_only_so_many_challenges() {
    let two = |policy: &mut Policy| {
        offered(policy);
        policy.wallet.challenges.count = 2;
    };
    let kit = kit_with(two).await;
    let anna = Person::registered(&kit, "anna").await;
    let challenge = anna.offer().await.unwrap();
    anna.offer().await.unwrap();
    let until = kit.services.now().plus(Duration::from_mins(1));
    let limited = Refusal::Limited { until };
    assert_eq!(refused(anna.offer().await), limited);
    let new = made(&mut TestPasskey::new(1), &challenge);
    anna.enrol_new(new).await.unwrap();
    assert_eq!(refused(anna.call(Step::Enrolment).await), limited);
    let bert = Person::registered(&kit, "bert").await;
    bert.offer().await.unwrap();
    kit.clock.set(until);
    anna.call(Step::Enrolment).await.unwrap();
}

#[tokio::test]
async fn a_passkey_is_worth_nothing_after_the_operator_has_switched_passkeys_off() {
    let kit = kit_with(offered).await;
    let (anna, mut passkey) = enrolled(&kit).await;
    let challenge = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
    let off = Kit::builder().store(kit.store.clone()).seed(2);
    let off = off.clock(kit.clock.clone()).issuer(kit.issuer.clone());
    let off = off.build().await;
    let anna = Person::unregistered(&off, "anna").await;
    let shown = by_passkey(signed(&mut passkey, &challenge));
    let refusal = refused(anna.recover(&["ab"], shown).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NoVerifier));
}

#[tokio::test]
async fn after_an_operator_has_removed_a_passkey_another_can_be_enrolled() {
    let kit = kit_with(offered).await;
    let (anna, mut old) = enrolled(&kit).await;
    let open = anna.call(Step::Recovery(&[key_id("ab")])).await.unwrap();
    let wallets = anna.wallets();
    let operator = kit.operator();
    let issuer = testkit::issuer::ISSUER;
    let removed = wallets.remove_enrolment(&operator, caller(), issuer, "anna");
    removed.await.unwrap();
    let gone = refused(anna.call(Step::Enrolment).await);
    assert_eq!(gone, PasskeyRefusal::NotEnrolled.into());
    let shown = by_passkey(signed(&mut old, &open));
    let refusal = refused(anna.recover(&["ab"], shown).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
    let mut new = TestPasskey::new(2);
    anna.enrol_by(&mut new).await.unwrap();
    assert_eq!(refused(anna.recover_by(&mut old).await), failed());
    anna.recover_by(&mut new).await.unwrap();
}
