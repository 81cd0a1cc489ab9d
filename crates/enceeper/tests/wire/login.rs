//! Logins: vectors through the wire, single use, equal work for every name.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::Kit;

use crate::person::{Person, auth, client, kit};
use crate::srp;

fn vectors() -> Value {
    serde_json::from_str(srp::VECTORS).expect("the vectors are JSON")
}

#[tokio::test]
async fn every_published_account_signs_in() {
    let kit = kit().await;
    let client = client(&kit.services);
    for vector in vectors()["vectors"].as_array().expect("a list") {
        let text = |name: &str| vector[name].as_str().expect("a text");
        let email = text("identity");
        // The rule for addresses is the browser's; the identity in the proof is the client's business.
        if !email.is_ascii() {
            continue;
        }
        let person = Person::outside(&client, email, text("password_nfkc"));
        let auth = json!({
            "srp6a": {"salt": text("salt").to_uppercase(), "verifier": text("verifier").to_uppercase()},
            "keys": {"pub": "00"},
        });
        person
            .call("POST", "/user", &json!({"email": email, "auth": auth}))
            .await;
        let challenge = person.challenge().await;
        assert_eq!(challenge["salt"], text("salt"), "as stored, in lower case");
        assert_eq!(challenge["B"].as_str().map(str::len), Some(2048));
        let body = person.answer_to(&challenge);
        let answer = person.call("POST", "/user/login", &body).await;
        assert_eq!(answer.status, 200, "{} {}", text("name"), answer.text());
    }
}

#[tokio::test]
async fn the_servers_proof_is_the_one_expected_and_nothing_secret_comes_back() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let challenge = person.challenge().await;
    let text = |name: &str| challenge[name].as_str().expect("a text").to_owned();
    let proof = srp::prove(&person.email, "secret", &text("salt"), &text("B"));
    let body = json!({"srp6a": {"A": proof.public.to_uppercase(), "M1": proof.answer.to_uppercase(), "ref": text("ref")}});
    let result = person.does("POST", "/user/login", body).await;
    assert_eq!(result["srp6a"], json!({"M2": proof.expected}));
    assert_eq!(result["keys"]["v"], json!(1));
    assert_eq!(
        result["enceeper"]["authToken"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(result["enceeper"]["plan"]["total_keys"], json!(1000));
}

#[tokio::test]
async fn attacks_on_the_proof_are_refused() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let prime = vectors()["parameters"]["N"]
        .as_str()
        .expect("hex")
        .to_owned();
    let m1 = "0".repeat(128);
    let wrong = (400, "User authentication failed");
    let gone = (400, "Challenge has expired");
    // Well-formed and impossible: the reference is used up.
    for public in [
        "00".to_owned(),
        "00".repeat(1024),
        prime.clone(),
        "f".repeat(2048),
    ] {
        let reference = person.challenge().await["ref"].clone();
        let body = json!({"srp6a": {"A": public, "M1": m1, "ref": reference}});
        person
            .fails("POST", "/user/login", body.clone(), wrong)
            .await;
        person.fails("POST", "/user/login", body, gone).await;
    }
    // Malformed: the reference stays.
    let challenge = person.challenge().await;
    let good = person.answer_to(&challenge);
    for (name, value) in [
        ("A", json!("")),
        ("A", json!("123")),
        ("A", json!("0g")),
        ("A", json!("00".repeat(1025))),
        ("A", json!(5)),
        ("M1", json!("00")),
        ("M1", json!("g".repeat(128))),
        ("M1", json!("0".repeat(126))),
        ("M1", Value::Null),
        ("ref", Value::Null),
    ] {
        let mut body = good.clone();
        body["srp6a"][name] = value.clone();
        let answer = person.call("POST", "/user/login", &body).await;
        assert_eq!(answer.status, 400, "{name} {value}");
    }
    assert_eq!(person.call("POST", "/user/login", &good).await.status, 200);
    person.fails("POST", "/user/login", good, gone).await;
}

