//! Accounts under calls at the same time: one of two rivals wins, and an account stays whole.

use domain::person::{Factor, Way, WayKind};
use domain::proof::session::SignedIn;
use domain::{Condition, Error, Refusal};
use testkit::Backing;

use crate::person::{
    NEW_PASSWORD, PASSWORD, World, caller, email, password, phone, refused, secret,
};

testkit::on_every_store!(
    one_of_two_addresses_stays_when_both_are_removed,
    an_address_that_two_accounts_prove_goes_to_one,
    of_two_new_passwords_one_counts,
    a_second_step_is_switched_on_once,
    an_authenticator_is_confirmed_once,
    a_login_during_the_removal_of_the_account_leaves_no_session,
    a_refresh_during_a_logout_leaves_no_session,
    a_new_password_and_a_recovery_leave_one_password,
);

const OTHER_PASSWORD: &str = "another long password";

/// The one of two that failed; the other one must have succeeded.
fn loser<T, U>(one: Result<T, Error>, other: Result<U, Error>) -> Refusal {
    match (one, other) {
        (Ok(_), Err(Error::Refused(refusal))) | (Err(Error::Refused(refusal)), Ok(_)) => refusal,
        (Ok(_), Ok(_)) => panic!("both succeeded"),
        (one, other) => panic!("{:?} {:?}", one.err(), other.err()),
    }
}

async fn one_of_two_addresses_stays_when_both_are_removed(backing: Backing) {
    let world = World::on(&backing).await;
    let who = world.signed_in().await;
    world.add(&who, &phone()).await;
    let (one, other) = (world.signed_in().await, world.signed_in().await);
    let people = world.people();
    let mut texts = Vec::new();
    for (who, way) in [(&one, email()), (&other, phone())] {
        let sent = people.send_removing_token(caller(), who.clone(), way.kind);
        sent.await.unwrap();
        texts.push(secret(&world.code(&way)));
    }
    let remove = |who: &SignedIn, kind, at: usize| {
        people.remove_address(caller(), who.clone(), kind, texts[at].clone())
    };
    let (first, second) = tokio::join!(
        remove(&one, WayKind::Email, 0),
        remove(&other, WayKind::Phone, 1)
    );
    let (winner, left) = if first.is_ok() {
        (one, phone())
    } else {
        (other, email())
    };
    // The first one ended the session of the second.
    assert_eq!(loser(first, second), Refusal::Blocked);
    let details = people.details(winner).await.unwrap();
    let given = details.email.or(details.phone);
    assert_eq!(given, Some(left.given.clone()));
    world.try_log_in(&left, PASSWORD).await.unwrap();
}

async fn an_address_that_two_accounts_prove_goes_to_one(backing: Backing) {
    let world = World::on(&backing).await;
    let bert = Way::email("bert@example.com");
    world.register(bert.clone()).await;
    let people = world.people();
    let anna = world.signed_in().await;
    let domain::person::LoggedIn::Done(tokens) = world.try_log_in(&bert, PASSWORD).await.unwrap()
    else {
        panic!("no step is on");
    };
    let bert = world.authenticate(&tokens).await.unwrap();
    let mut texts = Vec::new();
    for who in [&anna, &bert] {
        let sent = people.send_adding_token(caller(), who.clone(), phone());
        sent.await.unwrap();
        texts.push(secret(&world.code(&phone())));
    }
    let add = |who: &SignedIn, at: usize| {
        people.add_address(caller(), who.clone(), phone(), texts[at].clone())
    };
    let (first, second) = tokio::join!(add(&anna, 0), add(&bert, 1));
    let winner = if first.is_ok() { &anna } else { &bert };
    assert_eq!(loser(first, second), Refusal::Conflict);
    assert_eq!(people.account_at(phone()).await.unwrap(), winner.person());
}

async fn change_password(
    world: &World,
    who: &SignedIn,
    new: &str,
    text: &str,
) -> Result<(), Error> {
    let (old, new) = (password(PASSWORD), password(new));
    let people = world.people();
    people
        .change_password(caller(), who.clone(), old, new, secret(text))
        .await
}

async fn password_code(world: &World, who: &SignedIn) -> String {
    let people = world.people();
    let sent = people.send_password_change_token(caller(), who.clone());
    sent.await.unwrap();
    world.code(&email())
}

