//! Two nodes on one database, on every store: races, and rights that end everywhere at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use testkit::{Backing, Kit};

use crate::device::Device;
use crate::world::{App, Manager, World, keys};

/// Two nodes, a tenant with an application, and a person there.
struct Pair {
    one: Arc<World>,
    two: Arc<World>,
    manager: Manager,
    app: App,
    user: String,
    _backing: Backing,
}

impl Pair {
    async fn new(backing: Backing) -> Self {
        let first = Kit::builder().store(backing.store()).build().await;
        let clock = Arc::clone(&first.clock);
        let second = Kit::builder()
            .store(backing.another_node())
            .seed(2)
            .clock(clock)
            .build()
            .await;
        let (one, two) = (Arc::new(World::over(first)), Arc::new(World::over(second)));
        one.sign_with_the_test_key().await;
        let manager = one.tenant("Nodes").await;
        let app = one.app(&manager, "Nodes").await;
        let user = two.user(&app.token).await;
        Self {
            one,
            two,
            manager,
            app,
            user,
            _backing: backing,
        }
    }

    fn node(&self, nth: usize) -> Arc<World> {
        Arc::clone(if nth.is_multiple_of(2) {
            &self.one
        } else {
            &self.two
        })
    }

    async fn device(&self, key: &str) -> Device {
        let device = Device::new();
        let answer = self
            .one
            .register(&self.app.token, &self.user, key, &device.public())
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        device
    }

    /// The statuses of `count` calls at once, on both nodes in turn.
    async fn storm(
        &self,
        count: usize,
        method: &'static str,
        path: &str,
        body: impl Fn(usize) -> Value,
    ) -> Vec<(u16, Value)> {
        let mut calls = Vec::new();
        for nth in 0..count {
            let (world, path, token, body) = (
                self.node(nth),
                path.to_owned(),
                self.app.token.clone(),
                body(nth),
            );
            calls.push(tokio::spawn(async move {
                let answer = world.call(method, &path, &token, &body).await;
                let json = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                (answer.status.as_u16(), json)
            }));
        }
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("a call ends"));
        }
        answers
    }
}

fn count(answers: &[(u16, Value)], wanted: impl Fn(&(u16, Value)) -> bool) -> usize {
    answers.iter().filter(|answer| wanted(answer)).count()
}

async fn one_of_many_registrations_of_a_name_wins(backing: Backing) {
    let pair = Pair::new(backing).await;
    let publics: Vec<String> = (0..16).map(|_| Device::new().public()).collect();
    let body = |nth: usize| json!({ "key_id": "same", "public_key": publics[nth] });
    let answers = pair.storm(16, "POST", &keys(&pair.user), body).await;
    assert_eq!(
        count(&answers, |(status, _)| *status == 201),
        1,
        "{answers:?}"
    );
    assert_eq!(
        count(&answers, |(status, _)| *status == 409),
        15,
        "{answers:?}"
    );
}

async fn one_of_many_registrations_of_a_public_key_wins(backing: Backing) {
    let pair = Pair::new(backing).await;
    let public = Device::new().public();
    let body = |nth: usize| json!({ "key_id": format!("k{nth}"), "public_key": public });
    let answers = pair.storm(16, "POST", &keys(&pair.user), body).await;
    assert_eq!(
        count(&answers, |(status, _)| *status == 201),
        1,
        "{answers:?}"
    );
    assert_eq!(
        count(&answers, |(status, _)| *status == 409),
        15,
        "{answers:?}"
    );
}

async fn the_hundred_and_first_key_is_refused(backing: Backing) {
    let pair = Pair::new(backing).await;
    let publics: Vec<String> = (0..110).map(|_| Device::new().public()).collect();
    let body = |nth: usize| json!({ "key_id": format!("k{nth}"), "public_key": publics[nth] });
    let answers = pair.storm(110, "POST", &keys(&pair.user), body).await;
    assert_eq!(count(&answers, |(status, _)| *status == 201), 100);
    assert_eq!(count(&answers, |(status, _)| *status == 409), 10);
    let list = pair.two.get(&keys(&pair.user), &pair.app.token).await;
    assert_eq!(list.json()["result"].as_array().map(Vec::len), Some(100));
}

async fn a_challenge_is_used_once(backing: Backing) {
    let pair = Pair::new(backing).await;
    let device = pair.device("key").await;
    let path = format!("{}/key/challenge", keys(&pair.user));
    let issued = pair
        .two
        .call("POST", &path, &pair.app.token, &Value::Null)
        .await;
    let challenge = issued.json()["result"]["challenge"]
        .as_str()
        .expect("a text")
        .to_owned();
    let body = json!({ "challenge": challenge, "signature": device.sign(&challenge) });
    let path = format!("{}/key/validate", keys(&pair.user));
    let answers = pair.storm(24, "POST", &path, |_| body.clone()).await;
    assert_eq!(
        count(&answers, |(_, body)| body["result"] == true),
        1,
        "{answers:?}"
    );
    assert_eq!(
        count(&answers, |(_, body)| body["result"] == false),
        23,
        "{answers:?}"
    );
}

async fn wrong_signatures_are_counted_exactly(backing: Backing) {
    let pair = Pair::new(backing).await;
    let device = pair.device("key").await;
    let body = json!({ "challenge": "a", "signature": device.sign("b") });
    let path = format!("{}/key/validate", keys(&pair.user));
    let answers = pair.storm(140, "POST", &path, |_| body.clone()).await;
    assert_eq!(
        count(&answers, |(status, body)| *status == 200
            && body["result"] == false),
        120
    );
    assert_eq!(count(&answers, |(status, _)| *status == 429), 20);
}

