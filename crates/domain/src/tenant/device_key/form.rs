//! What is asked and told about device keys.

use super::{DeviceKey, KeyName, PublicKey, PushTarget, Status};
use crate::core::time::Timestamp;

/// A key to register.
#[derive(Debug, Clone)]
pub struct DeviceKeyForm {
    pub name: KeyName,
    pub public: PublicKey,
    pub label: Option<String>,
    pub custom: Option<String>,
    pub push: Option<PushTarget>,
}

/// What to change. `None` leaves a value as it is, `Some(None)` removes it.
#[derive(Debug, Clone, Default)]
pub struct DeviceKeyChange {
    pub label: Option<Option<String>>,
    pub custom: Option<Option<String>>,
    pub push: Option<Option<PushTarget>>,
}

impl DeviceKeyChange {
    pub(super) fn is_empty(&self) -> bool {
        self.label.is_none() && self.custom.is_none() && self.push.is_none()
    }
}

/// A key as a back end sees it, without the public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKeyView {
    pub name: KeyName,
    pub status: Status,
    pub label: Option<String>,
    pub custom: Option<String>,
    pub push: Option<PushTarget>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl From<DeviceKey> for DeviceKeyView {
    fn from(key: DeviceKey) -> Self {
        let DeviceKey {
            name,
            status,
            label,
            custom,
            push,
            created,
            updated,
            ..
        } = key;
        Self {
            name,
            status,
            label,
            custom,
            push,
            created,
            updated,
        }
    }
}
