//! Registers device keys.

use std::sync::Arc;

use super::{DeviceKey, DeviceKeyForm, KeyPath, KeyPrint};
use crate::core::error::{Error, Refusal};
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Tx, TxResult};
use crate::core::record::Record as _;
use crate::core::rows::Place;
use crate::core::verdict::{Verdict, allowed};
use crate::tenant::permission::{Grant, RegisterKeys};
use crate::tenant::{Membership, Tenants, UserId};

/// Whether a person with `count` keys may have one more. A `limit` of 0 is no limit.
fn may_have_one_more(count: u64, limit: u64) -> Result<(), Refusal> {
    if limit > 0 && count >= limit {
        return Err(Refusal::Conflict);
    }
    Ok(())
}

impl Tenants {
    /// Registers an active key. `Conflict` if its name or the public key is taken, or if the person has as many keys
    /// as the policy allows. `UnknownSubject` if the person is no member of the caller's application.
    pub async fn register_device_key(
        self: &Arc<Self>,
        surface: &'static str,
        grant: Grant<RegisterKeys>,
        user: UserId,
        form: DeviceKeyForm,
    ) -> Result<(), Error> {
        let now = self.now();
        let path = KeyPath::of(&grant, user, form.name.clone());
        self.conclude(move |hub, tx| {
            let tie = hub.membership_id(path.application, &path.user);
            // Held, so that the count of keys is exact.
            let Some(membership) = hub.rows.get(tx, tie)? else {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            };
            let id = hub.device_key_id(tie, &path.name);
            let fingerprint = form.public.fingerprint();
            let print = hub.rows.named(&[tie.as_bytes(), &fingerprint]);
            allowed!(hub.check_free(tx, tie, id, print)?);
            let scope = membership.scope();
            let place = Place::at(id).of(tie).ranked(now.millis());
            let key = DeviceKey::new(form.clone(), now);
            hub.rows.create(tx, scope, place, key)?;
            let place = Place::at(print).of(id);
            hub.rows.create(tx, scope, place, KeyPrint {})?;
            hub.record(tx, path.event(surface, now, "device_key.register", &grant))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    fn check_free(
        &self,
        tx: &mut dyn Tx,
        tie: Id<Membership>,
        id: Id<DeviceKey>,
        print: Id<KeyPrint>,
    ) -> TxResult<Result<(), Refusal>> {
        if self.rows.peek(tx, id)?.is_some() || self.rows.peek(tx, print)?.is_some() {
            return Ok(Err(Refusal::Conflict));
        }
        let limit = self.policy.keys_per_member;
        let count = if limit > 0 {
            tx.count_children(DeviceKey::KIND, &tie.row())?
        } else {
            0
        };
        Ok(may_have_one_more(count, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_at_most_as_many_keys_as_the_policy_allows() {
        for (count, limit, allowed) in [(0, 1, true), (1, 1, false), (2, 1, false), (99, 100, true)]
        {
            assert_eq!(
                may_have_one_more(count, limit).is_ok(),
                allowed,
                "{count}/{limit}"
            );
        }
        assert_eq!(may_have_one_more(1, 1), Err(Refusal::Conflict));
    }

    #[test]
    fn a_limit_of_0_is_no_limit() {
        assert_eq!(may_have_one_more(u64::MAX, 0), Ok(()));
    }
}
