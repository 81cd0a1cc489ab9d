//! Federated users: people who come with a signed token of an issuer that this server trusts.
//!
//! 1. The token says who issued it. That chooses the rules by which it is judged, and nothing else.
//! 2. The issuer's published keys judge the signature, its rules judge the claims.
//! 3. Only then a [`FederatedUser`] exists, and use cases take nothing less.
//!
//! This server is an issuer for its own accounts, too. Their access tokens are judged by the session they belong to, so
//! the next call with a session that ended is refused here as well.

use std::sync::Arc;
use std::time::Duration;

pub use crypto::jws::Algorithm;
use crypto::token::{Claims, Token, Unacceptable};
pub use crypto::token::{KeySet, Rules};

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

/// What stands for this server as an issuer. It is not the name in its tokens, because that changes with the server's
/// address and its users would be others then.
pub const OWN_ISSUER: &str = "self";

/// That tokens of this server's own accounts are accepted. They carry no scopes: whoever is logged in has every right
/// over what is their own.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnAccounts {
    /// How old a login may be where a fresh one is asked for; `None`: of any age.
    pub fresh: Option<Duration>,
}

/// What a call needs of the token that comes with it.
#[derive(Debug, Clone, Copy)]
pub struct TokenNeed {
    /// A scope the issuer must have granted.
    pub scope: Option<&'static str>,
    pub login: Login,
}

/// How lately the user must have logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Whenever,
    /// As lately as the issuer's rules say.
    Fresh,
}

/// A user of a trusted issuer, with the right that was asked for. Only [`Proofs::judge_federated`] makes one.
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

    /// The e-mail address of this person, as the issuer verified it.
    pub(crate) fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

impl TrustedIssuer {
    /// Whether claims that are believed are enough for a call. `now`: Unix seconds with their fraction.
    fn admits(&self, claims: &Claims, need: TokenNeed, now: f64) -> Result<(), Refusal> {
        if let (Login::Fresh, Some(age)) = (need.login, self.fresh) {
            let since = claims.authenticated.unwrap_or(f64::NEG_INFINITY);
            if now - since > age.as_secs_f64() {
                return Err(WRONG);
            }
        }
        match need.scope.filter(|_| self.scopes == Scopes::Enforced) {
            Some(scope) if !claims.scopes.iter().any(|granted| granted == scope) => {
                Err(Refusal::Forbidden { need: scope })
            }
            _ => Ok(()),
        }
    }
}

impl OwnAccounts {
    /// Whether a session is enough for a call whose owner gave the password at `auth_time`.
    fn admits(self, auth_time: Timestamp, need: TokenNeed, now: Timestamp) -> Result<(), Refusal> {
        match self.fresh.filter(|_| need.login == Login::Fresh) {
            Some(age) if auth_time.plus(age) < now => Err(WRONG),
            _ => Ok(()),
        }
    }
}

const WRONG: Refusal = Refusal::BadProof { left: None };

impl Proofs {
    /// Returns the user of a token, or refuses: `BadProof`, `Expired` (right in all else), `Forbidden` (no such scope).
    /// `Unavailable`: the issuer's keys cannot be had.
    pub(crate) async fn judge_federated(
        self: &Arc<Self>,
        text: &str,
        need: TokenNeed,
    ) -> Result<FederatedUser, Error> {
        let token = Token::parse(text).ok_or(WRONG)?;
        let named = token.issuer().ok_or(WRONG)?;
        if let Some(own) = self.policy.own_accounts
            && named == self.own_issuer()
        {
            return self.judge_own(text, need, own).await;
        }
        let issuers = &self.policy.issuers;
        let issuer = issuers.iter().find(|issuer| issuer.rules.issuer == named);
        let issuer = issuer
            .filter(|issuer| token.fits(&issuer.rules))
            .ok_or(WRONG)?;
        let keys = self.key_sets.keys(named, token.key_id()).await?;
        let now = seconds(self.now());
        let claims = token.judge(&issuer.rules, &keys, now);
        let claims = claims.map_err(|rejected| match rejected {
            Unacceptable::Invalid => WRONG,
            Unacceptable::Expired => Refusal::Expired,
        })?;
        issuer.admits(&claims, need, now)?;
        Ok(FederatedUser {
            issuer: issuer.rules.issuer.clone(),
            subject: claims.subject,
            email: claims.verified_email,
        })
    }

