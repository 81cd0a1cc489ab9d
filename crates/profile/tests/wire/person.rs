//! Somebody who registers, logs in and goes on, for the tests that need one.

use serde_json::{Value, json};
use testkit::{Answer, Client, Kit};

use crate::setting;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) kit: Kit,
    pub(crate) client: Client,
}

impl Person {
    pub(crate) fn at(kit: &Kit) -> Self {
        let client = kit.client(|services| setting::mounted(services, profile::Compat::default()));
        Self {
            kit: kit.clone(),
            client,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(path, None, body).await
    }

    pub(crate) async fn send(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let mut headers = vec![("content-type", "application/json")];
        if token.is_some() {
            headers.push(("authorization", bearer.as_str()));
        }
        self.client
            .send(
                "POST",
                &format!("/api/v1/{path}"),
                &headers,
                body.to_string(),
            )
            .await
    }

    pub(crate) async fn details(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.client
            .send(
                "GET",
                "/api/v1/account/details",
                &[("authorization", &bearer)],
                "",
            )
            .await
    }

    pub(crate) fn code(&self, address: &str) -> String {
        self.kit.courier.code_to(address).expect("a code was sent")
    }

    /// A process with a token that was sent.
    pub(crate) async fn registering(&self, address: &str) -> String {
        let process = self
            .post("registration", json!({ "userKey": address }))
            .await
            .member("processingId");
        let sent = self
            .post(&format!("token/registration/{process}"), json!({}))
            .await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        process
    }

    pub(crate) async fn register(&self, address: &str) -> String {
        let process = self.registering(address).await;
        let code = self.code(address);
        let verified = json!({ "processingId": process, "oneTimeToken": code });
        assert_eq!(
            self.post("registration/verification", verified)
                .await
                .status,
            200
        );
        let done = self
            .post(
                "registration/password",
                json!({ "processingId": process, "password": PASSWORD }),
            )
            .await;
        done.member("userId")
    }

    /// Adds a phone number to somebody's account. Gives the access token that did it.
    pub(crate) async fn add_phone(&self, address: &str, phone: &str) -> String {
        let (access, _) = self.log_in(address).await;
        let path = "token/userKeys/adding/phoneNumber";
        let adding = json!({ "newPhoneNumber": phone });
        let sent = self.send(path, Some(&access), adding).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        let proof = json!({ "newPhoneNumber": phone, "oneTimeToken": self.code(phone) });
        let path = "userKeys/adding/phoneNumber";
        let added = self.send(path, Some(&access), proof).await;
        assert_eq!(added.status, 200, "{}", added.text());
        access
    }

    /// Access and refresh token.
    pub(crate) async fn log_in(&self, address: &str) -> (String, String) {
        let answer = self
            .post("login", json!({ "userKey": address, "password": PASSWORD }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.member("accessToken"), answer.member("refreshToken"))
    }
}

/// How often each status (with its code) came.
pub(crate) fn tally(answers: &[Answer]) -> std::collections::BTreeMap<String, usize> {
    let mut tally = std::collections::BTreeMap::new();
    for answer in answers {
        let code = answer.json()["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        *tally
            .entry(format!("{} {code}", answer.status.as_u16()))
            .or_default() += 1;
    }
    tally
}
