//! Requests that nobody should send. Each gets a clear refusal, none costs memory for good, none hurts others.

mod nonsense;

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::dice::Dice;
use crate::http::{answer, connect, pour, request};
use crate::scaled;
use crate::server::House;
use crate::wait::{Watch, pause};

const THREADS: usize = 4;
/// Memory that may be kept in addition, in KiB: the allocator's slack, not a share of the requests.
const SLACK: u64 = 24 * 1024;

/// Pours `count` generated requests on both listeners; whatever is answered must be a refusal or an answer.
fn flood(dice: &mut Dice, addresses: [SocketAddr; 2], count: usize) {
    let answered = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mut dice = dice.split();
            let answered = &answered;
            scope.spawn(move || {
                for _ in 0..count / THREADS {
                    let bytes = nonsense::request(&mut dice);
                    let address = addresses[usize::from(dice.below(5) == 0)];
                    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
                    let answers = pour(address, &bytes)
                        .unwrap_or_else(|error| panic!("{error} to {shown:?}"));
                    for answer in &answers {
                        let fine = answer.status < 500 || answer.status == 503;
                        assert!(fine, "{answer:?} to {shown:?}");
                        let injected = answer.header("x-injected");
                        assert_eq!(injected, None, "a header of the client's: {shown:?}");
                    }
                    *answered.lock().unwrap() += answers.len();
                }
            });
        }
    });
    let answered = answered.into_inner().unwrap();
    assert!(
        answered > count / 2,
        "most of {count} are answered: {answered}"
    );
}

#[test]
fn generated_nonsense_is_refused_without_a_fault_and_without_growing() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let content = server.photon().content(&key, "2468");
    let mut dice = Dice::thrown("nonsense");
    let addresses = [server.public, server.admin];
    let part = scaled(1_000, 20_000);
    flood(&mut dice, addresses, part);
    flood(&mut dice, addresses, part);
    let before = server.resident();
    for _ in 0..3 {
        flood(&mut dice, addresses, part);
    }
    let after = server.resident();
    println!(
        "nonsense: {} requests, {before} KiB, then {after} KiB",
        part * 5
    );
    assert!(
        after < before + SLACK,
        "memory: {before} KiB, then {after} KiB"
    );
    assert_eq!(server.photon().content(&key, "2468"), content);
    house.assert_no_panic();
    let log = house.log();
    let error = log.lines().find(|line| line.contains("ERROR"));
    assert_eq!(error, None, "nobody needs to act on nonsense");
    house.verify_audit();
    server.stop();
}

/// What follows a request whose length can be read in two ways. It must never be answered.
const HIDDEN: &str = "GET /v2/hidden HTTP/1.1\r\nHost: keyward\r\n\r\n";

/// Framings in which two programs may see two different ends.
const FRAMINGS: [(&str, &str); 16] = [
    ("Content-Length: 5\r\nContent-Length: 6", "{}   "),
    ("Content-Length: 5, 6", "{}   "),
    ("Content-Length: +5", "{}   "),
    ("Content-Length: -5", "{}   "),
    ("Content-Length: 0x5", "{}   "),
    ("Content-Length: 5 5", "{}   "),
    ("Content-Length: 99999999999999999999999", "{}   "),
    ("Content-Length : 5", "{}   "),
    ("Transfer-Encoding : chunked", "0\r\n\r\n"),
    ("Transfer-Encoding: identity", "{}"),
    ("Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "0x0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "-1\r\n\r\n"),
    ("Transfer-Encoding: chunked", "FFFFFFFFFFFFFFFFF0\r\n\r\n"),
];

#[test]
fn a_request_with_two_readings_is_the_last_of_its_connection() {
    let house = House::new();
    let server = house.start();
    for (head, body) in FRAMINGS {
        let bytes = format!(
            "POST /v2/key HTTP/1.1\r\nHost: keyward\r\n{head}\r\n\r\n{body}{HIDDEN}{HIDDEN}"
        );
        let answers = pour(server.public, bytes.as_bytes()).unwrap();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [400], "{head:?} {body:?}");
    }
    // Both lengths at once: whichever is believed, nothing after it is.
    for body in ["0\r\n\r\n", "4\r\n{}  \r\n0\r\n\r\n"] {
        let bytes = format!(
            "POST /v2/key HTTP/1.1\r\nHost: keyward\r\nContent-Length: {}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}",
            body.len() + HIDDEN.len()
        );
        let answers = pour(server.public, bytes.as_bytes()).unwrap();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [400], "{body:?}");
    }
    house.assert_no_panic();
}

#[test]
fn slow_bodies_are_given_up_and_hold_up_nobody() {
    let house = House::new();
    let server = house.start();
    let key = server.photon().new_key("2468");
    let slow = |number: usize| {
        let mut stream = connect(server.public).unwrap();
        let head = b"POST /v2/key HTTP/1.1\r\nHost: keyward\r\nContent-Length: 9000\r\n\r\n";
        stream.write_all(head).unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(200 + number as u64)))
            .unwrap();
        let mut reader = BufReader::new(stream);
        let watch = Watch::start();
        while watch.elapsed() < Duration::from_secs(35) {
            // Until something is answered, one more byte.
            match answer(&mut reader) {
                Ok(answer) => return answer.map(|answer| answer.status),
                Err(_) if reader.get_mut().write_all(b" ").is_err() => return None,
                Err(_) => {}
            }
        }
        panic!("a slow body is still waited for");
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || slow(number)))
            .collect();
        for _ in 0..20 {
            let watch = Watch::start();
            assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
            assert!(
                watch.elapsed() < Duration::from_secs(5),
                "others are served"
            );
            pause(Duration::from_millis(50));
        }
        for slow in all {
            let status = slow.join().unwrap();
            assert!(matches!(status, Some(408) | None), "{status:?}");
        }
    });
    house.assert_no_panic();
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let house = House::new().with("KEYWARD_SERVER__HEADER_SECONDS", "2");
    let server = house.start();
    let key = server.photon().new_key("2468");
    let silent: Vec<_> = (0..300).map(|_| connect(server.public).unwrap()).collect();
    assert_eq!(server.photon().open(&key, "2468").unwrap().status, 200);
    // Each is told off or closed; none stays.
    for mut stream in silent {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let told = rest.is_empty() || rest.starts_with(b"HTTP/1.1 408");
        assert!(told, "{}", String::from_utf8_lossy(&rest));
    }
    let bytes = request("GET", "/healthz", &[], "");
    assert_eq!(server.photon().raw(&bytes).unwrap().status, 200);
}
