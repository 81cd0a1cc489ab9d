use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::SecretBytes;
use outside::courier::Plain;
use outside::liveness::{
    FacetecOptions, LivenessOptions, Transport, VerifierOptions, WebhookOptions,
};

use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// The face verifier.
    Face {
        /// Kind of verifier: `none`, `facetec_v9` or `webhook`.
        kind: String = "none".to_owned(),
        /// URL of the verifier. For `facetec_v9` with path prefix and `user:password`, if it needs them.
        url: Option<String> = None,
        /// `facetec_v9`: the device key identifier.
        device_key: Option<Secret> = None,
        /// `facetec_v9`: file that contains the device key identifier.
        device_key_file: Option<PathBuf> = None,
        /// `facetec_v9`: the minimum match level, 1 to 15.
        min_match_level: u8 = 15,
        /// Seconds to wait for the verifier's answer: 1 to 60.
        timeout_seconds: u64 = 20,
        /// Maximum number of calls to the verifier at the same time.
        max_concurrent: usize = 10,
        /// `facetec_v9`: additional request headers, by name.
        extra_headers: BTreeMap<String, String> = BTreeMap::new(),
        /// `facetec_v9`: send the client's address to the verifier.
        forward_client_ip: bool = false,
        /// `facetec_v9`: URL to call with DELETE when a face is removed. It contains `{ref}`.
        delete_url_template: Option<String> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
        /// Allow plain HTTP to other machines.
        allow_plain_http: bool = false,
        /// Refused checks of one user after which the verifier is not asked for some time.
        max_failures: u32 = 5,
        /// Length of that time in seconds.
        failure_window_seconds: u64 = 900,
        /// `facetec_v9`: offer `GET /auth/face/session-token`.
        session_token_proxy: bool = false,
        /// `facetec_v9`: return `scan_result_blob` to the app.
        return_scan_result_blob: bool = false,
        /// `webhook`: the signing secret, at least 32 bytes.
        webhook_secret: Option<Secret> = None,
        /// `webhook`: file that contains the secret.
        webhook_secret_file: Option<PathBuf> = None,
    }
}

impl Face {
    /// The verifier, and how it is called.
    pub(super) fn options(&self) -> Result<LivenessOptions, String> {
        let verifier = match self.kind.as_str() {
            "none" => VerifierOptions::None,
            "facetec_v9" => VerifierOptions::Facetec(self.facetec()?),
            "webhook" => VerifierOptions::Webhook(self.webhook()?),
            other => {
                return Err(format!(
                    "configuration: [duo.face] kind must be none, facetec_v9 or webhook, not {other}"
                ));
            }
        };
        Ok(LivenessOptions {
            verifier,
            transport: Transport {
                timeout: Duration::from_secs(self.timeout_seconds),
                max_concurrent: self.max_concurrent,
                ca_file: self.ca_file.clone(),
                plain: if self.allow_plain_http {
                    Plain::Anywhere
                } else {
                    Plain::Loopback
                },
            },
        })
    }

    fn address(&self) -> Result<String, String> {
        let url = self.url.clone();
        url.ok_or_else(|| format!("configuration: [duo.face] kind {} needs url", self.kind))
    }

    fn facetec(&self) -> Result<FacetecOptions, String> {
        if !(1..=15).contains(&self.min_match_level) {
            return Err("configuration: [duo.face] min_match_level must be 1 to 15".to_owned());
        }
        Ok(FacetecOptions {
            url: self.address()?,
            device_key: resolve(
                "device_key",
                self.device_key.as_ref(),
                self.device_key_file.as_deref(),
            )?,
            min_match_level: self.min_match_level,
            extra_headers: self.extra_headers.clone(),
            forward_client_ip: self.forward_client_ip,
            delete_url_template: self.delete_url_template.clone(),
        })
    }

    fn webhook(&self) -> Result<WebhookOptions, String> {
        let secret = resolve(
            "webhook_secret",
            self.webhook_secret.as_ref(),
            self.webhook_secret_file.as_deref(),
        )?;
        let secret = secret.ok_or(
            "configuration: [duo.face] kind webhook needs webhook_secret or webhook_secret_file",
        )?;
        Ok(WebhookOptions {
            url: self.address()?,
            secret: SecretBytes::new(secret.expose().as_bytes().to_vec()),
        })
    }
}
