//! The record of a person, by issuer and subject. Nothing else of a token is kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::error::{Error, Refusal};
use crate::keeper::{Caller, Keeper};
use crate::port::store::{RowId, Tx, TxResult};
use crate::rate::Rate;
use crate::rows::{Place, Record, Stored};
use crate::step_up::Enrolment;
use crate::time::Timestamp;
use crate::vouched::Bearer;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) created: Timestamp,
}

impl Record for User {
    const KIND: &'static str = "wallet_user";
}

/// Whether a call made something or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newness {
    New,
    Known,
}

impl Keeper {
    /// Creates the bearer's record, unless it is there. Of parallel first calls exactly one creates it.
    pub async fn register_user(
        self: &Arc<Self>,
        caller: Caller,
        bearer: Bearer,
    ) -> Result<Newness, Error> {
        let now = self.now();
        let row = self.wallet_user(&bearer);
        if self
            .rows
            .read::<User>(self.store.as_ref(), row)
            .await?
            .is_some()
        {
            return Ok(Newness::Known);
        }
        self.write(move |keeper, tx| {
            if keeper.rows.get::<User>(tx, &row)?.is_some() {
                return Ok(Newness::Known);
            }
            let place = Place::at(row)
                .of(keeper.tenant().0)
                .ranked(keeper.sending.rank(now));
            let user = User {
                issuer: bearer.issuer().to_owned(),
                subject: bearer.subject().to_owned(),
                created: now,
            };
            keeper.rows.create(tx, keeper.tenant(), place, user)?;
            let event = Self::wallet_event(&caller, now, "user.register", row);
            keeper.record(tx, event.fact("issuer", bearer.issuer()))?;
            Ok(Newness::New)
        })
        .await
    }

    pub(crate) fn wallet_user(&self, bearer: &Bearer) -> RowId {
        self.wallet_user_of(bearer.issuer(), bearer.subject())
    }

    pub(crate) fn wallet_user_of(&self, issuer: &str, subject: &str) -> RowId {
        self.rows
            .id(User::KIND, &[issuer.as_bytes(), subject.as_bytes()])
    }

    /// The user's record, held until the transaction ends; always the first row that is taken.
    pub(crate) fn hold_user(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<Stored<User>> {
        let found = self.rows.get::<User>(tx, &user)?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// The user's record outside any transaction.
    pub(crate) async fn known_user(&self, user: RowId) -> Result<Stored<User>, Error> {
        let found = self.rows.read::<User>(self.store.as_ref(), user).await?;
        found.ok_or_else(|| Refusal::UnknownSubject.into())
    }

    /// Takes one call of the user's budget of that name.
    pub(crate) fn spend_call(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        (user, name): (RowId, &str),
        rate: Rate,
    ) -> TxResult<()> {
        let row = self.rows.id("rate", &[name.as_bytes(), &user.0]);
        self.spend_rates(tx, now, &[(row, &[rate])])
    }

    /// Whether the owner can show itself in person.
    pub(crate) fn can_step_up(&self, tx: &mut dyn Tx, user: RowId) -> TxResult<bool> {
        let row = self.enrolment_row(user);
        let found = self.rows.peek::<Enrolment>(tx, &row)?;
        Ok(found.is_some_and(|found| found.active_since().is_some()))
    }

    /// Tells the owner what happened, over every address we know. A person known only by a foreign issuer
    /// has none here: nothing of a token but issuer and subject is kept.
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "accounts of this server have addresses, and are not there yet"
    )]
    pub(crate) fn tell_holder(
        &self,
        _tx: &mut dyn Tx,
        _now: Timestamp,
        _caller: &Caller,
        _user: RowId,
        _operation: &'static str,
    ) -> TxResult<()> {
        Ok(())
    }

    pub(crate) fn wallet_event(
        caller: &Caller,
        now: Timestamp,
        action: &str,
        user: RowId,
    ) -> Event {
        Event::new(caller.surface, now, action, Self::alias(&user)).by(caller)
    }
}
