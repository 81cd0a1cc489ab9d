//! What proves something about a person, whatever surface asks for it.

pub mod account;
pub(crate) mod authenticator;
pub mod bearer;
pub mod challenge;
pub mod federated;
pub(crate) mod identity;
pub(crate) mod notice;
pub mod operator;
pub mod password;
pub mod policy;
pub mod session;
pub mod signing;
pub mod token;
pub mod way;

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::port::KeySets;
use crate::core::record::RecordKind;
use crate::letter::{Decides, Letters};
use crate::limit::Limits;

use self::policy::ProofPolicy;
use self::signing::Rings;

/// Proofs, over the limits that count tries at them.
pub struct Proofs {
    limits: Arc<Limits>,
    rings: Rings,
    key_sets: Arc<dyn KeySets>,
    policy: ProofPolicy,
}

impl Proofs {
    pub(crate) fn new(
        limits: Arc<Limits>,
        key_sets: Arc<dyn KeySets>,
        policy: ProofPolicy,
    ) -> Self {
        Self {
            limits,
            rings: Rings::default(),
            key_sets,
            policy,
        }
    }
}

impl Deref for Proofs {
    type Target = Arc<Limits>;

    fn deref(&self) -> &Arc<Limits> {
        &self.limits
    }
}

impl Layer for Proofs {
    fn core(&self) -> &Core {
        self.limits.core()
    }
}

impl Decides for Proofs {
    fn letters(&self) -> &Arc<Letters> {
        self
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<account::Account>(),
    RecordKind::of::<identity::Identity>(),
    RecordKind::of::<notice::Decoy>(),
    RecordKind::of::<session::Session>(),
    RecordKind::of::<signing::SigningKeyRow>(),
    RecordKind::of::<token::Token>(),
];
