//! The numbers that wallets work with.

use std::time::Duration;

use crate::core::time::days;
use crate::limit::rate::Rate;
use crate::proof::federated::{OwnAccounts, TrustedIssuer};

use super::step_up::passkey::PasskeyPolicy;

/// Wallets: devices, step-up, keyshares.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the configuration, each under its own name"
)]
pub struct WalletPolicy {
    /// Whose tokens are accepted.
    pub issuers: Vec<TrustedIssuer>,
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
