//! The numbers the rules work with: plain values, checked by whoever read them.

use std::time::Duration;

use crypto::password::Cost;

use crate::core::time::{days, hours};
use crate::limit::budget::GuessLimits;
use crate::limit::rate::Rate;
use crate::person::policy::PersonPolicy;
use crate::proof::vouched::{Issuer, OwnAccounts};
pub use crate::vault::policy::VaultPolicy;
use crate::wallet::step_up::passkey::PasskeyPolicy;

/// Everything the domain can be told.
#[derive(Debug, Clone)]
pub struct Policy {
    pub hash: HashPolicy,
    pub limits: SharedLimits,
    pub guarded_key: GuardedKeyPolicy,
    pub device_keys: DeviceKeyPolicy,
    pub vault: VaultPolicy,
    pub wallet: WalletPolicy,
    pub person: PersonPolicy,
    /// Where owners reach this server, without a slash at the end.
    pub public_url: String,
}

/// How slow secrets are hashed.
#[derive(Debug, Clone)]
pub struct HashPolicy {
    pub cost: Cost,
    pub threads: usize,
    /// Callers admitted to the hash queue, per kind of work.
    pub queue: usize,
}

/// Budgets that cut across all surfaces.
#[derive(Debug, Clone)]
pub struct SharedLimits {
    /// Callers that may wait for one subject.
    pub queue_per_subject: usize,
    /// How long a caller waits while all tries left are in flight elsewhere.
    pub wait: Duration,
    /// Messages one client network may cause, over all surfaces.
    pub network_messages: Rate,
    /// Texts to one country in a day, by calling code.
    pub country_messages: Rate,
    /// Messages in a day, over all surfaces.
    pub day_messages: Rate,
}

/// PIN-guarded keys and their recovery.
#[derive(Debug, Clone)]
pub struct GuardedKeyPolicy {
    pub guesses: GuessLimits,
    /// The delay of a recovery.
    pub lock: Duration,
    /// How long an opened lock may be used.
    pub lock_use: Duration,
    pub code_life: Duration,
    pub contacts_per_key: u64,
    pub sends_per_contact: [Rate; 2],
    pub sends_per_address: Rate,
    pub sends_per_network: Rate,
    pub sends_in_all: Rate,
    pub new_keys_per_network: Rate,
    /// Probes for unknown contacts, per key.
    pub unknown_contacts_per_key: Rate,
    /// Without stored addresses there are no notices, and locks open without an alert.
    pub store_addresses: bool,
}

/// Clients of back ends, and the device keys they register.
#[derive(Debug, Clone)]
pub struct DeviceKeyPolicy {
    /// What tokens name as their issuer.
    pub issuer: String,
    pub challenge_life: Duration,
    /// Keys of one person in one application; 0 is no limit.
    pub keys_per_member: u64,
    /// Wrong signatures of one key in a minute; 0 is no limit.
    pub misses_per_minute: u32,
    /// Failed proofs of one client id from one network.
    pub failures_per_client: Rate,
    /// Failed proofs from one network.
    pub failures_per_network: Rate,
}

impl Default for DeviceKeyPolicy {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            issuer: "http://127.0.0.1:8080/oidc".to_owned(),
            challenge_life: Duration::from_secs(120),
            keys_per_member: 100,
            misses_per_minute: 120,
            failures_per_client: Rate::per(10, minute),
            failures_per_network: Rate::per(30, minute),
        }
    }
}

impl DeviceKeyPolicy {
    /// Without the limits on how often.
    #[must_use]
    pub fn without_rates(mut self) -> Self {
        self.misses_per_minute = 0;
        self.failures_per_client.count = 0;
        self.failures_per_network.count = 0;
        self
    }
}

impl GuardedKeyPolicy {
    /// The numbers for a contact's codes: the same window, and no end after so many in a row. A code is
    /// recovery itself, so there is nothing to send its owner to, and strangers must not be able to
    /// close it for good.
    pub(crate) fn code_guesses(&self) -> GuessLimits {
        GuessLimits {
            in_a_row: 0,
            ..self.guesses
        }
    }
}

