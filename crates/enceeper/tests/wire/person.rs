//! Somebody with an account, who calls the surface as a client does.

use domain::Services;
use serde_json::{Value, json};
use testkit::{Answer, Client, Kit};

use crate::{setting, srp};

/// A person with a client.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) token: String,
}

/// A whole server without confirmation of addresses and without a limit per network.
pub(crate) async fn kit() -> Kit {
    Kit::builder().policy(plain).build().await
}

pub(crate) fn plain(policy: &mut domain::policy::Policy) {
    policy.vault.confirm_addresses = false;
    policy.vault.network_calls_per_hour = 0;
    for plan in policy.vault.plans.by_name.values_mut() {
        plan.calls_per_hour = 0;
    }
}

pub(crate) fn client(services: &Services) -> Client {
    Client::new(setting::routes(services.clone()))
}

/// The object that a client registers with.
pub(crate) fn auth(email: &str, password: &str) -> Value {
    json!({
        "srp6a": {"salt": srp::SALT, "verifier": srp::verifier(email, password, srp::SALT)},
        "scrypt": {"salt": "ab"},
        "keys": {"v": 1, "kek": "{\"kek\":1}", "pub": format!("pub-{email}"), "prv": "{\"prv\":1}"},
    })
}

impl Person {
    /// Registers and signs in.
    pub(crate) async fn joins(kit: &Kit, email: &str) -> Self {
        let person = Self::outside(&client(&kit.services), email, "secret");
        let body = json!({"email": email, "auth": auth(email, "secret")});
        let answer = person.call("POST", "/user", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        person.signs_in().await
    }

    /// Without an account so far.
    pub(crate) fn outside(client: &Client, email: &str, password: &str) -> Self {
        let (email, password) = (email.to_owned(), password.to_owned());
        Self {
            client: client.clone(),
            email,
            password,
            token: String::new(),
        }
    }

    pub(crate) async fn signs_in(mut self) -> Self {
        let answer = self.login().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let session = &answer.json()["result"]["enceeper"]["authToken"];
        session
            .as_str()
            .expect("a token")
            .clone_into(&mut self.token);
        self
    }

    pub(crate) async fn challenge(&self) -> Value {
        let answer = self
            .call("POST", "/user/challenge", &json!({"email": self.email}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["result"]["srp6a"].clone()
    }

    /// The body that answers a challenge.
    pub(crate) fn answer_to(&self, challenge: &Value) -> Value {
        let text = |name: &str| challenge[name].as_str().expect("a text").to_owned();
        let proof = srp::prove(&self.email, &self.password, &text("salt"), &text("B"));
        json!({"srp6a": {"A": proof.public, "M1": proof.answer, "ref": text("ref")}})
    }

    pub(crate) async fn login(&self) -> Answer {
        let challenge = self.challenge().await;
        self.call("POST", "/user/login", &self.answer_to(&challenge))
            .await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let target = format!("/api/v1{path}");
        let headers = [
            ("content-type", "application/json"),
            ("x-enceeper-auth", self.token.as_str()),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.client.send(method, &target, &headers, body).await
    }

    /// A call that must succeed; its `result`.
    pub(crate) async fn does(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.call(method, path, &body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        answer.json()["result"].clone()
    }

    /// A call that must be refused with this status and text.
    pub(crate) async fn fails(&self, method: &str, path: &str, body: Value, with: (u16, &str)) {
        let answer = self.call(method, path, &body).await;
        let text = answer.member("errorMessage");
        assert_eq!(
            (answer.status.as_u16(), text.as_str()),
            with,
            "{method} {path}"
        );
    }

    pub(crate) async fn adds_key(&self) -> u64 {
        let body = json!({"slot": "own", "meta": "meta", "value": "value"});
        self.does("POST", "/user/keys", body).await["key"]["key_id"]
            .as_u64()
            .expect("an id")
    }

    pub(crate) async fn keys(&self) -> Value {
        self.does("GET", "/user/keys", Value::Null).await
    }

    pub(crate) async fn offers(&self, key: u64, to: &Self) -> Value {
        let body = json!({"email": to.email, "slot": "wrapped"});
        self.does("POST", &format!("/user/keys/{key}/share"), body)
            .await["share"]
            .clone()
    }
}
