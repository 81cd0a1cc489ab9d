//! `kill -9` at random moments under load: what was acknowledged is there afterwards, and what bounds an
//! attacker never goes back.
//!
//! 1. A few threads work with keys of their own and keep a model of each: what the server acknowledged, and
//!    what it may have done without being able to say so.
//! 2. All of them guess at shared victims.
//! 3. The server is killed again and again, and started again; each answer is held against the models.
//! 4. At the end everything is looked at once more, and the audit chain is walked.

mod model;
mod victim;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use self::victim::Victims;
use self::worker::Worker;
use crate::dice::Dice;
use crate::postgres::Database;
use crate::scaled;
use crate::server::{House, Running};
use crate::wait::pause;

const WORKERS: usize = 4;

/// Where the server of the moment is, for the workers.
#[derive(Default)]
struct Stage {
    now: Mutex<Scene>,
    changed: Condvar,
    done: AtomicUsize,
}

#[derive(Default, Clone, Copy)]
struct Scene {
    number: usize,
    address: Option<SocketAddr>,
    over: bool,
}

impl Stage {
    fn set(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.now.lock().unwrap());
        self.changed.notify_all();
    }

    /// The next server after the one that died; `None` when the play is over.
    fn next(&self, after: usize) -> Option<(usize, SocketAddr)> {
        let scene = self.now.lock().unwrap();
        let scene = self
            .changed
            .wait_while(scene, |scene| {
                !scene.over && (scene.number == after || scene.address.is_none())
            })
            .unwrap();
        let address = scene.address.filter(|_| !scene.over)?;
        Some((scene.number, address))
    }

    fn is_over(&self) -> bool {
        self.now.lock().unwrap().over
    }
}

/// Runs workers against a server that is killed `kills` times.
fn killed(name: &str, house: &House, kills: usize, life: Duration) {
    let mut dice = Dice::thrown(name);
    let stage = Arc::new(Stage::default());
    let victims = Arc::new(Victims::default());
    let start = |nth: usize| {
        let (stage, victims) = (Arc::clone(&stage), Arc::clone(&victims));
        let mut worker = Worker::new(nth, house, dice.split(), victims);
        thread::spawn(move || {
            let mut last = 0;
            while let Some((number, address)) = stage.next(last) {
                last = number;
                worker.play(address, || stage.is_over());
            }
            stage.done.fetch_add(1, Ordering::Relaxed);
            worker
        })
    };
    let workers: Vec<_> = (0..WORKERS).map(start).collect();
    for number in 1..=kills {
        if number % 5 == 0 {
            // Some die while they start.
            let mut unborn = Running(house.command().spawn().unwrap());
            pause(Duration::from_millis(dice.number() % 120));
            unborn.0.kill().unwrap();
            unborn.wait();
        }
        let server = house.start();
        if number % 8 == 1 {
            victims.add(&server.photon().new_key("right"));
        }
        stage.set(|scene| {
            scene.number = number;
            scene.address = Some(server.public);
        });
        pause(life.mul_f64(0.2 + f64::from(u32::try_from(dice.below(1000)).unwrap()) / 1000.0));
        assert_eq!(stage.done.load(Ordering::Relaxed), 0, "all workers work");
        stage.set(|scene| scene.address = None);
        server.kill();
    }
    stage.set(|scene| scene.over = true);
    let mut workers: Vec<Worker> = workers
        .into_iter()
        .map(|worker| {
            worker
                .join()
                .expect("a worker found a broken promise; it says which")
        })
        .collect();

    let server = house.start();
    // Letters that a killed process had in hand come back when its lease is over.
    house.advance("3m");
    for worker in &mut workers {
        worker.check_letters();
        worker.check_keys(server.public);
    }
    victims.use_up(server.public);
    house.advance("8d");
    for worker in &mut workers {
        worker.open_all(server.public);
    }
    victims.open_all(server.public);
    let events = house.verify_audit();
    let acknowledged: usize = workers.iter().map(Worker::acknowledged).sum();
    println!("{name}: {kills} kills, {acknowledged} acknowledged answers, {events} audit events");
    assert!(acknowledged > kills * 5, "there was load");
    house.assert_no_panic();
    server.stop();
}

#[test]
fn sqlite_loses_nothing_acknowledged_and_refills_no_guess_when_killed() {
    killed(
        "sqlite",
        &House::new(),
        scaled(100, 1000),
        Duration::from_millis(150),
    );
}

#[test]
fn postgres_loses_nothing_acknowledged_and_refills_no_guess_when_killed() {
    let Some(database) = Database::of("kills") else {
        return;
    };
    let house = House::new().with("KEYWARD_STORAGE__URL", &database.url);
    killed(
        "postgres",
        &house,
        scaled(20, 200),
        Duration::from_millis(600),
    );
}

#[test]
fn a_kill_during_the_very_first_start_leaves_a_folder_that_starts() {
    let mut dice = Dice::thrown("first start");
    for _ in 0..scaled(20, 200) {
        let house = House::new();
        let mut unborn = Running(house.command().spawn().unwrap());
        pause(Duration::from_millis(dice.number() % 150));
        unborn.0.kill().unwrap();
        unborn.wait();
        let server = house.start();
        let key = server.photon().new_key("2468");
        assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    }
}
