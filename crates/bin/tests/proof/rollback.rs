//! Older databases put back, backups, moves, and clocks that disagree: no guess is gained, nothing is lost,
//! and the server says what is wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::postgres::{Database, run};
use crate::scaled;
use crate::server::{Ended, House, Server};
use crate::wait::{pause, until};

/// The newest a server may lag behind with what it keeps outside the database, and some.
const LAG: Duration = Duration::from_millis(1500);

const DEV: [&str; 2] = ["--dev", "--dev-fast-hash"];
const ACCEPT: [&str; 3] = ["--dev", "--dev-fast-hash", "--accept-rollback"];

fn wrong(server: &Server, key: &str) -> u16 {
    server.photon().open(key, "0000").unwrap().status
}

/// Makes the files of a stopped server's database those in `from`.
fn put_back(from: &Path, house: &House) {
    for name in ["keyward.db", "keyward.db-wal", "keyward.db-shm"] {
        let (old, now) = (from.join(name), house.data().join(name));
        // Not there is as good as removed.
        let _ = std::fs::remove_file(&now);
        if old.exists() {
            std::fs::copy(old, now).unwrap();
        }
    }
}

fn keep_aside(house: &House, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["keyward.db", "keyward.db-wal"] {
        let now = house.data().join(name);
        if now.exists() {
            std::fs::copy(now, to.join(name)).unwrap();
        }
    }
}

fn json(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn old_files_put_back_are_refused_and_accepted_ones_give_one_try() {
    let mut house = House::new();
    let rounds = scaled(4, 20);
    let aside = house.folder().join("aside");
    let mut server = house.start();
    let key = server.photon().new_key("2468");
    let untouched = server.photon().new_key("1357");
    let content = server.photon().content(&untouched, "1357");
    let mut judged = 0;
    for round in 0..rounds {
        server.stop();
        keep_aside(&house, &aside.join(round.to_string()));
        server = house.start();
        for _ in 0..12_usize.div_ceil(rounds) {
            judged += usize::from(wrong(&server, &key) == 404);
        }
    }
    while wrong(&server, &key) == 404 {
        judged += 1;
    }
    assert_eq!(judged, 10, "ten, whatever the restarts");
    server.stop();
    for round in 0..rounds {
        put_back(&aside.join(round.to_string()), &house);
        for _ in 0..2 {
            // Not once, and not again: a refused start changes nothing.
            house
                .refused()
                .says(&["older", "--accept-rollback", "audit-checkpoint.json"]);
        }
        house = house.flags(&ACCEPT);
        let server = house.start();
        let answers = [
            wrong(&server, &key),
            wrong(&server, &key),
            server.photon().open(&key, "2468").unwrap().status,
        ];
        let more = answers.iter().filter(|status| **status == 404).count();
        assert!(more <= 1, "round {round}: {answers:?}");
        assert_eq!(answers[2], 429, "the right PIN too: {answers:?}");
        assert_eq!(server.photon().content(&untouched, "1357"), content);
        let events = house.keyward(&["admin", "audit", "list", "--json"]);
        assert!(events.out.contains("rollback.accept"), "{events:?}");
        house.verify_audit();
        server.stop();
        house = house.flags(&DEV);
        // From here on it is the newest.
        house.start().stop();
    }
    house.assert_no_panic();
}

#[test]
fn a_killed_server_starts_again_without_an_alarm() {
    let house = House::new();
    let key = house.start().photon().new_key("2468");
    for round in 0..scaled(5, 50) {
        let server = house.start();
        // One each: the try that a kill cuts off counts as wrong.
        let tried = server.photon().new_key("1357");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // A killed server gives no answer.
                    let _ = server.photon().open(&tried, "1357");
                }
            });
            pause(Duration::from_millis(100 + 171 * round as u64 % 900));
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
    }
    let server = house.start();
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
}

#[test]
fn an_anchor_that_cannot_be_read_is_not_taken_for_none() {
    let mut house = House::new();
    let server = house.start();
    server.photon().new_key("2468");
    server.stop();
    let anchor = house.data().join("audit-checkpoint.json");
    let sound = std::fs::read(&anchor).unwrap();
    for broken in [&b""[..], b"{", b"{\"number\":1}"] {
        std::fs::write(&anchor, broken).unwrap();
        house.refused().says(&["anchor", "--accept-rollback"]);
    }
    std::fs::write(&anchor, &sound).unwrap();
    house.start().stop();
    // Somewhere else, where a restore of the data does not reach it.
    let elsewhere = house.folder().join("elsewhere.json");
    let name = elsewhere.to_str().unwrap().to_owned();
    house = house.with("KEYWARD_STORAGE__ANCHOR", &name);
    house.start().stop();
    assert!(elsewhere.exists());
}

