//! What the trials create on the installation, and its removal.

use admin_wire::{
    ApplicationRequest, GuardedKey, Name, NewApplication, NewManager, OWN_ISSUER, WalletUser,
};
use cli::{chain, encode, parsed};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Arena, By};
use crate::random::{below, bytes};
use crate::table::Ended;

/// An object that is removed at the end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// The admin API deletes it at this path.
    Object(String),
    /// The same, for an object that may never have been created.
    Perhaps(String),
    /// The wallet user of the account with this id.
    Wallet(String),
}

/// A test tenant with one application, its person, and a token for it.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) token: String,
    pub(crate) user: String,
}

impl Arena {
    /// Creates a guarded key behind `pin`, which is removed at the end.
    pub(crate) async fn key(&self, pin: &str) -> Result<String, Ended> {
        let body = json!({ "pin": pin });
        let answer = self
            .insist(0, Method::POST, "/v2/key", By::Nobody, Some(&body))
            .await;
        match (answer.status, answer.body["id"].as_str()) {
            (201, Some(id)) => {
                let path = format!("/admin/v1/guarded-keys/{}", encode(id));
                self.made(Made::Object(path)).await;
                Ok(id.to_owned())
            }
            (429, _) => Err(Ended::Skipped(
                "photon.new_keys_per_network_hour is used up".to_owned(),
            )),
            (status, _) => Err(Ended::Skipped(format!("no key can be created: {status}"))),
        }
    }

    /// The number of failed guesses at a key, as the admin API shows it.
    pub(crate) async fn counted(&self, key: &str) -> Result<u64, Ended> {
        let path = format!("/admin/v1/guarded-keys/{}", encode(key));
        let shown = self.admin.get(&path).await.and_then(parsed);
        let GuardedKey { failed_guesses, .. } = shown.map_err(Ended::Skipped)?;
        Ok(failed_guesses.into())
    }

    /// Creates a test tenant, which is removed at the end.
    pub(crate) async fn shop(&self) -> Result<Shop, Ended> {
        let client = self.client().await.map_err(Ended::Skipped)?;
        let token = self.token(&client).await?;
        let person = json!({ "email": address() });
        let by = By::Token(&token);
        let answer = self
            .insist(0, Method::POST, "/cis/v1/users", by, Some(&person))
            .await;
        let user = text(&answer.body["result"], "user_id")?;
        Ok(Shop { token, user })
    }

    /// The client of an application of a new tenant.
    async fn client(&self) -> Result<NewApplication, String> {
        let name = format!("torture {}", hex::encode(bytes::<8>()));
        let tenant = self.admin.post("/admin/v1/tenants", &Name { name }).await?;
        let tenant = parsed::<NewManager>(tenant)?.tenant_id;
        let path = format!("/admin/v1/tenants/{}", encode(&tenant));
        let request = ApplicationRequest {
            name: Some("torture".to_owned()),
            description: None,
            require_server_challenge: None,
        };
        let applications = format!("{path}/applications");
        self.made(Made::Object(path)).await;
        parsed(self.admin.post(&applications, &request).await?)
    }

    async fn token(&self, client: &NewApplication) -> Result<String, Ended> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &client.client_id),
            ("client_secret", &client.client_secret),
        ];
        let url = format!("{}/oidc/token", self.node(0));
        let lost = |error| Ended::Skipped(chain(&error));
        let answer = self.http.post(url).form(&form).send().await.map_err(lost)?;
        let token: Value = answer.json().await.map_err(lost)?;
        text(&token, "access_token")
    }

    /// Whether the admin API finds an object at a path.
    pub(crate) async fn operator_sees(&self, path: &str) -> bool {
        self.admin.get(path).await.is_ok()
    }

    /// Remembers an object to remove at the end.
    pub(crate) async fn made(&self, thing: Made) {
        self.made.lock().await.push(thing);
    }

    /// Removes everything that was created, the newest first. Fails with a list of what could not be removed.
    pub(crate) async fn clean(&self) -> Result<(), String> {
        let mut left = Vec::new();
        for thing in self.made.lock().await.iter().rev() {
            if let Err(why) = self.remove(thing).await {
                left.push(why);
            }
        }
        if left.is_empty() {
            Ok(())
        } else {
            let left = left.join("; ");
            Err(format!("these test objects could not be removed: {left}"))
        }
    }

    async fn remove(&self, thing: &Made) -> Result<(), String> {
        let (what, removed) = match thing {
            Made::Perhaps(path) if !self.operator_sees(path).await => return Ok(()),
            Made::Object(path) | Made::Perhaps(path) => (path, self.admin.delete(path).await),
            Made::Wallet(id) => {
                let user = WalletUser {
                    issuer: OWN_ISSUER.to_owned(),
                    subject: id.clone(),
                };
                let path = "/admin/v1/wallets/erase";
                (id, self.admin.post(path, &user).await)
            }
        };
        removed
            .map(|_| ())
            .map_err(|error| format!("{what}: {error}"))
    }
}

fn text(value: &Value, field: &str) -> Result<String, Ended> {
    match value[field].as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Ended::Skipped(format!("no {field} in the answer"))),
    }
}

/// An address in a domain that receives no mail.
pub(crate) fn address() -> String {
    format!("torture-{}@example.com", hex::encode(bytes::<8>()))
}

/// A random PIN.
pub(crate) fn pin() -> String {
    format!("{:09}", below(1_000_000_000))
}