async fn of_two_new_passwords_one_counts(backing: Backing) {
    let world = World::on(&backing).await;
    let (one, other) = (world.signed_in().await, world.signed_in().await);
    let texts = (
        password_code(&world, &one).await,
        password_code(&world, &other).await,
    );
    let (first, second) = tokio::join!(
        change_password(&world, &one, NEW_PASSWORD, &texts.0),
        change_password(&world, &other, OTHER_PASSWORD, &texts.1)
    );
    let (right, wrong) = if first.is_ok() {
        (NEW_PASSWORD, OTHER_PASSWORD)
    } else {
        (OTHER_PASSWORD, NEW_PASSWORD)
    };
    // The first one ended the session of the second.
    assert_eq!(loser(first, second), Refusal::Blocked);
    assert!(world.try_log_in(&email(), wrong).await.is_err());
    world.try_log_in(&email(), right).await.unwrap();
}

async fn a_second_step_is_switched_on_once(backing: Backing) {
    let world = World::on(&backing).await;
    let who = world.signed_in().await;
    world.kit.courier.forget();
    let on = || {
        let people = world.people();
        people.enable_second_step(caller(), who.clone(), WayKind::Email)
    };
    let (first, second) = tokio::join!(on(), on());
    let lost = loser(first, second);
    assert_eq!(lost, Refusal::Unmet(Condition::FactorOff));
    assert_eq!(world.told(&email()), ["mfa_on"]);
}

async fn an_authenticator_is_confirmed_once(backing: Backing) {
    let world = World::on(&backing).await;
    let who = world.signed_in().await;
    let people = world.people();
    let new = people.start_authenticator(caller(), who.clone()).await;
    let key = crate::person::base32(new.unwrap().secret.expose());
    let text = world.app_code(&key);
    let confirm = || people.confirm_authenticator(caller(), who.clone(), secret(&text));
    let (first, second) = tokio::join!(confirm(), confirm());
    let lost = loser(first, second);
    assert_eq!(lost, Refusal::Unmet(Condition::FactorOff));
    let details = people.details(who).await.unwrap();
    assert_eq!(details.second_steps, [Factor::Authenticator]);
}

async fn a_login_during_the_removal_of_the_account_leaves_no_session(backing: Backing) {
    let world = World::on(&backing).await;
    let people = world.people();
    let id = people.account_at(email()).await.unwrap();
    let operator = world.kit.operator();
    let way = email();
    let (entered, erased) = tokio::join!(
        world.try_log_in(&way, PASSWORD),
        people.erase_person(&operator, id)
    );
    erased.unwrap();
    match entered {
        Ok(domain::person::LoggedIn::Done(tokens)) => {
            assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
        }
        Ok(steps) => panic!("{steps:?}"),
        Err(error) => {
            let wrong = Refusal::BadProof { left: None };
            assert_eq!(refused::<()>(Err(error)), wrong);
        }
    }
}

async fn a_refresh_during_a_logout_leaves_no_session(backing: Backing) {
    let world = World::on(&backing).await;
    let tokens = world.tokens().await;
    let who = world.authenticate(&tokens).await.unwrap();
    let people = world.people();
    let (refreshed, ended) = tokio::join!(
        people.refresh_session(caller(), tokens.refresh.clone()),
        people.log_out(caller(), who)
    );
    ended.unwrap();
    let mut all = vec![tokens];
    match refreshed {
        Ok(newer) => all.push(newer),
        Err(error) => assert_eq!(refused::<()>(Err(error)), Refusal::Replayed),
    }
    for tokens in all {
        assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
        let again = people.refresh_session(caller(), tokens.refresh).await;
        assert_eq!(refused(again), Refusal::Replayed);
    }
}

async fn a_new_password_and_a_recovery_leave_one_password(backing: Backing) {
    let world = World::on(&backing).await;
    let who = world.signed_in().await;
    let process = crate::person_recovery::recovered(&world).await;
    let text = password_code(&world, &who).await;
    let people = world.people();
    let (changed, recovered) = tokio::join!(
        change_password(&world, &who, NEW_PASSWORD, &text),
        people.finish_password_recovery(caller(), process, password(OTHER_PASSWORD))
    );
    let right = if changed.is_ok() {
        NEW_PASSWORD
    } else {
        OTHER_PASSWORD
    };
    let lost = loser(changed, recovered);
    let expected = [Refusal::Blocked, Refusal::UnknownSubject];
    assert!(expected.contains(&lost), "{lost:?}");
    world.try_log_in(&email(), right).await.unwrap();
}
