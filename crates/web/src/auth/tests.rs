use super::*;
use http::HeaderValue;

fn with(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            AUTHORIZATION,
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

fn parts(value: &str) -> Option<(String, String)> {
    basic(&with(&[value])).map(|basic| (basic.user, basic.password.to_string()))
}

fn pair(user: &str, password: &str) -> (String, String) {
    (user.to_owned(), password.to_owned())
}

#[test]
fn basic_is_read_in_every_legal_spelling() {
    for value in [
        "Basic OjEyMzQ=",
        "basic OjEyMzQ=",
        "BASIC   OjEyMzQ=",
        "Basic OjEyMzQ",
    ] {
        assert_eq!(parts(value), Some(pair("", "1234")), "{value}");
    }
    assert_eq!(parts("Basic OnDDpCDDnw=="), Some(pair("", "pä ß")));
}

#[test]
fn basic_splits_at_the_first_colon() {
    assert_eq!(parts("Basic OmFiOmNkZWY="), Some(pair("", "ab:cdef")));
    assert_eq!(parts("Basic Og=="), Some(pair("", "")));
}

#[test]
fn basic_takes_both_alphabets() {
    // ":>>>???" holds both letters in which the alphabets differ.
    assert_eq!(parts("Basic Oj4+Pj8/Pw=="), Some(pair("", ">>>???")));
    assert_eq!(parts("Basic Oj4-Pj8_Pw"), Some(pair("", ">>>???")));
}

#[test]
fn basic_is_nothing_when_unusable() {
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic MTIzNA==",
        "Basic OjEyMzQ=x",
        "Basic OjEy MzQ=",
        "Basic :1234",
        "Basic Ov8=",
        "Basic\tOjEyMzQ=",
        "Bearer OjEyMzQ=",
        "OjEyMzQ=",
        "Basic \u{e4}",
        "Basic OjEyMzQ===",
    ] {
        assert_eq!(parts(value), None, "{value:?}");
    }
    assert!(basic(&HeaderMap::new()).is_none());
    assert!(basic(&with(&["Basic OjEyMzQ=", "Basic OjEyMzQ="])).is_none());
}

#[test]
fn bearer_tells_absence_from_nonsense() {
    assert_eq!(bearer(&HeaderMap::new()), Bearer::Missing);
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer a b",
        "Bearer =",
        "Bearer \u{e4}",
        "Bearer a=b",
        "abc",
    ] {
        assert_eq!(bearer(&with(&[value])), Bearer::Malformed, "{value:?}");
    }
    assert_eq!(bearer(&with(&["Bearer a", "Bearer a"])), Bearer::Malformed);
}

#[test]
fn bearer_takes_a_token() {
    for (value, token) in [
        ("Bearer aZ0-._~+/==", "aZ0-._~+/=="),
        ("bEARER   x.y.z", "x.y.z"),
    ] {
        assert_eq!(bearer(&with(&[value])), Bearer::Token(token));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let headers = with(&["Basic OjEyMzQ="]);
    assert_eq!(format!("{:?}", basic(&headers).unwrap()), "Basic { .. }");
    assert_eq!(
        format!("{:?}", bearer(&with(&["Bearer secret"]))),
        "Token(..)"
    );
}
