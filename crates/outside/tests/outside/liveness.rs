//! Verifiers of persons: the decision table, what is sent, and that no trouble is ever a yes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::port::Liveness;
use domain::port::liveness::{Check, Judgement, Purpose, Question};
use domain::secret::{SecretBytes, SecretText};
use domain::wallet::step_up::Evidence;
use outside::courier::Plain;
use outside::liveness::{
    FacetecOptions, Transport, VerifierOptions, WebhookOptions, judge_facetec,
};
use outside::{LivenessOptions, OutsideLiveness, SystemClock};
use serde_json::Value;

use crate::web_server::{Answer, WebServer};

const REFERENCE: &str = "0d7c1c4e-6a52-4b0d-9f1e-7b7f8a2d9c11";
const GOOD: &str = r#"{"success":true,"error":false,"matchLevel":15,"scanResultBlob":"AAEC","faceScanSecurityChecks":{"replayCheckSucceeded":true,"sessionTokenCheckSucceeded":true,"auditTrailVerificationCheckSucceeded":true,"faceScanLivenessCheckSucceeded":true}}"#;

fn question(check: Check) -> Question {
    Question {
        check,
        purpose: Purpose::Recovery,
        id: "00000000-0000-4000-8000-000000000001".to_owned(),
        reference: REFERENCE.to_owned(),
    }
}

fn evidence() -> Evidence {
    Evidence {
        scan: SecretText::new("QUJD".to_owned()),
        image: SecretText::new("REVG".to_owned()),
        small_image: SecretText::new("R0hJ".to_owned()),
        agent: "facetec|sdk|test".to_owned(),
        session: None,
        client: "192.0.2.7".to_owned(),
    }
}

fn verifier(verifier: VerifierOptions) -> Result<OutsideLiveness, String> {
    let transport = Transport {
        timeout: Duration::from_millis(300),
        max_concurrent: 10,
        ca_file: None,
        plain: Plain::Loopback,
    };
    let options = LivenessOptions {
        verifier,
        transport,
    };
    OutsideLiveness::new(options, Arc::new(SystemClock))
}

fn facetec(url: String) -> OutsideLiveness {
    let options = FacetecOptions {
        url,
        device_key: Some(SecretText::new("device-key".to_owned())),
        min_match_level: 15,
        extra_headers: BTreeMap::from([("x-api-key".to_owned(), "k".to_owned())]),
        forward_client_ip: true,
        delete_url_template: None,
    };
    verifier(VerifierOptions::Facetec(options)).unwrap()
}

fn webhook(url: String) -> OutsideLiveness {
    let options = WebhookOptions {
        url,
        secret: SecretBytes::new(vec![7; 32]),
    };
    verifier(VerifierOptions::Webhook(options)).unwrap()
}

#[test]
fn every_published_answer_gets_its_verdict() {
    let file: Value = serde_json::from_str(include_str!(
        "../../../crypto/tests/vectors/duo-auth-vectors.json"
    ))
    .unwrap();
    let vectors = file["facetec_decisions"].as_array().unwrap();
    assert_eq!(vectors.len(), 24);
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let is_match = vector["operation"] == "match";
        let level = vector["min_match_level"].as_u64();
        let level = level.map_or(15, |level| u8::try_from(level).unwrap());
        let body = match &vector["upstream_body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let status = vector["upstream_http_status"].as_u64().unwrap();
        let status = u16::try_from(status).unwrap();
        let reference = vector["reference"].as_str().unwrap();
        let judged = judge_facetec(
            reference,
            is_match.then_some(level),
            status,
            body.as_bytes(),
        );
        let verdict = match judged.judgement {
            Judgement::Accepted => "accept",
            Judgement::Refused(_) => "reject",
            Judgement::Untrustworthy(_) | Judgement::Unreachable(_) => "unavailable",
        };
        assert_eq!(verdict, vector["verdict"], "{id}");
    }
}

#[tokio::test]
async fn a_facetec_server_is_asked_as_it_expects() {
    let server = WebServer::start(Answer::Status(200, GOOD)).await;
    let verifier = facetec(format!("{}/prefix/", server.url()));
    for (check, line) in [
        (Check::Enrol, "POST /prefix/enrollment-3d"),
        (Check::Match, "POST /prefix/match-3d-3d"),
    ] {
        let judged = verifier.judge(&question(check), &evidence()).await;
        assert_eq!(judged.judgement, Judgement::Accepted);
        assert_eq!(judged.for_client.as_deref(), Some("AAEC"));
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, line);
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-user-agent", "facetec|sdk|test"),
            ("x-device-key", "device-key"),
            ("x-api-key", "k"),
            ("x-ft-ipaddress", "192.0.2.7"),
        ] {
            assert_eq!(asked.headers.get(name).map(String::as_str), Some(value));
        }
        assert!(!asked.headers.contains_key("authorization"));
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let expected = serde_json::json!({"externalDatabaseRefID": REFERENCE, "faceScan": "QUJD",
            "auditTrailImage": "REVG", "lowQualityAuditTrailImage": "R0hJ"});
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn trouble_is_never_a_yes_and_never_tried_twice() {
    let server = WebServer::start(Answer::Status(200, GOOD)).await;
    let verifier = facetec(server.url());
    for (answer, unreachable) in [
        (Answer::Silence, true),
        (Answer::Status(302, GOOD), false),
        (Answer::Status(500, GOOD), false),
        (Answer::Status(200, "<html>"), false),
        (Answer::Endless(200), true),
    ] {
        server.answer(answer);
        let before = server.asked().len();
        let judged = verifier.judge(&question(Check::Match), &evidence()).await;
        match judged.judgement {
            Judgement::Unreachable(_) => assert!(unreachable),
            Judgement::Untrustworthy(_) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(server.asked().len(), before + 1, "evidence is single use");
    }
    let nobody = facetec("http://127.0.0.1:1/".to_owned());
    let judged = nobody.judge(&question(Check::Match), &evidence()).await;
    assert!(matches!(judged.judgement, Judgement::Unreachable(_)));
}

#[tokio::test]
async fn an_unsigned_webhook_answer_is_worth_nothing() {
    let yes = r#"{"version":1,"request_id":"00000000-0000-4000-8000-000000000001","decision":"accept","liveness":true,"matched":true}"#;
    let server = WebServer::start(Answer::Status(200, yes)).await;
    let judged = webhook(server.url())
        .judge(&question(Check::Match), &evidence())
        .await;
    assert!(matches!(judged.judgement, Judgement::Untrustworthy(_)));
    let asked = server.asked().pop().unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["operation"], "match");
    assert_eq!(body["purpose"], "keyshare_recover");
    let message = crypto::webhook_signature::Message {
        prefix: "v1",
        timestamp: asked.headers["x-face-verifier-timestamp"].parse().ok(),
        id: &asked.headers["x-face-verifier-request-id"],
        body: &asked.body,
    };
    let secret = crypto::webhook_signature::Secret::new(&[7; 32]);
    assert!(secret.verify(&message, &asked.headers["x-face-verifier-signature"]));
}

#[test]
fn insecure_settings_do_not_start() {
    let short = WebhookOptions {
        url: "https://verifier.example.test/".to_owned(),
        secret: SecretBytes::new(vec![7; 31]),
    };
    assert!(verifier(VerifierOptions::Webhook(short)).is_err());
    let plain = WebhookOptions {
        url: "http://verifier.example.test/".to_owned(),
        secret: SecretBytes::new(vec![7; 32]),
    };
    assert!(verifier(VerifierOptions::Webhook(plain)).is_err());
}
