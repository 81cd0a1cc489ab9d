//! Mail over SMTP, against a server of our own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::message::Channel;
use domain::port::Courier;
use domain::port::courier::{Delivery, Letter};
use domain::secret::SecretText;
use outside::courier::{
    CourierOptions, OutsideCourier, Plain, ProviderOptions, SmtpOptions, SmtpSecurity,
};

use crate::letters::{Hand, letter};
use crate::mail_server::{HANG_UP, MailServer, Mode, SILENCE};

fn options(server: &MailServer, security: SmtpSecurity) -> SmtpOptions {
    SmtpOptions {
        port: Some(server.address.port()),
        security,
        hello_name: Some("keyward.example".to_owned()),
        reply_to: Some("help@keyward.example".to_owned()),
        connect_timeout: Duration::from_secs(5),
        ..SmtpOptions::new("localhost", "Keyward <noreply@keyward.example>")
    }
}

fn plain(server: &MailServer) -> SmtpOptions {
    options(server, SmtpSecurity::Plain(Plain::Loopback))
}

fn with_ca(options: SmtpOptions) -> SmtpOptions {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/tls/ca.pem");
    SmtpOptions {
        ca_file: Some(PathBuf::from(file)),
        ..options
    }
}

fn with_login(options: SmtpOptions) -> SmtpOptions {
    SmtpOptions {
        username: Some("ann".to_owned()),
        password: Some(SecretText::new("s3cret".to_owned())),
        ..options
    }
}

fn built(options: SmtpOptions, clock: Arc<Hand>) -> Result<OutsideCourier, String> {
    let email = vec![ProviderOptions::Smtp(options)];
    OutsideCourier::new(
        CourierOptions {
            email,
            ..CourierOptions::default()
        },
        clock,
    )
}

fn courier(options: SmtpOptions) -> OutsideCourier {
    built(options, Hand::new()).unwrap()
}

async fn outcome(options: SmtpOptions) -> Delivery {
    courier(options).deliver(&letter(Channel::Email)).await
}

fn header<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
    let head = mail.split("\r\n\r\n").next().unwrap();
    head.split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_letter_arrives_with_both_parts_and_our_headers() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    assert_eq!(outcome(plain(&server)).await, Delivery::Accepted);
    assert_eq!(
        server.lines(),
        [
            "EHLO keyward.example",
            "MAIL FROM:<noreply@keyward.example>",
            "RCPT TO:<jon.smith@example.com>",
            "DATA"
        ]
    );
    let mail = &server.mails()[0];
    let id = "6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11";
    let expected_id = format!("<{id}@keyward.example>");
    for (name, value) in [
        ("Message-ID", expected_id.as_str()),
        ("Date", "Mon, 16 Nov 2020 13:56:45 +0000"),
        ("From", "Keyward <noreply@keyward.example>"),
        ("Reply-To", "help@keyward.example"),
        ("To", "jon.smith@example.com"),
        ("Subject", "Your verification code"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(header(mail, name), Some(value), "{mail}");
    }
    assert!(
        mail.contains("Content-Type: multipart/alternative;"),
        "{mail}"
    );
    let text = mail
        .find("Content-Type: text/plain; charset=utf-8")
        .unwrap();
    let html = mail.find("Content-Type: text/html; charset=utf-8").unwrap();
    assert!(text < html, "the last alternative is the preferred one");
    assert!(
        mail.contains("Your code is: 042137\r\n\"Gr=C3=BC=C3=9Fe\""),
        "{mail}"
    );
}