    /// The same for a token of this server's own accounts.
    async fn judge_own(
        self: &Arc<Self>,
        text: &str,
        need: TokenNeed,
        own: OwnAccounts,
    ) -> Result<FederatedUser, Error> {
        let judged = self.judge_access(text).await?;
        let who = judged.map_err(|rejected| match rejected {
            RejectedToken::Wrong => WRONG,
            RejectedToken::Expired => Refusal::Expired,
        })?;
        own.admits(who.auth_time(), need, self.now())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::at;

    fn issuer(scopes: Scopes, fresh: Option<u64>) -> TrustedIssuer {
        TrustedIssuer {
            rules: Rules {
                issuer: "https://issuer.example".to_owned(),
                audiences: vec!["keyward".to_owned()],
                algorithms: vec![Algorithm::Es256],
                leeway: 0,
            },
            scopes,
            fresh: fresh.map(Duration::from_secs),
        }
    }

    fn claims(authenticated: Option<f64>) -> Claims {
        Claims {
            subject: "anna".to_owned(),
            scopes: vec!["read".to_owned()],
            authenticated,
            verified_email: None,
        }
    }

    fn need(scope: Option<&'static str>, login: Login) -> TokenNeed {
        TokenNeed { scope, login }
    }

    #[test]
    fn a_scope_must_be_granted_where_scopes_are_enforced() {
        let (read, write) = (
            need(Some("read"), Login::Whenever),
            need(Some("write"), Login::Whenever),
        );
        let enforced = issuer(Scopes::Enforced, None);
        assert_eq!(enforced.admits(&claims(None), read, 0.0), Ok(()));
        assert_eq!(
            enforced.admits(&claims(None), write, 0.0),
            Err(Refusal::Forbidden { need: "write" })
        );
        let ignored = issuer(Scopes::Ignored, None);
        assert_eq!(ignored.admits(&claims(None), write, 0.0), Ok(()));
    }

    #[test]
    fn a_fresh_login_is_as_old_as_the_rules_allow() {
        let issuer = issuer(Scopes::Enforced, Some(60));
        let fresh = need(None, Login::Fresh);
        assert_eq!(issuer.admits(&claims(Some(40.0)), fresh, 100.0), Ok(()));
        assert_eq!(issuer.admits(&claims(Some(39.9)), fresh, 100.0), Err(WRONG));
        assert_eq!(issuer.admits(&claims(None), fresh, 100.0), Err(WRONG));
        let whenever = need(None, Login::Whenever);
        assert_eq!(issuer.admits(&claims(None), whenever, 100.0), Ok(()));
    }

    #[test]
    fn an_old_login_is_told_before_a_missing_scope() {
        let issuer = issuer(Scopes::Enforced, Some(60));
        let need = need(Some("write"), Login::Fresh);
        assert_eq!(issuer.admits(&claims(Some(0.0)), need, 100.0), Err(WRONG));
    }

    #[test]
    fn a_session_of_an_own_account_is_fresh_for_the_span_that_is_set() {
        let own = OwnAccounts {
            fresh: Some(Duration::from_secs(60)),
        };
        let fresh = need(Some("anything"), Login::Fresh);
        assert_eq!(own.admits(at(40), fresh, at(100)), Ok(()));
        assert_eq!(own.admits(at(39), fresh, at(100)), Err(WRONG));
        let whenever = need(None, Login::Whenever);
        assert_eq!(own.admits(at(0), whenever, at(100)), Ok(()));
        let any_age = OwnAccounts::default();
        assert_eq!(any_age.admits(at(0), fresh, at(100)), Ok(()));
    }

    #[test]
    fn moments_are_compared_with_their_fraction() {
        let at = Timestamp::from_millis(1_500);
        assert!((seconds(at) - 1.5).abs() < f64::EPSILON);
    }
}
