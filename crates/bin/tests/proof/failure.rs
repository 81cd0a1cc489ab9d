//! The database goes away, the disk is full, nobody can log: custody says so, judges nothing that it cannot
//! record, and heals by itself.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::http::Answer;
use crate::postgres::{self, Database, Engine};
use crate::server::{House, Running, Server};
use crate::wait::{Watch, pause, until};

/// How soon everything must work again.
const BACK: Duration = Duration::from_secs(5);

/// Sends requests in a loop until told to stop; the statuses.
fn load(stop: &AtomicBool, mut send: impl FnMut() -> std::io::Result<Answer>) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        statuses.push(send().expect("every request is answered").status);
        pause(Duration::from_millis(5));
    }
    statuses
}

fn wrong(server: &Server, key: &str) -> u16 {
    server.photon().open(key, "0000").unwrap().status
}

#[test]
fn a_database_that_goes_away_costs_no_guess_and_is_back_without_a_restart() {
    if postgres::server("away").is_none() {
        return;
    }
    let engine = Engine::start();
    let database = Database::on(&engine.url, "away");
    let house = House::new().with("KEYWARD_STORAGE__URL", &database.url);
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let target = server.photon().new_key("1357");
    for _ in 0..3 {
        assert_eq!(wrong(&server, &target), 404);
    }
    let stop = AtomicBool::new(false);
    let (opened, guessed) = thread::scope(|scope| {
        let open = || load(&stop, || server.photon().open(&key, "2468"));
        let guess = || load(&stop, || server.photon().open(&target, "0000"));
        let threads = [scope.spawn(open), scope.spawn(open), scope.spawn(guess)];
        let outage = || {
            engine.halt();
            until("the outage", || (!server.is_ready()).then_some(()));
            thread::scope(|scope| {
                scope.spawn(|| assert_eq!(wrong(&server, &target), 503));
                scope.spawn(|| assert_eq!(server.photon().create("2468").unwrap().status, 503));
                let right = server.photon().open(&key, "2468").unwrap();
                assert_eq!(right.status, 503);
                assert!(right.header("retry-after").is_some());
                assert_eq!(server.photon().get("/healthz").unwrap().status, 200);
            });
            engine.resume();
            let watch = Watch::start();
            until("an answer", || {
                let right = server.photon().open(&key, "2468").unwrap();
                (right.status == 200).then_some(())
            });
            assert!(watch.elapsed() < BACK, "back after {:?}", watch.elapsed());
            assert!(server.until_ready() < BACK);
        };
        let outages = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            outage();
            outage();
        }));
        stop.store(true, Ordering::Relaxed);
        let [first, second, guess] = threads.map(|thread| thread.join().unwrap());
        outages.unwrap();
        ([first, second].concat(), guess)
    });
    let strange = opened.iter().find(|status| ![200, 503].contains(status));
    assert_eq!(strange, None, "right PINs are opened or put off");
    let strange = guessed
        .iter()
        .find(|status| ![404, 429, 503].contains(status));
    assert_eq!(strange, None, "wrong PINs are judged, refused or put off");
    let mut judged = 3 + guessed.iter().filter(|status| **status == 404).count();
    while wrong(&server, &target) == 404 {
        judged += 1;
    }
    assert!(judged <= 10, "{judged} guesses were judged");
    assert_eq!(server.photon().content(&key, "2468"), content);
    house.advance("8d");
    assert_eq!(server.photon().open(&target, "1357").unwrap().status, 200);
    house.verify_audit();
    house.assert_no_panic();
}

#[test]
fn a_server_waits_for_its_database_and_can_be_stopped_while_it_does() {
    if postgres::server("wait").is_none() {
        return;
    }
    let engine = Engine::start();
    let database = Database::on(&engine.url, "wait");
    let house = House::new().with("KEYWARD_STORAGE__URL", &database.url);
    engine.halt();
    let mut stopped = Running(house.command().spawn().unwrap());
    let waits = || {
        house
            .log()
            .contains("waiting for the database")
            .then_some(())
    };
    until("the server to wait", waits);
    let mut signal = Command::new("kill");
    signal.arg("-TERM").arg(stopped.0.id().to_string());
    assert!(signal.status().unwrap().success());
    let status = stopped.wait();
    assert!(status.success(), "a stop while waiting ends well: {status}");
    let waiting = Running(house.command().spawn().unwrap());
    pause(Duration::from_millis(300));
    engine.resume();
    let server = house.ready(waiting);
    server.photon().new_key("2468");
}

