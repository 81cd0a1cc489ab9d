//! Two processes: on one PostgreSQL they are one server; on one SQLite file the second refuses.

use std::collections::BTreeMap;
use std::io;
use std::sync::Barrier;
use std::thread;

use crate::http::Answer;
use crate::mailbox::{Code, Mailbox};
use crate::photon::Photon;
use crate::postgres::Database;
use crate::server::{House, Server};
use crate::wait::until;

/// Two servers on one database, the second with a copy of the first one's key file.
pub(crate) struct Pair {
    pub(crate) houses: [House; 2],
    pub(crate) servers: [Server; 2],
    _database: Database,
}

pub(crate) fn pair(test: &str, settings: &[(&str, &str)]) -> Option<Pair> {
    let database = Database::of(test)?;
    let house = || {
        let house = House::new().with("KEYWARD_STORAGE__URL", &database.url);
        let set = |house: House, (name, value): &(&str, &str)| house.with(name, value);
        settings.iter().fold(house, set)
    };
    let houses = [house(), house()];
    let first = houses[0].start();
    std::fs::create_dir(houses[1].data()).unwrap();
    std::fs::copy(houses[0].key_file(), houses[1].key_file()).unwrap();
    let second = houses[1].start();
    Some(Pair {
        houses,
        servers: [first, second],
        _database: database,
    })
}

impl Pair {
    /// Sends `count` requests at the same moment, every other one to the other server, and counts the answers.
    fn storm(
        &self,
        count: usize,
        send: impl Fn(&mut Photon, usize) -> io::Result<Answer> + Sync,
    ) -> BTreeMap<u16, usize> {
        storm(&[&self.servers[0], &self.servers[1]], count, send)
    }
}

/// The same with any number of servers.
fn storm(
    servers: &[&Server],
    count: usize,
    send: impl Fn(&mut Photon, usize) -> io::Result<Answer> + Sync,
) -> BTreeMap<u16, usize> {
    let gate = Barrier::new(count);
    let mut answers = BTreeMap::new();
    thread::scope(|scope| {
        let one = |nth: usize| {
            let (gate, send) = (&gate, &send);
            let mut client = servers[nth % servers.len()].photon();
            let send = move || {
                gate.wait();
                send(&mut client, nth).unwrap().status
            };
            let thread = thread::Builder::new().stack_size(256 * 1024);
            thread.spawn_scoped(scope, send).unwrap()
        };
        let threads: Vec<_> = (0..count).map(one).collect();
        for thread in threads {
            *answers.entry(thread.join().unwrap()).or_insert(0) += 1;
        }
    });
    answers
}

fn only(answers: &BTreeMap<u16, usize>, allowed: &[u16]) {
    let strange = answers.keys().find(|status| !allowed.contains(status));
    assert_eq!(strange, None, "{answers:?}");
}

#[test]
fn a_thousand_parallel_wrong_pins_over_two_nodes_get_exactly_ten_guesses() {
    let Some(pair) = pair("thousand_wrong", &[]) else {
        return;
    };
    let key = pair.servers[0].photon().new_key("2468");
    let answers = pair.storm(1000, |photon, nth| photon.open(&key, &format!("{nth:05}")));
    only(&answers, &[404, 429, 503]);
    // Those who were turned away unheard by a full queue come back until the budget is used up.
    let mut judged = answers[&404];
    while pair.servers[1].photon().open(&key, "00000").unwrap().status == 404 {
        judged += 1;
    }
    assert_eq!(judged, 10, "{answers:?}");
    for server in &pair.servers {
        let right = server.photon().open(&key, "2468").unwrap();
        assert_eq!(right.status, 429, "also for the right PIN");
    }
    pair.houses.iter().for_each(House::assert_no_panic);
    pair.houses[0].verify_audit();
}

#[test]
fn a_thousand_parallel_wrong_pins_on_one_node_get_exactly_ten_guesses() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let answers = storm(&[&server], 1000, |photon, nth| {
        photon.open(&key, &format!("{nth:05}"))
    });
    only(&answers, &[404, 429, 503]);
    let mut judged = answers[&404];
    while server.photon().open(&key, "00000").unwrap().status == 404 {
        judged += 1;
    }
    assert_eq!(judged, 10, "{answers:?}");
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 429);
    house.assert_no_panic();
    house.verify_audit();
}

#[test]
fn two_hundred_parallel_right_pins_over_two_nodes_are_never_refused() {
    let Some(pair) = pair("right", &[]) else {
        return;
    };
    let key = pair.servers[0].photon().new_key("2468");
    let answers = pair.storm(200, |photon, _| photon.open(&key, "2468"));
    only(&answers, &[200, 503]);
    assert!(answers[&200] >= 64, "{answers:?}");
    // Nothing of it counts: ten wrong ones are still judged.
    let after: Vec<u16> = (0..11)
        .map(|_| pair.servers[1].photon().open(&key, "0000").unwrap().status)
        .collect();
    assert_eq!(after, [[404; 10].as_slice(), &[429]].concat());
}

#[test]
fn with_a_long_enough_queue_two_hundred_right_pins_all_open() {
    let Some(pair) = pair("queue", &[("KEYWARD_LIMITS__QUEUE_PER_SUBJECT", "256")]) else {
        return;
    };
    let key = pair.servers[0].photon().new_key("2468");
    let answers = pair.storm(200, |photon, _| photon.open(&key, "2468"));
    assert_eq!(answers, BTreeMap::from([(200, 200)]));
}

