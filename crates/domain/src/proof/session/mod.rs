//! Sessions: what a login gives, proved by signed tokens and ended at once.
//!
//! 1. The access token is signed and short-lived. Every use still reads the session's row, so the next call with a
//!    session that ended is refused.
//! 2. The refresh token is signed with keys of its own, names the session, and is used once: each use gives a new pair.
//!    If a used one is presented again, it was stolen from the owner or by the caller: the session ends.
//! 3. An answer can get lost on its way. For a short grace the token that was used last gives the same pair again.

mod tokens;

use std::time::Duration;

use crypto::jws::Algorithm;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Proofs;
use crate::core::id::Id;
use crate::core::port::random::{bytes, uuid};
use crate::core::port::store::{Kind, Page, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::{Place, Stored};
use crate::core::time::{Timestamp, days};
use crate::proof::account::{Account, AccountId};
use crate::proof::signing::SigningPurpose;

pub(crate) use tokens::RejectedToken;
pub use tokens::Tokens;

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

/// The numbers of sessions.
#[derive(Debug, Clone)]
pub struct SessionPolicy {
    /// An access token's life.
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
    pub(crate) account: Id<Account>,
    pub(crate) person: Uuid,
    /// What its tokens name as their issuer, from the first to the last: a server that moves to another address logs
    /// nobody out.
    pub(crate) issuer: String,
    pub(crate) auth_time: Timestamp,
    pub(crate) methods: Vec<String>,
    /// SHA-256 of the id of the refresh token that may be used next.
    pub(crate) refresh: [u8; 32],
    pub(crate) expires: Timestamp,
    pub(crate) absolute: Timestamp,
    pub(crate) used: Option<UsedRefreshToken>,
}

/// The refresh token that was used last, and the pair that it gave.
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

impl Session {
    /// When the refresh token that is made `now` expires: never after the session.
    pub(crate) fn next_expiry(policy: &SessionPolicy, now: Timestamp, end: Timestamp) -> Timestamp {
        now.plus(policy.refresh).min(end)
    }
}

/// Somebody with a live session. Only [`Proofs::judge_access`] makes one.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub(crate) account: Id<Account>,
    pub(crate) session: Id<Session>,
    person: AccountId,
    auth_time: Timestamp,
}

impl SignedIn {
    /// The account's id: the subject of the token.
    pub fn person(&self) -> AccountId {
        self.person
    }

    /// When the password was given.
    pub(crate) fn auth_time(&self) -> Timestamp {
        self.auth_time
    }
}

/// A session that was made in a transaction and has no tokens yet.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) session: Session,
    /// The id of its refresh token.
    pub(crate) jti: [u8; 16],
}

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
            account: account.key(),
            person: account.person,
            issuer: self.own_issuer(),
            auth_time: now,
            methods: methods.iter().map(|&method| method.to_owned()).collect(),
            refresh: fingerprint(&jti),
            expires: Session::next_expiry(policy, now, absolute),
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

    /// What tokens name as their issuer.
    pub(crate) fn own_issuer(&self) -> String {
        format!("{}/api/v1", self.public_url)
    }

    pub(crate) fn session_row(&self, id: Uuid) -> Id<Session> {
        self.rows.named(&[id.as_bytes()])
    }
}

/// What is stored of a refresh token's id: its SHA-256.
pub(crate) fn fingerprint(jti: &[u8]) -> [u8; 32] {
    crypto::mac::sha256(jti)
}

/// Whether the session is still alive, inside a transaction that holds its account.
pub(crate) fn is_signed_in(tx: &mut dyn Tx, who: &SignedIn) -> TxResult<bool> {
    Ok(tx.peek(Session::KIND, &who.session.row())?.is_some())
}

/// Ends all sessions of an account, except one if it is named. Returns how many.
pub(crate) fn end_sessions(
    tx: &mut dyn Tx,
    account: Id<Account>,
    except: Option<Id<Session>>,
) -> TxResult<u64> {
    let account = account.row();
    let Some(kept) = except else {
        return tx.remove_children(Session::KIND, &account);
    };
    let mut ended = 0;
    for row in tx.children(Session::KIND, &account, Page::ALL)? {
        if row.id != kept.row() && tx.remove(Session::KIND, &row.id)? {
            ended += 1;
        }
    }
    Ok(ended)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::port::store::RowId;
    use crate::proof::account::tests::at;

    /// A session that was opened at 0, with a refresh token until 100 and an end at 1000 seconds.
    pub(crate) fn session() -> Session {
        Session {
            id: Uuid::from_u128(2),
            account: Id::new(RowId([1; 16])),
            person: Uuid::from_u128(1),
            issuer: "https://example.com/api/v1".to_owned(),
            auth_time: at(0),
            methods: vec!["pwd".to_owned()],
            refresh: fingerprint(b"next"),
            expires: at(100),
            absolute: at(1_000),
            used: None,
        }
    }

    #[test]
    fn a_refresh_token_never_outlives_its_session() {
        let policy = SessionPolicy {
            refresh: Duration::from_secs(100),
            ..SessionPolicy::default()
        };
        let expires = |now| Session::next_expiry(&policy, at(now), at(1_000));
        assert_eq!(expires(0), at(100));
        assert_eq!(expires(900), at(1_000));
        assert_eq!(expires(950), at(1_000));
    }

    #[test]
    fn a_session_is_stored_as_before() {
        let stored = serde_json::to_value(session()).unwrap();
        assert_eq!(stored["account"], serde_json::json!(vec![1; 16]));
        assert_eq!(
            serde_json::from_value::<Session>(stored).unwrap(),
            session()
        );
    }

    #[test]
    fn of_a_refresh_token_only_a_hash_is_stored() {
        let hash = fingerprint(b"next");
        assert_eq!(hash, fingerprint(b"next"));
        assert_ne!(hash, fingerprint(b"nexT"));
        assert_ne!(hash[..4], *b"next");
    }
}
