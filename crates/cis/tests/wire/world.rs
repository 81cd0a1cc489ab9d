//! A tenant with what lives in it, made through the wire itself.

use domain::policy::Policy;
use domain::tenant::NewTenant;
use serde_json::{Value, json};
use testkit::{Answer, Client, Kit};

use crate::setting;

/// A signing key for tests: making one for each test would take longer than the tests.
const SIGNING_KEY: &[u8] = include_bytes!("signing-key.der");

/// One node.
pub(crate) struct World {
    pub(crate) kit: Kit,
    pub(crate) http: Client,
}

/// A management client.
#[derive(Clone)]
pub(crate) struct Manager {
    pub(crate) tenant: String,
    pub(crate) client: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// An application with a client that has full access.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(policy: impl FnOnce(&mut Policy)) -> Self {
        let world = Self::over(Kit::builder().policy(policy).build().await);
        world.sign_with_the_test_key().await;
        world
    }

    pub(crate) fn over(kit: Kit) -> Self {
        let http = kit.client(setting::routes);
        Self { kit, http }
    }

    pub(crate) async fn sign_with_the_test_key(&self) {
        let key = SIGNING_KEY.to_vec().into();
        let adopted = self
            .kit
            .services
            .tenants
            .adopt_token_key(&self.kit.operator(), key)
            .await;
        adopted.expect("the test key is sound");
    }

    pub(crate) async fn tenant(&self, name: &str) -> Manager {
        let new = self
            .kit
            .services
            .tenants
            .create_tenant(&self.kit.operator(), name.to_owned())
            .await;
        let NewTenant {
            tenant,
            client,
            secret,
        } = new.expect("a tenant");
        let (client, secret) = (client.to_string(), secret.expose().to_owned());
        let token = self.token(&client, &secret, "").await;
        Manager {
            tenant: tenant.to_string(),
            client,
            secret,
            token,
        }
    }

    pub(crate) async fn app(&self, manager: &Manager, name: &str) -> App {
        self.app_with(manager, json!({ "app_name": name })).await
    }

    pub(crate) async fn app_with(&self, manager: &Manager, body: Value) -> App {
        let made = self
            .call("POST", "/cis/v1/applications", &manager.token, &body)
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = &made.json()["result"];
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        let (client, secret) = (text("client_id"), text("client_secret"));
        let token = self.token(&client, &secret, "").await;
        App {
            id: text("app_id"),
            client,
            secret,
            token,
        }
    }

    /// A client of the application with exactly these permissions; its token.
    pub(crate) async fn limited(
        &self,
        manager: &Manager,
        app: &App,
        permissions: &[&str],
    ) -> String {
        let (client, secret, _) = self.limited_client(manager, app, permissions).await;
        self.token(&client, &secret, "").await
    }

    /// Id, secret and role.
    pub(crate) async fn limited_client(
        &self,
        manager: &Manager,
        app: &App,
        permissions: &[&str],
    ) -> (String, String, String) {
        let name = format!("{}-{}", permissions.join(" "), uuid());
        let role = json!({ "role_name": name, "permissions": permissions });
        let role = self
            .call("POST", "/cis/v1/client-roles", &manager.token, &role)
            .await;
        assert_eq!(role.status, 201, "{}", role.text());
        let role = role.json()["result"]["role_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let body = json!({ "name": "limited", "redirect_uris": [], "role_ids": [role] });
        let path = format!("/cis/v1/applications/{}/clients", app.id);
        let made = self.call("POST", &path, &manager.token, &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        (made.member("client_id"), made.member("client_secret"), role)
    }

    pub(crate) async fn token(&self, client: &str, secret: &str, scope: &str) -> String {
        let answer = self.ask_token(client, secret, scope).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.member("access_token")
    }

    pub(crate) async fn ask_token(&self, client: &str, secret: &str, scope: &str) -> Answer {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={}",
            scope.replace(' ', "+")
        );
        self.form(form).await
    }

    pub(crate) async fn form(&self, form: String) -> Answer {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.http.send("POST", "/oidc/token", &kind, form).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.http.send(method, path, &headers, text).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, &Value::Null).await
    }

    /// A new user of the token's application.
    pub(crate) async fn user(&self, token: &str) -> String {
        let body = json!({ "email": format!("{}@example.com", uuid()) });
        let made = self.call("POST", "/cis/v1/users", token, &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["result"]["user_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    pub(crate) async fn register(
        &self,
        token: &str,
        user: &str,
        key: &str,
        public: &str,
    ) -> Answer {
        let body = json!({ "key_id": key, "public_key": public });
        self.call("POST", &keys(user), token, &body).await
    }

    pub(crate) async fn validate(
        &self,
        token: &str,
        user: &str,
        key: &str,
        challenge: &str,
        signature: &str,
    ) -> Answer {
        let body = json!({ "challenge": challenge, "signature": signature });
        self.call(
            "POST",
            &format!("{}/{key}/validate", keys(user)),
            token,
            &body,
        )
        .await
    }
}

pub(crate) fn keys(user: &str) -> String {
    format!("/cis/v1/users/{user}/device-keys")
}

/// A text that no other call gave.
pub(crate) fn uuid() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
