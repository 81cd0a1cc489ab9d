//! Shares of signing keys: who may store one, which comes back, and what is told and recorded.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::Refusal;
use domain::policy::Policy;
use domain::wallet::step_up::{Shown, StepUpRefusal};
use testkit::{Kit, TestDevice};

use crate::guarded_key::{events, outcomes};
use crate::wallet::{ANNA_MAIL, Person, kit_with, refused, shown, with_key};

#[tokio::test]
async fn the_newest_of_many_shares_comes_back() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    for number in 1..=7 {
        let text = format!("share {number}");
        anna.keep(&[("ab", &text)]).await.unwrap();
        let scan = format!("scan {number}");
        let shares = anna.recover(&["ab"], shown(&scan, "me")).await.unwrap();
        assert_eq!(shares, [Some(text)]);
        kit.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn an_owner_sees_which_keys_have_a_share_since_when_and_how_long() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let wallets = anna.wallets();
    let keys = wallets.wallet_keys(&anna.bearer).await.unwrap();
    assert_eq!((keys[0].backed_up, keys[0].chars), (None, 0));
    anna.keep(&[("ab", "first share")]).await.unwrap();
    kit.clock.advance(Duration::from_secs(5));
    anna.keep(&[("ab", "second")]).await.unwrap();
    let keys = wallets.wallet_keys(&anna.bearer).await.unwrap();
    assert_eq!(keys[0].backed_up, Some(kit.services.now()));
    assert_eq!(keys[0].chars, 6);
}

#[tokio::test]
async fn a_share_is_found_by_every_spelling_of_the_name_of_its_key() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    let hex = "ab".repeat(32);
    anna.make_key(&device, &hex).await;
    anna.enrol("first").await.unwrap();
    anna.keep(&[(&hex, "share")]).await.unwrap();
    let spellings = [
        hex.clone(),
        hex.to_uppercase(),
        STANDARD.encode([0xab; 32]),
        URL_SAFE_NO_PAD.encode([0xab; 32]),
    ];
    let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let shares = anna.recover(&spellings, shown("scan", "me")).await.unwrap();
    assert_eq!(shares, vec![Some("share".to_owned()); 4]);
}

#[tokio::test]
async fn storing_and_recovering_are_limited_together() {
    let three = |policy: &mut Policy| policy.wallet.share_calls.count = 3;
    let kit = kit_with(three).await;
    let anna = with_key(&kit).await;
    let until = kit.services.now().plus(Duration::from_mins(1));
    anna.keep(&[("ab", "one")]).await.unwrap();
    anna.recover(&["ab"], Shown::default()).await.unwrap_err();
    anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    let limited = Refusal::Limited { until };
    assert_eq!(refused(anna.keep(&[("ab", "two")]).await), limited);
    let recovered = anna.recover(&["ab"], shown("other", "me")).await;
    assert_eq!(refused(recovered), limited);
    kit.clock.set(until);
    let shares = anna.recover(&["ab"], shown("other", "me")).await.unwrap();
    assert_eq!(shares, [Some("one".to_owned())], "the scan was not used up");
}

#[tokio::test]
async fn where_unknown_keys_are_taken_the_first_share_makes_its_sender_the_owner() {
    let kit = kit_with(|policy| policy.wallet.known_keys_only = false).await;
    let anna = with_key(&kit).await;
    anna.keep(&[("new", "hers")]).await.unwrap();
    let bert = Person::registered(&kit, "bert").await;
    bert.enrol("bert").await.unwrap();
    let refusal = refused(bert.keep(&[("new", "his")]).await);
    assert_eq!(refusal, Refusal::Forbidden { need: "key" });
    let shares = anna.recover(&["new"], shown("scan", "me")).await.unwrap();
    assert_eq!(shares, [Some("hers".to_owned())]);
}

#[tokio::test]
async fn of_two_users_who_store_a_share_of_an_unknown_key_at_once_one_owns_it() {
    let open = |policy: &mut Policy| {
        policy.wallet.known_keys_only = false;
        policy.wallet.enrolled_only = false;
    };
    let kit = kit_with(open).await;
    let anna = Person::registered(&kit, "anna").await;
    let bert = Person::registered(&kit, "bert").await;
    let (hers, his) = ([("new", "hers")], [("new", "his")]);
    let (one, two) = tokio::join!(anna.keep(&hers), bert.keep(&his));
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), Refusal::Forbidden { need: "key" });
    assert_eq!(outcomes(&kit, "share.keep").await, ["done"]);
}

