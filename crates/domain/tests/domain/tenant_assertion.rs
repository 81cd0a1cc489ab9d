//! Assertions: clients that prove who they are with a key of their own, each time with a new token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::{Algorithm, PublicNumbers};
use domain::tenant::access_token::{ClientProof, IssuedToken, TokenRequest};
use domain::tenant::permission::Execute;
use domain::tenant::{AssertionKey, ClientChange};
use domain::{Error, Refusal};
use serde_json::{Value, json};
use testkit::Kit;

use crate::owner::{Outcome, outcome};
use crate::rollback::{accept, anchor};
use crate::tenant::Shop;
use crate::tenant_key::{coordinates, signature};
use crate::tenant_token::{BAD, open};

const US: &str = "https://keys.example/token";

fn key(kid: Option<&str>) -> AssertionKey {
    let [x, y] = coordinates();
    let kid = kid.map(str::to_owned);
    AssertionKey::new(kid, Algorithm::Es256, &PublicNumbers::P256 { x, y }).unwrap()
}

/// A token over these claims, signed with the private half of [`key`].
fn signed(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(signature(text.as_bytes()));
    format!("{text}.{signature}")
}

/// A shop whose client has a key and no use for its secret.
async fn with_key(kit: &Kit, kid: Option<&str>) -> Shop {
    let shop = open(kit).await;
    let keys = Some(vec![key(kid)]);
    shop.change_client(ClientChange {
        keys,
        ..ClientChange::default()
    })
    .await
    .unwrap();
    shop
}

impl Shop {
    /// Claims that are right now, for the assertion with this id.
    fn claims(&self, id: &str) -> Value {
        let now = self.kit.services.now().millis() / 1000;
        let client = self.client.to_string();
        json!({ "iss": client, "sub": client, "aud": US, "iat": now, "exp": now + 60, "jti": id })
    }

    async fn assert(&self, token: String) -> Result<IssuedToken, Error> {
        self.issue(TokenRequest {
            client: None,
            proof: ClientProof::Assertion {
                token,
                audiences: vec![US.to_owned(), "https://keys.example".to_owned()],
            },
            resource: None,
            scope: Vec::new(),
        })
        .await
    }

    async fn assert_claims(&self, claims: &Value) -> Outcome {
        let token = signed(&json!({ "alg": "ES256" }), claims);
        outcome(self.assert(token).await)
    }
}

#[tokio::test]
async fn a_client_with_a_key_is_issued_a_token_without_its_secret() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let token = signed(&json!({ "alg": "ES256" }), &shop.claims("1"));
    let issued = shop.assert(token).await.unwrap();
    let allowed = shop.may::<Execute>(issued.text.expose()).await;
    assert_eq!(allowed, Outcome::Done);
    kit.run_jobs().await;
    let events = shop.events("token.issue").await;
    assert_eq!(events[0].subject, shop.client.to_string());
    assert_eq!(events[0].outcome, "done");
}

#[tokio::test]
async fn an_assertion_is_good_for_one_use() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let claims = shop.claims("1");
    assert_eq!(shop.assert_claims(&claims).await, Outcome::Done);
    assert_eq!(shop.assert_claims(&claims).await, BAD);
    assert_eq!(shop.assert_claims(&shop.claims("2")).await, Outcome::Done);
}

#[tokio::test]
async fn of_two_uses_of_one_assertion_at_once_one_counts() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let claims = shop.claims("1");
    let (one, two) = tokio::join!(shop.assert_claims(&claims), shop.assert_claims(&claims));
    let mut outcomes = [one, two].map(|outcome| outcome == Outcome::Done);
    outcomes.sort_unstable();
    assert_eq!(outcomes, [false, true]);
}

#[tokio::test]
async fn clients_do_not_use_up_each_other_s_assertions() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let other = with_key(&kit, None).await;
    assert_eq!(shop.assert_claims(&shop.claims("1")).await, Outcome::Done);
    let claims = other.claims("1");
    assert_eq!(other.assert_claims(&claims).await, Outcome::Done);
}

