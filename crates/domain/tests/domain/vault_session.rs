//! Sessions of vaults: whom a call counts against, which plan counts, and what pages and operators see of them.

use std::sync::Arc;
use std::time::Duration;

use domain::policy::Policy;
use domain::proof::operator::OperatorRight;
use domain::secret::SecretText;
use domain::time::hours;
use domain::vault::{Edit, Notify, VaultStanding};
use domain::{Caller, Error, Refusal};
use testkit::Kit;

use crate::owner::caller;
use crate::vault::{User, object, open_kit};
use crate::vault_entry::{ANN, BOB};
use crate::vault_slot::{gets_small, small_plan};

fn elsewhere() -> Caller {
    Caller {
        network: "192.0.2.1/32".to_owned(),
        ..caller()
    }
}

fn two_calls(policy: &mut Policy) {
    policy.vault.network_calls_per_hour = 2;
}

/// Whether a call with that token is within the limit, and how many are left after it.
async fn admitted(user: &User, from: &Caller, token: Option<&str>) -> (bool, u32) {
    let meter = user.vaults.enter(from, token).await.unwrap().meter;
    (meter.admitted, meter.remaining)
}

#[tokio::test]
async fn calls_without_a_session_count_on_the_network() {
    let kit = open_kit(two_calls).await;
    let ann = User::joins(&kit, ANN).await;
    assert_eq!(admitted(&ann, &caller(), None).await, (true, 1));
    let unknown = "0".repeat(64);
    let call = admitted(&ann, &caller(), Some(&unknown)).await;
    assert_eq!(call, (true, 0));
    let open = ann.vaults.enter_openly(&caller()).await.unwrap();
    assert!(!open.admitted, "they share one count");
    assert_eq!(admitted(&ann, &elsewhere(), None).await, (true, 1));
    let (within, _) = admitted(&ann, &caller(), Some(&ann.token)).await;
    assert!(within, "an account has a count of its own");
    kit.clock.advance(hours(1));
    assert_eq!(admitted(&ann, &caller(), None).await, (true, 1));
}

#[tokio::test]
async fn calls_of_an_account_count_together_wherever_they_come_from() {
    let kit = open_kit(small_plan(|plan| plan.calls_per_hour = 2)).await;
    let (ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    gets_small(&kit, &ann).await;
    let second = ann.login().await.unwrap().token;
    let first = Some(ann.token.as_str());
    assert_eq!(admitted(&ann, &caller(), first).await, (true, 1));
    let call = admitted(&ann, &elsewhere(), Some(&second)).await;
    assert_eq!(call, (true, 0));
    let (within, _) = admitted(&ann, &caller(), first).await;
    assert!(!within);
    let (within, _) = admitted(&bob, &caller(), Some(&bob.token)).await;
    assert!(within);
}

#[tokio::test]
async fn zero_is_no_limit_of_a_network() {
    let kit = open_kit(|policy| policy.vault.network_calls_per_hour = 0).await;
    let ann = User::of(&kit, ANN, 7);
    for _ in 0..50 {
        let open = ann.vaults.enter_openly(&caller()).await.unwrap();
        assert!(open.admitted);
    }
}

#[tokio::test]
async fn a_plan_counts_at_once_and_the_default_after_it_was_taken_out_of_the_configuration() {
    let kit = open_kit(small_plan(|plan| plan.name = "Small".to_owned())).await;
    let ann = User::joins(&kit, ANN).await;
    assert_eq!(ann.member().await.plan().name, "Default");
    gets_small(&kit, &ann).await;
    assert_eq!(ann.member().await.plan().name, "Small");
    let without = Kit::builder()
        .store(Arc::clone(&kit.store))
        .clock(Arc::clone(&kit.clock))
        .seed(2)
        .build()
        .await;
    let ann = User {
        vaults: Arc::clone(&without.services.vaults),
        ..ann
    };
    assert_eq!(ann.member().await.plan().name, "Default");
    let operator = without.operator();
    let state = ann.vaults.vault_account_state(&operator, ann.name.clone());
    let state = state.await.unwrap();
    assert_eq!(
        (state.plan.as_str(), state.plan_is_default),
        ("Default", false)
    );
}

#[tokio::test]
async fn a_session_from_before_a_new_password_says_so_until_its_time_is_over() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    ann.edit(Edit::Replace(object(8))).await.unwrap();
    let last = Duration::from_millis(1);
    kit.clock.advance(hours(1).checked_sub(last).unwrap());
    assert!(matches!(ann.standing().await, VaultStanding::Superseded));
    kit.clock.advance(last);
    assert!(matches!(ann.standing().await, VaultStanding::Unknown));
}

