use super::*;

const BEGIN: Timestamp = Timestamp::from_millis(1_000);
const LATER: Timestamp = Timestamp::from_millis(2_000);

/// The base point of P-256, which is a public key like any other, as an uncompressed point.
const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
/// What precedes an uncompressed point of P-256 in a `SubjectPublicKeyInfo` (RFC 5480 §2).
const HEAD: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

fn push() -> PushTarget {
    PushTarget {
        device_token: "a token".to_owned(),
        service: "apns".to_owned(),
        bundle: None,
    }
}

/// An active key of a phone.
pub(crate) fn key() -> DeviceKey {
    let spki = hex::decode(format!("{HEAD}{POINT}")).unwrap();
    let form = DeviceKeyForm {
        name: KeyName::parse("phone".to_owned()).unwrap(),
        public: PublicKey::from_spki(&spki).unwrap(),
        label: Some("My phone".to_owned()),
        custom: Some("{}".to_owned()),
        push: Some(push()),
    };
    DeviceKey::new(form, BEGIN)
}

fn told(key: &DeviceKey) -> DeviceKeyView {
    key.clone().into()
}

#[test]
fn a_new_key_is_active() {
    let view = told(&key());
    let expected = DeviceKeyView {
        name: KeyName::parse("phone".to_owned()).unwrap(),
        status: Status::Active,
        label: Some("My phone".to_owned()),
        custom: Some("{}".to_owned()),
        push: Some(push()),
        created: BEGIN,
        updated: BEGIN,
    };
    assert_eq!(view, expected);
}

#[test]
fn a_record_without_wrong_signatures_does_not_speak_of_them() {
    let mut counted = key();
    let text = serde_json::to_string(&counted).unwrap();
    assert!(!text.contains("misses"), "{text}");
    assert!(serde_json::from_str::<DeviceKey>(&text).is_ok());
    counted.misses = Misses::NONE.one_more(BEGIN);
    let text = serde_json::to_string(&counted).unwrap();
    assert!(text.contains("misses"), "{text}");
}

#[test]
fn a_change_of_nothing_is_not_saved() {
    let mut changed = key();
    assert!(!changed.change(DeviceKeyChange::default(), LATER));
    assert_eq!(told(&changed), told(&key()));
}

#[test]
fn a_change_sets_removes_and_leaves_values() {
    let mut changed = key();
    let change = DeviceKeyChange {
        label: Some(Some("Old phone".to_owned())),
        custom: None,
        push: Some(None),
    };
    assert!(changed.change(change, LATER));
    let expected = DeviceKeyView {
        label: Some("Old phone".to_owned()),
        push: None,
        updated: LATER,
        ..told(&key())
    };
    assert_eq!(told(&changed), expected);
}

#[test]
fn each_value_alone_is_a_change() {
    let changes = [
        DeviceKeyChange {
            label: Some(None),
            ..DeviceKeyChange::default()
        },
        DeviceKeyChange {
            custom: Some(None),
            ..DeviceKeyChange::default()
        },
        DeviceKeyChange {
            push: Some(None),
            ..DeviceKeyChange::default()
        },
    ];
    for change in changes {
        let mut other = key();
        assert!(other.change(change, LATER));
        assert_eq!(other.updated, LATER);
        assert_ne!(
            told(&other),
            DeviceKeyView {
                updated: LATER,
                ..told(&key())
            }
        );
    }
}

#[test]
fn a_status_is_saved_only_if_it_is_another_one() {
    let mut changed = key();
    assert!(!changed.set_status(Status::Active, LATER));
    assert_eq!((changed.status, changed.updated), (Status::Active, BEGIN));
    assert!(changed.set_status(Status::Blocked, LATER));
    assert_eq!((changed.status, changed.updated), (Status::Blocked, LATER));
    assert!(changed.set_status(Status::Active, LATER));
    assert_eq!(changed.status, Status::Active);
}

#[test]
fn a_name_has_1_to_128_characters_of_a_url() {
    let longest = "a".repeat(128);
    for good in ["a", "A-z_0.9~:@+=", "..a", &longest] {
        assert!(KeyName::parse(good.to_owned()).is_some(), "{good}");
    }
    let too_long = "a".repeat(129);
    for bad in ["", ".", "..", "a b", "a/b", "ä", "a%20", "a\n", &too_long] {
        assert!(KeyName::parse(bad.to_owned()).is_none(), "{bad:?}");
    }
}

#[test]
fn no_key_can_have_the_name_that_nobody_has() {
    let name = KeyName::nobodys();
    assert!(KeyName::parse(name.as_str().to_owned()).is_none());
}

#[test]
fn the_token_for_push_messages_is_not_logged() {
    let text = format!("{:?}", push());
    assert!(text.contains("apns") && !text.contains("a token"), "{text}");
}
