//! Access tokens of clients: issued for a client's proof, and accepted only together with the client's row of now.
//!
//! 1. [`Tenants::issue_access_token`](super::Tenants::issue_access_token) checks rate and proof, narrows the
//!    permissions, and signs. It counts a wrong proof for the client and the network, and for the network, so that a
//!    stranger cannot lock a client out.
//! 2. [`Tenants::authorize`](super::Tenants::authorize) checks signature, issuer, audience and time, and then reads the
//!    client's row. Each call reads it, never a cache: all tokens of a client that is deleted or disabled are refused at
//!    once, on every node, and a right that was taken away is gone at once, too.
//!
//! The front decides how the claims are spelt ([`TokenForm`]).

pub(crate) mod assertion;
mod authorize;
mod issue;
mod proof;

use std::time::Duration;

use crypto::jws::Algorithm;

use crate::core::error::Error;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::signing::SigningPurpose;
use crate::tenant::{ApplicationId, Client, ClientId, TenantId};

/// The keys that sign clients' tokens, and nothing else.
pub const CLIENT_TOKENS: SigningPurpose = SigningPurpose {
    name: "client tokens",
    algorithm: Algorithm::Rs256,
};
/// How far in the future a token may say that it was made, because clocks differ.
const SKEW: Duration = Duration::from_secs(60);

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    pub issuer: String,
    pub audience: String,
    pub client: ClientId,
    pub tenant: TenantId,
    pub application: ApplicationId,
    pub application_name: String,
    pub manager: bool,
    /// `None` if the token does not speak of permissions; then it has none.
    pub permissions: Option<Vec<String>>,
    pub role_names: Vec<String>,
    pub id: String,
    /// Whole seconds.
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// How a front spells the claims.
pub trait TokenForm: Sync {
    /// The audience of a token unless the client asks for a resource. This server accepts only this audience.
    fn audience(&self) -> &'static str;
    /// The claims as the payload of the token.
    fn write(&self, facts: &TokenFacts) -> Result<Vec<u8>, Error>;
    /// Reads the claims from a payload. `None` for claims of another shape.
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
    /// The id as the client spelt it. With an assertion it may be absent, because the assertion names the client.
    pub client: Option<String>,
    pub proof: ClientProof,
    pub resource: Option<String>,
    /// Permissions to narrow the token to. If it is empty, the token carries all of them.
    pub scope: Vec<String>,
}

/// A token on its way to its client.
pub struct IssuedToken {
    pub text: SecretText,
    pub seconds: u32,
    pub permissions: Vec<String>,
}

impl TokenFacts {
    /// Whether the token is valid at this moment.
    fn is_timely(&self, now: Timestamp) -> bool {
        now < self.expires && self.issued <= now.plus(SKEW)
    }

    /// Whether the token was issued by this server, for this server.
    fn is_for(&self, issuer: &str, audience: &str) -> bool {
        self.issuer == issuer && self.audience == audience
    }

    /// Whether the token may be used with the client's row as it is now.
    fn fits(&self, client: &Client) -> bool {
        let same = client.tenant == self.tenant && client.application == self.application;
        !client.disabled && same && client.manager == self.manager
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::client::tests::client;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// A token of [`client`], issued at second 1000 for an hour.
    fn facts() -> TokenFacts {
        let client = client();
        TokenFacts {
            issuer: "https://keys.example/oidc".to_owned(),
            audience: "keys".to_owned(),
            client: ClientId::parse(&"3".repeat(32)).unwrap(),
            tenant: client.tenant,
            application: client.application,
            application_name: "Shop".to_owned(),
            manager: false,
            permissions: None,
            role_names: Vec::new(),
            id: "1".to_owned(),
            issued: at(1000),
            expires: at(4600),
        }
    }

    #[test]
    fn a_token_is_valid_from_a_minute_before_it_was_issued_until_it_expires() {
        let valid = |second| facts().is_timely(at(second));
        let cases = [
            (939, false),
            (940, true),
            (1000, true),
            (4599, true),
            (4600, false),
        ];
        for (second, expected) in cases {
            assert_eq!(valid(second), expected, "{second}");
        }
    }

    #[test]
    fn a_token_of_another_issuer_or_for_another_audience_is_not_ours() {
        let issuer = "https://keys.example/oidc";
        assert!(facts().is_for(issuer, "keys"));
        assert!(!facts().is_for("https://keys.example/", "keys"));
        assert!(!facts().is_for(issuer, "Keys"));
    }

    #[test]
    fn a_token_fits_the_client_that_it_was_issued_for() {
        assert!(facts().fits(&client()));
    }

    #[test]
    fn a_token_does_not_fit_a_client_that_was_disabled_or_is_another() {
        type Change = fn(&mut Client);
        let changes: [(&str, Change); 4] = [
            ("disabled", |client| client.disabled = true),
            ("manager", |client| client.manager = true),
            ("tenant", |client| {
                client.tenant = TenantId::parse(&"9".repeat(32)).unwrap();
            }),
            ("application", |client| {
                client.application = ApplicationId::parse(&"9".repeat(32)).unwrap();
            }),
        ];
        for (name, change) in changes {
            let mut other = client();
            change(&mut other);
            assert!(!facts().fits(&other), "{name}");
        }
    }
}
