//! Federated users: people who come with a signed token of an issuer that this server trusts.
//!
//! 1. The token says who issued it; that chooses the rules it is judged by, and nothing else.
//! 2. The issuer's published keys judge the signature, its rules the claims.
//! 3. Only then a [`FederatedUser`] exists, and use cases take nothing less.
//!
//! This server vouches for its own accounts, too: their access tokens are judged by the session they belong
//! to, so a session that is ended ends here as well, with its next call.

use std::sync::Arc;
use std::time::Duration;

pub use crypto::jws::Algorithm;
pub use crypto::token::{KeySet, Rules};
use crypto::token::{Token, Unacceptable};

use crate::core::error::{Error, Refusal};
use crate::core::time::Timestamp;
use crate::proof::Proofs;
use crate::proof::session::RejectedToken;

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    pub rules: Rules,
    /// Some issuers grant no scopes; then having a token is enough.
    pub scopes: Scopes,
    /// How old a login may be where a fresh one is asked for; `None`: of any age.
    pub fresh: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scopes {
    Enforced,
    Ignored,
}

/// What stands for this server as an issuer. Not the name in its tokens, which changes with its address: its
/// users would be others then.
pub const OWN_ISSUER: &str = "self";

/// That tokens of this server's own accounts are accepted. They carry no scopes: whoever is logged in has
/// every right over what is its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnAccounts {
    /// How old a login may be where a fresh one is asked for; `None`: of any age.
    pub fresh: Option<Duration>,
}

/// What a call needs of its bearer.
#[derive(Debug, Clone, Copy)]
pub struct TokenNeed {
    /// A scope the issuer must have granted.
    pub scope: Option<&'static str>,
    pub login: Login,
}

/// How lately the bearer must have logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Whenever,
    /// As lately as the issuer's rules say.
    Fresh,
}

/// Somebody whom a trusted issuer vouches for, with the right that was asked for. Only
/// [`Proofs::judge_federated`] makes one.
#[derive(Debug, Clone)]
pub struct FederatedUser {
    issuer: String,
    subject: String,
    email: Option<String>,
}

impl FederatedUser {
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer's own name for this person.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Where the issuer verified that this person is reached.
    pub(crate) fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

impl Proofs {
    /// Believes a token, or refuses: `BadProof`, `Expired` (right in all else), `Forbidden` (no such
    /// scope). `Unavailable`: the issuer's keys cannot be had.
    pub(crate) async fn judge_federated(
        self: &Arc<Self>,
        text: &str,
        need: TokenNeed,
    ) -> Result<FederatedUser, Error> {
        let no = || Error::Refused(Refusal::BadProof { left: None });
        let token = Token::parse(text).ok_or_else(no)?;
        let named = token.issuer().ok_or_else(no)?;
        if let Some(own) = self
            .policy
            .own_accounts
            .filter(|_| named == self.own_issuer())
        {
            return self.judge_own(text, need, own).await;
        }
        let issuers = &self.policy.issuers;
        let issuer = issuers.iter().find(|issuer| issuer.rules.issuer == named);
        let issuer = issuer
            .filter(|issuer| token.fits(&issuer.rules))
            .ok_or_else(no)?;
        let keys = self.key_sets.keys(named, token.key_id()).await?;
        let now = seconds(self.now());
        let claims = match token.judge(&issuer.rules, &keys, now) {
            Ok(claims) => claims,
            Err(Unacceptable::Invalid) => return Err(no()),
            Err(Unacceptable::Expired) => return Err(Refusal::Expired.into()),
        };
        if let (Login::Fresh, Some(age)) = (need.login, issuer.fresh) {
            let since = claims.authenticated.unwrap_or(f64::NEG_INFINITY);
            if now - since > age.as_secs_f64() {
                return Err(no());
            }
        }
        match need.scope.filter(|_| issuer.scopes == Scopes::Enforced) {
            Some(scope) if !claims.scopes.iter().any(|granted| granted == scope) => {
                Err(Refusal::Forbidden { need: scope }.into())
            }
            _ => Ok(FederatedUser {
                issuer: issuer.rules.issuer.clone(),
                subject: claims.subject,
                email: claims.verified_email,
            }),
        }
    }

    async fn judge_own(
        self: &Arc<Self>,
        text: &str,
        need: TokenNeed,
        own: OwnAccounts,
    ) -> Result<FederatedUser, Error> {
        let who = match self.judge_access(text).await? {
            Ok(who) => who,
            Err(RejectedToken::Wrong) => return Err(Refusal::BadProof { left: None }.into()),
            Err(RejectedToken::Expired) => return Err(Refusal::Expired.into()),
        };
        let fresh = own.fresh.filter(|_| need.login == Login::Fresh);
        if fresh.is_some_and(|age| who.auth_time().plus(age) < self.now()) {
            return Err(Refusal::BadProof { left: None }.into());
        }
        Ok(FederatedUser {
            issuer: OWN_ISSUER.to_owned(),
            subject: who.person().0.to_string(),
            email: None,
        })
    }
}

/// Unix seconds with their fraction.
fn seconds(at: Timestamp) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this age fit into a double"
    )]
    let millis = at.millis() as f64;
    millis / 1000.0
}
