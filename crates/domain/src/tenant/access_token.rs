//! Access tokens of clients: given for a client's proof, and believed only with the client's row of now.
//!
//! 1. [`Tenants::issue_access_token`]: rate, proof, narrowing, signature. A wrong proof is counted per
//!    client and network and per network, so that a stranger cannot lock a client out.
//! 2. [`Tenants::authorize`]: signature, issuer, audience, time; then the client's row. A client that is
//!    deleted or disabled ends every token of it at once, on every node, and a right that was taken
//!    away is gone at once, too: the row is read on each call, never cached.
//!
//! How the claims are spelt is the front's business ([`TokenForm`]).

pub(crate) mod assertion;

use std::sync::Arc;
use std::time::Duration;

use crypto::jws::Algorithm;

use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::uuid;
use crate::core::port::store::RowId;
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::undo;
use crate::limit::rate::Rate;
use crate::proof::operator::{Operator, OperatorRight};
use crate::proof::signing::SigningPurpose;
use crate::tenant::Tenants;
use crate::tenant::permission::{
    Grant, Need, OPERATOR, Permission, Rights, Standing, Verb, Wanted, covers,
};
use crate::tenant::{
    Application, ApplicationId, Authentication, Client, ClientId, Tenant, TenantId,
};
use crate::trail::audit::Event;

/// The keys that sign clients' tokens, and nothing else.
pub const CLIENT_TOKENS: SigningPurpose = SigningPurpose {
    name: "client tokens",
    algorithm: Algorithm::Rs256,
};
/// How far in the future a token may say that it was made, for clocks that differ.
const SKEW: Duration = Duration::from_secs(60);

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    pub issuer: String,
    pub audience: String,
    pub client: ClientId,
    pub tenant: TenantId,
    pub application: ApplicationId,
    pub application_name: String,
    pub manager: bool,
    /// `None`: the token says nothing of permissions, and has none.
    pub permissions: Option<Vec<String>>,
    pub role_names: Vec<String>,
    pub id: String,
    /// Whole seconds.
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// The spelling of a wire's claims.
pub trait TokenForm: Sync {
    /// Who tokens are for unless the client asks for a resource, and the only one we accept ourselves.
    fn audience(&self) -> &'static str;
    fn write(&self, facts: &TokenFacts) -> Result<Vec<u8>, Error>;
    /// `None` for claims of another shape.
    fn read(&self, claims: &[u8]) -> Option<TokenFacts>;
}

/// How a client proves who it is.
pub enum ClientProof {
    Secret(SecretText),
    /// A token that the client signed with its own key, for one of these audiences.
    Assertion {
        token: String,
        audiences: Vec<String>,
    },
}

/// A request for a token.
pub struct TokenRequest {
    /// As the client spelt it; with an assertion it may be left to that.
    pub client: Option<String>,
    pub proof: ClientProof,
    pub resource: Option<String>,
    /// Permissions to narrow the token to; empty asks for all.
    pub scope: Vec<String>,
}

/// A token on its way to its client.
pub struct IssuedToken {
    pub text: SecretText,
    pub seconds: u32,
    pub permissions: Vec<String>,
}

/// Whether a client has proved who it is.
enum ClientCheck {
    Passed(Box<Stored<Client>>),
    Refused,
}

impl Tenants {
    /// Gives a client a token, for its proof.
    pub async fn issue_access_token(
        self: &Arc<Self>,
        caller: Caller,
        form: &dyn TokenForm,
        request: TokenRequest,
    ) -> Result<IssuedToken, Error> {
        let now = self.now();
        let named = match &request.proof {
            ClientProof::Secret(_) => None,
            ClientProof::Assertion { token, .. } => assertion::claimed_client(token),
        };
        let named = request.client.clone().or(named).unwrap_or_default();
        let rates = self.failure_rates(&named, &caller);
        for (row, rate) in &rates {
            self.read_rate(*row, now, &[*rate]).await?;
        }
        let client = match self.show(now, &named, &request.proof).await? {
            ClientCheck::Passed(client) => client,
            ClientCheck::Refused => {
                return Err(self.count_failure(now, &caller, named, rates).await);
            }
        };
        let audience = match &request.resource {
            None => form.audience().to_owned(),
            Some(resource) if client.resources.contains(resource) => resource.clone(),
            Some(_) => {
                return Err(Refusal::Invalid {
                    field: "resource",
                    why: "is not the client's",
                }
                .into());
            }
        };
        let permissions = narrowed(&client, &request.scope)?;
        let facts = self.token_facts(now, &client, audience, permissions.clone());
        let text = self.sign_token(CLIENT_TOKENS, &form.write(&facts)?).await?;
        let event =
            Event::new(caller.surface, now, "token.issue", facts.client.to_string()).by(&caller);
        self.record_soon(event.fact("token", facts.id)).await?;
        Ok(IssuedToken {
            text: SecretText::new(text),
            seconds: client.token_life,
            permissions,
        })
    }

