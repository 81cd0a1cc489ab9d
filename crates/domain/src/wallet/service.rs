//! The service of this room.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::port::Liveness;
use crate::core::record::RecordKind;
use crate::letter::{Decides, Letters};
use crate::proof::Proofs;

use super::policy::WalletPolicy;

/// Wallets: users, devices and keyshares.
pub struct Wallets {
    proofs: Arc<Proofs>,
    pub(crate) liveness: Arc<dyn Liveness>,
    pub(crate) policy: WalletPolicy,
}

impl Wallets {
    pub(crate) fn new(
        proofs: Arc<Proofs>,
        liveness: Arc<dyn Liveness>,
        policy: WalletPolicy,
    ) -> Self {
        Self {
            proofs,
            liveness,
            policy,
        }
    }
}

impl Deref for Wallets {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for Wallets {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

impl Decides for Wallets {
    fn letters(&self) -> &Arc<Letters> {
        self
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<super::key_use::KeyUseRecord>(),
    RecordKind::of::<super::challenge::WalletChallenge>(),
    RecordKind::of::<super::device::WalletDevice>(),
    RecordKind::of::<super::key_creation::KeyCreation>(),
    RecordKind::of::<super::key::WalletKey>(),
    RecordKind::of::<super::share::KeyshareRevision>(),
    RecordKind::of::<super::step_up::Attempts>(),
    RecordKind::of::<super::step_up::Enrolment>(),
    RecordKind::of::<super::step_up::Seen>(),
    RecordKind::of::<super::step_up::passkey::Challenge>(),
    RecordKind::of::<super::step_up::passkey::Passkey>(),
    RecordKind::of::<super::user::WalletUser>(),
];
