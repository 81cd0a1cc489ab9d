//! Item 3: ten tries, then 429, and what does and does not give tries back.

use std::time::Duration;

use domain::time::days;
use testkit::{Answer, Backing};

use crate::server::{Key, Server};

testkit::on_every_store!(
    ten_wrong_pins_close_all_four_endpoints,
    wrong_pins_at_any_of_the_four_count_together,
    a_right_pin_clears_the_count,
    ten_wrong_codes_close_the_user_and_a_new_code_opens_nothing,
    what_is_no_try_is_not_counted,
    a_restart_gives_nothing_back,
);

const MILLISECOND: Duration = Duration::from_millis(1);

/// The four endpoints that take a PIN, each with what it says to a right one.
async fn knock(key: &Key, endpoint: usize, pin: &str) -> Answer {
    match endpoint {
        0 => key.fetch(pin).await,
        1 => key.change_pin(pin, pin).await,
        2 => key.add(pin, "a@b.co").await,
        _ => key.remove(pin, "a@b.co").await,
    }
}

async fn ten_wrong_pins_close_all_four_endpoints(backing: Backing) {
    let server = Server::over(&backing).await;
    for endpoint in 0..4 {
        let key = server.create("1234").await;
        let first = server.kit.clock.advance(Duration::from_hours(1));
        for _ in 0..10 {
            assert_eq!(knock(&key, endpoint, "9999").await.status, 404);
            server.kit.clock.advance(Duration::from_hours(1));
        }
        let until = first.plus(days(7));
        for other in 0..4 {
            for pin in ["9999", "1234"] {
                let answer = knock(&key, other, pin).await;
                assert_eq!(answer.status, 429, "{}", answer.text());
                assert_eq!(answer.member("delay"), until.rfc3339());
            }
        }
        server.kit.clock.set(until.minus(MILLISECOND));
        assert_eq!(key.fetch("1234").await.status, 429);
        server.kit.clock.set(until);
        assert_eq!(key.fetch("1234").await.status, 200);
        assert_eq!(key.state().await.failed_guesses, 0);
    }
}

async fn wrong_pins_at_any_of_the_four_count_together(backing: Backing) {
    let key = Server::over(&backing).await.create("1234").await;
    for endpoint in [0, 1, 2, 3, 0, 1, 2, 3, 0, 1] {
        assert_eq!(knock(&key, endpoint, "9999").await.status, 404);
    }
    for endpoint in 0..4 {
        assert_eq!(knock(&key, endpoint, "1234").await.status, 429);
    }
}

async fn a_right_pin_clears_the_count(backing: Backing) {
    let key = Server::over(&backing).await.create("1234").await;
    // Fewer than thirty in all: so many wrong PINs are judged in a week, whatever is right in between.
    for endpoint in 0..4 {
        for _ in 0..7 {
            assert_eq!(key.fetch("9999").await.status, 404);
        }
        let answer = knock(&key, endpoint, "1234").await;
        assert!(answer.status.is_success(), "{}", answer.text());
        assert_eq!(key.state().await.failed_guesses, 0);
    }
}

async fn ten_wrong_codes_close_the_user_and_a_new_code_opens_nothing(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let user = "a@b.co";
    key.add_verified("1234", user).await;
    let first = server.kit.clock.advance(Duration::from_hours(1));
    for _ in 0..2 {
        assert_eq!(key.reset(user).await.status, 200);
        for _ in 0..5 {
            let answer = key.confirm(user, key.wrong_code(user), "5678").await;
            assert_eq!(answer.status, 404);
        }
        server.kit.clock.advance(Duration::from_mins(10));
    }
    let until = first.plus(days(7));
    let before = server.kit.courier.letters().len();
    for answer in [
        key.confirm(user, &key.code(user), "5678").await,
        key.confirm(user, key.wrong_code(user), "5678").await,
        key.reset(user).await,
    ] {
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.member("delay"), until.rfc3339());
    }
    assert_eq!(server.kit.courier.letters().len(), before);
    server.kit.clock.set(until);
    assert_eq!(key.step(user, "5678").await.status, 423);
    for _ in 0..9 {
        key.reset(user).await;
        assert_eq!(
            key.confirm(user, key.wrong_code(user), "5678").await.status,
            404
        );
        server.kit.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(
        key.step(user, "5678").await.status,
        423,
        "the right code cleared the count"
    );
}

async fn what_is_no_try_is_not_counted(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let user = "a@b.co";
    key.add("1234", user).await;
    for _ in 0..12 {
        assert_eq!(key.change_pin("9999", "1").await.status, 400);
        assert_eq!(key.fetch("1").await.status, 400);
        assert_eq!(key.add("9999", "nobody").await.status, 400);
        assert_eq!(key.send("HEAD", "", Some("9999"), None).await.status, 405);
        assert_eq!(key.verify(user, "12345").await.status, 400);
        assert_eq!(key.confirm(user, "123456", "5678").await.status, 404);
        assert_eq!(key.verify("other@b.co", "123456").await.status, 404);
    }
    assert_eq!(key.verify(user, &key.code(user)).await.status, 200);
    assert_eq!(key.fetch("1234").await.status, 200);
    assert_eq!(key.state().await.failed_guesses, 0);
}

/// A restart is another services over the same rows: nothing that counts may be in a process's memory.
async fn a_restart_gives_nothing_back(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    for _ in 0..9 {
        assert_eq!(key.fetch("9999").await.status, 404);
    }
    let again = Server::of(
        testkit::Kit::builder()
            .store(backing.another_node())
            .seed(2),
    )
    .await;
    let again = again.key(&key.id);
    assert_eq!(again.fetch("9999").await.status, 404);
    assert_eq!(again.fetch("1234").await.status, 429);
    assert_eq!(key.fetch("1234").await.status, 429);
}
