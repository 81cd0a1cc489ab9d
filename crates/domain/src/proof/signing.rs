//! Keys that sign tokens: one set per issuer, rotated without breaking a token that is alive.
//!
//! 1. The newest key that is not retired signs.
//! 2. A rotation retires the keys before it: they verify until the last token made with them is over.
//! 3. Every node keeps the set it read for a minute. A token that names a key it does not know makes it
//!    look for that one row, so a rotation on one node breaks no token on another, and a stranger who
//!    invents names costs one look-up each.
//!
//! Private keys are sealed records like everything else. Each issuer has keys of its own, so a token
//! of one purpose never verifies for another, whatever it claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
pub use crypto::jws::{Algorithm, PublicNumbers};
use crypto::jws::{Compact, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::core::error::Error;
use crate::core::layer::Layer as _;
use crate::core::port::random::bytes;
use crate::core::port::store::Kind;
use crate::core::port::store::{Page, RowId, Tx, TxResult};
use crate::core::record::{OnRollback, Record, WhenDue};
use crate::core::rows::Place;
use crate::core::time::{Timestamp, days};
use crate::proof::Proofs;
use crate::proof::operator::Operator;

/// A purpose that tokens are signed for, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SigningPurpose {
    /// Stable: it is in the row ids of the keys.
    pub name: &'static str,
    pub algorithm: Algorithm,
}

/// How long a retired key still verifies: the longest life of a token, and what nodes may lag behind.
pub const OVERLAP: Duration = Duration::from_secs(days(1).as_secs() + 600);
/// How long a node trusts the set that it read.
const FRESH: Duration = Duration::from_secs(60);

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

/// A public key as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicSigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub numbers: PublicNumbers,
    pub created: Timestamp,
    pub retires: Option<Timestamp>,
}

/// The keys of one issuer, newest first.
pub struct Ring {
    keys: Vec<RingKey>,
    read_at: Timestamp,
}

struct RingKey {
    public: PublicSigningKey,
    signing: SigningKey,
    verifying: VerifyingKey,
}

impl Ring {
    /// The published keys: those that sign or still verify.
    pub fn public(&self, now: Timestamp) -> Vec<PublicSigningKey> {
        self.live(now).map(|key| key.public.clone()).collect()
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &RingKey> {
        self.keys
            .iter()
            .filter(move |key| key.public.retires.is_none_or(|retires| now < retires))
    }

    fn newest(&self) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.public.retires.is_none())
    }

    fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.public.kid == kid)
    }

    fn verify(&self, now: Timestamp, token: &Compact<'_>) -> bool {
        let named = token.header().key_id();
        self.live(now)
            .find(|key| named == Some(&key.public.kid))
            .is_some_and(|key| key.verifying.verifies(token))
    }
}

/// The sets that this node has read.
#[derive(Default)]
pub(crate) struct Rings(Mutex<HashMap<&'static str, Arc<Ring>>>);

impl Rings {
    fn known(&self, issuer: SigningPurpose) -> Option<Arc<Ring>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(issuer.name)
            .cloned()
    }

    fn keep(&self, issuer: SigningPurpose, ring: &Arc<Ring>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(issuer.name, Arc::clone(ring));
    }
}

impl Proofs {
    /// The issuer's keys, with a signing one among them: made now if there is none.
    pub(crate) async fn signing_ring(
        self: &Arc<Self>,
        issuer: SigningPurpose,
    ) -> Result<Arc<Ring>, Error> {
        let now = self.now();
        match self.rings.known(issuer) {
            Some(ring) if ring.read_at.plus(FRESH) > now && ring.read_at <= now => Ok(ring),
            _ => self.read_ring(issuer, now).await,
        }
    }

    /// Signs `claims` (JSON) for the issuer.
    pub(crate) async fn sign_token(
        self: &Arc<Self>,
        issuer: SigningPurpose,
        claims: &[u8],
    ) -> Result<String, Error> {
        self.sign_typed(issuer, "JWT", claims).await
    }

