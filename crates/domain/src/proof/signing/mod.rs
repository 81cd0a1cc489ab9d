//! Keys that sign tokens: one set per purpose, rotated without breaking a token that is alive.
//!
//! 1. The newest key that is not retired signs.
//! 2. A rotation retires the keys before it: they verify until the last token made with them is over.
//! 3. Every node keeps the set it read for a minute. If a token names a key that the node does not know, the node looks
//!    for that one row. So a rotation on one node breaks no token on another, and a stranger who invents key ids costs
//!    one read each.
//!
//! Private keys are sealed records like everything else. Each purpose has keys of its own, so a token of one purpose
//! never verifies for another, whatever it claims.

mod ring;
mod rotation;

use std::sync::Arc;
use std::time::Duration;

use crypto::jws::Compact;
pub use crypto::jws::{Algorithm, PublicNumbers};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::core::error::Error;
use crate::core::id::Id;
use crate::core::layer::Layer as _;
use crate::core::port::store::{Kind, Page, RowId};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::time::{Timestamp, days};
use crate::proof::Proofs;

pub(crate) use ring::Rings;
pub use ring::{PublicSigningKey, Ring};

/// A purpose that tokens are signed for, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SigningPurpose {
    /// Stable: it is in the row ids of the keys.
    pub name: &'static str,
    pub algorithm: Algorithm,
}

/// How long a retired key still verifies: the longest life of a token, and how far nodes may lag behind.
pub const OVERLAP: Duration = Duration::from_secs(days(1).as_secs() + 600);
/// The record of a signing key.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningKeyRow {
    kid: String,
    algorithm: String,
    pkcs8: Zeroizing<String>,
    created: Timestamp,
    /// Set by a rotation: signs no more, and verifies until then.
    retires: Option<Timestamp>,
}

impl Record for SigningKeyRow {
    const KIND: Kind = "signing_key";
    const WHEN_DUE: WhenDue = WhenDue::Removed;
    const ON_ROLLBACK: OnRollback = OnRollback::Stays;
}

impl Proofs {
    /// The keys of a purpose, with a signing one among them: made now if there is none.
    pub(crate) async fn signing_ring(
        self: &Arc<Self>,
        purpose: SigningPurpose,
    ) -> Result<Arc<Ring>, Error> {
        let now = self.now();
        match self.rings.known(purpose) {
            Some(ring) if ring.is_fresh(now) => Ok(ring),
            _ => self.read_ring(purpose, now).await,
        }
    }

    /// Signs `claims` (JSON) as a compact JWS (RFC 7515).
    pub(crate) async fn sign_token(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        claims: &[u8],
    ) -> Result<String, Error> {
        self.sign_typed(purpose, "JWT", claims).await
    }

    /// As [`Proofs::sign_token`], for a token whose header names its type.
    pub(crate) async fn sign_typed(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        typ: &str,
        claims: &[u8],
    ) -> Result<String, Error> {
        let ring = self.signing_ring(purpose).await?;
        ring.sign(purpose.algorithm, typ, claims)
    }

    /// The claims of a token of this purpose; `None` unless its signature is right. What the claims say (issuer,
    /// audience, time) is still to be judged.
    pub(crate) async fn verify_token(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.verify_as(purpose, None, token).await
    }

    /// As [`Proofs::verify_token`], for a token whose header must name this type.
    pub(crate) async fn verify_typed(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        typ: &'static str,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.verify_as(purpose, Some(typ), token).await
    }

    async fn verify_as(
        self: &Arc<Self>,
        purpose: SigningPurpose,
        typ: Option<&'static str>,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(compact) = Compact::parse(token) else {
            return Ok(None);
        };
        if typ.is_some() && compact.header().typ() != typ {
            return Ok(None);
        }
        let now = self.now();
        let mut ring = self.signing_ring(purpose).await?;
        let unknown = compact.header().key_id().filter(|kid| !ring.knows(kid));
        if let Some(kid) = unknown {
            let row = self.signing_row(purpose, kid);
            let store = self.store.as_ref();
            if self.rows.read(store, row).await?.is_some() {
                ring = self.read_ring(purpose, now).await?;
            }
        }
        Ok(ring.verify(now, &compact).then(|| compact.into_payload()))
    }

    fn signing_row(&self, purpose: SigningPurpose, kid: &str) -> Id<SigningKeyRow> {
        self.rows.named(&[purpose.name.as_bytes(), kid.as_bytes()])
    }

    /// The owner of all keys of a purpose. It is no row itself.
    fn purpose_owner(&self, purpose: SigningPurpose) -> RowId {
        self.rows
            .id(SigningKeyRow::KIND, &[purpose.name.as_bytes()])
    }

    /// Reads all keys of a purpose, oldest first.
    async fn signing_rows(
        self: &Arc<Self>,
        purpose: SigningPurpose,
    ) -> Result<Vec<SigningKeyRow>, Error> {
        self.read(move |hub, tx| {
            let owner = hub.purpose_owner(purpose);
            let rows = hub.rows.children(tx, &owner, Page::ALL)?;
            Ok(rows.into_iter().map(|row| row.value).collect())
        })
        .await
    }
}