/// Checks run on both nodes all the while; of those that began after the block's answer none is true.
async fn no_check_that_starts_after_a_block_is_true(backing: Backing) {
    let pair = Pair::new(backing).await;
    let device = pair.device("key").await;
    let signature = device.sign("hello");
    let path = |verb: &str| format!("{}/key/{verb}", keys(&pair.user));
    for _ in 0..5 {
        let (blocked, stop) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (before, after) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut checkers = Vec::new();
        for nth in 0..8 {
            let (world, app, user) = (pair.node(nth), pair.app.clone(), pair.user.clone());
            let (blocked, stop, signature) =
                (Arc::clone(&blocked), Arc::clone(&stop), signature.clone());
            let (before, after) = (Arc::clone(&before), Arc::clone(&after));
            checkers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let late = blocked.load(Ordering::SeqCst);
                    let answer = world
                        .validate(&app.token, &user, "key", "hello", &signature)
                        .await;
                    if answer.status == 429 {
                        break;
                    }
                    match (late, answer.json()["result"] == true) {
                        (true, is_true) => assert!(!is_true, "true after the block"),
                        (false, true) => drop(before.fetch_add(1, Ordering::SeqCst)),
                        (false, false) => {}
                    }
                    after.fetch_add(u64::from(late), Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }));
        }
        while before.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
        let done = pair
            .two
            .call("PUT", &path("block"), &pair.app.token, &Value::Null)
            .await;
        assert_eq!(done.status, 200);
        blocked.store(true, Ordering::SeqCst);
        while after.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
        stop.store(true, Ordering::SeqCst);
        for checker in checkers {
            checker.await.expect("no check is true after the block");
        }
        pair.one
            .kit
            .clock
            .advance(std::time::Duration::from_secs(61));
        let done = pair
            .one
            .call("PUT", &path("unblock"), &pair.app.token, &Value::Null)
            .await;
        assert_eq!(done.status, 200);
    }
}

async fn rights_end_on_every_node_at_once(backing: Backing) {
    let pair = Pair::new(backing).await;
    let (one, two, manager) = (&pair.one, &pair.two, &pair.manager);
    let (client, secret, role) = one
        .limited_client(manager, &pair.app, &["devices:read"])
        .await;
    let token = one.token(&client, &secret, "").await;
    let list = keys(&pair.user);
    assert_eq!(two.get(&list, &token).await.status, 200);
    let path = format!("/cis/v1/client-roles/{role}");
    for (permissions, expected) in [
        (json!(["users:read"]), 403),
        (json!(["devices:list", "devices:read"]), 200),
    ] {
        let body = json!({ "permissions": permissions });
        assert_eq!(
            one.call("PUT", &path, &manager.token, &body).await.status,
            200
        );
        assert_eq!(two.get(&list, &token).await.status, expected);
    }
    // The token carries what it was made with: a new right needs a new token.
    let body = json!({ "permissions": ["devices:read", "users:read"] });
    assert_eq!(
        one.call("PUT", &path, &manager.token, &body).await.status,
        200
    );
    let user = format!("/cis/v1/users/{}", pair.user);
    assert_eq!(two.get(&user, &token).await.status, 403);
    assert_eq!(
        two.get(&user, &two.token(&client, &secret, "").await)
            .await
            .status,
        200
    );
    let path = format!("/cis/v1/applications/{}/clients/{client}", pair.app.id);
    assert_eq!(
        one.call("DELETE", &path, &manager.token, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(two.get(&list, &token).await.status, 401);
    assert_eq!(two.ask_token(&client, &secret, "").await.status, 401);
}

async fn a_new_signing_key_is_known_everywhere_at_once(backing: Backing) {
    let pair = Pair::new(backing).await;
    let list = keys(&pair.user);
    assert_eq!(pair.two.get(&list, &pair.app.token).await.status, 200);
    for _ in 0..2 {
        let rotated = pair
            .one
            .kit
            .services
            .tenants
            .rotate_token_key(&pair.one.kit.operator())
            .await;
        rotated.expect("the key rotates");
        let token = pair.one.token(&pair.app.client, &pair.app.secret, "").await;
        assert_eq!(pair.two.get(&list, &token).await.status, 200);
        assert_eq!(pair.two.get(&list, &pair.app.token).await.status, 200);
    }
}

async fn one_of_many_users_gets_an_email(backing: Backing) {
    let pair = Pair::new(backing).await;
    let body = |nth: usize| json!({ "email": if nth.is_multiple_of(3) { "a@b.example" } else { "A@B.example" } });
    let answers = pair.storm(12, "POST", "/cis/v1/users", body).await;
    assert_eq!(
        count(&answers, |(status, _)| *status == 201),
        1,
        "{answers:?}"
    );
    assert_eq!(
        count(&answers, |(status, _)| *status == 409),
        11,
        "{answers:?}"
    );
}

testkit::on_every_store!(
    one_of_many_registrations_of_a_name_wins,
    one_of_many_registrations_of_a_public_key_wins,
    the_hundred_and_first_key_is_refused,
    a_challenge_is_used_once,
    wrong_signatures_are_counted_exactly,
    no_check_that_starts_after_a_block_is_true,
    rights_end_on_every_node_at_once,
    a_new_signing_key_is_known_everywhere_at_once,
    one_of_many_users_gets_an_email,
);
