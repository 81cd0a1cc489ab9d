//! An older database that was put back gives no wrong password and no used code back, in vaults and accounts.

use std::time::Duration;

use domain::person::{LoggedIn, WayKind};
use domain::vault::VaultStanding;
use domain::{Error, Refusal};
use testkit::Kit;

use crate::owner::outcome;
use crate::person::{NEW_PASSWORD, PASSWORD, World, caller, code, email, password, refused};
use crate::rollback::{WRONG, accept, anchor, exhausted, put_back, snapshot};
use crate::vault::{ANN, User, open_kit};

/// Lets something happen after a copy of the database was made, puts the copy back, and accepts that.
async fn roll_back(kit: &Kit, then: impl Future<Output = ()>) {
    anchor(kit).await;
    let old = snapshot(kit).await;
    then.await;
    let newest = anchor(kit).await;
    put_back(kit, &old).await;
    accept(kit, &newest).await;
}

fn is_exhausted(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Exhausted { .. })
}

#[tokio::test]
async fn one_wrong_password_locks_a_vault_whose_failures_are_forgotten() {
    let kit = open_kit(|_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    ann.password = 8;
    roll_back(&kit, async {
        assert_eq!(outcome(ann.login().await), WRONG);
    })
    .await;
    assert_eq!(outcome(ann.login().await), WRONG);
    ann.password = 7;
    assert!(exhausted(&outcome(ann.login().await)).is_some());
    kit.clock.advance(Duration::from_secs(900));
    ann.login().await.unwrap();
}

#[tokio::test]
async fn the_owner_of_a_vault_logs_in_after_a_rollback() {
    let kit = open_kit(|_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    let before = ann.token.clone();
    roll_back(&kit, async {
        ann.add_entry().await.unwrap();
    })
    .await;
    let entered = ann.vaults.enter(&caller(), Some(&before)).await.unwrap();
    assert!(matches!(entered.standing, VaultStanding::Unknown));
    ann.token = ann.login().await.unwrap().token;
    assert!(ann.sees().await.entries.is_empty());
}

#[tokio::test]
async fn one_wrong_password_locks_an_account_whose_failures_are_forgotten() {
    let world = World::with_anna().await;
    let wrong = Refusal::BadProof { left: None };
    roll_back(&world.kit, async {
        let tried = world.try_log_in(&email(), NEW_PASSWORD).await;
        assert_eq!(refused(tried), wrong);
    })
    .await;
    let tried = world.try_log_in(&email(), NEW_PASSWORD).await;
    assert_eq!(refused(tried), wrong);
    let people = world.people();
    let elsewhere = domain::Caller {
        network: "192.0.2.1/32".to_owned(),
        ..caller()
    };
    let right = people.log_in(elsewhere, email(), password(PASSWORD)).await;
    assert!(is_exhausted(&refused(right)));
}

#[tokio::test]
async fn the_owner_of_an_account_logs_in_after_a_rollback() {
    let world = World::with_anna().await;
    let before = world.tokens().await;
    roll_back(&world.kit, async {
        world.tokens().await;
    })
    .await;
    assert_eq!(refused(world.authenticate(&before).await), Refusal::Blocked);
    world.tokens().await;
}

#[tokio::test]
async fn one_wrong_code_locks_the_second_step_after_a_rollback() {
    let world = World::with_anna().await;
    let who = world.signed_in().await;
    world.second_step(&who, WayKind::Email).await;
    let people = world.people();
    let try_code = async || {
        let (process, _) = world.stepping().await;
        refused(
            people
                .verify_login(caller(), process, vec![code("wrong")])
                .await,
        )
    };
    roll_back(&world.kit, async {
        try_code().await;
    })
    .await;
    assert_eq!(try_code().await, Refusal::BadProof { left: Some(0) });
    assert!(is_exhausted(&try_code().await));
}

/// Anna with an authenticator, after a rollback: its secret, and a recovery code.
async fn with_app_rolled_back(world: &World) -> (Vec<u8>, String) {
    let who = world.signed_in().await;
    let (key, mut recovery) = world.authenticator(&who).await;
    roll_back(&world.kit, async {
        enter(world, &recovery[0]).await.unwrap();
    })
    .await;
    (key, recovery.remove(1))
}

async fn enter(world: &World, text: &str) -> Result<LoggedIn, Error> {
    let (process, _) = world.stepping().await;
    let people = world.people();
    people
        .verify_login(caller(), process, vec![code(text)])
        .await
}

#[tokio::test]
async fn recovery_codes_are_over_after_a_rollback() {
    let world = World::with_anna().await;
    let (_, recovery) = with_app_rolled_back(&world).await;
    let people = world.people();
    let id = people.account_at(email()).await.unwrap();
    let operator = world.kit.operator();
    let state = people.person_state(&operator, id);
    let state = state.await.unwrap();
    assert_eq!((state.authenticator, state.recovery_codes_left), (true, 0));
    let entered = refused(enter(&world, &recovery).await);
    assert!(matches!(entered, Refusal::BadProof { .. }), "{entered:?}");
}

#[tokio::test]
async fn the_code_that_an_app_shows_may_have_been_used_before_a_rollback() {
    let world = World::with_anna().await;
    let (key, _) = with_app_rolled_back(&world).await;
    let entered = refused(enter(&world, &world.app_code(&key)).await);
    assert!(matches!(entered, Refusal::BadProof { .. }), "{entered:?}");
}

#[tokio::test]
async fn a_later_code_of_an_app_is_right_after_a_rollback() {
    let world = World::with_anna().await;
    let (key, _) = with_app_rolled_back(&world).await;
    world.pass(90);
    enter(&world, &world.app_code(&key)).await.unwrap();
}
