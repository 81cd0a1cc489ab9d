//! Stepping up by a face: what counts as a refusal, what evidence is good for, and what a verifier in trouble costs.

use std::sync::Arc;
use std::time::Duration;

use domain::Refusal;
use domain::policy::Policy;
use domain::port::Store;
use domain::time::days;
use domain::wallet::WalletKeyId;
use domain::wallet::step_up::{Shown, StepUpRefusal};
use testkit::{Backing, FaultyStore, Kit, TestDevice};
use tokio::task::JoinSet;

use crate::guarded_key::outcomes;
use crate::owner::{Outcome, outcome};
use crate::rollback;
use crate::wallet::{ANNA_MAIL, Person, caller, face, key_id, kit_with, refused, shown, with_key};

fn failed() -> Refusal {
    Refusal::StepUp(StepUpRefusal::Failed { for_client: None })
}

/// Refused `times`, each time with another scan of somebody else.
async fn fail(anna: &Person<'_>, times: usize) {
    for number in 0..times {
        let scan = format!("wrong {number} {}", anna.kit.services.now().millis());
        let refusal = refused(anna.recover(&["ab"], shown(&scan, "thief")).await);
        assert_eq!(refusal, failed(), "try {number}");
    }
}

#[tokio::test]
async fn five_refusals_close_the_way_and_the_verifier_is_not_asked_any_more() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let until = kit.services.now().plus(Duration::from_mins(15));
    fail(&anna, 5).await;
    let asked = kit.verifier.asked().len();
    let limited = Refusal::Limited { until };
    for moment in [kit.services.now(), until.minus(Duration::from_millis(1))] {
        kit.clock.set(moment);
        let refusal = refused(anna.recover(&["ab"], shown("right", "me")).await);
        assert_eq!(refusal, limited);
        let device = anna.add(&TestDevice::new(1), shown("right", "me")).await;
        assert_eq!(refused(device), limited, "one count for all steps");
    }
    assert_eq!(kit.verifier.asked().len(), asked);
    kit.clock.set(until);
    anna.recover(&["ab"], shown("right", "me")).await.unwrap();
}

#[tokio::test]
async fn a_success_does_not_forget_the_refusals() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    fail(&anna, 4).await;
    anna.recover(&["ab"], shown("right", "me")).await.unwrap();
    kit.clock.advance(Duration::from_secs(1));
    fail(&anna, 1).await;
    let refusal = refused(anna.recover(&["ab"], shown("again", "me")).await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
}

#[tokio::test]
async fn refusals_of_one_user_do_not_close_the_way_of_another() {
    let kit = kit_with(|policy| policy.wallet.known_keys_only = false).await;
    let anna = with_key(&kit).await;
    let bert = Person::registered(&kit, "bert").await;
    bert.enrol("bert").await.unwrap();
    fail(&anna, 5).await;
    bert.recover(&["ab"], shown("right", "me")).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_zero_counts_nothing() {
    let off = |policy: &mut Policy| policy.wallet.refusals.count = 0;
    let kit = kit_with(off).await;
    let anna = with_key(&kit).await;
    fail(&anna, 12).await;
    anna.recover(&["ab"], shown("right", "me")).await.unwrap();
}

#[tokio::test]
async fn trouble_at_the_verifier_costs_no_attempt_and_gives_no_share() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    for number in 0..8 {
        for (scan, expected) in [
            (format!("away {number}"), StepUpRefusal::Unreachable),
            (format!("odd {number}"), StepUpRefusal::Untrustworthy),
        ] {
            let refusal = refused(anna.recover(&["ab"], shown(&scan, "me")).await);
            assert_eq!(refusal, Refusal::StepUp(expected));
        }
    }
    assert!(kit.courier.letters().is_empty());
    anna.recover(&["ab"], shown("right", "me")).await.unwrap();
    let events = outcomes(&kit, "share.recover").await;
    let count = |word: &str| events.iter().filter(|found| *found == word).count();
    assert_eq!(count("verifier unreachable"), 8);
    assert_eq!(count("verifier untrustworthy"), 8);
    assert_eq!(count("done"), 1);
}

#[tokio::test]
async fn accepted_evidence_is_refused_for_a_day_whatever_it_is_shown_for() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    let asked = kit.verifier.asked().len();
    let again = refused(anna.recover(&["ab"], shown("scan", "me")).await);
    assert_eq!(again, failed());
    let device = anna.add(&TestDevice::new(1), shown("scan", "me")).await;
    assert_eq!(refused(device), failed());
    let bert = Person::registered(&kit, "bert").await;
    assert_eq!(refused(bert.enrol("scan").await), failed());
    assert_eq!(kit.verifier.asked().len(), asked, "it was known here");
    kit.clock.advance(days(1));
    let anna = Person::unregistered(&kit, "anna").await;
    anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
}

