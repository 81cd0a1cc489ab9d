use std::path::PathBuf;

use outside::courier::{ProviderOptions, SmsSender, TwilioOptions};

use crate::mail::{file, in_order, plain, webhook};
use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// How SMS are sent: one provider here, or several as `[[sms.providers]]` with the same keys, tried in order.
    Sms {
        /// `none`, `twilio`, `webhook` (signed HTTP) or `file` (JSON lines).
        kind: String = "none".to_owned(),
        /// `file`: the file to write to.
        path: Option<PathBuf> = None,
        /// `twilio`: base URL of the API. `webhook`: the URL.
        url: Option<String> = None,
        /// `twilio`: the account's identifier.
        account_sid: Option<String> = None,
        /// `twilio`: the account's token.
        auth_token: Option<Secret> = None,
        /// `twilio`: file that contains the token.
        auth_token_file: Option<PathBuf> = None,
        /// `twilio`: sender number or name.
        from: Option<String> = None,
        /// `twilio`: messaging service that chooses the sender.
        messaging_service_sid: Option<String> = None,
        /// `webhook`: the signing secret, at least 32 bytes.
        secret: Option<Secret> = None,
        /// `webhook`: file that contains the secret.
        secret_file: Option<PathBuf> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
        /// Allow unencrypted connections to other machines.
        allow_plain: bool = false,
        /// Several providers, tried in order. They replace the keys above.
        providers: Vec<Sms> = Vec::new(),
    }
}

impl Sms {
    pub(crate) fn validate(&self) -> Result<(), String> {
        self.options().map(|_| ())
    }

    pub(crate) fn is_set(&self) -> bool {
        self.kind != "none" || !self.providers.is_empty()
    }

    /// The providers, in order.
    pub(crate) fn options(&self) -> Result<Vec<ProviderOptions>, String> {
        in_order("sms", self, (&self.kind, &self.providers), Sms::provider)
    }

    fn provider(&self) -> Result<Option<ProviderOptions>, String> {
        match self.kind.as_str() {
            "none" => Ok(None),
            "file" => Ok(Some(file(self.path.as_deref())?)),
            "twilio" => self
                .twilio()
                .map(|options| Some(ProviderOptions::Twilio(options))),
            "webhook" => {
                let secret = resolve("secret", self.secret.as_ref(), self.secret_file.as_deref())?;
                webhook(
                    "sms",
                    self.url.as_deref(),
                    secret,
                    self.ca_file.clone(),
                    plain(self.allow_plain),
                )
                .map(Some)
            }
            other => Err(format!(
                "configuration: [sms] kind must be none, twilio, webhook or file, not {other}"
            )),
        }
    }

    fn twilio(&self) -> Result<TwilioOptions, String> {
        let sid = self
            .account_sid
            .clone()
            .ok_or("configuration: [sms] kind twilio needs account_sid")?;
        let token = resolve(
            "auth_token",
            self.auth_token.as_ref(),
            self.auth_token_file.as_deref(),
        )?
        .ok_or("configuration: [sms] kind twilio needs auth_token or auth_token_file")?;
        let sender = match (&self.from, &self.messaging_service_sid) {
            (Some(number), None) => SmsSender::Number(number.clone()),
            (None, Some(service)) => SmsSender::Service(service.clone()),
            _ => {
                return Err(
                    "configuration: [sms] kind twilio needs from or messaging_service_sid"
                        .to_owned(),
                );
            }
        };
        let mut options = TwilioOptions::new(sid, token, sender);
        if let Some(url) = &self.url {
            options.base_url.clone_from(url);
        }
        options.plain = plain(self.allow_plain);
        options.ca_file.clone_from(&self.ca_file);
        Ok(options)
    }
}