/// What can be taken away and given back.
trait Scarce {
    fn take(&self);
    fn give_back(&self);
}

/// A small file system of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(at);
        let output = mount.output().ok()?;
        output.status.success().then(|| Self(at.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Scarce for SmallDisk {
    fn take(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let full = std::io::copy(&mut std::io::repeat(0), &mut filler).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn give_back(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.unwrap().success(), "the small disk is unmounted");
    }
}

/// Files of one process that may not grow.
struct FileLimit(u32);

impl FileLimit {
    fn set(&self, bytes: &str) {
        let mut prlimit = Command::new("prlimit");
        let pid = self.0.to_string();
        prlimit.args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]);
        assert!(prlimit.status().unwrap().success(), "the limit is set");
    }
}

impl Scarce for FileLimit {
    fn take(&self) {
        self.set("4096");
    }

    fn give_back(&self) {
        self.set("unlimited");
    }
}

/// Nothing acknowledged is lost, nothing is judged that cannot be recorded, and everything heals.
fn starve(house: &House, server: &Server, space: &impl Scarce) {
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let target = server.photon().new_key("1357");
    for _ in 0..3 {
        assert_eq!(wrong(server, &target), 404);
    }
    let mut kept = Vec::new();
    for _ in 0..2 {
        space.take();
        // Some room may be left in files that are there.
        until("the disk to be full", || {
            let answer = server.photon().create("8642").unwrap();
            kept.extend(answer.field("id"));
            assert!([201, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 503).then_some(())
        });
        until("it to be told", || (!server.is_ready()).then_some(()));
        for _ in 0..12 {
            assert_eq!(wrong(server, &target), 503, "nothing is judged");
        }
        assert_eq!(server.photon().open(&key, "2468").unwrap().status, 503);
        let added = server.photon().add_user(&key, "2468", "anna@example.org");
        assert_eq!(added.unwrap().status, 503);
        assert_eq!(server.photon().get("/healthz").unwrap().status, 200);
        space.give_back();
        assert!(server.until_ready() < BACK, "it heals by itself");
        assert_eq!(server.photon().content(&key, "2468"), content);
    }
    for id in &kept {
        assert_eq!(server.photon().open(id, "8642").unwrap().status, 200);
    }
    let after: Vec<u16> = (0..8).map(|_| wrong(server, &target)).collect();
    assert_eq!(
        after,
        [[404; 7].as_slice(), &[429]].concat(),
        "no guess was lost or won"
    );
    house.verify_audit();
    house.assert_no_panic();
}

#[test]
fn a_full_disk_is_told_and_heals() {
    let house = House::new();
    let Some(disk) = SmallDisk::mount(&house.folder().join("small")) else {
        crate::skipped("a full disk", "mounting is not allowed here");
        return;
    };
    let data = house.folder().join("small/data");
    let house = House::new().data_in(&data);
    let server = house.start();
    starve(&house, &server, &disk);
    // Also when it dies meanwhile.
    let key = server.photon().new_key("2468");
    disk.take();
    server.kill();
    disk.give_back();
    let server = house.start();
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    house.verify_audit();
    server.stop();
}

#[test]
fn files_that_cannot_grow_are_told_and_heal() {
    let house = House::new();
    let mut shell = Command::new("sh");
    // Without the signal that a process otherwise dies of; the log goes nowhere, since it is a file too.
    let deaf = "trap '' XFSZ; exec \"$0\" \"$@\" 2>/dev/null";
    shell.args(["-c", deaf, env!("CARGO_BIN_EXE_keyward")]);
    let server = house.started(house.wrapped(shell));
    starve(&house, &server, &FileLimit(server.pid()));
    server.stop();
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let house = House::new().with("KEYWARD_SERVER__LOG_FILTER", "debug");
    let mut command = house.command();
    command.stderr(File::options().write(true).open("/dev/full").unwrap());
    let server = house.started(command);
    let seen = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let key = server.photon().new_key("2468");
                for pin in ["2468", "0000", "2468"] {
                    let status = server.photon().open(&key, pin).unwrap().status;
                    seen.lock().unwrap().push(status);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    assert_eq!(
        seen.iter().filter(|status| **status == 200).count(),
        8,
        "{seen:?}"
    );
    assert_eq!(
        seen.iter().filter(|status| **status == 404).count(),
        4,
        "{seen:?}"
    );
    house.verify_audit();
    server.stop();
}
