//! Step 3 of [joining](super::joining): the owner of the address confirms an application.

use std::sync::Arc;

use super::Vaults;
use super::application::{Applied, TOKEN_DIGITS, VaultApplication};
use crate::core::caller::Caller;
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Stored;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::proof::bearer::has_form;
use crate::trail::audit::Event;

/// What a confirmation led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    Joined(Applied),
    /// Several people applied for the address: nobody gets it this time.
    Contested(Applied),
}

/// Whether an application for the same name with another credential is still open.
fn is_contested<'a>(
    application: &VaultApplication,
    others: impl IntoIterator<Item = &'a VaultApplication>,
    now: Timestamp,
) -> bool {
    others
        .into_iter()
        .any(|other| other.is_open(now) && other.credential != application.credential)
}

impl Vaults {
    /// Step 3: creates the account, and ends all applications for its name.
    ///
    /// # Errors
    /// `UnknownSubject` if the token is unknown, used or too old, or the name has an account by now.
    pub async fn confirm_application(
        self: &Arc<Self>,
        caller: Caller,
        token: String,
    ) -> Result<Confirmed, Error> {
        if !has_form(&token, TOKEN_DIGITS) {
            return Err(Refusal::UnknownSubject.into());
        }
        let now = self.now();
        let id = self.bearer::<VaultApplication>(&token);
        let confirmed = self.write(move |hub, tx| hub.confirm_in(tx, now, &caller, id));
        confirmed.await?.answer()
    }

    /// What a refusal has removed stays removed: the application, and its rivals.
    fn confirm_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        id: Id<VaultApplication>,
    ) -> TxResult<Verdict<Confirmed>> {
        let application = self.rows.take(tx, id)?;
        let Some(application) = application.filter(|found| found.is_open(now)) else {
            return Ok(Refusal::UnknownSubject.into());
        };
        let name = application.login_name()?;
        let login = self.login_of(&name).row();
        let others: Vec<Stored<VaultApplication>> = self.rows.children(tx, &login, Page::ALL)?;
        let contested = is_contested(&application, others.iter().map(|other| &other.value), now);
        tx.remove_children(VaultApplication::KIND, &login)?;
        let applied = application.applied();
        let event = |subject| Event::new(caller.surface, now, "account.create", subject).by(caller);
        if contested {
            self.record(tx, event(login.alias()).outcome("contested"))?;
            return Ok(Verdict::Done(Confirmed::Contested(applied)));
        }
        let language = application.language.clone();
        let profile = application.value.into_profile();
        let Ok(account) = self.create_account(tx, now, &language, &name, profile)? else {
            return Ok(Refusal::UnknownSubject.into());
        };
        self.record(tx, event(account.alias()))?;
        Ok(Verdict::Done(Confirmed::Joined(applied)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::NOW;
    use super::super::application::tests::application;
    use super::*;
    use crate::core::time::hours;

    #[test]
    fn an_application_alone_is_not_contested() {
        assert!(!is_contested(&application("12"), [], NOW));
    }

    #[test]
    fn an_application_with_the_same_password_is_no_rival() {
        let again = application("12");
        assert!(!is_contested(&application("12"), [&again, &again], NOW));
    }

    #[test]
    fn an_open_application_with_another_password_is_a_rival() {
        let (same, rival) = (application("12"), application("13"));
        assert!(is_contested(&application("12"), [&rival], NOW));
        assert!(is_contested(&application("12"), [&same, &rival], NOW));
        assert!(is_contested(&application("13"), [&same], NOW));
    }

    #[test]
    fn an_application_that_has_expired_is_no_rival() {
        let rival = application("13");
        let end = NOW.plus(hours(1));
        let before = Timestamp::from_millis(end.millis() - 1);
        assert!(is_contested(&application("12"), [&rival], before));
        assert!(!is_contested(&application("12"), [&rival], end));
    }

    #[test]
    fn the_same_verifier_with_another_salt_is_a_rival() {
        let mut rival = application("12");
        rival.credential.salt = "00".repeat(16);
        assert!(is_contested(&application("12"), [&rival], NOW));
    }
}
