//! Accounts over two processes on one PostgreSQL, and over sudden deaths.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::{slice, thread};

use serde_json::{Value, json};

use crate::http::{Answer, Client, request};
use crate::mailbox::Mailbox;
use crate::nodes::{Pair, pair};
use crate::server::{House, Server};

const PASSWORD: &str = "correct horse battery";

fn post(client: &mut Client, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![("Content-Type", "application/json")];
    if token.is_some() {
        headers.push(("Authorization", bearer.as_str()));
    }
    let path = format!("/api/v1/{path}");
    let sent = client.send(&request("POST", &path, &headers, &body.to_string()));
    sent.unwrap()
}

fn client(server: &Server) -> Client {
    Client::new(server.public)
}

/// Status, and the code of an error.
fn said(answer: &Answer) -> String {
    let code = answer.field("code").unwrap_or_default();
    format!("{} {code}", answer.status).trim().to_owned()
}

/// Sends all bodies at the same moment, in turns to both servers.
fn storm(pair: &Pair, path: &str, bodies: &[Value]) -> Vec<Answer> {
    let gate = Barrier::new(bodies.len());
    thread::scope(|scope| {
        let threads: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(nth, body)| {
                let (gate, mut client) = (&gate, client(&pair.servers[nth % 2]));
                scope.spawn(move || {
                    gate.wait();
                    post(&mut client, path, None, body)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

fn tally(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(said(answer)).or_default() += 1;
    }
    tally
}

/// A registration whose token was sent, and the token.
fn registering(server: &Server, houses: &[House], address: &str) -> (String, String) {
    let mut client = client(server);
    let begun = post(
        &mut client,
        "registration",
        None,
        &json!({ "userKey": address }),
    );
    let process = begun.field("processingId").unwrap();
    let path = format!("token/registration/{process}");
    let sent = post(&mut client, &path, None, &json!({}));
    assert_eq!(said(&sent), "200");
    (process, Mailbox::first_of(houses, address))
}

fn register(server: &Server, houses: &[House], address: &str) {
    let (process, code) = registering(server, houses, address);
    let mut client = client(server);
    let proof = json!({ "processingId": process, "oneTimeToken": code });
    let proved = post(&mut client, "registration/verification", None, &proof);
    assert_eq!(said(&proved), "200");
    let password = json!({ "processingId": process, "password": PASSWORD });
    let done = post(&mut client, "registration/password", None, &password);
    assert_eq!(said(&done), "200");
}

fn log_in(server: &Server, address: &str, password: &str) -> Answer {
    let login = json!({ "userKey": address, "password": password });
    post(&mut client(server), "login", None, &login)
}

#[test]
fn a_token_raced_over_two_processes_is_taken_once() {
    let Some(pair) = pair("token_race", &[]) else {
        return;
    };
    for round in 0..crate::scaled(5, 50) {
        let address = format!("anna{round}@example.org");
        let (process, code) = registering(&pair.servers[0], &pair.houses, &address);
        let proof = json!({ "processingId": process, "oneTimeToken": code });
        let answers = storm(&pair, "registration/verification", &vec![proof; 20]);
        let tally = tally(&answers);
        assert_eq!(tally["200"], 1, "{tally:?}");
        assert_eq!(tally["409 PROCESS_STATE"], 19, "{tally:?}");
    }
    pair.houses.iter().for_each(House::assert_no_panic);
    pair.houses[0].verify_audit();
}

#[test]
fn of_wrong_tokens_over_two_processes_five_are_judged() {
    let Some(pair) = pair("wrong_tokens", &[]) else {
        return;
    };
    let (process, code) = registering(&pair.servers[0], &pair.houses, "anna@example.org");
    let code: usize = code.parse().unwrap();
    let wrong = |nth: usize| json!({ "processingId": process, "oneTimeToken": format!("{:06}", (code + 1 + nth) % 1_000_000) });
    let bodies: Vec<Value> = (0..60).map(wrong).collect();
    let answers = storm(&pair, "registration/verification", &bodies);
    let left = |left: u64| {
        let has = |answer: &&Answer| answer.json()["attemptsLeft"] == left;
        answers.iter().filter(has).count()
    };
    // The fifth burned the token, and five more were counted for the process without a look.
    assert_eq!([4, 3, 2, 1, 0].map(left), [1, 1, 1, 1, 6]);
    assert_eq!(tally(&answers)["404 PROCESS_NOT_FOUND"], 50);
}

#[test]
fn wrong_passwords_over_two_processes_lock_exactly() {
    let Some(pair) = pair("wrong_passwords", &[]) else {
        return;
    };
    register(&pair.servers[0], &pair.houses, "anna@example.org");
    let wrong = json!({ "userKey": "anna@example.org", "password": "not the password" });
    let answers = storm(&pair, "login", &vec![wrong; 50]);
    let tally = tally(&answers);
    assert_eq!(tally["401 BAD_CREDENTIALS"], 5, "{tally:?}");
    assert_eq!(tally["429 TOO_MANY_ATTEMPTS"], 45, "{tally:?}");
    for server in &pair.servers {
        let right = log_in(server, "anna@example.org", PASSWORD);
        assert_eq!(said(&right), "429 TOO_MANY_ATTEMPTS");
    }
}

#[test]
fn pumping_over_two_processes_stops_at_the_budgets() {
    let budgets = [
        ("KEYWARD_LIMITS__DAY_MESSAGES", "150"),
        ("KEYWARD_LIMITS__COUNTRY_MESSAGES_DAY", "4"),
        ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_IP_HOUR", "0"),
    ];
    let Some(pair) = pair("pumping", &budgets) else {
        return;
    };
    let count = crate::scaled(600, 10_000);
    let answers: Vec<(usize, u16)> = thread::scope(|scope| {
        let pump = |thread: usize| {
            let mut client = client(&pair.servers[thread % 2]);
            scope.spawn(move || {
                let mut seen = Vec::new();
                for nth in (thread..count).step_by(20) {
                    let country = nth % 50;
                    // Calling codes of three digits: 210 to 259.
                    let number = format!("+{}55{nth:06}", 210 + country);
                    let key = json!({ "userKey": number });
                    let begun = post(&mut client, "registration", None, &key);
                    let process = begun.field("processingId").unwrap();
                    let path = format!("token/registration/{process}");
                    let sent = post(&mut client, &path, None, &json!({}));
                    seen.push((country, sent.status));
                }
                seen
            })
        };
        let threads: Vec<_> = (0..20).map(pump).collect();
        let seen = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        seen.collect()
    });
    let mut sent: BTreeMap<usize, usize> = BTreeMap::new();
    for (country, status) in &answers {
        assert!([200, 429].contains(status), "{status}");
        *sent.entry(*country).or_default() += usize::from(*status == 200);
    }
    assert_eq!(answers.len(), count);
    assert_eq!(sent.values().sum::<usize>(), 150);
    assert!(sent.values().all(|sent| *sent <= 4), "{sent:?}");
}

#[test]
fn what_was_counted_and_what_ended_outlives_a_sudden_death() {
    let house = House::new();
    let server = house.start();
    register(&server, slice::from_ref(&house), "anna@example.org");
    register(&server, slice::from_ref(&house), "ben@example.org");
    let kept = log_in(&server, "ben@example.org", PASSWORD);
    let ended = log_in(&server, "ben@example.org", PASSWORD);
    let (kept, ended) = (
        kept.field("accessToken").unwrap(),
        ended.field("accessToken").unwrap(),
    );
    for _ in 0..5 {
        let wrong = log_in(&server, "anna@example.org", "not the password");
        assert_eq!(said(&wrong), "401 BAD_CREDENTIALS");
    }
    let out = post(&mut client(&server), "logout", Some(&ended), &json!({}));
    assert_eq!(said(&out), "200");
    server.kill();
    let server = house.start();
    let right = log_in(&server, "anna@example.org", PASSWORD);
    assert_eq!(said(&right), "429 TOO_MANY_ATTEMPTS");
    let mut client = client(&server);
    let gone = post(&mut client, "logout", Some(&ended), &json!({}));
    assert_eq!(said(&gone), "401 UNAUTHORIZED");
    let alive = post(&mut client, "logout", Some(&kept), &json!({}));
    assert_eq!(said(&alive), "200");
    house.verify_audit();
}
