//! Twilio and the webhook, against a server of our own.

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::hmac;
use domain::message::Channel;
use domain::port::Courier;
use domain::port::courier::Delivery;
use domain::secret::{SecretBytes, SecretText};
use outside::courier::{
    CourierOptions, OutsideCourier, Plain, ProviderOptions, SmsSender, TwilioOptions,
    WebhookOptions,
};

use crate::letters::{AT, Hand, letter};
use crate::web_server::{Answer, WebServer};

const SID: &str = "AC0123456789abcdef0123456789abcdef";
const SECRET: &[u8] = b"thirty-two bytes of shared secret";

fn twilio(base_url: &str) -> TwilioOptions {
    TwilioOptions {
        base_url: base_url.to_owned(),
        ..TwilioOptions::new(
            SID,
            SecretText::new("t0ken".to_owned()),
            SmsSender::Number("+15005550006".to_owned()),
        )
    }
}

fn webhook(url: &str) -> WebhookOptions {
    WebhookOptions::new(url, SecretBytes::new(SECRET.to_vec()))
}

fn built(provider: ProviderOptions) -> Result<OutsideCourier, String> {
    let sms = vec![provider];
    OutsideCourier::new(
        CourierOptions {
            sms,
            ..CourierOptions::default()
        },
        Hand::new(),
    )
}

async fn outcome(provider: ProviderOptions) -> Delivery {
    built(provider)
        .unwrap()
        .deliver(&letter(Channel::Sms))
        .await
}

#[tokio::test]
async fn twilio_gets_a_form_with_basic_authentication() {
    let server = WebServer::start(Answer::Status(201, r#"{"sid":"SM1"}"#)).await;
    assert_eq!(
        outcome(ProviderOptions::Twilio(twilio(&server.url()))).await,
        Delivery::Accepted
    );
    let asked = &server.asked()[0];
    assert_eq!(
        asked.line,
        format!("POST /2010-04-01/Accounts/{SID}/Messages.json")
    );
    assert_eq!(
        asked.headers["authorization"],
        "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0MGtlbg=="
    );
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        String::from_utf8_lossy(&asked.body),
        "To=%2B491701234567&From=%2B15005550006&Body=Your+code+is%3A+042137%0A%22Gr%C3%BC%C3%9Fe%22"
    );
}

#[tokio::test]
async fn twilio_can_send_by_a_messaging_service() {
    let server = WebServer::start(Answer::Status(201, "")).await;
    let options = TwilioOptions {
        sender: SmsSender::Service("MG42".to_owned()),
        ..twilio(&format!("{}/gateway/", server.url()))
    };
    assert_eq!(
        outcome(ProviderOptions::Twilio(options)).await,
        Delivery::Accepted
    );
    let asked = &server.asked()[0];
    assert_eq!(
        asked.line,
        format!("POST /gateway/2010-04-01/Accounts/{SID}/Messages.json")
    );
    assert!(String::from_utf8_lossy(&asked.body).contains("&MessagingServiceSid=MG42&"));
}

#[tokio::test]
async fn a_status_says_later_or_never() {
    let server = WebServer::start(Answer::Silence).await;
    for (status, refused) in [
        (302, false),
        (400, true),
        (401, false),
        (403, true),
        (404, true),
        (408, false),
        (422, true),
        (429, false),
        (500, false),
        (503, false),
    ] {
        server.answer(Answer::Status(status, "no"));
        for (kind, provider) in [
            ("twilio", ProviderOptions::Twilio(twilio(&server.url()))),
            ("webhook", ProviderOptions::Webhook(webhook(&server.url()))),
        ] {
            let why = format!("{kind}: answered {status}");
            let expected = if refused {
                Delivery::Refused(why)
            } else {
                Delivery::Later(why)
            };
            assert_eq!(outcome(provider).await, expected);
        }
    }
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| !asked.line.contains("/elsewhere"))
    );
}

