//! The signed tokens of a session.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ACCESS, NewSession, REFRESH, Session, SignedIn};
use crate::core::error::Error;
use crate::core::port::random::bytes;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::Proofs;
use crate::proof::account::AccountId;

/// Who access tokens are for.
const AUDIENCE: &str = "profile";
/// How far clocks may be apart. Longer would let an expired token live on: the token is ours, so only the clocks of
/// nodes of this server can disagree.
const LEEWAY_SECONDS: i64 = 5;
/// Types in the header (RFC 9068 §2.1 for access tokens), so that neither kind of token passes for the other.
const ACCESS_TYPE: &str = "at+jwt";
const REFRESH_TYPE: &str = "rt+jwt";

/// A pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: SecretText,
    pub refresh: SecretText,
    /// Seconds that the access token lives.
    pub seconds: u64,
}

/// Why an access token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectedToken {
    Wrong,
    /// It is right in everything, its session is alive, and its own time is over.
    Expired,
}

#[derive(Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    iat: i64,
    exp: i64,
    jti: String,
    auth_time: i64,
    amr: Vec<String>,
}

/// What a refresh token says.
#[derive(Serialize, Deserialize)]
pub(crate) struct RefreshClaims {
    pub(crate) iss: String,
    pub(crate) sid: Uuid,
    iat: i64,
    exp: i64,
    jti: String,
}

impl AccessClaims {
    /// The claims in a payload, if they are for this surface.
    fn parse(payload: &[u8]) -> Option<Self> {
        let claims: Self = serde_json::from_slice(payload).ok()?;
        (claims.aud == AUDIENCE).then_some(claims)
    }

    /// Judges the claims against the session that they name.
    fn judge(&self, now: Timestamp, session: &Session) -> Result<(), RejectedToken> {
        let fits = session.person == self.sub && session.issuer == self.iss;
        if !fits || session.absolute <= now {
            return Err(RejectedToken::Wrong);
        }
        if self.exp + LEEWAY_SECONDS <= now.seconds() {
            return Err(RejectedToken::Expired);
        }
        Ok(())
    }
}

impl RefreshClaims {
    /// The id of the token, in bytes.
    pub(crate) fn token_id(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(&self.jti).ok()
    }
}

impl Proofs {
    /// Signs the tokens of a session.
    pub(crate) async fn tokens(
        self: &Arc<Self>,
        now: Timestamp,
        new: &NewSession,
    ) -> Result<Tokens, Error> {
        let NewSession { session, jti } = new;
        let life = self.policy.sessions.access;
        let access = AccessClaims {
            iss: session.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: session.person,
            sid: session.id,
            iat: now.seconds(),
            exp: now.plus(life).seconds(),
            jti: URL_SAFE_NO_PAD.encode(bytes::<16>(self.random.as_ref())),
            auth_time: session.auth_time.seconds(),
            amr: session.methods.clone(),
        };
        let refresh = RefreshClaims {
            iss: session.issuer.clone(),
            sid: session.id,
            iat: now.seconds(),
            exp: session.expires.seconds(),
            jti: URL_SAFE_NO_PAD.encode(jti),
        };
        let (access, refresh) = (json(&access)?, json(&refresh)?);
        Ok(Tokens {
            access: SecretText::new(self.sign_typed(ACCESS, ACCESS_TYPE, &access).await?),
            refresh: SecretText::new(self.sign_typed(REFRESH, REFRESH_TYPE, &refresh).await?),
            seconds: life.as_secs(),
        })
    }

    /// Judges an access token of this server: who is signed in with it, or why it is rejected.
    pub(crate) async fn judge_access(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<Result<SignedIn, RejectedToken>, Error> {
        let payload = self.verify_typed(ACCESS, ACCESS_TYPE, token).await?;
        let Some(claims) = payload.and_then(|payload| AccessClaims::parse(&payload)) else {
            return Ok(Err(RejectedToken::Wrong));
        };
        let now = self.now();
        let row = self.session_row(claims.sid);
        let Some(session) = self.rows.read(self.store.as_ref(), row).await? else {
            return Ok(Err(RejectedToken::Wrong));
        };
        Ok(claims.judge(now, &session).map(|()| SignedIn {
            account: session.account,
            session: row,
            person: AccountId(session.person),
            auth_time: session.auth_time,
        }))
    }

    /// What a refresh token of this server says. `None`: it is no such token.
    pub(crate) async fn refresh_claims(
        self: &Arc<Self>,
        token: &SecretText,
    ) -> Result<Option<RefreshClaims>, Error> {
        let payload = self
            .verify_typed(REFRESH, REFRESH_TYPE, token.expose())
            .await?;
        Ok(payload.and_then(|payload| serde_json::from_slice(&payload).ok()))
    }
}

fn json(claims: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(claims).map_err(Error::bug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::at;
    use crate::proof::session::tests::session;

    /// The claims of a token of [`session`] that expires after 50 seconds.
    fn claims() -> AccessClaims {
        AccessClaims {
            iss: session().issuer,
            aud: AUDIENCE.to_owned(),
            sub: session().person,
            sid: session().id,
            iat: 0,
            exp: 50,
            jti: "AAAA".to_owned(),
            auth_time: 0,
            amr: vec!["pwd".to_owned()],
        }
    }

    #[test]
    fn a_token_lives_until_its_expiry_and_the_leeway() {
        let session = session();
        assert_eq!(claims().judge(at(0), &session), Ok(()));
        assert_eq!(claims().judge(at(54), &session), Ok(()));
        assert_eq!(
            claims().judge(at(55), &session),
            Err(RejectedToken::Expired)
        );
    }

    #[test]
    fn a_token_of_a_session_that_is_over_is_wrong_and_not_expired() {
        let claims = AccessClaims {
            exp: 5_000,
            ..claims()
        };
        assert_eq!(claims.judge(at(999), &session()), Ok(()));
        assert_eq!(
            claims.judge(at(1_000), &session()),
            Err(RejectedToken::Wrong)
        );
    }

    #[test]
    fn a_token_of_another_person_or_issuer_is_wrong() {
        let other_person = AccessClaims {
            sub: Uuid::from_u128(9),
            ..claims()
        };
        let other_issuer = AccessClaims {
            iss: "https://example.net/api/v1".to_owned(),
            ..claims()
        };
        for claims in [other_person, other_issuer] {
            assert_eq!(claims.judge(at(0), &session()), Err(RejectedToken::Wrong));
        }
    }

    #[test]
    fn claims_for_another_audience_or_of_another_shape_are_none() {
        let payload = json(&claims()).unwrap();
        assert!(AccessClaims::parse(&payload).is_some());
        let other = AccessClaims {
            aud: "wallet".to_owned(),
            ..claims()
        };
        assert!(AccessClaims::parse(&json(&other).unwrap()).is_none());
        assert!(AccessClaims::parse(b"{}").is_none());
    }

    #[test]
    fn a_refresh_tokens_id_is_base64() {
        let mut claims = RefreshClaims {
            iss: session().issuer,
            sid: session().id,
            iat: 0,
            exp: 100,
            jti: "AAEC".to_owned(),
        };
        assert_eq!(claims.token_id(), Some(vec![0, 1, 2]));
        claims.jti = "?".to_owned();
        assert_eq!(claims.token_id(), None);
    }
}
