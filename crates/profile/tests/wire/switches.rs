//! The switches for older clients (§2, §3).

use profile::{Compat, Habit};
use testkit::Kit;

use crate::setting;

#[tokio::test]
async fn without_legacy_paths_they_are_not_there() {
    let kit = Kit::new().await;
    let none = Compat {
        legacy_paths: Habit::Refused,
        ..Compat::default()
    };
    let client = kit.client(|services| setting::mounted(services, none));
    for path in [
        "token/registration/verification/8bfd90a9-949b-42e6-aae4-1690ce339721",
        "token/password/recovery/8bfd90a9-949b-42e6-aae4-1690ce339721",
        "token/mfa/recovery/verification",
        "token/mfa/recovery/newKey",
        "token/userKeys/adding",
        "token/antiPhishingCode/changing",
    ] {
        let answer = client
            .send("POST", &format!("/api/v1/{path}"), &[], "")
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.member("code").as_str()),
            (404, "NOT_FOUND"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn get_asks_for_tokens_only_with_the_switch_and_only_without_a_body() {
    let kit = Kit::new().await;
    let served = Compat {
        get_token_requests: Habit::Served,
        ..Compat::default()
    };
    let client = kit.client(|services| setting::mounted(services, served));
    for (path, status) in [
        (
            "token/registration/8bfd90a9-949b-42e6-aae4-1690ce339721",
            404,
        ),
        ("token/password/changing", 401),
        ("token/userKeys/adding/email?newEmail=a@example.com", 401),
        (
            "token/userKeys/adding/phoneNumber?newPhoneNumber=+123456789",
            401,
        ),
        ("token/userKeys/changing?keyType=EMAIL", 401),
        ("token/userKeys/removing?keyType=EMAIL", 401),
        ("token/antiPhishing/changing", 401),
        ("token/antiPhishing/adding", 401),
        ("token/login", 405),
        ("token/password/recovery", 405),
        ("token/userKeys/recovery/verification", 405),
        ("token/userKeys/recovery/newKey", 405),
        ("token/userKeys/changing/newKey", 405),
        ("token/mfa/disabling", 405),
        ("login", 405),
    ] {
        let answer = client
            .send("GET", &format!("/api/v1/{path}"), &[], "")
            .await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
    }
}
