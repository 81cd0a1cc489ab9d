//! `device-keys-vectors.json`: every key, encoding, signature and body, through the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use testkit::Answer;

use crate::world::{App, World, keys, uuid};

struct Bench {
    world: World,
    app: App,
    file: Value,
}

impl Bench {
    async fn new() -> Self {
        let world = World::new().await;
        let manager = world.tenant("Vectors").await;
        let app = world.app(&manager, "Vectors").await;
        let text = include_str!("../../../crypto/tests/vectors/device-keys-vectors.json");
        Self {
            world,
            app,
            file: serde_json::from_str(text).expect("the vectors are JSON"),
        }
    }

    fn list(&self, name: &str, count: usize) -> &[Value] {
        let list = self.file[name].as_array().expect("a list");
        assert_eq!(list.len(), count, "{name}");
        list
    }

    fn key(&self, id: &str) -> &Value {
        let keys = self.list("keys", 22);
        keys.iter()
            .find(|key| key["id"] == id)
            .unwrap_or_else(|| panic!("no key {id}"))
    }

    async fn register(&self, user: &str, key_id: &str, public: &str) -> u16 {
        let answer = self
            .world
            .register(&self.app.token, user, key_id, public)
            .await;
        answer.status.as_u16()
    }

    /// A fresh user with `rsa2048-a` as `key`.
    async fn registered(&self) -> String {
        let user = self.world.user(&self.app.token).await;
        let public = text(self.key("rsa2048-a"), "public_key");
        assert_eq!(self.register(&user, "key", public).await, 201);
        user
    }

    async fn send(&self, method: &str, path: &str, case: &Value, body: Vec<u8>) -> Answer {
        let bearer = format!("Bearer {}", self.app.token);
        let kind = case["content_type"].as_str().unwrap_or("application/json");
        let mut headers = vec![("authorization", bearer.as_str())];
        if !kind.is_empty() {
            headers.push(("content-type", kind));
        }
        self.world.http.send(method, path, &headers, body).await
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn body(case: &Value) -> Vec<u8> {
    match case["body_base64"].as_str() {
        Some(raw) => STANDARD.decode(raw).expect("base64"),
        None => text(case, "body").as_bytes().to_vec(),
    }
}

#[tokio::test]
async fn keys_are_registered_or_refused() {
    let bench = Bench::new().await;
    for key in bench.list("keys", 22) {
        let user = bench.world.user(&bench.app.token).await;
        let id = text(key, "spki_sha256_hex");
        let status = bench.register(&user, id, text(key, "public_key")).await;
        assert_eq!(
            u64::from(status),
            key["register_status"],
            "{}",
            text(key, "id")
        );
    }
}

#[tokio::test]
async fn encodings_are_refused_or_are_the_same_key() {
    let bench = Bench::new().await;
    for case in bench.list("public_key_encodings", 41) {
        let id = text(case, "id");
        let user = bench.world.user(&bench.app.token).await;
        let status = bench.register(&user, "key", text(case, "public_key")).await;
        assert_eq!(u64::from(status), case["register_status"], "{id}");
        let Some(same) = case["same_key_as"].as_str() else {
            continue;
        };
        let right = bench.file["validations"].as_array().expect("a list").iter();
        let right = right
            .clone()
            .find(|right| right["key"] == same && right["result"] == true);
        let right = right.unwrap_or_else(|| panic!("no right signature of {same}"));
        let answer = bench
            .world
            .validate(
                &bench.app.token,
                &user,
                "key",
                text(right, "challenge"),
                text(right, "signature"),
            )
            .await;
        assert_eq!(answer.text(), "{\"result\":true}", "{id}");
        // The same key in its first spelling is the same key.
        let public = text(bench.key(same), "public_key");
        assert_eq!(bench.register(&user, "other", public).await, 409, "{id}");
    }
}

#[tokio::test]
async fn signatures_are_right_or_wrong() {
    let bench = Bench::new().await;
    for case in bench.list("validations", 109) {
        let id = text(case, "id");
        let key = bench.key(text(case, "key"));
        if key["register_status"] != 201 {
            continue;
        }
        let user = bench.world.user(&bench.app.token).await;
        assert_eq!(
            bench.register(&user, "key", text(key, "public_key")).await,
            201,
            "{id}"
        );
        let (challenge, signature) = (text(case, "challenge"), text(case, "signature"));
        let answer = bench
            .world
            .validate(&bench.app.token, &user, "key", challenge, signature)
            .await;
        if challenge.is_empty() || signature.is_empty() {
            assert_eq!(answer.status, 400, "{id}");
            continue;
        }
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        assert_eq!(answer.json()["result"], case["result"], "{id}");
    }
}

#[tokio::test]
async fn bodies_of_register() {
    let bench = Bench::new().await;
    let public = text(bench.key("rsa2048-a"), "public_key").to_owned();
    let mut wrong = Vec::new();
    for case in bench.list("register_bodies", 66) {
        let user = bench.world.user(&bench.app.token).await;
        let fill = |text: String| {
            text.replace("${PUBLIC_KEY}", &public)
                .replace("${KEY_ID}", &uuid())
        };
        let body = match String::from_utf8(body(case)) {
            Ok(text) => fill(text).into_bytes(),
            Err(raw) => raw.into_bytes(),
        };
        let answer = bench.send("POST", &keys(&user), case, body).await;
        if u64::from(answer.status.as_u16()) != case["status"] {
            wrong.push(format!(
                "{}: {} {}",
                case["id"],
                answer.status,
                answer.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn bodies_of_update() {
    let bench = Bench::new().await;
    for case in bench.list("update_bodies", 9) {
        let user = bench.registered().await;
        let path = format!("{}/key", keys(&user));
        let answer = bench.send("PUT", &path, case, body(case)).await;
        assert_eq!(
            u64::from(answer.status.as_u16()),
            case["status"],
            "{case}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn bodies_of_validate() {
    let bench = Bench::new().await;
    for case in bench.list("validate_bodies", 14) {
        let user = bench.registered().await;
        let path = format!("{}/key/validate", keys(&user));
        let answer = bench.send("POST", &path, case, body(case)).await;
        assert_eq!(
            u64::from(answer.status.as_u16()),
            case["status"],
            "{case}: {}",
            answer.text()
        );
        if answer.status == 200 {
            assert_eq!(answer.text(), "{\"result\":false}", "{case}");
        }
    }
}