#[tokio::test]
async fn evidence_that_was_seen_counts_as_a_refusal() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    for _ in 0..5 {
        let refusal = refused(anna.recover(&["ab"], shown("first", "me")).await);
        assert_eq!(refusal, failed(), "it enrolled its owner");
    }
    let refusal = refused(anna.recover(&["ab"], shown("right", "me")).await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
}

#[tokio::test]
async fn evidence_that_was_not_accepted_may_be_shown_again() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let thief = refused(anna.recover(&["ab"], shown("scan", "thief")).await);
    assert_eq!(thief, failed());
    anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
}

#[tokio::test]
async fn of_parallel_recoveries_with_one_scan_exactly_one_is_allowed() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let (one, two) = tokio::join!(
        anna.recover(&["ab"], shown("scan", "me")),
        anna.recover(&["ab"], shown("scan", "me"))
    );
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), failed());
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["shares_recovered"]);
    assert_eq!(outcomes(&kit, "share.recover").await, ["done", "refused"]);
}

#[tokio::test]
async fn of_parallel_enrolments_exactly_one_is_made_and_nobody_else_is_left_at_the_verifier() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let (one, two) = tokio::join!(anna.enrol("one"), anna.enrol("two"));
    let (won, late) = if one.is_ok() { (one, two) } else { (two, one) };
    won.unwrap();
    let late = refused(late);
    let expected = [StepUpRefusal::Enrolling, StepUpRefusal::Enrolled];
    assert!(expected.map(Refusal::StepUp).contains(&late), "{late:?}");
    assert_eq!(kit.verifier.people(), 1);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["person_enrolled"]);
}

#[tokio::test]
async fn no_more_wrong_faces_are_judged_at_once_than_the_limit_allows() {
    let patient = |policy: &mut Policy| policy.limits.wait = Duration::from_secs(60);
    let kit = kit_with(patient).await;
    let anna = with_key(&kit).await;
    let asked = kit.verifier.asked().len();
    let mut tries = JoinSet::new();
    for number in 0..9 {
        let (wallets, bearer) = (anna.wallets().clone(), anna.bearer());
        let keys: Vec<WalletKeyId> = vec![key_id("ab")];
        let shown = shown(&format!("wrong {number}"), "thief");
        tries.spawn(async move {
            let recovered = wallets.recover_shares(caller(), bearer, keys, shown).await;
            outcome(recovered)
        });
    }
    let answers = tries.join_all().await;
    let failed = Outcome::Refused(failed());
    let judged = answers.iter().filter(|answer| **answer == failed).count();
    assert_eq!(judged, 5, "{answers:?}");
    assert_eq!(kit.verifier.asked().len() - asked, 5);
}

#[tokio::test]
async fn what_the_verifier_says_to_its_client_is_handed_on_only_where_the_operator_allows_it() {
    for allowed in [false, true] {
        let kit = kit_with(|policy| policy.wallet.tell_client = allowed).await;
        let anna = with_key(&kit).await;
        let expected = allowed.then(|| "AAEC".to_owned());
        let wallets = anna.wallets();
        let keys = || vec![key_id("ab")];
        let right = shown("right", "me");
        let recovered = wallets.recover_shares(caller(), anna.bearer(), keys(), right);
        assert_eq!(recovered.await.unwrap().for_client, expected);
        let wrong = shown("wrong", "thief");
        let refusal = refused(anna.recover(&["ab"], wrong).await);
        let for_client = expected;
        let failed = StepUpRefusal::Failed { for_client };
        assert_eq!(refusal, Refusal::StepUp(failed));
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_gives_no_attempt_back() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let first = kit.services.now();
    kit.clock.advance(Duration::from_mins(5));
    let until = kit.services.now().plus(Duration::from_mins(15));
    fail(&anna, 5).await;
    kit.clock.set(first);
    let refusal = refused(anna.recover(&["ab"], shown("right", "me")).await);
    assert_eq!(refusal, Refusal::Limited { until });
}

#[tokio::test]
async fn tokens_of_the_verifier_are_for_registered_users_and_only_while_there_is_one() {
    let kit = Kit::new().await;
    let anna = Person::registered(&kit, "anna").await;
    let wallets = anna.wallets();
    let token = wallets.session_token(&anna.bearer, "agent").await.unwrap();
    assert_eq!(token, "session-token");
    let nobody = Person::unregistered(&kit, "nobody").await;
    let unknown = wallets.session_token(&nobody.bearer, "agent").await;
    assert_eq!(refused(unknown), Refusal::UnknownSubject);
    kit.verifier.switch_off();
    let without = wallets.session_token(&anna.bearer, "agent").await;
    assert_eq!(refused(without), Refusal::StepUp(StepUpRefusal::NoVerifier));
}

#[tokio::test]
async fn without_a_verifier_nobody_is_enrolled() {
    let kit = Kit::new().await;
    kit.verifier.switch_off();
    let anna = Person::registered(&kit, "anna").await;
    let refusal = refused(anna.enrol("scan").await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NoVerifier));
    kit.verifier.switch_on();
    anna.enrol("scan").await.unwrap();
}

