//! The keys that sign clients' access tokens.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Tenants;
use super::access_token::CLIENT_TOKENS;
use crate::core::error::Error;
use crate::proof::operator::{Operator, OperatorRight};
use crate::proof::signing::{Ring, SigningPurpose};

impl Tenants {
    /// The keys that verify clients' tokens now.
    pub async fn token_keys(&self) -> Result<Arc<Ring>, Error> {
        self.signing_ring(CLIENT_TOKENS).await
    }

    /// Makes a new signing key. What is signed with the one before stays valid for its life. Returns its id.
    pub async fn rotate_token_key(&self, operator: &Operator) -> Result<String, Error> {
        operator.may(OperatorRight::Keys)?;
        self.rotate_signing_key(operator, CLIENT_TOKENS).await
    }

    /// Takes over a signing key in PKCS#8 form, for tests with published vectors.
    pub async fn adopt_token_key(
        &self,
        operator: &Operator,
        pkcs8: Zeroizing<Vec<u8>>,
    ) -> Result<String, Error> {
        operator.may(OperatorRight::Keys)?;
        self.adopt_signing_key(operator, CLIENT_TOKENS, pkcs8).await
    }

    /// Signs `claims` with the newest key of `issuer`, as the token endpoint does.
    pub async fn sign_claims(
        &self,
        issuer: SigningPurpose,
        claims: &[u8],
    ) -> Result<String, Error> {
        self.sign_token(issuer, claims).await
    }

    /// The claims of a token that a key of `issuer` signed; `None` for any other token.
    pub async fn verify_claims(
        &self,
        issuer: SigningPurpose,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.verify_token(issuer, token).await
    }
}