    /// As [`Proofs::sign_token`], for a token whose header names its type.
    pub(crate) async fn sign_typed(
        self: &Arc<Self>,
        issuer: SigningPurpose,
        typ: &str,
        claims: &[u8],
    ) -> Result<String, Error> {
        let ring = self.signing_ring(issuer).await?;
        let key = ring
            .newest()
            .ok_or_else(|| Error::bug("an issuer has no signing key"))?;
        let header = serde_json::json!({ "alg": issuer.algorithm.name(), "typ": typ, "kid": key.public.kid });
        key.signing
            .sign(header.to_string().as_bytes(), claims)
            .map_err(Error::bug)
    }

    /// The claims of a token of this issuer; `None` unless its signature is right. What the claims
    /// say (issuer, audience, time) is still to be judged.
    pub(crate) async fn verify_token(
        self: &Arc<Self>,
        issuer: SigningPurpose,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.verify_as(issuer, None, token).await
    }

    /// As [`Proofs::verify_token`], for a token whose header must name this type.
    pub(crate) async fn verify_typed(
        self: &Arc<Self>,
        issuer: SigningPurpose,
        typ: &'static str,
        token: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.verify_as(issuer, Some(typ), token).await
    }

    async fn verify_as(
        self: &Arc<Self>,
        issuer: SigningPurpose,
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
        let mut ring = self.signing_ring(issuer).await?;
        let unknown = compact.header().key_id().filter(|kid| !ring.knows(kid));
        if let Some(kid) = unknown {
            let row = self.signing_row(issuer, kid);
            let store = self.store.as_ref();
            if self.rows.read::<SigningKeyRow>(store, row).await?.is_some() {
                ring = self.read_ring(issuer, now).await?;
            }
        }
        Ok(ring.verify(now, &compact).then(|| compact.into_payload()))
    }

