//! The service of this room.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;
use crate::proof::Proofs;

use super::policy::DeviceKeyPolicy;

/// Tenants, their applications and clients, and device keys.
pub struct Tenants {
    proofs: Arc<Proofs>,
    pub(crate) policy: DeviceKeyPolicy,
}

impl Tenants {
    pub(crate) fn new(proofs: Arc<Proofs>, policy: DeviceKeyPolicy) -> Self {
        Self { proofs, policy }
    }
}

impl Deref for Tenants {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for Tenants {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<super::tenancy::Tenant>(),
    RecordKind::of::<super::access_token::assertion::SpentAssertion>(),
    RecordKind::of::<super::application::Application>(),
    RecordKind::of::<super::client::Client>(),
    RecordKind::of::<super::device_key::challenge::DeviceChallenge>(),
    RecordKind::of::<super::device_key::DeviceKey>(),
    RecordKind::of::<super::device_key::KeyPrint>(),
    RecordKind::of::<super::member::Member>(),
    RecordKind::of::<super::member::MemberName>(),
    RecordKind::of::<super::member::Membership>(),
    RecordKind::of::<super::removal::Removal>(),
    RecordKind::of::<super::role::Role>(),
    RecordKind::of::<super::role::RoleName>(),
    RecordKind::of::<super::role::RoleUse>(),
];
