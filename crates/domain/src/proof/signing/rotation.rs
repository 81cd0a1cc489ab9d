//! Making signing keys: the first one of a purpose, and the one that replaces it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::jws::SigningKey;
use zeroize::Zeroizing;

use super::{OVERLAP, Ring, SigningKeyRow, SigningPurpose};
use crate::core::error::{Error, Refusal};
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::{Page, Tx, TxResult};
use crate::core::rows::Place;
use crate::core::time::Timestamp;
use crate::proof::Proofs;
use crate::proof::operator::Operator;

impl SigningKeyRow {
    fn is_retired(&self) -> bool {
        self.retires.is_some()
    }

    /// Retires a key that signs. `false`: it was retired before, and keeps its moment.
    fn retire(&mut self, until: Timestamp) -> bool {
        let signs = !self.is_retired();
        if signs {
            self.retires = Some(until);
        }
        signs
    }
}

impl Proofs {
    /// Makes a new signing key. The ones before verify for [`OVERLAP`] longer. Returns the new key's id.
    pub(crate) async fn rotate_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        purpose: SigningPurpose,
    ) -> Result<String, Error> {
        self.rotate_signing_key_for(operator, purpose, OVERLAP)
            .await
    }

    /// As [`Proofs::rotate_signing_key`], for tokens that live up to `overlap`.
    pub(crate) async fn rotate_signing_key_for(
        self: &Arc<Self>,
        operator: &Operator,
        purpose: SigningPurpose,
        overlap: Duration,
    ) -> Result<String, Error> {
        let pkcs8 = generate(purpose).await?;
        self.replace_signing_key(operator, purpose, pkcs8, overlap)
            .await
    }

    /// As [`Proofs::rotate_signing_key`], with a private key (PKCS#8) that was made elsewhere.
    pub(crate) async fn adopt_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        purpose: SigningPurpose,
        pkcs8: Zeroizing<Vec<u8>>,
    ) -> Result<String, Error> {
        self.replace_signing_key(operator, purpose, pkcs8, OVERLAP)
            .await
    }

    async fn replace_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        purpose: SigningPurpose,
        pkcs8: Zeroizing<Vec<u8>>,
        overlap: Duration,
    ) -> Result<String, Error> {
        let (now, operator) = (self.now(), operator.clone());
        SigningKey::from_pkcs8(purpose.algorithm, &pkcs8).map_err(|_| Refusal::Invalid {
            field: "pkcs8",
            why: "not a private key of this algorithm",
        })?;
        let kid = self
            .write(move |hub, tx| {
                let owner = hub.purpose_owner(purpose);
                for mut key in hub.rows.children::<SigningKeyRow>(tx, &owner, Page::ALL)? {
                    if key.retire(now.plus(overlap)) {
                        key.place.due = key.retires;
                        hub.rows.put(tx, &mut key)?;
                    }
                }
                let kid = hub.add_signing_key(tx, now, purpose, &pkcs8)?;
                hub.record(tx, operator.event(now, "signing_key.rotate", kid.clone()))?;
                Ok(kid)
            })
            .await?;
        self.read_ring(purpose, now).await?;
        Ok(kid)
    }

    /// Reads the keys of a purpose anew. Makes one first if none signs; of two nodes that do so at once, one does.
    pub(super) async fn read_ring(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        now: Timestamp,
    ) -> Result<Arc<Ring>, Error> {
        let mut rows = self.signing_rows(purpose).await?;
        if rows.iter().all(SigningKeyRow::is_retired) {
            let pkcs8 = generate(purpose).await?;
            self.write(move |hub, tx| {
                let owner = hub.purpose_owner(purpose);
                let there = hub.rows.children::<SigningKeyRow>(tx, &owner, Page::ALL)?;
                if there.iter().all(|key| key.is_retired()) {
                    hub.add_signing_key(tx, now, purpose, &pkcs8)?;
                }
                Ok(())
            })
            .await?;
            rows = self.signing_rows(purpose).await?;
        }
        let ring = Arc::new(Ring::of(&rows, now)?);
        self.rings.keep(purpose, &ring);
        Ok(ring)
    }

    fn add_signing_key(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        purpose: SigningPurpose,
        pkcs8: &[u8],
    ) -> TxResult<String> {
        let kid = URL_SAFE_NO_PAD.encode(bytes::<16>(self.random.as_ref()));
        let row = self.signing_row(purpose, &kid);
        let key = SigningKeyRow {
            kid: kid.clone(),
            algorithm: purpose.algorithm.name().to_owned(),
            pkcs8: Zeroizing::new(STANDARD.encode(pkcs8)),
            created: now,
            retires: None,
        };
        let place = Place::at(row)
            .of(self.purpose_owner(purpose))
            .ranked(now.millis());
        self.rows.create(tx, self.tenant(), place, key)?;
        Ok(kid)
    }
}

async fn generate(purpose: SigningPurpose) -> Result<Zeroizing<Vec<u8>>, Error> {
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(purpose.algorithm)).await;
    made.map_err(Error::bug)?.map_err(Error::bug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_retired_once() {
        let mut key = SigningKeyRow {
            kid: "a".to_owned(),
            algorithm: "ES256".to_owned(),
            pkcs8: Zeroizing::default(),
            created: Timestamp::from_millis(0),
            retires: None,
        };
        let (first, later) = (Timestamp::from_millis(10), Timestamp::from_millis(20));
        assert!(!key.is_retired());
        assert!(key.retire(first));
        assert!(!key.retire(later));
        assert_eq!(key.retires, Some(first));
    }
}
