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