/// Wallets: devices, step-up, keyshares.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the configuration, each under its own name"
)]
pub struct WalletPolicy {
    /// Whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// Whether those of this server's own accounts are.
    pub own_accounts: Option<OwnAccounts>,
    pub challenge_life: Duration,
    /// Challenges of one user.
    pub challenges: Rate,
    /// Device registrations of one user.
    pub registrations: Rate,
    /// Backups and recoveries of one user, together.
    pub share_calls: Rate,
    /// Refused step-ups of one user before none is tried for a while.
    pub refusals: Rate,
    /// How long accepted evidence is remembered, so that it works once.
    pub evidence_memory: Duration,
    /// After this a begun enrolment is dead.
    pub enrolment_life: Duration,
    /// A new device switches the older ones off.
    pub single_device: bool,
    /// Shares are taken only for keys that the signing server told of.
    pub known_keys_only: bool,
    /// Shares are taken only of users who can step up: else whoever holds a token could enrol and recover.
    pub enrolled_only: bool,
    /// Most characters of a share.
    pub longest_share: usize,
    /// How long replaced shares are kept for the operator.
    pub replaced_shares: Duration,
    /// How long decisions about key use are kept.
    pub decisions: Duration,
    /// Whether a verifier's opaque words go to the client.
    pub tell_client: bool,
    /// Whether clients may get a verifier's session tokens here.
    pub session_tokens: bool,
    /// Whether a program of the operator's hears of every recovery, allowed or refused.
    pub tell_operator: bool,
    /// How long an address that an issuer verified is written to after its last token.
    pub address_memory: Duration,
    /// Who asks for passkeys, where they are offered.
    pub passkeys: Option<PasskeyPolicy>,
}

impl Default for WalletPolicy {
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self {
            issuers: Vec::new(),
            own_accounts: None,
            challenge_life: Duration::from_secs(300),
            challenges: Rate::per(60, minute),
            registrations: Rate::per(60, minute),
            share_calls: Rate::per(60, minute),
            refusals: Rate::per(5, Duration::from_mins(15)),
            evidence_memory: days(1),
            enrolment_life: Duration::from_mins(10),
            single_device: false,
            known_keys_only: true,
            enrolled_only: true,
            longest_share: 1_048_576,
            replaced_shares: days(30),
            decisions: days(365),
            tell_client: false,
            session_tokens: false,
            tell_operator: false,
            address_memory: days(90),
            passkeys: None,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hash: HashPolicy {
                cost: Cost::OWASP,
                threads: 2,
                queue: 64,
            },
            limits: SharedLimits {
                queue_per_subject: 64,
                wait: Duration::from_secs(20),
                network_messages: Rate::per(0, hours(1)),
                country_messages: Rate::per(0, days(1)),
                day_messages: Rate::per(0, days(1)),
            },
            guarded_key: GuardedKeyPolicy {
                guesses: GuessLimits {
                    failures: 10,
                    window: days(7),
                    in_a_row: 100,
                },
                lock: days(30),
                lock_use: days(30),
                code_life: hours(1),
                contacts_per_key: 20,
                sends_per_contact: [Rate::per(10, hours(1)), Rate::per(20, days(1))],
                sends_per_address: Rate::per(30, days(1)),
                sends_per_network: Rate::per(60, hours(1)),
                sends_in_all: Rate::per(0, days(1)),
                new_keys_per_network: Rate::per(120, hours(1)),
                unknown_contacts_per_key: Rate::per(20, hours(1)),
                store_addresses: true,
            },
            device_keys: DeviceKeyPolicy::default(),
            vault: VaultPolicy::default(),
            wallet: WalletPolicy::default(),
            person: PersonPolicy::default(),
            public_url: "http://127.0.0.1:8080".to_owned(),
        }
    }
}
