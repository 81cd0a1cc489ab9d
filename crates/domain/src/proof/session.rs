//! Sessions: what a login gives, proved by signed tokens and ended at once.
//!
//! 1. The access token is signed and short-lived; every use still reads the session's row, so an ended
//!    session is refused with its next call.
//! 2. The refresh token is signed with keys of its own, names the session, and is used once: each use
//!    gives a new pair. Who presents a used one has stolen it or was stolen from: the session ends.
//! 3. An answer can get lost on its way. For a short grace the token that was used last gives the same
//!    pair again, as long as nobody has used the pair's own refresh token.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jws::Algorithm;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Proofs;
use crate::core::error::Error;
use crate::core::port::random::{bytes, uuid};
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::proof::account::Account;
use crate::proof::account::AccountId;
use crate::proof::signing::SigningPurpose;

/// Signs access tokens; its public keys are published.
pub const ACCESS: SigningPurpose = SigningPurpose {
    name: "person access",
    algorithm: Algorithm::Es256,
};
/// Signs refresh tokens; nobody else verifies them.
pub(crate) const REFRESH: SigningPurpose = SigningPurpose {
    name: "person refresh",
    algorithm: Algorithm::Es256,
};

/// Whom access tokens are for.
pub const AUDIENCE: &str = "profile";
/// How far clocks may be apart.
///
/// Longer would let an expired token live on; the token is ours, so only nodes of this server disagree.
const LEEWAY_SECONDS: i64 = 5;

/// The numbers of sessions.
#[derive(Debug, Clone)]
pub struct SessionPolicy {
    pub access: Duration,
    /// A refresh token's life; each use begins it anew.
    pub refresh: Duration,
    /// The session's life, however often it is refreshed.
    pub absolute: Duration,
    /// How long an answer that got lost can be had again; zero is off.
    pub grace: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            access: Duration::from_secs(900),
            refresh: days(7),
            absolute: days(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// The record of a live session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) account: [u8; 16],
    pub(crate) person: Uuid,
    /// What its tokens name as their issuer, from the first to the last: a server that moves to another
    /// address logs nobody out.
    pub(crate) issuer: String,
    pub(crate) auth_time: Timestamp,
    pub(crate) methods: Vec<String>,
    /// SHA-256 of the id of the refresh token that may be used next.
    pub(crate) refresh: [u8; 32],
    pub(crate) expires: Timestamp,
    pub(crate) absolute: Timestamp,
    pub(crate) used: Option<UsedRefreshToken>,
}

/// The refresh token that was used last, and what it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsedRefreshToken {
    pub(crate) token: [u8; 32],
    pub(crate) at: Timestamp,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Record for Session {
    const KIND: Kind = "session";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Ended;
}

/// Somebody with a live session. Only [`Proofs::authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub(crate) account: RowId,
    pub(crate) session: RowId,
    person: AccountId,
    auth_time: Timestamp,
}

impl SignedIn {
    /// The account's id: the subject of the token.
    pub fn person(&self) -> AccountId {
        self.person
    }

    pub(crate) fn auth_time(&self) -> Timestamp {
        self.auth_time
    }
}

/// Why an access token does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectedToken {
    Wrong,
    /// Right in everything, its session is alive, and its own time is over.
    Expired,
}

/// A session that was made in a transaction and has no tokens yet.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) session: Session,
    pub(crate) jti: [u8; 16],
}

/// A pair of tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: SecretText,
    pub refresh: SecretText,
    /// Seconds that the access token lives.
    pub seconds: u64,
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

#[derive(Serialize, Deserialize)]
pub(crate) struct RefreshClaims {
    pub(crate) iss: String,
    pub(crate) sid: Uuid,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
}

const ACCESS_TYPE: &str = "at+jwt";
pub(crate) const REFRESH_TYPE: &str = "rt+jwt";

impl Proofs {
    /// Makes a session in the running transaction.
    pub(crate) fn open_session(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<Account>,
        methods: &[&str],
    ) -> TxResult<NewSession> {
        let policy = &self.policy.sessions;
        let jti: [u8; 16] = bytes(self.random.as_ref());
        let absolute = now.plus(policy.absolute);
        let session = Session {
            id: uuid(self.random.as_ref()),
            account: account.id().0,
            person: account.person,
            issuer: self.own_issuer(),
            auth_time: now,
            methods: methods.iter().map(|&method| method.to_owned()).collect(),
            refresh: fingerprint(&jti),
            expires: now.plus(policy.refresh).min(absolute),
            absolute,
            used: None,
        };
        let place = Place::at(self.session_row(session.id))
            .of(account.id())
            .ranked(now.millis())
            .due(absolute);
        self.rows
            .create(tx, self.tenant(), place, session.clone())?;
        Ok(NewSession { session, jti })
    }

    /// Signs the tokens of a session that is committed.
    pub(crate) async fn tokens(
        self: &Arc<Self>,
        now: Timestamp,
        opened: &NewSession,
    ) -> Result<Tokens, Error> {
        let NewSession { session, jti } = opened;
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

    /// Judges an access token of this server: `Ok(Ok)` if its session is alive, otherwise why it does not do.
    pub(crate) async fn judge_access(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<Result<SignedIn, RejectedToken>, Error> {
        let Some(claims) = self.verify_typed(ACCESS, ACCESS_TYPE, token).await? else {
            return Ok(Err(RejectedToken::Wrong));
        };
        let Ok(claims) = serde_json::from_slice::<AccessClaims>(&claims) else {
            return Ok(Err(RejectedToken::Wrong));
        };
        if claims.aud != AUDIENCE {
            return Ok(Err(RejectedToken::Wrong));
        }
        let now = self.now();
        let row = self.session_row(claims.sid);
        let session = self.rows.read::<Session>(self.store.as_ref(), row).await?;
        let alive = session
            .filter(|session| session.person == claims.sub && session.issuer == claims.iss)
            .filter(|session| now < session.absolute);
        let Some(session) = alive else {
            return Ok(Err(RejectedToken::Wrong));
        };
        if claims.exp + LEEWAY_SECONDS <= now.seconds() {
            return Ok(Err(RejectedToken::Expired));
        }
        Ok(Ok(SignedIn {
            account: RowId(session.account),
            session: row,
            person: AccountId(session.person),
            auth_time: session.auth_time,
        }))
    }

    /// What tokens name as their issuer.
    pub(crate) fn own_issuer(&self) -> String {
        format!("{}/api/v1", self.public_url)
    }

    pub(crate) fn session_row(&self, id: Uuid) -> RowId {
        self.rows.id(Session::KIND, &[id.as_bytes()])
    }
}

pub(crate) fn fingerprint(jti: &[u8; 16]) -> [u8; 32] {
    crypto::mac::sha256(jti)
}

fn json(claims: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(claims).map_err(Error::bug)
}

/// Whether the session is still alive, inside a transaction that holds its account.
pub(crate) fn is_signed_in(tx: &mut dyn Tx, who: &SignedIn) -> TxResult<bool> {
    Ok(tx.peek(Session::KIND, &who.session)?.is_some())
}

/// Ends all sessions of an account, but for one.
pub(crate) fn end_sessions(tx: &mut dyn Tx, account: RowId, but: Option<RowId>) -> TxResult<u64> {
    if but.is_none() {
        return tx.remove_children(Session::KIND, &account);
    }
    let mut ended = 0;
    for row in tx.children(Session::KIND, &account, Page::ALL)? {
        if Some(row.id) != but && tx.remove(Session::KIND, &row.id)? {
            ended += 1;
        }
    }
    Ok(ended)
}