#[tokio::test]
async fn where_enrolment_is_not_asked_for_shares_are_stored_but_not_given_back() {
    let kit = kit_with(|policy| policy.wallet.enrolled_only = false).await;
    let anna = Person::registered(&kit, "anna").await;
    let device = TestDevice::new(0);
    anna.add(&device, Shown::default()).await.unwrap();
    anna.make_key(&device, "ab").await;
    anna.keep(&[("ab", "share")]).await.unwrap();
    let refusal = refused(anna.recover(&["ab"], shown("scan", "me")).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
    anna.enrol("first").await.unwrap();
    let shares = anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    assert_eq!(shares, [Some("share".to_owned())]);
}

#[tokio::test]
async fn of_parallel_shares_of_one_key_one_is_the_newest() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let (first, second) = ([("ab", "one")], [("ab", "two")]);
    let (one, two) = tokio::join!(anna.keep(&first), anna.keep(&second));
    one.unwrap();
    two.unwrap();
    let shares = anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    let share = shares[0].clone().unwrap();
    assert!(share == "one" || share == "two", "{share}");
    assert_eq!(outcomes(&kit, "share.keep").await, ["done", "done"]);
}

#[tokio::test]
async fn what_is_stored_is_recorded_by_number_and_length_and_not_by_text() {
    let kit = kit_with(|policy| policy.wallet.known_keys_only = false).await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "secret one"), ("cd", "secret")])
        .await
        .unwrap();
    let stored = events(&kit, "share.keep").await;
    assert_eq!(stored[0].facts["keys"], "2");
    assert_eq!(stored[0].facts["chars"], "16");
    let text = serde_json::to_string(&stored).unwrap();
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_recovery_is_recorded_by_the_number_of_keys_that_were_named() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "share")]).await.unwrap();
    let named = ["ab", "ab", "unknown"];
    anna.recover(&named, shown("scan", "me")).await.unwrap();
    let recovered = events(&kit, "share.recover").await;
    assert_eq!(recovered[0].facts["keys"], "3");
    let text = serde_json::to_string(&recovered).unwrap();
    assert!(
        !text.contains("unknown") && !text.contains("share\""),
        "{text}"
    );
}

#[tokio::test]
async fn a_recovery_without_any_share_needs_a_step_up_and_tells_its_owner_too() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let refusal = refused(anna.recover(&["unknown"], Shown::default()).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::Missing));
    let shares = anna.recover(&["unknown"], shown("scan", "me")).await;
    assert_eq!(shares.unwrap(), [None]);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["shares_recovered"]);
}

#[tokio::test]
async fn the_operators_program_is_told_who_asked_for_how_many_keys() {
    let kit = kit_with(|policy| policy.wallet.tell_operator = true).await;
    let anna = with_key(&kit).await;
    anna.recover(&["ab", "cd"], shown("scan", "me"))
        .await
        .unwrap();
    let letters = kit.courier.letters_to("operator");
    let facts = &letters[0].message.facts;
    assert_eq!(letters[0].message.operation, "share.recover");
    assert_eq!(
        (facts["subject"].as_str(), facts["keys"].as_str()),
        ("anna", "2")
    );
    assert_eq!(facts["issuer"], testkit::issuer::ISSUER);
}

#[tokio::test]
async fn shares_stay_when_an_enrolment_is_removed_and_come_back_to_the_next() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "share")]).await.unwrap();
    let wallets = anna.wallets();
    let operator = kit.operator();
    let issuer = testkit::issuer::ISSUER;
    let removed = wallets.remove_enrolment(&operator, crate::wallet::caller(), issuer, "anna");
    removed.await.unwrap();
    let refusal = refused(anna.recover(&["ab"], shown("scan", "me")).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
    let refusal = refused(anna.keep(&[("ab", "other")]).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
    anna.enrol("again").await.unwrap();
    let shares = anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    assert_eq!(shares, [Some("share".to_owned())]);
}