#[test]
fn a_backup_under_load_is_whole_and_restores_into_nothing_only() {
    let house = House::new();
    let server = house.start();
    let keys: Vec<String> = (0..20).map(|_| server.photon().new_key("2468")).collect();
    let stop = AtomicBool::new(false);
    let file = house.folder().join("backup");
    let file = file.to_str().unwrap();
    let written = thread::scope(|scope| {
        for key in keys.iter().skip(10) {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    server.photon().open(key, "2468").unwrap();
                }
            });
        }
        let written = house.keyward(&["backup", "--to", file, "--json"]);
        stop.store(true, Ordering::Relaxed);
        written
    });
    let told = json(&written);
    assert_eq!(told["kinds"]["guarded_key"], 20);
    house
        .keyward(&["backup", "--to", file])
        .says(&["exists already"]);
    let content = server.photon().content(&keys[0], "2468");
    house
        .keyward(&["restore", "--from", file])
        .says(&["another process is using the database"]);
    server.stop();
    house
        .keyward(&["restore", "--from", file])
        .says(&["not empty", "overwrites nothing"]);
    // A new machine: the key file, and what came out of the backup. There is no anchor that tells its age.
    let mut other = House::new();
    std::fs::create_dir(other.data()).unwrap();
    std::fs::copy(house.key_file(), other.key_file()).unwrap();
    let restored = json(&other.keyward(&["restore", "--from", file, "--json"]));
    assert_eq!(
        (&restored["rows"], &restored["sha256"]),
        (&told["rows"], &told["sha256"])
    );
    other.refused().says(&["backup", "--accept-rollback"]);
    other = other.flags(&ACCEPT);
    let server = other.start();
    assert_eq!(server.photon().content(&keys[0], "2468"), content);
    assert_eq!(wrong(&server, &keys[1]), 404);
    assert_eq!(wrong(&server, &keys[1]), 429);
    server.stop();
    other.flags(&DEV).start().stop();
}

#[test]
fn a_backup_that_is_the_newest_state_needs_no_acceptance() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    for _ in 0..3 {
        assert_eq!(wrong(&server, &key), 404);
    }
    server.stop();
    let file = house.folder().join("backup");
    let file = file.to_str().unwrap();
    json(&house.keyward(&["backup", "--to", file, "--json"]));
    for name in ["keyward.db", "keyward.db-wal", "keyward.db-shm"] {
        let _ = std::fs::remove_file(house.data().join(name));
    }
    json(&house.keyward(&["restore", "--from", file, "--json"]));
    let server = house.start();
    let left: Vec<u16> = (0..8).map(|_| wrong(&server, &key)).collect();
    assert_eq!(left, [404, 404, 404, 404, 404, 404, 404, 429]);
}

#[test]
fn a_backup_that_was_cut_off_or_changed_is_refused() {
    let house = House::new();
    let server = house.start();
    server.photon().new_key("2468");
    server.stop();
    let file = house.folder().join("backup");
    let name = file.to_str().unwrap();
    json(&house.keyward(&["backup", "--to", name, "--json"]));
    let sound = std::fs::read(&file).unwrap();
    let bad = house.folder().join("bad");
    let into = House::new();
    let mut tried = BTreeMap::new();
    for at in (0..sound.len()).step_by(sound.len() / 40) {
        let mut flipped = sound.clone();
        flipped[at] ^= 0x20;
        tried.insert(format!("cut at {at}"), sound[..at].to_vec());
        tried.insert(format!("flipped at {at}"), flipped);
    }
    for (what, bytes) in tried {
        std::fs::write(&bad, &bytes).unwrap();
        let ended = into.keyward(&["restore", "--from", bad.to_str().unwrap()]);
        let header = sound.iter().position(|byte| *byte == b'R').unwrap() < 400
            && what.starts_with("flipped")
            && ended.status.success();
        // The first line only tells people what this is.
        assert!(!ended.status.success() || header, "{what}: {ended:?}");
        assert!(!ended.err.contains("panicked"), "{what}: {ended:?}");
        let _ = std::fs::remove_dir_all(into.data());
    }
}

