//! Sessions: what tokens say, and what ends them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::Kit;

use crate::person::Person;

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_say_what_the_sheet_names() {
    let anna = Person::at(&Kit::new().await);
    let user = anna.register("anna@example.com").await;
    let (access, refresh) = anna.log_in("anna@example.com").await;
    let header = part(&access, 0);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("at+jwt"))
    );
    assert!(header["kid"].is_string());
    let claims = part(&access, 1);
    assert_eq!(claims["sub"], json!(user));
    assert_eq!(claims["aud"], json!("profile"));
    assert_eq!(claims["iss"], json!("http://127.0.0.1:8080/api/v1"));
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        900
    );
    assert_eq!(claims["auth_time"], claims["iat"]);
    assert!(claims["sid"].is_string() && claims["jti"].is_string());
    assert_eq!(part(&refresh, 0)["typ"], json!("rt+jwt"));
}

#[tokio::test]
async fn a_changed_token_is_none() {
    let anna = Person::at(&Kit::new().await);
    anna.register("anna@example.com").await;
    let (access, _) = anna.log_in("anna@example.com").await;
    assert_eq!(anna.details(&access).await.status, 200);
    let mut pieces: Vec<&str> = access.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    pieces[0] = &none;
    let mut claims = part(&access, 1);
    claims["sub"] = json!("8bfd90a9-949b-42e6-aae4-1690ce339721");
    let other = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed: Vec<&str> = access.split('.').collect();
    for bad in [
        pieces.join("."),
        format!("{}.{}.", pieces[0], pieces[1]),
        format!("{}.{other}.{}", signed[0], signed[2]),
        format!("{access}x"),
    ] {
        assert_eq!(anna.details(&bad).await.status, 401, "{bad}");
    }
}

#[tokio::test]
async fn rotated_keys_log_nobody_out_and_are_published_while_they_verify() {
    let kit = Kit::new().await;
    let anna = Person::at(&kit);
    anna.register("anna@example.com").await;
    let (access, refresh) = anna.log_in("anna@example.com").await;
    kit.services
        .people
        .rotate_person_keys(&kit.operator())
        .await
        .unwrap();
    assert_eq!(anna.details(&access).await.status, 200);
    let keys = kit.services.people.access_keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    let renewed = anna
        .post("login/refresh", json!({ "refreshToken": refresh }))
        .await;
    assert_eq!(renewed.status, 200);
    let access = renewed.member("accessToken");
    let signs = keys.iter().find(|key| key.retires.is_none()).unwrap();
    assert_eq!(part(&access, 0)["kid"], json!(signs.kid));
    kit.clock.advance(Duration::from_secs(7 * 86_400 - 60));
    let renewed = anna
        .post(
            "login/refresh",
            json!({ "refreshToken": renewed.member("refreshToken") }),
        )
        .await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    assert_eq!(kit.services.people.access_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_parallel_uses_of_a_refresh_token_all_get_one_answer() {
    let kit = Kit::new().await;
    let anna = Person::at(&kit);
    anna.register("anna@example.com").await;
    let (_, refresh) = anna.log_in("anna@example.com").await;
    let anna = Arc::new(anna);
    let uses = (0..8).map(|_| {
        let (anna, refresh) = (Arc::clone(&anna), refresh.clone());
        tokio::spawn(async move {
            anna.post("login/refresh", json!({ "refreshToken": refresh }))
                .await
        })
    });
    let mut answers = Vec::new();
    for used in uses.collect::<Vec<_>>() {
        answers.push(used.await.unwrap().text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}
