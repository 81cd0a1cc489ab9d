//! The service of vaults.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;
use crate::letter::{Decides, Letters};
use crate::proof::Proofs;

use super::policy::VaultPolicy;

/// Accounts with an encrypted vault.
pub struct Vaults {
    proofs: Arc<Proofs>,
    /// Set once the rows and tables exist that every login needs.
    pub(crate) logins_ready: tokio::sync::OnceCell<()>,
    pub(crate) policy: VaultPolicy,
}

impl Vaults {
    pub(crate) fn new(proofs: Arc<Proofs>, policy: VaultPolicy) -> Self {
        Self {
            proofs,
            logins_ready: tokio::sync::OnceCell::new(),
            policy,
        }
    }
}

impl Deref for Vaults {
    type Target = Arc<Proofs>;

    fn deref(&self) -> &Arc<Proofs> {
        &self.proofs
    }
}

impl Layer for Vaults {
    fn core(&self) -> &Core {
        self.proofs.core()
    }
}

impl Decides for Vaults {
    fn letters(&self) -> &Arc<Letters> {
        self
    }
}

/// The kinds of rows that belong to vaults.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<super::account::VaultAccount>(),
    RecordKind::of::<super::account::VaultLogin>(),
    RecordKind::of::<super::approval::Approval>(),
    RecordKind::of::<super::approval::ApprovalLink>(),
    RecordKind::of::<super::entry::Entry>(),
    RecordKind::of::<super::guest::Guest>(),
    RecordKind::of::<super::application::VaultApplication>(),
    RecordKind::of::<super::login::Handshake>(),
    RecordKind::of::<super::number::Numbered>(),
    RecordKind::of::<super::slot_notice::NoticeLog>(),
    RecordKind::of::<super::session::VaultSession>(),
    RecordKind::of::<super::slot::Identified>(),
    RecordKind::of::<super::web_pass::WebPass>(),
];
