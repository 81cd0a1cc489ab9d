//! Items 4 to 6: exact whatever the parallelism, over processes too.

use testkit::{Backing, Kit};

use crate::server::{Server, at_once};

testkit::on_every_store!(
    four_hundred_wrong_pins_at_once,
    one_right_pin_among_hundreds_of_wrong_ones,
    a_hundred_right_pins_at_once,
    two_hundred_right_pins_at_once_in_a_longer_line,
    two_hundred_wrong_codes_at_once,
    one_code_used_twenty_times_at_once,
    a_pin_change_among_wrong_guesses_holds,
    two_pin_changes_at_once_leave_one_pin,
    a_thousand_wrong_pins_on_two_nodes,
    three_hundred_wrong_codes_on_two_nodes,
);

/// Every answer is one that the sheet allows under load.
const LIMITED: [u16; 3] = [404, 429, 503];

async fn four_hundred_wrong_pins_at_once(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let tally = at_once((0..400).map(|guess| {
        let key = key.clone();
        async move { key.fetch(&format!("x{guess:04}")).await }
    }))
    .await;
    tally.only(&LIMITED);
    assert_eq!(tally.of(404), 10);
    assert_eq!(key.fetch("1234").await.status, 429);
}

/// The four endpoints together, the right PIN among them: it may win, and then the count starts anew, but
/// never are more than ten wrong ones judged between two right ones.
async fn one_right_pin_among_hundreds_of_wrong_ones(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let tally = at_once((0..200).map(|guess| {
        let key = key.clone();
        let pin = if guess == 100 {
            "1234".to_owned()
        } else {
            format!("x{guess:04}")
        };
        async move {
            match guess % 4 {
                0 => key.fetch(&pin).await,
                1 => key.change_pin(&pin, "1234").await,
                2 => key.add(&pin, "a@b.co").await,
                _ => key.remove(&pin, "a@b.co").await,
            }
        }
    }))
    .await;
    tally.only(&[200, 404, 429, 503]);
    assert!(tally.of(200) <= 1);
    let most = 10 * (1 + tally.of(200));
    assert!(tally.of(404) <= most, "{} were judged", tally.of(404));
}

async fn a_hundred_right_pins_at_once(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let tally = at_once((0..100).map(|_| {
        let key = key.clone();
        async move { key.fetch("1234").await }
    }))
    .await;
    tally.only(&[200, 503]);
    // Two at work and 64 in line.
    assert!(tally.of(200) >= 66, "only {} were served", tally.of(200));
    assert_eq!(key.state().await.failed_guesses, 0);
    assert_eq!(key.fetch("1234").await.status, 200);
}

async fn two_hundred_right_pins_at_once_in_a_longer_line(backing: Backing) {
    let longer = |policy: &mut domain::policy::Policy| policy.limits.queue_per_subject = 256;
    let server = Server::of(Kit::builder().store(backing.store()).policy(longer)).await;
    let key = server.create("1234").await;
    let tally = at_once((0..200).map(|_| {
        let key = key.clone();
        async move { key.fetch("1234").await }
    }))
    .await;
    tally.only(&[200]);
    assert_eq!(tally.of(200), 200);
    assert_eq!(key.state().await.failed_guesses, 0);
}

async fn two_hundred_wrong_codes_at_once(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let user = "a@b.co";
    assert_eq!(key.add("1234", user).await.status, 201);
    let right = key.code(user);
    let tally = at_once(
        (0..200)
            .map(|guess| format!("{guess:06}"))
            .filter(|code| *code != right)
            .map(|code| {
                let key = key.clone();
                async move { key.verify(user, &code).await }
            }),
    )
    .await;
    tally.only(&LIMITED);
    assert_eq!(tally.of(404), 10);
    assert_eq!(key.verify(user, &right).await.status, 429);
}