    /// Makes a new signing key; the ones before verify for [`OVERLAP`] longer. Gives the new key's id.
    pub(crate) async fn rotate_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: SigningPurpose,
    ) -> Result<String, Error> {
        self.rotate_signing_key_for(operator, issuer, OVERLAP).await
    }

    /// As [`Proofs::rotate_signing_key`], for tokens that live up to `overlap`.
    pub(crate) async fn rotate_signing_key_for(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: SigningPurpose,
        overlap: Duration,
    ) -> Result<String, Error> {
        let pkcs8 = generate(issuer).await?;
        self.replace_signing_key(operator, issuer, pkcs8, overlap)
            .await
    }

    /// As [`Proofs::rotate_signing_key`], with a private key (PKCS#8) that was made elsewhere.
    pub(crate) async fn adopt_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: SigningPurpose,
        pkcs8: Zeroizing<Vec<u8>>,
    ) -> Result<String, Error> {
        self.replace_signing_key(operator, issuer, pkcs8, OVERLAP)
            .await
    }

    async fn replace_signing_key(
        self: &Arc<Self>,
        operator: &Operator,
        issuer: SigningPurpose,
        pkcs8: Zeroizing<Vec<u8>>,
        overlap: Duration,
    ) -> Result<String, Error> {
        let (now, operator) = (self.now(), operator.clone());
        SigningKey::from_pkcs8(issuer.algorithm, &pkcs8).map_err(|_| crate::Refusal::Invalid {
            field: "pkcs8",
            why: "not a private key of this algorithm",
        })?;
        let kid = self
            .write(move |hub, tx| {
                let owner = hub.issuer_row(issuer);
                for mut key in hub.rows.children::<SigningKeyRow>(tx, &owner, Page::ALL)? {
                    if key.retires.is_none() {
                        key.retires = Some(now.plus(overlap));
                        key.place.due = key.retires;
                        hub.rows.put(tx, &mut key)?;
                    }
                }
                let kid = hub.add_signing_key(tx, now, issuer, &pkcs8)?;
                hub.record(tx, operator.event(now, "signing_key.rotate", kid.clone()))?;
                Ok(kid)
            })
            .await?;
        self.read_ring(issuer, now).await?;
        Ok(kid)
    }

    fn add_signing_key(
        &self,
        tx: &mut dyn Tx,
        now: Timestamp,
        issuer: SigningPurpose,
        pkcs8: &[u8],
    ) -> TxResult<String> {
        let kid = URL_SAFE_NO_PAD.encode(bytes::<16>(self.random.as_ref()));
        let row = self.signing_row(issuer, &kid);
        let key = SigningKeyRow {
            kid: kid.clone(),
            algorithm: issuer.algorithm.name().to_owned(),
            pkcs8: Zeroizing::new(STANDARD.encode(pkcs8)),
            created: now,
            retires: None,
        };
        let place = Place::at(row)
            .of(self.issuer_row(issuer))
            .ranked(now.millis());
        self.rows.create(tx, self.tenant(), place, key)?;
        Ok(kid)
    }

    async fn read_ring(
        self: &Arc<Self>,
        issuer: SigningPurpose,
        now: Timestamp,
    ) -> Result<Arc<Ring>, Error> {
        let mut rows = self.signing_rows(issuer).await?;
        if !rows.iter().any(|row| row.retires.is_none()) {
            let pkcs8 = generate(issuer).await?;
            self.write(move |hub, tx| {
                let owner = hub.issuer_row(issuer);
                let there = hub.rows.children::<SigningKeyRow>(tx, &owner, Page::ALL)?;
                if there.iter().all(|key| key.retires.is_some()) {
                    hub.add_signing_key(tx, now, issuer, &pkcs8)?;
                }
                Ok(())
            })
            .await?;
            rows = self.signing_rows(issuer).await?;
        }
        let mut keys = rows
            .iter()
            .map(ring_key)
            .collect::<Result<Vec<_>, Error>>()?;
        keys.reverse();
        let ring = Arc::new(Ring { keys, read_at: now });
        self.rings.keep(issuer, &ring);
        Ok(ring)
    }

    async fn signing_rows(
        self: &Arc<Self>,
        issuer: SigningPurpose,
    ) -> Result<Vec<SigningKeyRow>, Error> {
        self.read(move |hub, tx| {
            let rows =
                hub.rows
                    .children::<SigningKeyRow>(tx, &hub.issuer_row(issuer), Page::ALL)?;
            Ok(rows.into_iter().map(|row| row.value).collect())
        })
        .await
    }

    fn signing_row(&self, issuer: SigningPurpose, kid: &str) -> RowId {
        let parts = [issuer.name.as_bytes(), kid.as_bytes()];
        self.rows.id(SigningKeyRow::KIND, &parts)
    }

    fn issuer_row(&self, issuer: SigningPurpose) -> RowId {
        self.rows.id(SigningKeyRow::KIND, &[issuer.name.as_bytes()])
    }
}

async fn generate(issuer: SigningPurpose) -> Result<Zeroizing<Vec<u8>>, Error> {
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(issuer.algorithm)).await;
    made.map_err(Error::bug)?.map_err(Error::bug)
}

fn ring_key(row: &SigningKeyRow) -> Result<RingKey, Error> {
    let algorithm =
        Algorithm::named(&row.algorithm).ok_or_else(|| Error::bug("an unknown algorithm"))?;
    let pkcs8 = Zeroizing::new(STANDARD.decode(row.pkcs8.as_bytes()).map_err(Error::bug)?);
    let signing = SigningKey::from_pkcs8(algorithm, &pkcs8).map_err(Error::bug)?;
    let numbers = signing.public_numbers().map_err(Error::bug)?;
    let verifying = VerifyingKey::new(algorithm, &numbers).map_err(Error::bug)?;
    let public = PublicSigningKey {
        kid: row.kid.clone(),
        algorithm,
        numbers,
        created: row.created,
        retires: row.retires,
    };
    Ok(RingKey {
        public,
        signing,
        verifying,
    })
}
