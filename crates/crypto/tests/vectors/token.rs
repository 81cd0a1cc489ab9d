//! `duo-auth-vectors.json`, access tokens.

use crypto::token::{Algorithm, Claims, KeySet, Rules, Token, Unacceptable};
use serde_json::Value;

use crate::{list, read, text};

fn rules(jwt: &Value) -> Rules {
    let names = list(jwt, "algorithms").iter().filter_map(Value::as_str);
    Rules {
        issuer: text(jwt, "issuer").to_owned(),
        audiences: vec![text(jwt, "audience").to_owned()],
        algorithms: names.filter_map(Algorithm::named).collect(),
        leeway: 30,
    }
}

fn judge(jwt: &Value, rules: &Rules, token: &str) -> Result<Claims, Unacceptable> {
    let keys = KeySet::parse(jwt["jwks"].to_string().as_bytes()).expect("a key set");
    let now = jwt["now_epoch"].as_f64().expect("a number");
    Token::parse(token)
        .ok_or(Unacceptable::Invalid)?
        .judge(rules, &keys, now)
}

#[test]
fn every_token_gets_its_verdict() {
    let file = read(include_str!("duo-auth-vectors.json"));
    let jwt = &file["jwt"];
    let rules = rules(jwt);
    assert_eq!(list(jwt, "vectors").len(), 40);
    for vector in list(jwt, "vectors") {
        let id = text(vector, "id");
        let judged = judge(jwt, &rules, text(vector, "token"));
        let granted = judged.as_ref().map(|claims| {
            assert_eq!(claims.subject, "auth0|user-1", "{id}");
            claims.scopes.iter().any(|scope| scope == "write:devices")
        });
        let expected = match (text(vector, "verdict"), vector["error_code"].as_u64()) {
            ("accept", None) => Ok(true),
            ("reject", Some(100_101)) => Err(&Unacceptable::Invalid),
            ("reject", Some(100_102)) => Err(&Unacceptable::Expired),
            ("reject", Some(100_103)) => Ok(false),
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(granted, expected, "{id}");
    }
}

#[test]
fn no_algorithm_is_for_shared_secrets() {
    for name in [
        "none", "None", "HS256", "HS384", "HS512", "ES256K", "rs256", "",
    ] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
    for name in Algorithm::NAMES {
        assert!(Algorithm::named(name).is_some(), "{name}");
    }
}

#[test]
fn shapes_that_are_no_token() {
    let file = read(include_str!("duo-auth-vectors.json"));
    let good = text(&list(&file["jwt"], "vectors")[0], "token");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    for bad in [
        String::new(),
        "..".to_owned(),
        format!("{good}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.!"),
        format!("W10.{payload}.{signature}"),
        format!("{header}.W10.{signature}"),
        "a".repeat(8193),
    ] {
        assert!(Token::parse(&bad).is_none(), "{bad:.60}");
    }
    assert!(Token::parse(good).is_some());
}

#[test]
fn a_key_set_is_an_object_with_keys() {
    for bad in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert!(KeySet::parse(bad.as_bytes()).is_none(), "{bad}");
    }
    let odd = r#"{"keys":[1,{},{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-521"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#;
    let set = KeySet::parse(odd.as_bytes()).expect("a key set");
    assert!(set.is_empty() && !set.knows("x"));
}
