//! The service of this room.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;
use crate::letter::{Decides, Letters};
use crate::proof::Proofs;

use super::policy::GuardedKeyPolicy;

/// PIN-guarded keys: what may be done with them, and by whom.
pub struct GuardedKeys {
    proofs: Arc<Proofs>,
    pub(crate) policy: GuardedKeyPolicy,
}

impl GuardedKeys {
    pub(crate) fn new(proofs: Arc<Proofs>, policy: GuardedKeyPolicy) -> Self {
        Self { proofs, policy }
    }
}

impl Deref for GuardedKeys {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for GuardedKeys {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

impl Decides for GuardedKeys {
    fn letters(&self) -> &Arc<Letters> {
        self
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<super::contact::Contact>(),
    RecordKind::of::<super::key::GuardedKey>(),
    RecordKind::of::<super::recovery::OwnerLink>(),
    RecordKind::of::<super::recovery::Reminder>(),
];
