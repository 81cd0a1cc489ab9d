//! An account that an operator erased.

use std::time::Duration;

use domain::person::Way;
use domain::{Error, Refusal};
use serde_json::json;
use testkit::{Answer, Kit};

use crate::person::{PASSWORD, Person};

const ANNA: &str = "anna@example.com";
const BEN: &str = "ben@example.com";
const PHONE: &str = "+4915112345678";

fn is(answer: &Answer, code: &str) {
    assert_eq!(answer.json()["code"], code, "{}", answer.text());
}

#[tokio::test]
async fn nothing_of_it_works_and_its_addresses_are_free() {
    let kit = Kit::builder().policy(|policy| policy.person.tokens.pause = Duration::ZERO);
    let kit = kit.build().await;
    let anna = Person::at(&kit);
    let first = anna.register(ANNA).await;
    let access = anna.add_phone(ANNA, PHONE).await;
    let (_, refresh) = anna.log_in(ANNA).await;
    anna.register(BEN).await;
    let (others, _) = anna.log_in(BEN).await;
    // Begun, and as good as done: a recovery, and a change of the password.
    let process = anna
        .post("password/recovery", json!({ "userKey": ANNA }))
        .await
        .member("processingId");
    let wanted = json!({ "processingId": process, "destination": "EMAIL" });
    anna.post("token/password/recovery", wanted).await;
    let proof = json!({ "processingId": process, "oneTimeToken": anna.code(ANNA) });
    let proved = anna.post("password/recovery/verification", proof).await;
    assert_eq!(proved.status, 200);
    anna.send("token/password/changing", Some(&access), json!({}))
        .await;
    let change = json!({ "oldPassword": PASSWORD, "newPassword": "staple battery horse", "oneTimeToken": anna.code(ANNA) });

    let id = kit
        .services
        .people
        .account_at(Way::email(ANNA))
        .await
        .unwrap();
    kit.services
        .people
        .erase_person(&kit.operator(), id)
        .await
        .unwrap();

    is(&anna.details(&access).await, "UNAUTHORIZED");
    is(
        &anna.send("password/changing", Some(&access), change).await,
        "UNAUTHORIZED",
    );
    let refreshed = anna.post("login/refresh", json!({ "refreshToken": refresh }));
    is(&refreshed.await, "REFRESH_TOKEN_INVALID");
    let renewed = json!({ "processingId": process, "newPassword": "staple battery horse" });
    let renewed = anna.post("password/recovery/newPassword", renewed).await;
    is(&renewed, "PROCESS_NOT_FOUND");
    for key in [ANNA, PHONE] {
        let login = json!({ "userKey": key, "password": PASSWORD });
        is(&anna.post("login", login).await, "BAD_CREDENTIALS");
    }
    let gone = kit.services.people.erase_person(&kit.operator(), id).await;
    assert!(
        matches!(gone, Err(Error::Refused(Refusal::UnknownSubject))),
        "{gone:?}"
    );
    assert_eq!(anna.details(&others).await.status, 200, "nobody else is");

    let second = anna.register(ANNA).await;
    assert_ne!(second, first);
    anna.add_phone(ANNA, PHONE).await;
    assert_eq!(anna.details(&access).await.status, 401, "still over");
}
