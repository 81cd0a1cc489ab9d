use std::path::{Path, PathBuf};

use domain::secret::SecretBytes;
use outside::courier::{
    CourierOptions, FileOptions, Plain, ProviderOptions, SmtpOptions, SmtpSecurity, WebhookOptions,
};

use crate::Config;
use crate::secret::{Secret, resolve};
use crate::section::section;

section! {
    /// How e-mail is sent: one provider here, or several as `[[mail.providers]]` with the same keys, tried in order.
    Mail {
        /// `none`, `smtp`, `webhook` (signed HTTP) or `file` (JSON lines).
        kind: String = "none".to_owned(),
        /// `file`: the file to write to. SMS are written there too if `[sms]` is not set.
        path: Option<PathBuf> = None,
        /// `smtp`: host name of the server.
        host: Option<String> = None,
        /// `smtp`: port of the server. Default: 587 with `starttls`, 465 with `tls`, 25 with `none`.
        port: Option<u16> = None,
        /// `smtp`: `starttls`, `tls`, or `none` (only for a server on loopback, unless `allow_plain` is set).
        tls: String = "starttls".to_owned(),
        /// `smtp`: user name.
        username: Option<String> = None,
        /// `smtp`: password.
        password: Option<Secret> = None,
        /// `smtp`: file that contains the password.
        password_file: Option<PathBuf> = None,
        /// `smtp`: sender, `Name <address>` or only an address.
        from: Option<String> = None,
        /// `smtp`: address for replies.
        reply_to: Option<String> = None,
        /// Certificate authorities to trust instead of the public ones, a PEM file.
        ca_file: Option<PathBuf> = None,
        /// `webhook`: the URL.
        url: Option<String> = None,
        /// `webhook`: the signing secret, at least 32 bytes.
        secret: Option<Secret> = None,
        /// `webhook`: file that contains the secret.
        secret_file: Option<PathBuf> = None,
        /// Allow unencrypted connections to other machines.
        allow_plain: bool = false,
        /// Folder with your own texts of messages: files `<language>/<operation>.txt`.
        templates: Option<PathBuf> = None,
        /// Name of the service in messages.
        product: String = "Keyward".to_owned(),
        /// Several providers, tried in order. They replace the keys above.
        providers: Vec<Mail> = Vec::new(),
    }
}

impl Mail {
    pub(crate) fn validate(&self) -> Result<(), String> {
        self.options().map(|_| ())
    }

    pub fn is_set(&self) -> bool {
        self.kind != "none" || !self.providers.is_empty()
    }

    /// The providers, in order.
    pub(crate) fn options(&self) -> Result<Vec<ProviderOptions>, String> {
        in_order("mail", self, (&self.kind, &self.providers), Mail::provider)
    }

    fn provider(&self) -> Result<Option<ProviderOptions>, String> {
        match self.kind.as_str() {
            "none" => Ok(None),
            "file" => Ok(Some(file(self.path.as_deref())?)),
            "smtp" => self
                .smtp()
                .map(|options| Some(ProviderOptions::Smtp(options))),
            "webhook" => {
                let secret = resolve("secret", self.secret.as_ref(), self.secret_file.as_deref())?;
                webhook(
                    "mail",
                    self.url.as_deref(),
                    secret,
                    self.ca_file.clone(),
                    plain(self.allow_plain),
                )
                .map(Some)
            }
            other => Err(format!(
                "configuration: [mail] kind must be none, smtp, webhook or file, not {other}"
            )),
        }
    }

    fn smtp(&self) -> Result<SmtpOptions, String> {
        let need = |name: &str, value: &Option<String>| {
            value
                .clone()
                .ok_or_else(|| format!("configuration: [mail] kind smtp needs {name}"))
        };
        let mut options = SmtpOptions::new(need("host", &self.host)?, need("from", &self.from)?);
        options.port = self.port;
        options.security = match self.tls.as_str() {
            "none" => SmtpSecurity::Plain(plain(self.allow_plain)),
            "starttls" => SmtpSecurity::StartTls,
            "tls" => SmtpSecurity::Tls,
            other => {
                return Err(format!(
                    "configuration: [mail] tls must be none, starttls or tls, not {other}"
                ));
            }
        };
        options.username.clone_from(&self.username);
        options.password = resolve(
            "password",
            self.password.as_ref(),
            self.password_file.as_deref(),
        )?;
        options.reply_to.clone_from(&self.reply_to);
        options.ca_file.clone_from(&self.ca_file);
        Ok(options)
    }
}

/// All configured providers. `mailbox`: the development mailbox, used if nothing else is configured.
pub fn courier_options(config: &Config, mailbox: Option<&Path>) -> Result<CourierOptions, String> {
    let mut email = config.mail.options()?;
    let mut sms = config.sms.options()?;
    if let Some(path) = mailbox.filter(|_| !config.mail.is_set()) {
        email.push(file(Some(path))?);
    }
    if !config.sms.is_set() {
        sms.extend(
            email
                .iter()
                .filter(|provider| matches!(provider, ProviderOptions::File(_)))
                .cloned(),
        );
    }
    Ok(CourierOptions {
        email,
        sms,
        operator: config.duo.notify.provider()?.into_iter().collect(),
        ..CourierOptions::default()
    })
}

/// The providers of a section, in order: the one that the section itself describes, or those that it lists.
pub(crate) fn in_order<S>(
    name: &str,
    section: &S,
    (kind, listed): (&str, &[S]),
    provider: impl Fn(&S) -> Result<Option<ProviderOptions>, String>,
) -> Result<Vec<ProviderOptions>, String> {
    if listed.is_empty() {
        return Ok(provider(section)?.into_iter().collect());
    }
    if kind != "none" {
        return Err(format!(
            "configuration: [{name}] sets both kind and providers; use only one of them"
        ));
    }
    let all = listed.iter().map(provider).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

pub(crate) fn file(path: Option<&Path>) -> Result<ProviderOptions, String> {
    let path = path.ok_or("configuration: kind file needs a path")?;
    Ok(ProviderOptions::File(FileOptions {
        path: path.to_owned(),
    }))
}

pub(crate) fn plain(allow: bool) -> Plain {
    if allow {
        Plain::Anywhere
    } else {
        Plain::Loopback
    }
}

pub(crate) fn webhook(
    section: &str,
    url: Option<&str>,
    secret: Option<domain::secret::SecretText>,
    ca_file: Option<PathBuf>,
    plain: Plain,
) -> Result<ProviderOptions, String> {
    let url = url.ok_or_else(|| format!("configuration: [{section}] kind webhook needs url"))?;
    let secret = secret.ok_or_else(|| {
        format!("configuration: [{section}] kind webhook needs secret or secret_file")
    })?;
    let mut options =
        WebhookOptions::new(url, SecretBytes::new(secret.expose().as_bytes().to_vec()));
    options.plain = plain;
    options.ca_file = ca_file;
    Ok(ProviderOptions::Webhook(options))
}
