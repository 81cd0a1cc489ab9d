//! What the courier is told: plain values, filled from the configuration by the binary.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::{SecretBytes, SecretText};

/// The providers of each channel in the order of trying. An empty list refuses every letter.
#[derive(Debug, Clone, Default)]
pub struct CourierOptions {
    pub email: Vec<ProviderOptions>,
    pub sms: Vec<ProviderOptions>,
    /// News for a program of the operator's: webhooks.
    pub operator: Vec<ProviderOptions>,
    pub breaker: BreakerOptions,
}

/// When a failing provider is passed over.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row that send it to rest; 0 never does.
    pub failures: u32,
    pub rest: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(30),
        }
    }
}

/// One provider.
#[derive(Debug, Clone)]
pub enum ProviderOptions {
    File(FileOptions),
    Smtp(SmtpOptions),
    Twilio(TwilioOptions),
    Webhook(WebhookOptions),
}

pub(super) const FILE: &str = "file";

impl ProviderOptions {
    /// The name of its kind in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => FILE,
            Self::Smtp(_) => "smtp",
            Self::Twilio(_) => "twilio",
            Self::Webhook(_) => "webhook",
        }
    }
}

/// Where letters may travel unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plain {
    /// To this machine only.
    #[default]
    Loopback,
    /// Anywhere: the operator vouches for the network.
    Anywhere,
}

impl Plain {
    pub(crate) fn allows(self, host: &str) -> bool {
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        self == Self::Anywhere || loopback
    }
}

/// Appends each letter as one JSON line.
#[derive(Debug, Clone)]
pub struct FileOptions {
    pub path: PathBuf,
}

/// Gives letters to a mail server.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    pub host: String,
    /// Without one: 25, 587 with STARTTLS, 465 with TLS.
    pub port: Option<u16>,
    pub security: SmtpSecurity,
    pub username: Option<String>,
    pub password: Option<SecretText>,
    /// `Name <address>` or a bare address.
    pub from: String,
    pub reply_to: Option<String>,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_file: Option<PathBuf>,
    /// What EHLO says; without it the name of this machine.
    pub hello_name: Option<String>,
    /// For everything up to the login.
    pub connect_timeout: Duration,
    /// For handing over one letter.
    pub timeout: Duration,
    /// Connections kept open between letters.
    pub connections: usize,
}

impl SmtpOptions {
    /// STARTTLS without a login; change what differs.
    pub fn new(host: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            security: SmtpSecurity::StartTls,
            username: None,
            password: None,
            from: from.into(),
            reply_to: None,
            ca_file: None,
            hello_name: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            connections: 4,
        }
    }
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    Plain(Plain),
    /// Plain at first, and nothing is said before it is not any more.
    StartTls,
    Tls,
}

/// Sends SMS over the API of Twilio.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// Up to, and without, `/2010-04-01`.
    pub base_url: String,
    pub account_sid: String,
    pub auth_token: SecretText,
    pub sender: SmsSender,
    pub plain: Plain,
    pub ca_file: Option<PathBuf>,
    pub timeout: Duration,
}

/// Who an SMS is from.
#[derive(Debug, Clone)]
pub enum SmsSender {
    /// A telephone number or a name.
    Number(String),
    /// The SID of a messaging service, which picks a number.
    Service(String),
}

impl TwilioOptions {
    pub fn new(account_sid: impl Into<String>, auth_token: SecretText, sender: SmsSender) -> Self {
        Self {
            base_url: "https://api.twilio.com".to_owned(),
            account_sid: account_sid.into(),
            auth_token,
            sender,
            plain: Plain::Loopback,
            ca_file: None,
            timeout: HTTP_TIMEOUT,
        }
    }
}

/// Posts each letter, signed, to a program of the operator's.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    pub url: String,
    /// At least 32 bytes.
    pub secret: SecretBytes,
    pub plain: Plain,
    pub ca_file: Option<PathBuf>,
    pub timeout: Duration,
}

impl WebhookOptions {
    pub fn new(url: impl Into<String>, secret: SecretBytes) -> Self {
        Self {
            url: url.into(),
            secret,
            plain: Plain::Loopback,
            ca_file: None,
            timeout: HTTP_TIMEOUT,
        }
    }
}

const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
