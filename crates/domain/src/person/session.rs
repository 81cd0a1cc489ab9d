//! What the owner of a session does with it: authenticate, refresh, log out.

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::People;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Tx, TxResult};
use crate::core::rows::Stored;
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::operator::{Operator, OperatorRight};
use crate::proof::session::{
    ACCESS, NewSession, REFRESH, Session, SignedIn, Tokens, UsedRefreshToken, fingerprint,
};
use crate::proof::signing::PublicSigningKey;
use crate::trail::audit::Event;

/// What a refresh token comes to.
#[derive(Debug, PartialEq, Eq)]
enum Refresh<'a> {
    /// It is the next one: the session goes on with a new pair.
    Next,
    /// It was used a moment ago, and the answer may have been lost: the same pair again.
    Again(&'a UsedRefreshToken),
    /// The session's time is over.
    Over,
    /// It was used before, so somebody else has it: the session ends.
    Reused,
}

impl Session {
    /// Judges a refresh token by its fingerprint, in constant time.
    fn judge_refresh(&self, now: Timestamp, presented: &[u8; 32], grace: Duration) -> Refresh<'_> {
        if self.absolute <= now || self.expires <= now {
            return Refresh::Over;
        }
        if bool::from(self.refresh.ct_eq(presented)) {
            return Refresh::Next;
        }
        let lost = self
            .used
            .as_ref()
            .filter(|used| bool::from(used.token.ct_eq(presented)) && now < used.at.plus(grace));
        lost.map_or(Refresh::Reused, Refresh::Again)
    }
}

/// A session's next state, prepared before the transaction.
struct Rotation {
    /// The fingerprint of the token that was presented.
    presented: [u8; 32],
    next: Session,
    /// What the caller gets.
    tokens: Tokens,
}

impl Rotation {
    /// The session after the token was used `now`.
    fn session_after(&self, now: Timestamp) -> Session {
        let used = UsedRefreshToken {
            token: self.presented,
            at: now,
            access: self.tokens.access.expose().to_owned(),
            refresh: self.tokens.refresh.expose().to_owned(),
        };
        Session {
            used: Some(used),
            ..self.next.clone()
        }
    }
}

impl People {
    /// What access tokens name as their issuer.
    pub fn issuer(&self) -> String {
        self.own_issuer()
    }

    /// Returns who presents an access token of this server, if its session is alive.
    pub async fn authenticate(self: &Arc<Self>, token: &str) -> Result<SignedIn, Error> {
        let judged = self.judge_access(token).await?;
        judged.map_err(|_| Refusal::Blocked.into())
    }

    /// Gives a new pair for a refresh token.
    pub async fn refresh_session(
        self: &Arc<Self>,
        caller: Caller,
        token: SecretText,
    ) -> Result<Tokens, Error> {
        let refused = || Error::from(Refusal::Replayed);
        let claims = self.refresh_claims(&token).await?.ok_or_else(refused)?;
        let now = self.now();
        let row = self.session_row(claims.sid);
        let found = self.rows.read(self.store.as_ref(), row).await?;
        let session = found
            .filter(|session: &Stored<Session>| session.issuer == claims.iss)
            .ok_or_else(refused)?;
        let presented = fingerprint(&claims.token_id().ok_or_else(refused)?);
        let jti: [u8; 16] = bytes(self.random.as_ref());
        let mut next = session.value;
        next.refresh = fingerprint(&jti);
        next.expires = Session::next_expiry(&self.policy.sessions, now, next.absolute);
        let next = NewSession { session: next, jti };
        // Signed before the transaction, which stores the very answer, in case it gets lost.
        let tokens = self.tokens(now, &next).await?;
        let rotation = Rotation {
            presented,
            next: next.session,
            tokens,
        };
        let written = self.write(move |hub, tx| hub.rotate(tx, now, &caller, row, &rotation));
        written.await?.answer()
    }

    /// Judges the refresh token against the session as it is now, and rotates the session. Returns the pair that the
    /// caller gets.
    fn rotate(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        row: Id<Session>,
        rotation: &Rotation,
    ) -> TxResult<Verdict<Tokens>> {
        let Some(mut session) = self.rows.get(tx, row)? else {
            return Ok(Verdict::Refused(Refusal::Replayed));
        };
        let grace = self.policy.sessions.grace;
        let event = Event::new(caller.surface, now, "session.refresh", row.alias()).by(caller);
        match session.judge_refresh(now, &rotation.presented, grace) {
            Refresh::Next => {
                session.value = rotation.session_after(now);
                self.rows.put(tx, &mut session)?;
                self.record(tx, event)?;
                Ok(Verdict::Done(rotation.tokens.clone()))
            }
            Refresh::Again(used) => Ok(Verdict::Done(Tokens {
                access: SecretText::new(used.access.clone()),
                refresh: SecretText::new(used.refresh.clone()),
                seconds: rotation.tokens.seconds,
            })),
            Refresh::Over => {
                self.rows.remove(tx, row)?;
                Ok(Verdict::Refused(Refusal::Replayed))
            }
            Refresh::Reused => {
                self.rows.remove(tx, row)?;
                self.record(tx, event.outcome("reused"))?;
                Ok(Verdict::Refused(Refusal::Replayed))
            }
        }
    }

