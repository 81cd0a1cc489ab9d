//! What operators may see and do with wallets, and with which right.

use domain::proof::operator::{Operator, OperatorRight};
use domain::secret::SecretText;
use domain::wallet::step_up::{Shown, StepUpRefusal};
use domain::wallet::{Newness, SigningAnswer};
use domain::{Error, Refusal};
use testkit::issuer::ISSUER;
use testkit::{Kit, TestDevice};

use crate::guarded_key::{events, outcomes};
use crate::wallet::{ANNA_MAIL, Person, caller, device_id, refused, shown, use_keys, with_key};

/// An operator who has only these rights.
fn operator_with(kit: &Kit, name: &str, rights: &[OperatorRight]) -> Operator {
    let operators = &kit.services.operators;
    operators.accept_token(SecretText::new(name.to_owned()), name, rights);
    operators.authenticate(name).unwrap()
}

fn forbidden<T>(result: Result<T, Error>) -> bool {
    matches!(refused(result), Refusal::Forbidden { .. })
}

#[tokio::test]
async fn each_use_case_asks_for_its_right() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let wallets = anna.wallets();
    let device = device_id(&TestDevice::new(0));
    for right in OperatorRight::ALL {
        let operator = operator_with(&kit, &format!("only {right:?}"), &[right]);
        let reads = right == OperatorRight::Read;
        let listed = wallets.wallet_users(&operator, None, 10).await;
        assert_eq!(listed.is_ok(), reads, "{right:?}");
        let seen = wallets.wallet_belongings(&operator, ISSUER, "anna").await;
        assert_eq!(seen.is_ok(), reads, "{right:?}");
        if right != OperatorRight::Support {
            let off = wallets.deactivate_device(&operator, caller(), device.clone());
            assert!(forbidden(off.await), "{right:?}");
            let removed = wallets.remove_enrolment(&operator, caller(), ISSUER, "anna");
            assert!(forbidden(removed.await), "{right:?}");
        }
        if right != OperatorRight::Manage {
            let erased = wallets.erase_user(&operator, caller(), ISSUER, "anna");
            assert!(forbidden(erased.await), "{right:?}");
        }
    }
    assert_eq!(anna.active().await, [true]);
    assert_eq!(kit.verifier.people(), 1);
    assert!(kit.courier.letters().is_empty());
}

#[tokio::test]
async fn what_an_operator_does_is_recorded_under_its_name() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let wallets = anna.wallets();
    let rights = [OperatorRight::Support, OperatorRight::Manage];
    let operator = operator_with(&kit, "olga", &rights);
    let device = device_id(&TestDevice::new(0));
    let off = wallets.deactivate_device(&operator, caller(), device);
    off.await.unwrap();
    let removed = wallets.remove_enrolment(&operator, caller(), ISSUER, "anna");
    removed.await.unwrap();
    let erased = wallets.erase_user(&operator, caller(), ISSUER, "anna");
    erased.await.unwrap();
    for action in ["device.deactivate", "person.remove", "user.erase"] {
        let found = events(&kit, action).await;
        assert_eq!(found.len(), 1, "{action}");
        assert_eq!(found[0].facts["by"], "operator");
        assert_eq!(found[0].facts["operator"], "olga");
    }
}

#[tokio::test]
async fn an_operator_sees_what_a_user_has() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    Person::registered(&kit, "bert").await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let users = wallets.wallet_users(&operator, None, 10).await.unwrap();
    let user = |subject: &str| users.iter().find(|user| user.subject == subject).unwrap();
    assert_eq!((user("anna").devices, user("anna").keys), (1, 1));
    let since = Some(kit.services.now().rfc3339());
    assert_eq!(user("anna").enrolled_since, since);
    assert_eq!((user("bert").devices, user("bert").keys), (0, 0));
    assert_eq!(user("bert").enrolled_since, None);
    let (devices, keys) = wallets
        .wallet_belongings(&operator, ISSUER, "anna")
        .await
        .unwrap();
    assert_eq!(devices[0].key, TestDevice::new(0).id());
    assert_eq!(keys[0].name, "ab");
    let unknown = wallets.wallet_belongings(&operator, ISSUER, "nobody").await;
    assert_eq!(refused(unknown), Refusal::UnknownSubject);
    let elsewhere = wallets.wallet_belongings(&operator, "other", "anna").await;
    assert_eq!(refused(elsewhere), Refusal::UnknownSubject);
}

