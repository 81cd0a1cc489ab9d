//! Verifying a contact with the code that was sent to it: step 2.

use std::sync::Arc;

use super::notice::ContactNotice;
use super::{CodePurpose, Contact, ContactAddress, KeyContact, PendingContent};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::port::store::{Tx, TxResult};
use crate::core::secret::SecretText;
use crate::core::time::Timestamp;
use crate::core::verdict::Verdict;
use crate::guarded_key::GuardedKeys;
use crate::guarded_key::key::{GuardedKey, GuardedKeyId};
use crate::letter::Decides as _;
use crate::trail::audit::Event;

impl Contact {
    /// The code was correct. Uses it up, and returns the content that was sealed under it.
    fn verify(&mut self, now: Timestamp) -> Option<PendingContent> {
        self.verified = Some(now);
        self.waiting.take().and_then(|waiting| waiting.pending)
    }
}

/// The content to make a recovery envelope of: a key that has one keeps it.
fn missing_envelope(key: &GuardedKey, pending: Option<PendingContent>) -> Option<PendingContent> {
    pending.filter(|_| key.recovery_envelope.is_none())
}

impl GuardedKeys {
    /// Verifies a contact with the code that was sent to it, and tells the other contacts.
    ///
    /// `UnknownSubject`: no such key or contact. `WrongState`: no code of this purpose was sent. `BadProof`: the code
    /// is wrong, and that was counted. `Expired`: it was correct and too late. `Exhausted`: too many wrong codes.
    pub async fn confirm_contact(
        self: &Arc<Self>,
        caller: Caller,
        key: GuardedKeyId,
        address: ContactAddress,
        text: SecretText,
    ) -> Result<(), Error> {
        let ids = self.locate_contact(self.key_row(key), &address).await?;
        let now = self.now();
        self.decide(now, move |hub, tx| {
            hub.confirm_contact_in(tx, now, &caller, ids, &text)
        })
        .await
    }

    fn confirm_contact_in(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        caller: &Caller,
        ids: KeyContact,
        text: &SecretText,
    ) -> TxResult<Verdict<()>> {
        let (mut key, mut found) = match self.awaiting(tx, ids, CodePurpose::Verify)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal.into()),
        };
        let event = Event::new(caller.surface, now, "contact.confirm", ids.key.alias())
            .by(caller)
            .fact("contact", ids.contact.alias());
        if let Err(refusal) = self.judge_code(tx, (now, caller), &found, text)? {
            self.record(tx, event.outcome("refused"))?;
            return Ok(refusal.into());
        }
        let pending = found.verify(now);
        if let Some((version, sealed)) = missing_envelope(&key, pending) {
            let content = self.open_when_proved(ids.contact, text, (version, &sealed))?;
            key.recovery_envelope = Some(self.seal_for_recovery(ids.key, &content)?);
            self.rows.put(tx, &mut key)?;
        }
        self.rows.put(tx, &mut found)?;
        let notice = ContactNotice {
            except: Some(ids.contact),
            ..ContactNotice::about("contact_added", &found)
        };
        self.notify_contacts(tx, now, caller.surface, ids.key, &notice)?;
        self.record(tx, event)?;
        Ok(Verdict::Done(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded_key::contact::tests::{at, contact, waiting};
    use crate::guarded_key::key::tests::key;

    fn unverified(pending: Option<PendingContent>) -> Contact {
        let mut contact = contact();
        contact.verified = None;
        let mut code = waiting(CodePurpose::Verify, at(10));
        code.pending = pending;
        contact.waiting = Some(code);
        contact
    }

    #[test]
    fn a_correct_code_verifies_the_contact_and_is_used_up() {
        let mut contact = unverified(Some((1, vec![2])));
        assert_eq!(contact.verify(at(5)), Some((1, vec![2])));
        assert_eq!(contact.verified, Some(at(5)));
        assert_eq!(contact.waiting, None);
    }

    #[test]
    fn a_code_without_sealed_content_verifies_the_contact_too() {
        let mut contact = unverified(None);
        assert_eq!(contact.verify(at(5)), None);
        assert!(contact.is_verified());
    }

    #[test]
    fn the_first_verified_contact_gives_the_key_its_recovery_envelope() {
        let pending = Some((1, vec![2]));
        assert_eq!(missing_envelope(&key(), pending.clone()), pending);
        assert_eq!(missing_envelope(&key(), None), None);
    }

    #[test]
    fn a_key_keeps_the_recovery_envelope_that_it_has() {
        let mut key = key();
        key.recovery_envelope = Some(vec![1]);
        assert_eq!(missing_envelope(&key, Some((1, vec![2]))), None);
    }
}