async fn faulty() -> (Arc<FaultyStore>, Kit) {
    let store = FaultyStore::over(Backing::memory().store());
    let builder = Kit::builder().store(Arc::clone(&store) as Arc<dyn Store>);
    let builder = builder.policy(|policy| policy.limits.wait = Duration::ZERO);
    (store, builder.build().await)
}

#[tokio::test]
async fn an_enrolment_that_died_holds_its_place_for_ten_minutes() {
    let (store, kit) = faulty().await;
    let anna = Person::registered(&kit, "anna").await;
    store.refuse_writes_after(1);
    assert_eq!(outcome(anna.enrol("one").await), Outcome::Unavailable);
    store.give_back();
    let state = anna.wallets().enrolment(&anna.bearer).await.unwrap();
    assert_eq!(state.since, None, "nothing was recorded");
    kit.clock
        .advance(Duration::from_mins(10).saturating_sub(Duration::from_millis(1)));
    let early = refused(anna.enrol("two").await);
    assert_eq!(early, Refusal::StepUp(StepUpRefusal::Enrolling));
    kit.clock.advance(Duration::from_millis(1));
    anna.enrol("two").await.unwrap();
}

#[tokio::test]
async fn a_step_up_that_died_counts_as_refused_after_ninety_seconds() {
    let (store, kit) = faulty().await;
    let anna = with_key(&kit).await;
    for number in 0..5 {
        store.refuse_writes_after(1);
        let scan = format!("right {number}");
        let answer = outcome(anna.recover(&["ab"], shown(&scan, "me")).await);
        assert_eq!(answer, Outcome::Unavailable);
        store.give_back();
    }
    let waiting = outcome(anna.recover(&["ab"], shown("right", "me")).await);
    assert_eq!(waiting, Outcome::Busy, "all may still be under way");
    let until = kit.services.now().plus(Duration::from_mins(15));
    kit.clock.advance(Duration::from_secs(90));
    let refusal = refused(anna.recover(&["ab"], shown("right", "me")).await);
    assert_eq!(refusal, Refusal::Limited { until });
    assert!(kit.courier.letters().is_empty(), "nobody was told of a yes");
}

#[tokio::test]
async fn a_yes_that_could_not_be_recorded_allows_nothing() {
    let (store, kit) = faulty().await;
    let anna = with_key(&kit).await;
    let device = TestDevice::new(1);
    let proof = anna.proof(&device, shown("right", "me")).await;
    store.refuse_writes_after(1);
    assert_eq!(outcome(anna.prove(proof).await), Outcome::Unavailable);
    store.give_back();
    assert_eq!(anna.active().await, [true], "only the first device");
    assert!(kit.courier.letters().is_empty());
    assert_eq!(outcomes(&kit, "device.add").await, ["done"]);
}

#[tokio::test]
async fn an_older_database_leaves_one_attempt_to_everybody() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let old = rollback::snapshot(&kit).await;
    rollback::anchor(&kit).await;
    kit.clock.advance(Duration::from_secs(1));
    fail(&anna, 3).await;
    let newest = rollback::anchor(&kit).await;
    rollback::put_back(&kit, &old).await;
    rollback::accept(&kit, &newest).await;
    fail(&anna, 1).await;
    let refusal = refused(anna.recover(&["ab"], shown("right", "me")).await);
    assert!(matches!(refusal, Refusal::Limited { .. }), "{refusal:?}");
    kit.clock.advance(Duration::from_mins(15));
    anna.recover(&["ab"], shown("right", "me")).await.unwrap();
}

#[tokio::test]
async fn every_question_has_an_id_of_its_own_and_names_the_person_only_by_its_reference() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.recover(&["ab"], shown("one", "me")).await.unwrap();
    anna.recover(&["ab"], shown("two", "me")).await.unwrap();
    let asked = kit.verifier.asked();
    let mut ids: Vec<&str> = asked.iter().map(|question| question.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(
        asked
            .windows(2)
            .all(|pair| pair[0].reference == pair[1].reference)
    );
    assert!(!asked[0].reference.contains("anna"));
}

#[tokio::test]
async fn evidence_is_never_printed() {
    let printed = format!("{:?}", shown("the scan", "the image"));
    assert!(!printed.contains("the scan") && !printed.contains("the image"));
    let printed = format!("{:?}", Shown::default());
    assert!(printed.contains("None"), "{printed}");
    let printed = format!("{:?}", face("the scan", "the image"));
    assert!(printed.contains("192.0.2.1") && !printed.contains("the scan"));
}
