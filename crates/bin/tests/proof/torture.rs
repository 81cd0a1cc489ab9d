//! `keyward torture` against installations where something is switched off: it says what it did not try, and why.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::server::{House, Server};

/// Verdict and words for each trial; all in all it must have held.
fn trials(house: &House, server: &Server) -> BTreeMap<String, (String, String)> {
    let against = format!("http://{}", server.public);
    let arguments = ["torture", "--against", &against, "--minutes", "0", "--json"];
    let done = house.keyward(&[&arguments[..], &["--width", "8"]].concat());
    assert!(done.status.success(), "{done:?}");
    let trial = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("trial"), (text("verdict"), text("seen")))
    };
    done.out.lines().map(trial).collect()
}

/// What was not tried is what stands here, with these reasons; the rest held.
fn told(house: &House, expected: &[(&str, &str)]) {
    let server = house.start();
    let trials = trials(house, &server);
    assert_eq!(trials.len(), 17, "{trials:?}");
    for (trial, (verdict, seen)) in &trials {
        let reason = expected.iter().find(|(start, _)| trial.starts_with(start));
        match reason {
            Some((_, why)) => {
                assert_eq!(verdict, "not tried", "{trial}: {seen}");
                assert!(seen.contains(why), "{trial}: {seen}");
            }
            None => assert_eq!(verdict, "held", "{trial}: {seen}"),
        }
    }
    house.assert_no_panic();
    server.stop();
}

#[test]
fn everything_is_tried_where_everything_is_on() {
    told(&House::new(), &[]);
}

#[test]
fn surfaces_that_are_off_are_not_tried() {
    let house = House::new()
        .with("KEYWARD_ENCEEPER__ENABLED", "false")
        .with("KEYWARD_DUO__ENABLED", "false")
        .with("KEYWARD_PROFILE__FEATURES__MFA", "false");
    let expected = [
        ("single use: vault", "enceeper.enabled"),
        ("single use: second step", "profile.features.mfa is off"),
        ("single use: wallet", "duo.enabled"),
    ];
    told(&house, &expected);
}

#[test]
fn ways_that_are_off_are_not_tried() {
    let house = House::new()
        .with("KEYWARD_ENCEEPER__CONFIRM_EMAIL", "false")
        .with("KEYWARD_PROFILE__REGISTRATION__EMAIL_ENABLED", "false");
    let closed = "profile.registration.email_enabled is off";
    let expected = [
        (
            "single use: vault confirmation",
            "enceeper.confirm_email is off",
        ),
        ("single use: registration", closed),
        ("single use: second step", closed),
        ("single use: password recovery", closed),
        ("single use: wallet", closed),
    ];
    told(&house, &expected);
}

#[test]
fn without_letters_nothing_is_tried_that_needs_one() {
    let house = House::new().flags(&[]);
    let unread = "messages cannot be read";
    let expected = [
        ("single use: address code", unread),
        ("single use: reset code", unread),
        ("single use: stop link", unread),
        ("single use: vault", unread),
        ("single use: registration", unread),
        ("single use: second step", unread),
        ("single use: password recovery", unread),
        ("single use: wallet", unread),
        ("lock:", unread),
    ];
    told(&house, &expected);
}
