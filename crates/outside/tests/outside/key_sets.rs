//! Key sets of foreign issuers: rotation, unknown keys, floods, and an issuer that is away.

use domain::Error;
use domain::port::KeySets;
use outside::{HttpKeySets, KeySetOptions, KeySource};

use crate::web_server::{Answer, WebServer};

const ISSUER: &str = "https://idp.example.test/";
const ONE: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"one","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}]}"#;
const TWO: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"two","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}]}"#;

fn at(url: String) -> HttpKeySets {
    HttpKeySets::new(vec![KeySetOptions {
        issuer: ISSUER.to_owned(),
        source: KeySource::At(url),
        ca_file: None,
    }])
    .unwrap()
}

/// Time is the process's own, so tests let it stand and move it by hand.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_flood_of_invented_keys_is_no_flood_of_downloads() {
    let server = WebServer::start(Answer::Status(200, ONE)).await;
    let sets = at(server.url());
    for invented in 0..100 {
        let set = sets
            .keys(ISSUER, Some(&format!("invented-{invented}")))
            .await
            .unwrap();
        assert!(set.knows("one"));
    }
    assert_eq!(server.asked().len(), 1);
    pass(6).await;
    for _ in 0..100 {
        sets.keys(ISSUER, Some("invented")).await.unwrap();
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_changed_key_works_and_a_vanished_one_is_gone() {
    let server = WebServer::start(Answer::Status(200, ONE)).await;
    let sets = at(server.url());
    assert!(sets.keys(ISSUER, Some("one")).await.unwrap().knows("one"));
    server.answer(Answer::Status(200, TWO));
    pass(6).await;
    let set = sets.keys(ISSUER, Some("two")).await.unwrap();
    assert!(set.knows("two") && !set.knows("one"));
}

#[tokio::test]
async fn an_issuer_that_is_away_keeps_its_keys_for_a_day() {
    let server = WebServer::start(Answer::Status(200, ONE)).await;
    let sets = at(server.url());
    sets.keys(ISSUER, None).await.unwrap();
    for broken in [
        Answer::Status(500, "no"),
        Answer::Status(302, ONE),
        Answer::Status(200, "<html>"),
        Answer::Endless(200),
    ] {
        server.answer(broken);
        pass(3600).await;
        assert!(sets.keys(ISSUER, Some("one")).await.unwrap().knows("one"));
    }
    pass(86_400).await;
    assert!(matches!(
        sets.keys(ISSUER, Some("one")).await,
        Err(Error::Unavailable(_))
    ));
}

#[tokio::test]
async fn keys_that_were_never_had_judge_nobody() {
    let server = WebServer::start(Answer::Status(503, "later")).await;
    let sets = at(server.url());
    for _ in 0..10 {
        assert!(matches!(
            sets.keys(ISSUER, Some("one")).await,
            Err(Error::Unavailable(_))
        ));
    }
    assert_eq!(server.asked().len(), 1, "failures are not retried at once");
    server.answer(Answer::Status(200, ONE));
    pass(6).await;
    assert!(sets.keys(ISSUER, Some("one")).await.is_ok());
}

#[tokio::test]
async fn discovery_must_name_the_configured_issuer() {
    let server = WebServer::start(Answer::Status(
        200,
        r#"{"issuer":"https://evil.example.test/","jwks_uri":"https://evil.example.test/jwks"}"#,
    ))
    .await;
    let issuer = server.url();
    let sets = HttpKeySets::new(vec![KeySetOptions {
        issuer: issuer.clone(),
        source: KeySource::Discovery,
        ca_file: None,
    }])
    .unwrap();
    assert!(sets.keys(&issuer, None).await.is_err());
    assert_eq!(
        server.asked()[0].line,
        "GET /.well-known/openid-configuration"
    );
    assert_eq!(server.asked().len(), 1);
}
