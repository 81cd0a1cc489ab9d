//! Everything in one place: the services, and what they are put together from.

use std::sync::Arc;

use crate::core::Core;
use crate::core::error::Error;
use crate::core::port::store::{Kind, Tx, TxResult};
use crate::core::port::{Clock, Composer, Courier, KeySets, Liveness, Random, Roots, Store};
use crate::core::record::RecordKind;
use crate::core::time::Timestamp;
use crate::guarded_key::{self, GuardedKeys};
use crate::letter::alert::{Alert, Listener};
use crate::letter::{self, Letters};
use crate::limit::{self, Limits};
use crate::person::{self, People};
use crate::policy::Policy;
use crate::proof::operator::Operators;
use crate::proof::policy::ProofPolicy;
use crate::proof::{self, Proofs};
use crate::tenant::{self, Tenants};
use crate::trail::jobs::{Chores, Upkeep};
use crate::trail::{self, Trail};
use crate::vault::{self, Vaults};
use crate::wallet::{self, Wallets};

/// The adapters the domain works with.
pub struct Ports {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub roots: Arc<dyn Roots>,
    pub courier: Arc<dyn Courier>,
    pub composer: Arc<dyn Composer>,
    pub key_sets: Arc<dyn KeySets>,
    pub liveness: Arc<dyn Liveness>,
}

/// The services of one server, over one core. A front is given those that it speaks.
#[derive(Clone)]
pub struct Services {
    pub guarded_keys: Arc<GuardedKeys>,
    pub people: Arc<People>,
    pub vaults: Arc<Vaults>,
    pub wallets: Arc<Wallets>,
    pub tenants: Arc<Tenants>,
    pub operators: Arc<Operators>,
    pub upkeep: Arc<Upkeep>,
    core: Arc<Core>,
}

impl Services {
    /// Fails only if the root keys cannot be used.
    pub fn new(ports: Ports, policy: Policy) -> Result<Self, Error> {
        let core = Arc::new(Core::new(
            ports.store,
            ports.clock,
            ports.random,
            ports.roots,
            policy.public_url,
        )?);
        let trail = Arc::new(Trail::new(Arc::clone(&core)));
        let letters = Arc::new(Letters::new(
            Arc::clone(&trail),
            ports.courier,
            ports.composer,
            Arc::new(Rooms {
                phrase: policy.person.phrase,
            }),
        ));
        let limits = Arc::new(Limits::new(
            Arc::clone(&letters),
            policy.hash,
            policy.limits,
        ));
        let proof = ProofPolicy {
            tokens: policy.person.tokens.clone(),
            sessions: policy.person.sessions.clone(),
            phrase: policy.person.phrase,
            issuers: policy.wallet.issuers.clone(),
            own_accounts: policy.wallet.own_accounts,
        };
        let proofs = Arc::new(Proofs::new(Arc::clone(&limits), ports.key_sets, proof));
        let guarded_keys = Arc::new(GuardedKeys::new(Arc::clone(&proofs), policy.guarded_key));
        let people = Arc::new(People::new(Arc::clone(&proofs), policy.person));
        let vaults = Arc::new(Vaults::new(Arc::clone(&proofs), policy.vault));
        let wallets = Arc::new(Wallets::new(
            Arc::clone(&proofs),
            ports.liveness,
            policy.wallet,
        ));
        let tenants = Arc::new(Tenants::new(Arc::clone(&proofs), policy.device_keys));
        let rooms: Vec<Arc<dyn Chores>> = vec![
            Arc::clone(&guarded_keys) as _,
            Arc::clone(&people) as _,
            Arc::clone(&vaults) as _,
            Arc::clone(&wallets) as _,
            Arc::clone(&tenants) as _,
            Arc::clone(&limits) as _,
            letters as _,
        ];
        Ok(Self {
            upkeep: Arc::new(Upkeep::new(trail, kinds(), &WALK, rooms)),
            operators: Arc::new(Operators::new(proofs)),
            guarded_keys,
            people,
            vaults,
            wallets,
            tenants,
            core,
        })
    }

    /// Prepares the database for this server: the default tenant's data key.
    pub async fn prepare(&self) -> Result<(), Error> {
        let core = &self.core;
        core.rows
            .ensure_scope(core.store.as_ref(), core.tenant())
            .await
    }

    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// Whether a write would succeed now.
    pub async fn ready(&self) -> Result<(), Error> {
        self.core.ready().await
    }
}

/// What the outbox asks of the rooms above it.
struct Rooms {
    phrase: proof::policy::Offer,
}

impl Listener for Rooms {
    fn phrase(&self, core: &Core, tx: &mut dyn Tx, address: &str) -> TxResult<Option<String>> {
        proof::notice::phrase_of_address(core, tx, self.phrase, address)
    }

    fn alert_accepted(
        &self,
        core: &Core,
        tx: &mut dyn Tx,
        at: Timestamp,
        alert: &Alert,
    ) -> TxResult<()> {
        guarded_key::recovery::alert_accepted(core, tx, at, alert)
    }
}

/// Every kind of row that holds a record.
fn kinds() -> Vec<RecordKind> {
    [
        guarded_key::KINDS,
        person::KINDS,
        vault::KINDS,
        wallet::KINDS,
        tenant::KINDS,
        proof::KINDS,
        limit::KINDS,
        letter::KINDS,
        trail::KINDS,
    ]
    .concat()
}

/// The kinds that do not stay as they are after a rollback, in the order in which they are walked over.
///
/// How far a walk has come is kept as a place in this list, so new kinds go to its end.
const WALK: [Kind; 25] = [
    "account",
    "contact",
    "guarded_key",
    "vault_login",
    "guess_budget",
    "lockout",
    "outbox",
    "wallet_user",
    "address_change",
    "device_challenge",
    "owner_link",
    "process",
    "reminder",
    "session",
    "token",
    "vault_application",
    "vault_approval",
    "vault_approval_link",
    "vault_handshake",
    "vault_session",
    "vault_web_pass",
    "wallet_challenge",
    "wallet_passkey_call",
    "wallet_setup",
    "familiar",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::core::record::OnRollback;

    fn records_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                records_in(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                // Tests have records of their own.
                && path.file_name().is_some_and(|name| name != "tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let kind = |line: &str| {
                    let (_, rest) = line.split_once("const KIND: Kind = \"")?;
                    Some(rest.split_once('"')?.0.to_owned())
                };
                // Tests declare records of their own.
                let product = text.split("#[cfg(test)]").next().unwrap_or_default();
                let product = if path.ends_with("tests.rs") {
                    ""
                } else {
                    product
                };
                found.extend(product.lines().filter_map(kind));
            }
        }
    }

    #[test]
    fn every_record_of_the_source_is_in_the_list_once() {
        let mut found = BTreeSet::new();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        records_in(&sources, &mut found);
        assert!(found.len() > 40, "the records are found: {found:?}");
        let kinds = kinds();
        let listed: BTreeSet<String> = kinds.iter().map(|known| known.kind.to_owned()).collect();
        assert_eq!(listed, found);
        assert_eq!(kinds.len(), listed.len(), "no kind is listed twice");
    }

    #[test]
    fn the_walk_covers_exactly_what_a_rollback_changes() {
        let changed: BTreeSet<Kind> = kinds()
            .iter()
            .filter(|known| known.on_rollback != OnRollback::Stays)
            .map(|known| known.kind)
            .collect();
        let walked: BTreeSet<Kind> = WALK.into_iter().collect();
        assert_eq!(walked, changed);
        assert_eq!(walked.len(), WALK.len(), "no kind is walked over twice");
    }
}