#[tokio::test]
async fn an_assertion_with_a_wrong_claim_is_refused_and_recorded() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let now = kit.services.now().millis() / 1000;
    let wrong = [
        ("sub", json!("somebody else")),
        ("aud", json!("https://another.example")),
        ("aud", json!([])),
        ("exp", json!(now)),
        ("exp", json!(now + 3601)),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("jti", json!("")),
    ];
    let count = wrong.len();
    for (name, value) in wrong {
        let mut claims = shop.claims(&format!("{name} {value}"));
        claims[name] = value;
        assert_eq!(shop.assert_claims(&claims).await, BAD, "{claims}");
    }
    let refused = shop.events("token.issue").await;
    assert_eq!(refused.len(), count);
    let client = shop.client.to_string();
    assert!(refused.iter().all(|event| event.subject == client));
    assert!(refused.iter().all(|event| event.outcome == "refused"));
}

#[tokio::test]
async fn a_refused_assertion_is_not_used_up() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let mut claims = shop.claims("1");
    claims["nbf"] = json!(kit.services.now().millis() / 1000 + 61);
    assert_eq!(shop.assert_claims(&claims).await, BAD);
    kit.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(shop.assert_claims(&claims).await, Outcome::Done);
}

#[tokio::test]
async fn only_a_key_of_the_client_with_its_own_algorithm_counts() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, Some("first")).await;
    let with_header = async |header: Value, id: &str| {
        let token = signed(&header, &shop.claims(id));
        outcome(shop.assert(token).await)
    };
    let named = json!({ "alg": "ES256", "kid": "first" });
    assert_eq!(with_header(named, "1").await, Outcome::Done);
    let unnamed = json!({ "alg": "ES256" });
    assert_eq!(with_header(unnamed, "2").await, Outcome::Done);
    let another = json!({ "alg": "ES256", "kid": "second" });
    assert_eq!(with_header(another, "3").await, BAD);
    for algorithm in ["RS256", "HS256", "none"] {
        let header = json!({ "alg": algorithm, "kid": "first" });
        assert_eq!(with_header(header, algorithm).await, BAD, "{algorithm}");
    }
}

#[tokio::test]
async fn a_changed_assertion_and_one_for_a_client_without_keys_are_refused() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let token = signed(&json!({ "alg": "ES256" }), &shop.claims("1"));
    let other = signed(&json!({ "alg": "ES256" }), &shop.claims("2"));
    let (text, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let mixed = shop.assert(format!("{text}.{signature}")).await;
    assert_eq!(outcome(mixed), BAD);
    let without = Shop::open(&kit, "Other").await;
    let claims = without.claims("1");
    assert_eq!(without.assert_claims(&claims).await, BAD);
}

#[tokio::test]
async fn a_disabled_client_may_not_use_its_key() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let disabled = ClientChange {
        disabled: Some(true),
        ..ClientChange::default()
    };
    shop.change_client(disabled).await.unwrap();
    assert_eq!(shop.assert_claims(&shop.claims("1")).await, BAD);
}

#[tokio::test]
async fn wrong_assertions_are_limited_like_wrong_secrets() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let mut claims = shop.claims("1");
    claims["aud"] = json!("https://another.example");
    for _ in 0..10 {
        assert_eq!(shop.assert_claims(&claims).await, BAD);
    }
    let right = shop.assert_claims(&shop.claims("2")).await;
    assert!(
        matches!(right, Outcome::Refused(Refusal::Limited { .. })),
        "{right:?}"
    );
}

#[tokio::test]
async fn an_assertion_that_was_made_before_a_rollback_may_have_been_used() {
    let kit = Kit::new().await;
    let shop = with_key(&kit, None).await;
    let claims = shop.claims("1");
    let anchor = anchor(&kit).await;
    accept(&kit, &anchor).await;
    assert_eq!(shop.assert_claims(&claims).await, BAD);
    kit.clock.advance(std::time::Duration::from_secs(61));
    let later = shop.claims("2");
    assert_eq!(shop.assert_claims(&later).await, Outcome::Done);
}
