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
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::core::error::{Error, Refusal};
use crate::core::keeper::{Caller, Keeper};
use crate::core::port::random::{bytes, uuid};
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::rows::{Place, Record, Stored};
use crate::core::secret::SecretText;
use crate::core::time::{Timestamp, days};
use crate::person::AccountId;
use crate::person::account::Account;
use crate::proof::signing::{Issuer, PublicSigningKey};
use crate::trail::audit::Event;

/// Signs access tokens; its public keys are published.
pub const ACCESS: Issuer = Issuer {
    name: "person access",
    algorithm: Algorithm::Es256,
};
/// Signs refresh tokens; nobody else verifies them.
const REFRESH: Issuer = Issuer {
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
    id: Uuid,
    pub(crate) account: [u8; 16],
    person: Uuid,
    /// What its tokens name as their issuer, from the first to the last: a server that moves to another
    /// address logs nobody out.
    issuer: String,
    auth_time: Timestamp,
    methods: Vec<String>,
    /// SHA-256 of the id of the refresh token that may be used next.
    refresh: [u8; 32],
    expires: Timestamp,
    absolute: Timestamp,
    used: Option<Used>,
}

/// The refresh token that was used last, and what it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    token: [u8; 32],
    at: Timestamp,
    access: String,
    refresh: String,
}

impl Record for Session {
    const KIND: &'static str = "session";
}

/// Somebody with a live session. Only [`Keeper::authenticate`] makes one.
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
pub(crate) enum Unfit {
    Wrong,
    /// Right in everything, its session is alive, and its own time is over.
    Expired,
}

/// A session that was made in a transaction and has no tokens yet.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    session: Session,
    jti: [u8; 16],
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
struct RefreshClaims {
    iss: String,
    sid: Uuid,
    iat: i64,
    exp: i64,
    jti: String,
}

const ACCESS_TYPE: &str = "at+jwt";
const REFRESH_TYPE: &str = "rt+jwt";

