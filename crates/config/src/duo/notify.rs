use std::path::PathBuf;

use domain::secret::SecretBytes;
use outside::courier::{self, ProviderOptions};

use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// A program of the operator that is told about recoveries, by the same signed webhook that messages use.
    Notify {
        /// The server posts every recovery, allowed or refused, to this URL: `https`, or `http` to this machine.
        recover_url: Option<String> = None,
        /// The signing secret, at least 32 bytes.
        secret: Option<Secret> = None,
        /// File that contains the secret.
        secret_file: Option<PathBuf> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
    }
}

impl Notify {
    /// Where to report recoveries, if a program is configured.
    pub(crate) fn provider(&self) -> Result<Option<ProviderOptions>, String> {
        let secret = resolve("secret", self.secret.as_ref(), self.secret_file.as_deref())?;
        let (url, secret) = match (&self.recover_url, secret) {
            (None, None) => return Ok(None),
            (Some(url), Some(secret)) => (url, secret),
            _ => {
                return Err(
                    "configuration: [duo.notify] recover_url and secret (or secret_file) must be set together"
                        .to_owned(),
                );
            }
        };
        let secret = SecretBytes::new(secret.expose().as_bytes().to_vec());
        let mut options = courier::WebhookOptions::new(url, secret);
        options.ca_file.clone_from(&self.ca_file);
        Ok(Some(ProviderOptions::Webhook(options)))
    }
}
