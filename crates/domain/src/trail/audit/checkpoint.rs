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

impl Checkpoint {
    /// What the signature covers. The era is covered only after a rollback was accepted: releases before eras sign the
    /// first four parts, so their anchors stay valid.
    fn signed_parts(&self) -> Vec<Vec<u8>> {
        let mut parts = vec![
            b"checkpoint".to_vec(),
            self.number.to_be_bytes().to_vec(),
            self.tag.as_bytes().to_vec(),
            self.at.millis().to_be_bytes().to_vec(),
        ];
        if self.era > 0 || !self.era_mark.is_empty() {
            parts.push(self.era.to_be_bytes().to_vec());
            parts.push(self.era_mark.as_bytes().to_vec());
        }
        parts
    }
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

    fn checkpoint_signature(&self, checkpoint: &Checkpoint) -> Result<String, Error> {
        let parts = checkpoint.signed_parts();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Ok(hex::encode(
            self.roots.prf(Root::Audit, 1, &parts)?.expose(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            number: 7,
            tag: "tag".to_owned(),
            at: Timestamp::from_millis(9),
            era: 0,
            era_mark: String::new(),
            signature: "signature".to_owned(),
        }
    }

    #[test]
    fn without_an_accepted_rollback_four_parts_are_signed_as_before_eras() {
        let parts = checkpoint().signed_parts();
        let expected: [&[u8]; 4] = [
            b"checkpoint",
            &[0, 0, 0, 0, 0, 0, 0, 7],
            b"tag",
            &[0, 0, 0, 0, 0, 0, 0, 9],
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn every_part_but_the_signature_is_signed() {
        let signed = checkpoint().signed_parts();
        let changes: [fn(&mut Checkpoint); 5] = [
            |it| it.number += 1,
            |it| it.tag.push('x'),
            |it| it.at = Timestamp::from_millis(10),
            |it| it.era = 1,
            |it| it.era_mark.push('x'),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = checkpoint();
            change(&mut other);
            assert_ne!(other.signed_parts(), signed, "{number}");
        }
        let mut other = checkpoint();
        other.signature.clear();
        assert_eq!(other.signed_parts(), signed);
    }

    #[test]
    fn an_anchor_from_before_eras_is_read_as_one_of_era_zero() {
        let text = r#"{"number":7,"tag":"tag","at":9,"signature":"signature"}"#;
        assert_eq!(
            serde_json::from_str::<Checkpoint>(text).unwrap(),
            checkpoint()
        );
    }
}
