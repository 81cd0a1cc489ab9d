//! Sessions, through the service of people.

use domain::Refusal;
use domain::proof::session::Tokens;

use crate::person::{World, caller, email, refused};

async fn refresh(world: &World, tokens: &Tokens) -> Result<Tokens, domain::Error> {
    let token = tokens.refresh.clone();
    world.people().refresh_session(caller(), token).await
}

#[tokio::test]
async fn a_refresh_token_gives_a_new_pair() {
    let world = World::with_anna().await;
    let first = world.tokens().await;
    world.pass(60);
    let second = refresh(&world, &first).await.unwrap();
    assert_ne!(first.refresh, second.refresh);
    world.authenticate(&second).await.unwrap();
    world.pass(60);
    refresh(&world, &second).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_got_lost_is_given_again_for_a_moment() {
    let world = World::with_anna().await;
    let first = world.tokens().await;
    world.pass(60);
    let second = refresh(&world, &first).await.unwrap();
    world.pass(9);
    let again = refresh(&world, &first).await.unwrap();
    assert_eq!(second.refresh, again.refresh);
    assert_eq!(second.access, again.access);
    refresh(&world, &second).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_the_session() {
    let world = World::with_anna().await;
    let first = world.tokens().await;
    world.pass(60);
    let second = refresh(&world, &first).await.unwrap();
    world.pass(10);
    assert_eq!(refused(refresh(&world, &first).await), Refusal::Replayed);
    assert_eq!(world.recorded("session.refresh reused").await, 1);
    assert_eq!(refused(refresh(&world, &second).await), Refusal::Replayed);
    assert_eq!(refused(world.authenticate(&second).await), Refusal::Blocked);
}

#[tokio::test]
async fn of_two_uses_at_once_both_get_the_same_pair() {
    let world = World::with_anna().await;
    let first = world.tokens().await;
    world.pass(60);
    let (one, other) = tokio::join!(refresh(&world, &first), refresh(&world, &first));
    assert_eq!(one.unwrap().refresh, other.unwrap().refresh);
}

#[tokio::test]
async fn an_access_token_lives_a_quarter_of_an_hour() {
    let world = World::with_anna().await;
    let tokens = world.tokens().await;
    world.pass(900);
    world.authenticate(&tokens).await.unwrap();
    world.pass(5);
    assert_eq!(refused(world.authenticate(&tokens).await), Refusal::Blocked);
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_however_often_it_is_refreshed() {
    let world = World::with_anna().await;
    let mut tokens = world.tokens().await;
    for _ in 0..5 {
        world.pass(6 * 86_400 - 1);
        tokens = refresh(&world, &tokens).await.unwrap();
    }
    world.pass(5);
    assert_eq!(refused(refresh(&world, &tokens).await), Refusal::Replayed);
}

#[tokio::test]
async fn neither_kind_of_token_passes_for_the_other() {
    let world = World::with_anna().await;
    let tokens = world.tokens().await;
    let people = world.people();
    let refresh = people.authenticate(tokens.refresh.expose()).await;
    assert_eq!(refused(refresh), Refusal::Blocked);
    let access = people
        .refresh_session(caller(), tokens.access.clone())
        .await;
    assert_eq!(refused(access), Refusal::Replayed);
    assert_eq!(
        refused(people.authenticate("no token").await),
        Refusal::Blocked
    );
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() {
    let world = World::with_anna().await;
    let (one, other) = (world.tokens().await, world.tokens().await);
    let who = world.authenticate(&one).await.unwrap();
    world.people().log_out(caller(), who).await.unwrap();
    assert_eq!(refused(world.authenticate(&one).await), Refusal::Blocked);
    assert_eq!(refused(refresh(&world, &one).await), Refusal::Replayed);
    world.authenticate(&other).await.unwrap();
}

#[tokio::test]
async fn tokens_outlive_a_rotation_of_the_signing_keys() {
    let world = World::with_anna().await;
    let tokens = world.tokens().await;
    world.pass(1);
    let people = world.people();
    let kids = people
        .rotate_person_keys(&world.kit.operator())
        .await
        .unwrap();
    assert_eq!(kids.len(), 2);
    world.authenticate(&tokens).await.unwrap();
    refresh(&world, &tokens).await.unwrap();
    let published = people.access_keys().await.unwrap();
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].kid, kids[0]);
    world.pass(1_500);
    assert_eq!(people.access_keys().await.unwrap().len(), 1);
    world
        .try_log_in(&email(), crate::person::PASSWORD)
        .await
        .unwrap();
}
