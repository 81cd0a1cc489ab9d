//! What stays behind: the audit trail, accepted rollbacks, sealing anew after a rotation, and the jobs.

pub mod audit;
pub mod jobs;
pub mod resealing;
pub mod rollback;

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::layer::Layer;
use crate::core::record::RecordKind;

/// The audit trail, over the core.
pub struct Trail {
    core: Arc<Core>,
    /// Events that describe no change, until the next link takes them.
    recent: audit::Recent,
}

impl Trail {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            recent: audit::Recent::default(),
        }
    }
}

impl Deref for Trail {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Layer for Trail {
    fn core(&self) -> &Core {
        self.core.core()
    }
}

/// The kinds of rows of this room.
pub(crate) const KINDS: &[RecordKind] = &[
    RecordKind::of::<audit::Event>(),
    RecordKind::of::<audit::Head>(),
    RecordKind::of::<audit::Link>(),
    RecordKind::of::<resealing::Resealing>(),
    RecordKind::of::<rollback::Era>(),
];
