//! Access tokens of clients: who is issued one, and what it is worth later.

use std::sync::Arc;
use std::time::Duration;

use domain::secret::SecretText;
use domain::tenant::access_token::{ClientProof, IssuedToken, TokenFacts, TokenForm, TokenRequest};
use domain::tenant::permission::{Execute, Grant, Manage, Need, ReadUsers};
use domain::tenant::{
    ApplicationChange, ApplicationId, ClientChange, ClientId, RoleForm, TenantId,
};
use domain::{Error, Refusal, Timestamp};
use serde_json::{Value, json};
use testkit::Kit;

use crate::owner::{Outcome, caller, outcome};
use crate::tenant::{Shop, permissions, role_form};

pub(crate) const BAD: Outcome = Outcome::Refused(Refusal::BadProof { left: None });

/// Claims as plain JSON.
pub(crate) struct PlainForm;

impl TokenForm for PlainForm {
    fn audience(&self) -> &'static str {
        "keys"
    }

    fn write(&self, facts: &TokenFacts) -> Result<Vec<u8>, Error> {
        let claims = json!({
            "issuer": facts.issuer,
            "audience": facts.audience,
            "client": facts.client.to_string(),
            "tenant": facts.tenant.to_string(),
            "application": facts.application.to_string(),
            "manager": facts.manager,
            "permissions": facts.permissions,
            "issued": facts.issued.millis(),
            "expires": facts.expires.millis(),
        });
        serde_json::to_vec(&claims).map_err(Error::bug)
    }

    fn read(&self, claims: &[u8]) -> Option<TokenFacts> {
        let claims: Value = serde_json::from_slice(claims).ok()?;
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let moment = |name: &str| claims[name].as_i64().map(Timestamp::from_millis);
        Some(TokenFacts {
            issuer: text("issuer").to_owned(),
            audience: text("audience").to_owned(),
            client: ClientId::parse(text("client"))?,
            tenant: TenantId::parse(text("tenant"))?,
            application: ApplicationId::parse(text("application"))?,
            application_name: String::new(),
            manager: claims["manager"].as_bool()?,
            permissions: serde_json::from_value(claims["permissions"].clone()).ok()?,
            role_names: Vec::new(),
            id: String::new(),
            issued: moment("issued")?,
            expires: moment("expires")?,
        })
    }
}

/// A shop whose server can sign tokens.
pub(crate) async fn open(kit: &Kit) -> Shop {
    let (tenants, operator) = (&kit.services.tenants, kit.operator());
    tenants.rotate_token_key(&operator).await.unwrap();
    Shop::open(kit, "Shop").await
}

impl Shop {
    pub(crate) async fn ask(&self, secret: &str, scope: &[&str]) -> Result<IssuedToken, Error> {
        let request = TokenRequest {
            client: Some(self.client.to_string()),
            proof: ClientProof::Secret(SecretText::new(secret.to_owned())),
            resource: None,
            scope: scope.iter().map(|text| (*text).to_owned()).collect(),
        };
        self.issue(request).await
    }

    pub(crate) async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, Error> {
        let tenants = Arc::clone(&self.tenants);
        tenants
            .issue_access_token(caller(), &PlainForm, request)
            .await
    }

    pub(crate) async fn token(&self) -> String {
        let issued = self.ask(&self.secret, &[]).await.unwrap();
        issued.text.expose().to_owned()
    }

    pub(crate) async fn may<N: Need>(&self, token: &str) -> Outcome {
        let granted: Result<Grant<N>, Error> = self.tenants.authorize(&PlainForm, token).await;
        outcome(granted)
    }
}

pub(crate) fn forbidden(need: &'static str) -> Outcome {
    Outcome::Refused(Refusal::Forbidden { need })
}

#[tokio::test]
async fn a_client_with_its_secret_is_issued_a_token_for_its_own_application() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let token = shop.token().await;
    let granted: Grant<Execute> = shop.tenants.authorize(&PlainForm, &token).await.unwrap();
    assert_eq!(granted.tenant(), shop.tenant);
    assert_eq!(granted.application(), shop.application);
    assert_eq!(granted.client(), shop.client);
    assert_eq!(shop.may::<Manage>(&token).await, forbidden("management"));
    kit.run_jobs().await;
    assert_eq!(shop.trail("token.issue").await, ["token.issue done"]);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_recorded() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    for secret in ["", "wrong", &shop.secret.to_uppercase()] {
        assert_eq!(outcome(shop.ask(secret, &[]).await), BAD);
    }
    let events = shop.events("token.issue").await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.outcome == "refused"));
    assert_eq!(events[0].subject, shop.client.to_string());
}

#[tokio::test]
async fn a_text_that_is_no_client_is_refused_and_the_text_is_not_recorded() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let unknown = "9".repeat(32);
    for client in [
        None,
        Some("a secret in the wrong field"),
        Some(unknown.as_str()),
    ] {
        let request = TokenRequest {
            client: client.map(str::to_owned),
            proof: ClientProof::Secret(SecretText::new(shop.secret.clone())),
            resource: None,
            scope: Vec::new(),
        };
        assert_eq!(outcome(shop.issue(request).await), BAD);
    }
    let events = shop.events("token.issue").await;
    let mut subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [unknown.as_str(), "unknown", "unknown"]);
}

#[tokio::test]
async fn too_many_wrong_secrets_limit_the_client_and_not_another_one() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let other = Shop::open(&kit, "Other").await;
    for _ in 0..10 {
        assert_eq!(outcome(shop.ask("wrong", &[]).await), BAD);
    }
    let right = shop.ask(&shop.secret, &[]).await;
    assert!(matches!(
        right,
        Err(Error::Refused(Refusal::Limited { .. }))
    ));
    assert!(other.ask(&other.secret, &[]).await.is_ok());
    let trail = shop.trail("token.issue").await;
    let refused = trail.iter().filter(|event| event.ends_with("refused"));
    assert_eq!(refused.count(), 10, "what is limited is not recorded");
    kit.clock.advance(Duration::from_secs(120));
    assert!(shop.ask(&shop.secret, &[]).await.is_ok());
}

