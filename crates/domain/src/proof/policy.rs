//! The numbers that proofs work with.

use super::federated::{OwnAccounts, TrustedIssuer};
use super::session::SessionPolicy;
use super::token::TokenPolicy;

/// Whether an operator offers something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    On,
    Off,
}

/// Everything about tokens, sessions and federated users.
#[derive(Debug, Clone)]
pub(crate) struct ProofPolicy {
    pub(crate) tokens: TokenPolicy,
    pub(crate) sessions: SessionPolicy,
    /// Whether messages show the anti-phishing code.
    pub(crate) phrase: Offer,
    /// Issuers whose tokens are accepted.
    pub(crate) issuers: Vec<TrustedIssuer>,
    /// Whether tokens of this server's own accounts are accepted.
    pub(crate) own_accounts: Option<OwnAccounts>,
}