#[tokio::test]
async fn the_page_of_an_account_counts_entries_slots_and_live_sessions() {
    let kit = open_kit(|_| {}).await;
    let (mut ann, bob) = (User::joins(&kit, ANN).await, User::joins(&kit, BOB).await);
    let entry = ann.add_entry().await.unwrap();
    ann.add_slot(entry, Notify::Never).await.unwrap();
    ann.add_slot(entry, Notify::OnUse).await.unwrap();
    let of_bob = bob.add_entry().await.unwrap();
    let request = bob.share(of_bob, ANN).await.unwrap().unwrap();
    ann.accept(request).await.unwrap();
    kit.clock.advance(Duration::from_secs(1_800));
    ann.token = ann.login().await.unwrap().token;
    let page = async |user: &User| {
        let member = user.member().await;
        let pass = user.vaults.issue_web_pass(caller(), member).await;
        let taken = user.vaults.take_web_pass(caller(), pass.unwrap()).await;
        taken.unwrap()
    };
    let seen = page(&ann).await;
    assert_eq!((seen.entries, seen.slots, seen.sessions), (1, 2, 2));
    kit.clock.advance(Duration::from_secs(1_800));
    let seen = page(&ann).await;
    assert_eq!(seen.sessions, 1, "the first one has expired");
    let operator = kit.operator();
    let state = ann.vaults.vault_account_state(&operator, ann.name.clone());
    let state = state.await.unwrap();
    assert_eq!(state.public_key_fingerprint, seen.fingerprint);
    assert_eq!((state.name.as_str(), state.entries), (ANN, 1));
}

#[tokio::test]
async fn an_expired_session_is_removed_by_a_job() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let sessions = async || {
        let operator = kit.operator();
        let state = ann.vaults.vault_account_state(&operator, ann.name.clone());
        state.await.unwrap().sessions
    };
    kit.run_jobs().await;
    assert_eq!(sessions().await, 1);
    kit.clock.advance(hours(1));
    kit.run_jobs().await;
    assert_eq!(sessions().await, 0);
}

#[tokio::test]
async fn an_operator_does_only_what_the_rights_allow() {
    let kit = open_kit(small_plan(|_| {})).await;
    let ann = User::joins(&kit, ANN).await;
    let operators = &kit.services.operators;
    for right in OperatorRight::ALL {
        let token = format!("with the right to {}", right.name());
        operators.accept_token(SecretText::new(token.clone()), "other", &[right]);
        let operator = operators.authenticate(&token).unwrap();
        let (vaults, name) = (&ann.vaults, || ann.name.clone());
        let state = vaults.vault_account_state(&operator, name()).await;
        let plan = vaults.set_vault_plan(&operator, name(), None).await;
        let nobody = domain::vault::LoginName::parse(BOB).unwrap();
        let deleted = vaults.delete_vault_account(&operator, nobody).await;
        for (done, needed) in [
            (state.map(drop), OperatorRight::Read),
            (plan.map(drop), OperatorRight::Manage),
            (deleted, OperatorRight::Manage),
        ] {
            match done {
                Err(Error::Refused(Refusal::Forbidden { need })) => {
                    assert_eq!(need, needed.name());
                    assert_ne!(right, needed);
                }
                Ok(()) | Err(Error::Refused(Refusal::UnknownSubject)) => {
                    assert_eq!(right, needed);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn the_audit_trail_names_the_operator_and_the_plan() {
    let kit = open_kit(small_plan(|_| {})).await;
    let ann = User::joins(&kit, ANN).await;
    gets_small(&kit, &ann).await;
    let operator = kit.operator();
    let deleted = ann.vaults.delete_vault_account(&operator, ann.name.clone());
    deleted.await.unwrap();
    let listed = kit.services.operators.audit_events(&operator, None, 100);
    let events = listed.await.unwrap();
    let of = |action: &str| {
        let mut found = events.iter().filter(|event| event.action == action);
        let event = found.next().unwrap();
        assert_eq!(found.next(), None, "{action}");
        assert_eq!(event.facts["operator"], "test");
        event
    };
    let (plan, deleted) = (of("account.plan"), of("account.delete"));
    assert_eq!(plan.facts["plan"], "Small");
    assert_eq!(plan.subject, deleted.subject);
}
