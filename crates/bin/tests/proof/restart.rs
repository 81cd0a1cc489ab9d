//! Nothing that bounds an attacker is forgotten by a restart, an orderly one or not.

use crate::server::{House, Server};

/// Ends a server in one of two ways, and starts the next.
fn again(house: &House, server: Server, orderly: bool) -> Server {
    if orderly {
        server.stop();
    } else {
        server.kill();
    }
    house.start()
}

#[test]
fn ten_wrong_pins_stay_ten_and_their_delay_stays_the_same() {
    let house = House::new();
    let mut server = house.start();
    let key = server.photon().new_key("2468");
    for _ in 0..10 {
        let answer = server.photon().open(&key, "0000").unwrap();
        assert_eq!(answer.status, 404);
    }
    let refused = server.photon().open(&key, "2468").unwrap();
    assert_eq!(refused.status, 429);
    let delay = refused.field("delay");
    assert!(delay.is_some());
    for orderly in [true, false, true] {
        server = again(&house, server, orderly);
        for pin in ["0000", "2468"] {
            let answer = server.photon().open(&key, pin).unwrap();
            assert_eq!((answer.status, answer.field("delay")), (429, delay.clone()));
        }
    }
    // The window ends when it said it would, wherever the clock was moved.
    house.advance("3d");
    server = again(&house, server, false);
    let answer = server.photon().open(&key, "2468").unwrap();
    assert_eq!((answer.status, answer.field("delay")), (429, delay));
    house.advance("4d");
    server = again(&house, server, true);
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    house.assert_no_panic();
}

#[test]
fn five_wrong_pins_before_a_kill_leave_five_after_it() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let wrong = |server: &Server| server.photon().open(&key, "0000").unwrap().status;
    for _ in 0..5 {
        assert_eq!(wrong(&server), 404);
    }
    let server = again(&house, server, false);
    let after: Vec<u16> = (0..7).map(|_| wrong(&server)).collect();
    assert_eq!(after, [404, 404, 404, 404, 404, 429, 429]);
}

#[test]
fn a_moved_clock_stays_moved() {
    let house = House::new();
    let mut server = house.start();
    house.advance("400d");
    let now = || {
        let moved = house.keyward(&["dev", "clock", "advance", "0s"]);
        moved.out.trim().to_owned()
    };
    let before = now();
    for orderly in [true, false] {
        server = again(&house, server, orderly);
        let after = now();
        assert!(after >= before, "{after} is not before {before}");
        assert_eq!(after[..10], before[..10], "not a day more either");
    }
}

#[test]
fn a_lock_and_its_end_stay_and_only_the_end_opens_it() {
    let house = House::new();
    let mut server = house.start();
    let mut mailbox = crate::mailbox::Mailbox::of(house.data());
    let user = "anna@example.org";
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    assert_eq!(
        server.photon().add_user(&key, "2468", user).unwrap().status,
        201
    );
    let code = mailbox.newest(user).unwrap();
    assert_eq!(
        server.photon().verify(&key, user, &code).unwrap().status,
        200
    );
    let mut reset = |server: &Server| {
        assert_eq!(server.photon().ask_reset(&key, user).unwrap().status, 200);
        let code = mailbox.newest(user).unwrap();
        let answer = server.photon().reset(&key, user, &code, "1357").unwrap();
        let replay = server.photon().reset(&key, user, &code, "1357").unwrap();
        assert_eq!(replay.status, 404, "a code is spent");
        (answer.status, answer.field("delay"))
    };
    let locked = reset(&server);
    assert_eq!(locked.0, 423);
    for orderly in [false, true] {
        server = again(&house, server, orderly);
        assert_eq!(reset(&server), locked);
    }
    house.advance("29d");
    server = again(&house, server, false);
    assert_eq!(reset(&server), locked);
    house.advance("24h");
    server = again(&house, server, true);
    assert_eq!(reset(&server), (200, None));
    assert_eq!(server.photon().content(&key, "1357"), content);
    house.assert_no_panic();
}

#[test]
fn a_stopped_server_leaves_one_file_that_is_whole() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    server.stop();
    let log = house.data().join("keyward.db-wal");
    let left = std::fs::metadata(&log).map_or(0, |meta| meta.len());
    assert_eq!(left, 0, "nothing is in the log only");
    let copy = House::new();
    std::fs::create_dir(copy.data()).unwrap();
    for name in ["keyward.db", "keyward.keys"] {
        std::fs::copy(house.data().join(name), copy.data().join(name)).unwrap();
    }
    assert_eq!(copy.start().photon().content(&key, "2468"), content);
}

#[test]
fn a_log_whose_database_was_moved_away_is_not_wiped_out() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    server.kill();
    let [database, log] = ["keyward.db", "keyward.db-wal"].map(|name| house.data().join(name));
    let aside = house.folder().join("aside.db");
    let before = std::fs::read(&log).unwrap();
    assert!(!before.is_empty());
    std::fs::rename(&database, &aside).unwrap();
    for _ in 0..2 {
        house
            .refused()
            .says(&["keyward.db-wal holds the newest changes"]);
    }
    let restored = house.keyward(&["restore", "--from", "nothing"]);
    assert!(!restored.status.success());
    assert_eq!(std::fs::read(&log).unwrap(), before);
    std::fs::rename(&aside, &database).unwrap();
    assert_eq!(house.start().photon().content(&key, "2468"), content);
}