#[tokio::test]
async fn a_token_may_be_narrowed_but_not_widened() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let issued = shop.ask(&shop.secret, &["devices:execute"]).await.unwrap();
    assert_eq!(issued.permissions, ["devices:execute"]);
    let token = issued.text.expose();
    assert_eq!(shop.may::<Execute>(token).await, Outcome::Done);
    assert_eq!(shop.may::<ReadUsers>(token).await, forbidden("users:read"));
    let wider = shop.ask(&shop.secret, &["sessions:read"]).await;
    let invalid = Refusal::Invalid {
        field: "scope",
        why: "is not covered by the client's permissions",
    };
    assert_eq!(outcome(wider), Outcome::Refused(invalid));
}

#[tokio::test]
async fn a_role_that_loses_a_permission_takes_it_from_tokens_at_once() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let texts = ["devices:execute", "users:read"];
    let till = shop.create_role("till", &texts).await.unwrap();
    shop.give_roles(&[till.id]).await.unwrap();
    let token = shop.token().await;
    assert_eq!(shop.may::<ReadUsers>(&token).await, Outcome::Done);
    let fewer = role_form(None, &["devices:execute"]);
    shop.change_role(till.id, fewer).await.unwrap();
    assert_eq!(shop.may::<ReadUsers>(&token).await, forbidden("users:read"));
    assert_eq!(shop.may::<Execute>(&token).await, Outcome::Done);
    // A permission that comes back counts again, one that the token does not carry never does.
    let more = RoleForm {
        permissions: Some(permissions(&["users:read", "users:edit"])),
        ..RoleForm::default()
    };
    shop.change_role(till.id, more).await.unwrap();
    assert_eq!(shop.may::<ReadUsers>(&token).await, Outcome::Done);
    assert_eq!(
        shop.may::<Execute>(&token).await,
        forbidden("devices:execute")
    );
}

#[tokio::test]
async fn a_disabled_client_has_neither_secret_nor_token_until_it_is_enabled() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let token = shop.token().await;
    let disable = |disabled| ClientChange {
        disabled: Some(disabled),
        ..ClientChange::default()
    };
    shop.change_client(disable(true)).await.unwrap();
    assert_eq!(shop.may::<Execute>(&token).await, BAD);
    assert_eq!(outcome(shop.ask(&shop.secret, &[]).await), BAD);
    shop.change_client(disable(false)).await.unwrap();
    assert_eq!(shop.may::<Execute>(&token).await, Outcome::Done);
    assert!(shop.ask(&shop.secret, &[]).await.is_ok());
}

#[tokio::test]
async fn the_tokens_of_a_deleted_application_are_refused_at_once() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let token = shop.token().await;
    let grant = shop.grant().await;
    let deleted = shop
        .tenants
        .delete_application("test", grant, shop.application);
    deleted.await.unwrap();
    assert_eq!(shop.may::<Execute>(&token).await, BAD);
    assert_eq!(outcome(shop.ask(&shop.secret, &[]).await), BAD);
}

#[tokio::test]
async fn a_token_is_valid_for_the_life_that_its_client_gives_it() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let brief = ClientChange {
        token_life: Some(60),
        ..ClientChange::default()
    };
    shop.change_client(brief).await.unwrap();
    let issued = shop.ask(&shop.secret, &[]).await.unwrap();
    assert_eq!(issued.seconds, 60);
    kit.clock.advance(Duration::from_secs(58));
    assert_eq!(
        shop.may::<Execute>(issued.text.expose()).await,
        Outcome::Done
    );
    kit.clock.advance(Duration::from_secs(2));
    assert_eq!(shop.may::<Execute>(issued.text.expose()).await, BAD);
}

#[tokio::test]
async fn a_token_for_a_resource_is_not_for_this_server() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let resource = "https://api.example".to_owned();
    let ask = async || {
        shop.issue(TokenRequest {
            client: Some(shop.client.to_string()),
            proof: ClientProof::Secret(SecretText::new(shop.secret.clone())),
            resource: Some(resource.clone()),
            scope: Vec::new(),
        })
        .await
    };
    let invalid = Refusal::Invalid {
        field: "resource",
        why: "is not the client's",
    };
    assert_eq!(outcome(ask().await), Outcome::Refused(invalid));
    let change = ClientChange {
        resources: Some(vec![resource.clone()]),
        ..ClientChange::default()
    };
    shop.change_client(change).await.unwrap();
    let issued = ask().await.unwrap();
    assert_eq!(shop.may::<Execute>(issued.text.expose()).await, BAD);
}

#[tokio::test]
async fn a_grant_knows_the_application_as_it_is_now() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let token = shop.token().await;
    let change = ApplicationChange {
        name: Some("Kiosk".to_owned()),
        ..ApplicationChange::default()
    };
    shop.change_application(change).await.unwrap();
    let granted: Grant<Execute> = shop.tenants.authorize(&PlainForm, &token).await.unwrap();
    assert_eq!(granted.application_name(), "Kiosk");
}

#[tokio::test]
async fn any_other_text_is_no_token() {
    let kit = Kit::new().await;
    let shop = open(&kit).await;
    let token = shop.token().await;
    let shorter = &token[..token.len() - 4];
    for text in ["", "a.b.c", shorter] {
        assert_eq!(shop.may::<Execute>(text).await, BAD, "{text:?}");
    }
}