#[tokio::test]
async fn a_name_without_an_account_looks_like_one() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let nobody = Person::outside(&person.client, "nobody@example.org", "secret");
    let (one, two) = (nobody.challenge().await, nobody.challenge().await);
    let known = person.challenge().await;
    assert_eq!(one["salt"], two["salt"], "the salt is stable");
    assert_ne!(one["B"], two["B"]);
    assert_ne!(one["ref"], two["ref"]);
    for name in ["salt", "B", "ref"] {
        let length = |challenge: &Value| challenge[name].as_str().map(str::len);
        assert_eq!(length(&one), length(&known), "{name}");
    }
    let shouting = Person::outside(&person.client, "NOBODY@example.org", "secret");
    assert_eq!(
        shouting.challenge().await["salt"],
        one["salt"],
        "also in other letters"
    );
    let body = nobody.answer_to(&one);
    nobody
        .fails(
            "POST",
            "/user/login",
            body,
            (400, "User authentication failed"),
        )
        .await;
}

/// The same steps in the database for a known and an unknown name, at the challenge and at the login.
#[tokio::test]
async fn known_and_unknown_names_cost_the_same_work() {
    let counted = Arc::new(crate::nodes::CountingStore::default());
    let kit = Kit::builder()
        .store(counted.clone())
        .policy(crate::person::plain)
        .build()
        .await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let known = Person::outside(&person.client, "bob@example.org", "wrong");
    let unknown = Person::outside(&person.client, "nobody@example.org", "wrong");
    known.login().await;
    unknown.login().await;
    let mut steps = Vec::new();
    for person in [&known, &unknown] {
        counted.reset();
        let challenge = person.challenge().await;
        let at_challenge = counted.reset();
        let answer = person
            .call("POST", "/user/login", &person.answer_to(&challenge))
            .await;
        assert_eq!(answer.status, 400);
        steps.push((at_challenge, counted.reset()));
    }
    assert!(!steps[0].0.is_empty() && !steps[0].1.is_empty());
    assert_eq!(steps[0], steps[1]);
}

#[tokio::test]
async fn an_old_password_ends_everything_at_once() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let other = person.clone().signs_in().await;
    let pending = person.challenge().await;
    let web = person.does("GET", "/user/webauth", Value::Null).await["token"].clone();
    let new = srp::verifier("bob@example.org", "new", srp::SALT);
    let body = json!({"srp6a": {"salt": srp::SALT, "verifier": new}, "keys": {"kek": "new"}, "email": "x"});
    person.does("PUT", "/user", body).await;
    let expired = (400, "Password has expired, re-auth");
    person
        .fails("GET", "/user/keys", Value::Null, expired)
        .await;
    other.fails("GET", "/user/keys", Value::Null, expired).await;
    let late = person
        .call("POST", "/user/login", &person.answer_to(&pending))
        .await;
    assert_eq!(late.status, 400);
    let page = format!("/api/v1/user/login/{}", web.as_str().expect("a token"));
    assert_eq!(person.client.send("GET", &page, &[], "").await.status, 404);
    // The challenge and login after a change still carry the old token.
    let again = Person {
        password: "new".to_owned(),
        ..person.clone()
    };
    let result = again.login().await.json()["result"].clone();
    assert_eq!(result["keys"]["kek"], "new");
    assert_eq!(result["keys"]["pub"], "pub-bob@example.org");
    assert_eq!(result["scrypt"]["salt"], "ab");
    // Until its end an old token says why; then it is over like any other.
    kit.clock.advance(domain::time::hours(1));
    person
        .fails(
            "GET",
            "/user/keys",
            Value::Null,
            (403, "The auth token has expired"),
        )
        .await;
}

#[tokio::test]
async fn the_client_object_comes_back_as_it_was() {
    let kit = kit().await;
    let person = Person::joins(&kit, "bob@example.org").await;
    let mut auth = auth("bob@example.org", "secret").to_string();
    auth.pop();
    auth.push_str(r#","z":18446744073709551617,"y":1.50,"x":[null,true,{"b":1,"a":2}],"w":"\u00e4\ud83d\ude42\/"}"#);
    let body = format!("{{\"auth\":{auth}}}");
    let headers = [("x-enceeper-auth", person.token.as_str())];
    let answer = person
        .client
        .send("PUT", "/api/v1/user", &headers, body)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The credential is the same, so the session stays.
    person.keys().await;
    let text = person.login().await.text();
    assert!(
        text.contains(
            r#""z":18446744073709551617,"y":1.50,"x":[null,true,{"b":1,"a":2}],"w":"ä🙂/""#
        ),
        "{text}"
    );
}
