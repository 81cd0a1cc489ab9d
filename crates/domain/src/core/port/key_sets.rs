//! The published keys of those who issue tokens.

use std::sync::Arc;

use async_trait::async_trait;
use crypto::token::KeySet;

use crate::core::error::Error;

/// Knows the key sets of all configured issuers: fetches, keeps and renews them.
#[async_trait]
pub trait KeySets: Send + Sync {
    /// The keys of `issuer`. `wanted`: the id of the key that a token names; when the set at hand does not
    /// have it, the issuer may have changed its keys, and is asked again, within bounds that a flood of
    /// invented ids cannot pass. `Error::Unavailable` while no set was ever had: the token may be good.
    async fn keys(&self, issuer: &str, wanted: Option<&str>) -> Result<Arc<KeySet>, Error>;
}
