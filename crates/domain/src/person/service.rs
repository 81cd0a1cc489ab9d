//! The service of this room.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;
use crate::letter::{Decides, Letters};
use crate::proof::Proofs;

use super::policy::PersonPolicy;

/// Accounts that are reached through an e-mail address or a phone number.
pub struct People {
    proofs: Arc<Proofs>,
    pub(crate) policy: PersonPolicy,
}

impl People {
    pub(crate) fn new(proofs: Arc<Proofs>, policy: PersonPolicy) -> Self {
        Self { proofs, policy }
    }
}

impl Deref for People {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for People {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

impl Decides for People {
    fn letters(&self) -> &Arc<Letters> {
        self
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<super::address_change::OpenChange>(),
    RecordKind::of::<super::process::Process>(),
];
