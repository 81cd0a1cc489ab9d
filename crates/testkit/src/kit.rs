//! A complete server without its listeners.

use std::sync::Arc;

use axum::Router;
use crypto::password::Cost;
use domain::policy::Policy;
use domain::port::{Composer, Store};
use domain::proof::operator::{Operator, OperatorRight};
use domain::secret::SecretText;
use domain::{Caller, Error, Ports, Services};
use store::SqliteStore;

use crate::client::Client;
use crate::clock::FakeClock;
use crate::composer::PlainComposer;
use crate::courier::CapturedCourier;
use crate::issuer::TestIssuer;
use crate::random::SeededRandom;
use crate::roots::FixedRoots;
use crate::verifier::TestVerifier;

/// A server without listeners: the services, and control over everything outside them.
#[derive(Clone)]
pub struct Kit {
    pub services: Services,
    pub store: Arc<dyn Store>,
    pub clock: Arc<FakeClock>,
    pub courier: Arc<CapturedCourier>,
    pub issuer: Arc<TestIssuer>,
    pub verifier: Arc<TestVerifier>,
}

/// Options for a [`Kit`]. Everything has a default: SQLite in memory, the cheapest hash.
pub struct KitBuilder {
    store: Option<Arc<dyn Store>>,
    clock: Arc<FakeClock>,
    courier: Arc<CapturedCourier>,
    issuer: Arc<TestIssuer>,
    verifier: Arc<TestVerifier>,
    composer: Arc<dyn Composer>,
    roots: FixedRoots,
    seed: u64,
    policy: Policy,
}

impl Kit {
    /// A kit with all defaults.
    pub async fn new() -> Self {
        Self::builder().build().await
    }

    pub fn builder() -> KitBuilder {
        KitBuilder {
            store: None,
            clock: Arc::default(),
            courier: Arc::default(),
            issuer: Arc::default(),
            verifier: Arc::default(),
            composer: Arc::new(PlainComposer),
            roots: FixedRoots::default(),
            seed: 1,
            policy: policy(),
        }
    }

    /// A client of the routes that a front makes over this kit's services.
    pub fn client(&self, routes: impl FnOnce(Services) -> Router) -> Client {
        Client::new(routes(self.services.clone()))
    }

    /// An operator with every right.
    pub fn operator(&self) -> Operator {
        operator(&self.services)
    }

    /// Runs all jobs that are due, once.
    pub async fn run_jobs(&self) {
        self.services.upkeep.run_jobs().await.expect("the jobs run");
    }
}

impl KitBuilder {
    /// Uses an existing database.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    #[must_use]
    pub fn clock(mut self, clock: Arc<FakeClock>) -> Self {
        self.clock = clock;
        self
    }

    #[must_use]
    pub fn courier(mut self, courier: Arc<CapturedCourier>) -> Self {
        self.courier = courier;
        self
    }

    /// Uses this issuer; for a second node, that of the first.
    #[must_use]
    pub fn issuer(mut self, issuer: Arc<TestIssuer>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Uses this verifier; for a second node, that of the first.
    #[must_use]
    pub fn verifier(mut self, verifier: Arc<TestVerifier>) -> Self {
        self.verifier = verifier;
        self
    }

    #[must_use]
    pub fn composer(mut self, composer: Arc<dyn Composer>) -> Self {
        self.composer = composer;
        self
    }

    /// Uses another key file.
    #[must_use]
    pub fn roots(mut self, roots: FixedRoots) -> Self {
        self.roots = roots;
        self
    }

    /// Uses another seed. Two nodes on one database must not create the same ids.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    #[must_use]
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub async fn build(self) -> Kit {
        let kit = self.try_build().await;
        kit.expect("an empty database takes a data key")
    }

    /// Builds the kit, or returns why this database does not belong to these root keys.
    pub async fn try_build(self) -> Result<Kit, Error> {
        let store = self.store.unwrap_or_else(|| {
            Arc::new(SqliteStore::in_memory().expect("SQLite opens a database in memory"))
        });
        let ports = Ports {
            store: Arc::clone(&store),
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::new(self.seed)),
            roots: Arc::new(self.roots),
            courier: self.courier.clone(),
            composer: self.composer,
            key_sets: self.issuer.clone(),
            liveness: self.verifier.clone(),
        };
        let services = Services::new(ports, self.policy).expect("fixed roots serve every purpose");
        services.prepare().await?;
        let token = SecretText::new(OPERATOR_TOKEN.to_owned());
        services
            .operators
            .accept_token(token, "test", &OperatorRight::ALL);
        Ok(Kit {
            services,
            store,
            clock: self.clock,
            courier: self.courier,
            issuer: self.issuer,
            verifier: self.verifier,
        })
    }
}

/// The product's default policy, with the cheapest hash.
pub fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.hash.cost = Cost::CHEAPEST;
    policy.wallet.issuers = vec![TestIssuer::rules()];
    policy
}

/// The token of the operator that every kit accepts.
const OPERATOR_TOKEN: &str = "the token of the kit's operator";

/// An operator with every right, of the services of a kit.
pub fn operator(services: &Services) -> Operator {
    let operator = services.operators.authenticate(OPERATOR_TOKEN);
    operator.expect("the kit accepts this token")
}

/// A caller on the local network whose language is English.
pub fn caller(surface: &'static str) -> Caller {
    Caller {
        surface,
        network: "127.0.0.1/32".to_owned(),
        language: "en".to_owned(),
    }
}
