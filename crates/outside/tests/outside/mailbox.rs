//! The mailbox file, byte for byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use domain::message::{Channel, MessageKind};
use domain::port::Courier;
use domain::port::courier::Delivery;
use outside::courier::{CourierOptions, FileOptions, OutsideCourier, ProviderOptions};

use crate::letters::{Hand, letter};

pub(crate) fn mailbox(path: &Path) -> ProviderOptions {
    ProviderOptions::File(FileOptions {
        path: path.to_owned(),
    })
}

fn courier(path: &Path) -> OutsideCourier {
    let options = CourierOptions {
        email: vec![mailbox(path)],
        sms: vec![mailbox(path)],
        ..CourierOptions::default()
    };
    OutsideCourier::new(options, Hand::new()).unwrap()
}

#[tokio::test]
async fn half_a_line_of_a_killed_process_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.jsonl");
    fs::write(&path, "{\"id\":\"6f0c1e").unwrap();
    let courier = courier(&path);
    for _ in 0..2 {
        let delivery = courier.deliver(&letter(Channel::Email)).await;
        assert_eq!(delivery, Delivery::Accepted);
    }
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "{\"id\":\"6f0c1e");
    assert!(lines[1].starts_with("{\"id\":\"6f0c1e9a-") && lines[1].ends_with('}'));
    assert_eq!(lines[1], lines[2]);
}

#[tokio::test]
async fn each_letter_is_one_line_of_the_documented_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail/outbox.jsonl");
    let courier = courier(&path);
    assert!(courier.immediate());
    assert_eq!(
        courier.deliver(&letter(Channel::Email)).await,
        Delivery::Accepted
    );
    let mut notice = letter(Channel::Sms);
    notice.message.kind = MessageKind::Notice;
    notice.message.code = None;
    notice.message.anti_phishing_code = None;
    notice.message.link = Some("https://keyward.example/stop/x".to_owned());
    assert_eq!(courier.deliver(&notice).await, Delivery::Accepted);

    let expected = concat!(
        r#"{"id":"6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11","ts":"2020-11-16T13:56:45.840Z","#,
        r#""surface":"photon","channel":"EMAIL","to":"jon.smith@example.com","kind":"OTT","#,
        r#""operation":"VERIFY_CONTACT","subject":"Your verification code","#,
        r#""body":"Your code is: 042137\n\"Grüße\"","oneTimeToken":"042137","link":null,"#,
        r#""antiPhishingCode":"blue-fox-7"}"#,
        "\n",
        r#"{"id":"6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11","ts":"2020-11-16T13:56:45.840Z","#,
        r#""surface":"photon","channel":"SMS","to":"+491701234567","kind":"NOTICE","#,
        r#""operation":"VERIFY_CONTACT","subject":"Your verification code","#,
        r#""body":"Your code is: 042137\n\"Grüße\"","oneTimeToken":null,"#,
        r#""link":"https://keyward.example/stop/x","antiPhishingCode":null}"#,
        "\n",
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_parallel_letters_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.jsonl");
    let courier = Arc::new(courier(&path));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let courier = Arc::clone(&courier);
        tasks.spawn(async move { courier.deliver(&letter(Channel::Email)).await });
    }
    for outcome in tasks.join_all().await {
        assert_eq!(outcome, Delivery::Accepted);
    }
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 50);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[tokio::test]
async fn a_file_taken_away_is_made_again_and_a_blocked_one_is_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.jsonl");
    let courier = courier(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(
        courier.deliver(&letter(Channel::Email)).await,
        Delivery::Accepted
    );
    assert!(
        courier
            .probe()
            .await
            .iter()
            .all(|probe| probe.outcome.is_ok())
    );

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        courier.deliver(&letter(Channel::Email)).await,
        Delivery::Later(_)
    ));
    assert!(
        courier
            .probe()
            .await
            .iter()
            .all(|probe| probe.outcome.is_err())
    );
}

#[test]
fn an_impossible_path_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = CourierOptions {
        email: vec![mailbox(folder.path())],
        ..CourierOptions::default()
    };
    let why = OutsideCourier::new(options, Hand::new()).unwrap_err();
    assert!(
        why.starts_with("mail: cannot write the mailbox file"),
        "{why}"
    );
}

#[tokio::test]
async fn without_a_provider_every_letter_is_refused() {
    let courier = OutsideCourier::new(CourierOptions::default(), Hand::new()).unwrap();
    assert!(!courier.immediate());
    let outcome = courier.deliver(&letter(Channel::Sms)).await;
    assert_eq!(
        outcome,
        Delivery::Refused("no provider is configured".to_owned())
    );
}
