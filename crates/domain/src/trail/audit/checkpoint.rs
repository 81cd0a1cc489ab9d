//! The signed end of the chain, for keeping outside the database.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::core::error::Error;
use crate::core::port::Store;
use crate::core::port::roots::Root;
use crate::core::time::Timestamp;
use crate::trail::Trail;

use super::{Head, Link};

/// The end of the chain at some moment, signed, for keeping outside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub number: u64,
    pub tag: String,
    pub at: Timestamp,
    /// The era of the database, and its mark: see [`crate::trail::rollback`].
    #[serde(default)]
    pub era: u64,
    #[serde(default)]
    pub era_mark: String,
    pub signature: String,
}

impl Trail {
    /// Step 3: the signed end of the chain, `None` while there is none.
    pub(crate) async fn audit_checkpoint(self: &Arc<Self>) -> Result<Option<Checkpoint>, Error> {
        self.checkpoint_of(self.store.as_ref()).await
    }

    /// The same of `store`, which may be the hub's without what stands before it.
    pub(crate) async fn checkpoint_of(
        &self,
        store: &dyn Store,
    ) -> Result<Option<Checkpoint>, Error> {
        let Some(head) = self.audit_head(store).await? else {
            return Ok(None);
        };
        let era = self.era(store).await?;
        let mut checkpoint = Checkpoint {
            number: head.number,
            tag: head.tag,
            at: self.now(),
            era: era.number,
            era_mark: era.mark,
            signature: String::new(),
        };
        checkpoint.signature = self.checkpoint_signature(&checkpoint)?;
        Ok(Some(checkpoint))
    }

    pub(crate) async fn audit_head(&self, store: &dyn Store) -> Result<Option<Head>, Error> {
        let id = self.rows.named::<Head>(&[]);
        let head = self.rows.read(store, id).await?;
        Ok(head.map(|head| head.value))
    }

    pub(crate) async fn audit_link(
        &self,
        store: &dyn Store,
        number: u64,
    ) -> Result<Option<Link>, Error> {
        let link = self.rows.read(store, self.link_id(number)).await?;
        Ok(link.map(|link| link.value))
    }

    /// Whether `checkpoint` was signed with these keys.
    pub(crate) fn is_genuine(&self, checkpoint: &Checkpoint) -> Result<bool, Error> {
        let right = self.checkpoint_signature(checkpoint)?;
        Ok(right
            .as_bytes()
            .ct_eq(checkpoint.signature.as_bytes())
            .into())
    }

    /// Over the first four parts only while no rollback was ever accepted: so the releases before eras sign, too, and
    /// an anchor of theirs is one of ours.
    fn checkpoint_signature(&self, checkpoint: &Checkpoint) -> Result<String, Error> {
        let (number, at) = (checkpoint.number.to_be_bytes(), checkpoint.at.millis());
        let (at, era) = (at.to_be_bytes(), checkpoint.era.to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![b"checkpoint", &number, checkpoint.tag.as_bytes(), &at];
        if checkpoint.era > 0 || !checkpoint.era_mark.is_empty() {
            parts.extend([&era[..], checkpoint.era_mark.as_bytes()]);
        }
        Ok(hex::encode(
            self.roots.prf(Root::Audit, 1, &parts)?.expose(),
        ))
    }
}