    /// Ends the session.
    pub async fn log_out(self: &Arc<Self>, caller: Caller, who: SignedIn) -> Result<(), Error> {
        let now = self.now();
        self.write(move |hub, tx| {
            hub.rows.remove(tx, who.session)?;
            let event = Event::new(caller.surface, now, "session.end", who.account.alias());
            hub.record(tx, event.by(&caller))
        })
        .await
    }

    /// The keys that verify access tokens now.
    pub async fn access_keys(self: &Arc<Self>) -> Result<Vec<PublicSigningKey>, Error> {
        let now = self.now();
        Ok(self.signing_ring(ACCESS).await?.public(now))
    }

    /// Makes new signing keys; what is signed with the ones before stays valid for its life.
    pub async fn rotate_person_keys(
        self: &Arc<Self>,
        operator: &Operator,
    ) -> Result<Vec<String>, Error> {
        operator.may(OperatorRight::Keys)?;
        let policy = &self.policy.sessions;
        let margin = Duration::from_secs(600);
        let access = self
            .rotate_signing_key_for(operator, ACCESS, policy.access + margin)
            .await?;
        let refresh = self
            .rotate_signing_key_for(operator, REFRESH, policy.absolute + margin)
            .await?;
        Ok(vec![access, refresh])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::account::tests::at;
    use crate::proof::session::tests::session;

    const GRACE: Duration = Duration::from_secs(10);

    /// A session whose last refresh token was used at 20.
    fn refreshed() -> Session {
        Session {
            used: Some(UsedRefreshToken {
                token: fingerprint(b"last"),
                at: at(20),
                access: "access".to_owned(),
                refresh: "refresh".to_owned(),
            }),
            ..session()
        }
    }

    fn judged(now: i64, token: &[u8]) -> Option<Refresh<'static>> {
        let session = refreshed();
        match session.judge_refresh(at(now), &fingerprint(token), GRACE) {
            Refresh::Next => Some(Refresh::Next),
            Refresh::Over => Some(Refresh::Over),
            Refresh::Reused => Some(Refresh::Reused),
            Refresh::Again(used) => {
                assert_eq!(Some(used), session.used.as_ref());
                None
            }
        }
    }

    #[test]
    fn the_next_token_is_good_until_it_expires() {
        assert_eq!(judged(20, b"next"), Some(Refresh::Next));
        assert_eq!(judged(99, b"next"), Some(Refresh::Next));
        assert_eq!(judged(100, b"next"), Some(Refresh::Over));
    }

    #[test]
    fn a_session_ends_however_often_it_is_refreshed() {
        let session = Session {
            expires: at(5_000),
            ..session()
        };
        let judged = |now| session.judge_refresh(at(now), &fingerprint(b"next"), GRACE);
        assert_eq!(judged(999), Refresh::Next);
        assert_eq!(judged(1_000), Refresh::Over);
    }

    #[test]
    fn the_last_token_gives_the_same_pair_for_a_grace() {
        assert_eq!(judged(20, b"last"), None);
        assert_eq!(judged(29, b"last"), None);
        assert_eq!(judged(30, b"last"), Some(Refresh::Reused));
    }

    #[test]
    fn any_other_token_was_used_before() {
        assert_eq!(judged(20, b"older"), Some(Refresh::Reused));
        let judged = session();
        let judged = judged.judge_refresh(at(20), &fingerprint(b"last"), GRACE);
        assert_eq!(judged, Refresh::Reused, "nothing was refreshed yet");
    }

    #[test]
    fn without_a_grace_no_answer_is_given_twice() {
        let session = refreshed();
        let judged = session.judge_refresh(at(20), &fingerprint(b"last"), Duration::ZERO);
        assert_eq!(judged, Refresh::Reused);
    }

    #[test]
    fn a_used_token_is_stored_with_the_pair_that_it_gave() {
        let rotation = Rotation {
            presented: fingerprint(b"next"),
            next: session(),
            tokens: Tokens {
                access: SecretText::new("a".to_owned()),
                refresh: SecretText::new("r".to_owned()),
                seconds: 900,
            },
        };
        let after = rotation.session_after(at(30));
        assert_eq!(
            after.used,
            Some(UsedRefreshToken {
                token: fingerprint(b"next"),
                at: at(30),
                access: "a".to_owned(),
                refresh: "r".to_owned(),
            })
        );
        assert_eq!(after.id, session().id);
    }
}