#[tokio::test]
async fn of_parallel_deactivations_of_one_device_exactly_one_is_made() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let off = || wallets.deactivate_device(&operator, caller(), device_id(&TestDevice::new(0)));
    let (one, two) = tokio::join!(off(), off());
    let late = if one.is_ok() { two } else { one };
    assert_eq!(refused(late), Refusal::Conflict);
    assert_eq!(kit.courier.operations_to(ANNA_MAIL), ["device_removed"]);
}

#[tokio::test]
async fn of_parallel_erasures_exactly_one_is_made() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let erase = || wallets.erase_user(&operator, caller(), ISSUER, "anna");
    let (one, two) = tokio::join!(erase(), erase());
    let (won, late) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap().devices, 1);
    assert_eq!(refused(late), Refusal::UnknownSubject);
    assert_eq!(outcomes(&kit, "user.erase").await, ["done"]);
}

#[tokio::test]
async fn an_erasure_while_a_share_is_recovered_leaves_either_and_nothing_behind() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "share")]).await.unwrap();
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let (erased, recovered) = tokio::join!(
        wallets.erase_user(&operator, caller(), ISSUER, "anna"),
        anna.recover(&["ab"], shown("scan", "me"))
    );
    assert_eq!(erased.unwrap().shares, 1);
    match recovered {
        // Allowed before, and perhaps read after, the user was erased.
        Ok(shares) => assert!(shares == [Some("share".to_owned())] || shares == [None]),
        late => assert_eq!(refused(late), Refusal::UnknownSubject),
    }
    assert_eq!(kit.verifier.people(), 0);
}

#[tokio::test]
async fn an_erased_user_who_comes_back_begins_with_nothing() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    anna.keep(&[("ab", "share")]).await.unwrap();
    let device = TestDevice::new(0);
    let open = anna.proof(&device, Shown::default()).await;
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let erased = wallets.erase_user(&operator, caller(), ISSUER, "anna");
    erased.await.unwrap();
    assert_eq!(
        use_keys(&kit, &device, &["ab"]).await,
        SigningAnswer::Reject
    );
    let anna = Person::registered(&kit, "anna").await;
    assert!(anna.active().await.is_empty());
    let keys = anna.wallets().wallet_keys(&anna.bearer).await.unwrap();
    assert!(keys.is_empty());
    assert_eq!(refused(anna.prove(open).await), Refusal::Expired);
    let refusal = refused(anna.recover(&["ab"], shown("scan", "me")).await);
    assert_eq!(refusal, Refusal::StepUp(StepUpRefusal::NotEnrolled));
    let added = anna.add(&device, Shown::default()).await;
    assert_eq!(added.unwrap(), Newness::New);
    anna.make_key(&device, "ab").await;
    anna.enrol("again").await.unwrap();
    let shares = anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
    assert_eq!(shares, [None], "the old share is gone");
}

#[tokio::test]
async fn an_erased_users_refused_step_ups_do_not_count_for_who_comes_back() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    for number in 0..5 {
        let scan = format!("no {number}");
        anna.recover(&["ab"], shown(&scan, "me")).await.unwrap_err();
    }
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let erased = wallets.erase_user(&operator, caller(), ISSUER, "anna");
    erased.await.unwrap();
    let anna = Person::registered(&kit, "anna").await;
    anna.enrol("again").await.unwrap();
    anna.recover(&["ab"], shown("scan", "me")).await.unwrap();
}

#[tokio::test]
async fn a_person_of_another_verifier_is_forgotten_here_and_not_asked_about_there() {
    let kit = Kit::new().await;
    let anna = with_key(&kit).await;
    kit.verifier.switch_off();
    let (wallets, operator) = (anna.wallets(), kit.operator());
    let removed = wallets.remove_enrolment(&operator, caller(), ISSUER, "anna");
    removed.await.unwrap();
    assert_eq!(kit.verifier.people(), 1, "it is not the verifier any more");
    let state = anna.wallets().enrolment(&anna.bearer).await.unwrap();
    assert_eq!(state.since, None);
}

#[tokio::test]
async fn pages_of_users_name_each_user_once() {
    let kit = Kit::new().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        let subject = format!("user {number}");
        Person::registered(&kit, &subject).await;
        expected.insert(0, subject);
        kit.clock.advance(std::time::Duration::from_secs(1));
    }
    let (wallets, operator) = (&kit.services.wallets, kit.operator());
    let mut listed: Vec<String> = Vec::new();
    loop {
        let after = listed.last().map(|last| (ISSUER.to_owned(), last.clone()));
        let page = wallets.wallet_users(&operator, after, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|user| user.subject));
    }
    assert_eq!(listed, expected);
}
