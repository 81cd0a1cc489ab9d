//! Item 9: send budgets. What is refused changes nothing, and budgets are exact under any parallelism.

use std::net::IpAddr;

use domain::policy::Policy;
use testkit::{Backing, Kit};

use crate::server::{Server, at_once};

testkit::on_every_store!(
    a_refused_send_changes_nothing_and_keeps_the_old_code,
    fifty_sends_at_once_pass_a_budget_of_ten_exactly,
    fifty_new_keys_at_once_pass_a_budget_of_ten_exactly,
    forty_new_users_at_once_are_twenty,
    a_letter_that_waits_is_withdrawn_when_a_newer_code_is_sent,
);

async fn a_refused_send_changes_nothing_and_keeps_the_old_code(backing: Backing) {
    let few = |policy: &mut Policy| policy.guarded_key.sends_per_contact[0].count = 2;
    let server = Server::of(Kit::builder().store(backing.store()).policy(few)).await;
    let key = server.create("1234").await;
    let user = "a@b.co";
    key.add("1234", user).await;
    key.add("1234", user).await;
    let code = key.code(user);
    let until = server.kit.services.now().plus(domain::time::hours(1));
    let before = (key.state().await, server.kit.courier.letters().len());
    for _ in 0..5 {
        let answer = key.add("1234", user).await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.member("delay"), until.rfc3339());
    }
    assert_eq!(
        (key.state().await, server.kit.courier.letters().len()),
        before
    );
    assert_eq!(key.verify(user, &code).await.status, 200);
    assert_eq!(key.reset(user).await.status, 429);
    server.kit.clock.set(until);
    assert_eq!(key.reset(user).await.status, 200);
    assert_eq!(key.reset(user).await.status, 200);
    let code = key.code(user);
    assert_eq!(key.reset(user).await.status, 429);
    assert_eq!(key.confirm(user, &code, "5678").await.status, 423);
}

async fn fifty_sends_at_once_pass_a_budget_of_ten_exactly(backing: Backing) {
    let first = Server::over(&backing).await;
    let second = Kit::builder().store(backing.another_node()).seed(2);
    let second = Server::of(second.courier(first.kit.courier.clone())).await;
    let key = first.create("1234").await;
    let user = "a@b.co";
    key.add_verified("1234", user).await;
    let before = first.kit.courier.letters().len();
    let keys = [key.clone(), second.key(&key.id)];
    let tally = at_once((0..50).map(|call| {
        let key = keys[call % 2].clone();
        async move { key.reset(user).await }
    }))
    .await;
    tally.only(&[200, 429]);
    // One of the ten in an hour was spent on the verification.
    assert_eq!(tally.of(200), 9);
    let letters = first.kit.courier.letters().len() - before;
    assert!((1..=9).contains(&letters), "{letters} letters");
    // The newest letter holds the code that counts.
    assert_eq!(key.confirm(user, &key.code(user), "5678").await.status, 423);
}

async fn fifty_new_keys_at_once_pass_a_budget_of_ten_exactly(backing: Backing) {
    let few = |policy: &mut Policy| {
        policy.guarded_key.new_keys_per_network.count = 10;
        policy.hash.queue = 1000;
    };
    let server = Server::of(Kit::builder().store(backing.store()).policy(few)).await;
    let client = server.kit.client(crate::setting::routes);
    let network: [u8; 4] = [203, 0, 113, 9];
    let client = client.from(IpAddr::from(network));
    let tally = at_once((0..50).map(|_| {
        let client = client.clone();
        async move {
            client
                .send("POST", "/v2/key", &[], r#"{"pin":"1234"}"#)
                .await
        }
    }))
    .await;
    tally.only(&[201, 429]);
    assert_eq!(tally.of(201), 10);
    assert_eq!(
        server
            .kit
            .services
            .guarded_keys
            .count_keys(&server.kit.operator())
            .await
            .unwrap(),
        10
    );
}

async fn forty_new_users_at_once_are_twenty(backing: Backing) {
    let many = |policy: &mut Policy| policy.limits.queue_per_subject = 256;
    let server = Server::of(Kit::builder().store(backing.store()).policy(many)).await;
    let key = server.create("1234").await;
    let tally = at_once((0..40).map(|user| {
        let key = key.clone();
        async move { key.add("1234", &format!("user{user}@b.co")).await }
    }))
    .await;
    tally.only(&[201, 400]);
    assert_eq!(tally.of(201), 20);
    assert_eq!(key.state().await.contacts.len(), 20);
    assert_eq!(server.kit.courier.letters().len(), 20);
}

async fn a_letter_that_waits_is_withdrawn_when_a_newer_code_is_sent(backing: Backing) {
    let server = Server::over(&backing).await;
    server.kit.courier.deliver_by_jobs();
    let key = server.create("1234").await;
    let user = "a@b.co";
    for _ in 0..3 {
        assert_eq!(key.add("1234", user).await.status, 201);
    }
    assert_eq!(server.kit.courier.letters().len(), 0);
    server.kit.run_jobs().await;
    assert_eq!(server.kit.courier.operations_to(user), ["verify_contact"]);
    assert_eq!(key.verify(user, &key.code(user)).await.status, 200);
}