#[tokio::test]
async fn every_try_sends_the_same_bytes_over_one_connection() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let courier = courier(plain(&server));
    for _ in 0..3 {
        assert_eq!(
            courier.deliver(&letter(Channel::Email)).await,
            Delivery::Accepted
        );
    }
    let mails = server.mails();
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| *mail == mails[0]));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_died_or_aged_is_replaced() {
    let died = MailServer::start(Mode::Plain, |line| (line == "NOOP").then_some(HANG_UP)).await;
    let first = courier(plain(&died));
    for _ in 0..2 {
        assert_eq!(
            first.deliver(&letter(Channel::Email)).await,
            Delivery::Accepted
        );
    }
    assert_eq!(died.connections(), 2);

    let server = MailServer::start(Mode::Plain, |_| None).await;
    let clock = Hand::new();
    let second = built(plain(&server), Arc::clone(&clock)).unwrap();
    assert_eq!(
        second.deliver(&letter(Channel::Email)).await,
        Delivery::Accepted
    );
    clock.advance(Duration::from_mins(2));
    assert_eq!(
        second.deliver(&letter(Channel::Email)).await,
        Delivery::Accepted
    );
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn the_answers_code_says_later_or_never() {
    let cases: [(crate::mail_server::Script, Delivery); 8] = [
        (
            |line| line.starts_with("RCPT").then_some("451 try later"),
            later("answered 451"),
        ),
        (
            |line| {
                line.starts_with("RCPT")
                    .then_some("550 no jon.smith@example.com")
            },
            refused("answered 550"),
        ),
        (
            |line| line.starts_with("MAIL").then_some("530 log in"),
            later("answered 530"),
        ),
        (
            |line| line.starts_with("DATA").then_some("452 full"),
            later("answered 452"),
        ),
        (
            |line| (line == "CONTENT").then_some("554 spam"),
            refused("answered 554"),
        ),
        (
            |line| (line == "CONTENT").then_some("421 closing"),
            later("answered 421"),
        ),
        (
            |line| (line == "GREETING").then_some("554 not you"),
            later("connecting: answered 554"),
        ),
        (
            |line| line.starts_with("EHLO").then_some("what?"),
            later("connecting: the answer is not valid"),
        ),
    ];
    for (script, expected) in cases {
        let server = MailServer::start(Mode::Plain, script).await;
        assert_eq!(outcome(plain(&server)).await, expected);
    }
}

fn later(why: &str) -> Delivery {
    Delivery::Later(format!("smtp: {why}"))
}

fn refused(why: &str) -> Delivery {
    Delivery::Refused(format!("smtp: {why}"))
}

#[tokio::test]
async fn a_login_is_made_with_what_the_server_offers() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    assert_eq!(
        outcome(with_login(plain(&server))).await,
        Delivery::Accepted
    );
    assert!(
        server
            .lines()
            .contains(&"AUTH PLAIN AGFubgBzM2NyZXQ=".to_owned())
    );

    let server = MailServer::start(Mode::Plain, |line| match line {
        line if line.starts_with("EHLO") => Some("250-localhost\r\n250 AUTH LOGIN"),
        "AUTH LOGIN" => Some("334 VXNlcm5hbWU6"),
        "YW5u" => Some("334 UGFzc3dvcmQ6"),
        "czNjcmV0" => Some("235 welcome"),
        _ => None,
    })
    .await;
    assert_eq!(
        outcome(with_login(plain(&server))).await,
        Delivery::Accepted
    );

    let wrong = MailServer::start(Mode::Plain, |line| {
        line.starts_with("AUTH").then_some("535 no")
    })
    .await;
    assert_eq!(
        outcome(with_login(plain(&wrong))).await,
        later("login: answered 535")
    );
    assert!(wrong.mails().is_empty());
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let options = with_login(options(&server, SmtpSecurity::StartTls));
    assert_eq!(
        outcome(options).await,
        later("the server does not offer STARTTLS")
    );
    assert!(
        server
            .lines()
            .iter()
            .all(|line| line.starts_with("EHLO") || line == "QUIT")
    );

    let refusing = MailServer::start(Mode::StartTls, |line| {
        (line == "STARTTLS").then_some("454 not now")
    })
    .await;
    let options = with_login(with_ca(self::options(&refusing, SmtpSecurity::StartTls)));
    assert_eq!(outcome(options).await, later("STARTTLS: answered 454"));
    assert!(
        !refusing
            .lines()
            .iter()
            .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"))
    );
}

#[tokio::test]
async fn starttls_and_tls_believe_the_authority_of_the_ca_file() {
    for (mode, security) in [
        (Mode::StartTls, SmtpSecurity::StartTls),
        (Mode::Tls, SmtpSecurity::Tls),
    ] {
        let server = MailServer::start(mode, |_| None).await;
        let trusted = with_login(with_ca(options(&server, security)));
        assert_eq!(outcome(trusted).await, Delivery::Accepted);
        assert_eq!(server.mails().len(), 1);

        let strange = with_login(options(&server, security));
        assert!(matches!(outcome(strange).await, Delivery::Later(_)));
        assert_eq!(server.mails().len(), 1);
    }
}