#[tokio::test]
async fn a_reason_has_the_providers_number_and_not_its_text() {
    let text =
        r#"{"code":21211,"message":"The 'To' number +491701234567 is not valid","status":400}"#;
    let server = WebServer::start(Answer::Status(400, text)).await;
    let outcome = outcome(ProviderOptions::Twilio(twilio(&server.url()))).await;
    assert_eq!(
        outcome,
        Delivery::Refused("twilio: answered 400 (error 21211)".to_owned())
    );
}

#[tokio::test]
async fn silence_costs_a_deadline_and_an_endless_answer_is_cut() {
    let server = WebServer::start(Answer::Silence).await;
    let quick = Duration::from_millis(100);
    let options = TwilioOptions {
        timeout: quick,
        ..twilio(&server.url())
    };
    let later = Delivery::Later("twilio: there was no answer in time".to_owned());
    assert_eq!(outcome(ProviderOptions::Twilio(options)).await, later);
    let options = WebhookOptions {
        timeout: quick,
        ..webhook(&server.url())
    };
    let later = Delivery::Later("webhook: there was no answer in time".to_owned());
    assert_eq!(outcome(ProviderOptions::Webhook(options)).await, later);

    server.answer(Answer::Endless(200));
    assert_eq!(
        outcome(ProviderOptions::Twilio(twilio(&server.url()))).await,
        Delivery::Accepted
    );
    assert_eq!(
        outcome(ProviderOptions::Webhook(webhook(&server.url()))).await,
        Delivery::Accepted
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_later_and_not_quoted() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=hunter2", gone.local_addr().unwrap());
    drop(gone);
    let Delivery::Later(why) = outcome(ProviderOptions::Webhook(webhook(&url))).await else {
        panic!("nobody was there");
    };
    assert!(!why.contains("hunter2"), "{why}");
}

#[tokio::test]
async fn a_webhook_gets_the_message_line_and_a_signature_over_it() {
    let server = WebServer::start(Answer::Status(204, "")).await;
    let provider = ProviderOptions::Webhook(webhook(&format!("{}/hook", server.url())));
    assert_eq!(outcome(provider).await, Delivery::Accepted);
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /hook");
    assert_eq!(asked.headers["content-type"], "application/json");
    let body = concat!(
        r#"{"id":"6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11","ts":"2020-11-16T13:56:45.840Z","#,
        r#""surface":"photon","channel":"SMS","to":"+491701234567","kind":"OTT","#,
        r#""operation":"VERIFY_CONTACT","subject":"Your verification code","#,
        r#""body":"Your code is: 042137\n\"Grüße\"","oneTimeToken":"042137","link":null,"#,
        r#""antiPhishingCode":"blue-fox-7"}"#,
    );
    assert_eq!(String::from_utf8_lossy(&asked.body), body);

    let timestamp = &asked.headers["x-keyward-timestamp"];
    assert_eq!(*timestamp, AT.seconds().to_string());
    let id = &asked.headers["x-keyward-message-id"];
    assert_eq!(id, "6f0c1e9a-1d1f-4f0e-8a39-0c8e3a5b7f11");
    let signature = asked.headers["x-keyward-signature"]
        .strip_prefix("v1=")
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signed = format!("v1:{timestamp}:{id}:{body}");
    hmac::verify(&key, signed.as_bytes(), &hex::decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn a_later_try_has_the_same_id_and_the_time_of_the_try() {
    let server = WebServer::start(Answer::Status(500, "")).await;
    let clock = Hand::new();
    let sms = vec![ProviderOptions::Webhook(webhook(&server.url()))];
    let options = CourierOptions {
        sms,
        ..CourierOptions::default()
    };
    let courier = OutsideCourier::new(options, clock.clone()).unwrap();
    courier.deliver(&letter(Channel::Sms)).await;
    clock.advance(Duration::from_mins(1));
    courier.deliver(&letter(Channel::Sms)).await;
    let asked = server.asked();
    assert_eq!(
        asked[0].headers["x-keyward-message-id"],
        asked[1].headers["x-keyward-message-id"]
    );
    assert_eq!(asked[0].body, asked[1].body);
    assert_eq!(
        asked[1].headers["x-keyward-timestamp"],
        (AT.seconds() + 60).to_string()
    );
    assert_ne!(
        asked[0].headers["x-keyward-signature"],
        asked[1].headers["x-keyward-signature"]
    );
}

#[tokio::test]
async fn an_id_that_is_no_header_is_refused() {
    let server = WebServer::start(Answer::Status(204, "")).await;
    let mut hostile = letter(Channel::Sms);
    hostile.id = "x\r\nX-Other: y".to_owned();
    let courier = built(ProviderOptions::Webhook(webhook(&server.url()))).unwrap();
    assert!(matches!(
        courier.deliver(&hostile).await,
        Delivery::Refused(_)
    ));
    assert!(server.asked().is_empty());
}

#[test]
fn wrong_options_are_refused_with_what_to_do() {
    let sender = |text: &str| SmsSender::Number(text.to_owned());
    let https = "https://sms.example";
    for (options, why) in [
        (
            TwilioOptions {
                account_sid: "../x".to_owned(),
                ..twilio(https)
            },
            "letters and digits",
        ),
        (
            TwilioOptions {
                auth_token: SecretText::new(String::new()),
                ..twilio(https)
            },
            "token is empty",
        ),
        (
            TwilioOptions {
                sender: sender(" "),
                ..twilio(https)
            },
            "no sender",
        ),
        (twilio("http://sms.example"), "unencrypted"),
        (twilio("ftp://sms.example"), "neither https nor http"),
        (twilio("sms.example"), "not a URL"),
        (
            TwilioOptions {
                ca_file: Some(PathBuf::from("/dev/null")),
                ..twilio(https)
            },
            "no PEM",
        ),
    ] {
        let error = built(ProviderOptions::Twilio(options)).unwrap_err();
        assert!(error.starts_with("sms: ") && error.contains(why), "{error}");
    }
    let short = WebhookOptions::new(https, SecretBytes::new(vec![1; 31]));
    let error = built(ProviderOptions::Webhook(short)).unwrap_err();
    assert!(error.contains("31 bytes and needs at least 32"), "{error}");
    let plain = webhook("http://hooks.internal/sms");
    assert!(built(ProviderOptions::Webhook(plain.clone())).is_err());
    let allowed = WebhookOptions {
        plain: Plain::Anywhere,
        ..plain
    };
    built(ProviderOptions::Webhook(allowed)).unwrap();
}

#[test]
fn options_print_no_secret() {
    let printed = format!(
        "{:?} {:?}",
        twilio("https://sms.example"),
        webhook("https://sms.example")
    );
    assert!(
        !printed.contains("t0ken") && !printed.contains("thirty-two"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_probe_sends_no_letter() {
    let server = WebServer::start(Answer::Status(200, "{}")).await;
    let courier = built(ProviderOptions::Twilio(twilio(&server.url()))).unwrap();
    assert_eq!(courier.probe().await[0].outcome, Ok(()));
    assert_eq!(
        server.asked()[0].line,
        format!("GET /2010-04-01/Accounts/{SID}.json")
    );
    server.answer(Answer::Status(401, ""));
    let why = courier.probe().await.remove(0).outcome.unwrap_err();
    assert!(why.contains("account SID or auth token is wrong"), "{why}");

    let courier = built(ProviderOptions::Webhook(webhook(&server.url()))).unwrap();
    server.answer(Answer::Status(405, ""));
    assert_eq!(courier.probe().await[0].outcome, Ok(()));
    assert!(server.asked().last().unwrap().line.starts_with("HEAD /"));
}