impl Keeper {
    /// Makes a session in the running transaction.
    pub(crate) fn open_session(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        account: &Stored<Account>,
        methods: &[&str],
    ) -> TxResult<Opened> {
        let policy = &self.policy.person.sessions;
        let jti: [u8; 16] = bytes(self.random.as_ref());
        let absolute = now.plus(policy.absolute);
        let session = Session {
            id: uuid(self.random.as_ref()),
            account: account.id().0,
            person: account.person,
            issuer: self.issuer(),
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
        Ok(Opened { session, jti })
    }

    /// Signs the tokens of a session that is committed.
    pub(crate) async fn tokens(
        self: &Arc<Self>,
        now: Timestamp,
        opened: &Opened,
    ) -> Result<Tokens, Error> {
        let Opened { session, jti } = opened;
        let life = self.policy.person.sessions.access;
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

    /// Who presents an access token of this server, with a session that is alive.
    pub async fn authenticate(self: &Arc<Self>, token: &str) -> Result<SignedIn, Error> {
        let judged = self.judge_access(token).await?;
        judged.map_err(|_| Refusal::Blocked.into())
    }

    /// As [`Keeper::authenticate`], for who tells an expired token from one that is worth nothing.
    pub(crate) async fn judge_access(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<Result<SignedIn, Unfit>, Error> {
        let Some(claims) = self.verify_typed(ACCESS, ACCESS_TYPE, token).await? else {
            return Ok(Err(Unfit::Wrong));
        };
        let Ok(claims) = serde_json::from_slice::<AccessClaims>(&claims) else {
            return Ok(Err(Unfit::Wrong));
        };
        if claims.aud != AUDIENCE {
            return Ok(Err(Unfit::Wrong));
        }
        let now = self.now();
        let row = self.session_row(claims.sid);
        let session = self.rows.read::<Session>(self.store.as_ref(), row).await?;
        let alive = session
            .filter(|session| session.person == claims.sub && session.issuer == claims.iss)
            .filter(|session| now < session.absolute);
        let Some(session) = alive else {
            return Ok(Err(Unfit::Wrong));
        };
        if claims.exp + LEEWAY_SECONDS <= now.seconds() {
            return Ok(Err(Unfit::Expired));
        }
        Ok(Ok(SignedIn {
            account: RowId(session.account),
            session: row,
            person: AccountId(session.person),
            auth_time: session.auth_time,
        }))
    }

    /// Gives a new pair for a refresh token.
    pub async fn refresh_session(
        self: &Arc<Self>,
        caller: Caller,
        token: SecretText,
    ) -> Result<Tokens, Error> {
        let refused = || Error::from(Refusal::Replayed);
        let claims = self
            .verify_typed(REFRESH, REFRESH_TYPE, token.expose())
            .await?
            .ok_or_else(refused)?;
        let claims: RefreshClaims = serde_json::from_slice(&claims).map_err(|_| refused())?;
        let now = self.now();
        let row = self.session_row(claims.sid);
        let found = self.rows.read::<Session>(self.store.as_ref(), row).await?;
        let Some(session) = found.filter(|session| session.issuer == claims.iss) else {
            return Err(refused());
        };
        let shown = URL_SAFE_NO_PAD.decode(&claims.jti).map_err(|_| refused())?;
        let shown = crypto::mac::sha256(&shown);
        let jti: [u8; 16] = bytes(self.random.as_ref());
        let mut next = session.value.clone();
        next.refresh = fingerprint(&jti);
        next.expires = now
            .plus(self.policy.person.sessions.refresh)
            .min(next.absolute);
        // Signed before the transaction: it keeps the very answer, in case that gets lost.
        let tokens = self
            .tokens(
                now,
                &Opened {
                    session: next.clone(),
                    jti,
                },
            )
            .await?;
        let fresh = tokens.clone();
        let verdict = self
            .write(move |keeper, tx| keeper.rotate(tx, now, &caller, row, shown, &next, &fresh))
            .await?;
        match verdict {
            Ok(None) => Ok(tokens),
            Ok(Some(kept)) => Ok(kept),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// `Ok(None)`: the new pair counts. `Ok(Some)`: the pair that the token gave before.
    #[expect(
        clippy::too_many_arguments,
        reason = "one private step of the rotation"
    )]
    fn rotate(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        row: RowId,
        shown: [u8; 32],
        next: &Session,
        fresh: &Tokens,
    ) -> TxResult<Result<Option<Tokens>, Refusal>> {
        let Some(mut session) = self.rows.get::<Session>(tx, &row)? else {
            return Ok(Err(Refusal::Replayed));
        };
        if session.absolute <= now || session.expires <= now {
            self.rows.remove::<Session>(tx, &row)?;
            return Ok(Err(Refusal::Replayed));
        }
        let event =
            Event::new(caller.surface, now, "session.refresh", Self::alias(&row)).by(caller);
        if bool::from(session.refresh.ct_eq(&shown)) {
            session.value = next.clone();
            session.used = Some(Used {
                token: shown,
                at: now,
                access: fresh.access.expose().to_owned(),
                refresh: fresh.refresh.expose().to_owned(),
            });
            self.rows.put(tx, &mut session)?;
            self.record(tx, event)?;
            return Ok(Ok(None));
        }
        let grace = self.policy.person.sessions.grace;
        let lost = session
            .used
            .as_ref()
            .filter(|used| bool::from(used.token.ct_eq(&shown)) && now < used.at.plus(grace));
        if let Some(used) = lost {
            return Ok(Ok(Some(Tokens {
                access: SecretText::new(used.access.clone()),
                refresh: SecretText::new(used.refresh.clone()),
                seconds: fresh.seconds,
            })));
        }
        self.rows.remove::<Session>(tx, &row)?;
        self.record(tx, event.outcome("reused"))?;
        Ok(Err(Refusal::Replayed))
    }

    /// Ends the session.
    pub async fn log_out(self: &Arc<Self>, caller: Caller, who: SignedIn) -> Result<(), Error> {
        let now = self.now();
        self.write(move |keeper, tx| {
            keeper.rows.remove::<Session>(tx, &who.session)?;
            let event = Event::new(
                caller.surface,
                now,
                "session.end",
                Self::alias(&who.account),
            );
            keeper.record(tx, event.by(&caller))
        })
        .await
    }

    /// Whether the session is still alive, inside a transaction that holds its account.
    pub(crate) fn is_signed_in(tx: &mut dyn Tx, who: &SignedIn) -> TxResult<bool> {
        Ok(tx.peek(Session::KIND, &who.session)?.is_some())
    }

    /// Ends all sessions of an account, but for one.
    pub(crate) fn end_sessions(
        tx: &mut dyn Tx,
        account: RowId,
        but: Option<RowId>,
    ) -> TxResult<u64> {
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

    /// The keys that verify access tokens now.
    pub async fn access_keys(self: &Arc<Self>) -> Result<Vec<PublicSigningKey>, Error> {
        let now = self.now();
        Ok(self.signing_ring(ACCESS).await?.public(now))
    }

    /// What tokens name as their issuer.
    pub fn issuer(&self) -> String {
        format!("{}/api/v1", self.policy.public_url)
    }

    pub(crate) fn session_row(&self, id: Uuid) -> RowId {
        self.rows.id(Session::KIND, &[id.as_bytes()])
    }

    /// Makes new signing keys; what is signed with the ones before stays valid for its life.
    pub async fn rotate_person_keys(
        self: &Arc<Self>,
        surface: &'static str,
    ) -> Result<Vec<String>, Error> {
        let policy = &self.policy.person.sessions;
        let margin = Duration::from_secs(600);
        let access = self
            .rotate_signing_key_for(surface, ACCESS, policy.access + margin)
            .await?;
        let refresh = self
            .rotate_signing_key_for(surface, REFRESH, policy.absolute + margin)
            .await?;
        Ok(vec![access, refresh])
    }
}

fn fingerprint(jti: &[u8; 16]) -> [u8; 32] {
    crypto::mac::sha256(jti)
}

fn json(claims: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(claims).map_err(Error::bug)
}
