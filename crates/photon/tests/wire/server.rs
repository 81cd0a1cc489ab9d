//! The calls of this surface, as a wallet app makes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::guarded_key::{GuardedKeyId, KeyState};
use serde_json::json;
use testkit::{Answer, Backing, Client, Kit, KitBuilder};
use tokio::task::JoinSet;

use crate::setting;

/// A kit and its surface.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) kit: Kit,
    client: Client,
}

/// One key of a server, and what its owner knows.
#[derive(Clone)]
pub(crate) struct Key {
    server: Server,
    pub(crate) id: String,
}

impl Server {
    pub(crate) async fn over(backing: &Backing) -> Self {
        Self::of(Kit::builder().store(backing.store())).await
    }

    pub(crate) async fn of(builder: KitBuilder) -> Self {
        let kit = builder.build().await;
        let client = kit.client(setting::routes);
        Self { kit, client }
    }

    pub(crate) async fn create(&self, pin: &str) -> Key {
        let body = json!({ "pin": pin }).to_string();
        let answer = self.client.send("POST", "/v2/key", &[], body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        self.key(&answer.member("id"))
    }

    /// A key by its id, which may be another node's.
    pub(crate) fn key(&self, id: &str) -> Key {
        Key {
            server: self.clone(),
            id: id.to_owned(),
        }
    }
}

impl Key {
    pub(crate) async fn send(
        &self,
        method: &str,
        rest: &str,
        pin: Option<&str>,
        body: Option<serde_json::Value>,
    ) -> Answer {
        let target = format!("/v2/key/{}{rest}", self.id);
        let basic = pin.map(|pin| format!("Basic {}", STANDARD.encode(format!(":{pin}"))));
        let header = basic.as_deref().map(|basic| ("authorization", basic));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers: Vec<_> = header.into_iter().collect();
        self.server
            .client
            .send(method, &target, &headers, body)
            .await
    }

    pub(crate) async fn fetch(&self, pin: &str) -> Answer {
        self.send("GET", "", Some(pin), None).await
    }

    pub(crate) async fn change_pin(&self, pin: &str, new: &str) -> Answer {
        let body = json!({ "newPin": new });
        self.send("PUT", "", Some(pin), Some(body)).await
    }

    pub(crate) async fn add(&self, pin: &str, user: &str) -> Answer {
        let body = json!({ "userId": user });
        self.send("POST", "/user", Some(pin), Some(body)).await
    }

    pub(crate) async fn remove(&self, pin: &str, user: &str) -> Answer {
        self.send("DELETE", &format!("/user/{user}"), Some(pin), None)
            .await
    }

    pub(crate) async fn reset(&self, user: &str) -> Answer {
        self.send("GET", &format!("/user/{user}/reset"), None, None)
            .await
    }

    pub(crate) async fn verify(&self, user: &str, code: &str) -> Answer {
        let body = json!({ "op": "verify", "code": code });
        self.send("PUT", &format!("/user/{user}"), None, Some(body))
            .await
    }

    pub(crate) async fn confirm(&self, user: &str, code: &str, new: &str) -> Answer {
        let body = json!({ "op": "reset-pin", "code": code, "newPin": new });
        self.send("PUT", &format!("/user/{user}"), None, Some(body))
            .await
    }

    /// Registers `user` and proves it with the code that was sent.
    pub(crate) async fn add_verified(&self, pin: &str, user: &str) {
        let answer = self.add(pin, user).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let answer = self.verify(user, &self.code(user)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Asks for a code and presents it: one step of a reset.
    pub(crate) async fn step(&self, user: &str, new: &str) -> Answer {
        let answer = self.reset(user).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.confirm(user, &self.code(user), new).await
    }

    /// The newest code that was sent to `user`.
    pub(crate) fn code(&self, user: &str) -> String {
        let code = self.server.kit.courier.code_to(user);
        code.expect("a code was sent")
    }

    /// A code that is not the one of `user`.
    pub(crate) fn wrong_code(&self, user: &str) -> &'static str {
        if self.code(user) == "000000" {
            "000001"
        } else {
            "000000"
        }
    }

    pub(crate) async fn state(&self) -> KeyState {
        let id = GuardedKeyId(uuid::Uuid::parse_str(&self.id).unwrap());
        self.server
            .kit
            .services
            .guarded_keys
            .key_state(&self.server.kit.operator(), id)
            .await
            .unwrap()
    }
}

/// Runs `calls` at once; how many answers there were of each status.
pub(crate) async fn at_once(
    calls: impl Iterator<Item = impl Future<Output = Answer> + Send + 'static>,
) -> Tally {
    let mut running = JoinSet::new();
    for call in calls {
        running.spawn(call);
    }
    let mut tally = Tally(Vec::new());
    while let Some(answer) = running.join_next().await {
        tally.0.push(answer.unwrap());
    }
    tally
}

/// The answers to calls that ran at once.
pub(crate) struct Tally(pub(crate) Vec<Answer>);

impl Tally {
    pub(crate) fn of(&self, status: u16) -> usize {
        self.0
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    }

    /// Fails unless every status is one of `statuses`.
    pub(crate) fn only(&self, statuses: &[u16]) {
        let strange = self
            .0
            .iter()
            .find(|answer| !statuses.contains(&answer.status.as_u16()));
        assert!(strange.is_none(), "{strange:?}");
    }
}
