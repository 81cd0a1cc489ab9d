//! What operators do with accounts, through the service of people.

use domain::Refusal;
use domain::person::account::Class;
use domain::person::{AccountId, WayKind};
use uuid::Uuid;

use crate::person::{
    EMAIL, NEW_PASSWORD, PASSWORD, World, caller, code, email, password, phone, refused,
};

const NOBODY: AccountId = AccountId(Uuid::from_u128(77));

async fn anna(world: &World) -> AccountId {
    world.people().account_at(email()).await.unwrap()
}

#[tokio::test]
async fn an_operator_sees_the_state_of_an_account_without_its_addresses() {
    let (world, who) = World::with_both().await;
    world.authenticator(&who).await;
    let operator = world.kit.operator();
    let people = world.people();
    let state = people
        .person_state(&operator, anna(&world).await)
        .await
        .unwrap();
    assert_eq!(state.id, who.person().0.to_string());
    assert_eq!(state.email.unwrap().address, "a***@example.com");
    assert_eq!((state.authenticator, state.recovery_codes_left), (true, 10));
    assert_eq!(state.sessions, 2);
    assert_eq!(people.count_accounts(&operator).await.unwrap(), 1);
}

#[tokio::test]
async fn an_unknown_account_is_said_to_be_unknown() {
    let world = World::new().await;
    let operator = world.kit.operator();
    let people = world.people();
    let unknown = Refusal::UnknownSubject;
    let state = people.person_state(&operator, NOBODY).await;
    assert_eq!(refused(state), unknown);
    let unlocked = people.unlock_account(&operator, NOBODY, Class::Login).await;
    assert_eq!(refused(unlocked), unknown);
    let ended = people.end_account_sessions(&operator, NOBODY).await;
    assert_eq!(refused(ended), unknown);
    let erased = people.erase_person(&operator, NOBODY).await;
    assert_eq!(refused(erased), unknown);
    assert_eq!(refused(people.account_at(email()).await), unknown);
    assert_eq!(world.events().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_operator_unlocks_a_login_that_wrong_codes_have_locked() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let people = world.people();
    let try_code = async || {
        let (process, _) = world.stepping().await;
        let codes = vec![code("wrong")];
        refused(people.verify_login(caller(), process, codes).await)
    };
    for _ in 0..10 {
        assert_eq!(try_code().await, Refusal::BadProof { left: Some(0) });
    }
    assert!(matches!(try_code().await, Refusal::Exhausted { .. }));
    let (id, operator) = (anna(&world).await, world.kit.operator());
    let locks = people.person_state(&operator, id).await.unwrap().locks;
    assert_eq!((locks.len(), locks[0].class), (1, "login"));
    assert_eq!(locks[0].wrong_in_a_row, 10);
    people
        .unlock_account(&operator, id, Class::Login)
        .await
        .unwrap();
    assert_eq!(try_code().await, Refusal::BadProof { left: Some(0) });
}

#[tokio::test]
async fn an_operator_unlocks_a_recovery_and_nothing_else() {
    let world = World::with_anna().await;
    let people = world.people();
    let process = crate::person_recovery::recovering(&world, email()).await;
    let verified = people
        .verify_password_recovery(caller(), process, crate::person::secret("wrong"))
        .await;
    refused(verified);
    let (id, operator) = (anna(&world).await, world.kit.operator());
    for (class, left) in [(Class::SignedIn, 1), (Class::PasswordRecovery, 0)] {
        people.unlock_account(&operator, id, class).await.unwrap();
        let locks = people.person_state(&operator, id).await.unwrap().locks;
        assert_eq!(locks.len(), left, "{class:?}");
    }
}

#[tokio::test]
async fn an_operator_ends_all_sessions_of_an_account() {
    let world = World::with_anna().await;
    let (one, other) = (world.tokens().await, world.tokens().await);
    let (id, operator) = (anna(&world).await, world.kit.operator());
    let people = world.people();
    let ended = people.end_account_sessions(&operator, id).await;
    assert_eq!(ended.unwrap(), 2);
    for tokens in [one, other] {
        assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
    }
    assert_eq!(world.recorded("account.end_sessions done").await, 1);
}

#[tokio::test]
async fn an_erased_account_is_gone_and_its_addresses_are_free() {
    let (world, _) = World::with_both().await;
    let tokens = world.tokens().await;
    let recovery = world
        .people()
        .start_password_recovery(caller(), email())
        .await
        .unwrap();
    let (id, operator) = (anna(&world).await, world.kit.operator());
    let people = world.people();
    people.erase_person(&operator, id).await.unwrap();
    assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
    let entered = world.try_log_in(&email(), PASSWORD).await;
    assert_eq!(refused(entered), Refusal::BadProof { left: None });
    let sent = people
        .send_password_recovery_token(caller(), recovery, None)
        .await;
    assert_eq!(refused(sent), Refusal::UnknownSubject);
    assert_eq!(people.count_accounts(&operator).await.unwrap(), 0);
    world.register(email()).await;
    world.register(phone()).await;
}

#[tokio::test]
async fn an_erased_account_leaves_no_wrong_passwords_behind() {
    let world = World::with_anna().await;
    let people = world.people();
    for count in 0..50 {
        let elsewhere = domain::Caller {
            network: format!("192.0.2.{count}/32"),
            ..caller()
        };
        let wrong = people.log_in(elsewhere, email(), password(NEW_PASSWORD));
        refused(wrong.await);
    }
    let (id, operator) = (anna(&world).await, world.kit.operator());
    people.erase_person(&operator, id).await.unwrap();
    world.register(email()).await;
    let details = world.people().details(world.signed_in().await).await;
    assert_eq!(details.unwrap().email.as_deref(), Some(EMAIL));
}
