//! Issues access tokens.

use std::sync::Arc;
use std::time::Duration;

use super::{CLIENT_TOKENS, IssuedToken, TokenFacts, TokenForm, TokenRequest};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::port::random::uuid;
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::tenant::permission::{Permission, covers};
use crate::tenant::{Client, ClientId, Tenants};
use crate::trail::audit::Event;

/// The audience of a token: the resource that the client asks for, or `otherwise`. `Invalid` if the resource is not the
/// client's.
fn audience_for(
    client: &Client,
    resource: Option<&str>,
    otherwise: &str,
) -> Result<String, Refusal> {
    match resource {
        None => Ok(otherwise.to_owned()),
        Some(asked) if client.resources.iter().any(|known| known == asked) => Ok(asked.to_owned()),
        Some(_) => Err(Refusal::Invalid {
            field: "resource",
            why: "is not the client's",
        }),
    }
}

/// The start of the second, because tokens tell whole seconds.
fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().div_euclid(1000) * 1000)
}

/// The permissions that a token carries: all of the client's, or each of those asked for once. `Invalid` if the
/// client's permissions do not cover one of them.
fn narrowed(client: &Client, scope: &[String]) -> Result<Vec<String>, Refusal> {
    if scope.is_empty() {
        return Ok(client.permissions.iter().map(ToString::to_string).collect());
    }
    let mut permissions = Vec::new();
    for text in scope {
        let asked = Permission::parse(text);
        let covered =
            asked.is_some_and(|asked| covers(&client.permissions, &asked, client.application));
        if !covered {
            return Err(Refusal::Invalid {
                field: "scope",
                why: "is not covered by the client's permissions",
            });
        }
        if !permissions.contains(text) {
            permissions.push(text.clone());
        }
    }
    Ok(permissions)
}

impl Tenants {
    /// Issues a token to a client that proves who it is. `BadProof` for a wrong proof, `Limited` after too many of them,
    /// `Invalid` for a resource that is not the client's and for a permission that the client's do not cover.
    pub async fn issue_access_token(
        self: &Arc<Self>,
        caller: Caller,
        form: &dyn TokenForm,
        request: TokenRequest,
    ) -> Result<IssuedToken, Error> {
        let now = self.now();
        let client = self.proven_client(now, &caller, &request).await?;
        let audience = audience_for(&client, request.resource.as_deref(), form.audience())?;
        let permissions = narrowed(&client, &request.scope)?;
        let facts = self.token_facts(now, &client, audience, permissions.clone());
        let text = self.sign_token(CLIENT_TOKENS, &form.write(&facts)?).await?;
        let subject = facts.client.to_string();
        let event = Event::new(caller.surface, now, "token.issue", subject).by(&caller);
        self.record_soon(event.fact("token", facts.id)).await?;
        Ok(IssuedToken {
            text: SecretText::new(text),
            seconds: client.token_life,
            permissions,
        })
    }

    fn token_facts(
        &self,
        now: Timestamp,
        client: &Stored<Client>,
        audience: String,
        permissions: Vec<String>,
    ) -> TokenFacts {
        let issued = whole_second(now);
        TokenFacts {
            issuer: self.policy.issuer.clone(),
            audience,
            client: ClientId::of(client.key()),
            tenant: client.tenant,
            application: client.application,
            application_name: client.application_name.clone(),
            manager: client.manager,
            permissions: Some(permissions),
            role_names: client.role_names.clone(),
            id: uuid(self.random.as_ref()).to_string(),
            issued,
            expires: issued.plus(Duration::from_secs(u64::from(client.token_life))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::client::tests::client;

    fn holding(permissions: &[&str]) -> Client {
        let parse = |text: &&str| Permission::parse(text).unwrap();
        Client {
            permissions: permissions.iter().map(parse).collect(),
            resources: vec!["https://api.example".to_owned()],
            ..client()
        }
    }

    fn asked(texts: &[&str]) -> Result<Vec<String>, Refusal> {
        let scope: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        narrowed(&holding(&["apps:read", "users:edit"]), &scope)
    }

    #[test]
    fn a_token_carries_all_permissions_unless_the_client_asks_for_fewer() {
        assert_eq!(asked(&[]).unwrap(), ["apps:read", "users:edit"]);
        assert_eq!(asked(&["users:edit"]).unwrap(), ["users:edit"]);
    }

    #[test]
    fn a_client_may_ask_for_a_narrower_permission_than_it_has() {
        let narrower = ["users:read", "devices:read"];
        assert_eq!(asked(&narrower).unwrap(), narrower);
    }

    #[test]
    fn a_permission_that_is_asked_for_twice_is_carried_once() {
        let twice = ["users:read", "users:edit", "users:read"];
        assert_eq!(asked(&twice).unwrap(), ["users:read", "users:edit"]);
    }

    #[test]
    fn one_permission_that_is_not_covered_refuses_the_request() {
        for bad in ["apps:edit", "devices:edit", "users", "", "users:all"] {
            let refused = asked(&["users:edit", bad]);
            assert!(
                matches!(refused, Err(Refusal::Invalid { field: "scope", .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_token_is_for_the_server_or_for_a_resource_of_the_client() {
        let audience = |resource| audience_for(&holding(&[]), resource, "keys");
        assert_eq!(audience(None).unwrap(), "keys");
        let own = "https://api.example";
        assert_eq!(audience(Some(own)).unwrap(), own);
        for foreign in ["keys", "https://api.example/", ""] {
            let refused = audience(Some(foreign));
            assert!(
                matches!(
                    refused,
                    Err(Refusal::Invalid {
                        field: "resource",
                        ..
                    })
                ),
                "{foreign:?}"
            );
        }
    }

    #[test]
    fn tokens_tell_whole_seconds() {
        let second = |millis| whole_second(Timestamp::from_millis(millis)).millis();
        assert_eq!([0, 999, 1000, 1999].map(second), [0, 0, 1000, 1000]);
        assert_eq!(second(-1), -1000);
    }
}
