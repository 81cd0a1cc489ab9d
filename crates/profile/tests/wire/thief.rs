//! Somebody with an access token that is not his, and nothing else: he gains no guess by what he may do with it.

use domain::port::Clock;
use serde_json::{Value, json};
use testkit::{Answer, totp};

use crate::attack::{must, without_pauses};
use crate::person::{Person, tally};
use crate::setting::base32;

const ANNA: &str = "anna@example.com";
const THIEF: &str = "+4915112345679";

/// Guesses at the old password.
async fn guess(anna: &Person, access: &str, count: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for nth in 0..count {
        let guess = json!({ "oldPassword": format!("a wrong guess, number {nth}"),
            "newPassword": "staple battery horse", "oneTimeToken": "000000" });
        answers.push(anna.send("password/changing", Some(access), guess).await);
    }
    answers
}

/// Of twelve.
fn assert_ten_judged(answers: &[Answer]) {
    let tally = tally(answers);
    assert_eq!(tally["400 OLD_PASSWORD_INVALID"], 10, "{tally:?}");
    assert_eq!(tally["429 TOO_MANY_ATTEMPTS"], 2, "{tally:?}");
}

async fn send(anna: &Person, access: &str, path: &str, body: Value) -> Answer {
    must(anna.send(path, Some(access), body).await)
}

/// An app of his own: its secret is shown to whoever sets it up.
async fn set_up_an_app(anna: &Person, access: &str) -> Vec<u8> {
    let drawn = send(anna, access, "account/googleAuthenticator", json!({})).await;
    let secret = base32(&drawn.member("secret"));
    let proof = json!({ "oneTimeToken": digits(anna, &secret, 0) });
    send(
        anna,
        access,
        "account/googleAuthenticator/verification",
        proof,
    )
    .await;
    secret
}

fn digits(anna: &Person, secret: &[u8], later: u64) -> String {
    let step = totp::step_at(anna.kit.clock.now().seconds());
    totp::digits(secret, step + later)
}

async fn add_a_phone(anna: &Person, access: &str, phone: &str) {
    let wanted = json!({ "newPhoneNumber": phone });
    send(anna, access, "token/userKeys/adding/phoneNumber", wanted).await;
    let proof = json!({ "newPhoneNumber": phone, "oneTimeToken": anna.code(phone) });
    send(anna, access, "userKeys/adding/phoneNumber", proof).await;
}

#[tokio::test]
async fn an_app_of_his_own_clears_no_failed_guess() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let (access, _) = anna.log_in(ANNA).await;
    let mut answers = guess(&anna, &access, 4).await;
    let secret = set_up_an_app(&anna, &access).await;
    answers.extend(guess(&anna, &access, 4).await);
    let off =
        json!({ "destination": "GOOGLE_AUTHENTICATOR", "oneTimeToken": digits(&anna, &secret, 1) });
    send(&anna, &access, "mfa/disabling", off).await;
    answers.extend(guess(&anna, &access, 4).await);
    assert_ten_judged(&answers);
}

#[tokio::test]
async fn an_address_of_his_own_clears_no_failed_guess() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let (access, _) = anna.log_in(ANNA).await;
    let mut answers = guess(&anna, &access, 4).await;
    // The code that adds it, and one that is sent to it then.
    add_a_phone(&anna, &access, THIEF).await;
    answers.extend(guess(&anna, &access, 4).await);
    let removing = json!({ "keyType": "PHONE_NUMBER" });
    send(&anna, &access, "token/userKeys/removing", removing).await;
    let proof = json!({ "keyType": "PHONE_NUMBER", "oneTimeToken": anna.code(THIEF) });
    send(&anna, &access, "userKeys/removing", proof).await;
    answers.extend(guess(&anna, &access, 4).await);
    assert_ten_judged(&answers);
}

/// Each secret has its own count: right codes say nothing about the password.
#[tokio::test]
async fn right_codes_of_the_owner_clear_no_wrong_passwords() {
    let anna = without_pauses().await;
    anna.register(ANNA).await;
    let secret = {
        let (access, _) = anna.log_in(ANNA).await;
        set_up_an_app(&anna, &access).await
    };
    anna.kit.clock.advance(std::time::Duration::from_secs(60));
    let login = json!({ "userKey": ANNA, "password": crate::person::PASSWORD });
    let begun = must(anna.post("login", login).await);
    let step = json!({ "processingId": begun.member("processingId"),
        "destination": "GOOGLE_AUTHENTICATOR", "oneTimeToken": digits(&anna, &secret, 0) });
    let access = must(anna.post("login/verification", step).await).member("accessToken");
    let mut answers = guess(&anna, &access, 4).await;
    send(&anna, &access, "token/antiPhishing/adding", json!({})).await;
    let phrase = json!({ "antiPhishingCode": "blue-fox-7", "oneTimeToken": anna.code(ANNA) });
    send(&anna, &access, "account/antiPhishingCode", phrase).await;
    answers.extend(guess(&anna, &access, 4).await);
    let off =
        json!({ "destination": "GOOGLE_AUTHENTICATOR", "oneTimeToken": digits(&anna, &secret, 1) });
    send(&anna, &access, "mfa/disabling", off).await;
    answers.extend(guess(&anna, &access, 4).await);
    assert_ten_judged(&answers);
}
