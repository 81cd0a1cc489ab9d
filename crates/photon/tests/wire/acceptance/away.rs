//! §12 and the server's promise under failure: what cannot be recorded is not judged, a full line is told to
//! come again, and every answer keeps the wire's shape.

use std::sync::Arc;

use domain::port::Store;
use testkit::{Answer, Backing, FaultyStore, Kit};

use crate::server::{Key, Server, at_once};
use crate::setting::every_answer;

testkit::on_every_store!(
    a_database_that_is_away_judges_nothing,
    a_full_line_is_503_and_counts_nothing,
);

const USER: &str = "a@b.co";

/// Every endpoint but the first, with what it says of a fault.
async fn every_call(key: &Key) -> [(Answer, &'static str); 6] {
    [
        (key.fetch("1234").await, "Error reading key"),
        (key.change_pin("1234", "5678").await, "Error changing pin"),
        (key.add("1234", "b@b.co").await, "Error creating user"),
        (key.verify(USER, "123456").await, "Error verifying user"),
        (key.reset(USER).await, "Error resetting pin"),
        (key.remove("1234", USER).await, "Error deleting user"),
    ]
}

fn is_away(answer: &Answer, message: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.member("message"), message);
    assert_eq!(every_answer("GET", "/v2/key", answer), Ok(()));
}

async fn a_database_that_is_away_judges_nothing(backing: Backing) {
    let store = FaultyStore::over(backing.store());
    let server = Server::of(Kit::builder().store(Arc::clone(&store) as Arc<dyn Store>)).await;
    let key = server.create("1234").await;
    key.add_verified("1234", USER).await;
    for read_only in [true, false] {
        if read_only {
            store.refuse_writes_after(0);
        } else {
            store.take_away();
        }
        let client = server.kit.client(crate::setting::routes);
        let answer = client
            .send("POST", "/v2/key", &[], r#"{"pin":"1234"}"#)
            .await;
        is_away(&answer, "Error creating key");
        for round in 0..3 {
            for (answer, message) in every_call(&key).await {
                // Nothing is waited for, which a database that can be read still knows.
                if !(read_only && message == "Error verifying user" && answer.status == 404) {
                    is_away(&answer, message);
                }
            }
            is_away(
                &key.fetch(&format!("wrong {round}")).await,
                "Error reading key",
            );
        }
        // Malformed stays malformed.
        assert_eq!(key.fetch("1").await.status, 400);
        store.give_back();
    }
    assert_eq!(key.state().await.failed_guesses, 0);
    assert_eq!(key.fetch("1234").await.status, 200);
}

async fn a_full_line_is_503_and_counts_nothing(backing: Backing) {
    let short = |policy: &mut domain::policy::Policy| policy.limits.queue_per_subject = 1;
    let server = Server::of(Kit::builder().store(backing.store()).policy(short)).await;
    let key = server.create("1234").await;
    let other = server.create("1234").await;
    let tally = at_once((0..60).map(|_| {
        let key = key.clone();
        async move { key.fetch("9999").await }
    }))
    .await;
    tally.only(&[404, 429, 503]);
    let busy = tally.0.iter().filter(|answer| answer.status == 503);
    for answer in busy {
        assert_eq!(answer.member("message"), "Busy");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(every_answer("GET", "/v2/key", answer), Ok(()));
    }
    let judged = u32::try_from(tally.of(404)).unwrap();
    assert_eq!(key.state().await.failed_guesses, judged);
    assert_eq!(
        other.fetch("1234").await.status,
        200,
        "the line is one of its own key"
    );
}