#[test]
fn a_database_moves_to_postgresql_and_back_with_every_count() {
    let Some(database) = Database::of("move") else {
        return;
    };
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let target = server.photon().new_key("1357");
    for _ in 0..6 {
        assert_eq!(wrong(&server, &target), 404);
    }
    let sqlite = format!("sqlite:{}", house.data().join("keyward.db").display());
    let shift = |from: &str, to: &str| {
        let command = ["db", "move", "--from", from, "--to", to, "--json"];
        crate::server::command(&command)
    };
    // The first part goes beside the running server; then it must stop.
    shift(&sqlite, &database.url).says(&["in use", "Stop its server", "run this again"]);
    assert_eq!(wrong(&server, &target), 404, "the old one goes on");
    let unfinished = House::new().with("KEYWARD_STORAGE__URL", &database.url);
    unfinished.refused().says(&["not complete"]);
    server.stop();
    let moved = json(&shift(&sqlite, &database.url));
    assert_eq!(moved["kinds"]["guarded_key"], 2);
    house.refused().says(&["moved away", "db release"]);
    shift(&sqlite, &database.url).says(&["already moved away"]);

    let house = house.with("KEYWARD_STORAGE__URL", &database.url);
    let server = house.start();
    assert_eq!(server.photon().content(&key, "2468"), content);
    let left: Vec<u16> = (0..3).map(|_| wrong(&server, &target)).collect();
    assert_eq!(left, [404, 404, 404]);

    // And back: running servers see the mark, and stop deciding before the last changes are copied.
    let back = json(&shift(&database.url, &sqlite));
    assert_eq!(back["kinds"]["guarded_key"], 2);
    assert!(!server.is_ready());
    assert_eq!(wrong(&server, &target), 503, "nothing is judged here now");
    server.stop();
    let house = house.with("KEYWARD_STORAGE__URL", "sqlite");
    let server = house.start();
    assert_eq!(wrong(&server, &target), 429, "ten were judged in all");
    assert_eq!(server.photon().content(&key, "2468"), content);
    house.assert_no_panic();
}

#[test]
fn a_database_put_back_under_running_servers_is_noticed_by_each() {
    let Some(database) = Database::of("under") else {
        return;
    };
    let houses = [(); 2].map(|()| House::new().with("KEYWARD_STORAGE__URL", &database.url));
    let first = houses[0].start();
    std::fs::create_dir(houses[1].data()).unwrap();
    std::fs::copy(houses[0].key_file(), houses[1].key_file()).unwrap();
    let second = houses[1].start();
    let key = first.photon().new_key("2468");
    let content = first.photon().content(&key, "2468");
    pause(LAG);
    run(
        &database.url,
        &["CREATE TABLE aside AS SELECT * FROM sealed_row"],
    );
    for nth in 0..10 {
        let server = if nth % 2 == 0 { &first } else { &second };
        assert_eq!(wrong(server, &key), 404);
    }
    assert_eq!(wrong(&first, &key), 429);
    pause(LAG);
    let restore =
        "BEGIN; DELETE FROM sealed_row; INSERT INTO sealed_row SELECT * FROM aside; COMMIT";
    run(&database.url, &[restore]);
    for server in [&first, &second] {
        until("the gate", || (!server.is_ready()).then_some(()));
        let told = server.photon().get("/readyz").unwrap();
        let told = String::from_utf8_lossy(&told.body).into_owned();
        assert!(told.contains("older"), "{told}");
        assert_eq!(wrong(server, &key), 503);
        assert_eq!(server.photon().open(&key, "2468").unwrap().status, 503);
    }
    first.stop();
    second.stop();
    let [one, other] = houses;
    one.refused().says(&["older", "--accept-rollback"]);
    let one = one.flags(&ACCEPT);
    let first = one.start();
    // The acceptance of one node is that of all.
    let second = other.start();
    assert_eq!(wrong(&second, &key), 404);
    assert_eq!(wrong(&first, &key), 429);
    assert_eq!(first.photon().open(&key, "2468").unwrap().status, 429);
    let more = second.photon().new_key("2468");
    assert_ne!(first.photon().content(&more, "2468"), content);
}

/// A clock of the database that the test sets, in place of the engine's.
const CLOCK: [&str; 2] = [
    "CREATE TABLE skew (by interval NOT NULL); INSERT INTO skew VALUES ('0')",
    "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
     'SELECT pg_catalog.clock_timestamp() + by FROM skew'",
];

#[test]
fn a_clock_that_disagrees_with_the_databases_stops_its_node() {
    let Some(database) = Database::of("clock") else {
        return;
    };
    run(&database.url, &CLOCK);
    let url = format!(
        "{}?options=-c%20search_path%3Dpublic%2Cpg_catalog",
        database.url
    );
    let house = House::new().with("KEYWARD_STORAGE__URL", &url).flags(&[]);
    let server = house.start();
    let key = server.photon().new_key("2468");
    let set = |by: &str| run(&database.url, &[&format!("UPDATE skew SET by = '{by}'")]);
    for (by, side) in [
        ("62 seconds", "behind"),
        ("-62 seconds", "ahead of"),
        ("31 days", "behind"),
        ("-31 days", "ahead of"),
    ] {
        set(by);
        until("the refusal", || (!server.is_ready()).then_some(()));
        let told = server.photon().get("/readyz").unwrap();
        let told = String::from_utf8_lossy(&told.body).into_owned();
        assert!(told.contains("clock") && told.contains(side), "{told}");
        assert_eq!(wrong(&server, &key), 503);
        assert_eq!(server.photon().open(&key, "2468").unwrap().status, 503);
        set("50 seconds");
        until("readiness", || server.is_ready().then_some(()));
        assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    }
    house.assert_no_panic();
}
