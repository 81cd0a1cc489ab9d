//! SIGTERM: what was begun is finished and answered, the exit status is 0, and the data is whole.

use std::io::{BufReader, Write};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::http::{answer, connect};
use crate::photon;
use crate::server::House;
use crate::wait::{Watch, pause, until};

#[test]
fn requests_that_run_when_the_stop_comes_are_all_answered() {
    // Real hashes, so that forty of them take a while.
    let house = House::new().flags(&["--dev"]);
    let server = house.start();
    let keys: Vec<String> = (0..40).map(|_| server.photon().new_key("2468")).collect();
    let sent = Barrier::new(keys.len() + 1);
    let answered = AtomicUsize::new(0);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let ask = |key: &String| {
            let request = photon::change(key, "2468", "1357");
            let (sent, answered) = (&sent, &answered);
            let address = server.public;
            scope.spawn(move || {
                let mut stream = connect(address).unwrap();
                stream.write_all(&request).unwrap();
                sent.wait();
                let answer = answer(&mut BufReader::new(stream)).unwrap();
                answered.fetch_add(1, Ordering::Relaxed);
                answer.expect("no request is lost").status
            })
        };
        let threads: Vec<_> = keys.iter().map(ask).collect();
        sent.wait();
        let begun = || (answered.load(Ordering::Relaxed) > 2).then_some(());
        until("the first answers", begun);
        server.signal("TERM");
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(server.stopped().success());
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert!(
        !house.data().join("server.json").exists(),
        "nobody looks for it any more"
    );
    let server = house.start();
    for key in &keys {
        assert_eq!(server.photon().open(key, "1357").unwrap().status, 200);
    }
    house.verify_audit();
    house.assert_no_panic();
    server.stop();
}

#[test]
fn a_body_that_is_half_sent_when_the_stop_comes_may_be_finished() {
    let house = House::new();
    let server = house.start();
    let request = photon::create("2468");
    let (first, rest) = request.split_at(request.len() - 5);
    let mut stream = connect(server.public).unwrap();
    stream.write_all(first).unwrap();
    let idle = connect(server.public).unwrap();
    // Something that came later was answered: the half request has arrived.
    server.photon().new_key("2468");
    pause(Duration::from_millis(100));
    server.signal("TERM");
    let address = server.public;
    until("the listener to close", || connect(address).err());
    stream.write_all(rest).unwrap();
    let answer = answer(&mut BufReader::new(stream)).unwrap().unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(server.stopped().success());
    drop(idle);
    let server = house.start();
    let key = answer.field("id").unwrap();
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
}

#[test]
fn a_stop_in_a_storm_of_pins_ends_well_and_forgets_no_guess() {
    let house = House::new();
    let mut server = house.start();
    let target = server.photon().new_key("2468");
    let judged = AtomicUsize::new(0);
    for _ in 0..crate::scaled(4, 30) {
        let over = AtomicBool::new(false);
        let others: Vec<String> = (0..8).map(|_| server.photon().new_key("2468")).collect();
        let address = server.public;
        thread::scope(|scope| {
            for key in &others {
                let (over, judged, target) = (&over, &judged, &target);
                scope.spawn(move || {
                    let mut client = crate::photon::Photon::new(address);
                    while !over.load(Ordering::Relaxed) {
                        if let Ok(answer) = client.open(key, "2468") {
                            assert!([200, 503].contains(&answer.status), "{answer:?}");
                        }
                        if let Ok(answer) = client.open(target, "0000") {
                            assert!([404, 429, 503].contains(&answer.status), "{answer:?}");
                            judged.fetch_add(usize::from(answer.status == 404), Ordering::Relaxed);
                        }
                    }
                });
            }
            pause(Duration::from_millis(100));
            server.signal("TERM");
            let watch = Watch::start();
            assert!(server.stopped().success());
            assert!(
                watch.elapsed() < Duration::from_secs(10),
                "nobody holds it up"
            );
            over.store(true, Ordering::Relaxed);
        });
        server = house.start();
        for key in &others {
            assert_eq!(server.photon().open(key, "2468").unwrap().status, 200);
        }
    }
    assert!(judged.into_inner() <= 10);
    assert_eq!(server.photon().open(&target, "2468").unwrap().status, 429);
    house.verify_audit();
    house.assert_no_panic();
    server.stop();
}
