//! Item 10: no PIN, code, address, key, id of a key or header is in any log line at any level.

use std::io;
use std::sync::{Arc, Mutex};

use domain::port::courier::Delivery;
use domain::time::days;
use testkit::{Client, Kit};
use tracing_subscriber::fmt::MakeWriter;
use web::observe::{Observer, Report};

use crate::server::Server;
use crate::setting;

/// Everything that anybody logs in this process: other tests add lines, and cannot hide ours.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

struct Counter;

impl Observer for Counter {
    fn request(&self, _: &Report<'_>) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_log_line() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false);
    let set =
        tracing::subscriber::set_global_default(subscriber.with_writer(lines.clone()).finish());
    set.unwrap();
    let server = Server::of(Kit::builder()).await;
    let (pin, new, wrong) = (
        "PIN of the log",
        "new PIN of the log",
        "wrong PIN of the log",
    );
    let (mail, phone) = ("log.test@example.com", "+4917512345678");
    let key = server.create(pin).await;
    for user in [mail, phone] {
        key.add_verified(pin, user).await;
    }
    let content = key.fetch(pin).await.member("encryptionKey");
    key.reset(mail).await;
    // Letters that are put off and refused are logged.
    let answers = [
        Delivery::Later("away".to_owned()),
        Delivery::Refused("never".to_owned()),
    ];
    server.kit.courier.answer_next(answers);
    assert_eq!(key.confirm(mail, &key.code(mail), new).await.status, 423);
    for _ in 0..11 {
        key.fetch(wrong).await;
        key.verify(mail, "123456").await;
    }
    server.kit.run_jobs().await;
    server.kit.clock.advance(days(61));
    server.kit.run_jobs().await;
    // And the same through the layers that log requests, with what clients send.
    let router = web::observe::layer(
        setting::routes(server.kit.services.clone()),
        Arc::new(Counter),
    );
    let client = Client::new(router);
    let basic = "Basic OlBJTiBvZiB0aGUgbG9n";
    for target in [
        format!("/v2/key/{}", key.id),
        format!("/v2/key/{}/user/{mail}/reset", key.id),
        format!("/nowhere/{mail}"),
    ] {
        client
            .send(
                "GET",
                &target,
                &[("authorization", basic), ("user-agent", "agent of the log")],
                "",
            )
            .await;
    }
    let mut secrets = Vec::new();
    for (letter, _) in server.kit.courier.tries() {
        secrets.extend(letter.message.code);
        let link = letter.message.link;
        secrets.extend(link.map(|link| link.rsplit('/').next().unwrap().to_owned()));
    }
    assert!(secrets.len() >= 4, "codes and links were sent");
    secrets.extend(
        [
            pin,
            new,
            wrong,
            mail,
            "example.com",
            phone,
            "17512345678",
            basic,
            "agent of the log",
        ]
        .map(str::to_owned),
    );
    secrets.extend([key.id.clone(), key.id.replace('-', ""), content]);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("/v2/key/{keyId}"),
        "requests are logged by their pattern: {log}"
    );
    let ours: Vec<&str> = log
        .lines()
        .filter(|line| secrets.iter().any(|secret| has(line, secret)))
        .collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

/// Six digits may be part of a number or of a hash; a code stands by itself.
fn has(line: &str, secret: &str) -> bool {
    let digits = secret.len() == 6 && secret.bytes().all(|byte| byte.is_ascii_digit());
    line.match_indices(secret).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + secret.len()..].chars().next();
        let inside = |neighbour: Option<char>| {
            neighbour.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
        };
        !digits || !inside(before) && !inside(after)
    })
}
