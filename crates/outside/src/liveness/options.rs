//! Options of a verifier.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::{SecretBytes, SecretText};

use crate::courier::Plain;

/// The verifier and how to reach it.
#[derive(Clone, Debug)]
pub struct LivenessOptions {
    pub verifier: VerifierOptions,
    pub transport: Transport,
}

#[derive(Clone, Debug)]
pub enum VerifierOptions {
    None,
    Facetec(FacetecOptions),
    Webhook(WebhookOptions),
}

/// Options of all verifiers.
#[derive(Clone, Debug)]
pub struct Transport {
    pub timeout: Duration,
    pub max_concurrent: usize,
    pub ca_file: Option<PathBuf>,
    pub plain: Plain,
}

#[derive(Clone, Debug)]
pub struct FacetecOptions {
    /// May contain a path prefix and `user:password`.
    pub url: String,
    pub device_key: Option<SecretText>,
    /// 1 to 15.
    pub min_match_level: u8,
    pub extra_headers: BTreeMap<String, String>,
    pub forward_client_ip: bool,
    /// Contains `{ref}`. `None` if the server has no delete call.
    pub delete_url_template: Option<String>,
}

#[derive(Clone, Debug)]
pub struct WebhookOptions {
    pub url: String,
    pub secret: SecretBytes,
}