#[test]
fn one_code_raced_over_two_nodes_is_taken_once() {
    let Some(pair) = pair("code_race", &[]) else {
        return;
    };
    for round in 0..crate::scaled(5, 50) {
        let key = pair.servers[0].photon().new_key("2468");
        let user = format!("anna{round}@example.org");
        let added = pair.servers[0].photon().add_user(&key, "2468", &user);
        assert_eq!(added.unwrap().status, 201);
        let code = Mailbox::first_of(&pair.houses, &user);
        let answers = pair.storm(20, |photon, _| photon.verify(&key, &user, &code));
        only(&answers, &[200, 404, 429, 503]);
        assert_eq!(answers.get(&200), Some(&1), "{answers:?}");
    }
}

#[test]
fn the_code_that_ends_a_reset_is_taken_once_over_two_nodes() {
    let Some(pair) = pair("reset_race", &[]) else {
        return;
    };
    let user = "anna@example.org";
    let mut here = pair.servers[0].photon();
    let key = here.new_key("2468");
    let mut mailboxes = pair
        .houses
        .each_ref()
        .map(|house| Mailbox::of(house.data()));
    let mut known: Vec<Code> = Vec::new();
    let mut code = || {
        let next = until("a letter", || {
            let mut codes = mailboxes.iter_mut().flat_map(|mailbox| mailbox.codes(user));
            codes.find(|code| !known.contains(code)).cloned()
        });
        known.push(next.clone());
        next.code
    };
    assert_eq!(here.add_user(&key, "2468", user).unwrap().status, 201);
    assert_eq!(here.verify(&key, user, &code()).unwrap().status, 200);
    assert_eq!(here.ask_reset(&key, user).unwrap().status, 200);
    let armed = here.reset(&key, user, &code(), "0000").unwrap();
    assert_eq!(armed.status, 423, "the lock is armed");
    for house in &pair.houses {
        house.advance("31d");
    }
    assert_eq!(here.ask_reset(&key, user).unwrap().status, 200);
    let code = code();
    let new = |nth: usize| format!("{nth:05}");
    let answers = pair.storm(20, |photon, nth| photon.reset(&key, user, &code, &new(nth)));
    only(&answers, &[200, 404, 429, 503]);
    assert_eq!(answers.get(&200), Some(&1), "{answers:?}");
    let opens = |pin: &str| pair.servers[1].photon().open(&key, pin).unwrap().status == 200;
    let winners = (0..20).filter(|nth| opens(&new(*nth))).count();
    assert!(winners <= 1, "one PIN of those is the key's");
    assert!(!opens("2468"), "the forgotten one is not");
}

#[test]
fn two_hundred_parallel_wrong_codes_over_two_nodes_get_ten_guesses() {
    let Some(pair) = pair("wrong_codes", &[]) else {
        return;
    };
    let key = pair.servers[0].photon().new_key("2468");
    let user = "anna@example.org";
    let added = pair.servers[0].photon().add_user(&key, "2468", user);
    assert_eq!(added.unwrap().status, 201);
    let code: usize = Mailbox::first_of(&pair.houses, user).parse().unwrap();
    let wrong = |nth: usize| format!("{:06}", (code + 1 + nth) % 1_000_000);
    let answers = pair.storm(200, |photon, nth| photon.verify(&key, user, &wrong(nth)));
    only(&answers, &[404, 429, 503]);
    let mut judged = answers[&404];
    while pair.servers[1]
        .photon()
        .verify(&key, user, &wrong(999))
        .unwrap()
        .status
        == 404
    {
        judged += 1;
    }
    assert_eq!(judged, 10, "{answers:?}");
}

#[test]
fn a_write_on_one_node_is_seen_on_the_other_at_once() {
    let Some(pair) = pair("fresh", &[]) else {
        return;
    };
    for round in 0..20 {
        let mut here = pair.servers[round % 2].photon();
        let mut there = pair.servers[(round + 1) % 2].photon();
        let key = here.new_key("2468");
        assert_eq!(there.open(&key, "2468").unwrap().status, 200);
        assert_eq!(here.change(&key, "2468", "1357").unwrap().status, 200);
        assert_eq!(there.open(&key, "1357").unwrap().status, 200);
        assert_eq!(there.open(&key, "2468").unwrap().status, 404);
    }
}

#[test]
fn a_second_process_on_one_sqlite_file_refuses_and_leaves_the_first_alone() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let before = std::fs::read(house.data().join("server.json")).unwrap();
    let refused = House::new().data_in(house.data()).refused();
    refused.says(&["another process is using the database", "keyward.db"]);
    let after = std::fs::read(house.data().join("server.json")).unwrap();
    assert_eq!(before, after, "the tools still find the first");
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    house.verify_audit();
    server.stop();
}

#[test]
fn a_node_with_other_keys_refuses_one_database() {
    let Some(database) = Database::of("other_keys") else {
        return;
    };
    let house = || House::new().with("KEYWARD_STORAGE__URL", &database.url);
    let first = house();
    let server = first.start();
    let key = server.photon().new_key("2468");
    // Without any key file: new keys are made only for a new database.
    let without = house();
    without.refused().says(&["keyward.keys"]);
    assert!(!without.key_file().exists(), "no keys are made");
    // With the keys of another installation.
    let foreign = House::new();
    foreign.start().stop();
    let second = house();
    std::fs::create_dir(second.data()).unwrap();
    std::fs::copy(foreign.key_file(), second.key_file()).unwrap();
    second.refused().says(&["key"]);
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    server.stop();
}
