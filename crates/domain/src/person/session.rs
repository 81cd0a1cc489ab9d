//! What a session's owner does with it: authenticate, refresh, log out.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::People;
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{RowId, Tx, TxResult};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::proof::operator::{Operator, Right};
use crate::proof::session::{
    ACCESS, NewSession, REFRESH, REFRESH_TYPE, RefreshClaims, Session, SignedIn, Tokens,
    UsedRefreshToken, fingerprint,
};
use crate::proof::signing::PublicSigningKey;
use crate::trail::audit::Event;

impl People {
    /// What access tokens name as their issuer.
    pub fn issuer(&self) -> String {
        self.own_issuer()
    }

    /// Who presents an access token of this server, with a session that is alive.
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
        next.expires = now.plus(self.policy.sessions.refresh).min(next.absolute);
        // Signed before the transaction: it keeps the very answer, in case that gets lost.
        let tokens = self
            .tokens(
                now,
                &NewSession {
                    session: next.clone(),
                    jti,
                },
            )
            .await?;
        let fresh = tokens.clone();
        let verdict = self
            .write(move |hub, tx| hub.rotate(tx, now, &caller, row, shown, &next, &fresh))
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
        let event = Event::new(caller.surface, now, "session.refresh", row.alias()).by(caller);
        if bool::from(session.refresh.ct_eq(&shown)) {
            session.value = next.clone();
            session.used = Some(UsedRefreshToken {
                token: shown,
                at: now,
                access: fresh.access.expose().to_owned(),
                refresh: fresh.refresh.expose().to_owned(),
            });
            self.rows.put(tx, &mut session)?;
            self.record(tx, event)?;
            return Ok(Ok(None));
        }
        let grace = self.policy.sessions.grace;
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
        self.write(move |hub, tx| {
            hub.rows.remove::<Session>(tx, &who.session)?;
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
        operator.may(Right::Keys)?;
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