/// Somebody on the way answers the whole conversation before TLS begins.
#[tokio::test]
async fn answers_slipped_in_before_tls_are_not_believed() {
    let server = MailServer::start(Mode::StartTls, |line| {
        (line == "STARTTLS").then_some(
            "220 go on\r\n250-localhost\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 fine\r\n250 fine\r\n354 go on\r\n250 taken",
        )
    })
    .await;
    let options = with_login(with_ca(options(&server, SmtpSecurity::StartTls)));
    let outcome = outcome(options).await;
    assert!(
        matches!(&outcome, Delivery::Later(why) if why.starts_with("smtp: STARTTLS: ")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_taken() {
    let server = MailServer::start(Mode::Tls, |_| None).await;
    let options = SmtpOptions {
        host: "127.0.0.2".to_owned(),
        ..with_ca(options(&server, SmtpSecurity::Tls))
    };
    assert!(matches!(outcome(options).await, Delivery::Later(_)));
}

#[tokio::test]
async fn a_silent_server_costs_a_deadline_and_its_connection_is_not_used_again() {
    let server =
        MailServer::start(Mode::Plain, |line| (line == "CONTENT").then_some(SILENCE)).await;
    let options = SmtpOptions {
        timeout: Duration::from_millis(100),
        ..plain(&server)
    };
    let courier = courier(options);
    for connections in 1..=2 {
        let outcome = courier.deliver(&letter(Channel::Email)).await;
        assert_eq!(outcome, later("there was no answer in time"));
        assert_eq!(server.connections(), connections);
    }

    let mute = MailServer::start(Mode::Plain, |line| (line == "GREETING").then_some(SILENCE)).await;
    let options = SmtpOptions {
        connect_timeout: Duration::from_millis(100),
        ..plain(&mute)
    };
    assert_eq!(outcome(options).await, later("could not connect in time"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_later() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = SmtpOptions {
        port: Some(gone.local_addr().unwrap().port()),
        ..plain(&server)
    };
    drop(gone);
    assert!(matches!(outcome(options).await, Delivery::Later(_)));
}

#[tokio::test]
async fn nothing_in_a_letter_can_add_a_header() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let courier = courier(plain(&server));
    let hostile = Letter {
        id: "x>\r\nBcc: eve@example.com".to_owned(),
        subject: "Hi\r\nBcc: eve@example.com\r\n\r\nbody".to_owned(),
        ..letter(Channel::Email)
    };
    assert_eq!(courier.deliver(&hostile).await, Delivery::Accepted);
    let mail = &server.mails()[0];
    assert_eq!(header(mail, "Bcc"), None, "{mail}");
    assert_eq!(
        header(mail, "Subject"),
        Some("Hi  Bcc: eve@example.com    body")
    );

    for to in [
        "",
        "jon",
        "jon@example.com\r\nRCPT TO:<eve@example.com>",
        "jon@example.com>\r\nDATA",
        "jon smith@example.com",
        "a@example.com, b@example.com",
        "Jon <jon@example.com>",
    ] {
        let mut wrong = letter(Channel::Email);
        to.clone_into(&mut wrong.message.to);
        let outcome = courier.deliver(&wrong).await;
        assert_eq!(
            outcome,
            refused("the address is not an e-mail address"),
            "{to:?}"
        );
    }
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn lines_of_dots_and_long_lines_arrive_whole() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let text = format!(".\n..two\n.\n{}", "x".repeat(3000));
    let long = Letter {
        text,
        ..letter(Channel::Email)
    };
    assert_eq!(
        courier(plain(&server)).deliver(&long).await,
        Delivery::Accepted
    );
    let mail = &server.mails()[0];
    assert!(mail.contains("\r\n.\r\n..two\r\n.\r\n"), "{mail}");
    assert!(mail.split("\r\n").all(|line| line.len() <= 998));
    let soft: String = mail.replace("=\r\n", "");
    assert!(soft.contains(&"x".repeat(3000)));
}

#[test]
fn wrong_options_are_refused_with_what_to_do() {
    let base = SmtpOptions::new("mail.example.com", "noreply@keyward.example");
    let cases = [
        (
            SmtpOptions {
                security: SmtpSecurity::Plain(Plain::Loopback),
                ..base.clone()
            },
            "plain text",
        ),
        (
            SmtpOptions {
                from: "nobody".to_owned(),
                ..base.clone()
            },
            "from \"nobody\"",
        ),
        (
            SmtpOptions {
                from: "a@b.example\r\nBcc: c@d.example".to_owned(),
                ..base.clone()
            },
            "from",
        ),
        (
            SmtpOptions {
                reply_to: Some("x".to_owned()),
                ..base.clone()
            },
            "reply_to \"x\"",
        ),
        (
            SmtpOptions {
                username: Some("ann".to_owned()),
                ..base.clone()
            },
            "user name and a password",
        ),
        (
            SmtpOptions {
                ca_file: Some(PathBuf::from("/nonexistent.pem")),
                ..base.clone()
            },
            "cannot be read",
        ),
        (
            SmtpOptions {
                ca_file: Some(PathBuf::from("/dev/null")),
                ..base.clone()
            },
            "no PEM",
        ),
    ];
    for (options, why) in cases {
        let error = built(options, Hand::new()).unwrap_err();
        assert!(
            error.starts_with("mail: smtp: ") && error.contains(why),
            "{error}"
        );
    }
    let allowed = SmtpOptions {
        security: SmtpSecurity::Plain(Plain::Anywhere),
        ..base
    };
    built(allowed, Hand::new()).unwrap();
}

#[tokio::test]
async fn a_probe_sends_no_letter() {
    let server = MailServer::start(Mode::Plain, |_| None).await;
    let found = courier(with_login(plain(&server))).probe().await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].provider, &found[0].outcome), ("smtp", &Ok(())));
    let lines = server.lines();
    assert_eq!(lines.last().map(String::as_str), Some("QUIT"));
    assert!(!lines.iter().any(|line| line.starts_with("MAIL")));

    let wrong = MailServer::start(Mode::Plain, |line| {
        line.starts_with("AUTH").then_some("535 no")
    })
    .await;
    let found = courier(with_login(plain(&wrong))).probe().await;
    assert_eq!(found[0].outcome, Err("login: answered 535".to_owned()));
}