    /// The proof that the holder of this token may do `N`, now. `BadProof` for a token that is worth
    /// nothing; `Forbidden` for one that is sound and lacks the right.
    pub async fn authorize<N: Need>(
        self: &Arc<Self>,
        form: &dyn TokenForm,
        token: &str,
    ) -> Result<Grant<N>, Error> {
        let bad = || Error::Refused(Refusal::BadProof { left: None });
        let claims = self
            .verify_token(CLIENT_TOKENS, token)
            .await?
            .ok_or_else(bad)?;
        let facts = form.read(&claims).ok_or_else(bad)?;
        let now = self.now();
        let timely = now < facts.expires && facts.issued <= now.plus(SKEW);
        let ours = facts.issuer == self.policy.issuer && facts.audience == form.audience();
        if !timely || !ours {
            return Err(bad());
        }
        let client = self
            .rows
            .read::<Client>(self.store.as_ref(), facts.client.0)
            .await?
            .ok_or_else(bad)?;
        let same = client.tenant == facts.tenant && client.application == facts.application;
        if client.disabled || !same || client.manager != facts.manager {
            return Err(bad());
        }
        let standing = client.standing(facts.client, &facts.permissions.unwrap_or_default());
        Ok(Grant::check(standing)?)
    }

    /// A grant for an operator of the server in any tenant and application.
    pub async fn grant_to_operator<N: Need>(
        self: &Arc<Self>,
        operator: &Operator,
        tenant: TenantId,
        application: Option<ApplicationId>,
    ) -> Result<Grant<N>, Error> {
        operator.may(OperatorRight::Manage)?;
        let operator = operator.name().to_owned();
        self.ensure_default_tenant().await?;
        self.read(move |hub, tx| {
            let Some(record) = hub.rows.peek::<Tenant>(tx, &tenant.0)? else {
                return Err(Refusal::UnknownSubject.into());
            };
            let application = application.unwrap_or(record.management);
            let found = hub.rows.peek::<Application>(tx, &application.0)?;
            let Some(found) = found.filter(|found| found.tenant == tenant) else {
                return Err(Refusal::UnknownSubject.into());
            };
            let every: Vec<String> = Verb::ALL
                .iter()
                .map(|verb| format!("apps:{}", verb.name()))
                .collect();
            let standing = Standing {
                tenant,
                application,
                application_name: found.value.name,
                client: OPERATOR,
                operator: Some(operator.clone()),
                manager: N::WANTED == Wanted::Management,
                server_challenges_only: found.value.server_challenges_only,
                rights: Rights::of(every.iter().map(String::as_str), application),
            };
            Ok(Grant::check(standing)?)
        })
        .await
    }

    /// The issuer that tokens name.
    pub fn token_issuer(&self) -> &str {
        &self.policy.issuer
    }

    /// Where clients reach this server, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    async fn show(
        self: &Arc<Self>,
        now: Timestamp,
        named: &str,
        proof: &ClientProof,
    ) -> Result<ClientCheck, Error> {
        // An id of another form names nobody, at the same cost.
        let row = ClientId::parse(named)
            .map_or_else(|| self.rows.id("client", &[named.as_bytes()]), |id| id.0);
        let client = self.rows.read::<Client>(self.store.as_ref(), row).await?;
        let shown = match (&client, proof) {
            (Some(client), ClientProof::Secret(secret)) => client.present_secret(now, secret),
            (None, ClientProof::Secret(secret)) => Client::pretend_to_compare(secret),
            (Some(client), ClientProof::Assertion { token, audiences }) => {
                self.present_assertion(now, client, token, audiences)
                    .await?
            }
            (None, ClientProof::Assertion { .. }) => Authentication::Wrong,
        };
        Ok(match (client, shown) {
            (Some(client), Authentication::Right) if !client.disabled => {
                ClientCheck::Passed(Box::new(client))
            }
            _ => ClientCheck::Refused,
        })
    }

    fn failure_rates(&self, named: &str, caller: &Caller) -> [(RowId, Rate); 2] {
        let policy = &self.policy;
        let pair = self.rows.id(
            "rate",
            &[
                b"client failures",
                named.as_bytes(),
                caller.network.as_bytes(),
            ],
        );
        let network = self.rate_row("client failures of network", &caller.network);
        [
            (pair, policy.failures_per_client),
            (network, policy.failures_per_network),
        ]
    }

    /// Counts a wrong proof with its audit row. The answer to the caller.
    async fn count_failure(
        self: &Arc<Self>,
        now: Timestamp,
        caller: &Caller,
        named: String,
        rates: [(RowId, Rate); 2],
    ) -> Error {
        // Only an id is worth keeping: what else stands there may be a secret in the wrong field.
        let subject =
            ClientId::parse(&named).map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        let event = Event::new(caller.surface, now, "token.issue", subject)
            .by(caller)
            .outcome("refused");
        let counted = self
            .write(move |hub, tx| {
                let [(pair, per_pair), (network, per_network)] = rates;
                hub.spend_rates(tx, now, &[(pair, &[per_pair]), (network, &[per_network])])?
                    .map_err(undo)?;
                hub.record(tx, event.clone())
            })
            .await;
        counted
            .err()
            .unwrap_or(Error::Refused(Refusal::BadProof { left: None }))
    }

    fn token_facts(
        &self,
        now: Timestamp,
        client: &Stored<Client>,
        audience: String,
        permissions: Vec<String>,
    ) -> TokenFacts {
        let issued = Timestamp::from_millis(now.millis().div_euclid(1000) * 1000);
        TokenFacts {
            issuer: self.policy.issuer.clone(),
            audience,
            client: ClientId(client.id()),
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

/// The permissions a token carries: all of the client's, or those asked for if they are covered.
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