async fn one_code_used_twenty_times_at_once(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    for round in 0..5 {
        let user = format!("a{round}@b.co");
        assert_eq!(key.add("1234", &user).await.status, 201);
        let code = key.code(&user);
        let tally = at_once((0..20).map(|_| {
            let (key, user, code) = (key.clone(), user.clone(), code.clone());
            async move { key.verify(&user, &code).await }
        }))
        .await;
        tally.only(&[200, 404]);
        assert_eq!(tally.of(200), 1);
        // The same for a reset: one 423, and one lock.
        assert_eq!(key.reset(&user).await.status, 200);
        let code = key.code(&user);
        let tally = at_once((0..20).map(|_| {
            let (key, user, code) = (key.clone(), user.clone(), code.clone());
            async move { key.confirm(&user, &code, "5678").await }
        }))
        .await;
        tally.only(&[423, 404]);
        assert_eq!(tally.of(423), 1);
    }
}

async fn a_pin_change_among_wrong_guesses_holds(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("pin 0000").await;
    for round in 0..60 {
        let (old, new) = (format!("pin {round:04}"), format!("pin {:04}", round + 1));
        let tally = at_once((0..10).map(|caller| {
            let (key, old, new) = (key.clone(), old.clone(), new.clone());
            async move {
                if caller == round % 10 {
                    key.change_pin(&old, &new).await
                } else {
                    key.fetch("wrong").await
                }
            }
        }))
        .await;
        tally.only(&[200, 404]);
        assert_eq!((tally.of(200), tally.of(404)), (1, 9), "round {round}");
        // In this order: nine wrong ones may have come after the change.
        assert_eq!(
            key.fetch(&new).await.status,
            200,
            "the new PIN, round {round}"
        );
        assert_eq!(
            key.fetch(&old).await.status,
            404,
            "the old PIN, round {round}"
        );
        assert_eq!(key.fetch(&new).await.status, 200);
    }
}

/// Of two changes from the same PIN one wins; the other was checked against a PIN that is no more.
async fn two_pin_changes_at_once_leave_one_pin(backing: Backing) {
    let server = Server::over(&backing).await;
    let key = server.create("1234").await;
    let mut old = "1234".to_owned();
    for round in 0..20 {
        let new = |which: usize| format!("new {round} {which}");
        let tally = at_once((0..2).map(|which| {
            let (key, old, new) = (key.clone(), old.clone(), new(which));
            async move { key.change_pin(&old, &new).await }
        }))
        .await;
        tally.only(&[200, 404]);
        assert_eq!(tally.of(200), 1, "round {round}");
        let works = [
            key.fetch(&new(0)).await.status,
            key.fetch(&new(1)).await.status,
        ];
        assert!(works[0] != works[1], "{works:?}");
        assert_eq!(key.fetch(&old).await.status, 404);
        old = new(usize::from(works[1] == 200));
    }
}

/// Two servers on one database, as behind a load balancer without affinity.
async fn nodes(backing: &Backing) -> [Server; 2] {
    let first = Kit::builder().store(backing.store());
    let second = Kit::builder().store(backing.another_node()).seed(2);
    [Server::of(first).await, Server::of(second).await]
}

async fn a_thousand_wrong_pins_on_two_nodes(backing: Backing) {
    let nodes = nodes(&backing).await;
    let id = nodes[0].create("1234").await.id;
    let keys = nodes.each_ref().map(|node| node.key(&id));
    let tally = at_once((0..1000).map(|guess: usize| {
        let key = keys[guess % 2].clone();
        async move { key.fetch(&format!("x{guess:04}")).await }
    }))
    .await;
    tally.only(&LIMITED);
    assert_eq!(tally.of(404), 10, "exactly ten are judged");
    for key in keys {
        assert_eq!(key.fetch("1234").await.status, 429);
    }
}

async fn three_hundred_wrong_codes_on_two_nodes(backing: Backing) {
    let nodes = nodes(&backing).await;
    let first = nodes[0].create("1234").await;
    let user = "a@b.co";
    assert_eq!(first.add("1234", user).await.status, 201);
    let right = first.code(user);
    let keys = nodes.each_ref().map(|node| node.key(&first.id));
    let tally = at_once((0..300).filter(|guess| format!("{guess:06}") != right).map(
        |guess: usize| {
            let key = keys[guess % 2].clone();
            async move { key.verify(user, &format!("{guess:06}")).await }
        },
    ))
    .await;
    tally.only(&LIMITED);
    assert_eq!(tally.of(404), 10);
    assert_eq!(keys[1].verify(user, &right).await.status, 429);
}
