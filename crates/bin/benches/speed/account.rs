//! Accounts: one-time tokens issued and consumed, logins, and calls with an access token.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{Connection, field};
use crate::issue::{self, CLIENTS};
use crate::server::Server;
use crate::{as_f64, hash, load, quantile};

const UNLIMITED: [(&str, &str); 10] = [
    ("KEYWARD_PROFILE__OTT__RESEND_COOLDOWN_SECONDS", "0"),
    ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_PROCESS", "0"),
    ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_OPERATION_HOUR", "0"),
    ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_ADDRESS_HOUR", "0"),
    ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_ADDRESS_DAY", "0"),
    ("KEYWARD_PROFILE__OTT__MAX_SENDS_PER_IP_HOUR", "0"),
    ("KEYWARD_LIMITS__NETWORK_MESSAGES_HOUR", "0"),
    ("KEYWARD_LIMITS__DAY_MESSAGES", "0"),
    ("KEYWARD_LIMITS__COUNTRY_MESSAGES_DAY", "0"),
    ("KEYWARD_LIMITS__QUEUE_PER_SUBJECT", "64"),
];
const PASSWORD: &str = "correct horse battery";
/// Tokens that each client consumes.
const EACH: usize = 40;

/// Against bare group commits.
pub(crate) fn tokens_on_sqlite() {
    let (_, grouped) = issue::bare();
    tokens("SQLite", &[], grouped);
}

/// Tokens a second, durable, against so many bare durable commits a second of the same engine.
pub(crate) fn tokens(engine: &str, storage: &[(&str, &str)], bare: f64) {
    let settings = [&UNLIMITED[..], storage].concat();
    let server = Server::with(&["--dev", "--dev-fast-hash"], &settings);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let mut connection = Connection::open(&server.address);
            let addresses = (0..EACH).map(|n| format!("user{client}.{n}@example.com"));
            let processes = addresses.map(|address| (begin(&mut connection, &address), address));
            let processes: Vec<_> = processes.collect();
            (connection, processes)
        })
        .collect();
    // Consuming first: the codes are in the development mailbox.
    let codes = Arc::new(mailbox(&server));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for (mut connection, processes) in clients {
            let codes = Arc::clone(&codes);
            scope.spawn(move || {
                for (process, address) in processes {
                    let proof = json!({ "processingId": process, "oneTimeToken": codes[&address] });
                    post(&mut connection, "registration/verification", &proof);
                }
            });
        }
    });
    let consumed = as_f64((CLIENTS * EACH) as u64) / started.elapsed().as_secs_f64();
    println!("{engine}: tokens consumed: {consumed:.0}/s at {CLIENTS} clients");
    // Letters wait for a provider that is away: the loop measures the issue, not the mail server.
    let away = [
        ("KEYWARD_MAIL__KIND", "smtp"),
        ("KEYWARD_MAIL__HOST", "127.0.0.1"),
        ("KEYWARD_MAIL__PORT", "9"),
        ("KEYWARD_MAIL__TLS", "none"),
        ("KEYWARD_MAIL__FROM", "keys@example.com"),
    ];
    let server = server.again(&[&settings[..], &away[..]].concat());
    let clients = (0..CLIENTS)
        .map(|client| {
            let mut connection = Connection::open(&server.address);
            let key = json!({ "userKey": format!("sender{client}@example.com") });
            let process = post(&mut connection, "registration", &key)["processingId"].clone();
            let path = format!("token/registration/{}", process.as_str().expect("an id"));
            (connection, path)
        })
        .collect();
    let (issued, times) = load(clients, |(connection, path)| {
        post(connection, path, &json!({}));
    });
    println!(
        "{engine}: tokens issued: {issued:.0}/s at {CLIENTS} clients, p50 {:?}, p99 {:?}",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
    println!(
        "{engine}: against bare durable commits ({bare:.0}/s): issued {:.2}, consumed {:.2}",
        issued / bare,
        consumed / bare
    );
}

/// Logins against bare Argon2id, and calls with an access token.
pub(crate) fn logins() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let server = Server::with(&["--dev"], &UNLIMITED);
    let addresses: Vec<String> = (0..16).map(|n| format!("user{n}@example.com")).collect();
    for address in &addresses {
        register(&server, address);
    }
    let clients = || {
        let open = |address: &String| (Connection::open(&server.address), address.clone());
        addresses.iter().map(open).collect::<Vec<_>>()
    };
    let log_in = |(connection, address): &mut (Connection, String)| {
        let login = json!({ "userKey": address, "password": PASSWORD });
        post(connection, "login", &login)
    };
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let bare = hash::bare(cores);
        let (rate, times) = load(clients(), |client| {
            log_in(client);
        });
        println!(
            "login: {rate:.1}/s at 16 clients, p50 {:?}, p99 {:?}; bare Argon2id {bare:.1}/s",
            quantile(&times, 0.5),
            quantile(&times, 0.99)
        );
        ratios.push(rate / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "login against bare Argon2id: {:.3} (median of 3, aim >= 0.95)",
        ratios[1]
    );
    let signed_in = clients()
        .into_iter()
        .map(|mut client| {
            let token = log_in(&mut client)["accessToken"].clone();
            let token = token.as_str().expect("a token").to_owned();
            (client.0, format!("authorization: Bearer {token}\r\n"))
        })
        .collect();
    let (rate, times) = load(signed_in, |(connection, token)| {
        let path = "/api/v1/account/details";
        let (status, answer) = connection.send_with("GET", path, token, "");
        assert_eq!(status, 200, "{answer}");
    });
    println!(
        "calls with an access token: {rate:.0}/s at 16 clients, p50 {:?}, p99 {:?}",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
}

fn post(connection: &mut Connection, path: &str, body: &Value) -> Value {
    let path = format!("/api/v1/{path}");
    let json = "content-type: application/json\r\n";
    let (status, answer) = connection.send_with("POST", &path, json, &body.to_string());
    assert_eq!(status, 200, "{path}: {answer}");
    serde_json::from_str(&answer).expect("JSON")
}

/// A registration whose token was sent.
fn begin(connection: &mut Connection, address: &str) -> String {
    let begun = post(connection, "registration", &json!({ "userKey": address }));
    let process = begun["processingId"].as_str().expect("an id").to_owned();
    post(
        connection,
        &format!("token/registration/{process}"),
        &json!({}),
    );
    process
}

fn register(server: &Server, address: &str) {
    let mut connection = Connection::open(&server.address);
    let process = begin(&mut connection, address);
    let code = mailbox(server)[address].clone();
    let proof = json!({ "processingId": process, "oneTimeToken": code });
    post(&mut connection, "registration/verification", &proof);
    let password = json!({ "processingId": process, "password": PASSWORD });
    post(&mut connection, "registration/password", &password);
}

/// The newest code of each address.
fn mailbox(server: &Server) -> std::collections::HashMap<String, String> {
    let path = server.folder.join("mailbox.jsonl");
    let lines = std::fs::read_to_string(path).expect("the mailbox");
    let codes = lines
        .lines()
        .map(|line| (field(line, "to"), field(line, "oneTimeToken")));
    codes.collect()
}
