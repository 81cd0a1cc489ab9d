//! Reads device keys.

use std::sync::Arc;

use super::{DeviceKey, DeviceKeyView, KeyName, KeyPath, absent};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::store::Page;
use crate::core::rows::Stored;
use crate::core::verdict::Verdict;
use crate::tenant::permission::{Grant, ListKeys, ReadKeys};
use crate::tenant::{Tenants, UserId};

/// The keys in the order in which they were registered, those of the same moment by name.
fn oldest_first(keys: impl IntoIterator<Item = DeviceKey>) -> Vec<DeviceKeyView> {
    let mut views: Vec<DeviceKeyView> = keys.into_iter().map(Into::into).collect();
    views.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    views
}

impl Tenants {
    /// The keys of a person in the caller's application, oldest first. `UnknownSubject` if the person is no member.
    pub async fn list_device_keys(
        self: &Arc<Self>,
        grant: Grant<ListKeys>,
        user: UserId,
    ) -> Result<Vec<DeviceKeyView>, Error> {
        self.find(move |hub, tx| {
            let tie = hub.membership_id(grant.application(), &user);
            if hub.rows.peek(tx, tie)?.is_none() {
                return Ok(Verdict::Refused(Refusal::UnknownSubject));
            }
            let keys = hub.rows.children(tx, &tie.row(), Page::ALL)?;
            let keys = keys.into_iter().map(|key: Stored<DeviceKey>| key.value);
            Ok(Verdict::Done(oldest_first(keys)))
        })
        .await
    }

    /// One key. `WrongState` if the person has no such key, `UnknownSubject` if the person is no member.
    pub async fn read_device_key(
        self: &Arc<Self>,
        grant: Grant<ReadKeys>,
        user: UserId,
        name: KeyName,
    ) -> Result<DeviceKeyView, Error> {
        let key = self
            .fetch_device_key(&KeyPath::of(&grant, user, name))
            .await?;
        Ok(key.value.into())
    }

    /// One committed key, in one read. Only if it is absent, a second read tells whether the person is unknown.
    pub(super) async fn fetch_device_key(
        self: &Arc<Self>,
        path: &KeyPath,
    ) -> Result<Stored<DeviceKey>, Error> {
        let store = self.store.as_ref();
        let tie = self.membership_id(path.application, &path.user);
        let id = self.device_key_id(tie, &path.name);
        if let Some(key) = self.rows.read(store, id).await? {
            return Ok(key);
        }
        let membership = self.rows.read(store, tie).await?;
        Err(absent(membership.as_ref()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::key;
    use super::*;
    use crate::core::time::Timestamp;

    #[test]
    fn keys_are_listed_by_time_and_then_by_name() {
        let registered = |name: &str, at| DeviceKey {
            name: KeyName::parse(name.to_owned()).unwrap(),
            created: Timestamp::from_millis(at),
            ..key()
        };
        let keys = [registered("c", 1), registered("a", 2), registered("b", 1)];
        let views = oldest_first(keys);
        let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "a"]);
    }
}
